"""Slices in lax: bounds that are known become attributes of XLA's slice, an index that is not a dynamic slice."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from graphc.lowering.table import lowers
from ir.ops.slicing import Masks, expanded
from ir.static import NeedsValue

Entry = Any  # an int when known, else a scalar of JAX


def _entries(vector: Any) -> list[Entry]:
    """The entries of a vector of bounds, given as one array or as a list of scalars."""
    if isinstance(vector, (list, tuple)):
        return [int(v) if isinstance(v, (np.ndarray, np.generic)) else v for v in vector]
    if isinstance(vector, np.ndarray):
        return [int(v) for v in vector.tolist()]
    return [lax.index_in_dim(vector, i, 0, keepdims=False) for i in range(vector.shape[0])]


def _known(value: Entry, param: str, index: int) -> int:
    if not isinstance(value, int):
        raise NeedsValue(param, index)
    return value


class _Plan:
    """A strided slice, resolved per dimension of the input.

    `starts`, `limits`, `steps` describe the static part (steps positive); `reversed` the dimensions to turn round;
    `dynamic` the start of a part that is not known, by dimension; `full` the shape with indexed dimensions kept
    as 1 and without new axes, `final` the shape of the result.
    """

    def __init__(self, dims: Sequence[int], begin: Any, end: Any, strides: Any, masks: Masks, final: Sequence[int] | None = None) -> None:
        self.starts: list[int] = []
        self.limits: list[int] = []
        self.steps: list[int] = []
        self.reversed: list[int] = []
        self.dynamic: dict[int, Any] = {}
        self.full: list[int] = []
        self.final: list[int] = []
        b, e, s = _entries(begin), _entries(end), _entries(strides)
        for kind, i in expanded(masks, len(b), len(dims)):
            if kind == "new":
                self.final.append(1)
                continue
            d = dims[len(self.full)]
            if kind == "all":
                self._add(0, d, 1, d)
                self.final.append(d)
            elif kind == "index":
                self._index(b[i], d)
            elif final is not None:
                self._placed(None if masks.begin >> i & 1 else b[i], d, final[len(self.final)], _known(s[i], "strides", i), i)
            else:
                self._range(b[i], e[i], s[i], d, masks, i)

    def _add(self, start: int, limit: int, step: int, size: int) -> None:
        self.starts.append(start)
        self.limits.append(limit)
        self.steps.append(step)
        self.full.append(size)

    def _index(self, at: Entry, d: int) -> None:
        if isinstance(at, int):
            if not -d <= at < d:
                raise ValueError(f"slice index {at} of dimension {len(self.full)} out of bounds.")
            self._add(at % d, at % d + 1, 1, 1)
            return
        self.dynamic[len(self.full)] = at
        self._add(0, d, 1, 1)

    def _placed(self, at: Entry | None, d: int, size: int, step: int, i: int) -> None:
        """A range of a size that the result tells; where it starts may be left to the run when its step is 1."""
        self.final.append(size)
        if size == 0:
            self._add(0, 0, 1, 0)
            return
        if at is not None and not isinstance(at, int):
            if step != 1:
                raise NeedsValue("begin", i)
            self.dynamic[len(self.full)] = lax.clamp(np.zeros((), at.dtype), lax.select(at < 0, at + d, at), np.asarray(d, at.dtype))
            self._add(0, d, 1, size)
            return
        first = range(*slice(at, None, step).indices(d)).start
        last = first + (size - 1) * step
        if step < 0:
            self.reversed.append(len(self.full))
        self._add(min(first, last), max(first, last) + 1, abs(step), size)

    def _range(self, b: Entry, e: Entry, s: Entry, d: int, masks: Masks, i: int) -> None:
        step = _known(s, "strides", i)
        first = None if masks.begin >> i & 1 else _known(b, "begin", i)
        last = None if masks.end >> i & 1 else _known(e, "end", i)
        places = range(*slice(first, last, step).indices(d))
        n = len(places)
        self.final.append(n)
        if n == 0:
            self._add(0, 0, 1, 0)
        elif step > 0:
            self._add(places.start, places[-1] + 1, step, n)
        else:
            self.reversed.append(len(self.full))
            self._add(places[-1], places.start + 1, -step, n)

    def take(self, x: Any) -> Any:
        """Returns the slice of `x`."""
        if any(self.starts) or any(s != 1 for s in self.steps) or tuple(self.limits) != x.shape:
            x = lax.slice(x, self.starts, self.limits, self.steps)
        if self.reversed:
            x = lax.rev(x, self.reversed)
        if self.dynamic:
            x = lax.dynamic_slice(x, self._starts(), self.full)
        return lax.reshape(x, self.final)

    def _starts(self) -> list[Any]:
        kind = next(iter(self.dynamic.values())).dtype
        return [jnp.asarray(self.dynamic.get(i, 0), kind) for i in range(len(self.full))]

    def put(self, dy: Any, dims: Sequence[int]) -> Any:
        """Returns zeros of shape `dims` with `dy` at the place of the slice."""
        zero = np.zeros((), dy.dtype)
        if 0 in self.full:
            return lax.full(dims, zero)
        y = lax.reshape(dy, self.full)
        if self.reversed:
            y = lax.rev(y, self.reversed)
        config = [
            (0, 0, 0) if i in self.dynamic else (lo, d - lo - (n - 1) * step - 1, step - 1)
            for i, (lo, step, n, d) in enumerate(zip(self.starts, self.steps, self.full, dims, strict=True))
        ]
        if any(any(c) for c in config):
            y = lax.pad(y, zero, config)
        if self.dynamic:
            y = lax.dynamic_update_slice(lax.full(dims, zero), y, self._starts())
        return y


@lowers("StridedSlice", "_StridedSliceParts")
def strided_slice(
    input: Any, begin: Any, end: Any, strides: Any, begin_mask: int, end_mask: int, ellipsis_mask: int, new_axis_mask: int, shrink_axis_mask: int,
    name: Any = None,
) -> Any:  # fmt: skip
    masks = Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    return _Plan(input.shape, begin, end, strides, masks).take(input)


@lowers("StridedSliceGrad", "_StridedSliceGradParts")
def strided_slice_grad(
    shape: Any, begin: Any, end: Any, strides: Any, dy: Any, begin_mask: int, end_mask: int, ellipsis_mask: int, new_axis_mask: int,
    shrink_axis_mask: int, name: Any = None,
) -> Any:  # fmt: skip
    masks = Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    dims = tuple(shape.tolist())
    return _Plan(dims, begin, end, strides, masks, dy.shape).put(dy, dims)


@lowers("StridedSliceAssign", "ResourceStridedSliceAssign", "TensorStridedSliceUpdate")
def strided_slice_update(
    input: Any, begin: Any, end: Any, strides: Any, value: Any, begin_mask: int, end_mask: int, ellipsis_mask: int, new_axis_mask: int,
    shrink_axis_mask: int, name: Any = None,
) -> Any:  # fmt: skip
    masks = Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    at: list[Any] = []
    b, e, s = _entries(begin), _entries(end), _entries(strides)
    for kind, i in expanded(masks, len(b), input.ndim):
        if kind == "all":
            at.append(slice(None))
        elif kind == "new":
            at.append(None)
        elif kind == "index":
            at.append(b[i])
        else:
            first = None if masks.begin >> i & 1 else _known(b[i], "begin", i)
            last = None if masks.end >> i & 1 else _known(e[i], "end", i)
            at.append(slice(first, last, _known(s[i], "strides", i)))
    return jnp.asarray(input).at[tuple(at)].set(value)


@lowers("Slice", "_SliceParts")
def slice_(input: Any, begin: Any, size: Any, name: Any = None) -> Any:
    b, n = _entries(begin), [_known(v, "size", i) for i, v in enumerate(_entries(size))]
    extent = [input.shape[i] - _known(b[i], "begin", i) if v == -1 else v for i, v in enumerate(n)]
    for i, (at, v) in enumerate(zip(b, extent, strict=True)):
        if v < 0 or v > input.shape[i] or (isinstance(at, int) and (at < 0 or at + v > input.shape[i])):
            raise ValueError(f"Expected a slice in dimension {i} of size {input.shape[i]}, but got begin {at} and size {n[i]}")
    if all(isinstance(v, int) for v in b):
        return lax.slice(input, b, [at + v for at, v in zip(b, extent, strict=True)])
    kind = next(v.dtype for v in b if not isinstance(v, int))
    return lax.dynamic_slice(input, [jnp.asarray(v, kind) for v in b], extent)
