"""Settings of shows."""

from __future__ import annotations

import copy
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from stream_dream.settings.automation import AutomationOptions
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import FILE_OR_NAME, Heading, limits, under
from stream_dream.settings.output import STRENGTH, OutputSettings
from stream_dream.settings.values import FileName, Model, Names, Side, Size, Targets, of_text

Turn = Literal["0", "90", "180", "270"]
Quantize = Literal["off", "beat", "bar", "4bars"]
FadeUnit = Literal["seconds", "beats"]
Only = Literal["all", "moving", "still", "bright", "dark"]

# Octaves are compiled for every dream size of the governor, about a second each.
MOST_OCTAVES = 4
LOOPBACK_WEB = "127.0.0.1:8000"
EVERY_PORT = "all"
NOISE = "noise"
"""The source of a journey that is given none: a picture of soft noise."""

_CROP = re.compile(r"(\d{1,9})x(\d{1,9})(?:\+(\d{1,9})\+(\d{1,9}))?")


def _parse_crop(value: str) -> tuple[int, int, tuple[int, int] | None]:
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


def _parse_ports(value: object) -> object:
    if isinstance(value, bool):
        return EVERY_PORT if value else None
    return value


def _parse_reply(value: str) -> object:
    host, _, port = value.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,9}", port) or not 1 <= int(port) <= 65535:
        raise ValueError("give HOST:PORT, such as 192.168.1.20:9001")
    return host.strip("[]"), int(port)


def _same(name: str, model: type[BaseModel] = DreamSettings) -> Any:
    return copy.copy(model.model_fields[name])


def _usual(name: str) -> Any:
    """Return the default of a dream setting whose range differs in shows."""
    return DreamSettings.model_fields[name].default


Crop = Annotated[tuple[Side, Side, tuple[int, int] | None] | None, of_text(_parse_crop)]
Address = Annotated[
    tuple[str, Annotated[int, Field(ge=0, le=65535)]] | None, BeforeValidator(_parse_address)
]
Ports = Annotated[str | None, BeforeValidator(_parse_ports)]
ReplyAddress = Annotated[tuple[str, int] | None, of_text(_parse_reply)]
Port = Annotated[int, Field(ge=1, le=65535)]

_how, _input, _show = under(Heading.HOW), under(Heading.INPUT), under(Heading.SHOW)
_output, _control = under(Heading.OUTPUT), under(Heading.CONTROL)
_time, _mask = under(Heading.TIME), under(Heading.MASK)
_journey = under(Heading.JOURNEY)


class SteeringParameters(Model):
    """Parameters that steer a journey, with no effect on other shows."""

    zoom: float = _journey(
        1.3,
        "Magnification in a second: above 1 the picture comes nearer, below 1 it recedes.",
        ge=0.5,
        le=2,
        automated=True,
    )
    turn: float = _journey(
        0.0,
        "Degrees by which the picture turns anticlockwise in a second.",
        ge=-90,
        le=90,
        automated=True,
    )
    pan_x: float = _journey(
        0.0,
        "How far the picture moves to the right in a second, as a share of its width.",
        ge=-0.5,
        le=0.5,
        automated=True,
    )
    pan_y: float = _journey(
        0.0,
        "How far the picture moves down in a second, as a share of its height.",
        ge=-0.5,
        le=0.5,
        automated=True,
    )
    throw: float = _input(
        0.0,
        "How quickly the source's present picture is mixed into the journey: not at all at 0, "
        "within a second at 1.",
        ge=0,
        le=1,
        automated=True,
    )


class PictureParameters(SteeringParameters):
    """Parameters of the picture of a show, whatever its decks have."""

    strength: float = STRENGTH
    mirror: bool = _input(False, "Show left as right, as a mirror does.")
    reactivity: float = _time(
        1.0, "How strongly settings follow the sound that is heard.", ge=0, le=2
    )
    only: Only = _mask(
        "all", "Let the dream show only where the picture moves, stands still, is bright or dark."
    )


class ShowParameters(PictureParameters):
    """Parameters of a show beside those of its decks."""

    target_fps: float = _show(25.0, "Frames per second to hold.", ge=1, le=120)
    glide: float = _show(1.0, "Seconds in which a parameter or look changes.", ge=0, le=60)
    quantize: Quantize = _time("off", "What changes of looks and LFOs wait for.")
    fade: float = _show(
        4.0, "Length of an automatic cross-fade and of a fade to black.", ge=0, le=64
    )
    fade_unit: FadeUnit = _show("seconds", "What that length counts.")


class StageParameters(ShowParameters):
    """Parameters of a show, with those that only its operator moves."""

    fader: float = _show(0.0, "Cross-fader: deck A at 0, deck B at 1.", ge=0, le=1)
    light: float = _show(1.0, "Brightness of all that is shown.", ge=0, le=1)
    blackout: bool = _show(False, "Show black.")
    bypass: bool = _show(False, "Show the source instead of the dream.")


class DeckParameters(Model):
    """Parameters of a look on a deck."""

    step_size: float = _same("step_size")
    persistence: float = _same("persistence")
    jitter: int = _how(
        _usual("jitter"), "Largest random shift before a gradient, in dream pixels.", ge=0, le=64
    )
    octaves: int = _how(
        min(_usual("octaves"), MOST_OCTAVES),
        "Scales of the image pyramid.",
        ge=1,
        le=MOST_OCTAVES,
    )


class LiveParameters(DeckParameters, StageParameters):
    """Parameters that may change while the show runs; some glide to their new value."""


