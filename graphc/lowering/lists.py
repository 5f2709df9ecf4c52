"""DeviceList: a list of tensors as XLA loops carry it: one buffer with a first dimension of fixed size, and a count."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ir.dtypes import DType
from ir.optional_value import Optional
from ir.shapes import Dims
from ir.static import NeedsValue
from ir.tensor_list import TensorList

#: the trip counts, or guesses at them, of the loops being traced, outermost first: a list gets the product of
#: those that were entered after it was made
_trips: ContextVar[tuple[int, ...]] = ContextVar("trips", default=())
#: the first guess for loops whose trip count is not known; doubled when a run finds it too small
guess: ContextVar[int] = ContextVar("guess", default=64)


class Guesses:
    """What a trace learns about lists whose final size it had to guess: the flags that tell whether the guess was too small."""

    def __init__(self) -> None:
        self.made = False
        self.flags: list[Any] = []


#: of the trace under way
guesses: ContextVar[Guesses | None] = ContextVar("guesses", default=None)
#: whether the body of a loop or branch is being traced, whose values must not leak out
_inside: ContextVar[bool] = ContextVar("inside", default=False)


@contextlib.contextmanager
def inside() -> Iterator[None]:
    """For the length of the trace of a body."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


@contextlib.contextmanager
def capacity(trips: int) -> Iterator[None]:
    """Enters a loop that runs so often."""
    token = _trips.set((*_trips.get(), trips))
    try:
        yield
    finally:
        _trips.reset(token)


def depth() -> int:
    """How many loops are being traced around."""
    return len(_trips.get())


def room(made_at: int) -> int:
    """The size for a list made under `made_at` loops to which something is pushed here."""
    inside_of = _trips.get()[made_at:]
    return math.prod(inside_of) if inside_of else guess.get()


@jax.tree_util.register_pytree_node_class
class DeviceList:
    """`count` elements in `storage`, a pytree of arrays with one more first dimension; `over` once more were pushed than fit.

    `storage` is None until the type of the elements is known. `size` is what the first dimension is or will be.
    """

    def __init__(
        self, storage: Any, count: Any, over: Any, size: int | None, dtype: DType, dims: Dims, adds: bool = False, depth: int = 0
    ) -> None:
        self.storage = storage
        self.count = count
        self.over = over
        self.size = size
        self.dtype = dtype
        self.dims = dims
        self.adds = adds
        self.depth = depth

    def tree_flatten(self) -> tuple[Any, Any]:
        """For JAX."""
        return (self.storage, self.count, self.over), (self.size, self.dtype, self.dims, self.adds, self.depth)

    @classmethod
    def tree_unflatten(cls, aux: Any, parts: Any) -> "DeviceList":
        """For JAX."""
        return cls(*parts, *aux)

    def _with(self, storage: Any, count: Any, over: Any = None) -> "DeviceList":
        return DeviceList(storage, count, self.over if over is None else over, self.size, self.dtype, self.dims, self.adds, self.depth)

    def allocated(self, element: Any) -> "DeviceList":
        """This list with storage for elements like `element`."""
        if self.storage is not None:
            return self
        size = self.size
        if size is None:
            size = room(self.depth)
        storage = jax.tree.map(lambda x: jnp.zeros((size, *x.shape), x.dtype), element)
        return DeviceList(storage, self.count, self.over, size, self.dtype, self.dims, self.adds, self.depth)

    def grown_like(self, other: "DeviceList") -> "DeviceList":
        """This list, if it has no storage, with storage of zeros like that of `other`."""
        if self.storage is not None or other.storage is None:
            return self
        storage = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), other.storage)
        return DeviceList(storage, self.count, self.over, other.size, self.dtype, self.dims, self.adds, self.depth)

    def set(self, index: Any, element: Any) -> "DeviceList":
        """The list with one element replaced."""
        element = as_element(element)
        made = self.allocated(element)
        storage = jax.tree.map(lambda s, x: lax.dynamic_update_index_in_dim(s, x.astype(s.dtype), index, 0), made.storage, element)
        return made._with(storage, made.count)

    def resized(self, size: int) -> "DeviceList":
        """The list cut, or filled up with zeros, to `size` elements."""
        fit = lambda s: s[:size] if s.shape[0] >= size else jnp.pad(s, [(0, size - s.shape[0])] + [(0, 0)] * (s.ndim - 1))  # noqa: E731
        storage = jax.tree.map(fit, self.storage)
        return DeviceList(storage, np.array(size, np.int32), self.over, size, self.dtype, self.dims, self.adds, self.depth)

    def put(self, index: Any, element: Any) -> "DeviceList":
        """The list with one element set, or added to."""
        if not self.adds:
            return self.set(index, element)
        made = self.allocated(as_element(element))
        return made._with(made.storage.at[index].add(jnp.asarray(element).astype(made.storage.dtype)), made.count)

    def take(self, index: Any, dims: Dims = None) -> Any:
        """One element."""
        return self.get(index, dims)

    def length(self) -> Any:
        """The number of elements; known when the list has a fixed size."""
        return np.array(self.size, np.int32) if self.size is not None else self.count

    def for_gradients(self) -> "DeviceList":
        """An array as long, for the gradients of the elements."""
        storage = None if self.storage is None else jax.tree.map(jnp.zeros_like, self.storage)
        return DeviceList(storage, self.count, np.array(False), self.size, self.dtype, self.dims, True, self.depth)

    def get(self, index: Any, dims: Dims = None) -> Any:
        """One element."""
        if self.storage is None:
            return zeros_of(self, dims)
        return jax.tree.map(lambda s: lax.dynamic_index_in_dim(s, index, 0, keepdims=False), self.storage)

    def push(self, element: Any) -> "DeviceList":
        """The list with one more element."""
        element = as_element(element)
        made = self.allocated(element)
        assert made.size is not None
        full = made.count >= made.size
        over = made.over | full
        for inner in jax.tree.leaves(element, is_leaf=lambda x: isinstance(x, DeviceList)):
            if isinstance(inner, DeviceList):
                over = over | inner.over
        done = made.set(jnp.minimum(made.count, made.size - 1), element)
        return done._with(done.storage, made.count + 1, over)

    def pop(self, dims: Dims = None) -> tuple["DeviceList", Any]:
        """The list without its last element, and that element."""
        last = np.asarray(self.count - 1) if isinstance(self.count, np.ndarray) else self.count - 1
        return self._with(self.storage, last), self.get(jnp.maximum(last, 0), dims)

    def stack(self, dims: Dims = None) -> Any:
        """The storage up to the count, which must be the whole of it."""
        if self.storage is None:
            return jnp.zeros((self.size or 0, *element_dims(self, dims)), self.dtype.np_dtype)
        if isinstance(self.count, np.ndarray) and int(self.count) < self.storage.shape[0]:
            return self.storage[: int(self.count)]
        return self.storage

    def one_by_one(self) -> TensorList:
        """The same list with its elements one by one, when their number is known. Raises NeedsValue when it is not."""
        if not isinstance(self.count, np.ndarray):
            raise NeedsValue("input_handle")
        items = [jax.tree.map(lambda s, i=i: s[i], self.storage) for i in range(int(self.count))]
        return TensorList(self.dtype, self.dims, items, -1, self.adds, False, self.depth)

    def to_host(self) -> TensorList:
        """The same list with its elements one by one, as NumPy arrays."""
        n = int(np.asarray(self.count))
        items = [] if self.storage is None else [jax.tree.map(lambda s: np.asarray(s[i]), self.storage) for i in range(n)]  # noqa: B023
        return TensorList(self.dtype, self.dims, [i.to_host() if isinstance(i, DeviceList) else i for i in items] or [None] * n, -1, self.adds, False, self.depth)

    def zeros_like(self) -> "DeviceList":
        """A list of as many zeros."""
        return self._with(jax.tree.map(jnp.zeros_like, self.storage), self.count)

    def plus(self, other: Any) -> "DeviceList":
        """The element-wise sum."""
        other = as_device(other)
        if self.storage is None or other.storage is None:
            return other if self.storage is None else self
        return self._with(jax.tree.map(_sum, self.storage, other.storage), self.count)


