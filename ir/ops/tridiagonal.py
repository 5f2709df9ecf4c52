"""Tridiagonal matrices, given by their three diagonals: TridiagonalSolve and TridiagonalMatMul."""

from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor
from ir.dtypes import TypeSet
from ir.infer import Infer
from ir.opdef import T
from ir.ops.cast import conj
from ir.ops.diag import matrix_diag_part
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, squeeze, zeros_like
from ir.ops.linalg import adjoint, matrix_transpose
from ir.ops.packing import stack
from ir.ops.padding import pad
from ir.ops.reduce import reduce_sum
from ir.shapes import Dims, merge_dims, shape_str
from ir.tensor import Operation, Tensor

WIDE = TypeSet("float64 float32 complex64 complex128")
FORMATS = ("compact", "sequence", "matrix")


# -- operations --------------------------------------------------------------------------------------


def _solve_dims(c: Infer) -> Dims:
    diagonals, rhs = c.rank_at_least(0, 2), c.rank_at_least(1, 2)
    if diagonals is None or rhs is None:
        return rhs
    if diagonals[-2] not in (3, None):
        raise ValueError(f"diagonals must have 3 rows, got shape {shape_str(diagonals)}")
    return (*(merge_dims((*diagonals[:-2], diagonals[-1]), rhs[:-1]) or ()), rhs[-1])


@op("TridiagonalSolve", _solve_dims, T=WIDE)
def _tridiagonal_solve(diagonals: T, rhs: T, partial_pivoting: bool = True, name: str | None = None) -> Tensor:
    """Solves tridiagonal systems; the rows of `diagonals` are the upper, main and lower diagonal, aligned with the rows."""
    upper, main, lower = (diagonals[..., i, :, None] for i in range(3))
    out = np.empty_like(rhs)
    n = rhs.shape[-2]
    if not n:
        return out
    rows: list[Any] = []
    d, u, b = (v[..., 0, :] for v in (main, upper, rhs))
    for i in range(1, n):
        row, d, u, b = eliminate((d, u, b), tuple(v[..., i, :] for v in (lower, main, upper, rhs)), partial_pivoting)
        rows.append(row)
    rows.append((d, 0, 0, b))
    after, last = np.zeros_like(b), np.zeros_like(b)
    for i in reversed(range(n)):
        d, u, u2, b = rows[i]
        after, last = (b - u * after - u2 * last) / d, after
        out[..., i, :] = after
    return out


def eliminate(current: Any, following: Any, pivot: bool) -> tuple[Any, Any, Any, Any]:
    """Eliminates the first unknown of the current row from the following one.

    `current` is (main, upper, right hand side), `following` (lower, main, upper, right hand side). Returns the row that is
    done, (main, upper, second upper, right hand side), and the parts of the new current row. With `pivot` the row with the
    larger first element is done first.
    """
    d, u, b = current
    l1, d1, u1, b1 = following
    f = l1 / d
    kept = (d, u, xp.zeros_like(u), b), d1 - f * u, u1, b1 - f * b
    if not pivot:
        return kept
    swap = xp.greater(xp.abs(l1), xp.abs(d))
    g = d / xp.where(swap, l1, xp.ones_like(l1))
    swapped = (l1, d1, u1, b1), u - g * d1, -g * u1, b - g * b1
    (row, *rest), (other, *new) = kept, swapped
    row = tuple(xp.where(swap, y, x) for x, y in zip(row, other, strict=True))
    return (row, *[xp.where(swap, y, x) for x, y in zip(rest, new, strict=True)])


def _product_dims(c: Infer) -> Dims:
    rhs = c.rank_at_least(3, 2)
    for i in range(3):
        d = c.rank_at_least(i, 2)
        if d is not None and d[-2] not in (1, None):
            raise ValueError(f"{c.input_name(i)} must have one row, got shape {shape_str(d)}")
        if d is not None and rhs is not None:
            rhs = (*(merge_dims((*d[:-2], d[-1]), rhs[:-1]) or ()), rhs[-1])
    return rhs


def _shifted(x: Any, by: int) -> Any:
    """Returns the rows below (by 1) or above (by -1) each row, zeros at the border."""
    edge = xp.zeros_like(x[..., :1, :])
    return xp.concatenate([x[..., 1:, :], edge] if by > 0 else [edge, x[..., :-1, :]], -2)


@op("TridiagonalMatMul", _product_dims, T=WIDE)
def _tridiagonal_mat_mul(superdiag: T, maindiag: T, subdiag: T, rhs: T, name: str | None = None) -> Tensor:
    """The products of tridiagonal matrices, given by their diagonals, with matrices."""
    upper, main, lower = (xp.swapaxes(d, -1, -2) for d in (superdiag, maindiag, subdiag))
    return upper * _shifted(rhs, 1) + main * rhs + lower * _shifted(rhs, -1)


# -- gradients ---------------------------------------------------------------------------------------


def _row_up(x: Tensor) -> Tensor:
    return concat([x[..., 1:, :], zeros_like(x[..., :1, :])], -2)


def _row_down(x: Tensor) -> Tensor:
    return concat([zeros_like(x[..., :1, :]), x[..., :-1, :]], -2)


