"""Special functions: error function, gamma and beta functions and their kin, Bessel functions.

NumPy has few of them: most are computed by XLA (`graphc.lowering.special`).
"""

import math
from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import COMPLEX, FLOAT, TypeSet, float32
from ir.infer import Infer, broadcast, same
from ir.opdef import T
from ir.ops.broadcast import unbroadcast
from ir.ops.cast import cast, conj
from ir.ops.compare import greater, not_equal
from ir.ops.elementwise import abs_, exp, log, negative, on_values, reciprocal, sign, square
from ir.ops.layout import zeros_like
from ir.ops.reduce import reduce_sum
from ir.ops.select import where
from ir.shapes import Dims, merge_dims
from ir.tensor import Operation, Tensor

PRECISE = TypeSet("float32 float64")
NO_BFLOAT = TypeSet("float16 float32 float64") | COMPLEX
TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


# -- error function ----------------------------------------------------------------------------------


@op("Erf", same, out="y: T", T=FLOAT)
def _erf(x: T, name: str | None = None) -> Tensor:
    """The error function."""
    ...


@export("erf math.erf")
def erf(x: Any, name: str | None = None) -> Any:
    """Returns the error function of each element of `x`: 2/sqrt(pi) times the integral of exp(-t*t) from 0 to `x`.

    `x` may be a SparseTensor.
    """
    return on_values(_erf, x, name)


@op("Erfc", same, out="y: T", T=FLOAT, api="erfc math.erfc")
def erfc(x: T, name: str | None = None) -> Tensor:
    """Returns `1 - erf(x)`, element by element, accurate where it is small."""
    ...


@grad("Erf", "Erfc")
def _(op: Operation, dy: Tensor) -> Any:
    factor = constant(TWO_OVER_ROOT_PI if op.type == "Erf" else -TWO_OVER_ROOT_PI, dtype=dy.dtype)
    return dy * factor * exp(negative(square(conj(op.inputs[0]))))


# -- gamma -------------------------------------------------------------------------------------------


@op("Lgamma", same, out="y: T", T=FLOAT, api="lgamma math.lgamma")
def lgamma(x: T, name: str | None = None) -> Tensor:
    """Returns the logarithm of the absolute value of the gamma function of each element of `x`."""
    ...


@grad("Lgamma")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * digamma(op.inputs[0])


@op("Digamma", same, out="y: T", T=FLOAT, api="digamma math.digamma")
def digamma(x: T, name: str | None = None) -> Tensor:
    """Returns the derivative of `lgamma` at each element of `x`."""
    ...


@grad("Digamma")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * polygamma(constant(1, dtype=dy.dtype), op.inputs[0])


@op("Polygamma", broadcast, out="z: T", T=PRECISE, api="polygamma math.polygamma")
def polygamma(a: T, x: T, name: str | None = None) -> Tensor:
    """Returns the derivative of order `a` of `digamma` at `x`, for `a` = 0, 1, 2 ...; the operands broadcast."""
    ...


@grad("Polygamma")
def _(op: Operation, dz: Tensor) -> Any:
    a, x = op.inputs
    return unbroadcast(a, x, None, polygamma(a + 1.0, x) * dz)


@op("Zeta", broadcast, out="z: T", T=PRECISE, api="zeta math.zeta")
def zeta(x: T, q: T, name: str | None = None) -> Tensor:
    """Returns the Hurwitz zeta function, the sum of `(q + n) ** -x` over n = 0, 1, 2 ...; the operands broadcast."""
    ...


@grad("Zeta")
def _(op: Operation, dz: Tensor) -> Any:
    x, q = op.inputs
    return unbroadcast(x, q, None, negative(x) * zeta(x + 1.0, q) * dz)


@op("Igamma", broadcast, out="z: T", T=PRECISE, api="igamma math.igamma")
def igamma(a: T, x: T, name: str | None = None) -> Tensor:
    """Returns the lower regularized incomplete gamma function.

    That is the integral of `t ** (a - 1) * exp(-t)` from 0 to `x`, divided by gamma(a). The operands broadcast.
    """
    ...


@op("Igammac", broadcast, out="z: T", T=PRECISE, api="igammac math.igammac")
def igammac(a: T, x: T, name: str | None = None) -> Tensor:
    """Returns the upper regularized incomplete gamma function, `1 - igamma(a, x)`; the operands broadcast."""
    ...


@grad("Igamma", "Igammac")
def _(op: Operation, dz: Tensor) -> Any:
    a, x = op.inputs
    by_x = exp(-x + (a - 1.0) * log(x) - lgamma(a))
    da, dx = unbroadcast(a, x, igamma_grad_a(a, x) * dz, by_x * dz)
    if op.type == "Igamma" or da is None or dx is None:
        return da, dx
    return negative(da), negative(dx)


@op("IgammaGradA", broadcast, out="z: T", T=PRECISE)
def igamma_grad_a(a: T, x: T, name: str | None = None) -> Tensor:
    """The derivative of `igamma` by `a`."""
    ...


grad.none("IgammaGradA", "TensorFlow has no second derivative by the parameter either")


@export("lbeta math.lbeta")
def lbeta(x: Any, name: str | None = None) -> Tensor:
    """Returns the logarithm of the absolute value of the beta function, reduced along the last dimension.

    Args:
      x: a float tensor of rank n + 1; of two numbers in the last dimension it is the usual beta function, of more the
        multivariate one.
      name: a name for the operations.

    Returns a tensor of rank n.
    """
    with get_default_graph().name_scope(name or "lbeta"):
        x = convert_to_tensor(x, name="x")
        return reduce_sum(lgamma(x), axis=[-1]) - lgamma(reduce_sum(x, axis=[-1]))


# -- beta --------------------------------------------------------------------------------------------


