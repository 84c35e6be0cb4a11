"""Networks reduced to what dreaming needs, and the weights that they accept."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from stream_dream.errors import NetworkError
from stream_dream.networks import applications
from stream_dream.networks.graph_surgery import cut, describe
from stream_dream.networks.model_files import open_model
from stream_dream.networks.registry import find, networks
from stream_dream.networks.spec import CLASSES
from stream_dream.networks.weight_files import load_weights

PICTURE = np.random.default_rng(0).random((1, 64, 96, 3), dtype=np.float32)


def randomize(model: keras.Model) -> keras.Model:
    """Set weights that reveal a wrong batch norm."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.weights])
    return model


def small_network(*, size: int | None = None, classes: int = 5) -> keras.Model:
    """Return a network with all kinds of folded layers and a classifier."""
    image = keras.Input((size, size, 3))
    x = layers.Conv2D(4, 3, 2, padding="same", use_bias=False, name="first")(image)
    x = layers.BatchNormalization(scale=False, name="first_bn")(x)
    x = layers.ReLU(name="first_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="depthwise")(x)
    x = layers.BatchNormalization(center=False, name="depthwise_bn")(x)
    x = layers.SeparableConv2D(8, 3, padding="same", use_bias=False, name="separable")(x)
    y = layers.BatchNormalization(name="separable_bn")(x)
    x = layers.Conv2D(8, 1, name="branch")(y)
    x = layers.BatchNormalization(name="branch_bn")(x)
    x = layers.Add(name="added")([x, y])
    x = layers.BatchNormalization(name="free_bn")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Dense(classes, activation="softmax", name="predictions")(x)
    return randomize(keras.Model(image, x, name="small"))


def outputs(model: keras.Model, names: list[str]) -> list[np.ndarray]:
    part = keras.Model(model.input, [model.get_layer(name).output for name in names])
    return [np.asarray(act) for act in part(PICTURE)]


def test_folding_is_exact() -> None:
    model = small_network()
    names = ["first_relu", "depthwise_bn", "added", "free_bn"]
    expected = outputs(model, names)
    folded = cut(model, names)
    norms = [layer for layer in folded.layers if isinstance(layer, layers.BatchNormalization)]
    assert [norm.name for norm in norms] == ["free_bn"]
    for found, wanted in zip(folded(PICTURE), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())


def test_a_convolution_that_is_dreamed_itself_is_not_folded() -> None:
    model = small_network()
    names = ["first", "first_bn"]
    expected = outputs(model, names)
    for found, wanted in zip(cut(model, names)(PICTURE), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_nothing_behind_the_deepest_layer_is_kept() -> None:
    assert {layer.name for layer in cut(small_network(), ["first_relu"]).layers} == {
        *("image", "first", "first_relu")
    }


def test_a_network_for_one_size_takes_any() -> None:
    part = cut(small_network(size=32), ["added"])
    assert tuple(part(PICTURE).shape) == (1, 32, 48, 8)


def test_the_mean_score_of_all_positions_is_the_classifiers() -> None:
    model = small_network()
    expected = np.asarray(model(PICTURE))[0]
    scores = np.asarray(cut(model, [CLASSES])(PICTURE)).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(np.exp(scores) / np.exp(scores).sum(), expected, rtol=1e-4)


def test_a_classifier_that_flattens_becomes_a_window() -> None:
    image = keras.Input((16, 16, 3))
    x = layers.MaxPooling2D(4, name="pooled")(image)
    x = layers.Dense(6, activation="relu", name="hidden")(layers.Flatten()(x))
    model = keras.Model(image, layers.Dense(5, activation="softmax", name="scores")(x))
    picture = PICTURE[:, :16, :16]
    expected = np.asarray(model(picture))[0]
    # In the middle the window covers the whole map, like the classifier.
    middle = np.asarray(cut(model, [CLASSES])(picture))[0, 1, 1]
    np.testing.assert_allclose(np.exp(middle) / np.exp(middle).sum(), expected, rtol=1e-4)


def test_a_network_without_classifier_says_so() -> None:
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layers.Conv2D(4, 3)(image))
    with pytest.raises(NetworkError, match="no classifier"):
        cut(model, [CLASSES])


def test_layers_are_described() -> None:
    found = {layer.name: layer for layer in describe(small_network())}
    assert "pool" not in found
    assert (found["added"].channels, found["added"].stride, found["added"].role) == (8, 2, "block")
    assert found["first_relu"].role == "step"
    assert found["first_bn"].role == found["first"].role == "part"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".h5", ".keras", ".weights.h5"])
def test_weights_come_from_every_kind_of_file(tmp_path: Path, suffix: str) -> None:
    saved, fresh = small_network(), keras.models.clone_model(small_network())
    path = tmp_path / f"small{suffix}"
    (saved.save_weights if suffix == ".weights.h5" else saved.save)(path)
    load_weights(fresh, path)
    np.testing.assert_array_equal(fresh(PICTURE), saved(PICTURE))


