"""Rows of ir.ops.reduce."""

import numpy as np

from ir.ops import reduce
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal, uniform

AXES = {"all": None, "first": 0, "last": -1, "middle": [1], "two": [0, 2], "negative": [-3, 1], "none": [], "repeated": [1, 1]}
X = uniform(2, 3, 4, low=0.5, high=2)
FACTORS = np.float32([[2, 0, 3], [0, 0, 1], [1, 2, 3]])
COMPLEX = (normal(2, 3) + 1j * normal(2, 3, seed=1)).astype(np.complex64)


def numpy_axes(axis):
    return None if axis is None else axis if isinstance(axis, int) else tuple({a % 3 for a in axis})


def over_axes(name, fn, ref, x=X, grad=True):
    """Every form of `axis`, with and without keepdims."""
    return [
        Row(name, lambda x, a=a, k=k: fn(x, a, keepdims=k), [x], lambda x, a=a, k=k: ref(x, axis=numpy_axes(a), keepdims=k), grad=grad,
            second=grad and key == "two", id=f"{key}{' keep' * k}", rtol=1e-4)
        for key, a in AXES.items()
        for k in (False, True)
    ]  # fmt: skip


def _norm(x, axis, keepdims):
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


ROWS = [
    *over_axes("Sum", reduce.reduce_sum, np.sum),
    *over_axes("Mean", reduce.reduce_mean, np.mean),
    *over_axes("Prod", reduce.reduce_prod, np.prod),
    *over_axes("Max", reduce.reduce_max, np.max),
    *over_axes("Min", reduce.reduce_min, np.min),
    *over_axes("All", reduce.reduce_all, np.all, X > 0.8, False),
    *over_axes("Any", reduce.reduce_any, np.any, X > 1.8, False),
    *over_axes("EuclideanNorm", reduce.reduce_euclidean_norm, _norm, X, False),
    Row("Sum", lambda x: reduce.reduce_sum(x, reduction_indices=[1], keep_dims=True), [normal(2, 3)], lambda x: x.sum(1, keepdims=True), id="old names"),
    Row("Sum", lambda x: reduce.reduce_sum(x, np.int64(1)), [normal(2, 3)], lambda x: x.sum(1), id="int64 axis"),
    Row("Sum", lambda x: reduce.reduce_sum(x, 0), [integers(4, low=60, high=100, dtype=np.int8)], lambda x: x.sum(dtype=np.int8), id="int8 overflow"),
    Row("Sum", lambda x: reduce.reduce_sum(x, 0), [normal(0, 3)], lambda x: np.zeros(3, np.float32), grad=True, id="empty"),
    Row("Sum", reduce.reduce_sum, [np.float32(3)], lambda x: x, grad=True, id="scalar"),
    Row("Sum", reduce.reduce_sum, [COMPLEX], np.sum, grad=True, id="complex"),
    Row("Mean", reduce.reduce_mean, [COMPLEX], np.mean, grad=True, id="complex"),
    Row("Mean", lambda x: reduce.reduce_mean(x, 0), [np.int32([[-7, 7, 5], [2, -4, 0]])], lambda x: np.int32([-2, 1, 2]), id="int"),
    Row("Mean", lambda x: reduce.reduce_mean(x, 0), [normal(0, 3)], lambda x: np.full(3, np.nan, np.float32), id="empty"),
    Row("Mean", lambda x: reduce.reduce_mean(x, 1), [normal(3, 4, dtype=np.float16)], lambda x: x.mean(1, dtype="d").astype(np.float16), rtol=1e-2, atol=1e-2,
        id="half"),
    Row("Prod", lambda x: reduce.reduce_prod(x, 0), [FACTORS], lambda x: x.prod(0), grad=True, id="zeros"),
    Row("Prod", reduce.reduce_prod, [FACTORS[:, :1] + np.float32([0, 1])], np.prod, grad=True, id="zeros of all"),
    Row("Prod", reduce.reduce_prod, [COMPLEX], np.prod, grad=True, rtol=1e-4, id="complex"),
    Row("Prod", lambda x: reduce.reduce_prod(x, 1), [integers(2, 5)], lambda x: x.prod(1, dtype=np.int32), id="int"),
    Row("Prod", lambda x: reduce.reduce_prod(x, 0), [normal(0, 3)], lambda x: np.ones(3, np.float32), id="empty"),
    Row("Max", lambda x: reduce.reduce_max(x, 0), [normal(0, 3)], lambda x: np.full(3, -np.inf, np.float32), id="empty"),
    Row("Min", lambda x: reduce.reduce_min(x, 0), [integers(0, 3)], lambda x: np.full(3, 2**31 - 1, np.int32), id="empty int"),
    Row("Max", lambda x: reduce.reduce_max(x, 1), [integers(3, 4, low=-9, dtype=np.int64)], lambda x: x.max(1), id="int64"),
    Row("All", lambda x: reduce.reduce_all(x, 1), [np.zeros([2, 0], bool)], lambda x: np.array([True, True]), id="empty"),
    Row("Any", lambda x: reduce.reduce_any(x, 1), [np.zeros([2, 0], bool)], lambda x: np.array([False, False]), id="empty"),
    Row("EuclideanNorm", lambda x: reduce.reduce_euclidean_norm(x, 1), [COMPLEX], lambda x: np.sqrt((abs(x) ** 2).sum(1)).astype(np.complex64), id="complex"),
    *[
        Row(name, lambda x, f=f, a=a: f(x, a), [X], lambda x, r=r, a=a: r(x, a or 0), id=str(a))
        for name, f, r in (("ArgMax", reduce.argmax, np.argmax), ("ArgMin", reduce.argmin, np.argmin))
        for a in (None, 1, -1)
    ],
    Row("ArgMax", lambda x: reduce.argmax(x, 1, output_type="int32"), [np.int32([[1, 3, 3], [0, 0, 0]])], lambda x: np.int32([1, 0]), id="ties"),
    Row("ArgMin", lambda x: reduce.arg_min(x, 1, "int32"), [np.uint8([[1, 0, 0], [4, 4, 9]])], lambda x: np.int32([1, 0]), id="ties"),
    Row("ArgMax", lambda x: reduce.arg_max(x, dimension=0), [np.float32([1, 5, 2])], lambda x: np.int64(1), id="vector"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Sum", lambda: reduce.reduce_sum(zeros([2, 3]), 2), ValueError, "Invalid reduction dimension 2 for input with 2 dim"),
    ErrorRow("Sum", lambda: reduce.reduce_sum(zeros([2]), 0, reduction_indices=0), ValueError, "Cannot specify both 'axis' and 'reduction_indices'"),
    ErrorRow("Sum", lambda: reduce.reduce_sum(zeros([2]), keepdims=True, keep_dims=True), ValueError, "Cannot specify both 'keepdims' and 'keep_dims'"),
    ErrorRow("All", lambda: reduce.reduce_all(zeros([2])), TypeError, "expected bool"),
    ErrorRow("ArgMax", lambda: reduce.argmax(zeros([2]), 1), ValueError, "must be in the range"),
]
