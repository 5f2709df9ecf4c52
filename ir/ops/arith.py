"""Arithmetic of two operands: sums, products, the kinds of division, powers, extremes, and their gradients.

All broadcast their operands by NumPy's rule.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import dtypes, xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import COMPLEX, FLOAT, INDEX, NUMBER, DType, TypeSet
from ir.indexed_slices import IndexedSlices
from ir.infer import broadcast, merged
from ir.opdef import ListT, Shape, T
from ir.ops.broadcast import unbroadcast
from ir.ops.cast import cast, conj
from ir.ops.compare import greater_equal, less_equal, not_equal
from ir.ops.layout import ones_like, raw, zeros_like
from ir.ops.select import where
from ir.shapes import TensorShape, compatible, shape_str
from ir.tensor import Operation, Tensor

SUM = FLOAT | COMPLEX | TypeSet("uint8 int8 int16 int32 int64")
PRODUCT = SUM | TypeSet("uint16")
ORDERED = FLOAT | INDEX
NO_NAN = TypeSet("float16 float32 float64 complex64 complex128")

Pair = tuple[Tensor | None, Tensor | None]


# -- sums and products -------------------------------------------------------------------------------


@op("Add", broadcast, out="z: T", api="add math.add", T=SUM | TypeSet("string"))
def add(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `x + y`, element by element; strings are joined.

    Args:
      x, y: tensors of one type, numeric or string; their shapes broadcast against each other.
      name: a name for the operation.

    Returns a tensor of that type and the broadcast shape. Raises ValueError when the shapes do not broadcast.

    >>> add([[1], [2]], [3, 4]).shape.as_list()
    [2, 2]
    """
    return xp.add(x, y)


