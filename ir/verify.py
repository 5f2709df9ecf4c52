"""What a well-formed graph is: `verify` raises VerifyError, naming the operation, where one is not."""

from typing import Any, NoReturn

import numpy as np

from ir.dtypes import DType
from ir.funcref import FuncRef
from ir.function import Function
from ir.graph import Graph
from ir.opdef import OpDef
from ir.shapes import type_str
from ir.tensor import Operation, Tensor
from ir.written import as_made


class VerifyError(Exception):
    """A graph is not well-formed. `op` is the operation at fault."""

    def __init__(self, op: Operation | None, message: str) -> None:
        where = op.location_line() if op is not None else ""
        subject = "" if op is None else f"operation '{op.name}' ({op.type}){' made at ' + where if where else ''}: "
        super().__init__(subject + message)
        self.op = op


def verify(graph: Graph) -> None:
    """Checks a graph and the functions of its library that have a graph already.

    Names are unique; inputs and control inputs belong to the graph and, unless it is marked as unordered, come before
    their users; the users of a tensor know it and the other way round; inputs, attributes and outputs agree with
    the op type's definition; functions that attributes name are in the library.
    """
    _verify_ops(graph)
    for fn in graph.functions.values():
        _check_function(graph, fn)


def _verify_ops(graph: Graph) -> None:
    names: dict[str, Operation] = {}
    users: dict[Tensor, set[Operation]] = {}
    for position, op in enumerate(graph.ops):
        if op.graph is not graph:
            _fail(op, "it belongs to another graph")
        if op.id != position:
            _fail(op, f"its number is {op.id}, its place in the graph {position}")
        if op.name in names:
            _fail(op, "another operation has the same name")
        names[op.name] = op
        _check_edges(graph, op, users)
        _check_types(op)
        _check_functions(graph, op)


def _fail(op: Operation | None, message: str) -> NoReturn:
    raise VerifyError(op, message)


def _check_edges(graph: Graph, op: Operation, users: dict[Tensor, set[Operation]]) -> None:
    for i, t in enumerate(as_made(op).inputs):
        if not isinstance(t, Tensor) or not isinstance(t.op, Operation):  # pyright: ignore[reportUnnecessaryIsInstance]
            _fail(op, f"input {i} is {t!r}, not a tensor of a graph")
        if t.graph is not graph:
            _fail(op, f"input {i}, {t.name}, belongs to another graph")
        if t.value_index >= len(t.op.outputs) or t.op.outputs[t.value_index] is not t:
            _fail(op, f"input {i}, {t.name}, is no longer an output of its operation")
        if t not in users:
            users[t] = set(t.consumers())
        if op not in users[t]:
            _fail(op, f"input {i}, {t.name}, does not know this operation as a consumer")
        if graph.ordered and t.op.id >= op.id:
            _fail(op, f"input {i}, {t.name}, comes later in a graph that is marked as ordered")
    for c in as_made(op).control_inputs:
        if c.graph is not graph:
            _fail(op, f"control input {c.name} belongs to another graph")
        if graph.ordered and c.id >= op.id:
            _fail(op, f"control input {c.name} comes later in a graph that is marked as ordered")
    for i, t in enumerate(op.outputs):
        if t.op is not op or t.value_index != i:
            _fail(op, f"output {i} says that it is {t.name}")


def _check_types(op: Operation) -> None:
    d = op.opdef
    if not d.known:
        return
    missing = [k for k in d.attrs if k not in op.attrs and _needed(d, k)]
    if missing:
        _fail(op, f"attributes are missing: {', '.join(missing)}")
    for key in op.attrs:
        if key not in d.attrs and not key.startswith("_"):
            _fail(op, f"{d.name} has no attribute '{key}'")
    expected = _input_types(d, op.attrs)
    inputs = as_made(op).inputs
    if len(expected) != len(inputs):
        _fail(op, f"it has {len(inputs)} inputs, its attributes ask for {len(expected)}")
    for i, (t, (dtype, ref)) in enumerate(zip(inputs, expected, strict=True)):
        if t.dtype.base_dtype is not dtype.base_dtype or (ref and not t.dtype.is_ref_dtype):
            _fail(op, f"input {i} is {t.name} of type {t.dtype.name}, expected {dtype.as_ref.name if ref else dtype.name}")
    outputs = d.output_types(op.attrs)
    if outputs != [t.dtype for t in op.outputs]:
        _fail(op, f"its outputs have types {[t.dtype.name for t in op.outputs]}, expected {[t.name for t in outputs]}")
    value = op.attrs.get("value")
    if d.name == "Const" and isinstance(value, np.ndarray):
        out = op.outputs[0]
        if out.dims != value.shape or out.dtype.np_dtype != value.dtype:
            _fail(op, f"its output is {type_str(out.dtype, out.dims)}, its value {value.dtype.name}{list(value.shape)}")


def _needed(d: OpDef, key: str) -> bool:
    """Whether inputs or outputs depend on an attribute."""
    used = {k for i in d.inputs for k in (i.spec.attr, i.spec.number, i.spec.types)} | {k for o in d.outputs for k in (o.attr, o.number, o.types)}
    return key in used


def _input_types(d: OpDef, attrs: dict[str, Any]) -> list[tuple[DType, bool]]:
    out: list[tuple[DType, bool]] = []
    for i in d.inputs:
        kind = i.spec
        if kind.types is not None:
            out.extend((t, kind.ref) for t in attrs[kind.types])
        else:
            dtype: DType = kind.dtype if kind.dtype is not None else attrs[kind.attr or ""]
            out.extend([(dtype, kind.ref)] * (attrs[kind.number] if kind.number is not None else 1))
    return out


def _check_functions(graph: Graph, op: Operation) -> None:
    for key, value in op.attrs.items():
        values: Any = value if isinstance(value, tuple) else (value,)
        for v in values:
            if isinstance(v, FuncRef) and v.name and v.name not in graph.functions:
                _fail(op, f"attribute '{key}' names the function '{v.name}', which the library does not have")


def _check_function(graph: Graph, fn: Function) -> None:
    if not fn.built:
        return
    try:
        if fn.graph is not graph:
            _verify_ops(fn.graph)
    except VerifyError as e:
        raise VerifyError(None, f"in function '{fn.name}': {e}") from None
    for what, tensors in (("argument", fn.inputs), ("result", fn.outputs)):
        for i, t in enumerate(tensors):
            if t.graph is not fn.graph:
                raise VerifyError(None, f"{what} {i} of function '{fn.name}', {t.name}, belongs to another graph")
