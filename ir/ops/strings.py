"""Strings element by element: numbers as text and back, joining, cutting, cases, hash buckets, base64.

A string is bytes; an array of strings is an object array of bytes. All of this runs on the host.
"""

import base64
import math
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np

from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import DType, TypeSet, as_dtype, int32, string
from ir.errors import InvalidArgumentError, OutOfRangeError
from ir.infer import Infer, broadcast_dims, reduced, same
from ir.opdef import In, Int32, Ints, String, T, Type
from ir.ops.hashing import fingerprint64, murmur64, siphash
from ir.ops.layout import _one_of, range_, rank  # pyright: ignore[reportPrivateUsage]
from ir.shapes import Dims, compatible, merge_dims, shape_str
from ir.tensor import Tensor

Strings = Annotated[Sequence[Any], In(dtype=string, number="N")]
Tindices = Annotated[Any, In("Tindices")]
Tnumsegments = Annotated[Any, In("Tnumsegments")]
INDICES = TypeSet("int32 int64")


def invalid(message: str) -> InvalidArgumentError:
    """The error of a value that an op cannot work with; the run adds which operation it was."""
    return InvalidArgumentError(None, None, message)


def each(function: Callable[[Any], Any], array: Any, dtype: Any = object) -> Any:
    """Returns the array of what `function` gives for each element."""
    flat = [function(x) for x in np.asarray(array).reshape(-1).tolist()]
    out = np.empty(len(flat), dtype)
    out[:] = flat
    return out.reshape(np.shape(array))


def string_of(scalar: Any) -> bytes:
    """The one string in a scalar array."""
    return np.asarray(scalar)[()]  # pyright: ignore[reportReturnType]


# -- numbers as text -----------------------------------------------------------------------------------

#: the characters C's printf knows as flags
_FLAGS = ("", " ", "+", "-", "0", "#")


def _number_text(flags: str, width: int, rest: str) -> Callable[[Any], str]:
    form = f"%{flags}{width if width > 0 else ''}{rest}"

    def text(x: Any) -> str:
        if isinstance(x, int) or math.isfinite(x):
            return form % x
        sign = "-" if math.copysign(1, x) < 0 else flags if flags in ("+", " ") else ""
        shown = sign + ("nan" if x != x else "inf")
        return shown.ljust(width) if flags == "-" else shown.rjust(width)

    return text


def _check_format(d: DType, precision: int, scientific: bool, shortest: bool, fill: str) -> None:
    if scientific and shortest:
        raise invalid("Cannot select both scientific and shortest notation")
    if not (d.is_floating or d.is_complex):
        if scientific or shortest:
            raise invalid(f"scientific and shortest format not supported for datatype {d.name}")
        if precision > -1:
            raise invalid(f"precision not supported for datatype {d.name}")
    if len(fill) > 1:
        raise invalid("Fill string must be one or fewer characters")
    if fill not in _FLAGS:
        raise invalid(f'Fill argument not supported: "{fill}"')


@op(
    "AsString", same, out="output: string", host=True, api="as_string strings.as_string dtypes.as_string",
    T=TypeSet("int8 int16 int32 int64 complex64 complex128 float32 float64 bool"),
)  # fmt: skip
def as_string(
    input: T, precision: int = -1, scientific: bool = False, shortest: bool = False, width: int = -1, fill: str = "", name: str | None = None
) -> Tensor:  # fmt: skip
    """Returns each number as text, as C's `printf` formats it.

    Args:
      input: numbers or booleans; these become "true" and "false".
      precision: the digits after the point, 6 when negative; floats only.
      scientific: write floats with an exponent.
      shortest: write floats in the shorter of both forms.
      width: fill up to so many characters.
      fill: the flag of `printf` that says how: "" or " " with spaces, "0" with zeros, "-" at the right.

    Raises InvalidArgumentError in the run for a format that does not fit the type.
    """
    array = np.asarray(input)
    d = as_dtype(array.dtype)
    _check_format(d, precision, scientific, shortest, fill)
    if d.is_bool:
        return each(lambda x: b"true" if x else b"false", array)
    if not (d.is_floating or d.is_complex):
        text = _number_text(fill, width, "d")
        return each(lambda x: text(x).encode(), array)
    text = _number_text(fill, width, (f".{precision}" if precision > -1 else "") + ("e" if scientific else "g" if shortest else "f"))
    if d.is_complex:
        return each(lambda x: f"({text(x.real)},{text(x.imag)})".encode(), array)
    return each(lambda x: text(x).encode(), array)


