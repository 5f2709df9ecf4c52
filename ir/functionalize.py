"""Loops and conditionals of TensorFlow 1 graphs, seen as `While` and `If`.

Each frame (Enter, Merge, Switch, NextIteration, Exit) becomes one `While` operation, each conditional (Switch ... Merge)
one `If`. They are kept beside the graph's own list of operations: the v1 nodes keep their names, and an Exit or
Merge keeps its place, but takes its value from the new operation. So the differentiation pass and the
Programs see functions, and nothing runs twice. (The problem is that of TensorFlow's functionalize_control_flow.)
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ir.convert import add_constant
from ir.dtypes import DType, int32
from ir.errors import InvalidArgumentError
from ir.func_graph import FuncGraph, add_to_library
from ir.funcref import FuncRef
from ir.function import Function, FunctionBody
from ir.graph import Graph
from ir.opdef import TABLE
from ir.shapes import Dims, TensorShape
from ir.tensor import Operation, Tensor

ENTER = frozenset(["Enter", "RefEnter"])
EXIT = frozenset(["Exit", "RefExit"])
MERGE = frozenset(["Merge", "RefMerge"])
SWITCH = frozenset(["Switch", "RefSwitch"])
NEXT = frozenset(["NextIteration", "RefNextIteration"])

Path = tuple[str, ...]
#: a predicate and the value it has
Guard = frozenset[tuple[Tensor, bool]]


def functionalize(graph: Graph) -> None:
    """Makes functions of the v1 control flow that was added to `graph` since the last call."""
    count = graph.version
    if any(op.type in MERGE for op in graph.ops[graph.functionalized : count]):
        _View(graph, graph.ops[:count]).run()
    graph.functionalized = count


def original_inputs(op: Operation) -> tuple[Tensor, ...]:
    """The inputs that an Exit or Merge has in the GraphDef."""
    return op.graph.v1_inputs.get(op, op.inputs)


def _is_loop_merge(op: Operation) -> bool:
    return op.type in MERGE and any(t.op.type in NEXT for t in op.inputs)


def _is_merge(op: Operation) -> bool:
    """Whether `op` joins the branches of a conditional, and nobody has made an If of it yet."""
    return op.type in MERGE and len(op.inputs) > 1 and not _is_loop_merge(op)


def _is_loop_switch(op: Operation) -> bool:
    return op.type in SWITCH and op.inputs[1].op.type == "LoopCond"


class _View:
    def __init__(self, graph: Graph, ops: Sequence[Operation]) -> None:
        self.graph = graph
        self.home: dict[Operation, Path] = {}
        self._find_frames(ops)
        self.levels: dict[Path, list[Operation]] = {}
        for op in ops:
            if op in self.home:
                self.levels.setdefault(self.home[op], []).append(op)

    # -- frames --------------------------------------------------------------------------------------

    def _leaving(self, op: Operation) -> Path:
        """The frame that the outputs of `op` belong to."""
        return self.home.get(op, ())

    def _find_frames(self, ops: Sequence[Operation]) -> None:
        """Finds the frame each operation runs in; an Exit counts for the frame it leaves to."""
        for op in _in_order(ops):
            path: Path = ()
            for before in [t.op for t in op.inputs if t.op.type not in NEXT] + op.control_inputs:
                found = self._leaving(before)
                if len(found) > len(path):
                    path = found
            if op.type in ENTER:
                path = (*path, str(op.attrs["frame_name"]))
            elif op.type in EXIT:
                path = path[:-1]
            self.home[op] = path

    def run(self) -> None:
        """Innermost frames first; in each, first the conditionals."""
        for path in sorted(self.levels, key=lambda p: -len(p)):
            if path in self.graph.v1_frames:
                continue
            _Conditionals(self.graph, self.levels[path], lambda op, path=path: self._insert(path, op)).run()
            if path:
                loop = _Frame(self.graph, path, self.levels[path], self.home)
                if loop.merges:
                    self.graph.v1_frames.add(path)
                    for op in (loop.build(), *loop.after):
                        self._insert(path[:-1], op)

    def _insert(self, path: Path, op: Operation) -> None:
        self.home[op] = path
        self.levels.setdefault(path, []).append(op)


def _in_order(ops: Iterable[Operation]) -> list[Operation]:
    """Topological order; the back edges of loops do not count."""
    inside = set(ops)
    done: set[Operation] = set()
    out: list[Operation] = []
    for root in sorted(inside, key=lambda op: op.id):
        stack: list[tuple[Operation, bool]] = [(root, False)]
        while stack:
            op, expanded = stack.pop()
            if expanded:
                out.append(op)
                continue
            if op in done:
                continue
            done.add(op)
            stack.append((op, True))
            before = [t.op for t in op.inputs if t.op.type not in NEXT] + op.control_inputs
            stack.extend((b, False) for b in before if b in inside and b not in done)
    return out


def hidden(
    graph: Graph, kind: str, name: str, inputs: Sequence[Tensor], attrs: dict[str, Any], outputs: Sequence[tuple[DType, Dims]], like: Operation
) -> Operation:
    """Makes an operation that is not in the graph's list."""
    op = Operation(graph, TABLE[kind], like.id, name, tuple(inputs), attrs, like.location)
    op.outputs = [Tensor(op, i, d, dims) for i, (d, dims) in enumerate(outputs)]
    for t in inputs:
        t.add_consumer(op)
    return op


