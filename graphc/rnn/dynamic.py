"""Recurrent networks as loops: dynamic_rnn, bidirectional_dynamic_rnn, raw_rnn. Each is one While."""

from collections.abc import Callable
from typing import Any

from graphc.rnn.cell import assert_like_rnncell, batch_shape, zero_tensors
from graphc.variables.scope import variable_scope
from ir import nest, static
from ir.build import export
from ir.control_flow import while_loop
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import int32
from ir.ops.basic import identity
from ir.ops.cast import cast
from ir.ops.compare import logical_not, logical_or
from ir.ops.joining import concat
from ir.ops.layout import range_, rank, shape, transpose
from ir.ops.padding import reverse, reverse_sequence
from ir.ops.reduce import reduce_all
from ir.ops.select import where
from ir.ops.tensor_list import tensor_list_stack
from ir.shapes import TensorShape, as_shape, shape_str
from ir.tensor import Tensor
from ir.tensor_array import TensorArray


@export("contrib.rnn.transpose_batch_time")
def transpose_batch_time(x: Any) -> Tensor:
    """Returns `x` with its first two dimensions exchanged; a tensor of lower rank as it is."""
    x = convert_to_tensor(x)
    if x.dims is None:
        return transpose(x, concat([[1, 0], range_(2, rank(x))], 0))
    return x if len(x.dims) < 2 else transpose(x, [1, 0, *range(2, len(x.dims))])


@export("contrib.rnn.best_effort_input_batch_size")
def best_effort_input_batch_size(flat_input: Any) -> Any:
    """Returns the size of the second dimension: an integer if any of the tensors tells it, else a scalar tensor.

    Raises ValueError for a tensor of rank less than 2.
    """
    for t in flat_input:
        if t.dims is None:
            continue
        if len(t.dims) < 2:
            raise ValueError(f"Expected input tensor {t} to have rank at least 2")
        if t.dims[1] is not None:
            return t.dims[1]
    return shape(flat_input[0])[1]


def initial_state_of(cell: Any, given: Any, batch_size: Any, dtype: Any) -> Any:
    """The state to begin with: `given`, or zeros of `dtype`."""
    if given is not None:
        return given
    if not dtype:
        raise ValueError("If there is no initial_state, you must give a dtype.")
    make = getattr(cell, "get_initial_state", None)
    return make(inputs=None, batch_size=batch_size, dtype=dtype) if make is not None else cell.zero_state(batch_size, dtype)


def state_dtype(dtype: Any, state: Any) -> Any:
    """The type of the outputs: `dtype`, or that which all states have."""
    if dtype is not None:
        return dtype
    found = [s.dtype.base_dtype for s in nest.flatten(state)]
    if not found:
        raise ValueError("Unable to infer dtype from empty state.")
    if any(d is not found[0] for d in found):
        raise ValueError("State has tensors of different inferred_dtypes. Unable to infer a single representative dtype.")
    return found[0]


def lengths_of(sequence_length: Any, batch: int | None) -> Tensor | None:
    """The lengths of the sequences as an int32 vector."""
    if sequence_length is None:
        return None
    t = cast(convert_to_tensor(sequence_length), int32)
    if t.dims is not None and len(t.dims) != 1:
        raise ValueError(f"sequence_length must be a vector of length batch_size, but saw shape: {shape_str(t.dims)}")
    if t.dims is not None and batch is not None and t.dims[0] not in (None, batch):
        raise ValueError(f"sequence_length must be a vector of length batch_size ({batch}), but saw shape: {shape_str(t.dims)}")
    return identity(t, name="sequence_length")  # to be found in the graph by that name


def chosen(finished: Tensor, old: Any, new: Any) -> Any:
    """`old` in the rows that are finished, else `new`; TensorArrays and scalars are always new."""

    def choose(a: Any, b: Any) -> Any:
        if isinstance(a, TensorArray) or not a.shape.ndims:
            return b
        out = where(finished, a, b)
        out.set_shape(a.shape)
        return out

    nest.assert_same_structure(old, new)
    return nest.map_structure(choose, old, new)


