"""Pictures and clips made periodic."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
import synthetic

from stream_dream.errors import SettingsError, SourceError
from stream_dream.loop import periodic_source
from stream_dream.loop.periodic_source import Cycle, make_cycle
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.output import LoopSettings
from stream_dream.settings.validation import validated


def cycle(source: Path, target: str = "x.gif", **values: Any) -> Cycle:
    return make_cycle(source, Path(target), validated(LoopSettings, values), cuts=True)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cycle") / "photo.png"
    write_picture(Picture(synthetic.photo((600, 400))), path)
    return path


@pytest.fixture(scope="module")
def swing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip of 60 frames at 20 fps in which a square swings once a second."""
    path = tmp_path_factory.mktemp("cycle") / "swing.mp4"
    with VideoSink(path, size=(320, 240), fps=Fraction(20), crf=5) as sink:
        for number in range(60):
            at = round(110 + 90 * np.sin(2 * np.pi * number / 20))
            sink.write(synthetic.passing_square(at))
    return path


def test_a_picture_is_scaled_for_the_output_size(picture: Path) -> None:
    small = cycle(picture)
    assert small.size == (480, 320)
    assert small.frames == 48
    assert small.fps == 25
    assert "600x400" in small.notes[0]
    assert cycle(picture, "x.mp4").size == (600, 400)
    assert cycle(picture, "x.mp4").notes == ()
    assert cycle(picture, longer_side=90).size == (90, 60)
    assert cycle(picture, longer_side=90).notes == ()


def test_transparency_is_filled_and_reported(tmp_path: Path) -> None:
    image, alpha = synthetic.photo((60, 40)), np.zeros((40, 60), np.uint8)
    alpha[:, :30] = 255
    write_picture(Picture(image, alpha), tmp_path / "half.png")
    found = cycle(tmp_path / "half.png", motion="still")
    assert "transparent" in found.notes[0]
    mean = image[:, :30].reshape(-1, 3).mean(axis=0)
    assert np.abs(found.view(0, found.size)[:, 40:] - mean).max() < 3


@pytest.mark.slow
def test_the_best_part_of_a_clip_is_found(swing: Path) -> None:
    found = cycle(swing, min_seconds=0.7, max_seconds=1.4, crossfade=0.2)
    assert found.frames == 20
    assert found.fps == 20
    assert found.flow is None
    assert "most alike" in found.notes[0]
    views = [found.view(index, found.size).astype(int) for index in range(20)]
    steps = [np.abs(views[i] - views[i - 1]).mean() for i in range(20)]
    assert steps[0] < 1.3 * max(steps[1:])


@pytest.mark.slow
def test_a_part_of_a_clip_can_be_chosen(swing: Path) -> None:
    assert cycle(swing, start=0.5, end=1.5, crossfade=0.2).frames == 16
    assert cycle(swing, start=0.5, end=1.5, crossfade=0).frames == 20
    # The fade takes at most half of the loop.
    assert cycle(swing, end=1.0, crossfade=30).frames == 10


@pytest.mark.slow
def test_a_bounce_ends_where_it_began(swing: Path) -> None:
    found = cycle(swing, bounce=True, end=0.5)
    assert found.frames == 18
    views = [found.view(index, found.size) for index in range(18)]
    for index in range(1, 9):
        np.testing.assert_array_equal(views[index], views[18 - index])
    assert (views[9] != views[8]).any()


def test_pixels_become_square(tmp_path: Path) -> None:
    clips.make(tmp_path / "wide.mp4", "-vf", "setsar=2", seconds=0.4)
    assert cycle(tmp_path / "wide.mp4", bounce=True).size == (128, 48)


def test_a_cut_in_a_loop_is_found(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "cut.mp4", size=(160, 120), fps=Fraction(25)) as sink:
        for number in range(24):
            image = synthetic.photo()
            sink.write(image if number < 12 else 255 - image[::-1])
    assert cycle(tmp_path / "cut.mp4", start=0, crossfade=0).cuts == {12}
    loose = validated(LoopSettings, {"start": 0})
    assert make_cycle(tmp_path / "cut.mp4", Path("x.gif"), loose, cuts=False).cuts == frozenset()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"motion": "turn"}, "--motion is for pictures"),
        ({"frames": 10}, "--frames is for pictures"),
        ({"fps": "30"}, "--fps is for pictures"),
        ({"min_seconds": 4}, r"60 frames \(3.00 s\).*smaller --min-seconds"),
        ({"min_seconds": 2, "max_seconds": 1}, "--max-seconds is less"),
        ({"start": 1, "end": 1.05}, "one frame only"),
    ],
)
def test_settings_that_a_clip_cannot_have_are_refused(
    swing: Path, values: dict[str, Any], problem: str
) -> None:
    with pytest.raises((SettingsError, SourceError), match=problem):
        cycle(swing, **values)


def test_seconds_that_contradict_each_other_are_refused_before_the_clip_is_read(
    swing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periodic_source, "mark_cuts", lambda *_: pytest.fail("was read"))
    with pytest.raises(SettingsError, match="--max-seconds is less"):
        cycle(swing, min_seconds=2, max_seconds=1)


@pytest.mark.parametrize("name", ["start", "end", "min_seconds", "crossfade", "bounce"])
def test_settings_that_a_picture_cannot_have_are_refused(picture: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=f"--{name.replace('_', '-')} is for clips"):
        cycle(picture, **{name: True if name == "bounce" else 2})


def test_a_clip_of_one_frame_is_refused(tmp_path: Path) -> None:
    clips.make(tmp_path / "one.mp4", "-frames:v", "1")
    with pytest.raises(SourceError, match="1 frame"):
        cycle(tmp_path / "one.mp4")
    with pytest.raises(SourceError, match="one frame only"):
        cycle(tmp_path / "one.mp4", bounce=True)


def test_a_clip_that_needs_too_much_memory_is_refused(
    swing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_dream.loop.periodic_source._MOST_MEMORY", 10 * 320 * 240 * 3)
    with pytest.raises(SourceError, match="room for 10 frames"):
        cycle(swing, bounce=True)


def test_an_animated_picture_is_a_clip(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "x.apng", size=(64, 48), fps=Fraction(25)) as sink:
        for number in range(6):
            sink.write(clips.counting_image(number))
    path = (tmp_path / "x.apng").rename(tmp_path / "x.png")
    assert cycle(path, bounce=True).frames == 10
    with pytest.raises(SettingsError, match="--frames is for pictures, INPUT is a clip"):
        cycle(path, frames=12)
