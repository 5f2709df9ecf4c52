"""Running sums and products along an axis: Cumsum and Cumprod. CumulativeLogsumexp is in `ir.ops.statistics`."""

from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import INDEX, NUMBER, int32
from ir.infer import Infer
from ir.opdef import In, T
from ir.ops.cast import conj
from ir.shapes import Dims, shape_str
from ir.tensor import Operation, Tensor

Tidx = Annotated[Any, In("Tidx")]


def along_axis(c: Infer) -> Dims:
    """The shape of the first input, of which the second names an axis."""
    dims, axis = c.dims(0), c.value(1)
    if dims is not None and axis is not None and not -len(dims) <= int(axis) < len(dims):
        raise ValueError(f"axis {int(axis)} is out of range for shape {shape_str(dims)}")
    return dims


def _running(total: Any, x: Any, axis: Any, exclusive: bool, reverse: bool, start: int) -> Any:
    axis = int(axis) % x.ndim
    if reverse:
        x = xp.flip(x, axis)
    out = total(x, axis=axis, dtype=x.dtype)
    if exclusive:
        first = np.full((*x.shape[:axis], min(1, x.shape[axis]), *x.shape[axis + 1 :]), start, dtype=x.dtype)
        keep = tuple(slice(None, -1) if i == axis else slice(None) for i in range(x.ndim))
        out = xp.concatenate([first, out[keep]], axis)
    return xp.flip(out, axis) if reverse else out


@op("Cumsum", along_axis, out="out: T", static="axis", T=NUMBER, Tidx=INDEX.default_to(int32))
def _cumsum(x: T, axis: Tidx, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """The sums of the elements of `x` along `axis` up to each place; see `cumsum`."""
    return _running(xp.cumsum, x, axis, exclusive, reverse, 0)


@op("Cumprod", along_axis, out="out: T", static="axis", T=NUMBER, Tidx=INDEX.default_to(int32))
def _cumprod(x: T, axis: Tidx, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """The products of the elements of `x` along `axis` up to each place; see `cumprod`."""
    return _running(xp.cumprod, x, axis, exclusive, reverse, 1)


@export("cumsum math.cumsum")
def cumsum(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """Returns the running sums of `x` along `axis`.

    Args:
      x: a numeric tensor of rank at least 1.
      axis: a scalar integer in [-rank, rank).
      exclusive: leave the element itself out of its sum: [a, b, c] gives [0, a, a + b].
      reverse: sum from the end: [a, b, c] gives [a + b + c, b + c, c].
      name: a name for the operation.

    Returns a tensor of the shape and type of `x`. Raises ValueError when `axis` is out of range.

    >>> cumsum([[1, 2, 3]], axis=1).shape.as_list()
    [1, 3]
    """
    with get_default_graph().name_scope(name or "Cumsum") as scope:
        return _cumsum(convert_to_tensor(x, name="x"), axis, exclusive, reverse, name=scope)


@export("cumprod math.cumprod")
def cumprod(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """Returns the running products of `x` along `axis`; the arguments are those of `cumsum`.

    With `exclusive`, [a, b, c] gives [1, a, a * b].
    """
    with get_default_graph().name_scope(name or "Cumprod") as scope:
        return _cumprod(convert_to_tensor(x, name="x"), axis, exclusive, reverse, name=scope)


@grad("Cumsum")
def _(op: Operation, dy: Tensor) -> Any:
    a = op.attrs
    return cumsum(dy, op.inputs[1], a["exclusive"], not a["reverse"]), None


@grad("Cumprod")
def _(op: Operation, dy: Tensor) -> Any:
    x, axis = op.inputs
    exclusive, reverse = op.attrs["exclusive"], op.attrs["reverse"]
    products = conj(cumprod(x, axis, exclusive, reverse))
    return cumsum(products * dy, axis, exclusive, not reverse) / conj(x), None  # NaN where x is 0, as in TensorFlow
