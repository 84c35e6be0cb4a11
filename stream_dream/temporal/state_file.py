"""Files that hold the state of a dreamer."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import SettingsError

Arrays = Mapping[str, NDArray[Any]]
_State = TypeVar("_State")


def write_state(path: Path | str, state: Mapping[str, Any], arrays: Arrays) -> None:
    """Write a state, values of JSON by name, and arrays to a NumPy ``.npz`` file, as a whole."""
    path = Path(path)
    contents: dict[str, Any] = {"state": np.array(json.dumps(state)), **arrays}
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            np.savez(file, **contents)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_state(
    path: Path | str, version: int, parse: Callable[[dict[str, Any], Arrays], _State]
) -> _State:
    """Return what ``parse`` makes of the state and arrays of a file.

    Args:
        path: The file.
        version: What the state's ``version`` has to be.
        parse: May raise ``ValueError``, ``KeyError`` or ``TypeError``.

    Raises:
        SettingsError: The file was not written by ``write_state``, or ``parse`` refuses it.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        state = json.loads(str(arrays.pop("state")))
        if state["version"] != version:
            raise ValueError(f"its version is {state['version']}, expected {version}")
        return parse(state, arrays)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise SettingsError(f"{path} is not a saved dream that can be used: {error}") from error
