"""Rows of ir.ops.norm and ir.ops.batch_norm."""

import numpy as np

from ir.ops import batch_norm, norm
from tests.rowdef import ErrorRow, Row, normal, uniform

X = normal(2, 3, 2, 4)
DY = normal(2, 3, 2, 4, seed=1)
SCALE, OFFSET, MEAN = uniform(4), normal(4, seed=2), normal(4, seed=3)
VARIANCE = uniform(4, seed=4)
EPS = 0.01
IMAGES = (0, 1, 2)


def swap(x):
    return np.moveaxis(x, -1, 1)


def back(x):
    return np.moveaxis(x, 1, -1)


def forward(x, scale, offset, mean=None, variance=None):
    """The five outputs, for NHWC."""
    x = x.astype(np.float64)
    if mean is not None:
        return [(x - mean) / np.sqrt(variance + EPS) * scale + offset, mean, variance, mean, variance]
    mean, variance = x.mean(IMAGES), x.var(IMAGES)
    return [(x - mean) / np.sqrt(variance + EPS) * scale + offset, mean, x.var(IMAGES, ddof=1), mean, variance]


def backward(dy, x, scale, mean, variance, training):
    r = 1 / np.sqrt(variance + EPS)
    xh = (x - mean) * r
    dscale, doffset = (dy * xh).sum(IMAGES), dy.sum(IMAGES)
    dx = dy * scale * r
    if training:
        dx = scale * r * (dy - dy.mean(IMAGES) - xh * (dy * xh).mean(IMAGES))
    return [dx, dscale, doffset, 0, 0]


FUSED = {
    "FusedBatchNorm": batch_norm._fused_batch_norm,
    "FusedBatchNormV2": batch_norm._fused_batch_norm_v2,
    "FusedBatchNormV3": batch_norm._fused_batch_norm_v3,
}
GRADS = {
    "FusedBatchNormGrad": batch_norm._fused_batch_norm_grad,
    "FusedBatchNormGradV2": batch_norm._fused_batch_norm_grad_v2,
    "FusedBatchNormGradV3": batch_norm._fused_batch_norm_grad_v3,
}
EMPTY = np.zeros(0, np.float32)


def fused_rows():
    rows = []
    for name, fn in FUSED.items():
        more = [np.float32(0)] if name.endswith("V3") else []
        rows += [
            Row(name, lambda x, s, o, fn=fn: list(fn(x, s, o, EMPTY, EMPTY, EPS)), [X, SCALE, OFFSET],
                lambda x, s, o, m=more: [*forward(x, s, o), *m], rtol=1e-4, atol=1e-5, id="training"),
            Row(name, lambda x, s, o, fn=fn: fn(x, s, o, EMPTY, EMPTY, EPS)[0], [X, SCALE, OFFSET], lambda x, s, o: forward(x, s, o)[0], grad=True,
                second=True, rtol=1e-4, atol=1e-5, id="training y"),
            Row(name, lambda x, s, o, fn=fn: fn(x, s, o, MEAN, VARIANCE, EPS, is_training=False)[0], [X, SCALE, OFFSET],
                lambda x, s, o: forward(x, s, o, MEAN, VARIANCE)[0], grad=True, second=True, rtol=1e-4, atol=1e-5, id="inference"),
            Row(name, lambda x, s, o, fn=fn: fn(x, s, o, EMPTY, EMPTY, EPS, "NCHW")[0], [swap(X), SCALE, OFFSET],
                lambda x, s, o: swap(forward(back(x), s, o)[0]), grad=True, second=True, rtol=1e-4, atol=1e-5, id="NCHW"),
        ]  # fmt: skip
    for name, fn in GRADS.items():
        more = [EMPTY] if name.endswith("V3") else []
        for training in (True, False):
            rows.append(
                Row(name, lambda dy, x, s, fn=fn, m=more, t=training: list(fn(dy, x, s, MEAN, VARIANCE, *m, EPS, is_training=t)), [DY, X, SCALE],
                    lambda dy, x, s, t=training: backward(dy, x, s, MEAN, VARIANCE, t), rtol=1e-4, atol=1e-5, id="training" * training)
            )  # fmt: skip
    return rows


