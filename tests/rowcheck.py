"""How rows are built, run and compared: the machinery under tests/test_ops.py.

Rows are checked in batches: one graph, one compiled program for many rows, so that the whole table takes minutes. When a
batch fails, its halves are tried, so that the failure lands on the row that causes it.
"""

import importlib
import pkgutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import ml_dtypes
import numpy as np

import tests.rows
from graphc.lowering.lower import interpret, operand, trace
from graphc.runtime.runner import Runner
from graphc.runtime.store import Store
from ir.convert import convert_to_tensor
from ir.cut import cut
from ir.dtypes import as_dtype
from ir.graph import Graph
from ir.indexed_slices import IndexedSlices
from ir.ops.basic import placeholder
from ir.program import Program
from ir.rewrite.partition import SOURCES, partition
from ir.rewrite.pipeline import optimize, prune
from ir.tensor import Operation, Tensor
from tests.rowdef import ErrorRow, Row

BATCH = 40
#: half precision and complex64 gradients are checked in these types
WIDER = {"float16": "float64", "bfloat16": "float64", "float32": "float64", "complex64": "complex128"}
FAST_COMPILE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


ROWS: list[Row] = []
ERRORS: list[ErrorRow] = []
#: files of rows that do not load, and why; a test shows them, so that one does not hide the others
BROKEN: dict[str, str] = {}


def _collect() -> None:
    for m in pkgutil.iter_modules(tests.rows.__path__):
        try:
            module = importlib.import_module(f"tests.rows.{m.name}")
        except Exception as e:
            BROKEN[m.name] = f"{type(e).__name__}: {e}"
            continue
        ROWS.extend(getattr(module, "ROWS", []))
        ERRORS.extend(getattr(module, "ERRORS", []))


_collect()


def names(rows: Sequence[Any]) -> list[str]:
    """A name per row, unique: "Tanh", "Tanh-edges", "Tanh-edges-2"."""
    seen: dict[str, int] = {}
    out: list[str] = []
    for r in rows:
        base = "-".join(p for p in (r.op, getattr(r, "id", "").replace(" ", "_")) if p)
        seen[base] = seen.get(base, 0) + 1
        out.append(base if seen[base] == 1 else f"{base}-{seen[base]}")
    return out


# -- building ----------------------------------------------------------------------------------------


def flat(value: Any) -> list[Any]:
    """The tensors, or arrays, of a nest; operations are left out."""
    if value is None or isinstance(value, Operation):
        return []
    if isinstance(value, IndexedSlices):
        return [value.values, value.indices]
    if hasattr(value, "dense_shape") and hasattr(value, "indices"):  # SparseTensor
        return [value.indices, value.values, value.dense_shape]
    if isinstance(value, (list, tuple)):
        return [x for v in value for x in flat(v)]
    if isinstance(value, dict):
        return [x for k in sorted(value) for x in flat(value[k])]
    return [value]


def array(value: Any) -> np.ndarray:
    """`value` as what is fed: Python text becomes an object array of bytes."""
    a = np.asarray(value)
    return np.array(value, dtype=object) if a.dtype.kind in "US" else a


def rng(row: Row, salt: str = "") -> np.random.RandomState:
    """Random numbers of a row: the same at every run."""
    return np.random.RandomState(zlib.crc32(f"{row.op} {row.id} {salt}".encode()))


def wider(a: np.ndarray) -> np.ndarray:
    """`a` in the type gradients are checked in."""
    return a.astype(WIDER[a.dtype.name]) if a.dtype.name in WIDER else a


def is_inexact(a: Any) -> bool:
    """Whether `a` is of a floating point or complex type."""
    return np.dtype(a.dtype).kind in "fc" or a.dtype == ml_dtypes.bfloat16


@dataclass
class Built:
    """A row in a graph: what is fed, what comes out."""

    row: Row
    feeds: list[np.ndarray]
    inputs: list[Tensor]
    outputs: list[Tensor]


def build(row: Row, feeds: Sequence[np.ndarray], shapes: Sequence[Any] | None = None) -> Built:
    """Builds a row in the default graph on placeholders of the feeds' types, and shapes if none are given."""
    shapes = [a.shape for a in feeds] if shapes is None else shapes
    inputs = [placeholder(as_dtype(a.dtype), s) for a, s in zip(feeds, shapes, strict=True)]
    outputs = [o if isinstance(o, Tensor) else convert_to_tensor(o) for o in flat(row.build(*inputs))]
    return Built(row, list(feeds), inputs, outputs)


