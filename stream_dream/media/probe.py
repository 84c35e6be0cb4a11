"""Reads from ``ffmpeg -i`` what OpenCV does not tell: sound, start times, colour tags."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg

_SECONDS = 20
"""Far more than reading a header takes; only a hung disk or network mount needs longer."""

_MATRICES = (
    "bt709|bt470bg|smpte170m|smpte240m|fcc|bt2020nc|bt2020c|ycgco|gbr|"
    "smpte2085|chroma-derived-nc|chroma-derived-c|ictcp"
)


_SPECIAL_AUDIO = frozenset(
    {
        "comment",
        "visual impaired",
        "hearing impaired",
        "descriptions",
        "clean effects",
        "non-diegetic",
        "karaoke",
        "dependent",
    }
)
"""ffmpeg's names of what sound is for that only some want to hear, or only beside another."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file says of itself.

    Times are in seconds from the file's first time stamp, whichever stream has it.

    Attributes:
        container: ffmpeg's names of the format, like ``matroska,webm``; empty if unrecognised.
        duration: Length of the file; None if it does not tell.
        video: The codec of the first moving picture, like ``h264``; cover art is none.
        untagged_yuv: True if the picture is YUV and does not say by which matrix.
        video_start: When the picture starts.
        video_end: When the picture ends, where the file tells that (Matroska); else None.
        audio: The codec of the sound stream that players begin with, like ``aac``; None if there
            is no sound.
        audio_stream: The number of that stream in the file.
    """

    container: str = ""
    duration: float | None = None
    video: str | None = None
    untagged_yuv: bool = False
    video_start: float = 0.0
    video_end: float | None = None
    audio: str | None = None
    audio_stream: int = 0


def probe(path: Path) -> Probe:
    """Look into a file. What cannot be read at all gives an empty ``Probe``."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-i"]
    try:
        result = subprocess.run(
            [*command, str(path.absolute())], capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return Probe()
    return parse(result.stderr.decode(errors="replace"))


def has_more(path: Path, pictures: int, fps: Fraction) -> bool:
    """Return whether a file has more pictures than that, or lasts longer than they do.

    For files that do not tell their length. They are not decoded, and read only as far as needed:
    a thousand pictures of 720p take a twentieth of a second (measured).

    Args:
        path: The file.
        pictures: How many.
        fps: How many of them are shown in a second.
    """
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "quiet", "-nostdin"]
    command += ["-i", str(path.absolute()), "-map", "0:V:0", "-c", "copy"]
    command += ["-frames:v", str(pictures + 1), "-progress", "-", "-nostats", "-f", "null", "-"]
    try:
        result = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except OSError:
        return False
    except subprocess.TimeoutExpired:
        return True
    report = result.stdout.decode(errors="replace")
    counts = [int(count) for count in re.findall(r"^frame=\s*(\d+)", report, re.MULTILINE)]
    ends = [int(end) / 1e6 for end in re.findall(r"^out_time_us=(\d+)", report, re.MULTILINE)]
    longest = (pictures + 0.5) / fps
    return max(counts, default=0) > pictures or max(ends, default=0.0) > longest


def parse(report: str) -> Probe:
    """Read the report that ``ffmpeg -i`` writes."""
    head, *streams = re.split(r"^  Stream #0:", report, flags=re.MULTILINE)
    opened = re.search(r"^Input #0, (\S+), from", head, re.MULTILINE)
    if opened is None:
        return Probe()
    origin = _number(r"^  Duration: .*start: (-?[\d.]+)", head) or 0.0
    video = next((s for s in streams if ": Video:" in s and "(attached pic)" not in s), "")
    sounds = [s for s in streams if ": Audio:" in s]
    audio = min(sounds, key=_audio_rank, default="")
    end = _clock(r"^ +DURATION +: ([\d:.]+)", video)
    return Probe(
        container=opened[1],
        duration=_clock(r"^  Duration: ([\d:.]+)", head),
        video=_word(r": Video: (\w+)", video),
        untagged_yuv=bool(re.search(r", (yuv|nv)\w+\b", video)) and not _matrix(video),
        video_start=max(0.0, (_number(r", start (-?[\d.]+)", video) or 0.0) - origin),
        video_end=None if end is None else end - origin,
        audio=_word(r": Audio: (\w+)", audio),
        audio_stream=_stream_number(audio) if audio else 0,
    )


def _stream_number(stream: str) -> int:
    """Return the number that a stream's description begins with, as in ``1[0x2](eng): Audio``."""
    return int(re.split(r"\D", stream, maxsplit=1)[0])


def _audio_rank(stream: str) -> tuple[bool, bool, int]:
    """Rank sound streams: default ones first, then those for everybody, then by number."""
    roles = re.search(r"((?: \([a-z -]+\))*)\s*$", stream.splitlines()[0])
    given = re.findall(r"\(([a-z -]+)\)", roles[1]) if roles else []
    special = not _SPECIAL_AUDIO.isdisjoint(given)
    return "default" not in given, special, _stream_number(stream)


def _matrix(stream: str) -> bool:
    """Return whether a stream names its matrix, as in ``yuv420p(tv, bt709, progressive)``."""
    return bool(re.search(rf", \w+\((?:\w+, )?(?:{_MATRICES})\b", stream))


def _word(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None


def _number(pattern: str, text: str) -> float | None:
    found = re.search(pattern, text, re.MULTILINE)
    return float(found[1]) if found else None


def _clock(pattern: str, text: str) -> float | None:
    """Find a time like ``00:01:02.50`` and give it in seconds."""
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        return None
    hours, minutes, seconds = found[1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
