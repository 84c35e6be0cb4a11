"""Gives a finished film its name, so that a run that is killed meanwhile knows what is its own."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from stream_dream.film.files import fingerprint, write_json
from stream_dream.media.atomic import place
from stream_dream.media.target import free_name, numbered

PLACING = "placing.json"
"""Says what is being placed, in the folder of the job."""

_KEYS = {"film", "pictures", "name", "done"}


def place_result(
    folder: Path, made: Path, target: Path, settings: dict[str, Any], *, overwrite: bool
) -> Path:
    """Give what was made its name, as ``place`` does, and remember which.

    Args:
        folder: The folder of the job.
        made: The finished file, or folder of numbered pictures.
        target: The name.
        settings: What was added to the frames, as ``added_later`` returns it.
        overwrite: True if what is there may be replaced.

    Returns:
        The name that it has got.

    Raises:
        OSError: It cannot be done.
    """
    pictures = None if made.is_file() else sum(1 for _ in made.iterdir())
    known = {"film": fingerprint(made) if pictures is None else None, "pictures": pictures}
    known["settings"] = settings
    goal = target if overwrite else free_name(target)
    write_json(folder / PLACING, known | {"name": goal.name, "done": False})
    placed = place(made, goal, overwrite=overwrite)
    write_json(folder / PLACING, known | {"name": placed.name, "done": True})
    return placed


def placed_as(folder: Path, target: Path) -> Path | None:
    """Return the name under which the whole result is there; None where it is not."""
    known = _read(folder)
    if known is None:
        return None
    path = target.with_name(known["name"])
    if known["pictures"] is None:
        with suppress(OSError):
            return path if fingerprint(path) == known["film"] else None
        return None
    if not known["done"]:
        return None
    numbers = range(1, known["pictures"] + 1)
    return path if all(numbered(path, number).exists() for number in numbers) else None


def placed_with(folder: Path, settings: dict[str, Any]) -> bool:
    """Return whether these settings would add the same to the frames of a result that is placed.

    To numbered pictures nothing is added.
    """
    known = _read(folder)
    if known is None or known["pictures"] is not None:
        return True
    return bool(known.get("settings", settings) == settings)


def half_placed_as(folder: Path, target: Path) -> Path | None:
    """Return the pattern of numbered pictures that a run was killed placing; None without."""
    known = _read(folder)
    half = known is not None and known["pictures"] is not None and not known["done"]
    return target.with_name(known["name"]) if known is not None and half else None


def _read(folder: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        known = json.loads((folder / PLACING).read_text("utf-8"))
        if isinstance(known, dict) and known.keys() >= _KEYS:
            return known
    return None
