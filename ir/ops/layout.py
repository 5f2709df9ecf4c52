"""Shapes and the order of elements: Shape, Reshape, Transpose, Fill, Range and what is made of them."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from ir import dtypes, xp
from ir.build import export, grad, op
from ir.convert import add_constant, constant, convert_to_tensor, get_default_graph, register_tensor_conversion_function, to_array
from ir.dtypes import ANY, INDEX, DType, TypeSet, as_dtype, int32
from ir.infer import Infer, broadcast_dims, from_shape_input, scalar
from ir.opdef import In, Ints, ListT, Shape, T, Type, lookup
from ir.ops import basic
from ir.ops.cast import cast
from ir.shapes import Dimension, Dims, TensorShape, compatible, dims_of, fully_known, merge_dims, num_elements, shape_str
from ir.sparse_tensor import SparseTensor, SparseTensorValue
from ir.static import UNKNOWN
from ir.tensor import Operation, Tensor

Tshape = Annotated[Any, In("Tshape")]
Tdim = Annotated[Any, In("Tdim")]
Tperm = Annotated[Any, In("Tperm")]
Tidx = Annotated[Any, In("Tidx")]
IndexType = Annotated[Any, In("index_type")]
INDEX32 = INDEX.default_to(int32)


def sizes(shape: Any) -> tuple[int, ...]:
    """Returns the static value of a shape or a list of axes as a tuple, for the body of an op."""
    return tuple(int(d) for d in np.asarray(shape).reshape(-1).tolist())


def length(c: Infer, index: int) -> int | None:
    """Returns the length of flat input `index`, which must be a vector, as far as it is known."""
    dims = c.rank(index, 1)
    return dims[0] if dims else None


def _convert_dimension(value: Dimension, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Tensor:
    if value.value is None:
        raise ValueError(f"Cannot convert an unknown Dimension to a Tensor: {value}")
    return constant(value.value, dtype or int32, name=name or "dimension_as_tensor")


def _convert_shape(value: TensorShape, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Tensor:
    return constant(to_array(value, None if dtype is None else as_dtype(dtype)), name=name or "shape_as_tensor")


register_tensor_conversion_function(Dimension, _convert_dimension)
register_tensor_conversion_function(TensorShape, _convert_shape)


# -- the shape as a value ----------------------------------------------------------------------------


def _length_of_shape(c: Infer) -> Dims:
    dims = c.dims(0)
    return (None if dims is None else len(dims),)


@op("Shape", _length_of_shape, out="output: out_type", of_shape=True, T=ANY, out_type=INDEX)
def _shape(input: T, out_type: Type = "int32", name: str | None = None) -> Tensor:
    """The shape of `input` as a vector."""
    return np.array(np.shape(input), dtype=out_type.np_dtype)  # pyright: ignore[reportReturnType]


@op("ShapeN", lambda c: [(None if d is None else len(d),) for d in c.all_dims], out="output: N*out_type", of_shape=True, T=ANY, out_type=INDEX)
def _shape_n(input: ListT, out_type: Type = "int32", name: str | None = None) -> list[Tensor]:
    """The shapes of several tensors."""
    return [np.array(np.shape(x), dtype=out_type.np_dtype) for x in input]  # pyright: ignore[reportReturnType]


@op("Size", scalar, out="output: out_type", of_shape=True, T=ANY, out_type=INDEX)
def _size(input: T, out_type: Type = "int32", name: str | None = None) -> Tensor:
    """The number of elements of `input`."""
    return np.array(np.size(input), dtype=out_type.np_dtype)  # pyright: ignore[reportReturnType]


@op("Rank", scalar, out="output: int32", of_shape=True, T=ANY)
def _rank(input: T, name: str | None = None) -> Tensor:
    """The number of dimensions of `input`."""
    return np.array(np.ndim(input), dtype=np.int32)  # pyright: ignore[reportReturnType]


grad.none("Shape ShapeN Size Rank", "a shape does not depend on the values")


def _is_sparse(value: Any) -> bool:
    return isinstance(value, (SparseTensor, SparseTensorValue))


def shape_internal(input: Any, name: str | None = None, optimize: bool = True, out_type: Any = int32) -> Tensor:
    """Returns the shape of `input` as a tensor, a constant when `optimize` and it is known."""
    with get_default_graph().name_scope(name or "Shape") as scope:
        if _is_sparse(input):
            return cast(input.dense_shape, out_type)
        x = convert_to_tensor(input)
        if optimize and fully_known(x.dims):
            return constant(list(x.dims or ()), out_type, name=scope)
        return _shape(x, out_type, name=scope)


@export("shape")
def shape(input: Any, name: str | None = None, out_type: Any = int32) -> Tensor:
    """Returns the shape of a tensor as a vector.

    Args:
      input: a Tensor or SparseTensor.
      out_type: int32 or int64.

    >>> shape(zeros([2, 3])).shape.as_list()
    [2]
    """
    return shape_internal(input, name, optimize=True, out_type=out_type)


@export("shape_n")
def shape_n(input: Sequence[Any], out_type: Any = int32, name: str | None = None) -> list[Tensor]:
    """Returns the shapes of several tensors of one type."""
    return _shape_n(input, out_type, name=name)


def size_internal(input: Any, name: str | None = None, optimize: bool = True, out_type: Any = int32) -> Tensor:
    """Returns the number of elements of `input`, a constant when `optimize` and it is known."""
    with get_default_graph().name_scope(name or "Size") as scope:
        if _is_sparse(input):
            return raw("Prod")(cast(input.dense_shape, out_type), 0, name=scope)
        x = convert_to_tensor(input)
        if optimize:
            n = num_elements(x.dims)
            if n is None and x.dims and 0 in x.dims:
                n = 0
            if n is not None:
                return constant(n, out_type, name=scope)
        return _size(x, out_type, name=scope)


@export("size")
def size(input: Any, name: str | None = None, out_type: Any = int32) -> Tensor:
    """Returns the number of elements of a Tensor, or of the dense form of a SparseTensor, as a scalar of `out_type`."""
    return size_internal(input, name, optimize=True, out_type=out_type)


def rank_internal(input: Any, name: str | None = None, optimize: bool = True) -> Tensor:
    """Returns the rank of `input`, a constant when `optimize` and it is known."""
    with get_default_graph().name_scope(name or "Rank") as scope:
        if _is_sparse(input):
            return size_internal(input.dense_shape, name=scope)
        x = convert_to_tensor(input)
        if optimize and x.dims is not None:
            return constant(len(x.dims), int32, name=scope)
        return _rank(x, name=scope)


@export("rank")
def rank(input: Any, name: str | None = None) -> Tensor:
    """Returns the number of dimensions of a Tensor or SparseTensor as an int32 scalar."""
    return rank_internal(input, name, optimize=True)


def raw(name: str) -> Any:
    """Returns the function that builds op type `name`, for gradients that need a family further up."""
    return lookup(name).public


def all_axes(x: Tensor) -> Any:
    """Returns the numbers of all dimensions of `x`, as an array when the rank is known."""
    if x.dims is not None:
        return np.arange(len(x.dims), dtype=np.int32)
    return _range(0, _rank(x), 1)


# -- new shape, same elements ------------------------------------------------------------------------


def _reshaped(c: Infer) -> Dims:
    source, target = c.dims(0), c.shape_value(1)
    exact = c.value(1)
    if exact is not None and int((exact == -1).sum()) > 1:
        raise ValueError(f"only one size of the shape may be -1, got {exact.tolist()}")
    if target is None:
        return None
    n = num_elements(source)
    known = num_elements(tuple(d for d in target if d is not None)) or 0
    missing = target.count(None)
    if n is None:
        sure = num_elements(tuple(d for d in source or () if d is not None)) or 0
        if not missing and sure and known % sure:
            raise ValueError(f"Cannot reshape a tensor of shape {shape_str(source)} to shape {shape_str(target)} ({known} elements)")
        return target
    if missing == 0:
        if n != known:
            raise ValueError(f"Cannot reshape a tensor with {n} elements to shape {shape_str(target)} ({known} elements)")
        return target
    if known and n % known:
        raise ValueError(f"Dimension size must be evenly divisible by {known} but is {n}: cannot reshape {shape_str(source)} to {shape_str(target)}")
    if missing > 1 or not known:
        return target
    return tuple(n // known if d is None else d for d in target)


@op("Reshape", _reshaped, static="shape", api="reshape manip.reshape", T=ANY, Tshape=INDEX32)
def reshape(tensor: T, shape: Tshape, name: str | None = None) -> Tensor:
    """Returns a tensor with the elements of `tensor` in row-major order and shape `shape`.

    At most one size in `shape` may be -1; it is computed. Raises ValueError when the number of elements differs.

    >>> reshape([1, 2, 3, 4], [2, -1]).shape.as_list()
    [2, 2]
    """
    return xp.reshape(tensor, sizes(shape))


@grad("Reshape")
def _(op: Operation, dy: Tensor) -> Any:
    return reshape(dy, shape(op.inputs[0])), None


def _expanded(c: Infer) -> Dims:
    dims, axis = c.dims(0), c.value(1)
    if dims is None:
        return None
    if axis is None:
        return (None,) * (len(dims) + 1)
    if axis.size != 1:
        raise ValueError(f"'dim' input must be a tensor with a single value, got shape {axis.shape}")
    a = int(axis.reshape(-1)[0])
    n = len(dims) + 1
    if not -n <= a < n:
        raise ValueError(f"dim {a} not in the interval [{-n}, {n - 1}].")
    a %= n
    return (*dims[:a], 1, *dims[a:])


@op("ExpandDims", _expanded, static="dim", T=ANY, Tdim=INDEX32)
def _expand_dims(input: T, dim: Tdim, name: str | None = None) -> Tensor:
    """Inserts a dimension of size 1."""
    return xp.expand_dims(input, sizes(dim)[0])


@grad("ExpandDims")
def _(op: Operation, dy: Tensor) -> Any:
    return reshape(dy, shape(op.inputs[0])), None


def _one_of(new: Any, new_name: str, old: Any, old_name: str) -> Any:
    if old is not None:
        if new is not None:
            raise ValueError(f"Cannot specify both '{new_name}' and '{old_name}'")
        return old
    return new


@export("expand_dims")
def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """Inserts a dimension of size 1 at position `axis` of the result.

    Args:
      input: a tensor.
      axis: a number in [-rank - 1, rank].
      dim: the old name of `axis`.

    >>> expand_dims([1, 2], -1).shape.as_list()
    [2, 1]
    """
    axis = _one_of(axis, "axis", dim, "dim")
    if axis is None:
        raise ValueError("Must specify an axis argument to tf.expand_dims()")
    return _expand_dims(input, axis, name=name)


def _squeezed(c: Infer) -> Dims:
    dims, axes = c.dims(0), c.attrs["squeeze_dims"]
    if dims is None:
        return None
    if not axes:
        return None if None in dims else tuple(d for d in dims if d != 1)
    n = len(dims)
    drop: set[int] = set()
    for a in axes:
        if not -n <= a < n:
            raise ValueError(f"axis {a} not in the interval [{-n}, {n - 1}] of a tensor of rank {n}")
        if dims[a] not in (1, None):
            raise ValueError(f"Can not squeeze dim[{a}], expected a dimension of 1, got {dims[a]}")
        drop.add(a % n)
    return tuple(d for i, d in enumerate(dims) if i not in drop)


@op("Squeeze", _squeezed, T=ANY)
def _squeeze(input: T, squeeze_dims: Ints = (), name: str | None = None) -> Tensor:
    """Drops dimensions of size 1."""
    if not squeeze_dims:
        return xp.squeeze(input)
    n = np.ndim(input)
    return xp.squeeze(input, tuple({a % n for a in squeeze_dims}))


@grad("Squeeze")
def _(op: Operation, dy: Tensor) -> Any:
    return reshape(dy, shape(op.inputs[0]))


@export("squeeze")
def squeeze(input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None) -> Tensor:
    """Drops dimensions of size 1: those in `axis` (a number or list), or all.

    Raises ValueError when a dimension in `axis` has another size. `squeeze_dims` is the old name of `axis`.
    """
    axis = _one_of(axis, "axis", squeeze_dims, "squeeze_dims")
    if axis is None:
        axis = ()
    return _squeeze(input, axis if isinstance(axis, (list, tuple)) else np.reshape(axis, -1).tolist(), name=name)


def _ensured(c: Infer) -> Dims:
    return merge_dims(dims_of(c.attrs["shape"]), c.dims(0))


@op("EnsureShape", _ensured, out="output: T", T=ANY)
def _ensure_shape(input: T, shape: Shape, name: str | None = None) -> Tensor:
    """Passes `input` through; its shape must be compatible with `shape`."""
    found, wanted = np.shape(input), dims_of(shape)
    if not compatible(found, wanted):
        raise ValueError(f"Shape of tensor {shape_str(found)} is not compatible with expected shape {shape_str(wanted)}.")
    return input


@grad("EnsureShape")
def _(op: Operation, dy: Tensor) -> Any:
    return dy


@export("ensure_shape")
def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """Returns `x` with the static shape `shape`; running it raises InvalidArgumentError when the value has another."""
    return _ensure_shape(x, TensorShape(shape), name=name)


# -- order of dimensions -----------------------------------------------------------------------------


def _transposed(c: Infer) -> Dims:
    dims, perm = c.dims(0), c.value(1)
    count = length(c, 1)
    if dims is None:
        return None if count is None else (None,) * count
    if count is not None and count != len(dims):
        raise ValueError(f"the permutation has {count} entries for a tensor of rank {len(dims)}")
    if perm is None:
        return (None,) * len(dims)
    n = len(dims)
    axes = [int(a) % n if -n <= a < n else n for a in perm.tolist()]
    if sorted(axes) != list(range(n)):
        raise ValueError(f"{perm.tolist()} is not a permutation of {n} dimensions")
    return tuple(dims[a] for a in axes)


@op("Transpose", _transposed, out="y: T", static="perm", T=ANY, Tperm=INDEX32)
def _transpose(x: T, perm: Tperm, name: str | None = None) -> Tensor:
    """Permutes the dimensions of `x`."""
    return xp.transpose(x, sizes(perm))


@op("ConjugateTranspose", _transposed, out="y: T", static="perm", T=ANY, Tperm=INDEX32)
def _conjugate_transpose(x: T, perm: Tperm, name: str | None = None) -> Tensor:
    """Permutes the dimensions of `x` and conjugates its elements."""
    moved = xp.transpose(x, sizes(perm))
    return xp.conj(moved) if moved.dtype.kind == "c" else moved


@grad("Transpose")
def _(op: Operation, dy: Tensor) -> Any:
    return _transpose(dy, invert_permutation(op.inputs[1])), None


@grad("ConjugateTranspose")
def _(op: Operation, dy: Tensor) -> Any:
    return _conjugate_transpose(dy, invert_permutation(op.inputs[1])), None


@export("transpose")
def transpose(a: Any, perm: Any = None, name: str | None = "transpose", conjugate: bool = False) -> Tensor:
    """Permutes the dimensions of `a`: dimension i of the result is dimension `perm[i]` of `a`.

    Args:
      a: a tensor.
      perm: a permutation of its dimensions; by default they are reversed.
      conjugate: conjugate complex elements too.

    >>> transpose(zeros([2, 3, 4]), [0, 2, 1]).shape.as_list()
    [2, 4, 3]
    """
    with get_default_graph().name_scope(name or "transpose") as scope:
        x = convert_to_tensor(a, name="a")
        fn = _conjugate_transpose if conjugate and x.dtype.is_complex else _transpose
        if perm is None:
            if x.dims:
                perm = np.arange(len(x.dims))[::-1]
            else:
                n = _rank(x)
                perm = (n - 1) - _range(0, n, 1)
        return fn(x, perm, name=scope)


def _vector(c: Infer) -> Dims:
    return c.rank(0, 1)


@op("InvertPermutation", _vector, out="y: T", api="invert_permutation math.invert_permutation", T=INDEX32)
def invert_permutation(x: T, name: str | None = None) -> Tensor:
    """Computes the inverse of a permutation: `y[x[i]] = i`.

    `x` is a vector that holds each of 0 .. n-1 once.
    """
    if isinstance(x, np.ndarray):
        if sorted(x.tolist()) != list(range(x.size)):
            raise ValueError(f"{x.tolist()} is not a permutation: an index is duplicated or out of range")
        out = np.empty_like(x)
        out[x] = np.arange(x.size, dtype=x.dtype)
        return out  # pyright: ignore[reportReturnType]
    return xp.astype(xp.argsort(x), x.dtype)


grad.none("InvertPermutation", "integers have no gradient")


# -- making tensors ----------------------------------------------------------------------------------


@op("Fill", from_shape_input(0), out="output: T", static="dims", T=ANY, index_type=INDEX32)
def _fill(dims: IndexType, value: T, name: str | None = None) -> Tensor:
    """A tensor of shape `dims`, every element `value`."""
    return xp.broadcast_to(value, sizes(dims)) if not isinstance(value, np.ndarray) else np.full(sizes(dims), value)  # pyright: ignore[reportReturnType]


@grad("Fill")
def _(op: Operation, dy: Tensor) -> Any:
    dy = convert_to_tensor(dy)
    return None, raw("Sum")(dy, all_axes(dy))


@export("fill")
def fill(dims: Any, value: Any, name: str | None = None) -> Tensor:
    """Returns a tensor of shape `dims` (a vector of sizes) whose elements all are the scalar `value`.

    >>> fill([2, 3], 9).shape.as_list()
    [2, 3]
    """
    return _fill(dims, value, name=name)


#: tensors of fewer elements than this become constants instead of Fill, as in TensorFlow
_SMALL = 1000


def _small_constant(value: Any, shape: Any, dtype: DType, name: str) -> Tensor | None:
    if isinstance(shape, (list, tuple)) and any(isinstance(v, Tensor) for v in shape):
        # TensorFlow computes the product and compares it, in the graph and for nothing; seeds count these nodes
        product: Any = shape[0]
        for v in shape[1:]:
            product = product * v
        _ = product < _SMALL
        return None
    if isinstance(shape, (int, np.integer)):
        return None
    try:
        dims = dims_of(shape)
    except (TypeError, ValueError):
        return None
    n = num_elements(dims)
    if n is None or n >= _SMALL:
        return None
    return add_constant(get_default_graph(), np.full([d or 0 for d in dims or ()], to_array(value, dtype)), name)


def _filled(value: Any, shape: Any, dtype: DType, scope: str) -> Tensor:
    if not isinstance(shape, Tensor):
        small = _small_constant(value, shape, dtype, scope)
        if small is not None:
            return small
        try:
            shape = convert_to_tensor(TensorShape(shape), int32, name="shape_as_tensor")
        except (TypeError, ValueError):
            shape = convert_to_tensor(shape, int32)
    if shape.dims != () and shape.dims is not None:
        return _fill(shape, constant(value, dtype), name=scope)
    return _fill(reshape(shape, [-1]), constant(value, dtype), name=scope)


@export("zeros")
def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """Returns a tensor of zeros (False, empty strings).

    Args:
      shape: a list of integers, a TensorShape, or a vector of int32 or int64.
      dtype: the element type.

    >>> zeros([3, 4], dtypes.int32).dtype.name
    'int32'
    """
    dtype = as_dtype(dtype).base_dtype
    value = False if dtype.is_bool else "" if dtype is dtypes.string else 0
    with get_default_graph().name_scope(name or "zeros") as scope:
        return _filled(value, shape, dtype, scope)


@export("ones")
def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """Returns a tensor of ones (True).

    Args:
      shape: a list of integers, a TensorShape, or a vector of int32 or int64.
      dtype: the element type.
    """
    dtype = as_dtype(dtype).base_dtype
    with get_default_graph().name_scope(name or "ones") as scope:
        return _filled(True if dtype.is_bool else 1, shape, dtype, scope)


@export("zeros_like")
def zeros_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Tensor:
    """Returns zeros of the shape of `tensor`, and of its type unless `dtype` is given.

    `optimize`: make a constant when the shape is known.
    """
    with get_default_graph().name_scope(name or "zeros_like") as scope:
        x = convert_to_tensor(tensor, name="tensor")
        wanted = x.dtype.base_dtype if dtype is None else as_dtype(dtype).base_dtype
        if wanted is dtypes.variant or wanted is dtypes.resource:
            return basic._zeros_like(x, name=scope)  # pyright: ignore[reportPrivateUsage]
        if optimize and fully_known(x.dims):
            return zeros(x.shape, wanted, name=scope)
        if wanted is not x.dtype.base_dtype:
            return zeros(shape_internal(x, optimize=optimize), wanted, name=scope)
        return basic._zeros_like(x, name=scope)  # pyright: ignore[reportPrivateUsage]


@export("ones_like")
def ones_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Tensor:
    """Returns ones of the shape of `tensor`, and of its type unless `dtype` is given.

    `optimize`: make a constant when the shape is known.
    """
    with get_default_graph().name_scope(name or "ones_like") as scope:
        x = convert_to_tensor(tensor, name="tensor")
        wanted = x.dtype.base_dtype if dtype is None else as_dtype(dtype).base_dtype
        out = ones(shape_internal(x, optimize=optimize), wanted, name=scope)
        out.set_shape(x.shape)
        return out


def _steps(start: Any, limit: Any, delta: Any) -> int:
    if delta == 0:
        raise ValueError("Requires delta != 0")
    if (delta > 0 and start > limit) or (delta < 0 and start < limit):
        raise ValueError(f"Requires start {'<=' if delta > 0 else '>='} limit when delta {'>' if delta > 0 else '<'} 0: {start}, {limit}")
    if isinstance(start, int):
        return -((start - limit) // delta) if delta > 0 else -((limit - start) // -delta)
    return int(np.ceil(abs((limit - start) / delta)))


def _range_dims(c: Infer) -> Dims:
    for i in range(3):
        c.rank(i, 0)
    values = [c.value(i) if c.tensors[i].op.type != "Const" else c.tensors[i].op.attrs["value"] for i in range(3)]
    if any(v is None for v in values):
        return (None,)
    return (_steps(*[v.item() if v is not None else 0 for v in values]),)


@op("Range", _range_dims, out="output: Tidx", static="start limit delta", Tidx=TypeSet("bfloat16 float32 float64 int32 int64").default_to(int32))
def _range(start: Tidx, limit: Tidx, delta: Tidx, name: str | None = None) -> Tensor:
    """The numbers start, start + delta, ... before limit."""
    dtype = np.asarray(start).dtype
    n = _steps(np.asarray(start).item(), np.asarray(limit).item(), np.asarray(delta).item())
    terms = np.full(n, delta, dtype=dtype)
    terms[:1] = start
    return np.add.accumulate(terms, dtype=dtype)  # pyright: ignore[reportReturnType]


grad.none("Range", "the length depends on the values")

_RANGE_ORDER = [dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64]


@export("range")
def range_(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = "range") -> Tensor:
    """Returns the vector of numbers from `start` (inclusive) to `limit` (exclusive) in steps of `delta`.

    With one number, it is the limit, and the start is 0. Without `dtype`, the widest type among the arguments counts.
    Raises ValueError when `limit` cannot be reached by `delta`.

    >>> range_(3, 18, 3).shape.as_list()
    [5]
    """
    if limit is None:
        start, limit = 0, start
    wanted = None if dtype is None else as_dtype(dtype).base_dtype
    with get_default_graph().name_scope(name or "Range") as scope:
        given = [convert_to_tensor(v, wanted, n) for v, n in ((start, "start"), (limit, "limit"), (delta, "delta"))]
        if wanted is None:
            wanted = max((t.dtype.base_dtype for t in given), key=_RANGE_ORDER.index)
            given = [cast(t, wanted) for t in given]
        return _range(*given, name=scope)


def _linspace_dims(c: Infer) -> Dims:
    for i in range(3):
        c.rank(i, 0)
    num = c.value(2)
    if num is None:
        return (None,)
    if num.item() <= 0:
        raise ValueError(f"Requires num > 0: {num.item()}")
    return (int(num.item()),)


@op("LinSpace", _linspace_dims, static="num", api="linspace lin_space", T=TypeSet("bfloat16 float32 float64"), Tidx=INDEX32)
def lin_space(start: T, stop: T, num: Tidx, name: str | None = None) -> Tensor:
    """Returns `num` evenly spaced values from `start` to `stop`, both included.

    `start` and `stop` are scalars of one floating point type, `num` an integer scalar greater than 0.
    """
    n = sizes(num)[0]
    if n == 1:
        return xp.reshape(start, (1,))
    dtype = start.dtype
    step = (stop - start) / np.asarray(n - 1).astype(dtype)
    return start + step * np.arange(n).astype(dtype)


grad.none("LinSpace", "TensorFlow has none")


# -- broadcasting ------------------------------------------------------------------------------------


def _broadcast_to_dims(c: Infer) -> Dims:
    target, source = c.shape_value(1), c.dims(0)
    if target is not None and source is not None:
        if len(source) > len(target):
            raise ValueError(f"Unable to broadcast tensor of shape {shape_str(source)} to tensor of shape {shape_str(target)}")
        for s, t in zip(reversed(source), reversed(target), strict=False):
            if s is not None and t is not None and s not in (1, t):
                raise ValueError(f"Unable to broadcast tensor of shape {shape_str(source)} to tensor of shape {shape_str(target)}")
    return target


@op("BroadcastTo", _broadcast_to_dims, static="shape", api="broadcast_to", T=ANY, Tidx=INDEX32)
def broadcast_to(input: T, shape: Tidx, name: str | None = None) -> Tensor:
    """Broadcasts `input` to `shape`, a vector of sizes, by NumPy's rule.

    >>> broadcast_to([1, 2, 3], [2, 3]).shape.as_list()
    [2, 3]
    """
    return xp.broadcast_to(input, sizes(shape))


@grad("BroadcastTo")
def _(op: Operation, dy: Tensor) -> Any:
    x = op.inputs[0]
    x_shape = shape(x)
    axes = raw("BroadcastGradientArgs")(op.inputs[1], cast(x_shape, op.inputs[1].dtype))[1]
    return reshape(raw("Sum")(dy, axes, True), x_shape), None


def _broadcast_args_dims(c: Infer) -> Dims:
    a, b = length(c, 0), length(c, 1)
    return (None if a is None or b is None else max(a, b),)


@op("BroadcastArgs", _broadcast_args_dims, out="r0: T", static="s0 s1", T=INDEX32)
def _broadcast_args(s0: T, s1: T, name: str | None = None) -> Tensor:
    """The shape that two shapes broadcast to."""
    a, b = np.asarray(s0), np.asarray(s1)
    sa, sb = ([None if d is UNKNOWN else d for d in v.tolist()] for v in (a, b))
    out = np.empty(max(a.size, b.size), dtype=object)
    out[:] = [UNKNOWN if d is None else d for d in broadcast_dims(tuple(sa), tuple(sb)) or ()]
    return out if a.dtype == object or b.dtype == object else out.astype(a.dtype)  # pyright: ignore[reportReturnType]


grad.none("BroadcastArgs", "integers have no gradient")


@export("broadcast_static_shape")
def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """Returns the TensorShape that two static shapes broadcast to. Raises ValueError when they do not."""
    return TensorShape(broadcast_dims(dims_of(shape_x), dims_of(shape_y)))


@export("broadcast_dynamic_shape")
def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """Returns the shape that two shapes, given as integer vectors, broadcast to."""
    return _broadcast_args(shape_x, shape_y)
