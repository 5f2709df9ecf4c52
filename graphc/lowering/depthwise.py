"""Convolutions of each channel by itself.

XLA's grouped convolution is 10 to 200 times slower on CPUs than adding up *taps*: for each place in the filter, the slice
of the input that this place sees, times the filter's entries, which XLA fuses into one loop. Other platforms get
the grouped convolution.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from graphc.lowering.conv import Geometry, filter_gradient, forward, input_gradient, ints
from graphc.lowering.table import lowers

UNROLLED = 64


class _Taps:
    """The places of the filter, for arrays whose channels are at `axis`."""

    def __init__(self, g: Geometry, x: Sequence[int], f: Sequence[int]) -> None:
        self.g = g
        self.x = tuple(x)
        self.multiplier = int(f[3])
        self.space = g.data[2:]
        self.places = list(np.ndindex(*g.kernel))
        #: the output: channels and their multiples in one
        self.out = self.shape(x, g.out, x[g.channel] * self.multiplier)
        #: the same with the multiples in a dimension of their own, after the channels
        self.split = (*self.out[: g.channel], x[g.channel], self.multiplier, *self.out[g.channel + 1 :])

    def shape(self, x: Sequence[int], space: Sequence[int], channels: int) -> tuple[int, ...]:
        shape = list(x)
        for axis, n in zip(self.space, space, strict=True):
            shape[axis] = n
        shape[self.g.channel] = channels
        return tuple(shape)

    def _config(self, pads: Sequence[tuple[int, int]], steps: Sequence[int]) -> list[tuple[int, int, int]]:
        config = [(0, 0, 0)] * 4
        for axis, (before, after), s in zip(self.space, pads, steps, strict=True):
            config[axis] = (before, after, s - 1)
        return config

    def padded(self, x: Array) -> Array:
        """The input with its padding."""
        return lax.pad(x, np.zeros((), x.dtype), self._config(self.g.pads, (1, 1)))

    def dilated(self, dy: Array) -> Array:
        """The output gradient with the strides as zeros between and room for the filter around."""
        g = self.g
        pads: list[tuple[int, int]] = []
        for n, k, s, d, o, (before, _) in zip(g.sizes, g.kernel, g.strides, g.dilations, g.out, g.pads, strict=True):
            reach = (k - 1) * d
            pads.append((reach - before, before + n - ((o - 1) * s + 1)))
        return lax.pad(dy, np.zeros((), dy.dtype), self._config(pads, g.strides))

    def seen(self, wide: Array, at: Sequence[int]) -> Array:
        """What place `at` of the filter sees of the padded input, for every output."""
        start, limit, steps = [0] * 4, list(wide.shape), [1] * 4
        for i, axis in enumerate(self.space):
            start[axis] = at[i] * self.g.dilations[i]
            limit[axis] = start[axis] + (self.g.out[i] - 1) * self.g.strides[i] + 1
            steps[axis] = self.g.strides[i]
        return lax.slice(wide, start, limit, steps)

    def weights(self, row: Array) -> Array:
        """The filter's entries [in, multiplier] of one place, to be multiplied with arrays of shape `split`."""
        axis = self.g.channel
        return lax.reshape(row, [row.shape[0] if i == axis else self.multiplier if i == axis + 1 else 1 for i in range(5)])

    def times(self, x: Array, row: Array) -> Array:
        """The product of a slice of the input with the filter's entries of one place."""
        if self.multiplier == 1:
            return x * lax.reshape(row, [row.shape[0] if i == self.g.channel else 1 for i in range(4)])
        wide = lax.expand_dims(x, (self.g.channel + 1,)) * self.weights(row)
        return lax.reshape(wide, (*wide.shape[: self.g.channel], wide.shape[self.g.channel] * self.multiplier, *wide.shape[self.g.channel + 2 :]))


def _forward(x: Array, f: Array, taps: _Taps) -> Array:
    wide = taps.padded(x)
    parts = (taps.times(taps.seen(wide, at), f[at]) for at in taps.places)
    return _sum(parts)


def _sum(parts: Any) -> Array:
    total = None
    for part in parts:
        total = part if total is None else lax.add(total, part)
    assert total is not None
    return total


def _to_input(f: Array, dy: Array, taps: _Taps) -> Array:
    g, axis = taps.g, taps.g.channel
    wide = taps.dilated(dy)
    if taps.multiplier > 1:
        wide = lax.reshape(wide, (*wide.shape[:axis], taps.x[axis], taps.multiplier, *wide.shape[axis + 1 :]))
    space = [a + (taps.multiplier > 1 and a > axis) for a in taps.space]
    parts: list[Array] = []
    for at in taps.places:
        start, limit = [0] * wide.ndim, list(wide.shape)
        for i, a in enumerate(space):
            start[a] = (g.kernel[i] - 1 - at[i]) * g.dilations[i]
            limit[a] = start[a] + g.sizes[i]
        part = lax.slice(wide, start, limit)
        if taps.multiplier > 1:
            parts.append(lax.reduce_sum(part * taps.weights(f[at]), (axis + 1,)))
        else:
            parts.append(taps.times(part, f[at]))
    return _sum(parts)


