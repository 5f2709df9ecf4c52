"""Adagrad, plain and by dual averaging."""

from collections.abc import Sequence
from typing import Any

from graphc.train.rule import RuleOptimizer
from graphc.variables.initializers import Constant
from ir.build import export
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.ops import training_dense, training_sparse
from ir.ops.basic import identity
from ir.ops.cast import cast
from ir.ops.layout import fill, shape
from ir.ops.training_dense import Update


@export("train.AdagradOptimizer")
class AdagradOptimizer(RuleOptimizer):
    """Adagrad: `accum += grad ** 2`, `var -= learning_rate * grad / sqrt(accum)` (Duchi, Hazan and Singer, 2011).

    Args:
      learning_rate: a float or tensor.
      initial_accumulator_value: what the slot "accumulator" starts at, positive.
      use_locking: accepted.
      name: the name of the operations and of the slot.

    Raises ValueError when `initial_accumulator_value` is not positive.
    """

    def __init__(self, learning_rate: Any, initial_accumulator_value: float = 0.1, use_locking: bool = False, name: str = "Adagrad") -> None:
        if initial_accumulator_value <= 0.0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial_accumulator_value = initial_accumulator_value
        self._learning_rate_tensor: Any = None

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            dtype = v.dtype.base_dtype
            if v.get_shape().is_fully_defined():
                start = Constant(self._initial_accumulator_value, dtype=dtype)
                self._get_or_make_slot_with_initializer(v, start, v.get_shape(), dtype, "accumulator", self._name)
            else:
                start = cast(fill(shape(v.initialized_value()), self._initial_accumulator_value), dtype)
                self._get_or_make_slot(v, start, "accumulator", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = convert_to_tensor(self._call_if_callable(self._learning_rate), name="learning_rate")

    def _dense(self) -> Update:
        return training_dense.adagrad

    def _rows(self) -> Update:
        return training_sparse.adagrad

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {"accum": self.get_slot(var, "accumulator"), "lr": cast(self._learning_rate_tensor, var.dtype.base_dtype)}


@export("train.AdagradDAOptimizer")
class AdagradDAOptimizer(RuleOptimizer):
    """Adagrad by dual averaging: each value follows from the sums of all gradients and of their squares.

    It takes care that weights which the L1 penalty wants to be zero are zero. The variables start at zero in effect:
    their initial values are not used.

    Args:
      learning_rate: a float or tensor.
      global_step: the variable that counts the steps, the penalties grow with it.
      initial_gradient_squared_accumulator_value: what the sum of squares starts at, positive.
      l1_regularization_strength, l2_regularization_strength: floats, not negative.
      use_locking: accepted.
      name: the name of the operations and of the slots "gradient_accumulator" and "gradient_squared_accumulator".

    Raises ValueError when the initial value is not positive.
    """

    def __init__(
        self, learning_rate: Any, global_step: Any, initial_gradient_squared_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0, l2_regularization_strength: float = 0.0, use_locking: bool = False, name: str = "AdagradDA",
    ) -> None:  # fmt: skip
        if initial_gradient_squared_accumulator_value <= 0.0:
            raise ValueError(f"initial_gradient_squared_accumulator_value must be positive: {initial_gradient_squared_accumulator_value}")
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial_gradient_squared_accumulator_value = initial_gradient_squared_accumulator_value
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength
        self._global_step = global_step
        self._learning_rate_tensor: Any = None
        self._global_step_on_worker: Any = None

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            with get_default_graph().colocate_with(v.op):
                dtype = v.dtype.base_dtype
                total = constant(0.0, shape=v.get_shape(), dtype=dtype)
                squares = constant(self._initial_gradient_squared_accumulator_value, shape=v.get_shape(), dtype=dtype)
            self._get_or_make_slot(v, total, "gradient_accumulator", self._name)
            self._get_or_make_slot(v, squares, "gradient_squared_accumulator", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = convert_to_tensor(self._learning_rate, name="learning_rate")
        self._global_step_on_worker = identity(self._global_step) + 1

    def _dense(self) -> Update:
        return training_dense.adagrad_da

    def _rows(self) -> Update:
        return training_sparse.adagrad_da

    def _arguments(self, var: Any) -> dict[str, Any]:
        dtype = var.dtype.base_dtype
        step = identity(self._global_step_on_worker)
        return {
            "gradient_accumulator": self.get_slot(var, "gradient_accumulator"),
            "gradient_squared_accumulator": self.get_slot(var, "gradient_squared_accumulator"),
            "lr": cast(self._learning_rate_tensor, dtype),
            "l1": cast(self._l1_regularization_strength, dtype),
            "l2": cast(self._l2_regularization_strength, dtype),
            "global_step": step,
        }
