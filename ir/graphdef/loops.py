"""Shapes of v1 loop variables.

While a loop is read, each `Merge` is taken to have the shape that enters it. What comes back through `NextIteration`
then either agrees, and the assumption is proved, or the shape is made more general and the loop inferred again.
"""

from collections.abc import Iterable, Sequence

from ir.build import infer_shapes
from ir.shapes import Dims, merge_dims
from ir.tensor import Operation

_ROUNDS = 20


def join_dims(a: Dims, b: Dims) -> Dims:
    """Returns the most specific shape that admits both."""
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple([x if x == y else None for x, y in zip(a, b, strict=True)])


def settle_loop_shapes(ops: Sequence[Operation], merges: Sequence[Operation], stated: dict[Operation, list[Dims]]) -> None:
    """Infers shapes until those of `merges` agree with what comes back.

    `ops` are the operations that depend on a loop variable, in order; `stated` gives shapes that the file itself
    states. Where a shape function finds fault even with the shapes in the end, nothing is known of the outputs: the
    operation fails when it runs, if it runs.
    """
    inside = set(merges)
    for _ in range(_ROUNDS):
        changed = False
        for m in merges:
            if not m.outputs:  # of an op type that is not known, and not used
                continue
            joined = m.outputs[0].dims
            for t in m.inputs:
                joined = join_dims(joined, t.dims)
            if m in stated:
                joined = merge_dims(stated[m][0], joined)
            if joined != m.outputs[0].dims:
                m.outputs[0]._dims = joined  # pyright: ignore[reportPrivateUsage]
                changed = True
        if not changed:
            return
        _infer_again(ops, inside, stated)
    for m in merges:
        for t in m.outputs[:1]:
            t._dims = None  # pyright: ignore[reportPrivateUsage]
    _infer_again(ops, inside, stated)


def _infer_again(ops: Iterable[Operation], fixed: set[Operation], stated: dict[Operation, list[Dims]]) -> None:
    for op in ops:
        if op in fixed:
            continue
        for t in op.outputs:
            t.known = None
        try:
            shapes = infer_shapes(op.opdef, op.inputs, op.attrs, len(op.outputs), op.name)
        except ValueError:
            shapes: list[Dims] = [None] * len(op.outputs)
        for i, (t, dims) in enumerate(zip(op.outputs, shapes, strict=True)):
            t._dims = merge_dims(stated[op][i], dims) if op in stated else dims  # pyright: ignore[reportPrivateUsage]
