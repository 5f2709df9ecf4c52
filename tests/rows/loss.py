"""Rows of ir.ops.loss and ir.ops.nn."""

import numpy as np
from scipy.special import expit, log_softmax, softmax

from ir.ops import loss, nn
from tests.rowdef import ErrorRow, Row, integers, normal, uniform

X, Y = normal(5, 4), uniform(5, 4, seed=1)
P = Y / Y.sum(-1, keepdims=True)
CLASSES = integers(5, high=4, seed=2)
BIG = np.float32([[1e4, -1e4, 0, 1], [0, 0, 0, 0]])


def cross_entropy(y, x, axis=-1):
    return -(y * log_softmax(x.astype("d"), axis)).sum(axis)


def both(x, y):
    """The two outputs of the raw op; rows broadcast."""
    x, y = np.broadcast_arrays(x.astype("d"), y)
    return [cross_entropy(y, x), softmax(x, -1) - y]


def sparse(labels, x):
    flat = log_softmax(x.astype("d"), -1).reshape(-1, x.shape[-1])
    return -flat[np.arange(labels.size), labels.reshape(-1)].reshape(labels.shape)


def sparse_both(labels, x):
    return [sparse(labels, x), softmax(x.astype("d"), -1) - np.eye(x.shape[-1])[labels]]


def logistic(y, x, weight=1.0):
    x = x.astype("d")
    return -(weight * y * np.log(expit(x)) + (1 - y) * np.log(expit(-x)))


def stirling(y):
    with np.errstate(divide="ignore", invalid="ignore"):
        s = y * np.log(y) - y + 0.5 * np.log(2 * np.pi * y)
    return np.where((y >= 0) & (y <= 1), 0, s)


def xent(y, x, **kwargs):
    return loss.softmax_cross_entropy_with_logits_v2(y, x, **kwargs)


def bad_labels(labels, x):
    values, gradients = sparse_both(np.clip(labels, 0, 3), x)
    wrong = (labels < 0) | (labels > 3)
    return [np.where(wrong, np.nan, values), np.where(wrong[:, None], np.nan, gradients)]


RAW, RAW_SPARSE = loss._softmax_cross_entropy, loss._sparse_softmax_cross_entropy
COUNTS = np.float32([0, 0.5, 1, 2, 7])
DROPPED = np.float32([[0, 0, 2, 0], [2, 0, 0, 0], [0, 2, 0, 0]])  # TensorFlow 1.15, seed=3

