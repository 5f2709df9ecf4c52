"""Packing: variables that live in one flat buffer are read by slices of it and written as one result.

Updates of the same kind become one operation on the flat buffer: all the Adam updates of a model's small variables are
one Adam update of the concatenation. XLA pays about 3 us per argument and per result of a call, so that
this is what makes steps with many small variables fast.
"""

from typing import Any, NamedTuple

import numpy as np

from ir.convert import CONST
from ir.dtypes import as_dtype
from ir.opdef import TABLE
from ir.ops import internal
from ir.program import STATE, Interner, Node, Program, Ref, Res, type_of
from ir.shapes import fully_known, num_elements

assert internal.unpack is not None  # imported for the op types it defines


class Group(NamedTuple):
    """Nodes of one kind, one per variable, that can be one node on the packed states."""

    nodes: list[Node]
    #: per state operand, the resources of the nodes in order
    roles: list[list[Res]]


SLICE = TABLE["_Unpack"]
CONCAT = TABLE["_Pack"]


def update_groups(program: Program, wanted: set[Res]) -> list[Group]:
    """Returns the updates of `wanted` resources that can be done together, largest group first."""
    used = {ref for n in program.nodes for ref in n.inputs}
    final = {ref: res for res, ref in program.writes.items()}
    initial = {node: res for res, node in program.states.items()}
    groups: dict[Any, Group] = {}
    seen: set[Node] = set()
    for res in program.writes:
        node = program.writes[res][0]
        if res not in wanted or node in seen or not node.op.effects.elementwise or any((node, i) in used for i in range(len(node.types))):
            continue
        seen.add(node)
        found = _roles(node, initial, final, wanted)
        if found is None:
            continue
        roles, key = found
        group = groups.setdefault(key, Group([], [[] for _ in roles]))
        group.nodes.append(node)
        for at, r in zip(group.roles, roles, strict=True):
            at.append(r)
    return sorted((g for g in groups.values() if len(g.nodes) > 1), key=lambda g: -len(g.nodes))


def _roles(node: Node, initial: dict[Node, Res], final: dict[Ref, Res], wanted: set[Res]) -> tuple[list[Res], Any] | None:
    writes = node.op.effects.writes
    first = len(node.types) - len(writes)
    roles: list[Res] = []
    shared: list[Any] = []
    size: int | None = None
    slices = dict(zip([s.name for s in node.op.inputs], node.op.input_slices(node.attrs), strict=True))
    for i, name in enumerate(writes):
        source, out = node.inputs[slices[name]], (node, first + i)
        res = initial.get(source[0])
        if res is None or final.get(out) is not res or res not in wanted:
            return None
        n = num_elements(type_of(source)[1] if fully_known(type_of(source)[1]) else res.dims)
        if n is None or (size is not None and n != size):
            return None
        size = n
        roles.append(res)
    for s in node.op.inputs:
        ref = node.inputs[slices[s.name]]
        if s.name in writes:
            shared.append("state")
        elif type_of(ref)[1] == () and size != 1:
            shared.append((id(ref[0]), ref[1]))  # a hyperparameter: one for the whole group
        elif num_elements(type_of(ref)[1]) == size and s.name in ("value", "grad", "delta"):
            shared.append("full")
        elif type_of(ref)[1] == ():
            shared.append((id(ref[0]), ref[1]))
        else:
            return None
    attrs = tuple(sorted((k, str(v)) for k, v in node.attrs.items() if not k.startswith("_")))
    return roles, (node.op.name, attrs, tuple(shared), tuple(r.dtype for r in roles))


def apply_packs(program: Program, places: dict[Res, Any]) -> Program:
    """Returns the program with the resources in `places` (resource -> (pack, member)) read from and written to their packs."""
    if not places:
        return program
    return _Packer(program, places).run()


