"""Cross entropies and other losses between labels and logits, one value per example."""

from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import FLOAT, INDEX, bfloat16, float16, float32, int64
from ir.infer import Infer, broadcast_dims
from ir.opdef import In, T
from ir.ops.activation import log_softmax, relu, softmax
from ir.ops.arith import add, subtract
from ir.ops.basic import stop_gradient
from ir.ops.cast import cast
from ir.ops.compare import equal, greater_equal, less_equal, logical_and
from ir.ops.debug import assert_
from ir.ops.elementwise import abs_, exp, log, log1p
from ir.ops.joining import concat
from ir.ops.layout import expand_dims, ones_like, range_, rank, reshape, shape, transpose, zeros_like
from ir.ops.reduce import reduce_all, reduce_sum
from ir.ops.select import where
from ir.ops.slicing import slice_
from ir.shapes import Dims, compatible, merge_dims, shape_str
from ir.tensor import Operation, Tensor

Tlabels = Annotated[Any, In("Tlabels")]


# -- softmax cross entropy ---------------------------------------------------------------------------


def _dense_dims(c: Infer) -> list[Dims]:
    both = broadcast_dims(c.rank(0, 2), c.rank(1, 2))
    return [None if both is None else (both[0],), both]


def _shifted(features: Any) -> tuple[Any, Any, Any]:
    """Logits less their maximum, the exponentials and their sums per row, in at least float32."""
    wide = xp.astype(features, np.float32) if features.dtype.itemsize == 2 else features
    z = xp.subtract(wide, xp.max(wide, axis=-1, keepdims=True, initial=-np.inf))
    e = xp.exp(z)
    return z, e, xp.sum(e, axis=-1, keepdims=True)


@op("SoftmaxCrossEntropyWithLogits", _dense_dims, out="loss: T, backprop: T", T=FLOAT)
def _softmax_cross_entropy(features: T, labels: T, name: str | None = None) -> Any:
    """The cross entropy between rows of `labels` and the softmax of rows of `features`, and its gradient.

    Rows broadcast against each other.
    """
    z, e, total = _shifted(features)
    wide = xp.astype(labels, z.dtype)
    loss = xp.sum(wide * (xp.log(total) - z), axis=-1)
    return xp.astype(loss, features.dtype), xp.astype(e / total - wide, features.dtype)


def _softmax_backprop(logits: Tensor, backprop: Tensor, d_loss: Tensor | None, d_backprop: Tensor | None) -> Tensor | None:
    """The gradient with respect to the logits of a loss and of its own gradient."""
    parts: list[Tensor] = []
    if d_loss is not None:
        parts.append(expand_dims(d_loss, -1) * backprop)
    if d_backprop is not None:
        p = softmax(logits)
        parts.append((d_backprop - reduce_sum(d_backprop * p, 1, keepdims=True)) * p)
    return sum(parts[1:], parts[0]) if parts else None


@grad("SoftmaxCrossEntropyWithLogits")
def _(op: Operation, d_loss: Tensor | None, d_backprop: Tensor | None) -> Any:
    logits = op.inputs[0]
    # as in TensorFlow, d_backprop reaches the logits only: second derivatives by the labels lack that part
    d_labels = None if d_loss is None else expand_dims(d_loss, -1) * -log_softmax(logits)
    return _softmax_backprop(logits, op.outputs[1], d_loss, d_backprop), d_labels


def _sparse_dims(c: Infer) -> list[Dims]:
    features, labels = c.rank(0, 2), c.rank(1, 1)
    if not compatible(features[:1], labels):
        raise ValueError(f"Shapes {shape_str(features)} and {shape_str(labels)} do not fit: one label is needed per row of logits")
    rows = merge_dims(features[:1], labels)
    return [rows, None if rows is None else (*rows, features[1])]


@op("SparseSoftmaxCrossEntropyWithLogits", _sparse_dims, out="loss: T, backprop: T", T=FLOAT, Tlabels=INDEX.default_to(int64))
def _sparse_softmax_cross_entropy(features: T, labels: Tlabels, name: str | None = None) -> Any:
    """The cross entropy between one class per row and the softmax of rows of `features`, and its gradient.

    Both are NaN in a row whose label is no class.
    """
    z, e, total = _shifted(features)
    classes = z.shape[-1]
    index = xp.expand_dims(labels, -1)
    picked = xp.take_along_axis(z, xp.clip(index, 0, max(classes - 1, 0)), axis=-1) if classes else xp.zeros_like(total)
    valid = (index >= 0) & (index < classes)
    loss = xp.where(valid, xp.log(total) - picked, np.asarray(np.nan, z.dtype))[..., 0]
    hot = xp.astype(index == np.arange(classes, dtype=labels.dtype), z.dtype)
    backprop = xp.where(valid, e / total - hot, np.asarray(np.nan, z.dtype))
    return xp.astype(loss, features.dtype), xp.astype(backprop, features.dtype)


@grad("SparseSoftmaxCrossEntropyWithLogits")
def _(op: Operation, d_loss: Tensor | None, d_backprop: Tensor | None) -> Any:
    return _softmax_backprop(op.inputs[0], op.outputs[1], d_loss, d_backprop), None


