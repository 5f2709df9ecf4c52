"""Sparse tensors made of sparse tensors: reordered, reshaped, joined, cut, added. Where the number of elements depends on values, the host computes."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from ir import static, xp
from ir.build import grad, op
from ir.convert import convert_to_tensor
from ir.dtypes import NUMBER, REAL, int64
from ir.errors import InvalidArgumentError
from ir.infer import Infer, with_rank
from ir.opdef import In, Int32, Int64, ListT, T
from ir.ops.gather import gather
from ir.ops.layout import invert_permutation, length, range_, shape, sizes
from ir.ops.scatter_util import scatter_rows, take_rows
from ir.ops.sparse import check_parts
from ir.shapes import Dims, merge_dims, shape_str
from ir.tensor import Operation, Tensor

Treal = Annotated[Any, In("Treal")]
Int64List = Annotated[Sequence[Any], In(dtype=int64, number="N")]


# -- order and shape ---------------------------------------------------------------------------------


def _reordered(c: Infer) -> list[Dims]:
    n, rank = check_parts(*c.all_dims)
    return [(n, rank), (n,)]


def in_order(indices: Any) -> Any:
    """Returns the permutation that sorts the rows of `indices`, earlier columns first."""
    n, rank = indices.shape
    if rank == 0:
        return np.arange(n)
    return xp.lexsort(tuple([indices[:, i] for i in reversed(range(rank))]))


@op("SparseReorder", _reordered, out="output_indices: int64, output_values: T")
def sparse_reorder(input_indices: Int64, input_values: T, input_shape: Int64, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The elements in row-major order."""
    order = in_order(input_indices)
    return take_rows(input_indices, order), take_rows(input_values, order)


@grad("SparseReorder")
def _(op: Operation, d_indices: Any, d_values: Any) -> Any:
    indices, _, dense_shape = op.inputs
    places = range_(shape(indices)[0])
    back = invert_permutation(sparse_reorder(indices, places, dense_shape)[1])
    return None, gather(d_values, back), None


def _reshaped(c: Infer) -> list[Dims]:
    n, rank = with_rank(c.dims(0), 2, "indices")
    (rank,) = merge_dims((rank,), c.rank(1, 1)) or (None,)
    return [(n, length(c, 2)), (length(c, 2),)]


