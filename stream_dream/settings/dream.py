"""Settings of the dream: name, default, range, unit, help and heading of each, defined once.

Command-line options, presets and the manual's table are derived from them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from stream_dream.settings.fields import FILE_OR_NAME, Heading, typed_name, under
from stream_dream.settings.validation import own, validated
from stream_dream.settings.values import (
    OFF,
    Classes,
    FileName,
    GradientNorm,
    Layers,
    Model,
    Schedule,
)

MOST_ENLARGED = 2.0
"""Largest factor by which small pictures are enlarged: a default, and fixed in shows."""

_STILL_SIZE = 1536

_what, _how = under(Heading.WHAT), under(Heading.HOW)
_colours, _frames = under(Heading.COLOURS), under(Heading.FRAMES)


class DreamSettings(Model):
    """How to dream. The defaults, except for the layers, are those of the preset ``dogs``."""

    network: str = _what(
        "efficientnet_lite0",
        "Network that dreams: a name, or a .keras file.",
        file=FILE_OR_NAME,
        of_every_look=True,
    )
    weights: FileName | None = _what(
        None, "File with the network's weights.", metavar="FILE", of_every_look=True
    )
    layer: Layers = _what(
        (),
        "Layer to dream, several times to mix; if neither you nor the preset names one, the "
        "network's favourite.",
        metavar="NAME[:CHANNEL,...][=WEIGHT]",
    )
    classes: Classes = _what(
        (),
        "Class of things to dream instead, or beside the layers that are given.",
        alias="class",
        metavar="NAME|NUMBER[=WEIGHT]",
    )
    guide: FileName | None = _what(
        None, "Picture or clip whose features the layers grow.", metavar="FILE"
    )
    guide_layer: Layers = _what(
        (),
        "Layer that the guide takes over; all that are dreamed if none is given.",
        metavar="NAME[=WEIGHT]",
    )
    octaves: int = _how(5, "Scales of the image pyramid.", ge=1, le=12, automated=True)
    octave_scale: float = _how(1.4, "Size ratio between neighbouring octaves.", ge=1.05, le=4)
    steps: int = _how(1, "Ascent steps per octave and frame.", ge=1, le=200, automated=True)
    step_size: float = _how(
        0.009, "Length of a step, as a share of the brightness range.", ge=0, le=0.2, automated=True
    )
    detail: float = _how(
        0.7,
        "Length of the finest octave's steps beside the coarsest's: less is softer and calmer, "
        "more is crisper.",
        gt=0,
        le=2,
        automated=True,
    )
    jitter: int = _how(
        40, "Largest random shift before a gradient, in dream pixels.", ge=0, le=512, automated=True
    )
    persistence: float = _frames(
        0.98, "Share of the last dream that survives a frame.", ge=0, le=0.995, automated=True
    )
    schedule: Schedule = _how(
        "together",
        "Octaves of a frame: side by side, one after the other, one a frame, or one after the "
        "other on an enlarged picture whose lost detail is restored.",
        of_every_look=True,
    )
    gradient_norm: GradientNorm = _how(
        "laplacian", "What makes gradients comparable: frequency bands, or the whole."
    )
    whitening: float = _how(
        0.8,
        "How far the frequency bands of the gradient (laplacian) are brought to the same strength: "
        "0 leaves fine fur, 1 lifts large stains of colour.",
        ge=0,
        le=1,
    )
    evenness: float = _how(
        1.0,
        "How far the dream, and the gradient (laplacian), are brought to the same strength all "
        "over the picture: 0 leaves hot spots.",
        ge=0,
        le=1,
        automated=True,
    )
    colours: float = _colours(
        0.5,
        "Colours that grow: 0 is the free gradient, 1 those of natural pictures, tinted as the "
        "source.",
        ge=0,
        le=1,
        automated=True,
    )
    keep_colours: bool = _colours(
        False, "Keep the source's own colours and dream in brightness alone."
    )
    limit: Annotated[float | None, OFF] = _colours(
        0.4,
        "Largest change of a colour, approached softly, as a share of the brightness range; "
        "highlights and shadows take less. none removes the limit.",
        gt=0,
        le=1,
        automated=True,
    )
    momentum: float = _frames(
        0.87,
        "Share of a film's rate of change that stays when a new gradient joins it: what flickers "
        "averages out, what grows steadily stays.",
        ge=0,
        le=0.95,
        automated=True,
    )
    catch_up: float = _frames(
        1.5,
        "How much longer a film's steps are where the picture is new; nothing after 20 frames.",
        ge=0,
        le=5,
        automated=True,
    )
    cadence: int = _frames(
        1,
        "Frames of a film or loop from one gradient to the next; the dream flows between.",
        ge=1,
        le=8,
        automated=True,
    )
    warm_up: int = _frames(
        14,
        "How many times as many steps a shot's first frame and a still get, each 1.7 times as "
        "long; 0 for as many as any frame.",
        ge=0,
        le=200,
    )
    tile: Annotated[int | None, OFF] = _how(
        None,
        "Side of the tiles that gradients are computed in, in pixels, to save memory; where it is "
        "not given, 1024 for dreams above 2048.",
        ge=16,
        le=8192,
    )
    max_loss: Annotated[float | None, OFF] = _how(
        None, "Loss above which an octave is not dreamed further.", gt=0
    )
    dream_size: int = _how(
        640,
        "Longer side at which gradients are computed, in pixels.",
        ge=16,
        le=8192,
        of_every_look=True,
    )
    enlarge: float = _how(
        MOST_ENLARGED,
        "How many times their size small pictures are dreamed at, at the most: creatures need room "
        "to grow.",
        ge=1,
        le=4,
    )
    cuts: bool = _frames(True, "Start afresh at cuts.", of_every_look=True)
    seed: int = _how(0, "Start of the random numbers.", ge=0, lt=2**63, of_every_look=True)


def merged(base: DreamSettings, changes: Mapping[str, Any], *, origin: str = "") -> DreamSettings:
    """Return ``base`` with ``changes`` applied.

    Another network drops the layers, classes and weights of ``base``, which mean nothing to it; a
    class or a guide's layer drops its layers; a guide alone drops their channels. ``changes`` take
    precedence. ``model_fields_set`` of the result is that of ``base`` and the changes.

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


