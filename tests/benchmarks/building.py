"""Building graphs, differentiating them, and running many shapes and many small fetches.

    python -m tests.benchmarks.building
"""

import resource
import time

import numpy as np

import graphc as tf


def microseconds_per_op(count: int = 20_000) -> float:
    """Microseconds to add one operation, its location included."""
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 10])
        best = float("inf")
        for _ in range(5):
            y = x
            start = time.perf_counter()
            for _ in range(count // 10):
                y = tf.tanh(y)
                y = tf.add(y, x)
            best = min(best, (time.perf_counter() - start) / (count // 5))
    return best * 1e6


def gradient_seconds(length: int) -> float:
    """Seconds to differentiate a chain of `length` layers."""
    with tf.Graph().as_default():
        w = tf.Variable(np.ones((4, 4), np.float32))
        x = tf.placeholder(tf.float32, [None, 4])
        y = x
        for _ in range(length // 2):
            y = tf.tanh(tf.matmul(y, w))
        start = time.perf_counter()
        tf.gradients(y, w)
        return time.perf_counter() - start


def many_batch_sizes(count: int = 100) -> tuple[float, int]:
    """Seconds for one training step at each of `count` batch sizes, and how many were compiled."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x, y = tf.placeholder(tf.float32, [None, 64]), tf.placeholder(tf.int32, [None])
        hidden = tf.nn.relu(tf.matmul(x, tf.get_variable("w", [64, 128])))
        logits = tf.matmul(hidden, tf.get_variable("v", [128, 10]))
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
        step = tf.train.AdamOptimizer().minimize(loss)
        sess.run(tf.global_variables_initializer())
        before = tf.runtime_counters().compilations
        start = time.perf_counter()
        for n in range(1, count + 1):
            sess.run([step, loss], {x: np.ones((n, 64), np.float32), y: np.zeros(n, np.int32)})
        return time.perf_counter() - start, tf.runtime_counters().compilations - before


def many_fetches(count: int = 100) -> tuple[float, int]:
    """Seconds for `count` different small fetches, each run twice, and how many were compiled."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, 8])
        fetches = [tf.reduce_sum(tf.exp(x * float(i)) / (1.0 + i), axis=i % 2) for i in range(count)]
        before = tf.runtime_counters().compilations
        start = time.perf_counter()
        for f in fetches:
            sess.run(f, {x: np.ones((4, 8))})
            sess.run(f, {x: np.ones((4, 8))})
        return time.perf_counter() - start, tf.runtime_counters().compilations - before


def main() -> None:
    """Prints the figures."""
    print(f"building: {microseconds_per_op():.1f} us an operation, location included")
    for length in (1000, 2000, 4000):
        print(f"gradients of a chain of {length:,} operations: {gradient_seconds(length):.2f} s")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, compiled = many_batch_sizes()
    print(f"100 batch sizes through one Session: {seconds:.2f} s, {compiled} compilations")
    seconds, compiled = many_fetches()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    print(f"100 small fetches, each twice: {seconds:.2f} s, {compiled} compilations; peak memory grew by {grown:.0f} MiB")


if __name__ == "__main__":
    main()
