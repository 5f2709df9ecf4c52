"""Making operations: what a call of a decorated op function does, and the decorators themselves.

    op        defines an op type and returns the function that builds operations of it
    grad      gives an op type its gradient
    export    names the public places of a function or class (read from the source by graphc.tools.namespaces)
"""

import collections
import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar, cast

import numpy as np

from ir import dtypes, opdef as opdefs
from ir.convert import add_constant, convert_to_tensor, get_default_graph, to_array
from ir.dtypes import DType, TypeSet, as_dtype
from ir.graph import Graph
from ir.infer import Infer, Result
from ir.location import capture, line
from ir.opdef import REQUIRED, TABLE, AttrSpec, Effects, InputSpec, OpDef
from ir.shapes import Dims, TensorShape, as_shape, type_str
from ir.tensor import Operation, Tensor

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C")


def _words(text: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(text.split()) if isinstance(text, str) else tuple(text)


def op(
    name: str, shape: Callable[[Infer], Result], *, out: str | None = None, api: str = "", reads: str = "", writes: str = "",
    random: bool = False, host: bool = False, stream: str | None = None, check: bool = False, static: str | Callable[[Any], Sequence[int]] = "",
    dynamic: bool = False, stateful: bool | None = None, commutative: bool = False, forwards_ref: bool = False,
    elementwise: bool = False, creates: str | None = None, presence: str = "", overwrites: bool = False,
    passthrough: bool = False, calls: str = "", of_shape: bool = False, rename: dict[str, str] | None = None,
    **constraints: Any,
) -> Callable[[F], F]:  # fmt: skip
    """Defines op type `name` by the decorated function.

    Args:
      shape: the shape function.
      out: the outputs, "name: type", the type a dtype, a type attribute, `N*T`, `list(Ts)` or `ref T`; by default one
        output of the first input's type.
      api: the public names, separated by spaces.
      reads, writes, random, host, stream, check, static, dynamic, stateful, commutative, forwards_ref, elementwise,
        creates, presence, overwrites, passthrough, calls, of_shape: see `ir.opdef.Effects`.
      static: instead of names, a function that gets a node of a Program (`ir.program.Node`) and returns the flat positions of
        the operands that must be known, for an op where that depends on attributes and other operands.
      rename: Python parameter -> TensorFlow's name of the input or attribute, where they differ.
      constraints: per attribute the admitted types (TypeSet), strings (tuple) or minimum (int).
    """
    acts = random or bool(writes) or bool(reads) or stream is not None or creates is not None
    effects = Effects(
        _words(reads), _words(writes), random, host, stream, check, () if callable(static) else _words(static), dynamic,
        acts if stateful is None else stateful, commutative, forwards_ref, elementwise,
        creates, _words(presence), overwrites, passthrough, _words(calls), of_shape,
    )  # fmt: skip

    def decorate(fn: F) -> F:
        if name in TABLE:
            raise ValueError(f"op type {name} is defined twice, in {TABLE[name].module} and {fn.__module__}")
        d = opdefs.define(name, fn, out, effects, rename or {}, constraints)
        d.shape_fn = shape
        d.static_fn = static if callable(static) else None
        d.api = _words(api)
        TABLE[name] = d
        signature = opdefs.inspect.signature(fn)
        positional = tuple(p for p in signature.parameters if p != "state")
        result = _result_of(d)

        @functools.wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            if len(args) > len(positional):
                raise TypeError(f"{fn.__name__}() takes at most {len(positional)} arguments but {len(args)} were given")
            given = dict(zip(positional, args))  # noqa: B905 (fewer arguments than parameters is usual)
            for k, v in kwargs.items():
                if k in given or k not in positional:
                    raise TypeError(f"{fn.__name__}() got {'multiple values for' if k in given else 'an unexpected keyword'} argument '{k}'")
                given[k] = v
            return result(create(d, given, given.pop("name", None)))

        if "state" in signature.parameters:  # the body's alone
            call.__signature__ = signature.replace(parameters=[signature.parameters[p] for p in positional])  # pyright: ignore[reportAttributeAccessIssue]
        d.public = call
        return cast(F, call)

    return decorate


def _result_of(d: OpDef) -> Callable[[Operation], Any]:
    if not d.outputs:
        return lambda op: op
    if len(d.outputs) == 1:
        o = d.outputs[0]
        if o.number is None and o.types is None:
            return lambda op: op.outputs[0]
        return lambda op: list(op.outputs)
    kind: Any = collections.namedtuple(d.name, [o.name for o in d.outputs])  # noqa: PYI024
    if all(o.number is None and o.types is None for o in d.outputs):
        return lambda op: kind(*op.outputs)

    def grouped(op: Operation) -> Any:
        parts: list[Any] = []
        at = 0
        for o in d.outputs:
            n = len(op.attrs[o.types]) if o.types else int(op.attrs[o.number]) if o.number else None
            parts.append(op.outputs[at] if n is None else op.outputs[at : at + n])
            at += 1 if n is None else n
        return kind(*parts)

    return grouped


class _Grad:
    """The decorator that gives an op type its gradient.

    The function gets the operation and one tensor (or None) per output, and returns one tensor, IndexedSlices or
    None per input. `grad.none(op_name, reason)` says that there is none, and why.
    """

    def __call__(self, *names: str) -> Callable[[F], F]:
        def decorate(fn: F) -> F:
            for n in names:
                TABLE[n].gradient = fn
            return fn

        return decorate

    def none(self, names: str, reason: str) -> None:
        """Declares that the op types in `names` are not differentiable, and why."""
        for n in names.split():
            TABLE[n].no_gradient = reason


grad = _Grad()


def export(*names: str) -> Callable[[C], C]:
    """Marks a function or class as public under `names`, such as "reduce_sum math.reduce_sum"."""

    def mark(obj: C) -> C:
        return obj

    return mark


# -- creating an operation ---------------------------------------------------------------------------


class _Pending:
    """An operation while its inputs and attributes are being settled."""

    __slots__ = ("attrs", "graph", "name", "old_scope", "opdef", "tensors")

    def __init__(self, d: OpDef, graph: Graph, name: str) -> None:
        self.opdef = d
        self.graph = graph
        self.name = name
        self.attrs: dict[str, Any] = {}
        self.tensors: list[Tensor] = []


def create(d: OpDef, given: dict[str, Any], name: str | None, graph: Graph | None = None) -> Operation:
    """Appends an operation of type `d` made from Python arguments by parameter name.

    Raises TypeError for wrong types and missing arguments, ValueError for shapes that do not fit, naming the op, the
    operand types and the user's line.
    """
    graph = graph or _graph_of(d, given)
    p = _Pending(d, graph, graph.op_name(name or d.name))
    try:
        _find_types(p, given)
        for spec in d.inputs:
            if spec.name in given:
                _take_input(p, spec, given[spec.name])
            elif spec.name in d.defaults:
                _take_input(p, spec, d.defaults[spec.name])
            else:
                raise TypeError(f"missing required argument: '{spec.name}'")
        for a in d.attrs.values():
            _settle_attr(p, a, given)
    except (TypeError, ValueError) as e:
        _fail(p, e)
    return finish(d, graph, p.name, tuple(p.tensors), p.attrs)


def _graph_of(d: OpDef, given: dict[str, Any]) -> Graph:
    return get_default_graph()


def finish(d: OpDef, graph: Graph, name: str, tensors: tuple[Tensor, ...], attrs: dict[str, Any]) -> Operation:
    """Infers the shapes of the outputs and appends the operation; everything else is settled."""
    types = d.output_types(attrs)
    shapes = infer_shapes(d, tensors, attrs, len(types), name)
    return graph.append(d, tensors, attrs, name, list(zip(types, shapes, strict=True)))


def infer_shapes(d: OpDef, tensors: tuple[Tensor, ...], attrs: dict[str, Any], count: int, name: str) -> list[Dims]:
    """Returns the shapes of the outputs. Raises ValueError with op, operand types and line when inputs do not fit."""
    if d.shape_fn is None:
        return [None] * count
    try:
        found = d.shape_fn(Infer(d, tensors, attrs))
    except ValueError as e:
        operands = ", ".join(type_str(t.dtype, t.dims) for t in tensors)
        raise ValueError(f"{d.name}({operands}): {e}{_where(name)}") from None
    shapes: list[Dims] = found if isinstance(found, list) else [found]
    if len(shapes) != count:
        raise AssertionError(f"the shape function of {d.name} gives {len(shapes)} shapes for {count} outputs")
    return shapes


def _where(name: str) -> str:
    at = line(capture())
    return f" (op '{name}'{' at ' + at if at else ''})"


def _fail(p: _Pending, e: Exception) -> NoReturn:
    raise type(e)(f"{p.opdef.name}: {e}{_where(p.name)}") from None


def _find_types(p: _Pending, given: dict[str, Any]) -> None:
    """Settles type attributes that tensors among the arguments tell, so that Python values adopt them."""
    for spec in p.opdef.inputs:
        attr = spec.spec.attr
        if attr is None or attr in p.attrs or spec.name not in given:
            continue
        value = given[spec.name]
        values = value if spec.is_list and isinstance(value, (list, tuple)) else (value,)
        for v in values:
            dtype = getattr(v, "dtype", None)
            if isinstance(dtype, DType):
                p.attrs[attr] = dtype.base_dtype
                break


def _take_input(p: _Pending, spec: InputSpec, value: Any) -> None:
    kind = spec.spec
    if spec.is_list:
        _take_list(p, spec, value)
        return
    if value is None:
        raise TypeError(f"None is not a valid value for argument '{spec.name}'")
    tensor = _one(p, spec, value, kind.dtype or p.attrs.get(kind.attr or ""))
    _check_ref(spec, tensor)
    base = tensor.dtype.base_dtype
    if kind.attr is not None:
        _settle_type(p, spec, base)
    p.tensors.append(tensor)


def _check_ref(spec: InputSpec, tensor: Tensor) -> None:
    if spec.spec.ref and not tensor.dtype.is_ref_dtype:
        raise TypeError(f"argument '{spec.name}' must be a mutable (ref) tensor, such as a tf.Variable; got {tensor!r}")


def _settle_type(p: _Pending, spec: InputSpec, base: DType) -> None:
    attr = spec.spec.attr or ""
    allowed = p.opdef.type_attrs.get(attr)
    if allowed is not None and allowed.types and base not in allowed:
        raise TypeError(f"argument '{spec.name}' has type {base.name}, which is not in the list of allowed types: {allowed}")
    p.attrs.setdefault(attr, base)


def _one(p: _Pending, spec: InputSpec, value: Any, wanted: DType | None, index: int | None = None) -> Tensor:
    if not isinstance(value, Tensor):
        value = _converted(p, spec, value, wanted, index)
    elif value.graph is not p.graph:
        value = p.graph.capture(value)
    if wanted is not None and value.dtype.base_dtype is not wanted:
        raise TypeError(f"argument '{spec.name}' has type {value.dtype.base_dtype.name} ({value.name}), expected {wanted.name}")
    return value


def _converted(p: _Pending, spec: InputSpec, value: Any, wanted: DType | None, index: int | None) -> Tensor:
    hint: DType | None = None
    if wanted is None:
        allowed = p.opdef.type_attrs.get(spec.spec.attr or "")
        hint = allowed.default if allowed is not None else None
    label = spec.tf_name if index is None else f"{spec.tf_name}_{index}"
    with p.graph.name_scope(p.name + "/"):
        if isinstance(value, (int, float, np.ndarray)) and not isinstance(value, bool):
            return _number(p, value, wanted, hint, label)
        return convert_to_tensor(value, wanted, label, preferred_dtype=hint, as_ref=spec.spec.ref)


def _number(p: _Pending, value: Any, wanted: DType | None, hint: DType | None, label: str) -> Tensor:
    if wanted is None and hint is not None:
        try:
            return add_constant(p.graph, to_array(value, hint), label)
        except (TypeError, ValueError):
            pass
    return add_constant(p.graph, to_array(value, wanted), label)


def _take_list(p: _Pending, spec: InputSpec, value: Any) -> None:
    kind = spec.spec
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"argument '{spec.name}' must be a list of tensors, got {type(value).__name__}")
    values = list(value)
    taken: list[Tensor] = []
    for i, v in enumerate(values):
        wanted = None if kind.types else kind.dtype or p.attrs.get(kind.attr or "")
        if wanted is None and not kind.types and i:
            wanted = taken[0].dtype.base_dtype
        t = _one(p, spec, v, wanted, i)
        _check_ref(spec, t)
        taken.append(t)
        if kind.attr is not None and not kind.types:
            _settle_type(p, spec, t.dtype.base_dtype)
    if kind.types:
        p.attrs[kind.types] = tuple(t.dtype.base_dtype for t in taken)
    if kind.number:
        seen = p.attrs.setdefault(kind.number, len(taken))
        if seen != len(taken):
            raise ValueError(f"argument '{spec.name}' must have {seen} tensors like the other lists, got {len(taken)}")
    least = p.opdef.attrs[kind.number or kind.types or ""].minimum or 0
    if len(taken) < least:
        raise ValueError(f"argument '{spec.name}' needs at least {least} tensors, got {len(taken)}")
    p.tensors.extend(taken)


