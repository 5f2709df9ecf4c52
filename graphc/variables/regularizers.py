"""Regularizers: functions of a variable that return a scalar to add to the loss."""

import numbers
from collections.abc import Callable, Sequence
from typing import Any

from ir.build import export
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.ops.arith import multiply
from ir.ops.basic import add_n
from ir.ops.clip import l2_loss
from ir.ops.elementwise import abs_
from ir.ops.reduce import reduce_sum
from ir.scopes import GraphKeys
from ir.tensor import Tensor

Regularizer = Callable[[Any], Tensor | None]


def _check_scale(scale: Any, what: str) -> None:
    if isinstance(scale, numbers.Integral):
        raise ValueError(f"scale cannot be an integer: {scale}")
    if isinstance(scale, numbers.Real) and scale < 0.0:
        raise ValueError(f"Setting a scale less than 0 on {what}: {scale}.")


def _none(_: Any) -> None:
    return None


@export("no_regularizer")
def no_regularizer(_: Any) -> None:
    """Returns None: keeps a variable from the regularizer of its scope."""
    return


def _scaled(name: str, scale: Any, scope: str | None, norm: Callable[[Any], Tensor], norm_name: str) -> Regularizer:
    _check_scale(scale, norm_name)
    if scale == 0.0:
        return _none

    def regularize(weights: Any) -> Tensor:
        """Returns the scaled norm of `weights`."""
        with get_default_graph().name_scope(scope or name) as inner:
            factor = convert_to_tensor(scale, dtype=weights.dtype.base_dtype, name="scale")
            return multiply(factor, norm(weights), name=inner)

    return regularize


@export("contrib.layers.l1_regularizer")
def l1_regularizer(scale: float, scope: str | None = None) -> Regularizer:
    """Returns a function of weights that is `scale` times the sum of their absolute values.

    Raises ValueError when `scale` is negative or an integer.
    """
    return _scaled("l1_regularizer", scale, scope, lambda w: reduce_sum(abs_(w)), "`l1_regularizer`")


@export("contrib.layers.l2_regularizer")
def l2_regularizer(scale: float, scope: str | None = None) -> Regularizer:
    """Returns a function of weights that is `scale` times half the sum of their squares.

    Raises ValueError when `scale` is negative or an integer.
    """
    return _scaled("l2_regularizer", scale, scope, l2_loss, "`l2_regularizer`")


@export("contrib.layers.l1_l2_regularizer")
def l1_l2_regularizer(scale_l1: float = 1.0, scale_l2: float = 1.0, scope: str | None = None) -> Regularizer:
    """Returns a function of weights that is the sum of both penalties."""
    _check_scale(scale_l1, "`l1_regularizer`")
    _check_scale(scale_l2, "`l2_regularizer`")
    scope = scope or "l1_l2_regularizer"
    if scale_l1 == 0.0:
        return l2_regularizer(scale_l2, scope)
    if scale_l2 == 0.0:
        return l1_regularizer(scale_l1, scope)
    return sum_regularizer([l1_regularizer(scale_l1), l2_regularizer(scale_l2)], scope=scope)  # pyright: ignore[reportReturnType]


@export("contrib.layers.sum_regularizer")
def sum_regularizer(regularizer_list: Sequence[Regularizer | None], scope: str | None = None) -> Regularizer | None:
    """Returns a function of weights that is the sum of several, or None when there are none."""
    parts = [r for r in regularizer_list if r is not None]
    if not parts:
        return None

    def regularize(weights: Any) -> Tensor | None:
        """Returns the sum of the penalties of `weights`."""
        with get_default_graph().name_scope(scope or "sum_regularizer") as inner:
            found = [p for p in [r(weights) for r in parts] if p is not None]
            return add_n(found, name=inner) if found else None

    return regularize


@export("contrib.layers.apply_regularization")
def apply_regularization(regularizer: Regularizer, weights_list: Any = None) -> Tensor:
    """Returns the sum of the penalties of `weights_list` (by default the collection `weights`), and adds it to the regularization losses.

    Raises ValueError when a penalty is not a scalar.
    """
    graph = get_default_graph()
    weights = list(weights_list or graph.get_collection(GraphKeys.WEIGHTS))
    with graph.name_scope("get_regularization_penalty") as scope:
        found = [p if isinstance(p, Tensor) else constant(0.0) for p in [regularizer(w) for w in weights]]
        for p in found:
            if p.shape.ndims != 0:
                raise ValueError(f"regularizer must return a scalar Tensor instead of a Tensor with rank {p.shape.ndims}.")
        total = add_n(found, name=scope) if found else constant(0.0)
        graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, total)
        return total
