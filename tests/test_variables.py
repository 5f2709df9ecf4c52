"""Variables of both kinds, scopes, initializers, partitions: the graphs TensorFlow 1.15.5 builds, and what runs give."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests import variable_programs

RECORDED = Path(__file__).parent / "data" / "variables_tf115.txt"
KINDS = pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])


def recorded() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in RECORDED.read_text().splitlines():
        if line.startswith("== "):
            lines = found.setdefault(line[3:], [])
        else:
            lines.append(line)
    return found


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default() as g:
        yield g


# -- graphs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", variable_programs.PROGRAMS, ids=lambda p: p.__name__)
def test_graphs_are_tensorflows(program: Any) -> None:
    assert variable_programs.lines(tf, program) == recorded()[program.__name__]


def test_protos_name_the_same_variable() -> None:
    for use_resource in (False, True):
        v = tf.Variable([1.0], name="v", use_resource=use_resource, trainable=False)
        same = tf.Variable.from_proto(v.to_proto())
        assert type(same) is type(v) and same.name == v.name and not same.trainable
        assert same.op is v.op and same.initializer is v.initializer and same.initial_value is v.initial_value
    with tf.variable_scope("s"):
        v = tf.get_variable("v", [2])
    assert v.to_proto("other") is None and v.to_proto("s").variable_name == "v:0"
    part = next(iter(tf.get_variable("p", [4], partitioner=tf.fixed_size_partitioner(2))))
    info = tf.Variable.from_proto(part.to_proto())._get_save_slice_info()
    assert (info.full_name, info.full_shape, info.var_offset, info.spec) == ("p", [4], [0], "4 0,2")


def test_both_kinds_are_variables() -> None:
    for use_resource in (False, True):
        v = tf.Variable(1.0, use_resource=use_resource)
        assert isinstance(v, tf.Variable) and issubclass(type(v), tf.Variable)
        assert v in {v} and v != tf.Variable(1.0) and v.experimental_ref() == v.experimental_ref() and v.experimental_ref().deref() is v
    assert not isinstance(tf.constant(1.0), tf.Variable)


def test_resource_variables_by_default() -> None:
    tf.enable_resource_variables()
    try:
        assert tf.resource_variables_enabled() and tf.Variable(1.0).op.type == "VarHandleOp" and tf.get_variable("v", []).op.type == "VarHandleOp"
    finally:
        tf.disable_resource_variables()
    assert tf.Variable(1.0).op.type == "VariableV2"


# -- values ------------------------------------------------------------------------------------------


@KINDS
def test_values(use_resource: bool) -> None:
    v = tf.Variable([1.0, 2.0, 3.0], use_resource=use_resource)
    w = tf.Variable(v * 2.0, use_resource=use_resource)
    picked = v[0].assign(7.0)
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized"):
            sess.run(v)
        assert not sess.run(tf.is_variable_initialized(v))
        assert sess.run(tf.report_uninitialized_variables()).tolist() == [v.op.name.encode(), w.op.name.encode()]
        sess.run(tf.global_variables_initializer())
        assert sess.run(tf.report_uninitialized_variables()).tolist() == []
        assert sess.run(w).tolist() == [2, 4, 6]
        assert sess.run(v.assign_add([1.0, 1.0, 1.0])).tolist() == [2, 3, 4]
        assert sess.run(tf.assign_sub(v, [1.0, 1.0, 1.0])).tolist() == [1, 2, 3]
        assert sess.run(picked).tolist() == [7, 2, 3]
        assert sess.run(v.assign([0.0, 0.0, 1.0], read_value=False)) is None
        assert v.eval().tolist() == [0, 0, 1]
        v.load([4.0, 5.0, 6.0])
        assert v.eval(sess).tolist() == [4, 5, 6] and sess.run(v[1:]).tolist() == [5, 6]
    with pytest.raises(ValueError, match="session"):
        v.load([1.0, 2.0, 3.0])


@KINDS
def test_scatter_methods(use_resource: bool) -> None:
    start = np.arange(1.0, 7.0, dtype=np.float32).reshape(3, 2)
    v = tf.Variable(start, use_resource=use_resource)
    delta = tf.IndexedSlices(tf.constant([[2.0, 4.0]]), tf.constant([1]))
    row = {"update": [2, 4], "add": [5, 8], "sub": [1, 0], "mul": [6, 16], "div": [1.5, 1], "min": [2, 4], "max": [3, 4]}
    by_method = {k: getattr(v, f"scatter_{k}")(delta) for k in row}
    by_function = {k: getattr(tf, f"scatter_{k}")(v, [1], [[2.0, 4.0]]) for k in row}
    element = {"update": 9.0, "add": 13.0, "sub": -5.0}
    nd = {k: getattr(v, f"scatter_nd_{k}")([[1, 1]], [9.0]) for k in element}
    batch = tf.batch_scatter_update(v, [[1], [0], [1]], [[10.0], [20.0], [30.0]])
    with tf.Session() as sess:
        for k, expected in itertools.chain(row.items(), row.items()):
            for op in (by_method[k], by_function[k]):
                sess.run(v.initializer)
                np.testing.assert_array_equal(sess.run(op), [start[0], expected, start[2]])
        for k, expected in element.items():
            sess.run(v.initializer)
            assert sess.run(nd[k])[1].tolist() == [3, expected]
        sess.run(v.initializer)
        assert sess.run(batch).tolist() == [[1, 10], [20, 4], [5, 30]]
    with pytest.raises(TypeError, match="not IndexedSlices"):
        v.scatter_add(tf.constant([1.0]))


@KINDS
def test_count_up_to(use_resource: bool) -> None:
    v = tf.Variable(0, use_resource=use_resource)
    count = v.count_up_to(3)
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert [sess.run(count) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(tf.errors.OutOfRangeError, match="Reached limit of 3"):
            sess.run(count)
        assert sess.run(v) == 3


def test_the_result_of_an_assignment_is_read_after_it() -> None:
    v = tf.Variable(1.0, use_resource=True)
    after = v.assign_add(1.0)
    twice = after.assign_add(10.0)
    plus = after + 0.5
    with tf.control_dependencies([after]):
        then = v.read_value()
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(plus) == 2.5
        assert sess.run(then) == 3.0
        assert sess.run(twice) == 14.0


@KINDS
def test_gradients(use_resource: bool) -> None:
    v = tf.get_variable("v", initializer=np.arange(6.0, dtype=np.float32).reshape(3, 2), use_resource=use_resource)
    loss = tf.reduce_sum(v * v) + tf.reduce_sum(v[0] * 3.0)
    (dense,) = tf.gradients(loss, [v])
    with tf.Session() as sess:
        sess.run(v.initializer)
        np.testing.assert_array_equal(sess.run(dense), 2 * np.arange(6).reshape(3, 2) + [[3, 3], [0, 0], [0, 0]])


def test_gradients_of_gathering_from_a_resource() -> None:
    v = tf.get_variable("v", initializer=np.ones((4, 2), np.float32), use_resource=True)
    rows = v.sparse_read([[2, 0], [2, 3]])
    picked = v.gather_nd([[1, 1], [3, 0]])
    (sparse,) = tf.gradients(tf.reduce_sum(rows * 2.0), [v])
    assert isinstance(sparse, tf.IndexedSlices)
    (dense,) = tf.gradients(tf.reduce_sum(picked * [5.0, 7.0]), [v])
    with tf.Session() as sess:
        sess.run(v.initializer)
        indices, values, shape = sess.run([sparse.indices, sparse.values, sparse.dense_shape])
        assert indices.tolist() == [2, 0, 2, 3] and shape.tolist() == [4, 2]
        np.testing.assert_array_equal(values, np.full((4, 2), 2))
        assert sess.run(dense).tolist() == [[0, 0], [0, 5], [0, 0], [7, 0]]


@KINDS
def test_partitioned_variables(use_resource: bool) -> None:
    v = tf.get_variable("v", initializer=tf.constant(np.arange(10.0).reshape(5, 2)), partitioner=tf.fixed_size_partitioner(3), use_resource=use_resource)
    assert len(v) == 3 and [p.shape.as_list() for p in v] == [[2, 2], [2, 2], [1, 2]]
    doubled = tf.identity(v) * 2.0
    assign = v.assign(np.ones((5, 2)))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(sess.run(doubled), 2 * np.arange(10).reshape(5, 2))
        sess.run(assign)
        assert sess.run(doubled).sum() == 20


# -- initializers ------------------------------------------------------------------------------------


def test_initializers_check_their_arguments() -> None:
    for make, match in (
        (lambda: tf.constant_initializer({}), "Invalid type for initial value"),
        (lambda: tf.variance_scaling_initializer(-1.0), "must be positive"),
        (lambda: tf.variance_scaling_initializer(1.0, "fan"), "Invalid `mode`"),
        (lambda: tf.variance_scaling_initializer(1.0, distribution="cauchy"), "Invalid `distribution`"),
        (lambda: tf.random_normal_initializer(dtype=tf.int32), "Expected floating point type"),
        (lambda: tf.orthogonal_initializer()([3]), "at least two-dimensional"),
        (lambda: tf.initializers.identity()([3]), "2D"),
        (lambda: tf.contrib.layers.l2_regularizer(1), "cannot be an integer"),
        (lambda: tf.contrib.layers.l1_regularizer(-1.0), "less than 0"),
    ):
        with pytest.raises((TypeError, ValueError), match=match):
            make()


def test_initializers_survive_their_config() -> None:
    for make in (tf.zeros_initializer, tf.random_normal_initializer, tf.variance_scaling_initializer, tf.glorot_normal_initializer, tf.orthogonal_initializer):
        i = make()
        same = type(i).from_config(i.get_config())
        assert same.get_config() == i.get_config() and same.dtype is i.dtype


def test_spread_of_random_initializers() -> None:
    shape, n = [50, 40, 30], 50 * 40 * 30
    cases = {
        tf.glorot_uniform_initializer(1): 2 / (50 * 70),
        tf.glorot_normal_initializer(1): 2 / (50 * 70),
        tf.initializers.he_normal(1): 2 / (50 * 40),
        tf.initializers.lecun_uniform(1): 1 / (50 * 40),
        tf.variance_scaling_initializer(3.0, "fan_out", "untruncated_normal", 1): 3 / (50 * 30),
        tf.uniform_unit_scaling_initializer(2.0, 1): 4 / (50 * 40),
        tf.random_normal_initializer(0.0, 0.5, 1): 0.25,
    }
    with tf.Session() as sess:
        found = sess.run([i(shape) for i in cases])
    for x, variance in zip(found, cases.values(), strict=True):
        assert abs(x.mean()) < 5 * np.sqrt(variance / n) and abs(x.var() / variance - 1) < 0.03


def test_orthogonal() -> None:
    with tf.Session() as sess:
        tall, wide, delta = sess.run([
            tf.orthogonal_initializer(2.0, 1)([3, 2, 4]), tf.orthogonal_initializer(seed=1)([3, 8]),
            tf.contrib.framework.convolutional_delta_orthogonal(seed=1)([3, 3, 2, 4]),
        ])  # fmt: skip
    np.testing.assert_allclose(tall.reshape(6, 4).T @ tall.reshape(6, 4), 4 * np.eye(4), atol=1e-5)
    np.testing.assert_allclose(wide @ wide.T, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(delta[1, 1] @ delta[1, 1].T, np.eye(2), atol=1e-5)
    assert np.count_nonzero(delta) == 8


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_orthogonal_kernels_keep_norms(spatial: int) -> None:
    """At every frequency the kernel is a matrix with orthonormal rows, times the gain."""
    make = getattr(tf.contrib.framework, f"convolutional_orthogonal_{spatial}d")
    with tf.Session() as sess:
        kernel = sess.run(make(2.0, seed=1)([3] * spatial + [2, 4]))
    frequencies = np.fft.fftn(kernel, [5] * spatial, range(spatial)).reshape(-1, 2, 4)
    np.testing.assert_allclose(frequencies @ frequencies.conj().swapaxes(1, 2), np.broadcast_to(4 * np.eye(2), (5**spatial, 2, 2)), atol=1e-5)


# -- errors ------------------------------------------------------------------------------------------


def test_reuse_mistakes() -> None:
    tf.get_variable("w", [2, 3])
    with pytest.raises(ValueError, match=r"Variable w already exists, disallowed(.|\n)*Originally defined at:\n\n(.|\n)*test_variables.py") as caught:
        tf.get_variable("w", [2, 3])
    assert 'tf.get_variable("w", [2, 3])' in str(caught.value)
    with tf.variable_scope("", reuse=True):
        for args, match in (
            ({"name": "v", "shape": [2]}, "Variable v does not exist, or was not created with tf.get_variable()"),
            ({"name": "w", "shape": [3, 2]}, r"specified shape \(3, 2\) and found shape \(2, 3\)"),
            ({"name": "w", "shape": [2, 3], "dtype": tf.float64}, "specified dtype float64 and found dtype float32"),
        ):
            with pytest.raises(ValueError, match=match):
                tf.get_variable(**args)


def test_mistakes() -> None:
    for make, error, match in (
        (lambda: tf.get_variable("a", [2], initializer=tf.zeros([2])), ValueError, "do not specify shape"),
        (lambda: tf.get_variable("a"), ValueError, "initializer passed is not valid"),
        (lambda: tf.get_variable("a", initializer=[1.0], dtype=tf.int32), ValueError, "don't match"),
        (lambda: tf.get_variable("a", [1], dtype=tf.complex64), ValueError, "An initializer for variable a of .* is required"),
        (lambda: tf.Variable(), ValueError, "initial_value must be specified"),
        (lambda: tf.Variable(tf.placeholder(tf.float32)), ValueError, "initial_value must have a shape"),
        (lambda: tf.Variable(1.0, constraint=3), ValueError, "must be a callable"),
        (lambda: tf.Variable(1.0, collections="x"), ValueError, "must be a list"),
        (lambda: tf.Variable(1.0).assign([1.0, 2.0]), ValueError, "not compatible"),
        (lambda: tf.Variable(1.0, use_resource=True).assign([1.0, 2.0]), ValueError, "incompatible"),
        (lambda: tf.Variable(1.0, synchronization=9), ValueError, "synchronization mode"),
        (lambda: iter(tf.Variable(1.0)), TypeError, "not iterable"),
        (lambda: np.asarray(tf.Variable(1.0)), NotImplementedError, "session.run"),
        (lambda: tf.Variable(1.0).eval(), ValueError, "session"),
        (lambda: tf.variable_scope(None), TypeError, "name_or_scope is required"),
        (lambda: tf.variable_scope("a", reuse=3), ValueError, "reuse"),
        (lambda: tf.variable_scope(3).__enter__(), TypeError, "must be a string or VariableScope"),
        (lambda: tf.get_variable("a", [], initializer=tf.zeros_initializer(), custom_getter=3), ValueError, "not callable"),
        (lambda: tf.make_template(None, max), ValueError, "cannot be None"),
    ):
        with pytest.raises(error, match=match):
            make()


def test_a_template_makes_its_variables_once() -> None:
    made = []

    def leaky() -> Any:
        made.append(tf.Variable(1.0))
        return tf.get_variable("w", [])

    t = tf.make_template("t", leaky)
    t()
    with pytest.raises(ValueError, match="Trainable variable created when calling a template after the first time"):
        t()


def test_in_place_operators() -> None:
    v = tf.Variable(1.0)
    v += 1.0
    assert isinstance(v, tf.Tensor)
    r = tf.Variable(1.0, use_resource=True)
    with pytest.raises(RuntimeError, match="assign_add"):
        r += 1.0
