"""Python functions as operations: `tf.py_func` and `tf.numpy_function`.

A node holds a token; the functions are in a table of the process, kept alive by the graphs whose nodes name them.
"""

import itertools
import traceback
import weakref
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np

from ir.build import create, export, grad, op
from ir.convert import get_default_graph
from ir.dtypes import as_dtype
from ir.errors import InternalError, InvalidArgumentError, OpError, OutOfRangeError, ResourceExhaustedError, UnimplementedError, UnknownError
from ir.infer import Infer
from ir.opdef import TABLE, In, Types
from ir.shapes import Dims
from ir.tensor import Operation, Tensor

Inputs = Annotated[Sequence[Any], In(types="Tin")]


class Held:
    """A function that nodes name by its token. `backward` gives the gradients of its inputs, from its inputs and the gradients of its outputs."""

    def __init__(self, function: Callable[..., Any], backward: Callable[..., Any] | None = None) -> None:
        self.function = function
        self.backward = backward
        self.token = f"pyfunc_{next(_numbers)}"


_numbers = itertools.count()
_functions: weakref.WeakValueDictionary[str, Held] = weakref.WeakValueDictionary()


def hold(function: Callable[..., Any], backward: Callable[..., Any] | None = None) -> str:
    """Returns the token of a function, which lives as long as the default graph."""
    held = Held(function, backward)
    _functions[held.token] = held
    get_default_graph().notes.setdefault("python functions", []).append(held)
    return held.token


def held(token: str) -> Held:
    """Returns the function of a token. Raises KeyError when its graph is gone, or in another process."""
    try:
        return _functions[token]
    except KeyError:
        raise KeyError(f"callback {token} is not found") from None


#: the names TensorFlow's messages have for types
_NAMES = {"float64": "double", "float32": "float", "float16": "half"}
_CLASSES: list[tuple[type[BaseException], type[OpError]]] = [
    (NotImplementedError, UnimplementedError), (TypeError, InvalidArgumentError), (ValueError, InvalidArgumentError), (StopIteration, OutOfRangeError),
    (MemoryError, ResourceExhaustedError),
]  # fmt: skip


def _argument(array: Any) -> Any:
    copied = np.array(array)
    return copied[()] if copied.ndim == 0 else copied


def failed(e: Exception) -> OpError:
    """What a run raises when a Python function does."""
    kind = next((k for base, k in _CLASSES if isinstance(e, base)), UnknownError)
    frames = traceback.format_exception(type(e), e, e.__traceback__.tb_next if e.__traceback__ else None)
    return kind(None, None, f"{type(e).__name__}: {e}\n{''.join(frames)}")


def _called(token: str, inputs: Sequence[Any], types: Sequence[Any]) -> tuple[Any, ...]:
    try:
        found = held(token).function(*[_argument(x) for x in inputs])
        values = [] if found is None else list(found) if isinstance(found, (list, tuple)) else [found]
        arrays = [_array(v) for v in values]
    except Exception as e:
        raise failed(e) from e
    if len(arrays) != len(types):
        raise InvalidArgumentError(None, None, f"{token} returns {len(arrays)} values, but expects to see {len(types)} values.")
    for i, (a, wanted) in enumerate(zip(arrays, types, strict=True)):
        _check(a, wanted, i, token)
    return tuple(arrays)


def _array(value: Any) -> Any:
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.dtype.kind in "SU":
        array = np.array(value, dtype=object)
    if array.dtype == object:
        encoded = np.empty(array.shape, object)
        encoded.reshape(-1)[:] = [x.encode() if isinstance(x, str) else x for x in array.reshape(-1).tolist()]
        return encoded
    return np.array(array)  # the function may use its buffer again


def _check(array: Any, wanted: Any, index: int, token: str) -> None:
    if array.dtype == object:
        odd = next((x for x in array.reshape(-1).tolist() if not isinstance(x, bytes)), None)
        if odd is not None:
            raise InternalError(None, None, f"Unsupported object type {type(odd).__name__}")
    got = as_dtype(array.dtype)
    if got is not wanted:
        names = [_NAMES.get(d.name, d.name) for d in (got, wanted)]
        raise InvalidArgumentError(None, None, f"{index}-th value returned by {token} is {names[0]}, but expects {names[1]}")


