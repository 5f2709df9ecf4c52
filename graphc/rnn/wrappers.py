"""Cells made of cells: MultiRNNCell, and the wrappers for dropout, residual connections and devices."""

# pyright: reportIncompatibleMethodOverride=false
# (TensorFlow declares build(_) and call(inputs, **kwargs), and cells name their arguments)

import hashlib
import itertools
import numbers
from collections.abc import Callable, Sequence
from typing import Any

from graphc.rnn.basic_cells import LSTMStateTuple
from graphc.rnn.cell import RNNCell, assert_like_rnncell, map_sizes
from graphc.variables.scope import variable_scope
from ir import nest, static
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.ops.arith import div
from ir.ops.elementwise import floor
from ir.ops.joining import concat
from ir.ops.nn import dropout
from ir.ops.random import random_uniform
from ir.ops.slicing import slice_
from ir.shapes import as_shape
from ir.tensor import Tensor
from ir.tensor_array import TensorArray


@export("nn.rnn_cell.MultiRNNCell contrib.rnn.MultiRNNCell")
class MultiRNNCell(RNNCell):
    """Cells one upon another: the output of each is the input of the next.

    Args:
      cells: a list of cells; equal objects share their variables.
      state_is_tuple: whether the state is a tuple of the cells' states, else these side by side.

    Raises ValueError for an empty list, or cells with tuples of states when `state_is_tuple` is False; TypeError when `cells` is no list.
    """

    def __init__(self, cells: Any, state_is_tuple: bool = True) -> None:
        super().__init__()
        if not cells:
            raise ValueError("Must specify at least one cell for MultiRNNCell.")
        if not nest.is_nested(cells):
            raise TypeError(f"cells must be a list or tuple, but saw: {cells}.")
        self._cells = cells
        self._state_is_tuple = state_is_tuple
        if not state_is_tuple and any(nest.is_nested(c.state_size) for c in cells):
            raise ValueError(f"Some cells return tuples of states, but the flag state_is_tuple is not set.  State sizes are: {[c.state_size for c in cells]}")

    @property
    def state_size(self) -> Any:
        """The cells' sizes."""
        sizes = tuple(c.state_size for c in self._cells)
        return sizes if self._state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> Any:
        """The last cell's size."""
        return self._cells[-1].output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Returns a state of zeros."""
        if not self._state_is_tuple:
            return super().zero_state(batch_size, dtype)
        with get_default_graph().name_scope(type(self).__name__ + "ZeroState"):
            return tuple(c.zero_state(batch_size, dtype) for c in self._cells)

    @property
    def trainable_weights(self) -> list[Any]:
        """The variables of the cells that are trained."""
        return [w for c in self._cells for w in getattr(c, "trainable_weights", [])] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The variables of the cells that are not trained."""
        fixed = [w for c in self._cells for w in getattr(c, "non_trainable_weights", [])]
        return fixed if self.trainable else [*[w for c in self._cells for w in getattr(c, "trainable_weights", [])], *fixed]

    def call(self, inputs: Any, state: Any) -> Any:
        """One step of each cell."""
        if self._state_is_tuple and not nest.is_nested(state):
            raise ValueError(f"Expected state to be a tuple of length {len(self.state_size)}, but received: {state}")
        at, out = 0, inputs
        states: list[Any] = []
        for i, cell in enumerate(self._cells):
            with variable_scope(f"cell_{i}"):
                if self._state_is_tuple:
                    part = state[i]
                else:
                    part = slice_(state, [0, at], [-1, cell.state_size])
                    at += cell.state_size
                out, new = cell(out, part)
                states.append(new)
        return out, tuple(states) if self._state_is_tuple else concat(states, 1)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal cell."""
        return {"cells": self._cells, "state_is_tuple": self._state_is_tuple}


def call_cell(cell: Any, inputs: Any, state: Any, scope: Any) -> Any:
    """Calls a cell, with a scope only if there is one: cells of others may take none."""
    return cell(inputs, state) if scope is None else cell(inputs, state, scope=scope)


class CellWrapper(RNNCell):
    """A cell that calls another; it has no variable scope of its own."""

    def __init__(self, cell: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assert_like_rnncell("cell", cell)
        self.cell = cell

    @property
    def wrapped_cell(self) -> Any:
        """The cell inside."""
        return self.cell

    @property
    def state_size(self) -> Any:
        """The cell's size."""
        return self.cell.state_size

    @property
    def output_size(self) -> Any:
        """The cell's size."""
        return self.cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Returns the cell's state of zeros."""
        with get_default_graph().name_scope(type(self).__name__ + "ZeroState"):
            return self.cell.zero_state(batch_size, dtype)

    @property
    def trainable_weights(self) -> list[Any]:
        """The cell's variables that are trained."""
        return getattr(self.cell, "trainable_weights", []) if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The cell's variables that are not trained."""
        fixed = getattr(self.cell, "non_trainable_weights", [])
        return fixed if self.trainable else [*getattr(self.cell, "trainable_weights", []), *fixed]

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        """Runs one step; see `RNNCell`."""
        return self._wrapped(inputs, state, scope)

    def _wrapped(self, inputs: Any, state: Any, scope: Any) -> Any:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal cell."""
        return {"cell": self.cell, **super().get_config()}


def _default_filter(part: Any) -> Any:
    """Which parts of a state dropout applies to: all but the memory of LSTMs and TensorArrays."""
    if isinstance(part, LSTMStateTuple):
        return LSTMStateTuple(c=False, h=True)
    return not isinstance(part, TensorArray)


@export("nn.rnn_cell.DropoutWrapper contrib.rnn.DropoutWrapper")
class DropoutWrapper(CellWrapper):
    """A cell with dropout on its inputs, outputs and states.

    Args:
      cell: the cell.
      input_keep_prob, output_keep_prob, state_keep_prob: the probability that an element is kept, a number or a scalar tensor; 1 is no dropout.
      variational_recurrent: whether one mask serves all steps of a run, and all rows (https://arxiv.org/abs/1512.05287); needs `dtype`.
      input_size: the sizes of the inputs, needed for that when `input_keep_prob` is less than 1.
      dtype: the type of the masks.
      seed: makes the masks reproducible; each place derives its own from it.
      dropout_state_filter_visitor: a function of a part of the state that tells (True, False, or one level of these) where
        dropout applies; by default everywhere but in the memory c of LSTM states.

    Raises TypeError when `cell` is no cell, ValueError for probabilities outside [0, 1].
    """

    def __init__(
        self, cell: Any, input_keep_prob: Any = 1.0, output_keep_prob: Any = 1.0, state_keep_prob: Any = 1.0, variational_recurrent: bool = False,
        input_size: Any = None, dtype: Any = None, seed: int | None = None, dropout_state_filter_visitor: Callable[[Any], Any] | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(cell, dtype=dtype, **kwargs)
        if dropout_state_filter_visitor is not None and not callable(dropout_state_filter_visitor):
            raise TypeError("dropout_state_filter_visitor must be callable")
        self._filter = dropout_state_filter_visitor or _default_filter
        self._variational = variational_recurrent
        self._input_size = input_size
        self._seed = seed
        with get_default_graph().name_scope("DropoutWrapperInit"):
            self._probabilities = {
                "input": _probability(input_keep_prob, "input_keep_prob"), "state": _probability(state_keep_prob, "state_keep_prob"),
                "output": _probability(output_keep_prob, "output_keep_prob"),
            }  # fmt: skip
            self._noise: dict[str, Any] = {}
            if variational_recurrent:
                self._draw_noise(dtype)

    def _draw_noise(self, dtype: Any) -> None:
        if dtype is None:
            raise ValueError("When variational_recurrent=True, dtype must be provided")
        sizes = {"state": self.cell.state_size, "output": self.cell.output_size}
        if _drops(self._probabilities["input"]):
            if self._input_size is None:
                raise ValueError("When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, input_size must be provided")
            sizes = {"input": self._input_size, **sizes}
        for salt, size in sizes.items():

            def draw(s: Any, salt: str = salt, counter: Any = itertools.count()) -> Tensor:  # noqa: B008
                return random_uniform([1, *as_shape(s).as_list()], seed=self._seed_for(salt, next(counter)), dtype=dtype)

            self._noise[salt] = map_sizes(draw, size)

    def _seed_for(self, salt: str, index: int) -> int | None:
        """The seed of one mask, as TensorFlow derives it."""
        if self._seed is None:
            return None
        return int(hashlib.md5(f"{self._seed}{salt}_{index}".encode(), usedforsecurity=False).hexdigest()[:8], 16) & 0x7FFFFFFF

    def _wrapped(self, inputs: Any, state: Any, scope: Any) -> Any:
        if _drops(self._probabilities["input"]):
            inputs = self._dropped(inputs, "input", range(len(nest.flatten(inputs))))
        output, new = call_cell(self.cell, inputs, state, scope)
        if _drops(self._probabilities["state"]):
            new = self._dropped(new, "state", _places(self._filter, new, itertools.count()))
        if _drops(self._probabilities["output"]):
            output = self._dropped(output, "output", range(len(nest.flatten(output))))
        return output, new

    def _dropped(self, values: Any, salt: str, places: Sequence[int | None]) -> Any:
        keep = self._probabilities[salt]
        noise = nest.flatten(self._noise[salt]) if self._variational else None
        out: list[Any] = []
        for i, (value, place) in enumerate(zip(nest.flatten(values), places, strict=True)):
            if place is None:
                out.append(value)
            elif noise is None:
                out.append(dropout(value, rate=1.0 - keep, seed=self._seed_for(salt, place)))
            else:
                kept = div(value, keep) * floor(keep + noise[i])
                kept.set_shape(value.shape)
                out.append(kept)
        return nest.pack_sequence_as(values, out)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal cell."""
        keep = {f"{k}_keep_prob": v for k, v in self._probabilities.items()}
        return {**keep, "variational_recurrent": self._variational, "input_size": self._input_size, "seed": self._seed, **super().get_config()}


def _probability(value: Any, what: str) -> Any:
    t = convert_to_tensor(value)
    known = t.op.attrs["value"] if t.op.type == "Const" else static.value_of(t)
    if known is None:
        return t
    if not 0 <= float(known) <= 1:
        raise ValueError(f"Parameter {what} must be between 0 and 1: {float(known)}")
    return float(known)


def _drops(keep: Any) -> bool:
    return not isinstance(keep, numbers.Real) or keep < 1


def _places(visit: Callable[[Any], Any], part: Any, counter: Any) -> list[int | None]:
    """Per leaf of a state the number of its place, or None where dropout does not apply."""
    said = visit(part)
    if said is False:
        next(counter)
        return [None] * len(nest.flatten(part))
    if not nest.is_nested(part):
        return [next(counter)]
    children = [part[k] for k in sorted(part)] if isinstance(part, dict) else list(part)
    flags = [True] * len(children) if said is True else [said[k] for k in sorted(said)] if isinstance(said, dict) else list(said)
    out: list[int | None] = []
    for child, flag in zip(children, flags, strict=True):
        out += _places(visit if flag else lambda _: False, child, counter)
    return out


@export("nn.rnn_cell.ResidualWrapper contrib.rnn.ResidualWrapper")
class ResidualWrapper(CellWrapper):
    """A cell whose inputs are added to its outputs.

    Args:
      cell: the cell.
      residual_fn: instead of adding, a function of the inputs and outputs.
    """

    def __init__(self, cell: Any, residual_fn: Callable[[Any, Any], Any] | None = None, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._residual_fn = residual_fn

    def _wrapped(self, inputs: Any, state: Any, scope: Any) -> Any:
        outputs, new = call_cell(self.cell, inputs, state, scope)
        return (self._residual_fn or _added)(inputs, outputs), new

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal cell."""
        return {"residual_fn": self._residual_fn, **super().get_config()}


def _added(inputs: Any, outputs: Any) -> Any:
    nest.assert_same_structure(inputs, outputs)

    def plus(i: Tensor, o: Tensor) -> Tensor:
        i.shape.assert_is_compatible_with(o.shape)
        return i + o

    return nest.map_structure(plus, inputs, outputs)


@export("nn.rnn_cell.DeviceWrapper contrib.rnn.DeviceWrapper")
class DeviceWrapper(CellWrapper):
    """A cell whose operations ask for a device, as `tf.device` has it."""

    def __init__(self, cell: Any, device: Any, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._device = device

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Returns the cell's state of zeros."""
        with get_default_graph().device(self._device):
            return super().zero_state(batch_size, dtype)

    def _wrapped(self, inputs: Any, state: Any, scope: Any) -> Any:
        with get_default_graph().device(self._device):
            return call_cell(self.cell, inputs, state, scope)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal cell."""
        return {"device": self._device, **super().get_config()}
