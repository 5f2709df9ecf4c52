"""Rows of ir.ops.segment and ir.ops.sparse_segment."""

import numpy as np

from ir.ops import segment, sparse_segment
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal, uniform

X = uniform(6, 2, low=0.5, high=2)
SORTED = np.int32([0, 0, 1, 3, 3, 3])
ANY = np.int32([2, 0, -1, 1, 3, 0])
MISSING = np.int32([2, 0, -1, 2, 0, 0])
WITH_ZEROS = X * np.float32([[0, 1], [1, 1], [0, 1], [1, 0], [1, 0], [1, 1]])
LOW, HIGH = np.float32(np.finfo(np.float32).min), np.float32(np.finfo(np.float32).max)
ROWS_TAKEN, SEGMENTS = np.int32([4, 0, 0, 5]), np.int32([0, 0, 1, 3])


def by_segment(reduce, empty, n=None):
    """The reference: one reduction per id."""

    def ref(x, ids):
        count = n or (int(ids[-1]) + 1 if len(ids) else 0)
        rest = x.shape[ids.ndim :]
        out = np.full((count, *rest), empty, x.dtype)
        for i in range(count):
            if (ids == i).any():
                out[i] = reduce(x.reshape(ids.size, *rest)[ids.reshape(-1) == i], 0)
        return out

    return ref


def _mean(x, axis):
    return x.mean(axis) if x.dtype.kind == "f" else np.trunc(x.mean(axis))


def of_sorted(name, fn, reduce, empty):
    ref = by_segment(reduce, empty)
    return [
        Row(name, fn, [X, SORTED], ref, grad=True, id="gap", forget=False),
        Row(name, lambda x: fn(x, SORTED), [X], lambda x: ref(x, SORTED), grad=True, second=True, id="constant ids"),
        Row(name, fn, [X[:0], SORTED[:0]], ref, id="empty", forget=False),
        Row(name, fn, [integers(6, 2, low=-5, high=9), SORTED.astype(np.int64)], ref, id="int", forget=False),
        Row(name, fn, [np.float32([3, 1, 1, 2, 2, 2]), SORTED], ref, grad=name in ("SegmentSum", "SegmentMean", "SegmentProd"), id="vector", forget=False),
    ]


def of_any(name, fn, reduce, empty):
    ref = by_segment(reduce, empty, 4)
    return [
        Row(name, lambda x, i: fn(x, i, 4), [X, ANY], ref, grad=True, second=True, id="negative"),
        Row(name, lambda x, i: fn(x, i, 4), [X.reshape(3, 2, 2), ANY.reshape(3, 2)], ref, grad=True, id="matrix of ids"),
        Row(name, lambda x, i: fn(x, i, 4), [X[:, 0], ANY.astype(np.int64)], ref, grad=True, id="vector"),
        Row(name, lambda x: fn(x, np.int32([1, 1, 0, 3, 2, 0]), 4), [X], lambda x: ref(x, np.int32([1, 1, 0, 3, 2, 0])), grad=True, id="constant ids"),
        Row(name, lambda x, i: fn(x, i, 4), [X, MISSING], ref, id="missing"),
        Row(name, lambda x, i: fn(x, i, 4), [X[:0], ANY[:0]], ref, id="empty"),
    ]


def taken(reduce, n=None):
    ref = by_segment(reduce, 0, n)
    return lambda x, rows, ids: ref(x[rows], ids)


def _sqrt_n(x, axis):
    return x.sum(axis) / np.sqrt(len(x))


def sparse(name, fn, reduce):
    return [
        Row(name, fn, [X, ROWS_TAKEN, SEGMENTS], taken(reduce), grad=True, second=True, forget=False),
        Row(name, lambda x: fn(x, ROWS_TAKEN, SEGMENTS), [X], lambda x: taken(reduce)(x, ROWS_TAKEN, SEGMENTS), grad=True, id="constant ids"),
        Row(f"{name}WithNumSegments", lambda x, r, i: fn(x, r, i, num_segments=6), [X, ROWS_TAKEN.astype(np.int64), SEGMENTS], taken(reduce, 6), grad=True,
            second=True),
    ]  # fmt: skip


