"""DeviceList: a list of tensors as XLA carries it: one buffer whose first dimension is the capacity, and a count.

As much as possible is known while tracing. The count is a Python integer wherever it can be; inside a loop it is that at the
start of the iteration (a `Base`) plus an integer, so that a loop need not carry it. A list of equal known values has no buffer at all.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
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

#: the first guess at the capacity of a list to which a loop of unknown trip count pushes; doubled when a run finds it too small
guess: ContextVar[int] = ContextVar("guess", default=64)


class Guesses:
    """What one trace learns: flags that are true when a capacity that was guessed is too small."""

    def __init__(self) -> None:
        self.flags: list[Any] = []


#: of the program, branch or loop body whose trace is under way
guesses: ContextVar[Guesses | None] = ContextVar("guesses", default=None)


def note_overflow(flag: Any) -> None:
    """Keeps a flag that is true when a capacity is too small."""
    learned = guesses.get()
    if learned is not None:
        learned.flags.append(flag)


class ShapeChanges(Exception):
    """A loop variable or the result of a branch has no one shape and type."""


# -- the types of elements ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Aval:
    """The type of an array."""

    shape: tuple[int, ...]
    dtype: Any


@dataclass(frozen=True)
class Form:
    """The type of a list: that of its elements (None while unknown, a `Fixed` for one known value), capacity, and count if known."""

    element: Any
    size: int | None
    count: int | None
    kind: Any


@dataclass(frozen=True)
class Held:
    """The type of an optional value: those of its values, or None."""

    values: tuple[Any, ...] | None


class Fixed:
    """In place of a buffer: every element is this known value."""

    __slots__ = ("array", "key")

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array
        self.key = (array.shape, array.dtype, array.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fixed) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def zeros_like(self) -> "Fixed":
        """Zeros of its type."""
        return Fixed(np.zeros_like(self.array))


jax.tree_util.register_pytree_node(Fixed, lambda f: ((), f), lambda f, _: f)
jax.tree_util.register_pytree_node(Optional, lambda o: ((o.value,), None), lambda _, parts: Optional(parts[0]))
jax.tree_util.register_pytree_node(
    TensorList, lambda t: (t.items, (t.dtype, t.dims, t.most, t.adds, t.grows)), lambda aux, items: TensorList(aux[0], aux[1], items, *aux[2:])
)


def type_of(value: Any, lead: int = 0) -> Any:
    """The type of an element, or of a buffer of elements with `lead` more dimensions in front."""
    if isinstance(value, DeviceList):
        value = value.whole()
        storage = value.storage
        element = storage if storage is None or isinstance(storage, Fixed) else type_of(storage, lead + 1)
        return Form(element, value.size, value.known, value.kind)
    if isinstance(value, Optional):
        return Held(None if value.value is None else tuple(type_of(v, lead) for v in value.value))
    if isinstance(value, Fixed):
        return Aval(value.array.shape, value.array.dtype)
    return Aval(tuple(value.shape[lead:]), np.dtype(value.dtype))


def join(a: Any, b: Any) -> Any:
    """The type that both fit. Raises ShapeChanges when there is none."""
    if a == b or b is None:
        return a
    if a is None:
        return b
    if isinstance(a, Fixed) or isinstance(b, Fixed):
        return join(type_of(a) if isinstance(a, Fixed) else a, type_of(b) if isinstance(b, Fixed) else b)
    if isinstance(a, Form) and isinstance(b, Form):
        sizes = [s for s in (a.size, b.size) if s is not None]
        return Form(join(a.element, b.element), max(sizes, default=None), a.count if a.count == b.count else None, a.kind)
    if isinstance(a, Held) and isinstance(b, Held):
        if a.values is None or b.values is None:
            return b if a.values is None else a
        return Held(tuple(join(x, y) for x, y in zip(a.values, b.values, strict=True)))
    raise ShapeChanges(f"a value is of type {_text(a)} here and of type {_text(b)} there")


def _text(t: Any) -> str:
    return f"{t.dtype}{list(t.shape)}" if isinstance(t, Aval) else str(t)


def zeros(t: Any, lead: tuple[int, ...] = ()) -> Any:
    """Zeros of a type, with dimensions `lead` in front."""
    if isinstance(t, Form):
        storage = t.element if t.element is None or isinstance(t.element, Fixed) else zeros(t.element, (*lead, t.size or 0))
        return DeviceList(storage, jnp.zeros(lead, np.int32) if t.count is None else t.count, t.size, t.kind)
    if isinstance(t, Held):
        return Optional(None if t.values is None else [zeros(v, lead) for v in t.values])
    return jnp.zeros((*lead, *t.shape), t.dtype)


def conform(value: Any, t: Any, lead: tuple[int, ...] = ()) -> Any:
    """`value`, with dimensions `lead` in front, in the form that type `t` says, which it fits."""
    if isinstance(t, Form):
        value = value.whole()
        storage = value.storage
        if storage is None and t.element is not None and not isinstance(t.element, Fixed):
            storage = zeros(t.element, (*lead, t.size or 0))
        elif isinstance(storage, Fixed) and not isinstance(t.element, Fixed):
            storage = jnp.broadcast_to(storage.array, (*lead, t.size or 0, *storage.array.shape))
        elif storage is not None and not isinstance(storage, Fixed):
            storage = conform(storage, t.element, (*lead, value.size))
            storage = jax.tree.map(lambda x: _padded(x, t.size or 0, len(lead)), storage)
        else:
            storage = t.element
        count = value.length()
        if t.count is None and isinstance(count, int):
            count = jnp.full(lead, count, np.int32)
        return DeviceList(storage, count if t.count is None else t.count, t.size, t.kind)
    if isinstance(t, Held):
        if t.values is None:
            return value
        if value.value is None:
            return zeros(t, lead)
        return Optional([conform(v, w, lead) for v, w in zip(value.value, t.values, strict=True)])
    return jnp.asarray(value)


def _padded(array: Any, size: int, axis: int = 0) -> Any:
    missing = size - array.shape[axis]
    if missing <= 0:
        return array
    return lax.pad(array, np.zeros((), array.dtype), [(0, missing if i == axis else 0, 0) for i in range(array.ndim)])


def has_unknown(value: Any) -> bool:
    """Whether a value is a list or optional, whose form a trace may still have to find out."""
    return isinstance(value, (DeviceList, Optional))


# -- the list --------------------------------------------------------------------------------------------


class Base:
    """How many elements a list had when the iteration of a loop began; `peak`: the most there were beyond that."""

    __slots__ = ("enough", "peak", "pristine", "value")

    def __init__(self, value: Any, pristine: bool, enough: bool) -> None:
        self.value = value
        self.peak = 0
        #: whether the list was empty when the loop began
        self.pristine = pristine
        #: whether the capacity is known to be large enough
        self.enough = enough


@dataclass(frozen=True)
class Kind:
    """What never changes about a list: the type and shape of the elements as stated, and how it is written."""

    dtype: DType
    dims: Dims
    #: whether setting an element adds to it
    adds: bool = False
    #: whether setting an element beyond the end makes the list longer
    grows: bool = False


@jax.tree_util.register_pytree_node_class
class DeviceList:
    """`count` elements in `storage`, a pytree of arrays with one more first dimension of `size`.

    `storage` is None while the type of the elements is not known (all are zeros then). With a `base` an integer `count` is relative to
    that. `entry` is one (index, element) that is not written yet, in a list of zeros.
    """

    __slots__ = ("base", "count", "entry", "kind", "size", "storage")

    def __init__(self, storage: Any, count: Any, size: int | None, kind: Kind, base: Base | None = None, entry: Any = None) -> None:
        self.storage = storage
        self.count: Any = int(count) if isinstance(count, (np.ndarray, np.generic)) and np.ndim(count) == 0 else count
        self.size = size
        self.kind = kind
        self.base = base
        self.entry = entry

    def tree_flatten(self) -> tuple[Any, Any]:
        """For JAX."""
        whole, known = self.whole(), self.known
        return (whole.storage, None if known is not None else self.length()), (whole.size, self.kind, known)

    @classmethod
    def tree_unflatten(cls, aux: Any, parts: Any) -> "DeviceList":
        """For JAX."""
        return cls(parts[0], parts[1] if aux[2] is None else aux[2], aux[0], aux[1])

    @property
    def adds(self) -> bool:
        """Whether setting an element adds to it."""
        return self.kind.adds

    @property
    def dims(self) -> Dims:
        """What is stated of the shape of the elements."""
        return self.kind.dims

    @property
    def known(self) -> int | None:
        """The count when it is known while tracing."""
        length = self.length() if isinstance(self.count, int) else None
        return length if isinstance(length, int) else None

    def length(self) -> Any:
        """The count: a Python integer when it is known."""
        return self.count if self.base is None or not isinstance(self.count, int) else self.base.value + self.count

    def size_value(self) -> Any:
        """The count as the value of a tensor."""
        known = self.known
        return np.array(known, np.int32) if known is not None else self.length()

    def _with(self, storage: Any, count: Any = None, size: int | None = None) -> "DeviceList":
        return DeviceList(storage, self.count if count is None else count, self.size if size is None else size, self.kind, self.base)

    def whole(self) -> "DeviceList":
        """The list with its entry written."""
        if self.entry is None:
            return self
        index, element = self.entry
        return self._with(None)._write(index, element)

    # -- capacity ------------------------------------------------------------------------------------

    def _room(self, count: Any) -> "DeviceList":
        """The list with room for `count` elements; inside a loop that carries it the loop sees to that."""
        if self.base is not None and isinstance(count, int):
            self.base.peak = max(self.base.peak, count)
            return self if self.size is not None else self._with(self.storage, size=1)
        if isinstance(count, int):
            if self.size is not None and self.size >= count:
                return self
            return self._with(None if self.storage is None else jax.tree.map(lambda s: _padded(s, count), self.storage), size=count)
        made = self if self.size is not None else self._with(self.storage, size=guess.get())
        if self.base is None or not self.base.enough:
            note_overflow(count > made.size)
        return made

    def _allocated(self, element: Any) -> tuple["DeviceList", Any]:
        """The list with a buffer for elements like `element`, and that in the form the buffer holds."""
        t = type_of(element)
        size = 1 if self.size is None else self.size
        if self.storage is None:
            return self._with(zeros(t, (size,)), size=size), element
        if isinstance(self.storage, Fixed):
            full = jnp.broadcast_to(self.storage.array, (size, *self.storage.array.shape))
            return self._with(full, size=size), element
        now = type_of(self.storage, 1)
        if now == t or (isinstance(now, Aval) and isinstance(t, Aval) and now.shape == t.shape):
            return self, element
        both = join(now, t)
        return self._with(conform(self.storage, both, (size,))), conform(element, both)

    def _write(self, index: Any, element: Any) -> "DeviceList":
        made, element = self._allocated(element)
        if made.size == 0:
            return made  # of a loop that does not run
        storage = jax.tree.map(
            lambda s, x: lax.dynamic_update_index_in_dim(s, x.astype(s.dtype), index, 0, allow_negative_indices=False), made.storage, element
        )
        return made._with(storage)

    # -- one element ---------------------------------------------------------------------------------

    def set(self, index: Any, element: Any) -> "DeviceList":
        """The list with one element replaced."""
        element = as_element(element)
        if self.storage is None and self.entry is None and self.known is not None and not isinstance(index, (int, np.ndarray)):
            return DeviceList(None, self.count, self.size, self.kind, self.base, (index, _traced(element)))
        return self.whole()._write(index, _traced(element))

    def get(self, index: Any, dims: Dims = None) -> Any:
        """One element."""
        whole = self.whole()
        if whole.storage is None:
            return jnp.zeros(whole.element_dims(dims), self.kind.dtype.np_dtype)
        if isinstance(whole.storage, Fixed):
            return whole.storage.array
        if whole.size == 0:
            return jax.tree.map(lambda s: jnp.zeros(s.shape[1:], s.dtype), whole.storage)
        return jax.tree.map(lambda s: lax.dynamic_index_in_dim(s, index, 0, keepdims=False, allow_negative_indices=False), whole.storage)

    def put(self, index: Any, element: Any) -> "DeviceList":
        """The list with one element set, or added to; longer where that is allowed."""
        made = self.resized(larger(self.length(), index + 1)) if self.kind.grows else self
        if not self.kind.adds or (self.storage is None and self.entry is None):
            return made.set(index, element)
        return made.set(index, jax.tree.map(_sum, made.get(index), jnp.asarray(element)))

    def take(self, index: Any, dims: Dims = None) -> Any:
        """One element."""
        return self.get(index, dims)

    def push(self, element: Any) -> "DeviceList":
        """The list with one more element."""
        element, whole = as_element(element), self.whole()
        at = whole.length()
        made = whole._room(whole.count + 1)
        if isinstance(element, np.ndarray) and made._takes_fixed(element):
            return made._with(Fixed(element), made.count + 1)
        out = made._write(at, _traced(element))
        return out._with(out.storage, out.count + 1)

    def _takes_fixed(self, element: np.ndarray[Any, Any]) -> bool:
        if isinstance(self.storage, Fixed):
            return self.storage == Fixed(element)
        empty = self.base.pristine if self.base is not None else self.known == 0
        return self.storage is None and empty and element.nbytes <= 4096

    def pop(self, dims: Dims = None) -> tuple["DeviceList", Any]:
        """The list without its last element, and that element."""
        whole = self.whole()
        rest = whole._with(whole.storage, whole.count - 1)
        at = rest.length()
        return rest, whole.get(max(at, 0) if isinstance(at, int) else at, dims)

    # -- all elements --------------------------------------------------------------------------------

    def element_dims(self, dims: Dims = None) -> tuple[int, ...]:
        """The shape of the elements of a list without a buffer. Raises ValueError when it is not known."""
        for d in (self.kind.dims, dims):
            if d is not None and None not in d:
                return tuple(s or 0 for s in d)
        raise ValueError(f"the shape of the elements of an unset list is not known; it was stated as {self.kind.dims} and {dims}")

    def stack(self, dims: Dims = None, count: int | None = None) -> Any:
        """All elements, of which there are `count` if the trace does not know it. Raises NeedsValue when nobody does."""
        whole = self.whole()
        n = self.known if self.known is not None else count
        if n is None:
            raise NeedsValue("input_handle")
        if whole.storage is None:
            return jnp.zeros((n, *whole.element_dims(dims)), self.kind.dtype.np_dtype)
        if isinstance(whole.storage, Fixed):
            return jnp.broadcast_to(whole.storage.array, (n, *whole.storage.array.shape))
        return jax.tree.map(lambda s: s if s.shape[0] == n else _padded(s[:n], n), whole.storage)

    def at(self, indices: Any, dims: Dims = None) -> Any:
        """The elements at `indices`, stacked."""
        whole = self.whole()
        full = self.stack(dims, self.size) if whole.storage is None or isinstance(whole.storage, Fixed) else whole.storage
        return jnp.take(full, indices, axis=0, mode="clip")

    def scattered(self, indices: Any, tensor: Any) -> "DeviceList":
        """The list with the slices of `tensor` at `indices`."""
        made, _ = self.whole()._allocated(tensor[0])
        where = made.storage.at[indices]
        return made._with(where.add(tensor) if self.kind.adds else where.set(tensor))

    def resized(self, count: Any) -> "DeviceList":
        """The list cut or filled up with zeros to `count`."""
        whole = self.whole()
        if isinstance(count, (int, np.ndarray, np.generic)):
            n = int(count)
            full = DeviceList(whole.storage, n, whole.size, self.kind)._room(n)
            before = whole.known
            if full.storage is None or (before is not None and before <= n):
                return full
            keep = np.arange(full.size or 0) < n
            return full._with(jax.tree.map(lambda s: jnp.where(keep.reshape(-1, *[1] * (s.ndim - 1)), s, jnp.zeros_like(s)), full.storage))
        return DeviceList(whole.storage, count, whole.size, self.kind, self.base)._room(count)

    def for_gradients(self) -> "DeviceList":
        """An array as long, for the gradients of the elements."""
        whole = self.whole()
        storage = None if whole.storage is None else jax.tree.map(jnp.zeros_like, conform(whole, _unfixed(whole)).storage)
        return DeviceList(storage, self.count, whole.size, replace(self.kind, adds=True), self.base)

    def one_by_one(self) -> TensorList:
        """The same list with its elements one by one, when their number is known. Raises NeedsValue when it is not."""
        n, storage = self.known, self.whole().storage
        if n is None:
            raise NeedsValue("input_handle")
        if isinstance(storage, Fixed):
            items: list[Any] = [storage.array] * n
        else:
            items = [None] * n if storage is None else [jax.tree.map(lambda s, i=i: s[i], storage) for i in range(n)]
        return TensorList(self.kind.dtype, self.kind.dims, items, -1, self.kind.adds, self.kind.grows)

    def to_host(self) -> TensorList:
        """The same list with its elements one by one, as NumPy arrays."""
        whole = self.whole()
        arrays = jax.tree.map(np.asarray, DeviceList(whole.storage, int(np.asarray(self.length())), whole.size, self.kind))
        made = arrays.one_by_one()
        return made.replaced([i.to_host() if isinstance(i, DeviceList) else i for i in made.items])

    def zeros_like(self) -> "DeviceList":
        """A list of as many zeros."""
        storage = self.whole().storage
        return self._with(storage.zeros_like() if isinstance(storage, Fixed) else jax.tree.map(jnp.zeros_like, storage))

    def plus(self, other: Any) -> "DeviceList":
        """The element-wise sum."""
        other = as_device(other)
        if other.entry is not None and (self.storage is not None or self.entry is not None):
            index, element = other.entry
            whole = self.whole()
            return whole.set(index, jax.tree.map(_sum, whole.get(index), element))
        if self.entry is not None and other.storage is not None:
            return other.plus(self)
        if self.storage is None and self.entry is None:
            return DeviceList(other.storage, self.count, other.size, self.kind, self.base, other.entry)
        if other.storage is None:
            return self
        both = join(_unfixed(self), _unfixed(other))
        a, b = (conform(x, replace(both, count=None if x.known is None else x.known)) for x in (self, other))
        return self._with(jax.tree.map(_sum, a.storage, b.storage), size=both.size)


def larger(a: Any, b: Any) -> Any:
    """The larger of two counts; known if both are."""
    return max(int(a), int(b)) if all(isinstance(x, (int, np.ndarray, np.generic)) for x in (a, b)) else jnp.maximum(a, b)


def _unfixed(value: DeviceList) -> Form:
    t = type_of(value)
    return replace(t, element=type_of(t.element)) if isinstance(t.element, Fixed) else t


def _sum(a: Any, b: Any) -> Any:
    return a + b if jnp.issubdtype(a.dtype, jnp.inexact) else jnp.maximum(a, b)  # counts of inner lists are equal


def as_element(value: Any) -> Any:
    """An element as it is stored; what is known stays NumPy."""
    if isinstance(value, TensorList):
        return as_device(value)
    return value if isinstance(value, (DeviceList, Optional, np.ndarray)) else jnp.asarray(value)


def _traced(element: Any) -> Any:
    return jnp.asarray(element) if isinstance(element, np.ndarray) else element


def as_device(value: Any) -> DeviceList:
    """A list in the form that takes positions which are not known."""
    if isinstance(value, DeviceList):
        return value
    kind = Kind(value.dtype, value.dims, value.adds, value.grows)
    count = len(value.items)
    known = [as_element(i) for i in value.items if i is not None]
    if not known:
        return DeviceList(None, count, count if count else value.most if value.most > 0 else None, kind)
    t = type_of(known[0])
    for i in known[1:]:
        t = join(t, type_of(i))
    rest = iter(known)
    full = [zeros(t) if i is None else conform(next(rest), t) for i in value.items]
    return DeviceList(jax.tree.map(lambda *xs: jnp.stack(xs), *full), count, count, kind)


def as_traced(value: Any) -> Any:
    """A value as JAX's control flow takes it."""
    if isinstance(value, np.ndarray):
        return jnp.asarray(value)
    return as_device(value) if isinstance(value, TensorList) else value


def same_types(values: Sequence[Any], others: Sequence[Any], what: str) -> None:
    """Raises ShapeChanges when the arrays of two lists of values differ in type."""
    for x, y in zip(jax.tree.leaves(list(values)), jax.tree.leaves(list(others)), strict=True):
        if x.shape != y.shape or x.dtype != y.dtype:
            raise ShapeChanges(f"{what}: {x.dtype}{list(x.shape)} and {y.dtype}{list(y.shape)}")
