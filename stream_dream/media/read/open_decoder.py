"""Opens the decoder that reads a film correctly."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from stream_dream.errors import SourceError
from stream_dream.media.read.decoder import Decoder
from stream_dream.media.read.ffmpeg_decoder import FFmpegDecoder
from stream_dream.media.read.opencv_decoder import OpenCVDecoder
from stream_dream.media.read.probe import probe_video
from stream_dream.media.read.sequence_decoder import SequenceDecoder
from stream_dream.media.read.standard_input import STANDARD_INPUT, StandardInputDecoder, read_head
from stream_dream.settings.values import RawVideo


def open_decoder(
    path: Path,
    background: tuple[int, int, int],
    *,
    deep: bool,
    hdr: bool,
    fps: Fraction | None,
    raw: RawVideo | None,
) -> Decoder:
    """Open the decoder of a file, a sequence of pictures or standard input.

    Arguments are those of ``VideoSource``.

    Raises:
        SourceError: It is no film, or ``fps`` or ``raw`` are given for one that tells its own.
        StreamDreamError: If ffmpeg cannot be run or does not answer.
    """
    if path == STANDARD_INPUT:
        head, file = read_head(raw)
        return StandardInputDecoder(file, head, raw, background, deep=deep, hdr=hdr)
    if raw is not None:
        raise SourceError("--raw is for standard input: give - as the input")
    file = probe_video(path, None if fps is None else float(fps))
    if file.why_ffmpeg is None:
        return OpenCVDecoder(file)
    kind = SequenceDecoder if file.files else FFmpegDecoder
    return kind(file, background, deep=deep, hdr=hdr)
