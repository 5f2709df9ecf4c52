"""TFRecord files: records one after the other, each with its length and the checksums of both.

A record is its length (8 bytes, little-endian), the masked CRC-32C of these, the bytes, and their masked CRC-32C.
"""

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import google_crc32c

from ir.build import export
from ir.errors import DataLossError, NotFoundError

_HEAD = struct.Struct("<QI")
_CRC = struct.Struct("<I")
#: levels of zlib's header: a zlib stream, a gzip stream
_WINDOW = {"ZLIB": 15, "GZIP": 31}


def masked_crc(data: bytes) -> int:
    """The CRC-32C of bytes, turned and shifted so that the checksum of data that hold checksums stays a good one."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def framed(record: bytes) -> bytes:
    """Returns a record as it stands in a file."""
    length = struct.pack("<Q", len(record))
    return b"".join((length, _CRC.pack(masked_crc(length)), record, _CRC.pack(masked_crc(record))))


def open_records(path: str, compression: str = "") -> IO[bytes]:
    """Opens a file of records for reading. Raises NotFoundError when there is none."""
    try:
        if compression == "GZIP":
            return gzip.open(path)  # pyright: ignore[reportReturnType]
        if compression == "ZLIB":
            return io.BytesIO(zlib.decompress(Path(path).read_bytes()))
        return Path(path).open("rb")
    except FileNotFoundError:
        raise NotFoundError(None, None, f"{path}; No such file or directory") from None
    except zlib.error as e:
        raise DataLossError(None, None, f"{path}: {e}") from None


def read_record(stream: IO[bytes], at: int) -> bytes | None:
    """Returns the next record of a file, None at its end; `at` is where it begins, for messages. Raises DataLossError where it is damaged."""
    head = stream.read(_HEAD.size)
    if not head:
        return None
    if len(head) < _HEAD.size:
        raise DataLossError(None, None, f"truncated record at {at}")
    length, crc = _HEAD.unpack(head)
    if masked_crc(head[:8]) != crc:
        raise DataLossError(None, None, f"corrupted record at {at}")
    data = stream.read(length + 4)
    if len(data) < length + 4:
        raise DataLossError(None, None, f"truncated record at {at}")
    record = data[:length]
    if masked_crc(record) != _CRC.unpack(data[length:])[0]:
        raise DataLossError(None, None, f"corrupted record at {at}")
    return record


def read_records(stream: IO[bytes]) -> Iterator[bytes]:
    """Yields the records of a file."""
    at = 0
    while (record := read_record(stream, at)) is not None:
        at += len(record) + 16
        yield record


# -- tf.python_io --------------------------------------------------------------------------------------


@export("python_io.TFRecordCompressionType io.TFRecordCompressionType")
class TFRecordCompressionType:
    """How a file is compressed."""

    NONE = 0
    ZLIB = 1
    GZIP = 2


_NAMES = {0: "", 1: "ZLIB", 2: "GZIP", None: "", "": "", "ZLIB": "ZLIB", "GZIP": "GZIP", "NONE": ""}


@export("python_io.TFRecordOptions io.TFRecordOptions")
class TFRecordOptions:
    """How a file of records is compressed: `compression_type` is a `TFRecordCompressionType`, or "", "ZLIB" or "GZIP".

    The other arguments are those of zlib; `compression_level`, `window_bits`, `mem_level` and `compression_strategy` are passed on when writing.
    """

    def __init__(
        self, compression_type: Any = None, flush_mode: int | None = None, input_buffer_size: int | None = None, output_buffer_size: int | None = None,
        window_bits: int | None = None, compression_level: int | None = None, compression_method: int | None = None, mem_level: int | None = None,
        compression_strategy: int | None = None,
    ) -> None:  # fmt: skip
        self.get_compression_type_string(compression_type)
        self.compression_type = compression_type
        self.flush_mode = flush_mode
        self.input_buffer_size = input_buffer_size
        self.output_buffer_size = output_buffer_size
        self.window_bits = window_bits
        self.compression_level = compression_level
        self.compression_method = compression_method
        self.mem_level = mem_level
        self.compression_strategy = compression_strategy

    @classmethod
    def get_compression_type_string(cls, options: Any) -> str:
        """Returns "", "ZLIB" or "GZIP" for options, a type of compression, or None. Raises ValueError for anything else."""
        if isinstance(options, TFRecordOptions):
            options = options.compression_type
        if options not in _NAMES:
            raise ValueError(f"Not a valid compression_type: {options!r}")
        return _NAMES[options]


@export("python_io.tf_record_iterator io.tf_record_iterator")
def tf_record_iterator(path: str, options: TFRecordOptions | None = None) -> Iterator[bytes]:
    """Yields the records of a TFRecord file, as bytes.

    Raises NotFoundError when there is no such file, DataLossError where it is damaged.
    """
    with open_records(path, TFRecordOptions.get_compression_type_string(options)) as stream:
        yield from read_records(stream)


@export("python_io.TFRecordWriter io.TFRecordWriter")
class TFRecordWriter:
    """Writes records to a TFRecord file; a context manager that closes it.

    Args:
      path: the file, which is written anew.
      options: `TFRecordOptions`, a `TFRecordCompressionType`, or "ZLIB" or "GZIP".
    """

    def __init__(self, path: str, options: Any = None) -> None:
        kind = TFRecordOptions.get_compression_type_string(options)
        try:
            self._file: Any = Path(path).open("wb")  # noqa: SIM115 (it is open as long as the writer)
        except FileNotFoundError:
            raise NotFoundError(None, None, f"{path}; No such file or directory") from None
        self._compressor: Any = None
        if kind:
            o = options if isinstance(options, TFRecordOptions) else TFRecordOptions(options)
            level = -1 if o.compression_level is None else o.compression_level
            self._compressor = zlib.compressobj(level, zlib.DEFLATED, _WINDOW[kind], o.mem_level or 8, o.compression_strategy or 0)

    def write(self, record: bytes) -> None:
        """Appends a record. Raises TypeError unless it is bytes."""
        if not isinstance(record, (bytes, bytearray)):
            raise TypeError(f"a record must be bytes, got {type(record).__name__}")
        data = framed(bytes(record))
        self._file.write(self._compressor.compress(data) if self._compressor else data)

    def flush(self) -> None:
        """Hands everything written to the operating system."""
        if self._compressor:
            self._file.write(self._compressor.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """Closes the file; doing so again does nothing."""
        if self._file.closed:
            return
        if self._compressor:
            self._file.write(self._compressor.flush())
        self._file.close()

    def __enter__(self) -> "TFRecordWriter":
        """Returns the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self.close()
