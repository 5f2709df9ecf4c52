"""Rows of ir.ops.decomposition. What is unique only up to signs is put together again, or taken in absolute value."""

import numpy as np

from ir.ops import decomposition
from ir.ops.elementwise import abs_
from ir.ops.layout import zeros
from ir.ops.matmul import matmul
from tests.rowdef import ErrorRow, Row, normal

EYE = np.eye(3, dtype=np.float32)
A = normal(2, 3, 3) + 2 * EYE
TALL, WIDE = normal(2, 4, 3, seed=1), normal(2, 2, 3, seed=2)
SYMMETRIC = A + np.swapaxes(A, -1, -2)
COMPLEX = (A + 1j * normal(2, 3, 3, seed=3)).astype(np.complex64)
HERMITIAN = COMPLEX + np.swapaxes(COMPLEX.conj(), -1, -2)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def absolute(outputs):
    return [abs_(t) for t in outputs]


def qr(x, **kw):
    return absolute(decomposition.qr(x, **kw))


def symmetric(fn):
    """The function on a symmetric matrix made of any, so that finite differences keep to what it reads."""
    return lambda x: fn(x + decomposition.adjoint(x))


def rebuilt(x, **kw):
    s, u, v = decomposition.svd(x, **kw)
    k = s.shape[-1].value
    return [s, matmul(u[..., :k] * decomposition.expand_dims(s * s, -2), v[..., :k], adjoint_b=True)]


def rebuilt_ref(x):
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return [s, (u * (s * s)[..., None, :]) @ vh]


def eigen(x):
    e, v = decomposition.self_adjoint_eig(x)
    return [e, matmul(v * decomposition.expand_dims(e * e * e, -2), v, adjoint_b=True)]


def eigen_ref(x):
    e, v = np.linalg.eigh(x)
    return [e.astype(x.dtype), (v * (e**3)[..., None, :]) @ np.swapaxes(v.conj(), -1, -2)]


def both(x):
    return x + np.swapaxes(x, -1, -2)


def multiplied(x):
    """L, U and the order of the rows put together again."""
    packed, order = decomposition.lu(x)
    lower = decomposition.matrix_set_diag(decomposition.matrix_band_part(packed, -1, 0), np.ones(packed.shape[:-1].as_list(), packed.dtype.np_dtype))
    return [matmul(lower, decomposition.matrix_band_part(packed, 0, -1)), order]


def multiplied_ref(orders):
    def ref(x):
        return [np.stack([m[o] for m, o in zip(x, orders, strict=True)]), np.int32(orders)]

    return ref


PIVOTED = np.float32([[[1, 2, 3], [4, 5, 7], [2, 9, 8]], [[0, 1, 0], [1, 0, 0], [0, 0, 2]]])

ROWS = [
    Row("Qr", qr, [TALL], lambda x: [abs(np.stack([np.linalg.qr(m)[i] for m in x])) for i in (0, 1)], grad=True, forget=False, **CLOSE),
    Row("Qr", qr, [A], lambda x: [abs(np.stack([np.linalg.qr(m)[i] for m in x])) for i in (0, 1)], grad=True, second=True, forget=False, id="square", **CLOSE),
    Row("Qr", lambda x: qr(x, full_matrices=True)[1], [TALL], lambda x: abs(np.stack([np.linalg.qr(m, "complete")[1] for m in x])), id="full", **CLOSE),
    Row("Qr", lambda x: matmul(*decomposition.qr(x)), [WIDE], lambda x: x, id="wide", **CLOSE),
    Row("SelfAdjointEigV2", eigen, [SYMMETRIC], eigen_ref, rtol=1e-3, atol=1e-3),
    Row("SelfAdjointEigV2", symmetric(eigen), [A], lambda x: eigen_ref(both(x)), grad=True, second=True, id="gradient", rtol=1e-3, atol=1e-3),
    Row("SelfAdjointEigV2", eigen, [HERMITIAN], eigen_ref, id="complex", rtol=1e-3, atol=1e-3),
    Row("SelfAdjointEigV2", symmetric(decomposition.self_adjoint_eigvals), [A], lambda x: np.linalg.eigvalsh(both(x)), grad=True, second=True, id="values",
        **CLOSE),
    Row("SelfAdjointEig", lambda x: abs_(decomposition._self_adjoint_eig_v1(x)), [SYMMETRIC],
        lambda x: abs(np.concatenate([np.linalg.eigh(x)[0][:, None], np.linalg.eigh(x)[1]], 1)), **CLOSE),
    Row("Svd", rebuilt, [TALL], rebuilt_ref, grad=True, second=True, forget=False, rtol=1e-3, atol=1e-3),
    Row("Svd", rebuilt, [WIDE], rebuilt_ref, grad=True, forget=False, id="wide", rtol=1e-3, atol=1e-3),
    Row("Svd", rebuilt, [A], rebuilt_ref, grad=True, forget=False, id="square", rtol=1e-3, atol=1e-3),
    Row("Svd", lambda x: rebuilt(x, full_matrices=True), [TALL], rebuilt_ref, forget=False, id="full", rtol=1e-3, atol=1e-3),
    Row("Svd", lambda x: decomposition.svd(x)[0], [COMPLEX], lambda x: rebuilt_ref(x)[0], forget=False, id="complex", **CLOSE),
    Row("Svd", lambda x: decomposition.svd(x, compute_uv=False), [TALL], lambda x: np.linalg.svd(x, compute_uv=False), grad=True, second=True, id="values",
        forget=False, **CLOSE),
    Row("Lu", multiplied, [PIVOTED], multiplied_ref([[1, 2, 0], [1, 0, 2]]), forget=False, **CLOSE),
    Row("Lu", lambda x: decomposition.lu(x, "int64").p, [PIVOTED], lambda x: np.int64([[1, 2, 0], [1, 0, 2]]), id="int64"),
]  # fmt: skip

ERRORS = [
    ErrorRow("SelfAdjointEigV2", lambda: decomposition.self_adjoint_eig(zeros([2, 3])), ValueError, "Dimensions must be equal, but are 2 and 3"),
    ErrorRow("Qr", lambda: decomposition.qr(zeros([3])), ValueError, "rank at least 2"),
    ErrorRow("Svd", lambda: decomposition.svd(zeros([3], "int32")), TypeError, "not in the list of allowed"),
]
