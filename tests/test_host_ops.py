"""What runs on the host inside programs: tables, Python functions, queues, summaries."""

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

import graphc as tf
from graphc.contrib import lookup


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("alpha\nbeta\ngamma\n")
    return str(path)


# -- tables --------------------------------------------------------------------------------------------


def test_a_table_is_filled_once_and_then_read():
    table = lookup.HashTable(lookup.KeyValueTensorInitializer(["a", "b"], [1, 2], tf.string, tf.int64), -1)
    x = tf.placeholder(tf.string, [None])
    y = table.lookup(x)
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="Table not initialized"):
            sess.run(y, {x: ["a"]})
        sess.run(tf.tables_initializer())
        sess.run(tf.tables_initializer())
        assert sess.run([y, table.size()], {x: ["b", "z", "a"]})[0].tolist() == [2, -1, 1]


def test_tables_belong_to_the_session():
    table = lookup.MutableHashTable(tf.string, tf.int64, -1)
    fill = table.insert(["a"], [1])
    with tf.Session() as one, tf.Session() as other:
        one.run(fill)
        assert (one.run(table.size()), other.run(table.size())) == (1, 0)


def test_a_vocabulary_from_a_file(words):
    table = lookup.index_table_from_file(words, num_oov_buckets=2)
    back = lookup.index_to_string_table_from_file(words)
    ids = table.lookup(tf.constant([["beta", "gamma"], ["alpha", "delta"]]))
    with tf.Session() as sess:
        sess.run(tf.tables_initializer())
        found = sess.run(ids)
        assert found.tolist()[0] == [1, 2]
        assert found[1, 0] == 0
        assert found[1, 1] in (3, 4)
        assert sess.run(back.lookup(ids)).tolist() == [[b"beta", b"gamma"], [b"alpha", b"UNK"]]
        assert sess.run(table.size()) == 5


def test_words_to_vectors():
    """A lookup feeds a compiled training step."""
    table = lookup.index_table_from_tensor(["red", "green"])
    embeddings = tf.get_variable("e", [2, 3], initializer=tf.ones_initializer())
    x = tf.placeholder(tf.string, [None])
    loss = tf.reduce_sum(tf.nn.embedding_lookup(embeddings, table.lookup(x)))
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    with tf.Session() as sess:
        sess.run([tf.global_variables_initializer(), tf.tables_initializer()])
        for _ in range(3):
            sess.run(step, {x: ["green", "green"]})
        assert sess.run(embeddings).tolist() == [[1, 1, 1], [-2, -2, -2]]


def test_errors_of_tables_name_the_operation(tmp_path):
    init = lookup.TextFileInitializer(str(tmp_path / "none.txt"), tf.string, 0, tf.int64, 1)
    table = lookup.HashTable(init, -1)
    with tf.Session() as sess, pytest.raises(tf.errors.NotFoundError, match="No such file or directory") as caught:
        sess.run(table.initializer)
    assert caught.value.op is table.initializer


# -- Python functions ----------------------------------------------------------------------------------


def test_a_python_function_gets_arrays_of_its_own():
    seen = []

    def double(x, y, text):
        seen.append((type(x), type(y), type(text)))
        x *= 2
        return x

    x = tf.constant([1.0, 2.0]) + 1
    y = tf.py_func(double, [x, 3, "a"], tf.float32)
    assert y.shape.ndims is None
    with tf.Session() as sess:
        got, kept = sess.run([y, x])
    assert got.tolist() == [4, 6]
    assert kept.tolist() == [2, 3]
    assert seen == [(np.ndarray, np.int32, bytes)]


def test_results_of_a_python_function():
    with tf.Session() as sess:
        assert sess.run(tf.py_func(lambda: (1.5, b"x"), [], [tf.float64, tf.string])) == [1.5, b"x"]
        assert sess.run(tf.py_func(lambda: ["é"], [], tf.string)) == "é".encode()
        assert sess.run(tf.py_func(lambda: None, [], [])) is None
        assert sess.run(tf.numpy_function(lambda: np.int64(3), [], tf.int64)) == 3
        assert sess.run(tf.py_func(lambda x: [x], [2.0], [tf.float32], stateful=False)) == [2.0]


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: 1.0, tf.errors.InvalidArgumentError, "0-th value returned by pyfunc_[0-9]+ is double, but expects float"),
        (lambda x: (x, x), tf.errors.InvalidArgumentError, "returns 2 values, but expects to see 1 values."),
        (lambda x: None, tf.errors.InvalidArgumentError, "returns 0 values, but expects to see 1 values."),
        (lambda x: int("a"), tf.errors.InvalidArgumentError, r"ValueError: invalid literal(.|\n)*in <lambda>"),
        (lambda x: next(iter([])), tf.errors.OutOfRangeError, "StopIteration"),
        (lambda x: {}["k"], tf.errors.UnknownError, "KeyError: 'k'"),
    ],
)
def test_errors_of_python_functions(function, error, message):
    y = tf.py_func(function, [1.0], tf.float32)
    with tf.Session() as sess, pytest.raises(error, match=message) as caught:
        sess.run(y)
    assert caught.value.op is y.op


