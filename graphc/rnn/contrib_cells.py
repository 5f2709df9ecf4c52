"""Cells of tf.contrib.rnn that make their variables while they are called: LSTM and GRU variants."""

# pyright: reportIncompatibleMethodOverride=false
# (TensorFlow declares build(_) and call(inputs, **kwargs), and cells name their arguments)

import math
from collections.abc import Callable
from typing import Any

from graphc.rnn.basic_cells import LSTMStateTuple
from graphc.rnn.cell import RNNCell, depth_of, initializer_of
from graphc.variables.initializers import Constant, Initializer, RandomUniform, Zeros
from graphc.variables.scope import get_variable, get_variable_scope, variable_scope
from ir.build import export
from ir.dtypes import float16, float32
from ir.ops.activation import relu
from ir.ops.arith import floormod
from ir.ops.basic import stop_gradient
from ir.ops.cast import cast
from ir.ops.clip import clip_by_value
from ir.ops.conv import bias_add
from ir.ops.convolution import convolution
from ir.ops.elementwise import exp, sigmoid, tanh
from ir.ops.joining import concat, split
from ir.ops.matmul import matmul
from ir.ops.nn import dropout
from ir.ops.norm import batch_normalization, moments
from ir.ops.random import random_uniform
from ir.ops.select import where
from ir.ops.slicing import slice_
from ir.shapes import TensorShape
from ir.tensor import Tensor


def linear(parts: list[Tensor], size: int, bias: bool = True) -> Tensor:
    """The parts side by side times the variable `kernel` of the current scope, plus `bias`."""
    together = parts[0] if len(parts) == 1 else concat(parts, 1)
    dtype = parts[0].dtype.base_dtype
    for p in parts:
        if p.dims is not None and len(p.dims) != 2:
            raise ValueError(f"linear is expecting 2D arguments: {p!r}")
    rows = sum(depth_of(p.shape) for p in parts)
    out = matmul(together, get_variable("kernel", [rows, size], dtype=dtype))
    if not bias:
        return out
    with variable_scope(get_variable_scope()) as inner:
        inner.set_partitioner(None)
        return bias_add(out, get_variable("bias", [size], dtype=dtype, initializer=Constant(0.0, dtype=dtype)))


def normalized(x: Tensor, gain: float, shift: float, scope: str, dtype: Any) -> Tensor:
    """Layer normalization with the variables `gamma` and `beta` of `scope`."""
    with variable_scope(scope):
        gamma = get_variable("gamma", shape=[depth_of(x.shape)], initializer=Constant(gain), dtype=dtype)
        beta = get_variable("beta", shape=[depth_of(x.shape)], initializer=Constant(shift), dtype=dtype)
    mean, variance = moments(x, [1], keep_dims=True)
    return batch_normalization(x, mean, variance, beta, gamma, 1e-3 if x.dtype.base_dtype is float16 else 1e-12)


class _Memory(RNNCell):
    """A cell whose state is a pair of a memory with `num_units` columns and an output."""

    _num_units: int
    _num_proj: int | None = None

    @property
    def state_size(self) -> Any:
        """The sizes of c and h."""
        return LSTMStateTuple(self._num_units, self.output_size)

    @property
    def output_size(self) -> Any:
        """The size of h."""
        return self._num_proj or self._num_units


