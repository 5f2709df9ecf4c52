"""Functions of one number that XLA has as an instruction of its own."""

from typing import Any

from jax import lax

from graphc.lowering.table import lowers


@lowers("Sigmoid")
def sigmoid(x: Any, name: None = None) -> Any:
    """1 / (1 + exp(-x))."""
    return lax.logistic(x)


@lowers("Rsqrt")
def rsqrt(x: Any, name: None = None) -> Any:
    """1 / sqrt(x)."""
    return lax.rsqrt(x)
