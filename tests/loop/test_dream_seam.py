"""The seam of a loop of dreams."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import synthetic

from stream_dream.frame import FrameReport, ImageF
from stream_dream.image import to_float
from stream_dream.loop.dream_seam import ClosedDream
from stream_dream.settings.dream import DreamSettings
from stream_dream.temporal.dreamer import TemporalDreamer
from stream_dream.temporal.flow import still

Make = Callable[..., DreamSettings]
FRAMES = 12
# Ascents are shown at once and without limits.
PLAIN = {
    "momentum": 0,
    "catch_up": 0,
    "evenness": 0,
    "limit": None,
    "schedule": "restore",
    "dream_size": 48,
}


def wandering(
    source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
) -> tuple[ImageF, float]:
    """Replace the ascent by one that never settles: it depends chaotically on its start."""
    chaotic = np.random.default_rng(int(np.abs(carried).sum() * 1e3) % 2**32)
    blocks = chaotic.normal(0, 0.02, (source.shape[0] // 8, source.shape[1] // 8, 3))
    added = np.kron(blocks, np.ones((8, 8, 1))) + rng.normal(0, 0.002, source.shape)
    return np.clip(source + carried + added, 0, 1).astype(np.float32) - source, 0.0


def dreamed_loop(
    settings: DreamSettings,
    dream: Callable[..., tuple[ImageF, float]] = wandering,
    frames: int = FRAMES,
) -> tuple[ClosedDream, list[FrameReport]]:
    images = synthetic.still(frames, (48, 32))
    dreamer = TemporalDreamer(dream, settings, looping=True)
    loop, reports = ClosedDream(dreamer, frames), []
    flow = still((32, 48)).flow
    while positions := loop.to_dream:
        items = (dreamer.prepare(images[position % frames], flow) for position in positions)
        loop.dream(items, reports.append)
    return loop, reports


def changes(loop: ClosedDream) -> list[float]:
    """Return the mean change from each frame to the next in levels, first across the seam."""
    dreams = [loop.residual(index) for index in range(loop.frames)]
    return [float(np.abs(dreams[i] - dreams[i - 1]).mean()) * 255 for i in range(loop.frames)]


def test_the_seam_is_like_any_other_step(tiny: Make) -> None:
    loop, _ = dreamed_loop(tiny(persistence=0.9, **PLAIN))
    figures = changes(loop)
    assert figures[0] < 1.5 * np.median(figures)
    # Without the window the last round would jump from its end to its start.
    ends = [loop._residuals[i].astype(np.float32) for i in (FRAMES - 1, 0)]
    assert np.abs(ends[0] - ends[1]).mean() * 255 > 3 * figures[0]


def test_weights_add_up_to_one(tiny: Make) -> None:
    def constant(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        return np.full_like(source, 0.25), 0.0

    loop, _ = dreamed_loop(tiny(persistence=0, **PLAIN), constant)
    assert loop.seam == pytest.approx(0, abs=1e-4)
    shown = np.minimum(0.25, 1 - to_float(synthetic.photo((48, 32))))
    for index in range(FRAMES):
        np.testing.assert_allclose(loop.residual(index), shown, atol=1e-3)


def test_rounds_that_agree_end_after_two_and_a_half(tiny: Make) -> None:
    loop, reports = dreamed_loop(tiny(persistence=0.5, **{**PLAIN, "schedule": "together"}))
    assert loop.rounds == 2.5
    assert [report.index for report in reports] == list(range(30))
    assert len(loop.to_dream) == 0


def test_rounds_that_differ_much_get_one_more(tiny: Make) -> None:
    count = 0

    def growing(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        nonlocal count
        count += 1
        return np.full_like(source, count / 1000), 0.0

    loop, _ = dreamed_loop(tiny(persistence=0, **PLAIN), growing)
    # Each round is 12 / 1000 above the previous one: 3 levels, divided among 12 frames.
    assert loop.seam == pytest.approx(0.255, abs=0.03)
    assert loop.rounds == 2.5

    def leaping(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        nonlocal count
        count += 1
        return np.full_like(source, (count // FRAMES) / 10), 0.0

    count = -1
    loop, _ = dreamed_loop(tiny(persistence=0, **PLAIN), leaping)
    assert loop.rounds == 3.5
    assert loop.seam == pytest.approx(25.5 / FRAMES, abs=0.03)
    # The first round is discarded: the middle of the window is the third.
    assert loop.residual(3).mean() == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("frames", [2, 3, 7])
def test_loops_of_few_frames_are_closed(tiny: Make, frames: int) -> None:
    loop, _ = dreamed_loop(tiny(**PLAIN), frames=frames)
    assert loop.rounds >= 2.5
    assert all(np.isfinite(loop.residual(index)).all() for index in range(frames))


def test_a_loop_can_be_closed_from_the_second_round_on(tiny: Make) -> None:
    images = synthetic.still(FRAMES, (48, 32))
    dreamer = TemporalDreamer(wandering, tiny(persistence=0.9, **PLAIN), looping=True)
    loop = ClosedDream(dreamer, FRAMES)
    flow = still((32, 48)).flow

    def dream_on(count: int) -> None:
        positions = range(loop.dreamed, loop.dreamed + count)
        items = (dreamer.prepare(images[position % FRAMES], flow) for position in positions)
        loop.dream(items, lambda report: None)

    dream_on(FRAMES)
    assert not loop.closable
    dream_on(FRAMES // 2)
    assert loop.closable
    figures = changes(loop)
    assert figures[0] < 2 * np.median(figures)


def test_random_numbers_depend_only_on_the_frames_position(tiny: Make) -> None:
    seen: list[float] = []

    def listening(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
    ) -> tuple[ImageF, float]:
        seen.append(index + rng.random())
        return np.zeros_like(source), 0.0

    dreamed_loop(tiny(warm_up=0), listening, frames=4)
    assert seen == seen[:4] * 2 + seen[:2]
    assert len(set(seen[:4])) == 4
