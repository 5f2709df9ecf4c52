"""Matrix products: MatMul, BatchMatMul, SparseMatMul, and what dispatches to them: matmul, matvec.

`tensordot` and `einsum` are in `ir.ops.contraction`.
"""

from typing import Annotated, Any

from ir import xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import COMPLEX, FLOAT, INDEX, TypeSet, bfloat16, float32
from ir.infer import Infer, broadcast_dims
from ir.opdef import In, T
from ir.ops.broadcast import unbroadcast
from ir.ops.cast import cast, conj
from ir.ops.layout import expand_dims, reshape, squeeze
from ir.shapes import Dims, merge_dims, shape_str
from ir.tensor import Operation, Tensor

FACTORS = FLOAT | INDEX | COMPLEX
BRAIN = TypeSet("float32 bfloat16").default_to(float32)

Ta = Annotated[Any, In("Ta")]
Tb = Annotated[Any, In("Tb")]


# -- the operations ----------------------------------------------------------------------------------


def _sizes(dims: tuple[int | None, ...], transposed: bool) -> tuple[int | None, int | None]:
    return (dims[-1], dims[-2]) if transposed else (dims[-2], dims[-1])


def _product_dims(c: Infer, a: tuple[int | None, ...], b: tuple[int | None, ...], transpose_a: bool, transpose_b: bool) -> tuple[int | None, int | None]:
    rows, inner = _sizes(a, transpose_a)
    other, columns = _sizes(b, transpose_b)
    if inner is not None and other is not None and inner != other:
        marks = f"{' (transposed)' * transpose_a}", f"{' (transposed)' * transpose_b}"
        raise ValueError(f"inner dimensions differ: {inner} and {other}, of {shape_str(c.dims(0))}{marks[0]} and {shape_str(c.dims(1))}{marks[1]}")
    return rows, columns


def _matmul_dims(c: Infer) -> Dims:
    a, b = c.rank(0, 2) or (), c.rank(1, 2) or ()
    return _product_dims(c, a, b, c.attrs["transpose_a"], c.attrs["transpose_b"])


@op("MatMul", _matmul_dims, out="product: T", T=FACTORS)
def _matmul(a: T, b: T, transpose_a: bool = False, transpose_b: bool = False, name: str | None = None) -> Tensor:
    """The product of two matrices, each possibly transposed."""
    return xp.astype(xp.matmul(xp.transpose(a) if transpose_a else a, xp.transpose(b) if transpose_b else b), a.dtype)


def _batch_dims(c: Infer) -> Dims:
    x, y = c.rank_at_least(0, 2), c.rank_at_least(1, 2)
    if x is None or y is None:
        return None
    return (*(merge_dims(x[:-2], y[:-2]) or ()), *_product_dims(c, x, y, c.attrs["adj_x"], c.attrs["adj_y"]))


def _batch_v2_dims(c: Infer) -> Dims:
    x, y = c.rank_at_least(0, 2), c.rank_at_least(1, 2)
    if x is None or y is None:
        return None
    return (*(broadcast_dims(x[:-2], y[:-2]) or ()), *_product_dims(c, x, y, c.attrs["adj_x"], c.attrs["adj_y"]))


def _adjoint(x: Any) -> Any:
    x = xp.swapaxes(x, -1, -2)
    return xp.conj(x) if x.dtype.kind == "c" else x


@op("BatchMatMul", _batch_dims, T=FACTORS)
def _batch_mat_mul(x: T, y: T, adj_x: bool = False, adj_y: bool = False, name: str | None = None) -> Tensor:
    """The products of the matrices in the last two dimensions; the other dimensions are equal."""
    return xp.astype(xp.matmul(_adjoint(x) if adj_x else x, _adjoint(y) if adj_y else y), x.dtype)


