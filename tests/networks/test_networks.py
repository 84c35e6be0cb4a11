"""The registry, the embedded network and its conversion."""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from stream_dream.errors import NetworkError
from stream_dream.networks.efficientnet_lite import LITE0, build
from stream_dream.networks.efficientnet_lite_weights import embedded_weights
from stream_dream.networks.registry import find, networks
from stream_dream.networks.spec import CLASSES
from stream_dream.networks.torch_file import read_torch_file

REFERENCE = Path(__file__).parents[1] / "data" / "efficientnet_lite0_chelsea.npz"
# float16 against float32, relative to a layer's largest channel mean; measured: below 0.004.
TOLERANCE = 0.01


@pytest.mark.slow
def test_shipped_activations_are_those_of_the_full_network() -> None:
    """The script that wrote the reference checked that the network recognises the cat."""
    reference = np.load(REFERENCE)
    names = [layer.name for layer in find("efficientnet_lite0").list_layers()] + [CLASSES]
    image = (data.chelsea()[6:294, 9:441].astype(np.float32) / 255)[None]
    activations = find("efficientnet_lite0").build(names)(image)
    for name, activation in zip(names, activations, strict=True):
        means = np.asarray(activation).mean(axis=(0, 1, 2))
        scale = np.abs(reference[name]).max()
        assert np.abs(means - reference[name]).max() < TOLERANCE * scale, name


@pytest.mark.slow
def test_layers_are_as_listed() -> None:
    spec = find("efficientnet_lite0")
    names = [layer.name for layer in spec.list_layers()]
    assert names == ["stem", *(f"block{index}" for index in range(16)), "head"]
    activations = spec.build(names)(np.zeros((1, 64, 96, 3), np.float32))
    for layer, activation in zip(spec.list_layers(), activations, strict=True):
        expected = (1, 64 // layer.stride, 96 // layer.stride, layer.channels)
        assert tuple(activation.shape) == expected
        assert layer.dreams


@pytest.mark.slow
def test_nothing_behind_the_deepest_layer_is_built() -> None:
    built = {layer.name for layer in find("efficientnet_lite0").build(["block3", "block1"]).layers}
    assert "block3" in built
    assert not any(name.startswith("block4") for name in built)


@pytest.mark.parametrize("spoil", ["missing", "shape"])
def test_weights_that_do_not_fit_are_named(spoil: str) -> None:
    weights = embedded_weights()
    if spoil == "missing":
        del weights["block0/project/bias"]
    else:
        weights["block0/project/bias"] = np.zeros(5, np.float32)
    with pytest.raises(NetworkError, match=r"block0/project/bias is .*expected shape \(16,\)"):
        build(LITE0, ["block1"], weights)


def test_unknown_names_suggest_the_nearest() -> None:
    assert "efficientnet_lite0" in {spec.name for spec in networks()}
    with pytest.raises(NetworkError, match=r"did you mean .*efficientnet_lite0"):
        find("efficientnet_lite")
    with pytest.raises(NetworkError, match="did you mean block1"):
        find("efficientnet_lite0").layer("blok1")


class _Named:
    """Pickles as a global of a given name."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Pickler(pickle._Pickler):  # type: ignore[name-defined, misc]  # the one in Python can be extended
    def save(self, obj: object, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Named):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, save_persistent_id)

    def persistent_id(self, obj: object) -> object:
        return obj if isinstance(obj, tuple) and obj[:1] == ("storage",) else None


class _Rebuilt:
    """Pickles as a tensor: a strided view of a storage."""

    def __init__(self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.arguments = (offset, shape, strides)

    def __reduce__(self) -> tuple[object, ...]:
        storage = ("storage", _Named("torch", "FloatStorage"), "7", "cpu", 6, None)
        rest = (*self.arguments, False, OrderedDict())
        return _rebuild, (storage, *rest)


def _rebuild(*arguments: object) -> None:
    """Replace torch._utils._rebuild_tensor_v2."""


def torch_file(path: Path, tensors: Mapping[str, object]) -> None:
    """Write a checkpoint of the old format with one storage of 0..5."""
    with path.open("wb") as file:
        for part in (0x1950A86A20F9469CFC6C, 1001, {}):
            pickle.dump(part, file, 2)
        body = tempered(tensors)
        file.write(body)
        pickle.dump(["7"], file, 2)
        file.write(struct.pack("<q", 6) + np.arange(6, dtype="<f4").tobytes())


def tempered(tensors: Mapping[str, object]) -> bytes:
    """Pickle a state dict with the names that PyTorch uses."""
    import io

    held = io.BytesIO()
    _Pickler(held, 2).dump(OrderedDict(tensors))
    ours = f"c{_rebuild.__module__}\n_rebuild\n".encode()
    return held.getvalue().replace(ours, b"ctorch._utils\n_rebuild_tensor_v2\n")


def test_strides_are_honoured(tmp_path: Path) -> None:
    torch_file(
        tmp_path / "a.pth",
        {"plain": _Rebuilt(0, (2, 3), (3, 1)), "turned": _Rebuilt(0, (3, 2), (1, 3))},
    )
    read = read_torch_file(tmp_path / "a.pth")
    np.testing.assert_array_equal(read["plain"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(read["turned"], read["plain"].T)


def test_bad_checkpoints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch_file(path, {"beyond": _Rebuilt(4, (3,), (1,))})
    with pytest.raises(NetworkError, match="beyond its storage"):
        read_torch_file(path)
    torch_file(path, {"plain": _Rebuilt(0, (6,), (1,))})
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(NetworkError, match="truncated"):
        read_torch_file(path)
    path.write_bytes(b"text")
    with pytest.raises(NetworkError):
        read_torch_file(path)
    path.write_bytes(pickle.dumps(_rebuild))
    with pytest.raises(NetworkError, match="file refused"):
        read_torch_file(path)
    with pytest.raises(NetworkError, match=f"{tmp_path} cannot be read"):
        read_torch_file(tmp_path)


def test_a_checkpoint_with_more_than_a_state_dict_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    tensors = OrderedDict(plain=_Rebuilt(0, (6,), (1,)))
    torch_file(path, {"state_dict": tensors, "epoch": 3})
    with pytest.raises(NetworkError, match=r"a\.pth .* more than a state dict"):
        read_torch_file(path)


def test_damaged_checkpoints_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch_file(path, {"plain": _Rebuilt(0, (6,), (1,))})
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(len(whole))]
    damaged.append(whole.replace(b"plain", b"\xff\xff\xff\xff\xff"))
    damaged.append(whole.replace(b"FloatStorage", b"FloatStorag_"))
    damaged.append(whole.replace(b"OrderedDict", b"OrderedSet_"))
    for spoilt in damaged:
        path.write_bytes(spoilt)
        with pytest.raises(NetworkError, match=r"a\.pth") as caught:
            read_torch_file(path)
        assert "\n" not in str(caught.value)
    torch_file(path, {"backward": _Rebuilt(5, (2,), (-9,))})
    with pytest.raises(NetworkError, match="beyond its storage"):
        read_torch_file(path)
