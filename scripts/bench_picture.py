#!/usr/bin/env python3
"""Measure the picture of the default look: what makes a dream worth looking at.

Compares the default (or another preset) with the default of version 0.1 and with a full dream on
every frame, on real clips and photos; the figures are those of ``picture_measures.py``, of frames
40 to 69. Prints one JSON object a line, then a table. Everything compared is measured in this one
run; quote ratios, not milliseconds. Needs the ``test`` extra (clips, photos, the judging network).

    python scripts/bench_picture.py                    # everything: some minutes
    python scripts/bench_picture.py bikes astronaut    # some of the clips and photos
    python scripts/bench_picture.py --preset my.toml   # another look in place of the default
    python scripts/bench_picture.py --frames out       # the judged dreams as PNG, too
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from coherence import FULL, JUDGED_FRAMES, PLAIN_GROWTH, added_flicker, judging_flows
from picture_measures import burnt, clarity, evenness, luma_share, strength
from PIL import Image
from real_clips import clip
from rich.console import Console
from rich.table import Table
from skimage import data

from stream_dream.dream.ascent import Ascent
from stream_dream.frame import Frame, Image8
from stream_dream.image import resize
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.dream import DreamSettings, for_stills
from stream_dream.settings.presets import DEFAULT_PRESET, load_preset
from stream_dream.settings.validation import validated
from stream_dream.still.dreamer import StillDreamer
from stream_dream.temporal.dreamer import TemporalDreamer

Row = dict[str, Any]
Ways = dict[str, DreamSettings]

# The default of version 0.1; later settings are switched off. Half of a step was shown a frame
# later: that is momentum.
BEFORE = PLAIN_GROWTH | {
    "layer": ["block10"],
    "momentum": 0.5,
    "octaves": 2,
    "octave_scale": 1.3,
    "steps": 1,
    "step_size": 0.0095,
    "jitter": 4,
    "persistence": 0.98,
    "schedule": "together",
    "gradient_norm": "laplacian",
    "warm_up": 12,
}
# Version 0.1 for stills: three more octaves, one after the other, 13 steps each.
BEFORE_STILL = BEFORE | {
    "octaves": 5,
    "dream_size": 1024,
    "schedule": "all",
    "steps": 13,
    "warm_up": 0,
}
# Settings of the objective, which full dreams share with the look.
SUBJECT = ("network", "weights", "layer", "classes")

# Clips and the size to which they are scaled.
CLIPS: dict[str, tuple[int, int] | None] = {
    "bikes": None,
    "bigbuckbunny": (640, 360),
    "carphone_pristine": None,
}
STILLS = ("astronaut", "coffee", "chelsea")
FRAMES = 70
# Frames before the judged ones at which dreams without persistence begin: traced and in step then.
LEAD = 5
# One in this many dreams is judged: the judging network takes longer than the dream.
CLARITY_EVERY = 3
# Width of the table, in characters.
WIDTH = 120


def film_ways(name: str, look: DreamSettings) -> Ways:
    """Return the settings to compare on clips."""
    same = {key: getattr(look, key) for key in SUBJECT}
    size = {"dream_size": look.dream_size, "enlarge": look.enlarge}
    return {
        "full": validated(DreamSettings, same | FULL),
        f"full at {look.dream_size}": validated(DreamSettings, same | FULL | size),
        "before": validated(DreamSettings, BEFORE),
        name: look,
        f"{name}, cadence 2": look.model_copy(update={"cadence": 2}),
    }


def still_ways(name: str, look: DreamSettings) -> Ways:
    """Return the settings to compare on photos."""
    before = validated(DreamSettings, BEFORE_STILL)
    return {"before": before, name: for_stills(look, {})}


def clip_frames(name: str) -> list[Frame]:
    """Return the first frames of a clip."""
    with VideoSource(clip(name)) as source:
        frames = [frame for frame, _ in zip(source, range(FRAMES), strict=False)]
    size = CLIPS[name]
    return [
        Frame(resize(frame.image, size) if size else frame.image, frame.index) for frame in frames
    ]


def frame_ms(seconds: Sequence[float], cadence: int) -> float:
    """Return the median time of a frame in milliseconds.

    Args:
        seconds: Time of each judged frame.
        cadence: One in ``cadence`` frames is dreamed; the mean of each such group counts.
    """
    turns = range(0, len(seconds) - cadence + 1, cadence)
    means = [statistics.mean(seconds[turn : turn + cadence]) for turn in turns]
    return statistics.median(means) * 1e3


def measured_clip(name: str, ways: Ways, judge: Ascent, folder: Path | None) -> Iterator[Row]:
    """Dream a clip with all settings and yield the figures of each."""
    frames = clip_frames(name)
    dreamers = {way: TemporalDreamer(Ascent(settings), settings) for way, settings in ways.items()}
    dreams: dict[str, list[Image8]] = {way: [] for way in ways}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for place, frame in enumerate(frames):
        for way, dreamer in dreamers.items():  # in turns, so that all meet the same machine noise
            if not ways[way].persistence and place < FRAMES - JUDGED_FRAMES - LEAD:
                continue
            begun = time.perf_counter()
            dreams[way].append(dreamer(frame).image)
            seconds[way].append(time.perf_counter() - begun)
    # The judged frames and the one before them.
    sources = [frame.image for frame in frames[-JUDGED_FRAMES - 1 :]]
    flows = judging_flows(sources)
    for way, settings in ways.items():
        judged = dreams[way][-JUDGED_FRAMES - 1 :]
        yield {
            "picture": name,
            "way": way,
            **figures(sources[1:], judged[1:], judge, clarity_every=CLARITY_EVERY),
            "added_flicker": added_flicker(sources, judged, flows),
            "ms": frame_ms(seconds[way][-JUDGED_FRAMES:], settings.cadence),
        }
        if folder is not None:
            for frame, dream in zip(frames[-JUDGED_FRAMES:], judged[1:], strict=True):
                write(dream, folder / name / way.replace(", ", "_") / f"{frame.index:04}.png")


def measured_still(name: str, ways: Ways, judge: Ascent, folder: Path | None) -> Iterator[Row]:
    """Dream a photo with all settings and yield the figures of each."""
    source = getattr(data, name)()
    for way, settings in ways.items():
        dreamer = StillDreamer(settings)
        begun = time.perf_counter()
        dream = dreamer(source)
        # Includes tracing: stills are dreamed one by one.
        ms = (time.perf_counter() - begun) * 1e3
        yield {"picture": name, "way": way, **figures([source], [dream], judge), "ms": ms}
        if folder is not None:
            write(dream, folder / name / f"{way}.png")


def figures(
    sources: Sequence[Image8], dreams: Sequence[Image8], judge: Ascent, *, clarity_every: int = 1
) -> dict[str, float]:
    """Return the mean figures of dreams, each compared with its source.

    Args:
        sources: uint8 RGB, (height, width, 3).
        dreams: The same, as many.
        judge: Ascent whose objective measures strength.
        clarity_every: One in this many dreams is judged for clarity.
    """
    pairs = list(zip(sources, dreams, strict=True))
    return {
        "burnt": float(np.mean([burnt(*pair) for pair in pairs])),
        "evenness": float(np.mean([evenness(*pair) for pair in pairs])),
        "luma_share": float(np.mean([luma_share(*pair) for pair in pairs])),
        "clarity": clarity(dreams[::clarity_every]),
        "strength": float(np.mean([strength(*pair, judge.loss) for pair in pairs])),
    }


def with_ratios(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the rows of one picture, then their ratios to ``before`` and ``full``."""
    by_way: dict[str, Row] = {}
    for row in rows:
        by_way[row["way"]] = row
        yield row
    for reference in ("before", "full"):
        if reference not in by_way:
            continue
        for way, row in by_way.items():
            if way not in ("before", "full") or (way, reference) == ("before", "full"):
                yield {
                    "picture": row["picture"],
                    "way": f"{way} / {reference}",
                    **ratios(row, by_way[reference]),
                }