def test_python_functions_run_in_order_and_once():
    order = []
    x = tf.placeholder(tf.float32, [])
    first = tf.py_func(lambda v: order.append("first"), [tf.exp(x)], [])
    with tf.control_dependencies([first]):
        second = tf.py_func(lambda: order.append("second"), [], [])
    with tf.Session() as sess:
        for _ in range(2):
            sess.run(second, {x: 0.0})
    assert order == ["first", "second"] * 2


def test_a_python_function_may_use_its_session():
    v = tf.get_variable("v", initializer=1.0)
    add = tf.assign_add(v, 1.0)
    sess = tf.Session()
    y = tf.py_func(lambda: (sess.run(add), np.float32(sess.run(v)))[1], [], tf.float32) * 2
    sess.run(tf.global_variables_initializer())
    assert sess.run(y) == 4
    assert sess.run(y) == 6


def test_a_gradient_for_a_python_function():
    @tf.RegisterGradient("CubeGrad")
    def _(op, dy):
        return 3 * op.inputs[0] ** 2 * dy

    x = tf.constant([1.0, 2.0])
    with tf.get_default_graph().gradient_override_map({"PyFunc": "CubeGrad"}):
        y = tf.py_func(lambda v: v**3, [x], tf.float32)
    with tf.Session() as sess:
        assert sess.run(tf.gradients(y, x)[0]).tolist() == [3, 12]
    assert tf.gradients(tf.py_func(lambda v: v, [x], tf.float32), x) == [None]


def test_python_functions_in_loops():
    seen = []

    def next_number(i):
        seen.append(int(i))
        return i + np.int32(1)

    y = tf.while_loop(lambda i: i < 3, lambda i: tf.py_func(next_number, [i], tf.int32), [0], shape_invariants=[tf.TensorShape(None)])
    with tf.Session() as sess:
        assert sess.run(y) == 3
    assert seen == [0, 1, 2]


def test_py_function_has_values_and_gradients():
    def log_huber(x, m):
        if abs(x.numpy()) <= m.numpy():
            return x**2
        return m**2 * (1 - 2 * tf.log(m) + tf.log(x**2))

    x = tf.placeholder(tf.float32, [])
    y = tf.py_function(log_huber, [x, 2.0], tf.float32)
    dx = tf.gradients(y, x)[0]
    with tf.Session() as sess:
        assert sess.run([y, dx], {x: 1.0}) == [1, 2]
        found = sess.run([y, dx], {x: 4.0})
    np.testing.assert_allclose(found, [4 * (1 - 2 * np.log(2) + np.log(16)), 2.0], rtol=1e-6)


def test_py_function_results():
    with tf.Session() as sess:
        three = tf.py_function(lambda x: (x.numpy(), 2.0, list(tf.constant([b"a"]))), [1.0], [tf.float32, tf.float64, tf.string])
        assert sess.run(three)[2].tolist() == [b"a"]
        assert sess.run(tf.py_function(lambda x: None, [1.0], [])) is None
        with pytest.raises(tf.errors.InvalidArgumentError, match="requested dtype float32 for Tensor with dtype int32"):
            sess.run(tf.py_function(lambda x: tf.constant(3), [1.0], tf.float32))
        with pytest.raises(tf.errors.InvalidArgumentError, match="returns 0 values, but expects to see 1"):
            sess.run(tf.py_function(lambda x: None, [1.0], tf.float32))


# -- summaries -----------------------------------------------------------------------------------------


