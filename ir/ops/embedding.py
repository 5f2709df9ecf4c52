"""Embeddings: rows of one table, or of a table cut into parts, by id."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from ir.build import export
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import int32
from ir.ops.arith import maximum
from ir.ops.basic import identity
from ir.ops.cast import cast
from ir.ops.clip import clip_by_norm
from ir.ops.gather import gather
from ir.ops.joining import concat
from ir.ops.layout import range_, rank, reshape, shape, size
from ir.ops.packing import stack
from ir.ops.partition import dynamic_partition, parallel_dynamic_stitch
from ir.ops.reduce import reduce_sum
from ir.ops.select import where
from ir.shapes import Dims, fully_known, merge_dims
from ir.tensor import Tensor


def _dims(param: Any) -> Dims:
    return param.get_shape().as_dims()


def _clip(rows: Tensor, ids: Any, max_norm: Any) -> Tensor:
    if max_norm is None:
        return rows
    ids = convert_to_tensor(ids)
    if ids.dims is not None and rows.dims is not None:
        axes: Any = list(range(len(ids.dims), len(rows.dims)))
    else:
        axes = range_(rank(ids), rank(rows))
    return clip_by_norm(rows, max_norm, axes=axes)


def _beside(param: Any) -> Any:
    return get_default_graph().colocate_with(param) if hasattr(param, "op") else nullcontext()


def _div_parts(flat: Tensor, params: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """Which part each id lies in and its row there, ids being dealt out in runs, longer by one in the first parts."""
    n = len(params)
    counts = [(_dims(p) or (None,))[0] for p in params]
    known = [c for c in counts if c is not None]
    if len(known) == n:
        total: Tensor = constant(sum(known), flat.dtype.base_dtype)
    else:
        parts = [c if c is not None else shape(p)[0] for c, p in zip(counts, params, strict=True)]
        total = reduce_sum(cast(stack(parts), flat.dtype.base_dtype))
    each, extra = total // n, total % n
    part = maximum(flat // (each + 1), (flat - extra) // each)
    return part, where(part < extra, flat % (each + 1), (flat - extra) % each)


def lookup(params: Any, ids: Any, partition_strategy: str, name: str | None, max_norm: Any) -> Tensor:
    """What `embedding_lookup` does, after its checks."""
    if not isinstance(params, (list, tuple)):
        params = list(params) if hasattr(params, "_get_variable_list") else [params]
    if not params:
        raise ValueError("Need at least one param")
    n = len(params)
    with get_default_graph().name_scope(name or "embedding_lookup") as scope:
        if n == 1:
            with _beside(params[0]):
                rows = _clip(gather(params[0], ids, name=scope), ids, max_norm)
            return identity(rows)
        ids = convert_to_tensor(ids, name="ids")
        flat = reshape(ids, [-1])
        places = range_(size(flat))
        if partition_strategy == "mod":
            part, row = flat % n, flat // n
        elif partition_strategy == "div":
            part, row = _div_parts(flat, params)
        else:
            raise ValueError("Unrecognized partition strategy: " + partition_strategy)
        part = cast(part, int32)
        rows_of, places_of = dynamic_partition(row, part, n), dynamic_partition(places, part, n)
        found: list[Tensor] = []
        for p, rows in zip(params, rows_of, strict=True):
            with _beside(p):
                found.append(gather(p, rows))
        joined = parallel_dynamic_stitch(places_of, found, name=scope)
        element: Dims = None
        for p in params:
            d = _dims(p)
            element = merge_dims(element, None if d is None else d[1:])
        rest: Any = list(element or ()) if fully_known(element) else shape(params[0])[1:]
        out = reshape(joined, concat([shape(ids), rest], 0))
        if ids.dims is not None and element is not None:
            out.set_shape((*ids.dims, *element))
        return _clip(out, ids, max_norm)


@export("nn.embedding_lookup")
def embedding_lookup(
    params: Any, ids: Any, partition_strategy: str = "mod", name: str | None = None, validate_indices: bool = True, max_norm: Any = None
) -> Tensor:
    """Looks up rows of an embedding table.

    Args:
      params: the table, a tensor or variable [n, ...]; or a list of tables, the parts of one.
      ids: integers of any shape.
      partition_strategy: how ids are dealt out to several parts: "mod" (id i is in part i % n) or "div" (in runs).
      validate_indices: accepted for compatibility.
      max_norm: clip each row to this L2 norm.

    Returns a tensor of shape `ids.shape + params.shape[1:]`. Raises ValueError without a table or for another strategy.
    """
    return lookup(params, ids, partition_strategy, name, max_norm)
