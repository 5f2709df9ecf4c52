"""Convolutions, forward and backward, as XLA's general convolution."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import Array, lax

from graphc.lowering.table import lowers
from ir.ops.windows import channel_axis, extent, output_size, spatial_axes, window_pads

Pads = list[tuple[int, int]]
Spec = tuple[int, ...]


class Geometry:
    """The window arithmetic of one convolution between an input of shape `x` and an output, in spatial dimensions only."""

    def __init__(self, x: Sequence[int], f: Sequence[int], data_format: str, strides: Any, padding: str, dilations: Any, explicit: Any) -> None:
        rank = len(x)
        axes = spatial_axes(data_format, rank)
        self.channel = channel_axis(data_format, rank)
        self.sizes = [int(x[a]) for a in axes]
        self.kernel = [int(k) for k in f[:-2]]
        self.strides = [strides[a] for a in axes]
        self.dilations = [dilations[a] for a in axes]
        flat = [explicit[2 * a + i] for a in axes for i in (0, 1)] if padding == "EXPLICIT" else ()
        self.pads = window_pads(self.sizes, self.kernel, self.strides, padding, self.dilations, flat)
        rows = zip(self.sizes, self.kernel, self.strides, self.dilations, self.pads, strict=True)
        self.out: list[Any] = [output_size(n, k, s, padding, d, p) for n, k, s, d, p in rows]
        #: dimension numbers of input and output: batch, channels, spatial
        self.data: Spec = (0, self.channel, *axes)
        #: of the filter: out, in, spatial
        self.filter: Spec = (rank - 1, rank - 2, *range(rank - 2))

    def input_pads(self) -> Pads:
        """The padding of the (dilated) output gradient that gives back the input."""
        pads: Pads = []
        for n, k, s, d, o, (before, _) in zip(self.sizes, self.kernel, self.strides, self.dilations, self.out, self.pads, strict=True):
            first = extent(k, d) - 1 - before
            pads.append((first, n + extent(k, d) - 1 - extent(o, s) - first))
        return pads

    def filter_pads(self) -> Pads:
        """The padding of the input for which correlation with the (dilated) output gradient gives the filter's size."""
        pads: Pads = []
        for n, k, s, d, o, (before, _) in zip(self.sizes, self.kernel, self.strides, self.dilations, self.out, self.pads, strict=True):
            pads.append((before, extent(k, d) - 1 + extent(o, s) - n - before))
        return pads


def forward(x: Array, f: Array, g: Geometry, groups: int) -> Array:
    """The convolution, with channels in groups."""
    numbers = lax.ConvDimensionNumbers(g.data, g.filter, g.data)
    return lax.conv_general_dilated(x, f, g.strides, g.pads, rhs_dilation=g.dilations, dimension_numbers=numbers, feature_group_count=groups)


