"""Looks of a show, each traced at every size of the ladder before it is used."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from stream_dream.frame import Shape
from stream_dream.media.read.guide import guide_images
from stream_dream.runtime.quiet import hushed
from stream_dream.runtime.scheduling import step_back
from stream_dream.settings.dream import DreamSettings

if TYPE_CHECKING:
    from stream_dream.dream.ascent import Ascent

log = logging.getLogger("stream_dream.live")

_PATIENCE = 0.2


class _Wanted(NamedTuple):
    """A trace to make: look, image (height, width), number of octaves."""

    look: str
    shape: Shape
    octaves: int


class CompiledLooks:
    """Builds and traces the looks in a thread: those in use first, then all at the size in use.

    Tracing takes 1.2 s of one core for every size and octave (measured): two thirds to create a
    thousand operations in Python, one third for TensorFlow to optimise them. Beside a show that
    fills all cores it takes three times as long, as it has a lower priority.

    Attributes:
        settings: Settings of all looks, including failed ones.
        first: The look that is traced first.
        ready_now: Looks that can be dreamed at the size in use, in their order.
        error: Why a look cannot be dreamed; None if all can.
        on_failure: Called with the name of a look that cannot be dreamed.
    """

    def __init__(
        self, looks: Mapping[str, DreamSettings], first: str, varying: Collection[str] = ()
    ) -> None:
        """Build the first look; the others follow.

        Args:
            looks: Their settings, by name.
            first: The look to trace first.
            varying: Names of settings that change over time; see ``dream.ascent``.

        Raises:
            NetworkError, SettingsError: The first look cannot be dreamed.
        """
        self.settings = dict(looks)
        self._settings = dict(looks)
        self._varying = varying
        self._ascents: dict[str, Ascent] = {first: _ascent(self._settings[first], varying)}
        self._shapes: list[Shape] = []
        self.first = first
        self._wanted: tuple[tuple[str, int], ...] = ((first, self._settings[first].octaves),)
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

    @property
    def complete(self) -> bool:
        """True when there is nothing left to trace: the show has the whole machine."""
        with self._lock:
            return self._next() is None

    def ready_near(self, look: str, size: int) -> tuple[Shape, Ascent] | None:
        """Return the ascent of a look with the shape whose longer side is nearest to a size.

        Only shapes count that the look is traced at, with its own number of octaves; None if there
        is none yet.
        """
        octaves = self.settings[look].octaves
        for shape in sorted(self._shapes, key=lambda shape: abs(max(shape) - size)):
            if (ascent := self.ready(look, shape, octaves)) is not None:
                return shape, ascent
        return None

    def begin(self, shapes: Sequence[Shape]) -> None:
        """Start the thread: trace the first look at the first shape, then all looks at all."""
        self._shapes = list(shapes)
        self._thread.start()

    def reshape(self, shapes: Sequence[Shape]) -> None:
        """Trace all looks at other shapes, the one in use first."""
        with self._lock:
            self._shapes, self._in_use = list(shapes), None
            self._lock.notify()

    def want(self, looks: Sequence[tuple[str, int]], shape: Shape) -> None:
        """Set the looks in use, with their numbers of octaves, and the shape: traced first."""
        wanted = tuple(looks)
        if (wanted, shape) == (self._wanted, self._in_use):
            return
        with self._lock:
            self._wanted, self._in_use = wanted, shape
            self._lock.notify()

    def ready(self, look: str, shape: Shape, octaves: int) -> Ascent | None:
        """Return the ascent of a look; None if it is not traced yet."""
        ascent = self._ascents.get(look)
        return ascent if ascent is not None and ascent.is_ready(shape, octaves) else None

    def is_ready(self, look: str, shape: Shape) -> bool:
        """Return True if a look is traced for a shape and its present number of octaves."""
        return all(self.ready(look, shape, octaves) for octaves in self._octaves_of(look))

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
        return all(self.is_ready(look, shape) for shape in self._nearest(1))

    def _nearest(self, count: int) -> list[Shape]:
        """Return some shapes, the one in use first, then those near the one to begin with."""
        in_use = [shape for shape in self._shapes if shape == self._in_use]
        return list(dict.fromkeys([*in_use, *self._shapes]))[:count]

    def _octaves_of(self, look: str) -> list[int]:
        wanted = [octaves for name, octaves in self._wanted if name == look]
        return wanted or [self.settings[look].octaves]

    def _work(self) -> None:
        step_back()
        while True:
            with self._lock:
                if self._stopped:
                    return
                self.ready_now = tuple(filter(self._is_ready, self._settings))
                wanted = self._next()
                if wanted is None:
                    # For ``want``, ``reshape`` or ``close``: nothing else drops a trace, as an
                    # ascent keeps as many as it has sizes and octaves (see ``governor.ladder``).
                    self._lock.wait()
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
            self._ascents[wanted.look] = _ascent(self._settings[wanted.look], self._varying)
        self._ascents[wanted.look].prepare(wanted.shape, wanted.octaves)

    def _next(self) -> _Wanted | None:
        """Return the next trace to make; None if there is none.

        The looks in use come first, at the size in use and at the next smaller one, without which
        the governor could not hold the rate; then all looks at the size in use, so that they can be
        changed to; then the rest.
        """
        in_use = [name for name, _ in self._wanted]
        every = list(dict.fromkeys([*in_use, *list(self._settings)]))
        shapes = self._nearest(len(self._shapes))
        smaller = sorted((shape for shape in shapes if max(shape) < max(shapes[0])), key=max)[-1:]
        rounds = ((in_use, shapes[:1] + smaller), (every, shapes[:1]), (every, shapes))
        for looks, sizes in rounds:
            for look in looks:
                for shape in sizes:
                    for octaves in self._octaves_of(look):
                        if look in self._settings and self.ready(look, shape, octaves) is None:
                            return _Wanted(look, shape, octaves)
        return None


def _ascent(settings: DreamSettings, varying: Collection[str]) -> Ascent:
    if "tensorflow" in sys.modules:
        from stream_dream.dream.ascent import Ascent
    else:
        with hushed():
            from stream_dream.dream.ascent import Ascent
    ascent = Ascent(settings, varying)
    if ascent.guide is not None and settings.guide is not None:
        ascent.guide.show(next(guide_images(settings.guide)))  # a clip's first picture
    return ascent
