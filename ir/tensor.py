"""Tensor and Operation: what a Graph is made of.

The arithmetic operators of Tensor are installed by `ir.operators`, `Operation.node_def` by
`ir.graphdef`, so that this file stands below the op vocabulary.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from ir import location
from ir.dtypes import DType
from ir.errors import OpError
from ir.location import Location
from ir.shapes import Dims, TensorShape, dims_of, merge_dims, type_str
from ir.stacks import sessions

if TYPE_CHECKING:
    from ir.graph import Graph
    from ir.opdef import OpDef


class Tensor:
    """One output of an Operation: a value that exists when a Session runs the graph.

    Attributes: `op`, `value_index`, `dtype`, `shape`, `name` ("op:index"), `graph`.
    Operators build graph; `==` compares identity, as in TensorFlow 1.
    """

    __slots__ = ("__weakref__", "_consumers", "_dims", "_extra", "dtype", "handle", "known", "op", "value_index")
    __array_priority__ = 100

    def __init__(self, op: "Operation", value_index: int, dtype: DType, dims: Dims) -> None:
        self.op = op
        self.value_index = value_index
        self.dtype = dtype
        self._dims = dims
        self._consumers: list[Operation] = []
        #: (dtype, Dims) of the variable behind a resource handle
        self.handle: tuple[DType, Dims] | None = None
        #: the value when it is known without running, or None: kept by `ir.static`
        self.known: Any = None
        self._extra: dict[str, Any] | None = None

    @property
    def graph(self) -> "Graph":
        """The graph this tensor belongs to."""
        return self.op.graph

    @property
    def name(self) -> str:
        """The name, "operation:index"."""
        return f"{self.op.name}:{self.value_index}"

    @property
    def device(self) -> str:
        """The device asked for, "" when none was."""
        return self.op.device

    @property
    def dims(self) -> Dims:
        """The static shape as a plain tuple; None when the rank is unknown."""
        return self._dims

    @property
    def shape(self) -> TensorShape:
        """The static shape: what is known of it before the graph runs."""
        return TensorShape(self._dims)

    def get_shape(self) -> TensorShape:
        """Returns the static shape."""
        return TensorShape(self._dims)

    def set_shape(self, shape: Any) -> None:
        """Adds what is known about the shape. Raises ValueError when it contradicts."""
        dims = dims_of(shape)
        if dims is not None:
            self._dims = merge_dims(self._dims, dims)

    def consumers(self) -> "list[Operation]":
        """Returns the operations that use this tensor."""
        return list(self._consumers)

    def add_consumer(self, op: "Operation") -> None:
        """Records that `op` uses this tensor; called by the graph."""
        self._consumers.append(op)

    def remove_consumer(self, op: "Operation") -> None:
        """Records that one input of `op` is no longer this tensor; called by the graph."""
        if op in self._consumers:
            self._consumers.remove(op)

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """Runs the graph for this tensor in `session`, or in the default session.

        Raises ValueError when there is no session.
        """
        return _session_for(self.graph, session, "evaluate tensor", "eval").run(self, feed_dict)

    @property
    def assign(self) -> Any:
        """For a slice of a variable, the function that assigns to that slice; other tensors have no such attribute."""
        found = (self._extra or {}).get("assign")
        if found is None:
            raise AttributeError(f"'Tensor' object has no attribute 'assign': {self.name} is not a slice of a variable")
        return found

    def extra(self) -> dict[str, Any]:
        """Notes other parts keep with a tensor, such as `_keras_history`."""
        if self._extra is None:
            self._extra = {}
        return self._extra

    def __str__(self) -> str:
        return f'Tensor("{self.name}", shape={self.shape}, dtype={self.dtype.name})'

    def __repr__(self) -> str:
        return f"<tf.Tensor '{self.name}' shape={self.shape} dtype={self.dtype.name}>"

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __len__(self) -> NoReturn:
        raise TypeError(f"len is not well defined for symbolic tensors ({self.name}); use `x.shape[0]` or tf.shape(x)[0].")

    def __iter__(self) -> Iterator["Tensor"]:
        raise TypeError(
            f"Tensor objects are only iterable when eager execution is enabled ({self.name} has no values while the graph "
            "is built). To iterate over this tensor use tf.map_fn, tf.unstack or tf.while_loop."
        )

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"Using a `tf.Tensor` as a Python `bool` is not allowed ({self.name} has no value while the graph is built). "
            "Use `if t is not None:` instead of `if t:` to test if a tensor is defined, and use TensorFlow ops such as "
            "tf.cond to execute subgraphs conditioned on the value of a tensor."
        )

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(
            f"Cannot convert a symbolic Tensor ({self.name}) to a numpy array: it has a value only inside Session.run. "
            "Use `session.run(tensor)` to get its value, or tf functions instead of numpy functions to build graph."
        )

    def numpy(self) -> NoReturn:
        """Raises: a tensor of a static graph has a value only inside a run."""
        raise AttributeError(
            f"Tensor {self.name} has no .numpy(): graphc is define-then-run. Write `session.run(tensor)` or "
            "`tensor.eval(session=session)` to get its value as a NumPy array."
        )

    if TYPE_CHECKING:  # ir.operators installs these

        def __add__(self, other: Any) -> "Tensor": ...
        def __radd__(self, other: Any) -> "Tensor": ...
        def __sub__(self, other: Any) -> "Tensor": ...
        def __rsub__(self, other: Any) -> "Tensor": ...
        def __mul__(self, other: Any) -> "Tensor": ...
        def __rmul__(self, other: Any) -> "Tensor": ...
        def __truediv__(self, other: Any) -> "Tensor": ...
        def __rtruediv__(self, other: Any) -> "Tensor": ...
        def __floordiv__(self, other: Any) -> "Tensor": ...
        def __rfloordiv__(self, other: Any) -> "Tensor": ...
        def __mod__(self, other: Any) -> "Tensor": ...
        def __rmod__(self, other: Any) -> "Tensor": ...
        def __pow__(self, other: Any) -> "Tensor": ...
        def __rpow__(self, other: Any) -> "Tensor": ...
        def __matmul__(self, other: Any) -> "Tensor": ...
        def __rmatmul__(self, other: Any) -> "Tensor": ...
        def __and__(self, other: Any) -> "Tensor": ...
        def __or__(self, other: Any) -> "Tensor": ...
        def __xor__(self, other: Any) -> "Tensor": ...
        def __lt__(self, other: Any) -> "Tensor": ...
        def __le__(self, other: Any) -> "Tensor": ...
        def __gt__(self, other: Any) -> "Tensor": ...
        def __ge__(self, other: Any) -> "Tensor": ...
        def __neg__(self) -> "Tensor": ...
        def __invert__(self) -> "Tensor": ...
        def __abs__(self) -> "Tensor": ...
        def __getitem__(self, key: Any) -> "Tensor": ...


def _session_for(graph: "Graph", session: Any, what: str, method: str) -> Any:
    if session is None:
        session = sessions.top()
        if session is None:
            raise ValueError(
                f"Cannot {what} using `{method}()`: No default session is registered. Use `with "
                f"sess.as_default()` or pass an explicit session to `{method}(session=sess)`"
            )
        if session.graph is not graph:
            raise ValueError(
                f"Cannot use the default session to {what}: the tensor's graph is different from the session's "
                f"graph. Pass an explicit session to `{method}(session=sess)`."
            )
    elif session.graph is not graph:
        raise ValueError(f"Cannot use the given session to {what}: the tensor's graph is different from the session's graph.")
    return session


class Operation:
    """A node of a Graph: an op type, its inputs and attributes, and its output tensors.

    Attributes: `name`, `type`, `inputs`, `control_inputs`, `outputs`, `graph`, `device`, `attrs`.
    """

    __slots__ = (
        "__weakref__", "_control_inputs", "_id", "attrs", "colocation", "device", "graph", "inputs", "location", "name",
        "opdef", "original", "outputs",
    )  # fmt: skip

    def __init__(
        self, graph: "Graph", opdef: "OpDef", node_id: int, name: str, inputs: tuple[Tensor, ...], attrs: dict[str, Any],
        where: Location,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.opdef = opdef
        self._id = node_id
        self.name = name
        self.inputs = inputs
        self.attrs = attrs
        self.location = where
        self.outputs: list[Tensor] = []
        self.device = ""
        self.colocation: tuple[str, ...] = ()
        self._control_inputs: tuple[Operation, ...] = ()
        #: the forward operation whose gradient this one computes
        self.original: Operation | None = None

    @property
    def type(self) -> str:
        """The op type, as a GraphDef names it."""
        return self.opdef.name

    @property
    def id(self) -> int:
        """The position in the graph's order of creation."""
        return self._id

    @property
    def control_inputs(self) -> "list[Operation]":
        """The operations that run before this one without giving it data."""
        return list(self._control_inputs)

    @property
    def op_def(self) -> "OpDef":
        """The definition of the op type."""
        return self.opdef

    def values(self) -> tuple[Tensor, ...]:
        """Returns the outputs."""
        return tuple(self.outputs)

    def get_attr(self, name: str) -> Any:
        """Returns the value of an attribute; strings come as bytes. Raises ValueError when there is none."""
        if name not in self.attrs:
            raise ValueError(f"No attr named '{name}' in operation {self.name} = {self.type}(...)")
        value = self.attrs[name]
        if isinstance(value, str):
            return value.encode()
        return list(value) if isinstance(value, tuple) else value

    def set_attr(self, name: str, value: Any) -> None:
        """Changes an attribute after creation; programs already cut from the graph are dropped."""
        self.attrs[name] = value
        self.graph.mutated()

    def add_control_inputs(self, ops: "list[Operation]") -> None:
        """Makes this operation run after `ops`."""
        new = [op for op in ops if op not in self._control_inputs and op is not self]
        if new:
            self._control_inputs += tuple(new)
            self.graph.mutated(self if any(op.id > self.id for op in new) else None)

    def replace_control_inputs(self, old: "Iterable[Operation]", new: "Operation") -> None:
        """Makes this operation wait for `new` in place of `old`."""
        gone = set(old)
        self._control_inputs = (*[c for c in self._control_inputs if c not in gone], new)
        self.graph.mutated(self)

    def update_input(self, index: int, tensor: Tensor) -> None:
        """Replaces one input, as graph editors do."""
        self.inputs[index].remove_consumer(self)
        self.inputs = (*self.inputs[:index], tensor, *self.inputs[index + 1 :])
        tensor.add_consumer(self)
        self.graph.mutated(self if tensor.op.id > self.id else None)

    def extend(self, inputs: "tuple[Tensor, ...]", outputs: "list[tuple[DType, Dims]]", attrs: dict[str, Any]) -> "list[Tensor]":
        """Adds inputs and outputs after those there are, and sets attributes: gradients need more of a loop's values than it gave.

        Returns the new outputs.
        """
        new = [Tensor(self, len(self.outputs) + i, dtype, dims) for i, (dtype, dims) in enumerate(outputs)]
        self.inputs = (*self.inputs, *inputs)
        self.outputs.extend(new)
        self.attrs.update(attrs)
        for t in inputs:
            t.add_consumer(self)
        self.graph.mutated(self if any(t.op.id > self.id for t in inputs) else None)
        return new

    def colocation_groups(self) -> list[bytes]:
        """Returns the groups this operation is placed with."""
        return [g.encode() for g in self.colocation] or [b"loc:@" + self.name.encode()]

    @property
    def traceback(self) -> list[str]:
        """The user's frames at the call that made this operation, as Python prints them."""
        return location.traceback_lines(self.location)

    def location_line(self) -> str:
        """Returns "file:line" of the call that made this operation, or ""."""
        return location.line(self.location)

    def signature(self) -> str:
        """Returns the operation with its operand types: `MatMul(float32[3,3], float32[4,2])`."""
        return f"{self.type}({', '.join(type_str(t.dtype, t.dims) for t in self.inputs)})"

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        """Runs this operation in `session`, or in the default session."""
        _session_for(self.graph, session, "execute operation", "run").run(self, feed_dict)

    def __str__(self) -> str:
        return f"name: {self.name!r} op: {self.type!r} inputs: {[t.name for t in self.inputs]}"

    def __repr__(self) -> str:
        return f"<tf.Operation '{self.name}' type={self.type}>"

    if TYPE_CHECKING:  # ir.graphdef installs this

        @property
        def node_def(self) -> Any: ...


def op_error(cls: type[OpError], op: Operation | None, message: str) -> OpError:
    """Returns an error of class `cls` about `op`."""
    return cls(None, op, message)


__exports__ = {"Tensor": "Tensor", "Operation": "Operation"}
