"""Reductions over segments of rows: SegmentSum ... of sorted ids, UnsortedSegmentSum ... of any.

The number of segments of a sorted reduction is its last id + 1, so it runs on the host unless the ids are constant.
Those that gather their rows first are in `ir.ops.sparse_segment`.
"""

from typing import Annotated, Any

import numpy as np

from ir import static, xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import INDEX, NUMBER, REAL, as_dtype, int32
from ir.errors import InvalidArgumentError
from ir.infer import Infer
from ir.opdef import In, T
from ir.ops.arith import maximum, truncated
from ir.ops.cast import cast
from ir.ops.compare import equal, greater, greater_equal
from ir.ops.elementwise import sqrt
from ir.ops.gather import gather
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, fill, length, ones, ones_like, rank, reshape, shape, sizes, zeros_like
from ir.ops.scatter_util import scatter_rows
from ir.ops.select import where, where_v2
from ir.shapes import Dims, merge_dims, shape_str
from ir.static import NeedsValue
from ir.tensor import Operation, Tensor

Tindices = Annotated[Any, In("Tindices")]
Tnumsegments = Annotated[Any, In("Tnumsegments")]
NUMSEGMENTS = INDEX.default_to(int32)


# -- bodies ------------------------------------------------------------------------------------------


def combined(how: str, start: Any, data: Any, ids: Any, count: int) -> Any:
    """Returns `count` rows that begin as `start`, each combined with the rows of `data` that have its id.

    `ids` has the leading dimensions of `data`; rows with negative ids are dropped.
    """
    rest = data.shape[ids.ndim :]
    rows, ids = xp.reshape(data, (ids.size, *rest)), xp.reshape(ids, (ids.size,))
    if xp.is_numpy([rows, ids]):
        rows, ids = rows[ids >= 0], ids[ids >= 0]
    out = xp.namespace(rows, ids).full((count, *rest), start, data.dtype)
    return scatter_rows(out, ids, rows, how)


def counts(ids: Any, count: int, like: Any) -> Any:
    """Returns how many rows each segment has, at least 1, in the type of `like` and so that it broadcasts against it."""
    found = combined("add", 0, xp.namespace(ids).ones(ids.shape, np.int32), ids, count)
    return xp.astype(xp.reshape(xp.maximum(found, np.int32(1)), (count,) + (1,) * (like.ndim - 1)), like.dtype)


def sorted_count(ids: Any) -> int:
    """Returns the number of segments of sorted ids. Raises InvalidArgumentError when they are not sorted."""
    if not isinstance(ids, np.ndarray):
        raise NeedsValue("segment_ids")
    if not ids.size:
        return 0
    if (ids < 0).any():
        raise InvalidArgumentError(None, None, "segment ids must be >= 0")
    if (np.diff(ids) < 0).any():
        raise InvalidArgumentError(None, None, "segment ids are not increasing")
    return int(ids[-1]) + 1


def mean_of(total: Any, count: Any) -> Any:
    """Returns `total / count`; integers are divided towards zero."""
    return truncated(total, count) if total.dtype.kind in "iu" else xp.divide(total, count)


# -- of sorted ids -----------------------------------------------------------------------------------


def _sorted_dims(c: Infer) -> Dims:
    data, count = c.rank_at_least(0, 1), length(c, 1)
    if data is None:
        return None
    if None not in (data[0], count) and data[0] != count:
        raise ValueError(f"segment_ids should be the same size as dimension 0 of input: {count} and {shape_str(data)}")
    known = c.value(1)
    if known is None:
        return (None, *data[1:])
    return (int(known[-1]) + 1 if known.size else 0, *data[1:])


@op("SegmentSum", _sorted_dims, dynamic=True, api="segment_sum math.segment_sum", T=NUMBER, Tindices=INDEX)
def segment_sum(data: T, segment_ids: Tindices, name: str | None = None) -> Tensor:
    """Returns the sums of the rows of `data` that have equal ids.

    Args:
      data: a numeric tensor of rank at least 1.
      segment_ids: a sorted vector of int32 or int64, the id of each row.
      name: a name for the operation.

    Returns a tensor of last id + 1 rows; those without an id are 0. Running it raises InvalidArgumentError when the ids
    are not sorted.

    >>> segment_sum([[1, 2], [3, 4], [5, 6]], [0, 0, 1]).shape.as_list()
    [2, 2]
    """
    return combined("add", 0, data, segment_ids, sorted_count(segment_ids))


@op("SegmentMean", _sorted_dims, dynamic=True, api="segment_mean math.segment_mean", T=NUMBER, Tindices=INDEX)
def segment_mean(data: T, segment_ids: Tindices, name: str | None = None) -> Tensor:
    """Returns the means of the rows of `data` that have equal ids; arguments and empty segments as for `segment_sum`."""
    n = sorted_count(segment_ids)
    total = combined("add", 0, data, segment_ids, n)
    return mean_of(total, counts(segment_ids, n, total))


