"""Variables: the ops that make, read, assign and scatter into them, as references and as resources.

A body receives the variable's state as that argument; what it returns is the new state. An op that outputs a
reference outputs the variable itself, so its body returns nothing for it.
"""

from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import grad, op
from ir.dtypes import ANY, INDEX, NUMBER
from ir.infer import Infer, from_shape_attr, no_outputs, scalar
from ir.opdef import In, RefT, Resource, Shape, T, Type
from ir.shapes import Dims, compatible, dims_of, merge_dims, shape_str
from ir.tensor import Operation, Tensor

Dtype = Annotated[Any, In("dtype")]
RefDtype = Annotated[Any, In("dtype", ref=True)]


# -- making ------------------------------------------------------------------------------------------


@op("VariableV2", from_shape_attr(), out="ref: ref dtype", creates="variable", dtype=ANY)
def variable_v2(shape: Shape, dtype: Type, container: str = "", shared_name: str = "", name: str | None = None) -> Tensor:
    """A reference to a variable held by the Session."""
    ...


@op("Variable", from_shape_attr(), out="ref: ref dtype", creates="variable", dtype=ANY)
def variable_v1(shape: Shape, dtype: Type, container: str = "", shared_name: str = "", name: str | None = None) -> Tensor:
    """`VariableV2` as older graphs have it."""
    ...


@op("TemporaryVariable", from_shape_attr(), out="ref: ref dtype", creates="variable", dtype=ANY)
def temporary_variable(shape: Shape, dtype: Type, var_name: str = "", name: str | None = None) -> Tensor:
    """A reference to a variable that lives for one run."""
    ...


@op("VarHandleOp", scalar, out="resource: resource", creates="variable", dtype=ANY)
def _var_handle_op(dtype: Type, shape: Shape, container: str = "", shared_name: str = "", name: str | None = None) -> Tensor:
    """The handle of a variable held by the Session."""
    ...


def var_handle_op(dtype: Any, shape: Any, container: str = "", shared_name: str = "", name: str | None = None) -> Tensor:
    """Returns the handle of a variable, which knows the variable's dtype and shape."""
    out = _var_handle_op(dtype, shape, container, shared_name, name=name)
    out.handle = (out.op.attrs["dtype"], dims_of(shape))
    return out


grad.none("VariableV2 Variable TemporaryVariable VarHandleOp", "a variable has no inputs")


# -- reading -----------------------------------------------------------------------------------------


def handle_dims(c: Infer) -> Dims:
    """The shape of the variable behind the handle that is the first input."""
    handle = c.tensors[0].handle
    return None if handle is None else handle[1]


@op("ReadVariableOp", handle_dims, out="value: dtype", reads="resource", dtype=ANY, passthrough=True)
def _read_variable_op(resource: Resource, dtype: Type, name: str | None = None) -> Tensor:
    """Reads the value of a variable."""
    return resource


def read_variable_op(resource: Tensor, dtype: Any, name: str | None = None) -> Tensor:
    """Returns the value the variable has at this place in the order of effects."""
    return _read_variable_op(resource, dtype, name=name)


@grad("ReadVariableOp")
def _(op: Operation, dy: Tensor) -> Any:
    return dy


@op("VarIsInitializedOp", scalar, out="is_initialized: bool", presence="resource", stateful=True)
def var_is_initialized_op(resource: Resource, name: str | None = None) -> Tensor:
    """Whether the variable has a value."""
    return resource


@op("IsVariableInitialized", scalar, out="is_initialized: bool", presence="ref", dtype=ANY)
def is_variable_initialized(ref: RefDtype, name: str | None = None) -> Tensor:
    """Whether the variable has a value."""
    return ref


@op("VariableShape", lambda c: None if handle_dims(c) is None else (len(handle_dims(c) or ()),), out="output: out_type", reads="input", out_type=INDEX)
def variable_shape(input: Resource, out_type: Type = "int32", name: str | None = None) -> Tensor:
    """The shape of the variable's value."""
    return np.array(np.shape(input), dtype=out_type.np_dtype)  # pyright: ignore[reportReturnType]


grad.none("VarIsInitializedOp IsVariableInitialized VariableShape", "the output is not a continuous function")


# -- assigning ---------------------------------------------------------------------------------------


def _same_size(state: Any, value: Any) -> None:
    if state.shape != value.shape:
        raise ValueError(f"Parameters and update must be the same size: the variable has shape {list(state.shape)}, the update {list(value.shape)}")


def _assign_shape(c: Infer) -> Dims:
    if c.attrs["validate_shape"]:
        return merge_dims(c.dims(0), c.dims(1))
    return c.dims(1)


@op("Assign", _assign_shape, out="output_ref: ref T", writes="ref", T=ANY, elementwise=True, overwrites=True)
def assign_ref(ref: RefT, value: T, validate_shape: bool = True, use_locking: bool = True, name: str | None = None) -> Tensor:
    """Gives a reference variable a new value and returns the reference; its shape must be the old one's unless `validate_shape` is false."""
    if validate_shape and hasattr(ref, "shape") and ref.shape != value.shape:
        raise ValueError(f"Assign requires shapes of both tensors to match. lhs shape= {list(ref.shape)} rhs shape= {list(value.shape)}")
    return value


@op("AssignAdd", lambda c: merge_dims(c.dims(0), c.dims(1)), out="output_ref: ref T", writes="ref", T=NUMBER, elementwise=True)
def assign_add_ref(ref: RefT, value: T, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Adds `value` to a reference variable and returns the reference."""
    _same_size(ref, value)
    return xp.add(ref, value)


@op("AssignSub", lambda c: merge_dims(c.dims(0), c.dims(1)), out="output_ref: ref T", writes="ref", T=NUMBER, elementwise=True)
def assign_sub_ref(ref: RefT, value: T, use_locking: bool = False, name: str | None = None) -> Tensor:
    """Subtracts `value` from a reference variable and returns the reference."""
    _same_size(ref, value)
    return xp.subtract(ref, value)


def _fits_handle(c: Infer) -> list[Dims]:
    handle = c.tensors[0].handle
    if handle is not None and not compatible(handle[1], c.dims(1)):
        raise ValueError(f"Shapes {shape_str(handle[1])} and {shape_str(c.dims(1))} are incompatible: the variable and the value")
    return []


@op("AssignVariableOp", no_outputs, out="", writes="resource", dtype=ANY, elementwise=True, overwrites=True)
def assign_variable_op(resource: Resource, value: Dtype, name: str | None = None) -> Operation:
    """Gives a variable a new value."""
    return value


@op("AssignAddVariableOp", _fits_handle, out="", writes="resource", dtype=ANY, elementwise=True)
def assign_add_variable_op(resource: Resource, value: Dtype, name: str | None = None) -> Operation:
    """Adds `value` to a variable."""
    _same_size(resource, value)
    return xp.add(resource, value)


@op("AssignSubVariableOp", _fits_handle, out="", writes="resource", dtype=ANY, elementwise=True)
def assign_sub_variable_op(resource: Resource, value: Dtype, name: str | None = None) -> Operation:
    """Subtracts `value` from a variable."""
    _same_size(resource, value)
    return xp.subtract(resource, value)




grad.none(
    "Assign AssignAdd AssignSub AssignVariableOp AssignAddVariableOp AssignSubVariableOp",
    "assignments are effects, not functions",
)
