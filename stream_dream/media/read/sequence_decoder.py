"""Decodes a numbered sequence of pictures with the bundled ffmpeg."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from stream_dream.errors import SourceError
from stream_dream.frame import Image
from stream_dream.media.concat import concat_list
from stream_dream.media.ffmpeg import playable
from stream_dream.media.read.ffmpeg_decoder import FFmpegDecoder
from stream_dream.media.read.ffmpeg_report import bits_of, is_transparent

_INPUT = ("-loglevel", "level+info", "-nostats", "-xerror", "-f", "concat", "-safe", "0")
_KIND = re.compile(r"\[Parsed_showinfo.* fmt:(\w+) .* s:(\d+)x(\d+) ")


class SequenceDecoder(FFmpegDecoder):
    """Decodes the files of a sequence, each for one frame; see ``Decoder``."""

    _TOLD = "showinfo=checksum=0"
    _first: _Kind | None = None

    def pictures(self, start: float = 0.0) -> Iterator[tuple[Image, float]]:
        """Yield the pictures, from the one that is shown at ``start`` on.

        Raises:
            SourceError: A file cannot be decoded, or has another size than the first one.
        """
        self._end()
        first = min(int(start * self.file.rate + 1e-6), len(self.file.files) - 1)
        return self._numbered(first)

    def is_complete(self, pictures: int) -> bool:
        """Return True: a sequence that is not has raised an error."""
        return True

    def _numbered(self, first: int) -> Iterator[tuple[Image, float]]:
        if self._closed:
            return
        files = self.file.files[first:]
        # ffmpeg's own numbered input stops at gaps and takes no wildcards on Windows.
        handle, name = tempfile.mkstemp(prefix="frames-", suffix=".ffconcat")
        try:
            with os.fdopen(handle, "wb") as listed:
                listed.write(concat_list((path, 1 / self.file.rate) for path in files))
            kinds: SimpleQueue[_Kind] = SimpleQueue()
            process, number = self._start([*_INPUT, "-i", name], partial(_hear_kind, kinds)), -1
            for number, image in enumerate(self._images(process)):
                self._check_kind(files, number, kinds.get())
                yield image, (first + number) / self.file.rate
        finally:
            self._end()
            with suppress(OSError):
                os.unlink(name)
        if number + 1 < len(files) and not self._closed:
            raise _unreadable(files[number + 1 :])

    def _check_kind(self, files: Sequence[Path], number: int, kind: _Kind) -> None:
        """Refuse a picture that ffmpeg would make like the first one without a word."""
        if number >= len(files):
            raise SourceError(f"one of {self.file.path} is an animation: read it as a film")
        path, first = files[number], self._first or kind
        self._first = first
        if kind.size != first.size:
            (width, height), (others_width, others_height) = kind.size, first.size
            raise SourceError(
                f"{path} has {width}x{height} pixels, and the first one "
                f"{others_width}x{others_height}: make them one size"
            )
        if kind.bits > first.bits or (kind.transparent and not first.transparent):
            more = f"{kind.bits} bits" if kind.bits > first.bits else "transparent pixels"
            raise SourceError(f"{path} has {more}, unlike the first one: make them of one kind")


class _Kind(NamedTuple):
    """What ``showinfo`` tells of a picture."""

    size: tuple[int, int]
    bits: int
    transparent: bool


def _hear_kind(kinds: SimpleQueue[_Kind], line: str) -> bool:
    """Queue what ``showinfo`` tells; return whether a message is no error."""
    found = _KIND.search(line)
    if found is not None:
        pixels, size = found[1], (int(found[2]), int(found[3]))
        transparent = pixels != "pal8" and is_transparent(pixels)
        kinds.put(_Kind(size, bits_of(pixels), transparent))
    return "[error]" not in line and "[fatal]" not in line


def _unreadable(files: tuple[Path, ...]) -> SourceError:
    """Return the error for the first file that cannot be decoded."""
    path = next((path for path in files if not playable(path)), files[0])
    return SourceError(f"{path} is damaged, or no picture that can be read: make it again")
