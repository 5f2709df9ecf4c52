"""Rows of ir.ops.partition and ir.ops.embedding."""

import numpy as np

from ir.dtypes import int64
from ir.ops.basic import placeholder
from ir.ops.embedding import embedding_lookup
from ir.ops.layout import zeros
from ir.ops.partition import (
    boolean_mask,
    dynamic_partition,
    dynamic_stitch,
    parallel_dynamic_stitch,
    repeat,
    setdiff1d,
    unique,
    unique_v2,
    unique_with_counts,
    unique_with_counts_v2,
)  # fmt: skip
from tests.rowdef import ErrorRow, Row, normal

X = normal(4, 2, 3)
PARTS = np.int32([1, 0, 2, 1])
MASK = np.array([True, False, True, True])
V = np.float32([3, 1, 3, 2, 1])
TEXT = np.array([b"b", b"a", b"b"], object)
MATRIX = np.int32([[1, 0, 1], [2, 5, 2], [1, 0, 1]])
TABLE = normal(7, 3)
IDS = np.int32([[0, 6, 3], [2, 3, 5]])


def i32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def stitched(*args: np.ndarray) -> np.ndarray:
    n = len(args) // 2
    out = np.zeros([6, 3], np.float32)
    for i, d in zip(args[:n], args[n:], strict=True):
        out[i.reshape(-1)] = d.reshape(-1, 3)
    return out


STITCH = [i32(4, 0), np.int32([[1, 2], [5, 3]]), normal(2, 3), normal(2, 2, 3, seed=1)]


def clipped(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1)


