"""Checks that fail a run, and what printing writes; values are in tests/rows/debug.py."""

import logging
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from graphc.runtime.session import Session
from ir.convert import constant, get_default_graph
from ir.errors import InvalidArgumentError
from ir.gradients import gradients
from ir.graph import Graph
from ir.ops import debug, printing
from ir.ops.basic import identity, placeholder
from ir.ops.elementwise import log, sqrt
from ir.sparse_tensor import SparseTensor

check_that = debug.assert_


@pytest.fixture(autouse=True)
def graph() -> Any:
    """A graph per test."""
    with Graph().as_default() as g:
        yield g


def run(fetch: Any, feeds: Any = None) -> Any:
    """Two runs: the first may be interpreted, the second is compiled."""
    with Session() as sess:
        sess.run(fetch, feeds)
        return sess.run(fetch, feeds)


# -- checks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bad", "what"), [([np.nan], "NaN"), ([np.inf], "Inf"), ([np.inf, 1, np.nan], "Inf and NaN")])
def test_check_numerics_says_what_it_found(bad: list[float], what: str) -> None:
    x = placeholder("float32", [None])
    y = debug.check_numerics(x, "the loss")
    with Session() as sess:
        assert sess.run(y, {x: [1.0, 2.0]}).tolist() == [1, 2]
        for _ in range(2):
            with pytest.raises(InvalidArgumentError, match=f"the loss : Tensor had {what} values"):
                sess.run(y, {x: bad})
        assert sess.run(y, {x: [3.0]}).tolist() == [3]


def test_check_numerics_checks_the_gradient_too() -> None:
    x = placeholder("float32", [])
    dx = gradients(debug.check_numerics(sqrt(x), "here"), x, grad_ys=constant(np.inf, "float32"))[0]
    with Session() as sess, pytest.raises(InvalidArgumentError, match=r"detected in gradient\. here : Tensor had Inf"):
        sess.run(dx, {x: 4.0})


def test_all_tensors_are_checked_in_order() -> None:
    x = placeholder("float32", [], name="x")
    log(x, name="first")
    sqrt(x, name="second")
    checks = debug.add_check_numerics_ops()
    with Session() as sess:
        sess.run(checks, {x: 1.0})
        with pytest.raises(InvalidArgumentError, match="first:0 : Tensor had NaN"):
            sess.run(checks, {x: -1.0})


def test_verify_tensor_all_finite_gives_the_tensor() -> None:
    x = placeholder("float32", [2])
    y = debug.verify_tensor_all_finite(x, "bad input")
    with Session() as sess:
        assert sess.run(y, {x: [1, 2]}).tolist() == [1, 2]
        with pytest.raises(InvalidArgumentError, match="bad input"):
            sess.run(y, {x: [1, np.nan]})


def test_assert_stops_what_depends_on_it() -> None:
    x = placeholder("float32", [])
    with get_default_graph().control_dependencies([check_that(x > 0, ["x must be positive:", x])]):
        y = identity(x)
    with Session() as sess:
        assert sess.run(y, {x: 2.0}) == 2
        for _ in range(2):
            with pytest.raises(InvalidArgumentError, match=r"assertion failed: \[x must be positive:\] \[-2\]"):
                sess.run(y, {x: -2.0})


# -- text of values: what TensorFlow 1.15 prints -----------------------------------------------------