def take_from(op: Operation, *sources: Tensor) -> None:
    """Makes an Exit or Merge hand on `sources`, one for each of its outputs that is used."""
    op.graph.v1_inputs.setdefault(op, op.inputs)
    op.inputs = sources
    for t in sources:
        t.add_consumer(op)
    op.graph.mutated(op)


# -- copying operations into a function --------------------------------------------------------------------


class _Copier:
    """Copies what some tensors need into a function's graph. `argument(t)` gives what stands for `t` there, or None."""

    def __init__(self, func: FuncGraph, argument: Callable[[Tensor], Tensor | None], inside: Callable[[Operation], bool]) -> None:
        self.func = func
        self.argument = argument
        self.inside = inside
        self.tensors: dict[Tensor, Tensor] = {}
        self.ops: dict[Operation, Operation] = {}

    def get(self, t: Tensor) -> Tensor:
        """The tensor of the function that stands for `t`."""
        if t not in self.tensors:
            self._make([t])
        return self.tensors[t]

    def run(self, op: Operation) -> Operation | None:
        """The operation of the function that stands for `op`; None for one that is not inside."""
        if op not in self.ops and self.inside(op):
            self._make([op])
        return self.ops.get(op)

    def _make(self, targets: list[Any]) -> None:
        stack: list[tuple[Any, bool]] = [(t, False) for t in targets]
        while stack:
            item, expanded = stack.pop()
            if isinstance(item, Tensor):
                if item in self.tensors:
                    continue
                found = self.argument(item)
                if found is not None:
                    self.tensors[item] = found
                    continue
                item = item.op
            if item in self.ops:
                continue
            if expanded:
                self._copy(item)
                continue
            stack.append((item, True))
            stack.extend((t, False) for t in item.inputs if t not in self.tensors)
            stack.extend((c, False) for c in item.control_inputs if c not in self.ops and self.inside(c))

    def _copy(self, op: Operation) -> None:
        func = self.func
        inputs = tuple(self.tensors[t] for t in op.inputs)
        if op in op.graph.v1_inputs:  # an Exit or Merge that hands on what a While or If gives
            self.tensors.update(zip(op.outputs, inputs, strict=False))
            self.ops[op] = inputs[0].op
            return
        made = func.append(op.opdef, inputs, dict(op.attrs), func.unique_name(op.name), [(t.dtype, t.dims) for t in op.outputs])
        made.location = op.location
        made.device = op.device
        made.add_control_inputs([self.ops[c] for c in op.control_inputs if c in self.ops])
        for a, b in zip(op.outputs, made.outputs, strict=True):
            b.handle = a.handle
            self.tensors.setdefault(a, b)
        self.ops[op] = made


def _effects(*graphs: FuncGraph) -> bool:
    return any(g.has_effects() for g in graphs)


def _outside_controls(ops: Iterable[Operation], inside: Callable[[Operation], bool]) -> list[Operation]:
    found: dict[Operation, None] = {}
    for op in ops:
        found.update((c, None) for c in op.control_inputs if not inside(c))
    return list(found)


