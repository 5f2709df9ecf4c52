"""Rows of ir.ops.layout."""

import ml_dtypes
import numpy as np

from ir.convert import constant
from ir.dtypes import bfloat16, complex64, float64, int32, int64
from ir.ops import layout
from ir.ops.layout import (
    broadcast_dynamic_shape,
    broadcast_to,
    expand_dims,
    fill,
    lin_space,
    ones,
    ones_like,
    range_,
    raw,
    reshape,
    shape,
    shape_n,
    size,
    squeeze,
    transpose,
    zeros,
    zeros_like,
)
from ir.ops.packing import stack
from tests.rowdef import ErrorRow, Row, integers, normal

X = normal(2, 3, 4)
C = (normal(2, 3) + 1j * normal(2, 3, seed=1)).astype(np.complex64)
TEXT = np.array([[b"a", b"bc", b""]], object)


def i32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def same(x: np.ndarray) -> np.ndarray:
    return x


ROWS = [
    Row("Shape", raw("Shape"), [X], lambda x: i32(2, 3, 4)),
    Row("Shape", lambda x: raw("Shape")(x, int64), [np.float32(1)], lambda x: np.zeros(0, np.int64), id="scalar int64"),
    Row("Shape", shape, [TEXT], lambda x: i32(1, 3), id="strings"),
    Row("ShapeN", lambda x, y: shape_n([x, y]), [X, normal(5)], lambda x, y: [i32(2, 3, 4), i32(5)]),
    Row("ShapeN", lambda x: shape_n([x], int64), [normal(0, 2)], lambda x: np.array([0, 2], np.int64), id="int64"),
    Row("Size", raw("Size"), [X], lambda x: np.int32(24)),
    Row("Size", lambda x: size(x, out_type=int64), [normal(0, 3)], lambda x: np.int64(0), id="empty"),
    Row("Rank", raw("Rank"), [X], lambda x: np.int32(3)),
    Row("Rank", layout.rank, [np.float32(1)], lambda x: np.int32(0), id="scalar"),
    Row("Reshape", lambda x: reshape(x, [4, -1]), [X], lambda x: x.reshape(4, 6), grad=True, second=True),
    Row("Reshape", lambda x: reshape(x, [shape(x)[0], -1]), [X], lambda x: x.reshape(2, 12), grad=True, id="from shape"),
    Row("Reshape", lambda x: reshape(x, []), [normal(1, 1)], lambda x: x.reshape(()), grad=True, id="to scalar"),
    Row("Reshape", lambda x: reshape(x, [-1, 3]), [normal(0, 6)], lambda x: x.reshape(0, 3), id="empty"),
    Row("Reshape", lambda x: reshape(x, np.array([3, 1])), [TEXT], lambda x: x.reshape(3, 1), id="strings"),
    Row("Reshape", lambda x: reshape(x, [6]), [C], lambda x: x.reshape(6), grad=True, id="complex"),
    Row("ExpandDims", lambda x: expand_dims(x, 1), [X], lambda x: x[:, None], grad=True, second=True),
    Row("ExpandDims", lambda x: expand_dims(x, -1), [X], lambda x: x[..., None], grad=True, id="last"),
    Row("ExpandDims", lambda x: expand_dims(x, 0), [np.int32(3)], lambda x: x.reshape(1), id="scalar"),
    Row("Squeeze", lambda x: squeeze(x, [0, -1]), [normal(1, 3, 1)], lambda x: x[0, :, 0], grad=True, second=True),
    Row("Squeeze", squeeze, [normal(1, 3, 1)], lambda x: x[0, :, 0], grad=True, id="all"),
    Row("Squeeze", lambda x: squeeze(x, 0), [TEXT], lambda x: x[0], id="strings"),
    Row("EnsureShape", lambda x: layout.ensure_shape(x, [None, 3, 4]), [X], same, grad=True),
    Row("Transpose", lambda x: transpose(x, [2, 0, 1]), [X], lambda x: x.transpose(2, 0, 1), grad=True, second=True),
    Row("Transpose", transpose, [X], lambda x: x.T, grad=True, id="default"),
    Row("Transpose", transpose, [np.float32(2)], same, id="scalar"),
    Row("Transpose", transpose, [TEXT], lambda x: x.T, id="strings"),
    Row("ConjugateTranspose", lambda x: transpose(x, conjugate=True), [C], lambda x: x.conj().T, grad=True, second=True),
    Row("InvertPermutation", layout.invert_permutation, [i32(2, 0, 3, 1)], lambda x: np.argsort(x).astype(np.int32)),
    Row("InvertPermutation", layout.invert_permutation, [np.array([1, 0])], same, id="int64"),
    Row("Fill", lambda v: fill([2, 3], v), [np.float32(9)], lambda v: np.full([2, 3], v), grad=True, second=True),
    Row("Fill", lambda v: fill(np.array([2, 0]), v), [np.array(True)], lambda v: np.full([2, 0], v), id="empty bool"),
    Row("Fill", lambda v: fill([2], v), [np.array(b"ab", object)], lambda v: np.array([b"ab", b"ab"], object), id="strings"),
    Row("Fill", lambda x: zeros(shape(x)), [X], np.zeros_like, id="zeros", forget=True),
    Row("Fill", lambda x: ones(stack([shape(x)[1], 2]), int32), [X], lambda x: np.ones([3, 2], np.int32), id="ones"),
    Row("Fill", lambda x: zeros([2000], bfloat16) + x, [np.array(1, ml_dtypes.bfloat16)], lambda x: np.full(2000, x), id="bfloat16"),
    Row("Fill", lambda x: zeros_like(x, float64, optimize=False), [X], lambda x: np.zeros([2, 3, 4]), id="zeros_like of other dtype"),
    Row("Fill", lambda x: ones_like(x, optimize=False), [integers(2, 2)], np.ones_like, id="ones_like"),
    Row("Range", lambda: range_(3, 18, 4), [], lambda: np.arange(3, 18, 4, dtype=np.int32)),
    Row("Range", lambda x: range_(shape(x)[0], 0, -1), [X], lambda x: i32(2, 1), id="down"),
    Row("Range", lambda: range_(5, 5), [], lambda: np.zeros(0, np.int32), id="empty"),
    # TensorFlow 1.15 adds the step again and again
    Row("Range", lambda: range_(0.0, 1, 0.1), [],
        lambda: np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.70000005, 0.8000001, 0.9000001], np.float32), id="float32", rtol=0, atol=0),
    Row("Range", lambda: range_(1, 2, 0.25, dtype=float64), [], lambda: np.arange(1, 2, 0.25), id="float64"),
    Row("Range", lambda: range_(3, dtype=int64), [], lambda: np.arange(3), id="int64"),
    Row("Range", lambda: raw("Range")(*[constant(v, bfloat16) for v in (0.0, 2.0, 0.5)]), [],
        lambda: np.arange(0, 2, 0.5).astype(ml_dtypes.bfloat16), id="bfloat16"),
    # recorded from TensorFlow 1.15
    Row("LinSpace", lambda a, b: lin_space(a, b, 7), [np.float32(0.1), np.float32(1.3)],
        lambda a, b: np.array([0.1, 0.29999998, 0.49999997, 0.7, 0.9, 1.0999999, 1.3], np.float32)),
    Row("LinSpace", lambda a, b: lin_space(a, b, 1), [np.float64(2), np.float64(5)], lambda a, b: np.array([2.0]), id="one"),
    Row("BroadcastTo", lambda x: broadcast_to(x, [4, 2, 3]), [normal(2, 1)], lambda x: np.broadcast_to(x, [4, 2, 3]), grad=True, second=True),
    Row("BroadcastTo", lambda x: broadcast_to(x, np.array([0, 2])), [normal(2)], lambda x: np.zeros([0, 2], np.float32), id="empty"),
    Row("BroadcastTo", lambda x: broadcast_to(x, [2]), [np.array(b"a", object)], lambda x: np.array([b"a", b"a"], object), id="strings"),
    Row("BroadcastArgs", lambda x, y: broadcast_dynamic_shape(shape(x), shape(y)), [normal(2, 1, 3), normal(4, 1)], lambda x, y: i32(2, 4, 3)),
    Row("BroadcastArgs", lambda x, y: broadcast_dynamic_shape(shape(x, out_type=int64), shape(y, out_type=int64)), [normal(0), normal(1)],
        lambda x, y: np.array([0]), id="empty"),
    Row("Reshape", lambda x: reshape(zeros(shape(x), complex64), [-1]), [normal(2, 2)], lambda x: np.zeros(4, np.complex64), id="of zeros"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Reshape", lambda: reshape(zeros([2, 3]), [4]), ValueError, "Cannot reshape a tensor with 6 elements"),
    ErrorRow("Reshape", lambda: reshape(zeros([2, 3]), [4, -1]), ValueError, "evenly divisible by 4 but is 6"),
    ErrorRow("Reshape", lambda: reshape(zeros([2, 3]), [-1, -1]), ValueError, "only one size"),
    ErrorRow("ExpandDims", lambda: expand_dims(zeros([2]), 3), ValueError, "not in the interval"),
    ErrorRow("Squeeze", lambda: squeeze(zeros([2, 1]), [0]), ValueError, "expected a dimension of 1, got 2"),
    ErrorRow("EnsureShape", lambda: layout.ensure_shape(zeros([2]), [3]), ValueError, "not compatible"),
    ErrorRow("Transpose", lambda: transpose(zeros([2, 3]), [0, 0]), ValueError, "not a permutation"),
    ErrorRow("Transpose", lambda: transpose(zeros([2, 3]), [0]), ValueError, "1 entries for a tensor of rank 2"),
    ErrorRow("Range", lambda: range_(0, 5, 0), ValueError, "delta != 0"),
    ErrorRow("Range", lambda: range_(5, 0), ValueError, "Requires start <= limit"),
    ErrorRow("LinSpace", lambda: lin_space(0.0, 1.0, 0), ValueError, "num > 0"),
    ErrorRow("BroadcastTo", lambda: broadcast_to(zeros([3]), [2]), ValueError, "Unable to broadcast"),
    ErrorRow("Fill", lambda: fill([-2], 0), ValueError, "must be >= 0"),
]
