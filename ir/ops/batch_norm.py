"""Fused batch normalization of images, its gradient and the gradient of that."""

from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor
from ir.dtypes import NUMBER, TypeSet
from ir.infer import Infer
from ir.opdef import Float32, In, T
from ir.ops.cast import cast
from ir.ops.elementwise import rsqrt
from ir.ops.layout import reshape, zeros_like
from ir.ops.reduce import reduce_mean, reduce_sum
from ir.ops.windows import FORMATS_2D, channel_axis
from ir.shapes import Dims, merge_dims
from ir.tensor import Operation, Tensor

U = Annotated[Any, In("U")]
FLOAT32 = TypeSet("float32")
MIXED = TypeSet("float16 bfloat16 float32")
EPSILON = 9.999999747378752e-05


# -- fused batch normalization -----------------------------------------------------------------------


def _fused_dims(outputs: int) -> Any:
    """Shapes of x, four vectors and, where there are more outputs, scalars."""

    def shape_fn(c: Infer) -> list[Dims]:
        x = c.rank(0, 4)
        axis = channel_axis(c.attrs["data_format"], 4)
        channels = x[axis]
        for i in range(1, 5 if not c.attrs["is_training"] else 3):
            (size,) = c.rank(i, 1)
            if size is not None and channels is not None and size != channels:
                raise ValueError(f"Dimensions must be equal, but are {channels} and {size}: the channels of x and the size of {c.input_name(i)}")
            channels = size if channels is None else channels
        return [(*x[:axis], channels, *x[axis + 1 :]), *[(channels,)] * 4, *[()] * (outputs - 5)]

    return shape_fn


def _fused_grad_dims(c: Infer) -> list[Dims]:
    dims = merge_dims(c.rank(0, 4), c.rank(1, 4))
    axis = channel_axis(c.attrs["data_format"], 4)
    channels = merge_dims((dims[axis],) if dims else None, c.rank(2, 1))
    return [dims, channels, channels, (), ()]


def _per_channel(v: Any, data_format: str) -> Any:
    return xp.reshape(v, (1, -1, 1, 1)) if data_format == "NCHW" else v


def _over_images(x: Any, data_format: str) -> Any:
    return xp.sum(x, axis=(0, 2, 3) if data_format == "NCHW" else (0, 1, 2))


def _fused_forward(x: Any, scale: Any, offset: Any, mean: Any, variance: Any, epsilon: float, data_format: str, is_training: bool) -> list[Any]:
    wide = xp.astype(x, scale.dtype)
    count = x.size // scale.size if scale.size else 0
    corrected = variance
    if is_training:
        mean = _over_images(wide, data_format) / np.asarray(count, scale.dtype)
        centered = wide - _per_channel(mean, data_format)
        variance = _over_images(centered * centered, data_format) / np.asarray(count, scale.dtype)
        corrected = variance * np.asarray(count / max(count - 1, 1), scale.dtype)
    else:
        centered = wide - _per_channel(mean, data_format)
    factor = scale / xp.sqrt(variance + np.asarray(epsilon, scale.dtype))
    y = centered * _per_channel(factor, data_format) + _per_channel(offset, data_format)
    return [xp.astype(y, x.dtype), mean, corrected, mean, variance]


