"""The temporal dreamer: coherence, state, known flow."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic

from stream_dream.errors import SettingsError
from stream_dream.frame import Frame, ImageF
from stream_dream.image import resize, resize_float, to_float
from stream_dream.settings.dream import DreamSettings
from stream_dream.temporal.carry import Carry
from stream_dream.temporal.dreamer import Prepared, TemporalDreamer
from stream_dream.temporal.flow import Motion, still
from stream_dream.temporal.warp import warp
from stream_dream.tone import room_of

Make = Callable[..., DreamSettings]
# Ascents are shown at once, except for changes of large areas.
PLAIN = {"momentum": 0, "catch_up": 0, "evenness": 0, "limit": None, "dream_size": 160}
# Uses everything that is carried from frame to frame.
FULL = {"momentum": 0.8, "catch_up": 1.5, "evenness": 0.6, "limit": 0.35, "dream_size": 160}


def noisy(
    source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
) -> tuple[ImageF, float]:
    """Replace the ascent by coarse noise, different in each frame."""
    coarse = rng.normal(0, 0.05, (source.shape[0] // 4 + 1, source.shape[1] // 4 + 1, 3))
    noise = np.kron(coarse, np.ones((4, 4, 1)))[: source.shape[0], : source.shape[1]]
    return np.clip(source + carried + noise, 0, 1).astype(np.float32) - source, float(index)


def spread(shape: tuple[int, ...], height: float) -> ImageF:
    """Return a checkerboard of 4 pixels, which changes no large area."""
    rows, columns = np.indices(shape[:2]) // 4
    return (
        np.where((rows + columns) % 2, height, -height).astype(np.float32)[..., None].repeat(3, 2)
    )


def dreams(dreamer: TemporalDreamer, frames: list[Frame]) -> list[np.ndarray]:
    return [dreamer(frame).image for frame in frames]


@pytest.mark.parametrize("values", [PLAIN, FULL])
def test_the_residual_travels_with_the_picture(tiny: Make, values: dict[str, Any]) -> None:
    def only_at_first(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
    ) -> tuple[ImageF, float]:
        if index:
            return carried, 0.0
        spot = np.zeros_like(source)
        spot[60:70, 80:90] = 0.3
        return spot, 0.0

    frames, _ = synthetic.pan(4, step=(5, 3))
    dreamer = TemporalDreamer(only_at_first, tiny(**{**values, "persistence": 0.99}))
    dreamed = dreams(dreamer, frames)
    added = dreamed[3].astype(int).sum(-1) - frames[3].image.astype(int).sum(-1)
    y, x = np.argwhere(added > max(20, added.max() / 2)).mean(axis=0)
    # The camera moved right and down by three steps: the spot moved left and up.
    assert abs(x - (84.5 - 15)) < 1
    assert abs(y - (64.5 - 9)) < 1


@pytest.mark.slow
def test_flow_makes_dreams_flicker_less(tiny: Make) -> None:
    frames, flow = synthetic.pan(12)

    def flicker(persistence: float) -> float:
        settings = tiny(persistence=persistence, momentum=0)
        out = dreams(TemporalDreamer(noisy, settings), frames)
        before, now = (image.astype(np.float32) for image in out[-2:])
        return float(np.square(now - warp(before, flow))[10:-10, 10:-10].mean())

    # Without carrying, the noise of two frames is independent.
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


@pytest.mark.parametrize("momentum", [0, 0.8])
def test_a_step_is_shown_as_momentum_lets_it_come(tiny: Make, momentum: float) -> None:
    def add(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
    ) -> tuple[ImageF, float]:
        return carried + spread(source.shape, 0.01), 0.0

    settings = tiny(**{**PLAIN, "momentum": momentum, "persistence": 0.8})
    dreamer, velocity, expected = TemporalDreamer(add, settings), 0.0, 0.0
    for index in range(4):
        grey = Frame(np.full((120, 160, 3), 128, np.uint8), index)
        residual = dreamer.ascend(dreamer.prepare(grey)).residual
        velocity = momentum * velocity + (1 - momentum) * 0.01
        expected = 0.8 * expected + velocity
        np.testing.assert_allclose(np.abs(residual[20:-20, 20:-20]), expected, rtol=0.08)


class Beginning:
    """Replaces an ascent that finishes the dream of a shot's first frame."""

    def __init__(self) -> None:
        """Create an empty record."""
        self.seen: list[str] = []

    def begin(self, source: ImageF, *, index: int, rng: np.random.Generator, **_: object) -> ImageF:
        """Return a dream that depends on the random numbers."""
        self.seen.append("begin")
        return spread(source.shape, 0.05) + np.float32(0.01 * rng.random())

    def __call__(
        self, source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
    ) -> tuple[ImageF, float]:
        """Return the carried dream."""
        self.seen.append(f"{index} from {np.abs(carried).max():.2f}")
        return carried, float(index)


