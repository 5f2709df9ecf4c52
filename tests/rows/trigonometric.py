"""Rows of ir.ops.trigonometric."""

import ml_dtypes
import numpy as np

from ir.ops import trigonometric as t
from ir.ops.basic import placeholder
from tests.rowdef import ErrorRow, Row, normal, uniform

EDGES = np.float32([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, np.inf, -np.inf, np.nan])
Z = np.complex64([0.5 + 0.25j, -0.5 - 1j, 2 + 0.25j])


def _quiet(fn):
    def ref(x):
        with np.errstate(all="ignore"):
            return fn(x)

    return ref


def rows(name, fn, ref, x, z=Z, second_of_complex=True):
    """Values with two gradients, nothing, edges, other types, complex numbers."""
    return [
        Row(name, fn, [x], ref, grad=True, second=True),
        Row(name, fn, [np.float64(x.flat[0])], ref, id="scalar"),
        Row(name, fn, [x[:0]], ref, id="empty"),
        Row(name, fn, [EDGES], _quiet(ref), id="edges"),
        Row(name, fn, [x.astype(np.float16)], lambda a: ref(a.astype(np.float32)).astype(np.float16), id="half"),
        Row(name, fn, [x.astype(ml_dtypes.bfloat16)], lambda a: ref(a.astype(np.float32)).astype(ml_dtypes.bfloat16), id="bfloat16"),
        Row(name, fn, [z], ref, grad=True, second=second_of_complex, rtol=1e-4, atol=1e-5, id="complex"),
    ]


INSIDE = uniform(3, 4, low=-0.9, high=0.9)
ROWS = [
    *rows("Sin", t.sin, np.sin, normal(3, 4)),
    *rows("Cos", t.cos, np.cos, normal(3, 4)),
    *rows("Tan", t.tan, np.tan, INSIDE),
    *rows("Asin", t.asin, np.arcsin, INSIDE),
    *rows("Acos", t.acos, np.arccos, INSIDE),
    *rows("Atan", t.atan, np.arctan, normal(3, 4)),
    *rows("Sinh", t.sinh, np.sinh, normal(3, 4)),
    *rows("Cosh", t.cosh, np.cosh, normal(3, 4)),
    *rows("Asinh", t.asinh, np.arcsinh, normal(3, 4)),
    *rows("Acosh", t.acosh, np.arccosh, uniform(3, 4, low=1.2, high=4), Z[[0, 2]]),
    *rows("Atanh", t.atanh, np.arctanh, INSIDE),
    Row("Atan2", t.atan2, [normal(2, 3), normal(2, 3, seed=1)], np.arctan2, grad=True, second=True),
    Row("Atan2", t.atan2, [normal(2, 1, seed=2), normal(3, seed=1)], np.arctan2, grad=True, id="broadcast"),
    Row("Atan2", t.atan2, [np.float32([0, 0, 0.0, -0.0, 1, -1, np.inf]), np.float32([1, -1, 0, -1, 0, 0, np.inf])], np.arctan2, id="axes"),
    Row("Atan2", t.atan2, [normal(3, dtype=np.float16), np.float16(0.5)], np.arctan2, id="half"),
    Row("Sin", t.sin, [np.float64([1e5, -3e8])], np.sin, id="far"),
    Row("Sinh", t.sinh, [np.float32([1e-8, 100, -100])], _quiet(np.sinh), atol=0, id="small and large"),
    Row("Atanh", t.atanh, [np.float32([1e-8])], np.arctanh, atol=0, id="small"),
    Row("Asinh", t.asinh, [np.float32([1e-8, 1e20])], np.arcsinh, atol=0, id="small and large"),
]

ERRORS = [ErrorRow("Sin", lambda: t.sin(placeholder("int32", [2])), TypeError, "int32")]
