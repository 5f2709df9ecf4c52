"""Gradient descent and Adagrad followed by a proximal step, which makes weights exactly zero under an L1 penalty."""

from collections.abc import Sequence
from typing import Any

from graphc.train.rule import RuleOptimizer
from ir.build import export
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.ops import training_dense, training_sparse
from ir.ops.cast import cast
from ir.ops.training_dense import Update
from ir.tensor import Tensor


class _Proximal(RuleOptimizer):
    def __init__(self, learning_rate: Any, l1_regularization_strength: Any, l2_regularization_strength: Any, use_locking: bool, name: str) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength
        self._learning_rate_tensor: Any = None
        self._l1_regularization_strength_tensor: Any = None
        self._l2_regularization_strength_tensor: Any = None

    def _prepare(self) -> None:
        self._learning_rate_tensor = convert_to_tensor(self._learning_rate, name="learning_rate")
        self._l1_regularization_strength_tensor = convert_to_tensor(self._l1_regularization_strength, name="l1_regularization_strength")
        self._l2_regularization_strength_tensor = convert_to_tensor(self._l2_regularization_strength, name="l2_regularization_strength")

    def _scalars(self, var: Any, rate: str) -> dict[str, Any]:
        dtype = var.dtype.base_dtype
        return {
            rate: cast(self._learning_rate_tensor, dtype),
            "l1": cast(self._l1_regularization_strength_tensor, dtype),
            "l2": cast(self._l2_regularization_strength_tensor, dtype),
        }


@export("train.ProximalGradientDescentOptimizer")
class ProximalGradientDescentOptimizer(_Proximal):
    """Gradient descent with L1 and L2 penalties in a proximal step (Duchi and Singer, 2009).

    Args:
      learning_rate: a float or tensor.
      l1_regularization_strength, l2_regularization_strength: floats or tensors, not negative.
      use_locking: accepted.
      name: the name of the operations.
    """

    def __init__(
        self, learning_rate: Any, l1_regularization_strength: Any = 0.0, l2_regularization_strength: Any = 0.0, use_locking: bool = False,
        name: str = "ProximalGradientDescent",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, l1_regularization_strength, l2_regularization_strength, use_locking, name)

    def _dense(self) -> Update:
        return training_dense.proximal_gradient_descent

    def _rows(self) -> Update:
        return training_sparse.proximal_gradient_descent

    def _arguments(self, var: Any) -> dict[str, Any]:
        return self._scalars(var, "alpha")

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        return self._dense().ref(var=var, delta=grad, use_locking=self._use_locking, **self._arguments(var)).op

    def _resource_apply_dense(self, grad: Tensor, handle: Any) -> Any:
        return self._dense().resource(var=handle.handle, delta=grad, use_locking=self._use_locking, **self._arguments(handle))


@export("train.ProximalAdagradOptimizer")
class ProximalAdagradOptimizer(_Proximal):
    """Adagrad with L1 and L2 penalties in a proximal step (Duchi, Hazan and Singer, 2011).

    Args:
      learning_rate: a float or tensor.
      initial_accumulator_value: what the slot "accumulator" starts at, positive.
      l1_regularization_strength, l2_regularization_strength: floats or tensors, not negative.
      use_locking: accepted.
      name: the name of the operations and of the slot.

    Raises ValueError when `initial_accumulator_value` is not positive.
    """

    def __init__(
        self, learning_rate: Any, initial_accumulator_value: float = 0.1, l1_regularization_strength: Any = 0.0,
        l2_regularization_strength: Any = 0.0, use_locking: bool = False, name: str = "ProximalAdagrad",
    ) -> None:  # fmt: skip
        if initial_accumulator_value <= 0.0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(learning_rate, l1_regularization_strength, l2_regularization_strength, use_locking, name)
        self._initial_accumulator_value = initial_accumulator_value

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            with get_default_graph().colocate_with(v.op):
                start = constant(self._initial_accumulator_value, shape=v.get_shape(), dtype=v.dtype.base_dtype)
            self._get_or_make_slot(v, start, "accumulator", self._name)

    def _dense(self) -> Update:
        return training_dense.proximal_adagrad

    def _rows(self) -> Update:
        return training_sparse.proximal_adagrad

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {"accum": self.get_slot(var, "accumulator"), **self._scalars(var, "lr")}
