"""Keyframes of a loop: the dreams that it passes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stream_dream.errors import SettingsError
from stream_dream.networks import registry
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import LoopSettings
from stream_dream.settings.values import LayerTarget

# Keyframes of a still loop of one layer: it, a deeper one and two shallower ones, as multiples of
# its depth.
_DEPTHS = (1.0, 1.2, 0.8, 0.55)
_MOST_KEYFRAMES = 12
# A changing dream must remember no more than this share of the loop, or it stands still.
_MEMORY = 0.16
# A shorter memory adds up less; steps longer by this power of the ratio make up for most of it.
_MAKING_UP = 0.6


def way_around(
    dreams: Sequence[DreamSettings], loop: LoopSettings, *, given: Mapping[str, object]
) -> list[DreamSettings]:
    """Return the keyframes of a loop.

    Each group of ``morph_layer`` becomes one. With the motion ``still`` and one dream, its layers,
    channels or classes do; a single layer is joined by layers of similar depth. Several keyframes
    get less persistence, and longer steps to make up for it; how much less depends on the setting
    ``frames``, which a clip leaves at its default whatever its own number of frames.

    Args:
        dreams: The chosen dreams, such as one for each of ``presets``.
        loop: The loop's settings.
        given: The user's settings of the dream, None for others; they are kept.

    Raises:
        SettingsError: Settings contradict each other, or keyframes are too few or too many.
        NetworkError: There is no such network or layer.
    """
    keyframes = list(dreams)
    if loop.morph_layer:
        if len(dreams) > 1 or given.get("layer"):
            raise SettingsError("--morph-layer cannot be mixed with --presets or --layer: give one")
        values = {"classes": (), "guide_layer": ()}
        keyframes = [
            dreams[0].model_copy(update={**values, "layer": group}) for group in loop.morph_layer
        ]
    elif len(dreams) == 1 and loop.motion == "still":
        keyframes = _travelled(dreams[0], given)
    if len(keyframes) == 1:
        return keyframes
    memory = max(1.0, _MEMORY * loop.frames)
    return [
        keyframe.model_copy(update=_forgetful(keyframe, memory, given)) for keyframe in keyframes
    ]


def _travelled(dream: DreamSettings, given: Mapping[str, object]) -> list[DreamSettings]:
    """Return a still loop's keyframes: one for each part of the objective that the user gives.

    What a look mixes stays together; a single keyframe is joined by layers near its first.
    """
    if dream.guide is not None:
        raise SettingsError("a still loop with a guide needs several --presets or --morph-layer")
    spec = registry.find(dream.network)
    layers = dream.layer
    if not layers and not dream.classes:
        layers = tuple(map(LayerTarget.parse, spec.default_layers()))
    mixed = not given.get("layer") and not given.get("classes")
    keyframes = [dream.model_copy(update={"layer": layers})] if mixed else _parts(dream, layers)
    if len(keyframes) == 1 and layers:
        blocks = [layer.name for layer in spec.list_layers() if layer.role == "block"]
        for name in _near(layers[0].name, blocks)[1:]:
            layer = layers[0].model_copy(update={"name": name, "channels": ()})
            keyframes.append(dream.model_copy(update={"layer": (layer,), "classes": ()}))
    if not 2 <= len(keyframes) <= _MOST_KEYFRAMES:
        raise SettingsError(
            f"a still loop passes through 2 to {_MOST_KEYFRAMES} layers, channels or classes, "
            f"these are {len(keyframes)}: give others, or --presets"
        )
    return keyframes


def _parts(dream: DreamSettings, layers: tuple[LayerTarget, ...]) -> list[DreamSettings]:
    """Return a dream for each layer and class, or for each channel of a single layer."""
    if len(layers) == 1 and len(layers[0].channels) > 1:
        layers = tuple(
            layers[0].model_copy(update={"channels": (channel,)}) for channel in layers[0].channels
        )
    parts = [dream.model_copy(update={"layer": (layer,), "classes": ()}) for layer in layers]
    parts += [dream.model_copy(update={"layer": (), "classes": (one,)}) for one in dream.classes]
    return parts


def _near(name: str, layers: Sequence[str]) -> list[str]:
    """Return a layer and some of similar depth, each once."""
    if name not in layers:
        return [name]
    depth = layers.index(name)
    places = [min(len(layers) - 1, round(depth * share)) for share in _DEPTHS]
    return list(dict.fromkeys(layers[place] for place in places))


def _forgetful(
    dream: DreamSettings, memory: float, given: Mapping[str, object]
) -> dict[str, float]:
    """Return changes that make a dream remember ``memory`` frames, except given settings."""
    values: dict[str, float] = {}
    persistence = 1 - 1 / max(2.0, memory)
    if given.get("persistence") is None and dream.persistence > persistence:
        values["persistence"] = persistence
        if given.get("step_size") is None:
            longer = ((1 - persistence) / (1 - dream.persistence)) ** _MAKING_UP
            values["step_size"] = min(0.2, dream.step_size * longer)
    return values
