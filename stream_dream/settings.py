"""Define every knob, once: name, default, range, unit and help.

Command-line flags, presets and the README's table are derived from these models.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from stream_dream.errors import SettingsError
from stream_dream.setting_errors import what_is_wrong
from stream_dream.setting_values import (
    ADDED_LATER,
    OFF,
    Bytes,
    CameraMotion,
    Classes,
    Colour,
    Dither,
    FileName,
    GradientNorm,
    Group,
    Layers,
    Model,
    Names,
    Rate,
    Schedule,
    Seconds,
    Size,
)

MOST_ENLARGED = 2.0
"""How many times their size small pictures are usually dreamed at, at the most; always in shows."""

_STILL_SIZE = 1536
_M = TypeVar("_M", bound=BaseModel)


class DreamSettings(Model):
    """How to dream. The defaults are those of the preset ``dogs``."""

    network: str = Field(
        "efficientnet_lite0", description="Network that dreams: a name, or a .keras file."
    )
    weights: FileName | None = Field(
        None, description="File with the network's weights.", json_schema_extra={"metavar": "FILE"}
    )
    layer: Layers = Field(
        (),
        description="Layer to dream, several times to mix; if none is given, the network's "
        "favourite.",
        json_schema_extra={"metavar": "NAME[:CHANNEL,...][=WEIGHT]"},
    )
    classes: Classes = Field(
        (),
        alias="class",
        description="Class of things to dream instead, or beside the layers that are given.",
        json_schema_extra={"metavar": "NAME|NUMBER[=WEIGHT]"},
    )
    guide: FileName | None = Field(
        None,
        description="Picture or clip whose features the layers grow.",
        json_schema_extra={"metavar": "FILE"},
    )
    guide_layer: Layers = Field(
        (),
        description="Layer that the guide takes over; all that are dreamed if none is given.",
        json_schema_extra={"metavar": "NAME[=WEIGHT]"},
    )
    octaves: int = Field(5, ge=1, le=12, description="Scales of the image pyramid.")
    octave_scale: float = Field(
        1.4, ge=1.05, le=4, description="Size ratio between neighbouring octaves."
    )
    steps: int = Field(1, ge=1, le=200, description="Ascent steps per octave and frame.")
    step_size: float = Field(
        0.009, ge=0, le=0.2, description="Length of a step, as a share of the brightness range."
    )
    detail: float = Field(
        0.7,
        gt=0,
        le=2,
        description="Length of the finest octave's steps beside the coarsest's: less is softer and "
        "calmer, more is crisper.",
    )
    jitter: int = Field(
        40, ge=0, le=512, description="Largest random shift before a gradient, in dream pixels."
    )
    persistence: float = Field(
        0.98, ge=0, le=0.995, description="Share of the last dream that survives a frame."
    )
    schedule: Schedule = Field(
        "together",
        description="Octaves of a frame: side by side, one after the other, one a frame, or one "
        "after the other on an enlarged picture whose lost detail is restored.",
    )
    gradient_norm: GradientNorm = Field(
        "laplacian", description="What makes gradients comparable: frequency bands, or the whole."
    )
    whitening: float = Field(
        0.8,
        ge=0,
        le=1,
        description="How far the frequency bands of the gradient (laplacian) are brought to the "
        "same strength: 0 leaves fine fur, 1 lifts large stains of colour.",
    )
    evenness: float = Field(
        1.0,
        ge=0,
        le=1,
        description="How far the dream, and the gradient (laplacian), are brought to the same "
        "strength all over the picture: 0 leaves hot spots.",
    )
    colours: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Colours that grow: 0 is the free gradient, 1 those of natural pictures, "
        "tinted as the source.",
    )
    keep_colours: bool = Field(
        False, description="Keep the source's own colours and dream in brightness alone."
    )
    limit: Annotated[float | None, OFF] = Field(
        0.4,
        gt=0,
        le=1,
        description="Largest change of a colour, approached softly, as a share of the brightness "
        "range; highlights and shadows take less. none lifts it.",
    )
    momentum: float = Field(
        0.87,
        ge=0,
        le=0.95,
        description="Share of a film's rate of change that stays when a new gradient joins it: "
        "what flickers averages out, what grows steadily stays.",
    )
    catch_up: float = Field(
        1.5,
        ge=0,
        le=5,
        description="How much longer a film's steps are where the picture is new; nothing after 20 "
        "frames.",
    )
    cadence: int = Field(
        1,
        ge=1,
        le=8,
        description="Frames of a film or loop from one gradient to the next; the dream flows "
        "between.",
    )
    warm_up: int = Field(
        14,
        ge=0,
        le=200,
        description="How many times as many steps a shot's first frame and a still get, each 1.7 "
        "times as long; 0 for as many as any frame.",
    )
    tile: Annotated[int | None, OFF] = Field(
        None,
        ge=16,
        le=8192,
        description="Side of the tiles that gradients are computed in, in pixels, to save memory; "
        "where it is not given, 1024 for dreams above 2048.",
    )
    max_loss: Annotated[float | None, OFF] = Field(
        None, gt=0, description="Loss above which an octave is not dreamed further."
    )
    dream_size: int = Field(
        640, ge=16, le=8192, description="Longer side at which gradients are computed, in pixels."
    )
    enlarge: float = Field(
        MOST_ENLARGED,
        ge=1,
        le=4,
        description="How many times their size small pictures are dreamed at, at the most: "
        "creatures need room to grow.",
    )
    cuts: bool = Field(True, description="Start afresh at cuts.")
    seed: int = Field(0, ge=0, lt=2**63, description="Start of the random numbers.")


CRF = Field(18, ge=0, le=51, description="Quality of films and WebP: 0 is best.")
STRENGTH = Field(1.0, ge=0, le=2, description="How much of the dream is shown.")


class Excerpt(Model):
    """What to take of a file."""

    start: Seconds = Field(
        None, ge=0, description="Where to begin.", json_schema_extra={"metavar": "SECONDS|MM:SS"}
    )
    end: Seconds = Field(
        None, gt=0, description="Where to stop.", json_schema_extra={"metavar": "SECONDS|MM:SS"}
    )
    background: Colour = Field(
        "black",
        validate_default=True,
        description="What shows through where a film is transparent: a name, or #rrggbb.",
        json_schema_extra={"metavar": "COLOUR"},
    )


class OutputSettings(Excerpt):
    """What to render of a file, and how to write it."""

    size: Size = Field(
        None,
        description="Size of the output in pixels, stretched to fit; the source's if not given.",
        json_schema_extra={"metavar": "WIDTHxHEIGHT"},
    )
    crf: int = CRF
    audio: Annotated[bool, ADDED_LATER] = Field(True, description="Keep the sound.")
    strength: float = STRENGTH
    compare: bool = Field(False, description="Show source and dream side by side.")
    mask: FileName | None = Field(
        None,
        description="Picture or clip that is white where the dream shows and black where the "
        "source stays.",
        json_schema_extra={"metavar": "FILE"},
    )
    mask_softness: float = Field(
        16.0,
        ge=0,
        le=1000,
        description="Width of the edge in which the dream fades away towards the mask's black, in "
        "pixels of the output.",
    )


class LoopSettings(Excerpt):
    """What a loop is made of, and how to write it."""

    motion: CameraMotion = Field(
        "breathe",
        description="Of a picture: closer and back, along an ellipse, once around, closer without "
        "end, or nothing but the dream.",
    )
    strength_of_motion: float = Field(
        1.0, gt=0, le=5, description="How far the camera goes; whole turns for the motion turn."
    )
    reverse: bool = Field(False, description="Go the other way: zoom out, turn to the left.")
    frames: int = Field(48, ge=2, le=3000, description="Frames of a picture's loop.")
    fps: Rate = Field(
        Fraction(25),
        description="Frames per second of a picture's loop; a clip keeps its own.",
        json_schema_extra={"metavar": "NUMBER"},
    )
    min_seconds: float = Field(
        2.0, gt=0, le=600, description="Least length of the loop that is found in a clip."
    )
    max_seconds: float = Field(
        10.0, gt=0, le=600, description="Greatest length of the loop that is found in a clip."
    )
    crossfade: float = Field(
        0.5, ge=0, le=60, description="Seconds in which a clip's end fades into its beginning."
    )
    bounce: bool = Field(False, description="Play a clip forwards and then backwards instead.")
    presets: Names = Field(
        (),
        description="Looks that the loop passes through and returns to.",
        json_schema_extra={"metavar": "NAME,NAME,..."},
    )
    morph_layer: tuple[Group, ...] = Field(
        (),
        description="Layers that the loop passes through and returns to, several times.",
        json_schema_extra={"metavar": "LAYER[+LAYER...]"},
    )
    longer_side: int | None = Field(
        None,
        ge=1,
        le=8192,
        description="Longer side of the loop in pixels, the source's at the most; where it is not "
        "given, 480 for .gif, .webp and .apng, else 1280.",
    )
    crf: int = CRF
    strength: float = STRENGTH
    repeat: int = Field(1, ge=1, le=10000, description="Turns that a film shows.")
    poster: bool = Field(False, description="Write the first frame beside it, as .png.")
    dither: Dither = Field(
        "bayer", description="How a GIF mixes colours: a pattern, error diffusion, or not."
    )
    colors: int = Field(256, ge=4, le=256, description="Colours of a GIF.")
    max_size: Bytes | None = Field(
        None,
        description="Largest file: colours, quality and then size are given up until it fits.",
        json_schema_extra={"metavar": "8MB"},
    )


class StillSettings(Model):
    """How to write dreamed pictures."""

    strength: float = STRENGTH
    quality: int = Field(95, ge=1, le=100, description="Quality of .jpg and .webp: 100 is best.")
    progress_dir: FileName | None = Field(
        None,
        description="Folder that gets the picture after each octave.",
        json_schema_extra={"metavar": "FOLDER"},
    )
    out: FileName | None = Field(
        None,
        description="Film or GIF that shows the dream emerging.",
        json_schema_extra={"metavar": "FILE"},
    )


def validated(model: type[_M], values: Mapping[str, Any], *, origin: str = "") -> _M:
    """Build a settings model, turning what is wrong into one clear line.

    Args:
        model: The model.
        values: Its values by field name.
        origin: Where they came from, put before the message; "" for the command line.

    Raises:
        SettingsError: A value is out of range, of the wrong type, or unknown.
    """
    # Under the names that users know.
    values = {typed_name(model, key): value for key, value in values.items()}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        shown = name if origin else "--" + name.replace("_", "-")
        known = {typed_name(model, key): field for key, field in model.model_fields.items()}
        if name not in known:
            name = name or next(key for key in values if key not in known)
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f": did you mean {nearest[0]}?" if nearest else ""
            message = f"there is no setting {name!r}{hint}"
        else:
            message = f"{shown} cannot be {what_is_wrong(first, values.get(name), known[name])}"
        raise SettingsError(f"{origin}: {message}" if origin else message) from None


def named_files(*settings: DreamSettings | OutputSettings) -> dict[str, Path]:
    """Return the files that settings read, by setting."""
    files = {name: path for model in settings for name, path in model if isinstance(path, Path)}
    for model in settings:
        network = Path(getattr(model, "network", ""))
        if network.suffix:  # a file, not a name
            files["network"] = network
    return files


def limits(field: FieldInfo) -> dict[str, float]:
    """Return the limits of a setting: some of ``ge``, ``gt``, ``le`` and ``lt``."""
    kinds = ("ge", "gt", "le", "lt")
    return {
        kind: getattr(limit, kind)
        for limit in field.metadata
        for kind in kinds
        if hasattr(limit, kind)
    }


def added_later(settings: BaseModel) -> dict[str, Any]:
    """Return those settings that frames do not depend on, by name, as JSON has them."""
    fields = type(settings).model_fields.items()
    names = {name for name, field in fields if ADDED_LATER in field.metadata}
    return settings.model_dump(mode="json", include=names)


def typed_name(model: type[BaseModel], field: str) -> str:
    """Return the name under which users know a field: ``class`` for ``classes``."""
    known = model.model_fields.get(field)
    return (known and known.alias) or field


def merged(base: DreamSettings, changes: Mapping[str, Any], *, origin: str = "") -> DreamSettings:
    """Change some settings.

    Layers of one network mean nothing to another, and who asks for a class wants that class: with
    another network, a class or layers for a guide, the layers of ``base`` go unless others come. A
    guide takes them as a whole, whichever channels ``base`` dreams.
    ``model_fields_set`` of the result holds what ``base`` and the changes have set explicitly.

    Raises:
        SettingsError: As ``validated``.
    """
    by_name = {typed_name(DreamSettings, name): name for name in DreamSettings.model_fields}
    changes = {by_name.get(key, key): value for key, value in changes.items()}
    values = base.model_dump(exclude_unset=True)
    if changes.get("network", base.network) != base.network:
        values |= {"layer": (), "classes": (), "guide_layer": (), "weights": None}
    if {"classes", "guide_layer"} & changes.keys():
        values["layer"] = ()
    elif changes.get("guide") is not None and values.get("layer"):
        values["layer"] = [
            target if target.weight < 0 else target.model_copy(update={"channels": ()})
            for target in base.layer
        ]
    return validated(DreamSettings, {**values, **changes}, origin=origin)


def for_stills(
    look: DreamSettings, given: Mapping[str, Any], *, size: int = _STILL_SIZE
) -> DreamSettings:
    """Return the settings of a still, which has time for finer detail than a film.

    Stills are dreamed at ``size`` pixels, one octave after the other, so that creatures nest in
    creatures. Dreams larger than a film's get as many more octaves, so that shapes stay as large
    in the picture. What the look or the user sets stays, but for two: the octaves of a look that
    leaves the size open are meant for films, and one octave a frame (``rotate``) would be but one.

    Args:
        look: The settings of a preset.
        given: The settings that a user changes, by name; None for those that stay.
        size: Longer side that the dream is computed at if nothing else is said, in pixels.

    Raises:
        SettingsError: As ``merged``.
    """
    changes = {name: value for name, value in given.items() if value is not None}
    dream = merged(look, changes)
    values: dict[str, object] = {}
    open_schedule = "schedule" not in dream.model_fields_set
    if dream.schedule == "rotate" or (dream.schedule == "together" and open_schedule):
        values["schedule"] = "all"
    if "dream_size" not in look.model_fields_set:
        side = dream.dream_size if "dream_size" in changes else size
        values["dream_size"] = side
        if "octaves" not in changes:
            usual = DreamSettings.model_fields["dream_size"].default
            more = max(0, round(math.log(side / usual, dream.octave_scale)))
            values["octaves"] = min(12, dream.octaves + more)
    return dream.model_copy(update=values)
