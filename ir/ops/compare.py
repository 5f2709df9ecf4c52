"""Comparisons and logic, element by element: Less, Equal, LogicalAnd and their like. All give booleans.

`Select` and `where` are in `ir.ops.select`.
"""

from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import get_default_graph
from ir.dtypes import COMPLEX, FLOAT, NUMBER, REAL, TypeSet
from ir.infer import Infer, broadcast, broadcast_dims, merged, same
from ir.opdef import Bool, T
from ir.shapes import Dims, fully_known
from ir.tensor import Tensor

EQUAL = FLOAT | COMPLEX | TypeSet("uint8 int8 int16 int32 int64 quint8 qint8 qint32 string bool")


@op("Less", broadcast, out="z: bool", api="less math.less", T=REAL)
def less(x: T, y: T, name: str | None = None) -> Tensor:
    """Whether `x < y`, element by element.

    Args:
      x, y: tensors of one real type; their shapes broadcast against each other.
      name: a name for the operation.

    Returns a bool tensor of the broadcast shape; comparisons with NaN are false.

    >>> less([1, 2], 2).dtype
    tf.bool
    """
    return xp.less(x, y)


@op("LessEqual", broadcast, out="z: bool", api="less_equal math.less_equal", T=REAL)
def less_equal(x: T, y: T, name: str | None = None) -> Tensor:
    """Whether `x <= y`, element by element; types, shapes and NaN as in `less`."""
    return xp.less_equal(x, y)


@op("Greater", broadcast, out="z: bool", api="greater math.greater", T=REAL)
def greater(x: T, y: T, name: str | None = None) -> Tensor:
    """Whether `x > y`, element by element; types, shapes and NaN as in `less`."""
    return xp.greater(x, y)


@op("GreaterEqual", broadcast, out="z: bool", api="greater_equal math.greater_equal", T=REAL)
def greater_equal(x: T, y: T, name: str | None = None) -> Tensor:
    """Whether `x >= y`, element by element; types, shapes and NaN as in `less`."""
    return xp.greater_equal(x, y)


def _equal_dims(c: Infer) -> Dims:
    if c.attrs["incompatible_shape_error"]:
        return broadcast(c)
    try:
        dims = broadcast_dims(c.dims(0), c.dims(1))
    except ValueError:
        return ()
    return dims if fully_known(c.dims(0)) and fully_known(c.dims(1)) else None


def _fit(x: Any, y: Any) -> bool:
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return True


@op("Equal", _equal_dims, out="z: bool", commutative=True, T=EQUAL)
def _equal(x: T, y: T, incompatible_shape_error: bool = True, name: str | None = None) -> Tensor:
    """Whether `x == y`; without `incompatible_shape_error`, shapes that do not broadcast give the scalar False."""
    if not incompatible_shape_error and not _fit(x, y):
        return np.array(False)  # pyright: ignore[reportReturnType]
    return xp.equal(x, y)


@op("NotEqual", _equal_dims, out="z: bool", commutative=True, T=EQUAL)
def _not_equal(x: T, y: T, incompatible_shape_error: bool = True, name: str | None = None) -> Tensor:
    """Whether `x != y`; without `incompatible_shape_error`, shapes that do not broadcast give the scalar True."""
    if not incompatible_shape_error and not _fit(x, y):
        return np.array(True)  # pyright: ignore[reportReturnType]
    return xp.not_equal(x, y)


@export("equal math.equal")
def equal(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Whether `x == y`, element by element.

    Args:
      x, y: tensors of one numeric, bool or string type; their shapes broadcast against each other.
      name: a name for the operation.

    Returns a bool tensor of the broadcast shape; NaN equals nothing.

    >>> equal(["a", "b"], "a").shape.as_list()
    [2]
    """
    return _equal(x, y, name=name)


@export("not_equal math.not_equal")
def not_equal(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Whether `x != y`, element by element; types and shapes as in `equal`."""
    return _not_equal(x, y, name=name)


@op("ApproximateEqual", merged, out="z: bool", commutative=True, T=NUMBER)
def approximate_equal(x: T, y: T, tolerance: float = 9.999999747378752e-06, name: str | None = None) -> Tensor:
    """Whether `|x - y| < tolerance`, element by element, for tensors of one type and shape."""
    distance = xp.abs(xp.subtract(x, y))
    return xp.less(distance, np.asarray(tolerance).astype(distance.dtype))


@op("LogicalAnd", broadcast, out="z: bool", api="logical_and math.logical_and", commutative=True)
def logical_and(x: Bool, y: Bool, name: str | None = None) -> Tensor:
    """Whether both `x` and `y` are true, element by element; bool tensors, shapes broadcast."""
    return xp.logical_and(x, y)


@op("LogicalOr", broadcast, out="z: bool", api="logical_or math.logical_or", commutative=True)
def logical_or(x: Bool, y: Bool, name: str | None = None) -> Tensor:
    """Whether `x` or `y` or both are true, element by element; bool tensors, shapes broadcast."""
    return xp.logical_or(x, y)


@op("LogicalNot", same, out="y: bool", api="logical_not math.logical_not")
def logical_not(x: Bool, name: str | None = None) -> Tensor:
    """Whether `x` is false, element by element."""
    return xp.logical_not(x)


@export("logical_xor math.logical_xor")
def logical_xor(x: Any, y: Any, name: str = "LogicalXor") -> Tensor:
    """Whether exactly one of `x` and `y` is true, element by element; bool tensors, shapes broadcast."""
    if name and name.endswith("/"):
        with get_default_graph().name_scope(name):
            return logical_and(logical_or(x, y), logical_not(logical_and(x, y)), name=name)
    return logical_and(logical_or(x, y), logical_not(logical_and(x, y)), name=name)


grad.none(
    "Less LessEqual Greater GreaterEqual Equal NotEqual ApproximateEqual LogicalAnd LogicalOr LogicalNot",
    "the output is boolean",
)
