"""Reading checkpoints of either format by name.

May import `ir` only.
"""

import os
from typing import Any

from graphc.io.bundle import PREFIX, Array, BundleReader, index_path
from graphc.io.slices import Part, parse_spec
from graphc.io.tensor_slices import SlicesReader
from ir.build import export
from ir.dtypes import DType
from ir.errors import InvalidArgumentError

_OTHER_NAMES = {"float32": "FLOAT", "float64": "DOUBLE", "float16": "HALF"}


def opened(prefix: str) -> BundleReader | SlicesReader:
    """Returns a reader of a checkpoint, of the newer format if there is one. Raises NotFoundError, DataLossError."""
    return BundleReader(prefix) if os.path.isfile(index_path(prefix)) else SlicesReader(prefix)


class CheckpointReader:
    """The tensors of one checkpoint: names, shapes, types, values. What graphc adds for itself is not listed."""

    def __init__(self, filepattern: Any) -> None:
        self.prefix = os.fsdecode(filepattern)
        self._reader = opened(self.prefix)
        self._names = [n for n in self._reader.names if not n.startswith(PREFIX)]

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """Returns the shapes by name."""
        return {n: self._reader.shape(n) for n in self._names}

    def get_variable_to_dtype_map(self) -> dict[str, DType]:
        """Returns the types by name."""
        return {n: self._reader.dtype(n) for n in self._names}

    def has_tensor(self, tensor_str: Any) -> bool:
        """Whether there is a tensor of this name."""
        return _text(tensor_str) in self._reader

    def get_tensor(self, tensor_str: Any) -> Any:
        """Returns a tensor as a NumPy array, a NumPy scalar at rank 0; strings are bytes objects.

        Raises NotFoundError when there is none, DataLossError, which names the tensor and the file, when it is damaged.
        """
        return self._reader.get(_text(tensor_str))[()]

    def read(self, name: str, spec: str = "", dtype: DType | None = None) -> Array:
        """Returns a tensor, or the part of it that `spec` names. Raises InvalidArgumentError when it is not of type `dtype`."""
        found = self._reader.dtype(name)
        if dtype is not None and found is not dtype.base_dtype:
            raise InvalidArgumentError(
                None, None, f"tensor_name = {name}; expected dtype {dtype.base_dtype.name} does not equal original dtype {found.name} in {self.prefix}"
            )
        part = parse_spec(spec)
        return self._reader.get(name) if part is None else self._reader.get_part(name, part)

    def shape(self, name: str) -> list[int]:
        """The shape of a tensor. Raises NotFoundError when there is none."""
        return self._reader.shape(name)

    def parts(self, name: str) -> list[Part]:
        """The parts a tensor is stored in; none when it is stored whole."""
        return self._reader.parts(name)

    def debug_string(self) -> bytes:
        """Returns a line a tensor: name, type, shape."""
        lines: list[str] = []
        for n in self._names:
            dtype = self._reader.dtype(n).name
            shape = ",".join(str(d) for d in self._reader.shape(n))
            lines.append(f"{n} (DT_{_OTHER_NAMES.get(dtype, dtype.upper())}) [{shape}]\n")
        return "".join(lines).encode()


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


@export("train.NewCheckpointReader")
def NewCheckpointReader(filepattern: Any) -> CheckpointReader:
    """Returns a reader of the checkpoint `filepattern`, a prefix such as "model.ckpt-100".

    Raises NotFoundError when there is none, DataLossError when its index is damaged.
    """
    return CheckpointReader(filepattern)
