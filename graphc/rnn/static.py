"""Recurrent networks unrolled: a list of inputs, one step each; and layers of bidirectional networks."""

from typing import Any

from graphc.rnn.cell import assert_like_rnncell, zero_tensors
from graphc.rnn.dynamic import bidirectional_dynamic_rnn, chosen, initial_state_of, lengths_of, state_dtype
from graphc.variables.scope import variable_scope
from ir import nest
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.ops.basic import identity
from ir.ops.joining import concat
from ir.ops.layout import shape
from ir.ops.packing import stack, unstack
from ir.ops.padding import reverse_sequence
from ir.tensor import Tensor


def _require_list(inputs: Any) -> None:
    if not nest.is_nested(inputs):
        raise TypeError("inputs must be a sequence")
    if not inputs:
        raise ValueError("inputs must not be empty")


def _batch_of(inputs: Any) -> Any:
    """The batch size: an integer if any input tells it."""
    tensors = [convert_to_tensor(t) for t in nest.flatten(inputs)]
    for t in tensors:
        if t.dims is not None and len(t.dims) > 1 and None in t.dims[1:]:
            raise ValueError(f"Input size (dimension {t.dims[1:].index(None)} of inputs) must be accessible via shape inference, but saw value None.")
    known = {t.dims[0] for t in tensors if t.dims and t.dims[0] is not None}
    if len(known) > 1:
        raise ValueError(f"the batch sizes of the inputs differ: {sorted(known)}")
    return known.pop() if known else shape(tensors[0])[0]


@export("nn.static_rnn contrib.rnn.static_rnn")
def static_rnn(cell: Any, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None, scope: Any = None) -> Any:
    """Runs `cell` once per input, each step with operations of its own.

    Args:
      cell: an RNNCell.
      inputs: a list of tensors [batch, depth], or of nests of them.
      initial_state: the state before the first step; by default zeros of `dtype`.
      dtype: the type of the state and outputs; required without `initial_state`.
      sequence_length: a vector of integers: steps beyond it give zeros as outputs and keep the state.
      scope: the variable scope, by default "rnn".

    Returns (list of outputs, last state).

    Raises TypeError when `cell` is no cell or `inputs` no list, ValueError when it is empty or the depth of the inputs is not known.
    """
    assert_like_rnncell("cell", cell)
    _require_list(inputs)
    outputs: list[Any] = []
    with variable_scope(scope or "rnn") as entered:
        batch_size = _batch_of(inputs)
        state = initial_state_of(cell, initial_state, batch_size, dtype)
        lengths = lengths_of(sequence_length, batch_size if isinstance(batch_size, int) else None)
        zero = None if lengths is None else zero_tensors(cell.output_size, batch_size, state_dtype(dtype, state))
        for time, given in enumerate(inputs):
            if time > 0:
                entered.reuse_variables()
            output, new = cell(given, state)
            if lengths is not None:
                finished = convert_to_tensor(time) >= lengths
                output, new = chosen(finished, zero, output), chosen(finished, state, new)
            outputs.append(output)
            state = new
    return outputs, state


@export("nn.static_state_saving_rnn contrib.rnn.static_state_saving_rnn")
def static_state_saving_rnn(cell: Any, inputs: Any, state_saver: Any, state_name: Any, sequence_length: Any = None, scope: Any = None) -> Any:
    """`static_rnn` whose state comes from an object and goes back to it, for sequences cut in pieces.

    Args:
      cell, inputs, sequence_length, scope: as for `static_rnn`.
      state_saver: an object with methods `state(name)` and `save_state(name, value)`.
      state_name: the name, or a tuple of names shaped like `cell.state_size`.

    Returns (list of outputs, last state); the last output and the state wait for the state to be saved.
    """
    sizes = cell.state_size
    if nest.is_nested(sizes) != nest.is_nested(state_name):
        raise ValueError(f"state_name should be the same type as cell.state_size.  state_name: {state_name}, cell.state_size: {sizes}")
    names = nest.flatten(state_name)
    if len(names) != len(nest.flatten(sizes)):
        raise ValueError(f"#elems(state_name) != #elems(state_size): {len(names)} vs. {len(nest.flatten(sizes))}")
    start = nest.pack_sequence_as(sizes, [state_saver.state(n) for n in names])
    outputs, state = static_rnn(cell, inputs, initial_state=start, sequence_length=sequence_length, scope=scope)
    saved = [state_saver.save_state(n, s) for n, s in zip(names, nest.flatten(state), strict=True)]
    with get_default_graph().control_dependencies(saved):
        outputs[-1] = nest.map_structure(identity, outputs[-1])
        state = nest.map_structure(identity, state)
    return outputs, state


def _reversed(sequence: Any, lengths: Any) -> list[Any]:
    """A list of steps in reverse, each row from its own end."""
    if lengths is None:
        return list(reversed(sequence))
    steps = [nest.flatten(s) for s in sequence]
    columns: list[list[Tensor]] = []
    for parts in zip(*steps, strict=True):
        turned = reverse_sequence(stack(parts), lengths, seq_axis=0, batch_axis=1)
        columns.append(unstack(turned, num=len(parts)))
    return [nest.pack_sequence_as(s, list(row)) for s, row in zip(sequence, zip(*columns, strict=True), strict=True)]


