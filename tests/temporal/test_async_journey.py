"""The dreamer of journeys in shows, with ascents that finish when the test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import cv2
import numpy as np
import pytest

from stream_dream.camera_move import CameraMove
from stream_dream.frame import Frame, Image8, ImageF
from stream_dream.image import to_float
from stream_dream.settings.dream import DreamSettings
from stream_dream.temporal.async_dreamer import FRAMES_PER_ASCENT
from stream_dream.temporal.async_journey import AsyncJourney, Steering
from stream_dream.temporal.dreamer import Prepared
from stream_dream.temporal.start_noise import start_noise

SHAPE = (48, 80)
STILL = Steering(CameraMove())


class Later(Executor):
    """Runs what it is given when it is told to."""

    def __init__(self) -> None:
        """Wait."""
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []
        self.submitted = 0

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **names: Any) -> Future[Any]:
        """Keep what is to be run."""
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: function(*arguments, **names)))
        self.submitted += 1
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing."""

    def run(self) -> None:
        """Run what waits."""
        for future, work in self.waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(work())
        self.waiting.clear()


class Journey:
    """A journey that a test steers, and the pictures that its ascents began with."""

    def __init__(self, change: Callable[[ImageF], ImageF] = np.zeros_like, **settings: Any) -> None:
        """Ascend by ``change``."""
        self.steering = STILL
        self.seen: list[ImageF] = []
        self.later = Later()

        def dream(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
            self.seen.append(source)
            assert not carried.any()
            return change(source), 1.0

        given = DreamSettings(catch_up=0, **settings)
        self.dreamer = AsyncJourney(dream, given, lambda: self.steering, executor=self.later)

    def show(self, image: Image8, size: tuple[int, int] | None = None) -> Image8:
        """Return the next frame; ``size`` (width, height) is that of the dream."""
        small = image if size is None else np.asarray(cv2.resize(image, size), np.uint8)
        frame = Frame(image)
        shown = self.dreamer(Prepared(frame, small, to_float(small), None, None, 1.0, 0.0))
        assert shown.residual.shape == small.shape
        return shown.frame.image


def noise(seed: int = 0) -> Image8:
    return start_noise(SHAPE[::-1], seed)


def spot(column: int = 40) -> Callable[[ImageF], ImageF]:
    """Return an ascent that brightens columns of a picture."""

    def change(source: ImageF) -> ImageF:
        added = np.zeros_like(source)
        added[:, column : column + 4] = 0.5
        return added

    return change


def far(one: Image8, other: Image8) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_the_first_picture_begins_the_journey_and_later_ones_are_not_looked_at() -> None:
    journey = Journey()
    assert np.array_equal(journey.show(noise(0)), noise(0))
    assert far(journey.show(noise(1)), noise(0)) < 2


def test_the_picture_follows_the_camera_with_every_frame() -> None:
    journey = Journey()
    journey.show(noise())
    journey.steering = Steering(CameraMove(pan_x=4 / SHAPE[1]))
    once = journey.show(noise())
    twice = journey.show(noise())
    assert far(once[:, 4:], noise()[:, :-4]) < 3
    assert far(twice[:, 8:], noise()[:, :-8]) < 4
    assert far(twice, noise()) > 10
    assert journey.later.submitted == 1


def test_zoom_and_turn_are_the_camera_s() -> None:
    for move in (CameraMove(zoom=1.25), CameraMove(angle=20)):
        journey = Journey()
        journey.show(noise())
        journey.steering = Steering(move)
        shown = journey.show(noise())
        flow = move.flow((SHAPE[1], SHAPE[0]))
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
        way = (x + flow[..., 0], y + flow[..., 1])
        expected = cv2.remap(noise(), *way, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        assert far(shown[4:-4, 4:-4], np.asarray(expected)[4:-4, 4:-4]) < 5


def test_an_ascent_s_change_is_carried_along_all_moves_made_meanwhile_and_joins_once() -> None:
    grown = Journey(spot(), momentum=0.0)
    alone = Journey(momentum=0.0)
    for journey in (grown, alone):
        journey.show(noise())
        journey.steering = Steering(CameraMove(pan_x=6 / SHAPE[1]))
        journey.show(noise())
        journey.later.run()
    joined = [journey.show(noise()).astype(float).sum(axis=(0, 2)) for journey in (grown, alone)]
    assert abs(int(np.argmax(joined[0] - joined[1])) - 53.5) <= 2  # 40 to 43, moved twice by 6
    assert grown.later.submitted == 2
    assert len(grown.seen) == 1  # the second ascent has not run
    again = [journey.show(noise()).astype(float).sum(axis=(0, 2)) for journey in (grown, alone)]
    added = [(by - without).max() for by, without in (joined, again)]
    assert added[1] < 1.1 * added[0]


def test_no_more_frames_are_shown_per_ascent_than_allowed() -> None:
    journey = Journey()
    for _ in range(FRAMES_PER_ASCENT):
        journey.dreamer.wait()  # does not block
        journey.show(noise())
    assert journey.later.submitted == 1
    waited = threading.Thread(target=journey.dreamer.wait)
    waited.start()
    waited.join(0.2)
    assert waited.is_alive()
    journey.later.run()
    waited.join()


@pytest.mark.parametrize("count", [1, 30])
def test_a_picture_that_is_thrown_in_shows_in_the_middle(count: int) -> None:
    thrown, alone = Journey(), Journey()
    for journey in (thrown, alone):
        journey.show(noise(0))
        journey.later.run()
        if journey is thrown:
            journey.steering = Steering(CameraMove(), throw=0.2)
        for _ in range(count):
            shown = journey.show(noise(1))
            journey.later.run()
        journey.last = shown  # type: ignore[attr-defined]
    shown, other = thrown.last, alone.last  # type: ignore[attr-defined]
    middle = np.s_[20:28, 34:46]
    assert far(shown[middle], noise(1)[middle]) < far(other[middle], noise(1)[middle])
    assert far(shown[:1], other[:1]) < far(shown[middle], other[middle])
    if count > 1:
        assert far(shown[middle], noise(1)[middle]) < 12


def test_what_was_thrown_in_stays_and_moves_on_with_the_journey() -> None:
    journey = Journey()
    journey.show(noise(0))
    journey.steering = Steering(CameraMove(), throw=1.0)
    journey.later.run()
    journey.show(noise(1))
    journey.later.run()
    journey.steering = Steering(CameraMove(pan_x=8 / SHAPE[1]))
    shown = journey.show(noise(2))
    assert far(shown[20:28, 42:54], noise(1)[20:28, 34:46]) < 12


def test_the_size_of_the_dream_may_change_at_any_time() -> None:
    journey = Journey(lambda source: 0.1 * source)
    sizes = [(80, 48), (80, 48), (40, 24), (40, 24), (60, 36), (80, 48), (80, 48)]
    for size in sizes:
        shown = journey.show(noise(), size)
        assert shown.shape == (*SHAPE, 3)
        if size == (60, 36) or len(journey.later.waiting) + len(journey.dreamer._passed) > 1:
            journey.later.run()
    coarse = cv2.resize(noise(), (20, 12), interpolation=cv2.INTER_AREA)
    assert far(cv2.resize(shown, (20, 12), interpolation=cv2.INTER_AREA), coarse) < 25
    assert journey.dreamer.ascent.shape is not None


def test_resetting_begins_with_the_present_picture_and_drops_the_running_ascent() -> None:
    journey = Journey(spot())
    journey.show(noise(0))
    journey.dreamer.reset()
    assert np.array_equal(journey.show(noise(1)), noise(1))
    journey.later.run()
    assert len(journey.seen) == 1
    assert np.array_equal(journey.seen[0], to_float(noise(1)))


def test_settings_apply_from_the_next_frame_on() -> None:
    brighter = []
    for momentum in (0.0, 0.9):
        journey = Journey(spot(), momentum=0.5)
        journey.show(noise())
        journey.later.run()
        journey.show(noise())
        journey.later.run()
        journey.dreamer.use(DreamSettings(catch_up=0, momentum=momentum))
        before = journey.show(noise())
        brighter.append(before)
    assert far(*brighter) > 0.1


def test_a_failed_ascent_is_told() -> None:
    def fail(source: ImageF) -> ImageF:
        raise ValueError("no")

    journey = Journey(fail)
    journey.show(noise())
    future, work = journey.later.waiting.pop()
    try:
        work()
    except ValueError as error:
        future.set_exception(error)
    with pytest.raises(ValueError, match="no"):
        journey.show(noise())


@pytest.mark.slow
def test_a_long_journey_keeps_its_contrast_and_its_memory() -> None:
    rng = np.random.default_rng(0)
    journey = Journey(lambda source: rng.normal(0, 0.02, source.shape).astype(np.float32))
    journey.steering = Steering(CameraMove(zoom=1.01, angle=0.5))
    contrasts = []
    for _ in range(400):
        shown = journey.show(noise()).astype(float)
        journey.later.run()
        contrasts.append(shown.std())
        assert len(journey.dreamer._passed) <= FRAMES_PER_ASCENT
    late, later = np.mean(contrasts[200:300]), np.mean(contrasts[300:])
    assert 0.8 < later / late < 1.25
    assert 60 < shown.mean() < 180
