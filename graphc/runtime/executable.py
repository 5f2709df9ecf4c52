"""A device segment compiled for one set of types, static values and places of its variables."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from graphc.lowering.lists import Guesses, guesses
from graphc.lowering.lower import trace
from graphc.lowering.values import Env, operand, put
from graphc.runtime import log
from graphc.runtime.config import compiler_options
from ir.convert import CONST
from ir.program import Node, Ref

#: constants larger than this are arguments of the executable, on the device once, not literals in it
LARGE_CONSTANT = 32 * 1024


@dataclass(slots=True)
class Plan:
    """What to compile: nodes, what enters and what leaves.

    `donated` and `kept` are the state nodes that enter as buffers; `known` are values fixed while compiling; `inputs` the
    other operands; `results` what leaves, the new states, `writes` of them, first.
    """

    nodes: list[Node]
    donated: list[Node]
    kept: list[Node]
    inputs: list[Ref]
    known: Env
    results: list[Ref]
    name: str = "graphc"
    donate: bool = True
    writes: int = 0
    #: per new state the node of the old one, if there is one
    previous: list[Node | None] = field(default_factory=list["Node | None"])


@dataclass(slots=True)
class Executable:
    """A compiled segment: `call(*donated, *kept, *constants, *inputs)` gives the results that are not constant."""

    call: Any
    compiled: Any
    constants: list[Any]
    #: per result its position among what `call` gives, or None when it is in `fixed`
    positions: list[int | None]
    fixed: dict[int, Any] = field(default_factory=dict[int, Any])
    seconds: float = 0.0
    #: whether the last result tells if the sizes guessed for lists were large enough
    guessed: bool = False
    #: (shape, dtype) of each new state
    write_types: list[Any] = field(default_factory=list[Any])

    def warm(self) -> None:
        """After the first call JAX has a C function for the next ones; without it, the call goes on through Python."""
        if self.call is self.compiled:
            self.call = getattr(self.compiled, "_call", None) or self.compiled

    def results(self, outs: Sequence[Any]) -> list[Any]:
        """Returns every result, constants included."""
        return [self.fixed[i] if p is None else outs[p] for i, p in enumerate(self.positions)]


def compile_plan(plan: Plan, state_types: Sequence[Any], input_types: Sequence[Any], device: Any = None) -> Executable:
    """Traces and compiles a plan, for this machine or for a device that need not be there.

    The types are arrays or ShapeDtypeStructs of the donated and kept states, then of the inputs.
    """
    start = perf_counter()
    large = [n for n in _constants(plan.nodes) if n.attrs["value"].nbytes > LARGE_CONSTANT and n.attrs["value"].dtype != object]
    where: dict[str, Any] = {}

    def fn(*args: Any) -> tuple[Any, ...]:
        env: Env = dict(plan.known)
        rest = iter(args)
        for node in (*plan.donated, *plan.kept, *large):
            env[node] = (next(rest),)
        for (node, i), value in zip(plan.inputs, rest, strict=True):
            put(env, node, i, value)
        learned = Guesses()
        token = guesses.set(learned)
        try:
            trace(plan.nodes, env)
        finally:
            guesses.reset(token)
        values = [operand(env, n, i) for n, i in plan.results]
        where["guessed"] = bool(learned.flags)
        if learned.flags:
            values.append(_keep_if_too_small(learned.flags, values, plan, env))
        where["fixed"] = {i: v for i, v in enumerate(values) if i >= plan.writes and not _traced(v)}
        where["writes"] = [(v.shape, v.dtype) for v in values[: plan.writes]]
        return tuple(v if _traced(v) else jnp.asarray(v) for i, v in enumerate(values) if i not in where["fixed"])

    fn.__name__ = plan.name
    with jax.enable_x64(True):
        constants = [jax.device_put(n.attrs["value"]) for n in large]
        place = None if device is None else jax.sharding.SingleDeviceSharding(device)
        types = [jax.tree.map(lambda x: jax.ShapeDtypeStruct(np.shape(x), x.dtype, sharding=place), t) for t in (*state_types, *constants, *input_types)]
        donate = tuple(range(len(plan.donated))) if plan.donate else ()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Some donated buffers were not usable")  # a variable may change its shape
            compiled = jax.jit(fn, donate_argnums=donate, keep_unused=True).lower(*types).compile(compiler_options())
    fixed = where["fixed"]
    positions: list[int | None] = []
    for i in range(len(plan.results) + where["guessed"]):
        positions.append(None if i in fixed else i - sum(j < i for j in fixed))
    seconds = perf_counter() - start
    log.compiled(plan.name, seconds)
    values = {i: v if not isinstance(v, (jax.Array, np.generic)) else np.asarray(v) for i, v in fixed.items()}
    return Executable(compiled, compiled, constants, positions, values, seconds, where["guessed"], where["writes"])


def _traced(value: Any) -> bool:
    """Whether a value (an array, a list of tensors, an optional) is computed by the program rather than known."""
    return isinstance(value, Tracer) or any(isinstance(x, Tracer) for x in jax.tree.leaves(value))


def _keep_if_too_small(flags: Sequence[Any], values: list[Any], plan: Plan, env: Env) -> Any:
    """Makes the new states the old ones when a list was too small for its loop; returns whether all were large enough."""
    fits = jnp.logical_not(jnp.stack([jnp.asarray(f) for f in flags]).any())
    for i, node in enumerate(plan.previous):
        if node is None:
            continue
        old = env[node][0]
        if old.shape == values[i].shape and old.dtype == values[i].dtype:
            values[i] = jnp.where(fits, values[i], old)
    return fits


def _constants(nodes: Sequence[Node]) -> list[Node]:
    found: dict[Node, None] = {}
    for node in nodes:
        for n, _ in node.inputs:
            if n.op is CONST:
                found[n] = None
    return list(found)