@op(
    "FusedBatchNorm", _fused_dims(5), out="y: T, batch_mean: T, batch_variance: T, reserve_space_1: T, reserve_space_2: T", T=FLOAT32,
    data_format=FORMATS_2D,
)  # fmt: skip
def _fused_batch_norm(
    x: T, scale: T, offset: T, mean: T, variance: T, epsilon: float = EPSILON, data_format: str = "NHWC", is_training: bool = True,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Normalizes images per channel, by the batch's own statistics while training, else by `mean` and `variance`.

    The variance that comes out is corrected for bias, the one in reserve_space_2 is not.
    """
    return _fused_forward(x, scale, offset, mean, variance, epsilon, data_format, is_training)


@op(
    "FusedBatchNormV2", _fused_dims(5), out="y: T, batch_mean: U, batch_variance: U, reserve_space_1: U, reserve_space_2: U", T=MIXED, U=FLOAT32,
    data_format=FORMATS_2D,
)  # fmt: skip
def _fused_batch_norm_v2(
    x: T, scale: U, offset: U, mean: U, variance: U, epsilon: float = EPSILON, data_format: str = "NHWC", is_training: bool = True,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`FusedBatchNorm` with statistics in float32 for images in half precision."""
    return _fused_forward(x, scale, offset, mean, variance, epsilon, data_format, is_training)


@op(
    "FusedBatchNormV3", _fused_dims(6), T=MIXED, U=FLOAT32, data_format=FORMATS_2D,
    out="y: T, batch_mean: U, batch_variance: U, reserve_space_1: U, reserve_space_2: U, reserve_space_3: U",
)  # fmt: skip
def _fused_batch_norm_v3(
    x: T, scale: U, offset: U, mean: U, variance: U, epsilon: float = EPSILON, data_format: str = "NHWC", is_training: bool = True,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`FusedBatchNormV2` with one more output, which is not used."""
    out = _fused_forward(x, scale, offset, mean, variance, epsilon, data_format, is_training)
    return [*out, np.zeros((), scale.dtype)]


def _fused_backward(dy: Any, x: Any, scale: Any, mean: Any, variance: Any, epsilon: float, data_format: str, is_training: bool) -> list[Any]:
    wide_dy, wide = xp.astype(dy, scale.dtype), xp.astype(x, scale.dtype)
    inverse = 1 / xp.sqrt(variance + np.asarray(epsilon, scale.dtype))
    centered = wide - _per_channel(mean, data_format)
    offset_grad = _over_images(wide_dy, data_format)
    product = _over_images(wide_dy * centered, data_format)
    if is_training:
        count = np.asarray(max(x.size // scale.size if scale.size else 0, 1), scale.dtype)
        slope = product * inverse * inverse / count
        wide_dy = wide_dy - _per_channel(offset_grad / count, data_format) - centered * _per_channel(slope, data_format)
    dx = wide_dy * _per_channel(scale * inverse, data_format)
    zero = np.zeros((), scale.dtype)
    return [xp.astype(dx, x.dtype), product * inverse, offset_grad, zero, zero]


@op(
    "FusedBatchNormGrad", _fused_grad_dims, T=FLOAT32, data_format=FORMATS_2D,
    out="x_backprop: T, scale_backprop: T, offset_backprop: T, reserve_space_3: T, reserve_space_4: T",
)  # fmt: skip
def _fused_batch_norm_grad(
    y_backprop: T, x: T, scale: T, reserve_space_1: T, reserve_space_2: T, epsilon: float = EPSILON, data_format: str = "NHWC",
    is_training: bool = True, name: str | None = None,
) -> Any:  # fmt: skip
    """The gradient of `FusedBatchNorm`; the reserve spaces are the mean and variance it used."""
    return _fused_backward(y_backprop, x, scale, reserve_space_1, reserve_space_2, epsilon, data_format, is_training)


@op(
    "FusedBatchNormGradV2", _fused_grad_dims, T=MIXED, U=FLOAT32, data_format=FORMATS_2D,
    out="x_backprop: T, scale_backprop: U, offset_backprop: U, reserve_space_3: U, reserve_space_4: U",
)  # fmt: skip
def _fused_batch_norm_grad_v2(
    y_backprop: T, x: T, scale: Float32, reserve_space_1: U, reserve_space_2: U, epsilon: float = EPSILON, data_format: str = "NHWC",
    is_training: bool = True, name: str | None = None,
) -> Any:  # fmt: skip
    """The gradient of `FusedBatchNormV2`."""
    return _fused_backward(y_backprop, x, scale, reserve_space_1, reserve_space_2, epsilon, data_format, is_training)


@op(
    "FusedBatchNormGradV3", _fused_grad_dims, T=MIXED, U=FLOAT32, data_format=FORMATS_2D,
    out="x_backprop: T, scale_backprop: U, offset_backprop: U, reserve_space_4: U, reserve_space_5: U",
)  # fmt: skip
def _fused_batch_norm_grad_v3(
    y_backprop: T, x: T, scale: Float32, reserve_space_1: U, reserve_space_2: U, reserve_space_3: U, epsilon: float = EPSILON,
    data_format: str = "NHWC", is_training: bool = True, name: str | None = None,
) -> Any:  # fmt: skip
    """The gradient of `FusedBatchNormV3`."""
    return _fused_backward(y_backprop, x, scale, reserve_space_1, reserve_space_2, epsilon, data_format, is_training)


_FUSED_GRADS: dict[str, Any] = {
    "FusedBatchNorm": _fused_batch_norm_grad,
    "FusedBatchNormV2": _fused_batch_norm_grad_v2,
    "FusedBatchNormV3": _fused_batch_norm_grad_v3,
}


@grad("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def _(op: Operation, dy: Tensor | None, *_: Any) -> Any:
    if dy is None:
        return None, None, None, None, None
    attrs = {n: op.attrs[n] for n in ("epsilon", "data_format", "is_training")}
    used = op.outputs[3:] if attrs["is_training"] else [*op.inputs[3:5], *op.outputs[5:]]
    dx, d_scale, d_offset, *_rest = _FUSED_GRADS[op.type](dy, op.inputs[0], op.inputs[1], *used, **attrs)
    return dx, d_scale, d_offset, None, None


@grad("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
def _(op: Operation, u: Tensor | None, v: Tensor | None, w: Tensor | None, *_: Any) -> Any:
    """Differentiates dx = scale r (g - M g - xh M(g xh)), d_scale = n M(g xh), d_offset = n M g by g, x and scale.

    xh is the normalized input, r the inverse deviation, g the output's gradient, M the mean over n images and pixels.
    """
    g, x, scale = op.inputs[0], op.inputs[1], op.inputs[2]
    nchw = op.attrs["data_format"] == "NCHW"
    kind = scale.dtype.base_dtype

    def over_images(t: Tensor, fn: Any = reduce_mean) -> Tensor:
        return fn(t, [0, 2, 3] if nchw else [0, 1, 2], keepdims=True)

    def spread(t: Tensor | None) -> Any:
        return 0 if t is None else reshape(t, [1, -1, 1, 1]) if nchw else t

    wide_g, wide_x = cast(g, kind), cast(x, kind)
    wide_u: Any = 0 if u is None else cast(u, kind)
    inverse = rsqrt(spread(op.inputs[4]) + op.attrs["epsilon"])
    xh = (wide_x - spread(op.inputs[3])) * inverse
    s, v_, w_ = spread(scale), spread(v), spread(w)
    if not op.attrs["is_training"]:
        dg = wide_u * s * inverse + v_ * xh + w_
        dx = v_ * wide_g * inverse
        ds = over_images(wide_u * wide_g * inverse, reduce_sum) if u is not None else None
    else:
        mean_gx = over_images(wide_g * xh)
        dg, coefficient, dx_r, ds = v_ * xh + w_, v_ * wide_g, 0, None
        if u is not None:
            mean_u, mean_ux = over_images(wide_u), over_images(wide_u * xh)
            dg = dg + s * inverse * (wide_u - mean_u - xh * mean_ux)
            coefficient = coefficient - s * inverse * (mean_gx * wide_u + mean_ux * wide_g)
            k = over_images(wide_u * wide_g) - mean_u * over_images(wide_g) - mean_ux * mean_gx
            dx_r = s * k * inverse * inverse * xh
            ds = over_images(wide_u * inverse * (wide_g - over_images(wide_g) - xh * mean_gx), reduce_sum)
        dx = 0 if u is None and v is None else inverse * (coefficient - over_images(coefficient) - xh * over_images(coefficient * xh)) - dx_r
    d_g = cast(dg + zeros_like(wide_g), g.dtype.base_dtype)
    d_x = cast(dx, x.dtype.base_dtype) if isinstance(dx, Tensor) else zeros_like(x)
    d_scale = None if ds is None else reshape(ds, [-1])
    return [d_g, d_x, d_scale, *[None] * (len(op.inputs) - 3)]


@export("nn.fused_batch_norm")
def fused_batch_norm(
    x: Any, scale: Any, offset: Any, mean: Any = None, variance: Any = None, epsilon: float = 0.001, data_format: str = "NHWC",
    is_training: bool = True, name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Normalizes a batch of images per channel.

    Args:
      x: [batch, height, width, channels] for "NHWC", [batch, channels, height, width] for "NCHW"; float32 or half precision.
      scale, offset: float32, one per channel.
      mean, variance: float32, one per channel, when not training; None while training.
      epsilon: added to the variance.
      data_format: "NHWC" or "NCHW".
      is_training: normalize by the batch's own statistics.
      name: a name for the operation.

    Returns (y, mean, variance): the statistics used, the variance corrected for bias. Raises ValueError when statistics
    are given for training.
    """
    x = convert_to_tensor(x, name="input")
    scale = convert_to_tensor(scale, name="scale")
    offset = convert_to_tensor(offset, name="offset")
    if is_training and (mean is not None or variance is not None):
        raise ValueError("Both 'mean' and 'variance' must be None if is_training is True.")
    mean = constant(np.zeros(0, np.float32)) if mean is None else mean
    variance = constant(np.zeros(0, np.float32)) if variance is None else variance
    least = 1.001e-5  # what cuDNN asks for, everywhere
    y, batch_mean, batch_variance, *_ = _fused_batch_norm_v3(
        x, scale, offset, mean, variance, max(epsilon, least), data_format, is_training, name=name
    )
    return y, batch_mean, batch_variance


# -- batch normalization in the oldest graphs --------------------------------------------------------


def _global_dims(c: Infer) -> Dims:
    t = c.rank(0, 4)
    depth: Dims = t[3:]
    for i in range(1, 5):
        depth = merge_dims(depth, c.rank(i, 1))
    return (*t[:3], depth[0] if depth else None)


@op("BatchNormWithGlobalNormalization", _global_dims, out="result: T", T=NUMBER)
def batch_norm_op(
    t: T, m: T, v: T, beta: T, gamma: T, variance_epsilon: float, scale_after_normalization: bool, name: str | None = None
) -> Tensor:
    """(t - m) / sqrt(v + variance_epsilon), times gamma if `scale_after_normalization`, plus beta."""
    factor = 1 / xp.sqrt(v + np.asarray(variance_epsilon, t.dtype))
    if scale_after_normalization:
        factor = factor * gamma
    return (t - m) * factor + beta


def _global_grad_dims(c: Infer) -> list[Dims]:
    t = merge_dims(c.rank(0, 4), c.rank(4, 4))
    depth = merge_dims(t[3:] if t else None, c.rank(1, 1))
    return [t, depth, depth, depth, depth]


@op("BatchNormWithGlobalNormalizationGrad", _global_grad_dims, out="dx: T, dm: T, dv: T, db: T, dg: T", T=NUMBER)
def batch_norm_grad_op(
    t: T, m: T, v: T, gamma: T, backprop: T, variance_epsilon: float, scale_after_normalization: bool, name: str | None = None
) -> Any:
    """The gradients of `BatchNormWithGlobalNormalization` with respect to its five inputs."""
    inverse = 1 / xp.sqrt(v + np.asarray(variance_epsilon, t.dtype))
    factor = inverse * gamma if scale_after_normalization else inverse
    db = xp.sum(backprop, axis=(0, 1, 2))
    product = xp.sum(backprop * (t - m), axis=(0, 1, 2))
    dg = product * inverse if scale_after_normalization else xp.zeros_like(db)
    return backprop * factor, -db * factor, product * factor * inverse * inverse * np.asarray(-0.5, t.dtype), db, dg


@grad("BatchNormWithGlobalNormalization")
def _(op: Operation, dy: Tensor) -> Any:
    t, m, v, _, gamma = op.inputs
    return tuple(batch_norm_grad_op(t, m, v, gamma, dy, op.attrs["variance_epsilon"], op.attrs["scale_after_normalization"]))


grad.none("BatchNormWithGlobalNormalizationGrad", "TensorFlow has no second-order gradient of this op of old graphs")
