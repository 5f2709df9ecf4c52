"""Reductions over axes: Sum, Mean, Prod, Max, Min, All, Any, ArgMax, ArgMin, EuclideanNorm.

What is composed of them and of element-wise functions (logsumexp, variance, count_nonzero) is in `ir.ops.statistics`.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from ir import dtypes, static, xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor
from ir.dtypes import INDEX, NUMBER, as_dtype, int32
from ir.infer import Infer, reduced
from ir.opdef import Bool, In, T, Type
from ir.ops.cast import cast, conj
from ir.ops.compare import equal
from ir.ops.cumulative import cumprod
from ir.ops.layout import all_axes, broadcast_to, expand_dims, ones_like, range_, rank, raw, reshape, shape, size
from ir.shapes import Dims
from ir.tensor import Operation, Tensor

Tidx = Annotated[Any, In("Tidx")]
INT32_INDEX = INDEX.default_to(int32)


# -- the operations ----------------------------------------------------------------------------------


def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    """Returns the axes as sorted non-negative numbers, each once."""
    given = {int(a) for a in np.asarray(axis).reshape(-1)}
    for a in given:
        if not -x.ndim <= a < x.ndim:
            raise ValueError(f"Invalid reduction dimension {a} for input with {x.ndim} dimensions")
    return tuple(sorted({a % x.ndim for a in given}))


@op("Sum", reduced, rename={"axis": "reduction_indices"}, static="axis", T=NUMBER, Tidx=INT32_INDEX)
def _sum(input: T, axis: Tidx, keep_dims: bool = False, name: str | None = None) -> Tensor:
    """The sum over `axis`."""
    return xp.sum(input, axis=_axes(input, axis), dtype=input.dtype, keepdims=keep_dims)


@op("Prod", reduced, rename={"axis": "reduction_indices"}, static="axis", T=NUMBER, Tidx=INT32_INDEX)
def _prod(input: T, axis: Tidx, keep_dims: bool = False, name: str | None = None) -> Tensor:
    """The product over `axis`."""
    return xp.prod(input, axis=_axes(input, axis), dtype=input.dtype, keepdims=keep_dims)


@op("Mean", reduced, rename={"axis": "reduction_indices"}, static="axis", T=NUMBER, Tidx=INT32_INDEX)
def _mean(input: T, axis: Tidx, keep_dims: bool = False, name: str | None = None) -> Tensor:
    """The mean over `axis`; integers are divided towards zero."""
    axes = _axes(input, axis)
    total = xp.sum(input, axis=axes, dtype=input.dtype, keepdims=keep_dims)
    count = 1
    for a in axes:
        count *= input.shape[a]
    if input.dtype.kind in "iu":
        return xp.multiply(xp.sign(total), xp.floor_divide(xp.abs(total), np.asarray(max(count, 1), input.dtype)))
    return xp.divide(total, np.asarray(count).astype(input.dtype))


def _lowest(dtype: Any, sign: int) -> Any:
    """Returns the value of `dtype` that is below (sign 1) or above (sign -1) all others."""
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        return np.asarray(bounds.min if sign > 0 else bounds.max, dtype)
    return np.asarray(-np.inf * sign).astype(dtype)


def _extremum(fn: Callable[..., Any], sign: int, x: Any, axis: Any, keep_dims: bool) -> Any:
    axes = _axes(x, axis)
    if any(x.shape[a] == 0 for a in axes):
        return np.full(np.sum(np.zeros(x.shape, np.int8), axis=axes, keepdims=keep_dims).shape, _lowest(x.dtype, sign))
    return fn(x, axis=axes, keepdims=keep_dims)


@op("Max", reduced, rename={"axis": "reduction_indices"}, static="axis", T=NUMBER, Tidx=INT32_INDEX)
def _max(input: T, axis: Tidx, keep_dims: bool = False, name: str | None = None) -> Tensor:
    """The maximum over `axis`; of nothing, the lowest value of the type."""
    return _extremum(xp.max, 1, input, axis, keep_dims)


@op("Min", reduced, rename={"axis": "reduction_indices"}, static="axis", T=NUMBER, Tidx=INT32_INDEX)
def _min(input: T, axis: Tidx, keep_dims: bool = False, name: str | None = None) -> Tensor:
    """The minimum over `axis`; of nothing, the highest value of the type."""
    return _extremum(xp.min, -1, input, axis, keep_dims)


@op("All", reduced, rename={"axis": "reduction_indices"}, static="axis", Tidx=INT32_INDEX)
def _all(input: Bool, axis: Tidx, keep_dims: bool = False, name: str | None = None) -> Tensor:
    """Whether all elements along `axis` are true."""
    return xp.all(input, axis=_axes(input, axis), keepdims=keep_dims)


@op("Any", reduced, rename={"axis": "reduction_indices"}, static="axis", Tidx=INT32_INDEX)
def _any(input: Bool, axis: Tidx, keep_dims: bool = False, name: str | None = None) -> Tensor:
    """Whether any element along `axis` is true."""
    return xp.any(input, axis=_axes(input, axis), keepdims=keep_dims)


@op("EuclideanNorm", reduced, rename={"axis": "reduction_indices"}, static="axis", T=NUMBER, Tidx=INT32_INDEX)
def _euclidean_norm(input: T, axis: Tidx, keep_dims: bool = False, name: str | None = None) -> Tensor:
    """The square root of the sum of squares over `axis`."""
    squares = xp.real(xp.multiply(input, xp.conj(input))) if input.dtype.kind == "c" else xp.multiply(input, input)
    return xp.astype(xp.sqrt(xp.sum(squares, axis=_axes(input, axis), dtype=squares.dtype, keepdims=keep_dims)), input.dtype)


grad.none("All Any", "the output is boolean")
grad.none("EuclideanNorm", "TensorFlow 1.15 has none; `tf.norm` is differentiable")


def _without_axis(c: Infer) -> Dims:
    dims, axis = c.dims(0), c.value(1)
    if dims is None:
        return None
    if axis is None:
        return (None,) * (len(dims) - 1) if dims else None
    a = int(axis)
    if not -len(dims) <= a < len(dims):
        raise ValueError(f"Dimension ({a}) must be in the range [{-len(dims)}, {len(dims)}), where {len(dims)} is the number of dimensions in the input")
    return dims[: a % len(dims)] + dims[a % len(dims) + 1 :]


@op("ArgMax", _without_axis, out="output: output_type", static="dimension", T=NUMBER, Tidx=INT32_INDEX, output_type=INDEX)
def _arg_max(input: T, dimension: Tidx, output_type: Type = dtypes.int64, name: str | None = None) -> Tensor:
    """The index of the first largest element along `dimension`."""
    return xp.astype(xp.argmax(input, axis=int(dimension)), output_type.np_dtype)


@op("ArgMin", _without_axis, out="output: output_type", static="dimension", T=NUMBER, Tidx=INT32_INDEX, output_type=INDEX)
def _arg_min(input: T, dimension: Tidx, output_type: Type = dtypes.int64, name: str | None = None) -> Tensor:
    """The index of the first smallest element along `dimension`."""
    return xp.astype(xp.argmin(input, axis=int(dimension)), output_type.np_dtype)


grad.none("ArgMax ArgMin", "an index is not a continuous function of the values")


# -- gradients ---------------------------------------------------------------------------------------


def _static_axes(op: Operation) -> tuple[int, ...] | None:
    """Returns the reduced axes of a reduction, None when they or the rank of its input are not known."""
    dims, axes = op.inputs[0].dims, static.value_of(op.inputs[1])
    return None if dims is None or axes is None else tuple(sorted({int(a) % len(dims) for a in axes.reshape(-1)}))


def _spread(op: Operation, y: Tensor) -> Tensor:
    """Returns `y`, which has the shape of the reduction's output, so that it broadcasts against the input."""
    if op.attrs["keep_dims"]:
        return y
    axes = _static_axes(op)
    if axes is None:
        kept = _sum(*op.inputs, keep_dims=True) if op.inputs[0].dtype.base_dtype is not dtypes.bool_ else op.outputs[0]
        return reshape(y, shape(kept))
    if axes == tuple(range(len(axes))):
        return y  # broadcasting adds leading dimensions by itself
    for a in axes:
        y = expand_dims(y, a)
    return y


