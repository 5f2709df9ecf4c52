"""The kind of variable TensorFlow 1 makes by default: a reference, read by each consumer at its own place in the order of effects."""

from collections.abc import Callable
from typing import Any

from graphc.variables.base import BaseVariable, checked_slices, in_scope, mark_colocated, settled, settled_collections
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import DType
from ir.ops import scatter, state
from ir.ops.basic import identity
from ir.ops.slicing import assign_slice
from ir.scopes import init_scope
from ir.shapes import TensorShape
from ir.tensor import Operation, Tensor


class RefVariable(BaseVariable):
    """A variable made of `VariableV2`, `Assign` and `Identity`: `v`, `v/Assign`, `v/read`."""

    def __init__(
        self, initial_value: Any = None, trainable: bool | None = None, collections: Any = None, validate_shape: bool = True,
        caching_device: Any = None, name: str | None = None, dtype: Any = None, constraint: Callable[..., Any] | None = None,
        synchronization: Any = None, aggregation: Any = None, shape: Any = None,
    ) -> None:  # fmt: skip
        if initial_value is None:
            raise ValueError("initial_value must be specified.")
        if constraint is not None and not callable(constraint):
            raise ValueError("The `constraint` argument must be a callable.")
        self._synchronization, self._aggregation, self._trainable = settled(synchronization, aggregation, trainable, name)
        self._constraint = constraint
        collections = settled_collections(collections, self._trainable)
        with init_scope():
            graph = get_default_graph()
            with graph.name_scope("Variable" if name is None else name) as scope:
                self._variable, value = self._make(initial_value, dtype, shape, validate_shape, scope)
                if validate_shape and not value.shape.is_fully_defined():
                    raise ValueError(f"initial_value must have a shape specified: {value}")
                with graph.colocate_with(self._variable.op):
                    self._initializer_op: Operation = state.assign_ref(self._variable, value, validate_shape).op
                if caching_device is not None:
                    with graph.device(caching_device):
                        self._snapshot = identity(self._variable, name="read")
                else:
                    with graph.colocate_with(self._variable.op):
                        self._snapshot = identity(self._variable, name="read")
            graph.add_to_collections(collections, self)

    def _make(self, initial_value: Any, dtype: Any, shape: Any, validate_shape: bool, scope: str) -> tuple[Tensor, Tensor]:
        """Makes the reference and the initial value, and returns them."""
        graph = get_default_graph()
        first = graph.version
        if callable(initial_value):
            with graph.name_scope("Initializer"), graph.device(None):
                value = convert_to_tensor(initial_value(), dtype, "initial_value")
        else:
            value = outer_value(initial_value, dtype, scope)
        self._initial_value = value
        if shape is None:
            shape = value.shape if validate_shape else TensorShape(None)
        made = state.variable_v2(shape, value.dtype.base_dtype, name=scope)
        if callable(initial_value):
            mark_colocated(graph, first, made.op.name)
        return made, value

    @classmethod
    def from_def(cls, variable_def: Any, import_scope: str | None = None) -> "RefVariable":
        """Returns the variable that a VariableDef names in the default graph."""
        self = cls.__new__(cls)
        graph = self._fill(variable_def, import_scope)
        self._variable = graph.as_graph_element(in_scope(variable_def.variable_name, import_scope))
        self._snapshot = graph.as_graph_element(in_scope(variable_def.snapshot_name, import_scope))
        return self

    def _snapshot_tensor(self) -> Tensor:
        return self._snapshot

    def _variable_op(self) -> Operation:
        return self._variable.op

    def _as_graph_element(self) -> Tensor:
        return self._variable

    def _as_ref(self) -> Tensor:
        return self._variable

    def _ref(self) -> Tensor:
        return self._variable

    def _is_initialized(self) -> Tensor:
        return state.is_variable_initialized(self._variable)

    @property
    def dtype(self) -> DType:
        """The element type, as a reference."""
        return self._variable.dtype

    @property
    def shape(self) -> TensorShape:
        """The static shape."""
        return self._variable.shape

    def set_shape(self, shape: Any) -> None:
        """Adds what is known about the shape. Raises ValueError when it contradicts."""
        self._variable.set_shape(shape)
        self._snapshot.set_shape(shape)

    def value(self) -> Tensor:
        """Returns `v/read`, whose consumers see the value each at its own place."""
        return self._snapshot

    def read_value(self) -> Tensor:
        """Returns a new `Identity` of the reference."""
        return identity(self._variable, name="read")

    # -- changing ------------------------------------------------------------------------------------

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Gives the variable a new value when run.

        Args:
          value: a tensor of the variable's shape.
          use_locking: accepted; assignments are always whole.
          name: a name for the operation.
          read_value: whether to return the reference after the assignment, else the operation.
        """
        return _read(state.assign_ref(self._variable, value, use_locking=use_locking, name=name), read_value)

    def assign_add(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Adds `delta` when run; see `assign`."""
        return _read(state.assign_add_ref(self._variable, delta, use_locking, name=name), read_value)

    def assign_sub(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Subtracts `delta` when run; see `assign`."""
        return _read(state.assign_sub_ref(self._variable, delta, use_locking, name=name), read_value)

    def _scatter(self, op: Callable[..., Tensor], sparse_delta: Any, use_locking: bool, name: str | None) -> Tensor:
        delta = checked_slices(sparse_delta)
        return op(self._variable, delta.indices, delta.values, use_locking, name=name)

    def scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
        """Replaces the rows of an IndexedSlices when run; returns the reference."""
        return self._scatter(scatter.scatter_update, sparse_delta, use_locking, name)

    def scatter_add(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
        """Adds the rows of an IndexedSlices when run; returns the reference."""
        return self._scatter(scatter.scatter_add, sparse_delta, use_locking, name)

    def scatter_sub(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
        """Subtracts the rows of an IndexedSlices when run; returns the reference."""
        return self._scatter(scatter.scatter_sub, sparse_delta, use_locking, name)

    def scatter_mul(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
        """Multiplies by the rows of an IndexedSlices when run; returns the reference."""
        return self._scatter(scatter.scatter_mul, sparse_delta, use_locking, name)

    def scatter_div(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
        """Divides by the rows of an IndexedSlices when run; returns the reference."""
        return self._scatter(scatter.scatter_div, sparse_delta, use_locking, name)

    def scatter_min(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
        """Takes the smaller of the rows and those of an IndexedSlices when run; returns the reference."""
        return self._scatter(scatter.scatter_min, sparse_delta, use_locking, name)

    def scatter_max(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Tensor:
        """Takes the larger of the rows and those of an IndexedSlices when run; returns the reference."""
        return self._scatter(scatter.scatter_max, sparse_delta, use_locking, name)

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Tensor:
        """Replaces the elements or slices at `indices` [..., k] when run; returns the reference."""
        return scatter.scatter_nd_update(self._variable, indices, updates, True, name=name)

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Tensor:
        """Adds to the elements or slices at `indices` [..., k] when run; returns the reference."""
        return scatter.scatter_nd_add(self._variable, indices, updates, True, name=name)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Tensor:
        """Subtracts from the elements or slices at `indices` [..., k] when run; returns the reference."""
        return scatter.scatter_nd_sub(self._variable, indices, updates, True, name=name)

    def _strided_slice_assign(self, begin: Any, end: Any, strides: Any, value: Any, name: str | None, *masks: int) -> Any:
        return assign_slice(self._variable, begin, end, strides, value, *masks, name=name)

    def count_up_to(self, limit: int) -> Tensor:
        """Returns the value and adds one when run; at `limit` the run fails with OutOfRangeError."""
        return scatter.count_up_to_ref(self._variable, limit)


def _read(result: Tensor, read_value: bool) -> Any:
    return result if read_value else result.op


def outer_value(value: Any, dtype: Any, scope: str) -> Tensor:
    """Returns an initial value as a tensor of the default graph. Raises ValueError for one from inside a loop or conditional."""
    if isinstance(value, Tensor) and value.graph is not get_default_graph() and value.graph.building_function:
        raise ValueError(
            f"Initializer for variable {scope} is from inside a control-flow construct, such as a loop or conditional. When creating a "
            "variable inside a loop or conditional, use a lambda as the initializer."
        )
    return convert_to_tensor(value, dtype, "initial_value")
