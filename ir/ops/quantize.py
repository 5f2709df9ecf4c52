"""Quantization acted out in floats: values are rounded to the steps that a few bits could hold.

The steps and their zero are TensorFlow's: the given range is shifted a little so that 0 is one of the steps.
"""

from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import grad, op
from ir.dtypes import FLOAT, as_dtype
from ir.infer import Infer, merged, with_rank
from ir.opdef import Float32, In, Int32, T
from ir.shapes import Dims, merge_dims
from ir.tensor import Operation, Tensor

Range = Annotated[Any, In("T")]


def _check_bits(c: Infer) -> None:
    bits = c.attrs["num_bits"]
    if not 2 <= bits <= 16:
        raise ValueError(f"num_bits must be between 2 and 16, inclusive, got {bits}")


def _steps(low: Any, high: Any, num_bits: int, narrow_range: bool) -> tuple[Any, Any, Any]:
    """Returns the range shifted so that 0 is a step, and the size of a step; all 0 of an empty range."""
    first, last = (1.0 if narrow_range else 0.0), 2.0**num_bits - 1
    empty = xp.logical_and(xp.equal(low, 0), xp.equal(high, 0))
    size = xp.where(empty, xp.ones_like(low), (high - low) / np.float32(last - first))
    zero = first - low / size
    zero = xp.floor(xp.minimum(xp.maximum(zero, first), last) + 0.5)
    keep = xp.where(empty, xp.zeros_like(low), xp.ones_like(low))
    return (first - zero) * size * keep, (last - zero) * size * keep, size * keep


def _quantized(x: Any, low: Any, high: Any, num_bits: int, narrow_range: bool) -> Any:
    low, high, size = _steps(low, high, num_bits, narrow_range)
    per_size = xp.where(xp.equal(size, 0), size, 1 / size)
    return xp.floor((xp.minimum(xp.maximum(x, low), high) - low) * per_size + 0.5) * size + low


# -- a range in attributes ---------------------------------------------------------------------------


def _with_range(c: Infer) -> Dims:
    _check_bits(c)
    if c.attrs["min"] >= c.attrs["max"]:
        raise ValueError(f"min has to be smaller than max, was: {c.attrs['min']} >= {c.attrs['max']}")
    return merged(c)


