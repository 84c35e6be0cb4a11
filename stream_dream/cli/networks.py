"""The command ``stream-dream networks``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.answers import LayersAnswer, ListedLayer, ListedNetwork, NetworksAnswer
from stream_dream.cli.options import (
    AsJson,
    Debug,
    Overwrite,
    credited,
    file_option,
    network_names,
    print_table,
)
from stream_dream.errors import SettingsError
from stream_dream.runtime.quiet import hushed
from stream_dream.runtime.standard_streams import is_abandoned
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import named_files
from stream_dream.settings.validation import part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream_dream.networks.spec import NetworkSpec

# (width, height) of the image whose gradient is timed.
_MEASURED_SIZE = (320, 240)


def networks(
    name: Annotated[
        str | None,
        typer.Argument(help="List the layers of this network.", autocompletion=network_names),
    ] = None,
    parts: Annotated[bool, typer.Option("--all", help="List the parts of layers as well.")] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure how fast each network is on this machine.")
    ] = False,
    show: Annotated[
        str | None,
        typer.Option(metavar="LAYER", help="Draw what the layer's strongest channels dream."),
    ] = None,
    out: Annotated[Path | None, file_option("Where to draw it: .png, .jpg, .webp, .tif.")] = None,
    weights: Annotated[Path | None, file_option("The network's weights for --show.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    _: Debug = False,
) -> None:
    """List the networks, or the layers of one."""
    from stream_dream.networks import registry

    if (show or out or weights) and name is None:
        raise SettingsError("--show needs a network: stream-dream networks NAME --show LAYER")
    if show is None and (out or weights):
        raise SettingsError("--out and --weights belong to --show LAYER: name the layer to draw")
    if show is not None and name is not None:
        _draw_sheet(name, show, out, weights, overwrite=overwrite, as_json=as_json)
    elif measure:
        specs = registry.networks() if name is None else (registry.find(name),)
        measured = list(_measured(specs, as_json=as_json))
        json_lines.emit(NetworksAnswer(networks=tuple(measured)))
    elif name is None:
        specs = registry.networks()
        if as_json:
            json_lines.emit(NetworksAnswer(networks=tuple(map(_listed, specs))))
            return
        rows = [
            (
                spec.name,
                credited(spec.summary, registry.provider(spec.name)),
                spec.origin,
                f"{spec.megabytes:g}",
            )
            for spec in specs
        ]
        print_table(rows, "network", "what it is", "weights", "MB")
    else:
        layers = [
            (layer.name, layer.channels, layer.stride, layer.dreams)
            for layer in registry.find(name).list_layers()
            if parts or layer.role != "part"
        ]
        if as_json:
            listed = tuple(
                ListedLayer(name=layer, channels=channels, stride=stride, dreams=dreams)
                for layer, channels, stride, dreams in layers
            )
            json_lines.emit(LayersAnswer(network=name, layers=listed))
            return
        print_table(layers, "layer", "channels", "stride", "dreams")


def _listed(
    spec: NetworkSpec, milliseconds: float | None = None, speed: float | None = None
) -> ListedNetwork:
    from stream_dream.networks.registry import provider

    return ListedNetwork(
        name=spec.name,
        summary=spec.summary,
        provider=provider(spec.name),
        weights=spec.origin,
        megabytes=spec.megabytes,
        milliseconds=milliseconds,
        speed=speed,
    )


def _measured(specs: Sequence[NetworkSpec], *, as_json: bool) -> Iterator[ListedNetwork]:
    """Yield each network, and print its speed, once it is measured: the largest take minutes."""
    from stream_dream.networks.registry import find

    with hushed():
        from stream_dream.dream.benchmark import gradient_call, seconds_per_call

    default = gradient_call(find(DreamSettings().network), _MEASURED_SIZE)
    if not as_json:
        typer.echo(f"{'network':22}{'weights':22}{'MB':>6}{'ms':>9}  speed")
    for spec in specs:
        if is_abandoned():
            return
        usual, seconds = seconds_per_call(default, gradient_call(spec, _MEASURED_SIZE))
        ms, speed = seconds * 1e3, usual / seconds
        yield _listed(spec, ms, speed)
        if not as_json:
            typer.echo(f"{spec.name:22}{spec.origin:22}{spec.megabytes:6g}{ms:9.1f}  {speed:.2g}")


def _draw_sheet(
    name: str,
    layer: str,
    out: Path | None,
    weights: Path | None,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    from stream_dream.cli.progress import fetch_weights
    from stream_dream.media.read.picture import Picture
    from stream_dream.media.write.picture import check_picture_target, write_picture

    if ":" in layer or "=" in layer:
        raise SettingsError(f"--show takes the name of a layer alone, it got {layer!r}")
    target = out or Path(f"{Path(name).stem}-{layer}.png")
    dream = part(DreamSettings, {"network": name, "weights": weights, "layer": [layer]})
    check_picture_target(target, overwrite=overwrite, inputs=named_files(dream).values())
    fetch_weights(dream, quiet=False)
    with hushed():
        from stream_dream.dream.channel_sheet import channel_sheet
    write_picture(Picture(channel_sheet(dream)), target, overwrite=overwrite)
    json_lines.finish([target])
    if not as_json:
        typer.echo(f"{target}: the strongest channels of {layer}, each as it dreams from noise")
