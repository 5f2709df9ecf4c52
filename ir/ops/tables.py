"""The lookup tables of a Session: what the handles of table ops stand for. Keys and values are kept as Python values.

Every method takes the table's lock, so that several threads may use one table.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ir.dtypes import DType, string
from ir.errors import FailedPreconditionError, InvalidArgumentError, OpError, UnimplementedError
from ir.ops.hashing import MASK, murmur64

Array = Any


def failed(kind: type[OpError], message: str) -> OpError:
    """An error; the run adds which operation it was."""
    return kind(None, None, message)


def rows(array: Array, dims: int) -> list[Any]:
    """The entries of an array as Python values, each an element or, when entries have `dims` dimensions, a nested tuple."""
    if not dims:
        return np.asarray(array).reshape(-1).tolist()
    shape = np.shape(array)
    flat = np.asarray(array).reshape(int(np.prod(shape[: len(shape) - dims])), -1)
    return [tuple(r) for r in flat.tolist()]


def stacked(entries: Sequence[Any], dtype: DType, shape: Sequence[int], entry_shape: Sequence[int]) -> Array:
    """Returns entries, as `rows` gives them, as an array of shape `shape` + `entry_shape`."""
    if not entry_shape:
        out = np.empty(len(entries), dtype.np_dtype)
        out[:] = entries
        return out.reshape(tuple(shape))
    wide = np.empty((len(entries), int(np.prod(entry_shape))), dtype.np_dtype)
    for i, e in enumerate(entries):
        wide[i] = e
    return wide.reshape((*shape, *entry_shape))


class Table:
    """What all tables share: the types of keys and values, and the shapes of one of each."""

    def __init__(self, key_dtype: DType, value_dtype: DType, value_shape: Sequence[int] = (), key_shape: Sequence[int] = ()) -> None:
        self.key_dtype = key_dtype
        self.value_dtype = value_dtype
        self.value_shape = tuple(value_shape)
        self.key_shape = tuple(key_shape)
        self.lock = threading.RLock()
        self.entries: dict[Any, Any] = {}

    def find(self, keys: Array, default: Array) -> Array:
        """Returns the value of each key, `default` for those that have none."""
        self._check_types(keys, default)
        if np.shape(default) != self.value_shape:
            raise failed(InvalidArgumentError, f"Expected shape {list(self.value_shape)} for default value, got {list(np.shape(default))}")
        (other,) = rows(default, len(self.value_shape))
        with self.lock:
            found = self._find(rows(keys, len(self.key_shape)), other)
        return stacked(found, self.value_dtype, np.shape(keys)[: np.ndim(keys) - len(self.key_shape)], self.value_shape)

    def _find(self, keys: list[Any], other: Any) -> list[Any]:
        get = self.entries.get
        return [get(k, other) for k in keys]

    def size(self) -> int:
        """How many keys there are."""
        return len(self.entries)

    def export(self) -> tuple[Array, Array]:
        """Returns all keys and their values."""
        with self.lock:
            keys, values = list(self.entries), list(self.entries.values())
        return stacked(keys, self.key_dtype, (len(keys),), self.key_shape), stacked(values, self.value_dtype, (len(keys),), self.value_shape)

    def pairs(self, keys: Array, values: Array) -> Iterable[tuple[Any, Any]]:
        """Returns keys with their values. Raises InvalidArgumentError where they do not fit each other or the table."""
        self._check_types(keys, values)
        wanted = (*np.shape(keys)[: np.ndim(keys) - len(self.key_shape)], *self.value_shape)
        if np.shape(values) != wanted:
            raise failed(InvalidArgumentError, f"Expected shape {_listed(wanted)} for value, got {_listed(np.shape(values))}")
        return list(zip(rows(keys, len(self.key_shape)), rows(values, len(self.value_shape)), strict=True))

    def _check_types(self, keys: Array, values: Array) -> None:
        for what, array, dtype in (("Key", keys, self.key_dtype), ("Value", values, self.value_dtype)):
            if np.asarray(array).dtype != dtype.np_dtype:
                raise failed(InvalidArgumentError, f"{what}s of the table are of type {dtype.name}, got {np.asarray(array).dtype.name}")

    def insert(self, keys: Array, values: Array) -> None:
        """Adds keys with their values, replacing those of keys that there are."""
        with self.lock:
            self.entries.update(self.pairs(keys, values))

    def remove(self, keys: Array) -> None:
        """Removes keys; those that are not there do not matter."""
        with self.lock:
            for k in rows(keys, len(self.key_shape)):
                self.entries.pop(k, None)

    def fill(self, keys: Array, values: Array) -> None:
        """Makes keys and values all there is."""
        pairs = self.pairs(keys, values)
        with self.lock:
            self.entries.clear()
            self.entries.update(pairs)


def _listed(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


class StaticTable(Table):
    """A table that is filled once and then only read."""

    ready = False

    def find(self, keys: Array, default: Array) -> Array:
        """Returns the value of each key; raises FailedPreconditionError before the table is filled."""
        self._require_ready()
        return super().find(keys, default)

    def export(self) -> tuple[Array, Array]:
        """Returns all keys and their values; raises FailedPreconditionError before the table is filled."""
        self._require_ready()
        return super().export()

    def _require_ready(self) -> None:
        if not self.ready:
            raise failed(FailedPreconditionError, "Table not initialized.")

    def insert(self, keys: Array, values: Array) -> None:
        """Raises UnimplementedError."""
        raise failed(UnimplementedError, "Insert not supported by InitializableLookupTable implementations")

    def remove(self, keys: Array) -> None:
        """Raises UnimplementedError."""
        raise failed(UnimplementedError, "Remove not supported by InitializableLookupTable implementations")

    def fill(self, keys: Array, values: Array) -> None:
        """Fills the table; doing so again with the same entries does nothing."""
        new: dict[Any, Any] = {}
        for k, v in self.pairs(keys, values):
            if new.setdefault(k, v) != v:
                raise failed(
                    FailedPreconditionError,
                    f"HashTable has different value for same key. Key {_shown(k)} has {_shown(new[k])} and trying to add value {_shown(v)}",
                )
        with self.lock:
            if self.ready and new != self.entries:
                raise failed(FailedPreconditionError, "Table was already initialized with different data.")
            self.entries = new
            self.ready = True


def _shown(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


# -- a table of open addressing ------------------------------------------------------------------------

#: 2**64 divided by the golden ratio, less its last bits
_GOLDEN = 0x9E3779B97F4A7800


class DenseTable(Table):
    """A hash table whose buckets can be exported: open addressing, the step growing by one from probe to probe.

    `empty` and `deleted` are keys that stand for buckets without an entry, and may not be used.
    """

    def __init__(
        self, key_dtype: DType, value_dtype: DType, value_shape: Sequence[int], empty: Array, deleted: Array, buckets: int, max_load: float,
    ) -> None:  # fmt: skip
        super().__init__(key_dtype, value_dtype, value_shape, np.shape(empty))
        if buckets < 4 or buckets & (buckets - 1):
            raise failed(InvalidArgumentError, f"Number of buckets must be at least 4 and a power of 2, got: {buckets}")
        if not 0 < max_load < 1:
            raise failed(InvalidArgumentError, f"max_load_factor must be between 0 and 1, got: {max_load}")
        if np.shape(empty) != np.shape(deleted):
            raise failed(InvalidArgumentError, "Empty and deleted keys must have same shape")
        (self.empty,), (self.deleted,) = rows(empty, np.ndim(empty)), rows(deleted, np.ndim(empty))
        if self.empty == self.deleted:
            raise failed(InvalidArgumentError, "Empty and deleted keys cannot be equal")
        self.max_load = max_load
        self.first_size = buckets
        nothing = b"" if value_dtype is string else 0
        self.nothing = (nothing,) * int(np.prod(self.value_shape)) if self.value_shape else nothing
        self._clear(buckets)

    def _clear(self, buckets: int) -> None:
        self.buckets: list[Any] = [self.empty] * buckets
        self.values: list[Any] = [self.nothing] * buckets
        self.where: dict[Any, int] = {}

    def size(self) -> int:
        """How many keys there are."""
        return len(self.where)

    def _refuse(self, keys: Iterable[Any]) -> None:
        for k in keys:
            if k in (self.empty, self.deleted):
                which = "empty" if k == self.empty else "deleted"
                raise failed(InvalidArgumentError, f"Using the {which}_key as a table key is not allowed")

    def _find(self, keys: list[Any], other: Any) -> list[Any]:
        self._refuse(keys)
        return [other if (at := self.where.get(k)) is None else self.values[at] for k in keys]

    def insert(self, keys: Array, values: Array) -> None:
        """Adds keys with their values, replacing those of keys that there are."""
        pairs = list(self.pairs(keys, values))
        with self.lock:
            self._refuse(k for k, _ in pairs)
            self._grow(len(self.where) + len(pairs))
            for k, v in pairs:
                self._put(k, v)

    def _put(self, key: Any, value: Any) -> None:
        at = self.where.get(key)
        if at is None:
            mask = len(self.buckets) - 1
            at, step = self._hash(key) & mask, 0
            while self.buckets[at] not in (self.empty, self.deleted):
                step += 1
                at = (at + step) & mask
            self.where[key] = at
            self.buckets[at] = key
        self.values[at] = value

    def _grow(self, entries: int) -> None:
        size = len(self.buckets)
        while entries > size * self.max_load:
            size *= 2
        if size == len(self.buckets):
            return
        old = [(k, v) for k, v in zip(self.buckets, self.values, strict=True) if k not in (self.empty, self.deleted)]
        self._clear(size)
        for k, v in old:
            self._put(k, v)

    def remove(self, keys: Array) -> None:
        """Removes keys; those that are not there do not matter."""
        entries = rows(keys, len(self.key_shape))
        with self.lock:
            self._refuse(entries)
            for k in entries:
                at = self.where.pop(k, None)
                if at is not None:
                    self.buckets[at] = self.deleted

    def export(self) -> tuple[Array, Array]:
        """Returns all buckets; one without an entry has the empty or the deleted key."""
        with self.lock:
            n = len(self.buckets)
            keys = stacked(self.buckets, self.key_dtype, (n,), self.key_shape)
            values = stacked(self.values, self.value_dtype, (n,), self.value_shape)
            return keys.reshape(n, *(self.key_shape or (1,))), values.reshape(n, *(self.value_shape or (1,)))

    def fill(self, keys: Array, values: Array) -> None:
        """Makes the table one of these buckets, as `export` gives them."""
        n = len(keys)
        entries = rows(np.reshape(keys, (n, *self.key_shape)), len(self.key_shape))
        held = rows(np.reshape(values, (n, *self.value_shape)), len(self.value_shape))
        with self.lock:
            self._clear(n if n >= 4 and not n & (n - 1) else self.first_size)
            pairs = [(k, v) for k, v in zip(entries, held, strict=True) if k not in (self.empty, self.deleted)]
            self._grow(len(pairs))
            for k, v in pairs:
                self._put(k, v)

    def _hash(self, key: Any) -> int:
        if not isinstance(key, tuple) or len(key) == 1:
            return _scalar_hash(key[0] if isinstance(key, tuple) else key)
        total = 0
        for k in key:
            total ^= (_scalar_hash(k) + _GOLDEN + (total << 10) + (total >> 4)) & MASK
            total &= MASK
        return total


def _scalar_hash(key: Any) -> int:
    return murmur64(key) if isinstance(key, bytes) else int(key) & MASK
