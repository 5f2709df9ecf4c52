"""Running logsumexp by XLA's scan."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from graphc.lowering.table import lowers


@lowers("CumulativeLogsumexp")
def cumulative_logsumexp(x: Any, axis: Any, exclusive: bool, reverse: bool, name: str | None = None) -> Any:
    """The running logsumexp; `exclusive` shifts it by one place."""
    a = int(axis) % x.ndim
    out = lax.cumlogsumexp(x, a, reverse)
    if not exclusive or not x.shape[a]:
        return out
    edge = jnp.full((*x.shape[:a], 1, *x.shape[a + 1 :]), -np.inf, x.dtype)
    kept = lax.slice_in_dim(out, 1, None, axis=a) if reverse else lax.slice_in_dim(out, 0, -1, axis=a)
    return lax.concatenate([kept, edge] if reverse else [edge, kept], a)
