"""Optimizer: what all optimizers share, and what subclasses override.

`minimize` is `compute_gradients` followed by `apply_gradients`. A subclass says how one variable is updated:

    _create_slots(var_list)                     makes the variables it keeps beside each variable (`_zeros_slot` ...)
    _prepare()                                  makes tensors of the hyperparameters
    _apply_dense(grad, var)                     the update of a reference variable
    _apply_sparse(grad, var)                    the same by IndexedSlices, whose indices are unique
    _resource_apply_dense(grad, var)            the update of a resource variable
    _resource_apply_sparse(grad, var, indices)  the same by rows
    _finish(update_ops, name_scope)             groups the updates
"""

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.train import slot_creator
from graphc.variables.assign import assign_add
from graphc.variables.collections import trainable_variables
from graphc.variables.variable import Variable, is_resource_variable
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import bfloat16, float16, float32, float64, resource
from ir.gradients import gradients
from ir.indexed_slices import IndexedSlices
from ir.ops.basic import group, tuple_
from ir.ops.layout import shape
from ir.ops.partition import unique
from ir.ops.segment import unsorted_segment_sum
from ir.ops.state import assign_add_variable_op
from ir.scopes import GraphKeys, init_scope
from ir.tensor import Operation, Tensor


def _var_key(var: Any) -> Any:
    return (var.op.graph, var.op.name)


def _flat(var_list: Any) -> list[Any]:
    if isinstance(var_list, dict):
        return [v for k in sorted(var_list) for v in _flat(var_list[k])]
    if isinstance(var_list, (list, tuple, set, frozenset)) or hasattr(var_list, "_get_partitions"):
        return [v for part in var_list for v in _flat(part)]
    return [var_list]


