"""The kind of variable behind a handle: a read takes the value at its own place in the order of effects."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from graphc.variables.base import BaseVariable, checked_slices, in_scope, mark_colocated, settled, settled_collections
from graphc.variables.ref_variable import outer_value
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import DType
from ir.ops import scatter, state
from ir.ops.basic import identity
from ir.ops.layout import raw
from ir.scopes import init_scope
from ir.shapes import TensorShape, as_shape
from ir.tensor import Operation, Tensor


class ResourceBase(BaseVariable):
    """What a variable behind a handle and the result of assigning to one have in common."""

    _is_resource = True
    _handle: Tensor
    _dtype: DType
    _shape: TensorShape
    _graph_element: Tensor | None = None
    _cached_value: Tensor | None = None

    def _variable_op(self) -> Operation:
        return self._handle.op

    def _as_graph_element(self) -> Tensor:
        if self._graph_element is None:
            raise ValueError(f"{self.name} was assigned to inside a function or loop body and has no value outside of it")
        return self._graph_element

    def _as_ref(self) -> Tensor:
        return self.value()

    @property
    def handle(self) -> Tensor:
        """The handle."""
        return self._handle

    @property
    def create(self) -> Operation:
        """The operation that gives the variable its initial value."""
        return self._initializer_op

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        """The static shape."""
        return self._shape

    # -- reading -------------------------------------------------------------------------------------

    @contextmanager
    def _placed(self) -> Iterator[None]:
        graph = get_default_graph()
        with graph.colocate_with(None, ignore_existing=True), graph.device(self._handle.device):
            yield

    def _read(self) -> Tensor:
        return state.read_variable_op(self._handle, self._dtype)

    def value(self) -> Tensor:
        """Returns the value at this place in the order of effects (with a caching device, the cached value)."""
        if self._cached_value is not None:
            return self._cached_value
        with self._placed():
            return self._read()

    def read_value(self) -> Tensor:
        """Returns the value at this place in the order of effects."""
        graph = get_default_graph()
        with graph.name_scope("Read"), graph.device(self._handle.device):
            value = self._read()
        return identity(value)

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        """Returns the rows `indices`; its gradient is an IndexedSlices."""
        with get_default_graph().name_scope("Gather" if name is None else name) as scope:
            value = scatter.resource_gather(self._handle, indices, self._dtype, name=scope)
        return identity(value)

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        """Returns the elements or slices at `indices` [..., k]."""
        with get_default_graph().name_scope("GatherNd" if name is None else name) as scope:
            value = scatter.resource_gather_nd(self._handle, indices, self._dtype, name=scope)
        return identity(value)

    def is_initialized(self, name: str | None = None) -> Tensor:
        """Returns whether the variable has a value."""
        return state.var_is_initialized_op(self._handle, name=name)

    def _is_initialized(self) -> Tensor:
        return self.is_initialized()

    # -- changing ------------------------------------------------------------------------------------

    def _after(self, op: Operation, read_value: bool = True) -> Any:
        return UnreadVariable(self, op) if read_value else op

    def _operand(self, value: Any) -> Tensor:
        return convert_to_tensor(value, dtype=self._dtype)

    def _wait(self) -> Any:
        return get_default_graph().control_dependencies([] if self._cached_value is None else [self._cached_value])

    def assign(self, value: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True) -> Any:
        """Gives the variable a new value when run.

        Args:
          value: a tensor of the variable's shape.
          use_locking: accepted; assignments are always whole.
          name: a name for the operation.
          read_value: whether to return the variable after the assignment, which can be read, else the operation.
        """
        with self._wait():
            tensor = self._operand(value)
            self._shape.assert_is_compatible_with(tensor.shape)
            done = state.assign_variable_op(self._handle, tensor, name=name)
        return self._after(done, read_value)

    def assign_add(self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True) -> Any:
        """Adds `delta` when run; see `assign`."""
        with self._wait():
            done = state.assign_add_variable_op(self._handle, self._operand(delta), name=name)
        return self._after(done, read_value)

    def assign_sub(self, delta: Any, use_locking: bool | None = None, name: str | None = None, read_value: bool = True) -> Any:
        """Subtracts `delta` when run; see `assign`."""
        with self._wait():
            done = state.assign_sub_variable_op(self._handle, self._operand(delta), name=name)
        return self._after(done, read_value)

    def _scatter(self, op: Callable[..., Operation], sparse_delta: Any, name: str | None) -> Any:
        delta = checked_slices(sparse_delta)
        with self._wait():
            done = op(self._handle, delta.indices, self._operand(delta.values), name=name)
        return self._after(done)

    def _scatter_nd(self, op: Callable[..., Operation], indices: Any, updates: Any, name: str | None) -> Any:
        with self._wait():
            done = op(self._handle, indices, self._operand(updates), name=name)
        return self._after(done)

    def scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """Replaces the rows of an IndexedSlices when run; returns the variable after it."""
        return self._scatter(scatter.resource_scatter_update, sparse_delta, name)

    def scatter_add(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """Adds the rows of an IndexedSlices when run; returns the variable after it."""
        return self._scatter(scatter.resource_scatter_add, sparse_delta, name)

    def scatter_sub(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """Subtracts the rows of an IndexedSlices when run; returns the variable after it."""
        return self._scatter(scatter.resource_scatter_sub, sparse_delta, name)

    def scatter_mul(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """Multiplies by the rows of an IndexedSlices when run; returns the variable after it."""
        return self._scatter(scatter.resource_scatter_mul, sparse_delta, name)

    def scatter_div(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """Divides by the rows of an IndexedSlices when run; returns the variable after it."""
        return self._scatter(scatter.resource_scatter_div, sparse_delta, name)

    def scatter_min(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """Takes the smaller of the rows and those of an IndexedSlices when run; returns the variable after it."""
        return self._scatter(scatter.resource_scatter_min, sparse_delta, name)

    def scatter_max(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """Takes the larger of the rows and those of an IndexedSlices when run; returns the variable after it."""
        return self._scatter(scatter.resource_scatter_max, sparse_delta, name)

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Replaces the elements or slices at `indices` [..., k] when run; returns the variable after it."""
        return self._scatter_nd(scatter.resource_scatter_nd_update, indices, updates, name)

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Adds to the elements or slices at `indices` [..., k] when run; returns the variable after it."""
        return self._scatter_nd(scatter.resource_scatter_nd_add, indices, updates, name)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Subtracts from the elements or slices at `indices` [..., k] when run; returns the variable after it."""
        return self._scatter_nd(scatter.resource_scatter_nd_sub, indices, updates, name)

    def _strided_slice_assign(self, begin: Any, end: Any, strides: Any, value: Any, name: str | None, *masks: int) -> Any:
        with self._wait():
            done = raw("ResourceStridedSliceAssign")(self._handle, begin, end, strides, self._operand(value), *masks, name=name)
        return self._after(done)

    def count_up_to(self, limit: int) -> Tensor:
        """Returns the value and adds one when run; at `limit` the run fails with OutOfRangeError."""
        return scatter.resource_count_up_to(self._handle, limit, self._dtype)


