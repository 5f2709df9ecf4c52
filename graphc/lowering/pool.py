"""Pooling. On CPUs XLA runs reduce-window and above all select-and-scatter slowly, so small windows are unrolled.

A window is a list of *taps*: for each place in it, the strided slice of the input that holds that place of every
window. The maximum is then an element-wise maximum of taps, which XLA fuses into one loop. The gradient of the
maximum goes by the number of the tap that won, found from the input alone: comparing with the stored maximum would
go wrong where a fusion keeps excess precision.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax import Array, lax

from graphc.lowering.table import lowers
from ir.ops.windows import output_size, window_pads

UNROLLED = 32


def _lowest(dtype: Any) -> Any:
    return np.array(-np.inf, dtype) if dtype.kind not in "iu" else np.array(np.iinfo(dtype).min, dtype)


class _Windows:
    """Windows over an input of shape `x`: one entry per dimension everywhere."""

    def __init__(self, x: Sequence[int], ksize: Any, strides: Any, padding: str) -> None:
        self.x = tuple(int(n) for n in x)
        self.ksize = tuple(int(k) for k in ksize)
        self.strides = tuple(int(s) for s in strides)
        self.pads = window_pads(self.x, self.ksize, self.strides, padding)
        rows = zip(self.x, self.ksize, self.strides, strict=True)
        self.out = tuple(output_size(n, k, s, padding) or 0 for n, k, s in rows)
        self.count = math.prod(self.ksize)
        self.disjoint = self.ksize == self.strides

    def padded(self, x: Array, value: Any) -> Array:
        """`x` with its padding."""
        return lax.pad(x, value, [(a, b, 0) for a, b in self.pads]) if any(map(any, self.pads)) else x

    def taps(self, padded: Array) -> Iterator[Array]:
        """The slices of the padded input, row by row of the window."""
        for at in np.ndindex(*self.ksize):
            limits = [a + (o - 1) * s + 1 if o else a for a, o, s in zip(at, self.out, self.strides, strict=True)]
            yield lax.slice(padded, at, limits, self.strides)

    def view(self, x: Array, value: Any) -> Array:
        """`x` with every dimension split into (windows, place in the window); for disjoint windows."""
        edges = [(before, o * k - n - before, 0) for n, k, o, (before, _) in zip(self.x, self.ksize, self.out, self.pads, strict=True)]
        return lax.reshape(lax.pad(x, value, edges), self.split)

    def unview(self, x: Array) -> Array:
        """The inverse of `view`; what windows do not cover is zero."""
        whole = lax.reshape(x, [o * k for o, k in zip(self.out, self.ksize, strict=True)])
        edges = [(-before, n - o * k + before, 0) for n, k, o, (before, _) in zip(self.x, self.ksize, self.out, self.pads, strict=True)]
        return lax.pad(whole, np.zeros((), x.dtype), edges)

    @property
    def split(self) -> list[int]:
        """The shape of a view."""
        return [n for pair in zip(self.out, self.ksize, strict=True) for n in pair]

    @property
    def inner(self) -> list[int]:
        """The dimensions of a view that run inside windows."""
        return list(range(1, 2 * len(self.x), 2))

    def over_view(self, y: Array) -> Array:
        """One value per window, repeated over the places of a view."""
        return lax.broadcast_in_dim(y, self.split, range(0, 2 * len(self.x), 2))

    def place(self) -> Array:
        """The number of each place of a view within its window."""
        number = None
        for axis, k in enumerate(self.ksize):
            if k > 1:
                i = lax.broadcasted_iota(np.int32, self.split, 2 * axis + 1)
                step = np.int32(math.prod(self.ksize[axis + 1 :]))
                number = i * step if number is None else number + i * step
        return lax.full(self.split, 0, np.int32) if number is None else number


def _reduce(x: Array, w: _Windows, combine: Any, init: Any) -> Array:
    """Reduces every window."""
    if 0 in w.out:
        return lax.full(w.out, init, x.dtype)
    if w.count <= UNROLLED // (2 if w.disjoint else 1):
        total = None
        for tap in w.taps(w.padded(x, init)):
            total = tap if total is None else combine(total, tap)
        assert total is not None
        return total
    if w.disjoint:
        reducer: Any = lax.reduce_max if combine is lax.max else lax.reduce_sum
        return reducer(w.view(x, init), w.inner)
    return lax.reduce_window(x, init, combine, w.ksize, w.strides, w.pads)


# -- maxima ------------------------------------------------------------------------------------------


def _winners(x: Array, w: _Windows) -> Array:
    """The number of the first tap that holds the maximum, per window."""
    best, number = None, lax.full(w.out, 0, np.int32)
    for i, tap in enumerate(w.taps(w.padded(x, _lowest(x.dtype)))):
        if best is None:
            best = tap
        else:
            number = lax.select(lax.gt(tap, best), lax.full(w.out, i, np.int32), number)
            best = lax.max(best, tap)
    return number


def _zero(dtype: Any) -> Any:
    return np.zeros((), dtype)


def _scatter_disjoint(number: Array, dy: Array, w: _Windows) -> Array:
    hit = lax.eq(w.over_view(number), w.place())
    return w.unview(lax.select(hit, w.over_view(dy), lax.full(w.split, 0, dy.dtype)))


def _scatter_dense(number: Array, dy: Array, w: _Windows) -> Array:
    """Windows at every place: each input looks at the windows around it."""
    edges = [(k - 1 - p, p + n - o, 0) for k, n, o, (p, _) in zip(w.ksize, w.x, w.out, w.pads, strict=True)]
    number = lax.pad(number, np.int32(-1), edges)
    dy = lax.pad(dy, _zero(dy.dtype), edges)
    total = None
    for i, at in enumerate(np.ndindex(*w.ksize)):
        start = [k - 1 - a for k, a in zip(w.ksize, at, strict=True)]
        limit = [a + n for a, n in zip(start, w.x, strict=True)]
        hit = lax.eq(lax.slice(number, start, limit), lax.full(w.x, i, np.int32))
        part = lax.select(hit, lax.slice(dy, start, limit), lax.full(w.x, 0, dy.dtype))
        total = part if total is None else lax.add(total, part)
    assert total is not None
    return total


def _spread(part: Array, at: Sequence[int], w: _Windows) -> Array:
    """A tap of every window, back at its place in the input."""
    config = [(a - p, n + p - a - ((o - 1) * s + 1), s - 1) for a, o, s, n, (p, _) in zip(at, w.out, w.strides, w.x, w.pads, strict=True)]
    return lax.pad(part, _zero(part.dtype), config)


def _scatter_strided(number: Array, dy: Array, w: _Windows) -> Array:
    total = None
    for i, at in enumerate(np.ndindex(*w.ksize)):
        part = lax.select(lax.eq(number, lax.full(w.out, i, np.int32)), dy, lax.full(w.out, 0, dy.dtype))
        part = _spread(part, at, w)
        total = part if total is None else lax.add(total, part)
    assert total is not None
    return total


def _max_gradient(x: Array, dy: Array, w: _Windows) -> Array:
    if 0 in w.out:
        return lax.full(w.x, 0, dy.dtype)
    if w.count > UNROLLED and not w.disjoint:
        return jax.vjp(lambda v: lax.reduce_window(v, _lowest(v.dtype), lax.max, w.ksize, w.strides, w.pads), x)[1](dy)[0]
    number = lax.optimization_barrier(_winners(x, w)) if w.count <= UNROLLED else _winners_of_view(x, w)
    if w.disjoint:
        return _scatter_disjoint(number, dy, w)
    if all(s == 1 for s in w.strides):
        return _scatter_dense(number, dy, w)
    return _scatter_strided(number, dy, w)


def _winners_of_view(x: Array, w: _Windows) -> Array:
    """`_winners` for large disjoint windows, where taps would be many."""
    view = w.view(x, _lowest(x.dtype))
    hit = lax.eq(view, w.over_view(lax.reduce_max(view, w.inner)))
    return lax.reduce_min(lax.select(hit, w.place(), lax.full(w.split, w.count, np.int32)), w.inner)


def _max_second(x: Array, g: Array, w: _Windows) -> Array:
    """Picks from `g` what lies where each window's maximum is."""
    number = _winners(x, w)
    total = lax.full(w.out, 0, g.dtype)
    for i, tap in enumerate(w.taps(w.padded(g, _zero(g.dtype)))):
        total = lax.select(lax.eq(number, lax.full(w.out, i, np.int32)), tap, total)
    return total