def program(b: Built, fetches: Sequence[Tensor], extra: Sequence[Tensor] = ()) -> Program:
    """The program that computes `fetches` of a built row."""
    return cut(b.inputs[0].graph if b.inputs else fetches[0].graph, list(fetches), [*b.inputs, *extra])


# -- running -----------------------------------------------------------------------------------------


def run(graph: Graph, fetches: Sequence[Tensor], inputs: Sequence[Tensor], feeds: Sequence[np.ndarray], compiled: bool) -> list[Any]:
    """Runs tensors as a Session does, compiled or, where that is cheap, on NumPy arrays."""
    runner = Runner(Store(), cut(graph, list(fetches), list(inputs)), "row", lambda: 0, eager=not compiled)
    return runner.first([np.array(f) for f in feeds])


def on_numpy(p: Program, feeds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Evaluates a program without states on NumPy arrays, op by op."""
    p = prune(p)
    env: Any = {n: (f,) for n, f in zip(p.feeds, feeds, strict=True)}
    for res, node in p.states.items():  # only output streams: gradients of variables and of random ops are tested elsewhere
        assert res.kind == "stream", f"{res.key} is state"
        env[node] = (np.zeros((), np.int32),)
    interpret([n for n in p.nodes if n.op not in SOURCES], env)
    return [np.asarray(operand(env, *f)) for f in p.fetches]


@dataclass
class Batch:
    """Rows compiled together: per row its values, or what went wrong."""

    built: dict[int, Built] = field(default_factory=dict)
    values: dict[int, list[Any]] = field(default_factory=dict)
    errors: dict[int, BaseException] = field(default_factory=dict)


def is_plain(row: Row) -> bool:
    """Whether the row may share a program with others: no strings."""
    return not any(array(i).dtype == object for i in row.inputs)


def compile_batch(rows: dict[int, Row]) -> Batch:
    """Builds rows in one graph, compiles and runs them together."""
    batch = Batch()
    with Graph().as_default() as graph:
        for i, row in rows.items():
            try:
                batch.built[i] = build(row, [array(a) for a in row.inputs])
            except Exception as e:  # the row's test shows it
                batch.errors[i] = e
        together = [i for i in batch.built if is_plain(rows[i])]
        _run_halving(batch, graph, together)
        for i in batch.built:
            if i not in together:
                _run_halving(batch, graph, [i])
    return batch


def _run_halving(batch: Batch, graph: Graph, chosen: list[int]) -> None:
    if not chosen:
        return
    built = [batch.built[i] for i in chosen]
    outputs, inputs, feeds = ([x for b in built for x in getattr(b, part)] for part in ("outputs", "inputs", "feeds"))
    try:
        flat_values = run(graph, outputs, inputs, feeds, compiled=True)
    except Exception as e:
        if len(chosen) == 1:
            batch.errors[chosen[0]] = e
            return
        _run_halving(batch, graph, chosen[: len(chosen) // 2])
        _run_halving(batch, graph, chosen[len(chosen) // 2 :])
        return
    rest = iter(flat_values)
    for i, b in zip(chosen, built, strict=True):
        batch.values[i] = [next(rest) for _ in b.outputs]


# -- comparing ---------------------------------------------------------------------------------------


def assert_close(actual: Any, expected: Any, rtol: float, atol: float, what: str) -> None:
    """Asserts equal shapes and close values; strings, integers and booleans must be equal."""
    a, e = array(actual), array(expected)
    assert a.shape == e.shape, f"{what}: shape {a.shape}, expected {e.shape}"
    if a.dtype == object or e.dtype == object:
        assert a.tolist() == _bytes(e).tolist(), f"{what}: {a.tolist()}, expected {e.tolist()}"
        return
    if not is_inexact(a):
        np.testing.assert_array_equal(a, e, err_msg=what)
        return
    eps = float(ml_dtypes.finfo(a.dtype).eps) if a.dtype.kind != "c" else 0.0
    small = a.dtype.itemsize <= 2
    kind = np.complex128 if "c" in (a.dtype.kind, e.dtype.kind) else np.float64
    np.testing.assert_allclose(a.astype(kind), e.astype(kind), max(rtol, 4 * eps if small else 0), max(atol, 4 * eps if small else 0), err_msg=what)


def _bytes(a: np.ndarray) -> np.ndarray:
    out = np.empty(a.shape, dtype=object)
    for i in np.ndindex(a.shape):
        out[i] = a[i].encode() if isinstance(a[i], str) else a[i]
    return out


# -- gradients ---------------------------------------------------------------------------------------


@dataclass
class Grads:
    """A row with its gradient in a graph: ys, cotangents, the inputs differentiated and their gradients."""

    built: Built
    ys: list[Tensor]
    cts: list[Tensor]
    ct_values: list[np.ndarray]
    wrt: list[int]
    first: list[Tensor]
    seconds: list[Tensor]
    directions: list[Tensor]
    direction_values: list[np.ndarray]

    @property
    def double(self) -> bool:
        """Whether everything is computed in double precision."""
        return all(t.dtype.base_dtype.name in ("float64", "complex128") for t in [*self.ys, *(self.built.inputs[i] for i in self.wrt)])

    @property
    def extra(self) -> list[Tensor]:
        """What is fed beside the inputs."""
        return [*self.cts, *self.directions]

    @property
    def extra_values(self) -> list[np.ndarray]:
        """The values of `extra`."""
        return [*self.ct_values, *self.direction_values]


def like(r: np.random.RandomState, shape: Any, dtype: Any) -> np.ndarray:
    """Random values of a shape and type."""
    a = r.standard_normal(shape)
    return (a + 1j * r.standard_normal(shape)).astype(dtype) if np.dtype(dtype).kind == "c" else np.asarray(a, dtype)


def with_gradients(row: Row, gradients: Callable[..., Any], widen: bool = True) -> Grads:
    """Builds a row with its gradients with respect to its floating point inputs, in double precision if it can."""
    r = rng(row, "gradient")
    raw = [array(a) for a in row.inputs]
    b = build(row, [wider(a) for a in raw] if widen else raw)
    ys = [y for y in b.outputs if y.dtype.is_floating or y.dtype.is_complex]
    values = on_numpy(program(b, ys), b.feeds)
    cts = [placeholder(y.dtype.base_dtype, v.shape) for y, v in zip(ys, values, strict=True)]
    wrt = [i for i, a in enumerate(b.feeds) if is_inexact(a)]
    xs = [b.inputs[i] for i in wrt]
    found = gradients(ys, xs, grad_ys=cts, unconnected_gradients="zero")
    first = [convert_to_tensor(g) for g in found]
    directions: list[Tensor] = []
    seconds: list[Tensor] = []
    if row.second:
        directions = [placeholder(x.dtype, b.feeds[i].shape) for x, i in zip(xs, wrt, strict=True)]
        seconds = [convert_to_tensor(g) for g in gradients(first, xs, grad_ys=directions, unconnected_gradients="zero")]
    ct_values = [like(r, v.shape, v.dtype) for v in values]
    return Grads(b, ys, cts, ct_values, wrt, first, seconds, directions, [like(r, b.feeds[i].shape, b.feeds[i].dtype) for i in wrt] if row.second else [])


def real_dot(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
    """The real inner product of two lists of arrays."""
    return float(sum(np.real(np.vdot(x.astype(_kind(x)), y.astype(_kind(y)))) for x, y in zip(a, b, strict=True)))


def _kind(a: np.ndarray) -> Any:
    return np.complex128 if a.dtype.kind == "c" else np.float64


def check_finite_differences(g: Grads) -> list[np.ndarray]:
    """Compares first (and second) order gradients with central differences in one random direction; returns the first."""
    row, b = g.built.row, g.built
    eps, rtol = (1e-6, 1e-5) if g.double else (1e-2, 3e-2)
    r = rng(row, "direction")
    d = [like(r, b.feeds[i].shape, b.feeds[i].dtype) for i in g.wrt]
    p = program(b, [*g.ys, *g.first, *g.seconds], g.extra)

    def at(step: float) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        feeds = list(b.feeds)
        for i, di in zip(g.wrt, d, strict=True):
            feeds[i] = np.asarray(feeds[i] + step * di, feeds[i].dtype)
        out = on_numpy(p, [*feeds, *g.extra_values])
        n, m = len(g.ys), len(g.first)
        return out[:n], out[n : n + m], out[n + m :]

    (low, low_first, _), (_, first, seconds), (high, high_first, _) = at(-eps), at(0.0), at(eps)
    _compare(real_dot(g.ct_values, high), real_dot(g.ct_values, low), real_dot(first, d), eps, rtol, "gradient")
    if g.seconds:
        _compare(real_dot(g.direction_values, high_first), real_dot(g.direction_values, low_first), real_dot(seconds, d), eps, rtol, "second gradient")
    return first


def _compare(high: float, low: float, claimed: float, eps: float, rtol: float, what: str) -> None:
    measured = (high - low) / (2 * eps)
    scale = max(abs(measured), abs(claimed), 1.0)
    noise = (abs(high) + abs(low)) * (1e-16 if eps < 1e-4 else 1e-7) / eps
    assert np.isfinite(claimed), f"{what} is {claimed}"
    assert abs(measured - claimed) <= rtol * scale + 4 * noise, f"{what}: {claimed} along a random direction, finite differences give {measured}"


def vjp_function(g: Grads) -> Callable[..., Any]:
    """A function of (inputs, cotangents) that gives the gradient jax makes of the lowered row.

    The row's own gradient is traced beside it, to see that it can be; its values are checked on NumPy arrays.
    """
    b = g.built
    forward = optimize(program(b, g.ys))
    backward = optimize(program(b, g.first, g.cts))
    if any(s.host for p in (forward, backward) for s in partition(p)):
        raise HostRow("runs on the host")

    def evaluate(p: Program, feeds: Sequence[Any]) -> list[Any]:
        env: Any = {n: (f,) for n, f in zip(p.feeds, feeds, strict=True)}
        trace([n for n in p.nodes if n.op not in SOURCES], env)
        return [operand(env, *f) for f in p.fetches]

    def theirs(xs: Sequence[Any], cts: Sequence[Any]) -> Any:
        def f(*inner: Any) -> Any:
            feeds = list(b.feeds)
            for i, x in zip(g.wrt, inner, strict=True):
                feeds[i] = x
            return [jax.numpy.asarray(y) for y in evaluate(forward, feeds)]

        _, pull = jax.vjp(f, *xs)
        feeds = list(b.feeds)
        for i, x in zip(g.wrt, xs, strict=True):
            feeds[i] = x
        evaluate(backward, [*feeds, *cts])
        return [jax.numpy.conj(t) for t in pull([jax.numpy.conj(c) for c in cts])]

    return theirs


class HostRow(Exception):
    """The row has no compiled form that jax could differentiate."""


#: what jax says when it cannot differentiate a computation backwards
NOT_BY_JAX = (NotImplementedError, HostRow)


def compile_vjps(grads: dict[int, Grads]) -> dict[int, Any]:
    """Per row jax's gradients, or the exception that prevented them."""
    out: dict[int, Any] = {}
    functions: dict[int, Callable[..., Any]] = {}
    for i, g in grads.items():
        try:
            functions[i] = vjp_function(g)
        except Exception as e:
            out[i] = e
    _vjp_halving(grads, functions, list(functions), out)
    return out


def _vjp_halving(grads: dict[int, Grads], functions: dict[int, Callable[..., Any]], chosen: list[int], out: dict[int, Any]) -> None:
    if not chosen:
        return

    def together(args: Any) -> Any:
        return [functions[i](*a) for i, a in zip(chosen, args, strict=True)]

    args = [([grads[i].built.feeds[k] for k in grads[i].wrt], grads[i].ct_values) for i in chosen]
    try:
        with jax.enable_x64(True):
            results = jax.jit(together).lower(args).compile(compiler_options=FAST_COMPILE)(args)
    except Exception as e:
        if len(chosen) == 1:
            out[chosen[0]] = e
            return
        _vjp_halving(grads, functions, chosen[: len(chosen) // 2], out)
        _vjp_halving(grads, functions, chosen[len(chosen) // 2 :], out)
        return
    out.update(zip(chosen, results, strict=True))
