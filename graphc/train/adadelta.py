"""Adadelta."""

from collections.abc import Sequence
from typing import Any

from graphc.train.rule import RuleOptimizer
from ir.build import export
from ir.convert import convert_to_tensor
from ir.ops import training_dense, training_sparse
from ir.ops.cast import cast
from ir.ops.training_dense import Update


@export("train.AdadeltaOptimizer")
class AdadeltaOptimizer(RuleOptimizer):
    """Adadelta: steps scaled by the ratio of two running means, of squared steps and of squared gradients (Zeiler, 2012).

    Args:
      learning_rate: a float or tensor; 1 is the paper's.
      rho: how slowly the running means forget.
      epsilon: keeps the roots away from zero.
      use_locking: accepted.
      name: the name of the operations and of the slots "accum" and "accum_update".
    """

    def __init__(self, learning_rate: Any = 0.001, rho: Any = 0.95, epsilon: Any = 1e-8, use_locking: bool = False, name: str = "Adadelta") -> None:
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._rho = rho
        self._epsilon = epsilon
        self._lr_t: Any = None
        self._rho_t: Any = None
        self._epsilon_t: Any = None

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "accum", self._name)
            self._zeros_slot(v, "accum_update", self._name)

    def _prepare(self) -> None:
        self._lr_t = convert_to_tensor(self._call_if_callable(self._lr), name="lr")
        self._rho_t = convert_to_tensor(self._call_if_callable(self._rho), name="rho")
        self._epsilon_t = convert_to_tensor(self._call_if_callable(self._epsilon), name="epsilon")

    def _dense(self) -> Update:
        return training_dense.adadelta

    def _rows(self) -> Update:
        return training_sparse.adadelta

    def _arguments(self, var: Any) -> dict[str, Any]:
        dtype = var.dtype.base_dtype
        return {
            "accum": self.get_slot(var, "accum"),
            "accum_update": self.get_slot(var, "accum_update"),
            "lr": cast(self._lr_t, dtype),
            "rho": cast(self._rho_t, dtype),
            "epsilon": cast(self._epsilon_t, dtype),
        }
