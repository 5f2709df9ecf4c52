"""Changes of the element type, by value (`Cast`) and by bits (`Bitcast`), and `Conj`, which every family needs.

`saturate_cast` is in `ir.ops.elementwise`, the other operations on complex numbers in `ir.ops.complex`.
"""

from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph, is_tensor_like
from ir.dtypes import ANY, COMPLEX, FLOAT_COMPLEX, INTEGER, DType, TypeSet, as_dtype, bfloat16, complex64, complex128, float32, float64, int32, int64, variant
from ir.indexed_slices import IndexedSlices
from ir.infer import Infer, same
from ir.opdef import In, T, Type
from ir.shapes import Dims
from ir.sparse_tensor import SparseTensor
from ir.tensor import Operation, Tensor

BITS = TypeSet(FLOAT_COMPLEX | INTEGER | TypeSet("qint8 quint8 qint16 quint16 qint32"))


@op("Cast", same, out="y: DstT", rename={"dst": "DstT", "truncate": "Truncate"}, SrcT=ANY, DstT=ANY, elementwise=True)
def _cast(x: Annotated[Any, In("SrcT")], dst: Type, truncate: bool = False, name: str | None = None) -> Tensor:
    """Converts each element of `x` to type `dst`.

    Floats lose their fraction on the way to integers, complex numbers their imaginary part on the way to reals;
    anything but zero is True. With `truncate`, narrower floats are rounded towards zero instead of to nearest.
    """
    to = dst.np_dtype
    if x.dtype == object:
        return x  # sizes that are not known yet, or a number of them
    if x.dtype.kind == "c" and to.kind != "c":
        x = xp.not_equal(x, 0) if to.kind == "b" else xp.real(x)
    if truncate:
        x = _without_excess_bits(x, dst)
    return xp.astype(x, to)


#: bits of the stored mantissa
_MANTISSA = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}


def _without_excess_bits(x: Any, dst: DType) -> Any:
    """Returns `x` with zeros in those bits of the mantissa that `dst` has no room for."""
    excess = _MANTISSA.get(x.dtype.name, 0) - _MANTISSA.get(dst.name, 64)
    if excess <= 0:
        return x
    as_int = np.dtype(f"uint{8 * x.dtype.itemsize}")
    ones = as_int.type(2 ** (8 * x.dtype.itemsize) - 2**excess)
    return xp.bitwise_and(x.view(as_int), ones).view(x.dtype)


@grad("Cast")
def _(op: Operation, dy: Tensor) -> Any:
    src = op.inputs[0].dtype.base_dtype
    if src not in FLOAT_COMPLEX or dy.dtype.base_dtype not in FLOAT_COMPLEX:
        return None
    return cast(dy, src)


@export("cast dtypes.cast")
def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """Converts `x` to element type `dtype`.

    Args:
      x: a Tensor, or what converts to one, of any shape and numeric or boolean type; a SparseTensor or
        IndexedSlices, of which the values are converted.
      dtype: the new element type.
      name: a name for the operation.

    Returns a tensor of the shape of `x`, `x` itself when it has the type already. Fractions are dropped on the way
    to integers (-1.8 becomes -1); a complex number loses its imaginary part on the way to a real one. What an
    integer type cannot hold becomes some value of it.

    Raises TypeError when `x` cannot be converted to `dtype`.

    >>> cast([1.8, -2.2], "int32").dtype
    tf.int32
    """
    to = as_dtype(dtype).base_dtype
    if is_tensor_like(x) and x.dtype is to:  # a variable too, which is read where it is used
        return x
    graph = get_default_graph()
    with graph.name_scope(name or "Cast") as scope:
        if isinstance(x, IndexedSlices):
            return IndexedSlices(cast(x.values, to, name=scope), x.indices, x.dense_shape)
        if isinstance(x, SparseTensor):
            return SparseTensor(x.indices, cast(x.values, to, name=scope), x.dense_shape)
        x = convert_to_tensor(x, name="x")
        return x if x.dtype.base_dtype is to else _cast(x, to, name=scope)


@export("to_float")
def to_float(x: Any, name: str = "ToFloat") -> Any:
    """Converts `x` to float32: `cast(x, tf.float32)`, deprecated."""
    return cast(x, float32, name=name)


