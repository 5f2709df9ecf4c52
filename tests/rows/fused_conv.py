"""Rows of ir.ops.fused_conv."""

import numpy as np

from ir.ops import fused_conv
from tests.rowdef import ErrorRow, Row, normal
from tests.rows.conv import correlate
from tests.rows.image import linear, resized

X, F = normal(2, 5, 4, 2), normal(3, 2, 2, 3, seed=1)
PADS = np.int32([[0, 0], [1, 2], [2, 1], [0, 0]])
LOOSE = {"rtol": 1e-4, "atol": 1e-4}

ROWS = [
    Row("FusedPadConv2D", lambda x, f: fused_conv.fused_pad_conv2d(x, PADS, f, "REFLECT", [1, 2, 2, 1], "SAME"), [X, F],
        lambda x, f: correlate(np.pad(x, PADS, mode="reflect"), f, 2), id="reflect", **LOOSE),
    Row("FusedPadConv2D", lambda x, f: fused_conv.fused_pad_conv2d(x, PADS, f, "SYMMETRIC", [1, 1, 1, 1], "VALID"), [X, F],
        lambda x, f: correlate(np.pad(x, PADS, mode="symmetric"), f, 1, "VALID"), id="symmetric", **LOOSE),
    Row("FusedResizeAndPadConv2D", lambda x, f: fused_conv.fused_resize_and_pad_conv2d(x, [7, 6], PADS, f, "REFLECT", [1, 1, 1, 1], "SAME", True), [X, F],
        lambda x, f: correlate(np.pad(resized(linear)(x, 7, 6, True), PADS, mode="reflect"), f), **LOOSE),
]  # fmt: skip

ERRORS = [
    ErrorRow("FusedPadConv2D", lambda: fused_conv.fused_pad_conv2d(X, PADS[:3], F, "REFLECT", [1, 1, 1, 1], "SAME"), ValueError, "4 rows"),
]
