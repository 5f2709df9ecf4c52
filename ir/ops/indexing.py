"""Small index arithmetic: UnravelIndex, data formats, sequence_mask; and updates of rows "in place"."""

from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import INDEX, as_dtype, bool_, int32, string
from ir.errors import InvalidArgumentError
from ir.infer import Infer, from_shape_input, same
from ir.opdef import In, Int32, T, Type
from ir.ops.arith import maximum
from ir.ops.cast import cast
from ir.ops.layout import all_axes, expand_dims, length, range_, sizes
from ir.ops.reduce import reduce_max
from ir.ops.scatter_util import scatter_rows
from ir.shapes import Dims, merge_dims, shape_str
from ir.tensor import Operation, Tensor

Tidx = Annotated[Any, In("Tidx")]


# -- index arithmetic --------------------------------------------------------------------------------


def _unravelled(c: Infer) -> Dims:
    dims, n = c.dims(0), length(c, 1)
    if dims is not None and len(dims) > 1:
        raise ValueError(f"indices must be a scalar or vector, got shape {shape_str(dims)}")
    return None if dims is None else (n, *dims)


@op("UnravelIndex", _unravelled, api="unravel_index", Tidx=INDEX.default_to(int32))
def unravel_index(indices: Tidx, dims: Tidx, name: str | None = None) -> Tensor:
    """Converts flat indices into coordinates of an array.

    Args:
      indices: a scalar or vector of integers in [0, product of `dims`).
      dims: the shape of the array, a vector of length n.

    Returns coordinates of shape [n] or [n, number of indices].

    >>> unravel_index([2, 5, 7], [3, 3]).shape.as_list()
    [2, 3]
    """
    if xp.is_numpy([indices, dims]):
        total = int(np.prod(dims))
        bad = np.asarray(indices)[(indices < 0) | (indices >= total)]
        if bad.size:
            raise InvalidArgumentError(None, None, f"index {int(bad.reshape(-1)[0])} is out of bound as with dims {np.asarray(dims).tolist()}")
        return np.stack(np.unravel_index(indices, tuple(dims.tolist()))).astype(dims.dtype)  # pyright: ignore[reportReturnType]
    dims = xp.reshape(dims, (-1,) + (1,) * np.ndim(indices))
    below = xp.cumprod(xp.flip(dims, 0), 0)
    strides = xp.flip(below, 0) // dims
    return (indices // strides) % dims


grad.none("UnravelIndex", "integers have no gradient")


def _format_table(src_format: str, dst_format: str) -> list[int]:
    if sorted(src_format) != sorted(dst_format):
        raise ValueError(f"data formats {src_format} and {dst_format} must have the same letters")
    return [dst_format.index(c) for c in src_format]


@op("DataFormatDimMap", same, out="y: T", T=INDEX.default_to(int32))
def data_format_dim_map(x: T, src_format: str = "NHWC", dst_format: str = "NCHW", name: str | None = None) -> Tensor:
    """Translates numbers of dimensions, which may be negative, of one data format into those of another."""
    table = np.array(_format_table(src_format, dst_format), dtype=x.dtype)
    return xp.take(table, x % len(table)) if xp.is_numpy(x) else xp.namespace(x).asarray(table)[x % len(table)]


def _permuted_dims(c: Infer) -> Dims:
    dims, n = c.dims(0), len(c.attrs["src_format"])
    if dims is not None and (len(dims) not in (1, 2) or (len(dims) == 2 and dims[1] not in (2, None))):
        raise ValueError(f"input must be a vector or a matrix with 2 columns, got shape {shape_str(dims)}")
    if dims is not None and dims[0] is not None and dims[0] > n:
        raise ValueError(f"input has {dims[0]} rows for a data format of {n} letters")
    return dims


@op("DataFormatVecPermute", _permuted_dims, out="y: T", T=INDEX.default_to(int32))
def data_format_vec_permute(x: T, src_format: str = "NHWC", dst_format: str = "NCHW", name: str | None = None) -> Tensor:
    """Reorders the rows of `x`, one per dimension of one data format, into the order of another."""
    _format_table(src_format, dst_format)
    return x[np.array([src_format.index(c) for c in dst_format])]


grad.none("DataFormatDimMap DataFormatVecPermute", "integers have no gradient")


@op("GuaranteeConst", same, passthrough=True, stateful=True, api="guarantee_const")
def guarantee_const(input: T, name: str | None = None) -> Tensor:
    """Returns `input`, of which the caller promises that it never changes."""
    return input


@grad("GuaranteeConst")
def _(op: Operation, dy: Tensor) -> Any:
    return dy


# -- rows in place -----------------------------------------------------------------------------------


def _in_place(c: Infer) -> Dims:
    x, i, v = c.all_dims
    if x is None or i is None:
        return x
    if len(i) > 1:
        raise ValueError(f"i must be a scalar or a vector, got shape {shape_str(i)}")
    merge_dims((*i, *x[1:]), v)
    return x


def _rows(x: Any, i: Any, v: Any, how: str) -> Any:
    n = np.shape(x)[0]
    return scatter_rows(x, i % n if n else i, v, how)


@op("InplaceUpdate", _in_place, out="y: T")
def inplace_update(x: T, i: Int32, v: T, name: str | None = None) -> Tensor:
    """Returns `x` with the rows `i` replaced by `v`."""
    return _rows(x, i, v, "set")


@op("InplaceAdd", _in_place, out="y: T")
def inplace_add(x: T, i: Int32, v: T, name: str | None = None) -> Tensor:
    """Returns `x` with `v` added to the rows `i`."""
    return _rows(x, i, v, "add")


@op("InplaceSub", _in_place, out="y: T")
def inplace_sub(x: T, i: Int32, v: T, name: str | None = None) -> Tensor:
    """Returns `x` with `v` subtracted from the rows `i`."""
    return _rows(x, i, v, "sub")


@op("Empty", from_shape_input(0), out="output: dtype", static="shape", stateful=True)
def empty(shape: Int32, dtype: Type, init: bool = False, name: str | None = None) -> Tensor:
    """A tensor whose elements may be anything (here zeros); `init` asks for zeros."""
    dims = sizes(shape)
    return np.full(dims, b"", object) if dtype is string else np.zeros(dims, dtype.np_dtype)  # pyright: ignore[reportReturnType]


@op("DeepCopy", same, out="y: T", stateful=True)
def deep_copy(x: T, name: str | None = None) -> Tensor:
    """Returns a copy of `x`."""
    return x


grad.none("InplaceUpdate InplaceAdd InplaceSub DeepCopy Empty", "TensorFlow has none")


# -- sequence_mask -----------------------------------------------------------------------------------


@export("sequence_mask")
def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = bool_, name: str | None = None) -> Tensor:
    """Returns a mask whose last dimension is true in its first `lengths[i...]` places.

    Args:
      lengths: an integer tensor.
      maxlen: the size of the last dimension, a scalar; by default the largest length.
      dtype: the type of the result.

    Raises ValueError when `maxlen` is not a scalar.

    >>> sequence_mask([1, 3, 2], 5).shape.as_list()
    [3, 5]
    """
    with get_default_graph().name_scope(name or "SequenceMask"):
        lengths = convert_to_tensor(lengths)
        if maxlen is None:
            longest = reduce_max(lengths, all_axes(lengths))
            maxlen = maximum(constant(0, longest.dtype), longest)
        else:
            maxlen = convert_to_tensor(maxlen)
        if maxlen.dims not in ((), None):
            raise ValueError("maxlen must be scalar for sequence_mask")
        places = range_(constant(0, maxlen.dtype), maxlen, constant(1, maxlen.dtype), name="Range")
        mask = places < cast(expand_dims(lengths, -1), maxlen.dtype)
        wanted = as_dtype(dtype)
        return mask if wanted.is_compatible_with(mask.dtype.base_dtype) else cast(mask, wanted)
