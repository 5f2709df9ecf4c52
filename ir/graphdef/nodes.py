"""NodeDefs to operations: the part that whole graphs and function bodies share.

Nodes are made in a topological order that keeps the given order where it can. A v1 loop is a cycle through a
`Merge`: its input from `NextIteration` is filled in at the end.
"""

import heapq
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ir.build import attr_value, infer_shapes
from ir.dtypes import DType, TypeSet
from ir.graph import Graph
from ir.graphdef.attrs import text_of, value_of
from ir.graphdef.loops import settle_loop_shapes
from ir.graphdef.opdefs import ANYTHING, opaque
from ir.opdef import REQUIRED, AttrSpec, Effects, OpDef
from ir.shapes import Dims, dims_of
from ir.tensor import Operation, Tensor

#: an output of a node: its flat number, or the output's name and the number in its list (None: all of it)
Port = int | tuple[str, int | None]
_NAME = re.compile(r"^[A-Za-z0-9._][A-Za-z0-9_.\-/>]*$")
_BACK_EDGES = frozenset(["NextIteration", "RefNextIteration"])
_MERGES = frozenset(["Merge", "RefMerge"])
_USED_ELSEWHERE = frozenset(["_class", "_output_shapes"])


def split_input(text: str) -> tuple[str, Port]:
    """Returns the node and the port that an input of a NodeDef names: "x", "x:1", or "x:out:1" in a function."""
    name, _, rest = text.partition(":")
    if not rest:
        return name, 0
    if rest.isdigit():
        return name, int(rest)
    out, _, index = rest.partition(":")
    return name, (out, int(index) if index.isdigit() else None)


