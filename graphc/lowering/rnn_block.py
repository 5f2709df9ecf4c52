"""An LSTM over a whole sequence as one scan."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from graphc.lowering.table import lowers
from ir.ops.rnn_block import lstm_step, lstm_step_gradient


def _forward(length: Any, x: Any, cs: Any, h: Any, w: Any, peepholes: Any, b: Any, forget_bias: float, clip: float, f_first: bool) -> tuple[Array, ...]:
    x, cs, h, w, b = (jnp.asarray(v) for v in (x, cs, h, w, b))

    def step(state: tuple[Array, Array], inputs: tuple[Array, Array]) -> Any:
        t, now = inputs
        found = lstm_step(now, *state, w, peepholes, b, forget_bias, clip, f_first)
        active = t < length
        kept = tuple(jnp.where(active, v, jnp.zeros_like(v)) for v in found)
        return (found[1], found[6]), kept

    _, out = lax.scan(step, (cs, h), (np.arange(x.shape[0]), x))
    return out


@lowers("BlockLSTM")
def block_lstm(
    length: Any, x: Any, cs: Any, h: Any, w: Any, wci: Any, wcf: Any, wco: Any, b: Any, forget_bias: float, clip: float, peephole: bool, name: Any = None
) -> tuple[Array, ...]:
    """The steps of an LSTM."""
    return _forward(length, x, cs, h, w, (wci, wcf, wco) if peephole else None, b, forget_bias, clip, False)


@lowers("BlockLSTMV2")
def block_lstm_v2(
    length: Any, x: Any, cs: Any, h: Any, w: Any, wci: Any, wcf: Any, wco: Any, b: Any, clip: float, peephole: bool, name: Any = None
) -> tuple[Array, ...]:
    """The steps of an LSTM with its gates in the other order."""
    return _forward(length, x, cs, h, w, (wci, wcf, wco) if peephole else None, b, 0.0, clip, True)


def _backward(length: Any, x: Any, first: Any, w: Any, peepholes: Any, steps: Any, grads: Any, f_first: bool) -> tuple[Array, ...]:
    x, w = jnp.asarray(x), jnp.asarray(w)
    cs_first, h_first = (jnp.asarray(v) for v in first)
    i, cs, f, o, ci, co, h = (jnp.asarray(v) for v in steps)
    before = jnp.concatenate([cs_first[None], cs[:-1]]), jnp.concatenate([h_first[None], h[:-1]])

    def step(carry: tuple[Array, Array], inputs: Any) -> Any:
        t, cs_prev, now, cs_grad, h_grad = inputs
        d_prev, gates, weights = lstm_step_gradient(cs_prev, peepholes, now, cs_grad + carry[0], h_grad + carry[1], f_first)
        active = t < length
        gates = jnp.where(active, gates, jnp.zeros_like(gates))
        weights = [jnp.where(active, v, jnp.zeros_like(v)) for v in weights]
        d_h = jnp.matmul(gates, w[x.shape[2] :].T)
        return (jnp.where(active, d_prev, carry[0]), jnp.where(active, d_h, carry[1])), (gates, weights)

    start = jnp.zeros_like(cs_first), jnp.zeros_like(h_first)
    inputs = np.arange(x.shape[0]), before[0], (i, cs, f, o, ci, co), *(jnp.asarray(g) for g in grads)
    (d_cs, d_h), (gates, weights) = lax.scan(step, start, inputs, reverse=True)
    # one product for all steps is faster than a sum inside the loop
    flat = gates.reshape(-1, gates.shape[2])
    d_w = jnp.matmul(jnp.concatenate([x, before[1]], 2).reshape(flat.shape[0], -1).T, flat)
    d_x = jnp.matmul(gates, w[: x.shape[2]].T)
    sums = [v.sum((0, 1)) if peepholes is not None else jnp.zeros(v.shape[2], v.dtype) for v in weights]
    return d_x, d_cs, d_h, d_w, *sums, flat.sum(0)


@lowers("BlockLSTMGrad")
def block_lstm_grad(
    length: Any, x: Any, cs0: Any, h0: Any, w: Any, wci: Any, wcf: Any, wco: Any, b: Any, i: Any, cs: Any, f: Any, o: Any, ci: Any, co: Any, h: Any,
    cs_grad: Any, h_grad: Any, peephole: bool, name: Any = None,
) -> tuple[Array, ...]:  # fmt: skip
    """The gradient, by the steps in reverse."""
    return _backward(length, x, (cs0, h0), w, (wci, wcf, wco) if peephole else None, (i, cs, f, o, ci, co, h), (cs_grad, h_grad), False)


@lowers("BlockLSTMGradV2")
def block_lstm_grad_v2(
    length: Any, x: Any, cs0: Any, h0: Any, w: Any, wci: Any, wcf: Any, wco: Any, b: Any, i: Any, cs: Any, f: Any, o: Any, ci: Any, co: Any, h: Any,
    cs_grad: Any, h_grad: Any, peephole: bool, name: Any = None,
) -> tuple[Array, ...]:  # fmt: skip
    """The gradient, by the steps in reverse."""
    return _backward(length, x, (cs0, h0), w, (wci, wcf, wco) if peephole else None, (i, cs, f, o, ci, co, h), (cs_grad, h_grad), True)
