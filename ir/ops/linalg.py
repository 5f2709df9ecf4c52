"""Solving with matrices: Cholesky, MatrixInverse, MatrixDeterminant, MatrixSolve, MatrixTriangularSolve, MatrixSolveLs; Cross.

The matrices are in the last two dimensions. Factorizations (Qr, Svd, eigenvalues, Lu) are in `ir.ops.decomposition`,
functions of matrices in `ir.ops.matrix_functions`, what is composed of them in `ir.ops.linalg_functions`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import REAL, TypeSet
from ir.infer import Infer
from ir.opdef import Float64, T
from ir.ops.cast import cast, conj
from ir.ops.diag import matrix_band_part, matrix_diag_part, matrix_set_diag
from ir.ops.joining import concat
from ir.ops.layout import range_, rank, reshape, shape, transpose
from ir.ops.matmul import matmul
from ir.shapes import Dims, merge_dims, shape_str
from ir.tensor import Operation, Tensor

MATRICES = TypeSet("float64 float32 float16 complex64 complex128")


# -- shapes and bodies that families share -----------------------------------------------------------


def square(c: Infer, index: int = 0) -> Dims:
    """The shape of an input of square matrices."""
    dims = c.rank_at_least(index, 2)
    if dims is None:
        return None
    if None not in dims[-2:] and dims[-2] != dims[-1]:
        what = f"{c.input_name(index)} must hold square matrices, got shape {shape_str(dims)}"
        raise ValueError(f"Dimensions must be equal, but are {dims[-2]} and {dims[-1]}: {what}")
    n = dims[-1] if dims[-2] is None else dims[-2]
    return (*dims[:-2], n, n)


def in_single(fn: Callable[..., Any], *arrays: Any) -> Any:
    """Calls `fn`, which knows no half precision, in single precision for arrays of it."""
    if arrays[0].dtype != np.float16:
        return fn(*arrays)
    out = fn(*[xp.astype(a, np.float32) for a in arrays])
    return tuple(xp.astype(o, np.float16) for o in out) if isinstance(out, tuple) else xp.astype(out, np.float16)


def adjointed(x: Any) -> Any:
    """Returns the arrays of matrices transposed and conjugated."""
    return xp.conj(xp.swapaxes(x, -1, -2))


@export("matrix_transpose linalg.matrix_transpose linalg.transpose")
def matrix_transpose(a: Any, name: str | None = "matrix_transpose", conjugate: bool = False) -> Tensor:
    """Transposes the last two dimensions of `a`, whose rank is at least 2; conjugates too if `conjugate`.

    >>> matrix_transpose(np.ones([2, 3, 4])).shape.as_list()
    [2, 4, 3]
    """
    with get_default_graph().name_scope(name or "transpose"):
        a = convert_to_tensor(a, name="a")
        if a.dims is None:
            n = rank(a)
            perm: Any = concat([range_(n - 2, name="Range"), [n - 1, n - 2]], 0)
        else:
            n = len(a.dims)
            if n < 2:
                raise ValueError(f"Argument 'a' should be a (batch) matrix with rank >= 2.  Received shape = {shape_str(a.dims)}")
            perm = [*range(n - 2), n - 1, n - 2]
        return transpose(a, perm, conjugate=conjugate)


@export("linalg.adjoint")
def adjoint(matrix: Any, name: str | None = None) -> Tensor:
    """Transposes the last two dimensions of `matrix` and conjugates its elements."""
    with get_default_graph().name_scope(name or "adjoint"):
        return matrix_transpose(convert_to_tensor(matrix, name="matrix"), conjugate=True)


# -- Cholesky ----------------------------------------------------------------------------------------


@op("Cholesky", square, api="cholesky linalg.cholesky", T=MATRICES)
def cholesky(input: T, name: str | None = None) -> Tensor:
    """Returns the lower triangular L with `L @ L^H` equal to each matrix of `input`.

    Args:
      input: positive definite matrices (their lower triangles are read), of rank at least 2.
      name: a name for the operation.

    A matrix that is not positive definite is an error on the host and gives NaN when compiled.

    >>> cholesky([[4.0, 2.0], [2.0, 3.0]]).shape.as_list()
    [2, 2]
    """
    return in_single(xp.namespace(input).linalg.cholesky, input)


@grad("Cholesky")
def _(op: Operation, dl: Tensor) -> Any:
    return symmetric_grad(op.outputs[0], dl)


def symmetric_grad(factor: Tensor, dfactor: Tensor) -> Tensor:
    """Returns the symmetric gradient of what has Cholesky factor L: `L^-H phi(L^H dL) L^-1`, phi halving the diagonal."""
    middle = matmul(factor, dfactor, adjoint_a=True)
    middle = matrix_band_part(matrix_set_diag(middle, matrix_diag_part(middle) * 0.5), -1, 0)
    left = matrix_triangular_solve(factor, middle, adjoint=True)
    whole = matrix_triangular_solve(factor, adjoint(left), adjoint=True)
    return (whole + adjoint(whole)) * 0.5


@op("CholeskyGrad", square, rename={"factor": "l"}, T=TypeSet("float16 float32 float64"))
def cholesky_grad(factor: T, grad: T, name: str | None = None) -> Tensor:
    """The gradient of Cholesky as older graphs have it: symmetric, from the factor and its gradient."""

    def gradient(a: Any, da: Any) -> Any:
        solve = xp.namespace(a, da).linalg.solve
        middle = xp.tril(xp.matmul(adjointed(a), xp.tril(da)))
        middle = middle - middle * np.eye(a.shape[-1], dtype=a.dtype) * np.asarray(0.5, a.dtype)
        whole = solve(adjointed(a), xp.swapaxes(solve(adjointed(a), middle), -1, -2))
        return (whole + xp.swapaxes(whole, -1, -2)) * np.asarray(0.5, a.dtype)

    return in_single(gradient, factor, grad)


grad.none("CholeskyGrad", "TensorFlow has none")


# -- inverse and determinant -------------------------------------------------------------------------


@op("MatrixInverse", square, api="matrix_inverse linalg.inv", T=MATRICES)
def matrix_inverse(input: T, adjoint: bool = False, name: str | None = None) -> Tensor:
    """Returns the inverses of square matrices, or with `adjoint` the inverses of their adjoints.

    A matrix that has none is an error on the host and gives values that are not finite when compiled.

    >>> matrix_inverse([[2.0, 0.0], [0.0, 4.0]]).shape.as_list()
    [2, 2]
    """
    return in_single(xp.namespace(input).linalg.inv, adjointed(input) if adjoint else input)


@grad("MatrixInverse")
def _(op: Operation, dz: Tensor) -> Any:
    z = op.outputs[0]
    if op.attrs["adjoint"]:
        return -matmul(z, matmul(dz, z, adjoint_a=True))
    return -matmul(z, matmul(dz, z, adjoint_b=True), adjoint_a=True)


def _det_dims(c: Infer) -> Dims:
    dims = square(c)
    return None if dims is None else dims[:-2]


@op("MatrixDeterminant", _det_dims, api="matrix_determinant linalg.det", T=MATRICES)
def matrix_determinant(input: T, name: str | None = None) -> Tensor:
    """Returns the determinants of square matrices, one for each; 1 for matrices of size 0.

    >>> matrix_determinant(np.ones([5, 2, 2])).shape.as_list()
    [5]
    """
    return in_single(xp.namespace(input).linalg.det, input)


def _log_det_dims(c: Infer) -> list[Dims]:
    return [_det_dims(c)] * 2


@op("LogMatrixDeterminant", _log_det_dims, out="sign: T, log_abs_determinant: T", api="linalg.slogdet", T=MATRICES)
def slogdet(input: T, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Returns the signs and the logarithms of the absolute values of determinants.

    `input` holds square matrices. The results have the type of `input`; the sign of a complex determinant is a number of
    absolute value 1.

    >>> slogdet([[2.0, 0.0], [0.0, -4.0]]).sign.shape.as_list()
    []
    """

    def parts(x: Any) -> tuple[Any, Any]:
        sign, log = xp.namespace(x).linalg.slogdet(x)
        return sign, xp.astype(log, x.dtype)

    return in_single(parts, input)


