"""Folding: integers, booleans and shapes that follow from constants become constants. Floats are left to XLA."""

import numpy as np

from ir import static
from ir.convert import CONST
from ir.dtypes import as_dtype
from ir.program import Interner, Node, Ref, type_of


def fold(node: Node, inputs: tuple[Ref, ...], intern: Interner) -> tuple[Ref, ...] | None:
    """The rule: evaluates a small integer node of constant operands by its NumPy body."""
    if len(node.types) != 1 or node.op is CONST or not inputs:
        return None
    dtype, dims = node.types[0]
    if not (dtype.is_integer or dtype.is_bool):
        return None
    value = _shape_value(node, inputs)
    if value is None:
        e = node.op.effects
        if not e.pure or e.host or e.dynamic or node.op.primitive or node.op.body is None:
            return None
        arrays = [n.attrs["value"] for n, _ in inputs if n.op is CONST]
        if len(arrays) != len(inputs) or any(a.size > static.MAX_ELEMENTS or a.dtype == object for a in arrays):
            return None
        if dims is None or None in dims or int(np.prod([d or 0 for d in dims])) > static.MAX_ELEMENTS:
            return None
        try:
            value = np.asarray(static.call_body(node.op, arrays, node.attrs))
        except (TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError):
            return None  # the run will say what is wrong, with the op's name
    made = constant_node(value.astype(dtype.np_dtype), intern, node)
    return ((made, 0),)


def constant_node(value: np.ndarray, intern: Interner, like: Node) -> Node:
    """Returns the Const node of `value`, standing for `like`."""
    dtype = as_dtype(value.dtype)
    return intern(CONST, {"value": value, "dtype": dtype}, (), ((dtype, value.shape),), like.origin)


def _shape_value(node: Node, inputs: tuple[Ref, ...]) -> np.ndarray | None:
    if node.op.name not in ("Shape", "Size", "Rank"):
        return None
    dims = type_of(inputs[0])[1]
    if dims is None:
        return None
    if node.op.name == "Rank":
        return np.array(len(dims))
    if None in dims:
        return None
    array = np.array(dims, dtype=np.int64)
    return array if node.op.name == "Shape" else np.array(array.prod())
