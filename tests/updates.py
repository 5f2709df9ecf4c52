"""The update rules of the optimizers as their authors publish them, in double precision: independent of graphc.

Each function takes the values of the variables an op updates, then the gradient and the hyperparameters by TensorFlow's
names, and returns the new values. They loop over elements, so that they share nothing with the arrays' arithmetic.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Rule = Callable[..., tuple[float, ...]]


def sign(x: float) -> float:
    return math.copysign(1.0, x) if x else 0.0


def shrink(x: float, by: float) -> float:
    return sign(x) * max(abs(x) - by, 0.0)


def gradient_descent(var: float, *, grad: float, alpha: float) -> tuple[float, ...]:
    return (var - alpha * grad,)


def proximal_gradient_descent(var: float, *, grad: float, alpha: float, l1: float, l2: float) -> tuple[float, ...]:
    return (shrink(var - alpha * grad, alpha * l1) / (1 + alpha * l2),)


def momentum(var: float, accum: float, *, grad: float, lr: float, momentum: float, use_nesterov: bool = False) -> tuple[float, ...]:
    accum = momentum * accum + grad
    return var - lr * (grad + momentum * accum if use_nesterov else accum), accum


def keras_momentum(var: float, accum: float, *, grad: float, lr: float, momentum: float, use_nesterov: bool = False) -> tuple[float, ...]:
    accum = momentum * accum - lr * grad
    return var + (momentum * accum - lr * grad if use_nesterov else accum), accum


def adam(
    var: float, m: float, v: float, *, grad: float, lr: float, beta1: float, beta2: float, epsilon: float, beta1_power: float, beta2_power: float,
    use_nesterov: bool = False,
) -> tuple[float, ...]:  # fmt: skip
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    rate = lr * math.sqrt(1 - beta2_power) / (1 - beta1_power)
    ahead = beta1 * m + (1 - beta1) * grad if use_nesterov else m
    return var - rate * ahead / (math.sqrt(v) + epsilon), m, v


def adam_with_amsgrad(
    var: float, m: float, v: float, vhat: float, *, lr: float, epsilon: float, beta1_power: float, beta2_power: float, **rest: Any,
) -> tuple[float, ...]:  # fmt: skip
    _, m, v = adam(var, m, v, lr=lr, epsilon=epsilon, beta1_power=beta1_power, beta2_power=beta2_power, **rest)
    vhat = max(vhat, v)
    return var - lr * math.sqrt(1 - beta2_power) / (1 - beta1_power) * m / (math.sqrt(vhat) + epsilon), m, v, vhat


def ada_max(var: float, m: float, v: float, *, grad: float, lr: float, beta1: float, beta2: float, epsilon: float, beta1_power: float) -> tuple[float, ...]:
    m = beta1 * m + (1 - beta1) * grad
    v = max(beta2 * v, abs(grad))
    return var - lr / (1 - beta1_power) * m / (v + epsilon), m, v


def rms_prop(var: float, ms: float, mom: float, *, grad: float, lr: float, rho: float, momentum: float, epsilon: float) -> tuple[float, ...]:
    ms = rho * ms + (1 - rho) * grad**2
    mom = momentum * mom + lr * grad / math.sqrt(ms + epsilon)
    return var - mom, ms, mom


def centered_rms_prop(
    var: float, mg: float, ms: float, mom: float, *, grad: float, lr: float, rho: float, momentum: float, epsilon: float,
) -> tuple[float, ...]:  # fmt: skip
    mg = rho * mg + (1 - rho) * grad
    ms = rho * ms + (1 - rho) * grad**2
    mom = momentum * mom + lr * grad / math.sqrt(ms - mg**2 + epsilon)
    return var - mom, mg, ms, mom


def adagrad(var: float, accum: float, *, grad: float, lr: float, update_slots: bool = True) -> tuple[float, ...]:
    return adagrad_v2(var, accum, grad=grad, lr=lr, epsilon=0.0, update_slots=update_slots)


def adagrad_v2(var: float, accum: float, *, grad: float, lr: float, epsilon: float, update_slots: bool = True) -> tuple[float, ...]:
    accum = accum + grad**2 if update_slots else accum
    return var - lr * grad / (math.sqrt(accum) + epsilon), accum


def proximal_adagrad(var: float, accum: float, *, grad: float, lr: float, l1: float, l2: float) -> tuple[float, ...]:
    accum += grad**2
    rate = lr / math.sqrt(accum)
    return shrink(var - rate * grad, rate * l1) / (1 + rate * l2), accum


def adadelta(var: float, accum: float, accum_update: float, *, grad: float, lr: float, rho: float, epsilon: float) -> tuple[float, ...]:
    accum = rho * accum + (1 - rho) * grad**2
    step = math.sqrt(accum_update + epsilon) / math.sqrt(accum + epsilon) * grad
    return var - lr * step, accum, rho * accum_update + (1 - rho) * step**2


def adagrad_da(
    var: float, gradient_accumulator: float, gradient_squared_accumulator: float, *, grad: float, lr: float, l1: float, l2: float, global_step: float,
) -> tuple[float, ...]:  # fmt: skip
    total, squares = gradient_accumulator + grad, gradient_squared_accumulator + grad**2
    return -lr * shrink(total, l1 * global_step) / (math.sqrt(squares) + lr * l2 * global_step), total, squares


def ftrl(
    var: float, accum: float, linear: float, *, grad: float, lr: float, l1: float, l2: float, lr_power: float, l2_shrinkage: float = 0.0,
) -> tuple[float, ...]:  # fmt: skip
    summed = accum + grad**2
    sigma = (summed**-lr_power - accum**-lr_power) / lr
    linear += grad + 2 * l2_shrinkage * var - sigma * var
    return -shrink(linear, l1) / (summed**-lr_power / lr + 2 * l2), summed, linear


def add_sign(var: float, m: float, *, grad: float, lr: float, alpha: float, sign_decay: float, beta: float) -> tuple[float, ...]:
    m = beta * m + (1 - beta) * grad
    return var - lr * (alpha + sign_decay * sign(grad) * sign(m)) * grad, m


def power_sign(var: float, m: float, *, grad: float, lr: float, logbase: float, sign_decay: float, beta: float) -> tuple[float, ...]:
    m = beta * m + (1 - beta) * grad
    return var - lr * math.exp(logbase) ** (sign_decay * sign(grad) * sign(m)) * grad, m


def updated(rule: Rule, states: list[np.ndarray], grad: np.ndarray, **hyper: Any) -> list[np.ndarray]:
    """Returns the new values of whole variables."""
    out = [np.array(s) for s in states]
    for at in np.ndindex(states[0].shape):
        new = rule(*[float(s[at]) for s in states], grad=float(grad[at]), **hyper)
        for o, n in zip(out, new, strict=True):
            o[at] = n
    return out


def updated_rows(rule: Rule, states: list[np.ndarray], grad: np.ndarray, indices: np.ndarray, **hyper: Any) -> list[np.ndarray]:
    """Returns the new values of variables of which the rows `indices` are updated, one after the other."""
    out = [np.array(s) for s in states]
    for i, g in zip(indices.tolist(), grad, strict=True):
        for o, new in zip(out, updated(rule, [o[i] for o in out], g, **hyper), strict=True):
            o[i] = new
    return out
