"""Source frames of a loop, from a picture or a clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from stream_dream.errors import SettingsError, SourceError
from stream_dream.frame import Flow, Frame, Image8
from stream_dream.image import fit_size, resize
from stream_dream.loop.camera_path import CameraPath
from stream_dream.loop.clip_seam import ClipSpan, best_span, bounced, faded, signature
from stream_dream.media.read.picture import is_picture, over, read_picture, visible_image
from stream_dream.media.read.standard_input import STANDARD_INPUT
from stream_dream.media.read.video import VideoSource, excerpt_of
from stream_dream.settings.output import LoopSettings
from stream_dream.settings.values import rgb
from stream_dream.temporal.cuts import mark_cuts

# Default longer sides: of formats for posting, where every byte counts, and of films.
_SMALL_SIDE, _FILM_SIDE = 480, 1280
_SMALL_FORMATS = (".gif", ".webp", ".apng")
# Root mean square difference in levels of 255: above it a fade shows two scenes at once.
_UNLIKE = 25.0
_MOST_MEMORY = 2 * 1024**3
# Settings for one kind of source only.
_OF_PICTURES = ("motion", "strength_of_motion", "reverse", "frames", "fps")
_OF_CLIPS = ("start", "end", "min_seconds", "max_seconds", "crossfade", "bounce")


@dataclass(frozen=True, slots=True)
class Cycle:
    """A sequence whose last frame is followed by its first.

    Attributes:
        frames: Number of frames.
        fps: Frames per second.
        size: (width, height) in square pixels.
        view: Returns a frame, uint8 RGB, at a size given as (width, height).
        flow: Returns the exact flow from a frame to the one before it at a size; None if unknown.
        cuts: First frames of shots.
        notes: Notes for the user on how it was made.
        begins: Seconds from the clip's first picture to the loop's first frame; 0 for pictures.
        camera: What films a picture; None for clips.
    """

    frames: int
    fps: Fraction
    size: tuple[int, int]
    view: Callable[[int, tuple[int, int]], Image8]
    flow: Callable[[int, tuple[int, int]], Flow] | None
    cuts: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()
    begins: float = 0.0
    camera: CameraPath | None = None


def make_cycle(source: Path, target: Path, settings: LoopSettings, *, cuts: bool) -> Cycle:
    """Make a picture or a clip periodic.

    Args:
        source: A picture, by its extension, or a clip.
        target: The output file, whose format decides on the default size.
        settings: How to make it periodic.
        cuts: True to look for cuts in a clip.

    Raises:
        SourceError: It cannot be read, or is too short or too long.
        SettingsError: A setting is for the other kind of source.
    """
    if source == STANDARD_INPUT:
        raise SourceError("a loop reads a clip more than once: give a file, not standard input")
    picture = is_picture(source)
    for name in _OF_CLIPS if picture else _OF_PICTURES:
        if name in settings.model_fields_set:
            kinds = "clips, INPUT is a picture" if picture else "pictures, INPUT is a clip"
            raise SettingsError(f"--{name.replace('_', '-')} is for {kinds}: leave it out")
    small = target.suffix.lower() in _SMALL_FORMATS
    side = settings.longer_side or (_SMALL_SIDE if small else _FILM_SIDE)
    return (
        _of_picture(source, side, settings)
        if picture
        else _of_clip(source, side, settings, cuts=cuts)
    )


def _of_picture(source: Path, side: int, settings: LoopSettings) -> Cycle:
    picture = read_picture(source)
    filled = "with the picture's mean colour"
    image = visible_image(picture)
    if picture.alpha is not None and "background" in settings.model_fields_set:
        filled = f"with {settings.background}"
        image = over(picture.image, picture.alpha, rgb(settings.background))
    height, width = image.shape[:2]
    size = fit_size((width, height), side)
    notes = _scaled_note((width, height), size, settings)
    if picture.alpha is not None:
        notes += (f"what is transparent is filled {filled}",)
    camera = CameraPath(
        image,
        settings.motion,
        settings.frames,
        strength=settings.strength_of_motion,
        reverse=settings.reverse,
    )
    return Cycle(
        settings.frames, settings.fps, size, camera.view, camera.flow, notes=notes, camera=camera
    )


def _of_clip(source: Path, side: int, settings: LoopSettings, *, cuts: bool) -> Cycle:
    with excerpt_of(source, settings) as clip:
        fps, full = clip.info.fps, clip.info.display_size
        size = fit_size(full, side)
        fade = 0 if settings.bounce else round(settings.crossfade * fps)
        chosen = settings.start is not None or settings.end is not None or settings.bounce
        notes = _scaled_note((round(full[0]), round(full[1])), size, settings)
        begins = clip.start
        if chosen:
            frames = _read(clip, size)
            if len(frames) < 2:
                raise SourceError(f"{source} has one frame only here: give a longer clip")
        else:
            span, fade = _found(clip, settings, fade)
            where = f"{float(span.start / fps):.2f} s to {float(span.stop / fps):.2f} s"
            notes += (f"loops from {where}, where it is most alike",)
            if span.apart > _UNLIKE:
                notes += ("that is not very much alike: --bounce may look better",)
            first = Fraction(span.start - fade) / fps
            found = {"start": float(first), "end": float(span.stop / fps)}
            with excerpt_of(source, settings.model_copy(update=found)) as part:
                frames, begins = _read(part, size), part.start
        shortfall = clip.shortfall
    if shortfall:
        notes += (shortfall,)
    fade = min(fade, len(frames) // 2)
    looped = bounced(frames) if settings.bounce else faded(frames, fade)

    @lru_cache(maxsize=1)
    def view(index: int, wanted: tuple[int, int]) -> Image8:
        return resize(looped[index % len(looped)], wanted)

    begun = frozenset(_cuts(looped, fps)) if cuts else frozenset()
    begins += float(fade / fps)
    return Cycle(len(looped), fps, size, view, None, begun, notes, begins)


def _found(clip: VideoSource, settings: LoopSettings, fade: int) -> tuple[ClipSpan, int]:
    """Return the part of a clip that loops best, and how many frames it has room to fade."""
    fps = clip.info.fps
    shortest, longest = (
        max(2, round(seconds * fps)) for seconds in (settings.min_seconds, settings.max_seconds)
    )
    if longest < shortest:
        raise SettingsError("--max-seconds is less than --min-seconds: choose more")
    signatures, begun = [], []
    for frame in mark_cuts(clip, fps):
        signatures.append(signature(frame.image))
        if frame.cut:
            begun.append(frame.index)
    count = len(signatures)
    if count < shortest:
        frames = "1 frame" if count == 1 else f"{count} frames"
        raise SourceError(
            f"{clip.path} has {frames} ({float(count / fps):.2f} s), the loop is to have "
            f"{settings.min_seconds:g} s: give a longer clip or a smaller --min-seconds"
        )
    fade = min(fade, count - shortest, shortest)
    while True:
        span = best_span(
            np.stack(signatures), shortest=shortest, longest=longest, fade=fade, cuts=begun
        )
        # A shorter fade may fit within a shot.
        if not span.crosses or fade == 0:
            return span, fade
        fade //= 2


def _read(clip: VideoSource, size: tuple[int, int]) -> list[Image8]:
    most = _MOST_MEMORY // (size[0] * size[1] * 3)
    frames: list[Image8] = []
    for frame in clip:
        if len(frames) == most:
            raise SourceError(
                f"{clip.path} is too long for one loop: at {size[0]}x{size[1]} there is room for "
                f"{most} frames, choose them with --start and --end or a smaller --longer-side"
            )
        frames.append(resize(frame.image, size))
    return frames


def _cuts(images: list[Image8], fps: Fraction) -> list[int]:
    frames = (Frame(image, index) for index, image in enumerate(images))
    return [frame.index for frame in mark_cuts(frames, fps) if frame.cut]


def _scaled_note(
    full: tuple[int, int], size: tuple[int, int], settings: LoopSettings
) -> tuple[str, ...]:
    if size == full or settings.longer_side is not None:
        return ()
    return (f"{full[0]}x{full[1]} pixels scaled to {size[0]}x{size[1]} (--longer-side)",)
