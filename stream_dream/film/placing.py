"""Gives a finished film its name, so that a run that is killed meanwhile knows what is its own."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from stream_dream.film.files import fingerprint, write_json
from stream_dream.media.target import is_pattern, numbered, place

PLACING = "placing.json"
"""Says what is being placed, in the folder of the job."""


def place_result(folder: Path, made: Path, target: Path, *, overwrite: bool) -> Path:
    """Give what was made its name, as ``place`` does, and remember it.

    Args:
        folder: The folder of the job.
        made: The finished file, or folder of numbered pictures.
        target: The name.
        overwrite: True if what is there may be replaced.

    Returns:
        The name that it has got.

    Raises:
        OSError: It cannot be done.
    """
    pictures = None if made.is_file() else sum(1 for _ in made.iterdir())
    known = {"film": fingerprint(made) if pictures is None else None, "pictures": pictures}
    write_json(folder / PLACING, known | {"name": None})
    placed = place(made, target, overwrite=overwrite)
    write_json(folder / PLACING, known | {"name": placed.name})
    return placed


def placed_as(folder: Path, target: Path) -> Path | None:
    """Return the name under which the whole result is there; None where it is not."""
    known = _read(folder)
    if known is None:
        return None
    path = target if known["name"] is None else target.with_name(known["name"])
    if known["pictures"] is None:
        with suppress(OSError):
            return path if fingerprint(path) == known["film"] else None
        return None
    if known["name"] is None:
        return None
    numbers = range(1, known["pictures"] + 1)
    return path if all(numbered(path, number).exists() for number in numbers) else None


def is_half_placed(folder: Path, target: Path) -> bool:
    """Tell whether some of the numbered pictures may be there: a run was killed placing them."""
    known = _read(folder)
    return is_pattern(target) and known is not None and known["name"] is None


def _read(folder: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        known = json.loads((folder / PLACING).read_text("utf-8"))
        if isinstance(known, dict) and known.keys() == {"film", "pictures", "name"}:
            return known
    return None
