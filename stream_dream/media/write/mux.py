"""Makes the final file from the intermediate MP4s."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, Self

from stream_dream.media.ffmpeg import run
from stream_dream.media.write.formats import Format
from stream_dream.media.write.output_paths import beside
from stream_dream.media.write.size_limit import Compression
from stream_dream.media.write.sound import Soundtrack, first_that_works, ways_to_add

GIF_FPS = 50
"""Fastest rate that viewers play: they show delays below 2/100 s as 10/100 s."""


class EncodedVideo(NamedTuple):
    """ffmpeg's arguments to read encoded images.

    Attributes:
        given: Arguments of the input.
        copied: Arguments of an output that copies the images.
    """

    given: tuple[str, ...]
    copied: tuple[str, ...] = ("-c:v", "copy")

    @classmethod
    def in_one(cls, path: Path) -> Self:
        """Return the arguments to read one file."""
        return cls(("-i", str(path)))


def finish_film(
    encoded: EncodedVideo,
    final: Path,
    made: Format,
    *,
    sound: Soundtrack | None,
    longest: float | None,
    picture: Sequence[str],
    seconds: float,
) -> None:
    """Mux the picture and the sound.

    Args:
        encoded: The encoded picture.
        final: The file to write.
        made: Its format.
        sound: The soundtrack; None for none.
        longest: Seconds after which the sound is cut; None to keep all of it.
        picture: ffmpeg's arguments to copy or encode the picture.
        seconds: Time limit of ffmpeg.
    """
    start = ["-movflags", "+faststart"] if made.muxer in ("mp4", "mov") else []
    mapped = ["-map", "0:v:0", *picture, "-map_chapters", "-1"]
    end = [*start, "-f", made.muxer, "-y", str(final)]
    ways = ways_to_add(sound, made, longest)
    if sound is None or not ways:
        run([*encoded.given, *mapped, *end], seconds)
        return
    first_that_works(
        sound,
        ways,
        lambda way: run(
            [*encoded.given, *way.given, *mapped, "-map", f"1:{way.stream}", *way.taken, *end],
            seconds,
        ),
    )


# Counting colours in steps of four levels finds as good a palette (mean squared error 89.2 instead
# of 88.9) 25 times as fast.
_FEWER_SHADES = "format=rgb24,lutrgb=" + ":".join(f"{c}='bitand(val,252)+2'" for c in "rgb")

# Bayer's pattern stands still where nothing moves, and its files are a tenth smaller than those of
# error diffusion.
_DITHERS = {"bayer": "bayer:bayer_scale=3", "sierra": "sierra2_4a", "none": "none"}


def finish_gif(
    encoded: EncodedVideo,
    final: Path,
    *,
    size: tuple[int, int],
    fps: Fraction,
    compression: Compression,
    seconds: float,
) -> None:
    """Make a GIF with one global palette that loops for ever.

    Time stamps are rounded to 1/100 s, so delays may alternate (3, 3, 4 at 30 fps) and the duration
    is kept.

    Args:
        encoded: The pictures, encoded losslessly.
        final: The file to write.
        size: (width, height) in square pixels.
        fps: Frames per second; above 50 some are dropped.
        compression: Number of colours and dithering.
        seconds: Time limit of each of two passes.
    """
    prepared = _square(size) + (f",fps={GIF_FPS}" if fps > GIF_FPS else "")
    palette = beside(final, ".png")
    try:
        # Two passes: in one, every picture would wait in memory for the palette.
        colors = f"{_FEWER_SHADES},palettegen=max_colors={compression.colors}"
        generate = ["-vf", f"{prepared},{colors}", "-frames:v", "1", "-update", "1"]
        run(
            [*encoded.given, *generate, "-c:v", "png", "-f", "image2", "-y", str(palette)],
            seconds,
        )
        dither = _DITHERS[compression.dither]
        use = f"[0:v]{prepared}[x];[x][1:v]paletteuse=dither={dither}:diff_mode=rectangle"
        command = [*encoded.given, "-i", str(palette), "-lavfi", use, "-loop", "0"]
        run([*command, "-f", "gif", "-y", str(final)], seconds)
    finally:
        palette.unlink(missing_ok=True)


def finish_webp(
    encoded: EncodedVideo, final: Path, *, size: tuple[int, int], crf: int, seconds: float
) -> None:
    """Make an animated WebP that loops for ever; its quality is 100 - ``crf``."""
    codec = ["-vf", _square(size), "-c:v", "libwebp_anim", "-quality", str(100 - crf)]
    run([*encoded.given, *codec, "-loop", "0", "-f", "webp", "-y", str(final)], seconds)


def finish_apng(
    encoded: EncodedVideo, final: Path, *, size: tuple[int, int], seconds: float
) -> None:
    """Make an animated PNG that loops for ever."""
    codec = ["-vf", _square(size), "-c:v", "apng", "-pred", "mixed", "-plays", "0"]
    run([*encoded.given, *codec, "-f", "apng", "-y", str(final)], seconds)


def finish_pictures(
    encoded: EncodedVideo, folder: Path, *, size: tuple[int, int], seconds: float
) -> None:
    """Write each picture as a PNG into an empty folder."""
    pattern = str(folder / "x").replace("%", "%%")[:-1] + "%09d.png"
    run([*encoded.given, "-vf", _square(size), "-f", "image2", pattern], seconds)


def _square(size: tuple[int, int]) -> str:
    return f"scale={size[0]}:{size[1]}:flags=lanczos+accurate_rnd,setsar=1"
