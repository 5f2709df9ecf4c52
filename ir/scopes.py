"""TF1's module-level functions on the default graph: scopes, collections, and the switches between the TensorFlow versions.

Each does what the method of `Graph` of the same name does. May import graph, convert and stacks only.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Any

from ir.build import export
from ir.convert import get_default_graph, is_tensor_like, root_graph
from ir.graph import Graph
from ir.indexed_slices import IndexedSlices
from ir.stacks import graphs, sessions
from ir.tensor import Tensor

# -- scopes ------------------------------------------------------------------------------------------


def graph_of(values: Sequence[Any] | None) -> Graph:
    """Returns the graph the tensors and operations among `values` belong to, or the default graph.

    Raises ValueError when they belong to several.
    """
    default = get_default_graph()
    if default.building_function:
        return default
    found: Graph | None = None
    for v in values or ():
        graph = getattr(v, "graph", None)
        if not isinstance(graph, Graph) or graph.building_function:
            continue
        if found is not None and graph is not found:
            raise ValueError(f"{v!r} must be from the same graph as the other values of the scope.")
        found = graph
    return found or default


@export("name_scope keras.backend.name_scope")
class name_scope:
    """Prefixes the names of the operations made in a with statement, which yields the scope with a trailing slash.

    Args:
      name: the scope; the default is used when it is None. One that ends in "/" is re-entered as it is.
      default_name: the scope when `name` is None.
      values: the tensors the code inside works on; they tell the graph.

    Raises ValueError when `values` are given and neither name is.

    >>> with Graph().as_default(), name_scope(None, "dense") as scope:
    ...     scope
    'dense/'
    """

    def __init__(self, name: str | None, default_name: str | None = None, values: Sequence[Any] | None = None) -> None:
        self._given = name
        self._default_name = default_name
        self._values = values
        self._stack: ExitStack | None = None

    @property
    def name(self) -> str | None:
        """The name the scope was asked to have."""
        return self._default_name if self._given is None else self._given

    def __enter__(self) -> str:
        """Enters the scope; returns its full name with a trailing slash."""
        if self.name is None and self._values is not None:
            raise ValueError(f"At least one of name ({self._given}) and default_name ({self._default_name}) must be provided.")
        with ExitStack() as stack:
            graph = graph_of(self._values)
            stack.enter_context(graph.as_default())
            scope = stack.enter_context(graph.name_scope(self.name))
            self._stack = stack.pop_all()
        return scope

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        """Leaves the scope."""
        if self._stack is not None:
            self._stack.close()


@export("op_scope")
@contextmanager
def op_scope(values: Sequence[Any] | None, name: str | None, default_name: str | None = None) -> Iterator[str]:
    """`name_scope` with its arguments in the order of TensorFlow before 1.0."""
    with name_scope(name, default_name, values) as scope:
        yield scope


@export("control_dependencies")
def control_dependencies(control_inputs: Any) -> AbstractContextManager[Any]:
    """Makes operations created inside run after `control_inputs`; None drops the enclosing blocks.

    Args:
      control_inputs: a list of tensors and operations, or None.
    """
    return get_default_graph().control_dependencies(control_inputs)


@export("device")
def device(device_name_or_function: Any) -> AbstractContextManager[Any]:
    """Asks for a device for operations made inside: a name, a function of the operation, or None."""
    return get_default_graph().device(device_name_or_function)


@export("colocate_with")
def colocate_with(op: Any, ignore_existing: bool = False) -> AbstractContextManager[Any]:
    """Places operations made inside where `op` is."""
    return get_default_graph().colocate_with(op, ignore_existing)


@export("container")
def container(container_name: str) -> AbstractContextManager[str]:
    """Accepted for compatibility: resources are held by the Session."""
    return get_default_graph().container(container_name)


@export("init_scope")
@contextmanager
def init_scope() -> Iterator[None]:
    """Leaves control dependencies and function bodies: what is made inside belongs to the outermost graph.

    The name scope is kept.
    """
    here = get_default_graph()
    scope = here.get_name_scope()
    outer = next((g for g in reversed(graphs.items) if not g.building_function), None) or root_graph()
    with outer.as_default(), outer.control_dependencies(None), outer.name_scope(f"{scope}/" if scope else None):
        yield


# -- defaults ----------------------------------------------------------------------------------------


@export("get_default_session")
def get_default_session() -> Any:
    """Returns the innermost session entered with `with session:` or `as_default()` in this thread, or None."""
    return sessions.top()


# -- collections -------------------------------------------------------------------------------------


@export("GraphKeys")
class GraphKeys:
    """The names of the collections that the library itself fills or reads."""

    GLOBAL_VARIABLES = "variables"
    LOCAL_VARIABLES = "local_variables"
    METRIC_VARIABLES = "metric_variables"
    MODEL_VARIABLES = "model_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    VARIABLES = "variables"  # the old name
    TRAINABLE_RESOURCE_VARIABLES = "trainable_resource_variables"
    MOVING_AVERAGE_VARIABLES = "moving_average_variables"
    CONCATENATED_VARIABLES = "concatenated_variables"
    WEIGHTS = "weights"
    BIASES = "biases"
    ACTIVATIONS = "activations"
    LOSSES = "losses"
    REGULARIZATION_LOSSES = "regularization_losses"
    UPDATE_OPS = "update_ops"
    SUMMARIES = "summaries"
    SUMMARY_OP = "summary_op"
    QUEUE_RUNNERS = "queue_runners"
    TABLE_INITIALIZERS = "table_initializer"
    ASSET_FILEPATHS = "asset_filepaths"
    SAVERS = "savers"
    SAVEABLE_OBJECTS = "saveable_objects"
    RESOURCES = "resources"
    LOCAL_RESOURCES = "local_resources"
    INIT_OP = "init_op"
    LOCAL_INIT_OP = "local_init_op"
    READY_OP = "ready_op"
    READY_FOR_LOCAL_INIT_OP = "ready_for_local_init_op"
    GLOBAL_STEP = "global_step"
    EVAL_STEP = "eval_step"
    TRAIN_OP = "train_op"
    COND_CONTEXT = "cond_context"
    WHILE_CONTEXT = "while_context"


@export("add_to_collection")
def add_to_collection(name: Any, value: Any) -> None:
    """Appends `value` to the collection called `name`."""
    get_default_graph().add_to_collection(name, value)


@export("add_to_collections")
def add_to_collections(names: Any, value: Any) -> None:
    """Appends `value` to each of several collections."""
    get_default_graph().add_to_collections(names, value)


@export("get_collection")
def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    """Returns a copy of a collection, restricted to names that match the regular expression `scope`."""
    return get_default_graph().get_collection(key, scope)


@export("get_collection_ref")
def get_collection_ref(key: Any) -> list[Any]:
    """Returns the collection itself, so that changes show."""
    return get_default_graph().get_collection_ref(key)


# -- questions ---------------------------------------------------------------------------------------


@export("is_tensor contrib.framework.is_tensor")
def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor, a variable, or something else an op takes without making a constant of it."""
    return isinstance(x, (Tensor, IndexedSlices)) or is_tensor_like(x)


@export("executing_eagerly")
def executing_eagerly() -> bool:
    """Returns False: graphs are defined, then run."""
    return False


# -- switches between TensorFlow's versions ----------------------------------------------------------


@export("disable_eager_execution")
def disable_eager_execution() -> None:
    """Does nothing: there is no eager execution."""


@export("disable_v2_behavior")
def disable_v2_behavior() -> None:
    """Does nothing: behavior is TensorFlow 1's."""


@export("disable_v2_tensorshape")
def disable_v2_tensorshape() -> None:
    """Does nothing: shapes are TensorFlow 1's."""


@export("disable_tensor_equality")
def disable_tensor_equality() -> None:
    """Does nothing: `==` compares the identity of tensors."""
