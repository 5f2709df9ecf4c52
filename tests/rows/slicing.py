"""Rows of ir.ops.slicing."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ir.convert import convert_to_tensor
from ir.ops.basic import placeholder
from ir.ops.layout import raw, shape, zeros
from ir.ops.slicing import getitem, slice_, strided_slice, strided_slice_grad
from tests.rowdef import ErrorRow, Row, integers, normal

X = normal(4, 5, 3)
TEXT = np.array([b"a", b"bc", b"", b"d"], object)
BOX = np.zeros([4, 5, 3], np.float32)


class _Key:
    """Makes the key of an index expression: `_Key()[1:, ...]`."""

    def __getitem__(self, key: Any) -> Any:
        return key


k = _Key()


def item(key: Any, name: str, x: np.ndarray = X, second: bool = False) -> Row:
    return Row("StridedSlice", lambda t: getitem(t, key), [x], lambda a: a[key], grad=x.dtype.kind == "f", second=second, id=name)


def put(key: Any) -> Callable[[np.ndarray], np.ndarray]:
    """The reference of StridedSliceGrad into a box of shape [4, 5, 3]."""

    def fn(dy: np.ndarray) -> np.ndarray:
        out = BOX.copy()
        out[key] = dy
        return out

    return fn


ROWS = [
    item(k[1], "index", second=True),
    item(k[-1, :, 0], "indices"),
    item(k[1:3, ::2], "steps", second=True),
    item(k[::-1, 4:0:-2], "backwards", second=True),
    item(k[..., 1:], "ellipsis"),
    item(k[None, ..., 0, None], "new axes", second=True),
    item(k[:, None, 1:2], "new axis inside"),
    item(k[1:100, -100:2], "beyond the ends"),
    item(k[3:1], "empty"),
    item(k[2:2, 0], "empty with index"),
    item(k[:], "all"),
    item(k[-3:-1, 0, :], "negative bounds"),
    item(k[1:], "int", integers(4, 2)),
    item(k[::-1], "bool", np.array([True, False, True])),
    item(k[1:3], "strings", TEXT),
    item(k[()], "no entries", normal(2)),
    Row("StridedSlice", lambda x, i: getitem(x, i), [X, np.int32(2)], lambda x, i: x[i], grad=True, id="index fed"),
    Row("StridedSlice", lambda x, i: getitem(x, i), [X, np.int32(-2)], lambda x, i: x[i], grad=True, id="index from the end fed"),
    Row("StridedSlice", lambda x, i: getitem(x, (i, slice(1, 3), None)), [X, np.int64(2)], lambda x, i: x[i, 1:3, None], grad=True, second=True,
        id="index fed beside a range"),
    Row("StridedSlice", lambda x, i: getitem(x, (slice(None, None, -1), i)), [X, np.int32(2)], lambda x, i: x[::-1, i], grad=True, id="reversed and fed"),
    Row("StridedSlice", lambda x, i: getitem(x, slice(i, None)), [X, np.int32(2)], lambda x, i: x[i:], id="range fed"),
    Row("StridedSlice", lambda x, i: getitem(x, slice(i, i + 2, i)), [X, np.int32(1)], lambda x, i: x[i : i + 2 : i], id="all fed"),
    Row("StridedSlice", lambda x: getitem(x, (slice(shape(x)[2], None), shape(x)[2] - 1)), [X], lambda x: x[3:, 2], grad=True, id="from shape"),
    Row("StridedSlice", lambda x: strided_slice(x, [1, 0, 2], [3, 2, 3], [1, 1, 1]), [X], lambda x: x[1:3, 0:2, 2:3], grad=True, id="function"),
    Row("StridedSlice", lambda x: strided_slice(x, [1], [-1]), [X], lambda x: x[1:-1], grad=True, id="default strides"),
    Row("StridedSlice", lambda x: strided_slice(x, [9, 1], [9, 2], [1, 1], 1, 1), [X], lambda x: x[:, 1:2], grad=True, id="masks"),
    Row("StridedSliceGrad", lambda dy: strided_slice_grad([4, 5, 3], [1, 0], [3, 5], [1, 2], dy), [normal(2, 3, 3)], put(k[1:3, 0:5:2]), grad=True,
        second=True),
    Row("StridedSliceGrad", lambda dy: strided_slice_grad([4, 5, 3], [3, 1], [0, 2], [-2, 1], dy, shrink_axis_mask=2), [normal(2, 3)], put(k[3:0:-2, 1]),
        grad=True, id="backwards"),
    Row("StridedSliceGrad", lambda dy: strided_slice_grad([4, 5, 3], [2], [2], [1], dy), [normal(0, 5, 3)], put(k[2:2]), id="empty"),
    Row("StridedSliceGrad", lambda dy, i: strided_slice_grad([4, 5, 3], [i, 1], [i + 2, 2], [1, 1], dy), [normal(2, 1, 3), np.int32(1)],
        lambda dy, i: put(k[1:3, 1:2])(dy), grad=True, id="begin fed"),
    Row("Slice", lambda x: slice_(x, [1, 0, 2], [2, -1, 1]), [X], lambda x: x[1:3, :, 2:3], grad=True, second=True),
    Row("Slice", lambda x: slice_(x, np.array([0, 5, 0]), np.array([4, 0, -1])), [X], lambda x: x[:, 5:], grad=True, id="empty"),
    Row("Slice", lambda x, i: slice_(x, [i, 0, 1], [2, -1, 2]), [X, np.int32(2)], lambda x, i: x[2:4, :, 1:3], grad=True, second=True, id="begin fed"),
    Row("Slice", lambda x, i: slice_(x, i, [1, 2, 3]), [X, np.array([3, 3, 0])], lambda x, i: x[3:4, 3:5, 0:3], grad=True, id="begin fed as a vector"),
    Row("Slice", lambda x, n: slice_(x, [1, 0, 0], n), [X, np.int32([2, 1, -1])], lambda x, n: x[1:3, :1], id="size fed"),
    Row("Slice", lambda x: slice_(x, [1], [-1]), [TEXT], lambda x: x[1:], id="strings"),
    Row("TensorStridedSliceUpdate", lambda x, v: raw("TensorStridedSliceUpdate")(x, [1, 0], [3, 5], [1, 2], v), [X, normal(2, 3, 3, seed=1)],
        lambda x, v: np.concatenate([x[:1], np.stack([v[:, 0], x[1:3, 1], v[:, 1], x[1:3, 3], v[:, 2]], 1), x[3:]]), grad=True, second=True),
]  # fmt: skip


def unknown() -> Any:
    return placeholder("float32", [None, 5])


ERRORS = [
    ErrorRow("StridedSlice", lambda: getitem(zeros([2, 3]), 2), ValueError, "slice index 2 of dimension 0 out of bounds"),
    ErrorRow("StridedSlice", lambda: getitem(unknown(), (0, -6)), ValueError, "slice index -6 of dimension 1 out of bounds"),
    ErrorRow("StridedSlice", lambda: getitem(zeros([2]), (0, 0)), ValueError, "input has only 1 dims"),
    ErrorRow("StridedSlice", lambda: getitem(zeros([2]), slice(None, None, 0)), ValueError, "must be non-zero"),
    ErrorRow("StridedSlice", lambda: getitem(zeros([2]), 0.5), TypeError, "Only integers, slices"),
    ErrorRow("StridedSlice", lambda: getitem(zeros([2]), "a"), TypeError, "Only integers, slices"),
    ErrorRow("StridedSlice", lambda: getitem(zeros([2]), convert_to_tensor(0.5)), TypeError, "Only integers, slices"),
    ErrorRow("StridedSlice", lambda: getitem(zeros([2]), (..., ...)), ValueError, "Multiple ellipses"),
    ErrorRow("StridedSlice", lambda: strided_slice(zeros([2]), [0, 1], [1]), ValueError, "one length"),
    ErrorRow("Slice", lambda: slice_(zeros([2]), [1], [2]), ValueError, "Expected size"),
    ErrorRow("Slice", lambda: slice_(zeros([2]), [3], [-1]), ValueError, "Expected begin"),
    ErrorRow("Slice", lambda: slice_(zeros([2]), [0, 0], [1, 1]), ValueError, "2 entries for a tensor of rank 1"),
]