@op("SegmentProd", _sorted_dims, dynamic=True, api="segment_prod math.segment_prod", T=NUMBER, Tindices=INDEX)
def segment_prod(data: T, segment_ids: Tindices, name: str | None = None) -> Tensor:
    """Returns the products of the rows of `data` that have equal ids, 1 for an id without rows; as `segment_sum` else."""
    return combined("mul", 1, data, segment_ids, sorted_count(segment_ids))


def _extreme(how: str, data: Any, ids: Any) -> Any:
    n = sorted_count(ids)
    out = combined(how, _bound(data.dtype, how), data, ids, n)
    empty = np.bincount(ids, minlength=n)[:n].reshape((n,) + (1,) * (data.ndim - 1)) == 0
    return xp.where(empty, np.zeros((), data.dtype), out) if empty.any() else out


def _bound(dtype: Any, how: str) -> Any:
    """Returns the value from which a maximum or minimum starts: the lowest or highest finite one."""
    bounds = as_dtype(dtype)
    return bounds.min if how == "max" else bounds.max


@op("SegmentMax", _sorted_dims, dynamic=True, api="segment_max math.segment_max", T=REAL, Tindices=INDEX)
def segment_max(data: T, segment_ids: Tindices, name: str | None = None) -> Tensor:
    """Returns the maxima of the rows of `data` that have equal ids; arguments and empty segments as for `segment_sum`."""
    return _extreme("max", data, segment_ids)


@op("SegmentMin", _sorted_dims, dynamic=True, api="segment_min math.segment_min", T=REAL, Tindices=INDEX)
def segment_min(data: T, segment_ids: Tindices, name: str | None = None) -> Tensor:
    """Returns the minima of the rows of `data` that have equal ids; arguments and empty segments as for `segment_sum`."""
    return _extreme("min", data, segment_ids)


@grad("SegmentSum")
def _(op: Operation, dz: Tensor) -> Any:
    return gather(dz, op.inputs[1]), None


@grad("SegmentMean")
def _(op: Operation, dz: Tensor) -> Any:
    ids = op.inputs[1]
    sizes_ = segment_sum(ones(shape(ids), dz.dtype), ids)
    return gather(dz / as_column(sizes_, dz), ids), None


@grad("SegmentMax", "SegmentMin")
def _(op: Operation, dz: Tensor) -> Any:
    """Rows that are equal to the result share its gradient."""
    x, ids = op.inputs
    chosen = equal(x, gather(op.outputs[0], ids))
    shared = dz / segment_sum(cast(chosen, dz.dtype), ids)
    return where(chosen, gather(shared, ids), zeros_like(x, dz.dtype)), None


@grad("SegmentProd")
def _(op: Operation, dz: Tensor) -> Any:
    x, ids = op.inputs
    return _product_grad(x, ids, shape(op.outputs[0])[0], op.outputs[0], dz), None


def as_column(v: Tensor, like: Tensor) -> Tensor:
    """Returns `v` with as many trailing dimensions of size 1 as make its rank that of `like`."""
    if v.dims is None or like.dims is None:
        return reshape(v, concat([shape(v), fill([rank(like) - rank(v)], 1)], 0))
    for _ in range(len(like.dims) - len(v.dims)):
        v = expand_dims(v, -1)
    return v


# -- of any ids --------------------------------------------------------------------------------------


def _unsorted_dims(c: Infer) -> Dims:
    data, ids, n = c.dims(0), c.dims(1), c.value(2)
    c.rank(2, 0)
    if n is not None and int(n) < 0:
        raise ValueError(f"num_segments must not be negative, got {int(n)}")
    if data is None or ids is None:
        return None
    if len(ids) > len(data):
        raise ValueError(f"segment_ids has more dimensions than data: {shape_str(ids)} and {shape_str(data)}")
    merge_dims(ids, data[: len(ids)])
    return (None if n is None else int(n), *data[len(ids) :])


@op("UnsortedSegmentSum", _unsorted_dims, static="num_segments", api="unsorted_segment_sum math.unsorted_segment_sum",
    T=NUMBER, Tindices=INDEX, Tnumsegments=NUMSEGMENTS)  # fmt: skip
def unsorted_segment_sum(data: T, segment_ids: Tindices, num_segments: Tnumsegments, name: str | None = None) -> Tensor:
    """Returns the sums of the rows of `data` that have equal ids, which need not be sorted.

    Args:
      data: a numeric tensor.
      segment_ids: ids in int32 or int64, one per row; its shape is the beginning of the shape of `data`. Rows with a negative id
        are dropped.
      num_segments: a scalar above all ids.
      name: a name for the operation.

    Returns a tensor of `num_segments` rows; those without an id are 0.

    >>> unsorted_segment_sum([[1, 2], [3, 4], [5, 6]], [1, 0, 1], 3).shape.as_list()
    [3, 2]
    """
    return combined("add", 0, data, segment_ids, sizes(num_segments)[0])


@op("UnsortedSegmentProd", _unsorted_dims, static="num_segments", api="unsorted_segment_prod math.unsorted_segment_prod",
    T=NUMBER, Tindices=INDEX, Tnumsegments=NUMSEGMENTS)  # fmt: skip
