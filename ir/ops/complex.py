"""Complex numbers from their parts, and their parts, absolute value and angle. `Conj` is in `ir.ops.cast`."""

from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import COMPLEX, TypeSet, complex64, complex128, float32, float64
from ir.infer import broadcast, same
from ir.opdef import T, Type
from ir.ops.arith import div_no_nan
from ir.ops.broadcast import unbroadcast
from ir.ops.layout import zeros_like
from ir.tensor import Operation, Tensor

PAIR = COMPLEX.default_to(complex64)
PART = TypeSet("float32 float64")
TO_PART = {"t_out": "Tout"}


@op("Complex", broadcast, out="out: Tout", rename=TO_PART, T=PART.default_to(float32), Tout=PAIR)
def _complex(real: T, imag: T, t_out: Type = "complex64", name: str | None = None) -> Tensor:
    """`real + 1j * imag`, with broadcasting."""
    out = np.empty(np.broadcast_shapes(real.shape, imag.shape), dtype=t_out.np_dtype)
    out.real, out.imag = real, imag  # by parts: infinity in one must not make NaN of the other
    return out  # pyright: ignore[reportReturnType]


@grad("Complex")
def _(op: Operation, dz: Tensor) -> Any:
    return unbroadcast(op.inputs[0], op.inputs[1], real(dz), imag(dz))


@export("complex dtypes.complex")
def complex_(real: Any, imag: Any, name: str | None = None) -> Tensor:
    """Returns complex numbers with the given parts.

    Args:
      real: the real part, float32 or float64.
      imag: the imaginary part, of the same type and of a shape that broadcasts against that of `real`.
      name: a name for the operation.

    Returns a complex64 or complex128 tensor. Raises TypeError for other types.

    >>> complex_(2.25, 4.75).dtype
    tf.complex64
    """
    real = convert_to_tensor(real, name="real")
    imag = convert_to_tensor(imag, name="imag")
    with get_default_graph().name_scope(name or "Complex") as scope:
        types = (real.dtype.base_dtype, imag.dtype.base_dtype)
        if types not in ((float32, float32), (float64, float64)):
            raise TypeError(f"real and imag have incorrect types: {real.dtype.name} {imag.dtype.name}")
        return _complex(real, imag, complex64 if types[0] is float32 else complex128, name=scope)


@op("Real", same, out="output: Tout", rename=TO_PART, T=PAIR, Tout=PART)
def _real(input: T, t_out: Type = "float32", name: str | None = None) -> Tensor:
    """The real part."""
    return xp.real(input)


@grad("Real")
def _(op: Operation, dy: Tensor) -> Any:
    return complex_(dy, constant(0, dtype=dy.dtype))


@export("real math.real")
def real(input: Any, name: str | None = None) -> Tensor:
    """Returns the real part of each element of `input`: float32 of complex64, float64 of complex128.

    A real tensor is returned as it is.
    """
    with get_default_graph().name_scope(name or "Real") as scope:
        if not isinstance(input, Tensor):
            input = convert_to_tensor(input, name="input")
        return _real(input, input.dtype.real_dtype, name=scope) if input.dtype.is_complex else input


@op("Imag", same, out="output: Tout", rename=TO_PART, T=PAIR, Tout=PART)
def _imag(input: T, t_out: Type = "float32", name: str | None = None) -> Tensor:
    """The imaginary part."""
    return xp.imag(input)


@grad("Imag")
def _(op: Operation, dy: Tensor) -> Any:
    return complex_(constant(0, dtype=dy.dtype), dy)


@export("imag math.imag")
def imag(input: Any, name: str | None = None) -> Tensor:
    """Returns the imaginary part of each element of `input`: float32 of complex64, float64 of complex128.

    Of a real tensor it is zero, in that type.
    """
    with get_default_graph().name_scope(name or "Imag") as scope:
        input = convert_to_tensor(input, name="input")
        return _imag(input, input.dtype.real_dtype, name=scope) if input.dtype.is_complex else zeros_like(input)


@op("ComplexAbs", same, out="y: Tout", rename=TO_PART, T=PAIR, Tout=PART)
def complex_abs(x: T, t_out: Type = "float32", name: str | None = None) -> Tensor:
    """The absolute value `sqrt(re * re + im * im)`, computed without overflow."""
    return xp.abs(x)


@grad("ComplexAbs")
def _(op: Operation, dy: Tensor) -> Any:
    y = op.outputs[0]
    return div_no_nan(complex_(dy, zeros_like(dy)) * op.inputs[0], complex_(y, zeros_like(y)))


@op("Angle", same, out="output: Tout", rename=TO_PART, T=PAIR, Tout=PART)
def _angle(input: T, t_out: Type = "float32", name: str | None = None) -> Tensor:
    """The angle in radians, in (-pi, pi]."""
    return xp.arctan2(xp.imag(input), xp.real(input))


@grad("Angle")
def _(op: Operation, dy: Tensor) -> Any:
    z = op.inputs[0]
    return -complex_(dy, constant(0, dtype=dy.dtype)) / complex_(imag(z), real(z))


@export("angle math.angle")
def angle(input: Any, name: str | None = None) -> Tensor:
    """Returns the angle of each element of `input` in radians: float32 of complex64, float64 of complex128.

    Of a real tensor it is zero, in that type, even for negative numbers: as in TensorFlow 1.
    """
    with get_default_graph().name_scope(name or "Angle") as scope:
        input = convert_to_tensor(input, name="input")
        return _angle(input, input.dtype.real_dtype, name=scope) if input.dtype.is_complex else zeros_like(input)
