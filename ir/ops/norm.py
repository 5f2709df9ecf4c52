"""Normalization: statistics over dimensions, normalizations composed of them, local response normalization.

Fused batch normalization is in `ir.ops.batch_norm`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import TypeSet, float16, float32
from ir.opdef import T
from ir.ops.arith import add, maximum, multiply, squared_difference, subtract
from ir.ops.basic import stop_gradient
from ir.ops.cast import cast
from ir.ops.elementwise import reciprocal, rsqrt, square
from ir.ops.layout import raw, shape, squeeze, zeros_like
from ir.ops.reduce import reduce_mean, reduce_prod, reduce_sum, renamed
from ir.ops.windows import alias
from ir.shapes import merge_dims
from ir.tensor import Operation, Tensor

MIXED = TypeSet("float16 bfloat16 float32")


# -- statistics --------------------------------------------------------------------------------------


def _keep(keepdims: Any, keep_dims: Any) -> bool:
    return bool(renamed(keepdims, "keepdims", keep_dims, "keep_dims"))


@export("nn.moments")
def moments(
    x: Any, axes: Any, shift: Any = None, name: str | None = None, keep_dims: Any = None, keepdims: Any = None
) -> tuple[Tensor, Tensor]:
    """Computes the mean and the variance of `x` over `axes`.

    Args:
      x: a float tensor; half precision is summed in float32.
      axes: a dimension or list of dimensions.
      shift: not used.
      name: a name for the operations.
      keepdims: keep the reduced dimensions with size 1; `keep_dims` is the same.

    Returns (mean, variance), the variance not corrected for bias. As in TensorFlow no gradient flows through the mean inside
    the variance: it would be zero, but second-order gradients lack its part.

    >>> mean, variance = moments([[1.0, 2.0], [3.0, 4.0]], [0])
    >>> variance.shape.as_list()
    [2]
    """
    keep = _keep(keepdims, keep_dims)
    with get_default_graph().name_scope(name or "moments"):
        x = convert_to_tensor(x, name="x")
        half = x.dtype.base_dtype == float16
        y = cast(x, float32) if half else x
        mean = reduce_mean(y, axes, keepdims=True, name="mean")
        variance = reduce_mean(squared_difference(y, stop_gradient(mean)), axes, keepdims=True, name="variance")
        if not keep:
            mean, variance = squeeze(mean, axes), squeeze(variance, axes)
        return (cast(mean, float16), cast(variance, float16)) if half else (mean, variance)


@export("nn.weighted_moments")
def weighted_moments(
    x: Any, axes: Any, frequency_weights: Any, name: str | None = None, keep_dims: Any = None, keepdims: Any = None
) -> tuple[Tensor, Tensor]:
    """Computes the weighted mean and variance of `x` over `axes`.

    Args:
      x: a float tensor.
      axes: a dimension or list of dimensions.
      frequency_weights: non-negative weights that broadcast against `x`.
      name: a name for the operations.
      keepdims: keep the reduced dimensions with size 1; `keep_dims` is the same.
    """
    keep = _keep(keepdims, keep_dims)
    with get_default_graph().name_scope(name or "weighted_moments"):
        x = convert_to_tensor(x, name="x")
        weights = convert_to_tensor(frequency_weights, name="frequency_weights")
        half = x.dtype.base_dtype == float16
        x = cast(x, float32) if half else x
        weights = cast(weights, x.dtype.base_dtype)
        total = reduce_sum(weights * x, axes, name="weighted_input_sum", keepdims=True)
        # the weights as often as they count when they broadcast
        inverse = reciprocal(reduce_sum(weights + zeros_like(x), axes, name="sum_of_weights", keepdims=True), name="inv_weight_sum")
        mean = multiply(total, inverse)
        distance = reduce_sum(weights * squared_difference(x, mean), axes, name="weighted_distsq", keepdims=True)
        variance = multiply(distance, inverse)
        if not keep:
            mean, variance = squeeze(mean, axes), squeeze(variance, axes)
        return (cast(mean, float16), cast(variance, float16)) if half else (mean, variance)


@export("nn.sufficient_statistics")
def sufficient_statistics(
    x: Any, axes: Sequence[int], shift: Any = None, keep_dims: Any = None, name: str | None = None, keepdims: Any = None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Computes what the mean and variance of `x` over `axes` follow from.

    Args:
      x: a float tensor.
      axes: a list of dimensions.
      shift: a value to subtract first, near the mean for accuracy.
      keepdims: keep the reduced dimensions with size 1; `keep_dims` is the same.
      name: a name for the operations.

    Returns (count, sum, sum of squares, shift); see `tf.nn.normalize_moments`.
    """
    keep = _keep(keepdims, keep_dims)
    with get_default_graph().name_scope(name or "sufficient_statistics"):
        x = convert_to_tensor(x, name="x")
        sizes = [] if x.dims is None else [x.dims[d] for d in axes]
        if x.dims is not None and None not in sizes:
            counts = constant(float(np.prod([d or 0 for d in sizes])), dtype=x.dtype.base_dtype)
        else:
            counts = reduce_prod(raw("GatherV2")(cast(shape(x), x.dtype.base_dtype), list(axes), 0), name="count")
        if shift is not None:
            shift = convert_to_tensor(shift, name="shift")
            first, second = subtract(x, shift), squared_difference(x, shift)
        else:
            first, second = x, square(x)
        first = reduce_sum(first, axes, keepdims=keep, name="mean_ss")
        return counts, first, reduce_sum(second, axes, keepdims=keep, name="var_ss"), shift


