"""Refuse model files with classes other than Keras' own, or that run code or read files."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stream_dream.errors import NetworkError
from stream_dream.networks.quiet_keras import import_keras

# Layers that run code from the model file, or read other files.
_UNSAFE = {
    *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
    *("StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization"),
}
_SPACES = ("layers", "models", "initializers", "regularizers", "constraints", "dtype_policies")
_KERAS = re.compile(r"keras(\.\w+)*")
# Keras' class names for data, which it creates without calling anything.
_DATA = ("__keras_tensor__", "__tensor__", "__numpy__", "__ellipsis__", "__slice__", "__tuple__")


def refuse_code(config: Any, path: Path) -> None:
    """Refuse a model whose configuration names a class that may run code or read files.

    Keras' own safe mode is only a second defence: it failed in several releases.

    Args:
        config: The model's configuration as plain data; ``compile_config`` is ignored, as models
            are loaded uncompiled.
        path: The model file, for messages.

    Raises:
        NetworkError: The model is refused.
    """
    if isinstance(config, dict):
        config = {key: value for key, value in config.items() if key != "compile_config"}
    for found in _classes_in(config):
        if not _is_harmless(found):
            inner = found.get("config")
            called = inner.get("name", "?") if isinstance(inner, dict) else "?"
            raise NetworkError(
                f"{path} is refused: its layer {called!r} is a {found['class_name']}, which may "
                "run code of its own; rebuild the model with Keras' own layers"
            )


def _classes_in(config: Any) -> Iterator[dict[str, Any]]:
    """Yield all nested dicts of a configuration that name a class."""
    pending = [config]
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            if "class_name" in found:
                yield found
            pending.extend(found.values())
        elif isinstance(found, list):
            pending.extend(found)


def _is_harmless(found: dict[str, Any]) -> bool:
    """Return whether a class is a harmless one of Keras, under its plain name."""
    name, module = found["class_name"], found.get("module")
    if not isinstance(name, str) or found.get("registered_name") not in (None, name):
        return False
    if name in _DATA:
        return True
    made = _resolved(name, module)
    keras = import_keras()
    blocks = (
        *(keras.Operation, keras.Initializer, keras.Regularizer),
        *(keras.constraints.Constraint, keras.DTypePolicy),
    )
    if not (isinstance(made, type) and issubclass(made, blocks)):
        return False
    return not _UNSAFE & {base.__name__ for base in made.__mro__}


def _resolved(name: str, module: Any) -> Any:
    """Look a class up as Keras does; None if Keras has no class of that name."""
    keras = import_keras()
    if not name.isidentifier():
        return None
    if module is None:  # Keras 2
        if name == "Functional":
            return keras.Model
        spaces = [getattr(keras, space) for space in _SPACES]
        return next((getattr(space, name) for space in spaces if hasattr(space, name)), None)
    if not isinstance(module, str) or not _KERAS.fullmatch(module):
        return None
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
