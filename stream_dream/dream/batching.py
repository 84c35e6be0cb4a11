"""Batches: frames of several shots dreamed in one TensorFlow call."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from stream_dream.dream.ascent import Ascended, Ascent, Start
from stream_dream.errors import SettingsError
from stream_dream.frame import ImageF, Shape
from stream_dream.settings.dream import DreamSettings


@dataclass(eq=False, slots=True)
class _Call:
    """A member's pending call, and its outcome."""

    start: Start
    settings: DreamSettings | None
    outcome: Ascended | BaseException | None = None

    def result(self) -> Ascended:
        if not isinstance(self.outcome, Ascended):
            raise self.outcome or RuntimeError("a call of a batch was left without a result")
        return self.outcome


class BatchedAscent:
    """Dreams frames of several shots in one TensorFlow call, each as ``Ascent`` would alone.

    For devices that one small call does not fill. Each shot is dreamed by its own thread, as a
    member of the batch: a call blocks until all members have called.

        batched = BatchedAscent(Ascent(settings), members=4)

        def dream_shot(frames):  # in its own thread
            with batched.member() as dream:
                dreamer = TemporalDreamer(dream, settings)
                ...

    Frames of the same shape, octaves and settings are computed together, differing ones group by
    group. With schedule ``rotate``, shots that start at different times are at different octaves.
    All members share one guide.
    """

    def __init__(self, ascent: Ascent, members: int) -> None:
        """Create a batch of at most ``members`` shots.

        Raises:
            ValueError: ``members`` is below 1.
        """
        if members < 1:
            raise ValueError(f"a batch of {members} members dreams nothing: give at least 1")
        self._ascent = ascent
        self._most = members
        self._changed = threading.Condition()
        self._at_work = 0
        self._waiting: list[_Call] = []

    @contextmanager
    def member(self) -> Iterator[BatchedAscent]:
        """Join the batch until the block exits.

        The other members wait for each of its frames: enter when the first one is decoded.

        Yields:
            A dream function, called like an ``Ascent``, by one thread at a time.

        Raises:
            RuntimeError: The batch is full.
        """
        with self._changed:
            if self._at_work == self._most:
                raise RuntimeError(f"all {self._most} members of the batch are at work")
            self._at_work += 1
        try:
            yield self
        finally:
            with self._changed:
                self._at_work -= 1
                # The others may have been waiting for this member only.
                self._changed.notify_all()

    def begin(
        self,
        source: ImageF,
        *,
        index: int,
        rng: np.random.Generator,
        settings: DreamSettings | None = None,
    ) -> ImageF:
        """Return the first residual of a shot, as ``Ascent`` does, without waiting for members."""
        return self._ascent.begin(source, index=index, rng=rng, settings=settings)

    def __call__(
        self,
        source: ImageF,
        carried: ImageF,
        *,
        index: int,
        rng: np.random.Generator,
        settings: DreamSettings | None = None,
    ) -> Ascended:
        """Ascend from ``clip(source + carried)`` once all members have called.

        Raises:
            SettingsError: The frame is dreamed in tiles.
            Exception: Any failure of the batch's call, raised in all members.
        """
        call = _Call(Start(source, carried, index, rng), settings)
        if self._ascent.is_tiled(call.start.shape):
            height, width = call.start.shape
            raise SettingsError(
                f"a dream of {width}x{height} pixels is computed in tiles, which cannot be "
                "batched: dream smaller, in larger tiles, or one shot at a time"
            )
        due: list[_Call] = []
        try:
            self._wait(call, due)
            for group in self._groups(due):
                starts, places = [member.start for member in group], self._places(len(group))
                self._answer(group, self._ascent.ascend_all(starts, places, group[0].settings))
        except BaseException as error:
            self._fail(due or [call], error)
            raise
        return call.result()

    def _wait(self, call: _Call, due: list[_Call]) -> None:
        """Wait for a call's answer or, once all members wait, move their calls to ``due``."""
        with self._changed:
            self._waiting.append(call)
            self._changed.wait_for(lambda: call.outcome is not None or self._all_wait())
            if call.outcome is None:
                due.extend(self._waiting)
                self._waiting = []

    def _all_wait(self) -> bool:
        return bool(self._waiting) and len(self._waiting) >= self._at_work

    def _groups(self, calls: Sequence[_Call]) -> list[list[_Call]]:
        """Group calls by shape, octaves and settings, in order of arrival."""
        groups: dict[tuple[Shape, tuple[Shape, ...], DreamSettings | None], list[_Call]] = {}
        for call in calls:
            shape, settings = call.start.shape, call.settings
            count = None if settings is None else settings.octaves
            octaves = self._ascent.octaves(shape, call.start.index, count)
            groups.setdefault((shape, octaves, settings), []).append(call)
        return list(groups.values())

    def _places(self, count: int) -> int:
        """Round a batch size up to a power of two or the maximum: each size costs a trace."""
        return int(min(self._most, 1 << (count - 1).bit_length()))

    def _answer(self, calls: Sequence[_Call], results: Sequence[Ascended]) -> None:
        with self._changed:
            for call, result in zip(calls, results, strict=True):
                call.outcome = result
            self._changed.notify_all()

    def _fail(self, calls: Sequence[_Call], error: BaseException) -> None:
        """Fail the unanswered ones of these calls and remove them from the batch."""
        with self._changed:
            for call in calls:
                call.outcome = call.outcome or error
            self._waiting = [call for call in self._waiting if call.outcome is None]
            self._changed.notify_all()
