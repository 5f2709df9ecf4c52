"""Partition: a Program into segments that run on the host (NumPy) and segments that XLA compiles.

Even levels are host segments, odd ones device segments; a node comes after everything it needs, so what the host
can do first comes first, and all device work that needs nothing else lies in one segment.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ir.convert import CONST
from ir.program import FEED, STATE, Node, Program, Ref
from ir.shapes import fully_known

SOURCES = (FEED, STATE, CONST)


@dataclass(slots=True)
class Segment:
    """Nodes that run together. `inputs` come from feeds, states and earlier segments, `outputs` leave it.

    `static` are the inputs whose values XLA must know when it compiles the segment.
    """

    host: bool
    nodes: list[Node]
    inputs: list[Ref] = field(default_factory=list[Ref])
    outputs: list[Ref] = field(default_factory=list[Ref])
    static: set[Ref] = field(default_factory=set[Ref])


def partition(program: Program, forced: Iterable[Node] = ()) -> list[Segment]:
    """Returns the segments in the order they run; constants belong to whichever segment uses them.

    The nodes in `forced` run on the host too: a trace found that XLA cannot compile them.
    """
    on_host = _host_nodes(program) | set(forced)
    level: dict[Node, int] = {}
    for node in program.nodes:
        if node.op in SOURCES:
            continue
        host = node in on_host
        at = 0 if host else 1
        for n, _ in node.inputs:
            if n in level:
                at = max(at, level[n] + ((n in on_host) != host))
        level[node] = at
    segments = [Segment(lv % 2 == 0, []) for lv in range(max(level.values(), default=0) + 1)]
    for node, lv in level.items():
        segments[lv].nodes.append(node)
    _connect(program, segments, level)
    for s in segments:
        if not s.host:
            s.static = {r for r in s.inputs if r in _static_slice(s)}
    return [s for s in segments if s.nodes]


def _connect(program: Program, segments: list[Segment], level: dict[Node, int]) -> None:
    inputs: list[dict[Ref, None]] = [{} for _ in segments]
    outputs: list[dict[Ref, None]] = [{} for _ in segments]
    for node, lv in level.items():
        for ref in node.inputs:
            source = ref[0]
            if source.op is CONST or level.get(source) == lv:
                continue
            inputs[lv][ref] = None
            if source in level:
                outputs[level[source]][ref] = None
    for ref in program.roots():
        if ref[0] in level:
            outputs[level[ref[0]]][ref] = None
    for s, i, o in zip(segments, inputs, outputs, strict=True):
        s.inputs, s.outputs = list(i), list(o)


def _acts_on_host(node: Node) -> bool:
    """Whether the node, or a node of a function that it calls, does something only the host can."""
    e = node.op.effects
    return e.host or e.stream is not None or ("call" in node.attrs and any(_acts_on_host(n) for p in node.attrs["call"].programs for n in p.nodes))


def _is_host(node: Node) -> bool:
    e = node.op.effects
    if _acts_on_host(node):
        return True
    if e.dynamic and not (e.static and all(fully_known(dims) for _, dims in node.types)):
        return True
    return any(d.name in ("string", "resource") for d, _ in node.types) or any(n.types[i][0].name == "string" for n, i in node.inputs)


def _host_nodes(program: Program) -> set[Node]:
    """Nodes that run on the host, by nature or because XLA must know a value that only the run can tell."""
    host = {n for n in program.nodes if n.op not in SOURCES and _is_host(n)}
    seen: set[Node] = set()
    for node in program.nodes:
        if node not in host:
            for ref in static_operands(node):
                _require_static(ref, host, seen)
    return host


def static_operands(node: Node) -> list[Ref]:
    """The operands of `node` that must be known when it is compiled."""
    return [node.inputs[i] for i in node.static_positions()]


def follows_from_shape(node: Node) -> bool:
    """Whether the node's value depends on the shapes of its operands only."""
    return node.op.effects.of_shape


def _require_static(ref: Ref, host: set[Node], seen: set[Node]) -> None:
    """Moves to the host whatever `ref` needs that cannot be computed while compiling."""
    stack = [ref[0]]
    while stack:
        node = stack.pop()
        if node in seen or node in host or node.op in SOURCES or follows_from_shape(node):
            continue
        seen.add(node)
        e = node.op.effects
        computed_floats = any(n.op not in SOURCES and (n.types[i][0].is_floating or n.types[i][0].is_complex) for n, i in node.inputs)
        gives_floats = any(d.is_floating or d.is_complex for d, _ in node.types)  # these are computed by XLA, where they are not known
        if node.op.primitive or node.op.body is None or e.random or e.writes or computed_floats or gives_floats:
            host.add(node)
            continue
        stack.extend(n for n, _ in node.inputs)


def _static_slice(segment: Segment) -> set[Ref]:
    """Everything whose value flows into an operand that must be static, without leaving the segment."""
    inside = set(segment.nodes)
    found: set[Ref] = set()
    for node in segment.nodes:
        stack = static_operands(node)
        while stack:
            ref = stack.pop()
            if ref in found:
                continue
            found.add(ref)
            if ref[0] in inside and not follows_from_shape(ref[0]):
                stack.extend(ref[0].inputs)
    return found
