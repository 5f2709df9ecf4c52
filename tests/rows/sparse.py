"""Rows of ir.ops.sparse, sparse_structure, sparse_api and sparse_embedding."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ir.convert import constant
from ir.indexed_slices import IndexedSlices
from ir.ops import sparse, sparse_api as sp, sparse_structure as raw_ops
from ir.ops.layout import raw, zeros
from ir.ops.sparse_embedding import embedding_lookup_sparse, safe_embedding_lookup_sparse
from ir.sparse_tensor import SparseTensor
from tests.rowdef import ErrorRow, Row, normal

A = np.array([[1.5, 0, -2, 0], [0, 0, 0, 0], [0, 3, 0.5, -1]], np.float32)
B = np.array([[0.5, 1, 0, 0], [0, 2, 0, 0], [0, 0, 4, 1]], np.float32)
CUBE = np.where(np.arange(24).reshape(2, 3, 4) % 5 == 0, normal(2, 3, 4), 0).astype(np.float32)
TEXT = np.array([[b"a", b""], [b"", b"bc"]], object)
DENSE = normal(4, 2)
KEPT = ((A != 0) | (B != 0)) & ((A == 0) | (B == 0) | (np.abs(A + B) >= 1.25))


def parts(a: np.ndarray) -> list[np.ndarray]:
    """(indices, values, dense shape) of a dense array, whose zeros are absent."""
    there = np.array([bool(v) for v in a.reshape(-1)]).reshape(a.shape)
    return [np.argwhere(there), a[there], np.array(a.shape)]


AT, VALUES, SHAPE = parts(A)
BT, B_VALUES, _ = parts(B)
SHUFFLED = np.random.RandomState(0).permutation(len(AT))


def known(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices and shape of a sparse tensor, to be written into a row; its values are fed."""
    return parts(a)[0], parts(a)[2]


def on(a: np.ndarray, fn: Callable[..., Any]) -> Callable[..., Any]:
    """A row's builder: `fn` on the SparseTensor of the places of `a` and the values fed."""
    places, dims = known(a)
    return lambda v, *rest: fn(SparseTensor(places, v, dims), *rest)