def test_summaries_of_training_are_written_and_read(tmp_path):
    x = tf.placeholder(tf.float32, [None])
    v = tf.get_variable("v", initializer=[1.0, 2.0])
    loss = tf.reduce_sum((v - x) ** 2)
    tf.summary.scalar("loss", loss)
    with tf.name_scope("weights"):
        tf.summary.histogram("v", v)
    tf.summary.image("picture", tf.reshape(v, [1, 2, 1, 1]))
    tf.summary.text("words", tf.constant("hello"))
    merged = tf.summary.merge_all()
    step = tf.train.GradientDescentOptimizer(0.25).minimize(loss)
    init = tf.global_variables_initializer()
    with tf.Session() as sess, tf.summary.FileWriter(str(tmp_path), sess.graph) as writer:
        sess.run(init)
        for i in range(3):
            text, _ = sess.run([merged, step], {x: [0.0, 0.0]})
            writer.add_summary(text, i)
    (path,) = tmp_path.iterdir()
    events = list(tf.train.summary_iterator(str(path)))
    assert events[0].file_version == "brain.Event:2"
    shown = tf.GraphDef.FromString(events[1].graph_def)
    assert len(shown.node) == len(sess.graph.get_operations())
    assert shown.node[0].attr["_output_shapes"].list.shape[0].dim[0].size == -1
    found = [(e.step, {v.tag: v for v in e.summary.value}) for e in events[2:]]
    assert [i for i, _ in found] == [0, 1, 2]
    assert set(found[0][1]) == {"loss", "weights/v", "picture/image/0", "words"}
    assert [f["loss"].simple_value for _, f in found] == [5.0, 1.25, 0.3125]
    assert found[1][1]["weights/v"].histo.sum == 1.5
    assert found[0][1]["words"].tensor.string_val == [b"hello"]
    assert found[0][1]["words"].metadata.plugin_data.plugin_name == "text"
    assert not found[1][1]["words"].HasField("metadata")


def test_tensorboard_reads_the_events(tmp_path):
    writer = tf.summary.FileWriter(str(tmp_path))
    writer.add_summary(tf.Summary(value=[tf.Summary.Value(tag="a", simple_value=2.0)]), np.int64(7))
    writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), 8)
    writer.close()
    with pytest.warns(UserWarning, match="closed FileWriter"):
        writer.add_summary(tf.Summary(), 9)
    writer.reopen()
    writer.add_summary(tf.Summary(), 10)
    writer.close()
    (path,) = tmp_path.iterdir()
    assert [e.step for e in EventFileLoader(str(path)).Load()] == [0, 7, 8, 10]


def test_errors_of_summaries():
    x = tf.placeholder(tf.float32, [None])
    h = tf.summary.histogram("h", x)
    twice = tf.summary.merge([tf.summary.scalar("a", 1.0), tf.summary.scalar("b", 1.0), tf.summary.merge([h])])
    same = tf.summary.merge([h, h])
    with tf.Session() as sess:
        assert len(tf.Summary.FromString(sess.run(twice, {x: [1.0]})).value) == 3
        with pytest.raises(tf.errors.InvalidArgumentError, match="Nan in summary histogram for: h"):
            sess.run(h, {x: [np.nan]})
        with pytest.raises(tf.errors.InvalidArgumentError, match="Duplicate tag h found in summary inputs"):
            sess.run(same, {x: [1.0]})
    assert tf.summary.merge_all(key="none") is None


def test_records(tmp_path):
    for kind in ("", "GZIP", "ZLIB"):
        path = str(tmp_path / f"r{kind}")
        with tf.python_io.TFRecordWriter(path, tf.python_io.TFRecordOptions(kind)) as w:
            w.write(b"one")
            w.flush()
            w.write(b"")
        assert list(tf.python_io.tf_record_iterator(path, tf.python_io.TFRecordOptions(kind))) == [b"one", b""]
    data = bytearray((tmp_path / "r").read_bytes())
    (tmp_path / "short").write_bytes(data[:-1])
    data[13] ^= 1
    (tmp_path / "bad").write_bytes(data)
    with pytest.raises(tf.errors.DataLossError, match="corrupted record at 0"):
        list(tf.python_io.tf_record_iterator(str(tmp_path / "bad")))
    with pytest.raises(tf.errors.DataLossError, match="truncated record at 19"):
        list(tf.python_io.tf_record_iterator(str(tmp_path / "short")))
    with pytest.raises(tf.errors.NotFoundError):
        list(tf.python_io.tf_record_iterator(str(tmp_path / "none")))
