"""Complex numbers from their parts."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from graphc.lowering.table import lowers


@lowers("Complex")
def complex_(real: Any, imag: Any, t_out: Any, name: None = None) -> Any:
    """The numbers real + 1j * imag."""
    return lax.complex(*jnp.broadcast_arrays(real, imag))
