"""`tf.Variable`: makes a reference or a resource variable, and is the class of both."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from graphc.variables.base import BaseVariable, VariableAggregation, VariableSynchronization
from graphc.variables.ref_variable import RefVariable
from graphc.variables.resource_variable import ResourceBase, ResourceVariable
from ir.build import export
from ir.convert import get_default_graph

#: where `graphc.variables.scope` keeps the variable scopes of a graph, among its notes
SCOPES = "variable_scopes"
_CREATORS = "variable_creators"
_by_default = [False]


class _Factory(type):
    """Makes calling `Variable` build one of the two kinds, and `isinstance(x, Variable)` true for both."""

    def __call__(
        cls, initial_value: Any = None, trainable: bool | None = None, collections: Any = None, validate_shape: bool = True,
        caching_device: Any = None, name: str | None = None, variable_def: Any = None, dtype: Any = None, expected_shape: Any = None,
        import_scope: str | None = None, constraint: Callable[..., Any] | None = None, use_resource: bool | None = None,
        synchronization: Any = VariableSynchronization.AUTO, aggregation: Any = VariableAggregation.NONE, shape: Any = None,
    ) -> Any:  # fmt: skip
        """Makes the variable; see the class."""
        create: Callable[..., Any] = _create
        for creator in get_default_graph().notes.get(_CREATORS, ()):
            create = _nested(creator, create)
        return create(
            initial_value=initial_value, trainable=trainable, collections=collections, validate_shape=validate_shape, caching_device=caching_device,
            name=name, variable_def=variable_def, dtype=dtype, expected_shape=expected_shape, import_scope=import_scope, constraint=constraint,
            use_resource=use_resource, synchronization=synchronization, aggregation=aggregation, shape=shape,
        )  # fmt: skip

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, BaseVariable)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, BaseVariable)


@export("Variable")
class Variable(BaseVariable, metaclass=_Factory):
    """A value that a Session holds from one run to the next.

    Args:
      initial_value: a tensor, something that becomes one, or a function without arguments that returns one; its shape must be known
        unless `validate_shape` is False. The initializer assigns it.
      trainable: whether the variable joins `GraphKeys.TRAINABLE_VARIABLES`, which optimizers change; by default True.
      collections: the collections it joins, by default `[GraphKeys.GLOBAL_VARIABLES]`.
      validate_shape: False admits values of any shape.
      caching_device: a device on which reads are kept.
      name: by default "Variable"; made unique.
      variable_def: a VariableDef that names an existing variable of the graph; excludes `initial_value`.
      dtype: the type `initial_value` is converted to.
      expected_shape: accepted and not used.
      import_scope: a scope the names in `variable_def` are in.
      constraint: a function of the value that optimizers apply after an update.
      use_resource: True makes a resource variable; by default what the variable scope or `enable_resource_variables` says.
      synchronization, aggregation: how copies on several devices go together.
      shape: a shape more general than that of `initial_value`.

    It works as a tensor does in arithmetic and in calls of ops.

    >>> v = Variable([1.0, 2.0], name="v")
    >>> v.name, v.shape.as_list(), (v + 1.0).dtype.name
    ('v:0', [2], 'float32')
    """

    @staticmethod
    def from_proto(variable_def: Any, import_scope: str | None = None) -> Any:
        """Returns the variable of the default graph that a VariableDef names."""
        kind = ResourceVariable if variable_def.is_resource else RefVariable
        return kind.from_def(variable_def, import_scope)


def _nested(creator: Callable[..., Any], inner: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **kwargs: creator(inner, **kwargs)


def _create(*, use_resource: bool | None = None, variable_def: Any = None, import_scope: str | None = None, expected_shape: Any = None, **kwargs: Any) -> Any:
    if variable_def is not None:
        if kwargs["initial_value"] is not None:
            raise ValueError("variable_def and initial_value are mutually exclusive.")
        return Variable.from_proto(variable_def, import_scope)
    if use_resource is None:
        scopes = get_default_graph().notes.get(SCOPES)
        use_resource = None if scopes is None else scopes.current.use_resource
    if use_resource is None:
        use_resource = _by_default[0]
    return ResourceVariable(**kwargs) if use_resource else RefVariable(**kwargs)


def is_resource_variable(var: Any) -> bool:
    """Whether `var` is a variable behind a handle."""
    return isinstance(var, ResourceBase)


@export("enable_resource_variables")
def enable_resource_variables() -> None:
    """Makes resource variables the default."""
    _by_default[0] = True


@export("disable_resource_variables")
def disable_resource_variables() -> None:
    """Makes reference variables the default again."""
    _by_default[0] = False


@export("resource_variables_enabled")
def resource_variables_enabled() -> bool:
    """Returns whether resource variables are the default."""
    return _by_default[0]


@export("variable_creator_scope")
@contextmanager
def variable_creator_scope(variable_creator: Callable[..., Any]) -> Iterator[None]:
    """Makes variables created inside by `variable_creator(next_creator, **kwargs)`, which may call `next_creator(**kwargs)`.

    The innermost scope's creator is called first.
    """
    notes = get_default_graph().notes
    old = notes.get(_CREATORS, ())
    notes[_CREATORS] = (*old, variable_creator)
    try:
        yield
    finally:
        notes[_CREATORS] = old
