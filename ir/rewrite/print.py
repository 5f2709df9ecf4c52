"""The printed form of a Program: one line a node, in order, then what leaves it."""

from typing import Any

import numpy as np

from ir.program import Program, Ref
from ir.shapes import type_str


def program_text(program: Program) -> str:
    """Returns the program as text: `%3 = MatMul(%0, %1) {transpose_a=False} : float32[?,10]  # logits`."""
    lines = [_line(program, i) for i in range(len(program.nodes))]
    lines.append(f"fetch {', '.join(map(_ref, program.fetches))}".rstrip())
    lines.extend(f"write {res.key} = {_ref(ref)}" for res, ref in program.writes.items())
    lines.extend(f"check {_ref(c.ok)}  # {c.origin.name}" for c in program.checks)
    return "\n".join(lines) + "\n"


def _ref(ref: Ref) -> str:
    node, i = ref
    return f"%{node.index}" if len(node.types) == 1 else f"%{node.index}:{i}"


def _line(program: Program, index: int) -> str:
    node = program.nodes[index]
    attrs = ", ".join(f"{k}={_attr(v)}" for k, v in sorted(node.attrs.items()) if not k.startswith("_"))
    types = ", ".join(type_str(*t) for t in node.types)
    return f"%{index} = {node.op.name}({', '.join(map(_ref, node.inputs))}) {{{attrs}}} : {types}  # {node.name}"


def _attr(value: Any) -> str:
    if isinstance(value, np.ndarray):
        text = str(value.tolist())
        return text if len(text) <= 60 else f"<{value.dtype}{list(value.shape)}>"
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else str(value)
