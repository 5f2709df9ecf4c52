"""Picking by index and its reverse: Gather, GatherNd, ScatterNd, TensorScatter*, OneHot; IndexedSlices as tensors."""

from typing import Annotated, Any

import numpy as np

from ir import static, xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph, register_tensor_conversion_function
from ir.dtypes import INDEX, TypeSet, as_dtype, float32, int32, int64
from ir.errors import InvalidArgumentError
from ir.indexed_slices import IndexedSlices
from ir.infer import Infer
from ir.opdef import In, Int32, T
from ir.ops.cast import cast
from ir.ops.joining import concat, tile
from ir.ops.layout import expand_dims, range_, raw, reshape, shape, size, sizes, squeeze, transpose
from ir.ops.packing import position
from ir.ops.scatter_util import check_indices
from ir.shapes import Dims, merge_dims, shape_str
from ir.tensor import Operation, Tensor

Tparams = Annotated[Any, In("Tparams")]
Tindices = Annotated[Any, In("Tindices")]
Taxis = Annotated[Any, In("Taxis")]
TI = Annotated[Any, In("TI")]


# -- Gather ------------------------------------------------------------------------------------------


def gathered_dims(params: Dims, indices: Dims, axis: int | None, batch: int) -> Dims:
    """Returns the shape of picking `indices` along `axis` of `params`; None for an axis that is not known."""
    if params is not None and not params:
        raise ValueError("params must be at least a vector")
    if indices is not None and batch < 0:
        batch = position(batch, len(indices) + 1, "batch_dims")
    if params is None or indices is None:
        return None
    if batch > len(indices):
        raise ValueError(f"batch_dims = {batch} must be at most the rank of indices, {len(indices)}")
    if axis is None:
        return (None,) * (len(params) - 1 + len(indices) - batch)
    a = position(axis, len(params))
    if batch > a:
        raise ValueError(f"batch_dims = {batch} must be at most axis = {a}")
    lead = merge_dims(params[:batch], indices[:batch]) or ()
    return (*lead, *params[batch:a], *indices[batch:], *params[a + 1 :])


@op("Gather", lambda c: gathered_dims(c.dims(0), c.dims(1), 0, 0), Tindices=INDEX)
def _gather_v1(params: Tparams, indices: Tindices, validate_indices: bool = True, name: str | None = None) -> Tensor:
    """The rows `indices` of `params`; older graphs have it."""
    check_indices(indices, params.shape[0])
    return np.take(params, indices, 0)


def _gather_dims(c: Infer) -> Dims:
    axis = c.value(2)
    return gathered_dims(c.dims(0), c.dims(1), None if axis is None else int(axis.reshape(-1)[0]), c.attrs["batch_dims"])


@op("GatherV2", _gather_dims, static="axis", Tindices=INDEX, Taxis=INDEX)
def gather_v2(params: Tparams, indices: Tindices, axis: Taxis, batch_dims: int = 0, name: str | None = None) -> Tensor:
    """The slices `indices` of `params` along `axis`, the first `batch_dims` dimensions of both taken side by side."""
    a = sizes(axis)[0] % params.ndim
    b = batch_dims % indices.ndim if batch_dims < 0 else batch_dims
    check_indices(indices, params.shape[a])
    if b == 0:
        return np.take(params, indices, a)
    lead = params.shape[:b]
    count = int(np.prod(lead))
    rows = np.reshape(params, (count, *params.shape[b:]))
    places = np.reshape(indices, (count, *indices.shape[b:]))
    picked = [np.take(r, i, a - b) for r, i in zip(rows, places, strict=True)]
    shape = (*params.shape[:a], *indices.shape[b:], *params.shape[a + 1 :])
    return (np.stack(picked) if picked else np.empty(shape, params.dtype)).reshape(shape)  # pyright: ignore[reportReturnType]


def _rows_gradient(params: Tensor, indices: Tensor, dy: Any) -> IndexedSlices:
    """The gradient of picking rows: slices for the rows picked."""
    x_shape = cast(shape(params, out_type=int64), int32)
    count = expand_dims(size(indices), 0)
    values = reshape(dy, concat([count, x_shape[1:]], 0))
    return IndexedSlices(values, reshape(indices, count), x_shape)


@grad("Gather")
def _(op: Operation, dy: Any) -> Any:
    return _rows_gradient(op.inputs[0], op.inputs[1], dy), None


