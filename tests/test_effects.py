"""The order of effects: per resource, by data and control dependencies, then by creation; checked as TF 1.15 behaves."""

import numpy as np
import pytest

import graphc as tf
from graphc.runtime import store


@pytest.fixture(params=[False, True], ids=["first run", "compiled"])
def warm(request: pytest.FixtureRequest) -> int:
    """How often a program runs before the run that counts: the first is interpreted, the next compiled."""
    return 2 if request.param else 0


def settle(sess: tf.Session, fetches: object, warm: int, reset: object) -> object:
    """Runs `fetches` after `warm` runs whose effects `reset` undoes."""
    for _ in range(warm):
        sess.run(fetches)
        sess.run(reset)
    return sess.run(fetches)


@pytest.mark.parametrize("use_resource", [False, True])
def test_read_after_assign_under_control_dependency(warm: int, use_resource: bool) -> None:
    v = tf.Variable(0.0, use_resource=use_resource)
    with tf.control_dependencies([tf.assign_add(v, 1.0)]):
        w = v + 10.0
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert settle(sess, w, warm, v.initializer) == 11.0


def test_a_read_made_before_the_assignment_still_sees_the_reference(warm: int) -> None:
    v = tf.Variable(0.0, use_resource=False)
    read = tf.identity(v)
    with tf.control_dependencies([tf.assign_add(v, 1.0)]):
        w = read + 10.0
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert settle(sess, w, warm, v.initializer) == 11.0


def test_a_resource_read_keeps_its_place(warm: int) -> None:
    v = tf.Variable(1.0, use_resource=True)
    before = v.read_value()
    with tf.control_dependencies([before]):
        add = tf.assign_add(v, 1.0)
    with tf.control_dependencies([add]):
        after = v.read_value()
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert settle(sess, [before, after], warm, v.initializer) == [1.0, 2.0]


def test_fetching_a_reference_reads_at_the_end_of_the_run(warm: int) -> None:
    v = tf.Variable(1.0, use_resource=False)
    add = tf.assign_add(v, 1.0)
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert settle(sess, [v, add], warm, v.initializer) == [2.0, 2.0]


def test_writes_without_dependencies_happen_in_order_of_creation(warm: int) -> None:
    v = tf.Variable(3.0)
    with tf.Session() as sess:
        step = tf.group(tf.assign(v, v * 2.0), tf.assign_add(v, 1.0), tf.assign(v, v * 10.0))
        sess.run(v.initializer)
        settle(sess, step, warm, v.initializer)
        assert sess.run(v) == 70.0


def test_two_variables_swap(warm: int) -> None:
    a, b = tf.Variable(1.0, use_resource=True), tf.Variable(2.0, use_resource=True)
    old_a, old_b = a.read_value(), b.read_value()
    swap = tf.group(tf.assign(a, old_b), tf.assign(b, old_a))
    init = tf.global_variables_initializer()
    with tf.Session() as sess:
        sess.run(init)
        settle(sess, swap, warm, init)
        assert sess.run([a, b]) == [2.0, 1.0]


def test_only_what_is_fetched_runs() -> None:
    v = tf.Variable(0.0)
    add = tf.assign_add(v, 1.0)
    other = tf.constant(1.0) + 1.0
    with tf.Session() as sess:
        sess.run(v.initializer)
        sess.run(other)
        assert sess.run(v) == 0.0
        sess.run(add)
        assert sess.run(v) == 1.0


def test_random_ops_never_merge_and_advance_once_a_run() -> None:
    a, b = tf.random_uniform([4], seed=1), tf.random_uniform([4], seed=1)
    with tf.Session() as sess:
        x, y = sess.run([a, b])
        np.testing.assert_array_equal(x, y)  # equal seeds, each its own counter
        x2 = sess.run(a)
        assert not np.array_equal(x, x2)
    c = tf.random_uniform([4]) - tf.random_uniform([4])
    with tf.Session() as sess:
        assert np.abs(sess.run(c)).max() > 0


def test_a_failed_check_leaves_every_variable_as_it_was() -> None:
    v = tf.Variable([1.0, 2.0])
    x = tf.placeholder(tf.float32, [])
    with tf.control_dependencies([tf.assign_add(v, [1.0, 1.0])]):
        bad = tf.check_numerics(tf.log(x), "log of x")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(3):
            sess.run(bad, {x: 1.0})
        assert sess.run(v).tolist() == [4.0, 5.0]
        for _ in range(2):
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"log of x : Tensor had NaN values[\s\S]*CheckNumerics.*test_effects.py"):
                sess.run(bad, {x: -1.0})
        assert sess.run(v).tolist() == [4.0, 5.0]


def test_a_failed_assert_shows_its_data() -> None:
    x = tf.placeholder(tf.int32, [None])
    with tf.control_dependencies([tf.Assert(tf.reduce_all(x > 0), ["must be positive:", x])]):
        y = tf.identity(x)
    with tf.Session() as sess:
        assert sess.run(y, {x: [1, 2]}).tolist() == [1, 2]
        for _ in range(3):
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"assertion failed: \[must be positive:\] \[1 -2 3"):
                sess.run(y, {x: [1, -2, 3]})


