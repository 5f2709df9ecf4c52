"""Fits a line by gradient descent, with the gradient written out as graph by `tf.gradients`.

    python examples/linear_regression.py
"""

import numpy as np

import graphc as tf


def main() -> tuple[float, float]:
    """Fits y = 3 x + 2 from noisy points; returns the slope and the intercept found."""
    random = np.random.RandomState(0)
    points = random.uniform(-1, 1, 200).astype(np.float32)
    values = 3 * points + 2 + 0.1 * random.randn(200).astype(np.float32)

    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None], name="x")
    y = tf.placeholder(tf.float32, [None], name="y")
    slope = tf.Variable(0.0, name="slope")
    intercept = tf.Variable(0.0, name="intercept")
    loss = tf.reduce_mean(tf.square(slope * x + intercept - y))
    d_slope, d_intercept = tf.gradients(loss, [slope, intercept])
    step = tf.group(tf.assign_sub(slope, 0.3 * d_slope), tf.assign_sub(intercept, 0.3 * d_intercept))

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(61):
            if i % 20 == 0:
                print(f"step {i:2d}  loss {sess.run(loss, {x: points, y: values}):.4f}")
            sess.run(step, {x: points, y: values})
        found = sess.run([slope, intercept])
    print(f"y = {found[0]:.3f} x + {found[1]:.3f}")
    return float(found[0]), float(found[1])


if __name__ == "__main__":
    main()
