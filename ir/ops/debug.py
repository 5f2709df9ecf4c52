"""Checks that can fail a run, and printing from inside a graph."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph, is_tensor_like
from ir.dtypes import ANY, FLOAT
from ir.infer import Infer, no_outputs, same, with_rank
from ir.opdef import Bool, In, String, T
from ir.ops.basic import group, identity
from ir.ops.layout import _one_of  # pyright: ignore[reportPrivateUsage]
from ir.shapes import Dims
from ir.tensor import Operation, Tensor

Data = Annotated[Sequence[Any], In(types="T")]
MoreData = Annotated[Sequence[Any], In(types="U")]


# -- checks ------------------------------------------------------------------------------------------


@op("CheckNumerics", same, out="output: T", check=True, stateful=True, T=FLOAT)
def _check_numerics(tensor: T, message: str, name: str | None = None) -> Tensor:
    """Passes `tensor` on; whether it is finite comes second."""
    return tensor, xp.all(xp.isfinite(tensor))  # pyright: ignore[reportReturnType]


@grad("CheckNumerics")
def _(op: Operation, dy: Tensor) -> Any:
    message = op.get_attr("message").decode()
    return _check_numerics(dy, f"Not a number (NaN) or infinity (Inf) values detected in gradient. {message}")


@export("check_numerics debugging.check_numerics")
def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """Returns `tensor`; a run in which it holds NaN or infinity fails.

    Args:
      tensor: a float tensor of any shape.
      message: begins the message of the InvalidArgumentError that `Session.run` then raises.
      name: a name for the operation.
    """
    return _check_numerics(tensor, message, name=name)


@export("verify_tensor_all_finite debugging.assert_all_finite")
def verify_tensor_all_finite(t: Any = None, msg: str | None = None, name: str | None = None, x: Any = None, message: str | None = None) -> Tensor:
    """Returns `x`, after a check that no element is NaN or infinite.

    Args:
      t: the old name of `x`.
      msg: the old name of `message`.
      name: a name for the operations.
      x: a float tensor.
      message: begins the message of the InvalidArgumentError when the check fails.
    """
    x = _one_of(x, "x", t, "t")
    message = _one_of(message, "message", msg, "msg")
    graph = get_default_graph()
    with graph.name_scope(name or "VerifyFinite"):
        x = convert_to_tensor(x, name="x")
        with graph.colocate_with(x):
            checked = check_numerics(x, message=message or "")
            with graph.control_dependencies([checked]):
                return identity(x, name="control_dependency")


@export("add_check_numerics_ops")
def add_check_numerics_ops() -> Operation:
    """Adds a `check_numerics` for every float tensor in the graph; returns an operation that runs them all.

    The checks run one after the other in the order in which the tensors were made, so the first culprit is named.
    """
    graph = get_default_graph()
    last: list[Tensor] = []
    for operation in graph.get_operations():
        for output in operation.outputs:
            if output.dtype in FLOAT:
                with graph.control_dependencies(last):
                    last = [check_numerics(output, message=output.name)]
    return group(*last)


def _scalar_condition(c: Infer) -> list[Dims]:
    with_rank(c.dims(0), 0, "condition")
    return []


@op("Assert", _scalar_condition, out="", check=True, stateful=True, T=1)
def _assert(condition: Bool, data: Data, summarize: int = 3, name: str | None = None) -> Operation:
    """A run in which `condition` is false fails."""
    return xp.all(condition)


grad.none("Assert", "it has no outputs")


@export("Assert debugging.Assert")
def assert_(condition: Any, data: Any, summarize: int | None = None, name: str | None = None) -> Operation:
    """Returns an operation that fails the run with InvalidArgumentError unless `condition` holds.

    Args:
      condition: a boolean scalar.
      data: a list of tensors, strings or numbers to show when it does not hold.
      summarize: how many elements of each to show, 3 by default, all of them when -1.
      name: a name for the operation.

    It must be run: put what depends on it under `tf.control_dependencies([tf.Assert(...)])`.
    """
    with get_default_graph().name_scope(name or "Assert"):
        for d in data:
            if not is_tensor_like(d):
                convert_to_tensor(d)  # TensorFlow 1 makes these constants twice, and seeds follow from the number of operations
        return _assert(condition, data, 3 if summarize is None else summarize, name="Assert")


# -- printing ----------------------------------------------------------------------------------------


def text_of(value: Any) -> str:
    """Returns one element as TensorFlow prints it: floats with as few digits as tell them apart."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, (bool, np.bool_)):
        return "1" if value else "0"
    if isinstance(value, (float, np.floating)) or getattr(value, "dtype", np.dtype(int)).kind == "V":
        kind, digits = (np.float64, 15) if isinstance(value, float) else (np.float32, 6)
        short = f"{float(value):.{digits}g}"
        return short if kind(short) == value or value != value else f"{float(value):.{digits + (2 if digits == 15 else 3)}g}"
    return str(value)


