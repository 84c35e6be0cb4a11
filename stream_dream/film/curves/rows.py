"""The rows of a curve sheet: pictures, shots, looks, sound, beats, curves and settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from stream_dream.automation.curves import Curve
from stream_dream.automation.program import WHOLE, FrameValues
from stream_dream.automation.sound.analysis import SoundAnalysis
from stream_dream.automation.sound.features import EDGES
from stream_dream.automation.timeline import BeatGrid
from stream_dream.film.curves.chart import (
    COLUMNS,
    FAINT,
    INK,
    LEFT,
    LINE,
    NAME_SIZE,
    TEXT_SIZE,
    Chart,
    Colour,
)
from stream_dream.film.curves.film_strip import FilmStrip
from stream_dream.film.curves.painting import (
    paint_any_curve,
    paint_beats,
    paint_curve,
    paint_values,
    paint_wave,
)
from stream_dream.film.plan.plan import Plan
from stream_dream.film.rhythm import Rhythm
from stream_dream.frame import StreamInfo
from stream_dream.lettering import font_of

STRIP_HEIGHT = 72

SHOTS_SHOWN = 200
"""Shots beyond which each is but a mark."""

_NO_BEAT = "no clear beat"

_DARK: Colour = (22, 22, 24)
_SETTING: Colour = (120, 200, 245)
_FILE: Colour = (150, 205, 140)
_SOUND: dict[str, Colour] = {
    "level": (200, 205, 215),
    "bass": (235, 110, 105),
    "mid": (238, 178, 92),
    "high": (140, 210, 220),
    "onset": (235, 150, 205),
    "kick": (226, 130, 80),
    "centroid": (176, 152, 236),
}
_MEANINGS = {
    "level": "loudness",
    "onset": "notes and drums begin",
    "kick": "bass drums, low notes",
    "centroid": "brightness",
    **{band: f"{low:g} to {high:g} Hz" for band, (low, high) in EDGES.items()},
}
_LOOKS: tuple[Colour, ...] = (
    (232, 150, 138),
    (126, 196, 194),
    (240, 204, 122),
    (158, 170, 224),
    (166, 209, 138),
    (220, 160, 210),
    (238, 176, 108),
    (120, 180, 232),
    (200, 200, 206),
    (194, 164, 134),
)


@dataclass(frozen=True, slots=True, eq=False)
class FilmOverTime:
    """What a sheet shows of a film.

    Attributes:
        name: Name of the film.
        info: Properties of the film.
        plan: Its shots.
        strip: Its pictures.
        values: The settings of all frames that change; None if nothing does.
        clipped: Names of those of which a value was clipped to its range.
        looks: Names of the looks.
        texts: What moves a setting, by its name.
        curves: Curves to show by name: those of sound, and those of files.
        files: Files of named curves.
        sound: The sound; None to show none.
        soundtrack: Name of its file.
        beats: The beats; None to show none.
        rhythm: Their tempo.
    """

    name: str
    info: StreamInfo
    plan: Plan
    strip: FilmStrip
    values: FrameValues | None = None
    clipped: Collection[str] = ()
    looks: Sequence[str] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    sound: SoundAnalysis | None = None
    soundtrack: str = ""
    beats: BeatGrid | None = None
    rhythm: Rhythm | None = None


class Row(NamedTuple):
    """A row.

    Attributes:
        name: Its name.
        text: What to write beneath that.
        height: Its height in pixels.
        paint: Paints it at a number of pixels from the top, in its height.
        note: A warning; "" for none.
        crossed: True if the boundaries of shots go through it.
    """

    name: str
    text: str
    height: int
    paint: Callable[[Chart, int, int], None]
    note: str = ""
    crossed: bool = True


def rows_of(film: FilmOverTime) -> Iterator[Row]:
    """Yield the rows of a film from top to bottom."""
    yield from _film_rows(film)
    yield from _look_rows(film)
    yield from _sound_rows(film)
    yield from _setting_rows(film)


def _film_rows(film: FilmOverTime) -> Iterator[Row]:
    fps, begins = film.info.fps, film.plan.begins
    spans = [*pairwise((*begins, film.plan.frames))]

    def pictures(chart: Chart, top: int, height: int) -> None:
        width = film.strip.size[0]
        # Slices of many short shots would show nothing.
        for first, end in spans if len(spans) <= SHOTS_SHOWN else [(0, film.plan.frames)]:
            left, right = (chart.column(float(frame / fps)) for frame in (first, end))
            while left < right:
                shown = min(width, right - left)
                middle = (left + shown / 2) / COLUMNS * film.plan.frames
                image = film.strip.near(middle, first, end)
                if image is not None:
                    chart.picture(top, left, image[:, : round(left + shown) - round(left)])
                left += width

    def numbers(chart: Chart, top: int, height: int) -> None:
        font = font_of(TEXT_SIZE)
        for number, (first, end) in enumerate(spans, 1):
            left, right = (chart.column(float(frame / fps)) for frame in (first, end))
            chart.rectangle(top, height, left, right, (70, 70, 76) if number % 2 else (92, 92, 100))
            if right - left >= font.getlength(str(number)) + 4:
                chart.text(
                    LEFT + (left + right) / 2, top + height / 2, str(number), TEXT_SIZE, INK, "mm"
                )

    yield Row("film", "", STRIP_HEIGHT, pictures)
    yield Row("shots", "", 22, numbers)


def _look_rows(film: FilmOverTime) -> Iterator[Row]:
    values = film.values
    if len(film.looks) < 2 or values is None:
        return
    columns = np.minimum(
        ((np.arange(COLUMNS) + 0.5) / COLUMNS * film.plan.frames).astype(np.intp),
        film.plan.frames - 1,
    )
    before, after, share = values.before[columns], values.after[columns], values.share[columns]
    palette = np.array([_LOOKS[number % len(_LOOKS)] for number in range(len(film.looks))])
    blended = palette[before] + (palette[after] - palette[before]) * share[:, None]
    seen = np.where(share < 0.5, before, after)
    changes = [0, *(np.flatnonzero(np.diff(seen)) + 1).tolist(), COLUMNS]
    font = font_of(NAME_SIZE)
    places = [
        ((left + right) / 2, film.looks[seen[left]])
        for left, right in pairwise(changes)
        if right - left >= font.getlength(film.looks[seen[left]]) + 8
    ]

    def bands(chart: Chart, top: int, height: int) -> None:
        chart.colours(top, height, blended)
        for middle, name in places:
            chart.text(LEFT + middle, top + height / 2, name, NAME_SIZE, _DARK, "mm")

    def legend(chart: Chart, top: int, height: int) -> None:
        left = float(LEFT)
        for number, name in enumerate(film.looks):
            width = font_of(TEXT_SIZE).getlength(name) + 40
            if left + width > LEFT + COLUMNS:
                chart.text(left, top, f"and {len(film.looks) - number} more", TEXT_SIZE, FAINT)
                return
            chart.rectangle(
                top + 2, 12, left - LEFT, left - LEFT + 16, _LOOKS[number % len(_LOOKS)]
            )
            chart.text(left + 22, top, name, TEXT_SIZE, INK)
            left += width

    yield Row("looks", "", 36, bands, crossed=False)
    if {name for _, name in places} != {film.looks[look] for look in np.unique(seen)}:
        yield Row("", "", LINE, legend, crossed=False)


def _sound_rows(film: FilmOverTime) -> Iterator[Row]:
    if film.sound is not None:
        wave = film.sound.waveform
        peaks = np.asarray(wave.values, np.float64)
        note = _NO_BEAT if film.rhythm is not None and not film.rhythm.beats else ""
        yield Row("sound", film.soundtrack, 64, partial(paint_wave, wave.times, peaks), note)
    if film.rhythm is not None and film.beats is not None and film.rhythm.beats:
        note = _NO_BEAT if film.rhythm.is_unsure else ""
        text = "" if note else "bars are numbered"
        paint = partial(paint_beats, film.rhythm, film.beats)
        yield Row("beats", text, 42, paint, note, crossed=False)
    for name, curve in film.curves.items():
        text = film.files.get(name) or _MEANINGS.get(name, "")
        if name in _SOUND:
            yield Row(name, text, 46, partial(paint_curve, curve, _SOUND[name]))
        else:
            yield Row(name, text, 76, partial(paint_any_curve, curve, _FILE))


def _setting_rows(film: FilmOverTime) -> Iterator[Row]:
    values, fps = film.values, float(film.info.fps)
    if values is None:
        return
    frames = np.arange(film.plan.frames)
    for name, rows in sorted(values.numbers.items()):
        before, after = rows[values.before, frames], rows[values.after, frames]
        # A look may lack the target of a weight.
        before, after = (
            np.where(np.isnan(before), after, before),
            np.where(np.isnan(after), before, after),
        )
        shown = before + (after - before) * values.share
        paint = partial(paint_values, frames / fps, shown, _SETTING, name in WHOLE)
        note = "clipped to its range" if name in film.clipped else ""
        yield Row(name.replace(".", " ", 1), film.texts.get(name, ""), 96, paint, note)
