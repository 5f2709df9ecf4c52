"""Rows of ir.ops.special."""

import ml_dtypes
import numpy as np
from scipy import special

from ir.convert import constant
from ir.ops import special as s
from ir.ops.basic import placeholder
from ir.sparse_tensor import SparseTensor
from tests.rowdef import ErrorRow, Row, normal, uniform

POSITIVE = uniform(3, 4, low=0.3, high=4)
EDGES = np.float32([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, np.inf, -np.inf, np.nan])


def _in(dtype, ref):
    def cast(*args):
        with np.errstate(all="ignore"):
            return np.asarray(ref(*[np.asarray(a, np.float64) for a in args])).astype(dtype)

    return cast


def _ref(ref):
    return lambda *args: _in(args[0].dtype, ref)(*args)


def unary(name, fn, ref, x, second=True):
    """Values with gradients, in double, half precision, and of nothing."""
    return [
        Row(name, fn, [x], _ref(ref), grad=True, second=second, rtol=1e-4, atol=1e-5),
        Row(name, fn, [x.astype(np.float64)], _ref(ref), grad=True, rtol=1e-7, id="double"),
        Row(name, fn, [x.astype(np.float16)], _ref(ref), rtol=1e-2, id="half"),
        Row(name, fn, [x.astype(ml_dtypes.bfloat16)], _ref(ref), rtol=3e-2, id="bfloat16"),
        Row(name, fn, [x[:0]], _ref(ref), id="empty"),
    ]


def given(name, fn, ref, first, x, **kw):
    """Values with a gradient by the last operand only: the first one is a constant."""

    def build(t):
        return fn(constant(np.asarray(first, t.dtype.np_dtype), t.dtype), t)

    return Row(name, build, [x], lambda t: _in(t.dtype, ref)(first, t), grad=True, **kw)


def _sparse(fn):
    return lambda x: fn(SparseTensor([[0, 1], [1, 0], [1, 1]], x, [2, 2])).values


def _xdivy(x, y):
    return np.where(x == 0, np.zeros((), x.dtype), x / y)


def _xlogy(x, y):
    return np.where(x == 0, np.zeros((), x.dtype), x * np.log(y))


def _quiet(fn):
    def ref(*args):
        with np.errstate(all="ignore"):
            return fn(*args)

    return ref


#: of the gamma distribution function by its parameter: central differences of SciPy's in double precision
def _by_a(a, x):
    return (special.gammainc(a + 1e-5, x) - special.gammainc(a - 1e-5, x)) / 2e-5


AX = [uniform(3, 4, low=0.5, high=3), uniform(3, 4, low=0.5, high=3, seed=1)]
DOUBLE_AX = [a.astype(np.float64) for a in AX]
XY = [np.float32([[0, 0.0, 2], [1, -3, 0]]), uniform(2, 3, low=0.5, high=2)]
Z = [np.complex64([0, 1 + 2j, -0.5j]), np.complex64([0, 2 - 1j, 1 + 1j])]

