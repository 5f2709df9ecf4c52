"""Program: the part of a graph that one kind of run needs, as an immutable, interned list of nodes.

State is data here: a variable's value enters as a `_State` node, a read takes the version it sees as an operand,
a write gives the next version, and the last versions leave the Program beside the fetches. So two
reads of one version are one node, a read after a write differs from one before it, and rewrites need no rules
about effects. The order of effects on each resource is: data and control dependencies, then creation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ir.dtypes import DType, float32
from ir.opdef import AttrSpec, Effects, OpDef, OutputSpec
from ir.shapes import Dims
from ir.tensor import Operation


@dataclass(frozen=True, slots=True)
class Res:
    """A thing with state: a variable, a random counter, an output stream, or a host object such as a table.

    The state of a host object (`dtype` is resource) is the object itself, whatever its version.
    """

    key: str
    kind: str
    dtype: DType = field(default=float32, compare=False)
    dims: Dims = field(default=None, compare=False)
    op: Operation | None = field(default=None, compare=False, repr=False)
    #: of an array of gradients, the array
    of: Any = field(default=None, compare=False, repr=False)

    @property
    def transient(self) -> bool:
        """Whether it lives for one run: the store knows nothing of it."""
        return self.kind in ("stream", "tensor_array", "tensor_array_grad", "stack")


FEED = OpDef("_Feed", [], {"index": AttrSpec("index", "int")}, [OutputSpec("value", "dtype")], Effects(), no_gradient="-")
STATE = OpDef("_State", [], {"resource": AttrSpec("resource", "string")}, [OutputSpec("value", "dtype")], Effects(), no_gradient="-")


class Node:
    """One computation: an op, its attributes, its operands as (node, output) pairs, and the types of its outputs.

    `types` are those of the data outputs, then of the check's flag if there is one, then of the new states.
    """

    __slots__ = ("attrs", "index", "inputs", "op", "origin", "types")

    def __init__(self, op: OpDef, attrs: dict[str, Any], inputs: "tuple[Ref, ...]", types: tuple[tuple[DType, Dims], ...], origin: Operation | None) -> None:
        self.op = op
        self.attrs = attrs
        self.inputs = inputs
        self.types = types
        self.origin = origin
        self.index = -1

    @property
    def name(self) -> str:
        """The name of the operation this came from, for messages and profiles."""
        return self.origin.name if self.origin is not None else self.op.name

    def dims(self, index: int) -> Dims:
        """The static shape of operand `index`."""
        node, i = self.inputs[index]
        return node.types[i][1]

    def value(self, index: int) -> np.ndarray[Any, Any] | None:
        """The value of operand `index` when it is a constant, else None."""
        node = self.inputs[index][0]
        return node.attrs["value"] if node.op.name == "Const" else None

    def static_positions(self) -> list[int]:
        """The operands that must be known when the node is compiled."""
        if self.op.static_fn is not None:
            return list(self.op.static_fn(self))
        out: list[int] = []
        names = self.op.effects.static
        if names:
            for spec, at in zip(self.op.inputs, self.op.input_slices(self.attrs), strict=True):
                if spec.name in names:
                    out.extend(range(at.start, at.stop) if isinstance(at, slice) else (at,))
        return out

    def __repr__(self) -> str:
        return f"<Node {self.index} {self.op.name} {self.name}>"


Ref = tuple[Node, int]


def type_of(ref: Ref) -> tuple[DType, Dims]:
    """Returns the (dtype, shape) of an operand."""
    return ref[0].types[ref[1]]


@dataclass(frozen=True, slots=True)
class Check:
    """A flag that must be true after the run, and what to show when it is not."""

    ok: Ref
    payload: tuple[Ref, ...]
    origin: Operation


@dataclass(slots=True)
class Program:
    """What a run computes. `writes` are the last versions of the resources written; `feeds` the `_Feed` nodes in order."""

    nodes: list[Node]
    feeds: list[Node]
    fetches: list[Ref]
    writes: dict[Res, Ref]
    states: dict[Res, Node]
    checks: list[Check]
    first_reads: dict[Res, Operation]

    def roots(self) -> Iterator[Ref]:
        """Yields everything that leaves the program."""
        yield from self.fetches
        yield from self.writes.values()
        for c in self.checks:
            yield c.ok
            yield from c.payload

    def number(self) -> "Program":
        """Gives every node its index; returns the program."""
        for i, n in enumerate(self.nodes):
            n.index = i
        return self


def _attr_key(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return ("s", value.shape, tuple(value.reshape(-1).tolist())) if value.size <= 64 else id(value)
        return (value.dtype.str, value.dtype.name, value.shape, value.tobytes()) if value.nbytes <= 4096 else id(value)
    if isinstance(value, float):
        return ("f", np.float64(value).tobytes())
    if isinstance(value, bool):
        return ("b", value)
    if isinstance(value, (list, tuple)):
        return tuple(_attr_key(v) for v in value)
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What a node that calls functions carries in its attribute `call`.

    `programs` are the functions, each with one feed per value argument. The node's operands are the selector if
    there is one (`selects`), the value arguments, and the states in `states`; its results are the values, one
    flag per entry of `checks`, and the new states in `written`. Each program's states and writes
    are among those.
    """

    kind: str
    programs: tuple["Program", ...]
    selects: bool
    states: tuple[Res, ...]
    written: tuple[Res, ...]
    checks: tuple[Operation, ...]


class Interner:
    """Makes nodes, returning the one that exists when an equal pure node was made before."""

    def __init__(self) -> None:
        self.table: dict[Any, Node] = {}
        self.nodes: list[Node] = []

    def __call__(self, op: OpDef, attrs: dict[str, Any], inputs: tuple[Ref, ...], types: tuple[tuple[DType, Dims], ...], origin: Operation | None) -> Node:
        e = op.effects
        call = attrs.get("call")
        if e.writes or e.random or e.stream or e.check or (call is not None and (call.written or call.checks)):
            return self._new(op, attrs, inputs, types, origin)
        if call is None and (e.stateful and not e.reads and not e.presence):
            return self._new(op, attrs, inputs, types, origin)
        key = (
            op.name,
            tuple((id(n), i) for n, i in inputs),
            tuple((k, _attr_key(v)) for k, v in sorted(attrs.items()) if not k.startswith("_")),
        )
        found = self.table.get(key)
        if found is None:
            found = self.table[key] = self._new(op, attrs, inputs, types, origin)
        return found

    def _new(self, op: OpDef, attrs: dict[str, Any], inputs: tuple[Ref, ...], types: tuple[tuple[DType, Dims], ...], origin: Operation | None) -> Node:
        node = Node(op, attrs, inputs, types, origin)
        self.nodes.append(node)
        return node