def _each_matrix(v: Tensor) -> Tensor:
    """Returns a value per matrix so that it broadcasts against the matrices."""
    return reshape(v, concat([shape(v), [1, 1]], 0))


@grad("MatrixDeterminant")
def _(op: Operation, dz: Tensor) -> Any:
    return _each_matrix(dz * conj(op.outputs[0])) * matrix_inverse(op.inputs[0], adjoint=True)


@grad("LogMatrixDeterminant")
def _(op: Operation, _: Any, dlog: Tensor) -> Any:
    return _each_matrix(dlog) * matrix_inverse(op.inputs[0], adjoint=True)


# -- solving -----------------------------------------------------------------------------------------


def _solve_dims(c: Infer) -> Dims:
    a, b = square(c), c.rank_at_least(1, 2)
    if a is None or b is None:
        return None
    rows = merge_dims((*a[:-2], a[-1]), b[:-1]) or ()
    return (*rows, b[-1])


@op("MatrixSolve", _solve_dims, api="matrix_solve linalg.solve", T=MATRICES)
def matrix_solve(matrix: T, rhs: T, adjoint: bool = False, name: str | None = None) -> Tensor:
    """Returns the X with `matrix @ X == rhs`.

    Args:
      matrix: square matrices.
      rhs: matrices with as many rows, and the same leading dimensions.
      adjoint: use the adjoint of `matrix`.
      name: a name for the operation.

    Returns a tensor of the shape of `rhs`. A matrix without inverse is an error on the host and gives values that are not
    finite when compiled.
    """
    return in_single(xp.namespace(matrix, rhs).linalg.solve, adjointed(matrix) if adjoint else matrix, rhs)


def _solve_grads(op: Operation, db: Tensor) -> tuple[Tensor, Tensor]:
    x = op.outputs[0]
    da = -matmul(x, db, adjoint_b=True) if op.attrs["adjoint"] else -matmul(db, x, adjoint_b=True)
    return da, db