def test_legacy_weights_are_read_in_their_order(tmp_path: Path) -> None:
    """Keras 1 and 2 numbered unnamed layers per process, so only their order counts."""
    saved, path = small_network(), tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        names = []
        for number, layer in enumerate(saved.layers):
            group = file.create_group(f"layer_{number}")
            keys = []
            for index, weight in enumerate(layer.get_weights()):
                group.create_dataset(f"layer_{number}_W{index}:0", data=weight)
                keys.append(f"layer_{number}_W{index}:0".encode())
            group.attrs["weight_names"] = keys
            names.append(f"layer_{number}".encode())
        file.attrs["layer_names"] = names
    fresh = keras.models.clone_model(small_network())
    load_weights(fresh, path)
    np.testing.assert_array_equal(fresh(PICTURE), saved(PICTURE))


def test_the_first_layer_that_does_not_fit_is_named(tmp_path: Path) -> None:
    small_network(classes=7).save(tmp_path / "other.h5")
    expected = r"layer predictions has the shapes 8x7 7, expected 8x5 5$"
    with pytest.raises(NetworkError, match=expected):
        load_weights(small_network(), tmp_path / "other.h5")
    with pytest.raises(NetworkError, match=r"layer block1_conv1 \(first there\) has the shapes"):
        find("vgg16").build(["block1_conv1"], weights=tmp_path / "other.h5")


@pytest.mark.parametrize("name", ["no.h5", "text.h5", "text.keras", "folder.h5", "x.txt"])
def test_files_without_weights_are_refused(tmp_path: Path, name: str) -> None:
    for text in ("text.h5", "text.keras", "x.txt"):
        (tmp_path / text).write_text("no weights")
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(NetworkError, match=name.replace(".", r"\.")) as caught:
        load_weights(small_network(), tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_users_model_can_be_dreamed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mine{suffix}"
    model = small_network(size=32)
    model.save(path)
    spec = find(str(path))
    assert spec.layer("added").channels == 8
    assert spec.default_layers() == ("added",)
    assert tuple(spec.build(["added", CLASSES])(PICTURE)[1].shape) == (1, 32, 48, 5)
    with pytest.raises(NetworkError, match="did you mean added"):
        spec.layer("add")


def test_a_model_that_scales_its_input_gets_levels(tmp_path: Path) -> None:
    image = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 255)(image)
    keras.Model(image, layers.ReLU(name="same")(x)).save(tmp_path / "mine.keras")
    found = find(str(tmp_path / "mine.keras")).build(["same"])(PICTURE)
    np.testing.assert_allclose(found, PICTURE, rtol=1e-5)


