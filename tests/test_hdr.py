"""A dream changes an HDR picture as it changes the picture in SDR."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stream_dream.frame import Hdr
from stream_dream.hdr import add_residual_to_hdr

SIZE = (24, 32)
CURVES: tuple[Hdr, ...] = ("pq", "hlg")


def light_of(sdr: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light of SDR, 1 for white (BT.1886)."""
    return sdr**2.4


def pq_of(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the signal of ST 2084 for light whose 1 is 203 cd/m2."""
    power = (light * 0.0203) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def grey(level: float, kind: type[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    return np.full((*SIZE, 3), round(level * np.iinfo(kind).max), kind)


@pytest.mark.parametrize("hdr", CURVES)
def test_without_a_residual_not_a_level_changes(hdr: Hdr) -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 65536, (*SIZE, 3), dtype=np.uint16)
    sdr = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    residual = rng.uniform(-1, 1, (12, 16, 3)).astype(np.float32)
    for mask, strength, change in ((None, 1.0, 0 * residual), (None, 0.0, residual)):
        got = add_residual_to_hdr(image, sdr, change, mask, hdr=hdr, strength=strength)
        assert np.array_equal(got, image)
    hidden = np.zeros(SIZE, np.uint8)
    hidden[:, 16:] = 255
    got = add_residual_to_hdr(image, sdr, residual, hidden, hdr=hdr)
    assert np.array_equal(got[:, :16], image[:, :16])
    assert not np.array_equal(got[:, 16:], image[:, 16:])


@pytest.mark.parametrize("level", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("change", [-0.1, 0.05, 0.1])
def test_greys_of_pq_change_as_in_sdr(level: float, change: float) -> None:
    image = grey(float(pq_of(light_of(np.array(level)))), np.uint16)
    residual = np.full((*SIZE, 3), change, np.float32)
    got = add_residual_to_hdr(image, grey(level, np.uint8), residual, hdr="pq")
    wanted = pq_of(light_of(np.array(level + change)))
    moved = abs(float(wanted) - float(image[0, 0, 0]) / 65535)
    assert np.abs(got / 65535 - wanted).max() < 0.3 * moved
    assert np.ptp(got) <= 2 * 65535 / 1e4  # grey stays grey


def test_colours_move_less_in_wider_primaries() -> None:
    """Red of BT.709 is a mixture in BT.2020, as OpenCV computes it from the same matrix."""
    image, sdr = grey(0.5, np.uint16), grey(0.5, np.uint8)
    residual = np.zeros((*SIZE, 3), np.float32)
    residual[..., 0] = 0.1
    moved = cv2.subtract(add_residual_to_hdr(image, sdr, residual, hdr="hlg"), image)[0, 0]
    assert moved[0] > 5 * moved[1] > 0
    assert moved[1] > moved[2] > 0
    assert moved[0] == pytest.approx(0.1 * 0.75 * 0.6274 * 65535, abs=1)
