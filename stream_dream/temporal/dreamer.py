"""The dreamer of videos: carries the residual from frame to frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.moment import Moment
from stream_dream.frame import Flow, Frame, FrameReport, Image8, Image16, ImageF, Mask8
from stream_dream.hdr import add_residual_to_hdr
from stream_dream.image import AnyImage, add_residual, deep_image, fit_size, resize, to_float
from stream_dream.settings.dream import DreamSettings
from stream_dream.temporal.carry import Carry
from stream_dream.temporal.flow import FlowEstimator, Motion
from stream_dream.temporal.growth import Growth
from stream_dream.temporal.state_file import Arrays, read_state, write_state
from stream_dream.temporal.visibility import in_frame
from stream_dream.tone import Headroom

_STATE_VERSION = 2
# A frame advances the phase by this over its cadence; each whole one is an ascent. It is a multiple
# of all cadences, so that the cadence may change within a shot.
_ASCENT = 840


class DreamFunction(Protocol):
    """Dreams one frame from a given start, as ``dream.ascent.Ascent`` does."""

    def __call__(
        self,
        source: ImageF,
        carried: ImageF,
        *,
        index: int,
        rng: np.random.Generator,
        settings: DreamSettings,
    ) -> tuple[ImageF, float]:
        """Return the new residual and the loss, from the source and the carried residual.

        ``index`` counts the ascents of the shot, and ``settings`` are those of the frame.
        """


@runtime_checkable
class ShotDreamer(DreamFunction, Protocol):
    """Dreams frames, and finishes the first dream of a shot."""

    def begin(
        self, source: ImageF, *, index: int, rng: np.random.Generator, settings: DreamSettings
    ) -> ImageF:
        """Return the first residual of a shot."""


class Prepared(NamedTuple):
    """A frame whose motion is known.

    Attributes:
        frame: The frame.
        small: Its image at dream size, uint8 RGB.
        source: The same as float32 in [0, 1].
        room: How far each value may be changed; None without a limit.
        carry: Moves the previous residual to this frame; None where a shot starts.
        visible_share: Share of the frame that the previous frame shows too, 0..1.
        seconds: Time to resize the frame and find its motion.
        visible: How far the previous frame shows each point too, float32 (height, width) in
            [0, 1]; None where a shot starts.
    """

    frame: Frame
    small: Image8
    source: ImageF
    room: Headroom | None
    carry: Carry | None
    visible_share: float
    seconds: float
    visible: NDArray[np.float32] | None = None


class Dreamed(NamedTuple):
    """A frame whose residual is known.

    Attributes:
        frame: The source frame.
        residual: Dream minus source at dream size, float32 in [-1, 1].
        report: Timings, loss and cut of the frame.
        mask: Where to show the dream, uint8 (height, width) of the frame, if that goes with it.
        visible: That of ``Prepared``.
    """

    frame: Frame
    residual: ImageF
    report: FrameReport
    mask: Mask8 | None = None
    visible: NDArray[np.float32] | None = None

    def compose(
        self,
        size: tuple[int, int] | None = None,
        mask: Mask8 | None = None,
        *,
        strength: float = 1.0,
    ) -> Image8:
        """Return the dream, ``clip(source + mask * strength * residual)``, uint8 RGB.

        The residual also grows where the mask hides it: a moving mask uncovers a grown dream.

        Args:
            size: (width, height) of the result; that of the source by default.
            mask: Opacity of the dream, uint8 (height, width) of the result; opaque by default.
            strength: Factor of the whole residual, 0..2.
        """
        return self._composed(self.frame.image, size, mask, strength)

    def compose_deep(
        self,
        size: tuple[int, int] | None = None,
        mask: Mask8 | None = None,
        *,
        strength: float = 1.0,
    ) -> Image16:
        """Return the dream as ``compose`` does, but in 16 bits: the source's depth and HDR stay."""
        image, hdr = deep_image(self.frame), self.frame.hdr
        if hdr is None:
            return self._composed(image, size, mask, strength)
        sdr = self.frame.image
        if size is not None:
            image, sdr = resize(image, size), resize(sdr, size)
        return add_residual_to_hdr(image, sdr, self.residual, mask, hdr=hdr, strength=strength)

    def _composed(
        self, image: AnyImage, size: tuple[int, int] | None, mask: Mask8 | None, strength: float
    ) -> AnyImage:
        if size is not None:
            image = resize(image, size)
        return add_residual(image, self.residual, mask, strength=strength)


class _State(NamedTuple):
    """What a dreamer knows after a frame."""

    rng: np.random.Generator
    phase: int
    ascents: int
    residual: ImageF | None
    source: Image8 | None
    velocity: ImageF | None
    age: NDArray[np.float32] | None


