"""A training step compiles for a TPU that is not there, where libtpu can be installed."""

import os
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import jax
    from jax.experimental import topologies
    import numpy as np
    import graphc as tf

    device = topologies.get_topology_desc("v5e:1x1", platform="tpu", chips_per_host_bounds=(1, 1, 1)).devices[0]
    x, y = tf.placeholder(tf.float32, [None, 64]), tf.placeholder(tf.int64, [None])
    hidden = tf.nn.relu(tf.matmul(x, tf.get_variable("kernel", [64, 128])))
    logits = tf.matmul(hidden, tf.get_variable("output", [128, 10]))
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    train = tf.train.AdamOptimizer(0.003).minimize(loss)
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    compiled = sess.compile_for(device, [train, loss], {x: (32, 64), y: (32,)})
    print("peak", compiled.memory_analysis().peak_memory_in_bytes)
"""


def test_training_step_compiles_for_tpu() -> None:
    pytest.importorskip("libtpu", reason="libtpu is not installed: the TPU compilation was not tried")
    env = {
        **os.environ, "JAX_PLATFORMS": "cpu", "TPU_SKIP_MDS_QUERY": "1", "TPU_ACCELERATOR_TYPE": "v5litepod-1", "TPU_WORKER_HOSTNAMES": "localhost",
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(PROGRAM)], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[-1]) > 0
