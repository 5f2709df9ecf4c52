"""Classifies iris flowers with one layer and with several, and shows what the extra layers buy.

    python examples/iris.py
"""

from collections.abc import Sequence

import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

import graphc as tf


def build(widths: Sequence[int]) -> tuple[tf.Tensor, tf.Tensor, tf.Operation, tf.Tensor, tf.Tensor]:
    """A network with hidden layers of `widths`; returns its placeholders, training op, loss and accuracy."""
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    y = tf.placeholder(tf.int32, [None], name="y")
    out = x
    for i, width in enumerate([*widths, 3]):
        with tf.variable_scope(f"layer{i}"):
            kernel = tf.get_variable("kernel", [out.shape[1], width], initializer=tf.glorot_normal_initializer(seed=i))
            out = tf.matmul(out, kernel) + tf.get_variable("bias", [width], initializer=tf.zeros_initializer())
        if i < len(widths):
            out = tf.nn.tanh(out)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=out))
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(out, 1, output_type=tf.int32), y), tf.float32))
    return x, y, tf.train.MomentumOptimizer(0.05, 0.9).minimize(loss), loss, accuracy


def train(name: str, widths: Sequence[int]) -> float:
    """Trains one network; returns its accuracy on the held-out third."""
    data, labels = load_iris(return_X_y=True)
    data = (data - data.mean(0)) / data.std(0)
    train_x, test_x, train_y, test_y = train_test_split(data, labels, test_size=1 / 3, random_state=0, stratify=labels)
    with tf.Graph().as_default(), tf.Session() as sess:
        x, y, step, loss, accuracy = build(widths)
        sess.run(tf.global_variables_initializer())
        for i in range(201):
            _, value = sess.run([step, loss], {x: train_x, y: train_y})
            if i % 100 == 0:
                print(f"{name:14s} step {i:3d}  training loss {value:.4f}")
        correct = sess.run(accuracy, {x: test_x, y: test_y})
    print(f"{name:14s} accuracy {correct:.1%} on {len(test_x)} held-out flowers")
    return float(correct)


def main() -> dict[str, float]:
    """Trains both networks."""
    np.random.seed(0)
    return {name: train(name, widths) for name, widths in (("one layer", []), ("several layers", [16, 16]))}


if __name__ == "__main__":
    main()
