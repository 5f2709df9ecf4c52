"""Parts of tensors: how SaveV2 writes them, and the keys under which a checkpoint's index has them.

May import `ir` only.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc.io.messages import TensorSlice
from ir.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a tensor of shape `full`: per dimension (start, length), with length None for all of it."""

    full: tuple[int, ...]
    extents: tuple[tuple[int, int | None], ...]

    @property
    def offset(self) -> tuple[int, ...]:
        """Where it begins."""
        return tuple(start for start, _ in self.extents)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its own shape."""
        return tuple(size if length is None else length for (_, length), size in zip(self.extents, self.full, strict=True))

    def as_proto(self) -> Any:
        """Returns the TensorSlice."""
        out = TensorSlice()
        for start, length in self.extents:
            extent = out.extent.add(start=start)
            if length is not None:
                extent.length = length
        return out

    def key(self, name: str) -> bytes:
        """Returns the key of this part of tensor `name`: in the order of names, then of the extents."""
        out = b"\0" + ordered_string(name.encode()) + ordered_number(len(self.extents))
        for start, length in self.extents:
            out += ordered_signed(start) + ordered_signed(-1 if length is None else length)
        return out


def part_of(full: Sequence[int], proto: Any) -> Part:
    """Returns the part that a TensorSlice describes. Raises ValueError when it does not fit the shape."""
    extents = tuple((int(e.start), int(e.length) if e.HasField("length") else None) for e in proto.extent)
    if len(extents) != len(full):
        raise ValueError(f"a part of rank {len(extents)} of a tensor of shape {list(full)}")
    part = Part(tuple(full), extents)
    if any(o < 0 or n < 0 or o + n > d for o, n, d in zip(part.offset, part.shape, full, strict=True)):
        raise ValueError(f"a part at {list(part.offset)} of shape {list(part.shape)} is not in a tensor of shape {list(full)}")
    return part


def parse_spec(spec: str) -> Part | None:
    """Returns the part that "4 2 0,2:-" names, or None for "", the whole. Raises InvalidArgumentError for anything else.

    >>> parse_spec("4 2 0,2:-").shape
    (2, 2)
    """
    if not spec:
        return None
    words = spec.split(" ")
    try:
        full = tuple(int(w) for w in words[:-1])
        extents: list[tuple[int, int | None]] = []
        for text in words[-1].split(":") if words[-1] else []:
            start, _, length = text.partition(",")
            extents.append((0, None) if text == "-" else (int(start), int(length)))
        part = Part(full, tuple(extents))
        if all(o >= 0 and n >= 0 and o + n <= d for o, n, d in zip(part.offset, part.shape, full, strict=True)):
            return part
    except ValueError:
        pass
    raise InvalidArgumentError(None, None, f"'{spec}' does not name a part of a tensor: expected sizes, then start,length of each dimension")


# -- numbers and strings as bytes in the same order ----------------------------------------------------


def ordered_number(value: int) -> bytes:
    """Returns how many bytes a non-negative number has, and the bytes, the highest first."""
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


_ESCAPED = {0: b"\0\xff", 255: b"\xff\0"}


def ordered_string(value: bytes) -> bytes:
    """Returns a string with 0 and 255 escaped, and an end that comes before all that goes on."""
    return b"".join([_ESCAPED.get(c, bytes([c])) for c in value]) + b"\0\x01"


def ordered_signed(value: int) -> bytes:
    """Returns a signed number in as few bytes as hold it, whose number the first bits tell (ones for positive, zeros for negative numbers)."""
    size = 1
    while (~value if value < 0 else value) >= 1 << (7 * size - 1):
        size += 1
    raw = (b"\xff\xff" if value < 0 else b"\0\0") + struct.pack(">q", value)
    out = bytearray(raw[len(raw) - size :])
    marks = ((1 << size) - 1) << (16 - size)
    out[0] ^= marks >> 8
    if size > 8:
        out[1] ^= marks & 0xFF
    return bytes(out)
