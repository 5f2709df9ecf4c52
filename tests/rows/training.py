"""Cases of the training ops: each applied once to variables that hold the inputs, then the variables are read."""

from collections.abc import Callable
from typing import Any

import numpy as np

import ir.ops.training_dense
import ir.ops.training_sparse  # noqa: F401 (defines the ops on rows)
from ir.convert import constant, get_default_graph
from ir.opdef import TABLE
from ir.ops.basic import identity
from ir.ops.state import assign_ref, assign_variable_op, read_variable_op, var_handle_op, variable_v2
from tests import updates
from tests.rowdef import ErrorRow, Row, normal, uniform

HYPER: dict[str, float] = {
    "alpha": 0.1, "lr": 0.1, "l1": 0.02, "l2": 0.3, "l2_shrinkage": 0.4, "lr_power": -0.5, "beta1": 0.9, "beta2": 0.95, "beta1_power": 0.81,
    "beta2_power": 0.9, "epsilon": 0.01, "rho": 0.9, "momentum": 0.8, "beta": 0.7, "sign_decay": 0.6, "logbase": 0.5, "global_step": 3,
}  # fmt: skip
RULES: dict[str, updates.Rule] = {
    "GradientDescent": updates.gradient_descent,
    "ProximalGradientDescent": updates.proximal_gradient_descent,
    "Momentum": updates.momentum,
    "KerasMomentum": updates.keras_momentum,
    "Adam": updates.adam,
    "AdamWithAmsgrad": updates.adam_with_amsgrad,
    "AdaMax": updates.ada_max,
    "RMSProp": updates.rms_prop,
    "CenteredRMSProp": updates.centered_rms_prop,
    "Adagrad": updates.adagrad,
    "AdagradV2": updates.adagrad_v2,
    "ProximalAdagrad": updates.proximal_adagrad,
    "Adadelta": updates.adadelta,
    "AdagradDA": updates.adagrad_da,
    "Ftrl": updates.ftrl,
    "FtrlV2": updates.ftrl,
    "AddSign": updates.add_sign,
    "PowerSign": updates.power_sign,
}
SHAPE = (5, 3)
INDICES = np.array([2, 0, 4], np.int32)
#: variables that may be negative
SIGNED = ("var", "m", "linear", "gradient_accumulator", "accum_of_momentum")


def start(name: str, dtype: Any) -> np.ndarray:
    """A value for variable `name` before the update."""
    a = uniform(*SHAPE, low=0.5, high=1.5, seed=len(name), dtype=dtype)
    return a - np.asarray(1, dtype) if name in SIGNED else a / 4 if name == "mg" else a


def apply(op_name: str, states: list[Any], grad: Any, indices: Any, hyper: dict[str, Any], attrs: dict[str, Any]) -> list[Any]:
    """Makes variables that hold `states`, updates them by op `op_name`, and returns what they hold then."""
    graph = get_default_graph()
    opdef = TABLE[op_name]
    resource = op_name.startswith("Resource")
    held = [var_handle_op(s.dtype, s.shape) if resource else variable_v2(s.shape, s.dtype) for s in states]
    first = [assign_variable_op(h, s) if resource else assign_ref(h, s) for h, s in zip(held, states, strict=True)]
    given: dict[str, Any] = dict(zip(opdef.effects.writes, held, strict=True))
    for i in opdef.inputs:
        if i.name in ("grad", "delta"):
            given[i.name] = grad
        elif i.name == "indices":
            given[i.name] = indices
        elif i.name not in given:
            given[i.name] = constant(hyper[i.name], dtype="int64" if i.name == "global_step" else states[0].dtype)
    with graph.control_dependencies(first):
        done = opdef.public(**given, **attrs)  # type: ignore[misc]
    with graph.control_dependencies([done]):
        return [read_variable_op(h, s.dtype) if resource else identity(h) for h, s in zip(held, states, strict=True)]


