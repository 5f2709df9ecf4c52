"""TF1's convolution functions that are composed of ops: N-D, 1-D, dilated, separable, transposed, and `tf.nn.pool`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import int32
from ir.ops.blocks import batch_to_space_nd, required_space_to_batch_paddings, space_to_batch_nd
from ir.ops.conv import (
    _conv2d_backprop_input as conv2d_backprop_input,  # pyright: ignore[reportPrivateUsage]
    conv2d,
    conv2d_transpose,
    conv3d,
    conv3d_transpose,
    depthwise_conv2d_native,
)
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, shape, squeeze
from ir.ops.packing import stack
from ir.ops.pool import avg_pool, avg_pool1d, avg_pool3d, max_pool, max_pool1d, max_pool3d
from ir.ops.windows import alias, per_dimension
from ir.static import value_of
from ir.tensor import Tensor

Apply = Callable[[Tensor, int, str], Tensor]


# -- dilation through space and batch ----------------------------------------------------------------


def _same_paddings(filter_shape: Tensor, rate: Any, count: int) -> Tensor:
    """What "SAME" pads for a filter whose taps are `rate` apart, [count, 2]."""
    known = value_of(filter_shape)
    sizes = known[:count] if known is not None else filter_shape[:count]
    total = rate * (sizes - 1)
    before = total // 2
    after = total - before
    return stack([[before[i], after[i]] for i in range(count)])


def _spread(value: Any, fill: int, spatial: Sequence[int]) -> Any:
    """Rows for dimensions 1 to the last in `spatial`, those not in it filled with `fill`."""
    known = value if isinstance(value, np.ndarray) else value_of(value)
    source = value if known is None else known
    parts: list[Any] = []
    following, i = 1, 0
    while i < len(spatial):
        first = i
        if spatial[i] > following:
            rest: list[Any] = list(value.dims or ())[1:] if isinstance(value, Tensor) else list(value.shape[1:])
            parts.append(np.full([spatial[i] - following, *rest], fill, np.int32))
        while i + 1 < len(spatial) and spatial[i + 1] == spatial[i] + 1:
            i += 1
        i += 1
        parts.append(source[first:i])
        following = spatial[i - 1] + 1
    return np.concatenate(parts) if known is not None else concat(parts, 0)


def _spatial_sizes(x: Tensor, spatial: Sequence[int]) -> Any:
    static = None if x.dims is None else [x.dims[d] for d in spatial]
    if static is not None and None not in static:
        return static
    sizes = shape(x)
    return stack([sizes[d] for d in spatial])


@export("nn.with_space_to_batch")
def with_space_to_batch(
    input: Any, dilation_rate: Any, padding: str, op: Apply, filter_shape: Any = None, spatial_dims: Sequence[int] | None = None,
    data_format: str | None = None,
) -> Tensor:  # fmt: skip
    """Applies `op`, which knows no dilation, with a dilation, by moving blocks of space to the batch.

    Args:
      input: a tensor of rank N + 2 or more.
      dilation_rate: N integers.
      padding: "SAME" or "VALID".
      op: a function of (tensor, N, padding), the padding being "VALID" wherever a rate is more than 1.
      filter_shape: the shape of the window, at least its N spatial sizes; needed for "SAME".
      spatial_dims: the dimensions that are dilated, in increasing order.
      data_format: says where the spatial dimensions are by default, from 1 on, or from 2 on for "NC...".

    Raises ValueError for rates that are not positive and for paddings that are neither.
    """
    x = convert_to_tensor(input, name="input")
    rate = convert_to_tensor(dilation_rate, int32, name="dilation_rate")
    count = rate.shape.with_rank(1).as_list()[0]
    if count is None:
        raise ValueError("dilation_rate must have a static length")
    start = 2 if data_format is not None and data_format.startswith("NC") else 1
    spatial = list(range(start, start + count)) if spatial_dims is None else sorted(int(d) for d in spatial_dims)
    if any(d < 1 for d in spatial):
        raise ValueError(f"spatial_dims must all be at least 1, got {spatial}")
    known = value_of(rate)
    if known is not None:
        if (known < 1).any():
            raise ValueError(f"dilation_rate must be positive, got {known.tolist()}")
        if (known == 1).all():
            return op(x, count, padding)
    if padding == "SAME":
        if filter_shape is None:
            raise ValueError("filter_shape must be specified for SAME padding")
        base: Any = _same_paddings(convert_to_tensor(filter_shape, name="filter_shape"), rate if known is None else known, count)
    elif padding == "VALID":
        base = np.zeros([count, 2], np.int32)
    else:
        raise ValueError(f"Invalid padding method {padding!r}")
    paddings, crops = required_space_to_batch_paddings(_spatial_sizes(x, spatial), rate, base_paddings=base)
    block, paddings, crops = _spread(rate, 1, spatial), _spread(paddings, 0, spatial), _spread(crops, 0, spatial)
    result = op(space_to_batch_nd(x, block, paddings), count, "VALID")
    out = batch_to_space_nd(result, block, crops)
    if start == 2 and out.dims is not None and result.dims is not None:
        out.set_shape([None, result.dims[1], *[None] * (len(out.dims) - 2)])
    return out


def _strides_and_rates(count: int, strides: Any, rates: Any) -> tuple[list[int], list[int]]:
    strides = [1] * count if strides is None else [int(s) for s in strides]
    rates = [1] * count if rates is None else [int(r) for r in rates]
    for what, values in (("strides", strides), ("dilation_rate", rates)):
        if len(values) != count:
            raise ValueError(f"len({what})={len(values)} but should be {count}")
        if any(v < 1 for v in values):
            raise ValueError(f"all values of {what} must be positive, got {values}")
    if any(s > 1 for s in strides) and any(r > 1 for r in rates):
        raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
    return strides, rates


# -- N dimensions ------------------------------------------------------------------------------------

_FORMATS = {1: ("NWC", "NCW"), 2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}


def _format(count: int, data_format: str | None, what: str = "data_format") -> str:
    allowed = _FORMATS[count]
    if data_format is not None and data_format not in allowed:
        raise ValueError(f"{what} must be one of {' or '.join(map(repr, allowed))}, got {data_format!r}")
    return data_format or allowed[0]


@export("nn.convolution")
def convolution(
    input: Any, filter: Any, padding: str, strides: Any = None, dilation_rate: Any = None, name: str | None = None, data_format: str | None = None,
    filters: Any = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """Computes a convolution (without flipping the filter) in 1, 2 or 3 dimensions.

    Args:
      input: [batch, spatial..., in], or [batch, in, spatial...] when `data_format` starts with "NC"; a float type.
      filter: [spatial..., in, out]; `filters` is the same.
      padding: "SAME" or "VALID".
      strides: one integer per spatial dimension.
      dilation_rate: one integer per spatial dimension, the spacing of the filter's taps; not together with strides.
        `dilations` is the same.
      name: a name for the operation.
      data_format: "N...C" or "NC...".

    Raises ValueError when shapes, strides and dilations do not fit.
    """
    filter = alias("filters", filters, "filter", filter)
    dilation_rate = alias("dilations", dilations, "dilation_rate", dilation_rate)
    with get_default_graph().name_scope(name or "convolution") as scope:
        x = convert_to_tensor(input, name="input")
        filter = convert_to_tensor(filter, name="filter", dtype=x.dtype.base_dtype)
        rank = len(x.dims) if x.dims is not None else None if filter.dims is None else len(filter.dims)
        if rank is None:
            raise ValueError("rank of input or filter must be known")
        if rank not in (3, 4, 5):
            raise ValueError(f"Input tensor must be of rank 3, 4 or 5 but was {rank}.")
        count = rank - 2
        steps, rates = _strides_and_rates(count, strides, dilation_rate)
        layout = _format(count, data_format)

        def apply(x: Tensor, _: int, padding: str) -> Tensor:
            if count == 1:
                return conv1d(x, filter, steps[0], padding, data_format=layout, name=scope)
            if count == 2:
                return conv2d(x, filter, steps, padding, data_format=layout, name=scope)
            return conv3d(x, filter, per_dimension(steps, 3, layout, "strides"), padding, layout, name=scope)

        if all(r == 1 for r in rates):
            return apply(x, count, padding)
        sizes = None if padding != "SAME" else filter.shape if filter.shape.is_fully_defined() else shape(filter)
        return with_space_to_batch(x, rates, padding, apply, filter_shape=sizes, data_format=layout)


@export("nn.atrous_conv2d")
def atrous_conv2d(value: Any, filters: Any, rate: int, padding: str, name: str | None = None) -> Tensor:
    """Computes a 2-D convolution whose taps are `rate` apart.

    Args:
      value: [batch, height, width, in], float.
      filters: [height, width, in, out].
      rate: a positive integer, the spacing in both dimensions.
      padding: "SAME" or "VALID".
      name: a name for the operation.
    """
    return convolution(value, filters, padding, dilation_rate=[rate, rate], name=name)


@export("nn.atrous_conv2d_transpose")
def atrous_conv2d_transpose(value: Any, filters: Any, output_shape: Any, rate: int, padding: str, name: str | None = None) -> Tensor:
    """Computes the transpose of `tf.nn.atrous_conv2d`.

    Args:
      value: [batch, height, width, in], float.
      filters: [height, width, out, in].
      output_shape: the shape of the result.
      rate: a positive integer, the spacing of the taps.
      padding: "SAME" or "VALID".
      name: a name for the operation.

    Raises ValueError when the channels do not fit or the padding is neither.
    """
    with get_default_graph().name_scope(name or "atrous_conv2d_transpose"):
        value = convert_to_tensor(value, name="value")
        filters = convert_to_tensor(filters, name="filters")
        value.shape.with_rank(4)[3].assert_is_compatible_with(filters.shape.with_rank(4)[3])
        if rate < 1:
            raise ValueError(f"rate {rate} cannot be less than one")
        if rate == 1:
            return conv2d_transpose(value, filters, output_shape, [1, 1, 1, 1], padding, "NHWC")
        sizes = convert_to_tensor(output_shape, name="output_shape")
        out: Any = [int(n) for n in output_shape] if isinstance(output_shape, (list, tuple, np.ndarray)) else sizes
        pads = [(0, 0), (0, 0)]
        if padding == "SAME":
            known = filters.shape.as_list()[:2]
            taps = [shape(filters)[i] if n is None else n for i, n in enumerate(known)]
            totals = [(k + (k - 1) * (rate - 1)) - 1 for k in taps]
            pads = [(t // 2, t - t // 2) for t in totals]
        elif padding != "VALID":
            raise ValueError("padding must be either VALID or SAME: " + str(padding))
        height, width = out[1] + pads[0][0] + pads[0][1], out[2] + pads[1][0] + pads[1][1]
        more = [(rate - height % rate) % rate, (rate - width % rate) % rate]
        value = space_to_batch_nd(value, [rate, rate], [[0, more[0]], [0, more[1]]])
        sizes = [rate * rate * out[0], (height + more[0]) // rate, (width + more[1]) // rate, out[3]]
        value = conv2d_backprop_input(sizes, filters, value, [1, 1, 1, 1], "VALID", data_format="NHWC")
        crops = [[before, after + m] for (before, after), m in zip(pads, more, strict=True)]
        return batch_to_space_nd(value, [rate, rate], crops)


# -- one dimension -----------------------------------------------------------------------------------


def _wide(count: Any, data_format: str | None, what: str) -> tuple[list[int], int, str]:
    """Strides or dilations of a 1-D operation for the 2-D one, where the new dimension goes, and the 2-D format."""
    layout = {None: "NHWC", "NWC": "NHWC", "NHWC": "NHWC", "NCW": "NCHW", "NCHW": "NCHW"}.get(data_format)
    if layout is None:
        raise ValueError(f'data_format must be "NWC" or "NCW", got {data_format!r}')
    axis = 2 if layout == "NCHW" else 1
    steps = per_dimension(count, 1, layout, what)
    return [*steps[:axis], 1, *steps[axis:]], axis, layout


@export("nn.conv1d")
def conv1d(
    value: Any = None, filters: Any = None, stride: Any = None, padding: Any = None, use_cudnn_on_gpu: Any = None, data_format: str | None = None,
    name: str | None = None, input: Any = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """Computes a 1-D convolution (without flipping the filter).

    Args:
      value: [batch, width, in] for "NWC", [batch, in, width] for "NCW"; a float type. `input` is the same.
      filters: [width, in, out].
      stride: an integer, or a list of 1 or 3 integers.
      padding: "SAME" or "VALID".
      use_cudnn_on_gpu: accepted for TensorFlow's sake.
      data_format: "NWC" or "NCW".
      name: a name for the operation.
      dilations: like `stride`.
    """
    value = alias("input", input, "value", value)
    with get_default_graph().name_scope(name or "conv1d") as scope:
        steps, axis, layout = _wide(stride, data_format, "stride")
        rates, _, _ = _wide(dilations, data_format, "dilations")
        x = expand_dims(value, axis)
        kernel = expand_dims(filters, 0)
        cudnn = True if use_cudnn_on_gpu is None else use_cudnn_on_gpu
        return squeeze(conv2d(x, kernel, steps, padding, cudnn, layout, rates, name=scope), [axis])


@export("nn.conv1d_transpose")
def conv1d_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: Any = "SAME", data_format: str = "NWC", dilations: Any = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Computes the transpose of `conv1d`.

    Args:
      input: [batch, width, in] for "NWC", [batch, in, width] for "NCW"; a float type.
      filters: [width, out, in].
      output_shape: the shape of the result.
      strides, dilations: an integer, or a list of 1 or 3 integers.
      padding: "SAME" or "VALID".
      data_format: "NWC" or "NCW".
      name: a name for the operation.
    """
    with get_default_graph().name_scope(name or "conv1d_transpose") as scope:
        steps, axis, layout = _wide(strides, data_format, "strides")
        rates, _, _ = _wide(dilations, data_format, "dilations")
        x = expand_dims(input, axis)
        kernel = expand_dims(filters, 0)
        target = output_shape if isinstance(output_shape, (list, tuple, Tensor)) else list(output_shape)
        sizes = concat([target[:axis], [1], target[axis:]], 0)
        return squeeze(conv2d_backprop_input(sizes, kernel, x, steps, padding, data_format=layout, dilations=rates, name=scope), [axis])


