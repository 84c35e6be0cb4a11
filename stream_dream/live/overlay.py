"""Draws figures, keys and messages onto the picture in a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stream_dream.frame import Image8
from stream_dream.image import resize
from stream_dream.live.keys import Answer
from stream_dream.live.status import LiveStatus
from stream_dream.live_settings import LiveParameters

_Colour = tuple[int, int, int]
_WHITE, _GREY, _AMBER = (255, 255, 255), (176, 184, 192), (255, 190, 92)
_REFUSED = (255, 128, 112)

# The font that OpenCV 5 brings along; it draws smooth letters, and arrows.
_FONT = "sans"
_LIGHT, _BOLD = 450, 600

# A row is so many times the height of its letters; the panel is so many letters wide and high.
_ROW = 1.5
_MARGIN = 1.2
_COLUMN = 21.0
_GAP = 2.0

# Letters have this share of the picture's height: legible from where a keyboard is.
_SHARE = 0.026
_SMALL_LETTER = 11.0
# Where not even these fit, the picture is enlarged; the window makes it small again.
_LEAST_LETTER = 10.0
# What the picture behind the letters keeps of its brightness.
_DIM = 0.22


@dataclass(frozen=True)
class Row:
    """A line of the panel.

    Attributes:
        name: At the left.
        value: Behind it.
        key: At the right: the keys that change it.
        marked: True for what is in use.
    """

    name: str
    value: str = ""
    key: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Block:
    """Rows under a heading."""

    heading: str
    rows: tuple[Row, ...]


Panel = tuple[tuple[Block, ...], ...]
"""Columns of blocks."""


def panel(status: LiveStatus, parameters: LiveParameters, looks: Sequence[str]) -> Panel:
    """Return what the help shows: how the show is, and which key does what."""
    waiting = {look for look in looks if look not in status.ready and look != status.preset}
    names = (
        Row(look, "getting ready" if look in waiting else "", str(number), look == status.preset)
        for number, look in enumerate(looks[:9], 1)
    )
    left = (Block("Show", _figures(status)), Block("Keys", _KEYS))
    return left, (Block("Parameters", _parameters(parameters)), Block("Looks", tuple(names)))


_KEYS = (
    Row("full screen", key="f"),
    Row("this help", key="h"),
    Row("hold the picture", key="space"),
    Row("begin afresh", key="r"),
    Row("snapshot", key="s"),
    Row("record", key="v"),
    Row("end", key="q  esc"),
)
_PARAMETER_KEYS = {
    "strength": "↑ ↓",
    "step_size": "← →",
    "octaves": "+ -",
    "persistence": "[ ]",
}


def _figures(status: LiveStatus) -> tuple[Row, ...]:
    minutes, seconds = divmod(int(status.uptime), 60)
    frames = f"{status.dropped} of {status.captured}"
    return (
        Row("look", status.preset),
        Row("frames", f"{status.fps:.1f} of {status.target_fps:g} a second"),
        Row("latency", f"{status.latency_ms:.0f} ms"),
        Row("camera", status.camera, marked=status.camera != "ok"),
        Row("dropped", frames),
        Row("dream size", f"{status.dream_size} px"),
        Row("recording", status.recording or "no", marked=status.recording is not None),
        Row("runs for", f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"),
        Row(status.message),
    )


def _parameters(parameters: LiveParameters) -> tuple[Row, ...]:
    rows = []
    for name, value in parameters:
        shown = ("no", "yes")[value] if isinstance(value, bool) else f"{value:.3g}"
        rows.append(Row(name.replace("_", " "), shown, _PARAMETER_KEYS.get(name, "")))
    return tuple(rows)


class Overlay:
    """Draws onto copies of pictures; the panel's letters are drawn anew only where they change."""

    def __init__(self) -> None:
        """Load the font."""
        self._font = cv2.FontFace(_FONT)
        self._drawn: tuple[Panel, float, Image8] | None = None

    def draw(self, image: Image8, content: Panel | None, answer: Answer | None) -> Image8:
        """Return the picture with what there is to say.

        Args:
            image: uint8 RGB, (height, width, 3); it stays as it is.
            content: The help, if it is shown.
            answer: What the last key did, if that was just now.

        Returns:
            uint8 RGB of the same shape, or enlarged in proportion where letters would be too small.
        """
        if content is None and answer is None:
            return image
        columns, rows = (0.0, 0.0) if content is None else _extent(content)
        height, width = image.shape[:2]
        letter = max(_SMALL_LETTER, _SHARE * height)
        if content is not None:
            letter = min(letter, 0.96 * height / rows, 0.96 * width / columns)
        enlarged = max(1.0, _LEAST_LETTER / letter)
        size = round(width * enlarged), round(height * enlarged)
        letter *= enlarged
        canvas = resize(image, size)
        canvas = canvas.copy() if canvas is image else canvas
        if content is not None:
            margin = round(0.02 * min(size))
            _lay(canvas, self._letters(content, letter), margin, margin, _DIM)
        if answer is not None:
            self._say(canvas, answer, 1.25 * letter)
        return canvas

    def _letters(self, content: Panel, letter: float) -> Image8:
        """Return the panel's letters on black, drawn at most once for the same content."""
        if self._drawn is not None and self._drawn[:2] == (content, letter):
            return self._drawn[2]
        columns, rows = _extent(content)
        layer = np.zeros((round(rows * letter), round(columns * letter), 3), np.uint8)
        for number, blocks in enumerate(content):
            left = (_MARGIN + number * (_COLUMN + _GAP)) * letter
            top = _MARGIN * letter
            for block in blocks:
                top = self._block(layer, block, left, top, letter) + letter
        self._drawn = (content, letter, layer)
        return layer

    def _block(self, layer: Image8, block: Block, left: float, top: float, letter: float) -> float:
        """Draw a block; return where it ends."""
        row = _ROW * letter
        self._text(layer, block.heading, left, top + row, letter, _AMBER, _BOLD)
        right = left + _COLUMN * letter
        line = round(top + 1.35 * row)
        cv2.line(layer, (round(left), line), (round(right), line), (96, 80, 56), 1)
        top += 0.5 * row
        for item in block.rows:
            top += row
            base = top + row
            colour = _AMBER if item.marked else _WHITE
            name_colour = colour if item.marked or not item.value else _GREY
            name = self._fitting(item.name, _COLUMN, letter)
            self._text(layer, name, left, base, letter, name_colour)
            value = self._fitting(item.value, 13.5 if not item.key else 9.0, letter)
            self._text(layer, value, left + 7.5 * letter, base, letter, colour)
            end = right - self._width(item.key, letter)
            self._text(layer, item.key, end, base, letter, _AMBER, _BOLD)
        return top + row

    def _say(self, canvas: Image8, answer: Answer, letter: float) -> None:
        """Draw the answer into a box of its own, at the bottom in the middle."""
        height, width = canvas.shape[:2]
        text = self._fitting(answer.text, 0.9 * width / letter - 2, letter)
        across = min(width, round(self._width(text, letter) + 2 * letter))
        layer = np.zeros((min(height, round(2.2 * letter)), across, 3), np.uint8)
        colour = _REFUSED if answer.refused else _WHITE
        self._text(layer, text, letter, 1.48 * letter, letter, colour, _BOLD)
        _lay(
            canvas, layer, (width - across) // 2, height - layer.shape[0] - round(letter), _DIM / 2
        )

    def _text(
        self,
        layer: Image8,
        text: str,
        left: float,
        base: float,
        letter: float,
        colour: _Colour,
        weight: int = _LIGHT,
    ) -> None:
        if text:
            origin = round(left), round(base)
            cv2.putText(layer, text, origin, colour, self._font, round(letter), weight)

    def _width(self, text: str, letter: float) -> int:
        if not text:
            return 0
        return cv2.getTextSize((0, 0), text, (0, 0), self._font, round(letter), _BOLD)[2]

    def _fitting(self, text: str, most: float, letter: float) -> str:
        """Return the text, cut off where it is wider than so many letters are high."""
        if self._width(text, letter) <= most * letter:
            return text
        while text and self._width(text + "...", letter) > most * letter:
            text = text[:-1]
        return text + "..."


