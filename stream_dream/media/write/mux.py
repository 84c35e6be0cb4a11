"""Makes the final file from the intermediate files."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from stream_dream.media.ffmpeg import run
from stream_dream.media.write.encoder_arguments import CURVES
from stream_dream.media.write.formats import Encoding, Format
from stream_dream.media.write.output_paths import beside
from stream_dream.media.write.recipe_tags import metadata_file
from stream_dream.media.write.size_limit import Compression
from stream_dream.media.write.sound import Soundtrack, first_that_works, ways_to_add

GIF_FPS = 50
"""Fastest rate that viewers play: they show delays below 2/100 s as 10/100 s."""


class EncodedVideo(NamedTuple):
    """ffmpeg's arguments to read encoded images.

    Attributes:
        input_args: Arguments of the input.
        copy_args: Further arguments of an output that copies the images.
        stream: Number of the stream: 0 for the picture, further ones for mattes.
    """

    input_args: tuple[str, ...]
    copy_args: tuple[str, ...] = ()
    stream: int = 0


def finish_film(
    encoded: EncodedVideo,
    final: Path,
    target_format: Format,
    *,
    sound: Soundtrack | None,
    picture: Sequence[str],
    seconds: float,
    recipe: str | None = None,
) -> None:
    """Mux the picture and the sound.

    Args:
        encoded: The encoded picture.
        final: The file to write.
        target_format: Its format.
        sound: The soundtrack; None for none.
        picture: ffmpeg's arguments to copy or encode the picture.
        seconds: Time limit of ffmpeg.
        recipe: Text that the film carries as its comment; None for none.
    """
    start = ["-movflags", "+faststart"] if target_format.muxer in ("mp4", "mov") else []
    mapped = ["-map", f"0:v:{encoded.stream}", *picture, "-map_chapters", "-1"]
    end = [*start, "-f", target_format.muxer, "-y", str(final)]
    ways = ways_to_add(sound, target_format)
    with metadata_file(final, recipe) as metadata:
        if sound is None or not ways:
            run([*encoded.input_args, *metadata, *mapped, *_tags(metadata, 1), *end], seconds)
            return
        first_that_works(
            sound,
            ways,
            lambda way: run(
                [
                    *encoded.input_args,
                    *way.input_args,
                    *metadata,
                    *mapped,
                    "-map",
                    f"1:{way.stream}",
                    *way.output_args,
                    *_tags(metadata, 2),
                    *end,
                ],
                seconds,
            ),
        )


def _tags(metadata: Sequence[str], number: int) -> tuple[str, ...]:
    return ("-map_metadata", str(number)) if metadata else ()


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
        generate = ["-map", f"0:v:{encoded.stream}", "-vf", f"{prepared},{colors}"]
        generate += ["-frames:v", "1", "-update", "1"]
        run(
            [*encoded.input_args, *generate, "-c:v", "png", "-f", "image2", "-y", str(palette)],
            seconds,
        )
        dither = _DITHERS[compression.dither]
        picture = f"[0:v:{encoded.stream}]{prepared}[x]"
        use = f"{picture};[x][1:v]paletteuse=dither={dither}:diff_mode=rectangle"
        command = [*encoded.input_args, "-i", str(palette), "-lavfi", use, "-loop", "0"]
        run([*command, "-f", "gif", "-y", str(final)], seconds)
    finally:
        palette.unlink(missing_ok=True)


def finish_pictures(
    encoded: EncodedVideo,
    final: Path,
    muxer: str,
    *,
    size: tuple[int, int],
    crf: int,
    seconds: float,
) -> None:
    """Make an animated WebP or PNG that loops for ever; the quality of a WebP is 100 - ``crf``."""
    codecs = {
        "webp": ("-c:v", "libwebp_anim", "-quality", str(100 - crf), "-loop", "0"),
        "apng": ("-c:v", "apng", "-pred", "mixed", "-plays", "0"),
    }
    picture = ["-map", f"0:v:{encoded.stream}", "-vf", _square(size)]
    run([*encoded.input_args, *picture, *codecs[muxer], "-f", muxer, "-y", str(final)], seconds)


def finish_sequence(
    encoded: EncodedVideo,
    folder: Path,
    encoding: Encoding,
    suffix: str,
    *,
    size: tuple[int, int],
    seconds: float,
) -> None:
    """Make numbered pictures in an empty folder.

    Where values are light, 1 is white of SDR, that is 203 cd/m2 in HDR.
    """
    filters = f"{_square(size)},{_pixels_of_pictures(encoding, suffix)}"
    name = str(folder / "x").replace("%", "%%")[:-1] + f"%09d{suffix}"
    picture = ["-map", f"0:v:{encoded.stream}", "-vf", filters, *encoding.format.encoder]
    run([*encoded.input_args, *picture, "-f", "image2", "-y", name], seconds)


def _pixels_of_pictures(encoding: Encoding, suffix: str) -> str:
    """Return the filters that convert pictures for their encoder."""
    if encoding.format.linear:
        return _as_light(encoding) if encoding.linear else _SAME_AS_FLOATS
    if encoding.bits == 8:
        return f"format={'rgba' if encoding.alpha else 'rgb24'}"
    order = "be" if suffix == ".png" else "le"  # those of the encoders
    return f"format={'rgba64' if encoding.alpha else 'rgb48'}{order}"


# Not with ffmpeg's own scale, which leaves some pixels of floats empty.
_SAME_AS_FLOATS = "zscale=tin=linear:min=gbr:rin=full:t=linear,format=gbrpf32le"


def _as_light(encoding: Encoding) -> str:
    """Return the filters that turn levels into light, as floats; an alpha channel stays."""
    curve = "iec61966-2-1" if encoding.hdr is None else CURVES[encoding.hdr]
    light = f"zscale=tin={curve}:min=gbr:rin=full:t=linear:npl=203,format=gbrpf32le"
    if encoding.hdr is not None:
        light += ",zscale=tin=linear:min=gbr:pin=bt2020:p=bt709,format=gbrpf32le"
    if not encoding.alpha:
        return light
    # zscale has no floats with an alpha channel: it goes another way, three times as a colour.
    return (
        "format=gbrap16le,split[colours][whole];"
        f"[colours]mergeplanes=format=gbrp16le:map0p=0:map1p=1:map2p=2,{light}[light];"
        f"[whole]mergeplanes=format=gbrp16le:map0p=3:map1p=3:map2p=3,{_SAME_AS_FLOATS}[alpha];"
        "[light][alpha]mergeplanes=format=gbrapf32le:map1p=1:map2p=2:map3s=1"
    )


def _square(size: tuple[int, int]) -> str:
    return f"scale={size[0]}:{size[1]}:flags=lanczos+accurate_rnd,setsar=1"
