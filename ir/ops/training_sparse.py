"""Training ops on rows: `SparseApplyX` and `ResourceSparseApplyX` update the rows `indices` of the variables.

Row `i` of the gradient belongs to row `indices[i]`. When an index occurs twice, the host applies its updates one
after the other; compiled, one of them is lost, so the optimizers add up the rows of equal indices first.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np

from ir import xp
from ir.infer import Infer
from ir.opdef import In, Int64, T
from ir.ops import training_dense as dense
from ir.ops.scatter_util import scatter_rows, take_rows
from ir.ops.training_dense import State, Update
from ir.shapes import Dims

Tindices = Annotated[Any, In("Tindices")]


def sparse_shape(c: Infer) -> Dims:
    """The gradient has one row per index, of the shape of the variables' rows; everything else is a scalar."""
    dims = dense.states_dims(c)
    dense.check_scalars(c, ("grad", "indices"))
    at = {spec.name: i for i, spec in enumerate(c.opdef.inputs)}
    count = c.rank(at["indices"], 1)
    given = c.rank_at_least(at["grad"], 1)
    if dims is not None and not dims:
        raise ValueError("a scalar variable has no rows to update")
    if given is None:
        return dims
    dense.fit(count, given[:1], "the number of rows of the gradient", "the number of indices")
    rows = dense.fit(None if dims is None else dims[1:], given[1:], "the shape of the gradient's rows", "that of the variable's")
    return (None if dims is None else dims[0], *(rows or ()))


def sparse_update(name: str, states: str) -> Callable[[Callable[..., Any]], Update]:
    """Defines `SparseApply{name}` and `ResourceSparseApply{name}` by the decorated function."""
    return dense.update(name, states, sparse_shape, rows=True)


def on_rows(rule: Callable[..., Any], indices: Any, states: Sequence[Any], grad: Any, *scalars: Any, **attrs: Any) -> tuple[Any, ...]:
    """Returns `states` with their rows `indices` updated by `rule(*rows, grad, *scalars, **attrs)`."""
    groups = [slice(None)]
    if xp.is_numpy([*states, indices, grad, *scalars]) and len(np.unique(indices)) < len(indices):
        groups = [slice(i, i + 1) for i in range(len(indices))]
    for s in groups:
        at = indices[s]
        new = rule(*[take_rows(x, at) for x in states], grad[s], *scalars, **attrs)
        rows = new if isinstance(new, tuple) else (new,)
        states = [scatter_rows(x, at, r) for x, r in zip(states, rows, strict=True)]
    return tuple(states)


@sparse_update("ProximalGradientDescent", "var")
def proximal_gradient_descent(var: State, alpha: T, l1: T, l2: T, grad: T, indices: Tindices, use_locking: bool = False, name: str | None = None) -> Any:
    """`ApplyProximalGradientDescent` on rows."""
    return on_rows(lambda v, g: dense.proximal_gradient_descent.rule(v, alpha, l1, l2, g), indices, [var], grad)[0]