def spoiled(path: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Write a model whose configuration has been tampered with."""
    good = path.with_name("good.keras")
    small_network().save(good)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                config = json.loads(data)
                change(config["config"]["layers"][1])
                data = json.dumps(config).encode()
            target.writestr(name, data)


def test_models_that_bring_code_are_refused(tmp_path: Path) -> None:
    image = keras.Input((None, None, 3))
    x = layers.Lambda(lambda x: x * 2, name="doubled")(image)
    keras.Model(image, x).save(tmp_path / "code.keras")
    with pytest.raises(NetworkError, match="layer 'doubled' is a Lambda, which may run code"):
        open_model(tmp_path / "code.keras")
    keras.Model(image, x).save(tmp_path / "code.h5")
    with pytest.raises(NetworkError, match="layer 'doubled' is a Lambda, which may run code"):
        open_model(tmp_path / "code.h5")

    def from_elsewhere(layer: dict[str, object]) -> None:
        layer.update(class_name="run", module="subprocess")

    spoiled(tmp_path / "module.keras", from_elsewhere)
    with pytest.raises(NetworkError, match="layer 'first' is a run, which may run code"):
        open_model(tmp_path / "module.keras")


@pytest.mark.parametrize(
    "changes",
    [
        {"class_name": "layers.Lambda", "module": "keras"},
        {"class_name": "layers.TFSMLayer", "module": "keras"},
        {"class_name": "TFSMLayer", "module": "keras.src.export.tfsm_layer"},
        {"class_name": "StringLookup"},
        {"class_name": "get_file", "module": "keras.utils"},
        {"class_name": "load_model", "module": "keras.src.saving.saving_api"},
        {"registered_name": "mine>Conv2D"},
        {"class_name": "Conv2D", "module": "keras.layers.../os"},
        {"class_name": ["Conv2D"]},
    ],
)
def test_disguised_code_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    spoiled(tmp_path / "disguised.keras", lambda layer: layer.update(changes))
    with pytest.raises(NetworkError, match=r"layer 'first' is a .* may run code"):
        open_model(tmp_path / "disguised.keras")


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_models_of_ordinary_blocks_are_taken(tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(
        4,
        3,
        padding="same",
        kernel_initializer=keras.initializers.HeNormal(),
        kernel_regularizer=keras.regularizers.L2(1e-4),
        kernel_constraint=keras.constraints.MaxNorm(),
        dtype=keras.DTypePolicy("mixed_float16"),
    )(image)
    x = keras.ops.relu(x) + x[:, ::-1]
    model = keras.Model(image, x)
    model.compile(optimizer="adam", loss=lambda a, b: a)
    model.save(tmp_path / "mine.keras")
    assert open_model(tmp_path / "mine.keras").output_shape == (None, 32, 32, 4)


@pytest.mark.parametrize("data", [b"PK\3\4", b"[" * 99999, b'{"class_name": "Conv2D"}', b"\xff"])
def test_broken_models_are_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "broken.keras", "w") as archive:
        archive.writestr("config.json", data)
    for path, content in (("plain.keras", data), ("plain.h5", data), ("broken.keras", None)):
        if content is not None:
            (tmp_path / path).write_bytes(content)
        with pytest.raises(NetworkError, match=path) as caught:
            open_model(tmp_path / path)
        assert "\n" not in str(caught.value)


def test_a_batch_norm_stays_when_its_convolution_has_other_readers() -> None:
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 1)(image)
    both = layers.Add(name="sum")([layers.BatchNormalization()(x), x])
    trained = layers.BatchNormalization(name="live")(layers.Conv2D(4, 1)(both), training=True)
    for name, output in (("sum", both), ("live", trained)):
        model = randomize(keras.Model(image, output))
        kept, folded = (
            np.asarray(cut(model, [name], fold=fold)(PICTURE)) for fold in (False, True)
        )
        np.testing.assert_allclose(folded, kept, atol=1e-5)


def test_a_layer_that_reads_by_keyword_is_a_reader() -> None:
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 1)(image)
    attention = layers.MultiHeadAttention(1, 4, attention_axes=(1, 2), name="attention")
    model = randomize(keras.Model(image, attention(query=layers.BatchNormalization()(x), value=x)))
    kept, folded = (
        np.asarray(cut(model, ["attention"], fold=fold)(PICTURE[:, :8, :8]))
        for fold in (False, True)
    )
    np.testing.assert_allclose(folded, kept, atol=1e-5)


def test_a_model_that_centres_its_input_gets_no_levels(tmp_path: Path) -> None:
    image = keras.Input((None, None, 3))
    x = layers.Rescaling(2.0, -1.0)(image)
    keras.Model(image, layers.Activation("linear", name="same")(x)).save(tmp_path / "mine.keras")
    found = find(str(tmp_path / "mine.keras")).build(["same"])(PICTURE)
    np.testing.assert_allclose(found, 2 * PICTURE - 1, atol=1e-5)


def test_models_of_other_things_than_pictures_are_refused(tmp_path: Path) -> None:
    numbers = keras.Input((7,))
    keras.Model(numbers, layers.Dense(2)(numbers)).save(tmp_path / "numbers.keras")
    with pytest.raises(NetworkError, match="no network of pictures"):
        open_model(tmp_path / "numbers.keras")
    with pytest.raises(NetworkError, match="there is no model file"):
        find(str(tmp_path / "nothing.keras"))


def test_every_network_of_keras_is_known() -> None:
    theirs = {name for name in dir(keras.applications) if name[0].isupper()}
    ours = {application.function for application in applications.APPLICATIONS}
    assert ours == theirs
    wanted = "inception_v3 vgg16 vgg19 resnet50 resnet50v2 mobilenet_v2 densenet121 xception"
    assert {*wanted.split(), "efficientnet_v2b0"} <= {spec.name for spec in networks()}
    assert find("ResNet50V2") is find("resnet50_v2") is find("resnet50v2")


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("mobilenet_v2", marks=pytest.mark.slow), "vgg16"])
def test_a_network_of_keras_gets_what_it_was_trained_on(tmp_path: Path, name: str) -> None:
    function = getattr(keras.applications, find(name).summary.split()[0])
    model = randomize(function(weights=None, include_top=False, input_shape=(64, 96, 3)))
    path = tmp_path / "their.weights.h5"
    model.save_weights(path)
    layer = find(name).default_layers()[0]
    module = applications.importlib.import_module(f"keras.applications.{name}")
    prepared = module.preprocess_input(PICTURE * 255.0)
    expected = np.asarray(keras.Model(model.input, model.get_layer(layer).output)(prepared))
    found = np.asarray(find(name).build([layer], weights=path)(PICTURE))
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.slow
def test_every_network_can_be_dreamed() -> None:
    """One of each kind that Keras builds differently."""
    for name in ("densenet121", "efficientnet_v2b0", "mobilenet_v3_small", "nasnet_mobile"):
        spec = find(name)
        names = [layer.partition("=")[0] for layer in spec.default_layers()]
        model = spec.build([*names, CLASSES], weights="random")
        picture = np.zeros((1, 160, 192, 3), np.float32)
        for layer, act in zip(names, model(picture), strict=False):
            listed = spec.layer(layer)
            assert act.shape[-1] == listed.channels, name
            assert abs(act.shape[1] * listed.stride - 160) <= 5 * listed.stride, name
