"""Convolutions in two and three dimensions, their backward ops, and bias addition.

Arrays are "NHWC" / "NDHWC" or "NCHW" / "NCDHW"; filters are always [height, width, in, out]. What TF1 composes of
these (`tf.nn.convolution`, separable and atrous convolutions) is in `ir.ops.convolution`.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from ir import xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import FLOAT, INDEX, NUMBER, TypeSet, int32
from ir.infer import Infer, with_rank
from ir.opdef import In, Int32, Ints, T
from ir.ops.layout import shape, zeros_like
from ir.ops.windows import (
    FORMATS_2D,
    FORMATS_3D,
    PADDINGS,
    PADDINGS_2D,
    alias,
    channel_axis,
    check_length,
    check_positive,
    output_size,
    padding_attrs,
    per_dimension,
    spatial_axes,
)  # fmt: skip
from ir.shapes import Dims, compatible, shape_str
from ir.tensor import Operation, Tensor

FLOAT_NO_BFLOAT = TypeSet("float16 float32 float64")
ONES_4 = (1, 1, 1, 1)
ONES_5 = (1, 1, 1, 1, 1)


# -- bias --------------------------------------------------------------------------------------------


def _bias_dims(c: Infer) -> Dims:
    value = c.rank_at_least(0, 2)
    (size,) = c.rank(1, 1)
    if value is None:
        return None
    axis = channel_axis(c.attrs.get("data_format", "NHWC"), len(value))
    if not compatible((value[axis],), (size,)):
        raise ValueError(f"Dimensions must be equal, but are {value[axis]} and {size}: the channels of value {shape_str(value)} and the bias")
    return (*value[:axis], size if value[axis] is None else value[axis], *value[axis + 1 :])


def _spread(bias: Any, rank: int, data_format: str) -> Any:
    axis = channel_axis(data_format, rank)
    return xp.reshape(bias, [-1 if i == axis else 1 for i in range(rank)])


@op("BiasAdd", _bias_dims, T=NUMBER, data_format=FORMATS_2D)
def _bias_add(value: T, bias: T, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """Adds a vector along the channels of `value`: the last dimension, or the second for "NCHW"."""
    return xp.add(value, _spread(bias, value.ndim, data_format))


@op("BiasAddV1", _bias_dims, T=NUMBER)
def bias_add_v1(value: T, bias: T, name: str | None = None) -> Tensor:
    """Adds a vector along the last dimension of `value`."""
    return xp.add(value, bias)


def _bias_grad_dims(c: Infer) -> Dims:
    value = c.rank_at_least(0, 2)
    return (None,) if value is None else (value[channel_axis(c.attrs["data_format"], len(value))],)


@op("BiasAddGrad", _bias_grad_dims, T=NUMBER, data_format=FORMATS_2D)
def bias_add_grad(out_backprop: T, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """Sums over every dimension but the channels: the gradient of `BiasAdd` with respect to the bias."""
    kept = channel_axis(data_format, out_backprop.ndim)
    return xp.sum(out_backprop, axis=tuple(i for i in range(out_backprop.ndim) if i != kept), dtype=out_backprop.dtype)


@grad("BiasAdd", "BiasAddV1")
def _(op: Operation, dy: Tensor) -> Any:
    return dy, bias_add_grad(dy, op.attrs.get("data_format", "NHWC"))


@grad("BiasAddGrad")
def _(op: Operation, dy: Tensor) -> Any:
    return _bias_add(zeros_like(op.inputs[0]), dy, op.attrs["data_format"])


@export("nn.bias_add")
def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Tensor:
    """Adds `bias` to `value` along its channels.

    Args:
      value: a tensor of rank 2 or more.
      bias: a vector as long as the channel dimension of `value`, of the same type.
      data_format: "N...C" (the default) or "NC...": where the channels are.
      name: a name for the operation.

    Raises ValueError when the sizes differ or the format is neither.
    """
    if data_format is None or (data_format.startswith("N") and data_format.endswith("C")):
        layout = "NHWC"
    elif data_format.startswith("NC"):
        layout = "NCHW"
    else:
        raise ValueError(f"data_format must be of the form `N...C` or `NC...`, got {data_format!r}")
    with get_default_graph().name_scope(name or "BiasAdd") as scope:
        value = convert_to_tensor(value, name="input")
        bias = convert_to_tensor(bias, dtype=value.dtype.base_dtype, name="bias")
        return _bias_add(value, bias, layout, name=scope)


# -- shapes of convolutions --------------------------------------------------------------------------


def _check_window_attrs(c: Infer, rank: int) -> None:
    data_format = c.attrs.get("data_format", "NHWC")
    for what in ("strides", "dilations"):
        values = c.attrs[what]
        check_length(what, values, rank)
        check_positive(what, values)
        if values[0] != 1 or values[channel_axis(data_format, rank)] != 1:
            raise ValueError(f"{what} in the batch and depth dimensions must be 1, got {list(values)}")
    if c.attrs["padding"] == "EXPLICIT":
        check_length("explicit_paddings", c.attrs["explicit_paddings"], 2 * rank)
        if any(p < 0 for p in c.attrs["explicit_paddings"]):
            raise ValueError(f"explicit_paddings must be nonnegative, got {list(c.attrs['explicit_paddings'])}")
    elif c.attrs.get("explicit_paddings"):
        raise ValueError("explicit_paddings must be empty unless padding is 'EXPLICIT'")


def _conv_dims(rank: int, depthwise: bool = False) -> Any:
    def shape_fn(c: Infer) -> Dims:
        _check_window_attrs(c, rank)
        x, f = c.rank(0, rank), c.rank(1, rank)
        data_format = c.attrs["data_format"]
        channel = channel_axis(data_format, rank)
        depth = x[channel]
        if depth is not None and f[-2] is not None and (depth != f[-2] if depthwise else f[-2] == 0 or depth % f[-2]):
            raise ValueError(f"Dimensions must be equal, but are {depth} and {f[-2]}: the channels of input {shape_str(x)} and of filter {shape_str(f)}")
        out: list[int | None] = list(x)
        out[channel] = f[-1]
        if depthwise:
            inner = depth if depth is not None else f[-2]
            out[channel] = None if inner is None or f[-1] is None else inner * f[-1]
        explicit = c.attrs.get("explicit_paddings") or (0,) * (2 * rank)
        for i, axis in enumerate(spatial_axes(data_format, rank)):
            pads = (explicit[2 * axis], explicit[2 * axis + 1])
            out[axis] = output_size(x[axis], f[i], c.attrs["strides"][axis], c.attrs["padding"], c.attrs["dilations"][axis], pads)
        return tuple(out)

    return shape_fn


def _from_sizes(index: int, rank: int) -> Any:
    def shape_fn(c: Infer) -> Dims:
        _check_window_attrs(c, rank)
        return with_rank(c.shape_value(index), rank, c.input_name(index))

    return shape_fn


def _like(index: int, rank: int) -> Any:
    def shape_fn(c: Infer) -> Dims:
        _check_window_attrs(c, rank)
        return c.rank(index, rank)

    return shape_fn


# -- two dimensions ----------------------------------------------------------------------------------


@op("Conv2D", _conv_dims(4), T=FLOAT, padding=PADDINGS_2D, data_format=FORMATS_2D)
def _conv2d(
    input: T, filter: T, strides: Ints, padding: str, use_cudnn_on_gpu: bool = True, explicit_paddings: Ints = (), data_format: str = "NHWC",
    dilations: Ints = ONES_4, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Correlates `input` with `filter` over two dimensions."""
    ...


