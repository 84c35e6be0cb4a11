"""Curve sheets: what is where on the picture."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import films
import numpy as np
import pytest
from numpy.typing import NDArray

from stream_dream.automation.curves import TimeCurve
from stream_dream.automation.look_track import LookTrack
from stream_dream.automation.program import FrameValues
from stream_dream.automation.timeline import BeatGrid, Timeline
from stream_dream.film.curves.chart import COLUMNS, INK, LEFT, WIDTH, Band, nice_ticks
from stream_dream.film.curves.film_strip import FilmStrip
from stream_dream.film.curves.rows import FilmOverTime, rows_of
from stream_dream.film.curves.sheet import curve_sheet
from stream_dream.film.rhythm import Rhythm, rhythm_of
from stream_dream.frame import Frame, Image8, StreamInfo
from stream_dream.settings.automation import Automation
from stream_dream.settings.validation import validated

SETTING, FILE = (120, 200, 245), (150, 205, 140)
DOGS, EYES = (232, 150, 138), (126, 196, 194)
GREYS = (70, 70, 76), (92, 92, 100)
FPS = Fraction(25)


def film(shots: tuple[int, ...] = (60, 30, 110), **values: Any) -> FilmOverTime:
    plan = films.plan_with(*[[frames] for frames in shots])
    info = StreamInfo((64, 36), FPS, frame_count=plan.frames)
    strip = FilmStrip(info, 72)
    for index in range(plan.frames):
        shot = sum(index >= begin for begin in plan.begins) - 1
        strip.look(Frame(np.full((36, 64, 3), 40 + 60 * (shot % 3), np.uint8), index))
    return FilmOverTime("film.mp4", info, plan, strip, **values)


def moved(looks: Any = None, **numbers: NDArray[np.float64]) -> FrameValues:
    """Return settings over time, (looks, frames) each, and looks."""
    frames = next(iter(numbers.values())).shape[1] if numbers else len(looks.share)
    nothing = np.zeros(frames, np.intp)
    before, after, share = looks or (nothing, nothing, np.ones(frames))
    return FrameValues(0, numbers, before, after, share)


def places(sheet: Image8, colour: tuple[int, int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return rows and columns of the chart at which a colour is."""
    rows, columns = np.nonzero((sheet[:, LEFT : LEFT + COLUMNS] == colour).all(axis=2))
    return rows, columns


