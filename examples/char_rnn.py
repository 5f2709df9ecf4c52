"""Trains a character LSTM on Python's own help texts and lets it write, as one writes TensorFlow 1: dynamic_rnn to learn, while_loop to sample.

    python examples/char_rnn.py
"""

import re
import time
from pydoc_data.topics import topics

import numpy as np

import graphc as tf

UNITS, BATCH, STEPS = 128, 32, 40
SAMPLE, TEMPERATURE = 300, 0.7


def help_texts() -> str:
    """About 200,000 characters on classes, statements and expressions, without indentation."""
    return re.sub(r" +", " ", "\n".join(topics[k] for k in sorted(topics)))[:200_000]


def batches(ids: np.ndarray) -> np.ndarray:
    """The text in BATCH rows, cut in pieces of STEPS characters: [pieces, BATCH, STEPS + 1], the last character being the next piece's first."""
    width = (len(ids) - 1) // BATCH
    pieces = (width - 1) // STEPS
    starts = np.arange(BATCH)[:, None] * width + np.arange(STEPS + 1)
    return np.stack([ids[starts + k * STEPS] for k in range(pieces)])


def main(steps: int = 900) -> tuple[float, float, str]:
    """Trains, prints as it goes; returns the perplexity at first and at last, and a sample."""
    begin = time.time()
    text = help_texts()
    letters = sorted(set(text))
    number = {c: i for i, c in enumerate(letters)}
    data = batches(np.array([number[c] for c in text], np.int32))

    tf.reset_default_graph()
    tf.set_random_seed(1)
    given = tf.placeholder(tf.int32, [None, None], name="given")
    wanted = tf.placeholder(tf.int32, [None, None], name="wanted")
    cell = tf.nn.rnn_cell.LSTMCell(UNITS)
    start = cell.zero_state(tf.shape(given)[0], tf.float32)
    outputs, last = tf.nn.dynamic_rnn(cell, tf.one_hot(given, len(letters)), initial_state=start)
    weights = tf.get_variable("weights", [UNITS, len(letters)])
    bias = tf.get_variable("bias", [len(letters)], initializer=tf.zeros_initializer())
    logits = tf.nn.bias_add(tf.matmul(tf.reshape(outputs, [-1, UNITS]), weights), bias)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.reshape(wanted, [-1]), logits=logits))
    optimizer = tf.train.AdamOptimizer(0.004)
    grads, variables = zip(*optimizer.compute_gradients(loss), strict=True)
    clipped, _ = tf.clip_by_global_norm(grads, 5.0)
    train = optimizer.apply_gradients(zip(clipped, variables, strict=True))

    def write(i: tf.Tensor, letter: tf.Tensor, state: tf.nn.rnn_cell.LSTMStateTuple, out: tf.TensorArray) -> tuple[object, ...]:
        """Draws the next letter."""
        output, state = cell(tf.one_hot(letter, len(letters)), state)
        scores = tf.nn.bias_add(tf.matmul(output, weights), bias) / TEMPERATURE
        letter = tf.reshape(tf.multinomial(scores, 1, output_dtype=tf.int32), [1])
        return i + 1, letter, state, out.write(i, letter[0])

    first = [0, tf.constant([number["\n"]]), cell.zero_state(1, tf.float32), tf.TensorArray(tf.int32, size=SAMPLE)]
    sample = tf.while_loop(lambda i, *_: i < SAMPLE, write, first)[3].stack()

    losses: list[float] = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        state = None
        for k in range(steps):
            piece = data[k % len(data)]
            feeds = {given: piece[:, :-1], wanted: piece[:, 1:]}
            if k % len(data):  # the state goes on where the text does
                feeds |= {start.c: state.c, start.h: state.h}
            _, value, state = sess.run([train, loss, last], feeds)
            losses.append(value)
            if k % 100 == 99:
                print(f"step {k + 1}: perplexity {np.exp(np.mean(losses[-50:])):6.2f}, {time.time() - begin:4.1f} s")
        written = "".join(letters[i] for i in sess.run(sample))
    print(written)
    return float(np.exp(np.mean(losses[:10]))), float(np.exp(np.mean(losses[-50:]))), written


if __name__ == "__main__":
    main()
