"""The order of the rewrites."""

import os
from collections.abc import Callable

from ir.program import Program
from ir.rewrite import simplify
from ir.rewrite.fold import fold
from ir.rewrite.print import program_text
from ir.rewrite.slices import packed_bounds
from ir.rewrite.verify import verify_program
from ir.rewrite.walk import rebuild


def prune(program: Program) -> Program:
    """Drops nodes nothing needs."""
    return rebuild(program, ())


def canonicalize(program: Program) -> Program:
    """Folds integers and shapes, forwards identities, merges chains, gives slices their bounds one by one."""
    return rebuild(program, (*simplify.RULES, fold, packed_bounds))


PASSES: tuple[tuple[str, Callable[[Program], Program]], ...] = (("canonicalize", canonicalize), ("prune", prune))


def optimize(program: Program) -> Program:
    """Runs the passes; with GRAPHC_CHECK=1 verifies after each, with GRAPHC_DUMP=dir writes the text after each."""
    check = os.environ.get("GRAPHC_CHECK") == "1"
    dump = os.environ.get("GRAPHC_DUMP")
    if dump:
        _write(dump, 0, "cut", program)
    for i, (name, run) in enumerate(PASSES, 1):
        before = program
        program = run(program)
        if check:
            verify_program(program, before)
        if dump:
            _write(dump, i, name, program)
    return program


def _write(folder: str, step: int, name: str, program: Program) -> None:
    os.makedirs(folder, exist_ok=True)
    count = len(os.listdir(folder))
    with open(os.path.join(folder, f"{count:04d}-{step}-{name}.txt"), "w") as f:
        f.write(program_text(program))
