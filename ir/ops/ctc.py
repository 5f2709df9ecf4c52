"""Connectionist temporal classification: the loss and the decoders.

Source: A. Graves et al., "Connectionist temporal classification" (2006). The last class is the blank.
"""

from typing import Any

import numpy as np

from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import TypeSet, float32, int32, int64
from ir.errors import InvalidArgumentError
from ir.infer import Infer
from ir.opdef import Int32, Int64, T
from ir.ops.basic import prevent_gradient
from ir.ops.cast import cast
from ir.ops.compare import less
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, range_, reshape, shape, size, transpose, zeros_like
from ir.ops.packing import stack
from ir.ops.select import where
from ir.shapes import Dims, merge_dims
from ir.sparse_tensor import SparseTensor
from ir.tensor import Operation, Tensor

FLOATS = TypeSet("float32 float64").default_to(float32)
Array = np.ndarray[Any, Any]


# -- loss --------------------------------------------------------------------------------------------


def _loss_dims(c: Infer) -> list[Dims]:
    x, indices = c.rank(0, 3), c.rank(1, 2)
    merge_dims(indices[:1], c.rank(2, 1))
    batch = merge_dims(x[1:2], c.rank(3, 1))
    n = batch[0] if batch else None
    return [(n,), (x[0], n, x[2])]


