"""Element types: TensorFlow's names and numbers, on NumPy's representations.

    DType            one instance per type; `tf.float32 == np.float32 == "float32"`
    as_dtype         anything that names a type -> DType
    TypeSet          the types an op accepts, with an optional default
"""

from typing import Any

import ml_dtypes
import numpy as np

_REF = 100


class DType:
    """The element type of a tensor.

    `name` and `as_datatype_enum` are TensorFlow's. Compares equal to anything `as_dtype` turns into the
    same type.

    >>> as_dtype("float32") == np.float32
    True
    """

    __slots__ = ("_base", "_ref", "as_datatype_enum", "as_numpy_dtype", "name", "np_dtype")

    def __init__(self, name: str, number: int, numpy_type: Any) -> None:
        self.name = name
        self.as_datatype_enum = number
        self.as_numpy_dtype = numpy_type
        self.np_dtype: np.dtype[Any] = np.dtype(numpy_type)
        self._base: DType = self
        self._ref: DType | None = None

    @property
    def base_dtype(self) -> "DType":
        """The type without the reference mark."""
        return self._base

    @property
    def is_ref_dtype(self) -> bool:
        """Whether a tensor of this type is a reference to a variable."""
        return self._base is not self

    @property
    def as_ref(self) -> "DType":
        """The reference form of the type, as ops on ref variables have it."""
        return self._ref if self._ref is not None else self

    @property
    def _kind(self) -> str:
        return _KINDS.get(self._base.name, "")

    @property
    def is_floating(self) -> bool:
        """Whether this is a real floating point type."""
        return self._kind == "f"

    @property
    def is_complex(self) -> bool:
        """Whether this is a complex type."""
        return self._kind == "c"

    @property
    def is_integer(self) -> bool:
        """Whether this is an integer type that is not quantized."""
        return self._kind in ("i", "u")

    @property
    def is_unsigned(self) -> bool:
        """Whether this is an unsigned integer type."""
        return self._kind == "u"

    @property
    def is_bool(self) -> bool:
        """Whether this is the boolean type."""
        return self._base is bool_

    @property
    def is_quantized(self) -> bool:
        """Whether this is one of the quantized types."""
        return self._kind == "q"

    @property
    def is_numpy_compatible(self) -> bool:
        """Whether NumPy arrays can hold this type."""
        return self._base not in (resource, variant)

    @property
    def real_dtype(self) -> "DType":
        """The type of the real part."""
        if self._base is complex64:
            return float32
        if self._base is complex128:
            return float64
        return self

    @property
    def size(self) -> int:
        """Bytes of one element; 1 for types without a fixed size, as in TensorFlow."""
        if self._base in (string, resource, variant):
            return 1
        return self.np_dtype.itemsize

    @property
    def min(self) -> Any:
        """The smallest value of the type."""
        return self._bound("min")

    @property
    def max(self) -> Any:
        """The largest value of the type."""
        return self._bound("max")

    @property
    def limits(self) -> tuple[Any, Any]:
        """(min, max) as image ops understand them: integers whole range, floats 0 to 1."""
        if self.is_floating:
            return 0, 1
        if self.is_bool:
            return False, True
        return self.min, self.max

    def _bound(self, which: str) -> Any:
        if self.is_bool:
            return which == "max"
        if self.is_floating:
            return getattr(ml_dtypes.finfo(self.np_dtype), which)
        if self.is_integer:
            return getattr(np.iinfo(self.np_dtype), which)
        raise TypeError(f"Cannot find {which}imum value of {self.name}.")

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor of type `other` can be used where this type is expected."""
        other = as_dtype(other)
        return self in (other, other.base_dtype)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if other is None or isinstance(other, DType):
            return False
        try:
            return self is as_dtype(other)
        except TypeError:
            return False

    def __hash__(self) -> int:
        return self.as_datatype_enum

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: '{self.name}'>"

    def __int__(self) -> int:
        return self.as_datatype_enum

    def __reduce__(self) -> Any:
        return as_dtype, (self.name,)


_BY_NAME: dict[str, DType] = {}
_BY_NUMBER: dict[int, DType] = {}
_BY_NUMPY: dict[Any, DType] = {}
_KINDS: dict[str, str] = {}


def _make(name: str, number: int, numpy_type: Any, kind: str) -> DType:
    base = DType(name, number, numpy_type)
    ref = DType(name + "_ref", number + _REF, numpy_type)
    ref._base = base  # pyright: ignore[reportPrivateUsage]
    base._ref = ref  # pyright: ignore[reportPrivateUsage]
    _KINDS[name] = kind
    for dtype in (base, ref):
        _BY_NAME[dtype.name] = dtype
        _BY_NUMBER[dtype.as_datatype_enum] = dtype
    if numpy_type is not object and kind != "q":
        _BY_NUMPY[base.np_dtype] = base
    return base


float32 = _make("float32", 1, np.float32, "f")
float64 = _make("float64", 2, np.float64, "f")
int32 = _make("int32", 3, np.int32, "i")
uint8 = _make("uint8", 4, np.uint8, "u")
int16 = _make("int16", 5, np.int16, "i")
int8 = _make("int8", 6, np.int8, "i")
string = _make("string", 7, object, "")
complex64 = _make("complex64", 8, np.complex64, "c")
int64 = _make("int64", 9, np.int64, "i")
bool_ = _make("bool", 10, np.bool_, "b")
qint8 = _make("qint8", 11, np.int8, "q")
quint8 = _make("quint8", 12, np.uint8, "q")
qint32 = _make("qint32", 13, np.int32, "q")
bfloat16 = _make("bfloat16", 14, ml_dtypes.bfloat16, "f")
qint16 = _make("qint16", 15, np.int16, "q")
quint16 = _make("quint16", 16, np.uint16, "q")
uint16 = _make("uint16", 17, np.uint16, "u")
complex128 = _make("complex128", 18, np.complex128, "c")
float16 = _make("float16", 19, np.float16, "f")
resource = _make("resource", 20, object, "")
variant = _make("variant", 21, object, "")
uint32 = _make("uint32", 22, np.uint32, "u")
uint64 = _make("uint64", 23, np.uint64, "u")
half = float16
double = float64

_BY_NAME["half"] = float16
_BY_NAME["double"] = float64
_BY_NAME["half_ref"] = float16.as_ref
_BY_NAME["double_ref"] = float64.as_ref
_PYTHON: dict[Any, DType] = {float: float32, bool: bool_, int: int64, complex: complex128, object: string, str: string, bytes: string}


def as_dtype(type_value: Any) -> DType:
    """Returns the DType of a DType, an enum number, a name, a NumPy type or a Python type.

    Raises TypeError for anything else.

    >>> as_dtype(np.int64).name
    'int64'
    """
    if isinstance(type_value, DType):
        return type_value
    try:
        found = _PYTHON.get(type_value) or _BY_NAME.get(type_value) or _BY_NUMBER.get(type_value)
    except TypeError:
        found = None
    if found is not None:
        return found
    try:
        numpy_type = np.dtype(type_value)
    except TypeError:
        raise TypeError(f"Cannot convert value {type_value!r} to a TensorFlow DType.") from None
    found = _BY_NUMPY.get(numpy_type)
    if found is None and numpy_type.kind in "OSU":
        found = string
    if found is None:
        raise TypeError(f"Cannot convert value {type_value!r} to a TensorFlow DType.")
    return found


class TypeSet:
    """The types that a type attribute admits, and the attribute's default, if any."""

    __slots__ = ("default", "names", "types")

    def __init__(self, types: "str | TypeSet", default: DType | None = None) -> None:
        if isinstance(types, TypeSet):
            self.types: tuple[DType, ...] = types.types
        else:
            self.types = tuple(as_dtype(n) for n in types.split())
        self.names = frozenset(self.types)
        self.default = default

    def __contains__(self, dtype: DType) -> bool:
        return dtype in self.names

    def __or__(self, other: "TypeSet") -> "TypeSet":
        names = dict.fromkeys([*self.types, *other.types])
        return TypeSet(" ".join(t.name for t in names), self.default)

    def default_to(self, dtype: DType) -> "TypeSet":
        """Returns the same set with a default for the attribute."""
        return TypeSet(self, dtype)

    def __str__(self) -> str:
        return ", ".join(t.name for t in self.types)