def settled_attrs(d: OpDef, proto: Any, name: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the attributes of a node with defaults filled in. Raises ValueError naming the node.

    `given` holds attributes that are known already (of a function's own attributes, filled in).
    """
    attrs: dict[str, Any] = {}
    found = proto.attr
    left = len(found)
    for key, spec in d.attrs.items():
        if key in found:
            left -= 1
            value = given[key] if given is not None and key in given else None
            try:
                attrs[key] = _checked(spec, value_of(found[key], spec.kind) if value is None else value)
            except (TypeError, ValueError) as e:
                raise ValueError(f"Node '{name}' ({d.name}): attribute '{key}': {e}") from None
        elif spec.default is not REQUIRED:
            if spec.default is not None or spec.kind == "shape":
                attrs[key] = attr_value(spec, spec.default)
        else:
            raise ValueError(f"Node '{name}': NodeDef missing attr '{key}' from Op {d.name}, which has attributes {', '.join(d.attrs)}")
    if left:
        _take_others(d, proto, name, attrs, given or {})
    return attrs


def _checked(spec: AttrSpec, value: Any) -> Any:
    allowed = spec.allowed
    if spec.kind == "type":
        value = value.base_dtype
    if allowed is not None:
        values = value if isinstance(value, tuple) else (value,)
        admits_all = isinstance(allowed, TypeSet) and not allowed.types
        for v in values:
            if not admits_all and v not in allowed:
                shown = v.name if isinstance(v, DType) else repr(v)
                raise ValueError(f"{shown} is not in the list of allowed values: {allowed}")
    if spec.minimum is not None:
        size = len(value) if isinstance(value, tuple) else value
        if size < spec.minimum:
            raise ValueError(f"{size} is less than the minimum {spec.minimum}")
    return value


def _take_others(d: OpDef, proto: Any, name: str, attrs: dict[str, Any], given: Mapping[str, Any]) -> None:
    for key in sorted(proto.attr):
        if key in d.attrs or key in _USED_ELSEWHERE:
            continue
        if d.known and key[0] != "_":
            raise ValueError(
                f"Node '{name}': NodeDef mentions attr '{key}' not in Op {d.name}, which has attributes {', '.join(d.attrs) or 'none'}. "
                "(It may come from a newer producer: pass its op list as `producer_op_list`.)"
            )
        attrs[key] = given[key] if key in given else value_of(proto.attr[key])


def expected_inputs(d: OpDef, attrs: Mapping[str, Any]) -> list[tuple[DType, bool]]:
    """Returns per flat input of an operation its dtype and whether it must be a reference."""
    out: list[tuple[DType, bool]] = []
    for i in d.inputs:
        kind = i.spec
        if kind.types is not None:
            out.extend((t, kind.ref) for t in attrs[kind.types])
            continue
        dtype = kind.dtype if kind.dtype is not None else attrs[kind.attr or ""]
        if kind.number is not None:
            out.extend([(dtype, kind.ref)] * attrs[kind.number])
        else:
            out.append((dtype, kind.ref))
    return out


def output_ports(d: OpDef, attrs: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Returns per flat output of an operation the output's name and the number in its list."""
    ports: list[tuple[str, int]] = []
    seen: dict[str, int] = {}
    for o in d.outputs:
        n = len(attrs[o.types]) if o.types else int(attrs[o.number]) if o.number else 1
        for _ in range(n):
            ports.append((o.name, seen.setdefault(o.name, 0)))
            seen[o.name] += 1
    return ports


class Node:
    """A NodeDef on its way into a graph."""

    __slots__ = ("controls", "data", "name", "op", "proto")

    def __init__(self, proto: Any, name: str) -> None:
        self.proto = proto
        self.name = name
        self.data: list[tuple[str, Port]] = []
        self.controls: list[str] = []
        self.op: Operation | None = None


class NodeBuilder:
    """Adds NodeDefs to a graph.

    Args:
      graph: where the operations go.
      protos: the NodeDefs.
      names: their full names in the graph.
      external: tensors that stand for outputs of nodes, by (node name, flat number); they need not be among `protos`.
      external_ops: operations that stand for nodes in control inputs.
      define: op type -> definition.
      attrs: given values of the attributes of a node, or None.
      results: further ports that are used, with their types.
    """

    def __init__(
        self, graph: Graph, protos: Sequence[Any], names: Sequence[str], external: Mapping[tuple[str, int], Tensor],
        external_ops: Mapping[str, Operation], define: Callable[[str], OpDef], attrs: Callable[[Any], Mapping[str, Any] | None] | None = None,
        results: Sequence[tuple[str, Port, DType]] = (),
    ) -> None:  # fmt: skip
        self.graph = graph
        self.external = external
        self.external_ops = external_ops
        self.define = define
        self.attrs = attrs
        self.results = results
        self.used: set[tuple[str, int]] = set()
        self.used_controls: set[str] = set()
        self.nodes: dict[str, Node] = {}
        for proto, name in zip(protos, names, strict=True):
            if proto.name in self.nodes:
                raise ValueError(f"Node '{proto.name}' is not unique")
            if not _NAME.match(proto.name):
                raise ValueError(f"Node '{proto.name}': Node name contains invalid characters")
            self.nodes[proto.name] = Node(proto, name)
        self._pending: list[tuple[Node, int, tuple[str, Port]]] = []
        self._unmade: set[Tensor] = set()
        self._tainted: set[Operation] = set()
        self._stated: dict[Operation, list[Dims]] = {}
        self._readers: dict[str, list[tuple[Node, int]]] | None = None
        self._given_external = {name for name, _ in external}

    def run(self) -> None:
        """Makes all operations."""
        for node in self.nodes.values():
            self._read_inputs(node)
        made = [self._make(node) for node in self._ordered()]
        self._close_loops()
        for node in self.nodes.values():
            assert node.op is not None
            if node.controls:
                self._add_controls(node, node.op)
            self._colocate(node, node.op)
        if self._pending:
            merges = [m for m in dict.fromkeys(node.op for node, _, _ in self._pending) if m is not None]
            settle_loop_shapes([op for op in made if op in self._tainted], merges, self._stated)

    # -- order ---------------------------------------------------------------------------------------

    def _read_inputs(self, node: Node) -> None:
        for text in node.proto.input:
            if text[:1] == "^":
                name = text[1:]
                node.controls.append(name)
                if name in self.external_ops:
                    self.used_controls.add(name)
                elif name not in self.nodes and name not in self._given_external:
                    raise ValueError(f"Node '{node.proto.name}': Unknown input node '{text}'")
                continue
            if node.controls:
                raise ValueError(f"Node '{node.proto.name}': Control dependencies must come after regular dependencies")
            name, port = split_input(text)
            if isinstance(port, int) and (name, port) in self.external:
                self.used.add((name, port))
            elif name not in self.nodes:
                raise ValueError(f"Node '{node.proto.name}': Unknown input node '{text}'")
            node.data.append((name, port))

    def _dependencies(self, node: Node) -> list[str]:
        names = [name for name, port in node.data if (name, port) not in self.external]
        if node.proto.op in _MERGES:
            names = [n for n in names if self.nodes[n].proto.op not in _BACK_EDGES]
        return names + [n for n in node.controls if n in self.nodes and n not in self.external_ops]

    def _ordered(self) -> list[Node]:
        nodes = list(self.nodes.values())
        number = {name: i for i, name in enumerate(self.nodes)}
        users: list[list[int]] = [[] for _ in nodes]
        waiting = [0] * len(nodes)
        for i, node in enumerate(nodes):
            for name in self._dependencies(node):
                users[number[name]].append(i)
                waiting[i] += 1
        ready = [i for i, n in enumerate(waiting) if n == 0]
        order: list[Node] = []
        while ready:
            i = heapq.heappop(ready)
            order.append(nodes[i])
            for u in users[i]:
                waiting[u] -= 1
                if not waiting[u]:
                    heapq.heappush(ready, u)
        if len(order) < len(nodes):
            self._report_cycle([nodes[i] for i, n in enumerate(waiting) if n])
        return order

    def _report_cycle(self, stuck: list[Node]) -> None:
        left = {node.proto.name for node in stuck}
        at = stuck[0].proto.name
        seen: dict[str, None] = {}
        while at not in seen:
            seen[at] = None
            at = next(n for n in self._dependencies(self.nodes[at]) if n in left)
        path = list(seen)
        cycle = path[path.index(at) :]
        shown = " -> ".join(f"'{n}'" for n in reversed(cycle[:8])) + (" ..." if len(cycle) > 8 else "")
        raise ValueError(f"{len(cycle)} nodes in a cycle that is not a loop (through Merge and NextIteration): {shown}")

    # -- one node ------------------------------------------------------------------------------------

    def _make(self, node: Node) -> Operation:
        proto = node.proto
        d = self.define(proto.op)
        given = self.attrs(proto) if self.attrs is not None else None
        if not d.known and not d.inputs and not d.outputs:
            d = opaque(proto.op, self._opaque_outputs(node))
        attrs = settled_attrs(d, proto, node.name, given)
        if d.name == "Const" and attrs["value"].dtype != attrs["dtype"].np_dtype:
            raise ValueError(f"Node '{node.name}': its value has type {attrs['value'].dtype}, its attribute dtype is {attrs['dtype'].name}")
        tensors = self._inputs(node)
        if d.known or d.inputs:
            self._check_inputs(node, d, attrs, tensors)
        types = d.output_types(attrs)
        shapes = self._shapes(node, d, attrs, tensors, len(types))
        op = self.graph.append(d, tensors, attrs, node.name, list(zip(types, shapes, strict=True)))
        self.graph.reserve_name(node.name)
        node.op = op
        if self._pending and any(t in self._unmade or t.op in self._tainted for t in tensors):
            self._tainted.add(op)
        self._state_shapes(op, proto)
        pass_handles(op)
        return op

    def _shapes(self, node: Node, d: OpDef, attrs: dict[str, Any], tensors: tuple[Tensor, ...], count: int) -> list[Dims]:
        try:
            return infer_shapes(d, tensors, attrs, count, node.name)
        except ValueError:
            if not any(t.op in self._tainted for t in tensors):
                raise
            return [None] * count  # a loop variable's shape was taken to stay as it is: see ir.graphdef.loops

    def _inputs(self, node: Node) -> tuple[Tensor, ...]:
        tensors: list[Tensor] = []
        for name, port in node.data:
            if node.proto.op in _MERGES and (source := self.nodes.get(name)) is not None and source.op is None and (name, port) not in self.external:
                self._pending.append((node, len(tensors), (name, port)))
                tensors.append(_stand_in(self.graph, name, self._forward_input(node)))
                self._unmade.add(tensors[-1])
            else:
                tensors.extend(self.tensors(name, port, node.proto.name))
        return tuple(tensors)

    def _forward_input(self, node: Node) -> Tensor:
        for name, port in node.data:
            source = self.nodes.get(name)
            if (name, port) in self.external or (source is not None and source.op is not None):
                return self.tensors(name, port, node.proto.name)[0]
        raise ValueError(f"Node '{node.proto.name}': a loop needs an input that enters it")

    def tensors(self, name: str, port: Port, user: str) -> list[Tensor]:
        """Returns the tensors a port stands for. Raises ValueError, naming node `user`, when there is no such port."""
        if isinstance(port, int):
            found = self.external.get((name, port))
            if found is not None:
                return [found]
        op = self.nodes[name].op
        assert op is not None
        if isinstance(port, int):
            if port >= len(op.outputs):
                raise ValueError(f"Node '{user}': Connecting to invalid output {port} of source node {name} which has {len(op.outputs)} outputs.")
            return [op.outputs[port]]
        ports = output_ports(op.opdef, op.attrs)
        out = [t for t, (arg, i) in zip(op.outputs, ports, strict=True) if arg == port[0] and port[1] in (None, i)]
        if not out:
            shown = f"{name}:{port[0]}" + ("" if port[1] is None else f":{port[1]}")
            raise ValueError(f"Node '{user}': there is no output {shown}; {op.type} has {', '.join(o.name for o in op.opdef.outputs) or 'none'}")
        return out

    def _check_inputs(self, node: Node, d: OpDef, attrs: dict[str, Any], tensors: tuple[Tensor, ...]) -> None:
        expected = expected_inputs(d, attrs)
        if len(expected) != len(tensors):
            wanted = ", ".join(t.name for t, _ in expected)
            raise ValueError(f"Node '{node.name}' ({d.name}): NodeDef expected inputs '{wanted}' do not match {len(tensors)} inputs specified")
        for i, (t, (dtype, ref)) in enumerate(zip(tensors, expected, strict=True)):
            if t.dtype is dtype and not ref:
                continue
            if t.dtype.base_dtype is not dtype.base_dtype or (ref and not t.dtype.is_ref_dtype):
                source = node.proto.input[i] if t in self._unmade else t.name
                wanted = dtype.as_ref.name if ref else dtype.name
                raise ValueError(f"Node '{node.name}': Input {i} was passed {t.dtype.name} from {source} incompatible with expected {wanted}.")

    def _state_shapes(self, op: Operation, proto: Any) -> None:
        if "_output_shapes" not in proto.attr:
            return
        stated: list[Dims] = [dims_of(s) for s in proto.attr["_output_shapes"].list.shape]
        if len(stated) != len(op.outputs):
            raise ValueError(f"Node '{op.name}' has an _output_shapes attribute with {len(stated)} shapes for {len(op.outputs)} outputs")
        self._stated[op] = stated
        for i, (t, dims) in enumerate(zip(op.outputs, stated, strict=True)):
            try:
                t.set_shape(dims)
            except ValueError as e:
                raise ValueError(f"Node '{op.name}' has an _output_shapes attribute inconsistent with the GraphDef for output #{i}: {e}") from None

    # -- what refers to other nodes ------------------------------------------------------------------

    def _close_loops(self) -> None:
        for node, index, (name, port) in self._pending:
            assert node.op is not None
            (tensor,) = self.tensors(name, port, node.proto.name)
            old = node.op.inputs[index]
            if tensor.dtype.base_dtype is not old.dtype.base_dtype:
                passed = f"was passed {tensor.dtype.name} from {tensor.name} incompatible with expected {old.dtype.name}"
                raise ValueError(f"Node '{node.name}': Input {index} {passed}.")
            node.op.update_input(index, tensor)

    def _add_controls(self, node: Node, op: Operation) -> None:
        wanted = dict.fromkeys(op.control_inputs)
        for name in node.controls:
            other = self.external_ops.get(name) or (self.nodes[name].op if name in self.nodes else self.external[name, 0].op)
            assert other is not None
            wanted[other] = None
        op._control_inputs = tuple(wanted)  # pyright: ignore[reportPrivateUsage]  (add_control_inputs would count as an edit)

    def _colocate(self, node: Node, op: Operation) -> None:
        if "_class" not in node.proto.attr:
            return
        groups: list[str] = []
        for raw in node.proto.attr["_class"].list.s:
            text = str(text_of(raw))
            if text.startswith("loc:@"):
                other = self.nodes.get(text[5:])
                if other is None:
                    raise ValueError(f"Node '{node.proto.name}' expects to be colocated with unknown node '{text[5:]}'")
                text = "loc:@" + other.name
            groups.append(text)
        op.colocation = tuple(groups)

    # -- op types of which nothing is known ----------------------------------------------------------

    def _opaque_outputs(self, node: Node) -> list[tuple[str, DType]]:
        """What the users of a node's outputs tell of them: (name, dtype) of each."""
        if self._readers is None:
            self._readers = {}
            for reader in self.nodes.values():
                for i, (name, _) in enumerate(reader.data):
                    self._readers.setdefault(name, []).append((reader, i))
        proto = node.proto
        types: dict[Port, DType] = {}
        for i in range(len(proto.attr["_output_shapes"].list.shape) if "_output_shapes" in proto.attr else 0):
            types[i] = ANYTHING
        for reader, i in self._readers.get(proto.name, ()):
            port = reader.data[i][1]
            if types.get(port, ANYTHING) is ANYTHING:
                types[port] = self._wanted_type(reader, i)
        types.update({port: dtype for name, port, dtype in self.results if name == proto.name})
        guess = next((value_of(proto.attr[k]) for k in ("T", "dtype", "Tout", "output_type", "out_type") if k in proto.attr), None)
        guess = guess if isinstance(guess, DType) else ANYTHING
        flat = [p for p in types if isinstance(p, int)]
        if flat or not types:
            return [("output" if i == 0 else f"output_{i}", _or(types.get(i), guess)) for i in range(max(flat, default=-1) + 1)]
        named = sorted((p[0], p[1] or 0) for p in types if not isinstance(p, int))
        return [(arg, _or(types.get((arg, i)), guess)) for arg, i in named]

    def _wanted_type(self, reader: Node, index: int) -> DType:
        d = self.define(reader.proto.op)
        if not d.inputs:
            return ANYTHING
        given = self.attrs(reader.proto) if self.attrs is not None else None
        expected = expected_inputs(d, settled_attrs(d, reader.proto, reader.name, given))
        if index >= len(expected):
            return ANYTHING
        dtype, ref = expected[index]
        return dtype.as_ref if ref else dtype


def _or(dtype: DType | None, guess: DType) -> DType:
    return guess if dtype is None or dtype is ANYTHING else dtype


UNMADE = OpDef("_Unmade", [], {}, [], Effects(stateful=True), known=False, primitive=True, module=__name__)


def _stand_in(graph: Graph, name: str, entering: Tensor) -> Tensor:
    """Returns what stands for a tensor that closes a loop until it is made: like the one that enters, of no operation in the graph."""
    op = Operation(graph, UNMADE, -1, name, (), {}, ())
    tensor = Tensor(op, 0, entering.dtype, entering.dims)
    tensor.handle = entering.handle
    op.outputs = [tensor]
    return tensor


def pass_handles(op: Operation) -> None:
    """Gives resource handles that pass through `op` what is known of the variable behind them."""
    if op.type == "VarHandleOp":
        op.outputs[0].handle = (op.attrs["dtype"], dims_of(op.attrs["shape"]))
    elif op.opdef.effects.forwards_ref and op.inputs:
        n = len(op.inputs)
        for i, out in enumerate(op.outputs):
            if out.handle is None and not out.dtype.is_numpy_compatible:
                known = [op.inputs[i].handle] if n == len(op.outputs) else [t.handle for t in op.inputs]
                out.handle = next((h for h in known if h is not None), None)