@op("FakeQuantWithMinMaxArgs", _with_range, out="outputs: float32", api="fake_quant_with_min_max_args")
def fake_quant_with_min_max_args(
    inputs: Float32, min: float = -6, max: float = 6, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Tensor:  # fmt: skip
    """Rounds `inputs` to the 2 ** `num_bits` steps between `min` and `max`, and clamps them to these.

    Args:
      inputs: a float32 tensor.
      min: the least number wanted.
      max: the largest.
      num_bits: 2 to 16.
      narrow_range: leave out the first step, so that the others are symmetric.
      name: a name for the operation.
    """
    return _quantized(inputs, np.asarray(min, np.float32), np.asarray(max, np.float32), num_bits, narrow_range)


@grad("FakeQuantWithMinMaxArgs")
def _(op: Operation, dy: Tensor) -> Any:
    a = op.attrs
    return fake_quant_with_min_max_args_gradient(dy, op.inputs[0], a["min"], a["max"], a["num_bits"], a["narrow_range"])


@op("FakeQuantWithMinMaxArgsGradient", _with_range, out="backprops: float32", api="fake_quant_with_min_max_args_gradient")
def fake_quant_with_min_max_args_gradient(
    gradients: Float32, inputs: Float32, min: float = -6, max: float = 6, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Tensor:  # fmt: skip
    """Returns `gradients` where `inputs` lie in the range of the steps, else 0."""
    low, high, _ = _steps(np.asarray(min, np.float32), np.asarray(max, np.float32), num_bits, narrow_range)
    return xp.where(xp.logical_and(xp.greater_equal(inputs, low), xp.less_equal(inputs, high)), gradients, xp.zeros_like(gradients))


# -- a range in tensors ------------------------------------------------------------------------------


def _with_scalars(c: Infer) -> Dims:
    _check_bits(c)
    with_rank(c.dims(1), 0, "min")
    with_rank(c.dims(2), 0, "max")
    return c.dims(0)


@op("FakeQuantWithMinMaxVars", _with_scalars, out="outputs: float32", api="fake_quant_with_min_max_vars")
def fake_quant_with_min_max_vars(
    inputs: Float32, min: Float32, max: Float32, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Tensor:  # fmt: skip
    """Rounds `inputs` to the 2 ** `num_bits` steps between the scalars `min` and `max`, and clamps them to these.

    The gradient passes where `inputs` lie in the range; what falls outside goes to `min` and `max`, which can be trained.
    `num_bits` (2 to 16) and `narrow_range` as in `fake_quant_with_min_max_args`.
    """
    return _quantized(inputs, min, max, num_bits, narrow_range)


@grad("FakeQuantWithMinMaxVars")
def _(op: Operation, dy: Tensor) -> Any:
    x, low, high = op.inputs
    return fake_quant_with_min_max_vars_gradient(dy, x, low, high, op.attrs["num_bits"], op.attrs["narrow_range"])


def _with_channels(c: Infer) -> Dims:
    _check_bits(c)
    channels = merge_dims(with_rank(c.dims(1), 1, "min"), with_rank(c.dims(2), 1, "max"))
    dims = c.rank_at_least(0, 1)
    return None if dims is None else dims[:-1] + (merge_dims(dims[-1:], channels) or ())


@op("FakeQuantWithMinMaxVarsPerChannel", _with_channels, out="outputs: float32", api="fake_quant_with_min_max_vars_per_channel")
def fake_quant_with_min_max_vars_per_channel(
    inputs: Float32, min: Float32, max: Float32, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Tensor:  # fmt: skip
    """`fake_quant_with_min_max_vars` with a range for each index of the last dimension, which `min` and `max` are as long as."""
    return _quantized(inputs, min, max, num_bits, narrow_range)


@grad("FakeQuantWithMinMaxVarsPerChannel")
def _(op: Operation, dy: Tensor) -> Any:
    x, low, high = op.inputs
    return fake_quant_with_min_max_vars_per_channel_gradient(dy, x, low, high, op.attrs["num_bits"], op.attrs["narrow_range"])


GRADIENTS = "backprops_wrt_input: float32, backprop_wrt_min: float32, backprop_wrt_max: float32"


def _gradients(dy: Any, x: Any, low: Any, high: Any, num_bits: int, narrow_range: bool, axes: tuple[int, ...]) -> tuple[Any, Any, Any]:
    low, high, _ = _steps(low, high, num_bits, narrow_range)
    none = xp.zeros_like(dy)
    below, above = xp.less(x, low), xp.greater(x, high)
    empty = xp.equal(low, high)
    outside = xp.logical_and(xp.logical_or(below, above), xp.logical_not(empty))
    return (
        xp.where(outside, none, dy),
        xp.sum(xp.where(xp.logical_and(below, outside), dy, none), axis=axes),
        xp.sum(xp.where(xp.logical_and(above, outside), dy, none), axis=axes),
    )


def _one_range(c: Infer) -> list[Dims]:
    return [merge_dims(c.dims(0), c.dims(1)), (), ()]


@op("FakeQuantWithMinMaxVarsGradient", _one_range, out=GRADIENTS, api="fake_quant_with_min_max_vars_gradient")
def fake_quant_with_min_max_vars_gradient(
    gradients: Float32, inputs: Float32, min: Float32, max: Float32, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Any:  # fmt: skip
    """Returns the gradients of `fake_quant_with_min_max_vars` with respect to `inputs`, `min` and `max`."""
    return _gradients(gradients, inputs, min, max, num_bits, narrow_range, tuple(range(gradients.ndim)))


def _range_per_channel(c: Infer) -> list[Dims]:
    return [merge_dims(c.dims(0), c.dims(1)), c.dims(2), c.dims(3)]


@op("FakeQuantWithMinMaxVarsPerChannelGradient", _range_per_channel, out=GRADIENTS, api="fake_quant_with_min_max_vars_per_channel_gradient")
def fake_quant_with_min_max_vars_per_channel_gradient(
    gradients: Float32, inputs: Float32, min: Float32, max: Float32, num_bits: int = 8, narrow_range: bool = False, name: str | None = None
) -> Any:  # fmt: skip
    """Returns the gradients of `fake_quant_with_min_max_vars_per_channel` with respect to `inputs`, `min` and `max`."""
    return _gradients(gradients, inputs, min, max, num_bits, narrow_range, tuple(range(gradients.ndim - 1)))


grad.none(
    "FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVarsGradient FakeQuantWithMinMaxVarsPerChannelGradient",
    "TensorFlow has no second derivative of a rounding either",
)


# -- there and back ----------------------------------------------------------------------------------


def _there_and_back(x: Any, low: Any, high: Any, num_bits: int, signed: bool, narrow: bool, clamp: bool, half_up: bool) -> Any:
    """Rounds `x` to multiples of the step with which both ends of the range fit the integers; 0 stays 0."""
    first = float(-(2 ** (num_bits - 1)) + narrow) if signed else float(narrow)
    last = float(2 ** (num_bits - 1) - 1) if signed else float(2**num_bits - 1)
    huge = np.asarray(as_dtype(x.dtype).max, x.dtype)
    by_low = xp.where(xp.greater(first * low, 0), first / low, huge)
    by_high = xp.where(xp.greater(last * high, 0), last / high, huge)
    low_decides = xp.less(by_low, by_high)
    scale = xp.where(low_decides, by_low, by_high)
    step = xp.where(low_decides, low / (first or 1.0), high / last)
    if clamp:
        x = xp.maximum(xp.minimum(x, xp.where(low_decides, last * step, high)), xp.where(low_decides, low, first * step))
    return (xp.floor(x * scale + 0.5) if half_up else xp.rint(x * scale)) * step


def _range_of(x: Any, low: Any, high: Any, given: bool) -> tuple[Any, Any]:
    return (low, high) if given else (xp.min(x), xp.max(x))


def _with_bounds(c: Infer) -> Dims:
    if c.attrs["range_given"]:
        with_rank(c.dims(1), 0, "input_min")
        with_rank(c.dims(2), 0, "input_max")
    return c.dims(0)


@op("QuantizeAndDequantizeV2", _with_bounds, out="output: T", T=FLOAT, round_mode=("HALF_TO_EVEN", "HALF_UP"))
def quantize_and_dequantize_v2(
    input: T, input_min: Range, input_max: Range, signed_input: bool = True, num_bits: int = 8, range_given: bool = False,
    round_mode: str = "HALF_TO_EVEN", narrow_range: bool = False, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Rounds `input` to the multiples of the step that a signed or unsigned integer of `num_bits` bits would need.

    The range is [input_min, input_max] when `range_given` (and `input` is clamped to it), else that of `input`.
    """
    low, high = _range_of(input, input_min, input_max, range_given)
    return _there_and_back(input, low, high, num_bits, signed_input, narrow_range, range_given, round_mode == "HALF_UP")


@op("QuantizeAndDequantizeV3", _with_bounds, out="output: T", T=FLOAT, static="num_bits")
def quantize_and_dequantize_v3(
    input: T, input_min: Range, input_max: Range, num_bits: Int32, signed_input: bool = True, range_given: bool = True,
    narrow_range: bool = False, name: str | None = None,
) -> Tensor:  # fmt: skip
    """`QuantizeAndDequantizeV2` with the number of bits in a tensor."""
    low, high = _range_of(input, input_min, input_max, range_given)
    return _there_and_back(input, low, high, int(num_bits), signed_input, narrow_range, range_given, False)


@grad("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3")
def _(op: Operation, dy: Tensor) -> Any:
    return [dy] + [None] * (len(op.inputs) - 1)  # straight through, as if nothing had been rounded
