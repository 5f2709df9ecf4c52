"""Rows of ir.ops.clip."""

import numpy as np

from ir.indexed_slices import IndexedSlices
from ir.ops import clip
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal

X, Y = normal(2, 3), normal(4, seed=1)
NORM = np.sqrt((X * X).sum() + (Y * Y).sum())


def by_norm(limit, axis=None):
    def ref(x):
        norm = np.sqrt((x * x).sum(axis, keepdims=True))
        return x * limit / np.maximum(norm, np.float32(limit))

    return ref


def rows_of(x):
    return IndexedSlices(x, np.int32([0, 4]))


ROWS = [
    Row("L2Loss", clip.l2_loss, [X], lambda x: (x * x).sum() / 2, grad=True, second=True),
    Row("L2Loss", clip.l2_loss, [normal(0)], lambda x: np.float32(0), id="empty"),
    Row("ClipByValue", lambda x: clip._clip_by_value(x, -0.5, 0.5), [X], lambda x: x.clip(-0.5, 0.5), grad=True),
    Row("ClipByValue", clip._clip_by_value, [X, X + np.float32(0.5) * np.sign(X), X + 2], lambda x, a, b: x.clip(a, b), grad=True, id="tensors"),
    Row("ClipByValue", clip._clip_by_value, [integers(5), np.int32(3), np.int32(6)], np.clip, id="int"),
    Row("Minimum", lambda x: clip.clip_by_value(x, -0.5, 0.5), [X], lambda x: x.clip(-0.5, 0.5), grad=True, id="clip_by_value"),
    Row("Maximum", lambda x, a: clip.clip_by_value(x, a, 9.0), [X, normal(3, seed=2)], np.maximum, grad=True, id="clip_by_value broadcast"),
    Row("Maximum", lambda x: clip.clip_by_value(rows_of(x), -0.5, 0.5).values, [X], lambda x: x.clip(-0.5, 0.5), id="clip_by_value of rows"),
    Row("Select", lambda x: clip.clip_by_norm(x, 1.0), [X], by_norm(1), grad=True, second=True, id="clip_by_norm"),
    Row("Select", lambda x: clip.clip_by_norm(x, 100.0), [X], by_norm(100), grad=True, id="clip_by_norm not"),
    Row("Select", lambda x: clip.clip_by_norm(x, 0.5, axes=[1]), [X], by_norm(0.5, 1), grad=True, id="clip_by_norm axes"),
    Row("Select", lambda x: clip.clip_by_norm(x, 1.0), [np.zeros(3, np.float32)], lambda x: x, id="clip_by_norm zero"),
    Row("Select", lambda x: clip.clip_by_norm(rows_of(x), 1.0).values, [X], by_norm(1), id="clip_by_norm of rows"),
    Row("Sqrt", lambda x, y: clip.global_norm([x, None, rows_of(y)]), [X, Y], lambda x, y: NORM, grad=True, id="global_norm"),
    Row("Select", lambda x, y: [*clip.clip_by_global_norm([x, y], 1.0)[0], clip.clip_by_global_norm([x, y], 1.0)[1]], [X, Y],
        lambda x, y: [x / NORM, y / NORM, NORM], grad=True, id="clip_by_global_norm"),
    Row("Select", lambda x, y: clip.clip_by_global_norm([x, y, None], 1.0, use_norm=np.float32(0.5))[0][:2], [X, Y], lambda x, y: [x, y], id="use_norm"),
    Row("Select", lambda x: clip.clip_by_global_norm([x], 1.0)[0], [np.float32([1, np.inf])], lambda x: [np.float32([np.nan, np.nan])], id="not finite"),
    Row("Rsqrt", lambda x: clip.clip_by_average_norm(x, 0.1), [X], lambda x: x * 0.1 * min(X.size / np.sqrt((x * x).sum()), 10), rtol=1e-4, grad=True,
        id="clip_by_average_norm"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Maximum", lambda: clip.clip_by_value(zeros([3]), zeros([2, 3]), 1.0), ValueError, "are incompatible"),
    ErrorRow("L2Loss", lambda: clip.global_norm("x"), TypeError, "should be a sequence"),
    ErrorRow("Select", lambda: clip.clip_by_global_norm(zeros([2]), 1.0), TypeError, "should be a sequence"),
]
