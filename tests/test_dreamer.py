"""The stateful stage: coherence, state, known flow."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import synthetic

from stream_dream.errors import SettingsError
from stream_dream.frame import Frame, ImageF
from stream_dream.image import resize, to_float
from stream_dream.settings import DreamSettings
from stream_dream.temporal.dreamer import Carry, Prepared, TemporalDreamer
from stream_dream.temporal.flow import Motion, still, warp

Make = Callable[..., DreamSettings]


def noisy(
    source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
) -> tuple[ImageF, float]:
    """Stand in for the ascent: coarse noise, another one each frame."""
    coarse = rng.normal(0, 0.05, (source.shape[0] // 4 + 1, source.shape[1] // 4 + 1, 3))
    noise = np.kron(coarse, np.ones((4, 4, 1)))[: source.shape[0], : source.shape[1]]
    return np.clip(source + carried + noise, 0, 1).astype(np.float32) - source, float(index)


def dreams(dreamer: TemporalDreamer, frames: list[Frame]) -> list[np.ndarray]:
    return [dreamer(frame).image for frame in frames]


def test_the_residual_travels_with_the_picture(tiny: Make) -> None:
    def only_at_first(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
    ) -> tuple[ImageF, float]:
        if index:
            return carried, 0.0
        spot = np.zeros_like(source)
        spot[60:70, 80:90] = 0.3
        return spot, 0.0

    frames, _ = synthetic.pan(4, step=(5, 3))
    dreamer = TemporalDreamer(only_at_first, tiny(persistence=0.99, warm_up=0))
    dreamed = dreams(dreamer, frames)
    added = dreamed[3].astype(int).sum(-1) - frames[3].image.astype(int).sum(-1)
    y, x = np.argwhere(added > 60).mean(axis=0)
    # The camera moved right and down by three steps, so the spot moved left and up.
    assert abs(x - (84.5 - 15)) < 1
    assert abs(y - (64.5 - 9)) < 1


def test_flow_makes_dreams_flicker_less(tiny: Make) -> None:
    frames, flow = synthetic.pan(12)

    def flicker(persistence: float) -> float:
        settings = tiny(persistence=persistence, momentum=0)
        out = dreams(TemporalDreamer(noisy, settings), frames)
        before, now = (image.astype(np.float32) for image in out[-2:])
        return float(np.square(now - warp(before, flow))[10:-10, 10:-10].mean())

    # The noise of one frame is the same; without carrying, two independent ones are compared.
    assert flicker(0.9) < 0.75 * flicker(0)


def test_known_flow_replaces_the_estimate(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, flow = synthetic.pan(3)
    dreamer = TemporalDreamer(noisy, tiny())
    dreamer(frames[0], flow)
    monkeypatch.setattr(dreamer, "_estimate", None)
    with pytest.raises(AttributeError):
        dreamer(frames[1], flow)

    estimated, known = (TemporalDreamer(noisy, tiny()) for _ in range(2))
    for frame in frames:
        a, b = estimated(frame).image, known(frame, flow).image
    assert np.abs(a.astype(int) - b)[15:-15, 15:-15].mean() < 3


def test_known_flow_of_another_size_is_refused(tiny: Make) -> None:
    frames, flow = synthetic.pan(2)
    dreamer = TemporalDreamer(noisy, tiny())
    dreamer(frames[0])
    with pytest.raises(ValueError, match="the frame needs"):
        dreamer(frames[1], flow[:50])


def test_half_of_a_step_is_shown_a_frame_later(tiny: Make) -> None:
    def add(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
    ) -> tuple[ImageF, float]:
        return carried + np.float32(0.1), 0.0

    frames = synthetic.still(2)
    dreamer = TemporalDreamer(add, tiny(persistence=0.8, warm_up=0))
    shown = [dreamer.ascend(dreamer.prepare(frame)).residual[60, 80, 0] for frame in frames]
    # 0.1 less 0.4 of that step; then 0.8 of the whole 0.1, and again 0.6 of a step.
    np.testing.assert_allclose(shown, [0.06, 0.14], rtol=1e-3)


def test_a_warm_up_goes_round_the_octaves(tiny: Make) -> None:
    seen: list[int] = []

    def look(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
    ) -> tuple[ImageF, float]:
        seen.append(index)
        return carried, 0.0

    dreams(TemporalDreamer(look, tiny(warm_up=4)), synthetic.still(3))
    assert seen == list(range(7))


def test_a_cut_resets_everything(tiny: Make) -> None:
    frames, _ = synthetic.pan(6)
    cut = [Frame(f.image, f.index, f.time, cut=f.index == 3) for f in frames]
    whole = dreams(TemporalDreamer(noisy, tiny()), cut)
    alone = dreams(TemporalDreamer(noisy, tiny()), frames[3:])
    np.testing.assert_array_equal(whole[3:], alone)


def test_reset_and_same_seed_give_the_same_frames(tiny: Make) -> None:
    frames, _ = synthetic.pan(4)
    dreamer = TemporalDreamer(noisy, tiny())
    first = dreams(dreamer, frames)
    dreamer.reset()
    np.testing.assert_array_equal(dreams(dreamer, frames), first)
    other = dreams(TemporalDreamer(noisy, tiny(seed=1)), frames)
    assert np.abs(np.subtract(other, first, dtype=int)).max() > 5


def test_a_restored_state_continues_identically(tiny: Make, tmp_path: Path) -> None:
    frames, _ = synthetic.pan(8)
    whole = dreams(TemporalDreamer(noisy, tiny()), frames)
    first = TemporalDreamer(noisy, tiny())
    dreams(first, frames[:5])
    first.save(tmp_path / "state.npz")
    second = TemporalDreamer(noisy, tiny())
    second.restore(tmp_path / "state.npz")
    np.testing.assert_array_equal(dreams(second, frames[5:]), whole[5:])
    assert list(tmp_path.iterdir()) == [tmp_path / "state.npz"]


def test_preparing_ahead_changes_nothing(tiny: Make, tmp_path: Path) -> None:
    frames, _ = synthetic.pan(6)
    whole = dreams(TemporalDreamer(noisy, tiny()), frames)
    dreamer = TemporalDreamer(noisy, tiny())
    prepared = [dreamer.prepare(frame) for frame in frames]
    composed = [dreamer.ascend(item).compose() for item in prepared[:3]]
    dreamer.save(tmp_path / "state")  # although three more frames were seen already
    composed += [dreamer.ascend(item).compose() for item in prepared[3:]]
    np.testing.assert_array_equal(composed, whole)
    later = TemporalDreamer(noisy, tiny())
    later.restore(tmp_path / "state")
    np.testing.assert_array_equal(dreams(later, frames[3:]), whole[3:])


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04broken"])
def test_a_broken_state_is_refused(tiny: Make, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    frames, _ = synthetic.pan(4)
    whole = dreams(TemporalDreamer(noisy, tiny()), frames)
    dreamer = TemporalDreamer(noisy, tiny())
    dreams(dreamer, frames[:2])
    with pytest.raises(SettingsError, match="not a saved dream"):
        dreamer.restore(path)
    np.testing.assert_array_equal(dreams(dreamer, frames[2:]), whole[2:])


def test_half_a_state_is_refused(tiny: Make, tmp_path: Path) -> None:
    dreamer = TemporalDreamer(noisy, tiny())
    dreams(dreamer, synthetic.still(1))
    dreamer.save(tmp_path / "state")
    with np.load(tmp_path / "state") as stored:
        arrays = {name: stored[name] for name in stored.files if name != "source"}
    np.savez(tmp_path / "half.npz", **arrays)
    with pytest.raises(SettingsError, match="not a saved dream"):
        dreamer.restore(str(tmp_path / "half.npz"))


def test_a_frame_of_another_size_begins_a_shot(tiny: Make) -> None:
    dreamer = TemporalDreamer(noisy, tiny())
    dreamer(synthetic.still(1)[0])
    dreamed = dreamer(synthetic.still(1, (100, 60))[0])
    assert dreamed.image.shape == (60, 100, 3)
    assert dreamer.report is not None
    assert dreamer.report.visible_share == 0


def test_dreams_grow_in_square_pixels(tiny: Make) -> None:
    seen = []

    def look(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
    ) -> tuple[ImageF, float]:
        seen.append(source.shape)
        return carried, 0.0

    settings = tiny(dream_size=80, warm_up=0)
    dreamer = TemporalDreamer(look, settings, pixel_aspect=Fraction(2))
    assert dreamer(synthetic.still(1, (100, 100))[0]).image.shape == (100, 100, 3)
    assert seen == [(40, 80, 3)]


def test_a_dream_does_not_stay_behind_on_what_covers_it() -> None:
    flow = np.zeros((8, 12, 2), np.float32)
    visible, alike = np.ones((8, 12), np.float32), np.ones((8, 12), np.float32)
    visible[:, 4:] = 0
    alike[:, 8:] = 0
    carried = Carry(Motion(flow, visible, alike), persistence=0.5)(np.ones((8, 12, 3), np.float32))
    np.testing.assert_allclose(carried[:, :4], 0.5)
    np.testing.assert_allclose(carried[:, 4:8], 0.5 * 0.8, rtol=1e-6)
    np.testing.assert_allclose(carried[:, 8:], 0.5 * 0.3, rtol=1e-6)


def test_a_looping_dreamer_repeats_what_is_random(tiny: Make) -> None:
    seen: list[tuple[int, int]] = []

    def listening(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
    ) -> tuple[ImageF, float]:
        seen.append((index, int(rng.integers(2**32))))
        return np.zeros_like(source), 0.0

    dreamer = TemporalDreamer(listening, tiny(warm_up=0), looping=True)
    for frame in synthetic.still(3) * 2:
        dreamer(frame)
    assert seen[:3] == seen[3:]
    assert [index for index, _ in seen[:3]] == [0, 1, 2]


def test_the_dream_goes_on_at_another_size(tiny: Callable[..., DreamSettings]) -> None:
    carried: list[ImageF] = []

    def dream(source: ImageF, start: ImageF, **_: object) -> tuple[ImageF, float]:
        carried.append(start)
        return np.full_like(source, 0.1), 0.0

    dreamer = TemporalDreamer(dream, tiny(persistence=0.9, warm_up=0))
    frame = synthetic.still(1, (64, 48))[0]
    dreamer(frame)
    small = resize(frame.image, (32, 24))
    motion = still((24, 32))
    shown = dreamer.ascend(
        Prepared(frame, small, to_float(small), Carry(motion, 0.9), visible_share=1, seconds=0)
    )
    assert carried[-1].shape == (24, 32, 3)
    assert carried[-1].mean() == pytest.approx(0.09, abs=1e-3)
    assert shown.compose().shape == frame.image.shape
