"""Loops whose settings change with time and sound, and still close."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import cv2
import numpy as np
import pytest
import sounds
import synthetic
from PIL import Image

from stream_dream.automation.reaction import DEFAULT_REACTION
from stream_dream.automation.sound import analysis
from stream_dream.automation.sound.analysis import SoundAnalysis
from stream_dream.dream import look_ascents
from stream_dream.errors import SettingsError
from stream_dream.loop.keyframes import way_around
from stream_dream.loop.make_loop import LoopSummary, make_loop
from stream_dream.loop.periodic_source import Cycle, make_cycle
from stream_dream.loop.programming import program_of
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.write.picture import write_picture
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import LoopSettings
from stream_dream.settings.validation import validated
from stream_dream.temporal.dreamer import TemporalDreamer
from stream_dream.temporal.flow import FlowEstimator
from stream_dream.temporal.warp import warp

Make = Callable[..., DreamSettings]
FRAMES = 24


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loop") / "photo.png"
    write_picture(Picture(synthetic.photo((96, 64))), path)
    return path


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounds.write(tmp_path_factory.mktemp("song") / "song.wav", sounds.song(length=8))


def looped(
    source: Path, target: Path, *dreams: DreamSettings, automation: dict[str, Any], **values: Any
) -> LoopSummary:
    settings = validated(LoopSettings, {"frames": FRAMES, "motion": "breathe", **values})
    return make_loop(source, target, dreams, settings, validated(Automation, automation))


def images(folder: Path) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    paths = [folder / f"{number}.png" for number in range(1, FRAMES + 1)]
    return [read_picture(path).image.astype(np.int64) for path in paths]


def changes(folder: Path) -> list[float]:
    """Return the mean change of each frame of a loop from the one before it; the seam is first."""
    frames = images(folder)
    return [float(np.abs(frames[n] - frames[n - 1]).mean()) for n in range(FRAMES)]


@pytest.mark.slow
def test_looks_over_time_are_passed_through(
    tiny: Make, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = tiny(layer=["conv1"], persistence=0.5), tiny(layer=["conv2"], persistence=0.5)
    followed: list[tuple[int, int]] = []
    ascend = TemporalDreamer.ascend

    def spy(self: TemporalDreamer, prepared: Any) -> Any:
        index = prepared.frame.index
        followed.append((index, self._moment_of(index).look))
        return ascend(self, prepared)

    monkeypatch.setattr(TemporalDreamer, "ascend", spy)
    timed = {"looks": looks, "look_track": f"0:a, {FRAMES // 2}:b"}
    looped(picture, tmp_path / "%d.png", *looks, automation=timed)
    assert {look for index, look in followed if index < FRAMES // 2} == {0}
    assert {look for index, look in followed if index >= FRAMES // 2} == {1}
    # All rounds are alike.
    assert len(set(followed)) == FRAMES


@pytest.mark.slow
@pytest.mark.parametrize("motion", ["still", "breathe"])
@pytest.mark.parametrize("way", ["presets", "morph"])
def test_several_looks_and_layers_close(
    tiny: Make, picture: Path, tmp_path: Path, motion: str, way: str
) -> None:
    values: dict[str, Any] = {"frames": FRAMES, "motion": motion}
    dreams = [tiny(layer=["conv1"]), tiny(layer=["conv2"]), tiny(layer=["conv0"])]
    if way == "morph":
        values["morph_layer"] = ["conv1", "conv2", "conv0+conv1=0.5"]
        dreams = dreams[:1]
    settings = validated(LoopSettings, values)
    keyframes = way_around(dreams, settings, given={})
    assert len(keyframes) == 3
    summary = make_loop(picture, tmp_path / "%d.png", keyframes, settings)
    steps = changes(tmp_path)
    assert steps[0] <= 1.1 * max(steps[1:])
    assert summary.rounds >= 2


@pytest.mark.slow
def test_a_track_around_the_loop_closes_it(tiny: Make, picture: Path, tmp_path: Path) -> None:
    tracks = {
        "strength": "0.6+0.4*sine(100%)",
        "colours": "0.5+0.5*cos(2*pi*t/(max_f+1))",
        "layer.conv2": "1+0.5*sine(50%)",
    }
    looped(picture, tmp_path / "%d.png", tiny(), automation={"tracks": tracks})
    steps = changes(tmp_path)
    assert steps[0] <= 1.1 * max(steps[1:])


@pytest.mark.slow
def test_the_strength_of_a_loop_may_change(tiny: Make, picture: Path, tmp_path: Path) -> None:
    tracks = {"strength": f"0:(0) @step, {FRAMES // 2}:(1)"}
    summary = looped(
        picture, tmp_path / "%d.png", tiny(), automation={"tracks": tracks}, motion="still"
    )
    assert summary.seam == 0  # nothing is shown of the dream there
    source = read_picture(picture).image
    for number, image in enumerate(images(tmp_path)):
        assert (image == source).all() == (number < FRAMES // 2)


def cycle_with_push(picture: Path, react: str, motion: str) -> Cycle:
    settings = validated(LoopSettings, {"frames": 96, "motion": motion})
    cycle = make_cycle(picture, Path("x.gif"), settings, cuts=True)
    automation = validated(Automation, {"react": react})
    program_of(picture, cycle, [validated(DreamSettings, {})], settings, automation)
    return cycle


@pytest.mark.slow
@pytest.mark.parametrize("motion", ["still", "breathe", "sway", "turn", "zoom"])
def test_the_flow_of_a_camera_that_is_pushed_is_exact(tmp_path: Path, motion: str) -> None:
    large = tmp_path / "large.png"
    write_picture(Picture(synthetic.photo((320, 240))), large)
    pushed = cycle_with_push(large, "0.5-0.5*cos(2*pi*t/96)->zoom+0.4", motion)
    plain = cycle_with_push(large, "0->zoom+0.4", motion)
    size = (320, 240)
    assert pushed.flow is not None
    assert plain.flow is not None
    np.testing.assert_array_equal(pushed.view(0, size), plain.view(0, size))
    assert (pushed.view(48, size) != plain.view(48, size)).any()
    estimate, inner = FlowEstimator(), (slice(40, -40), slice(40, -40))
    for index in (0, 1, 20, 24, 48, 72, 95):
        before = pushed.view(index - 1, size)
        estimate.reset(before)
        now, exact = pushed.view(index, size), pushed.flow(index, size)
        motion_found = estimate(now)
        assert motion_found is not None
        apart = np.linalg.norm(exact - motion_found.flow, axis=-1)[inner]
        assert np.median(apart) < 0.5, index
        moved = warp(before.astype(np.float32), exact, interpolation=cv2.INTER_CUBIC)
        assert np.abs(moved - now)[inner].mean() < 3, index
    drift = np.linalg.norm(pushed.flow(24, size) - plain.flow(24, size), axis=-1)
    assert drift.max() > 1


@pytest.mark.slow
def test_sound_pushes_the_camera_and_comes_with_the_film(
    tiny: Make, picture: Path, song: Path, tmp_path: Path
) -> None:
    automation = {"soundtrack": song, "react": "onset->zoom+0.2, bass->step_size*2"}
    target = tmp_path / "loop.mp4"
    looped(picture, target, tiny(), automation=automation, repeat=2, fps=12)
    assert clips.sound_length(target) == pytest.approx(2 * FRAMES / 12, abs=0.06)
    looped(picture, tmp_path / "%d.png", tiny(step_size=0), automation=automation)
    looped(picture, tmp_path / "silent.mp4", tiny(), automation=automation, audio=False)
    assert "Audio" not in clips.report(tmp_path / "silent.mp4")
    plain = make_cycle(
        *(picture, Path("x.mp4"), validated(LoopSettings, {"frames": FRAMES})), cuts=True
    )
    apart = [
        (image != plain.view(number, (96, 64))).any()
        for number, image in enumerate(images(tmp_path))
    ]
    assert any(apart)
    assert not all(apart)


@pytest.mark.slow
def test_a_song_shorter_than_the_loop_ends_before_it(
    tiny: Make, picture: Path, tmp_path: Path
) -> None:
    track = sounds.write(tmp_path / "song.wav", sounds.sine(300, 1))
    target = tmp_path / "loop.mkv"
    looped(picture, target, tiny(), automation={"soundtrack": track}, fps=12)
    assert clips.sound_length(target) == pytest.approx(1, abs=0.06)
    assert len(clips.delays(target)) == FRAMES - 1


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["gif", "webp", "apng"])
def test_a_loop_without_room_for_sound_reacts_all_the_same(
    tiny: Make, picture: Path, song: Path, tmp_path: Path, suffix: str
) -> None:
    automation = {"soundtrack": song, "react": "level->strength=0..1"}
    looped(picture, tmp_path / f"a.{suffix}", tiny(), automation=automation)
    looped(picture, tmp_path / f"b.{suffix}", tiny(), automation={})
    assert (tmp_path / f"a.{suffix}").read_bytes() != (tmp_path / f"b.{suffix}").read_bytes()
    with Image.open(tmp_path / f"a.{suffix}") as film:
        assert getattr(film, "n_frames", 1) == FRAMES


@pytest.mark.slow
def test_a_clip_reacts_to_its_own_sound(tiny: Make, tmp_path: Path) -> None:
    clip, settings = tmp_path / "clip.mp4", {"start": 0.4, "end": 1.6, "crossfade": 0}
    clips.make_beep(clip)  # from 1.0 to 1.1 s
    made = validated(LoopSettings, settings)
    cycle = make_cycle(clip, Path("x.gif"), made, cuts=True)
    automation = validated(Automation, {"react": "level->strength=0..1"})
    program = program_of(clip, cycle, [tiny()], made, automation)
    strengths = [program.at(index).strength for index in range(cycle.frames)]
    assert abs(int(np.argmax(strengths)) - 0.65 * 25) <= 3
    assert max(strengths[:14]) < 0.1 < max(strengths)
    # A loop of a clip has no sound unless it is given one.
    make_loop(clip, tmp_path / "x.mp4", [tiny()], made, automation)
    assert "Audio" not in clips.report(tmp_path / "x.mp4")


@pytest.mark.parametrize(
    ("values", "looks", "wanted"),
    [
        ({"react": "bass->strength+1, beat->strength*2"}, 1, True),
        ({"react": "bass->strength+1, beat->strength*2", "bpm": 120}, 1, False),
        ({"react": DEFAULT_REACTION}, 2, False),  # looks are spread evenly
        ({"react": "bass->strength+1", "look_track": "0:a, 2b:b"}, 2, True),
    ],
)
def test_beats_are_looked_for_only_if_they_are_needed(
    picture: Path,
    song: Path,
    monkeypatch: pytest.MonkeyPatch,
    values: dict[str, Any],
    looks: int,
    wanted: bool,
) -> None:
    asked: list[bool] = []

    def analyse(track: object, *, find_beats: bool) -> SoundAnalysis:
        asked.append(find_beats)
        raise SettingsError("enough")

    monkeypatch.setattr(analysis, "analyse", analyse)
    dreams = [validated(DreamSettings, {"seed": seed}) for seed in range(looks)]
    settings = validated(LoopSettings, {"frames": FRAMES})
    cycle = make_cycle(picture, Path("x.gif"), settings, cuts=True)
    several = {"looks": dreams} if looks > 1 else {}
    automation = validated(Automation, {"soundtrack": song, **several, **values})
    with pytest.raises(SettingsError, match="enough"):
        program_of(picture, cycle, dreams, settings, automation)
    assert asked == [wanted]


def test_a_picture_has_no_sound_to_react_to(tiny: Make, picture: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"a picture has no sound: give --soundtrack"):
        looped(picture, tmp_path / "x.gif", tiny(), automation={"react": "bass->strength+1"})
    assert not list(tmp_path.iterdir())


def test_a_formula_that_fails_is_said_before_the_first_frame(
    tiny: Make, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_ascents, "Ascent", None)  # none is built
    with pytest.raises(SettingsError, match=r"^strength: "):
        looped(picture, tmp_path / "x.gif", tiny(), automation={"tracks": {"strength": "1/(20-t)"}})


@pytest.mark.slow
def test_clipped_values_are_noted(tiny: Make, picture: Path, tmp_path: Path) -> None:
    automation = {"tracks": {"strength": "0:(0), 20:(4)"}}
    notes = looped(picture, tmp_path / "x.gif", tiny(), automation=automation).notes
    assert "values beyond the range of strength were clipped to it" in notes


def test_a_rate_that_is_no_whole_number_has_seconds_of_its_own(picture: Path) -> None:
    settings = validated(LoopSettings, {"frames": 30, "fps": "30000/1001"})
    cycle = make_cycle(picture, Path("x.gif"), settings, cuts=True)
    assert cycle.fps == Fraction(30000, 1001)
    automation = validated(Automation, {"tracks": {"strength": "sec"}})
    program = program_of(picture, cycle, [validated(DreamSettings, {})], settings, automation)
    assert program.at(15).strength == pytest.approx(15 * 1001 / 30000)


def test_beats_and_curves_are_those_of_the_sound_before_the_loop_too(tmp_path: Path) -> None:
    fader = tmp_path / "fader.csv"
    fader.write_text("0,0\n10,1\n")
    black = np.zeros((48, 64, 3), np.uint8)
    cycle = Cycle(100, Fraction(25), (64, 48), lambda index, size: black, None, begins=4.1)
    tracks = {"strength": "fader", "persistence": "beat"}
    automation = validated(
        Automation, {"tracks": tracks, "curves": {"fader": str(fader)}, "bpm": 60}
    )
    source, looks = tmp_path / "clip.mp4", [DreamSettings()]
    program = program_of(source, cycle, looks, LoopSettings(), automation)
    assert program.at(0).strength == pytest.approx(0.41)
    # The next beat is 0.9 s in, between frames 22 and 23.
    assert program.at(22).dream.persistence < program.at(23).dream.persistence
