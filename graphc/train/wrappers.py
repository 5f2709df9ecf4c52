"""Optimizers around another optimizer."""

import contextlib
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from graphc.train.adagrad import AdagradOptimizer
from graphc.train.moving_averages import ExponentialMovingAverage
from graphc.train.optimizer import Optimizer
from ir.build import export
from ir.control_flow import cond
from ir.convert import get_default_graph
from ir.indexed_slices import IndexedSlices
from ir.ops.basic import group, no_op
from ir.ops.clip import clip_by_global_norm, clip_by_norm, global_norm
from ir.ops.compare import equal
from ir.ops.gather import gather
from ir.ops.layout import zeros
from ir.ops.statistics import count_nonzero
from ir.tensor import Tensor


@export("contrib.opt.MovingAverageOptimizer")
class MovingAverageOptimizer(Optimizer):
    """An optimizer that also keeps exponential moving averages of the variables it updates.

    Args:
      opt: the optimizer that computes and applies gradients.
      average_decay: the decay of the averages, see `ExponentialMovingAverage`.
      num_updates: the count of updates, see there.
      sequential_update: take the averages after the update, not beside it.
    """

    def __init__(self, opt: Optimizer, average_decay: Any = 0.9999, num_updates: Any = None, sequential_update: bool = True) -> None:
        super().__init__(False, "MovingAverage")
        self._optimizer = opt
        self._ema = ExponentialMovingAverage(average_decay, num_updates=num_updates)
        self._swapped_variable_name_map: dict[str, str] | None = None
        self._sequential_update = sequential_update

    def compute_gradients(self, *args: Any, **kwargs: Any) -> list[tuple[Any, Any]]:
        """`compute_gradients` of the optimizer inside."""
        return self._optimizer.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]], global_step: Any = None, name: str | None = None) -> Any:
        """Returns the operation that updates the variables and their averages."""
        pairs = list(grads_and_vars)
        update = self._optimizer.apply_gradients(pairs, global_step=global_step, name=name)
        var_list = [v for g, v in pairs if g is not None]
        with get_default_graph().control_dependencies([update] if self._sequential_update else []):
            averaged = self._ema.apply(var_list)
        swapped: dict[str, str] = {}
        for v in var_list:
            average = self._ema.average(v)
            swapped[v.op.name] = average.op.name
            swapped[average.op.name] = v.op.name
        self._swapped_variable_name_map = swapped
        return group(update, averaged, name="train_with_avg")

    def swapped_variables(self, var_list: dict[str, Any]) -> dict[str, Any]:
        """Returns `var_list`, names in a checkpoint to variables, with averages in the places of variables and the reverse.

        Raises RuntimeError before `apply_gradients`, ValueError when a variable or its average is missing.
        """
        if self._swapped_variable_name_map is None:
            raise RuntimeError("Must call apply_gradients or minimize before creating the swapping_saver")
        out: dict[str, Any] = {}
        for name, v in var_list.items():
            other = self._swapped_variable_name_map.get(name, name)
            if other not in var_list:
                raise ValueError(f"Variable to swap {other} is not part of variables to save. This breaks MovingAverageOptimizer.")
            out[name] = var_list[other] if other != name else v
        return out


@export("contrib.opt.RegAdagradOptimizer")
class RegAdagradOptimizer(AdagradOptimizer):
    """Adagrad that can apply gradients without adding them to the accumulators, for those of penalties.

    The arguments are those of `AdagradOptimizer`. Operations made inside `with opt.avoid_updating_slots():` leave the slots alone.
    """

    def __init__(self, learning_rate: Any, initial_accumulator_value: float = 0.1, use_locking: bool = False, name: str = "RegAdagrad") -> None:
        super().__init__(learning_rate, initial_accumulator_value=initial_accumulator_value, use_locking=use_locking, name=name)
        self._should_update_slots = True

    @contextlib.contextmanager
    def avoid_updating_slots(self) -> Iterator[None]:
        """Makes updates that leave the accumulators alone."""
        old, self._should_update_slots = self._should_update_slots, False
        try:
            yield
        finally:
            self._should_update_slots = old

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {**super()._arguments(var), "update_slots": self._should_update_slots}


