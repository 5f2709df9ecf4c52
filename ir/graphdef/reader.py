"""Reads a GraphDef into a graph: `tf.import_graph_def`."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.device import DeviceSpec
from ir.graph import Graph
from ir.graphdef import protos
from ir.graphdef.functions import add_library, library_opdef
from ir.graphdef.nodes import Node, NodeBuilder
from ir.graphdef.opdefs import opdef_of
from ir.opdef import OpDef, lookup
from ir.tensor import Operation, Tensor


@export("import_graph_def graph_util.import_graph_def")
def import_graph_def(
    graph_def: Any, input_map: Mapping[str, Any] | None = None, return_elements: Sequence[str] | None = None, name: str | None = None,
    op_dict: Any = None, producer_op_list: Any = None,
) -> list[Any] | None:  # fmt: skip
    """Adds the operations of a GraphDef to the default graph.

    Args:
      graph_def: a GraphDef, or its serialized bytes.
      input_map: tensor names in `graph_def` ("a", "a:1"; "^a" for control inputs) -> tensors of the default graph
        to use instead.
      return_elements: names of operations ("a") and tensors ("a:0") in `graph_def` to return.
      name: a prefix for the names, by default "import"; "" for none.
      op_dict: deprecated, ignored.
      producer_op_list: an OpList of the program that wrote `graph_def`. Attributes that we do not know are left out if
        they have the default value given there.

    Returns the operations and tensors named by `return_elements`, or None. Op types that graphc does not know are
    kept, so that the graph can be looked at and written again; running them fails.

    Raises ValueError, naming the node, when the graph is not well-formed: unknown inputs or attributes, types that do not
    agree, cycles that are not loops, two nodes of one name; TypeError when an argument has a wrong type.
    """
    if op_dict is not None:
        warnings.warn("op_dict of import_graph_def is deprecated and has no effect", DeprecationWarning, stacklevel=2)
    proto = parsed(graph_def)
    wanted = _checked_names(return_elements)
    mapped = _checked_map(input_map)
    graph = get_default_graph()
    producer = {op.name: op for op in producer_op_list.op} if producer_op_list is not None else {}
    with graph.name_scope("import" if name is None else name) as scope:
        tensors, controls = _mapped_inputs(graph, mapped, name)
        add_library(graph, proto.library)
        if proto.HasField("versions"):
            graph.versions.producer = min(graph.versions.producer, proto.versions.producer)
            graph.versions.min_consumer = max(graph.versions.min_consumer, proto.versions.min_consumer)
        if producer:
            proto = _without_new_defaults(proto, producer)
        builder = NodeBuilder(graph, proto.node, _full_names(graph, proto.node, scope, name), tensors, controls, _definitions(graph, producer))
        with graph.name_scope(None):
            builder.run()
    _place(graph, builder)
    unused = [_key_name(k) for k in mapped if not _was_used(builder, k)]
    if unused:
        raise ValueError(f"Attempted to map inputs that were not found in graph_def: [{', '.join(unused)}]")
    return None if wanted is None else [_element(builder, w) for w in wanted]


def parsed(graph_def: Any) -> Any:
    """Returns a GraphDef given as proto or bytes. Raises TypeError for anything else, ValueError for damaged bytes."""
    if isinstance(graph_def, protos.GraphDef):
        return graph_def
    if hasattr(graph_def, "SerializeToString") and hasattr(graph_def, "node"):  # another package's GraphDef class
        graph_def = graph_def.SerializeToString()
    if not isinstance(graph_def, (bytes, bytearray, memoryview)):
        raise TypeError(f"graph_def must be a GraphDef proto or its bytes, got {type(graph_def).__name__}.")
    try:
        return protos.GraphDef.FromString(bytes(graph_def))
    except Exception as e:  # the protobuf runtime's DecodeError, which has no stable place
        raise ValueError(f"graph_def is not a serialized GraphDef: {e}") from None


def _checked_names(names: Any) -> list[str] | None:
    if names is None:
        return None
    out = [n.decode() if isinstance(n, bytes) else n for n in names]
    if isinstance(names, str) or not all(isinstance(n, str) for n in out):
        raise TypeError("return_elements must be a list of strings.")
    return out


def _checked_map(input_map: Any) -> dict[tuple[str, int | None], Any]:
    if input_map is None:
        return {}
    if not isinstance(input_map, Mapping) or not all(isinstance(k, (str, bytes)) for k in input_map):
        raise TypeError("input_map must be a dictionary mapping strings to Tensor objects.")
    return {_key(k.decode() if isinstance(k, bytes) else k): v for k, v in input_map.items()}


def _key(text: str) -> tuple[str, int | None]:
    """Returns (node, output), with output None for a control input "^node"."""
    if text[:1] == "^":
        return text[1:], None
    name, _, index = text.partition(":")
    if index and not index.isdigit():
        raise ValueError(f"input_map key {text!r} is not the name of a tensor")
    return name, int(index or 0)


def _key_name(key: tuple[str, int | None]) -> str:
    return "^" + key[0] if key[1] is None else f"{key[0]}:{key[1]}"


def _was_used(builder: NodeBuilder, key: tuple[str, int | None]) -> bool:
    return key[0] in builder.used_controls if key[1] is None else key in builder.used or key[0] in builder.nodes


def _mapped_inputs(graph: Graph, mapped: dict[tuple[str, int | None], Any], name: str | None) -> tuple[dict[tuple[str, int], Tensor], dict[str, Operation]]:
    tensors: dict[tuple[str, int], Tensor] = {}
    controls: dict[str, Operation] = {}
    if name == "" and not all(isinstance(v, (Tensor, Operation)) for v in mapped.values()):
        raise ValueError(
            "tf.import_graph_def() requires a non-empty `name` if `input_map` contains non-Tensor values. "
            "Try calling tf.convert_to_tensor() on `input_map` values before calling tf.import_graph_def()."
        )
    for (node, index), value in mapped.items():
        if index is None:
            controls[node] = value if isinstance(value, Operation) else convert_to_tensor(value).op
        elif isinstance(value, Tensor):
            tensors[node, index] = graph.as_graph_element(value)
        else:
            with graph.name_scope("_inputs"):
                tensors[node, index] = convert_to_tensor(value)
    return tensors, controls


def _definitions(graph: Graph, producer: Mapping[str, Any]) -> Any:
    known: dict[str, OpDef] = {}

    def define(op_type: str) -> OpDef:
        d = known.get(op_type)
        if d is None:
            d = lookup(op_type)
            if not d.known:
                d = library_opdef(graph, op_type) or (opdef_of(producer[op_type], known=False) if op_type in producer else d)
            known[op_type] = d
        return d

    return define


def _without_new_defaults(proto: Any, producer: Mapping[str, Any]) -> Any:
    """Leaves out attributes that we do not know and that have the producer's default, so that they mean nothing new."""
    out = protos.GraphDef()
    out.CopyFrom(proto)
    for node in out.node:
        ours, theirs = lookup(node.op), producer.get(node.op)
        if not ours.known or theirs is None:
            continue
        for a in theirs.attr:
            if a.name not in ours.attrs and a.HasField("default_value") and a.name in node.attr and node.attr[a.name] == a.default_value:
                del node.attr[a.name]
    return out


