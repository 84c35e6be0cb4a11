"""The loop from source frames to written dreams, shared by short renders and films."""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_dream.frame import Frame, FrameReport, Image8, StreamInfo
from stream_dream.image import resize
from stream_dream.media.read.mask import Mask
from stream_dream.media.write.finalize import Finalizer
from stream_dream.media.write.sound import Soundtrack
from stream_dream.runtime.quiet import hushed
from stream_dream.runtime.scheduling import SpareTime
from stream_dream.runtime.stage_threads import StageThread, prefetched, single_threads
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.temporal.dreamer import Dreamed, Prepared, TemporalDreamer

if TYPE_CHECKING:
    from stream_dream.dream.ascent import Ascent
    from stream_dream.dream.build import Guide

# Frames queued between two stages: enough to even out a slow stage, few enough for 4K.
_DEPTH = 4


def make_ascent(dream: DreamSettings, *, threads: int | None = None) -> Ascent:
    """Build the network, with this number of TensorFlow threads; None lets the dream choose.

    TensorFlow is imported only here, so that a wrong path fails quickly.
    """
    with hushed():
        from stream_dream.dream.ascent import Ascent
        from stream_dream.dream.tf_threads import use_threads

    if threads is not None:
        use_threads(threads)
    return Ascent(dream)


class FrameWriter:
    """Composes, writes and reports each dreamed frame.

    Attributes:
        stages: Total seconds by stage.
        fps: Frames per second since the first frame.
    """

    def __init__(
        self,
        write: Callable[[Image8], None],
        output: OutputSettings,
        on_report: Callable[[FrameReport], None],
        *,
        mask: Mask | None = None,
        checksums: bool = False,
    ) -> None:
        """Create a writer.

        Args:
            write: Called with each image, uint8 RGB, in order.
            output: Size, strength of the dream, and whether to show the source beside it.
            on_report: Called with the report of each frame after it was written.
            mask: Yields one mask per frame; None to show the dream everywhere.
            checksums: True to add the CRC-32 of each image to its report.
        """
        self.stages: Counter[str] = Counter()
        self.fps = 0.0
        self._begun: float | None = None
        self._written = 0
        self._write, self._on_report = write, on_report
        self._output, self._mask, self._checksums = output, mask, checksums

    def __call__(self, dreamed: Dreamed) -> None:
        """Write one frame."""
        begun = time.perf_counter()
        mask = None if self._mask is None else next(self._mask)
        image = dreamed.compose(self._output.size, mask, strength=self._output.strength)
        if self._output.compare:
            image = _beside(resize(dreamed.frame.image, image.shape[1::-1]), image)
        composed = time.perf_counter()
        self._write(image)
        seconds = dreamed.report.seconds | {
            "compose": composed - begun,
            "encode": time.perf_counter() - composed,
        }
        self.stages.update(seconds)
        if self._begun is None:
            self._begun = time.perf_counter()
        else:
            self._written += 1
            self.fps = self._written / (time.perf_counter() - self._begun)
        checksum = zlib.crc32(np.ascontiguousarray(image).data) if self._checksums else None
        self._on_report(replace(dreamed.report, seconds=seconds, checksum=checksum))


class FrameGuide:
    """Shows the guide of each frame before the frame is dreamed."""

    def __init__(self, guide: Guide | None, images: Iterator[Image8]) -> None:
        """Show the first of the guide images, of which there is one per frame or one for all."""
        self._guide, self._images = guide, images
        self.next_frame()

    def next_frame(self) -> None:
        """Show the next guide if there is one."""
        image = next(self._images, None)
        if self._guide is not None and image is not None:
            self._guide.show(image)


def dream_frames(
    frames: Iterator[Frame],
    dreamer: TemporalDreamer,
    guided: FrameGuide,
    write: Callable[[Dreamed], None],
    spare: SpareTime | None = None,
) -> None:
    """Dream frames: decode and find motion ahead of the dream, compose and encode behind it.

    ``write`` is called with each dream, in order, in a thread of its own. With ``spare``, the other
    stages wait for the dream's spare time.
    """

    def prepared() -> Iterator[Prepared]:
        for frame in frames:
            yield dreamer.prepare(frame)

    with (
        single_threads(),
        closing(prefetched(prepared(), _DEPTH, spare)) as stream,
        StageThread(write, _DEPTH, spare) as writer,
    ):
        try:
            for item in stream:
                writer.put(dreamer.ascend(item))
                guided.next_frame()
        finally:
            if spare is not None:
                spare.begin()  # nothing more is dreamed


def written_shape(info: StreamInfo, output: OutputSettings) -> tuple[tuple[int, int], Fraction]:
    """Return (width, height) of the written images, and their pixel aspect ratio."""
    width, height = output.size or info.size
    size = (width * 2 if output.compare else width, height)
    return size, info.pixel_aspect if output.size is None else Fraction(1)


def finalizer_of(
    target: Path, info: StreamInfo, output: OutputSettings, sound: Soundtrack | None = None
) -> Finalizer:
    """Return the finalizer that turns the encoded video into the target."""
    size, pixel_aspect = written_shape(info, output)
    return Finalizer(
        target, size=size, fps=info.fps, pixel_aspect=pixel_aspect, crf=output.crf, sound=sound
    )


@contextmanager
def opened_mask(output: OutputSettings, info: StreamInfo, first: int) -> Iterator[Mask | None]:
    """Open the mask of a render, if it has one. Raises ``SourceError``.

    ``first`` is the first frame rendered, counted from the source's first. Open the mask before the
    network is built, so that an unreadable one costs no time.
    """
    if output.mask is None:
        yield None
        return
    with Mask(
        output.mask,
        size=output.size or info.size,
        fps=info.fps,
        first=first,
        softness=output.mask_softness,
    ) as mask:
        yield mask


def _beside(left: Image8, right: Image8) -> Image8:
    return np.concatenate([left, right], axis=1)
