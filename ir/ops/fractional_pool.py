"""Fractional pooling: windows of random sizes, so that an image shrinks by a ratio that is no integer. Host ops.

Source: B. Graham, "Fractional max-pooling" (2015). With seeds the regions are TensorFlow 1.15's, drawn from its Philox stream.
"""

import math
from typing import Any

import numpy as np

from ir import philox
from ir.build import grad, op
from ir.dtypes import TypeSet
from ir.infer import Infer, with_rank
from ir.opdef import Floats, Int64, T
from ir.ops.layout import shape
from ir.shapes import Dims
from ir.tensor import Operation, Tensor

POOLED = TypeSet("float32 float64 int32 int64")
Array = np.ndarray[Any, Any]


def _pooled_dims(c: Infer) -> list[Dims]:
    x, ratio = c.rank(0, 4), c.attrs["pooling_ratio"]
    if len(ratio) != 4 or ratio[0] != 1 or ratio[3] != 1 or min(ratio) < 1:
        raise ValueError(f"pooling_ratio must be four numbers of at least 1, those of batch and channels 1; got {list(ratio)}")
    if not c.attrs["deterministic"] and (c.attrs["seed"] or c.attrs["seed2"]):
        raise ValueError("Both seed and seed2 should be 0 if deterministic is false.")
    out = [None if n is None else math.floor(n / r) for n, r in zip(x, ratio, strict=True)]
    ends: list[Dims] = [(None if n is None else n + 1,) for n in out[1:3]]
    return [tuple(out), *ends]


def _random_edges(state: Any, size: int, count: int) -> tuple[Array, int]:
    """Edges of `count` windows of two neighbouring widths in random order, and the blocks of numbers used."""
    width, wider = divmod(size, count)
    widths = np.array([width + 1] * wider + [width] * (count - wider))
    return np.append(0, np.cumsum(widths[philox.permutation(state, count)])), (count + 3) // 4


def _pseudo_random_edges(state: Any, size: int, count: int) -> tuple[Array, int]:
    """Edges ceil(alpha (i + u)) with one random u, and the blocks of numbers used."""
    alpha, width = size / count, size // count
    limit = min((width + 2) / alpha - 1, (size + 1 - width) / alpha - (count - 1))
    u = float(philox.uniform(state, 1, np.dtype(np.float64))[0]) * limit
    inner = [math.ceil(alpha * (i + u)) - 1 for i in range(1, count)]
    return np.array([0, *inner, size]), 1


def _regions(state: Any, shape: Any, ratio: Any, pseudo_random: bool, deterministic: bool) -> tuple[list[Array], Any]:
    """Row edges, column edges, and the state for the next run: the same when the regions are to stay."""
    edges: list[Array] = []
    at = np.asarray(state)
    for size, r in zip(shape[1:3], ratio[1:3], strict=True):
        found, used = (_pseudo_random_edges if pseudo_random else _random_edges)(at, size, math.floor(size / r))
        edges.append(found.astype(np.int64))
        at = philox.advanced(at, used)
    return edges, state if deterministic else at


def _windows(rows: Array, columns: Array, overlapping: bool) -> Any:
    """Per window its index and its slices; an overlapping one shares its last row and column with the next."""
    more = 1 if overlapping else 0
    for i in range(len(rows) - 1):
        for j in range(len(columns) - 1):
            yield i, j, slice(rows[i], min(rows[i + 1] + more, rows[-1])), slice(columns[j], min(columns[j + 1] + more, columns[-1]))


OUTPUTS = "output: T, row_pooling_sequence: int64, col_pooling_sequence: int64"


@op("FractionalMaxPool", _pooled_dims, out=OUTPUTS, random=True, stateful=False, host=True, T=POOLED, pooling_ratio=4, api="nn.fractional_max_pool")
def fractional_max_pool(
    value: T, pooling_ratio: Floats, pseudo_random: bool = False, overlapping: bool = False, deterministic: bool = False, seed: int = 0, seed2: int = 0,
    name: str | None = None, *, state: Any = None,
) -> Any:  # fmt: skip
    """Computes the maximum of each of a random grid of windows.

    Args:
      value: [batch, height, width, channels]; float32, float64, int32 or int64.
      pooling_ratio: four numbers of at least 1, the first and last 1: how much the image shrinks.
      pseudo_random: draw one number per dimension instead of shuffling the widths of the windows.
      overlapping: windows share their edges.
      deterministic: the windows stay the same from run to run; only then may there be seeds.
      seed, seed2: both 0 for a random choice.
      name: a name for the operation.

    Returns (output, row_pooling_sequence, col_pooling_sequence): the sequences are the windows' edges.
    """
    (rows, columns), new_state = _regions(state, value.shape, pooling_ratio, pseudo_random, deterministic)
    out = np.zeros((value.shape[0], len(rows) - 1, len(columns) - 1, value.shape[3]), value.dtype)
    for i, j, y, x in _windows(rows, columns, overlapping):
        out[:, i, j] = value[:, y, x].max((1, 2))
    return out, rows, columns, new_state


