"""Rows of ir.ops.elementwise."""

import ml_dtypes
import numpy as np

from ir.ops import elementwise as e
from ir.ops.basic import placeholder
from ir.sparse_tensor import SparseTensor
from tests.rowdef import ErrorRow, Row, integers, normal, uniform

EDGES = np.float32([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, np.inf, -np.inf, np.nan])
HALVES = np.float32([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999997, 1e10, -0.0])
Z = np.complex64([1 + 2j, -0.5 - 1j, 3 + 0.25j])
AWAY = np.float32([[-1.5, 0.3, 2.0], [0.7, -0.4, 1.1]])  # from 0, where some have no derivative


def _quiet(fn):
    def ref(*args):
        with np.errstate(all="ignore"):
            return fn(*args)

    return ref


def smooth(name, fn, ref, x=None, z=True, edges=True):
    """Values with two gradients, a scalar, nothing, edges, other types, complex numbers."""
    x = normal(3, 4) if x is None else x
    rows = [
        Row(name, fn, [x], _quiet(ref), grad=True, second=True),
        Row(name, fn, [np.float64(x.flat[0])], ref, grad=True, id="scalar"),
        Row(name, fn, [x[:0]], ref, id="empty"),
        Row(name, fn, [x.astype(np.float16)], lambda a: ref(a.astype(np.float32)).astype(np.float16), id="half"),
        Row(name, fn, [x.astype(ml_dtypes.bfloat16)], lambda a: ref(a.astype(np.float32)).astype(ml_dtypes.bfloat16), id="bfloat16"),
    ]
    if edges:
        rows.append(Row(name, fn, [EDGES], _quiet(ref), id="edges"))
    if z:
        rows.append(Row(name, fn, [Z], ref, grad=True, second=True, rtol=1e-4, atol=1e-5, id="complex"))
    return rows


def _sign(x):
    return np.where(np.isnan(x), 0, np.sign(x)).astype(x.dtype)


def _of_sparse(fn):
    def build(x):
        return fn(SparseTensor([[0, 1], [1, 0], [1, 1]], x, [2, 2])).values

    return build



def helpers(name, fn, by_value):
    """The gradient ops, real and complex."""
    y, ref = uniform(2, 3, low=0.3, high=1.5), lambda y, dy: dy * by_value(y)
    return [
        Row(name, fn, [y, normal(2, 3, seed=1)], ref, grad=True, second=True),
        Row(name, fn, [y.astype(np.float16), normal(2, 3, seed=1, dtype=np.float16)], ref, rtol=1e-2, id="half"),
    ]


COMPLEX_PAIR = [Z, np.complex64([0.5 - 1j, 2j, 1])]

