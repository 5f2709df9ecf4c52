"""Rows of ir.ops.joining."""

import numpy as np

from ir.dtypes import int64
from ir.ops.basic import placeholder
from ir.ops.joining import concat, meshgrid, parallel_stack, split, tile
from ir.ops.layout import raw, shape, shape_n, zeros
from tests.rowdef import ErrorRow, Row, integers, normal

A, B = normal(2, 3), normal(4, 3, seed=1)
X = normal(2, 6)
TEXT = np.array([[b"a", b"bc"]], object)


def i32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


ROWS = [
    Row("ConcatV2", lambda x, y: concat([x, y], 0), [A, B], lambda x, y: np.concatenate([x, y]), grad=True, second=True),
    Row("ConcatV2", lambda x, y: concat([x, y, x], -1), [A, X], lambda x, y: np.concatenate([x, y, x], 1), grad=True, id="last axis"),
    Row("ConcatV2", lambda x, y: concat([x, y], np.int64(0)), [A, normal(0, 3)], lambda x, y: x, grad=True, id="empty part"),
    Row("ConcatV2", lambda x, a: concat([x, x], a), [A, np.int32(1)], lambda x, a: np.concatenate([x, x], 1), id="axis fed"),
    Row("ConcatV2", lambda x: concat([shape(x), [7]], 0), [A], lambda x: i32(2, 3, 7), id="shape"),
    Row("ConcatV2", lambda x: concat([x, x], 1), [TEXT], lambda x: np.concatenate([x, x], 1), id="strings"),
    Row("ConcatV2", lambda x, y: concat([x, y], 0), [np.array([True]), np.array([False, True])], lambda x, y: np.concatenate([x, y]), id="bool"),
    Row("Identity", lambda x: concat([x], 0), [A], lambda x: x, grad=True, id="concat of one"),
    Row("Concat", lambda x, y: raw("Concat")(0, [x, y]), [A, B], lambda x, y: np.concatenate([x, y]), grad=True, second=True),
    Row("ConcatOffset", lambda x, y: raw("ConcatOffset")(1, shape_n([x, y, x])), [A, X], lambda x, y: [i32(0, 0), i32(0, 3), i32(0, 9)]),
    Row("ConcatOffset", lambda a, b: raw("ConcatOffset")(0, [a, b]), [i32(2, 3), i32(4, 3)], lambda a, b: [i32(0, 0), i32(2, 0)], id="fed"),
    Row("ParallelConcat", lambda x: parallel_stack([x, x]), [A], lambda x: np.stack([x, x]), grad=True, forget=False),
    Row("Split", lambda x: split(x, 3, 1), [X], lambda x: np.split(x, 3, 1), grad=True, second=True),
    Row("Split", lambda x: split(x, 2), [X], lambda x: np.split(x, 2), grad=True, id="default axis"),
    Row("Split", lambda x: split(x, 2, -1)[1], [X], lambda x: x[:, 3:], grad=True, id="one used"),
    Row("Split", lambda x, a: split(x, 2, a), [X, np.int32(1)], lambda x, a: np.split(x, 2, 1), id="axis fed"),
    Row("Split", lambda x: split(x, 2, 1), [TEXT], lambda x: np.split(x, 2, 1), id="strings"),
    Row("SplitV", lambda x: split(x, [1, 3, 2], 1), [X], lambda x: np.split(x, [1, 4], 1), grad=True, second=True),
    Row("SplitV", lambda x: split(x, np.array([1, -1, 0]), -1), [X], lambda x: np.split(x, [1, 6], 1), grad=True, id="rest"),
    Row("SplitV", lambda x, n: split(x, n, 1, num=2), [X, i32(4, 2)], lambda x, n: np.split(x, [4], 1), id="sizes fed"),
    Row("Tile", lambda x: tile(x, [2, 3]), [A], lambda x: np.tile(x, [2, 3]), grad=True, second=True),
    Row("Tile", lambda x: tile(x, np.array([0, 2])), [A], lambda x: np.tile(x, [0, 2]), id="none"),
    Row("Tile", lambda x: tile(x, [shape(x)[0], 1]), [A], lambda x: np.tile(x, [2, 1]), grad=True, id="from shape"),
    Row("Tile", lambda x: tile(x, [3]), [np.array([b"a"], object)], lambda x: np.tile(x, 3), id="strings"),
    Row("Tile", lambda x: tile(x, []), [np.float32(2)], lambda x: x, id="scalar"),
    Row("Mul", meshgrid, [integers(2), integers(3)], lambda x, y: np.meshgrid(x, y), id="meshgrid"),
    Row("Mul", lambda x, y, z: meshgrid(x, y, z, indexing="ij"), [normal(2), normal(3), normal(2)], lambda *a: np.meshgrid(*a, indexing="ij"),
        id="meshgrid ij", grad=True),
    Row("Reshape", lambda x, y: meshgrid(x, y, sparse=True), [normal(2), normal(3)], lambda x, y: np.meshgrid(x, y, sparse=True), id="meshgrid sparse"),
]  # fmt: skip

ERRORS = [
    ErrorRow("ConcatV2", lambda: concat([zeros([2, 3]), zeros([3, 4])], 0), ValueError, "must be equal except along axis 0"),
    ErrorRow("ConcatV2", lambda: concat([zeros([2]), zeros([2, 2])], 0), ValueError, "same rank"),
    ErrorRow("ConcatV2", lambda: concat([zeros([2]), zeros([2])], 1), ValueError, r"concat_dim = 1 not in \[-1, 1\)"),
    ErrorRow("ConcatV2", lambda: concat([zeros([]), zeros([])], 0), ValueError, "Can't concatenate scalars"),
    ErrorRow("Split", lambda: split(zeros([5]), 2), ValueError, "evenly divisible by 2 but is 5"),
    ErrorRow("Split", lambda: split(zeros([4]), 2, 1), ValueError, "split_dim = 1 not in"),
    ErrorRow("SplitV", lambda: split(zeros([5]), [2, 2]), ValueError, "must make up the dimension"),
    ErrorRow("SplitV", lambda: split(zeros([5]), [-1, -1]), ValueError, "only be one -1"),
    ErrorRow("SplitV", lambda: split(zeros([5]), placeholder(int64)), ValueError, "Cannot infer num"),
    ErrorRow("Tile", lambda: tile(zeros([5]), [1, 2]), ValueError, "length 1 but got length 2"),
]
