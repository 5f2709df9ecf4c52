"""Rows of ir.ops.sets."""

import numpy as np

from ir.ops.layout import zeros
from ir.ops.sets import set_difference, set_intersection, set_size, set_union
from ir.sparse_tensor import SparseTensor
from tests.rowdef import ErrorRow, Row

A, B = np.int64([[1, 2, 3], [4, 4, 5]]), np.int64([[2, 3, 9], [4, 7, 5]])
AT = np.array([[0, 0], [0, 2], [1, 1]])

ROWS = [
    # recorded from TensorFlow 1.15
    Row("DenseToDenseSetOperation", set_intersection, [A, B], lambda a, b: [np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([2, 3, 4, 5]),
        np.array([2, 2])]),
    Row("DenseToDenseSetOperation", set_union, [A, B],
        lambda a, b: [np.array([[0, 0], [0, 1], [0, 2], [0, 3], [1, 0], [1, 1], [1, 2]]), np.array([1, 2, 3, 9, 4, 5, 7]), np.array([2, 4])], id="union"),
    Row("DenseToDenseSetOperation", lambda a, b: set_difference(a, b, aminusb=False), [A, B],
        lambda a, b: [np.array([[0, 0], [1, 0]]), np.array([9, 7]), np.array([2, 1])], id="b-a"),
    Row("DenseToDenseSetOperation", set_intersection, [np.array([[b"a", b"b"]], object), np.array([[b"c"]], object)],
        lambda a, b: [np.zeros([0, 2], np.int64), np.array([], object), np.array([1, 0])], id="strings"),
    Row("DenseToSparseSetOperation", lambda a, v: set_difference(a, SparseTensor(AT, v, [2, 3])), [A, np.int64([1, 3, 4])],
        lambda a, v: [np.array([[0, 0], [1, 0]]), np.array([2, 5]), np.array([2, 1])]),
    Row("DenseToSparseSetOperation", lambda a, v: set_difference(SparseTensor(AT, v, [2, 3]), a), [A, np.int64([1, 8, 4])],
        lambda a, v: [np.array([[0, 0]]), np.array([8]), np.array([2, 1])], id="exchanged"),
    Row("SparseToSparseSetOperation", lambda v, w: set_union(SparseTensor(AT, v, [2, 3]), SparseTensor([[0, 0]], w, [2, 1])), [np.int64([1, 3, 4]),
        np.int64([3])],
        lambda v, w: [np.array([[0, 0], [0, 1], [1, 0]]), np.array([1, 3, 4]), np.array([2, 2])]),
    Row("SetSize", lambda v: set_size(SparseTensor(AT, v, [3, 3])), [np.int32([1, 1, 3])], lambda v: np.int32([1, 1, 0])),
]  # fmt: skip

ERRORS = [
    ErrorRow("SetSize", lambda: set_size(zeros([2])), TypeError, "SparseTensor"),
]
