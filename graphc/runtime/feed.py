"""Feeds: what a caller gives for a tensor, turned into an array of the tensor's type and checked."""

from typing import Any

import jax
import numpy as np

from ir.convert import string_array
from ir.dtypes import DType, string
from ir.graph import Graph
from ir.indexed_slices import IndexedSlices
from ir.shapes import Dims, shape_str
from ir.sparse_tensor import SparseTensor
from ir.tensor import Tensor


def feed_target(graph: Graph, key: Any) -> Tensor:
    """Returns the tensor a feed key means: a Tensor, a name, a variable. Raises TypeError or ValueError otherwise."""
    try:
        found = graph.as_graph_element(key, allow_tensor=True, allow_operation=False)
    except KeyError as e:
        raise TypeError(f"Cannot interpret feed_dict key as Tensor: {e.args[0]}") from None
    except (ValueError, TypeError) as e:
        raise TypeError(f"Cannot interpret feed_dict key as Tensor: {e}") from None
    if not graph.is_feedable(found):
        raise ValueError(f"Tensor {found} may not be fed.")
    return found


def expand(key: Any, value: Any) -> list[tuple[Any, Any]]:
    """Returns the (tensor, value) pairs of one entry of a feed_dict; sparse tensors have several parts."""
    if isinstance(key, SparseTensor):
        indices, values, shape = (value.indices, value.values, value.dense_shape) if hasattr(value, "indices") else value
        return [(key.indices, indices), (key.values, values), (key.dense_shape, shape)]
    if isinstance(key, IndexedSlices):
        parts = (value.values, value.indices, getattr(value, "dense_shape", None)) if hasattr(value, "indices") else value
        pairs = [(key.values, parts[0]), (key.indices, parts[1])]
        return pairs if key.dense_shape is None else [*pairs, (key.dense_shape, parts[2])]
    return [(key, value)]


def feed_array(tensor: Tensor, value: Any) -> Any:
    """Returns `value` as an array of the tensor's dtype, as TF1 converts it.

    Raises TypeError for a Tensor, ValueError for a wrong shape or a value that cannot be converted.
    """
    dtype = tensor.dtype.base_dtype
    if isinstance(value, Tensor) or hasattr(value, "_as_graph_element"):
        raise TypeError(
            "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include Python scalars, strings, lists, numpy ndarrays. "
            f"For reference, the tensor object was {value!r} which was passed to the feed with key {tensor}."
        )
    if isinstance(value, jax.Array) and value.dtype == dtype.np_dtype:
        array: Any = value
    else:
        array = _to_numpy(tensor, value, dtype)
    if not fits(array.shape, tensor.dims):
        raise ValueError(
            f"Cannot feed value of shape {shape_str(array.shape)} for Tensor {tensor.name!r}, which has shape {shape_str(tensor.dims)!r}"
            f"{_declared(tensor)}"
        )
    return array


def fits(shape: tuple[int, ...], dims: Dims) -> bool:
    """Whether a concrete shape fits a static one."""
    if dims is None:
        return True
    return len(shape) == len(dims) and all(d is None or d == s for s, d in zip(shape, dims, strict=True))


def _declared(tensor: Tensor) -> str:
    where = tensor.op.location_line()
    return f" (declared at {where})" if where else ""


def _to_numpy(tensor: Tensor, value: Any, dtype: DType) -> Any:
    try:
        if dtype is string:
            return string_array(np.asarray(value, dtype=object))
        if isinstance(value, int) and not isinstance(value, bool) and dtype.is_integer:
            info = np.iinfo(dtype.np_dtype)
            if not info.min <= value <= info.max:
                raise TypeError(
                    f"Type of feed value {value} with type int is not compatible with Tensor type {dtype.as_numpy_dtype}. "
                    "Try explicitly setting the type of the feed tensor to a larger type (e.g. int64)."
                )
        array = np.asarray(value)
        if array.dtype == object or array.dtype.kind in "SU":
            return np.asarray(value, dtype=dtype.np_dtype)
        if array.dtype == dtype.np_dtype:
            return array
        if np.issubdtype(array.dtype, np.complexfloating) and not dtype.is_complex:
            raise ValueError(f"complex values do not fit {dtype.name}")
        return array.astype(dtype.np_dtype)
    except (ValueError, OverflowError) as e:
        raise ValueError(f"Cannot feed {type(value).__name__} for Tensor {tensor.name!r} of type {dtype.name}{_declared(tensor)}: {e}") from None
