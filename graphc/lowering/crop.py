"""Crops of images: the bodies of ir.ops.crop, with positions that XLA rounds as float32 arithmetic does, step by step."""

from typing import Any

import numpy as np
from jax import Array, lax

from graphc.lowering.table import lowers
from ir.ops import crop


def _rounded(x: Any) -> Array:
    """A float64 as float32. By itself a conversion there and back could be dropped, as excess precision."""
    return lax.convert_element_type(lax.reduce_precision(x, 8, 23), np.float32)


def _exact(x: Any) -> Array:
    return lax.convert_element_type(x, np.float64)


def _positions(low: Array, high: Array, size: int, count: int) -> Array:
    """Left alone, XLA fuses multiplications with additions and divides by multiplying."""
    reach = np.float64(size - 1)
    if count == 1:
        return _rounded(_exact(_rounded(_exact(low) + _exact(high))) * (reach * 0.5))[:, None]
    length = _rounded(_exact(_rounded(_exact(high) - _exact(low))) * reach)
    step = _rounded(_exact(length) / np.float64(count - 1))
    start = _rounded(_exact(low) * reach)
    return start[:, None] + _rounded(np.arange(count, dtype=np.float64) * _exact(step)[:, None])


@lowers("CropAndResize")
def crop_and_resize(image: Any, boxes: Any, owner: Any, size: Any, method: str, extrapolation_value: float, name: Any = None) -> Array:
    """Crops of one size."""
    return crop.crops(image, boxes, owner, size, method, extrapolation_value, _positions)


@lowers("CropAndResizeGradImage")
def crop_and_resize_grad_image(grads: Any, boxes: Any, owner: Any, size: Any, kind: Any, method: str, name: Any = None) -> Array:
    """The gradient with respect to the image."""
    return crop.image_gradient(grads, boxes, owner, size, kind.np_dtype, method, _positions)


@lowers("CropAndResizeGradBoxes")
def crop_and_resize_grad_boxes(grads: Any, image: Any, boxes: Any, owner: Any, method: str, name: Any = None) -> Array:
    """The gradient with respect to the boxes."""
    return crop.box_gradient(grads, image, boxes, owner, _positions)
