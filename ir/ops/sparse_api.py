"""The functions of `tf.sparse`, on SparseTensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ir import static
from ir.build import export
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import as_dtype, bool_, float32, int64
from ir.indexed_slices import IndexedSlices
from ir.ops import sparse_structure as raw_ops
from ir.ops.arith import maximum, minimum
from ir.ops.basic import identity, placeholder as dense_placeholder
from ir.ops.cast import cast
from ir.ops.compare import not_equal
from ir.ops.gather import gather, gather_nd
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, fill, ones, ones_like, range_, rank, raw, reshape, shape, transpose, zeros, zeros_like
from ir.ops.packing import stack
from ir.ops.partition import setdiff1d
from ir.ops.reduce import reduce_max
from ir.ops.select import where
from ir.ops.sparse import as_sparse, axes_of, renamed, sparse_tensor_to_dense
from ir.shapes import TensorShape, dims_of, merge_dims
from ir.sparse_tensor import SparseTensor, SparseTensorValue
from ir.tensor import Tensor


def _list_of(values: Any, what: str) -> list[SparseTensor]:
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"{what} must be a list of SparseTensors, got {type(values).__name__}")
    return [as_sparse(v, what) for v in values]


# -- making ------------------------------------------------------------------------------------------


@export("sparse.placeholder sparse_placeholder")
def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> SparseTensor:
    """Inserts a placeholder for a SparseTensor, to be fed a SparseTensorValue or a tuple (indices, values, dense_shape).

    `shape` is the dense shape; unless it is fully known it is fed too.
    """
    prefix = None if name is None else name + "/"
    label = None if prefix is None else prefix + "shape"
    if isinstance(shape, Tensor):
        n = (shape.dims or (None,))[0]
        dense_shape: Any = convert_to_tensor(shape, int64)
    else:
        dims = None if shape is None else dims_of(shape)
        n = None if dims is None else len(dims)
        known = dims is not None and None not in dims
        dense_shape = constant(list(dims or ()), int64, name=label or "Const") if known else dense_placeholder(int64, [n], name=label)
    values = dense_placeholder(dtype, [None], name=None if prefix is None else prefix + "values")
    indices = dense_placeholder(int64, [None, n], name=None if prefix is None else prefix + "indices")
    return SparseTensor(indices, values, dense_shape)


@export("sparse.eye")
def eye(num_rows: Any, num_columns: Any = None, dtype: Any = float32, name: str | None = None) -> SparseTensor:
    """Returns a sparse matrix with ones on the diagonal, square by default."""
    with get_default_graph().name_scope(name or "eye"):
        rows = cast(convert_to_tensor(num_rows, name="num_rows"), int64)
        columns = rows if num_columns is None else cast(convert_to_tensor(num_columns, name="num_columns"), int64)
        least = minimum(rows, columns)
        places = range_(least, dtype=int64)
        return SparseTensor(stack([places, places], axis=1), ones(reshape(least, [1]), as_dtype(dtype)), stack([rows, columns]))


@export("sparse.from_dense")
def from_dense(tensor: Any, name: str | None = None) -> SparseTensor:
    """Returns the SparseTensor of the elements of a dense tensor that are not zero."""
    with get_default_graph().name_scope(name or "dense_to_sparse"):
        tensor = convert_to_tensor(tensor)
        places = where(not_equal(tensor, zeros_like(tensor)))
        return SparseTensor(places, gather_nd(tensor, places), shape(tensor, out_type=int64))


@export("convert_to_tensor_or_sparse_tensor")
def convert_to_tensor_or_sparse_tensor(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Returns a SparseTensor (or SparseTensorValue) as a SparseTensor, anything else as a Tensor.

    Raises RuntimeError when a SparseTensor has another type than `dtype`.
    """
    if not isinstance(value, (SparseTensor, SparseTensorValue)):
        return convert_to_tensor(value, dtype, name)
    sp = as_sparse(value)
    if dtype is not None and not as_dtype(dtype).is_compatible_with(sp.dtype):
        raise RuntimeError(f"Sparse dtype: requested = {as_dtype(dtype).name}, actual = {sp.dtype.name}")
    return sp


