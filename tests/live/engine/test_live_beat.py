"""The beat of a show: it follows the sound's, and never goes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shows
from live_sound import FakeSound

from stream_dream.automation.timeline import BeatGrid
from stream_dream.errors import SettingsError
from stream_dream.live.control.tempo import Tempo
from stream_dream.live.engine.live_beat import LiveBeat
from stream_dream.settings.automation import Automation

STEP = 0.02


def counts(
    beat: LiveBeat, seconds: float, begin: float = 0.0, hear: Callable[[float], None] | None = None
) -> list[float]:
    """Return the numbers of beats of every frame."""
    found = []
    for time in np.arange(begin, begin + seconds, STEP):
        if hear is not None:
            hear(float(time))
        found.append(float(beat.grid_at(float(time)).beats_at(np.array(time))))
    return found


def test_without_sound_it_is_the_given_one_or_the_usual_one(tmp_path: Path) -> None:
    usual = LiveBeat(Automation(), None)
    assert not usual.is_there
    assert counts(usual, 2)[-1] == pytest.approx(2 * 1.98)
    given = LiveBeat(Automation(bpm=60, offset=1), None)
    assert given.is_there
    assert counts(given, 2)[0] == -1
    file = tmp_path / "beats.txt"
    file.write_text("0\n0.5\n1.5\n")
    read = LiveBeat(Automation(beats=file), None)
    assert read.is_there
    assert float(read.grid_at(0).beats_at(np.array(1.0))) == 1.5
    file.write_text("one\n")
    with pytest.raises(SettingsError, match=r"beats\.txt"):
        LiveBeat(Automation(beats=file), None)


def test_a_tempo_found_late_moves_it_on_by_less_than_a_bar() -> None:
    sound = FakeSound()
    for phase in np.linspace(0, 4, 23):
        beat = LiveBeat(Automation(), sound)
        sound.tempo = sound.number = None
        before = counts(beat, 5)
        assert not beat.is_there

        def hear(time: float, phase: float = float(phase)) -> None:
            sound.tempo, sound.number = 100.0, phase + (time - 5) * 100 / 60

        after = counts(beat, 5, 5, hear)
        assert beat.is_there
        steps = np.diff([*before, *after])
        assert steps.min() > 0
        assert steps.max() < 4.1
        assert sound.number is not None
        off = (after[-1] - sound.number) % 4  # bars begin where the song's do
        assert min(off, 4 - off) < 0.03


def test_corrections_are_followed_without_going_back() -> None:
    sound = FakeSound(tempo=120.0)
    beat = LiveBeat(Automation(), sound)
    rng = np.random.default_rng(1)
    shift = 0.0

    def hear(time: float) -> None:
        nonlocal shift
        if rng.random() < 0.02:
            shift += rng.choice([-2, -1, -0.3, -0.05, 0.05, 0.3, 1, 2])
        sound.number = 2 * time + shift

    steps = np.diff(counts(beat, 120, hear=hear))
    assert steps.min() > 0
    assert np.median(steps) == pytest.approx(0.04, rel=0.02)
    quiet = counts(beat, 10, 120, lambda time: setattr(sound, "number", 2 * time + shift))
    off = (quiet[-1] - 2 * (130 - STEP) - shift) % 4
    assert min(off, 4 - off) < 0.03


def test_it_goes_on_at_its_pace_when_the_music_stops() -> None:
    sound = FakeSound(tempo=90.0)
    beat = LiveBeat(Automation(), sound)
    heard = counts(beat, 4, hear=lambda time: setattr(sound, "number", 1.5 * time))
    sound.state, sound.tempo, sound.number = "silent", None, None
    after = counts(beat, 4, 4)
    assert not beat.is_there
    assert np.diff([*heard, *after])[100:] == pytest.approx(1.5 * STEP, rel=0.02)
    # Another card counts from 0.
    sound.state, sound.tempo = "ok", 90.0
    again = counts(beat, 4, 8, lambda time: setattr(sound, "number", 1.5 * (time - 8)))
    assert np.diff([*after, *again]).min() > 0
    assert beat.is_there


def test_a_given_tempo_counts_only_while_there_is_sound() -> None:
    sound = FakeSound(state="silent")
    beat = LiveBeat(Automation(bpm=120), sound)
    assert not beat.is_there
    sound.state = "ok"
    assert beat.is_there


def test_a_steady_beat_moves_nothing() -> None:
    sound = FakeSound(tempo=120.0, number=0.0)
    beat = LiveBeat(Automation(), sound)
    grids: list[BeatGrid] = []
    for time in np.arange(0, 60, STEP):
        sound.number = float(2 * time + 0.005 * np.sin(time))
        grid = beat.grid_at(float(time))
        if not grids or grid is not grids[-1]:
            grids.append(grid)
    assert len(grids) <= 3


def test_the_pace_told_is_the_one_given_however_it_is_reached() -> None:
    clock = shows.Clock()
    tempo = Tempo(clock=clock)
    beat = LiveBeat(Automation(), None, tempo, clock=clock)
    clock.now += 0.7
    tempo.set_bpm(100)
    for _ in range(200):
        clock.now += STEP
        beat.count()
        assert beat.bpm == 100
    before = beat.count()
    tempo.release()
    assert beat.bpm == 120
    assert before <= beat.count() < before + 0.1


def test_a_released_tempo_gives_way_to_that_of_the_settings() -> None:
    clock = shows.Clock()
    tempo = Tempo(clock=clock)
    beat = LiveBeat(Automation(bpm=100), None, tempo, clock=clock)
    tempo.set_bpm(160)
    for _ in range(100):
        clock.now += STEP
        beat.count()
    before = beat.count()
    tempo.release()
    assert beat.bpm == pytest.approx(100)
    clock.now += 6
    assert beat.count() == pytest.approx(before + 10)


def test_a_tempo_by_hand_goes_on_where_the_beats_of_a_file_are(tmp_path: Path) -> None:
    file = tmp_path / "beats.txt"
    file.write_text("\n".join(str(0.25 * number) for number in range(400)))
    clock = shows.Clock()
    tempo = Tempo(clock=clock)
    beat = LiveBeat(Automation(beats=file), None, tempo, clock=clock)
    clock.now += 60
    assert beat.count() == pytest.approx(240)
    tempo.set_bpm(120)
    seen = [beat.count()]
    for _ in range(100):
        clock.now += STEP
        seen.append(beat.count())
    tempo.release()
    seen.append(beat.count())
    assert seen == sorted(seen)
    assert 240 <= seen[0] < 244
    assert seen[-1] - seen[0] == pytest.approx(4, abs=1)


def test_the_count_goes_on_when_a_show_begins() -> None:
    clock = shows.Clock()
    beat = LiveBeat(Automation(), clock=clock)
    clock.now += 40.25  # 80.5 beats
    assert beat.count() == 80.5
    beat.begin()
    assert beat.count() == 84
    assert counts(beat, STEP) == [0]  # scores begin at their beginning
    clock.now += 1
    assert beat.count() == 86
    beat.begin()
    assert beat.count() == 88


def test_a_bar_begins_when_asked_for_wherever_the_beat_comes_from(tmp_path: Path) -> None:
    clock, sound = shows.Clock(), FakeSound()
    tempo = Tempo(clock=clock)
    beat = LiveBeat(Automation(bpm=60), sound, tempo, clock=clock)
    beat.begin()

    def passes(seconds: float) -> float:
        begun = clock.now
        while clock.now < begun + seconds - 1e-6:
            clock.now += STEP
            if sound.number is not None:
                sound.number += STEP * 2
            beat.count()
        return beat.count()

    assert passes(1.5) == pytest.approx(1.5)
    beat.begin_bar()
    assert beat.count() == pytest.approx(4)
    assert passes(1) == pytest.approx(5)
    sound.tempo, sound.number = 120.0, 1.0
    heard = passes(4)
    assert abs((heard - sound.number) % 4 - 4) % 4 < 0.1
    left = -heard % 4
    beat.begin_bar()
    assert beat.count() == pytest.approx(heard + left)
    assert passes(2) == pytest.approx(heard + left + 4, abs=0.05)
    tempo.set_bpm(60)
    passes(1.25)
    beat.begin_bar()
    assert passes(2) % 4 == pytest.approx(2, abs=0.05)
    file = tmp_path / "beats.txt"
    file.write_text("0\n0.5\n1.5\n")
    with pytest.raises(SettingsError, match="file of beats"):
        LiveBeat(Automation(beats=file)).begin_bar()
