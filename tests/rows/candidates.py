"""Rows of ir.ops.candidates and ir.ops.sampled_loss. Samples are those TensorFlow 1.15.5 drew with seed=5, seed2=7."""

import numpy as np
from scipy.special import expit, log_softmax

from ir.ops import candidates as c, sampled_loss
from tests.rowdef import ErrorRow, Row, normal, uniform

TRUE = np.int64([[0, 3], [7, 19]])
ARGS = {"num_true": 2, "num_sampled": 6, "range_max": 20, "seed": 5, "seed2": 7}
WEIGHTS = [float(i + 1) for i in range(20)]


def expected(p, sampled, tries):
    """Of the true classes and of the samples, with `tries` draws; as many tries as samples: repeats were allowed."""
    p = np.asarray(p, np.float64)
    how = p * 6 if tries == 6 else 1 - (1 - p) ** tries
    return [np.int64(sampled), how[TRUE], how[sampled]]


EVEN = np.full(20, 1 / 20)
LOG = np.log((np.arange(20) + 2) / (np.arange(20) + 1)) / np.log(21)
POWER = np.array(WEIGHTS) ** 0.75 / (np.array(WEIGHTS) ** 0.75).sum()
SHORT = np.append([0, 0], np.array(WEIGHTS[:18]) ** 0.75) / (np.array(WEIGHTS[:18]) ** 0.75).sum()


def row(op, fn, p, sampled, tries=6, name="", **attrs):
    return Row(op, lambda t: list(fn(t, unique=tries != 6 or "distinct" in name, **ARGS, **attrs)), [TRUE], lambda t: expected(p, sampled, tries), id=name,
               rtol=1e-5)  # fmt: skip


FIXED = {"unigrams": WEIGHTS, "distortion": 0.75}

CLASSES, DIM = 12, 4
W, B, X = normal(CLASSES, DIM), normal(CLASSES, seed=1), normal(3, DIM, seed=2)
LABELS = np.int64([[1, 4], [0, 2], [5, 5]])
SAMPLED = np.int64([3, 4, 11, 0])
VALUES = (SAMPLED, uniform(3, 2, seed=3), uniform(4, seed=4))


def logits(w, b, x, remove):
    true = np.einsum("bd,btd->bt", x, w[LABELS]) + b[LABELS] - np.log(VALUES[1])
    sampled = x @ w[SAMPLED].T + b[SAMPLED] - np.log(VALUES[2])
    if remove:
        hit = (LABELS[:, :, None] == SAMPLED).any(1)
        sampled = np.where(hit, -np.inf, sampled)
    return true, sampled


def nce(w, b, x, remove=False):
    true, sampled = logits(w, b, x, remove)
    labels = np.full(true.shape, 0.5)
    return -(labels * np.log(expit(true)) + (1 - labels) * np.log(expit(-true))).sum(1) - np.log(expit(-sampled)).sum(1)


def softmax_loss(w, b, x, remove=True):
    true, sampled = logits(w, b, x, remove)
    return -(log_softmax(np.concatenate([true, sampled], 1), 1)[:, :2] / 2).sum(1)


def loss(fn, **kwargs):
    return lambda w, b, x: fn(w, b, LABELS, x, 4, CLASSES, 2, VALUES, **kwargs)


def in_parts(w, b, x):
    return sampled_loss.nce_loss([w[0::2], w[1::2]], b, LABELS, x, 4, CLASSES, 2, VALUES)


ROWS = [
    row("UniformCandidateSampler", c._uniform_candidate_sampler, EVEN, [10, 11, 15, 16, 18, 9]),
    row("UniformCandidateSampler", c._uniform_candidate_sampler, EVEN, [10, 11, 15, 16, 18, 9], name="distinct"),
    row("LogUniformCandidateSampler", c._log_uniform_candidate_sampler, LOG, [4, 0, 6, 0, 0, 14]),
    row("LogUniformCandidateSampler", c._log_uniform_candidate_sampler, LOG, [4, 0, 6, 14, 7, 1], 11, "distinct"),
    row("FixedUnigramCandidateSampler", c._fixed_unigram_candidate_sampler, POWER, [15, 12, 16, 18, 6, 16], **FIXED),
    row("FixedUnigramCandidateSampler", c._fixed_unigram_candidate_sampler, POWER, [15, 12, 16, 18, 6, 10], 8, "distinct", **FIXED),
    row("FixedUnigramCandidateSampler", c._fixed_unigram_candidate_sampler, SHORT, [15, 12, 15, 18, 6, 16], name="reserved", unigrams=WEIGHTS[:18],
        distortion=0.75, num_reserved_ids=2),
    row("LearnedUnigramCandidateSampler", c._learned_unigram_candidate_sampler, EVEN, [10, 15, 19, 12, 19, 16]),
    row("LearnedUnigramCandidateSampler", c._learned_unigram_candidate_sampler, EVEN, [10, 15, 19, 12, 16, 8], 7, "distinct"),
    row("ThreadUnsafeUnigramCandidateSampler", c.thread_unsafe_unigram_candidate_sampler, EVEN, [10, 15, 19, 12, 19, 16]),
    Row("AllCandidateSampler", lambda t: list(c.all_candidate_sampler(t, 2, 20, True)), [TRUE],
        lambda t: [np.arange(20), np.ones((2, 2)), np.ones(20)]),
    Row("ComputeAccidentalHits", lambda t, s: list(c.compute_accidental_hits(t, s, 2)), [TRUE, np.int64([3, 0, 5, 3, 19])],
        lambda t, s: [np.int32([0, 0, 1]), np.int64([1, 3, 4]), np.full(3, np.finfo(np.float32).min)]),
    Row("ComputeAccidentalHits", lambda t, s: list(c.compute_accidental_hits(t, s, 2)), [TRUE, np.int64([5])],
        lambda t, s: [np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0)], id="none"),
    Row("LogUniformCandidateSampler", lambda t: c.log_uniform_candidate_sampler(t, 2, 20, True, 20, seed=1)[0], [TRUE], None, id="all of them"),
    Row("Log1p", loss(sampled_loss.nce_loss), [W, B, X], nce, id="nce_loss", rtol=1e-4),
    Row("Log1p", loss(sampled_loss.nce_loss, remove_accidental_hits=True), [W, B, X], lambda w, b, x: nce(w, b, x, True), id="nce_loss without hits",
        rtol=1e-4),
    Row("Log1p", in_parts, [W, B, X], nce, id="nce_loss in parts", rtol=1e-4),
    Row("SoftmaxCrossEntropyWithLogits", loss(sampled_loss.sampled_softmax_loss), [W, B, X], softmax_loss, id="sampled", rtol=1e-4),
    Row("SoftmaxCrossEntropyWithLogits", loss(sampled_loss.sampled_softmax_loss, remove_accidental_hits=False), [W, B, X],
        lambda w, b, x: softmax_loss(w, b, x, False), id="sampled with hits", rtol=1e-4, grad=True),
]  # fmt: skip

ERRORS = [
    ErrorRow("UniformCandidateSampler", lambda: c.uniform_candidate_sampler(TRUE, 2, 6, True, 5), ValueError, "cannot sample 6 distinct classes out of 5"),
    ErrorRow("UniformCandidateSampler", lambda: c.uniform_candidate_sampler(TRUE, 1, 6, False, 5), ValueError, "num_true = 1"),
    ErrorRow("ComputeAccidentalHits", lambda: c.compute_accidental_hits(TRUE, SAMPLED, 3), ValueError, "num_true = 3"),
]
