"""Embeddings of rows of ids: embedding_lookup_sparse and its safe form."""

import warnings
from typing import Any

from ir.build import export
from ir.convert import get_default_graph
from ir.dtypes import bfloat16, float16, float32, int32
from ir.ops.arith import div
from ir.ops.cast import cast
from ir.ops.compare import greater, greater_equal
from ir.ops.elementwise import sqrt
from ir.ops.embedding import embedding_lookup
from ir.ops.gather import gather
from ir.ops.joining import concat, tile
from ir.ops.layout import expand_dims, fill, rank, reshape, shape, size, zeros_like
from ir.ops.packing import stack
from ir.ops.partition import unique
from ir.ops.reduce import reduce_prod
from ir.ops.segment import segment_sum
from ir.ops.select import where
from ir.ops.slicing import slice_
from ir.ops.sparse import as_sparse
from ir.ops.sparse_api import fill_empty_rows, reshape_sparse, retain
from ir.ops.sparse_segment import sparse_segment_mean, sparse_segment_sqrt_n, sparse_segment_sum
from ir.shapes import merge_dims
from ir.sparse_tensor import SparseTensor
from ir.tensor import Tensor

COMBINERS = ("mean", "sqrtn", "sum")
_WITHOUT_WEIGHTS = {"sum": sparse_segment_sum, "mean": sparse_segment_mean, "sqrtn": sparse_segment_sqrt_n}


def _weighted(rows: Tensor, idx: Tensor, weights: Tensor, segments: Tensor, combiner: str, scope: str) -> Tensor:
    rows = gather(rows, idx)
    if weights.dtype.base_dtype is not rows.dtype.base_dtype:
        weights = cast(weights, rows.dtype.base_dtype)
    ones = fill(expand_dims(rank(rows) - 1, 0), 1)
    columns = reshape(weights, concat([shape(weights), ones], 0))
    if rows.dims is not None:
        columns.set_shape((*(weights.dims or (None,)), *[1] * (len(rows.dims) - 1)))
    rows = rows * columns
    if combiner == "sum":
        return segment_sum(rows, segments, name=scope)
    total = segment_sum(rows, segments)
    if combiner == "mean":
        return div(total, segment_sum(columns, segments), name=scope)
    return div(total, sqrt(segment_sum(columns * columns, segments)), name=scope)


@export("nn.embedding_lookup_sparse")
def embedding_lookup_sparse(
    params: Any, sp_ids: Any, sp_weights: Any, partition_strategy: str = "mod", name: str | None = None, combiner: str | None = None, max_norm: Any = None
) -> Tensor:
    """Looks up rows of ids and combines the embeddings of each row.

    Args:
      params: the table, or a list of its parts: see `nn.embedding_lookup`.
      sp_ids: an N x M SparseTensor of integers; every row must have an id.
      sp_weights: a SparseTensor of weights with the same indices, or None for ones.
      partition_strategy: "mod" or "div".
      combiner: "mean" (the default), "sqrtn" (the sum divided by the root of the sum of squared weights) or "sum".
      max_norm: clip each embedding to this norm first.

    Returns a dense tensor [N, ...]. Raises TypeError when ids or weights are not sparse, ValueError for another combiner.
    """
    if combiner is None:
        warnings.warn('The default value of combiner will change from "mean" to "sqrtn" after 2016/11/01.', stacklevel=2)
        combiner = "mean"
    if combiner not in COMBINERS:
        raise ValueError("combiner must be one of 'mean', 'sqrtn' or 'sum'")
    ids = as_sparse(sp_ids, "sp_ids")
    weights = None if sp_weights is None else as_sparse(sp_weights, "sp_weights")
    if weights is not None:
        for part in ("indices", "values", "dense_shape"):
            merge_dims(getattr(ids, part).dims, getattr(weights, part).dims)
    with get_default_graph().name_scope(name or "embedding_lookup_sparse") as scope:
        segments = ids.indices[:, 0]
        if segments.dtype.base_dtype is not int32:
            segments = cast(segments, int32)
        distinct, idx = unique(ids.values)
        rows = embedding_lookup(params, distinct, partition_strategy=partition_strategy, max_norm=max_norm)
        if rows.dtype.base_dtype in (float16, bfloat16):
            rows = cast(rows, float32)
        if weights is not None:
            return _weighted(rows, idx, weights.values, segments, combiner, scope)
        return _WITHOUT_WEIGHTS[combiner](rows, idx, segments, name=scope)


@export("nn.safe_embedding_lookup_sparse")
def safe_embedding_lookup_sparse(
    embedding_weights: Any, sparse_ids: Any, sparse_weights: Any = None, combiner: str = "mean", default_id: Any = None, name: str | None = None,
    partition_strategy: str = "div", max_norm: Any = None,
) -> Tensor:  # fmt: skip
    """`embedding_lookup_sparse` that copes with negative ids, weights that are not positive (both dropped) and rows without ids.

    Args:
      embedding_weights: the table, or a list of its parts.
      sparse_ids: a SparseTensor of integers [d0, ..., dn], n >= 1.
      sparse_weights: a SparseTensor of weights with the same indices, or None.
      combiner: "mean", "sqrtn" or "sum".
      default_id: the id that rows without ids get; by default their result is zeros.

    Returns a dense tensor [d0, ..., dn-1, ...]. Raises ValueError without a table.
    """
    if embedding_weights is None or (isinstance(embedding_weights, (list, tuple)) and not embedding_weights):
        raise ValueError(f"Missing embedding_weights {embedding_weights}.")
    ids = as_sparse(sparse_ids, "sparse_ids")
    weights = None if sparse_weights is None else as_sparse(sparse_weights, "sparse_weights")
    with get_default_graph().name_scope(name or "embedding_lookup") as scope:
        outer = ids.dense_shape
        n = (outer.dims or (None,))[0]
        last = (size(outer) if n is None else n) - 1
        ids = reshape_sparse(ids, stack([reduce_prod(slice_(outer, [0], [last])), gather(outer, last)]))
        if weights is not None:
            weights = SparseTensor(ids.indices, weights.values, ids.dense_shape)
        ids, weights = _kept(ids, weights, greater_equal(ids.values, 0))
        if weights is not None and combiner != "sum":
            ids, weights = _kept(ids, weights, greater(weights.values, 0))
        ids, empty = fill_empty_rows(ids, default_id or 0)
        if weights is not None:
            weights = fill_empty_rows(weights, 1.0)[0]
        found = embedding_lookup_sparse(
            embedding_weights, ids, weights, combiner=combiner, partition_strategy=partition_strategy, name=None if default_id is None else scope,
            max_norm=max_norm,
        )  # fmt: skip
        if default_id is None:
            wide = tile(reshape(empty, [-1, 1]), stack([1, shape(found)[1]]))
            found = where(wide, zeros_like(found), found, name=scope)
        out = reshape(found, concat([slice_(cast(outer, int32), [0], [last]), slice_(shape(found), [1], [-1])], 0))
        if n is not None and found.dims is not None:
            out.set_shape([None] * (n - 1) + list(found.dims[1:]))
        return out


def _kept(ids: SparseTensor, weights: SparseTensor | None, keep: Tensor) -> tuple[SparseTensor, SparseTensor | None]:
    return retain(ids, keep), None if weights is None else retain(weights, keep)


