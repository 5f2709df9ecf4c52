"""TensorArray and Stack ops under a JAX trace, where a position may not be known."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from graphc.lowering.lists import as_device
from graphc.lowering.table import lowers
from graphc.lowering.tensor_list import joined, known, on_host, whole_list
from ir.shapes import dims_of
from ir.static import NeedsValue
from ir.tensor_list import TensorList


@lowers("TensorArrayWriteV3")
def write(handle: Any, index: Any, value: Any, flow_in: Any, name: Any = None) -> Any:
    if isinstance(handle, TensorList) and known(index):
        return on_host("TensorArrayWriteV3", handle, index, value, flow_in)
    return flow_in, as_device(handle).put(jnp.asarray(index), value)


@lowers("TensorArrayReadV3")
def read(handle: Any, index: Any, flow_in: Any, dtype: Any, name: Any = None) -> Any:
    if isinstance(handle, TensorList) and known(index):
        return on_host("TensorArrayReadV3", handle, index, flow_in, dtype)
    return as_device(handle).take(jnp.asarray(index))


@lowers("TensorArrayGatherV3")
def gather(handle: Any, indices: Any, flow_in: Any, dtype: Any, element_shape: Any = None, name: Any = None) -> Any:
    if isinstance(handle, TensorList) and known(indices):
        return on_host("TensorArrayGatherV3", handle, indices, flow_in, dtype, element_shape)
    made, dims = as_device(handle), dims_of(element_shape)
    if made.known is not None and known(indices) and np.array_equal(indices, np.arange(made.known)):
        return made.stack(dims)
    return made.at(indices, dims)


@lowers("TensorArraySizeV3")
def size(handle: Any, flow_in: Any, name: Any = None) -> Any:
    return handle.length() if isinstance(handle, TensorList) else handle.size_value()


@lowers("TensorArrayScatterV3")
def scatter(handle: Any, indices: Any, value: Any, flow_in: Any, name: Any = None) -> Any:
    n = len(handle.items) if isinstance(handle, TensorList) else handle.known
    if known(indices) and not handle.adds and n and np.array_equal(indices, np.arange(n)):
        grows = handle.grows if isinstance(handle, TensorList) else handle.kind.grows
        return flow_in, whole_list(value, False, grows)
    if isinstance(handle, TensorList) and known(indices) and len(np.reshape(indices, -1)) <= 8:
        return on_host("TensorArrayScatterV3", handle, indices, value, flow_in)
    made = as_device(handle)
    if made.kind.grows:
        if not known(indices):
            raise NeedsValue("indices")
        made = made.resized(max(made.known or 0, int(np.max(indices, initial=-1)) + 1))
    return flow_in, made.scattered(indices, value)


@lowers("TensorArrayConcatV3")
def concat(handle: Any, flow_in: Any, dtype: Any, element_shape_except0: Any = None, name: Any = None) -> Any:
    if isinstance(handle, TensorList):
        return on_host("TensorArrayConcatV3", handle, flow_in, dtype, element_shape_except0)
    return joined(handle.stack())


@lowers("TensorArraySplitV3")
def split(handle: Any, value: Any, lengths: Any, flow_in: Any, name: Any = None) -> Any:
    if isinstance(handle, TensorList):
        return on_host("TensorArraySplitV3", handle, value, lengths, flow_in)
    n = handle.known if handle.known is not None else len(lengths)
    parts = jnp.reshape(value, (n, value.shape[0] // max(n, 1), *value.shape[1:]))
    return scatter(handle, np.arange(n), parts, flow_in)


@lowers("StackPushV2")
def push(handle: Any, elem: Any, swap_memory: bool = False, name: Any = None) -> Any:
    if isinstance(handle, TensorList):
        return on_host("StackPushV2", handle, elem)
    return elem, handle.push(elem)


@lowers("StackPopV2")
def pop(handle: Any, elem_type: Any, name: Any = None) -> Any:
    if isinstance(handle, TensorList):
        return on_host("StackPopV2", handle, elem_type)
    rest, last = handle.pop()
    return last, rest