@sparse_update("Momentum", "var accum")
def momentum(
    var: State, accum: State, lr: T, grad: T, indices: Tindices, momentum: T, use_locking: bool = False, use_nesterov: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`ApplyMomentum` on rows."""
    return on_rows(lambda v, a, g: dense.momentum.rule(v, a, lr, g, momentum, use_nesterov=use_nesterov), indices, [var, accum], grad)


@dense.update("KerasMomentum", "var accum", sparse_shape, rows=True, ref=False)
def keras_momentum(
    var: State, accum: State, lr: T, grad: T, indices: Tindices, momentum: T, use_locking: bool = False, use_nesterov: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`ResourceApplyKerasMomentum` on rows."""
    return on_rows(lambda v, a, g: dense.keras_momentum.rule(v, a, lr, g, momentum, use_nesterov=use_nesterov), indices, [var, accum], grad)


@sparse_update("RMSProp", "var ms mom")
def rms_prop(
    var: State, ms: State, mom: State, lr: T, rho: T, momentum: T, epsilon: T, grad: T, indices: Tindices, use_locking: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`ApplyRMSProp` on rows."""
    return on_rows(lambda *x: dense.rms_prop.rule(*x[:-1], lr, rho, momentum, epsilon, x[-1]), indices, [var, ms, mom], grad)


@sparse_update("CenteredRMSProp", "var mg ms mom")
def centered_rms_prop(
    var: State, mg: State, ms: State, mom: State, lr: T, rho: T, momentum: T, epsilon: T, grad: T, indices: Tindices,
    use_locking: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """`ApplyCenteredRMSProp` on rows."""
    return on_rows(lambda *x: dense.centered_rms_prop.rule(*x[:-1], lr, rho, momentum, epsilon, x[-1]), indices, [var, mg, ms, mom], grad)


@sparse_update("Adagrad", "var accum")
def adagrad(
    var: State, accum: State, lr: T, grad: T, indices: Tindices, use_locking: bool = False, update_slots: bool = True, name: str | None = None,
) -> Any:  # fmt: skip
    """`ApplyAdagrad` on rows."""
    return on_rows(lambda v, a, g: dense.adagrad.rule(v, a, lr, g, update_slots=update_slots), indices, [var, accum], grad)


@sparse_update("AdagradV2", "var accum")
def adagrad_v2(
    var: State, accum: State, lr: T, epsilon: T, grad: T, indices: Tindices, use_locking: bool = False, update_slots: bool = True,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`ApplyAdagradV2` on rows."""
    return on_rows(lambda v, a, g: dense.adagrad_v2.rule(v, a, lr, epsilon, g, update_slots=update_slots), indices, [var, accum], grad)


@sparse_update("ProximalAdagrad", "var accum")
def proximal_adagrad(
    var: State, accum: State, lr: T, l1: T, l2: T, grad: T, indices: Tindices, use_locking: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """`ApplyProximalAdagrad` on rows."""
    return on_rows(lambda v, a, g: dense.proximal_adagrad.rule(v, a, lr, l1, l2, g), indices, [var, accum], grad)


@sparse_update("Adadelta", "var accum accum_update")
def adadelta(
    var: State, accum: State, accum_update: State, lr: T, rho: T, epsilon: T, grad: T, indices: Tindices, use_locking: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`ApplyAdadelta` on rows."""
    return on_rows(lambda v, a, u, g: dense.adadelta.rule(v, a, u, lr, rho, epsilon, g), indices, [var, accum, accum_update], grad)


@sparse_update("AdagradDA", "var gradient_accumulator gradient_squared_accumulator")
def adagrad_da(
    var: State, gradient_accumulator: State, gradient_squared_accumulator: State, grad: T, indices: Tindices, lr: T, l1: T, l2: T,
    global_step: Int64, use_locking: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """`ApplyAdagradDA` on rows."""
    states = [var, gradient_accumulator, gradient_squared_accumulator]
    return on_rows(lambda *x: dense.adagrad_da.rule(*x, lr, l1, l2, global_step), indices, states, grad)


@sparse_update("Ftrl", "var accum linear")
def ftrl(
    var: State, accum: State, linear: State, grad: T, indices: Tindices, lr: T, l1: T, l2: T, lr_power: T, use_locking: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`ApplyFtrl` on rows."""
    return on_rows(lambda *x: dense.ftrl.rule(*x, lr, l1, l2, lr_power), indices, [var, accum, linear], grad)


@sparse_update("FtrlV2", "var accum linear")
def ftrl_v2(
    var: State, accum: State, linear: State, grad: T, indices: Tindices, lr: T, l1: T, l2: T, l2_shrinkage: T, lr_power: T,
    use_locking: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """`ApplyFtrlV2` on rows."""
    return on_rows(lambda *x: dense.ftrl_v2.rule(*x, lr, l1, l2, l2_shrinkage, lr_power), indices, [var, accum, linear], grad)