@op("CTCLoss", _loss_dims, out="loss: T, gradient: T", T=FLOATS)
def _ctc_loss(
    inputs: T, labels_indices: Int64, labels_values: Int32, sequence_length: Int32, preprocess_collapse_repeated: bool = False,
    ctc_merge_repeated: bool = True, ignore_longer_outputs_than_inputs: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """The negative log probability of label sequences under sequences of logits [time, batch, classes], and its gradient."""
    ...


@grad("CTCLoss")
def _(op: Operation, d_loss: Tensor | None, d_gradient: Any) -> Any:
    if d_loss is None:
        return None
    why = "Currently there is no way to take the second derivative of ctc_loss due to the fused implementation's interaction with tf.gradients()"
    slope = prevent_gradient(op.outputs[1], message=why)
    return expand_dims(expand_dims(d_loss, -1), 0) * slope, None, None, None


@export("nn.ctc_loss")
def ctc_loss(
    labels: Any, inputs: Any = None, sequence_length: Any = None, preprocess_collapse_repeated: bool = False, ctc_merge_repeated: bool = True,
    ignore_longer_outputs_than_inputs: bool = False, time_major: bool = True, logits: Any = None,
) -> Tensor:  # fmt: skip
    """Computes the negative log probability of label sequences, summed over all their alignments with the time steps.

    Args:
      labels: an int32 SparseTensor [batch, length] of classes in [0, classes - 1); the last class is the blank.
      inputs: [time, batch, classes], float: unscaled logarithms of probabilities. `logits` is the same.
      sequence_length: [batch], int32: the time steps of each example.
      preprocess_collapse_repeated: merge repeated labels first.
      ctc_merge_repeated: repeated classes without a blank between them are one label; else each is a label of its own.
      ignore_longer_outputs_than_inputs: give 0 where there are more labels than time steps; else that gives an infinite loss
        (in TensorFlow an error).
      time_major: else the inputs are [batch, time, classes].

    Returns [batch]. There is no second-order gradient.
    """
    if not isinstance(labels, SparseTensor):
        raise TypeError("Expected labels (first argument) to be a SparseTensor")
    if logits is not None:
        if inputs is not None:
            raise ValueError("Cannot specify both 'inputs' and 'logits'")
        inputs = logits
    inputs = convert_to_tensor(inputs, name="logits")
    if not time_major:
        inputs = transpose(inputs, [1, 0, 2])
    return _ctc_loss(
        inputs, labels.indices, labels.values, sequence_length, preprocess_collapse_repeated, ctc_merge_repeated, ignore_longer_outputs_than_inputs
    )[0]


def _blank_last(logits: Tensor, blank: int) -> Tensor:
    """Moves the blank behind the other classes."""
    return concat([logits[:, :, :blank], logits[:, :, blank + 1 :], logits[:, :, blank : blank + 1]], axis=2)


def _all_places(labels: Tensor, lengths: Any, padding: int) -> tuple[Tensor, Tensor]:
    """Indices and values of every place of dense labels, row by row; `padding` beyond the lengths."""
    width = shape(labels)[1]
    inside = less(expand_dims(range_(width), 0), expand_dims(cast(convert_to_tensor(lengths), int32), 1))
    values = where(inside, labels, zeros_like(labels) + padding)
    place = range_(size(labels))
    return cast(stack([place // width, place % width], axis=1), int64), reshape(values, [-1])


@export("nn.ctc_loss_v2")
def ctc_loss_v2(
    labels: Any, logits: Any, label_length: Any, logit_length: Any, logits_time_major: bool = True, unique: Any = None, blank_index: int | None = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Computes `tf.nn.ctc_loss` with the blank at `blank_index`.

    Args:
      labels: an int32 SparseTensor [batch, length], or a dense tensor of that shape.
      logits: [time, batch, classes], or [batch, time, classes] unless `logits_time_major`; the number of classes must be known.
      label_length: [batch], integers: how many labels of each row count; not used for a SparseTensor.
      logit_length: [batch], int32: the time steps of each example.
      logits_time_major: which dimension of `logits` is time.
      unique: not used; in TensorFlow it saves time.
      blank_index: the class of the blank, 0 by default for dense labels; negative ones count from the end.
      name: a name for the operations.

    Returns [batch]. Raises ValueError for a SparseTensor without `blank_index`.
    """
    if isinstance(labels, SparseTensor) and blank_index is None:
        raise ValueError("blank_index must be given when using SparseTensor labels.")
    with get_default_graph().name_scope(name or "ctc_loss"):
        logits = convert_to_tensor(logits)
        classes: int | None = logits.shape[2].value
        if classes is None:
            raise ValueError("the number of classes must be known")
        blank = (blank_index or 0) % classes
        dense = None if isinstance(labels, SparseTensor) else cast(convert_to_tensor(labels), int32)
        values = labels.values if dense is None else dense
        if blank != classes - 1:
            logits = _blank_last(logits, blank)
            values = where(less(values, blank), values, values - 1)
        if dense is None:
            indices = labels.indices
        else:
            indices, values = _all_places(values, label_length, classes - 1)
        if not logits_time_major:
            logits = transpose(logits, [1, 0, 2])
        return _ctc_loss(logits, indices, values, cast(convert_to_tensor(logit_length), int32))[0]


# -- decoders ----------------------------------------------------------------------------------------


def _greedy_dims(c: Infer) -> list[Dims]:
    batch = merge_dims(c.rank(0, 3)[1:2], c.rank(1, 1))
    return [(None, 2), (None,), (2,), (batch[0] if batch else None, 1)]


def _sparse(paths: list[list[int]]) -> tuple[Array, Array, Array]:
    """Indices, values and shape of rows of different lengths."""
    indices = np.array([(b, i) for b, p in enumerate(paths) for i in range(len(p))], np.int64).reshape(-1, 2)
    values = np.array([v for p in paths for v in p], np.int64)
    return indices, values, np.array([len(paths), max(map(len, paths), default=0)], np.int64)


@op(
    "CTCGreedyDecoder", _greedy_dims, host=True, dynamic=True, T=FLOATS,
    out="decoded_indices: int64, decoded_values: int64, decoded_shape: int64, log_probability: T",
)  # fmt: skip
def _ctc_greedy_decoder(inputs: T, sequence_length: Int32, merge_repeated: bool = False, name: str | None = None) -> Any:
    """The best class of each time step, without blanks (and repeats), and the negative sum of their logits."""
    blank = inputs.shape[2] - 1
    paths: list[list[int]] = []
    total = np.zeros((inputs.shape[1], 1), inputs.dtype)
    for b, length in enumerate(sequence_length):
        best = inputs[:length, b].argmax(-1) if length else np.zeros(0, int)
        total[b, 0] = -inputs[np.arange(length), b, best].sum(dtype=inputs.dtype)
        before = np.append(-1, best[:-1]) if length else best
        kept = (best != blank) & (best != before) if merge_repeated else best != blank
        paths.append(best[kept].tolist())
    return (*_sparse(paths), total)


class _Beam:
    """One candidate of a beam search: a label sequence and the log probabilities of ending it with a blank or a label."""

    __slots__ = ("blank", "label", "labels", "total")

    def __init__(self, labels: tuple[int, ...], blank: float, label: float) -> None:
        self.labels = labels
        self.blank = blank
        self.label = label
        self.total = float(np.logaddexp(blank, label))


def _step(beams: list[_Beam], logits: Array, width: int) -> list[_Beam]:
    """Extends beams, best first, by one time step; keeps the best `width`."""
    *scores, blank = logits.tolist()
    known = {b.labels: b for b in beams}
    stay: list[_Beam] = []
    for b in beams:
        label = b.label
        parent = known.get(b.labels[:-1]) if b.labels else None
        if parent is not None:
            repeats = len(b.labels) > 1 and b.labels[-1] == b.labels[-2]
            label = float(np.logaddexp(label, parent.blank if repeats else parent.total))
        stay.append(_Beam(b.labels, b.total + blank, label + scores[b.labels[-1]] if b.labels else -np.inf))
    candidates = [(-b.total, i, b) for i, b in enumerate(stay)]
    row = np.array(scores)
    for b in beams:
        reached = row + b.total
        if b.labels:
            reached[b.labels[-1]] = row[b.labels[-1]] + b.blank
        for k in np.argsort(-reached, kind="stable")[:width].tolist():
            if reached[k] > -np.inf and (*b.labels, k) not in known:
                candidates.append((-float(reached[k]), len(candidates), _Beam((*b.labels, k), -np.inf, float(reached[k]))))
    candidates.sort(key=lambda c: c[:2])
    return [b for _, _, b in candidates[:width]]


def _without_repeats(labels: tuple[int, ...]) -> list[int]:
    return [v for i, v in enumerate(labels) if i == 0 or v != labels[i - 1]]


def _beam_dims(c: Infer) -> list[Dims]:
    batch = merge_dims(c.rank(0, 3)[1:2], c.rank(1, 1))
    n = c.attrs["top_paths"]
    return [*[(None, 2)] * n, *[(None,)] * n, *[(2,)] * n, (batch[0] if batch else None, n)]


@op(
    "CTCBeamSearchDecoder", _beam_dims, host=True, dynamic=True, T=FLOATS, beam_width=1, top_paths=1,
    out="decoded_indices: top_paths*int64, decoded_values: top_paths*int64, decoded_shape: top_paths*int64, log_probability: T",
)  # fmt: skip
def _ctc_beam_search_decoder(
    inputs: T, sequence_length: Int32, beam_width: int, top_paths: int, merge_repeated: bool = True, name: str | None = None
) -> Any:
    """The most probable label sequences, by a beam search over their prefixes."""
    batch = inputs.shape[1]
    paths: list[list[list[int]]] = [[] for _ in range(top_paths)]
    scores = np.zeros((batch, top_paths), inputs.dtype)
    shifted = inputs.astype(np.float64)
    top = shifted.max(-1, keepdims=True, initial=-np.inf)
    shifted = shifted - top - np.log(np.exp(shifted - top).sum(-1, keepdims=True))
    for b, length in enumerate(sequence_length):
        beams = [_Beam((), 0.0, -np.inf)]
        for t in range(int(length)):
            beams = _step(beams, shifted[t, b], beam_width)
        if len(beams) < top_paths:
            raise InvalidArgumentError(None, None, "Less leaves in the beam search than requested.")
        for n, beam in enumerate(beams[:top_paths]):
            paths[n].append(_without_repeats(beam.labels) if merge_repeated else list(beam.labels))
            scores[b, n] = beam.total
    indices, values, shapes = zip(*[_sparse(p) for p in paths], strict=True)
    return (*indices, *values, *shapes, scores)


grad.none("CTCGreedyDecoder CTCBeamSearchDecoder", "a decoded sequence is not continuous")


@export("nn.ctc_greedy_decoder")
def ctc_greedy_decoder(inputs: Any, sequence_length: Any, merge_repeated: bool = True) -> tuple[list[SparseTensor], Tensor]:
    """Decodes by the best class of each time step.

    Args:
      inputs: [time, batch, classes], float logits; the last class is the blank.
      sequence_length: [batch], int32: the time steps of each example.
      merge_repeated: repeated classes without a blank between them are one label.

    Returns ([decoded], neg_sum_logits): an int64 SparseTensor [batch, length] and [batch, 1], the negative sum of the logits.
    """
    indices, values, shape, total = _ctc_greedy_decoder(inputs, sequence_length, merge_repeated)
    return [SparseTensor(indices, values, shape)], total


@export("nn.ctc_beam_search_decoder")
def ctc_beam_search_decoder(
    inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1, merge_repeated: bool = True
) -> tuple[list[SparseTensor], Tensor]:
    """Decodes by a beam search over label sequences.

    Args:
      inputs: [time, batch, classes], float logits; the last class is the blank.
      sequence_length: [batch], int32: the time steps of each example.
      beam_width: how many sequences are kept at each time step.
      top_paths: how many are returned, at most `beam_width`.
      merge_repeated: merge repeated labels of what is returned.

    Returns (decoded, log_probability): `top_paths` int64 SparseTensors [batch, length], best first, and [batch, top_paths].
    """
    found = _ctc_beam_search_decoder(inputs, sequence_length, beam_width, top_paths, merge_repeated)
    parts = zip(found.decoded_indices, found.decoded_values, found.decoded_shape, strict=True)
    return [SparseTensor(i, v, s) for i, v, s in parts], found.log_probability


@export("nn.ctc_beam_search_decoder_v2")
def ctc_beam_search_decoder_v2(inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1) -> tuple[list[SparseTensor], Tensor]:
    """Decodes like `tf.nn.ctc_beam_search_decoder`, keeping repeated labels."""
    return ctc_beam_search_decoder(inputs, sequence_length, beam_width, top_paths, merge_repeated=False)
