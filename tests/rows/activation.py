"""Rows of ir.ops.activation."""

import ml_dtypes
import numpy as np
from scipy import special

from ir.convert import constant
from ir.errors import InvalidArgumentError
from ir.ops import activation as a
from ir.ops.basic import placeholder
from tests.rowdef import ErrorRow, Row, normal, uniform

EDGES = np.float32([-np.inf, -7, -1, -0.0, 0.0, 0.5, 6, 7, np.inf, np.nan])
AWAY = np.float32([[-2.5, -0.7, 0.3], [1.2, 5.5, 7.5]])  # from 0 and 6, where the slope jumps
PAIR = [normal(2, 3, seed=1), AWAY]
SCALE, SCALE_ALPHA = 1.0507009873554805, 1.7580993408473766


def _quiet(fn):
    def ref(*args):
        with np.errstate(all="ignore"):
            return fn(*args)

    return ref


def _relu(x):
    return np.maximum(x, 0)


def _relu6(x):
    return np.minimum(np.maximum(x, 0), 6)


def _leaky(x):
    return np.where(x > 0, x, np.asarray(0.2, x.dtype) * x)


def _elu(x):
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


def _selu(x):
    return np.where(x < 0, SCALE_ALPHA * np.expm1(np.minimum(x, 0)), SCALE * x).astype(x.dtype)


def _softplus(x):
    return np.logaddexp(x, 0).astype(x.dtype)


def _softsign(x):
    return x / (1 + np.abs(x))


def unary(name, fn, ref):
    """Values with two gradients, edges, a scalar, nothing, half precision."""
    return [
        Row(name, fn, [AWAY], ref, grad=True, second=True),
        Row(name, fn, [EDGES], _quiet(ref), id="edges"),
        Row(name, fn, [np.float64(-0.3)], ref, grad=True, id="scalar"),
        Row(name, fn, [AWAY[:0]], ref, id="empty"),
        Row(name, fn, [AWAY.astype(np.float16)], lambda x: ref(x.astype(np.float32)).astype(np.float16), rtol=3e-3, id="half"),
        Row(name, fn, [AWAY.astype(ml_dtypes.bfloat16)], lambda x: ref(x.astype(np.float32)).astype(ml_dtypes.bfloat16), rtol=2e-2, id="bfloat16"),
    ]


def _log_softmax(x, axis=-1):
    return special.log_softmax(x, axis=axis)


INT8 = np.int8([[-5, 0, 5], [7, 100, -128]])
UINT8 = np.uint8([0, 5, 200])
LOGITS = normal(2, 3, 4)

