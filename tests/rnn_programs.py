"""Recurrent networks written for any TensorFlow 1 (`tf`): what variables they make and what they compute.

tests/data/rnn_tf115.npz and rnn_tf115.txt hold what TensorFlow 1.15.5 made of them: `record(tf, folder)` with it as `tf`. Runs on Python 3.7.
"""

import os

import numpy as np

B, T, D, N = 3, 4, 5, 6
LENGTHS = [2, 4, 0]


def inputs(tf, depth=D, batch=None, time=None):
    x = np.random.RandomState(7).randn(B, T, depth).astype(np.float32)
    return tf.placeholder_with_default(x, [batch, time, depth])


def dynamic(make, **kwargs):
    def program(tf):
        x = inputs(tf)
        out, state = tf.nn.dynamic_rnn(make(tf), x, dtype=tf.float32, **kwargs)
        return x, out, state

    return program


def one_step(make, depth=D):
    """A cell called twice in one scope, on the whole batch."""

    def program(tf):
        x = inputs(tf, depth, B, T)
        cell = make(tf)
        state = cell.zero_state(B, tf.float32)
        out, state = cell(x[:, 0], state)
        out2, state = cell(x[:, 1], state)
        return x, [out, out2], state

    return program


def multi(tf):
    c = tf.nn.rnn_cell
    return c.MultiRNNCell([c.LSTMCell(N), c.DropoutWrapper(c.GRUCell(N)), c.ResidualWrapper(c.BasicRNNCell(N))])


def multi_flat(tf):
    c = tf.nn.rnn_cell
    return c.MultiRNNCell([c.GRUCell(N), c.BasicLSTMCell(N, state_is_tuple=False)], state_is_tuple=False)


def variational(tf):
    c = tf.nn.rnn_cell
    cells = [(c.LSTMCell(N), D), (c.GRUCell(N), N)]
    same = {"variational_recurrent": True, "dtype": tf.float32}
    return c.MultiRNNCell([c.DropoutWrapper(k, 0.6, 0.7, 0.8, input_size=s, seed=i, **same) for i, (k, s) in enumerate(cells)])


def bidirectional(tf):
    c = tf.nn.rnn_cell
    x = inputs(tf)
    out, state = tf.nn.bidirectional_dynamic_rnn(c.LSTMCell(N), c.GRUCell(N), x, sequence_length=LENGTHS, dtype=tf.float32)
    return x, out, state


def bidirectional_whole(tf):
    c = tf.nn.rnn_cell
    x = inputs(tf)
    out, state = tf.nn.bidirectional_dynamic_rnn(c.GRUCell(N), c.GRUCell(N), tf.transpose(x, [1, 0, 2]), dtype=tf.float32, time_major=True, scope="both")
    return x, out, state


def static(tf):
    x = inputs(tf, batch=B, time=T)
    out, state = tf.nn.static_rnn(tf.nn.rnn_cell.BasicLSTMCell(N), tf.unstack(x, axis=1), dtype=tf.float32)
    return x, out, state


def static_lengths(tf):
    x = inputs(tf, batch=B, time=T)
    out, state = tf.nn.static_rnn(tf.nn.rnn_cell.GRUCell(N), tf.unstack(x, axis=1), dtype=tf.float32, sequence_length=LENGTHS)
    return x, out, state


def static_both(tf):
    c = tf.nn.rnn_cell
    x = inputs(tf, batch=B, time=T)
    steps = tf.unstack(x, axis=1)
    out, fw, bw = tf.nn.static_bidirectional_rnn(c.GRUCell(N), c.LSTMCell(N), steps, dtype=tf.float32, sequence_length=LENGTHS)
    return x, out, [fw, bw]


def stacked_static(tf):
    c = tf.nn.rnn_cell
    x = inputs(tf, batch=B, time=T)
    out, fw, bw = tf.contrib.rnn.stack_bidirectional_rnn(
        [c.GRUCell(3), c.GRUCell(N)], [c.GRUCell(3), c.GRUCell(N)], tf.unstack(x, axis=1), dtype=tf.float32
    )
    return x, out, [fw, bw]


