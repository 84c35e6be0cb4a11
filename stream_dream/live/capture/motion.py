"""Motion of captured frames, the newest of which is kept ready for the dream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scenedetect import ContentDetector, FrameTimecode
from scenedetect.detector import FlashFilter

from stream_dream.frame import Frame, Image8, ImageF, Mask8
from stream_dream.image import fit_size, resize, to_float
from stream_dream.live.capture.camera import Camera
from stream_dream.live.capture.fallback_picture import FallbackPicture
from stream_dream.live.capture.feed import CapturedFrame
from stream_dream.live.capture.framing import Framing
from stream_dream.live.capture.live_mask import LiveMask
from stream_dream.live.control.controls import Controls
from stream_dream.runtime.latest_value import LatestValue
from stream_dream.settings.dream import MOST_ENLARGED
from stream_dream.temporal.carry import Carry
from stream_dream.temporal.dreamer import Prepared
from stream_dream.temporal.flow import FlowEstimator, Motion, chained, scaled, still
from stream_dream.tone import Headroom

# Size for flow, independent of the dream size, which the governor may change at any time.
_FLOW_SIZE = 320
# Longest wait for a camera frame before the next look at whether the camera still sends.
_CAMERA_SECONDS = 1 / 25
# Estimation starts ``_HEADROOM`` times its mean duration before the dream wants the frame: a late
# one makes the dream wait. ``_MEMORY`` is the weight of the last frame in the mean.
_HEADROOM, _MEMORY = 1.5, 0.1
# Longest wait for a dream that is paused or late.
_LONGEST_WAIT = 0.25
# Errors of chained flows add up: after this many skipped frames, in a frozen show say, the dream
# stays where it is in the picture.
_MOST_CHAINED = 50


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A frame whose motion since the last dreamed frame is known.

    Attributes:
        prepared: The framed image with its cut, ready to be dreamed; ``time`` and ``index`` are
            those of ``CapturedFrame``, of a substitute the present time and the last index; its
            carry has a persistence of 1.
        motion: Motion since the last dreamed frame, at flow size; None after a cut.
        from_camera: True for a frame from the camera, False for a substitute.
        frames_skipped: Number of frames skipped since the last dreamed frame.
        mask: Where the dream shows, uint8 (height, width) of the frame; None for everywhere.
    """

    prepared: Prepared
    motion: Motion | None
    from_camera: bool
    frames_skipped: int
    mask: Mask8 | None