def unsorted_segment_prod(data: T, segment_ids: Tindices, num_segments: Tnumsegments, name: str | None = None) -> Tensor:
    """Returns the products of the rows of `data` that have equal ids, 1 without any; as `unsorted_segment_sum` else."""
    return combined("mul", 1, data, segment_ids, sizes(num_segments)[0])


@op("UnsortedSegmentMax", _unsorted_dims, static="num_segments", api="unsorted_segment_max math.unsorted_segment_max",
    T=REAL, Tindices=INDEX, Tnumsegments=NUMSEGMENTS)  # fmt: skip
def unsorted_segment_max(data: T, segment_ids: Tindices, num_segments: Tnumsegments, name: str | None = None) -> Tensor:
    """Returns the maxima of the rows of `data` that have equal ids, the lowest finite value without any.

    The arguments are those of `unsorted_segment_sum`.
    """
    return combined("max", _bound(data.dtype, "max"), data, segment_ids, sizes(num_segments)[0])


@op("UnsortedSegmentMin", _unsorted_dims, static="num_segments", api="unsorted_segment_min math.unsorted_segment_min",
    T=REAL, Tindices=INDEX, Tnumsegments=NUMSEGMENTS)  # fmt: skip
def unsorted_segment_min(data: T, segment_ids: Tindices, num_segments: Tnumsegments, name: str | None = None) -> Tensor:
    """Returns the minima of the rows of `data` that have equal ids, the highest finite value without any.

    The arguments are those of `unsorted_segment_sum`.
    """
    return combined("min", _bound(data.dtype, "min"), data, segment_ids, sizes(num_segments)[0])


def _gathered(params: Tensor, ids: Tensor) -> Tensor:
    """Returns the rows `ids` of `params`, zeros for negative ids."""
    known = static.value_of(ids)
    if known is not None and (known >= 0).all():
        return gather(params, ids)
    rows = gather(params, maximum(ids, 0))
    return where_v2(as_column(greater_equal(ids, 0), rows), rows, zeros_like(rows))


@grad("UnsortedSegmentSum")
def _(op: Operation, dz: Tensor) -> Any:
    return _gathered(dz, op.inputs[1]), None, None


@grad("UnsortedSegmentMax", "UnsortedSegmentMin")
def _(op: Operation, dz: Tensor) -> Any:
    """Rows that are equal to the result share its gradient."""
    x, ids, n = op.inputs
    chosen = equal(x, gather(op.outputs[0], maximum(ids, 0)))  # a row with a negative id gets nothing from `_gathered`
    shared = dz / unsorted_segment_sum(cast(chosen, dz.dtype), ids, n)
    return where(chosen, _gathered(shared, ids), zeros_like(x, dz.dtype)), None, None


@grad("UnsortedSegmentProd")
def _(op: Operation, dz: Tensor) -> Any:
    x, ids, n = op.inputs
    return _product_grad(x, ids, n, op.outputs[0], dz), None, None


def _product_grad(x: Tensor, ids: Tensor, n: Tensor, z: Tensor, dz: Tensor) -> Tensor:
    """The product of the other rows: with one 0 only the gradient of that row is not 0, with two none."""
    is_zero = equal(x, zeros_like(x))
    zeros_each = unsorted_segment_sum(cast(is_zero, int32), ids, n)
    dz = where(greater(zeros_each, 1), zeros_like(dz), dz)
    others = unsorted_segment_prod(where(is_zero, ones_like(x), x), ids, n)
    at = maximum(ids, 0)
    partial = where(is_zero, gather(others, at), gather(z, at) / x)
    return _gathered(dz, ids) * partial


def _rows_each(data: Tensor, ids: Tensor, n: Any) -> Tensor:
    """Returns how many rows each segment has, at least 1, so that it broadcasts against the result."""
    found = unsorted_segment_sum(ones(shape(ids), data.dtype), ids, n)
    if data.dims is not None and ids.dims is not None:
        found = reshape(found, [n] + [1] * (len(data.dims) - len(ids.dims)))
    else:
        found = reshape(found, concat([[n], fill([rank(data) - rank(ids)], 1)], 0))
    return maximum(found, 1)


@export("unsorted_segment_mean math.unsorted_segment_mean")
def unsorted_segment_mean(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """Returns the means of the rows of `data` that have equal ids, 0 without any; as `unsorted_segment_sum` else."""
    with get_default_graph().name_scope(name or "UnsortedSegmentMean"):
        data, ids = convert_to_tensor(data), convert_to_tensor(segment_ids)
        each = _rows_each(data, ids, num_segments)
        return unsorted_segment_sum(data, ids, num_segments) / each


@export("unsorted_segment_sqrt_n math.unsorted_segment_sqrt_n")
def unsorted_segment_sqrt_n(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """Returns the sums of the rows of `data` that have equal ids over the square roots of their numbers, 0 without any.

    The arguments are those of `unsorted_segment_sum`.
    """
    with get_default_graph().name_scope(name or "UnsortedSegmentSqrtN"):
        data, ids = convert_to_tensor(data), convert_to_tensor(segment_ids)
        each = _rows_each(data, ids, num_segments)
        return unsorted_segment_sum(data, ids, num_segments) / sqrt(each)