def lrn(x, radius, bias, alpha, beta):
    squares = np.stack([(x[..., max(i - radius, 0) : i + radius + 1].astype("d") ** 2).sum(-1) for i in range(x.shape[-1])], -1)
    return x * (bias + alpha * squares) ** -beta


def lrn_grad(dy, x):
    """By the Jacobian of each pixel, radius 1, bias 2, alpha 0.3, beta 0.75."""
    out = np.zeros(x.shape)
    for at in np.ndindex(*x.shape[:-1]):
        v, depth = x[at].astype("d"), x.shape[-1]
        n = np.array([2 + 0.3 * (v[max(i - 1, 0) : i + 2] ** 2).sum() for i in range(depth)])
        jacobian = np.diag(n**-0.75)
        for i in range(depth):
            for j in range(max(i - 1, 0), min(i + 2, depth)):
                jacobian[i, j] -= 2 * 0.3 * 0.75 * v[i] * v[j] * n[i] ** -1.75
        out[at] = dy[at] @ jacobian
    return out


LRN = {"depth_radius": 1, "bias": 2.0, "alpha": 0.3, "beta": 0.75}
W = uniform(2, 3, 1, 4, seed=5)


def weighted(x, axes):
    w = np.broadcast_to(W, x.shape)
    mean = (w * x).sum(axes, keepdims=True) / w.sum(axes, keepdims=True)
    return [mean.squeeze(axes), ((w * (x - mean) ** 2).sum(axes) / w.sum(axes))]


