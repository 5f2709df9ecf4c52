"""Cutting: the operations a run needs, in the order of their effects, turned into the nodes of a Program.

Functions that operations call (branches, loop bodies) become Programs of their own, whose variables are the caller's.
"""

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

from ir.control_gradients import symbolic_gradient
from ir.dtypes import DType, bool_, float32, int32, resource, uint64, variant
from ir.errors import InvalidArgumentError
from ir.funcref import FuncRef
from ir.function import FunctionBody
from ir.functionalize import functionalize
from ir.graph import Graph
from ir.opdef import TABLE
from ir.program import FEED, STATE, Call, Check, Interner, Node, Program, Ref, Res, type_of
from ir.shapes import Dims, compatible, merge_dims
from ir.tensor import Operation, Tensor


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
        stack.extend(c for c in op.control_inputs if c not in seen and not _is_fed_placeholder(c, fed))
    if not seen:
        return []
    if next(iter(seen)).graph.ordered:
        return sorted(seen, key=lambda op: op.id)
    return _kahn(seen, fed)


def _is_fed_placeholder(op: Operation, fed: set[Tensor]) -> bool:
    """Whether `op` only stands for a value that is fed: a control dependency on it is met."""
    return op.type == "Placeholder" and op.outputs[0] in fed


def _kahn(ops: set[Operation], fed: set[Tensor]) -> list[Operation]:
    waiting: dict[Operation, int] = {}
    after: dict[Operation, list[Operation]] = {}
    heap: list[tuple[int, Operation]] = []
    for op in ops:
        before = {t.op for t in op.inputs if t not in fed} | {c for c in op.control_inputs if not _is_fed_placeholder(c, fed)}
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
    """Returns the resource that a handle- or reference-making operation stands for.

    Where the op type has a body, that makes it: a host object, such as a table or a queue.
    """
    kind = op.opdef.effects.creates or ""
    shared = op.attrs.get("shared_name") or ""
    key = shared if isinstance(shared, str) else shared.decode()
    if not op.opdef.primitive:
        return Res(f"{kind}:{key or op.name}", kind, resource, (), op)
    dims = op.attrs["shape"].as_dims() if "shape" in op.attrs and op.attrs["shape"] is not None else None
    dtype = op.attrs.get("dtype", float32)
    return Res(key or op.name, kind, dtype if isinstance(dtype, DType) else float32, dims, op)


