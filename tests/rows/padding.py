"""Rows of ir.ops.padding."""

import numpy as np

from ir.ops.layout import raw, zeros
from ir.ops.padding import mirror_pad_grad, pad, reverse, reverse_sequence, roll
from tests.rowdef import ErrorRow, Row, integers, normal

X = normal(3, 4)
P = [[1, 2], [0, 3]]
S = normal(4, 5, 2)
LENGTHS = np.array([2, 5, 0, 1])


def reversed_rows(x: np.ndarray, n: np.ndarray, batch: int = 0, seq: int = 1) -> np.ndarray:
    out = np.moveaxis(x.copy(), [batch, seq], [0, 1])
    for row, m in zip(out, n, strict=True):
        row[:m] = row[:m][::-1]
    return np.moveaxis(out, [0, 1], [batch, seq])


def folded(dy: np.ndarray, mode: str, pads: list[list[int]]) -> np.ndarray:
    """The transpose of mirror padding, by where each element came from."""
    places = np.arange(np.prod([d - sum(p) for d, p in zip(dy.shape, pads, strict=True)])).reshape([d - sum(p) for d, p in zip(dy.shape, pads, strict=True)])
    out = np.zeros(places.size, dy.dtype)
    np.add.at(out, np.pad(places, pads, mode).reshape(-1), dy.reshape(-1))
    return out.reshape(places.shape)


ROWS = [
    Row("Pad", lambda x: pad(x, P), [X], lambda x: np.pad(x, P), grad=True, second=True),
    Row("Pad", lambda x: pad(x, np.array([[0, 0], [0, 0]])), [X], lambda x: x, grad=True, id="nothing"),
    Row("Pad", lambda x: pad(x, [[1, 0]]), [np.array([True])], lambda x: np.array([False, True]), id="bool"),
    Row("Pad", lambda x: pad(x, [[1, 1], [0, 0]]), [normal(0, 2)], lambda x: np.zeros([2, 2], np.float32), id="empty"),
    Row("Pad", lambda x: pad(x, [[0, 1]]), [np.array([b"a"], object)], lambda x: np.array([b"a", b""], object), id="strings"),
    Row("Pad", lambda x, p: pad(x, p), [X, np.int32(P)], lambda x, p: np.pad(x, P), id="paddings fed"),
    Row("PadV2", lambda x: pad(x, P, constant_values=7), [X], lambda x: np.pad(x, P, constant_values=7), grad=True, second=True),
    Row("PadV2", lambda x: pad(x, P, constant_values=-1), [integers(3, 4)], lambda x: np.pad(x, P, constant_values=-1), id="int"),
    Row("MirrorPad", lambda x: pad(x, P, "REFLECT"), [X], lambda x: np.pad(x, P, "reflect"), grad=True, second=True),
    Row("MirrorPad", lambda x: pad(x, [[3, 2], [4, 0]], "symmetric"), [X], lambda x: np.pad(x, [[3, 2], [4, 0]], "symmetric"), grad=True, id="SYMMETRIC"),
    Row("MirrorPadGrad", lambda x: mirror_pad_grad(x, [[1, 0], [1, 2]], "REFLECT"), [normal(4, 7)], lambda x: folded(x, "reflect", [[1, 0], [1, 2]]),
        grad=True),
    Row("MirrorPadGrad", lambda x: mirror_pad_grad(x, [[1, 2], [0, 3]], "SYMMETRIC"), [normal(6, 7)], lambda x: folded(x, "symmetric", [[1, 2], [0, 3]]),
        grad=True, second=True, id="SYMMETRIC"),
    Row("ReverseV2", lambda x: reverse(x, [-1]), [X], lambda x: x[:, ::-1], grad=True, second=True),
    Row("ReverseV2", lambda x: reverse(x, [1, 0]), [integers(2, 3)], lambda x: x[::-1, ::-1], id="both"),
    Row("ReverseV2", lambda x: reverse(x, np.zeros([0], np.int32)), [X], lambda x: x, grad=True, id="none"),
    Row("ReverseV2", lambda x: reverse(x, [0]), [np.array([b"a", b"b"], object)], lambda x: x[::-1], id="strings"),
    Row("Reverse", lambda x: raw("Reverse")(x, [False, True]), [X], lambda x: x[:, ::-1], grad=True, second=True),
    Row("ReverseSequence", lambda x, n: reverse_sequence(x, n, 1), [S, LENGTHS], reversed_rows, grad=True, second=True),
    Row("ReverseSequence", lambda x, n: reverse_sequence(x, n, seq_dim=0, batch_dim=2), [S, np.int32([3, 4])], lambda x, n: reversed_rows(x, n, 2, 0),
        grad=True, id="axes"),
    Row("Roll", lambda x: roll(x, 1, 0), [X], lambda x: np.roll(x, 1, 0), grad=True, second=True),
    Row("Roll", lambda x: roll(x, [-1, 9, 1], [0, 1, 0]), [X], lambda x: np.roll(np.roll(x, 9, 1), 0, 0), grad=True, id="several"),
    Row("Roll", lambda x, n: roll(x, n, [1]), [X, np.int32([3])], lambda x, n: np.roll(x, 3, 1), grad=True, id="shift fed"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Pad", lambda: pad(zeros([2]), [[1, 1], [0, 0]]), ValueError, "2 rows for a tensor of rank 1"),
    ErrorRow("Pad", lambda: pad(zeros([2]), [[-1, 1]]), ValueError, "non-negative"),
    ErrorRow("Pad", lambda: pad(zeros([2]), [[1, 1]], "wrap"), ValueError, "Unknown padding mode"),
    ErrorRow("MirrorPad", lambda: pad(zeros([2]), [[2, 0]], "REFLECT"), ValueError, "no greater than the dimension size less 1"),
    ErrorRow("MirrorPad", lambda: pad(zeros([2]), [[3, 0]], "SYMMETRIC"), ValueError, "no greater than the dimension size"),
    ErrorRow("ReverseV2", lambda: reverse(zeros([2]), [1]), ValueError, "axis = 1 not in"),
    ErrorRow("ReverseV2", lambda: reverse(zeros([2]), [0, -1]), ValueError, "more than once"),
    ErrorRow("ReverseSequence", lambda: reverse_sequence(zeros([2, 3]), [1, 1], 0, 0), ValueError, "must differ"),
    ErrorRow("ReverseSequence", lambda: reverse_sequence(zeros([2, 3]), [1, 1, 1], 1, 0), ValueError, "not compatible"),
    ErrorRow("Roll", lambda: roll(zeros([2]), [1, 2], [0]), ValueError, "same size"),
]
