"""Program: the part of a graph that one kind of run needs, as an immutable, interned list of nodes.

State is data here: a variable's value enters as a `_State` node, a read takes the version it sees as an operand,
a write gives the next version, and the last versions leave the Program beside the fetches. So two
reads of one version are one node, a read after a write differs from one before it, and rewrites need no rules
about effects. The order of effects on each resource is: data and control dependencies, then creation.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ir.dtypes import DType, bool_, float32, int32, uint64
from ir.errors import InvalidArgumentError
from ir.graph import Graph
from ir.opdef import AttrSpec, Effects, OpDef, OutputSpec
from ir.shapes import Dims, compatible, merge_dims
from ir.tensor import Operation, Tensor


@dataclass(frozen=True, slots=True)
class Res:
    """A thing with state: a variable, a random counter, a table, an output stream."""

    key: str
    kind: str
    dtype: DType = float32
    dims: Dims = None
    op: Operation | None = field(default=None, compare=False, repr=False)


FEED = OpDef("_Feed", [], {"index": AttrSpec("index", "int")}, [OutputSpec("value", "dtype")], Effects(), no_gradient="-")
STATE = OpDef("_State", [], {"resource": AttrSpec("resource", "string")}, [OutputSpec("value", "dtype")], Effects(), no_gradient="-")


class Node:
    """One computation: an op, its attributes, its operands as (node, output) pairs, and the types of its outputs.

    `types` are those of the data outputs, then of the check's flag if there is one, then of the new states.
    """

    __slots__ = ("attrs", "index", "inputs", "op", "origin", "types")

    def __init__(self, op: OpDef, attrs: dict[str, Any], inputs: "tuple[Ref, ...]", types: tuple[tuple[DType, Dims], ...], origin: Operation | None) -> None:
        self.op = op
        self.attrs = attrs
        self.inputs = inputs
        self.types = types
        self.origin = origin
        self.index = -1

    @property
    def name(self) -> str:
        """The name of the operation this came from, for messages and profiles."""
        return self.origin.name if self.origin is not None else self.op.name

    def __repr__(self) -> str:
        return f"<Node {self.index} {self.op.name} {self.name}>"


Ref = tuple[Node, int]


def type_of(ref: Ref) -> tuple[DType, Dims]:
    """Returns the (dtype, shape) of an operand."""
    return ref[0].types[ref[1]]


@dataclass(frozen=True, slots=True)
class Check:
    """A flag that must be true after the run, and what to show when it is not."""

    ok: Ref
    payload: tuple[Ref, ...]
    origin: Operation


@dataclass(slots=True)
class Program:
    """What a run computes. `writes` are the last versions of the resources written; `feeds` the `_Feed` nodes in order."""

    nodes: list[Node]
    feeds: list[Node]
    fetches: list[Ref]
    writes: dict[Res, Ref]
    states: dict[Res, Node]
    checks: list[Check]
    first_reads: dict[Res, Operation]

    def roots(self) -> Iterator[Ref]:
        """Yields everything that leaves the program."""
        yield from self.fetches
        yield from self.writes.values()
        for c in self.checks:
            yield c.ok
            yield from c.payload

    def number(self) -> "Program":
        """Gives every node its index; returns the program."""
        for i, n in enumerate(self.nodes):
            n.index = i
        return self


def _attr_key(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return ("s", value.shape, tuple(value.reshape(-1).tolist())) if value.size <= 64 else id(value)
        return (value.dtype.str, value.dtype.name, value.shape, value.tobytes()) if value.nbytes <= 4096 else id(value)
    if isinstance(value, float):
        return ("f", np.float64(value).tobytes())
    if isinstance(value, bool):
        return ("b", value)
    if isinstance(value, (list, tuple)):
        return tuple(_attr_key(v) for v in value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


class Interner:
    """Makes nodes, returning the one that exists when an equal pure node was made before."""

    def __init__(self) -> None:
        self.table: dict[Any, Node] = {}
        self.nodes: list[Node] = []

    def __call__(self, op: OpDef, attrs: dict[str, Any], inputs: tuple[Ref, ...], types: tuple[tuple[DType, Dims], ...], origin: Operation | None) -> Node:
        e = op.effects
        if e.writes or e.random or e.stream or e.check or (e.stateful and not e.reads and not e.presence):
            return self._new(op, attrs, inputs, types, origin)
        key = (
            op.name,
            tuple((id(n), i) for n, i in inputs),
            tuple((k, _attr_key(v)) for k, v in sorted(attrs.items()) if not k.startswith("_")),
        )
        found = self.table.get(key)
        if found is None:
            found = self.table[key] = self._new(op, attrs, inputs, types, origin)
        return found

    def _new(self, op: OpDef, attrs: dict[str, Any], inputs: tuple[Ref, ...], types: tuple[tuple[DType, Dims], ...], origin: Operation | None) -> Node:
        node = Node(op, attrs, inputs, types, origin)
        self.nodes.append(node)
        return node


# -- cutting a program out of a graph ------------------------------------------------------------------


def needed_ops(fetches: Iterable[Any], feeds: Iterable[Tensor]) -> list[Operation]:
    """Returns the operations a run needs, in the order of their effects."""
    fed = set(feeds)
    seen: set[Operation] = set()
    stack: list[Operation] = [f.op if isinstance(f, Tensor) else f for f in fetches if not (isinstance(f, Tensor) and f in fed)]
    while stack:
        op = stack.pop()
        if op in seen:
            continue
        seen.add(op)
        stack.extend(t.op for t in op.inputs if t not in fed and t.op not in seen)
        stack.extend(c for c in op.control_inputs if c not in seen)
    if not seen:
        return []
    if next(iter(seen)).graph.ordered:
        return sorted(seen, key=lambda op: op.id)
    return _kahn(seen, fed)


def _kahn(ops: set[Operation], fed: set[Tensor]) -> list[Operation]:
    waiting: dict[Operation, int] = {}
    after: dict[Operation, list[Operation]] = {}
    heap: list[tuple[int, Operation]] = []
    for op in ops:
        before = {t.op for t in op.inputs if t not in fed} | set(op.control_inputs)
        waiting[op] = len(before)
        for b in before:
            after.setdefault(b, []).append(op)
        if not before:
            heap.append((op.id, op))
    heapq.heapify(heap)
    out: list[Operation] = []
    while heap:
        _, op = heapq.heappop(heap)
        out.append(op)
        for a in after.get(op, ()):
            waiting[a] -= 1
            if not waiting[a]:
                heapq.heappush(heap, (a.id, a))
    if len(out) != len(ops):
        stuck = min((op for op in ops if waiting[op]), key=lambda op: op.id)
        raise InvalidArgumentError(None, stuck, f"the graph has a cycle through node {stuck.name}")
    return out


def resource_of(op: Operation) -> Res:
    """Returns the resource that a handle- or reference-making operation stands for."""
    kind = op.opdef.effects.creates or ""
    shared = op.attrs.get("shared_name") or ""
    key = shared if isinstance(shared, str) else shared.decode()
    dims = op.attrs["shape"].as_dims() if "shape" in op.attrs and op.attrs["shape"] is not None else None
    dtype = op.attrs.get("dtype", float32)
    return Res(key or op.name, kind, dtype if isinstance(dtype, DType) else float32, dims, op)


class _Cut:
    """The walk over the needed operations that makes the nodes."""

    def __init__(self, feeds: Sequence[Tensor]) -> None:
        self.intern = Interner()
        self.values: dict[Tensor, Ref | Res] = {}
        self.current: dict[Res, Ref] = {}
        self.states: dict[Res, Node] = {}
        self.written: dict[Res, None] = {}
        self.checks: list[Check] = []
        self.first_reads: dict[Res, Operation] = {}
        self.feeds: list[Node] = []
        for i, t in enumerate(feeds):
            node = self.intern(FEED, {"index": i}, (), ((t.dtype.base_dtype, t.dims),), t.op)
            self.feeds.append(node)
            self.values[t] = (node, 0)

    def version(self, res: Res, op: Operation, reading: bool) -> Ref:
        """The state of `res` that `op` sees."""
        found = self.current.get(res)
        if found is None:
            node = self.states[res] = self.intern(STATE, {"resource": res.key, "kind": res.kind}, (), ((res.dtype, res.dims),), res.op or op)
            found = self.current[res] = (node, 0)
        if reading and found[0].op is STATE:
            self.first_reads.setdefault(res, op)
        return found

    def operand(self, t: Tensor, op: Operation) -> Ref:
        """The value of input `t` at the place of `op`: a reference is read here."""
        found = self.values[t]
        if isinstance(found, Res):
            return self.version(found, op, True)
        return found

    def visit(self, op: Operation) -> None:
        """Makes the node of one operation."""
        e = op.opdef.effects
        if not op.opdef.known:
            raise InvalidArgumentError(None, op, f"Op type not registered '{op.type}': graphc has no implementation of it.")
        if e.creates is not None and op.outputs:
            self.values.setdefault(op.outputs[0], resource_of(op))
            return
        if e.forwards_ref and op.inputs and isinstance(self.values[op.inputs[0]], Res):
            for t in op.outputs:
                self.values.setdefault(t, self.values[op.inputs[0]])
            return
        inputs, touched = self._inputs(op)
        types: list[tuple[DType, Dims]] = [(t.dtype, t.dims) for t in op.outputs if not t.dtype.is_ref_dtype]
        data = len(types)
        if e.check:
            types.append((bool_, ()))
        writes = [touched[p] for p in e.writes]
        writes += self._hidden(op, inputs)
        types.extend((r.dtype, self._new_dims(op, r)) for r in writes)
        node = self.intern(op.opdef, op.attrs, tuple(inputs), tuple(types), op)
        if e.check:
            self.checks.append(Check((node, data), tuple(inputs), op))
        for i, res in enumerate(writes):
            self.current[res] = (node, len(types) - len(writes) + i)
            self.written[res] = None
        self._outputs(op, node, touched)

    def _inputs(self, op: Operation) -> tuple[list[Ref], dict[str, Res]]:
        e = op.opdef.effects
        refs: list[Ref] = []
        touched: dict[str, Res] = {}
        for spec, at in zip(op.opdef.inputs, op.opdef.input_slices(op.attrs), strict=True):
            tensors = op.inputs[at] if isinstance(at, slice) else (op.inputs[at],)
            stateful = spec.name in e.reads or spec.name in e.writes or spec.name in e.presence
            for t in tensors:
                if not stateful:
                    refs.append(self.operand(t, op))
                    continue
                res = self.values[t]
                if not isinstance(res, Res):
                    raise InvalidArgumentError(None, op, f"input '{spec.name}' must be a variable or resource, got the value {t.name}")
                touched[spec.name] = res
                refs.append(self.version(res, op, spec.name not in e.presence and not e.overwrites))
        return refs, touched

    def _hidden(self, op: Operation, inputs: list[Ref]) -> list[Res]:
        """Adds the operands that are not inputs in the graph: random counters and output streams."""
        e = op.opdef.effects
        found: list[Res] = []
        if e.random:
            found.append(Res("rng:" + op.name, "rng", uint64, (3,), op))
        if e.stream is not None:
            found.append(Res("stream:" + e.stream, "stream", int32, (), None))
        for res in found:
            inputs.append(self.version(res, op, False))
        return found

    def _new_dims(self, op: Operation, res: Res) -> Dims:
        if not op.opdef.effects.overwrites:
            return res.dims
        value = op.inputs[1].dims
        if not op.attrs.get("validate_shape", True) or not compatible(res.dims, value):
            return value
        return merge_dims(res.dims, value)

    def _outputs(self, op: Operation, node: Node, touched: dict[str, Res]) -> None:
        at = 0
        refs = iter([touched[s.name] for s in op.opdef.inputs if s.spec.ref and s.name in touched])
        for t in op.outputs:
            if t.dtype.is_ref_dtype:
                self.values.setdefault(t, next(refs))
            else:
                self.values.setdefault(t, (node, at))
                at += 1


def cut(graph: Graph, fetches: Sequence[Tensor | Operation], feeds: Sequence[Tensor]) -> Program:
    """Returns the Program of a run that fetches the tensors and runs the operations in `fetches`, feeding `feeds`.

    `Program.fetches` has one entry per Tensor in `fetches`, in order. Raises InvalidArgumentError for a handle that is
    fetched as if it were a value.
    """
    walk = _Cut(feeds)
    for op in needed_ops(fetches, feeds):
        walk.visit(op)
    results: list[Ref] = []
    for f in fetches:
        if isinstance(f, Tensor):
            value = walk.values[f]
            if isinstance(value, Res) and not f.dtype.is_ref_dtype and f.dtype.name in ("resource", "variant"):
                raise InvalidArgumentError(None, f.op, f"Tensor {f.name} of type resource cannot be fetched; fetch the value of the variable instead.")
            results.append(walk.operand(f, f.op))
    writes = {r: walk.current[r] for r in walk.written if r.kind != "stream"}
    return Program(walk.intern.nodes, walk.feeds, results, writes, walk.states, walk.checks, walk.first_reads).number()
