"""Golden cases: graphs recorded from TensorFlow 1.15.5 give the recorded results, as they stand and with our gradients.

Cases that do not are listed in tests/golden/known_failing.txt, with the reason, and must fail.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.golden_cases import FAMILIES, GOLDEN, Case, load_op_types, names


def known_failing(kind: str) -> dict[str, str]:
    """Returns the listed cases of a kind with the reasons."""
    found: dict[str, str] = {}
    for line in (GOLDEN / "known_failing.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            listed, case, reason = line.split(maxsplit=2)
            if listed == kind:
                found[case] = reason
    return found


def cases(kind: str) -> Iterator[Any]:
    """Yields one parameter per case."""
    failing = known_failing(kind)
    known = {f"{family}/{name}" for family in FAMILIES for name in names(family)}
    assert set(failing) <= known, f"known_failing.txt names cases that do not exist: {sorted(set(failing) - known)}"
    for case in sorted(known):
        family, _, name = case.partition("/")
        if kind == "grads" and not Case.has_gradients(family, name):
            continue
        marks = [pytest.mark.xfail(strict=True, reason=failing[case])] if case in failing else []
        yield pytest.param(family, name, id=case, marks=marks)


def test_every_module_loads() -> None:
    assert load_op_types() == []


@pytest.mark.parametrize(("family", "name"), list(cases("run")))
def test_case(family: str, name: str) -> None:
    problems = Case(family, name).run()
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(("family", "name"), list(cases("grads")))
def test_gradients(family: str, name: str) -> None:
    problems = Case(family, name).run_gradients()
    assert not problems, "\n".join(problems)