# -- order and shape ---------------------------------------------------------------------------------


@export("sparse.reorder sparse_reorder")
def reorder(sp_input: Any, name: str | None = None) -> SparseTensor:
    """Returns the SparseTensor with its elements in row-major order, which most ops expect."""
    sp = as_sparse(sp_input)
    indices, values = raw_ops.sparse_reorder(sp.indices, sp.values, sp.dense_shape, name=name)
    known = sp.get_shape().is_fully_defined()
    return SparseTensor(indices, values, sp.get_shape() if known else identity(sp.dense_shape))


@export("sparse.reshape sparse_reshape")
def reshape_sparse(sp_input: Any, shape: Any, name: str | None = None) -> SparseTensor:
    """Reshapes a SparseTensor as `tf.reshape` does a dense tensor; one size may be -1."""
    sp = as_sparse(sp_input)
    target = convert_to_tensor(shape, int64)
    with get_default_graph().name_scope(name or "SparseReshape") as scope:
        indices, dense_shape = raw_ops.sparse_reshape(sp.indices, sp.dense_shape, target, name=scope)
        return SparseTensor(indices, sp.values, dense_shape)


@export("sparse.transpose sparse_transpose")
def transpose_sparse(sp_input: Any, perm: Any = None, name: str | None = None) -> SparseTensor:
    """Permutes the dimensions of a SparseTensor; by default they are reversed."""
    sp = as_sparse(sp_input)
    with get_default_graph().name_scope(name or "SparseTranspose"):
        if perm is None:
            n = rank(sp)
            perm = (n - 1) - range_(0, n, 1)
        indices = transpose(gather(transpose(sp.indices), perm))
        return reorder(SparseTensor(indices, identity(sp.values), gather(sp.dense_shape, perm)))


@export("sparse.expand_dims")
def expand_dims_sparse(sp_input: Any, axis: int | None = None, name: str | None = None) -> SparseTensor:
    """Inserts a dimension of size 1 at position `axis`, the last by default. The rank must be known."""
    sp = as_sparse(sp_input)
    n = (sp.dense_shape.dims or (None,))[0]
    if n is None:
        raise ValueError("sparse.expand_dims needs a SparseTensor of known rank")
    a = -1 if axis is None else int(axis)
    if not -n - 1 <= a <= n:
        raise ValueError(f"axis {a} not in [{-n - 1}, {n}]")
    a %= n + 1
    with get_default_graph().name_scope(name or "expand_dims"):
        column = zeros(stack([shape(sp.indices)[0], 1]), int64)
        indices = concat([sp.indices[:, :a], column, sp.indices[:, a:]], 1)
        dense_shape = concat([sp.dense_shape[:a], [np.int64(1)], sp.dense_shape[a:]], 0)
        return SparseTensor(indices, sp.values, dense_shape)


@export("sparse.reset_shape sparse_reset_shape")
def reset_shape(sp_input: Any, new_shape: Any = None) -> SparseTensor:
    """Returns the SparseTensor with another dense shape: `new_shape`, or the smallest that holds its elements.

    Raises ValueError when `new_shape` is known to be too small or of another rank; running it otherwise asserts the same.
    """
    sp = as_sparse(sp_input)
    indices, values, old = identity(sp.indices), identity(sp.values), identity(sp.dense_shape)
    if new_shape is None:
        top = reduce_max(indices, axis=0)
        return SparseTensor(indices, values, maximum(constant(0, int64), top + ones_like(old)))
    new = convert_to_tensor(new_shape, int64)
    merge_dims(new.dims, old.dims)
    before, after = static.shape_value_of(old), static.shape_value_of(new)
    if before is not None and after is not None:
        for a, b in zip(before, after, strict=True):
            if a is not None and b is not None and b < a:
                raise ValueError(f"New shape should be at least the old one: {TensorShape(after)} for {TensorShape(before)}")
    fits = raw("All")(raw("LessEqual")(old, new), [0])
    with get_default_graph().control_dependencies([raw("Assert")(fits, [old, new])]):
        return SparseTensor(indices, values, identity(new))


