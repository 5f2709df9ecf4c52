"""Gradient descent with momentum."""

from collections.abc import Sequence
from typing import Any

from graphc.train.rule import RuleOptimizer
from ir.build import export
from ir.convert import convert_to_tensor
from ir.ops import training_dense, training_sparse
from ir.ops.cast import cast
from ir.ops.training_dense import Update


@export("train.MomentumOptimizer")
class MomentumOptimizer(RuleOptimizer):
    """Gradient descent with momentum: `accum = momentum * accum + grad`, `var -= learning_rate * accum`.

    Args:
      learning_rate: a float or tensor.
      momentum: a float or tensor.
      use_locking: accepted.
      name: the name of the operations and of the slot "momentum", which is `accum`.
      use_nesterov: take the gradient one step ahead: `var -= learning_rate * (grad + momentum * accum)`
        (Sutskever et al., 2013).
    """

    def __init__(self, learning_rate: Any, momentum: Any, use_locking: bool = False, name: str = "Momentum", use_nesterov: bool = False) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._momentum = momentum
        self._use_nesterov = use_nesterov
        self._learning_rate_tensor: Any = None
        self._momentum_tensor: Any = None

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "momentum", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = convert_to_tensor(self._call_if_callable(self._learning_rate), name="learning_rate")
        self._momentum_tensor = convert_to_tensor(self._call_if_callable(self._momentum), name="momentum")

    def _dense(self) -> Update:
        return training_dense.momentum

    def _rows(self) -> Update:
        return training_sparse.momentum

    def _arguments(self, var: Any) -> dict[str, Any]:
        dtype = var.dtype.base_dtype
        return {
            "accum": self.get_slot(var, "momentum"),
            "lr": cast(self._learning_rate_tensor, dtype),
            "momentum": cast(self._momentum_tensor, dtype),
            "use_nesterov": self._use_nesterov,
        }
