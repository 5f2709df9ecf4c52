"""The standard cells: BasicRNNCell, GRUCell, BasicLSTMCell, LSTMCell.

Gates are split off one matrix product, in the order i (input), j (new candidate), f (forget), o (output) for LSTMs and r (reset),
u (update) for GRUs, so that checkpoints of TensorFlow fit.
"""

# pyright: reportIncompatibleMethodOverride=false
# (TensorFlow declares build(_) and call(inputs, **kwargs), and cells name their arguments)

from collections import namedtuple
from typing import Any

from graphc.rnn.cell import LayerRNNCell, activation_of, check_floating, depth_of, initializer_of
from graphc.variables.initializers import Constant, Zeros
from graphc.variables.partitioned import fixed_size_partitioner
from ir.build import export
from ir.ops.arith import add, multiply
from ir.ops.clip import clip_by_value
from ir.ops.conv import bias_add
from ir.ops.elementwise import sigmoid
from ir.ops.joining import concat, split
from ir.ops.matmul import matmul
from ir.ops.slicing import slice_
from ir.tensor import Tensor

_Pair = namedtuple("LSTMStateTuple", ("c", "h"))  # noqa: PYI024


@export("nn.rnn_cell.LSTMStateTuple contrib.rnn.LSTMStateTuple")
class LSTMStateTuple(_Pair):
    """The state of an LSTM cell: `c`, its memory, and `h`, its last output."""

    __slots__ = ()

    @property
    def dtype(self) -> Any:
        """The type of both. Raises TypeError when they differ."""
        c, h = self
        if c.dtype != h.dtype:
            raise TypeError(f"Inconsistent internal state: {c.dtype} vs {h.dtype}")
        return c.dtype