def spread_back(scale):
    def ref(dz, rows, ids):
        out = np.zeros((6, dz.shape[1]), dz.dtype)
        for r, i in zip(rows, ids, strict=True):
            out[r] += dz[i] / scale(np.sum(ids == i))
        return out

    return ref


ROWS = [
    *of_sorted("SegmentSum", segment.segment_sum, np.sum, 0),
    *of_sorted("SegmentMean", segment.segment_mean, _mean, 0),
    *of_sorted("SegmentProd", segment.segment_prod, np.prod, 1),
    *of_sorted("SegmentMax", segment.segment_max, np.max, 0),
    *of_sorted("SegmentMin", segment.segment_min, np.min, 0),
    *of_any("UnsortedSegmentSum", segment.unsorted_segment_sum, np.sum, 0),
    *of_any("UnsortedSegmentProd", segment.unsorted_segment_prod, np.prod, 1),
    *of_any("UnsortedSegmentMax", segment.unsorted_segment_max, np.max, LOW),
    *of_any("UnsortedSegmentMin", segment.unsorted_segment_min, np.min, HIGH),
    *of_any("UnsortedSegmentSum", segment.unsorted_segment_mean, np.mean, 0),
    *of_any("UnsortedSegmentSum", segment.unsorted_segment_sqrt_n, _sqrt_n, 0),
    Row("SegmentProd", lambda x: segment.segment_prod(x, SORTED), [WITH_ZEROS], lambda x: by_segment(np.prod, 1)(x, SORTED), grad=True, id="zeros"),
    Row("UnsortedSegmentProd", lambda x, i: segment.unsorted_segment_prod(x, i, 3), [WITH_ZEROS, MISSING], by_segment(np.prod, 1, 3), grad=True, id="zeros"),
    Row("UnsortedSegmentMax", lambda x, i: segment.unsorted_segment_max(x, i, 3), [integers(6), MISSING], by_segment(np.max, -(2**31), 3), id="int"),
    *sparse("SparseSegmentSum", sparse_segment.sparse_segment_sum, np.sum),
    *sparse("SparseSegmentMean", sparse_segment.sparse_segment_mean, np.mean),
    *sparse("SparseSegmentSqrtN", sparse_segment.sparse_segment_sqrt_n, _sqrt_n),
    Row("SparseSegmentMeanGrad", lambda d, r, i: sparse_segment._sparse_segment_mean_grad(d, r, i, 6), [normal(4, 2), ROWS_TAKEN, SEGMENTS],
        spread_back(lambda n: n), grad=True),
    Row("SparseSegmentSqrtNGrad", lambda d, r, i: sparse_segment._sparse_segment_sqrt_n_grad(d, r, i, 6), [normal(4, 2), ROWS_TAKEN, SEGMENTS],
        spread_back(np.sqrt), grad=True),
]  # fmt: skip

ERRORS = [
    ErrorRow("SegmentSum", lambda: segment.segment_sum(zeros([3, 2]), [0, 1]), ValueError, "same size as dimension 0 of input: 2 and"),
    ErrorRow("UnsortedSegmentSum", lambda: segment.unsorted_segment_sum(zeros([3, 2]), [0, 1], 2), ValueError, "not compatible"),
    ErrorRow("UnsortedSegmentSum", lambda: segment.unsorted_segment_sum(zeros([3]), [0, 1, 1], -1), ValueError, "must not be negative"),
    ErrorRow("SparseSegmentSum", lambda: sparse_segment.sparse_segment_sum(zeros([3]), [0, 1], [0]), ValueError, "should have same size: 1 and 2"),
]