def test_initialized_flags() -> None:
    v, w = tf.Variable(1.0), tf.Variable(2.0, use_resource=True)
    flags = [tf.is_variable_initialized(v), tf.is_variable_initialized(w)]
    names = tf.report_uninitialized_variables()
    with tf.Session() as sess:
        assert sess.run(flags) == [False, False]
        assert sorted(sess.run(names)) == [b"Variable", b"Variable_1"]
        sess.run(v.initializer)
        assert sess.run(flags) == [True, False]
        assert sess.run(names).tolist() == [b"Variable_1"]
        with pytest.raises(tf.errors.FailedPreconditionError, match="Variable_1"):
            sess.run(w + 1.0)


def test_an_assignment_may_change_the_shape() -> None:
    v = tf.Variable([1.0, 2.0], validate_shape=False)
    x = tf.placeholder(tf.float32, [None])
    change = tf.assign(v, x, validate_shape=False)
    total = tf.reduce_sum(v)
    with tf.Session() as sess:
        sess.run(v.initializer)
        for n in (2, 5, 1, 5):
            sess.run(change, {x: np.ones(n)})
            assert sess.run(total) == n
            assert sess.run(v).shape == (n,)


def test_packed_variables_are_the_same_variables() -> None:
    """Small variables updated together live in one buffer; every other way to reach them still works."""
    vs = [tf.Variable(np.full((3, i + 1), float(i), np.float32)) for i in range(6)]
    step = tf.group(*[tf.assign_add(v, tf.ones_like(v)) for v in vs])
    total = tf.add_n([tf.reduce_sum(v) for v in vs])
    single = tf.assign(vs[2], np.zeros((3, 3), np.float32))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(4):
            sess.run(step)
        assert sess.store.packs, "six small variables updated together should be packed"
        for i, v in enumerate(vs):
            np.testing.assert_array_equal(sess.run(v), np.full((3, i + 1), i + 4.0))
        expected = sum(3 * (i + 1) * (i + 4.0) for i in range(6))
        assert [sess.run(total) for _ in range(3)] == [expected] * 3
        sess.run(single)
        assert sess.run(vs[2]).sum() == 0
        sess.run([step, total])
        assert sess.run(vs[2]).sum() == 9
        assert sess.run(vs[3])[0, 0] == 8
        sess.run(tf.global_variables_initializer())
        assert sess.run(vs[5])[0, 0] == 5


@pytest.mark.parametrize("use_resource", [False, True])
def test_a_checked_step_that_fetches_what_it_writes(use_resource: bool) -> None:
    v = tf.Variable([1.0], use_resource=use_resource)
    x = tf.placeholder(tf.float32, [])
    with tf.control_dependencies([tf.check_numerics(x, "x")]):
        step = tf.assign_add(v, [1.0])
    with tf.Session() as sess:
        sess.run(v.initializer)
        for i in range(4):
            sess.run([step, v], {x: 1.0})
            assert sess.run(v).tolist() == [i + 2.0]
        with pytest.raises(tf.errors.InvalidArgumentError, match="NaN"):
            sess.run([step, v], {x: np.nan})
        assert sess.run(v).tolist() == [5.0]


def test_an_assignment_must_keep_the_shape(warm: int) -> None:
    v, p = tf.Variable([1.0, 2.0], use_resource=False), tf.placeholder(tf.float32, None)
    assign, add = tf.assign(v, p), tf.assign_add(v, p)
    with tf.Session() as sess:
        sess.run(v.initializer)
        for _ in range(1 + warm):
            with pytest.raises(tf.errors.InvalidArgumentError, match="shapes of both tensors to match"):
                sess.run(assign, {p: [1, 2, 3]})
            with pytest.raises(tf.errors.InvalidArgumentError, match="same size"):
                sess.run(add, {p: 7.0})
        assert sess.run(v).tolist() == [1.0, 2.0]


def test_a_failing_check_in_a_loop_is_named() -> None:
    x = tf.placeholder(tf.float32, [])
    r = tf.while_loop(lambda i, _: i < 5, lambda i, a: (i + 1, tf.check_numerics(a / tf.cast(3 - i, tf.float32), "bad")), [0, x])[1]
    with tf.Session() as sess:
        for _ in range(3):
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"bad[\s\S]*CheckNumerics"):
                sess.run(r, {x: 1.0})


def test_a_constant_used_in_a_body_may_be_fed() -> None:
    x, p = tf.constant(2.0), tf.placeholder(tf.bool, [])
    y = tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a * x), [0, 1.0])[1]
    z = tf.cond(p, lambda: x * 2, lambda: x * 3)
    with tf.Session() as sess:
        assert sess.run(y) == 8.0 and sess.run(y, {x: 5.0}) == 125.0
        assert sess.run(z, {x: 5.0, p: True}) == 10.0


def test_an_interrupt_while_packing_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vs = [tf.Variable(1.0), tf.Variable(2.0)]
    step = tf.group(*[tf.assign_add(v, 1.0) for v in vs])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step)
        def interrupted(value: object) -> object:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(store, "owned", interrupted)
            with pytest.raises(KeyboardInterrupt):
                sess.run(step)
        assert sess.run(vs) == [2.0, 3.0]
        sess.run(step)
        assert sess.run(vs) == [3.0, 4.0]
