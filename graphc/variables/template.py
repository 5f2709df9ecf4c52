"""Templates: functions that make their variables at the first call and share them at all later ones."""

import functools
from collections.abc import Callable
from typing import Any

from graphc.variables.scope import PureScope, VariableScope, scopes, variable_scope
from ir import location
from ir.build import export
from ir.convert import get_default_graph
from ir.scopes import GraphKeys


@export("make_template")
def make_template(
    name_: str, func_: Callable[..., Any], create_scope_now_: bool = False, unique_name_: str | None = None, custom_getter_: Any = None, **kwargs: Any
) -> Any:
    """Returns a function that calls `func_` in a variable scope of its own, whose variables are shared between its calls.

    Args:
      name_: the scope, made unique.
      func_: the function; it makes its variables by `get_variable`.
      create_scope_now_: settle the scope's name now, not at the first call.
      unique_name_: a scope that is used as it is.
      custom_getter_: a custom getter for the scope.
      kwargs: arguments fixed for `func_`.

    Raises ValueError when `name_` is None.
    """
    return Template(name_, functools.partial(func_, **kwargs) if kwargs else func_, create_scope_now_, unique_name_, custom_getter_)


class Template:
    """A function with variables of its own; see `make_template`."""

    def __init__(self, name: str, func: Callable[..., Any], create_scope_now: bool = False, unique_name: str | None = None, custom_getter: Any = None) -> None:
        if name is None:
            raise ValueError("name cannot be None.")
        self._func = func
        self._name = name
        self._unique_name = unique_name
        self._custom_getter = custom_getter
        self._made_at = location.line(location.capture())
        self._variable_scope: VariableScope | None = None
        self._first_call = True
        self._made = False
        if create_scope_now:
            with PureScope(unique_name or scopes().unique(name), custom_getter=custom_getter) as scope:
                self._variable_scope = scope

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function."""
        if self._variable_scope is not None:
            with variable_scope(self._variable_scope, reuse=not self._first_call):
                return self._call(args, kwargs)
        with variable_scope(self._unique_name, self._name, custom_getter=self._custom_getter) as scope:
            self._variable_scope = scope
            return self._call(args, kwargs)

    def _call(self, args: Any, kwargs: Any) -> Any:
        trainable = get_default_graph().get_collection_ref(GraphKeys.TRAINABLE_VARIABLES)
        before = len(trainable)
        first, self._first_call = self._first_call, False
        try:
            result = self._func(*args, **kwargs)
        except Exception as e:
            self._first_call = first
            e.add_note(f"in the template {self._name!r}{', made at ' + self._made_at if self._made_at else ''}")
            raise
        if self._made and len(trainable) != before:
            raise ValueError(
                "Trainable variable created when calling a template after the first time, perhaps you used tf.Variable when you meant "
                f"tf.get_variable: {trainable[before:]}"
            )
        self._made = True
        return result

    @property
    def name(self) -> str:
        """The name asked for."""
        return self._name

    @property
    def func(self) -> Callable[..., Any]:
        """The function."""
        return self._func

    @property
    def variable_scope(self) -> VariableScope | None:
        """The variable scope; None before the first call, unless it was created at once."""
        return self._variable_scope

    var_scope = variable_scope

    @property
    def variable_scope_name(self) -> str | None:
        """The prefix of the variables' names, with a trailing slash; None while there is no scope."""
        if self._variable_scope is None:
            return None
        name = self._variable_scope.name
        return name if not name or name.endswith("/") else f"{name}/"

    def _collected(self, key: str) -> list[Any]:
        return get_default_graph().get_collection(key, self.variable_scope_name) if self._made else []

    @property
    def trainable_variables(self) -> list[Any]:
        """The trainable variables."""
        return self._collected(GraphKeys.TRAINABLE_VARIABLES)

    @property
    def global_variables(self) -> list[Any]:
        """The global variables."""
        return self._collected(GraphKeys.GLOBAL_VARIABLES)

    @property
    def local_variables(self) -> list[Any]:
        """The local variables."""
        return self._collected(GraphKeys.LOCAL_VARIABLES)

    @property
    def variables(self) -> list[Any]:
        """All variables."""
        return self.global_variables + self.local_variables

    @property
    def non_trainable_variables(self) -> list[Any]:
        """The global variables that are not trainable."""
        trainable = self.trainable_variables
        return [v for v in self.global_variables if not any(v is t for t in trainable)]

    weights = variables
    trainable_weights = trainable_variables
    non_trainable_weights = non_trainable_variables
