"""What gradients of broadcasting operations share: BroadcastGradientArgs and `unbroadcast`."""

import numpy as np

from ir.build import grad, op
from ir.dtypes import INDEX, int32
from ir.infer import Infer
from ir.opdef import T
from ir.ops.layout import reshape, shape
from ir.ops.reduce import reduce_sum
from ir.shapes import Dims, fully_known
from ir.tensor import Tensor


def _two_vectors(c: Infer) -> list[Dims]:
    c.rank(0, 1)
    c.rank(1, 1)
    return [(None,), (None,)]


@op("BroadcastGradientArgs", _two_vectors, out="r0: T, r1: T", static="s0 s1", T=INDEX.default_to(int32))
def _broadcast_gradient_args(s0: T, s1: T, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The axes over which the gradients of two operands of shapes `s0` and `s1` must be summed.

    Raises ValueError when the shapes do not broadcast.
    """
    a, b = np.asarray(s0), np.asarray(s1)
    rank = max(a.size, b.size)
    x, y = [1] * (rank - a.size) + a.tolist(), [1] * (rank - b.size) + b.tolist()
    rx: list[int] = []
    ry: list[int] = []
    if a.tolist() != b.tolist():
        for i, (m, n) in enumerate(zip(x, y, strict=True)):
            if m != n and m != 1 and n != 1:
                raise ValueError(f"Incompatible shapes: {a.tolist()} vs. {b.tolist()}")
            if m == 1:
                rx.append(i)
            if n == 1:
                ry.append(i)
    return np.array(rx, a.dtype), np.array(ry, b.dtype)  # pyright: ignore[reportReturnType]


grad.none("BroadcastGradientArgs", "integers have no gradient")


def _broadcast_axes(mine: Dims, other: Dims) -> tuple[list[int], list[int]] | None:
    """Returns the axes of the result that an operand lacks and those along which it has size 1 and must be summed.

    None when the shapes do not tell.
    """
    if mine is None or other is None:
        return None
    lead = max(0, len(other) - len(mine))
    ones: list[int] = []
    for i in range(1, min(len(mine), len(other)) + 1):
        m, o = mine[-i], other[-i]
        if m == 1 and o != 1:
            ones.append(lead + len(mine) - i)
        elif m is None and o != 1:
            return None
    return list(range(lead)), ones


def _summed(dz: Tensor, x: Tensor, axes: tuple[list[int], list[int]]) -> Tensor:
    missing, ones = axes
    if missing and ones:
        return reshape(reduce_sum(dz, missing + ones), shape(x))
    if missing:
        return reduce_sum(dz, missing)
    return reduce_sum(dz, ones, keepdims=True) if ones else dz


def unbroadcast(x: Tensor, y: Tensor, dx: Tensor | None, dy: Tensor | None, own: int = 0) -> tuple[Tensor | None, Tensor | None]:
    """Returns the gradients of `x` and `y`, operands that were broadcast against each other, in their own shapes.

    `dx` and `dy` have the broadcast shape, or are None; the last `own` dimensions of the operands were not broadcast.
    Where the static shapes tell which axes were broadcast, those are summed; otherwise BroadcastGradientArgs finds them
    when it runs.
    """
    x_dims, y_dims = _without_last(x.dims, own), _without_last(y.dims, own)
    if x_dims == y_dims and fully_known(x_dims):
        return dx, dy
    x_axes, y_axes = _broadcast_axes(x_dims, y_dims), _broadcast_axes(y_dims, x_dims)
    if (x_axes is None and dx is not None) or (y_axes is None and dy is not None):
        sx, sy = shape(x), shape(y)
        rx, ry = _broadcast_gradient_args(sx[:-own], sy[:-own]) if own else _broadcast_gradient_args(sx, sy)
        if dx is not None and x_axes is None:
            dx = reshape(reduce_sum(dx, rx), sx)
        if dy is not None and y_axes is None:
            dy = reshape(reduce_sum(dy, ry), sy)
    if dx is not None and x_axes is not None:
        dx = _summed(dx, x, x_axes)
    if dy is not None and y_axes is not None:
        dy = _summed(dy, y, y_axes)
    return dx, dy


def _without_last(dims: Dims, count: int) -> Dims:
    return dims if dims is None or not count else dims[:-count]
