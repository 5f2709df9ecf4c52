"""Factorizations of matrices: Qr, Svd, SelfAdjointEig, Lu. The matrices are in the last two dimensions."""

from typing import Any

import numpy as np

from ir import dtypes, xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor
from ir.dtypes import INDEX, TypeSet
from ir.infer import Infer
from ir.opdef import T, Type
from ir.ops.complex import real
from ir.ops.diag import matrix_band_part, matrix_diag, matrix_diag_part, matrix_set_diag
from ir.ops.elementwise import reciprocal
from ir.ops.layout import expand_dims, ones_like, zeros_like
from ir.ops.linalg import MATRICES, adjoint, adjointed, in_single, matrix_triangular_solve, square
from ir.ops.matmul import matmul
from ir.shapes import Dims
from ir.tensor import Operation, Tensor


def _smaller(a: int | None, b: int | None) -> int | None:
    return 0 if 0 in (a, b) else None if a is None or b is None else min(a, b)


# -- Qr ----------------------------------------------------------------------------------------------


def _qr_dims(c: Infer) -> list[Dims]:
    dims = c.rank_at_least(0, 2)
    if dims is None:
        return [None, None]
    rows, columns = dims[-2:]
    inner = rows if c.attrs["full_matrices"] else _smaller(rows, columns)
    return [(*dims[:-2], rows, inner), (*dims[:-2], inner, columns)]


