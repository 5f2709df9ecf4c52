"""Reads, with the real TensorFlow 1.15, checkpoints that graphc wrote; run with its Python. Not a test by itself.

python checkpoint_tf115.py values PREFIX OUT.npz    every tensor of a checkpoint
python checkpoint_tf115.py resume PREFIX OUT.npz    imports PREFIX.meta, restores, runs "Adam" once, and gives the variables
"""

import sys

import numpy as np
import tensorflow as tf


def main(kind: str, prefix: str, out: str) -> None:
    if kind == "values":
        reader = tf.train.NewCheckpointReader(prefix)
        found = {n: reader.get_tensor(n) for n in reader.get_variable_to_shape_map()}
    else:
        saver = tf.train.import_meta_graph(prefix + ".meta")
        with tf.Session() as sess:
            saver.restore(sess, prefix)
            sess.run("Adam")
            found = {v.op.name: sess.run(v) for v in tf.global_variables()}
    np.savez(out, **{k.replace("/", "|"): (v.astype(np.float64) if v.dtype.name == "bfloat16" else v) for k, v in found.items()})


main(*sys.argv[1:])