MATRIX = np.array([[1, 2], [3, 4]])
CUBE = np.arange(24).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("value", "count", "text"),
    [
        (MATRIX, 3, "[1 2][3...]..."), (MATRIX, 100, "[1 2][3 4]"), (CUBE, 7, "[[0 1 2 3][4 5 6...]]..."), (CUBE, 0, "..."),
        (CUBE, -1, "[[0 1 2 3][4 5 6 7][8 9 10 11]][[12 13 14 15][16 17 18 19][20 21 22 23]]"), (np.arange(5), 3, "0 1 2..."),
        (np.float32([0.1, 1e10, 1, 1 / 3, np.nan, np.inf, -np.inf, 1e-7]), -1, "0.1 1e+10 1 0.333333343 nan inf -inf 1e-07"),
        (np.float32([123456789, -0.0, 16777217, 1e6, 100000.5, 1e16]), -1, "123456792 -0 16777216 1e+06 100000.5 1e+16"),
        (np.array([0.1, 1e10, 1 / 3, 123456789.123, 1e16, 2.0**53 + 2]), -1, "0.1 10000000000 0.33333333333333331 123456789.123 1e+16 9007199254740994"),
        (np.float16([0.1, 1e4, 1 / 3]), -1, "0.0999755859 10000 0.333251953"), (np.array([True, False]), 3, "1 0"),
        (np.array([b"a", b"b c"], object), 3, "a b c"), (np.uint8([200]), 3, "200"), (np.array(True), 3, "1"),
        (np.zeros((0, 3)), 3, ""), (np.zeros((2, 0)), 3, ""),
    ],
)  # fmt: skip
def test_summaries(value: np.ndarray, count: int, text: str) -> None:
    assert debug.summary_of(value, count) == text


# -- printing ----------------------------------------------------------------------------------------


def test_print_writes_at_each_run(capfd: pytest.CaptureFixture[str]) -> None:
    x = placeholder("float32", [2])
    y = debug.print_v1(x, [x, "text", constant(MATRIX)], message="values: ") * 2.0
    with Session() as sess:
        assert sess.run(y, {x: [1, 2]}).tolist() == [2, 4]
        assert sess.run(y, {x: [0.5, 3]}).tolist() == [1, 6]
    assert capfd.readouterr().err == "values: [1 2][text][[1 2][3...]...]\nvalues: [0.5 3][text][[1 2][3...]...]\n"


def test_print_passes_the_gradient_on() -> None:
    x = placeholder("float32", [])
    y = debug.print_v1(x, [x])
    assert run(gradients(y * 3.0, x)[0], {x: 1.0}) == 3


def test_print_v2_chooses_its_stream(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    run([debug.print_v2(constant("e")), debug.print_v2(constant("o"), output_stream="stdout", end="|"), debug.print_v2(constant("f"), output_stream=f"file://{path}")])
    out = capfd.readouterr()
    assert (out.err, out.out, path.read_text()) == ("e\ne\n", "o|o|", "f\nf\n")


class Pair(NamedTuple):
    p: Any
    q: int


@pytest.mark.parametrize(
    ("make", "kwargs", "written"),
    [
        (lambda: ["hello"], {}, "hello\n"),
        (lambda: [constant("a string")], {}, "a string\n"),
        (lambda: ["a", constant(1.5), "b{}"], {"sep": "|"}, "a|1.5|b{}\n"),
        (lambda: [{"b": 1, "a": [1, "x"]}, 1.5, None], {"end": ""}, "{'a': [1, 'x'], 'b': 1} 1.5 None"),
        (lambda: [[constant(1), "x", {"k": constant([2, 3])}], (constant(3),)], {}, "[1, 'x', {'k': [2 3]}] (3,)\n"),
        (lambda: [Pair(constant(1), 2)], {}, "Pair(p=1, q=2)\n"),
        (lambda: [SparseTensor([[0, 1]], [2.0], [2, 2])], {}, "SparseTensor(indices=[[0 1]], values=[2], shape=[2 2])\n"),
        (lambda: [constant(np.arange(9))], {"summarize": 1}, "[0 ... 8]\n"),
        (list, {}, "\n"),
    ],
)
def test_print_formats_nests(make: Any, kwargs: Any, written: str, capfd: pytest.CaptureFixture[str]) -> None:
    with Session() as sess:
        sess.run(printing.print_(*make(), **kwargs))
    assert capfd.readouterr().err == written


def test_print_names_its_operations() -> None:
    made = printing.print_("a", constant(1), output_stream=sys.stdout, name="shown")
    assert (made.name, made.inputs[0].op.name, made.get_attr("output_stream")) == ("shown", "shown_format", b"stdout")
    assert printing.print_("a", output_stream=logging.warning).get_attr("output_stream") == b"log(warning)"
