"""Rows of ir.ops.convolution: the composed convolutions and pools against loops over windows."""

import numpy as np

from ir.ops import convolution as c
from tests.rowdef import ErrorRow, Row, normal
from tests.rows.conv import correlate, depthwise, first, input_gradient, last
from tests.rows.pool import average, biggest

X1, F1 = normal(2, 9, 3), normal(3, 3, 4, seed=1)
X2, F2 = normal(2, 9, 8, 3), normal(3, 2, 3, 4, seed=1)
X3, F3 = normal(1, 4, 5, 4, 2), normal(2, 2, 2, 2, 3, seed=1)
DEPTH, MIX = normal(3, 2, 3, 2, seed=2), normal(1, 1, 6, 4, seed=3)
LOOSE = {"rtol": 1e-4, "atol": 1e-4}


def dilated_max(x, window, rates):
    """Maxima over windows whose places are `rates` apart, all windows inside."""
    sizes = [n - (k - 1) * r for n, k, r in zip(x.shape[1:3], window, rates, strict=True)]
    parts = [x[:, i * rates[0] : i * rates[0] + sizes[0], j * rates[1] : j * rates[1] + sizes[1]] for i in range(window[0]) for j in range(window[1])]
    return np.max(parts, 0)


def atrous_transpose(x, f, shape, rate, padding):
    return input_gradient(shape, f, x, 1, padding, [rate, rate])


