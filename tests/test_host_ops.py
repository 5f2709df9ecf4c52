"""What runs on the host inside programs: tables, Python functions, queues, summaries."""

import numpy as np
import pytest

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
