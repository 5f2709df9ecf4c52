"""Rows of ir.ops.sorting."""

import numpy as np

from ir.ops import sorting
from ir.ops.layout import zeros
from ir.ops.sorting import _top_k_v1
from tests.rowdef import ErrorRow, Row, integers, normal

X = normal(2, 3, 5)
TIES = np.float32([[1, 3, 3, 0], [2, 2, 2, 2]])


def largest(k):
    def ref(x):
        order = np.argsort(-x.astype(np.float64), -1, kind="stable")[..., :k]
        return [np.take_along_axis(x, order, -1), order.astype(np.int32)]

    return ref


def sort(**kw):
    return lambda x: sorting.sort(x, **kw)


def argsort(**kw):
    return lambda x: sorting.argsort(x, **kw)


PREDICTIONS = np.float32([[0.1, 0.9, 0.5], [0.5, 0.5, 0.1], [0.2, np.nan, 0.3], [0.2, 0.1, 0.3], [0.2, 0.1, 0.3]])
TARGETS = np.int32([2, 1, 0, 5, -1])
SORTED, VALUES = np.float32([[1, 2, 2, 5], [0, 0, 0, 1]]), np.float32([[2, 0, 9], [0, -1, 0.5]])


def places(side):
    return lambda s, v: np.stack([np.searchsorted(a, b, side) for a, b in zip(s, v, strict=True)]).astype(np.int32)


ROWS = [
    Row("TopKV2", lambda x: sorting.top_k(x, 2), [X], largest(2), grad=True, second=True),
    Row("TopKV2", lambda x: sorting.top_k(x, 3), [TIES], largest(3), id="ties"),
    Row("TopKV2", lambda x: sorting.top_k(x), [normal(4)], largest(1), grad=True, id="vector"),
    Row("TopKV2", lambda x: sorting.top_k(x, 2, sorted=False).values, [integers(3, 4, low=-9)], lambda x: largest(2)(x)[0], id="int"),
    Row("TopKV2", lambda x: sorting.top_k(x, 0), [normal(2, 3)], largest(0), id="none"),
    Row("TopKV2", lambda x: sorting.top_k(x, 2), [np.uint8([3, 200, 7])], largest(2), id="uint8"),
    Row("TopK", lambda x: _top_k_v1(x, 2), [X], largest(2), grad=True),
    Row("NthElement", lambda x: sorting.nth_element(x, 1), [X], lambda x: np.sort(x)[..., 1], grad=True),
    Row("NthElement", lambda x: sorting.nth_element(x, 1, reverse=True), [TIES], lambda x: np.sort(x)[..., -2], id="reverse"),
    Row("InTopKV2", lambda p, t: sorting.in_top_k(p, t, 1), [PREDICTIONS, TARGETS], lambda p, t: np.array([False, True, False, False, False])),
    Row("InTopKV2", lambda p, t: sorting.in_top_k(p, t, 2), [PREDICTIONS, TARGETS.astype(np.int64)],
        lambda p, t: np.array([True, True, False, False, False]), id="2"),
    Row("InTopK", lambda p, t: sorting._in_top_k(p, t, 2), [PREDICTIONS, TARGETS], lambda p, t: np.array([True, True, False, False, False])),
    Row("LowerBound", sorting.searchsorted, [SORTED, VALUES], places("left")),
    Row("UpperBound", lambda s, v: sorting.searchsorted(s, v, side="right"), [SORTED, VALUES], places("right")),
    Row("UpperBound", lambda s, v: sorting.searchsorted(s, v, "right", "int64"), [np.int32([1, 3, 5]), np.int32([3, 9])],
        lambda s, v: np.int64([2, 3]), id="vector"),
    Row("TopKV2", sort(), [X], np.sort, grad=True, second=True, id="sort"),
    Row("TopKV2", sort(axis=0, direction="DESCENDING"), [X], lambda x: -np.sort(-x, 0), grad=True, id="sort descending"),
    Row("TopKV2", sort(axis=-2), [X], lambda x: np.sort(x, -2), id="sort axis"),
    Row("TopKV2", sort(axis=2), [X], lambda x: np.sort(x, 2), id="sort last axis"),
    Row("TopKV2", sort(), [np.uint8([3, 0, 255, 7])], np.sort, id="sort uint8"),
    Row("TopKV2", argsort(), [TIES], lambda x: np.argsort(x, kind="stable").astype(np.int32), id="argsort ties"),
    Row("TopKV2", argsort(axis=1, direction="DESCENDING"), [X], lambda x: np.argsort(-x, 1).astype(np.int32), id="argsort descending"),
    Row("LessEqual", sorting.is_non_decreasing, [np.int32([1, 1, 3])], lambda x: np.array(True), id="is_non_decreasing"),
    Row("LessEqual", sorting.is_non_decreasing, [np.float32([[1, 1], [0, 3]])], lambda x: np.array(False), id="is_non_decreasing not"),
    Row("Less", sorting.is_strictly_increasing, [np.int32([1, 1, 3])], lambda x: np.array(False), id="is_strictly_increasing"),
    Row("Less", sorting.is_strictly_increasing, [np.int32([1])], lambda x: np.array(True), id="is_strictly_increasing one"),
]  # fmt: skip

ERRORS = [
    ErrorRow("TopKV2", lambda: sorting.top_k(zeros([2, 3]), 4), ValueError, "last dimension >= k = 4 but is 3"),
    ErrorRow("NthElement", lambda: sorting.nth_element(zeros([2, 3]), 3), ValueError, "last dimension > n = 3 but is 3"),
    ErrorRow("TopKV2", lambda: sorting.sort([1, 2], direction="UP"), ValueError, "should be one of ASCENDING, DESCENDING"),
    ErrorRow("TopKV2", lambda: sorting.sort([1, 2], axis=1), ValueError, "axis 1 is out of range"),
    ErrorRow("LowerBound", lambda: sorting.searchsorted([1, 2], [1], side="up"), ValueError, "side must be either"),
    ErrorRow("InTopKV2", lambda: sorting.in_top_k(zeros([2, 3]), [0, 1, 2], 1), ValueError, "not compatible"),
]