@export("nn.normalize_moments")
def normalize_moments(counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Computes the mean and variance from sufficient statistics.

    Args:
      counts, mean_ss, variance_ss, shift: as `tf.nn.sufficient_statistics` returns them.
      name: a name for the operations.
    """
    with get_default_graph().name_scope(name or "normalize"):
        divisor = reciprocal(counts, name="divisor")
        if shift is not None:
            shifted = multiply(mean_ss, divisor, name="shifted_mean")
            mean = add(shifted, shift, name="mean")
        else:
            shifted = mean = multiply(mean_ss, divisor, name="mean")
        return mean, subtract(multiply(variance_ss, divisor), square(shifted), name="variance")


# -- composed normalizations -------------------------------------------------------------------------


@export("nn.batch_normalization")
def batch_normalization(x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: Any, name: str | None = None) -> Tensor:
    """Computes scale * (x - mean) / sqrt(variance + variance_epsilon) + offset.

    Args:
      x: a float tensor.
      mean, variance: tensors that broadcast against `x`.
      offset, scale: tensors that broadcast against `x`, or None for none.
      variance_epsilon: a small number that keeps the division finite.
      name: a name for the operations.
    """
    with get_default_graph().name_scope(name or "batchnorm"):
        factor = rsqrt(variance + variance_epsilon)
        if scale is not None:
            factor = factor * scale
        kind = x.dtype.base_dtype
        scaled = x * cast(factor, kind)
        rest = offset - mean * factor if offset is not None else -mean * factor
        return scaled + cast(rest, kind)


@export("nn.batch_norm_with_global_normalization")
def batch_norm_with_global_normalization(
    t: Any = None, m: Any = None, v: Any = None, beta: Any = None, gamma: Any = None, variance_epsilon: Any = None,
    scale_after_normalization: Any = None, name: str | None = None, input: Any = None, mean: Any = None, variance: Any = None,
) -> Tensor:  # fmt: skip
    """Normalizes a batch of images; `tf.nn.batch_normalization` is the newer form.

    Args:
      t: [batch, height, width, channels]; `input` is the same.
      m, v: mean and variance per channel; `mean` and `variance` are the same.
      beta, gamma: offset and scale per channel.
      variance_epsilon: a small number that keeps the division finite.
      scale_after_normalization: whether to use `gamma`.
      name: a name for the operations.
    """
    t, m, v = alias("input", input, "t", t), alias("mean", mean, "m", m), alias("variance", variance, "v", v)
    return batch_normalization(t, m, v, beta, gamma if scale_after_normalization else None, variance_epsilon, name)


@export("nn.l2_normalize math.l2_normalize linalg.l2_normalize")
def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None) -> Tensor:
    """Scales `x` to length 1 along `axis`: x / sqrt(max(sum(x**2), epsilon)).

    Args:
      x: a float tensor.
      axis: a dimension or list of dimensions, all by default; `dim` is the same.
      epsilon: a lower bound of the squared length.
      name: a name for the operation.

    >>> l2_normalize([3.0, 4.0]).shape.as_list()
    [2]
    """
    axis = renamed(axis, "axis", dim, "dim")
    with get_default_graph().name_scope(name or "l2_normalize") as scope:
        x = convert_to_tensor(x, name="x")
        total = reduce_sum(square(x), axis, keepdims=True)
        return multiply(x, rsqrt(maximum(total, epsilon)), name=scope)


# -- local response normalization --------------------------------------------------------------------


def _over_neighbours(x: Any, radius: int) -> Any:
    """Sums over channels at most `radius` away."""
    depth = x.shape[-1]
    radius = min(radius, max(depth - 1, 0))
    wide = xp.pad(x, [(0, 0)] * (x.ndim - 1) + [(radius, radius)])
    total = wide[..., :depth]
    for i in range(1, 2 * radius + 1):
        total = total + wide[..., i : i + depth]
    return total


def _lrn_norm(x: Any, radius: int, bias: float, alpha: float) -> Any:
    wide = xp.astype(x, np.float32)
    return np.float32(bias) + np.float32(alpha) * _over_neighbours(wide * wide, radius)


@op("LRN", lambda c: c.rank(0, 4), T=MIXED.default_to(float32), api="nn.local_response_normalization nn.lrn")
def local_response_normalization(
    input: T, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5, name: str | None = None
) -> Tensor:
    """Divides each channel by a power of the squares of its neighbours.

    Args:
      input: [batch, height, width, channels], float32 or half precision.
      depth_radius: how far neighbours are, in channels.
      bias, alpha, beta: the divisor is (bias + alpha * sum of squares) ** beta.
      name: a name for the operation.
    """
    norm = _lrn_norm(input, depth_radius, bias, alpha)
    return xp.astype(xp.astype(input, np.float32) * norm ** np.float32(-beta), input.dtype)


@op("LRNGrad", lambda c: merge_dims(c.rank(0, 4), c.rank(1, 4)), T=MIXED.default_to(float32))
def lrn_grad(
    input_grads: T, input_image: T, output_image: T, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """The gradient of `LRN`."""
    norm = _lrn_norm(input_image, depth_radius, bias, alpha)
    dy, x, y = (xp.astype(t, np.float32) for t in (input_grads, input_image, output_image))
    across = _over_neighbours(dy * y / norm, depth_radius)
    return xp.astype(dy * norm ** np.float32(-beta) - np.float32(2 * alpha * beta) * x * across, input_image.dtype)


@grad("LRN")
def _(op: Operation, dy: Tensor) -> Any:
    return lrn_grad(dy, op.inputs[0], op.outputs[0], **{n: op.attrs[n] for n in ("depth_radius", "bias", "alpha", "beta")})


grad.none("LRNGrad", "TensorFlow has no second-order gradient of LRN")

