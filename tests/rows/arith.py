"""Rows of ir.ops.arith."""

import numpy as np

from ir.indexed_slices import IndexedSlices
from ir.ops import arith
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal, uniform

SIGNS = [np.array([7, -7, 7, -7, 0], np.int32), np.array([3, 3, -3, -3, 5], np.int32)]
UNSIGNED = [np.array([200, 7, 255], np.uint8), np.array([100, 2, 1], np.uint8)]
HALVES = [normal(4, dtype=np.float16), uniform(4, seed=1, dtype=np.float16)]
STRINGS = [np.array([b"a", b"b"], object), np.array(b"c", object)]
EDGE = np.float32([1, -1, 0, np.inf, np.nan, 5])
DIVISOR = np.float32([0, 0, 0, np.inf, 1, -0.0])
COMPLEX = [np.array([1 + 2j, -3j], np.complex64), np.array([2 - 1j, 1 + 1j], np.complex64)]


def shapes(name, fn, ref, **kw):
    """Two operands of every relation of shapes, with gradients."""
    pairs = {
        "same": ((2, 3), (2, 3)), "row": ((2, 3), (3,)), "column": ((2, 1), (2, 3)), "outer": ((3, 1), (1, 4)), "scalar": ((), (2, 2)),
        "both": ((2, 1, 3), (4, 1)), "empty": ((0, 3), (3,)),
    }  # fmt: skip
    return [
        Row(name, fn, [np.reshape(normal(*a or (1,)), a), uniform(*b, low=0.5, high=1.5, seed=1)], ref, grad=True, second=k == "both", id=k, **kw)
        for k, (a, b) in pairs.items()
    ]


def _div_no_nan(x, y):
    with np.errstate(all="ignore"):
        return np.where(y == 0, np.zeros((), x.dtype), x / y)


def _mul_no_nan(x, y):
    with np.errstate(all="ignore"):
        return np.where(y == 0, np.zeros((), x.dtype), x * y)


def _quiet(fn):
    def ref(*args):
        with np.errstate(all="ignore"):
            return fn(*args)

    return ref


