"""PNG files, written and (for 16 bits a channel, which Pillow does not keep) read, as libpng does with its defaults.

The format is the W3C's Portable Network Graphics specification.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: color types by number of channels
_COLORS = {1: 0, 2: 4, 3: 2, 4: 6}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: compressed data come in chunks of this size
_CHUNK = 8192


def _paeth(left: Any, up: Any, corner: Any) -> Any:
    """The neighbour nearest to left + up - corner."""
    base = left + up - corner
    a, b, c = abs(base - left), abs(base - up), abs(base - corner)
    return np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))


def _filtered(rows: Any, step: int) -> bytes:
    """Returns rows of bytes, each under the filter that gives the smallest differences, with the filter's number before it."""
    wide = rows.astype(np.int16)
    left = np.zeros_like(wide)
    left[:, step:] = wide[:, :-step]
    up = np.zeros_like(wide)
    up[1:] = wide[:-1]
    corner = np.zeros_like(wide)
    corner[1:, step:] = wide[:-1, :-step]
    choices = np.stack([wide, wide - left, wide - up, wide - (left + up) // 2, wide - _paeth(left, up, corner)]).astype(np.uint8)
    sizes = np.minimum(choices, 256 - choices.astype(np.int32)).sum(axis=2)
    best = sizes.argmin(axis=0)
    out = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    out[:, 0] = best
    out[:, 1:] = choices[best, np.arange(len(rows))]
    return out.tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _deflated(data: bytes, level: int) -> bytes:
    """Compresses as libpng does, which says in the header how small a window is enough to read it."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, 15, 8, zlib.Z_FILTERED)
    out = bytearray(compressor.compress(data) + compressor.flush())
    window = 7
    while window and len(data) <= 256 << (window - 1):
        window -= 1
    out[0] = out[0] & 0x0F | window << 4
    flags = out[1] & 0xE0
    out[1] = flags + 31 - ((out[0] << 8) + flags) % 31
    return bytes(out)


def write(image: Any, level: int = -1) -> bytes:
    """Returns an image [height, width, channels] of uint8 or uint16 as a PNG file."""
    height, width, channels = image.shape
    rows = image.astype(image.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    depth = image.dtype.itemsize * 8
    header = struct.pack(">IIBBBBB", width, height, depth, _COLORS[channels], 0, 0, 0)
    data = _deflated(_filtered(rows, channels * image.dtype.itemsize), level)
    body = b"".join(_chunk(b"IDAT", data[i : i + _CHUNK]) for i in range(0, len(data), _CHUNK))
    return SIGNATURE + _chunk(b"IHDR", header) + body + _chunk(b"IEND", b"")


# -- reading -------------------------------------------------------------------------------------------


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += size + 12


def header(data: bytes) -> tuple[int, int, int, int, int]:
    """Returns width, height, bits per channel, color type and interlacing. Raises ValueError when it is no PNG file."""
    if not data.startswith(SIGNATURE) or data[12:16] != b"IHDR":
        raise ValueError("not a PNG file")
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    return width, height, depth, color, interlaced


def _unfiltered(raw: Any, height: int, size: int, step: int) -> Any:
    """Undoes the filters of rows. A byte needs those left of it and above it, so whole diagonals are done at once."""
    rows = raw[: height * (size + 1)].reshape(height, size + 1)
    kinds = rows[:, 0]
    pixels = rows[:, 1:].reshape(height, size // step, step).astype(np.int32)
    width = size // step
    out = np.zeros((height + 1, width + 1, step), np.int32)
    for d in range(height + width - 1):
        y = np.arange(max(0, d - width + 1), min(height, d + 1))
        x = d - y
        left, up, corner = out[y + 1, x], out[y, x + 1], out[y, x]
        kind = kinds[y][:, None]
        guess = np.select([kind == 1, kind == 2, kind == 3, kind == 4], [left, up, (left + up) // 2, _paeth(left, up, corner)], 0)
        out[y + 1, x + 1] = (pixels[y, x] + guess) & 0xFF
    return out[1:, 1:].reshape(height, size).astype(np.uint8)


#: where the seven passes of an interlaced image begin, and their steps: y, x, y step, x step
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def read16(data: bytes) -> Any:
    """Returns an image of 16 bits a channel as uint16 [height, width, channels]. Raises ValueError when the file is damaged."""
    width, height, depth, color, interlaced = header(data)
    if depth != 16:
        raise ValueError(f"{depth} bits a channel")
    channels = _CHANNELS[color]
    step = 2 * channels
    packed = b"".join(body for kind, body in _chunks(data) if kind == b"IDAT")
    try:
        raw = np.frombuffer(zlib.decompress(packed), np.uint8)
    except zlib.error as e:
        raise ValueError(str(e)) from None
    image = np.zeros((height, width, step), np.uint8)
    at = 0
    for y, x, dy, dx in _PASSES if interlaced else ((0, 0, 1, 1),):
        part = image[y::dy, x::dx]
        rows, columns = part.shape[:2]
        if rows and columns:
            image[y::dy, x::dx] = _unfiltered(raw[at:], rows, columns * step, step).reshape(rows, columns, step)
            at += rows * (columns * step + 1)
    return image.view(">u2").astype(np.uint16)
