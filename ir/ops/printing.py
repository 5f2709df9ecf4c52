"""`tf.print`: text made from tensors while the graph runs, and written to a stream."""

import pprint
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from ir import dtypes
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, is_tensor_like
from ir.infer import scalar
from ir.opdef import In
from ir.ops.debug import print_v2, text_of
from ir.sparse_tensor import SparseTensor
from ir.tensor import Operation, Tensor


def _element(value: Any) -> str:
    if isinstance(value, bytes):
        escaped = text_of(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return f'"{escaped}"'
    return text_of(value)


def layout_of(array: np.ndarray[Any, Any], edge: int, depth: int = 0) -> str:
    """Returns an array as text, rows on lines of their own; `edge` items at each end of a dimension, all when -1.

    >>> layout_of(np.arange(10), 2)
    '[0 1 ... 8 9]'
    """
    if not isinstance(array, np.ndarray) or array.ndim == 0:  # pyright: ignore[reportUnnecessaryIsInstance] (an item of an object array)
        return _element(np.asarray(array)[()])
    if array.size == 0:
        return "[]"
    whole = edge < 0 or len(array) <= 2 * edge
    first = [layout_of(a, edge, depth + 1) for a in (array if whole else array[:edge])]
    last = [] if whole else ["...", *[layout_of(a, edge, depth + 1) for a in array[len(array) - edge :]]]
    gap = " " if array.ndim == 1 else "\n" * (array.ndim - 1) + " " * (depth + 1)
    return f"[{gap.join(first + last)}]"


@op("StringFormat", scalar, out="output: string", host=True, T=0)
def _string_format(
    inputs: Annotated[Sequence[Any], In(types="T")], template: str = "%s", placeholder: str = "%s", summarize: int = 3, name: str | None = None
) -> Tensor:  # fmt: skip
    """`template` with the text of `inputs` in the places of `placeholder`."""
    parts = template.split(placeholder)
    texts = [layout_of(np.asarray(x), summarize) for x in inputs]
    out = parts[0] + "".join([t + p for t, p in zip(texts, parts[1:], strict=True)])
    return np.array(out.encode(), dtype=object)  # pyright: ignore[reportReturnType]


grad.none("StringFormat", "text is no function")


@export("strings.format")
def string_format(template: str, inputs: Any, placeholder: str = "{}", summarize: int = 3, name: str | None = None) -> Tensor:
    """Returns a scalar string: `template` with the text of tensors in the places of `placeholder`.

    Args:
      template: the text.
      inputs: a tensor or a list of them, one per placeholder.
      placeholder: what to replace.
      summarize: how many items to show at each end of a dimension, all when -1.
      name: a name for the operation.

    Raises ValueError when there are more or fewer placeholders than inputs.

    >>> string_format("x is {}", [1, 2], summarize=-1)
    Traceback (most recent call last):
    ValueError: 1 placeholder(s) in template does not match 2 tensor(s) provided as input
    """
    tensors = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    places = template.count(placeholder)
    if places != len(tensors):
        raise ValueError(f"{places} placeholder(s) in template does not match {len(tensors)} tensor(s) provided as input")
    return _string_format(tensors, template, placeholder, summarize, name=name)


class _Place:
    """Stands in a nest for tensors, and prints as their placeholders."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _replaced(value: Any, placeholder: str, found: list[Any]) -> Any:
    """Returns a nest with places for its tensors, which are appended to `found`."""
    if isinstance(value, SparseTensor):
        found += [value.indices, value.values, value.dense_shape]
        return _Place(f"SparseTensor(indices={placeholder}, values={placeholder}, shape={placeholder})")
    if is_tensor_like(value):
        found.append(value)
        return _Place(placeholder)
    if isinstance(value, Mapping):
        items: list[tuple[Any, Any]] = sorted(value.items(), key=lambda kv: str(kv[0]))
        return {k: _replaced(v, placeholder, found) for k, v in items}
    if isinstance(value, (list, tuple)):
        parts = [_replaced(v, placeholder, found) for v in value]
        make: Any = type(value)
        return make(*parts) if hasattr(make, "_fields") else make(parts)
    return value


def _stream_name(stream: Any) -> str:
    for known, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
        if stream is known:
            return name
    if isinstance(stream, str) and stream.startswith("file://"):
        return stream
    levels = {"info": "log(info)", "warn": "log(warning)", "warning": "log(warning)", "error": "log(error)"}
    name = getattr(stream, "__name__", "")
    if name not in levels:
        raise ValueError(
            f"Unsupported output stream, logging level, or file: {stream}. Supported streams are sys.stdout, sys.stderr, "
            "tf.logging.info, tf.logging.warning, tf.logging.error. File needs to be in the form of 'file://<filepath>'."
        )
    return levels[name]


@export("print")
def print_(*inputs: Any, **kwargs: Any) -> Operation:
    """Returns an operation that writes `inputs` when it runs.

    Args:
      *inputs: tensors, text, numbers, and lists, tuples and dicts of them, written one after the other.
      output_stream: sys.stderr (the default), sys.stdout, a function of `tf.logging`, or "file://" and a path.
      summarize: how many items of a tensor to show at each end of a dimension, 3 by default, all when -1.
      sep: what to write between the inputs, a space by default.
      end: what to write at the end, a new line by default.
      name: a name for the operation.

    It must be run: put what depends on it under `tf.control_dependencies([tf.print(...)])`.

    Raises ValueError for another stream or keyword.

    >>> print_("x is", convert_to_tensor([1, 2])).type
    'PrintV2'
    """
    stream = _stream_name(kwargs.pop("output_stream", sys.stderr))
    name, summarize = kwargs.pop("name", None), kwargs.pop("summarize", 3)
    sep, end = kwargs.pop("sep", " "), kwargs.pop("end", "\n")
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments for tf.print: {kwargs}")
    if len(inputs) == 1 and isinstance(inputs[0], Tensor) and inputs[0].dtype is dtypes.string and inputs[0].dims == ():
        return print_v2(inputs[0], stream, end, name=name)
    placeholder, number = "{}", 0
    while placeholder in f"{sep}{inputs}":
        number += 1
        placeholder = f"{{}}{number}"
    found: list[Any] = []
    texts = [x if isinstance(x, str) else pprint.pformat(_replaced(x, placeholder, found)) for x in inputs]
    line = string_format(sep.join(texts), [convert_to_tensor(t) for t in found], placeholder, summarize, name=f"{name}_format" if name else None)
    return print_v2(line, stream, end, name=name)
