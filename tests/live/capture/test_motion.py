"""Motion leads from each picture back to the last one that was dreamed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
import pytest
import shows
import synthetic
from waiting import SECONDS, wait_for

from stream_dream.frame import Image8
from stream_dream.live.capture import motion
from stream_dream.live.capture.feed import CapturedFrame
from stream_dream.live.capture.framing import Framing
from stream_dream.live.capture.motion import MotionStage, Staged
from stream_dream.live.control.controls import Controls
from stream_dream.runtime.latest_value import LatestValue
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters, LiveSettings
from stream_dream.tone import room_of

pytestmark = pytest.mark.stops


class _Camera:
    """A camera that gives a picture when a test says so."""

    def __init__(self, images: Sequence[Image8]) -> None:
        self.images, self.given, self.is_missing = images, 0, False
        self.ended = threading.Event()

    def wait(self, after: int, seconds: float) -> CapturedFrame | None:
        if self.given > after:
            return CapturedFrame(self.images[self.given - 1], self.given, time.monotonic())
        time.sleep(0.002)
        return None


@pytest.fixture
def stage_of() -> Iterator[Callable[[_Camera], MotionStage]]:
    stages = []

    def make(camera: _Camera, *, cuts: bool = False) -> MotionStage:
        controls = Controls(LiveParameters(), {"a": DreamSettings()}, "a")
        framing = Framing(LiveSettings())
        stages.append(
            MotionStage(
                *(camera, framing, controls, lambda: 96, lambda shape: None),
                room=lambda source: room_of(source, 0.3),
                cuts=cuts,
            )  # type: ignore[arg-type]
        )
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()


def newest(stage: MotionStage, number: int) -> Staged:
    """Wait until a picture is staged, without taking it."""
    found: list[Staged] = []

    def look() -> bool:
        staged = stage.slot._item
        if staged is not None and staged.prepared.frame.index == number:
            found.append(staged)
        return bool(found or stage.error)

    wait_for(look)
    assert stage.error is None
    return found[0]


def begun(stage_of: Callable[[_Camera], MotionStage], pictures: int) -> tuple[_Camera, MotionStage]:
    """Return a camera of ``pictures`` pictures, and its stage with the first one ready."""
    camera = _Camera([synthetic.photo((192, 144))] * pictures)
    stage = stage_of(camera)
    camera.given = 1
    newest(stage, 1)
    return camera, stage


@pytest.mark.slow
def test_the_motion_past_a_skipped_picture_is_chained(
    stage_of: Callable[[_Camera], MotionStage],
) -> None:
    frames, flow = synthetic.pan(4, step=(4, 2), size=(192, 144))
    camera = _Camera([frame.image for frame in frames])
    stage = stage_of(camera)
    camera.given = 1
    newest(stage, 1)
    first = stage.slot.take(1)
    assert first is not None
    assert first.motion is None
    assert first.prepared.carry is None
    for number in (2, 3):
        camera.given = number
        staged = newest(stage, number)
    assert staged.motion is not None
    middle = staged.motion.flow[40:-40, 40:-40]
    assert np.abs(middle - 2 * flow[0, 0]).mean() < 0.7
    stage.slot.take(1)
    camera.given = 4
    staged = newest(stage, 4)
    assert staged.motion is not None
    assert np.abs(staged.motion.flow[40:-40, 40:-40] - flow[0, 0]).mean() < 0.5
    assert staged.prepared.small.shape == (72, 96, 3)


def test_a_small_picture_is_dreamed_enlarged_within_the_room_of_the_look(
    stage_of: Callable[[_Camera], MotionStage],
) -> None:
    camera = _Camera([synthetic.photo((40, 30))])
    stage = stage_of(camera)
    camera.given = 1
    prepared = newest(stage, 1).prepared
    assert prepared.small.shape == (60, 80, 3)
    assert prepared.room is not None
    assert prepared.room.up.max() == pytest.approx(0.3)


class _Alarm(threading.Event):
    """An event that a test sets; it records the timeouts."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []
        self.off = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return self.off.wait(SECONDS)