@export("contrib.rnn.CoupledInputForgetGateLSTMCell")
class CoupledInputForgetGateLSTMCell(_Memory):
    """An LSTM whose input gate is one minus its forget gate (http://arxiv.org/abs/1503.04069); arguments as for `LSTMCell`.

    `layer_norm` normalizes the gates and the memory, with `norm_gain` and `norm_shift` to begin with.

    Variables: `W_0` (more of them with `num_unit_shards`), `B`, `W_F_diag`, `W_O_diag`, `W_P_0`.
    """

    def __init__(
        self, num_units: int, use_peepholes: bool = False, initializer: Any = None, num_proj: int | None = None, proj_clip: float | None = None,
        num_unit_shards: int = 1, num_proj_shards: int = 1, forget_bias: float = 1.0, state_is_tuple: bool = True, activation: Callable[..., Any] = tanh,
        reuse: Any = None, layer_norm: bool = False, norm_gain: float = 1.0, norm_shift: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._num_units = num_units
        self._use_peepholes = use_peepholes
        self._num_proj = num_proj
        self._proj_clip = proj_clip
        self._shards = num_unit_shards, num_proj_shards
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple
        self._activation = activation
        self._norm = (norm_gain, norm_shift) if layer_norm else None

    @property
    def state_size(self) -> Any:
        """The sizes of c and h."""
        sizes = super().state_size
        return sizes if self._state_is_tuple else sum(sizes)

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        n, act, dtype = self._num_units, self._activation, inputs.dtype.base_dtype
        c_prev, h_prev = state if self._state_is_tuple else (slice_(state, [0, 0], [-1, n]), slice_(state, [0, n], [-1, self.output_size]))
        kernel = _sharded("W", [depth_of(inputs.shape) + self.output_size, 3 * n], dtype, self._shards[0])
        bias = get_variable("B", shape=[3 * n], initializer=Zeros(), dtype=dtype)
        gates = matmul(concat([inputs, h_prev], 1), kernel)
        j, f, o = split(gates if self._norm else bias_add(gates, bias), 3, axis=1)
        if self._norm:
            j, f, o = (normalized(v, *self._norm, scope, float32) for v, scope in ((j, "transform"), (f, "forget"), (o, "output")))
        f = f + self._forget_bias
        w_o_diag: Any = None
        if self._use_peepholes:
            w_f_diag = get_variable("W_F_diag", shape=[n], dtype=dtype)
            w_o_diag = get_variable("W_O_diag", shape=[n], dtype=dtype)
            f = f + w_f_diag * c_prev
        f = sigmoid(f)
        c = f * c_prev + (1 - f) * act(j)
        if self._norm:
            c = normalized(c, *self._norm, "state", float32)
        h = sigmoid(o + w_o_diag * c if self._use_peepholes else o) * act(c)
        if self._num_proj is not None:
            h = matmul(h, _sharded("W_P", [n, self._num_proj], dtype, self._shards[1]))
            if self._proj_clip is not None:
                h = clip_by_value(h, -self._proj_clip, self._proj_clip)
        return h, LSTMStateTuple(c, h) if self._state_is_tuple else concat([c, h], 1)


def _sharded(name: str, shape: list[int], dtype: Any, shards: int) -> Any:
    """A matrix kept as `shards` variables of some rows each: `name_0`, `name_1`, ..."""
    if shards > shape[0]:
        raise ValueError(f"Too many shards: shape={shape}, num_shards={shards}")
    least, more = divmod(shape[0], shards)
    parts = [get_variable(f"{name}_{i}", [least + (i < more), *shape[1:]], dtype=dtype) for i in range(shards)]
    return parts[0] if shards == 1 else concat(parts, 0)


@export("contrib.rnn.LayerNormBasicLSTMCell")
class LayerNormBasicLSTMCell(_Memory):
    """An LSTM with layer normalization (https://arxiv.org/abs/1607.06450) and dropout of the candidate (https://arxiv.org/abs/1603.05118).

    Args:
      num_units: the number of columns of the state and the output.
      forget_bias: is added to the forget gate.
      input_size: accepted and not used.
      activation: a function.
      layer_norm: whether to normalize; else there is a bias.
      norm_gain, norm_shift: what gain and shift begin with.
      dropout_keep_prob: the probability that an element of the candidate is kept, a number or a scalar tensor.
      dropout_prob_seed: the seed for that.
      reuse: True shares the variables of an earlier cell in the same scope.

    Variables: `kernel`, and `gamma` and `beta` in `input`, `transform`, `forget`, `output` and `state`, or `bias`.
    """

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, input_size: Any = None, activation: Callable[..., Any] = tanh, layer_norm: bool = True,
        norm_gain: float = 1.0, norm_shift: float = 0.0, dropout_keep_prob: Any = 1.0, dropout_prob_seed: int | None = None, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._num_units = num_units
        self._forget_bias = forget_bias
        self._activation = activation
        self._norm = (norm_gain, norm_shift) if layer_norm else None
        self._keep_prob = dropout_keep_prob
        self._seed = dropout_prob_seed

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        c, h = state
        given = concat([inputs, h], 1)
        dtype, n = given.dtype.base_dtype, self._num_units
        gates = matmul(given, get_variable("kernel", [depth_of(given.shape), 4 * n], dtype=dtype))
        if self._norm is None:
            gates = bias_add(gates, get_variable("bias", [4 * n], dtype=dtype))
        i, j, f, o = split(gates, 4, axis=1)
        if self._norm:
            i, j, f, o = (normalized(v, *self._norm, s, dtype) for v, s in ((i, "input"), (j, "transform"), (f, "forget"), (o, "output")))
        g = self._activation(j)
        if not isinstance(self._keep_prob, float) or self._keep_prob < 1:
            g = dropout(g, keep_prob=self._keep_prob, seed=self._seed)
        c = c * sigmoid(f + self._forget_bias) + sigmoid(i) * g
        if self._norm:
            c = normalized(c, *self._norm, "state", dtype)
        h = self._activation(c) * sigmoid(o)
        return h, LSTMStateTuple(c, h)


class _Plain(RNNCell):
    """A cell whose state and output have `num_units` columns."""

    def __init__(self, num_units: int, reuse: Any) -> None:
        super().__init__(_reuse=reuse)
        self._num_units = num_units

    @property
    def state_size(self) -> Any:
        """`num_units`."""
        return self._num_units

    @property
    def output_size(self) -> Any:
        """`num_units`."""
        return self._num_units


@export("contrib.rnn.UGRNNCell")
class UGRNNCell(_Plain):
    """An update-gate RNN (https://arxiv.org/abs/1611.09913): one gate between the state and a candidate. Variables: `kernel`, `bias`."""

    def __init__(
        self, num_units: int, initializer: Any = None, forget_bias: float = 1.0, activation: Callable[..., Any] = tanh, reuse: Any = None
    ) -> None:
        super().__init__(num_units, reuse)
        self._initializer = initializer_of(initializer)
        self._forget_bias = forget_bias
        self._activation = activation

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            g, c = split(linear([concat([inputs, state], 1)], 2 * self._num_units), 2, axis=1)
        g = sigmoid(g + self._forget_bias)
        new = g * state + (1.0 - g) * self._activation(c)
        return new, new


@export("contrib.rnn.IntersectionRNNCell")
class IntersectionRNNCell(_Plain):
    """A +RNN (https://arxiv.org/abs/1611.09913): gates carry the state through time and the input through depth.

    Inputs must have `num_units` columns, unless `num_in_proj` asks for a projection. Variables: `in_projection/kernel`, `in_projection/bias`,
    `kernel`, `bias`.
    """

    def __init__(
        self, num_units: int, num_in_proj: int | None = None, initializer: Any = None, forget_bias: float = 1.0, y_activation: Callable[..., Any] = relu,
        reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(num_units, reuse)
        self._initializer = initializer_of(initializer)
        self._forget_bias = forget_bias
        self._num_in_proj = num_in_proj
        self._y_activation = y_activation

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        n = self._num_units
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            if depth_of(inputs.shape) != n:
                if not self._num_in_proj:
                    raise ValueError("Must have input size == output size for Intersection RNN. To fix, num_in_proj should be set to num_units at cell init.")
                with variable_scope("in_projection"):
                    inputs = linear([inputs], n)
            gh, h, gy, y = split(linear([concat([inputs, state], 1)], 4 * n), 4, axis=1)
        gh, gy = sigmoid(gh + self._forget_bias), sigmoid(gy + self._forget_bias)
        return gy * inputs + (1.0 - gy) * self._y_activation(y), gh * state + (1.0 - gh) * tanh(h)


class _RandomExp(Initializer):
    """Values whose logarithm is uniform."""

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = high

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        return exp(random_uniform(shape, math.log(self.low), math.log(self.high), dtype or float32))


@export("contrib.rnn.PhasedLSTMCell")
class PhasedLSTMCell(_Memory):
    """An LSTM each unit of which is open in one phase of a cycle of its own (https://arxiv.org/abs/1610.09513).

    The inputs are a pair: the time, [batch, 1], and the features.

    Args:
      num_units: the number of columns of the state and the output.
      use_peepholes: whether the gates see the memory.
      leak: what passes while a unit is closed.
      ratio_on: the part of the cycle in which a unit is open, to begin with.
      trainable_ratio_on: whether that is trained.
      period_init_min, period_init_max: the periods to begin with are drawn from this interval.
      reuse: True shares the variables of an earlier cell in the same scope.
    """

    def __init__(
        self, num_units: int, use_peepholes: bool = False, leak: float = 0.001, ratio_on: float = 0.1, trainable_ratio_on: bool = True,
        period_init_min: float = 1.0, period_init_max: float = 1000.0, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse, autocast=False)
        self._num_units = num_units
        self._use_peepholes = use_peepholes
        self._leak = leak
        self._ratio_on = ratio_on
        self._trainable_ratio_on = trainable_ratio_on
        self._periods = period_init_min, period_init_max

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        n = self._num_units
        c_prev, h_prev = state
        time, x = inputs
        seen = [x, h_prev]
        with variable_scope("mask_gates"):
            i, f = split(sigmoid(linear([*seen, c_prev] if self._use_peepholes else seen, 2 * n)), 2, axis=1)
        with variable_scope("new_input"):
            j = tanh(linear(seen, n))
        c = c_prev * f + i * j
        with variable_scope("output_gate"):
            o = sigmoid(linear([*seen, c] if self._use_peepholes else seen, n))
        k = self._openness(time)
        c, h = k * c + (1 - k) * c_prev, k * (tanh(c) * o) + (1 - k) * h_prev
        return h, LSTMStateTuple(c, h)

    def _openness(self, time: Tensor) -> Tensor:
        n = self._num_units
        period = get_variable("period", [n], initializer=_RandomExp(*self._periods))
        phase = get_variable("phase", [n], initializer=RandomUniform(0.0, period.initial_value))
        ratio_on = get_variable("ratio_on", [n], initializer=Constant(self._ratio_on), trainable=self._trainable_ratio_on)
        cycle = cast(period, time.dtype.base_dtype)
        shifted = time - cast(phase, time.dtype.base_dtype)
        ratio = cast((stop_gradient(floormod(shifted, cycle) - shifted) + shifted) / cycle, float32)
        rising = 2 * ratio / ratio_on
        k = where(ratio < ratio_on, 2 - rising, self._leak * ratio)
        return where(ratio < 0.5 * ratio_on, rising, k)


@export("contrib.rnn.GLSTMCell")
class GLSTMCell(_Memory):
    """An LSTM in groups, each of which sees its part of the inputs and of the output (https://arxiv.org/abs/1703.10722).

    Variables: `group0/kernel` and so on, `bias_i`, `bias_j`, `bias_f`, `bias_o`, `projection/kernel`.
    """

    def __init__(
        self, num_units: int, initializer: Any = None, num_proj: int | None = None, number_of_groups: int = 1, forget_bias: float = 1.0,
        activation: Callable[..., Any] = tanh, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        for what, size in (("num_units", num_units), ("num_proj", num_proj or 0)):
            if size % number_of_groups:
                raise ValueError(f"{what} must be divisible by number_of_groups")
        self._num_units = num_units
        self._initializer = initializer_of(initializer)
        self._num_proj = num_proj
        self._groups = number_of_groups
        self._forget_bias = forget_bias
        self._activation = activation

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        c, h = state
        n, groups, depth = self._num_units, self._groups, depth_of(inputs.shape)
        if depth % groups:
            raise ValueError(f"input size ({depth}) must be divisible by number_of_groups ({groups})")
        parts: list[list[Tensor]] = []
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            for k, (x_part, h_part) in enumerate(zip(split(inputs, groups, axis=1), split(h, groups, axis=1), strict=True)):
                with variable_scope(f"group{k}"):
                    parts.append(split(linear([concat([x_part, h_part], 1)], 4 * n // groups, bias=False), 4, axis=1))
            zero, dtype = Constant(0.0, dtype=inputs.dtype.base_dtype), inputs.dtype.base_dtype
            biases = [get_variable(f"bias_{gate}", shape=[n], dtype=dtype, initializer=zero) for gate in "ijfo"]
            i, j, f, o = (bias_add(concat(list(p), 1), b) for p, b in zip(zip(*parts, strict=True), biases, strict=True))
        c = sigmoid(f + self._forget_bias) * c + sigmoid(i) * tanh(j)
        h = sigmoid(o) * self._activation(c)
        if self._num_proj is not None:
            with variable_scope("projection"):
                h = linear([h], self._num_proj, bias=False)
        return h, LSTMStateTuple(c, h)


@export("contrib.rnn.ConvLSTMCell")
class ConvLSTMCell(RNNCell):
    """An LSTM of images: the matrix product is a convolution (https://arxiv.org/abs/1506.04214).

    Args:
      conv_ndims: the number of dimensions of the convolution, 1, 2 or 3.
      input_shape: the shape of the inputs without the batch, channels last.
      output_channels: the number of channels of the state.
      kernel_shape: the size of the kernel.
      use_bias: whether there is a bias.
      skip_connection: whether the inputs are appended to the outputs.
      forget_bias: is added to the forget gate.
      initializers: accepted and not used.
      name: the variable scope.

    Variables: `kernel`, `biases`.
    """

    def __init__(
        self, conv_ndims: int, input_shape: Any, output_channels: int, kernel_shape: Any, use_bias: bool = True, skip_connection: bool = False,
        forget_bias: float = 1.0, initializers: Any = None, name: str = "conv_lstm_cell",
    ) -> None:  # fmt: skip
        super().__init__(name=name)
        if conv_ndims != len(input_shape) - 1:
            raise ValueError(f"Invalid input_shape {input_shape} for conv_ndims={conv_ndims}.")
        self._ndims = conv_ndims
        self._input_shape = list(input_shape)
        self._channels = output_channels
        self._kernel_shape = list(kernel_shape)
        self._use_bias = use_bias
        self._skip = skip_connection
        self._forget_bias = forget_bias

    @property
    def state_size(self) -> Any:
        """The shapes of c and h."""
        size = TensorShape([*self._input_shape[:-1], self._channels])
        return LSTMStateTuple(size, size)

    @property
    def output_size(self) -> Any:
        """The shape of the output."""
        return TensorShape([*self._input_shape[:-1], self._channels + (self._input_shape[-1] if self._skip else 0)])

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        c, h = state
        together, axis, dtype = concat([inputs, h], self._ndims + 1), self._ndims + 1, inputs.dtype.base_dtype
        kernel = get_variable("kernel", [*self._kernel_shape, depth_of(together.shape), 4 * self._channels], dtype=dtype)
        gates = convolution(together, kernel, "SAME")
        if self._use_bias:
            gates = gates + get_variable("biases", [4 * self._channels], dtype=dtype, initializer=Constant(0.0, dtype=dtype))
        i, j, f, o = split(gates, 4, axis=axis)
        c = sigmoid(f + self._forget_bias) * c + sigmoid(i) * tanh(j)
        h = tanh(c) * sigmoid(o)
        if self._skip:
            h = concat([h, inputs], axis)
        return h, LSTMStateTuple(c, h)


@export("contrib.rnn.Conv1DLSTMCell")
class Conv1DLSTMCell(ConvLSTMCell):
    """`ConvLSTMCell` of one dimension."""

    def __init__(self, name: str = "conv_1d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=1, name=name, **kwargs)


@export("contrib.rnn.Conv2DLSTMCell")
class Conv2DLSTMCell(ConvLSTMCell):
    """`ConvLSTMCell` of two dimensions."""

    def __init__(self, name: str = "conv_2d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=2, name=name, **kwargs)


@export("contrib.rnn.Conv3DLSTMCell")
class Conv3DLSTMCell(ConvLSTMCell):
    """`ConvLSTMCell` of three dimensions."""

    def __init__(self, name: str = "conv_3d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=3, name=name, **kwargs)
