"""Finds the films that arrive in a folder, once they are complete."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from stream_dream.errors import SettingsError, SinkError, SourceError
from stream_dream.film.queued_films import check_output_folder, films_in
from stream_dream.media.write.output_paths import same_file

POLL_SECONDS = 2.0
"""Between two looks at the folder. Folders on network shares send no notices."""

STILL_SECONDS = 6.0
"""How long a file must not have grown or changed: a copy over a network pauses now and then."""


def check_watched(inputs: Sequence[Path], output: Path) -> None:
    """Refuse to watch anything but one folder, or to watch the folder of the dreams.

    Raises:
        SettingsError, SourceError, SinkError: With one clear line, and ``exit_code`` 2.
    """
    if len(inputs) != 1 or not os.path.isdir(inputs[0]):
        given = " ".join(map(str, inputs))
        raise SettingsError(
            f"--watch needs one folder, not {given}: give that, and one for the dreams"
        )
    check_output_folder(inputs, output)
    if same_file(inputs[0], output):
        problem = "is watched, and dreams would be dreamed again: choose another folder"
        raise SinkError(f"{output} {problem}", exit_code=2)


class _State(NamedTuple):
    """What changes while a file is written, and when it was first seen so."""

    size: int
    changed: int
    since: float

    @property
    def content(self) -> tuple[int, int]:
        """Its size and time."""
        return self.size, self.changed


class FolderWatch:
    """The films of a folder, each as soon as it is complete, and again when it has changed."""

    def __init__(self, folder: Path, still_seconds: float = STILL_SECONDS) -> None:
        """Store the folder, and how long a file must have stood still."""
        self._folder, self._still = folder, still_seconds
        self._states: dict[Path, _State] = {}
        self._told: dict[Path, tuple[int, int]] = {}

    def arrived(self) -> list[Path]:
        """Return the films that stand still and were not returned before as they are now.

        Raises ``SourceError`` if the folder cannot be read, perhaps for now.
        """
        if not os.path.isdir(self._folder):
            raise SourceError(f"{self._folder} is no folder that can be read")
        now = time.monotonic()
        states = {path: state for path in films_in(self._folder) if (state := _state(path, now))}
        for path, state in states.items():
            before = self._states.get(path)
            if before is not None and before.content == state.content:
                states[path] = before
        self._states = states
        found = [
            path
            for path, state in states.items()
            if now - state.since >= self._still and self._told.get(path) != state.content
        ]
        self._told |= {path: states[path].content for path in found}
        return found

    def forget(self, path: Path) -> None:
        """Return a film again when it is back, even if it has not changed."""
        self._told.pop(path, None)


def _state(path: Path, now: float) -> _State | None:
    """Return the state of a file; None if it cannot be opened, or is gone again.

    It is opened, as network file systems tell the size of a closed file late.
    """
    with suppress(OSError):
        if not path.is_file():  # a named pipe would be waited for
            return None
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
        return _State(found.st_size, found.st_mtime_ns, now)
    return None
