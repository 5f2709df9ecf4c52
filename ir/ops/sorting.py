"""Order among values: TopK, NthElement, InTopK, LowerBound and UpperBound; sort, argsort and searchsorted made of them."""

from typing import Any

import numpy as np

from ir import static, xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import ANY, INDEX, REAL, as_dtype, int32
from ir.infer import Infer
from ir.opdef import Float32, Int32, T, Type
from ir.ops.cast import cast
from ir.ops.compare import equal, less, less_equal
from ir.ops.elementwise import negative
from ir.ops.layout import expand_dims, range_, rank, reshape, shape, size, sizes, transpose, zeros
from ir.ops.reduce import reduce_all, reduce_sum
from ir.ops.segment import unsorted_segment_sum
from ir.ops.select import where_v2
from ir.shapes import Dims, merge_dims, shape_str
from ir.tensor import Operation, Tensor

INT32_INDEX = INDEX.default_to(int32)


# -- the largest -------------------------------------------------------------------------------------


def _top_dims(dims: Dims, k: int | None) -> list[Dims]:
    if dims is None:
        return [None, None]
    if k is not None and k < 0:
        raise ValueError(f"Need k >= 0, got {k}")
    if k is not None and dims[-1] is not None and dims[-1] < k:
        raise ValueError(f"input must have last dimension >= k = {k} but is {dims[-1]}")
    return [(*dims[:-1], k)] * 2


def _top_k_dims(c: Infer) -> list[Dims]:
    return _top_dims(c.rank_at_least(0, 1), int(c.attrs["k"]))


def _top_k_v2_dims(c: Infer) -> list[Dims]:
    k = c.value(1)
    return _top_dims(c.rank_at_least(0, 1), None if k is None else int(k))


def _largest(x: Any, k: int) -> tuple[Any, Any]:
    """Returns the k largest values of each row and their places; of equal values the first comes first."""
    n = x.shape[-1]
    order = n - 1 - xp.flip(xp.argsort(xp.flip(x, -1), axis=-1, stable=True), -1)[..., :k]
    return xp.take_along_axis(x, order, -1), xp.astype(order, np.int32)