ROWS = [
    *unary("Relu", a.relu, _relu),
    Row("Relu", a.relu, [INT8], _relu, id="int8"),
    Row("Relu", a.relu, [UINT8], _relu, id="uint8"),
    *unary("Relu6", a.relu6, _relu6),
    Row("Relu6", a.relu6, [INT8], _relu6, id="int8"),
    *unary("LeakyRelu", a.leaky_relu, _leaky),
    Row("LeakyRelu", lambda x: a.leaky_relu(x, alpha=np.array(0.5)), [AWAY], lambda x: np.where(x > 0, x, x / 2), grad=True, id="alpha"),
    Row("LeakyRelu", a.leaky_relu, [np.int32([-10, 10])], lambda x: np.float32([-2, 10]), id="int"),
    Row("Relu", a.crelu, [AWAY], lambda x: np.concatenate([_relu(x), _relu(-x)], -1), grad=True, id="crelu"),
    Row("Relu", lambda x: a.crelu(x, axis=0), [AWAY], lambda x: np.concatenate([_relu(x), _relu(-x)], 0), id="crelu axis"),
    *unary("Elu", a.elu, _elu),
    *unary("Selu", a.selu, _selu),
    *unary("Softplus", a.softplus, _softplus),
    Row("Softplus", a.softplus, [np.float32([-100, -20, 20, 100])], lambda x: np.float32([3.7200760e-44, 2.0611537e-09, 20, 100]), id="far"),
    *unary("Softsign", a.softsign, _softsign),
    Row("ReluGrad", a.relu_grad, PAIR, lambda g, x: g * (x > 0), grad=True, second=True),
    Row("ReluGrad", a.relu_grad, [np.int32([1, 2, 3]), np.int32([-1, 0, 5])], lambda g, x: g * (x > 0), id="int"),
    Row("Relu6Grad", a.relu6_grad, PAIR, lambda g, x: g * ((x > 0) & (x < 6)), grad=True),
    Row("Relu6Grad", a.relu6_grad, [np.ones(10, np.float32), EDGES], lambda g, x: np.float32([0, 0, 0, 0, 0, 1, 0, 0, 0, 0]), id="edges"),
    Row("LeakyReluGrad", lambda g, x: a.leaky_relu_grad(g, x, alpha=0.3), PAIR, lambda g, x: np.where(x > 0, g, np.asarray(0.3, g.dtype) * g), grad=True),
    Row("EluGrad", a.elu_grad, PAIR, lambda g, y: np.where(y < 0, g * (y + 1), g), grad=True, second=True),
    Row("SeluGrad", a.selu_grad, PAIR, lambda g, y: np.where(y < 0, g * (y + SCALE_ALPHA), g * SCALE).astype(g.dtype), grad=True),
    Row("SoftplusGrad", a.softplus_grad, PAIR, lambda g, x: g * special.expit(x), grad=True),
    Row("SoftsignGrad", a.softsign_grad, PAIR, lambda g, x: g / (1 + np.abs(x)) ** 2, grad=True, second=True),
    Row("Sigmoid", a.swish, [AWAY], lambda x: x * special.expit(x), grad=True, second=True, id="swish"),
    Row("Softplus", a.log_sigmoid, [AWAY], lambda x: -_softplus(-x), grad=True, id="log_sigmoid"),
    Row("Softmax", a.softmax, [LOGITS], lambda x: special.softmax(x, axis=-1), grad=True, second=True),
    Row("Softmax", lambda x: a.softmax(x, axis=1, name="named"), [LOGITS], lambda x: special.softmax(x, axis=1), grad=True, id="middle axis"),
    Row("Softmax", lambda x: a.softmax(x, dim=-3), [LOGITS], lambda x: special.softmax(x, axis=0), id="old name, negative"),
    Row("Softmax", lambda x: a.softmax(x, axis=constant(0)), [normal(3)], lambda x: special.softmax(x), grad=True, id="vector"),
    Row("Softmax", a.softmax, [np.float32([[1000, 0, -1000], [1, 1, 1]])], lambda x: np.float32([[1, 0, 0], [1 / 3] * 3]), id="large"),
    Row("Softmax", a.softmax, [np.zeros((0, 3), np.float32)], lambda x: x, id="no rows"),
    Row("Softmax", a.softmax, [np.zeros((2, 0), np.float32)], lambda x: x, id="empty rows"),
    Row("Softmax", a.softmax, [LOGITS.astype(np.float16)], lambda x: special.softmax(x.astype(float), axis=-1).astype(np.float16), id="half"),
    Row("Softmax", a.softmax, [LOGITS.astype(ml_dtypes.bfloat16)], lambda x: special.softmax(x.astype(float), axis=-1).astype(ml_dtypes.bfloat16), id="bf16"),
    Row("LogSoftmax", a.log_softmax, [LOGITS], _log_softmax, grad=True, second=True),
    Row("LogSoftmax", lambda x: a.log_softmax(x, axis=0), [LOGITS], lambda x: _log_softmax(x, 0), grad=True, id="first axis"),
    Row("LogSoftmax", a.log_softmax, [np.float32([[1000, 0, -1000]])], lambda x: np.float32([[0, -1000, -2000]]), id="large"),
    Row("LogSoftmax", a.log_softmax, [np.zeros((2, 0), np.float32)], lambda x: x, id="empty rows"),
    Row("LogSoftmax", a.log_softmax, [uniform(3, dtype=np.float16)], lambda x: _log_softmax(x.astype(float)).astype(np.float16), id="half"),
]

ERRORS = [
    ErrorRow("Softmax", lambda: a.softmax(placeholder("float32", [])), ValueError, "rank at least 1"),
    ErrorRow("Softmax", lambda: a.softmax(placeholder("float32", [2, 3]), axis=2), InvalidArgumentError, r"must be in the range \[-2, 2\)"),
    ErrorRow("Softmax", lambda: a.softmax(placeholder("float32", [2, 3]), axis=1, dim=1), ValueError, "Cannot specify both"),
    ErrorRow("Softmax", lambda: a.softmax(placeholder("float32", None), axis=0), ValueError, "unknown rank must be -1"),
    ErrorRow("Softmax", lambda: a.softmax(placeholder("float32", [2, 3]), axis=placeholder("int32", [])), ValueError, "must be known"),
    ErrorRow("Softmax", lambda: a.softmax([1, 2]), TypeError, "int32"),
    ErrorRow("ReluGrad", lambda: a.relu_grad(placeholder("float32", [2]), placeholder("float32", [3])), ValueError, "not compatible"),
    ErrorRow("Elu", lambda: a.elu(placeholder("int32", [2])), TypeError, "int32"),
]
