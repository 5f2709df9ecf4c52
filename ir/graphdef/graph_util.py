"""Tools on GraphDefs: `tf.graph_util`."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from ir.build import export
from ir.dtypes import as_dtype
from ir.graph import Graph
from ir.graphdef import protos
from ir.graphdef.attrs import attr_proto
from ir.shapes import TensorShape
from ir.tensor import Operation

_VARIABLES = frozenset(["Variable", "VariableV2", "VarHandleOp"])


def _node_of(text: str) -> str:
    """Returns the node that an input names: "^x" and "x:1" are "x"."""
    return text.removeprefix("^").partition(":")[0]


@export("graph_util.extract_sub_graph")
def extract_sub_graph(graph_def: Any, dest_nodes: Iterable[str]) -> Any:
    """Returns the GraphDef of the nodes that `dest_nodes` need: by inputs, control inputs and colocation.

    Raises TypeError for wrong arguments, AssertionError when a name is not in the graph.
    """
    if not hasattr(graph_def, "node") or not hasattr(graph_def, "library"):
        raise TypeError("graph_def must be a graph_pb2.GraphDef proto.")
    if isinstance(dest_nodes, str):
        raise TypeError("dest_nodes must be a list.")
    nodes = {n.name: n for n in graph_def.node}
    wanted = list(dest_nodes)
    for name in wanted:
        if name not in nodes:
            raise AssertionError(f"{name} is not in graph")
    keep: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in keep:
            continue
        keep.add(name)
        node = nodes.get(name)
        if node is None:
            raise AssertionError(f"{name} is not in graph")
        wanted.extend(_node_of(i) for i in node.input)
        if "_class" in node.attr:
            wanted.extend(g.decode()[5:] for g in node.attr["_class"].list.s if g.startswith(b"loc:@"))
    out = protos.GraphDef()
    out.node.extend(n for n in graph_def.node if n.name in keep)
    out.library.CopyFrom(graph_def.library)
    out.versions.CopyFrom(graph_def.versions)
    return out


@export("graph_util.remove_training_nodes")
def remove_training_nodes(input_graph: Any, protected_nodes: Collection[str] | None = None) -> Any:
    """Returns a GraphDef without the nodes that only matter in training: CheckNumerics, and Identity where it can go.

    An Identity stays when it has control inputs or is one. Nodes named in `protected_nodes` stay.
    """
    keep = frozenset(protected_nodes or ())
    controlling = {_node_of(i) for n in input_graph.node for i in n.input if i.startswith("^")}
    skipped: dict[str, str] = {}
    for n in input_graph.node:
        if n.name in keep:
            continue
        controlled = any(i.startswith("^") for i in n.input)
        if n.op == "CheckNumerics" or (n.op == "Identity" and not controlled and n.name not in controlling):
            skipped[n.name] = n.input[0]
    out = protos.GraphDef()
    for n in input_graph.node:
        if n.name in skipped:
            continue
        new = out.node.add()
        new.CopyFrom(n)
        del new.input[:]
        new.input.extend(_through(i, skipped) for i in n.input)
    out.library.CopyFrom(input_graph.library)
    out.versions.CopyFrom(input_graph.versions)
    return out


def _through(text: str, skipped: Mapping[str, str]) -> str:
    mark = "^" if text.startswith("^") else ""
    while _node_of(text) in skipped:
        text = skipped[_node_of(text)]
    return mark + _node_of(text) if mark else text


@export("graph_util.tensor_shape_from_node_def_name")
def tensor_shape_from_node_def_name(graph: Graph, input_name: str) -> TensorShape:
    """Returns the static shape of the tensor that an input of a NodeDef names."""
    name = input_name if ":" in input_name else input_name + ":0"
    return graph.get_tensor_by_name(name).get_shape()


@export("graph_util.must_run_on_cpu")
def must_run_on_cpu(node: Any, pin_variables_on_cpu: bool = False) -> bool:
    """Whether TensorFlow 1 had to place a node on the CPU: strings, small integers and, if asked, variables.

    Args:
      node: an Operation or a NodeDef.
      pin_variables_on_cpu: count variables and their assignments in.
    """
    proto = node.node_def if isinstance(node, Operation) else node
    if pin_variables_on_cpu and proto.op in _VARIABLES | {"Assign", "AssignAdd", "AssignSub"}:
        return True
    key = {"Const": "dtype", "DynamicStitch": "T", "ParallelDynamicStitch": "T", "Cast": "SrcT"}.get(proto.op)
    if key is None:
        return False
    dtype = as_dtype(proto.attr[key].type).name
    return dtype == "int32" or (proto.op == "Const" and dtype == "string")


@export("graph_util.convert_variables_to_constants")
def convert_variables_to_constants(
    sess: Any, input_graph_def: Any, output_node_names: Iterable[str], variable_names_whitelist: Collection[str] | None = None,
    variable_names_blacklist: Collection[str] | None = None,
) -> Any:  # fmt: skip
    """Returns the GraphDef of what `output_node_names` need, with variables replaced by constants of their values.

    Args:
      sess: the session that holds the variables.
      input_graph_def: the GraphDef of the session's graph, or a part of it.
      output_node_names: names of operations to keep, with what they need.
      variable_names_whitelist: the variables to convert; by default all.
      variable_names_blacklist: variables to leave as they are.

    Raises ValueError when a resource variable is used in another way than by reading it.
    """
    graph_def = extract_sub_graph(input_graph_def, output_node_names)
    nodes = {n.name: n for n in graph_def.node}
    frozen = [n for n in graph_def.node if n.op in _VARIABLES and _selected(n.name, variable_names_whitelist, variable_names_blacklist)]
    values = dict(zip([n.name for n in frozen], _values(sess, frozen), strict=True))
    out = protos.GraphDef()
    for n in graph_def.node:
        source = _variable_of(n, nodes)
        if n.name in values:
            _constant(out.node.add(), n.name, n.attr["dtype"].type, values[n.name])
        elif source not in values:
            out.node.add().CopyFrom(n)
        elif n.op == "ReadVariableOp":
            _identity(out.node.add(), n, n.attr["dtype"].type)
        elif n.op in ("Identity", "Enter", "Switch", "RefSwitch", "RefEnter"):
            kept = out.node.add()
            kept.CopyFrom(n)
            kept.op = n.op.removeprefix("Ref")
            kept.attr["T"].type = nodes[source].attr["dtype"].type
        elif n.op == "ResourceGather":
            _gather(out, n)
        elif nodes[source].op == "VarHandleOp" and n.op == "VariableShape":
            kept = out.node.add(name=n.name, op="Shape", device=n.device, input=list(n.input))
            kept.attr["T"].type = nodes[source].attr["dtype"].type
            kept.attr["out_type"].type = n.attr["out_type"].type or 3
        elif nodes[source].op == "VarHandleOp":
            raise ValueError(f"Cannot freeze variable '{source}': operation '{n.name}' ({n.op}) uses it in another way than by reading it")
        else:
            out.node.add().CopyFrom(n)
    out.library.CopyFrom(graph_def.library)
    out.versions.CopyFrom(graph_def.versions)
    return out


def _selected(name: str, white: Collection[str] | None, black: Collection[str] | None) -> bool:
    return (white is None or name in white) and (black is None or name not in black)


def _values(sess: Any, variables: list[Any]) -> list[Any]:
    fetches: list[Any] = []
    for n in variables:
        op = sess.graph.get_operation_by_name(n.name)
        if n.op != "VarHandleOp":
            fetches.append(op.outputs[0])
            continue
        read = next((c for c in op.outputs[0].consumers() if c.type == "ReadVariableOp"), None)
        if read is None:
            raise ValueError(f"Cannot freeze variable '{n.name}': the graph has no operation that reads it")
        fetches.append(read.outputs[0])
    return sess.run(fetches) if fetches else []


def _variable_of(node: Any, nodes: Mapping[str, Any]) -> str:
    """Returns the variable that the first input of a node is, through operations that pass it on; "" for none."""
    if not node.input or node.op in _VARIABLES:
        return ""
    name = _node_of(node.input[0])
    while name in nodes and nodes[name].op in ("Identity", "Enter", "Switch", "RefSwitch", "RefEnter") and nodes[name].input:
        name = _node_of(nodes[name].input[0])
    found = nodes.get(name)
    return name if found is not None and found.op in _VARIABLES and _passes(node, found) else ""


def _passes(node: Any, variable: Any) -> bool:
    return variable.op == "VarHandleOp" or node.op in ("RefSwitch", "RefEnter")


def _constant(node: Any, name: str, dtype: int, value: Any) -> None:
    node.name, node.op = name, "Const"
    node.attr["dtype"].type = dtype
    node.attr["value"].CopyFrom(attr_proto(np.asarray(value), "tensor", as_dtype(int(dtype))))


def _identity(node: Any, read: Any, dtype: int) -> None:
    node.CopyFrom(read)
    node.op = "Identity"
    del node.attr["dtype"]
    node.attr["T"].type = dtype


def _gather(out: Any, n: Any) -> None:
    axis = n.name + "/axis"
    _constant(out.node.add(), axis, 3, np.array(0, np.int32))
    node = out.node.add(name=n.name, op="GatherV2", device=n.device, input=[n.input[0], n.input[1], axis])
    node.input.extend(i for i in n.input[2:])
    node.attr["Tparams"].type = n.attr["dtype"].type
    node.attr["Tindices"].type = n.attr["Tindices"].type
    node.attr["Taxis"].type = 3
    if n.attr["batch_dims"].i:
        node.attr["batch_dims"].i = n.attr["batch_dims"].i
