"""Reductions over segments of gathered rows, SparseSegmentSum, Mean and SqrtN, and the gradients of the last two."""

from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.dtypes import INDEX, REAL, TypeSet, int32
from ir.infer import Infer
from ir.opdef import In, Int32, T
from ir.ops.gather import gather
from ir.ops.layout import length, shape, sizes
from ir.ops.scatter_util import scatter_rows, take_rows
from ir.ops.segment import combined, counts, sorted_count, unsorted_segment_sum
from ir.shapes import Dims
from ir.tensor import Operation, Tensor

Tidx = Annotated[Any, In("Tidx")]
Tnumsegments = Annotated[Any, In("Tnumsegments")]
INT32_INDEX = INDEX.default_to(int32)
WIDE = TypeSet("float32 float64")


def _checked(c: Infer) -> Dims:
    data, indices, ids = c.rank_at_least(0, 1), length(c, 1), length(c, 2)
    if None not in (indices, ids) and indices != ids:
        raise ValueError(f"segment_ids and indices should have same size: {ids} and {indices}")
    return data


def _sorted_dims(c: Infer) -> Dims:
    data, known = _checked(c), c.value(2)
    if data is None:
        return None
    if known is None:
        return (None, *data[1:])
    return (int(known[-1]) + 1 if known.size else 0, *data[1:])


def _counted_dims(c: Infer) -> Dims:
    """The shape when the fourth input is the number of rows."""
    data, n = _checked(c), c.value(3)
    c.rank(3, 0)
    return None if data is None else (None if n is None else int(n), *data[1:])


# -- bodies ------------------------------------------------------------------------------------------


def _sum(data: Any, indices: Any, ids: Any, count: int) -> Any:
    return combined("add", 0, take_rows(data, indices), ids, count)


def _mean(data: Any, indices: Any, ids: Any, count: int) -> Any:
    total = _sum(data, indices, ids, count)
    return xp.divide(total, counts(ids, count, total))


def _sqrt_n(data: Any, indices: Any, ids: Any, count: int) -> Any:
    total = _sum(data, indices, ids, count)
    return xp.divide(total, xp.sqrt(counts(ids, count, total)))


def _spread_back(dz: Any, weights: Any, indices: Any, ids: Any, count: int) -> Any:
    """Adds each row of `dz`, weighted, to the rows that its segment was gathered from."""
    rows = take_rows(xp.multiply(dz, weights), ids)
    return scatter_rows(xp.namespace(dz, ids).zeros((count, *dz.shape[1:]), dz.dtype), indices, rows, "add")


# -- operations --------------------------------------------------------------------------------------


@op("SparseSegmentSum", _sorted_dims, dynamic=True, T=REAL, Tidx=INT32_INDEX)
def _sparse_segment_sum(data: T, indices: Tidx, segment_ids: Int32, name: str | None = None) -> Tensor:
    """The sums of the rows `indices` of `data` that have equal ids."""
    return _sum(data, indices, segment_ids, sorted_count(segment_ids))


@op("SparseSegmentMean", _sorted_dims, dynamic=True, T=WIDE, Tidx=INT32_INDEX)
def _sparse_segment_mean(data: T, indices: Tidx, segment_ids: Int32, name: str | None = None) -> Tensor:
    """The means of the rows `indices` of `data` that have equal ids."""
    return _mean(data, indices, segment_ids, sorted_count(segment_ids))


@op("SparseSegmentSqrtN", _sorted_dims, dynamic=True, T=WIDE, Tidx=INT32_INDEX)
def _sparse_segment_sqrt_n(data: T, indices: Tidx, segment_ids: Int32, name: str | None = None) -> Tensor:
    """The sums of the rows `indices` of `data` that have equal ids, over the square roots of their numbers."""
    return _sqrt_n(data, indices, segment_ids, sorted_count(segment_ids))


@op("SparseSegmentSumWithNumSegments", _counted_dims, static="num_segments", T=REAL, Tidx=INT32_INDEX, Tnumsegments=INT32_INDEX)
def _sparse_segment_sum_n(data: T, indices: Tidx, segment_ids: Int32, num_segments: Tnumsegments, name: str | None = None) -> Tensor:
    """`SparseSegmentSum` with a given number of rows."""
    return _sum(data, indices, segment_ids, sizes(num_segments)[0])


@op("SparseSegmentMeanWithNumSegments", _counted_dims, static="num_segments", T=WIDE, Tidx=INT32_INDEX, Tnumsegments=INT32_INDEX)
def _sparse_segment_mean_n(data: T, indices: Tidx, segment_ids: Int32, num_segments: Tnumsegments, name: str | None = None) -> Tensor:
    """`SparseSegmentMean` with a given number of rows."""
    return _mean(data, indices, segment_ids, sizes(num_segments)[0])


@op("SparseSegmentSqrtNWithNumSegments", _counted_dims, static="num_segments", T=WIDE, Tidx=INT32_INDEX, Tnumsegments=INT32_INDEX)
def _sparse_segment_sqrt_n_n(data: T, indices: Tidx, segment_ids: Int32, num_segments: Tnumsegments, name: str | None = None) -> Tensor:
    """`SparseSegmentSqrtN` with a given number of rows."""
    return _sqrt_n(data, indices, segment_ids, sizes(num_segments)[0])


