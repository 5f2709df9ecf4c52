"""Rows of ir.ops.gather."""

import numpy as np

from ir.dtypes import int64
from ir.ops.gather import (
    batch_gather,
    gather,
    gather_nd,
    one_hot,
    scatter_nd,
    scatter_nd_non_aliasing_add,
    tensor_scatter_add,
    tensor_scatter_sub,
    tensor_scatter_update,
)  # fmt: skip
from ir.ops.layout import raw, shape, zeros
from tests.rowdef import ErrorRow, Row, integers, normal

X = normal(4, 5, 3)
TEXT = np.array([b"a", b"bc", b""], object)
ROWS_OF = np.int32([[2, 0], [2, 3]])
PAIRS = np.array([[[0, 1], [3, 4]], [[0, 1], [2, 2]]])
B = integers(4, 2, high=3)


def scattered(indices: np.ndarray, updates: np.ndarray, out: np.ndarray, ufunc: np.ufunc = np.add) -> np.ndarray:
    out = out.copy()
    ufunc.at(out, tuple(np.moveaxis(indices, -1, 0)), updates)
    return out


def replaced(x: np.ndarray, i: np.ndarray, u: np.ndarray) -> np.ndarray:
    out = x.copy()
    out[tuple(np.moveaxis(i, -1, 0))] = u
    return out


PLACES = np.int32([[1], [1], [5], [0]])