def _refuse(sign: str, method: str) -> Callable[..., NoReturn]:
    def operator(self: ResourceBase, _: Any) -> NoReturn:
        raise RuntimeError(
            f"Variable {sign}= value not supported. Use {method} to modify the variable, or variable = variable {sign} value to get a new Tensor object."
        )

    return operator


for _name, _sign, _method in (
    ("add", "+", "variable.assign_add(value)"), ("sub", "-", "variable.assign_sub(value)"), ("mul", "*", "variable.assign(variable * value)"),
    ("truediv", "/", "variable.assign(variable / value)"), ("pow", "**", "variable.assign(variable ** value)"),
):  # fmt: skip
    setattr(ResourceBase, f"__i{_name}__", _refuse(_sign, _method))


class ResourceVariable(ResourceBase):
    """A variable made of `VarHandleOp`, `AssignVariableOp` and `ReadVariableOp`: `v`, `v/Assign`, `v/Read/ReadVariableOp`."""

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
                value = self._make(initial_value, dtype, shape, scope)
                with graph.name_scope("IsInitialized"):
                    self._is_initialized_op = state.var_is_initialized_op(self._handle)
                with graph.name_scope("Assign") as assign, self._placed():
                    self._initializer_op: Operation = state.assign_variable_op(self._handle, value, name=assign)
                with graph.name_scope("Read"):
                    with graph.device(self._handle.device):
                        self._graph_element = self._read()
                    if caching_device is not None:
                        with graph.colocate_with(None, ignore_existing=True), graph.device(caching_device):
                            self._cached_value = identity(self._graph_element)
            graph.add_to_collections(collections, self)

    def _make(self, initial_value: Any, dtype: Any, shape: Any, scope: str) -> Tensor:
        """Makes the initial value, which it returns, and the handle."""
        graph = get_default_graph()
        first = graph.version
        with graph.name_scope("Initializer"), graph.device(None):
            value = outer_value(initial_value() if callable(initial_value) else initial_value, dtype, scope)
        if shape is not None and not value.shape.is_compatible_with(shape):
            raise ValueError(f"The initial value's shape ({value.shape}) is not compatible with the explicitly supplied `shape` argument ({shape}).")
        self._initial_value = value
        self._shape = value.shape if shape is None else as_shape(shape)
        self._dtype = value.dtype.base_dtype
        self._handle = state.var_handle_op(self._dtype, self._shape, shared_name=scope[:-1], name=scope)
        mark_colocated(graph, first, self._handle.op.name)
        return value

    @classmethod
    def from_def(cls, variable_def: Any, import_scope: str | None = None) -> "ResourceVariable":
        """Returns the variable that a VariableDef names in the default graph."""
        self = cls.__new__(cls)
        graph = self._fill(variable_def, import_scope)
        self._handle = graph.as_graph_element(in_scope(variable_def.variable_name, import_scope))
        attrs = self._handle.op.attrs
        self._dtype, self._shape = attrs["dtype"], as_shape(attrs["shape"])
        snapshot = variable_def.snapshot_name
        read = graph.as_graph_element(in_scope(snapshot, import_scope) if snapshot else f"{self._handle.op.name}/Read/ReadVariableOp:0")
        self._cached_value = None if read.op.type == "ReadVariableOp" else read
        while read.op.type != "ReadVariableOp":
            read = read.op.inputs[0]
        self._graph_element = read
        return self

    def _snapshot_tensor(self) -> Tensor:
        return self._as_graph_element() if self._cached_value is None else self._cached_value


class UnreadVariable(ResourceBase):
    """A resource variable after an assignment: reading it, or running it, runs the assignment first."""

    def __init__(self, variable: ResourceBase, parent: Operation) -> None:
        self._handle = variable.handle
        self._dtype = variable.dtype
        self._shape = variable.shape
        self._trainable = False
        self._synchronization = variable.synchronization
        self._aggregation = variable.aggregation
        self._constraint = None
        self._parent_op = parent
        self._initial_value = None
        self._initializer_op = None
        graph = get_default_graph()
        if not graph.building_function:
            with graph.control_dependencies([parent]):
                self._graph_element = state.read_variable_op(self._handle, self._dtype)

    @property
    def op(self) -> Operation:
        """The assignment."""
        return self._parent_op

    @property
    def name(self) -> str:
        """The name of the assignment."""
        return self._parent_op.name

    def _read(self) -> Tensor:
        with self._wait():
            return super()._read()

    def value(self) -> Tensor:
        """Returns the value after the assignment."""
        return self._read()

    def read_value(self) -> Tensor:
        """Returns the value after the assignment."""
        return self._read()

    def _wait(self) -> Any:
        return get_default_graph().control_dependencies([self._parent_op])
