"""The variables of the default graph, their initializers, and the question which have no value yet."""

from collections.abc import Sequence
from typing import Any

from ir.build import export
from ir.convert import constant, get_default_graph
from ir.dtypes import string
from ir.ops import state
from ir.ops.basic import group, no_op
from ir.ops.compare import logical_not
from ir.ops.layout import rank_internal
from ir.ops.packing import stack
from ir.scopes import GraphKeys
from ir.tensor import Operation, Tensor


@export("global_variables")
def global_variables(scope: str | None = None) -> list[Any]:
    """Returns the variables that checkpoints keep; `scope` is a regular expression that the beginning of their names matches."""
    return get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


@export("all_variables")
def all_variables() -> list[Any]:
    """`global_variables` under its older name."""
    return global_variables()


@export("local_variables")
def local_variables(scope: str | None = None) -> list[Any]:
    """Returns the variables that belong to one process and no checkpoint."""
    return get_default_graph().get_collection(GraphKeys.LOCAL_VARIABLES, scope)


@export("model_variables")
def model_variables(scope: str | None = None) -> list[Any]:
    """Returns the collection `GraphKeys.MODEL_VARIABLES`."""
    return get_default_graph().get_collection(GraphKeys.MODEL_VARIABLES, scope)


@export("trainable_variables")
def trainable_variables(scope: str | None = None) -> list[Any]:
    """Returns the variables that optimizers change by default."""
    return get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


@export("moving_average_variables")
def moving_average_variables(scope: str | None = None) -> list[Any]:
    """Returns the variables of which an ExponentialMovingAverage keeps averages."""
    return get_default_graph().get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, scope)


@export("variables_initializer initializers.variables")
def variables_initializer(var_list: Sequence[Any], name: str = "init") -> Operation:
    """Returns an operation that initializes the variables in `var_list`."""
    if not var_list:
        return no_op(name=name)
    return group(*[v.initializer for v in var_list], name=name)


@export("initialize_variables")
def initialize_variables(var_list: Sequence[Any], name: str = "init") -> Operation:
    """`variables_initializer` under its older name."""
    return variables_initializer(var_list, name)


@export("global_variables_initializer initializers.global_variables")
def global_variables_initializer() -> Operation:
    """Returns an operation that initializes all global variables."""
    return variables_initializer(global_variables())


@export("initialize_all_variables")
def initialize_all_variables() -> Operation:
    """`global_variables_initializer` under its older name."""
    return global_variables_initializer()


@export("local_variables_initializer initializers.local_variables")
def local_variables_initializer() -> Operation:
    """Returns an operation that initializes all local variables."""
    return variables_initializer(local_variables())


@export("initialize_local_variables")
def initialize_local_variables() -> Operation:
    """`local_variables_initializer` under its older name."""
    return local_variables_initializer()


@export("is_variable_initialized")
def is_variable_initialized(variable: Any) -> Tensor:
    """Returns a boolean scalar: whether the variable has a value."""
    return variable._is_initialized()


def _all() -> list[Any]:
    graph = get_default_graph()
    found = [*global_variables(), *local_variables()]
    return found or [op.outputs[0] for op in graph.ops if op.type in ("Variable", "VariableV2")]


@export("assert_variables_initialized")
def assert_variables_initialized(var_list: Sequence[Any] | None = None) -> Tensor | None:
    """Returns an integer vector whose evaluation fails while one of the variables has no value; None when there are none."""
    variables = _all() if var_list is None else list(var_list)
    if not variables:
        return None
    ranks: list[Tensor] = []
    for v in variables:
        with get_default_graph().colocate_with(v.op):
            ranks.append(rank_internal(v, optimize=False))
    return ranks[0] if len(ranks) == 1 else stack(ranks)


@export("report_uninitialized_variables")
def report_uninitialized_variables(var_list: Sequence[Any] | None = None, name: str = "report_uninitialized_variables") -> Tensor:
    """Returns a string vector: the names of the variables (by default all global and local ones) that have no value."""
    variables = _all() if var_list is None else list(var_list)
    graph = get_default_graph()
    with graph.name_scope(name):
        present = [v._is_initialized() if hasattr(v, "_is_initialized") else state.is_variable_initialized(v) for v in variables]
        with graph.device("/cpu:0"):
            if not variables:
                return constant([], dtype=string)
            missing = logical_not(stack(present))
            return constant([v.op.name for v in variables])[missing]