def input_gradient(f: Array, dy: Array, g: Geometry, groups: int, shape: Sequence[int]) -> Array:
    """The gradient with respect to the input, of `shape`."""
    if 0 in dy.shape or 0 in f.shape:
        return lax.full(tuple(shape), 0, dy.dtype)
    spatial = list(range(f.ndim - 2))
    if groups > 1:  # [..., in / groups, out] -> [..., in, out / groups], the groups side by side
        *k, inner, outer = f.shape
        f = lax.reshape(f, (*k, inner, groups, outer // groups))
        f = lax.transpose(f, (*spatial, f.ndim - 2, f.ndim - 3, f.ndim - 1))
        f = lax.reshape(f, (*k, groups * inner, outer // groups))
    numbers = lax.ConvDimensionNumbers(g.data, (g.filter[1], g.filter[0], *g.filter[2:]), g.data)
    return lax.conv_general_dilated(
        dy, lax.rev(f, spatial), [1] * len(spatial), g.input_pads(), lhs_dilation=g.strides, rhs_dilation=g.dilations,
        dimension_numbers=numbers, feature_group_count=groups,
    )  # fmt: skip


def filter_gradient(x: Array, dy: Array, g: Geometry, groups: int, shape: Sequence[int]) -> Array:
    """The gradient with respect to the filter, of `shape`."""
    if 0 in dy.shape or 0 in x.shape:
        return lax.full(tuple(shape), 0, dy.dtype)
    swapped = (g.data[1], g.data[0], *g.data[2:])
    result = (g.filter[1], g.filter[0], *g.filter[2:])
    numbers = lax.ConvDimensionNumbers(swapped, swapped, result)
    return lax.conv_general_dilated(
        x, dy, g.dilations, g.filter_pads(), rhs_dilation=g.strides, dimension_numbers=numbers, batch_group_count=groups
    )


def ints(values: Any) -> tuple[int, ...]:
    """A static shape as a tuple."""
    return tuple(int(v) for v in np.asarray(values).reshape(-1))


def _groups(x: Sequence[int], f: Sequence[int], g: Geometry) -> int:
    return max(x[g.channel] // f[-2], 1) if f[-2] else 1


@lowers("Conv2D")
def conv2d(x: Any, f: Any, strides: Any, padding: str, _: bool, explicit: Any, data_format: str, dilations: Any, name: Any = None) -> Array:
    """Conv2D; fewer input channels in the filter than in the input mean groups."""
    g = Geometry(x.shape, f.shape, data_format, strides, padding, dilations, explicit)
    return forward(x, f, g, _groups(x.shape, f.shape, g))


@lowers("Conv2DBackpropInput")
def conv2d_backprop_input(
    sizes: Any, f: Any, dy: Any, strides: Any, padding: str, _: bool, explicit: Any, data_format: str, dilations: Any, name: Any = None
) -> Array:
    """The gradient of Conv2D with respect to the input."""
    shape = ints(sizes)
    g = Geometry(shape, f.shape, data_format, strides, padding, dilations, explicit)
    return input_gradient(f, dy, g, _groups(shape, f.shape, g), shape)


@lowers("Conv2DBackpropFilter")
def conv2d_backprop_filter(
    x: Any, sizes: Any, dy: Any, strides: Any, padding: str, _: bool, explicit: Any, data_format: str, dilations: Any, name: Any = None
) -> Array:
    """The gradient of Conv2D with respect to the filter."""
    shape = ints(sizes)
    g = Geometry(x.shape, shape, data_format, strides, padding, dilations, explicit)
    return filter_gradient(x, dy, g, _groups(x.shape, shape, g), shape)


@lowers("Conv3D")
def conv3d(x: Any, f: Any, strides: Any, padding: str, data_format: str, dilations: Any, name: Any = None) -> Array:
    """Conv3D."""
    g = Geometry(x.shape, f.shape, data_format, strides, padding, dilations, ())
    return forward(x, f, g, _groups(x.shape, f.shape, g))


@lowers("Conv3DBackpropInputV2")
def conv3d_backprop_input(sizes: Any, f: Any, dy: Any, strides: Any, padding: str, data_format: str, dilations: Any, name: Any = None) -> Array:
    """The gradient of Conv3D with respect to the input."""
    shape = ints(sizes)
    g = Geometry(shape, f.shape, data_format, strides, padding, dilations, ())
    return input_gradient(f, dy, g, _groups(shape, f.shape, g), shape)


@lowers("Conv3DBackpropFilterV2")
def conv3d_backprop_filter(x: Any, sizes: Any, dy: Any, strides: Any, padding: str, data_format: str, dilations: Any, name: Any = None) -> Array:
    """The gradient of Conv3D with respect to the filter."""
    shape = ints(sizes)
    g = Geometry(x.shape, shape, data_format, strides, padding, dilations, ())
    return filter_gradient(x, dy, g, _groups(x.shape, shape, g), shape)


@lowers("Conv3DBackpropInput")
def conv3d_backprop_input_v1(x: Any, f: Any, dy: Any, strides: Any, padding: str, dilations: Any, name: Any = None) -> Array:
    """Conv3DBackpropInputV2 with the shape taken from the input."""
    return conv3d_backprop_input(x.shape, f, dy, strides, padding, "NDHWC", dilations)


@lowers("Conv3DBackpropFilter")
def conv3d_backprop_filter_v1(x: Any, f: Any, dy: Any, strides: Any, padding: str, dilations: Any, name: Any = None) -> Array:
    """Conv3DBackpropFilterV2 with the shape taken from the filter."""
    return conv3d_backprop_filter(x, f.shape, dy, strides, padding, "NDHWC", dilations)
