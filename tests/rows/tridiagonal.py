"""Rows of ir.ops.tridiagonal."""

import numpy as np

from ir.ops import tridiagonal
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, normal

D, B = normal(2, 3, 5) + np.float32([[0], [4], [0]]), normal(2, 5, 2, seed=1)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
NEEDS_PIVOT = np.float32([[1, 2, 3, 0], [0, 0, 0, 1], [0, 1, 4, 2]])
COMPLEX = (D + 1j * normal(2, 3, 5, seed=2)).astype(np.complex64)


def full(d):
    """The matrices of given diagonals."""
    n = d.shape[-1]
    m = np.zeros((*d.shape[:-2], n, n), d.dtype)
    for i in range(n):
        m[..., i, i] = d[..., 1, i]
        if i:
            m[..., i - 1, i], m[..., i, i - 1] = d[..., 0, i - 1], d[..., 2, i]
    return m


def solved(d, b):
    return np.linalg.solve(full(d), b)


ROWS = [
    Row("TridiagonalSolve", tridiagonal.tridiagonal_solve, [D, B], solved, grad=True, second=True, **CLOSE),
    Row("TridiagonalSolve", lambda d, b: tridiagonal.tridiagonal_solve(d, b, partial_pivoting=False), [D, B], solved, grad=True, id="no pivoting", **CLOSE),
    Row("TridiagonalSolve", tridiagonal.tridiagonal_solve, [NEEDS_PIVOT, normal(4)], solved, forget=False, id="pivoting", **CLOSE),
    Row("TridiagonalSolve", tridiagonal.tridiagonal_solve, [COMPLEX, B.astype(np.complex64)], solved, grad=True, id="complex", **CLOSE),
    Row("TridiagonalSolve", lambda u, m, w, b: tridiagonal.tridiagonal_solve([u, m, w], b, "sequence", transpose_rhs=True),
        [D[0, 0, :4], D[0, 1], D[0, 2, 1:], np.ascontiguousarray(B[0].T)], lambda u, m, w, b: solved(D[0], b.T).T, grad=True, forget=False,
        id="sequence", **CLOSE),
    Row("TridiagonalSolve", lambda m, b: tridiagonal.tridiagonal_solve(m, b, "matrix"), [full(D), B], np.linalg.solve, forget=False, id="matrix", **CLOSE),
    Row("TridiagonalSolve", tridiagonal.tridiagonal_solve, [D[:, :, :1], B[:, :1]], lambda d, b: b / d[:, 1:2], id="one row", **CLOSE),
    Row("TridiagonalMatMul", tridiagonal.tridiagonal_matmul, [D, B], lambda d, b: full(d) @ b, grad=True, second=True, **CLOSE),
    Row("TridiagonalMatMul", tridiagonal.tridiagonal_matmul, [COMPLEX, B.astype(np.complex64)], lambda d, b: full(d) @ b, grad=True, id="complex", **CLOSE),
]  # fmt: skip

ERRORS = [
    ErrorRow("TridiagonalSolve", lambda: tridiagonal.tridiagonal_solve(zeros([2, 3]), zeros([3, 1])), ValueError, "must have 3 rows"),
    ErrorRow("TridiagonalSolve", lambda: tridiagonal.tridiagonal_solve(zeros([3, 3]), zeros([3]), "dense"), ValueError, "Unrecognized diagonals_format"),
    ErrorRow("TridiagonalSolve", lambda: tridiagonal.tridiagonal_solve([zeros([3])], zeros([3]), "sequence"), ValueError, "sequence of length 3"),
]
