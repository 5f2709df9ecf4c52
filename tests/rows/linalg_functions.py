"""Rows of ir.ops.linalg_functions."""

import numpy as np

from ir.ops import linalg_functions as functions
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, normal

X = normal(2, 3, 4)
A = normal(2, 3, 3, seed=1)
TALL, WIDE, RHS = normal(2, 4, 3, seed=2), normal(2, 3, 4, seed=3), normal(2, 4, 2, seed=4)
POSITIVE = A @ np.swapaxes(A, -1, -2) + np.eye(3, dtype=np.float32)
LOW_RANK = TALL[:, :, :1] * normal(3, seed=5)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def norm(op, order, axis, keepdims=False):
    def ref(x):
        if axis is None:
            return np.linalg.norm(x.reshape(-1), order, keepdims=keepdims) if not keepdims else np.linalg.norm(x.reshape(-1), order).reshape((1,) * x.ndim)
        return np.linalg.norm(x, "fro" if order is None and isinstance(axis, tuple) else order, axis, keepdims)

    return Row(op, lambda x: functions.norm(x, "euclidean" if order is None else order, axis, keepdims), [X], ref, grad=True, second=order in (None, 3),
               id=f"norm {order} {axis}{' keep' * keepdims}", forget=not isinstance(axis, tuple) or axis == (-2, -1), **CLOSE)  # fmt: skip


def _solved(a, b, weight):
    g = np.swapaxes(a, -1, -2) @ a if a.shape[-2] >= a.shape[-1] else a @ np.swapaxes(a, -1, -2)
    inverse = np.linalg.inv(g + np.float32(weight) * np.eye(g.shape[-1], dtype=a.dtype))
    t = np.swapaxes(a, -1, -2)
    return inverse @ t @ b if a.shape[-2] >= a.shape[-1] else t @ inverse @ b


def _normalized(x):
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return [x / length, length]


ROWS = [
    *[norm("Sqrt", None, axis) for axis in (None, 1, -1, (0, 2), (-2, -1))],
    *[norm("Abs", order, axis) for order in (1, np.inf, 3) for axis in (None, -1)],
    *[norm("Abs", order, (-2, -1)) for order in (1, np.inf)],
    norm("Svd", 2, (-2, -1)),
    norm("Svd", 2, (2, 0)),
    norm("Sqrt", 2, 1, True),
    norm("Abs", 1, (1, 2), True),
    norm("Sqrt", None, None, True),
    Row("RealDiv", lambda x: functions.normalize(x, axis=1), [X], _normalized, grad=True, id="normalize", **CLOSE),
    Row("MatrixTriangularSolve", functions.cholesky_solve, [np.linalg.cholesky(POSITIVE), RHS[:, :3]],
        lambda c, b: np.linalg.solve(c @ np.swapaxes(c, -1, -2), b), grad=True, id="cholesky_solve", **CLOSE),
    Row("Cholesky", functions.logdet, [POSITIVE], lambda x: np.log(np.linalg.det(x)), id="logdet", **CLOSE),
    Row("Cholesky", lambda a, b: functions.matrix_solve_ls(a, b), [TALL, RHS], lambda a, b: _solved(a, b, 0), grad=True, forget=False, id="matrix_solve_ls",
        rtol=1e-3, atol=1e-3),
    Row("Cholesky", lambda a, b: functions.matrix_solve_ls(a, b, 0.5), [TALL, RHS], lambda a, b: _solved(a, b, 0.5), grad=True, forget=False,
        id="matrix_solve_ls regularized", **CLOSE),
    Row("Cholesky", lambda a, b: functions.matrix_solve_ls(a, b, 0.5), [WIDE, RHS[:, :3]], lambda a, b: _solved(a, b, 0.5), grad=True, forget=False,
        id="matrix_solve_ls wide", **CLOSE),
    Row("MatrixSolveLs", lambda a, b: functions.matrix_solve_ls(a, b, fast=False), [TALL, RHS], lambda a, b: _solved(a, b, 0), id="matrix_solve_ls slow",
        **CLOSE),
    Row("Svd", functions.matrix_rank, [np.concatenate([TALL, LOW_RANK])], lambda x: np.int32([3, 3, 1, 1]), id="matrix_rank"),
    Row("Svd", lambda x: functions.matrix_rank(x, tol=1e3), [TALL], lambda x: np.int32([0, 0]), id="matrix_rank tolerance"),
    Row("Svd", functions.pinv, [TALL], np.linalg.pinv, grad=True, forget=False, id="pinv", **CLOSE),
    Row("Svd", functions.pinv, [WIDE], np.linalg.pinv, id="pinv wide", **CLOSE),
    Row("Svd", functions.pinv, [LOW_RANK], lambda x: np.linalg.pinv(x, rcond=1e-5), id="pinv of low rank", rtol=1e-3, atol=1e-4),
]  # fmt: skip

ERRORS = [
    ErrorRow("Sqrt", lambda: functions.norm(zeros([2, 2]), axis=[0, 1, 2]), ValueError, "tuple of 2 unique integers"),
    ErrorRow("Sqrt", lambda: functions.norm(zeros([2, 2]), ord="fro", axis=1), ValueError, "supported vector norm, got fro"),
    ErrorRow("Sqrt", lambda: functions.norm(zeros([2, 2]), ord=3, axis=[0, 1]), ValueError, "supported matrix norm"),
    ErrorRow("Sqrt", lambda: functions.norm(zeros([2, 2]), ord=-1), ValueError, "supported vector norm, got -1"),
    ErrorRow("Svd", lambda: functions.pinv(zeros([2, 2], "int32")), TypeError, "`float`-like"),
]
