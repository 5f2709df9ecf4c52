"""Text encodings: strings to code points and back, from one encoding to another, and the script of a character."""

import codecs
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any

import numpy as np

from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import int64, string
from ir.infer import Infer, same, with_rank
from ir.opdef import In, Int32, String, Type
from ir.ops.layout import reshape
from ir.ops.strings import INDICES, each, invalid, listed
from ir.ops.unicode_scripts import scripts
from ir.shapes import Dims, num_elements
from ir.tensor import Tensor

ERRORS = ("strict", "replace", "ignore")
ENCODINGS = ("UTF-8", "UTF-16-BE", "UTF-32-BE")
TSPLITS = INDICES.default_to(int64)
Tsplits = Annotated[Any, In("Tsplits")]


# -- decoding ------------------------------------------------------------------------------------------


def _codec(name: str) -> codecs.CodecInfo:
    try:
        return codecs.lookup(name)
    except LookupError:
        raise invalid(f"Could not create converter for input encoding: {name}") from None


def _characters(text: bytes, codec: codecs.CodecInfo) -> Iterator[tuple[int, int]]:
    """Yields code points and where they begin; -1 for bytes that are no character."""
    at = 0
    if codec.name in ("utf-16", "utf-32"):  # big-endian unless a byte order mark says otherwise
        marked = text.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"))
        codec = codec if marked else codecs.lookup(codec.name + "-be")
    while at < len(text):
        rest = text[at:]
        try:
            good, bad = codec.decode(rest)[0], 0
            end = len(rest)
        except UnicodeDecodeError as e:
            end, bad = e.start, e.end - e.start
            good = codec.decode(rest[:end])[0]
        for c, start in zip(good, _starts(rest[:end], good, codec), strict=True):
            yield ord(c), at + start
        if bad:  # Windows leaves a few bytes open, which ICU takes for control characters
            yield rest[end] if codec.name == "cp1252" else -1, at + end
        at += end + bad


def _starts(data: bytes, text: str, codec: codecs.CodecInfo) -> list[int]:
    """Where the characters of a well-formed text begin."""
    if len(data) == len(text):
        return list(range(len(text)))
    decoder = codec.incrementaldecoder()
    starts: list[int] = []
    begin = 0
    for i in range(len(data)):
        found = decoder.decode(data[i : i + 1])
        starts += [begin] * len(found)
        begin = i + 1 if found else begin
    return starts + [begin] * (len(text) - len(starts))


def _decode(text: bytes, codec: codecs.CodecInfo, errors: str, replacement: int, replace_control: bool) -> Iterator[tuple[int, int]]:
    """Yields code points and where they begin, errors treated as asked."""
    for c, start in _characters(text, codec):
        if c < 0 and errors == "strict":
            raise invalid("Invalid formatting on input string")
        if c < 0 or (replace_control and c < 0x20):
            if errors == "ignore":
                continue
            c = replacement
        yield c, start


def _decoded(input: Any, encoding: str, errors: str, replacement: int, control: bool, np_dtype: Any) -> tuple[Any, Any, Any]:
    codec = _codec(encoding)
    rows = [list(_decode(x, codec, errors, replacement, control)) for x in np.asarray(input).reshape(-1).tolist()]
    splits = np.cumsum([0, *map(len, rows)]).astype(np_dtype)
    return splits, np.array([c for row in rows for c, _ in row], np.int32), np.array([s for row in rows for _, s in row], np.int64)


def _decode_shapes(c: Infer) -> list[Dims]:
    count = num_elements(c.dims(0))
    return [(None if count is None else count + 1,), (None,)]


@op("UnicodeDecode", _decode_shapes, out="row_splits: Tsplits, char_values: int32", host=True, dynamic=True, errors=ERRORS, Tsplits=TSPLITS)
def unicode_decode_ragged(
    input: String, input_encoding: str, errors: str = "replace", replacement_char: int = 65533, replace_control_characters: bool = False,
    Tsplits: Type = "int64", name: str | None = None,
) -> Any:  # fmt: skip
    """The code points of all strings, one after the other, and where each string's begin."""
    return _decoded(input, input_encoding, errors, replacement_char, replace_control_characters, Tsplits.np_dtype)[:2]


