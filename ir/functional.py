"""map_fn, scan, foldl and foldr: a function applied along the first dimension of tensors, each as one loop."""

from collections.abc import Callable, Sequence
from typing import Any

from ir import nest
from ir.build import export
from ir.control_flow import while_loop
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import int32
from ir.indexed_slices import IndexedSlices
from ir.ops.layout import shape
from ir.shapes import type_str
from ir.sparse_tensor import SparseTensor
from ir.tensor import Tensor
from ir.tensor_array import TensorArray


class _Elements:
    """The slices of a nest of tensors along their first dimension."""

    def __init__(self, function: str, fn: Any, elems: Any) -> None:
        if not callable(fn):
            raise TypeError("fn must be callable.")
        leaves = nest.flatten(elems)
        if any(isinstance(t, (SparseTensor, IndexedSlices)) for t in leaves):
            raise TypeError(
                f"{function} takes dense tensors. To apply a function to the values of a sparse tensor use SparseTensor(x.indices, {function}(fn, x.values), "
                "x.dense_shape)."
            )
        self.structure = elems
        self.tensors = [convert_to_tensor(t, name="elem") for t in leaves]
        if not self.tensors:
            raise ValueError(f"{function}: elems is empty")
        for t in self.tensors:
            if t.dims is not None and not t.dims:
                raise ValueError(f"elements in elems must be 1+ dimensional Tensors, not scalars: {t!r}")
        self.static_size = self._common_size(function)
        first = self.tensors[0]
        #: how many there are: a Python integer when it is known, else a tensor
        self.size: Any = shape(first)[0] if self.static_size is None else convert_to_tensor(self.static_size, dtype=int32, name="size")
        self._arrays = [
            TensorArray(t.dtype, size=self.size, dynamic_size=False, infer_shape=True, element_shape=None if t.dims is None else t.dims[1:]).unstack(t)
            for t in self.tensors
        ]

    def _common_size(self, function: str) -> int | None:
        known = [(t, t.dims[0]) for t in self.tensors if t.dims is not None and t.dims[0] is not None]
        for t, n in known[1:]:
            if n != known[0][1]:
                raise ValueError(
                    f"{function}: the first dimensions of elems differ: {known[0][0].name} is {type_str(known[0][0].dtype, known[0][0].dims)} "
                    f"and {t.name} is {type_str(t.dtype, t.dims)}"
                )
        return known[0][1] if known else None

    def __getitem__(self, index: Any) -> Any:
        return nest.pack_sequence_as(self.structure, [a.read(index) for a in self._arrays])

    def stacked(self, arrays: Sequence[TensorArray]) -> list[Tensor]:
        """The elements of arrays as long, stacked."""
        out: list[Tensor] = []
        for a in arrays:
            t = a.stack()
            dims = a.element_shape.as_dims()
            if dims is not None:
                t.set_shape((self.static_size, *dims))
            out.append(t)
        return out


def _checked(function: str, like: Any, result: Any) -> list[Any]:
    """The leaves of what `fn` returned. Raises ValueError or TypeError when its structure differs from `like`."""
    try:
        nest.assert_same_structure(like, result)
    except (ValueError, TypeError) as e:
        raise type(e)(f"{function}: fn returned another structure than expected. {e}") from None
    return nest.flatten(result)


@export("map_fn")
def map_fn(
    fn: Callable[[Any], Any], elems: Any, dtype: Any = None, parallel_iterations: int | None = None, back_prop: bool = True, swap_memory: bool = False,
    infer_shape: bool = True, name: str | None = None,
) -> Any:  # fmt: skip
    """Applies `fn` to each slice of `elems` along the first dimension, and stacks the results.

    Args:
      fn: a function of one argument, a nest like `elems`.
      elems: a tensor or a nest of tensors of one first dimension.
      dtype: a nest of the types that `fn` returns, if they or their structure differ from those of `elems`.
      parallel_iterations, swap_memory: accepted; XLA schedules the loop.
      back_prop: whether gradients flow through.
      infer_shape: whether all results have one shape.
      name: a name scope.

    Returns a nest like `dtype` of tensors whose first dimension is that of `elems`.

    Raises TypeError for a `fn` that is not callable or a SparseTensor, ValueError when `fn` returns another structure or type than `dtype` says.

    >>> map_fn(lambda x: x * 2, convert_to_tensor([1, 2, 3])).shape.as_list()
    [3]
    """
    with get_default_graph().name_scope(name or "map"):
        items = _Elements("map_fn", fn, elems)
        structure = nest.pack_sequence_as(elems, [t.dtype.base_dtype for t in items.tensors]) if dtype is None else dtype
        outs = [TensorArray(d, size=items.size, dynamic_size=False, infer_shape=infer_shape) for d in nest.flatten(structure)]

        def body(i: Tensor, arrays: list[TensorArray]) -> Any:
            results = _checked("map_fn", structure, fn(items[i]))
            return i + 1, [a.write(i, r) for a, r in zip(arrays, results, strict=True)]

        _, outs = while_loop(
            lambda i, _: i < items.size, body, (convert_to_tensor(0), outs), parallel_iterations=parallel_iterations or 10, back_prop=back_prop,
            swap_memory=swap_memory,
        )  # fmt: skip
        return nest.pack_sequence_as(structure, items.stacked(outs))


