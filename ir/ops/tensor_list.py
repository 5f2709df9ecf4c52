"""TensorList ops: what TensorArrays and the stacks of loop gradients are made of."""

from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import grad, op
from ir.dtypes import ANY, INDEX, DType, as_dtype
from ir.infer import Infer, scalar
from ir.opdef import In, Int32, Int64, Type, Variant
from ir.ops.layout import zeros_like as zeros_like_raw
from ir.shapes import Dims
from ir.tensor import Operation, Tensor
from ir.tensor_list import TensorList

Element = Annotated[Any, In("element_dtype")]
ShapeType = Annotated[Any, In("shape_type")]


def as_dims(shape: Any) -> Dims:
    """The shape a value of the `element_shape` inputs states: -1 is unknown, the scalar -1 an unknown rank."""
    array = np.asarray(shape)
    if array.ndim == 0:
        return None
    return tuple(None if int(d) < 0 else int(d) for d in array)


def element_shape(tensor_dims: Dims) -> np.ndarray[Any, Any]:
    """The value of an `element_shape` input that states `tensor_dims`."""
    if tensor_dims is None:
        return np.array(-1, np.int32)
    return np.array([-1 if d is None else d for d in tensor_dims], np.int32)


def _element(index: int) -> Any:
    def shape_fn(c: Infer) -> Dims:
        value = c.value(index)
        return c.shape_value(index) if value is None or value.ndim else None

    return shape_fn


def _stated(c: Infer, index: int) -> Dims:
    return _element(index)(c)


@op("EmptyTensorList", scalar, out="handle: variant", static="element_shape max_num_elements", element_dtype=ANY, shape_type=INDEX)
def empty_tensor_list(element_shape: ShapeType, max_num_elements: Int32, element_dtype: Type, name: str | None = None) -> Tensor:
    """An empty list of tensors of a shape and type; `max_num_elements` is -1 when there is no bound."""
    return TensorList(element_dtype, as_dims(element_shape), (), int(max_num_elements))  # pyright: ignore[reportReturnType]


@op("TensorListReserve", scalar, out="handle: variant", static="element_shape num_elements", element_dtype=ANY, shape_type=INDEX)
def tensor_list_reserve(element_shape: ShapeType, num_elements: Int32, element_dtype: Type, name: str | None = None) -> Tensor:
    """A list of `num_elements` tensors, none of them set: they read as zeros."""
    n = int(num_elements)
    if n < 0:
        raise ValueError(f"num_elements must not be negative, got {n}")
    return TensorList(element_dtype, as_dims(element_shape), (None,) * n, n)  # pyright: ignore[reportReturnType]


@op("TensorListPushBack", scalar, out="output_handle: variant", element_dtype=ANY)
def tensor_list_push_back(input_handle: Variant, tensor: Element, name: str | None = None) -> Tensor:
    """The list with `tensor` at its end."""
    return input_handle.replaced([*input_handle.items, tensor])


@op("TensorListPopBack", lambda c: [(), _stated(c, 1)], out="output_handle: variant, tensor: element_dtype", element_dtype=ANY)
def tensor_list_pop_back(input_handle: Variant, element_shape: Int32, element_dtype: Type, name: str | None = None) -> Any:
    """The list without its last element, and that element."""
    if not input_handle.items:
        raise ValueError("Trying to pop from an empty list.")
    *rest, last = input_handle.items
    if last is None:
        last = np.zeros(input_handle.shape_of_elements(as_dims(element_shape)), input_handle.dtype.np_dtype)
    return input_handle.replaced(rest), last


@op("TensorListGetItem", _element(2), out="item: element_dtype", element_dtype=ANY)
def tensor_list_get_item(input_handle: Variant, index: Int32, element_shape: Int32, element_dtype: Type, name: str | None = None) -> Tensor:
    """Element number `index`; zeros when it was never set."""
    i = int(index)
    if not 0 <= i < len(input_handle.items):
        raise ValueError(f"Trying to access element {i} in a list with {len(input_handle.items)} elements.")
    found: Any = input_handle.items[i]
    if found is None:
        found = np.zeros(input_handle.shape_of_elements(as_dims(element_shape)), input_handle.dtype.np_dtype)
    return found


