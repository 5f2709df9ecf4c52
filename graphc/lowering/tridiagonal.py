"""Tridiagonal systems, by elimination with and without exchange of rows, as two scans over the rows."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from graphc.lowering.table import lowers
from ir.ops.tridiagonal import eliminate


@lowers("TridiagonalSolve")
def tridiagonal_solve(diagonals: Any, rhs: Any, partial_pivoting: bool, name: str | None = None) -> Any:
    """Eliminates from the first row to the last, then substitutes back."""
    if not rhs.shape[-2]:
        return rhs
    wide = (*rhs.shape[:-2], 1)
    upper, main, lower, b = (jnp.moveaxis(v, -2, 0) for v in (*(jnp.asarray(diagonals)[..., i, :, None] for i in range(3)), rhs))

    def down(current: Any, following: Any) -> Any:
        row, *rest = eliminate(current, following, partial_pivoting)
        return tuple(rest), row

    last, rows = lax.scan(down, (main[0], upper[0], b[0]), (lower[1:], main[1:], upper[1:], b[1:]))
    zero = jnp.zeros(wide, rhs.dtype)
    rows = [jnp.concatenate([r, e[None]]) for r, e in zip(rows, (last[0], zero, zero, last[2]), strict=True)]

    def up(known: Any, row: Any) -> Any:
        d, u, u2, r = row
        x = (r - u * known[0] - u2 * known[1]) / d
        return (x, known[0]), x

    start = jnp.zeros_like(b[0])
    _, x = lax.scan(up, (start, start), tuple(rows), reverse=True)
    return jnp.moveaxis(x, 0, -2)
