"""Grayscale dilation and erosion of images."""

from typing import Any

from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import REAL
from ir.infer import Infer
from ir.opdef import Ints, T
from ir.ops.elementwise import negative
from ir.ops.padding import reverse
from ir.ops.windows import PADDINGS, alias, check_length, check_positive, output_size
from ir.shapes import Dims, merge_dims, shape_str
from ir.tensor import Operation, Tensor


def _dilated_dims(c: Infer) -> tuple[int | None, ...]:
    x, f = c.rank(0, 4), c.rank(1, 3)
    strides, rates = c.attrs["strides"], c.attrs["rates"]
    for what, values in (("strides", strides), ("rates", rates)):
        check_length(what, values, 4)
        check_positive(what, values)
        if values[0] != 1 or values[3] != 1:
            raise ValueError(f"{what} in the batch and depth dimensions must be 1, got {list(values)}")
    if x[3] is not None and f[2] is not None and x[3] != f[2]:
        raise ValueError(f"Dimensions must be equal, but are {x[3]} and {f[2]}: the channels of input {shape_str(x)} and of filter {shape_str(f)}")
    space = [output_size(x[i], f[i - 1], strides[i], c.attrs["padding"], rates[i]) for i in (1, 2)]
    return (x[0], *space, f[2] if x[3] is None else x[3])


@op("Dilation2D", _dilated_dims, T=REAL, padding=PADDINGS, strides=4, rates=4)
def _dilation2d(input: T, filter: T, strides: Ints, rates: Ints, padding: str, name: str | None = None) -> Tensor:
    """The maximum over each window of `input` plus `filter`."""
    ...


def _checked_like(index: int) -> Any:
    def shape_fn(c: Infer) -> Dims:
        merge_dims(_dilated_dims(c), c.dims(2))
        return c.dims(index)

    return shape_fn


@op("Dilation2DBackpropInput", _checked_like(0), out="in_backprop: T", T=REAL, padding=PADDINGS, strides=4, rates=4)
def _dilation2d_backprop_input(input: T, filter: T, out_backprop: T, strides: Ints, rates: Ints, padding: str, name: str | None = None) -> Tensor:
    """Adds each entry of `out_backprop` to the place its window's maximum comes from, the first among equals."""
    ...


@op("Dilation2DBackpropFilter", _checked_like(1), out="filter_backprop: T", T=REAL, padding=PADDINGS, strides=4, rates=4)
def _dilation2d_backprop_filter(input: T, filter: T, out_backprop: T, strides: Ints, rates: Ints, padding: str, name: str | None = None) -> Tensor:
    """Adds each entry of `out_backprop` to the filter's tap its window's maximum comes from, the first among equals."""
    ...


@grad("Dilation2D")
def _(op: Operation, dy: Tensor) -> Any:
    attrs = {n: op.attrs[n] for n in ("strides", "rates", "padding")}
    x, f = op.inputs
    return _dilation2d_backprop_input(x, f, dy, **attrs), _dilation2d_backprop_filter(x, f, dy, **attrs)


grad.none("Dilation2DBackpropInput Dilation2DBackpropFilter", "TensorFlow has no second-order gradient of dilation")


@export("nn.dilation2d")
def dilation2d(
    input: Any, filter: Any = None, strides: Any = None, rates: Any = None, padding: Any = None, name: str | None = None, filters: Any = None,
    dilations: Any = None,
) -> Tensor:  # fmt: skip
    """Computes the grayscale dilation of images: the maximum over each window of the image plus the filter.

    Args:
      input: [batch, height, width, channels], real.
      filter: [height, width, channels], of the same type; `filters` is the same.
      strides: 4 integers, [1, vertical, horizontal, 1].
      rates: 4 integers, the spacing of the filter's taps; `dilations` is the same.
      padding: "SAME" or "VALID"; padding never wins.
      name: a name for the operation.
    """
    filter = alias("filters", filters, "filter", filter)
    return _dilation2d(input, filter, strides, alias("dilations", dilations, "rates", rates), padding, name=name)


@export("nn.erosion2d")
def erosion2d(value: Any, kernel: Any, strides: Any, rates: Any, padding: Any, name: str | None = None) -> Tensor:
    """Computes the grayscale erosion of images: the minimum over each window of the image less the kernel.

    Args:
      value: [batch, height, width, channels], real.
      kernel: [height, width, channels], of the same type.
      strides: 4 integers, [1, vertical, horizontal, 1].
      rates: 4 integers, the spacing of the kernel's taps.
      padding: "SAME" or "VALID".
      name: a name for the operation.
    """
    with get_default_graph().name_scope(name or "erosion2d") as scope:
        # erosion is the dilation of the negated image by the mirrored kernel
        flipped = _dilation2d(negative(convert_to_tensor(value)), reverse(kernel, [0, 1]), strides, rates, padding, name=scope)
        return negative(flipped)
