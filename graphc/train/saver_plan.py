"""What the save and restore nodes of a graph say: which tensor is saved under which name, which variable is restored from where.

A Saver reads this off the graph, so that graphs imported from TensorFlow work like those built here, and then moves values between the
Session's store and files by itself: consistently, whole, and without compiling anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.io.bundle import PREFIX
from graphc.io.bundle_writer import Item
from graphc.io.checkpoint_reader import CheckpointReader
from graphc.io.slices import parse_spec
from ir.cut import resource_of
from ir.dtypes import DType
from ir.errors import InvalidArgumentError
from ir.graph import Graph
from ir.tensor import Operation, Tensor

RNG_NAMES = PREFIX + "rng/names"
RNG_STATES = PREFIX + "rng/states"
_VARIABLES = ("VariableV2", "Variable", "VarHandleOp")
_SAVES = {"SaveV2": 3, "Save": 2, "SaveSlices": 3}
_RESTORES = ("RestoreV2", "Restore", "RestoreSlice")


@dataclass(slots=True)
class Saved:
    """A tensor to save; `key` is that of the variable it reads, if it reads one."""

    name: str
    spec: str
    tensor: Tensor
    key: str | None
    shard: int


@dataclass(slots=True)
class Restored:
    """A variable to restore."""

    name: str
    spec: str
    key: str
    dtype: DType
    #: the variable's static shape when it must fit
    dims: Any
    reshape: bool
    op: Operation


@dataclass(slots=True)
class Plan:
    """All that a pair of save and restore operations does; None for what the nodes do not tell."""

    saved: list[Saved] | None = None
    restored: list[Restored] | None = None
    shards: int = 1
    keys: set[str] = field(default_factory=set[str])


def plan_of(graph: Graph, save: Operation, restore: Operation) -> Plan:
    """Reads a plan off the graph."""
    out = Plan()
    try:
        saves = [op for op in _above(save, {*_SAVES, *_VARIABLES}) if op.type in _SAVES]
        saves.sort(key=lambda op: op.id)
        out.saved = [s for i, op in enumerate(saves) for s in _saved(op, i)]
        out.shards = max(1, len(saves))
    except LookupError:
        out.saved = None
    try:
        targets = [op for op in _above(restore, {"Assign", "AssignVariableOp"}) if op.type in ("Assign", "AssignVariableOp")]
        out.restored = [_restored(op) for op in sorted(targets, key=lambda op: op.id)]
    except LookupError:
        out.restored = None
    out.keys = {s.key for s in out.saved or () if s.key} | {r.key for r in out.restored or ()}
    return out


def _above(start: Operation, stop: set[str]) -> Iterator[Operation]:
    """Yields what an operation needs, up to and including operations of the types in `stop`."""
    seen = {start}
    todo = [start]
    while todo:
        op = todo.pop()
        yield op
        if op.type in stop:
            continue
        for n in [*(t.op for t in op.inputs), *op.control_inputs]:
            if n not in seen:
                seen.add(n)
                todo.append(n)


def _texts(t: Tensor) -> list[str]:
    if t.op.type != "Const":
        raise LookupError
    return [v.decode() if isinstance(v, bytes) else str(v) for v in t.op.attrs["value"].reshape(-1).tolist()]


def _saved(op: Operation, shard: int) -> list[Saved]:
    first = _SAVES[op.type]
    names = _texts(op.inputs[1])
    specs = _texts(op.inputs[2]) if first == 3 else [""] * len(names)
    return [Saved(n, s, t, key_of(t), shard) for n, s, t in zip(names, specs, op.inputs[first:], strict=True)]


def key_of(t: Tensor) -> str | None:
    """Returns the store's key of the variable that a tensor reads, or None when it is anything else."""
    op = t.op
    while op.type in ("Identity", "ReadVariableOp", "Enter", "RefEnter") and op.inputs and not op.control_inputs:
        op = op.inputs[0].op
    return resource_of(op).key if op.type in _VARIABLES else None


