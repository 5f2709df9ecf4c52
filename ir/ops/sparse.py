"""Sparse tensors with dense ones: to dense, products, sums over dimensions, softmax. XLA computes these; `sparse_structure` has the rest."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import INDEX, NUMBER, REAL, TypeSet, int32, int64
from ir.errors import InvalidArgumentError
from ir.infer import Infer, reduced_dims, with_rank
from ir.opdef import In, Int32, Int64, T
from ir.ops.arith import floordiv
from ir.ops.cast import cast, conj
from ir.ops.gather import gather, gather_nd, scatter_nd
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, ones, range_, raw, reshape, shape, size, sizes, transpose, zeros
from ir.ops.packing import stack
from ir.ops.reduce import reduce_sum
from ir.ops.scatter import scatter_elements
from ir.ops.scatter_util import take_rows
from ir.ops.segment import combined
from ir.ops.slicing import slice_
from ir.shapes import Dims, merge_dims, shape_str
from ir.sparse_tensor import SparseTensor, SparseTensorValue
from ir.tensor import Operation, Tensor

Tindices = Annotated[Any, In("Tindices")]


def as_sparse(value: Any, what: str = "Input") -> SparseTensor:
    """Returns a SparseTensor or SparseTensorValue as a SparseTensor. Raises TypeError for anything else."""
    if isinstance(value, SparseTensorValue):
        return SparseTensor.from_value(value)
    if not isinstance(value, SparseTensor):
        raise TypeError(f"{what} must be a SparseTensor, got {type(value).__name__}.")
    return value


def check_parts(indices: Dims, values: Dims, dense_shape: Dims) -> tuple[int | None, int | None]:
    """Returns (number of elements, rank) of the parts of a sparse tensor. Raises ValueError when they do not fit together."""
    n, rank = with_rank(indices, 2, "indices")
    (n,) = merge_dims((n,), with_rank(values, 1, "values")) or (None,)
    (rank,) = merge_dims((rank,), with_rank(dense_shape, 1, "shape")) or (None,)
    return n, rank


# -- to dense ----------------------------------------------------------------------------------------


def _to_dense_dims(c: Infer) -> Dims:
    indices, out, values = c.dims(0), c.shape_value(1), c.dims(2)
    c.rank(1, 1)
    c.rank(3, 0)
    if indices is not None and len(indices) > 2:
        raise ValueError(f"sparse_indices must be a scalar, vector or matrix, got shape {shape_str(indices)}")
    if indices is not None and len(indices) == 2 and out is not None and indices[1] not in (None, len(out)):
        raise ValueError(f"output_shape has {len(out)} entries, sparse_indices {indices[1]} columns")
    if indices and values:
        merge_dims(indices[:1], values)
    return out


def _check_order(indices: Any, dims: Sequence[int]) -> None:
    """Raises InvalidArgumentError when the rows of `indices` are not increasing."""
    if len(indices) > 1:
        order = np.lexsort(indices.T[::-1])
        repeated = np.flatnonzero((indices[1:] == indices[:-1]).all(1))
        wrong = np.flatnonzero(order != np.arange(len(order)))
        if repeated.size:
            raise InvalidArgumentError(None, None, f"indices[{repeated[0] + 1}] = {indices[repeated[0] + 1].tolist()} is repeated")
        if wrong.size:
            raise InvalidArgumentError(None, None, f"indices[{wrong[0] + 1}] = {indices[wrong[0]].tolist()} is out of order")


@op("SparseToDense", _to_dense_dims, out="dense: T", static="output_shape", Tindices=INDEX)
def _sparse_to_dense(
    sparse_indices: Tindices, output_shape: Tindices, sparse_values: T, default_value: T, validate_indices: bool = True, name: str | None = None
) -> Tensor:
    """A dense tensor, `default_value` but for `sparse_values` at `sparse_indices`."""
    dims = sizes(output_shape)
    places = xp.reshape(sparse_indices, (-1 if np.size(sparse_indices) else 0, len(dims)))
    if xp.is_numpy(places) and validate_indices:
        _check_order(places, dims)
    out: Any = xp.broadcast_to(default_value, dims)
    values = xp.broadcast_to(sparse_values, places.shape[:1])
    return scatter_elements(out, places, values, "set") if dims else xp.reshape(values, ())


@grad("SparseToDense")
def _(op: Operation, dy: Any) -> Any:
    dy = convert_to_tensor(dy)
    indices, dense_shape, given = op.inputs[:3]
    if indices.dims is None or len(indices.dims) < 2:
        indices = reshape(indices, stack([-1, size(dense_shape)]))
    values = gather_nd(dy, indices)
    total = reduce_sum(values)
    return None, None, total if given.dims == () else values, reduce_sum(dy) - total


@export("sparse_to_dense")
def sparse_to_dense(
    sparse_indices: Any, output_shape: Any, sparse_values: Any, default_value: Any = 0, validate_indices: bool = True, name: str | None = None
) -> Tensor:
    """Returns a dense tensor with `sparse_values` at `sparse_indices` and `default_value` elsewhere.

    Args:
      sparse_indices: integers of shape [], [n] or [n, rank].
      output_shape: an integer vector.
      sparse_values: values [n], or a scalar for all.
      default_value: a scalar of the same type.
      validate_indices: check that indices are sorted and none is there twice.

    >>> sparse_to_dense([[0, 1], [1, 0]], [2, 3], [5.0, 6.0], 0.0).shape.as_list()
    [2, 3]
    """
    return _sparse_to_dense(sparse_indices, output_shape, sparse_values, default_value, validate_indices, name=name)


@export("sparse.to_dense sparse_tensor_to_dense")
def sparse_tensor_to_dense(sp_input: Any, default_value: Any = None, validate_indices: bool = True, name: str | None = None) -> Tensor:
    """Returns the dense form of a SparseTensor, `default_value` (0, "" or False) where it has no element."""
    sp = as_sparse(sp_input)
    if default_value is None:
        default_value = zeros([], sp.dtype)
    return _sparse_to_dense(sp.indices, sp.dense_shape, sp.values, default_value, validate_indices, name=name)


# -- sums and products with dense tensors ------------------------------------------------------------


def _dense_add_dims(c: Infer) -> Dims:
    _, rank = check_parts(*c.all_dims[:3])
    dims = merge_dims(c.dims(3), c.shape_value(2))
    if rank is not None and dims is not None and rank != len(dims):
        raise ValueError(f"the sparse tensor has rank {rank}, the dense one shape {shape_str(dims)}")
    return dims


@op("SparseTensorDenseAdd", _dense_add_dims, out="output: T", T=NUMBER, Tindices=INDEX)
def _sparse_tensor_dense_add(a_indices: Tindices, a_values: T, a_shape: Tindices, b: T, name: str | None = None) -> Tensor:
    """A dense tensor plus a sparse one."""
    return scatter_elements(b, a_indices, a_values, "add")


@grad("SparseTensorDenseAdd")
def _(op: Operation, dy: Any) -> Any:
    dy = convert_to_tensor(dy)
    return None, gather_nd(dy, op.inputs[0]), None, dy


def _product_dims(c: Infer) -> Dims:
    check_parts(*c.all_dims[:3])
    a, b = c.shape_value(2), c.rank(3, 2) or (None, None)
    rows: int | None = None
    inner: int | None = None
    if a is not None:
        if len(a) != 2:
            raise ValueError(f"Tensor 'a_shape' must have 2 elements, got {len(a)}")
        rows, inner = (a[1], a[0]) if c.attrs["adjoint_a"] else (a[0], a[1])
    b_inner, columns = (b[1], b[0]) if c.attrs["adjoint_b"] else (b[0], b[1])
    if None not in (inner, b_inner) and inner != b_inner:
        raise ValueError(f"Cannot multiply A and B because inner dimension does not match: {inner} vs. {b_inner}")
    return (rows, columns)


@op("SparseTensorDenseMatMul", _product_dims, out="product: T", static="a_shape", Tindices=INDEX.default_to(int64))
def _sparse_tensor_dense_mat_mul(
    a_indices: Tindices, a_values: T, a_shape: Int64, b: T, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None
) -> Tensor:
    """The product of a sparse matrix and a dense one."""
    rows, inner = (a_indices[:, 1], a_indices[:, 0]) if adjoint_a else (a_indices[:, 0], a_indices[:, 1])
    count = sizes(a_shape)[1 if adjoint_a else 0]
    if adjoint_a and a_values.dtype.kind == "c":
        a_values = xp.conj(a_values)
    dense = b
    if adjoint_b:
        dense = xp.transpose(b)
        dense = xp.conj(dense) if dense.dtype.kind == "c" else dense
    picked = take_rows(dense, inner)
    return combined("add", 0, xp.expand_dims(a_values, 1) * picked, rows, count)


@grad("SparseTensorDenseMatMul")
def _(op: Operation, dy: Any) -> Any:
    indices, values, a_shape, b = op.inputs
    adj_a, adj_b = op.attrs["adjoint_a"], op.attrs["adjoint_b"]
    dy = convert_to_tensor(dy)
    db = _sparse_tensor_dense_mat_mul(indices, values, a_shape, dy, adjoint_a=not adj_a)
    if adj_b:
        db = transpose(db, conjugate=True)
    rows, columns = indices[:, 0], indices[:, 1]
    left = gather(dy, columns if adj_a else rows)
    right = gather(transpose(b, conjugate=True) if adj_b else b, rows if adj_a else columns)
    product = conj(left) * right if adj_a else left * conj(right)
    return None, reduce_sum(product, axis=1), None, db


@export("sparse.sparse_dense_matmul sparse.matmul sparse_tensor_dense_matmul")
def sparse_tensor_dense_matmul(sp_a: Any, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None) -> Tensor:
    """Multiplies a sparse matrix and a dense one.

    Args:
      sp_a: a SparseTensor of rank 2.
      b: a matrix of the same type.
      adjoint_a, adjoint_b: take the conjugate transpose of one.

    Raises TypeError when `sp_a` is not sparse, ValueError when the inner dimensions differ.
    """
    sp = as_sparse(sp_a)
    with get_default_graph().name_scope(name or "SparseTensorDenseMatMul"):
        b = convert_to_tensor(b, sp.dtype.base_dtype, "b")
        return _sparse_tensor_dense_mat_mul(sp.indices, sp.values, sp.dense_shape, b, adjoint_a, adjoint_b)


def _cwise_dims(c: Infer) -> Dims:
    n, rank = check_parts(*c.all_dims[:3])
    dense = c.dims(3)
    if rank is not None and dense is not None and len(dense) > rank:
        raise ValueError(f"the dense operand, of shape {shape_str(dense)}, must not have more than the {rank} dimensions of the sparse one")
    return (n,)


def _picked(indices: Any, dense: Any) -> Any:
    """The elements of `dense`, which broadcasts to the rank of the rows of `indices`, at those places."""
    extra = indices.shape[1] - dense.ndim
    places = [indices[:, extra + i] if d != 1 else indices[:, extra + i] * 0 for i, d in enumerate(dense.shape)]
    if xp.is_numpy([indices, dense]):
        for i, (p, d) in enumerate(zip(places, dense.shape, strict=True)):
            if p.size and not 0 <= p.min() <= p.max() < d:
                raise InvalidArgumentError(None, None, f"SparseDenseBinaryOpShared broadcasts dense to sparse only; dimension {i} of size {d} does not fit")
    elif places:
        dense = xp.namespace(indices, dense).asarray(dense)
    return dense[tuple(places)] if places else dense


@op("SparseDenseCwiseAdd", _cwise_dims, out="output: T", T=NUMBER)
def _sparse_dense_cwise_add(sp_indices: Int64, sp_values: T, sp_shape: Int64, dense: T, name: str | None = None) -> Tensor:
    """The elements of a sparse tensor, each plus that of a dense tensor at its place."""
    return sp_values + _picked(sp_indices, dense)


@op("SparseDenseCwiseMul", _cwise_dims, out="output: T", T=NUMBER)
def _sparse_dense_cwise_mul(sp_indices: Int64, sp_values: T, sp_shape: Int64, dense: T, name: str | None = None) -> Tensor:
    """The elements of a sparse tensor, each times that of a dense tensor at its place."""
    return sp_values * _picked(sp_indices, dense)


@op("SparseDenseCwiseDiv", _cwise_dims, out="output: T", T=NUMBER)
def _sparse_dense_cwise_div(sp_indices: Int64, sp_values: T, sp_shape: Int64, dense: T, name: str | None = None) -> Tensor:
    """The elements of a sparse tensor, each divided by that of a dense tensor at its place; integers towards zero."""
    by = _picked(sp_indices, dense)
    if sp_values.dtype.kind not in "iu":
        return sp_values / by
    quotient = xp.abs(sp_values) // xp.abs(by)
    return xp.where((sp_values < 0) != (by < 0), -quotient, quotient)


def _dense_places(op: Operation) -> tuple[Tensor, Tensor]:
    """Where each sparse element finds its dense operand, and the shape of that."""
    indices, _, sp_shape, dense = op.inputs
    extent = shape(dense, out_type=int64)
    extra = expand_dims(size(sp_shape) - size(extent), 0)
    whole = concat([ones(extra, int64), extent], 0)
    places = slice_(indices // (sp_shape // whole), concat([[0], extra], 0), [-1, -1])
    return places, extent


@grad("SparseDenseCwiseMul", "SparseDenseCwiseDiv", "SparseDenseCwiseAdd")
def _(op: Operation, dz: Any) -> Any:
    dense, values = op.inputs[3], op.inputs[1]
    places, extent = _dense_places(op)
    y = gather_nd(dense, places)
    if op.type == "SparseDenseCwiseAdd":
        dx, dy = dz, dz
    elif op.type == "SparseDenseCwiseMul":
        dx, dy = dz * conj(y), dz * conj(values)
    else:
        dx, dy = dz / conj(y), dz * conj(-values / (y * y))
    return None, dx, None, scatter_nd(places, dy, extent)


def _sparse_operator(build: Callable[..., Tensor], op_name: str) -> Callable[[SparseTensor, Any], SparseTensor]:
    def operator(x: SparseTensor, y: Any) -> SparseTensor:
        with get_default_graph().name_scope(op_name) as scope:
            y = convert_to_tensor(y, x.dtype.base_dtype, "y")
            return SparseTensor(x.indices, build(x.indices, x.values, x.dense_shape, y, name=scope), x.dense_shape)

    return operator


for _name, _build in (("mul", _sparse_dense_cwise_mul), ("truediv", _sparse_dense_cwise_div), ("div", _sparse_dense_cwise_div)):
    setattr(SparseTensor, f"__{_name}__", _sparse_operator(_build, _name))


# -- sums over dimensions ----------------------------------------------------------------------------


def _reduced(c: Infer) -> Dims:
    check_parts(*c.all_dims[:3])
    axes = c.dims(3)
    if axes is not None and len(axes) > 1:
        raise ValueError(f"reduction_axes must be a scalar or a vector, got shape {shape_str(axes)}")
    return reduced_dims(c.shape_value(2), c.value(3), c.attrs["keep_dims"])


def _groups(indices: Any, dims: Sequence[int], axes: Sequence[int]) -> tuple[Any, list[int]]:
    """The coordinates of each element in the dimensions that stay, and their numbers."""
    rank = len(dims)
    drop = {a % rank for a in axes}
    stay = [i for i in range(rank) if i not in drop]
    return indices[:, np.array(stay, np.int64)], stay


def _sparse_reduce(how: str, indices: Any, values: Any, dims: Sequence[int], axes: Sequence[int], keep: bool) -> Any:
    if any(not -len(dims) <= a < len(dims) for a in axes):
        raise InvalidArgumentError(None, None, f"Invalid reduction dimension {list(axes)}, for input with {len(dims)} dimensions.")
    places, stay = _groups(indices, dims, axes)
    target = [dims[i] for i in stay]
    flat = places * 0 if not target else None
    steps = np.array([int(np.prod(target[i + 1 :], dtype=np.int64)) for i in range(len(target))], np.int64)
    ids = xp.sum(places * steps, axis=1) if flat is None else xp.zeros_like(indices[:, 0])
    count = int(np.prod(target, dtype=np.int64))
    if how == "add":
        out = combined("add", 0, values, ids, count)
    else:
        low = np.array(-np.inf if values.dtype.kind not in "iu" else np.iinfo(values.dtype).min, values.dtype)
        found = combined("max", low, values, ids, count)
        seen = combined("max", 0, xp.ones_like(ids), ids, count)
        out = xp.where(seen > 0, found, xp.zeros_like(found))
    kept = [1 if i not in stay else d for i, d in enumerate(dims)] if keep else target
    return xp.reshape(out, tuple(kept))


@op("SparseReduceSum", _reduced, out="output: T", static="input_shape reduction_axes", T=NUMBER)
def _sparse_reduce_sum(
    input_indices: Int64, input_values: T, input_shape: Int64, reduction_axes: Int32, keep_dims: bool = False, name: str | None = None
) -> Tensor:
    """Sums a sparse tensor over dimensions; the result is dense."""
    return _sparse_reduce("add", input_indices, input_values, sizes(input_shape), sizes(reduction_axes), keep_dims)


@op("SparseReduceMax", _reduced, out="output: T", static="input_shape reduction_axes", T=REAL)
def _sparse_reduce_max(
    input_indices: Int64, input_values: T, input_shape: Int64, reduction_axes: Int32, keep_dims: bool = False, name: str | None = None
) -> Tensor:
    """The largest element of a sparse tensor over dimensions, 0 where there is none; the result is dense."""
    return _sparse_reduce("max", input_indices, input_values, sizes(input_shape), sizes(reduction_axes), keep_dims)


@grad("SparseReduceSum")
def _(op: Operation, dy: Any) -> Any:
    indices, _, dense_shape, axes = op.inputs
    rank = size(dense_shape)
    wrapped = (reshape(axes, [-1]) + rank) % rank
    kept = raw("DynamicStitch")([range_(rank), wrapped], [cast(dense_shape, int32), ones(shape(wrapped), int32)])
    scale = floordiv(dense_shape, cast(kept, int64))
    return None, gather_nd(reshape(dy, kept), indices // scale), None, None


grad.none("SparseReduceMax", "TensorFlow has none")


def renamed(keepdims: Any, keep_dims: Any, axis: Any, reduction_axes: Any) -> tuple[Any, bool]:
    """Settles new and old names of arguments: (axis, keepdims)."""
    if axis is not None and reduction_axes is not None:
        raise ValueError("Cannot specify both 'axis' and 'reduction_axes'")
    if keepdims is not None and keep_dims is not None:
        raise ValueError("Cannot specify both 'keepdims' and 'keep_dims'")
    keep = keep_dims if keepdims is None else keepdims
    return reduction_axes if axis is None else axis, bool(keep)


def axes_of(sp: SparseTensor, axis: Any) -> Any:
    """Returns the dimensions to reduce: `axis`, or all."""
    if axis is not None:
        return axis
    dims = sp.get_shape().as_dims()
    return np.arange(len(dims), dtype=np.int32) if dims is not None else range_(0, size(sp.dense_shape))


@export("sparse.reduce_sum sparse_reduce_sum")
def sparse_reduce_sum(sp_input: Any, axis: Any = None, keepdims: Any = None, reduction_axes: Any = None, keep_dims: Any = None) -> Tensor:
    """Sums a SparseTensor over the dimensions `axis` (all by default); returns a dense tensor.

    `keepdims` keeps them with size 1. `reduction_axes` and `keep_dims` are the old names.
    """
    axis, keep = renamed(keepdims, keep_dims, axis, reduction_axes)
    sp = as_sparse(sp_input)
    return _sparse_reduce_sum(sp.indices, sp.values, sp.dense_shape, axes_of(sp, axis), keep)


@export("sparse.reduce_max sparse_reduce_max")
def sparse_reduce_max(sp_input: Any, axis: Any = None, keepdims: Any = None, reduction_axes: Any = None, keep_dims: Any = None) -> Tensor:
    """The largest present element of a SparseTensor over the dimensions `axis`, 0 where none is present; returns a dense tensor."""
    axis, keep = renamed(keepdims, keep_dims, axis, reduction_axes)
    sp = as_sparse(sp_input)
    return _sparse_reduce_max(sp.indices, sp.values, sp.dense_shape, axes_of(sp, axis), keep)


# -- softmax -----------------------------------------------------------------------------------------


def _softmax_dims(c: Infer) -> Dims:
    n, rank = check_parts(*c.all_dims)
    if rank is not None and rank < 2:
        raise ValueError(f"sparse_softmax needs a tensor of rank at least 2, got {rank}")
    return (n,)


@op("SparseSoftmax", _softmax_dims, out="output: T", T=TypeSet("float32 float64"))
def _sparse_softmax(sp_indices: Int64, sp_values: T, sp_shape: Int64, name: str | None = None) -> Tensor:
    """The softmax over the present elements of each row."""
    n = sp_values.shape[0]
    if n == 0:
        return sp_values
    lead = sp_indices[:, :-1]
    starts = xp.any(lead[1:] != lead[:-1], axis=1)
    row = xp.concatenate([xp.zeros_like(sp_indices[:1, 0]), xp.cumsum(xp.astype(starts, np.int64))])
    top = combined("max", -np.inf, sp_values, row, n)
    e = xp.exp(sp_values - top[row])
    return e / combined("add", 0, e, row, n)[row]


@grad("SparseSoftmax")
def _(op: Operation, dy: Any) -> Any:
    indices, _, dense_shape = op.inputs
    y = op.outputs[0]
    rank = size(dense_shape)
    total = _sparse_reduce_sum(indices, y * dy, dense_shape, reshape(rank - 1, [1]), keep_dims=True)
    return None, _sparse_dense_cwise_add(indices, dy, dense_shape, -total) * y, None


@export("sparse.softmax sparse_softmax")
def sparse_softmax(sp_input: Any, name: str | None = None) -> SparseTensor:
    """Softmax of each innermost row of a SparseTensor of rank 2 or more, absent elements counting as negative infinity."""
    sp = as_sparse(sp_input)
    with get_default_graph().name_scope(name or "SparseSoftmax"):
        return SparseTensor(sp.indices, _sparse_softmax(sp.indices, sp.values, sp.dense_shape), sp.dense_shape)


