"""Adam."""

from collections.abc import Callable, Sequence
from typing import Any

from graphc.train.rule import RuleOptimizer, cast_to
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.indexed_slices import IndexedSlices
from ir.ops import training_dense
from ir.ops.basic import group
from ir.ops.cast import cast
from ir.ops.elementwise import sqrt
from ir.ops.scatter import resource_scatter_add, scatter_add
from ir.ops.training_dense import Update
from ir.tensor import Operation, Tensor

Scatter = Callable[[Any, Tensor, Tensor], Any]


@export("train.AdamOptimizer")
class AdamOptimizer(RuleOptimizer):
    """Adam: running means of the gradient and of its square, corrected for their start at zero (Kingma and Ba, 2015).

    At step t, `m = beta1 * m + (1 - beta1) * grad`, `v = beta2 * v + (1 - beta2) * grad ** 2` and
    `var -= learning_rate * sqrt(1 - beta2 ** t) / (1 - beta1 ** t) * m / (sqrt(v) + epsilon)`.

    Rows that a sparse gradient does not mention are updated as if their gradient were zero.

    Args:
      learning_rate: a float or tensor.
      beta1, beta2: floats or tensors: how slowly the running means forget.
      epsilon: a float or tensor; 1e-8 is small, some models want 0.1.
      use_locking: accepted.
      name: the name of the operations and of the slots "m" and "v".
    """

    def __init__(
        self, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999, epsilon: Any = 1e-8, use_locking: bool = False, name: str = "Adam",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._beta1 = beta1
        self._beta2 = beta2
        self._epsilon = epsilon
        self._lr_t: Any = None
        self._beta1_t: Any = None
        self._beta2_t: Any = None
        self._epsilon_t: Any = None

    def _get_beta_accumulators(self) -> tuple[Any, Any]:
        graph = get_default_graph()
        return self._get_non_slot_variable("beta1_power", graph), self._get_non_slot_variable("beta2_power", graph)

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        first = min(var_list, key=lambda v: v.name)
        self._create_non_slot_variable(self._call_if_callable(self._beta1), name="beta1_power", colocate_with=first)
        self._create_non_slot_variable(self._call_if_callable(self._beta2), name="beta2_power", colocate_with=first)
        for v in var_list:
            self._zeros_slot(v, "m", self._name)
            self._zeros_slot(v, "v", self._name)

    def _prepare(self) -> None:
        self._lr_t = convert_to_tensor(self._call_if_callable(self._lr), name="learning_rate")
        self._beta1_t = convert_to_tensor(self._call_if_callable(self._beta1), name="beta1")
        self._beta2_t = convert_to_tensor(self._call_if_callable(self._beta2), name="beta2")
        self._epsilon_t = convert_to_tensor(self._call_if_callable(self._epsilon), name="epsilon")

    def _dense(self) -> Update:
        return training_dense.adam

    def _arguments(self, var: Any) -> dict[str, Any]:
        dtype = var.dtype.base_dtype
        beta1_power, beta2_power = self._get_beta_accumulators()
        return {
            "m": self.get_slot(var, "m"),
            "v": self.get_slot(var, "v"),
            "beta1_power": cast_to(beta1_power, dtype),
            "beta2_power": cast_to(beta2_power, dtype),
            **self._scalars(var),
        }

    def _scalars(self, var: Any) -> dict[str, Any]:
        dtype = var.dtype.base_dtype
        return {
            "lr": cast(self._lr_t, dtype),
            "beta1": cast(self._beta1_t, dtype),
            "beta2": cast(self._beta2_t, dtype),
            "epsilon": cast(self._epsilon_t, dtype),
        }

    def _apply_sparse_shared(self, grad: Tensor, var: Any, indices: Tensor, add_rows: Scatter) -> Operation:
        """Returns the update of `var` by the rows `indices` of a gradient; `add_rows(variable, indices, rows)` adds rows."""
        given = self._arguments(var)
        beta1, beta2 = given["beta1"], given["beta2"]
        rate = given["lr"] * sqrt(1 - given["beta2_power"]) / (1 - given["beta1_power"])
        m_t = self._decayed_plus_rows(given["m"], beta1, grad * (1 - beta1), indices, add_rows)
        v_t = self._decayed_plus_rows(given["v"], beta2, (grad * grad) * (1 - beta2), indices, add_rows)
        root = sqrt(v_t)
        step = var.assign_sub(rate * m_t / (root + given["epsilon"]), use_locking=self._use_locking)
        return group(step, m_t, v_t)

    def _decayed_plus_rows(self, slot: Any, decay: Tensor, rows: Tensor, indices: Tensor, add_rows: Scatter) -> Any:
        decayed = slot.assign(slot * decay, use_locking=self._use_locking)
        with get_default_graph().control_dependencies([decayed]):
            return add_rows(slot, indices, rows)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        return self._apply_sparse_shared(grad.values, var, grad.indices, self._ref_scatter_add)

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        return self._apply_sparse_shared(grad, handle, indices, self._resource_scatter_add)

    def _ref_scatter_add(self, x: Any, i: Tensor, v: Tensor) -> Any:
        return scatter_add(x, i, v, use_locking=self._use_locking)

    def _resource_scatter_add(self, x: Any, i: Tensor, v: Tensor) -> Any:
        with get_default_graph().control_dependencies([resource_scatter_add(x.handle, i, v)]):
            return x.value()

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Operation:
        graph = get_default_graph()
        with graph.control_dependencies(update_ops):
            beta1_power, beta2_power = self._get_beta_accumulators()
            with graph.colocate_with(beta1_power.op):
                updates = [
                    beta1_power.assign(beta1_power * self._beta1_t, use_locking=self._use_locking),
                    beta2_power.assign(beta2_power * self._beta2_t, use_locking=self._use_locking),
                ]
        return group(*update_ops, *updates, name=name_scope)
