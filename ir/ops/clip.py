"""Clipping: by value, by norm, by the common norm of many tensors; and L2Loss, of which that norm is made."""

from collections.abc import Sequence
from typing import Any

from ir import xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import FLOAT, NUMBER
from ir.indexed_slices import IndexedSlices
from ir.infer import same, scalar
from ir.opdef import T
from ir.ops.arith import maximum, minimum
from ir.ops.basic import identity
from ir.ops.broadcast import unbroadcast
from ir.ops.cast import cast
from ir.ops.compare import greater, less, logical_or
from ir.ops.elementwise import is_finite, rsqrt, sqrt
from ir.ops.joining import stack
from ir.ops.layout import ones_like, range_, rank, size, zeros_like
from ir.ops.reduce import reduce_sum
from ir.ops.select import where
from ir.shapes import compatible, shape_str
from ir.tensor import Operation, Tensor


@op("L2Loss", scalar, api="nn.l2_loss", T=FLOAT)
def l2_loss(t: T, name: str | None = None) -> Tensor:
    """Returns half the sum of the squares of `t`, a floating point tensor of any shape, as a scalar.

    >>> l2_loss([3.0, 4.0]).shape.as_list()
    []
    """
    return xp.divide(xp.sum(xp.multiply(t, t), dtype=t.dtype), xp.astype(2, t.dtype))


@grad("L2Loss")
def _(op: Operation, dz: Tensor) -> Any:
    return op.inputs[0] * dz


@op("ClipByValue", same, T=NUMBER)
def _clip_by_value(t: T, clip_value_min: T, clip_value_max: T, name: str | None = None) -> Tensor:
    """`t` with smaller values replaced by `clip_value_min` and larger ones by `clip_value_max`, scalars or of its shape."""
    return xp.maximum(xp.minimum(t, clip_value_max), clip_value_min)


@grad("ClipByValue")
def _(op: Operation, dz: Tensor) -> Any:
    t, low, high = op.inputs
    zeros = zeros_like(dz)
    below, above = less(t, low), greater(t, high)
    d_low = unbroadcast(low, dz, where(below, dz, zeros), None)[0]
    d_high = unbroadcast(high, dz, where(above, dz, zeros), None)[0]
    return where(logical_or(below, above), zeros, dz), d_low, d_high


def _values(t: Any, name: str) -> Tensor:
    return convert_to_tensor(t.values if isinstance(t, IndexedSlices) else t, name=name)


def _like(t: Any, values: Tensor) -> Any:
    return IndexedSlices(values, t.indices, t.dense_shape) if isinstance(t, IndexedSlices) else values


def _check_same_shape(values: Tensor, out: Tensor) -> None:
    if not compatible(values.dims, out.dims):
        raise ValueError(f"Shapes {shape_str(values.dims)} and {shape_str(out.dims)} are incompatible: a bound must not have more dimensions than the tensor")


@export("clip_by_value")
def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """Returns `t` with values below `clip_value_min` or above `clip_value_max` replaced by these.

    Args:
      t: a real Tensor or IndexedSlices.
      clip_value_min, clip_value_max: of the type of `t`, of a shape that broadcasts to its shape.
      name: a name for the operation.

    Raises ValueError when a bound would broadcast `t` to another shape.

    >>> clip_by_value([1.0, 5.0], 2.0, 3.0).shape.as_list()
    [2]
    """
    with get_default_graph().name_scope(name or "clip_by_value") as scope:
        values = _values(t, "t")
        lower = minimum(values, clip_value_max)
        _check_same_shape(values, lower)
        out = maximum(lower, clip_value_min, name=scope)
        _check_same_shape(values, out)
        return _like(t, out)


@export("clip_by_norm")
def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """Returns `t` scaled down so that its L2 norm is at most `clip_norm`.

    Args:
      t: a floating point Tensor or IndexedSlices.
      clip_norm: a positive scalar.
      axes: the dimensions over which each norm is taken; all when None.
      name: a name for the operation.
    """
    with get_default_graph().name_scope(name or "clip_by_norm") as scope:
        values = _values(t, "t")
        squares = reduce_sum(values * values, axes, keepdims=True)
        some = squares > 0
        norm = where(some, sqrt(where(some, squares, ones_like(squares))), squares)  # finite gradient at 0
        scaled = values * clip_norm
        _check_same_shape(values, scaled)
        return _like(t, identity(scaled / maximum(norm, clip_norm), name=scope))


def _checked_list(t_list: Any) -> list[Any]:
    if not isinstance(t_list, Sequence) or isinstance(t_list, (str, bytes)):
        raise TypeError("t_list should be a sequence")
    return list(t_list)


@export("global_norm linalg.global_norm")
def global_norm(t_list: Any, name: str | None = None) -> Tensor:
    """Returns the square root of the sum of squares of all elements of a list of tensors.

    Args:
      t_list: a list of floating point Tensors, IndexedSlices and None (which is passed over).
      name: a name for the operation.

    Raises TypeError when `t_list` is not a list.
    """
    given = _checked_list(t_list)
    graph = get_default_graph()
    with graph.name_scope(name or "global_norm"):
        halves: list[Tensor] = []
        for i, t in enumerate(given):
            if t is not None:
                values = _values(t, f"t_{i}")
                with graph.colocate_with(values):
                    halves.append(l2_loss(values))
        total = reduce_sum(stack(halves))
        return sqrt(total * constant(2.0, total.dtype), name="global_norm")


@export("clip_by_global_norm")
def clip_by_global_norm(t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None) -> tuple[list[Any], Tensor]:
    """Scales a list of tensors by one factor so that their common L2 norm is at most `clip_norm`.

    Args:
      t_list: a list of floating point Tensors, IndexedSlices and None, which stays None.
      clip_norm: a positive scalar.
      use_norm: the common norm, if it is known; `global_norm(t_list)` by default.
      name: a name for the operations.

    Returns the scaled list and the norm. All values are NaN when the norm is not finite. Raises TypeError when `t_list`
    is not a list.
    """
    given = _checked_list(t_list)
    norm = global_norm(given, name) if use_norm is None else use_norm
    graph = get_default_graph()
    with graph.name_scope(name or "clip_by_global_norm") as scope:
        norm = convert_to_tensor(norm)
        factor = clip_norm * minimum(1.0 / norm, constant(1.0, norm.dtype) / clip_norm)
        factor = where(is_finite(norm), factor, constant(float("nan"), norm.dtype))
        clipped: list[Any] = []
        values = [None if t is None else _values(t, f"t_{i}") for i, t in enumerate(given)]
        for i, (t, v) in enumerate(zip(given, values, strict=True)):
            if v is None:
                clipped.append(None)
                continue
            with graph.colocate_with(v):
                clipped.append(_like(t, identity(v * factor, name=f"{scope}_{i}")))
    return clipped, norm


@export("clip_by_average_norm")
def clip_by_average_norm(t: Any, clip_norm: Any, name: str | None = None) -> Tensor:
    """Returns `t` scaled down so that its L2 norm over its number of elements is at most `clip_norm`. Deprecated."""
    with get_default_graph().name_scope(name or "clip_by_average_norm") as scope:
        t = convert_to_tensor(t, name="t")
        count = cast(size(t), t.dtype)
        inverse = rsqrt(reduce_sum(t * t, range_(rank(t))))
        return identity(t * clip_norm * minimum(inverse * count, constant(1.0, t.dtype) / clip_norm), name=scope)