_FLOAT = re.compile(rb"[ \t\n\v\f\r]*([+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|nan))[ \t\n\v\f\r]*", re.IGNORECASE)
_HEX = re.compile(rb"[ \t\n\v\f\r]*([+-]?)0x([0-9a-f]+)[ \t\n\v\f\r]*", re.IGNORECASE)
_INTEGER = re.compile(rb"[ \t\n\v\f\r]*(-?\d+)[ \t\n\v\f\r]*")


def number_of(text: bytes, d: DType) -> Any:
    """Returns the number that `text` says, or None when it says none of this type."""
    if d.is_integer:
        found = _INTEGER.fullmatch(text)
        info = np.iinfo(d.np_dtype)
        return int(found[1]) if found and info.min <= int(found[1]) <= info.max else None
    found = _FLOAT.fullmatch(text)
    if found:
        return float(found[1])
    found = _HEX.fullmatch(text)
    return float(int(found[2], 16)) * (-1 if found[1] == b"-" else 1) if found else None


@op("StringToNumber", same, out="output: out_type", host=True, out_type=TypeSet("float32 float64 int32 int64"))
def _string_to_number(string_tensor: String, out_type: Type = "float32", name: str | None = None) -> Tensor:
    """The number each string says."""

    def number(text: bytes) -> Any:
        found = number_of(text, out_type)
        if found is None:
            raise invalid(f"StringToNumberOp could not correctly convert string: {text.decode(errors='replace')}")
        return found

    with np.errstate(over="ignore"):
        return each(number, string_tensor, out_type.np_dtype)


@export("string_to_number strings.to_number")
def string_to_number(string_tensor: Any = None, out_type: Any = "float32", name: str | None = None, input: Any = None) -> Tensor:
    """Returns the number each string says.

    Args:
      string_tensor: strings of any shape.
      out_type: float32, float64, int32 or int64. Integers may be negative; floats as C writes them, with "inf" and "nan".
      name: a name for the operation.
      input: another name of `string_tensor`.

    White space around a number does not matter. Raises InvalidArgumentError in the run for what is no number of that type.
    """
    return _string_to_number(_one_of(input, "input", string_tensor, "string_tensor"), out_type, name=name)


grad.none("AsString StringToNumber", "text is not differentiable")


# -- joining -------------------------------------------------------------------------------------------


def _joined(c: Infer) -> Dims:
    """The one shape of all inputs that are no scalars."""
    dims: Dims = ()
    for d in c.all_dims:
        dims = d if not dims else merge_dims(dims, d) if d else dims
    return None if not dims and None in c.all_dims else dims


@op("StringJoin", _joined, out="output: string", host=True, api="string_join strings.join", N=1)
def string_join(inputs: Strings, separator: str = "", name: str | None = None) -> Tensor:
    """Joins the strings of several tensors, element by element.

    Args:
      inputs: tensors of one shape; scalars stand for that string everywhere.
      separator: what to write between them.

    >>> string_join(["a", ["b", "c"]], separator="-").shape.as_list()
    [2]
    """
    arrays = [np.asarray(x) for x in inputs]
    shape = next((a.shape for a in arrays if a.ndim), ())
    for a in arrays:
        if a.ndim and a.shape != shape:
            raise invalid(f"Input shapes do not match: {list(shape)} vs. {list(a.shape)}")
    glue = encoded(separator)
    columns = [a.reshape(-1).tolist() if a.ndim else [a[()]] * int(np.prod(shape)) for a in arrays]
    return listed([glue.join(row) for row in zip(*columns, strict=True)], shape)


def encoded(text: str | bytes) -> bytes:
    """The bytes of a string attribute."""
    return text.encode() if isinstance(text, str) else text


def listed(values: Sequence[bytes], shape: Sequence[int]) -> Any:
    """Returns a list of strings as an array of a shape."""
    out = np.empty(len(values), object)
    out[:] = values
    return out.reshape(tuple(shape))


