"""Reductions composed of others and of element-wise functions: reduce_logsumexp, reduce_variance, count_nonzero ..."""

from typing import Annotated, Any

import numpy as np

from ir import dtypes
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import INDEX, TypeSet, int32
from ir.opdef import In, T
from ir.ops.arith import add, subtract
from ir.ops.basic import stop_gradient
from ir.ops.cast import cast
from ir.ops.compare import not_equal
from ir.ops.cumulative import along_axis
from ir.ops.elementwise import exp, is_finite, log, sqrt, square
from ir.ops.layout import ones_like, reshape, shape, zeros, zeros_like
from ir.ops.reduce import reduce_max, reduce_mean, reduce_sum, renamed
from ir.ops.select import where, where_v2
from ir.tensor import Operation, Tensor

Tidx = Annotated[Any, In("Tidx")]


@export("reduce_logsumexp math.reduce_logsumexp")
def reduce_logsumexp(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, reduction_indices: Any = None, keep_dims: Any = None
) -> Tensor:
    """Returns `log(sum(exp(x)))` over `axis` without overflow of the exponentials.

    Args:
      input_tensor: a floating point tensor.
      axis, keepdims, name, reduction_indices, keep_dims: as for `reduce_sum`.

    >>> reduce_logsumexp([[0.0, 0.0], [0.0, 0.0]], 1, keepdims=True).shape.as_list()
    [2, 1]
    """
    axis = renamed(axis, "axis", reduction_indices, "reduction_indices")
    keepdims = bool(renamed(keepdims, "keepdims", keep_dims, "keep_dims"))
    input_tensor = convert_to_tensor(input_tensor)
    with get_default_graph().name_scope(name or "ReduceLogSumExp"):
        largest = reduce_max(input_tensor, axis, keepdims=True)
        largest = stop_gradient(where(is_finite(largest), largest, zeros_like(largest)))
        out = log(reduce_sum(exp(subtract(input_tensor, largest)), axis, keepdims=keepdims))
        if not keepdims:
            largest = reshape(largest, shape(out))
        return add(out, largest)


@export("math.reduce_variance")
def reduce_variance(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """Returns the mean of the squared distances from the mean over `axis`; floating point, axes as for `reduce_sum`.

    >>> reduce_variance([[1.0, 2.0], [3.0, 4.0]], 0).shape.as_list()
    [2]
    """
    with get_default_graph().name_scope(name or "reduce_variance"):
        input_tensor = convert_to_tensor(input_tensor)
        means = reduce_mean(input_tensor, axis, keepdims=True)
        return reduce_mean(square(input_tensor - means), axis, keepdims=keepdims)


@export("math.reduce_std")
def reduce_std(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """Returns the square root of `reduce_variance` over `axis`."""
    with get_default_graph().name_scope(name or "reduce_std"):
        return sqrt(reduce_variance(input_tensor, axis, keepdims=keepdims))


@export("count_nonzero math.count_nonzero")
def count_nonzero(
    input_tensor: Any = None, axis: Any = None, keepdims: Any = None, dtype: Any = dtypes.int64, name: str | None = None,
    reduction_indices: Any = None, keep_dims: Any = None, input: Any = None,
) -> Tensor:  # fmt: skip
    """Returns how many elements along `axis` are not zero (not empty, for strings).

    Args:
      input_tensor: a numeric, bool or string tensor.
      axis, keepdims, name, reduction_indices, keep_dims: as for `reduce_sum`.
      dtype: the type of the result.
      input: the old name of `input_tensor`.

    >>> count_nonzero([[0, 1], [1, 1]], 0).dtype
    tf.int64
    """
    keepdims = bool(renamed(keepdims, "keepdims", keep_dims, "keep_dims"))
    input_tensor = renamed(input_tensor, "input_tensor", input, "input")
    axis = renamed(axis, "axis", reduction_indices, "reduction_indices")
    with get_default_graph().name_scope(name or "count_nonzero"):
        input_tensor = convert_to_tensor(input_tensor, name="input")
        found = cast(not_equal(input_tensor, zeros([], input_tensor.dtype)), dtypes.int64)
        return cast(reduce_sum(found, axis, keepdims=keepdims), dtype)


# -- running logsumexp -------------------------------------------------------------------------------


@op("CumulativeLogsumexp", along_axis, out="out: T", static="axis", T=TypeSet("float16 float32 float64"), Tidx=INDEX.default_to(int32))
def _cumulative_logsumexp(x: T, axis: Tidx, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """The logarithms of the running sums of `exp(x)` along `axis`."""
    a = int(axis) % x.ndim
    if reverse:
        x = x[(slice(None),) * a + (slice(None, None, -1),)]
    out = np.logaddexp.accumulate(x, axis=a, dtype=x.dtype)
    if exclusive:
        out = np.roll(out, 1, a)
        out[(slice(None),) * a + (slice(None, 1),)] = -np.inf
    return out[(slice(None),) * a + (slice(None, None, -1),)] if reverse else out  # pyright: ignore[reportReturnType]


@export("math.cumulative_logsumexp")
def cumulative_logsumexp(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """Returns the logarithms of the running sums of `exp(x)` along `axis`, without overflow of the exponentials.

    Args:
      x: a floating point tensor of rank at least 1.
      axis, exclusive, reverse: as for `cumsum`; the first sum of `exclusive` is the logarithm of 0.
      name: a name for the operation.
    """
    with get_default_graph().name_scope(name or "CumulativeLogsumexp") as scope:
        return _cumulative_logsumexp(convert_to_tensor(x, name="x"), axis, exclusive, reverse, name=scope)


@grad("CumulativeLogsumexp")
def _(op: Operation, dz: Tensor) -> Any:
    """Positive and negative gradients are summed apart, as logarithms."""
    x, axis = op.inputs
    exclusive, reverse = op.attrs["exclusive"], op.attrs["reverse"]
    lowest = np.asarray(dz.dtype.min, dz.dtype.np_dtype)

    def summed(part: Tensor) -> Tensor:
        positive = part > 0
        logs = where_v2(positive, log(where(positive, part, ones_like(part))), lowest)
        return exp(_cumulative_logsumexp(logs - op.outputs[0], axis, exclusive, not reverse) + x)

    return summed(dz) - summed(-dz), None
