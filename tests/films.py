"""A small film with cuts and sound, and a network that worker processes know, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import synthetic
from skimage import data

from stream_dream.film.plan.plan import Chunk, Plan
from stream_dream.frame import Image8
from stream_dream.media.write.video import VideoSink

SHOTS = (14, 9, 20)
"""Frames of each shot of ``make_film``."""


def film_images(shots: Sequence[int] = SHOTS, size: tuple[int, int] = (96, 64)) -> list[Image8]:
    """Return the frames of shots that look nothing like each other."""
    images: list[Image8] = []
    for number, count in enumerate(shots):
        frames, _ = synthetic.pan(count, size=size)
        image = data.astronaut()[: size[1], : size[0]]
        for frame in frames:
            kind = number % 3
            images.append(
                frame.image if kind == 0 else 255 - frame.image if kind == 1 else image.copy()
            )
            image = np.roll(image, 2, axis=1)
    return images


def make_film(
    path: Path,
    shots: Sequence[int] = SHOTS,
    size: tuple[int, int] = (96, 64),
    *,
    sound: bool = True,
) -> Path:
    """Write a film at 25 frames a second."""
    images = film_images(shots, size)
    silent = path.with_name(f"silent-{path.name}")
    with VideoSink(silent, size=size, fps=Fraction(25), crf=8) as sink:
        for image in images:
            sink.write(image)
    tone = ("-f", "lavfi", "-i", f"sine=d={len(images) / 25}")
    clips.ffmpeg("-i", silent, *tone, "-c:v", "copy", "-c:a", "aac", path)
    silent.unlink()
    return path


def make_network(path: Path) -> Path:
    """Write a tiny Keras model."""
    import keras

    keras.utils.set_random_seed(7)
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="conv0")(image)
    x = keras.layers.Conv2D(12, 3, 2, padding="same", activation="relu", name="conv1")(x)
    keras.Model(image, x).save(path)
    return path


def plan_with(*shots: Sequence[int]) -> Plan:
    """Make a plan from the lengths of each shot's chunks."""
    chunks: list[Chunk] = []
    for shot, lengths in enumerate(shots):
        for place, frames in enumerate(lengths):
            before = chunks[-1] if chunks else None
            chunks.append(
                Chunk(
                    number=len(chunks),
                    shot=shot,
                    first=before.first + before.frames if before else 0,
                    frames=frames,
                    source=None,
                    begins=0,
                    continues=place > 0,
                    continued=place + 1 < len(lengths),
                )
            )
    return Plan(tuple(chunks))


@dataclass
class Notes:
    """Remembers what a render has said."""

    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        """Record a line."""
        self.lines.append(line)

    def __contains__(self, text: str) -> bool:
        """Return whether a line has this text."""
        return any(text in line for line in self.lines)
