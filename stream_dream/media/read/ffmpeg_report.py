"""Properties of a file, as ffmpeg reports them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from stream_dream.errors import StreamDreamError
from stream_dream.frame import Hdr, Image8
from stream_dream.media.ffmpeg import ffmpeg_program

_SECONDS = 20
"""Time limit of reading a header; only a hung disk or network mount exceeds it."""

_LOOKED_AT = 4
"""Pictures decoded to find interlacing, which decoders flag picture by picture."""

THUMBNAIL = 8
"""Width and height of a thumbnail in pixels, for any shape of picture."""

_MATRICES = (
    "bt709|bt470bg|smpte170m|smpte240m|fcc|bt2020nc|bt2020c|ycgco|gbr|"
    "smpte2085|chroma-derived-nc|chroma-derived-c|ictcp"
)

_COLOURS = rf"^(?:\w+, )?(?:{_MATRICES}|unknown)"
"""Begins the details of a picture whose matrix, primaries and curve differ."""

_HDR: dict[str, Hdr] = {"smpte2084": "pq", "arib-std-b67": "hlg"}

_WIDE = ("bt2020", "smpte431", "smpte432")

_ALPHA = re.compile(r"yuva|gbrap|rgba|bgra|argb|abgr|ayuv|vuya|ya\d|pal8")

_DEEP = re.compile(r"(\d+)(?:msb)?[lb]e$")
"""Ends the name of every pixel format with more than 8 bits a channel."""

_BITS = {"30": 10, "36": 12, "20": 10, "565": 8, "555": 8, "444": 8}
"""Bits of a channel where a name gives those of a pixel."""

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
"""ffmpeg's dispositions of sound that only some want to hear, or only with another stream."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Properties of a file.

    Times are in seconds from the file's first time stamp, in whichever stream.

    Attributes:
        path: The file.
        container: ffmpeg's names of the format, like ``matroska,webm``; empty if unrecognised.
        start: The file's first time stamp, in seconds.
        duration: Length of the file; None if unknown.
        video: Codec of the first video stream, like ``h264``, not of cover art; None without one.
        size: (width, height) of the pictures before rotation.
        pixels: ffmpeg's name of the pixel format, like ``yuv420p``.
        matrix: The YUV matrix, like ``bt709``; empty if untagged.
        primaries: The colours of R, G and B, like ``bt2020``; empty if untagged.
        transfer: The curve, like ``smpte2084``; empty if untagged.
        interlaced: True if the header or one of the first pictures says so.
        rate: Announced pictures per second; may be nonsense, 0 if untagged.
        pixel_aspect: Width of a pixel of the upright picture divided by its height.
        oriented: True if a display matrix rotates or mirrors the picture.
        transparent: True if pictures have an alpha channel.
        video_start: When the picture starts.
        video_end: When the picture ends, if tagged (Matroska); else None.
        audio: Codec of the sound stream that players choose, like ``aac``; None without sound.
        audio_stream: Number of that stream in the file.
        why_ffmpeg: Why ffmpeg has to decode the file; None where OpenCV decodes it correctly.
        length: Length of the picture in seconds; None if uncertain.
        delays: Seconds for which browsers show each picture of an animation.
        files: The files of a numbered sequence.
    """

    path: Path = Path()
    container: str = ""
    start: float = 0.0
    duration: float | None = None
    video: str | None = None
    size: tuple[int, int] = (0, 0)
    pixels: str = ""
    matrix: str = ""
    primaries: str = ""
    transfer: str = ""
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
    files: tuple[Path, ...] = ()

    @property
    def bits(self) -> int:
        """Bits of a channel: 8, or up to 16; 16 for floating point."""
        return bits_of(self.pixels)

    @property
    def hdr(self) -> Hdr | None:
        """The curve of an HDR picture; None for SDR."""
        return _HDR.get(self.transfer)

    @property
    def wide(self) -> bool:
        """True if colours reach beyond BT.709, as those of phones and of UHD do."""
        return self.primaries in _WIDE

    @property
    def has_other_primaries(self) -> bool:
        """True if it is tagged with other colours than those of BT.2020."""
        return self.primaries not in ("", "unknown", "reserved", "bt2020")

    @property
    def is_rgb(self) -> bool:
        """True if it stores RGB, not luma and chroma."""
        return self.pixels.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "0", "x2", "pal8"))

    @property
    def untagged_yuv(self) -> bool:
        """True if the picture is YUV without a tagged matrix."""
        return self.pixels.startswith(("yuv", "nv", "p0", "y2")) and not self.matrix


def look_at(path: Path) -> tuple[Probe, Image8 | None]:
    """Read a file's header and decode its first pictures.

    Returns:
        The properties, an empty ``Probe`` if ffmpeg does not recognise the file; and a thumbnail of
        the first picture, uint8 RGB, ``THUMBNAIL`` pixels wide and high, untagged YUV read as
        BT.601, None if it cannot be decoded.

    Raises:
        StreamDreamError: If ffmpeg cannot be run or does not answer.
    """
    # To RGB first: averaging 4:2:0 would shift its colours far.
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
    """Return whether a file has more than ``pictures`` pictures, or lasts longer at ``fps``.

    For files of unknown length: nothing is decoded, and no more read than needed. A thousand
    pictures of 720p take a twentieth of a second (measured).
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
    path: Path, arguments: list[str], before: tuple[str, ...] = (), *, head: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run ffmpeg on a file, or on the beginning of one; if that fails, check that it is ffmpeg.

    Raises:
        StreamDreamError: If ffmpeg cannot be run or does not answer.
    """
    program = ffmpeg_program()
    name = str(path.absolute()) if head is None else "pipe:0"
    command = [program, "-hide_banner", "-nostdin", *before, "-i", name, *arguments]
    try:
        result = subprocess.run(
            command, input=head, capture_output=True, timeout=_SECONDS, check=False
        )
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
    """Check that a program is ffmpeg. Raises ``StreamDreamError`` and ``OSError``."""
    told = subprocess.run([program, "-version"], capture_output=True, timeout=_SECONDS, check=False)
    if not told.stdout.startswith(b"ffmpeg version"):
        raise StreamDreamError(
            f"{program} does not work as ffmpeg (it ended with code {told.returncode}): reinstall "
            "imageio-ffmpeg, or unset IMAGEIO_FFMPEG_EXE"
        )


def parse(report: str) -> Probe:
    """Parse the report of ``ffmpeg -i``."""
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
        primaries=_word(rf"{_COLOURS}/([\w-]+)/", details) or "",
        transfer=_word(rf"{_COLOURS}/[\w-]+/([\w-]+)", details) or "",
        interlaced=re.search(r"\b(top|bottom) (coded )?first", details) is not None,
        rate=float(_rate(video)),
        pixel_aspect=1 / aspect if turn is not None and 45 <= abs(turn) % 180 < 135 else aspect,
        oriented=turn is not None,
        transparent=is_transparent(pixels) or _has_alpha_mode(video),
        video_start=max(0.0, (_number(r", start (-?[\d.]+)", video) or 0.0) - origin),
        video_end=None if end is None else end - origin,
        audio=_word(r": Audio: (\w+)", audio),
        audio_stream=_stream_number(audio) if audio else 0,
    )


def is_transparent(pixels: str) -> bool:
    """Return whether a pixel format may have alpha: ``yuva420p`` has, and ``pal8`` may."""
    return _ALPHA.match(pixels) is not None


def bits_of(pixels: str) -> int:
    """Return the bits of a channel in a pixel format, at least 8: ``yuv420p10le`` has 10."""
    found = _DEEP.search(pixels)
    if found is None:
        return 8
    # p010 and y210 have 10 bits; rgb48 and rgba64 have 16, gbrpf32 more.
    return _BITS.get(found[1], min(16, int(found[1][-2:])))


def _stream_number(stream: str) -> int:
    """Return the number at the start of a stream's description, as ``1[0x2](eng): Audio``."""
    return int(re.split(r"\D", stream, maxsplit=1)[0])


