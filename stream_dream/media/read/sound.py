"""Decodes the sound of a file, mixed to one channel, with the bundled ffmpeg."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import SettingsError, SinkError, SourceError
from stream_dream.media.ffmpeg import FFmpeg
from stream_dream.media.read.ffmpeg_report import Probe
from stream_dream.media.read.input_paths import check_input
from stream_dream.media.read.probe import probe

Sound = NDArray[np.float32]
"""Mono sound, float32, usually in [-1, 1], (samples,)."""

# Sun's format begins with ".snd", the header's size, the sound's, its encoding, rate, channels.
_HEADER = struct.Struct(">4sIIIII")

# Damaged files of floating-point samples hold anything.
_LOUDEST = 1e6

# As for the sound of a film: damage leaves gaps.
_PATIENT = ("-max_error_rate", "0.99")


def probe_sound(path: Path) -> Probe:
    """Probe a file and check that it has sound.

    Raises:
        SourceError: If it cannot be read.
        SettingsError: If it has no sound.
        StreamDreamError: If ffmpeg cannot be run or does not answer.
    """
    check_input(path, "a file with sound")
    found = probe(path)
    if not found.container:
        raise SourceError(f"{path} is neither a sound nor a film that ffmpeg knows: convert it")
    if found.audio is None:
        raise SettingsError(f"{path} has no sound: give --soundtrack a file that has some")
    return found


def sound_blocks(file: Probe, rate: int, samples: int) -> Iterator[Sound]:
    """Yield the sound of a file in blocks of ``samples``; the last one may be shorter.

    The first sample lies at the file's first time stamp; sound that begins later is preceded by
    silence, and gaps are filled with it. Any number of channels is averaged, those for deep sounds
    too: ffmpeg's own mix leaves them out, and knows no layouts of its own making.

    Args:
        file: The file, from ``probe_sound``.
        rate: Samples per second wanted.
        samples: Samples of a block.

    Raises:
        SourceError: If the sound cannot be decoded.
    """
    source = ["-nostdin", "-i", str(file.path.absolute()), "-map", f"0:{file.audio_stream}"]
    filters = ["-af", f"aresample={rate}:async=1:first_pts=0"]
    try:
        process = FFmpeg(
            [*source, *_PATIENT, *filters, "-c:a", "pcm_f32be", "-f", "au", "-"],
            read=True,
        )
    except SinkError as error:
        raise SourceError(str(error)) from error
    try:
        assert process.output is not None
        yield from _mixed(process.output, samples)
        process.finish()
    except SinkError as error:
        raise SourceError(f"the sound of {file.path} cannot be decoded ({error})") from error
    finally:
        process.kill()


def _mixed(stream: IO[bytes], samples: int) -> Iterator[Sound]:
    """Yield the mean of the channels of a stream in Sun's format, in blocks."""
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return
    _, size, _, _, _, channels = _HEADER.unpack(header)
    stream.read(size - _HEADER.size)
    frame = 4 * channels
    while data := stream.read(samples * frame):
        whole = data[: len(data) - len(data) % frame]
        mixed = np.frombuffer(whole, ">f4").reshape(-1, channels).mean(axis=-1, dtype=np.float32)
        yield np.clip(np.nan_to_num(mixed), -_LOUDEST, _LOUDEST)
