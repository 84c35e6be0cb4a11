"""Gradient ascent on one frame."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import synthetic
import tensorflow as tf

from stream_dream.dream.ascent import VARYING, Ascent
from stream_dream.dream.build import build_gradient
from stream_dream.dream.iterative_ascent import IterativeAscent
from stream_dream.dream.normalize import normalizer, palettes_of
from stream_dream.dream.octaves import octave_shapes
from stream_dream.errors import NetworkError
from stream_dream.frame import ImageF
from stream_dream.image import to_float
from stream_dream.networks.wanted import weights_of
from stream_dream.runtime.scheduling import SpareTime
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.validation import validated
from stream_dream.still.dreamer import StillDreamer
from stream_dream.temporal.dreamer import TemporalDreamer

Make = Callable[..., DreamSettings]


def ascend(settings: DreamSettings, source: ImageF, *, seed: int = 0) -> tuple[ImageF, float]:
    rng = np.random.default_rng(seed)
    return Ascent(settings)(source, np.zeros_like(source), index=0, rng=rng)


def gradient_of(ascent: Ascent, image: ImageF) -> ImageF:
    return np.asarray(tf.function(lambda: ascent.gradients([image]), autograph=False)()[0])


@pytest.fixture
def source() -> ImageF:
    return to_float(synthetic.photo((96, 64)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "norm"),
    [
        ("together", "laplacian"),
        ("together", "std"),
        ("together", "mean_abs"),
        ("all", "laplacian"),
        ("rotate", "std"),
    ],
)
def test_the_objective_rises(tiny: Make, source: ImageF, schedule: str, norm: str) -> None:
    settings = tiny(steps=5, step_size=0.01, schedule=schedule, gradient_norm=norm)
    residual, _ = ascend(settings, source)
    ascent = Ascent(settings)
    assert ascent.loss(source + residual) > 1.05 * ascent.loss(source)


@pytest.mark.slow
def test_a_negative_weight_suppresses(tiny: Make, source: ImageF) -> None:
    residual, _ = ascend(tiny(layer=["conv2=-1"], steps=5, step_size=0.01), source)
    ascent = Ascent(tiny())
    assert ascent.loss(source + residual) < ascent.loss(source)


@pytest.mark.slow
def test_step_size_zero_changes_nothing(tiny: Make, source: ImageF) -> None:
    residual, _ = ascend(tiny(step_size=0, steps=3), source)
    assert not residual.any()


@pytest.mark.slow
def test_the_dream_stays_within_what_can_be_shown(tiny: Make, source: ImageF) -> None:
    residual, _ = ascend(tiny(step_size=0.2, steps=10), source)
    dream = source + residual
    assert dream.min() >= -1e-6
    assert dream.max() <= 1 + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("lies", ["aligned", "unaligned", "read-only"])
def test_an_ascent_leaves_its_start_as_it_was(tiny: Make, source: ImageF, lies: str) -> None:
    expected, _ = ascend(tiny(steps=2), source)
    own = np.empty(source.size + 1, np.float32)[1:].reshape(source.shape)
    start = own if lies == "unaligned" else source
    start[:] = before = source.copy()
    start.flags.writeable = lies != "read-only"
    residual, _ = ascend(tiny(steps=2), start)
    np.testing.assert_array_equal(start, before)
    np.testing.assert_array_equal(residual, expected)


@pytest.mark.slow
def test_an_ascent_stops_at_max_loss(tiny: Make, source: ImageF) -> None:
    assert not ascend(tiny(steps=5, max_loss=1e-9), source)[0].any()


@pytest.mark.slow
def test_same_rng_same_dream(tiny: Make, source: ImageF) -> None:
    first, second = (ascend(tiny(steps=2), source, seed=3)[0] for _ in range(2))
    other, _ = ascend(tiny(steps=2), source, seed=4)
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.slow
def test_sums_do_not_depend_on_timing(tiny: Make) -> None:
    """TensorFlow adds three or more tensors in the order in which it frees them."""
    ascent = Ascent(tiny(layer=["conv1", "conv1:0,1=-0.5", "conv1:2=2", "conv2"], octaves=3))
    shape = (96, 64)
    graph = ascent._trace(1, shape, ascent.octaves(shape, 0)).graph.as_graph_def()
    nodes = [node for part in graph.library.function for node in part.node_def]
    sums = [node for node in nodes if node.op == "AddN"]
    assert sums
    assert {sum(not name.startswith("^") for name in node.input) for node in sums} == {2}
    # The arithmetic optimizer would join sums of two.
    options = tf.config.optimizer.get_experimental_options()
    assert options["arithmetic_optimization"] is False


@pytest.mark.slow
def test_traces_are_bounded(tiny: Make) -> None:
    rng = np.random.default_rng(0)
    ascent = Ascent(tiny(octaves=3, schedule="rotate"))
    sources = [to_float(synthetic.photo(size)) for size in ((96, 64), (80, 60))]
    for index in range(9):
        for source in sources:
            ascent(source, np.zeros_like(source), index=index, rng=rng)
    assert ascent.traces == 2 * 3


@pytest.mark.slow
def test_halves_give_the_gradient_of_the_whole(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ascent = Ascent(tiny(layer=["conv1", "conv2=0.5"]))
    image = to_float(synthetic.photo((192, 96)))
    halves = gradient_of(ascent, image)
    monkeypatch.setattr("stream_dream.dream.gradient._HALVED_FROM", 10**6)
    whole = gradient_of(ascent, image)
    difference = np.abs(halves - whole).max(axis=(0, 2)) / np.abs(whole).max()
    # Weights shift a little between layers of different stride; padding shows near the middle.
    assert difference.mean() < 0.05
    assert np.corrcoef(halves.ravel(), whole.ravel())[0, 1] > 0.99


@pytest.mark.slow
def test_layers_keep_their_weight_in_halves(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ascent = Ascent(tiny(layer=["conv0"], octaves=1))
    monkeypatch.setattr(ascent._gradient, "stride", 4)  # the overlap of a deeper layer
    image = to_float(synthetic.photo((192, 96)))
    halves = gradient_of(ascent, image)
    monkeypatch.setattr("stream_dream.dream.gradient._HALVED_FROM", 10**6)
    whole = gradient_of(ascent, image)
    np.testing.assert_allclose(halves[10:-10, 10:-10], whole[10:-10, 10:-10], rtol=1e-3, atol=1e-9)


@pytest.mark.slow
def test_flat_pictures_are_not_halved(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ascent = Ascent(tiny())
    image = to_float(synthetic.photo((192, 16)))
    halves = gradient_of(ascent, image)
    monkeypatch.setattr("stream_dream.dream.gradient._HALVED_FROM", 10**6)
    np.testing.assert_array_equal(halves, gradient_of(ascent, image))


@pytest.mark.slow
def test_jitter_is_undone(tiny: Make, source: ImageF) -> None:
    class Always:
        def __init__(self, shift: int) -> None:
            self._shift = shift

        def integers(self, low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
            return np.full(shape, self._shift)

    # A shift by a multiple of the stride: the network sees the same picture.
    ascent = Ascent(tiny(octaves=1, gradient_norm="std"))
    still, moved = (
        ascent(source, np.zeros_like(source), index=0, rng=Always(shift))[0][20:-20, 20:-20]  # type: ignore[arg-type]
        for shift in (0, 8)
    )
    assert np.corrcoef(still.ravel(), moved.ravel())[0, 1] > 0.99


def test_octave_shapes() -> None:
    assert octave_shapes((575, 1024), 3, 1.2, 1) == ((399, 711), (479, 853), (575, 1024))
    assert octave_shapes((40, 40), 5, 2, 16) == ((20, 20), (40, 40))
    assert octave_shapes((1, 1), 3, 2, 16) == ((1, 1),)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 2)])
def test_tiny_pictures(tiny: Make, size: tuple[int, int]) -> None:
    source = np.full((size[1], size[0], 3), 0.5, np.float32)
    residual, _ = ascend(tiny(), source)
    assert residual.shape == source.shape
    assert np.isfinite(residual).all()


def test_unknown_names_suggest_the_nearest(tiny: Make) -> None:
    with pytest.raises(NetworkError, match="did you mean conv"):
        Ascent(tiny(layer=["conf2"]))
    with pytest.raises(NetworkError, match="no channel 16: choose 0 to 15"):
        Ascent(tiny(layer=["conv2:16"]))
    with pytest.raises(NetworkError, match="no network"):
        Ascent(tiny(network="inception_v9"))


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["together", "rotate", "restore"])
def test_frames_can_be_dreamed_in_tiles(tiny: Make, schedule: str) -> None:
    source = to_float(synthetic.photo((200, 150)))
    whole, tiled = (
        ascend(
            tiny(
                steps=3,
                step_size=0.01,
                schedule=schedule,
                tile=tile,
                whitening=1,  # the finest band depends on the network's lattice
                evenness=0,
            ),
            source,
        )[0]
        for tile in (None, 96)
    )
    assert np.corrcoef(whole.ravel(), tiled.ravel())[0, 1] > 0.8
    assert 0.9 < np.abs(tiled).mean() / np.abs(whole).mean() < 1.1


@pytest.mark.slow
def test_a_guide_decides_what_grows(tiny: Make, source: ImageF) -> None:
    residuals = []
    for guide in (synthetic.photo((64, 48)), synthetic.photo((64, 48))[::-1, :, ::-1]):
        ascent = Ascent(tiny(guide="any.png", steps=4, step_size=0.01))
        assert ascent.guide is not None
        ascent.guide.show(np.ascontiguousarray(guide))
        before = ascent.loss(source)
        rng = np.random.default_rng(0)
        residuals.append(ascent(source, np.zeros_like(source), index=0, rng=rng)[0])
        assert ascent.loss(source + residuals[-1]) > before
    assert np.corrcoef(residuals[0].ravel(), residuals[1].ravel())[0, 1] < 0.95


@pytest.mark.slow
def test_the_schedule_restore_on_frames_is_the_algorithm_of_stills(tiny: Make) -> None:
    settings = tiny(
        schedule="restore",
        steps=3,
        octaves=3,
        gradient_norm="mean_abs",
        jitter=0,
        warm_up=0,
        dream_size=76,
        limit=None,
    )
    image = synthetic.photo((76, 60))  # too small to be halved
    residual, _ = ascend(settings, to_float(image))
    still = StillDreamer(settings)(image)
    assert np.abs(still / 255 - (to_float(image) + residual)).max() < 1.01 / 255


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["laplacian", "std", "mean_abs"])
def test_steps_in_one_graph_equal_iterative_ascent(tiny: Make, norm: str) -> None:
    settings = tiny(octaves=1, steps=3, step_size=0.01, jitter=0, gradient_norm=norm, limit=None)
    source = to_float(synthetic.photo((76, 60)))  # too small to be halved
    gradient, normalize = build_gradient(settings)[0], normalizer(settings)
    palettes = tf.image.resize(palettes_of(source[None]), source.shape[:2])
    expected = source
    for _ in range(settings.steps):
        slope, _ = gradient.of_any_size(tf.constant(expected))
        change = normalize(slope[None], tf.fill((1, 1, 1, 1), settings.step_size), palettes)
        expected = np.clip(expected + np.asarray(change)[0], 0, 1)
    *_, last = IterativeAscent(settings, gradient, toned=False)(
        source, [source.shape[:2]], np.random.default_rng(0)
    )
    residual, _ = ascend(settings, source)
    assert np.abs(expected - source).max() > 10 / 255
    assert np.abs(last.image - expected).max() < 1 / 255
    assert np.abs(source + residual - expected).max() < 1 / 255


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["rotate", "together"])
def test_a_prepared_size_is_not_traced_again(tiny: Make, source: ImageF, schedule: str) -> None:
    ascent = Ascent(tiny(schedule=schedule, octaves=3, octave_scale=1.5))
    assert not ascent.is_ready((64, 96), 3)
    ascent.prepare((64, 96), 3)
    assert ascent.is_ready((64, 96), 3)
    assert not ascent.is_ready((48, 72), 3)
    traces = ascent.traces
    rng = np.random.default_rng(0)
    for index in range(4):
        ascent(source, np.zeros_like(source), index=index, rng=rng)
    ascent.prepare((64, 96), 3)
    assert ascent.traces == traces


@pytest.mark.slow
def test_a_size_whose_trace_is_dropped_is_no_longer_ready(
    tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_dream.dream.ascent.TRACES_KEPT", 2)
    ascent, rng = Ascent(tiny(schedule="all", octaves=1)), np.random.default_rng(0)
    sizes = [(64, 96), (48, 72), (32, 48)]
    ascent.prepare(sizes[0], 1)
    ascent.prepare(sizes[1], 1)
    nothing = np.zeros((*sizes[0], 3), np.float32)
    ascent(nothing, nothing, index=0, rng=rng)
    ascent.prepare(sizes[2], 1)
    assert [ascent.is_ready(size, 1) for size in sizes] == [True, False, True]
    assert ascent.traces == 3
    ascent.prepare(sizes[1], 1)
    assert ascent.traces == 4
    assert [ascent.is_ready(size, 1) for size in sizes] == [False, True, True]


def test_a_size_that_is_dreamed_in_tiles_is_not_traced_whole(tiny: Make) -> None:
    ascent = Ascent(tiny(schedule="rotate", tile=64, octaves=2))
    ascent.prepare((64, 96), 2)
    assert ascent.is_ready((64, 96), 2)
    assert ascent.traces == 0


@pytest.mark.slow
def test_changing_numbers_needs_no_new_trace(tiny: Make, source: ImageF) -> None:
    def made(**values: Any) -> DreamSettings:
        numbers = {"octaves": 2, "jitter": 0, "step_size": 0.01}
        layers = ["conv1", "conv1:0,1=-0.5", "conv2=0.3"]
        return tiny(schedule="rotate", **{"layer": layers, **numbers, **values})

    ascent = Ascent(made(), VARYING)
    ascent.prepare((64, 96), 2)
    traces, none = ascent.traces, np.zeros_like(source)

    def residual(ascent: Ascent, settings: DreamSettings) -> ImageF:
        rng = np.random.default_rng(0)
        return ascent(source, none, index=1, rng=rng, settings=settings).residual

    assert not residual(ascent, made(step_size=0.0, jitter=3)).any()
    before = residual(ascent, made())
    changes: list[dict[str, Any]] = [
        {"step_size": 0.02, "octaves": 1},
        {"jitter": 5},
        {"colours": 0.0},
        {"colours": 1.0, "evenness": 0.0},
        {"layer": ["conv1=0", "conv1:0,1=-0.5", "conv2=2"]},
        {},
    ]
    for change in changes:
        found, expected = residual(ascent, made(**change)), Ascent(made(**change))
        np.testing.assert_allclose(found, residual(expected, made(**change)), atol=1e-6)
        assert change == {} or np.abs(found - before).max() > 1e-3, change
    assert ascent.traces == traces


@pytest.mark.slow
def test_preparing_for_other_octaves_does_not_change_the_dream(tiny: Make, source: ImageF) -> None:
    values = {"schedule": "all", "octave_scale": 1.4, "detail": 0.3, "jitter": 0}
    expected, _ = ascend(tiny(**values, octaves=3, step_size=0.02), source)
    ascent = Ascent(tiny(**values, octaves=2, step_size=0.01))
    ascent.prepare((64, 96), 3)
    traces = ascent.traces
    start, settings = np.zeros_like(source), tiny(**values, octaves=3, step_size=0.02)
    found, _ = ascent(source, start, index=0, rng=np.random.default_rng(0), settings=settings)
    assert ascent.traces == traces
    np.testing.assert_array_equal(found, expected)


def begun(settings: DreamSettings, source: ImageF, *, seed: int = 0) -> ImageF:
    return Ascent(settings).begin(source, index=0, rng=np.random.default_rng(seed))


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["together", "restore", "all", "rotate"])
def test_a_shot_begins_with_a_finished_dream(tiny: Make, source: ImageF, schedule: str) -> None:
    settings = tiny(schedule=schedule, warm_up=8, step_size=0.01, limit=0.35)
    residual = begun(settings, source)
    assert residual.shape == source.shape
    assert (source + residual).min() >= -1e-6
    assert (source + residual).max() <= 1 + 1e-6
    one, _ = ascend(settings, source)
    ascent = Ascent(settings)
    losses = [ascent.loss(image) for image in (source, source + one, source + residual)]
    # Much more than one frame adds: the dream is finished.
    assert losses[2] - losses[0] > 2 * (losses[1] - losses[0]) > 0
    # The same random numbers give the same dream.
    np.testing.assert_array_equal(begun(settings, source), residual)
    assert np.abs(begun(settings, source, seed=1) - residual).max() > 1e-3


@pytest.mark.slow
def test_the_first_dream_of_a_shot_keeps_to_the_limit(tiny: Make, source: ImageF) -> None:
    strengths = []
    for limit in (None, 0.3, 0.05):
        residual = begun(tiny(warm_up=12, step_size=0.03, octaves=2, limit=limit), source)
        strengths.append(float(np.abs(residual).max()))
        if limit is not None:
            assert np.abs(residual).max() <= limit + 1e-6
            np.testing.assert_allclose(residual.mean(axis=(0, 1)), 0, atol=0.01)
    assert strengths[0] > strengths[1] > strengths[2] > 0.02


def test_every_octave_gets_its_turn(tiny: Make) -> None:
    ascent = Ascent(tiny(schedule="rotate", octaves=2, octave_scale=1.5))
    turns = [ascent.octaves((96, 128), index) for index in range(4)]
    assert turns[0] != turns[1]
    assert turns[:2] == turns[2:]


@pytest.mark.slow
def test_the_first_frame_of_a_shot_is_grown(tiny: Make) -> None:
    frames = synthetic.still(6, (96, 64))
    settings = tiny(warm_up=8, step_size=0.01, momentum=0.8, limit=0.3, dream_size=96)
    dreamer = TemporalDreamer(Ascent(settings), settings)
    residuals = []
    for frame in frames:
        prepared = dreamer.prepare(frame)
        residuals.append(dreamer.ascend(prepared).residual)
        assert prepared.room is not None
        assert (residuals[-1] <= prepared.room.up).all()
        assert (-residuals[-1] <= prepared.room.down).all()
    strengths = [float(np.abs(residual).mean()) for residual in residuals]
    # The first frame is no weaker than the next.
    assert strengths[0] > 0.7 * max(strengths)
    dreamer.reset()
    again = [dreamer.ascend(dreamer.prepare(frame)).residual for frame in frames[:2]]
    np.testing.assert_array_equal(again, residuals[:2])


def test_a_shot_with_step_size_zero_begins_with_the_source(tiny: Make, source: ImageF) -> None:
    assert not begun(tiny(step_size=0, warm_up=3), source).any()


@pytest.mark.slow
def test_changed_numbers_hold_for_the_next_shot(tiny: Make, source: ImageF) -> None:
    ascent = Ascent(tiny(step_size=0.01, warm_up=2, jitter=0))

    def begin(settings: DreamSettings) -> ImageF:
        return ascent.begin(source, index=0, rng=np.random.default_rng(0), settings=settings)

    assert not begin(tiny(step_size=0.0, warm_up=2, jitter=0, octaves=2)).any()
    other = tiny(step_size=0.02, warm_up=2, jitter=0, octaves=1)
    expected, found = begun(other, source), begin(other)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (7, 5)])
def test_tiny_frames_are_dreamed(tiny: Make, size: tuple[int, int]) -> None:
    settings = tiny(warm_up=1, momentum=0.8, catch_up=1, evenness=0.6, limit=0.3)
    dreamer = TemporalDreamer(Ascent(settings), settings)
    for frame in synthetic.still(3, size):
        dreamed = dreamer.ascend(dreamer.prepare(frame))
        assert np.isfinite(dreamed.residual).all()
        assert dreamed.compose().shape == frame.image.shape


@pytest.mark.slow
def test_a_small_clip_is_dreamed_at_twice_its_size(tiny: Make) -> None:
    settings = tiny(warm_up=1, dream_size=640, octaves=1)
    dreamer = TemporalDreamer(Ascent(settings), settings)
    frame = synthetic.still(1, (176, 144))[0]
    dreamed = dreamer.ascend(dreamer.prepare(frame))
    assert dreamed.residual.shape == (288, 352, 3)
    assert dreamed.compose().shape == (144, 176, 3)
    assert (dreamed.compose() != frame.image).any()


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["together", "restore"])
def test_tiles_take_their_colours_from_the_source(tiny: Make, schedule: str) -> None:
    """The colours of the dream so far would reinforce themselves."""
    grey = np.full((60, 90, 3), 0.5, np.float32)
    grey += np.random.default_rng(0).normal(0, 0.05, (60, 90, 1)).astype(np.float32)
    carried = np.broadcast_to(np.float32((0.3, 0.1, -0.3)), grey.shape)
    seen = []
    for tile in (None, 64):
        settings = tiny(
            colours=1, schedule=schedule, tile=tile, octaves=1, jitter=0, step_size=0.01, detail=1
        )
        residual, _ = Ascent(settings)(grey, carried, index=0, rng=np.random.default_rng(0))
        seen.append(np.abs(residual - carried).mean(axis=(0, 1)))
    np.testing.assert_allclose(seen[0], seen[1], rtol=0.1)
    assert seen[1].max() < 1.3 * seen[1].min()


class Noted(SpareTime):
    """Records its calls, and whether they came during a TensorFlow call."""

    def __init__(self) -> None:
        """Store the thread of the caller."""
        super().__init__()
        self.told: list[str] = []
        self._caller = threading.get_ident()

    def begin(self) -> None:
        """Note it."""
        during = threading.get_ident() != self._caller
        self.told.append("begin during the call" if during else "begin")
        super().begin()

    def end(self) -> None:
        """Note it."""
        self.told.append("end")
        super().end()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "octaves", "told"),
    [
        ("together", 3, ["begin during the call", "end"]),
        ("together", 1, ["begin", "end"]),
        ("all", 3, ["begin", "end"]),
        ("rotate", 3, ["begin", "end"]),
    ],
)
def test_spare_time_is_the_last_octave_or_a_whole_call(
    tiny: Make, source: ImageF, schedule: str, octaves: int, told: list[str]
) -> None:
    ascent = Ascent(tiny(schedule=schedule, octaves=octaves))
    ascent.spare = spare = Noted()
    for index in range(2):
        ascent(source, np.zeros_like(source), index=index, rng=np.random.default_rng(0))
    assert spare.told == told * 2


def test_all_time_is_spare_while_tiles_are_dreamed(tiny: Make, source: ImageF) -> None:
    ascent = Ascent(tiny(tile=64))
    ascent.spare = spare = Noted()
    ascent(source, np.zeros_like(source), index=0, rng=np.random.default_rng(0))
    assert spare.told == ["begin"]


def test_weights_that_change_their_sign_stay_with_their_targets(tiny: Make) -> None:
    built = tiny(layer=["conv0", "conv2:1,2=-0.5", "conv1=2"], guide="guide.png")
    now = tiny(layer=["conv0=3", "conv2:1,2=0.25", "conv1=0"], guide="guide.png")
    assert weights_of(built) == [-0.5, 1, 2]  # what is suppressed is not guided
    assert weights_of(built, now) == [0.25, 3, 0]
    both = tiny(layer=["conv2"], guide_layer=["conv2"], guide="guide.png")
    now = tiny(layer=["conv2=0.25"], guide_layer=["conv2=3"], guide="guide.png")
    assert weights_of(both, now) == [0.25, 3]
    classes = tiny(layer=[], classes=["1", "2=0.5"])
    assert weights_of(classes, tiny(layer=[], classes=["1=2", "2=-1"])) == [2, -1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "own"), [("together", False), ("all", False), ("together", True)]
)
def test_what_nobody_uses_any_more_is_given_back(
    schedule: str, own: bool, source: ImageF, tmp_path: Path
) -> None:
    # The embedded network has a gradient of its own, parallel octaves tell of spare time, and
    # TensorFlow's swish has a custom gradient.
    values = {"schedule": schedule, "octaves": 2, "jitter": 4, "warm_up": 1}
    if own:
        image = keras.Input((None, None, 3))
        inner = keras.Sequential(
            [keras.layers.Conv2D(4, 3, padding="same", activation="swish", name="inner")]
        )
        maps = keras.layers.Conv2D(4, 3, padding="same", activation="swish", name="conv")(
            inner(image)
        )
        keras.Model(image, maps).save(tmp_path / "own.keras")
        values |= {"network": str(tmp_path / "own.keras"), "layer": ["conv"]}
    dream = validated(DreamSettings, values)
    kept = []
    for _ in range(2):
        ascent, rng = Ascent(dream), np.random.default_rng(0)
        ascent.prepare(source.shape[:2], 2)
        ascent.begin(source, index=0, rng=rng)
        ascent(source, np.zeros_like(source), index=0, rng=rng)
        kept += [weakref.ref(part) for part in (ascent, ascent._gradient, ascent._gradient._model)]
        kept += [weakref.ref(function.graph) for function in ascent._functions.values()]
        del ascent
    gc.collect()
    assert [found() for found in kept] == [None] * len(kept)
