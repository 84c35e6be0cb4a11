"""The mask of a show follows its file, movement and brightness, softly and steadily."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from waiting import wait_for

from stream_dream.errors import SourceError
from stream_dream.frame import Image8, Mask8
from stream_dream.live.capture.live_mask import LiveMask
from stream_dream.settings.live import Only
from stream_dream.temporal.flow import Motion, still

SIZE = (320, 160)
SMALL = (160, 80)
FPS = 25
GREY = np.full((80, 160, 3), 100, np.uint8)


def left_moving(pixels: float) -> Motion:
    """Return a motion of the left half by some pixels a frame."""
    flow = np.zeros((80, 160, 2), np.float32)
    flow[:, :80, 1] = pixels
    return Motion(flow, *still((80, 160))[1:])


def played(
    only: Callable[[], Only],
    seconds: float,
    motion: Motion | None,
    *,
    image: Image8 = GREY,
    mask: LiveMask | None = None,
    begun: float = 0.0,
) -> list[Mask8 | None]:
    mask = mask or LiveMask(None, 0, only)
    times = begun + np.arange(1, round(seconds * FPS) + 1) / FPS
    return [mask(SIZE, image, motion, float(time)) for time in times]


def sides(mask: Mask8 | None) -> tuple[int, int]:
    """Return the levels in the middle of the left and of the right half."""
    assert mask is not None
    assert mask.shape == SIZE[::-1]
    return int(mask[80, 60]), int(mask[80, 260])


def test_everything_is_dreamed_without_a_mask() -> None:
    assert played(lambda: "all", 1, left_moving(3)) == [None] * 25


def test_only_what_moves_is_dreamed() -> None:
    masks = played(lambda: "moving", 4, left_moving(2))
    assert sides(masks[-1]) == pytest.approx((255, 0), abs=2)


def test_only_what_stands_still_is_dreamed() -> None:
    masks = played(lambda: "still", 4, left_moving(2))
    assert sides(masks[-1]) == pytest.approx((0, 255), abs=2)


def test_noise_is_no_movement() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.2, (80, 160, 2)).astype(np.float32)
    masks = played(lambda: "moving", 4, Motion(noise, *still((80, 160))[1:]))
    assert masks[-1] is not None
    assert masks[-1].max() < 40


@pytest.mark.parametrize(("only", "levels"), [("bright", (255, 0)), ("dark", (0, 255))])
def test_only_what_is_bright_or_dark_is_dreamed(only: Only, levels: tuple[int, int]) -> None:
    image = np.full((80, 160, 3), 30, np.uint8)
    image[:, :80] = 220
    masks = played(lambda: only, 4, still((80, 160)), image=image)
    assert sides(masks[-1]) == pytest.approx(levels, abs=2)


def test_the_border_is_soft() -> None:
    mask = played(lambda: "still", 4, left_moving(2))[-1]
    assert mask is not None
    row = mask[80].astype(int)
    assert np.abs(np.diff(row)).max() < 30
    assert (np.diff(row) > -2).all()


def test_it_comes_quickly_and_goes_slowly() -> None:
    mask = LiveMask(None, 0, lambda: "moving")
    played(lambda: "moving", 4, still((80, 160)), mask=mask)

    def levels(begun: float, seconds: float, motion: Motion) -> list[int]:
        shown = played(lambda: "moving", seconds, motion, mask=mask, begun=begun)
        return [sides(one)[0] for one in shown]

    rising, falling = levels(4, 1, left_moving(2)), levels(5, 2, still((80, 160)))
    assert rising[round(0.3 * FPS)] > 200
    assert max(np.abs(np.diff(rising))) < 80
    assert falling[round(0.3 * FPS)] > 130
    assert falling[round(1.6 * FPS)] < 30
    assert max(np.abs(np.diff(falling))) < 20
    assert (np.diff(falling) <= 0).all()


def test_it_is_carried_along_with_what_moves() -> None:
    mask = LiveMask(None, 0, lambda: "bright")
    image = np.full((80, 160, 3), 20, np.uint8)
    image[:, :60] = 220
    before = played(lambda: "bright", 3, still((80, 160)), image=image, mask=mask)[-1]
    flow = np.zeros((80, 160, 2), np.float32)
    flow[..., 0] = -20  # everything was 20 pixels further left
    after = mask(SIZE, image, Motion(flow, *still((80, 160))[1:]), 3.04)
    assert before is not None
    assert after is not None
    assert before[80, 150] < 20 < 150 < after[80, 150]


def test_the_choice_may_change_underway_without_a_jump() -> None:
    now: list[Only] = ["all"]
    mask, time, levels = LiveMask(None, 0, lambda: now[0]), 0.0, []
    for choice in ("all", "moving", "all"):
        now[0] = choice
        for _ in range(75):
            time += 1 / FPS
            shown = mask(SIZE, GREY, still((80, 160)), time)
            levels.append(255 if shown is None else int(shown[80, 160]))
    assert max(np.abs(np.diff(levels))) < 80
    assert levels[74] == 255
    assert levels[149] < 10
    assert mask(SIZE, GREY, still((80, 160)), time + 0.04) is None  # it costs nothing any more


def test_a_picture_is_a_mask_of_the_size_of_the_show(tmp_path: Path) -> None:
    drawn = np.zeros((50, 100, 3), np.uint8)
    drawn[:, :50] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), drawn)
    mask = LiveMask(tmp_path / "mask.png", 0, lambda: "all")
    shown = mask(SIZE, GREY, None, 1.0)
    assert sides(shown) == (255, 0)
    other = mask((64, 32), GREY, None, 1.0)
    assert other is not None
    assert other.shape == (32, 64)
    both = LiveMask(tmp_path / "mask.png", 0, lambda: "still")
    assert sides(played(lambda: "still", 4, left_moving(3), mask=both)[-1]) == pytest.approx(
        (0, 0), abs=2
    )


@pytest.mark.slow
def test_a_clip_is_a_mask_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "mask.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (64, 48))
    for number in range(20):
        writer.write(np.full((48, 64, 3), 255 * (number >= 10), np.uint8))
    writer.release()
    mask = LiveMask(path, 0, lambda: "all")
    try:
        for level in (0, 255, 0, 255):  # it is repeated

            def reached(level: int = level) -> bool:
                shown = mask(SIZE, GREY, None, 1.0)
                return shown is not None and int(shown[80, 160]) == level

            wait_for(reached)
    finally:
        mask.close()


def test_a_mask_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"--mask: .*does not exist"):
        LiveMask(tmp_path / "no.mp4", 0, lambda: "all")
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(SourceError, match="--mask: "):
        LiveMask(tmp_path / "bad.png", 0, lambda: "all")
