"""Function: an entry of a graph's function library, a graph with inputs and outputs.

`Graph.functions` maps names to Functions; the attributes of `If`, `While`, `PartitionedCall` ... name them with
`FuncRef`. A function read from a GraphDef builds its graph when it is first asked for.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ir.dtypes import DType
from ir.graph import Graph
from ir.shapes import Dims
from ir.tensor import Operation, Tensor


class FunctionBody:
    """The graph of a function: `inputs` are outputs of Placeholders in it, in the order of the arguments."""

    __slots__ = ("control_outputs", "graph", "inputs", "outputs")

    def __init__(self, graph: Graph, inputs: Sequence[Tensor], outputs: Sequence[Tensor], control_outputs: Sequence[Operation] = ()) -> None:
        self.graph = graph
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.control_outputs = tuple(control_outputs)


#: what is known of an argument: its static shape, and (dtype, shape) of the variable behind a handle
ArgInfo = tuple[Dims, tuple[DType, Dims] | None]
Builder = Callable[[dict[str, Any], Sequence[ArgInfo] | None], FunctionBody]


class Function:
    """A named function.

    Attributes: `name`; `input_names`, `output_names`; `attrs`, notes such as `_noinline`; `gradient`, the
    name of the function that computes its gradient, or None; `stateful`, what the signature says; `body`.
    """

    def __init__(
        self, name: str, body: FunctionBody | None = None, input_names: Sequence[str] | None = None, output_names: Sequence[str] | None = None,
        build: Builder | None = None, attrs: dict[str, Any] | None = None, stateful: bool = False, definition: Any = None,
        control_output_names: Sequence[str] = (),
    ) -> None:  # fmt: skip
        if body is None and (build is None or input_names is None or output_names is None):
            raise ValueError(f"function {name} needs a body, or what builds it and the names of its arguments and results")
        self.name = name
        self.input_names = tuple(_tensor_names(body.inputs) if input_names is None and body else input_names or ())
        self.output_names = tuple([f"output_{i}" for i in range(len(body.outputs))] if output_names is None and body else output_names or ())
        self.control_output_names = tuple(control_output_names)
        self.attrs = dict(attrs or {})
        self.stateful = stateful
        #: whether it is written only if something that is written uses it
        self.on_demand = False
        self.gradient: str | None = None
        #: the FunctionDef it was read from; kept by `ir.graphdef`
        self.definition = definition
        self._build = build
        self._body = body

    @property
    def body(self) -> FunctionBody:
        """The graph with its inputs and outputs, with nothing known of the arguments' shapes."""
        if self._body is None:
            self._body = self.instantiate()
        return self._body

    @property
    def built(self) -> bool:
        """Whether the graph exists already."""
        return self._body is not None

    @property
    def graph(self) -> Graph:
        """The graph of the body."""
        return self.body.graph

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The arguments, as tensors of `graph`."""
        return self.body.inputs

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The results, as tensors of `graph`."""
        return self.body.outputs

    def instantiate(self, attrs: dict[str, Any] | None = None, args: Sequence[ArgInfo] | None = None) -> FunctionBody:
        """Returns a body for these values of the function's attributes, and for what is known of the arguments.

        A function that was made from a graph has one body, whatever is known.
        """
        if self._build is None:
            return self.body
        return self._build(dict(attrs or {}), args)

    def __repr__(self) -> str:
        return f"<Function {self.name}({', '.join(self.input_names)}) -> {', '.join(self.output_names)}>"


def _tensor_names(tensors: Sequence[Tensor]) -> list[str]:
    return [t.op.name.rpartition("/")[2] for t in tensors]
