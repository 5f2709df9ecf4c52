"""Optimizers outside the graph: SciPy's, which ask for the loss and its gradient and set the variables."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.variables.collections import trainable_variables
from ir.build import export
from ir.gradients import gradients
from ir.ops.basic import placeholder
from ir.ops.joining import concat
from ir.ops.layout import reshape, zeros_like
from ir.stacks import sessions
from ir.tensor import Tensor

Function = Callable[[Any], Any]
#: arguments of scipy.optimize.minimize that are set here
_SET = ("jac", "callback", "constraints", "bounds")


@export("contrib.opt.ExternalOptimizerInterface")
class ExternalOptimizerInterface:
    """Minimizes a loss by an algorithm in Python that subclasses supply as `_minimize`.

    Args:
      loss: the scalar tensor to be minimized.
      var_list: the variables to be changed, by default the trainable ones.
      equalities: scalar tensors to be held at zero.
      inequalities: scalar tensors to be held at zero or above.
      var_to_bounds: variables -> (low, high), numbers or arrays that broadcast to the variable.
      optimizer_kwargs: what the algorithm takes.
    """

    def __init__(
        self, loss: Tensor, var_list: Sequence[Any] | None = None, equalities: Sequence[Tensor] | None = None,
        inequalities: Sequence[Tensor] | None = None, var_to_bounds: dict[Any, Any] | None = None, **optimizer_kwargs: Any,
    ) -> None:  # fmt: skip
        self._loss = loss
        self._equalities = list(equalities or [])
        self._inequalities = list(inequalities or [])
        self._vars = trainable_variables() if var_list is None else list(var_list)
        self.optimizer_kwargs = optimizer_kwargs
        self._packed_bounds = None if var_to_bounds is None else self._bounds(var_to_bounds)
        shapes = [v.get_shape().as_list() for v in self._vars]
        ends = np.cumsum([0, *(int(np.prod(s)) for s in shapes)])
        self._packing_slices = [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]
        self._update_placeholders = [placeholder(v.dtype.base_dtype) for v in self._vars]
        self._var_updates = [v.assign(reshape(p, s)).op for v, p, s in zip(self._vars, self._update_placeholders, shapes, strict=True)]
        self._packed_var = _pack([v.read_value() for v in self._vars])
        self._packed_loss_grad = self._gradient(loss)
        self._packed_equality_grads = [self._gradient(e) for e in self._equalities]
        self._packed_inequality_grads = [self._gradient(i) for i in self._inequalities]

    def _bounds(self, var_to_bounds: dict[Any, Any]) -> list[tuple[float, float]]:
        out: list[tuple[float, float]] = []
        for v in self._vars:
            low, high = var_to_bounds.get(v, (-np.inf, np.inf))
            shape = v.get_shape().as_list()
            lows, highs = (np.broadcast_to(sign if b is None else b, shape).flat for b, sign in ((low, -np.inf), (high, np.inf)))
            out.extend(zip(lows, highs, strict=True))
        return out

    def _gradient(self, y: Tensor) -> Tensor:
        found = gradients(y, self._vars)
        return _pack([zeros_like(v.value()) if g is None else g for g, v in zip(found, self._vars, strict=True)])

    def minimize(
        self, session: Any = None, feed_dict: dict[Any, Any] | None = None, fetches: Sequence[Any] | None = None,
        step_callback: Function | None = None, loss_callback: Callable[..., Any] | None = None, **run_kwargs: Any,
    ) -> None:  # fmt: skip
        """Changes the variables so that the loss is minimal; runs the session as often as the algorithm asks.

        Args:
          session: the session that holds the variables, by default the default one.
          feed_dict: what is fed in each run.
          fetches: tensors whose values `loss_callback` gets.
          step_callback: called after each step with all variables in one vector.
          loss_callback: called with the values of `fetches` whenever the loss was computed.
          run_kwargs: for the last `session.run`.
        """
        session = session or sessions.top()
        feeds = dict(feed_dict or {})
        extra = list(fetches or [])

        def at(tensors: Sequence[Tensor], callback: Callable[..., Any] | None = None) -> Function:
            def evaluate(x: Any) -> Any:
                self._set(session, x)
                values = session.run([*tensors, *extra], feed_dict=feeds)
                if callback is not None:
                    callback(*values[len(tensors) :])
                return values[: len(tensors)]

            return evaluate

        def single(tensors: Sequence[Tensor]) -> list[Function]:
            functions = [at([t]) for t in tensors]
            return [lambda x, f=f: f(x)[0] for f in functions]

        best = self._minimize(
            initial_val=session.run(self._packed_var),
            loss_grad_func=at([self._loss, self._packed_loss_grad], loss_callback),
            equality_funcs=single(self._equalities),
            equality_grad_funcs=single(self._packed_equality_grads),
            inequality_funcs=single(self._inequalities),
            inequality_grad_funcs=single(self._packed_inequality_grads),
            packed_bounds=self._packed_bounds,
            step_callback=step_callback or (lambda _: None),
            optimizer_kwargs=self.optimizer_kwargs,
        )
        self._set(session, best, **run_kwargs)

    def _set(self, session: Any, x: Any, **run_kwargs: Any) -> None:
        parts = [x[s] for s in self._packing_slices]
        session.run(self._var_updates, feed_dict=dict(zip(self._update_placeholders, parts, strict=True)), **run_kwargs)

    def _minimize(
        self, initial_val: Any, loss_grad_func: Function, equality_funcs: list[Function], equality_grad_funcs: list[Function],
        inequality_funcs: list[Function], inequality_grad_funcs: list[Function], packed_bounds: Any, step_callback: Function,
        optimizer_kwargs: dict[str, Any],
    ) -> Any:  # fmt: skip
        """Returns the vector of all variables that is best.

        Args:
          initial_val: the vector to begin at.
          loss_grad_func: vector -> (loss, gradient).
          equality_funcs, inequality_funcs: vector -> value, one per constraint.
          equality_grad_funcs, inequality_grad_funcs: vector -> gradient.
          packed_bounds: (low, high) per element, or None.
          step_callback: to be called with the vector after each step.
          optimizer_kwargs: what the constructor was given.
        """
        raise NotImplementedError("To use ExternalOptimizerInterface, subclass from it and implement the _minimize() method.")


def _pack(tensors: Sequence[Any]) -> Tensor:
    flat = [reshape(t, [-1]) for t in tensors]
    return flat[0] if len(flat) == 1 else concat(flat, 0)


@export("contrib.opt.ScipyOptimizerInterface")
class ScipyOptimizerInterface(ExternalOptimizerInterface):
    """Minimizes a loss by `scipy.optimize.minimize`; needs SciPy.

    `method` ("L-BFGS-B" by default, "SLSQP" for constraints, ...), `options`, `tol` and the like are passed on. The arguments are those of
    `ExternalOptimizerInterface`.
    """

    _DEFAULT_METHOD = "L-BFGS-B"

    def _minimize(
        self, initial_val: Any, loss_grad_func: Function, equality_funcs: list[Function], equality_grad_funcs: list[Function],
        inequality_funcs: list[Function], inequality_grad_funcs: list[Function], packed_bounds: Any, step_callback: Function,
        optimizer_kwargs: dict[str, Any],
    ) -> Any:  # fmt: skip
        import scipy.optimize  # an extra: only this class needs it  # noqa: PLC0415

        for name in _SET:
            if name in optimizer_kwargs:
                if name == "bounds":
                    raise ValueError("Bounds must be set using the var_to_bounds argument")
                raise ValueError(f"Optimizer keyword arg '{name}' is set automatically and cannot be injected manually")
        constraints = [
            {"type": kind, "fun": lambda x, f=f: np.float64(f(x)), "jac": lambda x, g=g: np.asarray(g(x), np.float64)}
            for kind, values, slopes in (("eq", equality_funcs, equality_grad_funcs), ("ineq", inequality_funcs, inequality_grad_funcs))
            for f, g in zip(values, slopes, strict=True)
        ]

        def in_double(x: Any) -> Any:
            loss, slope = loss_grad_func(x)
            return np.float64(loss), np.asarray(slope, np.float64)

        given = {"method": self._DEFAULT_METHOD, **optimizer_kwargs}
        if constraints:
            given["constraints"] = constraints
        result = scipy.optimize.minimize(
            in_double, np.asarray(initial_val, np.float64), jac=True, callback=step_callback, bounds=packed_bounds, **given
        )
        return result["x"]
