"""Variable scopes: prefixes of the names of variables, with defaults for those made inside and rules for sharing them.

    with variable_scope("layer", initializer=init):
        w = get_variable("w", [3, 4])        # layer/w
    with variable_scope("layer", reuse=True):
        same = get_variable("w")             # the same variable

A variable scope is a name scope as well: the second time the same variable scope is opened, operations are named `layer_1/...`.
"""

import enum
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

from graphc.variables.base import VariableAggregation, VariableSynchronization
from graphc.variables.store import Request, VariableStore, variable_store
from graphc.variables.variable import SCOPES
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import float32
from ir.scopes import GraphKeys, graph_of

__exports__ = {"AUTO_REUSE": "AUTO_REUSE"}


class _ReuseMode(enum.Enum):
    """The third way of sharing, beside True and False."""

    AUTO_REUSE = 1


#: share a variable that exists, make it when it does not
AUTO_REUSE = _ReuseMode.AUTO_REUSE

Getter = Callable[..., Any]
_DEFAULTS = ("initializer", "regularizer", "caching_device", "partitioner", "dtype", "use_resource")


@export("VariableScope")
class VariableScope:
    """The name prefix of a variable scope and the defaults of `get_variable` inside it."""

    def __init__(
        self, reuse: Any, name: str = "", initializer: Any = None, regularizer: Any = None, caching_device: Any = None, partitioner: Any = None,
        custom_getter: Getter | None = None, name_scope: str = "", dtype: Any = float32, use_resource: bool | None = None, constraint: Any = None,
    ) -> None:  # fmt: skip
        self._name = name
        self._initializer = initializer
        self._regularizer = regularizer
        self._reuse = reuse
        self._caching_device = caching_device
        self._partitioner = partitioner
        self._custom_getter = custom_getter
        self._name_scope = name_scope
        self._dtype = dtype
        self._use_resource = use_resource
        self._constraint = constraint

    @property
    def name(self) -> str:
        """The prefix of variables' names, without a trailing slash."""
        return self._name

    @property
    def original_name_scope(self) -> str:
        """The name scope that was opened with this scope first."""
        return self._name_scope

    @property
    def reuse(self) -> Any:
        """True: variables must exist; False or None: they must not; AUTO_REUSE: either."""
        return self._reuse

    @property
    def initializer(self) -> Any:
        """The default initializer."""
        return self._initializer

    @property
    def dtype(self) -> Any:
        """The default element type."""
        return self._dtype

    @property
    def use_resource(self) -> bool | None:
        """Whether variables are resource variables; None: as the default of the program says."""
        return self._use_resource

    @property
    def regularizer(self) -> Any:
        """The default regularizer."""
        return self._regularizer

    @property
    def caching_device(self) -> Any:
        """The default caching device."""
        return self._caching_device

    @property
    def partitioner(self) -> Any:
        """The default partitioner."""
        return self._partitioner

    @property
    def custom_getter(self) -> Getter | None:
        """The function that `get_variable` calls instead of making the variable itself."""
        return self._custom_getter

    @property
    def constraint(self) -> Any:
        """The default constraint."""
        return self._constraint

    def reuse_variables(self) -> None:
        """From now on, variables must exist."""
        self._reuse = True

    def set_initializer(self, initializer: Any) -> None:
        """Sets the default initializer."""
        self._initializer = initializer

    def set_dtype(self, dtype: Any) -> None:
        """Sets the default element type."""
        self._dtype = dtype

    def set_use_resource(self, use_resource: bool | None) -> None:
        """Sets whether variables are resource variables."""
        self._use_resource = use_resource

    def set_regularizer(self, regularizer: Any) -> None:
        """Sets the default regularizer."""
        self._regularizer = regularizer

    def set_caching_device(self, caching_device: Any) -> None:
        """Sets the default caching device."""
        self._caching_device = caching_device

    def set_partitioner(self, partitioner: Any) -> None:
        """Sets the default partitioner."""
        self._partitioner = partitioner

    def set_custom_getter(self, custom_getter: Getter | None) -> None:
        """Sets the custom getter."""
        self._custom_getter = custom_getter

    def get_collection(self, name: str) -> list[Any]:
        """Returns the items of a collection whose names begin with this scope's."""
        return get_default_graph().get_collection(name, f"{self._name}/" if self._name else "")

    def trainable_variables(self) -> list[Any]:
        """Returns the trainable variables of this scope."""
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def global_variables(self) -> list[Any]:
        """Returns the global variables of this scope."""
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def local_variables(self) -> list[Any]:
        """Returns the local variables of this scope."""
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)

    def get_variable(
        self, var_store: VariableStore, name: str, shape: Any = None, dtype: Any = None, initializer: Any = None, regularizer: Any = None,
        reuse: Any = None, trainable: bool | None = None, collections: Any = None, caching_device: Any = None, partitioner: Any = None,
        validate_shape: bool = True, use_resource: bool | None = None, custom_getter: Getter | None = None, constraint: Any = None,
        synchronization: Any = VariableSynchronization.AUTO, aggregation: Any = VariableAggregation.NONE,
    ) -> Any:  # fmt: skip
        """Returns or makes the variable called `name` in this scope; see the function `get_variable`."""
        with get_default_graph().name_scope(None):
            if dtype is not None and initializer is not None and not callable(initializer):
                given = convert_to_tensor(initializer).dtype.base_dtype
                if given != dtype:
                    raise ValueError(f"Initializer type '{given}' and explicit dtype '{dtype}' don't match.")
            request = Request(
                name=f"{self._name}/{name}" if self._name else name, shape=shape, dtype=_or(dtype, self._dtype),
                initializer=_or(initializer, self._initializer), regularizer=_or(regularizer, self._regularizer), reuse=_or(reuse, self._reuse),
                trainable=trainable, collections=collections, caching_device=_or(caching_device, self._caching_device),
                partitioner=_or(partitioner, self._partitioner), validate_shape=validate_shape, use_resource=_or(use_resource, self._use_resource),
                constraint=_or(constraint, self._constraint), synchronization=synchronization, aggregation=aggregation,
            )  # fmt: skip
            return var_store.get(request, _or(custom_getter, self._custom_getter))


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


