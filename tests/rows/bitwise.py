"""Rows of ir.ops.bitwise."""

import numpy as np

from ir.ops import bitwise as b
from ir.ops.basic import placeholder
from tests.rowdef import ErrorRow, Row, integers

TYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
PLACES = [np.int8([1, -1, 64, -128, 3, 1, 1]), np.int8([7, 8, 1, 1, -1, 100, 6])]


def both(name, fn, ref):
    """Every type, broadcasting, nothing."""
    pairs = [(np.array([0, 5, 100, 127], t), np.array([3, 6, 127, 0], t)) for t in TYPES]
    return [
        *[Row(name, fn, pair, ref, id=str(pair[0].dtype)) for pair in pairs],
        Row(name, fn, [np.int32([[-1], [7]]), np.int32([-2, 5, 0])], ref, id="broadcast"),
        Row(name, fn, [np.zeros((0, 2), np.int32), np.int32([1, 2])], ref, id="empty"),
    ]


ROWS = [
    *both("BitwiseAnd", b.bitwise_and, np.bitwise_and),
    *both("BitwiseOr", b.bitwise_or, np.bitwise_or),
    *both("BitwiseXor", b.bitwise_xor, np.bitwise_xor),
    *[Row("Invert", b.invert, [np.array([0, 1, 5, 100], t)], np.invert, id=t) for t in TYPES],
    *[Row("PopulationCount", b.population_count, [np.array([0, 1, 5, 100], t)], lambda x: np.uint8([0, 1, 2, 3]), id=t) for t in TYPES],
    Row("PopulationCount", b.population_count, [np.int8([-1, -128])], lambda x: np.uint8([8, 1]), id="negative"),
    Row("PopulationCount", b.population_count, [np.int64(-1)], lambda x: np.uint8(64), id="scalar"),
    # what TensorFlow 1.15 gives: places beyond the type's width are its last one, negative ones are none
    Row("LeftShift", b.left_shift, PLACES, lambda x, y: np.int8([-128, -128, -128, 0, 3, -128, 64])),
    Row("RightShift", b.right_shift, PLACES, lambda x, y: np.int8([0, -1, 32, -64, 3, 0, 0])),
    Row("LeftShift", b.left_shift, [np.uint8([1, 255, 64, 128, 3]), np.uint8([7, 8, 1, 1, 255])], lambda x, y: np.uint8([128, 128, 128, 0, 128]), id="uint8"),
    Row("RightShift", b.right_shift, [np.uint8([1, 255, 64, 128, 3]), np.uint8([7, 8, 1, 1, 255])], lambda x, y: np.uint8([0, 1, 32, 64, 0]), id="uint8"),
    *[Row("LeftShift", b.left_shift, [np.array([1, 5, 9], t), np.array(3, t)], lambda x, y: x << y, id=t) for t in TYPES[1:4] + TYPES[5:]],
    *[Row("RightShift", b.right_shift, [np.array([1, 50, 99], t), np.array([[1], [3]], t)], lambda x, y: x >> y, id=t) for t in TYPES[1:4] + TYPES[5:]],
    Row("LeftShift", b.left_shift, [integers(2, 3, high=9), integers(3, high=4)], lambda x, y: x << y, id="broadcast"),
]

ERRORS = [
    ErrorRow("BitwiseAnd", lambda: b.bitwise_and(placeholder("float32", []), 1.0), TypeError, "float32"),
    ErrorRow("LeftShift", lambda: b.left_shift(placeholder("int32", [2]), placeholder("int32", [3])), ValueError, "2 and 3"),
    ErrorRow("BitwiseXor", lambda: b.bitwise_xor(placeholder("int32", []), placeholder("int64", [])), TypeError, "int64"),
]
