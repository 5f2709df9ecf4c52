"""Rows of ir.ops.compare."""

import numpy as np

from ir.ops import compare
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal

ORDERED = np.array([[1.0, -0.0, np.nan, np.inf], [np.nan, 0.0, 2.0, -np.inf]], np.float32)
OTHER = np.array([1.0, 0.0, 1.0, np.inf], np.float32)


def of(name, fn, ref):
    """The cases every comparison has: ties, NaN and signed zeros, broadcasting, unsigned numbers, nothing."""
    return [
        Row(name, fn, [ORDERED, OTHER], ref),
        Row(name, fn, [integers(3, 1, high=3), integers(1, 4, high=3, seed=1)], ref, id="broadcast"),
        Row(name, fn, [integers(5, dtype=np.uint8), np.uint8(4)], ref, id="uint8"),
        Row(name, fn, [normal(0, 2), normal(2)], ref, id="empty"),
        Row(name, fn, [normal(3, dtype=np.float16), np.float16(0)], ref, id="half"),
    ]


T, F = True, False
LEFT, RIGHT = np.array([[T], [F]]), np.array([T, F])
STRINGS = np.array([b"a", b"b", b""], object)

ROWS = [
    *of("Less", compare.less, lambda x, y: x < y),
    *of("LessEqual", compare.less_equal, lambda x, y: x <= y),
    *of("Greater", compare.greater, lambda x, y: x > y),
    *of("GreaterEqual", compare.greater_equal, lambda x, y: x >= y),
    *of("Equal", compare.equal, lambda x, y: x == y),
    *of("NotEqual", compare.not_equal, lambda x, y: x != y),
    Row("Equal", compare.equal, [np.array([1 + 1j, 2], np.complex64), np.complex64(2)], lambda x, y: x == y, id="complex"),
    Row("Equal", compare.equal, [LEFT, RIGHT], lambda x, y: x == y, id="bool"),
    Row("Equal", lambda x: compare.equal(x, "a"), [STRINGS], lambda x: np.array([T, F, F]), id="strings"),
    Row("NotEqual", lambda x: compare.not_equal(x, "a"), [STRINGS], lambda x: np.array([F, T, T]), id="strings"),
    Row("Equal", lambda x, y: compare._equal(x, y, incompatible_shape_error=False), [normal(2), normal(3)], lambda x, y: np.array(F), id="unfit"),
    Row("NotEqual", lambda x, y: compare._not_equal(x, y, incompatible_shape_error=False), [normal(2), normal(3)], lambda x, y: np.array(T), id="unfit"),
    Row("ApproximateEqual", lambda x, y: compare.approximate_equal(x, y, tolerance=0.5), [np.float32([1, 1, 1, 1]), np.float32([1.4, 1.6, 0.5, np.nan])],
        lambda x, y: np.array([T, F, F, F])),
    Row("ApproximateEqual", compare.approximate_equal, [np.int32([1, 2]), np.int32([1, 3])], lambda x, y: np.array([F, F]), id="int"),
    Row("LogicalAnd", compare.logical_and, [LEFT, RIGHT], np.logical_and),
    Row("LogicalOr", compare.logical_or, [LEFT, RIGHT], np.logical_or),
    Row("LogicalNot", compare.logical_not, [LEFT], np.logical_not),
    Row("LogicalNot", compare.logical_xor, [LEFT, RIGHT], np.logical_xor, id="xor"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Less", lambda: compare.less(np.zeros([2], "f"), np.zeros([3], "f")), ValueError, "must be equal, but are 2 and 3"),
    ErrorRow("Less", lambda: compare.less([True], [False]), TypeError, "not in the list of allowed"),
    ErrorRow("Equal", lambda: compare.equal(zeros([2], "float32"), zeros([2], "float64")), TypeError, "has type float64"),
]
