"""Training steps by graphc and by hand-written JAX, interleaved in one process: ratios of medians.

    python -m tests.benchmarks.steps [--repeat N] [--json FILE]

Both sides are fed NumPy batches and fetch the loss. The hand-written side is `jax.jit` with donated state and stays as it is.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import graphc as tf

Step = Callable[[], Any]


def interleaved(a: Step, b: Step, repeat: int, block: int) -> tuple[float, float, float]:
    """Returns the median seconds of one call of `a` and of `b`, and the median of the ratios of adjoining blocks."""
    for _ in range(max(3, block // 2)):
        a()
        b()
    times: list[tuple[float, float]] = []
    for i in range(repeat):
        pair = {}
        for name, fn in (("a", a), ("b", b)) if i % 2 == 0 else (("b", b), ("a", a)):
            start = time.perf_counter()
            for _ in range(block):
                fn()
            pair[name] = (time.perf_counter() - start) / block
        times.append((pair["a"], pair["b"]))
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times), statistics.median(t[0] / t[1] for t in times)


# -- a multi-layer perceptron ----------------------------------------------------------------------


def initial_weights(widths: list[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same starting point for both sides."""
    random = np.random.RandomState(0)
    return [((random.randn(i, o) / np.sqrt(i)).astype(np.float32), np.zeros(o, np.float32)) for i, o in itertools.pairwise(widths)]


def graphc_mlp(widths: list[int], adam: bool, x: np.ndarray, y: np.ndarray) -> tuple[Step, Any]:
    """One training step by graphc; also the session, for its executable."""
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [None, widths[0]])
        labels = tf.placeholder(tf.int32, [None])
        out = images
        for i, (w, b) in enumerate(initial_weights(widths)):
            out = tf.nn.bias_add(tf.matmul(out, tf.Variable(w)), tf.Variable(b))
            if i < len(widths) - 2:
                out = tf.nn.relu(out)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=out))
        optimizer = tf.train.AdamOptimizer(0.001) if adam else tf.train.GradientDescentOptimizer(0.01)
        step = optimizer.minimize(loss)
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
    feed = {images: x, labels: y}
    fetches = [step, loss]
    return lambda: sess.run(fetches, feed), sess


def jax_mlp(widths: list[int], adam: bool, x: np.ndarray, y: np.ndarray) -> tuple[Step, Any]:
    """The same step by hand: one jitted function, its state donated."""

    def loss_of(params: Any, images: Any, labels: Any) -> Any:
        out = images
        for i, (w, b) in enumerate(params):
            out = out @ w + b
            if i < len(params) - 1:
                out = jax.nn.relu(out)
        logp = jax.nn.log_softmax(out)
        return -jnp.mean(jnp.take_along_axis(logp, labels[:, None], axis=1))

    def sgd(state: Any, images: Any, labels: Any) -> Any:
        loss, grads = jax.value_and_grad(loss_of)(state, images, labels)
        return jax.tree.map(lambda p, g: p - 0.01 * g, state, grads), loss

    def adam_step(state: Any, images: Any, labels: Any) -> Any:
        params, m, v, b1, b2 = state
        loss, grads = jax.value_and_grad(loss_of)(params, images, labels)
        rate = 0.001 * jnp.sqrt(1 - b2) / (1 - b1)
        m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, grads)
        v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, v, grads)
        params = jax.tree.map(lambda p, a, c: p - rate * a / (jnp.sqrt(c) + 1e-8), params, m, v)
        return (params, m, v, b1 * 0.9, b2 * 0.999), loss

    params = jax.tree.map(jnp.array, initial_weights(widths))
    state: Any = params
    if adam:
        state = (params, jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params), jnp.float32(0.9), jnp.float32(0.999))
    jitted = jax.jit(adam_step if adam else sgd, donate_argnums=0)
    compiled = jitted.lower(state, x, y).compile()
    box = [state]

    def step() -> Any:
        box[0], loss = jitted(box[0], x, y)
        return float(loss)

    return step, compiled


def batch(n: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images and labels."""
    random = np.random.RandomState(1)
    return random.rand(n, features).astype(np.float32), random.randint(0, 10, n).astype(np.int32)


# -- many variables and empty runs ---------------------------------------------------------------------


def many_variables(count: int) -> tuple[float, float]:
    """`count` variables of 10 floats, each + 1: seconds to the first compiled step, and median seconds a step."""
    with tf.Graph().as_default():
        variables = [tf.Variable(np.zeros(10, np.float32)) for _ in range(count)]
        step = tf.group(*[tf.assign_add(v, np.ones(10, np.float32)) for v in variables])
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
    sess.run(step)
    start = time.perf_counter()
    sess.run(step)
    first = time.perf_counter() - start
    times = []
    for _ in range(200):
        start = time.perf_counter()
        sess.run(step)
        times.append(time.perf_counter() - start)
    assert sess.run(variables[-1])[0] == 202
    return first, statistics.median(times)


def empty_run() -> float:
    """Median seconds of a run that does nothing."""
    with tf.Graph().as_default():
        nothing = tf.no_op()
        sess = tf.Session()
    times = []
    for _ in range(2000):
        start = time.perf_counter()
        sess.run(nothing)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def cost(compiled: Any) -> tuple[float, float]:
    """FLOPs and bytes accessed of a compiled step, by XLA's count."""
    found = compiled.cost_analysis()
    found = found[0] if isinstance(found, list) else found
    return found.get("flops", 0.0), found.get("bytes accessed", 0.0)


MLPS = (
    ("MLP 784-256-256-10, batch 128, Adam", [784, 256, 256, 10], True, 128, 20),
    ("MLP 64-64-64-10, batch 32, SGD", [64, 64, 64, 10], False, 32, 200),
    ("MLP 64-64-64-10, batch 32, Adam", [64, 64, 64, 10], True, 32, 200),
    ("MLP 784-64-64-10, batch 32, SGD", [784, 64, 64, 10], False, 32, 200),
    ("MLP 784-32-32-10, batch 16, Adam", [784, 32, 32, 10], True, 16, 200),
)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--json")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name, widths, adam, size, block in MLPS:
        x, y = batch(size, widths[0])
        ours, sess = graphc_mlp(widths, adam, x, y)
        theirs, compiled = jax_mlp(widths, adam, x, y)
        a, b, ratio = interleaved(ours, theirs, args.repeat, block)
        (f1, b1), (f2, b2) = cost(sess.executables()[-1].compiled), cost(compiled)
        rows.append({"name": name, "graphc_us": a * 1e6, "jax_us": b * 1e6, "ratio": ratio, "flops": f1 / f2, "bytes": b1 / b2})
        print(f"{name:40s} graphc {a * 1e6:8.1f} us  jax {b * 1e6:8.1f} us  ratio {ratio:.3f}  flops {f1 / f2:.3f}  bytes {b1 / b2:.3f}")
    first, each = many_variables(1000)
    rows.append({"name": "1,000 variables + 1", "first_s": first, "graphc_us": each * 1e6})
    print(f"{'1,000 variables of 10 floats, each + 1':40s} graphc {each * 1e6:8.1f} us a step, {first:.2f} s to compile")
    nothing = empty_run()
    rows.append({"name": "empty run", "graphc_us": nothing * 1e6})
    print(f"{'empty run':40s} graphc {nothing * 1e6:8.1f} us")
    if args.json:
        with open(args.json, "w") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