# -- join and cut ------------------------------------------------------------------------------------


@export("sparse.concat sparse_concat")
def concat_sparse(
    axis: int | None, sp_inputs: Any, name: str | None = None, expand_nonconcat_dim: bool = False, concat_dim: int | None = None,
    expand_nonconcat_dims: bool | None = None,
) -> SparseTensor:  # fmt: skip
    """Joins SparseTensors along dimension `axis`.

    `expand_nonconcat_dims` lets the other dimensions differ: the result has the largest. `expand_nonconcat_dim` and
    `concat_dim` are old names.
    """
    axis = axis if concat_dim is None else concat_dim
    if axis is None:
        raise ValueError("sparse.concat needs an axis")
    inputs = _list_of(sp_inputs, "sp_inputs")
    if len(inputs) == 1:
        return inputs[0]
    shapes = [s.dense_shape for s in inputs]
    if expand_nonconcat_dim or expand_nonconcat_dims:
        most = reduce_max(stack(shapes), 0)
        last = [] if axis == -1 else [most[axis + 1 :]]
        shapes = [concat([most[:axis], s[-1:] if axis == -1 else s[axis : axis + 1], *last], 0) for s in shapes]
    indices, values, dense_shape = raw_ops.sparse_concat([s.indices for s in inputs], [s.values for s in inputs], shapes, axis, name=name)
    return SparseTensor(indices, values, dense_shape)


class KeywordRequired:
    """Stands for an argument that must not be given by position."""

    def __repr__(self) -> str:
        return "KeywordRequired()"


_KEYWORDS = KeywordRequired()


@export("sparse.split sparse_split")
def split_sparse(
    keyword_required: Any = _KEYWORDS, sp_input: Any = None, num_split: int | None = None, axis: Any = None, name: str | None = None,
    split_dim: Any = None,
) -> list[SparseTensor]:  # fmt: skip
    """Cuts a SparseTensor along `axis` into `num_split` parts, the first ones larger by one where need be. Arguments are given by name."""
    if not isinstance(keyword_required, KeywordRequired):
        raise ValueError("Keyword arguments are required for this function.")
    if sp_input is None:
        raise ValueError("sp_input is required")
    if num_split is None:
        raise ValueError("num_split is required")
    axis = split_dim if axis is None else axis
    if axis is None:
        raise ValueError("axis is required")
    sp = as_sparse(sp_input)
    op = raw("SparseSplit")(axis, sp.indices, sp.values, sp.dense_shape, num_split, name=name)
    return [SparseTensor(i, v, d) for i, v, d in zip(*op, strict=True)]


@export("sparse.slice sparse_slice")
def slice_sparse(sp_input: Any, start: Any, size: Any, name: str | None = None) -> SparseTensor:
    """Cuts the block of shape `size` that begins at `start` out of a SparseTensor."""
    sp = as_sparse(sp_input)
    begin, extent = convert_to_tensor(start, int64), convert_to_tensor(size, int64)
    with get_default_graph().name_scope(name or "SparseSlice") as scope:
        return SparseTensor(*raw_ops.sparse_slice(sp.indices, sp.values, sp.dense_shape, begin, extent, name=scope))


@export("sparse.retain sparse_retain")
def retain(sp_input: Any, to_retain: Any) -> SparseTensor:
    """Keeps the elements of a SparseTensor where the boolean vector `to_retain` is true."""
    sp = as_sparse(sp_input)
    keep = convert_to_tensor(to_retain, bool_)
    merge_dims(sp.values.dims, keep.dims)
    places = reshape(where(keep), [-1])
    return SparseTensor(gather(sp.indices, places), gather(sp.values, places), identity(sp.dense_shape))