@op("SparseSegmentMeanGrad", _counted_dims, static="output_dim0", T=WIDE, Tidx=INT32_INDEX)
def _sparse_segment_mean_grad(grad: T, indices: Tidx, segment_ids: Int32, output_dim0: Int32, name: str | None = None) -> Tensor:
    """The gradient of `SparseSegmentMean`, of `output_dim0` rows."""
    weights = xp.divide(np.ones((), grad.dtype), counts(segment_ids, grad.shape[0], grad))
    return _spread_back(grad, weights, indices, segment_ids, sizes(output_dim0)[0])


@op("SparseSegmentSqrtNGrad", _counted_dims, static="output_dim0", T=WIDE, Tidx=INT32_INDEX)
def _sparse_segment_sqrt_n_grad(grad: T, indices: Tidx, segment_ids: Int32, output_dim0: Int32, name: str | None = None) -> Tensor:
    """The gradient of `SparseSegmentSqrtN`, of `output_dim0` rows."""
    weights = xp.divide(np.ones((), grad.dtype), xp.sqrt(counts(segment_ids, grad.shape[0], grad)))
    return _spread_back(grad, weights, indices, segment_ids, sizes(output_dim0)[0])


@grad("SparseSegmentSum", "SparseSegmentSumWithNumSegments")
def _(op: Operation, dz: Tensor) -> Any:
    data, indices, ids = op.inputs[:3]
    dx = unsorted_segment_sum(gather(dz, ids), indices, shape(data)[0])
    return (dx, *[None] * (len(op.inputs) - 1))


@grad("SparseSegmentMean", "SparseSegmentMeanWithNumSegments")
def _(op: Operation, dz: Tensor) -> Any:
    data, indices, ids = op.inputs[:3]
    return (_sparse_segment_mean_grad(dz, indices, ids, shape(data)[0]), *[None] * (len(op.inputs) - 1))


@grad("SparseSegmentSqrtN", "SparseSegmentSqrtNWithNumSegments")
def _(op: Operation, dz: Tensor) -> Any:
    data, indices, ids = op.inputs[:3]
    return (_sparse_segment_sqrt_n_grad(dz, indices, ids, shape(data)[0]), *[None] * (len(op.inputs) - 1))


@grad("SparseSegmentMeanGrad")
def _(op: Operation, dy: Tensor) -> Any:
    dz, indices, ids, _ = op.inputs
    return _sparse_segment_mean_n(dy, indices, ids, shape(dz)[0]), None, None, None


@grad("SparseSegmentSqrtNGrad")
def _(op: Operation, dy: Tensor) -> Any:
    dz, indices, ids, _ = op.inputs
    return _sparse_segment_sqrt_n_n(dy, indices, ids, shape(dz)[0]), None, None, None


# -- functions ---------------------------------------------------------------------------------------


@export("sparse_segment_sum sparse.segment_sum")
def sparse_segment_sum(data: Any, indices: Any, segment_ids: Any, name: str | None = None, num_segments: Any = None) -> Tensor:
    """Returns the sums of the rows `indices` of `data` that have equal ids.

    Args:
      data: a real tensor of rank at least 1.
      indices: a vector of int32 or int64, the rows to take.
      segment_ids: a sorted int32 vector, the id of each row taken.
      name: a name for the operation.
      num_segments: the number of rows of the result; last id + 1 when None.

    Returns a tensor of one row per segment; those without an id are 0.

    >>> sparse_segment_sum([[1.0, 2.0], [3.0, 4.0]], [0, 1, 1], [0, 0, 2]).shape.as_list()
    [3, 2]
    """
    if num_segments is None:
        return _sparse_segment_sum(data, indices, segment_ids, name=name)
    return _sparse_segment_sum_n(data, indices, segment_ids, num_segments, name=name)


@export("sparse_segment_mean sparse.segment_mean")
def sparse_segment_mean(data: Any, indices: Any, segment_ids: Any, name: str | None = None, num_segments: Any = None) -> Tensor:
    """Returns the means of the rows `indices` of `data` that have equal ids; float32 or float64, else as `sparse_segment_sum`."""
    if num_segments is None:
        return _sparse_segment_mean(data, indices, segment_ids, name=name)
    return _sparse_segment_mean_n(data, indices, segment_ids, num_segments, name=name)


@export("sparse_segment_sqrt_n sparse.segment_sqrt_n")
def sparse_segment_sqrt_n(data: Any, indices: Any, segment_ids: Any, name: str | None = None, num_segments: Any = None) -> Tensor:
    """Returns the sums of the rows `indices` of `data` that have equal ids over the square roots of their numbers.

    `data` is float32 or float64; else as `sparse_segment_sum`.
    """
    if num_segments is None:
        return _sparse_segment_sqrt_n(data, indices, segment_ids, name=name)
    return _sparse_segment_sqrt_n_n(data, indices, segment_ids, num_segments, name=name)