def stacked_dynamic(tf):
    c = tf.nn.rnn_cell
    x = inputs(tf)
    out, fw, bw = tf.contrib.rnn.stack_bidirectional_dynamic_rnn(
        [c.GRUCell(3), c.LSTMCell(N)], [c.GRUCell(3), c.LSTMCell(N)], x, dtype=tf.float32, sequence_length=LENGTHS
    )
    return x, out, [fw, bw]


def raw(tf):
    x = inputs(tf, batch=B, time=T)
    cell = tf.nn.rnn_cell.LSTMCell(N)
    steps = tf.TensorArray(tf.float32, size=T).unstack(tf.transpose(x, [1, 0, 2]))

    def loop_fn(time, output, state, loop_state):
        finished = time >= tf.constant([2, 4, 1])
        done = tf.reduce_all(finished)
        following = tf.cond(done, lambda: tf.zeros([B, D]), lambda: steps.read(tf.minimum(time, T - 1)))
        if output is None:
            return finished, following, cell.zero_state(B, tf.float32), None, None
        return finished, following, state, output, None

    out, state, _ = tf.nn.raw_rnn(cell, loop_fn)
    return x, out.stack(), state


def saved_state(tf):
    x = inputs(tf, batch=B, time=T)
    kept = []

    class Saver:
        def state(self, name):
            return tf.ones([B, N]) * (0.5 if name == "c" else 0.25)

        def save_state(self, name, value):
            kept.append(tf.identity(value))
            return kept[-1]

    out, state = tf.nn.static_state_saving_rnn(tf.nn.rnn_cell.BasicLSTMCell(N), tf.unstack(x, axis=1), Saver(), ("c", "h"))
    return x, out, [state, kept]


def shared(tf):
    """Two networks with one set of variables, by the scope and by the cell."""
    x = inputs(tf)
    c = tf.nn.rnn_cell
    with tf.variable_scope("model"):
        a, _ = tf.nn.dynamic_rnn(c.BasicLSTMCell(N), x, dtype=tf.float32)
    with tf.variable_scope("model", reuse=True):
        b, _ = tf.nn.dynamic_rnn(c.BasicLSTMCell(N), 2.0 * x, dtype=tf.float32)
    cell = c.GRUCell(N, reuse=tf.AUTO_REUSE, name="gru")
    d, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32, scope="first")
    e, _ = tf.nn.dynamic_rnn(cell, 2.0 * x, dtype=tf.float32, scope="second")
    return x, [a, b], [d, e]


def embedded(tf):
    ids = tf.constant([[1, 2, 0, 3], [0, 0, 1, 2], [3, 2, 1, 0]])
    cell = tf.contrib.rnn.EmbeddingWrapper(tf.nn.rnn_cell.GRUCell(N), 4, D)
    state = cell.zero_state(B, tf.float32)
    out, state = tf.nn.static_rnn(cell, tf.unstack(ids, axis=1), initial_state=state)
    return None, out, state


def fused(tf, **kwargs):
    x = inputs(tf, batch=B, time=T)
    out, state = tf.contrib.rnn.LSTMBlockFusedCell(N, **kwargs)(tf.transpose(x, [1, 0, 2]), dtype=tf.float32, sequence_length=LENGTHS)
    return x, out, state


def adapted(tf):
    x = inputs(tf, batch=B, time=T)
    r = tf.contrib.rnn
    cell = r.TimeReversedFusedRNN(r.FusedRNNCellAdaptor(tf.nn.rnn_cell.GRUCell(N), use_dynamic_rnn=True))
    out, state = cell(tf.transpose(x, [1, 0, 2]), dtype=tf.float32, sequence_length=LENGTHS)
    return x, out, state