ROWS = [
    Row("Where", boolean_mask, [X, MASK], lambda x, m: x[m], grad=True, forget=False, id="boolean_mask"),
    Row("Where", lambda x, m: x[m], [X, MASK], lambda x, m: x[m], forget=False, id="x[mask]"),
    Row("Where", lambda x: boolean_mask(x, [[True, False], [False, False], [True, True], [False, True]]), [X],
        lambda x: x[[0, 2, 2, 3], [0, 0, 1, 1]], grad=True, id="boolean_mask of rank 2"),
    Row("Where", lambda x: boolean_mask(x, [False, True], axis=1), [X], lambda x: x[:, 1:], grad=True, forget=False, id="boolean_mask with axis"),
    Row("Tile", lambda x: repeat(x, 3, axis=1), [X], lambda x: np.repeat(x, 3, 1), grad=True, forget=False, id="repeat"),
    Row("Tile", lambda x, n: repeat(x, n), [X, np.int32(2)], lambda x, n: np.repeat(x, 2), forget=False, id="repeat flat and fed"),
    Row("GatherV2", lambda x: repeat(x, [0, 2, 1, 3], axis=0), [X], lambda x: np.repeat(x, [0, 2, 1, 3], 0), grad=True, forget=False, id="repeat each"),
    Row("UpperBound", lambda x, n: repeat(x, n, axis=-1), [X, np.int32([0, 2, 1])], lambda x, n: np.repeat(x, n, -1), forget=False, id="repeat each fed"),
    Row("DynamicPartition", lambda x, p: dynamic_partition(x, p, 4), [X, PARTS], lambda x, p: [x[p == i] for i in range(4)], grad=True, second=True),
    Row("DynamicPartition", lambda x, p: dynamic_partition(x, p, 2), [X, np.int32([[1, 0]] * 4)], lambda x, p: [x[p == i] for i in range(2)], grad=True,
        id="rank 2"),
    Row("DynamicPartition", lambda x, p: dynamic_partition(x, p, 1), [TEXT, i32(0, 0, 0)], lambda x, p: [x], id="strings"),
    Row("DynamicStitch", lambda a, b, x, y: dynamic_stitch([a, b], [x, y]), STITCH, stitched, grad=True),
    Row("DynamicStitch", lambda x, y: dynamic_stitch([[0, 1], [1]], [x, y]), [normal(2, 3), normal(1, 3, seed=1)],
        lambda x, y: np.stack([x[0], y[0]]), id="the last counts"),
    Row("DynamicStitch", lambda x: dynamic_stitch([0, [2, 1]], [x[0], x[1:]]), [normal(3, 2)], lambda x: x[[0, 2, 1]], grad=True, second=True, id="known"),
    Row("ParallelDynamicStitch", lambda a, b, x, y: parallel_dynamic_stitch([a, b], [x, y]), STITCH, stitched, grad=True),
    Row("Unique", unique, [V], lambda x: [np.float32([3, 1, 2]), i32(0, 1, 0, 2, 1)]),
    Row("Unique", lambda x: unique(x, int64), [TEXT], lambda x: [TEXT[:2], np.array([0, 1, 0])], id="strings"),
    Row("Unique", unique, [np.zeros([0], np.int32)], lambda x: [x, x], id="empty"),
    Row("UniqueV2", lambda x: unique_v2(x, [0]), [MATRIX], lambda x: [x[:2], i32(0, 1, 0)]),
    Row("UniqueV2", lambda x: unique_v2(x, [-1]), [MATRIX], lambda x: [x[:, :2], i32(0, 1, 0)], id="columns"),
    Row("UniqueV2", lambda x: unique_v2(x, np.zeros([0], np.int32)), [V], lambda x: [np.float32([3, 1, 2]), i32(0, 1, 0, 2, 1)], id="no axis"),
    Row("UniqueWithCounts", unique_with_counts, [V], lambda x: [np.float32([3, 1, 2]), i32(0, 1, 0, 2, 1), i32(2, 2, 1)]),
    Row("UniqueWithCountsV2", lambda x: unique_with_counts_v2(x, [0]), [MATRIX], lambda x: [x[:2], i32(0, 1, 0), i32(2, 1)]),
    Row("ListDiff", setdiff1d, [i32(1, 2, 3, 4, 2, 1), i32(2, 5)], lambda x, y: [i32(1, 3, 4, 1), i32(0, 2, 3, 5)]),
    Row("ListDiff", lambda x, y: setdiff1d(x, y, int64), [TEXT, TEXT[:1]], lambda x, y: [TEXT[1:2], np.array([1])], id="strings"),
    Row("GatherV2", embedding_lookup, [TABLE, IDS], lambda t, i: t[i], grad=True, id="embedding"),
    Row("GatherV2", lambda t, i: embedding_lookup(t, i, max_norm=1.0), [TABLE, IDS], lambda t, i: clipped(t[i]), grad=True, forget=False,
        id="embedding max_norm"),
    Row("ParallelDynamicStitch", lambda t, i: embedding_lookup([t[0::2], t[1::2]], i), [TABLE, IDS], lambda t, i: t[i], grad=True, forget=False,
        id="embedding mod"),
    Row("ParallelDynamicStitch", lambda t, i: embedding_lookup([t[:3], t[3:5], t[5:]], i, "div"), [TABLE, IDS], lambda t, i: t[i], grad=True, forget=False,
        id="embedding div"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Where", lambda: boolean_mask(zeros([2]), True), ValueError, "mask cannot be scalar"),
    ErrorRow("Where", lambda: boolean_mask(zeros([2]), placeholder("bool")), ValueError, "Number of mask dimensions"),
    ErrorRow("Where", lambda: boolean_mask(zeros([2]), [True]), ValueError, "incompatible"),
    ErrorRow("DynamicPartition", lambda: dynamic_partition(zeros([2]), [[0], [1]], 2), ValueError, "at most the rank"),
    ErrorRow("DynamicStitch", lambda: dynamic_stitch([[0, 1]], [zeros([3])]), ValueError, "not compatible"),
    ErrorRow("DynamicStitch", lambda: dynamic_stitch([0, 1], [zeros([3]), zeros([4])]), ValueError, "not compatible"),
    ErrorRow("Unique", lambda: unique(zeros([2, 2])), ValueError, "rank 1"),
    ErrorRow("UniqueV2", lambda: unique_v2(zeros([2, 2]), [2]), ValueError, "out of range"),
    ErrorRow("GatherV2", lambda: embedding_lookup([], [0]), ValueError, "at least one param"),
    ErrorRow("ParallelDynamicStitch", lambda: embedding_lookup([zeros([2, 2])] * 2, [0], "x"), ValueError, "Unrecognized partition strategy"),
]
