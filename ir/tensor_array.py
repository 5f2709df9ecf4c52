"""TensorArray: an array of tensors for loops, `tf.TensorArray` on TensorList ops.

A TensorArray is never changed: `write`, `unstack`, `scatter` and `split` return a new one, which must be used in place of
the old. As a loop variable of `while_loop` it goes in and comes out as the list it wraps. All TensorArrays that come from one share
what is known of their elements' shape, so that a shape learnt in a loop body is known after the loop.

An element that was never written reads as zeros, as TensorFlow's TensorList has it, unless that is known while the graph
is built: then it is an error. So is an index out of range; one that is found only in a compiled run is clamped.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ir import static
from ir.build import export
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import DType, as_dtype, float32, int32, int64
from ir.ops.arith import maximum
from ir.ops.basic import group, identity
from ir.ops.cast import cast
from ir.ops.layout import raw
from ir.ops.tensor_list import (
    element_shape as shape_input,
    tensor_list_concat,
    tensor_list_from_tensor,
    tensor_list_gather,
    tensor_list_get_item,
    tensor_list_length,
    tensor_list_reserve,
    tensor_list_resize,
    tensor_list_scatter_into,
    tensor_list_set_item,
    tensor_list_split,
    tensor_list_stack,
)
from ir.shapes import Dims, TensorShape, compatible, dims_of, merge_dims, shape_str
from ir.tensor import Tensor


class _Known:
    """What is known of the elements of all TensorArrays that come from one."""

    def __init__(self, dims: Dims, infer: bool) -> None:
        self.dims = dims
        self.infer = infer

    def add(self, dims: Dims, what: str) -> None:
        """Notes the shape of a written element. Raises ValueError when it contradicts."""
        if not compatible(self.dims, dims):
            raise ValueError(
                f"Inconsistent shapes: TensorArray.{what} got elements of shape {shape_str(dims)}, but the elements of the array have shape "
                f"{shape_str(self.dims)}"
            )
        if self.infer:
            self.dims = merge_dims(self.dims, dims)


@export("TensorArray")
class TensorArray:
    """An array of tensors of one type, written element by element and stacked to one tensor at the end.

    Args:
      dtype: the element type.
      size: the number of elements, an integer or a scalar int32 tensor; required unless `handle` is given.
      dynamic_size: whether a write beyond the end makes the array longer.
      clear_after_read: accepted; elements may be read many times.
      tensor_array_name: a name for the operation that makes the array.
      handle, flow: what `handle` and `flow` of another TensorArray gave, to wrap its list again.
      infer_shape: whether all elements have one shape, which is then known and checked.
      element_shape: the shape of the elements, as far as it is known.
      colocate_with_first_write_call: accepted.
      name: a name for the operation.

    Raises ValueError without a size, or with arguments that exclude each other.

    >>> ta = TensorArray("float32", size=2).write(0, [1.0, 2.0]).write(1, [3.0, 4.0])
    >>> ta.stack().shape.as_list()
    [2, 2]
    """

    def __init__(
        self, dtype: Any, size: Any = None, dynamic_size: bool | None = None, clear_after_read: bool | None = None, tensor_array_name: str | None = None,
        handle: Any = None, flow: Any = None, infer_shape: bool = True, element_shape: Any = None, colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ) -> None:  # fmt: skip
        if handle is not None and tensor_array_name:
            raise ValueError("Cannot construct with both handle and tensor_array_name")
        if handle is not None and element_shape is not None:
            raise ValueError("Cannot provide both a handle and element_shape at the same time")
        if handle is not None and dynamic_size is not None:
            raise ValueError("Cannot provide both a handle and dynamic_size at the same time")
        if handle is not None and clear_after_read is not None:
            raise ValueError("Cannot provide both a handle and clear_after_read at the same time")
        self._dtype: DType = as_dtype(dtype).base_dtype
        self._dynamic = bool(dynamic_size)
        self._infer = bool(infer_shape) or element_shape is not None
        self._known = _Known(dims_of(element_shape), self._infer)
        self._size: int | None = None
        #: the indices written so far, None when that is not known
        self._written: frozenset[int] | None = None
        self._gradients: dict[str, TensorArray] = {}
        if handle is not None or flow is not None:
            if size is not None:
                raise ValueError("Cannot provide both a handle and size to the constructor")
            self._flow = convert_to_tensor(handle if flow is None else flow)
            if self._flow.dtype.name != "variant":
                raise ValueError(f"flow must be the flow of a TensorArray, got {self._flow!r}")
            return
        if size is None:
            raise ValueError("Size must be provided if handle is not provided")
        with get_default_graph().name_scope(tensor_array_name or name or "TensorArray") as scope:
            count = convert_to_tensor(size, dtype=int32 if not isinstance(size, Tensor) else None, name="size")
            if count.dims:
                raise ValueError(f"the size of a TensorArray must be a scalar, got {count!r}")
            if count.dtype.base_dtype is int64:
                raise TypeError(f"the size of a TensorArray must be int32, got {count!r}")
            value = static.value_of(count)
            if value is not None:
                self._size = int(value)
                if self._size < 0:
                    raise ValueError(f"the size of a TensorArray must not be negative, got {self._size}")
            self._flow = tensor_list_reserve(shape_input(self._known.dims), count, self._dtype, name=scope)
        self._written = frozenset()

    # -- what it is ------------------------------------------------------------------------------

    @property
    def flow(self) -> Tensor:
        """The list itself, a scalar variant tensor; control and data dependencies go through it."""
        return self._flow

    @property
    def handle(self) -> Tensor:
        """The list itself: there is no other handle."""
        return self._flow

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._dtype

    @property
    def dynamic_size(self) -> bool:
        """Whether writes beyond the end make the array longer."""
        return self._dynamic

    @property
    def element_shape(self) -> TensorShape:
        """What is known of the shape of the elements."""
        return TensorShape(self._known.dims)

    @property
    def graph(self) -> Any:
        """The graph of the list."""
        return self._flow.graph

    def _components(self) -> list[Tensor]:
        return [self._flow]

    def _from_components(self, parts: Sequence[Tensor]) -> "TensorArray":
        return self._with(parts[0], None)

    def _with(self, flow: Tensor, written: frozenset[int] | None, size: int | None = None) -> "TensorArray":
        """A TensorArray of the same kind that holds another list."""
        out = TensorArray.__new__(TensorArray)
        out._dtype = self._dtype
        out._dynamic = self._dynamic
        out._infer = self._infer
        out._known = self._known
        out._size = size if size is not None else self._size if not self._dynamic else None
        out._written = written
        out._gradients = self._gradients
        out._flow = flow
        return out

    def __repr__(self) -> str:
        return f"<tf.TensorArray dtype={self._dtype.name} element_shape={shape_str(self._known.dims)} flow={self._flow.name}>"

    def size(self, name: str | None = None) -> Tensor:
        """Returns the number of elements, a scalar int32 tensor."""
        if self._size is not None and not self._dynamic:
            return constant(self._size, dtype=int32, name=name or "TensorArraySize")
        return tensor_list_length(self._flow, name=name or "TensorArraySize")

    # -- one element --------------------------------------------------------------------------------

    def _index(self, index: Any, reading: bool) -> tuple[Tensor, int | None]:
        at = convert_to_tensor(index, dtype=int32 if not isinstance(index, Tensor) else None, name="index")
        if not at.dtype.is_integer or at.dims:
            raise ValueError(f"the index into a TensorArray must be a scalar integer, got {at!r}")
        if at.dtype.base_dtype is not int32:
            raise TypeError(f"the index into a TensorArray must be int32, got {at!r}")
        value = static.value_of(at)
        if value is None:
            return at, None
        i = int(value)
        if i < 0 or (self._size is not None and i >= self._size and not self._dynamic):
            what = "read from" if reading else "write to"
            raise ValueError(f"Tried to {what} index {i}, but the TensorArray has size {'?' if self._size is None else self._size}")
        if reading and self._written is not None and i not in self._written:
            raise ValueError(
                f"Could not read index {i} of a TensorArray of {self._dtype.name} elements: it was never written. A write returns a new TensorArray: "
                "use `ta = ta.write(i, x)`."
            )
        return at, i

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """Returns the element at `index`, a scalar int32; zeros when it was never written.

        Raises ValueError when it is known already that there is no such element.
        """
        at, _ = self._index(index, True)
        out = tensor_list_get_item(self._flow, at, shape_input(self._known.dims), self._dtype, name=name or "TensorArrayReadV3")
        out.set_shape(self._known.dims)
        return out

    def _value(self, value: Any, what: str) -> Tensor:
        t = convert_to_tensor(value, preferred_dtype=self._dtype, name="value")
        if t.dtype.base_dtype is not self._dtype:
            raise ValueError(f"TensorArray.{what}: the array holds {self._dtype.name} elements, but the value is {t.dtype.base_dtype.name}: {t!r}")
        return t

    def write(self, index: Any, value: Any, name: str | None = None) -> "TensorArray":
        """Returns a TensorArray with `value` at `index`, a scalar int32.

        Raises ValueError when the value's type or shape does not fit the array, or the index is known to be out of range.
        """
        at, i = self._index(index, False)
        t = self._value(value, "write")
        self._known.add(t.dims, "write")
        flow = self._flow
        if self._dynamic:
            flow = tensor_list_resize(flow, maximum(tensor_list_length(flow), at + 1))
        flow = tensor_list_set_item(flow, at, t, name=name or "TensorArrayWriteV3")
        return self._with(flow, None if i is None or self._written is None else self._written | {i})

    # -- many elements ------------------------------------------------------------------------------

    def stack(self, name: str | None = None) -> Tensor:
        """Returns all elements as one tensor with a new first dimension."""
        size = -1 if self._dynamic or self._size is None else self._size
        out = tensor_list_stack(self._flow, shape_input(self._known.dims), self._dtype, size, name=name or "TensorArrayStack")
        return _shaped(out, None if size < 0 else size, self._known.dims)

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """Returns the elements at `indices`, a vector of int32, as one tensor."""
        at = convert_to_tensor(indices, dtype=int32, name="indices")
        out = tensor_list_gather(self._flow, at, shape_input(self._known.dims), self._dtype, name=name or "TensorArrayGatherV3")
        return _shaped(out, None if at.dims is None else at.dims[0], self._known.dims)

    def concat(self, name: str | None = None) -> Tensor:
        """Returns the elements joined along their first dimension, in which they may differ."""
        dims = self._known.dims
        if dims is not None and not dims:
            raise ValueError("TensorArray.concat needs elements of rank at least 1, but they are scalars")
        open_dims = None if dims is None else (None, *dims[1:])
        out, _ = tensor_list_concat(self._flow, shape_input(open_dims), np.zeros([0], np.int64), self._dtype, name=name or "TensorArrayConcatV3")
        if dims is not None:
            first = dims[0] * self._size if dims[0] is not None and self._size is not None and self._infer and not self._dynamic else None
            out.set_shape((first, *dims[1:]))
        return out

    def _require_size(self, n: int | None, what: str) -> None:
        if n is not None and self._size is not None and not self._dynamic and n != self._size:
            raise ValueError(f"TensorArray.{what}: the TensorArray has size {self._size}, but the value has {n} elements")

    def unstack(self, value: Any, name: str | None = None) -> "TensorArray":
        """Returns a TensorArray that holds the slices of `value` along its first dimension.

        Raises ValueError when their number is not the size of an array of fixed size, or their type or shape does not fit.
        """
        t = self._value(value, "unstack")
        if t.dims is not None and not t.dims:
            raise ValueError(f"TensorArray.unstack needs a value of rank at least 1, got {t!r}")
        inner = None if t.dims is None else t.dims[1:]
        self._known.add(inner, "unstack")
        n = None if t.dims is None else t.dims[0]
        self._require_size(n, "unstack")
        flow = tensor_list_from_tensor(t, shape_input(inner), name=name or "TensorArrayUnstack")
        return self._with(flow, None, n)

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> "TensorArray":
        """Returns a TensorArray with the slices of `value` at `indices`, a vector of int32."""
        t = self._value(value, "scatter")
        at = convert_to_tensor(indices, dtype=int32, name="indices")
        if t.dims is not None and not t.dims:
            raise ValueError(f"TensorArray.scatter needs a value of rank at least 1, got {t!r}")
        if t.dims is not None and at.dims is not None and not compatible(t.dims[:1], at.dims):
            raise ValueError(f"TensorArray.scatter: {shape_str(at.dims)} indices for a value of shape {shape_str(t.dims)}")
        self._known.add(None if t.dims is None else t.dims[1:], "scatter")
        where = static.value_of(at)
        if where is not None and self._size is not None and not self._dynamic and where.size and not 0 <= int(where.min()) <= int(where.max()) < self._size:
            raise ValueError(f"Tried to write to index {int(where.max())}, but the TensorArray has size {self._size}")
        flow = tensor_list_scatter_into(self._flow, t, at, name=name or "TensorArrayScatterV3")
        written = None if where is None or self._written is None else self._written | {int(i) for i in where}
        return self._with(flow, written)

    def split(self, value: Any, lengths: Any, name: str | None = None) -> "TensorArray":
        """Returns a TensorArray that holds consecutive parts of `value` along its first dimension, of the given `lengths`."""
        t = self._value(value, "split")
        sizes = convert_to_tensor(lengths, name="lengths")
        if not sizes.dtype.is_integer:
            raise TypeError(f"TensorArray.split needs integer lengths, got {sizes!r}")
        known = static.value_of(sizes)
        first = int(known[0]) if known is not None and known.size and (known == known[0]).all() else None
        inner = None if t.dims is None else t.dims[1:]
        dims = None if inner is None else ((first if self._infer else None), *inner)
        if self._known.infer and known is not None and first is None and known.size:
            raise ValueError(f"TensorArray.split: lengths {known.tolist()} give elements of different shapes; make the TensorArray with infer_shape=False")
        self._known.add(dims, "split")
        n = None if sizes.dims is None else sizes.dims[0]
        self._require_size(n, "split")
        lengths64 = sizes if sizes.dtype.base_dtype is int64 else cast(sizes, int64)
        open_dims = None if inner is None else (None, *inner)
        flow = tensor_list_split(t, shape_input(open_dims), lengths64, name=name or "TensorArraySplitV3")
        return self._with(flow, None, n)

    # -- the rest -----------------------------------------------------------------------------------

    def identity(self) -> "TensorArray":
        """Returns a TensorArray of the same content whose list is a new tensor: what depends on it runs after current control dependencies."""
        return self._with(identity(self._flow), self._written)

    def grad(self, source: str, flow: Any = None, name: str | None = None) -> "TensorArray":
        """Returns the TensorArray of zeros that stands for the gradient of this one; `source` tells gradients of several losses apart.

        Gradients made by `tf.gradients` need none; this is for code that writes gradients by hand.
        """
        found = self._gradients.get(source)
        if found is None:
            found = self._gradients[source] = self._with(raw("ZerosLike")(self._flow if flow is None else flow), None)
            found._gradients = {}
        return found

    def close(self, name: str | None = None) -> Any:
        """Returns an operation that does nothing: a TensorArray holds no memory outside a run."""
        return group(name=name or "TensorArrayClose")


def _shaped(out: Tensor, first: int | None, dims: Dims) -> Tensor:
    if dims is not None:
        out.set_shape((first, *dims))
    return out


@export("TensorArraySpec")
class TensorArraySpec:
    """What is known of a TensorArray before it exists: `element_shape`, `dtype`, `dynamic_size`, `infer_shape`."""

    def __init__(self, element_shape: Any = None, dtype: Any = float32, dynamic_size: bool = False, infer_shape: bool = True) -> None:
        self._element_shape = TensorShape(dims_of(element_shape))
        self._dtype = as_dtype(dtype)
        self._dynamic_size = dynamic_size
        self._infer_shape = infer_shape

    @property
    def value_type(self) -> type[TensorArray]:
        """The class of the values."""
        return TensorArray

    @classmethod
    def from_value(cls, value: TensorArray) -> "TensorArraySpec":
        """Returns the spec of an array."""
        return cls(value.element_shape, value.dtype, value.dynamic_size)

    def is_compatible_with(self, other: Any) -> bool:
        """Whether `other`, a spec or an array, may be what this describes."""
        o = other if isinstance(other, TensorArraySpec) else TensorArraySpec.from_value(other) if isinstance(other, TensorArray) else None
        if o is None:
            return False
        return self._dtype is o._dtype and self._dynamic_size == o._dynamic_size and self._element_shape.is_compatible_with(o._element_shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TensorArraySpec):
            return False
        return (self._element_shape.as_dims(), self._dtype, self._dynamic_size) == (other._element_shape.as_dims(), other._dtype, other._dynamic_size)

    def __hash__(self) -> int:
        return hash((self._element_shape.as_dims(), self._dtype, self._dynamic_size))

    def __repr__(self) -> str:
        return f"TensorArraySpec({self._element_shape}, {self._dtype!r}, {self._dynamic_size}, {self._infer_shape})"
