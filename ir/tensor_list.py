"""TensorList: the value of a `variant` tensor that holds a list of tensors of one type.

This form holds the elements one by one: it serves the host, and compiled programs as long as every position is known.
The form XLA loops carry, one buffer and a count, is in `graphc.lowering.lists`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ir import xp
from ir.dtypes import DType
from ir.shapes import Dims


class TensorList:
    """A list of tensors; never changed, every operation returns a new one. None stands for an element never set."""

    __slots__ = ("adds", "depth", "dims", "dtype", "grows", "items", "most")

    def __init__(
        self, dtype: DType, dims: Dims, items: Sequence[Any] = (), most: int = -1, adds: bool = False, grows: bool = False, depth: int = 0
    ) -> None:
        self.dtype = dtype
        self.dims = dims
        self.items = tuple(items)
        #: the number of elements it may reach, -1 when not stated
        self.most = most
        #: whether setting an element that is set adds to it: arrays of gradients
        self.adds = adds
        #: whether setting an element beyond the end makes the list longer
        self.grows = grows
        #: how many loops were around it where it was made
        self.depth = depth

    def replaced(self, items: Sequence[Any]) -> "TensorList":
        """Returns a list of the same kind with other elements."""
        return TensorList(self.dtype, self.dims, items, self.most, self.adds, self.grows, self.depth)

    def put(self, index: Any, value: Any) -> "TensorList":
        """The list with element number `index` set to `value`, or added to. Raises ValueError when it lies outside."""
        i, items = int(index), list(self.items)
        if self.grows and i >= len(items):
            items.extend([None] * (i + 1 - len(items)))
        if not 0 <= i < len(items):
            raise ValueError(f"Tried to write to index {i} but array is not resizeable and size is: {len(items)}")
        items[i] = xp.add(items[i], value) if self.adds and items[i] is not None else value
        return self.replaced(items)

    def take(self, index: Any, dims: Dims = None) -> Any:
        """Element number `index`. Raises ValueError when it lies outside, or was never set and has no known shape."""
        i = int(index)
        if not 0 <= i < len(self.items):
            raise ValueError(f"Tried to read from index {i} but array size is: {len(self.items)}")
        found = self.items[i]
        if found is not None:
            return found
        if not self.adds:
            raise ValueError(f"Could not read index {i} twice because it was cleared after a previous read, or it was never written to")
        return np.zeros(self.shape_of_elements(dims), self.dtype.np_dtype)

    def for_gradients(self) -> "TensorList":
        """An array as long, for the gradients of the elements."""
        dims = self.dims
        try:
            dims = self.shape_of_elements()
        except ValueError:
            pass
        return TensorList(self.dtype, dims, (None,) * len(self.items), len(self.items), True, self.grows, self.depth)

    def length(self) -> Any:
        """The number of elements."""
        return np.array(len(self.items), np.int32)

    def shape_of_elements(self, dims: Dims = None) -> tuple[int, ...]:
        """The shape of the elements, from what is stated and from those that are set. Raises ValueError when it is not known."""
        for item in self.items:
            if item is not None and hasattr(item, "shape"):
                return tuple(item.shape)
        for d in (self.dims, dims):
            if d is not None and None not in d:
                return tuple(s or 0 for s in d)
        raise ValueError(f"the shape of the elements of an empty or unset list is not known; it was stated as {self.dims} and {dims}")

    def filled(self, dims: Dims = None) -> list[Any]:
        """The elements, zeros where none was set."""
        if all(i is not None for i in self.items):
            return list(self.items)
        zero = np.zeros(self.shape_of_elements(dims), self.dtype.np_dtype)
        return [zero if i is None else i for i in self.items]

    def stack(self, dims: Dims = None) -> Any:
        """All elements as one tensor with a new first dimension."""
        if not self.items:
            return np.zeros((0, *self.shape_of_elements(dims)), self.dtype.np_dtype)
        return xp.stack(self.filled(dims))

    def zeros_like(self) -> "TensorList":
        """A list of as many zeros."""
        zeros = [None if i is None else i.zeros_like() if hasattr(i, "zeros_like") else xp.zeros_like(i) for i in self.items]
        return self.replaced(zeros)

    def plus(self, other: "TensorList") -> "TensorList":
        """The element-wise sum of two lists of one length."""
        if not isinstance(other, TensorList):  # pyright: ignore[reportUnnecessaryIsInstance]
            return other.plus(self)  # the form that compiled loops carry
        if len(self.items) != len(other.items):
            raise ValueError(f"cannot add lists of {len(self.items)} and {len(other.items)} elements")
        items: list[Any] = []
        for x, y in zip(self.items, other.items, strict=True):
            if x is None or y is None:
                items.append(y if x is None else x)
            else:
                items.append(x.plus(y) if hasattr(x, "plus") else xp.add(x, y))
        return self.replaced(items)
