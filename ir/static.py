"""Values that are known before the graph runs: shapes, axes, flags and what follows from them.

The bodies of the ops are run on small NumPy arrays. A size that is not known yet is the object `UNKNOWN`, which
absorbs arithmetic, in an object array: so `stack([shape(x)[0], 10])` gives `[UNKNOWN, 10]` by the same bodies.
"""

from typing import Any

import numpy as np

from ir.opdef import OpDef
from ir.shapes import Dims, num_elements
from ir.tensor import Operation, Tensor

MAX_ELEMENTS = 4096
_MAX_DEPTH = 100
_MAX_UNKNOWN = 64


class Unknown:
    """A number that is not known; arithmetic with it gives itself."""

    def _absorb(self, *_: Any) -> "Unknown":
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = _absorb
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __truediv__ = __rtruediv__ = __abs__ = _absorb

    def __bool__(self) -> bool:
        raise TypeError("unknown value")

    __lt__ = __le__ = __gt__ = __ge__ = __index__ = __int__ = __bool__

    def __eq__(self, other: object) -> bool:
        raise TypeError("unknown value")

    __ne__ = __eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "?"


UNKNOWN = Unknown()


class NeedsValue(Exception):
    """Raised by a body or lowering for an operand whose value it needs, but that is not known: of parameter `param`,
    and in a list of tensors number `index`.
    """

    def __init__(self, param: str, index: int = 0) -> None:
        super().__init__(f"'{param}' must be known when the program is compiled")
        self.param = param
        self.index = index


def value_of(tensor: Tensor) -> np.ndarray[Any, Any] | None:
    """Returns the value of `tensor` as an array, or None when it depends on what is fed."""
    if tensor.op.opdef.name == "Const":
        return tensor.op.attrs["value"]
    found = _known(tensor, 0, {})
    return None if found is None or found.dtype == object else found


def entries_of(tensor: Tensor) -> Dims:
    """Returns the entries of integer vector `tensor`, None for those that are not known; None without a known length."""
    found = _known(tensor, 0, {})
    if found is None or found.ndim != 1:
        dims = tensor.dims
        return None if dims is None or len(dims) != 1 or dims[0] is None else (None,) * dims[0]
    return tuple([None if v is UNKNOWN else int(v) for v in found.tolist()])


__exports__ = {"get_static_value contrib.util.constant_value": "constant_value"}


def constant_value(tensor: Any, partial: bool = False) -> np.ndarray[Any, Any] | None:
    """Returns the value of `tensor` as an array if it can be known without running, else None.

    With `partial`, an integer tensor of which only some elements are known gives an object array with None for the others.
    """
    if not isinstance(tensor, Tensor):
        return None
    found = value_of(tensor)
    if found is None and partial:
        found = _known(tensor, 0, {})
        if found is not None:
            out = np.empty(found.shape, dtype=object)
            for at in np.ndindex(found.shape):
                out[at] = None if found[at] is UNKNOWN else found[at]
            return out
    return found


def shape_value_of(tensor: Tensor) -> Dims:
    """Returns the shape that integer vector `tensor` holds: sizes as far as known, -1 counting as unknown."""
    found = _known(tensor, 0, {})
    if found is None:
        dims = tensor.dims
        return None if dims is None or len(dims) != 1 or dims[0] is None else (None,) * dims[0]
    if found.ndim == 0:
        if found.dtype == object or found == -1:
            return None
        raise ValueError(f"a shape must be a vector, got the scalar {found}")
    out: list[int | None] = []
    for v in found.tolist():
        if v is UNKNOWN or v == -1:
            out.append(None)
        elif v < 0:
            raise ValueError(f"Dimension {v} must be >= 0")
        else:
            out.append(int(v))
    return tuple(out)


def _known(tensor: Tensor, depth: int, seen: dict[Tensor, Any]) -> np.ndarray[Any, Any] | None:
    """What is known of `tensor`; `seen` holds what this query found, as only full values are kept for the next."""
    if tensor.known is not None:
        return tensor.known
    op = tensor.op
    if op.opdef.name == "Const":
        return op.attrs["value"]
    if tensor in seen:
        return seen[tensor]
    if not foldable(op.opdef, tensor) or depth > _MAX_DEPTH:
        return None
    found = _shape_op(op, tensor.value_index) if op.type in _SHAPE_OPS else _evaluate(op, tensor.value_index, depth, seen)
    if found is not None and found.dtype != object:
        tensor.known = found
    seen[tensor] = found
    return found