def _settle_attr(p: _Pending, a: AttrSpec, given: dict[str, Any]) -> None:
    if a.name in p.attrs and (a.param is None or a.param not in given):
        return
    if a.param is not None and a.param in given:
        value = given[a.param]
    elif a.default is not REQUIRED:
        value = a.default
    else:
        raise TypeError(f"missing required argument: '{a.param or a.name}'")
    if value is None:
        if a.default is not REQUIRED and a.default is not None:
            value = a.default
        elif a.kind not in ("shape", "func"):
            if a.default is None:
                return
            raise TypeError(f"argument '{a.param or a.name}' must not be None")
    p.attrs[a.name] = attr_value(a, value)


def attr_value(a: AttrSpec, value: Any) -> Any:
    """Returns an attribute's value in its canonical form. Raises TypeError or ValueError when it is not admitted."""
    if a.kind.startswith("list("):
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise TypeError(f"Expected list for '{a.name}' argument, got {value!r}")
        out: Any = tuple(_scalar_attr(a, a.kind[5:-1], v) for v in value)
        if a.minimum is not None and len(out) < a.minimum:
            raise ValueError(f"attribute '{a.name}' needs at least {a.minimum} entries, got {len(out)}")
        return out
    out = _scalar_attr(a, a.kind, value)
    if a.minimum is not None and out < a.minimum:
        raise ValueError(f"attribute '{a.name}' must be at least {a.minimum}, got {out}")
    return out


