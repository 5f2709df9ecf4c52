"""What all calls of functions share: running one, conditions, the states that go in and come out."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.lowering.values import ABSENT, Env, operand
from ir.errors import FailedPreconditionError
from ir.program import Call, Program, Res

#: evaluates the nodes of a program in an environment
Run = Callable[[Program, Env], None]
States = dict[Res, Any]


def apply(program: Program, args: Sequence[Any], states: States, run: Run, known: Env | None = None) -> tuple[list[Any], list[Any], States]:
    """Runs a function: returns its results, the flags of its checks, and its new states. `known` holds nodes that need not run."""
    env: Env = {n: (a,) for n, a in zip(program.feeds, args, strict=True)} | (known or {})
    for res, node in program.states.items():
        if states[res] is ABSENT and res in program.first_reads:
            reader = program.first_reads[res]
            message = f"Attempting to use uninitialized value {res.key}. Run the initializer (tf.global_variables_initializer()) first."
            raise FailedPreconditionError(None, reader, message)
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