@op("TensorListSetItem", scalar, out="output_handle: variant", element_dtype=ANY)
def tensor_list_set_item(input_handle: Variant, index: Int32, item: Element, name: str | None = None) -> Tensor:
    """The list with element number `index` replaced by `item`."""
    i, items = int(index), list(input_handle.items)
    if not 0 <= i < len(items):
        raise ValueError(f"Trying to modify element {i} in a list with {len(items)} elements.")
    items[i] = item
    return input_handle.replaced(items)


def _stacked(c: Infer) -> Dims:
    dims = _stated(c, 1)
    n = c.attrs["num_elements"]
    return None if dims is None else (n if n >= 0 else None, *dims)


@op("TensorListStack", _stacked, out="tensor: element_dtype", element_dtype=ANY)
def tensor_list_stack(input_handle: Variant, element_shape: Int32, element_dtype: Type, num_elements: int = -1, name: str | None = None) -> Tensor:
    """All elements, which have one shape, as one tensor with a new first dimension."""
    if num_elements >= 0 and len(input_handle.items) != num_elements:
        raise ValueError(f"Operation expected a list with {num_elements} elements but got a list with {len(input_handle.items)} elements.")
    return input_handle.stack(as_dims(element_shape))


@op("TensorListFromTensor", scalar, out="output_handle: variant", static="element_shape", element_dtype=ANY, shape_type=INDEX)
def tensor_list_from_tensor(tensor: Element, element_shape: ShapeType, name: str | None = None) -> Tensor:
    """The list of the slices of `tensor` along its first dimension."""
    return TensorList(_dtype(tensor), tuple(tensor.shape[1:]), [tensor[i] for i in range(tensor.shape[0])], tensor.shape[0])  # pyright: ignore[reportReturnType]


def _dtype(array: Any) -> DType:
    return as_dtype(np.dtype(array.dtype))


@op("TensorListLength", scalar, out="length: int32", of_shape=True)
def tensor_list_length(input_handle: Variant, name: str | None = None) -> Tensor:
    """The number of elements."""
    return np.array(len(input_handle.items), np.int32)  # pyright: ignore[reportReturnType]


@op("TensorListElementShape", lambda c: None, out="element_shape: shape_type", of_shape=True, shape_type=INDEX)
def tensor_list_element_shape(input_handle: Variant, shape_type: Type, name: str | None = None) -> Tensor:
    """The stated shape of the elements, -1 where it is unknown."""
    return element_shape(input_handle.dims).astype(shape_type.np_dtype)  # pyright: ignore[reportReturnType]


@op("TensorListResize", scalar, out="output_handle: variant", static="size", stateful=True)
def tensor_list_resize(input_handle: Variant, size: Int32, name: str | None = None) -> Tensor:
    """The list cut or filled up with unset elements to `size`."""
    n = int(size)
    items = list(input_handle.items[:n])
    return input_handle.replaced(items + [None] * (n - len(items)))


def _gathered(c: Infer) -> Dims:
    dims, indices = _stated(c, 2), c.dims(1)
    return None if dims is None else (None if indices is None else indices[0], *dims)


@op("TensorListGather", _gathered, out="values: element_dtype", element_dtype=ANY)
def tensor_list_gather(input_handle: Variant, indices: Int32, element_shape: Int32, element_dtype: Type, name: str | None = None) -> Tensor:
    """The elements at `indices`, stacked."""
    items = input_handle.items
    return input_handle.replaced([items[int(i)] for i in np.asarray(indices).reshape(-1)]).stack(as_dims(element_shape))


