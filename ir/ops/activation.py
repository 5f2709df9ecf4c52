"""Activation functions of neural networks and softmax, with the ops TensorFlow computes their gradients by."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import static, xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import FLOAT, REAL, TypeSet, float32
from ir.errors import InvalidArgumentError
from ir.infer import Infer, merged, same
from ir.opdef import T
from ir.ops.cast import cast
from ir.ops.compare import less
from ir.ops.elementwise import abs_, exp, negative, sigmoid, sign
from ir.ops.joining import concat
from ir.ops.layout import _one_of, shape, transpose, zeros, zeros_like  # pyright: ignore[reportPrivateUsage]
from ir.ops.reduce import reduce_sum
from ir.ops.select import where
from ir.shapes import Dims
from ir.tensor import Operation, Tensor

FLOAT32 = FLOAT.default_to(float32)
#: of the self-normalizing unit: Klambauer et al. 2017, arXiv:1706.02515
SELU_SCALE = 1.0507009873554804934193349852946
SELU_SCALE_ALPHA = 1.7580993408473768599402175208123


def _zeros_of(x: Tensor) -> Tensor:
    return zeros(shape(x), x.dtype.base_dtype)


# -- the rectifiers ----------------------------------------------------------------------------------


@op("Relu", same, out="activations: T", api="nn.relu", T=REAL | TypeSet("qint8"))
def relu(features: T, name: str | None = None) -> Tensor:
    """Returns `max(features, 0)`, element by element, for any real type."""
    return xp.maximum(features, 0)


@grad("Relu")
def _(op: Operation, dy: Tensor) -> Any:
    return relu_grad(dy, op.outputs[0])


@op("ReluGrad", merged, out="backprops: T", T=REAL)
def relu_grad(gradients: T, features: T, name: str | None = None) -> Tensor:
    """`gradients` where `features` (or the outputs) are positive, else 0."""
    return xp.where(xp.greater(features, 0), gradients, 0)


@grad("ReluGrad")
def _(op: Operation, dz: Tensor) -> Any:
    x = op.inputs[1]
    return relu_grad(dz, x), _zeros_of(x)


@op("Relu6", same, out="activations: T", T=REAL)
def _relu6(features: T, name: str | None = None) -> Tensor:
    """`min(max(features, 0), 6)`."""
    return xp.minimum(xp.maximum(features, 0), 6)


@grad("Relu6")
def _(op: Operation, dy: Tensor) -> Any:
    return relu6_grad(dy, op.outputs[0])


@export("nn.relu6")
def relu6(features: Any, name: str | None = None) -> Tensor:
    """Returns `min(max(features, 0), 6)`, element by element, for any real type."""
    with get_default_graph().name_scope(name or "Relu6") as scope:
        return _relu6(convert_to_tensor(features, name="features"), name=scope)


@op("Relu6Grad", merged, out="backprops: T", T=REAL)
def relu6_grad(gradients: T, features: T, name: str | None = None) -> Tensor:
    """`gradients` where `features` (or the outputs) lie strictly between 0 and 6, else 0."""
    return xp.where(xp.logical_and(xp.greater(features, 0), xp.less(features, 6)), gradients, 0)


@grad("Relu6Grad")
def _(op: Operation, dz: Tensor) -> Any:
    x = op.inputs[1]
    return relu6_grad(dz, x), _zeros_of(x)


@op("LeakyRelu", same, out="activations: T", T=FLOAT32)
def _leaky_relu(features: T, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """`features` where positive, else `alpha * features`."""
    return xp.where(xp.greater(features, 0), features, alpha * features)


@grad("LeakyRelu")
def _(op: Operation, dy: Tensor) -> Any:
    return leaky_relu_grad(dy, op.inputs[0], alpha=op.get_attr("alpha"))


@op("LeakyReluGrad", merged, out="backprops: T", T=FLOAT32)
def leaky_relu_grad(gradients: T, features: T, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """`gradients` where `features` are positive, else `alpha * gradients`."""
    return xp.where(xp.greater(features, 0), gradients, alpha * gradients)


@grad("LeakyReluGrad")
def _(op: Operation, dz: Tensor) -> Any:
    x = op.inputs[1]
    return leaky_relu_grad(dz, x, alpha=op.get_attr("alpha")), _zeros_of(x)


@export("nn.leaky_relu")
def leaky_relu(features: Any, alpha: Any = 0.2, name: str | None = None) -> Tensor:
    """Returns `features` where positive, else `alpha * features`.

    Args:
      features: a real tensor of any shape; integers become float32.
      alpha: the slope for negative arguments, a number.
    """
    with get_default_graph().name_scope(name or "LeakyRelu") as scope:
        features = convert_to_tensor(features, name="features")
        if features.dtype.is_integer:
            features = cast(features, float32)
        return _leaky_relu(features, alpha=alpha.item() if isinstance(alpha, np.ndarray) else alpha, name=scope)


@export("nn.crelu")
def crelu(features: Any, name: str | None = None, axis: Any = -1) -> Tensor:
    """Returns `relu` of `features` and of `-features`, joined along `axis`, which becomes twice as long."""
    with get_default_graph().name_scope(name or "CRelu") as scope:
        features = convert_to_tensor(features, name="features")
        return relu(concat([features, negative(features)], axis, name=scope))


# -- the smooth ones ---------------------------------------------------------------------------------


@op("Elu", same, out="activations: T", api="nn.elu", T=FLOAT)
def elu(features: T, name: str | None = None) -> Tensor:
    """Returns `features` where positive, else `exp(features) - 1`."""
    return xp.where(xp.less(features, 0), xp.expm1(xp.minimum(features, 0)), features)


@grad("Elu")
def _(op: Operation, dy: Tensor) -> Any:
    return elu_grad(dy, op.outputs[0])


@op("EluGrad", merged, out="backprops: T", T=FLOAT)
def elu_grad(gradients: T, outputs: T, name: str | None = None) -> Tensor:
    """`gradients * (outputs + 1)` where `outputs` are negative, else `gradients`."""
    return xp.where(xp.less(outputs, 0), gradients * (outputs + 1), gradients)


@op("Selu", same, out="activations: T", api="nn.selu", T=FLOAT)
def selu(features: T, name: str | None = None) -> Tensor:
    """Returns `scale * features` where positive, else `scale * alpha * (exp(features) - 1)`.

    With scale = 1.0507 and alpha = 1.6733, and weights of mean 0 and variance 1/n, activations keep mean 0 and
    variance 1 (Klambauer et al. 2017, arXiv:1706.02515).
    """
    return xp.where(xp.less(features, 0), SELU_SCALE_ALPHA * xp.expm1(xp.minimum(features, 0)), SELU_SCALE * features)


@grad("Selu")
def _(op: Operation, dy: Tensor) -> Any:
    return selu_grad(dy, op.outputs[0])


@op("SeluGrad", merged, out="backprops: T", T=FLOAT)
def selu_grad(gradients: T, outputs: T, name: str | None = None) -> Tensor:
    """`gradients * (outputs + scale * alpha)` where `outputs` are negative, else `scale * gradients`."""
    return xp.where(xp.less(outputs, 0), gradients * (outputs + SELU_SCALE_ALPHA), gradients * SELU_SCALE)


@grad("EluGrad", "SeluGrad")
def _(op: Operation, dz: Tensor) -> Any:
    gradients, outputs = op.inputs
    again = elu_grad if op.type == "EluGrad" else selu_grad
    return again(dz, outputs), where(less(outputs, 0), dz * gradients, zeros_like(outputs))


@op("Softplus", same, out="activations: T", api="nn.softplus math.softplus", T=FLOAT)
def softplus(features: T, name: str | None = None) -> Tensor:
    """Returns `log(exp(features) + 1)`, element by element, without overflow."""
    return xp.maximum(features, 0) + xp.log1p(xp.exp(-xp.abs(features)))


@grad("Softplus")
def _(op: Operation, dy: Tensor) -> Any:
    return dy * sigmoid(op.inputs[0])


@op("SoftplusGrad", merged, out="backprops: T", T=FLOAT)
def softplus_grad(gradients: T, features: T, name: str | None = None) -> Tensor:
    """`gradients / (exp(-features) + 1)`."""
    return gradients / (xp.exp(-features) + 1)


@grad("SoftplusGrad")
def _(op: Operation, dz: Tensor) -> Any:
    dy, x = op.inputs
    return softplus_grad(dz, x), dz * dy / (exp(-x) + 2.0 + exp(x))


@op("Softsign", same, out="activations: T", api="nn.softsign math.softsign", T=FLOAT)
def softsign(features: T, name: str | None = None) -> Tensor:
    """Returns `features / (abs(features) + 1)`, element by element."""
    return features / (xp.abs(features) + 1)


@grad("Softsign")
def _(op: Operation, dy: Tensor) -> Any:
    return softsign_grad(dy, op.inputs[0])


@op("SoftsignGrad", merged, out="backprops: T", T=FLOAT)
def softsign_grad(gradients: T, features: T, name: str | None = None) -> Tensor:
    """`gradients / (1 + abs(features)) ** 2`."""
    return gradients / xp.square(xp.abs(features) + 1)


@grad("SoftsignGrad")
def _(op: Operation, dz: Tensor) -> Any:
    x = op.inputs[1]
    return softsign_grad(dz, x), dz * op.outputs[0] * -2.0 * sign(x) / (1.0 + abs_(x))


@export("nn.swish")
def swish(features: Any) -> Tensor:
    """Returns `features * sigmoid(features)`, element by element (Ramachandran et al. 2017, arXiv:1710.05941)."""
    features = convert_to_tensor(features, name="features")
    return features * sigmoid(features)


@export("log_sigmoid math.log_sigmoid")
def log_sigmoid(x: Any, name: str | None = None) -> Tensor:
    """Returns `log(1 / (1 + exp(-x)))`, element by element, computed as `-softplus(-x)`, which does not overflow."""
    with get_default_graph().name_scope(name or "LogSigmoid") as scope:
        x = convert_to_tensor(x, name="x")
        return negative(softplus(negative(x)), name=scope)


# -- softmax -----------------------------------------------------------------------------------------


def _rows(c: Infer) -> Dims:
    return c.rank_at_least(0, 1)


def _wide(x: Any) -> Any:
    """Returns 16-bit floats as float32: sums of exponentials need the bits."""
    return xp.astype(x, np.float32) if x.dtype.itemsize == 2 else x


@op("Softmax", _rows, out="softmax: T", T=FLOAT)
def _softmax(logits: T, name: str | None = None) -> Tensor:
    """`exp(logits)` divided by its sum over the last dimension."""
    x = _wide(logits)
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True, initial=-np.inf))
    return xp.astype(e / xp.sum(e, axis=-1, keepdims=True), logits.dtype)


@grad("Softmax")
def _(op: Operation, dy: Tensor) -> Any:
    y = op.outputs[0]
    return (dy - reduce_sum(dy * y, -1, keepdims=True)) * y


@op("LogSoftmax", _rows, out="logsoftmax: T", T=FLOAT)
def _log_softmax(logits: T, name: str | None = None) -> Tensor:
    """`logits` less the logarithm of the sum of `exp(logits)` over the last dimension."""
    x = _wide(logits)
    x = x - xp.max(x, axis=-1, keepdims=True, initial=-np.inf)
    return xp.astype(x - xp.log(xp.sum(xp.exp(x), axis=-1, keepdims=True)), logits.dtype)


@grad("LogSoftmax")
def _(op: Operation, dy: Tensor) -> Any:
    return dy - reduce_sum(dy, -1, keepdims=True) * exp(op.outputs[0])


def _along_axis(logits: Any, compute: Callable[..., Tensor], axis: Any, name: str | None) -> Tensor:
    """Returns `compute`, which works on the last dimension, applied along `axis`, by two transpositions."""
    logits = convert_to_tensor(logits)
    if isinstance(axis, Tensor):
        known = static.value_of(axis)
        if known is None:
            raise ValueError(f"the axis of a softmax must be known when the graph is built, got {axis!r}")
        axis = int(known)
    rank = None if logits.dims is None else len(logits.dims)
    if axis == -1 or (rank is not None and axis == rank - 1):
        return compute(logits, name=name)
    if rank is None:
        raise ValueError(f"the axis of a softmax of unknown rank must be -1, got {axis}")
    if not -rank <= axis < rank:
        raise InvalidArgumentError(
            None, None, f"Dimension ({axis}) must be in the range [{-rank}, {rank}) where {rank} is the number of dimensions in the input."
        )
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    return transpose(compute(transpose(logits, order)), order, name=name or "transpose")


@export("nn.softmax math.softmax")
def softmax(logits: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """Returns `exp(logits)` divided by its sum along `axis`: positive numbers that add up to 1.

    Args:
      logits: a float tensor that is not a scalar.
      axis: the dimension to sum over, the last one by default.
      name: a name for the operation.
      dim: the old name of `axis`.

    Returns a tensor of the shape and type of `logits`.

    Raises InvalidArgumentError when `axis` is out of range, ValueError when `logits` is a scalar.

    >>> softmax([[1.0, 2.0], [3.0, 4.0]]).shape.as_list()
    [2, 2]
    """
    axis = _one_of(axis, "axis", dim, "dim")
    return _along_axis(logits, _softmax, -1 if axis is None else axis, name)


@export("nn.log_softmax math.log_softmax")
def log_softmax(logits: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """Returns the logarithm of `softmax`, computed without dividing: `logits - log(sum(exp(logits)))` along `axis`.

    Args:
      logits: a float tensor that is not a scalar.
      axis: the dimension to sum over, the last one by default.
      name: a name for the operation.
      dim: the old name of `axis`.

    Raises InvalidArgumentError when `axis` is out of range, ValueError when `logits` is a scalar.
    """
    axis = _one_of(axis, "axis", dim, "dim")
    return _along_axis(logits, _log_softmax, -1 if axis is None else axis, name)