@op("Qr", _qr_dims, out="q: T, r: T", api="qr linalg.qr", T=MATRICES)
def qr(input: T, full_matrices: bool = False, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Returns the factors of `input == q @ r`, the columns of `q` orthonormal and `r` upper triangular.

    Args:
      input: matrices of m rows and n columns.
      full_matrices: make `q` square; otherwise it has min(m, n) columns.
      name: a name for the operation.

    >>> qr(np.ones([4, 2], "float32")).r.shape.as_list()
    [2, 2]
    """

    def factors(x: Any) -> tuple[Any, Any]:
        q, r = xp.namespace(x).linalg.qr(x, mode="complete" if full_matrices else "reduced")
        return q, r

    return in_single(factors, input)


@grad("Qr")
def _(op: Operation, dq: Tensor, dr: Tensor) -> Any:
    q, r = op.outputs
    if q.dtype.is_complex:
        raise NotImplementedError(f"QrGrad not implemented for dtype: {q.dtype.name}")
    if r.dims is None or None in r.dims[-2:]:
        raise NotImplementedError("QrGrad not implemented with dynamic shapes.")
    if r.dims[-1] != r.dims[-2]:
        raise NotImplementedError("QrGrad not implemented when ncols > nrows or full_matrices is true and ncols != nrows.")
    qdq, rdr = matmul(q, dq, adjoint_a=True), matmul(r, dr, adjoint_b=True)
    skew = matrix_band_part((qdq - adjoint(qdq)) + (rdr - adjoint(rdr)), -1, 0)
    return matmul(q, dr + _over(skew, r)) + _over(dq - matmul(q, qdq), r)


def _over(x: Tensor, r: Tensor) -> Tensor:
    """Returns `x @ r^-H` for upper triangular `r`."""
    return adjoint(matrix_triangular_solve(r, adjoint(x), lower=False))


# -- eigenvalues -------------------------------------------------------------------------------------


def _eigen_dims(c: Infer) -> list[Dims]:
    dims = square(c)
    vectors = dims if c.attrs["compute_v"] else (0,)
    return [None if dims is None else dims[:-1], vectors]


@op("SelfAdjointEigV2", _eigen_dims, out="e: T, v: T", T=MATRICES)
def _self_adjoint_eig(input: T, compute_v: bool = True, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The eigenvalues, in increasing order, and eigenvectors of self-adjoint matrices, from their lower triangles."""
    linalg = xp.namespace(input).linalg

    def parts(x: Any) -> tuple[Any, Any]:
        if not compute_v:
            return xp.astype(linalg.eigvalsh(x), x.dtype), np.zeros(0, x.dtype)
        e, v = linalg.eigh(x)
        return xp.astype(e, x.dtype), v

    return in_single(parts, input)


@grad("SelfAdjointEigV2")
def _(op: Operation, de: Tensor, dv: Tensor) -> Any:
    e, v = op.outputs
    inner = matrix_diag(de)
    if op.attrs["compute_v"]:
        inner += _inverse_gaps(e) * matmul(v, dv, adjoint_a=True)
    else:
        v = _self_adjoint_eig(op.inputs[0])[1]
    da = matmul(v, matmul(inner, v, adjoint_b=True))
    return only_lower(da)


def _inverse_gaps(values: Tensor) -> Tensor:
    """Returns `1 / (values[j] - values[i])` at place (i, j), 0 on the diagonal."""
    gaps = matrix_set_diag(expand_dims(values, -2) - expand_dims(values, -1), ones_like(values))
    return matrix_set_diag(reciprocal(gaps), zeros_like(values))


def only_lower(da: Tensor) -> Tensor:
    """Returns the gradient of a self-adjoint matrix of which only the lower triangle is read."""
    da = matrix_band_part(da + adjoint(da), -1, 0)
    return matrix_set_diag(da, 0.5 * matrix_diag_part(da))


def _joined_dims(c: Infer) -> Dims:
    dims = square(c)
    return None if dims is None else (*dims[:-2], None if dims[-1] is None else dims[-1] + 1, dims[-1])


@op("SelfAdjointEig", _joined_dims, T=TypeSet("float64 float32 float16"))
def _self_adjoint_eig_v1(input: T, name: str | None = None) -> Tensor:
    """The eigenvalues in the first row, the eigenvectors below it, as older graphs have it."""

    def joined(x: Any) -> Any:
        e, v = xp.namespace(x).linalg.eigh(x)
        return xp.concatenate([xp.expand_dims(e, -2), v], -2)

    return in_single(joined, input)


grad.none("SelfAdjointEig", "TensorFlow has none; SelfAdjointEigV2 is differentiable")


@export("self_adjoint_eig linalg.eigh")
def self_adjoint_eig(tensor: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Returns the eigenvalues and eigenvectors of self-adjoint matrices.

    Args:
      tensor: self-adjoint matrices; their lower triangles are read.
      name: a name for the operation.

    Returns the eigenvalues in increasing order, and the eigenvectors as columns.

    >>> self_adjoint_eig([[2.0, 0.0], [0.0, 1.0]])[0].shape.as_list()
    [2]
    """
    e, v = _self_adjoint_eig(tensor, True, name=name)
    return e, v


@export("self_adjoint_eigvals linalg.eigvalsh")
def self_adjoint_eigvals(tensor: Any, name: str | None = None) -> Tensor:
    """Returns the eigenvalues of self-adjoint matrices in increasing order; their lower triangles are read."""
    return _self_adjoint_eig(tensor, False, name=name)[0]


# -- singular values ---------------------------------------------------------------------------------


def _svd_dims(c: Infer) -> list[Dims]:
    dims = c.rank_at_least(0, 2)
    uv = c.attrs["compute_uv"]
    if dims is None:
        return [None, None, None] if uv else [None, (0,), (0,)]
    rows, columns = dims[-2:]
    k = _smaller(rows, columns)
    if not uv:
        return [(*dims[:-2], k), (0,), (0,)]
    full = c.attrs["full_matrices"]
    return [(*dims[:-2], k), (*dims[:-2], rows, rows if full else k), (*dims[:-2], columns, columns if full else k)]


@op("Svd", _svd_dims, out="s: T, u: T, v: T", T=MATRICES)
def _svd(input: T, compute_uv: bool = True, full_matrices: bool = False, name: str | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """The singular values, in decreasing order, and singular vectors of matrices: `input == u @ diag(s) @ v^H`."""

    def parts(x: Any) -> tuple[Any, Any, Any]:
        linalg = xp.namespace(x).linalg
        if not compute_uv:
            none = np.zeros(0, x.dtype)
            return xp.astype(linalg.svd(x, compute_uv=False), x.dtype), none, none
        u, s, vh = linalg.svd(x, full_matrices=full_matrices)
        return xp.astype(s, x.dtype), u, adjointed(vh)

    return in_single(parts, input)


@grad("Svd")
def _(op: Operation, ds: Tensor, du: Tensor, dv: Tensor) -> Any:
    """For `a = u s v^H`: the gradients of the factors rotated into their bases, weighted by gaps of squared values."""
    a = op.inputs[0]
    if not op.attrs["compute_uv"]:
        _, u, v = _svd(a, compute_uv=True)
        return matmul(u, matmul(matrix_diag(ds), v, adjoint_b=True))
    s, u, v = op.outputs
    if a.dtype.is_complex:
        raise NotImplementedError(f"SvdGrad not implemented for dtype: {a.dtype.name}")
    if a.dims is None or None in a.dims[-2:]:
        raise NotImplementedError("SvdGrad not implemented for matrices of unknown size.")
    rows, columns = a.dims[-2] or 0, a.dims[-1] or 0
    if op.attrs["full_matrices"] and rows != columns:
        raise NotImplementedError("SvdGrad not implemented for full_matrices of matrices that are not square.")
    f = _inverse_gaps(s * s)
    udu, vdv = matmul(u, du, adjoint_a=True), matmul(v, dv, adjoint_a=True)
    across, down = expand_dims(s, -2), expand_dims(s, -1)
    inner = matrix_diag(ds) + f * (udu - adjoint(udu)) * across + down * f * (vdv - adjoint(vdv))
    da = matmul(u, matmul(inner, v, adjoint_b=True))
    if rows > columns:
        da += matmul((du - matmul(u, udu)) / across, v, adjoint_b=True)
    if columns > rows:
        da += matmul(u, (dv - matmul(v, vdv)) / across, adjoint_b=True)
    return da


@export("svd linalg.svd")
def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None) -> Any:
    """Returns the singular values and vectors of matrices: `tensor == u @ diag(s) @ v^H`.

    Args:
      tensor: matrices of m rows and n columns.
      full_matrices: make `u` and `v` square; otherwise they have min(m, n) columns.
      compute_uv: whether the vectors are wanted.
      name: a name for the operation.

    Returns (s, u, v), or `s` alone without `compute_uv`: the values real and in decreasing order, the vectors as columns.

    >>> svd(np.ones([4, 2], "float32"))[1].shape.as_list()
    [4, 2]
    """
    s, u, v = _svd(convert_to_tensor(tensor), compute_uv, full_matrices, name=name)
    return (real(s), u, v) if compute_uv else real(s)


# -- Lu ----------------------------------------------------------------------------------------------


def _lu_dims(c: Infer) -> list[Dims]:
    dims = square(c)
    return [dims, None if dims is None else dims[:-1]]


@op("Lu", _lu_dims, out="lu: T, p: output_idx_type", api="linalg.lu", T=MATRICES, output_idx_type=INDEX)
def lu(input: T, output_idx_type: Type = dtypes.int32, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Returns the factors of matrices with their rows in another order: `input[p] == L @ U`.

    Args:
      input: square matrices.
      output_idx_type: the type of `p`, int32 or int64.
      name: a name for the operation.

    Returns a named tuple of `lu`, in its upper triangle U and below it L (of which the diagonal is 1), and `p`, the rows in their new order.

    >>> lu([[1.0, 2.0], [3.0, 4.0]]).p.shape.as_list()
    [2]
    """
    packed = np.array(input, np.float32 if input.dtype == np.float16 else input.dtype)
    n = packed.shape[-1]
    order = np.broadcast_to(np.arange(n), packed.shape[:-1]).copy()
    for at in np.ndindex(*packed.shape[:-2]):
        _eliminate(packed[at], order[at])
    return packed.astype(input.dtype), order.astype(output_idx_type.np_dtype)  # pyright: ignore[reportReturnType]


def _eliminate(a: Any, order: Any) -> None:
    """Factors one matrix in place, the largest element of each column as pivot."""
    for j in range(len(order)):
        pivot = j + int(np.argmax(np.abs(a[j:, j])))
        if a[pivot, j] == 0:
            continue
        if pivot != j:
            a[[j, pivot]], order[[j, pivot]] = a[[pivot, j]], order[[pivot, j]]
        a[j + 1 :, j] /= a[j, j]
        a[j + 1 :, j + 1 :] -= np.outer(a[j + 1 :, j], a[j, j + 1 :])


grad.none("Lu", "TensorFlow has none")