@op("ReduceJoin", reduced, out="output: string", host=True)
def _reduce_join(inputs: String, reduction_indices: Int32, keep_dims: bool = False, separator: str = "", name: str | None = None) -> Tensor:
    """Joins the strings along dimensions, the first of them slowest."""
    array = np.asarray(inputs)
    axes = np.asarray(reduction_indices).reshape(-1).tolist()
    seen: set[int] = set()
    for a in axes:
        if not -array.ndim <= a < array.ndim:
            raise OutOfRangeError(None, None, f"Invalid reduction dimension {a} for input with {array.ndim} dimension(s)")
        if a % array.ndim in seen:
            raise invalid(f"Duplicate reduction dimension {a}")
        seen.add(a % array.ndim)
    order = [a % array.ndim for a in axes]
    kept = [i for i in range(array.ndim) if i not in seen]
    shape = tuple(1 if i in seen else d for i, d in enumerate(array.shape)) if keep_dims else tuple(array.shape[i] for i in kept)
    # the first index varies fastest: reducing over it comes first
    rows = array.transpose([*kept, *reversed(order)]).reshape(math.prod(array.shape[i] for i in kept), -1 if array.size else 0)
    glue = encoded(separator)
    return listed([glue.join(r) for r in rows.tolist()], shape)


@export("reduce_join strings.reduce_join")
def reduce_join(
    inputs: Any, axis: Any = None, keep_dims: bool | None = None, separator: str = "", name: str | None = None,
    reduction_indices: Any = None, keepdims: bool | None = None,
) -> Tensor:  # fmt: skip
    """Joins the strings along dimensions.

    Args:
      inputs: strings of rank 1 or more.
      axis: a dimension or a list of them, negative ones counted from the end; all of them in row-major order when None. With several, joining goes
        along the first one first.
      keep_dims: the old name of `keepdims`.
      separator: what to write between the strings.
      name: a name for the operation.
      reduction_indices: the old name of `axis`.
      keepdims: keep the reduced dimensions, with size 1.
    """
    axis = axis if reduction_indices is None else _one_of(axis, "axis", reduction_indices, "reduction_indices")
    keep = bool(keepdims if keepdims is not None else keep_dims)
    with get_default_graph().name_scope("ReduceJoin"):
        inputs = convert_to_tensor(inputs)
        if axis is None:
            dims = inputs.dims
            axis = range_(rank(inputs) - 1, -1, -1) if dims is None else convert_to_tensor(np.arange(len(dims) - 1, -1, -1, dtype=np.int32), name="Const")
        return _reduce_join(inputs, axis, keep, separator, name=name)


def _segments_shape(c: Infer) -> Dims:
    data, ids = c.dims(0), c.dims(1)
    count = c.value(2)
    if data is None or ids is None:
        return None
    if len(ids) > len(data) or not compatible(data[: len(ids)], ids):
        raise ValueError(f"segment_ids' shape {shape_str(ids)} must begin inputs' shape {shape_str(data)}")
    return (None if count is None else int(count), *data[len(ids) :])


@op(
    "UnsortedSegmentJoin", _segments_shape, out="output: string", host=True, api="strings.unsorted_segment_join", Tindices=INDICES,
    Tnumsegments=INDICES.default_to(int32),
)  # fmt: skip
def unsorted_segment_join(inputs: String, segment_ids: Tindices, num_segments: Tnumsegments, separator: str = "", name: str | None = None) -> Tensor:
    """Joins the strings that belong to one segment.

    Args:
      inputs: strings.
      segment_ids: the segment of each string, or of each row; its shape begins that of `inputs`.
      num_segments: how many segments there are.
      separator: what to write between the strings of a segment.

    Returns [num_segments, ...]; a segment without strings is empty. Raises InvalidArgumentError in the run for ids that are out of range.

    >>> unsorted_segment_join(["a", "b", "c"], [0, 1, 0], 2, separator=":").shape.as_list()
    [2]
    """
    data, ids, count = np.asarray(inputs), np.asarray(segment_ids), int(np.asarray(num_segments))
    if count < 0:
        raise invalid(f"Number of segments must be non-negative, got {count}")
    for i, (a, b) in enumerate(zip(ids.shape, data.shape, strict=False)):
        if a != b:
            raise invalid(f"Segment dimension is {a} while input dimension is {b} in rank {i}")
    if ids.size and (ids.min() < 0 or ids.max() >= count):
        raise invalid("segment_ids are not allowed to exceed num_segments or to have negative values.")
    rest = data.shape[ids.ndim :]
    rows = data.reshape(ids.size, math.prod(rest))
    parts: list[list[list[bytes]]] = [[[] for _ in range(rows.shape[1])] for _ in range(count)]
    for i, row in zip(ids.reshape(-1).tolist(), rows.tolist(), strict=True):
        for cell, text in zip(parts[i], row, strict=True):
            cell.append(text)
    glue = encoded(separator)
    return listed([glue.join(cell) for segment in parts for cell in segment], (count, *rest))