def deduplicate_indexed_slices(values: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Adds up the rows of `values` whose `indices` are equal.

    Returns the sums and the indices, each of which occurs once, in the order of their first occurrence.
    """
    unique_indices, positions = unique(indices)
    summed = unsorted_segment_sum(values, positions, shape(unique_indices)[0])
    return summed, unique_indices


def _checked_gradient(g: Any) -> Any:
    if isinstance(g, IndexedSlices):
        return g
    try:
        return convert_to_tensor(g)
    except TypeError:
        raise TypeError(f"Gradient must be convertible to a Tensor or IndexedSlices, or None: {g}") from None


@export("train.Optimizer")
class Optimizer:
    """The base of optimizers: computes the gradients of a loss and applies them to variables.

    Args:
      use_locking: accepted; updates never overlap here.
      name: the name of the operations and, below each variable's name, of the slots.

    Raises ValueError when `name` is empty.
    """

    GATE_NONE = 0
    GATE_OP = 1
    GATE_GRAPH = 2

    def __init__(self, use_locking: bool, name: str) -> None:
        if not name:
            raise ValueError("Must specify the optimizer name")
        self._use_locking = use_locking
        self._name = name
        self._slots: dict[str, dict[Any, Any]] = {}
        self._non_slot_dict: dict[Any, Any] = {}

    def get_name(self) -> str:
        """Returns the optimizer's name."""
        return self._name

    # -- minimizing ----------------------------------------------------------------------------------

    def minimize(
        self, loss: Any, global_step: Any = None, var_list: Any = None, gate_gradients: int = GATE_OP, aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False, name: str | None = None, grad_loss: Any = None,
    ) -> Any:  # fmt: skip
        """Returns the operation that updates the variables by one step to make `loss` smaller.

        Args:
          loss: the tensor to be minimized.
          global_step: a variable that counts the steps, or None.
          var_list: the variables to be updated; by default the trainable ones.
          gate_gradients: GATE_NONE, GATE_OP or GATE_GRAPH, which gradients wait for which.
          aggregation_method: how gradients are added up, see `AggregationMethod`.
          colocate_gradients_with_ops: place each gradient with the operation it is of.
          name: the name of the operation; by default the optimizer's.
          grad_loss: the gradient of what is really to be minimized with respect to `loss`.

        Raises ValueError when the loss depends on none of the variables.
        """
        grads_and_vars = self.compute_gradients(
            loss, var_list=var_list, gate_gradients=gate_gradients, aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops, grad_loss=grad_loss,
        )  # fmt: skip
        if all(g is None for g, _ in grads_and_vars):
            raise ValueError(
                "No gradients provided for any variable, check your graph for ops that do not support gradients, between variables "
                f"{[str(v) for _, v in grads_and_vars]} and loss {loss}."
            )
        return self.apply_gradients(grads_and_vars, global_step=global_step, name=name)

    def compute_gradients(
        self, loss: Any, var_list: Any = None, gate_gradients: int = GATE_OP, aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False, grad_loss: Any = None,
    ) -> list[tuple[Any, Any]]:  # fmt: skip
        """Returns the gradient of `loss` for each variable, as pairs (gradient, variable).

        A gradient is a Tensor, IndexedSlices, or None when the loss does not depend on the variable. The arguments are
        those of `minimize`.

        Raises TypeError for a function as loss, ValueError for types other than floating point and when there is no variable.
        """
        if callable(loss) and not isinstance(loss, Tensor):
            raise TypeError(f"`loss` must be a tensor, not the function {loss!r}: graphs are built once, so call it and pass what it returns.")
        if gate_gradients not in (Optimizer.GATE_NONE, Optimizer.GATE_OP, Optimizer.GATE_GRAPH):
            raise ValueError(f"gate_gradients must be one of: Optimizer.GATE_NONE, Optimizer.GATE_OP, Optimizer.GATE_GRAPH.  Not {gate_gradients}")
        self._assert_valid_dtypes([loss])
        if grad_loss is not None:
            self._assert_valid_dtypes([grad_loss])
        if var_list is None:
            var_list = trainable_variables() + get_default_graph().get_collection(GraphKeys.TRAINABLE_RESOURCE_VARIABLES)
        else:
            var_list = _flat(var_list)
        if not var_list:
            raise ValueError("No variables to optimize.")
        for v in var_list:
            self._check_updatable(v)
        grads = gradients(
            loss, var_list, grad_ys=grad_loss, gate_gradients=gate_gradients == Optimizer.GATE_OP, aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
        )  # fmt: skip
        if gate_gradients == Optimizer.GATE_GRAPH:
            grads = tuple_(grads)
        pairs = list(zip(grads, var_list, strict=True))
        self._assert_valid_dtypes([v for g, v in pairs if g is not None and v.dtype.base_dtype != resource])
        return pairs

    @staticmethod
    def _check_updatable(v: Any) -> None:
        if not isinstance(v, (Variable, Tensor)):
            raise NotImplementedError("Trying to optimize unsupported type ", v)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]], global_step: Any = None, name: str | None = None) -> Any:
        """Returns the operation that updates variables by their gradients.

        Args:
          grads_and_vars: pairs (gradient, variable) as `compute_gradients` returns them; those without a gradient are left out.
          global_step: a variable that is increased by one afterwards, or None.
          name: the name of the operation; by default the optimizer's.

        Raises TypeError for what is no gradient, ValueError when there is none.
        """
        given = tuple(grads_and_vars)
        if not given:
            raise ValueError("No variables provided.")
        pairs: list[tuple[Any, Any]] = []
        for g, v in given:
            self._check_updatable(v)
            pairs.append((None if g is None else _checked_gradient(g), v))
        var_list = [v for g, v in pairs if g is not None]
        if not var_list:
            raise ValueError(f"No gradients provided for any variable: {[str(v) for _, v in pairs]}.")
        with init_scope():
            self._create_slots(var_list)
        graph = get_default_graph()
        with graph.name_scope(name or self._name) as scope:
            self._prepare()
            updates: list[Any] = []
            for g, v in pairs:
                if g is None:
                    continue
                with graph.name_scope("update_" + v.op.name), graph.colocate_with(v.op):
                    updates.append(self._update(g, v))
            if global_step is None:
                done = self._finish(updates, scope)
            else:
                with graph.control_dependencies([self._finish(updates, "update")]), graph.colocate_with(global_step.op):
                    done = self._count(global_step, scope)
        done = done.op if isinstance(done, Tensor) else done
        train_ops = graph.get_collection_ref(GraphKeys.TRAIN_OP)
        if done not in train_ops:
            train_ops.append(done)
        return done

    @staticmethod
    def _count(global_step: Any, scope: str) -> Any:
        if is_resource_variable(global_step):
            return assign_add_variable_op(global_step.handle, convert_to_tensor(1, dtype=global_step.dtype.base_dtype), name=scope)
        return assign_add(global_step, 1, name=scope)

    def _update(self, grad: Any, var: Any) -> Any:
        """Returns the operation that updates `var`."""
        if not isinstance(var, Variable):
            raise NotImplementedError("Trying to update a Tensor ", var)
        constraint = var.constraint
        if isinstance(grad, IndexedSlices):
            if constraint is not None:
                raise RuntimeError("Cannot use a constraint function on a sparse variable.")
            if is_resource_variable(var):
                return self._resource_apply_sparse_duplicate_indices(grad.values, var, grad.indices)
            return self._apply_sparse_duplicate_indices(grad, var)
        done = self._resource_apply_dense(grad, var) if is_resource_variable(var) else self._apply_dense(grad, var)
        if constraint is None:
            return done
        with get_default_graph().control_dependencies([done]):
            return var.assign(constraint(var))

    # -- slots ---------------------------------------------------------------------------------------

    def get_slot(self, var: Any, name: str) -> Any:
        """Returns the variable that the optimizer keeps for `var` as slot `name`, or None.

        A momentum optimizer, for example, keeps a slot "momentum" for each variable it updates.
        """
        slots = self._slots.get(name)
        return None if slots is None else slots.get(_var_key(var))

    def get_slot_names(self) -> list[str]:
        """Returns the names of the slots the optimizer has made."""
        return sorted(self._slots)

    def variables(self) -> list[Any]:
        """Returns the variables that the optimizer has made in the default graph, sorted by name."""
        graph = get_default_graph()
        own = list(self._non_slot_variables())
        own.extend(v for slots in self._slots.values() for v in slots.values())
        return sorted((v for v in own if v.op.graph is graph), key=lambda v: v.name)

    def _slot_dict(self, slot_name: str) -> dict[Any, Any]:
        return self._slots.setdefault(slot_name, {})

    def _get_or_make_slot(self, var: Any, val: Any, slot_name: str, op_name: str) -> Any:
        """Returns the slot `slot_name` of `var`, which starts as tensor `val` and is called `op_name` below `var`'s name."""
        slots = self._slot_dict(slot_name)
        if _var_key(var) not in slots:
            slots[_var_key(var)] = slot_creator.create_slot(var, val, op_name)
        return slots[_var_key(var)]

    def _get_or_make_slot_with_initializer(self, var: Any, initializer: Any, shape: Any, dtype: Any, slot_name: str, op_name: str) -> Any:
        """Returns the slot `slot_name` of `var`, of `shape` and `dtype`, which `initializer` fills."""
        slots = self._slot_dict(slot_name)
        if _var_key(var) not in slots:
            slots[_var_key(var)] = slot_creator.create_slot_with_initializer(var, initializer, shape, dtype, op_name)
        return slots[_var_key(var)]

    def _zeros_slot(self, var: Any, slot_name: str, op_name: str) -> Any:
        """Returns the slot `slot_name` of `var`, which starts as zeros."""
        slots = self._slot_dict(slot_name)
        if _var_key(var) not in slots:
            slots[_var_key(var)] = slot_creator.create_zeros_slot(var, op_name)
        return slots[_var_key(var)]

    def _create_non_slot_variable(self, initial_value: Any, name: str, colocate_with: Any) -> Any:
        """Returns the variable `name` that belongs to the optimizer rather than to one variable; made when there is none."""
        graph = colocate_with.op.graph
        key = (name, graph)
        if key not in self._non_slot_dict:
            with graph.colocate_with(colocate_with.op):
                made = Variable(initial_value, name=name, trainable=False, use_resource=is_resource_variable(colocate_with))
            self._non_slot_dict[key] = made
        return self._non_slot_dict[key]

    def _get_non_slot_variable(self, name: str, graph: Any = None) -> Any:
        """Returns the variable `name` of `graph` that `_create_non_slot_variable` made, or None."""
        return self._non_slot_dict.get((name, graph))

    def _non_slot_variables(self) -> Iterable[Any]:
        return self._non_slot_dict.values()

    # -- for subclasses ------------------------------------------------------------------------------

    def _assert_valid_dtypes(self, tensors: Iterable[Any]) -> None:
        valid = self._valid_dtypes()
        for t in tensors:
            dtype = t.dtype.base_dtype
            if dtype not in valid:
                raise ValueError(f"Invalid type {dtype!r} for {t.name}, expected: {list(valid)}.")

    def _valid_dtypes(self) -> set[Any]:
        """Returns the types that losses, variables and gradients may have."""
        return {float16, bfloat16, float32, float64}

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        """Makes the slots for the variables; none by default."""

    def _prepare(self) -> None:
        """Makes tensors of the hyperparameters; called once in each `apply_gradients`, inside its name scope."""

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        """Returns the operation that updates reference variable `var` by `grad`, a tensor of its shape."""
        raise NotImplementedError

    def _resource_apply_dense(self, grad: Tensor, handle: Any) -> Any:
        """Returns the operation that updates resource variable `handle` by `grad`, a tensor of its shape."""
        raise NotImplementedError

    def _resource_apply_sparse_duplicate_indices(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        """Like `_resource_apply_sparse`, with indices that may occur more than once: their rows are added up first."""
        summed, unique_indices = deduplicate_indexed_slices(values=grad, indices=indices)
        return self._resource_apply_sparse(summed, handle, unique_indices)

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        """Returns the operation that updates the rows `indices` of resource variable `handle` by the rows of `grad`."""
        raise NotImplementedError

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        """Like `_apply_sparse`, with indices that may occur more than once: their rows are added up first."""
        summed, unique_indices = deduplicate_indexed_slices(values=grad.values, indices=grad.indices)
        return self._apply_sparse(IndexedSlices(summed, unique_indices, grad.dense_shape), var)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        """Returns the operation that updates the rows `grad.indices` of reference variable `var`."""
        raise NotImplementedError

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Operation:
        """Returns an operation called `name_scope` that runs all updates."""
        return group(*update_ops, name=name_scope)

    def _call_if_callable(self, param: Any) -> Any:
        """Returns `param()` when it is a function, else `param`."""
        return param() if callable(param) else param