def test_motion_is_found_for_the_newest_picture_just_before_it_is_wanted(
    stage_of: Callable[[_Camera], MotionStage], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, alarm = shows.Clock(), _Alarm()
    monkeypatch.setattr(motion, "time", clock)
    camera, stage = begun(stage_of, 4)
    stage._stopped = alarm
    stage.slot.take(SECONDS)
    stage.expect(clock.now + 0.2)
    camera.given = 2
    wait_for(lambda: alarm.waits)
    camera.given = 3
    alarm.off.set()
    staged = newest(stage, 3)
    assert alarm.waits[0] == pytest.approx(0.2)
    assert staged.frames_skipped == 0
    assert stage.dropped == 1


def test_a_picture_that_waits_for_the_dream_is_not_replaced_at_once(
    stage_of: Callable[[_Camera], MotionStage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motion, "_LONGEST_WAIT", SECONDS)
    camera, stage = begun(stage_of, 2)
    camera.given = 2
    time.sleep(0.1)
    first, second = stage.slot.take(), stage.slot.take(SECONDS)
    assert first is not None
    assert second is not None
    assert (first.prepared.frame.index, second.prepared.frame.index) == (1, 2)


@pytest.mark.slow
def test_a_cut_is_kept_until_it_is_dreamed(stage_of: Callable[..., MotionStage]) -> None:
    image = synthetic.photo((192, 144))
    camera = _Camera([image] * 20 + [255 - image] * 5)
    stage = stage_of(camera, cuts=True)
    for number in range(1, 24):
        camera.given = number
        staged = newest(stage, number)
        if number <= 20:
            stage.slot.take(1)
    assert staged.prepared.frame.cut
    assert staged.motion is None


def test_a_lost_camera_drifts_on(stage_of: Callable[[_Camera], MotionStage]) -> None:
    camera, stage = begun(stage_of, 1)
    stage.slot.take(1)
    assert stage.slot.take(0.1) is None  # nothing new without a picture
    camera.is_missing = True
    for _ in range(3):  # one whenever the dream has taken the last
        drifted = stage.slot.take(SECONDS)
        assert drifted is not None
    assert drifted.motion is not None
    assert drifted.prepared.frame.image.shape == (144, 192, 3)


def test_a_large_camera_that_is_lost_drifts_at_the_size_of_the_show(
    stage_of: Callable[[_Camera], MotionStage], monkeypatch: pytest.MonkeyPatch
) -> None:
    warped, warp = [], cv2.warpAffine

    def counted(image: Image8, *args: object, **options: object) -> object:
        warped.append(image.shape)
        return warp(image, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(cv2, "warpAffine", counted)
    camera = _Camera([np.zeros((1080, 1920, 3), np.uint8)] * 2)
    stage = stage_of(camera)
    camera.given = 1
    newest(stage, 1)
    stage.slot.take(1)
    camera.is_missing = True
    drifted = stage.slot.take(SECONDS)
    assert drifted is not None
    assert drifted.prepared.frame.image.shape == (720, 1280, 3)
    camera.given, camera.is_missing = 2, False  # it fades back
    wait_for(lambda: stage.slot.take(0.1) is not None)
    assert {*warped} == {(720, 1280, 3)}


def test_a_lost_camera_is_mirrored_by_a_key(
    stage_of: Callable[[_Camera], MotionStage],
) -> None:
    camera = _Camera([np.tile(np.arange(192, dtype=np.uint8)[None, :, None], (144, 1, 3))])
    stage = stage_of(camera)
    camera.given = 1
    newest(stage, 1)
    stage.slot.take(1)
    camera.is_missing = True

    def is_mirrored() -> bool:
        staged = stage.slot.take(SECONDS)
        assert staged is not None
        image = staged.prepared.frame.image
        return bool(image[:, :20].mean() > image[:, -20:].mean())

    assert not is_mirrored()
    stage._controls.change({"mirror": True})
    wait_for(is_mirrored)


def test_a_file_that_is_over_does_not_drift(stage_of: Callable[[_Camera], MotionStage]) -> None:
    camera, stage = begun(stage_of, 1)
    stage.slot.take(1)
    camera.ended.set()
    camera.is_missing = True
    assert stage.slot.take(0.3) is None


@pytest.mark.slow
def test_only_pictures_of_the_camera_count_as_dropped(
    stage_of: Callable[[_Camera], MotionStage],
) -> None:
    camera = _Camera([synthetic.photo((192, 144))] * 20)
    stage = stage_of(camera)
    camera.given = 3  # pictures from before the show are not dropped ones
    newest(stage, 3)
    assert stage.dropped == 0
    camera.given = 6  # two never arrived, and one was skipped
    newest(stage, 6)
    assert stage.dropped == 3
    stage.slot.take(1)
    camera.is_missing = True
    time.sleep(0.3)
    assert stage.dropped == 3


def test_an_error_is_kept_for_the_caller(stage_of: Callable[[_Camera], MotionStage]) -> None:
    camera = _Camera([np.zeros((3, 3), np.uint8)])
    stage = stage_of(camera)
    camera.given = 1
    wait_for(lambda: stage.error is not None)
    assert isinstance(stage.error, cv2.error)


def test_only_the_latest_value_is_kept() -> None:
    slot: LatestValue[int] = LatestValue()
    assert slot.take() is None
    slot.put(1)
    slot.put(2)
    assert slot.take() == 2
    assert slot.take(0.01) is None
