"""AddSign and PowerSign, whose steps depend on whether gradient and momentum agree in sign, and decays for them."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graphc.train.rule import RuleOptimizer
from ir.build import export
from ir.convert import constant, convert_to_tensor
from ir.dtypes import float32, int32
from ir.indexed_slices import IndexedSlices
from ir.ops import training_dense
from ir.ops.arith import floormod, maximum, minimum
from ir.ops.basic import group
from ir.ops.cast import cast
from ir.ops.compare import greater_equal
from ir.ops.elementwise import exp, sign
from ir.ops.gather import gather
from ir.ops.scatter import scatter_add, scatter_sub
from ir.ops.select import where
from ir.ops.training_dense import Update
from ir.ops.trigonometric import cos
from ir.tensor import Tensor

SignDecay = Callable[[Any], Any]


class _SignOptimizer(RuleOptimizer):
    """The step is the gradient times a factor that depends on `sign_decay * sign(grad) * sign(m)`."""

    def __init__(self, learning_rate: Any, beta: Any, sign_decay_fn: SignDecay | None, use_locking: bool, name: str) -> None:
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._beta = beta
        self._sign_decay_fn = sign_decay_fn
        self._lr_t: Any = None
        self._beta_t: Any = None
        self._sign_decay_t: Any = None

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]], global_step: Any = None, name: str | None = None) -> Any:
        """`Optimizer.apply_gradients`; `global_step` is also what `sign_decay_fn` gets."""
        if self._sign_decay_fn is not None:
            self._sign_decay_t = convert_to_tensor(self._sign_decay_fn(global_step), name="sign_decay")
        return super().apply_gradients(grads_and_vars, global_step=global_step, name=name)

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "m", self._name)

    def _prepare_factor(self) -> None:
        raise NotImplementedError

    def _prepare(self) -> None:
        self._lr_t = convert_to_tensor(self._lr, name="learning_rate")
        self._beta_t = convert_to_tensor(self._beta, name="beta")
        self._prepare_factor()
        if self._sign_decay_fn is None:
            self._sign_decay_t = convert_to_tensor(1.0, name="sign_decay")

    def _factor_argument(self, var: Any) -> dict[str, Any]:
        raise NotImplementedError

    def _factor(self, signs: Tensor, given: dict[str, Any]) -> Tensor:
        """Returns the factor where the decayed product of the signs is `signs`."""
        raise NotImplementedError

    def _arguments(self, var: Any) -> dict[str, Any]:
        dtype = var.dtype.base_dtype
        return {
            "m": self.get_slot(var, "m"),
            "lr": cast(self._lr_t, dtype),
            **self._factor_argument(var),
            "sign_decay": cast(self._sign_decay_t, dtype),
            "beta": cast(self._beta_t, dtype),
        }

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        given = self._arguments(var)
        m, beta = given["m"], given["beta"]
        decayed = m.assign(m * beta, use_locking=self._use_locking)
        m_t = scatter_add(decayed, grad.indices, grad.values * (1 - beta), use_locking=self._use_locking)
        signs = given["sign_decay"] * (gather(sign(m_t), grad.indices) * sign(grad.values))
        step = given["lr"] * self._factor(signs, given) * grad.values
        done = scatter_sub(var, grad.indices, step, use_locking=self._use_locking)
        return group(done, m_t)


@export("contrib.opt.AddSignOptimizer")
class AddSignOptimizer(_SignOptimizer):
    """`m = beta * m + (1 - beta) * grad`, `var -= learning_rate * (alpha + sign_decay * sign(grad) * sign(m)) * grad`.

    Bello et al., Neural Optimizer Search, 2017.

    Args:
      learning_rate: a float or tensor.
      alpha: a float or tensor.
      beta: how slowly the running mean of gradients forgets.
      sign_decay_fn: a function of the global step that gives `sign_decay`, by default 1.
      use_locking: accepted.
      name: the name of the operations and of the slot "m".
    """

    def __init__(
        self, learning_rate: Any = 0.1, alpha: Any = 1.0, beta: Any = 0.9, sign_decay_fn: SignDecay | None = None, use_locking: bool = False,
        name: str = "AddSignOptimizer",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta, sign_decay_fn, use_locking, name)
        self._alpha = alpha
        self._alpha_t: Any = None

    def _dense(self) -> Update:
        return training_dense.add_sign

    def _prepare_factor(self) -> None:
        self._alpha_t = convert_to_tensor(self._alpha, name="alpha")

    def _factor_argument(self, var: Any) -> dict[str, Any]:
        return {"alpha": cast(self._alpha_t, var.dtype.base_dtype)}

    def _factor(self, signs: Tensor, given: dict[str, Any]) -> Tensor:
        return given["alpha"] + signs


@export("contrib.opt.PowerSignOptimizer")
class PowerSignOptimizer(_SignOptimizer):
    """`m = beta * m + (1 - beta) * grad`, `var -= learning_rate * base ** (sign_decay * sign(grad) * sign(m)) * grad`.

    Bello et al., Neural Optimizer Search, 2017.

    Args:
      learning_rate: a float or tensor.
      base: a positive float.
      beta: how slowly the running mean of gradients forgets.
      sign_decay_fn: a function of the global step that gives `sign_decay`, by default 1.
      use_locking: accepted.
      name: the name of the operations and of the slot "m".
    """

    def __init__(
        self, learning_rate: Any = 0.1, base: float = math.e, beta: Any = 0.9, sign_decay_fn: SignDecay | None = None, use_locking: bool = False,
        name: str = "PowerSignOptimizer",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta, sign_decay_fn, use_locking, name)
        self._logbase = math.log(base)
        self._logbase_t: Any = None

    def _dense(self) -> Update:
        return training_dense.power_sign

    def _prepare_factor(self) -> None:
        self._logbase_t = convert_to_tensor(self._logbase, name="logbase")

    def _factor_argument(self, var: Any) -> dict[str, Any]:
        return {"logbase": cast(self._logbase_t, var.dtype.base_dtype)}

    def _factor(self, signs: Tensor, given: dict[str, Any]) -> Tensor:
        return exp(given["logbase"] * signs)


# -- decays of the sign's weight ---------------------------------------------------------------------


def _step_until(global_step: Any, decay_steps: Any) -> Tensor:
    if global_step is None:
        raise ValueError("global_step is required for the decay of the sign.")
    return minimum(global_step, decay_steps)


def _half_wave(fraction: Any) -> Tensor:
    return 0.5 * (1.0 + cos(constant(math.pi) * fraction))


def get_linear_decay_fn(decay_steps: Any) -> SignDecay:
    """Returns a function of the global step that falls from 1 to 0 in `decay_steps` steps."""

    def linear_decay_fn(global_step: Any) -> Tensor:
        left = cast(decay_steps, int32) - cast(_step_until(global_step, decay_steps), int32)
        return maximum(0.0, cast(left, float32) / cast(decay_steps, float32))

    return linear_decay_fn


def get_cosine_decay_fn(decay_steps: Any, num_periods: Any = 0.5, zero_after: Any = None) -> SignDecay:
    """Returns a function of the global step that follows `num_periods` periods of a cosine between 1 and 0 in `decay_steps` steps.

    After `zero_after` periods, if given, it is 0.
    """

    def cosine_decay_fn(global_step: Any) -> Tensor:
        completed = cast(_step_until(global_step, decay_steps), float32) / cast(decay_steps, float32)
        fraction = 2.0 * num_periods * completed
        decayed = _half_wave(fraction)
        return decayed if zero_after is None else where(greater_equal(fraction, 2 * zero_after), 0.0, decayed)

    return cosine_decay_fn


def get_restart_decay_fn(decay_steps: Any, num_periods: Any = 1, zero_after: Any = None) -> SignDecay:
    """Returns a function of the global step that falls along half a cosine wave `num_periods` times in `decay_steps` steps.

    After `zero_after` falls, if given, it is 0.
    """

    def restart_decay_fn(global_step: Any) -> Tensor:
        step = cast(_step_until(global_step, decay_steps), float32)
        decayed = _half_wave(floormod(num_periods * step, cast(decay_steps, float32)) / cast(decay_steps, float32))
        return decayed if zero_after is None else where(greater_equal(num_periods * step / cast(decay_steps, float32), zero_after), 0.0, decayed)

    return restart_decay_fn
