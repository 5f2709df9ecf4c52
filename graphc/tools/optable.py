"""Prints the coverage table, one line per op type: types, gradient, rows of the test table, where it runs, what computes it.

    python -m graphc.tools.optable            the table
    python -m graphc.tools.optable --reasons  with the reasons for having no gradient

It reads the same data as the compiler and the tests, so it cannot drift from them. The tables are full once graphc is imported,
which importing this module does first.
"""

import importlib
import pkgutil
import sys
from collections import Counter
from pathlib import Path

from graphc.lowering.table import LOWERINGS
from ir.dtypes import TypeSet
from ir.opdef import TABLE, OpDef

ROOT = Path(__file__).resolve().parents[2]
HEADER = ("op", "types", "gradient", "rows", "runs on", "computed by")


def row_counts() -> Counter[str]:
    """Returns the number of rows per op type; empty where the tests are not at hand."""
    folder = ROOT / "tests" / "rows"
    if not folder.is_dir():
        return Counter()
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    modules = [importlib.import_module(f"tests.rows.{m.name}") for m in pkgutil.iter_modules([str(folder)])]
    return Counter(row.op for m in modules for row in getattr(m, "ROWS", ()))


def types_of(d: OpDef) -> str:
    """The types an op admits, per type attribute."""
    out = [f"{a.name}: {a.allowed if a.allowed.types else 'any'}" for a in d.attrs.values() if isinstance(a.allowed, TypeSet)]
    return "; ".join(out) or ", ".join(dict.fromkeys(o.dtype.name for o in d.outputs if o.dtype is not None))


def gradient_of(d: OpDef, reasons: bool) -> str:
    """"yes", or "none" with or without the reason, or "missing"."""
    if d.gradient is not None:
        return "yes"
    if not d.no_gradient:
        return "missing"
    return f"none: {d.no_gradient}" if reasons else "none"


def place_of(d: OpDef) -> str:
    """Where an op runs."""
    e = d.effects
    where = "host" if e.host else "device"
    notes = [w for w, is_so in (("random", e.random), ("state", e.reads or e.writes or e.creates), ("shape depends on values", e.dynamic)) if is_so]
    return f"{where} ({', '.join(notes)})" if notes else where


def computer_of(d: OpDef) -> str:
    """What computes an op: its body, a lowering, both, or the compiler itself."""
    has_body = d.body is not None and not d.primitive
    if d.name in LOWERINGS:
        return "body and lowering" if has_body else "lowering"
    return "body" if has_body else "compiler"


def table(reasons: bool = False) -> list[tuple[str, ...]]:
    """Returns the lines of the table, sorted by op type."""
    rows = row_counts()
    return [(n, types_of(d), gradient_of(d, reasons), str(rows[n]), place_of(d), computer_of(d)) for n, d in sorted(TABLE.items()) if not n.startswith("_")]


def main(argv: list[str]) -> int:
    """Prints the table and a summary."""
    lines = table("--reasons" in argv)
    shown = [HEADER, *lines]
    widths = [min(48, max(len(line[i]) for line in shown)) for i in range(len(HEADER))]
    for line in shown:
        print("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip())
    gradients = Counter(line[2].split(":")[0] for line in lines)
    print(f"\n{len(lines)} op types; gradient: {', '.join(f'{n} {k}' for k, n in gradients.items())}; {sum(int(line[3]) for line in lines)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
