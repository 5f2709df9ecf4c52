"""Moving averages of variables and tensors."""

import functools
from collections.abc import Iterable
from typing import Any

from graphc.train import slot_creator
from graphc.variables.collections import global_variables, moving_average_variables, trainable_variables
from graphc.variables.initializers import Zeros
from graphc.variables.scope import get_variable, get_variable_scope, variable_scope
from graphc.variables.variable import Variable, is_resource_variable
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import bfloat16, float16, float32, float64
from ir.ops.arith import minimum, pow_
from ir.ops.basic import group
from ir.ops.cast import cast
from ir.scopes import GraphKeys, init_scope
from ir.tensor import Operation


def assign_moving_average(variable: Any, value: Any, decay: Any, zero_debias: bool = True, name: str | None = None) -> Any:
    """Updates the moving average `variable` by `value`: `variable -= (1 - decay) * (variable - value)`.

    Args:
      variable: the variable that holds the average.
      value: a tensor of its shape and type.
      decay: a float or scalar tensor, near 1.
      zero_debias: take the average of the values seen so far, as if the variable had not started at zero; two
        variables, `biased` and `local_step`, are made for it (Kingma and Ba, 2015, section 3).
      name: a name for the operation.

    Returns the updated variable.
    """
    graph = get_default_graph()
    with graph.name_scope(name or "AssignMovingAvg") as scope, graph.colocate_with(variable.op):
        dtype = variable.dtype.base_dtype
        rate = cast(convert_to_tensor(1.0 - decay, name="decay"), dtype)
        if zero_debias:
            return variable.assign(_debiased(variable, value, rate), name=scope)
        step = (variable - value) * rate
        return variable.assign_sub(step) if is_resource_variable(variable) else variable.assign_sub(step, name=scope)


def _debiased(variable: Any, value: Any, rate: Any) -> Any:
    """Updates the variables `biased` and `local_step` of `variable` and returns the average they make."""
    dtype = variable.dtype.base_dtype
    scope_name = variable.op.name
    with variable_scope(scope_name):
        with init_scope():
            make = functools.partial(get_variable, dtype=dtype, initializer=Zeros(), trainable=False)
            biased = make(_unused("biased"), shape=variable.get_shape())
            local_step = make(_unused("local_step"), shape=[])
        total = biased.assign_sub((biased - value) * rate)
        steps = local_step.assign_add(1.0)
        return total / (1.0 - pow_(1.0 - rate, steps))


def _unused(name: str) -> str:
    """Returns `name`, with a number where the current variable scope has such a variable that it may not reuse."""
    scope = get_variable_scope()
    if scope.reuse:
        return name
    taken = {v.op.name for v in scope.global_variables()}
    full = f"{scope.name}/{name}"
    if full not in taken:
        return name
    number = 1
    while f"{full}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def weighted_moving_average(value: Any, decay: Any, weight: Any, truediv: bool = True, collections: Any = None, name: str | None = None) -> Any:
    """Returns the moving average of `value`, each value counting by `weight`.

    Two variables are made, the averages of `value * weight` and of `weight`; the result is their quotient.

    Args:
      value: a tensor.
      decay: a float or scalar tensor, near 1.
      weight: a tensor that broadcasts with `value`.
      truediv: accepted; floats are divided exactly in any case.
      collections: the collections that the variables are added to, by default GLOBAL_VARIABLES.
      name: a name for the variable scope, by default "WeightedMovingAvg".
    """
    with variable_scope(name, "WeightedMovingAvg") as scope:
        make = functools.partial(get_variable, trainable=False, collections=[GraphKeys.GLOBAL_VARIABLES] if collections is None else collections)
        product = value * weight
        total = make("value_x_weight", shape=value.get_shape(), initializer=Zeros(), dtype=product.dtype)
        weights = make("weight", shape=weight.get_shape(), initializer=Zeros(), dtype=weight.dtype)
        new_total = assign_moving_average(total, product, decay, zero_debias=False)
        new_weights = assign_moving_average(weights, weight, decay, zero_debias=False)
        with get_default_graph().name_scope(scope.original_name_scope):
            return new_total / new_weights


