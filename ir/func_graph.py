"""FuncGraph: the graph of a branch, a loop body or any function, written in place by user code.

A tensor of an enclosing graph that an operation uses inside is captured: it becomes an argument of the function.
Variables made inside belong to the outermost graph.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ir import static
from ir.convert import add_constant, get_default_graph
from ir.dtypes import DType
from ir.funcref import FuncRef
from ir.function import Function
from ir.graph import Graph
from ir.opdef import TABLE
from ir.shapes import Dims, TensorShape
from ir.tensor import Tensor

_SMALL = 64


class FuncGraph(Graph):
    """A graph whose `inputs` and captured tensors are the arguments of a function and `outputs` its results.

    Names, collections and the function library are shared with the graph around it, so that names stay unique and
    regularization losses or update operations made inside are found.
    """

    building_function = True

    def __init__(self, name: str, outer: Graph | None = None) -> None:
        super().__init__()
        self.name = name
        self.outer = outer if outer is not None else get_default_graph()
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.captures: dict[Tensor, Tensor] = {}
        self.seed = self.outer.seed
        self.notes = self.outer.notes
        self.functions = self.outer.functions
        self._collections = self.outer._collections
        self._devices = list(self.outer._devices)

    def add_input(self, dtype: DType, dims: Dims, name: str, handle: Any = None) -> Tensor:
        """Appends an argument and returns the tensor that stands for it."""
        t = self._argument(dtype, dims, name, handle)
        self.inputs.append(t)
        return t

    def _argument(self, dtype: DType, dims: Dims, name: str, handle: Any) -> Tensor:
        d = TABLE["Placeholder"]
        with self._no_scopes():
            op = self.append(d, (), {"dtype": dtype, "shape": TensorShape(dims)}, self.unique_name(name or "arg"), [(dtype, dims)])
        op.outputs[0].handle = handle
        return op.outputs[0]

    @contextmanager
    def _no_scopes(self) -> Iterator[None]:
        saved = self._controllers, self._name_stack, self._colocation
        self._controllers, self._name_stack, self._colocation = [], "", []
        try:
            yield
        finally:
            self._controllers, self._name_stack, self._colocation = saved

    def capture(self, tensor: Tensor) -> Tensor:
        """Returns the tensor that stands inside for `tensor` of an enclosing graph. Raises ValueError for any other graph's."""
        if tensor.graph is self:
            return tensor
        found = self.captures.get(tensor)
        if found is not None:
            return found
        outer = tensor if tensor.graph is self.outer else self.outer.capture(tensor)
        found = self.captures.get(outer)
        if found is None:
            found = self.captures[outer] = self._captured(outer)
        self.captures[tensor] = found
        return found

    def _captured(self, outer: Tensor) -> Tensor:
        inner = self._argument(outer.dtype, outer.dims, outer.op.name.replace("/", "_"), outer.handle)
        if outer.dtype.is_integer or outer.dtype.is_bool:
            inner.known = static.value_of(outer)  # for shapes inside; the value itself is handed in, since it may be fed
        return inner

    def _known_constant(self, outer: Tensor) -> Tensor | None:
        """A small value that is known outside, as a constant inside: it stays known."""
        value = static.value_of(outer) if outer.dtype.is_integer or outer.dtype.is_bool or outer.op.type == "Const" else None
        if value is None or value.size > _SMALL:
            return None
        with self._no_scopes():
            return add_constant(self, value, outer.op.name.replace("/", "_"))

    @contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        """Places operations made inside where `op` is, if it belongs to this graph: the call as a whole has its own place."""
        if getattr(getattr(op, "op", op), "graph", self) is not self:
            yield
            return
        with super().colocate_with(op, ignore_existing):
            yield

    @property
    def captured(self) -> list[tuple[Tensor, Tensor]]:
        """(outer, inner) pairs of the captured tensors that are arguments, each once, in order."""
        pairs: dict[Tensor, Tensor] = {}
        for outer, inner in self.captures.items():
            if outer.graph is self.outer and inner.op.type == "Placeholder":
                pairs.setdefault(inner, outer)
        return [(outer, inner) for inner, outer in pairs.items()]

    def has_effects(self) -> bool:
        """Whether anything in it does more than compute its outputs."""
        for op in self.ops:
            e = op.opdef.effects
            if e.writes or e.random or e.stream or e.check or e.host or (e.stateful and not e.reads):
                return True
        return False

    def add_argument(self, outer: Tensor) -> Tensor:
        """Makes an argument for `outer`, a tensor of the graph around, whether or not it is used inside."""
        found = self.captures[outer] = self._argument(outer.dtype, outer.dims, outer.op.name.replace("/", "_"), outer.handle)
        return found


@contextmanager
def outside() -> Iterator[Graph]:
    """Leaves every function being written, so that what is made belongs to the graph around them: variables do."""
    graph = get_default_graph()
    while isinstance(graph, FuncGraph):
        graph = graph.outer
    with ExitStack() as stack:
        stack.enter_context(graph.as_default())
        if graph is not get_default_graph() or isinstance(get_default_graph(), FuncGraph):
            stack.enter_context(graph.control_dependencies(None))
        yield graph


def is_enclosing(graph: Graph, inner: Graph) -> bool:
    """Whether `graph` is `inner` or one of the graphs around it."""
    while inner is not graph:
        if not isinstance(inner, FuncGraph):
            return False
        inner = inner.outer
    return True


def add_to_library(graph: Graph, prefix: str, function: Function) -> FuncRef:
    """Enters a function into the library under a unique name, and returns what attributes refer to it by."""
    n = 0
    name = prefix
    while name in graph.functions:
        n += 1
        name = f"{prefix}_{n}"
    function.name = name
    function.on_demand = True
    graph.functions[name] = function
    return FuncRef(name)
