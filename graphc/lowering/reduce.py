"""Reductions and running sums in lax, which is traced faster than jax.numpy; half precision is summed in single."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from graphc.lowering.table import lowers

_HALF = ("float16", "bfloat16")


def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    return tuple(sorted({int(a) % x.ndim for a in np.asarray(axis).reshape(-1)}))


def _kept(out: Any, x: Any, axes: tuple[int, ...], keep_dims: bool) -> Any:
    return lax.reshape(out, [1 if i in axes else d for i, d in enumerate(x.shape)]) if keep_dims else out


def _reduced(fn: Callable[..., Any], x: Any, axis: Any, keep_dims: bool) -> Any:
    axes = _axes(x, axis)
    return _kept(fn(x, axes), x, axes, keep_dims) if axes else x


def _in_single(fn: Callable[..., Any], x: Any, axis: Any, keep_dims: bool) -> Any:
    if x.dtype.name not in _HALF:
        return _reduced(fn, x, axis, keep_dims)
    return lax.convert_element_type(_reduced(fn, lax.convert_element_type(x, np.float32), axis, keep_dims), x.dtype)


@lowers("Sum")
def sum_(input: Any, axis: Any, keep_dims: bool, name: str | None = None) -> Any:
    """The sum over axes."""
    return _in_single(lax.reduce_sum, input, axis, keep_dims)


@lowers("Prod")
def prod(input: Any, axis: Any, keep_dims: bool, name: str | None = None) -> Any:
    """The product over axes."""
    return _in_single(lax.reduce_prod, input, axis, keep_dims)


@lowers("Mean")
def mean(input: Any, axis: Any, keep_dims: bool, name: str | None = None) -> Any:
    """The mean over axes; integers are divided towards zero."""

    def average(x: Any, axes: tuple[int, ...]) -> Any:
        total = lax.reduce_sum(x, axes)
        count = math.prod(x.shape[a] for a in axes)
        if x.dtype.kind in "iu":
            count = max(count, 1)
        return lax.div(total, lax.full_like(total, count))

    return _in_single(average, input, axis, keep_dims)


@lowers("Max")
def max_(input: Any, axis: Any, keep_dims: bool, name: str | None = None) -> Any:
    """The maximum over axes."""
    return _reduced(lax.reduce_max, input, axis, keep_dims)


@lowers("Min")
def min_(input: Any, axis: Any, keep_dims: bool, name: str | None = None) -> Any:
    """The minimum over axes."""
    return _reduced(lax.reduce_min, input, axis, keep_dims)


@lowers("All")
def all_(input: Any, axis: Any, keep_dims: bool, name: str | None = None) -> Any:
    """Whether all elements are true."""
    return _reduced(lax.reduce_and, input, axis, keep_dims)


@lowers("Any")
def any_(input: Any, axis: Any, keep_dims: bool, name: str | None = None) -> Any:
    """Whether any element is true."""
    return _reduced(lax.reduce_or, input, axis, keep_dims)


@lowers("ArgMax")
def arg_max(input: Any, dimension: Any, output_type: Any, name: str | None = None) -> Any:
    """The place of the first largest element."""
    return lax.argmax(input, int(dimension) % input.ndim, output_type.np_dtype)


@lowers("ArgMin")
def arg_min(input: Any, dimension: Any, output_type: Any, name: str | None = None) -> Any:
    """The place of the first smallest element."""
    return lax.argmin(input, int(dimension) % input.ndim, output_type.np_dtype)


def _running(fn: Callable[..., Any], x: Any, axis: Any, exclusive: bool, reverse: bool, start: int) -> Any:
    a = int(axis) % x.ndim
    if exclusive and x.shape[a]:
        edge = jnp.full((*x.shape[:a], 1, *x.shape[a + 1 :]), start, x.dtype)
        kept = lax.slice_in_dim(x, 1, None, axis=a) if reverse else lax.slice_in_dim(x, 0, -1, axis=a)
        x = lax.concatenate([kept, edge] if reverse else [edge, kept], a)
    return fn(x, a, reverse)


@lowers("Cumsum")
def cumsum(x: Any, axis: Any, exclusive: bool, reverse: bool, name: str | None = None) -> Any:
    """Running sums; `exclusive` begins with a 0 instead of the last element."""
    return _running(lax.cumsum, x, axis, exclusive, reverse, 0)


@lowers("Cumprod")
def cumprod(x: Any, axis: Any, exclusive: bool, reverse: bool, name: str | None = None) -> Any:
    """Running products; `exclusive` begins with a 1 instead of the last element."""
    return _running(lax.cumprod, x, axis, exclusive, reverse, 1)