def summary_of(value: Any, count: int = 3) -> str:
    """Returns the first `count` elements (all when -1), rows in brackets, as error messages and `tf.Print` show them.

    >>> summary_of(np.array([[1, 2], [3, 4]]))
    '[1 2][3...]...'
    """
    array = np.asarray(value)
    shown = array.size if count < 0 else min(count, array.size)
    parts: list[str] = []
    if array.ndim == 0:
        parts.append(text_of(array[()]) if shown else "")
    else:
        _rows(array, shown, parts, outermost=True)
    return "".join(parts) + ("..." if array.size > shown else "")


def _rows(array: np.ndarray[Any, Any], left: int, parts: list[str], outermost: bool) -> int:
    """Appends the text of at most `left` elements; returns how many more are wanted."""
    if array.ndim == 1:
        parts.append(" ".join([text_of(v) for v in array[:left]]))
        if array.size > left and not outermost:
            parts.append("...")
        return max(left - array.size, 0)
    for row in array:
        if left <= 0:
            break
        parts.append("[")
        left = _rows(row, left, parts, outermost=False)
        parts.append("]")
    return left


@op("Print", same, out="output: T", stream="stderr", T=ANY, U=0)
def _print(input: T, data: MoreData, message: str = "", first_n: int = -1, summarize: int = 3, name: str | None = None) -> Tensor:
    """Passes `input` on and writes `data` to the standard error stream."""
    shown = "".join([f"[{summary_of(d, summarize)}]" for d in data])
    sys.stderr.write(f"{message}{shown}\n")
    return input


@grad("Print")
def _(op: Operation, dy: Tensor) -> Any:
    return [dy] + [None] * (len(op.inputs) - 1)


@export("Print")
def print_v1(
    input_: Any, data: Any, message: str | None = None, first_n: int | None = None, summarize: int | None = None, name: str | None = None
) -> Tensor:  # fmt: skip
    """Returns `input_` and writes `data` to the standard error stream whenever it is evaluated.

    Args:
      input_: a tensor, passed on as it is.
      data: a list of tensors to show.
      message: text before them.
      first_n: accepted; every evaluation is written.
      summarize: how many elements of each tensor to show, 3 by default, all of them when -1.
      name: a name for the operation.
    """
    return _print(input_, data, message or "", -1 if first_n is None else first_n, 3 if summarize is None else summarize, name=name)


LEVELS = {"log(info)": logging.INFO, "log(warning)": logging.WARNING, "log(error)": logging.ERROR}


def _one_string(c: Infer) -> list[Dims]:
    with_rank(c.dims(0), 0, "input")
    return no_outputs(c)


@op("PrintV2", _one_string, out="", stream="stderr")
def print_v2(input: String, output_stream: str = "stderr", end: str = "\n", name: str | None = None) -> Operation:
    """Writes a string to "stderr", "stdout", "log(info)", "log(warning)", "log(error)" or "file://" and a path."""
    text = bytes(np.asarray(input)[()]).decode(errors="replace") + end
    if output_stream in LEVELS:
        logging.getLogger("graphc").log(LEVELS[output_stream], "%s", text.rstrip("\n"))
    elif output_stream.startswith("file://"):
        with Path(output_stream.removeprefix("file://")).open("a", encoding="utf-8") as f:
            f.write(text)
    else:
        stream = sys.stdout if output_stream == "stdout" else sys.stderr
        stream.write(text)
        stream.flush()
    return ()  # pyright: ignore[reportReturnType]


grad.none("PrintV2", "it has no outputs")
