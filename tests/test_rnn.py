"""Recurrent cells and networks: as TensorFlow 1.15 has them, and what goes wrong."""

from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc.runtime import runner
from tests import rnn_programs

DATA = Path(__file__).parent / "data"
ARRAYS = np.load(DATA / "rnn_tf115.npz")


def recorded_names() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    key = ""
    for line in (DATA / "rnn_tf115.txt").read_text().splitlines():
        if line.startswith("  "):
            found[key].append(line.strip())
        else:
            key = line
            found[key] = []
    return found


NAMES = recorded_names()


#: programs that are also compiled: one of each kind
COMPILED = (
    "lstm_all", "multi", "bidirectional", "static_lengths", "raw", "shared", "layer_norm", "attention", "phased", "fused", "dropout",
    "dropout_variational",
)  # fmt: skip


@pytest.mark.parametrize("key", sorted(rnn_programs.PROGRAMS))
def test_as_tensorflow(key: str) -> None:
    """Names and shapes of the variables, outputs, last states and gradients."""
    compare(key)


@pytest.mark.parametrize("key", COMPILED)
def test_as_tensorflow_compiled(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "INTERPRETED_NODES", -1)
    compare(key)


def compare(key: str) -> None:
    names, values = rnn_programs.run(tf, rnn_programs.PROGRAMS[key])
    assert names == NAMES[key]
    wanted = [ARRAYS[f"{key}/{i}"] for i in range(len(values))]
    assert f"{key}/{len(values)}" not in ARRAYS
    for i, (got, want) in enumerate(zip(values, wanted, strict=True)):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5, err_msg=f"result {i}")