@export("nn.dynamic_rnn")
def dynamic_rnn(
    cell: Any, inputs: Any, sequence_length: Any = None, initial_state: Any = None, dtype: Any = None, parallel_iterations: int | None = None,
    swap_memory: bool = False, time_major: bool = False, scope: Any = None,
) -> Any:  # fmt: skip
    """Runs `cell` over the time steps of `inputs`.

    Args:
      cell: an RNNCell.
      inputs: a tensor [batch, time, ...] (a nest of them for a cell that takes one), or [time, batch, ...] when `time_major`.
      sequence_length: a vector of integers: steps beyond it give zeros as outputs and keep the state.
      initial_state: the state before the first step; by default zeros of `dtype`.
      dtype: the type of the state and outputs; required without `initial_state`.
      parallel_iterations, swap_memory: accepted; XLA schedules the loop.
      time_major: whether time comes before the batch, in the outputs too.
      scope: the variable scope, by default "rnn".

    Returns (outputs, state): the outputs of all steps, shaped like `inputs` with the cell's output size, and the state after the last.

    Raises TypeError when `cell` is no cell, ValueError when the depth of the inputs is not known or nothing tells the type of the state.
    """
    assert_like_rnncell("cell", cell)
    with variable_scope(scope or "rnn"):
        flat = [convert_to_tensor(t) for t in nest.flatten(inputs)]
        if not time_major:
            flat = [transpose_batch_time(t) for t in flat]
        batch_size = best_effort_input_batch_size(flat)
        lengths = lengths_of(sequence_length, batch_size if isinstance(batch_size, int) else None)
        state = initial_state_of(cell, initial_state, batch_size, dtype)
        loop = _Steps(cell, inputs, flat, batch_size, lengths, state_dtype(dtype, state))
        outputs, state = loop.run(state, parallel_iterations or 32, swap_memory)
        if not time_major:
            outputs = nest.map_structure(transpose_batch_time, outputs)
        return outputs, state


