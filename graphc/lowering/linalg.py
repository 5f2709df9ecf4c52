"""Matrix factorizations and solves as XLA has them."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import expm

from graphc.lowering.table import lowers


def wide(x: Any) -> Any:
    """Returns `x`, in single precision if it is in half."""
    x = jnp.asarray(x)
    return x.astype(np.float32) if x.dtype == np.float16 else x


@lowers("Cholesky")
def cholesky(input: Any, name: str | None = None) -> Any:
    """The lower factor, from the lower triangle."""
    return lax.linalg.cholesky(wide(input), symmetrize_input=False).astype(input.dtype)


@lowers("MatrixTriangularSolve")
def matrix_triangular_solve(matrix: Any, rhs: Any, lower: bool, adjoint: bool, name: str | None = None) -> Any:
    """Solves with one triangle."""
    out = lax.linalg.triangular_solve(wide(matrix), wide(rhs), left_side=True, lower=lower, transpose_a=adjoint, conjugate_a=adjoint)
    return out.astype(rhs.dtype)


@lowers("CholeskyGrad")
def cholesky_grad(factor: Any, grad: Any, name: str | None = None) -> Any:
    """The symmetric gradient of the factor, by two triangular solves."""
    a, da = wide(factor), jnp.tril(wide(grad))
    middle = jnp.tril(jnp.swapaxes(a, -1, -2) @ da)
    middle = middle - 0.5 * middle * jnp.eye(a.shape[-1], dtype=a.dtype)
    left = lax.linalg.triangular_solve(a, middle, left_side=True, lower=True, transpose_a=True)
    whole = lax.linalg.triangular_solve(a, left, left_side=False, lower=True)
    return (0.5 * (whole + jnp.swapaxes(whole, -1, -2))).astype(factor.dtype)


@lowers("Lu")
def lu(input: Any, output_idx_type: Any, name: str | None = None) -> Any:
    """The packed factors and the order of the rows."""
    packed, _, order = lax.linalg.lu(wide(input))
    return packed.astype(input.dtype), order.astype(output_idx_type.np_dtype)


@lowers("MatrixExponential")
def matrix_exponential(input: Any, name: str | None = None) -> Any:
    """Scaling and squaring, compiled."""
    return expm(wide(input)).astype(input.dtype)