@export("nn.conv_transpose")
def conv_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: Any = "SAME", data_format: str | None = None, dilations: Any = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Computes the transpose of a convolution in 1, 2 or 3 dimensions, as the length of `output_shape` says.

    Args:
      input: [batch, spatial..., in], or [batch, in, spatial...] when `data_format` starts with "NC"; a float type.
      filters: [spatial..., out, in].
      output_shape: the shape of the result.
      strides, dilations: an integer, or a list of 1, N or N + 2 integers.
      padding: "SAME" or "VALID".
      data_format: "N...C" or "NC...".
      name: a name for the operation.

    Raises ValueError when `output_shape` has no known length of 3, 4 or 5.
    """
    with get_default_graph().name_scope(name or "conv_transpose") as scope:
        length = output_shape.shape.num_elements() if isinstance(output_shape, Tensor) else len(output_shape)
        if length not in (3, 4, 5):
            raise ValueError(f"output_shape must have 3, 4 or 5 entries, got {length}")
        layout = data_format or _FORMATS[length - 2][0]
        if length == 3:
            return conv1d_transpose(input, filters, output_shape, strides, padding, layout, dilations, name=scope)
        fn = conv2d_transpose if length == 4 else conv3d_transpose
        return fn(input, filters, output_shape, strides, padding, layout, dilations=dilations, name=scope)


# -- depthwise and separable -------------------------------------------------------------------------


@export("nn.depthwise_conv2d")
def depthwise_conv2d(
    input: Any, filter: Any, strides: Any, padding: str, rate: Any = None, name: str | None = None, data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:  # fmt: skip
    """Convolves every channel of `input` with filters of its own.

    Args:
      input: [batch, height, width, in] for "NHWC", [batch, in, height, width] for "NCHW"; a float type.
      filter: [height, width, in, multiplier].
      strides: 4 integers in the format of `input`.
      padding: "SAME" or "VALID".
      rate: 2 integers, the spacing of the taps; `dilations` is the same. Where it is not 1, the strides must be.
      name: a name for the operation.
      data_format: "NHWC" or "NCHW".

    Returns a tensor with in * multiplier channels.
    """
    rate = alias("dilations", dilations, "rate", rate)
    with get_default_graph().name_scope(name or "depthwise") as scope:
        x = convert_to_tensor(input, name="tensor_in")
        kernel = convert_to_tensor(filter, name="filter_in")
        layout = data_format or "NHWC"

        def apply(x: Tensor, _: int, padding: str) -> Tensor:
            return depthwise_conv2d_native(x, kernel, strides, padding, layout, name=scope)

        return with_space_to_batch(x, [1, 1] if rate is None else rate, padding, apply, shape(kernel), data_format=layout)


@export("nn.separable_conv2d")
def separable_conv2d(
    input: Any, depthwise_filter: Any, pointwise_filter: Any, strides: Any, padding: str, rate: Any = None, name: str | None = None,
    data_format: str | None = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """Convolves each channel by itself, then mixes the channels of each pixel.

    Args:
      input: [batch, height, width, in] for "NHWC", [batch, in, height, width] for "NCHW"; a float type.
      depthwise_filter: [height, width, in, multiplier].
      pointwise_filter: [1, 1, in * multiplier, out].
      strides: 4 integers in the format of `input`, for the depthwise part.
      padding: "SAME" or "VALID".
      rate: 2 integers, the spacing of the taps; `dilations` is the same. Where it is not 1, the strides must be.
      name: a name for the operation.
      data_format: "NHWC" or "NCHW".

    Raises ValueError when the filters do not fit.
    """
    rate = alias("dilations", dilations, "rate", rate)
    with get_default_graph().name_scope(name or "separable_conv2d") as scope:
        x = convert_to_tensor(input, name="tensor_in")
        kernel = convert_to_tensor(depthwise_filter, name="depthwise_filter")
        mixing = convert_to_tensor(pointwise_filter, name="pointwise_filter")
        sizes = mixing.shape.with_rank(4)
        sizes[0].assert_is_compatible_with(1)
        sizes[1].assert_is_compatible_with(1)
        layout = data_format or "NHWC"

        def apply(x: Tensor, _: int, padding: str) -> Tensor:
            return depthwise_conv2d_native(x, kernel, strides, padding, layout, name="depthwise")

        deep = with_space_to_batch(x, [1, 1] if rate is None else rate, padding, apply, shape(kernel), data_format=layout)
        return conv2d(deep, mixing, [1, 1, 1, 1], "VALID", data_format=layout, name=scope)


# -- pooling in N dimensions -------------------------------------------------------------------------

_POOLS: dict[tuple[str, int], Any] = {
    ("MAX", 1): max_pool1d, ("MAX", 2): max_pool, ("MAX", 3): max_pool3d, ("AVG", 1): avg_pool1d, ("AVG", 2): avg_pool, ("AVG", 3): avg_pool3d,
}  # fmt: skip


@export("nn.pool")
def pool(
    input: Any, window_shape: Any, pooling_type: str, padding: str, dilation_rate: Any = None, strides: Any = None, name: str | None = None,
    data_format: str | None = None, dilations: Any = None,
) -> Tensor:  # fmt: skip
    """Pools over windows in 1, 2 or 3 dimensions.

    Args:
      input: [batch, spatial..., channels], or [batch, channels, spatial...] when `data_format` starts with "NC".
      window_shape: one integer per spatial dimension.
      pooling_type: "AVG" or "MAX".
      padding: "SAME" or "VALID".
      dilation_rate: one integer per spatial dimension, the spacing of a window's places; with "VALID" only, and not
        together with strides. `dilations` is the same.
      strides: one integer per spatial dimension.
      name: a name for the operation.
      data_format: "N...C" or "NC...".

    Raises ValueError when the arguments do not fit.
    """
    dilation_rate = alias("dilations", dilations, "dilation_rate", dilation_rate)
    with get_default_graph().name_scope(name or f"{pooling_type.lower()}_pool") as scope:
        x = convert_to_tensor(input, name="input")
        count = len(window_shape)
        if not 1 <= count <= 3:
            raise ValueError("It is required that 1 <= num_spatial_dims <= 3.")
        x.shape.assert_has_rank(count + 2)
        steps, rates = _strides_and_rates(count, strides, dilation_rate)
        if padding == "SAME" and any(r > 1 for r in rates):
            raise ValueError("pooling with SAME padding is not implemented for dilation_rate > 1")
        if any(s > w for s, w in zip(steps, window_shape, strict=True)):
            raise ValueError("strides > window_shape not supported due to inconsistency between CPU and GPU implementations")
        fn = _POOLS.get((pooling_type, count))
        if fn is None:
            raise ValueError(f"{count}-D {pooling_type} pooling is not supported.")
        layout = _format(count, data_format)
        window, steps = (per_dimension(list(v), count, layout, "strides") for v in (window_shape, steps))

        def apply(x: Tensor, _: int, padding: str) -> Tensor:
            return fn(x, window, steps, padding, layout, name=scope)

        return with_space_to_batch(x, rates, padding, apply, window_shape, data_format=layout)
