"""Reading and updating parts of variables: the scatter ops, gathering from a resource, and counting.

`ScatterX` writes rows of a reference and `ResourceScatterX` of a resource, one row for each index; equal indices add
up, one after the other. `ScatterNdX` writes elements or slices that index vectors name. An index out of range raises when the host
computes; compiled, its update is dropped.
"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import grad, op
from ir.dtypes import ANY, INDEX, NUMBER, DType, TypeSet
from ir.errors import InvalidArgumentError, OutOfRangeError
from ir.indexed_slices import IndexedSlices
from ir.infer import Infer
from ir.opdef import In, RefT, Resource, T, Type
from ir.ops import joining, layout
from ir.ops.scatter_util import scatter_rows, take_rows
from ir.ops.state import handle_dims, variable_shape
from ir.shapes import Dims, compatible, merge_dims, shape_str
from ir.tensor import Operation, Tensor

Tindices = Annotated[Any, In("Tindices")]
Dtype = Annotated[Any, In("dtype")]
COUNTABLE = TypeSet("int32 int64")
ORDERED = TypeSet("float16 bfloat16 float32 float64 int32 int64")


# -- rows --------------------------------------------------------------------------------------------


def _state_dims(c: Infer) -> Dims:
    return handle_dims(c) if c.tensors[0].dtype.name == "resource" else c.dims(0)


def _result(c: Infer, dims: Dims) -> Any:
    return dims if c.opdef.outputs else []


def _rows(c: Infer) -> Any:
    """`updates` is a scalar, or has the shape of `indices` followed by that of the variable's rows."""
    state, indices, updates = _state_dims(c), c.dims(1), c.dims(2)
    if state is not None and not state:
        raise ValueError("a scalar variable has no rows")
    if state is not None and indices is not None and updates not in ((), None) and not compatible(indices + state[1:], updates):
        wanted = shape_str(indices + state[1:])
        raise ValueError(f"updates must have the shape of indices followed by that of a row, {wanted}, or be a scalar; got {shape_str(updates)}")
    return _result(c, state)


