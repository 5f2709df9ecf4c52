"""Rows of ir.ops.cumulative."""

import numpy as np

from ir.ops.cumulative import cumprod, cumsum
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal, uniform

X = uniform(2, 3, 4, low=0.5, high=2)


def ref(fn, first, axis, exclusive, reverse):
    def running(x):
        x = np.flip(x, axis) if reverse else x
        out = fn(x, axis=axis, dtype=x.dtype)
        if exclusive:
            out = np.roll(out, 1, axis)
            np.moveaxis(out, axis, 0)[:1] = first
        return np.flip(out, axis) if reverse else out

    return running


ROWS = [
    Row(name, lambda x, f=f, a=a, e=e, r=r: f(x, a, e, r), [X], ref(fn, first, a, e, r), grad=True, second=r, id=f"{a} {e} {r}", rtol=1e-4)
    for name, f, fn, first in (("Cumsum", cumsum, np.cumsum, 0), ("Cumprod", cumprod, np.cumprod, 1))
    for a, e, r in ((0, False, False), (1, True, False), (2, False, True), (-1, True, True))
] + [
    Row("Cumsum", lambda x: cumsum(x, 0), [integers(4, dtype=np.int8, low=60, high=100)], lambda x: np.cumsum(x, dtype=np.int8), id="int8 overflow"),
    Row("Cumsum", lambda x: cumsum(x, 1, exclusive=True), [normal(2, 0)], lambda x: x, id="empty"),
    Row("Cumprod", lambda x: cumprod(x, 0), [np.float32([2, 0, 3])], lambda x: np.float32([2, 0, 0]), id="zero"),
    Row("Cumprod", lambda x: cumprod(x, 0, True, True), [integers(4, low=1)], ref(np.cumprod, 1, 0, True, True), id="int"),
    Row("Cumsum", lambda x: cumsum(x), [(normal(3) + 1j * normal(3, seed=1)).astype(np.complex64)], np.cumsum, grad=True, id="complex"),
]

ERRORS = [ErrorRow("Cumsum", lambda: cumsum(zeros([2, 3]), 2), ValueError, "axis 2 is out of range")]
