"""How far the golden cases run: `python -m tests.golden_status [--grads] [--missing] [family or family/case ...]`.

Prints what fails, by first reason, and which op types are missing and how many cases wait for each.
"""

import collections
import sys
import time
import traceback
import warnings
from typing import Any

from ir.opdef import TABLE
from tests.golden_cases import FAMILIES, Case, load_op_types, names


def op_types(graph_def: Any) -> set[str]:
    """Returns the op types of a graph and its functions, less the functions themselves."""
    functions = {f.signature.name for f in graph_def.library.function}
    return ({n.op for n in graph_def.node} | {n.op for f in graph_def.library.function for n in f.node_def}) - functions


def missing_table(chosen: list[tuple[str, str]]) -> None:
    """Prints the op types that the table lacks, and how many cases each keeps from running, alone or with others."""
    blocked: collections.Counter[str] = collections.Counter()
    alone: collections.Counter[str] = collections.Counter()
    cases = 0
    for family, name in chosen:
        lacking = {t for t in op_types(Case(family, name).graph_def) if t not in TABLE}
        cases += bool(lacking)
        blocked.update(lacking)
        if len(lacking) == 1:
            alone.update(lacking)
    print(f"{cases} of {len(chosen)} cases wait for {len(blocked)} op types (cases; cases that wait for it alone):")
    for op, n in blocked.most_common():
        print(f"  {op:45} {n:4} {alone[op]:4}")


def run(chosen: list[tuple[str, str]], grads: bool) -> None:
    """Runs cases and prints what fails."""
    passed = 0
    begin = time.time()
    for family, name in chosen:
        if grads and not Case.has_gradients(family, name):
            continue
        case = Case(family, name)
        lacking = sorted(t for t in op_types(case.forward() if grads else case.graph_def) if t not in TABLE)
        if lacking:
            print(f"{family}/{name}: MISSING {' '.join(lacking)}")
            continue
        start = time.time()
        try:
            problems = case.run_gradients() if grads else case.run()
        except Exception as e:
            frame = traceback.extract_tb(e.__traceback__)[-1]
            problems = [f"{type(e).__name__}: {str(e)[:300]} [{frame.filename.rpartition('/')[2]}:{frame.lineno}]"]
        if problems:
            print(f"{family}/{name}: {problems[0]}" + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""))
        passed += not problems
        if time.time() - start > 10:
            print(f"{family}/{name}: took {time.time() - start:.0f} s")
        sys.stdout.flush()
    print(f"{passed} passed in {time.time() - begin:.0f} s")


def main() -> None:
    """Reads the command line."""
    warnings.simplefilter("ignore")
    for problem in load_op_types():
        print("NOT LOADED", problem)
    args = [a for a in sys.argv[1:] if not a.startswith("--")]
    chosen = [(f, n) for f in FAMILIES for n in names(f) if not args or any(f"{f}/{n}".startswith(a) for a in args)]
    if "--missing" in sys.argv:
        missing_table(chosen)
    else:
        run(chosen, "--grads" in sys.argv)


if __name__ == "__main__":
    main()
