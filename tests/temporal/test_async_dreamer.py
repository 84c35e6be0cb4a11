"""Frames are shown at once, and their ascents join later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import pytest
import synthetic
from waiting import SECONDS, wait_for

from stream_dream.frame import Frame, ImageF
from stream_dream.image import to_float
from stream_dream.settings.dream import DreamSettings
from stream_dream.temporal.async_dreamer import FRAMES_PER_ASCENT, AsyncDreamer
from stream_dream.temporal.carry import Carry
from stream_dream.temporal.dreamer import Dreamed, Prepared, TemporalDreamer
from stream_dream.temporal.flow import Motion, still
from stream_dream.temporal.warp import warp
from stream_dream.tone import Headroom, room_of

SHAPE = (24, 32)
STEP = 0.1
# Only momentum: no catching up, no evenness, no limit but 0 and 255.
PLAIN = DreamSettings(warm_up=0, limit=None, catch_up=0, evenness=0, momentum=0.5)


class _ManualExecutor(Executor):
    """An executor that runs its work when a test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []
        self.submitted = 0

    def submit(self, function: Any, /, *arguments: Any, **names: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: function(*arguments, **names)))
        self.submitted += 1
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None: ...

    def run(self) -> None:
        for future, work in self.waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(work())
        self.waiting.clear()


