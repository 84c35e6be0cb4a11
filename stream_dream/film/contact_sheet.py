"""A contact sheet: one picture that shows a frame of every shot."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from stream_dream.frame import Frame, Image8, StreamInfo
from stream_dream.image import fit_size, resize
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.picture import write_picture

_LONGER_SIDE = 240
_COLUMNS = 6
_GAP, _LABEL = 8, 22
_BACKGROUND, _INK = 24, (220, 220, 220)
# The frame shown is this far into its shot: shots that fade in are dark at first.
_SECONDS_IN = 0.5


class ContactSheet:
    """Collects one frame of each shot while the film is read."""

    def __init__(self, info: StreamInfo) -> None:
        """Create an empty sheet for a film."""
        self._fps = info.fps
        self._size = fit_size(info.display_size, _LONGER_SIDE)
        self._pictures: list[Image8] = []
        self._begins: list[int] = []

    def look(self, frame: Frame) -> None:
        """Add the next frame of the film; one per shot is kept."""
        if frame.cut or not self._begins:
            self._begins.append(frame.index)
            self._pictures.append(resize(frame.image, self._size))
        elif frame.index - self._begins[-1] == round(_SECONDS_IN * self._fps):
            self._pictures[-1] = resize(frame.image, self._size)

    def drawn(self) -> Image8:
        """Return the sheet, uint8 RGB."""
        width, height = self._size
        columns = min(_COLUMNS, len(self._pictures))
        rows = -(-len(self._pictures) // columns)
        across, down = width + _GAP, height + _LABEL + _GAP
        sheet = np.full((rows * down + _GAP, columns * across + _GAP, 3), _BACKGROUND, np.uint8)
        for index, (picture, begin) in enumerate(zip(self._pictures, self._begins, strict=True)):
            top, left = index // columns * down + _GAP, index % columns * across + _GAP
            sheet[top : top + height, left : left + width] = picture
            label = f"{index + 1}  {clock(begin / self._fps)}"
            where = (left, top + height + _LABEL - 6)
            cv2.putText(sheet, label, where, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
        return sheet

    def write(self, path: Path, *, overwrite: bool) -> None:
        """Write the sheet to a file. Raises ``SinkError``."""
        write_picture(Picture(self.drawn()), path, overwrite=overwrite)


def clock(seconds: float | Fraction) -> str:
    """Format a time as ``1:23:45.6``, or ``23:45.6`` below an hour."""
    tenths = round(float(seconds) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{tenths / 10:04.1f}"
