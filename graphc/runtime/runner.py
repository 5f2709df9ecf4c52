"""Runner: one Program in one Session, with everything prepared for running it again.

A Program that is one device segment runs as one call of an executable. One with host nodes runs segment by segment.
A small Program seen for the first time is interpreted on NumPy arrays: it is not worth a compilation yet.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import chain, starmap
from typing import Any, NamedTuple

import jax
import numpy as np

from graphc.lowering.lists import guess
from graphc.lowering.lower import NeedsHost, interpret
from graphc.lowering.values import ABSENT, Env, operand, put
from graphc.runtime import checks, log
from graphc.runtime.executable import Executable, Plan, compile_plan
from graphc.runtime.packing import choose_packs
from graphc.runtime.store import Store
from ir.dtypes import resource
from ir.errors import InvalidArgumentError, OpError
from ir.philox import initial_state
from ir.program import STATE, Node, Program, Ref, Res
from ir.rewrite.pack import apply_packs
from ir.rewrite.partition import SOURCES, Segment, partition
from ir.rewrite.pipeline import optimize
from ir.static import call_body, value_of
from ir.tensor import Operation

MAX_EXECUTABLES = 64
MAX_PREPARED = 512
INTERPRETED_NODES = 3000
INTERPRETED_ELEMENTS = 4_000_000
#: how much larger a program that reads no variable, such as an initializer, may be to be interpreted: it runs once as a rule
ONCE = 50
INTERPRETED_PRIMITIVES = 8
INTERPRETED_RUNS = 8
FEW_NODES = 64


class Bound(NamedTuple):
    """A plan with the keys and values of the states that enter, the keys of those that leave, and which feeds are operands."""

    plan: Plan
    keys: list[str]
    states: list[Any]
    written: list[str]
    inputs: list[int]


class Prepared:
    """A call that is ready: which buffers go in, what comes out, where it goes."""

    __slots__ = ("changes", "copies", "executable", "inputs", "keys", "owner", "version", "written")

    def __init__(self, owner: "Runner", executable: Executable, bound: Bound, version: int) -> None:
        self.owner = owner
        self.executable = executable
        self.version = version
        self.keys = bound.keys
        self.written = written = bound.written
        self.inputs = bound.inputs
        # whether a variable appears, or changes its type: the store must then notice
        values = owner.store.values
        self.changes = any(
            k not in values or (np.shape(values[k]), values[k].dtype) != t for k, t in zip(written, executable.write_types, strict=True)
        )
        # where nothing waits for the device, the feeds are copied: the caller may overwrite them as soon as run returns
        first = len(written)
        self.copies = not owner.checked and all(p is None for p in executable.positions[first : first + len(owner.program.fetches)])

    def __call__(self, feeds: Sequence[Any]) -> list[Any]:
        """Runs: under the store's lock the call, what it must be checked for, and the new states; then, without it, the fetches."""
        owner, executable = self.owner, self.executable
        store = owner.store
        args: list[Any] = [feeds[i] for i in self.inputs]
        if self.copies:
            args = [np.array(f) if type(f) is np.ndarray else f for f in args]
        outs: list[Any] = []
        fetched: list[Any] | None = None
        again = False
        with store.lock:
            if self.version != store.version:  # another thread gave a variable another type or place
                again = True
            else:
                values = store.values
                args = [*[values[k] for k in self.keys], *executable.constants, *args]
                try:
                    with jax.enable_x64(True):
                        # one C call, so that an interrupt cannot fall between the step, which consumes the old states, and `outs`
                        outs.extend(chain.from_iterable(starmap(executable.call, (args,))))
                finally:
                    if not owner.checked:
                        self.commit(outs)
                executable.warm()
                again = executable.guessed and not bool(np.asarray(outs[-1]))
                if again:
                    owner.grow()
                elif owner.checked:
                    owner.raise_failed(executable.results(outs), len(self.written))
                    self.commit(outs)
                if owner.shares and not again:  # before the next step takes the buffers
                    fetched = owner.fetched(executable.results(outs), len(self.written))
        if again:
            return owner.first(feeds)
        return owner.fetched(executable.results(outs), len(self.written)) if fetched is None else fetched

    def commit(self, outs: Sequence[Any]) -> None:
        """Makes the new states, the first of the results, those of the store."""
        if self.changes:
            self.owner.store.set_many(list(zip(self.written, outs)))  # noqa: B905 (the fetches follow the states)
        else:
            self.owner.store.values.update(zip(self.written, outs))  # noqa: B905


