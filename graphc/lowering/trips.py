"""How often a loop runs, when that can be told before it does.

A counter that the body changes by a constant, compared with a value that is known: the form of nearly every TF1 loop.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.lowering.values import ABSENT
from ir.convert import CONST
from ir.program import Call, Program, Ref
from ir.static import call_body

_COMPARE = {"Less": (1, 0), "LessEqual": (1, 1), "Greater": (-1, 0), "GreaterEqual": (-1, 1)}


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
    if node.op.name not in _COMPARE:
        return None, False
    sign, inclusive = _COMPARE[node.op.name]
    left, right = node.inputs
    found = _counted(cond, body, left, right, sign, inclusive, values)
    if found is None:
        found = _counted(cond, body, right, left, -sign, inclusive, values)
    return found, found is not None


def _counted(cond: Program, body: Program, counter: Ref, limit: Ref, sign: int, inclusive: int, values: Sequence[Any]) -> int | None:
    """The trip count of `counter < limit` (sign 1) or `counter > limit` (sign -1)."""
    feeds = {n: i for i, n in enumerate(cond.feeds)}
    i = feeds.get(counter[0])
    if i is None:
        return None
    start, step, end = values[i], _step(body, i, values), _known(cond, body, limit, values)
    if not isinstance(start, np.ndarray) or start.ndim or start.dtype.kind not in "iu" or step is None or end is None or step * sign <= 0:
        return None
    distance = (int(end) - int(start)) * sign + inclusive
    return max(0, -(-distance // abs(step)))


def _step(body: Program, index: int, values: Sequence[Any]) -> int | None:
    """The constant that the body adds to its argument `index`."""
    node = body.fetches[index][0]
    feed = (body.feeds[index], 0)
    if node.op.name not in ("AddV2", "Add", "Sub") or feed not in node.inputs:
        return None
    a, b = node.inputs
    other = b if a == feed else a
    value = _known(body, body, other, values)
    if value is None or (node.op.name == "Sub" and a != feed):
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
    if depth > 8 or not node.op.effects.pure or node.op.primitive or node.op.body is None or node.attrs.get("call"):
        return None
    args = [_known(program, body, r, values, depth + 1) for r in node.inputs]
    if not args or any(a is None for a in args):
        return None
    result = call_body(node.op, args, node.attrs)
    return np.asarray(result[out] if isinstance(result, tuple) else result)
