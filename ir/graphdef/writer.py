"""Writes graphs as GraphDefs: `Graph.as_graph_def` and `Operation.node_def`, installed when imported.

The same graph gives the same bytes: nodes in order of creation, control inputs and attributes sorted.
"""

import os
import re
from typing import Any

from google.protobuf import text_format

from ir.build import export
from ir.dtypes import DType
from ir.function import Function, FunctionBody
from ir.graph import Graph
from ir.graphdef import protos
from ir.graphdef.attrs import attr_proto, shape_proto
from ir.graphdef.nodes import output_ports
from ir.tensor import Operation, Tensor
from ir.written import Shown, View, as_made

_LARGEST = 1 << 31
_ARG_NAME = re.compile(r"[^a-z0-9_]")


def node_def(op: Operation, add_shapes: bool = False, shown: Shown | None = None) -> Any:
    """Returns the NodeDef of an operation; with `add_shapes`, the static shapes as attribute `_output_shapes`."""
    shown = shown or as_made(op)
    proto = protos.NodeDef(name=op.name, op=shown.opdef.name, device=op.device)
    proto.input.extend(t.op.name if not t.value_index else f"{t.op.name}:{t.value_index}" for t in shown.inputs)
    proto.input.extend(sorted("^" + c.name for c in shown.control_inputs))
    _write_attrs(proto, op, shown)
    if add_shapes and shown.outputs:
        proto.attr["_output_shapes"].list.shape.extend(shape_proto(t.dims) for t in shown.outputs)
    return proto


def _write_attrs(proto: Any, op: Operation, shown: Shown) -> None:
    specs = shown.opdef.attrs
    for key, value in shown.attrs.items():
        spec = specs.get(key)
        kind = spec.kind if spec is not None else None
        dtype: DType | None = shown.attrs.get("dtype") if kind == "tensor" else None
        try:
            proto.attr[key].CopyFrom(attr_proto(value, kind, dtype))
        except (TypeError, ValueError, AttributeError) as e:
            raise TypeError(f"attribute '{key}' of operation '{op.name}' ({op.type}) cannot be written: {e}") from None
    if op.colocation:
        proto.attr["_class"].list.s.extend(g.encode() for g in op.colocation)


def as_graph_def(graph: Graph, from_version: int | None = None, add_shapes: bool = False) -> Any:
    """Returns the GraphDef of a graph.

    Args:
      graph: the graph.
      from_version: only the operations created since `graph.version` had this value.
      add_shapes: write the static shapes as attribute `_output_shapes`.

    Raises ValueError when the graph holds 2 GB of constants or more.
    """
    view = View(graph)
    ops = view.ops[from_version or 0 :]
    size = sum(op.attrs["value"].nbytes for op in ops if op.type == "Const")
    if size >= _LARGEST:
        raise ValueError(f"GraphDef cannot be larger than 2GB: the constants alone have {size} bytes.")
    proto = protos.GraphDef()
    proto.versions.producer = graph.versions.producer
    proto.versions.min_consumer = graph.versions.min_consumer
    proto.node.extend(node_def(op, add_shapes, view.show(op)) for op in ops)
    for fn in view.functions():
        proto.library.function.append(function_def(fn))
        if fn.gradient:
            proto.library.gradient.add(function_name=fn.name, gradient_func=fn.gradient)
    return proto


# -- functions ---------------------------------------------------------------------------------------


def function_def(fn: Function) -> Any:
    """Returns the FunctionDef of a function: the one it was read from, or one written from its graph."""
    if fn.definition is not None:
        return fn.definition
    return _FunctionWriter(fn, fn.body).proto


class _FunctionWriter:
    """Writes a function's graph in the way a FunctionDef names things."""

    def __init__(self, fn: Function, body: FunctionBody) -> None:
        self.arguments: dict[Tensor, str] = {}
        self.proto: Any = protos.FunctionDef()
        signature = self.proto.signature
        signature.name = fn.name
        given = {t.op for t in body.inputs}
        view = View(body.graph)
        nodes = [op for op in view.ops if op not in given]
        taken = {op.name for op in nodes}
        for t, name in zip(body.inputs, fn.input_names, strict=True):
            self.arguments[t] = _fresh(name, taken)
            signature.input_arg.add(name=self.arguments[t], type=t.dtype.base_dtype.as_datatype_enum)
        self.argument_of = {t.op: name for t, name in self.arguments.items()}
        results: set[str] = set()
        for t, name in zip(body.outputs, fn.output_names, strict=True):
            out = _fresh(name, results)
            signature.output_arg.add(name=out, type=t.dtype.base_dtype.as_datatype_enum)
            self.proto.ret[out] = self._reference(t)
        for i, op in enumerate(body.control_outputs):
            name = fn.control_output_names[i] if i < len(fn.control_output_names) else op.name
            signature.control_output.append(name)
            self.proto.control_ret[name] = op.name
        signature.is_stateful = fn.stateful or any(op.opdef.known and op.opdef.effects.stateful for op in nodes)
        for op in nodes:
            self._node(op, view.show(op))
        for key, value in sorted(fn.attrs.items()):
            self.proto.attr[key].CopyFrom(attr_proto(value))

    def _node(self, op: Operation, shown: Shown) -> None:
        node = self.proto.node_def.add(name=op.name, op=shown.opdef.name, device=op.device)
        node.input.extend(self._reference(t) for t in shown.inputs)
        node.input.extend(sorted("^" + self.argument_of.get(c, c.name) for c in shown.control_inputs))
        _write_attrs(node, op, shown)

    def _reference(self, t: Tensor) -> str:
        if t in self.arguments:
            return self.arguments[t]
        name, index = output_ports(t.op.opdef, t.op.attrs)[t.value_index]
        return f"{t.op.name}:{name}:{index}"


def _fresh(name: str, taken: set[str]) -> str:
    """Returns `name` as an argument may be called, unique among `taken`, and notes it there."""
    base = _ARG_NAME.sub("_", name.lower())
    if not base or not base[0].isalpha():
        base = "arg" + base
    out, i = base, 1
    while out in taken:
        out = f"{base}_{i}"
        i += 1
    taken.add(out)
    return out


# -- files -------------------------------------------------------------------------------------------


@export("train.write_graph io.write_graph")
def write_graph(graph_or_graph_def: Any, logdir: str, name: str, as_text: bool = True) -> str:
    """Writes a graph to the file `name` in directory `logdir`, which is made when missing.

    Args:
      graph_or_graph_def: a Graph or a GraphDef.
      logdir: the directory.
      name: the file's name.
      as_text: in the text form of protocol buffers, else in binary.

    Returns the path of the file.
    """
    proto = as_graph_def(graph_or_graph_def) if isinstance(graph_or_graph_def, Graph) else graph_or_graph_def
    if not logdir.startswith("gs:"):
        os.makedirs(logdir, exist_ok=True)
    path = os.path.join(logdir, name)
    data = text_format.MessageToString(proto).encode() if as_text else proto.SerializeToString(deterministic=True)
    with open(path, "wb") as f:
        f.write(data)
    return path


def _node_def_property(op: Operation) -> Any:
    return node_def(op)


setattr(Graph, "as_graph_def", as_graph_def)  # noqa: B010
setattr(Operation, "node_def", property(_node_def_property, doc="The NodeDef of this operation."))  # noqa: B010 (a property of the stub's type)
