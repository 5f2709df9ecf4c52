"""Sources, pass-through ops and pure ordering: Placeholder, Identity, NoOp, StopGradient, AddN."""

from collections.abc import Sequence
from typing import Annotated, Any

from ir import xp
from ir.build import export, grad, op
from ir.convert import get_default_graph
from ir.dtypes import ANY, NUMBER, TypeSet, as_dtype
from ir.infer import Infer, from_shape_attr, like_input, merged, no_outputs, same
from ir.opdef import In, ListT, Shape, T, Type
from ir.shapes import Dims, TensorShape, compatible, dims_of, shape_str
from ir.tensor import Operation, Tensor


@op("Placeholder", from_shape_attr(), out="output: dtype", dtype=ANY)
def _placeholder(dtype: Type, shape: Shape = None, name: str | None = None) -> Tensor:
    """A tensor that must be fed."""
    ...


@export("placeholder")
def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """Inserts a placeholder for a tensor that will always be fed.

    Args:
      dtype: the type of the elements to be fed.
      shape: the shape to be fed; None, or None for a size, admits any.
      name: a name for the operation.

    Running anything that needs its value without feeding it raises InvalidArgumentError.

    >>> placeholder("float32", [None, 3]).shape.as_list()
    [None, 3]
    """
    return _placeholder(as_dtype(dtype), TensorShape(shape), name=name)


def _default_shape(c: Infer) -> Dims:
    dims = dims_of(c.attrs["shape"])
    if not compatible(dims, c.dims(0)):
        raise ValueError(f"the default's shape {shape_str(c.dims(0))} does not fit {shape_str(dims)}")
    return dims


@op("PlaceholderWithDefault", _default_shape, out="output: dtype", api="placeholder_with_default", dtype=ANY, passthrough=True)
def placeholder_with_default(input: Annotated[Any, In("dtype")], shape: Shape, name: str | None = None) -> Tensor:
    """A placeholder that passes `input` through when it is not fed.

    Args:
      input: the value when nothing is fed.
      shape: the (possibly partial) shape of what may be fed.
    """
    return input


@op("Identity", same, forwards_ref=True, passthrough=True, T=ANY)
def _identity(input: T, name: str | None = None) -> Tensor:
    """Returns its input."""
    return input


@export("identity")
def identity(input: Any, name: str | None = None) -> Tensor:
    """Returns a tensor with the same shape and contents as `input`."""
    return _identity(input, name=name)


@grad("Identity", "PlaceholderWithDefault")
def _(op: Operation, dy: Tensor) -> Any:
    return dy


@op("IdentityN", lambda c: c.all_dims, out="output: list(T)", api="identity_n", passthrough=True, T=1)
def identity_n(input: Annotated[Sequence[Any], In(types="T")], name: str | None = None) -> list[Tensor]:
    """Returns its inputs."""
    return list(input)


@grad("IdentityN")
def _(op: Operation, *dys: Tensor) -> Any:
    return list(dys)


@op("StopGradient", same, api="stop_gradient", passthrough=True, T=ANY)
def stop_gradient(input: T, name: str | None = None) -> Tensor:
    """Returns `input`; gradients do not flow back through it."""
    return input


grad.none("StopGradient Placeholder", "it is a constant for differentiation")


@op("PreventGradient", same, passthrough=True, T=ANY)
def prevent_gradient(input: T, message: str = "", name: str | None = None) -> Tensor:
    """Returns `input`; asking for a gradient through it is an error that says `message`."""
    return input


@grad("PreventGradient")
def _(op: Operation, dy: Tensor) -> Any:
    raise LookupError(f"Gradient explicitly disabled. Reason: {op.get_attr('message').decode()!r}")


@op("NoOp", no_outputs, out="", api="no_op")
def no_op(name: str | None = None) -> Operation:
    """Does nothing; useful as a target with control dependencies."""
    return ()  # pyright: ignore[reportReturnType]


grad.none("NoOp", "it has no outputs")


@op("AddN", merged, out="sum: T", T=NUMBER | TypeSet("variant"), commutative=True)
def _add_n(inputs: ListT, name: str | None = None) -> Tensor:
    """Adds all inputs, which have one shape, element-wise."""
    total = inputs[0]
    for x in inputs[1:]:
        total = total.plus(x) if hasattr(total, "plus") else xp.add(total, x)
    return total


@grad("AddN")
def _(op: Operation, dy: Tensor) -> Any:
    return [dy] * len(op.inputs)


@export("add_n math.add_n")
def add_n(inputs: Sequence[Any], name: str | None = None) -> Tensor:
    """Adds all input tensors element-wise.

    Args:
      inputs: a list of tensors of one shape and type.

    Raises ValueError when they differ.
    """
    if not isinstance(inputs, (list, tuple)):
        raise ValueError("inputs must be a list of at least one Tensor/IndexedSlices with the same dtype and shape")
    if len(inputs) == 1 and isinstance(inputs[0], Tensor):
        return identity(inputs[0], name=name) if name else inputs[0]
    return _add_n(inputs, name=name)


@op("ZerosLike", like_input(0), out="y: T", T=ANY)
def _zeros_like(x: T, name: str | None = None) -> Tensor:
    """Zeros of the shape and type of `x`."""
    return x.zeros_like() if hasattr(x, "zeros_like") else xp.zeros_like(x)  # lists of tensors know how


@op("OnesLike", like_input(0), out="y: T", T=TypeSet("bfloat16 float16 float32 float64 int8 uint8 int16 uint16 int32 int64 complex64 complex128 bool"))
def _ones_like(x: T, name: str | None = None) -> Tensor:
    """Ones of the shape and type of `x`."""
    return xp.ones_like(x)


grad.none("ZerosLike OnesLike", "the output does not depend on the values of the input")


@export("group")
def group(*inputs: Any, **kwargs: Any) -> Operation:
    """Returns an operation that runs after all `inputs` (tensors, operations, or nests of them).

    Keyword argument `name`: a name for the operation.
    """
    name = kwargs.pop("name", None)
    if kwargs:
        raise ValueError(f"Unknown keyword arguments: {', '.join(kwargs)}")
    graph = get_default_graph()
    flat: list[Any] = []
    _flatten(inputs, flat)
    with graph.control_dependencies(flat):
        return no_op(name=name or "group_deps")


def _flatten(value: Any, out: list[Any]) -> None:
    if isinstance(value, (list, tuple)):
        for v in value:
            _flatten(v, out)
    elif value is not None:
        if not hasattr(value, "name") and not hasattr(value, "_as_graph_element"):
            raise TypeError(f"Expected tf.group() expected Tensor or Operation as inputs, not '{value}' of type {type(value).__name__}")
        out.append(value)


@export("tuple")
def tuple_(tensors: Sequence[Any], name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """Returns tensors equal to `tensors` that are available only once all of them are computed."""
    graph = get_default_graph()
    with graph.name_scope(name or "tuple"):
        ops = [t.op for t in tensors if t is not None] + list(control_inputs or [])
        if not ops:
            raise ValueError("Must have at least one Tensor")
        with graph.control_dependencies([group(*ops)]):
            return [None if t is None else identity(t) for t in tensors]
