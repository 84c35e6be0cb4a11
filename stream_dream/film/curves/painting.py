"""Paints rows of a curve sheet: waveforms, beats, and curves."""

from __future__ import annotations

import math

import numpy as np

from stream_dream.automation.curves import Curve
from stream_dream.automation.timeline import BeatGrid
from stream_dream.film.curves.chart import (
    COLUMNS,
    FAINT,
    GRID,
    INK,
    LEFT,
    TEXT_SIZE,
    Band,
    Chart,
    Colour,
    Floats,
    nice_ticks,
)
from stream_dream.film.rhythm import Rhythm
from stream_dream.lettering import font_of

_BEAT_PIXELS, _LABEL_GAP = 5, 16
"""Least distance of beats that are drawn, and between the numbers of bars."""

_WAVE: Colour = (126, 142, 168)


def paint_wave(times: Floats, peaks: Floats, chart: Chart, top: int, height: int) -> None:
    """Paint a waveform from its largest absolute samples, the largest of all from edge to edge."""
    chart.panel(top, height)
    if times[0] > 0:  # silence before it
        times, peaks = np.append([times[0] - 1e-6], times), np.append([0.0], peaks)
    loudest = max(1e-3, float(peaks.max()))
    reach = 0.5 + (height / 2 - 3) * Band.of(times, peaks / loudest, chart.seconds).high
    middle = top + height / 2
    chart.between(middle - reach, middle + reach, _WAVE)


def paint_beats(rhythm: Rhythm, grid: BeatGrid, chart: Chart, top: int, height: int) -> None:
    """Paint beats and bars, as many as there is room for, and the numbers of bars."""
    chart.panel(top, height, grid=False)
    colour, bottom = FAINT if rhythm.is_unsure else INK, top + height
    beats, bars = np.array(rhythm.beats), np.array(rhythm.bars)
    if COLUMNS / len(beats) >= _BEAT_PIXELS:
        for beat in beats[~bars]:
            chart.upright(bottom - height // 3, height // 3, beat, colour, 0.55)
    numbers = np.rint(grid.bars_at(beats[bars])).astype(int)
    apart = COLUMNS / len(beats) * grid.per_bar
    widest = font_of(TEXT_SIZE).getlength(str(numbers.max(initial=0))) + _LABEL_GAP
    drawn, named = _sparse(_BEAT_PIXELS / apart), _sparse(widest / apart)
    for number, beat in zip(numbers.tolist(), beats[bars].tolist(), strict=True):
        if number % drawn == 0:
            chart.upright(bottom - height // 2, height // 2, beat, colour)
        if number % named == 0 and chart.column(beat) < COLUMNS - 8:
            anchor = "ma" if chart.column(beat) > 8 else "la"
            chart.text(LEFT + chart.column(beat), top + 2, str(number), TEXT_SIZE, FAINT, anchor)


def _sparse(least: float) -> int:
    """Return the first of 1, 2, 4, 8, ... that is not less."""
    step = 1
    while step < least:
        step *= 2
    return step


def paint_curve(curve: Curve, colour: Colour, chart: Chart, top: int, height: int) -> None:
    """Paint a curve of sound, 0 to 1."""
    chart.panel(top, height)
    times, values = _sampled(curve, chart.seconds)
    chart.curve(top, height, Band.of(times, values, chart.seconds), colour, 0.35)


def paint_any_curve(curve: Curve, colour: Colour, chart: Chart, top: int, height: int) -> None:
    """Paint a curve of any range."""
    paint_values(*_sampled(curve, chart.seconds), colour, False, chart, top, height)


def _sampled(curve: Curve, seconds: float) -> tuple[Floats, Floats]:
    """Return times and values of a curve, more of them than columns."""
    # Sound has 100 values a second.
    times = np.linspace(0, seconds, int(max(100 * seconds, 4 * COLUMNS)))
    return times, np.asarray(curve.sample(times), np.float64)


def paint_values(
    times: Floats, values: Floats, colour: Colour, whole: bool, chart: Chart, top: int, height: int
) -> None:
    """Paint values of any range, with round numbers beside them."""
    chart.panel(top, height)
    known = values[~np.isnan(values)]
    if not len(known):
        return
    ticks = nice_ticks(float(known.min()), float(known.max()), whole=whole)
    low, high = float(ticks[0]), float(ticks[-1])
    decimals = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    for tick in ticks.tolist():
        where = top + 3 + (height - 6) * (1 - (tick - low) / (high - low))
        chart.rectangle(round(where), 1, 0, COLUMNS, GRID)
        chart.text(LEFT + COLUMNS + 8, where, f"{tick:.{decimals}f}", TEXT_SIZE, FAINT, "lm")
    band = Band.of(times, (values - low) / (high - low), chart.seconds)
    chart.curve(top, height, band, colour)
