"""Programs and their rewrites: what is cut out of a graph, interned, folded, simplified, partitioned."""

import numpy as np
import pytest

import graphc as tf
from ir.cut import cut
from ir.program import Program
from ir.rewrite.partition import partition
from ir.rewrite.pipeline import optimize
from ir.rewrite.print import program_text
from ir.rewrite.verify import verify_program


def ops(program: Program) -> list[str]:
    """The op types of a program's nodes, without sources."""
    return [n.op.name for n in program.nodes if n.op.name not in ("_Feed", "_State", "Const")]


def program(*fetches: object, feeds: tuple = ()) -> Program:
    made = optimize(cut(tf.get_default_graph(), list(fetches), list(feeds)))
    verify_program(made)
    return made


def test_only_what_is_needed_is_cut_out() -> None:
    x = tf.placeholder(tf.float32, [2])
    y, _ = tf.tanh(x), tf.exp(x)
    assert ops(program(y, feeds=(x,))) == ["Tanh"]
    assert ops(program(tf.sin(y), feeds=(y,))) == ["Sin"]


def test_equal_computations_are_one_node() -> None:
    x = tf.placeholder(tf.float32, [2])
    both = tf.tanh(x) + tf.tanh(x)
    assert ops(program(both, feeds=(x,))) == ["Tanh", "AddV2"]


def test_random_ops_are_never_one_node() -> None:
    a, b = tf.random_uniform([2]), tf.random_uniform([2])
    assert ops(program(a - b)).count("RandomUniform") == 2


def test_reads_of_one_version_are_one_and_of_two_are_two() -> None:
    v = tf.Variable(1.0, use_resource=True)
    first, second = v.read_value(), v.read_value()
    assert ops(program(first + second)) == ["AddV2"]
    with tf.control_dependencies([tf.assign_add(v, 1.0)]):
        third = v.read_value()
    made = program(first + third)
    assert ops(made) == ["AssignAddVariableOp", "AddV2"]
    assert made.nodes[-1].inputs[0] != made.nodes[-1].inputs[1]


def test_shapes_and_integers_fold() -> None:
    x = tf.placeholder(tf.float32, [4, 6])
    n = tf.shape(x)[0] * tf.shape(x)[1]
    assert ops(program(tf.reshape(x, tf.stack([n])), feeds=(x,))) == ["Reshape"]
    assert ops(program(tf.constant(2) * 3 + 1)) == []


def test_floats_are_left_to_xla() -> None:
    assert ops(program(tf.constant(2.0) * 3.0)) == ["Mul"]


@pytest.mark.parametrize(
    ("build", "left"),
    [
        (tf.identity, []),
        (lambda x: tf.stop_gradient(tf.identity(x)), []),
        (lambda x: tf.transpose(tf.transpose(x)), []),
        (lambda x: tf.transpose(tf.transpose(x, [1, 0]), [0, 1]), ["Transpose"]),
        (lambda x: tf.reshape(tf.reshape(x, [6]), [2, 3]), []),
        (lambda x: tf.reshape(tf.reshape(x, [6]), [3, 2]), ["Reshape"]),
        (lambda x: tf.cast(x, tf.float32), []),
        (lambda x: tf.squeeze(tf.expand_dims(x, 0), 0), []),
    ],
)
def test_chains_simplify(build: object, left: list[str]) -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    y = build(x)  # type: ignore[operator]
    assert ops(program(y, feeds=(x,))) == left
    with tf.Session() as sess:
        value = np.arange(6.0, dtype=np.float32).reshape(2, 3)
        assert sess.run(y, {x: value}).reshape(-1).sum() == 15


def test_host_work_makes_segments() -> None:
    x = tf.placeholder(tf.float32, [None])
    before = tf.exp(x)
    kept = tf.boolean_mask(before, before > 1.0)
    after = tf.reduce_sum(kept * 2.0)
    made = program(after, feeds=(x,))
    kinds = [s.host for s in partition(made)]
    assert kinds.count(True) >= 1 and kinds.count(False) >= 1
    with tf.Session() as sess:
        for values in ([1.0, -1.0, 2.0], [0.5], [-1.0]):
            expected = sum(2 * np.exp(v) for v in values if v > 0)
            np.testing.assert_allclose(sess.run(after, {x: values}), expected, rtol=1e-5)


def test_the_text_names_everything() -> None:
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    v = tf.Variable([1.0, 2.0], name="v")
    text = program_text(program(tf.assign_add(v, tf.reduce_sum(x, 0)), feeds=(x,)))
    assert "Sum(" in text and "AssignAdd(" in text and "write v = " in text and "float32[?,2]" in text


def test_passes_are_dumped_and_checked(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DUMP", str(tmp_path))
    program(tf.identity(tf.constant(1) + 2))
    names = sorted(p.name for p in tmp_path.iterdir())  # type: ignore[attr-defined]
    assert [n.split("-")[-1] for n in names] == ["cut.txt", "canonicalize.txt", "prune.txt"]
