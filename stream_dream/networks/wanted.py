"""What dreams want of their networks: layers, channels and classes, known without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stream_dream.errors import NetworkError, SettingsError
from stream_dream.networks.imagenet import class_name, class_number
from stream_dream.networks.registry import find
from stream_dream.networks.spec import NetworkSpec
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.values import LayerTarget


class Wanted(NamedTuple):
    """The layers to dream for their own sake, and those to dream after a guide."""

    energies: tuple[LayerTarget, ...]
    guided: tuple[LayerTarget, ...]


def check_looks(looks: Iterable[DreamSettings]) -> None:
    """Check that the networks of looks have the layers, channels and classes that are wanted.

    Networks that only Keras can describe are built for that, without weights. How many classes a
    model of the user's own has is not looked up.

    Raises:
        NetworkError: There is no such network, layer, channel or class.
        SettingsError: Settings contradict each other.
    """
    for look in looks:
        spec = find(look.network)
        check_wanted(look, spec, wanted_layers(look, spec))
        for target in look.classes:
            number = class_of(target.name)
            if spec.origin != "file":
                class_name(number)


def weights_of(settings: DreamSettings, now: DreamSettings | None = None) -> list[float]:
    """Return the weights of the objective's terms: layers, guided layers, classes.

    Args:
        settings: Those that the objective is built of; their signs decide on what is guided.
        now: The same with other weights, which are returned; by default those of ``settings``.
    """
    now = now or settings
    wanted = wanted_layers(settings, find(settings.network))
    energies, guided = (
        {layer: new.weight for layer, new in zip(before, after, strict=True)}
        for before, after in (
            (settings.layer, now.layer),
            (settings.guide_layer, now.guide_layer),
        )
    )
    if not guided:  # the guide takes over the dreamed layers
        guided = energies
    return [
        *(energies.get(layer, layer.weight) for layer in wanted.energies),
        *(guided.get(layer, layer.weight) for layer in wanted.guided),
        *(one.weight for one in now.classes),
    ]


def wanted_layers(settings: DreamSettings, spec: NetworkSpec) -> Wanted:
    """Return the layers to dream for their own sake, and those to dream after a guide.

    A guide takes over the dreamed layers, unless ``guide_layer`` names others. Suppressed channels
    stay suppressed.
    """
    dreamed = settings.layer
    if not dreamed and not settings.classes and not settings.guide_layer:
        dreamed = tuple(map(LayerTarget.parse, spec.default_layers()))
    energies, guided = dreamed, settings.guide_layer
    if settings.guide is not None and not guided:
        energies = tuple(target for target in dreamed if target.channels and target.weight < 0)
        guided = tuple(target for target in dreamed if target not in energies)
        guided = guided or tuple(map(LayerTarget.parse, spec.default_layers()))
    return Wanted(energies, guided)


def check_wanted(settings: DreamSettings, spec: NetworkSpec, wanted: Wanted) -> None:
    """Check the layers that are wanted.

    Raises:
        NetworkError: The network has no such layer or channel.
        SettingsError: All weights are 0, a guided layer has channels, or guided layers have no
            guide.
    """
    energies, guided = wanted
    weights = [target.weight for target in (*energies, *guided)]
    if not any(weights) and not any(target.weight for target in settings.classes):
        raise SettingsError("all weights are 0, nothing would be dreamed: give one that is not")
    if settings.guide is None and guided:
        raise SettingsError("--guide-layer needs a picture or clip: give it with --guide")
    for target in guided:
        if target.channels:
            raise SettingsError(f"a guide takes whole layers: leave out the channels of {target}")
    for target in (*energies, *guided):
        channels = spec.layer(target.name).channels
        beyond = [channel for channel in target.channels if channel >= channels]
        if beyond:
            raise NetworkError(
                f"layer {target.name} of {spec.name} has no channel {beyond[0]}: "
                f"choose 0 to {channels - 1}"
            )


def class_of(name: str) -> int:
    """Return the number of a class: its name may be ImageNet's, or the number itself.

    Raises:
        NetworkError: ImageNet has no such class.
    """
    return int(name) if name.isdecimal() else class_number(name)
