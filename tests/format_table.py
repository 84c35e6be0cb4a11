"""Every kind of input, and every kind of output."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import clips
import numpy as np
from painted_clips import FRAMES, HEIGHT, RATE, WIDTH, images, light


@dataclass(frozen=True)
class Source:
    """A clip.

    Attributes:
        path: The file, or the pattern of its pictures.
        bits: Bits a channel that it tells.
        sound: True if it has sound.
        hdr: True if it is HDR.
        wide: True if its pixels are 4:3.
        piped: How it comes from standard input: settings of the render; None if it does not.
    """

    path: Path
    bits: int = 8
    sound: bool = False
    hdr: bool = False
    wide: bool = False
    piped: dict[str, object] | None = None


def _raw(bits: int) -> tuple[tuple[str, ...], bytes]:
    """Return ffmpeg's arguments to read the frames from its standard input, and the frames."""
    pixels = "rgb48le" if bits > 8 else "rgb24"
    frames = images(bits)
    data = frames.astype("<u2") if bits > 8 else (frames >> 8).astype(np.uint8)
    size = f"{WIDTH}x{HEIGHT}"
    return ("-f", "rawvideo", "-pix_fmt", pixels, "-s", size, "-r", str(RATE), "-i", "-"), (
        data.tobytes()
    )


def _film(
    path: Path,
    pixels: str,
    *codec: object,
    bits: int = 8,
    sound: str | None = None,
    more: str = "",
    matrix: str = "bt709",
) -> Path:
    given, data = _raw(bits)
    yuv = f"scale=out_color_matrix={matrix}:out_range=tv:flags=accurate_rnd+full_chroma_int"
    tags = ",setparams=color_primaries=bt709:color_trc=bt709" if matrix == "bt709" else ""
    tone: tuple[str, ...] = ()
    if sound is not None:
        tone = ("-f", "lavfi", "-i", f"sine=440:d={FRAMES / RATE}")
        codec = (*codec, "-c:a", sound, "-shortest")
    filters = f"{yuv},format={pixels}{tags}{more}"
    clips.ffmpeg(*given, *tone, "-vf", filters, *codec, path, stdin=data)
    return path


def _pictures(folder: Path, name: str, pixels: str, *codec: object, bits: int) -> Path:
    folder.mkdir()
    given, data = _raw(bits)
    clips.ffmpeg(*given, "-pix_fmt", pixels, *codec, folder / name, stdin=data)
    return folder / name


def _lights(folder: Path, form: str) -> Path:
    folder.mkdir()
    values = np.stack([light(images(16)[..., channel] / 65535) for channel in (1, 2, 0)], 1)
    size = f"{WIDTH}x{HEIGHT}"
    given = ("-f", "rawvideo", "-pix_fmt", "gbrpf32le", "-s", size, "-r", RATE, "-i", "-")
    codec = ("-c:v", "exr", "-format", form)
    clips.ffmpeg(*given, *codec, folder / "%03d.exr", stdin=values.astype("<f4").tobytes())
    return folder / "%03d.exr"


def _hdr(path: Path) -> Path:
    given, data = _raw(8)
    tags = "color_primaries=bt709:color_trc=bt709:colorspace=gbr:range=pc"
    light = f"format=gbrp,setparams={tags},zscale=t=linear:npl=203,format=gbrpf32le"
    made = "zscale=p=bt2020:t=smpte2084:m=bt2020nc:r=tv:npl=203,format=yuv420p10le"
    told = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")
    clips.ffmpeg(*given, "-vf", f"{light},{made}", *_X265, *told, path, stdin=data)
    return path


def _transparent(path: Path) -> Path:
    """Write a film whose strip is transparent at its right end, where it is white."""
    alpha = ",geq=lum='if(gte(X,240)*lt(Y,16),940,lum(X,Y))':cb='cb(X,Y)':cr='cr(X,Y)'"
    alpha += ":a='if(gte(X,240)*lt(Y,16),0,1023)'"
    codec = ("-c:v", "prores_ks", "-profile:v", 4)
    return _film(path, "yuva444p10le", *codec, bits=10, sound="pcm_s16le", more=alpha)


