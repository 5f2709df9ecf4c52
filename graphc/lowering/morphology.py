"""Grayscale dilation, by the taps of the windows (see `graphc.lowering.pool`)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jax import Array, lax

from graphc.lowering.table import lowers
from ir.ops.windows import output_size, window_pads


def _lowest(dtype: Any) -> Any:
    return np.array(-np.inf, dtype) if dtype.kind not in "iu" else np.array(np.iinfo(dtype).min, dtype)


class _Taps:
    """The places of a dilated window over two dimensions."""

    def __init__(self, x: Any, f: Any, strides: Any, rates: Any, padding: str) -> None:
        self.x, self.f = x, f
        self.strides, self.rates = strides[1:3], rates[1:3]
        sizes, kernel = x.shape[1:3], f.shape[:2]
        self.pads = window_pads(sizes, kernel, self.strides, padding, self.rates)
        rows = zip(sizes, kernel, self.strides, self.rates, strict=True)
        self.out = [output_size(n, k, s, padding, r) or 0 for n, k, s, r in rows]
        self.shape = (x.shape[0], *self.out, x.shape[3])

    def values(self) -> Iterator[Array]:
        """Per tap the input plus the filter; the lowest value where the tap is outside."""
        (top, bottom), (left, right) = self.pads
        wide = lax.pad(self.x, np.zeros((), self.x.dtype), [(0, 0, 0), (top, bottom, 0), (left, right, 0), (0, 0, 0)])
        lowest = lax.full(self.shape, _lowest(self.x.dtype), self.x.dtype)
        for i, j in np.ndindex(*self.f.shape[:2]):
            start = [i * self.rates[0], j * self.rates[1]]
            stop = [a + (o - 1) * s + 1 for a, o, s in zip(start, self.out, self.strides, strict=True)]
            part = lax.slice(wide, [0, *start, 0], [self.shape[0], *stop, self.shape[3]], [1, *self.strides, 1])
            value = lax.add(part, lax.broadcast_in_dim(self.f[i, j], self.shape, (3,)))
            rows, columns = (
                ((np.arange(o) * s + a - p >= 0) & (np.arange(o) * s + a - p < n))
                for o, s, a, (p, _), n in zip(self.out, self.strides, start, self.pads, self.x.shape[1:3], strict=True)
            )
            inside = rows[:, None] & columns
            yield value if inside.all() else lax.select(np.broadcast_to(inside[None, :, :, None], self.shape), value, lowest)

    def best(self) -> tuple[Array, Array]:
        """The maximum of each window, and the number of the first tap that gives it."""
        best, number = None, lax.full(self.shape, 0, np.int32)
        for i, value in enumerate(self.values()):
            if best is None:
                best = value
            else:
                number = lax.select(lax.gt(value, best), lax.full(self.shape, i, np.int32), number)
                best = lax.max(best, value)
        assert best is not None
        return best, number


@lowers("Dilation2D")
def dilation2d(x: Any, f: Any, strides: Any, rates: Any, padding: str, name: Any = None) -> Array:
    """The maximum over each window."""
    return _Taps(x, f, strides, rates, padding).best()[0]


def _won(number: Array, i: int, dy: Array) -> Array:
    return lax.select(lax.eq(number, lax.full(number.shape, i, np.int32)), dy, lax.full(dy.shape, 0, dy.dtype))


@lowers("Dilation2DBackpropInput")
def dilation2d_backprop_input(x: Any, f: Any, dy: Any, strides: Any, rates: Any, padding: str, name: Any = None) -> Array:
    """To the input that won."""
    taps = _Taps(x, f, strides, rates, padding)
    number = taps.best()[1]
    total = lax.full(x.shape, 0, x.dtype)
    for i, at in enumerate(np.ndindex(*f.shape[:2])):
        config = [(0, 0, 0)]
        for a, r, s, o, n, (p, _) in zip(at, taps.rates, taps.strides, taps.out, x.shape[1:3], taps.pads, strict=True):
            config.append((a * r - p, n + p - a * r - ((o - 1) * s + 1), s - 1))
        total = lax.add(total, lax.pad(_won(number, i, dy), np.zeros((), x.dtype), [*config, (0, 0, 0)]))
    return total


@lowers("Dilation2DBackpropFilter")
def dilation2d_backprop_filter(x: Any, f: Any, dy: Any, strides: Any, rates: Any, padding: str, name: Any = None) -> Array:
    """To the tap that won."""
    number = _Taps(x, f, strides, rates, padding).best()[1]
    rows = [lax.reduce_sum(_won(number, i, dy), (0, 1, 2)) for i in range(f.shape[0] * f.shape[1])]
    return lax.reshape(lax.concatenate([lax.expand_dims(r, (0,)) for r in rows], 0), f.shape)
