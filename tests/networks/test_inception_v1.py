"""InceptionV1 and the file formats of its weights."""

from __future__ import annotations

import errno
import tarfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from stream_dream.errors import NetworkError
from stream_dream.networks import inception_v1
from stream_dream.networks.inception_v1 import branches, network, parts
from stream_dream.networks.inception_v1_files import read_weights
from stream_dream.networks.registry import find
from stream_dream.networks.spec import CLASSES

Arrays = dict[str, list[NDArray[np.float32]]]

PICTURE = np.random.default_rng(0).random((1, 64, 96, 3), dtype=np.float32)
LAYERS = ["Conv2d_1a_7x7_act", "Mixed_4c_Concatenated", "Mixed_5b_Branch_2_b_3x3_act"]
# The paper's table 1, and TF-Slim's inception_v1.py.
WIDTHS = {
    "Mixed_3b": 256,
    "Mixed_3c": 480,
    **dict.fromkeys(("Mixed_4b", "Mixed_4c", "Mixed_4d"), 512),
    "Mixed_4e": 528,
    "Mixed_4f": 832,
    "Mixed_5b": 832,
    "Mixed_5c": 1024,
}


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    """Return random weights for every layer, with a classifier of 1001 classes."""
    rng = np.random.default_rng(1)
    found: Arrays = {}
    for layer in network().layers:
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if layer.name.endswith("_conv"):
            scale = np.sqrt(2 / np.prod(shapes[0][:3]))
            found[layer.name] = [rng.normal(0, scale, shapes[0]).astype(np.float32)]
        elif layer.name.endswith("_bn"):
            found[layer.name] = [rng.uniform(0.5, 1.5, s).astype(np.float32) for s in shapes]
    found["Logits"] = [
        rng.normal(0, 0.1, (1, 1, 1024, 1001)).astype(np.float32),
        rng.normal(0, 1, 1001).astype(np.float32),
    ]
    return found


def write_keras(path: Path, arrays: Arrays, *, as_bytes: bool = True, inside: str = "") -> None:
    """Write the layout of ``inception_v1_weights_tf_dim_ordering_tf_kernels_notop.h5``."""
    encode = str.encode if as_bytes else str
    with h5py.File(path, "w") as file:
        root = file.create_group(inside) if inside else file
        root.attrs["layer_names"] = [encode(name) for name in arrays if name != "Logits"]
        for name, values in arrays.items():
            group = root.create_group(name)
            kinds = ["kernel"] if len(values) == 1 else ["beta", "moving_mean", "moving_variance"]
            keys = [f"{name}/{kind}:0" for kind in kinds]
            for key, value in zip(keys, values, strict=False):
                group.create_dataset(key, data=value)
            group.attrs["weight_names"] = [encode(key) for key in keys]


def slim(part: str) -> str:
    """Return TF-Slim's name of a variable, copied from its source."""
    if part.startswith("Conv2d"):
        return f"InceptionV1/{part}"
    block, branch, step = part[:8], part[16], part[18:]
    kinds = {"a_1x1": "Conv2d_0a_1x1", "b_3x3": "Conv2d_0b_3x3", "b_1x1": "Conv2d_0b_1x1"}
    name = kinds[step]
    if (block, branch, step) == ("Mixed_5b", "2", "b_3x3"):
        name = "Conv2d_0a_3x3"
    return f"InceptionV1/{block}/Branch_{branch}/{name}"


def write_slim(path: Path, arrays: Arrays) -> None:
    """Write the layout of ``inception_v1.ckpt``."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("global_step", initializer=np.int64(7))
        for name, values in arrays.items():
            part, _, kind = name.rpartition("_")
            if name == "Logits":
                keys = [f"InceptionV1/Logits/Conv2d_0c_1x1/{k}" for k in ("weights", "biases")]
            elif kind == "conv":
                keys = [f"{slim(part)}/weights"]
            else:
                kinds = ("beta", "moving_mean", "moving_variance")
                keys = [f"{slim(part)}/BatchNorm/{k}" for k in kinds]
            for key, value in zip(keys, values, strict=True):
                v1.get_variable(key, initializer=value)
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(write_version=v1.train.SaverDef.V1)
        saver.save(session, str(path), write_meta_graph=False, write_state=False)


@pytest.fixture(scope="module")
def expected(arrays: Arrays) -> list[NDArray[np.float32]]:
    """Return the activations of the notebook's network, with its batch norms."""
    model = network()
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(arrays[layer.name])
    part = keras.Model(model.input, [model.get_layer(name).output for name in LAYERS])
    return [np.asarray(act) for act in part(PICTURE * 2 - 1)]


def check(path: Path, expected: list[NDArray[np.float32]]) -> None:
    found = find("inception_v1").build(LAYERS, weights=path)(PICTURE)
    for act, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(act, wanted, atol=1e-3 * np.abs(wanted).max())


@pytest.mark.slow
def test_layers_are_the_notebooks() -> None:
    spec = find("inception_v1")
    listed = {layer.name: layer for layer in spec.list_layers()}
    assert {name: listed[f"{name}_Concatenated"].channels for name in WIDTHS} == WIDTHS
    strides = [listed[f"{name}_Concatenated"].stride for name in WIDTHS]
    assert strides == [8] * 2 + [16] * 5 + [32] * 2
    pools = ("MaxPool_2a_3x3", "MaxPool_3a_3x3", "MaxPool_4a_3x3", "MaxPool_5a_2x2")
    assert [listed[name].stride for name in pools] == [4, 8, 16, 32]
    ends = ("0_a_1x1", "1_a_1x1", "1_b_3x3", "2_a_1x1", "2_b_3x3", "3_b_1x1")
    for part in (
        "Conv2d_1a_7x7",
        "Conv2d_2b_1x1",
        "Conv2d_2c_3x3",
        *(f"{block}_Branch_{end}" for block in WIDTHS for end in ends),
    ):
        assert {f"{part}_conv", f"{part}_bn", f"{part}_act"} <= listed.keys()
    assert "Mixed_3b_Branch_3_a_max" in listed
    assert spec.default_layers() == ("Mixed_4c_Concatenated",)


