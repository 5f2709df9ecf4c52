"""Matrix products as `lax.dot_general`, with the transpositions in its dimension numbers.

The precision is JAX's default, which `jax.default_matmul_precision` sets.
"""

from typing import Any

import numpy as np
from jax import lax

from graphc.lowering.table import lowers


def _dot(a: Any, b: Any, contract: tuple[int, int], batch: int = 0) -> Any:
    dims = (((contract[0],), (contract[1],)), (tuple(range(batch)), tuple(range(batch))))
    return lax.dot_general(a, b, dims, preferred_element_type=a.dtype)


@lowers("MatMul")
def matmul(a: Any, b: Any, transpose_a: bool, transpose_b: bool, name: str | None = None) -> Any:
    """One product; the contracted dimension is chosen, nothing is transposed."""
    return _dot(a, b, (0 if transpose_a else 1, 1 if transpose_b else 0))


@lowers("SparseMatMul")
def sparse_matmul(a: Any, b: Any, transpose_a: bool, transpose_b: bool, a_is_sparse: bool, b_is_sparse: bool, name: str | None = None) -> Any:
    """A dense product in float32."""
    return matmul(a.astype(np.float32), b.astype(np.float32), transpose_a, transpose_b)


@lowers("BatchMatMul", "BatchMatMulV2")
def batch_matmul(x: Any, y: Any, adj_x: bool, adj_y: bool, name: str | None = None) -> Any:
    """Products over shared leading dimensions; a single matrix on the right multiplies all at once."""
    if np.issubdtype(x.dtype, np.complexfloating):
        x, y = lax.conj(x) if adj_x else x, lax.conj(y) if adj_y else y
    if y.ndim == 2 and not adj_x:
        return _dot(x, y, (x.ndim - 1, 1 if adj_y else 0))
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = _stacked(x, batch), _stacked(y, batch)
    n = len(batch)
    return _dot(x, y, (n if adj_x else n + 1, n + 1 if adj_y else n), n)


def _stacked(x: Any, batch: tuple[int, ...]) -> Any:
    """Returns a stack of matrices with the leading dimensions `batch`."""
    shape = (*batch, *x.shape[-2:])
    return x if x.shape == shape else lax.broadcast_in_dim(x, shape, range(len(shape) - x.ndim, len(shape)))
