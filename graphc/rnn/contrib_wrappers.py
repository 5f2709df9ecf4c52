"""Wrappers of tf.contrib.rnn: attention, embeddings, projections, highways."""

# pyright: reportIncompatibleMethodOverride=false
# (TensorFlow declares build(_) and call(inputs, **kwargs), and cells name their arguments)

import math
from collections.abc import Callable
from typing import Any

from graphc.rnn.cell import RNNCell, assert_like_rnncell
from graphc.rnn.contrib_cells import linear
from graphc.rnn.wrappers import call_cell
from graphc.variables.initializers import Constant, RandomUniform
from graphc.variables.scope import get_variable, get_variable_scope, variable_scope
from ir import nest
from ir.build import export
from ir.convert import get_default_graph
from ir.ops.activation import softmax
from ir.ops.conv import conv2d
from ir.ops.elementwise import sigmoid, tanh
from ir.ops.embedding import embedding_lookup
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, reshape
from ir.ops.nn import xw_plus_b
from ir.ops.reduce import reduce_sum
from ir.ops.slicing import slice_
from ir.tensor import Tensor


class _Scoped(RNNCell):
    """A wrapper with a variable scope of its own."""

    def __init__(self, cell: Any, reuse: Any) -> None:
        super().__init__(_reuse=reuse)
        assert_like_rnncell("cell", cell)
        self._cell = cell

    @property
    def state_size(self) -> Any:
        """The cell's size."""
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        """The cell's size."""
        return self._cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Returns the cell's state of zeros."""
        with get_default_graph().name_scope(type(self).__name__ + "ZeroState"):
            return self._cell.zero_state(batch_size, dtype)


@export("contrib.rnn.EmbeddingWrapper")
class EmbeddingWrapper(_Scoped):
    """A cell whose inputs are integers, looked up in the variable `embedding`.

    Args:
      cell: the cell.
      embedding_classes, embedding_size: the number of rows and columns of the table.
      initializer: for the table; by default that of the variable scope, or uniform with variance one.
      reuse: True shares the variables of an earlier cell in the same scope.
    """

    def __init__(self, cell: Any, embedding_classes: int, embedding_size: int, initializer: Any = None, reuse: Any = None) -> None:
        super().__init__(cell, reuse)
        if embedding_classes <= 0 or embedding_size <= 0:
            raise ValueError(f"Both embedding_classes and embedding_size must be > 0: {embedding_classes}, {embedding_size}.")
        self._shape = [embedding_classes, embedding_size]
        self._initializer = initializer

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        root = math.sqrt(3)
        initializer = self._initializer or get_variable_scope().initializer or RandomUniform(-root, root)
        dtype = (state[0] if isinstance(state, tuple) else state).dtype.base_dtype
        table = get_variable("embedding", self._shape, initializer=initializer, dtype=dtype)
        return self._cell(embedding_lookup(table, reshape(inputs, [-1])), state)


@export("contrib.rnn.InputProjectionWrapper")
class InputProjectionWrapper(_Scoped):
    """A cell whose inputs are multiplied by `kernel`, plus `bias`, to `num_proj` columns, and go through `activation` if there is one."""

    def __init__(self, cell: Any, num_proj: int, activation: Callable[..., Any] | None = None, input_size: Any = None, reuse: Any = None) -> None:
        super().__init__(cell, reuse)
        self._num_proj = num_proj
        self._activation = activation

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        projected = linear([inputs], self._num_proj)
        return self._cell(self._activation(projected) if self._activation else projected, state)


@export("contrib.rnn.OutputProjectionWrapper")
class OutputProjectionWrapper(_Scoped):
    """A cell whose outputs are multiplied by `kernel`, plus `bias`, to `output_size` columns, and go through `activation` if there is one."""

    def __init__(self, cell: Any, output_size: int, activation: Callable[..., Any] | None = None, reuse: Any = None) -> None:
        super().__init__(cell, reuse)
        if output_size < 1:
            raise ValueError(f"Parameter output_size must be > 0: {output_size}.")
        self._output_size = output_size
        self._activation = activation

    @property
    def output_size(self) -> Any:
        """The number of columns after the projection."""
        return self._output_size

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        output, new = self._cell(inputs, state)
        projected = linear([output], self._output_size)
        return self._activation(projected) if self._activation else projected, new


