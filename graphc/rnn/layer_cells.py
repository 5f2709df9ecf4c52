"""Cells of tf.contrib.rnn that make their variables in `build`: independent recurrences, SRU, NAS, and cells that are one op."""

# pyright: reportIncompatibleMethodOverride=false
# (TensorFlow declares build(_) and call(inputs, **kwargs), and cells name their arguments)

from typing import Any

from graphc.rnn.basic_cells import LSTMStateTuple
from graphc.rnn.cell import LayerRNNCell, activation_of, depth_of, initializer_of
from graphc.variables.initializers import Constant, RandomUniform, Zeros
from ir.build import export
from ir.ops.activation import relu
from ir.ops.conv import bias_add
from ir.ops.elementwise import sigmoid, tanh
from ir.ops.joining import concat, split, tile
from ir.ops.layout import zeros
from ir.ops.matmul import matmul
from ir.ops.rnn_block import gru_block_cell, lstm_block_cell


class _Units(LayerRNNCell):
    """A cell whose state and output have `num_units` columns."""

    def __init__(self, num_units: int, reuse: Any, **kwargs: Any) -> None:
        super().__init__(_reuse=reuse, **kwargs)
        self._num_units = num_units

    @property
    def state_size(self) -> Any:
        """`num_units`."""
        return self._num_units

    @property
    def output_size(self) -> Any:
        """`num_units`."""
        return self._num_units

    def _weights_u(self, name: str, columns: int) -> Any:
        """The weights of a recurrence of each unit with itself."""
        return self.add_variable(name, shape=[1, columns], initializer=RandomUniform(minval=-1, maxval=1, dtype=self._dtype))


@export("contrib.rnn.IndRNNCell")
class IndRNNCell(_Units):
    """An RNN whose units see themselves only (https://arxiv.org/abs/1803.04831). Variables: `kernel_w`, `kernel_u`, `bias`."""

    def __init__(self, num_units: int, activation: Any = None, reuse: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(num_units, reuse, name=name, dtype=dtype)
        self._activation = activation_of(activation)

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        n = self._num_units
        self._w = self.add_variable("kernel_w", shape=[depth_of(inputs_shape), n])
        self._u = self._weights_u("kernel_u", n)
        self._bias = self.add_variable("bias", shape=[n], initializer=Zeros(dtype=self._dtype))

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        out = self._activation(bias_add(matmul(inputs, self._w) + state * self._u, self._bias))
        return out, out


class _Indy(_Units):
    def __init__(
        self, num_units: int, activation: Any, reuse: Any, kernel_initializer: Any, bias_initializer: Any, name: str | None, dtype: Any
    ) -> None:
        super().__init__(num_units, reuse, name=name, dtype=dtype)
        self._activation = activation_of(activation)
        self._kernel_initializer = initializer_of(kernel_initializer)
        self._bias_initializer = initializer_of(bias_initializer)

    def _bias_or(self, default: Any) -> Any:
        return default if self._bias_initializer is None else self._bias_initializer


@export("contrib.rnn.IndyGRUCell")
class IndyGRUCell(_Indy):
    """A GRU whose units see themselves only; arguments as for `GRUCell`.

    Variables: `gates/kernel_w`, `gates/kernel_u`, `gates/bias`, `candidate/kernel`, `candidate/kernel_u`, `candidate/bias`.
    """

    def __init__(
        self, num_units: int, activation: Any = None, reuse: Any = None, kernel_initializer: Any = None, bias_initializer: Any = None,
        name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, kernel_initializer, bias_initializer, name, dtype)

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        n, depth = self._num_units, depth_of(inputs_shape)
        self._gate_w = self.add_variable("gates/kernel_w", shape=[depth, 2 * n], initializer=self._kernel_initializer)
        self._gate_u = self._weights_u("gates/kernel_u", 2 * n)
        self._gate_bias = self.add_variable("gates/bias", shape=[2 * n], initializer=self._bias_or(Constant(1.0, dtype=self._dtype)))
        self._candidate_w = self.add_variable("candidate/kernel", shape=[depth, n], initializer=self._kernel_initializer)
        self._candidate_u = self._weights_u("candidate/kernel_u", n)
        self._candidate_bias = self.add_variable("candidate/bias", shape=[n], initializer=self._bias_or(Zeros(dtype=self._dtype)))

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        gates = matmul(inputs, self._gate_w) + tile(state, [1, 2]) * self._gate_u
        r, u = split(sigmoid(bias_add(gates, self._gate_bias)), 2, axis=1)
        candidate = matmul(inputs, self._candidate_w) + r * state * self._candidate_u
        new = u * state + (1 - u) * self._activation(bias_add(candidate, self._candidate_bias))
        return new, new


@export("contrib.rnn.IndyLSTMCell")
class IndyLSTMCell(_Indy):
    """An LSTM whose units see themselves only; arguments as for `BasicLSTMCell`. Variables: `kernel_w`, `kernel_u`, `bias`."""

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, activation: Any = None, reuse: Any = None, kernel_initializer: Any = None,
        bias_initializer: Any = None, name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, kernel_initializer, bias_initializer, name, dtype)
        self._forget_bias = forget_bias

    @property
    def state_size(self) -> Any:
        """The sizes of c and h."""
        return LSTMStateTuple(self._num_units, self._num_units)

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        n = self._num_units
        self._w = self.add_variable("kernel_w", shape=[depth_of(inputs_shape), 4 * n], initializer=self._kernel_initializer)
        self._u = self._weights_u("kernel_u", 4 * n)
        self._bias = self.add_variable("bias", shape=[4 * n], initializer=self._bias_or(Zeros(dtype=self._dtype)))

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        c, h = state
        i, j, f, o = split(bias_add(matmul(inputs, self._w) + tile(h, [1, 4]) * self._u, self._bias), 4, axis=1)
        c = c * sigmoid(f + self._forget_bias) + sigmoid(i) * self._activation(j)
        h = self._activation(c) * sigmoid(o)
        return h, LSTMStateTuple(c, h)


