"""Pooling over windows: maxima and averages in two and three dimensions, and their gradients.

`ksize` and `strides` have one entry per dimension of the input, in its own order. Fractional pools are in
`ir.ops.fractional_pool`.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import FLOAT, INDEX, REAL, TypeSet, float32, int64
from ir.infer import Infer, with_rank
from ir.opdef import In, Int32, Ints, T, Type
from ir.ops.layout import expand_dims, shape, squeeze, zeros_like
from ir.ops.windows import FORMATS_2D, FORMATS_3D, PADDINGS, alias, channel_axis, per_dimension, pooled_dims
from ir.shapes import Dims, merge_dims
from ir.tensor import Operation, Tensor

POOLED = TypeSet("float16 bfloat16 float32 float64 int32 int64 uint8 int16 int8 uint16 qint8").default_to(float32)
FORMATS_MAX = ("NHWC", "NCHW", "NCHW_VECT_C")
FLOAT_3D = TypeSet("float16 bfloat16 float32")
TInput = Annotated[Any, In("TInput")]
Targmax = Annotated[Any, In("Targmax")]


# -- shapes ------------------------------------------------------------------------------------------


def _pooled(rank: int) -> Any:
    def shape_fn(c: Infer) -> Dims:
        x = c.rank(0, rank)
        if c.attrs.get("data_format") == "NCHW_VECT_C":
            return None
        return pooled_dims(x, c.attrs["ksize"], c.attrs["strides"], c.attrs["padding"])

    return shape_fn


def _grad_like_input(rank: int) -> Any:
    def shape_fn(c: Infer) -> Dims:
        merge_dims(c.dims(1), c.dims(2))
        return c.rank(0, rank)

    return shape_fn


def _like_output(rank: int) -> Any:
    def shape_fn(c: Infer) -> Dims:
        merge_dims(c.dims(0), c.dims(2))
        return c.rank(1, rank)

    return shape_fn


def _from_sizes(rank: int) -> Any:
    def shape_fn(c: Infer) -> Dims:
        c.rank(1, rank)
        return with_rank(c.shape_value(0), rank, c.input_name(0))

    return shape_fn


def _attrs(op: Operation, *more: str) -> dict[str, Any]:
    return {n: op.attrs[n] for n in ("ksize", "strides", "padding", "data_format", *more) if n in op.attrs}


# -- maxima in two dimensions ------------------------------------------------------------------------


@op("MaxPool", _pooled(4), T=POOLED, padding=PADDINGS, data_format=FORMATS_MAX, ksize=4, strides=4)
def _max_pool(input: T, ksize: Ints, strides: Ints, padding: str, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """The maximum of each window."""
    ...


@op("MaxPoolGrad", _grad_like_input(4), T=REAL.default_to(float32), padding=PADDINGS, data_format=FORMATS_2D, ksize=4, strides=4)
def _max_pool_grad(
    orig_input: T, orig_output: T, grad: T, ksize: Ints, strides: Ints, padding: str, data_format: str = "NHWC", name: str | None = None
) -> Tensor:
    """Adds each entry of `grad` to the place its window's maximum comes from: among equals the first, row by row."""
    ...


@op("MaxPoolGradGrad", _like_output(4), T=REAL, padding=PADDINGS, data_format=FORMATS_2D, ksize=4, strides=4)
def _max_pool_grad_grad(
    orig_input: T, orig_output: T, grad: T, ksize: Ints, strides: Ints, padding: str, data_format: str = "NHWC", name: str | None = None
) -> Tensor:
    """Picks from `grad` the place each window's maximum comes from."""
    ...


@grad("MaxPool")
def _(op: Operation, dy: Tensor) -> Any:
    return _max_pool_grad(op.inputs[0], op.outputs[0], dy, **_attrs(op))


@grad("MaxPoolGrad")
def _(op: Operation, dy: Tensor) -> Any:
    x, y = op.inputs[:2]
    return zeros_like(x), zeros_like(y), _max_pool_grad_grad(x, y, dy, **_attrs(op))


@grad("MaxPoolGradGrad")
def _(op: Operation, dy: Tensor) -> Any:
    x, y = op.inputs[:2]
    return zeros_like(x), zeros_like(y), _max_pool_grad(x, y, dy, **_attrs(op))