ROWS = [
    Row("Gather", raw("Gather"), [X, ROWS_OF], lambda x, i: x[i], grad=True),
    Row("GatherV2", gather, [X, ROWS_OF], lambda x, i: x[i], grad=True, second=True),
    Row("GatherV2", gather, [X, np.int64(2)], lambda x, i: x[i], grad=True, id="scalar"),
    Row("GatherV2", gather, [X, np.zeros([0], np.int32)], lambda x, i: x[i], grad=True, id="none"),
    Row("GatherV2", lambda x, i: gather(x, i, axis=1), [X, ROWS_OF], lambda x, i: x[:, i], grad=True, second=True, forget=False, id="axis"),
    Row("GatherV2", lambda x, i: gather(x, i, axis=-1), [X, np.int32([2, 0, 2])], lambda x, i: x[..., i], grad=True, id="last axis"),
    Row("GatherV2", lambda x, i: gather(x, i, batch_dims=1), [X, B], lambda x, i: np.stack([r[j] for r, j in zip(x, i, strict=True)]), grad=True, second=True,
        id="batch"),
    Row("GatherV2", lambda x, i: gather(x, i, axis=2, batch_dims=1), [X, B], lambda x, i: np.stack([r[:, j] for r, j in zip(x, i, strict=True)]), grad=True,
        id="batch and axis"),
    Row("GatherV2", lambda x, i: gather(x, i, axis=2, batch_dims=2), [X, integers(4, 5, 2, high=3)], lambda x, i: np.take_along_axis(x, i, 2), grad=True,
        id="two batch dims"),
    Row("GatherV2", batch_gather, [X[:, :, 0], B], lambda x, i: np.take_along_axis(x, i, 1), grad=True, forget=False, id="batch_gather"),
    Row("GatherV2", gather, [TEXT, np.int32([2, 0])], lambda x, i: x[i], id="strings"),
    Row("GatherV2", lambda x: gather(shape(x), [2, 0]), [X], lambda x: np.int32([3, 4]), id="shape"),
    Row("GatherV2", lambda x, a: gather(x, [1, 0], axis=a), [X, np.int32(1)], lambda x, a: x[:, [1, 0]], id="axis fed"),
    Row("GatherNd", gather_nd, [X, PAIRS], lambda x, i: x[i[..., 0], i[..., 1]], grad=True, second=True),
    Row("GatherNd", gather_nd, [X, np.int32([[2], [0], [2]])], lambda x, i: x[[2, 0, 2]], grad=True, id="rows"),
    Row("GatherNd", gather_nd, [X, np.int32([3, 4, 2])], lambda x, i: x[3, 4, 2], grad=True, id="element"),
    Row("GatherNd", gather_nd, [X, np.zeros([2, 0], np.int32)], lambda x, i: np.stack([x, x]), grad=True, id="whole"),
    Row("GatherNd", lambda x, i: gather_nd(x, i, batch_dims=1), [X, B[:, :, None]], lambda x, i: np.stack([r[j[:, 0]] for r, j in zip(x, i, strict=True)]),
        grad=True, forget=False, id="batch"),
    Row("GatherNd", gather_nd, [TEXT, np.int32([[1]])], lambda x, i: x[[1]], id="strings"),
    Row("ScatterNd", lambda i, u: scatter_nd(i, u, [7, 5, 3]), [PLACES, X], lambda i, u: scattered(i, u, np.zeros([7, 5, 3], np.float32)), grad=True,
        second=True),
    Row("ScatterNd", lambda i, u: scatter_nd(i, u, np.array([4, 5])), [PAIRS, normal(2, 2)], lambda i, u: scattered(i, u, np.zeros([4, 5],
        np.float32)), grad=True,
        id="elements"),
    Row("ScatterNd", lambda i, u: scatter_nd(i, u, [3]), [np.int32([[0], [0]]), np.array([True, True])], lambda i, u: np.array([True, False, False]),
        id="bool"),
    Row("ScatterNd", lambda i, u: scatter_nd(i, u, [3]), [np.int32([[0], [2]]), TEXT[:2]], lambda i, u: np.array([b"a", b"", b"bc"], object), id="strings"),
    Row("ScatterNd", lambda i, u, s: scatter_nd(i, u, s), [np.int32([[0], [2]]), normal(2), np.int32([4])],
        lambda i, u, s: scattered(i, u, np.zeros(4, np.float32)), id="shape fed"),
    Row("TensorScatterAdd", tensor_scatter_add, [normal(7, 5, 3, seed=1), PLACES, X], lambda x, i, u: scattered(i, u, x), grad=True, second=True),
    Row("TensorScatterSub", tensor_scatter_sub, [normal(7, 5, 3, seed=1), PLACES, X], lambda x, i, u: scattered(i, u, x, np.subtract), grad=True, second=True),
    Row("TensorScatterSub", tensor_scatter_sub, [integers(4, 5), PAIRS, integers(2, 2)], lambda x, i, u: scattered(i, u, x, np.subtract), id="int"),
    Row("TensorScatterUpdate", tensor_scatter_update, [normal(7, 5, 3, seed=1), np.int32([[6], [2]]), X[:2]], replaced, grad=True, second=True),
    Row("ScatterNdNonAliasingAdd", scatter_nd_non_aliasing_add, [normal(7, 5, 3, seed=1), PLACES, X], lambda x, i, u: scattered(i, u, x), grad=True),
    Row("OneHot", lambda i: one_hot(i, 3), [np.int32([2, -1, 3, 0])], lambda i: np.float32([[0, 0, 1], [0, 0, 0], [0, 0, 0], [1, 0, 0]])),
    Row("OneHot", lambda i: one_hot(i, 4, 5, 2, axis=0), [integers(2, 3, high=4, dtype=np.int64)], lambda i: np.where(i == np.arange(4)[:, None,
        None], 5, 2).astype(np.int32),
        id="axis"),
    Row("OneHot", lambda i: one_hot(i, 300, True, False, axis=1), [np.uint8([[255, 7]])], lambda i: i[:, None, :] == np.arange(300)[:, None], id="uint8 bool"),
    Row("OneHot", lambda i: one_hot(i, 2, dtype=int64), [np.array(1)], lambda i: np.array([0, 1]), id="scalar"),
    Row("OneHot", lambda i, a, b: one_hot(i, 2, a, b), [np.array([1]), np.float64(3), np.float64(4)], lambda i, a, b: np.array([[4.0, 3.0]]), id="values fed"),
    Row("OneHot", lambda i: one_hot(i, 2, "x", "y"), [np.array([1])], lambda i: np.array([[b"y", b"x"]], object), id="strings"),
    Row("OneHot", lambda i, n: one_hot(i, n), [np.array([1]), np.int32(3)], lambda i, n: np.float32([[0, 1, 0]]), id="depth fed"),
]  # fmt: skip

ERRORS = [
    ErrorRow("GatherV2", lambda: gather(zeros([]), [0]), ValueError, "at least a vector"),
    ErrorRow("GatherV2", lambda: gather(zeros([2]), [0], axis=1), ValueError, "axis = 1 not in"),
    ErrorRow("GatherV2", lambda: gather(zeros([2, 3]), [0, 0, 0], batch_dims=1), ValueError, "not compatible"),
    ErrorRow("GatherNd", lambda: gather_nd(zeros([2]), [[0, 0]]), ValueError, "must be <= params.rank"),
    ErrorRow("ScatterNd", lambda: scatter_nd([[0]], zeros([2]), [3]), ValueError, "updates must have shape"),
    ErrorRow("TensorScatterAdd", lambda: tensor_scatter_add(zeros([3]), [[0, 1]], zeros([1])), ValueError, "do not index"),
    ErrorRow("OneHot", lambda: one_hot([0], -1), ValueError, "depth must be non-negative"),
    ErrorRow("OneHot", lambda: one_hot([0], 2, axis=2), ValueError, "not in"),
    ErrorRow("OneHot", lambda: one_hot([0], 2, 1, 0.5), TypeError, "does not match dtype"),
    ErrorRow("OneHot", lambda: one_hot([0], 2, 1, dtype="float32"), TypeError, "does not match dtype parameter"),
]
