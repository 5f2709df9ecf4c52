"""What is written of a graph: its operations with the inputs they were made with, and the functions these need.

`ir.functionalize` keeps, beside the list of operations, a While or If for each loop or conditional of TensorFlow 1's
kind, and lets Exits and Merges take their values from it. Written down, they are as they were made. Only where other
operations use such a While (a gradient uses values of its iterations) is it written too; its Exits are then
identities of its results, so that nothing runs twice.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ir.dtypes import int32
from ir.funcref import FuncRef
from ir.function import Function
from ir.graph import Graph
from ir.opdef import OpDef, lookup
from ir.tensor import Operation, Tensor


class Shown(NamedTuple):
    """An operation as it is written."""

    opdef: OpDef
    inputs: Sequence[Tensor]
    control_inputs: Sequence[Operation]
    attrs: dict[str, Any]
    outputs: Sequence[Tensor]


def as_made(op: Operation) -> Shown:
    """Returns an operation with the inputs it was made with."""
    graph = op.graph
    controls = graph.v1_control_inputs.get(op)
    return Shown(op.opdef, graph.v1_inputs.get(op, op.inputs), op.control_inputs if controls is None else controls, op.attrs, op.outputs)


def _is_listed(op: Operation) -> bool:
    ops = op.graph.ops
    return op.id < len(ops) and ops[op.id] is op


class View:
    """A graph as it is written: `ops`, in order, and how each is shown."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.beside: dict[Operation, None] = {}
        stack: list[Operation] = list(reversed(graph.ops)) if graph.v1_inputs or graph.v1_control_inputs else []
        while stack:
            made = as_made(stack.pop())
            for other in (*[t.op for t in made.inputs], *made.control_inputs):
                if other not in self.beside and not _is_listed(other):
                    self.beside[other] = None
                    stack.append(other)
        self.ops = [*graph.ops, *self.beside]

    def show(self, op: Operation) -> Shown:
        """Returns an operation as it is written."""
        if not self.beside or op not in self.graph.v1_inputs or op.inputs[0].op not in self.beside:
            return as_made(op)
        dtype = op.outputs[0].dtype.base_dtype
        if len(op.inputs) == 1:
            return Shown(lookup("Identity"), op.inputs, op.control_inputs, {"T": dtype}, op.outputs[:1])
        return Shown(lookup("IdentityN"), op.inputs, op.control_inputs, {"T": (dtype, int32)}, op.outputs)

    def functions(self) -> list[Function]:
        """Returns the functions of the library, less those made on demand that nothing written uses."""
        library = self.graph.functions
        used: set[str] = set()
        waiting: list[Iterable[Operation]] = [self.ops]
        waiting.extend(fn.graph.ops for fn in library.values() if not fn.on_demand and fn.definition is None)
        while waiting:
            for op in waiting.pop():
                for name in _named(op):
                    fn = library.get(name)
                    if fn is None or name in used:
                        continue
                    used.update((name, fn.gradient or name))
                    if fn.definition is None:
                        waiting.append(fn.graph.ops)
        return [fn for name, fn in library.items() if not fn.on_demand or name in used]


def _named(op: Operation) -> list[str]:
    names = [op.type]
    for value in op.attrs.values():
        values: Any = value if isinstance(value, tuple) else (value,)
        names.extend(v.name for v in values if isinstance(v, FuncRef))
    return names
