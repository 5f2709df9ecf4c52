"""Learning rates that follow the global step.

Each function returns a scalar tensor of the type of the initial learning rate, to be given to an optimizer.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import int32, int64
from ir.ops.arith import add, divide, minimum, multiply, pow_
from ir.ops.cast import cast
from ir.ops.compare import equal, less_equal
from ir.ops.elementwise import ceil, exp, floor, log, negative, sqrt
from ir.ops.random import random_normal
from ir.ops.select import where
from ir.ops.trigonometric import cos
from ir.tensor import Tensor


def _need_step(global_step: Any, what: str) -> None:
    if global_step is None:
        raise ValueError(f"global_step is required for {what}.")


@contextmanager
def _scope(name: str | None, default: str) -> Iterator[str]:
    with get_default_graph().name_scope(name or default) as scope:
        yield scope


def _initial(learning_rate: Any) -> Tensor:
    return convert_to_tensor(learning_rate, name="initial_learning_rate")


@export("train.exponential_decay")
def exponential_decay(learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None) -> Tensor:
    """Returns `learning_rate * decay_rate ** (global_step / decay_steps)`.

    Args:
      learning_rate: the initial learning rate, a float or scalar tensor.
      global_step: the step, an integer or scalar tensor, not negative.
      decay_steps: the number of steps in which the rate falls by the factor `decay_rate`.
      staircase: fall only every `decay_steps` steps, by rounding the exponent down.
      name: a name for the operation.

    Raises ValueError when `global_step` is None.

    >>> exponential_decay(0.1, 1000, 100, 0.96, staircase=True).shape.as_list()
    []
    """
    _need_step(global_step, "exponential_decay")
    with _scope(name, "ExponentialDecay") as scope:
        initial = _initial(learning_rate)
        steps = cast(decay_steps, initial.dtype)
        rate = cast(decay_rate, initial.dtype)
        passed = cast(global_step, initial.dtype) / steps
        if staircase:
            passed = floor(passed)
        return multiply(initial, pow_(rate, passed), name=scope)


@export("train.natural_exp_decay")
def natural_exp_decay(learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None) -> Tensor:
    """Returns `learning_rate * exp(-decay_rate * global_step / decay_steps)`.

    The arguments are those of `exponential_decay`.
    """
    _need_step(global_step, "natural_exp_decay")
    return exponential_decay(learning_rate, global_step, decay_steps, exp(negative(decay_rate)), staircase=staircase, name=name)


@export("train.inverse_time_decay")
def inverse_time_decay(learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None) -> Tensor:
    """Returns `learning_rate / (1 + decay_rate * global_step / decay_steps)`.

    The arguments are those of `exponential_decay`.
    """
    _need_step(global_step, "inverse_time_decay")
    with _scope(name, "InverseTimeDecay") as scope:
        initial = _initial(learning_rate)
        steps = cast(decay_steps, initial.dtype)
        rate = cast(decay_rate, initial.dtype)
        passed = cast(global_step, initial.dtype) / steps
        if staircase:
            passed = floor(passed)
        one = cast(convert_to_tensor(1, name="Const"), initial.dtype)
        return divide(initial, add(one, multiply(rate, passed)), name=scope)


@export("train.polynomial_decay")
def polynomial_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, end_learning_rate: Any = 0.0001, power: Any = 1.0, cycle: bool = False,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Returns a rate that goes from `learning_rate` to `end_learning_rate` in `decay_steps` steps and stays there.

    At step s it is `(learning_rate - end_learning_rate) * (1 - s / decay_steps) ** power + end_learning_rate`.

    Args:
      learning_rate, global_step: as in `exponential_decay`.
      decay_steps: the length of the way.
      end_learning_rate: the rate at its end.
      power: 1 is linear.
      cycle: instead of staying at the end, stretch the way to the next multiple of `decay_steps` that is not below the step.
      name: a name for the operation.
    """
    _need_step(global_step, "polynomial_decay")
    with _scope(name, "PolynomialDecay") as scope:
        initial = _initial(learning_rate)
        end = cast(end_learning_rate, initial.dtype)
        exponent = cast(power, initial.dtype)
        step = cast(global_step, initial.dtype)
        length = cast(decay_steps, initial.dtype)
        if cycle:
            times = where(equal(step, 0), cast(1.0, initial.dtype), ceil(step / decay_steps))
            length = multiply(length, times)
        else:
            step = minimum(step, decay_steps)
        left = pow_(1 - step / length, exponent)
        return add(multiply(initial - end, left), end, name=scope)


