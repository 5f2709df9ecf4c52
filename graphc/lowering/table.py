"""The lowerings: what XLA gets for op types whose body NumPy cannot say, or says worse."""

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

LOWERINGS: dict[str, Callable[..., Any]] = {}


def lowers(*names: str) -> Callable[[F], F]:
    """Registers the decorated function, which has the signature of the op's body, as the lowering of op types."""

    def decorate(fn: F) -> F:
        for name in names:
            if name in LOWERINGS:
                raise ValueError(f"{name} is lowered twice")
            LOWERINGS[name] = fn
        return fn

    return decorate