@export("contrib.rnn.SRUCell")
class SRUCell(_Units):
    """A simple recurrent unit (https://arxiv.org/abs/1709.02755): all products are of the inputs. Variables: `kernel`, `bias`."""

    def __init__(self, num_units: int, activation: Any = None, reuse: Any = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(num_units, reuse, name=name, **kwargs)
        self._activation = activation_of(activation)

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        n = self._num_units
        self._kernel = self.add_variable("kernel", shape=[depth_of(inputs_shape), 4 * n])
        self._bias = self.add_variable("bias", shape=[2 * n], initializer=Zeros())

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        new, f, r, through = split(matmul(inputs, self._kernel), 4, axis=1)
        f, r = split(sigmoid(bias_add(concat([f, r], 1), self._bias)), 2, axis=1)
        c = f * state + (1.0 - f) * new
        return r * self._activation(c) + (1.0 - r) * through, c


@export("contrib.rnn.NASCell")
class NASCell(_Units):
    """The cell that a search over architectures found (https://arxiv.org/abs/1611.01578).

    Variables: `recurrent_kernel`, `kernel`, `bias` if `use_bias`, `projection_weights` if `num_proj`.
    """

    def __init__(self, num_units: int, num_proj: int | None = None, use_bias: bool = False, reuse: Any = None, **kwargs: Any) -> None:
        super().__init__(num_units, reuse, **kwargs)
        self._num_proj = num_proj
        self._use_bias = use_bias

    @property
    def state_size(self) -> Any:
        """The sizes of c and h."""
        return LSTMStateTuple(self._num_units, self.output_size)

    @property
    def output_size(self) -> Any:
        """The size of h."""
        return self._num_proj or self._num_units

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        n = self._num_units
        self._recurrent = self.add_variable("recurrent_kernel", [self.output_size, 8 * n])
        self._kernel = self.add_variable("kernel", [depth_of(inputs_shape), 8 * n])
        if self._use_bias:
            self._bias = self.add_variable("bias", shape=[8 * n], initializer=Zeros())
        if self._num_proj is not None:
            self._projection = self.add_variable("projection_weights", [n, self._num_proj])

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        c, h = state
        from_h = matmul(h, self._recurrent)
        if self._use_bias:
            from_h = bias_add(from_h, self._bias)
        m, x = split(from_h, 8, axis=1), split(matmul(inputs, self._kernel), 8, axis=1)
        first = tanh(sigmoid(x[0] + m[0]) * relu(x[1] + m[1]))
        second = tanh(sigmoid(x[2] + m[2]) + relu(x[3] * m[3]))
        third = tanh(tanh(x[4] + m[4]) * sigmoid(x[5] + m[5]))
        fourth = sigmoid(tanh(x[6] + m[6]) + sigmoid(x[7] + m[7]))
        c = tanh(first + c) * second
        h = tanh(c * tanh(third + fourth))
        if self._num_proj is not None:
            h = matmul(h, self._projection)
        return h, LSTMStateTuple(c, h)


# -- cells that are one op ---------------------------------------------------------------------------


@export("contrib.rnn.LSTMBlockCell")
class LSTMBlockCell(_Units):
    """`LSTMCell` as one op, `LSTMBlockCell`; its variables have the same names and meaning."""

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, cell_clip: float | None = None, use_peephole: bool = False, dtype: Any = None, reuse: Any = None,
        name: str | None = "lstm_cell",
    ) -> None:  # fmt: skip
        super().__init__(num_units, reuse, dtype=dtype, name=name)
        self._forget_bias = forget_bias
        self._cell_clip = -1 if cell_clip is None else cell_clip
        self._use_peephole = use_peephole

    @property
    def state_size(self) -> Any:
        """The sizes of c and h."""
        return LSTMStateTuple(self._num_units, self._num_units)

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        n = self._num_units
        self._kernel = self.add_variable("kernel", [depth_of(inputs_shape) + n, 4 * n])
        self._bias = self.add_variable("bias", [4 * n], initializer=Constant(0.0))
        self._diagonals = [self.add_variable(d, [n]) for d in ("w_i_diag", "w_f_diag", "w_o_diag")] if self._use_peephole else None

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        if len(state) != 2:
            raise ValueError("Expecting state to be a tuple with length 2.")
        c_prev, h_prev = state
        wci, wcf, wco = self._diagonals or [zeros([self._num_units], dtype=self._dtype)] * 3
        _, c, _, _, _, _, h = lstm_block_cell(
            inputs, c_prev, h_prev, self._kernel, wci, wcf, wco, self._bias, forget_bias=self._forget_bias, cell_clip=self._cell_clip,
            use_peephole=self._use_peephole,
        )  # fmt: skip
        return h, LSTMStateTuple(c, h)