def dense(a: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The dense form of the values `v` at the places of `a`."""
    out = np.zeros(a.shape, v.dtype)
    out[tuple(parts(a)[0].T)] = v
    return out


def softmax(v: np.ndarray) -> np.ndarray:
    e = np.where(A != 0, np.exp(dense(A, v)), 0)
    return (e / np.maximum(e.sum(1, keepdims=True), 1e-30))[A != 0]


ONES = np.ones_like
TABLE = normal(6, 3)
ID_AT = np.array([[0, 0], [0, 1], [1, 0], [2, 0], [2, 2]])
IDS, WEIGHTS = np.array([1, 3, 0, 3, 3]), np.array([1, 2, 0.5, 1, 3], np.float32)


def combined(t: np.ndarray, w: np.ndarray, how: str) -> np.ndarray:
    out = []
    for row in range(3):
        here = ID_AT[:, 0] == row
        total = (t[IDS[here]] * w[here, None]).sum(0)
        out.append(total / {"sum": 1, "mean": w[here].sum(), "sqrtn": np.sqrt((w[here] ** 2).sum())}[how])
    return np.stack(out).astype(np.float32)


def ids_of(values: Any) -> SparseTensor:
    return SparseTensor(ID_AT, values, [3, 4])


ROWS = [
    Row("SparseToDense", lambda v: sparse.sparse_to_dense(AT, SHAPE, v, 0.0), [VALUES], lambda v: dense(A, v), grad=True, second=True),
    Row("SparseToDense", lambda v, d: sparse.sparse_to_dense([1, 3], [5], v, d), [normal(2), np.float32(7)], lambda v, d: np.array([d, v[0], d, v[1], d]),
        grad=True, id="vector"),
    Row("SparseToDense", lambda v: sparse.sparse_to_dense(2, [3], v), [np.int32(4)], lambda v: np.int32([0, 0, 4]), id="scalar"),
    Row("SparseToDense", lambda i, v, s: sp.sparse_tensor_to_dense(SparseTensor(i, v, s)), [AT, VALUES, SHAPE], lambda i, v, s: A, id="all fed"),
    Row("SparseToDense", lambda i, v, s: sp.sparse_tensor_to_dense(SparseTensor(i, v, s)), parts(TEXT), lambda i, v, s: TEXT, id="strings"),
    Row("SparseToDense", lambda v: sparse.sparse_to_dense(np.zeros([0, 2], np.int64), [1, 2], v, True), [np.zeros([0], bool)],
        lambda v: np.array([[True, True]]), id="empty"),
    Row("SparseTensorDenseAdd", on(A, sp.add), [VALUES, B], lambda v, b: dense(A, v) + b, grad=True, second=True),
    Row("SparseTensorDenseAdd", on(A, lambda x, b: sp.add(b, x)), [VALUES, B], lambda v, b: dense(A, v) + b, grad=True, id="exchanged"),
    Row("SparseTensorDenseMatMul", on(A, sparse.sparse_tensor_dense_matmul), [VALUES, DENSE], lambda v, b: dense(A, v) @ b, grad=True, second=True),
    Row("SparseTensorDenseMatMul", on(A.T.copy(), lambda x, b: sparse.sparse_tensor_dense_matmul(x, b, True, True)), [parts(A.T.copy())[1], DENSE.T.copy()],
        lambda v, b: dense(A.T, v).T @ b.T, grad=True, second=True, id="adjoint"),
    Row("SparseTensorDenseMatMul", lambda v, w, b: sparse.sparse_tensor_dense_matmul(SparseTensor(AT, raw("Complex")(v, w), SHAPE), b, adjoint_a=True),
        [VALUES, VALUES[::-1].copy(), (normal(3, 2) + 1j * normal(3, 2, seed=3)).astype(np.complex64)],
        lambda v, w, b: (dense(A, v) - 1j * dense(A, w)).T.astype(np.complex64) @ b, grad=True, id="complex"),
    Row("SparseTensorDenseMatMul", lambda i, v, s, b: sparse.sparse_tensor_dense_matmul(SparseTensor(i, v, s), b), [AT, VALUES, SHAPE, DENSE],
        lambda i, v, s, b: A @ b, id="all fed"),
    Row("SparseDenseCwiseMul", on(A, lambda x, y: x * y), [VALUES, B], lambda v, b: [AT, (dense(A, v) * b)[A != 0], SHAPE], grad=True),
    Row("SparseDenseCwiseMul", on(A, lambda x, y: (x * y).values), [VALUES, normal(4)], lambda v, b: (dense(A, v) * b)[A != 0], grad=True, second=True,
        id="row"),
    Row("SparseDenseCwiseMul", on(A, lambda x, y: (x * y).values), [VALUES, normal(3, 1)], lambda v, b: (dense(A, v) * b)[A != 0], grad=True, id="column"),
    Row("SparseDenseCwiseMul", on(A, lambda x, y: (x * y).values), [VALUES, np.float32(3)], lambda v, b: v * b, grad=True, id="scalar"),
    Row("SparseDenseCwiseDiv", on(A, lambda x, y: (x / y).values), [VALUES, B + 5], lambda v, b: (dense(A, v) / b)[A != 0], grad=True, second=True),
    Row("SparseDenseCwiseDiv", on(A, lambda x, y: (x / y).values), [np.int32([7, -7, 8, -8, 9]), np.int32(2)], lambda v, b: np.int32([3, -3, 4, -4, 4]),
        id="int"),
    Row("SparseDenseCwiseAdd", lambda v, b: raw("SparseDenseCwiseAdd")(AT, v, SHAPE, b), [VALUES, B], lambda v, b: (dense(A, v) + b)[A != 0], grad=True),
    Row("SparseReduceSum", on(A, lambda x: sparse.sparse_reduce_sum(x, 1)), [VALUES], lambda v: dense(A, v).sum(1), grad=True, second=True),
    Row("SparseReduceSum", on(CUBE, lambda x: sparse.sparse_reduce_sum(x, [0, -1], keepdims=True)), [parts(CUBE)[1]],
        lambda v: dense(CUBE, v).sum((0, 2), keepdims=True), grad=True, id="keepdims"),
    Row("SparseReduceSum", on(A, sparse.sparse_reduce_sum), [VALUES], lambda v: dense(A, v).sum(), grad=True, id="all"),
    Row("SparseReduceMax", on(A, lambda x: sparse.sparse_reduce_max(x, 1)), [VALUES], lambda v: np.float32([1.5, 0, 3])),
    Row("SparseReduceMax", on(-np.abs(A), lambda x: sparse.sparse_reduce_max(x, 0, keep_dims=True)), [-np.abs(VALUES)],
        lambda v: np.float32([[-1.5, -3, -0.5, -1]]), id="negative"),
    Row("SparseSoftmax", on(A, sparse.sparse_softmax), [VALUES], lambda v: [AT, softmax(v), SHAPE], grad=True, second=True),
    Row("SparseSoftmax", on(CUBE, lambda x: sparse.sparse_softmax(x).values), [parts(CUBE)[1]],
        lambda v: (np.exp(dense(CUBE, v)) * (CUBE != 0) / np.maximum((np.exp(dense(CUBE, v)) * (CUBE != 0)).sum(-1, keepdims=True), 1e-30))[CUBE != 0],
        grad=True, id="rank 3"),
    Row("SparseReorder", lambda v: sp.reorder(SparseTensor(AT[SHUFFLED], v, SHAPE)), [VALUES[SHUFFLED]], lambda v: [AT, VALUES, SHAPE], grad=True, second=True),
    Row("SparseReorder", lambda i, v, s: sp.reorder(SparseTensor(i, v, s)), [AT[::-1].copy(), VALUES[::-1].copy(), SHAPE], lambda i, v, s: [AT, VALUES, SHAPE],
        id="fed"),
    Row("SparseReorder", on(A, sp.transpose_sparse), [VALUES], lambda v: parts(A.T), grad=True, id="transpose"),
    Row("SparseReorder", on(CUBE, lambda x: sp.transpose_sparse(x, [1, 2, 0])), [parts(CUBE)[1]], lambda v: parts(CUBE.transpose(1, 2, 0)), grad=True,
        id="transpose perm"),
    Row("SparseReshape", on(CUBE, lambda x: sp.reshape_sparse(x, [4, -1])), [parts(CUBE)[1]], lambda v: parts(CUBE.reshape(4, 6))),
    Row("SparseReshape", lambda i, s, n: list(raw_ops.sparse_reshape(i, s, n)), [*known(CUBE), np.array([24])], lambda i, s,
        n: [np.argwhere(CUBE.reshape(-1)), n],
        id="fed"),
    Row("SparseConcat", lambda v, w: sp.concat_sparse(1, [SparseTensor(AT, v, SHAPE), SparseTensor(BT, w, SHAPE)]), [VALUES, B_VALUES],
        lambda v, w: parts(np.concatenate([A, B], 1))),
    Row("SparseConcat", lambda v, w: sp.concat_sparse(-1, [SparseTensor(AT, v, SHAPE), SparseTensor([[0, 0]], w, [1, 2])], expand_nonconcat_dims=True),
        [VALUES, np.float32([9])], lambda v, w: parts(np.concatenate([A, np.float32([[9, 0], [0, 0], [0, 0]])], 1)), id="expanded"),
    Row("SparseSplit", lambda i, v: [t for s in sp.split_sparse(sp_input=SparseTensor(i, v, SHAPE), num_split=3, axis=1) for t in (s.indices,
        s.values, s.dense_shape)],
        [AT, VALUES], lambda i, v: [x for a in (A[:, :2], A[:, 2:3], A[:, 3:]) for x in parts(a)]),
    Row("SparseSlice", on(A, lambda x: sp.slice_sparse(x, [1, 1], [5, 2])), [VALUES], lambda v: parts(A[1:, 1:3]), grad=True),
    Row("SparseSliceGrad", lambda g: raw("SparseSliceGrad")(g, AT, np.array([1, 1]), np.array([[1, 0], [1, 1]])), [normal(2)],
        lambda g: np.float32([0, 0, g[0], g[1], 0])),
    Row("SparseFillEmptyRows", on(A, lambda x, d: sp.fill_empty_rows(x, d)), [VALUES, np.float32(9)],
        lambda v, d: [np.array([[0, 0], [0, 2], [1, 0], [2, 1], [2, 2], [2, 3]]), np.float32([1.5, -2, 9, 3, 0.5, -1]), SHAPE, np.array([False, True, False])],
        grad=True),
    Row("SparseFillEmptyRows", lambda i, v, s: sp.fill_empty_rows(SparseTensor(i, v, s), "x"), parts(TEXT), lambda i, v, s: [*parts(TEXT),
        np.array([False, False])],
        id="strings"),
    Row("SparseFillEmptyRowsGrad", lambda m, g: list(raw_ops.sparse_fill_empty_rows_grad(m, g)), [np.array([0, 3]), normal(4)], lambda m, g: [g[[0,
        3]], g[1] + g[2]]),
    Row("SparseAdd", lambda v, w: sp.add(SparseTensor(AT, v, SHAPE), SparseTensor(BT, w, SHAPE)), [VALUES, B_VALUES],
        lambda v, w: [np.argwhere((A != 0) | (B != 0)), (A + B)[(A != 0) | (B != 0)], SHAPE], grad=True),
    Row("SparseAdd", lambda v, w: sp.add(SparseTensor(AT, v, SHAPE), SparseTensor(BT, w, SHAPE), 1.25), [VALUES, B_VALUES],
        # as in TensorFlow, only the sum of two elements is compared with the threshold
        lambda v, w: [np.argwhere(KEPT), (A + B)[KEPT], SHAPE], grad=True, id="threshold"),
    Row("SparseAddGrad", lambda g: list(raw_ops.sparse_add_grad(g, AT[:2], BT[:1], [[0, 0], [0, 2]])), [normal(2)], lambda g: [g, g[:1]]),
    Row("SparseSparseMaximum", lambda v, w: sp.maximum_sparse(SparseTensor(AT, v, SHAPE), SparseTensor(BT, w, SHAPE)), [VALUES, B_VALUES],
        lambda v, w: [np.argwhere((A != 0) | (B != 0)), np.maximum(A, B)[(A != 0) | (B != 0)], SHAPE]),
    Row("SparseSparseMinimum", lambda v, w: sp.minimum_sparse(SparseTensor(AT, v, SHAPE), SparseTensor(BT, w, SHAPE)), [VALUES, B_VALUES],
        lambda v, w: [np.argwhere((A != 0) | (B != 0)), np.minimum(A, B)[(A != 0) | (B != 0)], SHAPE]),
    Row("SparseReduceSumSparse", on(A, lambda x: sp.reduce_sum_sparse(x, 1)), [VALUES], lambda v: [np.array([[0], [2]]), np.float32([-0.5, 2.5]),
        np.array([3])]),
    Row("SparseReduceSumSparse", on(A, lambda x: sp.reduce_sum_sparse(x, 0, keepdims=True)), [VALUES], lambda v: parts(A.sum(0, keepdims=True)), id="keepdims"),
    Row("SparseReduceSumSparse", on(A, sp.reduce_sum_sparse), [VALUES], lambda v: [np.zeros([1, 0], np.int64), A.sum().reshape(1), np.zeros(0,
        np.int64)], id="all"),
    Row("SparseReduceMaxSparse", on(A, lambda x: sp.reduce_max_sparse(x, -1)), [VALUES], lambda v: [np.array([[0], [2]]), np.float32([1.5, 3]), np.array([3])]),
    Row("EditDistance", lambda a, b: sp.edit_distance(SparseTensor(np.argwhere(np.ones([1, 6])), a, [1, 6]), SparseTensor(np.argwhere(np.ones([1,
        7])), b, [1, 7])),
        [np.array(list("kitten"), object), np.array(list("sitting"), object)], lambda a, b: np.float32([3 / 7])),
    Row("EditDistance", lambda a: sp.edit_distance(SparseTensor([[0, 0, 0], [1, 0, 0]], a, [2, 1, 1]),
        SparseTensor([[0, 1, 0], [1, 0, 0], [1, 0, 1], [1, 1, 0]], constant([1, 2, 3, 1]), [2, 2, 2])), [np.int32([1, 2])],
        lambda a: np.float32([[np.inf, 1], [0.5, 1]]), id="absent"),
    Row("EditDistance", lambda a: sp.edit_distance(SparseTensor([[0, 0], [0, 1]], a, [1, 2]), SparseTensor([[0, 0]], constant([1]), [1, 1]), normalize=False),
        [np.int32([2, 3])], lambda a: np.float32([2]), id="not normalized"),
    Row("Where", sp.from_dense, [A], lambda a: parts(A), id="from_dense"),
    Row("Where", on(A, lambda x, k: sp.retain(x, k)), [VALUES, np.array([True, False, True, True, False])], lambda v, k: [AT[k], v[k], SHAPE],
        grad=True, id="retain"),
    Row("ListDiff", lambda v, m: sp.mask(IndexedSlices(v, constant([3, 1, 5]), constant([9, 2])), m), [normal(3, 2), np.int32([5, 2])],
        lambda v, m: [v[:2], np.int32([3, 1])], id="mask"),
    Row("Pack", lambda n: sp.eye(n, 3), [np.int32(2)], lambda n: parts(np.eye(2, 3, dtype=np.float32)), id="eye"),
    Row("ConcatV2", on(A, lambda x: sp.expand_dims_sparse(x, 1)), [VALUES], lambda v: parts(A[:, None]), id="expand_dims"),
    Row("Maximum", on(A, sp.reset_shape), [VALUES], lambda v: [AT, v, np.array([3, 4])], id="reset_shape"),
    Row("Assert", on(A, lambda x, n: sp.reset_shape(x, n)), [VALUES, np.array([4, 4])], lambda v, n: [AT, v, n], id="reset_shape to"),
    Row("SparseReorder", lambda i: sp.to_indicator(SparseTensor([[0, 0], [0, 1], [2, 0]], i, [3, 2]), 4), [np.array([3, 1, 0])],
        lambda i: np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], bool), id="to_indicator"),
    *[Row("SparseSegment" + {"sum": "Sum", "mean": "Mean", "sqrtn": "SqrtN"}[how], lambda t, i, how=how: embedding_lookup_sparse(t, ids_of(i), None,
        combiner=how),
        [TABLE, IDS], lambda t, i, how=how: combined(t, ONES(WEIGHTS), how), grad=True, forget=False, id="embedding") for how in ("sum", "mean", "sqrtn")],
    *[Row("SegmentSum", lambda t, i, w, how=how: embedding_lookup_sparse(t, ids_of(i), ids_of(w), combiner=how), [TABLE, IDS, WEIGHTS],
        lambda t, i, w, how=how: combined(t, w, how), grad=True, forget=False, id=f"embedding {how}") for how in ("sum", "mean", "sqrtn")],
    Row("SparseSegmentMean", lambda t, i: safe_embedding_lookup_sparse([t[:3], t[3:]], SparseTensor(ID_AT, i, [4, 4])), [TABLE, np.array([1, -3, -1, 3, 5])],
        lambda t, i: np.stack([t[1], t[0] * 0, (t[3] + t[5]) / 2, t[0] * 0]), grad=True, forget=False, id="safe embedding"),
    Row("SegmentSum", lambda t, i, w: safe_embedding_lookup_sparse(t, ids_of(i), ids_of(w), combiner="sqrtn", default_id=2), [TABLE, IDS,
        WEIGHTS * np.float32([1, -1, -1, 1, 1])],
        lambda t, i, w: np.stack([t[1], t[2], (t[3] * 4) / np.sqrt(np.float32(10))]), grad=True, forget=False, id="safe embedding with weights"),
]  # fmt: skip


def two() -> SparseTensor:
    return SparseTensor([[0, 0]], [1.0], [2, 2])


ERRORS = [
    ErrorRow("SparseReorder", lambda: sp.reorder(zeros([2])), TypeError, "Input must be a SparseTensor"),
    ErrorRow("SparseReorder", lambda: raw_ops.sparse_reorder([[0, 0]], [1.0, 2.0], [2, 2]), ValueError, "not compatible"),
    ErrorRow("SparseToDense", lambda: sparse.sparse_to_dense([[0, 0]], [2], [1.0], 0.0), ValueError, "output_shape has 1 entries"),
    ErrorRow("SparseTensorDenseMatMul", lambda: sparse.sparse_tensor_dense_matmul(two(), zeros([3, 1])), ValueError, "inner dimension does not match"),
    ErrorRow("SparseTensorDenseAdd", lambda: sp.add(two(), zeros([2, 3])), ValueError, "not compatible"),
    ErrorRow("SparseAdd", lambda: sp.add(zeros([2]), zeros([2])), TypeError, "At least one input should be SparseTensor"),
    ErrorRow("SparseConcat", lambda: sp.concat_sparse(2, [two(), two()]), ValueError, "Concat dimension must be in range"),
    ErrorRow("SparseSplit", lambda: sp.split_sparse(two(), 2, 0), ValueError, "Keyword arguments are required"),
    ErrorRow("SparseReduceSum", lambda: sparse.sparse_reduce_sum(two(), 2), ValueError, "Invalid reduction dimension"),
    ErrorRow("SparseSoftmax", lambda: sparse.sparse_softmax(SparseTensor([[0]], [1.0], [2])), ValueError, "rank at least 2"),
    ErrorRow("SparseSlice", lambda: sp.slice_sparse(two(), [0], [1]), ValueError, "not compatible"),
    ErrorRow("SparseSegmentMean", lambda: embedding_lookup_sparse(zeros([2, 2]), two(), None, combiner="max"), ValueError, "combiner must be one of"),
    ErrorRow("SparseSegmentMean", lambda: safe_embedding_lookup_sparse([], two()), ValueError, "Missing embedding_weights"),
    ErrorRow("Assert", lambda: sp.reset_shape(two(), [1, 2]), ValueError, "at least the old one"),
]
