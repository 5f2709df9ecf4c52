"""Rows of ir.ops.rnn_block, against the equations of the cells."""

import numpy as np
from scipy.special import expit

from ir.ops import rnn_block as r
from tests.rowdef import ErrorRow, Row, normal

BATCH, INPUTS, UNITS, STEPS = 3, 2, 4, 5
X, CS, H = normal(BATCH, INPUTS), normal(BATCH, UNITS, seed=1), normal(BATCH, UNITS, seed=2)
W, B = normal(INPUTS + UNITS, 4 * UNITS, seed=3), normal(4 * UNITS, seed=4)
PEEP = [normal(UNITS, seed=5 + k) for k in range(3)]
XS = normal(STEPS, BATCH, INPUTS, seed=9)
LOOSE = {"rtol": 1e-4, "atol": 1e-5}


def step(x, cs, h, w, wci, wcf, wco, b, forget_bias=1.0, clip=3.0, peephole=False, order="icfo"):
    gates = dict(zip(order, np.split(np.concatenate([x, h], 1) @ w + b, 4, 1), strict=True))
    p = 1 if peephole else 0
    i, f = expit(gates["i"] + p * wci * cs), expit(gates["f"] + forget_bias + p * wcf * cs)
    ci = np.tanh(gates["c"])
    new = ci * i + cs * f
    new = new.clip(-clip, clip) if clip > 0 else new
    o = expit(gates["o"] + p * wco * new)
    co = np.tanh(new)
    return [i, new, f, o, ci, co, co * o]


def sequence(length, xs, cs, h, *weights, **attrs):
    outputs = []
    for t in range(len(xs)):
        found = step(xs[t], cs, h, *weights, **attrs) if t < length else [np.zeros_like(cs)] * 7
        cs, h = found[1], found[6]
        outputs.append(found)
    return [np.stack(o) for o in zip(*outputs, strict=True)]


def directional(function, point, cotangents):
    """Derivatives of the inner product of outputs and cotangents with respect to each array of `point`, by differences."""
    point = [np.array(p, np.float64) for p in point]
    out = []
    for p in point:
        d = np.zeros(p.shape)
        for at in np.ndindex(*p.shape):
            value = p[at]
            ends = []
            for e in (1e-5, -1e-5):
                p[at] = value + e
                ends.append(sum((np.asarray(y) * c).sum() for y, c in zip(function(*point), cotangents, strict=True)))
            p[at] = value
            d[at] = (ends[0] - ends[1]) / 2e-5
        out.append(d)
    return out


def cs_and_h(found):
    return [found[1], found[6]]


DCS, DH = normal(BATCH, UNITS, seed=10), normal(BATCH, UNITS, seed=11)
DCSS, DHS = normal(STEPS, BATCH, UNITS, seed=12), normal(STEPS, BATCH, UNITS, seed=13)
FREE = {"forget_bias": 0.7, "cell_clip": -1.0}


def step_gradient(peephole):
    def ref(dcs, dh):
        """Of cs_prev, of the gates (that is, of a bias for each example), of the peepholes."""
        def f(cs, gates, wci, wcf, wco):
            return cs_and_h(step(X, cs, H, W, wci, wcf, wco, gates, 0.7, -1.0, peephole))

        d = directional(f, [CS, np.tile(B, (BATCH, 1)), *PEEP], [dcs, dh])
        return d if peephole else [*d[:2], *[np.zeros(UNITS)] * 3]

    def build(dcs, dh):
        i, cs, f, o, ci, co, _ = r.lstm_block_cell(X, CS, H, W, *PEEP, B, use_peephole=peephole, **FREE)
        return list(r.lstm_block_cell_grad(X, CS, H, W, *PEEP, B, i, cs, f, o, ci, co, dcs, dh, peephole))

    return Row("LSTMBlockCellGrad", build, [DCS, DH], ref, id="peephole" * peephole, rtol=1e-3, atol=1e-4)


def sequence_gradient(name, forward, backward, order, length, **attrs):
    def ref(dcs, dh):
        def f(x, cs, h, w, *rest):
            bias = {"forget_bias": attrs.get("forget_bias", 0.0), "clip": -1.0}
            return cs_and_h(sequence(length, x, cs, h, w, *rest, peephole=True, order=order, **bias))

        return directional(f, [XS, CS, H, W, *PEEP, B], [dcs, dh])

    def build(dcs, dh):
        inputs = (np.int64(length), XS, CS, H, W, *PEEP, B)
        found = forward(*inputs, use_peephole=True, cell_clip=-1.0, **attrs)
        return list(backward(*inputs, *found, dcs, dh, True))

    return Row(name, build, [DCSS, DHS], ref, rtol=1e-3, atol=1e-3)


