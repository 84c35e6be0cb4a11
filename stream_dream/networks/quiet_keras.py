"""Imports Keras without what TensorFlow prints meanwhile."""

from __future__ import annotations

from types import ModuleType

from stream_dream.quiet import hushed


def import_keras() -> ModuleType:
    """Return the module ``keras``; it is to be imported here first."""
    with hushed():
        import keras
    module: ModuleType = keras
    return module
