"""Reads the text of a recipe out of an output, wherever ``media.write.recipe_tags`` puts it."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from stream_dream.errors import SettingsError
from stream_dream.media.read.ffmpeg_report import run_on
from stream_dream.media.read.input_paths import check_input
from stream_dream.settings.recipe import Recipe, is_recipe, parse_recipe

LONGEST = 4 * 2**20
"""Characters of the longest recipe that is written or read."""

COMMENT = "Comment"
"""Keyword of a PNG's text."""

EXIF_IFD, USER_COMMENT, _DESCRIPTION = 0x8769, 0x9286, 0x010E
"""Tags of EXIF and TIFF."""

PLAIN = b"ASCII\0\0\0"
"""Start of a ``UserComment`` in ASCII."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PICTURES = re.compile(rb"GIF8|\xff\xd8\xff|II\*\0|MM\0\*|RIFF....WEBP", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TAG = re.compile(r"^comment=((?:\\.|[^\\\n])*)", re.IGNORECASE | re.MULTILINE | re.DOTALL)


def read_recipe(path: Path | str) -> Recipe:
    """Read the recipe that an output carries, or one that was saved as JSON.

    Raises:
        SourceError: The file cannot be read.
        SettingsError: It carries no recipe, or one that cannot be used.
    """
    path = Path(path)
    check_input(path, "a picture, a film, or the JSON of a recipe")
    text = _text_of(path)
    if text is None:
        raise SettingsError(
            f"{path} carries no recipe: it was made with --no-recipe, in a show or by another "
            "program, or edited since"
        )
    return parse_recipe(text, origin=str(path))


def _text_of(path: Path) -> str | None:
    """Return the text that looks like a recipe; None if there is none."""
    with path.open("rb") as file:
        start = file.read(64)
        if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
            return (start + file.read(LONGEST)).decode("utf-8-sig", "replace")
    if start.startswith(_PNG):
        found = _in_png(path)
    else:
        found = _in_picture(path) if _PICTURES.match(start) else _in_film(path)
    return next((text for text in found if is_recipe(text)), None)


def _in_png(path: Path) -> list[str]:
    """Return the comments of a PNG; Pillow decodes all pictures of an APNG to find them."""
    found = []
    with path.open("rb") as file:
        file.seek(len(_PNG))
        while len(head := file.read(8)) == 8 and head[4:].isalpha():
            length = int.from_bytes(head[:4])
            if head[4:] == b"tEXt" and length <= LONGEST + len(COMMENT) + 1:
                keyword, _, text = file.read(length).partition(b"\0")
                if keyword == COMMENT.encode():
                    found.append(_plain(text))
                length = 0
            file.seek(length + 4, 1)
    return found


def _in_picture(path: Path) -> list[str]:
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as file:
            exif = file.getexif()
            given = [file.info.get("comment"), exif.get(_DESCRIPTION)]
            given.append(exif.get_ifd(EXIF_IFD).get(USER_COMMENT))
    except Exception:  # decoders fail with anything when bytes are wrong
        return []
    return [_plain(text) for text in given if text]


def _plain(text: Any) -> str:
    if isinstance(text, bytes):
        return text.removeprefix(PLAIN).decode("ascii", "replace")
    return str(text)


def _in_film(path: Path) -> list[str]:
    told = run_on(path, ["-f", "ffmetadata", "-"]).stdout.decode(errors="replace")
    return [_ESCAPED.sub(r"\1", text) for text in _TAG.findall(told)]
