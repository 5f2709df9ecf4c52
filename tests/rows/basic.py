"""Rows of ir.ops.basic."""

import numpy as np

from ir.graph import Graph
from ir.ops import basic
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal

WORDS = np.array([b"a", b"\xff\x00", b""], object)


def identity_of(x):
    return x


def _in_two_graphs():
    with Graph().as_default():
        other = zeros([2])
    return basic.identity(other)


ROWS = [
    Row("Placeholder", identity_of, [normal(2, 3)], identity_of, grad=True),
    Row("Placeholder", identity_of, [WORDS], identity_of, id="strings"),
    Row("PlaceholderWithDefault", lambda x: basic.placeholder_with_default(x, [None, 3]), [normal(2, 3)], identity_of, grad=True, second=True),
    Row("PlaceholderWithDefault", lambda: basic.placeholder_with_default([[1, 2]], None), [], lambda: np.int32([[1, 2]]), id="unknown rank"),
    Row("Identity", basic.identity, [normal(2, 3)], identity_of, grad=True, second=True),
    Row("Identity", basic.identity, [integers(3, dtype=np.int64)], identity_of, id="int64"),
    Row("Identity", basic.identity, [np.float16(1.5)], identity_of, id="scalar"),
    Row("Identity", basic.identity, [WORDS], identity_of, id="strings"),
    Row("IdentityN", lambda x, n, b: basic.identity_n([x, n, b]), [normal(2, 3), integers(4), np.bool_([True])], lambda *x: list(x), grad=True, id="mixed"),
    Row("IdentityN", lambda x, w: basic.identity_n([x, w]), [normal(2), WORDS], lambda *x: list(x), id="strings"),
    Row("StopGradient", basic.stop_gradient, [normal(2, 3)], identity_of),
    Row("StopGradient", lambda x: x * basic.stop_gradient(x + 1), [normal(2)], lambda x: x * (x + 1), id="in a product"),
    Row("PreventGradient", basic.prevent_gradient, [normal(2, 3)], identity_of),
    Row("AddN", lambda *x: basic.add_n(x), [normal(2, 3, seed=i) for i in range(3)], lambda *x: x[0] + x[1] + x[2], grad=True, second=True),
    Row("AddN", lambda *x: basic.add_n(x), [normal(0, 2), normal(0, 2)], np.add, id="empty"),
    Row("AddN", lambda *x: basic.add_n(x), [integers(4), integers(4, seed=1)], np.add, id="int32"),
    Row("AddN", lambda *x: basic.add_n(x), [np.complex64([1 + 2j]), np.complex64([3 - 1j])], np.add, grad=True, id="complex"),
    Row("AddN", lambda x: basic._add_n([x]), [normal(2)], identity_of, grad=True, id="one"),
    Row("ZerosLike", basic._zeros_like, [normal(2, 3)], np.zeros_like),
    Row("ZerosLike", basic._zeros_like, [np.bool_([True, False])], np.zeros_like, id="bool"),
    Row("OnesLike", basic._ones_like, [normal(2, 3)], np.ones_like),
    Row("OnesLike", basic._ones_like, [integers(0, 3)], np.ones_like, id="empty"),
    Row("Identity", lambda x, y: basic.tuple_([x, None, y])[::2], [normal(2), integers(3)], lambda x, y: [x, y], grad=True, id="tuple"),
]  # fmt: skip

ERRORS = [
    ErrorRow("AddN", lambda: basic.add_n([zeros([2]), zeros([3])]), ValueError, r"Shapes \(2,\) and \(3,\) are not compatible"),
    ErrorRow("AddN", lambda: basic.add_n([zeros([2]), zeros([2], "int32")]), TypeError, "int32.*expected float32"),
    ErrorRow("AddN", lambda: basic.add_n(zeros([2])), ValueError, "inputs must be a list"),
    ErrorRow("AddN", lambda: basic.add_n([]), ValueError, "at least 1"),
    ErrorRow("PlaceholderWithDefault", lambda: basic.placeholder_with_default(zeros([2]), [3]), ValueError, "default's shape"),
    ErrorRow("Placeholder", lambda: basic.placeholder("float33"), TypeError, "float33"),
    ErrorRow("Identity", _in_two_graphs, ValueError, "must be from the same graph"),
    ErrorRow("Identity", lambda: basic.identity(None), TypeError, "None is not a valid value"),
    ErrorRow("NoOp", lambda: basic.group("no tensor"), TypeError, "tf.group"),
    ErrorRow("IdentityN", lambda: basic.identity_n(zeros([2])), TypeError, "must be a list of tensors"),
]