@op("BatchMatMulV2", _batch_v2_dims, T=FACTORS)
def _batch_mat_mul_v2(x: T, y: T, adj_x: bool = False, adj_y: bool = False, name: str | None = None) -> Tensor:
    """The products of the matrices in the last two dimensions; the other dimensions broadcast."""
    return xp.astype(xp.matmul(_adjoint(x) if adj_x else x, _adjoint(y) if adj_y else y), x.dtype)


@op("SparseMatMul", _matmul_dims, out="product: float32", Ta=BRAIN, Tb=BRAIN)
def _sparse_mat_mul(
    a: Ta, b: Tb, transpose_a: bool = False, transpose_b: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False, name: str | None = None
) -> Tensor:
    """The product of two matrices of which one holds many zeros, in float32. The hints about zeros change nothing here."""
    a, b = xp.astype(a, float32.np_dtype), xp.astype(b, float32.np_dtype)
    return xp.matmul(xp.transpose(a) if transpose_a else a, xp.transpose(b) if transpose_b else b)


# -- gradients ---------------------------------------------------------------------------------------


def _product_grads(a: Tensor, b: Tensor, dz: Tensor, ta: bool, tb: bool) -> tuple[Tensor, Tensor]:
    """Returns the gradients of a matrix product, of which `a` and `b` are conjugated already."""
    da = _matmul(b, dz, tb, True) if ta else _matmul(dz, b, False, not tb)
    db = _matmul(dz, a, True, ta) if tb else _matmul(a, dz, not ta, False)
    return da, db


@grad("MatMul")
def _(op: Operation, dz: Tensor) -> Any:
    a, b = op.inputs
    return _product_grads(conj(a), conj(b), dz, op.attrs["transpose_a"], op.attrs["transpose_b"])


@grad("SparseMatMul")
def _(op: Operation, dz: Tensor) -> Any:
    a, b = op.inputs
    da, db = _product_grads(cast(a, float32), cast(b, float32), dz, op.attrs["transpose_a"], op.attrs["transpose_b"])
    return cast(da, a.dtype), cast(db, b.dtype)


def _batch_grads(fn: Any, op: Operation, dz: Tensor) -> tuple[Tensor, Tensor]:
    x, y = op.inputs
    ax, ay = op.attrs["adj_x"], op.attrs["adj_y"]
    dx = fn(y, dz, ay, True) if ax else fn(dz, y, False, not ay)
    dy = fn(dz, x, True, ax) if ay else fn(x, dz, not ax, False)
    return dx, dy


@grad("BatchMatMul")
def _(op: Operation, dz: Tensor) -> Any:
    return _batch_grads(_batch_mat_mul, op, dz)


@grad("BatchMatMulV2")
def _(op: Operation, dz: Tensor) -> Any:
    x, y = op.inputs
    dx, dy = _batch_grads(_batch_mat_mul_v2, op, dz)
    folded = _folded(x, dz) if y.dims is not None and len(y.dims) == 2 and not op.attrs["adj_x"] else None
    if folded is None:
        return unbroadcast(x, y, dx, dy, own=2)
    rows, dz_rows = conj(folded[0]), folded[1]
    dy = conj(_matmul(dz_rows, rows, True)) if op.attrs["adj_y"] else _matmul(rows, dz_rows, True)
    return unbroadcast(x, y, dx, None, own=2)[0], dy


def _folded(x: Tensor, dz: Tensor) -> tuple[Tensor, Tensor] | None:
    """Returns stacks of matrices as one tall matrix each, so that one product sums over the stack; None if too little is known."""
    if x.dims is None or dz.dims is None or not x.dims[-1] or not dz.dims[-1]:
        return None
    return reshape(x, [-1, x.dims[-1]]), reshape(dz, [-1, dz.dims[-1]])


# -- functions ---------------------------------------------------------------------------------------


def _use_sparse(a: Tensor, b: Tensor, hinted: bool) -> bool:
    pair = a.dtype.base_dtype, b.dtype.base_dtype
    if pair[0] is not pair[1] and bfloat16 in pair:
        return True
    return hinted and pair[0] in BRAIN and pair[1] in BRAIN


