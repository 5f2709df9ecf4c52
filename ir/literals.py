"""Values of attributes, types and shapes as text, and back: the leaves of the grammar in `ir.text`."""

import hashlib
import json
import re
from typing import Any

import numpy as np

from ir.dtypes import DType, as_dtype
from ir.funcref import FuncRef
from ir.shapes import Dims, TensorShape

Array = np.ndarray[Any, Any]
LARGE = 16  # elements: larger constants are named by their hash


class ParseError(ValueError):
    """Text that is not a graph. `line` and `column` count from 1; `expected` says what would have fitted there."""

    def __init__(self, message: str, text: str, line: int, column: int, expected: str = "") -> None:
        shown = f"\n    {text}\n    {' ' * (column - 1)}^" if text else ""
        super().__init__(f"line {line}, column {column}: {message}{shown}")
        self.line = line
        self.column = column
        self.expected = expected


# -- printing ----------------------------------------------------------------------------------------


def type_text(dtype: DType, dims: Dims) -> str:
    """Returns a tensor type: `float32[2,?]`, `float32[]` for a scalar, `float32[*]` when the rank is unknown."""
    return f"{dtype.name}[{dims_text(dims)}]"


def dims_text(dims: Dims) -> str:
    """Returns what stands between the brackets of a type."""
    return "*" if dims is None else ",".join("?" if d is None else str(d) for d in dims)