def ratios(row: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of a row as multiples of a reference's, where those are not 0."""
    return {
        key: value / reference[key]
        for key, value in row.items()
        if isinstance(value, float) and reference[key]
    }


def write(image: Image8, path: Path) -> None:
    """Write a dream as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*(column.replace("_", " ") for column in columns), box=None)
    for row in rows:
        cells = (row.get(column, "") for column in columns)
        table.add_row(*(cell if isinstance(cell, str) else brief(cell) for cell in cells))
    Console(width=WIDTH).print(table)


def brief(value: float) -> str:
    """Format a number with three digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main() -> None:
    """Measure the chosen pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = (*CLIPS, *STILLS)
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help=", ".join(names))
    parser.add_argument("--preset", default=DEFAULT_PRESET, metavar="NAME|FILE")
    parser.add_argument("--frames", type=Path, metavar="FOLDER", help="gets the judged dreams")
    arguments = parser.parse_args()
    if unknown := set(arguments.pictures) - set(names):
        parser.error(f"no such picture: {unknown.pop()}; choose from {', '.join(names)}")
    chosen = [name for name in names if name in arguments.pictures or not arguments.pictures]
    preset = load_preset(arguments.preset)
    name = "default" if preset.name == DEFAULT_PRESET else preset.name
    cv2.setNumThreads(1)  # as in a render
    judge = Ascent(validated(DreamSettings, {"layer": ["block10"]}))
    rows: list[Row] = []
    for picture in chosen:
        if picture in CLIPS:
            ways = film_ways(name, preset.dream)
            measured = measured_clip(picture, ways, judge, arguments.frames)
        else:
            ways = still_ways(name, preset.dream)
            measured = measured_still(picture, ways, judge, arguments.frames)
        for row in with_ratios(measured):
            rows.append(row)
            print(json.dumps(row), flush=True)
    show(rows)


if __name__ == "__main__":
    main()