jax.tree_util.register_pytree_node(
    TensorList, lambda t: (t.items, (t.dtype, t.dims, t.most)), lambda aux, items: TensorList(aux[0], aux[1], items, aux[2])
)
jax.tree_util.register_pytree_node(Optional, lambda o: ((o.value,), None), lambda _, parts: Optional(parts[0]))


def _sum(a: Any, b: Any) -> Any:
    return a + b if jnp.issubdtype(a.dtype, jnp.inexact) else jnp.maximum(a, b)  # counts of inner lists are equal


def element_dims(value: DeviceList, dims: Dims) -> tuple[int, ...]:
    """The shape of the elements of a list without storage. Raises ValueError when it is not known."""
    for d in (value.dims, dims):
        if d is not None and None not in d:
            return tuple(s or 0 for s in d)
    raise ValueError(f"the shape of the elements of an unset list is not known; it was stated as {value.dims} and {dims}")


def zeros_of(value: DeviceList, dims: Dims) -> Any:
    """What an element reads as that was never set."""
    return jnp.zeros(element_dims(value, dims), value.dtype.np_dtype)


def as_element(value: Any) -> Any:
    """An element as it is stored."""
    return as_device(value) if isinstance(value, (TensorList, DeviceList)) else jnp.asarray(value)


def as_device(value: Any) -> DeviceList:
    """A list in the form loops carry."""
    if isinstance(value, DeviceList):
        return value
    count = jnp.asarray(len(value.items), np.int32)
    none = jnp.asarray(False)
    kind = (value.dtype, value.dims, value.adds, value.depth)
    known = [i for i in value.items if i is not None]
    if not known:
        size = len(value.items) if value.items else value.most if value.most >= 0 else None
        if value.items and value.dims is not None and None not in value.dims:
            storage = jnp.zeros((len(value.items), *[d or 0 for d in value.dims]), value.dtype.np_dtype)
            return DeviceList(storage, count, none, size, *kind)
        return DeviceList(None, count, none, size, *kind)
    items = [as_element(i) for i in known]
    zero = jax.tree.map(jnp.zeros_like, items[0])
    rest = iter(items)
    full = [zero if i is None else next(rest) for i in value.items]
    inside_of = _trips.get()[value.depth :]
    size = max(len(full), value.most) if value.most >= 0 else len(full) + (math.prod(inside_of) if inside_of else 0)
    storage = jax.tree.map(lambda *xs: _padded(jnp.stack(xs), size), *full)
    return DeviceList(storage, count, none, size, *kind)


def _padded(array: Any, size: int) -> Any:
    return array if array.shape[0] == size else jnp.pad(array, [(0, size - array.shape[0])] + [(0, 0)] * (array.ndim - 1))


def note_overflows(values: Sequence[Any]) -> None:
    """Keeps the flags of the lists among the results of a call, if a size was guessed: true when one was too small."""
    learned = guesses.get()
    if learned is None or not learned.made or _inside.get():
        return
    leaves = jax.tree.leaves(list(values), is_leaf=lambda x: isinstance(x, DeviceList))
    learned.flags.extend(x.over for x in leaves if isinstance(x, DeviceList))