@op("Conv2DBackpropInput", _from_sizes(0, 4), out="output: T", static="input_sizes", T=FLOAT, padding=PADDINGS_2D, data_format=FORMATS_2D)
def _conv2d_backprop_input(
    input_sizes: Int32, filter: T, out_backprop: T, strides: Ints, padding: str, use_cudnn_on_gpu: bool = True, explicit_paddings: Ints = (),
    data_format: str = "NHWC", dilations: Ints = ONES_4, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The gradient of `Conv2D` with respect to its input, which has shape `input_sizes`."""
    ...


@op("Conv2DBackpropFilter", _from_sizes(1, 4), static="filter_sizes", T=FLOAT, padding=PADDINGS_2D, data_format=FORMATS_2D)
def _conv2d_backprop_filter(
    input: T, filter_sizes: Int32, out_backprop: T, strides: Ints, padding: str, use_cudnn_on_gpu: bool = True, explicit_paddings: Ints = (),
    data_format: str = "NHWC", dilations: Ints = ONES_4, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The gradient of `Conv2D` with respect to its filter, which has shape `filter_sizes`."""
    ...


def _window_attrs(op: Operation) -> dict[str, Any]:
    names = ("strides", "padding", "use_cudnn_on_gpu", "explicit_paddings", "data_format", "dilations")
    return {n: op.attrs[n] for n in names if n in op.attrs}


@grad("Conv2D")
def _(op: Operation, dy: Tensor) -> Any:
    x, f = op.inputs
    attrs = _window_attrs(op)
    return _conv2d_backprop_input(shape(x), f, dy, **attrs), _conv2d_backprop_filter(x, shape(f), dy, **attrs)


@grad("Conv2DBackpropInput")
def _(op: Operation, dy: Tensor) -> Any:
    _, f, out_backprop = op.inputs
    attrs = _window_attrs(op)
    return None, _conv2d_backprop_filter(dy, shape(f), out_backprop, **attrs), _conv2d(dy, f, **attrs)


@grad("Conv2DBackpropFilter")
def _(op: Operation, dy: Tensor) -> Any:
    x, _, out_backprop = op.inputs
    attrs = _window_attrs(op)
    return _conv2d_backprop_input(shape(x), dy, out_backprop, **attrs), None, _conv2d(x, dy, **attrs)


@export("nn.conv2d")
def conv2d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = None, use_cudnn_on_gpu: bool = True, data_format: str = "NHWC",
    dilations: Any = ONES_4, name: str | None = None, filters: Any = None,
) -> Tensor:  # fmt: skip
    """Computes a 2-D convolution (without flipping the filter) of a batch of images.

    Args:
      input: [batch, height, width, in] for "NHWC", [batch, in, height, width] for "NCHW"; a float type.
      filter: [height, width, in / groups, out], of the same type; `filters` is the same.
      strides: an integer, or a list of 1, 2 or 4 integers.
      padding: "SAME", "VALID", or a list of (before, after) per dimension of `input`.
      use_cudnn_on_gpu: accepted for TensorFlow's sake.
      data_format: "NHWC" or "NCHW".
      dilations: like `strides`, the spacing of the filter's taps.
      name: a name for the operation.

    Returns a tensor in the format of `input`. Raises ValueError when the channels do not fit.
    """
    filter = alias("filters", filters, "filter", filter)
    padding, explicit = padding_attrs(padding)
    data_format = data_format or "NHWC"
    strides = per_dimension(strides, 2, data_format, "strides")
    dilations = per_dimension(dilations, 2, data_format, "dilations")
    return _conv2d(input, filter, strides, padding, use_cudnn_on_gpu, explicit, data_format, dilations, name=name)


