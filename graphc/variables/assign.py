"""Changing variables by function: `tf.assign`, `tf.scatter_add` and their like, for variables of either kind and references."""

from collections.abc import Callable
from typing import Any

from graphc.variables.resource_variable import ResourceBase
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.ops import scatter, state
from ir.ops.cast import cast
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, ones_like, range_, reshape, shape
from ir.tensor import Tensor


@export("assign")
def assign(ref: Any, value: Any, validate_shape: bool | None = None, use_locking: bool | None = None, name: str | None = None) -> Any:
    """Gives `ref` a new value when run; returns it as it is afterwards.

    Args:
      ref: a variable or a reference.
      value: the new value.
      validate_shape: False admits a value of another shape (references only).
      use_locking: accepted; assignments are always whole.
      name: a name for the operation.
    """
    if isinstance(ref, ResourceBase):
        return ref.assign(value, name=name)
    return state.assign_ref(ref, value, validate_shape, use_locking, name=name)  # pyright: ignore[reportArgumentType]


@export("assign_add")
def assign_add(ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None) -> Any:
    """Adds `value` to a variable or reference when run; returns it as it is afterwards."""
    if isinstance(ref, ResourceBase):
        return ref.assign_add(value)
    return state.assign_add_ref(ref, value, use_locking, name=name)  # pyright: ignore[reportArgumentType]


@export("assign_sub")
def assign_sub(ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None) -> Any:
    """Subtracts `value` from a variable or reference when run; returns it as it is afterwards."""
    if isinstance(ref, ResourceBase):
        return ref.assign_sub(value)
    return state.assign_sub_ref(ref, value, use_locking, name=name)  # pyright: ignore[reportArgumentType]


@export("count_up_to")
def count_up_to(ref: Any, limit: int, name: str | None = None) -> Tensor:
    """Returns the value of an integer variable and adds one when run; at `limit` the run fails with OutOfRangeError."""
    if isinstance(ref, ResourceBase):
        return scatter.resource_count_up_to(ref.handle, limit, ref.dtype, name=name)
    return scatter.count_up_to_ref(ref, limit, name=name)


def _scatter(on_ref: Callable[..., Any], on_resource: Callable[..., Any], ref: Any, indices: Any, updates: Any, use_locking: bool, name: str | None) -> Any:
    if isinstance(ref, ResourceBase):
        return ref._after(on_resource(ref.handle, indices, convert_to_tensor(updates, ref.dtype), name=name))
    return on_ref(ref, indices, updates, use_locking, name=name)


@export("scatter_update")
def scatter_update(ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None) -> Any:
    """Replaces rows of a variable when run; returns it as it is afterwards.

    Args:
      ref: a variable or reference.
      indices: the numbers of the rows, of any shape.
      updates: the new rows: the shape of `indices` followed by that of a row, or a scalar.
      use_locking: accepted; updates are always whole.
      name: a name for the operation.
    """
    return _scatter(scatter.scatter_update, scatter.resource_scatter_update, ref, indices, updates, use_locking, name)


@export("scatter_add")
def scatter_add(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Any:
    """Adds to rows of a variable when run, equal indices one after the other; see `scatter_update`."""
    return _scatter(scatter.scatter_add, scatter.resource_scatter_add, ref, indices, updates, use_locking, name)


@export("scatter_sub")
def scatter_sub(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Any:
    """Subtracts from rows of a variable when run; see `scatter_update`."""
    return _scatter(scatter.scatter_sub, scatter.resource_scatter_sub, ref, indices, updates, use_locking, name)


@export("scatter_mul")
def scatter_mul(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Any:
    """Multiplies rows of a variable when run; see `scatter_update`."""
    return _scatter(scatter.scatter_mul, scatter.resource_scatter_mul, ref, indices, updates, use_locking, name)


@export("scatter_div")
def scatter_div(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Any:
    """Divides rows of a variable when run; see `scatter_update`."""
    return _scatter(scatter.scatter_div, scatter.resource_scatter_div, ref, indices, updates, use_locking, name)


@export("scatter_min")
def scatter_min(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Any:
    """Takes the smaller of rows of a variable and `updates` when run; see `scatter_update`."""
    return _scatter(scatter.scatter_min, scatter.resource_scatter_min, ref, indices, updates, use_locking, name)


@export("scatter_max")
def scatter_max(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Any:
    """Takes the larger of rows of a variable and `updates` when run; see `scatter_update`."""
    return _scatter(scatter.scatter_max, scatter.resource_scatter_max, ref, indices, updates, use_locking, name)


@export("scatter_nd_update")
def scatter_nd_update(ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None) -> Any:
    """Replaces elements or slices of a variable when run; returns it as it is afterwards.

    Args:
      ref: a variable or reference.
      indices: index vectors, [..., k], with k at most the rank of the variable.
      updates: [...] followed by the variable's shape from dimension k on.
      use_locking: accepted; updates are always whole.
      name: a name for the operation.
    """
    return _scatter(scatter.scatter_nd_update, scatter.resource_scatter_nd_update, ref, indices, updates, use_locking, name)


@export("scatter_nd_add")
def scatter_nd_add(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Any:
    """Adds to elements or slices of a variable when run; see `scatter_nd_update`."""
    return _scatter(scatter.scatter_nd_add, scatter.resource_scatter_nd_add, ref, indices, updates, use_locking, name)


@export("scatter_nd_sub")
def scatter_nd_sub(ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Any:
    """Subtracts from elements or slices of a variable when run; see `scatter_nd_update`."""
    return _scatter(scatter.scatter_nd_sub, scatter.resource_scatter_nd_sub, ref, indices, updates, use_locking, name)


@export("batch_scatter_update")
def batch_scatter_update(ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None) -> Any:
    """Replaces `ref[b, indices[b, i]]` by `updates[b, i]` for every batch index b when run; returns the variable as it is afterwards.

    Args:
      ref: a variable or reference, [batch..., n, ...].
      indices: [batch..., m].
      updates: [batch..., m, ...].
      use_locking: accepted; updates are always whole.
      name: a name for the operations.

    Raises ValueError when the rank of `indices` is unknown.
    """
    with get_default_graph().name_scope(name):
        indices = convert_to_tensor(indices, name="indices")
        rank = indices.shape.ndims
        if rank is None:
            raise ValueError("batch_gather does not allow indices with unknown shape.")
        sizes = shape(indices)
        last = expand_dims(indices, axis=-1)
        parts: list[Tensor] = []
        for d in range(rank - 1):
            spread: list[Any] = [1] * (rank + 1)
            spread[d] = sizes[d]
            numbers = reshape(range_(0, sizes[d], 1), spread)
            if numbers.dtype.base_dtype is not last.dtype.base_dtype:
                numbers = cast(numbers, last.dtype.base_dtype)
            parts.append(numbers * ones_like(last))
        return scatter_nd_update(ref, concat([*parts, last], axis=-1), updates, use_locking)
