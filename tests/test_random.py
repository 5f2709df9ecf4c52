"""Random streams: what TensorFlow 1.15.5 drew on a CPU, run after run, compiled and on NumPy arrays; seeds; sessions."""

import jax
import numpy as np
import pytest

import graphc as tf
from graphc.lowering.table import LOWERINGS
from ir import philox
from ir.opdef import TABLE
from ir.static import call_body
from tests.rows.random import CASES, TOLERANCE, arguments, drawn, expected


def runs(case: str, compiled: bool) -> list[np.ndarray]:
    """The outputs of two runs, from the body or from the lowering."""
    name, given = arguments(case)
    d = TABLE[name]
    with tf.Graph().as_default():
        attrs = drawn(case).op.attrs
    arrays = [np.asarray(given[i.tf_name]) for i in d.inputs]
    fixed = [i.name in d.effects.static for i in d.inputs]
    body = LOWERINGS.get(name) if compiled else d.body

    def step(state, *fed):
        rest = iter(fed)
        args = [a if f else next(rest) for a, f in zip(arrays, fixed, strict=True)]
        out = call_body(d, args, attrs, body, **({"state": state} if d.effects.random else {}))
        return out if d.effects.random else (out, state)

    state = philox.initial_state(attrs)
    out = []
    with jax.enable_x64(True):
        step = jax.jit(step) if compiled else step
        for _ in range(2):
            value, state = step(state, *[a for a, f in zip(arrays, fixed, strict=True) if not f])
            state = np.asarray(state)
            out.append(np.asarray(value))
    return out


#: compiled, stateless ops differ from the others in their state only
COMPILED = [c for c in CASES if not TABLE[CASES[c][0]].effects.host and (not c.startswith("Stateless") or c.endswith("float32-1") or "-i" in c)]


@pytest.mark.parametrize(("case", "compiled"), [*((c, False) for c in CASES), *((c, True) for c in COMPILED)])
def test_streams_are_tensorflows(case: str, compiled: bool) -> None:
    for run, got in enumerate(runs(case, compiled)):
        wanted = expected(case, run)
        assert got.dtype == wanted.dtype and got.shape == wanted.shape
        if wanted.dtype.kind in "iu" or "Uniform" in CASES[case][0]:
            np.testing.assert_array_equal(got, wanted)
        else:
            close = TOLERANCE[wanted.dtype.name]
            np.testing.assert_allclose(got.astype(np.float64), wanted.astype(np.float64), close, close)


def test_philox_known_answers() -> None:
    """The vectors that Random123 publishes for Philox4x32-10: counter and key, low word first."""

    def block(counter: list[int], key: list[int]) -> list[int]:
        words = np.array([*key, *counter[2:], *counter[:2]], np.uint64)
        return philox.words(words[::2] | words[1::2] << np.uint64(32), 4).tolist()

    ones = 0xFFFFFFFF
    assert block([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert block([ones] * 4, [ones] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    counter, key = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0]
    assert block(counter, key) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


@pytest.mark.parametrize(
    ("graph_seed", "op_seed", "wanted"),
    [(None, None, (None, None)), (None, 5, (87654321, 5)), (3, 5, (3, 5)), (3, None, (3, 2)), (0, 0, (0, 2**31 - 1)), (-1, 2**31 + 3, (2**31 - 2, 4))],
)
def test_get_seed(graph_seed: int | None, op_seed: int | None, wanted: tuple[int | None, int | None]) -> None:
    with tf.Graph().as_default():
        tf.set_random_seed(graph_seed)
        tf.constant(1)
        tf.constant(2)
        assert tf.get_seed(op_seed) == wanted


def test_branches_of_one_seed_draw_different_streams() -> None:
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        on = tf.placeholder_with_default(True, [])
        drawn = [tf.cond(on, lambda: tf.random_uniform([3]), lambda: tf.zeros([3])) for _ in range(2)]
        with tf.Session() as sess:
            a, b = sess.run(drawn)
            assert not np.array_equal(a, b)


def test_seeded_streams_begin_anew_in_every_session_and_go_on_in_one() -> None:
    x = tf.random_normal([3], seed=1)
    with tf.Session() as a, tf.Session() as b:
        first, second = a.run(x), a.run(x)
        assert not np.array_equal(first, second)
        np.testing.assert_array_equal(b.run(x), first)
        np.testing.assert_array_equal(b.run(x), second)


def test_unseeded_streams_differ_between_sessions() -> None:
    x = tf.random_uniform([3])
    with tf.Session() as a, tf.Session() as b:
        assert not np.array_equal(a.run(x), b.run(x))


def test_random_ops_do_not_merge() -> None:
    x, y = tf.random_uniform([3], seed=1), tf.random_uniform([3], seed=2)
    with tf.Session() as sess:
        a, b, again = sess.run([x, y, x])
    assert not np.array_equal(a, b)
    np.testing.assert_array_equal(a, again)


def test_a_fed_shape_draws_the_same_stream() -> None:
    n = tf.placeholder(tf.int32, [1])
    x, y = tf.random_uniform(n, seed=1), tf.random_uniform([6], seed=1)
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(x, {n: [6]}), sess.run(y))


def test_gradient_of_gamma() -> None:
    """The mean of a gamma deviate is alpha / beta, so its gradient with respect to alpha is 1 / beta on average."""
    alpha, beta = tf.constant([2.0, 5.0]), tf.constant([1.0, 4.0])
    x = tf.random_gamma([20000], alpha, beta, seed=3)
    grads = tf.gradients(tf.reduce_mean(x, 0), [alpha, beta])
    with tf.Session() as sess:
        by_alpha, by_beta = sess.run(grads)
    np.testing.assert_allclose(by_alpha, [1.0, 0.25], rtol=0.02)
    np.testing.assert_allclose(by_beta, [-2.0, -5.0 / 16], rtol=0.02)


def test_random_crop() -> None:
    image = np.arange(5 * 6 * 3).reshape(5, 6, 3)
    crop = tf.random_crop(image, [2, 3, 3], seed=1)
    assert crop.shape.as_list() == [2, 3, 3]
    with tf.Session() as sess:
        offsets = set()
        for _ in range(20):
            got = sess.run(crop)
            r, c = divmod(int(got[0, 0, 0]) // 3, 6)
            np.testing.assert_array_equal(got, image[r : r + 2, c : c + 3])
            offsets.add((r, c))
        assert len(offsets) > 5
        fed = tf.placeholder(tf.int32, [3])
        with pytest.raises(tf.errors.InvalidArgumentError, match="Need value"):
            sess.run(tf.random_crop(image, fed).op.inputs[1], {fed: [9, 3, 3]})


def test_integer_bounds_are_checked() -> None:
    x = tf.random_uniform([2], 5, 5, tf.int32)
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match="Need minval < maxval, got 5 >= 5"):
        sess.run(x)
