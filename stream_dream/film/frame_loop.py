"""The loop from source frames to written dreams, shared by short renders and films."""

from __future__ import annotations

import math
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from stream_dream.automation.program import Program
from stream_dream.errors import SettingsError
from stream_dream.film.film_dreamer import FilmDreamer
from stream_dream.film.journey_source import JourneySource
from stream_dream.film.request import mattes_of
from stream_dream.frame import Frame, FrameReport, Image, Image8, Layer, Mask8, StreamInfo
from stream_dream.image import AnyImage, deep_image, fit_size, resize
from stream_dream.layer import dream_layer, light_of_levels
from stream_dream.media.read.guide import GuideReader
from stream_dream.media.read.mask import Mask
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.finalize import Finalizer
from stream_dream.media.write.formats import Encoding, encoding_of
from stream_dream.media.write.sound import Soundtrack
from stream_dream.runtime.quiet import hushed
from stream_dream.runtime.scheduling import SpareTime
from stream_dream.runtime.stage_threads import StageThread, prefetched, single_threads
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.temporal.dreamer import Dreamed

if TYPE_CHECKING:
    from stream_dream.dream.look_ascents import LookAscents

# Frames queued between two stages: enough to even out a slow stage, few enough for 4K.
_DEPTH = 4
# Frames whose looks are prepared before the first one is dreamed; and how far ahead, and how often,
# looks are prepared later on.
_PREPARED_AT_ONCE, _PREPARED_AHEAD, _PREPARED_EVERY = 5000, 750, 25


def make_ascents(program: Program, first: int = 0, *, threads: int | None = None) -> LookAscents:
    """Build the look of frame ``first``, with this number of TensorFlow threads.

    Without a number the dream chooses.

    TensorFlow is imported only here, so that a wrong path fails quickly.
    """
    with hushed():
        from stream_dream.dream.look_ascents import LookAscents
        from stream_dream.dream.tf_threads import use_threads

    if threads is not None:
        use_threads(threads)
    ascents = LookAscents(program.looks, program.varying)
    ascents.of(program.at(first).look)
    return ascents


class FrameWriter:
    """Composes, writes and reports each dreamed frame.

    Attributes:
        stages: Total seconds by stage.
        fps: Frames per second since the first frame.
    """

    def __init__(
        self,
        write: Callable[..., None],
        output: OutputSettings,
        program: Program,
        on_report: Callable[[FrameReport], None],
        *,
        encoding: Encoding,
        mask: Mask | None = None,
        checksums: bool = False,
    ) -> None:
        """Create a writer.

        Args:
            write: Called with each image, RGB or RGBA, and its mattes, uint8 (height, width) of
                the image, in order.
            output: Size, and whether to show the source beside it.
            program: Strength of the dream and of the mask, frame by frame.
            on_report: Called with the report of each frame after it was written.
            encoding: Depth and alpha channel of the images.
            mask: Yields one mask per frame; None to show the dream everywhere.
            checksums: True to add the CRC-32 of each image to its report.
        """
        self.stages: Counter[str] = Counter()
        self.fps = 0.0
        self._begun: float | None = None
        self._written = 0
        self._write, self._on_report = write, on_report
        self._output, self._program = output, program
        self._encoding, self._mask = encoding, mask
        self._checksums = checksums
        lit = output.dream_only and encoding.linear
        self._light = light_of_levels(encoding.hdr) if lit else None

    def __call__(self, dreamed: Dreamed) -> None:
        """Write one frame."""
        begun = time.perf_counter()
        moment = self._program.at(dreamed.frame.index)
        mask = None if self._mask is None else _weakened(next(self._mask), moment.mask_strength)
        image = self._composed(dreamed, mask, moment.strength)
        composed = time.perf_counter()
        self._write(image, *(self._mattes(dreamed, mask) if self._output.matte else ()))
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

    def _composed(self, dreamed: Dreamed, mask: Mask8 | None, strength: float) -> Image | Layer:
        size, frame = self._output.size, dreamed.frame
        if self._encoding.deep:
            deep = dreamed.compose_deep(size, mask, strength=strength)
            return self._shown(deep_image(frame), deep)
        return self._shown(frame.image, dreamed.compose(size, mask, strength=strength))

    def _shown(self, source: AnyImage, dream: AnyImage) -> Image | Layer:
        height, width = dream.shape[:2]
        if self._output.dream_only:
            return dream_layer(resize(source, (width, height)), dream, self._light)
        if self._output.compare:
            return np.hstack([resize(source, (width, height)), dream])
        return dream

    def _mattes(self, dreamed: Dreamed, mask: Mask8 | None) -> list[Mask8]:
        width, height = self._output.size or dreamed.frame.image.shape[1::-1]
        if dreamed.visible is None:
            visible = np.zeros((height, width), np.uint8)
        else:
            shown = cv2.resize(dreamed.visible, (width, height), interpolation=cv2.INTER_LINEAR)
            visible = np.asarray(np.rint(shown * 255), np.uint8)
        return [visible] if mask is None else [mask, visible]