@grad("Sum")
def _(op: Operation, dy: Tensor) -> Any:
    return broadcast_to(_spread(op, dy), shape(op.inputs[0])), None


@grad("Mean")
def _(op: Operation, dy: Tensor) -> Any:
    x, axes = op.inputs[0], _static_axes(op)
    sizes = [None] if axes is None else [(x.dims or ())[a] for a in axes]
    if None in sizes:
        count = cast(size(x) // raw("Maximum")(size(op.outputs[0]), 1), dy.dtype)
    else:
        count = constant(math.prod(s or 0 for s in sizes), dy.dtype)
    return broadcast_to(_spread(op, dy / count), shape(x)), None


@grad("Prod")
def _(op: Operation, dy: Tensor) -> Any:
    x, given = op.inputs[0], static.value_of(op.inputs[1])
    axes = _static_axes(op)
    if axes is None and given is not None and ((given >= 0).all() or (given < 0).all()):
        axes = tuple(sorted({int(a) for a in given.flat}))  # right whatever the rank is
    if axes is not None:
        others = _others(x, axes)
    elif op.outputs[0].dims == () and not op.attrs["keep_dims"]:
        others = reshape(_others(reshape(x, [-1]), (0,)), shape(x))
    else:
        others = _spread(op, op.outputs[0]) / x
    return _spread(op, dy) * conj(others), None


def _others(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Returns for each element the product of all others over `axes`, which is right where elements are 0."""
    if not axes:
        return ones_like(x)
    last, rest = axes[-1], axes[:-1]
    others = cumprod(x, last, exclusive=True) * cumprod(x, last, exclusive=True, reverse=True)
    return others * _others(_prod(x, [last], keep_dims=True), rest) if rest else others


@grad("Max", "Min")
def _(op: Operation, dy: Tensor) -> Any:
    """Elements that are equal to the result share its gradient."""
    x, axis = op.inputs
    chosen = cast(equal(_spread(op, op.outputs[0]), x), dy.dtype)
    return chosen / _sum(chosen, axis, keep_dims=True) * _spread(op, dy), None


# -- the functions -----------------------------------------------------------------------------------


def renamed(new: Any, new_name: str, old: Any, old_name: str) -> Any:
    """Returns the value of an argument that has a deprecated name. Raises ValueError when both are given."""
    if old is None:
        return new
    if new is not None:
        raise ValueError(f"Cannot specify both '{new_name}' and '{old_name}'")
    return old


def _reduce(fn: Callable[..., Tensor], x: Any, axis: Any, keepdims: Any, name: str | None, old_axis: Any, old_keep: Any) -> Tensor:
    axis = renamed(axis, "axis", old_axis, "reduction_indices")
    keepdims = bool(renamed(keepdims, "keepdims", old_keep, "keep_dims"))
    if axis is not None:
        return fn(x, axis, keepdims, name=name)
    x = convert_to_tensor(x, name="input_tensor")
    axis = range_(0, rank(x)) if x.dims is None else constant(all_axes(x))
    out = fn(x, axis, keepdims, name=name)
    if not keepdims:
        out.set_shape(())
    return out


@export("reduce_sum math.reduce_sum")
def reduce_sum(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, reduction_indices: Any = None, keep_dims: Any = None
) -> Tensor:
    """Returns the sum of the elements of `input_tensor` along `axis`.

    Args:
      input_tensor: a numeric tensor.
      axis: the dimension or dimensions to reduce, each in [-rank, rank): an integer, a list, or a tensor; all when None.
      keepdims: keep each reduced dimension, with size 1.
      name: a name for the operation.
      reduction_indices, keep_dims: the old names of `axis` and `keepdims`.

    Returns a tensor of the type of `input_tensor`. Raises ValueError when a dimension is out of range.

    >>> reduce_sum([[1, 1], [1, 1]], 1).shape.as_list()
    [2]
    """
    return _reduce(_sum, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


@export("reduce_mean math.reduce_mean")
def reduce_mean(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, reduction_indices: Any = None, keep_dims: Any = None
) -> Tensor:
    """Returns the mean of the elements of `input_tensor` along `axis`; the arguments are those of `reduce_sum`.

    The mean of integers is an integer, rounded towards zero: cast first for another. The mean of nothing is NaN.
    """
    return _reduce(_mean, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


@export("reduce_prod math.reduce_prod")
def reduce_prod(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, reduction_indices: Any = None, keep_dims: Any = None
) -> Tensor:
    """Returns the product of the elements of `input_tensor` along `axis`; the arguments are those of `reduce_sum`."""
    return _reduce(_prod, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


@export("reduce_max math.reduce_max")
def reduce_max(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, reduction_indices: Any = None, keep_dims: Any = None
) -> Tensor:
    """Returns the maximum of the elements of `input_tensor` along `axis`; the arguments are those of `reduce_sum`.

    The maximum of nothing is the lowest value of the type. Elements that share the maximum share its gradient.
    """
    return _reduce(_max, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


@export("reduce_min math.reduce_min")
def reduce_min(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, reduction_indices: Any = None, keep_dims: Any = None
) -> Tensor:
    """Returns the minimum of the elements of `input_tensor` along `axis`; the arguments are those of `reduce_sum`.

    The minimum of nothing is the highest value of the type. Elements that share the minimum share its gradient.
    """
    return _reduce(_min, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


@export("reduce_all math.reduce_all")
def reduce_all(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, reduction_indices: Any = None, keep_dims: Any = None
) -> Tensor:
    """Returns whether all elements of the bool tensor `input_tensor` along `axis` are true.

    The arguments are those of `reduce_sum`.
    """
    return _reduce(_all, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


@export("reduce_any math.reduce_any")
def reduce_any(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, reduction_indices: Any = None, keep_dims: Any = None
) -> Tensor:
    """Returns whether any element of the bool tensor `input_tensor` along `axis` is true.

    The arguments are those of `reduce_sum`.
    """
    return _reduce(_any, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


@export("math.reduce_euclidean_norm")
def reduce_euclidean_norm(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """Returns the square root of the sum of squares along `axis`; the arguments are those of `reduce_sum`."""
    return _reduce(_euclidean_norm, input_tensor, axis, bool(keepdims), name, None, None)


@export("argmax math.argmax")
def argmax(input: Any, axis: Any = None, name: str | None = None, dimension: Any = None, output_type: Any = dtypes.int64) -> Tensor:
    """Returns the index of the largest element along `axis`, the first one where several are.

    Args:
      input: a real tensor of rank at least 1.
      axis: a scalar integer in [-rank, rank); 0 when None.
      name: a name for the operation.
      dimension: the old name of `axis`.
      output_type: int32 or int64.

    Returns a tensor of `output_type` with the shape of `input` without `axis`.

    >>> argmax([[1, 3], [5, 2]], 1).dtype
    tf.int64
    """
    axis = renamed(axis, "axis", dimension, "dimension")
    return _arg_max(input, 0 if axis is None else axis, as_dtype(output_type), name=name)


@export("argmin math.argmin")
def argmin(input: Any, axis: Any = None, name: str | None = None, dimension: Any = None, output_type: Any = dtypes.int64) -> Tensor:
    """Returns the index of the smallest element along `axis`; the arguments are those of `argmax`."""
    axis = renamed(axis, "axis", dimension, "dimension")
    return _arg_min(input, 0 if axis is None else axis, as_dtype(output_type), name=name)


@export("arg_max")
def arg_max(input: Any, dimension: Any, output_type: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """Returns the index of the largest element along `dimension`: `argmax` by its old name."""
    return _arg_max(input, dimension, as_dtype(output_type), name=name)


@export("arg_min")
def arg_min(input: Any, dimension: Any, output_type: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """Returns the index of the smallest element along `dimension`: `argmin` by its old name."""
    return _arg_min(input, dimension, as_dtype(output_type), name=name)
