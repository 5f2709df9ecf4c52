"""Drawing one number after the other from a Philox stream, as host kernels of TensorFlow do. No ops here."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import philox

Array = np.ndarray[Any, Any]
Draw = Callable[[int], Array]


class Words:
    """The 32-bit numbers of a stream, as uint64, from the first on."""

    _CHUNK = 256  # blocks of four

    def __init__(self, state: Array) -> None:
        self.state = state
        self.held = np.zeros(0, np.uint64)
        self.blocks = 0

    def peek(self, count: int) -> Array:
        """The next `count` numbers, which stay."""
        while len(self.held) < count:
            more = max(self._CHUNK, (count - len(self.held) + 3) // 4)
            new = philox.words(philox.advanced(self.state, self.blocks), 4 * more)
            self.held = np.append(self.held, new.astype(np.uint64))
            self.blocks += more
        return self.held[:count]

    def take(self, count: int) -> Array:
        """The next `count` numbers."""
        found = self.peek(count)
        self.held = self.held[count:]
        return found


def without_skew(values: Array, limit: int, bits: int) -> Array:
    """`values` modulo `limit`, less those that would favour small results."""
    if limit & (limit - 1) == 0:
        return values & np.uint64(limit - 1)
    rejected = ((1 << bits) - 1) % limit + 1
    return values[values >= np.uint64(rejected)] % np.uint64(limit)


def integers(words: Words, limit: int, double: bool) -> Draw:
    """Draws integers in [0, limit) from 64 bits each if `double`, else from 32."""

    def draw(count: int) -> Array:
        found = np.zeros(0, np.uint64)
        while len(found) < count:
            raw = words.take((count - len(found)) * (2 if double else 1))
            raw = raw[::2] | raw[1::2] << np.uint64(32) if double else raw
            found = np.append(found, without_skew(raw, limit, 64 if double else 32))
        return found.astype(np.int64)

    return draw


def doubles(words: Words, count: int) -> Array:
    """Numbers in [0, 1)."""
    raw = words.take(2 * count)
    return ((raw[::2] & np.uint64(0xFFFFF)) << np.uint64(32) | raw[1::2]).astype(np.float64) * 2.0**-52