@export("sparse.fill_empty_rows sparse_fill_empty_rows")
def fill_empty_rows(sp_input: Any, default_value: Any, name: str | None = None) -> tuple[SparseTensor, Tensor]:
    """Gives every row without an element the element `default_value` in column 0.

    Returns (the SparseTensor, a boolean vector telling which rows were empty).
    """
    sp = as_sparse(sp_input)
    with get_default_graph().name_scope(name or "SparseFillEmptyRows"):
        default = convert_to_tensor(default_value, sp.values.dtype.base_dtype)
        indices, values, empty, _ = raw_ops.sparse_fill_empty_rows(sp.indices, sp.values, sp.dense_shape, default)
        return SparseTensor(indices, values, sp.dense_shape), empty


@export("sparse.mask sparse_mask")
def mask(a: IndexedSlices, mask_indices: Any, name: str | None = None) -> IndexedSlices:
    """Returns the slices of an IndexedSlices whose indices are not in `mask_indices`."""
    with get_default_graph().name_scope(name or "sparse_mask") as scope:
        kept, places = setdiff1d(a.indices, mask_indices)
        return IndexedSlices(gather(a.values, places, name=scope), kept, a.dense_shape)


# -- arithmetic --------------------------------------------------------------------------------------


@export("sparse.add sparse_add")
def add(a: Any, b: Any, threshold: Any = None, thresh: Any = None) -> Any:
    """Adds two tensors of which at least one is sparse.

    Args:
      a, b: SparseTensors or dense tensors.
      threshold: drop elements of a sparse sum that are smaller in magnitude, 0 by default; `thresh` is the old name.

    Returns a SparseTensor when both are sparse, else a Tensor. Raises TypeError when neither is.
    """
    kinds = (SparseTensor, SparseTensorValue)
    if not isinstance(a, kinds) and not isinstance(b, kinds):
        raise TypeError("At least one input should be SparseTensor; do you mean to use tf.add()?")
    if isinstance(a, kinds) and isinstance(b, kinds):
        x, y = as_sparse(a), as_sparse(b)
        least = threshold if thresh is None else thresh
        bound = convert_to_tensor(0 if least is None else least, x.dtype.base_dtype.real_dtype, "thresh")
        out = raw_ops.sparse_add_op(x.indices, x.values, x.dense_shape, y.indices, y.values, y.dense_shape, bound)
        dims = merge_dims(x.get_shape().as_dims(), y.get_shape().as_dims())
        if dims is not None:
            out[0].set_shape([None, len(dims)])
        return SparseTensor(*out)
    sp, dense = (as_sparse(a), b) if isinstance(a, kinds) else (as_sparse(b), a)
    return raw("SparseTensorDenseAdd")(sp.indices, sp.values, sp.dense_shape, convert_to_tensor(dense, sp.dtype.base_dtype))


def _pair(build: Any, scope_name: str, sp_a: Any, sp_b: Any, name: str | None) -> SparseTensor:
    with get_default_graph().name_scope(name or scope_name):
        a, b = as_sparse(sp_a), as_sparse(sp_b)
        indices, values = build(a.indices, a.values, a.dense_shape, b.indices, b.values, b.dense_shape, name=name)
        return SparseTensor(indices, values, a.dense_shape)


