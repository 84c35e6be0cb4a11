"""Decodes a numbered sequence of pictures with the bundled ffmpeg."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from stream_dream.errors import SourceError
from stream_dream.frame import Image
from stream_dream.media.concat import concat_list
from stream_dream.media.ffmpeg import playable
from stream_dream.media.read.ffmpeg_decoder import FFmpegDecoder

_INPUT = ("-loglevel", "level+info", "-nostats", "-xerror", "-f", "concat", "-safe", "0")
_SIZE = re.compile(r"\[Parsed_showinfo.* s:(\d+)x(\d+) ")


class SequenceDecoder(FFmpegDecoder):
    """Decodes the files of a sequence, each for one frame; see ``Decoder``."""

    _TOLD = "showinfo=checksum=0"

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
            sizes: SimpleQueue[tuple[int, int]] = SimpleQueue()
            process, number = self._start([*_INPUT, "-i", name], partial(_hear_size, sizes)), -1
            for number, image in enumerate(self._images(process)):
                self._check_size(files[number], sizes.get())
                yield image, (first + number) / self.file.rate
        finally:
            self._end()
            with suppress(OSError):
                os.unlink(name)
        if number + 1 < len(files) and not self._closed:
            raise _unreadable(files[number + 1 :])

    def _check_size(self, path: Path, size: tuple[int, int]) -> None:
        if size != self.file.size:  # ffmpeg scales it without a word
            (across, down), (width, height) = size, self.file.size
            raise SourceError(
                f"{path} has {across}x{down} pixels, and the first one {width}x{height}: make them "
                "one size"
            )


def _hear_size(sizes: SimpleQueue[tuple[int, int]], line: str) -> bool:
    """Queue the size that ``showinfo`` tells; return whether a message is no error."""
    found = _SIZE.search(line)
    if found is not None:
        sizes.put((int(found[1]), int(found[2])))
    return "[error]" not in line and "[fatal]" not in line


def _unreadable(files: tuple[Path, ...]) -> SourceError:
    """Return the error for the first file that cannot be decoded."""
    path = next((path for path in files if not playable(path)), files[0])
    return SourceError(f"{path} is damaged, or no picture that can be read: make it again")
