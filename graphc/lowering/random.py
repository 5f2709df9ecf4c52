"""Random draws on XLA: the loops of `ir.philox`, shuffling, and the derivative of gamma deviates."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jax import Array, lax

from graphc.lowering.table import lowers
from ir import philox, xp


def _repeat(n: int, body: Callable[[Any], Any], carry: Any) -> Any:
    """A loop on the CPU, whose fusions would compute all rounds anew for each word; elsewhere one kernel."""

    def loop(*carry: Any) -> Any:
        return lax.fori_loop(np.int32(0), np.int32(n), lambda _, c: body(c), carry)

    def unrolled(*carry: Any) -> Any:
        for _ in range(n):
            carry = body(carry)
        return carry

    return lax.platform_dependent(*carry, cpu=loop, default=unrolled)


def _loop(cond: Callable[[Any], Any], body: Callable[[Any], Any], carry: Any) -> Any:
    return lax.while_loop(cond, body, carry)


philox.register(philox.Engine(_repeat, _loop, lax.lgamma))


@lowers("RandomShuffle")
def random_shuffle(value: Array, seed: int, seed2: int, name: Any = None, *, state: Array) -> Any:
    """One swap after the other, of row numbers; then the rows are gathered."""
    rows = value.shape[0] if value.ndim else 1
    if rows <= 1 or not value.size:
        return value, state
    left = np.arange(rows, 1, -1, dtype=np.uint32)
    jumps = xp.astype(xp.remainder(philox.words(state, rows - 1), left), np.int32)
    order = xp.namespace(state).arange(rows, dtype=np.int32)

    def swap(i: Array, order: Array) -> Array:
        j = i + jumps[i]
        here, there = order[i], order[j]
        return order.at[i].set(there).at[j].set(here)

    order = lax.fori_loop(np.int32(0), np.int32(rows - 1), swap, order)
    return xp.namespace(state).asarray(value)[order], philox.advanced(state, (rows + 2) // 4)


@lowers("RandomGammaGrad")
def random_gamma_grad(alpha: Array, sample: Array, name: Any = None) -> Array:
    """XLA's approximation of the implicit derivative."""
    shape = np.broadcast_shapes(alpha.shape, sample.shape)
    derivative: Any = lax.random_gamma_grad  # its declared signature names a dtype that it does not take
    return derivative(xp.broadcast_to(alpha, shape), xp.broadcast_to(sample, shape))
