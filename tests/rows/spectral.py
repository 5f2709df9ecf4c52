"""Rows of ir.ops.spectral."""

import numpy as np

from ir.convert import constant
from ir.ops import spectral as s
from ir.ops.basic import placeholder
from tests.rowdef import ErrorRow, Row, normal


def _complex(*shape, dtype=np.complex64):
    return (normal(*shape) + 1j * normal(*shape, seed=1)).astype(dtype)


def whole(name, fn, ref, axes):
    """A complex transform: more dimensions than it needs, odd sizes, double precision."""
    x = _complex(2, 3, 4, 5)
    return [
        Row(name, fn, [x], lambda a: ref(a, axes=axes), grad=True, second=True, rtol=1e-4, atol=1e-4),
        Row(name, fn, [x[0].astype(np.complex128)], lambda a: ref(a, axes=axes), grad=True, id="double"),
        Row(name, fn, [np.ones((1, 1, 1), np.complex64)], lambda a: a, id="one"),
    ]


def halved(rank, fn, ref):
    """A transform of real numbers: its own length, another, cut, filled up."""
    name, axes = f"RFFT{rank}D" if rank > 1 else "RFFT", tuple(range(-rank, 0))
    sizes = [3, 4, 5, 6][-rank:]
    kw = {"rtol": 1e-4, "atol": 1e-4}

    def of(length):
        return lambda a: ref(a, s=length, axes=axes)

    return [
        Row(name, fn, [normal(2, *sizes)], of(sizes), grad=True, second=True, **kw),
        Row(name, fn, [normal(*sizes[:-1], 7)], of([*sizes[:-1], 7]), grad=True, id="odd", **kw),
        *[
            Row(name, lambda x, n=n: fn(x, fft_length=n), [normal(2, *sizes)], of(n), grad=True, id=f"length {n}", **kw)
            for n in ([3, 5, 4][-rank:], [4, 7, 8][-rank:], [3, 2, 11][-rank:])
        ],
    ]


def restored(rank, fn, ref):
    """The inverse of a transform of real numbers: an even length by default, another, cut, filled up."""
    name, axes = f"IRFFT{rank}D" if rank > 1 else "IRFFT", tuple(range(-rank, 0))
    sizes = [3, 4, 5][-rank:]
    kw = {"rtol": 1e-4, "atol": 1e-4}

    def of(length):
        return lambda a: ref(a, s=length, axes=axes)

    return [
        Row(name, fn, [_complex(2, *sizes)], of([*sizes[:-1], 8]), grad=True, second=True, **kw),
        *[
            Row(name, lambda x, n=n: fn(x, n), [_complex(2, *sizes)], of(n), grad=True, id=f"length {n}", **kw)
            for n in ([3, 4, 9][-rank:], [2, 3, 5][-rank:], [4, 5, 12][-rank:])
        ],
    ]


ROWS = [
    *whole("FFT", s.fft, np.fft.fftn, (-1,)),
    *whole("IFFT", s.ifft, np.fft.ifftn, (-1,)),
    *whole("FFT2D", s.fft2d, np.fft.fftn, (-2, -1)),
    *whole("IFFT2D", s.ifft2d, np.fft.ifftn, (-2, -1)),
    *whole("FFT3D", s.fft3d, np.fft.fftn, (-3, -2, -1)),
    *whole("IFFT3D", s.ifft3d, np.fft.ifftn, (-3, -2, -1)),
    *halved(1, s.rfft, np.fft.rfftn),
    *halved(2, s.rfft2d, np.fft.rfftn),
    *halved(3, s.rfft3d, np.fft.rfftn),
    *restored(1, s.irfft, np.fft.irfftn),
    *restored(2, s.irfft2d, np.fft.irfftn),
    *restored(3, s.irfft3d, np.fft.irfftn),
    Row("RFFT", lambda x: s.rfft(x, constant([6])), [normal(2, 6)], lambda x: np.fft.rfft(x), rtol=1e-4, atol=1e-4, id="length in a tensor"),
    Row("IRFFT", lambda x: s.irfft(s.rfft(x), [x.dims[-1]] if x.dims and x.dims[-1] else [5]), [normal(3, 5)], lambda x: x, atol=1e-5, id="there and back"),
]

ERRORS = [
    ErrorRow("FFT", lambda: s.fft(placeholder("complex64", [])), ValueError, "rank at least 1"),
    ErrorRow("FFT2D", lambda: s.fft2d(placeholder("complex64", [3])), ValueError, "rank at least 2"),
    ErrorRow("FFT", lambda: s.fft(placeholder("float32", [3])), TypeError, "float32"),
    ErrorRow("RFFT2D", lambda: s.rfft2d(placeholder("float32", [3])), ValueError, "rank at least 2"),
    ErrorRow("RFFT", lambda: s._rfft(placeholder("float32", [3]), [1, 2]), ValueError, r"fft_length must have shape \[1\]"),
    ErrorRow("RFFT", lambda: s.rfft(placeholder("complex64", [3])), ValueError, "complex64"),
]
