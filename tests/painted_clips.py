"""A painted clip of 20 frames, and a reader of its colours without the package."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import clips
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

FRAMES, RATE = 20, 25
WIDTH, HEIGHT = 256, 128
STRIP, STEP = 16, 12  # rows above the patches; pixels by which a mark moves from frame to frame
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clip:
    """What ffmpeg reads from a file.

    Attributes:
        report: What it says about the file.
        mark: Where the mark is in each frame, in its steps.
        colours: Colours of the patches, 0..1, (frames, patches, RGB); light of an EXR.
    """

    report: str
    mark: Floats
    colours: Floats


def images(bits: int) -> NDArray[np.uint16]:
    """Paint the frames: patches under a strip along which a mark moves; RGB of 16 bits."""
    image = clips.patch_image(WIDTH, HEIGHT).astype(np.uint16) * 257
    if bits > 8:
        image += 100  # between two levels of 8 bits
    image[:STRIP] = 0
    frames = np.repeat(image[None], FRAMES, axis=0)
    for number in range(FRAMES):
        frames[number, :STRIP, number * STEP : (number + 1) * STEP] = 65535
    return frames


def light(values: Floats) -> Floats:
    """Convert values on sRGB's curve to light."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb(light: Floats) -> Floats:
    """Convert light to values on sRGB's curve."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light.clip(0) ** (1 / 2.4) - 0.055)


_MATRICES = {"bt709": (0.2126, 0.0722), "bt2020nc": (0.2627, 0.0593)}
_BT601 = (0.299, 0.114)


def read(path: Path, *given: object) -> Clip:
    """Read a file or pattern with ffmpeg; YUV is converted here, by the matrix that it tells."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostats", *map(str, given)]
    native = [*command, "-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough"]
    found = subprocess.run([*command, "-i", str(path)], stderr=subprocess.PIPE, check=False)
    report = found.stderr.decode()
    match = re.search(r"Video: .*?, (\w+)(\(([^)]*)\))?, (\d+)x(\d+)", report)
    assert match is not None, report
    pixels, tags, width, height = match[1], match[3] or "", int(match[4]), int(match[5])
    wanted = "rgb48le" if "48" in pixels else "rgb24"
    if pixels.startswith("gbrp"):  # others are scaled by whole bits on the way
        wanted = "gbrpf32le" if "f16" in pixels else pixels
    elif pixels.startswith("yuv"):
        wanted = pixels
    raw = subprocess.run(
        [*native, "-f", "rawvideo", "-pix_fmt", wanted, "-"], capture_output=True, check=True
    ).stdout
    rows = [_row(raw, wanted, tags, width, height, at) for at in (STRIP // 2, HEIGHT // 2 + 8)]
    lit = rows[0][..., 1] > 0.5 * rows[0][..., 1].max()
    columns = np.arange(width) + 0.5
    mark = (lit * columns).sum(1) / lit.sum(1).clip(1) * WIDTH / width / STEP - 0.5
    middles = (np.arange(4) * 2 + 1) * width // 8
    return Clip(report, mark, rows[1][:, middles])


def _row(raw: bytes, pixels: str, tags: str, width: int, height: int, row: int) -> Floats:
    """Return a row of each frame, RGB (frames, width, 3)."""
    if pixels.startswith("rgb"):
        kind, most = ("<u2", 65535) if pixels == "rgb48le" else ("u1", 255)
        return np.frombuffer(raw, kind).reshape(-1, height, width, 3)[:, row] / most
    if pixels.startswith("gbrp"):
        depth = pixels.removeprefix("gbrp").removesuffix("le")
        kind, top = ("<f4", 1) if depth == "f32" else ("<u2", 2 ** int(depth) - 1)
        planes = np.frombuffer(raw, kind).reshape(-1, 3, height, width)
        return np.stack([planes[:, plane, row] / top for plane in (2, 0, 1)], -1)
    match = re.fullmatch(r"yuva?(4\d\d)p(\d+)?(le)?", pixels)
    assert match is not None, pixels
    bits = int(match[2] or 8)
    across, down = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[match[1]]
    shapes = [(height, width), *[(height // down, width // across)] * 2]
    shapes += [(height, width)] * ("a" in pixels)
    values = np.frombuffer(raw, np.uint8 if bits == 8 else "<u2")
    frames = values.reshape(-1, sum(h * w for h, w in shapes)).astype(float) / 2 ** (bits - 8)
    luma = frames[:, row * width : (row + 1) * width]
    start, size = height * width, shapes[1][0] * shapes[1][1]
    at = start + (row // down) * shapes[1][1]
    chroma = [
        frames[:, at + skip : at + skip + shapes[1][1]].repeat(across, 1) for skip in (0, size)
    ]
    red, blue = next((found for name, found in _MATRICES.items() if name in tags), _BT601)
    y, b, r = (luma - 16) / 219, (chroma[0] - 128) / 224, (chroma[1] - 128) / 224
    made_red, made_blue = y + 2 * (1 - red) * r, y + 2 * (1 - blue) * b
    green = (y - red * made_red - blue * made_blue) / (1 - red - blue)
    return np.stack([made_red, green, made_blue], -1)


def patches(bits: int = 8) -> Floats:
    """Return the colours of the patches that ``images`` paints, 0..1."""
    return (np.array(clips.PATCHES) * 257 + (100 if bits > 8 else 0)) / 65535


def bt1886(light: Floats) -> Floats:
    """Convert light to values on the curve of SDR screens."""
    return np.asarray(light.clip(0) ** (1 / 2.4))
