"""Dreams one picture in many looks, on one sheet with captions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stream_dream.errors import Interrupted, SourceError
from stream_dream.frame import Image8
from stream_dream.image import fit_size, resize
from stream_dream.media.read.picture import Picture, is_picture, read_picture, visible_image
from stream_dream.media.write.output_paths import interrupted_name
from stream_dream.media.write.picture import check_picture_target, write_picture
from stream_dream.networks import registry
from stream_dream.runtime.quiet import hushed
from stream_dream.settings.dream import DreamSettings, for_stills
from stream_dream.settings.presets import Preset
from stream_dream.still.captioned_grid import Cell, captioned_grid
from stream_dream.still.sharpest_frame import sharpest_frame

if TYPE_CHECKING:
    from stream_dream.dream.iterative_ascent import Step

CELL_SIDE = 480
"""Longer side of a picture on the sheet, in pixels."""

_LEAST_SIDE = 16
_MOST_SLENDER = 8


class Subject(NamedTuple):
    """Picture to dream.

    Attributes:
        image: uint8 RGB, (height, width, 3).
        name: Name of its file.
        text: Its size, or its position in a clip.
        icc_profile: Its colour profile; None for sRGB.
    """

    image: Image8
    name: str
    text: str
    icc_profile: bytes | None = None


@dataclass(frozen=True, slots=True)
class LookSheetSummary:
    """Result of ``dream_look_sheet``.

    Attributes:
        target: The sheet, under its final name.
        looks: Number of looks on it.
        size: (width, height) of the sheet in pixels.
        seconds: Wall time.
    """

    target: Path
    looks: int
    size: tuple[int, int]
    seconds: float


def read_subject(source: Path) -> Subject:
    """Read a picture, by its extension, or the sharpest frame of a clip.

    Raises:
        SourceError: It cannot be read, or is too small or too slender.
    """
    if source.is_dir():
        raise SourceError(f"{source} is a folder: give a picture or a clip")
    if is_picture(source):
        picture = read_picture(source)
        image, profile = visible_image(picture), picture.icc_profile
        text = f"the picture, {image.shape[1]}x{image.shape[0]}"
    else:
        frame = sharpest_frame(source)
        image, profile = frame.image, None
        text = f"its sharpest frame, number {frame.index + 1} at {_clock(frame.time)}"
    height, width = image.shape[:2]
    problem = None
    if min(width, height) < _LEAST_SIDE:
        problem = f"a sheet of looks needs at least {_LEAST_SIDE} a side"
    elif max(width, height) > _MOST_SLENDER * min(width, height):
        problem = f"its longer side may be {_MOST_SLENDER} times the other: cut out a part of it"
    if problem:
        raise SourceError(f"{source} has {width}x{height} pixels: {problem}")
    return Subject(image, source.name, text, profile)


def left_out(looks: Sequence[Preset]) -> list[Preset]:
    """Return the looks whose network has no weights on this machine; nothing is downloaded.

    Raises:
        NetworkError: There is no such network.
    """
    return [
        look
        for look in looks
        if look.dream.weights is None and not registry.find(look.dream.network).has_weights()
    ]


def dream_look_sheet(
    subject: Subject,
    target: Path,
    looks: Sequence[Preset],
    *,
    dream_size: int,
    inputs: Sequence[Path],
    seed: int | None = None,
    overwrite: bool = False,
    on_look: Callable[[Preset, int], None] = lambda look, count: None,
    on_step: Callable[[Step], None] = lambda step: None,
    on_result: Callable[[Preset], None] = lambda look: None,
) -> LookSheetSummary:
    """Dream a picture in several looks and write them on one sheet, the source first.

    Args:
        subject: Picture to dream.
        target: Output picture; its extension decides on the format.
        looks: At least one.
        dream_size: Longer side in pixels at which each is dreamed.
        inputs: Input files, which are never replaced.
        seed: Start of the random numbers; None for each look's own.
        overwrite: True if the target may be replaced.
        on_look: Called before each look with the number of looks.
        on_step: Called after each step.
        on_result: Called after each look.

    Raises:
        SinkError, SettingsError, NetworkError: With one clear line.
        Interrupted: On Ctrl-C; finished looks are kept, and the message says where.
    """
    begun = time.perf_counter()
    check_picture_target(target, overwrite=overwrite, inputs=inputs)
    image = _scaled(subject.image, dream_size)
    cells = [Cell(_scaled(subject.image, CELL_SIDE), subject.name, subject.text)]

    def write(path: Path, *, overwrite: bool) -> LookSheetSummary:
        sheet = captioned_grid(cells)
        written = write_picture(
            Picture(sheet, icc_profile=subject.icc_profile), path, overwrite=overwrite
        )
        height, width = sheet.shape[:2]
        seconds = time.perf_counter() - begun
        return LookSheetSummary(written, len(cells) - 1, (width, height), seconds)

    try:
        for look in looks:
            on_look(look, len(looks))
            dream = _dreamed(image, for_sheet(look.dream, dream_size, seed), on_step)
            cells.append(Cell(_scaled(dream, CELL_SIDE), look.name, look.description))
            on_result(look)
    except KeyboardInterrupt:
        if len(cells) == 1:
            raise Interrupted("interrupted in the first look: nothing was written") from None
        done = write(interrupted_name(target), overwrite=False)
        raise Interrupted(
            f"interrupted: the first {done.looks} of {len(looks)} looks are in {done.target}"
        ) from None
    return write(target, overwrite=overwrite)


def for_sheet(look: DreamSettings, dream_size: int, seed: int | None) -> DreamSettings:
    """Return a look's settings for one picture of a sheet."""
    values: dict[str, object] = {"dream_size": dream_size, "enlarge": 1.0}
    if seed is not None:
        values["seed"] = seed
    return for_stills(look, {}, size=dream_size).model_copy(update=values)


def _dreamed(image: Image8, dream: DreamSettings, on_step: Callable[[Step], None]) -> Image8:
    # Imported late: a wrong path is reported before TensorFlow is loaded.
    with hushed():
        from stream_dream.still.dreamer import StillDreamer
    return StillDreamer(dream)(image, on_step)


def _scaled(image: Image8, side: int) -> Image8:
    """Scale an image to a longer side, up or down."""
    height, width = image.shape[:2]
    return resize(image, fit_size((width, height), side, enlarged=math.inf))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 2), 60)
    return f"{int(minutes)}:{rest:05.2f}"
