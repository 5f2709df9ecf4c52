"""RMSProp."""

from collections.abc import Sequence
from typing import Any

from graphc.train.rule import RuleOptimizer
from graphc.variables.initializers import Ones
from ir.build import export
from ir.convert import convert_to_tensor
from ir.ops import training_dense, training_sparse
from ir.ops.cast import cast
from ir.ops.layout import ones_like
from ir.ops.training_dense import Update


@export("train.RMSPropOptimizer")
class RMSPropOptimizer(RuleOptimizer):
    """RMSProp: gradients divided by the root of a running mean of their squares (Tieleman and Hinton, 2012).

    `mean_square = decay * mean_square + (1 - decay) * grad ** 2`,
    `mom = momentum * mom + learning_rate * grad / sqrt(mean_square + epsilon)`, `var -= mom`.

    Args:
      learning_rate: a float or tensor.
      decay: how slowly the running mean forgets.
      momentum: a float or tensor.
      epsilon: keeps the root away from zero.
      use_locking: accepted.
      centered: divide by the root of the estimated variance, not of the mean square.
      name: the name of the operations and of the slots "rms" (which starts at one), "mg" (if centered) and "momentum".
    """

    def __init__(
        self, learning_rate: Any, decay: Any = 0.9, momentum: Any = 0.0, epsilon: Any = 1e-10, use_locking: bool = False, centered: bool = False,
        name: str = "RMSProp",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._decay = decay
        self._momentum = momentum
        self._epsilon = epsilon
        self._centered = centered
        self._learning_rate_tensor: Any = None
        self._decay_tensor: Any = None
        self._momentum_tensor: Any = None
        self._epsilon_tensor: Any = None

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            dtype = v.dtype.base_dtype
            if v.get_shape().is_fully_defined():
                self._get_or_make_slot_with_initializer(v, Ones(dtype=dtype), v.get_shape(), dtype, "rms", self._name)
            else:
                self._get_or_make_slot(v, ones_like(v.initialized_value()), "rms", self._name)
            if self._centered:
                self._zeros_slot(v, "mg", self._name)
            self._zeros_slot(v, "momentum", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = convert_to_tensor(self._call_if_callable(self._learning_rate), name="learning_rate")
        self._decay_tensor = convert_to_tensor(self._call_if_callable(self._decay), name="decay")
        self._momentum_tensor = convert_to_tensor(self._call_if_callable(self._momentum), name="momentum")
        self._epsilon_tensor = convert_to_tensor(self._call_if_callable(self._epsilon), name="epsilon")

    def _dense(self) -> Update:
        return training_dense.centered_rms_prop if self._centered else training_dense.rms_prop

    def _rows(self) -> Update:
        return training_sparse.centered_rms_prop if self._centered else training_sparse.rms_prop

    def _arguments(self, var: Any) -> dict[str, Any]:
        dtype = var.dtype.base_dtype
        slots = {"mg": self.get_slot(var, "mg")} if self._centered else {}
        return {
            **slots,
            "ms": self.get_slot(var, "rms"),
            "mom": self.get_slot(var, "momentum"),
            "lr": cast(self._learning_rate_tensor, dtype),
            "rho": cast(self._decay_tensor, dtype),
            "momentum": cast(self._momentum_tensor, dtype),
            "epsilon": cast(self._epsilon_tensor, dtype),
        }