@grad("GatherV2")
def _(op: Operation, dy: Any) -> Any:
    params, indices, axis = op.inputs
    at = static.value_of(axis)
    if at is not None and int(at.reshape(-1)[0]) == 0:
        return _rows_gradient(params, indices, dy), None, None
    if at is None:
        raise LookupError("the gradient of gather needs an axis that is known while the graph is built")
    return _axis_gradient(params, indices, convert_to_tensor(dy), int(at.reshape(-1)[0]), op.attrs["batch_dims"]), None, None


def _axis_gradient(params: Tensor, indices: Tensor, dy: Tensor, axis: int, batch: int) -> Tensor:
    """Adds up slices of `dy` for each index: the axis is moved to the front, then rows are summed by segment."""
    if params.dims is None or indices.dims is None:
        raise LookupError(f"the gradient of gather along axis {axis} needs tensors of known rank, got {params!r} and {indices!r}")
    n, r = len(params.dims), len(indices.dims)
    a, b = position(axis, n), batch % (r + 1) if batch < 0 else batch
    k = r - b  # dimensions of the result that come from indices
    x_shape = shape(params)
    rows = transpose(dy, [*range(b), *range(a, a + k), *range(b, a), *range(a + k, n - 1 + k)])
    rest = concat([x_shape[b:a], x_shape[a + 1 :]], 0)
    flat = reshape(rows, concat([[-1], rest], 0))
    size_a = x_shape[a]
    ids = indices
    total = size_a
    if b:
        count = raw("Prod")(x_shape[:b], [0])
        offsets = cast(range_(count) * size_a, indices.dtype)
        ids = indices + reshape(offsets, concat([x_shape[:b], [1] * k], 0))
        total = count * size_a
    summed = raw("UnsortedSegmentSum")(flat, reshape(ids, [-1]), total)
    back = reshape(summed, concat([x_shape[:b], [size_a], rest], 0))
    return transpose(back, [*range(b), *range(b + 1, a + 1), b, *range(a + 1, n)])


@export("gather")
def gather(params: Any, indices: Any, validate_indices: Any = None, name: str | None = None, axis: Any = None, batch_dims: int = 0) -> Tensor:
    """Picks slices of `params` along `axis`: the result is `params[..., indices, ...]`.

    Args:
      params: a tensor of rank 1 or more, or a variable.
      indices: integers in [0, size of `axis`), of any shape.
      validate_indices: accepted for compatibility.
      axis: the dimension to pick from, by default `batch_dims`.
      batch_dims: how many leading dimensions `params` and `indices` share.

    Running it with an index out of range raises InvalidArgumentError on the host; compiled, the nearest slice is taken.

    >>> gather([[1, 2], [3, 4], [5, 6]], [2, 0]).shape.as_list()
    [2, 2]
    """
    if axis is None:
        axis = batch_dims
    at = static.value_of(axis) if isinstance(axis, Tensor) else axis
    if at is None or int(np.reshape(at, -1)[0]) != 0:
        return gather_v2(params, indices, axis, batch_dims, name=name)
    read = getattr(params, "sparse_read", None)
    if read is not None:
        return read(indices, name=name)
    return gather_v2(params, indices, axis, name=name)


@export("batch_gather")
def batch_gather(params: Any, indices: Any, name: str | None = None) -> Tensor:
    """Picks along the last dimension of `indices`, all dimensions before it being batch dimensions."""
    with get_default_graph().name_scope(name or "BatchGather"):
        indices = convert_to_tensor(indices, name="indices")
        if indices.dims is None:
            raise ValueError("batch_gather does not allow indices with unknown shape.")
        last = len(indices.dims) - 1
        return gather_v2(params, indices, last, last)


# -- GatherNd ----------------------------------------------------------------------------------------


def _nd_dims(c: Infer) -> Dims:
    params, indices = c.dims(0), c.rank_at_least(1, 1)
    if params is None or indices is None or indices[-1] is None:
        return None
    if indices[-1] > len(params):
        raise ValueError(f"indices.shape[-1] must be <= params.rank, but saw indices shape: {shape_str(indices)} and params shape: {shape_str(params)}")
    return (*indices[:-1], *params[indices[-1] :])