@export("contrib.rnn.GRUBlockCell")
class GRUBlockCell(_Units):
    """`GRUCell` as one op. Variables: `w_ru`, `b_ru`, `w_c`, `b_c`."""

    _names = ("w_ru", "b_ru", "w_c", "b_c")

    def __init__(self, num_units: int | None = None, cell_size: int | None = None, reuse: Any = None, name: str | None = "gru_cell") -> None:
        if (cell_size is None) == (num_units is None):
            raise ValueError("Exactly one of num_units or cell_size must be provided.")
        super().__init__(num_units or cell_size or 0, reuse, name=name)

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        n, rows = self._num_units, depth_of(inputs_shape) + self._num_units
        w_ru, b_ru, w_c, b_c = self._names
        self._w_ru = self.add_variable(w_ru, [rows, 2 * n])
        self._b_ru = self.add_variable(b_ru, [2 * n], initializer=Constant(1.0))
        self._w_c = self.add_variable(w_c, [rows, n])
        self._b_c = self.add_variable(b_c, [n], initializer=Constant(0.0))

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        if depth_of(state.shape) != self._num_units:
            raise ValueError(f"Shape of h_prev[1] incorrect: cell_size {self._num_units} vs {depth_of(state.shape)}")
        new = gru_block_cell(inputs, state, self._w_ru, self._w_c, self._b_ru, self._b_c)[3]
        return new, new


@export("contrib.rnn.GRUBlockCellV2")
class GRUBlockCellV2(GRUBlockCell):
    """`GRUBlockCell` with the variable names of `GRUCell`."""

    _names = ("gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias")
