"""What `tf.something` says when it does not exist: whether TensorFlow 1.15 has it, what comes closest, what to write instead.

The generated namespaces ask here; `tf1_names.txt`, beside this file, lists TensorFlow 1.15's public names, one namespace a line.
"""

import difflib
import functools
import sys
from pathlib import Path

_NAMES = Path(__file__).with_name("tf1_names.txt")
_STATIC = "graphc is define-then-run"

#: names that belong to eager execution or functions traced from Python
EAGER = {
    "GradientTape": f"{_STATIC}: write `grads = tf.gradients(loss, variables)` and run `grads` in a Session.",
    "enable_eager_execution": f"{_STATIC}, with no eager mode: build the graph, then `tf.Session().run(fetches, feed_dict)`.",
    "enable_v2_behavior": f"{_STATIC} and keeps TensorFlow 1 behavior: leave the call out.",
    "function": f"{_STATIC}: a graph is compiled as a whole, so call the Python function once to build it and run its results in a Session.",
    "py_function": f"{_STATIC}: use tf.py_func, which hands NumPy arrays to Python while the graph runs.",
    "eager": f"{_STATIC}, with no eager mode: tf.gradients, tf.train and tf.data do here what tf.contrib.eager does there.",
}

#: names of other versions of TensorFlow -> the name in 1.15
RENAMED = {
    "tf.mul": "tf.multiply", "tf.sub": "tf.subtract", "tf.neg": "tf.negative", "tf.pack": "tf.stack", "tf.unpack": "tf.unstack",
    "tf.select": "tf.where", "tf.concat_v2": "tf.concat", "tf.batch_matmul": "tf.matmul", "tf.complex_abs": "tf.abs",
    "tf.initialize_variables": "tf.variables_initializer", "tf.inv": "tf.reciprocal", "tf.listdiff": "tf.setdiff1d",
    "tf.scalar_summary": "tf.summary.scalar", "tf.histogram_summary": "tf.summary.histogram", "tf.image_summary": "tf.summary.image",
    "tf.audio_summary": "tf.summary.audio", "tf.merge_summary": "tf.summary.merge", "tf.merge_all_summaries": "tf.summary.merge_all",
    "tf.train.SummaryWriter": "tf.summary.FileWriter", "tf.nn.rnn": "tf.nn.static_rnn", "tf.nn.seq2seq": "tf.contrib.legacy_seq2seq",
    "tf.batch_matrix_diag": "tf.matrix_diag", "tf.reduce_std": "tf.math.reduce_std", "tf.optimizers": "tf.keras.optimizers or tf.train",
    "tf.data.AUTOTUNE": "tf.data.experimental.AUTOTUNE",
}  # fmt: skip


@functools.cache
def tf_names() -> frozenset[str]:
    """Returns TensorFlow 1.15's public names."""
    lines = (line.partition(": ") for line in _NAMES.read_text(encoding="utf-8").splitlines())
    return frozenset(f"{space}.{name}" for space, _, names in lines for name in names.split())


def exists(public: str) -> bool:
    """Whether graphc has `public`, a dotted name that starts with "tf."."""
    found: object = sys.modules.get("graphc")
    for part in public.split(".")[1:]:
        try:
            found = vars(found).get(part)
        except TypeError:
            return False
        if found is None:
            return False
    return True


def explain(module: str, name: str) -> str:
    """Returns the message for a missing `name` in the namespace module called `module`."""
    plain = f"module '{module}' has no attribute '{name}'"
    if name.startswith("_"):
        return plain
    space = module.replace("graphc.compat.v1", "graphc", 1).replace("graphc", "tf", 1)
    public = f"{space}.{name}"
    if name in EAGER:
        return f"{plain}. {EAGER[name]}"
    if public in RENAMED:
        return f"{plain}: {public} is {RENAMED[public]} in TensorFlow 1.15."
    names = tf_names()
    is_space = any(n.startswith(public + ".") for n in names)
    known = public in names or is_space
    verdict = f"{public} is part of TensorFlow 1.15, but graphc does not have it yet" if known else f"TensorFlow 1.15 has no {public}"
    near = _nearest(public, names)
    return f"{plain}: {verdict}.{' Nearest: ' + ', '.join(near) + '.' if near else ''}"


def _nearest(public: str, names: frozenset[str]) -> list[str]:
    last = public.rpartition(".")[2]
    elsewhere = sorted(n for n in names if n.rpartition(".")[2].lower() == last.lower() and n != public and exists(n))
    close = [n for n in difflib.get_close_matches(public, names, n=8, cutoff=0.75) if n != public and exists(n)]
    return list(dict.fromkeys([*elsewhere, *close]))[:3]
