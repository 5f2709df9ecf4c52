"""Ops that call functions: If, Case, While, calls. Their functions are named in attributes and lie in the graph's library.

The results of `If`, `Case` and `While` have the shapes that all branches, or the body, agree on.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from ir.build import op
from ir.dtypes import ANY
from ir.infer import Infer
from ir.opdef import Function, Functions, In, Int32, Shapes, Types
from ir.shapes import Dims, dims_of
from ir.tensor import Tensor

Tcond = Annotated[Any, In("Tcond")]
Tins = Annotated[Sequence[Any], In(types="Tin")]
Ts = Annotated[Sequence[Any], In(types="T")]


def _stated(count: str) -> Any:
    """Shapes as the attribute `output_shapes` states them, else nothing."""

    def shape_fn(c: Infer) -> list[Dims]:
        stated = c.attrs.get("output_shapes") or ()
        n = len(c.attrs[count])
        return [dims_of(s) for s in stated] if len(stated) == n else [None] * n

    return shape_fn


def _while_shapes(c: Infer) -> list[Dims]:
    stated = c.attrs.get("output_shapes") or ()
    n = len(c.attrs["T"])
    return [dims_of(s) for s in stated] if len(stated) == n else [None] * n




@op("If", _stated("Tout"), out="output: list(Tout)", calls="then_branch else_branch", stateful=True, Tcond=ANY)
def if_(
    cond: Tcond, input: Tins, Tout: Types, then_branch: Function, else_branch: Function, output_shapes: Shapes = (), name: str | None = None
) -> list[Tensor]:
    """Calls `then_branch(*input)` if `cond` is true (not zero, not empty), else `else_branch(*input)`."""
    ...


@op("StatelessIf", _stated("Tout"), out="output: list(Tout)", calls="then_branch else_branch", Tcond=ANY)
def stateless_if(
    cond: Tcond, input: Tins, Tout: Types, then_branch: Function, else_branch: Function, output_shapes: Shapes = (), name: str | None = None
) -> list[Tensor]:
    """`If` whose branches have no effects."""
    ...


@op("Case", _stated("Tout"), out="output: list(Tout)", calls="branches", stateful=True, branches=1)
def case_op(branch_index: Int32, input: Tins, Tout: Types, branches: Functions, output_shapes: Shapes = (), name: str | None = None) -> list[Tensor]:
    """Calls branch number `branch_index`, or the last one when there is no such branch."""
    ...


@op("While", _while_shapes, out="output: list(T)", calls="cond body", stateful=True)
def while_op(
    input: Ts, cond: Function, body: Function, output_shapes: Shapes = (), parallel_iterations: int = 10, name: str | None = None
) -> list[Tensor]:
    """Calls `vars = body(*vars)`, starting with `input`, as long as `cond(*vars)` is true; returns `vars`."""
    ...


@op("StatelessWhile", _while_shapes, out="output: list(T)", calls="cond body")
def stateless_while(
    input: Ts, cond: Function, body: Function, output_shapes: Shapes = (), parallel_iterations: int = 10, name: str | None = None
) -> list[Tensor]:
    """`While` whose functions have no effects."""
    ...


@op("PartitionedCall", _stated("Tout"), out="output: list(Tout)", calls="f")
def partitioned_call(
    args: Tins, Tout: Types, f: Function, config: str = "", config_proto: str = "", executor_type: str = "", name: str | None = None
) -> list[Tensor]:
    """Calls the function `f(*args)`."""
    ...


@op("StatefulPartitionedCall", _stated("Tout"), out="output: list(Tout)", calls="f", stateful=True)
def stateful_partitioned_call(
    args: Tins, Tout: Types, f: Function, config: str = "", config_proto: str = "", executor_type: str = "", name: str | None = None
) -> list[Tensor]:
    """Calls the function `f(*args)`, which may have effects."""
    ...


@op("SymbolicGradient", _stated("Tout"), out="output: list(Tout)", calls="f", Tin=1, Tout=1)
def symbolic_gradient(input: Tins, Tout: Types, f: Function, name: str | None = None) -> list[Tensor]:
    """The gradient of function `f`: takes its arguments and one gradient per result, returns one gradient per argument."""
    ...