def value_text(value: Any, table: dict[str, Array] | None = None, large: int = LARGE) -> str:
    """Returns an attribute's value. Large constants go into `table` under their hash."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytes):
        return _bytes_text(value)
    if isinstance(value, DType):
        return value.name
    if isinstance(value, TensorShape):
        return f"shape[{dims_text(value.as_dims())}]"
    if isinstance(value, (tuple, list)):
        items: Any = value
        return "[" + ", ".join(value_text(v, table, large) for v in items) + "]"
    if isinstance(value, FuncRef):
        return f"@{value.name}{attrs_text(value.attrs, table, large) if value.attrs else ''}"
    if isinstance(value, np.ndarray):
        return _dense_text(value, None, table, large)
    raise TypeError(f"an attribute cannot hold {value!r}")


def attrs_text(attrs: dict[str, Any], table: dict[str, Array] | None = None, large: int = LARGE) -> str:
    """Returns attributes in braces, sorted by name."""
    dtype = attrs.get("dtype")
    parts: list[str] = []
    for key in sorted(attrs):
        value = attrs[key]
        if isinstance(value, np.ndarray):
            text = _dense_text(value, dtype if isinstance(dtype, DType) else None, table, large)
        else:
            text = value_text(value, table, large)
        parts.append(f"{key}={text}")
    return "{" + ", ".join(parts) + "}"


def _float_text(value: float) -> str:
    short = np.float32(value) if abs(value) < 3e38 else value
    text = str(short) if float(short) == value else repr(value)
    return text if any(c in text for c in ".en") else text + ".0"


def _bytes_text(value: bytes) -> str:
    return 'b"' + "".join(chr(c) if 32 <= c < 127 and c not in (34, 92) else f"\\x{c:02x}" for c in value) + '"'


def _element_text(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return _bytes_text(value)
        return json.dumps(text, ensure_ascii=False)
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (complex, np.complexfloating)):
        return f"({_number(value.real)}, {_number(value.imag)})"
    return _number(value)


def _number(value: Any) -> str:
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    text = str(value)
    return text if any(c in text for c in ".en") else text + ".0"


def _nested(array: Array) -> str:
    if array.ndim == 0:
        return _element_text(array[()])
    return "[" + ", ".join(_nested(np.asarray(a, array.dtype) if array.ndim == 1 else a) for a in array) + "]"


def _content(array: Array) -> bytes:
    if array.dtype == object:
        return b"".join(len(v).to_bytes(8, "little") + v for v in array.reshape(-1).tolist())
    return np.ascontiguousarray(array).tobytes()


def array_hash(array: Array) -> str:
    """Returns the name of a constant: the start of the SHA-256 of its type, shape and contents."""
    digest = hashlib.sha256(f"{array.dtype.name}{list(array.shape)}".encode())
    digest.update(_content(array))
    return digest.hexdigest()[:16]


def _dense_text(array: Array, dtype: DType | None, table: dict[str, Array] | None, large: int) -> str:
    kind = type_text(dtype if dtype is not None and dtype.np_dtype == array.dtype else as_dtype(array.dtype), array.shape)
    content = _content(array)
    flat = array.reshape(-1)
    if flat.size and _repeats(flat, content):
        text = _element_text(flat[0])
    elif flat.size <= large:
        text = _nested(array)
    else:
        name = array_hash(array)
        if table is not None:
            table[name] = array
        return f"dense<sha256:{name} : {kind}>"
    if array.dtype != object and _content(_parse_elements(text, array)) != content:
        text = "0x" + content.hex()  # a NaN of another kind
    return f"dense<{text} : {kind}>"


def _repeats(flat: Array, content: bytes) -> bool:
    if flat.size == 1:
        return True
    if flat.dtype == object:
        return all(v == flat[0] for v in flat.tolist())
    width = flat.dtype.itemsize
    return content[width:] == content[:-width]


def _parse_elements(text: str, like: Array) -> Array:
    return Scanner(text, 1).dense_elements(as_dtype(like.dtype), like.shape)


# -- reading -----------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?(?:inf|nan|\d+(?:\.\d*)?(?:e[+-]?\d+)?)")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_WORD = re.compile(r"[A-Za-z_][\w.$\-]*")
_NODE = re.compile(r"[A-Za-z0-9._][A-Za-z0-9_.\-/>]*")
_SPACE = re.compile(r"[ \t]*")
_HEX = re.compile(r"0x[0-9a-f]*")
_HASH = re.compile(r"sha256:([0-9a-f]+)")


class Scanner:
    """Reads one line from left to right. Raises ParseError where the text does not fit."""

    def __init__(self, text: str, line: int, table: dict[str, Array] | None = None) -> None:
        self.text = text
        self.line = line
        self.at = 0
        self.table = table
        self.skip()

    def skip(self) -> None:
        """Passes spaces."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def fail(self, expected: str, at: int | None = None) -> ParseError:
        """Returns the error that something else was expected."""
        at = self.at if at is None else at
        found = self.text[at : at + 12].split(" ")[0]
        message = f"expected {expected}, found {found!r}" if found else f"expected {expected} before the end of the line"
        return ParseError(message, self.text, self.line, at + 1, expected)

    def error(self, message: str, at: int) -> ParseError:
        """Returns an error about what stands at `at`."""
        return ParseError(message, self.text, self.line, at + 1)

    def peek(self, token: str) -> bool:
        """Whether `token` is next."""
        return self.text.startswith(token, self.at)

    def accept(self, token: str) -> bool:
        """Passes `token` if it is next."""
        if not self.peek(token):
            return False
        self.at += len(token)
        self.skip()
        return True

    def expect(self, token: str) -> None:
        """Passes `token`."""
        if not self.accept(token):
            raise self.fail(f"'{token}'")

    def match(self, pattern: re.Pattern[str], expected: str) -> str:
        """Passes and returns what fits `pattern`."""
        found = pattern.match(self.text, self.at)
        if found is None:
            raise self.fail(expected)
        self.at = found.end()
        self.skip()
        return found.group()

    def end(self) -> None:
        """Checks that nothing but a comment is left."""
        if self.at < len(self.text) and not self.peek("#"):
            raise self.fail("the end of the line")

    def word(self, expected: str) -> str:
        """Reads an identifier."""
        return self.match(_WORD, expected)

    def node(self) -> str:
        """Reads the name of an operation, after its %."""
        return self.match(_NODE, "the name of an operation")

    def integer(self, expected: str = "an integer") -> int:
        """Reads an integer."""
        at = self.at
        text = self.match(_NUMBER, expected)
        if not text.lstrip("+-").isdigit():
            raise self.fail(expected, at)
        return int(text)

    def string(self) -> str:
        """Reads a string in quotes."""
        at = self.at
        text = self.match(_STRING, "a string in double quotes")
        try:
            return json.loads(text)
        except ValueError:
            raise self.error("the string is not well-formed", at) from None

    def _bytes(self) -> bytes:
        self.at += 1
        at = self.at
        text = self.match(_STRING, "bytes in double quotes")[1:-1]
        try:
            return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m.group(1), 16)), text).encode("latin-1")
        except UnicodeEncodeError:
            raise self.error("bytes outside ASCII are written \\xNN", at) from None

    def dtype(self) -> DType:
        """Reads a type name."""
        at = self.at
        name = self.word("a type such as float32")
        try:
            return as_dtype(name)
        except TypeError:
            raise self.fail("a type such as float32", at) from None

    def dims(self) -> Dims:
        """Reads a shape in brackets."""
        self.expect("[")
        if self.accept("*"):
            self.expect("]")
            return None
        sizes: list[int | None] = []
        while not self.accept("]"):
            if sizes:
                self.expect(",")
            sizes.append(None if self.accept("?") else self.integer("a size, '?', or '*' for an unknown rank"))
        return tuple(sizes)

    def type(self) -> tuple[DType, Dims]:
        """Reads a tensor type."""
        return self.dtype(), self.dims()

    def value(self) -> Any:
        """Reads an attribute's value."""
        if self.peek('"'):
            return self.string()
        if self.peek('b"'):
            return self._bytes()
        if self.accept("["):
            items: list[Any] = []
            while not self.accept("]"):
                if items:
                    self.expect(",")
                items.append(self.value())
            return tuple(items)
        if self.accept("@"):
            name = self.node()
            return FuncRef(name, self.attrs() if self.peek("{") else {})
        if self.accept("dense<"):
            return self._dense()
        if self.peek("shape["):
            self.at += len("shape")
            return TensorShape(self.dims())
        for token, constant in (("true", True), ("false", False)):
            if self.accept(token):
                return constant
        found = _NUMBER.match(self.text, self.at)
        if found is not None and not self.text[found.end() : found.end() + 1].isalpha():
            text = self.match(_NUMBER, "a number")
            return int(text) if text.lstrip("+-").isdigit() else _float32(float(text))
        if _WORD.match(self.text, self.at):
            return self.dtype()
        raise self.fail("a value")

    def attrs(self) -> dict[str, Any]:
        """Reads attributes in braces."""
        self.expect("{")
        out: dict[str, Any] = {}
        while not self.accept("}"):
            if out:
                self.expect(",")
            at = self.at
            key = self.word("the name of an attribute")
            if key in out:
                raise self.error(f"attribute '{key}' is given twice", at)
            self.expect("=")
            out[key] = self.value()
        return out

    def _dense(self) -> Array:
        start = self.at
        found = _HASH.match(self.text, self.at)
        if found is not None:
            self.match(_HASH, "a hash")
            self.expect(":")
            dtype, dims = self.type()
            self.expect(">")
            array = (self.table or {}).get(found.group(1))
            if array is None:
                raise self.error(f"the constant {found.group()} is not in the table", start)
            if array.shape != dims or array.dtype != dtype.np_dtype:
                raise self.error(f"the constant {found.group()} has another type in the table: {type_text(as_dtype(array.dtype), array.shape)}", start)
            return array
        if self.peek("0x"):
            raw = bytes.fromhex(self.match(_HEX, "hexadecimal digits")[2:])
            self.expect(":")
            dtype, dims = self.type()
            self.expect(">")
            return np.frombuffer(raw, dtype.np_dtype).reshape(self._known(dims, start))
        elements = self._elements()
        self.expect(":")
        dtype, dims = self.type()
        self.expect(">")
        return self._array(elements, dtype, self._known(dims, start), start)

    def _known(self, dims: Dims, at: int) -> tuple[int, ...]:
        if dims is None or None in dims:
            raise self.error("a constant has a fully known shape", at)
        return tuple(d for d in dims if d is not None)

    def dense_elements(self, dtype: DType, shape: tuple[int, ...]) -> Array:
        """Reads elements, of a type that is known."""
        return self._array(self._elements(), dtype, shape, 0)

    def _array(self, elements: Any, dtype: DType, shape: tuple[int, ...], at: int) -> Array:
        flat = _flat(elements)
        if not (dtype.is_floating or dtype.is_complex) and any(isinstance(v, (float, complex)) for v in flat):
            raise self.error(f"the elements do not fit {dtype.name}: they are not integers", at)
        try:
            values = np.empty(len(flat), dtype=dtype.np_dtype)
            values[:] = flat
        except (TypeError, ValueError, OverflowError) as e:
            raise self.error(f"the elements do not fit {dtype.name}: {e}", at) from None
        if not isinstance(elements, list):
            out = np.empty(shape, dtype=dtype.np_dtype)
            out[...] = values[0]
            return out
        if values.size != np.prod(shape, dtype=np.int64):
            raise self.error(f"{values.size} elements do not fit the shape [{dims_text(shape)}]", at)
        return values.reshape(shape)

    def _elements(self) -> Any:
        if self.accept("["):
            items: list[Any] = []
            while not self.accept("]"):
                if items:
                    self.expect(",")
                items.append(self._elements())
            return items
        if self.accept("("):
            real = float(self.match(_NUMBER, "a number"))
            self.expect(",")
            imaginary = float(self.match(_NUMBER, "a number"))
            self.expect(")")
            return complex(real, imaginary)
        if self.peek('"'):
            return self.string().encode()
        if self.peek('b"'):
            return self._bytes()
        if self.accept("true"):
            return True
        if self.accept("false"):
            return False
        text = self.match(_NUMBER, "a number, a string, true or false")
        return int(text) if text.lstrip("+-").isdigit() else float(text)


def _flat(elements: Any) -> list[Any]:
    if not isinstance(elements, list):
        return [elements]
    items: Any = elements
    return [x for e in items for x in _flat(e)]


def _float32(value: float) -> float:
    return float(np.float32(value)) if abs(value) < 3.4e38 else value