# -- loops -------------------------------------------------------------------------------------------------


class _Frame:
    """One frame, whose inner frames and conditionals are operations already."""

    def __init__(self, graph: Graph, path: Path, level: Sequence[Operation], home: dict[Operation, Path]) -> None:
        self.graph = graph
        self.path = path
        self.ops = _in_order(level)
        self.home = home
        self.merges = [op for op in self.ops if _is_loop_merge(op)]
        entered = {m.inputs[0].op for m in self.merges}
        self.constants = [op for op in self.ops if op.type in ENTER and op not in entered]
        self.after: list[Operation] = []
        self.index: dict[Tensor, int] = {}
        for i, m in enumerate(self.merges):
            self.index[m.outputs[0]] = i
        for i, e in enumerate(self.constants):
            self.index[e.outputs[0]] = len(self.merges) + i
        self.conds = {op.inputs[1].op for op in self.ops if _is_loop_switch(op)}
        for op in self.ops:
            if _is_loop_switch(op) and op.inputs[0] in self.index:
                self.index[op.outputs[1]] = self.index[op.outputs[0]] = self.index[op.inputs[0]]

    def _arguments(self, func: FuncGraph) -> list[Tensor]:
        vars_ = [func.add_input(m.outputs[0].dtype, m.outputs[0].dims, m.name, m.inputs[0].handle) for m in self.merges]
        return vars_ + [func.add_input(e.outputs[0].dtype, e.outputs[0].dims, e.name, e.outputs[0].handle) for e in self.constants]

    def _copier(self, func: FuncGraph, going: bool) -> _Copier:
        args = self._arguments(func)
        inside = set(self.ops)

        def argument(t: Tensor) -> Tensor | None:
            i = self.index.get(t)
            if i is not None:
                return args[i]
            if t.op in self.conds and going:
                return add_constant(func, np.array(True), "going")  # inside the body the condition holds
            if t.op not in inside:
                return func.capture(t)
            return None

        return _Copier(func, argument, lambda op: op in inside and not self._is_structure(op))

    def _is_structure(self, op: Operation) -> bool:
        return op.type in ENTER or op.type in NEXT or op.type in EXIT or op.type == "LoopCond" or _is_loop_merge(op) or _is_loop_switch(op)

    def build(self) -> Operation:
        """Makes the While operation and lets the Exits take their values from it."""
        if len(self.conds) != 1:
            raise InvalidArgumentError(None, self.merges[0], f"the loop of frame {self.path[-1]!r} has {len(self.conds)} conditions, expected one")
        name = self.path[-1].rstrip("/")
        cond, body = FuncGraph(f"{name}_cond", self.graph), FuncGraph(f"{name}_body", self.graph)
        test, step = self._copier(cond, False), self._copier(body, True)
        with cond.as_default():
            cond.outputs = [test.get(next(iter(self.conds)).inputs[0])]
        with body.as_default():
            following = [step.get(self._next(m).inputs[0]) for m in self.merges]
            # what an iteration must have done before the next begins: the pushes of a recorded gradient
            controls = [step.run(c) for m in self.merges for c in self._next(m).control_inputs]
            body.outputs = [*following, *body.inputs[len(self.merges) :]]
        captured = list(dict.fromkeys(outer for g in (cond, body) for outer, _ in g.captured))
        refs: list[FuncRef] = []
        for g in (cond, body):
            have = dict(g.captured)
            extra = [have[t] if t in have else g.add_argument(t) for t in captured]
            if g is body:
                g.outputs = [*g.outputs, *extra]
            waiting = [c for c in controls if c is not None] if g is body else []
            function = Function("", FunctionBody(g, [*g.inputs, *extra], g.outputs, waiting), stateful=True)
            refs.append(add_to_library(self.graph, g.name.replace("/", "_"), function))
        return self._append(name, refs, captured, _effects(cond, body))

    def _next(self, merge: Operation) -> Operation:
        return next(t.op for t in merge.inputs if t.op.type in NEXT)

    def _append(self, name: str, refs: Sequence[FuncRef], captured: Sequence[Tensor], effects: bool) -> Operation:
        enters = [next(t.op for t in m.inputs if t.op.type not in NEXT) for m in self.merges]
        inputs = [*[e.inputs[0] if e.type in ENTER else e.outputs[0] for e in enters], *[e.inputs[0] for e in self.constants], *captured]
        dims = [*[m.outputs[0].dims for m in self.merges], *[t.dims for t in inputs[len(self.merges) :]]]
        types = [t.dtype.base_dtype for t in inputs]
        attrs: dict[str, Any] = {
            "T": tuple(types), "cond": refs[0], "body": refs[1], "output_shapes": tuple(TensorShape(d) for d in dims), "parallel_iterations": 10,
        }  # fmt: skip
        last = max(self.ops, key=lambda op: op.id)
        made = hidden(self.graph, "While" if effects else "StatelessWhile", name, inputs, attrs, list(zip(types, dims, strict=True)), last)
        for out, source in zip(made.outputs, inputs, strict=True):
            out.handle = source.handle
        inside = set(self.ops)
        made.add_control_inputs(_outside_controls(self.ops, lambda c: c in inside or self.home.get(c, ()) == self.path))
        done: dict[Tensor, Tensor] = {}
        for leaving in dict.fromkeys(c for op in self.ops for t in op.outputs for c in t.consumers() if c.type in EXIT):
            take_from(leaving, self._outside(leaving.inputs[0], made, done))
        return made

    def _outside(self, wanted: Tensor, made: Operation, done: dict[Tensor, Tensor]) -> Tensor:
        """What leaves the loop: a result of it, or what operations between a Switch and the Exit make of that, after the loop."""
        inside = set(self.ops)
        stack = [wanted]
        while stack:
            t = stack[-1]
            op = t.op
            missing = [] if op not in inside or self._is_structure(op) else [i for i in op.inputs if i not in done]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            if t in done:
                continue
            if op not in inside:
                done[t] = t
            elif _is_loop_switch(op):
                done[t] = made.outputs[self.index[op.inputs[0]]]
            elif op.type in ENTER:
                done[t] = op.inputs[0]
            else:
                again = hidden(self.graph, op.type, op.name, [done[i] for i in op.inputs], dict(op.attrs), [(o.dtype, o.dims) for o in op.outputs], op)
                done.update(zip(op.outputs, again.outputs, strict=True))
                self.after.append(again)
        return done[wanted]


