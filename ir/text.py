"""Graphs as text that parses back: `parse(to_text(graph))` is the same graph.

One line an operation, in order of creation:

    %w = VariableV2() {container="", dtype=float32, shape=shape[2,3], shared_name=""} : float32_ref[2,3]
    %enc/act = Tanh(%enc/add) {T=float32} : float32[?,32]  # train.py:12
    %parts = Split(%axis, %parts_in) {T=float32, num_split=2} : (float32[2], float32[2])
    %sum = AddV2(%parts, %parts:1, ^%enc/act) {T=float32} device "/device:GPU:0" colocate ["loc:@w"] : float32[2]
    %init = NoOp(^%assign)

The grammar, where [x] is optional and x* repeats, with commas between:

    graph      = line*
    line       = [operation | versions | function | "end"] [comment]
    versions   = "versions" producer min_consumer
    operation  = "%"name "=" op_type "(" operand* ")" [attributes] ["device" string] ["colocate" list] [":" result | ":" "(" result* ")"]
    operand    = "%"name[":"index] | "^%"name                  data, then control inputs; index 0 is left out
    result     = [name ":"] type ["<"type">"]                  the name for op types that are not known; after a resource,
                                                               the type of the variable behind it
    type       = dtype "[" (size* | "*") "]"                   size: an integer or "?"; "*" for an unknown rank
    attributes = "{" (key "=" value)* "}"                      sorted by key
    value      = integer | float | "true" | "false" | string | b"bytes" | dtype | "shape" "[" size* "]" | list
               | "@"function [attributes] | constant
    list       = "[" value* "]"
    constant   = "dense<" (element | nested list of elements) ":" type ">"    one element fills the whole shape
               | "dense<sha256:"hash ":" type ">"              a large one, in a table beside the text
    element    = number | "true" | "false" | string | b"bytes" | "("real"," imaginary")"
    function   = "function" "@"name "(" (name "=" "%"name)* ")" "->" "(" (name "=" operand)* ")" ["control" "(" (name "=" "%"name)* ")"]
                 [attributes] ["stateful"] ["gradient" "@"name]        the lines of its graph follow, up to "end"
    comment    = "#" anything

What is not printed: collections, the graph's seed, locations (but as comments).
"""

from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from ir.build import attr_value
from ir.function import Function, FunctionBody
from ir.graph import GRAPH_DEF_VERSION, Graph
from ir.literals import LARGE, ParseError, Scanner, attrs_text, type_text, value_text
from ir.opdef import Effects, In, InputSpec, OpDef, OutputSpec, lookup
from ir.shapes import Dims
from ir.tensor import Operation, Tensor
from ir.written import Shown, View, as_made

Table = dict[str, np.ndarray[Any, Any]]


# -- printing ----------------------------------------------------------------------------------------


def to_text(graph: Graph, table: Table | None = None, locations: bool = True, large: int = LARGE) -> str:
    """Returns a graph as text.

    Args:
      graph: the graph.
      table: takes the constants of more than `large` elements, by their hash; without it, the text names them only
        and does not parse back.
      locations: end each line with the user's line, as a comment.
      large: constants of at most so many elements are written out, and those that repeat one element.
    """
    lines: list[str] = []
    v = graph.versions
    if (v.producer, v.min_consumer) != (GRAPH_DEF_VERSION, 0):
        lines.append(f"versions {v.producer} {v.min_consumer}")
    view = View(graph)
    for fn in view.functions():
        lines.extend(_function_lines(fn, table, locations, large))
    lines.extend(operation_text(op, table, locations, large, view.show(op)) for op in view.ops)
    return "\n".join(lines) + "\n" if lines else ""


def operation_text(op: Operation, table: Table | None = None, location: bool = True, large: int = LARGE, shown: Shown | None = None) -> str:
    """Returns the line of an operation."""
    shown = shown or as_made(op)
    operands = [_operand(t) for t in shown.inputs] + ["^%" + c.name for c in shown.control_inputs]
    line = f"%{op.name} = {shown.opdef.name}({', '.join(operands)})"
    if shown.attrs:
        line += " " + attrs_text(shown.attrs, table, large)
    if op.device:
        line += " device " + value_text(op.device)
    if op.colocation:
        line += " colocate " + value_text(op.colocation)
    if shown.outputs:
        results = [_result(t, None if op.opdef.known else _output_name(op, t.value_index)) for t in shown.outputs]
        line += " : " + (results[0] if len(results) == 1 else f"({', '.join(results)})")
    where = op.location_line() if location else ""
    return f"{line}  # {where}" if where else line


