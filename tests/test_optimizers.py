"""Optimizers, schedules, moving averages and the global step, against published update rules and what TensorFlow 1.15 built."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests import updates
from tests.rowdef import normal

RECORDED = Path(__file__).parent / "data" / "optimizers_tf115.txt"
STEPS = 3
INDICES = [2, 0, 2, 4]  # a row twice


@dataclass
class Case:
    """An optimizer: how it is made, the rule it follows and what the rule needs at step t (counted from 1).

    slots: the names of its slots in the order the rule takes them, with the values they start at. spread: a sparse gradient updates
    every row, those it does not mention by zero.
    """

    make: Callable[[], Any]
    rule: updates.Rule
    hyper: Callable[[int], dict[str, Any]]
    slots: dict[str, float] = field(default_factory=dict)
    spread: bool = False


def adam_hyper(t: int) -> dict[str, Any]:
    return {"lr": 0.1, "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-3, "beta1_power": 0.8**t, "beta2_power": 0.9**t}


def ada_max_hyper(t: int) -> dict[str, Any]:
    return {k: v for k, v in adam_hyper(t).items() if k != "beta2_power"}


CASES = {
    "GradientDescent": Case(lambda: tf.train.GradientDescentOptimizer(0.1), updates.gradient_descent, lambda t: {"alpha": 0.1}),
    "Momentum": Case(lambda: tf.train.MomentumOptimizer(0.1, 0.9), updates.momentum, lambda t: {"lr": 0.1, "momentum": 0.9}, {"momentum": 0}),
    "Nesterov": Case(
        lambda: tf.train.MomentumOptimizer(0.1, 0.9, use_nesterov=True), updates.momentum,
        lambda t: {"lr": 0.1, "momentum": 0.9, "use_nesterov": True}, {"momentum": 0},
    ),
    "Adam": Case(lambda: tf.train.AdamOptimizer(0.1, 0.8, 0.9, 1e-3), updates.adam, adam_hyper, {"m": 0, "v": 0}, spread=True),
    "RMSProp": Case(
        lambda: tf.train.RMSPropOptimizer(0.1, 0.8, 0.5, 1e-3), updates.rms_prop,
        lambda t: {"lr": 0.1, "rho": 0.8, "momentum": 0.5, "epsilon": 1e-3}, {"rms": 1, "momentum": 0},
    ),
    "RMSProp centered": Case(
        lambda: tf.train.RMSPropOptimizer(0.1, 0.8, 0.5, 1e-3, centered=True), updates.centered_rms_prop,
        lambda t: {"lr": 0.1, "rho": 0.8, "momentum": 0.5, "epsilon": 1e-3}, {"mg": 0, "rms": 1, "momentum": 0},
    ),
    "Adagrad": Case(lambda: tf.train.AdagradOptimizer(0.5, 0.2), updates.adagrad, lambda t: {"lr": 0.5}, {"accumulator": 0.2}),
    "Adadelta": Case(
        lambda: tf.train.AdadeltaOptimizer(0.5, 0.8, 1e-2), updates.adadelta,
        lambda t: {"lr": 0.5, "rho": 0.8, "epsilon": 1e-2}, {"accum": 0, "accum_update": 0},
    ),
    "AdagradDA": Case(
        lambda: tf.train.AdagradDAOptimizer(0.5, tf.train.get_or_create_global_step(), 0.2, 0.05, 0.1), updates.adagrad_da,
        lambda t: {"lr": 0.5, "l1": 0.05, "l2": 0.1, "global_step": t}, {"gradient_accumulator": 0, "gradient_squared_accumulator": 0.2},
    ),
    "Ftrl": Case(
        lambda: tf.train.FtrlOptimizer(0.5, -0.4, 0.2, 0.05, 0.1), updates.ftrl,
        lambda t: {"lr": 0.5, "lr_power": -0.4, "l1": 0.05, "l2": 0.1}, {"accum": 0.2, "linear": 0},
    ),
    "FtrlV2": Case(
        lambda: tf.train.FtrlOptimizer(0.5, l2_shrinkage_regularization_strength=0.3), updates.ftrl,
        lambda t: {"lr": 0.5, "lr_power": -0.5, "l1": 0.0, "l2": 0.0, "l2_shrinkage": 0.3}, {"accum": 0.1, "linear": 0},
    ),
    "ProximalAdagrad": Case(
        lambda: tf.train.ProximalAdagradOptimizer(0.5, 0.2, 0.05, 0.1), updates.proximal_adagrad,
        lambda t: {"lr": 0.5, "l1": 0.05, "l2": 0.1}, {"accumulator": 0.2},
    ),
    "ProximalGradientDescent": Case(
        lambda: tf.train.ProximalGradientDescentOptimizer(0.1, 0.05, 0.1), updates.proximal_gradient_descent,
        lambda t: {"alpha": 0.1, "l1": 0.05, "l2": 0.1},
    ),
    "AdaMax": Case(lambda: tf.contrib.opt.AdaMaxOptimizer(0.1, 0.8, 0.9, 1e-3), updates.ada_max, ada_max_hyper, {"m": 0, "v": 0}),
    "LazyAdam": Case(lambda: tf.contrib.opt.LazyAdamOptimizer(0.1, 0.8, 0.9, 1e-3), updates.adam, adam_hyper, {"m": 0, "v": 0}),
    "AddSign": Case(
        lambda: tf.contrib.opt.AddSignOptimizer(0.1, 2.0, 0.8), updates.add_sign,
        lambda t: {"lr": 0.1, "alpha": 2.0, "sign_decay": 1.0, "beta": 0.8}, {"m": 0}, spread=True,
    ),
    "PowerSign": Case(
        lambda: tf.contrib.opt.PowerSignOptimizer(0.1, 3.0, 0.8), updates.power_sign,
        lambda t: {"lr": 0.1, "logbase": float(np.log(3.0)), "sign_decay": 1.0, "beta": 0.8}, {"m": 0}, spread=True,
    ),
}  # fmt: skip


# -- values ------------------------------------------------------------------------------------------


def expected(case: Case, start: np.ndarray, grads: list[np.ndarray], indices: list[int] | None) -> list[np.ndarray]:
    """The values of a variable and its slots after all steps."""
    states = [start.astype(np.float64)] + [np.full(start.shape, s, np.float64) for s in case.slots.values()]
    for t, g in enumerate(grads, 1):
        g = g.astype(np.float64)
        if indices is not None and case.spread:
            whole = np.zeros(start.shape)
            np.add.at(whole, indices, g)
            states = updates.updated(case.rule, states, whole, **case.hyper(t))
        elif indices is not None:
            rows = sorted(set(indices))
            sums = np.stack([sum(g[k] for k, i in enumerate(indices) if i == r) for r in rows])
            states = updates.updated_rows(case.rule, states, sums, np.array(rows), **case.hyper(t))
        else:
            states = updates.updated(case.rule, states, g, **case.hyper(t))
    return states


GRADS = [[normal(5, 3, seed=10 + t), normal(len(INDICES), 3, seed=20 + t)] for t in range(STEPS)]
STARTS = [normal(5, 3), normal(5, 3, seed=1)]


@functools.cache
def trained(use_resource: bool, dtype: str) -> dict[str, list[list[np.ndarray]]]:
    """Per case the values of a variable with dense gradients and its slots, and of one with sparse gradients, after all steps."""
    with tf.Graph().as_default(), tf.Session() as sess:
        fed = [tf.placeholder(dtype, [5, 3]), tf.placeholder(dtype, [None, 3])]
        slices = tf.IndexedSlices(fed[1], tf.constant(INDICES), tf.constant([5, 3]))
        step = tf.train.get_or_create_global_step()
        train, held = [], {}
        for name, case in CASES.items():
            dense, sparse = (tf.Variable(s.astype(dtype), use_resource=use_resource) for s in STARTS)
            pairs = [(fed[0], dense), (slices, sparse)]
            if use_resource and "Sign" in name:  # rows of resources are not implemented, as in TensorFlow
                del pairs[1]
            optimizer = case.make()
            train.append(optimizer.apply_gradients(pairs, global_step=step if name == "AdagradDA" else None))
            assert optimizer.get_slot_names() == sorted(case.slots)
            held[name] = [[v, *(optimizer.get_slot(v, s) for s in case.slots)] for _, v in pairs]
        sess.run(tf.global_variables_initializer())
        for grads in GRADS:
            sess.run(train, dict(zip(fed, grads, strict=True)))
        assert sess.run(step) == STEPS
        return sess.run(held)


@pytest.mark.parametrize(("use_resource", "dtype"), [(False, "float32"), (True, "float32"), (False, "float64")], ids=["ref", "resource", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_steps_follow_the_published_rule(name: str, use_resource: bool, dtype: str) -> None:
    case = CASES[name]
    for k, got in enumerate(trained(use_resource, dtype)[name]):
        wanted = expected(case, STARTS[k], [g[k] for g in GRADS], INDICES if k else None)
        for what, a, b in zip(["variable", *case.slots], got, wanted, strict=True):
            close = 1e-6 if dtype == "float64" else 1e-4  # hyperparameters are float32 constants, as in TensorFlow
            np.testing.assert_allclose(a, b, rtol=close, atol=close, err_msg=f"{what} of {'sparse' if k else 'dense'}")
            assert a.dtype == dtype


# -- graphs ------------------------------------------------------------------------------------------


def recorded() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in RECORDED.read_text().splitlines():
        if line.startswith("== "):
            lines = found.setdefault(line[3:], [])
        else:
            lines.append(line)
    return found


GRAPHS = {
    "GradientDescent": lambda: tf.train.GradientDescentOptimizer(0.1),
    "Momentum": lambda: tf.train.MomentumOptimizer(0.1, 0.9),
    "Adam": lambda: tf.train.AdamOptimizer(0.1),
    "RMSProp": lambda: tf.train.RMSPropOptimizer(0.1),
    "RMSProp centered": lambda: tf.train.RMSPropOptimizer(0.1, centered=True),
    "Adagrad": lambda: tf.train.AdagradOptimizer(0.1),
    "Adadelta": lambda: tf.train.AdadeltaOptimizer(0.1),
    "AdagradDA": lambda: tf.train.AdagradDAOptimizer(0.1, tf.train.get_or_create_global_step()),
    "Ftrl": lambda: tf.train.FtrlOptimizer(0.1),
    "FtrlV2": lambda: tf.train.FtrlOptimizer(0.1, l2_shrinkage_regularization_strength=0.1),
    "ProximalAdagrad": lambda: tf.train.ProximalAdagradOptimizer(0.1),
    "ProximalGradientDescent": lambda: tf.train.ProximalGradientDescentOptimizer(0.1),
    "AdaMax": tf.contrib.opt.AdaMaxOptimizer,
    "AdamW": lambda: tf.contrib.opt.AdamWOptimizer(0.01),
    "LazyAdam": tf.contrib.opt.LazyAdamOptimizer,
    "Nadam": tf.contrib.opt.NadamOptimizer,
}
#: nodes that make variables: tests of variables compare them
OF_VARIABLES = re.compile(r"(?!\w+/update_|Ada\w+/Assign$).*(/(Initializer|IsInitialized|Read|initial_value)(/|$)|/(read|Assign)$)")


def built(make: Callable[[], Any], use_resource: bool, with_step: bool) -> list[str]:
    """What an optimizer adds to a graph, in the form of the recorded lists."""
    v = tf.get_variable("v", [5, 3], use_resource=use_resource)
    w = tf.get_variable("sc/w", [3], use_resource=use_resource)
    loss = tf.reduce_sum(tf.square(tf.gather(v, tf.constant([1, 3, 1])) * w))
    step = tf.train.get_or_create_global_step()
    optimizer = make()
    pairs = optimizer.compute_gradients(loss)
    graph = tf.get_default_graph()
    before = graph.version
    optimizer.apply_gradients(pairs, global_step=step if with_step else None)
    names = {pairs[0][0].values.name: "@values", pairs[0][0].indices.name: "@indices", pairs[1][0].name: "@grad"}
    out = ["slots " + " ".join(optimizer.get_slot_names()), "variables " + " ".join(x.name for x in optimizer.variables())]
    for op in graph.get_operations()[before:]:
        if OF_VARIABLES.match(op.name):
            continue
        inputs = [names.get(i.name, i.name.removesuffix(":0")) for i in op.inputs]
        controls = sorted("^" + c.name for c in op.control_inputs)
        out.append(f"{op.name} {op.type}({' '.join(inputs + controls)})")
    return out


def sorted_controls(line: str) -> str:
    head, _, rest = line.partition("(")
    if not rest:
        return line
    words = rest.removesuffix(")").split()
    return f"{head}({' '.join([w for w in words if w[0] != '^'] + sorted(w for w in words if w[0] == '^'))})"


@pytest.mark.parametrize("use_resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("name", GRAPHS)
def test_graph_is_tensorflows(name: str, use_resource: bool) -> None:
    wanted = [sorted_controls(line) for line in recorded()[f"{name} {'resource' if use_resource else 'ref'}"]]
    assert built(GRAPHS[name], use_resource, "Adagrad" in name) == wanted


# -- the Optimizer class -----------------------------------------------------------------------------


def quadratic(start: float = 3.0, **more: Any) -> tuple[Any, Any]:
    v = tf.get_variable("v", initializer=start, **more)
    return v, tf.square(v)


def test_minimize_counts_steps_and_moves_downhill() -> None:
    v, loss = quadratic()
    step = tf.train.get_or_create_global_step()
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss, global_step=step)
    assert train.name == "GradientDescent"
    assert tf.get_collection(tf.GraphKeys.TRAIN_OP) == [train]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(5):
            sess.run(train)
        np.testing.assert_allclose(sess.run(v), 3 * 0.8**5, rtol=1e-5)
        assert tf.train.global_step(sess, step) == 5


def test_learning_rate_may_be_a_tensor_or_a_function() -> None:
    v, loss = quadratic()
    rate = tf.placeholder(tf.float32, [])
    fed = tf.train.GradientDescentOptimizer(rate).minimize(loss)
    called = tf.train.GradientDescentOptimizer(lambda: 0.5).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(fed, {rate: 0.25})
        np.testing.assert_allclose(sess.run(v), 1.5)
        sess.run(called)
        assert sess.run(v) == 0.0


def test_errors_say_what_is_missing() -> None:
    v, loss = quadratic()
    optimizer = tf.train.GradientDescentOptimizer(0.1)
    with pytest.raises(ValueError, match="No gradients provided for any variable, check your graph"):
        optimizer.minimize(tf.constant(1.0))
    with pytest.raises(ValueError, match="No gradients provided for any variable: "):
        optimizer.apply_gradients([(None, v)])
    with pytest.raises(ValueError, match="No variables provided"):
        optimizer.apply_gradients([])
    with pytest.raises(ValueError, match="No variables to optimize"):
        optimizer.minimize(loss, var_list=[])
    with pytest.raises(ValueError, match=r"Invalid type tf\.int32"):
        optimizer.minimize(tf.constant(1))
    with pytest.raises(ValueError, match="gate_gradients must be one of"):
        optimizer.minimize(loss, gate_gradients=7)
    with pytest.raises(TypeError, match="must be a tensor, not the function"):
        optimizer.minimize(lambda: loss)
    with pytest.raises(TypeError, match="Gradient must be convertible"):
        optimizer.apply_gradients([(object(), v)])
    with pytest.raises(NotImplementedError, match="Trying to update a Tensor"):
        optimizer.apply_gradients([(tf.constant(1.0), tf.constant(1.0))])
    with pytest.raises(NotImplementedError, match="Trying to optimize unsupported type"):
        optimizer.apply_gradients([(tf.constant(1.0), "v")])
    with pytest.raises(ValueError, match="Must specify the optimizer name"):
        tf.train.Optimizer(False, "")


def test_only_the_listed_variables_are_updated() -> None:
    a, b = tf.Variable(1.0), tf.Variable(1.0)
    train = tf.train.GradientDescentOptimizer(0.1).minimize(a * b, var_list=[a])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        np.testing.assert_allclose(sess.run([a, b]), [0.9, 1.0])


@pytest.mark.parametrize("gate", [tf.train.Optimizer.GATE_NONE, tf.train.Optimizer.GATE_OP, tf.train.Optimizer.GATE_GRAPH])
def test_gates_do_not_change_results(gate: int) -> None:
    a, b = tf.Variable(2.0), tf.Variable(3.0)
    train = tf.train.GradientDescentOptimizer(0.1).minimize(a * b, gate_gradients=gate)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        np.testing.assert_allclose(sess.run([a, b]), [1.7, 2.8], rtol=1e-6)


@pytest.mark.parametrize("use_resource", [False, True])
def test_constraints_hold_after_the_update(use_resource: bool) -> None:
    v, loss = quadratic(use_resource=use_resource, constraint=lambda x: tf.maximum(x, 2.9))
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        np.testing.assert_allclose(sess.run(v), 2.9)


def test_sparse_gradients_refuse_constraints() -> None:
    v = tf.get_variable("v", [4, 2], constraint=lambda x: x)
    with pytest.raises(RuntimeError, match="Cannot use a constraint function on a sparse variable"):
        tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(tf.gather(v, [1])))


def test_slots_are_named_below_their_variable() -> None:
    with tf.variable_scope("net"):
        v = tf.get_variable("w", [2])
    optimizer = tf.train.AdamOptimizer()
    optimizer.minimize(tf.reduce_sum(v * v))
    assert [x.name for x in optimizer.variables()] == ["beta1_power:0", "beta2_power:0", "net/w/Adam:0", "net/w/Adam_1:0"]
    assert optimizer.get_slot(v, "m").op.name == "net/w/Adam"
    assert optimizer.get_slot(v, "nothing") is None
    assert optimizer.get_slot_names() == ["m", "v"]
    assert optimizer.get_name() == "Adam"
    assert v in tf.trainable_variables()
    assert len(tf.trainable_variables()) == 1


def test_one_optimizer_in_two_graphs_keeps_its_variables_apart() -> None:
    optimizer = tf.train.AdamOptimizer()
    for _ in range(2):
        with tf.Graph().as_default():
            _, loss = quadratic()
            train = optimizer.minimize(loss)
            with tf.Session() as sess:
                sess.run(tf.global_variables_initializer())
                sess.run(train)
            assert len(optimizer.variables()) == 4


def test_slots_of_variables_whose_shape_is_not_known() -> None:
    start = tf.placeholder_with_default([1.0, 2.0], [None])
    for i, optimizer in enumerate([tf.train.AdagradOptimizer(0.1), tf.train.RMSPropOptimizer(0.1), tf.train.AdamOptimizer(0.1)]):
        v = tf.Variable(start, validate_shape=False, name=f"v{i}")
        train = optimizer.minimize(tf.reduce_sum(tf.square(v)), var_list=[v])
        with tf.Session() as sess:
            sess.run(tf.variables_initializer([v]))
            sess.run(tf.global_variables_initializer())
            sess.run(train)
            assert sess.run(v).shape == (2,)


class Signs(tf.train.Optimizer):
    """A user's optimizer: steps of one size, and a slot that counts them."""

    def __init__(self, rate: float) -> None:
        super().__init__(use_locking=False, name="Signs")
        self.rate = rate

    def _create_slots(self, var_list: Any) -> None:
        for v in var_list:
            self._zeros_slot(v, "count", self._name)

    def _prepare(self) -> None:
        self.rate_t = tf.convert_to_tensor(self._call_if_callable(self.rate), name="rate")

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        count = self.get_slot(var, "count")
        return tf.group(tf.assign_sub(var, self.rate_t * tf.sign(grad)), tf.assign_add(count, tf.ones_like(count)))

    _resource_apply_dense = _apply_dense

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        return tf.scatter_sub(var, grad.indices, self.rate_t * tf.sign(grad.values))


