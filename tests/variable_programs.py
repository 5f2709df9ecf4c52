"""Programs that make variables, scopes, initializers and random ops, written for any TensorFlow 1 (`tf`).

tests/data/variables_tf115.txt holds what TensorFlow 1.15.5 made of them: `recorded(tf)` with it as `tf`. Runs on Python 3.7.
"""

import re


def basic(tf):
    tf.set_random_seed(3)
    v = tf.Variable([1.0, 2.0], name="v")
    w = tf.Variable(tf.random_normal([2, 3]), name="w")
    tf.Variable(lambda: tf.truncated_normal([3]), trainable=False)
    tf.Variable(tf.zeros([4]), dtype=tf.float32)
    a = tf.Variable(5)
    _ = v + 1.0, 2.0 * v, v * v, -v, v[0], w[:, 1], abs(v), v < 1.0, a // 2, v**2.0
    v[1:].assign([3.0])
    tf.assign(v, [3.0, 4.0])
    tf.assign_add(v, [1.0, 1.0], name="aa")
    v.assign_sub([1.0, 1.0])
    v.read_value()
    v.assign([1.0, 1.0], read_value=False)
    tf.scatter_add(v, [0], [1.0])
    tf.scatter_update(w, [0], [[1.0, 1.0, 1.0]])
    tf.scatter_nd_update(v, [[0]], [2.0])
    tf.count_up_to(a, 10)
    tf.global_variables_initializer()
    tf.is_variable_initialized(v)


def resource(tf):
    v = tf.Variable([1.0, 2.0], name="v", use_resource=True)
    w = tf.Variable(lambda: tf.random_normal([2, 3], seed=1), use_resource=True)
    a = tf.Variable(5, use_resource=True)
    _ = v + 1.0, 2.0 * v, v * v, -v, v[0], a // 2
    v[1:].assign([3.0])
    tf.assign(v, [3.0, 4.0])
    tf.assign_add(v, [1.0, 1.0], name="aa")
    x = v.assign_sub([1.0, 1.0])
    _ = x + 1.0, x.read_value(), v.read_value()
    v.assign([1.0, 1.0], read_value=False)
    tf.scatter_add(v, [0], [1.0])
    tf.scatter_update(w, [0], [[1.0, 1.0, 1.0]])
    tf.scatter_nd_update(v, [[0]], [2.0])
    tf.count_up_to(a, 10)
    v.sparse_read([0, 1])
    v.gather_nd([[1]])
    tf.global_variables_initializer()
    tf.is_variable_initialized(v)


def scopes(tf):
    zeros = tf.zeros_initializer()

    def var(name, n=1):
        return tf.get_variable(name, [n], initializer=zeros)

    def op():
        tf.constant(1.0, name="c")

    with tf.variable_scope("a") as s:
        x = var("x", 2)
        op()
        with tf.variable_scope("b", initializer=tf.constant_initializer(2.0)):
            tf.get_variable("y", [2, 3])
            op()
            with tf.name_scope("n"):
                var("q")
                op()
    with tf.variable_scope("a", reuse=True):
        assert var("x", 2) is x
        op()
    with tf.variable_scope(s, reuse=True) as again:
        op()
        assert again.original_name_scope == "a/"
        with tf.variable_scope("b") as below:
            assert below.reuse is True
            op()
    with tf.variable_scope(s, auxiliary_name_scope=False):
        op()
        var("new")
    for _ in range(2):
        with tf.variable_scope(None, "d"):
            var("x")
            op()
    with tf.variable_scope("outer"):
        with tf.variable_scope(s):
            var("y2")
            op()
        with tf.variable_scope(None, "d"):
            var("x")
        with tf.variable_scope(None, "d", use_resource=True):
            var("x")
    with tf.variable_scope(""):
        tf.get_variable("root", [1], dtype=tf.int32)
        op()
    with tf.variable_scope("r", regularizer=lambda w: tf.reduce_sum(w * w)):
        var("w", 2)
    with tf.variable_scope("r", reuse=tf.AUTO_REUSE):
        tf.get_variable("w")
        tf.get_variable("w2", initializer=tf.ones([2]))
        tf.get_variable("w3", initializer=[1.0, 2.0])
    tf.get_local_variable("loc", [2], initializer=zeros)
    twice = tf.variable_scope("again")
    for _ in range(2):
        with twice:
            op()
    with tf.variable_scope("re"):
        with tf.variable_scope("in") as i:
            op()
        with tf.variable_scope(i.original_name_scope):
            op()
        with tf.variable_scope(i, auxiliary_name_scope=False), tf.name_scope(i.original_name_scope):
            op()
    tf.global_variables_initializer()
    tf.local_variables_initializer()


def partitions(tf):
    ones = tf.ones_initializer()
    v = tf.get_variable("p", [5, 2], initializer=ones, partitioner=tf.fixed_size_partitioner(3))
    tf.convert_to_tensor(v)
    w = tf.get_variable("q", initializer=tf.zeros([4, 2]), partitioner=tf.variable_axis_size_partitioner(16))
    w.assign(tf.ones([4, 2]))
    with tf.variable_scope("s", partitioner=tf.min_max_variable_partitioner(2, min_slice_size=8)):
        tf.get_variable("x", [4], initializer=tf.variance_scaling_initializer())
        tf.get_variable("sc", [], initializer=ones)
    with tf.variable_scope("", reuse=True):
        assert tf.get_variable("p") is v
    tf.create_partitioned_variables([4, 2], [2, 1], ones, name="cp")


