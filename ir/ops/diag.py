"""Diagonals and bands of matrices: Diag, MatrixDiag, MatrixDiagPart, MatrixSetDiag, MatrixBandPart; trace and eye.

The matrices are in the last two dimensions; for Diag and DiagPart in two halves of the dimensions. Diagonals of the
V2 ops are numbered k: 0 is the main one, positive ones are above it; their elements are aligned to the left.
"""

import math
from typing import Annotated, Any

import numpy as np

from ir import dtypes, xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import ANY, COMPLEX, FLOAT, INDEX, int64
from ir.infer import Infer
from ir.opdef import In, Int32, T
from ir.ops.arith import minimum
from ir.ops.joining import concat
from ir.ops.layout import ones, sizes, zeros, zeros_like
from ir.ops.reduce import reduce_sum
from ir.shapes import Dims, TensorShape, dims_of, fully_known, merge_dims, shape_str
from ir.tensor import Operation, Tensor

Tindex = Annotated[Any, In("Tindex")]
TENSORS = FLOAT | INDEX | COMPLEX


def _smaller(a: int | None, b: int | None) -> int | None:
    if a == 0 or b == 0:
        return 0
    return None if a is None or b is None else min(a, b)


def _eye(like: Any, rows: int, columns: int) -> Any:
    """Returns where the main diagonal is, computed where `like` is, so that no large mask is part of a program."""
    return xp.namespace(like).eye(rows, columns, dtype=bool)


# -- of whole tensors --------------------------------------------------------------------------------


def _diag_dims(c: Infer) -> Dims:
    dims = c.rank_at_least(0, 1)
    return None if dims is None else dims + dims


@op("Diag", _diag_dims, api="diag linalg.tensor_diag", T=TENSORS)
def diag(diagonal: T, name: str | None = None) -> Tensor:
    """Returns a tensor with `diagonal` on its diagonal and zeros elsewhere.

    `diagonal` has shape [d1, ..., dk], the result [d1, ..., dk, d1, ..., dk].

    >>> diag([1, 2, 3, 4]).shape.as_list()
    [4, 4]
    """
    n = math.prod(diagonal.shape)
    square = xp.where(_eye(diagonal, n, n), xp.reshape(diagonal, (n,)), np.zeros((), diagonal.dtype))
    return xp.reshape(square, diagonal.shape * 2)


def _diag_part_dims(c: Infer) -> Dims:
    dims = c.rank_at_least(0, 1)
    if dims is None:
        return None
    if len(dims) % 2:
        raise ValueError(f"Input must have even and non-zero rank, got shape {shape_str(dims)}")
    half = len(dims) // 2
    return merge_dims(dims[:half], dims[half:])