ROWS = [
    *unary("Erf", s.erf, special.erf, normal(3, 4)),
    Row("Erf", s.erf, [EDGES], _ref(special.erf), id="edges"),
    Row("Erf", _sparse(s.erf), [normal(3)], _ref(special.erf), id="sparse"),
    *unary("Erfc", s.erfc, special.erfc, normal(3, 4)),
    Row("Erfc", s.erfc, [np.float32([3, 5, 9, -9])], _ref(special.erfc), rtol=1e-4, atol=0, id="tails"),
    *unary("Lgamma", s.lgamma, special.gammaln, POSITIVE),
    Row("Lgamma", s.lgamma, [np.float64([-0.5, -2.3, 1, 2, 100, 0])], _ref(special.gammaln), grad=False, id="edges"),
    *unary("Digamma", s.digamma, special.digamma, POSITIVE),
    Row("Digamma", s.digamma, [np.float64([-0.5, -2.3, 1, 100])], _ref(special.digamma), grad=True, id="negative"),
    given("Polygamma", s.polygamma, special.polygamma, 1.0, POSITIVE, second=True, rtol=1e-4, id="order 1"),
    given("Polygamma", s.polygamma, special.polygamma, np.array([1, 2, 3, 4]), POSITIVE.astype(np.float64), id="orders"),
    Row("Polygamma", s.polygamma, [np.float64(0), np.float64([0.5, 2])], lambda a, x: special.digamma(x), id="order 0"),
    given("Zeta", s.zeta, special.zeta, 2.5, POSITIVE, second=True, rtol=1e-4),
    given("Zeta", s.zeta, special.zeta, np.array([[1.5], [2], [4]]), uniform(3, low=0.5, high=4, dtype=np.float64), id="broadcast"),
    Row("Igamma", s.igamma, AX, _ref(special.gammainc), grad=True, rtol=1e-4),
    Row("Igamma", s.igamma, [np.float64([[0.5], [3]]), np.float64([0.1, 1, 5])], special.gammainc, grad=True, id="broadcast"),
    Row("Igamma", s.igamma, [np.float32([1, 2, 0.5]), np.float32([0, 1e4, 1e-6])], _ref(special.gammainc), rtol=1e-4, id="edges"),
    Row("Igammac", s.igammac, AX, _ref(special.gammaincc), grad=True, rtol=1e-4),
    Row("Igammac", s.igammac, [np.float64([[0.5], [3]]), np.float64([0.1, 1, 5])], special.gammaincc, grad=True, id="broadcast"),
    given("Igammac", s.igammac, special.gammaincc, 2.0, POSITIVE, second=True, rtol=1e-4, id="of x"),
    Row("IgammaGradA", s.igamma_grad_a, DOUBLE_AX, _by_a),
    Row("IgammaGradA", s.igamma_grad_a, [np.float32([[0.5], [3]]), np.float32([0.1, 1, 5])], _ref(_by_a), rtol=1e-3, atol=1e-5, id="broadcast"),
    Row("Sub", s.lbeta, [POSITIVE], _ref(lambda x: special.gammaln(x).sum(-1) - special.gammaln(x.sum(-1))), grad=True, rtol=1e-4, id="lbeta"),
    Row("Betainc", lambda x: s.betainc(constant(2.0, x.dtype), constant(0.5, x.dtype), x), [uniform(3, 4)], lambda x: _in(x.dtype, special.betainc)(2, 0.5, x),
        grad=True, second=True, rtol=1e-4),
    Row("Betainc", lambda x: s.betainc(constant(2.0, x.dtype), constant([0.5, 3], x.dtype), x), [np.float64(0.3)], lambda x: special.betainc(2, [0.5, 3], x),
        grad=True, id="scalars"),
    Row("Betainc", s.betainc, [np.float32([1, 2, 0.5]), np.float32([1, 1, 0.5]), np.float32([0, 1, 0.5])], lambda *_: np.float32([0, 1, 0.5]), id="edges"),
    *unary("BesselI0e", s.bessel_i0e, special.i0e, normal(3, 4)),
    *unary("BesselI1e", s.bessel_i1e, special.i1e, normal(3, 4)),
    Row("BesselI0e", s.bessel_i0e, [EDGES], _ref(special.i0e), rtol=1e-4, id="edges"),
    Row("BesselI1e", s.bessel_i1e, [EDGES], _ref(special.i1e), rtol=1e-4, id="edges"),
    Row("BesselI1e", s.bessel_i1e, [np.float32([0.0, 1e-9])], _ref(special.i1e), grad=True, id="near 0"),
    Row("BesselI0e", _sparse(s.bessel_i0e), [normal(3)], _ref(special.i0e), id="sparse"),
    Row("BesselI0e", s.bessel_i0, [normal(4)], _ref(special.i0), grad=True, rtol=1e-4, id="i0"),
    Row("BesselI1e", s.bessel_i1, [normal(4)], _ref(special.i1), grad=True, rtol=1e-4, id="i1"),
    Row("Xdivy", s.xdivy, [XY[0] + 1, XY[1]], _xdivy, grad=True, second=True),
    Row("Xdivy", s.xdivy, [XY[0], np.float32([0, 2, np.inf])], _quiet(_xdivy), id="edges"),
    Row("Xdivy", s.xdivy, Z, _quiet(_xdivy), id="complex"),
    Row("Xdivy", s.xdivy, [XY[0][:, :1] + 1, XY[1].astype(np.float32)], _xdivy, grad=True, id="broadcast"),
    Row("Xlogy", s.xlogy, [XY[0] + 1.5, XY[1]], _xlogy, grad=True, second=True),
    Row("Xlogy", s.xlogy, [XY[0], np.float32([0, 2, np.inf])], _quiet(_xlogy), id="edges"),
    Row("Xlogy", s.xlogy, Z, _quiet(_xlogy), id="complex"),
    Row("Xlogy", s.xlogy, [XY[0][:, :1] + 1, XY[1].astype(np.float32)], _xlogy, grad=True, id="broadcast"),
    Row("NextAfter", s.next_after, [np.float32([1, 1, -2, 0.5]), np.float32([2, 0, 0, 0.5])], np.nextafter, rtol=0, atol=0),
    Row("NextAfter", s.next_after, [np.float64([[1], [0]]), np.float64([2, -1])], np.nextafter, rtol=0, atol=0, id="double"),
    Row("NextAfter", lambda x: s.next_after(x, constant(9.0, x.dtype)), [normal(2, 3)], lambda x: np.nextafter(x, x.dtype.type(9)), grad=True, id="gradient"),
]

ERRORS = [
    ErrorRow("Erf", lambda: s.erf(placeholder("int32", [2])), TypeError, "int32"),
    ErrorRow("Betainc", lambda: s.betainc(placeholder("float32", [2]), placeholder("float32", [3]), placeholder("float32", [])), ValueError, "not compatible"),
    ErrorRow("Igamma", lambda: s.igamma(placeholder("float32", [2]), placeholder("float32", [3])), ValueError, "2 and 3"),
    ErrorRow("Zeta", lambda: s.zeta(placeholder("float16", [2]), 1.0), TypeError, "float16"),
]
