"""Which call of `gradients` is under way: arrays of gradients are kept apart by it."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_source: ContextVar[str] = ContextVar("source", default="gradients")


def gradient_source() -> str:
    """The name of the differentiation under way."""
    return _source.get()


@contextlib.contextmanager
def differentiating(name: str) -> Iterator[None]:
    """For the length of one call of `gradients`, those of the functions it differentiates included."""
    token = _source.set(name)
    try:
        yield
    finally:
        _source.reset(token)
