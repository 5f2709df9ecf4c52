"""FuncRef: the value of an attribute that names a function of the graph's library."""

from collections.abc import Mapping
from typing import Any


class FuncRef:
    """A function of the library, by name, with values for the function's own attributes.

    Two are equal when the names and the attributes are. `attrs` is not to be changed.
    """

    __slots__ = ("attrs", "name")

    def __init__(self, name: str, attrs: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.attrs: dict[str, Any] = dict(attrs or {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FuncRef) and self.name == other.name and self.attrs == other.attrs

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"FuncRef({self.name!r}{', ' + repr(self.attrs) if self.attrs else ''})"