ROWS = [
    *shapes("Add", arith.add, np.add),
    *shapes("AddV2", arith.add_v2, np.add),
    *shapes("Sub", arith.subtract, np.subtract),
    *shapes("Mul", arith.multiply, np.multiply),
    *shapes("RealDiv", arith.realdiv, np.divide, atol=1e-5),
    *shapes("Div", arith._div, np.divide, atol=1e-5),
    *shapes("DivNoNan", arith.div_no_nan, _div_no_nan, atol=1e-5),
    *shapes("MulNoNan", arith.multiply_no_nan, _mul_no_nan),
    *shapes("SquaredDifference", arith.squared_difference, lambda x, y: (x - y) * (x - y)),
    *shapes("Maximum", arith.maximum, np.maximum),
    *shapes("Minimum", arith.minimum, np.minimum),
    Row("Add", arith.add, STRINGS, lambda x, y: np.array([b"ac", b"bc"], object), id="strings"),
    Row("Add", arith.add_v2, STRINGS, lambda x, y: np.array([b"ac", b"bc"], object), id="operator strings"),
    Row("AddV2", arith.add_v2, HALVES, np.add, id="half"),
    Row("AddV2", arith.add_v2, UNSIGNED, np.add, id="overflow"),
    Row("Sub", arith.subtract, UNSIGNED, np.subtract, id="underflow"),
    Row("Mul", arith.multiply, COMPLEX, np.multiply, grad=True, id="complex"),
    Row("Mul", arith.multiply, SIGNS, np.multiply, id="int"),
    Row("MulNoNan", arith.multiply_no_nan, [np.float32([np.nan, np.inf, 2, np.nan]), np.float32([0, 0, 3, 1])], _mul_no_nan, id="edges"),
    Row("SquaredDifference", arith.squared_difference, SIGNS, lambda x, y: (x - y) ** 2, id="int"),
    Row("SquaredDifference", arith.squared_difference, COMPLEX, lambda x, y: np.conj(x - y) * (x - y), id="complex"),
    Row("Div", arith._div, SIGNS, lambda x, y: np.int32([2, -2, -2, 2, 0]), id="int"),
    Row("Div", arith._div, UNSIGNED, lambda x, y: np.uint8([2, 3, 255]), id="uint8"),
    Row("RealDiv", arith.realdiv, [EDGE, DIVISOR], _quiet(np.divide), id="edges"),
    Row("RealDiv", arith.realdiv, COMPLEX, np.divide, grad=True, id="complex"),
    Row("TruncateDiv", arith.truncatediv, SIGNS, lambda x, y: np.int32([2, -2, -2, 2, 0])),
    Row("TruncateDiv", arith.truncatediv, [np.int64([-(2**53) - 1, 2**62]), np.int64([2, -3])], lambda x, y: np.int64([-(2**52), -(2**62 // 3)]), id="int64"),
    Row("FloorDiv", arith.floordiv, SIGNS, lambda x, y: np.int32([2, -3, -3, 2, 0])),
    Row("FloorDiv", arith.floor_div, [np.float32([1, -7, 7.5]), np.float32([0.1, 2, -2])], lambda x, y: np.float32([10, -4, -4]), id="float"),
    Row("DivNoNan", arith.div_no_nan, [EDGE, DIVISOR], _div_no_nan, id="edges"),
    Row("DivNoNan", arith.div_no_nan, [np.float32([1, 2]), np.float32([0, 4])], _div_no_nan, id="zero"),
    Row("FloorMod", arith.floormod, SIGNS, lambda x, y: np.int32([1, 2, -2, -1, 0])),
    Row("FloorMod", arith.floormod, [np.float32([7.5, -7.5, 7.5, -7.5]), np.float32([2, 2, -2, -2])], lambda x, y: np.float32([1.5, 0.5, -0.5, -1.5]),
        grad=True, id="float"),
    Row("Mod", arith._mod, SIGNS, lambda x, y: np.int32([1, -1, 1, -1, 0])),
    Row("Mod", arith._mod, [np.float32([7.5, -7.5]), np.float32([2, 2])], lambda x, y: np.float32([1.5, -1.5]), grad=True, id="float"),
    Row("TruncateMod", arith.truncatemod, SIGNS, lambda x, y: np.int32([1, -1, 1, -1, 0])),
    Row("TruncateMod", arith.truncatemod, [np.float32([7.5, -7.5]), np.float32([2, -2])], lambda x, y: np.float32([1.5, -1.5]), grad=True, id="float"),
    Row("Pow", arith.pow_, [uniform(2, 3), normal(3)], np.power, grad=True, second=True, id="row"),
    Row("Pow", arith.pow_, [normal(2, 3), np.float32(2)], np.power, id="square"),
    Row("Pow", arith.pow_, [np.int32([2, -3, 0, 5]), np.int32([10, 3, 0, 0])], np.power, id="int"),
    Row("Pow", arith.pow_, [np.float32([0, 0, -8, 2]), np.float32([0, 2, 3, -1])], lambda x, y: np.float32([1, 0, -512, 0.5]), id="edges"),
    Row("Pow", arith.pow_, [np.array([1 + 1j, 2, 0], np.complex64), np.array([2, 0.5j, 0], np.complex64)],
        lambda x, y: np.array([2j, 2**0.5j, 1], np.complex64), id="complex"),
    Row("Maximum", arith.maximum, SIGNS, np.maximum, id="int"),
    Row("Minimum", arith.minimum, SIGNS, np.minimum, id="int"),
    Row("AccumulateNV2", lambda *x: arith.accumulate_n(x), [normal(2, 3, seed=i) for i in range(3)], lambda *x: sum(x), grad=True, forget=False),
    Row("AccumulateNV2", lambda *x: arith.accumulate_n(x, [2], name="s"), [integers(2)], lambda x: x, id="one"),
    Row("RealDiv", arith.truediv, SIGNS, lambda x, y: x / y, id="truediv int32"),
    Row("RealDiv", arith.truediv, UNSIGNED, lambda x, y: (x / y).astype(np.float32), id="truediv uint8"),
    Row("FloorDiv", arith.div, SIGNS, lambda x, y: x // y, id="div"),
    Row("RealDiv", lambda x: arith.divide(x, 4.0, name="d"), [normal(3)], lambda x: x / np.float32(4), id="divide"),
    Row("Mul", lambda x: arith.scalar_mul(3, x), [normal(3)], lambda x: np.float32(3) * x, grad=True, id="scalar_mul"),
    Row("Mul", lambda v, i: arith.scalar_mul(3.0, IndexedSlices(v, i)).values, [normal(2, 2), np.int32([0, 1])], lambda v, i: np.float32(3) * v,
        id="scalar_mul of rows"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Add", lambda: arith.add(zeros([2]), zeros([3])), ValueError, "Dimensions must be equal, but are 2 and 3"),
    ErrorRow("Add", lambda: arith.add([True], [False]), TypeError, "not in the list of allowed"),
    ErrorRow("RealDiv", lambda: arith.truediv(zeros([2]), zeros([2], "int32")), TypeError, "must have the same dtype"),
    ErrorRow("FloorDiv", lambda: arith.div(zeros([2]), zeros([2], "int32")), TypeError, "must have the same dtype"),
    ErrorRow("Mul", lambda: arith.scalar_mul(zeros([2]), zeros([2])), ValueError, "Only scalar multiply works"),
    ErrorRow("AccumulateNV2", lambda: arith.accumulate_n([zeros([2]), zeros([3])]), ValueError, "same dtype and shape"),
    ErrorRow("AccumulateNV2", lambda: arith.accumulate_n([zeros([2])], tensor_dtype="int32"), TypeError, "tensor_dtype"),
]
