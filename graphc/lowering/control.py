"""Calls of functions: If, Case, While and plain calls, under a JAX trace and on the host.

A branch whose selector is known is inlined. A loop carries only what its body changes: everything else is closed over,
so that static values stay static in the body.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from graphc.lowering.lists import DeviceList, as_device, capacity, guess, guesses, inside, note_overflows
from graphc.lowering.trips import trip_bound
from graphc.lowering.values import ABSENT, Env, operand
from ir.errors import FailedPreconditionError
from ir.optional_value import Optional
from ir.program import Call, Node, Program, Res
from ir.tensor_list import TensorList

#: evaluates the nodes of a program in an environment
Run = Callable[[Program, Env], None]
States = dict[Res, Any]


class ShapeChanges(Exception):
    """A loop variable leaves the body with another shape or type than it entered."""


def is_call(node: Node) -> bool:
    """Whether the node calls functions."""
    return "call" in node.attrs


def apply(program: Program, args: Sequence[Any], states: States, run: Run) -> tuple[list[Any], list[Any], States]:
    """Runs a function: returns its results, the flags of its checks, and its new states."""
    env: Env = {n: (a,) for n, a in zip(program.feeds, args, strict=True)}
    for res, node in program.states.items():
        if states[res] is ABSENT and res in program.first_reads:
            reader = program.first_reads[res]
            raise FailedPreconditionError(None, reader, f"Attempting to use uninitialized value {res.key}. Run the initializer (tf.global_variables_initializer()) first.")
        env[node] = (states[res],)
    run(program, env)
    values = [operand(env, *r) for r in program.fetches]
    flags = [operand(env, *c.ok) for c in program.checks]
    return values, flags, {res: operand(env, *r) for res, r in program.writes.items()}


def split(call: Call, args: Sequence[Any]) -> tuple[Any, list[Any], States]:
    """Returns the selector (None without one), the value arguments, and the states among a node's operands."""
    first = 1 if call.selects else 0
    last = len(args) - len(call.states)
    states: States = dict(zip(call.states, args[last:], strict=True))
    for r in call.written:
        states.setdefault(r, ABSENT)
    return args[0] if call.selects else None, list(args[first:last]), states


def truth(value: Any) -> Any:
    """A condition as TensorFlow reads it: numbers are true unless zero, strings and arrays unless empty."""
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return bool(len(value[()]) if value.ndim == 0 else value.size)
        return bool(value) if value.ndim == 0 else bool(value.size)
    if value.ndim:
        return bool(value.size)
    return value if value.dtype == np.bool_ else value != 0


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
        out = trace_while(call, values, states, run) if tracing else host_while(call, values, states, run)
    else:
        index = _branch(call, selector) if call.selects else 0
        if isinstance(index, int) or not tracing:
            return _called(call, int(index), values, states, run)
        out = _traced_branches(call, index, values, states, run)
    if tracing:
        note_overflows(out)
    return out


def _called(call: Call, index: int, values: Sequence[Any], states: States, run: Run) -> tuple[Any, ...]:
    results, flags, new = apply(call.programs[index], values, states, run)
    merged = {**states, **new}
    return (*results, *_flags(call, index, flags), *[merged[r] for r in call.written])


def _traced_branches(call: Call, index: Any, values: Sequence[Any], states: States, run: Run) -> tuple[Any, ...]:
    def branch(i: int) -> Callable[[], Any]:
        def body() -> Any:
            return tuple(as_traced(v) for v in _called(call, i, values, states, run))

        return body

    with inside():
        shapes = [jax.eval_shape(branch(i)) for i in range(len(call.programs))]
        whole = _completed(shapes)
        _agree(call, whole)
        return lax.switch(index, [_filling(branch(i), w) for i, w in enumerate(whole)])


def _completed(shapes: Sequence[Any]) -> list[Any]:
    """The results of all branches with the optional values of each in all of them: those of the others are zeros."""
    full = list(shapes[0])
    for other in shapes[1:]:
        full = [o if isinstance(f, Optional) and f.value is None else f for f, o in zip(full, other, strict=True)]
    return [tuple(f if isinstance(f, Optional) else s for f, s in zip(full, shape, strict=True)) for shape in shapes]


def _filling(branch: Callable[[], Any], whole: Any) -> Callable[[], Any]:
    def body() -> Any:
        out = branch()
        return tuple(jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), w) if isinstance(v, Optional) and v.value is None and isinstance(w, Optional) else v for v, w in zip(out, whole, strict=True))

    return body


