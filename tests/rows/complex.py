"""Rows of ir.ops.complex."""

import numpy as np

from ir.ops import complex as z
from ir.ops.basic import placeholder
from ir.ops.elementwise import abs_
from tests.rowdef import ErrorRow, Row, normal

Z = np.complex64([1 + 2j, -0.5 - 1j, -3 + 0.25j])
SINGLE = [normal(2, 3), normal(2, 3, seed=1)]


def _complex(re, im):
    return re + np.asarray(1j * im, np.complex64 if re.dtype == np.float32 else np.complex128)


INFINITE = [np.float32([np.inf, 0, np.nan]), np.float32([0, np.inf, 1])]


ROWS = [
    Row("Complex", z.complex_, SINGLE, _complex, grad=True, second=True),
    Row("Complex", z.complex_, [normal(2, 1), normal(3)], _complex, grad=True, id="broadcast"),
    Row("Complex", z.complex_, [np.float64(1.5), normal(2, dtype=np.float64)], _complex, grad=True, id="double"),
    Row("Complex", z.complex_, [normal(0), np.float32(2)], _complex, id="empty"),
    Row("Complex", lambda re, im: [z.real(z.complex_(re, im)), z.imag(z.complex_(re, im))], INFINITE, lambda re, im: [re, im], id="not finite"),
    Row("Real", z.real, [Z], np.real, grad=True, second=True),
    Row("Real", z.real, [Z.astype(np.complex128)], np.real, grad=True, id="double"),
    Row("Imag", z.imag, [Z], np.imag, grad=True, second=True),
    Row("Imag", z.imag, [np.complex128(2 - 3j)], np.imag, grad=True, id="double"),
    Row("ComplexAbs", abs_, [Z], np.abs, grad=True, second=True),
    Row("ComplexAbs", abs_, [np.complex64([0, 3e30 + 4e30j, 1e-30j])], np.abs, atol=0, id="scales"),
    Row("Angle", z.angle, [Z], np.angle, grad=True, second=True),
    Row("Angle", z.angle, [np.complex128([0, -1, 1j, -1j, 1])], np.angle, id="axes"),
    Row("AddV2", lambda x: z.real(x) + z.imag(x) + z.angle(x), [normal(3)], lambda x: x, id="parts of real numbers"),
]

ERRORS = [
    ErrorRow("Complex", lambda: z.complex_(placeholder("float32", []), placeholder("float64", [])), TypeError, "incorrect types: float32 float64"),
    ErrorRow("Complex", lambda: z.complex_(placeholder("float32", [2]), placeholder("float32", [3])), ValueError, "2 and 3"),
    ErrorRow("Complex", lambda: z.complex_(placeholder("int32", []), placeholder("int32", [])), TypeError, "incorrect types"),
]