class FrameLooks:
    """Prepares the looks of the frames that come, and shows them their guides."""

    def __init__(
        self,
        ascents: LookAscents,
        program: Program,
        info: StreamInfo,
        guides: Sequence[Iterator[Image8]],
        *,
        first: int = 0,
        frames: int | None = None,
    ) -> None:
        """Prepare the looks of the first frames, and show the guides of the very first.

        Args:
            ascents: Those of the program's looks.
            program: The looks and settings of each frame.
            info: Properties of the source.
            guides: For each look, its guide images: one per frame, one for all, or none.
            first: Number of the first frame.
            frames: Number of frames; None if it is unknown.
        """
        self._ascents, self._program = ascents, program
        width, height = fit_size(
            info.display_size, program.looks[0].dream_size, enlarged=program.looks[0].enlarge
        )
        self._shape = height, width
        self._frame = first
        end = info.frame_count if frames is None else first + frames
        self._expected_end = math.inf if end is None else end
        guided = any(look.guide is not None for look in program.looks)
        self._guides = ascents.guided(guides) if guided else None
        self._changes = len(program.looks) > 1 or "octaves" in program.changing
        if self._changes:
            ascents.prepare(self._coming(_PREPARED_AT_ONCE), self._shape)
        self._show_guide()

    def next_frame(self) -> None:
        """Continue with the next frame."""
        self._frame += 1
        if self._changes and self._frame % _PREPARED_EVERY == 0:
            self._ascents.prepare_later(self._coming(_PREPARED_AHEAD), self._shape)
        self._show_guide()

    def _coming(self, frames: int) -> list[tuple[int, int]]:
        """Return looks and numbers of octaves of the next frames, by first use."""
        from stream_dream.dream.look_ascents import LOOKS_KEPT

        begin, end = self._frame, int(min(self._expected_end, self._frame + frames))
        if begin >= end:
            return []
        try:
            looks = self._program.looks_in(begin, end)[:LOOKS_KEPT]
            return [(look, n) for look in looks for n in self._program.octaves_in(begin, end, look)]
        except SettingsError:
            return []  # a formula fails in a frame that may never come

    def _show_guide(self) -> None:
        if self._guides is not None:
            self._guides.show(self._program.at(self._frame).look)


def dream_frames(
    frames: Iterator[Frame],
    dreamer: FilmDreamer,
    looks: FrameLooks,
    write: Callable[[Dreamed], None],
    spare: SpareTime | None = None,
    *,
    stop: Callable[[], None] = lambda: None,
) -> None:
    """Dream frames: decode and find motion ahead of the dream, compose and encode behind it.

    ``write`` is called with each dream, in order, in a thread of its own. With ``spare``, the other
    stages wait for the dream's spare time. ``stop`` ends a wait for frames that may never come.
    """

    def prepared() -> Iterator[Any]:
        for frame in frames:
            yield dreamer.prepare(frame)

    with (
        single_threads(),
        closing(prefetched(prepared(), _DEPTH, spare, stop=stop)) as stream,
        StageThread(write, _DEPTH, spare) as writer,
    ):
        try:
            for number, item in enumerate(stream):
                if number:
                    looks.next_frame()
                writer.put(dreamer.ascend(item))
        finally:
            if spare is not None:
                spare.begin()  # nothing more is dreamed


def written_shape(info: StreamInfo, output: OutputSettings) -> tuple[tuple[int, int], Fraction]:
    """Return (width, height) of the written images, and their pixel aspect ratio."""
    width, height = output.size or info.size
    size = (width * 2 if output.compare else width, height)
    return size, info.pixel_aspect if output.size is None else Fraction(1)


def finalizer_of(
    target: Path,
    info: StreamInfo,
    output: OutputSettings,
    sound: Soundtrack | None = None,
    recipe: str | None = None,
) -> Finalizer:
    """Return the finalizer that turns the encoded video into the target and its mattes."""
    size, pixel_aspect = written_shape(info, output)
    return Finalizer(
        target,
        size=size,
        fps=info.fps,
        pixel_aspect=pixel_aspect,
        crf=output.crf,
        sound=sound,
        encoding=render_encoding(target, info, output),
        recipe=recipe,
        mattes=mattes_of(target, output),
    )


def render_encoding(target: Path, info: StreamInfo, output: OutputSettings) -> Encoding:
    """Return how a render is encoded; in software, while the encoder is ``auto``.

    Raises ``SinkError`` if its format or its codec does not have what the settings ask for.
    """
    found = encoding_of(
        target,
        output.codec,
        output.bits,
        source_bits=info.bits,
        hdr=info.hdr,
        alpha=output.dream_only,
    )
    return found.encoded_by(output.encoder)


def tone_mapping_note(source: VideoSource | JourneySource, output: OutputSettings) -> str | None:
    """Return a line that tells of HDR that was lost unasked; None if none was."""
    if not source.tone_mapped or output.sdr:
        return None
    return (
        f"{source.path} is HDR and is turned into SDR: it stays HDR only from more than 8 bits to "
        "a film of more than 8 bits, or to EXRs"
    )


@contextmanager
def opened_guides(looks: Sequence[DreamSettings]) -> Iterator[list[GuideReader]]:
    """Open the guide of each look, and close them at the end of the block."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(GuideReader(look.guide))) for look in looks]


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


def _weakened(mask: Mask8, strength: float) -> Mask8:
    """Return a mask that holds the dream back as far as ``strength``, 0..1, says."""
    if strength == 1:
        return mask
    return np.asarray(np.rint(255 - (255 - mask.astype(np.float32)) * strength), np.uint8)