def test_a_shot_begins_with_a_finished_dream(tiny: Make) -> None:
    frames = synthetic.still(4)
    cut = [Frame(f.image, f.index, f.time, cut=f.index == 2) for f in frames]
    dream = Beginning()
    dreamer = TemporalDreamer(dream, tiny(**{**PLAIN, "persistence": 0.9, "warm_up": 4}))
    residuals = [dreamer.ascend(dreamer.prepare(frame)).residual for frame in cut]
    assert [entry.split()[0] for entry in dream.seen] == ["begin", "0", "1"] * 2
    assert dream.seen[1] != "0 from 0.00"
    assert np.abs(residuals[0]).mean() > 0.04
    assert np.abs(residuals[1]).mean() == pytest.approx(0.9 * np.abs(residuals[0]).mean(), 0.02)
    # A shot does not depend on earlier ones.
    np.testing.assert_array_equal(residuals[:2], residuals[2:])


def test_without_a_warm_up_nothing_is_finished(tiny: Make) -> None:
    dream = Beginning()
    dreams(TemporalDreamer(dream, tiny(**{**PLAIN, "warm_up": 0})), synthetic.still(2))
    assert dream.seen == ["0 from 0.00", "1 from 0.00"]


@pytest.mark.parametrize(("count", "cadence"), [(7, 1), (7, 2), (7, 3), (8, 8), (9, 8)])
def test_between_ascents_a_dream_grows_on(tiny: Make, count: int, cadence: int) -> None:
    indices: list[int] = []

    def dream(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
    ) -> tuple[ImageF, float]:
        indices.append(index)
        return carried + spread(source.shape, 0.004), 1.0

    settings = tiny(**{**FULL, "cadence": cadence, "persistence": 0.99})
    dreamer, losses, strengths = TemporalDreamer(dream, settings), [], []
    for frame in synthetic.still(count):
        dreamed = dreamer.ascend(dreamer.prepare(frame))
        losses.append(dreamed.report.loss)
        strengths.append(float(np.abs(dreamed.residual).mean()))
    assert indices == list(range(-(-count // cadence)))
    assert [loss is None for loss in losses] == [index % cadence > 0 for index in range(count)]
    assert min(np.diff(strengths)) > 0


def test_a_cut_begins_the_cadence_anew(tiny: Make) -> None:
    frames = [Frame(f.image, f.index, f.time, cut=f.index == 2) for f in synthetic.still(5)]
    dreamer = TemporalDreamer(noisy, tiny(**FULL, cadence=3))
    losses = [dreamer.ascend(dreamer.prepare(frame)).report.loss for frame in frames]
    assert losses == [0.0, None, 0.0, None, None]


def test_a_looping_cadence_repeats(tiny: Make) -> None:
    seen: list[float] = []

    def listening(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
    ) -> tuple[ImageF, float]:
        seen.append(index + rng.random())
        return carried, 0.0

    dreamer = TemporalDreamer(listening, tiny(**FULL, cadence=2), looping=True)
    dreams(dreamer, synthetic.still(5) * 2)
    assert seen[:3] == seen[3:]
    assert [int(number) for number in seen[:3]] == [0, 1, 2]


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


@pytest.mark.slow
@pytest.mark.parametrize(("cadence", "done"), [(1, 5), (3, 3), (3, 4), (3, 5), (8, 1)])
def test_a_restored_state_continues_identically(
    tiny: Make, tmp_path: Path, cadence: int, done: int
) -> None:
    settings = tiny(**FULL, cadence=cadence)
    frames, _ = synthetic.pan(8)
    unbroken = TemporalDreamer(noisy, settings)
    whole = dreams(unbroken, frames)
    first = TemporalDreamer(noisy, settings)
    dreams(first, frames[:done])
    first.save(tmp_path / "state.npz")
    second = TemporalDreamer(noisy, settings)
    dreams(second, frames[:2])  # regardless of earlier dreams
    second.restore(tmp_path / "state.npz")
    np.testing.assert_array_equal(dreams(second, frames[done:]), whole[done:])
    np.testing.assert_array_equal(second._growth.velocity, unbroken._growth.velocity)
    np.testing.assert_array_equal(second._growth.age, unbroken._growth.age)
    assert list(tmp_path.iterdir()) == [tmp_path / "state.npz"]


def test_preparing_ahead_changes_nothing(tiny: Make, tmp_path: Path) -> None:
    frames, _ = synthetic.pan(6)
    whole = dreams(TemporalDreamer(noisy, tiny()), frames)
    dreamer = TemporalDreamer(noisy, tiny())
    prepared = [dreamer.prepare(frame) for frame in frames]
    composed = [dreamer.ascend(item).compose() for item in prepared[:3]]
    dreamer.save(tmp_path / "state")  # three more frames were already read
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


@pytest.mark.parametrize("missing", ["source", "age"])
def test_half_a_state_is_refused(tiny: Make, tmp_path: Path, missing: str) -> None:
    dreamer = TemporalDreamer(noisy, tiny())
    dreams(dreamer, synthetic.still(1))
    dreamer.save(tmp_path / "state")
    with np.load(tmp_path / "state") as stored:
        arrays = {name: stored[name] for name in stored.files if name != missing}
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
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
    ) -> tuple[ImageF, float]:
        seen.append(source.shape)
        return carried, 0.0

    settings = tiny(dream_size=80, warm_up=0)
    dreamer = TemporalDreamer(look, settings, pixel_aspect=Fraction(2))
    assert dreamer(synthetic.still(1, (100, 100))[0]).image.shape == (100, 100, 3)
    assert seen == [(40, 80, 3)]


def test_a_dream_is_not_carried_onto_what_covers_it() -> None:
    flow = np.zeros((8, 12, 2), np.float32)
    visible, alike = np.ones((8, 12), np.float32), np.ones((8, 12), np.float32)
    visible[:, 4:] = 0
    alike[:, 8:] = 0
    carried = Carry(Motion(flow, visible, alike), persistence=0.5)(np.ones((8, 12, 3), np.float32))
    np.testing.assert_allclose(carried[:, :4], 0.5)
    np.testing.assert_allclose(carried[:, 4:8], 0.5 * 0.7, rtol=1e-6)
    np.testing.assert_allclose(carried[:, 8:], 0.5 * 0.2, rtol=1e-6)


def test_a_looping_dreamer_repeats_what_is_random(tiny: Make) -> None:
    seen: list[tuple[int, int]] = []

    def listening(
        source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
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
        carried.append(start.copy())  # the dream is changed in place
        return start + spread(source.shape, 0.1), 0.0

    dreamer = TemporalDreamer(dream, tiny(**{**FULL, "persistence": 0.9, "dream_size": 64}))
    frame = synthetic.still(1, (64, 48))[0]
    before = dreamer.ascend(dreamer.prepare(frame)).residual
    small = resize(frame.image, (32, 24))
    motion = still((24, 32))
    source = to_float(small)
    shown = dreamer.ascend(
        Prepared(
            frame,
            small,
            source,
            room_of(source, 0.35),
            Carry(motion, 0.9),
            visible_share=1,
            seconds=0,
        )
    )
    assert carried[-1].shape == shown.residual.shape == (24, 32, 3)
    halved = resize_float(before, (24, 32), antialias=True)
    np.testing.assert_allclose(carried[-1], 0.9 * halved, atol=1e-4)
    assert shown.compose().shape == frame.image.shape


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "dream_size", "dreamed"),
    [
        ((176, 144), 640, (288, 352)),
        ((176, 144), 200, (164, 200)),
        ((176, 144), 88, (72, 88)),
        ((7, 5), 640, (10, 14)),
        ((1, 1), 640, (2, 2)),
    ],
)
def test_small_pictures_are_dreamed_enlarged(
    tiny: Make, size: tuple[int, int], dream_size: int, dreamed: tuple[int, int]
) -> None:
    shapes: list[tuple[int, ...]] = []

    def dream(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        shapes.append(source.shape[:2])
        return np.clip(source + carried + spread(source.shape, 0.05), 0, 1) - source, 0.0

    dreamer = TemporalDreamer(dream, tiny(**{**FULL, "dream_size": dream_size}))
    for image in dreams(dreamer, synthetic.still(3, size)):
        assert image.shape == (size[1], size[0], 3)
    assert shapes == [dreamed] * 3


@pytest.mark.parametrize("values", [PLAIN, FULL])
def test_an_ascent_that_finds_nothing_leaves_the_source(tiny: Make, values: dict[str, Any]) -> None:
    def nothing(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        return carried, 0.0

    for size in ((160, 120), (100, 61)):  # the second is enlarged for dreaming
        frames, _ = synthetic.pan(3, size=size)
        dreamed = dreams(TemporalDreamer(nothing, tiny(**values)), frames)
        np.testing.assert_array_equal(dreamed, [frame.image for frame in frames])


def test_the_residual_stays_within_the_room_of_its_frame(tiny: Make) -> None:
    def always(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        return carried + spread(source.shape, 0.2), 0.0

    frames, _ = synthetic.pan(6)
    dreamer = TemporalDreamer(always, tiny(**{**FULL, "limit": 0.2}))
    for frame in frames:
        prepared = dreamer.prepare(frame)
        residual = dreamer.ascend(prepared).residual
        assert prepared.room is not None
        assert (residual <= prepared.room.up).all()
        assert (-residual <= prepared.room.down).all()
    assert np.abs(residual).mean() > 0.1
