"""Checkpoints as TensorFlow's V2 format has them: `prefix.index` says what tensors there are and where, `prefix.data-0000k-of-0000n` hold them.

May import `ir` only.
"""

import os
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.io.messages import BundleEntry, BundleHeader
from graphc.io.slices import Part, part_of
from graphc.io.table import crc32c, decode_table, masked, read_varint
from ir.dtypes import DType, as_dtype, string, variant
from ir.errors import DataLossError, InvalidArgumentError, NotFoundError, UnimplementedError

Array = np.ndarray[Any, Any]
PREFIX = "_graphc/"  # of keys that are ours: TensorFlow has no variable of such a name, and leaves them alone


def index_path(prefix: str) -> str:
    """The file that says what a checkpoint holds."""
    return f"{prefix}.index"


def shard_path(prefix: str, shard: int, count: int) -> str:
    """The file of shard `shard` of `count`."""
    return f"{prefix}.data-{shard:05d}-of-{count:05d}"


class BundleReader:
    """The tensors of one checkpoint; opening it reads the index, `get` reads and checks one tensor.

    Raises NotFoundError when there is no such checkpoint, DataLossError, which names the file, when the index is damaged.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.path = index_path(prefix)
        try:
            with open(self.path, "rb") as f:
                data = f.read()
        except (FileNotFoundError, NotADirectoryError):
            raise not_found(prefix) from None
        self._raw = dict(decode_table(data, self.path))
        self._entries: dict[str, Any] = {}
        header = self._parsed(BundleHeader, b"", "header")
        self.shards: int = header.num_shards
        if header.endianness:
            raise UnimplementedError(None, None, f"{self.path} was written on a big-endian machine, which is not supported")
        if header.version.min_consumer > 1:
            raise UnimplementedError(None, None, f"{self.path} is of a later format (it asks for consumers from {header.version.min_consumer} on)")
        self.names = [k.decode() for k in self._raw if k and k[0]]

    def _parsed(self, message: Any, key: bytes, what: str) -> Any:
        try:
            return message.FromString(self._raw[key])
        except Exception as e:  # protobuf's own exception class differs between its implementations
            raise DataLossError(None, None, f"{self.path} is damaged: the {what} cannot be read ({type(e).__name__})") from None

    def _entry(self, name: str) -> Any:
        found = self._entries.get(name)
        if found is None:
            if name.encode() not in self._raw or not name:
                raise NotFoundError(None, None, f"Key {name} not found in checkpoint {self.prefix}")
            found = self._entries[name] = self._parsed(BundleEntry, name.encode(), f"entry of tensor {name}")
        return found

    def __contains__(self, name: str) -> bool:
        return bool(name) and name.encode() in self._raw and name.encode()[0] != 0

    def raw_entries(self) -> list[tuple[bytes, Any]]:
        """Returns what the index holds, key and entry."""
        return [(k, self._parsed(BundleEntry, k, f"entry {k!r}")) for k in self._raw if k]

    def dtype(self, name: str) -> DType:
        """The type of a tensor."""
        return self._dtype_of(self._entry(name), name)

    def _dtype_of(self, entry: Any, name: str) -> DType:
        try:
            return as_dtype(entry.dtype)
        except TypeError:
            raise DataLossError(None, None, f"{self.path} is damaged: tensor {name} has an unknown type {entry.dtype}") from None

    def shape(self, name: str) -> list[int]:
        """The shape of a tensor."""
        return [d.size for d in self._entry(name).shape.dim]

    def parts(self, name: str) -> list[Part]:
        """The parts a tensor is stored in; none when it is stored whole."""
        shape = self.shape(name)
        try:
            return [part_of(shape, s) for s in self._entry(name).slices]
        except ValueError as e:
            raise DataLossError(None, None, f"{self.path} is damaged: tensor {name} has {e}") from None

    def get(self, name: str) -> Array:
        """Returns a tensor, put together when it is stored in parts.

        Raises NotFoundError when there is none, DataLossError, which names the tensor and the file, when it is damaged.
        """
        if not self._entry(name).slices:
            return self._read(self._entry(name), name)
        shape = self.shape(name)
        return self.get_part(name, Part(tuple(shape), tuple((0, None) for _ in shape)))

    def get_part(self, name: str, part: Part) -> Array:
        """Returns a part of a tensor; see `get`. Raises InvalidArgumentError when the stored tensor has another shape than `part` says."""
        shape = self.shape(name)
        if list(part.full) != shape:
            raise InvalidArgumentError(None, None, f"Shape mismatch: tensor {name} has shape {shape} in checkpoint {self.prefix}, expected {list(part.full)}")
        stored = self.parts(name)
        if not stored:
            return self._read(self._entry(name), name)[_window(part.offset, part.shape)].copy()
        out = np.empty(part.shape, self.dtype(name).np_dtype)
        filled = np.zeros(part.shape, np.bool_)
        for s in stored:
            low = [max(a, b) for a, b in zip(part.offset, s.offset, strict=True)]
            high = [min(a + n, b + m) for a, n, b, m in zip(part.offset, part.shape, s.offset, s.shape, strict=True)]
            if any(h <= lo for lo, h in zip(low, high, strict=True)):
                continue
            size = [h - lo for lo, h in zip(low, high, strict=True)]
            window = _window([lo - o for lo, o in zip(low, part.offset, strict=True)], size)
            out[window] = self._stored_part(name, s)[_window([lo - o for lo, o in zip(low, s.offset, strict=True)], size)]
            filled[window] = True
        if not filled.all():
            raise DataLossError(None, None, f"{self.path} is damaged: the parts of tensor {name} do not cover {list(part.offset)} to {list(part.shape)}")
        return out

    def _stored_part(self, name: str, part: Part) -> Array:
        key = part.key(name)
        if key not in self._raw:
            raise DataLossError(None, None, f"{self.path} is damaged: the part of tensor {name} at {list(part.offset)} is missing")
        entry = self._parsed(BundleEntry, key, f"entry of a part of tensor {name}")
        out = self._read(entry, name)
        if out.shape != part.shape:
            raise DataLossError(None, None, f"{self.path} is damaged: the part of tensor {name} at {list(part.offset)} has shape {list(out.shape)}")
        return out

    def _read(self, entry: Any, name: str) -> Array:
        """Reads what an entry describes."""
        dtype = self._dtype_of(entry, name)
        path = shard_path(self.prefix, entry.shard_id, self.shards)
        shape = tuple(d.size for d in entry.shape.dim)
        count = 1
        for d in shape:
            count *= d
        if dtype is variant or (dtype.np_dtype.kind == "O" and dtype is not string):
            raise UnimplementedError(None, None, f"tensor {name} of checkpoint {self.prefix} has type {dtype.name}, which cannot be read")
        if dtype is not string and entry.size != count * dtype.np_dtype.itemsize:
            raise DataLossError(None, None, f"{self.path} is damaged: tensor {name} of type {dtype.name} and shape {list(shape)} has {entry.size} bytes")
        raw = _bytes_at(path, entry.offset, entry.size, name)
        if dtype is string:
            return _strings(raw.tobytes(), count, entry.crc32c, name, path).reshape(shape)
        actual = masked(crc32c(raw.data))
        if actual != entry.crc32c:
            raise _checksum(name, path, entry.crc32c, actual)
        return raw.view(dtype.np_dtype).reshape(shape)


def not_found(prefix: str) -> NotFoundError:
    """The error of a checkpoint that is not there."""
    return NotFoundError(None, None, f"Unsuccessful TensorSliceReader constructor: Failed to find any matching files for {prefix}")


def _window(offset: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(o, o + n) for o, n in zip(offset, shape, strict=True))


def _checksum(name: str, path: str, stored: int, actual: int) -> DataLossError:
    return DataLossError(None, None, f"Checksum of tensor {name} does not match in {path}: stored {stored:#010x}, of the bytes read {actual:#010x}")


def _bytes_at(path: str, offset: int, size: int, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    try:
        with open(path, "rb") as f:
            length = os.fstat(f.fileno()).st_size
            if offset < 0 or size < 0 or offset + size > length:
                raise DataLossError(None, None, f"Tensor {name} should be at bytes {offset} to {offset + size} of {path}, which has {length} bytes")
            f.seek(offset)
            out = np.empty(size, np.uint8)
            got = f.readinto(out.data)
    except FileNotFoundError:
        raise NotFoundError(None, None, f"Tensor {name} cannot be read: there is no file {path}") from None
    if got != size:
        raise DataLossError(None, None, f"Tensor {name} cannot be read: {path} gave {got} bytes of {size}")
    return out


def _strings(raw: bytes, count: int, stored: int, name: str, path: str) -> Array:
    """Returns strings stored as their lengths, a checksum of these, and their bytes."""
    at, lengths = 0, []
    try:
        for _ in range(count):
            n, at = read_varint(raw, at)
            lengths.append(n)
    except ValueError:
        raise DataLossError(None, None, f"The lengths of the strings of tensor {name} in {path} are damaged") from None
    crc = length_checksum(lengths)
    if len(raw) != at + 4 + sum(lengths) or struct.unpack_from("<I", raw, at)[0] != masked(crc):
        raise DataLossError(None, None, f"The lengths of the strings of tensor {name} in {path} do not match their checksum")
    actual = masked(crc32c(memoryview(raw)[at:], crc))
    if actual != stored:
        raise _checksum(name, path, stored, actual)
    out = np.empty(count, object)
    at += 4
    for i, n in enumerate(lengths):
        out[i] = raw[at : at + n]
        at += n
    return out


def length_checksum(lengths: Sequence[int]) -> int:
    """Returns the checksum of the lengths of strings, as numbers of 4 bytes, or 8 where needed."""
    return crc32c(b"".join([struct.pack("<I" if n < 1 << 32 else "<Q", n) for n in lengths]))
