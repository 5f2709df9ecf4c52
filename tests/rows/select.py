"""Rows of ir.ops.select."""

import numpy as np

from ir.ops.layout import zeros
from ir.ops.select import where, where_v2
from tests.rowdef import ErrorRow, Row, integers, normal

MASK = np.array([[True, False, True], [False, False, True]])
A, B = normal(2, 3), normal(2, 3, seed=1)

ROWS = [
    Row("Select", where, [MASK, A, B], np.where, grad=True, second=True),
    Row("Select", where, [MASK[:, 0], A, B], lambda c, x, y: np.where(c[:, None], x, y), grad=True, id="rows"),
    Row("Select", where, [np.array(False), A, B], np.where, grad=True, id="scalar"),
    Row("Select", where, [np.zeros(0, bool), normal(0, 2), normal(0, 2)], lambda c, x, y: x, id="empty"),
    Row("Select", where, [np.array([True, False]), np.array([b"a", b"b"], object), np.array([b"c", b"d"], object)],
        lambda c, x, y: np.array([b"a", b"d"], object), id="strings"),
    Row("Select", where, [MASK[0], np.array([True] * 3), np.array([False] * 3)], np.where, id="bool"),
    Row("Select", lambda c, x: where(c, x, zeros([2, 3])), [MASK, np.where(MASK, A, np.float32(np.nan))], lambda c, x: np.where(c, x, np.float32(0)),
        id="nan"),
    Row("SelectV2", where_v2, [MASK, A, B], np.where, grad=True, second=True),
    Row("SelectV2", where_v2, [MASK, normal(3), normal(2, 1)], np.where, grad=True, id="broadcast"),
    Row("SelectV2", where_v2, [MASK[0], normal(2, 1), np.float32(7)], np.where, grad=True, id="broadcast condition"),
    Row("SelectV2", where_v2, [np.array(True), integers(2), integers(2)], np.where, id="int"),
    Row("Where", where, [MASK], lambda c: np.array([[0, 0], [0, 2], [1, 2]], np.int64)),
    Row("Where", where_v2, [np.float32([0, -1, 2, 0])], lambda c: np.array([[1], [2]], np.int64), id="numbers"),
    Row("Where", where, [np.zeros([2, 0], bool)], lambda c: np.zeros([0, 2], np.int64), id="empty"),
    Row("Where", where, [np.array(True)], lambda c: np.zeros([1, 0], np.int64), id="scalar"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Select", lambda: where([True], [1], None), ValueError, "must both be non-None or both be None"),
    ErrorRow("Select", lambda: where(MASK, zeros([2, 3]), zeros([3])), ValueError, "not compatible"),
    ErrorRow("Select", lambda: where([True, False, True], zeros([2, 3]), zeros([2, 3])), ValueError, "3 elements for 2 rows"),
    ErrorRow("Select", lambda: where(MASK, zeros([2]), zeros([2])), ValueError, "must be a scalar, a vector"),
    ErrorRow("SelectV2", lambda: where_v2(MASK, zeros([2]), zeros([3])), ValueError, "Dimensions must be equal"),
]
