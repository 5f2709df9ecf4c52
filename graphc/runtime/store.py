"""The variables of one Session: buffers by key, single or packed, under one lock.

Small variables that a program updates together are packed: they live in one flat buffer. A program that
knows a pack takes its buffer; any other reads a member through a slice that is kept until the buffer changes.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from graphc.lowering.values import ABSENT


@dataclass(frozen=True, slots=True)
class Member:
    """One variable's place in a pack: elements offset to offset + size, of a shape."""

    key: str
    offset: int
    size: int
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """A flat buffer that holds several variables of one dtype; `key` is its own key in the store."""

    key: str
    dtype: Any
    members: tuple[Member, ...]
    size: int


class Store:
    """Values by key. `version` changes when a key appears, disappears, or changes its type or place."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        #: held while something is compiled, never while `lock` is waited for by a run that is prepared
        self.compiling = threading.RLock()
        self.values: dict[str, Any] = {}
        self.packs: dict[str, Pack] = {}
        self.place: dict[str, tuple[Pack, Member]] = {}
        self.version = 0
        #: set when a checkpoint was written or read: what changes variables is compiled from then on, never interpreted at first, so that a run that
        #: goes on and one that is resumed compute the same bits
        self.exact = False
        self._views: dict[str, tuple[Any, dict[str, Any]]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self.values or key in self.place

    def keys(self) -> list[str]:
        """The keys of all variables, packed ones included."""
        return [k for k in self.values if k not in self.packs] + list(self.place)

    def get(self, key: str) -> Any:
        """Returns the value of `key`, or ABSENT. A packed variable comes as a slice of its pack."""
        found = self.values.get(key, ABSENT)
        if found is not ABSENT or key not in self.place:
            return found
        pack, member = self.place[key]
        flat = self.values[pack.key]
        views = self._views.get(pack.key)
        if views is None or views[0] is not flat:
            host = np.array(flat)  # packs are small: one copy to the host serves all members
            views = (flat, {m.key: host[m.offset : m.offset + m.size].reshape(m.shape) for m in pack.members})
            self._views[pack.key] = views
        return views[1][member.key]

    def set(self, key: str, value: Any) -> None:
        """Gives `key` a value; a member of a pack is written into the pack, which dissolves if the type changes."""
        if key in self.place:
            pack, member = self.place[key]
            if np.shape(value) == member.shape and getattr(value, "dtype", None) == pack.dtype:
                host = np.array(self.values[pack.key])
                host[member.offset : member.offset + member.size] = np.asarray(value).reshape(-1)
                self.values[pack.key] = owned(host)
                return
            self.dissolve(pack)
        old = self.values.get(key, ABSENT)
        if old is ABSENT or type(old) is not type(value) or np.shape(old) != np.shape(value) or getattr(old, "dtype", None) != getattr(value, "dtype", None):
            self.version += 1
        self.values[key] = value

    def set_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Gives several keys values; writes into one pack are gathered."""
        by_pack: dict[str, list[tuple[Member, Any]]] = {}
        for key, value in items:
            place = self.place.get(key)
            if place is not None and np.shape(value) == place[1].shape and getattr(value, "dtype", None) == place[0].dtype:
                by_pack.setdefault(place[0].key, []).append((place[1], value))
            else:
                self.set(key, value)
        for pack_key, writes in by_pack.items():
            host = np.array(self.values[pack_key])
            for m, value in writes:
                host[m.offset : m.offset + m.size] = np.asarray(value).reshape(-1)
            self.values[pack_key] = owned(host)

    def drop(self, key: str) -> None:
        """Forgets the value of `key`."""
        if key in self.place:
            self.dissolve(self.place[key][0])
        if self.values.pop(key, ABSENT) is not ABSENT:
            self.version += 1

    def device(self, key: str) -> Any:
        """Returns the value of `key` as a buffer of our own on the device, moving it there for good."""
        value = self.values[key]
        if not isinstance(value, jax.Array):
            value = self.values[key] = owned(value)
        return value

    def make_pack(self, key: str, dtype: Any, members: tuple[Member, ...]) -> Pack:
        """Moves variables into one flat buffer."""
        size = members[-1].offset + members[-1].size
        flat = np.zeros(size, dtype)
        for m in members:
            flat[m.offset : m.offset + m.size] = np.asarray(self.get(m.key)).reshape(-1)
        pack = Pack(key, dtype, members, size)
        # an interrupt may fall anywhere: until its own buffer is gone, a member is read from there
        self.values[key] = owned(flat)
        self.packs[key] = pack
        self.version += 1
        for m in members:
            self.place[m.key] = (pack, m)
        for m in members:
            self.values.pop(m.key, None)
        return pack

    def dissolve(self, pack: Pack) -> None:
        """Gives every member of a pack a buffer of its own again."""
        self.version += 1
        for m in pack.members:
            self.values[m.key] = np.array(self.get(m.key))
        for m in pack.members:
            self.place.pop(m.key, None)
        self.packs.pop(pack.key, None)
        self.values.pop(pack.key, None)
        self._views.pop(pack.key, None)

    def clear(self) -> None:
        """Forgets everything."""
        self.values.clear()
        self.packs.clear()
        self.place.clear()
        self._views.clear()
        self.version += 1


def owned(value: Any) -> Any:
    """Returns a device array that shares no memory with `value`."""
    with jax.enable_x64(True):
        return jnp.array(value, copy=True)
