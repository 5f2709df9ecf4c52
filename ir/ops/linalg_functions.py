"""Linear algebra composed of other operations: norm, normalize, cholesky_solve, logdet, matrix_solve_ls, pinv, matrix_rank."""

from typing import Any

import numpy as np

from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import float64, int32
from ir.ops.arith import maximum, pow_
from ir.ops.cast import cast, conj
from ir.ops.compare import greater
from ir.ops.complex import real
from ir.ops.decomposition import svd
from ir.ops.diag import eye, matrix_diag_part
from ir.ops.elementwise import abs_, log, sqrt
from ir.ops.layout import expand_dims, shape, squeeze, transpose
from ir.ops.linalg import cholesky, matrix_solve_ls_op, matrix_triangular_solve
from ir.ops.matmul import matmul
from ir.ops.reduce import reduce_max, reduce_sum, renamed
from ir.ops.select import where_v2
from ir.shapes import fully_known
from ir.tensor import Tensor

_WRONG_AXIS = "'axis' must be None, an integer, or a tuple of 2 unique integers"


def _check_norm(order: Any, axis: Any) -> None:
    if isinstance(axis, (list, tuple)):
        if len(axis) != 2 or axis[0] == axis[1]:
            raise ValueError(_WRONG_AXIS)
        if order not in ("euclidean", "fro", 1, 2, np.inf):
            raise ValueError(f"'ord' must be a supported matrix norm in ['euclidean', 'fro', 1, 2, inf], got {order}")
        return
    if axis is not None and not isinstance(axis, (int, np.integer)):
        raise ValueError(_WRONG_AXIS)
    if order != "euclidean" and (isinstance(order, str) or not np.isreal(order) or order <= 0):
        raise ValueError(f"'ord' must be a supported vector norm, got {order}")


def _largest_singular_value(x: Tensor, axis: Any) -> Tensor:
    order = None
    if tuple(axis) != (-2, -1):
        if x.dims is None:
            raise ValueError("the rank of the tensor must be known for a norm over other axes than (-2, -1)")
        n = len(x.dims)
        chosen = [a % n for a in axis]
        if chosen != [n - 2, n - 1]:
            order = [a for a in range(n) if a not in chosen] + chosen
    if order is None:
        return expand_dims(reduce_max(abs_(svd(x, compute_uv=False)), -1, keepdims=True), -1)
    moved = _largest_singular_value(transpose(x, order), (-2, -1))
    return transpose(moved, np.argsort(order))


@export("norm linalg.norm")
def norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: Any = None, name: str | None = None, keep_dims: Any = None) -> Tensor:
    """Returns norms of vectors, or of matrices.

    Args:
      tensor: a floating point or complex tensor.
      ord: "euclidean" (also "fro" for matrices), 1, 2, `np.inf`, or for vectors any positive number.
      axis: None for the norm of all elements as one vector; an integer for the vectors along that axis; two integers for
        the matrices in these axes.
      keepdims: keep each reduced dimension, with size 1.
      name: a name for the operations.
      keep_dims: the old name of `keepdims`.

    Returns a tensor of the type of `tensor`. For matrices 1 and inf are the largest sums of columns and rows, 2 the largest
    singular value. Raises ValueError for another `ord` or `axis`.

    >>> norm([[3.0, 4.0], [6.0, 8.0]], axis=1).shape.as_list()
    [2]
    """
    keepdims = bool(renamed(keepdims, "keepdims", keep_dims, "keep_dims"))
    _check_norm(ord, axis)
    of_matrices = isinstance(axis, (list, tuple))
    axes = [axis] if isinstance(axis, (int, np.integer)) else axis
    with get_default_graph().name_scope(name or "norm"):
        x = convert_to_tensor(tensor)
        if of_matrices and ord == 2:
            out = _largest_singular_value(x, axes)
        elif ord in ("fro", "euclidean", 2):
            out = sqrt(reduce_sum(x * conj(x), axes, keepdims=True))
        else:
            out = abs_(x)
            if ord == 1:
                out = reduce_sum(out, None if axes is None else axes[0], keepdims=True)
                out = reduce_max(out, axis[-1], keepdims=True) if of_matrices else out
            elif ord == np.inf:
                out = reduce_sum(out, axis[1], keepdims=True) if of_matrices else out
                out = reduce_max(out, None if axes is None else axes[0], keepdims=True)
            else:
                out = pow_(reduce_sum(pow_(out, ord), axes, keepdims=True), 1.0 / ord)
        return out if keepdims else squeeze(out, axes)


