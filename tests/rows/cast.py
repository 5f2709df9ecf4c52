"""Rows of ir.ops.cast."""

import ml_dtypes
import numpy as np

from ir.indexed_slices import IndexedSlices
from ir.ops import cast as c
from ir.ops.basic import placeholder
from ir.sparse_tensor import SparseTensor
from tests.rowdef import ErrorRow, Row, integers, normal

FRACTIONS = np.float32([1.9, -1.9, 0.0, -0.0, 254.5, 1e9])
BF16 = ml_dtypes.bfloat16


def _to(dtype, x, ref=None, **kw):
    """A cast of `x`, against NumPy's."""
    name = np.dtype(dtype).name
    return Row("Cast", lambda t: c.cast(t, name), [x], ref or (lambda a: a.astype(dtype)), id=f"{x.dtype.name} to {name}", **kw)


def _toward_zero(x):
    wide = x.astype(BF16)
    return np.where(np.abs(wide.astype(np.float32)) > np.abs(x), np.nextafter(wide, BF16(0)), wide).astype(BF16)


def _third(_):
    return np.float32([0.099999994, 0.3333333])


def _sparse(x):
    return c.cast(SparseTensor([[0, 1]], x, [2, 2]), "int32").values


ROWS = [
    _to(np.int32, FRACTIONS),
    _to(np.int64, FRACTIONS),
    _to(np.int8, np.float32([1.9, -1.9, -128, 127])),
    _to(np.bool_, np.float32([0, -0.0, 0.1, np.nan])),
    _to(np.float64, normal(3, 2), grad=True, second=True),
    _to(np.float16, np.float32([1.0009765, 0.1, 65504, 1e6, -1e6]), lambda a: np.float16([1.0009765, 0.1, 65504, np.inf, -np.inf])),
    _to(BF16, np.float32([1.00390625, 1.01171875, 3.14159]), lambda a: np.array([1.0, 1.015625, 3.140625], BF16)),
    _to(np.float32, np.array([1.5, -3], BF16)),
    _to(np.float32, np.array([True, False])),
    _to(np.int32, np.array(True)),
    _to(np.uint8, np.int32([0, 255, 256, 300, -1])),
    _to(np.int8, np.uint8([0, 127, 128, 255])),
    _to(np.int32, np.int64([2**31 + 5, -1])),
    _to(np.bool_, np.int32([0, 1, -1])),
    _to(np.float32, np.uint64([2**63, 1])),
    _to(np.complex64, normal(3), grad=True),
    _to(np.complex128, np.complex64([1 + 2j, -3j])),
    _to(np.float32, np.complex64([1 + 2j, -3j]), np.real, grad=True),
    _to(np.int32, np.complex64([1.5 + 2j, -3j]), lambda a: np.int32([1, 0])),
    _to(np.bool_, np.complex64([0, 2j])),
    _to(np.float32, np.zeros((0, 3), np.int32)),
    Row("Cast", lambda x: c._cast(x, "bfloat16", True), [normal(40)], _toward_zero, id="truncate"),
    Row("Cast", lambda x: c._cast(x, "float32", True), [np.array([0.1, 1 / 3])], _third, rtol=0, atol=0, id="truncated"),
    Row("Cast", lambda x: c._cast(x, "int32", True), [FRACTIONS], lambda a: a.astype(np.int32), id="truncate to int"),
    Row("Cast", lambda x: c.to_double(c.to_float(c.to_int64(c.to_int32(x)))), [FRACTIONS], lambda a: np.trunc(a).astype(float), id="to_"),
    Row("Cast", lambda x: c.to_complex128(c.to_complex64(c.to_bfloat16(x))), [np.float32([1.5, -2])], lambda a: a.astype(complex), id="to complex"),
    Row("Cast", _sparse, [np.float32([2.7])], lambda a: np.int32([2]), id="sparse"),
    Row("Cast", lambda x, i: c.cast(IndexedSlices(x, i), "float64").values, [normal(2, 3), integers(2)], lambda a, i: a.astype(float), id="slices"),
    Row("Bitcast", lambda x: c.bitcast(x, "int32"), [normal(2, 3)], lambda a: a.view(np.int32), id="same size"),
    Row("Bitcast", lambda x: c.bitcast(x, "uint8"), [normal(2, 3)], lambda a: a.reshape(2, 3, 1).view(np.uint8), id="to smaller"),
    Row("Bitcast", lambda x: c.bitcast(x, "uint16"), [np.array(1.5)], lambda a: np.frombuffer(a.tobytes(), np.uint16), id="scalar to smaller"),
    Row("Bitcast", lambda x: c.bitcast(x, "float64"), [integers(2, 3, 2, high=2**30)], lambda a: a.view(np.float64)[..., 0], id="to larger"),
    Row("Bitcast", lambda x: c.bitcast(x, "int64"), [integers(8, high=255, dtype=np.uint8)], lambda a: a.view(np.int64)[0], id="to a scalar"),
    Row("Bitcast", lambda x: c.bitcast(x, "float32"), [np.complex64([1 + 2j, -3j])], lambda a: a.view(np.float32).reshape(2, 2), id="complex"),
    Row("Bitcast", lambda x: c.bitcast(x, "bfloat16"), [np.uint16([0x3F80, 0xC000])], lambda a: a.view(BF16), id="bfloat16"),
    Row("Conj", c.conj, [np.complex64([1 + 2j, -3j, 4])], np.conj, grad=True, second=True),
    Row("Conj", c.conj, [np.complex128([[1 + 2j], [-3j]])], np.conj, id="double"),
]

ERRORS = [
    ErrorRow("Bitcast", lambda: c.bitcast(placeholder("uint8", [3, 2]), "int32"), ValueError, "the last dimension must be 4"),
    ErrorRow("Bitcast", lambda: c.bitcast(placeholder("uint8", []), "int32"), ValueError, "with a scalar"),
    ErrorRow("Bitcast", lambda: c.bitcast(placeholder("bool", [4]), "int8"), TypeError, "not in the list of allowed types"),
    ErrorRow("Conj", lambda: c.conj(placeholder("string", [])), TypeError, "Expected numeric"),
    ErrorRow("Cast", lambda: c.cast(placeholder("float32", []), "no type"), TypeError, "no type"),
]