class TemporalDreamer:
    """Dreams frame after frame, each seeded with the dream of the previous one.

    For every frame, at dream size,

        ``carried = persistence * weight * warp(residual)``
        ``change = dream(source, carried) - carried``
        ``residual = carried + growth(change)``

    where ``weight`` is 1 on points that the previous frame shows too and less on others, depending
    on how alike they look; ``growth`` is that of ``temporal.growth``; and the output is
    ``clip(source + resize(residual))`` at the source's size. With a cadence of N only every Nth
    frame of a shot has an ascent; in between the dream keeps growing. All settings may differ from
    frame to frame.

    Call it with frames in order. Or call ``prepare``, ``ascend`` and ``Dreamed.compose`` in threads
    of their own, each in order, to find the motion of a frame while another is dreamed: the result
    is the same.

    Attributes:
        report: Timings, loss and cut of the last frame.
    """

    def __init__(
        self,
        dream: DreamFunction | Sequence[DreamFunction],
        settings: DreamSettings,
        *,
        moments: Callable[[int], Moment] | None = None,
        pixel_aspect: Fraction = Fraction(1),
        looping: bool = False,
    ) -> None:
        """Create a dreamer with no state.

        Args:
            dream: Dreams one frame; one dream function for each look of ``moments``.
            settings: ``dream_size``, ``enlarge`` and ``seed`` hold for all frames.
            moments: Returns the look and settings of a frame by its index, of which
                ``persistence``, ``cadence``, ``warm_up``, ``momentum``, ``limit``,
                ``keep_colours`` and those of ``Growth`` are used here; called from several
                threads. By default ``settings`` hold for all frames.
            pixel_aspect: Width over height of the frames' pixels; dreams have square ones.
            looping: True for frames that repeat: randomness then depends on the index alone.
        """
        self.report: FrameReport | None = None
        self._dreams = [dream] if callable(dream) else list(dream)
        self._settings = settings
        always = Moment.still(settings)
        self._moment_of = moments or (lambda index: always)
        self._pixel_aspect = float(pixel_aspect)
        self._looping = looping
        self._rng = np.random.default_rng(settings.seed)
        self._estimate = FlowEstimator()
        self._newest_shape: tuple[int, ...] | None = None
        self._growth = Growth(settings)
        self._residual: ImageF | None = None
        self._source: Image8 | None = None
        self._phase = self._ascents = 0
        self.reset()

    def __call__(self, frame: Frame, flow: Flow | None = None) -> Frame:
        """Dream a frame, at its own size.

        Args:
            frame: The next frame; its ``cut`` resets the dream.
            flow: The known flow to the previous frame, float32 (height, width, 2), in pixels of
                this frame; estimated by default.
        """
        dreamed = self.ascend(self.prepare(frame, flow))
        self.report = dreamed.report
        return Frame(dreamed.compose(), frame.index, frame.time, frame.cut)

    def reset(self) -> None:
        """Clear the state: the next frame starts a shot."""
        self._estimate.reset()
        self._newest_shape = None
        self._begin_shot()

    def prepare(self, frame: Frame, flow: Flow | None = None) -> Prepared:
        """Resize a frame to dream size and find its motion; may run ahead of ``ascend``."""
        begun = time.perf_counter()
        height, width = frame.image.shape[:2]
        display = (width * self._pixel_aspect, float(height))
        settings = self._settings
        small = resize(
            frame.image, fit_size(display, settings.dream_size, enlarged=settings.enlarge)
        )
        begins_shot = frame.cut or small.shape != self._newest_shape
        self._newest_shape = small.shape
        if begins_shot:
            self._estimate.reset()
        if flow is None:
            motion = self._estimate(small)
        else:
            self._estimate.reset(small)
            motion = None if begins_shot else _known_motion(flow, (height, width), small)
        source, fade = to_float(small), self._moment_of(frame.index).fade
        return Prepared(
            frame=frame,
            small=small,
            source=source,
            room=fade.room(source),
            carry=None if motion is None else Carry(motion, fade.growth().persistence),
            visible_share=0.0 if motion is None else float(motion.visible.mean()),
            seconds=time.perf_counter() - begun,
            visible=None if motion is None else motion.visible,
        )

    def ascend(self, prepared: Prepared) -> Dreamed:
        """Dream a prepared frame."""
        begun, index = time.perf_counter(), prepared.frame.index
        if prepared.carry is None:
            self._begin_shot()
        if self._looping:
            self._rng = np.random.default_rng((self._settings.seed, index))
            if index == 0:
                self._phase = self._ascents = 0
        moment = self._moment_of(index)
        self._growth.settings = growth = moment.fade.growth()
        if prepared.carry is None or self._residual is None:
            carried = self._begun(prepared.source, moment)
        else:
            carried = prepared.carry(self._residual)
            self._growth.move(prepared.carry)
        loss = None
        if self._phase >= self._ascents * _ASCENT:
            ascended, loss = self._dreams[moment.look](
                prepared.source,
                carried,
                index=self._ascents,
                rng=self._rng,
                settings=moment.dream,
            )
            self._growth.push(ascended - carried, growth.momentum)
            self._ascents += 1
        self._phase += _ASCENT // growth.cadence
        residual = self._growth.grow(carried, prepared.source, prepared.room)
        self._residual, self._source = residual, prepared.small
        report = FrameReport(
            index=index,
            seconds={"flow": prepared.seconds, "ascent": time.perf_counter() - begun},
            loss=loss,
            visible_share=prepared.visible_share,
            cut=prepared.frame.cut,
        )
        return Dreamed(prepared.frame, residual, report, visible=prepared.visible)

    def save(self, path: Path | str) -> None:
        """Write the state after the last dreamed frame to a NumPy ``.npz`` file.

        A dreamer of the same settings continues from it with identical frames.
        """
        state = {
            "version": _STATE_VERSION,
            "phase": self._phase,
            "ascents": self._ascents,
            "rng": self._rng.bit_generator.state,
        }
        arrays: dict[str, Any] = {}
        if self._residual is not None and self._source is not None:
            arrays |= {"residual": self._residual, "source": self._source}
            growth = {"velocity": self._growth.velocity, "age": self._growth.age}
            arrays |= {name: array for name, array in growth.items() if array is not None}
        write_state(path, state, arrays)

    def restore(self, path: Path | str) -> None:
        """Continue from a saved state.

        Raises:
            SettingsError: The file was not written by ``save``; the dreamer's state is unchanged.
        """
        state = read_state(path, _STATE_VERSION, self._parsed)
        self.reset()
        self._rng, self._phase, self._ascents = state.rng, state.phase, state.ascents
        self._growth.velocity, self._growth.age = state.velocity, state.age
        self._residual, self._source = state.residual, state.source
        if state.source is not None:
            self._estimate.reset(state.source)
            self._newest_shape = state.source.shape

    def _parsed(self, state: dict[str, Any], arrays: Arrays) -> _State:
        rng = np.random.default_rng()
        rng.bit_generator.state = state["rng"]
        if "index" in state:  # of a version whose cadence never changed
            each = self._settings.cadence
            state |= {"phase": state["index"] * _ASCENT // each}
            state |= {"ascents": -(-state["index"] // each)}
        residual, source = arrays.get("residual"), arrays.get("source")
        velocity, age = arrays.get("velocity"), arrays.get("age")
        if residual is not None:
            if source is None or source.dtype != np.uint8 or source.shape != residual.shape:
                raise ValueError("its source and residual do not fit")
            if age is None or (velocity is not None and velocity.shape != source.shape):
                raise ValueError("its residual and velocity do not fit")
        phase, ascents = int(state["phase"]), int(state["ascents"])
        return _State(rng, phase, ascents, residual, source, velocity, age)

    def _begun(self, source: ImageF, moment: Moment) -> ImageF:
        """Return the first residual of a shot."""
        dream, settings = self._dreams[moment.look], moment.dream
        if settings.warm_up and isinstance(dream, ShotDreamer):
            self._growth.begin(source.shape[:2], finished=True)
            return dream.begin(source, index=self._ascents, rng=self._rng, settings=settings)
        self._growth.begin(source.shape[:2], finished=False)
        return np.zeros_like(source)

    def _begin_shot(self) -> None:
        # Randomness restarts as well: a shot does not depend on earlier ones.
        self._rng = np.random.default_rng(self._settings.seed)
        if not self._looping:
            self._phase = self._ascents = 0
        self._growth.reset()
        self._residual = None
        self._source = None


def _known_motion(flow: Flow, shape: tuple[int, int], small: Image8) -> Motion:
    """Scale a known flow to dream size; points within the previous frame count as visible."""
    if flow.shape != (*shape, 2):
        raise ValueError(f"flow has the shape {flow.shape}, the frame needs {(*shape, 2)}")
    height, width = small.shape[:2]
    scale = np.array([width / shape[1], height / shape[0]], np.float32)
    scaled = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) * scale
    visible = in_frame(scaled).astype(np.float32)
    return Motion(scaled.astype(np.float32), visible, alike=visible)
