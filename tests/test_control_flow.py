"""Branches and loops: gradients of every order against jax, errors, effects, loop variables of every kind."""

from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import graphc as tf
from graphc.runtime import runner

Pair = namedtuple("Pair", ("a", "b"))  # noqa: PYI024


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


@pytest.fixture(params=["interpreted", "compiled"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test on NumPy arrays, and compiled at once."""
    if request.param == "compiled":
        monkeypatch.setattr(runner, "INTERPRETED_NODES", -1)
    return request.param


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetches, feeds)


def check_gradients(ours: Callable[..., Any], theirs: Callable[..., Any], *arrays: np.ndarray, feeds: Any = None, tolerance: float = 1e-9) -> None:
    """Value, first and second derivatives of a scalar function in every argument, in float64."""
    xs = [tf.constant(a) for a in arrays]
    y = ours(*xs)
    first = tf.gradients(y, xs)
    again = tf.gradients(tf.add_n([tf.reduce_sum(tf.sin(g)) for g in first]), xs)
    got = run([y, first, again], feeds)
    n = tuple(range(len(arrays)))
    with jax.enable_x64(True):
        grads = jax.grad(theirs, n)
        second = jax.grad(lambda *a: sum(jnp.sin(g).sum() for g in grads(*a)), n)
        wanted = [theirs(*arrays), list(grads(*arrays)), list(second(*arrays))]
        for g, w in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(g, np.asarray(w), rtol=tolerance, atol=tolerance)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randn(*shape)


# -- gradients -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("length", [0, 1, 5, 70])
def test_lstm_over_a_fed_length(length: int) -> None:
    """70 steps are more than the first guess at the size of the lists."""
    n = tf.placeholder(tf.int32, [])
    arrays = normal(2, 3), normal(6, 12, seed=1) * 0.5, normal(12, seed=2) * 0.5

    def ours(x: Any, w: Any, b: Any) -> Any:
        def step(i: Any, c: Any, h: Any) -> Any:
            gates = tf.matmul(tf.concat([x, h], 1), w) + b
            i_, j, f, o = tf.split(gates, 4, axis=1)
            c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i_) * tf.tanh(j)
            return i + 1, c, tf.tanh(c) * tf.sigmoid(o)

        zero = tf.zeros([2, 3], tf.float64)
        _, c, h = tf.while_loop(lambda i, *_: i < n, step, [0, zero, zero])
        return tf.reduce_sum(h * c)

    def theirs(x: Any, w: Any, b: Any) -> Any:
        def step(carry: Any, _: Any) -> Any:
            c, h = carry
            i_, j, f, o = jnp.split(jnp.concatenate([x, h], 1) @ w + b, 4, axis=1)
            c = c * jax.nn.sigmoid(f + 1.0) + jax.nn.sigmoid(i_) * jnp.tanh(j)
            return (c, jnp.tanh(c) * jax.nn.sigmoid(o)), None

        (c, h), _ = jax.lax.scan(step, (jnp.zeros((2, 3)), jnp.zeros((2, 3))), None, length=length)
        return (h * c).sum()

    check_gradients(ours, theirs, *arrays, feeds={n: length})


@pytest.mark.usefixtures("mode")
def test_newton_iteration() -> None:
    """The trip count depends on the data: x with x^3 + x = a."""
    a = np.array([0.3, 2.0, 9.0])

    def ours(a: Any) -> Any:
        def step(x: Any) -> Any:
            return x - (x * x * x + x - a) / (3.0 * x * x + 1.0)

        x = tf.while_loop(lambda x: tf.reduce_max(tf.abs(x * x * x + x - a)) > 1e-13, step, [a])
        return tf.reduce_sum(tf.exp(-x))

    xs = tf.constant(a)
    y = ours(xs)
    first = tf.gradients(y, xs)[0]
    second = tf.gradients(first, xs)[0]
    got = run([y, first, second])
    root = np.array([np.roots([1, 0, 1, -v])[np.argmin(np.abs(np.roots([1, 0, 1, -v]).imag))].real for v in a])
    slope = 1 / (3 * root**2 + 1)
    np.testing.assert_allclose(got[0], np.exp(-root).sum(), rtol=1e-10)
    np.testing.assert_allclose(got[1], -np.exp(-root) * slope, rtol=1e-9)
    curve = -6 * root * slope**3
    np.testing.assert_allclose(got[2], np.exp(-root) * (slope**2 - curve), rtol=1e-8)


@pytest.mark.usefixtures("mode")
def test_nested_loops() -> None:
    """The inner trip count depends on the outer counter."""

    def ours(x: Any, w: Any) -> Any:
        def outer(i: Any, y: Any) -> Any:
            _, z = tf.while_loop(lambda j, z: j < i + 1, lambda j, z: (j + 1, tf.tanh(z * w + x)), [0, y])
            return i + 1, y + z * z

        return tf.reduce_sum(tf.while_loop(lambda i, y: i < 4, outer, [0, x])[1])

    def theirs(x: Any, w: Any) -> Any:
        y = x
        for i in range(4):
            z = y
            for _ in range(i + 1):
                z = jnp.tanh(z * w + x)
            y = y + z * z
        return y.sum()

    check_gradients(ours, theirs, normal(3) * 0.5, normal(3, seed=1) * 0.5)


@pytest.mark.usefixtures("mode")
def test_loops_nested_three_deep() -> None:
    def ours(x: Any) -> Any:
        def loop(depth: int, y: Any) -> Any:
            if depth == 0:
                return tf.sin(y) * x
            return tf.while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, loop(depth - 1, y)), [0, y])[1]

        return tf.reduce_sum(loop(3, x))

    def theirs(x: Any) -> Any:
        y = x
        for _ in range(8):
            y = jnp.sin(y) * x
        return y.sum()

    check_gradients(ours, theirs, normal(3))


@pytest.mark.usefixtures("mode")
def test_cond_inside_while() -> None:
    def ours(x: Any, w: Any) -> Any:
        def step(i: Any, y: Any) -> Any:
            return i + 1, tf.cond(tf.reduce_sum(y) > 0.0, lambda: tf.tanh(y * w), lambda: y * y - w * tf.cast(i, tf.float64))

        return tf.reduce_sum(tf.while_loop(lambda i, _: i < 6, step, [0, x])[1] ** 2)

    def theirs(x: Any, w: Any) -> Any:
        y = x
        for i in range(6):
            y = jax.lax.cond(y.sum() > 0, lambda y: jnp.tanh(y * w), lambda y, i=i: y * y - w * i, y)
        return (y**2).sum()

    check_gradients(ours, theirs, normal(3), normal(3, seed=1))


@pytest.mark.usefixtures("mode")
def test_while_inside_cond() -> None:
    flag = tf.placeholder(tf.bool, [])

    def ours(x: Any, w: Any) -> Any:
        def power() -> Any:
            return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.sin(y) * w), [0, x])[1]

        return tf.reduce_sum(tf.cond(flag, power, lambda: tf.exp(x * w)))

    def loop(x: Any, w: Any) -> Any:
        for _ in range(3):
            x = jnp.sin(x) * w
        return x.sum()

    check_gradients(ours, loop, normal(3), normal(3, seed=1), feeds={flag: True})


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("which", [0, 1, 2, 7])
def test_switch_case(which: int) -> None:
    index = tf.placeholder(tf.int32, [])

    def ours(x: Any) -> Any:
        return tf.reduce_sum(tf.switch_case(index, [lambda: tf.sin(x), lambda: x * x * x, lambda: tf.exp(x)]))

    def theirs(x: Any) -> Any:
        return [jnp.sin, lambda x: x**3, jnp.exp][min(which, 2)](x).sum()

    check_gradients(ours, theirs, normal(3), feeds={index: which})


@pytest.mark.usefixtures("mode")
def test_tensor_array_reversal() -> None:
    """Elements are read in one order and written in another, several times over."""

    def ours(x: Any) -> Any:
        n = tf.shape(x)[0]
        given = tf.TensorArray(tf.float64, size=n).unstack(x)

        def step(i: Any, out: Any, total: Any) -> Any:
            total = total + given.read(i) * given.read(n - 1 - i)
            return i + 1, out.write(n - 1 - i, tf.sin(total)), total

        _, out, total = tf.while_loop(lambda i, *_: i < n, step, [0, tf.TensorArray(tf.float64, size=n), tf.zeros([2], tf.float64)])
        return tf.reduce_sum(out.stack() * x) + tf.reduce_sum(total * total)

    def theirs(x: Any) -> Any:
        total = jnp.cumsum(x * x[::-1], axis=0)
        return (jnp.sin(total)[::-1] * x).sum() + (total[-1] ** 2).sum()

    check_gradients(ours, theirs, normal(5, 2))


@pytest.mark.usefixtures("mode")
def test_gradient_of_what_a_loop_does_not_change() -> None:
    def ours(x: Any, w: Any) -> Any:
        _, y, same = tf.while_loop(lambda i, *_: i < 3, lambda i, y, w: (i + 1, y * w, w), [0, x, w])
        return tf.reduce_sum(y) + tf.reduce_sum(same * same)

    check_gradients(ours, lambda x, w: (x * w**3).sum() + (w**2).sum(), normal(3), normal(3, seed=1))


@pytest.mark.usefixtures("mode")
def test_hessian_through_a_loop() -> None:
    x = tf.constant(normal(4))
    _, y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.sin(y) * x), [0, x])
    third = tf.gradients(tf.gradients(tf.gradients(y, x)[0], x)[0], x)[0]
    hessian, third = run([tf.hessians(tf.reduce_sum(y), x)[0], third])

    def theirs(x: Any) -> Any:
        y = x
        for _ in range(3):
            y = jnp.sin(y) * x
        return y.sum()

    with jax.enable_x64(True):
        np.testing.assert_allclose(hessian, jax.hessian(theirs)(normal(4)), atol=1e-9)
        one = lambda x: jax.grad(theirs)(x).sum()  # noqa: E731
        two = lambda x: jax.grad(one)(x).sum()  # noqa: E731
        np.testing.assert_allclose(third, jax.grad(two)(normal(4)), atol=1e-8)


def test_no_gradient_without_back_prop() -> None:
    x = tf.constant([1.0, 2.0])
    y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * x), [0, x], back_prop=False)[1]
    assert tf.gradients(y, x) == [None]


# -- effects ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("mode")
def test_assignments_in_a_body() -> None:
    v = tf.Variable(1.0)
    w = tf.Variable([0.0], use_resource=True)

    def step(i: Any) -> Any:
        with tf.control_dependencies([tf.assign(v, v * 2.0), w.assign_add([tf.cast(i, tf.float32)])]):
            return i + 1

    loop = tf.while_loop(lambda i: i < 4, step, [0])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for k in (1, 2):
            assert sess.run(loop) == 4
            assert sess.run(v) == 16.0**k
            assert sess.run(w)[0] == 6.0 * k


@pytest.mark.usefixtures("mode")
def test_assignment_in_the_branch_that_runs() -> None:
    v = tf.Variable(1.0)
    flag = tf.placeholder(tf.bool, [])
    out = tf.cond(flag, lambda: tf.assign_add(v, 10.0), lambda: tf.identity(v))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run([out], {flag: False}) == [1.0]
        assert sess.run([out], {flag: True}) == [11.0]
        assert sess.run(v) == 11.0


@pytest.mark.usefixtures("mode")
def test_random_ops_draw_anew_in_each_iteration() -> None:
    def step(i: Any, out: Any) -> Any:
        return i + 1, out.write(i, tf.random_uniform([2], seed=5))

    loop = tf.while_loop(lambda i, _: i < 3, step, [0, tf.TensorArray(tf.float32, size=3)])[1].stack()
    outside = tf.random_uniform([2], seed=5)
    with tf.Session() as sess:
        drawn = np.concatenate([sess.run(loop) for _ in range(2)])
        single = np.stack([sess.run(outside) for _ in range(6)])
    assert len({tuple(r) for r in drawn.tolist()}) == 6
    np.testing.assert_array_equal(drawn, single)


@pytest.mark.usefixtures("mode")
def test_assert_in_a_body() -> None:
    n = tf.placeholder(tf.int32, [])
    v = tf.Variable(0.0)

    def step(i: Any) -> Any:
        with tf.control_dependencies([tf.Assert(i < 3, ["i is", i]), tf.assign_add(v, 1.0)]):
            return i + 1

    loop = tf.while_loop(lambda i: i < n, step, [0])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(loop, {n: 3}) == 3
        with pytest.raises(tf.errors.InvalidArgumentError, match="test_control_flow"):
            sess.run(loop, {n: 5})
        assert sess.run(v) == 3.0, "a run that fails changes nothing"


def test_print_in_a_body_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    def step(i: Any) -> Any:
        first = tf.Print(i, [i], message="first ")
        return tf.Print(first, [first * 10], message="second ") + 1

    assert run(tf.while_loop(lambda i: i < 3, step, [0])) == 3
    printed = [line for line in capfd.readouterr().err.splitlines() if "first" in line or "second" in line]
    assert printed == [f"{what} [{v}]" for i in range(3) for what, v in (("first", i), ("second", 10 * i))]


def test_print_in_the_branch_that_runs(capfd: pytest.CaptureFixture[str]) -> None:
    x = tf.constant(2.0)
    out = tf.cond(x > 1.0, lambda: tf.Print(x, [x], message="then "), lambda: tf.Print(-x, [x], message="else "))
    assert run(out) == 2.0
    err = capfd.readouterr().err
    assert "then" in err
    assert "else" not in err


# -- what loops take ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("mode")
def test_maximum_iterations() -> None:
    most = tf.placeholder(tf.int32, [])
    x = tf.constant([1.0, 2.0])
    y = tf.while_loop(lambda y: tf.reduce_sum(y) < 100.0, lambda y: y * 2.0, [x], maximum_iterations=most)
    g = tf.gradients(y, x)[0]
    for n, factor in ((0, 1), (3, 8), (50, 64)):
        got = run([y, g], {most: n})
        np.testing.assert_array_equal(got, [[factor, 2 * factor], [factor, factor]])


@pytest.mark.usefixtures("mode")
def test_shape_invariants() -> None:
    y = tf.while_loop(
        lambda i, _: i < 3, lambda i, y: (i + 1, tf.concat([y, [tf.cast(i, tf.float32)]], 0)), [0, tf.constant([9.0])],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
    )[1]  # fmt: skip
    assert y.shape.as_list() == [None]
    np.testing.assert_array_equal(run(y), [9, 0, 1, 2])


def test_shape_invariants_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"not compatible with the initial shape.*\(1,\).*\(2,\)"):
        tf.while_loop(lambda y: tf.reduce_sum(y) < 1, lambda y: y, [tf.constant([9.0])], shape_invariants=[tf.TensorShape([2])])


@pytest.mark.usefixtures("mode")
def test_nested_loop_variables() -> None:
    start = {"x": tf.constant(1.0), "pairs": [Pair(tf.constant([1, 2]), 0.5), (tf.constant(True),)]}

    def step(i: Any, s: Any) -> Any:
        pair, (flag,) = s["pairs"]
        return i + 1, {"x": s["x"] * pair.b, "pairs": [Pair(pair.a + 1, pair.b), (tf.logical_not(flag),)]}

    _, out = tf.while_loop(lambda i, _: i < 3, step, [0, start])
    assert isinstance(out["pairs"][0], Pair)
    got = run(out)
    assert got["x"] == 0.125
    np.testing.assert_array_equal(got["pairs"][0].a, [4, 5])
    assert not got["pairs"][1][0]


@pytest.mark.usefixtures("mode")
def test_composite_loop_variables() -> None:
    slices = tf.IndexedSlices(tf.constant([[1.0, 2.0]]), tf.constant([3]), tf.constant([5, 2]))
    sparse = tf.SparseTensor([[0, 1], [2, 0]], [1.0, 2.0], [3, 3])
    array = tf.TensorArray(tf.float32, size=3)

    def step(i: Any, s: Any, p: Any, a: Any) -> Any:
        doubled = tf.IndexedSlices(s.values * 2.0, s.indices, s.dense_shape)
        return i + 1, doubled, tf.SparseTensor(p.indices, p.values + 1.0, p.dense_shape), a.write(i, s.values[0])

    _, s, p, a = tf.while_loop(lambda i, *_: i < 3, step, [0, slices, sparse, array])
    assert isinstance(s, tf.IndexedSlices)
    assert isinstance(p, tf.SparseTensor)
    got = run([s.values, s.indices, p.values, p.indices, a.stack()])
    np.testing.assert_array_equal(got[0], [[8, 16]])
    np.testing.assert_array_equal(got[1], [3])
    np.testing.assert_array_equal(got[2], [4, 5])
    np.testing.assert_array_equal(got[4], [[1, 2], [2, 4], [4, 8]])


def test_single_loop_variable_is_not_in_a_list() -> None:
    assert run(tf.while_loop(lambda i: i < 3, lambda i: i + 1, [0])) == 3
    assert run(tf.while_loop(lambda i: i < 3, lambda i: [i + 1], [0], return_same_structure=True)) == [3]


def test_variables_made_in_a_body_belong_outside() -> None:
    def step(i: Any, x: Any) -> Any:
        w = tf.get_variable("w", [], initializer=tf.ones_initializer())
        return i + 1, x * (w + 1.0)

    y = tf.while_loop(lambda i, _: i < 3, step, [0, 1.0])[1]
    (w,) = tf.trainable_variables()
    assert w.name == "w:0"
    assert run([y, tf.gradients(y, w)[0]]) == [8.0, 12.0]


def test_a_loop_is_one_while() -> None:
    x = tf.constant(normal(3))
    y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * x), [0, x])[1]
    tf.gradients(y, x)
    kinds = [op.type for op in tf.get_default_graph().get_operations()]
    assert kinds.count("StatelessWhile") == 2
    assert "While" not in kinds


# -- errors ----------------------------------------------------------------------------------------------


def test_body_that_changes_a_type() -> None:
    x = tf.constant(1, name="counter")
    with pytest.raises(TypeError, match=r"counter:0 enters the loop as int32\[\] but body returns float32\[\] for it, at .*test_control_flow.py:\d+"):
        tf.while_loop(lambda i: i < 3, lambda i: tf.cast(i, tf.float32) + 1.0, [x])


def test_body_that_changes_a_shape() -> None:
    x = tf.constant([1.0], name="grows")
    with pytest.raises(ValueError, match=r"grows:0 is not an invariant.*\(1,\).*\(2,\).*test_control_flow.py:\d+.*shape_invariants"):
        tf.while_loop(lambda y: tf.reduce_sum(y) < 3, lambda y: tf.concat([y, y], 0), [x])


def test_body_that_returns_another_structure() -> None:
    with pytest.raises(ValueError, match="nested structure"):
        tf.while_loop(lambda i, j: i < 3, lambda i, j: (i + 1, j, j), [0, 1])


def test_condition_that_is_no_boolean() -> None:
    with pytest.raises(TypeError, match="boolean scalar"):
        tf.while_loop(lambda i: i, lambda i: i + 1, [0])
    with pytest.raises(TypeError, match="boolean scalar"):
        tf.while_loop(lambda i: i < [1, 2], lambda i: i + 1, [tf.constant([0, 0])])


def test_arguments_that_cannot_be_loops() -> None:
    with pytest.raises(TypeError, match="cond must be callable"):
        tf.while_loop(True, lambda i: i, [0])
    with pytest.raises(TypeError, match="body must be callable"):
        tf.while_loop(lambda i: i < 1, 3, [0])
    with pytest.raises(ValueError, match="No loop variables"):
        tf.while_loop(lambda: True, lambda: (), [])
    with pytest.raises(ValueError, match="scalar"):
        tf.while_loop(lambda i: i < 1, lambda i: i, [0], maximum_iterations=[1, 2])


def test_branches_of_different_types() -> None:
    flag = tf.placeholder(tf.bool, [])
    with pytest.raises(TypeError, match=r"(?s)true_fn and false_fn.*float32\[\].*int32\[\].*test_control_flow.py:\d+"):
        tf.cond(flag, lambda: tf.constant(1.0), lambda: tf.constant(1))


def test_branches_of_different_structures() -> None:
    flag = tf.placeholder(tf.bool, [])
    with pytest.raises((ValueError, TypeError), match="Incompatible return values of true_fn and false_fn"):
        tf.cond(flag, lambda: [tf.constant(1.0)], lambda: [tf.constant(1.0), tf.constant(2.0)])
    with pytest.raises(ValueError, match="true_fn must have a return value"):
        tf.cond(flag, lambda: None, lambda: tf.constant(1.0))
    with pytest.raises(TypeError, match="must not be a Python bool"):
        tf.cond(True, lambda: tf.constant(1.0), lambda: tf.constant(1.0))


def test_tensor_of_another_graph_in_a_body() -> None:
    with tf.Graph().as_default():
        foreign = tf.constant(1.0, name="foreign")
    with pytest.raises(ValueError, match=r"foreign.*same graph"):
        tf.while_loop(lambda x: x < 1.0, lambda x: x + foreign, [0.0])


def test_tensor_of_a_body_outside() -> None:
    kept: list[Any] = []
    tf.while_loop(lambda x: x < 1.0, lambda x: kept.append(x * 2.0) or x + 1.0, [0.0])
    with pytest.raises(ValueError, match="same graph"):
        _ = kept[0] + 1.0