ROWS = [
    Row("SoftmaxCrossEntropyWithLogits", lambda x, y: list(RAW(x, y)), [X, Y], both),
    Row("SoftmaxCrossEntropyWithLogits", lambda x, y: RAW(x, y)[0], [X, P], lambda x, y: both(x, y)[0], grad=True, id="loss"),
    Row("SoftmaxCrossEntropyWithLogits", lambda x: RAW(x, P)[0], [X], lambda x: both(x, P)[0], grad=True, second=True, id="loss by logits"),
    Row("SoftmaxCrossEntropyWithLogits", lambda x, y: list(RAW(x, y)), [X[:1], Y], both, id="broadcast logits"),
    Row("SoftmaxCrossEntropyWithLogits", lambda x, y: list(RAW(x, y)), [X, Y[:1]], both, id="broadcast labels"),
    Row("SoftmaxCrossEntropyWithLogits", lambda x, y: list(RAW(x, y)), [BIG, np.float32([[0.5, 0.25, 0.25, 0], [1, 0, 0, 0]])], both, id="large"),
    Row("SoftmaxCrossEntropyWithLogits", lambda x, y: list(RAW(x, y)), [X[:0], Y[:0]], both, id="no rows"),
    Row("SoftmaxCrossEntropyWithLogits", lambda x: RAW(x, Y)[1], [X], lambda x: both(x, Y)[1], grad=True, id="gradient of the backprop"),
    Row("SoftmaxCrossEntropyWithLogits", xent, [P, X], cross_entropy, grad=True, id="v2"),
    Row("SoftmaxCrossEntropyWithLogits", lambda y, x: xent(y, x, axis=1), [uniform(2, 4, 3), normal(2, 4, 3)], lambda y, x: cross_entropy(y, x, 1),
        id="v2 axis", forget=False),
    Row("SoftmaxCrossEntropyWithLogits", lambda y, x: xent(y, x, dim=-2), [uniform(2, 4, 3), normal(2, 4, 3)], lambda y, x: cross_entropy(y, x, -2),
        id="v2 negative dim", forget=False),
    Row("SoftmaxCrossEntropyWithLogits", xent, [uniform(2, 3, 4), normal(2, 3, 4)], cross_entropy, id="v2 rank 3"),
    Row("SoftmaxCrossEntropyWithLogits", xent, [uniform(4), normal(4)], cross_entropy, id="v2 rank 1"),
    Row("SoftmaxCrossEntropyWithLogits", xent, [P.astype(np.float16), X.astype(np.float16)], cross_entropy, rtol=1e-2, id="v2 half"),
    Row("SoftmaxCrossEntropyWithLogits", lambda x: loss.softmax_cross_entropy_with_logits(labels=P, logits=x), [X], lambda x: cross_entropy(P, x),
        grad=True, id="labels stopped"),
    Row("SparseSoftmaxCrossEntropyWithLogits", lambda y, x: list(RAW_SPARSE(x, y)), [CLASSES, X], sparse_both),
    Row("SparseSoftmaxCrossEntropyWithLogits", lambda y, x: RAW_SPARSE(x, y)[0], [CLASSES, X], sparse, grad=True, second=True, id="loss"),
    Row("SparseSoftmaxCrossEntropyWithLogits", lambda y, x: RAW_SPARSE(x, y)[0], [CLASSES[:2].astype(np.int64), BIG], sparse, id="large"),
    Row("SparseSoftmaxCrossEntropyWithLogits", lambda y, x: list(RAW_SPARSE(x, y)), [np.int32([4, -1, 0, 3, 2]), X], bad_labels, id="no such class"),
    Row("SparseSoftmaxCrossEntropyWithLogits", lambda y, x: RAW_SPARSE(x, y)[0], [CLASSES[:0], X[:0]], sparse, id="no rows"),
    Row("SparseSoftmaxCrossEntropyWithLogits", lambda y, x: loss.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x),
        [integers(2, 3, high=4, dtype=np.int64), normal(2, 3, 4)], sparse, grad=True, second=True, id="rank 3"),
    Row("SparseSoftmaxCrossEntropyWithLogits", lambda y, x: loss.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x),
        [CLASSES, X.astype(np.float16)], sparse, rtol=1e-2, id="half"),
    Row("Log1p", lambda y, x: loss.sigmoid_cross_entropy_with_logits(labels=y, logits=x), [Y, 3 * X], logistic, grad=True, second=True, id="sigmoid loss"),
    Row("Log1p", lambda y, x: loss.sigmoid_cross_entropy_with_logits(labels=y, logits=x), [np.float32([1, 0, 0.5]), np.float32([-1e4, 1e4, 0])],
        lambda y, x: np.float32([1e4, 1e4, np.log(2)]), id="sigmoid loss large"),
    Row("Log1p", lambda y, x: loss.weighted_cross_entropy_with_logits(y, x, 3.0), [Y, X], lambda y, x: logistic(y, x, 3.0), grad=True, rtol=1e-4,
        id="weighted loss"),
    Row("Exp", lambda y, x: loss.log_poisson_loss(y, x), [Y, X], lambda y, x: np.exp(x) - x * y, grad=True, second=True, id="poisson loss"),
    Row("Exp", lambda y: loss.log_poisson_loss(y, np.zeros(5, np.float32), compute_full_loss=True), [COUNTS], lambda y: 1 + stirling(y),
        id="full poisson loss"),
    Row("BiasAdd", nn.xw_plus_b, [normal(2, 3), normal(3, 4), normal(4)], lambda x, w, b: x @ w + b, grad=True, id="xw_plus_b"),
    Row("Relu", nn.relu_layer, [normal(2, 3), normal(3, 4), normal(4)], lambda x, w, b: np.maximum(x @ w + b, 0), grad=True, id="relu_layer"),
    Row("NotEqual", nn.zero_fraction, [np.float32([[0, 1, 0], [0, -0.0, 3]])], lambda x: np.float32(4 / 6), id="zero_fraction"),
    Row("RandomUniform", lambda x: nn.dropout(x, 0.5, seed=3), [np.ones((3, 4), np.float32)], lambda x: x * DROPPED, id="dropout"),
    Row("RandomUniform", lambda x: nn.dropout(x, rate=0.25, noise_shape=[3, 1], seed=3), [np.ones((3, 4), np.float32)], None, id="dropout noise shape"),
    Row("RandomUniform", lambda x: nn.dropout(x, rate=0) * 2, [X], lambda x: x * 2, id="dropout of nothing"),
]  # fmt: skip

ERRORS = [
    ErrorRow("SoftmaxCrossEntropyWithLogits", lambda: RAW(X, Y[:, :3]), ValueError, "Dimensions must be equal, but are 4 and 3"),
    ErrorRow("SoftmaxCrossEntropyWithLogits", lambda: RAW(X[0], Y[0]), ValueError, "must have rank 2"),
    ErrorRow("SoftmaxCrossEntropyWithLogits", lambda: loss.softmax_cross_entropy_with_logits(Y, X), ValueError, "named arguments"),
    ErrorRow("SoftmaxCrossEntropyWithLogits", lambda: loss.softmax_cross_entropy_with_logits(logits=X), ValueError, "Both labels and logits"),
    ErrorRow("SoftmaxCrossEntropyWithLogits", lambda: xent(Y, X, axis=1, dim=1), ValueError, "both 'dim' and 'axis'"),
    ErrorRow("SparseSoftmaxCrossEntropyWithLogits", lambda: loss.sparse_softmax_cross_entropy_with_logits(labels=CLASSES[:2], logits=X), ValueError,
             "Shape mismatch"),
    ErrorRow("SparseSoftmaxCrossEntropyWithLogits", lambda: loss.sparse_softmax_cross_entropy_with_logits(labels=Y, logits=X), ValueError,
             "Rank mismatch"),
    ErrorRow("SparseSoftmaxCrossEntropyWithLogits", lambda: loss.sparse_softmax_cross_entropy_with_logits(labels=Y[0], logits=X[:4]), TypeError,
             "float32"),
    ErrorRow("Log1p", lambda: loss.sigmoid_cross_entropy_with_logits(labels=Y[:2], logits=X), ValueError, "must have the same shape"),
    ErrorRow("RandomUniform", lambda: nn.dropout(X, rate=1.0), ValueError, "in the range"),
    ErrorRow("RandomUniform", lambda: nn.dropout(X), ValueError, "must provide a rate"),
    ErrorRow("RandomUniform", lambda: nn.dropout(CLASSES, 0.5), ValueError, "floating point"),
]  # fmt: skip
