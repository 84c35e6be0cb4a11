"""Gives a finished film its name, so that a run that is killed meanwhile knows what is its own."""

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
    """What is known of a result that has got its name, or was about to get it."""

    def __init__(self, path: Path, target: Path) -> None:
        """Store where it is written down, and the name that the result was to get."""
        self._path, self._target = path, target

    def place(self, made: Path, goal: Path, settings: dict[str, Any], *, overwrite: bool) -> Path:
        """Give what was made its name, as ``media.atomic.place`` does, and remember which.

        Args:
            made: The finished file, or folder of numbered pictures.
            goal: The name.
            settings: What was added to the frames, as ``added_later`` returns it.
            overwrite: True if what is there may be replaced.

        Returns:
            The name that it has got.

        Raises:
            OSError, SinkError: It cannot be done.
        """
        pictures = None if made.is_file() else sum(1 for _ in made.iterdir())
        known = {"film": fingerprint(made) if pictures is None else None, "pictures": pictures}
        known["settings"] = settings
        name = goal if overwrite else free_name(goal)
        write_json(self._path, known | {"name": name.name, "done": False})
        placed = place(made, name, overwrite=overwrite)
        write_json(self._path, known | {"name": placed.name, "done": True})
        return placed

    def forget(self) -> None:
        """Remove what was written down."""
        self._path.unlink(missing_ok=True)

    @property
    def whole(self) -> Path | None:
        """The name under which the whole result is there; None where it is not."""
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
        """The name that an earlier run gave to the result, or to the first of its pictures."""
        known = self._read()
        if known is not None and known["pictures"] is not None and not known["done"]:
            return self._target.with_name(known["name"])
        return self.whole

    def has(self, settings: dict[str, Any]) -> bool:
        """Return whether these settings would add the same to the frames of a result.

        To numbered pictures nothing is added.
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