@op("FractionalAvgPool", _pooled_dims, out=OUTPUTS, random=True, stateful=False, host=True, T=POOLED, pooling_ratio=4, api="nn.fractional_avg_pool")
def fractional_avg_pool(
    value: T, pooling_ratio: Floats, pseudo_random: bool = False, overlapping: bool = False, deterministic: bool = False, seed: int = 0, seed2: int = 0,
    name: str | None = None, *, state: Any = None,
) -> Any:  # fmt: skip
    """Computes the mean of each of a random grid of windows; the arguments and results are those of `fractional_max_pool`."""
    (rows, columns), new_state = _regions(state, value.shape, pooling_ratio, pseudo_random, deterministic)
    out = np.zeros((value.shape[0], len(rows) - 1, len(columns) - 1, value.shape[3]), value.dtype)
    for i, j, y, x in _windows(rows, columns, overlapping):
        part = value[:, y, x]
        total = part.sum((1, 2))
        count = part.shape[1] * part.shape[2]
        out[:, i, j] = total / count if value.dtype.kind == "f" else np.trunc(total / count)
    return out, rows, columns, new_state


@op("FractionalMaxPoolGrad", lambda c: c.rank(0, 4), host=True, T=POOLED)
def _fractional_max_pool_grad(
    orig_input: T, orig_output: T, out_backprop: T, row_pooling_sequence: Int64, col_pooling_sequence: Int64, overlapping: bool = False,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Adds each entry of `out_backprop` to the first maximum of its window."""
    out: Any = np.zeros(orig_input.shape, out_backprop.dtype)
    batch, channel = np.ogrid[: out.shape[0], : out.shape[3]]
    for i, j, y, x in _windows(row_pooling_sequence, col_pooling_sequence, overlapping):
        part: Any = orig_input[:, y, x]
        first = part.reshape(part.shape[0], -1, part.shape[3]).argmax(1)
        out[batch, y.start + first // part.shape[2], x.start + first % part.shape[2], channel] += out_backprop[:, i, j]
    return out


@op("FractionalAvgPoolGrad", lambda c: with_rank(c.shape_value(0), 4), out="output: T", host=True, static="orig_input_tensor_shape", T=POOLED)
def _fractional_avg_pool_grad(
    orig_input_tensor_shape: Int64, out_backprop: T, row_pooling_sequence: Int64, col_pooling_sequence: Int64, overlapping: bool = False,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Spreads each entry of `out_backprop` evenly over its window."""
    out: Any = np.zeros(tuple(int(n) for n in orig_input_tensor_shape), out_backprop.dtype)
    for i, j, y, x in _windows(row_pooling_sequence, col_pooling_sequence, overlapping):
        count = (y.stop - y.start) * (x.stop - x.start)
        out[:, y, x] += (out_backprop[:, i, j] / count).astype(out.dtype)[:, None, None]
    return out


@grad("FractionalMaxPool")
def _(op: Operation, dy: Tensor | None, *_: Any) -> Any:
    if dy is None:
        return None
    y, rows, columns = op.outputs
    return _fractional_max_pool_grad(op.inputs[0], y, dy, rows, columns, op.attrs["overlapping"])


@grad("FractionalAvgPool")
def _(op: Operation, dy: Tensor | None, *_: Any) -> Any:
    if dy is None:
        return None
    sizes = shape(op.inputs[0], out_type="int64")
    return _fractional_avg_pool_grad(sizes, dy, op.outputs[1], op.outputs[2], op.attrs["overlapping"])


grad.none("FractionalMaxPoolGrad FractionalAvgPoolGrad", "TensorFlow has no second-order gradient of fractional pools")
