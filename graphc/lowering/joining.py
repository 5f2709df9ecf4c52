"""Joining, cutting and padding in lax."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import lax

from graphc.lowering.table import lowers
from ir.ops.joining import completed
from ir.ops.padding import pairs


@lowers("ConcatV2")
def concat_v2(values: Sequence[Any], axis: Any, name: Any = None) -> Any:
    return lax.concatenate(values, int(axis) % values[0].ndim)


@lowers("Concat")
def concat(concat_dim: Any, values: Sequence[Any], name: Any = None) -> Any:
    return concat_v2(values, concat_dim)


@lowers("Pack")
def pack(values: Sequence[Any], axis: int, name: Any = None) -> Any:
    a = axis % (values[0].ndim + 1)
    return lax.concatenate([lax.expand_dims(v, [a]) for v in values], a)


@lowers("Unpack")
def unpack(value: Any, num: int, axis: int, name: Any = None) -> list[Any]:
    if value.shape[axis] != num:
        raise ValueError(f"Input shape axis {axis} must equal {num}, got {value.shape[axis]}")
    return [lax.index_in_dim(value, i, axis, keepdims=False) for i in range(num)]


@lowers("Split")
def split(axis: Any, value: Any, num_split: int, name: Any = None) -> list[Any]:
    a = int(axis) % value.ndim
    n = value.shape[a]
    if n % num_split:
        raise ValueError(f"Number of ways to split should evenly divide the split dimension, but got split_dim {a} (size = {n}) and num_split {num_split}")
    return _cut(value, [n // num_split] * num_split, a)


@lowers("SplitV")
def split_v(value: Any, size_splits: Any, axis: Any, num_split: int, name: Any = None) -> list[Any]:
    a = int(axis) % value.ndim
    return _cut(value, completed(size_splits.tolist(), value.shape[a]), a)


def _cut(value: Any, parts: Sequence[int], axis: int) -> list[Any]:
    out: list[Any] = []
    at = 0
    for n in parts:
        out.append(lax.slice_in_dim(value, at, at + n, axis=axis))
        at += n
    return out


@lowers("Pad")
def pad(input: Any, paddings: Any, name: Any = None) -> Any:
    return lax.pad(input, np.zeros((), input.dtype), [(a, b, 0) for a, b in pairs(paddings)])


@lowers("PadV2")
def pad_v2(input: Any, paddings: Any, constant_values: Any, name: Any = None) -> Any:
    return lax.pad(input, constant_values, [(a, b, 0) for a, b in pairs(paddings)])


@lowers("ReverseV2")
def reverse(tensor: Any, axis: Any, name: Any = None) -> Any:
    return lax.rev(tensor, [a % tensor.ndim for a in axis.tolist()])
