"""Trigonometric and hyperbolic functions and their inverses, element by element, in radians."""

from typing import Any

from ir import xp
from ir.build import grad, op
from ir.convert import constant
from ir.dtypes import FLOAT, FLOAT_COMPLEX, TypeSet
from ir.infer import broadcast, same
from ir.opdef import T
from ir.ops.broadcast import unbroadcast
from ir.ops.cast import conj
from ir.ops.elementwise import negative, reciprocal, sqrt, square
from ir.tensor import Operation, Tensor

WITH_INDEX = FLOAT_COMPLEX | TypeSet("int32 int64")


@op("Sin", same, out="y: T", T=FLOAT_COMPLEX, api="sin math.sin")
def sin(x: T, name: str | None = None) -> Tensor:
    """Returns the sine of each element of `x`."""
    return xp.sin(x)


@grad("Sin")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * cos(conj(op.inputs[0]))


@op("Cos", same, out="y: T", T=FLOAT_COMPLEX, api="cos math.cos")
def cos(x: T, name: str | None = None) -> Tensor:
    """Returns the cosine of each element of `x`."""
    return xp.cos(x)


@grad("Cos")
def _(op: Operation, dy: Tensor) -> Any:
    return negative(dy) * sin(conj(op.inputs[0]))


@op("Tan", same, out="y: T", T=WITH_INDEX, api="tan math.tan")
def tan(x: T, name: str | None = None) -> Tensor:
    """Returns the tangent of each element of `x`."""
    return xp.tan(x)


@grad("Tan")
def _(op: Operation, dy: Tensor) -> Any:
    return square(reciprocal(cos(conj(op.inputs[0])))) * dy


@op("Asin", same, out="y: T", T=WITH_INDEX, api="asin math.asin")
def asin(x: T, name: str | None = None) -> Tensor:
    """Returns the angle in [-pi/2, pi/2] whose sine is `x`, element by element; NaN outside [-1, 1]."""
    return xp.arcsin(x)


def _inverse_of_cosine(x: Tensor) -> Tensor:
    x = conj(x)
    return reciprocal(sqrt(constant(1, dtype=x.dtype) - square(x)))


@grad("Asin")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * _inverse_of_cosine(op.inputs[0])


@op("Acos", same, out="y: T", T=WITH_INDEX, api="acos math.acos")
def acos(x: T, name: str | None = None) -> Tensor:
    """Returns the angle in [0, pi] whose cosine is `x`, element by element; NaN outside [-1, 1]."""
    return xp.arccos(x)


@grad("Acos")
def _(op: Operation, dy: Tensor) -> Any:
    return negative(dy) * _inverse_of_cosine(op.inputs[0])


@op("Atan", same, out="y: T", T=WITH_INDEX, api="atan math.atan")
def atan(x: T, name: str | None = None) -> Tensor:
    """Returns the angle in (-pi/2, pi/2) whose tangent is `x`, element by element."""
    return xp.arctan(x)


@grad("Atan")
def _(op: Operation, dy: Tensor) -> Any:
    x = conj(op.inputs[0])
    return dy * reciprocal(constant(1, dtype=x.dtype) + square(x))


@op("Atan2", broadcast, out="z: T", T=FLOAT, api="atan2 math.atan2")
def atan2(y: T, x: T, name: str | None = None) -> Tensor:
    """Returns the angle in [-pi, pi] of the point (`x`, `y`), element by element; the operands broadcast."""
    return xp.arctan2(y, x)


@grad("Atan2")
def _(op: Operation, dz: Tensor) -> Any:
    y, x = op.inputs
    scaled = dz / (square(x) + square(y))
    return unbroadcast(y, x, x * scaled, -y * scaled)


@op("Sinh", same, out="y: T", T=FLOAT_COMPLEX, api="sinh math.sinh")
def sinh(x: T, name: str | None = None) -> Tensor:
    """Returns the hyperbolic sine of each element of `x`."""
    return xp.sinh(x)


@grad("Sinh")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * cosh(conj(op.inputs[0]))


@op("Cosh", same, out="y: T", T=FLOAT_COMPLEX, api="cosh math.cosh")
def cosh(x: T, name: str | None = None) -> Tensor:
    """Returns the hyperbolic cosine of each element of `x`."""
    return xp.cosh(x)


@grad("Cosh")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * sinh(conj(op.inputs[0]))


@op("Asinh", same, out="y: T", T=FLOAT_COMPLEX, api="asinh math.asinh")
def asinh(x: T, name: str | None = None) -> Tensor:
    """Returns the number whose hyperbolic sine is `x`, element by element."""
    return xp.arcsinh(x)


@grad("Asinh")
def _(op: Operation, dy: Tensor) -> Any:
    return dy / cosh(conj(op.outputs[0]))


@op("Acosh", same, out="y: T", T=FLOAT_COMPLEX, api="acosh math.acosh")
def acosh(x: T, name: str | None = None) -> Tensor:
    """Returns the number of at least 0 whose hyperbolic cosine is `x`, element by element; NaN below 1."""
    return xp.arccosh(x)


@grad("Acosh")
def _(op: Operation, dy: Tensor) -> Any:
    return dy / sinh(conj(op.outputs[0]))


@op("Atanh", same, out="y: T", T=FLOAT_COMPLEX, api="atanh math.atanh")
def atanh(x: T, name: str | None = None) -> Tensor:
    """Returns the number whose hyperbolic tangent is `x`, element by element; NaN outside [-1, 1]."""
    return xp.arctanh(x)


@grad("Atanh")
def _(op: Operation, dy: Tensor) -> Any:
    x = conj(op.inputs[0])
    return dy * reciprocal(constant(1, dtype=x.dtype) - square(x))
