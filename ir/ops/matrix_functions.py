"""Functions of square matrices: exponential, logarithm, square root. The matrices are in the last two dimensions."""

import math
from typing import Any

import numpy as np

from ir.build import export, grad, op
from ir.dtypes import COMPLEX
from ir.opdef import T
from ir.ops.cast import conj
from ir.ops.diag import eye
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, reshape, shape, zeros_like
from ir.ops.linalg import MATRICES, adjoint, matrix_solve, square
from ir.tensor import Operation, Tensor

#: coefficients of the Pade approximant of degree 13 of the exponential, and how large a norm it takes
#: (N. Higham, "The scaling and squaring method for the matrix exponential revisited", 2005)
_PADE = [math.factorial(26 - k) * math.factorial(13) / (math.factorial(26) * math.factorial(k) * math.factorial(13 - k)) for k in range(14)]
_PADE_NORM = 5.37


def _by_matrix(fn: Any, x: Any) -> Any:
    """Calls `fn` on each matrix, in double precision."""
    wide = np.asarray(x, np.complex128 if x.dtype.kind == "c" else np.float64)
    out = np.empty_like(wide)
    for at in np.ndindex(*wide.shape[:-2]):
        found = fn(wide[at])
        out[at] = found.real if out.dtype.kind == "f" and np.iscomplexobj(found) else found
    return out.astype(x.dtype)


# -- exponential -------------------------------------------------------------------------------------


@op("MatrixExponential", square, T=MATRICES)
def _matrix_exponential(input: T, name: str | None = None) -> Tensor:
    """The exponentials of square matrices, by scaling, a Pade approximant, and squaring."""
    return _by_matrix(_exponential, input)


def _exponential(a: Any) -> Any:
    norm = np.abs(a).sum(0).max(initial=0.0)
    if not np.isfinite(norm):
        return np.full_like(a, np.nan)
    squarings = max(0, math.ceil(math.log2(norm / _PADE_NORM))) if norm else 0
    a = a / 2.0**squarings
    power, even, odd = np.eye(len(a), dtype=a.dtype), np.zeros_like(a), np.zeros_like(a)
    for k, c in enumerate(_PADE):
        if k % 2:
            odd += c * power
        else:
            even += c * power
        power = power @ a
    out = np.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        out = out @ out
    return out


@grad("MatrixExponential")
def _(op: Operation, dz: Tensor) -> Any:
    """The upper right block of the exponential of `[[A^H, dz], [0, A^H]]`."""
    a = adjoint(op.inputs[0])
    n = shape(a)[-1]
    block = concat([concat([a, dz], -1), concat([zeros_like(a), a], -1)], -2)
    return _matrix_exponential(block)[..., :n, n:]


@export("linalg.expm")
def matrix_exponential(input: Any, name: str | None = None) -> Tensor:
    """Returns the exponentials of square matrices, the sums of `A^k / k!`.

    Args:
      input: floating point or complex matrices.
      name: a name for the operation.

    >>> matrix_exponential([[0.0, 1.0], [0.0, 0.0]]).shape.as_list()
    [2, 2]
    """
    return _matrix_exponential(input, name=name)


# -- logarithm ---------------------------------------------------------------------------------------


@op("MatrixLogarithm", square, host=True, api="linalg.logm", T=COMPLEX)
def matrix_logarithm(input: T, name: str | None = None) -> Tensor:
    """Returns the principal logarithms of complex square matrices, of which no eigenvalue may be 0 or negative.

    Runs on the host.
    """
    return _by_matrix(_logarithm, input)


def _logarithm(a: Any) -> Any:
    """By square roots until the matrix is near 1, then an integral of `(a - 1) / (1 + t (a - 1))` over t in [0, 1]."""
    roots = 0
    one = np.eye(len(a))
    while np.abs(a - one).sum(0).max(initial=0.0) > 0.25 and roots < 64:
        a, roots = _square_root(a), roots + 1
    if not len(a) or not np.isfinite(a).all():
        return np.full_like(a, np.nan)
    x = a - one
    nodes, weights = np.polynomial.legendre.leggauss(12)
    out = sum(w / 2 * np.linalg.solve(one + (t + 1) / 2 * x, x) for t, w in zip(nodes, weights, strict=True))
    return out * 2.0**roots


grad.none("MatrixLogarithm", "TensorFlow has none")


# -- square root -------------------------------------------------------------------------------------


@op("MatrixSquareRoot", square, host=True, api="linalg.sqrtm matrix_square_root", T=MATRICES)
def matrix_square_root(input: T, name: str | None = None) -> Tensor:
    """Returns the principal square roots of square matrices: `root @ root` is the matrix.

    No eigenvalue may be negative; a real matrix must have a real root. Runs on the host.

    >>> matrix_square_root([[4.0, 0.0], [0.0, 9.0]]).shape.as_list()
    [2, 2]
    """
    return _by_matrix(_square_root, input)


def _square_root(a: Any) -> Any:
    """From eigenvectors if they are well conditioned, else by the iteration of Denman and Beavers."""
    if not np.isfinite(a).all():
        return np.full_like(a, np.nan)
    values, vectors = np.linalg.eig(a)
    if len(a) and np.linalg.cond(vectors) < 1e6:
        return (vectors * np.sqrt(values.astype(np.complex128))) @ np.linalg.inv(vectors)
    y, z = a, np.eye(len(a), dtype=a.dtype)
    for _ in range(100):
        try:
            y, z, last = (y + np.linalg.inv(z)) / 2, (z + np.linalg.inv(y)) / 2, y
        except np.linalg.LinAlgError:
            return np.full_like(a, np.nan)
        if np.abs(y - last).max(initial=0.0) <= 1e-15 * np.abs(y).max(initial=0.0):
            break
    return y


@grad("MatrixSquareRoot")
def _(op: Operation, dz: Tensor) -> Any:
    """Solves `R^H X + X R^H = dz` for X, as one linear system in the elements of X."""
    root = adjoint(op.outputs[0])
    n = shape(root)[-1]
    one = eye(n, dtype=root.dtype)
    # row-major: (R^H x 1 + 1 x conj(R)) vec(X) = vec(dz), with x the Kronecker product
    left, right = root, conj(op.outputs[0])
    system = _kronecker(left, one) + _kronecker(one, right)
    flat = concat([shape(dz)[:-2], [n * n]], 0)
    system = reshape(system, concat([shape(dz)[:-2], [n * n, n * n]], 0))
    return reshape(matrix_solve(system, expand_dims(reshape(dz, flat), -1)), shape(dz))


def _kronecker(a: Tensor, b: Tensor) -> Tensor:
    """Returns the Kronecker products with the row and column of `a` and `b` as dimensions of their own."""
    rows = expand_dims(expand_dims(a, -2), -1)  # [..., i, 1, j, 1]
    columns = expand_dims(expand_dims(b, -3), -2)  # [..., 1, k, 1, l]
    return rows * columns
