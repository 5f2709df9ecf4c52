"""Fourier transforms over the last one, two or three dimensions.

The forward transforms are not scaled, the inverse ones are divided by the number of elements. A transform of real numbers
keeps the first half of the last dimension: the rest follows by symmetry.
"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from ir import static, xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import COMPLEX, complex64, float32, int32
from ir.infer import Infer, same
from ir.opdef import In, Int32
from ir.ops.arith import maximum
from ir.ops.cast import cast
from ir.ops.compare import equal
from ir.ops.layout import range_, shape, zeros_like
from ir.ops.packing import stack
from ir.ops.padding import pad
from ir.ops.reduce import reduce_prod
from ir.shapes import Dims
from ir.tensor import Operation, Tensor

Tcomplex = Annotated[Any, In("Tcomplex")]
Real = Annotated[Any, In(dtype=float32)]
Half = Annotated[Any, In(dtype=complex64)]
PAIR = COMPLEX.default_to(complex64)


def _rank_of(op: Operation) -> int:
    return int(op.type[-2]) if op.type.endswith("D") else 1


def _last(rank: int) -> Callable[[Infer], Dims]:
    def shape_fn(c: Infer) -> Dims:
        c.rank_at_least(0, rank)
        return same(c)

    return shape_fn


def _size(x: Tensor, rank: int) -> Tensor:
    """The number of elements in the last `rank` dimensions."""
    return reduce_prod(shape(x)[-rank:])


# -- complex -----------------------------------------------------------------------------------------


@op("FFT", _last(1), Tcomplex=PAIR, api="fft signal.fft spectral.fft")
def fft(input: Tcomplex, name: str | None = None) -> Tensor:
    """Returns the discrete Fourier transform over the last dimension of a complex tensor."""
    return xp.namespace(input).fft.fftn(input, axes=(-1,))


@op("IFFT", _last(1), Tcomplex=PAIR, api="ifft signal.ifft spectral.ifft")
def ifft(input: Tcomplex, name: str | None = None) -> Tensor:
    """Returns the inverse of `fft`, over the last dimension of a complex tensor."""
    return xp.namespace(input).fft.ifftn(input, axes=(-1,))


@op("FFT2D", _last(2), Tcomplex=PAIR, api="fft2d signal.fft2d spectral.fft2d")
def fft2d(input: Tcomplex, name: str | None = None) -> Tensor:
    """Returns the discrete Fourier transform over the last two dimensions of a complex tensor."""
    return xp.namespace(input).fft.fftn(input, axes=(-2, -1))


@op("IFFT2D", _last(2), Tcomplex=PAIR, api="ifft2d signal.ifft2d spectral.ifft2d")
def ifft2d(input: Tcomplex, name: str | None = None) -> Tensor:
    """Returns the inverse of `fft2d`, over the last two dimensions of a complex tensor."""
    return xp.namespace(input).fft.ifftn(input, axes=(-2, -1))


@op("FFT3D", _last(3), Tcomplex=PAIR, api="fft3d signal.fft3d spectral.fft3d")
def fft3d(input: Tcomplex, name: str | None = None) -> Tensor:
    """Returns the discrete Fourier transform over the last three dimensions of a complex tensor."""
    return xp.namespace(input).fft.fftn(input, axes=(-3, -2, -1))


@op("IFFT3D", _last(3), Tcomplex=PAIR, api="ifft3d signal.ifft3d spectral.ifft3d")
def ifft3d(input: Tcomplex, name: str | None = None) -> Tensor:
    """Returns the inverse of `fft3d`, over the last three dimensions of a complex tensor."""
    return xp.namespace(input).fft.ifftn(input, axes=(-3, -2, -1))


@grad("FFT", "FFT2D", "FFT3D")
def _(op: Operation, dy: Tensor) -> Any:
    rank = _rank_of(op)
    return (ifft, ifft2d, ifft3d)[rank - 1](dy) * cast(_size(dy, rank), dy.dtype)


@grad("IFFT", "IFFT2D", "IFFT3D")
def _(op: Operation, dy: Tensor) -> Any:
    rank = _rank_of(op)
    per_element = 1.0 / cast(_size(dy, rank), dy.dtype.real_dtype)
    return (fft, fft2d, fft3d)[rank - 1](dy) * cast(per_element, dy.dtype)


# -- real --------------------------------------------------------------------------------------------


def _real_dims(rank: int, inverse: bool) -> Callable[[Infer], Dims]:
    def shape_fn(c: Infer) -> Dims:
        dims = c.rank_at_least(0, rank)
        length = c.dims(1)
        if length is not None and length != (rank,) and length != (None,):
            raise ValueError(f"fft_length must have shape [{rank}], got {list(length)}")
        if dims is None:
            return None
        sizes = c.shape_value(1) or (None,) * rank
        if not inverse and sizes[-1] is not None:
            sizes = (*sizes[:-1], 0 if sizes[-1] == 0 else sizes[-1] // 2 + 1)
        return (*dims[:-rank], *sizes)

    return shape_fn


def _transformed(x: Any, name: str, length: Any) -> Any:
    """The transform of NumPy's name `name` with the given sizes, to which `x` is cut or filled up with zeros."""
    sizes = [int(n) for n in np.asarray(length)]
    return getattr(xp.namespace(x).fft, name)(x, s=sizes, axes=tuple(range(-len(sizes), 0)))


