"""FunctionDefs to Functions and back.

A FunctionDef's nodes name outputs "node:out_arg:index"; its arguments are plain names. Here an argument is the output of
a Placeholder of that name.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ir.dtypes import DType
from ir.function import ArgInfo, Function, FunctionBody
from ir.graph import Graph
from ir.graphdef.attrs import Placeholder, dtype_of, value_of
from ir.graphdef.nodes import NodeBuilder, Port, split_input
from ir.graphdef.opdefs import opdef_of
from ir.graphdef.writer import function_def
from ir.opdef import OpDef, lookup
from ir.shapes import Dims, TensorShape, dims_of, merge_dims
from ir.tensor import Tensor


def add_library(graph: Graph, library: Any) -> None:
    """Adds the functions of a FunctionDefLibrary to a graph.

    Raises ValueError when the graph has a different function of the same name.
    """
    for proto in library.function:
        name = proto.signature.name
        old = graph.functions.get(name)
        if old is not None:
            if old.definition is None or old.definition != proto:
                raise ValueError(f"Cannot add function '{name}' because a different function with the same name already exists.")
            continue
        graph.functions[name] = read_function(proto, graph.functions)
    for g in library.gradient:
        if g.function_name in graph.functions:
            graph.functions[g.function_name].gradient = g.gradient_func


def library_opdef(graph: Graph, op_type: str) -> OpDef | None:
    """Returns the definition of a function of the library as an op type, or None."""
    found = graph.functions.get(op_type)
    if found is None:
        return None
    return opdef_of((found.definition or function_def(found)).signature)


def read_function(proto: Any, library: dict[str, Any]) -> Function:
    """Returns the Function of a FunctionDef; its graph is built when it is asked for."""
    signature = proto.signature

    def build(attrs: dict[str, Any], args: Sequence[ArgInfo] | None) -> FunctionBody:
        try:
            return _Instance(proto, library, attrs).body(args)
        except ValueError as e:
            raise ValueError(f"in function {signature.name}: {e}") from None

    return Function(
        signature.name, None, [a.name for a in signature.input_arg], [a.name for a in signature.output_arg], build,
        {k: value_of(proto.attr[k]) for k in sorted(proto.attr)}, bool(signature.is_stateful), proto, list(signature.control_output),
    )  # fmt: skip


class _Instance:
    """One body of a FunctionDef, for given values of its attributes."""

    def __init__(self, proto: Any, library: dict[str, Any], attrs: Mapping[str, Any]) -> None:
        self.proto = proto
        self.attrs = dict(attrs)
        for a in proto.signature.attr:
            if a.name not in self.attrs and a.HasField("default_value"):
                self.attrs[a.name] = value_of(a.default_value, a.type)
        self.graph = Graph()
        self.graph.building_function = True
        self.graph.functions = library

    def body(self, args: Sequence[ArgInfo] | None) -> FunctionBody:
        inputs: list[Tensor] = []
        external: dict[tuple[str, int], Tensor] = {}
        for number, arg in enumerate(self.proto.signature.input_arg):
            types = self._types(arg)
            listed = bool(arg.number_attr or arg.type_list_attr)
            for i, dtype in enumerate(types):
                info = args[len(inputs)] if args is not None else (_stated_shape(self.proto, number), None)
                made = _argument(self.graph, f"{arg.name}_{i}" if listed else arg.name, dtype, info)
                inputs.append(made)
                external[arg.name, i] = made
        if args is not None and len(args) != len(inputs):
            raise ValueError(f"the function has {len(inputs)} arguments, got {len(args)}")
        protos = self.proto.node_def
        builder = NodeBuilder(self.graph, protos, [p.name for p in protos], external, {}, _definitions(self.graph), self._filled, self._results())
        builder.run()
        outputs = self._outputs(builder)
        controls = [builder.nodes[n].op for n in (self.proto.control_ret[c] for c in self.proto.signature.control_output)]
        return FunctionBody(self.graph, inputs, outputs, [c for c in controls if c is not None])

    def _results(self) -> list[tuple[str, Port, DType]]:
        found: list[tuple[str, Port, DType]] = []
        for arg in self.proto.signature.output_arg:
            if arg.name in self.proto.ret:
                found.extend((*split_input(self.proto.ret[arg.name]), dtype) for dtype in self._types(arg)[:1])
        return found

    def _outputs(self, builder: NodeBuilder) -> list[Tensor]:
        outputs: list[Tensor] = []
        for arg in self.proto.signature.output_arg:
            types = self._types(arg)
            if arg.name not in self.proto.ret:
                raise ValueError(f"result '{arg.name}' is not in the function's ret map")
            name, port = split_input(self.proto.ret[arg.name])
            if name not in builder.nodes and (name, port) not in builder.external:
                raise ValueError(f"result '{arg.name}' names the unknown node '{name}'")
            found = builder.tensors(name, port, arg.name)
            for t, dtype in zip(found, types, strict=True):
                if t.dtype.base_dtype is not dtype:
                    raise ValueError(f"result '{arg.name}' has type {t.dtype.name}, expected {dtype.name}")
            outputs.extend(found)
        return outputs

    def _types(self, arg: Any) -> list[DType]:
        if arg.type_list_attr:
            return list(self._given(arg.type_list_attr))
        dtype = self._given(arg.type_attr) if arg.type_attr else dtype_of(arg.type).base_dtype
        return [dtype] * (int(self._given(arg.number_attr)) if arg.number_attr else 1)

    def _given(self, name: str) -> Any:
        if name not in self.attrs:
            raise ValueError(f"attribute '{name}' of the function is not given")
        return self.attrs[name]

    def _filled(self, node: Any) -> Mapping[str, Any] | None:
        """The attributes of a node in which attributes of the function are filled in."""
        filled: dict[str, Any] = {}
        for key, proto in node.attr.items():
            if proto.WhichOneof("value") in ("placeholder", "list", "func"):
                value = value_of(proto)
                new = self._fill(value)
                if new is not value:
                    filled[key] = new
        return filled or None

    def _fill(self, value: Any) -> Any:
        if isinstance(value, Placeholder):
            return self._given(value.name)
        attrs = getattr(value, "attrs", None)
        if isinstance(attrs, dict) and any(isinstance(v, Placeholder) for v in attrs.values()):
            return type(value)(value.name, {k: self._fill(v) for k, v in attrs.items()})
        return value


def _argument(graph: Graph, name: str, dtype: DType, info: ArgInfo) -> Tensor:
    dims, handle = info
    attrs: dict[str, Any] = {"dtype": dtype, "shape": TensorShape(dims)}
    op = graph.append(lookup("Placeholder"), (), attrs, graph.op_name(name), [(dtype, dims)])
    op.outputs[0].handle = handle
    return op.outputs[0]


def _stated_shape(proto: Any, number: int) -> Dims:
    """The shape that a FunctionDef itself states for an argument."""
    if number not in proto.arg_attr or "_output_shapes" not in proto.arg_attr[number].attr:
        return None
    dims: Dims = None
    for shape in proto.arg_attr[number].attr["_output_shapes"].list.shape:
        dims = merge_dims(dims, dims_of(shape))
    return dims


def _definitions(graph: Graph) -> Callable[[str], OpDef]:
    def define(op_type: str) -> OpDef:
        d = lookup(op_type)
        return d if d.known else library_opdef(graph, op_type) or d

    return define