class Runner:
    """Runs one Program again and again."""

    def __init__(self, store: Store, program: Program, name: str, entropy: Callable[[], int], eager: bool) -> None:
        self.store = store
        self.name = name
        self.entropy = entropy
        self.eager = eager  # whether a small program may be interpreted the first time
        self.program = optimize(program)
        self.forced: set[Node] = set()
        self._partition()
        self.checked = bool(self.program.checks)
        self.seen: dict[Any, int] = {}
        # a compilation costs as much as interpreting a few nodes hundreds of times; a count, not a clock, so that runs repeat bit for bit
        few = not self.program.writes and len(self.program.nodes) <= FEW_NODES
        self.fills = bool(self.program.writes) and not self.program.first_reads
        self.patience = INTERPRETED_RUNS if few or self.fills else 1
        self.prepared: OrderedDict[Any, Prepared] = OrderedDict()
        self.prepared_version = -1
        self.executables: OrderedDict[Any, Any] = OrderedDict()
        self.compiled_shapes = 0
        self.guess = guess.get()
        state_refs = {(n, 0) for n in self.program.states.values()} | set(self.program.writes.values())
        self.shares = any(f in state_refs for f in self.program.fetches)

    def _partition(self) -> None:
        self.segments = partition(self.program, self.forced)
        self.single = len(self.segments) == 1 and not self.segments[0].host
        self.static_feeds = self._static_feeds()
        self.atomic = self._atomic_segment()

    def _atomic_segment(self) -> int | None:
        """The one device segment that reads and writes all variables that are written, if there is one and no check comes after."""
        if not self.program.writes or self.program.checks:
            return None
        written = {self.program.states[r] for r in self.program.writes if r in self.program.states}
        made = {ref[0] for ref in self.program.writes.values()}
        for i, s in enumerate(self.segments):
            if made <= set(s.nodes):
                read_elsewhere = any(n in written for j, t in enumerate(self.segments) if j != i for n, _ in t.inputs)
                return None if s.host or read_elsewhere else i
        return None

    def _static_feeds(self) -> list[int]:
        if not self.single:
            return []
        static = self.segments[0].static
        return [i for i, n in enumerate(self.program.feeds) if (n, 0) in static]

    # -- running -------------------------------------------------------------------------------------

    def ready(self, feeds: Sequence[Any]) -> Prepared | None:
        """Returns the call for feeds of these shapes, if it is prepared: calling it gives the fetched values, owned by the caller."""
        if self.prepared_version != self.store.version:
            return None
        return self.prepared.get(self.key(feeds))

    def key(self, feeds: Sequence[Any]) -> Any:
        """What an executable depends on: the feeds' shapes, and the values of those that reach a shape."""
        shapes = tuple([f.shape for f in feeds])
        if not self.static_feeds:
            return shapes
        return (shapes, tuple([np.asarray(feeds[i]).tobytes() for i in self.static_feeds]))

    def first(self, feeds: Sequence[Any]) -> list[Any]:
        """Runs the program for shapes that are not prepared, and returns the fetched values."""
        while True:
            try:
                return self._first(feeds)
            except NeedsHost as e:
                node = self._own_node(e.node)
                if node in self.forced:
                    raise
                self.forced.add(node)
                self._partition()

    def _own_node(self, node: Node) -> Node:
        """The node of the program that a node of what is compiled, which packing may have made anew, stands for."""
        if node.index < len(self.program.nodes) and self.program.nodes[node.index] is node:
            return node
        return next(n for n in self.program.nodes if n.origin is node.origin and n.op is node.op)

    def _first(self, feeds: Sequence[Any]) -> list[Any]:
        self.require_states()
        if not self.single:
            return self._by_segments(feeds)
        key = self.key(feeds)
        times = self.seen.get(key, 0)
        if self.eager and times < self.patience and not (self.store.exact and self.program.writes) and self._cheap(feeds):
            if len(self.seen) > 100_000:
                self.seen.clear()
            self.seen[key] = times + 1
            log.counters.interpreted += 1
            return self._by_segments(feeds)
        return self._prepare(key, feeds)(feeds)

    def require_states(self) -> None:
        """Raises FailedPreconditionError for a variable that is read and has no value; starts random counters, makes tables and queues."""
        store = self.store
        with store.lock:
            for res in self.program.states:
                if res.key in store:
                    continue
                if res.kind == "rng" and res.op is not None:
                    store.set(res.key, initial_state(res.op.attrs, self.entropy))
                elif res.dtype is resource and res.op is not None:
                    store.set(res.key, _host_object(res.op))
                elif res.kind == "variable" and res in self.program.first_reads:
                    raise checks.uninitialized(res, self.program.first_reads[res])

    def _cheap(self, feeds: Sequence[Any]) -> bool:
        nodes = self.segments[0].nodes
        scale = ONCE if self.fills else 1
        if len(nodes) > INTERPRETED_NODES * scale:
            return False
        largest = max((d for f in feeds for d in f.shape), default=1)
        total = primitives = 0
        for n in nodes:
            primitives += n.op.primitive
            for _, dims in n.types:
                size = 1
                for d in dims or ():
                    size *= largest if d is None else d
                total += size
        return primitives <= INTERPRETED_PRIMITIVES and total <= INTERPRETED_ELEMENTS * scale

    # -- one compiled call ---------------------------------------------------------------------------

    def _prepare(self, key: Any, feeds: Sequence[Any]) -> Prepared:
        with self.store.compiling:  # the store's own lock stays free: other threads go on running what is prepared
            with self.store.lock:
                choose_packs(self.store, self.program)
                version = self.store.version
                bound = self._bind(feeds)
            if self.prepared_version != version:
                self.prepared.clear()
                self.prepared_version = version
            full = (key, tuple((k, s.shape, s.dtype) for k, s in zip(bound.keys, bound.states, strict=True)))
            executable = self.executables.get(full)
            if executable is None:
                executable = self._compiled(full, bound.plan, bound.states, [feeds[i] for i in bound.inputs], feeds)
            if len(self.prepared) >= MAX_PREPARED:
                self.prepared.popitem(last=False)
            made = self.prepared[key] = Prepared(self, executable, bound, version)
        return made

    def _bind(self, feeds: Sequence[Any]) -> "Bound":
        """Decides what enters the compiled program and what leaves it, as things stand in the store."""
        program = apply_packs(self.program, self._places())
        used = {n for node in program.nodes for n, _ in node.inputs} | {n for n, _ in program.roots()}
        present = {r: n for r, n in program.states.items() if r.key in self.store and n in used}
        # JAX gives donated buffers to results of the same type in order: so in the order of the writes, each to its own next version
        taken = [r for r in program.writes if r in present]
        read = [r for r in present if r not in program.writes]
        keys = [r.key for r in (*taken, *read)]
        inputs = [i for i in range(len(feeds)) if i not in self.static_feeds]
        known: Env = {n: (ABSENT,) for r, n in program.states.items() if r.key not in self.store}
        known.update({program.feeds[i]: (np.array(feeds[i]),) for i in self.static_feeds})
        results = [*program.writes.values(), *program.fetches]
        for c in program.checks:
            results += [c.ok, *c.payload]
        plan = Plan(
            [n for n in program.nodes if n.op not in SOURCES], [present[r] for r in taken], [present[r] for r in read], [(program.feeds[i], 0) for i in inputs],
            known, results, self.name, not self.checked, len(program.writes), [present.get(r) for r in program.writes],
        )  # fmt: skip
        return Bound(plan, keys, [self.store.device(k) for k in keys], [r.key for r in program.writes], inputs)

    def compile_for(self, device: Any, feeds: Sequence[Any]) -> Any:
        """Returns the program compiled for `device`, which need not be there, for feeds of these types."""
        self.require_states()
        if not self.single:
            raise InvalidArgumentError(None, None, f"{self.name} has parts that run on the host; only what is one device program compiles ahead of time")
        with self.store.lock:
            bound = self._bind(feeds)
        return compile_plan(bound.plan, bound.states, [feeds[i] for i in bound.inputs], device).compiled

    def grow(self) -> None:
        """Doubles the size guessed for lists that loops push to, and forgets what was compiled for the smaller one."""
        self.guess *= 2
        self.executables.clear()
        self.prepared.clear()

    def _places(self) -> dict[Res, Any]:
        return {r: self.store.place[r.key] for r in {*self.program.states, *self.program.writes} if r.key in self.store.place}

    def _compiled(self, key: Any, plan: Plan, states: Sequence[Any], inputs: Sequence[Any], feeds: Sequence[Any]) -> Executable:
        token = guess.set(self.guess)
        try:
            made = compile_plan(plan, states, inputs)
        finally:
            guess.reset(token)
        self.compiled_shapes += 1
        if self.compiled_shapes >= 3 and feeds:
            log.many_shapes(self.name, [f.shape for f in feeds], self.compiled_shapes)
        if len(self.executables) >= MAX_EXECUTABLES:
            _, gone = self.executables.popitem(last=False)
            for k in [k for k, p in self.prepared.items() if p.executable is gone]:
                del self.prepared[k]
        self.executables[key] = made
        return made

    def fetched(self, results: list[Any], first: int) -> list[Any]:
        """Returns the fetches, which follow `first` new states among the results of a call, as the caller's own arrays."""
        return own_all(results[first : first + len(self.program.fetches)])

    def raise_failed(self, results: list[Any], first: int) -> None:
        """Raises the error of the first check whose flag is false."""
        at = first + len(self.program.fetches)
        for c in self.program.checks:
            if not bool(np.asarray(results[at])):
                raise checks.check_failed(c, results[at + 1 : at + 1 + len(c.payload)])
            at += 1 + len(c.payload)

    # -- segment by segment --------------------------------------------------------------------------

    def _by_segments(self, feeds: Sequence[Any]) -> list[Any]:
        """Runs host segments and device segments in turn; one device segment alone is interpreted. Commits at the end.

        A variable is read when the first segment that needs it begins: a run that waited for a queue sees what others wrote meanwhile.
        """
        program = self.program
        env: Env = {n: (f,) for n, f in zip(program.feeds, feeds, strict=True)}
        for i, segment in enumerate(self.segments):
            if i == self.atomic:  # what it reads, it writes: nobody else between
                with self.store.lock:
                    self._segment(i, segment, env)
                    self._commit(env)
            else:
                self._segment(i, segment, env)
        for c in program.checks:
            if not bool(np.asarray(operand(env, *c.ok))):
                raise checks.check_failed(c, [operand(env, *p) for p in c.payload])
        self._load({n for n, _ in program.roots()}, env)
        results = own_all([operand(env, *f) for f in program.fetches])
        if self.atomic is None:
            self._commit(env)
        return results

    def _segment(self, index: int, segment: Segment, env: Env) -> None:
        self._load({n for n, _ in segment.inputs}, env)
        if segment.host or self.single:
            interpret(segment.nodes, env)
        else:
            self._device_segment(index, segment, env)

    def _load(self, nodes: set[Node], env: Env) -> None:
        """Reads the states among `nodes` that are not in `env` yet."""
        with self.store.lock:
            for res, node in self.program.states.items():
                if node in nodes and node not in env:
                    env[node] = (np.zeros((), np.int32) if res.kind == "stream" else self.store.get(res.key),)

    def _commit(self, env: Env) -> None:
        items: list[tuple[str, Any]] = []
        for res, ref in self.program.writes.items():
            value = operand(env, *ref)
            items.append((res.key, np.array(value) if isinstance(value, np.ndarray) else value))
        with self.store.lock:
            self.store.set_many(items)

    def _device_segment(self, index: int, segment: Segment, env: Env) -> None:
        static = [(r, np.asarray(operand(env, *r))) for r in segment.inputs if r in segment.static]
        absent = [r for r in segment.inputs if operand(env, *r) is ABSENT]
        dynamic = [r for r in segment.inputs if r not in segment.static and operand(env, *r) is not ABSENT]
        values = [operand(env, *r) for r in dynamic]
        types = tuple(_type_key(v) for v in values)
        key = (index, types, tuple((v.shape, v.tobytes()) for _, v in static), tuple(map(id, absent)))
        executable = self.executables.get(key)
        if executable is None:
            known = self._known(static, absent)
            plan = Plan(segment.nodes, [], [], dynamic, known, segment.outputs, f"{self.name}_{index}")
            executable = self._compiled(key, plan, [], values, [v for v in values if isinstance(v, np.ndarray)])
        with jax.enable_x64(True):
            outs = executable.call(*executable.constants, *values)
        if executable.guessed and not bool(np.asarray(outs[-1])):
            self.grow()
            self._device_segment(index, segment, env)
            return
        for ref, value in zip(segment.outputs, executable.results(outs), strict=False):
            put(env, *ref, value)

    def _known(self, static: list[tuple[Ref, Any]], absent: list[Ref]) -> Env:
        known: Env = {}
        for ref, value in static:
            put(known, *ref, value)
        for ref in absent:
            put(known, *ref, ABSENT)
        return known


def _host_object(op: Operation) -> Any:
    """Makes the table, queue or reader that an operation stands for."""
    args = [value_of(t) for t in op.inputs]
    if any(a is None for a in args):
        raise InvalidArgumentError(None, op, f"the inputs of {op.type} must be constants")
    try:
        return call_body(op.opdef, args, op.attrs)
    except OpError as e:
        e.locate(op)
        raise


def _type_key(value: Any) -> Any:
    leaves, tree = jax.tree.flatten(value)
    return (tree, tuple((np.shape(x), x.dtype) for x in leaves))


def own(value: Any) -> Any:
    """Returns a value as the caller's own NumPy array, or NumPy scalar at rank 0."""
    if value is ABSENT:
        return None
    array = np.array(value)
    return array[()] if array.ndim == 0 else array


def own_all(values: list[Any]) -> list[Any]:
    """Returns all values as the caller's own, started on their way together."""
    if len(values) > 1:
        for v in values:
            if isinstance(v, jax.Array):
                v.copy_to_host_async()
    return [own(v) for v in values]


__all__ = ["STATE", "Node", "Prepared", "Runner", "own"]
