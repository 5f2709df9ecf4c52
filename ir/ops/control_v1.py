"""Control flow as TensorFlow 1 graphs hold it: Switch, Merge, Enter, Exit, NextIteration, LoopCond, and their Ref forms.

These run by what `ir.functionalize` makes of them: one `While` for each frame, one `If` for each conditional. What is
left of them then passes a value on.
"""

from typing import Annotated, Any

from ir.build import grad, op
from ir.dtypes import ANY
from ir.infer import Infer, no_outputs
from ir.opdef import Bool, In, ListT, RefT, T
from ir.shapes import Dims
from ir.tensor import Operation, Tensor

RefListT = Annotated[Any, In("T", number="N", ref=True)]


def _both(c: Infer) -> list[Dims]:
    return [c.dims(0), c.dims(0)]


def _joined(c: Infer) -> list[Dims]:
    dims = c.dims(0)
    for other in c.all_dims[1:]:
        if dims is None or other is None or len(dims) != len(other):
            dims = None
        else:
            dims = tuple(a if a == b else None for a, b in zip(dims, other, strict=True))
    return [dims, ()]


@op("Switch", _both, out="output_false: T, output_true: T", forwards_ref=True, T=ANY)
def switch(data: T, pred: Bool, name: str | None = None) -> Any:
    """Hands `data` to the output that `pred` chooses."""
    return data, data


@op("RefSwitch", _both, out="output_false: ref T, output_true: ref T", forwards_ref=True, T=ANY)
def ref_switch(data: RefT, pred: Bool, name: str | None = None) -> Any:
    """`Switch` of a reference."""
    ...


@op("Merge", _joined, out="output: T, value_index: int32", forwards_ref=True, T=ANY)
def merge(inputs: ListT, name: str | None = None) -> Any:
    """Hands on the one input that is there."""
    ...


@op("RefMerge", _joined, out="output: ref T, value_index: int32", forwards_ref=True, T=ANY)
def ref_merge(inputs: RefListT, name: str | None = None) -> Any:
    """`Merge` of references."""
    ...


def _same(c: Infer) -> Dims:
    return c.dims(0)


@op("Enter", _same, forwards_ref=True, passthrough=True, T=ANY)
def enter(data: T, frame_name: str, is_constant: bool = False, parallel_iterations: int = 10, name: str | None = None) -> Tensor:
    """Hands a value to a loop."""
    return data


@op("RefEnter", _same, out="output: ref T", forwards_ref=True, T=ANY)
def ref_enter(data: RefT, frame_name: str, is_constant: bool = False, parallel_iterations: int = 10, name: str | None = None) -> Tensor:
    """`Enter` of a reference."""
    ...


@op("Exit", _same, forwards_ref=True, passthrough=True, T=ANY)
def exit_(data: T, name: str | None = None) -> Tensor:
    """Hands a value out of a loop."""
    return data


@op("RefExit", _same, out="output: ref T", forwards_ref=True, T=ANY)
def ref_exit(data: RefT, name: str | None = None) -> Tensor:
    """`Exit` of a reference."""
    ...


@op("NextIteration", _same, forwards_ref=True, passthrough=True, T=ANY)
def next_iteration(data: T, name: str | None = None) -> Tensor:
    """Hands a value to the next iteration."""
    return data


@op("RefNextIteration", _same, out="output: ref T", forwards_ref=True, T=ANY)
def ref_next_iteration(data: RefT, name: str | None = None) -> Tensor:
    """`NextIteration` of a reference."""
    ...


@op("LoopCond", _same, out="output: bool", passthrough=True)
def loop_cond(input: Bool, name: str | None = None) -> Tensor:
    """The condition of a loop."""
    return input


@op("ControlTrigger", no_outputs, out="")
def control_trigger(name: str | None = None) -> Operation:
    """Does nothing; runs after its control inputs even if they did not run."""
    return ()  # pyright: ignore[reportReturnType]


@grad("Exit", "RefExit", "Enter", "RefEnter", "NextIteration", "RefNextIteration")
def _(op: Operation, dy: Tensor) -> Any:
    return dy


@grad("Merge", "RefMerge")
def _(op: Operation, dy: Tensor, _: Any) -> Any:
    return [dy, *[None] * (len(op.inputs) - 1)]


@grad("Switch", "RefSwitch")
def _(op: Operation, dfalse: Tensor, dtrue: Tensor) -> Any:
    raise LookupError(f"the gradient through {op.name} needs the conditional it belongs to, which is not whole in this graph")


grad.none("LoopCond ControlTrigger", "conditions and order are not continuous")
