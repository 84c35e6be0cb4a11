"""Types of settings, and the parsers of their texts."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from stream_dream.settings.fields import choices, fact, is_list, kinds

Schedule = Literal["together", "all", "rotate", "restore"]
GradientNorm = Literal["laplacian", "std", "mean_abs"]
CameraMotion = Literal["breathe", "sway", "turn", "zoom", "still"]
Dither = Literal["bayer", "sierra", "none"]
EncoderName = Literal["software", "nvenc", "qsv", "vaapi", "videotoolbox", "auto"]
CodecName = Literal[
    "h264", "h265", "av1", "vp9", "prores", "prores4444", "dnxhr", "ffv1", "hap", "hapq"
]

_LAYER = re.compile(r"(?P<name>[^:=]+)(:(?P<channels>\d{1,9}(,\d{1,9})*))?(=(?P<weight>[^=]+))?")


class Model(BaseModel):
    """Base of all settings models: frozen and validated."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _plainly_meant(cls, value: object, info: ValidationInfo) -> object:
        """Convert a value that is clear in meaning: ``0`` to ``"0"``, one item to a list.

        Raises:
            ValueError: A bool for a setting that is no switch: True and False do not count as 1
                and 0.
        """
        field = cls.model_fields[str(info.field_name)]
        found = kinds(field)
        if isinstance(value, bool) and (bool in found or fact(field, "switch")):
            return value
        if _has_bool(value):
            raise PydanticCustomError("switch", "this is no switch")
        if any(map(is_list, found)) and isinstance(value, str | int | dict | BaseModel):
            return [value]
        textual = str in found or choices(field)
        return str(value) if isinstance(value, int) and textual and int not in found else value


def _has_bool(value: object) -> bool:
    inner = value if isinstance(value, list | tuple) else ()
    return isinstance(value, bool) or any(map(_has_bool, inner))


def of_text(parse: Callable[[str], object]) -> BeforeValidator:
    """Return a validator that parses texts and passes on all other values."""
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


def name_problem(path: Path | str) -> str | None:
    """Return why no file can have that name, existing or not; None if one can."""
    if not str(path):
        return "is empty: give the name of a file"
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"cannot be used: {error.strerror}"
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding()
        return f"cannot be a name in {encoding}, which this system is set to: use UTF-8 (LC_ALL)"
    except ValueError as error:
        return f"cannot be used: {error}"
    return None


def parse_path(value: str) -> Path:
    """Parse the name of a file or folder. Raises ``ValueError`` if none can have it."""
    try:
        os.fsencode(value)
    except UnicodeEncodeError:  # from a settings file, always UTF-8, in a locale without UTF-8
        with suppress(UnicodeEncodeError):
            value = os.fsdecode(value.encode())
    problem = name_problem(value)
    if problem is not None:
        raise ValueError(f"it {problem}")
    return Path(value)


FileName = Annotated[Path, of_text(parse_path)]
"""Name of a file or folder, existing or not."""


def _weight_text(weight: float) -> str:
    """Return what follows a target's name: nothing for 1, else exactly this weight."""
    short = f"{weight:g}"
    return "" if weight == 1 else f"={short if float(short) == weight else weight}"