def steadily(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
    """Replace the ascent by the same step everywhere, as stripes."""
    return carried + stripes(carried.shape[:2]), 1.0


def stripes(shape: tuple[int, ...]) -> ImageF:
    """Return a change that keeps the brightness of large areas."""
    signs = np.where(np.arange(shape[1]) % 2, 1, -1)
    change = np.empty((*shape, 3), np.float32)
    change[:] = STEP * signs[:, None]
    return change


def strength(residual: ImageF) -> float:
    """Return how far stripes have grown."""
    return float(np.abs(residual).mean())


def picture(motion: Motion | None = None) -> Prepared:
    """Return a grey frame that continues the previous one, by default without motion."""
    image = np.full((*SHAPE, 3), 128, np.uint8)
    carry = Carry(motion or still(SHAPE), 1.0)
    return Prepared(Frame(image), image, to_float(image), None, carry, 1.0, 0.0)


def play(
    dreamer: AsyncDreamer,
    executor: _ManualExecutor,
    frames: int,
    pace: int,
    persistence: float,
    room: Headroom | None = None,
) -> list[float]:
    """Show frames with an ascent every ``pace`` frames; return the strength of each."""
    shown = []
    for frame in range(frames):
        if frame % pace == 0:
            executor.run()
        prepared = picture()._replace(room=room)
        shown.append(strength(dreamer(prepared, persistence).residual))
    return shown


def trailing(
    dream: Any = steadily, settings: DreamSettings = PLAIN
) -> tuple[AsyncDreamer, _ManualExecutor]:
    executor = _ManualExecutor()
    return AsyncDreamer(dream, settings, executor=executor), executor


def test_a_frame_is_shown_before_its_own_ascent() -> None:
    dreamer, executor = trailing()
    first = dreamer(picture(), 1.0)
    assert first.residual.max() == 0
    assert first.report.loss is None
    assert executor.submitted == 1
    np.testing.assert_array_equal(first.compose(), first.frame.image)


def test_a_step_is_shown_gradually_and_completely() -> None:
    dreamer, executor = trailing()
    dreamer(picture(), 1.0)
    executor.run()
    shown = [dreamer(picture(), 1.0) for _ in range(2)]  # the next ascent never ends
    assert [strength(one.residual) for one in shown] == pytest.approx([0.05, 0.075], rel=1e-2)
    assert shown[0].report.loss == 1.0


def test_an_ascent_starts_from_the_shown_dream_as_it_will_have_faded() -> None:
    starts: list[float] = []

    def note(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        starts.append(strength(carried))
        return steadily(source, carried)

    dreamer, executor = trailing(note)
    shown = play(dreamer, executor, 5, 1, 0.9)
    assert starts == pytest.approx([0.9 * one for one in shown[:4]], rel=1e-5)
    assert shown[4] > 2 * STEP


def test_new_areas_grow_faster_and_age_by_ascents() -> None:
    def slightly(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        return carried + np.float32(0.1) * stripes(SHAPE), 1.0

    usual, faster = (trailing(slightly, PLAIN.model_copy(update={"catch_up": n})) for n in (0, 1))
    for pace in (1, 3):
        shown = [
            play(*made, frames=1 + 12 * pace, pace=pace, persistence=1.0)
            for made in (usual, faster)
        ]
        assert shown[1][pace] == pytest.approx(2 * shown[0][pace], rel=0.15)
        assert 1.3 * shown[0][-1] < shown[1][-1] < 1.9 * shown[0][-1]
        for dreamer, executor in (usual, faster):
            executor.waiting.clear()
            dreamer.reset()


def test_a_dream_stays_within_its_room() -> None:
    dreamer, executor = trailing(settings=PLAIN.model_copy(update={"limit": 0.2}))
    for _ in range(60):
        executor.run()
        limited = picture()._replace(room=room_of(picture().source, 0.2))
        shown = strength(dreamer(limited, 1.0).residual)
    assert 0.18 < shown < 0.2001


def test_changed_settings_apply_to_the_next_ascent() -> None:
    dreamer, executor = trailing()
    play(dreamer, executor, 3, 1, 1.0)
    dreamer.use(PLAIN.model_copy(update={"momentum": 0.0}))
    executor.run()
    before = strength(dreamer(picture(), 1.0).residual)
    executor.run()
    assert strength(dreamer(picture(), 1.0).residual) - before == pytest.approx(STEP, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("persistence", [0.0, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("pace", range(1, FRAMES_PER_ASCENT + 1))
def test_a_dream_is_as_strong_as_a_synchronous_one(pace: int, persistence: float) -> None:
    settings = DreamSettings(persistence=persistence, warm_up=0)
    room = room_of(picture().source, settings.limit)
    waiting = TemporalDreamer(steadily, settings)
    frame = picture()._replace(carry=Carry(still(SHAPE), persistence), room=room)
    waited_for = [strength(waiting.ascend(frame).residual) for _ in range(500)][-1]
    dreamer, executor = trailing(settings=settings)
    shown = play(dreamer, executor, 500 * pace, pace, persistence, room)
    assert executor.submitted == pytest.approx(500, abs=1)
    assert np.mean(shown[-10 * pace :]) == pytest.approx(waited_for, rel=0.15)
    assert np.ptp(shown[-10 * pace :]) < 0.02 * STEP  # no pulse: fading and growth balance


def test_a_step_is_carried_past_the_frames_that_were_shown_meanwhile() -> None:
    def spot(source: ImageF, carried: ImageF, *, index: int, **_: object) -> tuple[ImageF, float]:
        grown = carried.copy()
        if index == 0:
            chequered = np.where(np.indices((3, 3)).sum(axis=0) % 2, -0.8, 0.8)
            grown[10:13, 20:23] += chequered[..., None].astype(np.float32)
        return grown, 0.0

    flow = np.zeros((*SHAPE, 2), np.float32)
    flow[..., 0] = 2  # from x + 2 to x: motion to the left
    everywhere = np.ones(SHAPE, np.float32)
    moving = Motion(flow, everywhere, everywhere)
    dreamer, executor = trailing(spot)
    dreamer(picture(), 1.0)
    dreamer(picture(moving), 1.0)
    executor.run()
    shown = dreamer(picture(moving), 1.0).residual[..., 0]
    y, x = np.argwhere(np.abs(shown) > 0.2).mean(axis=0)
    assert (x, y) == (21 - 2 * 2, 11)


@pytest.mark.stops
def test_a_frame_waits_where_too_many_have_gone_without_an_ascent() -> None:
    begun, let_go = threading.Event(), threading.Event()

    def hold(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        begun.set()
        assert let_go.wait(SECONDS)
        return steadily(source, carried)

    dreamer = AsyncDreamer(hold, DreamSettings())
    shown: list[Dreamed] = []

    def show() -> None:
        for _ in range(FRAMES_PER_ASCENT + 1):
            shown.append(dreamer(picture(), 1.0))

    thread = threading.Thread(target=show)
    thread.start()
    assert begun.wait(SECONDS)
    wait_for(lambda: len(shown) >= FRAMES_PER_ASCENT)
    time.sleep(0.2)
    assert len(shown) == FRAMES_PER_ASCENT
    let_go.set()
    thread.join(SECONDS)
    assert len(shown) == FRAMES_PER_ASCENT + 1
    assert strength(shown[-1].residual) > 0
    assert dreamer.ascent.seconds > 0.2
    assert dreamer.ascent.shape == SHAPE
    dreamer.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ascent")]


def test_a_cut_begins_afresh_and_drops_what_is_under_way() -> None:
    dreamer, executor = trailing()
    play(dreamer, executor, 5, 1, 1.0)
    cut = picture()._replace(carry=None)
    assert dreamer(cut, 1.0).residual.max() == 0
    assert (
        dreamer(picture(), 1.0).residual.max() == 0
    )  # the ascent of the frame before the cut was cancelled
    executor.run()
    assert strength(dreamer(picture(), 1.0).residual) == pytest.approx(STEP / 2, rel=1e-2)


def test_cuts_in_every_frame_leave_no_queue_of_ascents() -> None:
    dreamer, executor = trailing()
    for _ in range(20):
        dreamer(picture()._replace(carry=None), 1.0)
    assert sum(not future.cancelled() for future, _ in executor.waiting) == 1


def test_a_reset_repeats_the_dream_of_a_shot() -> None:
    def randomly(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
    ) -> tuple[ImageF, float]:
        return carried + rng.normal(0, 0.1, carried.shape).astype(np.float32) * (index + 1), 0.0

    dreamer, executor = trailing(randomly)
    before = play(dreamer, executor, 4, 1, 0.9)
    dreamer.reset()
    assert play(dreamer, executor, 4, 1, 0.9) == before


def test_the_dream_goes_on_at_another_size() -> None:
    dreamer, executor = trailing()
    dreamer(picture(), 1.0)
    executor.run()
    dreamer(picture(), 1.0)
    image = np.full((48, 64, 3), 128, np.uint8)
    larger = Prepared(
        *(Frame(image), image, to_float(image), None), Carry(still((48, 64)), 1.0), 1.0, 0.0
    )
    dreamed = dreamer(larger, 1.0)  # an ascent of the smaller size is under way
    assert dreamed.residual.shape == (48, 64, 3)
    executor.run()
    dreamed = dreamer(larger, 1.0)
    assert dreamed.residual.shape == (48, 64, 3)
    assert 0.5 * STEP < strength(dreamed.residual) < 2 * STEP


def test_an_error_of_an_ascent_is_raised() -> None:
    def fail(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        raise RuntimeError("no memory")

    dreamer = AsyncDreamer(fail, DreamSettings())

    def show() -> None:
        for _ in range(FRAMES_PER_ASCENT + 1):
            dreamer(picture(), 1.0)

    with pytest.raises(RuntimeError, match="no memory"):
        show()
    dreamer.close()


@pytest.mark.slow
@pytest.mark.parametrize("pace", [1, FRAMES_PER_ASCENT])
def test_it_flickers_no_more_than_a_synchronous_dream(
    tiny: Callable[..., DreamSettings], pace: int
) -> None:
    def noisy(
        source: ImageF, carried: ImageF, *, rng: np.random.Generator, **_: object
    ) -> tuple[ImageF, float]:
        coarse = rng.normal(0, 0.05, (source.shape[0] // 4, source.shape[1] // 4, 3))
        noise = np.kron(coarse, np.ones((4, 4, 1)))
        return np.clip(source + carried + noise, 0, 1).astype(np.float32) - source, 0.0

    frames, flow = synthetic.pan(24)
    settings = tiny(persistence=0.9, warm_up=0, dream_size=160, catch_up=0, evenness=0)

    def flicker(shown: list[ImageF]) -> float:
        return float(np.square(shown[-1] - warp(shown[-2], flow))[12:-12, 12:-12].mean())

    waited = TemporalDreamer(noisy, settings)
    prefetched = TemporalDreamer(noisy, tiny(persistence=0.995, dream_size=160))
    at_once, executor = trailing(noisy, settings)
    dreams: tuple[list[ImageF], list[ImageF]] = ([], [])
    for number, frame in enumerate(frames):
        dreams[0].append(waited.ascend(waited.prepare(frame)).residual)
        if number % pace == 0:
            executor.run()
        dreams[1].append(at_once(prefetched.prepare(frame), 0.9).residual)
    assert flicker(dreams[1]) < 1.1 * flicker(dreams[0])