def _operand(t: Tensor) -> str:
    return f"%{t.op.name}:{t.value_index}" if t.value_index else "%" + t.op.name


def _result(t: Tensor, name: str | None) -> str:
    text = type_text(t.dtype, t.dims)
    if t.handle is not None:
        text += f"<{type_text(*t.handle)}>"
    return f"{name}: {text}" if name else text


def _output_name(op: Operation, index: int) -> str | None:
    return op.opdef.outputs[index].name if index < len(op.opdef.outputs) else None


def _function_lines(fn: Function, table: Table | None, locations: bool, large: int) -> Iterable[str]:
    try:
        body = fn.body
    except ValueError as e:  # its types are attributes of its own
        yield f"# function @{fn.name} is not printed: {e}"
        return
    inputs = ", ".join(f"{n} = {_operand(t)}" for n, t in zip(_spread(fn.input_names, len(body.inputs)), body.inputs, strict=True))
    outputs = ", ".join(f"{n} = {_operand(t)}" for n, t in zip(_spread(fn.output_names, len(body.outputs)), body.outputs, strict=True))
    head = f"function @{fn.name}({inputs}) -> ({outputs})"
    if body.control_outputs:
        names = [fn.control_output_names[i] if i < len(fn.control_output_names) else op.name for i, op in enumerate(body.control_outputs)]
        head += f" control ({', '.join(f'{n} = %{op.name}' for n, op in zip(names, body.control_outputs, strict=True))})"
    if fn.attrs:
        head += " " + attrs_text(fn.attrs, table, large)
    head += " stateful" if fn.stateful else ""
    head += f" gradient @{fn.gradient}" if fn.gradient else ""
    yield head
    view = View(body.graph)
    for op in view.ops:
        yield "  " + operation_text(op, table, locations, large, view.show(op))
    yield "end"


def _spread(names: tuple[str, ...], count: int) -> list[str]:
    """Returns one name a tensor: an argument may be a list of several."""
    return list(names) if len(names) == count else [f"arg{i}" for i in range(count)]


# -- parsing -----------------------------------------------------------------------------------------


def parse(text: str, table: Table | None = None) -> Graph:
    """Returns the graph that `text` describes.

    Args:
      text: what `to_text` returns; comments and blank lines may stand anywhere.
      table: the large constants, by their hash.

    Raises ParseError, saying where and what was expected.

    >>> print(to_text(parse("%a = NoOp()"), locations=False), end="")
    %a = NoOp()
    """
    graph = Graph()
    lines = text.splitlines()
    heads = [_FunctionHead(s) for s in (Scanner(raw, n, table) for n, raw in enumerate(lines, 1)) if s.peek("function")]
    callable_ = {h.name: h for h in heads}
    into = _GraphParser(graph, callable_)
    function: _FunctionHead | None = None
    for number, raw in enumerate(lines, 1):
        s = Scanner(raw, number, table)
        if s.at == len(raw) or s.peek("#"):
            continue
        if s.peek("%"):
            into.operation(s)
        elif function is None and s.peek("function"):
            function = _FunctionHead(s)
            into = _GraphParser(Graph(), callable_)
            into.graph.building_function = True
            into.graph.functions = graph.functions
        elif function is not None and s.accept("end"):
            s.end()
            into.close()
            graph.functions[function.name] = function.finished(into)
            function, into = None, _GraphParser(graph, callable_)
        elif function is None and s.accept("versions"):
            graph.versions.producer = s.integer("the producer's version")
            graph.versions.min_consumer = s.integer("the oldest consumer's version")
            s.end()
        else:
            raise s.fail("an operation ('%name = ...')" + (" or 'end'" if function else ", 'function' or 'versions'"))
    if function is not None:
        raise ParseError(f"function @{function.name} has no 'end'", "", len(lines) + 1, 1, "'end'")
    into.close()
    return graph