# -- conditionals ------------------------------------------------------------------------------------------


def _index_used(merge: Operation) -> bool:
    return bool(merge.outputs[1].consumers())


class _Join(NamedTuple):
    """Where branches meet: a Merge, or a ControlTrigger with what it waits for and on which side that lies."""

    op: Operation
    predicate: Tensor
    guard: Guard
    waits: dict[Operation, bool]


class _Side(NamedTuple):
    """One branch: its function, its arguments by outer tensor, what it runs beside its outputs, and what was copied."""

    func: FuncGraph
    args: dict[Tensor, Tensor]
    waiting: list[Operation]
    copied: list[Operation]


class _Conditionals:
    """The conditionals among the operations of one level."""

    def __init__(self, graph: Graph, level: Sequence[Operation], insert: Callable[[Operation], None]) -> None:
        self.graph = graph
        self.insert = insert
        self.ops = _in_order(level)
        self.inside = set(self.ops)
        self.guards: dict[Operation, Guard] = {}
        self.predicates: dict[Operation, Tensor] = {}
        self.sides: dict[Operation, dict[int, bool]] = {}

    def run(self) -> None:
        """Makes an If of every group of Merges that belong together, inner ones first."""
        merges = [op for op in self.ops if _is_merge(op)]
        triggers = [op for op in self.ops if op.type == "ControlTrigger"]
        if not merges and not triggers:
            return
        for op in self.ops:
            self._guard(op)
        joins = [_Join(m, self.predicates[m], self.guards[m], {}) for m in merges if m in self.predicates]
        for t in triggers:
            joins.extend(self._waits(t))
        for group in self._groups(joins):
            self._build(group)

    def _waits(self, op: Operation) -> "list[_Join]":
        """A ControlTrigger waits for operations of a branch whether or not they run: per predicate, an If runs them."""
        sides: dict[Tensor, dict[Operation, bool]] = {}
        for c in op.control_inputs:
            for p, side in self.guards.get(c, ()):
                sides.setdefault(p, {})[c] = side
        return [_Join(op, p, frozenset(), waits) for p, waits in sides.items()]

    def guard_of(self, t: Tensor) -> Guard:
        """What must hold for `t` to have a value."""
        op = t.op
        found = self.guards.get(op, frozenset())
        if op in self.inside and op.type in SWITCH and not _is_loop_switch(op):
            return found | {(_root(op.inputs[1]), t.value_index == 1)}
        return found

    def _guard(self, op: Operation) -> None:
        if _is_merge(op):
            self._guard_merge(op)
            return
        if op.type == "ControlTrigger":
            self.guards[op] = frozenset()
            return
        parts: set[tuple[Tensor, bool]] = set()
        for t in op.inputs:
            if t.op.type not in NEXT:
                parts |= self.guard_of(t)
        for c in op.control_inputs:
            parts |= self.guards.get(c, frozenset())
            if c in self.inside and c.type in SWITCH:
                continue
        self.guards[op] = frozenset(parts)

    def _guard_merge(self, op: Operation) -> None:
        """A Merge has a value whichever way the predicate goes that its inputs differ in."""
        a, b = (self.guard_of(t) for t in op.inputs[:2])
        differing = [p for p, side in a if (p, not side) in b] or [p for p, _ in a ^ b]
        both = a | b
        if not differing:
            self.guards[op] = both
            return
        p = differing[0]
        self.predicates[op] = p
        side = next((s for q, s in a if q is p), None)
        first = side if side is not None else not next(s for q, s in b if q is p)
        self.sides[op] = {0: first, 1: not first}
        self.guards[op] = frozenset(g for g in both if g[0] is not p)

    def _groups(self, joins: "Sequence[_Join]") -> "list[list[_Join]]":
        """What one If gives, deepest first: joins of one predicate, made in one name scope, or sharing what must not run twice.

        The gradient of a conditional lies in the same branches as the conditional; it is an If of its own, which computes
        again what it needs of the branch.
        """
        owner: dict[Any, _Join] = {}
        parent = {id(j): j for j in joins}
        depth = self._depths()  # one join that uses what another gives cannot be in one If with it

        def find(j: _Join) -> _Join:
            while parent[id(j)] is not j:
                j = parent[id(j)]
            return j

        for j in joins:
            scope = j.op.name.rpartition("/")[0]
            for op in self._slice(j):
                e = op.opdef.effects
                once = e.writes or e.random or e.stream
                other = owner.setdefault((op, j.predicate) if once else (op, j.predicate, j.guard, scope, depth[j.op]), j)
                parent[id(find(j))] = find(other)
        groups: dict[int, list[_Join]] = {}
        for j in joins:
            groups.setdefault(id(find(j)), []).append(j)
        return sorted(groups.values(), key=lambda g: -max(len(j.guard) for j in g))

    def _depths(self) -> dict[Operation, int]:
        """How many joins lie on the way to each operation."""
        depth: dict[Operation, int] = {}
        for op in self.ops:
            before = [t.op for t in op.inputs if t.op.type not in NEXT] + op.control_inputs
            depth[op] = max((depth.get(b, 0) for b in before), default=0) + (op.type in MERGE or op.type == "ControlTrigger")
        return depth

    def _slice(self, join: "_Join") -> set[Operation]:
        """The operations of both branches of one join, its Switches included."""
        p = join.predicate
        seen: set[Operation] = set()
        stack: list[Operation] = [t.op for t in join.op.inputs if any(q is p for q, _ in self.guard_of(t))] + list(join.waits)
        while stack:
            op = stack.pop()
            if op in seen:
                continue
            seen.add(op)
            if op.type in SWITCH and _root(op.inputs[1]) is p:
                continue
            before = [t.op for t in op.inputs if any(q is p for q, _ in self.guard_of(t))]
            before += [c for c in op.control_inputs if any(q is p for q, _ in self.guards.get(c, ()))]
            stack.extend(before)
        return seen

    def _build(self, joins: "list[_Join]") -> None:
        """Makes the If that gives the Merges their values and runs what ControlTriggers wait for."""
        p = joins[0].predicate
        merges = [j.op for j in joins if not j.waits]
        waits = {c: side for j in joins for c, side in j.waits.items()}
        outer: dict[Tensor, None] = {}
        sides: list[_Side] = []
        for side in (True, False):
            func = FuncGraph(f"{joins[0].op.name}_{'then' if side else 'else'}", self.graph)
            args: dict[Tensor, Tensor] = {}
            copier = _Copier(func, self._argument(func, p, side, args), lambda op, side=side: (p, side) in self.guards.get(op, ()) and op in self.inside)
            with func.as_default():
                func.outputs = [copier.get(self._chosen(m, side)[1]) for m in merges]
                func.outputs += [add_constant(func, np.array(self._chosen(m, side)[0], np.int32)) for m in merges if _index_used(m)]
                run = [copier.run(c) for c, s in waits.items() if s is side]
            outer.update(dict.fromkeys(args))
            sides.append(_Side(func, args, [c for c in run if c is not None], list(copier.ops)))
        made = self._append(joins[0].op, merges, p, list(outer), sides)
        for j in joins:
            if j.waits:
                j.op.graph.v1_control_inputs.setdefault(j.op, tuple(j.op.control_inputs))
                j.op.replace_control_inputs(j.waits, made)

    def _chosen(self, merge: Operation, side: bool) -> tuple[int, Tensor]:
        index = next(i for i, s in self.sides[merge].items() if s is side)
        return index, original_inputs(merge)[index]

    def _argument(self, func: FuncGraph, p: Tensor, side: bool, args: dict[Tensor, Tensor]) -> Callable[[Tensor], Tensor | None]:
        def argument(t: Tensor) -> Tensor | None:
            op = t.op
            if op in self.inside and op.type in SWITCH and not _is_loop_switch(op) and _root(op.inputs[1]) is p:
                t = op.inputs[0]
            elif (p, side) in self.guard_of(t) and op in self.inside:
                return None
            if t not in args:
                args[t] = func.add_input(t.dtype, t.dims, op.name, t.handle)
            return args[t]

        return argument

    def _append(self, first: Operation, merges: list[Operation], p: Tensor, outer: list[Tensor], sides: "list[_Side]") -> Operation:
        refs: list[FuncRef] = []
        for s in sides:
            s.func.inputs = [s.args[t] if t in s.args else s.func.add_input(t.dtype, t.dims, "unused", t.handle) for t in outer]
            body = FunctionBody(s.func, s.func.inputs, s.func.outputs, s.waiting)
            refs.append(add_to_library(self.graph, s.func.name.replace("/", "_"), Function("", body, stateful=True)))
        indexed = [m for m in merges if _index_used(m)]
        types = [m.outputs[0].dtype.base_dtype for m in merges] + [int32 for _ in indexed]
        dims: list[Dims] = [*[m.outputs[0].dims for m in merges], *[() for _ in indexed]]
        attrs: dict[str, Any] = {
            "Tcond": p.dtype.base_dtype, "Tin": tuple(t.dtype.base_dtype for t in outer), "Tout": tuple(types), "then_branch": refs[0], "else_branch": refs[1],
            "output_shapes": tuple(TensorShape(d) for d in dims),
        }  # fmt: skip
        kind = "If" if _effects(*[s.func for s in sides]) else "StatelessIf"
        last = max([first, *merges], key=lambda op: op.id)
        made = hidden(self.graph, kind, f"{first.name}/{kind}", [p, *outer], attrs, list(zip(types, dims, strict=True)), last)
        copied = dict.fromkeys(op for s in sides for op in s.copied)
        made.add_control_inputs(_outside_controls(copied, lambda c: any(q is p for q, _ in self.guards.get(c, ()))))
        self.inside.add(made)
        self.guards[made] = frozenset(g for t in [p, *outer] for g in self.guard_of(t) if g[0] is not p)
        index = dict(zip(indexed, made.outputs[len(merges) :], strict=True))
        for m, out in zip(merges, made.outputs, strict=False):
            out.handle = next((t.handle for t in m.inputs if t.handle is not None), None)
            take_from(m, out, *([index[m]] if m in index else []))
        self.insert(made)
        return made


def _root(t: Tensor) -> Tensor:
    """The predicate behind identities."""
    while t.op.type == "Identity":
        t = t.op.inputs[0]
    return t
