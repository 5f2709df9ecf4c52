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

    __slots__ = ("dims", "dtype", "items", "most")

    def __init__(self, dtype: DType, dims: Dims, items: Sequence[Any] = (), most: int = -1) -> None:
        self.dtype = dtype
        self.dims = dims
        self.items = tuple(items)
        #: the number of elements it may reach, -1 when not stated
        self.most = most

    def replaced(self, items: Sequence[Any]) -> "TensorList":
        """Returns a list of the same kind with other elements."""
        return TensorList(self.dtype, self.dims, items, self.most)

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
        if len(self.items) != len(other.items):
            raise ValueError(f"cannot add lists of {len(self.items)} and {len(other.items)} elements")
        items: list[Any] = []
        for x, y in zip(self.items, other.items, strict=True):
            if x is None or y is None:
                items.append(y if x is None else x)
            else:
                items.append(x.plus(y) if hasattr(x, "plus") else xp.add(x, y))
        return self.replaced(items)
