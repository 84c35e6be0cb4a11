"""The networks of ``keras.applications``, by Keras' own names."""

from __future__ import annotations

import importlib
import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stream_dream.errors import DownloadError
from stream_dream.networks.quiet_keras import import_keras, keras_defaults
from stream_dream.networks.spec import CLASSES, Layer, NetworkSpec, Weights, snake_case

if TYPE_CHECKING:
    import keras


class Application(NamedTuple):
    """A network of Keras.

    Attributes:
        name: As used in ``--network``.
        function: Its constructor in ``keras.applications``.
        module: Module of ``keras.applications`` with its ``preprocess_input``.
        megabytes: Size of the weights without the classifier.
    """

    name: str
    function: str
    module: str
    megabytes: float


APPLICATIONS = (
    Application("convnext_base", "ConvNeXtBase", "convnext", 350),
    Application("convnext_large", "ConvNeXtLarge", "convnext", 785),
    Application("convnext_small", "ConvNeXtSmall", "convnext", 198),
    Application("convnext_tiny", "ConvNeXtTiny", "convnext", 111),
    Application("convnext_xlarge", "ConvNeXtXLarge", "convnext", 1393),
    Application("densenet121", "DenseNet121", "densenet", 28),
    Application("densenet169", "DenseNet169", "densenet", 51),
    Application("densenet201", "DenseNet201", "densenet", 73),
    Application("efficientnet_v2b0", "EfficientNetV2B0", "efficientnet_v2", 24),
    Application("efficientnet_v2b1", "EfficientNetV2B1", "efficientnet_v2", 28),
    Application("efficientnet_v2b2", "EfficientNetV2B2", "efficientnet_v2", 35),
    Application("efficientnet_v2b3", "EfficientNetV2B3", "efficientnet_v2", 52),
    Application("efficientnet_v2l", "EfficientNetV2L", "efficientnet_v2", 471),
    Application("efficientnet_v2m", "EfficientNetV2M", "efficientnet_v2", 213),
    Application("efficientnet_v2s", "EfficientNetV2S", "efficientnet_v2", 81),
    Application("efficientnetb0", "EfficientNetB0", "efficientnet", 16),
    Application("efficientnetb1", "EfficientNetB1", "efficientnet", 26),
    Application("efficientnetb2", "EfficientNetB2", "efficientnet", 31),
    Application("efficientnetb3", "EfficientNetB3", "efficientnet", 43),
    Application("efficientnetb4", "EfficientNetB4", "efficientnet", 71),
    Application("efficientnetb5", "EfficientNetB5", "efficientnet", 114),
    Application("efficientnetb6", "EfficientNetB6", "efficientnet", 164),
    Application("efficientnetb7", "EfficientNetB7", "efficientnet", 256),
    Application("inception_resnet_v2", "InceptionResNetV2", "inception_resnet_v2", 217),
    Application("inception_v3", "InceptionV3", "inception_v3", 87),
    Application("mobilenet", "MobileNet", "mobilenet", 13),
    Application("mobilenet_v2", "MobileNetV2", "mobilenet_v2", 9),
    Application("mobilenet_v3_large", "MobileNetV3Large", "mobilenet_v3", 12),
    Application("mobilenet_v3_small", "MobileNetV3Small", "mobilenet_v3", 4),
    Application("nasnet_large", "NASNetLarge", "nasnet", 340),
    Application("nasnet_mobile", "NASNetMobile", "nasnet", 17),
    Application("resnet101", "ResNet101", "resnet", 171),
    Application("resnet101v2", "ResNet101V2", "resnet_v2", 171),
    Application("resnet152", "ResNet152", "resnet", 233),
    Application("resnet152v2", "ResNet152V2", "resnet_v2", 233),
    Application("resnet50", "ResNet50", "resnet", 94),
    Application("resnet50v2", "ResNet50V2", "resnet_v2", 94),
    Application("vgg16", "VGG16", "vgg16", 59),
    Application("vgg19", "VGG19", "vgg19", 80),
    Application("xception", "Xception", "xception", 83),
)
# The layers of the Keras notebook and the Keras example.
_FAVOURITES = {"inception_v3": ("mixed2=2", "mixed3=0.5", "mixed4", "mixed5=2")}


