"""`tf.py_function`: a Python function of tensors that have values.

The function runs in a graph of its own, whose tensors can be asked for their values while it is built. That graph
also gives the gradient.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.runtime.runner import Runner
from graphc.runtime.store import Store
from ir.build import export
from ir.convert import constant, convert_to_tensor, string_array
from ir.cut import cut
from ir.dtypes import DType, as_dtype, string
from ir.gradients import gradients
from ir.graph import Graph
from ir.ops.script import make
from ir.tensor import Operation, Tensor


class EagerTensor(Tensor):
    """A tensor of a graph that is evaluated on demand: `numpy()` gives its value."""

    __slots__ = ()

    def numpy(self) -> Any:
        """Returns the value as an array, or a NumPy scalar at rank 0."""
        graph: Any = self.graph
        value = graph.evaluate([self])[0]
        return value[()] if value.ndim == 0 else np.array(value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """The value, for NumPy."""
        return np.asarray(self.numpy(), dtype)

    def __bool__(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Whether the value is true."""
        return bool(self.numpy())

    def __int__(self) -> int:
        """The value as an integer."""
        return int(self.numpy())

    def __float__(self) -> float:
        """The value as a float."""
        return float(self.numpy())

    def __index__(self) -> int:
        """The value as an index."""
        return self.numpy().__index__()

    def __len__(self) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The size of the first dimension."""
        return len(self.numpy())

    def __iter__(self) -> Any:
        """The parts along the first dimension."""
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        """The value, shape and type."""
        value = self.numpy()
        return f"<tf.Tensor: shape={np.shape(value)}, dtype={self.dtype.name}, numpy={value!r}>"


class EagerGraph(Graph):
    """A graph that knows the values of those of its tensors that were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[Tensor, Any] = {}

    def append(self, *args: Any, **kwargs: Any) -> Operation:
        """Appends an operation; its outputs can be asked for their values."""
        made = super().append(*args, **kwargs)
        for t in made.outputs:
            t.__class__ = EagerTensor
        return made

    def evaluate(self, tensors: Sequence[Tensor]) -> list[Any]:
        """Returns the values of tensors, each computed once."""
        wanted = [t for t in dict.fromkeys(tensors) if t not in self.values]
        if wanted:
            fed = list(self.values)
            runner = Runner(Store(), cut(self, wanted, fed), "py_function", lambda: secrets.randbits(64), eager=True)
            found = runner.first([self.values[t] for t in fed])
            self.values.update(zip(wanted, [_array(v, t.dtype) for v, t in zip(found, wanted, strict=True)], strict=True))
        return [self.values[t] for t in tensors]


def _array(value: Any, dtype: DType) -> Any:
    if np.ndim(value) or dtype is not string:
        return np.asarray(value, dtype.np_dtype)
    return string_array(value)


class _Function:
    """A function, and the graph of its last call, from which its gradient comes."""

    def __init__(self, function: Callable[..., Any], types: list[DType]) -> None:
        self.function = function
        self.types = types
        self.last: tuple[EagerGraph, list[Tensor], list[Tensor]] | None = None

    def forward(self, *arrays: Any) -> Any:
        """Calls the function."""
        graph = EagerGraph()
        with graph.as_default():
            inputs = [constant(np.asarray(a)) if not isinstance(a, bytes) else constant(a) for a in arrays]
            found = self.function(*inputs)
            results = [] if found is None else list(found) if isinstance(found, (list, tuple)) else [found]
            if len(results) != len(self.types):
                return [np.asarray(0)] * len(results)  # the caller says so
            outputs = [convert_to_tensor(r, d) for r, d in zip(results, self.types, strict=True)]
            values = graph.evaluate(outputs)
        self.last = (graph, inputs, outputs)
        return values

    def backward(self, arrays: Sequence[Any], dys: Sequence[Any]) -> list[Any]:
        """Returns the gradient of each input, zeros for those the results do not depend on."""
        if self.last is None or not all(_equal(v, a) for v, a in zip(self.last[0].evaluate(self.last[1]), arrays, strict=True)):
            self.forward(*arrays)
        assert self.last is not None
        graph, inputs, outputs = self.last
        with graph.as_default():
            chosen = [i for i, y in enumerate(outputs) if y.dtype.is_floating or y.dtype.is_complex]
            cotangents = [constant(np.asarray(dys[i])) for i in chosen]
            found = gradients([outputs[i] for i in chosen], inputs, cotangents, unconnected_gradients="zero")
            return graph.evaluate([convert_to_tensor(g) for g in found])


def _equal(a: Any, b: Any) -> bool:
    return np.array_equal(a, np.asarray(b), equal_nan=np.asarray(a).dtype.kind in "fc")


@export("py_function")
def py_function(func: Callable[..., Any], inp: Sequence[Any], Tout: Any, name: str | None = None) -> Any:
    """Returns what a Python function of tensors gives, called on the host in every run that needs it.

    Args:
      func: gets a tensor per entry of `inp`, whose value `numpy()` gives; it may use any operation, and loops and conditions of Python on values. It
        returns a tensor or value, or a list of them.
      inp: a list of tensors.
      Tout: the type of the result, or a list of types.
      name: a name for the operation.

    Gradients flow through it. Shapes are not known: use `set_shape`. See `py_func` for exceptions.
    """
    types = [as_dtype(t) for t in Tout] if isinstance(Tout, (list, tuple)) else [as_dtype(Tout)]
    held = _Function(func, types)
    return make("EagerPyFunc", held.forward, inp, Tout, name, held.backward)
