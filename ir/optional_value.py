"""Optional: the value of a `variant` tensor that holds some values or none; what branches hand to their gradients."""

from collections.abc import Sequence
from typing import Any

from ir import xp


class Optional:
    """`value` is a tuple of values, or None."""

    __slots__ = ("value",)

    def __init__(self, value: Sequence[Any] | None) -> None:
        self.value = None if value is None else tuple(value)

    def zeros_like(self) -> "Optional":
        """An optional that holds zeros."""
        if self.value is None:
            return self
        return Optional([v.zeros_like() if hasattr(v, "zeros_like") else xp.zeros_like(v) for v in self.value])

    def plus(self, other: "Optional") -> "Optional":
        """The sum of what both hold; one that holds nothing does not count."""
        if self.value is None or other.value is None:
            return other if self.value is None else self
        return Optional([a.plus(b) if hasattr(a, "plus") else xp.add(a, b) for a, b in zip(self.value, other.value, strict=True)])