@op("AddV2", broadcast, out="z: T", commutative=True, T=SUM)
def _add_v2(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `x + y`, for numbers."""
    return xp.add(x, y)


def add_v2(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Returns `x + y` as the operator `+` builds it."""
    return add(x, y, name=name) if x.dtype.base_dtype is dtypes.string else _add_v2(x, y, name=name)


@op("Sub", broadcast, out="z: T", api="subtract math.subtract", T=PRODUCT)
def subtract(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `x - y`, element by element, for numeric tensors of one type; the shapes broadcast."""
    return xp.subtract(x, y)


@op("Mul", broadcast, out="z: T", api="multiply math.multiply", commutative=True, T=PRODUCT)
def multiply(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `x * y`, element by element, for numeric tensors of one type; the shapes broadcast."""
    return xp.multiply(x, y)


@op("MulNoNan", broadcast, out="z: T", T=NO_NAN)
def _mul_no_nan(x: T, y: T, name: str | None = None) -> Tensor:
    """`x * y`, and 0 wherever `y` is 0, whatever `x` is."""
    none = xp.equal(y, np.zeros((), y.dtype))
    return xp.where(none, np.zeros((), x.dtype), xp.multiply(x, y))


@op("SquaredDifference", broadcast, out="z: T", api="squared_difference math.squared_difference", commutative=True, T=ORDERED | COMPLEX)
def squared_difference(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `conj(x - y) * (x - y)`, element by element, for numeric tensors of one type; the shapes broadcast."""
    d: Any = xp.subtract(x, y)
    return xp.multiply(xp.conj(d) if d.dtype.kind == "c" else d, d)


@grad("Add", "AddV2")
def _(op: Operation, dz: Tensor) -> Any:
    return unbroadcast(op.inputs[0], op.inputs[1], dz, dz)


@grad("Sub")
def _(op: Operation, dz: Tensor) -> Any:
    return unbroadcast(op.inputs[0], op.inputs[1], dz, -dz)


@grad("Mul")
def _(op: Operation, dz: Tensor) -> Any:
    x, y = op.inputs
    if x.dtype.is_integer:
        return None, None
    return unbroadcast(x, y, dz * conj(y), dz * conj(x))


@grad("MulNoNan")
def _(op: Operation, dz: Tensor) -> Any:
    x, y = op.inputs
    return unbroadcast(x, y, _mul_no_nan(dz, conj(y)), _mul_no_nan(conj(x), dz))


@grad("SquaredDifference")
def _(op: Operation, dz: Tensor) -> Any:
    x, y = op.inputs
    dx = (dz + dz) * (x - y)
    return unbroadcast(x, y, dx, -dx)


# -- division ----------------------------------------------------------------------------------------


def truncated(x: Any, y: Any) -> Any:
    """Returns the integer quotients `x / y` rounded towards zero."""
    q = xp.floor_divide(x, y)
    if x.dtype.kind == "u":
        return q
    zero = np.zeros((), x.dtype)
    inexact = xp.not_equal(xp.multiply(q, y), x)
    return xp.add(q, xp.astype(xp.logical_and(inexact, xp.not_equal(xp.less(x, zero), xp.less(y, zero))), x.dtype))


def _is_integer(x: Any) -> bool:
    return x.dtype.kind in "iuO"


@op("Div", broadcast, out="z: T", T=PRODUCT)
def _div(x: T, y: T, name: str | None = None) -> Tensor:
    """`x / y`; integers are divided towards zero."""
    return truncated(x, y) if _is_integer(x) else xp.divide(x, y)


@op("RealDiv", broadcast, out="z: T", api="realdiv", T=PRODUCT)
def realdiv(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `x / y`, element by element, for floating point or complex tensors of one type; the shapes broadcast."""
    return truncated(x, y) if _is_integer(x) else xp.divide(x, y)


@op("TruncateDiv", broadcast, out="z: T", api="truncatediv", T=PRODUCT)
def truncatediv(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `x / y` rounded towards zero, element by element, for integer tensors of one type; the shapes broadcast."""
    return truncated(x, y) if _is_integer(x) else xp.trunc(xp.divide(x, y))


@op("FloorDiv", broadcast, out="z: T", api="floor_div", T=PRODUCT)
def floor_div(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `x / y` rounded down, element by element, for real tensors of one type; the shapes broadcast."""
    return xp.floor_divide(x, y) if _is_integer(x) else xp.floor(xp.divide(x, y))


@op("DivNoNan", broadcast, out="z: T", T=NO_NAN)
def _div_no_nan(x: T, y: T, name: str | None = None) -> Tensor:
    """`x / y`, and 0 wherever `y` is 0."""
    none = xp.equal(y, np.zeros((), y.dtype))
    return xp.where(none, np.zeros((), x.dtype), xp.divide(x, xp.where(none, np.ones((), y.dtype), y)))


@op("FloorMod", broadcast, out="z: T", api="floormod mod math.floormod math.mod", T=ORDERED)
def floormod(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns the remainder of the division of `x` by `y` rounded down: it has the sign of `y`.

    Args:
      x, y: tensors of one real type; their shapes broadcast against each other.
      name: a name for the operation.

    Returns `x - floor(x / y) * y`, element by element.

    >>> floormod([-7, 7], 3).dtype
    tf.int32
    """
    if _is_integer(x):
        return xp.remainder(x, y)
    rest, zero = xp.fmod(x, y), np.zeros((), x.dtype)
    return xp.where(xp.equal(xp.less(x, zero), xp.less(y, zero)), rest, xp.fmod(xp.add(rest, y), y))


@op("Mod", broadcast, out="z: T", T=ORDERED)
def _mod(x: T, y: T, name: str | None = None) -> Tensor:
    """The remainder of the division of `x` by `y` rounded towards zero: it has the sign of `x`."""
    return xp.fmod(x, y)


@op("TruncateMod", broadcast, out="z: T", api="truncatemod", T=ORDERED)
def truncatemod(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns the remainder of the division of `x` by `y` rounded towards zero: it has the sign of `x`."""
    return xp.fmod(x, y)


@grad("Div", "RealDiv")
def _(op: Operation, dz: Tensor) -> Any:
    x, y = op.inputs
    if x.dtype.is_integer:
        return None, None
    y = conj(y)
    return unbroadcast(op.inputs[0], op.inputs[1], realdiv(dz, y), dz * realdiv(realdiv(-conj(x), y), y))


@grad("DivNoNan")
def _(op: Operation, dz: Tensor) -> Any:
    x, y = op.inputs
    y = conj(y)
    return unbroadcast(op.inputs[0], op.inputs[1], _div_no_nan(dz, y), dz * _div_no_nan(_div_no_nan(-conj(x), y), y))


grad.none("FloorDiv TruncateDiv", "the quotient is constant but for jumps")


def _remainder_grad(quotient: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Operation, Tensor], Any]:
    def gradient(op: Operation, dz: Tensor) -> Any:
        x, y = op.inputs
        if x.dtype.is_integer:
            return None, None
        return unbroadcast(x, y, dz, -dz * quotient(x, y))

    return gradient


grad("FloorMod")(_remainder_grad(floor_div))
grad("Mod", "TruncateMod")(_remainder_grad(truncatediv))


# -- powers ------------------------------------------------------------------------------------------


@op("Pow", broadcast, out="z: T", T=ORDERED | COMPLEX)
def _pow(x: T, y: T, name: str | None = None) -> Tensor:
    """`x` to the power of `y`."""
    if x.dtype.kind == "c":
        one = xp.equal(y, np.zeros((), y.dtype))
        return xp.where(one, np.ones((), x.dtype), xp.power(x, y))
    return xp.power(x, y)


@export("pow math.pow")
def pow_(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Returns `x` to the power of `y`, element by element.

    Args:
      x, y: tensors of one type, float, complex, int32 or int64; their shapes broadcast against each other.
      name: a name for the operation.

    Returns a tensor of that type; negative powers of integers are an error.

    >>> pow_([[2, 2], [3, 3]], [[8, 16], [2, 3]]).shape.as_list()
    [2, 2]
    """
    with get_default_graph().name_scope(name or "Pow") as scope:
        return _pow(x, y, name=scope)


@grad("Pow")
def _(op: Operation, dz: Tensor) -> Any:
    """The logarithm of a base that is not positive counts as 0, so that x ** 2 has a gradient everywhere."""
    x, y = op.inputs
    if x.dtype.is_integer:
        return None, None
    z = conj(op.outputs[0])
    cx, cy = conj(x), conj(y)
    positive = not_equal(cx, 0) if x.dtype.is_complex else cx > 0
    log_x = where(positive, raw("Log")(where(positive, cx, ones_like(x))), zeros_like(x))
    return unbroadcast(x, y, dz * cy * pow_(cx, cy - 1), dz * z * log_x)


# -- extremes ----------------------------------------------------------------------------------------


@op("Maximum", broadcast, out="z: T", api="maximum math.maximum", T=ORDERED)
def maximum(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns the larger of `x` and `y`, element by element, for real tensors of one type; the shapes broadcast.

    Where they are equal, the gradient goes to `x`.
    """
    return xp.maximum(x, y)


@op("Minimum", broadcast, out="z: T", api="minimum math.minimum", T=ORDERED)
def minimum(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns the smaller of `x` and `y`, element by element, for real tensors of one type; the shapes broadcast.

    Where they are equal, the gradient goes to `x`.
    """
    return xp.minimum(x, y)


def _choice_grad(op: Operation, dz: Tensor, x_chosen: Tensor) -> Pair:
    zeros = zeros_like(dz)
    return unbroadcast(op.inputs[0], op.inputs[1], where(x_chosen, dz, zeros), where(x_chosen, zeros, dz))


@grad("Maximum")
def _(op: Operation, dz: Tensor) -> Any:
    return _choice_grad(op, dz, greater_equal(op.inputs[0], op.inputs[1]))


@grad("Minimum")
def _(op: Operation, dz: Tensor) -> Any:
    return _choice_grad(op, dz, less_equal(op.inputs[0], op.inputs[1]))


# -- functions ---------------------------------------------------------------------------------------

_TRUE_QUOTIENT = {
    dtypes.uint8: dtypes.float32, dtypes.int8: dtypes.float32, dtypes.uint16: dtypes.float32, dtypes.int16: dtypes.float32,
    dtypes.int32: dtypes.float64, dtypes.int64: dtypes.float64,
}  # fmt: skip


def _operands(x: Any, y: Any) -> tuple[Tensor, Tensor, DType]:
    x = convert_to_tensor(x, name="x")
    y = convert_to_tensor(y, None if isinstance(y, Tensor) else x.dtype.base_dtype, name="y")
    if x.dtype.base_dtype is not y.dtype.base_dtype:
        raise TypeError(f"x and y must have the same dtype, got {x.dtype.base_dtype!r} != {y.dtype.base_dtype!r}")
    return x, y, x.dtype.base_dtype


@export("truediv math.truediv")
def truediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Returns `x / y`, element by element, as Python 3 divides.

    Args:
      x, y: numeric tensors of one type; their shapes broadcast against each other.
      name: a name for the operation.

    Integers of at most 16 bits are cast to float32 first, of 32 and 64 bits to float64. Raises TypeError when the types
    differ.

    >>> truediv([1, 2], 2).dtype
    tf.float64
    """
    with get_default_graph().name_scope(name or "truediv") as scope:
        x, y, dtype = _operands(x, y)
        wider = _TRUE_QUOTIENT.get(dtype)
        if wider is not None:
            x, y = cast(x, wider), cast(y, wider)
        elif dtype not in FLOAT and dtype not in COMPLEX:
            admitted = ", ".join(t.name for t in (*_TRUE_QUOTIENT, *FLOAT.types, *COMPLEX.types))
            raise TypeError(f"Invalid dtype {dtype!r} in __truediv__. Expected one of {{{admitted}}}.")
        return realdiv(x, y, name=scope)


@export("divide math.divide")
def divide(x: Any, y: Any, name: str | None = None) -> Any:
    """Returns `x / y` by the operator of Python: `truediv` for tensors, a plain number for two numbers."""
    return x / y if name is None else truediv(x, y, name=name)


@export("div")
def div(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Returns `x / y` as Python 2 divides: integers are rounded down. Deprecated.

    `x` and `y` are numeric tensors of one type whose shapes broadcast; TypeError when the types differ.
    """
    with get_default_graph().name_scope(name or "div") as scope:
        x, y, dtype = _operands(x, y)
        return realdiv(x, y, name=scope) if dtype.is_floating or dtype.is_complex else floor_div(x, y, name=scope)


@export("floordiv math.floordiv")
def floordiv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Returns `x / y` rounded down, element by element, in the type of the operands, as `//` does.

    `x` and `y` are real tensors of one type whose shapes broadcast.

    >>> floordiv([-7, 7], 2).dtype
    tf.int32
    """
    with get_default_graph().name_scope(name or "floordiv") as scope:
        return floor_div(x, y, name=scope)


def _no_nan_operands(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    x = convert_to_tensor(x, name="x")
    return x, convert_to_tensor(y, x.dtype.base_dtype, name="y")


@export("div_no_nan math.divide_no_nan")
def div_no_nan(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Returns `x / y`, and 0 wherever `y` is 0, for floating point tensors of one type; the shapes broadcast."""
    with get_default_graph().name_scope(name or "div_no_nan") as scope:
        return _div_no_nan(*_no_nan_operands(x, y), name=scope)


@export("math.multiply_no_nan")
def multiply_no_nan(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Returns `x * y`, and 0 wherever `y` is 0 even if `x` is infinite or NaN; floating point, the shapes broadcast."""
    with get_default_graph().name_scope(name or "multiply_no_nan") as scope:
        return _mul_no_nan(*_no_nan_operands(x, y), name=scope)


@export("scalar_mul math.scalar_mul")
def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Any:
    """Multiplies a Tensor or IndexedSlices `x` by `scalar`, a number or a tensor of rank 0.

    Raises ValueError when `scalar` has another rank.
    """
    scalar = convert_to_tensor(scalar, x.dtype.base_dtype, name="scalar")
    if scalar.dims is None or scalar.dims:
        raise ValueError(f"Only scalar multiply works, got shape {shape_str(scalar.dims)}")
    if isinstance(x, IndexedSlices):
        return IndexedSlices(multiply(scalar, x.values, name=name), x.indices, x.dense_shape)
    return multiply(scalar, x, name=name)


@op("AccumulateNV2", merged, out="sum: T", commutative=True, T=NUMBER)
def _accumulate_n(inputs: ListT, shape: Shape, name: str | None = None) -> Tensor:
    """The sum of all inputs, which have one shape."""
    total = inputs[0]
    for x in inputs[1:]:
        total = xp.add(total, x)
    return total


@grad("AccumulateNV2")
def _(op: Operation, dz: Tensor) -> Any:
    return [dz] * len(op.inputs)


@export("accumulate_n math.accumulate_n")
def accumulate_n(inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None) -> Tensor:
    """Returns the sum of a list of tensors of one shape and type.

    Args:
      inputs: a list of at least one tensor.
      shape: their shape, when they do not tell it.
      tensor_dtype: their type, checked when given.
      name: a name for the operation.

    Raises ValueError when the list is empty or shapes or types differ, TypeError for a wrong `tensor_dtype`.
    """
    wrong = "inputs must be a list of at least one Tensor with the same dtype and shape"
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError(wrong)
    terms = [convert_to_tensor(t) for t in inputs]
    if any(t.dtype.base_dtype is not terms[0].dtype.base_dtype for t in terms):
        raise ValueError(wrong)
    known = TensorShape(shape)
    for t in terms:
        if not compatible(known.as_dims(), t.dims):
            raise ValueError(wrong)
        known = known.merge_with(t.shape)
    if tensor_dtype is not None and terms[0].dtype.base_dtype != tensor_dtype:
        raise TypeError(f"tensor_dtype is {tensor_dtype}, but input is of type {terms[0].dtype.name}")
    if len(terms) == 1 and name is None:
        return terms[0]
    return _accumulate_n(terms, known, name=name)
