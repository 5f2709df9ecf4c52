"""Rows of ir.ops.printing: what TensorFlow 1.15 prints."""

import sys

import numpy as np

from ir.ops import printing as p
from ir.ops.basic import placeholder
from tests.rowdef import ErrorRow, Row


def text(template, inputs, wanted, **kw):
    """A row of strings.format."""
    return Row("StringFormat", lambda *x: p.string_format(template, list(x), **kw), inputs, lambda *_: np.array(wanted.encode(), object))


CUBE = np.arange(24).reshape(2, 3, 4)

ROWS = [
    text("x: {}", [np.arange(20)], "x: [0 1 2 ... 17 18 19]"),
    text("{}", [np.arange(20)], "[0 ... 19]", summarize=1),
    text("{}", [np.arange(7)], "[0 1 2 ... 4 5 6]"),
    text("{}", [np.arange(6)], "[0 1 2 3 4 5]"),
    text("{}", [np.arange(49).reshape(7, 7)], "[[0 1 ... 5 6]\n [7 8 ... 12 13]\n ...\n [35 36 ... 40 41]\n [42 43 ... 47 48]]", summarize=2),
    text("{}", [np.arange(16).reshape(4, 2, 2)], "[[[0 1]\n  [2 3]]\n\n ...\n\n [[12 13]\n  [14 15]]]", summarize=1),
    text("{}", [CUBE], "[[[0 1 2 3]\n  [4 5 6 7]\n  [8 9 10 11]]\n\n [[12 13 14 15]\n  [16 17 18 19]\n  [20 21 22 23]]]", summarize=-1),
    text("{} and {}", [np.float32(1.5), np.array([True, False])], "1.5 and [1 0]"),
    text("{} {}", [np.array([b"a", b"b"], object), np.array(b'a"b', object)], '["a" "b"] "a\\"b"'),
    text("{}", [np.zeros((0, 3))], "[]"),
    text("%t!", [np.int32(3)], "3!", placeholder="%t"),
    text("{}", [np.float16([0.1, np.inf])], "[0.0999755859 inf]"),
    text("no tensor", [], "no tensor"),
]

ERRORS = [
    ErrorRow("StringFormat", lambda: p.string_format("{} {}", placeholder("int32", [])), ValueError, r"2 placeholder\(s\) in template does not match 1"),
    ErrorRow("PrintV2", lambda: p.print_("x", colour="red"), ValueError, "Unrecognized keyword arguments for tf.print: {'colour': 'red'}"),
    ErrorRow("PrintV2", lambda: p.print_("x", output_stream=sys), ValueError, "Unsupported output stream"),
]