@export("matmul linalg.matmul")
def matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False, adjoint_b: bool = False,
    a_is_sparse: bool = False, b_is_sparse: bool = False, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Multiplies matrix `a` by matrix `b`, or stacks of matrices.

    Args:
      a, b: tensors of one type (float, complex, int32, int64) and rank at least 2. The matrices are in the last two
        dimensions; the dimensions before them broadcast against each other.
      transpose_a, transpose_b: transpose the matrices first.
      adjoint_a, adjoint_b: transpose and conjugate the matrices first.
      a_is_sparse, b_is_sparse: hints that a matrix holds many zeros.
      name: a name for the operation.

    Returns the products. Raises ValueError when the inner dimensions differ, or a matrix is to be both transposed and
    adjoint.

    >>> matmul([[1, 2, 3], [4, 5, 6]], [[7, 8], [9, 10], [11, 12]]).shape.as_list()
    [2, 2]
    """
    if (transpose_a and adjoint_a) or (transpose_b and adjoint_b):
        which = "a" if transpose_a and adjoint_a else "b"
        raise ValueError(f"Only one of transpose_{which} and adjoint_{which} can be True.")
    with get_default_graph().name_scope(name or "MatMul") as scope:
        a = convert_to_tensor(a, name="a")
        b = convert_to_tensor(b, a.dtype.base_dtype if not isinstance(b, Tensor) else None, name="b")
        sparse = _use_sparse(a, b, a_is_sparse or b_is_sparse)
        matrices = a.dims is not None and len(a.dims) <= 2 and b.dims is not None and len(b.dims) <= 2
        if not matrices and not a_is_sparse and not b_is_sparse:
            if transpose_a:
                a, adjoint_a = conj(a), True
            if transpose_b:
                b, adjoint_b = conj(b), True
            return _batch_mat_mul_v2(a, b, adjoint_a, adjoint_b, name=scope)
        if adjoint_a:
            a, transpose_a = conj(a), True
        if adjoint_b:
            b, transpose_b = conj(b), True
        if not sparse:
            return _matmul(a, b, transpose_a, transpose_b, name=scope)
        out = _sparse_mat_mul(a, b, transpose_a, transpose_b, a_is_sparse, b_is_sparse, name=scope)
        return cast(out, bfloat16) if a.dtype.base_dtype is bfloat16 and b.dtype.base_dtype is bfloat16 else out


@export("sparse_matmul")
def sparse_matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False, name: str | None = None
) -> Tensor:
    """Multiplies matrix `a` by matrix `b`, float32 or bfloat16, of which one holds many zeros; the result is float32.

    The arguments are those of `matmul`; the hints about zeros change nothing here.
    """
    return _sparse_mat_mul(a, b, transpose_a, transpose_b, a_is_sparse, b_is_sparse, name=name)


@export("linalg.matvec")
def matvec(
    a: Any, b: Any, transpose_a: bool = False, adjoint_a: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False, name: str | None = None
) -> Tensor:
    """Multiplies matrix `a` by vector `b`, or stacks of them.

    Args:
      a: a tensor of rank at least 2, the matrices in the last two dimensions.
      b: a tensor of the type of `a`, the vectors in the last dimension; the dimensions before broadcast.
      transpose_a, adjoint_a, a_is_sparse, b_is_sparse: as for `matmul`.
      name: a name for the operation.

    >>> matvec([[1, 2, 3], [4, 5, 6]], [7, 9, 11]).shape.as_list()
    [2]
    """
    with get_default_graph().name_scope(name or "MatVec"):
        column = expand_dims(b, -1)
        out = matmul(a, column, transpose_a, False, adjoint_a, False, a_is_sparse, b_is_sparse)
        return squeeze(out, axis=-1)
