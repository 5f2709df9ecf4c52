"""TensorArray and Stack ops as TensorFlow 1 graphs hold them: resources that live for one run.

The state of an array is a list of tensors; the `flow` scalars only carry the order. An array of gradients adds up what
is written to one element.
"""

from typing import Any

import numpy as np

from ir import xp
from ir.backprop_source import gradient_source
from ir.build import grad, op
from ir.dtypes import ANY
from ir.infer import Infer, no_outputs, scalar
from ir.opdef import Float32, Int32, Int64, Resource, Shape, T, Type
from ir.shapes import Dims, dims_of
from ir.tensor import Operation, Tensor
from ir.tensor_list import TensorList

#: what names a `dtype` of the elements: TensorArray ops with an output call it dtype, those with a value T
_FLOW = "flow_out: float32"


@op("TensorArrayV3", lambda c: [(), ()], out="handle: resource, flow: float32", creates="tensor_array", stateful=True, static="size", dtype=ANY)
def tensor_array(
    size: Int32, dtype: Type, element_shape: Shape = None, dynamic_size: bool = False, clear_after_read: bool = True,
    identical_element_shapes: bool = False, tensor_array_name: str = "", name: str | None = None,
) -> Any:  # fmt: skip
    """An array of `size` tensors."""
    n = int(size)
    if n < 0:
        raise ValueError(f"Size should be >= 0, got {n}")
    return np.zeros((), np.float32), TensorList(dtype, dims_of(element_shape), (None,) * n, n, False, dynamic_size)


@op("TensorArrayGradV3", lambda c: [(), ()], out="grad_handle: resource, flow_out: float32", creates="tensor_array_grad", stateful=True)
def tensor_array_grad(handle: Resource, flow_in: Float32, source: str, name: str | None = None) -> Any:
    """The array of the gradients of the elements of another; one per `source`."""
    ...


def _like(c: Infer) -> Dims:
    return None


@op("TensorArrayWriteV3", scalar, out=_FLOW, writes="handle", T=ANY)
def tensor_array_write(handle: Resource, index: Int32, value: T, flow_in: Float32, name: str | None = None) -> Any:
    """Sets element `index`."""
    return flow_in, handle.put(index, value)


@op("TensorArrayReadV3", _like, out="value: dtype", reads="handle", dtype=ANY)
def tensor_array_read(handle: Resource, index: Int32, flow_in: Float32, dtype: Type, name: str | None = None) -> Tensor:
    """Element `index`."""
    return handle.take(index)


def _gathered(c: Infer) -> Dims:
    dims, indices = dims_of(c.attrs["element_shape"]), c.dims(1)
    return None if dims is None else (None if indices is None else indices[0], *dims)


@op("TensorArrayGatherV3", _gathered, out="value: dtype", reads="handle", dtype=ANY)
def tensor_array_gather(handle: Resource, indices: Int32, flow_in: Float32, dtype: Type, element_shape: Shape = None, name: str | None = None) -> Tensor:
    """The elements at `indices`, stacked."""
    dims = dims_of(element_shape)
    where = np.asarray(indices).reshape(-1)
    if not where.size:
        return np.zeros((0, *handle.shape_of_elements(dims)), dtype.np_dtype)  # pyright: ignore[reportReturnType]
    if not handle.adds and all(handle.items[int(i)] is None for i in where):
        raise ValueError(f"Could not read index {int(where[0])}: it was never written to")
    return handle.replaced([handle.items[int(i)] for i in where]).stack(dims)


@op("TensorArrayScatterV3", scalar, out=_FLOW, writes="handle", T=ANY)
def tensor_array_scatter(handle: Resource, indices: Int32, value: T, flow_in: Float32, name: str | None = None) -> Any:
    """Sets the elements at `indices` to the slices of `value`."""
    made = handle
    for k, i in enumerate(np.asarray(indices).reshape(-1).tolist()):
        made = made.put(i, value[k])
    return flow_in, made


@op("TensorArraySizeV3", scalar, out="size: int32", reads="handle", of_shape=True)
def tensor_array_size(handle: Resource, flow_in: Float32, name: str | None = None) -> Tensor:
    """The number of elements."""
    return handle.length()


@op("TensorArrayConcatV3", lambda c: [None, (None,)], out="value: dtype, lengths: int64", reads="handle", dtype=ANY)
def tensor_array_concat(handle: Resource, flow_in: Float32, dtype: Type, element_shape_except0: Shape = None, name: str | None = None) -> Any:
    """The elements joined along their first dimension, and the length of each there."""
    if not handle.items:
        rest = dims_of(element_shape_except0) or ()
        return np.zeros([0, *[d or 0 for d in rest]], dtype.np_dtype), np.zeros((0,), np.int64)
    parts = handle.filled()
    return xp.concatenate(parts, axis=0), np.array([p.shape[0] for p in parts], np.int64)