grad.none("StringJoin ReduceJoin UnsortedSegmentJoin", "strings are not differentiable")


# -- cutting and measuring -----------------------------------------------------------------------------


def _substr_shape(c: Infer) -> Dims:
    pos, length = c.dims(1), c.dims(2)
    if not compatible(pos, length):
        raise ValueError(f"pos and len must have one shape, got {shape_str(pos)} and {shape_str(length)}")
    return broadcast_dims(c.dims(0), pos if length is None else length)


def character_starts(text: bytes) -> list[int]:
    """Where the UTF-8 characters of `text` begin, and its length."""
    return [*[i for i, b in enumerate(text) if b & 0xC0 != 0x80], len(text)]


@op("Substr", _substr_shape, out="output: string", host=True, api="substr strings.substr", T=INDICES, unit=("BYTE", "UTF8_CHAR"))
def substr(input: String, pos: T, len: T, name: str | None = None, unit: str = "BYTE") -> Tensor:
    """Returns a part of each string.

    Args:
      input: strings.
      pos: where the parts begin, counted from the end when negative. Broadcasts with `input`.
      len: how long they are at most; of the shape of `pos`.
      unit: "BYTE" or "UTF8_CHAR", what `pos` and `len` count.

    Raises InvalidArgumentError in the run for a position outside its string.

    >>> substr(["hello", "world"], 1, 3).shape.as_list()
    [2]
    """
    texts, begins, lengths = np.asarray(input), np.asarray(pos), np.asarray(len)
    if begins.shape != lengths.shape:
        raise invalid(f"pos and len must have one shape, got {list(begins.shape)} and {list(lengths.shape)}")
    try:
        shape = np.broadcast_shapes(texts.shape, begins.shape)
    except ValueError:
        raise invalid(f"Incompatible shapes: {list(texts.shape)} vs. {list(begins.shape)}") from None
    flat = [np.broadcast_to(a, shape).reshape(-1).tolist() for a in (texts, begins, lengths)]
    cut = _cut_bytes if unit == "BYTE" else _cut_characters
    return listed([cut(t, b, n, i) for i, (t, b, n) in enumerate(zip(*flat, strict=True))], shape)


def _cut_bytes(text: bytes, begin: int, length: int, index: int) -> bytes:
    if abs(begin) > len(text):
        raise invalid(f"pos {begin} out of range for string b'{text.decode(errors='replace')}' at index {index}")
    begin %= len(text) + (begin >= 0) or 1
    return text[begin : begin + length] if length >= 0 else text[begin:]


def _cut_characters(text: bytes, begin: int, length: int, index: int) -> bytes:
    starts = character_starts(text)
    count = len(starts) - 1
    if abs(begin) > count:
        raise invalid(f"pos {begin} out of range for string at index {index}")
    if begin < 0:
        begin += count
    end = min(begin + max(length, 0), count)
    return text[starts[begin] : starts[end]]


@op("StringLength", same, out="output: int32", host=True, unit=("BYTE", "UTF8_CHAR"))
def _string_length(input: String, unit: str = "BYTE", name: str | None = None) -> Tensor:
    """How long each string is."""
    return each(len if unit == "BYTE" else lambda x: len(character_starts(x)) - 1, input, np.int32)


@export("strings.length")
def string_length(input: Any, name: str | None = None, unit: str = "BYTE") -> Tensor:
    """Returns how many bytes, or UTF-8 characters, each string has, as int32.

    Args:
      input: strings.
      name: a name for the operation.
      unit: "BYTE" or "UTF8_CHAR".
    """
    return _string_length(input, unit, name=name)


def _recoded(change_bytes: Callable[[bytes], bytes], change_text: Callable[[str], str], array: Any, encoding: str) -> Any:
    if encoding not in ("", "utf-8"):
        raise invalid(f"only utf-8 or '' (no encoding) is supported, received {encoding}")
    return each(change_bytes if encoding == "" else lambda x: change_text(x.decode(errors="replace")).encode(), array)


@op("StringLower", same, out="output: string", host=True, api="strings.lower")
def string_lower(input: String, encoding: str = "", name: str | None = None) -> Tensor:
    """Returns each string in lower case: only ASCII letters change with encoding "", all letters with "utf-8"."""
    return _recoded(bytes.lower, str.lower, input, encoding)


