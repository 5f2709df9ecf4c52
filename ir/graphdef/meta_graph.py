"""Graphs with their collections: MetaGraphDefs, the content of `.meta` files.

What is in a collection is written as names of nodes, numbers, text, or as messages by functions registered for the collection.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from ir.convert import get_default_graph
from ir.graph import Graph
from ir.graphdef import protos
from ir.graphdef.reader import import_graph_def
from ir.graphdef.writer import as_graph_def
from ir.opdef import REQUIRED, TABLE
from ir.tensor import Operation, Tensor

logger = logging.getLogger("graphc")


class _Functions(NamedTuple):
    message: Any
    to_proto: Callable[..., Any] | None
    from_proto: Callable[..., Any] | None


_functions: dict[str, _Functions] = {}


def register_proto_function(
    collection_name: str, proto_type: Any = None, to_proto: Callable[..., Any] | None = None, from_proto: Callable[..., Any] | None = None
) -> None:
    """Says how the items of a collection are written as messages (`to_proto(item, export_scope)`) and read (`from_proto(message, import_scope)`)."""
    if to_proto is not None and not callable(to_proto):
        raise TypeError("to_proto must be callable.")
    if from_proto is not None and not callable(from_proto):
        raise TypeError("from_proto must be callable.")
    _functions[collection_name] = _Functions(proto_type, to_proto, from_proto)


# -- writing -----------------------------------------------------------------------------------------


def meta_graph_of(
    graph: Graph | None = None, graph_def: Any = None, saver_def: Any = None, collection_list: Iterable[str] | None = None, export_scope: str | None = None,
    clear_devices: bool = False, clear_extraneous_savers: bool = False, meta_info_def: Any = None, strip_default_attrs: bool = False,
) -> Any:  # fmt: skip
    """Returns the MetaGraphDef of a graph; see `tf.train.export_meta_graph`. Raises ValueError when a scope needs nodes outside it."""
    graph = graph or get_default_graph()
    out = protos.MetaGraphDef()
    if meta_info_def is not None:
        out.meta_info_def.MergeFrom(meta_info_def)
    out.meta_info_def.tensorflow_version = out.meta_info_def.tensorflow_version or "1.15.5"
    source = graph_def if graph_def is not None else as_graph_def(graph)
    out.graph_def.CopyFrom(_scoped(source, export_scope) if export_scope else source)
    if clear_devices:
        for node in out.graph_def.node:
            node.device = ""
    if strip_default_attrs:
        _strip_defaults(out.graph_def)
        out.meta_info_def.stripped_default_attrs = True
    if saver_def is not None:
        out.saver_def.MergeFrom(saver_def)
    for key in list(collection_list) if collection_list is not None else graph.get_all_collection_keys():
        if not isinstance(key, str):
            logger.warning("Only collections with string type keys will be serialized. This key has %s", type(key))
            continue
        if clear_extraneous_savers and key == "savers":
            continue
        _write_collection(out, key, graph.get_collection(key), export_scope)
    return out


def _scoped(graph_def: Any, scope: str) -> Any:
    prefix = scope.rstrip("/") + "/"
    out = protos.GraphDef()
    out.versions.CopyFrom(graph_def.versions)
    out.library.CopyFrom(graph_def.library)
    for node in graph_def.node:
        if not node.name.startswith(prefix):
            continue
        new = out.node.add()
        new.CopyFrom(node)
        new.name = node.name[len(prefix) :]
        for i, text in enumerate(node.input):
            mark = "^" if text.startswith("^") else ""
            name = text.removeprefix("^")
            if not name.startswith(prefix):
                raise ValueError(f"node '{node.name}' of the scope '{scope}' to be exported needs '{name}', which is outside it")
            new.input[i] = mark + name[len(prefix) :]
        if "_class" in new.attr:
            groups = [g for g in node.attr["_class"].list.s if g.decode().startswith(f"loc:@{prefix}")]
            del new.attr["_class"]
            if groups:
                new.attr["_class"].list.s.extend(b"loc:@" + g[len(prefix) + 5 :] for g in groups)
    return out


def _strip_defaults(graph_def: Any) -> None:
    """Leaves out attributes that have their default, so that older programs, which may not know them, can read the graph."""
    for node in graph_def.node:
        known = TABLE.get(node.op)
        for key in list(node.attr) if known is not None else []:
            spec = known.attrs.get(key) if known is not None else None
            if spec is not None and spec.default is not REQUIRED and _has_default(node.attr[key], spec):
                del node.attr[key]


def _has_default(value: Any, spec: Any) -> bool:
    default = spec.default
    simple = {"int": value.i, "bool": value.b, "float": value.f, "string": value.s.decode(errors="replace")}
    return spec.kind in simple and type(default) in (int, bool, float, str) and simple[spec.kind] == default


def _write_collection(out: Any, key: str, items: list[Any], scope: str | None) -> None:
    functions = _functions.get(key)
    written = protos.CollectionDef()
    try:
        if functions is not None and functions.to_proto is not None:
            messages = [functions.to_proto(x, scope) for x in items]
            written.bytes_list.value.extend(m.SerializeToString(deterministic=True) for m in messages if m is not None)
        else:
            for x in items:
                _write_item(written, x, scope)
    except Exception as e:  # as in TensorFlow: what cannot be written is left out, with a warning
        logger.warning("Issue encountered when serializing %s.\nType is unsupported, or the items are of different kinds.\n%s", key, e)
        return
    if written.WhichOneof("kind") is not None:
        out.collection_def[key].CopyFrom(written)


def _write_item(written: Any, x: Any, scope: str | None) -> None:
    kind = written.WhichOneof("kind")
    if isinstance(x, bool):
        raise TypeError(f"{x!r} cannot be written")
    if isinstance(x, int):
        field, value = "int64_list", x
    elif isinstance(x, float):
        field, value = "float_list", x
    elif isinstance(x, (bytes, str)):
        field, value = "bytes_list", x.encode() if isinstance(x, str) else x
    elif isinstance(x, (Tensor, Operation)) or isinstance(getattr(x, "name", None), str):
        name = x.name
        if scope is not None:
            prefix = scope.rstrip("/") + "/"
            if not name.startswith(prefix):
                return
            name = name[len(prefix) :]
        field, value = "node_list", name
    else:
        raise TypeError(f"{type(x).__name__} has no name")
    if kind not in (None, field):
        raise TypeError("the items are of different kinds")
    getattr(written, field).value.append(value)


def write_meta_graph(filename: str, proto: Any, as_text: bool = False) -> None:
    """Writes a MetaGraphDef to a file."""
    data = text_format.MessageToString(proto).encode() if as_text else proto.SerializeToString(deterministic=True)
    with open(filename, "wb") as f:
        f.write(data)


# -- reading -----------------------------------------------------------------------------------------


def read_meta_graph(filename: str) -> Any:
    """Returns the MetaGraphDef of a file, binary or text. Raises OSError when it cannot be read."""
    try:
        with open(filename, "rb") as f:
            data = f.read()
    except FileNotFoundError:
        raise OSError(f"File {filename} does not exist.") from None
    try:
        return protos.MetaGraphDef.FromString(data)
    except DecodeError:
        pass
    try:
        return text_format.Parse(data.decode(), protos.MetaGraphDef())
    except (UnicodeDecodeError, text_format.ParseError) as e:
        raise OSError(f"Cannot parse file {filename}: {e}.") from None


def import_meta_graph_def(
    proto: Any, clear_devices: bool = False, import_scope: str | None = None, input_map: Any = None, return_elements: Any = None
) -> list[Any] | None:
    """Adds the graph and the collections of a MetaGraphDef to the default graph. Returns `return_elements`."""
    graph = get_default_graph()
    producer = proto.meta_info_def.stripped_op_list if proto.meta_info_def.HasField("stripped_op_list") else None
    graph_def = protos.GraphDef()
    graph_def.CopyFrom(proto.graph_def)
    if clear_devices:
        for node in graph_def.node:
            node.device = ""
    found = import_graph_def(graph_def, input_map, return_elements, import_scope or "", producer_op_list=producer)
    made: dict[bytes, Any] = {}
    for key, collection in sorted(proto.collection_def.items()):
        _read_collection(graph, key, collection, import_scope, made)
    return found


def _read_collection(graph: Graph, key: str, collection: Any, scope: str | None, made: dict[bytes, Any]) -> None:
    kind = collection.WhichOneof("kind")
    functions = _functions.get(key)
    if kind is None:
        logger.error("Cannot identify data type for collection %s. Skipping.", key)
        return
    values = list(getattr(collection, kind).value)
    if kind == "node_list":
        for name in values:
            graph.add_to_collection(key, graph.as_graph_element(f"{scope}/{name}" if scope else name))
    elif kind == "bytes_list" and functions is not None and functions.from_proto is not None:
        for data in values:
            if data not in made:  # a variable is one object in all collections
                made[data] = functions.from_proto(functions.message.FromString(data), scope)
            graph.add_to_collection(key, made[data])
    else:
        for value in values:
            graph.add_to_collection(key, value)
