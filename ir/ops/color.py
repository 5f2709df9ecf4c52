"""Colours: RGB and HSV, and adjustments of contrast, hue and saturation as ops."""

from typing import Any

import numpy as np

from ir import xp
from ir.build import grad, op
from ir.dtypes import FLOAT, TypeSet, float32
from ir.infer import Infer
from ir.opdef import Float32, T
from ir.ops.cast import cast
from ir.ops.compare import greater, greater_equal, logical_and
from ir.ops.layout import ones_like, zeros_like
from ir.ops.packing import stack
from ir.ops.select import where
from ir.shapes import Dims, shape_str
from ir.tensor import Operation, Tensor

HALF_FLOAT = TypeSet("float16 float32").default_to(float32)


def _last_is_3(c: Infer) -> Dims:
    dims = c.rank_at_least(0, 1)
    if dims is not None and dims[-1] not in (3, None):
        raise ValueError(f"the last dimension must have size 3, got shape {shape_str(dims)}")
    return None if dims is None else (*dims[:-1], 3)


def _hsv(r: Any, g: Any, b: Any) -> tuple[Any, Any, Any]:
    """Hue in [0, 1), saturation and value."""
    one = np.asarray(1, r.dtype)
    value = xp.maximum(xp.maximum(r, g), b)
    spread = value - xp.minimum(xp.minimum(r, g), b)
    saturation = xp.where(value > 0, spread / xp.where(value > 0, value, one), np.asarray(0, r.dtype))
    unit = one / (6 * xp.where(spread > 0, spread, one))
    hue = xp.where(r == value, unit * (g - b), xp.where(g == value, unit * (b - r) + one / 3, unit * (r - g) + one * 2 / 3))
    hue = xp.where(spread > 0, hue, np.asarray(0, r.dtype))
    return xp.where(hue < 0, hue + one, hue), saturation, value


def _rgb(h: Any, s: Any, v: Any) -> list[Any]:
    """Red, green and blue, by distance of the hue from each colour's own."""
    zero, one = np.asarray(0, h.dtype), np.asarray(1, h.dtype)
    dh = h * 6
    parts = [xp.abs(dh - 3) - 1, 2 - xp.abs(dh - 2), 2 - xp.abs(dh - 4)]
    return [(one - s + s * xp.minimum(xp.maximum(p, zero), one)) * v for p in parts]


def _wide(x: Any) -> Any:
    return xp.astype(x, np.float32) if x.dtype.itemsize == 2 else x


@op("RGBToHSV", _last_is_3, T=FLOAT.default_to(float32), api="image.rgb_to_hsv")
def rgb_to_hsv(images: T, name: str | None = None) -> Tensor:
    """Converts colours from red, green, blue in [0, 1] to hue, saturation, value in [0, 1].

    Args:
      images: a float tensor whose last dimension has size 3.
      name: a name for the operation.

    Hue is 0 for grey.
    """
    x = _wide(images)
    return xp.astype(xp.stack(list(_hsv(x[..., 0], x[..., 1], x[..., 2])), axis=-1), images.dtype)


@op("HSVToRGB", _last_is_3, T=FLOAT.default_to(float32), api="image.hsv_to_rgb")
def hsv_to_rgb(images: T, name: str | None = None) -> Tensor:
    """Converts colours from hue, saturation, value in [0, 1] to red, green, blue in [0, 1].

    Args:
      images: a float tensor whose last dimension has size 3.
      name: a name for the operation.
    """
    x = _wide(images)
    return xp.astype(xp.stack(_rgb(x[..., 0], x[..., 1], x[..., 2]), axis=-1), images.dtype)