def columns(indices: Any, dims: Any) -> tuple[Any, ...]:
    """Returns index vectors [..., k], an array of NumPy, as an index. Raises InvalidArgumentError when one is out of range."""
    k = indices.shape[-1]
    bad = np.argwhere((indices < 0) | (indices >= np.array(dims[:k], dtype=np.int64)))
    if bad.size:
        at = tuple(bad[0][:-1])
        where = ", ".join(str(int(i)) for i in at)
        raise InvalidArgumentError(None, None, f"indices[{where}] = {indices[at].tolist()} does not index into shape {tuple(dims)}")
    return tuple([indices[..., i] for i in range(k)])


@op("GatherNd", _nd_dims, Tindices=INDEX)
def _gather_nd(params: Tparams, indices: Tindices, name: str | None = None) -> Tensor:
    """The elements or slices of `params` at index vectors."""
    if not indices.shape[-1]:
        return np.broadcast_to(params, (*indices.shape[:-1], *params.shape))  # pyright: ignore[reportReturnType]
    return np.asarray(params[columns(indices, params.shape)])  # pyright: ignore[reportReturnType]


@grad("GatherNd")
def _(op: Operation, dy: Any) -> Any:
    params, indices = op.inputs
    x_shape = shape(params, out_type=indices.dtype)
    if indices.dims is not None and len(indices.dims) == 2 and indices.dims[-1] == 1:
        return IndexedSlices(dy, squeeze(indices, axis=-1), x_shape), None
    return scatter_nd(indices, dy, x_shape), None


@export("gather_nd manip.gather_nd")
def gather_nd(params: Any, indices: Any, name: str | None = None, batch_dims: int = 0) -> Tensor:
    """Picks elements or slices of `params` by index vectors.

    Args:
      params: a tensor or variable.
      indices: integers [..., k]; each vector of k numbers indexes the first k dimensions (after `batch_dims`) of `params`.
      batch_dims: how many leading dimensions both share.

    Returns a tensor of shape `indices.shape[:-1] + params.shape[batch_dims + k:]`.

    >>> gather_nd([[1, 2], [3, 4]], [[0, 1], [1, 0]]).shape.as_list()
    [2]
    """
    if batch_dims:
        return _batch_gather_nd(params, indices, int(batch_dims), name)
    read = getattr(params, "gather_nd", None)
    return _gather_nd(params, indices, name=name) if read is None else read(indices, name=name)


def _batch_gather_nd(params: Any, indices: Any, batch: int, name: str | None) -> Tensor:
    with get_default_graph().name_scope(name or "BatchGatherND"):
        indices = convert_to_tensor(indices, name="indices")
        params = convert_to_tensor(params, name="params")
        if indices.dims is None or len(indices.dims) <= batch:
            raise ValueError(f"batch_dims = {batch} must be less than rank(indices), got {indices!r}")
        x_shape, i_shape = shape(params), shape(indices)
        lead = x_shape[:batch]
        count = raw("Prod")(lead, [0])
        flat = reshape(params, concat([[count], x_shape[batch:]], 0))
        inner = len(indices.dims) - batch - 1
        number = reshape(cast(range_(count), indices.dtype), concat([[count], [1] * (inner + 1)], 0))
        numbers = tile(number, concat([[1], i_shape[batch:-1], [1]], 0))
        vectors = concat([numbers, reshape(indices, concat([[count], i_shape[batch:]], 0))], -1)
        out = _gather_nd(flat, vectors)
        return reshape(out, concat([lead, shape(out)[1:]], 0))


# -- ScatterNd and TensorScatter* --------------------------------------------------------------------


def _check_updates(target: Dims, indices: Dims, updates: Dims) -> None:
    if target is None or indices is None or updates is None or not indices or indices[-1] is None:
        return
    k = indices[-1]
    if k > len(target):
        raise ValueError(f"indices vectors of length {k} do not index into shape {shape_str(target)}")
    try:
        merge_dims((*indices[:-1], *target[k:]), updates)
    except ValueError:
        wanted = shape_str((*indices[:-1], *target[k:]))
        raise ValueError(f"updates must have shape {wanted}: indices {shape_str(indices)}, shape {shape_str(target)}; got {shape_str(updates)}") from None


def _scatter_dims(c: Infer) -> Dims:
    target = c.shape_value(2)
    _check_updates(target, c.dims(0), c.dims(1))
    return target