def foldable(opdef: OpDef, tensor: Tensor) -> bool:
    """Whether `tensor`, made by `opdef`, is worth knowing ahead: a small value that only inputs determine."""
    if not (tensor.dtype.is_integer or tensor.dtype.is_bool):
        return False
    effects = opdef.effects
    if opdef.name == "PlaceholderWithDefault":
        return False  # what is fed may differ from the default
    if not effects.pure or effects.host or effects.reads or opdef.body is None or opdef.primitive:
        return False
    size = 1
    for d in tensor.dims or ():
        if d is None:
            return False
        size *= d
    return size <= MAX_ELEMENTS


def _shape_array(dims: Dims, np_dtype: Any) -> np.ndarray[Any, Any] | None:
    if dims is None:
        return None
    if None not in dims:
        return np.array(dims, dtype=np_dtype)
    out = np.empty(len(dims), dtype=object)
    out[:] = [UNKNOWN if d is None else d for d in dims]
    return out


def _shape_op(op: Operation, index: int) -> np.ndarray[Any, Any] | None:
    dims = op.inputs[index].dims
    if dims is None:
        return None
    np_dtype = op.outputs[0].dtype.np_dtype
    if op.type == "Rank":
        return np.array(len(dims), dtype=np_dtype)
    array = _shape_array(dims, np_dtype)
    if op.type != "Size" or array is None:
        return array
    return None if array.dtype == object else np.array(array.prod(), dtype=np_dtype)


#: ops whose output follows from the static shape of their input, whatever its value
_SHAPE_OPS = frozenset(["Shape", "ShapeN", "Size", "Rank"])


def _nothing_known(t: Tensor) -> np.ndarray[Any, Any] | None:
    """The value of a small tensor of which only the shape is known."""
    size = num_elements(t.dims)
    if t.dims is None or size is None or size > _MAX_UNKNOWN or not t.dtype.is_integer:
        return None
    out = np.empty([d or 0 for d in t.dims], dtype=object)
    out.fill(UNKNOWN)
    return out


def _evaluate(op: Operation, index: int, depth: int, seen: dict[Tensor, Any]) -> np.ndarray[Any, Any] | None:
    arrays: list[np.ndarray[Any, Any]] = []
    exact = True
    helps = not op.inputs
    for t in op.inputs:
        if not (t.dtype.is_integer or t.dtype.is_bool):
            return None
        a = _known(t, depth + 1, seen)
        helps = helps or a is not None
        if a is None:
            a = _nothing_known(t)
        if a is None or a.size > MAX_ELEMENTS:
            return None
        exact = exact and a.dtype != object
        arrays.append(a)
    if not helps:
        return None
    try:
        out = call_body(op.opdef, arrays, op.attrs)
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError, ZeroDivisionError):
        return None
    value = out[index] if isinstance(out, (tuple, list)) else out
    array = np.asarray(value)
    if not exact and array.dtype == object:
        return array
    return array.astype(op.outputs[index].dtype.np_dtype)


def call_body(opdef: OpDef, arrays: list[Any], attrs: dict[str, Any], body: Any = None, name: str | None = None, **extra: Any) -> Any:
    """Calls the body of an op (or `body`, a lowering of it) on arrays, one per flat input; `name` is the operation's, which host ops get."""
    slices = opdef.input_slices(attrs)
    args: list[Any] = []
    inputs = {i.name: at for i, at in zip(opdef.inputs, slices, strict=True)}
    for p in opdef.params:
        if p in inputs:
            at = inputs[p]
            args.append(arrays[at])
        elif p == "name":
            args.append(name)
        else:
            args.append(attrs[opdef.by_param[p].name])
    compute = body or opdef.body
    assert compute is not None, f"{opdef.name} has neither body nor lowering"
    return compute(*args, **extra)
