"""How often a loop runs, and how long its lists become, when that can be told before it does.

A counter that the body changes by a constant, compared with a value that is known: the form of nearly every TF1 loop.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.lowering.values import ABSENT
from ir.convert import CONST
from ir.program import Call, Node, Program, Ref
from ir.static import call_body

_COMPARE = {"Less": (1, 0), "LessEqual": (1, 1), "Greater": (-1, 0), "GreaterEqual": (-1, 1)}
_MOST_SIMULATED = 4096


def trip_bound(call: Call, values: Sequence[Any]) -> tuple[int | None, bool]:
    """Returns (bound, exact): the most iterations the loop can run, None when unknown, and whether it runs just so often."""
    cond, body = call.programs
    return _bound(cond, body, cond.fetches[0], values)


def _bound(cond: Program, body: Program, ref: Ref, values: Sequence[Any]) -> tuple[int | None, bool]:
    node = ref[0]
    if node.op.name == "LogicalAnd":
        a, exact_a = _bound(cond, body, node.inputs[0], values)
        b, exact_b = _bound(cond, body, node.inputs[1], values)
        if a is None or b is None:
            return (b if a is None else a), False
        return min(a, b), exact_a and exact_b
    if node.op.name in ("Identity", "LoopCond"):
        return _bound(cond, body, node.inputs[0], values)
    if node.op.name not in _COMPARE:
        return None, False
    sign, inclusive = _COMPARE[node.op.name]
    left, right = node.inputs
    found = _counted(cond, body, left, right, sign, inclusive, values)
    if found[0] is None:
        found = _counted(cond, body, right, left, -sign, inclusive, values)
    return found


def _counted(cond: Program, body: Program, counter: Ref, limit: Ref, sign: int, inclusive: int, values: Sequence[Any]) -> tuple[int | None, bool]:
    """The trip count of `counter < limit` (sign 1) or `counter > limit` (sign -1), and whether it is exact."""
    feeds = {n: i for i, n in enumerate(cond.feeds)}
    i = feeds.get(counter[0])
    found = None if i is None else counter_of(body, i, values)
    if found is None:
        return None, False
    start, step = found
    end, exact = _limit(cond, body, limit, values, sign)
    if end is None or step * sign <= 0:
        return None, False
    distance = (int(end) - start) * sign + inclusive
    return max(0, -(-distance // abs(step))), exact


def _limit(cond: Program, body: Program, ref: Ref, values: Sequence[Any], sign: int) -> tuple[Any, bool]:
    """The value of the limit, or what it cannot pass, and whether it is exact."""
    value = _known(cond, body, ref, values)
    if value is not None:
        return value, True
    node = ref[0]
    if node.op.name == ("Minimum" if sign > 0 else "Maximum"):
        parts = [v for v in (_limit(cond, body, r, values, sign)[0] for r in node.inputs) if v is not None]
        if parts:
            return (min(parts) if sign > 0 else max(parts)), False
    return None, False


def counter_of(body: Program, index: int, values: Sequence[Any]) -> tuple[int, int] | None:
    """(start, step) of an argument that the body changes by a constant and whose start is known, else None."""
    start = values[index]
    if not isinstance(start, np.ndarray) or start.ndim or start.dtype.kind not in "iu":
        return None
    step = _step(body, index, values)
    return None if step is None else (int(start), step)


def _step(body: Program, index: int, values: Sequence[Any]) -> int | None:
    """The constant that the body adds to its argument `index`."""
    node = body.fetches[index][0]
    feed = (body.feeds[index], 0)
    while node.op.name == "Identity":
        node = node.inputs[0][0]
    if node.op.name not in ("AddV2", "Add", "Sub") or feed not in node.inputs:
        return None
    a, b = node.inputs
    other = b if a == feed else a
    value = _known(body, body, other, values)
    if value is None or value.ndim or (node.op.name == "Sub" and a != feed):
        return None
    return -int(value) if node.op.name == "Sub" else int(value)


def _known(program: Program, body: Program, ref: Ref, values: Sequence[Any], depth: int = 0) -> Any:
    """The value of an operand that no iteration changes, or None."""
    node, out = ref
    if node.op is CONST:
        return node.attrs["value"]
    for i, feed in enumerate(program.feeds):
        if feed is node:
            invariant = body.fetches[i] == (body.feeds[i], 0)
            return values[i] if invariant and isinstance(values[i], np.ndarray) and values[i] is not ABSENT else None
    if depth > 8 or not _computable(node):
        return None
    args = [_known(program, body, r, values, depth + 1) for r in node.inputs]
    if not args or any(a is None for a in args):
        return None
    result = call_body(node.op, args, node.attrs)
    return np.asarray(result[out] if isinstance(result, tuple) else result)


def _computable(node: Node) -> bool:
    return node.op.effects.pure and not node.op.primitive and node.op.body is not None and not node.attrs.get("call")


# -- positions that follow from counters -----------------------------------------------------------------


def affine(body: Program, ref: Ref, values: Sequence[Any]) -> tuple[int, int] | None:
    """(a, b) when an integer is a + b k in iteration k, else None."""
    node = ref[0]
    if node in body.feeds:
        i = body.feeds.index(node)
        found = counter_of(body, i, values)
        if found is not None:
            return found
    value = _known(body, body, ref, values)
    if value is not None:
        return (int(value), 0) if not value.ndim else None
    if node.op.name in ("Identity", "Cast"):
        return affine(body, node.inputs[0], values)
    if node.op.name not in ("Add", "AddV2", "Sub", "Mul"):
        return None
    parts = [affine(body, r, values) for r in node.inputs]
    if parts[0] is None or parts[1] is None:
        return None
    (a, b), (c, d) = parts[0], parts[1]
    if node.op.name == "Mul":
        return (a * c, a * d + b * c) if b == 0 or d == 0 else None
    sign = -1 if node.op.name == "Sub" else 1
    return a + sign * c, b + sign * d


def zeroed(body: Program, index: int, values: Sequence[Any]) -> tuple[Node, int, int] | None:
    """Whether all the body does to its argument `index`, a list, is to read one element and make it zeros, another one each time.

    Returns the node that does, and (a, b): the position is a + b k in iteration k. This is what gradients do to lists that loops wrote.
    """
    node, feed = body.fetches[index][0], body.feeds[index]
    if node.op.name != "TensorListSetItem" or node.inputs[0] != (feed, 0) or not _is_zeros(node.inputs[2]):
        return None
    where = node.inputs[1]
    for n in body.nodes:
        if n is not node and (feed, 0) in n.inputs and not (n.op.name == "TensorListGetItem" and n.inputs[1] == where):
            return None
        if (node, 0) in n.inputs:
            return None
    others = [r for i, r in enumerate(body.fetches) if i != index]
    if (node, 0) in others or (feed, 0) in others or any(r == (node, 0) for r in body.writes.values()):
        return None
    found = affine(body, where, values)
    return None if found is None or found[1] == 0 else (node, *found)


def _is_zeros(ref: Ref) -> bool:
    node = ref[0]
    if node.op is CONST:
        value = node.attrs["value"]
        return value.dtype != object and not value.any()
    return node.op.name == "ZerosLike" or (node.op.name == "Fill" and _is_zeros(node.inputs[1]))


# -- lists that are made longer as they are written ----------------------------------------------------------


def list_counts(body: Program, index: int, values: Sequence[Any], trips: int, start: int) -> list[int] | None:
    """The lengths, after each iteration, of the list that is argument `index`.

    None unless the body only sets elements at positions that follow from counters, making the list longer.
    """
    if trips > _MOST_SIMULATED:
        return None
    feed = (body.feeds[index], 0)
    sizes: list[Ref] = []
    ref = body.fetches[index]
    while ref != feed:
        node = ref[0]
        if node.op.name == "TensorListResize":
            sizes.append(node.inputs[1])
        elif node.op.name not in ("TensorListSetItem", "Identity"):
            return None
        ref = node.inputs[0]
    counters = {n: found for i, n in enumerate(body.feeds) if (found := counter_of(body, i, values)) is not None}
    fixed = {n: v for n, v, r, f in zip(body.feeds, values, body.fetches, [(n, 0) for n in body.feeds], strict=True) if r == f and isinstance(v, np.ndarray)}
    counts: list[int] = []
    count = start
    for k in range(trips):
        known: dict[Node, Any] = {n: np.array(s + k * d, np.int32) for n, (s, d) in counters.items()} | fixed
        for size in reversed(sizes):
            value = _simulated(size, known, feed, count)
            if value is None:
                return None
            count = int(value)
        counts.append(count)
    return counts


def _simulated(ref: Ref, known: dict[Node, Any], feed: Ref, count: int) -> Any:
    node, out = ref
    if node.op is CONST:
        return node.attrs["value"]
    if node in known:
        return known[node]
    if node.op.name == "TensorListLength":
        at = node.inputs[0]
        while at != feed and at[0].op.name in ("TensorListSetItem", "TensorListResize", "Identity"):
            at = at[0].inputs[0]
        return np.array(count, np.int32) if at == feed else None
    if not _computable(node):
        return None
    args = [_simulated(r, known, feed, count) for r in node.inputs]
    if not args or any(a is None for a in args):
        return None
    result = call_body(node.op, args, node.attrs)
    return np.asarray(result[out] if isinstance(result, tuple) else result)