@op("TensorArraySplitV3", scalar, out=_FLOW, writes="handle", static="lengths", T=ANY)
def tensor_array_split(handle: Resource, value: T, lengths: Int64, flow_in: Float32, name: str | None = None) -> Any:
    """Sets the elements to consecutive parts of `value`, of the given lengths."""
    made, at = handle, 0
    for i, n in enumerate(np.asarray(lengths).tolist()):
        made = made.put(i, value[at : at + n])
        at += n
    return flow_in, made


@op("TensorArrayCloseV3", no_outputs, out="", stateful=True, writes="handle")
def tensor_array_close(handle: Resource, name: str | None = None) -> Any:
    """Frees the elements."""
    return handle


@op("StackV2", scalar, out="handle: resource", creates="stack", stateful=True, static="max_size")
def stack_v2(max_size: Int32, elem_type: Type, stack_name: str = "", name: str | None = None) -> Any:
    """An empty stack of tensors; `max_size` is negative when there is no bound."""
    return TensorList(elem_type, None, (), int(max_size))


@op("StackPushV2", lambda c: c.dims(1), out="output: T", writes="handle", T=ANY)
def stack_push_v2(handle: Resource, elem: T, swap_memory: bool = False, name: str | None = None) -> Any:
    """Pushes `elem` and returns it."""
    return elem, handle.replaced([*handle.items, elem])


@op("StackPopV2", _like, out="elem: elem_type", writes="handle", elem_type=ANY)
def stack_pop_v2(handle: Resource, elem_type: Type, name: str | None = None) -> Any:
    """Pops the last element."""
    if not handle.items:
        raise ValueError("Stack is empty when calling Pop()")
    *rest, last = handle.items
    return last, handle.replaced(rest)


@op("StackCloseV2", no_outputs, out="", stateful=True, writes="handle")
def stack_close_v2(handle: Resource, name: str | None = None) -> Any:
    """Frees the elements."""
    return handle


# -- gradients ---------------------------------------------------------------------------------------------


def _grad_array(op: Operation, flow: Tensor) -> Any:
    return tensor_array_grad(op.inputs[0], flow, gradient_source())


@grad("TensorArrayReadV3")
def _(op: Operation, dy: Tensor) -> Any:
    _, index, flow = op.inputs
    g = _grad_array(op, flow)
    return None, None, tensor_array_write(g.grad_handle, index, dy, g.flow_out)


@grad("TensorArrayWriteV3")
def _(op: Operation, dflow: Tensor) -> Any:
    _, index, value, _ = op.inputs
    g = _grad_array(op, dflow)
    dvalue = tensor_array_read(g.grad_handle, index, g.flow_out, value.dtype.base_dtype)
    dvalue.set_shape(value.dims)
    return None, None, dvalue, dflow


@grad("TensorArrayGatherV3")
def _(op: Operation, dy: Tensor) -> Any:
    _, indices, flow = op.inputs
    g = _grad_array(op, flow)
    return None, None, tensor_array_scatter(g.grad_handle, indices, dy, g.flow_out)


@grad("TensorArrayScatterV3")
def _(op: Operation, dflow: Tensor) -> Any:
    _, indices, value, _ = op.inputs
    g = _grad_array(op, dflow)
    dims = None if value.dims is None else value.dims[1:]
    dvalue = tensor_array_gather(g.grad_handle, indices, g.flow_out, value.dtype.base_dtype, dims)
    dvalue.set_shape(value.dims)
    return None, None, dvalue, dflow


@grad("TensorArrayConcatV3")
def _(op: Operation, dy: Tensor, _: Any) -> Any:
    _, flow = op.inputs
    g = _grad_array(op, flow)
    return None, tensor_array_split(g.grad_handle, dy, op.outputs[1], g.flow_out)


@grad("TensorArraySplitV3")
def _(op: Operation, dflow: Tensor) -> Any:
    _, value, _, _ = op.inputs
    g = _grad_array(op, dflow)
    dvalue = tensor_array_concat(g.grad_handle, g.flow_out, value.dtype.base_dtype)[0]
    dvalue.set_shape(value.dims)
    return None, dvalue, None, dflow


grad.none("TensorArrayV3 TensorArrayGradV3 TensorArraySizeV3 TensorArrayCloseV3", "TensorFlow declares none: handles and sizes are not continuous")
grad.none("StackV2 StackPushV2 StackPopV2 StackCloseV2", "stacks belong to recorded gradients of loops, which TensorFlow cannot differentiate again")