@op("ScatterNd", _scatter_dims, out="output: T", static="shape", api="scatter_nd manip.scatter_nd", Tindices=INDEX)
def scatter_nd(indices: Tindices, updates: T, shape: Tindices, name: str | None = None) -> Tensor:
    """Adds `updates` at index vectors into zeros.

    Args:
      indices: integers [..., k], each vector naming an element or slice of the result.
      updates: a tensor of shape `indices.shape[:-1] + shape[k:]`.
      shape: the shape of the result, a vector.

    Updates of one place add up.

    >>> scatter_nd([[4], [3]], [9, 10], [8]).shape.as_list()
    [8]
    """
    dims = sizes(shape)
    text = updates.dtype == object and any(isinstance(v, bytes) for v in updates.flat)
    return _combined(np.full(dims, b"" if text else 0, dtype=updates.dtype), indices, updates, np.add)


def _combined(out: Any, indices: Any, updates: Any, ufunc: Any) -> Any:
    """Combines `updates` with the places of `out`, which is changed; None overwrites."""
    at = columns(indices, out.shape)
    if ufunc is None:
        out[at] = updates
    elif not at:
        for u in updates.reshape(-1, *out.shape):
            ufunc(out, u, out=out)
    else:
        ufunc.at(out, at, updates)
    return out


@grad("ScatterNd")
def _(op: Operation, dy: Any) -> Any:
    return None, _gather_nd(dy, op.inputs[0]), None


def _tensor_scatter_dims(c: Infer) -> Dims:
    _check_updates(c.dims(0), c.dims(1), c.dims(2))
    return c.dims(0)


@op("TensorScatterAdd", _tensor_scatter_dims, out="output: T", api="tensor_scatter_add tensor_scatter_nd_add", Tindices=INDEX)
def tensor_scatter_add(tensor: T, indices: Tindices, updates: T, name: str | None = None) -> Tensor:
    """Returns `tensor` with `updates` added at index vectors `indices` [..., k]; updates of one place add up."""
    return _combined(np.array(tensor), indices, updates, np.add)


@op("TensorScatterSub", _tensor_scatter_dims, out="output: T", api="tensor_scatter_sub tensor_scatter_nd_sub", Tindices=INDEX)
def tensor_scatter_sub(tensor: T, indices: Tindices, updates: T, name: str | None = None) -> Tensor:
    """Returns `tensor` with `updates` subtracted at index vectors `indices` [..., k]."""
    return _combined(np.array(tensor), indices, updates, np.subtract)


@op("TensorScatterUpdate", _tensor_scatter_dims, out="output: T", api="tensor_scatter_update tensor_scatter_nd_update", Tindices=INDEX)
def tensor_scatter_update(tensor: T, indices: Tindices, updates: T, name: str | None = None) -> Tensor:
    """Returns `tensor` with the places at index vectors `indices` [..., k] replaced by `updates`."""
    return _combined(np.array(tensor), indices, updates, None)


NON_ALIASING = TypeSet(
    "float16 bfloat16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64 complex128 qint8 quint8 qint32 bool"
)


@op("ScatterNdNonAliasingAdd", _tensor_scatter_dims, out="output: T", T=NON_ALIASING, Tindices=INDEX)
def scatter_nd_non_aliasing_add(input: T, indices: Tindices, updates: T, name: str | None = None) -> Tensor:
    """Returns `input` with `updates` added at index vectors."""
    return _combined(np.array(input), indices, updates, np.add)


@grad("TensorScatterAdd", "ScatterNdNonAliasingAdd")
def _(op: Operation, dy: Any) -> Any:
    dy = convert_to_tensor(dy)
    return dy, None, _gather_nd(dy, op.inputs[1])


@grad("TensorScatterSub")
def _(op: Operation, dy: Any) -> Any:
    dy = convert_to_tensor(dy)
    return dy, None, -_gather_nd(dy, op.inputs[1])


@grad("TensorScatterUpdate")
def _(op: Operation, dy: Any) -> Any:
    dy = convert_to_tensor(dy)
    indices, updates = op.inputs[1:]
    kept = tensor_scatter_update(dy, indices, raw("ZerosLike")(updates))
    return kept, None, _gather_nd(dy, indices)


# -- OneHot ------------------------------------------------------------------------------------------


