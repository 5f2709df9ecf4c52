"""Sorted tables: the file format of LevelDB, as checkpoints use it for their index.

A file is blocks, then an index block (last key of a block -> where it is), then a footer of 48 bytes. A block holds entries whose keys leave
out what they share with the key before, then the offsets of the entries that leave out nothing; a byte that says how the block is
compressed and a checksum follow it.

May import `ir` only.
"""

import struct
from collections.abc import Iterable, Iterator

import google_crc32c

from ir.errors import DataLossError

MAGIC = 0xDB4775248B80FB57
FOOTER = 48
TRAILER = 5
BLOCK_SIZE = 262144
RESTART_INTERVAL = 16
_PIECE = 1 << 24


def crc32c(data: bytes | memoryview, crc: int = 0) -> int:
    """Returns the CRC-32C of `data`, following on what has the checksum `crc`."""
    view = memoryview(data)
    for at in range(0, len(view), _PIECE):
        crc = google_crc32c.extend(crc, bytes(view[at : at + _PIECE]))
    return crc


def masked(crc: int) -> int:
    """Returns a checksum as it is stored: rotated, plus a constant, so that the checksum of stored checksums is sound."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def write_varint(value: int) -> bytes:
    r"""Returns a number in groups of 7 bits, the lowest first.

    >>> write_varint(300)
    b'\xac\x02'
    """
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Returns the number at `at` and where it ends. Raises ValueError when it does not."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number does not end")


# -- writing -----------------------------------------------------------------------------------------


class _Block:
    """A block under construction."""

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.data = bytearray()
        self.restarts = [0]
        self.count = 0
        self.last = b""

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self.count < self.interval:
            limit = min(len(key), len(self.last))
            while shared < limit and key[shared] == self.last[shared]:
                shared += 1
        else:
            self.restarts.append(len(self.data))
            self.count = 0
        self.data += write_varint(shared) + write_varint(len(key) - shared) + write_varint(len(value)) + key[shared:] + value
        self.last = key
        self.count += 1

    @property
    def size(self) -> int:
        return len(self.data) + 4 * len(self.restarts) + 4

    def finished(self) -> bytes:
        return bytes(self.data) + struct.pack(f"<{len(self.restarts) + 1}I", *self.restarts, len(self.restarts))


def encode_table(items: Iterable[tuple[bytes, bytes]], block_size: int = BLOCK_SIZE) -> bytes:
    """Returns the file of a table. Raises ValueError when the keys are not in rising order."""
    out = bytearray()
    index = _Block(1)
    block = _Block(RESTART_INTERVAL)
    waiting: bytes | None = None  # the handle of a finished block, until the next key tells how short its index key may be
    last: bytes | None = None
    for key, value in items:
        if last is not None and key <= last:
            raise ValueError(f"the keys of a table must rise: {key!r} follows {last!r}")
        if waiting is not None:
            index.add(_separator(last or b"", key), waiting)
            waiting = None
        block.add(key, value)
        last = key
        if block.size >= block_size:
            waiting = _append(out, block)
            block = _Block(RESTART_INTERVAL)
    if block.data:
        waiting = _append(out, block)
    if waiting is not None:
        index.add(_successor(last or b""), waiting)
    meta = _append(out, _Block(RESTART_INTERVAL))
    handles = meta + _append(out, index)
    out += handles + bytes(FOOTER - 8 - len(handles)) + struct.pack("<Q", MAGIC)
    return bytes(out)


def _append(out: bytearray, block: _Block) -> bytes:
    """Writes a block and returns its handle."""
    data = block.finished()
    handle = write_varint(len(out)) + write_varint(len(data))
    kind = b"\0"
    out += data + kind + struct.pack("<I", masked(crc32c(data + kind)))
    return handle


def _separator(a: bytes, b: bytes) -> bytes:
    """Returns a short key that is not before `a` and is before `b`."""
    at = 0
    while at < min(len(a), len(b)) and a[at] == b[at]:
        at += 1
    if at < min(len(a), len(b)) and a[at] < 0xFF and a[at] + 1 < b[at]:
        return a[:at] + bytes([a[at] + 1])
    return a


def _successor(key: bytes) -> bytes:
    """Returns a short key that is not before `key`."""
    for i, byte in enumerate(key):
        if byte != 0xFF:
            return key[:i] + bytes([byte + 1])
    return key


# -- reading -----------------------------------------------------------------------------------------


def decode_table(data: bytes, path: str) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys and values of the table in a file, in order. Raises DataLossError, which names `path`, when it is damaged."""
    try:
        if len(data) < FOOTER:
            raise ValueError(f"it has {len(data)} bytes, too few for a table")
        if struct.unpack("<Q", data[-8:])[0] != MAGIC:
            raise ValueError("it is not an sstable (bad magic number)")
        footer = data[-FOOTER:]
        _, at = _handle(footer, 0)
        index, _ = _handle(footer, at)
        for _, where in _entries(_contents(data, *index)):
            yield from _entries(_contents(data, *_handle(where, 0)[0]))
    except (ValueError, IndexError, struct.error) as e:
        raise DataLossError(None, None, f"{path} is damaged: {e}") from None


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (offset, size), at


def _contents(data: bytes, offset: int, size: int) -> bytes:
    """Returns a block, checked and decompressed."""
    end = offset + size
    if end + TRAILER > len(data):
        raise ValueError(f"a block should end at byte {end + TRAILER}, the file ends at {len(data)}")
    stored = struct.unpack_from("<I", data, end + 1)[0]
    if masked(crc32c(data[offset : end + 1])) != stored:
        raise ValueError(f"the checksum of the block at byte {offset} does not match")
    kind = data[end]
    if kind == 0:
        return data[offset:end]
    if kind == 1:
        return snappy_decompress(data[offset:end])
    raise ValueError(f"the block at byte {offset} has an unknown compression {kind}")


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    count = struct.unpack_from("<I", block, len(block) - 4)[0]
    end = len(block) - 4 - 4 * count
    if end < 0:
        raise ValueError("a block has more restart points than bytes")
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        rest, at = read_varint(block, at)
        size, at = read_varint(block, at)
        if shared > len(key) or at + rest + size > end:
            raise ValueError("an entry of a block goes beyond its end")
        key = key[:shared] + block[at : at + rest]
        at += rest
        yield key, block[at : at + size]
        at += size


def snappy_decompress(data: bytes) -> bytes:
    """Returns what is compressed in Snappy's raw format: literal runs and copies of what came before. Raises ValueError when damaged."""
    size, at = read_varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        kind, length = tag & 3, tag >> 2
        at += 1
        if kind == 0:
            if length >= 60:
                extra = length - 59
                length = int.from_bytes(data[at : at + extra], "little")
                at += extra
            out += data[at : at + length + 1]
            at += length + 1
            continue
        if kind == 1:
            length, offset = (length & 7) + 4, (tag >> 5 << 8) | data[at]
            at += 1
        else:
            width = 2 if kind == 2 else 4
            length, offset = length + 1, int.from_bytes(data[at : at + width], "little")
            at += width
        if not 0 < offset <= len(out):
            raise ValueError("a copy in a compressed block begins before its data")
        for _ in range(length):  # a copy may overlap itself
            out.append(out[-offset])
    if len(out) != size:
        raise ValueError(f"a compressed block gave {len(out)} bytes, not {size}")
    return bytes(out)
