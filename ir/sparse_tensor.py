"""SparseTensor: coordinates, values and a dense shape, as three tensors."""

import collections
from typing import TYPE_CHECKING, Any

from ir import static
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import DType, int64
from ir.graph import Graph
from ir.infer import with_rank
from ir.shapes import TensorShape
from ir.tensor import Operation, Tensor

#: the value of a SparseTensor outside a graph: what a Session feeds and fetches
SparseTensorValue = collections.namedtuple("SparseTensorValue", ["indices", "values", "dense_shape"])  # noqa: PYI024
__exports__ = {"SparseTensorValue": "SparseTensorValue"}


@export("SparseTensor sparse.SparseTensor")
class SparseTensor:
    """A tensor most of whose elements are zero (or missing).

    `indices` is int64[n, rank], one row per element; `values` has shape [n] and any type; `dense_shape` is
    int64[rank]. Most ops expect the indices in row-major order: see `sparse.reorder`.
    """

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        with get_default_graph().name_scope("SparseTensor"):
            self._indices = convert_to_tensor(indices, int64, "indices")
            self._values = convert_to_tensor(values, None, "values", as_ref=True)
            self._dense_shape = convert_to_tensor(dense_shape, int64, "dense_shape")
        n, rank = with_rank(self._indices.dims, 2, "indices")
        (count,) = with_rank(self._values.dims, 1, "values")
        (length,) = with_rank(self._dense_shape.dims, 1, "dense_shape")
        if n is not None and count is not None and n != count:
            raise ValueError(f"Dimensions {n} and {count} are not compatible: the rows of indices and the length of values")
        if rank is not None and length is not None and rank != length:
            raise ValueError(f"Dimensions {rank} and {length} are not compatible: the columns of indices and the length of dense_shape")

    @classmethod
    def from_value(cls, sparse_tensor_value: Any) -> "SparseTensor":
        """Returns a SparseTensor of a SparseTensorValue, or the SparseTensor that is given."""
        if not isinstance(sparse_tensor_value, (SparseTensor, SparseTensorValue)):
            raise TypeError(f"Neither a SparseTensor nor SparseTensorValue: {sparse_tensor_value!r}.")
        v = sparse_tensor_value
        return SparseTensor(v.indices, v.values, v.dense_shape)

    @property
    def indices(self) -> Tensor:
        """The coordinates of the elements, int64[n, rank]."""
        return self._indices

    @property
    def values(self) -> Tensor:
        """The elements, in the order of `indices`."""
        return self._values

    @property
    def dense_shape(self) -> Tensor:
        """The shape of the dense tensor, int64[rank]."""
        return self._dense_shape

    @property
    def op(self) -> Operation:
        """The operation that makes `values`."""
        return self._values.op

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return self._values.dtype

    @property
    def graph(self) -> Graph:
        """The graph the parts belong to."""
        return self._indices.graph

    @property
    def shape(self) -> TensorShape:
        """The static shape of the dense tensor."""
        return self.get_shape()

    def get_shape(self) -> TensorShape:
        """Returns the static shape of the dense tensor, as far as it is known."""
        return TensorShape(static.shape_value_of(self._dense_shape))

    def consumers(self) -> list[Operation]:
        """Returns the operations that use the values."""
        return self._values.consumers()

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """Runs the graph for the three parts and returns them as a SparseTensorValue."""
        parts = [t.eval(feed_dict, session) for t in (self._indices, self._values, self._dense_shape)]
        return SparseTensorValue(*parts)

    def __str__(self) -> str:
        return f"SparseTensor(indices={self._indices}, values={self._values}, dense_shape={self._dense_shape})"

    __repr__ = __str__

    if TYPE_CHECKING:  # ir.ops.sparse installs these

        def __mul__(self, other: Any) -> "SparseTensor": ...
        def __truediv__(self, other: Any) -> "SparseTensor": ...
