"""Settings of a journey: where its picture comes from, how its camera moves, what it writes."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from stream_dream.settings.fields import FILE_OR_NAME, Heading, under
from stream_dream.settings.output import BITS, CODEC, CRF, ENCODER
from stream_dream.settings.values import (
    Bits,
    CodecName,
    EncoderName,
    FileName,
    Model,
    Names,
    Rate,
    Seconds,
    Size,
    of_text,
)

Border = Literal["mirror", "wrap", "extend"]
JourneyStart = Literal["input", "noise"]

_camera, _journey, _output = under(Heading.CAMERA), under(Heading.JOURNEY), under(Heading.OUTPUT)


def _parse_pair(value: str) -> tuple[float, float]:
    """Parse ``0.5,0.45``. Raises ``ValueError``."""
    try:
        first, second = map(float, value.split(","))
    except ValueError:
        raise ValueError("give two numbers, such as 0.5,0.45") from None
    return first, second


PAIR_RANGES = {"pan": (-1.0, 1.0), "centre": (-1.0, 2.0)}
"""Least and greatest value of both numbers of a pair."""

_Shift = Annotated[float, Field(ge=PAIR_RANGES["pan"][0], le=PAIR_RANGES["pan"][1])]
_Share = Annotated[float, Field(ge=PAIR_RANGES["centre"][0], le=PAIR_RANGES["centre"][1])]
Pan = Annotated[tuple[_Shift, _Shift], of_text(_parse_pair)]
Centre = Annotated[tuple[_Share, _Share], of_text(_parse_pair)]


class CameraSettings(Model):
    """How the camera moves from each frame to the next."""

    zoom: float = _camera(
        1.02,
        "Magnification from a frame to the next: above 1 the picture comes nearer, below 1 it "
        "recedes.",
        ge=0.5,
        le=2,
        automated=True,
    )
    angle: float = _camera(
        0.0,
        "Degrees by which the picture turns anticlockwise around --centre.",
        ge=-180,
        le=180,
        automated=True,
    )
    pan: Pan = _camera(
        (0.0, 0.0),
        "How far the picture moves to the right and down, as shares of its width and height.",
        metavar="X,Y",
        automated=True,
    )
    centre: Centre = _camera(
        (0.5, 0.5),
        "Point that comes nearer, as shares of the width and height, from the top left.",
        metavar="X,Y",
        automated=True,
    )
    tilt: float = _camera(
        0.0, "Degrees by which the camera looks further up.", ge=-30, le=30, automated=True
    )
    yaw: float = _camera(
        0.0, "Degrees by which the camera looks further right.", ge=-30, le=30, automated=True
    )
    roll: float = _camera(
        0.0,
        "Degrees by which the picture turns anticlockwise around its middle.",
        ge=-180,
        le=180,
        automated=True,
    )
    depth: float = _camera(
        0.0,
        "How much faster near things move than far ones: 0 is a flat picture.",
        ge=0,
        le=1,
        automated=True,
    )
    depth_map: FileName | None = _camera(
        None,
        "Picture that is white where things are near; invented from the dream if not given.",
        metavar="FILE",
    )
    border: Border = _camera(
        "mirror", "What comes in at the edges: the picture mirrored, its other side, or its edge."
    )


class JourneySettings(CameraSettings):
    """A journey: start, length, camera, looks and output."""

    start_from: JourneyStart = _journey(
        "input", "What the journey begins with: INPUT, or noise.", alias="from"
    )
    start: Seconds = _journey(
        None, "Which moment of a clip it begins with.", ge=0, metavar="SECONDS|MM:SS"
    )
    seconds: float = _journey(20.0, "Length of the journey.", gt=0, le=86400)
    fps: Rate = _journey(Fraction(25), "Frames per second.", metavar="NUMBER")
    loop: bool = _journey(False, "End where it began: the last frame leads into the first.")
    presets: Names = _journey(
        (),
        "Looks that the journey travels through, again and again.",
        metavar="NAME,NAME,...",
        file=FILE_OR_NAME,
        looks=True,
    )
    every: float = _journey(5.0, "Seconds from one look to the next.", gt=0, le=3600)
    size: Size = _output(
        None,
        "Size in pixels, the picture cropped to fill it; if not given, the picture's shape.",
        metavar="WIDTHxHEIGHT",
    )
    longer_side: int = _output(
        960, "Longer side in pixels where --size is not given.", ge=16, le=8192
    )
    draft: bool = _output(False, "Preview it: at 240 pixels, in seconds.")
    codec: CodecName | None = CODEC
    bits: Bits | None = BITS
    encoder: EncoderName = ENCODER
    crf: int = CRF
    audio: bool = _output(True, "Give the film the sound of --soundtrack.", added_later=True)

    @property
    def frames(self) -> int:
        """Number of frames, at least one."""
        return max(1, math.ceil(self.seconds * self.fps - Fraction(1, 1000)))
