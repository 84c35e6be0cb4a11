"""Several shots dreamed at once: one gradient call for a frame of each."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from stream_dream.dream.ascent import Ascended, Ascent, Start
from stream_dream.errors import SettingsError
from stream_dream.frame import ImageF, Shape


@dataclass(eq=False, slots=True)
class _Call:
    """A call of a member: what it asks for, and what came of it."""

    start: Start
    outcome: Ascended | BaseException | None = None

    def result(self) -> Ascended:
        if not isinstance(self.outcome, Ascended):
            raise self.outcome or RuntimeError("a call of a batch was left without a result")
        return self.outcome


class BatchedAscent:
    """Dreams frames of several shots in one TensorFlow call, each as ``Ascent`` would alone.

    For devices that one small call does not fill. Each shot is dreamed by a thread of its own, as a
    member of the batch: its calls wait until all members have called.

        batched = BatchedAscent(Ascent(settings), members=4)

        def dream_shot(frames):  # in a thread of its own
            with batched.member() as dream:
                dreamer = TemporalDreamer(dream, settings)
                ...

    Frames of the same shape and the same octaves are computed together; where there are others,
    one group after the other. With schedule ``rotate``, shots that begin at different times are at
    different octaves. A guide is the same for all members.
    """

    def __init__(self, ascent: Ascent, members: int) -> None:
        """Create a batch of at most so many shots.

        Raises:
            ValueError: Fewer than one.
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
        """Join the batch until the block exits; the others wait for each frame dreamed in it.

        Enter it when the first frame is at hand.

        Yields:
            What dreams one frame, called like an ``Ascent``, by one thread at a time.

        Raises:
            RuntimeError: There are as many members as there may be.
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
                # It may have been the last one that the others waited for.
                self._changed.notify_all()

    def begin(self, source: ImageF, *, index: int, rng: np.random.Generator) -> ImageF:
        """Return the residual that a shot begins with, as ``Ascent`` does; nobody is waited for."""
        return self._ascent.begin(source, index=index, rng=rng)

    def __call__(
        self, source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
    ) -> Ascended:
        """Ascend from ``clip(source + carried)`` as soon as all members ask for it.

        Raises:
            SettingsError: The frame is dreamed in tiles.
            Exception: Whatever goes wrong in a call for all members.
        """
        call = _Call(Start(source, carried, index, rng))
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
                starts = [member.start for member in group]
                self._answer(group, self._ascent.ascend_all(starts, self._places(len(starts))))
        except BaseException as error:
            self._fail(due or [call], error)
            raise
        return call.result()

    def _wait(self, call: _Call, due: list[_Call]) -> None:
        """Wait until a call is answered, or until all members wait.

        Args:
            call: The call.
            due: Gets what the caller has to compute, for itself and the others.
        """
        with self._changed:
            self._waiting.append(call)
            self._changed.wait_for(lambda: call.outcome is not None or self._all_wait())
            if call.outcome is None:
                due.extend(self._waiting)
                self._waiting = []

    def _all_wait(self) -> bool:
        return bool(self._waiting) and len(self._waiting) >= self._at_work

    def _groups(self, calls: Sequence[_Call]) -> list[list[_Call]]:
        """Return calls that can be computed together, in order of arrival."""
        groups: dict[tuple[Shape, tuple[Shape, ...]], list[_Call]] = {}
        for call in calls:
            shape = call.start.shape
            octaves = self._ascent.octaves(shape, call.start.index)
            groups.setdefault((shape, octaves), []).append(call)
        return list(groups.values())

    def _places(self, count: int) -> int:
        """Return the size of a batch: a power of two or the largest, as each costs a trace."""
        return int(min(self._most, 1 << (count - 1).bit_length()))

    def _answer(self, calls: Sequence[_Call], results: Sequence[Ascended]) -> None:
        with self._changed:
            for call, result in zip(calls, results, strict=True):
                call.outcome = result
            self._changed.notify_all()

    def _fail(self, calls: Sequence[_Call], error: BaseException) -> None:
        """Fail all unanswered calls with an error and remove them from the batch."""
        with self._changed:
            for call in calls:
                call.outcome = call.outcome or error
            self._waiting = [call for call in self._waiting if call.outcome is None]
            self._changed.notify_all()