@export("train.piecewise_constant train.piecewise_constant_decay")
def piecewise_constant(x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: str | None = None) -> Tensor:
    """Returns `values[0]` while `x <= boundaries[0]`, `values[1]` while `x <= boundaries[1]`, ..., then the last value.

    Args:
      x: a scalar, usually the global step.
      boundaries: increasing numbers of the type of `x`.
      values: one more number than there are boundaries.
      name: a name for the operation.

    Raises ValueError when the number of values is wrong or the types do not fit.

    >>> piecewise_constant(7, [5, 10], [1.0, 0.5, 0.1]).dtype
    tf.float32
    """
    if len(boundaries) != len(values) - 1:
        raise ValueError("The length of boundaries should be 1 less than the length of values")
    tensors = [convert_to_tensor(b) for b in boundaries]
    outs = [convert_to_tensor(v) for v in values]
    at = convert_to_tensor(x)
    for i, b in enumerate(tensors):
        if b.dtype.base_dtype is not at.dtype.base_dtype:
            if b.dtype.base_dtype is int32 and at.dtype.base_dtype is int64:
                tensors[i] = cast(b, int64)
            else:
                raise ValueError(f"Boundaries ({b.dtype.base_dtype.name}) must have the same dtype as x ({at.dtype.base_dtype.name}).")
    for v in outs[1:]:
        if v.dtype.base_dtype is not outs[0].dtype.base_dtype:
            raise ValueError(f"Values must have elements all with the same dtype ({outs[0].dtype.base_dtype.name} vs {v.dtype.base_dtype.name}).")
    with _scope(name, "PiecewiseConstant"):
        found = outs[-1]
        for b, v in zip(reversed(tensors), reversed(outs[:-1]), strict=True):
            found = where(less_equal(at, b), v, found)
        return found


def _cosine(completed: Tensor) -> Tensor:
    """Half a cosine wave, from 1 at 0 to 0 at 1."""
    return 0.5 * (1.0 + cos(convert_to_tensor(math.pi, dtype=completed.dtype, name="Const") * completed))


@export("train.cosine_decay")
def cosine_decay(learning_rate: Any, global_step: Any, decay_steps: Any, alpha: float = 0.0, name: str | None = None) -> Tensor:
    """Returns a rate that falls along half a cosine wave from `learning_rate` to `alpha * learning_rate`.

    Args:
      learning_rate, global_step: as in `exponential_decay`.
      decay_steps: the number of steps of the fall.
      alpha: the final rate as a fraction of the initial one.
      name: a name for the operation.

    Loshchilov and Hutter, SGDR, 2017.
    """
    _need_step(global_step, "cosine decay")
    with _scope(name, "CosineDecay"):
        initial = _initial(learning_rate)
        steps = cast(decay_steps, initial.dtype)
        passed = minimum(cast(global_step, initial.dtype), steps)
        return multiply(initial, (1 - alpha) * _cosine(passed / steps) + alpha)


