"""What a well-formed Program is."""

from ir.program import Program, type_of
from ir.shapes import compatible


class VerifyError(AssertionError):
    """A pass left a Program that is not well-formed: a bug of graphc."""


def verify_program(program: Program, before: Program | None = None) -> None:
    """Raises VerifyError unless operands precede their users and the types of what leaves are those of `before`."""
    seen: set[int] = set()
    for node in program.nodes:
        for source, i in node.inputs:
            if id(source) not in seen:
                raise VerifyError(f"{node!r} uses {source!r}, which does not precede it")
            if i >= len(source.types):
                raise VerifyError(f"{node!r} uses output {i} of {source!r}, which has {len(source.types)}")
        seen.add(id(node))
    if before is None:
        return
    for old, new in zip(before.fetches, program.fetches, strict=True):
        (a, b), (c, d) = type_of(old), type_of(new)
        if a is not c or not compatible(b, d):
            raise VerifyError(f"a fetch of type {a.name}{b} became {c.name}{d}")
    if set(before.writes) != set(program.writes):
        raise VerifyError("a pass changed which resources are written")
