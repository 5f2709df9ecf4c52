"""Rows of ir.ops.diag."""

import numpy as np

from ir.ops import diag
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal

X, V = normal(2, 3, 4), normal(2, 3, seed=1)
BANDS = normal(2, 3, 3, seed=2)


def place(out, diagonal, low, high):
    """Writes diagonals, from the highest to the lowest and aligned to the left, into matrices."""
    for d in range(low, high + 1):
        values = diagonal if low == high else diagonal[..., high - d, :]
        for i in range(min(out.shape[-2] + min(d, 0), out.shape[-1] - max(d, 0))):
            out[..., i + max(-d, 0), i + max(d, 0)] = values[..., i]
    return out


def laid(shape, low, high, padding=0):
    return lambda d: place(np.full((*d.shape[: -1 if low == high else -2], *shape), padding, d.dtype), d, low, high)


def part(low, high, padding=0):
    def ref(x):
        rows, columns = x.shape[-2:]
        length = min(rows + min(high, 0), columns - max(low, 0))
        out = np.full((*x.shape[:-2], high - low + 1, length), padding, x.dtype)
        for d in range(low, high + 1):
            values = np.diagonal(x, d, -2, -1)
            out[..., high - d, : values.shape[-1]] = values
        return out[..., 0, :] if low == high else out

    return ref


def band(lower, upper):
    def ref(x):
        m, n = np.indices(x.shape[-2:])
        return x * ((lower < 0) | (m - n <= lower)) * ((upper < 0) | (n - m <= upper))

    return ref


ROWS = [
    Row("Diag", diag.diag, [normal(3)], np.diag, grad=True, second=True),
    Row("Diag", diag.diag, [V], lambda x: np.diag(x.reshape(-1)).reshape(2, 3, 2, 3), grad=True, id="matrix"),
    Row("Diag", diag.diag, [integers(0)], lambda x: np.zeros([0, 0], np.int32), id="empty"),
    Row("DiagPart", diag.diag_part, [normal(3, 3)], np.diag, grad=True, second=True),
    Row("DiagPart", diag.diag_part, [normal(2, 3, 2, 3)], lambda x: np.diag(x.reshape(6, 6)).reshape(2, 3), grad=True, id="tensor"),
    Row("MatrixDiag", diag.matrix_diag, [V], laid((3, 3), 0, 0), grad=True, second=True),
    Row("MatrixDiag", diag.matrix_diag, [np.float32([1, np.nan, np.inf])], laid((3, 3), 0, 0), id="not finite"),
    Row("MatrixDiag", diag.matrix_diag, [np.array([True, False])], laid((2, 2), 0, 0), id="bool"),
    Row("MatrixDiagPart", diag.matrix_diag_part, [X], part(0, 0), grad=True, second=True),
    Row("MatrixDiagPart", diag.matrix_diag_part, [normal(3, 3)], part(0, 0), grad=True, id="square"),
    Row("MatrixDiagPart", diag.matrix_diag_part, [normal(4, 2)], part(0, 0), grad=True, id="tall"),
    Row("MatrixSetDiag", diag.matrix_set_diag, [X, V], lambda x, d: place(x.copy(), d, 0, 0), grad=True, second=True),
    Row("MatrixSetDiag", diag.matrix_set_diag, [normal(4, 2), normal(2)], lambda x, d: place(x.copy(), d, 0, 0), grad=True, id="tall"),
    *[
        Row("MatrixDiagV2", lambda x, a=args: diag.matrix_diag(x, **a), [d], ref, grad=True, id=str(args))
        for d, args, ref in (
            (V, {"k": 1}, laid((4, 4), 1, 1)),
            (V, {"k": -2}, laid((5, 5), -2, -2)),
            (V, {"k": 0, "padding_value": 7.0}, laid((3, 3), 0, 0, 7)),
            (V, {"k": 1, "num_rows": 3}, laid((3, 4), 1, 1)),
            (V, {"k": -1, "num_rows": 4, "num_cols": 5}, laid((4, 5), -1, -1)),
            (BANDS, {"k": (-1, 1)}, laid((3, 3), -1, 1)),
            (BANDS, {"k": (-1, 1), "num_cols": 4, "padding_value": -1.0}, laid((3, 4), -1, 1, -1)),
        )
    ],
    *[
        Row("MatrixDiagPartV2", lambda x, k=k, p=p: diag.matrix_diag_part(x, k=k, padding_value=p), [X], part(*(k if isinstance(k, tuple) else (k, k)), p),
            grad=True, second=True, id=f"{k} {p}")
        for k, p in ((1, 0.0), (-1, 0.0), (3, 0.0), ((-1, 2), 0.0), ((-2, -1), 5.0), ((0, 0), 9.0))
    ],
    Row("MatrixSetDiagV2", lambda x, d: diag.matrix_set_diag(x, d, k=1), [X, V], lambda x, d: place(x.copy(), d, 1, 1), grad=True, second=True),
    Row("MatrixSetDiagV2", lambda x, d: diag.matrix_set_diag(x, d, k=(-1, 1)), [X, BANDS], lambda x, d: place(x.copy(), d, -1, 1), grad=False, id="band"),
    *[Row("MatrixBandPart", lambda x, n=n: diag.matrix_band_part(x, *n), [X], band(*n), grad=True, id=str(n))
      for n in ((0, -1), (-1, 0), (0, 0), (1, 2), (9, 9))],
    Row("MatrixBandPart", diag.matrix_band_part, [X, np.int32(1), np.int32(-1)], lambda x, a, b: band(1, -1)(x), grad=True, id="fed"),
    Row("MatrixBandPart", lambda x: diag.matrix_band_part(x, np.int64(0), np.int64(0)), [np.full([2, 2], np.inf, np.float32)],
        lambda x: np.float32([[np.inf, 0], [0, np.inf]]), id="not finite"),
    Row("MatrixDiagPart", diag.trace, [X], lambda x: np.trace(x, axis1=-2, axis2=-1), grad=True, id="trace"),
    Row("MatrixDiag", lambda: diag.eye(3), [], lambda: np.eye(3, dtype=np.float32), id="eye"),
    Row("MatrixSetDiag", lambda: diag.eye(2, 3, batch_shape=[4], dtype="int32"), [], lambda: np.stack([np.eye(2, 3, dtype=np.int32)] * 4), id="eye batch"),
    Row("MatrixSetDiag", lambda x: diag.eye(x.shape[0], 2), [X], lambda x: np.eye(2, dtype=np.float32), forget=False, id="eye square"),
]  # fmt: skip

ERRORS = [
    ErrorRow("DiagPart", lambda: diag.diag_part(zeros([2, 3])), ValueError, "not compatible"),
    ErrorRow("DiagPart", lambda: diag.diag_part(zeros([2, 3, 2])), ValueError, "even and non-zero rank"),
    ErrorRow("MatrixSetDiag", lambda: diag.matrix_set_diag(zeros([2, 3]), zeros([3])), ValueError, "not compatible"),
    ErrorRow("MatrixDiagV2", lambda: diag.matrix_diag(zeros([3]), k=1, num_rows=2), ValueError, "do not fit diagonals of length 3"),
    ErrorRow("MatrixDiagPartV2", lambda: diag.matrix_diag_part(zeros([2, 3]), k=3), ValueError, "diagonal 3 is outside a matrix"),
]
