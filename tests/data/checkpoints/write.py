"""Writes the checkpoints of this directory; run with the Python of TensorFlow 1.15."""

import os

import numpy as np
import tensorflow as tf

HERE = os.path.dirname(os.path.abspath(__file__))


def save(path, fn, **kw):
    g = tf.Graph()
    with g.as_default():
        tf.set_random_seed(1)
        fn()
        s = tf.train.Saver(**kw)
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            s.save(sess, path, write_meta_graph=kw.get("name") is None and "meta" in path, write_state=False)


def types():
    for t in [
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "int64",
        "uint32",
        "uint64",
        "bool",
        "complex64",
        "complex128",
    ]:
        d = tf.as_dtype(t)
        v = np.array([[0, 1, 2], [3, 100, 7]]).astype(d.as_numpy_dtype)
        if t in ("uint32", "uint64", "bfloat16"):
            tf.Variable(tf.constant(v, dtype=d), name="v_" + t) if t == "bfloat16" else tf.get_variable(
                "v_" + t, initializer=tf.constant(v, dtype=d), use_resource=True
            )
        else:
            tf.Variable(v, name="v_" + t, dtype=d)
    tf.Variable(np.array([b"", b"a\0b", "x" * 200, "\u00e9".encode()], object), name="v_string", dtype=tf.string)
    tf.Variable(1.5, name="scope/scalar")
    tf.Variable(np.zeros((0, 3), np.float32), name="empty")


save(HERE + "/types.ckpt", types)


def parts():
    with tf.device("/cpu:0"):
        tf.get_variable("p", [5, 3], partitioner=tf.fixed_size_partitioner(3), initializer=tf.random_normal_initializer())
        tf.get_variable("w", [100, 2], initializer=lambda s, dtype=None, partition_info=None: tf.reshape(tf.range(0.0, 200.0, dtype=dtype), s))
    tf.get_variable("q", [200, 2], partitioner=tf.fixed_size_partitioner(2), use_resource=True, initializer=tf.ones_initializer())
    tf.get_variable("step", [], dtype=tf.int64, initializer=tf.constant_initializer(7))


save(HERE + "/parts.ckpt", parts, sharded=True)


def adam():
    x = tf.get_variable("layer/w", [3, 2], initializer=tf.ones_initializer())
    tf.train.AdamOptimizer().minimize(tf.reduce_sum(x * x), global_step=tf.train.get_or_create_global_step())


save(HERE + "/meta.ckpt", adam)
save(HERE + "/v1.ckpt", adam, write_version=1)
