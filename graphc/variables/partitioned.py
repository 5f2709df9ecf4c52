"""Variables in parts, and the functions that say how many parts a variable is to have."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ir.build import export
from ir.convert import get_default_graph, register_tensor_conversion_function
from ir.dtypes import DType, string
from ir.ops.basic import identity
from ir.ops.joining import concat, split
from ir.shapes import TensorShape, as_shape
from ir.tensor import Tensor

Partitioner = Callable[..., list[int]]


class PartitionedVariable:
    """A variable whose parts along one dimension are variables: iterate over it for the parts, use it as a tensor for the whole."""

    def __init__(self, name: str, shape: Any, dtype: DType, variable_list: Sequence[Any], partitions: Sequence[int]) -> None:
        if not isinstance(variable_list, (list, tuple)):
            raise TypeError(f"variable_list is not a list or tuple: {variable_list}")
        if not isinstance(partitions, (list, tuple)):
            raise TypeError(f"partitions is not a list or tuple: {partitions}")
        if not all(p >= 1 for p in partitions):
            raise ValueError(f"partition values must be positive: {partitions}")
        if not variable_list:
            raise ValueError("variable_list may not be empty")
        self._shape = as_shape(shape)
        for v in variable_list:
            info = v._get_save_slice_info()
            if info is None:
                raise ValueError(f"All variables must have a save_slice_info available: {[v.name for v in variable_list]}")
            if self._shape != info.full_shape or len(info.full_shape) != len(partitions):
                raise ValueError(f"All variables' full shapes must match shape: {shape}; but full shapes were: {info.full_shape}")
        self._variables = sorted(variable_list, key=lambda v: v._get_save_slice_info().var_offset)
        self._name = name
        self._dtype = dtype
        self.partitions = partitions

    def __iter__(self) -> Iterator[Any]:
        return iter(self._variables)

    def __len__(self) -> int:
        self._axis("get a length for")
        return len(self._variables)

    def _axis(self, what: str) -> int:
        """The dimension that is cut. Raises when there are several."""
        axes = [i for i, p in enumerate(self.partitions) if p > 1] or [0]
        if len(axes) > 1:
            raise NotImplementedError(f"Cannot {what} more than one dimension: {axes}.")
        return axes[0]

    def as_tensor(self) -> Tensor:
        """Returns the parts, concatenated."""
        graph = get_default_graph()
        with graph.control_dependencies(None):
            if len(self._variables) == 1:
                with graph.name_scope(None):
                    return identity(self._variables[0], name=self._name)
            axis = self._axis("concatenate along")
            with graph.name_scope(self._name + "/ConcatPartitions/"):
                whole = concat(self._variables, axis)
            with graph.name_scope(None):
                return identity(whole, name=self._name)

    @property
    def name(self) -> str:
        """The name of the whole."""
        return self._name

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        """The shape of the whole."""
        return self._shape

    def get_shape(self) -> TensorShape:
        """Returns the shape of the whole."""
        return self._shape

    def _get_variable_list(self) -> list[Any]:
        return self._variables

    def _get_partitions(self) -> Sequence[int]:
        return self.partitions

    def _each(self, method: str, value: Any, use_locking: bool, name: str | None, read_value: bool) -> list[Any]:
        axis = self._axis("assign along")
        if isinstance(value, PartitionedVariable):
            value = list(value)
        if not isinstance(value, list):
            value = split(value, [v.shape.as_list()[axis] for v in self._variables], axis=axis)
        return [getattr(v, method)(part, use_locking=use_locking, name=name, read_value=read_value) for v, part in zip(self._variables, value, strict=True)]

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> list[Any]:
        """Gives the parts new values: `value` is the whole, or a list of one for each part. Returns a list, one entry per part."""
        return self._each("assign", value, use_locking, name, read_value)

    def assign_add(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> list[Any]:
        """Adds to the parts; see `assign`."""
        return self._each("assign_add", value, use_locking, name, read_value)

    def assign_sub(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> list[Any]:
        """Subtracts from the parts; see `assign`."""
        return self._each("assign_sub", value, use_locking, name, read_value)

    def __repr__(self) -> str:
        return f"<tf.PartitionedVariable '{self._name}' shape={self._shape} dtype={self._dtype.name} parts={len(self._variables)}>"


def _to_tensor(value: PartitionedVariable, dtype: DType | None = None, name: str | None = None, as_ref: bool = False) -> Tensor:
    if dtype is not None and not dtype.is_compatible_with(value.dtype):
        raise ValueError(f"Incompatible type conversion requested to type '{dtype.name}' for variable of type '{value.dtype.name}'")
    if as_ref:
        raise NotImplementedError("PartitionedVariable doesn't support being used as a reference.")
    return value.as_tensor()


register_tensor_conversion_function(PartitionedVariable, _to_tensor)


@export("fixed_size_partitioner")
def fixed_size_partitioner(num_shards: int, axis: int = 0) -> Partitioner:
    """Returns a partitioner that cuts dimension `axis` into `num_shards` parts, or as many as it has entries."""

    def partitioner(shape: TensorShape, **_: Any) -> list[int]:
        parts = [1] * len(shape)
        parts[axis] = min(num_shards, shape.as_list()[axis] or 1)
        return parts

    return partitioner


def _element_size(dtype: DType, bytes_per_string: int) -> int:
    return bytes_per_string if dtype.base_dtype is string else dtype.size


@export("variable_axis_size_partitioner")
def variable_axis_size_partitioner(max_shard_bytes: int, axis: int = 0, bytes_per_string_element: int = 16, max_shards: int | None = None) -> Partitioner:
    """Returns a partitioner that keeps every part within `max_shard_bytes`, with at most `max_shards` parts along `axis`.

    Raises ValueError when a limit is not positive.
    """
    if max_shard_bytes < 1 or bytes_per_string_element < 1:
        raise ValueError("Both max_shard_bytes and bytes_per_string_element must be positive.")
    if max_shards and max_shards < 1:
        raise ValueError("max_shards must be positive.")

    def partitioner(shape: Any, dtype: DType, **_: Any) -> list[int]:
        if not isinstance(shape, TensorShape) or not shape.is_fully_defined():
            raise ValueError(f"shape is not a fully defined TensorShape: {shape}")
        sizes: list[Any] = shape.as_list()
        row = math.prod(sizes) / sizes[axis] * _element_size(dtype, bytes_per_string_element)
        count = math.ceil(sizes[axis] / max(1, math.floor(max_shard_bytes / row)))
        parts = [1] * len(sizes)
        parts[axis] = min(max_shards, count) if max_shards else count
        return parts

    return partitioner


@export("min_max_variable_partitioner")
def min_max_variable_partitioner(max_partitions: int = 1, axis: int = 0, min_slice_size: int = 256 << 10, bytes_per_string_element: int = 16) -> Partitioner:
    """Returns a partitioner that makes as many parts along `axis` as keep each at `min_slice_size` bytes, at most `max_partitions`."""

    def partitioner(shape: TensorShape, dtype: DType, **_: Any) -> list[int]:
        sizes: list[Any] = shape.as_list()
        if axis >= len(sizes):
            raise ValueError(f"Can not partition variable along axis {axis} when shape is only {shape}")
        total = math.prod(sizes) * _element_size(dtype, bytes_per_string_element)
        parts = [1] * len(sizes)
        parts[axis] = max(1, min(sizes[axis], max_partitions, math.ceil(total / min_slice_size)))
        return parts

    return partitioner
