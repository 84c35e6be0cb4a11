#!/usr/bin/env python3
"""Measure the analysis of sound: the beats it finds, and the time and memory of an hour.

Prints one JSON object a line, then a table. A beat is found if there is one within 40 ms, a frame
at 25 fps. For songs given by name, whose beats nobody has written down, ``even`` is the share of
beats within 40 ms of an even grid: of music made with a computer, all of them.

    python scripts/bench_music.py                       # about two minutes on two cores
    python scripts/bench_music.py beats                 # one of: beats songs hour
    python scripts/bench_music.py songs --song a.mp3    # songs of your own
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from real_clips import clip
from rich.console import Console
from rich.table import Table

from stream_dream.automation.sound.analysis import SoundAnalysis, analyse
from stream_dream.media.ffmpeg import run
from stream_dream.media.write.sound import Soundtrack

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import sounds

Row = dict[str, Any]

LENGTH = 40.0
HOUR = 3600


def metronomes() -> Iterator[tuple[str, sounds.Sound, sounds.Times]]:
    """Yield clicks by name, with their beats."""
    click = sounds.click()
    for bpm in range(60, 181, 10):
        true = sounds.regular(bpm, LENGTH)
        yield f"metronome {bpm}", sounds.place(true, click, LENGTH), true
    for bpm in (80, 120, 160):
        true, between = sounds.swing(bpm, LENGTH)
        sound = sounds.place(true, click, LENGTH) + sounds.place(between, click, LENGTH, 0.5)
        yield f"swing {bpm}", sound, true
    for first, last in ((80, 140), (150, 90)):
        true = sounds.ramp(first, last, LENGTH)
        yield f"ramp {first} to {last}", sounds.place(true, click, LENGTH), true


def music() -> Iterator[tuple[str, sounds.Sound, sounds.Times]]:
    """Yield drums and songs by name, with their beats."""
    for bpm in (70, 90, 112, 128, 150, 174):
        yield f"drums {bpm}", sounds.drums(bpm, LENGTH), sounds.regular(bpm, LENGTH)
    for bpm, seed in ((76, 1), (96, 2), (112, 3), (128, 4), (145, 5)):
        yield f"song {bpm}", sounds.song(bpm, LENGTH, seed=seed), sounds.regular(bpm, LENGTH, 0.5)


def without_beats() -> Iterator[tuple[str, sounds.Sound, sounds.Times]]:
    """Yield sounds without a beat by name."""
    none = np.zeros(0)
    yield "noise", sounds.noise(LENGTH), none
    yield "surf", sounds.surf(LENGTH), none
    for seed in range(3):
        yield f"speech-like {seed}", sounds.babble(LENGTH, seed), none
    yield "sine", sounds.sine(440, LENGTH), none
    yield "sweep", sounds.sweep(30, 15000, LENGTH), none
    yield "silence", np.zeros(round(LENGTH * sounds.RATE)), none


def told(found: SoundAnalysis) -> Row:
    """Return what an analysis says of its beats."""
    return {
        "found": len(found.beats.times) if found.beats else 0,
        "tempo": found.tempo or 0.0,
        "confidence": found.confidence,
    }


def beats(folder: Path) -> Iterator[Row]:
    """Look for the beats of sounds whose beats are known."""
    for cases in (metronomes, music, without_beats):
        for name, sound, true in cases():
            found = analyse(Soundtrack(sounds.write(folder / "sound.wav", sound)))
            row: Row = {"figure": "beats", "sound": name, **told(found)}
            if len(true):
                times = np.array(found.beats.times if found.beats else ())
                row["recall"] = sounds.recall(times, true)
                row["extra"] = sounds.extra(times, true)
                near = times[np.abs(times[:, None] - true).min(axis=1) < 0.04]
                apart = near - true[np.abs(near[:, None] - true).argmin(axis=1)]
                row["offset_ms"] = float(np.mean(apart)) * 1e3 if len(near) else 0.0
                row["jitter_ms"] = float(np.std(apart)) * 1e3 if len(near) else 0.0
            yield row


def songs(paths: list[Path]) -> Iterator[Row]:
    """Look for the beats of real sound."""
    for path in [clip("bigbuckbunny"), *paths]:
        found = analyse(Soundtrack(path))
        row: Row = {"figure": "songs", "sound": path.name, "seconds": found.seconds, **told(found)}
        if found.beats:
            row["even"] = evenness(np.array(found.beats.times))
        yield row


def evenness(times: sounds.Times) -> float:
    """Return the largest share of beats within 40 ms of one of the even grids near their pace."""
    usual = float(np.median(np.diff(times)))
    best = 0.0
    for period in usual * np.linspace(0.97, 1.03, 3001):
        phase = np.exp(2j * np.pi * times / period)
        middle = np.angle(phase.mean())
        off = np.abs(np.angle(phase * np.exp(-1j * middle))) / (2 * np.pi) * period
        best = max(best, float((off <= 0.04).mean()))
    return best


def hour(folder: Path) -> Iterator[Row]:
    """Analyse an hour of a song as AAC in a process of its own."""
    song = sounds.write(folder / "song.wav", sounds.song(112, 60))
    path = folder / "hour.m4a"
    encoded = ("-ac", "2", "-t", str(HOUR), "-c:a", "aac", "-b:a", "128k", str(path))
    run(["-stream_loop", "-1", "-i", str(song), *encoded], seconds=600)
    command = [sys.executable, __file__, "--analyse", str(song), str(path)]
    # By a shell: a process's peak begins with that of the one that starts it.
    shell = ["sh", "-c", '"$@"; exit $?', "sh", *command]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    yield {"figure": "hour", "sound": "song 112, AAC", **json.loads(done.stdout)}


def analyse_hour(first: Path, path: Path) -> None:
    """Print the cost of analysing a file, after a short one that loads and compiles librosa."""
    began = time.perf_counter()
    analyse(Soundtrack(first))
    loaded = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu, began = time.process_time(), time.perf_counter()
    helpers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    found = analyse(Soundtrack(path))
    row = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "ffmpeg_seconds": resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - helpers,
        "megabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024,
        "megabytes_before": memory / 1024,
        "first_analysis_seconds": loaded,
        **told(found),
    }
    print(json.dumps(row))


def main() -> None:
    """Measure the chosen figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    figures = ("beats", "songs", "hour")
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(figures))
    parser.add_argument("--song", type=Path, action="append", default=[], help="sound file")
    parser.add_argument("--analyse", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.analyse:
        return analyse_hour(*given.analyse)
    chosen = given.figures or list(figures)
    if unknown := set(chosen) - set(figures):
        parser.error(f"no such figure: {unknown.pop()}; choose from {', '.join(figures)}")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = {"beats": lambda: beats(folder), "songs": lambda: songs(given.song)}
        made["hour"] = lambda: hour(folder)
        for figure in chosen:
            for row in made[figure]():
                rows.append(row)
                print(json.dumps(row), flush=True)
    table = Table("figure", "sound", "values", box=None)
    for row in rows:
        numbers = (f"{key} {value:.3g}" for key, value in row.items() if not isinstance(value, str))
        table.add_row(row["figure"], row["sound"], ", ".join(numbers))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