@op(
    "UnicodeDecodeWithOffsets", lambda c: [*_decode_shapes(c), (None,)], out="row_splits: Tsplits, char_values: int32, char_to_byte_starts: int64",
    host=True, dynamic=True, errors=ERRORS, Tsplits=TSPLITS,
)  # fmt: skip
def unicode_decode_ragged_with_offsets(
    input: String, input_encoding: str, errors: str = "replace", replacement_char: int = 65533, replace_control_characters: bool = False,
    Tsplits: Type = "int64", name: str | None = None,
) -> Any:  # fmt: skip
    """The code points of all strings, where each string's begin, and the byte at which each begins."""
    return _decoded(input, input_encoding, errors, replacement_char, replace_control_characters, Tsplits.np_dtype)


def _one_string(input: Any, function: str) -> Tensor:
    """Returns a scalar as a vector of one; more than that would give rows of different lengths."""
    input = convert_to_tensor(input, string, "input")
    if input.dims is None:
        raise ValueError("Rank of `input` must be statically known.")
    if input.dims:
        raise NotImplementedError(f"{function}: graphc has no RaggedTensor, so the input must be one string, got shape {input.shape}")
    return reshape(input, [-1])


@export("strings.unicode_decode")
def unicode_decode(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533, replace_control_characters: bool = False, name: str | None = None
) -> Tensor:  # fmt: skip
    """Returns the code points of a string, int32.

    Args:
      input: one string.
      input_encoding: the name of its encoding, such as "UTF-8".
      errors: what to do with bytes that are no characters: "replace" them, "ignore" them, or be "strict": InvalidArgumentError in the run.
      replacement_char: the code point that replaces them.
      replace_control_characters: replace the control characters too.
      name: a name for the operations.

    >>> unicode_decode("h\u00e9", "UTF-8").dtype.name
    'int32'
    """
    with get_default_graph().name_scope(name or "UnicodeDecode"):
        return unicode_decode_ragged(_one_string(input, "unicode_decode"), input_encoding, errors, replacement_char, replace_control_characters)[1]


