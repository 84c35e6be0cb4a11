"""The picture of a journey, which a camera moves through while it is dreamed on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.camera_move import CameraMove, DepthMap
from stream_dream.frame import Flow, Image8, ImageF
from stream_dream.image import pixel_grid, resize_float
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.journey import Border
from stream_dream.temporal.balance import Balance
from stream_dream.temporal.border_noise import BorderNoise
from stream_dream.temporal.depth import depth_of_map, invented_depth, renewed
from stream_dream.temporal.growth import GROWN_UP, next_velocity
from stream_dream.temporal.visibility import in_frame
from stream_dream.tone import without_large_areas

_BORDERS: dict[Border, int] = {
    "mirror": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_WRAP,
    "extend": cv2.BORDER_REPLICATE,
}
# Blur between new and old areas, standard deviation in pixels.
_AGE_BLUR = 4.0
# What comes nearer shows detail that was too small to be seen: it is newer, by this power of the
# magnification.
_NEWER = 2
# How much more steps catch up than in a film, where new places have a picture of their own.
_CATCH_UP = 2.5
# Below this visibility a point has come in.
_VISIBLE = 0.5


class JourneyWarp:
    """Moves what belongs to a picture along with the camera, ``out(p) = image(p + flow(p))``."""

    def __init__(self, flow: Flow, border: Border) -> None:
        """Prepare the warp along a flow, float32 (height, width, 2), in pixels."""
        self._x, self._y = cv2.split(pixel_grid(flow.shape[:2]) + flow)
        self._border = _BORDERS[border]
        self.visible = in_frame(flow)

    def __call__(self, image: NDArray[np.float32], *, sharp: bool = False) -> NDArray[np.float32]:
        """Warp a float32 image, with or without channels; ``sharp`` for one that is moved often."""
        # Bilinear interpolation blurs a little in each frame: a hundred of them are fog, and of the
        # velocity alone they cost a quarter of the finest octave's contrast (measured). Lanczos
        # takes six times as long as cubic interpolation, and is no sharper.
        way = cv2.INTER_CUBIC if sharp else cv2.INTER_LINEAR
        warped = cv2.remap(image, self._x, self._y, way, borderMode=self._border)
        return np.asarray(warped, np.float32)


class JourneyPicture:
    """A picture that is dreamed on while a camera moves through it.

    For every frame,

        ``velocity = momentum * warp(velocity) + (1 - momentum) * change``
        ``picture = balance(warp(picture) + gain * velocity)``

    where ``change`` is the result of an ascent on the warped picture, ``gain`` is larger where the
    picture has come into view a short time ago, as in ``temporal.growth``, and ``balance`` is that
    of ``temporal.balance``. There is no film behind it: the picture itself is carried.

    Attributes:
        settings: ``catch_up`` is used; may be replaced at any time.
        picture: float32 (height, width, 3) in [0, 1].
        balance: What holds its contrast.
        velocity: Change per frame, same shape; None before the first ascent.
        age: 0 where the picture is new, 1 where it has been seen for 20 frames, float32 (height,
            width).
        depth: How near things are; None where nothing has needed it yet.
        border_noise: Detail of what comes in at mirrored edges.
    """

    def __init__(
        self,
        picture: ImageF,
        settings: DreamSettings,
        *,
        border: Border = "mirror",
        depth_map: Image8 | None = None,
    ) -> None:
        """Create the picture of a journey.

        Args:
            picture: What the journey begins with, float32 (height, width, 3) in [0, 1].
            settings: Settings of the dream.
            border: What comes in at the edges.
            depth_map: Depths of the picture, uint8 RGB of any size, white where near; invented
                where they are needed and not given.
        """
        self.settings = settings
        self._border = border
        self.picture, self.balance = picture, Balance.of(picture)
        self.velocity: ImageF | None = None
        self.age: NDArray[np.float32] = np.ones(picture.shape[:2], np.float32)
        self.depth: DepthMap | None = None
        if depth_map is not None:
            self.depth = depth_of_map(depth_map, picture.shape[:2])
        self.border_noise = BorderNoise((picture.shape[1], picture.shape[0]), settings.seed)

    def move(self, move: CameraMove) -> JourneyWarp:
        """Move the picture, and all that belongs to it; return the warp, for a change in flight."""
        height, width = self.picture.shape[:2]
        if move.depth and self.depth is None:
            self.depth = invented_depth(self.picture)
        depths = self.depth
        if move.depth and depths is not None:
            # A flow starts at points of the new frame: their depths come from the old one.
            roughly = JourneyWarp(move.flow((width, height), depths), self._border)
            depths = roughly(depths)
        warp = JourneyWarp(move.flow((width, height), depths), self._border)
        self.picture = warp(self.picture, sharp=True)
        np.clip(self.picture, 0, 1, out=self.picture)
        if self._border == "mirror":
            new = warp.visible < _VISIBLE
            if depths is not None and move.depth and new.any():
                move = move.at_depth(float(depths[new].mean()))
            self.border_noise.move(move)
            self.border_noise.fill(self.picture, new)
        if self.velocity is not None:
            self.velocity = warp(self.velocity, sharp=True)
        known = warp(self.age) * warp.visible * np.float32(max(1.0, move.zoom) ** -_NEWER)
        grown = known + np.float32(1 / GROWN_UP)
        self.age = np.minimum(grown, 1).astype(np.float32)
        if self.depth is not None:
            self.depth = renewed(warp(self.depth), self.picture)
        return warp

    def push(self, change: ImageF | None, momentum: float) -> None:
        """Update the velocity by the change of an ascent.

        Args:
            change: What the ascent has added, float32 (height, width, 3), modified in place; None
                for nothing.
            momentum: Share of the previous velocity that stays, 0..1.
        """
        if change is not None:
            without_large_areas(change)
        self.velocity = next_velocity(self.velocity, change, momentum)

    def grow(self) -> None:
        """Add the velocity to the picture, and balance it."""
        change = self.velocity
        gain = self._gain()
        if change is not None and gain is not None:
            change = np.asarray(cv2.multiply(change, cv2.merge([gain] * 3)), np.float32)
        self.picture = self.balance(self.picture, change)

    def mix(self, image: ImageF, share: NDArray[np.float32] | float) -> None:
        """Mix another picture of the same shape into it.

        Args:
            image: float32 (height, width, 3) in [0, 1].
            share: Its share, 0..1, of all or of each point (height, width, 1).
        """
        self.picture = self.picture + (image - self.picture) * np.asarray(share, np.float32)

    def resize(self, shape: tuple[int, int]) -> None:
        """Resize the picture, and all that belongs to it, to (height, width)."""
        if self.picture.shape[:2] == shape:
            return
        self.picture = resize_float(self.picture, shape, antialias=True)
        # Another number of octaves: those that it has, as they are.
        self.balance = Balance.of(self.picture)
        self.border_noise = BorderNoise(shape[::-1], self.settings.seed)
        if self.velocity is not None:
            self.velocity = resize_float(self.velocity, shape, antialias=True)
        self.age = resize_float(self.age, shape, antialias=True)
        if self.depth is not None:
            self.depth = resize_float(self.depth, shape, antialias=True)

    def _gain(self) -> NDArray[np.float32] | None:
        """Return the gain of each point, (height, width); None for 1 everywhere."""
        age, catch_up = self.age, _CATCH_UP * self.settings.catch_up
        if not catch_up or age.min() >= 1:
            return None
        return np.asarray(1 + catch_up * (1 - cv2.GaussianBlur(age, (0, 0), _AGE_BLUR)), np.float32)
