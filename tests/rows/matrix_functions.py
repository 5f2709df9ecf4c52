"""Rows of ir.ops.matrix_functions."""

import numpy as np
import scipy.linalg

from ir.ops import matrix_functions
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, normal

A = normal(2, 3, 3)
POSITIVE = A @ np.swapaxes(A, -1, -2) + np.eye(3, dtype=np.float32)
COMPLEX = (POSITIVE + 1j * normal(2, 3, 3, seed=1) / 2).astype(np.complex64)
JORDAN = np.float32([[4, 1, 0], [0, 4, 1], [0, 0, 4]])
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def each(fn):
    def ref(x):
        wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
        return np.array([fn(m) for m in wide.reshape(-1, *x.shape[-2:])]).reshape(x.shape).astype(x.dtype)

    return ref


ROWS = [
    Row("MatrixExponential", matrix_functions.matrix_exponential, [A], each(scipy.linalg.expm), grad=True, second=True, **CLOSE),
    Row("MatrixExponential", matrix_functions.matrix_exponential, [np.float32([[10, -3], [2, -20]])], each(scipy.linalg.expm), id="large", **CLOSE),
    Row("MatrixExponential", matrix_functions.matrix_exponential, [COMPLEX / 4], each(scipy.linalg.expm), grad=True, id="complex", **CLOSE),
    Row("MatrixExponential", matrix_functions.matrix_exponential, [np.zeros([2, 2], np.float32)], lambda x: np.eye(2, dtype=np.float32), id="zero"),
    Row("MatrixLogarithm", matrix_functions.matrix_logarithm, [COMPLEX], each(scipy.linalg.logm), **CLOSE),
    Row("MatrixLogarithm", matrix_functions.matrix_logarithm, [JORDAN.astype(np.complex64)], each(scipy.linalg.logm), id="defective", **CLOSE),
    Row("MatrixLogarithm", matrix_functions.matrix_logarithm, [np.complex64([[1j, 0], [0, 1000]])], each(scipy.linalg.logm), id="far", **CLOSE),
    Row("MatrixSquareRoot", matrix_functions.matrix_square_root, [POSITIVE], each(scipy.linalg.sqrtm), grad=True, second=True, **CLOSE),
    Row("MatrixSquareRoot", matrix_functions.matrix_square_root, [COMPLEX], each(scipy.linalg.sqrtm), grad=True, id="complex", **CLOSE),
    Row("MatrixSquareRoot", matrix_functions.matrix_square_root, [JORDAN], each(scipy.linalg.sqrtm), grad=True, id="defective", **CLOSE),
]

ERRORS = [
    ErrorRow("MatrixExponential", lambda: matrix_functions.matrix_exponential(zeros([2, 3])), ValueError, "must hold square matrices"),
    ErrorRow("MatrixLogarithm", lambda: matrix_functions.matrix_logarithm(zeros([2, 2])), TypeError, "complex64"),
]
