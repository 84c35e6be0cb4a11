"""Every knob of a live show, once, as ``settings`` has those of the dream."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from stream_dream.setting_values import SWITCH, FileName, Model, Names, Size
from stream_dream.settings import STRENGTH, DreamSettings

Turn = Literal["0", "90", "180", "270"]

# As many scales are prepared for every size of the ladder, and each takes about a second.
MOST_OCTAVES = 4
LOOPBACK_WEB = "127.0.0.1:8000"

_CROP = re.compile(r"(\d{1,9})x(\d{1,9})(?:\+(\d{1,9})\+(\d{1,9}))?")


def _parse_crop(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _CROP.fullmatch(value)
    if match is None:
        raise ValueError("give WIDTHxHEIGHT+X+Y in pixels, or WIDTHxHEIGHT of the middle")
    width, height, left, top = match.groups()
    return (int(width), int(height), None if left is None else (int(left), int(top)))


def _parse_address(value: object) -> object:
    if isinstance(value, bool):
        value = LOOPBACK_WEB if value else None
    elif isinstance(value, int):
        value = str(value)
    if not isinstance(value, str):
        return value
    host, _, port = value.rpartition(":")
    if not re.fullmatch(r"[0-9]{1,9}", port) or int(port) > 65535:
        raise ValueError("give HOST:PORT, such as 127.0.0.1:8000")
    return host.strip("[]") or "127.0.0.1", int(port)


def _same(name: str) -> Any:
    """Return a dream setting's field, with its range and help."""
    return copy.copy(DreamSettings.model_fields[name])


def _usual(name: str) -> Any:
    """Return the default of a dream setting whose range differs in shows."""
    return DreamSettings.model_fields[name].default


Side = Annotated[int, Field(ge=1, le=16384)]
Crop = Annotated[
    tuple[Side, Side, tuple[int, int] | None] | None,
    BeforeValidator(_parse_crop),
]
Address = Annotated[
    tuple[str, Annotated[int, Field(ge=0, le=65535)]] | None,
    BeforeValidator(_parse_address),
    SWITCH,
]
Port = Annotated[int, Field(ge=1, le=65535)]


class ShowParameters(Model):
    """What a show has beside the dream's own parameters."""

    strength: float = STRENGTH
    target_fps: float = Field(25.0, ge=1, le=120, description="Frames per second to hold.")
    glide: float = Field(
        1.0, ge=0, le=60, description="Seconds in which a parameter or look changes."
    )
    mirror: bool = Field(False, description="Show left as right, as a mirror does.")


class LiveParameters(ShowParameters):
    """What may be changed while the show runs; what can glide to its new value does."""

    step_size: float = _same("step_size")
    persistence: float = _same("persistence")
    jitter: int = Field(
        _usual("jitter"),
        ge=0,
        le=64,
        description="Largest random shift before a gradient, in dream pixels.",
    )
    octaves: int = Field(
        min(_usual("octaves"), MOST_OCTAVES),
        ge=1,
        le=MOST_OCTAVES,
        description="Scales of the image pyramid.",
    )


class LiveSettings(Model):
    """Where a live show takes its pictures from, and where it shows them."""

    source: str = Field(
        "0",
        description="Number or device of a camera, address of a stream, file, or test (a picture "
        "that moves).",
        json_schema_extra={"metavar": "SOURCE"},
    )
    loop: bool = Field(False, description="Play a file again and again.")
    capture_size: Size = Field(
        None,
        description="Size to ask the camera for, in pixels.",
        json_schema_extra={"metavar": "WIDTHxHEIGHT"},
    )
    capture_fps: float | None = Field(
        None, gt=0, le=240, description="Frames per second to ask the camera for."
    )
    rotate: Turn = Field("0", description="Degrees to turn the picture clockwise.")
    crop: Crop = Field(
        None,
        description="Part of the camera's picture to take, in pixels; the middle without +X+Y.",
        json_schema_extra={"metavar": "WIDTHxHEIGHT[+X+Y]"},
    )
    size: Size = Field(
        None,
        description="Size of what is shown, in pixels, stretched to fit; the source's, 1280 at the "
        "most, if not given.",
        json_schema_extra={"metavar": "WIDTHxHEIGHT"},
    )
    presets: Names = Field(
        ("dogs", "eyes", "stripes", "blossoms", "lanterns", "marbles", "pebbles", "amber", "wild"),
        description="Looks to have at hand: keys 1 to 9, buttons of the web page.",
        json_schema_extra={"metavar": "NAME,NAME,..."},
    )
    cycle: Names = Field(
        (),
        description="Looks that follow each other by themselves.",
        json_schema_extra={"metavar": "NAME,NAME,..."},
    )
    every: float = Field(90.0, ge=1, le=86400, description="Seconds that each of them stays.")
    window: bool = Field(False, description="Show a window.")
    fullscreen: bool = Field(False, description="Let the window fill the screen.")
    screen: int = Field(0, ge=0, le=15, description="Number of the screen for the window.")
    web: Address = Field(
        None,
        description="Address of the web page; on any other than this machine's own it needs a "
        "token.",
        json_schema_extra={"metavar": "HOST:PORT"},
    )
    token: str | None = Field(
        None,
        min_length=8,
        description="What opens the web page from elsewhere; made and shown if not given.",
        json_schema_extra={"metavar": "TEXT"},
    )
    osc: Port | None = Field(None, description="UDP port that listens to OSC messages.")
    osc_host: str = Field("127.0.0.1", description="Address that OSC messages come to.")
    virtual_camera: bool = Field(False, description="Show as a camera that other programs take.")
    record: FileName | None = Field(
        None,
        description="Film to record from the start on, .mkv.",
        json_schema_extra={"metavar": "FILE"},
    )
    record_minutes: float = Field(
        30.0, gt=0, le=1440, description="Minutes after which a new file begins."
    )
    recordings: FileName = Field(
        Path("recordings"),
        description="Folder of snapshots, and of films recorded by key or button.",
        json_schema_extra={"metavar": "FOLDER"},
    )
    duration: float | None = Field(
        None, gt=0, description="Seconds after which the show ends by itself."
    )