@export("contrib.rnn.AttentionCellWrapper")
class AttentionCellWrapper(_Scoped):
    """A cell that attends to its last outputs (https://arxiv.org/abs/1409.0473).

    Args:
      cell: the cell.
      attn_length: how many outputs it looks back.
      attn_size: the size of the outputs, by default the cell's.
      attn_vec_size: the size in which outputs are compared, by default `attn_size`.
      input_size: the size of what the cell gets, by default that of the inputs.
      state_is_tuple: whether the state is a tuple (cell's state, attention, last outputs), else these side by side.
      reuse: True shares the variables of an earlier cell in the same scope.
    """

    def __init__(
        self, cell: Any, attn_length: int, attn_size: int | None = None, attn_vec_size: int | None = None, input_size: int | None = None,
        state_is_tuple: bool = True, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(cell, reuse)
        if nest.is_nested(cell.state_size) and not state_is_tuple:
            raise ValueError(f"Cell returns tuple of states, but the flag state_is_tuple is not set. State size is: {cell.state_size}")
        if attn_length <= 0:
            raise ValueError(f"attn_length should be greater than zero, got {attn_length}")
        self._length = attn_length
        self._size = attn_size or cell.output_size
        self._vec_size = attn_vec_size or self._size
        self._input_size = input_size
        self._state_is_tuple = state_is_tuple

    @property
    def state_size(self) -> Any:
        """The sizes of the cell's state, the attention, and the last outputs."""
        sizes = (self._cell.state_size, self._size, self._size * self._length)
        return sizes if self._state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> Any:
        """`attn_size`."""
        return self._size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Returns a state of zeros."""
        return RNNCell.zero_state(self, batch_size, dtype)

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        if self._state_is_tuple:
            inner, attention, past = state
        else:
            n, size = self._cell.state_size, self._size
            inner, attention = slice_(state, [0, 0], [-1, n]), slice_(state, [0, n], [-1, size])
            past = slice_(state, [0, n + size], [-1, size * self._length])
        past = reshape(past, [-1, self._length, self._size])
        given = linear([inputs, attention], self._input_size or inputs.shape.as_list()[1])
        output, new = self._cell(given, inner)
        query = concat(nest.flatten(new), 1) if self._state_is_tuple else new
        attention, kept = self._attend(query, past)
        with variable_scope("attn_output_projection"):
            output = linear([output, attention], self._size)
        kept = reshape(concat([kept, expand_dims(output, 1)], 1), [-1, self._length * self._size])
        whole = (new, attention, kept)
        return output, whole if self._state_is_tuple else concat(list(whole), 1)

    def _attend(self, query: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        n, size, vec = self._length, self._size, self._vec_size
        with variable_scope("attention"):
            k = get_variable("attn_w", [1, 1, size, vec])
            v = get_variable("attn_v", [vec])
            hidden = reshape(past, [-1, n, 1, size])
            features = conv2d(hidden, k, [1, 1, 1, 1], "SAME")
            y = reshape(linear([query], vec), [-1, 1, 1, vec])
            weights = softmax(reduce_sum(v * tanh(features + y), [2, 3]))
            seen = reduce_sum(reshape(weights, [-1, n, 1, 1]) * hidden, [1, 2])
            return reshape(seen, [-1, size]), slice_(past, [0, 1, 0], [-1, -1, -1])


@export("contrib.rnn.HighwayWrapper")
class HighwayWrapper(RNNCell):
    """A cell round which a gate carries the inputs (https://arxiv.org/abs/1505.00387).

    Args:
      cell: the cell.
      couple_carry_transform_gates: whether the output's gate is one minus the inputs'.
      carry_bias_init: the bias of the gate, to begin with.

    Variables, in the current scope: `carry_w`, `carry_b`, `transform_w`, `transform_b`.
    """

    def __init__(self, cell: Any, couple_carry_transform_gates: bool = True, carry_bias_init: float = 1.0) -> None:
        super().__init__()
        self._cell = cell
        self._couple = couple_carry_transform_gates
        self._bias = carry_bias_init

    @property
    def state_size(self) -> Any:
        """The cell's size."""
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        """The cell's size."""
        return self._cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Returns the cell's state of zeros."""
        return self._cell.zero_state(batch_size, dtype)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        """Runs one step; see `RNNCell`."""
        outputs, new = call_cell(self._cell, inputs, state, scope)
        nest.assert_same_structure(inputs, outputs)
        return nest.map_structure(self._through, inputs, outputs), new

    def _through(self, given: Tensor, out: Tensor) -> Tensor:
        given.shape.assert_is_compatible_with(out.shape)
        carry = self._gate(given, "carry", self._bias)
        return given * carry + out * (1 - carry if self._couple else self._gate(given, "transform", -self._bias))

    @staticmethod
    def _gate(given: Tensor, name: str, bias: float) -> Tensor:
        n = given.shape.with_rank(2).as_list()[1]
        return sigmoid(xw_plus_b(given, get_variable(f"{name}_w", [n, n]), get_variable(f"{name}_b", [n], initializer=Constant(bias))))


@export("contrib.rnn.CompiledWrapper")
class CompiledWrapper(RNNCell):
    """The cell itself: everything here is compiled."""

    def __init__(self, cell: Any, compile_stateful: bool = False) -> None:
        super().__init__()
        self._cell = cell

    @property
    def state_size(self) -> Any:
        """The cell's size."""
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        """The cell's size."""
        return self._cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Returns the cell's state of zeros."""
        return self._cell.zero_state(batch_size, dtype)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        """Runs one step; see `RNNCell`."""
        return call_cell(self._cell, inputs, state, scope)