def _alike_or_scalar(c: Infer) -> Dims:
    dims: Dims = ()
    for d in c.all_dims:
        if d is None:
            return None
        if d:
            dims = merge_dims(dims, d) if dims else d
    return dims


@op("Betainc", _alike_or_scalar, out="z: T", T=PRECISE, api="betainc math.betainc")
def betainc(a: T, b: T, x: T, name: str | None = None) -> Tensor:
    """Returns the regularized incomplete beta function of `x` in [0, 1].

    That is the integral of `t ** (a - 1) * (1 - t) ** (b - 1)` from 0 to `x`, divided by beta(a, b). The operands have one
    shape, or are scalars. No gradient flows to `a` and `b`.
    """
    ...


@grad("Betainc")
def _(op: Operation, dz: Tensor) -> Any:
    a, b, x = op.inputs
    log_beta = lgamma(a) + lgamma(b) - lgamma(a + b)
    slope = exp((b - 1.0) * log(1.0 - x) + (a - 1.0) * log(x) - log_beta)
    return None, None, unbroadcast(op.outputs[0], x, None, slope * dz)[1]


# -- Bessel ------------------------------------------------------------------------------------------


@op("BesselI0e", same, out="y: T", T=FLOAT)
def _bessel_i0e(x: T, name: str | None = None) -> Tensor:
    """`exp(-abs(x))` times the modified Bessel function of order 0."""
    ...


@grad("BesselI0e")
def _(op: Operation, dy: Tensor) -> Any:
    x, y = op.inputs[0], op.outputs[0]
    return dy * (bessel_i1e(x) - sign(x) * y)


@export("math.bessel_i0e")
def bessel_i0e(x: Any, name: str | None = None) -> Any:
    """Returns `exp(-abs(x)) * bessel_i0(x)`, element by element, which does not overflow; `x` may be a SparseTensor."""
    return on_values(_bessel_i0e, x, name)


@op("BesselI1e", same, out="y: T", T=FLOAT)
def _bessel_i1e(x: T, name: str | None = None) -> Tensor:
    """`exp(-abs(x))` times the modified Bessel function of order 1."""
    ...


@grad("BesselI1e")
def _(op: Operation, dy: Tensor) -> Any:
    x, y = op.inputs[0], op.outputs[0]
    eps = np.finfo(np.float64 if x.dtype.size == 8 else np.float32).eps if x.dtype.size > 2 else 2.0**-7
    far = greater(abs_(x), float(eps))  # nearer to 0 than this, 1 / x would overflow: the limit is 1/2
    safe = where(far, x, zeros_like(x) + float(eps))
    slope = bessel_i0e(safe) - y * (sign(safe) + reciprocal(safe))
    return dy * where(far, slope, zeros_like(x) + 0.5)


@export("math.bessel_i1e")
def bessel_i1e(x: Any, name: str | None = None) -> Any:
    """Returns `exp(-abs(x)) * bessel_i1(x)`, element by element, which does not overflow; `x` may be a SparseTensor."""
    return on_values(_bessel_i1e, x, name)


@export("math.bessel_i0")
def bessel_i0(x: Any, name: str | None = None) -> Tensor:
    """Returns the modified Bessel function of order 0 of each element of `x`. `bessel_i0e` is its form without overflow."""
    with get_default_graph().name_scope(name or "bessel_i0"):
        x = convert_to_tensor(x, preferred_dtype=float32, name="x")
        return exp(abs_(x)) * bessel_i0e(x)


@export("math.bessel_i1")
def bessel_i1(x: Any, name: str | None = None) -> Tensor:
    """Returns the modified Bessel function of order 1 of each element of `x`. `bessel_i1e` is its form without overflow."""
    with get_default_graph().name_scope(name or "bessel_i1"):
        x = convert_to_tensor(x, preferred_dtype=float32, name="x")
        return exp(abs_(x)) * bessel_i1e(x)


# -- products that are 0 when x is -------------------------------------------------------------------


@op("Xdivy", broadcast, out="z: T", T=NO_BFLOAT, api="math.xdivy")
def xdivy(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `x / y`, element by element, but 0 where `x` is 0, even when `y` is too; the operands broadcast."""
    return xp.where(xp.equal(x, 0), 0, x / y)


@grad("Xdivy")
def _(op: Operation, dz: Tensor) -> Any:
    x, y = op.inputs
    return unbroadcast(x, y, xdivy(_nonzero(x), y) * dz, xdivy(negative(x), square(y)) * dz)


@op("Xlogy", broadcast, out="z: T", T=NO_BFLOAT, api="math.xlogy")
def xlogy(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `x * log(y)`, element by element, but 0 where `x` is 0, even when `y` is too; the operands broadcast."""
    return xp.where(xp.equal(x, 0), 0, x * xp.log(y))


@grad("Xlogy")
def _(op: Operation, dz: Tensor) -> Any:
    x, y = op.inputs
    return unbroadcast(x, y, xlogy(_nonzero(x), y) * dz, xdivy(x, y) * dz)


def _nonzero(x: Tensor) -> Tensor:
    """1 where `x` is not 0, else 0."""
    return cast(not_equal(x, constant(0, dtype=x.dtype.base_dtype)), x.dtype.base_dtype)


@op("NextAfter", broadcast, out="output: T", T=PRECISE.default_to(float32), api="math.nextafter")
def next_after(x1: T, x2: T, name: str | None = None) -> Tensor:
    """Returns the number next to `x1` in the direction of `x2`, element by element; the operands broadcast."""
    return xp.nextafter(x1, x2)


@grad("NextAfter")
def _(op: Operation, dz: Tensor) -> Any:
    return unbroadcast(op.inputs[0], op.inputs[1], dz, zeros_like(dz))
