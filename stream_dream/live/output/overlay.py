"""Overlay of figures, keys and messages on the picture in a window."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from stream_dream.frame import Image8
from stream_dream.image import resize
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.keys import Answer
from stream_dream.live.status import HeardSound, LiveStatus

_WHITE, _GREY, _AMBER = (255, 255, 255), (176, 184, 192), (255, 190, 92)
_REFUSED, _RULE = (255, 128, 112), (96, 80, 56)

# OpenCV 5's own font, with smooth letters and arrows.
_FONT = "sans"
_LIGHT, _BOLD = 450, 600

# Measures of the panel, in letter heights.
_ROW, _MARGIN, _COLUMN, _GAP = 1.5, 1.2, 21, 2

# Letter height as a share of the picture's: legible from a keyboard.
_SHARE = 0.026
_SMALL_LETTER = 11.0
# If even these do not fit, the picture is enlarged; the window shrinks it again.
_LEAST_LETTER = 10.0
# Share of its brightness that the picture keeps behind letters.
_DIM, _ANSWER_DIM = 0.22, 0.11


class Row(NamedTuple):
    """A line of the panel.

    Attributes:
        name: Label, at the left.
        value: Value, beside it.
        key: Keys that change it, at the right.
        marked: True to highlight it.
    """

    name: str
    value: str = ""
    key: str = ""
    marked: bool = False


Panel = tuple[dict[str, tuple[Row, ...]], ...]
"""Columns of rows, by their headings."""


def build_panel(status: LiveStatus, controls: Controls) -> Panel:
    """Return the panel: status, keys, parameters and looks."""
    looks = controls.looks
    waiting = {look for look in looks if look not in status.ready and look != status.preset}
    names = (
        Row(look, "getting ready" if look in waiting else "", str(number), look == status.preset)
        for number, look in enumerate(looks[:9], 1)
    )
    last = _JOURNEY_KEYS if controls.journey else _DREAM_KEYS
    left = {"Show": _figures(status), "Keys": (*_KEYS, *last, Row("end", key="q  esc"))}
    return left, {"Parameters": _parameters(controls), "Looks": tuple(names)}


_KEYS = (
    Row("full screen", key="f"),
    Row("this help", key="h"),
    Row("hold the picture", key="space"),
    Row("begin afresh", key="r"),
    Row("snapshot", key="s"),
    Row("record", key="v"),
    Row("cut or fade to the other deck", key="x  c"),
    Row("blackout, fade to black", key="b  n"),
    Row("flash", key="i"),
    Row("tap the beat", key="t"),
    Row("undo, redo", key="z  y"),
)
_DREAM_KEYS = (Row("source", key="o"),)
_JOURNEY_KEYS = (Row("throw the source in", key="p"),)
_PARAMETER_KEYS = {"reactivity": ", .", "fader": "; '"}
_OF_DREAMS = {"strength": "↑ ↓", "step_size": "← →", "octaves": "+ -", "persistence": "[ ]"}
_OF_JOURNEYS = {"zoom": "+ -", "turn": "[ ]", "pan_x": "← →", "pan_y": "↑ ↓", "throw": "p"}


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
        *_heard(status.sound),
        Row("recording", status.recording or "no", marked=status.recording is not None),
        Row("runs for", f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"),
        Row(status.message),
    )


def _heard(sound: HeardSound | None) -> tuple[Row, ...]:
    if sound is None:
        return ()
    text = sound.state
    if text == "ok":
        text = f"{sound.tempo:.0f} beats a minute" if sound.tempo else "no clear beat"
    return (Row("sound", text, marked=text == "lost"),)


def _parameters(controls: Controls) -> tuple[Row, ...]:
    keys = _PARAMETER_KEYS | (_OF_JOURNEYS if controls.journey else _OF_DREAMS)
    rows = []
    for name, value in controls.parameters():
        if isinstance(value, str) or name == "fade" or name in controls.idle:
            continue  # how a change is made is no figure of the picture
        shown = ("no", "yes")[value] if isinstance(value, bool) else f"{value:.3g}"
        rows.append(Row(name.replace("_", " "), shown, keys.get(name, "")))
    return tuple(rows)


class Overlay:
    """Draws onto copies of images; the panel is drawn anew only when it changes."""

    def __init__(self) -> None:
        """Load the font."""
        self._font = cv2.FontFace(_FONT)
        self._drawn: tuple[Panel, int, Image8] | None = None

    def draw(self, image: Image8, panel: Panel | None, answer: Answer | None) -> Image8:
        """Return the image with panel and answer.

        Args:
            image: uint8 RGB, (height, width, 3); not modified.
            panel: The panel, if it is shown.
            answer: What the last key did, while it is shown.

        Returns:
            uint8 RGB of the same shape, or enlarged in proportion where letters would be too small.
        """
        if panel is None and answer is None:
            return image
        height, width = image.shape[:2]
        letter = max(_SMALL_LETTER, _SHARE * height)
        if panel is not None:
            across, down = _extent(panel)
            letter = min(letter, 0.96 * width / across, 0.96 * height / down)
        enlarged = max(1.0, _LEAST_LETTER / letter)
        size = round(width * enlarged), round(height * enlarged)
        canvas = resize(image, size)
        canvas = canvas.copy() if canvas is image else canvas
        pixels = int(max(letter, _LEAST_LETTER))
        if panel is not None:
            layer, margin = self._letters(panel, pixels), round(0.02 * min(size))
            part = canvas[margin : margin + layer.shape[0], margin : margin + layer.shape[1]]
            cv2.addWeighted(part, _DIM, layer, 1.0, 0.0, dst=part)
        if answer is not None:
            self._say(canvas, answer, pixels * 5 // 4)
        return canvas

    def _letters(self, panel: Panel, letter: int) -> Image8:
        """Return the panel's letters on black, drawn at most once for the same panel."""
        if self._drawn is not None and self._drawn[:2] == (panel, letter):
            return self._drawn[2]
        across, down = _extent(panel)
        layer = np.zeros((round(down * letter), round(across * letter), 3), np.uint8)
        for number, column in enumerate(panel):
            left = round((_MARGIN + number * (_COLUMN + _GAP)) * letter)
            base = _MARGIN * letter
            for heading, rows in column.items():
                base += _ROW * letter
                self._text(layer, heading, left, base, letter, _AMBER, _BOLD)
                line = round(base + 0.5 * letter)
                cv2.line(layer, (left, line), (left + _COLUMN * letter, line), _RULE)
                base += 0.75 * letter
                for row in rows:
                    base += _ROW * letter
                    self._row(layer, row, left, base, letter)
                base += letter
        self._drawn = (panel, letter, layer)
        return layer

    def _row(self, layer: Image8, row: Row, left: int, base: float, letter: int) -> None:
        colour = _AMBER if row.marked else _WHITE
        name_colour = colour if row.marked or not row.value else _GREY
        name = self._fitting(row.name, (7 if row.value else _COLUMN) * letter, letter)
        value = self._fitting(row.value, (9 if row.key else 13.5) * letter, letter)
        self._text(layer, name, left, base, letter, name_colour)
        self._text(layer, value, left + 7.5 * letter, base, letter, colour)
        end = left + _COLUMN * letter - self._width(row.key, letter)
        self._text(layer, row.key, end, base, letter, _AMBER, _BOLD)

    def _say(self, canvas: Image8, answer: Answer, letter: int) -> None:
        """Draw the answer into a box at the bottom, in the middle."""
        height, width = canvas.shape[:2]
        text = self._fitting(answer.text, 0.9 * width - 2 * letter, letter)
        margin = max(0, (width - self._width(text, letter)) // 2 - letter)
        bottom = height - letter
        box = canvas[max(0, bottom - round(2.2 * letter)) : bottom, margin : width - margin]
        cv2.convertScaleAbs(box, dst=box, alpha=_ANSWER_DIM)
        colour = _REFUSED if answer.refused else _WHITE
        self._text(canvas, text, margin + letter, bottom - 0.72 * letter, letter, colour, _BOLD)

    def _text(
        self,
        layer: Image8,
        text: str,
        left: float,
        base: float,
        letter: int,
        colour: tuple[int, int, int],
        weight: int = _LIGHT,
    ) -> None:
        if text:
            cv2.putText(layer, text, (round(left), round(base)), colour, self._font, letter, weight)

    def _width(self, text: str, letter: int) -> int:
        return cv2.getTextSize((0, 0), text, (0, 0), self._font, letter, _BOLD)[2] if text else 0

    def _fitting(self, text: str, most: float, letter: int) -> str:
        """Return the text, cut off at ``most`` pixels."""
        shown = text
        while text and self._width(shown, letter) > most:
            text = text[:-1]
            shown = text + "..."
        return shown


def fitted(image: Image8, size: tuple[int, int]) -> Image8:
    """Return the image scaled to the window, in the middle of black bars.

    Windows can scale by themselves, but Qt does so without smoothing and with nearly white bars.

    Args:
        image: uint8 RGB, (height, width, 3).
        size: (width, height) of the window; 0 if unknown, which leaves the image as it is.

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


def _extent(panel: Panel) -> tuple[float, float]:
    """Return width and height of the panel, in letters."""
    columns = len(panel) * _COLUMN + (len(panel) - 1) * _GAP + 2 * _MARGIN
    rows = max(
        sum(_ROW * (len(rows) + 1.5) + 1 for rows in column.values()) - 1 for column in panel
    )
    return columns, rows + 2 * _MARGIN