@op("StringUpper", same, out="output: string", host=True, api="strings.upper")
def string_upper(input: String, encoding: str = "", name: str | None = None) -> Tensor:
    """Returns each string in upper case: only ASCII letters change with encoding "", all letters with "utf-8"."""
    return _recoded(bytes.upper, str.upper, input, encoding)


@op("StringStrip", same, out="output: string", host=True, api="string_strip strings.strip")
def string_strip(input: String, name: str | None = None) -> Tensor:
    """Returns each string without the ASCII white space around it."""
    return each(bytes.strip, input)


grad.none("Substr StringLength StringLower StringUpper StringStrip", "strings are not differentiable")


# -- hash buckets --------------------------------------------------------------------------------------


@op("StringToHashBucket", same, out="output: int64", host=True, num_buckets=1)
def _string_to_hash_bucket(string_tensor: String, num_buckets: int, name: str | None = None) -> Tensor:
    """A number below `num_buckets` for each string."""
    return each(lambda x: murmur64(x) % num_buckets, string_tensor, np.int64)


@export("string_to_hash_bucket strings.to_hash_bucket")
def string_to_hash_bucket(string_tensor: Any = None, num_buckets: int | None = None, name: str | None = None, input: Any = None) -> Tensor:
    """Returns an int64 in [0, num_buckets) for each string: its MurmurHash64A modulo `num_buckets`.

    Args:
      string_tensor: strings.
      num_buckets: how many buckets there are, at least 1.
      name: a name for the operation.
      input: another name of `string_tensor`.
    """
    if num_buckets is None:
        raise ValueError("num_buckets must be given")
    return _string_to_hash_bucket(_one_of(input, "input", string_tensor, "string_tensor"), num_buckets, name=name)


@op("StringToHashBucketFast", same, out="output: int64", host=True, api="string_to_hash_bucket_fast strings.to_hash_bucket_fast", num_buckets=1)
def string_to_hash_bucket_fast(input: String, num_buckets: int, name: str | None = None) -> Tensor:
    """Returns an int64 in [0, num_buckets) for each string: its FarmHash Fingerprint64 modulo `num_buckets`.

    >>> string_to_hash_bucket_fast(["a", "b"], 100).dtype.name
    'int64'
    """
    return each(lambda x: fingerprint64(x) % num_buckets, input, np.int64)


@op("StringToHashBucketStrong", same, out="output: int64", host=True, api="string_to_hash_bucket_strong strings.to_hash_bucket_strong", num_buckets=1)
def string_to_hash_bucket_strong(input: String, num_buckets: int, key: Ints, name: str | None = None) -> Tensor:
    """Returns an int64 in [0, num_buckets) for each string: its SipHash-2-4 with the two numbers of `key`, modulo `num_buckets`."""
    if len(key) != 2:
        raise invalid("Key must have 2 elements")
    return each(lambda x: siphash(x, key) % num_buckets, input, np.int64)


grad.none("StringToHashBucket StringToHashBucketFast StringToHashBucketStrong", "the output is an integer")


# -- base64 --------------------------------------------------------------------------------------------


@op("EncodeBase64", same, out="output: string", host=True, api="encode_base64 io.encode_base64")
def encode_base64(input: String, pad: bool = False, name: str | None = None) -> Tensor:
    """Returns each string in the base64 of URLs; `pad` fills it up with "=" to a multiple of four characters."""
    return each(lambda x: base64.urlsafe_b64encode(x) if pad else base64.urlsafe_b64encode(x).rstrip(b"="), input)


_BASE64 = re.compile(rb"[A-Za-z0-9_-]*")


@op("DecodeBase64", same, out="output: string", host=True, api="decode_base64 io.decode_base64")
def decode_base64(input: String, name: str | None = None) -> Tensor:
    """Returns the strings whose base64 of URLs, padded or not, is given; raises InvalidArgumentError in the run for other characters."""

    def decoded(text: bytes) -> bytes:
        core = text[:-2] if text.endswith(b"==") and len(text) % 4 == 0 else text[:-1] if text.endswith(b"=") and len(text) % 4 == 0 else text
        if not _BASE64.fullmatch(core):
            raise invalid("Invalid character found in base64.")
        if len(core) % 4 == 1:
            raise invalid("Base64 string length cannot be 1 modulo 4.")
        return base64.urlsafe_b64decode(core + b"=" * (-len(core) % 4))

    return each(decoded, input)


grad.none("EncodeBase64 DecodeBase64", "strings are not differentiable")