ROWS = [
    Row("Conv2D", lambda x, f: c.convolution(x, f, "SAME"), [X1, F1], correlate, grad=True, id="convolution 1d", **LOOSE),
    Row("Conv2D", lambda x, f: c.convolution(x, f, "VALID", [2]), [X1, F1], lambda x, f: correlate(x, f, [2], "VALID"), grad=True,
        id="convolution 1d strided", **LOOSE),
    Row("Conv2D", lambda x, f: c.convolution(x, f, "SAME", dilation_rate=[3]), [X1, F1], lambda x, f: correlate(x, f, 1, "SAME", [3]), grad=True,
        id="convolution 1d dilated", **LOOSE),
    Row("Conv2D", lambda x, f: c.convolution(x, f, "SAME", [2, 1], data_format="NCHW"), [first(X2), F2],
        lambda x, f: first(correlate(last(x), f, [2, 1])), grad=True, id="convolution NCHW", **LOOSE),
    Row("Conv2D", lambda x, f: c.convolution(x, filter=None, filters=f, padding="SAME", dilations=[2, 3]), [X2, F2],
        lambda x, f: correlate(x, f, 1, "SAME", [2, 3]), grad=True, id="convolution dilated", **LOOSE),
    Row("Conv2D", lambda x, f: c.convolution(x, f, "VALID", dilation_rate=[1, 3]), [X2, F2], lambda x, f: correlate(x, f, 1, "VALID", [1, 3]),
        grad=True, id="convolution dilated one way", **LOOSE),
    Row("Conv2D", lambda x, f: c.convolution(x, f, "SAME", dilation_rate=[2, 2], data_format="NCHW"), [first(X2), F2],
        lambda x, f: first(correlate(last(x), f, 1, "SAME", [2, 2])), grad=True, id="convolution dilated NCHW", forget=False, **LOOSE),
    Row("Conv3D", lambda x, f: c.convolution(x, f, "SAME", [1, 2, 1]), [X3, F3], lambda x, f: correlate(x, f, [1, 2, 1]), grad=True,
        id="convolution 3d", **LOOSE),
    Row("Conv3D", lambda x, f: c.convolution(x, f, "SAME", dilation_rate=[1, 2, 1]), [X3, F3], lambda x, f: correlate(x, f, 1, "SAME", [1, 2, 1]),
        grad=True, id="convolution 3d dilated", **LOOSE),
    Row("Conv2D", lambda x, f: c.atrous_conv2d(x, f, 2, "VALID"), [X2, F2], lambda x, f: correlate(x, f, 1, "VALID", [2, 2]), grad=True,
        id="atrous", **LOOSE),
    Row("Conv2DBackpropInput", lambda x, f: c.atrous_conv2d_transpose(x, f, [2, 9, 8, 3], 2, "SAME"), [normal(2, 9, 8, 4), F2],
        lambda x, f: atrous_transpose(x, f, (2, 9, 8, 3), 2, "SAME"), grad=True, id="atrous transpose", **LOOSE),
    Row("Conv2DBackpropInput", lambda x, f: c.atrous_conv2d_transpose(x, f, [2, 9, 8, 3], 2, "VALID"), [normal(2, 5, 6, 4), F2],
        lambda x, f: atrous_transpose(x, f, (2, 9, 8, 3), 2, "VALID"), grad=True, id="atrous transpose VALID", **LOOSE),
    Row("Conv2D", lambda x, f: c.conv1d(x, f, 2, "SAME"), [X1, F1], lambda x, f: correlate(x, f, 2), grad=True, id="conv1d", **LOOSE),
    Row("Conv2D", lambda x, f: c.conv1d(x, f, 1, "VALID", data_format="NCW", dilations=2), [first(X1), F1],
        lambda x, f: first(correlate(last(x), f, 1, "VALID", 2)), id="conv1d NCW dilated", **LOOSE),
    Row("Conv2DBackpropInput", lambda x, f: c.conv1d_transpose(x, f, [2, 9, 3], 2), [normal(2, 5, 4), F1],
        lambda x, f: input_gradient((2, 9, 3), f, x, 2), grad=True, id="conv1d transpose", **LOOSE),
    Row("Conv2DBackpropInput", lambda x, f: c.conv_transpose(x, f, [2, 9, 8, 3], 2), [normal(2, 5, 4, 4), F2],
        lambda x, f: input_gradient((2, 9, 8, 3), f, x, 2), id="conv_transpose", **LOOSE),
    Row("Conv3DBackpropInputV2", lambda x, f: c.conv_transpose(x, f, [1, 4, 5, 4, 2], 2), [normal(1, 2, 3, 2, 3), F3],
        lambda x, f: input_gradient((1, 4, 5, 4, 2), f, x, 2), id="conv_transpose 3d", **LOOSE),
    Row("DepthwiseConv2dNative", lambda x, f: c.depthwise_conv2d(x, f, [1, 2, 2, 1], "SAME"), [X2, DEPTH], lambda x, f: depthwise(x, f, 2), grad=True,
        id="depthwise", **LOOSE),
    Row("DepthwiseConv2dNative", lambda x, f: c.depthwise_conv2d(x, f, [1, 1, 1, 1], "SAME", [2, 2]), [X2, DEPTH],
        lambda x, f: depthwise(x, f, 1, "SAME", [2, 2]), grad=True, id="depthwise dilated", **LOOSE),
    Row("DepthwiseConv2dNative", lambda x, f, m: c.separable_conv2d(x, f, m, [1, 1, 1, 1], "VALID"), [X2, DEPTH, MIX],
        lambda x, f, m: correlate(depthwise(x, f, 1, "VALID"), m, 1, "VALID"), grad=True, id="separable", **LOOSE),
    Row("DepthwiseConv2dNative", lambda x, f, m: c.separable_conv2d(x, f, m, [1, 1, 1, 1], "SAME", [2, 1]), [X2, DEPTH, MIX],
        lambda x, f, m: correlate(depthwise(x, f, 1, "SAME", [2, 1]), m, 1, "VALID"), id="separable dilated", **LOOSE),
    Row("MaxPool", lambda x: c.pool(x, [2, 3], "MAX", "SAME", strides=[2, 1]), [X2], lambda x: biggest(x, [1, 2, 3, 1], [1, 2, 1, 1], "SAME"),
        grad=True, id="pool"),
    Row("MaxPool", lambda x: c.pool(x, [2, 3], "MAX", "VALID", [2, 1]), [X2], lambda x: dilated_max(x, [2, 3], [2, 1]), grad=True, id="pool dilated"),
    Row("AvgPool", lambda x: c.pool(x, [3], "AVG", "SAME", strides=[2]), [X1], lambda x: average(x, [1, 3, 1], [1, 2, 1], "SAME"), grad=True, id="pool 1d"),
    Row("AvgPool3D", lambda x: c.pool(x, [2, 2, 2], "AVG", "VALID"), [X3], lambda x: average(x, [1, 2, 2, 2, 1], [1] * 5, "VALID"), id="pool 3d"),
    Row("SpaceToBatchND", lambda x: c.with_space_to_batch(x, [2], "VALID", lambda x, n, p: x * 2, spatial_dims=[2]), [X2[:, :, :8]], lambda x: x * 2,
        id="with_space_to_batch"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Conv2D", lambda: c.convolution(X2, F2, "SAME", [2, 2], [2, 2]), ValueError, "strides > 1 not supported"),
    ErrorRow("Conv2D", lambda: c.convolution(X2, F2, "SAME", [2]), ValueError, r"len\(strides\)=1 but should be 2"),
    ErrorRow("Conv2D", lambda: c.convolution(X2, F2, "SAME", dilation_rate=[0, 1]), ValueError, "must be positive"),
    ErrorRow("Conv2D", lambda: c.convolution(X2, F2, "SAME", data_format="NWC"), ValueError, "data_format"),
    ErrorRow("Conv2D", lambda: c.convolution(X2[0, 0], F2[0, 0], "SAME"), ValueError, "rank 3, 4 or 5"),
    ErrorRow("Conv2D", lambda: c.conv1d(X1, F1, 1, "SAME", data_format="NHC"), ValueError, "data_format"),
    ErrorRow("MaxPool", lambda: c.pool(X2, [2, 2], "MIN", "SAME"), ValueError, "2-D MIN pooling is not supported"),
    ErrorRow("MaxPool", lambda: c.pool(X2, [2, 2], "MAX", "SAME", [2, 2]), ValueError, "SAME padding is not implemented"),
    ErrorRow("SpaceToBatchND", lambda: c.with_space_to_batch(X2, [2, 2], "SAME", lambda x, n, p: x), ValueError, "filter_shape must be specified"),
]
