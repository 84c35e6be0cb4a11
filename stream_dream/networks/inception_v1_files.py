"""Read InceptionV1's weights from Keras' and TF-Slim's files."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import NetworkError, first_line

LayerArrays = Mapping[str, list[NDArray[np.float32]]]

_HDF5 = b"\x89HDF"
_GZIP = b"\x1f\x8b"
_CHECKPOINT = "inception_v1.ckpt"
# TF-Slim's class 0 is the background, before ImageNet's classes.
_BACKGROUND = 1
_PART = re.compile(r"(?P<block>Mixed_\w\w)_Branch_(?P<branch>\d)_(?P<step>[ab])_(?P<kind>\dx\d)")


class Part(NamedTuple):
    """A convolution with its batch norm and activation: ``PART_conv``, ``PART_bn``, ``PART_act``.

    Attributes:
        name: As in the Keras notebook.
        channels: Number of output channels.
        kernel: Side of the window.
        stride: Step of the window.
    """

    name: str
    channels: int
    kernel: int
    stride: int = 1


def read_weights(path: Path, parts: Iterable[Part]) -> LayerArrays:
    """Read weights by layer name, in Keras' order.

    Args:
        path: Keras' ``.h5`` file, TF-Slim's checkpoint, or the ``.tar.gz`` that contains it.
        parts: The network's convolutions.

    Returns:
        ``PART_conv``: [kernel]; ``PART_bn``: [beta, moving mean, moving variance]; ``Logits``:
        [kernel, bias] for 1000 classes, if the file has them.

    Raises:
        NetworkError: The file is none of these, or cannot be read.
    """
    index = path.with_name(path.name + ".index")
    if not path.is_file() and not index.is_file():
        raise NetworkError(f"weights file {path} does not exist")
    start = _start_of(path) if path.is_file() else b""
    if start == _HDF5:
        return _read_keras(path)
    if start[:2] != _GZIP:
        return _read_checkpoint(path, parts)
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / _CHECKPOINT
        try:
            with tarfile.open(path) as archive, inside.open("wb") as out:
                member = next(
                    member
                    for member in archive
                    if member.isfile() and Path(member.name).name == _CHECKPOINT
                )
                shutil.copyfileobj(archive.extractfile(member) or io.BytesIO(), out)
        except (OSError, EOFError, tarfile.TarError, zlib.error, StopIteration) as error:
            reason = "it is not in it" if isinstance(error, StopIteration) else first_line(error)
            raise NetworkError(
                f"{path} cannot be read as the archive of {_CHECKPOINT}, delete it: {reason}"
            ) from error
        return _read_checkpoint(inside, parts, shown=path)


def _start_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(_HDF5))
    except OSError as error:
        raise NetworkError(f"weights file {path} cannot be read: {error.strerror}") from error


def _read_keras(path: Path) -> LayerArrays:
    from stream_dream.networks.weight_files import read_legacy

    return {layer.name: layer.values for layer in read_legacy(path)}


def _read_checkpoint(path: Path, parts: Iterable[Part], shown: Path | None = None) -> LayerArrays:
    import tensorflow as tf

    if path.suffix == ".index":
        path = path.with_suffix("")
    try:
        reader = tf.train.load_checkpoint(str(path))
        known = reader.get_variable_to_shape_map()

        def read(name: str) -> list[Any]:
            return [reader.get_tensor(name)] if name in known else []

        arrays: dict[str, list[NDArray[np.float32]]] = {}
        for part in parts:
            theirs = slim_name(part.name)
            norm = [f"{theirs}/BatchNorm/{kind}" for kind in ("beta", "moving_mean")]
            norm.append(f"{theirs}/BatchNorm/moving_variance")
            arrays[f"{part.name}_conv"] = read(f"{theirs}/weights")
            arrays[f"{part.name}_bn"] = [value for name in norm for value in read(name)]
        logits = "InceptionV1/Logits/Conv2d_0c_1x1"
        if f"{logits}/weights" in known:
            arrays["Logits"] = [
                reader.get_tensor(f"{logits}/{kind}")[..., _BACKGROUND:]
                for kind in ("weights", "biases")
            ]
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise NetworkError(
            f"{shown or path} is neither Keras' .h5 file of inception_v1 nor TF-Slim's checkpoint: "
            f"{first_line(error)}"
        ) from error
    return arrays


def slim_name(part: str) -> str:
    """Return TF-Slim's name of a convolution."""
    found = _PART.fullmatch(part)
    if found is None:
        return f"InceptionV1/{part}"
    block, branch, step, kind = found.group("block", "branch", "step", "kind")
    name = f"Conv2d_0{step}_{kind}"
    if (block, branch, step) == ("Mixed_5b", "2", "b"):
        name = "Conv2d_0a_3x3"  # a typo that TF-Slim's checkpoint has preserved
    return f"InceptionV1/{block}/Branch_{branch}/{name}"
