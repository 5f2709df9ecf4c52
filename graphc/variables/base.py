"""What reference and resource variables share: the interface of `tf.Variable`.

May import `ir` only.
"""

import enum
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from tensorboard.compat.proto import variable_pb2

from ir.build import export
from ir.convert import get_default_graph, register_tensor_conversion_function
from ir.dtypes import DType
from ir.graph import Graph
from ir.indexed_slices import IndexedSlices
from ir.operators import OPERATORS
from ir.ops.slicing import getitem
from ir.scopes import GraphKeys, init_scope
from ir.shapes import TensorShape
from ir.stacks import sessions
from ir.tensor import Operation, Tensor

_protos: Any = variable_pb2
SaveSliceInfoDef: Any = _protos.SaveSliceInfoDef
VariableDef: Any = _protos.VariableDef


@export("VariableSynchronization")
class VariableSynchronization(enum.Enum):
    """When the copies of a variable on several devices are brought together."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


@export("VariableAggregation")
class VariableAggregation(enum.Enum):
    """How updates of a variable from several devices become one."""

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3
    ONLY_FIRST_TOWER = ONLY_FIRST_REPLICA  # the old name


class Reference:
    """Stands for a variable as a key: equal when it is the same variable."""

    def __init__(self, variable: Any) -> None:
        self._variable = variable

    def deref(self) -> Any:
        """Returns the variable."""
        return self._variable

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._variable is other._variable

    def __hash__(self) -> int:
        return id(self._variable)


class SaveSliceInfo:
    """Which part of a larger, partitioned variable a variable is: checkpoints store the whole under one name."""

    def __init__(
        self, full_name: str | None = None, full_shape: Sequence[int] | None = None, var_offset: Sequence[int] | None = None,
        var_shape: Sequence[int] | None = None, save_slice_info_def: Any = None, import_scope: str | None = None,
    ) -> None:  # fmt: skip
        if save_slice_info_def is not None:
            full_name = in_scope(save_slice_info_def.full_name, import_scope)
            full_shape = list(save_slice_info_def.full_shape)
            var_offset = list(save_slice_info_def.var_offset)
            var_shape = list(save_slice_info_def.var_shape)
        self.full_name = full_name
        self.full_shape = full_shape
        self.var_offset = var_offset
        self.var_shape = var_shape

    @property
    def spec(self) -> str:
        """The part as checkpoints write it: the whole shape, then "offset,length" of each dimension."""
        sizes = " ".join(str(d) for d in self.full_shape or ())
        parts = ":".join(f"{o},{n}" for o, n in zip(self.var_offset or (), self.var_shape or (), strict=True))
        return f"{sizes} {parts}"

    def to_proto(self, export_scope: str | None = None) -> Any:
        """Returns the SaveSliceInfoDef, or None when the variable is not in `export_scope`."""
        if export_scope is not None and not (self.full_name or "").startswith(export_scope):
            return None
        name = without_scope(self.full_name or "", export_scope)
        return SaveSliceInfoDef(full_name=name, full_shape=self.full_shape, var_offset=self.var_offset, var_shape=self.var_shape)


def in_scope(name: str, import_scope: str | None) -> str:
    """Returns `name` as it is called after an import into a scope."""
    return f"{import_scope}/{name}" if import_scope else name


def without_scope(name: str, export_scope: str | None) -> str:
    """Returns `name` as it is called when its scope is exported."""
    return name.removeprefix(f"{export_scope.rstrip('/')}/") if export_scope else name


def settled(synchronization: Any, aggregation: Any, trainable: bool | None, name: str | None) -> tuple[Any, Any, bool]:
    """Returns the three with their defaults put in. Raises ValueError for values that there are not."""
    try:
        aggregation = VariableAggregation.NONE if aggregation is None else VariableAggregation(aggregation)
    except ValueError:
        raise ValueError(f"Invalid variable aggregation mode: {aggregation} for variable: {name}") from None
    try:
        synchronization = VariableSynchronization.AUTO if synchronization is None else VariableSynchronization(synchronization)
    except ValueError:
        raise ValueError(f"Invalid variable synchronization mode: {synchronization} for variable: {name}") from None
    if trainable is None:
        trainable = synchronization is not VariableSynchronization.ON_READ
    return synchronization, aggregation, trainable


def settled_collections(collections: Any, trainable: bool) -> list[Any]:
    """Returns the collections a new variable joins. Raises ValueError when they are no list."""
    if collections is None:
        collections = [GraphKeys.GLOBAL_VARIABLES]
    if not isinstance(collections, (list, tuple, set)):
        raise ValueError(f"collections argument to Variable constructor must be a list, tuple, or set. Got {collections} of type {type(collections)}")
    out = list(collections)
    if trainable and GraphKeys.TRAINABLE_VARIABLES not in out:
        out.append(GraphKeys.TRAINABLE_VARIABLES)
    return out


class BaseVariable:
    """A value that a Session holds from one run to the next."""

    __array_priority__ = 100
    _initial_value: Tensor | None
    _initializer_op: Any
    _trainable: bool
    _synchronization: VariableSynchronization
    _aggregation: VariableAggregation
    _constraint: Callable[..., Any] | None
    _save_slice_info: SaveSliceInfo | None = None
    _is_resource = False
    SaveSliceInfo = SaveSliceInfo

    # -- what the two kinds do differently -----------------------------------------------------------

    def _variable_op(self) -> Operation:
        """The operation that makes the handle or reference."""
        raise NotImplementedError

    def _as_graph_element(self) -> Tensor:
        """The tensor that is fetched when the variable is."""
        raise NotImplementedError

    def _as_ref(self) -> Tensor:
        """The tensor for an op that takes a reference."""
        raise NotImplementedError

    def value(self) -> Tensor:
        """Returns the tensor that arithmetic with the variable uses."""
        raise NotImplementedError

    def read_value(self) -> Tensor:
        """Returns a new tensor with the value at this place in the order of effects."""
        raise NotImplementedError

    @property
    def dtype(self) -> DType:
        """The element type."""
        raise NotImplementedError

    @property
    def shape(self) -> TensorShape:
        """The static shape."""
        raise NotImplementedError

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Gives the variable a new value when run; returns the variable after it, or with `read_value=False` the operation."""
        raise NotImplementedError

    # -- properties ----------------------------------------------------------------------------------

    @property
    def op(self) -> Operation:
        """The operation that makes the variable."""
        return self._variable_op()

    @property
    def name(self) -> str:
        """The name, "scope/v:0"."""
        return f"{self._variable_op().name}:0"

    @property
    def _shared_name(self) -> str:
        return self.name[: self.name.index(":")]

    @property
    def graph(self) -> Graph:
        """The graph the variable belongs to."""
        return self._variable_op().graph

    @property
    def device(self) -> str:
        """The device asked for, "" when none was."""
        return self._variable_op().device

    @property
    def initial_value(self) -> Tensor | None:
        """The tensor the initializer assigns."""
        return self._initial_value

    @property
    def initializer(self) -> Operation:
        """The operation that gives the variable its initial value."""
        return self._initializer_op

    @property
    def trainable(self) -> bool:
        """Whether optimizers change the variable by default."""
        return self._trainable

    @property
    def synchronization(self) -> VariableSynchronization:
        """When copies on several devices are brought together."""
        return self._synchronization

    @property
    def aggregation(self) -> VariableAggregation:
        """How updates from several devices become one."""
        return self._aggregation

    @property
    def constraint(self) -> Callable[..., Any] | None:
        """The function that optimizers apply to the value after an update, or None."""
        return self._constraint

    def get_shape(self) -> TensorShape:
        """Returns the static shape."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Adds what is known about the shape. Raises ValueError when it contradicts."""
        raise NotImplementedError(f"{type(self).__name__} does not implement set_shape()")

    # -- running -------------------------------------------------------------------------------------

    def eval(self, session: Any = None) -> Any:
        """Returns the value in `session`, or in the default session. Raises ValueError when there is none."""
        return self._as_graph_element().eval(session=session)

    def load(self, value: Any, session: Any = None) -> None:
        """Gives the variable `value`, a NumPy array or list, in `session` or the default one; adds nothing to the graph."""
        session = session or sessions.top()
        if session is None:
            raise ValueError("Either session argument should be provided or default session should be established")
        session.run(self.initializer, {self.initializer.inputs[1]: value})

    def initialized_value(self) -> Tensor:
        """Returns the value if the variable has one, else its initial value: for the initial value of another variable."""
        with init_scope():
            return self.read_value()

    def _is_initialized(self) -> Tensor:
        raise NotImplementedError

    # -- as a proto ----------------------------------------------------------------------------------

    def to_proto(self, export_scope: str | None = None) -> Any:
        """Returns the VariableDef that a MetaGraphDef's collections hold, or None when the variable is not in `export_scope`."""
        if export_scope is not None and not self.name.startswith(export_scope):
            return None
        out = VariableDef(
            variable_name=without_scope(self.name, export_scope), initializer_name=without_scope(self.initializer.name, export_scope),
            snapshot_name=without_scope(self._snapshot_tensor().name, export_scope), is_resource=self._is_resource, trainable=self._trainable,
            synchronization=self._synchronization.value, aggregation=self._aggregation.value,
        )  # fmt: skip
        if self._initial_value is not None:
            out.initial_value_name = without_scope(self._initial_value.name, export_scope)
        if self._save_slice_info is not None:
            out.save_slice_info_def.MergeFrom(self._save_slice_info.to_proto(export_scope))
        return out

    def _snapshot_tensor(self) -> Tensor:
        raise NotImplementedError

    def _fill(self, variable_def: Any, import_scope: str | None) -> Graph:
        """Sets what a VariableDef tells of either kind."""
        graph = get_default_graph()
        self._initializer_op = graph.as_graph_element(in_scope(variable_def.initializer_name, import_scope))
        initial = variable_def.initial_value_name
        self._initial_value = graph.as_graph_element(in_scope(initial, import_scope)) if initial else None
        trainable = variable_def.trainable
        self._synchronization, self._aggregation, self._trainable = settled(
            variable_def.synchronization, variable_def.aggregation, trainable, variable_def.variable_name
        )
        self._constraint = None
        if variable_def.HasField("save_slice_info_def"):
            self._save_slice_info = SaveSliceInfo(save_slice_info_def=variable_def.save_slice_info_def, import_scope=import_scope)
        return graph

    # -- partitioning --------------------------------------------------------------------------------

    def _set_save_slice_info(self, save_slice_info: SaveSliceInfo | None) -> None:
        self._save_slice_info = save_slice_info

    def _get_save_slice_info(self) -> SaveSliceInfo | None:
        return self._save_slice_info

    # -- as a Python object --------------------------------------------------------------------------

    def experimental_ref(self) -> Reference:
        """Returns an object that stands for this variable as a key."""
        return Reference(self)

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={self.get_shape()} dtype={self.dtype.name}>"

    def __iter__(self) -> NoReturn:
        raise TypeError("'Variable' object is not iterable.")

    def __getitem__(self, key: Any) -> Tensor:
        return getitem(self.value(), key, var=self)

    def numpy(self) -> NoReturn:
        """Raises: a variable has its value in a Session only."""
        raise NotImplementedError(f"numpy() is only available when eager execution is enabled: write session.run({self._shared_name})")

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(f"Cannot convert variable {self.name} to a NumPy array: it has its value in a Session; write session.run(variable).")


