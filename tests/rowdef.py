"""Row: one case of the table of cases; tests/test_ops.py runs every row through every property that applies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Row:
    """One case.

    op: the op type under test. build: tensors -> tensor or list of tensors, in the public API (axes, shapes and other
    static arguments are written into it). inputs: the arrays fed, one per parameter of `build`. ref: the
    same function on the arrays, independent of graphc (NumPy, SciPy, plain Python), giving an array or a list. grad:
    whether the gradient with respect to the floating point inputs is checked (against finite differences and jax.vjp).
    second: the second-order gradient too. rtol, atol: tolerances in float32. id: tells rows of one op apart.
    forget: whether shapes may be forgotten (False when an input must have a static shape).
    """

    op: str
    build: Callable[..., Any]
    inputs: Sequence[Any]
    ref: Callable[..., Any] | None
    grad: bool = False
    second: bool = False
    rtol: float = 1e-5
    atol: float = 1e-6
    id: str = ""
    forget: bool = True


@dataclass(frozen=True)
class ErrorRow:
    """A call that must fail while building: `build()` raises `error` with a message matching `match`."""

    op: str
    build: Callable[[], Any]
    error: type[Exception]
    match: str


def normal(*shape: int, seed: int = 0, dtype: Any = np.float32) -> np.ndarray:
    """Returns normal deviates, the same at every call."""
    return np.random.RandomState(seed).randn(*shape).astype(dtype)


def uniform(*shape: int, low: float = 0.1, high: float = 0.9, seed: int = 0, dtype: Any = np.float32) -> np.ndarray:
    """Returns uniform deviates in [low, high), the same at every call."""
    return np.random.RandomState(seed).uniform(low, high, shape).astype(dtype)


def integers(*shape: int, low: int = 0, high: int = 10, seed: int = 0, dtype: Any = np.int32) -> np.ndarray:
    """Returns integers in [low, high), the same at every call."""
    return np.random.RandomState(seed).randint(low, high, shape).astype(dtype)
