"""Rows of ir.ops.linalg."""

import numpy as np

from ir.ops import linalg
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal

EYE = np.eye(3, dtype=np.float32)
A = normal(2, 3, 3) + 3 * EYE
B = normal(2, 3, 2, seed=1)
COMPLEX = (A + 1j * normal(2, 3, 3, seed=2)).astype(np.complex64)
COMPLEX_B = (B + 1j * normal(2, 3, 2, seed=3)).astype(np.complex64)
POSITIVE = A @ np.swapaxes(A, -1, -2) + EYE
HERMITIAN = COMPLEX @ np.swapaxes(COMPLEX.conj(), -1, -2) + EYE
TALL, WIDE = normal(2, 4, 3), normal(2, 2, 3, seed=4)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def adj(x):
    return np.swapaxes(x, -1, -2).conj()


def positive(x):
    """A positive definite matrix from any, so that finite differences keep to what Cholesky reads."""
    return linalg.matmul(x, x, adjoint_b=True) + EYE.astype(x.dtype.np_dtype)


def triangular(lower, adjoint):
    def ref(a, b):
        a = np.tril(a) if lower else np.triu(a)
        return np.linalg.solve(adj(a) if adjoint else a, b)

    return Row("MatrixTriangularSolve", lambda a, b: linalg.matrix_triangular_solve(a, b, lower, adjoint), [A, B], ref, grad=True, second=True,
               id=f"{lower} {adjoint}", **CLOSE)  # fmt: skip


def least_squares(a, b, weight):
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    if a.shape[-2] >= a.shape[-1]:
        return np.linalg.solve(adj(a64) @ a64 + weight * np.eye(a.shape[-1]), adj(a64) @ b64).astype(a.dtype)
    return (adj(a64) @ np.linalg.solve(a64 @ adj(a64) + weight * np.eye(a.shape[-2]), b64)).astype(a.dtype)


def _cholesky_grad(factor, dfactor):
    """By differentiating the factor of a matrix that is varied symmetrically, element by element."""
    a = (factor @ adj(factor)).astype(np.float64)
    out = np.zeros_like(a)
    n = a.shape[-1]
    for i in range(n):
        for j in range(n):
            e = np.zeros((n, n))
            e[i, j] += 0.5e-6
            e[j, i] += 0.5e-6
            d = (np.linalg.cholesky(a + e) - np.linalg.cholesky(a - e)) / 2e-6
            out[..., i, j] = (d * np.tril(dfactor)).sum((-1, -2))
    return out.astype(factor.dtype)


ROWS = [
    Row("Cholesky", linalg.cholesky, [POSITIVE], np.linalg.cholesky, **CLOSE),
    Row("Cholesky", lambda x: linalg.cholesky(positive(x)), [A], lambda x: np.linalg.cholesky(x @ adj(x) + EYE), grad=True,
        second=True, id="gradient", **CLOSE),
    Row("Cholesky", lambda x: linalg.cholesky(positive(x)), [COMPLEX], lambda x: np.linalg.cholesky(x @ adj(x) + EYE), grad=True, id="complex", **CLOSE),
    Row("Cholesky", linalg.cholesky, [POSITIVE[0] + np.triu(normal(3, 3), 1)], lambda x: np.linalg.cholesky(POSITIVE[0]), id="lower only", **CLOSE),
    Row("CholeskyGrad", linalg.cholesky_grad, [np.linalg.cholesky(POSITIVE), normal(2, 3, 3, seed=5)], _cholesky_grad, rtol=1e-3, atol=1e-4),
    Row("MatrixInverse", linalg.matrix_inverse, [A], np.linalg.inv, grad=True, second=True, **CLOSE),
    Row("MatrixInverse", lambda x: linalg.matrix_inverse(x, adjoint=True), [COMPLEX], lambda x: np.linalg.inv(adj(x)), grad=True, id="adjoint", **CLOSE),
    Row("MatrixDeterminant", linalg.matrix_determinant, [A], np.linalg.det, grad=True, second=True, **CLOSE),
    Row("MatrixDeterminant", linalg.matrix_determinant, [COMPLEX], np.linalg.det, grad=True, id="complex", **CLOSE),
    Row("LogMatrixDeterminant", linalg.slogdet, [A * np.float32([[[1]], [[-1]]])], lambda x: list(np.linalg.slogdet(x)), **CLOSE),
    Row("LogMatrixDeterminant", lambda x: linalg.slogdet(x).log_abs_determinant, [A], lambda x: np.linalg.slogdet(x)[1], grad=True, second=True,
        id="log", **CLOSE),
    Row("MatrixSolve", linalg.matrix_solve, [A, B], np.linalg.solve, grad=True, second=True, **CLOSE),
    Row("MatrixSolve", lambda a, b: linalg.matrix_solve(a, b, adjoint=True), [COMPLEX, COMPLEX_B], lambda a, b: np.linalg.solve(adj(a), b), grad=True,
        id="adjoint", **CLOSE),
    *[triangular(lower, adjoint) for lower in (True, False) for adjoint in (True, False)],
    Row("MatrixTriangularSolve", lambda a, b: linalg.matrix_triangular_solve(a, b, adjoint=True), [COMPLEX, COMPLEX_B],
        lambda a, b: np.linalg.solve(adj(np.tril(a)), b), grad=True, id="complex", **CLOSE),
    Row("MatrixSolveLs", lambda a, b: linalg.matrix_solve_ls_op(a, b, 0.1), [TALL, normal(2, 4, 2, seed=6)], lambda a, b: least_squares(a, b, 0.1), grad=True,
        id="tall", forget=False, **CLOSE),
    Row("MatrixSolveLs", lambda a, b: linalg.matrix_solve_ls_op(a, b, 0.1), [WIDE, normal(2, 2, 2, seed=6)], lambda a, b: least_squares(a, b, 0.1), grad=True,
        id="wide", forget=False, **CLOSE),
    Row("MatrixSolveLs", lambda a, b: linalg.matrix_solve_ls_op(a, b, 0.0, fast=False), [TALL, normal(2, 4, 2, seed=6)], lambda a, b: np.linalg.pinv(a) @ b,
        id="slow", **CLOSE),
    Row("Cross", linalg.cross, [normal(2, 3), normal(2, 3, seed=1)], np.cross, grad=True, second=True),
    Row("Cross", linalg.cross, [integers(3), integers(3, seed=1)], np.cross, id="int"),
    Row("Transpose", linalg.matrix_transpose, [B], lambda x: np.swapaxes(x, -1, -2), grad=True, id="matrix_transpose"),
    Row("ConjugateTranspose", linalg.adjoint, [COMPLEX], adj, grad=True, id="adjoint"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Cholesky", lambda: linalg.cholesky(zeros([2, 3])), ValueError, "Dimensions must be equal, but are 2 and 3: input must hold square"),
    ErrorRow("MatrixSolve", lambda: linalg.matrix_solve(zeros([3, 3]), zeros([2, 1])), ValueError, "not compatible"),
    ErrorRow("MatrixInverse", lambda: linalg.matrix_inverse(zeros([3])), ValueError, "rank at least 2"),
    ErrorRow("Cross", lambda: linalg.cross(zeros([2]), zeros([2])), ValueError, "only defined for 3-element vectors"),
    ErrorRow("Transpose", lambda: linalg.matrix_transpose(zeros([2])), ValueError, "rank >= 2"),
]