@op("RFFT", _real_dims(1, False), out="output: complex64", static="fft_length")
def _rfft(input: Real, fft_length: Int32, name: str | None = None) -> Tensor:
    """The transform of real numbers."""
    return _transformed(input, "rfftn", fft_length)


@op("RFFT2D", _real_dims(2, False), out="output: complex64", static="fft_length")
def _rfft2d(input: Real, fft_length: Int32, name: str | None = None) -> Tensor:
    """The transform of real numbers over two dimensions."""
    return _transformed(input, "rfftn", fft_length)


@op("RFFT3D", _real_dims(3, False), out="output: complex64", static="fft_length")
def _rfft3d(input: Real, fft_length: Int32, name: str | None = None) -> Tensor:
    """The transform of real numbers over three dimensions."""
    return _transformed(input, "rfftn", fft_length)


@op("IRFFT", _real_dims(1, True), out="output: float32", static="fft_length")
def _irfft(input: Half, fft_length: Int32, name: str | None = None) -> Tensor:
    """The inverse of RFFT."""
    return _transformed(input, "irfftn", fft_length)


@op("IRFFT2D", _real_dims(2, True), out="output: float32", static="fft_length")
def _irfft2d(input: Half, fft_length: Int32, name: str | None = None) -> Tensor:
    """The inverse of RFFT2D."""
    return _transformed(input, "irfftn", fft_length)


@op("IRFFT3D", _real_dims(3, True), out="output: float32", static="fft_length")
def _irfft3d(input: Half, fft_length: Int32, name: str | None = None) -> Tensor:
    """The inverse of RFFT3D."""
    return _transformed(input, "irfftn", fft_length)


RFFT = (_rfft, _rfft2d, _rfft3d)
IRFFT = (_irfft, _irfft2d, _irfft3d)


