"""Writes checkpoints so that a kill at any moment leaves the old one or the new one, whole.

May import `ir` only.
"""

import glob
import os
import re
import secrets
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.io.bundle import BundleReader, index_path, length_checksum, shard_path
from graphc.io.messages import BundleEntry, BundleHeader
from graphc.io.slices import Part, parse_spec
from graphc.io.table import crc32c, encode_table, masked, write_varint
from ir.dtypes import DType, as_dtype
from ir.errors import DataLossError, InvalidArgumentError, NotFoundError, UnimplementedError


@dataclass(slots=True)
class Item:
    """A tensor to be saved as `name`, or as the part of `name` that `spec` says, in data file `shard`."""

    name: str
    value: Any
    spec: str = ""
    shard: int = 0
    dtype: DType | None = None


def write_bundle(prefix: str, items: Iterable[Item], shards: int = 1) -> None:
    """Writes a checkpoint: the data files, then the index, each to the disk under another name first.

    A checkpoint that is already there stays whole until the new index takes the place of the old one: where the names of the data files would be the
    same, the new ones say that there is one shard more, an empty one.

    Raises InvalidArgumentError when a name comes twice or a part does not fit, NotFoundError when the directory cannot be made.
    """
    directory = os.path.dirname(prefix)
    if directory and not os.path.isdir(directory):
        try:
            os.mkdir(directory)
        except FileExistsError:
            pass
        except OSError as e:
            raise NotFoundError(None, None, f"The directory of {prefix} cannot be made: {e}") from None
    by_shard: list[list[Item]] = [[] for _ in range(shards)]
    for item in items:
        by_shard[item.shard].append(item)
    count = _free_count(prefix, shards)
    entries: dict[bytes, Any] = {}
    mark = f".tempstate{secrets.randbits(64)}"
    temporary = [shard_path(prefix, i, count) + mark for i in range(count)] + [index_path(prefix) + mark]
    try:
        for i in range(count):
            _write_shard(temporary[i], by_shard[i] if i < shards else [], i, entries)
        _write_file(temporary[-1], _index(entries, count))
        for path in temporary:  # the index last
            os.replace(path, path.removesuffix(mark))
    finally:
        for path in temporary:
            if os.path.exists(path):
                os.unlink(path)
    sync_directory(directory)
    for path in _data_files(prefix):
        if not path.endswith(f"-of-{count:05d}"):
            os.unlink(path)


def _data_files(prefix: str) -> list[str]:
    return [p for p in glob.glob(glob.escape(prefix) + ".data-*") if re.search(r"\.data-\d{5}-of-\d{5}$", p)]


def _free_count(prefix: str, shards: int) -> int:
    """The number of data files to write, `shards` or one more: not the number that the index in place tells."""
    try:
        return shards + (BundleReader(prefix).shards == shards)
    except NotFoundError:
        return shards
    except (DataLossError, UnimplementedError):
        return shards  # there is nothing to lose


def _write_shard(path: str, items: Sequence[Item], shard: int, entries: dict[bytes, Any]) -> None:
    with open(path, "wb") as f:
        for item in items:
            dtype = item.dtype or as_dtype(np.asarray(item.value).dtype)
            value = np.asarray(item.value)
            if dtype.np_dtype.kind != "O" and value.dtype != dtype.np_dtype:
                raise InvalidArgumentError(None, None, f"Tensor {item.name} has type {value.dtype}, expected {dtype.name}")
            offset = f.tell()
            if dtype.name in ("resource", "variant"):
                raise UnimplementedError(None, None, f"Tensor {item.name} has type {dtype.name}, which cannot be saved")
            crc = _write_strings(f, value) if dtype.np_dtype.kind == "O" else _write_array(f, value)
            _add(entries, item, dtype, value.shape, shard, offset, f.tell() - offset, masked(crc))
        f.flush()
        os.fsync(f.fileno())


def _write_array(f: Any, value: np.ndarray[Any, Any]) -> int:
    flat = np.ascontiguousarray(value).reshape(-1)
    raw = flat.view(np.uint8).data
    f.write(raw)
    return crc32c(raw)


