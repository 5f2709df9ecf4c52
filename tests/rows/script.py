"""Rows of ir.ops.script."""

import numpy as np

from ir.ops import script
from tests.rowdef import Row, normal


def both(x, y):
    return x + y, np.array([b"a", "b"], object)


ROWS = [
    Row("PyFunc", lambda x, y: script.py_func(both, [x, y], ["float32", "string"]), [normal(2, 3), np.float32(2)],
        lambda x, y: [x + y, np.array([b"a", b"b"], object)]),
    Row("PyFunc", lambda x: script.numpy_function(np.cumsum, [x], "int64"), [np.int64([1, 2, 3])], np.cumsum, id="one"),
    Row("PyFuncStateless", lambda x: script.py_func(np.sinh, [x], "float32", stateful=False), [normal(3)], np.sinh),
    Row("EagerPyFunc", lambda x: script.make("EagerPyFunc", lambda v: v * 2, [x], ["float32"], None), [normal(3)], lambda x: x * 2),
]  # fmt: skip
