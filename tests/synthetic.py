"""Pictures and clips of known motion, and a tiny network without weights."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage import data, transform

from stream_dream.frame import Frame, Image8
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.video import VideoSink
from stream_dream.networks.registry import register
from stream_dream.networks.spec import Layer, NetworkSpec

TINY = "tiny"


def photo(size: tuple[int, int] = (160, 120)) -> Image8:
    """Return scikit-image's cat at (width, height)."""
    return _photo(size).copy()


@cache
def _photo(size: tuple[int, int]) -> Image8:
    scaled = transform.resize(data.chelsea(), (size[1], size[0]), anti_aliasing=True)
    return np.rint(scaled * 255).astype(np.uint8)


def pan(
    count: int, step: tuple[int, int] = (3, 2), size: tuple[int, int] = (160, 120)
) -> tuple[list[Frame], NDArray[np.float32]]:
    """Return frames of a camera that pans by ``step`` pixels (x, y) a frame over a photo.

    Returns:
        The frames and their exact flow to the previous frame, (height, width, 2): the point now
        at ``p`` was at ``p + step``.
    """
    width, height = size
    wide = photo((width + step[0] * count, height + step[1] * count))
    frames = [
        Frame(
            np.ascontiguousarray(
                wide[i * step[1] : i * step[1] + height, i * step[0] : i * step[0] + width]
            ),
            i,
            i / 25,
        )
        for i in range(count)
    ]
    return frames, np.broadcast_to(np.float32(step), (height, width, 2)).copy()


def still(count: int, size: tuple[int, int] = (160, 120)) -> list[Frame]:
    """Return frames of a still photo."""
    image = photo(size)
    return [Frame(image, i, i / 25) for i in range(count)]


def passing_square(at: int, size: tuple[int, int] = (320, 240), side: int = 96) -> Image8:
    """Return a photo behind a square of another one, ``at`` pixels from the left."""
    image = photo(size)
    image[80 : 80 + side, at : at + side] = _astronaut()[:side, :side]
    return image


def make_pan(path: Path, rate: Fraction) -> Path:
    """Write a clip of 12 frames, 160x120: a pan over a photo."""
    frames, _ = pan(12)
    with VideoSink(path, size=(160, 120), fps=rate, crf=5) as sink:
        for frame in frames:
            sink.write(frame.image)
    return path


def images_of(path: Path) -> list[Image8]:
    """Return the images of a clip."""
    with VideoSource(path) as source:
        return [frame.image for frame in source]


@cache
def _astronaut() -> Image8:
    return np.asarray(data.astronaut()[::2, 130::2])


def register_tiny() -> NetworkSpec:
    """Register and return a seeded network of three layers, ``tiny``."""

    def build(names: Sequence[str], *, weights: object = None, fold: bool = True) -> object:
        import keras

        keras.utils.set_random_seed(7)
        image = keras.Input((None, None, 3))
        outputs, x = {}, image
        for index, channels in enumerate((8, 12, 16)):
            strides = 2 if index else 1
            x = keras.layers.Conv2D(
                channels, 3, strides, padding="same", activation="relu", name=f"conv{index}"
            )(x)
            outputs[f"conv{index}"] = x
        return keras.Model(image, [outputs[name] for name in names])

    layers = (Layer("conv0", 8, 1), Layer("conv1", 12, 2), Layer("conv2", 16, 4))
    spec = NetworkSpec(
        name=TINY,
        summary="seeded, for tests",
        origin="embedded",
        megabytes=0,
        favourites=("conv2",),
        list_layers=lambda: layers,
        build=build,  # type: ignore[arg-type]
    )
    register(spec)
    return spec