class _Later:
    """An operand that names an operation further down."""

    __slots__ = ("at", "index", "name", "op", "port", "scanner")

    def __init__(self, op: Operation, port: int, name: str, index: int, scanner: Scanner, at: int) -> None:
        self.op = op
        self.port = port  # the number of the input; -1 for a control input
        self.name = name
        self.index = index
        self.scanner = scanner
        self.at = at


class _GraphParser:
    """Adds the operations of lines to a graph."""

    def __init__(self, graph: Graph, functions: "dict[str, _FunctionHead]") -> None:
        self.graph = graph
        self.functions = functions
        self.by_name: dict[str, Operation] = {op.name: op for op in graph.ops}
        self.later: list[_Later] = []

    def operation(self, s: Scanner) -> None:
        """Reads the line of an operation."""
        start = s.at
        s.expect("%")
        name = s.node()
        if name in self.by_name:
            raise s.error(f"%{name} is defined twice", start)
        s.expect("=")
        op_type = s.word("an op type")
        operands = self._operands(s)
        at = s.at
        attrs = s.attrs() if s.peek("{") else {}
        device = s.string() if s.accept("device") else ""
        colocation = s.value() if s.accept("colocate") else ()
        results = self._results(s)
        s.end()
        d = self._definition(op_type, operands, results)
        self._check_attrs(s, d, attrs, at)
        self._append(s, name, d, operands, attrs, results)
        op = self.by_name[name]
        op.device = device
        op.colocation = colocation

    def _operands(self, s: Scanner) -> list[tuple[str, int, int]]:
        """Reads operands as (name, index or -1 for a control input, column)."""
        s.expect("(")
        found: list[tuple[str, int, int]] = []
        while not s.accept(")"):
            if found:
                s.expect(",")
            at = s.at
            control = s.accept("^")
            if not control and found and found[-1][1] < 0:
                raise s.fail("a control input ('^%name'), as those come last")
            s.expect("%")
            name = s.node()
            found.append((name, -1 if control else s.integer("the number of an output") if s.accept(":") else 0, at))
        return found

    def _results(self, s: Scanner) -> list[tuple[str, Any, Dims, Any]]:
        """Reads results as (name, dtype, dims, handle)."""
        if not s.accept(":"):
            return []
        if not s.accept("("):
            return [_read_result(s, 0)]
        found: list[tuple[str, Any, Dims, Any]] = []
        while not s.accept(")"):
            if found:
                s.expect(",")
            found.append(_read_result(s, len(found)))
        return found

    def _definition(self, op_type: str, operands: list[tuple[str, int, int]], results: list[tuple[str, Any, Dims, Any]]) -> OpDef:
        d = lookup(op_type)
        if d.known:
            return d
        outputs = [OutputSpec(n, dtype=t) for n, t, _, _ in results]
        called = self.functions.get(op_type)
        if called is None:
            return OpDef(op_type, [], {}, outputs, Effects(stateful=True), known=False, primitive=True, module=__name__)
        inputs: list[InputSpec] = []
        for (name, _, _, _), (operand, index, _) in zip(called.inputs, operands, strict=False):
            source = self.by_name.get(operand)
            if source is not None and 0 <= index < len(source.outputs):
                inputs.append(InputSpec(name, In(dtype=source.outputs[index].dtype.base_dtype), name))
        for o, (name, _, _, _) in zip(outputs, called.outputs, strict=False):
            o.name = name
        return OpDef(op_type, inputs, {}, outputs, Effects(stateful=called.stateful), primitive=True, module=__name__)

    def _check_attrs(self, s: Scanner, d: OpDef, attrs: dict[str, Any], at: int) -> None:
        for key, value in attrs.items():
            spec = d.attrs.get(key)
            if spec is None:
                if d.known and not key.startswith("_"):
                    raise s.error(f"{d.name} has no attribute '{key}'; it has {', '.join(d.attrs) or 'none'}", s.text.find(key, at))
                continue
            try:
                attrs[key] = attr_value(spec, value)
            except (TypeError, ValueError) as e:
                raise s.error(str(e), s.text.find(key, at)) from None

    def _append(self, s: Scanner, name: str, d: OpDef, operands: list[tuple[str, int, int]], attrs: dict[str, Any], results: Any) -> None:
        tensors: list[Tensor] = []
        waiting: list[tuple[int, str, int, int]] = []
        controls: list[Operation] = []
        for operand, index, at in operands:
            source = self.by_name.get(operand)
            if index < 0 and source is not None:
                controls.append(source)
            elif source is None:
                waiting.append((len(tensors) if index >= 0 else -1, operand, index, at))
                if index >= 0:
                    tensors.append(Tensor(cast(Operation, None), 0, cast(Any, None), None))
            else:
                tensors.append(_output(s, source, index, at))
        op = self.graph.append(d, tuple(tensors), attrs, name, [(dtype, dims) for _, dtype, dims, _ in results])
        self.graph.reserve_name(name)
        for t, (_, _, _, handle) in zip(op.outputs, results, strict=True):
            t.handle = handle
        op._control_inputs = tuple(controls)  # pyright: ignore[reportPrivateUsage]  (add_control_inputs would count as an edit)
        self.by_name[name] = op
        self.later.extend(_Later(op, port, operand, index, s, at) for port, operand, index, at in waiting)

    def find(self, s: Scanner, name: str, at: int) -> Operation:
        """Returns an operation by name."""
        op = self.by_name.get(name)
        if op is None:
            raise s.error(f"%{name} is not defined", at)
        return op

    def close(self) -> None:
        """Fills in the operands that named operations further down."""
        for later in self.later:
            source = self.find(later.scanner, later.name, later.at)
            if later.port < 0:
                later.op.add_control_inputs([source])
            else:
                later.op.update_input(later.port, _output(later.scanner, source, later.index, later.at))
        self.later.clear()


