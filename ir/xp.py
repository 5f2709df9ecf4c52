"""The array namespace that op bodies are written on.

`xp.f(*arrays)` is NumPy's `f` when all arguments are NumPy arrays, and the registered namespace's `f` (JAX's,
registered by graphc.lowering) as soon as one is not. So one body serves constant folding, host
segments and the compiled path.
"""

from typing import Any

import numpy as np

_foreign: list[Any] = []
_every = all  # `xp.all` puts NumPy's under that name here
_NUMPY = (np.ndarray, np.generic, bool, int, float, complex, str, bytes, type(None), np.dtype, type)


def register(namespace: Any) -> None:
    """Makes `namespace` the one for arguments that are not NumPy's."""
    _foreign[:] = [namespace]


def is_numpy(value: Any) -> bool:
    """Whether `value` (or everything in it, for a list) is a NumPy array or a Python value."""
    if isinstance(value, (list, tuple)):
        return _every(map(is_numpy, value))
    return isinstance(value, _NUMPY)


def namespace(*values: Any) -> Any:
    """Returns the namespace for these arguments."""
    for v in values:
        if not isinstance(v, _NUMPY) and not is_numpy(v):
            return _foreign[0]
    return np


def astype(x: Any, dtype: Any) -> Any:
    """Returns `x` converted to a NumPy dtype."""
    return np.asarray(x).astype(dtype) if is_numpy(x) else _foreign[0].astype(x, dtype)


def __getattr__(name: str) -> Any:
    if not hasattr(np, name) and not (_foreign and hasattr(_foreign[0], name)):
        raise AttributeError(f"module 'ir.xp' has no attribute '{name}': NumPy has none")

    def call(*args: Any, **kwargs: Any) -> Any:
        if _foreign and not _every(map(is_numpy, args)):
            return getattr(_foreign[0], name)(*args, **kwargs)
        out = getattr(np, name)(*args, **kwargs)
        return np.asarray(out) if isinstance(out, np.generic) else out

    call.__name__ = name
    globals()[name] = call
    return call