ROWS = [
    *fused_rows(),
    Row("FusedBatchNormV3", lambda x, s, o: norm.batch_normalization(x, MEAN, VARIANCE, o, s, EPS), [X, SCALE, OFFSET],
        lambda x, s, o: forward(x, s, o, MEAN, VARIANCE)[0], grad=True, id="composed", rtol=1e-4, atol=1e-5),
    Row("FusedBatchNormV3", lambda x: norm.batch_normalization(x, MEAN, VARIANCE, None, None, EPS), [X],
        lambda x: forward(x, 1, 0, MEAN, VARIANCE)[0], grad=True, id="composed without scale and offset", rtol=1e-4, atol=1e-5),
    Row("FusedBatchNormV3", lambda x, s, o: list(batch_norm.fused_batch_norm(x, s, o, epsilon=EPS)), [X, SCALE, OFFSET],
        lambda x, s, o: forward(x, s, o)[:3], id="api", rtol=1e-4, atol=1e-5),
    Row("FusedBatchNormV3", lambda x, s, o: batch_norm.fused_batch_norm(x, s, o, epsilon=EPS)[0], [X.astype(np.float16), SCALE, OFFSET],
        lambda x, s, o: forward(x, s, o)[0], id="half", rtol=1e-2, atol=1e-2),
    Row("FusedBatchNormV3", lambda x, s, o: list(batch_norm.fused_batch_norm(x, s, o, epsilon=EPS)), [X[:1, :1, :1], SCALE, OFFSET],
        lambda x, s, o: [np.broadcast_to(o, x.shape), x[0, 0, 0], np.zeros(4), ], id="one pixel"),
    Row("BatchNormWithGlobalNormalization", lambda x, o, s: batch_norm.batch_norm_op(x, MEAN, VARIANCE, o, s, EPS, True), [X, OFFSET, SCALE],
        lambda x, o, s: forward(x, s, o, MEAN, VARIANCE)[0], grad=True, rtol=1e-4, atol=1e-5),
    Row("BatchNormWithGlobalNormalization", lambda x, m, v, o: batch_norm.batch_norm_op(x, m, v, o, SCALE, EPS, False), [X, MEAN, VARIANCE, OFFSET],
        lambda x, m, v, o: forward(x, 1, o, m, v)[0], grad=True, rtol=1e-4, atol=1e-5, id="without gamma"),
    Row("BatchNormWithGlobalNormalizationGrad", lambda x, dy: list(batch_norm.batch_norm_grad_op(x, MEAN, VARIANCE, SCALE, dy, EPS, True)), [X, DY],
        lambda x, dy: [dy * SCALE / np.sqrt(VARIANCE + EPS), -dy.sum(IMAGES) * SCALE / np.sqrt(VARIANCE + EPS),
                       -0.5 * (dy * (x - MEAN)).sum(IMAGES) * SCALE * (VARIANCE + EPS) ** -1.5, dy.sum(IMAGES),
                       (dy * (x - MEAN)).sum(IMAGES) / np.sqrt(VARIANCE + EPS)], rtol=1e-4, atol=1e-5),
    Row("LRN", lambda x: norm.local_response_normalization(x, **LRN), [X], lambda x: lrn(x, 1, 2, 0.3, 0.75), grad=True, rtol=1e-4),
    Row("LRN", norm.local_response_normalization, [X], lambda x: lrn(x, 5, 1, 1, 0.5), grad=True, rtol=1e-4, id="radius beyond channels"),
    Row("LRNGrad", lambda dy, x: norm.lrn_grad(dy, x, norm.local_response_normalization(x, **LRN), **LRN), [DY, X], lrn_grad, rtol=1e-4, atol=1e-5),
    Row("Mean", lambda x: list(norm.moments(x, [0, 2])), [X], lambda x: [x.mean((0, 2)), x.var((0, 2))], grad=True, id="moments"),
    Row("Mean", lambda x: list(norm.moments(x, -1, keepdims=True)), [X], lambda x: [x.mean(-1, keepdims=True), x.var(-1, keepdims=True)], grad=True,
        id="moments keepdims"),
    Row("Mean", lambda x: list(norm.moments(x, [0])), [normal(3, 4, dtype=np.float16)],
        lambda x: [x.astype("d").mean(0), x.astype("d").var(0)], rtol=1e-2, id="moments half"),
    Row("Sum", lambda x: list(norm.weighted_moments(x, [0, 1], W)), [X], lambda x: weighted(x, (0, 1)), grad=True, id="weighted moments"),
    Row("Sum", lambda x: list(norm.normalize_moments(*norm.sufficient_statistics(x, [0, 1], shift=0.5))), [X],
        lambda x: [x.mean((0, 1)), x.var((0, 1))], grad=True, rtol=1e-4, id="sufficient statistics"),
    Row("Sum", lambda x: list(norm.sufficient_statistics(x, [1], keepdims=True))[:3], [X],
        lambda x: [np.float32(3), x.sum(1, keepdims=True), (x * x).sum(1, keepdims=True)], id="sufficient statistics without shift"),
    Row("Rsqrt", lambda x: norm.l2_normalize(x, 1), [X], lambda x: x / np.sqrt((x * x).sum(1, keepdims=True)), grad=True, id="l2_normalize"),
    Row("Rsqrt", lambda x: norm.l2_normalize(x, epsilon=100.0), [X], lambda x: x / 10, grad=True, id="l2_normalize short"),
]  # fmt: skip

ERRORS = [
    ErrorRow("FusedBatchNormV3", lambda: batch_norm.fused_batch_norm(X, SCALE[:3], OFFSET), ValueError, "Dimensions must be equal, but are 4 and 3"),
    ErrorRow("FusedBatchNormV3", lambda: batch_norm.fused_batch_norm(X, SCALE, OFFSET, MEAN), ValueError, "must be None if is_training"),
    ErrorRow("FusedBatchNormV3", lambda: batch_norm.fused_batch_norm(X[0], SCALE, OFFSET), ValueError, "must have rank 4"),
    ErrorRow("Mean", lambda: norm.moments(X, [5]), ValueError, "Invalid reduction dimension 5"),
]
