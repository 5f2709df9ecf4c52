"""Rows of ir.ops.conv: convolutions against loops over windows."""

import itertools

import numpy as np

from ir.ops import conv
from tests.rowdef import ErrorRow, Row, integers, normal

raw_input = conv._conv2d_backprop_input
raw_filter = conv._conv2d_backprop_filter


def pads_of(sizes, kernel, strides, dilations, padding):
    """(before, after) per spatial dimension."""
    if not isinstance(padding, str):
        return padding
    if padding == "VALID":
        return [(0, 0)] * len(sizes)
    totals = [max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True)]
    return [(t // 2, t - t // 2) for t in totals]


def windows(sizes, kernel, strides, dilations, pads):
    """Per output place its index and the slices of the padded input it sees."""
    counts = [(n + a + b - (k - 1) * d - 1) // s + 1 for n, k, s, d, (a, b) in zip(sizes, kernel, strides, dilations, pads, strict=True)]
    for at in itertools.product(*map(range, counts)):
        yield counts, at, tuple(slice(o * s, o * s + (k - 1) * d + 1, d) for o, s, k, d in zip(at, strides, kernel, dilations, strict=True))


def walk(xshape, fshape, strides, padding, dilations):
    sizes, kernel = xshape[1:-1], fshape[:-2]
    strides = strides if isinstance(strides, (list, tuple)) else [strides] * len(sizes)
    dilations = dilations if isinstance(dilations, (list, tuple)) else [dilations] * len(sizes)
    pads = pads_of(sizes, kernel, strides, dilations, padding)
    return pads, list(windows(sizes, kernel, strides, dilations, pads))


def correlate(x, f, strides=1, padding="SAME", dilations=1):
    pads, places = walk(x.shape, f.shape, strides, padding, dilations)
    wide = np.pad(x.astype(np.float64), [(0, 0), *pads, (0, 0)])
    groups = x.shape[-1] // f.shape[-2]
    out = np.zeros((x.shape[0], *places[0][0], f.shape[-1]))
    for _, at, see in places:
        patch = wide[(slice(None), *see)].reshape(x.shape[0], -1, groups, f.shape[-2])
        weights = f.reshape(-1, f.shape[-2], groups, f.shape[-1] // groups)
        out[(slice(None), *at)] = np.einsum("nkgi,kigo->ngo", patch, weights).reshape(x.shape[0], -1)
    return out


def input_gradient(shape, f, dy, strides=1, padding="SAME", dilations=1):
    pads, places = walk(shape, f.shape, strides, padding, dilations)
    wide = np.zeros([shape[0], *[n + a + b for n, (a, b) in zip(shape[1:-1], pads, strict=True)], shape[-1]])
    for _, at, see in places:
        wide[(slice(None), *see)] += np.einsum("no,...io->n...i", dy[(slice(None), *at)], f)
    return wide[(slice(None), *[slice(a, a + n) for n, (a, _) in zip(shape[1:-1], pads, strict=True)])]


def filter_gradient(x, shape, dy, strides=1, padding="SAME", dilations=1):
    pads, places = walk(x.shape, shape, strides, padding, dilations)
    wide = np.pad(x.astype(np.float64), [(0, 0), *pads, (0, 0)])
    out = np.zeros(shape)
    for _, at, see in places:
        out += np.einsum("n...i,no->...io", wide[(slice(None), *see)], dy[(slice(None), *at)])
    return out


def depthwise(x, f, strides=1, padding="SAME", dilations=1):
    parts = [correlate(x[..., i : i + 1], f[..., i : i + 1, :], strides, padding, dilations) for i in range(x.shape[-1])]
    return np.concatenate(parts, -1)


def depthwise_input(shape, f, dy, strides=1, padding="SAME"):
    m = f.shape[-1]
    parts = [input_gradient((*shape[:-1], 1), f[:, :, i : i + 1], dy[..., i * m : i * m + m], strides, padding) for i in range(shape[-1])]
    return np.concatenate(parts, -1)


def depthwise_filter(x, shape, dy, strides=1, padding="SAME"):
    m = shape[-1]
    parts = [filter_gradient(x[..., i : i + 1], (*shape[:2], 1, m), dy[..., i * m : i * m + m], strides, padding) for i in range(x.shape[-1])]
    return np.concatenate(parts, 2)


def first(x):
    """Channels from last to second."""
    return np.moveaxis(x, -1, 1)


def last(x):
    return np.moveaxis(x, 1, -1)


X, F = normal(2, 5, 6, 3), normal(3, 2, 3, 4, seed=1)
X3, F3 = normal(1, 3, 4, 5, 2), normal(2, 3, 2, 2, 3, seed=1)
DEPTH = normal(3, 2, 3, 2, seed=2)

CASES = {  # strides, padding, dilations
    "SAME": (1, "SAME", 1),
    "VALID": (1, "VALID", 1),
    "strided": ([2, 3], "SAME", 1),
    "strided VALID": ([2, 1], "VALID", 1),
    "dilated": (1, "SAME", [2, 1]),
    "dilated strided": (2, "VALID", [1, 3]),
}


def conv2d_rows():
    rows = []
    for key, (s, p, d) in CASES.items():
        dy = normal(*correlate(X, F, s, p, d).shape, seed=3)
        attrs = {"strides": s, "padding": p, "dilations": d}
        full = {
            k: v if isinstance(v, str) else [1, *v, 1] if isinstance(v, list) else [1, v, v, 1]
            for k, v in attrs.items()
        }  # fmt: skip
        grad = d == 1 or key == "dilated"
        rows += [
            Row("Conv2D", lambda x, f, a=attrs: conv.conv2d(x, f, **a), [X, F], lambda x, f, c=(s, p, d): correlate(x, f, *c), grad=grad,
                second=key in ("SAME", "strided"), rtol=1e-4, atol=1e-4, id=key),
            Row("Conv2DBackpropInput", lambda f, dy, a=full: raw_input(X.shape, f, dy, **a), [F, dy],
                lambda f, dy, c=(s, p, d): input_gradient(X.shape, f, dy, *c), grad=grad, rtol=1e-4, atol=1e-4, id=key),
            Row("Conv2DBackpropFilter", lambda x, dy, a=full: raw_filter(x, F.shape, dy, **a), [X, dy],
                lambda x, dy, c=(s, p, d): filter_gradient(x, F.shape, dy, *c), grad=grad, rtol=1e-4, atol=1e-4, id=key),
        ]  # fmt: skip
    return rows


def conv3d_rows():
    rows = []
    for key, (s, p) in {"SAME": ([1, 2, 1], "SAME"), "VALID": ([1, 1, 2], "VALID")}.items():
        dy = normal(*correlate(X3, F3, s, p).shape, seed=3)
        attrs = {"strides": [1, *s, 1], "padding": p}
        rows += [
            Row("Conv3D", lambda x, f, a=attrs: conv.conv3d(x, f, **a), [X3, F3], lambda x, f, c=(s, p): correlate(x, f, *c), grad=True,
                second=True, rtol=1e-4, atol=1e-4, id=key),
            Row("Conv3DBackpropInputV2", lambda f, dy, a=attrs: conv.conv3d_transpose(dy, f, X3.shape, **a), [F3, dy],
                lambda f, dy, c=(s, p): input_gradient(X3.shape, f, dy, *c), grad=True, rtol=1e-4, atol=1e-4, id=key),
            Row("Conv3DBackpropFilterV2", lambda x, dy, a=attrs: conv.conv3d_backprop_filter(x, F3.shape, dy, **a), [X3, dy],
                lambda x, dy, c=(s, p): filter_gradient(x, F3.shape, dy, *c), grad=True, rtol=1e-4, atol=1e-4, id=key),
            Row("Conv3DBackpropInput", lambda x, f, dy, a=attrs: conv.conv3d_backprop_input_v1(x, f, dy, **a), [X3, F3, dy],
                lambda x, f, dy, c=(s, p): input_gradient(x.shape, f, dy, *c), rtol=1e-4, atol=1e-4, id=key),
            Row("Conv3DBackpropFilter", lambda x, f, dy, a=attrs: conv.conv3d_backprop_filter_v1(x, f, dy, **a), [X3, F3, dy],
                lambda x, f, dy, c=(s, p): filter_gradient(x, f.shape, dy, *c), rtol=1e-4, atol=1e-4, id=key),
        ]  # fmt: skip
    return rows


def depthwise_rows():
    rows = []
    for key, (s, p) in {"SAME": (1, "SAME"), "VALID": (1, "VALID"), "strided": (2, "SAME")}.items():
        dy = normal(*depthwise(X, DEPTH, s, p).shape, seed=3)
        attrs = {"strides": [1, s, s, 1], "padding": p}
        rows += [
            Row("DepthwiseConv2dNative", lambda x, f, a=attrs: conv.depthwise_conv2d_native(x, f, **a), [X, DEPTH],
                lambda x, f, c=(s, p): depthwise(x, f, *c), grad=True, second=key == "strided", rtol=1e-4, atol=1e-4, id=key),
            Row("DepthwiseConv2dNativeBackpropInput", lambda f, dy, a=attrs: conv.depthwise_conv2d_native_backprop_input(X.shape, f, dy, **a),
                [DEPTH, dy], lambda f, dy, c=(s, p): depthwise_input(X.shape, f, dy, *c), grad=True, rtol=1e-4, atol=1e-4, id=key),
            Row("DepthwiseConv2dNativeBackpropFilter", lambda x, dy, a=attrs: conv.depthwise_conv2d_native_backprop_filter(x, DEPTH.shape, dy, **a),
                [X, dy], lambda x, dy, c=(s, p): depthwise_filter(x, DEPTH.shape, dy, *c), grad=True, rtol=1e-4, atol=1e-4, id=key),
        ]  # fmt: skip
    return rows


LOOSE = {"rtol": 1e-4, "atol": 1e-4}

ROWS = [
    *conv2d_rows(),
    *conv3d_rows(),
    *depthwise_rows(),
    Row("Conv2D", lambda x, f: conv.conv2d(x, f, 1, [[0, 0], [1, 0], [0, 2], [0, 0]]), [X, F],
        lambda x, f: correlate(x, f, 1, [(1, 0), (0, 2)]), grad=True, id="explicit padding", **LOOSE),
    Row("Conv2D", lambda x, f: conv.conv2d(x, filters=f, strides=[1, 1, 2, 1], padding="SAME", data_format="NCHW"), [first(X), F],
        lambda x, f: first(correlate(last(x), f, [2, 1])), grad=True, second=True, id="NCHW", **LOOSE),
    Row("Conv2D", lambda x, f: conv.conv2d(x, f, 1, "SAME"), [normal(2, 4, 5, 6), normal(3, 3, 2, 9, seed=1)], correlate, grad=True, second=True,
        id="groups", **LOOSE),
    Row("Conv2D", lambda x, f: conv.conv2d(x, f, 1, "SAME"), [normal(1, 2, 3, 2), normal(5, 5, 2, 1, seed=1)], correlate, grad=True,
        id="filter larger than input", **LOOSE),
    Row("Conv2D", lambda x, f: conv.conv2d(x, f, 1, "SAME"), [normal(0, 4, 4, 2), normal(3, 3, 2, 3)], lambda x, f: np.zeros((0, 4, 4, 3)), grad=True,
        id="no batch"),
    Row("Conv2D", lambda x, f: conv.conv2d(x, f, 1, "SAME"), [X.astype(np.float16), F.astype(np.float16)], correlate, rtol=1e-2, atol=2e-2, id="half"),
    Row("Conv2D", lambda x, f: conv.conv2d(x, f, [1], "VALID"), [X.astype(np.float64), F.astype(np.float64)],
        lambda x, f: correlate(x, f, 1, "VALID"), id="double"),
    Row("Conv2DBackpropInput", lambda f, dy: conv.conv2d_transpose(dy, f, [2, 9, 5, 3], [2, 1], "VALID"), [F, normal(2, 4, 4, 4)],
        lambda f, dy: input_gradient((2, 9, 5, 3), f, dy, [2, 1], "VALID"), grad=True, id="transpose", **LOOSE),
    Row("Conv2DBackpropInput", lambda f, dy: conv.conv2d_transpose(dy, f, [2, 3, 9, 6], 2, data_format="NCHW"), [F, first(normal(2, 5, 3, 4))],
        lambda f, dy: first(input_gradient((2, 9, 6, 3), f, last(dy), 2)), grad=True, id="transpose NCHW", **LOOSE),
    Row("Conv2DBackpropInput", lambda f, dy: conv.conv2d_backprop_input(X.shape, f, dy, [1, 1, 1, 1], "SAME"), [F, normal(2, 5, 6, 4)],
        lambda f, dy: input_gradient(X.shape, f, dy), id="api", **LOOSE),
    Row("Conv2DBackpropFilter", lambda x, dy: conv.conv2d_backprop_filter(x, F.shape, dy, [1, 1, 1, 1], "SAME"), [X, normal(2, 5, 6, 4)],
        lambda x, dy: filter_gradient(x, F.shape, dy), id="api", **LOOSE),
    Row("DepthwiseConv2dNative", lambda x, f: conv.depthwise_conv2d_native(x, f, [1, 1, 1, 1], "SAME", "NCHW", [1, 1, 2, 1]), [first(X), DEPTH],
        lambda x, f: first(depthwise(last(x), f, 1, "SAME", [2, 1])), grad=True, id="NCHW dilated", **LOOSE),
    Row("Conv3D", lambda x, f: conv.conv3d(x, f, [1, 1, 1, 1, 1], "SAME", "NCDHW", [1, 1, 1, 2, 1]), [first(X3), F3],
        lambda x, f: first(correlate(last(x), f, 1, "SAME", [1, 2, 1])), grad=True, id="NCDHW dilated", **LOOSE),
    Row("BiasAdd", conv.bias_add, [normal(2, 3, 4), normal(4, seed=1)], lambda x, b: x + b, grad=True, second=True),
    Row("BiasAdd", lambda x, b: conv.bias_add(x, b, "NCHW"), [normal(2, 3, 4, 2), normal(3, seed=1)], lambda x, b: x + b[:, None, None], grad=True,
        second=True, id="NCHW"),
    Row("BiasAdd", lambda x, b: conv.bias_add(x, b, "NCDHW"), [normal(2, 3), normal(3, seed=1)], lambda x, b: x + b, grad=True, id="NC of rank 2"),
    Row("BiasAdd", conv.bias_add, [integers(2, 3), integers(3, seed=1)], lambda x, b: x + b, id="int"),
    Row("BiasAddV1", conv.bias_add_v1, [normal(2, 3), normal(3, seed=1)], lambda x, b: x + b, grad=True),
    Row("BiasAddGrad", conv.bias_add_grad, [normal(2, 3, 4)], lambda x: x.sum((0, 1)), grad=True),
    Row("BiasAddGrad", lambda x: conv.bias_add_grad(x, "NCHW"), [normal(2, 3, 4, 2)], lambda x: x.sum((0, 2, 3)), grad=True, id="NCHW"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Conv2D", lambda: conv.conv2d(X, normal(3, 2, 2, 4), 1, "SAME"), ValueError, "Dimensions must be equal, but are 3 and 2"),
    ErrorRow("Conv2D", lambda: conv.conv2d(X, normal(6, 2, 3, 4), 1, "VALID"), ValueError, "Negative dimension size caused by subtracting 6 from 5"),
    ErrorRow("Conv2D", lambda: conv.conv2d(X, F, 0, "SAME"), ValueError, "strides must be positive"),
    ErrorRow("Conv2D", lambda: conv.conv2d(X, F, [1, 2, 3], "SAME"), ValueError, "strides should be of length 1, 2 or 4"),
    ErrorRow("Conv2D", lambda: conv.conv2d(X, F, [2, 1, 1, 1], "SAME"), ValueError, "batch and depth"),
    ErrorRow("Conv2D", lambda: conv.conv2d(X, F, 1, "EXPLICIT"), ValueError, "must be a list"),
    ErrorRow("Conv2D", lambda: conv.conv2d(X, F, 1, [[0, 0], [1, 1]]), ValueError, "must be of size 4"),
    ErrorRow("Conv2D", lambda: conv.conv2d(X, F, 1, "same"), ValueError, "must be one of 'SAME', 'VALID'"),
    ErrorRow("Conv2D", lambda: conv.conv2d(X[0], F, 1, "SAME"), ValueError, "must have rank 4"),
    ErrorRow("Conv2D", lambda: conv.conv2d(X, F, 1, "SAME", filters=F), ValueError, "Cannot specify both 'filter' and 'filters'"),
    ErrorRow("Conv2D", lambda: conv.conv2d(integers(1, 3, 3, 1), integers(1, 1, 1, 1), 1, "SAME"), TypeError, "int32"),
    ErrorRow("DepthwiseConv2dNative", lambda: conv.depthwise_conv2d_native(X, F[:, :, :1], [1, 1, 1, 1], "SAME"), ValueError, "3 and 1"),
    ErrorRow("Conv3D", lambda: conv.conv3d(X3, F3, [1, 1, 1], "SAME"), ValueError, "at least 5"),
    ErrorRow("BiasAdd", lambda: conv.bias_add(X, normal(2)), ValueError, "Dimensions must be equal, but are 3 and 2"),
    ErrorRow("BiasAdd", lambda: conv.bias_add(X, normal(3), "HWC"), ValueError, "must be of the form"),
]