@export("strings.unicode_decode_with_offsets")
def unicode_decode_with_offsets(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533, replace_control_characters: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Returns the code points of a string, and the byte at which each begins; see `strings.unicode_decode`."""
    with get_default_graph().name_scope(name or "UnicodeDecodeWithOffsets"):
        source = _one_string(input, "unicode_decode_with_offsets")
        found: Any = unicode_decode_ragged_with_offsets(source, input_encoding, errors, replacement_char, replace_control_characters)
        return found.char_values, found.char_to_byte_starts


# -- encoding ------------------------------------------------------------------------------------------


def _encode(points: list[int], encoding: str, errors: str, replacement: int) -> bytes:
    out: list[str] = []
    for c in points:
        if 0 <= c < 0x110000:
            out.append("\ufffd" if 0xD800 <= c < 0xE000 and encoding == "UTF-8" else chr(c))
            continue
        if errors == "strict":
            raise invalid("Code point value out of valid Unicode range.")
        if errors == "replace":
            out.append(chr(replacement))
    return "".join(out).encode(encoding.lower(), errors="surrogatepass")


@op(
    "UnicodeEncode", lambda c: tuple(None if d is None else d - 1 for d in with_rank(c.dims(1), 1, "input_splits")), out="output: string", host=True,
    errors=ERRORS, output_encoding=ENCODINGS, Tsplits=TSPLITS,
)  # fmt: skip
def unicode_encode_ragged(
    input_values: Int32, input_splits: Tsplits, output_encoding: str, errors: str = "replace", replacement_char: int = 65533, name: str | None = None
) -> Tensor:  # fmt: skip
    """Rows of code points as strings; row i is values[splits[i]:splits[i + 1]]."""
    points, splits = np.asarray(input_values).tolist(), np.asarray(input_splits).tolist()
    for a, b in pairwise(splits):
        if a > b:
            raise invalid(f"Values in input_splits must be equal or in ascending order: got {a} and {b}")
    if splits and (splits[-1] > len(points) or splits[0] < 0):
        raise invalid(f"Values in input_splits must be less than or equal to input_tensor length: got {splits[-1]} and {len(points)}")
    return listed([_encode(points[a:b], output_encoding, errors, replacement_char) for a, b in pairwise(splits)], (len(splits) - 1,))


@export("strings.unicode_encode")
def unicode_encode(input: Any, output_encoding: str, errors: str = "replace", replacement_char: int = 65533, name: str | None = None) -> Tensor:
    """Returns strings of the code points in the last dimension.

    Args:
      input: int32 code points, of rank 1 or more.
      output_encoding: "UTF-8", "UTF-16-BE" or "UTF-32-BE".
      errors: what to do with numbers that are no code points: "replace" them, "ignore" them, or be "strict": InvalidArgumentError in the run.
      replacement_char: the code point that replaces them.
      name: a name for the operations.

    >>> unicode_encode([72, 105], "UTF-8").shape.as_list()
    []
    """
    with get_default_graph().name_scope(name or "UnicodeEncode"):
        points: Any = convert_to_tensor(input, name="Const")
        dims = points.dims
        if dims is None:
            raise ValueError("Rank of input_tensor must be statically known.")
        if not dims:
            raise ValueError("input_tensor's rank must be at least 1.")
        if None in dims:
            raise NotImplementedError(f"unicode_encode: the shape of the code points must be known, got {points.shape}")
        rows, width = int(np.prod(dims[:-1], dtype=np.int64)), int(dims[-1] or 0)
        splits = np.arange(rows + 1, dtype=np.int64) * width
        flat = unicode_encode_ragged(reshape(points, [-1]), splits, output_encoding, errors, replacement_char)
        return reshape(flat, np.array(dims[:-1], np.int32))


@op("UnicodeTranscode", same, out="output: string", host=True, api="strings.unicode_transcode", errors=ERRORS, output_encoding=ENCODINGS)
def unicode_transcode(
    input: String, input_encoding: str, output_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    replace_control_characters: bool = False, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Returns each string in another encoding.

    Args:
      input: strings.
      input_encoding: the name of their encoding.
      output_encoding: "UTF-8", "UTF-16-BE" or "UTF-32-BE".
      errors: what to do with bytes that are no characters: "replace" them, "ignore" them, or be "strict": InvalidArgumentError in the run.
      replacement_char: the code point that replaces them.
      replace_control_characters: replace the control characters too.
    """
    codec = _codec(input_encoding)

    def recoded(text: bytes) -> bytes:
        points = [c for c, _ in _decode(text, codec, errors, replacement_char, replace_control_characters)]
        return _encode(points, output_encoding, "replace", replacement_char)

    return each(recoded, input)


grad.none("UnicodeDecode UnicodeDecodeWithOffsets UnicodeEncode UnicodeTranscode", "text is not differentiable")


@op("UnicodeScript", same, out="output: int32", host=True, api="strings.unicode_script")
def unicode_script(input: Int32, name: str | None = None) -> Tensor:
    """Returns the number ICU gives the script of each code point, -1 for what is none.

    >>> unicode_script([65, 0x3b1]).dtype.name
    'int32'
    """
    points = np.asarray(input)
    valid = (points >= 0) & (points < 0x110000)
    return np.where(valid, scripts()[np.where(valid, points, 0)], -1).astype(np.int32)  # pyright: ignore[reportReturnType]


grad.none("UnicodeScript", "the output is an integer")
