"""TensorList ops under a JAX trace: on the host form while positions are known, on the device form otherwise."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from graphc.lowering.lists import DeviceList, as_device, depth
from graphc.lowering.table import lowers
from ir.opdef import TABLE
from ir.ops.tensor_list import as_dims
from ir.tensor_list import TensorList


def _known(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic, int))


def _host(op_name: str, *args: Any) -> Any:
    body = TABLE[op_name].body
    assert body is not None
    return body(*args)


@lowers("EmptyTensorList")
def empty(element_shape: Any, max_num_elements: Any, element_dtype: Any, name: Any = None) -> Any:
    made = _host("EmptyTensorList", element_shape, max_num_elements, element_dtype)
    made.depth = depth()
    return made


@lowers("TensorListPushBack")
def push_back(input_handle: Any, tensor: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList):
        return _host("TensorListPushBack", input_handle, tensor)
    return input_handle.push(tensor)


@lowers("TensorListPopBack")
def pop_back(input_handle: Any, element_shape: Any, element_dtype: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList):
        return _host("TensorListPopBack", input_handle, element_shape, element_dtype)
    return input_handle.pop(_dims(element_shape))


def _dims(shape: Any) -> Any:
    return as_dims(shape) if _known(shape) else None


@lowers("TensorListGetItem")
def get_item(input_handle: Any, index: Any, element_shape: Any, element_dtype: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList) and _known(index):
        return _host("TensorListGetItem", input_handle, index, element_shape, element_dtype)
    return as_device(input_handle).get(jnp.asarray(index), _dims(element_shape))


@lowers("TensorListSetItem")
def set_item(input_handle: Any, index: Any, item: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList) and _known(index):
        return _host("TensorListSetItem", input_handle, index, item)
    return as_device(input_handle).set(jnp.asarray(index), item)


@lowers("TensorListStack")
def stack(input_handle: Any, element_shape: Any, element_dtype: Any, num_elements: int = -1, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList):
        return _host("TensorListStack", input_handle, element_shape, element_dtype, num_elements)
    return input_handle.stack(_dims(element_shape))


@lowers("TensorListFromTensor")
def from_tensor(tensor: Any, element_shape: Any, name: Any = None) -> Any:
    n = tensor.shape[0]
    empty = _host("TensorListFromTensor", np.zeros((0, *tensor.shape[1:]), tensor.dtype), element_shape)
    return DeviceList(jnp.asarray(tensor), np.array(n, np.int32), np.array(False), n, empty.dtype, tuple(tensor.shape[1:]))


@lowers("TensorListLength")
def length(input_handle: Any, name: Any = None) -> Any:
    return np.array(len(input_handle.items), np.int32) if isinstance(input_handle, TensorList) else input_handle.count


@lowers("TensorListResize")
def resize(input_handle: Any, size: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList):
        return _host("TensorListResize", input_handle, size)
    return input_handle.resized(int(size))


@lowers("TensorListGather")
def gather(input_handle: Any, indices: Any, element_shape: Any, element_dtype: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList) and _known(indices):
        return _host("TensorListGather", input_handle, indices, element_shape, element_dtype)
    return jnp.take(as_device(input_handle).stack(_dims(element_shape)), indices, axis=0, mode="clip")


@lowers("TensorListScatterV2")
def scatter(tensor: Any, indices: Any, element_shape: Any, num_elements: Any, name: Any = None) -> Any:
    if _known(indices):
        return _host("TensorListScatterV2", tensor, indices, element_shape, num_elements)
    n = int(num_elements) if int(num_elements) >= 0 else tensor.shape[0]
    empty = _host("TensorListFromTensor", np.zeros((0, *tensor.shape[1:]), tensor.dtype), element_shape)
    storage = jnp.zeros((n, *tensor.shape[1:]), tensor.dtype).at[indices].set(tensor)
    return DeviceList(storage, np.array(n, np.int32), np.array(False), n, empty.dtype, tuple(tensor.shape[1:]))


@lowers("TensorListScatter")
def scatter_v1(tensor: Any, indices: Any, element_shape: Any, name: Any = None) -> Any:
    if _known(indices):
        return _host("TensorListScatter", tensor, indices, element_shape)
    return scatter(tensor, indices, element_shape, -1)


@lowers("TensorListScatterIntoExistingList")
def scatter_into(input_handle: Any, tensor: Any, indices: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList) and _known(indices):
        return _host("TensorListScatterIntoExistingList", input_handle, tensor, indices)
    made = as_device(input_handle).allocated(tensor[0])
    return made._with(made.storage.at[indices].set(tensor), made.count)


@lowers("TensorListConcatV2")
def concat(input_handle: Any, element_shape: Any, leading_dims: Any, element_dtype: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList):
        return _host("TensorListConcatV2", input_handle, element_shape, leading_dims, element_dtype)
    full = input_handle.stack(_dims(element_shape))
    lengths = np.full((full.shape[0],), full.shape[1], np.int64)
    return jnp.reshape(full, (full.shape[0] * full.shape[1], *full.shape[2:])), lengths


@lowers("TensorListConcatLists")
def concat_lists(input_a: Any, input_b: Any, element_dtype: Any, name: Any = None) -> Any:
    parts = [p if isinstance(p, TensorList) else p.one_by_one() for p in (input_a, input_b)]
    return _host("TensorListConcatLists", *parts, element_dtype)
