"""Graph: an append-only list of named operations, and the scopes that apply while it is built."""

import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from ir import location
from ir.device import merge_devices
from ir.dtypes import DType
from ir.shapes import Dims
from ir.stacks import graphs
from ir.tensor import Operation, Tensor

if TYPE_CHECKING:
    from ir.opdef import OpDef

_OP_NAME = re.compile(r"^[A-Za-z0-9.][A-Za-z0-9_.\-/]*$")
_FORM = 'Tensor names must be of the form "<op_name>:<output_index>"'
_SCOPE_NAME = re.compile(r"^[A-Za-z0-9_.\-/]*$")
DEFAULT_GRAPH_SEED = 87654321
GRAPH_DEF_VERSION = 134


class _Versions:
    """The version numbers a GraphDef carries."""

    def __init__(self) -> None:
        self.producer = GRAPH_DEF_VERSION
        self.min_consumer = 0


class _Controller:
    """One `control_dependencies` block: its ops, and what was created inside it."""

    def __init__(self, ops: list[Operation]) -> None:
        self.ops = ops
        self.inside: set[Operation] = set()


class Graph:
    """A dataflow graph: operations in the order of their creation.

    `with graph.as_default():` makes it the one new operations go to.
    """

    building_function = False

    def __init__(self) -> None:
        self._ops: list[Operation] = []
        self._by_name: dict[str, Operation] = {}
        self._names: dict[str, int] = {}
        self._name_stack = ""
        self._controllers: list[_Controller] = []
        self._devices: list[Any] = []
        self._colocation: list[Operation] = []
        self._overrides: dict[str, str] = {}
        self._collections: dict[Any, list[Any]] = {}
        self._finalized = False
        self._unfeedable: set[Any] = set()
        self._unfetchable: set[Any] = set()
        self._original: Operation | None = None
        self._lock = threading.RLock()
        self.seed: int | None = None
        #: counts changes other than appending; programs cut from the graph depend on it
        self.version_of_edits = 0
        #: whether creation order is a topological order
        self.ordered = True
        #: how many operations `ir.functionalize` has looked at, and what the Exits and Merges it changed had as inputs
        self.functionalized = 0
        self.v1_inputs: dict[Operation, tuple[Tensor, ...]] = {}
        self.v1_frames: set[tuple[str, ...]] = set()
        self.v1_control_inputs: dict[Operation, tuple[Operation, ...]] = {}
        #: what gradients of branches and loops made operations hand over, and the bodies they changed
        self.handed: dict[Operation, dict[Any, Tensor]] = {}
        self.bodies: dict[Operation, list[Any]] = {}
        #: the function library: name -> function graph
        self.functions: dict[str, Any] = {}
        self.versions = _Versions()
        #: notes of other parts (variable scopes, keras ids), by key
        self.notes: dict[str, Any] = {}

    # -- reading -------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """The number of operations created so far."""
        return len(self._ops)

    @property
    def graph_def_versions(self) -> _Versions:
        """The version numbers a GraphDef of this graph carries."""
        return self.versions

    @property
    def finalized(self) -> bool:
        """Whether the graph refuses new operations."""
        return self._finalized

    @property
    def ops(self) -> list[Operation]:
        """The operations themselves, in order of creation; not to be changed."""
        return self._ops

    def get_operations(self) -> list[Operation]:
        """Returns the operations in order of creation."""
        return list(self._ops)

    def get_operation_by_name(self, name: str) -> Operation:
        """Returns the operation called `name`. Raises KeyError when there is none."""
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"Operation names are strings (or similar), not {type(name).__name__}.")
        return self.as_graph_element(name, allow_tensor=False, allow_operation=True)

    def get_tensor_by_name(self, name: str) -> Tensor:
        """Returns the tensor called `name`, "op:index". Raises KeyError when there is none."""
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"Tensor names are strings (or similar), not {type(name).__name__}.")
        return self.as_graph_element(name, allow_tensor=True, allow_operation=False)

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> Any:
        """Returns the Tensor or Operation that `obj` is, names, or converts to.

        Raises KeyError when the name is not in the graph, ValueError when `obj` is of another graph, TypeError
        when it is nothing of the kind.
        """
        convert = getattr(obj, "_as_graph_element", None)
        if convert is not None:
            obj = convert()
        if isinstance(obj, str):
            return self._by_text(obj, allow_tensor, allow_operation)
        if (isinstance(obj, Tensor) and allow_tensor) or (isinstance(obj, Operation) and allow_operation):
            if obj.graph is not self:
                raise ValueError(f"{'Tensor' if isinstance(obj, Tensor) else 'Operation'} {obj} is not an element of this graph.")
            return obj
        wanted = " or ".join(["Tensor"] * allow_tensor + ["Operation"] * allow_operation)
        raise TypeError(f"Can not convert a {type(obj).__name__} into a {wanted}.")

    def _by_text(self, name: str, allow_tensor: bool, allow_operation: bool) -> Any:
        if ":" in name:
            if not allow_tensor:
                raise ValueError(f"Name {name!r} appears to refer to a Tensor, not a Operation.")
            op_name, _, index = name.rpartition(":")
            op = self._by_name.get(op_name)
            if not index.isdigit() or ":" in op_name:
                raise ValueError(f"The name {name!r} is no valid Tensor name: {_FORM}.")
            if op is None:
                raise KeyError(f"The name {name!r} refers to a Tensor which does not exist. The operation, {op_name!r}, does not exist in the graph.")
            if int(index) >= len(op.outputs):
                count = len(op.outputs)
                raise KeyError(f"The name {name!r} refers to a Tensor which does not exist. The operation, {op_name!r}, exists but only has {count} outputs.")
            return op.outputs[int(index)]
        op = self._by_name.get(name)
        if op is not None and allow_operation:
            return op
        if op is not None:
            raise ValueError(f"The name {name!r} refers to an Operation, not a Tensor: {_FORM}.")
        if allow_operation:
            raise KeyError(f"The name {name!r} refers to an Operation not in the graph.")
        raise ValueError(f"The name {name!r} looks like an (invalid) Operation name, not a Tensor: {_FORM}.")

    # -- adding --------------------------------------------------------------------------------------

    def append(self, opdef: "OpDef", inputs: tuple[Tensor, ...], attrs: dict[str, Any], name: str, outputs: list[tuple[DType, Dims]]) -> Operation:
        """Appends an operation whose name, types and attributes are settled: the one way in.

        `name` is a full name, already made unique. Raises RuntimeError when the graph is finalized.
        """
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")
        with self._lock:
            op = Operation(self, opdef, len(self._ops), name, inputs, attrs, location.capture())
            op.outputs = [Tensor(op, i, dtype, dims) for i, (dtype, dims) in enumerate(outputs)]
            self._ops.append(op)
            self._by_name[name] = op
        for t in inputs:
            t.add_consumer(op)
        self._apply_scopes(op)
        return op

    def _apply_scopes(self, op: Operation) -> None:
        if self._controllers:
            op._control_inputs = tuple(self._control_inputs_for(op.inputs))  # pyright: ignore[reportPrivateUsage]
            for c in self._controllers:
                c.inside.add(op)
        if self._devices:
            op.device = merge_devices(self._devices, op)
        if self._colocation:
            groups: dict[str, None] = {}
            for other in self._colocation:
                groups.update(dict.fromkeys(other.colocation or ("loc:@" + other.name,)))
                op.device = other.device or op.device
            op.colocation = tuple(sorted(groups))
        if self._original is not None:
            op.original = self._original
        override = self._overrides.get(op.type) if self._overrides else None
        if override is not None:
            op.attrs["_gradient_op_type"] = override

    def _control_inputs_for(self, inputs: tuple[Tensor, ...]) -> list[Operation]:
        data = {t.op for t in inputs}
        found: dict[Operation, None] = {}
        for c in self._controllers:
            if c.inside.isdisjoint(data):
                found.update((op, None) for op in c.ops if op not in data)
        return list(found)

    def mutated(self, out_of_order: Operation | None = None) -> None:
        """Notes a change other than appending."""
        self.version_of_edits += 1
        if out_of_order is not None:
            self.ordered = False

    def capture(self, tensor: Tensor) -> Tensor:
        """Returns `tensor` as an operation of this graph may use it. Raises ValueError for another graph's."""
        if tensor.graph is self:
            return tensor
        raise ValueError(
            f"{tensor!r} must be from the same graph as the operation that uses it: it was made in another tf.Graph"
            f"{' at ' + tensor.op.location_line() if tensor.op.location else ''}."
        )

    def finalize(self) -> None:
        """Makes the graph read-only."""
        self._finalized = True

    def _unsafe_unfinalize(self) -> None:
        self._finalized = False

    # -- names ---------------------------------------------------------------------------------------

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """Returns `name` inside the current name scope, made unique as TensorFlow does: `x`, `x_1`, `x_2`."""
        if self._name_stack:
            name = f"{self._name_stack}/{name}"
        key = name.lower()
        i = self._names.get(key, 0)
        if mark_as_used:
            self._names[key] = i + 1
        if i == 0:
            return name
        base = key
        while key in self._names:
            key = f"{base}_{i}"
            i += 1
        if mark_as_used:
            self._names[key] = 1
        return f"{name}_{i - 1}"

    def op_name(self, name: str) -> str:
        """Returns the full name of an operation asked to be called `name`; "scope/" means exactly "scope"."""
        if name and name[-1] == "/":
            return name[:-1]
        if not _OP_NAME.match(name) and not (self._name_stack and _SCOPE_NAME.match(name)):
            raise ValueError(f"'{name}' is not a valid node name")
        return self.unique_name(name)

    def reserve_name(self, full_name: str) -> None:
        """Marks a full name as used, as importing does."""
        self._names.setdefault(full_name.lower(), 1)

    def get_name_scope(self) -> str:
        """Returns the current name scope, without a trailing slash."""
        return self._name_stack

    @contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Prefixes the names of operations made inside; yields the scope with a trailing slash, or "".

        A `name` that ends in "/" re-enters that scope as it is; None or "" leaves all scopes.
        """
        if name:
            if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"name for name_scope must be a string, not {type(name).__name__}")
            pattern = _SCOPE_NAME if self._name_stack else _OP_NAME
            if not pattern.match(name):
                raise ValueError(f"'{name}' is not a valid scope name")
        old = self._name_stack
        new = "" if not name else name[:-1] if name[-1] == "/" else self.unique_name(name)
        self._name_stack = new
        try:
            yield f"{new}/" if new else ""
        finally:
            self._name_stack = old

    # -- scopes --------------------------------------------------------------------------------------

    def as_default(self) -> "AbstractContextManager[Graph]":
        """Makes this the graph new operations go to, in this thread, inside a with statement."""
        return graphs.entered(self)

    @contextmanager
    def control_dependencies(self, control_inputs: Any) -> Iterator[None]:
        """Makes operations created inside run after `control_inputs`; None drops the enclosing blocks."""
        old = self._controllers
        if control_inputs is None:
            self._controllers = []
        else:
            ops = [self._control_op(c) for c in control_inputs]
            self._controllers = [*old, _Controller([op for op in ops if op is not None])]
        try:
            yield
        finally:
            self._controllers = old

    def _control_op(self, obj: Any) -> Operation | None:
        if hasattr(obj, "values") and hasattr(obj, "indices"):
            obj = obj.values
        elif not isinstance(obj, (Tensor, Operation)) and hasattr(obj, "handle"):
            obj = obj.op  # a resource variable, or the result of an assignment to one: no read is meant
        element = self.as_graph_element(obj) if getattr(obj, "graph", self) is self else None
        if element is None:
            if self.building_function:
                return None  # the enclosing function call orders it
            self.as_graph_element(obj)
        return element.op if isinstance(element, Tensor) else element

    @contextmanager
    def device(self, device_name_or_function: Any) -> Iterator[None]:
        """Asks for a device for operations made inside: a name, a DeviceSpec, a function of the op, or None."""
        self._devices = [*self._devices, device_name_or_function]
        old = self._devices[:-1]
        try:
            yield
        finally:
            self._devices = old

    @contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        """Places operations made inside where `op` is."""
        element = None if op is None else self.as_graph_element(getattr(op, "op", op))
        old = self._colocation
        kept = [] if ignore_existing or element is None else old
        self._colocation = kept if element is None else [*kept, element]
        try:
            yield
        finally:
            self._colocation = old

    @contextmanager
    def gradient_override_map(self, op_type_map: dict[str, str]) -> Iterator[None]:
        """Uses the gradients registered under other names for op types made inside."""
        old = self._overrides
        self._overrides = {**old, **op_type_map}
        try:
            yield
        finally:
            self._overrides = old

    @contextmanager
    def gradient_of(self, op: Operation) -> Iterator[None]:
        """Marks operations made inside as the gradient of `op`."""
        old, self._original = self._original, op
        try:
            yield
        finally:
            self._original = old

    @contextmanager
    def container(self, container_name: str) -> Iterator[str]:
        """Accepted for compatibility: resources are held by the Session."""
        yield container_name

    # -- collections ---------------------------------------------------------------------------------

    @property
    def collections(self) -> list[Any]:
        """The names of the collections."""
        return list(self._collections)

    def get_all_collection_keys(self) -> list[Any]:
        """Returns the names of the collections that are strings."""
        return [k for k in self._collections if isinstance(k, str)]

    def add_to_collection(self, name: Any, value: Any) -> None:
        """Appends `value` to the collection called `name`."""
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")
        self._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        """Appends `value` to each collection once."""
        for name in dict.fromkeys((names,) if isinstance(names, str) else names):
            self.add_to_collection(name, value)

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """Returns a copy of a collection, restricted to names that match the regular expression `scope`."""
        items = self._collections.get(name, [])
        if scope is None:
            return list(items)
        pattern = re.compile(scope)
        return [i for i in items if hasattr(i, "name") and pattern.match(i.name)]

    def get_collection_ref(self, name: Any) -> list[Any]:
        """Returns the collection itself."""
        return self._collections.setdefault(name, [])

    def clear_collection(self, name: Any) -> None:
        """Empties a collection."""
        self._collections.pop(name, None)

    # -- feeding and fetching ------------------------------------------------------------------------

    def prevent_feeding(self, tensor: Any) -> None:
        """Refuses feeds of `tensor`."""
        self._unfeedable.add(tensor)

    def is_feedable(self, tensor: Any) -> bool:
        """Whether a value may be fed for `tensor`."""
        return tensor not in self._unfeedable

    def prevent_fetching(self, op: Any) -> None:
        """Refuses fetches of `op`."""
        self._unfetchable.add(op)

    def is_fetchable(self, tensor_or_op: Any) -> bool:
        """Whether `tensor_or_op` may be fetched."""
        op = tensor_or_op.op if isinstance(tensor_or_op, Tensor) else tensor_or_op
        return op not in self._unfetchable

    def is_function(self, name: str) -> bool:
        """Whether the function library holds `name`."""
        return name in self.functions

    if TYPE_CHECKING:  # ir.graphdef.writer installs this

        def as_graph_def(self, from_version: int | None = None, add_shapes: bool = False) -> Any: ...


__exports__ = {"Graph": "Graph"}
