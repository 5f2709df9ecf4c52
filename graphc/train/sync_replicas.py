"""SyncReplicasOptimizer and CrossShardOptimizer, for programs written for parameter servers and TPUs: here replicas are in step anyway."""

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.train.optimizer import Optimizer
from ir.build import export
from ir.convert import get_default_graph
from ir.ops.basic import group, no_op
from ir.tensor import Operation


class _NoQueueRunner:
    """Stands for the queue runner of the chief: there is no queue."""

    name = "sync_replicas"

    def create_threads(self, sess: Any, coord: Any = None, daemon: bool = False, start: bool = False) -> list[Any]:
        """Returns no threads."""
        return []


class _NoHook:
    """Stands for the hook that initializes the queues: there are none."""

    def begin(self) -> None:
        """Does nothing."""

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Does nothing."""

    def before_run(self, run_context: Any) -> Any:
        """Asks for nothing to be fetched."""

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """Does nothing."""

    def end(self, session: Any) -> None:
        """Does nothing."""


@export("train.SyncReplicasOptimizer")
class SyncReplicasOptimizer(Optimizer):
    """Passes on what the optimizer inside does: the replicas of a program run in step, and gradients are of the whole batch.

    Args:
      opt: the optimizer that computes and applies gradients.
      replicas_to_aggregate: accepted.
      total_num_replicas: accepted.
      variable_averages: an `ExponentialMovingAverage` to be updated after each step.
      variables_to_average: the variables it averages.
      use_locking: accepted.
      name: the name of the optimizer.
    """

    def __init__(
        self, opt: Optimizer, replicas_to_aggregate: int, total_num_replicas: int | None = None, variable_averages: Any = None,
        variables_to_average: Sequence[Any] | None = None, use_locking: bool = False, name: str = "sync_replicas",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._opt = opt
        self._variable_averages = variable_averages
        self._variables_to_average = variables_to_average
        self._applied = False
        self.local_step_init_op: Any = None
        self.chief_init_op: Any = None
        self.ready_for_local_init_op: Any = None

    def compute_gradients(self, *args: Any, **kwargs: Any) -> list[tuple[Any, Any]]:
        """`compute_gradients` of the optimizer inside."""
        return self._opt.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]], global_step: Any = None, name: str | None = None) -> Any:
        """Returns the operation that updates the variables, then their averages.

        Raises ValueError when there is no gradient or no global step.
        """
        pairs = list(grads_and_vars)
        if not pairs:
            raise ValueError("Must supply at least one variable")
        if global_step is None:
            raise ValueError("Global step is required to check staleness")
        self._applied = True
        self.local_step_init_op = self.chief_init_op = self.ready_for_local_init_op = no_op()
        if self._variable_averages is None:
            return self._opt.apply_gradients(pairs, global_step, name=name)
        update = self._opt.apply_gradients(pairs, global_step)
        with get_default_graph().control_dependencies([update]):
            averaged = self._variable_averages.apply(self._variables_to_average)
        return group(update, averaged, name=name or self._name)

    def get_slot(self, *args: Any, **kwargs: Any) -> Any:
        """`get_slot` of the optimizer inside."""
        return self._opt.get_slot(*args, **kwargs)

    def get_slot_names(self, *args: Any, **kwargs: Any) -> list[str]:
        """`get_slot_names` of the optimizer inside."""
        return self._opt.get_slot_names(*args, **kwargs)

    def variables(self) -> list[Any]:
        """The variables of the optimizer inside."""
        return self._opt.variables()

    def _need_applied(self, what: str) -> None:
        if not self._applied:
            raise ValueError(f"{what} should be called after apply_gradients().")

    def get_chief_queue_runner(self) -> Any:
        """Returns a queue runner that runs nothing. Raises ValueError before `apply_gradients`."""
        self._need_applied("get_chief_queue_runner")
        return _NoQueueRunner()

    def get_init_tokens_op(self, num_tokens: int = -1) -> Operation:
        """Returns an operation that does nothing. Raises ValueError before `apply_gradients`."""
        self._need_applied("get_init_tokens_op()")
        return no_op(name="no_op")

    def make_session_run_hook(self, is_chief: bool, num_tokens: int = -1) -> Any:
        """Returns a session hook that does nothing."""
        return _NoHook()


@export("tpu.CrossShardOptimizer contrib.tpu.CrossShardOptimizer")
class CrossShardOptimizer(Optimizer):
    """Passes on what the optimizer inside does: gradients are of the whole batch, there is nothing to be summed over shards.

    Args:
      opt: the optimizer that computes and applies gradients.
      reduction: accepted.
      name: the name of the optimizer.
      group_assignment: accepted.
    """

    def __init__(self, opt: Optimizer, reduction: str = "weighted_mean", name: str = "CrossShardOptimizer", group_assignment: Any = None) -> None:
        super().__init__(False, name)
        self._opt = opt

    def compute_gradients(self, *args: Any, **kwargs: Any) -> list[tuple[Any, Any]]:
        """`compute_gradients` of the optimizer inside."""
        return self._opt.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]], global_step: Any = None, name: str | None = None) -> Any:
        """`apply_gradients` of the optimizer inside."""
        return self._opt.apply_gradients(grads_and_vars, global_step, name)

    def get_slot(self, *args: Any, **kwargs: Any) -> Any:
        """`get_slot` of the optimizer inside."""
        return self._opt.get_slot(*args, **kwargs)

    def get_slot_names(self, *args: Any, **kwargs: Any) -> list[str]:
        """`get_slot_names` of the optimizer inside."""
        return self._opt.get_slot_names(*args, **kwargs)

    def variables(self) -> list[Any]:
        """The variables of the optimizer inside."""
        return self._opt.variables()