@grad("RGBToHSV")
def _(op: Operation, dy: Tensor) -> Any:
    """Where two colours are equally large, red comes before green before blue; grey has no gradient of hue and saturation."""
    x = op.inputs[0]
    kind = x.dtype.base_dtype
    r, g, b = x[..., 0], x[..., 1], x[..., 2]
    s, v = op.outputs[0][..., 1], op.outputs[0][..., 2]

    def mask(*conditions: Tensor) -> Tensor:
        both = conditions[0]
        for other in conditions[1:]:
            both = logical_and(both, other)
        return cast(both, kind)

    def safe(x: Tensor) -> tuple[Tensor, Tensor]:
        """1 / x where x is positive, and that mask."""
        positive = greater(x, zeros_like(x))
        return where(positive, 1 / where(positive, x, ones_like(x)), zeros_like(x)), cast(positive, kind)

    largest = [mask(greater_equal(r, g), greater_equal(r, b)), mask(greater(g, r), greater_equal(g, b)), mask(greater(b, r), greater(b, g))]
    smallest = [mask(greater(g, r), greater(b, r)), mask(greater_equal(r, g), greater(b, g)), mask(greater_equal(r, b), greater_equal(g, b))]
    over_v, _ = safe(v)
    spread = s * v
    over_spread, coloured = safe(spread)
    dh, ds, dv = dy[..., 0], dy[..., 1], dy[..., 2]
    # s = spread / v and h = (next - previous) / (6 spread) + a constant, per largest colour
    across = sum_of(largest, [g - b, b - r, r - g])
    parts: list[Tensor] = []
    for i in range(3):
        d_spread = largest[i] - smallest[i]
        d_across = largest[i - 1] - largest[i - 2]
        d_s = (d_spread - s * largest[i]) * over_v * coloured
        d_h = (d_across - across * d_spread * over_spread) * over_spread / 6
        parts.append(dv * largest[i] + ds * d_s + dh * d_h)
    return stack(parts, axis=-1)


def sum_of(masks: list[Tensor], values: list[Tensor]) -> Tensor:
    """Returns the sum of products."""
    return masks[0] * values[0] + masks[1] * values[1] + masks[2] * values[2]


grad.none("HSVToRGB", "TensorFlow declares that there is none")


# -- adjustments -------------------------------------------------------------------------------------


def _images(c: Infer) -> Dims:
    return c.rank_at_least(0, 3)


@op("AdjustContrastv2", _images, T=HALF_FLOAT)
def adjust_contrast_v2(images: T, contrast_factor: Float32, name: str | None = None) -> Tensor:
    """Scales the distance of each pixel from the mean of its image and channel."""
    x = _wide(images)
    mean = xp.mean(x, axis=(-3, -2), keepdims=True)
    return xp.astype((x - mean) * contrast_factor + mean, images.dtype)


@op("AdjustContrast", _images, out="output: float32", T=TypeSet("uint8 int8 int16 int32 int64 float32 float64"))
def adjust_contrast_v1(images: T, contrast_factor: Float32, min_value: Float32, max_value: Float32, name: str | None = None) -> Tensor:
    """`AdjustContrastv2` of older graphs, limited to [min_value, max_value]."""
    x = xp.astype(images, np.float32)
    mean = xp.mean(x, axis=(-3, -2), keepdims=True)
    return xp.minimum(xp.maximum((x - mean) * contrast_factor + mean, min_value), max_value)


def _coloured(c: Infer) -> Dims:
    c.rank_at_least(0, 3)
    return _last_is_3(c)


@op("AdjustHue", _coloured, T=HALF_FLOAT)
def adjust_hue(images: T, delta: Float32, name: str | None = None) -> Tensor:
    """Turns the hue of RGB images by `delta`, whose whole turn is 1."""
    x = _wide(images)
    h, s, v = _hsv(x[..., 0], x[..., 1], x[..., 2])
    h = h + delta
    return xp.astype(xp.stack(_rgb(h - xp.floor(h), s, v), axis=-1), images.dtype)


@op("AdjustSaturation", _coloured, T=HALF_FLOAT)
def adjust_saturation(images: T, scale: Float32, name: str | None = None) -> Tensor:
    """Scales the saturation of RGB images, up to 1."""
    x = _wide(images)
    h, s, v = _hsv(x[..., 0], x[..., 1], x[..., 2])
    s = xp.minimum(xp.maximum(s * scale, np.float32(0)), np.float32(1))
    return xp.astype(xp.stack(_rgb(h, s, v), axis=-1), images.dtype)


grad.none("AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation", "TensorFlow has no gradients of these ops")

