"""IndexedSlices: a sparse gradient, rows `values` for the rows `indices` of a dense tensor."""

from typing import Any

from ir.dtypes import DType
from ir.graph import Graph
from ir.tensor import Operation, Tensor


class IndexedSlices:
    """A set of slices of a larger tensor: `dense[indices[i], ...] = values[i, ...]`; equal indices add up.

    `dense_shape` is a 1-D integer tensor with the shape of the larger tensor, or None.
    """

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self._values = values
        self._indices = indices
        self._dense_shape = dense_shape

    @property
    def values(self) -> Tensor:
        """The rows."""
        return self._values

    @property
    def indices(self) -> Tensor:
        """The number of each row in the larger tensor."""
        return self._indices

    @property
    def dense_shape(self) -> Tensor | None:
        """The shape of the larger tensor, or None."""
        return self._dense_shape

    @property
    def name(self) -> str:
        """The name of `values`."""
        return self.values.name

    @property
    def device(self) -> str:
        """The device of `values`."""
        return self.values.device

    @property
    def op(self) -> Operation:
        """The operation that makes `values`."""
        return self.values.op

    @property
    def dtype(self) -> DType:
        """The element type of `values`."""
        return self.values.dtype

    @property
    def graph(self) -> Graph:
        """The graph the parts belong to."""
        return self.values.graph

    def consumers(self) -> list[Operation]:
        """Returns the operations that use `values`."""
        return self.values.consumers()

    def __neg__(self) -> "IndexedSlices":
        return IndexedSlices(-self.values, self.indices, self.dense_shape)

    def __repr__(self) -> str:
        return f"IndexedSlices(indices={self.indices}, values={self.values}, dense_shape={self.dense_shape})"


__exports__ = {"IndexedSlices": "IndexedSlices"}
