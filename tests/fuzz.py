"""Mutate small files of ten containers and dream each: ``python tests/fuzz.py 300``.

Each has to end in a dream of its readable part, or in one line and the exit code of bad input, with
no process or file left behind. Failures are printed and their files kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import clips
import numpy as np

SECONDS = 120.0
"""How long a file may take: a hundred times what it usually does."""

_SOUND = ("-f", "lavfi", "-i", "sine=d=0.6")
_CONTAINERS: dict[str, tuple[object, ...]] = {
    "mp4": ("-c:v", "libx264", "-movflags", "+faststart"),
    "mov": ("-c:v", "qtrle", "-pix_fmt", "argb"),
    "mkv": ("-c:v", "libx264", "-bf", 2),
    "webm": ("-c:v", "libvpx-vp9", "-cpu-used", 8, "-pix_fmt", "yuva420p"),
    "avi": ("-c:v", "mpeg4"),
    "ts": ("-c:v", "libx264", "-x264-params", "interlaced=1"),
    "mpg": ("-c:v", "mpeg2video", "-flags", "+ilme+ildct"),
    "flv": ("-c:v", "flv1"),
    "gif": (),
    "webp": ("-c:v", "libwebp_anim"),
}
_SILENT = ("gif", "webp")
# A damaged delay may be ten minutes of frames: --end limits them.
_TINY = "--end 1 --network tiny --layer conv2 --octaves 2 --warm-up 2 --jitter 4 --dream-size 48 -q"
_COMMANDS = {
    "render": ("render", "SOURCE", "out.mkv"),
    "chunks": ("render", "SOURCE", "out.mp4", "--chunk-seconds", "0.1"),
    "loop": ("loop", "SOURCE", "out.gif", "--bounce"),
    "mask": ("render", "GOOD", "out.mp4", "--mask", "SOURCE"),
    "guide": ("render", "GOOD", "out.mp4", "--guide", "SOURCE"),
}


def originals(folder: Path) -> list[Path]:
    """Write a clip of each container."""
    made = []
    for suffix, options in _CONTAINERS.items():
        sound = () if suffix in _SILENT else _SOUND
        made.append(clips.make(folder / f"good.{suffix}", *sound, *options, seconds=0.4))
    return made


def mutated(data: bytes, other: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Return the kind of damage and the damaged bytes."""
    kind = str(rng.choice(["flipped", "header flipped", "cut", "swapped", "blank", "twice"]))
    found = bytearray(data)
    start, length = int(rng.integers(len(data))), int(rng.integers(1, 2000))
    if kind in ("flipped", "header flipped"):
        reach = len(found) if kind == "flipped" else min(300, len(found))
        for where in rng.integers(reach, size=int(rng.integers(1, 40))):
            found[where] ^= int(rng.integers(1, 256))
    elif kind == "cut":
        del found[start:]
    elif kind == "swapped":
        length = int(rng.integers(4, 400))
        found[:length] = other[:length]
    elif kind == "blank":
        found[start : start + length] = bytes(len(found[start : start + length]))
    else:
        found[start:start] = found[start : start + length]
    return kind, bytes(found)


@dataclass(frozen=True)
class Outcome:
    """The exit code of a command, None after a crash or timeout, and its standard error."""

    code: int | None
    errors: str


class Worker:
    """A process that runs commands in turn, so that TensorFlow is imported once."""

    def __init__(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def run(self, folder: Path, arguments: list[str]) -> Outcome:
        """Run a command in a folder; after a crash or timeout the exit code is None."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        errors = folder.parent / "errors"
        self._process.stdin.write(json.dumps([str(folder), str(errors), arguments]) + "\n")
        self._process.stdin.flush()
        watchdog = threading.Timer(SECONDS, self._process.kill)
        watchdog.start()
        answer = self._process.stdout.readline()
        watchdog.cancel()
        return Outcome(int(answer) if answer else None, errors.read_text(errors="replace"))


def serve() -> None:
    """Run the commands that arrive on standard input."""
    import synthetic

    from stream_dream.cli import app

    synthetic.register_tiny()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        folder, errors, arguments = json.loads(line)
        os.chdir(folder)
        with open(errors, "w") as file:
            os.dup2(file.fileno(), 2)
            os.dup2(file.fileno(), 1)
        sys.argv = ["stream-dream", *arguments]
        try:
            app.main()
        except SystemExit as ended:
            answers.write(f"{ended.code}\n")
            answers.flush()


def fault(outcome: Outcome, folder: Path) -> str | None:
    """Return what is wrong with the outcome of a command, None if nothing."""
    lines = [line for line in outcome.errors.splitlines() if line.strip()]
    left = sorted(path.name for path in folder.iterdir())
    if outcome.code is None:
        return f"it has crashed, or took more than {SECONDS:g} s: {lines[-1:]}"
    if outcome.code == 0:
        if len(left) != 1 or not left[0].startswith("out."):
            return f"exit code 0, and there is {left}"
        strange = [line for line in lines if not line.startswith("stream-dream: ")]
        return f"exit code 0, and it said {strange}" if strange else None
    if outcome.code != 2 or len(lines) != 1 or "error: " not in lines[0]:
        return f"exit code {outcome.code}: {lines}"
    if "--debug shows where" in lines[0]:
        return f"an unforeseen error: {lines[0]}"
    return f"there is {left}" if left else None


def fuzz(count: int, seed: int, work: Path) -> tuple[list[str], Counter[str]]:
    """Mutate ``count`` files and dream each.

    Returns:
        The failures, one line each, and counts of commands with their exit codes.
    """
    rng = np.random.default_rng(seed)
    good = originals(work)
    found: list[str] = []
    seen: Counter[str] = Counter()
    worker = Worker()
    try:
        for number in range(count):
            original = good[number % len(good)]
            other = good[int(rng.integers(len(good)))]
            kind, data = mutated(original.read_bytes(), other.read_bytes(), rng)
            source = work / f"{number:04d}{original.suffix}"
            source.write_bytes(data)
            command = list(_COMMANDS)[number // len(good) % len(_COMMANDS)]
            named = {"SOURCE": str(source), "GOOD": str(good[0])}
            folder = Path(tempfile.mkdtemp(dir=work))
            arguments = [named.get(word, word) for word in _COMMANDS[command]]
            outcome = worker.run(folder, [*arguments, *_TINY.split()])
            problem = fault(outcome, folder)
            running = [name for name in clips.children(worker.pid) if name.startswith("ffmpeg")]
            if problem is None and running:
                problem = f"still running: {running}"
            if problem is None:
                source.unlink()
            else:
                found.append(f"{command} of {source} ({kind}): {problem}")
            seen[f"{command}: {outcome.code}"] += 1
            if outcome.code is None:
                worker.__exit__()
                worker = Worker()
    finally:
        worker.__exit__()
    return found, seen


def main() -> None:
    """Parse the command line and fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.serve:
        serve()
        return
    found, seen = fuzz(wanted.count, wanted.seed, Path(tempfile.mkdtemp(prefix="fuzz-")))
    for line in found:
        print(line)
    print(", ".join(f"{how} {often} times" for how, often in sorted(seen.items())))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
