"""Rows of ir.ops.matmul."""

import ml_dtypes
import numpy as np

from ir.convert import constant
from ir.ops.layout import zeros
from ir.ops.matmul import _batch_mat_mul, matmul, matvec, sparse_matmul
from tests.rowdef import ErrorRow, Row, integers, normal

A, B = normal(2, 3), normal(3, 4, seed=1)
COMPLEX = (normal(2, 3) + 1j * normal(2, 3, seed=2)).astype(np.complex64)
FLAGS = [(False, False), (False, True), (True, False), (True, True)]


def turned(x, flag):
    return np.swapaxes(x, -1, -2) if flag else x


def batched(name, fn, x, y, **kw):
    """All four ways to adjoin, with gradients."""
    return [
        Row(name, lambda x, y, p=p, q=q: fn(x, y, p, q), [turned(x, p), turned(y, q)], lambda x, y, p=p, q=q: turned(x, p) @ turned(y, q),
            grad=True, second=True, rtol=1e-4, atol=1e-5, id=f"{kw.get('id', '')} {p} {q}".strip())
        for p, q in FLAGS
    ]  # fmt: skip


def plain(x, y, p, q):
    return matmul(x, y, transpose_a=p, transpose_b=q)


ROWS = [
    *batched("MatMul", plain, A, B),
    Row("MatMul", matmul, [integers(2, 3), integers(3, 4, seed=1)], np.matmul, id="int"),
    Row("MatMul", matmul, [normal(2, 0), normal(0, 3)], np.matmul, grad=True, id="empty inner"),
    Row("MatMul", matmul, [normal(0, 2), normal(2, 3)], np.matmul, grad=True, id="empty"),
    Row("MatMul", matmul, [normal(2, 3, dtype=np.float16), normal(3, 2, dtype=np.float16)], np.matmul, rtol=1e-2, atol=1e-2, id="half"),
    Row("MatMul", lambda x, y: matmul(x, y, adjoint_a=True), [COMPLEX, COMPLEX], lambda x, y: x.conj().T @ y, grad=True, rtol=1e-4, id="adjoint"),
    Row("MatMul", lambda x, y: matmul(x, y, transpose_b=True), [COMPLEX, COMPLEX], lambda x, y: x @ y.T, grad=True, rtol=1e-4, id="complex"),
    Row("MatMul", matvec, [A, normal(3)], np.matmul, grad=True, forget=False, id="matvec"),
    Row("MatMul", lambda x, y: matvec(x, y, transpose_a=True), [A, normal(2)], lambda x, y: x.T @ y, grad=True, forget=False, id="matvec transposed"),
    *batched("BatchMatMul", _batch_mat_mul, normal(2, 5, 3, 4), normal(2, 5, 4, 2, seed=1)),
    *batched("BatchMatMulV2", plain, normal(2, 3, 4), normal(2, 4, 5, seed=1)),
    *batched("BatchMatMulV2", plain, normal(2, 3, 4), normal(4, 5, seed=1), id="right matrix"),
    *batched("BatchMatMulV2", plain, normal(3, 4), normal(2, 4, 5, seed=1), id="left matrix"),
    *batched("BatchMatMulV2", plain, normal(2, 1, 3, 4), normal(5, 4, 2, seed=1), id="broadcast"),
    Row("BatchMatMulV2", lambda x, y: matmul(x, y, adjoint_b=True), [np.stack([COMPLEX] * 2), COMPLEX], lambda x, y: x @ y.conj().T, grad=True, rtol=1e-4,
        id="complex"),
    Row("BatchMatMulV2", matmul, [normal(0, 2, 3), normal(3, 4)], np.matmul, grad=True, id="empty batch"),
    Row("BatchMatMulV2", matmul, [integers(2, 2, 3), integers(3, 4, seed=1)], np.matmul, id="int"),
    *batched("SparseMatMul", lambda x, y, p, q: sparse_matmul(x, y, p, q, True), A * (A > 0), B),
    Row("SparseMatMul", lambda x, y: matmul(x, y, a_is_sparse=True), [A, B], np.matmul, forget=False, id="matmul"),
    Row("SparseMatMul", sparse_matmul, [A.astype(ml_dtypes.bfloat16), B], lambda x, y: x.astype(np.float32) @ y, rtol=1e-2, id="bfloat16"),
]  # fmt: skip

ERRORS = [
    ErrorRow("MatMul", lambda: matmul(zeros([2, 3]), zeros([4, 5])), ValueError, r"inner dimensions differ: 3 and 4, of \(2, 3\) and \(4, 5\)"),
    ErrorRow("MatMul", lambda: matmul(zeros([2, 3]), zeros([2, 3]), transpose_a=True, adjoint_a=True), ValueError, "Only one of transpose_a and adjoint_a"),
    ErrorRow("MatMul", lambda: matmul(constant([1.0]), constant([[1.0]])), ValueError, "must have rank 2"),
    ErrorRow("BatchMatMulV2", lambda: matmul(zeros([2, 3, 4]), zeros([3, 4, 5])), ValueError, "Dimensions must be equal, but are 2 and 3"),
    ErrorRow("BatchMatMul", lambda: _batch_mat_mul(zeros([2, 3, 4]), zeros([3, 4, 5])), ValueError, "not compatible"),
]
