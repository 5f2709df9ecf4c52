"""Functions of one number, element by element: arithmetic, exponentials, the logistic curve, rounding, predicates.

Trigonometric and hyperbolic functions are in `ir.ops.trigonometric`, special functions in `ir.ops.special`. Each
returns a tensor of the shape and type of its argument. Gradients of complex functions follow TensorFlow: the
incoming gradient times the conjugate of the derivative.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import FLOAT, FLOAT_COMPLEX, SIGNED, TypeSet, as_dtype
from ir.infer import Infer, same
from ir.opdef import Floats, T
from ir.ops.arith import div_no_nan, maximum, minimum
from ir.ops.cast import cast, conj
from ir.ops.complex import complex_abs
from ir.ops.layout import shape, zeros, zeros_like
from ir.shapes import Dims
from ir.sparse_tensor import SparseTensor
from ir.tensor import Operation, Tensor

WITH_INDEX = FLOAT_COMPLEX | TypeSet("int32 int64")


def on_values(function: Callable[..., Tensor], x: Any, name: str | None) -> Any:
    """Returns `function(x)`; of a SparseTensor, which must stay as sparse, the function of its values."""
    if isinstance(x, SparseTensor):
        return SparseTensor(x.indices, function(x.values, name=name), x.dense_shape)
    return function(x, name=name)


# -- sign and magnitude ------------------------------------------------------------------------------


@op("Neg", same, out="y: T", T=WITH_INDEX)
def _neg(x: T, name: str | None = None) -> Tensor:
    """`-x`."""
    return xp.negative(x)


@grad("Neg")
def _(op: Operation, dy: Tensor) -> Any:
    return negative(dy)


@export("negative math.negative")
def negative(x: Any, name: str | None = None) -> Any:
    """Returns `-x`, element by element; of a SparseTensor, a SparseTensor."""
    return on_values(_neg, x, name)


@op("Abs", same, out="y: T", T=FLOAT | SIGNED)
def _abs(x: T, name: str | None = None) -> Tensor:
    """The absolute value of real numbers."""
    return xp.abs(x)


@grad("Abs")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * sign(op.inputs[0])


@export("abs math.abs")
def abs_(x: Any, name: str | None = None) -> Any:
    """Returns the absolute value of each element of `x`.

    Args:
      x: a real or complex tensor, or a SparseTensor.
      name: a name for the operation.

    Returns a tensor of the shape of `x`, of its type, or float32 (float64) when that is complex64 (complex128).

    >>> abs_([-1.5, 2.0]).dtype
    tf.float32
    """
    if isinstance(x, SparseTensor):
        return on_values(abs_, x, name)
    with get_default_graph().name_scope(name or "Abs") as scope:
        x = convert_to_tensor(x, name="x")
        return complex_abs(x, x.dtype.real_dtype, name=scope) if x.dtype.is_complex else _abs(x, name=scope)


@op("Sign", same, out="y: T", T=WITH_INDEX)
def _sign(x: T, name: str | None = None) -> Tensor:
    """-1, 0 or 1; `x / abs(x)` of a complex number. NaN gives 0, as in TensorFlow 1."""
    if x.dtype.kind == "c":
        return xp.sign(x)
    return xp.astype(xp.greater(x, 0), x.dtype) - xp.astype(xp.less(x, 0), x.dtype)


@grad("Sign")
def _(op: Operation, dy: Tensor) -> Any:
    x = op.inputs[0]
    return zeros(shape(x), x.dtype.base_dtype)


@export("sign math.sign")
def sign(x: Any, name: str | None = None) -> Any:
    """Returns -1, 0 or 1 as each element of `x` is negative, zero or positive.

    A complex number gives `x / abs(x)`, or 0; NaN gives 0. `x` may be a SparseTensor.
    """
    return on_values(_sign, x, name)


# -- powers ------------------------------------------------------------------------------------------


@op("Reciprocal", same, out="y: T", T=WITH_INDEX, api="reciprocal math.reciprocal")
def reciprocal(x: T, name: str | None = None) -> Tensor:
    """Returns `1 / x`, element by element; infinity where `x` is 0."""
    return xp.reciprocal(x)


@op("Inv", same, out="y: T", T=WITH_INDEX)
def inv(x: T, name: str | None = None) -> Tensor:
    """`Reciprocal`, as older graphs call it."""
    return xp.reciprocal(x)


@grad("Reciprocal", "Inv")
def _(op: Operation, dy: Tensor) -> Any:
    return reciprocal_grad(op.outputs[0], dy)


@op("ReciprocalGrad", same, out="z: T", T=FLOAT_COMPLEX)
def reciprocal_grad(y: T, dy: T, name: str | None = None) -> Tensor:
    """The gradient of `1 / x`, from its value `y`."""
    y = xp.conj(y)
    return -dy * y * y


@op("InvGrad", same, out="z: T", T=FLOAT_COMPLEX)
def inv_grad(y: T, dy: T, name: str | None = None) -> Tensor:
    """`ReciprocalGrad`, as older graphs call it."""
    y = xp.conj(y)
    return -dy * y * y


@grad("ReciprocalGrad", "InvGrad")
def _(op: Operation, dz: Tensor) -> Any:
    y = conj(op.inputs[0])
    return conj(dz) * -2.0 * op.inputs[1] * y, reciprocal_grad(y, dz)


@export("math.reciprocal_no_nan")
def reciprocal_no_nan(x: Any, name: str | None = None) -> Tensor:
    """Returns `1 / x`, element by element, but 0 where `x` is 0."""
    with get_default_graph().name_scope(name or "reciprocal_no_nan") as scope:
        x = convert_to_tensor(x, name="x")
        return div_no_nan(constant(1, dtype=x.dtype.base_dtype, name="one"), x, name=scope)


@op("Square", same, out="y: T", T=WITH_INDEX)
def _square(x: T, name: str | None = None) -> Tensor:
    """`x * x`."""
    return xp.square(x)


@grad("Square")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * (conj(op.inputs[0]) * constant(2, dtype=dy.dtype))


@export("square math.square")
def square(x: Any, name: str | None = None) -> Any:
    """Returns `x * x`, element by element; of a SparseTensor, a SparseTensor."""
    return on_values(_square, x, name)


@op("Sqrt", same, out="y: T", T=FLOAT_COMPLEX)
def _sqrt(x: T, name: str | None = None) -> Tensor:
    """The square root; NaN of a negative number."""
    return xp.sqrt(x)


@grad("Sqrt")
def _(op: Operation, dy: Tensor) -> Any:
    return sqrt_grad(op.outputs[0], dy)


@export("sqrt math.sqrt")
def sqrt(x: Any, name: str | None = None) -> Any:
    """Returns the square root of each element of `x`, NaN where it is negative; `x` may be a SparseTensor."""
    return on_values(_sqrt, x, name)


@op("SqrtGrad", same, out="z: T", T=FLOAT_COMPLEX)
def sqrt_grad(y: T, dy: T, name: str | None = None) -> Tensor:
    """The gradient of the square root, from its value `y`."""
    return dy * 0.5 / xp.conj(y)


@grad("SqrtGrad")
def _(op: Operation, dz: Tensor) -> Any:
    z = dz / op.inputs[0]
    return -conj(z) * op.outputs[0], 0.5 * z


@op("Rsqrt", same, out="y: T", T=FLOAT_COMPLEX, api="rsqrt math.rsqrt")
def rsqrt(x: T, name: str | None = None) -> Tensor:
    """Returns `1 / sqrt(x)`, element by element; infinity where `x` is 0, NaN where it is negative."""
    return xp.reciprocal(xp.sqrt(x))


@grad("Rsqrt")
def _(op: Operation, dy: Tensor) -> Any:
    return rsqrt_grad(op.outputs[0], dy)


@op("RsqrtGrad", same, out="z: T", T=FLOAT_COMPLEX)
def rsqrt_grad(y: T, dy: T, name: str | None = None) -> Tensor:
    """The gradient of `1 / sqrt(x)`, from its value `y`."""
    y = xp.conj(y)
    return dy * -0.5 * y * (y * y)


@grad("RsqrtGrad")
def _(op: Operation, dz: Tensor) -> Any:
    y = conj(op.inputs[0])
    return -1.5 * conj(dz) * op.inputs[1] * square(y), rsqrt_grad(y, dz)


@export("math.polyval")
def polyval(coeffs: Any, x: Any, name: str | None = None) -> Tensor:
    """Returns the value of a polynomial at each element of `x`, by Horner's rule.

    Args:
      coeffs: a list of tensors, from that of the highest power to the constant one; zeros come of an empty list.
      x: a tensor; the coefficients broadcast against it.
      name: a name for the operations.

    Raises ValueError when `coeffs` is not a list.

    >>> polyval([1.0, 2.0], [3.0, 4.0]).shape.as_list()
    [2]
    """
    if not isinstance(coeffs, list):
        raise ValueError(f"Argument coeffs must be list type found {type(coeffs)}.")
    with get_default_graph().name_scope(name or "polyval"):
        x = convert_to_tensor(x, name="x")
        if not coeffs:
            return zeros_like(x, name="x")
        terms = [convert_to_tensor(c, name=f"coeff_{i}") for i, c in enumerate(coeffs)]
        value = terms[0]
        for t in terms[1:]:
            value = t + value * x
        return value


# -- exponentials ------------------------------------------------------------------------------------


@op("Exp", same, out="y: T", T=FLOAT_COMPLEX, api="exp math.exp")
def exp(x: T, name: str | None = None) -> Tensor:
    """Returns e to the power of each element of `x`."""
    return xp.exp(x)


@grad("Exp")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * conj(op.outputs[0])


@op("Expm1", same, out="y: T", T=FLOAT_COMPLEX, api="expm1 math.expm1")
def expm1(x: T, name: str | None = None) -> Tensor:
    """Returns `exp(x) - 1`, element by element, accurate near 0 too."""
    return xp.expm1(x)


@grad("Expm1")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * exp(conj(op.inputs[0]))


@op("Log", same, out="y: T", T=FLOAT_COMPLEX, api="log math.log")
def log(x: T, name: str | None = None) -> Tensor:
    """Returns the natural logarithm of each element of `x`: minus infinity at 0, NaN below."""
    return xp.log(x)


@grad("Log")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * reciprocal(conj(op.inputs[0]))


@op("Log1p", same, out="y: T", T=FLOAT_COMPLEX, api="log1p math.log1p")
def log1p(x: T, name: str | None = None) -> Tensor:
    """Returns `log(1 + x)`, element by element, accurate near 0 too."""
    return xp.log1p(x)


@grad("Log1p")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * reciprocal(1 + conj(op.inputs[0]))


# -- sigmoid and tanh --------------------------------------------------------------------------------


@op("Sigmoid", same, out="y: T", T=FLOAT_COMPLEX, api="sigmoid math.sigmoid nn.sigmoid")
def sigmoid(x: T, name: str | None = None) -> Tensor:
    """Returns `1 / (1 + exp(-x))`, element by element."""
    return xp.reciprocal(1 + xp.exp(-x))


@grad("Sigmoid")
def _(op: Operation, dy: Tensor) -> Any:
    return sigmoid_grad(conj(op.outputs[0]), dy)


@op("SigmoidGrad", same, out="z: T", T=FLOAT_COMPLEX)
def sigmoid_grad(y: T, dy: T, name: str | None = None) -> Tensor:
    """The gradient of the sigmoid, from its value `y`."""
    return dy * y * (1 - y)


@grad("SigmoidGrad")
def _(op: Operation, dz: Tensor) -> Any:
    y, dy = conj(op.inputs[0]), conj(op.inputs[1])
    both = dz * dy
    return both - 2.0 * both * y, sigmoid_grad(y, dz)


@op("Tanh", same, out="y: T", T=FLOAT_COMPLEX)
def _tanh(x: T, name: str | None = None) -> Tensor:
    """The hyperbolic tangent."""
    return xp.tanh(x)


@grad("Tanh")
def _(op: Operation, dy: Tensor) -> Any:
    return tanh_grad(conj(op.outputs[0]), dy)


@export("tanh math.tanh nn.tanh")
def tanh(x: Any, name: str | None = None) -> Any:
    """Returns the hyperbolic tangent of each element of `x`; of a SparseTensor, a SparseTensor."""
    return on_values(_tanh, x, name)


@op("TanhGrad", same, out="z: T", T=FLOAT_COMPLEX)
def tanh_grad(y: T, dy: T, name: str | None = None) -> Tensor:
    """The gradient of the hyperbolic tangent, from its value `y`."""
    return dy * (1 - y * y)


@grad("TanhGrad")
def _(op: Operation, dz: Tensor) -> Any:
    y, dy = conj(op.inputs[0]), conj(op.inputs[1])
    return dz * -2.0 * dy * y, tanh_grad(y, dz)


# -- rounding ----------------------------------------------------------------------------------------


@op("Floor", same, out="y: T", T=FLOAT, api="floor math.floor")
def floor(x: T, name: str | None = None) -> Tensor:
    """Returns the largest integer not greater than each element of `x`, in the type of `x`."""
    return xp.floor(x)


@op("Ceil", same, out="y: T", T=FLOAT, api="ceil math.ceil")
def ceil(x: T, name: str | None = None) -> Tensor:
    """Returns the smallest integer not less than each element of `x`, in the type of `x`."""
    return xp.ceil(x)


@op("Rint", same, out="y: T", T=FLOAT, api="rint math.rint")
def rint(x: T, name: str | None = None) -> Tensor:
    """Returns the integer nearest to each element of `x`, the even one of two: `rint(0.5)` is 0, `rint(1.5)` is 2."""
    return xp.rint(x)


@op("Round", same, out="y: T", T=WITH_INDEX)
def _round(x: T, name: str | None = None) -> Tensor:
    """The nearest integer, the even one of two."""
    return xp.round(x)


@grad("Floor", "Ceil", "Rint", "Round")
def _(op: Operation, dy: Tensor) -> Any:
    return None  # zero almost everywhere; TensorFlow says unconnected


@export("round math.round")
def round_(x: Any, name: str | None = None) -> Tensor:
    """Returns the integer nearest to each element of `x`, the even one of two, in the type of `x`.

    An integer tensor is returned as it is.

    >>> round_([0.5, 1.5, -2.5]).dtype
    tf.float32
    """
    x = convert_to_tensor(x, name="x")
    return x if x.dtype.is_integer else _round(x, name=name)


# -- predicates --------------------------------------------------------------------------------------


@op("IsNan", same, out="y: bool", T=FLOAT, api="is_nan math.is_nan debugging.is_nan")
def is_nan(x: T, name: str | None = None) -> Tensor:
    """Returns True where `x` is NaN: a bool tensor of its shape."""
    return xp.isnan(x)


@op("IsInf", same, out="y: bool", T=FLOAT, api="is_inf math.is_inf debugging.is_inf")
def is_inf(x: T, name: str | None = None) -> Tensor:
    """Returns True where `x` is plus or minus infinity: a bool tensor of its shape."""
    return xp.isinf(x)


@op("IsFinite", same, out="y: bool", T=FLOAT, api="is_finite math.is_finite debugging.is_finite")
def is_finite(x: T, name: str | None = None) -> Tensor:
    """Returns True where `x` is neither NaN nor infinite: a bool tensor of its shape."""
    return xp.isfinite(x)


grad.none("IsNan IsInf IsFinite", "the output is boolean")


# -- conversion --------------------------------------------------------------------------------------


@export("saturate_cast dtypes.saturate_cast")
def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """Converts `value` to `dtype`; what that type cannot hold becomes the nearest number that it can.

    Args:
      value: a real tensor of any shape.
      dtype: the new element type.
      name: a name for the operation.
    """
    with get_default_graph().name_scope(name or "saturate_cast") as scope:
        value = convert_to_tensor(value, name="value")
        to = as_dtype(dtype).base_dtype
        if value.dtype.min < to.min:
            value = maximum(value, constant(to.min, dtype=value.dtype.base_dtype, name="min"))
        if value.dtype.max > to.max:
            value = minimum(value, constant(to.max, dtype=value.dtype.base_dtype, name="max"))
        return cast(value, to, name=scope)


def _sorted_boundaries(c: Infer) -> Dims:
    edges = c.attrs["boundaries"]
    if list(edges) != sorted(edges):
        raise ValueError(f"Expected sorted boundaries, got {list(edges)}")
    return same(c)


COUNTED = TypeSet("int32 int64 float32 float64")


@op("Bucketize", _sorted_boundaries, out="output: int32", api="contrib.slim.bucketize", rename={"input_tensor": "input"}, T=COUNTED)
def bucketize(input_tensor: T, boundaries: Floats, name: str | None = None) -> Tensor:
    """Returns the number of the bucket that each element of `input_tensor` falls into: how many boundaries are not above it.

    Args:
      input_tensor: a tensor of any shape.
      boundaries: a list of numbers in ascending order; n boundaries make n + 1 buckets.
      name: a name for the operation.

    Raises ValueError when the boundaries are not sorted.

    >>> bucketize([-5, 10, 150], boundaries=[0, 10, 100]).dtype
    tf.int32
    """
    x = input_tensor if input_tensor.dtype.kind == "f" else xp.astype(input_tensor, np.float32)
    return xp.astype(xp.searchsorted(np.array(boundaries, x.dtype), x, side="right"), np.int32)


grad.none("Bucketize", "the output is an integer")
