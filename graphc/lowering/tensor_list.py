"""TensorList ops under a JAX trace: on the host form while positions are known, on the device form otherwise."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from graphc.lowering.lists import DeviceList, Kind, as_device
from graphc.lowering.table import lowers
from ir.dtypes import as_dtype
from ir.opdef import TABLE
from ir.ops.tensor_list import as_dims
from ir.tensor_list import TensorList


def known(value: Any) -> bool:
    """Whether a value is known while tracing."""
    return isinstance(value, (np.ndarray, np.generic, int))


def on_host(op_name: str, *args: Any) -> Any:
    """Calls the body of an op."""
    body = TABLE[op_name].body
    assert body is not None
    return body(*args)


def _dims(shape: Any) -> Any:
    return as_dims(shape) if known(shape) else None


@lowers("TensorListPushBack")
def push_back(input_handle: Any, tensor: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList):
        return on_host("TensorListPushBack", input_handle, tensor)
    return input_handle.push(tensor)


@lowers("TensorListPopBack")
def pop_back(input_handle: Any, element_shape: Any, element_dtype: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList):
        return on_host("TensorListPopBack", input_handle, element_shape, element_dtype)
    return input_handle.pop(_dims(element_shape))


@lowers("TensorListGetItem")
def get_item(input_handle: Any, index: Any, element_shape: Any, element_dtype: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList) and known(index):
        return on_host("TensorListGetItem", input_handle, index, element_shape, element_dtype)
    return as_device(input_handle).get(jnp.asarray(index), _dims(element_shape))


@lowers("TensorListSetItem")
def set_item(input_handle: Any, index: Any, item: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList) and known(index):
        return on_host("TensorListSetItem", input_handle, index, item)
    return as_device(input_handle).set(jnp.asarray(index), item)


@lowers("TensorListStack")
def stack(input_handle: Any, element_shape: Any, element_dtype: Any, num_elements: int = -1, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList):
        return on_host("TensorListStack", input_handle, element_shape, element_dtype, num_elements)
    return input_handle.stack(_dims(element_shape), num_elements if num_elements >= 0 else None)


@lowers("TensorListFromTensor")
def from_tensor(tensor: Any, element_shape: Any, name: Any = None) -> Any:
    return whole_list(tensor)


def whole_list(tensor: Any, adds: bool = False, grows: bool = False) -> DeviceList:
    """The list of the slices of `tensor`."""
    n = tensor.shape[0]
    return DeviceList(jnp.asarray(tensor), n, n, Kind(as_dtype(np.dtype(tensor.dtype)), tuple(tensor.shape[1:]), adds, grows))


@lowers("TensorListLength")
def length(input_handle: Any, name: Any = None) -> Any:
    return np.array(len(input_handle.items), np.int32) if isinstance(input_handle, TensorList) else input_handle.size_value()


@lowers("TensorListResize")
def resize(input_handle: Any, size: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList) and known(size):
        return on_host("TensorListResize", input_handle, size)
    return as_device(input_handle).resized(size)


@lowers("TensorListGather")
def gather(input_handle: Any, indices: Any, element_shape: Any, element_dtype: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList) and known(indices):
        return on_host("TensorListGather", input_handle, indices, element_shape, element_dtype)
    return as_device(input_handle).at(indices, _dims(element_shape))


@lowers("TensorListScatterV2")
def scatter(tensor: Any, indices: Any, element_shape: Any, num_elements: Any, name: Any = None) -> Any:
    if known(indices):
        return on_host("TensorListScatterV2", tensor, indices, element_shape, num_elements)
    n = int(num_elements) if int(num_elements) >= 0 else tensor.shape[0]
    return whole_list(jnp.zeros((n, *tensor.shape[1:]), tensor.dtype).at[indices].set(tensor))


@lowers("TensorListScatter")
def scatter_v1(tensor: Any, indices: Any, element_shape: Any, name: Any = None) -> Any:
    if known(indices):
        return on_host("TensorListScatter", tensor, indices, element_shape)
    return scatter(tensor, indices, element_shape, -1)


@lowers("TensorListScatterIntoExistingList")
def scatter_into(input_handle: Any, tensor: Any, indices: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList) and known(indices):
        return on_host("TensorListScatterIntoExistingList", input_handle, tensor, indices)
    made = as_device(input_handle)
    if known(indices) and np.size(indices):
        made = made.resized(max(made.known or 0, int(np.max(indices)) + 1)) if made.known is not None else made
    return made.scattered(indices, tensor)


@lowers("TensorListConcatV2")
def concat(input_handle: Any, element_shape: Any, leading_dims: Any, element_dtype: Any, name: Any = None) -> Any:
    if isinstance(input_handle, TensorList):
        return on_host("TensorListConcatV2", input_handle, element_shape, leading_dims, element_dtype)
    return joined(input_handle.stack(_dims(element_shape)))


def joined(full: Any) -> Any:
    """The slices of `full` joined along their first dimension, and the length of each there."""
    lengths = np.full((full.shape[0],), full.shape[1], np.int64)
    return jnp.reshape(full, (full.shape[0] * full.shape[1], *full.shape[2:])), lengths


@lowers("TensorListSplit")
def split(tensor: Any, element_shape: Any, lengths: Any, name: Any = None) -> Any:
    sizes = np.asarray(lengths)
    if not sizes.size or not (sizes == sizes[0]).all():
        return on_host("TensorListSplit", tensor, element_shape, lengths)
    if int(sizes.sum()) != tensor.shape[0]:
        raise ValueError(f"Expected the lengths to add up to {tensor.shape[0]}, the size of the first dimension, but they give {int(sizes.sum())}")
    return whole_list(jnp.reshape(tensor, (len(sizes), int(sizes[0]), *tensor.shape[1:])))




@lowers("TensorListConcatLists")
def concat_lists(input_a: Any, input_b: Any, element_dtype: Any, name: Any = None) -> Any:
    parts = [p if isinstance(p, TensorList) else p.one_by_one() for p in (input_a, input_b)]
    return on_host("TensorListConcatLists", *parts, element_dtype)