class LiveSettings(Model):
    """Source, looks and outputs of a show."""

    preset: str = _show(
        "dogs",
        "Look to begin with: a name, a .toml file or surprise. Or several that follow each other, "
        "or looks over time: '0:dogs, 16b:eyes'.",
        looks=True,
    )
    source: str = _input(
        "0",
        "Number or device of a camera, address of a stream, file, folder of clips and pictures, "
        "screen (screen:2 is the second monitor, screen:WIDTHxHEIGHT+X+Y a part), phone (the "
        "camera of a page), test (a picture that moves), or noise (one that does not).",
        metavar="SOURCE",
        file=r"(?s)(?!test$|noise$|phone$|screen(:|$)|\d+$|\w+://).+",
    )
    journey: bool = _journey(
        False,
        "Travel into a picture for ever: that of --source or, without it, noise; the camera is "
        "steered.",
    )
    loop: bool = _input(False, "Play a file again and again; a folder always is.")
    shuffle: bool = _input(False, "Play a folder in another order every time.")
    source_fade: float = _input(
        1.0, "Seconds of the fade between two clips of a folder.", ge=0, le=10
    )
    capture_size: Size = _input(
        None, "Size to ask the camera for, in pixels.", metavar="WIDTHxHEIGHT"
    )
    capture_fps: float | None = _input(
        None, "Frames per second to ask the camera for.", gt=0, le=240
    )
    rotate: Turn = _input("0", "Degrees to turn the picture clockwise.")
    crop: Crop = _input(
        None,
        "Part of the camera's picture to take, in pixels; the middle without +X+Y.",
        metavar="WIDTHxHEIGHT[+X+Y]",
    )
    size: Size = _output(
        None,
        "Size of what is shown, in pixels, stretched to fit; the source's, 1280 at the most, if "
        "not given.",
        metavar="WIDTHxHEIGHT",
    )
    presets: Names = _show(
        ("dogs", "eyes", "stripes", "blossoms", "lanterns", "marbles", "pebbles", "amber", "wild"),
        "Looks to have at hand: keys 1 to 9, buttons of the web page.",
        metavar="NAME,NAME,...",
        file=FILE_OR_NAME,
        looks=True,
    )
    cycle: Names = _show(
        (),
        "Looks that follow each other by themselves.",
        metavar="NAME,NAME,...",
        file=FILE_OR_NAME,
        looks=True,
    )
    every: float = _show(90.0, "Seconds that each of them stays.", ge=1, le=86400)
    listen: str | None = _time(
        None,
        "Sound that settings follow: playing (what this machine plays), mic, a card's name, or "
        "list.",
        metavar="playing|mic|NAME|list",
    )
    react: str | None = _time(
        None,
        "How settings follow the sound, such as 'bass->step-size*2, onset->strength+0.3'; a good "
        "start if it is not given.",
        metavar="RULES",
    )
    bpm: float | None = _time(
        None, "Beats per minute, in place of those that are heard.", ge=20, le=400
    )
    score: FileName | None = _same("score", AutomationOptions)
    window: bool = _output(False, "Show a window.")
    fullscreen: bool = _output(False, "Let the window fill the screen.")
    screen: int = _output(0, "Number of the screen for the window.", ge=0, le=15)
    web: Address = _control(
        None,
        "Address of the web page; on any other than this machine's own it needs a token.",
        metavar="HOST:PORT",
        switch=True,
    )
    token: str | None = _control(
        None,
        "What opens the web page from elsewhere; made and shown if not given.",
        min_length=8,
        metavar="TEXT",
    )
    https: bool = _control(
        False, "Serve the web page by HTTPS: browsers give the camera to no other from elsewhere."
    )
    osc: Port | None = _control(None, "UDP port that listens to OSC messages.")
    osc_host: str = _control("127.0.0.1", "Address that OSC messages come to.")
    osc_allow: Names = _control(
        (),
        "Addresses or networks that OSC messages are taken from; all if none is given.",
        metavar="ADDRESS,...",
    )
    osc_reply: ReplyAddress = _control(
        None, "Where every change is sent to as an OSC message.", metavar="HOST:PORT"
    )
    out: Targets = _output(
        (),
        "Where else to send the picture; may be given several times: rtsp://, srt://, rtmp:// or "
        "udp:// and an address, v4l2:DEVICE, hls:FOLDER, ndi:NAME, NAME:... of a plug-in.",
        metavar="TARGET,...",
    )
    midi: Ports = _control(
        None,
        "MIDI controllers to play with: part of a port's name, all, or list.",
        metavar="all|NAME|list",
        min_length=1,
        switch=True,
    )
    virtual_camera: bool = _output(False, "Show as a camera that other programs take.")
    record: FileName | None = _output(
        None, "Film to record from the start on, .mkv.", metavar="FILE"
    )
    record_minutes: float = _output(30.0, "Minutes after which a new file begins.", gt=0, le=1440)
    keep_gigabytes: float | None = _output(
        None,
        "Gigabytes that recorded films may take: the oldest are removed. By default all stay.",
        gt=0,
        le=1_000_000,
    )
    recordings: FileName = _output(
        Path("recordings"),
        "Folder of snapshots, and of films recorded by key or button.",
        metavar="FOLDER",
    )
    mask: FileName | None = _same("mask", OutputSettings)
    mask_softness: float = _same("mask_softness", OutputSettings)
    duration: float | None = _show(None, "Seconds after which the show ends by itself.", gt=0)

    @model_validator(mode="before")
    @classmethod
    def _journeys_need_no_camera(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("journey") is not True:
            return values
        return {"source": NOISE, **values}


def parameter_range(name: str) -> tuple[float, float]:
    """Return minimum and maximum of a live parameter; infinite for a switch."""
    found = limits(LiveParameters.model_fields[name])
    return found.get("ge", -math.inf), found.get("le", math.inf)
