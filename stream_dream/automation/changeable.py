"""Settings that can change over time: their names, their values in a look, and their ranges."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from pydantic import BaseModel

from stream_dream.automation.journey_camera import CAMERA_NAMES, names_of, setting_of
from stream_dream.automation.program import TARGETS, is_weight, target_name
from stream_dream.errors import SettingsError
from stream_dream.networks.registry import find
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import fields_with, limits
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.values import LayerTarget

OF_SOURCE = frozenset({"strength", "mask_strength", "persistence", "limit"})
"""Settings of a dream that lies over a source, which a journey has not."""

_MOST_WEIGHT = 100.0
_MOST_PUSH = 0.5
# Beyond an open limit, as that of ``detail``, by so much.
_BEYOND = 1e-4


def automated_fields() -> set[str]:
    """Return the names of the settings that may change over time."""
    return fields_with(DreamSettings, "automated") | fields_with(OutputSettings, "automated")


def with_layers(dream: DreamSettings, changing: Collection[str]) -> DreamSettings:
    """Return settings that name the layers that they leave to the network, if weights change.

    Args:
        dream: The settings.
        changing: Names of the settings and weights that change.

    Raises:
        NetworkError: There is no such network.
    """
    if dream.layer or dream.classes or dream.guide_layer or not any(map(is_weight, changing)):
        return dream
    layers = map(LayerTarget.parse, find(dream.network).default_layers())
    return dream.model_copy(update={"layer": tuple(layers)})


def base_values(dream: DreamSettings) -> dict[str, float]:
    """Return the numbers of a look that may change, by name; no limit is no number."""
    values = {name: getattr(dream, name) for name in fields_with(DreamSettings, "automated")}
    numbers = {name: float(value) for name, value in values.items() if value is not None}
    weights = {
        target_name(kind, target): target.weight
        for kind, name in TARGETS.items()
        for target in getattr(dream, name)
    }
    return numbers | weights


def value_range(name: str, *first: type[BaseModel]) -> tuple[float, float]:
    """Return the least and the greatest value of a setting, those of the ``first`` models first."""
    models: tuple[type[BaseModel], ...] = (*first, DreamSettings, OutputSettings)
    for model in models:
        if name in model.model_fields:
            found = limits(model.model_fields[name])
            return found.get("ge", found.get("gt", 0.0) + _BEYOND), found["le"]
    return (0.0, _MOST_PUSH) if name == "zoom" else (-_MOST_WEIGHT, _MOST_WEIGHT)


def check_names(
    names: Collection[str],
    looks: Sequence[DreamSettings],
    *,
    without: Collection[str] = (),
    also: Collection[str] = (),
) -> None:
    """Check that names are those of settings that may change, or of targets of a look.

    Args:
        names: Names of settings and weights.
        looks: The looks.
        without: Names of settings that cannot change here.
        also: Names of what else can: the motion of a camera.

    Raises:
        SettingsError: One is not.
    """
    settings = {*automated_fields(), *also}.difference(without)
    weights = {name for look in looks for name in base_values(look) if "." in name}
    for name in sorted(set(names) - settings - weights):
        kind, dot, target = name.partition(".")
        if dot:
            those = sorted(
                weight.partition(".")[2] for weight in weights if weight.startswith(kind)
            )
            choice = f"those are {', '.join(those)}" if those else "they dream none"
            option = kind.replace("_", "-")
            raise SettingsError(f"--{option} {target}: no look dreams that {option}: {choice}")
        near = difflib.get_close_matches(name, settings, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose {', '.join(sorted(settings))}"
        if name in CAMERA_NAMES:
            hint = "it moves the camera of a journey"
            if "zoom" in without:
                hint += "; a show that is one is steered by zoom, turn, pan_x and pan_y"
            name = setting_of(name)
        elif name not in names_of(name) and also:
            hint = f"did you mean {' or '.join(names_of(name))}?"
        elif name in without and also:
            hint = "a journey has no source"
        raise SettingsError(f"{name} cannot change over time here: {hint}")