def _delegate(name: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    def operator(self: BaseVariable, *args: Any) -> Any:
        return fn(self.value(), *args)

    operator.__name__ = name
    return operator


for _name, _fn in OPERATORS.items():
    if _name != "__getitem__":
        setattr(BaseVariable, _name, _delegate(_name, _fn))


def checked_slices(sparse_delta: Any) -> IndexedSlices:
    """Returns `sparse_delta`. Raises TypeError when it is no IndexedSlices."""
    if not isinstance(sparse_delta, IndexedSlices):
        raise TypeError(f"sparse_delta is not IndexedSlices: {sparse_delta}")
    return sparse_delta


def mark_colocated(graph: Graph, first: int, name: str) -> None:
    """Places the operations made since the graph had `first` with the variable called `name`."""
    if get_default_graph() is graph:
        for op in graph.ops[first:]:
            op.colocation = (f"loc:@{name}",)


def _to_tensor(value: BaseVariable, dtype: DType | None = None, name: str | None = None, as_ref: bool = False) -> Tensor:
    if dtype is not None and not dtype.base_dtype.is_compatible_with(value.dtype.base_dtype):
        raise ValueError(f"Incompatible type conversion requested to type '{dtype.name}' for variable of type '{value.dtype.name}': {value.name}")
    return value._as_ref() if as_ref else value.value()


register_tensor_conversion_function(BaseVariable, _to_tensor)
