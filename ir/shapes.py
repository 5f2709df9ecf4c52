"""Static shapes: TF1's `TensorShape` and `Dimension`, over plain tuples.

Inside `ir` a shape is a `Dims`: a tuple of sizes where None is an unknown size, or None when even the
rank is unknown. `TensorShape` wraps one for users.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ir.dtypes import DType

Dims = tuple[int | None, ...] | None


def dims_of(value: Any) -> Dims:
    """Returns the `Dims` of a TensorShape, an integer, a sequence of sizes, or None."""
    if value is None:
        return None
    if isinstance(value, TensorShape):
        return value.as_dims()
    if hasattr(value, "dim") and hasattr(value, "unknown_rank"):  # TensorShapeProto
        return None if value.unknown_rank else tuple(None if d.size < 0 else int(d.size) for d in value.dim)
    if isinstance(value, (int, Dimension)) or not isinstance(value, Iterable):
        return (_size(value),)
    return tuple([_size(v) for v in value])


def _size(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, Dimension):
        return value.value
    try:
        size = value.__index__()
    except AttributeError:
        raise TypeError(f"Dimension value must be integer or None or have an __index__ method, got {value!r}") from None
    if size < 0:
        raise ValueError(f"Dimension {size} must be >= 0")
    return size


def merge_dims(a: Dims, b: Dims) -> Dims:
    """Returns the shape that knows what either knows. Raises ValueError when they contradict."""
    if a is None or a == b:
        return b
    if b is None:
        return a
    if len(a) != len(b):
        raise ValueError(f"Shapes {shape_str(a)} and {shape_str(b)} are not compatible")
    out: list[int | None] = []
    for x, y in zip(a, b, strict=True):
        if x is not None and y is not None and x != y:
            raise ValueError(f"Shapes {shape_str(a)} and {shape_str(b)} are not compatible")
        out.append(y if x is None else x)
    return tuple(out)


def compatible(a: Dims, b: Dims) -> bool:
    """Whether some concrete shape fits both."""
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))


def fully_known(dims: Dims) -> bool:
    """Whether every size is known."""
    return dims is not None and None not in dims


def num_elements(dims: Dims) -> int | None:
    """Returns the number of elements, or None when it is not known."""
    if dims is None:
        return None
    n = 1
    for d in dims:
        if d is None:
            return None
        n *= d
    return n


def shape_str(dims: Dims) -> str:
    """Returns the shape as TF1 prints it: `(2, ?)`, `(3,)`, `<unknown>`."""
    if dims is None:
        return "<unknown>"
    inner = ", ".join("?" if d is None else str(d) for d in dims)
    return f"({inner},)" if len(dims) == 1 else f"({inner})"


def type_str(dtype: DType, dims: Dims) -> str:
    """Returns a tensor type as error messages show it: `float32[3,?]`."""
    inner = "?" if dims is None else ",".join("?" if d is None else str(d) for d in dims)
    return f"{dtype.name}[{inner}]" if dims is None or dims else f"{dtype.name}[]"


class Dimension:
    """The size of one dimension; `value` is None when it is unknown.

    Arithmetic gives Dimensions; a comparison with an unknown size gives None.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = _size(value)

    @property
    def value(self) -> int | None:
        """The size, or None."""
        return self._value

    def is_compatible_with(self, other: Any) -> bool:
        """Whether both may be the same size."""
        o = _size(other)
        return self._value is None or o is None or self._value == o

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raises ValueError when both cannot be the same size."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Dimensions {self} and {other} are not compatible")

    def merge_with(self, other: Any) -> "Dimension":
        """Returns what either knows. Raises ValueError when they contradict."""
        self.assert_is_compatible_with(other)
        return Dimension(_size(other) if self._value is None else self._value)

    def _apply(self, other: Any, fn: Any) -> "Dimension":
        o = _size(other)
        return Dimension(None if self._value is None or o is None else fn(self._value, o))

    def _compare(self, other: Any, fn: Any) -> bool | None:
        o = _size(other)
        return None if self._value is None or o is None else fn(self._value, o)

    def __add__(self, other: Any) -> "Dimension":
        return self._apply(other, lambda a, b: a + b)

    def __sub__(self, other: Any) -> "Dimension":
        return self._apply(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> "Dimension":
        return self._apply(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> "Dimension":
        return self._apply(other, lambda a, b: a * b)

    def __floordiv__(self, other: Any) -> "Dimension":
        return self._apply(other, lambda a, b: a // b)

    def __rfloordiv__(self, other: Any) -> "Dimension":
        return self._apply(other, lambda a, b: b // a)

    def __mod__(self, other: Any) -> "Dimension":
        return self._apply(other, lambda a, b: a % b)

    def __rmod__(self, other: Any) -> "Dimension":
        return self._apply(other, lambda a, b: b % a)

    __radd__ = __add__
    __rmul__ = __mul__
    __div__ = __floordiv__

    def __truediv__(self, other: Any) -> "Dimension":
        raise TypeError("unsupported operand type(s) for /: 'Dimension'; use // for integer division")

    def __lt__(self, other: Any) -> bool | None:
        return self._compare(other, lambda a, b: a < b)

    def __le__(self, other: Any) -> bool | None:
        return self._compare(other, lambda a, b: a <= b)

    def __gt__(self, other: Any) -> bool | None:
        return self._compare(other, lambda a, b: a > b)

    def __ge__(self, other: Any) -> bool | None:
        return self._compare(other, lambda a, b: a >= b)

    def __eq__(self, other: object) -> Any:
        try:
            return self._compare(other, lambda a, b: a == b)
        except (TypeError, ValueError):
            return NotImplemented

    def __ne__(self, other: object) -> Any:
        try:
            return self._compare(other, lambda a, b: a != b)
        except (TypeError, ValueError):
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self._value)

    def __int__(self) -> int:
        if self._value is None:
            raise TypeError("__int__ returned non-int: the dimension is unknown")
        return self._value

    def __index__(self) -> int:
        return int(self)

    def __str__(self) -> str:
        return "?" if self._value is None else str(self._value)

    def __repr__(self) -> str:
        return f"Dimension({self._value})"


class TensorShape:
    """A shape that may be partly known: TF1's class of that name.

    >>> TensorShape([2, None]).as_list()
    [2, None]
    >>> TensorShape(None).ndims is None
    True
    """

    __slots__ = ("_dims",)

    def __init__(self, dims: Any) -> None:
        self._dims = dims_of(dims)

    def as_dims(self) -> Dims:
        """The sizes as a plain tuple, or None when the rank is unknown."""
        return self._dims

    @property
    def dims(self) -> list[Dimension] | None:
        """The sizes as Dimensions, or None when the rank is unknown."""
        return None if self._dims is None else [Dimension(d) for d in self._dims]

    @property
    def ndims(self) -> int | None:
        """The rank, or None."""
        return None if self._dims is None else len(self._dims)

    rank = ndims

    def as_list(self) -> list[int | None]:
        """The sizes as a list. Raises ValueError when the rank is unknown."""
        if self._dims is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return list(self._dims)

    def num_elements(self) -> int | None:
        """The number of elements, or None when it is not known."""
        return num_elements(self._dims)

    def is_fully_defined(self) -> bool:
        """Whether every size is known."""
        return fully_known(self._dims)

    def assert_is_fully_defined(self) -> None:
        """Raises ValueError unless every size is known."""
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def is_compatible_with(self, other: Any) -> bool:
        """Whether some concrete shape fits both."""
        return compatible(self._dims, dims_of(other))

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raises ValueError unless some concrete shape fits both."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {as_shape(other)} are incompatible")

    def merge_with(self, other: Any) -> "TensorShape":
        """Returns the shape that knows what either knows. Raises ValueError when they contradict."""
        return TensorShape(merge_dims(self._dims, dims_of(other)))

    def most_specific_compatible_shape(self, other: Any) -> "TensorShape":
        """Returns the shape with the most known sizes that admits both."""
        o = dims_of(other)
        if self._dims is None or o is None or len(self._dims) != len(o):
            return TensorShape(None)
        return TensorShape([a if a == b else None for a, b in zip(self._dims, o, strict=True)])

    def concatenate(self, other: Any) -> "TensorShape":
        """Returns the sizes of this shape followed by the other's."""
        o = dims_of(other)
        return TensorShape(None if self._dims is None or o is None else self._dims + o)

    def with_rank(self, rank: int) -> "TensorShape":
        """Returns this shape with a rank. Raises ValueError when it has another."""
        if self._dims is None:
            return TensorShape([None] * int(rank))
        self.assert_has_rank(rank)
        return self

    def assert_has_rank(self, rank: int) -> None:
        """Raises ValueError when the rank is known and not `rank`."""
        if self._dims is not None and len(self._dims) != rank:
            raise ValueError(f"Shape {self} must have rank {rank}")

    def assert_same_rank(self, other: Any) -> None:
        """Raises ValueError when both ranks are known and differ."""
        o = dims_of(other)
        if self._dims is not None and o is not None and len(self._dims) != len(o):
            raise ValueError(f"Shapes {self} and {as_shape(other)} must have the same rank")

    def with_rank_at_least(self, rank: int) -> "TensorShape":
        """Returns this shape. Raises ValueError when its rank is known and smaller."""
        if self._dims is not None and len(self._dims) < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> "TensorShape":
        """Returns this shape. Raises ValueError when its rank is known and larger."""
        if self._dims is not None and len(self._dims) > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def __len__(self) -> int:
        if self._dims is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return len(self._dims)

    def __bool__(self) -> bool:
        return self._dims is not None

    def __iter__(self) -> Iterator[Dimension]:
        if self._dims is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter([Dimension(d) for d in self._dims])

    def __getitem__(self, key: Any) -> Any:
        if self._dims is not None:
            if isinstance(key, slice):
                return TensorShape(self._dims[key])
            return Dimension(self._dims[key])
        if not isinstance(key, slice):
            return Dimension(None)
        start, stop, step = key.start or 0, key.stop, key.step or 1
        if step != 1 or stop is None or stop < 0 or start < 0:
            return TensorShape(None)
        return TensorShape([None] * max(0, stop - start))

    def __add__(self, other: Any) -> "TensorShape":
        return self.concatenate(other)

    def __radd__(self, other: Any) -> "TensorShape":
        return as_shape(other).concatenate(self)

    def __eq__(self, other: object) -> bool:
        try:
            return self._dims == dims_of(other)
        except (TypeError, ValueError):
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self._dims)

    def __str__(self) -> str:
        return shape_str(self._dims)

    def __repr__(self) -> str:
        return f"TensorShape({None if self._dims is None else self.dims})"

    def __reduce__(self) -> Any:
        return TensorShape, (self._dims,)


def as_shape(value: Any) -> TensorShape:
    """Returns `value` as a TensorShape."""
    return value if isinstance(value, TensorShape) else TensorShape(value)


def unknown_shape(ndims: int | None = None) -> TensorShape:
    """Returns a shape of unknown sizes, of unknown rank when `ndims` is None."""
    return TensorShape(None if ndims is None else [None] * ndims)


def as_dimension(value: Any) -> Dimension:
    """Returns `value` as a Dimension."""
    return value if isinstance(value, Dimension) else Dimension(value)


def dimension_value(dimension: Any) -> Any:
    """Returns the size of a Dimension, anything else as it is."""
    return dimension.value if isinstance(dimension, Dimension) else dimension


def dims_to_list(dims: Sequence[int | None]) -> list[int]:
    """Returns sizes as TF attributes hold them, -1 for an unknown one."""
    return [-1 if d is None else d for d in dims]


def dimension_at_index(shape: Any, index: int) -> Dimension:
    """Returns the size of dimension `index` of a TensorShape, unknown when its rank is."""
    return Dimension(None) if shape.ndims is None else shape.dims[index]


__exports__ = {
    "TensorShape": "TensorShape",
    "Dimension": "Dimension",
    "dimension_value compat.dimension_value": "dimension_value",
    "dimension_at_index compat.dimension_at_index": "dimension_at_index",
}
