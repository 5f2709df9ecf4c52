"""Sorting by value: boolean_mask, DynamicPartition and DynamicStitch, Unique, ListDiff. Most results have sizes only a run can tell."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from ir import static, xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import INDEX, int32, int64
from ir.errors import InvalidArgumentError
from ir.infer import Infer
from ir.opdef import In, Int32, ListT, T, Type
from ir.ops.cast import cast
from ir.ops.gather import gather
from ir.ops.joining import concat, tile
from ir.ops.layout import expand_dims, length, range_, raw, reshape, shape, squeeze
from ir.ops.packing import position, stack
from ir.ops.reduce import reduce_prod
from ir.ops.select import where
from ir.ops.slicing import mask_functions
from ir.shapes import Dims, merge_dims, num_elements, shape_str
from ir.tensor import Operation, Tensor

Taxis = Annotated[Any, In("Taxis")]
IndexList = Annotated[Sequence[Any], In(dtype=int32, number="N")]


# -- boolean_mask ------------------------------------------------------------------------------------


@export("boolean_mask")
def boolean_mask(tensor: Any, mask: Any, name: str | None = "boolean_mask", axis: int | None = None) -> Tensor:
    """Returns the slices of `tensor` where `mask` holds: NumPy's `tensor[mask]`.

    Args:
      tensor: a tensor of rank n.
      mask: booleans of a known rank k from 1 to n, of the shape of dimensions `axis` to `axis + k` of `tensor`.
      axis: where the mask begins, 0 by default.

    Returns a tensor of rank n - k + 1, the masked dimensions made one. Raises ValueError when the shapes differ.
    """
    with get_default_graph().name_scope(name or "boolean_mask"):
        tensor = convert_to_tensor(tensor, name="tensor")
        mask = convert_to_tensor(mask, name="mask")
        if mask.dims is None:
            raise ValueError("Number of mask dimensions must be specified, even if some dimensions are None.  E.g. shape=[None] is ok, but shape=None is not.")
        k = len(mask.dims)
        if k == 0:
            raise ValueError("mask cannot be scalar.")
        a = axis or 0
        dims = tensor.dims
        if dims is not None:
            try:
                merge_dims(dims[a : a + k], mask.dims)
            except ValueError:
                raise ValueError(f"Shapes {shape_str(dims[a : a + k])} and {shape_str(mask.dims)} are incompatible: the tensor and the mask") from None
        leading = reduce_prod(shape(tensor)[a : a + k], [0])
        flat = reshape(tensor, concat([shape(tensor)[:a], [leading], shape(tensor)[a + k :]], 0))
        if dims is not None:
            flat.set_shape((*dims[:a], num_elements(dims[a : a + k]), *dims[a + k :]))
        places = squeeze(where(reshape(mask, [-1])), axis=[1])
        return gather(flat, places, axis=a)


mask_functions.append(boolean_mask)


@export("repeat")
def repeat(input: Any, repeats: Any, axis: int | None = None, name: str | None = None) -> Tensor:
    """Repeats each slice of `input` along `axis`: NumPy's `repeat`.

    Args:
      input: a tensor of known rank.
      repeats: a number, or a vector of them, one per slice.
      axis: the dimension; by default `input` is flattened first.

    >>> repeat([[1, 2], [3, 4]], 2, axis=0).shape.as_list()
    [4, 2]
    """
    with get_default_graph().name_scope(name or "Repeat"):
        data = convert_to_tensor(input, name="input")
        if axis is None:
            data, axis = reshape(data, [-1]), 0
        times = convert_to_tensor(repeats, name="repeats")
        if data.dims is None or times.dims is None:
            raise ValueError("repeat needs tensors of known rank")
        a = position(axis, len(data.dims))
        count = shape(data)[a]
        if times.dims in ((), (1,)):
            each = reshape(times, [])
            whole = tile(expand_dims(data, a + 1), stack([1] * (a + 1) + [each] + [1] * (len(data.dims) - a - 1)))
            return reshape(whole, concat([shape(data)[:a], reshape(count * each, [1]), shape(data)[a + 1 :]], 0))
        known = static.value_of(times)
        if known is not None:
            return gather(data, np.repeat(np.arange(known.size), known), axis=a)
        ends = raw("Cumsum")(times, 0)
        places = raw("UpperBound")(expand_dims(ends, 0), expand_dims(range_(ends[-1]), 0))
        return gather(data, reshape(places, [-1]), axis=a)


# -- DynamicPartition and DynamicStitch --------------------------------------------------------------


def _partition_dims(c: Infer) -> list[Dims]:
    data, parts, num = c.dims(0), c.dims(1), c.attrs["num_partitions"]
    if data is None or parts is None:
        return [None] * num
    if len(parts) > len(data):
        raise ValueError(f"partitions of shape {shape_str(parts)} must have at most the rank of data, of shape {shape_str(data)}")
    merge_dims(data[: len(parts)], parts)
    return [(None, *data[len(parts) :])] * num


@op("DynamicPartition", _partition_dims, out="outputs: num_partitions*T", host=True, dynamic=True, api="dynamic_partition", num_partitions=1)
def dynamic_partition(data: T, partitions: Int32, num_partitions: int, name: str | None = None) -> list[Tensor]:
    """Distributes the slices of `data` over `num_partitions` tensors.

    Args:
      data: a tensor.
      partitions: the number of the result each slice goes to, in [0, num_partitions); its shape begins that of `data`.
      num_partitions: how many results there are.

    Slices keep their order. Running it with another number raises InvalidArgumentError.
    """
    bad = np.argwhere((partitions < 0) | (partitions >= num_partitions))
    if bad.size:
        where_ = ", ".join(str(i) for i in bad[0])
        raise InvalidArgumentError(None, None, f"partitions[{where_}] = {partitions[tuple(bad[0])]} is not in [0, {num_partitions})")
    return [data[partitions == i] for i in range(num_partitions)]


@grad("DynamicPartition")
def _(op: Operation, *dys: Any) -> Any:
    data, parts = op.inputs
    extent = shape(parts)
    numbers = reshape(range_(reduce_prod(extent, [0])), extent)
    places = dynamic_partition(numbers, parts, op.attrs["num_partitions"])
    if isinstance(places, Tensor):
        places = [places]
    return reshape(dynamic_stitch(places, list(dys)), shape(data)), None


def _stitch_dims(c: Infer) -> Dims:
    n = c.attrs["N"]
    rest: Dims = None
    count: int | None = 0
    for i in range(n):
        places, data, value = c.dims(i), c.dims(n + i), c.value(i)
        if places is not None and data is not None:
            if len(places) > len(data):
                raise ValueError(f"data {i} has shape {shape_str(data)}, which must begin with that of its indices, {shape_str(places)}")
            merge_dims(data[: len(places)], places)
            rest = merge_dims(rest, data[len(places) :])
        top = None if value is None else int(value.max(initial=-1)) + 1
        count = None if count is None or top is None else max(count, top)
    return None if rest is None else (count, *rest)


def _stitched(indices: Sequence[Any], data: Sequence[Any]) -> Any:
    count = max(int(i.max(initial=-1)) for i in indices) + 1
    if any(i.min(initial=0) < 0 for i in indices):
        raise InvalidArgumentError(None, None, f"indices must not be negative: {min(int(i.min(initial=0)) for i in indices)}")
    rest = data[0].shape[indices[0].ndim :]
    rows = xp.concatenate([xp.reshape(d, (i.size, *rest)) for i, d in zip(indices, data, strict=True)])
    source = np.zeros(count, dtype=np.int32)
    at = 0
    for i in indices:
        source[i.reshape(-1)] = np.arange(at, at + i.size, dtype=np.int32)
        at += i.size
    return xp.take(rows, source, 0) if count else rows[:0]


@op("DynamicStitch", _stitch_dims, out="merged: T", static="indices", dynamic=True, api="dynamic_stitch")
def dynamic_stitch(indices: IndexList, data: ListT, name: str | None = None) -> Tensor:
    """Interleaves tensors: row `indices[m][i]` of the result is row i of `data[m]`.

    Args:
      indices: a list of integer tensors, whose values together should be 0 .. n-1.
      data: a list of tensors of one type, as many; the shape of each begins with that of its indices.

    Of rows with one index the last one counts. The result has one row more than the largest index.

    >>> dynamic_stitch([[0, 2], [1]], [[1.0, 3.0], [2.0]]).shape.as_list()
    [3]
    """
    return _stitched(indices, data)


@op("ParallelDynamicStitch", _stitch_dims, out="merged: T", static="indices", dynamic=True)
def parallel_dynamic_stitch(indices: IndexList, data: ListT, name: str | None = None) -> Tensor:
    """`DynamicStitch` that need not say which of the rows with one index counts."""
    return _stitched(indices, data)


@grad("DynamicStitch", "ParallelDynamicStitch")
def _(op: Operation, dy: Any) -> Any:
    n = op.attrs["N"]
    dy = convert_to_tensor(dy)
    return [None] * n + [gather(dy, cast(i, int32)) for i in op.inputs[:n]]


# -- Unique ------------------------------------------------------------------------------------------


def _first_seen(rows: Any) -> tuple[Any, Any, Any]:
    """Per distinct row, in order of appearance, where it is first; per row, the number of its value; the counts."""
    if not rows.shape[0]:
        none = np.zeros(0, np.int64)
        return none, none, none
    if rows.ndim > 1 and rows.shape[1] == 0:
        return np.zeros(1, np.int64), np.zeros(rows.shape[0], np.int64), np.array([rows.shape[0]])
    keys = rows if rows.ndim == 1 else np.array([r.tobytes() if r.dtype != object else repr(r.tolist()).encode() for r in rows], dtype=object)
    if keys.dtype.kind == "V":  # bfloat16 and its like do not sort
        keys = keys.astype(np.float32)
    first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True, equal_nan=False)[1:]
    order = np.argsort(first, kind="stable")
    number = np.empty_like(order)
    number[order] = np.arange(order.size)
    return first[order], number[inverse.reshape(-1)], counts[order]


def _unique(x: Any, axis: Any, out_idx: Any) -> tuple[Any, Any, Any]:
    a = int(axis[0]) % x.ndim if np.size(axis) else 0
    if not np.size(axis) and x.ndim != 1:
        raise InvalidArgumentError(None, None, f"unique expects a 1D vector, got shape {x.shape}")
    rows = np.moveaxis(x, a, 0)
    first, number, counts = _first_seen(rows.reshape(rows.shape[0], -1) if x.ndim > 1 else rows)
    return np.take(x, first, a), number.astype(out_idx.np_dtype), counts.astype(out_idx.np_dtype)


def _unique_dims(c: Infer) -> list[Dims]:
    n = length(c, 0)
    return [(None,), (n,), (None,)][: len(c.opdef.outputs)]


def _unique_v2_dims(c: Infer) -> list[Dims]:
    dims, axis = c.dims(0), c.value(1)
    c.rank(1, 1)
    if dims is None or axis is None:
        unsure: list[Dims] = [None if dims is None else (None,) * len(dims), (None,), (None,)]
        return unsure[: len(c.opdef.outputs)]
    if axis.size == 0:
        c.rank(0, 1)
    a = int(axis[0]) if axis.size else 0
    if not -len(dims) <= a < len(dims):
        raise ValueError(f"axis {a} is out of range for rank {len(dims)}")
    a %= len(dims)
    return [(*dims[:a], None, *dims[a + 1 :]), (dims[a],), (None,)][: len(c.opdef.outputs)]


@op("Unique", _unique_dims, out="y: T, idx: out_idx", host=True, dynamic=True, out_idx=INDEX)
def _unique_v1(x: T, out_idx: Type = "int32", name: str | None = None) -> tuple[Tensor, Tensor]:
    """The distinct elements of a vector."""
    return _unique(x, (), out_idx)[:2]


@op("UniqueV2", _unique_v2_dims, out="y: T, idx: out_idx", host=True, dynamic=True, Taxis=INDEX.default_to(int64), out_idx=INDEX)
def unique_v2(x: T, axis: Taxis, out_idx: Type = "int32", name: str | None = None) -> tuple[Tensor, Tensor]:
    """The distinct slices of `x` along `axis`, a vector of one number, or of none for a vector `x`."""
    return _unique(x, axis, out_idx)[:2]


@op("UniqueWithCounts", _unique_dims, out="y: T, idx: out_idx, count: out_idx", host=True, dynamic=True, out_idx=INDEX)
def _unique_with_counts(x: T, out_idx: Type = "int32", name: str | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """The distinct elements of a vector, and how often each is there."""
    return _unique(x, (), out_idx)


@op(
    "UniqueWithCountsV2", _unique_v2_dims, out="y: T, idx: out_idx, count: out_idx", host=True, dynamic=True, Taxis=INDEX.default_to(int64),
    out_idx=INDEX,
)  # fmt: skip
def unique_with_counts_v2(x: T, axis: Taxis, out_idx: Type = "int32", name: str | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """The distinct slices of `x` along `axis`, and how often each is there."""
    return _unique(x, axis, out_idx)


@export("unique")
def unique(x: Any, out_idx: Any = int32, name: str | None = None) -> Any:
    """Finds the distinct elements of a vector, in the order of their first appearance.

    Returns a pair (y, idx): the elements, and for each element of `x` its place in `y`, so that `x[i] = y[idx[i]]`.
    """
    return _unique_v1(x, out_idx, name=name)


@export("unique_with_counts")
def unique_with_counts(x: Any, out_idx: Any = int32, name: str | None = None) -> Any:
    """Finds the distinct elements of a vector: (y, idx, count), the first two as `unique` has them, and how often each is there."""
    return _unique_with_counts(x, out_idx, name=name)


def _list_diff_dims(c: Infer) -> list[Dims]:
    for i in (0, 1):
        c.rank(i, 1)
    return [(None,), (None,)]


@op("ListDiff", _list_diff_dims, out="out: T, idx: out_idx", host=True, dynamic=True, out_idx=INDEX)
def _list_diff(x: T, y: T, out_idx: Type = "int32", name: str | None = None) -> tuple[Tensor, Tensor]:
    """The elements of one vector that are not in another."""
    there = set(y.tolist())
    places = np.array([i for i, v in enumerate(x.tolist()) if v not in there], dtype=out_idx.np_dtype)
    return x[places], places  # pyright: ignore[reportReturnType]


@export("setdiff1d")
def setdiff1d(x: Any, y: Any, index_dtype: Any = int32, name: str | None = None) -> Any:
    """Returns (out, idx): the elements of vector `x` that are not in vector `y`, in their order and with duplicates, and their places."""
    return _list_diff(x, y, index_dtype, name=name)


grad.none("Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 ListDiff", "TensorFlow has none")

