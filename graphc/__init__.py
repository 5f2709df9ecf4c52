"""graphc: TensorFlow 1's API as a static-graph compiler on XLA, through JAX. `import graphc as tf`.

A call on the public API appends an operation to a graph (see `ir`). A Session cuts a Program out of it, lowers it, and keeps the
executable. The packages, in the order in which a program passes through them:

    variables layers rnn losses metrics train data keras estimator summary image contrib    build graphs; they need no jax
    io              checkpoints, SavedModel, TFRecord, event files
    lowering        a Program becomes a function that JAX traces; here are the ops that only XLA can supply
    runtime         executables and their cache, the variables' values, host segments, Session
    parallel        meshes, sharding, replicas, several processes
    cli, tools      the command line; the programs that keep the project

Every other module here is a TF1 namespace: `graphc.nn` is `tf.nn`. Namespaces are written by `graphc/tools/namespaces.py` from
what definitions say of themselves (`api=`, `@export`, `__exports__`); nothing inside imports them.
"""
