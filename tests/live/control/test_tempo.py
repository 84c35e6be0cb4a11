"""Tempo by hand and by MIDI clock: pace, phase, bars."""

from __future__ import annotations

import random

import pytest
import shows

from stream_dream.live.control.tempo import Tempo


@pytest.fixture
def clock() -> shows.Clock:
    return shows.Clock()


@pytest.fixture
def tempo(clock: shows.Clock) -> Tempo:
    return Tempo(clock=clock)


def test_there_is_no_beat_before_the_second_tap(tempo: Tempo, clock: shows.Clock) -> None:
    assert (tempo.tempo, tempo.beats()) == (None, None)
    tempo.tap()
    assert tempo.tempo is None
    clock.now += 0.5
    tempo.tap()
    assert tempo.tempo == pytest.approx(120)


@pytest.mark.parametrize("bpm", [25, 90, 128, 174, 380])
def test_taps_set_pace_and_phase(tempo: Tempo, clock: shows.Clock, bpm: float) -> None:
    rng = random.Random(1)
    start = clock.now
    for tap in range(12):
        clock.now = start + tap * 60 / bpm + rng.uniform(-0.01, 0.01)
        tempo.tap()
    assert tempo.tempo == pytest.approx(bpm, rel=0.05)
    clock.now = start + 11 * 60 / bpm
    beats = tempo.beats()
    assert beats is not None
    assert abs(beats - round(beats)) < 0.1


def test_a_pause_begins_another_series(tempo: Tempo, clock: shows.Clock) -> None:
    for wait in (0.5, 0.5, 10.0, 0.25, 0.25):
        tempo.tap()
        clock.now += wait
    assert tempo.tempo == pytest.approx(240)


def test_a_released_tempo_is_none(tempo: Tempo, clock: shows.Clock) -> None:
    tempo.set_bpm(90)
    for _ in range(30):
        clock.now += 0.02
        tempo.tick()
    tempo.tap()
    tempo.release()
    assert (tempo.tempo, tempo.beats(), tempo.follows_clock) == (None, None, False)
    clock.now += 0.5
    tempo.tap()  # the first of another series
    assert tempo.tempo is None
    clock.now += 0.5
    tempo.tap()
    assert tempo.tempo == pytest.approx(120)


def test_a_released_clock_is_heard_after_its_next_start(tempo: Tempo, clock: shows.Clock) -> None:
    def run(ticks: int) -> None:
        for _ in range(ticks):
            clock.now += 0.02
            tempo.tick()

    run(30)
    assert tempo.follows_clock
    tempo.release()
    run(30)
    assert (tempo.tempo, tempo.follows_clock) == (None, False)
    tempo.start()
    run(30)
    assert tempo.tempo == pytest.approx(125)
    tempo.release()
    run(30)
    clock.now += 1
    run(30)
    assert tempo.tempo == pytest.approx(125)


def test_a_clock_that_begins_after_a_release_is_heard(tempo: Tempo, clock: shows.Clock) -> None:
    tempo.set_bpm(90)
    tempo.release()
    for _ in range(30):
        clock.now += 0.02
        tempo.tick()
    assert tempo.tempo == pytest.approx(125)


def test_a_number_keeps_the_phase(tempo: Tempo, clock: shows.Clock) -> None:
    tempo.set_bpm(120)
    clock.now += 1.25
    before = tempo.beats()
    tempo.set_bpm(60)
    assert tempo.beats() == before == pytest.approx(2.5)
    clock.now += 1
    assert tempo.beats() == pytest.approx(3.5)
    tempo.set_bpm(1e9)
    assert tempo.tempo == 400


def test_a_bar_begins_when_asked_for(tempo: Tempo, clock: shows.Clock) -> None:
    tempo.set_bpm(120)
    clock.now += 1.4  # 2.8 beats
    tempo.begin_bar()
    assert tempo.beats() == 4


def test_the_ticks_of_a_clock_go_on_from_a_bar(tempo: Tempo, clock: shows.Clock) -> None:
    for _ in range(126):  # 5.25 beats
        clock.now += 0.02
        tempo.tick()
    tempo.begin_bar()
    for _ in range(25):
        clock.now += 0.02
        tempo.tick()
    assert tempo.beats() == pytest.approx(5)


def test_a_midi_clock_is_followed_with_its_jitter(tempo: Tempo, clock: shows.Clock) -> None:
    rng, start = random.Random(2), clock.now
    tempo.start()
    for tick in range(24 * 8):
        clock.now = start + tick * 60 / (24 * 133) + rng.uniform(0, 0.002)
        tempo.tick()
    assert tempo.tempo == pytest.approx(133, rel=0.01)
    assert tempo.beats() == pytest.approx(8 - 1 / 24, abs=1e-6)
    assert tempo.follows_clock
    clock.now += 1
    assert not tempo.follows_clock  # and the beat goes on
    assert tempo.beats() == pytest.approx(8 - 1 / 24 + 133 / 60, rel=0.01)


def test_the_start_of_a_song_begins_a_bar(tempo: Tempo, clock: shows.Clock) -> None:
    tempo.set_bpm(120)

    def play(song: int) -> None:
        tempo.start()
        for _ in range(25):
            clock.now += 0.5 / 24
            tempo.tick()
        assert tempo.beats() == pytest.approx(song + 1)

    clock.now += 2.6  # 5.2 beats
    play(8)
    clock.now += 1.6  # the clock stops; 12.2 beats
    play(16)


def test_the_clock_of_one_port_counts_until_it_is_silent(tempo: Tempo, clock: shows.Clock) -> None:
    def run(seconds: float, *ports: str) -> None:
        for _ in range(round(seconds / 0.02)):
            clock.now += 0.02
            for port in ports:
                tempo.tick(port)

    tempo.start("a")
    run(2, "a", "b")
    assert tempo.tempo == pytest.approx(125)
    before = tempo.beats()
    tempo.start("b")  # a song that somebody else starts
    run(0.02, "a")
    assert tempo.beats() == pytest.approx(before + 1 / 24)
    run(0.4, "b")
    assert tempo.beats() == pytest.approx(before + 21 / 24)
    for _ in range(60):  # b alone: it is heard from half a second on
        clock.now += 0.01
        tempo.tick("b")
    assert tempo.tempo == pytest.approx(250)
    run(0.1, "a", "b")
    assert tempo.follows_clock
