"""Dreams of journeys: frame after frame, saved and restored, and closed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

from stream_dream.automation.moment import Fade, Moment
from stream_dream.camera_move import CameraMove
from stream_dream.errors import SettingsError
from stream_dream.frame import Frame, Image8, ImageF
from stream_dream.image import resize, to_float
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.journey import JourneySettings
from stream_dream.temporal.journey_closing import JourneyClosing
from stream_dream.temporal.journey_dreamer import JourneyDreamer
from stream_dream.temporal.journey_picture import JourneyPicture
from stream_dream.temporal.warp import warp

START = resize(data.chelsea(), (128, 86))
CAMERA = CameraMove(zoom=1.03, angle=1)
DREAM = DreamSettings(dream_size=128, enlarge=1, warm_up=0)


class Painter:
    """Adds fine stripes, jittered at random: a dream function."""

    def __init__(self) -> None:
        """Count the ascents from none."""
        self.calls: list[int] = []

    def __call__(
        self,
        source: ImageF,
        carried: ImageF,
        *,
        index: int,
        rng: np.random.Generator,
        settings: DreamSettings,
    ) -> tuple[ImageF, float]:
        """Return the stripes, and a loss that tells the index."""
        assert not carried.any()
        self.calls.append(index)
        columns = np.arange(source.shape[1]) + rng.integers(8)
        stripes = np.where(columns // 3 % 2, 1, -1).astype(np.float32)
        return np.broadcast_to(stripes[None, :, None] * np.float32(0.01), source.shape), 1.0 + index


def dreamer(
    dream: DreamSettings = DREAM,
    camera: CameraMove = CAMERA,
    painter: Painter | None = None,
    **journey: Any,
) -> JourneyDreamer:
    moment = Moment(0, dream, Fade(dream, dream, 1.0), camera=camera)
    settings = JourneySettings(**journey)
    return JourneyDreamer([painter or Painter()], dream, settings, moments=lambda index: moment)


def dreamed(by: JourneyDreamer, indices: Iterable[int], image: Image8 = START) -> list[Image8]:
    return [by.ascend(by.prepare(Frame(image, index))).compose() for index in indices]


def test_a_journey_begins_with_its_picture_and_leaves_it() -> None:
    frames = dreamed(dreamer(), range(30))
    assert np.abs(frames[0].astype(int) - START).max() <= 1
    assert np.abs(frames[29].astype(int) - START).mean() > 10
    assert frames[29].shape == START.shape


def test_only_the_first_image_counts() -> None:
    by, other = dreamer(), dreamer()
    noise = np.random.default_rng(0).integers(0, 256, START.shape).astype(np.uint8)
    first = dreamed(by, [0])
    same = dreamed(other, [0])
    assert np.array_equal(first, same)
    assert np.array_equal(dreamed(by, range(1, 5)), dreamed(other, range(1, 5), noise))


def test_each_frame_is_the_one_before_moved_and_grown() -> None:
    camera = CameraMove(zoom=1.05, angle=2)
    before, after = dreamed(dreamer(camera=camera), range(8))[-2:]
    moved = warp(to_float(before), camera.flow((128, 86)))
    kept = np.abs(moved - to_float(after))[10:-10, 10:-10].mean()
    unmoved = np.abs(to_float(before) - to_float(after))[10:-10, 10:-10].mean()
    assert kept < 0.5 * unmoved


def test_with_a_cadence_only_some_frames_have_an_ascent() -> None:
    painter = Painter()
    by = dreamer(DREAM.model_copy(update={"cadence": 3}), painter=painter)
    reports = [by.ascend(by.prepare(Frame(START, index))).report for index in range(10)]
    assert painter.calls == [0, 1, 2, 3]
    assert [report.index for report in reports if report.loss is not None] == [0, 3, 6, 9]


def test_sixteen_bits_hold_more_than_eight() -> None:
    by = dreamer()
    last = [by.ascend(by.prepare(Frame(START, index))) for index in range(5)][-1]
    deep = last.compose_deep()
    assert deep.dtype == np.uint16
    assert len(np.unique(deep)) > 2 * len(np.unique(last.compose()))
    assert np.abs(deep / 257 - last.compose()).max() <= 0.51


def test_a_small_dream_is_shown_at_the_frames_size() -> None:
    by = dreamer(DREAM.model_copy(update={"dream_size": 64}))
    frames = dreamed(by, range(4))
    assert frames[3].shape == START.shape


@pytest.mark.parametrize("loop", [False, True])
def test_a_restored_dreamer_continues_identically(tmp_path: Path, loop: bool) -> None:
    camera = CameraMove(zoom=1.03, depth=0.5)
    values = {"seconds": 20 / 25, "loop": loop}
    whole = dreamed(dreamer(camera=camera, **values), range(20))
    first = dreamer(camera=camera, **values)
    dreamed(first, range(9))
    first.save(tmp_path / "state.npz")
    second = dreamer(camera=camera, **values)
    second.restore(tmp_path / "state.npz")
    assert np.array_equal(dreamed(second, range(9, 20)), whole[9:])


def test_what_is_no_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.npz").write_text("no state")
    by, other = dreamer(), dreamer()
    dreamed(by, range(3))
    dreamed(other, range(3))
    with pytest.raises(SettingsError, match="not a saved dream"):
        by.restore(tmp_path / "state.npz")
    assert np.array_equal(dreamed(by, [3]), dreamed(other, [3]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "camera",
    [
        CameraMove(zoom=1.03),
        CameraMove(zoom=0.97, angle=1),
        CameraMove(pan_x=0.02, pan_y=0.01),
        CameraMove(zoom=1.02, yaw=0.5, depth=0.6),
    ],
)
def test_a_closed_journey_leads_into_its_first_frame(camera: CameraMove) -> None:
    count = 80
    frames = dreamed(dreamer(camera=camera, seconds=count / 25, loop=True), range(count))
    flat = camera._replace(depth=0.0).flow((128, 86))
    inside = np.s_[8:-8, 8:-8]

    def change(before: Image8, after: Image8) -> float:
        return float(np.abs(warp(to_float(before), flat) - to_float(after))[inside].mean())

    # Two frames of a loop are as far apart as the seam; depth moves things in others.
    last = [change(frames[index - 1], frames[index]) for index in range(count - 20, count)]
    assert change(frames[-1], frames[0]) < 1.5 * max(last)
    far = np.abs(frames[count // 3].astype(int) - frames[0])[inside].mean()
    assert far > 10


def test_a_closing_begins_where_the_first_picture_is_before_the_camera() -> None:
    """It turns all the way around: half of it before the end, the first picture lies behind."""
    camera, frames = CameraMove(yaw=3), 240
    closing = JourneyClosing(to_float(START), lambda index: camera, frames, 25)
    for left, near in ((60, False), (2, True)):
        picture = JourneyPicture(np.zeros((*START.shape[:2], 3), np.float32), DREAM)
        closing.lead_back(picture, frames - left)
        assert bool(picture.picture.any()) is near


@pytest.mark.parametrize("zoom", [2.0, 0.5])
def test_what_is_a_point_or_a_single_colour_leads_nowhere(zoom: float) -> None:
    closing = JourneyClosing(to_float(START), lambda index: CameraMove(zoom=zoom), 2400, 240)
    picture = JourneyPicture(np.zeros((*START.shape[:2], 3), np.float32), DREAM)
    closing.lead_back(picture, 1201)
    assert not picture.picture.any()
    closing.lead_back(picture, 2399)
    assert picture.picture.any()


def test_a_journey_that_recedes_stays_sharp_while_it_closes() -> None:
    camera, count = CameraMove(zoom=0.97), 100
    sharp = [
        float(np.abs(np.diff(image[20:-20, 20:-20].astype(float), axis=1)).mean())
        for image in dreamed(dreamer(camera=camera, seconds=count / 25, loop=True), range(count))
    ]
    assert min(sharp[50:95]) > 0.7 * np.mean(sharp[20:50])


def test_depths_begin_as_they_end_around_the_seam() -> None:
    camera = CameraMove(zoom=1.02, depth=0.6)
    closing = JourneyClosing(to_float(START), lambda index: camera, 500, 25)
    depths = np.array([closing.move(index % 500 or 500).depth for index in range(501)])
    assert depths.max() == pytest.approx(0.6)
    assert depths[0] == depths[500] == 0
    assert np.abs(np.diff(depths)).max() < 0.03


def test_an_open_journey_does_not_return() -> None:
    frames = dreamed(dreamer(seconds=60 / 25), range(60))
    assert np.abs(frames[-1].astype(int) - frames[0]).mean() > 15
