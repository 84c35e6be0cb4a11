#!/usr/bin/env python3
"""Measure journeys: whether they stay sharp, colourful and inventive for ever, and what they cost.

Prints one JSON object a line, then a table. Everything compared is measured in this one run; quote
ratios, not seconds. Needs the ``test`` extra (scikit-image's pictures, the judging network).

    python scripts/bench_journey.py                          # everything, an hour on two cores
    python scripts/bench_journey.py endless --frames 1200    # one of: endless seam cost
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from picture_measures import clarity
from rich.console import Console
from rich.table import Table
from skimage import data

from stream_dream.automation.moment import Fade, Moment
from stream_dream.camera_move import CameraMove
from stream_dream.dream.ascent import Ascent
from stream_dream.film.one_piece import render
from stream_dream.frame import Frame, Image8
from stream_dream.image import fit_size, resize, to_float
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.automation import Automation
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.presets import load_preset
from stream_dream.temporal.journey_dreamer import JourneyDreamer
from stream_dream.temporal.warp import warp

Row = dict[str, Any]

# Figures are means over a span of frames from each of these on, every so many.
SPANS, SPAN, EVERY = (100, 1_000, 10_000), 400, 20
# Frames between two views of one thing, 250 are 10 s; only while it is less than 4 times larger.
LAGS, LARGER = (5, 10, 25, 50, 250), 4.0
SIDE = 480
JOURNEYS: dict[str, tuple[str, str, CameraMove]] = {
    "dogs": ("chelsea", "dogs", CameraMove(zoom=1.02, angle=0.3)),
    "slow": ("coffee", "dogs", CameraMove(zoom=1.004)),
    "domes": ("astronaut", "domes", CameraMove(zoom=1.015, depth=0.6)),
}
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def start_of(name: str, side: int = SIDE) -> Image8:
    """Return one of scikit-image's pictures, its longer side ``side`` pixels, of even size."""
    picture = getattr(data, name)()
    height, width = picture.shape[:2]
    fitted = fit_size((width, height), side, enlarged=4)
    return resize(picture, (fitted[0] // 2 * 2, fitted[1] // 2 * 2))


def journey(
    picture: str, preset: str, camera: CameraMove, frames: int, *, loop: bool = False
) -> Iterator[Image8]:
    """Yield the frames of a journey at 480 pixels."""
    dream = load_preset(preset).dream.model_copy(update={"dream_size": SIDE, "enlarge": 1.0})
    moment = Moment(0, dream, Fade(dream, dream, 1.0), camera=camera)
    settings = JourneySettings(seconds=frames / 25, loop=loop)
    dreamer = JourneyDreamer([Ascent(dream)], dream, settings, moments=lambda index: moment)
    start = start_of(picture)
    for index in range(frames):
        yield dreamer.ascend(dreamer.prepare(Frame(start, index))).compose()


def sharpness(image: Image8) -> float:
    """Return the energy of the finest band of the Laplacian pyramid, of luma in [0, 1]."""
    luma = to_float(image) @ LUMA
    band = luma - cv2.pyrUp(cv2.pyrDown(luma), dstsize=luma.shape[::-1])
    return float(np.square(band).mean())


def correlation(now: Image8, before: Image8, camera: CameraMove, lag: int) -> float:
    """Return the correlation of luma with what stood there ``lag`` frames before, -1..1.

    The frame before is followed along the exact flow; what has come in since is left out.
    """
    size = now.shape[1], now.shape[0]
    way = np.linalg.matrix_power(camera._replace(depth=0.0).matrix(size), lag)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    seen = cv2.warpPerspective(to_float(before) @ LUMA, way, size, flags=flags)
    shown = cv2.warpPerspective(np.ones(size[::-1], np.float32), way, size, flags=flags) > 0.99
    return float(np.corrcoef((to_float(now) @ LUMA)[shown], seen[shown])[0, 1])


def endless(frames: int, folder: Path) -> Iterator[Row]:
    """Compare spans of long journeys: sharpness, colour, contrast, clarity, what is invented."""
    for name, (picture, preset, camera) in JOURNEYS.items():
        spans = [begin for begin in SPANS if begin + SPAN <= frames]
        seen: dict[int, list[Image8]] = {begin: [] for begin in spans}
        last: dict[int, Image8] = {}
        lags = [lag for lag in LAGS if camera.zoom**lag < LARGER and not camera.depth]
        followed: dict[tuple[int, int], list[float]] = {}
        for index, image in enumerate(journey(picture, preset, camera, spans[-1] + SPAN)):
            last[index] = image
            last.pop(index - max(LAGS) - 1, None)
            begin = max((begin for begin in spans if begin <= index), default=None)
            if begin is None or index >= begin + SPAN or (index - begin) % EVERY:
                continue
            seen[begin].append(image)
            for lag in lags:
                if lag <= index:
                    view = correlation(image, last[index - lag], camera, lag)
                    followed.setdefault((begin, lag), []).append(view)
            if (index - begin) % 50 == 0:
                path = folder / f"{name}-{index:05}.png"
                cv2.imwrite(str(path), image[..., ::-1])
        for begin in spans:
            images = seen[begin]
            row: Row = {"figure": "endless", "journey": name, "frame": begin}
            row["sharpness"] = float(np.mean([sharpness(image) for image in images])) * 1e4
            colour: NDArray[Any] = np.mean([image.mean((0, 1)) for image in images], axis=0)
            row |= dict(zip(("red", "green", "blue"), map(float, colour), strict=True))
            row["contrast"] = float(np.mean([(image @ LUMA).std() for image in images]))
            row["clarity"] = clarity(images)
            row |= {f"after_{lag}": float(np.mean(followed[begin, lag])) for lag in lags}
            yield row


def seam(frames: int, folder: Path) -> Iterator[Row]:
    """Compare the step over the seam of a closed journey with its other steps."""
    for name, (picture, preset, camera) in JOURNEYS.items():
        images = list(journey(picture, preset, camera, 250, loop=True))
        size = images[0].shape[1::-1]
        flow = camera._replace(depth=0.0).flow((size[0], size[1]))
        inside = np.s_[size[1] // 10 : -size[1] // 10, size[0] // 10 : -size[0] // 10]
        changes = [
            float(np.abs(warp(to_float(images[index - 1]), flow) - to_float(image))[inside].mean())
            for index, image in enumerate(images)
        ]
        steps = changes[-100:] if camera.depth else changes[1:]
        yield {
            "figure": "seam",
            "journey": name,
            "levels": changes[0] * 255,
            "of_median": changes[0] / float(np.median(steps)),
            "of_largest": changes[0] / max(steps),
        }


def cost(frames: int, folder: Path) -> Iterator[Row]:
    """Compare the time of a frame with that of a render of the same size, in turn."""
    for side in (480, 960):
        start = start_of("chelsea", side)
        dream = load_preset("dogs").dream.model_copy(update={"dream_size": side, "enlarge": 1.0})
        clip, size = folder / f"clip-{side}.mp4", (start.shape[1], start.shape[0])
        count = 60
        with VideoSink(clip, size=size, fps=Fraction(25), overwrite=True) as sink:
            camera = CameraMove(zoom=1.01)
            image = to_float(start)
            for _ in range(count):
                sink.write(np.asarray(np.rint(image * 255), np.uint8))
                flow = camera.flow(size)
                image = np.clip(warp(image, flow, interpolation=cv2.INTER_CUBIC), 0, 1)
            sink.close()
        picture = folder / f"start-{side}.png"
        cv2.imwrite(str(picture), start[..., ::-1])
        journeying = JourneySettings(seconds=count / 25, size=size)
        rates: dict[str, list[float]] = {"render": [], "journey": []}
        for _ in range(3):
            for kind, source in (("render", clip), ("journey", picture)):
                made = render(
                    source,
                    folder / f"{kind}.mp4",
                    dream,
                    OutputSettings(),
                    Automation(),
                    overwrite=True,
                    **({"journey": journeying} if kind == "journey" else {}),
                )
                rates[kind].append(made.fps)
        yield {
            "figure": "cost",
            "size": f"{size[0]}x{size[1]}",
            "render_fps": float(np.median(rates["render"])),
            "journey_fps": float(np.median(rates["journey"])),
            "of_render": float(np.median(rates["render"]) / np.median(rates["journey"])),
        }


def main() -> None:
    """Measure what is asked for."""
    figures = {"endless": endless, "seam": seam, "cost": cost}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[*figures, []], help="all if none is given")
    parser.add_argument("--frames", type=int, default=10_400, help="frames of endless journeys")
    parser.add_argument("--pictures", type=Path, help="folder for some of the frames")
    arguments = parser.parse_args()
    table: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.pictures or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.figures or figures:
            for row in figures[name](arguments.frames, folder):
                print(json.dumps(row), flush=True)
                table.setdefault(name, []).append(row)
    for rows in table.values():
        shown = Table(*dict.fromkeys(key for row in rows for key in row))
        for row in rows:
            shown.add_row(
                *(
                    f"{row[key]:.3g}" if isinstance(row.get(key), float) else str(row.get(key, ""))
                    for key in dict.fromkeys(key for other in rows for key in other)
                )
            )
        Console(width=160).print(shown)


if __name__ == "__main__":
    main()