@op("DiagPart", _diag_part_dims, out="diagonal: T", api="diag_part linalg.tensor_diag_part", T=TENSORS)
def diag_part(input: T, name: str | None = None) -> Tensor:
    """Returns the diagonal of a tensor: of shape [d1, ..., dk] for an input of shape [d1, ..., dk, d1, ..., dk].

    >>> diag_part([[1, 2], [3, 4]]).shape.as_list()
    [2]
    """
    half = input.shape[: input.ndim // 2]
    n = math.prod(half)
    return xp.reshape(xp.diagonal(xp.reshape(input, (n, n))), half)


@grad("Diag")
def _(op: Operation, dz: Tensor) -> Any:
    return diag_part(dz)


@grad("DiagPart")
def _(op: Operation, dz: Tensor) -> Any:
    return diag(dz)


# -- main diagonals of matrices ----------------------------------------------------------------------


def _matrix_diag_dims(c: Infer) -> Dims:
    dims = c.rank_at_least(0, 1)
    return None if dims is None else (*dims, dims[-1])


@op("MatrixDiag", _matrix_diag_dims, T=ANY)
def _matrix_diag(diagonal: T, name: str | None = None) -> Tensor:
    """Matrices with the last dimension of `diagonal` as their diagonals and zeros elsewhere."""
    return xp.where(_eye(diagonal, diagonal.shape[-1], diagonal.shape[-1]), xp.expand_dims(diagonal, -1), np.zeros((), diagonal.dtype))


def _matrix_diag_part_dims(c: Infer) -> Dims:
    dims = c.rank_at_least(0, 2)
    return None if dims is None else (*dims[:-2], _smaller(dims[-2], dims[-1]))


@op("MatrixDiagPart", _matrix_diag_part_dims, out="diagonal: T", T=ANY)
def _matrix_diag_part(input: T, name: str | None = None) -> Tensor:
    """The diagonals of matrices."""
    return xp.diagonal(input, axis1=-2, axis2=-1)


def _set_diag_dims(c: Infer) -> Dims:
    dims, given = c.rank_at_least(0, 2), c.rank_at_least(1, 1)
    if dims is None:
        return None
    merge_dims((*dims[:-2], _smaller(dims[-2], dims[-1])), given)
    return dims if given is None else (*(merge_dims(dims[:-2], given[:-1]) or ()), *dims[-2:])


@op("MatrixSetDiag", _set_diag_dims, T=ANY)
def _matrix_set_diag(input: T, diagonal: T, name: str | None = None) -> Tensor:
    """Matrices with their diagonals replaced."""
    rows, columns = input.shape[-2:]
    n = min(rows, columns)
    padding = [(0, 0)] * (input.ndim - 2) + [(0, columns - n)]
    row = xp.pad(diagonal, padding) if columns > n else diagonal
    return xp.where(_eye(input, rows, columns), xp.expand_dims(row, -2), input)


@grad("MatrixDiag")
def _(op: Operation, dz: Tensor) -> Any:
    return _matrix_diag_part(dz)


@grad("MatrixDiagPart")
def _(op: Operation, dz: Tensor) -> Any:
    x = op.inputs[0]
    if x.dims is not None and x.dims[-1] is not None and x.dims[-1] == x.dims[-2]:
        return _matrix_diag(dz)
    return _matrix_set_diag(zeros_like(x), dz)


@grad("MatrixSetDiag")
def _(op: Operation, dz: Tensor) -> Any:
    return _matrix_set_diag(dz, zeros_like(op.inputs[1])), _matrix_diag_part(dz)


# -- any diagonals of matrices -----------------------------------------------------------------------


def _bounds(k: Any) -> tuple[int, int]:
    """Returns the lowest and highest diagonal that `k`, a number or a pair, names."""
    given = sizes(k)
    if not 1 <= len(given) <= 2 or given[0] > given[-1]:
        raise ValueError(f"k must be one number or two in increasing order, got {list(given)}")
    return given[0], given[-1]


def diagonal_length(rows: int, columns: int, low: int, high: int) -> int:
    """Returns the length of the longest of the diagonals `low` .. `high`."""
    for k in (low, high):
        if k != 0 and not -rows < k < columns:
            raise ValueError(f"diagonal {k} is outside a matrix of {rows} rows and {columns} columns")
    return min(rows + min(high, 0), columns - max(low, 0))


def _matrix_size(length: int, low: int, high: int, rows: int, columns: int) -> tuple[int, int]:
    """Returns the size of matrices whose diagonals are given; -1 stands for the smallest that fits, a square if both are -1."""
    least_rows, least_columns = length - min(high, 0), length + max(low, 0)
    if rows == -1 and columns == -1:
        rows = columns = max(least_rows, least_columns)
    rows, columns = (least_rows if rows == -1 else rows), (least_columns if columns == -1 else columns)
    if rows < least_rows or columns < least_columns or (rows != least_rows and columns != least_columns):
        raise ValueError(f"matrices of {rows} rows and {columns} columns do not fit diagonals of length {length}: least {least_rows} and {least_columns}")
    return rows, columns


def _scalar(c: Infer, index: int) -> int | None:
    value = c.value(index)
    return None if value is None else int(value)


def _matrix_diag_v2_dims(c: Infer) -> Dims:
    dims, k = c.rank_at_least(0, 1), c.value(1)
    rows, columns = _scalar(c, 2), _scalar(c, 3)
    if dims is None or k is None:
        return None
    low, high = _bounds(k)
    if low < high and dims[-2:-1] not in ((high - low + 1,), (None,)):
        raise ValueError(f"diagonals of shape {shape_str(dims)} do not fit k = {[low, high]}")
    batch = dims[: -1 if low == high else -2]
    if dims[-1] is None or rows is None or columns is None:
        return (*batch, None, None)
    return (*batch, *_matrix_size(dims[-1], low, high, rows, columns))


def _above(like: Any, rows: int, columns: int) -> Any:
    """Returns for each place of a matrix the number of its diagonal, computed where `like` is."""
    space = xp.namespace(like)
    return space.arange(columns, dtype=np.int32) - space.arange(rows, dtype=np.int32)[:, None]


def _laid_out(diagonal: Any, rows: int, columns: int, low: int, high: int) -> tuple[Any, Any]:
    """Returns whether each place of a matrix is in the band, and the elements of `diagonal` at their places."""
    d = _above(diagonal, rows, columns)
    inside = xp.logical_and(xp.greater_equal(d, np.int32(low)), xp.less_equal(d, np.int32(high)))
    if not diagonal.shape[-1] or not rows or not columns:
        return inside, np.zeros((), diagonal.dtype)
    space = xp.namespace(diagonal)
    place = space.minimum(space.arange(rows)[:, None], space.arange(columns))
    place = xp.minimum(place, np.asarray(diagonal.shape[-1] - 1, place.dtype))
    if low == high:
        return inside, diagonal[..., place]
    which = xp.clip(np.int32(high) - d, 0, high - low)
    return inside, diagonal[..., which, place]


@op("MatrixDiagV2", _matrix_diag_v2_dims, static="k num_rows num_cols", T=ANY)
def _matrix_diag_v2(diagonal: T, k: Int32, num_rows: Int32, num_cols: Int32, padding_value: T, name: str | None = None) -> Tensor:
    """Matrices with given diagonals, `padding_value` elsewhere."""
    low, high = _bounds(k)
    rows, columns = _matrix_size(diagonal.shape[-1], low, high, sizes(num_rows)[0], sizes(num_cols)[0])
    inside, values = _laid_out(diagonal, rows, columns, low, high)
    batch = diagonal.shape[: -1 if low == high else -2]
    return xp.where(xp.broadcast_to(inside, (*batch, rows, columns)), values, padding_value)


def _diagonals_dims(rows: int | None, columns: int | None, k: Any) -> tuple[int | None, ...]:
    low, high = _bounds(k)
    length = None if rows is None or columns is None else diagonal_length(rows, columns, low, high)
    return (length,) if low == high else (high - low + 1, length)


def _matrix_diag_part_v2_dims(c: Infer) -> Dims:
    dims, k = c.rank_at_least(0, 2), c.value(1)
    return None if dims is None or k is None else (*dims[:-2], *_diagonals_dims(dims[-2], dims[-1], k))


@op("MatrixDiagPartV2", _matrix_diag_part_v2_dims, out="diagonal: T", static="k", T=ANY)
def _matrix_diag_part_v2(input: T, k: Int32, padding_value: T, name: str | None = None) -> Tensor:
    """Chosen diagonals of matrices, filled up to the length of the longest with `padding_value`."""
    low, high = _bounds(k)
    rows, columns = input.shape[-2:]
    length = diagonal_length(rows, columns, low, high)
    d = np.arange(high, low - 1, -1)[:, None]
    m, n = np.arange(length) + np.maximum(-d, 0), np.arange(length) + np.maximum(d, 0)
    inside = (m < rows) & (n < columns)
    values = input[..., np.minimum(m, rows - 1), np.minimum(n, columns - 1)] if length else xp.zeros_like(input[..., :1, :0])
    out = xp.where(inside, values, padding_value)
    return out[..., 0, :] if low == high else out


def _set_diag_v2_dims(c: Infer) -> Dims:
    dims, k = c.rank_at_least(0, 2), c.value(2)
    if dims is not None and k is not None:
        merge_dims((*dims[:-2], *_diagonals_dims(dims[-2], dims[-1], k)), c.dims(1))
    return dims


@op("MatrixSetDiagV2", _set_diag_v2_dims, static="k", T=ANY)
def _matrix_set_diag_v2(input: T, diagonal: T, k: Int32, name: str | None = None) -> Tensor:
    """Matrices with chosen diagonals replaced."""
    low, high = _bounds(k)
    inside, values = _laid_out(diagonal, input.shape[-2], input.shape[-1], low, high)
    return xp.where(inside, values, input)


@grad("MatrixDiagV2")
def _(op: Operation, dz: Tensor) -> Any:
    return _matrix_diag_part_v2(dz, op.inputs[1], _zero(dz)), None, None, None, None


@grad("MatrixDiagPartV2")
def _(op: Operation, dz: Tensor) -> Any:
    x, k, _ = op.inputs
    return _matrix_set_diag_v2(zeros_like(x), dz, k), None, None


@grad("MatrixSetDiagV2")
def _(op: Operation, dz: Tensor) -> Any:
    _, diagonal, k = op.inputs
    return _matrix_set_diag_v2(dz, zeros_like(diagonal), k), _matrix_diag_part_v2(dz, k, _zero(dz)), None


def _zero(like: Tensor) -> Any:
    return np.zeros((), like.dtype.np_dtype)


@export("linalg.diag matrix_diag")
def matrix_diag(diagonal: Any, name: str | None = "diag", k: Any = 0, num_rows: Any = -1, num_cols: Any = -1, padding_value: Any = 0) -> Tensor:
    """Returns matrices with given diagonals.

    Args:
      diagonal: a tensor of rank at least 1, the diagonals in its last dimension; with several diagonals, these in the dimension before
        it, from the highest to the lowest, shorter ones filled up at the end.
      name: a name for the operation.
      k: the diagonal, or the lowest and the highest one: 0 is the main diagonal, positive ones are above it.
      num_rows, num_cols: the size of the matrices; by default the smallest square that fits.
      padding_value: what stands elsewhere.

    Raises ValueError when the sizes do not fit the diagonals.

    >>> matrix_diag([[1, 2, 3], [4, 5, 6]]).shape.as_list()
    [2, 3, 3]
    """
    if _is_main(k) and _is(num_rows, -1) and _is(num_cols, -1) and _is(padding_value, 0):
        return _matrix_diag(diagonal, name=name)
    diagonal = convert_to_tensor(diagonal)
    return _matrix_diag_v2(diagonal, k, num_rows, num_cols, padding_value, name=name)


@export("linalg.diag_part matrix_diag_part")
def matrix_diag_part(input: Any, name: str | None = "diag_part", k: Any = 0, padding_value: Any = 0) -> Tensor:
    """Returns chosen diagonals of matrices.

    Args:
      input: a tensor of rank at least 2, the matrices in its last two dimensions.
      name: a name for the operation.
      k: the diagonal, or the lowest and the highest one, as for `matrix_diag`.
      padding_value: fills diagonals up to the length of the longest.

    Returns the diagonals in the last dimension; several of them in the dimension before it, from the highest to the lowest.

    >>> matrix_diag_part(np.ones([2, 3, 4])).shape.as_list()
    [2, 3]
    """
    if _is_main(k) and _is(padding_value, 0):
        return _matrix_diag_part(input, name=name)
    return _matrix_diag_part_v2(convert_to_tensor(input), k, padding_value, name=name)


@export("linalg.set_diag matrix_set_diag")
def matrix_set_diag(input: Any, diagonal: Any, name: str | None = "set_diag", k: Any = 0) -> Tensor:
    """Returns matrices with chosen diagonals replaced.

    Args:
      input: a tensor of rank at least 2, the matrices in its last two dimensions.
      diagonal: the new diagonals, of the shape `matrix_diag_part` gives.
      name: a name for the operation.
      k: the diagonal, or the lowest and the highest one, as for `matrix_diag`.
    """
    if _is_main(k):
        return _matrix_set_diag(input, diagonal, name=name)
    return _matrix_set_diag_v2(input, diagonal, k, name=name)


def _is(value: Any, number: int) -> bool:
    return not isinstance(value, Tensor) and np.ndim(value) == 0 and value == number


def _is_main(k: Any) -> bool:
    return _is(k, 0)


# -- bands -------------------------------------------------------------------------------------------


@op("MatrixBandPart", lambda c: c.rank_at_least(0, 2), out="band: T", api="linalg.band_part matrix_band_part", T=ANY, Tindex=INDEX.default_to(int64))
def matrix_band_part(input: T, num_lower: Tindex, num_upper: Tindex, name: str | None = None) -> Tensor:
    """Returns matrices with zeros outside a band around the main diagonal.

    Args:
      input: a tensor of rank at least 2, the matrices in its last two dimensions.
      num_lower, num_upper: how many diagonals below and above the main one to keep, all when negative: 0 and -1 give the
        upper triangle.
      name: a name for the operation.

    >>> matrix_band_part(np.ones([3, 3]), 0, -1).shape.as_list()
    [3, 3]
    """
    above = xp.astype(_above(input, input.shape[-2], input.shape[-1]), num_lower.dtype)
    zero = np.zeros((), num_lower.dtype)
    lower = xp.logical_or(xp.less(num_lower, zero), xp.less_equal(-above, num_lower))
    upper = xp.logical_or(xp.less(num_upper, zero), xp.less_equal(above, num_upper))
    return xp.where(xp.logical_and(lower, upper), input, np.zeros((), input.dtype))


@grad("MatrixBandPart")
def _(op: Operation, dz: Tensor) -> Any:
    return matrix_band_part(dz, op.inputs[1], op.inputs[2]), None, None


# -- functions ---------------------------------------------------------------------------------------


@export("trace linalg.trace")
def trace(x: Any, name: str | None = None) -> Tensor:
    """Returns the sums of the main diagonals of matrices, which are in the last two dimensions of `x`.

    >>> trace([[1, 2], [3, 4]]).shape.as_list()
    []
    """
    with get_default_graph().name_scope(name or "Trace") as scope:
        x = convert_to_tensor(x, name="x")
        return reduce_sum(matrix_diag_part(x), [-1], name=scope)


@export("eye linalg.eye")
def eye(num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """Returns an identity matrix, or a batch of them.

    Args:
      num_rows: the number of rows, an integer or a scalar tensor.
      num_columns: the number of columns; that of rows when None.
      batch_shape: the leading dimensions, a list of integers or a vector.
      dtype: the element type.
      name: a name for the operations.

    >>> eye(2, 3, batch_shape=[4]).shape.as_list()
    [4, 2, 3]
    """
    with get_default_graph().name_scope(name or "eye"):
        square = num_columns is None
        batch = _known_shape([] if batch_shape is None else batch_shape)
        size = _known_shape([num_rows, num_rows if square else num_columns])
        if batch is not None and size is not None:
            diagonal, whole = [*batch, min(size)], [*batch, *size]
        else:
            columns = num_rows if square else num_columns
            shorter = minimum(num_rows, columns)
            given = convert_to_tensor([] if batch_shape is None else batch_shape, dtypes.int32, name="shape")
            diagonal = concat([given, [shorter]], 0)
            whole = None if square else concat([given, [num_rows, columns]], 0)
        if square:
            return matrix_diag(ones(diagonal, dtype))
        return matrix_set_diag(zeros(whole, dtype), ones(diagonal, dtype))


def _known_shape(value: Any) -> list[int] | None:
    """Returns a shape as integers unless it is, or holds, tensors."""
    if isinstance(value, TensorShape):
        dims = dims_of(value)
        return [d or 0 for d in dims or ()] if fully_known(dims) else None
    if isinstance(value, Tensor) or any(isinstance(v, Tensor) for v in value):
        return None
    return [int(np.asarray(v)) for v in value]
