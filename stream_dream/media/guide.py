"""The pictures that guide a dream: one, or one for each frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from stream_dream.errors import SourceError
from stream_dream.frame import Image8
from stream_dream.media.picture import READABLE_PICTURES, read_picture, visible_image
from stream_dream.media.source import VideoSource


def guide_images(path: Path) -> Iterator[Image8]:
    """Yield what guides each frame: the frames of a clip, over and over, or one picture alone.

    Args:
        path: A picture, by its extension, or a clip.

    Raises:
        SourceError: It cannot be read.
    """
    if path.suffix.lower() in READABLE_PICTURES:
        yield visible_image(read_picture(path))
        return
    with closing(VideoSource(path)) as clip:
        while True:
            frame = None
            for frame in clip:
                yield frame.image
            if frame is None:
                raise SourceError(f"{path} has no frame that could guide a dream")