def _one_hot_dims(c: Infer) -> Dims:
    dims, depth, axis = c.dims(0), c.value(1), c.attrs["axis"]
    c.rank(1, 0)
    if axis < -1:
        raise ValueError(f"axis must be >= -1, got {axis}")
    if depth is not None and depth.item() < 0:
        raise ValueError(f"depth must be non-negative, got: {depth.item()}")
    if dims is None:
        return None
    a = position(axis, len(dims) + 1)
    return (*dims[:a], None if depth is None else int(depth.item()), *dims[a:])


@op("OneHot", _one_hot_dims, out="output: T", static="depth", TI=TypeSet("uint8 int32 int64").default_to(int64))
def _one_hot(indices: TI, depth: Int32, on_value: T, off_value: T, axis: int = -1, name: str | None = None) -> Tensor:
    """`on_value` where the position along the new dimension is the index, `off_value` elsewhere."""
    n = int(depth)
    a = indices.ndim if axis == -1 else axis
    wide = xp.astype(indices, np.int32) if indices.dtype == np.uint8 else indices
    along = np.arange(n, dtype=wide.dtype).reshape((n,) + (1,) * (indices.ndim - a))
    return xp.where(xp.equal(xp.expand_dims(wide, a), along), on_value, off_value)


grad.none("OneHot", "integers have no gradient, and TensorFlow has none for the values")


@export("one_hot")
def one_hot(
    indices: Any, depth: Any, on_value: Any = None, off_value: Any = None, axis: int | None = None, dtype: Any = None, name: str | None = None
) -> Tensor:
    """Returns a tensor with a new dimension of size `depth`, `on_value` at the index and `off_value` elsewhere.

    Args:
      indices: integers; those outside [0, depth) give `off_value` only.
      depth: the size of the new dimension.
      on_value, off_value: 1 and 0 by default.
      axis: the position of the new dimension, the last by default.
      dtype: the type of the result; that of the values, or float32.

    Raises TypeError when the types of the values differ or are not `dtype`.

    >>> one_hot([0, 2], 3).shape.as_list()
    [2, 3]
    """
    with get_default_graph().name_scope(name or "one_hot") as scope:
        wanted = None if dtype is None else as_dtype(dtype).base_dtype
        given = [None if v is None else convert_to_tensor(v).dtype.base_dtype for v in (on_value, off_value)]
        for label, found in zip(("on_value", "off_value"), given, strict=True):
            if wanted is not None and found is not None and found is not wanted:
                raise TypeError(f"dtype {found.name} of {label} does not match dtype parameter {wanted.name}")
            if found is not None:
                wanted = wanted or found
        wanted = wanted or float32
        if None not in given and given[0] is not given[1]:
            raise TypeError(f"dtype {given[0]} of on_value does not match dtype {given[1]} of off_value")
        on = convert_to_tensor(1 if on_value is None else on_value, wanted, "on_value")
        off = convert_to_tensor(0 if off_value is None else off_value, wanted, "off_value")
        return _one_hot(indices, depth, on, off, -1 if axis is None else axis, name=scope)


# -- IndexedSlices -----------------------------------------------------------------------------------


def _dense(value: IndexedSlices, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Tensor:
    if dtype is not None and not value.dtype.base_dtype.is_compatible_with(dtype):
        raise ValueError(f"Tensor conversion requested dtype {as_dtype(dtype).name} for IndexedSlices with dtype {value.dtype.name}")
    if value.dense_shape is None:
        raise ValueError(f"Tensor conversion requested for IndexedSlices without dense_shape: {value}")
    out = raw("UnsortedSegmentSum")(value.values, value.indices, value.dense_shape[0], name=name)
    dims = static.shape_value_of(value.dense_shape)
    if dims is not None:
        out.set_shape(dims)
    return out


register_tensor_conversion_function(IndexedSlices, _dense)


@export("convert_to_tensor_or_indexed_slices")
def convert_to_tensor_or_indexed_slices(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Returns an IndexedSlices as it is, anything else as a Tensor. Raises ValueError when the dtype differs."""
    if isinstance(value, IndexedSlices):
        if dtype is not None and not as_dtype(dtype).is_compatible_with(value.dtype):
            raise ValueError(f"Tensor conversion requested dtype {as_dtype(dtype).name} for Tensor with dtype {value.dtype.name}: {value}")
        return value
    return convert_to_tensor(value, dtype, name)

