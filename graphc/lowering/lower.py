"""The walk that evaluates a Program's nodes: inside `jax.jit` for XLA, or on NumPy arrays at once.

A value is a NumPy array when it is known (constants, shapes, what follows from them, static feeds) and a JAX
tracer otherwise. Known integers stay NumPy all the way, so XLA sees static shapes; known floats are
handed to XLA, which computes with them as it does on the device.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from graphc.lowering import control, namespace
from graphc.lowering.lists import DeviceList
from graphc.lowering.table import LOWERINGS
from graphc.lowering.values import ABSENT, Env, operand
from ir.dtypes import DType
from ir.errors import InvalidArgumentError, OpError
from ir.program import Node, Program
from ir.rewrite.partition import SOURCES
from ir.shapes import type_str
from ir.static import MAX_ELEMENTS, NeedsValue, call_body


class NeedsHost(Exception):
    """A node that XLA cannot compile: an operand must be known and is not, or a loop changes the shape of a variable."""

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(f"{node.op.name} {node.name}: {reason}")
        self.node = node


def trace(nodes: Sequence[Node], env: Env) -> None:
    """Evaluates `nodes` under a JAX trace; `env` holds the values of what they need and takes theirs."""
    for node in nodes:
        if node not in env:
            env[node] = _guarded(node, env, True)


def interpret(nodes: Sequence[Node], env: Env) -> None:
    """Evaluates `nodes` on NumPy arrays; what only XLA can compute is compiled op by op."""
    with np.errstate(all="ignore"):
        for node in nodes:
            if node not in env:
                env[node] = _guarded(node, env, False)


def _trace_program(program: Program, env: Env) -> None:
    trace([n for n in program.nodes if n.op not in SOURCES], env)


def _interpret_program(program: Program, env: Env) -> None:
    interpret([n for n in program.nodes if n.op not in SOURCES], env)


def _guarded(node: Node, env: Env, tracing: bool) -> tuple[Any, ...]:
    try:
        args = [operand(env, n, i) for n, i in node.inputs]
        return _compute(node, args) if tracing else _compute_numpy(node, args)
    except OpError as e:
        e.locate(node.origin)
        raise
    except (ValueError, TypeError, IndexError, ZeroDivisionError) as e:
        raise _failed(node, env, e) from e
    except Exception as e:
        _explain(node, e)
        raise


def _failed(node: Node, env: Env, e: Exception) -> InvalidArgumentError:
    """The error of an operation whose operands turned out not to fit: with their types as they are in this run."""
    shown = ", ".join(_described(operand(env, n, i), n.types[i][0]) for n, i in node.inputs)
    reason = str(e).split("\n--------------------\n", maxsplit=1)[0]  # without JAX's advice on its own traceback
    return InvalidArgumentError(None, node.origin, f"{node.op.name}({shown}): {reason}")


def _described(value: Any, dtype: DType) -> str:
    return type_str(dtype, tuple(value.shape)) if hasattr(value, "shape") else dtype.name


def _explain(node: Node, e: Exception) -> None:
    if isinstance(e, NeedsHost) or getattr(e, "_graphc_noted", False):
        return
    operands = ", ".join(type_str(*n.types[i]) for n, i in node.inputs)
    where = node.origin.location_line() if node.origin is not None else ""
    e.add_note(f"while computing {node.name} = {node.op.name}({operands}){', declared at ' + where if where else ''}")
    e._graphc_noted = True  # pyright: ignore[reportAttributeAccessIssue]


def _compute(node: Node, args: list[Any]) -> tuple[Any, ...]:
    if control.is_call(node):
        with jax.named_scope(node.name):
            try:
                return control.evaluate(node, args, _trace_program, True)
            except (NeedsHost, control.ShapeChanges) as e:  # what the body needs, the whole call needs
                raise NeedsHost(node, str(e)) from None
    if node.op.effects.host:
        raise NeedsHost(node, "it runs on the host")
    known = all(isinstance(a, np.ndarray) for a in args)
    if node.op.effects.presence or (known and _stays_numpy(node)):
        return _results(node, _call(node, args, node.op.body))
    _check_static(node, args)
    body = LOWERINGS.get(node.op.name) or node.op.body
    if known and args:
        at = _dynamic_position(node)
        if at is not None:
            args[at] = jnp.asarray(args[at])
    with jax.named_scope(node.name):
        try:
            return _results(node, _call(node, args, body))
        except NeedsValue as e:
            raise NeedsHost(node, f"'{e.param}' must be known when the program is compiled") from None


def _stays_numpy(node: Node) -> bool:
    """Whether a node of known operands is computed while compiling: small integers, booleans, strings."""
    e = node.op.effects
    if e.random or e.writes or e.check or node.op.primitive:
        return False
    return (all(not (d.is_floating or d.is_complex) for d, _ in node.types) and all(
        dims is not None and _size(dims) <= MAX_ELEMENTS for _, dims in node.types
    )) or not node.types or node.op.effects.of_shape


def _size(dims: Sequence[int | None]) -> int:
    size = 1
    for d in dims:
        size *= 1 if d is None else d
    return size


def _dynamic_position(node: Node) -> int | None:
    """A flat operand that need not be static, so that the body runs on JAX."""
    static = node.static_positions()
    return next((i for i in range(len(node.inputs)) if i not in static), None)


def _check_static(node: Node, args: list[Any]) -> None:
    for i in node.static_positions():
        if not isinstance(args[i], np.ndarray):
            raise NeedsHost(node, f"'{_param_at(node, i)}' must be known when the program is compiled")


def _first_at(node: Node, param: str) -> int:
    slices = node.op.input_slices(node.attrs)
    at = next(at for spec, at in zip(node.op.inputs, slices, strict=True) if spec.name == param)
    return at.start if isinstance(at, slice) else at


def _param_at(node: Node, index: int) -> str:
    for spec, at in zip(node.op.inputs, node.op.input_slices(node.attrs), strict=True):
        if at == index or (isinstance(at, slice) and at.start <= index < at.stop):
            return spec.name
    return f"operand {index}"


def _call(node: Node, args: list[Any], body: Callable[..., Any] | None) -> Any:
    if node.op.effects.presence:
        args = [np.bool_(a is not ABSENT) for a in args]
    if node.op.effects.random:
        return call_body(node.op, args[:-1], node.attrs, body, state=args[-1])
    if node.op.effects.stream:
        args = args[:-1]
    return call_body(node.op, args, node.attrs, body, node.name if node.op.effects.host else None)


def _results(node: Node, out: Any) -> tuple[Any, ...]:
    types = node.types
    if len(types) == 1 and not isinstance(out, tuple):
        flat = (out[0],) if isinstance(out, list) else (out,)
    else:
        flat = tuple(_flattened(out))
    if node.op.effects.stream:
        flat = (*flat, np.zeros((), np.int32))[-len(types) :]
    if len(flat) != len(types):
        raise AssertionError(f"the body of {node.op.name} gave {len(flat)} results, its types say {len(types)}")
    return tuple([_typed(v, d) for v, (d, _) in zip(flat, types, strict=True)])


def _flattened(out: Any) -> list[Any]:
    if out is None:
        return []
    if isinstance(out, (list, tuple)):
        return [x for v in out for x in _flattened(v)]
    return [out]


def _typed(value: Any, dtype: DType) -> Any:
    want = dtype.np_dtype
    if want.hasobject:
        return value if isinstance(value, np.ndarray) or not isinstance(value, (bytes, str)) else np.array(value, dtype=object)
    if getattr(value, "dtype", None) == want:
        return value if not isinstance(value, np.generic) else np.asarray(value)
    if isinstance(value, jax.Array):
        return value.astype(want)
    return np.asarray(value, dtype=want)


# -- on NumPy ------------------------------------------------------------------------------------------


def _compute_numpy(node: Node, args: list[Any]) -> tuple[Any, ...]:
    if control.is_call(node):
        return control.evaluate(node, args, _interpret_program, False)
    if node.op.effects.host or (not node.op.primitive and node.op.body is not None):  # a lowering of a host op gets NumPy arrays too
        body = LOWERINGS.get(node.op.name) if node.op.primitive else node.op.body
        return _results(node, _call(node, [_host(a) for a in args], body))
    return tuple(np.asarray(v) for v in _single_op(node, args))


def _host(value: Any) -> Any:
    if isinstance(value, DeviceList):
        return value.to_host()
    return np.asarray(value) if isinstance(value, jax.Array) else value


def _attrs_key(node: Node) -> Any:
    return tuple((k, repr(v) if not isinstance(v, np.ndarray) else v.tobytes()) for k, v in sorted(node.attrs.items()) if not k.startswith("_"))


_single: dict[Any, Callable[..., Any]] = {}


def _single_op(node: Node, args: list[Any]) -> tuple[Any, ...]:
    """Runs one op compiled on its own; the compilation is shared by all Programs and Sessions."""
    static = set(node.static_positions())
    fixed = tuple((i, np.asarray(args[i])) for i in sorted(static))
    key = (node.op.name, _attrs_key(node), tuple((i, a.dtype.str, a.shape, a.tobytes()) for i, a in fixed))
    fn = _single.get(key)
    if fn is None:
        if len(_single) > 4096:
            _single.clear()
        bare = Node(node.op, node.attrs, (), node.types, None)  # without the operation, which would keep its graph alive
        fn = _single[key] = jax.jit(partial(_apply_single, bare, dict(fixed), len(args)))
    with jax.enable_x64(True):
        return fn(*[a for i, a in enumerate(args) if i not in static])


def _apply_single(node: Node, fixed: dict[int, Any], count: int, *dynamic: Any) -> tuple[Any, ...]:
    rest = iter(dynamic)
    args = [fixed[i] if i in fixed else next(rest) for i in range(count)]
    body = LOWERINGS.get(node.op.name) or node.op.body
    return _results(node, _call(node, args, body))


__all__ = ["NeedsHost", "interpret", "namespace", "trace"]
