"""Recurrent networks by graphc and by hand-written JAX, interleaved in one process: ratios of medians.

    python -m tests.benchmarks.rnn [--repeat N] [--json FILE]

The hand-written side is `jax.jit` of `lax.scan` with donated state: once with the cell's one matrix product a step, as both sides are written, and once
with the product of all inputs taken before the loop, which is the best that is known for this cell.
"""

import argparse
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import graphc as tf
from graphc.rnn.basic_cells import BasicLSTMCell
from graphc.rnn.dynamic import dynamic_rnn
from tests.benchmarks.steps import Step, cost, interleaved

RATE = 0.01


def weights(inputs: int, units: int, classes: int) -> dict[str, np.ndarray]:
    """The same starting point for both sides."""
    random = np.random.RandomState(0)
    kernel = random.randn(inputs + units, 4 * units) / np.sqrt(inputs + units)
    out = random.randn(units, classes) / np.sqrt(units)
    return {"kernel": kernel.astype(np.float32), "bias": np.zeros(4 * units, np.float32), "out": out.astype(np.float32)}


def batch(size: int, steps: int, inputs: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Random sequences and labels."""
    random = np.random.RandomState(1)
    return random.randn(size, steps, inputs).astype(np.float32), random.randint(0, classes, size).astype(np.int32)


def graphc_lstm(start: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, units: int) -> tuple[Step, Any]:
    """One training step by graphc; also the session, for its executable."""
    with tf.Graph().as_default():
        sequences = tf.placeholder(tf.float32, [None, None, x.shape[2]])
        labels = tf.placeholder(tf.int32, [None])
        cell = BasicLSTMCell(units)
        _, state = dynamic_rnn(cell, sequences, dtype=tf.float32)
        out = tf.Variable(start["out"])
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=tf.matmul(state.h, out)))
        step = tf.train.GradientDescentOptimizer(RATE).minimize(loss)
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
        cell.trainable_weights[0].load(start["kernel"], sess)
        cell.trainable_weights[1].load(start["bias"], sess)
    fetches = [step, loss]
    return lambda: sess.run(fetches, {sequences: x, labels: y})[1], sess


def jax_lstm(start: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, units: int, hoisted: bool) -> tuple[Step, Any]:
    """The same step by hand."""

    def loss_of(p: Any, sequences: Any, labels: Any) -> Any:
        n = sequences.shape[2]
        steps = jnp.swapaxes(sequences, 0, 1)
        zero = jnp.zeros((sequences.shape[0], units), jnp.float32)

        def step(carry: Any, given: Any) -> Any:
            c, h = carry
            gates = given + h @ p["kernel"][n:] if hoisted else jnp.concatenate([given, h], 1) @ p["kernel"] + p["bias"]
            i, j, f, o = jnp.split(gates, 4, axis=1)
            c = c * jax.nn.sigmoid(f + 1.0) + jax.nn.sigmoid(i) * jnp.tanh(j)
            h = jnp.tanh(c) * jax.nn.sigmoid(o)
            return (c, h), None

        given = steps @ p["kernel"][:n] + p["bias"] if hoisted else steps
        (_, h), _ = lax.scan(step, (zero, zero), given)
        logp = jax.nn.log_softmax(h @ p["out"])
        return -jnp.mean(jnp.take_along_axis(logp, labels[:, None], axis=1))

    def train(p: Any, sequences: Any, labels: Any) -> Any:
        loss, grads = jax.value_and_grad(loss_of)(p, sequences, labels)
        return jax.tree.map(lambda a, g: a - RATE * g, p, grads), loss

    jitted = jax.jit(train, donate_argnums=0)
    params = jax.tree.map(jnp.array, start)
    compiled = jitted.lower(params, x, y).compile()
    box = [params]

    def step() -> Any:
        box[0], loss = jitted(box[0], x, y)
        return float(loss)

    return step, compiled


# -- a loop of unknown trip count ------------------------------------------------------------------------


def graphc_unknown(w: np.ndarray, starts: list[np.ndarray]) -> tuple[Step, Any]:
    """Iterates until the value is small, at most 1,000 times, and differentiates through that."""
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, w.shape[0]])
        weight = tf.Variable(w)
        _, y = tf.while_loop(
            lambda i, y: tf.reduce_max(tf.abs(y)) > 1e-2, lambda i, y: (i + 1, tf.tanh(tf.matmul(y, weight))), [0, x], maximum_iterations=1000
        )
        loss = tf.reduce_sum(y * y)
        step = tf.train.GradientDescentOptimizer(0.0).minimize(loss)
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
    turn = iter(range(1 << 60))
    return lambda: sess.run([step, loss], {x: starts[next(turn) % len(starts)]})[1], sess


def jax_unknown(w: np.ndarray, starts: list[np.ndarray]) -> tuple[Step, Any, list[int]]:
    """The loop forwards as `lax.while_loop`, which tells the trip count, then a scan of that length and its gradient."""

    def count(weight: Any, x: Any) -> Any:
        def go(s: Any) -> Any:
            return (s[0] < 1000) & (jnp.abs(s[1]).max() > 1e-2)

        return lax.while_loop(go, lambda s: (s[0] + 1, jnp.tanh(s[1] @ weight)), (0, x))[0]

    def train(weight: Any, x: Any, n: int) -> Any:
        def loss_of(weight: Any) -> Any:
            y, _ = lax.scan(lambda y, _: (jnp.tanh(y @ weight), None), x, None, length=n)
            return (y * y).sum()

        loss, grad = jax.value_and_grad(loss_of)(weight)
        return weight - 0.0 * grad, loss

    counted = jax.jit(count)
    jitted = jax.jit(train, static_argnums=2, donate_argnums=0)
    box = [jnp.array(w)]
    turn = iter(range(1 << 60))

    def step() -> Any:
        x = starts[next(turn) % len(starts)]
        box[0], loss = jitted(box[0], x, int(counted(box[0], x)))
        return float(loss)

    return step, None, [int(counted(box[0], x)) for x in starts]


def unknown_case(width: int, rows: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """A contraction, and starts of different sizes: about 37 iterations in the mean."""
    random = np.random.RandomState(2)
    q, _ = np.linalg.qr(random.randn(width, width))
    starts = [(random.randn(rows, width) * scale).astype(np.float32) for scale in (0.05, 0.2, 1.0, 4.0)]
    return (q * 0.88).astype(np.float32), starts


LSTMS = (
    ("LSTM 128 wide, 50 steps, batch 64", 128, 128, 50, 64, 3),
    ("LSTM 32 wide, 20 steps, batch 16", 32, 32, 20, 16, 30),
    ("LSTM 256 wide, 20 steps, batch 32", 256, 128, 20, 32, 3),
)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=11)
    parser.add_argument("--json")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name, units, inputs, steps, size, block in LSTMS:
        start = weights(inputs, units, 10)
        x, y = batch(size, steps, inputs, 10)
        ours, sess = graphc_lstm(start, x, y, units)
        for hoisted in (False, True):
            theirs, compiled = jax_lstm(start, x, y, units, hoisted)
            a, b, ratio = interleaved(ours, theirs, args.repeat, block)
            (f1, b1), (f2, b2) = cost(sess.executables()[-1].compiled), cost(compiled)
            label = f"{name}{', inputs multiplied before the loop' if hoisted else ''}"
            rows.append({"name": label, "graphc_us": a * 1e6, "jax_us": b * 1e6, "ratio": ratio, "flops": f1 / f2, "bytes": b1 / b2})
            print(f"{label:75s} graphc {a * 1e6:8.1f} us  jax {b * 1e6:8.1f} us  ratio {ratio:.3f}  flops {f1 / f2:.3f}  bytes {b1 / b2:.3f}", flush=True)
    for width, size in ((64, 32), (16, 4)):
        w, starts = unknown_case(width, size)
        ours, _ = graphc_unknown(w, starts)
        theirs, _, counts = jax_unknown(w, starts)
        a, b, ratio = interleaved(ours, theirs, args.repeat, 40)
        label = f"unknown trip count (mean {np.mean(counts):.0f} of at most 1,000), {size} x {width}"
        rows.append({"name": label, "graphc_us": a * 1e6, "jax_us": b * 1e6, "ratio": ratio})
        print(f"{label:75s} graphc {a * 1e6:8.1f} us  jax {b * 1e6:8.1f} us  ratio {ratio:.3f}")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
