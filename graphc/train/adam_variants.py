"""Variants of Adam: AdaMax, LazyAdam, Nadam."""

from collections.abc import Callable, Sequence
from typing import Any

from graphc.train.adam import AdamOptimizer
from graphc.train.rule import cast_to
from ir.build import export
from ir.convert import get_default_graph
from ir.indexed_slices import IndexedSlices
from ir.ops import training_dense
from ir.ops.arith import maximum
from ir.ops.basic import group
from ir.ops.elementwise import abs_, sqrt, square
from ir.ops.gather import gather
from ir.ops.scatter import resource_scatter_sub, resource_scatter_update, scatter_sub, scatter_update
from ir.ops.training_dense import Update
from ir.tensor import Operation, Tensor

Scatter = Callable[[Any, Tensor, Tensor], Any]


@export("contrib.opt.AdaMaxOptimizer")
class AdaMaxOptimizer(AdamOptimizer):
    """Adam with the running maximum of gradients in place of the root of the second moment (Kingma and Ba, 2015, section 7).

    Rows that a sparse gradient does not mention, and their slots, stay as they are. The arguments are those of `AdamOptimizer`.
    """

    def __init__(
        self, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999, epsilon: Any = 1e-8, use_locking: bool = False, name: str = "AdaMax",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)

    def _get_beta_accumulators(self) -> Any:
        return self._get_non_slot_variable("beta1_power", get_default_graph())

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        first = min(var_list, key=lambda v: v.name)
        self._create_non_slot_variable(self._call_if_callable(self._beta1), name="beta1_power", colocate_with=first)
        for v in var_list:
            self._zeros_slot(v, "m", self._name)
            self._zeros_slot(v, "v", self._name)

    def _dense(self) -> Update:
        return training_dense.ada_max

    def _arguments(self, var: Any) -> dict[str, Any]:
        power = cast_to(self._get_beta_accumulators(), var.dtype)
        return {"m": self.get_slot(var, "m"), "v": self.get_slot(var, "v"), "beta1_power": power, **self._scalars(var)}

    def _update_rows(self, grad: Tensor, var: Any, indices: Tensor, add_rows: Scatter, set_rows: Scatter) -> Operation:
        given = self._arguments(var)
        graph = get_default_graph()
        m_rows = gather(given["m"], indices) * given["beta1"] + grad * (1 - given["beta1"])
        with graph.control_dependencies([m_rows]):
            m_t = set_rows(given["m"], indices, m_rows)
        v_rows = maximum(gather(given["v"], indices) * given["beta2"], abs_(grad))
        with graph.control_dependencies([v_rows]):
            v_t = set_rows(given["v"], indices, v_rows)
        step = -given["lr"] / (1 - given["beta1_power"]) * (m_rows / (v_rows + given["epsilon"]))
        with graph.control_dependencies([step]):
            done = add_rows(var, indices, step)
        return group(done, m_t, v_t)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        def set_rows(x: Any, i: Tensor, v: Tensor) -> Any:
            return scatter_update(x, i, v, use_locking=self._use_locking)

        return self._update_rows(grad.values, var, grad.indices, self._ref_scatter_add, set_rows)

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        def set_rows(x: Any, i: Tensor, v: Tensor) -> Any:
            with get_default_graph().control_dependencies([resource_scatter_update(x.handle, i, v)]):
                return x.value()

        return self._update_rows(grad, handle, indices, self._resource_scatter_add, set_rows)

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Operation:
        graph = get_default_graph()
        with graph.control_dependencies(update_ops):
            power = self._get_beta_accumulators()
            with graph.colocate_with(power.op):
                updated = power.assign(power * self._beta1_t, use_locking=self._use_locking)
        return group(*update_ops, updated, name=name_scope)


@export("contrib.opt.LazyAdamOptimizer")
class LazyAdamOptimizer(AdamOptimizer):
    """Adam that leaves rows which a sparse gradient does not mention, and their slots, as they are.

    For large embeddings it is much faster than `AdamOptimizer`, whose arguments it has, and its results differ.
    """

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        given, rate = self._rate(var)
        indices = grad.indices
        m_t = scatter_update(given["m"], indices, self._mixed(given["m"], given["beta1"], lambda: grad.values, indices), use_locking=self._use_locking)
        v_t = scatter_update(given["v"], indices, self._mixed(given["v"], given["beta2"], lambda: square(grad.values), indices), use_locking=self._use_locking)
        m_rows, v_rows = gather(m_t, indices), gather(v_t, indices)
        divisor = sqrt(v_rows) + given["epsilon"]
        done = scatter_sub(var, indices, rate * m_rows / divisor, use_locking=self._use_locking)
        return group(done, m_t, v_t)

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        given, rate = self._rate(handle)
        m_rows = self._mixed(given["m"], given["beta1"], lambda: grad, indices)
        m_done = resource_scatter_update(given["m"].handle, indices, m_rows)
        v_rows = self._mixed(given["v"], given["beta2"], lambda: square(grad), indices)
        v_done = resource_scatter_update(given["v"].handle, indices, v_rows)
        done = resource_scatter_sub(handle.handle, indices, rate * m_rows / (sqrt(v_rows) + given["epsilon"]))
        return group(done, m_done, v_done)

    def _rate(self, var: Any) -> tuple[dict[str, Any], Tensor]:
        given = self._arguments(var)
        return given, given["lr"] * sqrt(1 - given["beta2_power"]) / (1 - given["beta1_power"])

    @staticmethod
    def _mixed(slot: Any, decay: Tensor, rows: Callable[[], Tensor], indices: Tensor) -> Tensor:
        return decay * gather(slot, indices) + (1 - decay) * rows()


@export("contrib.opt.NadamOptimizer")
class NadamOptimizer(AdamOptimizer):
    """Adam with Nesterov's momentum (Dozat, 2016). The arguments are those of `AdamOptimizer`."""

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {**super()._arguments(var), "use_nesterov": True}

    def _apply_sparse_shared(self, grad: Tensor, var: Any, indices: Tensor, add_rows: Scatter) -> Operation:
        given = self._arguments(var)
        beta1, beta2 = given["beta1"], given["beta2"]
        rate = given["lr"] * sqrt(1 - given["beta2_power"]) / (1 - given["beta1_power"])
        scaled = grad * (1 - beta1)
        decayed = given["m"].assign(given["m"] * beta1, use_locking=self._use_locking)
        with get_default_graph().control_dependencies([decayed]):
            m_t = add_rows(given["m"], indices, scaled)
            m_ahead = scaled + beta1 * gather(m_t, indices)
        v_t = self._decayed_plus_rows(given["v"], beta2, (grad * grad) * (1 - beta2), indices, add_rows)
        root = sqrt(gather(v_t, indices))
        done = add_rows(var, indices, -rate * m_ahead / (root + given["epsilon"]))
        return group(done, m_ahead, v_t)