def gru(x, h, w_ru, w_c, b_ru, b_c):
    reset, update = np.split(expit(np.concatenate([x, h], 1) @ w_ru + b_ru), 2, 1)
    c = np.tanh(np.concatenate([x, reset * h], 1) @ w_c + b_c)
    return [reset, update, c, update * h + (1 - update) * c]


W_RU, W_C = normal(INPUTS + UNITS, 2 * UNITS, seed=14), normal(INPUTS + UNITS, UNITS, seed=15)
B_RU, B_C = normal(2 * UNITS, seed=16), normal(UNITS, seed=17)


def gru_gradient(dh):
    def f(x, h, bar_c, bar_ru):
        return gru(x, h, W_RU, W_C, bar_ru, bar_c)[3:]

    return directional(f, [X, H, np.tile(B_C, (BATCH, 1)), np.tile(B_RU, (BATCH, 1))], [dh])


def build_gru_gradient(dh):
    reset, update, c, _ = r.gru_block_cell(X, H, W_RU, W_C, B_RU, B_C)
    return list(r.gru_block_cell_grad(X, H, W_RU, W_C, B_RU, B_C, reset, update, c, dh))


LSTM = [X, CS, H, W, *PEEP, B]
SEQUENCE = [XS, CS, H, W, *PEEP, B]
FIVE, THREE = np.int64(5), np.int64(3)

ROWS = [
    Row("LSTMBlockCell", lambda *a: list(r.lstm_block_cell(*a)), LSTM, lambda *a: step(*a), **LOOSE),
    Row("LSTMBlockCell", lambda *a: list(r.lstm_block_cell(*a, 0.7, 0.5, True)), LSTM, lambda *a: step(*a, 0.7, 0.5, True), id="peephole, clipped", **LOOSE),
    Row("LSTMBlockCell", lambda *a: cs_and_h(r.lstm_block_cell(*a, use_peephole=True, **FREE)), LSTM, lambda *a: cs_and_h(step(*a, 0.7, -1.0, True)),
        grad=True, id="gradient", **LOOSE),
    step_gradient(False),
    step_gradient(True),
    Row("BlockLSTM", lambda *a: list(r.block_lstm(FIVE, *a)), SEQUENCE, lambda *a: sequence(5, *a), **LOOSE),
    Row("BlockLSTM", lambda *a: list(r.block_lstm(THREE, *a, 0.7, 0.5, True)), SEQUENCE,
        lambda *a: sequence(3, *a, forget_bias=0.7, clip=0.5, peephole=True), id="shorter, peephole, clipped", **LOOSE),
    Row("BlockLSTM", lambda *a: cs_and_h(r.block_lstm(THREE, *a, use_peephole=True, **FREE)), SEQUENCE,
        lambda *a: cs_and_h(sequence(3, *a, forget_bias=0.7, clip=-1.0, peephole=True)), grad=True, id="gradient", **LOOSE),
    Row("BlockLSTMV2", lambda *a: list(r.block_lstm_v2(THREE, *a, 0.5)), SEQUENCE,
        lambda *a: sequence(3, *a, forget_bias=0.0, clip=0.5, order="ifco"), **LOOSE),
    Row("BlockLSTMV2", lambda *a: cs_and_h(r.block_lstm_v2(FIVE, *a)), SEQUENCE,
        lambda *a: cs_and_h(sequence(5, *a, forget_bias=0.0, clip=-1.0, order="ifco")), grad=True, id="gradient", **LOOSE),
    sequence_gradient("BlockLSTMGrad", r.block_lstm, r.block_lstm_grad, "icfo", 4, forget_bias=0.7),
    sequence_gradient("BlockLSTMGradV2", r.block_lstm_v2, r.block_lstm_grad_v2, "ifco", 5),
    Row("GRUBlockCell", lambda *a: list(r.gru_block_cell(*a)), [X, H, W_RU, W_C, B_RU, B_C], gru, **LOOSE),
    Row("GRUBlockCell", lambda *a: r.gru_block_cell(*a)[3], [X, H, W_RU, W_C, B_RU, B_C], lambda *a: gru(*a)[3], grad=True, id="gradient", **LOOSE),
    Row("GRUBlockCellGrad", build_gru_gradient, [DH], gru_gradient, rtol=1e-3, atol=1e-4),
]  # fmt: skip

ERRORS = [
    ErrorRow("LSTMBlockCell", lambda: r.lstm_block_cell(X, CS[:2], H, W, *PEEP, B), ValueError, "not compatible"),
    ErrorRow("GRUBlockCell", lambda: r.gru_block_cell(X[0], H, W_RU, W_C, B_RU, B_C), ValueError, "must have rank 2"),
]
