"""Small neural network functions made of several families: dense layers, dropout, sparsity."""

import numbers
from typing import Any

from ir import dtypes
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.ops.activation import relu
from ir.ops.arith import realdiv
from ir.ops.basic import identity
from ir.ops.cast import cast
from ir.ops.compare import greater_equal, not_equal
from ir.ops.conv import bias_add
from ir.ops.layout import shape, size, zeros
from ir.ops.matmul import matmul
from ir.ops.random import random_uniform
from ir.ops.reduce import reduce_sum
from ir.shapes import TensorShape, as_shape
from ir.static import value_of
from ir.tensor import Tensor


@export("nn.xw_plus_b")
def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """Computes matmul(x, weights) + biases.

    Args:
      x: [batch, in].
      weights: [in, out].
      biases: [out].
      name: a name for the operation.
    """
    with get_default_graph().name_scope(name or "xw_plus_b") as scope:
        x, weights, biases = (convert_to_tensor(v, name=n) for v, n in ((x, "x"), (weights, "weights"), (biases, "biases")))
        return bias_add(matmul(x, weights), biases, name=scope)


@export("nn.relu_layer")
def relu_layer(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """Computes relu(matmul(x, weights) + biases); the arguments are those of `tf.nn.xw_plus_b`."""
    with get_default_graph().name_scope(name or "relu_layer") as scope:
        x, weights, biases = (convert_to_tensor(v, name=n) for v, n in ((x, "x"), (weights, "weights"), (biases, "biases")))
        return relu(bias_add(matmul(x, weights), biases), name=scope)


def _noise_shape(x: Tensor, noise_shape: Any) -> Any:
    if noise_shape is None:
        return shape(x)
    if isinstance(noise_shape, Tensor):
        return noise_shape
    wanted = as_shape(noise_shape)
    if x.dims is None or wanted.ndims != len(x.dims):
        return noise_shape
    filled = [n if n is not None else d for n, d in zip(wanted.as_list(), x.dims, strict=True)]
    return TensorShape(filled) if None not in filled else noise_shape


@export("nn.dropout")
def dropout(x: Any, keep_prob: Any = None, noise_shape: Any = None, seed: Any = None, name: str | None = None, rate: Any = None) -> Tensor:
    """Sets a random part of the elements of `x` to zero and scales the others up by 1 / (1 - rate).

    Args:
      x: a float tensor.
      keep_prob: 1 - rate, the old way to say it.
      noise_shape: a shape that broadcasts against `x`: elements that share an entry are dropped together.
      seed: an integer; see `tf.set_random_seed`.
      name: a name for the operation.
      rate: the probability that an element is dropped, a number in [0, 1) or a scalar tensor.

    Returns a tensor of the shape and type of `x`; `x` itself when the rate is known to be 0. Raises ValueError when both
    or neither of `keep_prob` and `rate` are given, when the rate is out of range or `x` is not float.
    """
    if keep_prob is not None:
        if rate is not None:
            raise ValueError("Cannot specify both 'keep_prob' and 'rate'")
        rate = 1.0 - keep_prob
    if rate is None:
        raise ValueError("You must provide a rate to dropout.")
    with get_default_graph().name_scope(name or "dropout"):
        x = convert_to_tensor(x, name="x")
        kind = x.dtype.base_dtype
        if not kind.is_floating:
            raise ValueError(f"x has to be a floating point tensor since it's going to be scaled. Got a {kind} tensor instead.")
        if isinstance(rate, numbers.Real):
            if not 0 <= float(rate) < 1:
                raise ValueError(f"rate must be a scalar tensor or a float in the range [0, 1), got {rate:g}")
            if rate == 0:
                return x
        rate = convert_to_tensor(rate, dtype=kind, name="rate")
        rate.shape.assert_has_rank(0)
        known = value_of(rate)
        if known is not None and known == 0:
            return x
        noise = random_uniform(_noise_shape(x, noise_shape), seed=seed, dtype=kind)
        # uniform in [0, 1): at least `rate` with probability 1 - rate
        scale = 1 / (1 - rate)
        kept = greater_equal(noise, rate)
        out = x * scale * cast(kept, kind)
        if x.dims is not None:
            out.set_shape(x.shape)
        return out


@export("nn.zero_fraction math.zero_fraction")
def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """Returns the fraction of zeros among the elements of `value`, as a float32 scalar.

    Args:
      value: a numeric tensor; for an empty one the result is NaN.
      name: a name for the operation.
    """
    with get_default_graph().name_scope(name or "zero_fraction"):
        value = convert_to_tensor(value, name="value")
        count = size(value, out_type=dtypes.int64)
        nonzero = reduce_sum(cast(not_equal(value, zeros([], dtype=value.dtype.base_dtype)), dtypes.int64))
        fraction = realdiv(cast(count - nonzero, dtypes.float32), cast(count, dtypes.float32))
        return identity(fraction, "fraction")
