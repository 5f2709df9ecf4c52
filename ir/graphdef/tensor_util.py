"""Arrays as TensorProtos: `tf.make_tensor_proto` and `tf.make_ndarray`."""

from typing import Any

import numpy as np

from ir.build import export
from ir.convert import to_array
from ir.dtypes import as_dtype
from ir.graphdef import protos
from ir.graphdef.attrs import array_of, tensor_proto
from ir.shapes import dims_of


@export("make_ndarray contrib.util.make_ndarray")
def make_ndarray(tensor: Any) -> np.ndarray[Any, Any]:
    """Returns the array that a TensorProto holds, a copy of the caller's own.

    Raises ValueError when the proto is not well-formed.
    """
    return array_of(tensor).copy()


@export("make_tensor_proto contrib.util.make_tensor_proto")
def make_tensor_proto(values: Any, dtype: Any = None, shape: Any = None, verify_shape: bool = False, allow_broadcast: bool = False) -> Any:
    """Returns the TensorProto of a value.

    Args:
      values: a number, string, bool, nested list of them, NumPy array, or a TensorProto, which is returned as it is.
      dtype: the element type; by default as for `tf.constant`.
      shape: the shape. A value with fewer elements is filled up with its last one.
      verify_shape: refuse a value whose shape is not `shape`.
      allow_broadcast: admit one element for any `shape`, even with `verify_shape`.

    Raises TypeError when the value does not fit `dtype` or `shape`, ValueError when it has too many elements.

    >>> make_ndarray(make_tensor_proto([1, 2], shape=[3])).tolist()
    [1, 2, 2]
    """
    if isinstance(values, protos.TensorProto):
        return values
    wanted = None if dtype is None else as_dtype(dtype)
    array = to_array(values, wanted)
    if shape is not None:
        dims = dims_of(shape)
        if dims is None or None in dims:
            raise ValueError(f"The shape of a TensorProto must be fully defined, got {shape}")
        array = _filled(array, tuple(d for d in dims if d is not None), verify_shape and not (allow_broadcast and array.size == 1))
    return tensor_proto(array, wanted)


def _filled(array: np.ndarray[Any, Any], shape: tuple[int, ...], verify: bool) -> np.ndarray[Any, Any]:
    if array.shape == shape:
        return array
    if verify:
        raise TypeError(f"Expected Tensor's shape: {shape}, got {array.shape}.")
    size = int(np.prod(shape, dtype=np.int64))
    if array.size > size:
        raise ValueError(f"Too many elements provided. Needed at most {size}, but received {array.size}")
    if not array.size:
        raise ValueError(f"A value of shape {shape} needs at least one element, got none")
    flat = array.reshape(-1)
    out = np.empty(size, dtype=array.dtype)
    out[: flat.size] = flat
    out[flat.size :] = flat[-1]
    return out.reshape(shape)
