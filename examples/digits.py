"""Trains a two-layer classifier on scikit-learn's handwritten digits, written as one writes TensorFlow 1.

    python examples/digits.py
"""

import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import graphc as tf

BATCH, EPOCHS = 64, 40


def dense(x: tf.Tensor, units: int, name: str) -> tf.Tensor:
    """A fully connected layer with variables `name/kernel` and `name/bias`."""
    with tf.variable_scope(name):
        kernel = tf.get_variable("kernel", [x.shape[1], units], initializer=tf.glorot_uniform_initializer())
        bias = tf.get_variable("bias", [units], initializer=tf.zeros_initializer())
        return tf.nn.bias_add(tf.matmul(x, kernel), bias)


def main() -> float:
    """Trains, prints as it goes, and returns the accuracy on the held-out fifth."""
    start = time.time()
    data, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(data / 16.0, labels, test_size=0.2, random_state=0, stratify=labels)

    tf.reset_default_graph()
    tf.set_random_seed(1)
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    y = tf.placeholder(tf.int64, [None], name="y")
    hidden = tf.nn.relu(dense(x, 128, "hidden"))
    logits = dense(hidden, 10, "output")
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits), name="loss")
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32), name="accuracy")
    global_step = tf.train.get_or_create_global_step()
    rate = tf.train.exponential_decay(0.005, global_step, decay_steps=300, decay_rate=0.7)
    train = tf.train.AdamOptimizer(rate).minimize(loss, global_step=global_step)

    shuffle = np.random.RandomState(0)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for epoch in range(EPOCHS):
            order = shuffle.permutation(len(train_x))
            losses = []
            for first in range(0, len(order), BATCH):  # the last batch is smaller, and is not left out
                rows = order[first : first + BATCH]
                _, value = sess.run([train, loss], {x: train_x[rows], y: train_y[rows]})
                losses.append(value)
            if epoch % 5 == 4:
                held_out, correct = sess.run([loss, accuracy], {x: test_x, y: test_y})
                print(f"epoch {epoch + 1:3d}  training loss {np.mean(losses):.4f}  validation loss {held_out:.4f}  accuracy {correct:.2%}")
        correct = sess.run(accuracy, {x: test_x, y: test_y})
        steps = sess.run(global_step)
    compiled = tf.runtime_counters().compilations
    print(f"accuracy {correct:.2%} on {len(test_x)} held-out digits after {steps} steps, {time.time() - start:.1f} s, {compiled} compilations")
    return float(correct)


if __name__ == "__main__":
    main()
