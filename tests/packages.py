"""Packages with plug-ins, as an installer leaves them in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from waiting import SECONDS

NETWORK = """
from stream_dream.networks.spec import Layer, NetworkSpec

LAYERS = (Layer("first", 8, 1, "grain"), Layer("second", 12, 2))


def build(names, *, weights="pretrained", fold=True):
    import keras

    keras.utils.set_random_seed(7)
    image = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    second = keras.layers.Conv2D(12, 3, 2, padding="same", activation="relu")(first)
    outputs = {"first": first, "second": second}
    return keras.Model(image, [outputs[name] for name in names])


def spec(name="night_net"):
    return NetworkSpec(
        name=name,
        summary="sees in the dark",
        origin="seeded",
        megabytes=0,
        favourites=("second",),
        list_layers=lambda: LAYERS,
        build=build,
    )
"""
"""Module with the function ``spec``, which returns a tiny network."""

LOOK = 'description = "What owls see"\nsuits = "nights"\nnetwork = "night_net"\noctaves = 2\n'


def make_package(
    folder: Path, name: str, entries: Mapping[str, str], files: Mapping[str, str]
) -> None:
    """Put a package of version 1.2 into a folder.

    Args:
        folder: What is to be on Python's path.
        name: Name of the package.
        entries: What its entry points name, by group and name such as ``looks night``.
        files: Texts of its files by path.
    """
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    lines = [
        f"[stream_dream.{key.split()[0]}]\n{key.split()[1]} = {value}\n"
        for key, value in entries.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))


def make_night(folder: Path) -> None:
    """Put the package ``owl-dreams`` into a folder: a network, and looks that use it."""
    make_package(
        folder,
        "owl-dreams",
        {"networks night": "owl.nets:spec", "looks night": "owl.looks"},
        {
            "owl/__init__.py": "",
            "owl/nets.py": NETWORK,
            "owl/looks/__init__.py": "",
            "owl/looks/night.toml": LOOK,
            "owl/looks/dusk.toml": 'extends = "night"\noctaves = 3\n',
        },
    )


def with_packages(
    folder: Path, *arguments: object, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command with a folder of packages on its path."""
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "stream_dream", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