def _share(length: Tensor) -> Tensor:
    """Which part of its frequency each kept number stands for: all of the first and the middle one, half of the others.

    The other half is with the mirror image that is left out.
    """
    n = length[-1]
    k = range_(n // 2 + 1)
    return 0.5 * (1.0 + cast(equal(k, 0), float32) + cast(equal(2 * k, n), float32))


def _as_large_as(x: Tensor, target: Tensor) -> Tensor:
    """Returns `x` filled up with zeros to the shape of `target`: what was cut off has no influence."""
    if x.dims == target.dims and x.dims is not None and None not in x.dims:
        return x
    missing = shape(target) - shape(x)
    return pad(x, stack([zeros_like(missing), missing], axis=1))


@grad("RFFT", "RFFT2D", "RFFT3D")
def _(op: Operation, dy: Tensor) -> Any:
    rank = _rank_of(op)
    x, length = op.inputs
    back = IRFFT[rank - 1](dy * cast(_share(length), complex64), length)
    return _as_large_as(back * cast(reduce_prod(length), float32), x), None


@grad("IRFFT", "IRFFT2D", "IRFFT3D")
def _(op: Operation, dy: Tensor) -> Any:
    rank = _rank_of(op)
    x, length = op.inputs
    scale = 1.0 / (_share(length) * cast(reduce_prod(length), float32))
    return _as_large_as(RFFT[rank - 1](dy, length) * cast(scale, complex64), x), None


# -- the public ones ---------------------------------------------------------------------------------


def _length_of(x: Tensor, rank: int, inverse: bool) -> Tensor:
    """The sizes of the real side of a transform, when they are not given."""
    known = None if x.dims is None else x.dims[-rank:]
    if known is not None and None not in known:
        sizes = [n or 0 for n in known]
        return constant([*sizes[:-1], max(0, 2 * (sizes[-1] - 1))] if inverse else sizes, int32)
    sizes = shape(x)[-rank:]
    if not inverse:
        return sizes
    last = maximum(0, 2 * (shape(x)[-1:] - 1))
    return last if rank == 1 else stack([*[sizes[i] for i in range(rank - 1)], last[0]])


def _filled_up(x: Tensor, rank: int, length: Tensor, inverse: bool) -> Tensor:
    """Returns `x` with zeros after its last `rank` dimensions where they are shorter than the transform."""
    wanted = static.shape_value_of(length)
    have = None if x.dims is None else x.dims[-rank:]
    if wanted is not None and have is not None:
        if inverse and wanted[-1] is not None:
            wanted = (*wanted[:-1], wanted[-1] // 2 + 1 if wanted[-1] else 0)
        if all(h is not None and w is not None and h >= w for h, w in zip(have, wanted, strict=True)):
            return x
    sizes = length if not inverse else stack([length[i] for i in range(rank - 1)] + [length[-1] // 2 + 1])
    lead = 0 if x.dims is None else len(x.dims) - rank
    if x.dims is None:
        return x  # the transform fills up by itself; only the static shape is poorer
    missing = maximum(0, sizes - shape(x)[-rank:])
    after = stack([0] * lead + [missing[i] for i in range(rank)])
    return pad(x, stack([zeros_like(after), after], axis=1))


def _real_transform(input_tensor: Any, fft_length: Any, rank: int, inverse: bool, name: str) -> Tensor:
    with get_default_graph().name_scope(name) as scope:
        x = convert_to_tensor(input_tensor, complex64 if inverse else float32)
        if x.dims is not None and len(x.dims) < rank:
            raise ValueError(f"Shape {x.shape} must have rank at least {rank}")
        length = _length_of(x, rank, inverse) if fft_length is None else convert_to_tensor(fft_length, int32)
        if fft_length is not None:
            x = _filled_up(x, rank, length, inverse)
        return (IRFFT if inverse else RFFT)[rank - 1](x, length, name=scope)


@export("signal.rfft spectral.rfft")
def rfft(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """Returns the discrete Fourier transform of real numbers over the last dimension.

    Args:
      input_tensor: a float32 tensor.
      fft_length: an int32 vector of one size, to which the last dimension is cut or filled up with zeros.
      name: a name for the operation.

    Returns a complex64 tensor whose last dimension has `fft_length // 2 + 1` elements.

    >>> rfft([1.0, 2.0, 3.0, 4.0]).shape.as_list()
    [3]
    """
    return _real_transform(input_tensor, fft_length, 1, False, name or "rfft")


@export("signal.rfft2d spectral.rfft2d")
def rfft2d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """Returns the discrete Fourier transform of real numbers over the last two dimensions; see `rfft`."""
    return _real_transform(input_tensor, fft_length, 2, False, name or "rfft2d")


@export("signal.rfft3d spectral.rfft3d")
def rfft3d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """Returns the discrete Fourier transform of real numbers over the last three dimensions; see `rfft`."""
    return _real_transform(input_tensor, fft_length, 3, False, name or "rfft3d")


@export("signal.irfft spectral.irfft")
def irfft(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """Returns the inverse of `rfft`.

    Args:
      input_tensor: a complex64 tensor.
      fft_length: an int32 vector of one size, that of the last dimension of the result; by default an even one,
        `2 * (n - 1)` where the last dimension of `input_tensor` is n.
      name: a name for the operation.

    Returns a float32 tensor.
    """
    return _real_transform(input_tensor, fft_length, 1, True, name or "irfft")


@export("signal.irfft2d spectral.irfft2d")
def irfft2d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """Returns the inverse of `rfft2d`; see `irfft`."""
    return _real_transform(input_tensor, fft_length, 2, True, name or "irfft2d")


@export("signal.irfft3d spectral.irfft3d")
def irfft3d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """Returns the inverse of `rfft3d`; see `irfft`."""
    return _real_transform(input_tensor, fft_length, 3, True, name or "irfft3d")
