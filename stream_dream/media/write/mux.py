"""Makes the final file from the fragmented MP4s that were encoded first."""

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
"""The fastest that viewers play: they take delays below 2/100 s for 10/100 s."""


class EncodedVideo(NamedTuple):
    """Encoded images, as ffmpeg is told to read them.

    Attributes:
        given: Arguments of the input.
        copied: Arguments of an output that takes them over as they are.
    """

    given: tuple[str, ...]
    copied: tuple[str, ...] = ("-c:v", "copy")

    @classmethod
    def in_one(cls, path: Path) -> Self:
        """Read one file."""
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
    """Bring the picture into its container and add the sound.

    Args:
        encoded: The encoded picture.
        final: The file to write.
        made: Its format.
        sound: The soundtrack; None for none.
        longest: Seconds behind which the sound is cut; None to leave it whole.
        picture: What becomes of the picture: arguments of ffmpeg.
        seconds: How long ffmpeg may take.
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


# A palette of colours counted in steps of four levels is as good (mean squared error 89.2 instead
# of 88.9) and found 25 times as fast.
_FEWER_SHADES = "format=rgb24,lutrgb=" + ":".join(f"{c}='bitand(val,252)+2'" for c in "rgb")

# The fixed pattern stands still where nothing moves, and its files are a tenth smaller than those
# of error diffusion.
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
    """Make a GIF with one palette for all of it, which loops for ever.

    Each picture keeps its place to 1/100 s, so delays may alternate (3, 3, 4 at 30 fps) and the
    duration is kept.

    Args:
        encoded: The pictures, encoded without loss.
        final: The file to write.
        size: (width, height) in square pixels.
        fps: The rate of the pictures; above 50 some are left out.
        compression: Its colours, and how they are mixed.
        seconds: How long ffmpeg may take for each of two passes.
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
    """Make an animated WebP that loops for ever; ``crf`` 18 becomes its quality 82."""
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
    """Write every picture as a PNG of its own into an empty folder."""
    pattern = str(folder / "x").replace("%", "%%")[:-1] + "%09d.png"
    run([*encoded.given, "-vf", _square(size), "-f", "image2", pattern], seconds)


def _square(size: tuple[int, int]) -> str:
    return f"scale={size[0]}:{size[1]}:flags=lanczos+accurate_rnd,setsar=1"
