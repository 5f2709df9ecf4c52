"""Simplification: nodes that pass their input on, and chains of layout changes. XLA does the algebra."""

import numpy as np

from ir.convert import CONST
from ir.program import Interner, Node, Ref, type_of
from ir.rewrite.fold import constant_node
from ir.shapes import fully_known


def forward(node: Node, inputs: tuple[Ref, ...], intern: Interner) -> tuple[Ref, ...] | None:
    """An op whose output i is its input i is that input."""
    if not node.op.effects.passthrough:
        return None
    return inputs[: len(node.types)]


def same_cast(node: Node, inputs: tuple[Ref, ...], intern: Interner) -> tuple[Ref, ...] | None:
    """A cast to the type the operand has is that operand."""
    if node.op.name == "Cast" and type_of(inputs[0])[0] is node.types[0][0]:
        return (inputs[0],)
    return None


_RESHAPES = ("Reshape", "Squeeze", "ExpandDims")


def reshape_chain(node: Node, inputs: tuple[Ref, ...], intern: Interner) -> tuple[Ref, ...] | None:
    """A reshape to the shape the operand has is that operand; of a chain of reshapes only the last counts."""
    if node.op.name not in _RESHAPES:
        return None
    dims = node.types[0][1]
    source = inputs[0]
    while source[0].op.name in _RESHAPES:
        source = source[0].inputs[0]
    if fully_known(dims) and type_of(source)[1] == dims:
        return (source,)
    if node.op.name == "Reshape" and source is not inputs[0]:
        made = intern(node.op, node.attrs, (source, inputs[1]), node.types, node.origin)
        return ((made, 0),)
    return None


def transpose_chain(node: Node, inputs: tuple[Ref, ...], intern: Interner) -> tuple[Ref, ...] | None:
    """A transpose of a transpose is one transpose, or nothing."""
    if node.op.name != "Transpose" or inputs[1][0].op is not CONST:
        return None
    perm = inputs[1][0].attrs["value"]
    if np.array_equal(perm, np.arange(perm.size)):
        return (inputs[0],)
    inner = inputs[0][0]
    if inner.op.name != "Transpose" or inner.inputs[1][0].op is not CONST:
        return None
    both = inner.inputs[1][0].attrs["value"][perm]
    if np.array_equal(both, np.arange(both.size)):
        return (inner.inputs[0],)
    made = intern(node.op, node.attrs, (inner.inputs[0], (constant_node(both.astype(perm.dtype), intern, node), 0)), node.types, node.origin)
    return ((made, 0),)


RULES = (forward, same_cast, reshape_chain, transpose_chain)