@op("TensorListScatterV2", scalar, out="output_handle: variant", static="element_shape num_elements", element_dtype=ANY, shape_type=INDEX)
def tensor_list_scatter(tensor: Element, indices: Int32, element_shape: ShapeType, num_elements: Int32, name: str | None = None) -> Tensor:
    """A list with the slices of `tensor` at `indices`; as long as needed when `num_elements` is -1."""
    where = [int(i) for i in np.asarray(indices).reshape(-1)]
    n = max(int(num_elements), max(where, default=-1) + 1)
    items: list[Any] = [None] * n
    for k, i in enumerate(where):
        items[i] = tensor[k]
    return TensorList(_dtype(tensor), as_dims(element_shape), items, n)  # pyright: ignore[reportReturnType]


@op("TensorListScatter", scalar, out="output_handle: variant", static="element_shape", element_dtype=ANY, shape_type=INDEX)
def tensor_list_scatter_v1(tensor: Element, indices: Int32, element_shape: ShapeType, name: str | None = None) -> Tensor:
    """A list with the slices of `tensor` at `indices`, as long as needed."""
    where = [int(i) for i in np.asarray(indices).reshape(-1)]
    items: list[Any] = [None] * (max(where, default=-1) + 1)
    for k, i in enumerate(where):
        items[i] = tensor[k]
    return TensorList(_dtype(tensor), as_dims(element_shape), items, len(items))  # pyright: ignore[reportReturnType]


@op("TensorListScatterIntoExistingList", scalar, out="output_handle: variant", element_dtype=ANY)
def tensor_list_scatter_into(input_handle: Variant, tensor: Element, indices: Int32, name: str | None = None) -> Tensor:
    """The list with the slices of `tensor` at `indices`; it grows where they lie beyond its end."""
    items = list(input_handle.items)
    for k, i in enumerate(np.asarray(indices).reshape(-1).tolist()):
        items.extend([None] * (i + 1 - len(items)))
        items[i] = tensor[k]
    return input_handle.replaced(items)


def _concatenated(c: Infer) -> list[Dims]:
    dims = _stated(c, 1)
    return [None if dims is None else (None, *dims[1:]), (None,)]


@op("TensorListConcatV2", _concatenated, out="tensor: element_dtype, lengths: int64", element_dtype=ANY, shape_type=INDEX)
def tensor_list_concat(input_handle: Variant, element_shape: ShapeType, leading_dims: Int64, element_dtype: Type, name: str | None = None) -> Any:
    """The elements joined along their first dimension, and the length of each there."""
    parts = input_handle.filled(as_dims(element_shape))
    lengths = np.array([p.shape[0] for p in parts], np.int64)
    if not parts:
        dims = as_dims(element_shape) or input_handle.dims or (0,)
        return np.zeros([0, *[d or 0 for d in dims[1:]]], input_handle.dtype.np_dtype), lengths
    return xp.concatenate(parts, axis=0), lengths


@op("TensorListSplit", scalar, out="output_handle: variant", static="element_shape lengths", element_dtype=ANY, shape_type=INDEX)
def tensor_list_split(tensor: Element, element_shape: ShapeType, lengths: Int64, name: str | None = None) -> Tensor:
    """The list of consecutive parts of `tensor` along its first dimension, of the given lengths."""
    ends = np.cumsum(np.asarray(lengths))
    if ends.size and int(ends[-1]) != tensor.shape[0]:
        raise ValueError(f"Expected the lengths to add up to {tensor.shape[0]}, the size of the first dimension, but they give {int(ends[-1])}")
    parts = [tensor[int(e - n) : int(e)] for e, n in zip(ends, np.asarray(lengths), strict=True)]
    return TensorList(_dtype(tensor), as_dims(element_shape), parts, len(parts))  # pyright: ignore[reportReturnType]


@op("TensorListConcatLists", scalar, out="output: variant", element_dtype=ANY)
def tensor_list_concat_lists(input_a: Variant, input_b: Variant, element_dtype: Type, name: str | None = None) -> Tensor:
    """The elements of one list and then those of another."""
    return input_a.replaced([*input_a.items, *input_b.items])


