"""Thread-local stacks of defaults: the current graph and the current session."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class DefaultStack(threading.local):
    """A stack per thread; `top` is the innermost entry or None."""

    def __init__(self) -> None:
        super().__init__()
        self.items: list[Any] = []
        self.enforce_nesting = True

    def top(self) -> Any:
        """Returns the innermost entry, or None."""
        return self.items[-1] if self.items else None

    def remove(self, item: Any) -> None:
        """Takes `item` out, wherever it stands."""
        if item in self.items:
            self.items.remove(item)

    @contextmanager
    def entered(self, item: Any) -> Iterator[Any]:
        """Pushes `item` for the length of a with statement."""
        self.items.append(item)
        try:
            yield item
        finally:
            if self.items:
                if self.items[-1] is item:
                    self.items.pop()
                else:
                    self.remove(item)


graphs = DefaultStack()
sessions = DefaultStack()
