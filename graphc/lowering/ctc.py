"""The CTC loss: forward and backward probabilities of label sequences as two scans over time, in logarithms."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.nn import log_softmax

from graphc.lowering.table import lowers

#: the logarithm of nothing: finite, so that differences are
NOTHING = -1e30


def _dense_labels(indices: Array, values: Array, batch: int, width: int, blank: int, collapse: bool) -> tuple[Array, Array]:
    """Labels as [batch, width] and the number of labels of each row; blanks at the ends of rows are padding."""
    owner = indices[:, 0].astype(np.int32)
    kept = values != blank
    if collapse and values.shape[0]:
        kept = kept.at[1:].min((values[1:] != values[:-1]) | (owner[1:] != owner[:-1]))
    lengths = jnp.zeros(batch, np.int32).at[owner].add(kept.astype(np.int32), mode="drop")
    start = jnp.cumsum(lengths) - lengths
    place = jnp.cumsum(kept.astype(np.int32)) - 1 - start[owner]
    place = jnp.where(kept, place, width)  # beyond the edge: dropped
    return jnp.zeros((batch, width), np.int32).at[owner, place].set(values, mode="drop"), lengths


class _Lattice:
    """The extended labels (blanks between, before and after) and the moves between them."""

    def __init__(self, labels: Array, lengths: Array, blank: int, merge: bool) -> None:
        batch, width = labels.shape
        self.size = 2 * width + 1
        odd = np.arange(self.size) % 2 == 1
        classes = jnp.full((batch, self.size), blank, np.int32).at[:, 1::2].set(labels)
        self.classes = classes
        before = jnp.pad(classes, ((0, 0), (2, 0)), constant_values=-1)[:, : self.size]
        same = (classes == before) & merge
        self.skips = jnp.asarray(odd & (np.arange(self.size) > 1)) & ~same
        self.stays = np.broadcast_to(~odd | merge, (batch, self.size))
        self.end = 2 * lengths
        at = np.arange(self.size)
        self.used = at <= self.end[:, None]


def _shifted(x: Array, by: int) -> Array:
    """Moves places up by 1 or 2, or down; nothing comes in."""
    config = [(0, 0, 0), (by, -by, 0)]
    return lax.pad(x, np.asarray(NOTHING, x.dtype), config)


def _log_sum(*terms: Array) -> Array:
    top = jnp.maximum(jnp.maximum(terms[0], terms[1]), terms[2])
    return top + jnp.log(sum(jnp.exp(t - top) for t in terms))


def _masked(x: Array, mask: Any) -> Array:
    return jnp.where(mask, x, np.asarray(NOTHING, x.dtype))


def _forward(scores: Array, lattice: _Lattice, lengths: Array) -> Array:
    """Per time step the log probability of being at each place, that step's class included: [time, batch, size]."""
    at = np.arange(lattice.size)
    first = _masked(scores[0], (at <= 1) & lattice.used)

    def step(alpha: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        t, score = inputs
        moved = _log_sum(_masked(alpha, lattice.stays), _shifted(alpha, 1), _masked(_shifted(alpha, 2), lattice.skips))
        new = jnp.where((t < lengths)[:, None], _masked(moved + score, lattice.used), alpha)
        return new, new

    _, rest = lax.scan(step, first, (jnp.arange(1, scores.shape[0]), scores[1:]))
    return jnp.concatenate([first[None], rest])


def _backward(scores: Array, lattice: _Lattice, lengths: Array) -> Array:
    """Per time step the log probability of the steps after it from each place: [time, batch, size]."""
    at = np.arange(lattice.size)
    ends = (at == lattice.end[:, None]) | (at == lattice.end[:, None] - 1)
    last = jnp.where(ends, np.asarray(0, scores.dtype), np.asarray(NOTHING, scores.dtype))
    skips = jnp.pad(lattice.skips, ((0, 0), (0, 2)))[:, 2:]

    def step(beta: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        t, score = inputs  # of the step after t
        ahead = _masked(beta + score, lattice.used)
        moved = _log_sum(_masked(ahead, lattice.stays), _shifted(ahead, -1), _masked(_shifted(ahead, -2), skips))
        new = jnp.where((t < lengths - 1)[:, None], moved, last)
        return new, new

    times = jnp.arange(scores.shape[0] - 1)
    _, rest = lax.scan(step, last, (times, scores[1:]), reverse=True)
    return jnp.concatenate([rest, last[None]])


@lowers("CTCLoss")
def ctc_loss(
    inputs: Any, indices: Any, values: Any, lengths: Any, collapse: bool, merge: bool, ignore_longer: bool, name: Any = None
) -> tuple[Array, Array]:
    """Loss and gradient. Labels beyond the number of time steps cannot be reached and are dropped."""
    inputs, indices, values, lengths = (jnp.asarray(x) for x in (inputs, indices, values, lengths))
    steps, batch, classes = inputs.shape
    if steps == 0 or batch == 0:
        return jnp.zeros(batch, inputs.dtype), jnp.zeros_like(inputs)
    labels, counts = _dense_labels(indices, values, batch, min(values.shape[0], steps), classes - 1, collapse)
    lattice = _Lattice(labels, counts, classes - 1, merge)
    log_p = log_softmax(inputs)
    scores = jnp.take_along_axis(log_p, jnp.broadcast_to(lattice.classes, (steps, *lattice.classes.shape)), axis=2)
    alpha, beta = _forward(scores, lattice, lengths), _backward(scores, lattice, lengths)
    total = jnp.where(counts <= lengths, _last_sum(alpha[-1], lattice), np.asarray(NOTHING, inputs.dtype))
    possible = total > NOTHING / 2
    posterior = jnp.where(possible[:, None], jnp.exp(alpha + beta - total[:, None]), np.asarray(0, inputs.dtype))
    # the expected share of each class: places of one class add up
    hot = (lattice.classes[:, 1::2, None] == np.arange(classes)).astype(inputs.dtype)
    share = jnp.einsum("tbu,buc->tbc", posterior[:, :, 1::2], hot).at[:, :, -1].add(posterior[:, :, ::2].sum(2))
    empty = (lengths == 0) | ((counts > lengths) & ignore_longer)
    active = (np.arange(steps)[:, None] < lengths) & ~empty
    loss = jnp.where(empty, np.asarray(0, inputs.dtype), jnp.where(possible, -total, np.asarray(np.inf, inputs.dtype)))
    return loss, jnp.where(active[:, :, None], jnp.exp(log_p) - share, np.asarray(0, inputs.dtype))


def _last_sum(alpha: Array, lattice: _Lattice) -> Array:
    at = jnp.minimum(lattice.end, lattice.size - 1)[:, None]
    blank = jnp.take_along_axis(alpha, at, 1)[:, 0]
    label = jnp.where(lattice.end > 0, jnp.take_along_axis(alpha, jnp.maximum(at - 1, 0), 1)[:, 0], np.asarray(NOTHING, alpha.dtype))
    return jnp.logaddexp(blank, label)
