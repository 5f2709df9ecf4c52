"""Sets: the last dimension of tensors as sets of elements; union, intersection, difference, size."""

from typing import Any

import numpy as np

from ir.build import export, grad, op
from ir.convert import convert_to_tensor
from ir.dtypes import TypeSet
from ir.errors import InvalidArgumentError
from ir.infer import Infer
from ir.opdef import Int64, T
from ir.ops.sparse import as_sparse, check_parts
from ir.shapes import Dims
from ir.sparse_tensor import SparseTensor, SparseTensorValue
from ir.tensor import Tensor

ELEMENTS = TypeSet("int8 int16 int32 int64 uint8 uint16 string")
OPERATIONS = ("a-b", "b-a", "intersection", "union")

Groups = dict[tuple[int, ...], set[Any]]


def _of_dense(values: Any) -> Groups:
    return {at: set(values[at].tolist()) for at in np.ndindex(*values.shape[:-1])}


def _of_sparse(indices: Any, values: Any, validate: bool) -> Groups:
    if validate and (np.diff(np.lexsort(indices.T[::-1])) < 0).any():
        raise InvalidArgumentError(None, None, "the indices of a set must be sorted")
    out: Groups = {}
    for p, v in zip(indices.tolist(), values.tolist(), strict=True):
        out.setdefault(tuple(p[:-1]), set()).add(v)
    return out


def _operate(kind: str, a: Groups, b: Groups, lead: Any, dtype: Any) -> tuple[Any, Any, Any]:
    places: list[list[int]] = []
    found: list[Any] = []
    longest = 0
    for at in sorted(a.keys() | b.keys()):
        x, y = a.get(at, set[Any]()), b.get(at, set[Any]())
        if kind == "a-b":
            out = x - y
        elif kind == "b-a":
            out = y - x
        else:
            out = x & y if kind == "intersection" else x | y
        for i, v in enumerate(sorted(out)):
            places.append([*at, i])
            found.append(v)
        longest = max(longest, len(out))
    indices = np.array(places, np.int64).reshape(len(places), len(lead) + 1)
    values = np.empty(len(found), dtype)
    values[:] = found
    return indices, values, np.array([*lead, longest], np.int64)


def _check(c: Infer) -> None:
    if c.attrs["set_operation"] not in OPERATIONS:
        raise ValueError(f"Invalid set_operation {c.attrs['set_operation']!r}: must be one of {', '.join(OPERATIONS)}")


def _leading(a: Any, b: Any) -> Any:
    if list(a) != list(b):
        raise InvalidArgumentError(None, None, f"Mismatched group shapes {list(a)} and {list(b)}: all dimensions but the last must agree")
    return a


def _result(rank: int | None) -> list[Dims]:
    return [(None, rank), (None,), (rank,)]


def _dense_dense(c: Infer) -> list[Dims]:
    _check(c)
    dims = c.rank_at_least(0, 1)
    c.rank_at_least(1, 1)
    return _result(None if dims is None else len(dims))


RESULT = "result_indices: int64, result_values: T, result_shape: int64"


@op("DenseToDenseSetOperation", _dense_dense, out=RESULT, host=True, dynamic=True, T=ELEMENTS)
def _dense_to_dense(set1: T, set2: T, set_operation: str, validate_indices: bool = True, name: str | None = None) -> Any:
    """A set operation on the rows of two dense tensors."""
    lead = _leading(set1.shape[:-1], set2.shape[:-1])
    return _operate(set_operation, _of_dense(set1), _of_dense(set2), lead, set1.dtype)


def _dense_sparse(c: Infer) -> list[Dims]:
    _check(c)
    return _result(check_parts(*c.all_dims[1:])[1])


@op("DenseToSparseSetOperation", _dense_sparse, out=RESULT, host=True, dynamic=True, T=ELEMENTS)
def _dense_to_sparse(
    set1: T, set2_indices: Int64, set2_values: T, set2_shape: Int64, set_operation: str, validate_indices: bool = True, name: str | None = None
) -> Any:
    """A set operation on the rows of a dense and a sparse tensor."""
    lead = _leading(set1.shape[:-1], set2_shape[:-1].tolist())
    return _operate(set_operation, _of_dense(set1), _of_sparse(set2_indices, set2_values, validate_indices), lead, set1.dtype)