def _audio_rank(stream: str) -> tuple[bool, bool, int]:
    """Return a sound stream's sort key: default before others, main before special, number."""
    roles = re.search(r"((?: \([a-z -]+\))*)\s*$", stream.splitlines()[0])
    given = re.findall(r"\(([a-z -]+)\)", roles[1]) if roles else []
    special = not _SPECIAL_AUDIO.isdisjoint(given)
    return "default" not in given, special, _stream_number(stream)


def _pictures(stream: str) -> tuple[str, str, tuple[int, int]]:
    """Return a stream's pixel format, the details in brackets (``tv, top first``) and its size."""
    brackets = r"(?:\(([^()]*(?:\([^()]*\))?[^()]*)\))?"
    found = re.search(rf": Video: .*?, (\w+){brackets}, (\d+)x(\d+)", stream)
    if found is None:
        return "", "", (0, 0)
    return found[1], found[2] or "", (int(found[3]), int(found[4]))


def _pixel_aspect(stream: str) -> Fraction:
    """Return the pixel aspect; the container's, last in the line, overrides the codec's."""
    line = stream.partition("\n")[0]
    given = [(int(w), int(h)) for w, h in re.findall(r"\bSAR (\d+):(\d+)", line)]
    return next((Fraction(w, h) for w, h in reversed(given) if w and h), Fraction(1))


def _rate(stream: str) -> Fraction:
    """Return the frame rate; ffmpeg writes 24000/1001 as ``23.98 fps`` and 1000 as ``1k fps``."""
    found = re.search(r"([\d.]+)(k?) fps\b", stream) or re.search(r"([\d.]+)(k?) tbr\b", stream)
    if found is None:
        return Fraction(0)
    told = Fraction(found[1]) * (1000 if found[2] else 1)
    ntsc = Fraction(round(told * 1001, -3), 1001)
    return ntsc if told.denominator > 1 and abs(told - ntsc) <= Fraction(1, 200) else told


def _has_alpha_mode(stream: str) -> bool:
    """Return whether a WebM stream has a separate alpha channel."""
    return re.search(r"^ +alpha_mode +: 1", stream, re.MULTILINE | re.IGNORECASE) is not None


def _word(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None


def _number(pattern: str, text: str) -> float | None:
    found = re.search(pattern, text, re.MULTILINE)
    return float(found[1]) if found else None


def _clock(pattern: str, text: str) -> float | None:
    """Return a time like ``00:01:02.50`` in seconds."""
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        return None
    hours, minutes, seconds = found[1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