def _output(s: Scanner, op: Operation, index: int, at: int) -> Tensor:
    if index >= len(op.outputs):
        raise s.error(f"%{op.name} has {len(op.outputs)} outputs, there is no number {index}", at)
    return op.outputs[index]


def _read_result(s: Scanner, number: int) -> tuple[str, Any, Dims, Any]:
    at = s.at
    name = s.word("a type or a name")
    if not s.accept(":"):
        s.at = at
        name = "output" if not number else f"output_{number}"
    dtype, dims = s.type()
    handle = None
    if s.accept("<"):
        handle = s.type()
        s.expect(">")
    return name, dtype, dims, handle


class _FunctionHead:
    """The first line of a function."""

    def __init__(self, s: Scanner) -> None:
        self.scanner = s
        s.expect("function")
        s.expect("@")
        self.name = s.node()
        self.inputs = self._pairs()
        s.expect("->")
        self.outputs = self._pairs()
        self.controls = self._pairs() if s.accept("control") else []
        self.attrs = s.attrs() if s.peek("{") else {}
        self.stateful = s.accept("stateful")
        self.gradient: str | None = None
        if s.accept("gradient"):
            s.expect("@")
            self.gradient = s.node()
        s.end()

    def _pairs(self) -> list[tuple[str, str, int, int]]:
        """Reads "(name = %node:index, ...)"."""
        s = self.scanner
        s.expect("(")
        found: list[tuple[str, str, int, int]] = []
        while not s.accept(")"):
            if found:
                s.expect(",")
            name = s.node()
            s.expect("=")
            at = s.at
            s.expect("%")
            node = s.node()
            found.append((name, node, s.integer("the number of an output") if s.accept(":") else 0, at))
        return found

    def finished(self, parser: _GraphParser) -> Function:
        """Returns the function, whose graph has been read."""
        s = self.scanner

        def tensors(pairs: list[tuple[str, str, int, int]]) -> list[Tensor]:
            return [_output(s, parser.find(s, node, at), index, at) for _, node, index, at in pairs]

        controls = [parser.find(s, node, at) for _, node, _, at in self.controls]
        body = FunctionBody(parser.graph, tensors(self.inputs), tensors(self.outputs), controls)
        fn = Function(
            self.name, body, [p[0] for p in self.inputs], [p[0] for p in self.outputs], attrs=self.attrs, stateful=self.stateful,
            control_output_names=[p[0] for p in self.controls],
        )  # fmt: skip
        fn.gradient = self.gradient
        return fn
