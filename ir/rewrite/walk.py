"""Rebuilding a Program node by node: the walk that the rewrites share."""

from collections.abc import Callable, Sequence

from ir.program import Check, Interner, Node, Program, Ref

#: a rule looks at a node and its new operands, and returns what stands for its outputs, or None
Rule = Callable[[Node, tuple[Ref, ...], Interner], tuple[Ref, ...] | None]


def rebuild(program: Program, rules: Sequence[Rule]) -> Program:
    """Returns the program with every node replaced by what the first rule that fires gives; unused nodes are left out."""
    live = _live(program)
    intern = Interner()
    new: dict[Node, tuple[Ref, ...]] = {}
    for node in program.nodes:
        if node not in live:
            continue
        inputs = tuple([new[n][i] for n, i in node.inputs])
        for rule in rules:
            found = rule(node, inputs, intern)
            if found is not None:
                new[node] = found
                break
        else:
            made = intern(node.op, node.attrs, inputs, node.types, node.origin)
            new[node] = tuple([(made, i) for i in range(len(node.types))])
    return _renamed(program, new, intern)


def _live(program: Program) -> set[Node]:
    live = set(program.feeds)
    stack = [n for n, _ in program.roots()]
    for n in program.nodes:  # an effect without a result, such as a Print, is a root too
        if n.op.effects.stream or (n.op.effects.host and n.op.effects.stateful):
            stack.append(n)
    while stack:
        n = stack.pop()
        if n not in live:
            live.add(n)
            stack.extend(m for m, _ in n.inputs if m not in live)
    return live


def _renamed(program: Program, new: dict[Node, tuple[Ref, ...]], intern: Interner) -> Program:
    def at(ref: Ref) -> Ref:
        return new[ref[0]][ref[1]]

    checks = [Check(at(c.ok), tuple(at(p) for p in c.payload), c.origin) for c in program.checks]
    return Program(
        intern.nodes,
        [new[n][0][0] for n in program.feeds],
        [at(r) for r in program.fetches],
        {res: at(r) for res, r in program.writes.items()},
        {res: new[n][0][0] for res, n in program.states.items() if n in new},
        checks,
        program.first_reads,
    ).number()