# -- gradients: the same structure as TensorFlow's ---------------------------------------------------------


@grad("TensorListPushBack")
def _(op: Operation, dresult: Tensor) -> Any:
    return tensor_list_pop_back(dresult, _tensor_shape(op.inputs[1]), op.get_attr("element_dtype"))


def _tensor_shape(t: Tensor) -> Any:
    """The `element_shape` input for an element like `t`: known sizes, without needing the value of `t` when the run comes."""
    return element_shape(t.dims)


@grad("TensorListPopBack")
def _(op: Operation, dlist: Tensor | None, delement: Tensor | None) -> Any:
    if dlist is None:
        dlist = zeros_like_raw(op.outputs[0])
    if delement is None:
        delement = zeros_like_raw(op.outputs[1])
    return tensor_list_push_back(dlist, delement), None


@grad("TensorListStack")
def _(op: Operation, dtensor: Tensor) -> Any:
    return tensor_list_from_tensor(dtensor, element_shape(None if dtensor.dims is None else dtensor.dims[1:])), None


@grad("TensorListFromTensor")
def _(op: Operation, dlist: Tensor) -> Any:
    t = op.inputs[0]
    dims = t.dims
    n = -1 if dims is None or dims[0] is None else dims[0]
    return tensor_list_stack(dlist, element_shape(None if dims is None else dims[1:]), t.dtype.base_dtype, n), None


@grad("TensorListGetItem")
def _(op: Operation, ditem: Tensor) -> Any:
    length = tensor_list_length(op.inputs[0])
    empty = tensor_list_reserve(element_shape(ditem.dims), length, ditem.dtype.base_dtype)
    return tensor_list_set_item(empty, op.inputs[1], ditem), None, None


@grad("TensorListSetItem")
def _(op: Operation, dlist: Tensor) -> Any:
    _, index, item = op.inputs
    dims = element_shape(item.dims)
    dtype = item.dtype.base_dtype
    return tensor_list_set_item(dlist, index, zeros_like_raw(item)), None, tensor_list_get_item(dlist, index, dims, dtype)


@grad("TensorListGather")
def _(op: Operation, dtensor: Tensor) -> Any:
    dims = element_shape(None if dtensor.dims is None else dtensor.dims[1:])
    return tensor_list_scatter(dtensor, op.inputs[1], dims, tensor_list_length(op.inputs[0])), None, None


@grad("TensorListScatter", "TensorListScatterV2")
def _(op: Operation, dlist: Tensor) -> Any:
    t, indices = op.inputs[:2]
    dx = tensor_list_gather(dlist, indices, element_shape(None if t.dims is None else t.dims[1:]), t.dtype.base_dtype)
    return [dx, *[None] * (len(op.inputs) - 1)]


@grad("TensorListScatterIntoExistingList")
def _(op: Operation, dlist: Tensor) -> Any:
    _, t, indices = op.inputs
    dx = tensor_list_gather(dlist, indices, element_shape(None if t.dims is None else t.dims[1:]), t.dtype.base_dtype)
    return tensor_list_scatter_into(dlist, zeros_like_raw(t), indices), dx, None


@grad("TensorListConcatV2")
def _(op: Operation, dtensor: Tensor, _: Any) -> Any:
    dims = None if dtensor.dims is None else (None, *dtensor.dims[1:])
    return tensor_list_split(dtensor, element_shape(dims), op.outputs[1]), None, None


@grad("TensorListSplit")
def _(op: Operation, dlist: Tensor) -> Any:
    t, shape, lengths = op.inputs
    return tensor_list_concat(dlist, shape, lengths, t.dtype.base_dtype)[0], None, None


@grad("TensorListResize")
def _(op: Operation, dlist: Tensor) -> Any:
    return tensor_list_resize(dlist, tensor_list_length(op.inputs[0])), None


grad.none("EmptyTensorList TensorListReserve TensorListLength TensorListElementShape", "the output does not depend on tensors that have gradients")
grad.none("TensorListConcatLists", "TensorFlow declares none")
