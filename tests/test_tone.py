"""The room that the tones of a source leave for a dream."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic

from stream_dream.frame import ImageF
from stream_dream.image import to_float
from stream_dream.tone import Headroom, add_within, room_between, room_of, without_large_areas

LEVEL = 1 / 255


@pytest.fixture
def source() -> ImageF:
    """Return a photo that contains black and white."""
    image = to_float(synthetic.photo((96, 64)))
    image[:16, :16], image[:16, 16:32] = 0, 1
    return image


def even_room(size: float) -> Headroom:
    """Return the same room everywhere."""
    return Headroom(*(np.full((4, 4, 3), size, np.float32) for _ in range(2)))


def full(value: float) -> ImageF:
    return np.full((4, 4, 3), value, np.float32)


def test_without_a_limit_there_is_no_room_to_keep_to(source: ImageF) -> None:
    assert room_of(source, None) is None


@pytest.mark.parametrize("limit", [0.001, LEVEL, 0.05, 0.35, 1])
def test_room_never_reaches_black_or_white(source: ImageF, limit: float) -> None:
    room = room_of(source, limit)
    assert room is not None
    for part, end in ((room.up, 1 - source), (room.down, source)):
        assert part.shape == source.shape
        assert part.dtype == np.float32
        assert part.min() >= min(limit, LEVEL) - 1e-7
        assert part.max() <= limit + 1e-7
        # Except for one level, so that the dream stays alive.
        assert (part <= np.maximum(0.9 * end, LEVEL + 1e-7)).all()


def test_blacks_stay_black_and_skies_bright() -> None:
    greys = np.linspace(0, 1, 21, dtype=np.float32)
    room = room_of(np.broadcast_to(greys[None, :, None], (1, 21, 3)), 0.35)
    assert room is not None
    up, down = room.up[0, :, 0], room.down[0, :, 0]
    # Most room in the middle, little at the ends, alike for black and white.
    assert up[10] == down[10] == pytest.approx(0.35)
    assert up[0] == down[-1] <= 0.2 < 0.35
    np.testing.assert_allclose(up, down[::-1], atol=1e-6)
    assert (np.diff(up[:8]) >= 0).all()
    assert (np.diff(up[12:]) <= 0).all()


def test_rooms_are_interpolated(source: ImageF) -> None:
    narrow, wide = room_of(source, 0.1), room_of(source, 0.4)
    assert narrow is not None
    assert wide is not None
    assert room_between(None, None, 0.5, source) is None
    for share, expected in ((0.0, narrow), (1.0, wide)):
        np.testing.assert_allclose(room_between(narrow, wide, share, source), expected, atol=1e-6)
    half = room_between(narrow, wide, 0.5, source)
    assert half is not None
    np.testing.assert_allclose(half.up, (narrow.up + wide.up) / 2, atol=1e-6)
    # Without a limit the range of values is the room.
    free = room_between(wide, None, 1.0, source)
    assert free is not None
    np.testing.assert_allclose(free.up, np.maximum(1 - source, 1 / 255), atol=1e-6)


def test_any_number_of_changes_stays_within_the_room(source: ImageF) -> None:
    room, rng = room_of(source, 0.3), np.random.default_rng(0)
    assert room is not None
    residual = np.zeros_like(source)
    for size in (0.01, 0.1, 1, 5) * 10:
        change = rng.normal(0, size, source.shape).astype(np.float32)
        residual = add_within(residual, change, room)
        assert residual.dtype == np.float32
        assert np.isfinite(residual).all()
        assert (residual <= room.up).all()
        assert (-residual <= room.down).all()


def test_the_same_change_again_and_again_comes_near_the_limit() -> None:
    room, residual, before = even_room(0.3), full(0), 0.0
    for _ in range(100):
        residual = add_within(residual, full(0.02), room)
        assert residual[0, 0, 0] >= before
        before = float(residual[0, 0, 0])
    assert 0.29 < before <= 0.3


def test_small_changes_add_up() -> None:
    for change, grown in ((0.01, 0.03), (-0.01, 0.01)):
        residual = add_within(full(0.02), full(change), even_room(0.35))
        np.testing.assert_allclose(residual, grown, rtol=0.01)


def test_near_the_limit_a_change_does_little() -> None:
    grown = add_within(full(0.3), full(0.02), even_room(0.35))
    assert grown.min() > 0.3
    assert grown.max() < 0.3 + 0.01


def test_a_change_of_zero_keeps_the_residual(source: ImageF) -> None:
    room, rng = room_of(source, 0.35), np.random.default_rng(1)
    assert room is not None
    residual = np.clip(rng.normal(0, 0.2, source.shape), -room.down, room.up).astype(np.float32)
    kept = residual.copy()
    for _ in range(50):
        kept = add_within(kept, np.zeros_like(source), room)
    np.testing.assert_array_equal(kept, residual)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("begun", [0.0, 0.05, 0.2, 0.3])
def test_a_change_and_its_opposite_cancel(sign: int, begun: float) -> None:
    room = even_room(0.35)
    residual, change = full(sign * begun), full(sign * 0.04)
    there = add_within(residual.copy(), change, room)
    np.testing.assert_allclose(add_within(there.copy(), -change, room), residual, atol=1e-6)
    # The same holds for darkening.
    np.testing.assert_allclose(add_within(-residual, -change, room), -there, atol=1e-7)


@pytest.mark.parametrize(("black", "sign"), [(0.0, 1), (1.0, -1)])
def test_black_and_white_can_dream(black: float, sign: int) -> None:
    room = room_of(full(black), 0.35)
    assert room is not None
    grown = add_within(full(0), full(sign * 0.03), room)
    # At once, although there is no room on the other side.
    np.testing.assert_allclose(grown, sign * 0.03, atol=1e-6)
    against = add_within(full(0), full(-sign * 0.03), room)
    np.testing.assert_allclose(np.abs(against), LEVEL, atol=1e-6)
    for _ in range(5):
        grown = add_within(grown, full(-sign * 0.03), room)
        assert np.isfinite(grown).all()
        assert np.abs(grown).max() <= LEVEL + 1e-6


def test_a_residual_from_elsewhere_is_brought_into_the_room(source: ImageF) -> None:
    room = room_of(source, 0.2)
    assert room is not None
    for value in (-0.9, 0.9):
        found = add_within(np.full_like(source, value), np.zeros_like(source), room)
        np.testing.assert_allclose(found, room.up if value > 0 else -room.down, atol=1e-6)


@pytest.mark.parametrize("size", [(96, 64), (97, 61), (300, 40), (12, 12), (5, 3), (1, 1)])
def test_the_overall_colour_stays(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    change = rng.normal(0.1, 0.1, (size[1], size[0], 3)).astype(np.float32)
    left = without_large_areas(change.copy())
    assert left.shape == change.shape
    assert left.dtype == np.float32
    np.testing.assert_allclose(left.mean(axis=(0, 1)), 0, atol=1e-6)


def test_large_areas_keep_their_colour() -> None:
    rows, columns = np.indices((160, 240), np.float32)
    change = np.stack(
        [0.1 * np.sin(columns / 50), 0.1 * rows / 160, 0.1 * (columns > 120)], axis=-1
    ).astype(np.float32)
    left = without_large_areas(change.copy())
    areas = left.reshape(2, 80, 3, 80, 3).mean(axis=(1, 3))
    before = change.reshape(2, 80, 3, 80, 3).mean(axis=(1, 3))
    assert np.abs(areas).max() < 0.05 * np.abs(before).max()
    # Smooth waves vanish, edges stay.
    assert np.abs(left[..., :2]).mean() < 0.1 * np.abs(change[..., :2]).mean()
    assert left[80, 122, 2] - left[80, 118, 2] > 0.07


def test_a_small_shape_survives() -> None:
    change = np.zeros((160, 240, 3), np.float32)
    rows, columns = np.indices((160, 240), np.float32)
    # An eye: dark in the middle, bright around it.
    distance = np.hypot(rows - 77, columns - 110)
    change[distance < 8], change[distance < 5] = 0.1, -0.15
    left = without_large_areas(change.copy())
    assert np.abs(left - change).max() < 0.2 * np.abs(change).max()
    near = (slice(60, 95), slice(90, 130))
    assert np.corrcoef(left[near].ravel(), change[near].ravel())[0, 1] > 0.97