def heights(sheet: Image8, colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return the mean row of a colour in each column; NaN without any."""
    rows, columns = places(sheet, colour)
    with np.errstate(invalid="ignore"):
        return np.bincount(columns, rows, COLUMNS) / np.bincount(columns, minlength=COLUMNS)


def test_a_value_over_time_is_a_line() -> None:
    sheet = curve_sheet(film(values=moved(strength=np.linspace(0, 1, 200)[None])))
    assert sheet.shape[1] == WIDTH
    line = heights(sheet, SETTING)
    known = np.flatnonzero(~np.isnan(line))
    assert len(known) > 0.9 * COLUMNS
    # From the bottom of its row to the top, evenly.
    drawn = np.polyfit(known, line[known], 1)
    assert drawn[0] * COLUMNS == pytest.approx(-90, abs=1)
    assert np.abs(np.polyval(drawn, known) - line[known]).max() < 1


def test_a_setting_is_that_of_the_look_that_is_on() -> None:
    looks = LookTrack.parse("0:dogs, 4s:eyes").sample(np.arange(200.0), Timeline(FPS))
    values = moved(looks, step_size=np.array([[0.02] * 200, [0.08] * 200]))
    line = heights(curve_sheet(film(looks=("dogs", "eyes"), values=values)), SETTING)
    half = COLUMNS // 2
    assert np.nanmax(line[: half - 10]) - np.nanmin(line[: half - 10]) < 1
    assert np.nanmean(line[: half - 10]) > np.nanmean(line[half + 10 :]) + 50


def test_a_weight_that_a_look_lacks_leaves_a_gap() -> None:
    weight = np.where(np.arange(200) < 100, np.nan, 1.0)[None]
    line = heights(curve_sheet(film(values=moved(**{"layer.block10": weight}))), SETTING)
    assert np.isnan(line[: COLUMNS // 2 - 10]).all()
    assert not np.isnan(line[COLUMNS // 2 + 10 :]).any()


def test_each_shot_has_its_part_of_the_band_and_its_pictures() -> None:
    made = film()
    sheet = curve_sheet(made)
    dark, light = (set(places(sheet, grey)[1].tolist()) for grey in GREYS)
    ends = [round(frames / 200 * COLUMNS) for frames in (60, 90)]
    assert {*range(ends[0]), *range(ends[1], COLUMNS)} >= dark
    assert {*range(*ends)} >= light
    for shot, column in enumerate((100, 480, 900)):
        assert (sheet[130, LEFT + column] == 40 + 60 * shot).all()


def test_the_boundaries_of_shots_go_through_the_rows() -> None:
    sheet = curve_sheet(film(values=moved(strength=np.zeros((1, 200)))))
    row = sheet[-100, LEFT : LEFT + COLUMNS].astype(int).sum(axis=1)
    bright = np.flatnonzero(row > np.median(row) + 100)
    assert bright.tolist() == [round(frames / 200 * COLUMNS) for frames in (60, 90)]


def test_looks_are_bands_that_fade_into_each_other() -> None:
    looks = LookTrack.parse("0:dogs, 2s:eyes~4s").sample(np.arange(200.0), Timeline(FPS))
    sheet = curve_sheet(film(looks=("dogs", "eyes"), values=moved(looks)))
    rows, columns = places(sheet, DOGS)
    assert columns.max() == pytest.approx(COLUMNS / 4, abs=40)
    assert places(sheet, EYES)[1].min() == pytest.approx(COLUMNS * 3 / 4, abs=40)
    between = sheet[rows.min() + 1, LEFT + COLUMNS // 2]
    assert np.abs(between - np.mean([DOGS, EYES], axis=0)).max() < 3


def test_names_without_room_are_in_a_legend() -> None:
    frames = np.arange(200.0)
    names = [f"a look of my own, number {number}" for number in range(30)]
    for count, rows in ((2, 3), (30, 4)):
        track = ", ".join(f"{8 * number}:{name}" for number, name in enumerate(names[:count]))
        if count == 2:
            track = f"0:{names[0]}, 4s:{names[1]}"
        looks = LookTrack.parse(track).sample(frames, Timeline(FPS))
        made = film(looks=names[:count], values=moved(looks))
        assert len([*rows_of(made)]) == rows
        curve_sheet(made)


def test_bars_and_beats_are_marked() -> None:
    grid = BeatGrid.regular(120, 0.5)
    automation = validated(Automation, {"bpm": 120, "offset": 0.5})
    rhythm = rhythm_of(automation, Timeline(FPS, 200, beats=grid), None)
    assert rhythm is not None
    assert rhythm.beats == pytest.approx(np.arange(0, 8, 0.5))
    assert np.flatnonzero(rhythm.bars).tolist() == [1, 5, 9, 13]
    sheet = curve_sheet(film(beats=grid, rhythm=rhythm))
    rows, columns = places(sheet, INK)
    marks = np.bincount(columns[rows > 230], minlength=COLUMNS)
    assert np.flatnonzero(marks > 15).tolist() == [
        round(s / 8 * COLUMNS) for s in (0.5, 2.5, 4.5, 6.5)
    ]


def test_a_long_film_keeps_its_highest_and_lowest_values() -> None:
    frames, rng = 25 * 3600 * 2, np.random.default_rng(0)
    plan = films.plan_with(*[[frames // 1000]] * 1000)
    info = StreamInfo((64, 36), FPS)
    spikes = np.zeros((1, frames))
    spikes[0, 90_000] = 1  # one frame of 180000
    noise = TimeCurve(np.arange(0, 7200, 0.5), rng.random(14400).astype(np.float32))
    grid = BeatGrid.regular(140)
    made = FilmOverTime(
        "long.mkv",
        info,
        plan,
        FilmStrip(info, 72),
        values=moved(strength=spikes),
        curves={"mine": noise},
        beats=grid,
        rhythm=rhythm_of(
            validated(Automation, {"bpm": 140}), Timeline(FPS, frames, beats=grid), None
        ),
    )
    sheet = curve_sheet(made)
    rows, columns = places(sheet, SETTING)
    assert rows[columns == COLUMNS // 2].max() - rows[columns == COLUMNS // 2].min() > 80
    assert len({*columns[rows < rows.max() - 5].tolist()}) <= 2
    filled, _ = places(sheet, FILE)
    assert len(filled) > 40 * COLUMNS


def test_a_column_reaches_from_the_lowest_to_the_highest_value() -> None:
    times = np.arange(0, 10, 0.0001)
    band = Band.of(times, np.sin(2 * np.pi * 500 * times), 10.0)
    assert band.low.max() < -0.9
    assert band.high.min() > 0.9
    held = Band.of(np.array([4.0, 5.0]), np.array([1.0, 3.0]), 10.0)
    assert (held.high[:500].max(), held.low[-600:].min()) == (1, 3)
    assert np.all(np.diff(held.low) >= 0)


@pytest.mark.parametrize(
    ("low", "high", "whole", "ticks"),
    [
        (0, 1, False, [0, 0.5, 1]),
        (0.2, 1, False, [0, 0.5, 1]),
        (0.9, 0.98, False, [0.9, 0.92, 0.94, 0.96, 0.98]),
        (1, 1, False, [0, 0.5, 1]),
        (0, 0, False, [0, 0.5, 1]),
        (-2, 1.5, False, [-2, -1, 0, 1, 2]),
        (3, 4, True, [3, 4]),
        (0.004, 0.011, False, [0, 0.005, 0.01, 0.015]),
    ],
)
def test_figures_are_round(low: float, high: float, whole: bool, ticks: list[float]) -> None:
    found = nice_ticks(low, high, whole=whole)
    assert found == pytest.approx(ticks)


def test_a_strip_keeps_few_pictures_of_any_film_and_finds_those_of_a_shot() -> None:
    strip = FilmStrip(StreamInfo((16, 9), FPS), 9)
    assert strip.near(0, 0, 10) is None
    for index in range(20_000):
        strip.look(Frame(np.full((9, 16, 3), index // 100, np.uint8), index))
    kept = {id(strip.near(frame, 0, 20_000)) for frame in range(20_000)}
    assert 100 < len(kept) <= 256
    for first in range(0, 20_000, 1000):
        image = strip.near(first, first + 500, first + 1000)
        assert image is not None
        assert first // 100 + 5 <= image[0, 0, 0] <= first // 100 + 9


@pytest.mark.parametrize(
    ("rhythm", "lines"),
    [
        (Rhythm((0.5,), (True,), 128.04, 0.934), ["tempo 128.0 BPM (confidence 0.93), 1 beat"]),
        (
            Rhythm((0.5, 1), (True, False), 97, 0.12),
            ["tempo 97.0 BPM (confidence 0.12), 2 beats", "no clear beat: give --bpm or --beats"],
        ),
        (Rhythm(), ["no clear beat: give --bpm or --beats"]),
        (Rhythm((0.5,), (True,), 90, None, "as given"), ["tempo 90.0 BPM (as given), 1 beat"]),
    ],
)
def test_a_beat_is_told_in_words(rhythm: Rhythm, lines: list[str]) -> None:
    assert [*rhythm.in_words()] == lines
