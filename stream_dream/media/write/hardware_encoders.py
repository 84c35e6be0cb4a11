"""The encoders of graphics processors, and ffmpeg's arguments for each.

Each is asked for constant quality, which this table gives for the scale of ``--crf``, 0 to 51:

| encoder | codecs (bits) | option | at crf 0, 18, 51 |
| --- | --- | --- | --- |
| nvenc | h264 (8, 10), h265 (8, 10) | ``-rc vbr -cq`` | 1, 18, 51 |
| nvenc | av1 (8, 10) | ``-rc vbr -cq`` | 1, 22, 63 |
| qsv | h264 (8), h265, av1, vp9 (8, 10) | ``-global_quality`` | 1, 18, 51 |
| vaapi | h264 (8), h265 (8, 10) | ``-rc_mode CQP -qp`` | 1, 18, 51 |
| vaapi | av1, vp9 (8, 10) | ``-rc_mode CQP -global_quality`` | 1, 90, 255 |
| videotoolbox | h264 (8), h265 (8, 10) | ``-q:v``, where 100 is best | 100, 65, 1 |
| videotoolbox | prores, prores4444 (10) | none | |

The same number does not mean the same picture: each encoder spends its bits in its own way.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from stream_dream.settings.values import EncoderName

# The scale on which users give quality ends there.
_WORST_CRF = 51
_8, _10 = {8: "nv12"}, {8: "nv12", 10: "p010le"}


@dataclass(frozen=True, slots=True)
class HardwareEncoder:
    """An encoder of a graphics processor for one codec.

    Attributes:
        arguments: ffmpeg's arguments of the encoder.
        pixels: ffmpeg's pixel format that it takes, by bits a channel.
        deep_arguments: More arguments for more than 8 bits.
        filters: ffmpeg's filters that bring images to it.
        quality: ffmpeg's option of its quality; None if it has one quality.
        scale: Values of that option at the best and the worst quality on x264's scale.
    """

    arguments: tuple[str, ...]
    pixels: Mapping[int, str]
    deep_arguments: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    quality: str | None = None
    scale: tuple[int, int] = (0, _WORST_CRF)

    def picture_arguments(self, bits: int, crf: int) -> list[str]:
        """Return ffmpeg's arguments of the encoder, for a quality on x264's scale."""
        made = [*self.arguments, *(self.deep_arguments if bits > 8 else ())]
        if self.quality is not None:
            best, worst = self.scale
            # 0 stands for "not given", as far as they know it.
            made += [self.quality, str(max(1, round(best + (worst - best) * crf / _WORST_CRF)))]
        return made


# As often as x264 does. Nothing is reordered: chunks of a film are joined by their time stamps.
_ORDER = ("-g", "250", "-bf", "0")


def _nvenc(codec: str, worst: int = _WORST_CRF) -> HardwareEncoder:
    arguments = ("-c:v", f"{codec}_nvenc", "-preset", "p4", *_ORDER, "-rc", "vbr", "-b:v", "0")
    return HardwareEncoder(arguments, _10, quality="-cq", scale=(0, worst))


def _qsv(codec: str, pixels: Mapping[int, str] = _10) -> HardwareEncoder:
    return HardwareEncoder(("-c:v", f"{codec}_qsv", *_ORDER), pixels, quality="-global_quality")


def _vaapi(
    codec: str, pixels: Mapping[int, str] = _10, quality: str = "-qp", worst: int = _WORST_CRF
) -> HardwareEncoder:
    # Without a name, ffmpeg opens the first device that there is.
    device = ("-init_hw_device", "vaapi=hardware", "-filter_hw_device", "hardware")
    arguments = (*device, "-c:v", f"{codec}_vaapi", *_ORDER, "-rc_mode", "CQP")
    return HardwareEncoder(
        arguments, pixels, filters=("hwupload",), quality=quality, scale=(0, worst)
    )


def _videotoolbox(
    codec: str, pixels: Mapping[int, str], deep: tuple[str, ...] = ()
) -> HardwareEncoder:
    arguments = ("-c:v", f"{codec}_videotoolbox", *_ORDER)
    return HardwareEncoder(arguments, pixels, deep, quality="-q:v", scale=(100, 1))


def _apple_prores(profile: str, pixels: str) -> HardwareEncoder:
    return HardwareEncoder(("-c:v", "prores_videotoolbox", "-profile:v", profile), {10: pixels})


_ENCODERS: Mapping[str, Mapping[str, HardwareEncoder]] = {
    "nvenc": {"h264": _nvenc("h264"), "h265": _nvenc("hevc"), "av1": _nvenc("av1", 63)},
    "qsv": {
        "h264": _qsv("h264", _8),
        "h265": _qsv("hevc"),
        "av1": _qsv("av1"),
        "vp9": _qsv("vp9"),
    },
    "vaapi": {
        "h264": _vaapi("h264", _8),
        "h265": _vaapi("hevc"),
        "av1": _vaapi("av1", quality="-global_quality", worst=255),
        "vp9": _vaapi("vp9", quality="-global_quality", worst=255),
    },
    "videotoolbox": {
        "h264": _videotoolbox("h264", _8),
        "h265": _videotoolbox("hevc", _10, ("-profile:v", "main10")),
        "prores": _apple_prores("hq", "p210le"),
        "prores4444": _apple_prores("4444", "p410le"),
    },
}


def automatic_encoders() -> tuple[EncoderName, ...]:
    """Return the encoders that this platform may have, the best one first."""
    if sys.platform == "darwin":
        return ("videotoolbox",)
    return ("nvenc", "qsv") if sys.platform == "win32" else ("nvenc", "qsv", "vaapi")


def hardware_encoder(encoder: EncoderName, codec: str | None, bits: int) -> HardwareEncoder | None:
    """Return the arguments of an encoder for a codec in ``CODECS``; None if it does not have it."""
    known = _ENCODERS.get(encoder, {}).get(codec or "")
    return None if known is None or bits not in known.pixels else known