@export("train.cosine_decay_restarts")
def cosine_decay_restarts(
    learning_rate: Any, global_step: Any, first_decay_steps: Any, t_mul: Any = 2.0, m_mul: Any = 1.0, alpha: Any = 0.0, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Returns `cosine_decay` that starts again: the first period lasts `first_decay_steps` steps.

    Args:
      learning_rate, global_step: as in `exponential_decay`.
      first_decay_steps: the length of the first period.
      t_mul: each period is so many times as long as the one before.
      m_mul: each period starts at so many times the rate of the one before.
      alpha: the lowest rate as a fraction of the initial one.
      name: a name for the operation.
    """
    _need_step(global_step, "cosine decay restarts")
    with _scope(name, "SGDRDecay") as scope:
        initial = _initial(learning_rate)
        dtype = initial.dtype
        first = cast(first_decay_steps, dtype)
        lowest, longer, lower = cast(alpha, dtype), cast(t_mul, dtype), cast(m_mul, dtype)
        completed = cast(global_step, dtype) / first
        equal_periods = equal(longer, 1.0)
        restarts, fraction = _geometric_restarts(completed, longer)
        whole = floor(completed)
        restarts = where(equal_periods, whole, restarts)
        fraction = where(equal_periods, completed - whole, fraction)
        decayed = (1 - lowest) * (pow_(lower, restarts) * _cosine(fraction)) + lowest
        return multiply(initial, decayed, name=scope)


def _geometric_restarts(completed: Tensor, longer: Tensor) -> tuple[Tensor, Tensor]:
    """Returns how many periods are over and which part of the current one, when each is `longer` times the last."""
    restarts = floor(log(1.0 - completed * (1.0 - longer)) / log(longer))
    before = (1.0 - pow_(longer, restarts)) / (1.0 - longer)
    return restarts, (completed - before) / pow_(longer, restarts)


@export("train.linear_cosine_decay")
def linear_cosine_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, num_periods: Any = 0.5, alpha: Any = 0.0, beta: Any = 0.001, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Returns `learning_rate * ((alpha + linear) * cosine + beta)`.

    `linear` falls from 1 to 0 in `decay_steps` steps, `cosine` goes through `num_periods` periods between 1 and 0 in
    that time (Bello et al., Neural Optimizer Search, 2017).
    """
    _need_step(global_step, "linear cosine decay")
    with _scope(name, "LinearCosineDecay") as scope:
        initial = _initial(learning_rate)
        dtype = initial.dtype
        steps = cast(decay_steps, dtype)
        periods, alpha, beta = cast(num_periods, dtype), cast(alpha, dtype), cast(beta, dtype)
        passed = minimum(cast(global_step, dtype), steps)
        linear = (steps - passed) / steps
        wave = _cosine((2.0 * periods) * (passed / steps))
        return multiply(initial, (alpha + linear) * wave + beta, name=scope)


@export("train.noisy_linear_cosine_decay")
def noisy_linear_cosine_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, initial_variance: Any = 1.0, variance_decay: Any = 0.55, num_periods: Any = 0.5,
    alpha: Any = 0.0, beta: Any = 0.001, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Returns `linear_cosine_decay` with normal noise on the linear part.

    At step s the noise has the variance `initial_variance / (1 + s) ** variance_decay`; the other arguments are those of
    `linear_cosine_decay`.
    """
    _need_step(global_step, "noisy linear cosine decay")
    with _scope(name, "NoisyLinearCosineDecay") as scope:
        initial = _initial(learning_rate)
        dtype = initial.dtype
        steps = cast(decay_steps, dtype)
        variance, falling = cast(initial_variance, dtype), cast(variance_decay, dtype)
        periods, alpha, beta = cast(num_periods, dtype), cast(alpha, dtype), cast(beta, dtype)
        passed = minimum(cast(global_step, dtype), steps)
        linear = (steps - passed) / steps
        deviation = sqrt(variance / pow_(1.0 + passed, falling))
        noisy = linear + random_normal(linear.shape, stddev=deviation, dtype=dtype)
        wave = _cosine((2.0 * periods) * (passed / steps))
        return multiply(initial, (alpha + noisy) * wave + beta, name=scope)
