"""A picture with a time axis, on which rows are drawn from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Image8
from stream_dream.lettering import font_of, wrapped

Colour: TypeAlias = tuple[int, int, int]
Floats: TypeAlias = NDArray[np.float64]

WIDTH = 1600
LEFT, RIGHT = 250, 80
"""Pixels beside the rows: for names, and for figures."""

COLUMNS = WIDTH - LEFT - RIGHT

BACKGROUND, PANEL, GRID = (26, 26, 28), (36, 36, 39), (58, 58, 62)
INK, FAINT, WARNING = (240, 240, 240), (158, 158, 162), (244, 176, 86)
NAME_SIZE, TEXT_SIZE, LINE = 17, 13, 17

_LINE_WIDTH = 2.0
_MARGIN = 24
_TICKS = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    36000,
)
_TICK_WIDTH = 84
"""Least pixels between two labels of the axis."""


class Band(NamedTuple):
    """Lowest and highest value in each column of a chart, float64, (columns,)."""

    low: Floats
    high: Floats

    @classmethod
    def of(cls, times: Floats, values: Floats, seconds: float) -> Band:
        """Return what a curve through points does in each column; NaN where a point is NaN.

        Args:
            times: When the points are, in ascending seconds; beyond them their values hold.
            values: Their values.
            seconds: Length of the chart.
        """
        edges = np.linspace(0, seconds, COLUMNS + 1)
        on_edges = np.interp(edges, times, values)
        begins, ends = np.searchsorted(times, edges[:-1]), np.searchsorted(times, edges[1:])
        spans = np.stack([begins, ends], axis=1).ravel()
        padded = np.append(values, values[-1])
        filled = begins < ends
        low, high = (
            np.where(filled, of.reduceat(padded, spans)[::2], on_edges[:-1])
            for of in (np.minimum, np.maximum)
        )
        return cls(
            np.minimum(low, np.minimum(on_edges[:-1], on_edges[1:])),
            np.maximum(high, np.maximum(on_edges[:-1], on_edges[1:])),
        )


class Chart:
    """The picture.

    Attributes:
        seconds: Length of the time axis.
    """

    def __init__(self, height: int, frames: int, fps: Fraction) -> None:
        """Create an empty chart of a film, ``height`` pixels high."""
        self.seconds = float(frames / fps)
        self._fps = fps
        self._pixels = np.full((height, WIDTH, 3), BACKGROUND, np.float32)
        self._texts: list[tuple[float, float, str, int, Colour, str]] = []

    def column(self, seconds: float) -> float:
        """Return where a time is, in pixels from the left of the rows."""
        return seconds / self.seconds * COLUMNS

    def ticks(self) -> Iterator[float]:
        """Yield the seconds that the axis names."""
        least = self.seconds * _TICK_WIDTH / COLUMNS
        step = next((step for step in _TICKS if step >= least), math.ceil(least))
        for number in range(math.floor(self.seconds / step + 1e-9) + 1):
            yield number * step

    def axis(self, top: int) -> None:
        """Draw seconds and, beneath them, frames; two lines high."""
        for name, line in (("time", 0), ("frame", 1)):
            self.text(LEFT - 10, top + line * LINE, name, TEXT_SIZE, FAINT, "ra")
        for tick in self.ticks():
            where = LEFT + self.column(tick)
            anchor = "la" if where < LEFT + 1 else "ma"
            self.text(where, top, _clock(tick), TEXT_SIZE, INK, anchor)
            frame = round(tick * self._fps)
            self.text(where, top + LINE, str(frame), TEXT_SIZE, FAINT, anchor)

    def panel(self, top: int, height: int, *, grid: bool = True) -> None:
        """Draw the background of a row."""
        self.rectangle(top, height, 0, COLUMNS, PANEL)
        for tick in self.ticks() if grid else ():
            self.upright(top, height, tick, GRID)

    def label(self, top: int, height: int, name: str, text: str, note: str = "") -> None:
        """Write the name of a row, a text beneath it, and a note in the colour of warnings."""
        room = max(0, (height - NAME_SIZE - 4) // LINE)
        width, font = LEFT - _MARGIN - 16, font_of(TEXT_SIZE)
        notes = wrapped(note, width, font, lines=1) if note and room else []
        lines = wrapped(text, width, font, lines=room - len(notes)) if room > len(notes) else []
        used = NAME_SIZE + 4 + LINE * len([*lines, *notes])
        top += max(0, (height - used) // 2)
        (shown,) = wrapped(name, width, font_of(NAME_SIZE), lines=1) or [""]
        self.text(_MARGIN, top, shown, NAME_SIZE, INK)
        top += NAME_SIZE + 5
        coloured = [*((line, FAINT) for line in lines), *((line, WARNING) for line in notes)]
        for number, (line, colour) in enumerate(coloured):
            self.text(_MARGIN, top + number * LINE, line, TEXT_SIZE, colour)

    def rectangle(
        self, top: int, height: int, left: float, right: float, colour: Colour, opacity: float = 1
    ) -> None:
        """Fill the columns from left to right, at least one."""
        first = min(max(0, round(left)), COLUMNS - 1)
        last = min(max(first + 1, round(right)), COLUMNS)
        part = self._pixels[top : top + height, LEFT + first : LEFT + last]
        part += (np.array(colour, np.float32) - part) * np.float32(opacity)

    def upright(
        self, top: int, height: int, seconds: float, colour: Colour, opacity: float = 1
    ) -> None:
        """Draw an upright line, one pixel wide, at a time."""
        where = self.column(seconds)
        self.rectangle(top, height, where, where + 1, colour, opacity)

    def colours(self, top: int, height: int, colours: Floats) -> None:
        """Fill each column with a colour of its own, RGB 0..255, (columns, 3)."""
        self._pixels[top : top + height, LEFT : LEFT + COLUMNS] = colours

    def picture(self, top: int, left: float, image: Image8) -> None:
        """Paste a picture, uint8 RGB, at a column; what lies beyond the last one is cut off."""
        first = round(left)
        part = image[:, : COLUMNS - first]
        self._pixels[top : top + len(part), LEFT + first : LEFT + first + part.shape[1]] = part

    def curve(self, top: int, height: int, band: Band, colour: Colour, fill: float = 0.2) -> None:
        """Draw a curve of values 0..1 and fill what lies beneath it, with an opacity."""
        inner, room = top + 3, height - 6
        bottom = np.full(COLUMNS, inner + room, np.float64)
        middle = inner + room * (1 - (band.low + band.high) / 2)
        self.between(middle, bottom, colour, fill)
        highest, lowest = inner + room * (1 - band.high), inner + room * (1 - band.low)
        self.between(highest - _LINE_WIDTH / 2, lowest + _LINE_WIDTH / 2, colour)

    def between(self, tops: Floats, bottoms: Floats, colour: Colour, opacity: float = 1) -> None:
        """Fill each column between two heights, in pixels with fractions; nothing where NaN."""
        if np.isnan(tops).all():
            return
        first = max(0, math.floor(np.nanmin(tops)))
        last = min(len(self._pixels), math.ceil(np.nanmax(bottoms)))
        rows = np.arange(first, last, dtype=np.float64)[:, None]
        covered = np.clip(np.minimum(rows + 1, bottoms) - np.maximum(rows, tops), 0, 1)
        alpha = np.nan_to_num(covered)[..., None].astype(np.float32) * np.float32(opacity)
        part = self._pixels[first:last, LEFT : LEFT + COLUMNS]
        part += (np.array(colour, np.float32) - part) * alpha

    def text(
        self, left: float, top: float, text: str, size: int, colour: Colour, anchor: str = "la"
    ) -> None:
        """Write a text at a place of the picture; for ``anchor`` see Pillow."""
        self._texts.append((left, top, text, size, colour, anchor))

    def drawn(self) -> Image8:
        """Return the picture, uint8 RGB."""
        from PIL import Image, ImageDraw

        sheet = Image.fromarray(np.rint(self._pixels).astype(np.uint8))
        draw = ImageDraw.Draw(sheet)
        for left, top, text, size, colour, anchor in self._texts:
            draw.text((left, top), text, colour, font_of(size), anchor)
        return np.array(sheet)


def nice_ticks(low: float, high: float, *, whole: bool = False) -> Floats:
    """Return three to six round numbers, evenly apart, that enclose a range of values."""
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = min(low, 0.0), max(high, 0.0)
        high = high if high > low else low + 1
    if 0 < low <= high / 2:
        low = 0.0
    least = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
    step = max(1.0, step) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return np.asarray(np.arange(first, last + 1) * step, np.float64)


def _clock(seconds: float) -> str:
    """Format a time as ``1:02:03`` or ``0:05``, with tenths where it has some."""
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    rest = f"{tenths // 10:02d}" if tenths % 10 == 0 else f"{tenths / 10:04.1f}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"
