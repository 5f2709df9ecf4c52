"""Choosing by a condition: Select, SelectV2 and `where`, and Where, the places at which something is true."""

from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import ANY, NUMBER, TypeSet, bool_
from ir.infer import Infer, broadcast_dims
from ir.opdef import Bool, In, T
from ir.ops.broadcast import unbroadcast
from ir.ops.layout import zeros_like
from ir.shapes import Dims, merge_dims, shape_str
from ir.tensor import Operation, Tensor

Chosen = Annotated[Any, In("T")]


def _select_dims(c: Infer) -> Dims:
    condition, dims = c.dims(0), merge_dims(c.dims(1), c.dims(2))
    if condition is None or dims is None or condition == ():
        return dims
    if len(condition) == 1 and dims:
        if None not in (condition[0], dims[0]) and condition[0] != dims[0]:
            raise ValueError(f"the condition has {condition[0]} elements for {dims[0]} rows")
        return (dims[0] if condition[0] is None else condition[0], *dims[1:])
    if len(condition) != len(dims):
        raise ValueError(f"the condition, of shape {shape_str(condition)}, must be a scalar, a vector or of the shape {shape_str(dims)}")
    return merge_dims(condition, dims)


@op("Select", _select_dims, out="output: T", rename={"x": "t", "y": "e"}, T=ANY)
def _select(condition: Bool, x: Chosen, y: Chosen, name: str | None = None) -> Tensor:
    """The elements (or rows, for a vector `condition`) of `x` where the condition holds, of `y` elsewhere."""
    if condition.ndim == 1 and x.ndim > 1:
        condition = xp.reshape(condition, (-1 if condition.size else 0,) + (1,) * (x.ndim - 1))
    return xp.where(condition, x, y)


@grad("Select")
def _(op: Operation, dz: Tensor) -> Any:
    condition, x, _ = op.inputs
    zeros = zeros_like(x, dz.dtype)
    return None, _select(condition, dz, zeros), _select(condition, zeros, dz)


def _select_v2_dims(c: Infer) -> Dims:
    return broadcast_dims(broadcast_dims(c.dims(0), c.dims(1)), c.dims(2))


@op("SelectV2", _select_v2_dims, out="output: T", rename={"x": "t", "y": "e"}, T=ANY)
def _select_v2(condition: Bool, x: Chosen, y: Chosen, name: str | None = None) -> Tensor:
    """The elements of `x` where the condition holds, of `y` elsewhere; the three shapes broadcast."""
    return xp.where(condition, x, y)


@grad("SelectV2")
def _(op: Operation, dz: Tensor) -> Any:
    condition, x, y = op.inputs
    zero = np.zeros((), dz.dtype.np_dtype)
    z = op.outputs[0]
    return (
        None,
        unbroadcast(x, z, _select_v2(condition, dz, zero), None)[0],
        unbroadcast(y, z, _select_v2(condition, zero, dz), None)[0],
    )


def _where_dims(c: Infer) -> Dims:
    dims = c.dims(0)
    return (None, None if dims is None else len(dims))


@op("Where", _where_dims, out="index: int64", host=True, dynamic=True, rename={"condition": "input"}, T=(NUMBER | TypeSet("bool")).default_to(bool_))
def _where(condition: T, name: str | None = None) -> Tensor:
    """The indices, one a row, of the elements that are not zero, in row-major order."""
    return np.argwhere(condition).astype(np.int64)  # pyright: ignore[reportReturnType]


grad.none("Where", "indices are not a continuous function of the values")


@export("where")
def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """Returns `x` where `condition` holds and `y` elsewhere; the indices of what is true when neither is given.

    Args:
      condition: a bool tensor. With `x` and `y`: of their shape, a vector that chooses rows, or a scalar. Without: any
        shape; a numeric tensor is true where it is not zero.
      x, y: tensors of one type and one shape, or both None.
      name: a name for the operation.

    Returns a tensor like `x`, or an int64 tensor of shape [number of true elements, rank of condition].

    Raises ValueError when only one of `x` and `y` is given, or shapes do not fit (`where_v2` broadcasts).

    >>> where([True, False], [1, 2], [3, 4]).shape.as_list()
    [2]
    >>> where([[True, False]]).shape.as_list()
    [None, 2]
    """
    if x is None and y is None:
        return _indices_of(condition, name)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    return _select(condition, x, y, name=name)


@export("where_v2")
def where_v2(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """Returns `x` where `condition` holds and `y` elsewhere, as `where`, but the three shapes broadcast.

    >>> where_v2([True, False], 1, [[3, 4]]).shape.as_list()
    [1, 2]
    """
    if x is None and y is None:
        return _indices_of(condition, name)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    return _select_v2(condition, x, y, name=name)


def _indices_of(condition: Any, name: str | None) -> Tensor:
    with get_default_graph().name_scope(name or "Where") as scope:
        return _where(convert_to_tensor(condition, preferred_dtype=bool_, name="condition"), name=scope)
