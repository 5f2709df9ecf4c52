"""Joining and cutting: concat, split, tile, meshgrid; stack and unstack are in `packing`, pad and reverse in `padding`."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from ir import static, xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import ANY, INDEX, int32, int64
from ir.infer import Infer
from ir.opdef import In, Int32, ListT, Shape, T
from ir.ops.basic import identity
from ir.ops.cast import cast
from ir.ops.layout import expand_dims, length, ones, range_, rank, raw, reshape, shape, shape_n, size, sizes, transpose
from ir.ops.packing import position, stack, unstack
from ir.ops.padding import mirror_pad, pad, pad_v2, reverse, reverse_sequence, roll
from ir.ops.slicing import slice_
from ir.shapes import Dimension, Dims, merge_dims, num_elements, shape_str
from ir.tensor import Operation, Tensor

Tidx = Annotated[Any, In("Tidx")]
Tlen = Annotated[Any, In("Tlen")]
Tmultiples = Annotated[Any, In("Tmultiples")]
ShapeList = Annotated[Sequence[Any], In(dtype=int32, number="N")]


# -- concat ------------------------------------------------------------------------------------------


def concat_dims(parts: Sequence[Dims], axis: int | None) -> Dims:
    """Returns the shape of tensors of shapes `parts` joined along `axis`; None for an axis that is not known."""
    known = [p for p in parts if p is not None]
    if not known:
        return None
    n = len(known[0])
    for p in known:
        if len(p) != n:
            raise ValueError(f"Shapes must have the same rank: {shape_str(known[0])} and {shape_str(p)}")
    if n == 0:
        raise ValueError("Can't concatenate scalars (use tf.stack instead)")
    if axis is None:
        return (None,) * n
    a = position(axis, n, "concat_dim")
    total: int | None = 0
    rest: Dims = (None,) * n
    for p in parts:
        d = None if p is None else p[a]
        total = None if total is None or d is None else total + d
        if p is not None:
            try:
                rest = merge_dims(rest, (*p[:a], None, *p[a + 1 :]))
            except ValueError:
                raise ValueError(f"Dimensions must be equal except along axis {a}: {shape_str(rest)} and {shape_str(p)}") from None
    out = list(rest or ())
    out[a] = total
    return tuple(out)


def _scalar_value(c: Infer, index: int, what: str) -> int | None:
    value = c.value(index)
    if value is None:
        return None
    if value.size != 1:
        raise ValueError(f"{what} must be a scalar, got shape {value.shape}")
    return int(value.reshape(-1)[0])


def _concat_shape(c: Infer) -> Dims:
    return concat_dims(c.all_dims[1:], _scalar_value(c, 0, "concat_dim"))


def _concat_v2_shape(c: Infer) -> Dims:
    return concat_dims(c.all_dims[:-1], _scalar_value(c, len(c.tensors) - 1, "axis"))


@op("Concat", _concat_shape, out="output: T", static="concat_dim", T=ANY, N=2)
def _concat(concat_dim: Int32, values: ListT, name: str | None = None) -> Tensor:
    """Joins tensors along one dimension; older graphs have it."""
    return xp.concatenate(values, sizes(concat_dim)[0])


@op("ConcatV2", _concat_v2_shape, static="axis", T=ANY, Tidx=INDEX.default_to(int32), N=2)
def _concat_v2(values: ListT, axis: Tidx, name: str | None = None) -> Tensor:
    """Joins tensors along one dimension."""
    return xp.concatenate(values, sizes(axis)[0])


def _concat_grad(dy: Any, axis: Tensor, values: Sequence[Tensor]) -> list[Tensor]:
    dy = convert_to_tensor(dy)
    at = static.value_of(axis)
    if at is not None:
        a = int(at.reshape(-1)[0])
        known = [None if v.dims is None else v.dims[a] for v in values]
        lengths: Any = known if None not in known else stack([shape(v)[a] for v in values])
        return split(dy, lengths, axis=a, num=len(values))
    axis = cast(axis, int32) % rank(values[0])
    extents = shape_n(values)
    return [slice_(dy, begin, extent) for begin, extent in zip(concat_offset(axis, extents), extents, strict=True)]


@grad("Concat")
def _(op: Operation, dy: Tensor) -> Any:
    return [None, *_concat_grad(dy, op.inputs[0], op.inputs[1:])]


@grad("ConcatV2")
def _(op: Operation, dy: Tensor) -> Any:
    return [*_concat_grad(dy, op.inputs[-1], op.inputs[:-1]), None]


@export("concat")
def concat(values: Any, axis: Any, name: str | None = "concat") -> Tensor:
    """Joins tensors along one dimension.

    Args:
      values: a list of tensors of one type, whose shapes are equal but in dimension `axis`.
      axis: in [-rank, rank).

    Raises ValueError when the shapes do not fit or `axis` is out of range.

    >>> concat([[[1, 2]], [[3, 4], [5, 6]]], 0).shape.as_list()
    [3, 2]
    """
    if not isinstance(values, (list, tuple)):
        values = [values]
    if len(values) == 1:
        with get_default_graph().name_scope(name or "concat"):
            at = convert_to_tensor(axis, int32, "concat_dim")
            if at.dims != ():
                raise ValueError(f"Shape {at.shape} must have rank 0: the axis of concat")
            return identity(values[0], name=name or "concat")
    return _concat_v2(values, axis, name=name or "concat")


def _offset_shapes(c: Infer) -> list[Dims]:
    return [c.dims(i) for i in range(1, len(c.tensors))]


@op("ConcatOffset", _offset_shapes, out="offset: N*int32", static="concat_dim", N=2)
def concat_offset(concat_dim: Int32, shape: ShapeList, name: str | None = None) -> list[Tensor]:
    """Where each of the tensors of the given shapes begins in their concatenation."""
    a = sizes(concat_dim)[0]
    out: list[Any] = []
    at: Any = 0
    for s in shape:
        rows = [at if i == a % len(s) else 0 for i in range(len(s))]
        out.append(xp.stack([xp.astype(xp.asarray(r), np.int32) if not isinstance(r, np.ndarray | int) else r for r in rows]))
        at = at + s[a]
    return out


grad.none("ConcatOffset", "integers have no gradient")


@op("ParallelConcat", lambda c: merge_dims(c.attrs["shape"].as_dims(), concat_dims(c.all_dims, 0)), out="output: T", T=ANY)
def _parallel_concat(values: ListT, shape: Shape, name: str | None = None) -> Tensor:
    """Joins tensors along the first dimension."""
    return xp.concatenate(values, 0)


@grad("ParallelConcat")
def _(op: Operation, dy: Tensor) -> Any:
    return split(dy, len(op.inputs))


@export("parallel_stack")
def parallel_stack(values: Any, name: str | None = "parallel_stack") -> Tensor:
    """Stacks tensors of one fully known shape along a new first dimension."""
    with get_default_graph().name_scope(name or "parallel_stack") as scope:
        first = convert_to_tensor(values[0])
        return _parallel_concat([expand_dims(v, 0) for v in values], [len(values), *first.shape.as_list()], name=scope)


# -- split -------------------------------------------------------------------------------------------


def _split_shape(c: Infer) -> list[Dims]:
    num, dims, at = c.attrs["num_split"], c.dims(1), _scalar_value(c, 0, "split_dim")
    if dims is None:
        return [None] * num
    if at is None:
        return [(None,) * len(dims)] * num
    a = position(at, len(dims), "split_dim")
    d = dims[a]
    if d is not None and d % num:
        raise ValueError(f"Dimension size must be evenly divisible by {num} but is {d}: size {a} of {shape_str(dims)}")
    return [(*dims[:a], None if d is None else d // num, *dims[a + 1 :])] * num


@op("Split", _split_shape, out="output: num_split*T", rename={"axis": "split_dim"}, static="axis", T=ANY, num_split=1)
def _split(axis: Int32, value: T, num_split: int, name: str | None = None) -> list[Tensor]:
    """Cuts a tensor into equal parts along one dimension."""
    return xp.split(value, num_split, sizes(axis)[0])


@grad("Split")
def _(op: Operation, *dys: Tensor) -> Any:
    return None, concat(list(dys), op.inputs[0])


def _split_v_shape(c: Infer) -> list[Dims]:
    num, dims, at = c.attrs["num_split"], c.dims(0), _scalar_value(c, 2, "split_dim")
    count = length(c, 1)
    if count is not None and count != num:
        raise ValueError(f"Length of size_splits is {count}, but num_split is {num}")
    if dims is None:
        return [None] * num
    if at is None:
        return [(None,) * len(dims)] * num
    a = position(at, len(dims), "split_dim")
    parts: Sequence[int | None] = static.entries_of(c.tensors[1]) or (None,) * num
    exact = c.value(1)
    if exact is not None:
        parts = completed([int(v) for v in exact.tolist()], dims[a])
    return [(*dims[:a], None if p == -1 else p, *dims[a + 1 :]) for p in parts]


def completed(parts: list[int], total: int | None) -> list[int]:
    """Returns sizes of parts with a -1 replaced by what is left of `total`."""
    if parts.count(-1) > 1:
        raise ValueError("There can only be one -1 in the size_splits")
    if any(p < -1 for p in parts):
        raise ValueError(f"the sizes of a split must not be negative: {parts}")
    if total is None:
        return parts
    left = total - sum(p for p in parts if p != -1)
    if left < 0 or (left and -1 not in parts):
        raise ValueError(f"the sizes of a split must make up the dimension: {parts} for size {total}")
    return [left if p == -1 else p for p in parts]


@op(
    "SplitV", _split_v_shape, out="output: num_split*T", rename={"axis": "split_dim"}, static="size_splits axis", T=ANY, Tlen=INDEX.default_to(int64),
    num_split=1,
)  # fmt: skip
def _split_v(value: T, size_splits: Tlen, axis: Int32, num_split: int, name: str | None = None) -> list[Tensor]:
    """Cuts a tensor into parts of given sizes along one dimension; one size may be -1."""
    a = sizes(axis)[0]
    parts = completed(list(sizes(size_splits)), np.shape(value)[a])
    return xp.split(value, np.cumsum(parts)[:-1].tolist(), a)


@grad("SplitV")
def _(op: Operation, *dys: Tensor) -> Any:
    return concat(list(dys), op.inputs[2]), None, None


@export("split")
def split(value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str | None = "split") -> list[Tensor]:
    """Cuts a tensor into a list of tensors along `axis`.

    Args:
      value: the tensor.
      num_or_size_splits: an integer, how many equal parts; or a vector of sizes, one of which may be -1.
      axis: in [-rank, rank).
      num: how many parts, when the length of the vector of sizes is not known.

    Raises ValueError when the sizes do not make up the dimension.

    >>> [t.shape.as_list() for t in split(ones([5, 30]), [4, 15, -1], 1)]
    [[5, 4], [5, 15], [5, 11]]
    """
    extents = convert_to_tensor(num_or_size_splits)
    name = name or "split"
    if isinstance(num_or_size_splits, (int, np.integer, Dimension)):
        return _as_list(_split(axis, value, int(num_or_size_splits), name=name))
    if extents.dims == ():
        raise ValueError(f"Rank-0 tensors are not supported as the num_or_size_splits argument to split. Argument provided: {num_or_size_splits}")
    if num is None:
        num = extents.dims[0] if extents.dims else None
        if num is None:
            raise ValueError(f"Cannot infer num from shape {num_or_size_splits}")
    return _as_list(_split_v(value, extents, axis, num, name=name))


def _as_list(value: Any) -> list[Tensor]:
    return value if isinstance(value, list) else [value]


# -- tile --------------------------------------------------------------------------------------------


def _tile_shape(c: Infer) -> Dims:
    dims, times = c.dims(0), static.entries_of(c.tensors[1])
    length(c, 1)
    if dims is None or times is None:
        return (None,) * len(dims or times or ()) if (dims or times) else None
    if len(dims) != len(times):
        raise ValueError(f"Expected multiples argument to be a vector of length {len(dims)} but got length {len(times)}")
    if any(t is not None and t < 0 for t in times):
        raise ValueError(f"Expected multiples >= 0, got {times}")
    return tuple(0 if 0 in (d, t) else None if d is None or t is None else d * t for d, t in zip(dims, times, strict=True))


@op("Tile", _tile_shape, static="multiples", api="tile manip.tile", T=ANY, Tmultiples=INDEX.default_to(int32))
def tile(input: T, multiples: Tmultiples, name: str | None = None) -> Tensor:
    """Repeats a tensor: dimension i of the result is `multiples[i]` copies of dimension i of `input`, one after the other.

    >>> tile([[1, 2]], [2, 2]).shape.as_list()
    [2, 4]
    """
    return xp.tile(input, sizes(multiples))


@grad("Tile")
def _(op: Operation, dy: Tensor) -> Any:
    x, times = op.inputs
    known = static.value_of(times)
    if known is not None and num_elements(x.dims) is not None:
        pairs = [n for t, d in zip(known.tolist(), x.dims or (), strict=True) for n in (t, d)]
        return raw("Sum")(reshape(dy, pairs), np.arange(0, len(pairs), 2, dtype=np.int32)), None
    both = reshape(transpose(stack([times, shape(x, out_type=times.dtype)])), [-1])
    total = raw("Sum")(reshape(dy, both), range_(0, size(both), 2))
    total.set_shape(x.shape)
    return total, None


@export("meshgrid")
def meshgrid(*args: Any, **kwargs: Any) -> list[Tensor]:
    """Broadcasts vectors into the coordinates of the points of a grid, one tensor per vector.

    Keyword arguments: `indexing`, "xy" (the default: the first two dimensions exchanged) or "ij"; `sparse`, leave the
    results as they are before broadcasting; `name`.

    >>> [t.shape.as_list() for t in meshgrid([1, 2], [3, 4, 5])]
    [[3, 2], [3, 2]]
    """
    indexing, name, sparse = kwargs.pop("indexing", "xy"), kwargs.pop("name", "meshgrid"), kwargs.pop("sparse", False)
    if kwargs:
        raise TypeError(f"'{next(iter(kwargs))}' is an invalid keyword argument for this function")
    if indexing not in ("xy", "ij"):
        raise ValueError("indexing parameter must be either 'xy' or 'ij'")
    n = len(args)
    with get_default_graph().name_scope(name):
        out = [reshape(stack(x), (1,) * i + (-1,) + (1,) * (n - i - 1)) for i, x in enumerate(args)]
        extents = [size(x) for x in args]
        dtype = convert_to_tensor(args[0]).dtype.base_dtype if args else None
        if indexing == "xy" and n > 1:
            out[0] = reshape(out[0], (1, -1) + (1,) * (n - 2))
            out[1] = reshape(out[1], (-1, 1) + (1,) * (n - 2))
            extents[0], extents[1] = extents[1], extents[0]
        if sparse:
            return out
        factor = ones(extents, dtype)
        return [x * factor for x in out]


__all__ = [
    "concat", "concat_offset", "meshgrid", "mirror_pad", "pad", "pad_v2", "parallel_stack", "reverse", "reverse_sequence", "roll", "split", "stack",
    "tile", "unstack",
]  # fmt: skip
