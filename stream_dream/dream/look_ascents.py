"""The ascents of several looks, built and traced before they are needed, in bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from stream_dream.dream.ascent import Ascended, Ascent
from stream_dream.dream.look_guides import LookGuides
from stream_dream.frame import Image8, ImageF, Shape
from stream_dream.runtime.scheduling import SpareTime, step_back
from stream_dream.settings.dream import DreamSettings

# Looks whose networks and traces are kept, those used last.
LOOKS_KEPT = 8


class LookAscents:
    """Ascents of looks by number; one that is not kept is built again.

    Attributes:
        spare: Marks when an ascent leaves a core idle; see ``Ascent``.
        dreams: A dream function for each look.
    """

    def __init__(self, looks: Sequence[DreamSettings], varying: Collection[str] = ()) -> None:
        """Store the looks; each is built when it is prepared, or dreamed for the first time.

        ``varying`` names the settings that change from frame to frame; see ``Ascent``.
        """
        self.spare = SpareTime()
        self._looks, self._varying = looks, varying
        self._ascents: OrderedDict[int, Ascent] = OrderedDict()
        self._lock = threading.Lock()
        self._building = threading.RLock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        # The look and number of octaves that the thread prepares.
        self._begun: tuple[int, int] | None = None
        self._changed = threading.Condition()
        self.dreams = [_Look(self, number) for number in range(len(looks))]

    def of(self, look: int) -> Ascent:
        """Return the ascent of a look.

        Raises:
            NetworkError, SettingsError: It cannot be built.
        """
        with self._lock:
            if look in self._ascents:
                self._ascents.move_to_end(look)
                return self._ascents[look]
        with self._building:
            if look not in self._ascents:
                ascent = Ascent(self._looks[look], self._varying, spare=self.spare)
                with self._lock:
                    self._ascents[look] = ascent
                    while len(self._ascents) > LOOKS_KEPT:
                        self._ascents.popitem(last=False)
            return self._ascents[look]

    def guided(self, guides: Sequence[Iterator[Image8]]) -> LookGuides:
        """Return what shows looks their guides, from the guide images of each look."""
        return LookGuides(lambda look: self.of(look).guide, guides)

    def prepare(self, wanted: Sequence[tuple[int, int]], shape: Shape) -> None:
        """Build and trace looks now.

        Args:
            wanted: Pairs of a look's number and a number of octaves.
            shape: (height, width) of the frames at dream size.
        """
        for look, octaves in wanted:
            self.await_prepared(look, octaves)
            self.of(look).prepare(shape, octaves)

    def prepare_later(self, wanted: Sequence[tuple[int, int]], shape: Shape) -> None:
        """Build and trace looks in a thread of low priority, unless one is at work already.

        Those of them that are there already are kept rather than others. The first comes first.
        """
        with self._lock:
            for look, _ in reversed(wanted):
                if look in self._ascents:
                    self._ascents.move_to_end(look)
        if self._thread is not None and self._thread.is_alive():
            return
        missing = [
            (look, octaves) for look, octaves in wanted if not self._has(look, octaves, shape)
        ]
        if missing:
            self._thread = threading.Thread(
                target=self._prepare_quietly, args=(missing, shape), name="looks", daemon=True
            )
            self._thread.start()

    def await_prepared(self, look: int, octaves: int) -> None:
        """Wait if the thread prepares just this: two would trace it no sooner."""
        with self._changed:
            self._changed.wait_for(lambda: self._begun != (look, octaves))

    def close(self) -> None:
        """Stop the thread, after the look that it is at, and wait for it.

        TensorFlow aborts if a thread still traces when the process exits.
        """
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _has(self, look: int, octaves: int, shape: Shape) -> bool:
        with self._lock:
            ascent = self._ascents.get(look)
        return ascent is not None and ascent.is_ready(shape, octaves)

    def _prepare_quietly(self, wanted: Sequence[tuple[int, int]], shape: Shape) -> None:
        step_back()
        for look, octaves in wanted:
            if self._closing.is_set():
                return
            self._begin((look, octaves))
            try:
                self.of(look).prepare(shape, octaves)
            except Exception:
                return  # dreaming the look raises it again, where somebody hears it
            finally:
                self._begin(None)

    def _begin(self, work: tuple[int, int] | None) -> None:
        with self._changed:
            self._begun = work
            self._changed.notify_all()


class _Look:
    """The dream function of a look, whose ascent may be built again."""

    def __init__(self, ascents: LookAscents, number: int) -> None:
        self._ascents, self._number = ascents, number

    def __call__(
        self,
        source: ImageF,
        carried: ImageF,
        *,
        index: int,
        rng: np.random.Generator,
        settings: DreamSettings,
    ) -> Ascended:
        self._ascents.await_prepared(self._number, settings.octaves)
        ascent = self._ascents.of(self._number)
        return ascent(source, carried, index=index, rng=rng, settings=settings)

    def begin(
        self, source: ImageF, *, index: int, rng: np.random.Generator, settings: DreamSettings
    ) -> ImageF:
        """Return the first residual of a shot."""
        ascent = self._ascents.of(self._number)
        return ascent.begin(source, index=index, rng=rng, settings=settings)
