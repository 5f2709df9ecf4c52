"""Convolutions with padding and resizing built in."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from graphc.lowering.conv import conv2d
from graphc.lowering.table import lowers
from ir.ops.resize import bilinear


@lowers("FusedPadConv2D")
def fused_pad_conv2d(x: Any, paddings: Any, f: Any, mode: str, strides: Any, padding: str, name: Any = None) -> Array:
    """Pads with a mirror image, then convolves."""
    wide = jnp.pad(x, [(int(a), int(b)) for a, b in np.asarray(paddings)], mode=mode.lower())
    return conv2d(wide, f, strides, padding, True, (), "NHWC", (1, 1, 1, 1))


@lowers("FusedResizeAndPadConv2D")
def fused_resize_and_pad_conv2d(
    x: Any, size: Any, paddings: Any, f: Any, mode: str, strides: Any, padding: str, align_corners: bool, name: Any = None
) -> Array:
    """Resizes by linear interpolation, pads with a mirror image, then convolves."""
    return fused_pad_conv2d(bilinear(x, size, align_corners), paddings, f, mode, strides, padding)