def custom(tf):
    """A cell as users write them, with get_variable in `call`."""

    class Cell(tf.nn.rnn_cell.RNNCell):
        @property
        def state_size(self):
            return N

        @property
        def output_size(self):
            return 2

        def call(self, inputs, state):
            w = tf.get_variable("w", [D, N])
            with tf.variable_scope("out"):
                u = tf.get_variable("u", [N, 2])
            state = tf.tanh(tf.matmul(inputs, w) + state)
            return tf.matmul(state, u), state

    return Cell()


def phased(tf):
    x = inputs(tf, batch=B, time=T)
    time = tf.constant(np.arange(B * T).reshape(B, T, 1) * 0.7, tf.float32)
    out, state = tf.nn.dynamic_rnn(tf.contrib.rnn.PhasedLSTMCell(N, use_peepholes=True), (time, x), dtype=tf.float32)
    return x, out, state


def images(tf):
    x = np.random.RandomState(9).randn(2, 3, 4, 4, 2).astype(np.float32)
    x = tf.placeholder_with_default(x, [2, 3, 4, 4, 2])
    cell = tf.contrib.rnn.Conv2DLSTMCell(input_shape=[4, 4, 2], output_channels=3, kernel_shape=[3, 3])
    out, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    return x, out, state


def cell(kind, *args, **kwargs):
    def make(tf):
        where = tf.nn.rnn_cell if hasattr(tf.nn.rnn_cell, kind) else tf.contrib.rnn
        return getattr(where, kind)(*args, **kwargs)

    return make


def wrapped(kind, inner, *args, **kwargs):
    return lambda tf: cell(kind, inner(tf), *args, **kwargs)(tf)


PROGRAMS = {
    "basic_rnn": dynamic(cell("BasicRNNCell", N)),
    "basic_rnn_relu": dynamic(cell("BasicRNNCell", N, activation="relu"), sequence_length=LENGTHS),
    "gru": dynamic(cell("GRUCell", N), sequence_length=LENGTHS),
    "basic_lstm": dynamic(cell("BasicLSTMCell", N, forget_bias=0.5)),
    "basic_lstm_flat": dynamic(cell("BasicLSTMCell", N, state_is_tuple=False), sequence_length=LENGTHS),
    "lstm": dynamic(cell("LSTMCell", N), sequence_length=LENGTHS),
    "lstm_time_major": dynamic(cell("LSTMCell", N), time_major=True),
    "lstm_all": dynamic(cell("LSTMCell", N, use_peepholes=True, cell_clip=0.3, num_proj=4, proj_clip=0.1)),
    "lstm_flat": dynamic(cell("LSTMCell", N, num_proj=4, state_is_tuple=False)),
    "lstm_named": dynamic(cell("LSTMCell", N, name="mine"), scope="outer"),
    "multi": dynamic(multi, sequence_length=LENGTHS),
    "multi_flat": dynamic(multi_flat),
    "bidirectional": bidirectional,
    "bidirectional_whole": bidirectional_whole,
    "static": static,
    "static_lengths": static_lengths,
    "static_both": static_both,
    "stacked_static": stacked_static,
    "stacked_dynamic": stacked_dynamic,
    "raw": raw,
    "saved_state": saved_state,
    "shared": shared,
    "custom": dynamic(custom),
    "custom_steps": one_step(custom),
    "steps": one_step(multi),
    "coupled": dynamic(cell("CoupledInputForgetGateLSTMCell", N, use_peepholes=True, num_proj=4, num_unit_shards=2)),
    "coupled_normalized": dynamic(cell("CoupledInputForgetGateLSTMCell", N, layer_norm=True, norm_gain=0.8, norm_shift=0.1)),
    "layer_norm": dynamic(cell("LayerNormBasicLSTMCell", N)),
    "layer_norm_off": dynamic(cell("LayerNormBasicLSTMCell", N, layer_norm=False)),
    "ugrnn": dynamic(cell("UGRNNCell", N)),
    "intersection": dynamic(cell("IntersectionRNNCell", N, num_in_proj=N)),
    "nas": dynamic(cell("NASCell", N, num_proj=4, use_bias=True)),
    "glstm": one_step(cell("GLSTMCell", N, number_of_groups=2, num_proj=4), 4),
    "phased": phased,
    "images": images,
    "ind_rnn": dynamic(cell("IndRNNCell", N)),
    "indy_gru": dynamic(cell("IndyGRUCell", N)),
    "indy_lstm": dynamic(cell("IndyLSTMCell", N)),
    "sru": dynamic(cell("SRUCell", N)),
    "lstm_block": dynamic(cell("LSTMBlockCell", N)),
    "lstm_block_all": dynamic(cell("LSTMBlockCell", N, use_peephole=True, cell_clip=0.3)),
    "gru_block": dynamic(cell("GRUBlockCell", N)),
    "gru_block_v2": dynamic(cell("GRUBlockCellV2", N)),
    "fused": fused,
    "fused_peephole": lambda tf: fused(tf, use_peephole=True),
    "adapted": adapted,
    "embedded": embedded,
    "input_projection": dynamic(wrapped("InputProjectionWrapper", cell("GRUCell", N), 3)),
    "output_projection": dynamic(wrapped("OutputProjectionWrapper", cell("GRUCell", N), 3)),
    "attention": dynamic(wrapped("AttentionCellWrapper", cell("LSTMCell", N), 3, state_is_tuple=True)),
    "attention_flat": dynamic(wrapped("AttentionCellWrapper", cell("GRUCell", N), 2, attn_size=4, attn_vec_size=3, state_is_tuple=False)),
    "highway": dynamic(wrapped("HighwayWrapper", cell("GRUCell", D))),
    "dropout": dynamic(wrapped("DropoutWrapper", cell("LSTMCell", N), 0.5, 0.7, 0.9, seed=5), parallel_iterations=1),
    "dropout_steps": one_step(wrapped("DropoutWrapper", multi, 0.5, 0.7, 0.6, seed=5)),
    "dropout_variational": dynamic(variational, sequence_length=LENGTHS),
    "highway_two_gates": dynamic(wrapped("HighwayWrapper", cell("GRUCell", D), couple_carry_transform_gates=False)),
}