class _Packer:
    def __init__(self, program: Program, places: dict[Res, Any]) -> None:
        self.program = program
        self.places = places
        self.intern = Interner()
        self.new: dict[Node, tuple[Ref, ...]] = {}
        self.packs: dict[str, tuple[Any, Res, Node]] = {}
        for pack, _ in places.values():
            if pack.key not in self.packs:
                dtype = as_dtype(pack.dtype)
                res = Res(pack.key, "pack", dtype, (pack.size,))
                state = self.intern(STATE, {"resource": pack.key, "kind": "pack"}, (), ((dtype, (pack.size,)),), None)
                self.packs[pack.key] = (pack, res, state)
        self.grouped: dict[Node, Group] = {}
        for g in update_groups(program, set(places)):
            if self._contiguous(g):
                self.grouped.update(dict.fromkeys(g.nodes, g))

    def _contiguous(self, g: Group) -> bool:
        """Whether each role of the group is one stretch of one pack, in the group's order."""
        for role in g.roles:
            end: int | None = None
            first = self.places[role[0]][0]
            for r in role:
                pack, m = self.places[r]
                if pack is not first or (end is not None and m.offset != end):
                    return False
                end = m.offset + m.size
        return True

    def run(self) -> Program:
        program = self.program
        members = {n: r for r, n in program.states.items() if r in self.places}
        for node in program.nodes:
            if node in members:
                self.new[node] = (self._member(members[node]),)
        order = self._order(members)
        for node in order:
            g = self.grouped.get(node)
            if g is not None:
                self._update(g)
                continue
            inputs = tuple([self._at(r) for r in node.inputs])
            made = self.intern(node.op, node.attrs, inputs, node.types, node.origin)
            self.new[node] = tuple([(made, i) for i in range(len(node.types))])
        return self._finish()

    def _order(self, members: dict[Node, Res]) -> list[Node]:
        """The nodes without the member states, each group moved to where its last node stands."""
        last = {id(g): max(g.nodes, key=lambda n: n.index) for g in self.grouped.values()}
        return [n for n in self.program.nodes if n not in members and (n not in self.grouped or last[id(self.grouped[n])] is n)]

    def _at(self, ref: Ref) -> Ref:
        return self.new[ref[0]][ref[1]]

    def _member(self, res: Res) -> Ref:
        pack, m = self.places[res]
        return self._part(self.packs[pack.key][2], m.offset, m.size, m.shape, res)

    def _part(self, flat: Node, offset: int, size: int, shape: tuple[int, ...], like: Res | None) -> Ref:
        attrs = {"offset": offset, "size": size, "shape": tuple(shape), "T": flat.types[0][0]}
        node = self.intern(SLICE, attrs, ((flat, 0),), ((flat.types[0][0], tuple(shape)),), like.op if like is not None else None)
        return (node, 0)

    def _concat(self, parts: list[Ref], dtype: Any, origin: Any) -> Ref:
        if all(n.op is CONST for n, _ in parts):
            value = np.concatenate([np.reshape(n.attrs["value"], -1) for n, _ in parts])
            node = self.intern(CONST, {"value": value, "dtype": dtype}, (), ((dtype, value.shape),), origin)
        else:
            size = sum(num_elements(type_of(p)[1]) or 0 for p in parts)
            node = self.intern(CONCAT, {"N": len(parts), "T": dtype}, tuple(parts), ((dtype, (size,)),), origin)
        return (node, 0)

    def _update(self, g: Group) -> None:
        """Makes the one node that does the updates of a group."""
        model = g.nodes[0]
        writes = model.op.effects.writes
        slices = dict(zip([s.name for s in model.op.inputs], model.op.input_slices(model.attrs), strict=True))
        inputs: list[Ref] = []
        size = sum(self.places[r][1].size for r in g.roles[0])
        for s in model.op.inputs:
            at = slices[s.name]
            if s.name in writes:
                role = g.roles[writes.index(s.name)]
                pack, m = self.places[role[0]]
                inputs.append(self._part(self.packs[pack.key][2], m.offset, size, (size,), None))
            elif s.name in ("value", "grad", "delta"):
                inputs.append(self._concat([self._at(n.inputs[at]) for n in g.nodes], type_of(model.inputs[at])[0], model.origin))
            else:
                inputs.append(self._at(model.inputs[at]))
        first = len(model.types) - len(writes)
        types = tuple((d, (size,)) for d, _ in model.types[first:])
        data = model.types[:first]
        made = self.intern(model.op, model.attrs, tuple(inputs), (*data, *types), model.origin)
        self._spread(g, made, first)

    def _spread(self, g: Group, made: Node, first: int) -> None:
        """The nodes of the group, as slices of the one node's results."""
        for i, node in enumerate(g.nodes):
            outs: list[Ref] = []
            for k, role in enumerate(g.roles):
                m, base = self.places[role[i]][1], self.places[role[0]][1].offset
                ref = (made, first + k)
                attrs = {"offset": m.offset - base, "size": m.size, "shape": m.shape, "T": type_of(ref)[0]}
                piece = self.intern(SLICE, attrs, (ref,), ((type_of(ref)[0], m.shape),), node.origin)
                outs.append((piece, 0))
            self.new[node] = tuple(outs)

    def _finish(self) -> Program:
        program = self.program
        writes: dict[Res, Ref] = {}
        states = {r: self.new[n][0][0] for r, n in program.states.items() if r not in self.places}
        for res, ref in program.writes.items():
            if res not in self.places:
                writes[res] = self._at(ref)
        for pack, res, state in self.packs.values():
            if any(r in program.writes for r, (p, _) in self.places.items() if p is pack):
                writes[res] = self._whole(pack, state)
            states[res] = state
        made = Program(
            self.intern.nodes, [self.new[n][0][0] for n in program.feeds], [self._at(r) for r in program.fetches], writes, states,
            [type(c)(self._at(c.ok), tuple(self._at(p) for p in c.payload), c.origin) for c in program.checks], program.first_reads,
        )  # fmt: skip
        return made.number()

    def _whole(self, pack: Any, state: Node) -> Ref:
        """The new contents of a pack: whole groups where there are any, single members, and what stays as it was."""
        by_key = {r.key: r for r in self.places}
        parts: list[Ref] = []
        i = 0
        while i < len(pack.members):
            m = pack.members[i]
            res = by_key.get(m.key)
            ref = self.program.writes.get(res) if res is not None else None
            if ref is None:
                parts.append(self._part(state, m.offset, m.size, m.shape, None))
                i += 1
                continue
            g = self.grouped.get(ref[0])
            if g is None or res is None:
                parts.append(self._at(ref))
                i += 1
                continue
            role = next(k for k, rs in enumerate(g.roles) if res in rs)
            source = self.new[g.nodes[0]][role][0].inputs[0]
            parts.append(source)
            i += len(g.nodes)
        return parts[0] if len(parts) == 1 and type_of(parts[0])[1] == (pack.size,) else self._concat(parts, state.types[0][0], None)

