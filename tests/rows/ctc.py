"""Rows of ir.ops.ctc, against sums over all alignments."""

import itertools

import numpy as np
from scipy.special import softmax

from ir.ops import ctc
from ir.sparse_tensor import SparseTensor
from tests.rowdef import ErrorRow, Row, normal

RAW = ctc._ctc_loss


def sparse(rows):
    indices = [(b, i) for b, r in enumerate(rows) for i in range(len(r))]
    return np.array(indices, np.int64).reshape(-1, 2), np.array([v for r in rows for v in r], np.int32)


def spelled(path, blank, merge):
    """The labels that a path of classes stands for."""
    return [k for i, k in enumerate(path) if k != blank and not (merge and i and k == path[i - 1])]


def loss_and_gradient(x, rows, lengths, merge=True):
    _, batch, classes = x.shape
    y = softmax(x.astype("d"), -1)
    losses, gradient = np.zeros(batch), np.zeros(x.shape)
    for b, (labels, length) in enumerate(zip(rows, lengths, strict=True)):
        total, share = 0.0, np.zeros((length, classes))
        for path in itertools.product(range(classes), repeat=length):
            if length and spelled(path, classes - 1, merge) == list(labels):
                p = np.prod(y[np.arange(length), b, list(path)])
                total += p
                share[np.arange(length), list(path)] += p
        if length:
            losses[b] = -np.log(total) if total else np.inf
            gradient[:length, b] = y[:length, b] - (share / total if total else 0)
    return [losses, gradient]


def loss_row(name, rows, lengths, expected=None, merge=True, shape=(5, 3), **attrs):
    x = 2 * normal(shape[0], len(rows), shape[1])
    indices, values = sparse(rows)
    expected = rows if expected is None else expected
    return Row("CTCLoss", lambda x: list(RAW(x, indices, values, np.int32(lengths), ctc_merge_repeated=merge, **attrs)), [x],
               lambda x: loss_and_gradient(x, expected, lengths, merge), id=name, rtol=1e-4, atol=1e-5)  # fmt: skip


def greedy(x, lengths, merge):
    blank, paths, total = x.shape[2] - 1, [], []
    for b, n in enumerate(lengths):
        best = x[:n, b].argmax(-1).tolist()
        paths.append(spelled(best, blank, merge))
        total.append([-sum(x[t, b, k] for t, k in enumerate(best))])
    return [*packed(paths), np.array(total)]


def packed(paths):
    indices, values = sparse(paths)
    return [indices, values.astype(np.int64), np.array([len(paths), max(map(len, paths))])]


def best_sequences(x, lengths, count, merge):
    """The most probable label sequences: a beam wide enough is exact."""
    ranked = []
    for b, n in enumerate(lengths):
        y, found = softmax(x[:, b].astype("d"), -1), {}
        for path in itertools.product(range(x.shape[2]), repeat=n):
            labels = tuple(spelled(path, x.shape[2] - 1, True))
            found[labels] = found.get(labels, 0.0) + np.prod(y[np.arange(n), list(path)])
        ranked.append(sorted(found.items(), key=lambda f: -f[1])[:count])
    shown = [[[k for i, k in enumerate(labels) if not (merge and i and k == labels[i - 1])] for labels, _ in [r[i] for r in ranked]] for i in range(count)]
    parts = [packed(paths) for paths in shown]
    return [p[i] for i in range(3) for p in parts] + [np.log([[p for _, p in r] for r in ranked])]


LABELS = [[0, 1], [1, 1], [0]]
INDICES, VALUES = sparse(LABELS)
LENGTHS = np.int32([5, 4, 2])
X = 2 * normal(5, 3, 3)


def api(x, **kwargs):
    return ctc.ctc_loss(SparseTensor(INDICES, VALUES, [3, 2]), x, LENGTHS, **kwargs)


def with_first_blank(x):
    """Class 0 is the blank, labels are one more."""
    return ctc.ctc_loss_v2(SparseTensor(INDICES, VALUES + np.int32(1), [3, 2]), x, None, LENGTHS, blank_index=0)


def beams(x, count, merge):
    found = ctc._ctc_beam_search_decoder(x, LENGTHS, 50, count, merge)
    return [*found.decoded_indices, *found.decoded_values, *found.decoded_shape, found.log_probability]