def flat(structure):
    """The tensors of a nest, dicts aside."""
    if isinstance(structure, (list, tuple)):
        return [t for s in structure for t in flat(s)]
    return [structure]


def weights(number, shape):
    """The value of variable `number` in the order of creation."""
    return (np.random.RandomState(number).randn(*shape) * 0.4).astype(np.float32)


def run(tf, program, times=1):
    """Returns the names and shapes of the variables, and the outputs, last states and gradients of a program."""
    with tf.Graph().as_default():
        x, out, state = program(tf)
        results = flat(out) + flat(state)
        variables = tf.trainable_variables()
        loss = tf.add_n([tf.reduce_sum(tf.sin(t)) for t in flat(out)])
        grads = tf.gradients(loss, ([] if x is None else [x]) + variables)
        results += [tf.convert_to_tensor(g) for g in grads if g is not None]
        names = [f"{v.name} {v.shape.as_list()}" for v in variables]
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for i, v in enumerate(variables):
                v.load(weights(i, v.shape.as_list()), sess)
            for _ in range(times):
                values = sess.run(results)
    return names, values


def record(tf, folder):
    """Writes what TensorFlow makes of the programs."""
    arrays = {}
    with open(os.path.join(folder, "rnn_tf115.txt"), "w") as f:
        for key in sorted(PROGRAMS):
            names, values = run(tf, PROGRAMS[key])
            f.write("\n".join([key] + ["  " + n for n in names]) + "\n")
            for i, v in enumerate(values):
                arrays[f"{key}/{i}"] = v
    np.savez_compressed(os.path.join(folder, "rnn_tf115.npz"), **arrays)
