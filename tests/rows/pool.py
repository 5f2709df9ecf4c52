"""Rows of ir.ops.pool: pools against loops over windows."""

import itertools

import numpy as np

from ir.ops import pool
from tests.rowdef import ErrorRow, Row, integers, normal


def places(shape, ksize, strides, padding):
    """Per window its index and the slices of the input it covers, in any number of dimensions."""
    ranges = []
    for n, k, s in zip(shape, ksize, strides, strict=True):
        count = -(-n // s) if padding == "SAME" else (n - k) // s + 1
        before = max((count - 1) * s + k - n, 0) // 2 if padding == "SAME" else 0
        ranges.append([slice(max(o * s - before, 0), min(o * s - before + k, n)) for o in range(count)])
    yield tuple(map(len, ranges))
    for at in itertools.product(*[range(len(r)) for r in ranges]):
        yield at, tuple(r[i] for r, i in zip(ranges, at, strict=True))


def pooled(reduce):
    def ref(x, ksize, strides, padding):
        shape, *rest = places(x.shape, ksize, strides, padding)
        out = np.zeros(shape, x.dtype)
        for at, see in rest:
            out[at] = reduce(x[see])
        return out

    return ref


def max_gradient(x, dy, ksize, strides, padding, every=False):
    """To the first maximum of each window, or to every one."""
    _, *rest = places(x.shape, ksize, strides, padding)
    out = np.zeros(x.shape)
    for at, see in rest:
        hit = x[see] == x[see].max()
        if not every:
            hit = np.arange(hit.size).reshape(hit.shape) == hit.argmax()
        out[see] += hit * dy[at]
    return out


def pick(x, g, ksize, strides, padding):
    """What lies in `g` where each window of `x` has its first maximum."""
    shape, *rest = places(x.shape, ksize, strides, padding)
    out = np.zeros(shape)
    for at, see in rest:
        out[at] = g[see].reshape(-1)[x[see].argmax()]
    return out


def where_max(x, ksize, strides, padding, batch=False):
    numbers = np.arange(x.size).reshape(x.shape)
    if not batch:
        numbers = numbers % x[0].size
    return pick(x, numbers, ksize, strides, padding).astype(np.int64)


def spread(shape, dy, ksize, strides, padding):
    _, *rest = places(shape, ksize, strides, padding)
    out = np.zeros(shape)
    for at, see in rest:
        out[see] += dy[at] / np.ones(shape)[see].size
    return out


biggest, average = pooled(np.max), pooled(np.mean)
X = normal(2, 7, 6, 3)
TIES = integers(2, 7, 6, 2, high=3, dtype=np.float32)
CASES = {  # ksize, strides, padding
    "disjoint": (2, 2, "SAME"),
    "disjoint VALID": (2, 2, "VALID"),
    "overlapping": (3, 2, "SAME"),
    "overlapping VALID": (3, 2, "VALID"),
    "every place": (3, 1, "SAME"),
    "apart": (1, 2, "SAME"),
    "oblong": ([2, 3], [2, 3], "SAME"),
    "large disjoint": (6, 6, "SAME"),
    "large overlapping": (6, 1, "VALID"),
}


def full(v):
    return [1, *v, 1] if isinstance(v, list) else [1, v, v, 1]


def rows_2d():
    rows = []
    for key, (k, s, p) in CASES.items():
        c = (full(k), full(s), p)
        dy = normal(*biggest(X, *c).shape, seed=2)
        g = normal(*X.shape, seed=4)
        rows += [
            Row("MaxPool", lambda x, a=(k, s, p): pool.max_pool(x, *a), [X], lambda x, c=c: biggest(x, *c), grad=True, second=True, id=key),
            Row("AvgPool", lambda x, a=(k, s, p): pool.avg_pool(x, *a), [X], lambda x, c=c: average(x, *c), grad=True, second=True, id=key),
            Row("AvgPoolGrad", lambda dy, c=c: pool._avg_pool_grad(X.shape, dy, *c), [dy], lambda dy, c=c: spread(X.shape, dy, *c), grad=True, id=key),
        ]
        for tag, x in {"": X, " ties": TIES}.items():
            d, h = dy[..., : x.shape[-1]], g[..., : x.shape[-1]]
            rows += [
                Row("MaxPoolGrad", lambda x, dy, c=c: pool._max_pool_grad(x, pool._max_pool(x, *c), dy, *c), [x, d],
                    lambda x, dy, c=c: max_gradient(x, dy, *c), id=key + tag),
                Row("MaxPoolGradGrad", lambda x, g, c=c: pool._max_pool_grad_grad(x, pool._max_pool(x, *c), g, *c), [x, h],
                    lambda x, g, c=c: pick(x, g, *c), id=key + tag),
                Row("MaxPoolWithArgmax", lambda x, c=c: pool.max_pool_with_argmax(x, *c), [x], lambda x, c=c: [biggest(x, *c), where_max(x, *c)],
                    grad=not tag, second=not tag, id=key + tag),
            ]  # fmt: skip
    return rows


X3 = normal(1, 3, 4, 5, 2)
TIES3 = integers(1, 3, 4, 5, 2, high=3, dtype=np.float32)


def rows_3d():
    rows = []
    for key, c in {
        "disjoint": ([1, 2, 2, 2, 1], [1, 2, 2, 2, 1], "SAME"),
        "overlapping": ([1, 2, 3, 2, 1], [1, 1, 2, 2, 1], "SAME"),
        "VALID": ([1, 2, 2, 3, 1], [1, 1, 2, 2, 1], "VALID"),
    }.items():
        dy, g = normal(*biggest(X3, *c).shape, seed=2), normal(*X3.shape, seed=4)
        rows += [
            Row("MaxPool3D", lambda x, c=c: pool.max_pool3d(x, *c), [X3], lambda x, c=c: biggest(x, *c), id=key),
            Row("MaxPool3DGrad", lambda x, dy, c=c: pool._max_pool3d_grad(x, pool.max_pool3d(x, *c), dy, *c), [TIES3, dy],
                lambda x, dy, c=c: max_gradient(x, dy, *c, every=True), id=key),
            Row("MaxPool3DGradGrad", lambda x, g, c=c: pool._max_pool3d_grad_grad(x, pool.max_pool3d(x, *c), g, *c), [TIES3, g],
                lambda x, g, c=c: pick(x, g, *c), id=key),
            Row("AvgPool3D", lambda x, c=c: pool.avg_pool3d(x, *c), [X3], lambda x, c=c: average(x, *c), grad=True, second=True, id=key),
            Row("AvgPool3DGrad", lambda dy, c=c: pool._avg_pool3d_grad(X3.shape, dy, *c), [dy], lambda dy, c=c: spread(X3.shape, dy, *c), grad=True,
                id=key),
        ]  # fmt: skip
    return rows


SQUARE = ([1, 2, 2, 1], [1, 2, 2, 1])
V2 = {"ksize": np.int32(SQUARE[0]), "strides": np.int32(SQUARE[1]), "padding": "SAME"}
DY, G = normal(2, 4, 3, 3, seed=2), normal(2, 7, 6, 3, seed=4)
WHERE = where_max(X, *SQUARE, "SAME", batch=True)


def _at_indices(x, dy):
    out = np.zeros(x.size)
    np.add.at(out, WHERE.reshape(-1), dy.reshape(-1))
    return out.reshape(x.shape)


def _line(reduce):
    """A pool along one dimension, 3 wide, every 2."""
    return lambda x: pooled(reduce)(x, [1, 3, 1], [1, 2, 1], "SAME")


def swap(x):
    return np.moveaxis(x, -1, 1)


def back(x):
    return np.moveaxis(x, 1, -1)


ROWS = [
    *rows_2d(),
    *rows_3d(),
    Row("MaxPoolV2", lambda x: pool.max_pool_v2_op(x, **V2), [X], lambda x: biggest(x, *SQUARE, "SAME"), grad=True, second=True),
    Row("MaxPoolGradV2", lambda x, dy: pool._max_pool_grad_v2(x, pool.max_pool_v2_op(x, **V2), dy, **V2), [X, DY],
        lambda x, dy: max_gradient(x, dy, *SQUARE, "SAME")),
    Row("MaxPoolGradGradV2", lambda x, g: pool._max_pool_grad_grad_v2(x, pool.max_pool_v2_op(x, **V2), g, **V2), [X, G],
        lambda x, g: pick(x, g, *SQUARE, "SAME")),
    Row("MaxPoolWithArgmax", lambda x: pool.max_pool_with_argmax(x, *SQUARE, "SAME", include_batch_in_index=True, output_dtype="int32"), [TIES],
        lambda x: [biggest(x, *SQUARE, "SAME"), where_max(x, *SQUARE, "SAME", batch=True).astype(np.int32)], id="whole batch"),
    Row("MaxPoolGradWithArgmax", lambda x, dy: pool._max_pool_grad_with_argmax(x, dy, WHERE, *SQUARE, "SAME", True), [X, DY], _at_indices),
    Row("MaxPoolGradWithArgmax", lambda x, dy: pool._max_pool_grad_with_argmax(x, dy, WHERE % X[0].size, *SQUARE, "SAME"), [X, DY], _at_indices,
        id="per image"),
    Row("MaxPoolGradGradWithArgmax", lambda x, g: pool._max_pool_grad_grad_with_argmax(x, g, WHERE, *SQUARE, "SAME", True), [X, G],
        lambda x, g: g.reshape(-1)[WHERE]),
    Row("MaxPool", lambda x: pool.max_pool(x, 2, [1, 1, 2, 2], "VALID", "NCHW"), [swap(X)],
        lambda x: swap(biggest(back(x), *SQUARE, "VALID")), grad=True, second=True, id="NCHW"),
    Row("MaxPool", lambda x: pool.max_pool2d(x, [1, 1, 1, 3], [1, 1, 1, 3], "VALID"), [X], lambda x: x.max(-1, keepdims=True), grad=True,
        id="over channels"),
    Row("MaxPool", lambda x: pool.max_pool(x, 2, 2, "SAME"), [integers(1, 3, 4, 2, low=-9, high=-1)], lambda x: biggest(x, *SQUARE, "SAME"), id="int"),
    Row("MaxPool", lambda x: pool.max_pool(x, 2, 2, "SAME"), [integers(1, 3, 4, 2, high=250, dtype=np.uint8)], lambda x: biggest(x, *SQUARE, "SAME"),
        id="uint8"),
    Row("MaxPool", lambda x: pool.max_pool(x, 2, 2, "SAME"), [normal(0, 3, 4, 2)], lambda x: np.zeros((0, 2, 2, 2)), grad=True, id="no batch"),
    Row("AvgPool", lambda x: pool.avg_pool(x, 2, 2, "SAME"), [X.astype(np.float16)], lambda x: average(x.astype("d"), *SQUARE, "SAME"), id="half"),
    Row("AvgPool", lambda x: pool.avg_pool(x, 2, 2, "SAME", "NCHW"), [swap(X)], lambda x: swap(average(back(x), *SQUARE, "SAME")), grad=True, id="NCHW"),
    Row("MaxPool", lambda x: pool.max_pool1d(x, 3, 2, "SAME"), [normal(2, 7, 3)], _line(np.max), grad=True, id="1d"),
    Row("AvgPool", lambda x: pool.avg_pool1d(x, 3, 2, "SAME", "NCW"), [normal(2, 3, 7)], lambda x: swap(_line(np.mean)(back(x))), grad=True, id="1d NCW"),
    Row("MaxPool", lambda x: pool.max_pool_v2(x, 3, 2, "SAME"), [normal(2, 7, 3)], _line(np.max), id="v2 of rank 3", forget=False),
    Row("AvgPool", lambda x: pool.avg_pool_v2(x, 2, 2, "SAME"), [X], lambda x: average(x, *SQUARE, "SAME"), id="v2 of rank 4", forget=False),
    Row("AvgPool3D", lambda x: pool.avg_pool_v2(x, 2, 2, "SAME"), [X3], lambda x: average(x, [1, 2, 2, 2, 1], [1, 2, 2, 2, 1], "SAME"),
        id="v2 of rank 5", forget=False),
]  # fmt: skip

ERRORS = [
    ErrorRow("MaxPool", lambda: pool.max_pool(X, 8, 1, "VALID"), ValueError, "Negative dimension size caused by subtracting 8 from 7"),
    ErrorRow("MaxPool", lambda: pool.max_pool(X[0], 2, 2, "SAME"), ValueError, "must have rank 4"),
    ErrorRow("MaxPool", lambda: pool.max_pool(X, 0, 2, "SAME"), ValueError, "ksize must be positive"),
    ErrorRow("MaxPool", lambda: pool.max_pool(X, 2, 2, "FULL"), ValueError, "must be one of 'SAME', 'VALID'"),
    ErrorRow("MaxPool", lambda: pool.max_pool_v2(X[0, 0], 2, 2, "SAME"), ValueError, "must have rank 3, 4 or 5"),
    ErrorRow("AvgPool", lambda: pool.avg_pool(integers(1, 2, 2, 1), 2, 2, "SAME"), TypeError, "int32"),
    ErrorRow("MaxPoolWithArgmax", lambda: pool.max_pool_with_argmax(X, *SQUARE, "SAME", "NCHW"), ValueError, "data_format"),
]