@lowers("MaxPool", "MaxPoolV2", "MaxPool3D")
def max_pool(x: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC", name: Any = None) -> Array:
    """The maximum of each window."""
    if data_format == "NCHW_VECT_C":
        raise NotImplementedError("data_format NCHW_VECT_C (quantized, on GPUs only in TensorFlow) is not supported")
    return _reduce(x, _Windows(x.shape, ksize, strides, padding), lax.max, _lowest(x.dtype))


@lowers("MaxPoolGrad")
def max_pool_grad(x: Any, y: Any, dy: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC", name: Any = None) -> Array:
    """To the first maximum of each window."""
    return _max_gradient(x, dy, _Windows(x.shape, ksize, strides, padding))


@lowers("MaxPoolGradV2")
def max_pool_grad_v2(x: Any, y: Any, dy: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC", name: Any = None) -> Array:
    """To the first maximum of each window."""
    return _max_gradient(x, dy, _Windows(x.shape, ksize, strides, padding))


@lowers("MaxPoolGradGrad", "MaxPoolGradGradV2", "MaxPool3DGradGrad")
def max_pool_grad_grad(x: Any, y: Any, g: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC", name: Any = None) -> Array:
    """From the first maximum of each window."""
    return _max_second(x, g, _Windows(x.shape, ksize, strides, padding))


@lowers("MaxPool3DGrad")
def max_pool3d_grad(x: Any, y: Any, dy: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NDHWC", name: Any = None) -> Array:
    """To every maximum of each window, as TensorFlow has it in three dimensions."""
    w = _Windows(x.shape, ksize, strides, padding)
    total = lax.full(w.x, 0, dy.dtype)
    if 0 in w.out:
        return total
    y = _reduce(x, w, lax.max, _lowest(x.dtype))
    for at, tap in zip(np.ndindex(*w.ksize), w.taps(w.padded(x, _lowest(x.dtype))), strict=True):
        total = lax.add(total, _spread(lax.select(lax.eq(tap, y), dy, lax.full(w.out, 0, dy.dtype)), at, w))
    return total


# -- maxima and where they are -----------------------------------------------------------------------


@lowers("MaxPoolWithArgmax")
def max_pool_with_argmax(x: Any, ksize: Any, strides: Any, padding: str, targmax: Any, with_batch: bool, name: Any = None) -> tuple[Array, Array]:
    """The maximum of each window and its index in the flattened image."""
    w = _Windows(x.shape, ksize, strides, padding)
    number = _winners(x, w)
    index = lax.full(w.out, 0, targmax.np_dtype)
    for axis, (k, s, (p, _)) in enumerate(zip(w.ksize, w.strides, w.pads, strict=True)):
        if axis == 0 and not with_batch:
            continue
        at = lax.broadcasted_iota(np.int32, w.out, axis) * np.int32(s) - np.int32(p)
        if k > 1:
            at = at + lax.rem(lax.div(number, np.int32(math.prod(w.ksize[axis + 1 :]))), np.int32(k))
        scale = lax.full(w.out, w.x[axis], index.dtype) if axis else lax.full(w.out, 1, index.dtype)
        index = index * scale + lax.convert_element_type(at, index.dtype)
    return _reduce(x, w, lax.max, _lowest(x.dtype)), index


def _flat_index(argmax: Array, shape: Sequence[int], with_batch: bool) -> Array:
    argmax = lax.convert_element_type(argmax, np.int64)
    if not with_batch:
        argmax = argmax + lax.broadcasted_iota(np.int64, argmax.shape, 0) * np.int64(math.prod(shape[1:]))
    return lax.reshape(argmax, (argmax.size, 1))


@lowers("MaxPoolGradWithArgmax")
def max_pool_grad_with_argmax(x: Any, dy: Any, argmax: Any, ksize: Any, strides: Any, padding: str, with_batch: bool, name: Any = None) -> Array:
    """Adds each entry of `dy` at its index."""
    numbers = lax.ScatterDimensionNumbers(update_window_dims=(), inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,))
    empty = lax.full((math.prod(x.shape),), 0, dy.dtype)
    flat = lax.scatter_add(empty, _flat_index(argmax, x.shape, with_batch), lax.reshape(dy, (dy.size,)), numbers)
    return lax.reshape(flat, x.shape)


@lowers("MaxPoolGradGradWithArgmax")
def max_pool_grad_grad_with_argmax(x: Any, g: Any, argmax: Any, ksize: Any, strides: Any, padding: str, with_batch: bool, name: Any = None) -> Array:
    """Picks the entries of `g` at the indices."""
    numbers = lax.GatherDimensionNumbers(offset_dims=(), collapsed_slice_dims=(0,), start_index_map=(0,))
    flat = lax.gather(lax.reshape(g, (g.size,)), _flat_index(argmax, x.shape, with_batch), numbers, (1,))
    return lax.reshape(flat, argmax.shape)


# -- averages ----------------------------------------------------------------------------------------


def _counts(w: _Windows, dtype: Any) -> Any:
    """How many inputs each window holds, as an array that broadcasts over the output."""
    counts = np.ones((1,) * len(w.x), np.int64)
    for axis, (n, k, s, o, (p, _)) in enumerate(zip(w.x, w.ksize, w.strides, w.out, w.pads, strict=True)):
        first = np.arange(o) * s - p
        inside = np.minimum(first + k, n) - np.maximum(first, 0)
        inside = inside[:1] if o and (inside == inside[0]).all() else inside
        counts = counts * inside.reshape([-1 if i == axis else 1 for i in range(len(w.x))])
    return counts.astype(dtype)


def _wide(dtype: Any) -> Any:
    return np.dtype(np.float32) if dtype.itemsize < 4 else dtype


def _per_count(x: Array, w: _Windows) -> Array:
    counts = _counts(w, x.dtype)
    return lax.div(x, lax.broadcast_in_dim(lax.reshape(counts, counts.shape), w.out, range(len(w.out))))


@lowers("AvgPool", "AvgPool3D")
def avg_pool(x: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC", name: Any = None) -> Array:
    """The mean of each window; padding does not count."""
    w = _Windows(x.shape, ksize, strides, padding)
    wide = lax.convert_element_type(x, _wide(x.dtype))
    return lax.convert_element_type(_per_count(_reduce(wide, w, lax.add, _zero(wide.dtype)), w), x.dtype)


@lowers("AvgPoolGrad", "AvgPool3DGrad")
def avg_pool_grad(sizes: Any, dy: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC", name: Any = None) -> Array:
    """Spreads each entry evenly over its window."""
    w = _Windows(np.asarray(sizes).reshape(-1).tolist(), ksize, strides, padding)
    if 0 in w.out:
        return lax.full(w.x, 0, dy.dtype)
    wide = _per_count(lax.convert_element_type(dy, _wide(dy.dtype)), w)
    if w.disjoint:
        total = w.unview(w.over_view(wide))
    else:
        rows = zip(w.ksize, w.strides, w.x, w.out, w.pads, strict=True)
        edges = [(k - 1 - p, p + n - ((o - 1) * s + 1), s - 1) for k, s, n, o, (p, _) in rows]
        dilated = lax.pad(wide, _zero(wide.dtype), edges)
        total = _reduce(dilated, _Windows(dilated.shape, ksize, (1,) * len(w.x), "VALID"), lax.add, _zero(wide.dtype))
    return lax.convert_element_type(total, dy.dtype)
