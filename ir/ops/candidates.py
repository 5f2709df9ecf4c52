"""Sampling of classes for losses over many: the samplers, and which samples are true classes by accident. Host ops.

With seeds the samples are TensorFlow 1.15's, drawn one by one from its Philox stream.
"""

import csv
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ir import philox
from ir.build import export, grad, op
from ir.errors import InvalidArgumentError
from ir.infer import Infer
from ir.opdef import Floats, Int64
from ir.ops.draws import Array, Draw, Words, doubles, integers, without_skew
from ir.random_seed import get_seed
from ir.shapes import Dims
from ir.tensor import Tensor

# -- distributions: how to draw, and the probability of each class ------------------------------------


class _Alias:
    """Sampling in proportion to weights by the alias method (A. J. Walker, 1977), with one table entry per class."""

    def __init__(self, weights: Sequence[float]) -> None:
        n = len(weights)
        total = float(np.sum(np.asarray(weights, np.float64)))
        share = [float(np.float32(w)) * n / total for w in weights]
        self.other = np.full(n, -1, np.int64)
        low, high = [i for i in range(n) if share[i] < 1], [i for i in range(n) if share[i] >= 1]
        while high and low:
            small, large = low.pop(), high.pop()
            self.other[small] = large
            share[large] -= 1 - share[small]
            (low if share[large] < 1 else high).append(large)
        self.keep = np.array(share, np.float32)
        for i in (*high, *low):
            self.keep[i], self.other[i] = 1, i
        self.count = n

    def draw(self, words: Words) -> Draw:
        """Draws classes: a float and an integer each."""

        def one() -> int:
            part = float(words.take(1)[0] & np.uint64(0x7FFFFF)) * 2.0**-23
            at = int(integers(words, self.count, False)(1)[0])
            return at if part < self.keep[at] else int(self.other[at])

        def draw(count: int) -> Array:
            raw = words.peek(2 * count)
            if len(without_skew(raw[1::2], self.count, 32)) < count:  # one is rejected: the pairs shift
                return np.array([one() for _ in range(count)], np.int64)
            words.take(2 * count)
            part = (raw[::2] & np.uint64(0x7FFFFF)).astype(np.float32) * np.float32(2.0**-23)
            at = without_skew(raw[1::2], self.count, 32).astype(np.int64)
            return np.where(part < self.keep[at], at, self.other[at])

        return draw


