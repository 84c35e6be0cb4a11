"""A layer over the source is the dream, whatever both are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_dream.frame import Hdr
from stream_dream.layer import dream_layer, light_of_levels


def images(kind: type) -> tuple[NDArray[np.int64], ...]:
    """Return a source and a dream with all that is difficult: edges, black, white, equal places."""
    most = np.iinfo(kind).max
    random = np.random.default_rng(0)
    source = random.integers(0, most + 1, (40, 60, 3))
    source[:10], source[10:20] = 0, most
    dream = source + np.rint(random.normal(0, most / 6, source.shape)).astype(int)
    dream[:, :8] = source[:, :8]
    return source.astype(kind), np.clip(dream, 0, most).astype(kind)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_laid_over_the_source_it_is_the_dream(kind: type) -> None:
    source, dream = images(kind)
    layer = dream_layer(source, dream)
    assert layer.dtype == kind
    alpha = layer[..., 3:] / np.iinfo(kind).max
    over = np.rint(alpha * layer[..., :3] + (1 - alpha) * source)
    assert np.abs(over - dream).max() <= 1


@pytest.mark.parametrize("hdr", [None, "pq", "hlg"])
def test_light_laid_over_light_is_the_light_of_the_dream(hdr: Hdr | None) -> None:
    source, dream = images(np.uint16)
    light = light_of_levels(hdr)
    layer = dream_layer(source, dream, light)
    over = light[layer[..., :3]] + (1 - layer[..., 3:] / 65535) * light[source]
    levels = np.interp(over, light, np.arange(65536))
    seen = np.maximum(levels, dream) > 2000  # below, a level of 16 bits is hardly any light
    assert np.abs(levels - dream)[seen].max() <= 64


def test_it_is_transparent_where_nothing_was_dreamed() -> None:
    source, dream = images(np.uint8)
    assert not dream_layer(source, source)[..., 3].any()
    assert not dream_layer(source, dream)[:, :3, 3].any()


def test_it_is_as_transparent_as_the_dream_is_faint() -> None:
    source = np.full((20, 20, 3), 128, np.uint8)
    faint, strong = (dream_layer(source, source + np.uint8(by)) for by in (8, 80))
    assert faint[..., 3].max() < 20
    assert 150 < strong[..., 3].min() <= strong[..., 3].max() < 170
    assert np.abs(faint[..., :3].astype(int) - strong[..., :3]).max() < 10  # the same colour


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5, 3)])
def test_the_smallest_pictures_have_layers(shape: tuple[int, int, int]) -> None:
    source = np.full(shape, 100, np.uint8)
    layer = dream_layer(source, source + np.uint8(20))
    assert layer.shape == (*shape[:2], 4)