_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", 1)
_X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-crf", 1, "-x265-params", "log-level=error")
_PRORES = ("-c:v", "prores_ks", "-profile:v", 3)
_VP9 = ("-c:v", "libvpx-vp9", "-crf", 4, "-b:v", 0, "-deadline", "realtime", "-cpu-used", 8)
_RAW = f"{WIDTH}x{HEIGHT}@{RATE}"
SOURCES: dict[str, Callable[[Path], Source]] = {
    "h264": lambda at: Source(_film(at / "a.mp4", "yuv420p", *_X264, sound="aac"), sound=True),
    "h265 10 bits, wide pixels": lambda at: Source(
        _film(at / "b.mkv", "yuv420p10le", *_X265, bits=10, sound="flac", more=",setsar=sar=4/3"),
        bits=10,
        sound=True,
        wide=True,
    ),
    "hdr": lambda at: Source(_hdr(at / "c.mp4"), bits=10, hdr=True),
    "prores": lambda at: Source(
        _film(at / "d.mov", "yuv422p10le", *_PRORES, bits=10, sound="pcm_s16le"),
        bits=10,
        sound=True,
    ),
    "prores4444, alpha": lambda at: Source(_transparent(at / "e.mov"), bits=12, sound=True),
    "vp9": lambda at: Source(_film(at / "f.webm", "yuv420p", *_VP9, sound="libopus"), sound=True),
    "gif": lambda at: Source(
        _film(at / "g.gif", "rgb24", more=",split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=0")
    ),
    "png": lambda at: Source(_pictures(at / "h", "%03d.png", "rgb24", bits=8)),
    "png 16 bits": lambda at: Source(_pictures(at / "i", "%03d.png", "rgb48be", bits=16), bits=16),
    "tiff 16 bits": lambda at: Source(_pictures(at / "j", "%03d.tif", "rgb48le", bits=16), bits=16),
    "exr half": lambda at: Source(_lights(at / "k", "half"), bits=16),
    "exr float": lambda at: Source(_lights(at / "l", "float"), bits=16),
    "dpx": lambda at: Source(_pictures(at / "m", "%03d.dpx", "gbrp10le", bits=10), bits=10),
    "y4m": lambda at: Source(_film(at / "n.y4m", "yuv420p", matrix="bt601"), piped={}),
    "raw": lambda at: Source(_written(at / "o.raw", _raw(8)[1]), piped={"raw": _RAW}),
}
"""Makers of each clip in a folder."""


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@dataclass(frozen=True)
class Target:
    """An output.

    Attributes:
        name: The file, or the pattern of its pictures; ``-`` for standard output.
        codec: ffmpeg's name of its codec.
        pixels: Its pixel format, by the bits of the source; 8 stands for fewer than any others.
        settings: Settings of the render.
        allowed: By how much a colour may differ, in levels of 255; deep ones in levels of 1023.
        tag: Its codec's tag.
    """

    name: str
    codec: str
    pixels: dict[int, str]
    settings: dict[str, object] = field(default_factory=dict)
    allowed: float = 2.0
    tag: str = ""

    @property
    def film(self) -> bool:
        """True if it has sound and a pixel aspect."""
        return self.name.endswith((".mp4", ".mov", ".mkv", ".webm"))

    @property
    def sequence(self) -> bool:
        """True if it is numbered pictures."""
        return "%" in self.name

    def pixels_for(self, source: Source) -> str:
        """Return the pixel format that it has for a source."""
        return next(found for bits, found in sorted(self.pixels.items()) if bits >= source.bits)

    def deep_for(self, source: Source) -> bool:
        """Return whether it has more than 8 bits."""
        return re.search(r"1[026]|48", self.pixels_for(source).removeprefix("yuv4")) is not None


_MOST = 16  # bits
_DEEP_420, _PLAIN_420 = {8: "yuv420p", _MOST: "yuv420p10le"}, {_MOST: "yuv420p"}
_RGB = {8: "bgr0", 10: "gbrp10le", 12: "gbrp12le", 16: "gbrp16le"}


_BEST: dict[str, object] = {"crf": 1}
"""Quality without coarse steps, which would move colours by more than rounding does."""


def _codec(codec: str, bits: int | None = None) -> dict[str, object]:
    return {"codec": codec} | ({} if bits is None else {"bits": bits})


TARGETS: dict[str, Target] = {
    "h264": Target("a.mp4", "h264", _PLAIN_420, _codec("h264"), tag="avc1"),
    "h264 10 bits": Target(
        "a.mp4", "h264", {16: "yuv420p10le"}, _codec("h264", 10) | _BEST, 2.0, "avc1"
    ),
    "h265": Target("a.mp4", "hevc", _DEEP_420, _codec("h265") | _BEST, 2.2, "hvc1"),
    "h265 12 bits": Target(
        "a.mov", "hevc", {16: "yuv420p12le"}, _codec("h265", 12) | _BEST, 2.2, "hvc1"
    ),
    "av1": Target("a.mp4", "av1", _DEEP_420, _codec("av1") | _BEST, 2.0, "av01"),
    "vp9": Target("a.webm", "vp9", _DEEP_420, _codec("vp9")),
    "vp9 12 bits": Target("a.webm", "vp9", {16: "yuv420p12le"}, _codec("vp9", 12) | _BEST, 2.0),
    "prores": Target("a.mov", "prores", {16: "yuv422p10le"}, _codec("prores"), 2.0, "apch"),
    "prores4444": Target("a.mov", "prores", {16: "yuv444p12le"}, _codec("prores4444"), 2.0, "ap4h"),
    "dnxhr": Target("a.mov", "dnxhd", {16: "yuv422p10le"}, _codec("dnxhr"), 2.0, "AVdh"),
    "ffv1": Target("a.mkv", "ffv1", _RGB, _codec("ffv1"), 1.2),
    "ffv1 12 bits": Target("a.mkv", "ffv1", {16: "gbrp12le"}, _codec("ffv1", 12)),
    "ffv1 16 bits": Target("a.mkv", "ffv1", {16: "gbrp16le"}, _codec("ffv1", 16)),
    "hap": Target("a.mov", "hap", {16: "rgb0"}, _codec("hap"), 2.5, "Hap1"),
    "hapq": Target("a.mov", "hap", {16: "rgb0"}, _codec("hapq"), 3.5, "HapY"),
    "gif": Target("a.gif", "gif", {16: "bgra"}, allowed=8),
    "webp": Target("a.webp", "webp_anim", {16: "argb"}, allowed=3),
    "apng": Target("a.apng", "apng", {16: "rgb24"}, allowed=1),
    "png": Target("%03d.png", "png", {8: "rgb24", 16: "rgb48be"}, allowed=1.2),
    "png 8 bits": Target("%03d.png", "png", {16: "rgb24"}, {"bits": 8}, allowed=1),
    "tiff": Target("%03d.tif", "tiff", {8: "rgb24", 16: "rgb48le"}, allowed=1.2),
    "exr": Target("%03d.exr", "exr", {16: "gbrpf16le"}, allowed=2),
    "y4m": Target("-", "rawvideo", _DEEP_420),
}
"""Outputs in their main containers."""
