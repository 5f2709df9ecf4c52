"""TensorArray and Stack ops under a JAX trace, where a position may not be known."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from graphc.lowering.lists import DeviceList, as_device, depth
from graphc.lowering.table import lowers
from ir.opdef import TABLE
from ir.shapes import dims_of
from ir.static import NeedsValue
from ir.tensor_list import TensorList


def _known(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic, int))


def _host(op_name: str, *args: Any) -> Any:
    body = TABLE[op_name].body
    assert body is not None
    return body(*args)


def _device(handle: Any) -> DeviceList:
    """The array in the form that takes unknown positions. One that grows cannot: the loop then runs on the host."""
    if isinstance(handle, TensorList) and handle.grows:
        raise NeedsValue("index")
    return as_device(handle)


@lowers("TensorArrayV3")
def tensor_array(size: Any, dtype: Any, *attrs: Any) -> Any:
    flow, made = _host("TensorArrayV3", size, dtype, *attrs)
    made.depth = depth()
    return flow, made


@lowers("TensorArrayWriteV3")
def write(handle: Any, index: Any, value: Any, flow_in: Any, name: Any = None) -> Any:
    if isinstance(handle, TensorList) and _known(index):
        return _host("TensorArrayWriteV3", handle, index, value, flow_in)
    return flow_in, _device(handle).put(jnp.asarray(index), value)


@lowers("TensorArrayReadV3")
def read(handle: Any, index: Any, flow_in: Any, dtype: Any, name: Any = None) -> Any:
    if isinstance(handle, TensorList) and _known(index):
        return _host("TensorArrayReadV3", handle, index, flow_in, dtype)
    return _device(handle).take(jnp.asarray(index))


@lowers("TensorArrayGatherV3")
def gather(handle: Any, indices: Any, flow_in: Any, dtype: Any, element_shape: Any = None, name: Any = None) -> Any:
    if isinstance(handle, TensorList) and _known(indices):
        return _host("TensorArrayGatherV3", handle, indices, flow_in, dtype, element_shape)
    made = _device(handle)
    full = made.stack(dims_of(element_shape))
    if _known(indices) and np.array_equal(indices, np.arange(full.shape[0])):
        return full
    return jnp.take(full, indices, axis=0, mode="clip")


@lowers("TensorArrayScatterV3")
def scatter(handle: Any, indices: Any, value: Any, flow_in: Any, name: Any = None) -> Any:
    n = len(handle.items) if isinstance(handle, TensorList) else handle.size
    if _known(indices) and not handle.adds and np.array_equal(indices, np.arange(n or 0)) and n:
        return flow_in, DeviceList(jnp.asarray(value), np.array(n, np.int32), np.array(False), n, handle.dtype, handle.dims, False, handle.depth)
    if isinstance(handle, TensorList) and _known(indices) and len(np.reshape(indices, -1)) <= 8:
        return _host("TensorArrayScatterV3", handle, indices, value, flow_in)
    made = _device(handle).allocated(value[0])
    where = made.storage.at[indices]
    return flow_in, made._with(where.add(value) if made.adds else where.set(value), made.count)


@lowers("TensorArrayConcatV3")
def concat(handle: Any, flow_in: Any, dtype: Any, element_shape_except0: Any = None, name: Any = None) -> Any:
    if isinstance(handle, TensorList):
        return _host("TensorArrayConcatV3", handle, flow_in, dtype, element_shape_except0)
    full = handle.stack()
    return jnp.reshape(full, (full.shape[0] * full.shape[1], *full.shape[2:])), np.full((full.shape[0],), full.shape[1], np.int64)


@lowers("TensorArraySplitV3")
def split(handle: Any, value: Any, lengths: Any, flow_in: Any, name: Any = None) -> Any:
    if isinstance(handle, TensorList):
        return _host("TensorArraySplitV3", handle, value, lengths, flow_in)
    n = handle.size
    parts = jnp.reshape(value, (n, value.shape[0] // max(n, 1), *value.shape[1:]))
    return scatter(handle, np.arange(n), parts, flow_in)


@lowers("StackV2")
def stack(max_size: Any, elem_type: Any, stack_name: Any = "", name: Any = None) -> Any:
    made = _host("StackV2", max_size, elem_type)
    made.depth = depth()
    return made


@lowers("StackPushV2")
def push(handle: Any, elem: Any, swap_memory: bool = False, name: Any = None) -> Any:
    if isinstance(handle, TensorList):
        return _host("StackPushV2", handle, elem)
    return elem, handle.push(elem)


@lowers("StackPopV2")
def pop(handle: Any, elem_type: Any, name: Any = None) -> Any:
    if isinstance(handle, TensorList):
        return _host("StackPopV2", handle, elem_type)
    rest, last = handle.pop()
    return last, rest