def _sparse_sparse(c: Infer) -> list[Dims]:
    _check(c)
    a, b = check_parts(*c.all_dims[:3])[1], check_parts(*c.all_dims[3:])[1]
    return _result(b if a is None else a)


@op("SparseToSparseSetOperation", _sparse_sparse, out=RESULT, host=True, dynamic=True, T=ELEMENTS)
def _sparse_to_sparse(
    set1_indices: Int64, set1_values: T, set1_shape: Int64, set2_indices: Int64, set2_values: T, set2_shape: Int64, set_operation: str,
    validate_indices: bool = True, name: str | None = None,
) -> Any:  # fmt: skip
    """A set operation on the rows of two sparse tensors."""
    lead = _leading(set1_shape[:-1].tolist(), set2_shape[:-1].tolist())
    a, b = _of_sparse(set1_indices, set1_values, validate_indices), _of_sparse(set2_indices, set2_values, validate_indices)
    return _operate(set_operation, a, b, lead, set1_values.dtype)


def _size_dims(c: Infer) -> Dims:
    check_parts(*c.all_dims)
    dims = c.shape_value(2)
    return None if dims is None else dims[:-1]


@op("SetSize", _size_dims, out="size: int32", host=True, T=ELEMENTS)
def _set_size(set_indices: Int64, set_values: T, set_shape: Int64, validate_indices: bool = True, name: str | None = None) -> Tensor:
    """How many different elements each row of a sparse tensor has."""
    out = np.zeros(set_shape[:-1], np.int32)
    for at, elements in _of_sparse(set_indices, set_values, validate_indices).items():
        out[at] = len(elements)
    return out  # pyright: ignore[reportReturnType]


grad.none("DenseToDenseSetOperation DenseToSparseSetOperation SparseToSparseSetOperation SetSize", "sets are not differentiable")


def _is_sparse(value: Any) -> bool:
    return isinstance(value, (SparseTensor, SparseTensorValue))


def _set_operation(a: Any, b: Any, kind: str, validate: bool) -> SparseTensor:
    if _is_sparse(b):
        y = as_sparse(b)
        if _is_sparse(a):
            x = as_sparse(a)
            parts = _sparse_to_sparse(x.indices, x.values, x.dense_shape, y.indices, y.values, y.dense_shape, kind, validate)
        else:
            parts = _dense_to_sparse(convert_to_tensor(a, y.dtype.base_dtype), y.indices, y.values, y.dense_shape, kind, validate)
    elif _is_sparse(a):
        raise ValueError("a,b of type SparseTensor,Tensor is not supported.")
    else:
        x = convert_to_tensor(a, name="a")
        parts = _dense_to_dense(x, convert_to_tensor(b, x.dtype.base_dtype, "b"), kind, validate)
    return SparseTensor(*parts)


def _ordered(a: Any, b: Any) -> tuple[Any, Any, bool]:
    """Puts the dense operand first, as the ops have it; whether that exchanged them."""
    return (b, a, True) if _is_sparse(a) and not _is_sparse(b) else (a, b, False)


@export("sets.intersection sets.set_intersection")
def set_intersection(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """Returns, per row, the elements in both `a` and `b`, sorted.

    `a` and `b` are tensors or SparseTensors whose shapes agree but in the last dimension.
    """
    a, b, _ = _ordered(a, b)
    return _set_operation(a, b, "intersection", validate_indices)


@export("sets.union sets.set_union")
def set_union(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """Returns, per row, the elements in `a` or `b`, sorted."""
    a, b, _ = _ordered(a, b)
    return _set_operation(a, b, "union", validate_indices)


@export("sets.difference sets.set_difference")
def set_difference(a: Any, b: Any, aminusb: bool = True, validate_indices: bool = True) -> SparseTensor:
    """Returns, per row, the elements in `a` but not in `b` (the other way round without `aminusb`), sorted."""
    a, b, exchanged = _ordered(a, b)
    return _set_operation(a, b, "a-b" if aminusb != exchanged else "b-a", validate_indices)


@export("sets.size sets.set_size")
def set_size(a: Any, validate_indices: bool = True) -> Tensor:
    """Returns the number of different elements in each row of a SparseTensor, as int32."""
    sp = as_sparse(a, "Expected a to")
    return _set_size(sp.indices, sp.values, sp.dense_shape, validate_indices)
