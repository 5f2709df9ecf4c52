"""Networks called as one object over whole sequences: LSTMBlockFusedCell, and adaptors of cells. Time comes first."""

# pyright: reportIncompatibleMethodOverride=false
# (TensorFlow declares build(_) and call(inputs, **kwargs), and cells name their arguments)

from typing import Any

from graphc.rnn.basic_cells import LSTMStateTuple
from graphc.rnn.cell import LayerRNNCell, depth_of
from graphc.rnn.dynamic import dynamic_rnn
from graphc.rnn.static import static_rnn
from graphc.variables.initializers import Constant
from ir.build import export
from ir.convert import convert_to_tensor
from ir.dtypes import int32, int64
from ir.ops.cast import cast
from ir.ops.gather import gather_nd
from ir.ops.indexing import sequence_mask
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, range_, shape, transpose, zeros
from ir.ops.packing import stack, unstack
from ir.ops.padding import reverse, reverse_sequence
from ir.ops.reduce import reduce_max
from ir.ops.rnn_block import block_lstm
from ir.tensor import Tensor


@export("contrib.rnn.FusedRNNCell")
class FusedRNNCell:
    """Something that is called as `cell(inputs, initial_state, dtype, sequence_length, scope)` and returns (outputs, last state).

    The inputs are a tensor [time, batch, depth] or a list of [batch, depth]; the outputs are of the same kind.
    """

    def __call__(self, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None, scope: Any = None) -> Any:
        """Runs the network; a subclass defines it."""
        raise NotImplementedError("Abstract method")


@export("contrib.rnn.FusedRNNCellAdaptor")
class FusedRNNCellAdaptor(FusedRNNCell):
    """A cell as a FusedRNNCell, by `dynamic_rnn` or else `static_rnn`."""

    def __init__(self, cell: Any, use_dynamic_rnn: bool = False) -> None:
        self._cell = cell
        self._dynamic = use_dynamic_rnn

    def __call__(self, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None, scope: Any = None) -> Any:
        """Runs the network."""
        listed = isinstance(inputs, list)
        if self._dynamic:
            whole = stack(inputs) if listed else inputs
            outputs, state = dynamic_rnn(self._cell, whole, sequence_length, initial_state, dtype, time_major=True, scope=scope)
            return unstack(outputs) if listed else outputs, state
        steps = inputs if listed else unstack(inputs)
        outputs, state = static_rnn(self._cell, steps, initial_state, dtype, sequence_length, scope=scope)
        return outputs if listed else stack(outputs), state


@export("contrib.rnn.TimeReversedFusedRNN")
class TimeReversedFusedRNN(FusedRNNCell):
    """A FusedRNNCell that runs backwards, each sequence from its own end."""

    def __init__(self, cell: Any) -> None:
        self._cell = cell

    def __call__(self, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None, scope: Any = None) -> Any:
        """Runs the network."""

        def turned(t: Any) -> Any:
            if isinstance(t, list):
                return list(reversed(t))
            return reverse(t, [0]) if sequence_length is None else reverse_sequence(t, sequence_length, seq_axis=0, batch_axis=1)

        outputs, state = self._cell(turned(inputs), initial_state=initial_state, dtype=dtype, sequence_length=sequence_length, scope=scope)
        return turned(outputs), state


@export("contrib.rnn.LSTMBlockWrapper")
class LSTMBlockWrapper(LayerRNNCell):
    """What runs an LSTM over a whole sequence; a subclass has `num_units` and `_call_cell`."""

    @property
    def num_units(self) -> int:
        """The number of columns of the state."""
        raise NotImplementedError

    def _call_cell(self, inputs: Tensor, initial_cell_state: Tensor, initial_output: Tensor, dtype: Any, sequence_length: Tensor | None) -> Any:
        raise NotImplementedError

    def __call__(
        self, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None, scope: Any = None
    ) -> Any:
        """Runs the network; see `FusedRNNCell`."""
        return self._run(stack(inputs) if isinstance(inputs, list) else inputs, initial_state, dtype, sequence_length, isinstance(inputs, list), scope=scope)

    def call(
        self, inputs: Any, initial_state: Any, dtype: Any, sequence_length: Any, listed: bool
    ) -> Any:
        """All steps."""
        depth_of(inputs.shape)
        dims = inputs.shape.with_rank(3).as_list()
        batch: Any = shape(inputs)[1] if dims[1] is None else dims[1]
        if initial_state is None:
            if dtype is None:
                raise ValueError("Either initial_state or dtype needs to be specified")
            zero = zeros(stack([batch, self.num_units]), dtype=dtype)
            initial_state = zero, zero
        elif len(initial_state) != 2:
            raise ValueError("Expecting initial_state to be a tuple with length 2 or None")
        first_c, first_h = initial_state
        dtype = first_c.dtype.base_dtype if dtype is None else dtype
        lengths = None if sequence_length is None else convert_to_tensor(sequence_length)
        memory, outputs = self._call_cell(inputs, first_c, first_h, dtype, lengths)
        if lengths is None:
            state = LSTMStateTuple(memory[-1], outputs[-1])
        else:
            time: Any = shape(inputs)[0] if dims[0] is None else dims[0]
            outputs = outputs * expand_dims(transpose(sequence_mask(lengths, time, dtype=dtype), [1, 0]), 2)
            at = stack([cast(lengths, int32), range_(batch)], axis=1)
            state = LSTMStateTuple(*[gather_nd(concat([expand_dims(a, 0), b], 0), at) for a, b in ((first_c, memory), (first_h, outputs))])
        return unstack(outputs) if listed else outputs, state


@export("contrib.rnn.LSTMBlockFusedCell")
class LSTMBlockFusedCell(LSTMBlockWrapper):
    """An LSTM over whole sequences as one op, `BlockLSTM`; its variables are those of `LSTMCell`.

    Args:
      num_units: the number of columns of the state and the output.
      forget_bias: is added to the forget gate.
      cell_clip: the memory is clipped to [-cell_clip, cell_clip].
      use_peephole: whether gates see the memory, by diagonal weights.
      reuse: True shares the variables of an earlier cell in the same scope.
      dtype: the type of the variables.
      name: the variable scope.
    """

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, cell_clip: float | None = None, use_peephole: bool = False, reuse: Any = None, dtype: Any = None,
        name: str | None = "lstm_fused_cell",
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self._num_units = num_units
        self._forget_bias = forget_bias
        self._cell_clip = -1 if cell_clip is None else cell_clip
        self._use_peephole = use_peephole

    @property
    def num_units(self) -> int:
        """The number of columns of the state."""
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        """Makes the variables."""
        n = self._num_units
        self._kernel = self.add_variable("kernel", [depth_of(inputs_shape) + n, 4 * n])
        self._bias = self.add_variable("bias", [4 * n], initializer=Constant(0.0))
        self._diagonals = [self.add_variable(d, [n]) for d in ("w_i_diag", "w_f_diag", "w_o_diag")] if self._use_peephole else None

    def _call_cell(self, inputs: Tensor, initial_cell_state: Tensor, initial_output: Tensor, dtype: Any, sequence_length: Tensor | None) -> Any:
        longest = shape(inputs)[0] if sequence_length is None else reduce_max(sequence_length)
        wci, wcf, wco = self._diagonals or [zeros([self._num_units], dtype=dtype)] * 3
        _, c, _, _, _, _, h = block_lstm(
            cast(longest, int64), inputs, initial_cell_state, initial_output, self._kernel, wci, wcf, wco, self._bias, forget_bias=self._forget_bias,
            cell_clip=self._cell_clip, use_peephole=self._use_peephole,
        )  # fmt: skip
        return c, h
