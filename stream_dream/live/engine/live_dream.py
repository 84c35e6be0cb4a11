"""The dream of a show: settings adapted to it, and looks that fade into each other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from stream_dream.automation.look_track import follows
from stream_dream.automation.moment import Fade
from stream_dream.frame import ImageF, Shape
from stream_dream.live.control.controls import Controls
from stream_dream.live.engine.compiled_looks import CompiledLooks
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import MOST_OCTAVES, LiveParameters

if TYPE_CHECKING:
    from stream_dream.dream.ascent import Ascent

_MOST_STEPS = 2
# Factor on a film's ``catch_up``: a show's ascents are fewer, each of one octave.
_CATCH_UP = 8 / 3
# Ascents of a show over which a dream decays as much as over one frame of a film.
_ASCENTS_OF_A_FRAME = 3


def for_live(dream: DreamSettings) -> DreamSettings:
    """Return the settings of a film adapted to a show; see ``step_factor``.

    One octave a frame, in turn, is what time allows; all of them together in every fourth frame
    cost as much and grow more slowly (measured). There is no warm-up: on a stage, a picture that
    stands still for a dozen rounds is worse than a dream that catches up in a second.
    """
    values: dict[str, object] = {
        "warm_up": 0,
        "cadence": 1,
        "catch_up": dream.catch_up * _CATCH_UP,
        "tile": None,
        "steps": min(dream.steps, _MOST_STEPS),
        "octaves": min(dream.octaves, MOST_OCTAVES),
        "step_size": min(0.2, dream.step_size * step_factor(dream)),
    }
    if dream.schedule == "together":
        values["schedule"] = "rotate"
    return dream.model_copy(update=values)


def step_factor(dream: DreamSettings) -> float:
    """Return the ratio of a show's step size to that of the film with these settings.

    Octaves in turn take longer steps than octaves together, by the root of their number. Still
    longer steps add noise, and no strength to the dream (measured).
    """
    octaves = min(dream.octaves, MOST_OCTAVES)
    return math.sqrt(octaves) if dream.schedule == "together" else 1.0


def lasting(persistence: float) -> float:
    """Return the share of a dream that survives an ascent, from that of a film's frame (0..1)."""
    return float(persistence ** (1 / _ASCENTS_OF_A_FRAME))


class LiveDream:
    """Ascends on each frame with the current look and parameters.

    During a cross-fade, ascents of both looks alternate in proportion to their shares; the carried
    residual mixes them.
    """

    def __init__(
        self,
        looks: CompiledLooks,
        controls: Controls,
        *,
        changed: Callable[[DreamSettings], DreamSettings] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with the look that is traced first.

        Args:
            looks: Looks that can be dreamed.
            controls: Parameters and look that the operators ask for.
            changed: Returns the settings of a look as a score and sound change them now; None if
                nothing does.
            clock: Returns the time in seconds.
        """
        self._looks, self._controls, self._clock = looks, controls, clock
        self._changed = changed or (lambda dream: dream)
        self._in_use = looks.first
        self._fading: str | None = None
        self._begun = 0.0

    def __call__(
        self,
        source: ImageF,
        carried: ImageF,
        *,
        index: int,
        rng: np.random.Generator,
        settings: DreamSettings,
    ) -> tuple[ImageF, float]:
        """Ascend on one frame; see ``temporal.dreamer.DreamFunction``."""
        parameters, shape = self._controls.parameters(), source.shape[:2]
        self._looks.want(self._controls.look, shape, parameters.octaves)
        chosen = self._choose(shape, parameters, index)
        if chosen is None:
            return carried, 0.0  # nothing is ready at this shape: the dream fades until it is
        look, ascent, octaves = chosen
        values = {"step_size": parameters.step_size, "jitter": parameters.jitter}
        now = self._changed(self._looks.settings[look])
        settings = now.model_copy(update={**values, "octaves": octaves})
        residual, loss = ascent(source, carried, index=index, rng=rng, settings=settings)
        return residual, loss

    def fade(self) -> Fade:
        """Return the progress of the present cross-fade; thread-safe."""
        before = self._changed(self._looks.settings[self._in_use])
        fading, glide = self._fading, self._controls.target.glide
        if fading is None or glide == 0:
            return Fade(before, before, 1.0)
        share = min(1.0, (self._clock() - self._begun) / glide)
        return Fade(before, self._changed(self._looks.settings[fading]), share)

    def can_dream(self, shape: Shape) -> bool:
        """Return True if the current look is traced for a shape."""
        octaves = self._controls.target.octaves
        now = self._best(self._controls.look, shape, octaves)
        return now is not None or self._best(self._in_use, shape, octaves) is not None

    def _choose(
        self, shape: Shape, parameters: LiveParameters, index: int
    ) -> tuple[str, Ascent, int] | None:
        """Return look, ascent and octaves for this frame; None if no look is ready."""
        name = self._controls.look
        now = self._best(name, shape, parameters.octaves)
        before = self._best(self._in_use, shape, parameters.octaves)
        if now is None or name == self._in_use:
            self._fading = None
            return now or before
        if self._fading != name:  # it became ready or was selected only now
            self._begun, self._fading = self._clock(), name
        passed = self._clock() - self._begun
        if before is None or passed >= parameters.glide:
            self._in_use, self._fading = name, None
            return now
        return now if follows(passed / parameters.glide, index) else before

    def _best(self, look: str, shape: Shape, octaves: int) -> tuple[str, Ascent, int] | None:
        """Return a look and its ascent with as many octaves as are ready, at most those wanted."""
        for count in range(octaves, 0, -1):
            ascent = self._looks.ready(look, shape, count)
            if ascent is not None:
                return look, ascent, count
        return None
