"""Reads checkpoints of TensorFlow's first format: every file is a table of TensorProtos, several files when there are several shards.

May import `ir` only.
"""

import glob
import os
import re
from typing import Any

import numpy as np

from graphc.io.bundle import Array, not_found
from graphc.io.messages import SavedTensorSlices
from graphc.io.slices import Part, part_of
from graphc.io.table import decode_table
from ir.dtypes import DType, as_dtype
from ir.errors import DataLossError, InvalidArgumentError, NotFoundError
from ir.graphdef.tensor_util import make_ndarray

_SHARDED = re.compile(r"-\d{5}-of-\d{5}$")


def files_of(pattern: str) -> list[str]:
    """Returns the files that a path, a prefix of shards or a pattern names."""
    if os.path.isfile(pattern):
        return [pattern]
    found = [p for p in glob.glob(glob.escape(pattern) + "-?????-of-?????") if _SHARDED.search(p)]
    return sorted(found or [p for p in glob.glob(pattern) if os.path.isfile(p)])


class SlicesReader:
    """The tensors of one checkpoint of the first format; see `BundleReader`."""

    def __init__(self, pattern: str) -> None:
        self.prefix = pattern
        self._metas: dict[str, Any] = {}
        self._data: dict[str, list[tuple[Part, Any, str]]] = {}
        found = files_of(pattern)
        if not found:
            raise not_found(pattern)
        for path in found:
            self._open(path)
        self.names = sorted(self._metas)

    def _open(self, path: str) -> None:
        with open(path, "rb") as f:
            data = f.read()
        for key, value in decode_table(data, path):
            try:
                message = SavedTensorSlices.FromString(value)
                if not key:
                    for m in message.meta.tensor:
                        self._metas.setdefault(m.name, m)
                else:
                    name = message.data.name
                    shape = [d.size for d in self._metas[name].shape.dim]
                    self._data.setdefault(name, []).append((part_of(shape, message.data.slice), message.data.data, path))
            except Exception as e:  # protobuf's own exception class differs between its implementations
                raise DataLossError(None, None, f"{path} is damaged: the entry {key!r} cannot be read ({type(e).__name__}: {e})") from None

    def __contains__(self, name: str) -> bool:
        return name in self._metas

    def _meta(self, name: str) -> Any:
        if name not in self._metas:
            raise NotFoundError(None, None, f'Tensor name "{name}" not found in checkpoint files {self.prefix}')
        return self._metas[name]

    def dtype(self, name: str) -> DType:
        """The type of a tensor."""
        return as_dtype(self._meta(name).type)

    def shape(self, name: str) -> list[int]:
        """The shape of a tensor."""
        return [d.size for d in self._meta(name).shape.dim]

    def parts(self, name: str) -> list[Part]:
        """The parts a tensor is stored in; none when it is stored whole."""
        found = [p for p, _, _ in self._data.get(name, [])]
        return [] if len(found) == 1 and found[0].shape == found[0].full else found

    def get(self, name: str) -> Array:
        """Returns a tensor, put together when it is stored in parts. Raises NotFoundError, DataLossError."""
        dtype, shape = self.dtype(name), self.shape(name)
        out = np.empty(shape, dtype.np_dtype)
        missing = int(np.prod(shape))
        for part, proto, path in self._data.get(name, []):
            proto.dtype = dtype.as_datatype_enum
            proto.tensor_shape.Clear()
            for d in part.shape:
                proto.tensor_shape.dim.add(size=d)
            try:
                value = make_ndarray(proto)
            except (ValueError, TypeError) as e:
                raise DataLossError(None, None, f"Tensor {name} in {path} is damaged: {e}") from None
            out[tuple(slice(o, o + n) for o, n in zip(part.offset, part.shape, strict=True))] = value
            missing -= value.size
        if missing > 0:
            raise DataLossError(None, None, f"The parts of tensor {name} in {self.prefix} do not make up shape {shape}")
        return out

    def get_part(self, name: str, part: Part) -> Array:
        """Returns a part of a tensor; see `get`."""
        if list(part.full) != self.shape(name):
            raise InvalidArgumentError(None, None, f"Shape mismatch: tensor {name} has shape {self.shape(name)} in {self.prefix}, expected {list(part.full)}")
        return self.get(name)[tuple(slice(o, o + n) for o, n in zip(part.offset, part.shape, strict=True))]
