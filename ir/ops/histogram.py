"""Counting values in bins: Bincount and HistogramFixedWidth."""

from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import INDEX, TypeSet, as_dtype, int32
from ir.errors import InvalidArgumentError
from ir.infer import Infer
from ir.opdef import Int32, T, Type
from ir.ops.arith import maximum, minimum, truediv
from ir.ops.cast import cast
from ir.ops.clip import clip_by_value
from ir.ops.elementwise import floor
from ir.ops.layout import reshape, shape, sizes
from ir.ops.reduce import reduce_max, reduce_prod
from ir.shapes import Dims
from ir.tensor import Tensor

COUNTED = TypeSet("int32 int64 float32 float64")


def _bins(c: Infer) -> Dims:
    size = c.value(1)
    if size is not None and size < 0:
        raise ValueError(f"size ({int(size)}) must be non-negative")
    return (None if size is None else int(size),)


# a size that follows from the values is not worth a compilation for each of them: then it runs on the host
@op("Bincount", _bins, out="bins: T", static="size", dynamic=True, T=COUNTED)
def _bincount(arr: Int32, size: Int32, weights: T, name: str | None = None) -> Tensor:
    """How often each of 0 .. size - 1 is in `arr`, or the sums of the weights there; larger values do not count."""
    n = sizes(size)[0]
    if isinstance(arr, np.ndarray) and arr.size and arr.min() < 0:
        raise InvalidArgumentError(None, None, "Input arr must be non-negative!")
    places = xp.reshape(arr, (-1,))
    each = xp.reshape(weights, (-1,)) if weights.size else np.ones(places.shape, weights.dtype)
    return _summed(places, each, n)


def _summed(places: Any, each: Any, n: int) -> Any:
    """Returns the sums of `each` by place; what is outside 0 .. n - 1 does not count."""
    if xp.is_numpy([places, each]):
        out = np.zeros(n, each.dtype)
        inside = (places >= 0) & (places < n)
        np.add.at(out, places[inside], each[inside])
        return out
    out = xp.namespace(places, each).zeros(n, each.dtype)
    return out.at[places].add(each, mode="drop", wrap_negative_indices=False)


@export("bincount math.bincount")
def bincount(arr: Any, weights: Any = None, minlength: Any = None, maxlength: Any = None, dtype: Any = int32) -> Tensor:
    """Counts how often each non-negative integer is in `arr`.

    Args:
      arr: an int32 tensor of non-negative values.
      weights: a tensor of the shape of `arr`, added up instead of ones.
      minlength: at least so many bins.
      maxlength: at most so many bins; larger values do not count.
      dtype: the type of the counts when there are no weights: int32, int64, float32 or float64.

    Returns a vector with a bin for each of 0 .. largest value, of the type of the weights.

    >>> bincount([1, 1, 3], minlength=5, maxlength=5).shape.as_list()
    [5]
    """
    with get_default_graph().name_scope("bincount"):
        arr = convert_to_tensor(arr, int32, name="arr")
        size = cast(reduce_prod(shape(arr)) > 0, int32) * (reduce_max(arr) + 1)
        if minlength is not None:
            size = maximum(convert_to_tensor(minlength, int32, name="minlength"), size)
        if maxlength is not None:
            size = minimum(convert_to_tensor(maxlength, int32, name="maxlength"), size)
        if weights is None:
            weights = constant([], as_dtype(dtype))
        elif not isinstance(weights, Tensor):
            weights = convert_to_tensor(weights, name="weights")
        return _bincount(arr, size, weights)


def _histogram_dims(c: Infer) -> Dims:
    n = c.value(2)
    c.rank(1, 1)
    if n is not None and n <= 0:
        raise ValueError(f"Requires nbins > 0: {int(n)}")
    return (None if n is None else int(n),)


@op("HistogramFixedWidth", _histogram_dims, out="out: dtype", static="nbins", T=COUNTED, dtype=INDEX)
def _histogram_fixed_width(values: T, value_range: T, nbins: Int32, dtype: Type = int32, name: str | None = None) -> Tensor:
    """How many values are in each of `nbins` bins of equal width; values outside count in the first or last one."""
    n = sizes(nbins)[0]
    low, high = value_range[0], value_range[1]
    if xp.is_numpy(value_range) and low >= high:
        raise InvalidArgumentError(None, None, f"value_range should satisfy value_range[0] < value_range[1], but got [{low}, {high}]")
    step = (xp.astype(high, np.float64) - xp.astype(low, np.float64)) / np.float64(n)
    above = xp.astype(xp.subtract(xp.maximum(values, low), low), np.float64)
    places = xp.astype(xp.minimum(xp.floor(xp.divide(above, step)), np.float64(n - 1)), np.int32)
    flat = xp.reshape(places, (-1,))
    return _summed(flat, np.ones(flat.shape, dtype.np_dtype), n)


grad.none("Bincount HistogramFixedWidth", "a count is not a continuous function of the values")


@export("histogram_fixed_width")
def histogram_fixed_width(values: Any, value_range: Any, nbins: Any = 100, dtype: Any = int32, name: str | None = None) -> Tensor:
    """Counts the values in bins of equal width.

    Args:
      values: a tensor of int32, int64, float32 or float64.
      value_range: a vector (lower border, upper border) of the same type; values outside count in the first or last bin.
      nbins: the number of bins.
      dtype: the type of the counts, int32 or int64.
      name: a name for the operation.

    >>> histogram_fixed_width([0.0, 1.0, 5.0], [0.0, 5.0], nbins=5).shape.as_list()
    [5]
    """
    with get_default_graph().name_scope(name or "histogram_fixed_width") as scope:
        return _histogram_fixed_width(values, value_range, nbins, as_dtype(dtype), name=scope)


@export("histogram_fixed_width_bins")
def histogram_fixed_width_bins(values: Any, value_range: Any, nbins: Any = 100, dtype: Any = int32, name: str | None = None) -> Tensor:
    """Returns for each value the number of its bin; the arguments are those of `histogram_fixed_width`.

    Returns a tensor of `dtype` and the shape of `values`.

    >>> histogram_fixed_width_bins([0.0, 1.0, 5.0], [0.0, 5.0], nbins=5).shape.as_list()
    [3]
    """
    with get_default_graph().name_scope(name or "histogram_fixed_width_bins"):
        values = convert_to_tensor(values, name="values")
        all_sizes = shape(values)
        flat = reshape(values, [-1])
        limits = convert_to_tensor(value_range, values.dtype.base_dtype, name="value_range")
        n = cast(convert_to_tensor(nbins, int32, name="nbins"), flat.dtype)
        scaled = truediv(flat - limits[0], limits[1] - limits[0], name="scaled_values")
        places = clip_by_value(floor(n * scaled, name="indices"), 0, n - 1)
        return reshape(cast(places, dtype), all_sizes)
