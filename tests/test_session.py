"""Session: feeds of every kind, fetches of every nest, ownership, threads, errors."""

import collections
import gc
import threading

import numpy as np
import pytest

import graphc as tf


def test_fetches_keep_their_structure() -> None:
    a, b = tf.constant(1), tf.constant([2.0, 3.0])
    Pair = collections.namedtuple("Pair", ["first", "second"])  # noqa: PYI024 (users make them so)
    with tf.Session() as sess:
        out = sess.run({"x": [a, (b, "Const:0")], "y": Pair(a, [b]), "z": tf.no_op()})
    assert out["x"][0] == 1 and out["x"][1][1] == 1
    assert isinstance(out["y"], Pair) and out["y"].second[0].tolist() == [2.0, 3.0]
    assert out["z"] is None


def test_fetched_values_belong_to_the_caller() -> None:
    v = tf.Variable(np.zeros(1000, np.float32))
    double = v * 2.0
    with tf.Session() as sess:
        sess.run(v.initializer)
        for _ in range(3):
            for fetch in (v, double, tf.constant([1.0]), double.op.inputs[1]):
                out = sess.run(fetch)
                assert isinstance(out, np.float32) or (out.flags.writeable and out.flags.owndata)
                if isinstance(out, np.ndarray):
                    out += 5
            assert sess.run(v).sum() == 0 and sess.run(double).sum() == 0
        assert type(sess.run(tf.reduce_sum(v))) is np.float32


@pytest.mark.parametrize("size", [8, 4096, 300_000])
def test_a_caller_may_overwrite_its_feed(size: int) -> None:
    """JAX aliases aligned NumPy memory on CPU; the runtime owns a feed from the call on."""
    x = tf.placeholder(tf.float32, [size])
    v = tf.Variable(np.zeros(size, np.float32))
    assign, add, total = tf.assign(v, x).op, tf.assign_add(v, x).op, tf.assign(v, x * 1.0)
    feed = np.frombuffer(bytearray(size * 4 + 64), np.uint8)
    feed = feed[(-feed.ctypes.data) % 64 :][: size * 4].view(np.float32)  # 64-byte aligned
    with tf.Session() as sess:
        sess.run(v.initializer)
        for op, expected in ((assign, 7.0), (add, 14.0), (total, 7.0), (assign, 7.0), (add, 14.0), (assign, 7.0)):
            feed[:] = 7
            sess.run(op, {x: feed})
            feed[:] = -1
            gc.collect()
            np.testing.assert_array_equal(sess.run(v), np.full(size, expected, np.float32))


def test_any_tensor_may_be_fed() -> None:
    x = tf.placeholder(tf.float32, [2])
    y = x * 2.0
    z = y + 1.0
    v = tf.Variable(5.0)
    with tf.Session() as sess:
        assert sess.run(z, {y: [10.0, 20.0]}).tolist() == [11.0, 21.0]
        assert sess.run([y, z], {y: [10.0, 20.0]})[0].tolist() == [10.0, 20.0]
        assert sess.run(v + 1.0, {v: 2.0}) == 3.0
        assert sess.run("add:0", {"mul:0": [0.0, 0.0]}).tolist() == [1.0, 1.0]


def test_values_feed_as_in_tf1() -> None:
    f, i, s, b = (tf.placeholder(t, None) for t in (tf.float32, tf.int32, tf.string, tf.bool))
    with tf.Session() as sess:
        assert sess.run(tf.identity(f), {f: np.arange(3.0)}).dtype == np.float32
        assert sess.run(tf.identity(f), {f: [1, 2]}).dtype == np.float32
        assert sess.run(tf.identity(i), {i: 3}) == 3
        assert sess.run(tf.identity(s), {s: "text"}) == b"text"
        assert sess.run(tf.identity(s), {s: ["a", b"b"]}).tolist() == [b"a", b"b"]
        assert not sess.run(tf.logical_not(b), {b: True})
        pandas = pytest.importorskip("pandas", reason="pandas feeds are tested where it is installed")
        assert sess.run(tf.reduce_sum(f), {f: pandas.DataFrame({"a": [1.0, 2.0]})}) == 3.0


def test_numpy_array_times_tensor_is_a_tensor() -> None:
    x = tf.placeholder(tf.float32, [2])
    y = np.array([1.0, 2.0], np.float32) * x
    assert isinstance(y, tf.Tensor)
    with tf.Session() as sess:
        assert sess.run(y, {x: [3.0, 4.0]}).tolist() == [3.0, 8.0]


