"""Pack and Unpack, and the conversion of Python lists that hold tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph, is_tensor_like, register_tensor_conversion_function
from ir.dtypes import ANY, DType, as_dtype
from ir.infer import Infer
from ir.opdef import ListT, T
from ir.ops.cast import cast
from ir.shapes import Dims, merge_dims, shape_str
from ir.tensor import Operation, Tensor


def common_dims(c: Infer) -> Dims:
    """The one shape that all inputs have."""
    dims: Dims = None
    for i, d in enumerate(c.all_dims):
        try:
            dims = merge_dims(dims, d)
        except ValueError:
            raise ValueError(f"Shapes must be equal: value {i} has shape {shape_str(d)}, those before it {shape_str(dims)}") from None
    return dims


def position(axis: int, rank: int, what: str = "axis") -> int:
    """Returns `axis`, which may count from the end, as a number in [0, rank). Raises ValueError when out of range."""
    if not -rank <= axis < rank:
        raise ValueError(f"{what} = {axis} not in [{-rank}, {rank})")
    return axis % rank


def _packed(c: Infer) -> Dims:
    dims = common_dims(c)
    if dims is None:
        return None
    a = position(c.attrs["axis"], len(dims) + 1)
    return (*dims[:a], c.attrs["N"], *dims[a:])


@op("Pack", _packed, T=ANY)
def _pack(values: ListT, axis: int = 0, name: str | None = None) -> Tensor:
    """Packs tensors of one shape along a new dimension."""
    return xp.stack(values, axis)


@grad("Pack")
def _(op: Operation, dy: Tensor) -> Any:
    return unstack(dy, num=op.attrs["N"], axis=op.attrs["axis"])


def _unpacked(c: Infer) -> list[Dims]:
    dims, num = c.dims(0), c.attrs["num"]
    if dims is None:
        return [None] * num
    a = position(c.attrs["axis"], len(dims))
    if dims[a] is not None and dims[a] != num:
        raise ValueError(f"Dimension must be {num} but is {dims[a]}: size {a} of {shape_str(dims)}")
    return [(*dims[:a], *dims[a + 1 :])] * num


@op("Unpack", _unpacked, out="output: num*T", T=ANY)
def _unpack(value: T, num: int, axis: int = 0, name: str | None = None) -> list[Tensor]:
    """Splits a tensor along one dimension into slices without it."""
    a = axis % np.ndim(value)
    found = np.shape(value)[a]
    if found != num:
        raise ValueError(f"Input shape axis {a} must equal {num}, got {found}")
    lead = (slice(None),) * a
    parts = [value[(*lead, i)] for i in range(num)]
    return [np.asarray(p) for p in parts] if isinstance(value, np.ndarray) else parts  # pyright: ignore[reportReturnType]


@grad("Unpack")
def _(op: Operation, *dys: Tensor) -> Any:
    return stack(list(dys), axis=op.attrs["axis"])


@export("stack")
def stack(values: Any, axis: int = 0, name: str | None = "stack") -> Tensor:
    """Stacks tensors of one shape and type along a new dimension.

    Args:
      values: a list of tensors.
      axis: the position of the new dimension, in [-(rank + 1), rank + 1).

    Raises ValueError when the shapes differ or `axis` is out of range.

    >>> stack([[1, 4], [2, 5], [3, 6]], axis=1).shape.as_list()
    [2, 3]
    """
    name = name or "stack"
    if axis == 0:
        try:  # a constant when all values are, else one Pack
            return convert_to_tensor(values, name=name)
        except (TypeError, ValueError):
            pass
    return _pack(values, axis, name=name)


@export("unstack")
def unstack(value: Any, num: int | None = None, axis: int = 0, name: str | None = "unstack") -> list[Tensor]:
    """Unpacks a tensor along `axis` into the list of its slices, which lack that dimension.

    Args:
      value: a tensor of rank 1 or more.
      num: how many slices there are; by default the static shape tells.
      axis: in [-rank, rank).

    Raises ValueError when the number is neither given nor known.

    >>> len(unstack(constant([[1, 2], [3, 4], [5, 6]])))
    3
    """
    if num is None:
        value = convert_to_tensor(value)
        dims = value.dims
        if dims is None:
            raise ValueError("Cannot infer num from shape <unknown>")
        num = dims[position(axis, len(dims))]
        if num is None:
            raise ValueError(f"Cannot infer num from shape {shape_str(dims)}")
    return _unpack(value, num, axis, name=name or "unstack")


# -- lists that hold tensors -------------------------------------------------------------------------


def _first_dtype(value: Any) -> DType | None:
    if is_tensor_like(value):
        return value.dtype.base_dtype
    if isinstance(value, (list, tuple)):
        for v in value:
            found = _first_dtype(v)
            if found is not None:
                return found
    return None


def _with_dtype(value: Any, dtype: DType) -> Any:
    if is_tensor_like(value):
        return cast(value, dtype) if value.dtype.base_dtype is not dtype else value
    if isinstance(value, (list, tuple)):
        return [_with_dtype(v, dtype) for v in value]
    return value


def _pack_nested(values: Sequence[Any], dtype: DType, name: str) -> Any:
    with get_default_graph().name_scope(name) as scope:
        parts: list[Any] = []
        for i, v in enumerate(values):
            parts.append(_pack_nested(v, dtype, str(i)) if isinstance(v, (list, tuple)) else v)
        if not any(map(is_tensor_like, parts)):
            return parts
        tensors = [p if is_tensor_like(p) else constant(p, dtype, name=str(i)) for i, p in enumerate(parts)]
        return _pack(tensors, name=scope)


def _convert_list(value: Any, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Any:
    if as_ref:
        return NotImplemented
    found = _first_dtype(value)
    if found is None:
        return NotImplemented
    wanted = found if dtype is None else as_dtype(dtype).base_dtype
    return _pack_nested(value if wanted is found else _with_dtype(value, wanted), wanted, name or "packed")


register_tensor_conversion_function((list, tuple), _convert_list, 99)