@pytest.mark.parametrize("use_resource", [False, True])
def test_users_subclass_it(use_resource: bool) -> None:
    v, loss = quadratic(use_resource=use_resource)
    optimizer = Signs(0.25)
    train = optimizer.minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        sess.run(train)
        assert sess.run([v, optimizer.get_slot(v, "count")]) == [2.5, 2.0]


def test_what_a_subclass_lacks_is_not_implemented() -> None:
    _, loss = quadratic()
    with pytest.raises(NotImplementedError):
        tf.train.Optimizer(False, "Nothing").minimize(loss)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: tf.train.AdagradOptimizer(0.1, 0.0), "initial_accumulator_value must be positive"),
        (lambda: tf.train.ProximalAdagradOptimizer(0.1, 0.0), "initial_accumulator_value must be positive"),
        (lambda: tf.train.AdagradDAOptimizer(0.1, None, 0.0), "initial_gradient_squared_accumulator_value must be positive"),
        (lambda: tf.train.FtrlOptimizer(0.1, learning_rate_power=0.1), "learning_rate_power 0.1 needs to be negative or zero"),
        (lambda: tf.train.FtrlOptimizer(0.1, l1_regularization_strength=-1.0), "l1_regularization_strength -1.0 needs to be positive or zero"),
    ],
)
def test_hyperparameters_are_checked(make: Callable[[], Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make()


# -- around an optimizer -----------------------------------------------------------------------------


@pytest.mark.parametrize("use_resource", [False, True])
def test_weight_decay_comes_before_the_update(use_resource: bool) -> None:
    a, b = (tf.Variable(2.0, use_resource=use_resource) for _ in range(2))
    train = tf.contrib.opt.MomentumWOptimizer(0.1, 0.5, 0.9).minimize(a + b, decay_var_list=[a])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        np.testing.assert_allclose(sess.run([a, b]), [2.0 * 0.9 - 0.5, 1.5], rtol=1e-6)


def test_moving_average_optimizer_averages_what_it_updates() -> None:
    v, loss = quadratic()
    optimizer = tf.contrib.opt.MovingAverageOptimizer(tf.train.GradientDescentOptimizer(0.1), average_decay=0.5)
    train = optimizer.minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        averages = [x for x in tf.global_variables() if "ExponentialMovingAverage" in x.name]
        np.testing.assert_allclose(sess.run([v, *averages]), [2.4, 0.5 * 3 + 0.5 * 2.4], rtol=1e-6)


def test_multitask_wrapper_leaves_slots_alone_without_a_gradient() -> None:
    v = tf.Variable([1.0, 1.0])
    on = tf.placeholder(tf.float32, [])
    optimizer = tf.contrib.opt.MultitaskOptimizerWrapper(tf.train.MomentumOptimizer(0.1, 0.9))
    train = optimizer.minimize(on * tf.reduce_sum(v))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train, {on: 1.0})
        before = sess.run(v)
        sess.run(train, {on: 0.0})
        np.testing.assert_array_equal(sess.run(v), before)
        np.testing.assert_allclose(sess.run(optimizer.get_slot(v, "momentum")), [1.0, 1.0])


def test_variable_clipping_bounds_norms() -> None:
    v = tf.Variable([[3.0, 4.0], [0.3, 0.4]])
    train = tf.contrib.opt.VariableClippingOptimizer(tf.train.GradientDescentOptimizer(0.0), {v: [1]}, 1.0).minimize(tf.reduce_sum(v))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        np.testing.assert_allclose(sess.run(v), [[0.6, 0.8], [0.3, 0.4]], rtol=1e-6)


def test_sync_replicas_passes_on() -> None:
    v, loss = quadratic()
    optimizer = tf.train.SyncReplicasOptimizer(tf.train.GradientDescentOptimizer(0.1), replicas_to_aggregate=2)
    with pytest.raises(ValueError, match="Global step is required"):
        optimizer.minimize(loss)
    train = optimizer.minimize(loss, global_step=tf.train.get_or_create_global_step())
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run([optimizer.chief_init_op, optimizer.get_init_tokens_op()])
        sess.run(train)
        np.testing.assert_allclose(sess.run(v), 2.4, rtol=1e-6)


@pytest.mark.parametrize("use_resource", [False, True])
def test_lars_scales_the_rate_of_a_layer(use_resource: bool) -> None:
    v, skipped = (tf.get_variable(n, initializer=[3.0, 4.0], use_resource=use_resource) for n in ("w", "bias"))
    train = tf.contrib.opt.LARSOptimizer(0.5, 0.9, 0.1, 0.2, skip_list=["bias"]).minimize(tf.reduce_sum(v * 2.0 + skipped * 2.0))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        rate = 0.5 * 0.2 * 5 / (np.sqrt(8) + 0.1 * 5)
        np.testing.assert_allclose(sess.run(v), np.array([3.0, 4.0]) - rate * (2 + 0.1 * np.array([3.0, 4.0])), rtol=1e-6)
        np.testing.assert_allclose(sess.run(skipped), [2.0, 3.0], rtol=1e-6)


# -- schedules ---------------------------------------------------------------------------------------

AT = [0, 1, 2, 3, 5, 6, 9, 12, 20]
#: what TensorFlow 1.15 gives at those steps
SCHEDULES: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "exponential": (lambda g: tf.train.exponential_decay(0.1, g, 5, 0.9), [0.1 * 0.9 ** (s / 5) for s in AT]),
    "exponential in stairs": (lambda g: tf.train.exponential_decay(0.1, g, 5, 0.9, staircase=True), [0.1 * 0.9 ** (s // 5) for s in AT]),
    "natural exponential": (lambda g: tf.train.natural_exp_decay(0.1, g, 5, 0.9), [0.1 * np.exp(-0.9 * s / 5) for s in AT]),
    "inverse time": (lambda g: tf.train.inverse_time_decay(0.1, g, 5, 0.9), [0.1 / (1 + 0.9 * s / 5) for s in AT]),
    "inverse time in stairs": (lambda g: tf.train.inverse_time_decay(0.1, g, 5, 0.9, True), [0.1 / (1 + 0.9 * (s // 5)) for s in AT]),
    "polynomial": (lambda g: tf.train.polynomial_decay(0.1, g, 5, 0.01, 2.0), [0.09 * (1 - min(s, 5) / 5) ** 2 + 0.01 for s in AT]),
    "polynomial in cycles": (
        lambda g: tf.train.polynomial_decay(0.1, g, 5, 0.01, 0.5, cycle=True),
        [0.1, 0.09049844741821289, 0.07971370220184326, 0.06692100316286087, 0.01, 0.06692100316286087, 0.03846050053834915, 0.05024922639131546, 0.01],
    ),
    "piecewise constant": (lambda g: tf.train.piecewise_constant(g, [2, 5, 9], [1.0, 0.5, 0.25, 0.1]), [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.1, 0.1]),
    "cosine": (lambda g: tf.train.cosine_decay(0.1, g, 5, 0.1), [0.1 * (0.9 * 0.5 * (1 + np.cos(np.pi * min(s, 5) / 5)) + 0.1) for s in AT]),
    "cosine with restarts": (
        lambda g: tf.train.cosine_decay_restarts(0.1, g, 5, alpha=0.1),
        [0.1, 0.09140576422214508, 0.06890576332807541, 0.04109422490000725, 0.1, 0.09779754281044006, 0.06890576332807541, 0.02854965627193451,
         0.08681981265544891],
    ),
    "cosine with equal restarts": (
        lambda g: tf.train.cosine_decay_restarts(0.1, g, 5, t_mul=1.0, m_mul=0.9),
        [0.1, 0.09045084565877914, 0.06545084714889526, 0.03454914316534996, 0.09, 0.08140575885772705, 0.008594227023422718, 0.05301516875624657,
         0.06560999155044556],
    ),
    "linear cosine": (
        lambda g: tf.train.linear_cosine_decay(0.1, g, 5),
        [0.1 * ((1 - min(s, 5) / 5) * 0.5 * (1 + np.cos(np.pi * min(s, 5) / 5)) + 0.001) for s in AT],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name: str) -> None:
    build, wanted = SCHEDULES[name]
    step = tf.placeholder(tf.int64, [])
    rate = build(step)
    assert rate.dtype == tf.float32
    assert rate.shape == []
    with tf.Session() as sess:
        np.testing.assert_allclose([sess.run(rate, {step: s}) for s in AT], wanted, rtol=2e-5, atol=2e-7)


def test_noisy_schedule_ends_where_the_plain_one_does() -> None:
    step = tf.placeholder(tf.int64, [])
    rate = tf.train.noisy_linear_cosine_decay(0.1, step, 5)
    with tf.Session() as sess:
        np.testing.assert_allclose(sess.run(rate, {step: 5}), 1e-4, rtol=1e-3)
        assert len({float(sess.run(rate, {step: 1})) for _ in range(3)}) == 3


def test_schedule_errors() -> None:
    for build in (tf.train.exponential_decay, tf.train.polynomial_decay, tf.train.cosine_decay):
        with pytest.raises(ValueError, match="global_step is required"):
            build(0.1, None, 5, 0.9)
    with pytest.raises(ValueError, match="length of boundaries should be 1 less"):
        tf.train.piecewise_constant(tf.constant(1), [1, 2], [1.0, 2.0])
    with pytest.raises(ValueError, match="same dtype as x"):
        tf.train.piecewise_constant(tf.constant(1.0), [1, 2], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="elements all with the same dtype"):
        tf.train.piecewise_constant(tf.constant(1), [1], [1.0, 2])


def test_a_schedule_follows_the_global_step() -> None:
    step = tf.train.get_or_create_global_step()
    v = tf.Variable(0.0)
    rate = tf.train.exponential_decay(1.0, step, 1, 0.5)
    train = tf.train.GradientDescentOptimizer(rate).minimize(-v, global_step=step, var_list=[v])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(3):
            sess.run(train)
        assert sess.run(v) == 1.75


# -- moving averages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("use_resource", [False, True])
def test_moving_average_of_a_variable(use_resource: bool) -> None:
    v = tf.get_variable("v", initializer=[1.0, 2.0], use_resource=use_resource)
    ema = tf.train.ExponentialMovingAverage(0.9)
    change = v.assign_add([1.0, 1.0])
    with tf.control_dependencies([change]):
        update = ema.apply([v])
    average = ema.average(v)
    assert average.op.name == ema.average_name(v) == "v/ExponentialMovingAverage"
    assert tf.moving_average_variables() == [v]
    assert update.name == "ExponentialMovingAverage"
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        wanted, value = np.array([1.0, 2.0]), np.array([1.0, 2.0])
        for _ in range(3):
            sess.run(update)
            value = value + 1
            wanted = wanted - 0.1 * (wanted - value)
        np.testing.assert_allclose(sess.run(average), wanted, rtol=1e-6)


def test_moving_average_moves_faster_at_first_with_a_count() -> None:
    v = tf.Variable(1.0)
    count = tf.placeholder(tf.int32, [])
    ema = tf.train.ExponentialMovingAverage(0.99, num_updates=count)
    update = ema.apply([v])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(tf.assign(v, 2.0))
        sess.run(update, {count: 2})
        np.testing.assert_allclose(sess.run(ema.average(v)), 1 + (1 - 3 / 12), rtol=1e-6)


def test_moving_average_of_a_tensor_without_bias() -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    biased, plain = tf.train.ExponentialMovingAverage(0.9, name="A"), tf.train.ExponentialMovingAverage(0.9, zero_debias=True, name="B")
    updates_of = [biased.apply([x]), plain.apply([x])]
    assert [v.name for v in tf.global_variables()] == ["x/A:0", "x/B:0", "x/B/biased:0", "x/B/local_step:0"]
    total = np.zeros(2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for t, value in enumerate([[1.0, 2.0], [3.0, -1.0]], 1):
            sess.run(updates_of, {x: value})
            total = 0.9 * total + 0.1 * np.array(value)
            np.testing.assert_allclose(sess.run(biased.average(x)), total, rtol=1e-5)
            np.testing.assert_allclose(sess.run(plain.average(x)), total / (1 - 0.9**t), rtol=1e-5)


def test_moving_average_refuses_integers() -> None:
    with pytest.raises(TypeError, match="must be half, float, or double: n:0"):
        tf.train.ExponentialMovingAverage(0.9).apply([tf.Variable(1, name="n")])


def test_variables_to_restore_names_averages_in_place_of_variables() -> None:
    v = tf.get_variable("v", [2])
    n = tf.get_variable("n", [], trainable=False)
    ema = tf.train.ExponentialMovingAverage(0.9)
    assert ema.variables_to_restore() == {"v/ExponentialMovingAverage": v, "n": n}
    ema.apply([v])
    names = ema.variables_to_restore()
    assert names["v/ExponentialMovingAverage"] is v
    assert names["n"] is n
    assert sorted(names) == ["n", "v/ExponentialMovingAverage"]


# -- the global step ---------------------------------------------------------------------------------


def test_global_step() -> None:
    assert tf.train.get_global_step() is None
    step = tf.train.create_global_step()
    assert step.name == "global_step:0"
    assert step.dtype.base_dtype == tf.int64
    assert tf.train.get_global_step() is step
    assert tf.train.get_or_create_global_step() is step
    assert step not in tf.trainable_variables()
    with pytest.raises(ValueError, match='"global_step" already exists'):
        tf.train.create_global_step()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert tf.train.global_step(sess, step) == 0
        sess.run(tf.assign_add(step, 3))
        assert tf.train.global_step(sess, "global_step:0") == 3


def test_global_step_is_checked() -> None:
    with pytest.raises(TypeError, match="does not have integer type"):
        tf.train.assert_global_step(tf.Variable(1.0))
    with pytest.raises(TypeError, match="is not scalar"):
        tf.train.assert_global_step(tf.Variable([1]))
    with pytest.raises(TypeError, match="must be a Variable or Tensor"):
        tf.train.assert_global_step("global_step")


# -- SciPy's optimizers ------------------------------------------------------------------------------


@pytest.mark.parametrize("use_resource", [False, True])
def test_scipy_minimizes(use_resource: bool) -> None:
    v = tf.Variable([7.0, 7.0], use_resource=use_resource)
    target = tf.placeholder(tf.float32, [2])
    loss = tf.reduce_sum(tf.square(v - target))
    seen: list[float] = []
    optimizer = tf.contrib.opt.ScipyOptimizerInterface(loss, options={"maxiter": 100})
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        optimizer.minimize(sess, feed_dict={target: [1.0, -2.0]}, fetches=[loss], loss_callback=seen.append)
        np.testing.assert_allclose(sess.run(v), [1.0, -2.0], atol=1e-4)
    assert seen[0] == 36.0 + 81.0
    assert seen[-1] < 1e-6


def test_scipy_heeds_constraints_and_bounds() -> None:
    v, w = tf.Variable([7.0, 7.0]), tf.Variable(5.0)
    loss = tf.reduce_sum(tf.square(v)) + tf.square(w)
    constrained = tf.contrib.opt.ScipyOptimizerInterface(loss, equalities=[v[1] - 2.0], inequalities=[v[0] - 1.0], method="SLSQP")
    bounded = tf.contrib.opt.ScipyOptimizerInterface(loss, var_to_bounds={v: ([3.0, -1.0], None), w: (-np.inf, -1.0)})
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        constrained.minimize(sess)
        np.testing.assert_allclose([*v.eval(), w.eval()], [1.0, 2.0, 0.0], atol=1e-3)
        bounded.minimize(sess)
        np.testing.assert_allclose([*v.eval(), w.eval()], [3.0, 0.0, -1.0], atol=1e-3)
        wrong = tf.contrib.opt.ScipyOptimizerInterface(loss, bounds=[(0, 1)])
        with pytest.raises(ValueError, match="var_to_bounds"):
            wrong.minimize(sess)
