"""Small pictures of a film, as many as a strip along its time shows."""

from __future__ import annotations

from stream_dream.frame import Frame, Image8, StreamInfo
from stream_dream.image import resize

_MOST = 256
"""Pictures that are kept at most; half of them when there are more."""


class FilmStrip:
    """Collects pictures, evenly apart, while a film of any length is read.

    Attributes:
        size: (width, height) of a picture.
    """

    def __init__(self, info: StreamInfo, height: int) -> None:
        """Create an empty strip of a height in pixels."""
        width, tall = info.display_size
        self.size = (max(1, round(width * height / tall)), height)
        self._every = 1
        self._pictures: list[Image8] = []

    def look(self, frame: Frame) -> None:
        """Look at the next frame of the film."""
        if frame.index % self._every:
            return
        self._pictures.append(resize(frame.image, self.size))
        if len(self._pictures) > _MOST:
            del self._pictures[1::2]
            self._every *= 2

    def near(self, frame: float, first: int, end: int) -> Image8 | None:
        """Return the picture nearest to a frame, from ``first`` to ``end - 1`` if there is one."""
        if not self._pictures:
            return None
        least, most = -(-first // self._every), (end - 1) // self._every
        place = round(frame / self._every)
        if least <= most:
            place = min(max(place, least), most)
        return self._pictures[min(place, len(self._pictures) - 1)]