def _require_names(function: str, sentinel: Any, labels: Any, logits: Any) -> None:
    if sentinel is not None:
        raise ValueError(f"Only call `{function}` with named arguments (labels=..., logits=..., ...)")
    if labels is None or logits is None:
        raise ValueError("Both labels and logits must be provided.")


def _flatten_outer(x: Tensor) -> Tensor:
    """Returns `x` as a matrix of its last dimension's rows."""
    count = rank(x)
    last = slice_(shape(x), [subtract(count, 1)], [1])
    return reshape(x, concat([[-1], last], 0))


def _to_last(x: Tensor, axis: int, count: Tensor) -> Tensor:
    return transpose(x, concat([range_(axis), range_(axis + 1, count), [axis]], 0))


def _precise(x: Tensor) -> Tensor:
    return cast(x, float32) if x.dtype.base_dtype in (float16, bfloat16) else x


@export("nn.softmax_cross_entropy_with_logits_v2")
def softmax_cross_entropy_with_logits_v2(labels: Any, logits: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """Computes the cross entropy between `labels` and the softmax of `logits`; gradients flow into both.

    Args:
      labels: probabilities of classes along `axis`, in the shape and type of `logits`.
      logits: unscaled logarithms of probabilities, float.
      axis: the dimension of the classes, the last by default; `dim` is the same.
      name: a name for the operation.

    Returns a tensor of the type of `logits`, without the class dimension.

    >>> softmax_cross_entropy_with_logits_v2([[0.0, 1.0]], [[1.0, 2.0]]).shape.as_list()
    [1]
    """
    if dim is not None and axis is not None:
        raise ValueError("Cannot specify both 'dim' and 'axis'")
    axis = dim if axis is None else axis
    return _along(labels, logits, -1 if axis is None else axis, name)


def _along(labels: Any, logits: Any, axis: int, name: str | None) -> Tensor:
    with get_default_graph().name_scope(name or "softmax_cross_entropy_with_logits") as scope:
        logits = convert_to_tensor(logits, name="logits")
        precise = _precise(logits)
        labels = cast(labels, precise.dtype.base_dtype)
        count = rank(precise)
        known = logits.dims
        if axis != -1:
            axis = axis if axis >= 0 or known is None else axis + len(known)
            precise, labels = _to_last(precise, axis, count), _to_last(labels, axis, count)
        outer = shape(precise)
        cost = _softmax_cross_entropy(_flatten_outer(precise), _flatten_outer(labels), name=scope)[0]
        cost = reshape(cost, slice_(outer, [0], [subtract(count, 1)]))
        if known is not None:
            cost.set_shape([d for i, d in enumerate(known) if i != axis % len(known)])
        return cost if precise is logits or logits.dtype.base_dtype == cost.dtype else cast(cost, logits.dtype.base_dtype)


@export("nn.softmax_cross_entropy_with_logits")
def softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, dim: int = -1, name: str | None = None, axis: Any = None
) -> Tensor:
    """Computes the cross entropy between `labels` and the softmax of `logits`; no gradient flows into the labels.

    Args:
      labels: probabilities of classes along `dim`, in the shape and type of `logits`.
      logits: unscaled logarithms of probabilities, float.
      dim: the dimension of the classes; `axis` is the same.
      name: a name for the operation.

    Only named arguments are allowed. Returns a tensor of the type of `logits`, without the class dimension.
    """
    if axis is not None:
        dim = axis
    _require_names("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    with get_default_graph().name_scope(name or "softmax_cross_entropy_with_logits_sg") as scope:
        labels = stop_gradient(labels, name="labels_stop_gradient")
        return _along(labels, logits, dim, scope)


@export("nn.sparse_softmax_cross_entropy_with_logits")
def sparse_softmax_cross_entropy_with_logits(_sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None) -> Tensor:
    """Computes the cross entropy between classes given by number and the softmax of `logits`.

    Args:
      labels: int32 or int64 classes, in [0, number of classes): the shape of `logits` without its last dimension.
      logits: unscaled logarithms of probabilities, float.
      name: a name for the operation.

    Only named arguments are allowed. Returns a tensor in the shape of `labels` and the type of `logits`; it is NaN where a
    label is no class. Raises ValueError when the ranks or shapes do not fit.

    >>> sparse_softmax_cross_entropy_with_logits(labels=[1], logits=[[1.0, 2.0]]).shape.as_list()
    [1]
    """
    _require_names("sparse_softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    with get_default_graph().name_scope(name or "SparseSoftmaxCrossEntropyWithLogits"):
        labels = convert_to_tensor(labels)
        logits = convert_to_tensor(logits)
        precise = _precise(logits)
        labels_shape = shape(labels)
        dims, rows = logits.dims, labels.dims
        if dims is not None and not dims:
            raise ValueError(f"Logits cannot be scalars - received shape {shape_str(dims)}.")
        if dims is not None and rows is not None and len(dims) - len(rows) != 1:
            raise ValueError(f"Rank mismatch: Rank of labels (received {len(rows)}) should equal rank of logits minus 1 (received {len(dims)}).")
        if dims is not None and not compatible(dims[:-1], rows):
            expected = f"the shape of logits except for the last dimension (received {shape_str(dims)})"
            raise ValueError(f"Shape mismatch: The shape of labels (received {shape_str(rows)}) should equal {expected}.")
        if dims is not None and len(dims) == 2:
            cost = _sparse_softmax_cross_entropy(precise, labels, name=name)[0]
        else:
            cost = _sparse_flattened(precise, labels, labels_shape, name)
        return cast(cost, logits.dtype.base_dtype) if cost.dtype != logits.dtype.base_dtype else cost


def _sparse_flattened(logits: Tensor, labels: Tensor, labels_shape: Tensor, name: str | None) -> Tensor:
    checks: list[Any] = []
    if not (logits.shape[:-1].is_fully_defined() and labels.shape.is_fully_defined()):
        found, wanted = shape(labels), shape(logits)[:-1]
        text = "Shape mismatch: the shape of labels should equal the shape of logits except for the last dimension"
        checks.append(assert_(reduce_all(equal(found, wanted)), [text, found, wanted]))
    with get_default_graph().control_dependencies(checks):
        classes = shape(logits)[rank(logits) - 1]
        flat = reshape(logits, [-1, classes])
        cost = _sparse_softmax_cross_entropy(flat, reshape(labels, [-1]), name=name)[0]
        cost = reshape(cost, labels_shape)
        cost.set_shape(labels.shape)
        return cost


# -- logistic and Poisson losses ---------------------------------------------------------------------


def _same_shape(labels: Tensor, logits: Tensor, what: str = "logits and labels") -> None:
    try:
        merge_dims(labels.dims, logits.dims)
    except ValueError:
        raise ValueError(f"{what} must have the same shape ({shape_str(logits.dims)} vs {shape_str(labels.dims)})") from None


@export("nn.sigmoid_cross_entropy_with_logits")
def sigmoid_cross_entropy_with_logits(_sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None) -> Tensor:
    """Computes the cross entropy between `labels` and `sigmoid(logits)`, element by element.

    Args:
      labels: probabilities, in the shape and type of `logits`.
      logits: float.
      name: a name for the operation.

    Only named arguments are allowed. The formula, max(x, 0) - x z + log(1 + exp(-|x|)), does not overflow. Raises
    ValueError when the shapes differ.
    """
    _require_names("sigmoid_cross_entropy_with_logits", _sentinel, labels, logits)
    with get_default_graph().name_scope(name or "logistic_loss") as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        _same_shape(labels, logits)
        # a choice instead of max and abs, so that the gradient at 0 is the formula's
        zeros = zeros_like(logits, dtype=logits.dtype)
        positive = greater_equal(logits, zeros)
        top = where(positive, logits, zeros)
        negative_abs = where(positive, -logits, logits)
        return add(top - logits * labels, log1p(exp(negative_abs)), name=scope)


@export("nn.weighted_cross_entropy_with_logits")
def weighted_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, pos_weight: Any = None, name: str | None = None, targets: Any = None
) -> Tensor:
    """Computes the cross entropy between `labels` and `sigmoid(logits)` with positive labels weighted.

    Args:
      labels: probabilities, in the shape and type of `logits`; `targets` is the same.
      logits: float.
      pos_weight: the weight of the positive part.
      name: a name for the operation.

    Raises ValueError when the shapes differ.
    """
    if targets is not None:
        if labels is not None:
            raise ValueError("Cannot specify both 'targets' and 'labels'")
        labels = targets
    with get_default_graph().name_scope(name or "logistic_loss") as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        _same_shape(labels, logits)
        weight = 1 + (pos_weight - 1) * labels
        return add((1 - labels) * logits, weight * (log1p(exp(-abs_(logits))) + relu(-logits)), name=scope)


@export("nn.log_poisson_loss")
def log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None) -> Tensor:
    """Computes the loss exp(log_input) - log_input * targets of a Poisson rate given by its logarithm.

    Args:
      targets: counts, in the shape and type of `log_input`.
      log_input: float.
      compute_full_loss: add Stirling's approximation of log(targets!).
      name: a name for the operation.

    Raises ValueError when the shapes differ.
    """
    with get_default_graph().name_scope(name or "log_poisson_loss"):
        log_input = convert_to_tensor(log_input, name="log_input")
        targets = convert_to_tensor(targets, name="targets")
        _same_shape(targets, log_input, "log_input and targets")
        result = exp(log_input) - log_input * targets
        if not compute_full_loss:
            return result
        half = convert_to_tensor(0.5, dtype=targets.dtype.base_dtype)
        two_pi = convert_to_tensor(2 * np.pi, dtype=targets.dtype.base_dtype)
        stirling = targets * log(targets) - targets + half * log(two_pi * targets)
        zeros = zeros_like(targets, dtype=targets.dtype)
        ones = ones_like(targets, dtype=targets.dtype)
        small = logical_and(greater_equal(targets, zeros), less_equal(targets, ones))
        return result + where(small, zeros, stirling)


