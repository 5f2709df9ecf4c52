"""Rows of ir.ops.fractional_pool: the regions are those TensorFlow 1.15.5 drew."""

import numpy as np

from ir.ops import fractional_pool as f
from tests.rowdef import ErrorRow, Row, integers, normal

X = normal(2, 11, 13, 2)
RATIO = [1.0, 1.44, 1.73, 1.0]
SHUFFLED = np.array([0, 2, 4, 5, 6, 7, 9, 11]), np.array([0, 1, 3, 5, 7, 9, 11, 13])  # seed=7, seed2=9
PSEUDO = np.array([0, 1, 3, 5, 6, 8, 9, 11]), np.array([0, 2, 4, 6, 8, 9, 11, 13])
SEEDED = {"deterministic": True, "seed": 7, "seed2": 9}


def cells(regions, overlapping):
    for i in range(7):
        for j in range(7):
            y, x = (slice(e[k], min(e[k + 1] + overlapping, e[-1])) for e, k in zip(regions, (i, j), strict=True))
            yield i, j, y, x


def pooled(reduce, regions, overlapping=False):
    def ref(x):
        out = np.zeros((x.shape[0], 7, 7, x.shape[3]), x.dtype)
        for i, j, y, z in cells(regions, overlapping):
            out[:, i, j] = reduce(x[:, y, z], axis=(1, 2))
        return [out, *regions]

    return ref


def max_gradient(x, dy, regions, overlapping):
    out = np.zeros(x.shape, dy.dtype)
    for i, j, y, z in cells(regions, overlapping):
        for b in range(x.shape[0]):
            for c in range(x.shape[3]):
                part = x[b, y, z, c]
                k, m = np.unravel_index(part.argmax(), part.shape)
                out[b, y.start + k, z.start + m, c] += dy[b, i, j, c]
    return out


def avg_gradient(dy, regions, overlapping):
    out = np.zeros(X.shape, dy.dtype)
    for i, j, y, z in cells(regions, overlapping):
        out[:, y, z] += dy[:, i : i + 1, j : j + 1] / np.ones(X.shape[1:3])[y, z].size
    return out


DY = normal(2, 7, 7, 2, seed=1)
TIES = integers(2, 11, 13, 2, high=3, dtype=np.float32)

ROWS = [
    Row("FractionalMaxPool", lambda x: list(f.fractional_max_pool(x, RATIO, **SEEDED)), [X], pooled(np.max, SHUFFLED)),
    Row("FractionalMaxPool", lambda x: list(f.fractional_max_pool(x, RATIO, True, True, **SEEDED)), [X], pooled(np.max, PSEUDO, True),
        id="pseudo overlapping"),
    Row("FractionalAvgPool", lambda x: list(f.fractional_avg_pool(x, RATIO, True, **SEEDED)), [X], pooled(np.mean, PSEUDO), id="pseudo"),
    Row("FractionalAvgPool", lambda x: list(f.fractional_avg_pool(x, RATIO, False, True, **SEEDED)), [X], pooled(np.mean, SHUFFLED, True),
        id="overlapping"),
    Row("FractionalMaxPool", lambda x: f.fractional_max_pool(x, RATIO, **SEEDED)[0], [X], lambda x: pooled(np.max, SHUFFLED)(x)[0], id="output"),
    Row("FractionalAvgPool", lambda x: f.fractional_avg_pool(x, RATIO, **SEEDED)[0], [X], lambda x: pooled(np.mean, SHUFFLED)(x)[0], id="output"),
    Row("FractionalMaxPoolGrad", lambda x, dy: f._fractional_max_pool_grad(x, dy, dy, *SHUFFLED, True), [TIES, DY],
        lambda x, dy: max_gradient(x, dy, SHUFFLED, True)),
    Row("FractionalAvgPoolGrad", lambda dy: f._fractional_avg_pool_grad(np.int64(X.shape), dy, *PSEUDO, True), [DY],
        lambda dy: avg_gradient(dy, PSEUDO, True)),
]  # fmt: skip

ERRORS = [
    ErrorRow("FractionalMaxPool", lambda: f.fractional_max_pool(X, [1.0, 0.5, 2.0, 1.0]), ValueError, "at least 1"),
    ErrorRow("FractionalAvgPool", lambda: f.fractional_avg_pool(X, RATIO, seed=3), ValueError, "deterministic is false"),
]
