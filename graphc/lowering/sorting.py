"""The largest values and places in sorted rows, as XLA has them."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from graphc.lowering.table import lowers


@lowers("TopK")
def top_k_v1(input: Any, k: int, sorted: bool, name: str | None = None) -> Any:
    """The k largest values of each row; of equal ones the first comes first."""
    return tuple(lax.top_k(input, int(k)))


@lowers("TopKV2")
def top_k(input: Any, k: Any, sorted: bool, name: str | None = None) -> Any:
    """The k largest values of each row; of equal ones the first comes first."""
    return tuple(lax.top_k(input, int(k)))


@lowers("LowerBound")
def lower_bound(sorted_inputs: Any, values: Any, out_type: Any, name: str | None = None) -> Any:
    """Places in sorted rows, by bisection."""
    return _places(sorted_inputs, values, "left", out_type)


@lowers("UpperBound")
def upper_bound(sorted_inputs: Any, values: Any, out_type: Any, name: str | None = None) -> Any:
    """Places in sorted rows, by bisection."""
    return _places(sorted_inputs, values, "right", out_type)


def _places(rows: Any, values: Any, side: str, dtype: Any) -> Any:
    found = jax.vmap(lambda r, v: jnp.searchsorted(r, v, side=side))(jnp.asarray(rows), jnp.asarray(values))
    return found.astype(dtype.np_dtype)
