"""Random draws of varying length: the loops of `ir.philox` as XLA's."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jax import Array, lax

from graphc.lowering.table import lowers
from ir import philox, xp
from ir.ops.random import each_parameter, extent, highest


def _loop(cond: Callable[[Any], Any], body: Callable[[Any], Any], carry: Any) -> Any:
    return lax.while_loop(cond, body, carry)


@lowers("TruncatedNormal")
def truncated_normal(shape: Any, dtype: Any, seed: int, seed2: int, name: Any = None, *, state: Array) -> Any:
    """Rejection as a loop over all groups of outputs together."""
    dims, count = extent(shape)
    numbers = philox.truncated_normal(state, count, dtype.np_dtype, _loop)
    return xp.reshape(numbers, dims), philox.advanced(state, count * philox.RESERVED)


@lowers("StatelessTruncatedNormal")
def stateless_truncated_normal(shape: Any, seed: Any, dtype: Any, name: Any = None) -> Array:
    """Rejection as a loop over all groups of outputs together."""
    dims, count = extent(shape)
    state = philox.stateless_state(seed)
    if xp.is_numpy(state):
        return philox.truncated_normal(state, count, dtype.np_dtype).reshape(dims)
    return xp.reshape(philox.truncated_normal(state, count, dtype.np_dtype, _loop), dims)


@lowers("RandomGamma")
def random_gamma(shape: Any, alpha: Array, seed: int, seed2: int, name: Any = None, *, state: Array) -> Any:
    """Rejection as a loop over all outputs together."""
    return each_parameter(shape, alpha, state, np.dtype(alpha.dtype), lambda s, a, n: philox.gamma(s, a, n, _loop))


@lowers("RandomPoisson")
def random_poisson_v1(shape: Any, rate: Array, seed: int, seed2: int, name: Any = None, *, state: Array) -> Any:
    """Rejection as a loop over all outputs together."""
    return _poisson(shape, rate, np.dtype(rate.dtype), state)


@lowers("RandomPoissonV2")
def random_poisson(shape: Any, rate: Array, seed: int, seed2: int, dtype: Any, name: Any = None, *, state: Array) -> Any:
    """Rejection as a loop over all outputs together."""
    return _poisson(shape, rate, dtype.np_dtype, state)


def _poisson(shape: Any, rate: Array, kind: np.dtype[Any], state: Array) -> Any:
    return each_parameter(shape, rate, state, kind, lambda s, r, n: philox.poisson(s, r, n, highest(kind), _loop, lax.lgamma))


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
    return lax.random_gamma_grad(xp.broadcast_to(alpha, shape), xp.broadcast_to(sample, shape))
