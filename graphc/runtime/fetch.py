"""Fetches of any nest: flattened to tensors and operations for the Program, and put back into shape after the run."""

from collections.abc import Callable, Sequence
from typing import Any

from ir.graph import Graph
from ir.indexed_slices import IndexedSlices
from ir.sparse_tensor import SparseTensor, SparseTensorValue
from ir.tensor import Operation, Tensor

Build = Callable[[Sequence[Any]], Any]


class IndexedSlicesValue(tuple):
    """What fetching IndexedSlices gives: the named parts `values`, `indices`, `dense_shape`."""

    def __new__(cls, values: Any, indices: Any, dense_shape: Any) -> "IndexedSlicesValue":
        return super().__new__(cls, (values, indices, dense_shape))

    values = property(lambda self: self[0])
    indices = property(lambda self: self[1])
    dense_shape = property(lambda self: self[2])


class FetchPlan:
    """`elements` are the tensors and operations of a nest; `build(values)` gives the nest of their values.

    `values` has one entry per Tensor in `elements`; an operation becomes None.
    """

    def __init__(self, graph: Graph, fetches: Any) -> None:
        self.graph = graph
        self.elements: list[Tensor | Operation] = []
        self._tensors: dict[Tensor, int] = {}
        self._operations: set[Operation] = set()
        self.build = self._plan(fetches)

    def _plan(self, fetch: Any) -> Build:
        if fetch is None:
            raise TypeError(
                "Fetch argument None has invalid type NoneType, must be a string or Tensor. (Can not convert a NoneType into a Tensor or Operation.)"
            )
        if isinstance(fetch, (list, tuple)) and not hasattr(fetch, "_as_graph_element"):
            parts = [self._plan(f) for f in fetch]
            if hasattr(fetch, "_fields"):
                kind: Any = type(fetch)
                return lambda values: kind(*[p(values) for p in parts])
            kind = list if isinstance(fetch, list) else type(fetch)
            return lambda values: kind([p(values) for p in parts])
        if isinstance(fetch, dict):
            kinds = type(fetch)
            keyed = [(k, self._plan(f)) for k, f in fetch.items()]
            return lambda values: kinds((k, p(values)) for k, p in keyed)
        if hasattr(type(fetch), "__attrs_attrs__"):
            cls: Any = type(fetch)
            names = [a.name for a in cls.__attrs_attrs__]
            attrs = [self._plan(getattr(fetch, n)) for n in names]
            return lambda values: cls(*[p(values) for p in attrs])
        return self._leaf(fetch)

    def _leaf(self, fetch: Any) -> Build:
        if isinstance(fetch, IndexedSlices):
            values, indices = self._plan(fetch.values), self._plan(fetch.indices)
            shape = self._plan(fetch.dense_shape) if fetch.dense_shape is not None else lambda _: None
            return lambda v: IndexedSlicesValue(values(v), indices(v), shape(v))
        if isinstance(fetch, SparseTensor):
            parts = [self._plan(p) for p in (fetch.indices, fetch.values, fetch.dense_shape)]
            return lambda v: SparseTensorValue(*[p(v) for p in parts])
        try:
            element = self.graph.as_graph_element(fetch, allow_tensor=True, allow_operation=True)
        except TypeError as e:
            raise TypeError(f"Fetch argument {fetch!r} has invalid type {type(fetch).__name__}, must be a string or Tensor. ({e})") from None
        except ValueError as e:
            raise ValueError(f"Fetch argument {fetch!r} cannot be interpreted as a Tensor. ({e})") from None
        except KeyError as e:
            raise ValueError(f"Fetch argument {fetch!r} cannot be interpreted as a Tensor. ({e.args[0]})") from None
        if not self.graph.is_fetchable(element):
            raise ValueError(f"Operation {element.name!r} has been marked as not fetchable.")
        if isinstance(element, Operation):
            if element not in self._operations:
                self._operations.add(element)
                self.elements.append(element)
            return lambda _: None
        if element not in self._tensors:
            self._tensors[element] = len(self._tensors)
            self.elements.append(element)
        at = self._tensors[element]
        return lambda v: v[at]


def quick_key(fetches: Any) -> Any:
    """A hashable key for the commonest nests (a tensor, an operation, a name, a flat list of them), or None."""
    kind = type(fetches)
    if kind is Tensor or kind is Operation or kind is str:
        return fetches
    if kind is list or kind is tuple:
        for f in fetches:
            t = type(f)
            if t is not Tensor and t is not Operation and t is not str and not hasattr(f, "_as_graph_element"):
                return None
        return (kind, *fetches)
    return fetches if hasattr(fetches, "_as_graph_element") else None