@grad("MatrixSolve")
def _(op: Operation, dx: Tensor) -> Any:
    return _solve_grads(op, matrix_solve(op.inputs[0], dx, adjoint=not op.attrs["adjoint"]))


@op("MatrixTriangularSolve", _solve_dims, api="matrix_triangular_solve linalg.triangular_solve", T=MATRICES)
def matrix_triangular_solve(matrix: T, rhs: T, lower: bool = True, adjoint: bool = False, name: str | None = None) -> Tensor:
    """Returns the X with `matrix @ X == rhs` for triangular matrices.

    Args:
      matrix: square matrices, of which only one triangle is read.
      rhs: matrices with as many rows, and the same leading dimensions.
      lower: whether that is the lower triangle.
      adjoint: use the adjoint of the triangle.
      name: a name for the operation.

    Returns a tensor of the shape of `rhs`.
    """
    triangle = xp.tril(matrix) if lower else xp.triu(matrix)
    return in_single(xp.namespace(matrix, rhs).linalg.solve, adjointed(triangle) if adjoint else triangle, rhs)


@grad("MatrixTriangularSolve")
def _(op: Operation, dx: Tensor) -> Any:
    lower = op.attrs["lower"]
    da, db = _solve_grads(op, matrix_triangular_solve(op.inputs[0], dx, lower=lower, adjoint=not op.attrs["adjoint"]))
    return matrix_band_part(da, -1, 0) if lower else matrix_band_part(da, 0, -1), db


def _least_squares_dims(c: Infer) -> Dims:
    a, b = c.rank_at_least(0, 2), c.rank_at_least(1, 2)
    c.rank(2, 0)
    if a is None or b is None:
        return None
    merge_dims(a[:-1], b[:-1])
    return (*(merge_dims(a[:-2], b[:-2]) or ()), a[-1], b[-1])


@op("MatrixSolveLs", _least_squares_dims, T=MATRICES)
def matrix_solve_ls_op(matrix: T, rhs: T, l2_regularizer: Float64, fast: bool = True, name: str | None = None) -> Tensor:
    """The X of least squares; `fast` by the normal equations, which admit a regularizer, else the one of least norm."""
    space = xp.namespace(matrix, rhs)
    if not fast:
        return in_single(lambda a, b: xp.matmul(space.linalg.pinv(a), b), matrix, rhs)
    weight = xp.astype(l2_regularizer, matrix.dtype)

    def solved(a: Any, b: Any) -> Any:
        rows, columns = a.shape[-2:]
        eye = np.eye(min(rows, columns), dtype=a.dtype)
        if rows >= columns:
            return space.linalg.solve(xp.matmul(adjointed(a), a) + weight * eye, xp.matmul(adjointed(a), b))
        return xp.matmul(adjointed(a), space.linalg.solve(xp.matmul(a, adjointed(a)) + weight * eye, b))

    return in_single(solved, matrix, rhs)


@grad("MatrixSolveLs")
def _(op: Operation, dx: Tensor) -> Any:
    """By the normal equations of the smaller side, `G = A^H A + w` or `A A^H + w`."""
    a, b, weight = op.inputs
    if a.dims is None or None in a.dims[-2:]:
        raise LookupError("the gradient of MatrixSolveLs needs matrices of known size")
    rows, columns = a.dims[-2] or 0, a.dims[-1] or 0
    eye = np.eye(min(rows, columns), dtype=a.dtype.np_dtype) * cast(weight, a.dtype)
    x = op.outputs[0]
    if rows >= columns:
        z = matrix_solve(matmul(a, a, adjoint_a=True) + eye, dx)
        residual = matmul(a, z)
        return matmul(b - matmul(a, x), z, adjoint_b=True) - matmul(residual, x, adjoint_b=True), residual, None
    gram = matmul(a, a, adjoint_b=True) + eye
    w, g = matrix_solve(gram, b), matrix_solve(gram, matmul(a, dx))
    inner = dx - matmul(a, g, adjoint_a=True)
    return matmul(w, inner, adjoint_b=True) - matmul(g, x, adjoint_b=True), g, None


# -- cross product -----------------------------------------------------------------------------------


def _cross_dims(c: Infer) -> Dims:
    dims = merge_dims(c.rank_at_least(0, 1), c.rank_at_least(1, 1))
    if dims is not None and dims[-1] not in (3, None):
        raise ValueError(f"Cross-products are only defined for 3-element vectors, got shape {shape_str(dims)}")
    return dims


@op("Cross", _cross_dims, out="product: T", api="cross linalg.cross", T=REAL)
def cross(a: T, b: T, name: str | None = None) -> Tensor:
    """Returns the cross products of vectors of 3 elements, which are in the last dimension of `a` and `b`, of one shape.

    >>> cross([1, 0, 0], [0, 1, 0]).shape.as_list()
    [3]
    """
    (a0, a1, a2), (b0, b1, b2) = ([v[..., i] for i in range(3)] for v in (a, b))
    return xp.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=-1)


@grad("Cross")
def _(op: Operation, dz: Tensor) -> Any:
    a, b = op.inputs
    return cross(b, dz), cross(dz, a)
