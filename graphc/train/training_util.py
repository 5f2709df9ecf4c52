"""The global step: the variable that counts training steps."""

import logging
from typing import Any

from graphc.variables.initializers import Zeros
from graphc.variables.scope import get_variable
from graphc.variables.variable import Variable
from ir.build import export
from ir.convert import get_default_graph
from ir.dtypes import int64
from ir.graph import Graph
from ir.scopes import GraphKeys
from ir.tensor import Tensor

logger = logging.getLogger("graphc")


@export("train.global_step")
def global_step(sess: Any, global_step_tensor: Any) -> int:
    """Returns the value of the global step in session `sess`.

    Args:
      sess: a Session.
      global_step_tensor: the variable, or the tensor or name of it.
    """
    return int(sess.run(global_step_tensor))


@export("train.get_global_step")
def get_global_step(graph: Graph | None = None) -> Any:
    """Returns the global step of `graph` (the default graph), or None when it has none.

    It is the one member of the collection GLOBAL_STEP, or the tensor "global_step:0".

    Raises TypeError when it is not a scalar integer.
    """
    graph = graph or get_default_graph()
    steps = graph.get_collection(GraphKeys.GLOBAL_STEP)
    if len(steps) > 1:
        logger.error("Multiple tensors in global_step collection.")
        return None
    if steps:
        step = steps[0]
    else:
        try:
            step = graph.get_tensor_by_name("global_step:0")
        except KeyError:
            return None
    assert_global_step(step)
    return step


@export("train.create_global_step")
def create_global_step(graph: Graph | None = None) -> Any:
    """Creates the global step of `graph` (the default graph): an int64 variable that starts at 0.

    Raises ValueError when there is one already.
    """
    graph = graph or get_default_graph()
    if get_global_step(graph) is not None:
        raise ValueError('"global_step" already exists.')
    with graph.as_default(), graph.name_scope(None):
        return get_variable(
            GraphKeys.GLOBAL_STEP, shape=[], dtype=int64, initializer=Zeros(), trainable=False,
            collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP],
        )  # fmt: skip


@export("train.get_or_create_global_step")
def get_or_create_global_step(graph: Graph | None = None) -> Any:
    """Returns the global step of `graph` (the default graph), which is created when there is none."""
    graph = graph or get_default_graph()
    step = get_global_step(graph)
    return create_global_step(graph) if step is None else step


@export("train.assert_global_step")
def assert_global_step(global_step_tensor: Any) -> None:
    """Raises TypeError unless `global_step_tensor` is a scalar integer variable or tensor."""
    if not isinstance(global_step_tensor, (Variable, Tensor)):
        raise TypeError(f'Existing "global_step" must be a Variable or Tensor: {global_step_tensor}.')
    if not global_step_tensor.dtype.base_dtype.is_integer:
        raise TypeError(f'Existing "global_step" does not have integer type: {global_step_tensor.dtype}')
    shape = global_step_tensor.get_shape()
    if shape.ndims != 0 and shape.is_fully_defined():
        raise TypeError(f'Existing "global_step" is not scalar: {shape}')