def for_journeys(look: DreamSettings, given: Mapping[str, Any], *, size: int) -> DreamSettings:
    """Return the settings of a journey, which is dreamed at its own size.

    It has no source that could lend it detail. Octaves are raised or lowered with the size, so that
    shapes keep their size relative to the picture.

    Args:
        look: The settings of a look.
        given: The user's changes by name; None for settings that stay.
        size: Longer side of the output, in pixels.

    Raises:
        SettingsError: As ``merged``.
    """
    changes = own(DreamSettings, given)
    dream = merged(look, changes)
    side = dream.dream_size if "dream_size" in changes else size
    values: dict[str, object] = {"dream_size": side, "enlarge": 1.0}
    if "octaves" not in changes:
        values["octaves"] = min(12, max(2, dream.octaves + _octaves_from(side, dream)))
    return dream.model_copy(update=values)


def _octaves_from(side: int, dream: DreamSettings) -> int:
    """Return how many more octaves a dream of a longer side needs than a film, or fewer."""
    usual = DreamSettings.model_fields["dream_size"].default
    return round(math.log(side / usual, dream.octave_scale))


def for_stills(
    look: DreamSettings, given: Mapping[str, Any], *, size: int = _STILL_SIZE
) -> DreamSettings:
    """Return the settings of a still, which has time for finer detail than a film.

    Stills are dreamed at ``size`` pixels, one octave after the other, so that creatures nest in
    creatures. Dreams larger than a film's get more octaves, so that shapes keep their size relative
    to the picture. What the look or the user sets is kept, with two exceptions: octaves of a look
    that leaves the size open, meant for films, are raised, and ``rotate``, which would dream one
    octave only, becomes ``all``.

    Args:
        look: The settings of a preset.
        given: The user's changes by name; None for settings that stay.
        size: Default of the dream's longer side, in pixels.

    Raises:
        SettingsError: As ``merged``.
    """
    changes = own(DreamSettings, given)
    dream = merged(look, changes)
    values: dict[str, object] = {}
    open_schedule = "schedule" not in dream.model_fields_set
    if dream.schedule == "rotate" or (dream.schedule == "together" and open_schedule):
        values["schedule"] = "all"
    if "dream_size" not in look.model_fields_set:
        side = dream.dream_size if "dream_size" in changes else size
        values["dream_size"] = side
        if "octaves" not in changes:
            values["octaves"] = min(12, dream.octaves + max(0, _octaves_from(side, dream)))
    return dream.model_copy(update=values)