@op("SparseReshape", _reshaped, out="output_indices: int64, output_shape: int64")
def sparse_reshape(input_indices: Int64, input_shape: Int64, new_shape: Int64, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The places of the elements in a tensor of shape `new_shape`, of which one entry may be -1."""
    total = xp.prod(input_shape)
    rest = -xp.prod(new_shape)
    target = xp.where(xp.equal(new_shape, -1), total // xp.where(xp.equal(rest, 0), 1, rest), new_shape)
    if xp.is_numpy([input_shape, new_shape]):
        if (np.asarray(new_shape) == -1).sum() > 1:
            raise InvalidArgumentError(None, None, "only one output dimension may be -1")
        if np.prod(target) != total:
            raise InvalidArgumentError(
                None, None, f"Input to reshape is a tensor with {int(total)} dense values, but the requested shape has {int(np.prod(target))}"
            )
    flat = xp.sum(input_indices * _strides(input_shape), axis=1)
    places = (xp.expand_dims(flat, 1) // _strides(target)) % xp.where(xp.equal(target, 0), 1, target)
    return xp.astype(places, np.int64), xp.astype(target, np.int64)


def _strides(dims: Any) -> Any:
    """How many elements one step in each dimension skips."""
    below = xp.cumprod(xp.flip(dims, 0), 0)
    return xp.concatenate([xp.flip(below[:-1], 0), xp.ones_like(dims[:1])]) if dims.shape[0] else dims


grad.none("SparseReshape", "indices have no gradient")


# -- join and cut ------------------------------------------------------------------------------------


def _concat_dims(c: Infer) -> list[Dims]:
    n = c.attrs["N"]
    total: int | None = 0
    rank: int | None = None
    for i in range(n):
        count, r = check_parts(c.dims(i), c.dims(n + i), c.dims(2 * n + i))
        total = None if total is None or count is None else total + count
        (rank,) = merge_dims((rank,), (r,)) or (None,)
    if rank is not None and not -rank <= c.attrs["concat_dim"] < rank:
        raise ValueError(f"Concat dimension must be in range [{-rank}, {rank}), got {c.attrs['concat_dim']}")
    return [(total, rank), (total,), (rank,)]


@op("SparseConcat", _concat_dims, out="output_indices: int64, output_values: T, output_shape: int64", N=2)
def sparse_concat(indices: Int64List, values: ListT, shapes: Int64List, concat_dim: int, name: str | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Joins sparse tensors along one dimension."""
    rank = shapes[0].shape[0]
    axis = concat_dim % rank
    at = np.arange(rank) == axis
    if xp.is_numpy(list(shapes)):
        for s in shapes[1:]:
            if (np.asarray(s)[~at] != np.asarray(shapes[0])[~at]).any():
                raise InvalidArgumentError(None, None, f"Input shapes must match except along dimension {axis}: {shapes[0].tolist()} and {s.tolist()}")
    moved: list[Any] = []
    offset: Any = np.int64(0)
    for i, s in zip(indices, shapes, strict=True):
        moved.append(i + at * offset)
        offset = offset + s[axis]
    places = xp.concatenate(moved)
    order = in_order(places)
    return take_rows(places, order), take_rows(xp.concatenate(values), order), xp.where(at, offset, shapes[0])


grad.none("SparseConcat", "TensorFlow declares it not differentiable")


def _split_dims(c: Infer) -> list[Dims]:
    num = c.attrs["num_split"]
    _, rank = check_parts(*c.all_dims[1:])
    return [(None, rank)] * num + [(None,)] * num + [(rank,)] * num


@op(
    "SparseSplit", _split_dims, out="output_indices: num_split*int64, output_values: num_split*T, output_shape: num_split*int64", host=True,
    dynamic=True, num_split=1,
)  # fmt: skip
def sparse_split(split_dim: Int64, indices: Int64, values: T, shape: Int64, num_split: int, name: str | None = None) -> Any:
    """Cuts a sparse tensor along one dimension into parts of equal size, the first ones larger by one if need be."""
    axis = int(split_dim) % shape.size
    size = int(shape[axis])
    if not 1 <= num_split <= size:
        raise InvalidArgumentError(None, None, f"Input num_split should be between 1 and the splitting dimension size ({size}), got {num_split}")
    each, more = divmod(size, num_split)
    parts: list[tuple[Any, Any, Any]] = []
    begin = 0
    for i in range(num_split):
        n = each + (i < more)
        inside = (indices[:, axis] >= begin) & (indices[:, axis] < begin + n)
        step = (np.arange(shape.size) == axis).astype(np.int64)
        parts.append((indices[inside] - begin * step, values[inside], np.where(step, n, shape).astype(np.int64)))
        begin += n
    return tuple([p[k] for k in range(3) for p in parts])


grad.none("SparseSplit", "TensorFlow has none")


def _slice_dims(c: Infer) -> list[Dims]:
    _, rank = check_parts(*c.all_dims[:3])
    for i in (3, 4):
        (rank,) = merge_dims((rank,), c.rank(i, 1)) or (None,)
    return [(None, rank), (None,), (rank,)]


@op("SparseSlice", _slice_dims, out="output_indices: int64, output_values: T, output_shape: int64", host=True, dynamic=True)
def sparse_slice(indices: Int64, values: T, shape: Int64, start: Int64, size: Int64, name: str | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """The block of a sparse tensor of shape `size` (cut where the tensor ends) that begins at `start`."""
    end = np.minimum(start + size, shape)
    inside = ((indices >= start) & (indices < end)).all(1)
    return indices[inside] - start, values[inside], np.maximum(end - start, 0)


@op("SparseSliceGrad", lambda c: ((c.rank(1, 2) or (None,))[0],), out="val_grad: T", host=True, T=NUMBER)
def sparse_slice_grad(backprop_val_grad: T, input_indices: Int64, input_start: Int64, output_indices: Int64, name: str | None = None) -> Tensor:
    """The gradient of `SparseSlice`: what arrived at each element that was in the slice, 0 for the others."""
    return _matched(backprop_val_grad, output_indices + input_start, input_indices)


def _matched(values: Any, places: Any, wanted: Any) -> Any:
    """The value at each row of `wanted`, from `values` at the rows `places`; 0 where there is none."""
    found = {p: i for i, p in enumerate(map(tuple, places.tolist()))}
    out = np.zeros((len(wanted), *values.shape[1:]), values.dtype)
    for i, p in enumerate(map(tuple, wanted.tolist())):
        if p in found:
            out[i] = values[found[p]]
    return out


@grad("SparseSlice")
def _(op: Operation, d_indices: Any, d_values: Any, d_shape: Any) -> Any:
    return None, sparse_slice_grad(d_values, op.inputs[0], op.inputs[3], op.outputs[0]), None, None, None


grad.none("SparseSliceGrad", "TensorFlow has none")


# -- rows without elements ---------------------------------------------------------------------------


def _filled_dims(c: Infer) -> list[Dims]:
    n, rank = check_parts(*c.all_dims[:3])
    c.rank(3, 0)
    dims = static.shape_value_of(c.tensors[2])
    return [(None, rank), (None,), (dims[0] if dims else None,), (n,)]


@op(
    "SparseFillEmptyRows", _filled_dims, out="output_indices: int64, output_values: T, empty_row_indicator: bool, reverse_index_map: int64", host=True,
    dynamic=True,
)  # fmt: skip
def sparse_fill_empty_rows(indices: Int64, values: T, dense_shape: Int64, default_value: T, name: str | None = None) -> Any:
    """Gives every row that has no element the element `default_value` in its first place."""
    rows = int(dense_shape[0])
    lead = indices[:, 0]
    if lead.size and not 0 <= lead.min() <= lead.max() < rows:
        raise InvalidArgumentError(None, None, f"indices(.., 0) is invalid: {int(lead.max())} >= {rows}")
    empty = np.bincount(lead, minlength=rows)[:rows] == 0
    extra = np.zeros((int(empty.sum()), indices.shape[1]), np.int64)
    extra[:, 0] = np.flatnonzero(empty)
    places, found = np.concatenate([indices, extra]), np.concatenate([values, np.broadcast_to(default_value, len(extra)).astype(values.dtype)])
    order = np.argsort(places[:, 0], kind="stable")
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    return places[order], found[order], empty, back[: len(indices)].astype(np.int64)


@grad("SparseFillEmptyRows")
def _(op: Operation, d_indices: Any, d_values: Any, *_: Any) -> Any:
    back, default = sparse_fill_empty_rows_grad(op.outputs[3], convert_to_tensor(d_values))
    return None, back, None, default


@op("SparseFillEmptyRowsGrad", lambda c: [c.dims(0), ()], out="d_values: T, d_default_value: T")
def sparse_fill_empty_rows_grad(reverse_index_map: Int64, grad_values: T, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The gradient of `SparseFillEmptyRows`: what arrived at the elements it had, and the sum over those it added."""
    unseen = scatter_rows(xp.ones_like(grad_values), reverse_index_map, xp.zeros_like(grad_values[:1])[0] if grad_values.shape[0] else grad_values, "set")
    return take_rows(grad_values, reverse_index_map), xp.sum(grad_values * unseen, axis=0)


grad.none("SparseFillEmptyRowsGrad", "TensorFlow has none")


# -- two sparse tensors ------------------------------------------------------------------------------


def _union(a_indices: Any, b_indices: Any) -> tuple[Any, Any, Any]:
    """The places of either tensor, in order, and where those of each lie among them."""
    places = np.concatenate([a_indices, b_indices])
    if places.shape[1] == 0:
        places = places[:1] if len(places) else places
        return places, np.zeros(len(a_indices), np.int64), np.zeros(len(b_indices), np.int64)
    both, where = np.unique(places, axis=0, return_inverse=True)
    where = where.reshape(-1)
    return both, where[: len(a_indices)], where[len(a_indices) :]


def _same_shape(a_shape: Any, b_shape: Any) -> None:
    if a_shape.tolist() != b_shape.tolist():
        raise InvalidArgumentError(None, None, f"operands' shapes do not match: got {a_shape.tolist()} and {b_shape.tolist()}")


def _two(c: Infer) -> int | None:
    ranks = [check_parts(*c.all_dims[i : i + 3])[1] for i in (0, 3)]
    (rank,) = merge_dims((ranks[0],), (ranks[1],)) or (None,)
    return rank


@op("SparseAdd", lambda c: [(None, _two(c)), (None,), (_two(c),)], out="sum_indices: int64, sum_values: T, sum_shape: int64", host=True,
    dynamic=True, T=NUMBER, Treal=REAL)
def sparse_add_op(
    a_indices: Int64, a_values: T, a_shape: Int64, b_indices: Int64, b_values: T, b_shape: Int64, thresh: Treal, name: str | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The sum of two sparse tensors, without the sums of two elements whose magnitude is below `thresh`."""
    _same_shape(a_shape, b_shape)
    both, at_a, at_b = _union(a_indices, b_indices)
    total = np.zeros(len(both), a_values.dtype)
    np.add.at(total, at_a, a_values)
    np.add.at(total, at_b, b_values)
    keep = np.ones(len(both), bool)
    summed = np.intersect1d(at_a, at_b)
    keep[summed] = np.abs(total[summed]) >= thresh
    return both[keep], total[keep], a_shape  # pyright: ignore[reportReturnType]


@op("SparseAddGrad", lambda c: [((c.rank(1, 2) or (None,))[0],), ((c.rank(2, 2) or (None,))[0],)], out="a_val_grad: T, b_val_grad: T", host=True, T=NUMBER)
def sparse_add_grad(
    backprop_val_grad: T, a_indices: Int64, b_indices: Int64, sum_indices: Int64, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The gradient of `SparseAdd`: what arrived at the place of each operand's element."""
    return tuple([_matched(backprop_val_grad, sum_indices, i) for i in (a_indices, b_indices)])


@grad("SparseAdd")
def _(op: Operation, d_indices: Any, d_values: Any, d_shape: Any) -> Any:
    a, b = sparse_add_grad(d_values, op.inputs[0], op.inputs[3], op.outputs[0])
    return None, a, None, None, b, None, None


grad.none("SparseAddGrad", "TensorFlow has none")


def _pairwise(ufunc: Any, a_indices: Any, a_values: Any, a_shape: Any, b_indices: Any, b_values: Any, b_shape: Any) -> Any:
    _same_shape(a_shape, b_shape)
    both, at_a, at_b = _union(a_indices, b_indices)
    a, b = np.zeros(len(both), a_values.dtype), np.zeros(len(both), b_values.dtype)
    a[at_a], b[at_b] = a_values, b_values
    return both, ufunc(a, b)


@op("SparseSparseMaximum", lambda c: [(None, _two(c)), (None,)], out="output_indices: int64, output_values: T", host=True, dynamic=True, T=REAL)
def sparse_sparse_maximum(
    a_indices: Int64, a_values: T, a_shape: Int64, b_indices: Int64, b_values: T, b_shape: Int64, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The larger of the elements of two sparse tensors, absent ones counting as 0."""
    return _pairwise(np.maximum, a_indices, a_values, a_shape, b_indices, b_values, b_shape)


@op("SparseSparseMinimum", lambda c: [(None, _two(c)), (None,)], out="output_indices: int64, output_values: T", host=True, dynamic=True, T=NUMBER)
def sparse_sparse_minimum(
    a_indices: Int64, a_values: T, a_shape: Int64, b_indices: Int64, b_values: T, b_shape: Int64, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The smaller of the elements of two sparse tensors, absent ones counting as 0."""
    return _pairwise(np.minimum, a_indices, a_values, a_shape, b_indices, b_values, b_shape)


@grad("SparseSparseMaximum", "SparseSparseMinimum")
def _(op: Operation, *_: Any) -> Any:
    raise NotImplementedError(f"Gradient for {op.type} is not implemented, as in TensorFlow.")


# -- sums over dimensions, with a sparse result ------------------------------------------------------


def _reduced_sparse(c: Infer) -> list[Dims]:
    check_parts(*c.all_dims[:3])
    return [(None, None), (None,), (None,)]


def _reduce_to_sparse(how: Any, indices: Any, values: Any, dense_shape: Any, axes: Sequence[int], keep: bool) -> Any:
    rank = dense_shape.size
    if any(not -rank <= a < rank for a in axes):
        raise InvalidArgumentError(None, None, f"Invalid reduction dimension {list(axes)}, for input with {rank} dimensions.")
    drop = {a % rank for a in axes}
    stay = [i for i in range(rank) if i not in drop]
    places, where, _ = _union(indices[:, stay], indices[:0, stay])
    first = np.full(len(places), -1, np.int64)
    first[where[::-1]] = np.arange(len(where))[::-1]
    total = values[first]
    others = np.ones(len(where), bool)
    others[first] = False
    how.at(total, where[others], values[others])
    if keep:
        wide = np.zeros((len(places), rank), np.int64)
        wide[:, stay] = places
        return wide, total, np.where([i in drop for i in range(rank)], 1, dense_shape)
    return places, total, dense_shape[stay]


@op("SparseReduceSumSparse", _reduced_sparse, out="output_indices: int64, output_values: T, output_shape: int64", host=True, dynamic=True, T=NUMBER)
def sparse_reduce_sum_sparse(
    input_indices: Int64, input_values: T, input_shape: Int64, reduction_axes: Int32, keep_dims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Sums a sparse tensor over dimensions; the result is sparse."""
    return _reduce_to_sparse(np.add, input_indices, input_values, input_shape, sizes(reduction_axes), keep_dims)


@op("SparseReduceMaxSparse", _reduced_sparse, out="output_indices: int64, output_values: T, output_shape: int64", host=True, dynamic=True, T=REAL)
def sparse_reduce_max_sparse(
    input_indices: Int64, input_values: T, input_shape: Int64, reduction_axes: Int32, keep_dims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The largest element of a sparse tensor over dimensions; the result is sparse."""
    return _reduce_to_sparse(np.maximum, input_indices, input_values, input_shape, sizes(reduction_axes), keep_dims)


grad.none("SparseReduceSumSparse SparseReduceMaxSparse", "TensorFlow has none")


# -- edit distance -----------------------------------------------------------------------------------


def _distance_dims(c: Infer) -> Dims:
    _, a = check_parts(*c.all_dims[:3])
    check_parts(*c.all_dims[3:])
    one, two = c.shape_value(2), c.shape_value(5)
    if one is None or two is None:
        return None if a is None else (None,) * (a - 1)
    if len(one) != len(two):
        raise ValueError(f"truth and hypothesis must have one rank: {shape_str(two)} and {shape_str(one)}")
    return tuple(None if x is None or y is None else max(x, y) for x, y in zip(one[:-1], two[:-1], strict=True))


def _levenshtein(a: Sequence[Any], b: Sequence[Any]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def _sequences(indices: Any, values: Any) -> dict[tuple[int, ...], list[Any]]:
    out: dict[tuple[int, ...], list[Any]] = {}
    for p, v in zip(indices.tolist(), values.tolist(), strict=True):
        out.setdefault(tuple(p[:-1]), []).append(v)
    return out


@op("EditDistance", _distance_dims, out="output: float32", host=True)
def edit_distance_op(
    hypothesis_indices: Int64, hypothesis_values: T, hypothesis_shape: Int64, truth_indices: Int64, truth_values: T, truth_shape: Int64,
    normalize: bool = True, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The Levenshtein distance of each sequence to its truth, divided by the truth's length if `normalize`."""
    out = np.zeros(np.maximum(hypothesis_shape[:-1], truth_shape[:-1]), np.float32)
    guess, truth = _sequences(hypothesis_indices, hypothesis_values), _sequences(truth_indices, truth_values)
    for at in guess.keys() | truth.keys():
        a, b = guess.get(at, []), truth.get(at, [])
        d = _levenshtein(a, b)
        out[at] = d if not normalize else d / len(b) if b else np.inf
    return out  # pyright: ignore[reportReturnType]


grad.none("EditDistance", "it is not differentiable")