def test_dynamic_rnn_is_one_loop_of_known_length() -> None:
    """Transposes stand outside the loop, which XLA knows the trip count of."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, None, 4])
        out, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(5), x, dtype=tf.float32)
        step = tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(out))
        kinds = [op.type for op in graph.get_operations()]
        assert kinds.count("StatelessWhile") == 2
        assert [op.type for f in graph.functions.values() for op in f.graph.get_operations() if op.type in ("Transpose", "StatelessWhile")] == []
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(2):
                sess.run(step, {x: np.ones((2, 7, 4))})
            text = sess.executables()[-1].compiled.as_text()
    assert text.count('"known_trip_count":{"n":"7"}') == 2


def test_last_smaller_batch_and_other_lengths() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, None, 4])
        lengths = tf.placeholder(tf.int32, [None])
        out, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(5), x, lengths, dtype=tf.float32)
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for batch, time in ((3, 6), (2, 6), (3, 9), (1, 0)):
                got, last = sess.run([out, state], {x: np.ones((batch, time, 4)), lengths: np.full(batch, time)})
                assert got.shape == (batch, time, 5)
                if time:
                    np.testing.assert_array_equal(got[:, -1], last)


def test_variables_of_cells() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        cell = tf.nn.rnn_cell.MultiRNNCell([tf.nn.rnn_cell.DropoutWrapper(tf.nn.rnn_cell.LSTMCell(3), 0.5), tf.nn.rnn_cell.GRUCell(2)])
        assert cell.state_size == ((3, 3), 2)
        assert cell.output_size == 2
        assert cell.trainable_weights == []
        cell(tf.zeros([1, 4]), cell.zero_state(1, tf.float32))
        assert [w.name.rpartition("cell_")[2] for w in cell.trainable_weights] == [
            "0/lstm_cell/kernel:0", "0/lstm_cell/bias:0", "1/gru_cell/gates/kernel:0", "1/gru_cell/gates/bias:0", "1/gru_cell/candidate/kernel:0",
            "1/gru_cell/candidate/bias:0",
        ]  # fmt: skip
        inner = tf.nn.rnn_cell.LSTMCell(3, name="mine", trainable=False)
        inner.build(tf.TensorShape([None, 4]))
        assert [w.name for w in inner.weights] == ["mine/kernel:0", "mine/bias:0"]
        assert inner.trainable_weights == []
        assert inner.count_params() == 7 * 12 + 12
        sess.run(tf.global_variables_initializer())
        with sess.as_default():
            inner.set_weights([np.ones((7, 12)), np.zeros(12)])
            assert inner.get_weights()[0].sum() == 84
        again = tf.nn.rnn_cell.LSTMCell.from_config({k: v for k, v in inner.get_config().items() if k != "trainable"})
        assert again.name == "mine"
        assert again.state_size == (3, 3)


def test_cell_in_two_scopes_shares_its_variables() -> None:
    with tf.Graph().as_default():
        cell = tf.nn.rnn_cell.BasicLSTMCell(3)
        with tf.variable_scope("a"):
            cell(tf.zeros([1, 4]), cell.zero_state(1, tf.float32))
        with tf.variable_scope("b"):
            cell(tf.zeros([1, 4]), cell.zero_state(1, tf.float32))
        assert [v.name for v in tf.global_variables()] == ["a/basic_lstm_cell/kernel:0", "a/basic_lstm_cell/bias:0"]
        other = tf.nn.rnn_cell.BasicLSTMCell(3)
        zero = other.zero_state(1, tf.float32)
        with pytest.raises(ValueError, match="already exists"):
            other(tf.zeros([1, 4]), zero, scope=cell._scope)


def test_what_networks_refuse() -> None:
    c = tf.nn.rnn_cell
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [3, None, 4])
        with pytest.raises(TypeError, match=r"argument 'cell' .* is not an RNNCell: 'output_size' property is missing"):
            tf.nn.dynamic_rnn(lambda i, s: (i, s), x, dtype=tf.float32)
        with pytest.raises(ValueError, match="you must give a dtype"):
            tf.nn.dynamic_rnn(c.GRUCell(3), x)
        with pytest.raises(ValueError, match=r"vector of length batch_size, but saw shape: \(3, 1\)"):
            tf.nn.dynamic_rnn(c.GRUCell(3), x, [[1], [2], [3]], dtype=tf.float32)
        with pytest.raises(ValueError, match=r"vector of length batch_size \(3\), but saw shape: \(2,\)"):
            tf.nn.dynamic_rnn(c.GRUCell(3), x, [1, 2], dtype=tf.float32)
        with pytest.raises(ValueError, match="depth of inputs"):
            tf.nn.dynamic_rnn(c.GRUCell(3), tf.placeholder(tf.float32, [None, None, None]), dtype=tf.float32)
        with pytest.raises(ValueError, match="floating point inputs, but saw dtype: int32"):
            c.GRUCell(3)(tf.zeros([1, 2], tf.int32), tf.zeros([1, 3]))
        with pytest.raises(ValueError, match="at least one cell"):
            c.MultiRNNCell([])
        with pytest.raises(ValueError, match="state_is_tuple is not set"):
            c.MultiRNNCell([c.LSTMCell(3)], state_is_tuple=False)
        with pytest.raises(ValueError, match=r"input_keep_prob must be between 0 and 1: 2\.0"):
            c.DropoutWrapper(c.GRUCell(3), input_keep_prob=2.0)
        with pytest.raises(ValueError, match="dtype must be provided"):
            c.DropoutWrapper(c.GRUCell(3), variational_recurrent=True)
        with pytest.raises(ValueError, match="Unknown activation: 'tanhh'"):
            c.GRUCell(3, activation="tanhh")
        with pytest.raises(TypeError, match="inputs must be a sequence"):
            tf.nn.static_rnn(c.GRUCell(3), x, dtype=tf.float32)
        with pytest.raises(ValueError, match="inputs must not be empty"):
            tf.nn.static_rnn(c.GRUCell(3), [], dtype=tf.float32)
        with pytest.raises(TypeError, match="loop_fn must be a callable"):
            tf.nn.raw_rnn(c.GRUCell(3), None)
        with pytest.raises(NotImplementedError):
            _ = c.RNNCell().state_size
