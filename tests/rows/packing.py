"""Rows of ir.ops.packing."""

import numpy as np

from ir.convert import convert_to_tensor
from ir.ops.basic import placeholder
from ir.ops.layout import raw, shape, zeros
from ir.ops.packing import stack, unstack
from tests.rowdef import ErrorRow, Row, integers, normal

A, B = normal(2, 3), normal(2, 3, seed=1)
TEXT = np.array([b"a", b"bc"], object)

ROWS = [
    Row("Pack", lambda x, y: stack([x, y]), [A, B], lambda x, y: np.stack([x, y]), grad=True, second=True),
    Row("Pack", lambda x, y: stack([x, y], axis=-1), [A, B], lambda x, y: np.stack([x, y], -1), grad=True, id="last axis"),
    Row("Pack", lambda x: stack([x], axis=1), [A], lambda x: x[:, None], grad=True, id="one"),
    Row("Pack", lambda i: stack([i, 7, i]), [np.int32(3)], lambda i: np.int32([3, 7, 3]), id="numbers between"),
    Row("Pack", lambda x: stack([x, x]), [TEXT], lambda x: np.stack([x, x]), id="strings"),
    Row("Pack", lambda x: stack([x, x]), [normal(0, 2)], lambda x: np.stack([x, x]), id="empty"),
    Row("Pack", lambda x: convert_to_tensor([[x, 1.0], [2.0, x]]), [np.float32(5)], lambda x: np.float32([[5, 1], [2, 5]]), grad=True, id="nested list"),
    Row("Pack", lambda x: convert_to_tensor([shape(x)[0], 4], "int64"), [A], lambda x: np.array([2, 4]), id="list with a type"),
    Row("Unpack", unstack, [A], lambda x: [x[0], x[1]], grad=True, second=True),
    Row("Unpack", lambda x: unstack(x, 3, -1), [A], lambda x: [x[:, 0], x[:, 1], x[:, 2]], grad=True, id="last axis"),
    Row("Unpack", lambda x: unstack(x)[1], [A], lambda x: x[1], grad=True, id="one used"),
    Row("Unpack", unstack, [TEXT], lambda x: [x[0], x[1]], id="strings"),
    Row("Unpack", unstack, [integers(2)], lambda x: [x[0], x[1]], id="scalars"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Pack", lambda: stack([zeros([2]), zeros([3])]), ValueError, "Shapes must be equal"),
    ErrorRow("Pack", lambda: stack([zeros([2]), zeros([2])], axis=2), ValueError, r"axis = 2 not in \[-2, 2\)"),
    ErrorRow("Unpack", lambda: unstack(placeholder("float32")), ValueError, "Cannot infer num from shape <unknown>"),
    ErrorRow("Unpack", lambda: unstack(placeholder("float32", [None])), ValueError, "Cannot infer num"),
    ErrorRow("Unpack", lambda: unstack(zeros([2]), 3), ValueError, "must be 3 but is 2"),
    ErrorRow("Unpack", lambda: raw("Unpack")(zeros([2]), 2, 1), ValueError, "not in"),
]