class Scopes(threading.local):
    """The current variable scope of a graph, per thread, and how often each name was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.current = VariableScope(False)
        self.opened: dict[str, int] = {}

    def open(self, name: str) -> None:
        """Counts an opening of the scope called `name`."""
        self.opened[name] = self.opened.get(name, 0) + 1

    def close_below(self, name: str) -> None:
        """Forgets the scopes inside `name`."""
        for k in self.opened:
            if k.startswith(f"{name}/"):
                self.opened[k] = 0

    def unique(self, prefix: str) -> str:
        """Returns `prefix` with the number that makes it a scope not opened yet."""
        full = f"{self.current.name}/{prefix}" if self.current.name else prefix
        if not self.opened.get(full):
            return prefix
        i = 1
        while self.opened.get(f"{full}_{i}"):
            i += 1
        return f"{prefix}_{i}"


def scopes() -> Scopes:
    """Returns the variable scopes of the default graph."""
    return get_default_graph().notes.setdefault(SCOPES, Scopes())


@export("get_variable_scope")
def get_variable_scope() -> VariableScope:
    """Returns the current variable scope."""
    return scopes().current


class PureScope:
    """A variable scope without a name scope; `defaults` are those of `VariableScope` that it sets."""

    def __init__(
        self, name_or_scope: Any, reuse: Any = None, name_scope: str | None = None, custom_getter: Getter | None = None, constraint: Any = None, **defaults: Any
    ) -> None:
        self._given = name_or_scope
        self._reuse = reuse
        self._name_scope = name_scope
        self._custom_getter = custom_getter
        self._constraint = constraint
        self._defaults = defaults
        self._store = scopes()
        self._scope = self._derived(name_or_scope, name_or_scope.name, name_or_scope.original_name_scope) if isinstance(name_or_scope, VariableScope) else None

    def _derived(self, base: VariableScope, name: str, name_scope: str) -> VariableScope:
        """A scope with the defaults of `base`, but for those given."""
        out = VariableScope(self._reuse or base.reuse, name, name_scope=name_scope, custom_getter=base.custom_getter, constraint=self._constraint)
        for k in _DEFAULTS:
            setattr(out, f"_{k}", _or(self._defaults.get(k), getattr(base, k)))
        if self._custom_getter is not None:
            out.set_custom_getter(_chained(self._custom_getter, base.custom_getter))
        return out

    def __enter__(self) -> VariableScope:
        """Makes the scope current."""
        store = self._store
        self._old = store.current
        if self._scope is not None:
            entered = self._scope
            store.open(entered.name)
            self._opened = dict(store.opened)
        else:
            name = f"{self._old.name}/{self._given}" if self._old.name else self._given
            entered = self._derived(self._old, name, self._given if self._name_scope is None else self._name_scope)
            store.open(name)
        self._entered = store.current = entered
        return entered

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        """Makes the enclosing scope current again."""
        store = self._store
        if store.current is not self._entered:
            raise RuntimeError("Improper nesting of variable_scope.")
        if self._scope is not None:
            store.opened = self._opened
        else:
            store.close_below(self._entered.name)
        store.current = self._old


def _chained(getter: Getter, outer: Getter | None) -> Getter:
    """A getter that calls `getter`, whose own getter goes through `outer`."""
    if outer is None:
        return getter

    innermost = getter

    def chained(getter: Getter, *args: Any, **kwargs: Any) -> Any:
        return innermost(lambda *a, **k: outer(getter, *a, **k), *args, **kwargs)

    return chained


@export("variable_scope")
class variable_scope:
    """Opens a variable scope in a with statement, which yields it as a `VariableScope`.

    Args:
      name_or_scope: a name below the current scope, or a VariableScope to enter again.
      default_name: used when `name_or_scope` is None, made unique; it excludes reuse.
      values: tensors the code inside works on; they tell the graph.
      initializer, regularizer, caching_device, partitioner, custom_getter, dtype, use_resource, constraint: defaults of `get_variable`.
      reuse: True: variables must exist; AUTO_REUSE: they are made when they do not; None: as in the enclosing scope.
      auxiliary_name_scope: False keeps the current name scope.

    Raises ValueError when `reuse` makes no sense, TypeError when neither name is given.
    """

    def __init__(
        self, name_or_scope: Any, default_name: str | None = None, values: Sequence[Any] | None = None, initializer: Any = None, regularizer: Any = None,
        caching_device: Any = None, partitioner: Any = None, custom_getter: Getter | None = None, reuse: Any = None, dtype: Any = None,
        use_resource: bool | None = None, constraint: Any = None, auxiliary_name_scope: bool = True,
    ) -> None:  # fmt: skip
        if default_name is None and name_or_scope is None:
            raise TypeError("If default_name is None then name_or_scope is required")
        if reuse not in (None, True, False, AUTO_REUSE):
            raise ValueError(f"The reuse parameter must be True or False or None, got {reuse!r}.")
        if not isinstance(auxiliary_name_scope, bool):
            raise TypeError(f"The auxiliary_name_scope must be `True` or `False`, while get {auxiliary_name_scope}")
        self._given = name_or_scope
        self._default_name = default_name
        self._reuse = None if reuse is False else reuse
        self._auxiliary = auxiliary_name_scope
        self._graph = graph_of(values)
        self._defaults = {
            "initializer": initializer, "regularizer": regularizer, "caching_device": caching_device, "partitioner": partitioner, "dtype": dtype,
            "use_resource": use_resource, "custom_getter": custom_getter, "constraint": constraint,
        }  # fmt: skip
        self._pure: PureScope | None = None
        self._stacks: list[ExitStack] = []

    def _name_scope(self) -> str | None:
        """The name scope to open; None for none."""
        graph = get_default_graph()
        if not self._auxiliary:
            here = graph.get_name_scope()
            return f"{here}/" if here else ""
        if self._given is None:
            return self._default_name
        if isinstance(self._given, str):
            return self._given or None
        return self._given.name.rpartition("/")[2] or None

    def __enter__(self) -> VariableScope:
        """Opens the scope."""
        if not isinstance(self._given, (VariableScope, str, type(None))):
            raise TypeError(f"VariableScope: name_or_scope must be a string or VariableScope, got {self._given!r}.")
        with ExitStack() as stack:
            if not get_default_graph().building_function:
                stack.enter_context(self._graph.as_default())
            name = self._name_scope()
            opened = None if name is None else stack.enter_context(get_default_graph().name_scope(name))
            if self._pure is None:
                self._pure = self._make_pure(opened)
            entered = stack.enter_context(self._pure)
            self._stacks.append(stack.pop_all())
        return entered

    def _make_pure(self, opened: str | None) -> PureScope:
        if self._given is None:
            if self._reuse:
                raise ValueError("reuse=True cannot be used without a name_or_scope")
            return PureScope(scopes().unique(self._default_name or ""), name_scope=opened, **self._defaults)
        if isinstance(self._given, VariableScope):
            opened = self._given.original_name_scope
        return PureScope(self._given, self._reuse, name_scope=opened, **self._defaults)

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        """Leaves the scope."""
        self._stacks.pop().__exit__(kind, value, traceback)


@export("variable_op_scope")
@contextmanager
def variable_op_scope(
    values: Sequence[Any] | None, name_or_scope: Any, default_name: str | None = None, initializer: Any = None, regularizer: Any = None,
    caching_device: Any = None, partitioner: Any = None, custom_getter: Getter | None = None, reuse: Any = None, dtype: Any = None,
    use_resource: bool | None = None, constraint: Any = None,
) -> Iterator[VariableScope]:  # fmt: skip
    """`variable_scope` with its arguments in the order of TensorFlow before 1.0."""
    with variable_scope(
        name_or_scope, default_name, values, initializer, regularizer, caching_device, partitioner, custom_getter, reuse, dtype, use_resource, constraint
    ) as scope:
        yield scope


@export("get_variable")
def get_variable(
    name: str, shape: Any = None, dtype: Any = None, initializer: Any = None, regularizer: Any = None, trainable: bool | None = None,
    collections: Any = None, caching_device: Any = None, partitioner: Any = None, validate_shape: bool = True, use_resource: bool | None = None,
    custom_getter: Getter | None = None, constraint: Any = None, synchronization: Any = VariableSynchronization.AUTO,
    aggregation: Any = VariableAggregation.NONE,
) -> Any:  # fmt: skip
    """Returns the variable called `name` in the current variable scope: an existing one when the scope reuses, else a new one.

    Args:
      name: the name inside the scope.
      shape: the shape; must be known for a new variable, unless the initializer is a value.
      dtype: the element type, by default the scope's (float32).
      initializer: an initializer, a function of shape and dtype, or a value; by default the scope's, or `glorot_uniform_initializer`
        for floats and zeros for integers.
      regularizer: a function of the variable whose result joins `GraphKeys.REGULARIZATION_LOSSES`.
      trainable: whether optimizers change it, by default True.
      collections: by default `[GraphKeys.GLOBAL_VARIABLES]`.
      caching_device, validate_shape, use_resource, constraint, synchronization, aggregation: as `Variable`.
      partitioner: a function of shape and dtype that says how many parts each dimension is cut into.
      custom_getter: is called with `getter=` the true getter and all these arguments, instead of the getter.

    Raises ValueError when the variable exists and may not, does not exist and must, or has another shape or type.

    >>> from ir.graph import Graph
    >>> with Graph().as_default(), variable_scope("layer"):
    ...     get_variable("w", [2, 3]).name
    'layer/w:0'
    """
    return get_variable_scope().get_variable(
        variable_store(), name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer, trainable=trainable,
        collections=collections, caching_device=caching_device, partitioner=partitioner, validate_shape=validate_shape, use_resource=use_resource,
        custom_getter=custom_getter, constraint=constraint, synchronization=synchronization, aggregation=aggregation,
    )  # fmt: skip


@export("get_local_variable")
def get_local_variable(
    name: str, shape: Any = None, dtype: Any = None, initializer: Any = None, regularizer: Any = None, trainable: bool = False,
    collections: Any = None, caching_device: Any = None, partitioner: Any = None, validate_shape: bool = True, use_resource: bool | None = None,
    custom_getter: Getter | None = None, constraint: Any = None, synchronization: Any = VariableSynchronization.AUTO,
    aggregation: Any = VariableAggregation.NONE,
) -> Any:  # fmt: skip
    """`get_variable` for a variable that is not trainable and joins `GraphKeys.LOCAL_VARIABLES` instead of the global ones."""
    return get_variable(
        name, shape, dtype, initializer, regularizer, False, [*(collections or []), GraphKeys.LOCAL_VARIABLES], caching_device, partitioner,
        validate_shape, use_resource, custom_getter, constraint, synchronization, aggregation,
    )  # fmt: skip


@export("create_partitioned_variables")
def create_partitioned_variables(
    shape: Any, slicing: Sequence[int], initializer: Any, dtype: Any = float32, trainable: bool = True, collections: Any = None,
    name: str | None = None, reuse: Any = None,
) -> list[Any]:  # fmt: skip
    """Returns the parts of a variable of `shape` cut as `slicing` says: `get_variable` with a partitioner does the same."""
    if len(shape) != len(slicing):
        raise ValueError(f"The 'shape' and 'slicing' of a partitioned Variable must have the length: shape: {shape}, slicing: {slicing}")
    if not shape:
        raise ValueError(f"A partitioned Variable must have rank at least 1: shape: {shape}")
    with variable_scope(name, "PartitionedVariable", reuse=reuse) as scope, get_default_graph().name_scope(None):
        request = Request(
            scope.name, shape, dtype, _or(initializer, scope.initializer), scope.regularizer, scope.reuse, trainable, collections,
            scope.caching_device, lambda **_: list(slicing), use_resource=scope.use_resource, constraint=scope.constraint,
        )  # fmt: skip
        return list(variable_store().get_partitioned(request))
