"""Looks of a show, each traced at every size of the ladder before it is used."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_dream.frame import ImageF
from stream_dream.live.control.controls import Controls
from stream_dream.media.read.guide import guide_images
from stream_dream.runtime.quiet import hushed
from stream_dream.runtime.scheduling import step_back
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import MOST_OCTAVES, LiveParameters
from stream_dream.tone import Headroom, room_between, room_of

if TYPE_CHECKING:
    from stream_dream.dream.ascent import Ascent

log = logging.getLogger("stream_dream.live")

Shape = tuple[int, int]  # height, width
# Growth settings that are interpolated during a cross-fade.
_GLIDING = ("evenness", "catch_up", "momentum")
_PATIENCE = 0.2
_MOST_STEPS = 2
# Factor on a film's ``catch_up``: a show's ascents are fewer, each of one octave.
_CATCH_UP = 8 / 3
# Ascents of a show over which a dream decays as much as over one frame of a film.
_ASCENTS_OF_A_FRAME = 3


class _Wanted(NamedTuple):
    """A trace to make: look, image (height, width), number of octaves."""

    look: str
    shape: Shape
    octaves: int


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


class Fade(NamedTuple):
    """A cross-fade between two looks; ``before is after`` if there is none, ``share`` is 0..1."""

    before: DreamSettings
    after: DreamSettings
    share: float

    def growth(self) -> DreamSettings:
        """Return the interpolated settings for ``temporal.growth``."""
        if self.before is self.after:
            return self.after
        pairs = ((name, getattr(self.before, name), getattr(self.after, name)) for name in _GLIDING)
        values = {name: now + self.share * (then - now) for name, now, then in pairs}
        return self.after.model_copy(update=values)

    def room(self, source: ImageF) -> Headroom | None:
        """Return how far a picture, float32 (height, width, 3) in [0, 1], may be changed."""
        after = room_of(source, self.after.limit, grey=self.after.keep_colours)
        if self.before is self.after:
            return after
        before = room_of(source, self.before.limit, grey=self.before.keep_colours)
        return room_between(before, after, self.share, source)


class CompiledLooks:
    """Builds and traces the looks in a thread, those in use first.

    Tracing takes about a second for every size and octave.

    Attributes:
        settings: Settings of all looks, including failed ones.
        ready_now: Looks that can be dreamed at every size, in their order.
        error: Why a look cannot be dreamed; None if all can.
        on_failure: Called with the name of a look that cannot be dreamed.
    """

    def __init__(self, looks: Mapping[str, DreamSettings], first: str) -> None:
        """Build the first look; the others follow. Raises ``NetworkError`` or ``SettingsError``."""
        self.settings = dict(looks)
        self._settings = dict(looks)
        self._ascents: dict[str, Ascent] = {first: _ascent(self._settings[first])}
        self._shapes: list[Shape] = []
        self._octaves = self._settings[first].octaves
        self._first = first
        self._in_use: Shape | None = None
        self.ready_now: tuple[str, ...] = ()
        self.on_failure: Callable[[str], None] = lambda look: None
        self.error: str | None = None
        self._lock = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="looks", daemon=True)

    @property
    def traces(self) -> int:
        """Number of TensorFlow traces of all ascents."""
        return sum(ascent.traces for ascent in list(self._ascents.values()))

    def begin(self, shapes: Sequence[Shape]) -> None:
        """Start the thread: trace the first look at the first shape, then all looks at all."""
        self._shapes = list(shapes)
        self._thread.start()

    def reshape(self, shapes: Sequence[Shape]) -> None:
        """Trace all looks at other shapes, the one in use first."""
        with self._lock:
            self._shapes, self._in_use = list(shapes), None
            self._lock.notify()

    def want(self, look: str, shape: Shape, octaves: int) -> None:
        """Set the look, shape and octaves in use, which are traced first."""
        if (look, shape, octaves) == (self._first, self._in_use, self._octaves):
            return
        with self._lock:
            self._first, self._in_use, self._octaves = look, shape, octaves
            self._lock.notify()

    def ready(self, look: str, shape: Shape, octaves: int) -> Ascent | None:
        """Return the ascent of a look; None if it is not traced yet."""
        ascent = self._ascents.get(look)
        return ascent if ascent is not None and ascent.is_ready(shape, octaves) else None

    def is_ready(self, look: str, shape: Shape) -> bool:
        """Return True if a look is traced for a shape and its present number of octaves."""
        return self.ready(look, shape, self._octaves_of(look)) is not None

    def close(self) -> None:
        """Stop the thread, without waiting for its present trace (about a second); see ``join``."""
        with self._lock:
            self._stopped = True
            self._lock.notify()
        self.join(_PATIENCE)

    def join(self, seconds: float) -> bool:
        """Wait for the thread; return False if it still runs, which prevents a normal exit."""
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _is_ready(self, look: str) -> bool:
        return all(self.is_ready(look, shape) for shape in list(self._shapes))

    def _octaves_of(self, look: str) -> int:
        return self._octaves if look == self._first else self._settings[look].octaves

    def _work(self) -> None:
        step_back()
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._stopped or self._next() is not None, _PATIENCE)
                wanted = self._next()
                if self._stopped:
                    return
            self.ready_now = tuple(filter(self._is_ready, list(self._settings)))
            if wanted is None:
                continue
            try:
                self._prepare(wanted)
            except Exception as error:  # the show goes on without this look
                log.warning("look %s cannot be used: %s", wanted.look, error)
                self.error = f"look {wanted.look} cannot be used: {error}"
                self._settings.pop(wanted.look, None)
                self.on_failure(wanted.look)

    def _prepare(self, wanted: _Wanted) -> None:
        if wanted.look not in self._ascents:
            self._ascents[wanted.look] = _ascent(self._settings[wanted.look])
        self._ascents[wanted.look].prepare(wanted.shape, wanted.octaves)

    def _next(self) -> _Wanted | None:
        """Return the next trace to make; None if there is none."""
        others = [name for name in list(self._settings) if name != self._first]
        in_use = [shape for shape in self._shapes if shape == self._in_use]
        for look in (self._first, *others):
            for shape in (*in_use, *self._shapes):
                octaves = self._octaves_of(look)
                if look in self._settings and self.ready(look, shape, octaves) is None:
                    return _Wanted(look, shape, octaves)
        return None


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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with the look that the controls have selected."""
        self._looks, self._controls, self._clock = looks, controls, clock
        self._in_use = controls.look().name
        self._fading: str | None = None
        self._begun = self._owed = 0.0

    def __call__(
        self, source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
    ) -> tuple[ImageF, float]:
        """Ascend on one frame; see ``temporal.dreamer.DreamFunction``."""
        parameters, shape = self._controls.parameters(), source.shape[:2]
        self._looks.want(self._controls.look().name, shape, parameters.octaves)
        chosen = self._choose(shape, parameters)
        if chosen is None:
            return carried, 0.0  # nothing is ready at this shape: the dream fades until it is
        ascent, octaves = chosen
        ascent.change(step_size=parameters.step_size, jitter=parameters.jitter, octaves=octaves)
        residual, loss = ascent(source, carried, index=index, rng=rng)
        return residual, loss

    def fade(self) -> Fade:
        """Return the progress of the present cross-fade; thread-safe."""
        before = self._looks.settings[self._in_use]
        fading, glide = self._fading, self._controls.target.glide
        if fading is None or glide == 0:
            return Fade(before, before, 1.0)
        share = min(1.0, (self._clock() - self._begun) / glide)
        return Fade(before, self._looks.settings[fading], share)

    def can_dream(self, shape: Shape) -> bool:
        """Return True if the current look is traced for a shape."""
        octaves = self._controls.target.octaves
        now = self._best(self._controls.look().name, shape, octaves)
        return now is not None or self._best(self._in_use, shape, octaves) is not None

    def _choose(self, shape: Shape, parameters: LiveParameters) -> tuple[Ascent, int] | None:
        """Return ascent and octaves for this frame; None if no look is ready."""
        name = self._controls.look().name
        now = self._best(name, shape, parameters.octaves)
        before = self._best(self._in_use, shape, parameters.octaves)
        if now is None or name == self._in_use:
            self._fading = None
            return now or before
        if self._fading != name:  # it became ready or was selected only now
            self._begun, self._owed = self._clock(), 0.0
            self._fading = name
        passed = self._clock() - self._begun
        if before is None or passed >= parameters.glide:
            self._in_use, self._fading = name, None
            return now
        self._owed += passed / parameters.glide
        if self._owed < 1:
            return before
        self._owed -= 1
        return now

    def _best(self, look: str, shape: Shape, octaves: int) -> tuple[Ascent, int] | None:
        """Return a look's ascent with as many octaves as are ready, at most those wanted."""
        for count in range(octaves, 0, -1):
            ascent = self._looks.ready(look, shape, count)
            if ascent is not None:
                return ascent, count
        return None


def _ascent(settings: DreamSettings) -> Ascent:
    if "tensorflow" in sys.modules:
        from stream_dream.dream.ascent import Ascent
    else:
        with hushed():
            from stream_dream.dream.ascent import Ascent
    ascent = Ascent(settings)
    if ascent.guide is not None and settings.guide is not None:
        ascent.guide.show(next(guide_images(settings.guide)))  # a clip's first picture
    return ascent