@op("TopK", _top_k_dims, out="values: T, indices: int32", T=REAL)
def _top_k_v1(input: T, k: int, sorted: bool = True, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The k largest values of each row and their places, as older graphs have it."""
    return _largest(input, k)


@op("TopKV2", _top_k_v2_dims, out="values: T, indices: int32", static="k", T=REAL)
def _top_k(input: T, k: Int32, sorted: bool = True, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The k largest values of each row and their places; always in decreasing order."""
    return _largest(input, sizes(k)[0])


@grad("TopK", "TopKV2")
def _(op: Operation, dvalues: Tensor, _: Any) -> Any:
    x, at = op.inputs[0], op.outputs[1]
    n, k = shape(x)[-1], shape(at)[-1]
    rows = reshape(range_(size(x) // n), [-1, 1])
    flat = reshape(reshape(at, [size(x) // n, k]) + rows * n, [-1])
    dx = reshape(unsorted_segment_sum(reshape(dvalues, [-1]), flat, size(x)), shape(x))
    return (dx, None) if len(op.inputs) == 2 else dx


@export("nn.top_k math.top_k")
def top_k(input: Any, k: Any = 1, sorted: bool = True, name: str | None = None) -> Any:
    """Returns the `k` largest values of each row and their places in it.

    Args:
      input: a real tensor of rank at least 1; the rows are in its last dimension.
      k: a scalar int32, at most the length of a row.
      sorted: accepted; the values always come in decreasing order.
      name: a name for the operation.

    Returns a named tuple (values, indices) with last dimension `k`, the indices int32; of equal values the one with the
    lower index comes first. Raises ValueError when `k` is larger than a row.

    >>> top_k([1, 5, 3], 2).indices.shape.as_list()
    [2]
    """
    return _top_k(input, k, sorted, name=name)


def _nth_dims(c: Infer) -> Dims:
    dims, n = c.rank_at_least(0, 1), c.value(1)
    c.rank(1, 0)
    if dims is None:
        return None
    if n is not None and (n < 0 or (dims[-1] is not None and n >= dims[-1])):
        raise ValueError(f"Input must have last dimension > n = {int(n)} but is {dims[-1]}")
    return dims[:-1]


@op("NthElement", _nth_dims, out="values: T", api="contrib.nn.nth_element", static="n", T=REAL)
def nth_element(input: T, n: Int32, reverse: bool = False, name: str | None = None) -> Tensor:
    """Returns the value at place `n` of each row when it is sorted.

    Args:
      input: a real tensor of rank at least 1; the rows are in its last dimension.
      n: a scalar int32 in [0, length of a row).
      reverse: sort in decreasing order.
      name: a name for the operation.
    """
    at = sizes(n)[0]
    return xp.sort(input, axis=-1)[..., input.shape[-1] - 1 - at if reverse else at]


@grad("NthElement")
def _(op: Operation, dz: Tensor) -> Any:
    chosen = cast(equal(expand_dims(op.outputs[0], -1), op.inputs[0]), dz.dtype)
    return chosen / reduce_sum(chosen, -1, keepdims=True) * expand_dims(dz, -1), None


# -- whether among the largest -----------------------------------------------------------------------


def _in_top_k_dims(c: Infer) -> Dims:
    rows, targets = c.rank(0, 2) or (None, None), c.rank(1, 1)
    return merge_dims(rows[:1], targets)


def _among(predictions: Any, targets: Any, k: Any) -> Any:
    """Whether fewer than k predictions of the row are above that of the target; false where it cannot be told."""
    classes = predictions.shape[-1]
    if not classes:
        return xp.astype(xp.zeros_like(targets), np.bool_)
    zero, count = np.zeros((), targets.dtype), np.asarray(classes, targets.dtype)
    valid = xp.logical_and(xp.greater_equal(targets, zero), xp.less(targets, count))
    at = xp.expand_dims(xp.where(valid, targets, zero), -1)
    own = xp.take_along_axis(predictions, at, -1)
    above = xp.sum(xp.greater(predictions, own), axis=-1, dtype=np.int32)
    sure = xp.logical_and(valid, xp.all(xp.isfinite(predictions), axis=-1))
    return xp.logical_and(sure, xp.less(above, xp.astype(k, np.int32)))


@op("InTopK", _in_top_k_dims, out="precision: bool", T=INT32_INDEX)
def _in_top_k(predictions: Float32, targets: T, k: int, name: str | None = None) -> Tensor:
    """Whether the prediction of each target is among the k largest of its row."""
    return _among(predictions, targets, np.asarray(k))


@op("InTopKV2", _in_top_k_dims, out="precision: bool", T=INT32_INDEX)
def _in_top_k_v2(predictions: Float32, targets: T, k: T, name: str | None = None) -> Tensor:
    """Whether the prediction of each target is among the k largest of its row; see `in_top_k`."""
    return _among(predictions, targets, k)


grad.none("InTopK InTopKV2", "the output is boolean")


@export("nn.in_top_k math.in_top_k")
def in_top_k(predictions: Any, targets: Any, k: Any, name: str | None = None) -> Tensor:
    """Returns whether the prediction of each target is among the `k` largest of its row.

    Args:
      predictions: a float32 matrix, a row of one value per class for each example.
      targets: a vector of int32 or int64, the class of each example.
      k: a scalar of the type of `targets`.
      name: a name for the operation.

    Returns a bool vector. Classes with equal predictions at the border all count as among the largest; a target out of range or
    a prediction that is not finite gives False.

    >>> in_top_k([[0.1, 0.9]], [1], 1).dtype
    tf.bool
    """
    with get_default_graph().name_scope(name or "in_top_k"):
        return _in_top_k_v2(predictions, targets, k)


# -- places in sorted rows ---------------------------------------------------------------------------


def _bound_dims(c: Infer) -> Dims:
    rows, values = c.rank(0, 2) or (None, None), c.rank(1, 2) or (None, None)
    return (*(merge_dims(rows[:1], values[:1]) or ()), values[1])


def _places(rows: Any, values: Any, side: str, dtype: Any) -> Any:
    found = [np.searchsorted(r, v, side=side) for r, v in zip(rows, values, strict=True)]  # pyright: ignore[reportArgumentType, reportCallIssue]
    return np.array(found, dtype.np_dtype).reshape(values.shape)


@op("LowerBound", _bound_dims, out="output: out_type", T=ANY, out_type=INDEX)
def _lower_bound(sorted_inputs: T, values: T, out_type: Type = int32, name: str | None = None) -> Tensor:
    """For each value how many elements of its sorted row are below it."""
    return _places(sorted_inputs, values, "left", out_type)


@op("UpperBound", _bound_dims, out="output: out_type", T=ANY, out_type=INDEX)
def _upper_bound(sorted_inputs: T, values: T, out_type: Type = int32, name: str | None = None) -> Tensor:
    """For each value how many elements of its sorted row are not above it."""
    return _places(sorted_inputs, values, "right", out_type)


grad.none("LowerBound UpperBound", "a place is not a continuous function of the values")


@export("searchsorted")
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = int32, name: str | None = None) -> Tensor:
    """Returns where each value would go in its sorted row so that it stays sorted.

    Args:
      sorted_sequence: a tensor of rank at least 1, sorted in its last dimension.
      values: a tensor of the same type, with the same leading dimensions.
      side: "left" for the first such place, "right" for the last.
      out_type: int32 or int64.
      name: a name for the operation.

    Returns a tensor of the shape of `values`. Raises ValueError for another `side`.

    >>> searchsorted([1, 3, 5], [2, 3]).shape.as_list()
    [2]
    """
    if side not in ("left", "right"):
        raise ValueError(f"side must be either 'right' or 'left'.  Saw: {side}.")
    rows, values = convert_to_tensor(sorted_sequence), convert_to_tensor(values)
    length, count = shape(rows)[-1], shape(values)[-1]
    rows_2d, values_2d = reshape(rows, [-1, length]), reshape(values, [-1, count])
    fn = _upper_bound if side == "right" else _lower_bound
    return reshape(fn(rows_2d, values_2d, as_dtype(out_type), name=name), shape(values))


# -- sorting -----------------------------------------------------------------------------------------


def _sorted(values: Any, axis: Any, direction: str, indices: bool) -> Tensor:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(f"{direction} should be one of ASCENDING, DESCENDING")
    ascending = direction == "ASCENDING"
    known = static.value_of(convert_to_tensor(axis, name="axis"))
    values = convert_to_tensor(values, name="values")
    if known is None:
        raise ValueError("axis must be a constant scalar")
    a = int(known)
    if values.dims is not None and not -len(values.dims) <= a < len(values.dims):
        raise ValueError(f"axis {a} is out of range for shape {shape_str(values.dims)}")
    x = _reversed(values) if ascending else values
    k = shape(x)[a]
    ndims = rank(x)
    order = None if a == -1 or (values.dims is not None and a % len(values.dims) == len(values.dims) - 1) else _axis_last(values, a, ndims)
    if order is not None:
        x = transpose(x, order)
    top, at = _top_k(x, k, name=None)
    out = at if indices else top
    if order is not None:
        out = transpose(out, order)
    return _reversed(out) if ascending and not indices else out


def _reversed(x: Tensor) -> Tensor:
    """Returns `x` with the order of its values reversed (but for the least of a signed integer type); twice gives `x`."""
    return constant(x.dtype.max, x.dtype) - x if x.dtype.is_unsigned else negative(x)


def _axis_last(x: Tensor, axis: int, ndims: Tensor) -> Any:
    """Returns the permutation that exchanges `axis` with the last one; it is its own inverse."""
    if x.dims is not None:
        order = np.arange(len(x.dims))
        order[axis], order[-1] = order[-1], order[axis]
        return constant(order, name="transposition")
    a, last, places = constant(axis, int32) if axis >= 0 else ndims + axis, ndims - 1, range_(ndims)
    return where_v2(equal(places, a), last, where_v2(equal(places, last), a, places))


@export("sort contrib.framework.sort")
def sort(values: Any, axis: Any = -1, direction: str = "ASCENDING", name: str | None = None) -> Tensor:
    """Returns `values` sorted along `axis`.

    Args:
      values: a real tensor of rank at least 1.
      axis: the dimension, a constant in [-rank, rank).
      direction: "ASCENDING" or "DESCENDING".
      name: a name for the operations.

    Raises ValueError for another direction, or an axis that is not constant or out of range.

    >>> sort([3, 1, 2]).shape.as_list()
    [3]
    """
    with get_default_graph().name_scope(name or "sort"):
        return _sorted(values, axis, direction, False)


@export("argsort contrib.framework.argsort")
def argsort(values: Any, axis: Any = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None) -> Tensor:
    """Returns the places along `axis` in the order that sorts `values`.

    The arguments are those of `sort`; `stable` is accepted: equal values always stay in order. Returns int32.
    """
    with get_default_graph().name_scope(name or "argsort"):
        return _sorted(values, axis, direction, True)


def _differences(x: Any) -> Tensor:
    flat = reshape(x, [-1])
    return flat[1:] - flat[:-1]


@export("is_non_decreasing math.is_non_decreasing debugging.is_non_decreasing")
def is_non_decreasing(x: Any, name: str | None = None) -> Tensor:
    """Returns whether the elements of a numeric tensor, in row-major order, never decrease: a bool scalar."""
    with get_default_graph().name_scope(name or "is_non_decreasing"):
        d = _differences(convert_to_tensor(x, name="x"))
        return reduce_all(less_equal(zeros([], d.dtype), d))


@export("is_strictly_increasing math.is_strictly_increasing debugging.is_strictly_increasing")
def is_strictly_increasing(x: Any, name: str | None = None) -> Tensor:
    """Returns whether the elements of a numeric tensor, in row-major order, always increase: a bool scalar."""
    with get_default_graph().name_scope(name or "is_strictly_increasing"):
        d = _differences(convert_to_tensor(x, name="x"))
        return reduce_all(less(zeros([], d.dtype), d))
