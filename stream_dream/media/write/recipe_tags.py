"""Writes the recipe of an output into the file: as metadata, text or comment of its format.

Films carry it as the tag ``comment``, which remuxing with ``-c copy`` keeps in all their
containers; GIF as a comment, PNG as the text ``Comment``, JPEG and WebP as EXIF's ``UserComment``,
TIFF as its description. The text is ASCII, which all of them hold alike.
"""

from __future__ import annotations

import re
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stream_dream.errors import SinkError
from stream_dream.media.read.recipe_text import COMMENT, EXIF_IFD, LONGEST, PLAIN, USER_COMMENT
from stream_dream.media.write.output_paths import beside, free_name

_LONGEST = {".mov": 65_000, ".jpg": 65_000, ".jpeg": 65_000}
"""Characters that fit into a text of 16 bits of length."""

_BLOCK, _PNG_END = 255, 12
_PLAYS_FOR_EVER = b"\x21\xff\x0bNETSCAPE2.0\x03\x01"
_HAS_EXIF = 0x08


def holds(path: Path, text: str) -> bool:
    """Return whether a recipe fits into a file of a name's format."""
    return len(text) <= _LONGEST.get(path.suffix.lower(), LONGEST)


def fitting(path: Path, text: str | None) -> str | None:
    """Return a recipe, or None if there is none or the format cannot hold so much.

    Raises ``SinkError`` with ``exit_code`` 2 if it is not in ASCII.
    """
    if text is not None and not text.isascii():
        raise SinkError("a recipe is text in ASCII, as Recipe.text is: give that", exit_code=2)
    return text if text is not None and holds(path, text) else None


@contextmanager
def metadata_file(final: Path, text: str | None) -> Iterator[tuple[str, ...]]:
    """Yield ffmpeg's arguments for the input that gives a film its metadata; () without a text.

    A file beside the film: a command line may be too short for it.
    """
    if text is None:
        yield ()
        return
    path = free_name(beside(final, ".txt"))
    escaped = re.sub(r"([=;#\\\n])", r"\\\1", text)
    try:
        path.write_text(f";FFMETADATA1\ncomment={escaped}\n", "ascii")
        yield ("-f", "ffmetadata", "-i", str(path))
    finally:
        path.unlink(missing_ok=True)


def tag(made: Path, muxer: str, size: tuple[int, int], text: str | None) -> None:
    """Write a recipe into a finished GIF, WebP or APNG, or into all PNGs of a folder.

    Args:
        made: The file or folder.
        muxer: ffmpeg's name of the format.
        size: (width, height) of the pictures.
        text: The recipe; None for none.
    """
    if text is None:
        return
    if muxer == "gif":
        _tag_gif(made, text)
    elif muxer == "webp":
        _tag_webp(made, size, text)
    elif muxer == "apng":
        _tag_png(made, text)
    elif muxer == "image2":
        for file in made.glob("*.png"):
            _tag_png(file, text)


def pillow_options(name: str, text: str | None) -> dict[str, Any]:
    """Return the options with which Pillow writes a recipe into a format of its own naming."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    if text is None:
        return {}
    if name == "PNG":
        info = PngInfo()
        info.add_text(COMMENT, text)
        return {"pnginfo": info}
    if name == "TIFF":
        return {"description": text}
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = PLAIN + text.encode("ascii")
    return {"exif": exif}


def _tag_gif(path: Path, text: str) -> None:
    """Insert a comment before the first picture, where readers find it without decoding any."""
    data = text.encode("ascii")
    blocks = (data[place : place + _BLOCK] for place in range(0, len(data), _BLOCK))
    comment = b"".join(bytes([len(block)]) + block for block in blocks)
    with path.open("rb") as file:
        flags = file.read(13)[10]
        file.seek(3 << (flags & 7) + 1 if flags & 0x80 else 0, 1)  # the palette
        place = file.tell()
        loops = file.read(len(_PLAYS_FOR_EVER)) == _PLAYS_FOR_EVER
    # Old players look for the repetition right after the palette.
    place += len(_PLAYS_FOR_EVER) + 3 if loops else 0
    _insert(path, place, b"\x21\xfe" + comment + b"\0")


def _tag_png(path: Path, text: str) -> None:
    """Put a text before the end.

    Not before the pictures: ffmpeg takes an APNG whose first one begins late for a single picture.
    """
    data = b"tEXt" + COMMENT.encode() + b"\0" + text.encode("ascii")
    length, check = struct.pack(">I", len(data) - 4), struct.pack(">I", zlib.crc32(data))
    with path.open("r+b") as file:
        file.seek(-_PNG_END, 2)
        end = file.read()
        file.seek(-_PNG_END, 2)
        file.write(length + data + check + end)


def _tag_webp(path: Path, size: tuple[int, int], text: str) -> None:
    """Append EXIF, and say so in the header, which a file of one picture does not have yet."""
    data = pillow_options("WEBP", text)["exif"].tobytes().removeprefix(b"Exif\0\0")
    with path.open("r+b") as file:
        start = file.read(21)
        extended = start[12:16] == b"VP8X"
        if extended:
            file.seek(20)
            file.write(bytes([start[20] | _HAS_EXIF]))
        file.seek(0, 2)
        file.write(_webp_chunk(b"EXIF", data))
    if not extended:
        width, height = ((side - 1).to_bytes(3, "little") for side in size)
        _insert(path, 12, _webp_chunk(b"VP8X", bytes([_HAS_EXIF, 0, 0, 0]) + width + height))
    with path.open("r+b") as file:
        length = file.seek(0, 2)
        file.seek(4)
        file.write(struct.pack("<I", length - 8))


def _webp_chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _insert(path: Path, place: int, data: bytes) -> None:
    """Insert bytes into a file, which may be larger than memory."""
    grown = free_name(beside(path, ".grown"))
    try:
        with path.open("rb") as old, grown.open("wb") as new:
            new.write(old.read(place) + data)
            shutil.copyfileobj(old, new, 2**20)
        grown.replace(path)
    finally:
        grown.unlink(missing_ok=True)
