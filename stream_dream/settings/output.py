"""Settings of inputs and outputs."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from stream_dream.settings.fields import FILE_OR_NAME, Heading, under
from stream_dream.settings.values import (
    Bits,
    Bytes,
    CameraMotion,
    CodecName,
    Colour,
    Dither,
    EncoderName,
    FileName,
    Group,
    Model,
    Names,
    Rate,
    RawVideo,
    Seconds,
    Size,
    of_text,
)

_colours, _input, _output = under(Heading.COLOURS), under(Heading.INPUT), under(Heading.OUTPUT)
_mask, _loop = under(Heading.MASK), under(Heading.LOOP)

CODEC = _output(
    None,
    "Codec of a film, if not the usual one: H.264 in .mp4, .mov and .mkv, VP9 in .webm; with more "
    "than 8 bits H.265, in .mov ProRes 422 HQ.",
)
BITS = _output(
    None,
    "Bits a channel of a film, or 8 or 16 of pictures; those of the source, as far as common "
    "players go, if not given.",
)
ENCODER = _output(
    "software",
    "What encodes a film: software, the graphics processor, where it can, or the first one of "
    "those that works.",
)
CRF = _output(
    18, "Quality of WebP and of films in H.264, H.265, AV1 and VP9: 0 is best.", ge=0, le=51
)
MASK_STRENGTH = _mask(1.0, "How far the mask holds the dream back.", ge=0, le=1, automated=True)
STRENGTH = _colours(1.0, "How much of the dream is shown.", ge=0, le=2, automated=True)


class Excerpt(Model):
    """Which part of a file to read."""

    start: Seconds = _input(None, "Where to begin.", ge=0, metavar="SECONDS|MM:SS")
    end: Seconds = _input(None, "Where to stop.", gt=0, metavar="SECONDS|MM:SS")
    background: Colour = _input(
        "black",
        "What shows through where a film is transparent: a name, or #rrggbb.",
        validate_default=True,
        metavar="COLOUR",
    )


FPS = _input(
    None, "Frames per second of a sequence of pictures; 25 if not given.", metavar="NUMBER"
)


class OutputSettings(Excerpt):
    """Excerpt, output and mask of a render."""

    fps: Rate | None = FPS
    raw: Annotated[RawVideo, of_text(RawVideo.parse)] | None = _input(
        None,
        "Size and rate of the raw frames, RGB of 8 bits, that come from standard input.",
        metavar="WIDTHxHEIGHT@FPS",
    )
    size: Size = _output(
        None,
        "Size of the output in pixels, stretched to fit; the source's if not given.",
        metavar="WIDTHxHEIGHT",
    )
    codec: CodecName | None = CODEC
    bits: Bits | None = BITS
    encoder: EncoderName = ENCODER
    sdr: bool = _output(
        False, "Turn HDR into SDR, also where the output could hold it; else it stays HDR."
    )
    crf: int = CRF
    audio: bool = _output(True, "Keep the sound.", added_later=True)
    strength: float = STRENGTH
    compare: bool = _output(False, "Show source and dream side by side.")
    dream_only: bool = _output(
        False,
        "Write the dream alone, as a layer with an alpha channel to lay over the source: .mov, "
        ".mkv, or numbered .png, .tif or .exr.",
    )
    matte: bool = _output(
        False,
        "Write beside it, as clips, the mask, and what is visible in the frame before as well: "
        "OUTPUT-mask, OUTPUT-visibility.",
    )
    mask: FileName | None = _mask(
        None,
        "Picture or clip that is white where the dream shows and black where the source stays.",
        metavar="FILE",
    )
    mask_softness: float = _mask(
        16.0,
        "Width of the edge in which the dream fades away towards the mask's black, in pixels of "
        "the output.",
        ge=0,
        le=1000,
    )
    mask_strength: float = MASK_STRENGTH


class LoopSettings(Excerpt):
    """Excerpt, motion and output of a loop."""

    motion: CameraMotion = _loop(
        "breathe",
        "Of a picture: closer and back, along an ellipse, once around, closer without end, or "
        "nothing but the dream.",
    )
    strength_of_motion: float = _loop(
        1.0, "How far the camera goes; whole turns for the motion turn.", gt=0, le=5
    )
    reverse: bool = _loop(False, "Go the other way: zoom out, turn to the left.")
    frames: int = _loop(48, "Frames of a picture's loop.", ge=2, le=3000)
    fps: Rate = _loop(
        Fraction(25),
        "Frames per second of a picture's loop; a clip keeps its own.",
        metavar="NUMBER",
    )
    min_seconds: float = _loop(
        2.0, "Least length of the loop that is found in a clip.", gt=0, le=600
    )
    max_seconds: float = _loop(
        10.0, "Greatest length of the loop that is found in a clip.", gt=0, le=600
    )
    crossfade: float = _loop(
        0.5, "Seconds in which a clip's end fades into its beginning.", ge=0, le=60
    )
    bounce: bool = _loop(False, "Play a clip forwards and then backwards instead.")
    presets: Names = _loop(
        (),
        "Looks that the loop passes through and returns to.",
        metavar="NAME,NAME,...",
        file=FILE_OR_NAME,
        looks=True,
    )
    morph_layer: tuple[Group, ...] = _loop(
        (),
        "Layers that the loop passes through and returns to, several times.",
        metavar="LAYER[+LAYER...]",
    )
    longer_side: int | None = _output(
        None,
        "Longer side of the loop in pixels, the source's at the most; where it is not given, 480 "
        "for .gif, .webp and .apng, else 1280.",
        ge=1,
        le=8192,
    )
    codec: CodecName | None = CODEC
    bits: Bits | None = BITS
    encoder: EncoderName = ENCODER
    crf: int = CRF
    strength: float = STRENGTH
    repeat: int = _output(1, "How many times the loop plays in a film.", ge=1, le=10000)
    audio: bool = _output(True, "Give a film the sound of --soundtrack.")
    poster: bool = _output(False, "Write the first frame beside it, as .png.")
    dither: Dither = _output(
        "bayer", "How a GIF mixes colours: a pattern, error diffusion, or not."
    )
    colors: int = _output(256, "Colours of a GIF.", ge=4, le=256)
    max_size: Bytes | None = _output(
        None,
        "Largest file: colours, quality and then size are reduced until it fits.",
        metavar="8MB",
    )


class StillSettings(Model):
    """How to write dreamed pictures."""

    strength: float = STRENGTH
    quality: int = _output(95, "Quality of .jpg and .webp: 100 is best.", ge=1, le=100)
    progress_dir: FileName | None = _output(
        None, "Folder that gets the picture after each octave.", metavar="FOLDER"
    )
    out: FileName | None = _output(
        None, "Film or GIF that shows the dream emerging.", metavar="FILE"
    )
