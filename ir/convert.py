"""Python values to tensors: constants, and the conversions other parts register."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import dtypes
from ir.dtypes import DType, as_dtype
from ir.graph import Graph
from ir.opdef import TABLE, AttrSpec, Effects, OpDef, OutputSpec
from ir.shapes import Dims, dims_of
from ir.stacks import graphs
from ir.tensor import Tensor

CONST = OpDef(
    "Const", [], {"value": AttrSpec("value", "tensor", "value"), "dtype": AttrSpec("dtype", "type", "dtype")},
    [OutputSpec("output", "dtype")], Effects(), shape_fn=lambda c: c.attrs["value"].shape, doc="A tensor whose value is part of the graph.",
    no_gradient="a constant has no inputs", module=__name__,
)  # fmt: skip
TABLE["Const"] = CONST

_root = Graph()


def get_default_graph() -> Graph:
    """Returns the graph that new operations go to: the innermost `as_default`, or the global one."""
    return graphs.top() or _root


def root_graph() -> Graph:
    """Returns the global default graph, whatever graph is entered."""
    return _root


def reset_default_graph() -> None:
    """Replaces the global default graph by an empty one. Raises AssertionError inside `as_default`."""
    global _root
    if graphs.items and not all(getattr(g, "interactive", False) for g in graphs.items):
        raise AssertionError(
            "Do not use tf.reset_default_graph() to clear nested graphs. If you need a cleared graph, exit the nesting and create a new graph."
        )
    graphs.items.clear()
    _root = Graph()


def _flat(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return [x for v in value for x in _flat(v)]
    return [value]


def _fits(value: Any, dtype: DType) -> bool:
    if isinstance(value, (np.ndarray, np.generic)):
        return True
    if dtype.is_bool:
        return isinstance(value, bool)
    if dtype is dtypes.string:
        return isinstance(value, (str, bytes))
    if isinstance(value, (str, bytes, bool)):
        return False
    if dtype.is_integer or dtype.is_quantized:
        return hasattr(value, "__index__")
    if dtype.is_floating:
        return not isinstance(value, complex)
    return True


def string_array(value: Any) -> np.ndarray[Any, Any]:
    """Returns an object array of bytes; str is encoded as UTF-8."""
    raw = np.array(value, dtype=object)
    out = np.empty(raw.shape, dtype=object)
    for i in np.ndindex(raw.shape):
        v = raw[i]
        out[i] = v.encode() if isinstance(v, str) else bytes(v)
    return out


def to_array(value: Any, dtype: DType | None = None) -> np.ndarray[Any, Any]:
    """Returns a Python or NumPy value as the array a constant of it holds.

    Without `dtype`, Python floats are float32 and Python integers int32 where they fit, as in TensorFlow 1; NumPy
    values keep their type. Raises TypeError when a Python value does not fit `dtype`, ValueError for ragged lists.
    """
    if dtype is not None:
        dtype = dtype.base_dtype
    if isinstance(value, (np.ndarray, np.generic)):
        if dtype is dtypes.string or (dtype is None and value.dtype.kind in "OSU"):
            return string_array(value)
        return np.asarray(value) if dtype is None else np.asarray(value).astype(dtype.np_dtype, copy=False)
    if hasattr(value, "as_list") and hasattr(value, "is_fully_defined"):  # TensorShape
        if not value.is_fully_defined():
            raise ValueError(f"Cannot convert a partially known TensorShape to a Tensor: {value}")
        return np.array(value.as_list(), dtype=(dtype or dtypes.int32).np_dtype)
    flat = _flat(value)
    if dtype is not None:
        for v in flat:
            if not _fits(v, dtype):
                raise TypeError(f"Expected {dtype.name}, got {v!r} of type '{type(v).__name__}' instead.")
        if dtype is dtypes.string:
            return string_array(value)
        return _numpy_array(value, dtype.np_dtype)
    if any(isinstance(v, (str, bytes)) for v in flat):
        return string_array(value)
    array = _numpy_array(value, None)
    if array.dtype == object:
        if any(v is None for v in flat):
            raise ValueError(f"None values not supported: {value!r}")
        raise TypeError(f"Failed to convert object of type {type(value).__name__} to Tensor: {value!r}. Consider casting elements to a supported type.")
    if not all(isinstance(v, (np.ndarray, np.generic)) for v in flat):
        if array.dtype == np.float64:
            return array.astype(np.float32)
        if array.dtype == np.int64 and array.size and abs(array).max() < 2**31:
            return array.astype(np.int32)
        if array.dtype == np.float64 or (array.size == 0 and array.dtype == np.int64):
            return array.astype(np.int32)
    return array


def _numpy_array(value: Any, dtype: Any) -> np.ndarray[Any, Any]:
    try:
        return np.array(value, dtype=dtype)
    except ValueError as e:
        raise ValueError(f"Argument must be a dense tensor: {value!r} has ragged or unconvertible entries ({e}).") from None
    except OverflowError as e:
        raise ValueError(f"Value {value!r} does not fit {np.dtype(dtype).name}: {e}") from None


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str = "Const", verify_shape: bool = False) -> Tensor:
    """Creates a constant tensor.

    Args:
      value: a number, string, bool, nested list of them, or a NumPy array.
      dtype: the element type; by default float32 for Python floats, int32 for Python integers.
      shape: the shape; a value with fewer elements is filled up with its last one.
      name: the operation's name.
      verify_shape: refuse a value whose shape is not `shape`.

    Raises TypeError when the value does not fit `dtype`, ValueError when it has too many elements.

    >>> constant([1, 2], shape=[3]).shape.as_list()
    [3]
    """
    if isinstance(value, Tensor):
        raise TypeError(f"List of Tensors when single Tensor expected: {value!r} is a Tensor already")
    array = to_array(value, None if dtype is None else as_dtype(dtype))
    if shape is not None:
        array = _shaped(array, dims_of(shape), verify_shape)
    return add_constant(get_default_graph(), array, name or "Const")


def _shaped(array: np.ndarray[Any, Any], dims: Dims, verify: bool) -> np.ndarray[Any, Any]:
    if dims is None or None in dims:
        raise ValueError(f"The shape of a constant must be fully defined, got {dims}")
    size = int(np.prod([d for d in dims if d is not None], dtype=np.int64))
    if array.shape == dims:
        return array
    if verify:
        raise TypeError(f"Expected Tensor's shape: {dims}, got {array.shape}.")
    if size == 0 and array.ndim == 0:
        return np.empty([d or 0 for d in dims], dtype=array.dtype)
    if array.size > size:
        raise ValueError(f"Too many elements provided. Needed at most {size}, but received {array.size}")
    flat = array.reshape(-1)
    out = np.empty(size, dtype=array.dtype)
    out[: flat.size] = flat
    if flat.size < size:
        if not flat.size:
            raise ValueError(f"A constant of shape {dims} needs at least one value, got none")
        out[flat.size :] = flat[-1]
    return out.reshape([d or 0 for d in dims])


def add_constant(graph: Graph, array: np.ndarray[Any, Any], name: str = "Const") -> Tensor:
    """Appends a Const holding a copy of `array`, which must have its final dtype."""
    held = np.array(array)
    held.flags.writeable = False
    dtype = as_dtype(held.dtype)
    attrs = {"value": held, "dtype": dtype}
    with_scope = graph.op_name(name)
    op = graph.append(CONST, (), attrs, with_scope, [(dtype, held.shape)])
    out = op.outputs[0]
    out.known = held
    return out


Converter = Callable[..., Any]
_converters: list[tuple[int, type | tuple[type, ...], Converter]] = []


def register_tensor_conversion_function(base_type: Any, conversion_func: Converter, priority: int = 100) -> None:
    """Registers `conversion_func(value, dtype=None, name=None, as_ref=False)` for values of `base_type`.

    Lower priorities are asked first; a function may return NotImplemented to pass.
    """
    _converters.append((priority, base_type, conversion_func))
    _converters.sort(key=lambda c: c[0])


def convert_to_tensor(
    value: Any, dtype: Any = None, name: str | None = None, preferred_dtype: Any = None, dtype_hint: Any = None, as_ref: bool = False
) -> Tensor:
    """Converts `value` to a Tensor: a Tensor or Variable as it is, anything else through a constant.

    Args:
      value: a Tensor, Variable, number, string, list (Tensors inside are packed) or NumPy array.
      dtype: the required element type.
      name: the name of a constant made on the way.
      preferred_dtype: the element type if `dtype` is None and the value fits it (`dtype_hint` is the same).

    Raises ValueError when a Tensor has another dtype, TypeError when the value cannot be converted.
    """
    wanted = None if dtype is None else as_dtype(dtype)
    hint = preferred_dtype if preferred_dtype is not None else dtype_hint
    if isinstance(value, Tensor):
        return _checked(value, wanted, as_ref)
    for _, base, convert in _converters:
        if not isinstance(value, base):
            continue
        if wanted is None and hint is not None:
            try:
                out = convert(value, dtype=as_dtype(hint), name=name, as_ref=as_ref)
            except (TypeError, ValueError):
                out = convert(value, dtype=None, name=name, as_ref=as_ref)
        else:
            out = convert(value, dtype=wanted, name=name, as_ref=as_ref)
        if out is not NotImplemented:
            return _checked(out, wanted, as_ref)
    if wanted is None and hint is not None:
        try:
            return add_constant(get_default_graph(), to_array(value, as_dtype(hint)), name or "Const")
        except (TypeError, ValueError):
            pass
    return add_constant(get_default_graph(), to_array(value, wanted), name or "Const")


def _checked(value: Tensor, wanted: DType | None, as_ref: bool) -> Tensor:
    graph = get_default_graph()
    if value.graph is not graph:
        value = graph.capture(value)
    if wanted is not None and not wanted.base_dtype.is_compatible_with(value.dtype.base_dtype):
        where = value.op.location_line()
        made = f" (made at {where})" if where else ""
        raise ValueError(f"Tensor conversion requested dtype {wanted.name} for Tensor with dtype {value.dtype.name}: {value!r}{made}")
    return value


def is_tensor_like(value: Any) -> bool:
    """Whether `value` is a Tensor or something registered as convertible to one without a constant."""
    return isinstance(value, Tensor) or hasattr(value, "_as_graph_element")


__exports__ = {
    "get_default_graph": "get_default_graph",
    "reset_default_graph": "reset_default_graph",
    "constant": "constant",
    "convert_to_tensor": "convert_to_tensor",
    "register_tensor_conversion_function": "register_tensor_conversion_function",
}
