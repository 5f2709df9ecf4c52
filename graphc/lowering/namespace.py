"""The array namespace that op bodies get for JAX values: jax.numpy, with cheap forms of its commonest functions.

A `jax.numpy` ufunc is a nested jit, which costs about ten times a `lax` call to trace; element-wise functions
whose operands have one shape and dtype go to `lax` directly.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from ir import xp


def _operands(x: Any, y: Any) -> tuple[Any, Any] | None:
    """Both operands with one dtype, broadcast here to one shape, but for Python numbers; None when dtypes differ."""
    if isinstance(x, (int, float)):
        x = _number(x, y.dtype)
    elif isinstance(y, (int, float)):
        y = _number(y, x.dtype)
    elif x.dtype == y.dtype and x.shape != y.shape:
        shape = np.broadcast_shapes(x.shape, y.shape)
        return _spread(x, shape), _spread(y, shape)
    return None if x is None or y is None or x.dtype != y.dtype else (x, y)


def _number(value: float, dtype: Any) -> Any:
    """A Python number as a literal of the other operand's type, if that holds it; `lax` takes one with any shape."""
    if dtype.kind in "fVc" or (dtype.kind == "i" and isinstance(value, int) and -128 <= value < 128):
        return np.asarray(value, dtype)
    return None


def _number_like(x: Any, other: Any) -> Any:
    return _number(x, other.dtype) if isinstance(x, (int, float)) and hasattr(other, "dtype") else x


def _spread(x: Any, shape: tuple[int, ...]) -> Any:
    if x.shape == shape:
        return x
    lead = len(shape) - x.ndim
    keep = [i for i, d in enumerate(x.shape) if d == shape[lead + i]]
    if len(keep) < x.ndim:
        x = lax.reshape(x, [x.shape[i] for i in keep])
    return lax.broadcast_in_dim(x, shape, [lead + i for i in keep])


def _binary(name: str, fast: Callable[..., Any]) -> Callable[..., Any]:
    slow = getattr(jnp, name)

    def call(x: Any, y: Any) -> Any:
        both = _operands(x, y)
        return slow(x, y) if both is None else fast(*both)

    return call


def _unary(name: str, fast: Callable[..., Any]) -> Callable[..., Any]:
    slow = getattr(jnp, name)

    def call(x: Any) -> Any:
        return fast(x) if hasattr(x, "dtype") and x.dtype.kind in "fVc" else slow(x)

    return call


class _Namespace:
    """Attribute access gives a cheap form, or jax.numpy's function."""

    def __getattr__(self, name: str) -> Any:
        return getattr(jnp, name)

    @staticmethod
    def astype(x: Any, dtype: Any) -> Any:
        """Converts as NumPy does; complex to real drops the imaginary part."""
        if x.dtype == dtype:
            return x
        if np.issubdtype(x.dtype, np.complexfloating) and not np.issubdtype(dtype, np.complexfloating):
            x = lax.real(x)
        return jnp.asarray(x).astype(dtype)

    @staticmethod
    def where(c: Any, x: Any, y: Any) -> Any:
        """Selects element-wise, with broadcasting."""
        a = _number_like(x, y)
        b = _number_like(y, x)
        if all(hasattr(v, "dtype") for v in (c, a, b)) and c.dtype == np.bool_ and a.dtype == b.dtype:
            shape = np.broadcast_shapes(c.shape, a.shape, b.shape)
            return lax.select(_spread(jnp.asarray(c), shape), _spread(jnp.asarray(a), shape), _spread(jnp.asarray(b), shape))
        return jnp.where(c, x, y)

    @staticmethod
    def zeros_like(x: Any) -> Any:
        """Zeros of the shape and type of `x`."""
        return lax.full(x.shape, 0, x.dtype)

    @staticmethod
    def ones_like(x: Any) -> Any:
        """Ones of the shape and type of `x`."""
        return lax.full(x.shape, 1, x.dtype)

    @staticmethod
    def reshape(x: Any, shape: Any) -> Any:
        """Reshapes; one size may be -1."""
        return jnp.reshape(x, tuple(int(d) for d in np.atleast_1d(shape)))


def _fill(space: _Namespace) -> None:
    for name, fast in (
        ("add", lax.add), ("subtract", lax.sub), ("multiply", lax.mul), ("maximum", lax.max), ("minimum", lax.min),
        ("less", lax.lt), ("less_equal", lax.le), ("greater", lax.gt), ("greater_equal", lax.ge), ("equal", lax.eq), ("not_equal", lax.ne),
    ):  # fmt: skip
        setattr(space, name, _binary(name, fast))
    for name, fast in (
        ("tanh", lax.tanh), ("exp", lax.exp), ("log", lax.log), ("sqrt", lax.sqrt), ("log1p", lax.log1p), ("expm1", lax.expm1), ("negative", lax.neg),
        ("sin", lax.sin), ("cos", lax.cos), ("abs", lax.abs), ("square", lambda x: lax.mul(x, x)), ("floor", lax.floor), ("ceil", lax.ceil),
    ):  # fmt: skip
        setattr(space, name, _unary(name, fast))


SPACE = _Namespace()
_fill(SPACE)
xp.register(SPACE)
