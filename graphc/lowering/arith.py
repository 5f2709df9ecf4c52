"""The kinds of division in lax: XLA divides integers towards zero, as most of these do."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from graphc.lowering.table import lowers


def _broadcast(x: Any, y: Any) -> tuple[Any, Any]:
    shape = np.broadcast_shapes(x.shape, y.shape)
    return _spread(x, shape), _spread(y, shape)


def _spread(x: Any, shape: tuple[int, ...]) -> Any:
    return jnp.asarray(x) if x.shape == shape else jnp.broadcast_to(x, shape)


def _is_integer(x: Any) -> bool:
    return x.dtype.kind in "iu"


@lowers("Div", "RealDiv")
def div(x: Any, y: Any, name: str | None = None) -> Any:
    """The quotient; of integers, towards zero."""
    return lax.div(*_broadcast(x, y))


@lowers("TruncateDiv")
def truncate_div(x: Any, y: Any, name: str | None = None) -> Any:
    """The quotient towards zero."""
    q = lax.div(*_broadcast(x, y))
    return q if _is_integer(x) else lax.select(q < 0, lax.ceil(q), lax.floor(q))


@lowers("FloorDiv")
def floor_div(x: Any, y: Any, name: str | None = None) -> Any:
    """The quotient rounded down."""
    x, y = _broadcast(x, y)
    if not _is_integer(x):
        return lax.floor(lax.div(x, y))
    q = lax.div(x, y)
    if x.dtype.kind == "u":
        return q
    return lax.select(_differs(lax.rem(x, y), y), lax.sub(q, lax.full_like(q, 1)), q)


def _differs(rest: Any, y: Any) -> Any:
    """Whether a remainder has not the sign of the divisor."""
    zero = lax.full_like(rest, 0)
    return lax.bitwise_and(lax.ne(rest, zero), lax.ne(lax.lt(rest, zero), lax.lt(y, zero)))


@lowers("Mod", "TruncateMod")
def truncate_mod(x: Any, y: Any, name: str | None = None) -> Any:
    """The remainder that has the sign of `x`."""
    return lax.rem(*_broadcast(x, y))


@lowers("FloorMod")
def floor_mod(x: Any, y: Any, name: str | None = None) -> Any:
    """The remainder that has the sign of `y`."""
    x, y = _broadcast(x, y)
    rest = lax.rem(x, y)
    if _is_integer(x):
        return lax.select(_differs(rest, y), lax.add(rest, y), rest)
    zero = lax.full_like(rest, 0)
    return lax.select(lax.eq(lax.lt(x, zero), lax.lt(y, zero)), rest, lax.rem(lax.add(rest, y), y))


@lowers("Pow")
def pow_(x: Any, y: Any, name: str | None = None) -> Any:
    """The power; of complex numbers, 1 for the exponent 0."""
    if _is_integer(x):
        return jnp.power(x, y)
    x, y = _broadcast(x, y)
    if x.dtype.kind != "c":
        return lax.pow(x, y)
    return lax.select(lax.eq(y, lax.full_like(y, 0)), lax.full_like(x, 1), lax.pow(x, y))
