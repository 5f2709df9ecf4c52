"""The values that evaluation works on, and where it keeps them."""

from typing import Any

from ir.convert import CONST
from ir.program import Node

#: the values of the outputs of nodes
Env = dict[Node, tuple[Any, ...]]

#: the value of a variable that has none
ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "<absent>", "__bool__": lambda self: False})()


def operand(env: Env, node: Node, index: int) -> Any:
    """Returns output `index` of `node`; constants need not be in `env`."""
    found = env.get(node)
    if found is not None:
        return found[index]
    if node.op is CONST:
        return node.attrs["value"]
    raise AssertionError(f"{node!r} has no value yet")


def put(env: Env, node: Node, index: int, value: Any) -> None:
    """Sets output `index` of `node`."""
    row = list(env.get(node, (None,) * len(node.types)))
    row[index] = value
    env[node] = tuple(row)
