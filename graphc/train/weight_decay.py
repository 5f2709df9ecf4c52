"""Weight decay that is separate from the gradient (Loshchilov and Hutter, 2019)."""

from collections.abc import Callable, Iterable
from typing import Any

from graphc.train.adam import AdamOptimizer
from graphc.train.momentum import MomentumOptimizer
from graphc.train.optimizer import Optimizer
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.indexed_slices import IndexedSlices
from ir.ops.basic import no_op
from ir.ops.gather import gather
from ir.ops.scatter import resource_scatter_add, scatter_add
from ir.tensor import Tensor


@export("contrib.opt.DecoupledWeightDecayExtension")
class DecoupledWeightDecayExtension:
    """A mixin that stands before an optimizer class: before each update, `var -= weight_decay * var`.

    `minimize` and `apply_gradients` take `decay_var_list`, the variables that decay; by default all do.

    Args:
      weight_decay: a float or tensor; it is not multiplied by the learning rate.
      kwargs: what the optimizer takes.
    """

    def __init__(self, weight_decay: Any, **kwargs: Any) -> None:
        self._decay_var_list: set[Any] | None = None
        self._weight_decay = weight_decay
        self._weight_decay_tensor: Any = None
        super().__init__(**kwargs)

    def minimize(
        self, loss: Any, global_step: Any = None, var_list: Any = None, gate_gradients: int = Optimizer.GATE_OP, aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False, name: str | None = None, grad_loss: Any = None, decay_var_list: Iterable[Any] | None = None,
    ) -> Any:  # fmt: skip
        """`Optimizer.minimize`; `decay_var_list` are the variables that decay."""
        self._decay_var_list = set(decay_var_list) if decay_var_list else None
        return super().minimize(  # pyright: ignore[reportAttributeAccessIssue]
            loss, global_step=global_step, var_list=var_list, gate_gradients=gate_gradients, aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops, name=name, grad_loss=grad_loss,
        )  # fmt: skip

    def apply_gradients(
        self, grads_and_vars: Iterable[tuple[Any, Any]], global_step: Any = None, name: str | None = None, decay_var_list: Iterable[Any] | None = None,
    ) -> Any:  # fmt: skip
        """`Optimizer.apply_gradients`; `decay_var_list` are the variables that decay."""
        if decay_var_list:
            self._decay_var_list = set(decay_var_list)
        return super().apply_gradients(grads_and_vars, global_step=global_step, name=name)  # pyright: ignore[reportAttributeAccessIssue]

    def _prepare(self) -> None:
        decay = self._weight_decay() if callable(self._weight_decay) else self._weight_decay
        self._weight_decay_tensor = convert_to_tensor(decay, name="weight_decay")
        super()._prepare()  # pyright: ignore[reportAttributeAccessIssue]

    def _rate(self) -> Any:
        return self._weight_decay_tensor if callable(self._weight_decay) else self._weight_decay

    def _decay_weights_op(self, var: Any) -> Any:
        if self._decay_var_list is not None and var not in self._decay_var_list:
            return no_op()
        return var.assign_sub(self._rate() * var, self._use_locking)  # pyright: ignore[reportAttributeAccessIssue]

    def _decay_weights_sparse_op(self, var: Any, indices: Tensor, add_rows: Callable[..., Any]) -> Any:
        if self._decay_var_list is not None and var not in self._decay_var_list:
            return no_op()
        return add_rows(var, indices, -self._rate() * gather(var, indices))

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        with get_default_graph().control_dependencies([self._decay_weights_op(var)]):
            return super()._apply_dense(grad, var)  # pyright: ignore[reportAttributeAccessIssue]

    def _resource_apply_dense(self, grad: Tensor, handle: Any) -> Any:
        with get_default_graph().control_dependencies([self._decay_weights_op(handle)]):
            return super()._resource_apply_dense(grad, handle)  # pyright: ignore[reportAttributeAccessIssue]

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        def add_rows(x: Any, i: Tensor, v: Tensor) -> Any:
            return scatter_add(x, i, v, use_locking=self._use_locking)  # pyright: ignore[reportAttributeAccessIssue]

        with get_default_graph().control_dependencies([self._decay_weights_sparse_op(var, grad.indices, add_rows)]):
            return super()._apply_sparse(grad, var)  # pyright: ignore[reportAttributeAccessIssue]

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        def add_rows(x: Any, i: Tensor, v: Tensor) -> Any:
            with get_default_graph().control_dependencies([resource_scatter_add(x.handle, i, v)]):
                return x.value()

        with get_default_graph().control_dependencies([self._decay_weights_sparse_op(handle, indices, add_rows)]):
            return super()._resource_apply_sparse(grad, handle, indices)  # pyright: ignore[reportAttributeAccessIssue]


@export("contrib.opt.extend_with_decoupled_weight_decay")
def extend_with_decoupled_weight_decay(base_optimizer: type[Any]) -> type[Any]:
    """Returns a class like optimizer class `base_optimizer` whose first argument is a weight decay.

    See `DecoupledWeightDecayExtension`. It fits optimizers whose update does not depend on the variable's value.
    """

    class OptimizerWithDecoupledWeightDecay(DecoupledWeightDecayExtension, base_optimizer):
        """An optimizer with weight decay."""

        def __init__(self, weight_decay: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(weight_decay, *args, **kwargs)

    return OptimizerWithDecoupledWeightDecay


@export("contrib.opt.MomentumWOptimizer")
class MomentumWOptimizer(DecoupledWeightDecayExtension, MomentumOptimizer):
    """`MomentumOptimizer` with weight decay: SGDW.

    Args:
      weight_decay: see `DecoupledWeightDecayExtension`; the others are those of `MomentumOptimizer`.
    """

    def __init__(
        self, weight_decay: Any, learning_rate: Any, momentum: Any, use_locking: bool = False, name: str = "MomentumW", use_nesterov: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            weight_decay, learning_rate=learning_rate, momentum=momentum, use_locking=use_locking, name=name, use_nesterov=use_nesterov
        )


@export("contrib.opt.AdamWOptimizer")
class AdamWOptimizer(DecoupledWeightDecayExtension, AdamOptimizer):
    """`AdamOptimizer` with weight decay: AdamW.

    Args:
      weight_decay: see `DecoupledWeightDecayExtension`; the others are those of `AdamOptimizer`.
    """

    def __init__(
        self, weight_decay: Any, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999, epsilon: Any = 1e-8, use_locking: bool = False,
        name: str = "AdamW",
    ) -> None:  # fmt: skip
        super().__init__(
            weight_decay, learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon, use_locking=use_locking, name=name
        )