class LayerTarget(Model):
    """A layer to dream, written ``NAME[:CHANNEL,...][=WEIGHT]``."""

    name: str
    weight: float = 1.0
    channels: tuple[Annotated[int, Field(ge=0)], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``block10``, ``block10=0.5`` or ``block10:42,57=2``. Raises ``ValueError``."""
        match = _LAYER.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not NAME[:CHANNEL,...][=WEIGHT], such as block10:42=0.5")
        try:
            weight = float(match["weight"] or 1)
        except ValueError:
            raise ValueError(f"the weight in {text!r} is not a number") from None
        channels = tuple(
            int(channel) for channel in (match["channels"] or "").split(",") if channel
        )
        return cls(name=match["name"], weight=weight, channels=channels)

    def __str__(self) -> str:
        """Return the text that ``parse`` reads."""
        channels = ":" + ",".join(map(str, self.channels)) if self.channels else ""
        return f"{self.name}{channels}{_weight_text(self.weight)}"


class ClassTarget(Model):
    """A class of things to dream, written ``NAME[=WEIGHT]`` or ``NUMBER[=WEIGHT]``."""

    name: str
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``tabby cat``, ``281`` or ``tabby cat=-0.5``. Raises ``ValueError``."""
        name, _, weight = text.partition("=")
        try:
            return cls(name=name.strip(), weight=float(weight or 1))
        except ValueError:
            raise ValueError(f"the weight in {text!r} is not a number") from None

    def __str__(self) -> str:
        """Return the text that ``parse`` reads."""
        return self.name + _weight_text(self.weight)


def _parse_class(value: object) -> object:
    return ClassTarget.parse(str(value)) if isinstance(value, str | int) else value


Layers = tuple[Annotated[LayerTarget, of_text(LayerTarget.parse)], ...]
Classes = tuple[Annotated[ClassTarget, BeforeValidator(_parse_class)], ...]


def _parse_none(value: object) -> object:
    return None if value == "none" else value


OFF = BeforeValidator(_parse_none)
"""Parses ``none`` as None, which TOML and the command line lack."""


def _parse_seconds(value: str) -> float:
    try:
        parts = [float(part) for part in value.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3:
        raise ValueError("give seconds, mm:ss or hh:mm:ss")
    return sum(part * 60.0**power for power, part in enumerate(reversed(parts)))


def _parse_size(value: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", value)
    if match is None:
        raise ValueError("give WIDTHxHEIGHT in pixels, such as 1280x720")
    return int(match[1]), int(match[2])


def _parse_number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"\d{1,2}", text) else text


Seconds = Annotated[float | None, of_text(_parse_seconds)]
Side = Annotated[int, Field(ge=1, le=16384)]
Size = Annotated[tuple[Side, Side] | None, of_text(_parse_size)]


def _parse_list(value: object) -> object:
    """Parse ``dogs,spirals``, or several such texts."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        return value
    return tuple(name.strip() for text in texts for name in str(text).split(","))


Names = Annotated[tuple[str, ...], BeforeValidator(_parse_list)]


def _parse_targets(value: object) -> object:
    """Parse ``srt://HOST:PORT?streamid=a,b,hls:FOLDER``, or several such texts."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        return value
    return tuple(
        target.strip()
        for text in texts
        for target in re.split(r",(?=\s*[A-Za-z0-9]+:)", str(text))  # before a scheme only
    )


Targets = Annotated[tuple[str, ...], BeforeValidator(_parse_targets)]


def _parse_fraction(value: str) -> Fraction:
    try:
        return Fraction(value).limit_denominator(1001)
    except (ValueError, ZeroDivisionError):
        raise ValueError("give frames per second, such as 25 or 30000/1001") from None


def _parse_bytes(value: str) -> int:
    match = re.fullmatch(r"(\d{1,15}(?:\.\d+)?) ?([kMG]?)(i?)B?", value, re.IGNORECASE)
    if match is None:
        raise ValueError("give a size such as 8MB, 500kB or 8MiB")
    power = " kmg".index(match[2].lower() or " ")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power)


def _parse_colour(value: object) -> object:
    """Convert a colour, a name or numbers, to ``#rrggbb``."""
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(str(value))[:3]
    except ValueError:
        raise ValueError("give the name of a colour, such as white, or #rrggbb") from None
    return f"#{red:02x}{green:02x}{blue:02x}"


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the red, green and blue, 0..255, of a ``Colour``."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


Colour = Annotated[str, BeforeValidator(_parse_colour)]


# Layers that are dreamed at the same time: ``block10+block5=0.5``.
Group = Annotated[Layers, of_text(lambda text: text.split("+"))]
Rate = Annotated[Fraction, Field(gt=0, le=240), of_text(_parse_fraction)]
Bytes = Annotated[int, Field(ge=1000), of_text(_parse_bytes)]
Bits = Annotated[Literal[8, 10, 12, 16], of_text(_parse_number)]


class RawVideo(Model):
    """Size and rate of raw frames, written ``WIDTHxHEIGHT@FPS``."""

    size: tuple[Side, Side]
    fps: Rate

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``1280x720@25`` or ``1280x720@30000/1001``. Raises ``ValueError``."""
        size, at, fps = text.partition("@")
        if not at:
            raise ValueError("give WIDTHxHEIGHT@FPS, such as 1280x720@25")
        return cls(size=_parse_size(size), fps=_parse_fraction(fps))
