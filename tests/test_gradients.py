"""The differentiation pass against jax.grad and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import graphc as tf


def run(fetches: object, feed: dict | None = None) -> object:
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetches, feed)


def test_against_jax_to_the_third_order() -> None:
    x = tf.placeholder(tf.float64, [3])
    y = tf.reduce_sum(tf.exp(tf.sin(x)) * x)
    found, value = [], y
    for _ in range(3):
        value = tf.reduce_sum(tf.gradients(value, x)[0])
        found.append(value)

    def f(v: jax.Array) -> jax.Array:
        return jnp.sum(jnp.exp(jnp.sin(v)) * v)

    at = np.array([0.3, -1.2, 2.0])
    with jax.enable_x64(True):
        g = f
        for got in run(found, {x: at}):  # type: ignore[attr-defined]
            g = (lambda h: lambda v: jnp.sum(jax.grad(h)(v)))(g)
            np.testing.assert_allclose(got, g(jnp.asarray(at)), rtol=1e-9)


def test_what_y_does_not_depend_on() -> None:
    x, z = tf.constant(1.0), tf.constant([2.0, 3.0])
    assert tf.gradients(x * 2.0, z) == [None]
    zeros = tf.gradients(x * 2.0, z, unconnected_gradients=tf.UnconnectedGradients.ZERO)[0]
    assert run(zeros).tolist() == [0.0, 0.0]  # type: ignore[attr-defined]
    assert tf.gradients(tf.stop_gradient(x) * 2.0, x) == [None]
    with pytest.raises(ValueError, match="unconnected_gradients"):
        tf.gradients(x, x, unconnected_gradients="maybe")


def test_stop_gradients_hold_tensors_constant() -> None:
    x = tf.constant(2.0)
    y = x * 3.0
    z = x * y
    assert run(tf.gradients(z, [x, y], stop_gradients=[x, y])) == [6.0, 2.0]
    assert run(tf.gradients(z, x)) == [12.0]


def test_grad_ys_weigh_the_outputs() -> None:
    x = tf.constant([1.0, 2.0])
    assert run(tf.gradients([x * 2.0, x * 3.0], x, grad_ys=[[1.0, 10.0], [100.0, 0.0]]))[0].tolist() == [302.0, 20.0]  # type: ignore[index]
    with pytest.raises(ValueError, match="grad_ys"):
        tf.gradients([x, x], x, grad_ys=[x])


def test_gathered_rows_give_indexed_slices() -> None:
    table = tf.Variable(np.ones((5, 2), np.float32))
    rows = tf.gather(table, [1, 3, 1])
    g = tf.gradients(tf.reduce_sum(rows * rows), table)[0]
    assert isinstance(g, tf.IndexedSlices)
    dense = np.zeros((5, 2))
    dense[[1, 3]] = [[4, 4], [2, 2]]
    np.testing.assert_array_equal(run(tf.convert_to_tensor(g)), dense)  # type: ignore[arg-type]
    both = tf.gradients(tf.reduce_sum(rows) + tf.reduce_sum(table), table)[0]
    np.testing.assert_array_equal(run(tf.convert_to_tensor(both)).sum(), 16)  # type: ignore[attr-defined]


def test_a_gradient_of_ones_own() -> None:
    @tf.custom_gradient
    def clipped(x: tf.Tensor) -> tuple:
        return tf.identity(x), lambda dy: tf.clip_by_value(dy, -1.0, 1.0)

    x = tf.constant([1.0, 2.0])
    assert run(tf.gradients(tf.reduce_sum(clipped(x) * 5.0), x))[0].tolist() == [1.0, 1.0]  # type: ignore[index]


def test_an_override_by_name() -> None:
    tf.RegisterGradient("TestDoubled")(lambda op, dy: 2 * dy)
    x = tf.constant(3.0)
    with tf.get_default_graph().gradient_override_map({"Identity": "TestDoubled"}):
        y = tf.identity(x)
    assert run(tf.gradients(y, x)) == [2.0]


def test_hessians() -> None:
    x = tf.Variable([1.0, 2.0])
    h = tf.hessians(x[0] * x[0] * x[1], x)[0]
    np.testing.assert_allclose(run(h), [[4.0, 2.0], [2.0, 0.0]])  # type: ignore[arg-type]


def test_integers_have_no_gradient() -> None:
    x = tf.constant(2)
    with pytest.raises(TypeError, match="int32"):
        tf.gradients(x * x, x)
    f = tf.constant(2.0)
    assert tf.gradients(tf.cast(tf.cast(f, tf.int32), tf.float32), f) == [None]


def test_an_op_without_a_gradient_is_named() -> None:
    x = tf.constant(2.0)
    with tf.get_default_graph().gradient_override_map({"Exp": "NobodyRegisteredThis"}):
        y = tf.exp(x, name="culprit")
    with pytest.raises(LookupError, match=r"NobodyRegisteredThis[\s\S]*culprit"):
        tf.gradients(y, x)


@pytest.mark.parametrize("trips", [0, 1, 37, 200])
def test_through_a_loop_of_any_length_twice(trips: int) -> None:
    """More iterations than the first guess at the size of a stack, and none at all."""
    x, n = tf.placeholder(tf.float64, []), tf.placeholder(tf.int32, [])
    _, y = tf.while_loop(lambda i, _: i < n, lambda i, a: (i + 1, tf.sin(a) * x), [0, x])
    first = tf.gradients(y, x)[0]
    second = tf.gradients(first, x)[0]

    def f(v: jax.Array) -> jax.Array:
        a = v
        for _ in range(trips):
            a = jnp.sin(a) * v
        return a

    with tf.Session() as sess, jax.enable_x64(True):
        for _ in range(3):
            got = sess.run([y, first, second], {x: 1.3, n: trips})
        np.testing.assert_allclose(got, [f(1.3), jax.grad(f)(1.3), jax.grad(jax.grad(f))(1.3)], rtol=1e-9, atol=1e-12)
