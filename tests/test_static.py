"""Shapes that follow from shapes: what is known of them while sizes are not."""

from collections.abc import Callable
from typing import Any

import pytest

from ir import operators, static
from ir.convert import constant
from ir.graph import Graph
from ir.ops.basic import placeholder, placeholder_with_default
from ir.ops.cast import cast
from ir.ops.gather import gather, gather_nd, scatter_nd
from ir.ops.joining import concat, split, tile
from ir.ops.layout import broadcast_dynamic_shape, broadcast_to, fill, ones, range_, rank, reshape, shape, shape_n, size, squeeze, transpose, zeros
from ir.ops.packing import stack, unstack
from ir.ops.padding import pad, reverse
from ir.ops.partition import dynamic_stitch
from ir.ops.slicing import slice_
from ir.tensor import Tensor

#: x is float32[?, 5, 2], n an int32 scalar that is fed
CASES: dict[str, tuple[Callable[[Any, Any], Tensor], list[int | None] | None]] = {
    "stack": (lambda x, n: reshape(x, stack([shape(x)[0], 10])), [None, 10]),
    "list": (lambda x, n: reshape(x, [shape(x)[0], 10]), [None, 10]),
    "fed size": (lambda x, n: reshape(x, [n, 10]), [None, 10]),
    "rest": (lambda x, n: reshape(x, [-1, shape(x)[1] * shape(x)[2]]), [None, 10]),
    "concat": (lambda x, n: reshape(x, concat([[-1], shape(x)[1:]], 0)), [None, 5, 2]),
    "concat before": (lambda x, n: zeros(concat([shape(x)[:1], [7]], 0)), [None, 7]),
    "unstack": (lambda x, n: zeros(unstack(shape(x))[1:]), [5, 2]),
    "split": (lambda x, n: zeros(split(shape(x), [1, 2])[1]), [5, 2]),
    "arithmetic": (lambda x, n: zeros(shape(x) * 2 + 1), [None, 11, 5]),
    "division": (lambda x, n: zeros([shape(x)[1] // 2, shape(x)[0] // 2]), [2, None]),
    "fed arithmetic": (lambda x, n: zeros([n + 1, shape(x)[1] - 1]), [None, 4]),
    "cast": (lambda x, n: zeros(cast(shape(x), "int64")), [None, 5, 2]),
    "int64": (lambda x, n: zeros(shape(x, out_type="int64")[1:]), [5, 2]),
    "gather": (lambda x, n: zeros(gather(shape(x), [2, 0])), [2, None]),
    "gather_nd": (lambda x, n: zeros(gather_nd(shape(x), [[1], [0]])), [5, None]),
    "scatter_nd": (lambda x, n: zeros(scatter_nd([[0], [2]], shape(x)[:2], [3])), [None, 0, 5]),
    "stitch": (lambda x, n: zeros(dynamic_stitch([[0, 1, 2], [1]], [shape(x), [1]])), [None, 1, 2]),
    "reverse": (lambda x, n: zeros(reverse(shape(x), [0])), [2, 5, None]),
    "reversed slice": (lambda x, n: zeros(shape(x)[::-1]), [2, 5, None]),
    "slice": (lambda x, n: zeros(slice_(shape(x), [1], [-1])), [5, 2]),
    "tile": (lambda x, n: zeros(tile(shape(x)[:2], [2])), [None, 5, None, 5]),
    "pad": (lambda x, n: zeros(pad(shape(x)[1:], [[1, 0]], constant_values=3)), [3, 5, 2]),
    "transpose": (lambda x, n: zeros(reshape(transpose(stack([shape(x)[1:], [3, 4]])), [-1])), [5, 3, 2, 4]),
    "squeeze": (lambda x, n: zeros(squeeze(stack([shape(x)]), [0])), [None, 5, 2]),
    "shape_n": (lambda x, n: zeros(shape_n([x, x[0]])[1]), [5, 2]),
    "rank": (lambda x, n: zeros([rank(x), size(x[0])]), [3, 10]),
    "range": (lambda x, n: range_(shape(x)[1]), [5]),
    "range of unknown": (lambda x, n: range_(n), [None]),
    "fill": (lambda x, n: zeros(fill([2], shape(x)[1])), [5, 5]),
    "broadcast": (lambda x, n: broadcast_to(1.0, broadcast_dynamic_shape(shape(x), [2])), [None, 5, 2]),
    "broadcast args": (lambda x, n: zeros(broadcast_dynamic_shape(shape(x), [4, 5, 1])), [4, 5, 2]),
    "ones of fed": (lambda x, n: ones(stack([n, 3])), [None, 3]),
    "tile by fed": (lambda x, n: tile(x, [n, 2, 1]), [None, 10, 2]),
    "slice from fed": (lambda x, n: x[n:, 0], [None, 2]),
    "index beside a range": (lambda x, n: x[n, 1:3], [2, 2]),
    "slice up to fed": (lambda x, n: x[0, :n], [None, 2]),
    "slice of fed begin": (lambda x, n: slice_(x, [n, 0, 1], [2, -1, 1]), [2, 5, 1]),
    "vector fed": (lambda x, n: zeros(stack([n, n])), [None, None]),
    "default may be fed": (lambda x, n: zeros([placeholder_with_default(constant(4), [])]), [None]),
    "nothing": (lambda x, n: zeros(placeholder("int32")), None),
}


@pytest.mark.parametrize("case", CASES)
def test_partial_shapes(case: str) -> None:
    """The static shape tells all that is known."""
    build, expected = CASES[case]
    with Graph().as_default():
        out = build(placeholder("float32", [None, 5, 2]), placeholder("int32", []))
    assert (None if out.dims is None else list(out.dims)) == expected


def test_unknown_never_equals() -> None:
    """Two sizes that are not known are not equal, nor different."""
    with Graph().as_default():
        x = placeholder("float32", [None])
        n = shape(x)[0]
        same = static.value_of(operators.compare.equal(n, n + 0))
    assert same is None


def test_queries_of_long_chains_are_linear() -> None:
    """A chain in which each value is used twice takes one evaluation per operation."""
    with Graph().as_default():
        n = shape(placeholder("float32", [None, 3]))
        for _ in range(40):
            n = n + n - n
        assert static.entries_of(n) == (None, 3)
