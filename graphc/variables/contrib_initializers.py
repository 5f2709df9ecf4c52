"""The initializers of `tf.contrib.layers`, which differ from those of `tf.initializers` in their defaults and in how they cut normal deviates off."""

import math
from collections.abc import Callable
from typing import Any

from ir.build import export
from ir.dtypes import as_dtype, float32
from ir.ops.random import random_uniform, truncated_normal
from ir.shapes import TensorShape
from ir.tensor import Tensor

_MODES = ("FAN_IN", "FAN_OUT", "FAN_AVG")


@export("contrib.layers.variance_scaling_initializer")
def variance_scaling_initializer(
    factor: float = 2.0, mode: str = "FAN_IN", uniform: bool = False, seed: int | None = None, dtype: Any = float32
) -> Callable[..., Tensor]:
    """Returns an initializer with numbers of variance `factor` / n.

    Args:
      factor: the numerator.
      mode: what n counts: "FAN_IN" the inputs of a unit, "FAN_OUT" its outputs, "FAN_AVG" their mean.
      uniform: draw uniform numbers, not truncated normal deviates.
      seed: makes the stream the same in every Session (see `set_random_seed`).
      dtype: a floating point type.

    Raises TypeError for another type or mode.
    """
    if not as_dtype(dtype).is_floating:
        raise TypeError("Cannot create initializer for non-floating point type.")
    if mode not in _MODES:
        raise TypeError(f"Unknown mode {mode} [{'|'.join(_MODES)}]")

    def initializer(shape: Any, dtype: Any = dtype, partition_info: Any = None) -> Tensor:
        """Returns random numbers of `shape`."""
        if not as_dtype(dtype).is_floating:
            raise TypeError("Cannot create initializer for non-floating point type.")
        sizes: list[Any] = shape.as_list() if isinstance(shape, TensorShape) else [int(d) for d in shape]
        field = math.prod(sizes[:-2])
        inputs, outputs = (sizes[-2:][0] * field, sizes[-1] * field) if sizes else (1, 1)
        n = {"FAN_IN": inputs, "FAN_OUT": outputs, "FAN_AVG": (inputs + outputs) / 2.0}[mode]
        if uniform:
            limit = math.sqrt(3.0 * factor / n)
            return random_uniform(shape, -limit, limit, dtype, seed=seed)
        return truncated_normal(shape, 0.0, math.sqrt(1.3 * factor / n), dtype, seed=seed)

    return initializer


@export("contrib.layers.xavier_initializer contrib.layers.xavier_initializer_conv2d")
def xavier_initializer(uniform: bool = True, seed: int | None = None, dtype: Any = float32) -> Callable[..., Tensor]:
    """Returns an initializer that keeps the scale of gradients about the same in all layers: X. Glorot and Y. Bengio (2010)."""
    return variance_scaling_initializer(1.0, "FAN_AVG", uniform, seed, dtype)