ANY = TypeSet("")  # every type is admitted
FLOAT = TypeSet("float16 bfloat16 float32 float64")
COMPLEX = TypeSet("complex64 complex128")
FLOAT_COMPLEX = FLOAT | COMPLEX
SIGNED = TypeSet("int8 int16 int32 int64")
UNSIGNED = TypeSet("uint8 uint16 uint32 uint64")
INTEGER = SIGNED | UNSIGNED
INDEX = TypeSet("int32 int64")
QUANTIZED = TypeSet("qint8 quint8 qint32")
REAL = FLOAT | INTEGER
NUMBER = REAL | COMPLEX | QUANTIZED
#: the quantized types and their reference forms
QUANTIZED_DTYPES = frozenset(t for q in (qint8, quint8, qint16, quint16, qint32) for t in (q, q.as_ref))

#: public names -> the names here
__exports__ = {
    "as_dtype dtypes.as_dtype": "as_dtype",
    "DType dtypes.DType": "DType",
    "QUANTIZED_DTYPES dtypes.QUANTIZED_DTYPES": "QUANTIZED_DTYPES",
    "float16 dtypes.float16": "float16",
    "float32 dtypes.float32": "float32",
    "float64 dtypes.float64": "float64",
    "half dtypes.half": "half",
    "double dtypes.double": "double",
    "bfloat16 dtypes.bfloat16": "bfloat16",
    "int8 dtypes.int8": "int8",
    "int16 dtypes.int16": "int16",
    "int32 dtypes.int32": "int32",
    "int64 dtypes.int64": "int64",
    "uint8 dtypes.uint8": "uint8",
    "uint16 dtypes.uint16": "uint16",
    "uint32 dtypes.uint32": "uint32",
    "uint64 dtypes.uint64": "uint64",
    "bool dtypes.bool": "bool_",
    "string dtypes.string": "string",
    "complex64 dtypes.complex64": "complex64",
    "complex128 dtypes.complex128": "complex128",
    "qint8 dtypes.qint8": "qint8",
    "qint16 dtypes.qint16": "qint16",
    "qint32 dtypes.qint32": "qint32",
    "quint8 dtypes.quint8": "quint8",
    "quint16 dtypes.quint16": "quint16",
    "resource dtypes.resource": "resource",
    "variant dtypes.variant": "variant",
}