ROWS = [
    loss_row("", LABELS, [5, 4, 2]),
    loss_row("repeats apart", LABELS, [5, 4, 2], merge=False),
    loss_row("collapsed", [[0, 0, 1], [1, 1], [0, 0]], [5, 4, 2], [[0, 1], [1], [0]], preprocess_collapse_repeated=True),
    loss_row("no steps", LABELS, [5, 4, 0]),
    loss_row("impossible", [[0, 1], [1, 1], [0]], [5, 2, 1]),
    loss_row("padded with blanks", [[0, 2], [1, 1], [0, 2]], [5, 4, 2], [[0], [1, 1], [0]]),
    loss_row("more labels than steps", [[0, 1, 0], [1]], [2, 3]),
    Row("CTCLoss", lambda x: list(RAW(x, *sparse([[0, 1, 0], [1]]), np.int32([2, 3]), ignore_longer_outputs_than_inputs=True)), [normal(3, 2, 3)],
        lambda x: [v * m for v, m in zip(loss_and_gradient(x, [[], [1]], [0, 3]), (1, 1), strict=True)], id="longer ignored", rtol=1e-4, atol=1e-5),
    Row("CTCLoss", api, [X], lambda x: loss_and_gradient(x, LABELS, LENGTHS)[0], grad=True, id="api", rtol=1e-4),
    Row("CTCLoss", lambda x: api(x, time_major=False), [X.swapaxes(0, 1)], lambda x: loss_and_gradient(x.swapaxes(0, 1), LABELS, LENGTHS)[0], grad=True,
        id="batch major", rtol=1e-4),
    Row("CTCLoss", with_first_blank, [X], lambda x: loss_and_gradient(x[:, :, [1, 2, 0]], LABELS, LENGTHS)[0], id="v2", rtol=1e-4, forget=False),
    Row("CTCLoss", lambda x: ctc.ctc_loss_v2([[1, 2, 0], [2, 2, 7], [1, 0, 1]], x, [2, 2, 1], LENGTHS), [X],
        lambda x: loss_and_gradient(x[:, :, [1, 2, 0]], LABELS, LENGTHS)[0], grad=True, id="v2 dense", rtol=1e-4, forget=False),
    Row("CTCLoss", lambda x: ctc.ctc_loss_v2([[0, 1], [1, 1], [0, 0]], x, [2, 2, 1], LENGTHS, False, blank_index=-1), [X.swapaxes(0, 1)],
        lambda x: loss_and_gradient(x.swapaxes(0, 1), LABELS, LENGTHS)[0], id="v2 dense batch major", rtol=1e-4, forget=False),
    Row("CTCGreedyDecoder", lambda x: list(ctc._ctc_greedy_decoder(x, LENGTHS, True)), [X], lambda x: greedy(x, LENGTHS, True), id="merged"),
    Row("CTCGreedyDecoder", lambda x: list(ctc._ctc_greedy_decoder(x, LENGTHS)), [X], lambda x: greedy(x, LENGTHS, False)),
    Row("CTCGreedyDecoder", lambda x: ctc.ctc_greedy_decoder(x, LENGTHS)[0][0].values, [X], lambda x: greedy(x, LENGTHS, True)[1], id="api"),
    Row("CTCBeamSearchDecoder", lambda x: beams(x, 3, False), [X], lambda x: best_sequences(x, LENGTHS, 3, False), rtol=1e-4),
    Row("CTCBeamSearchDecoder", lambda x: beams(x, 2, True), [X], lambda x: best_sequences(x, LENGTHS, 2, True), rtol=1e-4, id="merged"),
    Row("CTCBeamSearchDecoder", lambda x: ctc.ctc_beam_search_decoder(x, LENGTHS, 50)[1], [X], lambda x: best_sequences(x, LENGTHS, 1, False)[-1],
        rtol=1e-4, id="api"),
]  # fmt: skip

ERRORS = [
    ErrorRow("CTCLoss", lambda: ctc.ctc_loss(VALUES, X, LENGTHS), TypeError, "SparseTensor"),
    ErrorRow("CTCLoss", lambda: RAW(X, INDICES, VALUES, LENGTHS[:2]), ValueError, "not compatible"),
    ErrorRow("CTCLoss", lambda: ctc.ctc_loss_v2(SparseTensor(INDICES, VALUES, [3, 2]), X, None, LENGTHS), ValueError, "blank_index must be given"),
    ErrorRow("CTCBeamSearchDecoder", lambda: ctc.ctc_beam_search_decoder(X, LENGTHS, 0), ValueError, "at least 1"),
]
