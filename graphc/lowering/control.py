"""Calls of functions: If, Case, While and plain calls, under a JAX trace and on the host.

A branch whose selector is known is inlined.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from graphc.lowering.functions import Run, States, apply, split, truth
from graphc.lowering.lists import Aval, DeviceList, Guesses, ShapeChanges, as_traced, conform, guesses, join, note_overflow, type_of
from graphc.lowering.loops import host_while, trace_while
from ir.program import Call, Node


def is_call(node: Node) -> bool:
    """Whether the node calls functions."""
    return "call" in node.attrs


def _branch(call: Call, selector: Any) -> int | Any:
    """Which program to run: an integer when it is known, else a traced index."""
    if call.kind == "Case":
        n = len(call.programs)
        if isinstance(selector, np.ndarray):
            i = int(selector)
            return i if 0 <= i < n else n - 1
        return jnp.where((selector < 0) | (selector >= n), n - 1, selector).astype(np.int32)
    chosen = truth(selector)
    if isinstance(chosen, bool):
        return 0 if chosen else 1
    return jnp.where(chosen, 0, 1).astype(np.int32)


def _flags(call: Call, index: int, flags: Sequence[Any]) -> list[Any]:
    """The flags of one program's checks among those of the whole call; the others hold."""
    out: list[Any] = []
    for i, p in enumerate(call.programs):
        out.extend(flags if i == index else [np.array(True)] * len(p.checks))
    return out


def evaluate(node: Node, args: Sequence[Any], run: Run, tracing: bool) -> tuple[Any, ...]:
    """Evaluates a node that calls functions."""
    call: Call = node.attrs["call"]
    selector, values, states = split(call, args)
    if call.kind in ("While", "StatelessWhile"):
        return trace_while(call, values, states, run) if tracing else host_while(call, values, states, run)
    index = _branch(call, selector) if call.selects else 0
    if isinstance(index, int) or not tracing:
        return _called(call, int(index), values, states, run)
    return _Branches(call, index, values, states, run).lowered()


def _called(call: Call, index: int, values: Sequence[Any], states: States, run: Run) -> tuple[Any, ...]:
    results, flags, new = apply(call.programs[index], values, states, run)
    merged = {**states, **new}
    return (*results, *_flags(call, index, flags), *[merged[r] for r in call.written])


class _Branches:
    """A choice between functions while it is lowered: their results are brought to one form."""

    def __init__(self, call: Call, index: Any, values: Sequence[Any], states: States, run: Run) -> None:
        self.call = call
        self.index = index
        self.args = (values, states, run)
        #: per result the type all branches can give, and its (base, count) when all give a list that is as long
        self.types: list[Any] = []
        self.counts: list[Any] = []
        self.flagged = False

    def _results(self, i: int, level: Guesses) -> list[Any]:
        token = guesses.set(level)
        try:
            return [as_traced(v) for v in _called(self.call, i, *self.args)]
        finally:
            guesses.reset(token)

    def _look(self, i: int) -> Any:
        """Traces a branch to learn the types of its results."""

        def body() -> Any:
            level = Guesses()
            out = self._results(i, level)
            types, counts = [type_of(v) for v in out], [_count_of(v) for v in out]
            self.types = types if not self.types else [self._join(k, a, b) for k, (a, b) in enumerate(zip(self.types, types, strict=True))]
            self.counts = counts if not self.counts else [a if a == b else None for a, b in zip(self.counts, counts, strict=True)]
            self.flagged = self.flagged or bool(level.flags)
            return ()

        return jax.eval_shape(body)

    def _join(self, k: int, a: Any, b: Any) -> Any:
        try:
            return join(a, b)
        except ShapeChanges as e:
            raise ShapeChanges(f"the branches of {self.call.kind} differ in result {k}: {e}") from None

    def _body(self, i: int) -> Callable[[], Any]:
        def body() -> Any:
            level = Guesses()
            out = [v if isinstance(t, Aval) else conform(v, t) for v, t in zip(self._results(i, level), self.types, strict=True)]
            over = jnp.stack([jnp.zeros((), np.bool_), *map(jnp.asarray, level.flags)]).any() if self.flagged else None
            return tuple(out), over

        return body

    def lowered(self) -> tuple[Any, ...]:
        """Traces the branches; returns the results of the one that runs."""
        for i in range(len(self.call.programs)):
            self._look(i)
        out, over = lax.switch(self.index, [self._body(i) for i in range(len(self.call.programs))])
        if over is not None:
            note_overflow(over)
        return tuple(_recounted(v, c) for v, c in zip(out, self.counts, strict=True))


def _count_of(value: Any) -> Any:
    """(base, count) of a list whose count is relative to the iteration of a loop."""
    return (value.base, value.count) if isinstance(value, DeviceList) and value.base is not None and isinstance(value.count, int) else None


def _recounted(value: Any, count: Any) -> Any:
    if count is None:
        return value
    return DeviceList(value.storage, count[1], value.size, value.kind, count[0])


__all__ = ["ShapeChanges", "apply", "evaluate", "is_call"]
