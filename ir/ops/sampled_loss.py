"""Losses over many classes that look at a sample of them: noise contrastive estimation and the sampled softmax."""

from typing import Any

from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import int32, int64
from ir.ops.arith import multiply
from ir.ops.basic import stop_gradient
from ir.ops.candidates import compute_accidental_hits, log_uniform_candidate_sampler
from ir.ops.cast import cast
from ir.ops.elementwise import log
from ir.ops.embedding import embedding_lookup
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, ones, ones_like, reshape, shape, zeros_like
from ir.ops.loss import sigmoid_cross_entropy_with_logits, softmax_cross_entropy_with_logits_v2
from ir.ops.matmul import matmul
from ir.ops.packing import stack
from ir.ops.slicing import slice_
from ir.ops.sparse import sparse_to_dense
from ir.tensor import Tensor


def _sum_rows(x: Tensor) -> Tensor:
    """The sums of the rows of a matrix, as a product with ones: the gradient is then a product too."""
    return reshape(matmul(x, ones(stack([shape(x)[1], 1]), x.dtype.base_dtype)), [-1])


def _penalties(labels: Tensor, sampled: Tensor, num_true: int, num_sampled: int, kind: Any) -> Tensor:
    """[batch, num_sampled]: the lowest float where a sample is a true class, else 0."""
    rows, at, weights = compute_accidental_hits(labels, sampled, num_true=num_true)
    places = concat([reshape(rows, [-1, 1]), reshape(cast(at, int32), [-1, 1])], 1, "sparse_indices")
    sizes = concat([shape(labels)[:1], expand_dims(num_sampled, 0)], 0)
    return sparse_to_dense(places, sizes, weights if weights.dtype == kind else cast(weights, kind), default_value=0.0, validate_indices=False)


def _sampled_logits(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int, num_true: int, sampled_values: Any, subtract_log_q: bool,
    remove_accidental_hits: bool, partition_strategy: str, name: str, seed: int | None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Logits and labels [batch, num_true + num_sampled] of the true and the sampled classes."""
    with get_default_graph().name_scope(name):
        labels = convert_to_tensor(labels)
        labels = labels if labels.dtype.base_dtype == int64 else cast(labels, int64)
        flat = reshape(labels, [-1])
        if sampled_values is None:
            sampled_values = log_uniform_candidate_sampler(labels, num_true, num_sampled, True, num_classes, seed=seed)
        sampled, true_count, sampled_count = (stop_gradient(s) for s in sampled_values)
        sampled = cast(sampled, int64)
        ids = concat([flat, sampled], 0)
        all_w = embedding_lookup(weights, ids, partition_strategy=partition_strategy)
        if all_w.dtype.base_dtype != inputs.dtype.base_dtype:
            all_w = cast(all_w, inputs.dtype.base_dtype)
        true_w = slice_(all_w, [0, 0], stack([shape(flat)[0], -1]))
        sampled_w = slice_(all_w, stack([shape(flat)[0], 0]), [-1, -1])
        sampled_logits = matmul(inputs, sampled_w, transpose_b=True)
        all_b = embedding_lookup(biases, ids, partition_strategy=partition_strategy)
        if all_b.dtype.base_dtype != inputs.dtype.base_dtype:
            all_b = cast(all_b, inputs.dtype.base_dtype)
        true_b, sampled_b = slice_(all_b, [0], shape(flat)), slice_(all_b, shape(flat), [-1])
        dim = shape(true_w)[1:2]
        # every example against its own true classes, all against the samples
        per_example = concat([[-1, num_true], dim], 0)
        products = multiply(expand_dims(inputs, 1), reshape(true_w, per_example))
        true_logits = reshape(_sum_rows(reshape(products, concat([[-1], dim], 0))), [-1, num_true])
        true_logits = true_logits + reshape(true_b, [-1, num_true])
        sampled_logits = sampled_logits + sampled_b
        if remove_accidental_hits:
            sampled_logits = sampled_logits + _penalties(labels, sampled, num_true, num_sampled, sampled_logits.dtype.base_dtype)
        if subtract_log_q:
            true_logits = true_logits - log(true_count)
            sampled_logits = sampled_logits - log(sampled_count)
        logits = concat([true_logits, sampled_logits], 1)
        targets = concat([ones_like(true_logits) / num_true, zeros_like(sampled_logits)], 1)
        return logits, targets


@export("nn.nce_loss")
def nce_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int, num_true: int = 1, sampled_values: Any = None,
    remove_accidental_hits: bool = False, partition_strategy: str = "mod", name: str = "nce_loss",
) -> Tensor:  # fmt: skip
    """Computes the loss of noise contrastive estimation: telling true classes from sampled ones.

    Args:
      weights: [num_classes, dim], or a list of parts of it.
      biases: [num_classes].
      labels: [batch, num_true], int64: the true classes.
      inputs: [batch, dim].
      num_sampled: how many classes to sample for the batch.
      num_classes: the number of classes.
      num_true: the true classes per example.
      sampled_values: what a candidate sampler returns; by default that of `tf.nn.log_uniform_candidate_sampler`.
      remove_accidental_hits: take no true class for a sample.
      partition_strategy: how `weights` is split when it is a list, as for `tf.nn.embedding_lookup`.
      name: a name for the operations.

    Returns [batch]. Source: M. Gutmann and A. Hyvärinen, "Noise-contrastive estimation" (2010).
    """
    inputs = convert_to_tensor(inputs)
    logits, targets = _sampled_logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, True, remove_accidental_hits, partition_strategy, name, None
    )
    return _sum_rows(sigmoid_cross_entropy_with_logits(labels=targets, logits=logits, name="sampled_losses"))


@export("nn.sampled_softmax_loss")
def sampled_softmax_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int, num_true: int = 1, sampled_values: Any = None,
    remove_accidental_hits: bool = True, partition_strategy: str = "mod", name: str = "sampled_softmax_loss", seed: int | None = None,
) -> Tensor:  # fmt: skip
    """Computes the softmax cross entropy over the true classes and a sample of the others; for training only.

    Args:
      weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, partition_strategy, name: as for
        `tf.nn.nce_loss`.
      remove_accidental_hits: take no true class for a sample.
      seed: of the sampler; see `tf.set_random_seed`.

    Returns [batch]. Source: S. Jean et al., "On using very large target vocabulary for neural machine translation" (2014).
    """
    inputs = convert_to_tensor(inputs)
    logits, targets = _sampled_logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, True, remove_accidental_hits, partition_strategy, name, seed
    )
    targets = stop_gradient(targets, name="labels_stop_gradient")
    return softmax_cross_entropy_with_logits_v2(labels=targets, logits=logits)
