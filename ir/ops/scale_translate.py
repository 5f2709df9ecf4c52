"""Resampling images with a filter, a scale and a translation, as `tf.compat.v2.image.resize` uses it."""

import math
from typing import Any

import numpy as np

from ir import xp
from ir.build import grad, op
from ir.dtypes import TypeSet, float32
from ir.infer import Infer, with_rank
from ir.opdef import Float32, Int32, T
from ir.ops.cast import cast
from ir.ops.resize import BILINEAR
from ir.shapes import Dims
from ir.tensor import Operation, Tensor

FLOAT32 = TypeSet("float32")


def _lanczos(radius: int) -> Any:
    def kernel(x: Any) -> Any:
        safe = xp.where(x > 1e-3, x, xp.ones_like(x)) * np.float32(math.pi)
        value = xp.sin(safe) * xp.sin(safe / np.float32(radius)) * np.float32(radius) / (safe * safe)
        return xp.where(x > 1e-3, xp.where(x > radius, xp.zeros_like(x), value), xp.ones_like(x))

    return float(radius), kernel


def _gaussian(x: Any) -> Any:
    return xp.where(x < 1.5, xp.exp(x * x * np.float32(-2)), xp.zeros_like(x))  # sigma is 0.5


def _box(x: Any) -> Any:
    return xp.where(x < 0.5, xp.ones_like(x), xp.where(x == 0.5, xp.ones_like(x) * np.float32(0.5), xp.zeros_like(x)))


def _triangle(x: Any) -> Any:
    return xp.maximum(1 - x, xp.zeros_like(x))


def _keys(x: Any) -> Any:
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return xp.where(x >= 2, xp.zeros_like(x), xp.where(x >= 1, far, near))


def _mitchell(x: Any) -> Any:
    near, far = (7 / 6 * x - 2) * x * x + 8 / 9, ((-7 / 18 * x + 2) * x - 10 / 3) * x + 16 / 9
    return xp.where(x >= 2, xp.zeros_like(x), xp.where(x >= 1, far, near))


#: name -> (radius, function of the distance)
KERNELS: dict[str, Any] = {
    "lanczos1": _lanczos(1), "lanczos3": _lanczos(3), "lanczos5": _lanczos(5), "gaussian": (1.5, _gaussian), "box": (1.0, _box),
    "triangle": (1.0, _triangle), "keyscubic": (2.0, _keys), "mitchellcubic": (2.0, _mitchell),
}  # fmt: skip


def _weights(size: int, out: int, scale: Any, translation: Any, kernel: str, antialias: bool) -> Any:
    """[out, size]: the filter around where each output lies; places outside the image do not count."""
    radius, function = KERNELS[kernel]
    inverse = 1 / scale
    at = (np.arange(out, dtype=np.float32) + np.float32(0.5)) * inverse - inverse * translation
    width = xp.maximum(inverse, xp.ones_like(inverse)) if antialias else xp.ones_like(inverse)
    place = np.arange(size, dtype=np.float32)
    begin, end = xp.ceil(at - radius * width - np.float32(0.5)), xp.floor(at + radius * width - np.float32(0.5))
    inside = (place >= begin[:, None]) & (place <= end[:, None]) & ((at >= 0) & (at <= size))[:, None]
    raw = function(xp.abs((place + np.float32(0.5) - at[:, None]) / width))
    raw = xp.where(inside, raw, xp.zeros_like(raw))
    total = xp.sum(raw, axis=1, keepdims=True)
    enough = xp.abs(total) >= np.float32(1000 * 1.1754944e-38)
    return xp.where(enough, raw / xp.where(enough, total, xp.ones_like(total)), raw)


def _dims(c: Infer) -> Dims:
    x = c.rank(0, 4)
    c.rank(2, 1)
    c.rank(3, 1)
    if c.attrs["kernel_type"] not in KERNELS:
        raise ValueError(f"kernel_type must be one of {', '.join(map(repr, KERNELS))}, got {c.attrs['kernel_type']!r}")
    return (x[0], *with_rank(c.shape_value(1), 2, "size"), x[3])


@op("ScaleAndTranslate", _dims, out="resized_images: float32", static="size", T=BILINEAR)
def scale_and_translate(
    images: T, size: Int32, scale: Float32, translation: Float32, kernel_type: str = "lanczos3", antialias: bool = True, name: str | None = None
) -> Tensor:
    """Resamples images: output pixel p shows what lies at (p - translation) / scale.

    Args:
      images: [batch, height, width, channels], numeric.
      size: the new height and width, int32.
      scale, translation: float32, two numbers each, for rows and columns.
      kernel_type: the filter: "lanczos1", "lanczos3", "lanczos5", "gaussian", "box", "triangle", "keyscubic" or "mitchellcubic".
      antialias: widen the filter where the image shrinks.
      name: a name for the operation.
    """
    height, width = (int(n) for n in size)
    rows = _weights(images.shape[1], height, scale[0], translation[0], kernel_type, antialias)
    columns = _weights(images.shape[2], width, scale[1], translation[1], kernel_type, antialias)
    return xp.einsum("npwc,qw->npqc", xp.einsum("nhwc,ph->npwc", xp.astype(images, np.float32), rows), columns)


@op("ScaleAndTranslateGrad", lambda c: c.rank(1, 4), T=FLOAT32)
def scale_and_translate_grad(
    grads: T, original_image: T, scale: Float32, translation: Float32, kernel_type: str = "lanczos3", antialias: bool = True, name: str | None = None
) -> Tensor:
    """The gradient of `ScaleAndTranslate` with respect to the images."""
    rows = _weights(original_image.shape[1], grads.shape[1], scale[0], translation[0], kernel_type, antialias)
    columns = _weights(original_image.shape[2], grads.shape[2], scale[1], translation[1], kernel_type, antialias)
    return xp.einsum("nhqc,qw->nhwc", xp.einsum("npqc,ph->nhqc", grads, rows), columns)


@grad("ScaleAndTranslate")
def _(op: Operation, dy: Tensor) -> Any:
    x, _, scale, translation = op.inputs
    attrs = {n: op.attrs[n] for n in ("kernel_type", "antialias")}
    if not x.dtype.is_floating:
        return None
    d = scale_and_translate_grad(dy, cast(x, float32), scale, translation, **attrs)
    return cast(d, x.dtype.base_dtype), None, None, None


grad.none("ScaleAndTranslateGrad", "TensorFlow has no second-order gradient of this op")