@export("nn.conv2d_backprop_input")
def conv2d_backprop_input(
    input_sizes: Any, filter: Any = None, out_backprop: Any = None, strides: Any = None, padding: Any = None, use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC", dilations: Any = ONES_4, name: str | None = None, filters: Any = None,
) -> Tensor:  # fmt: skip
    """Computes the gradient of `conv2d` with respect to its input.

    Args:
      input_sizes: int32 vector, the shape of the input.
      filter: [height, width, in, out]; `filters` is the same.
      out_backprop: the gradient of the output.
      strides, padding, use_cudnn_on_gpu, data_format, dilations: those of the convolution, one entry per dimension.
      name: a name for the operation.
    """
    filter = alias("filters", filters, "filter", filter)
    padding, explicit = padding_attrs(padding)
    return _conv2d_backprop_input(input_sizes, filter, out_backprop, strides, padding, use_cudnn_on_gpu, explicit, data_format, dilations, name=name)


@export("nn.conv2d_backprop_filter")
def conv2d_backprop_filter(
    input: Any, filter_sizes: Any, out_backprop: Any, strides: Any, padding: Any, use_cudnn_on_gpu: bool = True, data_format: str = "NHWC",
    dilations: Any = ONES_4, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Computes the gradient of `conv2d` with respect to its filter.

    Args:
      input: the input of the convolution.
      filter_sizes: int32 vector, the shape of the filter.
      out_backprop: the gradient of the output.
      strides, padding, use_cudnn_on_gpu, data_format, dilations: those of the convolution, one entry per dimension.
      name: a name for the operation.
    """
    padding, explicit = padding_attrs(padding)
    return _conv2d_backprop_filter(input, filter_sizes, out_backprop, strides, padding, use_cudnn_on_gpu, explicit, data_format, dilations, name=name)


@export("nn.conv2d_transpose")
def conv2d_transpose(
    value: Any = None, filter: Any = None, output_shape: Any = None, strides: Any = None, padding: Any = "SAME", data_format: str = "NHWC",
    name: str | None = None, input: Any = None, filters: Any = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """Computes the transpose of `conv2d`: its gradient with respect to the input, as an op of its own.

    Args:
      value: [batch, height, width, in] (or "NCHW"); `input` is the same.
      filter: [height, width, out, in]; `filters` is the same.
      output_shape: the shape of the result.
      strides, padding, data_format, dilations: as for `conv2d`.
      name: a name for the operation.
    """
    value = alias("input", input, "value", value)
    filter = alias("filters", filters, "filter", filter)
    padding, explicit = padding_attrs(padding)
    data_format = data_format or "NHWC"
    strides = per_dimension(strides, 2, data_format, "strides")
    dilations = per_dimension(dilations, 2, data_format, "dilations")
    with get_default_graph().name_scope(name or "conv2d_transpose") as scope:
        return _conv2d_backprop_input(output_shape, filter, value, strides, padding, True, explicit, data_format, dilations, name=scope)


# -- depthwise ---------------------------------------------------------------------------------------


@op("DepthwiseConv2dNative", _conv_dims(4, depthwise=True), T=FLOAT, padding=PADDINGS, data_format=FORMATS_2D, api="nn.depthwise_conv2d_native")
def depthwise_conv2d_native(
    input: T, filter: T, strides: Ints, padding: str, data_format: str = "NHWC", dilations: Ints = ONES_4, name: str | None = None
) -> Tensor:
    """Convolves every channel of `input` with filters of its own.

    Args:
      input: [batch, height, width, in] for "NHWC", [batch, in, height, width] for "NCHW"; a float type.
      filter: [height, width, in, multiplier], of the same type.
      strides, dilations: 4 integers in the format of `input`.
      padding: "SAME" or "VALID".
      data_format: "NHWC" or "NCHW".
      name: a name for the operation.

    Returns a tensor with in * multiplier channels.
    """
    ...


@op(
    "DepthwiseConv2dNativeBackpropInput", _from_sizes(0, 4), out="output: T", static="input_sizes", T=FLOAT, padding=PADDINGS, data_format=FORMATS_2D,
    api="nn.depthwise_conv2d_native_backprop_input nn.depthwise_conv2d_backprop_input",
)  # fmt: skip
def depthwise_conv2d_native_backprop_input(
    input_sizes: Int32, filter: T, out_backprop: T, strides: Ints, padding: str, data_format: str = "NHWC", dilations: Ints = ONES_4,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """The gradient of `depthwise_conv2d_native` with respect to its input, which has shape `input_sizes`."""
    ...


@op(
    "DepthwiseConv2dNativeBackpropFilter", _from_sizes(1, 4), static="filter_sizes", T=FLOAT, padding=PADDINGS, data_format=FORMATS_2D,
    api="nn.depthwise_conv2d_native_backprop_filter nn.depthwise_conv2d_backprop_filter",
)  # fmt: skip
def depthwise_conv2d_native_backprop_filter(
    input: T, filter_sizes: Int32, out_backprop: T, strides: Ints, padding: str, data_format: str = "NHWC", dilations: Ints = ONES_4,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """The gradient of `depthwise_conv2d_native` with respect to its filter, which has shape `filter_sizes`."""
    ...


@grad("DepthwiseConv2dNative")
def _(op: Operation, dy: Tensor) -> Any:
    x, f = op.inputs
    attrs = _window_attrs(op)
    return depthwise_conv2d_native_backprop_input(shape(x), f, dy, **attrs), depthwise_conv2d_native_backprop_filter(x, shape(f), dy, **attrs)


@grad("DepthwiseConv2dNativeBackpropInput")
def _(op: Operation, dy: Tensor) -> Any:
    _, f, out_backprop = op.inputs
    attrs = _window_attrs(op)
    return None, depthwise_conv2d_native_backprop_filter(dy, shape(f), out_backprop, **attrs), depthwise_conv2d_native(dy, f, **attrs)


@grad("DepthwiseConv2dNativeBackpropFilter")
def _(op: Operation, dy: Tensor) -> Any:
    x, _, out_backprop = op.inputs
    attrs = _window_attrs(op)
    return depthwise_conv2d_native_backprop_input(shape(x), dy, out_backprop, **attrs), None, depthwise_conv2d_native(x, dy, **attrs)


# -- three dimensions --------------------------------------------------------------------------------

Tshape = Annotated[Any, In("Tshape")]


@op("Conv3D", _conv_dims(5), T=FLOAT, padding=PADDINGS, data_format=FORMATS_3D, strides=5)
def _conv3d(
    input: T, filter: T, strides: Ints, padding: str, data_format: str = "NDHWC", dilations: Ints = ONES_5, name: str | None = None
) -> Tensor:
    """Correlates `input` with `filter` over three dimensions."""
    ...


@op(
    "Conv3DBackpropInputV2", _from_sizes(0, 5), out="output: T", static="input_sizes", T=FLOAT, padding=PADDINGS, data_format=FORMATS_3D, strides=5,
    Tshape=INDEX.default_to(int32),
)  # fmt: skip
def _conv3d_backprop_input(
    input_sizes: Tshape, filter: T, out_backprop: T, strides: Ints, padding: str, data_format: str = "NDHWC", dilations: Ints = ONES_5,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """The gradient of `Conv3D` with respect to its input, which has shape `input_sizes`."""
    ...


@op(
    "Conv3DBackpropFilterV2", _from_sizes(1, 5), static="filter_sizes", T=FLOAT, padding=PADDINGS, data_format=FORMATS_3D, strides=5,
    api="nn.conv3d_backprop_filter nn.conv3d_backprop_filter_v2",
)  # fmt: skip
def conv3d_backprop_filter(
    input: T, filter_sizes: Int32, out_backprop: T, strides: Ints, padding: str, data_format: str = "NDHWC", dilations: Ints = ONES_5,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """The gradient of `conv3d` with respect to its filter, which has shape `filter_sizes`."""
    ...


@op("Conv3DBackpropInput", _like(0, 5), T=FLOAT_NO_BFLOAT, padding=PADDINGS, strides=5)
def conv3d_backprop_input_v1(input: T, filter: T, out_backprop: T, strides: Ints, padding: str, dilations: Ints = ONES_5, name: str | None = None) -> Tensor:
    """`Conv3DBackpropInputV2` as older graphs have it: the shape is that of `input`."""
    ...


@op("Conv3DBackpropFilter", _like(1, 5), T=FLOAT_NO_BFLOAT, padding=PADDINGS, strides=5)
def conv3d_backprop_filter_v1(input: T, filter: T, out_backprop: T, strides: Ints, padding: str, dilations: Ints = ONES_5, name: str | None = None) -> Tensor:
    """`Conv3DBackpropFilterV2` as older graphs have it: the shape is that of `filter`."""
    ...


grad.none("Conv3DBackpropInput Conv3DBackpropFilter", "TensorFlow has none for these ops of older graphs")


@grad("Conv3D")
def _(op: Operation, dy: Tensor) -> Any:
    x, f = op.inputs
    attrs = _window_attrs(op)
    return _conv3d_backprop_input(shape(x), f, dy, **attrs), conv3d_backprop_filter(x, shape(f), dy, **attrs)


@grad("Conv3DBackpropInputV2")
def _(op: Operation, dy: Tensor) -> Any:
    _, f, out_backprop = op.inputs
    attrs = _window_attrs(op)
    return None, conv3d_backprop_filter(dy, shape(f), out_backprop, **attrs), _conv3d(dy, f, **attrs)


@grad("Conv3DBackpropFilterV2")
def _(op: Operation, dy: Tensor) -> Any:
    x, _, out_backprop = op.inputs
    attrs = _window_attrs(op)
    return _conv3d_backprop_input(shape(x), dy, out_backprop, **attrs), None, _conv3d(x, dy, **attrs)


@export("nn.conv3d")
def conv3d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = None, data_format: str = "NDHWC", dilations: Sequence[int] = ONES_5,
    name: str | None = None, filters: Any = None,
) -> Tensor:  # fmt: skip
    """Computes a 3-D convolution (without flipping the filter) of a batch of volumes.

    Args:
      input: [batch, depth, height, width, in] for "NDHWC", [batch, in, depth, height, width] for "NCDHW"; a float type.
      filter: [depth, height, width, in, out], of the same type; `filters` is the same.
      strides, dilations: 5 integers in the format of `input`.
      padding: "SAME" or "VALID".
      data_format: "NDHWC" or "NCDHW".
      name: a name for the operation.
    """
    return _conv3d(input, alias("filters", filters, "filter", filter), strides, padding, data_format, dilations, name=name)


@export("nn.conv3d_transpose")
def conv3d_transpose(
    value: Any, filter: Any = None, output_shape: Any = None, strides: Any = None, padding: Any = "SAME", data_format: str = "NDHWC",
    name: str | None = None, input: Any = None, filters: Any = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """Computes the transpose of `conv3d`: its gradient with respect to the input, as an op of its own.

    Args:
      value: [batch, depth, height, width, in] (or "NCDHW"); `input` is the same.
      filter: [depth, height, width, out, in]; `filters` is the same.
      output_shape: the shape of the result.
      strides, dilations: an integer, or a list of 1, 3 or 5 integers.
      padding: "SAME" or "VALID".
      data_format: "NDHWC" or "NCDHW".
      name: a name for the operation.
    """
    value = alias("input", input, "value", value)
    filter = alias("filters", filters, "filter", filter)
    data_format = data_format or "NDHWC"
    strides = per_dimension(strides, 3, data_format, "strides")
    dilations = per_dimension(dilations, 3, data_format, "dilations")
    with get_default_graph().name_scope(name or "conv3d_transpose") as scope:
        return _conv3d_backprop_input(output_shape, filter, value, strides, padding, data_format, dilations, name=scope)
