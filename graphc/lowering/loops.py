"""Loops, under a JAX trace and on the host.

A traced loop carries only what its body changes; everything else is closed over, so that static values stay static in the body.
Of a list it carries the buffer, and that only if the body writes to it; its count follows from the iteration's number as a rule.
What the buffers look like is found out by tracing the body; when that shows that the loop was set up wrongly, it is set up anew.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from graphc.lowering.functions import Run, States, apply, truth
from graphc.lowering.lists import (
    Base,
    DeviceList,
    Fixed,
    Form,
    Guesses,
    ShapeChanges,
    as_device,
    as_traced,
    conform,
    guess,
    guesses,
    join,
    note_overflow,
    same_types,
    type_of,
)  # fmt: skip
from graphc.lowering.trips import counter_of, list_counts, trip_bound, zeroed
from graphc.lowering.values import ABSENT
from ir.program import Call

_ATTEMPTS = 12


def carried(call: Call) -> list[int]:
    """The arguments that the body changes: the others are invariant."""
    body = call.programs[1]
    return [i for i, ref in enumerate(body.fetches) if ref != (body.feeds[i], 0)]


def host_while(call: Call, values: Sequence[Any], states: States, run: Run) -> tuple[Any, ...]:
    """Runs a loop in Python, its body by `run`."""
    cond, body = call.programs
    current = list(values)
    now = dict(states)
    flags = [np.array(True)] * len(call.checks)
    while True:
        (go,), held, new = apply(cond, current, now, run)
        now.update(new)
        flags[: len(held)] = [np.logical_and(a, b) for a, b in zip(flags, held, strict=False)]
        if not bool(truth(np.asarray(go))):
            break
        current, held, new = apply(body, current, now, run)
        now.update(new)
        first = len(cond.checks)
        flags[first:] = [np.logical_and(a, b) for a, b in zip(flags[first:], held, strict=True)]
        if not all(bool(f) for f in flags):
            break
    return (*current, *flags, *[now[r] for r in call.written])


def trace_while(call: Call, values: Sequence[Any], states: States, run: Run) -> tuple[Any, ...]:
    """Lowers a loop to `lax.while_loop`."""
    return _Loop(call, values, states, run).lowered()


class _Unsettled(Exception):
    """The body showed that the loop must be set up differently."""


class _List:
    """A list that a loop changes."""

    def __init__(self, start: DeviceList) -> None:
        self.start = start.whole()
        t = type_of(self.start)
        self.element = t.element
        self.size = self.start.size
        #: whether no iteration changes the buffer
        self.closed = t.element is not None and not isinstance(t.element, Fixed)
        #: how much longer each iteration makes the list; None when that is not known and the count is carried
        self.delta: int | None = 0
        self.peak = 0
        #: the length after each iteration, where it can be computed ahead
        self.counts: list[int] | None = None
        #: (node, a, b) of a node that does nothing but make element a + b k zeros in iteration k: that is done after the loop
        self.zeroed: Any = None

    @property
    def buffered(self) -> bool:
        """Whether the loop carries a buffer."""
        return not self.closed and self.element is not None and not isinstance(self.element, Fixed)

    def form(self, count: int | None = None) -> Form:
        """The type of the list in the body."""
        return Form(self.element, self.size, count, self.start.kind)

    def first_buffer(self) -> Any:
        """The buffer that enters the loop."""
        return conform(self.start, self.form(self.start.known)).storage

    def enter(self, buffer: Any, count: Any) -> DeviceList:
        """The list as an iteration finds it."""
        storage = buffer if self.buffered else self.start.storage if self.closed else self.element
        base = Base(count, self.start.known == 0 and self.start.storage is None, self.counts is not None)
        return DeviceList(storage, 0, self.size, self.start.kind, base)

    def leave(self, entered: DeviceList, left: DeviceList) -> None:
        """Compares the list an iteration leaves with what was assumed. Raises _Unsettled when that was wrong."""
        base = entered.base
        assert base is not None
        settled = True
        if self.closed and not _same_buffer(entered.storage, left.storage):
            self.closed = settled = False
        if not self.closed:
            element = join(self.element, type_of(left).element)
            if element != self.element:
                self.element, settled = element, False
            if left.size is not None and left.size > (self.size or 0):
                self.size, settled = left.size, False
        delta = left.count if left.base is base and isinstance(left.count, int) else None
        if delta is None and left.known is not None and left.known == self.start.known and self.delta in (0, None):
            delta = 0
        if self.delta is not None and delta != self.delta:
            self.delta, settled = delta if self.delta == 0 else None, False
        if base.peak > self.peak:
            self.peak, settled = base.peak, False
        if not settled:
            raise _Unsettled


def _same_buffer(a: Any, b: Any) -> bool:
    x, y = jax.tree.leaves(a), jax.tree.leaves(b)
    return len(x) == len(y) and all(map(lambda s, t: s is t, x, y))


class _Loop:
    """A loop while it is lowered."""

    def __init__(self, call: Call, values: Sequence[Any], states: States, run: Run) -> None:
        self.call = call
        self.values = list(values)
        self.states = states
        self.run = run
        self.cond, self.body = call.programs
        self.written = list(call.written)
        for r in self.written:
            if states[r] is ABSENT:
                raise ShapeChanges(f"{r.key} gets its first value inside a loop")
        self.moving = carried(call)
        self.bound, self.exact = trip_bound(call, values)
        start = [as_traced(values[i]) for i in self.moving] + [as_traced(states[r]) for r in self.written]
        self.lists = {k: _List(v) for k, v in enumerate(start) if isinstance(v, DeviceList)}
        self.start = start
        self.arrays = [k for k in range(len(start)) if k not in self.lists]
        self.flagged = False
        self.clock = self._clock()
        for k, v in self.lists.items():
            if k < len(self.moving) and v.closed:
                v.zeroed = zeroed(self.body, self.moving[k], self.values)

    def _clock(self) -> tuple[int, int, int] | None:
        """A loop variable that tells the iteration's number: (slot, start, step)."""
        for k, i in enumerate(self.moving):
            found = counter_of(self.body, i, self.values)
            if found is not None and abs(found[1]) == 1:
                return (k, *found)
        return None

    # -- what goes round -----------------------------------------------------------------------------

    def _carry(self) -> Any:
        self._size_lists()
        arrays = tuple(self.start[k] for k in self.arrays)
        buffers = tuple(v.first_buffer() if v.buffered else None for v in self.lists.values())
        counts = tuple(jnp.asarray(v.start.length(), np.int32) if v.delta is None else None for v in self.lists.values())
        tick = jnp.zeros((), np.int32) if self.clock is None and self.lists else None
        over = jnp.zeros((), np.bool_) if self.flagged else None
        return arrays, buffers, counts, tick, jnp.ones((len(self.call.checks),), np.bool_), over

    def _iteration(self, carry: Any) -> Any:
        if self.clock is None:
            return carry[3]
        k, start, step = self.clock
        value = carry[0][self.arrays.index(k)].astype(np.int32)
        return value - start if step == 1 else start - value

    def _enter(self, carry: Any) -> list[Any]:
        slots: list[Any] = [None] * len(self.start)
        for k, v in zip(self.arrays, carry[0], strict=True):
            slots[k] = v
        for (k, v), buffer, count in zip(self.lists.items(), carry[1], carry[2], strict=True):
            if v.delta is not None:
                first = v.start.length()
                count = first if v.delta == 0 else first + v.delta * self._iteration(carry)
            slots[k] = v.enter(buffer, count)
        return slots

    def _spread(self, slots: Sequence[Any]) -> tuple[list[Any], States]:
        full = list(self.values)
        for i, v in zip(self.moving, slots, strict=False):
            full[i] = v
        return full, {**self.states, **dict(zip(self.written, slots[len(self.moving) :], strict=True))}

    def _go(self, carry: Any) -> Any:
        token = guesses.set(None)
        try:
            full, now = self._spread(self._enter(carry))
            (out,), _, _ = apply(self.cond, full, now, self.run)
        finally:
            guesses.reset(token)
        going = truth(out)
        return jnp.logical_and(going, carry[4].all()) if len(self.call.checks) else jnp.asarray(going)

    def _step(self, carry: Any) -> Any:
        level = Guesses()
        token = guesses.set(level)
        try:
            slots = self._enter(carry)
            full, now = self._spread(slots)
            flags = carry[4]
            if self.cond.checks or any(r in self.cond.writes for r in self.written):
                _, held, new = apply(self.cond, full, now, self.run)
                now.update(new)
                flags = _and(flags, held, 0)
            known = {v.zeroed[0]: (slots[k],) for k, v in self.lists.items() if v.zeroed is not None}
            out, held, new = apply(self.body, full, now, self.run, known)
            now.update(new)
            flags = _and(flags, held, len(self.cond.checks))
            left = [as_traced(out[i]) for i in self.moving] + [as_traced(now[r]) for r in self.written]
            return self._leave(carry, slots, left, flags, level)
        finally:
            guesses.reset(token)

    def _leave(self, carry: Any, slots: Sequence[Any], left: Sequence[Any], flags: Any, level: Guesses) -> Any:
        unsettled = False
        ends: list[DeviceList] = []
        for k, v in self.lists.items():
            end = as_device(left[k]).whole()
            ends.append(end)
            try:
                v.leave(slots[k], end)
            except _Unsettled:
                unsettled = True
            if v.delta is None and v.counts is None and slots[k].base.peak:
                level.flags.append(slots[k].base.value + slots[k].base.peak > (v.size or 0))
        if level.flags and not self.flagged:
            self.flagged = unsettled = True
        if unsettled:
            raise _Unsettled
        arrays = tuple(left[k] for k in self.arrays)
        same_types(carry[0], arrays, "a loop variable is of one type before an iteration and of another after it")
        buffers = tuple(conform(e, v.form(e.known)).storage if v.buffered else None for v, e in zip(self.lists.values(), ends, strict=True))
        counts = tuple(jnp.asarray(e.length(), np.int32) if v.delta is None else None for v, e in zip(self.lists.values(), ends, strict=True))
        over = carry[5]
        if over is not None and level.flags:
            over = over | jnp.stack([jnp.asarray(f) for f in level.flags]).any()
        return arrays, buffers, counts, None if carry[3] is None else carry[3] + 1, flags, over

    # -- the sizes of lists ---------------------------------------------------------------------------

    def _size_lists(self) -> None:
        """Chooses the capacities: what the trip count tells, or a guess."""
        for k, v in self.lists.items():
            first = v.start.known
            if v.delta is None and v.counts is None and self.exact and first is not None and k < len(self.moving):
                v.counts = list_counts(self.body, self.moving[k], self.values, self.bound or 0, first)
            if v.closed or (v.delta == 0 and v.peak == 0):
                continue
            v.size = max(self._needed(v), v.start.size or 0 if v.start.storage is not None else 0, first or 0)

    def _needed(self, v: _List) -> int:
        first = v.start.known
        if v.counts is not None:
            return max([v.peak, *v.counts])
        if v.delta is None:
            return (first or 0) + guess.get() * max(1, v.peak)
        if first is None and v.start.base is not None:
            return v.size or 1  # the loop around sees to it
        grows = max(v.delta, 0)
        if self.exact:
            return (first or 0) + grows * max((self.bound or 0) - 1, 0) + v.peak
        most = guess.get() if self.bound is None else min(self.bound, guess.get())
        return (first or 0) + grows * max(most - 1, 0) + v.peak

    def _overflowed(self, v: _List, trips: Any) -> None:
        """After the loop: tells the loop around how long the list was, or notes whether it was too long."""
        if v.delta is None or v.counts is not None or not v.peak:
            return
        first, grows = v.start, max(v.delta, 0)
        if isinstance(trips, int):
            most = grows * max(trips - 1, 0) + v.peak
            if first.base is not None and isinstance(first.count, int):
                first.base.peak = max(first.base.peak, first.count + most)
            elif first.known is None:
                note_overflow(first.length() + most > (v.size or 0))
            return
        if self.bound is not None and first.known is not None and first.known + grows * max(self.bound - 1, 0) + v.peak <= (v.size or 0):
            return
        note_overflow((trips > 0) & (first.length() + grows * (trips - 1) + v.peak > (v.size or 0)))

    # -- the loop -------------------------------------------------------------------------------------

    def lowered(self) -> tuple[Any, ...]:
        """Traces the loop; returns its results."""
        if self.exact and self.bound == 0 and not self.cond.writes and not self.cond.checks:
            return (*self.values, *[np.array(True)] * len(self.call.checks), *[self.states[r] for r in self.written])
        for _ in range(_ATTEMPTS):
            try:
                return self._results(lax.while_loop(self._go, self._step, self._carry()))
            except _Unsettled:
                continue
        raise ShapeChanges("the variables of a loop do not settle to a fixed structure")

    def _results(self, out: Any) -> tuple[Any, ...]:
        trips = self.bound if self.exact else self._iteration(out) if self.lists else None
        slots: list[Any] = [None] * len(self.start)
        for k, value in zip(self.arrays, out[0], strict=True):
            slots[k] = value
        for (k, v), buffer, count in zip(self.lists.items(), out[1], out[2], strict=True):
            self._overflowed(v, trips)
            slots[k] = self._after(v, buffer, count, trips)
        if out[5] is not None:
            note_overflow(out[5])
        if any(r in self.cond.writes for r in self.written):  # the condition runs once more than the body
            full, now = self._spread(slots)
            now.update(apply(self.cond, full, now, self.run)[2])
            slots[len(self.moving) :] = [now[r] for r in self.written]
        if self.exact and self.bound is not None:
            for k, i in enumerate(self.moving):
                found = counter_of(self.body, i, self.values)
                if found is not None and not len(self.call.checks):
                    slots[k] = np.array(found[0] + self.bound * found[1], self.values[i].dtype)
        full, now = self._spread(slots)
        return (*full, *[out[4][i] for i in range(len(self.call.checks))], *[now[r] for r in self.written])

    def _after(self, v: _List, buffer: Any, count: Any, trips: Any) -> DeviceList:
        storage = buffer if v.buffered else v.start.storage if v.closed else v.element
        if v.zeroed is not None:
            return DeviceList(_without(storage, v.zeroed[1], v.zeroed[2], trips), v.start.count, v.size, v.start.kind, v.start.base)
        if v.counts is not None:
            return DeviceList(storage, v.counts[-1] if v.counts else v.start.known, v.size, v.start.kind)
        if v.delta is None:
            return DeviceList(storage, count, v.size, v.start.kind)
        if isinstance(trips, int) or v.delta == 0:
            more = 0 if v.delta == 0 else v.delta * trips
            return DeviceList(storage, v.start.count + more, v.size, v.start.kind, v.start.base)
        return DeviceList(storage, v.start.length() + v.delta * trips, v.size, v.start.kind)


def _without(storage: Any, a: int, b: int, trips: Any) -> Any:
    """A buffer with zeros at a, a + b, ..., a + b (trips - 1)."""

    def cleared(x: Any) -> Any:
        k = np.arange(x.shape[0]) - a
        gone = (k % b == 0) & (k // b >= 0) & (k // b < trips)
        return jnp.where(jnp.reshape(gone, (-1, *[1] * (x.ndim - 1))), jnp.zeros((), x.dtype), x)

    return jax.tree.map(cleared, storage)


def _and(flags: Any, held: Sequence[Any], first: int) -> Any:
    for i, h in enumerate(held):
        flags = flags.at[first + i].set(jnp.logical_and(flags[first + i], h))
    return flags