@export("to_double")
def to_double(x: Any, name: str = "ToDouble") -> Any:
    """Converts `x` to float64: `cast(x, tf.float64)`, deprecated."""
    return cast(x, float64, name=name)


@export("to_int32")
def to_int32(x: Any, name: str = "ToInt32") -> Any:
    """Converts `x` to int32: `cast(x, tf.int32)`, deprecated."""
    return cast(x, int32, name=name)


@export("to_int64")
def to_int64(x: Any, name: str = "ToInt64") -> Any:
    """Converts `x` to int64: `cast(x, tf.int64)`, deprecated."""
    return cast(x, int64, name=name)


@export("to_bfloat16")
def to_bfloat16(x: Any, name: str = "ToBFloat16") -> Any:
    """Converts `x` to bfloat16: `cast(x, tf.bfloat16)`, deprecated."""
    return cast(x, bfloat16, name=name)


@export("to_complex64")
def to_complex64(x: Any, name: str = "ToComplex64") -> Any:
    """Converts `x` to complex64: `cast(x, tf.complex64)`, deprecated."""
    return cast(x, complex64, name=name)


@export("to_complex128")
def to_complex128(x: Any, name: str = "ToComplex128") -> Any:
    """Converts `x` to complex128: `cast(x, tf.complex128)`, deprecated."""
    return cast(x, complex128, name=name)


def _bitcast_dims(c: Infer) -> Dims:
    dims = c.dims(0)
    have, want = c.tensors[0].dtype.base_dtype.size, c.attrs["type"].size
    if dims is None or have == want:
        return dims
    if have > want:
        return (*dims, have // want)
    ratio = want // have
    if not dims or dims[-1] not in (None, ratio):
        last = "a scalar" if not dims else f"last dimension {dims[-1]}"
        raise ValueError(f"cannot bitcast to {c.attrs['type'].name} with {last}: the last dimension must be {ratio}, the ratio of the sizes")
    return dims[:-1]


@op("Bitcast", _bitcast_dims, out="output: type", api="bitcast", T=BITS, type=BITS)
def bitcast(input: T, type: Type, name: str | None = None) -> Tensor:
    """Reads the bits of `input` as elements of another type.

    Args:
      input: a tensor of a numeric type.
      type: the new element type.
      name: a name for the operation.

    Returns a tensor with the same bits. Where `type` is smaller, a last dimension holds the parts (the least
    significant first); where it is larger, the last dimension, which must be the ratio of the sizes, is joined.

    Raises ValueError when the last dimension does not fit.

    >>> bitcast([1.0, 2.0], "uint8").shape.as_list()
    [2, 4]
    """
    have, want = input.dtype.itemsize, type.np_dtype.itemsize
    x = xp.expand_dims(input, -1) if have > want else input
    y = xp.asarray(x).view(type.np_dtype)
    return xp.squeeze(y, -1) if have < want else y


grad.none("Bitcast", "the bits of a number are not a continuous function of it")



@op("Conj", same, out="output: T", T=(COMPLEX | TypeSet("variant")).default_to(complex64), elementwise=True)
def _conj(input: T, name: str | None = None) -> Tensor:
    """The complex conjugate of each element."""
    return xp.conj(input)


@grad("Conj")
def _(op: Operation, dy: Tensor) -> Any:
    return _conj(dy)


@export("conj math.conj")
def conj(x: Any, name: str | None = None) -> Tensor:
    """Returns the complex conjugate of `x`, element by element.

    Args:
      x: a tensor of a numeric type, of any shape.
      name: a name for the operation.

    Returns a tensor of the shape and type of `x`; `x` itself when its type is real.

    Raises TypeError when the type is not numeric.

    >>> conj(1 + 2j).dtype
    tf.complex128
    """
    if isinstance(x, Tensor) and (x.dtype.is_floating or x.dtype.is_integer):
        return x
    with get_default_graph().name_scope(name or "Conj") as scope:
        x = convert_to_tensor(x, name="x")
        if x.dtype.is_complex or x.dtype is variant:
            return _conj(x, name=scope)
    if x.dtype.is_floating or x.dtype.is_integer:
        return x
    raise TypeError(f"Expected numeric or variant tensor, got dtype {x.dtype!r}")
