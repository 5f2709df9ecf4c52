"""Rows of ir.ops.broadcast: the axes TensorFlow 1.15 gives for pairs of shapes."""

import numpy as np

from ir.convert import constant
from ir.ops.broadcast import _broadcast_gradient_args, unbroadcast
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, normal


def axes(s0, s1, r0, r1, dtype=np.int32):
    return Row(
        "BroadcastGradientArgs", lambda: list(_broadcast_gradient_args(constant(s0, dtype), constant(s1, dtype))), [],
        lambda: [np.array(r0, dtype), np.array(r1, dtype)], id=f"{s0} {s1}",
    )  # fmt: skip


ROWS = [
    axes([2, 3], [2, 3], [], []),
    axes([2, 3], [3], [], [0]),
    axes([2, 1], [2, 3], [1], []),
    axes([], [2, 3], [0, 1], []),
    axes([1, 1], [1, 1], [], []),
    axes([1, 2], [1, 1], [0], [0, 1]),
    axes([1], [1, 1], [0, 1], [0, 1]),
    axes([0, 3], [1, 3], [], [0], np.int64),
    Row("Sum", lambda x, y, d: list(unbroadcast(x, y, d, d)), [normal(2, 1), normal(3), normal(2, 3)],
        lambda x, y, d: [d.sum(1, keepdims=True), d.sum(0)], id="unbroadcast"),
]  # fmt: skip

ERRORS = [
    ErrorRow("BroadcastGradientArgs", lambda: _broadcast_gradient_args(zeros([2, 2], "int32"), [1]), ValueError, "must have rank 1"),
]