class _UnitCell(LayerRNNCell):
    """A cell whose state and output have `num_units` columns."""

    def __init__(self, num_units: int, activation: Any, reuse: Any, name: str | None, dtype: Any, kwargs: dict[str, Any]) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        check_floating(self._dtype)
        self._num_units = num_units
        self._activation = activation_of(activation)

    @property
    def state_size(self) -> Any:
        """`num_units`."""
        return self._num_units

    @property
    def output_size(self) -> Any:
        """`num_units`."""
        return self._num_units

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal cell."""
        return {"num_units": self._num_units, "activation": self._activation, "reuse": self._reuse, **super().get_config()}


def affine(parts: Any, kernel: Any, bias: Any) -> Tensor:
    """The parts side by side, times `kernel`, plus `bias`."""
    return bias_add(matmul(concat(parts, 1), kernel), bias)


@export("nn.rnn_cell.BasicRNNCell contrib.rnn.BasicRNNCell")
class BasicRNNCell(_UnitCell):
    """The plainest cell: output = next state = activation([inputs, state] kernel + bias).

    Args:
      num_units: the number of columns of the state and the output.
      activation: a function or its name, by default tanh.
      reuse: True shares the variables of an earlier cell in the same scope.
      name: the variable scope, by default "basic_rnn_cell".
      dtype: the type of the variables, by default that of the first inputs.

    Variables: `kernel` [depth + num_units, num_units], `bias` [num_units].
    """

    def __init__(self, num_units: int, activation: Any = None, reuse: Any = None, name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, kwargs)

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        depth = depth_of(inputs_shape)
        check_floating(self._dtype)
        self._kernel = self.add_variable("kernel", shape=[depth + self._num_units, self._num_units])
        self._bias = self.add_variable("bias", shape=[self._num_units], initializer=Zeros(dtype=self._dtype))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        check_floating([inputs, state])
        output = self._activation(affine([inputs, state], self._kernel, self._bias))
        return output, output


@export("nn.rnn_cell.GRUCell contrib.rnn.GRUCell")
class GRUCell(_UnitCell):
    """A gated recurrent unit (http://arxiv.org/abs/1406.1078): h' = u h + (1 - u) c with c = activation([x, r h] W + b).

    Args:
      num_units: the number of columns of the state and the output.
      activation: a function or its name, by default tanh.
      reuse: True shares the variables of an earlier cell in the same scope.
      kernel_initializer: for both kernels.
      bias_initializer: for both biases; by default ones for the gates, zeros for the candidate.
      name: the variable scope, by default "gru_cell".
      dtype: the type of the variables, by default that of the first inputs.

    Variables: `gates/kernel` [depth + num_units, 2 num_units], `gates/bias`, `candidate/kernel` [depth + num_units, num_units], `candidate/bias`.
    """

    def __init__(
        self, num_units: int, activation: Any = None, reuse: Any = None, kernel_initializer: Any = None, bias_initializer: Any = None,
        name: str | None = None, dtype: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name, dtype, kwargs)
        self._kernel_initializer = initializer_of(kernel_initializer)
        self._bias_initializer = initializer_of(bias_initializer)

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        rows, n = depth_of(inputs_shape) + self._num_units, self._num_units
        check_floating(self._dtype)
        kernel, bias = self._kernel_initializer, self._bias_initializer
        self._gate_kernel = self.add_variable("gates/kernel", shape=[rows, 2 * n], initializer=kernel)
        ones = Constant(1.0, dtype=self._dtype) if bias is None else bias
        self._gate_bias = self.add_variable("gates/bias", shape=[2 * n], initializer=ones)
        self._candidate_kernel = self.add_variable("candidate/kernel", shape=[rows, n], initializer=kernel)
        zeros = Zeros(dtype=self._dtype) if bias is None else bias
        self._candidate_bias = self.add_variable("candidate/bias", shape=[n], initializer=zeros)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        check_floating([inputs, state])
        r, u = split(sigmoid(affine([inputs, state], self._gate_kernel, self._gate_bias)), 2, axis=1)
        c = self._activation(affine([inputs, r * state], self._candidate_kernel, self._candidate_bias))
        new = u * state + (1 - u) * c
        return new, new

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal cell."""
        return {"kernel_initializer": self._kernel_initializer, "bias_initializer": self._bias_initializer, **super().get_config()}


@export("nn.rnn_cell.BasicLSTMCell contrib.rnn.BasicLSTMCell")
class BasicLSTMCell(_UnitCell):
    """An LSTM (http://arxiv.org/abs/1409.2329) without peepholes, clipping or projection.

    Args:
      num_units: the number of columns of c, of h and of the output.
      forget_bias: is added to the forget gate.
      state_is_tuple: whether the state is an `LSTMStateTuple`, else c and h side by side.
      activation: a function or its name, by default tanh.
      reuse: True shares the variables of an earlier cell in the same scope.
      name: the variable scope, by default "basic_lstm_cell".
      dtype: the type of the variables, by default that of the first inputs.

    Variables: `kernel` [depth + num_units, 4 num_units], `bias` [4 num_units].
    """

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, state_is_tuple: bool = True, activation: Any = None, reuse: Any = None, name: str | None = None,
        dtype: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name, dtype, kwargs)
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple

    @property
    def state_size(self) -> Any:
        """The sizes of c and h."""
        n = self._num_units
        return LSTMStateTuple(n, n) if self._state_is_tuple else 2 * n

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        depth, n = depth_of(inputs_shape), self._num_units
        check_floating(self._dtype)
        self._kernel = self.add_variable("kernel", shape=[depth + n, 4 * n])
        self._bias = self.add_variable("bias", shape=[4 * n], initializer=Zeros(dtype=self._dtype))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        check_floating([inputs, state])
        c, h = state if self._state_is_tuple else split(state, 2, axis=1)
        i, j, f, o = split(affine([inputs, h], self._kernel, self._bias), 4, axis=1)
        new_c = add(multiply(c, sigmoid(f + self._forget_bias)), multiply(sigmoid(i), self._activation(j)))
        new_h = multiply(self._activation(new_c), sigmoid(o))
        return new_h, LSTMStateTuple(new_c, new_h) if self._state_is_tuple else concat([new_c, new_h], 1)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal cell."""
        return {"forget_bias": self._forget_bias, "state_is_tuple": self._state_is_tuple, **super().get_config()}


@export("nn.rnn_cell.LSTMCell contrib.rnn.LSTMCell")
class LSTMCell(_UnitCell):
    """An LSTM with optional peepholes, clipping and projection (https://research.google.com/pubs/archive/43905.pdf).

    Args:
      num_units: the number of columns of c.
      use_peepholes: whether gates see c, by diagonal weights.
      cell_clip: c is clipped to [-cell_clip, cell_clip].
      initializer: for the kernels and peepholes.
      num_proj: the number of columns of h and of the output, a projection; by default `num_units` without one.
      proj_clip: the projection is clipped to [-proj_clip, proj_clip].
      num_unit_shards, num_proj_shards: cut the kernels into so many parts; a partitioner of the variable scope is the newer way.
      forget_bias: is added to the forget gate.
      state_is_tuple: whether the state is an `LSTMStateTuple`, else c and h side by side.
      activation: a function or its name, by default tanh.
      reuse: True shares the variables of an earlier cell in the same scope.
      name: the variable scope, by default "lstm_cell".
      dtype: the type of the variables, by default that of the first inputs.

    Variables: `kernel` [depth + h, 4 num_units], `bias` [4 num_units], `w_f_diag`, `w_i_diag`, `w_o_diag` [num_units],
    `projection/kernel` [num_units, num_proj].
    """

    def __init__(
        self, num_units: int, use_peepholes: bool = False, cell_clip: float | None = None, initializer: Any = None, num_proj: int | None = None,
        proj_clip: float | None = None, num_unit_shards: int | None = None, num_proj_shards: int | None = None, forget_bias: float = 1.0,
        state_is_tuple: bool = True, activation: Any = None, reuse: Any = None, name: str | None = None, dtype: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name, dtype, kwargs)
        self._use_peepholes = use_peepholes
        self._cell_clip = cell_clip
        self._initializer = initializer_of(initializer)
        self._num_proj = num_proj
        self._proj_clip = proj_clip
        self._shards = num_unit_shards, num_proj_shards
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple

    @property
    def state_size(self) -> Any:
        """The sizes of c and h."""
        n, h = self._num_units, self.output_size
        return LSTMStateTuple(n, h) if self._state_is_tuple else n + h

    @property
    def output_size(self) -> int:
        """The size of h."""
        return self._num_proj or self._num_units

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        depth, n, h = depth_of(inputs_shape), self._num_units, self.output_size
        check_floating(self._dtype)
        cut, cut_projection = (None if s is None else fixed_size_partitioner(s) for s in self._shards)
        self._kernel = self.add_variable("kernel", shape=[depth + h, 4 * n], initializer=self._initializer, partitioner=cut)
        self._bias = self.add_variable("bias", shape=[4 * n], initializer=Zeros(dtype=self._dtype))
        if self._use_peepholes:
            self._w_f_diag = self.add_variable("w_f_diag", shape=[n], initializer=self._initializer)
            self._w_i_diag = self.add_variable("w_i_diag", shape=[n], initializer=self._initializer)
            self._w_o_diag = self.add_variable("w_o_diag", shape=[n], initializer=self._initializer)
        if self._num_proj is not None:
            self._projection = self.add_variable("projection/kernel", shape=[n, self._num_proj], initializer=self._initializer, partitioner=cut_projection)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        check_floating([inputs, state])
        n, act = self._num_units, self._activation
        c_prev, h_prev = state if self._state_is_tuple else (slice_(state, [0, 0], [-1, n]), slice_(state, [0, n], [-1, self.output_size]))
        i, j, f, o = split(affine([inputs, h_prev], self._kernel, self._bias), 4, axis=1)
        f = f + self._forget_bias
        if self._use_peepholes:
            f, i = f + self._w_f_diag * c_prev, i + self._w_i_diag * c_prev
        c = sigmoid(f) * c_prev + sigmoid(i) * act(j)
        if self._cell_clip is not None:
            c = clip_by_value(c, -self._cell_clip, self._cell_clip)
        if self._use_peepholes:
            o = o + self._w_o_diag * c
        h = sigmoid(o) * act(c)
        if self._num_proj is not None:
            h = matmul(h, self._projection)
            if self._proj_clip is not None:
                h = clip_by_value(h, -self._proj_clip, self._proj_clip)
        return h, LSTMStateTuple(c, h) if self._state_is_tuple else concat([c, h], 1)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal cell."""
        return {
            "use_peepholes": self._use_peepholes, "cell_clip": self._cell_clip, "initializer": self._initializer, "num_proj": self._num_proj,
            "proj_clip": self._proj_clip, "num_unit_shards": self._shards[0], "num_proj_shards": self._shards[1], "forget_bias": self._forget_bias,
            "state_is_tuple": self._state_is_tuple, **super().get_config(),
        }  # fmt: skip