def _full_names(graph: Graph, protos: Sequence[Any], scope: str, name: str | None) -> list[str]:
    """Returns the names in the graph: prefixed, and made unique when the prefix is not a new one."""
    names = [scope + p.name for p in protos]
    if name is None or (name and name[-1] != "/"):
        return names
    taken = {op.name for op in graph.ops}
    if not taken:
        return names
    for n in list(taken):
        while "/" in n:
            n = n.rpartition("/")[0]
            if n in taken:
                break
            taken.add(n)
    fresh = set(names)
    out: list[str] = []
    for n in names:
        unique, i = n, 1
        while unique in taken or (unique != n and unique in fresh):
            unique = f"{n}_{i}"
            i += 1
        if unique != n:
            fresh.add(unique)
        out.append(unique)
    return out


def _place(graph: Graph, builder: NodeBuilder) -> None:
    """Sets devices: the node's own within the device scopes around the import, or that of the group it is placed with."""
    canonical: dict[str, str] = {}
    made: list[tuple[Node, Operation]] = [(node, node.op) for node in builder.nodes.values() if node.op is not None]
    for node, op in made:
        asked = node.proto.device
        if not asked:
            continue
        if asked not in canonical:
            try:
                canonical[asked] = DeviceSpec.from_string(asked).to_string()
            except ValueError as e:
                raise ValueError(f"Node '{op.name}': {e}") from None
        op.device = _merged(op.device, canonical[asked])
    for _, op in made:
        if op.colocation and not op.device:
            for group in op.colocation:
                other = graph._by_name.get(group.removeprefix("loc:@"))  # pyright: ignore[reportPrivateUsage]
                if other is not None and other.device:
                    op.device = other.device
                    break


def _merged(outer: str, inner: str) -> str:
    if not outer or outer == inner:
        return inner
    spec = DeviceSpec.from_string(outer)
    spec.merge_from(DeviceSpec.from_string(inner))
    return spec.to_string()


def _element(builder: NodeBuilder, text: str) -> Any:
    name, _, index = text.partition(":")
    if index and not index.isdigit():
        raise ValueError(f"Requested return element '{text}' is not the name of an operation or tensor")
    if index and (name, int(index)) in builder.external:
        return builder.external[name, int(index)]
    node = builder.nodes.get(name)
    if node is None or node.op is None:
        raise ValueError(f"Requested return {'tensor' if index else 'node'} '{text}' not found in graph def")
    if not index:
        return node.op
    if int(index) >= len(node.op.outputs):
        raise ValueError(f"Invalid return output {index} of node '{name}', which has {len(node.op.outputs)} output(s)")
    return node.op.outputs[int(index)]
