"""Several shots dreamed in one call of the network."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import synthetic
from waiting import wait_for

from stream_dream.dream.ascent import Ascended, Ascent, Start
from stream_dream.dream.batching import BatchedAscent
from stream_dream.errors import SettingsError
from stream_dream.frame import Frame, ImageF
from stream_dream.image import to_float
from stream_dream.settings.dream import DreamSettings, merged
from stream_dream.settings.presets import load_preset
from stream_dream.temporal.dreamer import DreamFunction, TemporalDreamer

Make = Callable[..., DreamSettings]
Residuals = list[ImageF]
SECONDS = 60


def shot(frames: int, number: int, size: tuple[int, int] = (72, 48)) -> list[Frame]:
    """Return a pan that depends on the number."""
    panned, _ = synthetic.pan(frames, step=(2 + number, 1), size=size)
    return [
        Frame(np.ascontiguousarray(np.rot90(frame.image, 2 * number)), frame.index, frame.time)
        for frame in panned
    ]


def dream_shot(dream: DreamFunction, settings: DreamSettings, frames: list[Frame]) -> Residuals:
    dreamer = TemporalDreamer(dream, settings)
    return [dreamer.ascend(dreamer.prepare(frame)).residual for frame in frames]


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Provide threads that do not hold up later tests if one keeps waiting."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def dream_batched(
    ascent: Ascent, settings: DreamSettings, shots: Sequence[list[Frame]]
) -> list[Residuals]:
    """Dream each shot in a thread, all from the first frame on."""
    batched, ready = BatchedAscent(ascent, len(shots)), threading.Barrier(len(shots))

    def work(frames: list[Frame]) -> Residuals:
        with batched.member() as dream:
            ready.wait(SECONDS)
            return dream_shot(dream, settings, frames)

    with threads(len(shots)) as pool:
        return [future.result(SECONDS) for future in [pool.submit(work, one) for one in shots]]


def wait_until(count: int, batched: BatchedAscent) -> None:
    """Wait until exactly ``count`` calls wait."""
    wait_for(lambda: len(batched._waiting) == count)


class Recorded(Ascent):
    """An ascent that records the sizes of its batches."""

    def __init__(self, settings: DreamSettings) -> None:
        """Create an empty record."""
        super().__init__(settings)
        self.sizes: list[int] = []

    def ascend_all(
        self, starts: Sequence[Start], batch: int = 1, settings: DreamSettings | None = None
    ) -> list[Ascended]:
        """Record the size of the batch and dream it."""
        self.sizes.append(len(starts))
        return super().ascend_all(starts, batch, settings)


def assert_alike(found: Sequence[Residuals], expected: Sequence[Residuals]) -> None:
    for shot_found, shot_expected in zip(found, expected, strict=True):
        for one, other in zip(shot_found, shot_expected, strict=True):
            assert np.abs(one - other).max() < 1 / 255
            assert np.abs(one).max() > 2 / 255


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "norm"),
    [("together", "laplacian"), ("all", "std"), ("rotate", "mean_abs"), ("restore", "std")],
)
def test_a_batch_dreams_as_each_shot_alone(tiny: Make, schedule: str, norm: str) -> None:
    settings = tiny(schedule=schedule, gradient_norm=norm, steps=2)
    shots = [shot(frames, number) for number, frames in enumerate((5, 2, 3))]
    ascent = Recorded(settings)
    alone = [dream_shot(ascent, settings, frames) for frames in shots]
    ascent.sizes.clear()
    assert_alike(dream_batched(ascent, settings, shots), alone)
    # Batches of three for two frames, of two for one more, of one for the rest.
    assert ascent.sizes == [3] * 2 + [2] + [1] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        {"guide": "any.png"},
        {"layer": ["conv1:1,3=0.5", "conv2"]},
        {"octaves": 1},
    ],
)
def test_all_objectives_take_batches(tiny: Make, values: dict[str, Any]) -> None:
    settings = tiny(warm_up=0, step_size=0.02, **values)
    # Large enough to be dreamed in halves.
    shots = [shot(2, number, size=(96, 56)) for number in range(2)]
    ascent = Ascent(settings)
    if ascent.guide is not None:
        ascent.guide.show(synthetic.photo((48, 32)))
    alone = [dream_shot(ascent, settings, frames) for frames in shots]
    assert_alike(dream_batched(ascent, settings, shots), alone)


@pytest.mark.slow
def test_each_image_has_its_own_loss_and_stops_for_itself(tiny: Make) -> None:
    photo = to_float(synthetic.photo((72, 48)))
    sources = [photo, 0.3 + 0.2 * photo, 0.2 + 0.5 * photo]
    losses = sorted(map(Ascent(tiny()).loss, sources))
    assert losses[0] < 0.5 * losses[-1]
    # The first image exceeds it from the start, the others later.
    settings = tiny(steps=6, step_size=0.02, schedule="all", jitter=2, max_loss=0.9 * losses[-1])
    ascent = Ascent(settings)

    def starts() -> list[Start]:
        return [
            Start(source, np.zeros_like(source), 0, np.random.default_rng(number))
            for number, source in enumerate(sources)
        ]

    together = ascent.ascend_all(starts())
    alone = [ascent.ascend_all([start])[0] for start in starts()]
    for one, other in zip(together, alone, strict=True):
        assert np.abs(one.residual - other.residual).max() < 1e-4
        assert one.loss == pytest.approx(other.loss, rel=1e-4)
    assert len({round(one.loss, 6) for one in together}) == 3
    strengths = [np.abs(one.residual).max() for one in together]
    assert strengths[0] < strengths[1]


@pytest.mark.slow
def test_the_loss_is_the_one_at_which_an_image_stopped(tiny: Make) -> None:
    """Other images go on, and at another jitter the loss would be lower again."""
    photo = to_float(synthetic.photo((72, 48)))
    sources = [photo, 0.4 + 0.1 * photo]
    limit = Ascent(tiny(octaves=1)).loss(photo)
    settings = tiny(octaves=1, steps=8, step_size=0, jitter=30, max_loss=limit)
    ascent, stopped_late = Ascent(settings), 0
    for seed in range(8):
        rngs = [np.random.default_rng(seed), np.random.default_rng(seed)]
        starts = [
            Start(source, np.zeros_like(source), 0, rng)
            for source, rng in zip(sources, rngs, strict=True)
        ]
        found = ascent.ascend_all(starts)[0].loss
        rng = np.random.default_rng(seed)
        expected = ascent(photo, np.zeros_like(photo), index=0, rng=rng).loss
        assert found == pytest.approx(expected, rel=1e-4)
        stopped_late += expected > limit
    assert stopped_late > 0


@pytest.mark.slow
def test_only_some_sizes_of_batches_are_traced(tiny: Make) -> None:
    ascent = Ascent(tiny(warm_up=0))
    shots = [shot(frames, frames % 3) for frames in range(1, 7)]
    dream_batched(ascent, tiny(warm_up=0), shots)
    assert ascent.traces == 4  # 1, 2, 4 and 6
    dream_batched(ascent, tiny(warm_up=0), shots)
    assert ascent.traces == 4


@pytest.mark.slow
def test_different_shapes_are_dreamed_in_turn(tiny: Make) -> None:
    settings = tiny(warm_up=1)
    shots = [shot(2, 0), shot(2, 1, size=(48, 72)), shot(2, 2)]
    ascent = Recorded(settings)
    alone = [dream_shot(ascent, settings, frames) for frames in shots]
    ascent.sizes.clear()
    assert_alike(dream_batched(ascent, settings, shots), alone)
    assert sorted(ascent.sizes) == [1] * 2 + [2] * 2


@pytest.mark.slow
@pytest.mark.stops
def test_shots_that_begin_later_join(tiny: Make) -> None:
    settings = tiny(schedule="rotate", octaves=3, octave_scale=1.5)
    shots = [shot(6, 0), shot(3, 1)]
    ascent = Ascent(settings)
    alone = [dream_shot(ascent, settings, frames) for frames in shots]
    batched, begun = BatchedAscent(ascent, 2), threading.Event()

    def first() -> Residuals:
        with batched.member() as dream:
            dreamer = TemporalDreamer(dream, settings)
            residuals = [dreamer.ascend(dreamer.prepare(shots[0][0])).residual]
            begun.set()
            for frame in shots[0][1:]:
                residuals.append(dreamer.ascend(dreamer.prepare(frame)).residual)
            return residuals

    def second() -> Residuals:
        assert begun.wait(SECONDS)
        with batched.member() as dream:
            return dream_shot(dream, settings, shots[1])

    with threads(2) as pool:
        futures = [pool.submit(first), pool.submit(second)]
        assert_alike([future.result(SECONDS) for future in futures], alone)


@pytest.mark.slow
@pytest.mark.stops
def test_a_member_that_fails_or_leaves_holds_up_no_other(tiny: Make) -> None:
    settings = tiny(warm_up=0)
    batched, ready = BatchedAscent(Ascent(settings), 3), threading.Barrier(3)
    frames = shot(4, 0)

    def work(dreamed: int) -> int:
        with batched.member() as dream:
            ready.wait(SECONDS)
            residuals = dream_shot(dream, settings, frames[:dreamed])
            # By now all others wait for this one.
            wait_until({0: 2, 2: 1, 4: 0}[dreamed], batched)
            if dreamed == 2:
                raise OSError("the shot cannot be read further")
            return len(residuals)

    with threads(3) as pool:
        # One leaves without a call, one fails in the middle.
        futures = [pool.submit(work, dreamed) for dreamed in (0, 2, 4)]
        assert futures[2].result(SECONDS) == 4
        assert futures[0].result(SECONDS) == 0
        with pytest.raises(OSError, match="cannot be read further"):
            futures[1].result(SECONDS)


@pytest.mark.slow
@pytest.mark.stops
def test_an_error_reaches_all_waiting_members(tiny: Make) -> None:
    class Failing(Recorded):
        def ascend_all(
            self, starts: Sequence[Start], batch: int = 1, settings: DreamSettings | None = None
        ) -> list[Ascended]:
            if len(self.sizes) == 2 and len(starts) == 3:
                raise MemoryError("the device is full")
            return super().ascend_all(starts, batch, settings)

    settings = tiny(warm_up=0)
    batched, ready = BatchedAscent(Failing(settings), 3), threading.Barrier(3)

    def work(number: int) -> None:
        with batched.member() as dream:
            ready.wait(SECONDS)
            dream_shot(dream, settings, shot(4, number))

    with threads(3) as pool:
        futures: list[Future[None]] = [pool.submit(work, number) for number in range(3)]
        for future in futures:
            with pytest.raises(MemoryError, match="device is full"):
                future.result(SECONDS)
    with batched.member() as dream:
        assert len(dream_shot(dream, settings, shot(2, 0))) == 2


@pytest.mark.slow
@pytest.mark.stops
def test_a_member_interrupted_while_waiting_holds_up_no_other(tiny: Make) -> None:
    settings = tiny(warm_up=0)
    ascent, entered = Recorded(settings), threading.Event()
    batched = BatchedAscent(ascent, 2)
    source = to_float(synthetic.photo((72, 48)))

    def other() -> int:
        with batched.member() as dream:
            entered.set()
            wait_until(1, batched)
            os.kill(os.getpid(), signal.SIGINT)
            wait_until(0, batched)
            return len(dream_shot(dream, settings, shot(3, 0)))

    with threads(1) as pool:
        future = pool.submit(other)
        assert entered.wait(SECONDS)
        with pytest.raises(KeyboardInterrupt), batched.member() as dream:
            dream(source, np.zeros_like(source), index=0, rng=np.random.default_rng(0))
        assert future.result(SECONDS) == 3
    assert ascent.sizes == [1] * 3


def test_tiles_are_refused(tiny: Make) -> None:
    batched = BatchedAscent(Ascent(tiny(tile=64)), 2)
    source = to_float(synthetic.photo((72, 48)))
    with batched.member() as dream, pytest.raises(SettingsError, match=r"72x48 pixels .* in tiles"):
        dream(source, np.zeros_like(source), index=0, rng=np.random.default_rng(0))


def test_a_batch_has_no_more_members_than_its_size(tiny: Make) -> None:
    ascent = Ascent(tiny())
    batched = BatchedAscent(ascent, 1)
    with (
        batched.member(),
        pytest.raises(RuntimeError, match="all 1 members"),
        batched.member(),
    ):
        pass
    with batched.member():
        pass
    with pytest.raises(ValueError, match="at least 1"):
        BatchedAscent(ascent, 0)


def test_starts_that_do_not_fit_together_are_refused(tiny: Make) -> None:
    source = to_float(synthetic.photo((72, 48)))
    starts = [
        Start(image, np.zeros_like(image), 0, np.random.default_rng(0))
        for image in (source, source[:40])
    ]
    with pytest.raises(ValueError, match="2 starts have 2 combinations"):
        Ascent(tiny()).ascend_all(starts)


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"schedule": "rotate", "gradient_norm": "std", "octaves": 3},
        {"schedule": "all", "gradient_norm": "mean_abs", "steps": 2, "max_loss": 40.0},
        # With more octaves one rounded number becomes another dream.
        {"class": ["tabby cat"], "layer": ["block10=0.05"], "octaves": 2},
    ],
)
def test_a_batch_of_real_shots_dreams_as_each_alone(values: dict[str, Any]) -> None:
    # A warm-up would amplify differences of rounding.
    update = {"warm_up": 0, "dream_size": 336, **values}
    settings = merged(load_preset("dogs").dream, update)
    shots = [shot(frames, number, size=(336, 188)) for number, frames in enumerate((4, 2, 3))]
    ascent = Recorded(settings)
    alone = [dream_shot(ascent, settings, frames) for frames in shots]
    ascent.sizes.clear()
    assert_alike(dream_batched(ascent, settings, shots), alone)
    assert max(ascent.sizes) == 3
