"""Rows of ir.ops.statistics."""

import numpy as np
from scipy.special import logsumexp

from ir.ops import statistics
from tests.rowdef import Row, integers, normal

X = normal(2, 3, 4)
RUNNING = normal(3, 4)


def running(axis, exclusive, reverse):
    def ref(x):
        x = np.flip(x, axis) if reverse else x
        with np.errstate(divide="ignore"):
            total = np.cumsum(np.exp(x), axis)
            out = np.log(total - np.exp(x) if exclusive else total)
        if exclusive:
            np.moveaxis(out, axis, 0)[:1] = -np.inf
        return (np.flip(out, axis) if reverse else out).astype(x.dtype)

    return ref


def cumulative(axis, exclusive, reverse):
    return lambda x: statistics.cumulative_logsumexp(x, axis, exclusive, reverse)


ROWS = [
    Row("Log", lambda x: statistics.reduce_logsumexp(x, 1), [X], lambda x: logsumexp(x, 1), grad=True, second=True, id="reduce_logsumexp"),
    Row("Log", statistics.reduce_logsumexp, [X], logsumexp, grad=True, id="reduce_logsumexp of all"),
    Row("Log", lambda x: statistics.reduce_logsumexp(x, [0, -1], keepdims=True), [X], lambda x: logsumexp(x, (0, 2), keepdims=True), grad=True,
        id="reduce_logsumexp keep"),
    Row("Log", lambda x: statistics.reduce_logsumexp(x, 1), [np.float32([[1000, 1000], [-1000, -np.inf], [-np.inf, -np.inf]])],
        lambda x: np.float32([1000 + np.log(2), -1000, -np.inf]), id="reduce_logsumexp edges"),
    Row("Mean", lambda x: statistics.reduce_variance(x, [1]), [X], lambda x: x.var(1), grad=True, second=True, rtol=1e-4, id="reduce_variance"),
    Row("Mean", lambda x: statistics.reduce_variance(x, keepdims=True), [X], lambda x: x.var(keepdims=True), grad=True, rtol=1e-4, id="reduce_variance of all"),
    Row("Sqrt", lambda x: statistics.reduce_std(x, 0), [X], lambda x: x.std(0), grad=True, rtol=1e-4, id="reduce_std"),
    Row("NotEqual", statistics.count_nonzero, [integers(3, 4, high=2)], lambda x: np.int64(np.count_nonzero(x)), id="count_nonzero"),
    Row("NotEqual", lambda x: statistics.count_nonzero(x, 1, keepdims=True, dtype="int32"), [np.float32([[0, np.nan, 1], [0, -0.0, 0]])],
        lambda x: np.int32([[2], [0]]), id="count_nonzero keep"),
    Row("NotEqual", lambda x: statistics.count_nonzero(input=x, reduction_indices=[0]), [np.array([[True, False], [True, True]])],
        lambda x: np.int64([2, 1]), id="count_nonzero bool"),
    Row("NotEqual", statistics.count_nonzero, [np.array([b"a", b""], object)], lambda x: np.int64(1), id="count_nonzero strings"),
    *[Row("CumulativeLogsumexp", cumulative(*a), [RUNNING], running(*a), grad=not a[1], rtol=1e-4, atol=1e-5, id=str(a))
      for a in ((0, False, False), (1, True, False), (-1, False, True), (0, True, True))],
    Row("CumulativeLogsumexp", cumulative(0, False, False), [np.float32([-np.inf, 1000, 1000])], lambda x: np.float32([-np.inf, 1000, 1000 + np.log(2)]),
        id="edges"),
]  # fmt: skip

ERRORS = []