# -- the same with window sizes as inputs ------------------------------------------------------------


def _pooled_v2(c: Infer) -> Dims:
    x, ksize, strides = c.rank(0, 4), c.value(1), c.value(2)
    if ksize is None or strides is None or c.attrs["data_format"] == "NCHW_VECT_C":
        return (None,) * 4
    return pooled_dims(x, ksize.tolist(), strides.tolist(), c.attrs["padding"])


@op("MaxPoolV2", _pooled_v2, static="ksize strides", T=POOLED, padding=PADDINGS, data_format=FORMATS_MAX)
def max_pool_v2_op(input: T, ksize: Int32, strides: Int32, padding: str, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """`MaxPool` with the window sizes as inputs."""
    ...


@op("MaxPoolGradV2", _grad_like_input(4), static="ksize strides", T=REAL.default_to(float32), padding=PADDINGS, data_format=FORMATS_2D)
def _max_pool_grad_v2(
    orig_input: T, orig_output: T, grad: T, ksize: Int32, strides: Int32, padding: str, data_format: str = "NHWC", name: str | None = None
) -> Tensor:
    """`MaxPoolGrad` with the window sizes as inputs."""
    ...


@op("MaxPoolGradGradV2", _like_output(4), static="ksize strides", T=REAL, padding=PADDINGS, data_format=FORMATS_2D)
def _max_pool_grad_grad_v2(
    orig_input: T, orig_output: T, grad: T, ksize: Int32, strides: Int32, padding: str, data_format: str = "NHWC", name: str | None = None
) -> Tensor:
    """`MaxPoolGradGrad` with the window sizes as inputs."""
    ...


def _attrs_v2(op: Operation) -> dict[str, Any]:
    ksize, strides = op.inputs[-2:]
    return {"ksize": ksize, "strides": strides, "padding": op.attrs["padding"], "data_format": op.attrs["data_format"]}


@grad("MaxPoolV2")
def _(op: Operation, dy: Tensor) -> Any:
    return _max_pool_grad_v2(op.inputs[0], op.outputs[0], dy, **_attrs_v2(op)), None, None


@grad("MaxPoolGradV2")
def _(op: Operation, dy: Tensor) -> Any:
    x, y = op.inputs[:2]
    return zeros_like(x), zeros_like(y), _max_pool_grad_grad_v2(x, y, dy, **_attrs_v2(op)), None, None


@grad("MaxPoolGradGradV2")
def _(op: Operation, dy: Tensor) -> Any:
    x, y = op.inputs[:2]
    return zeros_like(x), zeros_like(y), _max_pool_grad_v2(x, y, dy, **_attrs_v2(op)), None, None


# -- maxima and where they are -----------------------------------------------------------------------


def _twice_pooled(c: Infer) -> list[Dims]:
    dims = _pooled(4)(c)
    return [dims, dims]


@op(
    "MaxPoolWithArgmax", _twice_pooled, out="output: T, argmax: Targmax", T=REAL, Targmax=INDEX.default_to(int64), padding=PADDINGS, ksize=4, strides=4,
)  # fmt: skip
def _max_pool_with_argmax(
    input: T, ksize: Ints, strides: Ints, padding: str, Targmax: Type = "int64", include_batch_in_index: bool = False, name: str | None = None
) -> Any:
    """The maximum of each window, and its index in the flattened image (or batch)."""
    ...


@op("MaxPoolGradWithArgmax", lambda c: c.rank(0, 4), T=REAL, Targmax=INDEX, padding=PADDINGS, ksize=4, strides=4)
def _max_pool_grad_with_argmax(
    input: T, grad: T, argmax: Targmax, ksize: Ints, strides: Ints, padding: str, include_batch_in_index: bool = False, name: str | None = None
) -> Tensor:
    """Adds each entry of `grad` to the place that `argmax` says."""
    ...


@op("MaxPoolGradGradWithArgmax", lambda c: c.rank(2, 4), T=REAL, Targmax=INDEX, padding=PADDINGS, ksize=4, strides=4)
def _max_pool_grad_grad_with_argmax(
    input: T, grad: T, argmax: Targmax, ksize: Ints, strides: Ints, padding: str, include_batch_in_index: bool = False, name: str | None = None
) -> Tensor:
    """Picks from `grad` the places that `argmax` says."""
    ...


@grad("MaxPoolWithArgmax")
def _(op: Operation, dy: Tensor | None, _: Any) -> Any:
    return None if dy is None else _max_pool_grad_with_argmax(op.inputs[0], dy, op.outputs[1], **_attrs(op, "include_batch_in_index"))


@grad("MaxPoolGradWithArgmax")
def _(op: Operation, dy: Tensor) -> Any:
    x, _, argmax = op.inputs
    return zeros_like(x), _max_pool_grad_grad_with_argmax(x, dy, argmax, **_attrs(op, "include_batch_in_index")), None


@grad("MaxPoolGradGradWithArgmax")
def _(op: Operation, dy: Tensor) -> Any:
    x, _, argmax = op.inputs
    return zeros_like(x), _max_pool_grad_with_argmax(x, dy, argmax, **_attrs(op, "include_batch_in_index")), None


# -- averages ----------------------------------------------------------------------------------------


@op("AvgPool", _pooled(4), T=FLOAT, padding=PADDINGS, data_format=FORMATS_2D, ksize=4, strides=4)
def _avg_pool(value: T, ksize: Ints, strides: Ints, padding: str, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """The mean of each window; padding does not count."""
    ...


@op("AvgPoolGrad", _from_sizes(4), static="orig_input_shape", out="output: T", T=FLOAT, padding=PADDINGS, data_format=FORMATS_2D, ksize=4, strides=4)
def _avg_pool_grad(
    orig_input_shape: Int32, grad: T, ksize: Ints, strides: Ints, padding: str, data_format: str = "NHWC", name: str | None = None
) -> Tensor:
    """Spreads each entry of `grad` evenly over its window."""
    ...


@grad("AvgPool")
def _(op: Operation, dy: Tensor) -> Any:
    return _avg_pool_grad(shape(op.inputs[0]), dy, **_attrs(op))


@grad("AvgPoolGrad")
def _(op: Operation, dy: Tensor) -> Any:
    return None, _avg_pool(dy, **_attrs(op))


# -- three dimensions --------------------------------------------------------------------------------


@op("MaxPool3D", _pooled(5), T=FLOAT_3D, padding=PADDINGS, data_format=FORMATS_3D, ksize=5, strides=5, api="nn.max_pool3d")
def max_pool3d(input: T, ksize: Ints, strides: Ints, padding: str, data_format: str = "NDHWC", name: str | None = None) -> Tensor:
    """Computes the maximum of each window of a batch of volumes.

    Args:
      input: [batch, depth, height, width, channels] for "NDHWC", [batch, channels, depth, height, width] for "NCDHW".
      ksize, strides: 5 integers in the format of `input`.
      padding: "SAME" or "VALID".
      data_format: "NDHWC" or "NCDHW".
      name: a name for the operation.
    """
    ...


@op(
    "MaxPool3DGrad", _grad_like_input(5), out="output: T", T=FLOAT_3D.default_to(float32), TInput=FLOAT_3D.default_to(float32), padding=PADDINGS,
    data_format=FORMATS_3D, ksize=5, strides=5,
)  # fmt: skip
def _max_pool3d_grad(
    orig_input: TInput, orig_output: TInput, grad: T, ksize: Ints, strides: Ints, padding: str, data_format: str = "NDHWC", name: str | None = None
) -> Tensor:
    """Adds each entry of `grad` to every place in its window that equals the maximum."""
    ...


@op("MaxPool3DGradGrad", _like_output(5), T=REAL, padding=PADDINGS, data_format=FORMATS_3D, ksize=5, strides=5)
def _max_pool3d_grad_grad(
    orig_input: T, orig_output: T, grad: T, ksize: Ints, strides: Ints, padding: str, data_format: str = "NDHWC", name: str | None = None
) -> Tensor:
    """Picks from `grad` the first place of each window that equals the maximum."""
    ...


@grad("MaxPool3D")
def _(op: Operation, dy: Tensor) -> Any:
    return _max_pool3d_grad(op.inputs[0], op.outputs[0], dy, **_attrs(op))


@grad("MaxPool3DGrad")
def _(op: Operation, dy: Tensor) -> Any:
    x, y = op.inputs[:2]
    return zeros_like(x), zeros_like(y), _max_pool3d_grad_grad(x, y, dy, **_attrs(op))


@grad("MaxPool3DGradGrad")
def _(op: Operation, dy: Tensor) -> Any:
    x, y = op.inputs[:2]
    return zeros_like(x), zeros_like(y), _max_pool3d_grad(x, y, dy, **_attrs(op))


@op("AvgPool3D", _pooled(5), T=FLOAT, padding=PADDINGS, data_format=FORMATS_3D, ksize=5, strides=5, api="nn.avg_pool3d")
def avg_pool3d(input: T, ksize: Ints, strides: Ints, padding: str, data_format: str = "NDHWC", name: str | None = None) -> Tensor:
    """Computes the mean of each window of a batch of volumes; padding does not count.

    Args:
      input: [batch, depth, height, width, channels] for "NDHWC", [batch, channels, depth, height, width] for "NCDHW".
      ksize, strides: 5 integers in the format of `input`.
      padding: "SAME" or "VALID".
      data_format: "NDHWC" or "NCDHW".
      name: a name for the operation.
    """
    ...


@op("AvgPool3DGrad", _from_sizes(5), static="orig_input_shape", out="output: T", T=FLOAT, padding=PADDINGS, data_format=FORMATS_3D, ksize=5, strides=5)
def _avg_pool3d_grad(
    orig_input_shape: Int32, grad: T, ksize: Ints, strides: Ints, padding: str, data_format: str = "NDHWC", name: str | None = None
) -> Tensor:
    """Spreads each entry of `grad` evenly over its window."""
    ...


@grad("AvgPool3D")
def _(op: Operation, dy: Tensor) -> Any:
    return _avg_pool3d_grad(shape(op.inputs[0]), dy, **_attrs(op))


@grad("AvgPool3DGrad")
def _(op: Operation, dy: Tensor) -> Any:
    return None, avg_pool3d(dy, **_attrs(op))


# -- TF1's functions ---------------------------------------------------------------------------------


def _pool2d(fn: Any, value: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None, scope_name: str) -> Tensor:
    with get_default_graph().name_scope(scope_name) as scope:
        data_format = data_format or "NHWC"
        ksize = per_dimension(ksize, 2, data_format, "ksize")
        strides = per_dimension(strides, 2, data_format, "strides")
        return fn(value, ksize, strides, padding, data_format, name=scope)


@export("nn.max_pool")
def max_pool(
    value: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC", name: str | None = None, input: Any = None
) -> Tensor:
    """Computes the maximum of each window of a batch of images.

    Args:
      value: [batch, height, width, channels] for "NHWC", [batch, channels, height, width] for "NCHW"; `input` is the same.
      ksize, strides: an integer, or a list of 1, 2 or 4 integers: the size of a window and the steps between windows.
      padding: "SAME" or "VALID".
      data_format: "NHWC" or "NCHW".
      name: a name for the operation.

    The gradient of a window goes to its first maximum, row by row.
    """
    return _pool2d(_max_pool, alias("input", input, "value", value), ksize, strides, padding, data_format, name or "MaxPool")


@export("nn.max_pool2d")
def max_pool2d(input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """Computes the maximum of each window of a batch of images: `tf.nn.max_pool`."""
    return _pool2d(_max_pool, input, ksize, strides, padding, data_format, name or "MaxPool2d")


@export("nn.avg_pool nn.avg_pool2d")
def avg_pool(
    value: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC", name: str | None = None, input: Any = None
) -> Tensor:
    """Computes the mean of each window of a batch of images; padding does not count.

    Args:
      value: [batch, height, width, channels] for "NHWC", [batch, channels, height, width] for "NCHW"; `input` is the same.
      ksize, strides: an integer, or a list of 1, 2 or 4 integers: the size of a window and the steps between windows.
      padding: "SAME" or "VALID".
      data_format: "NHWC" or "NCHW".
      name: a name for the operation.
    """
    return _pool2d(_avg_pool, alias("input", input, "value", value), ksize, strides, padding, data_format, name or "AvgPool")


def _pool1d(fn: Any, input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None, scope_name: str) -> Tensor:
    with get_default_graph().name_scope(scope_name) as scope:
        data_format = data_format or "NWC"
        channels_first = data_format.startswith("NC")
        axis = 2 if channels_first else 1
        ksize = per_dimension(ksize, 1, data_format, "ksize")
        strides = per_dimension(strides, 1, data_format, "strides")
        ksize.insert(axis, 1)
        strides.insert(axis, 1)
        wide = expand_dims(convert_to_tensor(input), axis)
        return squeeze(fn(wide, ksize, strides, padding, "NCHW" if channels_first else "NHWC", name=scope), axis=[axis])


@export("nn.max_pool1d")
def max_pool1d(input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NWC", name: str | None = None) -> Tensor:
    """Computes the maximum of each window along one dimension.

    Args:
      input: [batch, width, channels] for "NWC", [batch, channels, width] for "NCW".
      ksize, strides: an integer, or a list of 1 or 3 integers.
      padding: "SAME" or "VALID".
      data_format: "NWC" or "NCW".
      name: a name for the operation.
    """
    return _pool1d(_max_pool, input, ksize, strides, padding, data_format, name or "MaxPool1d")


@export("nn.avg_pool1d")
def avg_pool1d(input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NWC", name: str | None = None) -> Tensor:
    """Computes the mean of each window along one dimension; the arguments are those of `tf.nn.max_pool1d`."""
    return _pool1d(_avg_pool, input, ksize, strides, padding, data_format, name or "AvgPool1D")


def _pool_any(pools: dict[int, Any], input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None, name: str | None) -> Tensor:
    input = convert_to_tensor(input)
    rank = None if input.dims is None else len(input.dims)
    if rank is None:
        sequence = isinstance(ksize, Sequence) and len(ksize) >= 3
        rank = len(ksize) if sequence else len(data_format) if data_format else 0
    if rank not in (3, 4, 5):
        raise ValueError(f"The input must have rank 3, 4 or 5 (1, 2 or 3 spatial dimensions), got {input!r}")
    data_format = data_format or {3: "NWC", 4: "NHWC", 5: "NDHWC"}[rank]
    if channel_axis(data_format, rank) not in (1, rank - 1):
        raise ValueError(f"unknown data_format {data_format!r}")
    if rank == 5:
        ksize = per_dimension(ksize, 3, data_format, "ksize")
        strides = per_dimension(strides, 3, data_format, "strides")
    return pools[rank](input, ksize, strides, padding, data_format, name=name)


@export("nn.max_pool_v2")
def max_pool_v2(input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None) -> Tensor:
    """Computes the maximum of each window over 1, 2 or 3 spatial dimensions, as the rank of `input` says.

    Args:
      input: [batch, spatial..., channels], or [batch, channels, spatial...] when `data_format` starts with "NC".
      ksize, strides: an integer, or a list of 1, spatial or spatial + 2 integers.
      padding: "SAME" or "VALID".
      data_format: "N...C" or "NC...".
      name: a name for the operation.

    Raises ValueError for other ranks.
    """
    return _pool_any({3: max_pool1d, 4: max_pool, 5: max_pool3d}, input, ksize, strides, padding, data_format, name)


@export("nn.avg_pool_v2")
def avg_pool_v2(input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None) -> Tensor:
    """Computes the mean of each window; the arguments are those of `tf.nn.max_pool_v2`."""
    return _pool_any({3: avg_pool1d, 4: avg_pool, 5: avg_pool3d}, input, ksize, strides, padding, data_format, name)


@export("nn.max_pool_with_argmax")
def max_pool_with_argmax(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC", Targmax: Any = None, name: str | None = None,
    output_dtype: Any = None, include_batch_in_index: bool = False,
) -> Any:  # fmt: skip
    """Computes the maximum of each window and where it is.

    Args:
      input: [batch, height, width, channels].
      ksize, strides: 4 integers.
      padding: "SAME" or "VALID".
      data_format: "NHWC".
      Targmax: the type of the indices, int64 by default; `output_dtype` is the same.
      name: a name for the operation.
      include_batch_in_index: count the indices over the whole batch.

    Returns (output, argmax): argmax is (y * width + x) * channels + channel.
    """
    if data_format != "NHWC":
        raise ValueError("data_format values other than 'NHWC' are not yet supported")
    kind = alias("output_dtype", output_dtype, "Targmax", Targmax) or "int64"
    return _max_pool_with_argmax(input, ksize, strides, padding, kind, include_batch_in_index, name=name)
