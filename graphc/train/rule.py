"""RuleOptimizer: an optimizer whose update of a variable is one training op, in its four forms."""

from typing import Any

from graphc.train.optimizer import Optimizer
from graphc.variables.variable import is_resource_variable
from ir.indexed_slices import IndexedSlices
from ir.ops.cast import cast
from ir.ops.training_dense import Update
from ir.tensor import Tensor


def cast_to(value: Any, dtype: Any) -> Any:
    """Returns `value`, a tensor or variable, as `dtype`; a variable of that type as it is."""
    if is_resource_variable(value) and value.dtype.base_dtype is dtype.base_dtype:
        return value
    return cast(value, dtype.base_dtype)


class RuleOptimizer(Optimizer):
    """An optimizer that subclasses define by the training ops `_dense` and `_rows` and what these are given.

    `_arguments(var)` returns the arguments of the ops by name, except the variable, the gradient and the indices;
    variables among them are passed as references or as handles, as the op needs them.
    """

    def _dense(self) -> Update:
        """Returns the op that updates a whole variable."""
        raise NotImplementedError

    def _rows(self) -> Update:
        """Returns the op that updates rows of a variable."""
        raise NotImplementedError

    def _arguments(self, var: Any) -> dict[str, Any]:
        raise NotImplementedError

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        return self._dense().ref(var=var, grad=grad, use_locking=self._use_locking, **self._arguments(var)).op

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        return self._rows().ref(var=var, grad=grad.values, indices=grad.indices, use_locking=self._use_locking, **self._arguments(var)).op

    def _resource_apply_dense(self, grad: Tensor, handle: Any) -> Any:
        return self._dense().resource(var=handle.handle, grad=grad, use_locking=self._use_locking, **self._handles(handle))

    def _resource_apply_sparse(self, grad: Tensor, handle: Any, indices: Tensor) -> Any:
        return self._rows().resource(var=handle.handle, grad=grad, indices=indices, use_locking=self._use_locking, **self._handles(handle))

    def _handles(self, var: Any) -> dict[str, Any]:
        states = self._dense().states
        given = self._arguments(var)
        return {k: v.handle if k in states else v for k, v in given.items()}