def _restored(op: Operation) -> Restored:
    key = key_of(op.inputs[0])
    if key is None:
        raise LookupError
    value = op.inputs[1]
    reshape = False
    while value.op.type in ("Identity", "Reshape"):
        reshape |= value.op.type == "Reshape"
        value = value.op.inputs[0]
    if value.op.type not in _RESTORES:
        raise LookupError
    source = value.op
    name = _texts(source.inputs[1])[value.value_index]
    spec = _texts(source.inputs[2])[value.value_index] if len(source.inputs) > 2 else ""
    target = op.inputs[0]
    dims = target.handle[1] if target.handle is not None else target.dims
    if op.type == "Assign" and not op.attrs.get("validate_shape", True) and not reshape:
        dims = None
    return Restored(name, spec, key, value.dtype.base_dtype, dims, reshape, op)


# -- saving ------------------------------------------------------------------------------------------


def items_of(plan: Plan, sess: Any, with_counters: bool) -> list[Item]:
    """Returns what there is to write: the variables as they are together at one moment.

    Raises FailedPreconditionError when a variable has no value.
    """
    store = sess.store
    found: list[Any] = []
    counters: dict[str, Any] = {}
    saved = plan.saved or []
    with store.lock:
        for s in saved:
            present = s.key is not None and s.key in store
            found.append(np.array(store.get(s.key)) if present else None)
        if with_counters:
            counters = {k[4:]: np.array(store.get(k)) for k in store.keys() if k.startswith("rng:")}  # noqa: SIM118 (no dict)
    others = [i for i, s in enumerate(saved) if found[i] is None]
    if others:  # tensors that are no variables; variables without a value fail here
        for i, value in zip(others, sess.run([saved[i].tensor for i in others]), strict=True):
            found[i] = value
    items = [Item(s.name, v, s.spec, s.shard, s.tensor.dtype.base_dtype) for s, v in zip(saved, found, strict=True)]
    if counters:
        names = sorted(counters)
        items.append(Item(RNG_NAMES, np.array([n.encode() for n in names], dtype=object)))
        items.append(Item(RNG_STATES, np.stack([counters[n] for n in names]).astype(np.uint64)))
    return items


# -- restoring ---------------------------------------------------------------------------------------


def read_all(plan: Plan, reader: CheckpointReader, renamed: dict[str, str]) -> list[tuple[str, Any]]:
    """Returns the new values of all variables by key; nothing is changed yet.

    Raises NotFoundError, InvalidArgumentError, DataLossError, which name the tensor and the checkpoint.
    """
    out: list[tuple[str, Any]] = []
    for r in plan.restored or []:
        name = renamed.get(r.name, r.name)
        if not r.reshape:
            _check_shape(r, reader, name)
        value = reader.read(name, r.spec, r.dtype)
        if r.reshape and r.dims is not None and None not in r.dims:
            if value.size != int(np.prod(r.dims, dtype=np.int64)):
                raise InvalidArgumentError(
                    None, r.op, f"Tensor {name} of checkpoint {reader.prefix} has {value.size} values, but {r.key} has shape {list(r.dims)}"
                )
            value = value.reshape(r.dims)
        out.append((r.key, value))
    return out


def _check_shape(r: Restored, reader: CheckpointReader, name: str) -> None:
    part = parse_spec(r.spec)
    shape = list(part.shape) if part is not None else reader.shape(name)
    if r.dims is not None and (len(r.dims) != len(shape) or any(d is not None and d != n for d, n in zip(r.dims, shape, strict=True))):
        lhs, rhs = ("[" + ",".join("?" if d is None else str(d) for d in s) + "]" for s in (r.dims, shape))
        where = f"variable {r.key}, tensor {name} of checkpoint {reader.prefix}"
        raise InvalidArgumentError(None, r.op, f"Assign requires shapes of both tensors to match. lhs shape= {lhs} rhs shape= {rhs} ({where})")


def read_counters(reader: CheckpointReader, graph: Graph) -> list[tuple[str, Any]]:
    """Returns the counters of random operations by key; those whose operation has another seed by now are left out."""
    if not reader.has_tensor(RNG_NAMES):
        return []
    out: list[tuple[str, Any]] = []
    for text, state in zip(reader.read(RNG_NAMES).tolist(), reader.read(RNG_STATES), strict=True):
        name = text.decode()
        op = graph._by_name.get(name)
        seeds = (int(op.attrs.get("seed", 0)), int(op.attrs.get("seed2", 0))) if op is not None else (0, 0)
        same = tuple(s & 0xFFFFFFFFFFFFFFFF for s in seeds) == (int(state[0]), int(state[1]))
        if seeds == (0, 0) or same:
            out.append(("rng:" + name, state.copy()))
    return out
