"""The pictures of one chunk in a small file of their own, for machines that lack the source.

Pictures are looked for by what they show, not by their time stamps: those differ from container to
container, and cutting moves them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from stream_dream.errors import SinkError
from stream_dream.film.plan import Chunk, frame_checksum, joined_checksum
from stream_dream.film.reading import Excerpt, Mismatch, Reader, changed
from stream_dream.frame import Frame, StreamInfo
from stream_dream.media.encoding import Encoder
from stream_dream.media.ffmpeg import PATIENCE, run
from stream_dream.media.formats import FORMATS
from stream_dream.media.opening import quiet_decoder
from stream_dream.media.read.opencv_decoder import open_capture, to_rgb

# Copied ahead of a chunk: where a picture of an open group of pictures refers to the group before,
# that group is there, and a start that containers put elsewhere by a little does not matter.
_MARGIN_SECONDS = 1.0
# Nothing is sought before: MPEG-TS, for one, would begin in the middle of something.
_SEEK_FROM = 5.0


@dataclass(frozen=True, slots=True)
class Segment(Excerpt):
    """The pictures of one chunk, and maybe some around them.

    Attributes:
        begins_at: The number of the chunk's first frame.
        skipped: How many pictures there are before it.
        untagged_yuv: What ``Probe`` says of the source.
    """

    begins_at: int
    skipped: int
    untagged_yuv: bool

    @classmethod
    def find(
        cls, path: Path, chunk: Chunk, excerpt: Excerpt, *, untagged_yuv: bool
    ) -> Segment | None:
        """Look for a chunk of an excerpt in a file.

        Returns:
            Where it is; None if its frames are not there, one picture for each.
        """
        pictures = Pictures(path, untagged_yuv=untagged_yuv)
        try:
            checksums = [frame_checksum(frame.image) for frame in pictures]
        finally:
            pictures.close()
        for place in range(len(checksums) - chunk.frames + 1):
            if checksums[place] == chunk.begins:
                found = joined_checksum(checksums[place : place + chunk.frames])
                if chunk.source in (None, found):
                    known = (path, excerpt.first, excerpt.fps, None)
                    return cls(*known, chunk.first, place, untagged_yuv)
        return None

    def open(self, frame: int) -> Pictures:
        """Open it at the first frame of its chunk; it has no others."""
        if frame != self.begins_at:
            raise Mismatch
        return Pictures(self.path, skipped=self.skipped, untagged_yuv=self.untagged_yuv)


class Pictures:
    """All pictures of a file, whatever their time stamps say."""

    def __init__(self, path: Path, *, skipped: int = 0, untagged_yuv: bool) -> None:
        """Open a file.

        Raises:
            SourceError: OpenCV cannot decode it.
        """
        quiet_decoder()
        self._capture = open_capture(path)
        self._skipped, self._untagged_yuv = skipped, untagged_yuv

    def __iter__(self) -> Iterator[Frame]:
        """Yield them."""
        for index, _ in enumerate(iter(self._capture.grab, False)):
            if index < self._skipped:
                continue
            ok, image = self._capture.retrieve()
            if not ok:
                return
            yield Frame(to_rgb(image, untagged_yuv=self._untagged_yuv), index, 0.0)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


def copy_packets(excerpt: Excerpt, chunk: Chunk, path: Path, *, starts_at: float) -> bool:
    """Copy the encoded pictures around a chunk to a Matroska file, without decoding them.

    It may miss pictures of the chunk; ``Segment.find`` tells.

    Args:
        excerpt: What to copy from.
        chunk: The chunk.
        path: The file to write.
        starts_at: Where the picture starts, in seconds from the file's first time stamp.

    Returns:
        False if they cannot be copied.
    """
    first = float((excerpt.first + chunk.first) / excerpt.fps) + starts_at
    begin = first - _MARGIN_SECONDS
    if begin < _SEEK_FROM:
        begin = 0.0
    length = first - begin + float(chunk.frames / excerpt.fps) + _MARGIN_SECONDS
    source = ["-ss", f"{begin:.6f}", "-i", str(excerpt.path.absolute())]
    copied = ["-map", "0:V:0", "-c", "copy", "-t", f"{length:.6f}"]
    try:
        run([*source, *copied, "-f", "matroska", "-y", str(path)])
    except SinkError:
        return False
    return True


def encode_losslessly(excerpt: Excerpt, chunk: Chunk, path: Path, info: StreamInfo) -> None:
    """Write the frames of a chunk to a file, exactly.

    Args:
        excerpt: What to read from.
        chunk: The chunk.
        path: The file to write.
        info: What is known of the source.

    Raises:
        SourceError: The source cannot be read, or is not what it was.
        SinkError: ffmpeg fails.
    """
    try:
        try:
            _encode(excerpt, chunk, path, info, exactly=False)
        except Mismatch:
            _encode(excerpt, chunk, path, info, exactly=True)
    except Mismatch:
        raise changed(excerpt.path, chunk) from None


def _encode(excerpt: Excerpt, chunk: Chunk, path: Path, info: StreamInfo, *, exactly: bool) -> None:
    square = Fraction(1)
    encoder = Encoder(
        path, FORMATS[".gif"], size=info.size, fps=info.fps, pixel_aspect=square, crf=0
    )
    reader = Reader(excerpt)
    try:
        for frame in reader.read(chunk, exactly=exactly):
            encoder.write(frame.image)
        encoder.finish(PATIENCE)
    finally:
        reader.close()
        encoder.kill()