def fitted(image: Image8, size: tuple[int, int]) -> Image8:
    """Return the picture as large as a window has room for, in the middle of black bars.

    Windows can scale by themselves, but Qt does it without smoothing and with bars nearly white.

    Args:
        image: uint8 RGB, (height, width, 3).
        size: (width, height) of the window; the picture stays as it is where that is not known (0).

    Returns:
        uint8 RGB of the window's size.
    """
    height, width = image.shape[:2]
    if min(size) < 1 or (width, height) == size:
        return image
    scale = min(size[0] / width, size[1] / height)
    across, down = (max(1, round(width * scale)), max(1, round(height * scale)))
    left, top = (size[0] - across) // 2, (size[1] - down) // 2
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    canvas[top : top + down, left : left + across] = resize(image, (across, down))
    return canvas


def _extent(content: Panel) -> tuple[float, float]:
    """Return width and height of the panel, in letters."""
    columns = len(content) * _COLUMN + (len(content) - 1) * _GAP + 2 * _MARGIN
    rows = max(sum(_ROW * (len(b.rows) + 1.5) + 1 for b in blocks) - 1 for blocks in content)
    return columns, rows + 2 * _MARGIN


def _lay(canvas: Image8, layer: Image8, left: int, top: int, dim: float) -> None:
    """Dim the canvas below a layer of letters to a share of itself and add them, in place."""
    part = canvas[top : top + layer.shape[0], left : left + layer.shape[1]]
    layer = layer[: part.shape[0], : part.shape[1]]
    cv2.addWeighted(part, dim, layer, 1.0, 0.0, dst=part)
