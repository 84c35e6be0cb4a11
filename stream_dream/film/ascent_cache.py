"""Keeps the networks of one film for the next one that is dreamed alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stream_dream.automation.program import Program
from stream_dream.film.frame_loop import make_ascents
from stream_dream.settings.dream import DreamSettings

if TYPE_CHECKING:
    from stream_dream.dream.look_ascents import LookAscents


class AscentCache:
    """The ascents that were used last, with their networks and traces.

    They serve every program of equal looks in which the same settings vary. Others replace them.
    """

    def __init__(self) -> None:
        """Create an empty cache."""
        self._ascents: LookAscents | None = None
        self._looks: tuple[DreamSettings, ...] = ()
        self._varying: frozenset[str] = frozenset()

    def of(self, program: Program, first: int = 0, *, threads: int | None = None) -> LookAscents:
        """Return the ascents of a program, built for frame ``first`` unless they are there.

        With a number of TensorFlow ``threads``; without one the dream chooses.

        Raises:
            NetworkError, SettingsError: They cannot be built.
        """
        kind = tuple(program.looks), program.varying
        if self._ascents is None or kind != (self._looks, self._varying):
            self.close()
            self._ascents = make_ascents(program, first, threads=threads)
            self._looks, self._varying = kind
        return self._ascents

    def of_looks(self, looks: Sequence[DreamSettings]) -> LookAscents:
        """Return ascents of looks, whatever varies in them; see ``of``."""
        if self._ascents is not None and self._looks == tuple(looks):
            return self._ascents
        return self.of(Program(tuple(looks)))

    def close(self) -> None:
        """Drop the ascents; wait for the thread that prepares looks."""
        if self._ascents is not None:
            self._ascents.close()
        self._ascents = None