@export("train.ExponentialMovingAverage")
class ExponentialMovingAverage:
    """Keeps moving averages of variables: `shadow -= (1 - decay) * (shadow - variable)`.

    The average of variable `v` is the variable `v/ExponentialMovingAverage`, which starts at the initial value of `v`; that of a
    tensor starts at zero.

    Args:
      decay: a float or scalar tensor, near 1, such as 0.999.
      num_updates: a count of updates; with it the decay is at most `(1 + num_updates) / (10 + num_updates)`, so
        that the averages move faster at first.
      zero_debias: correct the averages of tensors for their start at zero.
      name: the name of the operations and of the variables.
    """

    def __init__(self, decay: Any, num_updates: Any = None, zero_debias: bool = False, name: str = "ExponentialMovingAverage") -> None:
        self._decay = decay
        self._num_updates = num_updates
        self._zero_debias = zero_debias
        self._name = name
        self._averages: dict[Any, Any] = {}
        self._debiased: set[Any] = set()

    @property
    def name(self) -> str:
        """The name given, which the variables end in."""
        return self._name

    @staticmethod
    def _key(var: Any) -> Any:
        return (var.graph, var.name)

    def apply(self, var_list: Iterable[Any] | None = None) -> Operation:
        """Returns the operation that updates the averages of `var_list`, by default of the trainable variables.

        Makes the averages that do not exist yet.

        Raises TypeError for variables that are not floating point.
        """
        variables = trainable_variables() if var_list is None else list(var_list)
        for v in variables:
            if v.dtype.base_dtype not in (bfloat16, float16, float32, float64):
                raise TypeError(f"The variables must be half, float, or double: {v.name}")
            if self._key(v) not in self._averages:
                self._averages[self._key(v)] = self._make_average(v)
        graph = get_default_graph()
        with graph.name_scope(self._name) as scope:
            decay = convert_to_tensor(self._decay, name="decay")
            if self._num_updates is not None:
                updates = cast(self._num_updates, float32, name="num_updates")
                decay = minimum(decay, (1.0 + updates) / (10.0 + updates))
            done: list[Any] = []
            for v in variables:
                key = self._key(v)
                done.append(assign_moving_average(self._averages[key], v, decay, key in self._debiased))
            return group(*done, name=scope)

    def _make_average(self, var: Any) -> Any:
        with init_scope():
            if isinstance(var, Variable):
                average = slot_creator.create_slot(var, var.initialized_value(), self._name)
                get_default_graph().add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, var)
                return average
            if self._zero_debias:
                self._debiased.add(self._key(var))
            holds_state = var.op.type in ("Variable", "VariableV2", "VarHandleOp")
            return slot_creator.create_zeros_slot(var, self._name, colocate_with_primary=holds_state)

    def average(self, var: Any) -> Any:
        """Returns the variable that holds the average of `var`, or None when there is none."""
        return self._averages.get(self._key(var))

    def average_name(self, var: Any) -> str:
        """Returns the name that the average of `var` has, or would have, for example in a checkpoint."""
        average = self.average(var)
        if average is not None:
            return average.op.name
        return get_default_graph().unique_name(f"{var.op.name}/{self._name}", mark_as_used=False)

    def variables_to_restore(self, moving_avg_variables: Iterable[Any] | None = None) -> dict[str, Any]:
        """Returns a dict from names in a checkpoint to variables, for a Saver that loads averages in place of the variables.

        Args:
          moving_avg_variables: the variables that have averages, by default the trainable and those averaged in this graph.
        """
        given = trainable_variables() + moving_average_variables() if moving_avg_variables is None else list(moving_avg_variables)
        averaged = {v.name: v for v in given}
        names = {self.average_name(v): v for v in averaged.values()}
        for v in global_variables():
            if v.name not in averaged and v.op.name not in names:
                names[v.op.name] = v
        return names
