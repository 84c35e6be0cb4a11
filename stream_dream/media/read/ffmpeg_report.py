"""What is known of a file, and what of it ffmpeg tells."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from stream_dream.errors import StreamDreamError
from stream_dream.frame import Image8
from stream_dream.media.ffmpeg import ffmpeg_program

_SECONDS = 20
"""Far more than reading a header takes; only a hung disk or network mount needs longer."""

_LOOKED_AT = 4
"""Pictures that are looked at: a decoder flags interlaced ones, each for itself."""

THUMBNAIL = 8
"""Width and height of a thumbnail, in pixels, whatever the shape of the picture."""

_MATRICES = (
    "bt709|bt470bg|smpte170m|smpte240m|fcc|bt2020nc|bt2020c|ycgco|gbr|"
    "smpte2085|chroma-derived-nc|chroma-derived-c|ictcp"
)

_ALPHA = re.compile(r"yuva|gbrap|rgba|bgra|argb|abgr|ayuv|vuya|ya\d|pal8")

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
    """What is known of a file.

    Times are in seconds from the file's first time stamp, whichever stream has it.

    Attributes:
        path: The file.
        container: ffmpeg's names of the format, like ``matroska,webm``; empty if unrecognised.
        start: The file's first time stamp, in seconds.
        duration: Length of the file; None if it does not tell.
        video: The codec of the first moving picture, like ``h264``; cover art is none.
        size: (width, height) of its pictures, not turned yet.
        pixels: ffmpeg's name of its pixel format, like ``yuv420p``.
        matrix: By which matrix it became YUV, like ``bt709``; empty if the file does not say.
        interlaced: True if the header or one of the first pictures says so.
        rate: Pictures per second by what the file says; may be nonsense, 0 where it says nothing.
        pixel_aspect: Width of a pixel of the upright picture divided by its height.
        oriented: True if a matrix says how the picture is turned or mirrored.
        transparent: True if pictures have an alpha channel.
        video_start: When the picture starts.
        video_end: When the picture ends, where the file tells that (Matroska); else None.
        audio: The codec of the sound stream that players begin with, like ``aac``; None if there
            is no sound.
        audio_stream: The number of that stream in the file.
        why_ffmpeg: Why ffmpeg has to decode its pictures; None where OpenCV does it right.
        length: How many seconds the picture lasts; None where the file does not tell for sure.
        delays: For how many seconds each picture of an animation is shown, as browsers do it.
    """

    path: Path = Path()
    container: str = ""
    start: float = 0.0
    duration: float | None = None
    video: str | None = None
    size: tuple[int, int] = (0, 0)
    pixels: str = ""
    matrix: str = ""
    interlaced: bool = False
    rate: float = 0.0
    pixel_aspect: Fraction = Fraction(1)
    oriented: bool = False
    transparent: bool = False
    video_start: float = 0.0
    video_end: float | None = None
    audio: str | None = None
    audio_stream: int = 0
    why_ffmpeg: str | None = None
    length: float | None = None
    delays: tuple[float, ...] = ()

    @property
    def untagged_yuv(self) -> bool:
        """True if the picture is YUV and does not say by which matrix."""
        return self.pixels.startswith(("yuv", "nv", "p0", "y2")) and not self.matrix


def look_at(path: Path) -> tuple[Probe, Image8 | None]:
    """Read a file's header, and decode its first pictures.

    Returns:
        What the header and the pictures tell, an empty ``Probe`` if ffmpeg does not recognise the
        file; and its first picture, ``THUMBNAIL`` pixels wide and high, uint8 RGB, untagged YUV
        taken for BT.601, None where it cannot be decoded.

    Raises:
        StreamDreamError: ffmpeg cannot be run, or gives no answer.
    """
    # First to RGB: averaging displaces the colours of 4:2:0 by much.
    shown = "showinfo=checksum=0,scale=flags=bicubic+accurate_rnd+full_chroma_int,format=rgb24"
    shown += f",scale={THUMBNAIL}:{THUMBNAIL}:flags=area"
    decoded = ["-map", "0:V:0", "-frames:v", str(_LOOKED_AT), "-vf", shown]
    result = run_on(path, [*decoded, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
    report = result.stderr.decode(errors="replace")
    found = parse(report)
    flags = re.findall(r"^\[Parsed_showinfo.* i:(\w) ", report, re.MULTILINE)
    interlaced = found.interlaced or any(flag in "TB" for flag in flags)
    pixels = np.frombuffer(result.stdout[: THUMBNAIL * THUMBNAIL * 3], np.uint8)
    thumbnail = pixels.reshape(THUMBNAIL, THUMBNAIL, 3) if pixels.size else None
    return replace(found, path=path, interlaced=interlaced), thumbnail


def has_more(path: Path, pictures: int, fps: Fraction) -> bool:
    """Return whether a file has more pictures than that, or lasts longer than they do.

    For files that do not tell their length. They are not decoded, and read only as far as needed:
    a thousand pictures of 720p take a twentieth of a second (measured).

    Args:
        path: The file.
        pictures: How many.
        fps: How many of them are shown in a second.
    """
    command = [ffmpeg_program(), "-v", "quiet", "-nostdin"]
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


def run_on(
    path: Path, arguments: list[str], before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Run ffmpeg on a file, and make sure that it is ffmpeg that has run.

    Raises:
        StreamDreamError: ffmpeg cannot be run, or gives no answer.
    """
    program = ffmpeg_program()
    command = [program, "-hide_banner", "-nostdin", *before, "-i", str(path.absolute()), *arguments]
    try:
        result = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        if result.returncode and b"Input #0" not in result.stderr:
            _check_program(program)
    except OSError as error:
        raise StreamDreamError(
            f"ffmpeg ({program}) cannot be run: {error.strerror}; reinstall imageio-ffmpeg, or "
            "unset IMAGEIO_FFMPEG_EXE"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise StreamDreamError(
            f"ffmpeg has not read the beginning of {path} in {_SECONDS} s: is its disk, or the "
            "network that it comes from, very slow?"
        ) from error
    return result


def _check_program(program: str) -> None:
    """Make sure that a program is ffmpeg. Raises ``StreamDreamError`` and ``OSError``."""
    told = subprocess.run([program, "-version"], capture_output=True, timeout=_SECONDS, check=False)
    if not told.stdout.startswith(b"ffmpeg version"):
        raise StreamDreamError(
            f"{program} does not work as ffmpeg (it ended with code {told.returncode}): reinstall "
            "imageio-ffmpeg, or unset IMAGEIO_FFMPEG_EXE"
        )


def parse(report: str) -> Probe:
    """Read the report that ``ffmpeg -i`` writes."""
    described = re.split(r"^Stream mapping:|^Output #0", report, maxsplit=1, flags=re.MULTILINE)[0]
    head, *streams = re.split(r"^  Stream #0:", described, flags=re.MULTILINE)
    opened = re.search(r"^Input #0, (\S+), from", head, re.MULTILINE)
    if opened is None:
        return Probe()
    origin = _number(r"^  Duration: .*start: (-?[\d.]+)", head) or 0.0
    video = next((s for s in streams if ": Video:" in s and "(attached pic)" not in s), "")
    sounds = [s for s in streams if ": Audio:" in s]
    audio = min(sounds, key=_audio_rank, default="")
    end = _clock(r"^ +DURATION(?:-\w+)? +: ([\d:.]+)", video)
    turn = _number(r"[Dd]isplay ?[Mm]atrix: rotation of (-?[\d.]+) degrees", video)
    pixels, details, size = _pictures(video)
    aspect = _pixel_aspect(video)
    return Probe(
        container=opened[1],
        start=origin,
        duration=_clock(r"^  Duration: ([\d:.]+)", head),
        video=_word(r": Video: (\w+)", video),
        size=size,
        pixels=pixels,
        matrix=_word(rf"^(?:\w+, )?({_MATRICES})\b", details) or "",
        interlaced=re.search(r"\b(top|bottom) (coded )?first", details) is not None,
        rate=float(_rate(video)),
        pixel_aspect=1 / aspect if turn is not None and 45 <= abs(turn) % 180 < 135 else aspect,
        oriented=turn is not None,
        transparent=_ALPHA.match(pixels) is not None or _has_alpha_mode(video),
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


def _pictures(stream: str) -> tuple[str, str, tuple[int, int]]:
    """Find a stream's pixel format, what its brackets say (``tv, top first``), and its size."""
    brackets = r"(?:\(([^()]*(?:\([^()]*\))?[^()]*)\))?"
    found = re.search(rf": Video: .*?, (\w+){brackets}, (\d+)x(\d+)", stream)
    if found is None:
        return "", "", (0, 0)
    return found[1], found[2] or "", (int(found[3]), int(found[4]))


def _pixel_aspect(stream: str) -> Fraction:
    """Find the shape of a pixel; what the container says comes last in the line, and counts."""
    line = stream.partition("\n")[0]
    given = [(int(w), int(h)) for w, h in re.findall(r"\bSAR (\d+):(\d+)", line)]
    return next((Fraction(w, h) for w, h in reversed(given) if w and h), Fraction(1))


def _rate(stream: str) -> Fraction:
    """Find the rate; ffmpeg rounds 24000/1001 to ``23.98 fps`` and 1000 to ``1k fps``."""
    found = re.search(r"([\d.]+)(k?) fps\b", stream) or re.search(r"([\d.]+)(k?) tbr\b", stream)
    if found is None:
        return Fraction(0)
    told = Fraction(found[1]) * (1000 if found[2] else 1)
    ntsc = Fraction(round(told * 1001, -3), 1001)
    return ntsc if told.denominator > 1 and abs(told - ntsc) <= Fraction(1, 200) else told


def _has_alpha_mode(stream: str) -> bool:
    """Return whether a WebM stream carries its alpha beside the picture."""
    return re.search(r"^ +alpha_mode +: 1", stream, re.MULTILINE | re.IGNORECASE) is not None


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
