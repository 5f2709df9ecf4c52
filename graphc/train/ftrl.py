"""FTRL: follow the regularized leader."""

from collections.abc import Sequence
from typing import Any

from graphc.train.rule import RuleOptimizer
from ir.build import export
from ir.convert import constant, convert_to_tensor
from ir.ops import training_dense, training_sparse
from ir.ops.cast import cast
from ir.ops.training_dense import Update


@export("train.FtrlOptimizer")
class FtrlOptimizer(RuleOptimizer):
    """Follow the regularized leader, for sparse linear models (McMahan et al., 2013).

    Args:
      learning_rate: a float or tensor.
      learning_rate_power: how the rate falls with the sum of squared gradients, not positive; 0 keeps it fixed.
      initial_accumulator_value: what the sum of squares, slot "accum", starts at, not negative.
      l1_regularization_strength, l2_regularization_strength: floats, not negative.
      use_locking: accepted.
      name: the name of the operations.
      accum_name, linear_name: the names of the slots "accum" and "linear", by default `name`.
      l2_shrinkage_regularization_strength: an L2 penalty on the size of the weights, added to the gradient; not negative.

    Raises ValueError when one of these is out of its range.
    """

    def __init__(
        self, learning_rate: Any, learning_rate_power: float = -0.5, initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0, l2_regularization_strength: float = 0.0, use_locking: bool = False, name: str = "Ftrl",
        accum_name: str | None = None, linear_name: str | None = None, l2_shrinkage_regularization_strength: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        if initial_accumulator_value < 0.0:
            raise ValueError(f"initial_accumulator_value {initial_accumulator_value} needs to be positive or zero")
        if learning_rate_power > 0.0:
            raise ValueError(f"learning_rate_power {learning_rate_power} needs to be negative or zero")
        for label, value in (
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            if value < 0.0:
                raise ValueError(f"{label} {value} needs to be positive or zero")
        self._learning_rate = learning_rate
        self._learning_rate_power = learning_rate_power
        self._initial_accumulator_value = initial_accumulator_value
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength
        self._l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self._accum_name = accum_name
        self._linear_name = linear_name
        self._tensors: dict[str, Any] = {}

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            start = constant(self._initial_accumulator_value, dtype=v.dtype.base_dtype, shape=v.get_shape())
            self._get_or_make_slot(v, start, "accum", self._accum_name or self._name)
            self._zeros_slot(v, "linear", self._linear_name or self._name)

    def _prepare(self) -> None:
        given = {
            "lr": ("learning_rate", self._learning_rate),
            "l1": ("l1_regularization_strength", self._l1_regularization_strength),
            "l2": ("l2_regularization_strength", self._l2_regularization_strength),
            "l2_shrinkage": ("l2_shrinkage_regularization_strength", self._l2_shrinkage_regularization_strength),
            "lr_power": ("learning_rate_power", self._learning_rate_power),
        }
        self._tensors = {k: convert_to_tensor(value, name=name) for k, (name, value) in given.items()}

    @property
    def _shrinks(self) -> bool:
        return self._l2_shrinkage_regularization_strength > 0

    def _dense(self) -> Update:
        return training_dense.ftrl_v2 if self._shrinks else training_dense.ftrl

    def _rows(self) -> Update:
        return training_sparse.ftrl_v2 if self._shrinks else training_sparse.ftrl

    def _arguments(self, var: Any) -> dict[str, Any]:
        scalars = {k: cast(t, var.dtype.base_dtype) for k, t in self._tensors.items() if k != "l2_shrinkage" or self._shrinks}
        return {"accum": self.get_slot(var, "accum"), "linear": self.get_slot(var, "linear"), **scalars}
