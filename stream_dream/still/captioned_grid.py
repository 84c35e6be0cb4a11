"""Sheets of pictures with captions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_dream.frame import Image8
from stream_dream.lettering import font_of, shortened, wrapped

_ASPECT = 4 / 3
"""Width of a sheet over its height, as near as whole cells allow."""

_BACKGROUND = (26, 26, 28)
_NAME_COLOUR = (240, 240, 240)
_TEXT_COLOUR = (165, 165, 168)
_NAME_SIZE, _TEXT_SIZE = 24, 16
_NAME_LINE, _TEXT_LINE = 32, 21
_MARGIN, _GAP = 32, 24
_ABOVE_CAPTION = 8
_LEAST_WIDTH = 300
"""Of a cell, in pixels: a caption needs room beneath a tall picture as well."""

_MOST_LINES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A picture of a sheet and its caption.

    Attributes:
        image: uint8 RGB, (height, width, 3); all pictures of a sheet have one shape.
        name: First line of the caption.
        text: Smaller text beneath it, up to three lines.
    """

    image: Image8
    name: str
    text: str


def captioned_grid(cells: Sequence[Cell]) -> Image8:
    """Draw one or more cells in rows; the number of columns brings the sheet closest to 4:3.

    Returns:
        uint8 RGB, (height, width, 3).
    """
    from PIL import Image, ImageDraw

    name_font, text_font = font_of(_NAME_SIZE), font_of(_TEXT_SIZE)
    height, width = cells[0].image.shape[:2]
    cell_width = max(width, _LEAST_WIDTH)
    texts = [wrapped(cell.text, cell_width, text_font, lines=_MOST_LINES) for cell in cells]
    lines = max(map(len, texts))
    cell_height = height + _ABOVE_CAPTION + _NAME_LINE + lines * _TEXT_LINE
    columns = column_count(len(cells), (cell_width, cell_height))
    sheet = Image.new("RGB", _sheet_size(len(cells), columns, cell_width, cell_height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for index, (cell, text) in enumerate(zip(cells, texts, strict=True)):
        left = _MARGIN + index % columns * (cell_width + _GAP)
        top = _MARGIN + index // columns * (cell_height + _GAP)
        sheet.paste(Image.fromarray(cell.image), (left, top))
        top += height + _ABOVE_CAPTION
        name = shortened(cell.name, cell_width, name_font)
        draw.text((left, top), name, _NAME_COLOUR, name_font)
        for number, line in enumerate(text):
            beneath = top + _NAME_LINE + number * _TEXT_LINE
            draw.text((left, beneath), line, _TEXT_COLOUR, text_font)
    return np.array(sheet)


def column_count(cells: int, size: tuple[int, int]) -> int:
    """Return the number of columns that brings cells of this (width, height) closest to 4:3."""

    def distance(columns: int) -> float:
        width, height = _sheet_size(cells, columns, *size)
        return abs(math.log(width / height / _ASPECT))

    return min(range(1, cells + 1), key=distance)


def _sheet_size(cells: int, columns: int, width: int, height: int) -> tuple[int, int]:
    rows = -(-cells // columns)
    across, down = (columns, width), (rows, height)
    both = [2 * _MARGIN + count * (side + _GAP) - _GAP for count, side in (across, down)]
    return both[0], both[1]
