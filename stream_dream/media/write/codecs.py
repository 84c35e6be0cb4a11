"""The codecs of films, and ffmpeg's arguments for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Renders of 720p and more wait for the encoder. Compared with "veryfast": the same SSIM, two thirds
# of the time, files a fifth larger.
_X264 = ("-c:v", "libx264", "-preset", "superfast")
# "superfast" takes 1.5 times as long, "veryfast" 2.2 times (measured, 10 bits at 720p).
_X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error")
# Presets above 9 show artefacts, as the encoder itself warns; 8 takes 1.5 times as long (measured).
_SVT_AV1 = ("-c:v", "libsvtav1", "-preset", "9")
_VP9 = ("-c:v", "libvpx-vp9", "-b:v", "0", "-deadline", "realtime", "-cpu-used", "6")
# ffmpeg's other ProRes encoder, prores_ks, takes three times as long (measured). Some editors
# accept Apple's vendor only.
_PRORES = ("-c:v", "prores", "-vendor", "apl0", "-profile:v")
# Colours of a layer are extreme where it is faint: over its footage the dream is within 2 levels of
# 255 here, with the other encoder within 9 (measured).
_PRORES_LAYER = (
    *("-c:v", "prores_ks", "-vendor", "apl0", "-profile:v", "4444"),
    *("-quant_mat", "default"),
)
# Chunks of a frame are decoded by as many threads.
_HAP = ("-c:v", "hap", "-chunks", "4", "-format")


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec of films.

    Attributes:
        arguments: ffmpeg's arguments of the encoder.
        pixels: ffmpeg's pixel format, by bits a channel.
        alpha_pixels: The same with an alpha channel; empty if it has none.
        alpha_arguments: Arguments of the encoder with an alpha channel, if others.
        automatic_bits: Most bits that are chosen unasked; more play in few programs.
        worst_crf: Where its scale of quality ends; None if it has none.
        best_crf: Where that starts.
        carrier: ffmpeg's muxer of the intermediate file that holds it.
        tag: Its tag in MP4 and MOV, where players insist on one.
        reordered: Most frames by which a frame is decoded before it is shown.
        multiple: What both sides must be multiples of, in pixels.
        least_size: Least (width, height).
        longest_side: Longest side, in pixels; a multiple of ``multiple``.
    """

    arguments: tuple[str, ...]
    pixels: Mapping[int, str]
    alpha_pixels: Mapping[int, str] = field(default_factory=dict)
    alpha_arguments: tuple[str, ...] = ()
    automatic_bits: int = 10
    worst_crf: int | None = None
    best_crf: int = 0
    carrier: str = "mp4"
    tag: str | None = None
    reordered: int = 0
    multiple: int = 2
    least_size: tuple[int, int] = (1, 1)
    longest_side: int = 16_384

    @property
    def is_rgb(self) -> bool:
        """True if it stores RGB, not luma and chroma."""
        return not self.pixels[min(self.pixels)].startswith("yuv")


_420 = {8: "yuv420p", 10: "yuv420p10le", 12: "yuv420p12le"}

# The longest side of VP9 is that of the intermediate MP4, whose sides have 16 bits.
CODECS: Mapping[str, Codec] = {
    "h264": Codec(_X264, {8: _420[8], 10: _420[10]}, automatic_bits=8, worst_crf=51, reordered=2),
    "h265": Codec(_X265, _420, worst_crf=51, tag="hvc1", reordered=2, least_size=(16, 16)),
    # Its quality 0 stands for "not given".
    "av1": Codec(
        _SVT_AV1, {8: _420[8], 10: _420[10]}, worst_crf=63, best_crf=1, least_size=(16, 16)
    ),
    "vp9": Codec((*_VP9, "-row-mt", "1"), _420, worst_crf=63, longest_side=65_534),
    "prores": Codec((*_PRORES, "3"), {10: "yuv422p10le"}, carrier="mov"),
    "prores4444": Codec(
        (*_PRORES, "4"),
        {10: "yuv444p10le"},
        {10: "yuva444p10le"},
        _PRORES_LAYER,
        carrier="mov",
    ),
    "dnxhr": Codec(
        ("-c:v", "dnxhd", "-profile:v", "dnxhr_hqx"),
        {10: "yuv422p10le"},
        carrier="mov",
        least_size=(256, 120),
    ),
    "ffv1": Codec(
        ("-c:v", "ffv1", "-level", "3", "-g", "1"),
        {8: "bgr0", 10: "gbrp10le", 12: "gbrp12le", 16: "gbrp16le"},
        {8: "bgra", 10: "gbrap10le", 12: "gbrap12le", 16: "gbrap16le"},
        automatic_bits=16,
        carrier="mov",
    ),
    "y4m": Codec((), {8: _420[8], 10: _420[10]}),
    "hap": Codec((*_HAP, "hap"), {8: "rgba"}, carrier="mov", multiple=4),
    "hapq": Codec((*_HAP, "hap_q"), {8: "rgba"}, carrier="mov", multiple=4),
}

LOSSLESS = Codec(
    ("-c:v", "libx264rgb", "-preset", "ultrafast", "-qp", "0"), {8: "rgb24"}, multiple=1
)
"""Codec of the intermediate file of GIFs, WebP and pictures."""

LOSSLESS_DEEP = Codec(
    ("-c:v", "ffv1", "-level", "3", "-g", "1"),
    {8: "bgr0", 16: "gbrp16le"},
    {8: "bgra", 16: "gbrap16le"},
    carrier="mov",
    multiple=1,
)
"""Codec of the intermediate file of pictures of 16 bits or with an alpha channel."""