def row(op_name: str, id: str = "", dtype: Any = np.float32, indices: np.ndarray = INDICES, attrs: dict[str, Any] | None = None, **changes: Any) -> Row:
    """The case of one op; `changes` are hyperparameters that differ from HYPER."""
    opdef = TABLE[op_name]
    rows = "Sparse" in op_name
    rule = RULES[op_name.removeprefix("Resource").removeprefix("Sparse").removeprefix("Apply")]
    hyper = {i.name: {**HYPER, **changes}[i.name] for i in opdef.inputs if i.name not in (*opdef.effects.writes, "grad", "delta", "indices")}
    states = [start(n, dtype) for n in opdef.effects.writes]
    grad = normal(len(indices), SHAPE[1], seed=9, dtype=dtype) if rows else normal(*SHAPE, seed=9, dtype=dtype)
    given = attrs or {}
    n = len(states)

    def build(*x: Any) -> list[Any]:
        return apply(op_name, list(x[:n]), x[n], x[n + 1] if rows else None, hyper, given)

    def ref(*x: Any) -> list[np.ndarray]:
        values = [np.asarray(a, np.float64) for a in x[: n + 1]]
        known = {k: v for k, v in given.items() if k != "use_locking"}
        rounded = {k: v if k == "global_step" else float(np.asarray(v, dtype)) for k, v in hyper.items()}
        if rows:
            return updates.updated_rows(rule, values[:n], values[n], x[n + 1], **rounded, **known)
        return updates.updated(rule, values[:n], values[n], **rounded, **known)

    tight = dtype == np.float64
    inputs = [*states, grad, indices] if rows else [*states, grad]
    return Row(op_name, build, inputs, ref, id=id, rtol=1e-12 if tight else 2e-5, atol=1e-12 if tight else 2e-6)


def every(name: str, **more: Any) -> list[Row]:
    """The cases of all forms of an update."""
    forms = [f"{r}{s}Apply{name}" for r in ("", "Resource") for s in ("", "Sparse")]
    return [row(f, **more) for f in forms if f in TABLE]


ROWS: list[Row] = [r for name in RULES for r in every(name)]
ROWS += [r for name in ("Adam", "RMSProp", "Ftrl", "AdagradDA", "ProximalAdagrad") for r in every(name, id="float64", dtype=np.float64)]
ROWS += [r for name in ("Momentum", "KerasMomentum") for r in every(name, id="nesterov", attrs={"use_nesterov": True})]
ROWS += [
    row("ApplyAdam", "nesterov", attrs={"use_nesterov": True}),
    row("ResourceApplyAdam", "nesterov", attrs={"use_nesterov": True, "use_locking": True}),
]
ROWS += [r for name in ("Adagrad", "AdagradV2") for r in every(name, id="slots kept", attrs={"update_slots": False})]
ROWS += [r for name in ("Ftrl", "FtrlV2") for r in every(name, id="power -0.3", lr_power=-0.3)]
ROWS += [r for name in ("ProximalGradientDescent", "ProximalAdagrad", "AdagradDA", "Ftrl") for r in every(name, id="no l1", l1=0.0)]
ROWS += [row("SparseApplyAdagrad", "int64 indices", indices=np.array([4, 1], np.int64)), row("SparseApplyMomentum", "no rows", indices=np.array([], np.int32))]


def _mismatch(op_name: str, **shapes: Any) -> Callable[[], Any]:
    def build() -> Any:
        opdef = TABLE[op_name]
        given: dict[str, Any] = {}
        for i in opdef.inputs:
            if i.name in opdef.effects.writes:
                given[i.name] = variable_v2(shapes.get(i.name, SHAPE), "float32")
            elif i.name == "indices":
                given[i.name] = constant(np.zeros(shapes.get(i.name, (3,)), np.int32))
            else:
                usual = () if i.name not in ("grad", "delta") else (3, 3) if "indices" in [x.name for x in opdef.inputs] else SHAPE
                given[i.name] = constant(np.zeros(shapes.get(i.name, usual), np.float32))
        return opdef.public(**given)  # type: ignore[misc]

    return build


ERRORS = [
    ErrorRow("ApplyAdam", _mismatch("ApplyAdam", grad=(5, 4)), ValueError, r"shape of the gradient, \(5, 4\), differs"),
    ErrorRow("ApplyAdam", _mismatch("ApplyAdam", m=(3,)), ValueError, r"shape of 'm', \(3,\)"),
    ErrorRow("ApplyAdam", _mismatch("ApplyAdam", lr=(1,)), ValueError, "lr must have rank 0"),
    ErrorRow("SparseApplyAdagrad", _mismatch("SparseApplyAdagrad", indices=(2,)), ValueError, "number of rows"),
    ErrorRow("SparseApplyAdagrad", _mismatch("SparseApplyAdagrad", grad=(3, 4)), ValueError, "gradient's rows"),
    ErrorRow("SparseApplyAdagrad", _mismatch("SparseApplyAdagrad", indices=(3, 1)), ValueError, "indices must have rank 1"),
    ErrorRow("ApplyGradientDescent", lambda: TABLE["ApplyGradientDescent"].public(constant([1.0]), 0.1, constant([1.0])), TypeError, "mutable"),
]