ROWS = [
    *smooth("Neg", e.negative, np.negative),
    *smooth("Abs", e.abs_, np.abs, AWAY, z=False),
    Row("Abs", e.abs_, [np.int32([-3, 0, 4])], np.abs, id="int32"),
    Row("Abs", e.abs_, [np.int8([-128, -1, 5])], np.abs, id="int8"),
    Row("Abs", _of_sparse(e.abs_), [np.float32([-1, 2, -3])], np.abs, id="sparse"),
    Row("Sign", e.sign, [EDGES], _sign, id="edges"),
    Row("Sign", e.sign, [AWAY], np.sign, grad=True),
    Row("Sign", e.sign, [np.int64([-3, 0, 4])], np.sign, id="int64"),
    Row("Sign", e.sign, [np.complex64([3 + 4j, 0, -2j])], lambda z: np.complex64([0.6 + 0.8j, 0, -1j]), id="complex"),
    Row("Neg", e.negative, [np.int32([-3, 0, 4])], np.negative, id="int32"),
    Row("Neg", _of_sparse(e.negative), [normal(3)], np.negative, id="sparse"),
    *smooth("Reciprocal", e.reciprocal, np.reciprocal, AWAY),
    Row("Inv", e.inv, [AWAY], np.reciprocal, grad=True, second=True),
    Row("DivNoNan", e.reciprocal_no_nan, [np.float32([0, 2, -4])], lambda x: np.float32([0, 0.5, -0.25]), id="reciprocal_no_nan"),
    *smooth("Square", e.square, np.square),
    Row("Square", e.square, [np.int32([-3, 0, 4])], np.square, id="int32"),
    Row("Square", _of_sparse(e.square), [normal(3)], np.square, id="sparse"),
    *smooth("Sqrt", e.sqrt, np.sqrt, uniform(3, 4, low=0.2, high=3)),
    Row("Sqrt", _of_sparse(e.sqrt), [uniform(3)], np.sqrt, id="sparse"),
    *smooth("Rsqrt", e.rsqrt, lambda x: 1 / np.sqrt(x), uniform(3, 4, low=0.2, high=3), edges=False),
    Row("Rsqrt", e.rsqrt, [np.float32([0, 4, -1, np.inf])], lambda x: np.float32([np.inf, 0.5, np.nan, 0]), id="edges"),
    *smooth("Exp", e.exp, np.exp),
    *smooth("Expm1", e.expm1, np.expm1),
    Row("Expm1", e.expm1, [np.float32([1e-8, -1e-8])], np.expm1, rtol=1e-6, atol=0, id="small"),
    *smooth("Log", e.log, np.log, uniform(3, 4, low=0.2, high=3)),
    *smooth("Log1p", e.log1p, np.log1p, uniform(3, 4, low=-0.5, high=3)),
    Row("Log1p", e.log1p, [np.float32([1e-8, -1e-8])], np.log1p, rtol=1e-6, atol=0, id="small"),
    *smooth("Sigmoid", e.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    Row("Sigmoid", e.sigmoid, [np.float32([-80, 80])], lambda x: np.float32([1.8048513e-35, 1]), atol=0, id="far"),
    *smooth("Tanh", e.tanh, np.tanh),
    Row("Tanh", _of_sparse(e.tanh), [normal(3)], np.tanh, id="sparse"),
    *helpers("ReciprocalGrad", e.reciprocal_grad, lambda y: -y * y),
    *helpers("InvGrad", e.inv_grad, lambda y: -y * y),
    *helpers("SqrtGrad", e.sqrt_grad, lambda y: 0.5 / y),
    *helpers("RsqrtGrad", e.rsqrt_grad, lambda y: -0.5 * y**3),
    *helpers("SigmoidGrad", e.sigmoid_grad, lambda y: y * (1 - y)),
    *helpers("TanhGrad", e.tanh_grad, lambda y: 1 - y * y),
    Row("ReciprocalGrad", e.reciprocal_grad, COMPLEX_PAIR, lambda y, dy: -dy * np.conj(y) ** 2, id="complex"),
    Row("InvGrad", e.inv_grad, COMPLEX_PAIR, lambda y, dy: -dy * np.conj(y) ** 2, id="complex"),
    Row("SqrtGrad", e.sqrt_grad, COMPLEX_PAIR, lambda y, dy: 0.5 * dy / np.conj(y), id="complex"),
    Row("RsqrtGrad", e.rsqrt_grad, COMPLEX_PAIR, lambda y, dy: -0.5 * dy * np.conj(y) ** 3, rtol=1e-4, id="complex"),
    Row("SigmoidGrad", e.sigmoid_grad, COMPLEX_PAIR, lambda y, dy: dy * y * (1 - y), id="complex"),
    Row("TanhGrad", e.tanh_grad, COMPLEX_PAIR, lambda y, dy: dy * (1 - y * y), id="complex"),
    Row("Floor", e.floor, [HALVES], np.floor),
    *[Row(n, f, [AWAY + np.float32(0.13)], r, grad=True, id="gradient") for n, f, r in
      (("Floor", e.floor, np.floor), ("Ceil", e.ceil, np.ceil), ("Rint", e.rint, np.rint), ("Round", e.round_, np.rint))],
    Row("Floor", e.floor, [EDGES], np.floor, id="edges"),
    Row("Ceil", e.ceil, [HALVES], np.ceil),
    Row("Ceil", e.ceil, [EDGES.astype(np.float16)], np.ceil, id="half"),
    Row("Rint", e.rint, [HALVES], lambda x: np.float32([-2, -2, -0.0, 0, 2, 2, 0, 1e10, -0.0])),
    Row("Rint", e.rint, [EDGES.astype(np.float64)], np.rint, id="edges"),
    Row("Round", e.round_, [HALVES], lambda x: np.float32([-2, -2, -0.0, 0, 2, 2, 0, 1e10, -0.0])),
    Row("Round", e.round_, [EDGES], np.rint, id="edges"),
    Row("Round", e._round, [np.int32([-2, 7])], lambda x: x, id="int"),
    Row("IsNan", e.is_nan, [EDGES], np.isnan),
    Row("IsInf", e.is_inf, [EDGES], np.isinf),
    Row("IsFinite", e.is_finite, [EDGES], np.isfinite),
    Row("IsFinite", e.is_finite, [EDGES.astype(np.float16)], np.isfinite, id="half"),
    Row("IsNan", e.is_nan, [np.float64(np.nan)], np.isnan, id="scalar"),
    Row("AddV2", lambda x: e.polyval([2.0, x, 1.0], x), [normal(3)], lambda x: 3 * x * x + 1, grad=True, id="polyval"),
    Row("Placeholder", lambda x: e.polyval([], x) + x, [normal(3)], lambda x: x, id="polyval of nothing"),
    Row("Bucketize", lambda x: e.bucketize(x, [0, 10, 100]), [np.int32([[-5, 10000], [150, 10], [5, 100]])], lambda x: np.int32([[0, 3], [3, 2], [1, 3]])),
    Row("Bucketize", lambda x: e.bucketize(x, [0.5]), [np.float64([0.5, 0.4999, np.nan, -np.inf])], lambda x: np.int32([1, 0, 1, 0]), id="double"),
    Row("Bucketize", lambda x: e.bucketize(x, []), [np.float32([1, 2])], lambda x: np.int32([0, 0]), id="no boundaries"),
    Row("Cast", lambda x: e.saturate_cast(x, "uint8"), [np.float32([-5, 0.5, 254.9, 300])], lambda x: np.uint8([0, 0, 254, 255]), id="saturate to uint8"),
    Row("Cast", lambda x: e.saturate_cast(x, "int8"), [np.float32([-500, 3.7, 500])], lambda x: np.int8([-128, 3, 127]), id="saturate to int8"),
    Row("Cast", lambda x: e.saturate_cast(x, "int16"), [np.int32([-40000, 5, 40000])], lambda x: np.int16([-32768, 5, 32767]), id="saturate int"),
    Row("Cast", lambda x: e.saturate_cast(x, "int64"), [integers(3)], lambda x: x.astype(np.int64), id="saturate nothing"),
]

ERRORS = [
    ErrorRow("Exp", lambda: e.exp(placeholder("int32", [2])), TypeError, "int32"),
    ErrorRow("Sqrt", lambda: e.sqrt([1, 2]), TypeError, "int32"),
    ErrorRow("Floor", lambda: e.floor(placeholder("complex64", [2])), TypeError, "complex64"),
    ErrorRow("Bucketize", lambda: e.bucketize(placeholder("int32", []), [2, 1]), ValueError, "sorted boundaries"),
    ErrorRow("AddV2", lambda: e.polyval(1.0, 2.0), ValueError, "must be list type"),
    ErrorRow("TanhGrad", lambda: e.tanh_grad(placeholder("float32", [2]), placeholder("float64", [2])), TypeError, "float64"),
]