def _distinct(draw: Draw, count: int) -> tuple[Array, int]:
    """Draws until `count` different values have come; they, and the number of draws."""
    values = draw(count)
    while True:
        first = np.sort(np.unique(values, return_index=True)[1])
        if len(first) >= count:
            return values[first[:count]], int(first[count - 1]) + 1
        values = np.append(values, draw(max(count - len(first), count // 2)))


def _expected(p: Array, count: int, tries: int) -> Array:
    """How often values of probability `p` are expected among the samples."""
    p = p.astype(np.float32)
    if tries == count:
        return p * np.float32(count)
    return (-np.expm1(tries * np.log1p(-p.astype(np.float64)))).astype(np.float32)


def _sampled(true_classes: Array, draw: Draw, probability: Callable[[Array], Array], count: int, unique: bool, limit: int) -> tuple[Array, Array, Array]:
    if unique and count > limit:
        raise InvalidArgumentError(None, None, f"cannot sample {count} distinct classes out of {limit}")
    values, tries = _distinct(draw, count) if unique else (draw(count), count)
    return values, _expected(probability(true_classes), count, tries), _expected(probability(values), count, tries)


def _after(state: Any, count: int) -> Any:
    return philox.advanced(state, 512 * count)


# -- the ops -----------------------------------------------------------------------------------------


def _sampler_dims(c: Infer) -> list[Dims]:
    true = c.rank(0, 2)
    if true[1] is not None and true[1] != c.attrs["num_true"]:
        raise ValueError(f"true_classes must have num_true = {c.attrs['num_true']} columns, got {true[1]}")
    size = c.attrs["num_sampled"]
    if c.attrs["unique"] and size > c.attrs.get("range_max", size):
        raise ValueError(f"cannot sample {size} distinct classes out of {c.attrs['range_max']}")
    return [(size,), (true[0], c.attrs["num_true"]), (size,)]


OUTPUTS = "sampled_candidates: int64, true_expected_count: float32, sampled_expected_count: float32"


@op("UniformCandidateSampler", _sampler_dims, out=OUTPUTS, random=True, host=True, num_true=1, num_sampled=1, range_max=1)
def _uniform_candidate_sampler(
    true_classes: Int64, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int = 0, seed2: int = 0, name: str | None = None, *,
    state: Any = None,
) -> Any:  # fmt: skip
    """Samples classes, each equally likely."""
    draw = integers(Words(state), range_max, True)
    even = np.float32(1) / np.float32(range_max)
    found = _sampled(np.asarray(true_classes), draw, lambda v: np.full(v.shape, even), num_sampled, unique, range_max)
    return (*found, _after(state, num_sampled))


@op("LogUniformCandidateSampler", _sampler_dims, out=OUTPUTS, random=True, host=True, num_true=1, num_sampled=1, range_max=1)
def _log_uniform_candidate_sampler(
    true_classes: Int64, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int = 0, seed2: int = 0, name: str | None = None, *,
    state: Any = None,
) -> Any:  # fmt: skip
    """Samples classes, class k with a probability proportional to log((k + 2) / (k + 1))."""
    words, scale = Words(state), math.log1p(range_max)

    def draw(count: int) -> Array:
        return (np.exp(doubles(words, count) * scale).astype(np.int64) - 1) % range_max

    def probability(v: Array) -> Array:
        return np.log((v + 2.0) / (v + 1.0)) / scale

    return (*_sampled(np.asarray(true_classes), draw, probability, num_sampled, unique, range_max), _after(state, num_sampled))


def _counted_sampler(true_classes: Any, num_sampled: int, unique: bool, range_max: int, state: Any) -> Any:
    """The learned sampler: the state holds a count per class behind the stream's own three entries."""
    state = np.asarray(state)
    counts = state[3:].astype(np.int64) if len(state) > 3 else np.ones(range_max, np.int64)
    total, ends = int(counts.sum()), np.cumsum(counts)
    numbers = integers(Words(state[:3]), total, False)
    true = np.asarray(true_classes)
    found = _sampled(true, lambda n: np.searchsorted(ends, numbers(n), side="right"), lambda v: counts[v] / total, num_sampled, unique, range_max)
    counts = counts + np.bincount(true.reshape(-1), minlength=range_max)
    return (*found, np.append(_after(state[:3], num_sampled), counts.astype(np.uint64)))


@op("LearnedUnigramCandidateSampler", _sampler_dims, out=OUTPUTS, random=True, host=True, num_true=1, num_sampled=1, range_max=1)
def _learned_unigram_candidate_sampler(
    true_classes: Int64, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int = 0, seed2: int = 0, name: str | None = None, *,
    state: Any = None,
) -> Any:  # fmt: skip
    """Samples classes in proportion to how often they were true classes before, each counted once more."""
    return _counted_sampler(true_classes, num_sampled, unique, range_max, state)


@op("ThreadUnsafeUnigramCandidateSampler", _sampler_dims, out=OUTPUTS, random=True, host=True, num_true=1, num_sampled=1, range_max=1)
def thread_unsafe_unigram_candidate_sampler(
    true_classes: Int64, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int = 0, seed2: int = 0, name: str | None = None, *,
    state: Any = None,
) -> Any:  # fmt: skip
    """`LearnedUnigramCandidateSampler` under another name."""
    return _counted_sampler(true_classes, num_sampled, unique, range_max, state)


def _unigram_weights(
    vocab_file: str, unigrams: Sequence[float], distortion: float, num_reserved_ids: int, num_shards: int, shard: int
) -> list[float]:
    raw = list(unigrams)
    if vocab_file:
        with open(vocab_file, newline="") as f:
            raw = [float(row[-1]) for row in csv.reader(f) if row]
    bent = [0.0] * num_reserved_ids + [float(np.float32(w)) ** float(np.float32(distortion)) for w in raw]
    return [w for i, w in enumerate(bent) if i % num_shards == shard]


@op(
    "FixedUnigramCandidateSampler", _sampler_dims, out=OUTPUTS, random=True, host=True, num_true=1, num_sampled=1, range_max=1, num_shards=1, shard=0,
)  # fmt: skip
def _fixed_unigram_candidate_sampler(
    true_classes: Int64, num_true: int, num_sampled: int, unique: bool, range_max: int, vocab_file: str = "", distortion: float = 1,
    num_reserved_ids: int = 0, num_shards: int = 1, shard: int = 0, unigrams: Floats = (), seed: int = 0, seed2: int = 0, name: str | None = None, *,
    state: Any = None,
) -> Any:  # fmt: skip
    """Samples classes in proportion to given weights, raised to a power."""
    weights = _unigram_weights(vocab_file, unigrams, distortion, num_reserved_ids, num_shards, shard)
    if num_shards == 1 and len(weights) != range_max:
        raise InvalidArgumentError(None, None, f"range_max is {range_max} but {len(weights)} weights were provided")
    share = np.array(weights, np.float32) / np.float32(sum(weights))

    def probability(v: Array) -> Array:
        inside = (v >= 0) & (v // num_shards < len(share)) & (v % num_shards == shard)
        return np.where(inside, share[np.clip(v // num_shards, 0, len(share) - 1)], np.float32(0))

    classes = _Alias(weights).draw(Words(state))
    found = _sampled(np.asarray(true_classes), lambda n: classes(n) * num_shards + shard, probability, num_sampled, unique, len(weights))
    return (*found, _after(state, num_sampled))


@op("AllCandidateSampler", _sampler_dims, out=OUTPUTS, random=True, host=True, num_true=1, num_sampled=1)
def _all_candidate_sampler(
    true_classes: Int64, num_true: int, num_sampled: int, unique: bool, seed: int = 0, seed2: int = 0, name: str | None = None, *, state: Any = None
) -> Any:
    """Samples every class once."""
    ones = np.ones(num_sampled, np.float32)
    return np.arange(num_sampled, dtype=np.int64), np.ones(np.shape(true_classes), np.float32), ones, state


def _hits_dims(c: Infer) -> list[Dims]:
    true = c.rank(0, 2)
    c.rank(1, 1)
    if true[1] is not None and true[1] != c.attrs["num_true"]:
        raise ValueError(f"true_classes must have num_true = {c.attrs['num_true']} columns, got {true[1]}")
    return [(None,)] * 3


@op("ComputeAccidentalHits", _hits_dims, out="indices: int32, ids: int64, weights: float32", host=True, dynamic=True)
def _compute_accidental_hits(true_classes: Int64, sampled_candidates: Int64, num_true: int, seed: int = 0, seed2: int = 0, name: str | None = None) -> Any:
    """Which samples are true classes: rows, positions among the samples, and the lowest float for each."""
    place = {int(v): i for i, v in enumerate(np.asarray(sampled_candidates))}
    hits = [(b, place[int(v)]) for b, row in enumerate(np.asarray(true_classes)) for v in row if int(v) in place]
    rows, at = np.array(hits, np.int64).reshape(-1, 2).T
    return rows.astype(np.int32), at, np.full(len(hits), np.finfo(np.float32).min)


grad.none(
    "UniformCandidateSampler LogUniformCandidateSampler LearnedUnigramCandidateSampler ThreadUnsafeUnigramCandidateSampler "
    "FixedUnigramCandidateSampler AllCandidateSampler ComputeAccidentalHits",
    "samples are not a continuous function",
)


# -- TF1's functions ---------------------------------------------------------------------------------


@export("nn.uniform_candidate_sampler random.uniform_candidate_sampler")
def uniform_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int | None = None, name: str | None = None
) -> Any:
    """Samples classes in [0, range_max), each equally likely.

    Args:
      true_classes: [batch, num_true], int64.
      num_true: the number of true classes per example.
      num_sampled: how many classes to sample, for the whole batch.
      unique: whether they must differ.
      range_max: the number of classes.
      seed: an integer; see `tf.set_random_seed`.
      name: a name for the operation.

    Returns (sampled_candidates, true_expected_count, sampled_expected_count): [num_sampled], int64; how often each true class
    is expected among the samples, [batch, num_true]; and the same for the samples, [num_sampled]. Raises ValueError when there are too
    few classes.
    """
    first, second = get_seed(seed)
    return _uniform_candidate_sampler(true_classes, num_true, num_sampled, unique, range_max, first or 0, second or 0, name=name)


@export("nn.log_uniform_candidate_sampler random.log_uniform_candidate_sampler")
def log_uniform_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int | None = None, name: str | None = None
) -> Any:
    """Samples classes from a distribution like Zipf's, for classes in the order of decreasing frequency.

    Class k has a probability proportional to log((k + 2) / (k + 1)). The arguments and results are those of
    `tf.nn.uniform_candidate_sampler`.
    """
    first, second = get_seed(seed)
    return _log_uniform_candidate_sampler(true_classes, num_true, num_sampled, unique, range_max, first or 0, second or 0, name=name)


@export("nn.learned_unigram_candidate_sampler random.learned_unigram_candidate_sampler")
def learned_unigram_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int | None = None, name: str | None = None
) -> Any:
    """Samples classes in proportion to how often they were true classes before.

    The arguments and results are those of `tf.nn.uniform_candidate_sampler`.
    """
    first, second = get_seed(seed)
    return _learned_unigram_candidate_sampler(true_classes, num_true, num_sampled, unique, range_max, first or 0, second or 0, name=name)


@export("nn.fixed_unigram_candidate_sampler random.fixed_unigram_candidate_sampler")
def fixed_unigram_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, vocab_file: str = "", distortion: float = 1.0,
    num_reserved_ids: int = 0, num_shards: int = 1, shard: int = 0, unigrams: Sequence[float] = (), seed: int | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    """Samples classes in proportion to given weights.

    Args:
      true_classes, num_true, num_sampled, unique, range_max, seed, name: as for `tf.nn.uniform_candidate_sampler`.
      vocab_file: a CSV file whose last column holds the weights, or
      unigrams: the weights.
      distortion: the power that the weights are raised to.
      num_reserved_ids: how many classes of weight 0 come first.
      num_shards, shard: sample only classes that are `shard` modulo `num_shards`.

    Returns what `tf.nn.uniform_candidate_sampler` returns.
    """
    first, second = get_seed(seed)
    return _fixed_unigram_candidate_sampler(
        true_classes, num_true, num_sampled, unique, range_max, vocab_file, distortion, num_reserved_ids, num_shards, shard, unigrams, first or 0,
        second or 0, name=name,
    )  # fmt: skip


@export("nn.all_candidate_sampler random.all_candidate_sampler")
def all_candidate_sampler(true_classes: Any, num_true: int, num_sampled: int, unique: bool, seed: int | None = None, name: str | None = None) -> Any:
    """Samples every class in [0, num_sampled) once; the results are those of `tf.nn.uniform_candidate_sampler`."""
    first, second = get_seed(seed)
    return _all_candidate_sampler(true_classes, num_true, num_sampled, unique, first or 0, second or 0, name=name)


@export("nn.compute_accidental_hits")
def compute_accidental_hits(
    true_classes: Any, sampled_candidates: Any, num_true: int, seed: int | None = None, name: str | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Finds the samples that are true classes.

    Args:
      true_classes: [batch, num_true], int64.
      sampled_candidates: [num_sampled], int64.
      num_true: the number of true classes per example.
      seed: not used.
      name: a name for the operation.

    Returns (indices, ids, weights): the example and the position among the samples of each hit, and the lowest float for each,
    to be added to the sample's logit.
    """
    first, second = get_seed(seed)
    return _compute_accidental_hits(true_classes, sampled_candidates, num_true, first or 0, second or 0, name=name)
