"""Training ops on whole variables: `ApplyX` on references and `ResourceApplyX` on handles, from one rule each.

`sgd.ref(...)` and `sgd.resource(...)` build the operations, `sgd.rule(...)` is the arithmetic on arrays. A rule
receives the values of the variables and returns their new values, in the order in which it takes them. Step
sizes and decay rates are scalars of the variable's type; the gradient has the variable's shape.
"""

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from ir import xp
from ir.build import grad, op
from ir.dtypes import INDEX, NUMBER
from ir.infer import Infer
from ir.opdef import In, Int64, Resource, T
from ir.shapes import Dims, merge_dims, shape_str

#: a variable that the rule updates: a reference in one form of the op, a handle in the other
State = Annotated[Any, In("T", ref=True)]

NO_GRADIENT = "an update of variables is an effect, not a function"


@dataclass(frozen=True, slots=True)
class Update:
    """The forms of one update: the rule, and the builders of the op on references and of the op on handles."""

    rule: Callable[..., Any]
    ref: Callable[..., Any]
    resource: Callable[..., Any]
    #: the names of the variables it updates
    states: tuple[str, ...]


def on_handles(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `fn` with the variables among its parameters declared as handles."""
    out = types.FunctionType(fn.__code__, fn.__globals__, fn.__name__, fn.__defaults__, fn.__closure__)
    out.__annotations__ = {k: Resource if v is State else v for k, v in fn.__annotations__.items()}
    out.__doc__ = fn.__doc__
    out.__module__ = fn.__module__
    return out


def update(
    name: str, states: str, shape: Callable[[Infer], Dims] | None = None, *, rows: bool = False, ref: bool = True,
) -> Callable[[Callable[..., Any]], Update]:  # fmt: skip
    """Defines `ApplyX` (unless `ref` is False) and `ResourceApplyX` by the decorated rule.

    `name` is the X, `states` the variables that the rule updates, `rows` says that it updates rows (`SparseApplyX`).
    """
    kind = f"SparseApply{name}" if rows else f"Apply{name}"
    dims = shape or dense_shape
    names = tuple(states.split())
    types_of: dict[str, Any] = {"T": NUMBER, "Tindices": INDEX} if rows else {"T": NUMBER}

    def checked(c: Infer) -> list[Dims]:
        dims(c)
        return []

    def decorate(fn: Callable[..., Any]) -> Update:
        resource = op("Resource" + kind, checked, out="", writes=states, elementwise=not rows, **types_of)(on_handles(fn))
        grad.none("Resource" + kind, NO_GRADIENT)
        if not ref:
            return Update(fn, _no_form(name), resource, names)
        on_refs = op(kind, dims, out="out: ref T", writes=states, elementwise=not rows, **types_of)(fn)
        grad.none(kind, NO_GRADIENT)
        return Update(fn, on_refs, resource, names)

    return decorate


def _no_form(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{name} updates resource variables only: make the variable with use_resource=True")

    return refuse


# -- shapes ------------------------------------------------------------------------------------------


def states_dims(c: Infer) -> Dims:
    """The shape of the variables among the inputs, which all have one."""
    dims: Dims = None
    for i, spec in enumerate(c.opdef.inputs):
        if spec.name in c.opdef.effects.writes:
            handle = c.tensors[i].handle
            own = c.dims(i) if spec.spec.ref else handle[1] if handle is not None else None
            dims = fit(dims, own, f"the shape of '{spec.name}'", "that of the variables before it")
    return dims


def fit(dims: Dims, other: Dims, what: str, whose: str) -> Dims:
    """Returns what `dims` and `other` know together. Raises ValueError, saying what they are, when they differ."""
    try:
        return merge_dims(dims, other)
    except ValueError:
        raise ValueError(f"{what}, {shape_str(other)}, differs from {whose}, {shape_str(dims)}") from None


def check_scalars(c: Infer, others: tuple[str, ...]) -> None:
    """Raises ValueError when an input that is neither a variable nor one of `others` is not a scalar."""
    for i, spec in enumerate(c.opdef.inputs):
        if spec.name not in c.opdef.effects.writes and spec.name not in others:
            c.rank(i, 0)


def dense_shape(c: Infer) -> Dims:
    """Variables and gradient have one shape, everything else is a scalar."""
    dims = states_dims(c)
    check_scalars(c, ("grad", "delta"))
    for i, spec in enumerate(c.opdef.inputs):
        if spec.name in ("grad", "delta"):
            return fit(dims, c.dims(i), "the shape of the gradient", "the variable's")
    return dims


# -- plain, with momentum ----------------------------------------------------------------------------


@update("GradientDescent", "var")
def gradient_descent(var: State, alpha: T, delta: T, use_locking: bool = False, name: str | None = None) -> Any:
    """Gradient descent: `var -= alpha * delta`."""
    return var - alpha * delta


@update("ProximalGradientDescent", "var")
def proximal_gradient_descent(var: State, alpha: T, l1: T, l2: T, delta: T, use_locking: bool = False, name: str | None = None) -> Any:
    """Gradient descent followed by the proximal step of the L1 and L2 penalties (Duchi and Singer, 2009, FOBOS)."""
    return _shrunk(var - alpha * delta, alpha * l1, alpha * l2)


def _shrunk(x: Any, l1: Any, l2: Any) -> Any:
    """`x` drawn toward 0 by `l1`, which it does not cross, and divided by `1 + l2`."""
    return xp.sign(x) * xp.maximum(xp.abs(x) - l1, 0) / (1 + l2)


@update("Momentum", "var accum")
def momentum(
    var: State, accum: State, lr: T, grad: T, momentum: T, use_locking: bool = False, use_nesterov: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Momentum: `accum = accum * momentum + grad`, `var -= lr * accum`; Nesterov's looks one step ahead."""
    accum = accum * momentum + grad
    if use_nesterov:
        return var - (grad * lr + accum * momentum * lr), accum
    return var - accum * lr, accum


@update("KerasMomentum", "var accum", ref=False)
def keras_momentum(
    var: State, accum: State, lr: T, grad: T, momentum: T, use_locking: bool = False, use_nesterov: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Momentum with the step size inside: `accum = accum * momentum - lr * grad`, `var += accum`."""
    accum = accum * momentum - grad * lr
    if use_nesterov:
        return var + (accum * momentum - grad * lr), accum
    return var + accum, accum


# -- Adam and its kin --------------------------------------------------------------------------------


@update("Adam", "var m v")
def adam(
    var: State, m: State, v: State, beta1_power: T, beta2_power: T, lr: T, beta1: T, beta2: T, epsilon: T, grad: T,
    use_locking: bool = False, use_nesterov: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Adam (Kingma and Ba, 2015), epsilon added to the uncorrected root; `use_nesterov` is Nadam (Dozat, 2016)."""
    alpha = lr * xp.sqrt(1 - beta2_power) / (1 - beta1_power)
    m = m + (grad - m) * (1 - beta1)
    v = v + (grad * grad - v) * (1 - beta2)
    step = grad * (1 - beta1) + beta1 * m if use_nesterov else m
    return var - step * alpha / (xp.sqrt(v) + epsilon), m, v


@update("AdamWithAmsgrad", "var m v vhat", ref=False)
def adam_with_amsgrad(
    var: State, m: State, v: State, vhat: State, beta1_power: T, beta2_power: T, lr: T, beta1: T, beta2: T, epsilon: T, grad: T,
    use_locking: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Adam divided by the root of the largest second moment so far (Reddi et al., 2018)."""
    alpha = lr * xp.sqrt(1 - beta2_power) / (1 - beta1_power)
    m = m + (grad - m) * (1 - beta1)
    v = v + (grad * grad - v) * (1 - beta2)
    vhat = xp.maximum(vhat, v)
    return var - m * alpha / (xp.sqrt(vhat) + epsilon), m, v, vhat


@update("AdaMax", "var m v")
def ada_max(
    var: State, m: State, v: State, beta1_power: T, lr: T, beta1: T, beta2: T, epsilon: T, grad: T, use_locking: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Adam with the infinity norm in place of the second moment (Kingma and Ba, 2015, section 7)."""
    m = m + (grad - m) * (1 - beta1)
    v = xp.maximum(beta2 * v, xp.abs(grad))
    return var - lr / (1 - beta1_power) * (m / (v + epsilon)), m, v


@update("RMSProp", "var ms mom")
def rms_prop(
    var: State, ms: State, mom: State, lr: T, rho: T, momentum: T, epsilon: T, grad: T, use_locking: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """RMSProp (Tieleman and Hinton, 2012), epsilon inside the root."""
    ms = ms + (grad * grad - ms) * (1 - rho)
    mom = mom * momentum + grad * lr / xp.sqrt(ms + epsilon)
    return var - mom, ms, mom


@update("CenteredRMSProp", "var mg ms mom")
def centered_rms_prop(
    var: State, mg: State, ms: State, mom: State, lr: T, rho: T, momentum: T, epsilon: T, grad: T, use_locking: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """RMSProp divided by the root of the estimated variance instead of the second moment (Graves, 2013)."""
    ms = ms + (grad * grad - ms) * (1 - rho)
    mg = mg + (grad - mg) * (1 - rho)
    mom = mom * momentum + grad * lr / xp.sqrt(ms - mg * mg + epsilon)
    return var - mom, mg, ms, mom


# -- Adagrad and its kin -----------------------------------------------------------------------------


@update("Adagrad", "var accum")
def adagrad(var: State, accum: State, lr: T, grad: T, use_locking: bool = False, update_slots: bool = True, name: str | None = None) -> Any:
    """Adagrad (Duchi, Hazan and Singer, 2011): `accum += grad ** 2`, `var -= lr * grad / sqrt(accum)`."""
    if update_slots:
        accum = accum + grad * grad
    return var - grad * lr / xp.sqrt(accum), accum


@update("AdagradV2", "var accum")
def adagrad_v2(
    var: State, accum: State, lr: T, epsilon: T, grad: T, use_locking: bool = False, update_slots: bool = True, name: str | None = None,
) -> Any:  # fmt: skip
    """Adagrad with `epsilon` added to the root."""
    if update_slots:
        accum = accum + grad * grad
    return var - grad * lr / (xp.sqrt(accum) + epsilon), accum


@update("ProximalAdagrad", "var accum")
def proximal_adagrad(var: State, accum: State, lr: T, l1: T, l2: T, grad: T, use_locking: bool = False, name: str | None = None) -> Any:
    """Adagrad followed by the proximal step of the L1 and L2 penalties, each at the element's own step size."""
    accum = accum + grad * grad
    rate = lr / xp.sqrt(accum)
    return _shrunk(var - rate * grad, rate * l1, rate * l2), accum


@update("Adadelta", "var accum accum_update")
def adadelta(
    var: State, accum: State, accum_update: State, lr: T, rho: T, epsilon: T, grad: T, use_locking: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Adadelta (Zeiler, 2012); `lr` is 1 in the paper."""
    accum = accum * rho + grad * grad * (1 - rho)
    step = xp.sqrt(accum_update + epsilon) / xp.sqrt(accum + epsilon) * grad
    return var - step * lr, accum, accum_update * rho + step * step * (1 - rho)


@update("AdagradDA", "var gradient_accumulator gradient_squared_accumulator")
def adagrad_da(
    var: State, gradient_accumulator: State, gradient_squared_accumulator: State, grad: T, lr: T, l1: T, l2: T, global_step: Int64,
    use_locking: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Adagrad by dual averaging: the variable follows from the sums of all gradients and of their squares."""
    total = gradient_accumulator + grad
    squares = gradient_squared_accumulator + grad * grad
    steps = xp.astype(global_step, lr.dtype)
    drawn = xp.sign(total) * xp.maximum(xp.abs(total) - l1 * steps, 0)
    return -lr * drawn / (l2 * steps * lr + xp.sqrt(squares)), total, squares


@update("Ftrl", "var accum linear")
def ftrl(
    var: State, accum: State, linear: State, grad: T, lr: T, l1: T, l2: T, lr_power: T, use_locking: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Follow the regularized leader (McMahan et al., 2013, algorithm 1)."""
    return _ftrl(var, accum, linear, grad, grad, lr, l1, l2, lr_power)


@update("FtrlV2", "var accum linear")
def ftrl_v2(
    var: State, accum: State, linear: State, grad: T, lr: T, l1: T, l2: T, l2_shrinkage: T, lr_power: T, use_locking: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """FTRL whose gradient also holds the L2 penalty `l2_shrinkage * var ** 2`."""
    return _ftrl(var, accum, linear, grad, grad + 2 * l2_shrinkage * var, lr, l1, l2, lr_power)


def _ftrl(var: Any, accum: Any, linear: Any, grad: Any, full: Any, lr: Any, l1: Any, l2: Any, lr_power: Any) -> Any:
    """FTRL with the squares of `grad` in the step size and `full` as the gradient."""
    summed = accum + grad * grad
    rate = xp.power(summed, -lr_power)
    linear = linear + full - (rate - xp.power(accum, -lr_power)) / lr * var
    drawn = (l1 * xp.sign(linear) - linear) / (rate / lr + 2 * l2)
    return xp.where(xp.abs(linear) > l1, drawn, xp.zeros_like(var)), summed, linear


# -- sign methods (Bello et al., 2017) ---------------------------------------------------------------


@update("AddSign", "var m")
def add_sign(
    var: State, m: State, lr: T, alpha: T, sign_decay: T, beta: T, grad: T, use_locking: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """AddSign: the step is `alpha + sign_decay * sign(grad) * sign(m)` times the gradient."""
    m = m * beta + grad * (1 - beta)
    return var - lr * (alpha + sign_decay * xp.sign(grad) * xp.sign(m)) * grad, m


@update("PowerSign", "var m")
def power_sign(
    var: State, m: State, lr: T, logbase: T, sign_decay: T, beta: T, grad: T, use_locking: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """PowerSign: the step is `exp(logbase * sign_decay * sign(grad) * sign(m))` times the gradient."""
    m = m * beta + grad * (1 - beta)
    return var - lr * xp.exp(logbase * sign_decay * xp.sign(grad) * xp.sign(m)) * grad, m