# Sides of networks that Keras cannot build for pictures of any size.
_BUILT_FOR = {"nasnet_large": 331, "nasnet_mobile": 224}


def spec(application: Application) -> NetworkSpec:
    """Return the spec of a network of Keras."""
    return NetworkSpec(
        name=application.name,
        summary=f"{application.function} of Keras, ImageNet",
        origin="download",
        megabytes=application.megabytes,
        favourites=_FAVOURITES.get(application.name, ()),
        list_layers=partial(_list_layers, application),
        build=partial(_build, application),
        # NASNet's branches fit only if all of its maps have even sides.
        granularity=32 if application.name in _BUILT_FOR else 1,
        # Keras shows its own progress.
        fetch=lambda on_progress: _open(application, "imagenet", top=False),
        is_fetched=partial(_is_fetched, application),
    )


@cache
@keras_defaults()
def _list_layers(application: Application) -> tuple[Layer, ...]:
    from stream_dream.networks.graph_surgery import describe

    return describe(_open(application, None, top=False))


@keras_defaults()
def _build(
    application: Application,
    names: Sequence[str],
    *,
    weights: Weights = "pretrained",
    fold: bool = True,
) -> keras.Model:
    from stream_dream.networks.graph_surgery import cut
    from stream_dream.networks.weight_files import load_weights

    top = CLASSES in names
    model = _open(application, "imagenet" if weights == "pretrained" else None, top=top)
    if isinstance(weights, Path):
        load_weights(model, weights)
    return cut(model, names, prepare=partial(_prepare, application), fold=fold)


def _is_fetched(application: Application) -> bool:
    """Return whether Keras' folder has the weights, by file name.

    Names vary, such as ``vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5``,
    ``efficientnetv2-b0_notop.h5``, ``weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5``.
    """
    name = application.name.replace("_", "")
    pattern = re.compile(rf"(weights)?{name}(?!v\d).*notop.*\.h5")
    files = (re.sub(r"[_-]", "", path.name) for path in _models_folder().glob("*.h5"))
    return any(pattern.fullmatch(file) for file in files)


def _models_folder() -> Path:
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"


def _open(application: Application, weights: str | None, *, top: bool) -> keras.Model:
    """Build a network of Keras, for pictures of any size or, with ``top``, of its own size."""
    keras = import_keras()
    side = _BUILT_FOR.get(application.name)
    shape = {} if top else {"input_shape": (side, side, 3)}
    function = getattr(keras.applications, application.function)
    try:
        with warnings.catch_warnings():
            # Some warn that their weights are those for pictures of another size.
            warnings.simplefilter("ignore")
            model = function(weights=weights, include_top=top, **shape)
    except Exception as error:
        # Keras raises a bare Exception if a download fails.
        if weights is None:
            raise
        raise DownloadError(_where_to_get(application, str(error))) from error
    _number(model)
    return model


def _number(model: keras.Model) -> None:
    """Renumber the layers that Keras has named: its counts include networks built earlier."""
    counts: Counter[str] = Counter()
    for layer in model.layers:
        kind = snake_case(type(layer).__name__)
        if re.fullmatch(rf"{kind}(_\d+)?", layer.name):
            layer.name = f"{kind}_{counts[kind]}" if counts[kind] else kind
            counts[kind] += 1


def _where_to_get(application: Application, problem: str) -> str:
    found = re.search(r"https?://\S+", problem)
    address = found[0].rstrip(":,") if found else "them from Keras"
    reason = problem.splitlines()[0].rpartition(" -- ")[2]
    return (
        f"the weights of {application.name} cannot be downloaded ({reason}): "
        f"fetch {address} and put it into {_models_folder()}, or give it with --weights FILE"
    )


def _prepare(application: Application, image: Any) -> Any:
    """Scale a symbolic image in [0, 1] to the values that the network was trained on."""
    import keras

    module = importlib.import_module(f"keras.applications.{application.module}")
    return module.preprocess_input(keras.layers.Rescaling(255.0, name="to_levels")(image))
