"""LARS: a learning rate per layer, for large batches."""

from collections.abc import Sequence
from typing import Any

from graphc.train.momentum import MomentumOptimizer
from ir.build import export
from ir.convert import convert_to_tensor
from ir.ops.cast import cast
from ir.ops.compare import greater
from ir.ops.elementwise import sqrt
from ir.ops.reduce import reduce_sum
from ir.ops.select import where
from ir.tensor import Tensor


@export("contrib.opt.LARSOptimizer")
class LARSOptimizer(MomentumOptimizer):
    """Momentum with learning rates scaled by layer (You, Gitman and Ginsburg, 2017).

    For each variable the rate is multiplied by `eeta * |var| / (|grad| + weight_decay * |var| + epsilon)`, where both norms are not zero,
    and `weight_decay * var` is added to the gradient. Rows of sparse gradients are updated by plain momentum.

    Args:
      learning_rate: a float or tensor.
      momentum: a float or tensor, not negative.
      weight_decay: a float, not negative.
      eeta: the coefficient of the scale.
      epsilon: added to the divisor.
      name: the name of the operations and of the slot "momentum".
      skip_list: variables whose names contain one of these strings get plain momentum without decay.
      use_nesterov: see `MomentumOptimizer`.

    Raises ValueError when `momentum` or `weight_decay` is negative.
    """

    def __init__(
        self, learning_rate: Any, momentum: Any = 0.9, weight_decay: Any = 0.0001, eeta: Any = 0.001, epsilon: Any = 0.0,
        name: str = "LARSOptimizer", skip_list: Sequence[str] | None = None, use_nesterov: bool = False,
    ) -> None:  # fmt: skip
        for label, value in (("momentum", momentum), ("weight_decay", weight_decay)):
            if isinstance(value, (int, float)) and value < 0.0:
                raise ValueError(f"{label} should be positive: {value}")
        super().__init__(learning_rate, momentum, name=name, use_nesterov=use_nesterov)
        self._weight_decay = weight_decay
        self._eeta = eeta
        self._epsilon = epsilon
        self._skip_list = skip_list

    def compute_lr(self, grad: Tensor, var: Any) -> tuple[Any, Tensor]:
        """Returns the learning rate for `var`, and its gradient with that of the decay."""
        rate = cast(self._learning_rate_tensor, var.dtype.base_dtype)
        if self._skip_list is not None and any(s in var.name for s in self._skip_list):
            return rate, grad
        value = convert_to_tensor(var)
        w_norm, g_norm = sqrt(reduce_sum(value * value)), sqrt(reduce_sum(grad * grad))
        trust = self._eeta * w_norm / (g_norm + self._weight_decay * w_norm + self._epsilon)
        one = cast(1.0, value.dtype.base_dtype)
        trust = where(greater(w_norm, 0), where(greater(g_norm, 0), trust, one), one)
        return rate * trust, grad + self._weight_decay * value

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        rate, full = self.compute_lr(grad, var)
        given = {**self._arguments(var), "lr": cast(1.0, var.dtype.base_dtype)}
        return self._dense().ref(var=var, grad=full * rate, use_locking=self._use_locking, **given).op

    def _resource_apply_dense(self, grad: Tensor, handle: Any) -> Any:
        rate, full = self.compute_lr(grad, handle)
        given = {**self._handles(handle), "lr": cast(1.0, handle.dtype.base_dtype)}
        return self._dense().resource(var=handle.handle, grad=full * rate, use_locking=self._use_locking, **given)
