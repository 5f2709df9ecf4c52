"""Slices whose bounds are packed from scalars get the scalars: `x[i, 1:3]` needs `1` and `3` known, but not `i`."""

import numpy as np

from ir import opdef
from ir.convert import CONST
from ir.dtypes import as_dtype
from ir.program import Interner, Node, Ref, type_of
from ir.rewrite.fold import constant_node

#: op type -> (the op that takes its bounds one by one, the positions of the bounds)
_PARTS = {
    "StridedSlice": ("_StridedSliceParts", (1, 2, 3)),
    "StridedSliceGrad": ("_StridedSliceGradParts", (1, 2, 3)),
    "Slice": ("_SliceParts", (1, 2)),
}


def _scalars(ref: Ref, node: Node, intern: Interner) -> list[Ref] | None:
    """The entries of a vector, when it is a constant or a Pack of scalars."""
    source = ref[0]
    if source.op is CONST:
        value = source.attrs["value"]
        return [(constant_node(np.array(v, dtype=value.dtype), intern, node), 0) for v in value.reshape(-1)]
    if source.op.name == "Pack":
        return list(source.inputs)
    return None


def packed_bounds(node: Node, inputs: tuple[Ref, ...], intern: Interner) -> tuple[Ref, ...] | None:
    """The rule: a slice of which a bound is a Pack takes the entries of all its bounds as operands of their own."""
    found = _PARTS.get(node.op.name)
    if found is None or not any(inputs[i][0].op.name == "Pack" for i in found[1]):
        return None
    operands: list[Ref] = []
    count = 0
    for i, ref in enumerate(inputs):
        if i not in found[1]:
            operands.append(ref)
            continue
        parts = _scalars(ref, node, intern)
        if not parts:
            return None
        count = len(parts)
        operands.extend(parts)
    attrs = {**node.attrs, "N": count, "Index": as_dtype(type_of(inputs[found[1][0]])[0])}
    made = intern(opdef.TABLE[found[0]], attrs, tuple(operands), node.types, node.origin)
    return ((made, 0),)