def _scalar_attr(a: AttrSpec, kind: str, value: Any) -> Any:
    try:
        out = _ATTR_FORMS[kind](value)
    except (TypeError, ValueError):
        raise TypeError(f"Expected {kind} for argument '{a.param or a.name}' not {value!r}.") from None
    if a.allowed is not None:
        if isinstance(a.allowed, TypeSet):
            if a.allowed.types and out not in a.allowed:
                raise TypeError(f"Value passed to parameter '{a.param or a.name}' has DataType {out.name} not in list of allowed values: {a.allowed}")
        elif out not in a.allowed:
            raise ValueError(f"attribute '{a.name}' must be one of {', '.join(map(repr, a.allowed))}, got {value!r}")
    return out


def _as_int(value: Any) -> int:
    if isinstance(value, (str, bytes)):
        raise TypeError
    if isinstance(value, (float, np.floating)):
        if value != int(value):
            raise TypeError
        return int(value)
    return int(value.__index__() if hasattr(value, "__index__") else value)


def _as_bool(value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_, int)):
        raise TypeError
    return bool(value)


def _as_text(value: Any) -> str | bytes:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if not isinstance(value, str):
        raise TypeError
    return value


def _as_float(value: Any) -> float:
    if isinstance(value, (str, bytes)):
        raise TypeError
    return float(np.float32(value))  # what a GraphDef holds


def _same(value: Any) -> Any:
    return value


def _as_tensor_shape(value: Any) -> TensorShape:
    return as_shape(value)


_ATTR_FORMS: dict[str, Callable[[Any], Any]] = {
    "int": _as_int,
    "float": _as_float,
    "bool": _as_bool,
    "string": _as_text,
    "type": lambda v: as_dtype(v).base_dtype,
    "shape": _as_tensor_shape,
    "tensor": lambda v: v if isinstance(v, np.ndarray) else to_array(v),
    "func": _same,
}

INT32 = dtypes.int32