@export("sparse.maximum sparse_maximum")
def maximum_sparse(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    """The element-wise maximum of two SparseTensors of one shape, absent elements counting as 0."""
    return _pair(raw_ops.sparse_sparse_maximum, "SparseSparseMaximum", sp_a, sp_b, name)


@export("sparse.minimum sparse_minimum")
def minimum_sparse(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    """The element-wise minimum of two SparseTensors of one shape, absent elements counting as 0."""
    return _pair(raw_ops.sparse_sparse_minimum, "SparseSparseMinimum", sp_a, sp_b, name)


@export("sparse.reduce_sum_sparse sparse_reduce_sum_sparse")
def reduce_sum_sparse(sp_input: Any, axis: Any = None, keepdims: Any = None, reduction_axes: Any = None, keep_dims: Any = None) -> SparseTensor:
    """Sums a SparseTensor over the dimensions `axis` (all by default); returns a SparseTensor."""
    axis, keep = renamed(keepdims, keep_dims, axis, reduction_axes)
    sp = as_sparse(sp_input)
    return SparseTensor(*raw_ops.sparse_reduce_sum_sparse(sp.indices, sp.values, sp.dense_shape, axes_of(sp, axis), keep))


@export("sparse.reduce_max_sparse sparse_reduce_max_sparse")
def reduce_max_sparse(sp_input: Any, axis: Any = None, keepdims: Any = None, reduction_axes: Any = None, keep_dims: Any = None) -> SparseTensor:
    """The largest present element of a SparseTensor over the dimensions `axis`; returns a SparseTensor."""
    axis, keep = renamed(keepdims, keep_dims, axis, reduction_axes)
    sp = as_sparse(sp_input)
    return SparseTensor(*raw_ops.sparse_reduce_max_sparse(sp.indices, sp.values, sp.dense_shape, axes_of(sp, axis), keep))


# -- ids and values ----------------------------------------------------------------------------------


@export("sparse.merge sparse_merge")
def merge(sp_ids: Any, sp_values: Any, vocab_size: Any, name: str | None = None, already_sorted: bool = False) -> SparseTensor:
    """Makes of SparseTensors of ids and of values one whose last dimension is the id.

    Args:
      sp_ids: a SparseTensor of integers, or a list of them, which then give several dimensions.
      sp_values: a SparseTensor with the same indices.
      vocab_size: the size of the last dimension (a list of them for a list of ids).
      already_sorted: the ids of each row are sorted.
    """
    ids = [as_sparse(i, "sp_ids") for i in (sp_ids if isinstance(sp_ids, (list, tuple)) else [sp_ids])]
    counts: Sequence[Any] = list(vocab_size) if isinstance(vocab_size, (list, tuple)) else [vocab_size]
    if len(counts) != len(ids):
        raise ValueError(f"sp_ids and vocab_size have to have equal lengths: {len(ids)} and {len(counts)}")
    values = as_sparse(sp_values, "sp_values")
    with get_default_graph().name_scope(name or "SparseMerge"):
        columns = [expand_dims(cast(i.values, int64), 1) for i in ids]
        indices = concat([ids[0].indices[:, :-1], *columns], 1)
        sizes = [reshape(cast(convert_to_tensor(c), int64), [1]) for c in counts]
        out = SparseTensor(indices, values.values, concat([ids[0].dense_shape[:-1], *sizes], 0))
        return out if already_sorted else reorder(out)


@export("sparse.to_indicator sparse_to_indicator")
def to_indicator(sp_input: Any, vocab_size: Any, name: str | None = None) -> Tensor:
    """Returns a dense boolean tensor that is true at the ids a SparseTensor of integers holds per row; its last dimension is `vocab_size`."""
    sp = as_sparse(sp_input)
    with get_default_graph().name_scope(name or "SparseToIndicator") as scope:
        there = fill(expand_dims(shape(sp.indices)[0], 0), True)
        merged = merge(sp, SparseTensor(sp.indices, there, sp.dense_shape), vocab_size)
        return sparse_tensor_to_dense(merged, default_value=False, validate_indices=False, name=scope)


@export("edit_distance")
def edit_distance(hypothesis: Any, truth: Any, normalize: bool = True, name: str | None = "edit_distance") -> Tensor:
    """Computes the Levenshtein distance of sequences: the last dimension of two SparseTensors.

    Args:
      hypothesis, truth: SparseTensors of one type and rank.
      normalize: divide by the length of the truth; infinity where that is 0 and the hypothesis is not.

    Returns float32 distances, a dense tensor without the last dimension.
    """
    a, b = as_sparse(hypothesis, "Hypothesis"), as_sparse(truth, "Truth")
    return raw_ops.edit_distance_op(a.indices, a.values, a.dense_shape, b.indices, b.values, b.dense_shape, normalize, name=name)


