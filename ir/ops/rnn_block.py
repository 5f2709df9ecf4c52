"""Recurrent cells as one op: LSTM and GRU steps, and an LSTM over a whole sequence.

Gates are i (input), ci (new candidate), f (forget) and o (output); the second version of the sequence op has f before ci.
"""

from typing import Any

import numpy as np

from ir import xp
from ir.build import grad, op
from ir.dtypes import TypeSet
from ir.infer import Infer
from ir.opdef import Int64, T
from ir.ops.conv import bias_add_grad
from ir.ops.joining import concat
from ir.ops.layout import shape, zeros_like
from ir.ops.matmul import matmul
from ir.shapes import Dims, merge_dims
from ir.tensor import Operation, Tensor

HALF = TypeSet("float16 float32")
FLOAT32 = TypeSet("float32")
STEP_OUTPUTS = "i: T, cs: T, f: T, o: T, ci: T, co: T, h: T"


def _sigmoid(x: Any) -> Any:
    return xp.tanh(x * np.asarray(0.5, x.dtype)) * np.asarray(0.5, x.dtype) + np.asarray(0.5, x.dtype)


# -- one step of an LSTM -----------------------------------------------------------------------------


def _state_dims(c: Infer, x: int, state: int) -> tuple[int | None, int | None]:
    """Batch and units, from the shapes of the input and of the cell's state."""
    batch = merge_dims(c.rank(x, 2)[:1], c.rank(state, 2)[:1])
    return (batch[0] if batch else None), c.rank(state, 2)[1]


def _step_dims(c: Infer) -> list[Dims]:
    return [_state_dims(c, 0, 1)] * 7


def lstm_step(
    x: Any, cs_prev: Any, h_prev: Any, w: Any, peepholes: Any, b: Any, forget_bias: float, cell_clip: float, f_first: bool = False
) -> tuple[Any, ...]:
    """One step on arrays: i, cs, f, o, ci, co, h. `peepholes` are the three weights or None."""
    kind = x.dtype
    gates = xp.matmul(xp.concatenate([x, h_prev], axis=1), w) + b
    i, second, third, o = (gates[:, k * cs_prev.shape[1] : (k + 1) * cs_prev.shape[1]] for k in range(4))
    ci, f = (third, second) if f_first else (second, third)
    f = f + np.asarray(forget_bias, kind)
    if peepholes is not None:
        i, f = i + peepholes[0] * cs_prev, f + peepholes[1] * cs_prev
    i, f, ci = _sigmoid(i), _sigmoid(f), xp.tanh(ci)
    cs = ci * i + cs_prev * f
    if cell_clip > 0:
        cs = xp.clip(cs, np.asarray(-cell_clip, kind), np.asarray(cell_clip, kind))
    o = _sigmoid(o + peepholes[2] * cs if peepholes is not None else o)
    co = xp.tanh(cs)
    return i, cs, f, o, ci, co, co * o


def lstm_step_gradient(cs_prev: Any, peepholes: Any, step: tuple[Any, ...], cs_grad: Any, h_grad: Any, f_first: bool = False) -> tuple[Any, Any, list[Any]]:
    """The gradients of one step on arrays: of cs_prev, of the gates before activation, of the peephole weights (per example).

    The clipping of the cell's state does not count.
    """
    i, cs, f, o, ci, co = step[:6]
    one = np.asarray(1, cs_prev.dtype)
    d_o = o * (one - o) * h_grad * co
    d_cs = (one - co * co) * h_grad * o + cs_grad
    if peepholes is not None:
        d_cs = d_cs + d_o * peepholes[2]
    d_i, d_f, d_ci = i * (one - i) * d_cs * ci, f * (one - f) * d_cs * cs_prev, (one - ci * ci) * d_cs * i
    d_prev = d_cs * f
    if peepholes is not None:
        d_prev = d_prev + d_i * peepholes[0] + d_f * peepholes[1]
    gates = xp.concatenate([d_i, d_f, d_ci, d_o] if f_first else [d_i, d_ci, d_f, d_o], axis=1)
    return d_prev, gates, [d_i * cs_prev, d_f * cs_prev, d_o * cs]