@export("linalg.normalize")
def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Returns `tensor` over its norm along `axis`, and that norm, its reduced dimensions of size 1; see `norm`."""
    with get_default_graph().name_scope(name or "normalize"):
        tensor = convert_to_tensor(tensor)
        found = norm(tensor, ord, axis, keepdims=True)
        return tensor / cast(found, tensor.dtype), found


@export("cholesky_solve linalg.cholesky_solve")
def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Tensor:
    """Returns the X with `A @ X == rhs`, given the Cholesky factor of A.

    Args:
      chol: lower triangular matrices, as `cholesky` gives them.
      rhs: matrices with as many rows, and the same leading dimensions.
      name: a name for the operations.
    """
    with get_default_graph().name_scope(name or "cholesky_solve"):
        half = matrix_triangular_solve(chol, rhs, adjoint=False, lower=True)
        return matrix_triangular_solve(chol, half, adjoint=True, lower=True)


@export("linalg.logdet")
def logdet(matrix: Any, name: str | None = None) -> Tensor:
    """Returns the logarithms of the determinants of positive definite matrices."""
    with get_default_graph().name_scope(name or "logdet"):
        factor = cholesky(matrix)
        return 2.0 * reduce_sum(log(real(matrix_diag_part(factor))), axis=[-1])


def _gram_factor(a: Tensor, weight: Any, of_columns: bool) -> Tensor:
    """Returns the Cholesky factor of `A^H A + weight` or of `A A^H + weight`."""
    gram = matmul(a, a, adjoint_a=of_columns, adjoint_b=not of_columns)
    if isinstance(weight, Tensor) or weight != 0:
        sizes = shape(a)
        batch = sizes[:-2]
        gram += weight * eye(sizes[-1] if of_columns else sizes[-2], batch_shape=batch, dtype=a.dtype)
    return cholesky(gram)


@export("matrix_solve_ls linalg.lstsq")
def matrix_solve_ls(matrix: Any, rhs: Any, l2_regularizer: Any = 0.0, fast: bool = True, name: str | None = None) -> Tensor:
    """Returns the X that makes `matrix @ X` closest to `rhs` by least squares.

    Args:
      matrix: matrices of m rows and n columns.
      rhs: matrices of m rows, with the same leading dimensions.
      l2_regularizer: how much the sum of the squares of X weighs; a scalar.
      fast: solve the normal equations, which needs matrices of full rank. Otherwise X has the least norm of all, and
        `l2_regularizer` is not used.
      name: a name for the operations.

    Returns matrices of n rows. For fewer rows than columns X has the least norm of all solutions.
    """
    with get_default_graph().name_scope(name or "matrix_solve_ls"):
        a, b = convert_to_tensor(matrix, name="matrix"), rhs
        if not fast or a.dims is None or not fully_known(a.dims[-2:]):
            return matrix_solve_ls_op(a, b, cast(convert_to_tensor(l2_regularizer), float64), fast=fast)
        if (a.dims[-2] or 0) >= (a.dims[-1] or 0):
            return cholesky_solve(_gram_factor(a, l2_regularizer, True), matmul(a, b, adjoint_a=True))
        return matmul(a, cholesky_solve(_gram_factor(a, l2_regularizer, False), b), adjoint_a=True)


def _longer_side(a: Tensor) -> Any:
    """Returns the larger of the numbers of rows and columns, a number where both are known."""
    if a.dims is not None and fully_known(a.dims[-2:]):
        return np.int64(max(a.dims[-2] or 0, a.dims[-1] or 0))
    return maximum(shape(a)[-2], shape(a)[-1])


@export("linalg.matrix_rank")
def matrix_rank(a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """Returns the ranks of matrices: how many singular values are above `tol`.

    Args:
      a: floating point matrices.
      tol: the least value that counts; by default the precision of the type times the longer side times the largest
        singular value.
      validate_args: accepted; shapes are always checked.
      name: a name for the operations.

    Returns int32, one for each matrix.
    """
    with get_default_graph().name_scope(name or "matrix_rank"):
        a = convert_to_tensor(a, name="a")
        values = svd(a, compute_uv=False)
        if tol is None:
            eps = np.finfo(a.dtype.np_dtype).eps
            tol = eps * cast(_longer_side(a), a.dtype) * reduce_max(values, axis=-1, keepdims=True)
        return reduce_sum(cast(greater(values, tol), int32), axis=-1)


@export("linalg.pinv")
def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """Returns the Moore-Penrose pseudo-inverses of matrices.

    Args:
      a: real floating point matrices of m rows and n columns.
      rcond: singular values of at most this part of the largest count as 0; by default ten times the longer side times the
        precision of the type. A scalar, or one for each matrix.
      validate_args: accepted; shapes are always checked.
      name: a name for the operations.

    Returns matrices of n rows and m columns. Raises TypeError when `a` is not floating point.

    >>> pinv(np.ones([4, 2], "float32")).shape.as_list()
    [2, 4]
    """
    with get_default_graph().name_scope(name or "pinv"):
        a = convert_to_tensor(a, name="a")
        if not a.dtype.is_floating:
            raise TypeError(f"Input `a` must have `float`-like `dtype` (saw {a.dtype.name}).")
        if rcond is None:
            side, eps = _longer_side(a), np.finfo(a.dtype.np_dtype).eps
            rcond = cast(10.0 * cast(side, float64) * eps, a.dtype) if isinstance(side, Tensor) else np.asarray(10.0 * side * eps, a.dtype.np_dtype)
        rcond = convert_to_tensor(rcond, a.dtype.base_dtype, name="rcond")
        s, u, v = svd(a, full_matrices=False, compute_uv=True)
        cutoff = expand_dims(rcond * reduce_max(s, axis=-1), -1)
        s = where_v2(greater(s, cutoff), s, np.array(np.inf, a.dtype.np_dtype))
        out = matmul(v / expand_dims(s, -2), u, adjoint_b=True)
        if a.dims is not None:
            out.set_shape([*a.dims[:-2], a.dims[-1], a.dims[-2]])
        return out