@pytest.mark.slow
def test_convolutions_are_as_many_as_in_the_paper() -> None:
    assert len(list(parts())) == 57
    assert [part.channels for branch in branches("Mixed_4c") for part in branch] == [
        *(160, 112, 224, 24, 64, 64)
    ]
    count = sum(int(np.prod(w.shape)) for layer in network().layers for w in layer.weights)
    assert count == 5_607_184  # as TF-Slim's own test of inception_v1_base counts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("as_bytes", "inside"),
    [(True, ""), pytest.param(False, "model_weights", marks=pytest.mark.slow)],
)
def test_keras_file(
    tmp_path: Path, arrays: Arrays, expected: list[NDArray[np.float32]], as_bytes: bool, inside: str
) -> None:
    write_keras(tmp_path / "notop.h5", arrays, as_bytes=as_bytes, inside=inside)
    check(tmp_path / "notop.h5", expected)


@pytest.mark.slow
def test_checkpoint_of_slim_and_its_archive(
    tmp_path: Path, arrays: Arrays, expected: list[NDArray[np.float32]]
) -> None:
    write_slim(tmp_path / "inception_v1.ckpt", arrays)
    check(tmp_path / "inception_v1.ckpt", expected)
    with tarfile.open(tmp_path / "inception_v1_2016_08_28.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "inception_v1.ckpt", "inception_v1.ckpt")
    check(tmp_path / "inception_v1_2016_08_28.tar.gz", expected)


@pytest.mark.slow
def test_classes_of_slim_begin_behind_the_background(tmp_path: Path, arrays: Arrays) -> None:
    write_slim(tmp_path / "inception_v1.ckpt", arrays)
    spec = find("inception_v1")
    model = spec.build(["Mixed_5c_Concatenated", CLASSES], weights=tmp_path / "inception_v1.ckpt")
    features, scores = (np.asarray(act) for act in model(PICTURE))
    kernel, bias = arrays["Logits"]
    logits = features.mean(axis=(0, 1, 2)) @ kernel[0, 0] + bias
    np.testing.assert_allclose(scores.mean(axis=(0, 1, 2)), logits[1:], rtol=1e-3, atol=1e-3)
    write_keras(tmp_path / "notop.h5", arrays)
    with pytest.raises(NetworkError, match=r"has no classifier: give TF-Slim's"):
        spec.build([CLASSES], weights=tmp_path / "notop.h5")


@pytest.mark.slow
def test_the_first_layer_that_does_not_fit_is_named(tmp_path: Path, arrays: Arrays) -> None:
    spoiled = dict(arrays)
    spoiled["Mixed_4b_Branch_1_a_1x1_conv"] = [np.zeros((1, 1, 480, 95), np.float32)]
    write_keras(tmp_path / "other.h5", spoiled)
    with pytest.raises(NetworkError, match=r"layer Mixed_4b_Branch_1_a_1x1_conv .*95.*96"):
        find("inception_v1").build(["Mixed_4c_Concatenated"], weights=tmp_path / "other.h5")
    del spoiled["Conv2d_2b_1x1_bn"]
    write_keras(tmp_path / "missing.h5", spoiled)
    with pytest.raises(NetworkError, match="layer Conv2d_2b_1x1_bn is missing"):
        find("inception_v1").build(["Mixed_4c_Concatenated"], weights=tmp_path / "missing.h5")


@pytest.mark.parametrize("data", [b"", b"no weights", b"\x89HDF\r\n\x1a\n...", b"\x1f\x8b\x08..."])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "weights"
    path.write_bytes(data)
    with pytest.raises(NetworkError, match="weights") as caught:
        find("inception_v1").build(["Mixed_4c_Concatenated"], weights=path)
    assert "\n" not in str(caught.value)
    with pytest.raises(NetworkError, match="does not exist"):
        find("inception_v1").build(["Mixed_4c_Concatenated"], weights=tmp_path / "none")


def test_a_file_that_cannot_be_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights").touch()

    def refuse(*arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(NetworkError, match=r"weights cannot be read: Permission denied"):
        read_weights(tmp_path / "weights", [])


def test_archives_are_read_without_leaving_the_folder(tmp_path: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        with tarfile.open(tmp_path / "linked.tar.gz", "w:gz") as archive:
            link = tarfile.TarInfo("inception_v1.ckpt")
            link.type, link.linkname = kind, "/etc/hostname"
            archive.addfile(link)
        with pytest.raises(NetworkError, match=r"it is not in it$"):
            find("inception_v1").build(
                ["Mixed_3b_Concatenated"], weights=tmp_path / "linked.tar.gz"
            )


def test_sources_are_the_published_ones() -> None:
    keras_file, archive = inception_v1.DOWNLOADS
    assert keras_file.known_hash == "md5:6fa8ecdc5f6c402a59909437f0f5c975"
    assert keras_file.url.endswith("inception_v1_weights_tf_dim_ordering_tf_kernels_notop.h5")
    assert archive.url.endswith("inception_v1_2016_08_28.tar.gz")
