"""TensorArray, and map_fn, scan, foldl, foldr, which are made of it."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import graphc as tf
from graphc.runtime import runner

X = np.random.RandomState(0).randn(4, 3)


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


def array(size: Any, **kwargs: Any) -> Any:
    return tf.TensorArray(tf.float64, size=size, **kwargs)


# -- TensorArray -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("mode")
def test_write_read_stack_gather() -> None:
    x = tf.constant(X)
    ta = array(3).write(0, x[0]).write(2, x[2]).write(1, x[1])
    assert ta.stack().shape.as_list() == [3, 3]
    assert ta.element_shape.as_list() == [3]
    assert ta.dtype is tf.float64
    assert not ta.dynamic_size
    got = run([ta.stack(), ta.read(1), ta.gather([2, 0]), ta.size(), ta.concat()])
    np.testing.assert_array_equal(got[0], X[:3])
    np.testing.assert_array_equal(got[1], X[1])
    np.testing.assert_array_equal(got[2], X[[2, 0]])
    assert got[3] == 3
    np.testing.assert_array_equal(got[4], X[:3].reshape(-1))


@pytest.mark.usefixtures("mode")
def test_unstack_scatter_split_identity() -> None:
    x = tf.constant(X)
    i = tf.placeholder(tf.int32, [])
    unstacked = array(4).unstack(x)
    scattered = array(4).scatter([3, 0, 1, 2], x)
    parts = tf.TensorArray(tf.float64, size=2, infer_shape=False).split(x, [1, 3])
    even = array(2).split(x, [2, 2])
    got = run([unstacked.read(i), scattered.stack(), parts.concat(), parts.read(1), even.stack(), unstacked.identity().stack(), even.size()], {i: 2})
    np.testing.assert_array_equal(got[0], X[2])
    np.testing.assert_array_equal(got[1], X[[1, 2, 3, 0]])
    np.testing.assert_array_equal(got[2], X)
    np.testing.assert_array_equal(got[3], X[1:])
    np.testing.assert_array_equal(got[4], X.reshape(2, 2, 3))
    np.testing.assert_array_equal(got[5], X)
    assert got[6] == 2


@pytest.mark.usefixtures("mode")
def test_every_write_returns_a_new_array() -> None:
    old = array(2, element_shape=[]).write(0, 1.0)
    new = old.write(0, 2.0).write(1, 3.0)
    np.testing.assert_array_equal(run([new.stack(), old.read(0)])[0], [2, 3])
    assert run(old.read(0)) == 1.0


@pytest.mark.usefixtures("mode")
def test_dynamic_size() -> None:
    n = tf.placeholder(tf.int32, [])
    ta = array(0, dynamic_size=True)
    assert ta.dynamic_size
    fixed = ta.write(2, 5.0).write(0, 1.0)
    looped = tf.while_loop(lambda i, _: i < n, lambda i, a: (i + 1, a.write(i, tf.cast(i, tf.float64))), [0, ta])[1]
    got = run([fixed.stack(), fixed.size(), looped.stack(), looped.size()], {n: 100})
    np.testing.assert_array_equal(got[0], [1, 0, 5])
    assert got[1] == 3
    np.testing.assert_array_equal(got[2], np.arange(100.0))
    assert got[3] == 100


@pytest.mark.usefixtures("mode")
def test_dynamic_size_in_a_loop_of_known_length() -> None:
    out = tf.while_loop(lambda i, _: i < 5, lambda i, a: (i + 1, a.write(2 * i, tf.cast(i, tf.float64) + 1.0)), [0, array(0, dynamic_size=True)])[1]
    stacked = out.stack()
    x = tf.constant(2.0, tf.float64)
    weighed = tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a.write(i, x * x)), [0, array(0, dynamic_size=True)])[1].stack()
    got = run([stacked, out.size(), tf.gradients(weighed, x)[0]])
    np.testing.assert_array_equal(got[0], [1, 0, 2, 0, 3, 0, 4, 0, 5])
    assert got[1] == 9
    assert got[2] == 12.0


@pytest.mark.usefixtures("mode")
def test_written_in_the_branch_that_runs() -> None:
    def step(i: Any, a: Any) -> Any:
        return i + 1, tf.cond(i % 2 > 0, lambda: a.write(i, tf.cast(i, tf.float64)), lambda: a)

    out = tf.while_loop(lambda i, _: i < 5, step, [0, array(5, element_shape=[])])[1]
    np.testing.assert_array_equal(run(out.stack()), [0, 1, 0, 3, 0])


@pytest.mark.usefixtures("mode")
def test_shape_learnt_in_a_loop_is_known_after_it() -> None:
    n = tf.placeholder(tf.int32, [])
    out = tf.while_loop(lambda i, _: i < n, lambda i, a: (i + 1, a.write(i, tf.constant(X[0]))), [0, array(n)])[1]
    assert out.element_shape.as_list() == [3]
    assert out.stack().shape.as_list() == [None, 3]
    assert run(out.stack(), {n: 0}).shape == (0, 3)
    assert run(out.stack(), {n: 2}).shape == (2, 3)


@pytest.mark.usefixtures("mode")
def test_unwritten_elements_are_zeros() -> None:
    i = tf.placeholder(tf.int32, [])
    ta = array(3).write(i, X[0])
    np.testing.assert_array_equal(run(ta.stack(), {i: 1}), [np.zeros(3), X[0], np.zeros(3)])


def test_handle_and_flow_wrap_the_same_array() -> None:
    ta = array(2).unstack(X[:2])
    again = tf.TensorArray(tf.float64, handle=ta.handle, flow=ta.flow)
    np.testing.assert_array_equal(run(again.read(1)), X[1])


def test_grad_is_an_array_of_zeros_per_source() -> None:
    ta = array(2).unstack(X[:2])
    assert ta.grad("one") is ta.grad("one")
    assert ta.grad("one") is not ta.grad("two")
    np.testing.assert_array_equal(run(ta.grad("one").stack()), np.zeros((2, 3)))
    run(ta.close())


def test_what_arrays_refuse() -> None:
    ta = array(2)
    with pytest.raises(ValueError, match=r"float64 elements, but the value is float32"):
        ta.write(0, tf.constant(1.0))
    shaped = ta.write(0, X[0])
    with pytest.raises(ValueError, match=r"shape \(2,\), but the elements of the array have shape \(3,\)"):
        shaped.write(1, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"size 2, but the value has 4 elements"):
        array(2).unstack(X)
    with pytest.raises(ValueError, match="write to index 2, but the TensorArray has size 2"):
        shaped.write(2, X[0])
    with pytest.raises(ValueError, match="read from index 5, but the TensorArray has size 2"):
        shaped.read(5)
    with pytest.raises(ValueError, match=r"index 1 of a TensorArray .* never written"):
        shaped.read(1)
    with pytest.raises(ValueError, match="Size must be provided"):
        tf.TensorArray(tf.float32)
    with pytest.raises(TypeError, match="must be int32"):
        shaped.read(tf.constant(0, tf.int64))
    with pytest.raises(ValueError, match="different shapes"):
        array(2).split(X, [1, 3])
    with pytest.raises(ValueError, match="must not be negative"):
        array(-1)


def test_index_out_of_range_on_the_host() -> None:
    i = tf.placeholder(tf.int32, [])
    with pytest.raises(tf.errors.InvalidArgumentError, match="element 7 in a list with 4 elements"):
        run(array(4).unstack(X).read(i), {i: 7})


# -- map_fn, scan, folds -------------------------------------------------------------------------------------


def check(ours: Callable[[Any], Any], theirs: Callable[[Any], Any], x: np.ndarray = X) -> None:
    """Value, first and second derivatives of sums of outputs."""
    t = tf.placeholder(tf.float64, [None, *x.shape[1:]])
    out = ours(t)
    y = tf.reduce_sum(tf.sin(out))
    first = tf.gradients(y, t)[0]
    second = tf.gradients(tf.reduce_sum(tf.sin(first)), t)[0]
    got = run([out, first, second], {t: x})
    with jax.enable_x64(True):
        grad = jax.grad(lambda x: jnp.sin(theirs(x)).sum())
        wanted = [theirs(jnp.array(x)), grad(x), jax.grad(lambda x: jnp.sin(grad(x)).sum())(x)]
        for g, w in zip(got, wanted, strict=True):
            np.testing.assert_allclose(g, np.asarray(w), rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("reverse", [False, True])
def test_scan(reverse: bool) -> None:
    def theirs(x: Any) -> Any:
        def step(a: Any, v: Any) -> Any:
            a = jnp.tanh(a * v + 1.0)
            return a, a

        return jax.lax.scan(step, jnp.ones(3), x, reverse=reverse)[1]

    check(lambda x: tf.scan(lambda a, v: tf.tanh(a * v + 1.0), x, initializer=tf.ones([3], tf.float64), reverse=reverse), theirs)


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("reverse", [False, True])
def test_scan_without_initializer(reverse: bool) -> None:
    def theirs(x: Any) -> Any:
        x = x[::-1] if reverse else x
        rows = [x[0]]
        for v in x[1:]:
            rows.append(jnp.sin(rows[-1]) * v)
        return jnp.stack(rows[::-1] if reverse else rows)

    check(lambda x: tf.scan(lambda a, v: tf.sin(a) * v, x, reverse=reverse), theirs)


@pytest.mark.usefixtures("mode")
def test_map_fn() -> None:
    check(lambda x: tf.map_fn(lambda v: tf.exp(v) * v, x), lambda x: jnp.exp(x) * x)


@pytest.mark.usefixtures("mode")
def test_folds() -> None:
    def theirs(x: Any) -> Any:
        a = jnp.ones(3)
        for v in x:
            a = jnp.tanh(a + v)
        b = x[-1]
        for v in x[-2::-1]:
            b = jnp.sin(b) * v
        return a * b

    def ours(x: Any) -> Any:
        return tf.foldl(lambda a, v: tf.tanh(a + v), x, initializer=tf.ones([3], tf.float64)) * tf.foldr(lambda a, v: tf.sin(a) * v, x)

    check(ours, theirs)


@pytest.mark.usefixtures("mode")
def test_nests_and_types() -> None:
    ids = tf.constant([3, 1, 2, 0])
    a, b = tf.map_fn(lambda v: (v["i"] * 2, tf.cast(v["x"], tf.float32)), {"i": ids, "x": tf.constant(X)}, dtype=(tf.int32, tf.float32))
    assert a.shape.as_list() == [4]
    assert b.shape.as_list() == [4, 3]
    total, last = tf.scan(lambda s, v: (s[0] + v, s[1] * 2.0), ids, initializer=(10, 1.0))
    left = tf.foldl(lambda s, v: (s[0] + v[0], s[1] + v[1]), (ids, ids * ids), initializer=(0, 0))
    got = run([a, b, total, last, left])
    np.testing.assert_array_equal(got[0], [6, 2, 4, 0])
    np.testing.assert_allclose(got[1], X.astype(np.float32))
    np.testing.assert_array_equal(got[2], [13, 14, 16, 16])
    np.testing.assert_array_equal(got[3], [2, 4, 8, 16])
    assert got[4] == (6, 14)


@pytest.mark.usefixtures("mode")
def test_map_of_a_map() -> None:
    check(lambda x: tf.map_fn(lambda row: tf.map_fn(lambda v: v * v * v, row), x), lambda x: x**3)


@pytest.mark.usefixtures("mode")
def test_nothing_to_map() -> None:
    x = tf.placeholder(tf.float64, [None, 3])
    y = tf.map_fn(lambda v: v * 2.0, x)
    got = run([y, tf.gradients(y, x)[0]], {x: np.zeros((0, 3))})
    assert [g.shape for g in got] == [(0, 3), (0, 3)]


def test_each_is_one_loop() -> None:
    x = tf.constant(X)
    for made in (tf.map_fn(lambda v: v, x), tf.scan(lambda a, v: a + v, x), tf.foldl(lambda a, v: a + v, x), tf.foldr(lambda a, v: a + v, x)):
        assert made is not None
    kinds = [op.type for op in tf.get_default_graph().get_operations()]
    assert kinds.count("StatelessWhile") == 4


def test_what_they_refuse() -> None:
    x, y = tf.constant(X), tf.constant(X[:2])
    with pytest.raises(TypeError, match="fn must be callable"):
        tf.map_fn(3, x)
    with pytest.raises(ValueError, match="another structure"):
        tf.map_fn(lambda v: [v, v], x)
    with pytest.raises(ValueError, match=r"holds float64 elements, but the value is int32"):
        tf.map_fn(lambda v: tf.cast(v, tf.int32), x)
    with pytest.raises(ValueError, match="not scalars"):
        tf.map_fn(lambda v: v, tf.constant(1.0))
    with pytest.raises(ValueError, match=r"first dimensions of elems differ: .*\[4,3\].*\[2,3\]"):
        tf.scan(lambda a, v: a, (x, y))
    with pytest.raises(TypeError, match="dense tensors"):
        tf.map_fn(lambda v: v, tf.SparseTensor([[0]], [1.0], [1]))
    with pytest.raises(ValueError, match="not an invariant"):
        tf.foldl(lambda a, v: a + v, x, initializer=tf.constant(0.0, tf.float64))


# -- gradients of what is overwritten -------------------------------------------------------------------------


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("position", ["i", "2 * i", "5 - i", "3", "(i * i) % 6", "i + i"])
@pytest.mark.parametrize("fed", [False, True])
def test_gradient_of_elements_that_a_loop_overwrites(position: str, fed: bool) -> None:
    """Elements that were there before have a gradient where nothing was written, and written values where nothing followed."""
    n: Any = tf.placeholder_with_default(np.int32(3), []) if fed else 3
    x, w = tf.constant(np.arange(1.0, 7.0)), tf.constant(2.0, tf.float64)

    def step(i: Any, a: Any, s: Any) -> Any:
        return i + 1, a.write(eval(position, {"i": i}), s * w), s * w

    a = tf.while_loop(lambda i, *_: i < n, step, [0, array(6).unstack(x), w])[1]
    y = tf.reduce_sum(a.stack() * x)
    got = run([y, *tf.gradients(y, [x, w])])

    def theirs(x: Any, w: Any) -> Any:
        a, s = x, w
        for i in range(3):
            s = s * w
            a = a.at[eval(position, {"i": i})].set(s)
        return (a * x).sum()

    with jax.enable_x64(True):
        arrays = jnp.arange(1.0, 7.0), jnp.float64(2.0)
        wanted = [theirs(*arrays), *jax.grad(theirs, (0, 1))(*arrays)]
    for g, v in zip(got, wanted, strict=True):
        np.testing.assert_allclose(g, np.asarray(v), rtol=1e-12)


@pytest.mark.usefixtures("mode")
def test_gradient_of_elements_read_after_they_were_written() -> None:
    def ours(x: Any) -> Any:
        def step(i: Any, a: Any) -> Any:
            return i + 1, a.write(i, tf.sin(a.read(i - 1)) * a.read(i))

        return tf.while_loop(lambda i, _: i < 4, step, [1, array(4).unstack(x)])[1].stack()

    def theirs(x: Any) -> Any:
        for i in range(1, 4):
            x = x.at[i].set(jnp.sin(x[i - 1]) * x[i])
        return x

    check(ours, theirs)