class _Steps:
    """The loop of dynamic_rnn, over time-major tensors."""

    def __init__(self, cell: Any, structure: Any, flat: list[Tensor], batch_size: Any, lengths: Tensor | None, dtype: Any) -> None:
        self.cell = cell
        self.structure = structure
        self.flat = flat
        self.lengths = lengths
        self.dtype = dtype
        self.batch_size = batch_size
        self.time = self._check()
        self.sizes = nest.flatten(cell.output_size)

    def _check(self) -> int | None:
        """The number of steps, if it is known."""
        known: list[tuple[int | None, int | None]] = []
        for t in self.flat:
            dims = t.dims
            if dims is None or len(dims) < 3:
                raise ValueError(f"Shape {shape_str(dims)} must have rank at least 3")
            if None in dims[2:]:
                raise ValueError(f"Input size (depth of inputs) must be accessible via shape inference, but saw value None: {t!r}")
            known.append((dims[0], dims[1]))
        if any(k[0] != known[0][0] for k in known):
            raise ValueError("Time steps is not the same for all the elements in the input in a batch.")
        if any(k[1] != known[0][1] for k in known):
            raise ValueError("Batch_size is not the same for all the elements in the input.")
        return known[0][0]

    def run(self, state: Any, parallel_iterations: int, swap_memory: bool) -> tuple[Any, Any]:
        """Appends the loop; returns the outputs of all steps and the last state."""
        steps = shape(self.flat[0])[0] if self.time is None else convert_to_tensor(self.time, dtype=int32)
        with get_default_graph().name_scope("dynamic_rnn") as base:
            arrays = [TensorArray(t.dtype, size=steps, element_shape=t.dims[1:], tensor_array_name=f"{base}input_{i}").unstack(t)
                      for i, t in enumerate(self.flat) if t.dims is not None]  # fmt: skip
            outs = [TensorArray(self.dtype, size=steps, element_shape=self._output_shape(s), tensor_array_name=f"{base}output_{i}")
                    for i, s in enumerate(self.sizes)]  # fmt: skip
        zero = None if self.lengths is None else zero_tensors(self.cell.output_size, self.batch_size, self.dtype)

        def step(time: Tensor, outs: list[TensorArray], state: Any) -> Any:
            given = [a.read(time) for a in arrays]
            output, new = self.cell(nest.pack_sequence_as(self.structure, given), state)
            nest.assert_same_structure(state, new)
            nest.assert_same_structure(self.cell.output_size, output)
            if self.lengths is not None:
                finished = time >= self.lengths
                output, new = chosen(finished, zero, output), chosen(finished, state, new)
            return time + 1, [a.write(time, o) for a, o in zip(outs, nest.flatten(output), strict=True)], new

        start = convert_to_tensor(0, dtype=int32, name="time")
        _, outs, state = while_loop(
            lambda time, *_: time < steps, step, (start, outs, state), parallel_iterations=parallel_iterations, swap_memory=swap_memory
        )
        # the shape of the elements as a tensor, so that outputs of no steps have one too
        stacked = [tensor_list_stack(a.flow, batch_shape(self.batch_size, s)[0], self.dtype, -1 if self.time is None else self.time)
                   for a, s in zip(outs, self.sizes, strict=True)]  # fmt: skip
        for t, s in zip(stacked, self.sizes, strict=True):
            t.set_shape(TensorShape([self.time]).concatenate(self._output_shape(s)))
        return nest.pack_sequence_as(self.cell.output_size, stacked), state

    def _output_shape(self, size: Any) -> TensorShape:
        inner = _static_size(size)
        return TensorShape([self.batch_size if isinstance(self.batch_size, int) else None]).concatenate(inner)


def _static_size(size: Any) -> TensorShape:
    if isinstance(size, Tensor):
        value = static.value_of(size)
        return as_shape(None if value is None else value.reshape(-1).tolist())
    return as_shape(size)


@export("nn.bidirectional_dynamic_rnn")
def bidirectional_dynamic_rnn(
    cell_fw: Any, cell_bw: Any, inputs: Any, sequence_length: Any = None, initial_state_fw: Any = None, initial_state_bw: Any = None, dtype: Any = None,
    parallel_iterations: int | None = None, swap_memory: bool = False, time_major: bool = False, scope: Any = None,
) -> Any:  # fmt: skip
    """Runs one cell forwards over `inputs` and another one backwards, each sequence from its own end.

    The arguments are those of `dynamic_rnn`, some of them per direction; `scope` is "bidirectional_rnn" by default.

    Returns ((outputs forwards, outputs backwards), (last state forwards, last state backwards)).
    """
    assert_like_rnncell("cell_fw", cell_fw)
    assert_like_rnncell("cell_bw", cell_bw)
    time_axis, batch_axis = (0, 1) if time_major else (1, 0)

    def turned(t: Any) -> Tensor:
        if sequence_length is None:
            return reverse(t, [time_axis])
        return reverse_sequence(t, sequence_length, seq_axis=time_axis, batch_axis=batch_axis)

    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as forwards:
            out_fw, state_fw = dynamic_rnn(
                cell_fw, inputs, sequence_length, initial_state_fw, dtype, parallel_iterations, swap_memory, time_major, forwards
            )
        with variable_scope("bw") as backwards:
            back = nest.map_structure(turned, inputs)
            out_bw, state_bw = dynamic_rnn(cell_bw, back, sequence_length, initial_state_bw, dtype, parallel_iterations, swap_memory, time_major, backwards)
    return (out_fw, nest.map_structure(turned, out_bw)), (state_fw, state_bw)


