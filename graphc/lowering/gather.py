"""Gathers and scatters in lax. An index out of range reads the nearest slice and writes nothing."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from graphc.lowering.table import lowers


def take(params: Any, indices: Any, axis: int, batch: int) -> Any:
    """Returns the slices `indices` of `params` along `axis`, `batch` leading dimensions taken side by side."""
    n, r = params.ndim, indices.ndim
    k = r - batch
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(*range(batch, axis), *range(axis + k, n - 1 + k)),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
        operand_batching_dims=tuple(range(batch)),
        start_indices_batching_dims=tuple(range(batch)),
    )
    extent = tuple([1 if i < batch or i == axis else d for i, d in enumerate(params.shape)])
    return lax.gather(params, lax.expand_dims(indices, [r]), numbers, extent, mode=lax.GatherScatterMode.CLIP)


@lowers("GatherV2")
def gather_v2(params: Any, indices: Any, axis: Any, batch_dims: int, name: Any = None) -> Any:
    b = batch_dims % indices.ndim if batch_dims < 0 else batch_dims
    return take(params, jnp.asarray(indices), int(axis) % params.ndim, b)


@lowers("Gather")
def gather(params: Any, indices: Any, validate_indices: bool, name: Any = None) -> Any:
    return take(params, jnp.asarray(indices), 0, 0)


@lowers("GatherNd")
def gather_nd(params: Any, indices: Any, name: Any = None) -> Any:
    k, r = indices.shape[-1], indices.ndim
    numbers = lax.GatherDimensionNumbers(
        offset_dims=tuple(range(r - 1, r - 1 + params.ndim - k)), collapsed_slice_dims=tuple(range(k)), start_index_map=tuple(range(k))
    )
    extent = (1,) * k + tuple(params.shape[k:])
    return lax.gather(params, jnp.asarray(indices), numbers, extent, mode=lax.GatherScatterMode.CLIP)


_WHOLE = {lax.scatter_add: lax.add, lax.scatter_sub: lax.sub, lax.scatter_max: lax.max, lax.scatter: lambda x, u: u}


def put(how: Any, x: Any, indices: Any, updates: Any) -> Any:
    """Returns `x` combined by the lax function `how` with `updates` at index vectors."""
    k, r = indices.shape[-1], indices.ndim
    if k == 0:  # whole updates of the whole
        for i in range(int(np.prod(indices.shape[:-1]))):
            x = _WHOLE[how](x, updates.reshape(-1, *x.shape)[i])
        return x
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=tuple(range(r - 1, updates.ndim)), inserted_window_dims=tuple(range(k)), scatter_dims_to_operand_dims=tuple(range(k))
    )
    # XLA reads an index as unsigned, so a negative one is out of range too
    return how(x, jnp.asarray(indices), updates, numbers, mode=lax.GatherScatterMode.FILL_OR_DROP)


def _add(x: Any, indices: Any, updates: Any) -> Any:
    if x.dtype == np.bool_:
        return put(lax.scatter_max, x.astype(np.int8), indices, updates.astype(np.int8)).astype(np.bool_)
    return put(lax.scatter_add, x, indices, updates)


@lowers("ScatterNd")
def scatter_nd(indices: Any, updates: Any, shape: Any, name: Any = None) -> Any:
    return _add(lax.full(shape.tolist(), np.zeros((), updates.dtype)), indices, updates)


@lowers("TensorScatterAdd", "ScatterNdNonAliasingAdd")
def tensor_scatter_add(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    return _add(tensor, indices, updates)


@lowers("TensorScatterSub")
def tensor_scatter_sub(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    return put(lax.scatter_sub, tensor, indices, updates)


@lowers("TensorScatterUpdate")
def tensor_scatter_update(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    return put(lax.scatter, tensor, indices, updates)