def _to_filter(x: Array, dy: Array, taps: _Taps, shape: Sequence[int]) -> Array:
    g, axis = taps.g, taps.g.channel
    wide = taps.padded(x)
    if taps.multiplier > 1:
        dy = lax.reshape(dy, taps.split)
    own = (axis,) if taps.multiplier == 1 else (axis, axis + 1)
    *lead, last = (a for a in range(dy.ndim) if a not in own)

    def product(seen: Array) -> Array:
        terms = seen * dy if taps.multiplier == 1 else lax.expand_dims(seen, (axis + 1,)) * dy
        partial = lax.reduce_sum(terms, lead)  # in two steps: the first one runs along memory
        return lax.reduce_sum(partial, (last - sum(a < last for a in lead),))

    if any(s != 1 for s in g.strides):
        rows = jnp.stack([product(taps.seen(wide, at)) for at in taps.places])
    else:
        # one after the other: XLA would make one loop of many sums, which is slow
        starts = np.zeros((len(taps.places), 4), np.int32)
        starts[:, list(taps.space)] = np.array(taps.places) * np.array(g.dilations)
        sizes = taps.shape(taps.x, g.out, taps.x[axis])
        rows = lax.map(lambda start: product(lax.dynamic_slice(wide, tuple(start), sizes)), starts)
    return lax.reshape(rows, tuple(shape))


def _as_grouped(f: Array) -> Array:
    *k, inner, multiplier = f.shape
    return lax.reshape(f, (*k, 1, inner * multiplier))


def _choose(by_taps: Any, grouped: Any, x: Any, y: Any) -> Array:
    """By taps on CPUs, summed in float32 at least; grouped elsewhere."""

    def wide(x: Array, y: Array) -> Array:
        if x.dtype.itemsize >= 4:
            return by_taps(x, y)
        return by_taps(x.astype(np.float32), y.astype(np.float32)).astype(x.dtype)

    return lax.platform_dependent(x, y, cpu=wide, default=grouped)


def _by_taps(g: Geometry, *arrays: Any) -> bool:
    return math.prod(g.kernel) <= UNROLLED and not any(0 in a.shape for a in arrays)


@lowers("DepthwiseConv2dNative")
def depthwise_conv2d(x: Any, f: Any, strides: Any, padding: str, data_format: str, dilations: Any, name: Any = None) -> Array:
    """The convolution."""
    g = Geometry(x.shape, f.shape, data_format, strides, padding, dilations, ())

    def grouped(x: Array, f: Array) -> Array:
        return forward(x, _as_grouped(f), g, f.shape[2])

    if not _by_taps(g, x, f) or 0 in g.out:
        return grouped(x, f)
    taps = _Taps(g, x.shape, f.shape)
    return _choose(lambda x, f: _forward(x, f, taps), grouped, x, f)


@lowers("DepthwiseConv2dNativeBackpropInput")
def depthwise_backprop_input(sizes: Any, f: Any, dy: Any, strides: Any, padding: str, data_format: str, dilations: Any, name: Any = None) -> Array:
    """The gradient with respect to the input."""
    shape = ints(sizes)
    g = Geometry(shape, f.shape, data_format, strides, padding, dilations, ())

    def grouped(f: Array, dy: Array) -> Array:
        return input_gradient(_as_grouped(f), dy, g, f.shape[2], shape)

    if not _by_taps(g, f, dy):
        return grouped(f, dy)
    taps = _Taps(g, shape, f.shape)
    return _choose(lambda f, dy: _to_input(f, dy, taps), grouped, f, dy)


@lowers("DepthwiseConv2dNativeBackpropFilter")
def depthwise_backprop_filter(x: Any, sizes: Any, dy: Any, strides: Any, padding: str, data_format: str, dilations: Any, name: Any = None) -> Array:
    """The gradient with respect to the filter."""
    shape = ints(sizes)
    g = Geometry(x.shape, shape, data_format, strides, padding, dilations, ())

    def grouped(x: Array, dy: Array) -> Array:
        return lax.reshape(filter_gradient(x, dy, g, shape[2], (*shape[:2], 1, shape[2] * shape[3])), shape)

    if not _by_taps(g, x, dy):
        return grouped(x, dy)
    taps = _Taps(g, x.shape, shape)
    return _choose(lambda x, dy: _to_filter(x, dy, taps, shape), grouped, x, dy)
