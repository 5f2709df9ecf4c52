"""Which variables to pack: the small ones that a program updates together. Found by measurement, see tests/benchmarks."""

import numpy as np

from graphc.runtime.store import Member, Store
from ir.convert import CONST
from ir.program import Program, Res
from ir.rewrite.pack import Group, update_groups
from ir.shapes import fully_known, num_elements

#: a larger variable pays for its argument by itself
LARGEST_BYTES = 3 * 1024
#: more slices and parts than this cost more to compile than the arguments do to pass
MOST_PARTS = 96


def choose_packs(store: Store, program: Program) -> None:
    """Packs what `program` updates and is not packed yet, if it is worth it."""
    small = [r for r in program.writes if _packable(store, r)]
    by_dtype: dict[np.dtype, list[Res]] = {}
    for r in small:
        by_dtype.setdefault(np.asarray(store.get(r.key)).dtype, []).append(r)
    for dtype, found in by_dtype.items():
        order = _layout(program, found)
        if len(order) < 2:
            continue
        members: list[Member] = []
        offset = 0
        for r in order:
            shape = np.shape(store.get(r.key))
            size = int(np.prod(shape, dtype=np.int64))
            members.append(Member(r.key, offset, size, shape))
            offset += size
        store.make_pack(f"pack:{len(store.packs)}:{order[0].key}", dtype, tuple(members))


def _packable(store: Store, res: Res) -> bool:
    if res.kind != "variable" or res.key in store.place or res.key not in store:
        return False
    if not fully_known(res.dims) or res.dtype.name in ("string", "resource", "variant"):
        return False
    size = num_elements(res.dims) or 0
    return 0 < size * res.dtype.size <= LARGEST_BYTES and np.shape(store.get(res.key)) == res.dims


def _layout(program: Program, found: list[Res]) -> list[Res]:
    """The order of the members: groups first, role by role; then single ones, as far as compiling allows."""
    order: dict[Res, None] = {}
    parts = 0
    for g in update_groups(program, set(found)):
        if any(r in order for role in g.roles for r in role):
            continue
        cost = 0 if _constant(g) and not _read(program, g) else 2 * len(g.nodes)
        if parts + cost > MOST_PARTS:
            continue
        parts += cost
        for role in g.roles:
            order.update(dict.fromkeys(role))
    for r in found:
        if r not in order and parts + 2 <= MOST_PARTS:
            order[r] = None
            parts += 2
    return list(order)


def _constant(g: Group) -> bool:
    """Whether everything the updates use beside the states is constant."""
    states = {n for node in g.nodes for n, _ in node.inputs if n.op.name == "_State"}
    return all(n.op is CONST for node in g.nodes for n, _ in node.inputs if n not in states)


def _read(program: Program, g: Group) -> bool:
    """Whether the states of the group are read by anything but the updates."""
    inside = set(g.nodes)
    states = {n for role in g.roles for r in role if (n := program.states.get(r)) is not None}
    return any(n in states for node in program.nodes if node not in inside for n, _ in node.inputs)