@export("scan")
def scan(
    fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, parallel_iterations: int = 10, back_prop: bool = True, swap_memory: bool = False,
    infer_shape: bool = True, reverse: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Computes `a = fn(a, x)` for each slice x of `elems` along the first dimension, and stacks the values of `a`.

    Args:
      fn: a function of the accumulated value and of a nest like `elems`; it returns the next accumulated value.
      elems: a tensor or a nest of tensors of one first dimension.
      initializer: the accumulated value at first, a nest of tensors; without it that is the first slice, which is also the first result.
      parallel_iterations, swap_memory: accepted; XLA schedules the loop.
      back_prop: whether gradients flow through.
      infer_shape: whether `a` keeps its shape.
      reverse: whether to go through `elems` from the end; the results stand where their slices do.
      name: a name scope.

    Returns a nest like the accumulated value.

    Raises TypeError for a `fn` that is not callable, ValueError when it returns another structure, type or shape than it is given.

    >>> scan(lambda a, x: a + x, convert_to_tensor([1, 2, 3])).shape.as_list()
    [3]
    """
    with get_default_graph().name_scope(name or "scan"):
        items = _Elements("scan", fn, elems)
        n = items.size
        first = n - 1 if reverse else convert_to_tensor(0)
        start = items[first] if initializer is None else initializer
        values = [convert_to_tensor(v) for v in nest.flatten(start)]
        outs = [
            TensorArray(v.dtype, size=n, dynamic_size=False, infer_shape=infer_shape, element_shape=v.shape if infer_shape else None) for v in values
        ]
        if initializer is None:
            outs = [a.write(first, v) for a, v in zip(outs, values, strict=True)]
            first = first - 1 if reverse else first + 1

        def body(i: Tensor, current: list[Tensor], arrays: list[TensorArray]) -> Any:
            results = _checked("scan", start, fn(nest.pack_sequence_as(start, current), items[i]))
            results = [convert_to_tensor(r, preferred_dtype=v.dtype) for r, v in zip(results, values, strict=True)]
            return i - 1 if reverse else i + 1, results, [a.write(i, r) for a, r in zip(arrays, results, strict=True)]

        _, _, outs = while_loop(
            (lambda i, *_: i >= 0) if reverse else (lambda i, *_: i < n), body, (first, values, outs), parallel_iterations=parallel_iterations,
            back_prop=back_prop, swap_memory=swap_memory,
        )  # fmt: skip
        return nest.pack_sequence_as(start, items.stacked(outs))


def _fold(
    function: str, fn: Any, elems: Any, initializer: Any, parallel_iterations: int, back_prop: bool, swap_memory: bool, name: str | None, backwards: bool
) -> Any:
    with get_default_graph().name_scope(name or function):
        items = _Elements(function, fn, elems)
        n = items.size
        first = n - 1 if backwards else convert_to_tensor(0)
        start = items[first] if initializer is None else initializer
        values = [convert_to_tensor(v) for v in nest.flatten(start)]
        if initializer is None:
            first = first - 1 if backwards else first + 1

        def body(i: Tensor, current: list[Tensor]) -> Any:
            results = _checked(function, start, fn(nest.pack_sequence_as(start, current), items[i]))
            return i - 1 if backwards else i + 1, [convert_to_tensor(r, preferred_dtype=v.dtype) for r, v in zip(results, values, strict=True)]

        _, values = while_loop(
            (lambda i, _: i >= 0) if backwards else (lambda i, _: i < n), body, (first, values), parallel_iterations=parallel_iterations,
            back_prop=back_prop, swap_memory=swap_memory,
        )  # fmt: skip
        return nest.pack_sequence_as(start, values)


@export("foldl")
def foldl(
    fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, parallel_iterations: int = 10, back_prop: bool = True, swap_memory: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Computes `a = fn(a, x)` for each slice x of `elems` along the first dimension; returns the last `a`.

    Arguments and errors are those of `scan`; without `initializer` the first slice is the first `a`.

    >>> foldl(lambda a, x: a + x, convert_to_tensor([1, 2, 3])).shape.as_list()
    []
    """
    return _fold("foldl", fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name, False)


@export("foldr")
def foldr(
    fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, parallel_iterations: int = 10, back_prop: bool = True, swap_memory: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`foldl` from the last slice to the first."""
    return _fold("foldr", fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name, True)