class _Cut:
    """The walk over the needed operations that makes the nodes; `path` tells calls of one function apart."""

    def __init__(self, feeds: Sequence[Tensor], path: str = "") -> None:
        self.path = path
        self.intern = Interner()
        self.values: dict[Tensor, Ref | Res] = {}
        self.current: dict[Res, Ref] = {}
        #: resources that this function makes for itself
        self.local: set[Res] = set()
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
        if found is None and res.of is not None and (not self.path or res.of in self.local):
            found = self.current[res] = self._gradient_array(res, op)
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
        if e.calls or op.type in op.graph.functions:
            self.call(op)
            return
        if not op.opdef.known:
            raise InvalidArgumentError(None, op, f"Op type not registered '{op.type}': graphc has no implementation of it.")
        if e.creates is not None and op.outputs:
            self.create(op)
            return
        if op in op.graph.v1_inputs:  # an Exit or Merge takes the value of the While or If made of what it belongs to
            for t, source in zip(op.outputs, op.inputs, strict=False):
                self.values.setdefault(t, self.values[source])
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

    def create(self, op: Operation) -> None:
        """Gives the outputs of an operation that makes a resource their meaning."""
        kind = op.opdef.effects.creates
        if kind not in ("tensor_array", "tensor_array_grad", "stack"):
            self.values.setdefault(op.outputs[0], resource_of(op))
            return
        if kind == "tensor_array_grad":
            of = self.values[op.inputs[0]]
            if not isinstance(of, Res):
                raise InvalidArgumentError(None, op, "the handle is no TensorArray")
            self.values[op.outputs[0]] = Res(f"{of.key}/grad:{op.attrs['source']}", kind, variant, (), op, of)
            self.values[op.outputs[1]] = self.operand(op.inputs[1], op)
            return
        res = Res(f"{kind}:{self.path}{op.name}", kind, variant, (), op)
        types = [(t.dtype, t.dims) for t in op.outputs[1:]] + [(variant, ())]
        node = self.intern(op.opdef, op.attrs, tuple(self.operand(t, op) for t in op.inputs), tuple(types), op)
        self.local.add(res)
        self.values[op.outputs[0]] = res
        for i, t in enumerate(op.outputs[1:]):
            self.values[t] = (node, i)
        self.current[res] = (node, len(types) - 1)

    def _gradient_array(self, res: Res, op: Operation) -> Ref:
        self.local.add(res)
        node = self.intern(TABLE["_GradientArray"], {}, (self.version(res.of, op, False),), ((variant, ()),), op)
        return (node, 0)

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
            found.append(Res("rng:" + self.path + op.name, "rng", uint64, (3,), op))
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

    # -- calls ---------------------------------------------------------------------------------------

    def call(self, op: Operation) -> None:
        """Makes the node of an operation that calls functions."""
        selects = op.type in ("If", "StatelessIf", "Case")
        values = [self.values[t] for t in op.inputs]
        selector = [self.operand(op.inputs[0], op)] if selects else []
        args = values[1:] if selects else values
        loop = op.type in ("While", "StatelessWhile")
        subs = [self._sub(op, f, args, op.outputs if loop else op.inputs[len(selector) :]) for f in function_refs(op)]
        states = tuple(dict.fromkeys(r for s in subs for r in s.states))
        written = tuple(dict.fromkeys(r for s in subs for r in s.writes))
        checks = tuple(c.origin for s in subs for c in s.checks)
        for s in subs[:1] if loop or not selects else []:  # what surely runs; a branch or body that reads what has no value says so itself
            for res, reader in s.first_reads.items():
                self.version(res, reader, True)
        refs = [*selector, *[a for a in args if not isinstance(a, Res)], *[self.version(r, op, False) for r in states]]
        outs = [(t, a) for t, a in zip(op.outputs, self._results(op, args), strict=True)]
        types: list[tuple[DType, Dims]] = [(t.dtype.base_dtype, t.dims) for t, a in outs if a is None]
        if not loop:  # what the branches say counts, whatever the attribute states
            types = [(d, _common([type_of(s.fetches[i])[1] for s in subs])) for i, (d, _) in enumerate(types)]
        data = len(types)
        types += [(bool_, ())] * len(checks) + [(r.dtype, r.dims) for r in written]
        info = Call(op.type, tuple(subs), selects, states, written, checks)
        node = self.intern(op.opdef, {"call": info}, tuple(refs), tuple(types), op)
        at = 0
        for t, a in outs:
            self.values.setdefault(t, (node, at) if a is None else a)
            at += a is None
        self.checks += [Check((node, data + i), (), origin) for i, origin in enumerate(checks)]
        for i, res in enumerate(written):
            self.current[res] = (node, data + len(checks) + i)
            self.written[res] = None

    def _results(self, op: Operation, args: Sequence[Ref | Res]) -> list[Res | None]:
        """Per output the resource it stands for: a loop hands on the handles it was given."""
        if op.type in ("While", "StatelessWhile"):
            return [a if isinstance(a, Res) else None for a in args]
        return [None] * len(op.outputs)

    def _sub(self, op: Operation, ref: Any, args: Sequence[Ref | Res], tensors: Sequence[Tensor]) -> Program:
        function = op.graph.functions.get(ref.name)
        if function is None:
            raise InvalidArgumentError(None, op, f"function {ref.name} is not in the library")
        known = [(t.dims, t.handle) for t in tensors]
        if op.type == "SymbolicGradient":
            body = symbolic_gradient(function, ref.attrs, known[: len(function.input_names)])
        else:
            body = function.instantiate(ref.attrs, known)
        if len(body.inputs) != len(args):
            raise InvalidArgumentError(None, op, f"function {ref.name} takes {len(body.inputs)} arguments, got {len(args)}")
        return cut_body(body, args, f"{self.path}{op.name}/", op)

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
    functionalize(graph)
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
    writes = {r: walk.current[r] for r in walk.written if not r.transient}
    return Program(walk.intern.nodes, walk.feeds, results, writes, walk.states, walk.checks, walk.first_reads).number()


def _common(shapes: Sequence[Dims]) -> Dims:
    """The most specific shape that admits all."""
    first = shapes[0]
    for other in shapes[1:]:
        if first is None or other is None or len(first) != len(other):
            return None
        first = tuple(a if a == b else None for a, b in zip(first, other, strict=True))
    return first


def function_refs(op: Operation) -> list[Any]:
    """Returns the functions an operation calls, in order."""
    if op.type in op.graph.functions:
        return [FuncRef(op.type, {k: v for k, v in op.attrs.items() if not k.startswith("_")})]
    out: list[Any] = []
    for name in op.opdef.effects.calls:
        value = op.attrs[name]
        out.extend(value if isinstance(value, tuple) else (value,))
    return out


def cut_body(body: FunctionBody, args: Sequence[Ref | Res], path: str, caller: Operation) -> Program:
    """Returns the Program of a function: a feed per argument that is a value, the caller's resources for the others.

    `Program.fetches` has one entry per result that is a value. A handle among the results is left out.
    """
    functionalize(body.graph)
    fed = [t for t, a in zip(body.inputs, args, strict=True) if not isinstance(a, Res)]
    walk = _Cut(fed, path)
    for t, a in zip(body.inputs, args, strict=True):
        if isinstance(a, Res):
            walk.values[t] = a
    for op in needed_ops([*body.outputs, *body.control_outputs], body.inputs):
        walk.visit(op)
    results: list[Ref] = []
    for t, given in zip(body.outputs, [*args, *[None] * len(body.outputs)], strict=False):
        value = walk.values[t]
        if isinstance(value, Res) and (t.dtype.name == "resource" or (caller.type in ("While", "StatelessWhile") and isinstance(given, Res))):
            continue
        results.append(walk.operand(t, t.op))
    writes = {r: walk.current[r] for r in walk.written if r not in walk.local}
    return Program(walk.intern.nodes, walk.feeds, results, writes, walk.states, walk.checks, walk.first_reads).number()