def _row_op(name: str, how: str, types: TypeSet, locking: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Defines `Scatter{name}` and `ResourceScatter{name}`."""

    @op(f"Scatter{name}", _rows, out="output_ref: ref T", writes="ref", T=types, Tindices=INDEX)
    def scatter(ref: RefT, indices: Tindices, updates: T, use_locking: bool = locking, name: str | None = None) -> Tensor:
        """Combines rows of a reference variable with `updates` and returns the reference."""
        return scatter_rows(ref, indices, updates, how)

    @op(f"ResourceScatter{name}", _rows, out="", writes="resource", dtype=ANY if how == "set" else NUMBER, Tindices=INDEX)
    def resource_scatter(resource: Resource, indices: Tindices, updates: Dtype, name: str | None = None) -> Operation:
        """Combines rows of a variable with `updates`."""
        return scatter_rows(resource, indices, updates, how)

    return scatter, resource_scatter


scatter_update, resource_scatter_update = _row_op("Update", "set", ANY, True)
scatter_add, resource_scatter_add = _row_op("Add", "add", NUMBER, False)
scatter_sub, resource_scatter_sub = _row_op("Sub", "sub", NUMBER, False)
scatter_mul, resource_scatter_mul = _row_op("Mul", "mul", NUMBER, False)
scatter_div, resource_scatter_div = _row_op("Div", "div", NUMBER, False)
scatter_min, resource_scatter_min = _row_op("Min", "min", ORDERED, False)
scatter_max, resource_scatter_max = _row_op("Max", "max", ORDERED, False)


# -- elements and slices -------------------------------------------------------------------------------


def _elements(c: Infer) -> Any:
    """`indices` is [..., k] with k at most the variable's rank; `updates` has the shape [...] + the variable's from k on."""
    state, indices, updates = _state_dims(c), c.dims(1), c.dims(2)
    if indices is not None:
        if not indices:
            raise ValueError("indices must have rank at least 1, got a scalar")
        depth = indices[-1]
        if state is not None and depth is not None:
            if depth > len(state):
                raise ValueError(f"the last dimension of indices, {depth}, must be at most the rank of the variable, {len(state)}")
            if not compatible(indices[:-1] + state[depth:], updates):
                raise ValueError(f"updates must have shape {shape_str(indices[:-1] + state[depth:])}, got {shape_str(updates)}")
    return _result(c, state)


def flat_rows(shape: tuple[int, ...], indices: Any) -> Any:
    """Returns row numbers in an array of shape [product of the leading sizes, ...] for index vectors; -1 for one out of range.

    Raises InvalidArgumentError for an index out of range when `indices` is NumPy's.
    """
    depth = indices.shape[-1]
    vectors = xp.reshape(indices, (-1, depth))
    lead = np.array(shape[:depth], dtype=np.dtype(indices.dtype))
    inside = xp.all((vectors >= 0) & (vectors < lead), axis=-1)
    if xp.is_numpy(indices) and not inside.all():
        at = int(np.flatnonzero(~inside)[0])
        where = ",".join(map(str, np.unravel_index(at, indices.shape[:-1]))) if indices.ndim > 1 else ""
        raise InvalidArgumentError(None, None, f"indices[{where}] = {vectors[at].tolist()} does not index into shape {list(shape)}")
    steps = np.array([int(np.prod(shape[i + 1 : depth], dtype=np.int64)) for i in range(depth)], dtype=lead.dtype)
    return xp.where(inside, xp.sum(vectors * steps, axis=-1), np.array(-1, lead.dtype))


def scatter_elements(array: Any, indices: Any, updates: Any, how: str) -> Any:
    """Returns `array` with the elements or slices at `indices` [..., k] combined with `updates`."""
    shape = tuple(array.shape)
    depth = indices.shape[-1]
    rows = flat_rows(shape, indices)
    flat = xp.reshape(array, (int(np.prod(shape[:depth], dtype=np.int64)), *shape[depth:]))
    return xp.reshape(scatter_rows(flat, rows, xp.reshape(updates, (rows.shape[0], *shape[depth:])), how), shape)


def _element_op(name: str, how: str, types: TypeSet, locking: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Defines `ScatterNd{name}` and `ResourceScatterNd{name}`."""

    @op(f"ScatterNd{name}", _elements, out="output_ref: ref T", writes="ref", T=types, Tindices=INDEX)
    def scatter(ref: RefT, indices: Tindices, updates: T, use_locking: bool = locking, name: str | None = None) -> Tensor:
        """Combines elements or slices of a reference variable with `updates` and returns the reference."""
        return scatter_elements(ref, indices, updates, how)

    @op(f"ResourceScatterNd{name}", _elements, out="", writes="ref", T=ANY, Tindices=INDEX)
    def resource_scatter(ref: Resource, indices: Tindices, updates: T, use_locking: bool = True, name: str | None = None) -> Operation:
        """Combines elements or slices of a variable with `updates`."""
        return scatter_elements(ref, indices, updates, how)

    return scatter, resource_scatter


scatter_nd_update, resource_scatter_nd_update = _element_op("Update", "set", ANY, True)
scatter_nd_add, resource_scatter_nd_add = _element_op("Add", "add", NUMBER, False)
scatter_nd_sub, resource_scatter_nd_sub = _element_op("Sub", "sub", NUMBER, False)

_NAMES = ("Update", "Add", "Sub", "Mul", "Div", "Min", "Max", "NdUpdate", "NdAdd", "NdSub")
grad.none(" ".join(f"Scatter{n} ResourceScatter{n}" for n in _NAMES), "assignments are effects, not functions")


# -- gathering -----------------------------------------------------------------------------------------


def _gathered(c: Infer) -> Dims:
    state, indices, batch = handle_dims(c), c.dims(1), c.attrs["batch_dims"]
    if state is not None and not state:
        raise ValueError("a scalar variable has no rows")
    if state is None or indices is None:
        return None
    if not 0 <= batch <= len(indices) or batch >= len(state):
        raise ValueError(f"batch_dims = {batch} must be at most the rank of indices, {len(indices)}, and less than that of the variable, {len(state)}")
    lead = merge_dims(state[:batch], indices[:batch]) or ()
    return lead + indices[batch:] + state[batch + 1 :]


@op("ResourceGather", _gathered, out="output: dtype", reads="resource", dtype=ANY, Tindices=INDEX)
def _resource_gather(resource: Resource, indices: Tindices, dtype: Type, batch_dims: int = 0, validate_indices: bool = True, name: str | None = None) -> Tensor:
    """The rows `indices` of a variable."""
    if not batch_dims:
        return take_rows(resource, indices)
    shape = tuple(resource.shape)
    lead, size = shape[:batch_dims], shape[batch_dims]
    count = int(np.prod(lead, dtype=np.int64))
    first = (np.arange(count) * size).astype(indices.dtype).reshape(*lead, *[1] * (indices.ndim - batch_dims))
    return take_rows(xp.reshape(resource, (count * size, *shape[batch_dims + 1 :])), indices + first)


def resource_gather(resource: Tensor, indices: Any, dtype: DType, batch_dims: int = 0, validate_indices: bool = True, name: str | None = None) -> Tensor:
    """Returns the rows `indices` of the variable behind a handle."""
    return _resource_gather(resource, indices, dtype, batch_dims, validate_indices, name=name)


@grad("ResourceGather")
def _(op: Operation, dy: Tensor) -> Any:
    handle, indices = op.inputs
    if op.attrs["batch_dims"]:
        raise LookupError("the gradient of ResourceGather with batch_dims is not defined, in TensorFlow 1 neither")
    whole = variable_shape(handle, indices.dtype.base_dtype)
    count = layout.reshape(layout.size(indices), [1])
    rows = layout.reshape(dy, joining.concat([count, whole[1:]], 0))
    return IndexedSlices(rows, layout.reshape(indices, count), whole), None


def _gathered_elements(c: Infer) -> Dims:
    state, indices = handle_dims(c), c.dims(1)
    if indices is None:
        return None
    if not indices:
        raise ValueError("indices must have rank at least 1, got a scalar")
    if state is None or indices[-1] is None:
        return None
    if indices[-1] > len(state):
        raise ValueError(f"the last dimension of indices, {indices[-1]}, must be at most the rank of the variable, {len(state)}")
    return indices[:-1] + state[indices[-1] :]


@op("ResourceGatherNd", _gathered_elements, out="output: dtype", reads="resource", dtype=ANY, Tindices=INDEX)
def _resource_gather_nd(resource: Resource, indices: Tindices, dtype: Type, name: str | None = None) -> Tensor:
    """The elements or slices of a variable that index vectors name."""
    shape = tuple(resource.shape)
    depth = indices.shape[-1]
    flat = xp.reshape(resource, (int(np.prod(shape[:depth], dtype=np.int64)), *shape[depth:]))
    return xp.reshape(take_rows(flat, flat_rows(shape, indices)), (*indices.shape[:-1], *shape[depth:]))


def resource_gather_nd(resource: Tensor, indices: Any, dtype: DType, name: str | None = None) -> Tensor:
    """Returns the elements or slices at `indices` [..., k] of the variable behind a handle."""
    return _resource_gather_nd(resource, indices, dtype, name=name)


@grad("ResourceGatherNd")
def _(op: Operation, dy: Tensor) -> Any:
    handle, indices = op.inputs
    whole = variable_shape(handle, indices.dtype.base_dtype)
    dims = indices.dims
    if dims is not None and len(dims) == 2 and dims[1] == 1:
        return IndexedSlices(dy, layout.squeeze(indices, axis=-1), whole), None
    return layout.raw("ScatterNd")(indices, dy, whole), None


# -- counting ------------------------------------------------------------------------------------------


def _counted(state: Any, limit: int) -> Any:
    inside = state < limit
    if xp.is_numpy(state) and not inside:
        raise OutOfRangeError(None, None, f"Reached limit of {limit}")
    return state, inside, xp.where(inside, state + np.array(1, state.dtype), state)


@op("CountUpTo", lambda c: (), out="output: T", writes="ref", check=True, T=COUNTABLE)
def count_up_to_ref(ref: RefT, limit: int, name: str | None = None) -> Tensor:
    """The value of a reference variable, which is then one more; a run that finds it at `limit` fails with OutOfRangeError."""
    return _counted(ref, limit)


@op("ResourceCountUpTo", lambda c: (), out="output: T", writes="resource", check=True, T=COUNTABLE)
def resource_count_up_to(resource: Resource, limit: int, T: Type, name: str | None = None) -> Tensor:
    """`CountUpTo` of a resource variable."""
    return _counted(resource, limit)


grad.none("CountUpTo ResourceCountUpTo", "the output is an integer")