def _agree(call: Call, shapes: Sequence[Any]) -> None:
    described = [[(tuple(x.shape), np.dtype(x.dtype).name) for x in jax.tree.leaves(s)] for s in shapes]
    for other in described[1:]:
        if other != described[0]:
            raise ShapeChanges(f"the branches of {call.kind} give different shapes or types: {described[0]} and {other}")


def as_traced(value: Any) -> Any:
    """A value as JAX's control flow takes it."""
    if isinstance(value, np.ndarray):
        return jnp.asarray(value)
    return as_device(value) if isinstance(value, TensorList) else value


# -- loops ---------------------------------------------------------------------------------------------


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
    """Lowers a loop to `lax.while_loop`; lists its body pushes to get the trip count as their size where it is known."""
    bound, exact = trip_bound(call, values)
    size = bound if exact else min(guess.get(), bound) if bound is not None else guess.get()
    learned = guesses.get()
    with capacity(size), inside():
        out = _trace_while(call, values, states, run)
    if learned is not None and not exact and any(isinstance(v, DeviceList) for v in out):
        learned.made = True
    return out


def _trace_while(call: Call, values: Sequence[Any], states: States, run: Run) -> tuple[Any, ...]:
    cond, body = call.programs
    moving = carried(call)
    written = list(call.written)
    for r in written:
        if states[r] is ABSENT:
            raise ShapeChanges(f"{r.key} gets its first value inside a loop")

    def unpack(carry: Any) -> tuple[list[Any], States]:
        moved, new, _ = carry
        full = list(values)
        for i, v in zip(moving, moved, strict=True):
            full[i] = v
        return full, {**states, **dict(zip(written, new, strict=True))}

    def go(carry: Any) -> Any:
        full, now = unpack(carry)
        (out,), _, _ = apply(cond, full, now, run)
        going = truth(out)
        return jnp.logical_and(going, carry[2].all()) if len(call.checks) else jnp.asarray(going)

    def step(carry: Any) -> Any:
        full, now = unpack(carry)
        flags = carry[2]
        if cond.checks or any(r in cond.writes for r in written):
            _, held, new = apply(cond, full, now, run)
            now.update(new)
            flags = _and(flags, held, 0)
        out, held, new = apply(body, full, now, run)
        now.update(new)
        flags = _and(flags, held, len(cond.checks))
        return tuple(as_traced(out[i]) for i in moving), tuple(as_traced(now[r]) for r in written), flags

    init = (tuple(as_traced(values[i]) for i in moving), tuple(as_traced(states[r]) for r in written), jnp.ones((len(call.checks),), np.bool_))
    init = _settled(init, step)
    out = lax.while_loop(go, step, init)
    if any(r in cond.writes for r in written):  # the condition runs once more than the body
        full, now = unpack(out)
        now.update(apply(cond, full, now, run)[2])
        out = (out[0], tuple(now[r] for r in written), out[2])
    full, now = unpack(out)
    return (*full, *[out[2][i] for i in range(len(call.checks))], *[now[r] for r in written])


def _and(flags: Any, held: Sequence[Any], first: int) -> Any:
    for i, h in enumerate(held):
        flags = flags.at[first + i].set(jnp.logical_and(flags[first + i], h))
    return flags


def _settled(init: Any, step: Callable[[Any], Any]) -> Any:
    """Returns `init` with the structure the body gives: lists get storage for the elements that the body pushes."""
    for _ in range(4):
        after = jax.eval_shape(step, init)
        a, b = jax.tree.flatten(init), jax.tree.flatten(after)
        if a[1] == b[1]:
            _same_types(init, after)
            return init
        init = jax.tree.map(lambda x: x, init)
        init = _grown(init, after)
    raise ShapeChanges("the variables of a loop do not settle to a fixed structure")


def _grown(init: Any, after: Any) -> Any:
    """Gives every list in `init` that has no storage the storage `after` shows."""
    leaf: Callable[[Any], bool] = lambda x: hasattr(x, "grown_like")  # noqa: E731
    flat, tree = jax.tree.flatten(init, is_leaf=leaf)
    wanted, other = jax.tree.flatten(after, is_leaf=leaf)
    if tree != other:
        raise ShapeChanges("the body of a loop returns another structure than it is given")
    return jax.tree.unflatten(tree, [x.grown_like(y) if leaf(x) else x for x, y in zip(flat, wanted, strict=True)])


def _same_types(init: Any, after: Any) -> None:
    for x, y in zip(jax.tree.leaves(init), jax.tree.leaves(after), strict=True):
        if x.shape != y.shape or x.dtype != y.dtype:
            raise ShapeChanges(f"a loop variable of type {x.dtype}{list(x.shape)} leaves the body as {y.dtype}{list(y.shape)}")


__all__ = ["ShapeChanges", "apply", "evaluate", "is_call"]