def _write_strings(f: Any, value: np.ndarray[Any, Any]) -> int:
    texts = [v.encode() if isinstance(v, str) else bytes(v) for v in value.reshape(-1).tolist()]
    crc = length_checksum([len(t) for t in texts])
    stored = struct.pack("<I", masked(crc))
    f.write(b"".join([write_varint(len(t)) for t in texts]) + stored)
    crc = crc32c(stored, crc)
    for t in texts:
        f.write(t)
        crc = crc32c(t, crc)
    return crc


def _add(entries: dict[bytes, Any], item: Item, dtype: DType, shape: Sequence[int], shard: int, offset: int, size: int, crc: int) -> None:
    """Adds what the index says of an item."""
    if not item.name:
        raise InvalidArgumentError(None, None, "a tensor needs a name to be saved")
    part = parse_spec(item.spec)
    number = dtype.as_datatype_enum
    key = item.name.encode()
    if part is not None:
        if tuple(shape) != part.shape:
            raise InvalidArgumentError(None, None, f"Tensor {item.name} has shape {list(shape)}, but '{item.spec}' is a part of shape {list(part.shape)}")
        _add_part(entries, key, part, number, shard)
        key = part.key(item.name)
    if key in entries:
        raise InvalidArgumentError(None, None, f"Adding duplicate key: {item.name}")
    entry = entries[key] = BundleEntry(dtype=number, shard_id=shard, offset=offset, size=size, crc32c=crc)
    _set_shape(entry, shape)


def _add_part(entries: dict[bytes, Any], key: bytes, part: Part, number: int, shard: int) -> None:
    whole = entries.get(key)
    if whole is None:
        whole = entries[key] = BundleEntry(dtype=number, shard_id=shard)
        _set_shape(whole, part.full)
    elif not whole.slices or whole.dtype != number or [d.size for d in whole.shape.dim] != list(part.full):
        raise InvalidArgumentError(None, None, f"The parts of tensor {key.decode()} do not belong together: their types or whole shapes differ")
    whole.slices.append(part.as_proto())


def _set_shape(entry: Any, shape: Sequence[int]) -> None:
    entry.shape.SetInParent()
    for d in shape:
        entry.shape.dim.add(size=d)


def _index(entries: dict[bytes, Any], shards: int) -> bytes:
    header = BundleHeader(num_shards=shards)
    header.version.producer = 1
    items = [(b"", header), *sorted(entries.items(), key=lambda kv: kv[0])]
    return encode_table([(k, m.SerializeToString(deterministic=True)) for k, m in items])


# -- files -------------------------------------------------------------------------------------------


def _write_file(path: str, data: bytes) -> None:
    with open(path, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


def write_atomically(path: str, data: bytes) -> None:
    """Writes a file under another name, then gives it its own: a kill leaves the old file or the new one."""
    temporary = f"{path}.tmp{secrets.randbits(64)}"
    try:
        _write_file(temporary, data)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    sync_directory(os.path.dirname(path))


def sync_directory(directory: str) -> None:
    """Makes renames in a directory last through a loss of power, where the system can."""
    try:
        fd = os.open(directory or ".", os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(fd)
    except OSError:
        pass
    finally:
        os.close(fd)


def merge_bundles(prefixes: Sequence[str], destination: str) -> None:
    """Makes one checkpoint of several, whose data files become its shards. The old ones go."""
    readers = [BundleReader(p) for p in prefixes]
    total = sum(r.shards for r in readers)
    entries: dict[bytes, Any] = {}
    moves: list[tuple[str, str]] = []
    first = 0
    for prefix, r in zip(prefixes, readers, strict=True):
        for key, entry in r.raw_entries():
            entry.shard_id += first
            known = entries.get(key)
            if known is not None and known.slices and entry.slices:
                known.slices.extend(entry.slices)
            elif known is not None:
                raise InvalidArgumentError(None, None, f"Adding duplicate key: {key!r} is in two of the checkpoints to be merged")
            else:
                entries[key] = entry
        moves += [(shard_path(prefix, i, r.shards), shard_path(destination, first + i, total)) for i in range(r.shards)]
        first += r.shards
    for source, target in moves:
        os.replace(source, target)
    write_atomically(index_path(destination), _index(entries, total))
    for prefix in prefixes:
        if prefix != destination:
            os.unlink(index_path(prefix))