def _unknown_shapes(c: Infer) -> list[Dims]:
    return [None] * len(c.attrs["Tout"])


@op("PyFunc", _unknown_shapes, out="output: list(Tout)", host=True, stream="python", dynamic=True, Tin=0, Tout=0)
def _py_func(input: Inputs, token: str, Tout: Types, name: str | None = None) -> Any:
    """What a Python function gives; these run in the order in which they were made."""
    return _called(token, input, Tout)


@op("PyFuncStateless", _unknown_shapes, out="output: list(Tout)", host=True, dynamic=True, Tin=0, Tout=0)
def _py_func_stateless(input: Inputs, token: str, Tout: Types, name: str | None = None) -> Any:
    """What a Python function without effects gives."""
    return _called(token, input, Tout)


grad.none("PyFunc PyFuncStateless", "the function is not known; give it a gradient with tf.RegisterGradient and gradient_override_map")


@op("EagerPyFunc", _unknown_shapes, out="output: list(Tout)", host=True, stream="python", dynamic=True, Tin=0, Tout=0)
def _eager_py_func(input: Inputs, token: str, Tout: Types, is_async: bool = False, name: str | None = None) -> Any:
    """What a Python function of tensors that have values gives."""
    return _called(token, input, Tout)


@grad("EagerPyFunc")
def _(op: Operation, *dys: Tensor) -> Any:
    backward = held(op.get_attr("token").decode()).backward
    chosen = [i for i, x in enumerate(op.inputs) if x.dtype.is_floating or x.dtype.is_complex]
    if backward is None or not chosen:
        return [None] * len(op.inputs)
    count = len(op.inputs)
    types = [op.inputs[i].dtype.base_dtype for i in chosen]
    found = iter(make("EagerPyFunc", lambda *xs: [backward(xs[:count], xs[count:])[i] for i in chosen], [*op.inputs, *dys], types, None))
    grads: list[Any] = [next(found) if i in chosen else None for i in range(count)]
    for x, g in zip(op.inputs, grads, strict=True):
        if g is not None:
            g.set_shape(x.shape)
    return grads


def make(kind: str, function: Any, inputs: Any, Tout: Any, name: str | None, backward: Any = None) -> Any:
    """Makes a node that calls a function; returns a list of tensors for a list of types, a tensor for one type, the operation for none."""
    types = [as_dtype(t) for t in Tout] if isinstance(Tout, (list, tuple)) else [as_dtype(Tout)]
    made = create(TABLE[kind], {"input": inputs, "token": hold(function, backward), "Tout": types}, name)
    if not types:
        return made
    return list(made.outputs) if isinstance(Tout, (list, tuple)) else made.outputs[0]


@export("py_func")
def py_func(func: Callable[..., Any], inp: Sequence[Any], Tout: Any, stateful: bool = True, name: str | None = None) -> Any:
    """Returns what a Python function gives for the values of tensors, called on the host in every run that needs it.

    Args:
      func: gets a NumPy array per tensor (a NumPy scalar at rank 0, bytes for a string), its own to change; returns one such value, or a list of them.
      inp: a list of tensors.
      Tout: the type of the result, or a list of types. Types are not converted: a Python float is float64.
      stateful: whether calling it twice with equal arguments may differ, or does something; if so, it is never left out and calls keep their order.
      name: a name for the operation.

    Shapes are not known: use `set_shape`. No gradient flows through it, unless `tf.RegisterGradient` and `Graph.gradient_override_map` say which. An
    exception fails the run: InvalidArgumentError for ValueError and TypeError, OutOfRangeError for StopIteration, UnknownError for most others. The
    function may call `run` of the same session.

    >>> py_func(np.sinh, [np.float32([1.0])], "float32").dtype.name
    'float32'
    """
    return make("PyFunc" if stateful else "PyFuncStateless", func, inp, Tout, name)


@export("numpy_function")
def numpy_function(func: Callable[..., Any], inp: Sequence[Any], Tout: Any, name: str | None = None) -> Any:
    """Returns what a Python function of NumPy arrays gives; see `py_func`."""
    return make("PyFunc", func, inp, Tout, name)
