"""Read PyTorch checkpoints of the format used before 2020, without PyTorch.

The file is five pickles (magic number, protocol, system info, the state dict, the storage keys)
followed by the storages: each an int64 element count and the raw little-endian elements. The state
dict refers to storages by key. A tensor is a *strided view* of one, so its strides matter:
checkpoints converted from TensorFlow are full of transposed views.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import NetworkError, first_line

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
}


class _Storage(NamedTuple):
    key: str
    dtype: str


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Resolves only the few names that a state dict needs, and refuses all others."""

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda *given: _Tensor(*given[:4]),
        }
        if (module, name) in known:
            return known[module, name]
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise ValueError(f"a state dict does not contain {module}.{name}: file refused")

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, _, _, view = pid
        if view is not None:
            raise ValueError("views of storages are not supported")
        return _Storage(key, dtype)


def _read_storages(file: BinaryIO, dtypes: dict[str, str]) -> dict[str, NDArray[Any]]:
    storages = {}
    for key in _Unpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        dtype = np.dtype(dtypes[key])
        data = file.read(count * dtype.itemsize)
        if len(data) != count * dtype.itemsize:
            raise ValueError(f"it ends within storage {key}: it is truncated")
        storages[key] = np.frombuffer(data, dtype)
    return storages


def read_torch_file(path: Path) -> dict[str, NDArray[Any]]:
    """Read a ``.pth`` file of a version before 1.6 into contiguous arrays by tensor name.

    Raises:
        NetworkError: The file has another format, is truncated or contains more than tensors.
    """
    try:
        with path.open("rb") as file:
            if _Unpickler(file).load() != _MAGIC:
                raise ValueError("it has not the format of versions before 1.6")
            for _ in ("protocol version", "system info"):
                _Unpickler(file).load()
            tensors: dict[str, _Tensor] = _Unpickler(file).load()
            if not all(isinstance(tensor, _Tensor) for tensor in tensors.values()):
                raise ValueError("it holds more than a state dict, which is one tensor a name")
            dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
            storages = _read_storages(file, dtypes)
        return {name: _view(storages[one.storage.key], one) for name, one in tensors.items()}
    except Exception as error:  # damaged pickles fail in many ways
        raise NetworkError(
            f"{path} cannot be read as a PyTorch file: {first_line(error)}"
        ) from error


def _view(storage: NDArray[Any], tensor: _Tensor) -> NDArray[Any]:
    last = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if last >= storage.size or min((tensor.offset, *tensor.shape, *tensor.strides)) < 0:
        raise ValueError(f"a tensor of shape {tensor.shape} reaches beyond its storage")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides)
    return np.ascontiguousarray(view).reshape(tensor.shape)