class MotionStage:
    """Prepares frames of the camera, or of its substitute while it sends none, in a thread.

    Attributes:
        slot: The newest frame that was not dreamed yet.
        dropped: Number of frames captured since the start that were not dreamed.
        error: What ended the thread; None while it runs.
    """

    def __init__(
        self,
        camera: Camera,
        framing: Framing,
        controls: Controls,
        dream_size: Callable[[], int],
        on_shape: Callable[[tuple[int, int]], None],
        *,
        room: Callable[[ImageF], Headroom | None] | None,
        cuts: bool,
        mask: LiveMask | None = None,
    ) -> None:
        """Start the thread.

        Args:
            camera: Source of frames.
            framing: Crop, rotation and size of the picture.
            controls: Whether to mirror.
            dream_size: Returns the longer side of the dream.
            on_shape: Called with the (height, width) of the picture when it changes.
            room: Returns how far a picture, float32 (height, width, 3) in [0, 1], may be changed;
                None for a journey, which needs neither that nor the motion of its source.
            cuts: True to start afresh at each cut.
            mask: Where the dream shows; None for everywhere.
        """
        self.slot: LatestValue[Staged] = LatestValue()
        self.error: BaseException | None = None
        self._camera, self._framing, self._controls = camera, framing, controls
        self._dream_size, self._on_shape, self._room = dream_size, on_shape, room
        self.dropped = 0
        self._cuts, self._mask = cuts, mask
        self._detector = _detector()
        self._pictures = 0
        self._fallback = FallbackPicture(framing.size)
        self._estimate = FlowEstimator()
        self._shape: tuple[int, ...] | None = None
        self._mirrored = False
        self._wanted = 0.0
        self._duration: float | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="motion", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._stopped.set()
        self._thread.join(2)

    def expect(self, wanted: float) -> None:
        """Set when the dream will want its next frame, on ``time.monotonic``'s clock.

        Motion is estimated just before that, for the newest frame then: surplus frames of a fast
        camera cost nothing, and the dream gets a fresh one.
        """
        self._wanted = wanted

    def again(self, staged: Staged) -> Prepared:
        """Prepare a frame again, without motion, to dream it further until a newer one arrives."""
        shape = staged.prepared.small.shape[:2]
        return self._prepared(staged.prepared.frame, still(shape), time.perf_counter())

    def _work(self) -> None:
        try:
            number = 0
            while not self._stopped.is_set():
                captured = self._newest(number)
                begun, now = time.perf_counter(), time.monotonic()
                if captured is not None:
                    self.dropped += captured.index - number - 1 if number else 0
                    number = captured.index
                    # Framed before it drifts: the pictures of a camera may be much larger.
                    framed = self._framing(captured.image, captured.origin)
                    frame = Frame(self._fallback.fresh(framed, now), number, captured.time)
                elif self._drifts():
                    frame = Frame(self._fallback.missing(now), number, now)
                else:
                    continue
                self._stage(frame, begun, from_camera=captured is not None)
        except BaseException as error:
            self.error = error

    def _drifts(self) -> bool:
        return self._camera.is_missing and not self._camera.ended.is_set()

    def _newest(self, after: int) -> CapturedFrame | None:
        """Return the camera's newest frame, if any, when it is time to estimate its motion."""
        self.slot.wait_until_empty(_LONGEST_WAIT)
        # A substitute is made whenever the dream wants one, at the rate of the show.
        captured = self._camera.wait(after, 0 if self._drifts() else _CAMERA_SECONDS)
        early = self._wanted - _HEADROOM * (self._duration or 0.0) - time.monotonic()
        if early <= 0:
            return captured
        self._stopped.wait(min(early, _LONGEST_WAIT))
        return self._camera.wait(after, 0)

    def _stage(self, frame: Frame, begun: float, *, from_camera: bool) -> None:
        shown, mirror = frame.image, self._controls.target.mirror
        if mirror:
            shown = np.asarray(cv2.flip(shown, 1), np.uint8)
        if shown.shape != self._shape:
            self._on_shape((shown.shape[0], shown.shape[1]))
            self._detector = _detector()  # it compares frames of one size
        cut = shown.shape != self._shape or mirror != self._mirrored
        self._shape, self._mirrored = shown.shape, mirror
        motion, mask = None, None
        if self._room is not None:
            cut, motion, mask = self._moved(shown, frame.time, cut)
        # From here on the dream cannot take the previous frame: it is either dreamed or skipped.
        skipped, count = self.slot.take(), 0
        if skipped is not None:
            self.dropped += skipped.from_camera
            cut, count = cut or skipped.prepared.frame.cut, skipped.frames_skipped + 1
            motion = _past(skipped, motion)
        prepared = self._prepared(replace(frame, image=shown, cut=cut), motion, begun)
        self.slot.put(Staged(prepared, motion, from_camera, count, mask))
        passed = time.perf_counter() - begun
        before = passed if self._duration is None else self._duration
        self._duration = before + _MEMORY * (passed - before)

    def _moved(
        self, shown: Image8, seconds: float, cut: bool
    ) -> tuple[bool, Motion | None, Mask8 | None]:
        """Return whether a shot begins, the motion since the previous picture, and the mask."""
        size = shown.shape[1], shown.shape[0]
        small = resize(shown, fit_size(size, _FLOW_SIZE))
        cut = self._is_cut(small) or cut
        if cut:
            self._estimate.reset()
        motion = self._estimate(small)
        mask = None if self._mask is None else self._mask(size, small, motion, seconds)
        return cut, motion, mask

    def _prepared(self, frame: Frame, motion: Motion | None, begun: float) -> Prepared:
        height, width = frame.image.shape[:2]
        size = fit_size((width, height), self._dream_size(), enlarged=MOST_ENLARGED)
        small = resize(frame.image, size)
        source = to_float(small)
        carry = None
        if motion is not None and self._room is not None:
            carry = Carry(scaled(motion, small.shape[:2]), persistence=1.0)
        return Prepared(
            frame=frame,
            small=small,
            source=source,
            room=self._room and self._room(source),
            carry=carry,
            visible_share=0.0 if motion is None else float(motion.visible.mean()),
            seconds=time.perf_counter() - begun,
        )

    def _is_cut(self, small: Image8) -> bool:
        if not self._cuts:
            return False
        self._pictures += 1
        picture = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2BGR), np.uint8)
        cuts = self._detector.process_frame(FrameTimecode(self._pictures, 25.0), picture)
        return any(cut.frame_num == self._pictures for cut in cuts)


def _detector() -> ContentDetector:
    # Merging flashes, the default mode, would report cuts late.
    return ContentDetector(filter_mode=FlashFilter.Mode.SUPPRESS)


def _past(skipped: Staged, motion: Motion | None) -> Motion | None:
    """Return the motion across a skipped frame; None if either starts a shot, or has none."""
    if motion is None or skipped.motion is None:
        return None
    if skipped.frames_skipped >= _MOST_CHAINED:
        return still(motion.flow.shape)
    return chained(motion, skipped.motion)
