"""Rows of ir.ops.morphology: dilation against loops over windows."""

import numpy as np

from ir.ops import morphology
from tests.rowdef import ErrorRow, Row, integers, normal
from tests.rows.conv import walk

X, F = normal(2, 5, 6, 3), normal(3, 2, 3, seed=1)
CASES = {"SAME": (1, 1, "SAME"), "VALID": (1, 1, "VALID"), "strided": (2, 1, "SAME"), "dilated": (1, 2, "SAME")}


def search(x, f, stride, rate, padding):
    """Per window its index, the image's index and the tap that give the maximum, and the maximum."""
    pads, places = walk(x.shape, (*f.shape, 1), stride, padding, rate)
    for _, at, see in places:
        rows, columns = (range(s.start - p, s.stop - p, s.step) for s, (p, _) in zip(see, pads, strict=True))
        inside = [(i, j, y, z) for i, y in enumerate(rows) for j, z in enumerate(columns) if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]]
        for b in range(x.shape[0]):
            for c in range(x.shape[3]):
                values = [x[b, y, z, c] + f[i, j, c] for i, j, y, z in inside]
                i, j, y, z = inside[int(np.argmax(values))]
                yield (b, *at, c), (b, y, z, c), (i, j, c), max(values)


def dilation(x, f, *case):
    found = list(search(x, f, *case))
    out = np.zeros([n + 1 for n in found[-1][0]], x.dtype)
    for at, _, _, value in found:
        out[at] = value
    return out


def to_input(x, f, dy, *case):
    out = np.zeros(x.shape, x.dtype)
    for at, where, _, _ in search(x, f, *case):
        out[where] += dy[at]
    return out


def to_filter(x, f, dy, *case):
    out = np.zeros(f.shape, x.dtype)
    for at, _, tap, _ in search(x, f, *case):
        out[tap] += dy[at]
    return out


def full(n):
    return [1, n, n, 1]


def rows(key, s, r, p):
    dy = normal(*dilation(X, F, s, r, p).shape, seed=2)
    attrs = {"strides": full(s), "rates": full(r), "padding": p}
    loose = {"rtol": 1e-4, "atol": 1e-5, "id": key}
    return [
        Row("Dilation2D", lambda x, f: morphology.dilation2d(x, f, **attrs), [X, F], lambda x, f: dilation(x, f, s, r, p), grad=True, **loose),
        Row("Dilation2DBackpropInput", lambda x, f, dy: morphology._dilation2d_backprop_input(x, f, dy, **attrs), [X, F, dy],
            lambda x, f, dy: to_input(x, f, dy, s, r, p), **loose),
        Row("Dilation2DBackpropFilter", lambda x, f, dy: morphology._dilation2d_backprop_filter(x, f, dy, **attrs), [X, F, dy],
            lambda x, f, dy: to_filter(x, f, dy, s, r, p), **loose),
    ]  # fmt: skip


ROWS = [
    *[row for key, case in CASES.items() for row in rows(key, *case)],
    Row("Dilation2D", lambda x, f: morphology.dilation2d(x, filters=f, strides=full(1), dilations=full(1), padding="SAME"),
        [integers(1, 4, 4, 2, low=-9, dtype=np.int8), integers(2, 2, 2, low=-100, high=-90, dtype=np.int8)],
        lambda x, f: dilation(x.astype(int), f.astype(int), 1, 1, "SAME").astype(np.int8), id="int8"),
    Row("Dilation2D", lambda x, f: morphology.erosion2d(x, f, full(1), full(1), "SAME"), [X, F],
        lambda x, f: -dilation(-x, f[::-1, ::-1], 1, 1, "SAME"), grad=True, id="erosion"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Dilation2D", lambda: morphology.dilation2d(X, F[:, :, :2], full(1), full(1), "SAME"), ValueError, "3 and 2"),
    ErrorRow("Dilation2D", lambda: morphology.dilation2d(X, F, [2, 1, 1, 1], full(1), "SAME"), ValueError, "batch and depth"),
]
