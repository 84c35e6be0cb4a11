"""The looks of a show: each ready at every size of the ladder before it is used."""

from __future__ import annotations

import logging
import math
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_dream.frame import ImageF
from stream_dream.live.controls import Controls
from stream_dream.priority import step_back
from stream_dream.quiet import hushed
from stream_dream.settings import DreamSettings

if TYPE_CHECKING:
    from stream_dream.dream.ascent import Ascent

log = logging.getLogger("stream_dream.live")

Shape = tuple[int, int]
_PATIENCE = 0.2


class _Wanted(NamedTuple):
    """What has to be traced: a look, an image (height, width), a number of octaves."""

    look: str
    shape: Shape
    octaves: int


def for_live(dream: DreamSettings) -> DreamSettings:
    """Turn the settings of a film into those of a show.

    One octave a frame, in turn, is what a frame's time allows; its step is longer in return: by the
    root of their number, or bright spots burn out (looked at). Nothing is warmed up: a picture that
    stands still for a dozen rounds is worse on a stage than a dream that fades in.
    """
    values: dict[str, object] = {"warm_up": 0, "tile": None, "steps": min(dream.steps, 2)}
    if dream.schedule == "together":
        values["schedule"] = "rotate"
        values["step_size"] = min(0.2, dream.step_size * math.sqrt(dream.octaves))
    return dream.model_copy(update=values)


class Looks:
    """Builds the looks, and traces what they need, in a thread of its own.

    Tracing takes about a second for every size and octave. What is in use comes first.

    Attributes:
        error: Why a look cannot be had; None while all is well.
    """

    def __init__(self, looks: Mapping[str, DreamSettings], first: str) -> None:
        """Build the first look at once; the others follow.

        Raises:
            NetworkError, SettingsError: A look cannot be dreamed.
        """
        self._settings = dict(looks)
        self._ascents: dict[str, Ascent] = {first: _ascent(self._settings[first])}
        self._shapes: list[Shape] = []
        self._octaves = self._settings[first].octaves
        self._first = first
        self._ready_now: tuple[str, ...] = ()
        self.error: str | None = None
        self._lock = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="looks", daemon=True)

    @property
    def traces(self) -> int:
        """How many times TensorFlow has traced an ascent."""
        return sum(ascent.traces for ascent in list(self._ascents.values()))

    @property
    def ready_now(self) -> tuple[str, ...]:
        """The looks that can be dreamed at every size, in their order."""
        return self._ready_now

    def begin(self, shapes: Sequence[Shape]) -> None:
        """Make the first look ready at the first shape; then, in a thread, all at all shapes.

        Args:
            shapes: (height, width) of the dreams, the one to begin with first.
        """
        self._shapes = list(shapes)
        self._ascents[self._first].prepare(shapes[0], self._octaves)
        self._thread.start()

    def want(self, look: str, octaves: int) -> None:
        """Say what is in use now, so that it is made ready first."""
        if (look, octaves) == (self._first, self._octaves):
            return
        with self._lock:
            self._first, self._octaves = look, octaves
            self._lock.notify()

    def ready(self, look: str, shape: Shape, octaves: int) -> Ascent | None:
        """Return what dreams a look; None where it would have to be traced first."""
        ascent = self._ascents.get(look)
        return ascent if ascent is not None and ascent.is_ready(shape, octaves) else None

    def is_ready_at(self, shape: Shape) -> bool:
        """Tell whether what is in use can be dreamed at a shape."""
        return self.ready(self._first, shape, self._octaves) is not None

    def close(self) -> None:
        """End the thread, after what it is tracing: that may take a second, and is not waited for.

        See ``join``.
        """
        with self._lock:
            self._stopped = True
            self._lock.notify()
        self.join(_PATIENCE)

    def join(self, seconds: float) -> bool:
        """Wait for the thread; False where it still works, and the process cannot end as usual."""
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _is_ready(self, look: str) -> bool:
        octaves = self._octaves_of(look)
        return all(self.ready(look, shape, octaves) is not None for shape in self._shapes)

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
            self._ready_now = tuple(filter(self._is_ready, list(self._settings)))
            if wanted is None:
                continue
            try:
                self._prepare(wanted)
            except Exception as error:  # one look less, not the end of the show
                log.warning("look %s cannot be used: %s", wanted.look, error)
                self.error = f"look {wanted.look} cannot be used: {error}"
                self._settings.pop(wanted.look, None)

    def _prepare(self, wanted: _Wanted) -> None:
        if wanted.look not in self._ascents:
            self._ascents[wanted.look] = _ascent(self._settings[wanted.look])
        self._ascents[wanted.look].prepare(wanted.shape, wanted.octaves)

    def _next(self) -> _Wanted | None:
        """Return what is to be traced next; None where all is ready."""
        others = [name for name in list(self._settings) if name != self._first]
        for look in (self._first, *others):
            for shape in self._shapes:
                octaves = self._octaves_of(look)
                if look in self._settings and self.ready(look, shape, octaves) is None:
                    return _Wanted(look, shape, octaves)
        return None


class LiveDream:
    """Dreams each frame with the look and the parameters of the moment.

    While a look fades in, frames of both looks alternate, in the shares that they have: what is
    carried from frame to frame mixes them.
    """

    def __init__(self, looks: Looks, controls: Controls) -> None:
        """Begin with the look of the controls."""
        self._looks, self._controls = looks, controls
        self._in_use = controls.look().name
        self._owed = 0.0

    def __call__(
        self, source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
    ) -> tuple[ImageF, float]:
        """Ascend on one frame; see ``temporal.dreamer.DreamFunction``."""
        parameters, shape = self._controls.parameters(), source.shape[:2]
        self._looks.want(self._controls.look().name, parameters.octaves)
        for octaves in range(parameters.octaves, 0, -1):
            ascent = self._choose(shape, octaves)
            if ascent is not None:
                break
        else:
            return carried, 0.0
        ascent.change(step_size=parameters.step_size, jitter=parameters.jitter, octaves=octaves)
        residual, loss = ascent(source, carried, index=index, rng=rng)
        return residual, loss

    def _choose(self, shape: Shape, octaves: int) -> Ascent | None:
        """Return what dreams this frame, of the looks that are ready; None if none is."""
        look = self._controls.look()
        now = self._looks.ready(look.name, shape, octaves)
        before = self._looks.ready(self._in_use, shape, octaves)
        if now is None:
            return before
        if look.share >= 1:
            self._in_use = look.name
        if before is None or self._in_use == look.name:
            return now
        self._owed += look.share
        if self._owed < 1:
            return before
        self._owed -= 1
        return now


def _ascent(settings: DreamSettings) -> Ascent:
    if "tensorflow" in sys.modules:
        from stream_dream.dream.ascent import Ascent
    else:
        with hushed():
            from stream_dream.dream.ascent import Ascent
    return Ascent(settings)