def _three_diagonals(left: Tensor, right: Tensor) -> list[Tensor]:
    """Returns the upper, main and lower diagonal of `left @ right^H`, aligned with the rows."""
    right = conj(right)
    return [reduce_sum(left * r, -1) for r in (_row_up(right), right, _row_down(right))]


@grad("TridiagonalSolve")
def _(op: Operation, dx: Tensor) -> Any:
    diagonals, x = conj(op.inputs[0]), op.outputs[0]
    upper, main, lower = (diagonals[..., i, :] for i in range(3))
    transposed = stack([_moved(lower, 1), main, _moved(upper, -1)], -2)
    db = _tridiagonal_solve(transposed, dx, op.attrs["partial_pivoting"])
    return -stack(_three_diagonals(db, x), -2), db


def _moved(d: Tensor, by: int) -> Tensor:
    column = expand_dims(d, -1)
    return squeeze(_row_up(column) if by > 0 else _row_down(column), -1)


@grad("TridiagonalMatMul")
def _(op: Operation, dz: Tensor) -> Any:
    upper, main, lower, x = op.inputs
    transposed = [_moved(conj(lower[..., 0, :]), 1), conj(main[..., 0, :]), _moved(conj(upper[..., 0, :]), -1)]
    dx = _tridiagonal_mat_mul(expand_dims(transposed[0], -2), expand_dims(transposed[1], -2), expand_dims(transposed[2], -2), dz)
    return (*[expand_dims(d, -2) for d in _three_diagonals(dz, x)], dx)


# -- functions ---------------------------------------------------------------------------------------


def _compact(diagonals: Any, form: str) -> Tensor:
    """Returns diagonals in any of the three forms as one tensor of three rows."""
    if form == "compact":
        return convert_to_tensor(diagonals)
    if form == "sequence":
        if not isinstance(diagonals, (tuple, list)) or len(diagonals) != 3:
            raise ValueError("Expected diagonals to be a sequence of length 3.")
        upper, main, lower = (convert_to_tensor(d) for d in diagonals)
        if upper.dims is None or main.dims is None or lower.dims is None:
            raise ValueError("the ranks of the three diagonals must be known")
        if upper.dims[-1] != main.dims[-1]:
            batch = [[0, 0]] * (len(main.dims) - 1)
            upper, lower = pad(upper, [*batch, [0, 1]]), pad(lower, [*batch, [1, 0]])
        return stack([upper, main, lower], -2)
    if form != "matrix":
        raise ValueError(f"Unrecognized diagonals_format: {form}")
    m = convert_to_tensor(diagonals)
    parts = [matrix_diag_part(m, k=k) for k in (1, 0, -1)]
    batch = [[0, 0]] * (len(parts[1].dims or (0,)) - 1)
    return stack([pad(parts[0], [*batch, [0, 1]]), parts[1], pad(parts[2], [*batch, [1, 0]])], -2)


@export("linalg.tridiagonal_solve")
def tridiagonal_solve(
    diagonals: Any, rhs: Any, diagonals_format: str = "compact", transpose_rhs: bool = False, conjugate_rhs: bool = False, name: str | None = None,
    partial_pivoting: bool = True,
) -> Tensor:  # fmt: skip
    """Solves systems with tridiagonal matrices.

    Args:
      diagonals: by `diagonals_format`: "compact", a tensor of three rows (the diagonal above the main one, the main one, the one
        below; the last element of the first and the first of the last do not count); "sequence", a list of these three;
        "matrix", the whole matrices.
      rhs: a vector per matrix, or matrices with as many rows.
      transpose_rhs, conjugate_rhs: transpose and conjugate the right hand sides first, and the result back.
      name: a name for the operation.
      partial_pivoting: exchange rows for the sake of accuracy.

    Returns a tensor of the shape of `rhs`. Raises ValueError for another format.
    """
    compact = _compact(diagonals, diagonals_format)
    b = convert_to_tensor(rhs, compact.dtype.base_dtype)
    if b.dims is not None and compact.dims is not None and len(b.dims) == len(compact.dims) - 1:
        column = expand_dims(conj(b) if conjugate_rhs else b, -1)
        return squeeze(_tridiagonal_solve(compact, column, partial_pivoting, name=name), -1)
    if transpose_rhs:
        return matrix_transpose(_tridiagonal_solve(compact, adjoint(b) if conjugate_rhs else matrix_transpose(b), partial_pivoting, name=name))
    return _tridiagonal_solve(compact, conj(b) if conjugate_rhs else b, partial_pivoting, name=name)


@export("linalg.tridiagonal_matmul")
def tridiagonal_matmul(diagonals: Any, rhs: Any, diagonals_format: str = "compact", name: str | None = None) -> Tensor:
    """Multiplies tridiagonal matrices by matrices; `diagonals` and `diagonals_format` as for `tridiagonal_solve`."""
    compact = _compact(diagonals, diagonals_format)
    b = convert_to_tensor(rhs, compact.dtype.base_dtype)
    upper, main, lower = (expand_dims(compact[..., i, :], -2) for i in range(3))
    return _tridiagonal_mat_mul(upper, main, lower, b, name=name)
