"""Publishes a finished film under its final name, and records it in case the run is killed."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from stream_dream.film.job.durable_files import fingerprint, write_json
from stream_dream.media.write.atomic import place
from stream_dream.media.write.output_paths import free_name, numbered

_KEYS = {"film", "pictures", "name", "done"}


class Placing:
    """The record of a result that was published, or was about to be."""

    def __init__(self, path: Path, target: Path) -> None:
        """Store the path of the record, and the path requested for the result."""
        self._path, self._target = path, target

    def place(self, made: Path, goal: Path, settings: dict[str, Any], *, overwrite: bool) -> Path:
        """Move the result to its final path with ``media.write.atomic.place``, and record it.

        Args:
            made: The finished file, or folder of numbered pictures.
            goal: The wanted path.
            settings: Settings applied after dreaming, as ``values_added_later`` returns them.
            overwrite: True to replace an existing file.

        Returns:
            The final path.

        Raises:
            OSError, SinkError: The result cannot be moved, or the record cannot be written.
        """
        pictures = None if made.is_file() else sum(1 for _ in made.iterdir())
        known = {"film": fingerprint(made) if pictures is None else None, "pictures": pictures}
        known["settings"] = settings
        name = goal if overwrite else free_name(goal)
        write_json(self._path, known | {"name": name.name, "done": False})
        placed = place(made, name, overwrite=overwrite)
        write_json(self._path, known | {"name": placed.name, "done": True})
        return placed

    @property
    def whole(self) -> Path | None:
        """Path of the published result; None if it is not complete."""
        known = self._read()
        if known is None:
            return None
        path = self._target.with_name(known["name"])
        if known["pictures"] is None:
            with suppress(OSError):
                return path if fingerprint(path) == known["film"] else None
            return None
        if not known["done"]:
            return None
        numbers = range(1, known["pictures"] + 1)
        return path if all(numbered(path, number).exists() for number in numbers) else None

    @property
    def earlier(self) -> Path | None:
        """Path under which an earlier run has published the result, or begun to for pictures."""
        known = self._read()
        if known is not None and known["pictures"] is not None and not known["done"]:
            return self._target.with_name(known["name"])
        return self.whole

    def has(self, settings: dict[str, Any]) -> bool:
        """Return whether the result was made with these ``values_added_later``.

        Always true for numbered pictures, to which they do not apply, and without a record.
        """
        known = self._read()
        if known is None or known["pictures"] is not None:
            return True
        return bool(known.get("settings", settings) == settings)

    def _read(self) -> dict[str, Any] | None:
        with suppress(OSError, ValueError):
            known = json.loads(self._path.read_text("utf-8"))
            if isinstance(known, dict) and known.keys() >= _KEYS:
                return known
        return None