@export("contrib.opt.VariableClippingOptimizer")
class VariableClippingOptimizer(Optimizer):
    """An optimizer that keeps the norm of variables, not of gradients, below a bound.

    Args:
      opt: the optimizer that computes and applies gradients.
      vars_to_clip_dims: variables -> the dimensions over which their L2 norm is taken.
      max_norm: the bound.
      use_locking: accepted.
      colocate_clip_ops_with_vars: place the clipping with the variables.
      name: the name of the operations.
    """

    def __init__(
        self, opt: Optimizer, vars_to_clip_dims: dict[Any, Any], max_norm: Any, use_locking: bool = False,
        colocate_clip_ops_with_vars: bool = False, name: str = "VariableClipping",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._opt = opt
        self._vars_to_clip_dims = {v: list(dims) for v, dims in vars_to_clip_dims.items()}
        self._max_norm = max_norm
        self._colocate_clip_ops_with_vars = colocate_clip_ops_with_vars

    def compute_gradients(self, *args: Any, **kwargs: Any) -> list[tuple[Any, Any]]:
        """`compute_gradients` of the optimizer inside."""
        return self._opt.compute_gradients(*args, **kwargs)

    def get_slot(self, *args: Any, **kwargs: Any) -> Any:
        """`get_slot` of the optimizer inside."""
        return self._opt.get_slot(*args, **kwargs)

    def get_slot_names(self, *args: Any, **kwargs: Any) -> list[str]:
        """`get_slot_names` of the optimizer inside."""
        return self._opt.get_slot_names(*args, **kwargs)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]], global_step: Any = None, name: str | None = None) -> Any:
        """Returns the operation that updates the variables, then clips them."""
        pairs = list(grads_and_vars)
        graph = get_default_graph()
        with graph.name_scope(name or self._name) as scope:
            update = self._opt.apply_gradients(pairs, global_step=global_step)
            clipped: list[Any] = []
            with graph.control_dependencies([update]):
                for g, v in pairs:
                    if g is not None and v in self._vars_to_clip_dims:
                        with graph.name_scope("clip_" + v.op.name), graph.colocate_with(v.op):
                            clipped.append(self._clip(g, v))
            return group(update, *clipped, name=scope)

    def _clip(self, grad: Any, var: Any) -> Any:
        dims = self._vars_to_clip_dims[var]
        if isinstance(grad, IndexedSlices) and 0 not in dims:
            rows = gather(var, grad.indices)
            over = rows - clip_by_norm(rows, self._max_norm, dims)
            return var.scatter_sub(IndexedSlices(over, grad.indices, grad.dense_shape), use_locking=self._use_locking)
        value = var.read_value()
        return var.assign_sub(value - clip_by_norm(value, self._max_norm, dims), use_locking=self._use_locking)


# -- several losses ----------------------------------------------------------------------------------


def _is_all_zeros(grad: Any) -> Tensor:
    return equal(count_nonzero(grad.values if isinstance(grad, IndexedSlices) else grad), 0)


@export("contrib.opt.MultitaskOptimizerWrapper")
class MultitaskOptimizerWrapper:
    """An optimizer that leaves variables and slots alone where the whole gradient of a variable is zero.

    For losses of several parts of which some are absent from a batch. Clip with `contrib.opt.clip_gradients_by_global_norm`.

    Args:
      opt: the optimizer that computes and applies gradients; it is changed.

    Raises TypeError when `opt` is no Optimizer.
    """

    def __init__(self, opt: Optimizer) -> None:
        if not isinstance(opt, Optimizer):
            raise TypeError("Supplied optimizer must be an instance of tf.train.Optimizer")
        self._opt = opt
        for method in ("_apply_dense", "_resource_apply_dense", "_apply_sparse", "_resource_apply_sparse"):
            setattr(opt, method, types.MethodType(_unless_zero(getattr(opt, method)), opt))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opt, name)


def _unless_zero(apply: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(_: Any, grad: Any, *args: Any, **kwargs: Any) -> Any:
        def update() -> Any:
            with get_default_graph().control_dependencies([apply(grad, *args, **kwargs)]):
                return no_op()

        return cond(_is_all_zeros(grad), no_op, update)

    return wrapper


@export("contrib.opt.clip_gradients_by_global_norm")
def clip_gradients_by_global_norm(gradients_variables: Iterable[tuple[Any, Any]], clip_norm: Any = 20.0) -> tuple[list[tuple[Any, Any]], Tensor]:
    """Scales gradients down so that their global norm is at most `clip_norm`; gradients that are all zero do not count.

    Returns the pairs (gradient, variable) and the norm.
    """
    grads, variables = zip(*gradients_variables, strict=True)

    def counted(g: Any) -> Any:
        if g is None:
            return None
        return cond(_is_all_zeros(g), lambda: zeros([], dtype=g.dtype), lambda: g)

    norm = global_norm([counted(g) for g in grads])
    clipped, _ = clip_by_global_norm(list(grads), clip_norm, use_norm=norm)
    return list(zip(clipped, variables, strict=True)), norm