@export("nn.raw_rnn")
def raw_rnn(cell: Any, loop_fn: Callable[..., Any], parallel_iterations: int | None = None, swap_memory: bool = False, scope: Any = None) -> Any:
    """Runs `cell` with a function that makes each next input and says when to stop.

    Args:
      cell: an RNNCell.
      loop_fn: `loop_fn(time, cell_output, cell_state, loop_state)` returns (finished, next input, next state, what to emit, next loop
        state); it is called before the first step with time 0 and None for the rest, and then gives the initial state and, as what to emit, an
        example (None: as the cell's outputs). `finished` is a vector of booleans: the rows that are done.
      parallel_iterations, swap_memory: accepted; XLA schedules the loop.
      scope: the variable scope, by default "rnn".

    Returns (TensorArrays of what was emitted, last state, last loop state).

    Raises TypeError when `cell` is no cell or `loop_fn` not callable.
    """
    assert_like_rnncell("cell", cell)
    if not callable(loop_fn):
        raise TypeError("loop_fn must be a callable")
    with variable_scope(scope or "rnn"):
        time = convert_to_tensor(0, dtype=int32)
        finished, first, state, example, given = loop_fn(time, None, None, None)
        batch_size = _batch_of(nest.flatten(first))
        nest.assert_same_structure(state, cell.state_size, check_types=False)
        state = nest.map_structure(convert_to_tensor, state)
        structure, zero, arrays = _emitted(cell, state, example, batch_size)

        def body(time: Tensor, finished: Tensor, inputs: Any, arrays: Any, state: Any, loop_state: Any) -> Any:
            output, new = cell(inputs, state)
            nest.assert_same_structure(state, new)
            done, following, new, emit, told = loop_fn(time + 1, output, new, loop_state)
            nest.assert_same_structure(inputs, following)
            nest.assert_same_structure(structure, emit)
            emit = chosen(finished, zero, emit)
            written = [a.write(time, e) for a, e in zip(arrays, nest.flatten(emit), strict=True)]
            return time + 1, logical_or(finished, done), following, written, chosen(finished, state, new), loop_state if told is None else told

        start = convert_to_tensor(0, dtype=int32) if given is None else given
        out = while_loop(
            lambda time, finished, *_: logical_not(reduce_all(finished)), body,
            (time, convert_to_tensor(finished), nest.map_structure(convert_to_tensor, first), arrays, state, start),
            parallel_iterations=parallel_iterations or 32, swap_memory=swap_memory,
        )  # fmt: skip
        return nest.pack_sequence_as(structure, out[3]), out[4], None if given is None else out[5]


def _batch_of(flat: list[Any]) -> Any:
    """The batch size, an integer if any of the inputs tells it."""
    tensors = [convert_to_tensor(t) for t in flat]
    known = {t.dims[0] for t in tensors if t.dims and t.dims[0] is not None}
    if len(known) > 1:
        raise ValueError(f"the batch sizes of the inputs differ: {sorted(known)}")
    return known.pop() if known else shape(tensors[0])[0]


def _emitted(cell: Any, state: Any, example: Any, batch_size: Any) -> tuple[Any, Any, list[TensorArray]]:
    """The structure of what is emitted, zeros of it, and an empty TensorArray for each part."""
    structure = cell.output_size if example is None else example
    if example is None:
        sizes = nest.flatten(structure)
        types = [nest.flatten(state)[0].dtype.base_dtype] * len(sizes)
    else:
        parts = [convert_to_tensor(e) for e in nest.flatten(example)]
        sizes = [e.shape if e.shape.is_fully_defined() else shape(e) for e in parts]
        types = [e.dtype.base_dtype for e in parts]
    zero = [zero_tensors(s, batch_size, d) for s, d in zip(sizes, types, strict=True)]
    arrays = [
        TensorArray(d, size=0, dynamic_size=True, element_shape=z.shape, name=f"rnn_output_{i}") for i, (z, d) in enumerate(zip(zero, types, strict=True))
    ]
    return structure, nest.pack_sequence_as(structure, zero), arrays
