"""Slots: variables of the shape and type of another one that an optimizer or average keeps beside it.

The slot of variable `v` for an optimizer called `Adam` is `v/Adam`, the next one `v/Adam_1`.
"""

from collections.abc import Callable
from typing import Any

from graphc.variables.initializers import Zeros
from graphc.variables.scope import get_variable, get_variable_scope, variable_scope
from graphc.variables.variable import Variable, is_resource_variable
from ir.convert import get_default_graph
from ir.ops.layout import shape as shape_of, zeros
from ir.shapes import as_shape


def _make(primary: Any, value: Any, shape: Any, dtype: Any, validate_shape: bool) -> Any:
    """Makes the slot in the current variable scope, whose name becomes its name."""
    scope = get_variable_scope()
    partitioner = scope.partitioner
    scope.set_partitioner(None)
    use_resource = is_resource_variable(primary) if isinstance(primary, Variable) else None
    slot = get_variable(
        "", initializer=value, trainable=False, use_resource=use_resource, shape=shape if callable(value) else None, dtype=dtype,
        validate_shape=validate_shape,
    )  # fmt: skip
    scope.set_partitioner(partitioner)
    _slice_like(slot, primary)
    return slot


def _slice_like(slot: Any, primary: Any) -> None:
    """Makes the slot of a part of a partitioned variable the same part of the whole slot."""
    info = getattr(primary, "_save_slice_info", None)
    if info is None:
        return
    own_name = slot.name[len(primary.op.name) + 1 : -2]
    slot._set_save_slice_info(type(info)(f"{info.full_name}/{own_name}", info.full_shape[:], info.var_offset[:], info.var_shape[:]))


def _in_scope(primary: Any, name: str, colocate: bool, make: Callable[[], Any]) -> Any:
    prefix = primary._shared_name if isinstance(primary, Variable) else primary.op.name
    with variable_scope(None, f"{prefix}/{name}"):
        if not colocate:
            return make()
        with get_default_graph().colocate_with(primary.op):
            return make()


def create_slot(primary: Any, val: Any, name: str, colocate_with_primary: bool = True) -> Any:
    """Creates a slot of `primary` that starts as tensor `val`.

    Args:
      primary: the variable or tensor that the slot belongs to.
      val: the initial value.
      name: the slot's name below that of `primary`.
      colocate_with_primary: place the slot with `primary`.
    """
    validate = val.get_shape().is_fully_defined()
    return _in_scope(primary, name, colocate_with_primary, lambda: _make(primary, val, None, None, validate))


def create_slot_with_initializer(primary: Any, initializer: Any, shape: Any, dtype: Any, name: str, colocate_with_primary: bool = True) -> Any:
    """Creates a slot of `primary` with `shape` and `dtype` that `initializer` fills; see `create_slot`."""
    validate = as_shape(shape).is_fully_defined()
    return _in_scope(primary, name, colocate_with_primary, lambda: _make(primary, initializer, shape, dtype, validate))


def create_zeros_slot(primary: Any, name: str, dtype: Any = None, colocate_with_primary: bool = True) -> Any:
    """Creates a slot of `primary` that starts as zeros of its shape and type; see `create_slot`."""
    dtype = (primary.dtype if dtype is None else dtype).base_dtype
    shape = primary.get_shape()
    if shape.is_fully_defined():
        return create_slot_with_initializer(primary, Zeros(), shape, dtype, name, colocate_with_primary)
    sizes = shape_of(primary.initialized_value() if isinstance(primary, Variable) else primary)
    return create_slot(primary, zeros(sizes, dtype=dtype), name, colocate_with_primary)
