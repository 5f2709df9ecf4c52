"""Rows of arrays by index, for the bodies of ops that gather from and scatter into state.

On NumPy an index outside the array raises; compiled, its row reads as some other row and its update is dropped, so
that padding with an index that is out of range is harmless.
"""

from typing import Any

import numpy as np

from ir import xp
from ir.errors import InvalidArgumentError

#: how to combine -> (NumPy's unbuffered ufunc, the name of the method of JAX's `.at[]`)
COMBINE: dict[str, tuple[Any, str]] = {
    "set": (None, "set"),
    "add": (np.add, "add"),
    "sub": (np.subtract, "subtract"),
    "mul": (np.multiply, "multiply"),
    "div": (np.divide, "divide"),
    "min": (np.minimum, "min"),
    "max": (np.maximum, "max"),
}


def check_indices(indices: Any, size: int) -> None:
    """Raises InvalidArgumentError when an index, an array of NumPy, is outside [0, size)."""
    bad = np.flatnonzero((indices < 0) | (indices >= size))
    if bad.size:
        at = np.unravel_index(bad[0], np.shape(indices))
        where = ", ".join(str(int(i)) for i in at)
        raise InvalidArgumentError(None, None, f"indices[{where}] = {np.asarray(indices)[at]} is not in [0, {size})")


def take_rows(array: Any, indices: Any) -> Any:
    """Returns the rows `array[indices]`."""
    if xp.is_numpy([array, indices]):
        check_indices(indices, array.shape[0])
        return array[indices]
    return xp.namespace(array, indices).asarray(array).at[indices].get(mode="clip", wrap_negative_indices=False)


def scatter_rows(array: Any, indices: Any, updates: Any, how: str = "set") -> Any:
    """Returns `array` with the rows `indices` combined with `updates`, one after the other.

    `how` is "set", "add", "sub", "mul", "div", "min" or "max"; `updates` has the shape of the rows, or is a scalar.
    """
    ufunc, method = COMBINE[how]
    if xp.is_numpy([array, indices, updates]):
        check_indices(indices, array.shape[0])
        out = np.array(array)
        if ufunc is None:
            out[indices] = updates
        elif how == "div" and out.dtype.kind in "iu":
            _divide_rows(out, indices, updates)
        else:
            ufunc.at(out, indices, updates)
        return out
    array = xp.namespace(array, indices, updates).asarray(array)
    if how == "div":
        return _divide_compiled(array, indices, updates)
    return getattr(array.at[indices], method)(updates, mode="drop", wrap_negative_indices=False)


def _divide_rows(out: Any, indices: Any, updates: Any) -> None:
    """Divides integers toward zero."""
    rows = np.broadcast_to(updates, (*np.shape(indices), *out.shape[1:]))
    for at in np.ndindex(*np.shape(indices)):
        i = int(indices[at])
        q = np.abs(out[i]) // np.abs(rows[at])
        out[i] = np.sign(out[i]) * np.sign(rows[at]) * q


def _divide_compiled(array: Any, indices: Any, updates: Any) -> Any:
    """Divides by the product of the updates of each row; integers toward zero."""
    ns = xp.namespace(array, indices, updates)
    by = ns.ones_like(array).at[indices].multiply(updates, mode="drop", wrap_negative_indices=False)
    if np.dtype(array.dtype).kind not in "iu":
        return array / by
    return (ns.sign(array) * ns.sign(by) * (ns.abs(array) // ns.abs(by))).astype(array.dtype)