@export("nn.static_bidirectional_rnn contrib.rnn.static_bidirectional_rnn")
def static_bidirectional_rnn(
    cell_fw: Any, cell_bw: Any, inputs: Any, initial_state_fw: Any = None, initial_state_bw: Any = None, dtype: Any = None, sequence_length: Any = None,
    scope: Any = None,
) -> Any:  # fmt: skip
    """Runs one cell forwards over a list of inputs and another one backwards; `scope` is "bidirectional_rnn" by default.

    The arguments are those of `static_rnn`, some of them per direction.

    Returns (outputs, last state forwards, last state backwards); the outputs of both directions are side by side.
    """
    assert_like_rnncell("cell_fw", cell_fw)
    assert_like_rnncell("cell_bw", cell_bw)
    _require_list(inputs)
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as forwards:
            out_fw, state_fw = static_rnn(cell_fw, inputs, initial_state_fw, dtype, sequence_length, scope=forwards)
        with variable_scope("bw") as backwards:
            turned, state_bw = static_rnn(cell_bw, _reversed(inputs, sequence_length), initial_state_bw, dtype, sequence_length, scope=backwards)
    out_bw = _reversed(turned, sequence_length)
    flat = [concat([a, b], 1) for a, b in zip(nest.flatten(out_fw), nest.flatten(out_bw), strict=True)]
    return nest.pack_sequence_as(out_fw, flat), state_fw, state_bw


def _require_layers(cells_fw: Any, cells_bw: Any, states_fw: Any, states_bw: Any) -> None:
    if not cells_fw:
        raise ValueError("Must specify at least one fw cell for BidirectionalRNN.")
    if not cells_bw:
        raise ValueError("Must specify at least one bw cell for BidirectionalRNN.")
    if not isinstance(cells_fw, list) or not isinstance(cells_bw, list):
        raise ValueError("cells_fw and cells_bw must be lists of RNNCells (one per layer).")
    if len(cells_fw) != len(cells_bw):
        raise ValueError("Forward and Backward cells must have the same depth.")
    for states, cells, what in ((states_fw, cells_fw, "fw"), (states_bw, cells_bw, "bw")):
        if states is not None and (not isinstance(states, list) or len(states) != len(cells)):
            raise ValueError(f"initial_states_{what} must be a list of state tensors (one per layer).")


@export("contrib.rnn.stack_bidirectional_rnn")
def stack_bidirectional_rnn(
    cells_fw: Any, cells_bw: Any, inputs: Any, initial_states_fw: Any = None, initial_states_bw: Any = None, dtype: Any = None,
    sequence_length: Any = None, scope: Any = None,
) -> Any:  # fmt: skip
    """Layers of `static_bidirectional_rnn`, each over the outputs of the one before; `scope` is "stack_bidirectional_rnn" by default.

    Returns (outputs of the last layer, tuple of last states forwards, tuple of last states backwards).
    """
    _require_layers(cells_fw, cells_bw, initial_states_fw, initial_states_bw)
    states_fw: list[Any] = []
    states_bw: list[Any] = []
    out = inputs
    with variable_scope(scope or "stack_bidirectional_rnn"):
        for i, (fw, bw) in enumerate(zip(cells_fw, cells_bw, strict=True)):
            with variable_scope(f"cell_{i}") as layer:
                start_fw = initial_states_fw[i] if initial_states_fw else None
                start_bw = initial_states_bw[i] if initial_states_bw else None
                out, a, b = static_bidirectional_rnn(fw, bw, out, start_fw, start_bw, dtype, sequence_length, scope=layer)
            states_fw.append(a)
            states_bw.append(b)
    return out, tuple(states_fw), tuple(states_bw)


@export("contrib.rnn.stack_bidirectional_dynamic_rnn")
def stack_bidirectional_dynamic_rnn(
    cells_fw: Any, cells_bw: Any, inputs: Any, initial_states_fw: Any = None, initial_states_bw: Any = None, dtype: Any = None,
    sequence_length: Any = None, parallel_iterations: int | None = None, time_major: bool = False, scope: Any = None, swap_memory: bool = False,
) -> Any:  # fmt: skip
    """Layers of `bidirectional_dynamic_rnn`, each over the outputs of both directions of the one before.

    Returns (outputs of the last layer with both directions side by side, tuple of last states forwards, tuple of last states backwards).
    """
    _require_layers(cells_fw, cells_bw, initial_states_fw, initial_states_bw)
    states_fw: list[Any] = []
    states_bw: list[Any] = []
    out = inputs
    with variable_scope(scope or "stack_bidirectional_rnn"):
        for i, (fw, bw) in enumerate(zip(cells_fw, cells_bw, strict=True)):
            with variable_scope(f"cell_{i}"):
                start_fw = initial_states_fw[i] if initial_states_fw else None
                start_bw = initial_states_bw[i] if initial_states_bw else None
                both, (a, b) = bidirectional_dynamic_rnn(
                    fw, bw, out, sequence_length, start_fw, start_bw, dtype, parallel_iterations, swap_memory, time_major
                )
                out = concat(both, 2)
            states_fw.append(a)
            states_bw.append(b)
    return out, tuple(states_fw), tuple(states_bw)