def test_feeding_mistakes() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = x + 1.0
    with tf.Session() as sess:
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"must feed a value for placeholder tensor 'x' with dtype float32[\s\S]*test_session.py"):
            sess.run(y)
        with pytest.raises(ValueError, match=r"Cannot feed value of shape \(2, 4\) for Tensor 'x:0', which has shape '\(\?, 3\)'.*test_session.py"):
            sess.run(y, {x: np.zeros((2, 4))})
        with pytest.raises(ValueError, match="float32"):
            sess.run(y, {x: "text"})
        with pytest.raises(TypeError, match="feed_dict key"):
            sess.run(y, {"nothing:0": 1})
        with pytest.raises(TypeError, match=r"cannot be a tf\.Tensor"):
            sess.run(y, {x: tf.zeros([1, 3])})
        with pytest.raises(TypeError, match="invalid type"):
            sess.run(3.5)
        with pytest.raises(TypeError, match="NoneType"):
            sess.run(None)
        assert sess.run(y, {x: np.zeros((0, 3))}).shape == (0, 3)
    i = tf.placeholder(tf.int32, [])
    with tf.Session() as sess, pytest.raises((TypeError, ValueError), match="int"):
        sess.run(i + 1, {i: 2**40})


def test_other_graphs_and_closed_sessions() -> None:
    with tf.Graph().as_default():
        other = tf.constant(1)
    here = tf.constant(2)
    sess = tf.Session()
    with pytest.raises(ValueError, match="not an element of this graph"):
        sess.run(other)
    with pytest.raises(ValueError, match="same graph"):
        tf.add(here, other)
    sess.close()
    with pytest.raises(RuntimeError, match="closed Session"):
        sess.run(here)
    with tf.Graph().as_default(), tf.Session() as empty, pytest.raises(RuntimeError, match="graph is empty"):
        empty.run("x:0")


def test_eval_and_run_use_the_default_session() -> None:
    v = tf.Variable(2.0)
    with pytest.raises(ValueError, match="No default session"):
        v.eval()
    with tf.Session():
        tf.global_variables_initializer().run()
        assert (v * 3.0).eval() == 6.0
    sess = tf.InteractiveSession()
    v.initializer.run()
    assert v.eval() == 2.0
    tf.reset_default_graph()  # beside a live InteractiveSession, as notebooks do
    tf.constant(1)
    sess.close()


def test_make_callable() -> None:
    x, y = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [])
    with tf.Session() as sess:
        call = sess.make_callable([x + y, x * y], [x, y])
        assert call(2.0, 5.0) == [7.0, 10.0]
        with pytest.raises(TypeError, match="2 feeds"):
            call(1.0)


def test_threads_share_a_session() -> None:
    """Updates of one program are atomic: none is lost however many threads run it."""
    v = tf.Variable(np.zeros(4, np.float32))
    x = tf.placeholder(tf.float32, [4])
    add = tf.assign_add(v, x).op
    double = x * 2.0
    wrong: list[object] = []
    with tf.Session() as sess:
        sess.run(v.initializer)

        def work(k: int) -> None:
            for i in range(100):
                sess.run(add, {x: np.ones(4)})
                if sess.run(double, {x: np.full(4, k * 100 + i)})[0] != 2 * (k * 100 + i):
                    wrong.append((k, i))

        threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not wrong
        assert sess.run(v).tolist() == [800.0] * 4


def test_config_is_accepted_and_checked() -> None:
    config = tf.ConfigProto(allow_soft_placement=True, log_device_placement=False, intra_op_parallelism_threads=2)
    config.gpu_options.per_process_gpu_memory_fraction = 0.5
    config.graph_options.optimizer_options.opt_level = 1
    with pytest.raises(AttributeError, match="no field"):
        config.gpu_options.alow_growth = True
    with pytest.raises(TypeError, match="ConfigProto"):
        tf.Session(config=3)
    assert any("CPU" in d.name for d in tf.Session().graph and _devices())


def _devices() -> list:
    tf.constant(1)
    return tf.Session().list_devices()


def test_a_repeated_run_compiles_once_and_shapes_are_counted() -> None:
    x = tf.placeholder(tf.float32, [None, 4])
    y = tf.reduce_sum(tf.tanh(x), 1)
    with tf.Session() as sess:
        for _ in range(20):
            sess.run(y, {x: np.ones((3, 4))})
        before = tf.runtime_counters().compilations
        for _ in range(5):
            sess.run(y, {x: np.ones((3, 4))})
        assert tf.runtime_counters().compilations == before
        assert sess.run(y, {x: np.ones((7, 4))}).shape == (7,)
        assert tf.runtime_counters().compilations == before  # a shape seen once is interpreted


def test_many_shapes_warn(caplog: pytest.LogCaptureFixture) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = x + 1.0
    with tf.Session() as sess, caplog.at_level("WARNING", logger="graphc"):
        for n in (1, 2, 3, 4):
            for _ in range(20):
                sess.run(y, {x: np.ones(n)})
    assert any("set of feed shapes" in r.message for r in caplog.records)


def test_a_fed_integer_may_reach_a_shape() -> None:
    n = tf.placeholder(tf.int32, [])
    x = tf.placeholder(tf.float32, [None])
    out = tf.reshape(tf.tile(x, [n]), [n, -1])
    with tf.Session() as sess:
        for k in (1, 3, 2, 3, 3):
            np.testing.assert_array_equal(sess.run(out, {n: k, x: [1.0, 2.0]}), np.tile([1.0, 2.0], (k, 1)))


def test_importing_and_running_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with tf.Session() as sess:
        sess.run(tf.constant(1) + 1)
    out, err = capfd.readouterr()
    assert out == "" and err == ""