def initializers(tf):
    tf.set_random_seed(11)
    keras = tf.keras.initializers
    made = [
        tf.zeros_initializer(), tf.ones_initializer(), tf.constant_initializer([1, 2, 3]), tf.random_uniform_initializer(-1, 1),
        tf.random_normal_initializer(stddev=0.1), tf.truncated_normal_initializer(seed=3), tf.uniform_unit_scaling_initializer(),
        tf.variance_scaling_initializer(2.0, "fan_out", "uniform"), tf.glorot_uniform_initializer(), tf.glorot_normal_initializer(),
        tf.initializers.he_normal(), tf.initializers.lecun_uniform(), keras.RandomNormal(), keras.RandomUniform(), keras.TruncatedNormal(seed=5),
    ]  # fmt: skip
    for i, initializer in enumerate(made):
        tf.get_variable("i%d" % i, [3, 2, 4], initializer=initializer)  # noqa: UP031
    tf.get_variable("a_class", [3], initializer=tf.zeros_initializer)
    tf.get_variable("integers", [3], dtype=tf.int32)
    tf.get_variable("booleans", [3], dtype=tf.bool)
    tf.get_variable("strings", [2], dtype=tf.string)
    return [str(sorted(i.get_config().items())) for i in made]


def orthogonal(tf):
    tf.set_random_seed(11)
    tf.get_variable("tall", [3, 2, 4], initializer=tf.orthogonal_initializer(2.0))
    tf.get_variable("wide", [3, 8], tf.float64, initializer=tf.orthogonal_initializer())


def getters(tf):
    zeros = tf.zeros_initializer()

    def renamed(getter, name, *args, **kwargs):
        kwargs["trainable"] = False
        return getter(name + "_x", *args, **kwargs)

    def doubled(getter, *args, **kwargs):
        return getter(*args, **kwargs) * 2.0

    with tf.variable_scope("a", custom_getter=renamed):
        names = [tf.get_variable("v", [2], initializer=zeros).name]
        with tf.variable_scope("b", custom_getter=doubled):
            names.append(tf.get_variable("v", [2], initializer=zeros).name)

    def creator(following, **kwargs):
        kwargs["name"] = "made_" + (kwargs["name"] or "")
        return following(**kwargs)

    with tf.variable_creator_scope(creator):
        tf.Variable(1.0, name="z")
        tf.get_variable("zz", [1], initializer=zeros)
    return names


def templates(tf):
    def scaled(x):
        return x * tf.get_variable("w", [2], initializer=tf.ones_initializer())

    one = tf.make_template("t", scaled)
    one([1.0, 1.0])
    one([2.0, 2.0])
    two = tf.make_template("t", scaled)
    two([1.0, 1.0])
    three = tf.make_template("t", scaled, create_scope_now_=True)
    three([2.0, 1.0])
    return [one.variable_scope_name, two.variable_scope_name] + [v.name for v in three.trainable_variables]


def reports(tf):
    tf.Variable(1.0)
    tf.Variable(2.0, use_resource=True)
    tf.report_uninitialized_variables()


def regularizers(tf):
    layers = tf.contrib.layers
    made = [
        layers.l1_regularizer(0.1), layers.l2_regularizer(0.2), layers.l1_l2_regularizer(0.1, 0.2),
        layers.sum_regularizer([layers.l1_regularizer(0.1), layers.l2_regularizer(0.3)]),
    ]  # fmt: skip
    for regularizer in made:
        with tf.variable_scope(None, "x"):
            tf.get_variable("w", [2], initializer=tf.ones_initializer(), regularizer=regularizer)
    layers.apply_regularization(layers.l2_regularizer(0.2), tf.trainable_variables())


def randoms(tf):
    tf.set_random_seed(5)
    tf.random_shuffle([1, 2, 3])
    tf.random.categorical([[0.1, 0.2]], 3, dtype=tf.int32)
    tf.multinomial([[0.1, 0.2]], 3)
    tf.random_gamma([3], 1.0, dtype=tf.float64)
    tf.random_poisson([1.0, 2.0], [3])
    tf.random.stateless_uniform([2], [1, 2], 0, 5, tf.int32)
    tf.random.stateless_categorical([[1.0, 2.0]], 3, [1, 2])
    tf.random.stateless_truncated_normal([2], [1, 2])
    tf.random_uniform(tf.TensorShape([2, 3]))
    tf.random_uniform([])
    tf.random_uniform(tf.shape(tf.zeros([2])), seed=4)
    tf.random_crop(tf.zeros([5, 6, 3]), [2, 2, 3])


PROGRAMS = [basic, resource, scopes, partitions, initializers, orthogonal, getters, templates, reports, regularizers, randoms]


def lines(tf, program):
    """What a program makes, one operation a line: name, type, inputs, control inputs, seeds, shapes; then collections and what it returns."""
    out = []
    with tf.Graph().as_default() as graph:
        returned = program(tf)
        for op in graph.get_operations():
            inputs = [re.sub(":0$", "", t.name) for t in op.inputs] + sorted("^" + c.name for c in op.control_inputs)
            seeds = "".join(" seed %d %d" % (op.get_attr("seed"), op.get_attr("seed2")) for _ in "x" if "seed2" in attributes(op))  # noqa: UP031
            out.append("{} {}({}){} {}".format(op.name, op.type, ", ".join(inputs), seeds, " ".join(str(t.shape) for t in op.outputs)).rstrip())
        for key in sorted(k for k in graph.collections if isinstance(k, str)):
            out.append("{}: {}".format(key, " ".join(x.name for x in graph.get_collection(key))))
    return out + (["returns " + " ".join(returned)] if returned else [])


def attributes(op):
    return op.attrs if hasattr(op, "attrs") else op.node_def.attr


def recorded(tf):
    """The text of the data file."""
    return "".join("== {}\n{}\n".format(p.__name__, "\n".join(lines(tf, p))) for p in PROGRAMS)