@op("LSTMBlockCell", _step_dims, out=STEP_OUTPUTS, T=HALF)
def lstm_block_cell(
    x: T, cs_prev: T, h_prev: T, w: T, wci: T, wcf: T, wco: T, b: T, forget_bias: float = 1, cell_clip: float = 3, use_peephole: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """One step of an LSTM.

    Args:
      x: [batch, in].
      cs_prev, h_prev: [batch, units], the state and the output of the step before.
      w: [in + units, 4 * units], the weights of the gates i, ci, f, o.
      wci, wcf, wco: [units], the peephole weights.
      b: [4 * units].
      forget_bias: added to the gate f.
      cell_clip: the bound of the state, none if it is not positive.
      use_peephole: whether the gates see the state.
      name: a name for the operation.

    Returns (i, cs, f, o, ci, co, h), each [batch, units]: cs is the new state, h the output.
    """
    return lstm_step(x, cs_prev, h_prev, w, (wci, wcf, wco) if use_peephole else None, b, forget_bias, cell_clip)


def _step_grad_dims(c: Infer) -> list[Dims]:
    state = _state_dims(c, 0, 1)
    gates = None if state[1] is None else 4 * state[1]
    return [state, (state[0], gates), *[(state[1],)] * 3]


@op(
    "LSTMBlockCellGrad", _step_grad_dims, out="cs_prev_grad: T, dicfo: T, wci_grad: T, wcf_grad: T, wco_grad: T", T=HALF,
)  # fmt: skip
def lstm_block_cell_grad(
    x: T, cs_prev: T, h_prev: T, w: T, wci: T, wcf: T, wco: T, b: T, i: T, cs: T, f: T, o: T, ci: T, co: T, cs_grad: T, h_grad: T, use_peephole: bool,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The gradient of `LSTMBlockCell`: `dicfo` is that of the gates before activation."""
    d_prev, gates, weights = lstm_step_gradient(cs_prev, (wci, wcf, wco) if use_peephole else None, (i, cs, f, o, ci, co), cs_grad, h_grad)
    return d_prev, gates, *[xp.sum(d, axis=0) if use_peephole else xp.zeros_like(wci) for d in weights]


@grad("LSTMBlockCell")
def _(op: Operation, _i: Any, cs_grad: Tensor | None, _f: Any, _o: Any, _ci: Any, _co: Any, h_grad: Tensor | None) -> Any:
    x, cs_prev, h_prev, w, wci, wcf, wco, b = op.inputs
    i, cs, f, o, ci, co, h = op.outputs
    cs_grad = zeros_like(cs) if cs_grad is None else cs_grad
    h_grad = zeros_like(h) if h_grad is None else h_grad
    peephole = op.attrs["use_peephole"]
    d_prev, gates, d_wci, d_wcf, d_wco = lstm_block_cell_grad(x, cs_prev, h_prev, w, wci, wcf, wco, b, i, cs, f, o, ci, co, cs_grad, h_grad, peephole)
    known = x.shape.with_rank(2).as_list()[1]
    inputs: Any = shape(x)[1] if known is None else known
    d_x = matmul(gates, w[:inputs], transpose_b=True)
    d_h = matmul(gates, w[inputs:], transpose_b=True)
    d_w = matmul(concat([x, h_prev], 1), gates, transpose_a=True)
    return d_x, d_prev, d_h, d_w, d_wci, d_wcf, d_wco, bias_add_grad(gates)


grad.none("LSTMBlockCellGrad", "TensorFlow has no second-order gradient of this op")


# -- an LSTM over a sequence -------------------------------------------------------------------------


def _sequence_dims(c: Infer) -> list[Dims]:
    x, state = c.rank(1, 3), c.rank(2, 2)
    batch = merge_dims(x[1:2], state[:1])
    return [(x[0], batch[0] if batch else None, state[1])] * 7


@op("BlockLSTM", _sequence_dims, out=STEP_OUTPUTS, T=HALF)
def block_lstm(
    seq_len_max: Int64, x: T, cs_prev: T, h_prev: T, w: T, wci: T, wcf: T, wco: T, b: T, forget_bias: float = 1, cell_clip: float = 3,
    use_peephole: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """`LSTMBlockCell` over [time, batch, in]; steps from `seq_len_max` on give zeros."""
    ...


@op("BlockLSTMV2", _sequence_dims, out=STEP_OUTPUTS, T=HALF)
def block_lstm_v2(
    seq_len_max: Int64, x: T, cs_prev: T, h_prev: T, w: T, wci: T, wcf: T, wco: T, b: T, cell_clip: float = 0, use_peephole: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`BlockLSTM` with the gates in the order i, f, ci, o and no bias of its own."""
    ...


GRAD_OUTPUTS = "x_grad: T, cs_prev_grad: T, h_prev_grad: T, w_grad: T, wci_grad: T, wcf_grad: T, wco_grad: T, b_grad: T"


def _like_inputs(c: Infer) -> list[Dims]:
    return [c.dims(i) for i in range(1, 9)]


@op("BlockLSTMGrad", _like_inputs, out=GRAD_OUTPUTS, T=HALF)
def block_lstm_grad(
    seq_len_max: Int64, x: T, cs_prev: T, h_prev: T, w: T, wci: T, wcf: T, wco: T, b: T, i: T, cs: T, f: T, o: T, ci: T, co: T, h: T, cs_grad: T, h_grad: T,
    use_peephole: bool, name: str | None = None,
) -> Any:  # fmt: skip
    """The gradient of `BlockLSTM`."""
    ...


@op("BlockLSTMGradV2", _like_inputs, out=GRAD_OUTPUTS, T=HALF)
def block_lstm_grad_v2(
    seq_len_max: Int64, x: T, cs_prev: T, h_prev: T, w: T, wci: T, wcf: T, wco: T, b: T, i: T, cs: T, f: T, o: T, ci: T, co: T, h: T, cs_grad: T, h_grad: T,
    use_peephole: bool, name: str | None = None,
) -> Any:  # fmt: skip
    """The gradient of `BlockLSTMV2`."""
    ...


@grad("BlockLSTM", "BlockLSTMV2")
def _(op: Operation, _i: Any, cs_grad: Tensor | None, _f: Any, _o: Any, _ci: Any, _co: Any, h_grad: Tensor | None) -> Any:
    length, x, cs_prev, h_prev, w, wci, wcf, wco, b = op.inputs
    i, cs, f, o, ci, co, h = op.outputs
    cs_grad = zeros_like(cs) if cs_grad is None else cs_grad
    h_grad = zeros_like(h) if h_grad is None else h_grad
    fn = block_lstm_grad if op.type == "BlockLSTM" else block_lstm_grad_v2
    found = fn(length, x, cs_prev, h_prev, w, wci, wcf, wco, b, i, cs, f, o, ci, co, h, cs_grad, h_grad, op.attrs["use_peephole"])
    return None, *found


grad.none("BlockLSTMGrad BlockLSTMGradV2", "TensorFlow has no second-order gradient of this op")


# -- one step of a GRU -------------------------------------------------------------------------------


def _gru_dims(c: Infer) -> list[Dims]:
    return [_state_dims(c, 0, 1)] * 4


@op("GRUBlockCell", _gru_dims, out="r: T, u: T, c: T, h: T", T=FLOAT32)
def gru_block_cell(x: T, h_prev: T, w_ru: T, w_c: T, b_ru: T, b_c: T, name: str | None = None) -> Any:
    """One step of a GRU.

    Args:
      x: [batch, in].
      h_prev: [batch, units], the output of the step before.
      w_ru: [in + units, 2 * units], the weights of the gates r (reset) and u (update).
      w_c: [in + units, units], the weights of the candidate.
      b_ru, b_c: [2 * units] and [units].
      name: a name for the operation.

    Returns (r, u, c, h), each [batch, units]: c is the candidate, h the output.
    """
    units = h_prev.shape[1]
    gates = _sigmoid(xp.matmul(xp.concatenate([x, h_prev], axis=1), w_ru) + b_ru)
    r, u = gates[:, :units], gates[:, units:]
    c = xp.tanh(xp.matmul(xp.concatenate([x, r * h_prev], axis=1), w_c) + b_c)
    return r, u, c, u * h_prev + (np.asarray(1, x.dtype) - u) * c


def _gru_grad_dims(c: Infer) -> list[Dims]:
    state = _state_dims(c, 0, 1)
    return [(state[0], c.rank(0, 2)[1]), state, state, (state[0], None if state[1] is None else 2 * state[1])]


@op("GRUBlockCellGrad", _gru_grad_dims, out="d_x: T, d_h_prev: T, d_c_bar: T, d_r_bar_u_bar: T", T=FLOAT32)
def gru_block_cell_grad(
    x: T, h_prev: T, w_ru: T, w_c: T, b_ru: T, b_c: T, r: T, u: T, c: T, d_h: T, name: str | None = None
) -> Any:
    """The gradient of `GRUBlockCell`; the last two outputs are those of candidate and gates before activation."""
    one, inputs = np.asarray(1, x.dtype), x.shape[1]
    d_c_bar = d_h * (one - u) * (one - c * c)
    d_u_bar = d_h * (h_prev - c) * u * (one - u)
    through_c = xp.matmul(d_c_bar, xp.transpose(w_c))
    d_reset = through_c[:, inputs:]
    d_r_bar = d_reset * h_prev * r * (one - r)
    d_gates = xp.concatenate([d_r_bar, d_u_bar], axis=1)
    through_gates = xp.matmul(d_gates, xp.transpose(w_ru))
    d_x = through_c[:, :inputs] + through_gates[:, :inputs]
    return d_x, d_reset * r + d_h * u + through_gates[:, inputs:], d_c_bar, d_gates


@grad("GRUBlockCell")
def _(op: Operation, _r: Any, _u: Any, _c: Any, d_h: Tensor | None) -> Any:
    if d_h is None:
        return None
    x, h_prev, w_ru, w_c, b_ru, b_c = op.inputs
    r, u, c, _ = op.outputs
    d_x, d_h_prev, d_c_bar, d_gates = gru_block_cell_grad(x, h_prev, w_ru, w_c, b_ru, b_c, r, u, c, d_h)
    d_w_ru = matmul(concat([x, h_prev], 1), d_gates, transpose_a=True)
    d_w_c = matmul(concat([x, h_prev * r], 1), d_c_bar, transpose_a=True)
    return d_x, d_h_prev, d_w_ru, d_w_c, bias_add_grad(d_gates), bias_add_grad(d_c_bar)


grad.none("GRUBlockCellGrad", "TensorFlow has no second-order gradient of this op")
