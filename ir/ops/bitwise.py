"""Operations on the bits of integers. The operands broadcast."""

from typing import Any

import numpy as np

from ir import xp
from ir.build import grad, op
from ir.dtypes import INTEGER
from ir.infer import broadcast, same
from ir.opdef import T
from ir.tensor import Tensor


@op("BitwiseAnd", broadcast, out="z: T", T=INTEGER, commutative=True, api="bitwise.bitwise_and")
def bitwise_and(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns the bits that are set in both `x` and `y`, integers of one type."""
    return xp.bitwise_and(x, y)


@op("BitwiseOr", broadcast, out="z: T", T=INTEGER, commutative=True, api="bitwise.bitwise_or")
def bitwise_or(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns the bits that are set in `x` or `y`, integers of one type."""
    return xp.bitwise_or(x, y)


@op("BitwiseXor", broadcast, out="z: T", T=INTEGER, commutative=True, api="bitwise.bitwise_xor")
def bitwise_xor(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns the bits in which `x` and `y`, integers of one type, differ."""
    return xp.bitwise_xor(x, y)


@op("Invert", same, out="y: T", T=INTEGER, api="bitwise.invert")
def invert(x: T, name: str | None = None) -> Tensor:
    """Returns `x` with every bit flipped: `-x - 1` of a signed integer."""
    return xp.invert(x)


def _places(x: Any, y: Any) -> Any:
    """Returns how far to shift: at least 0, and less than the number of bits."""
    return xp.minimum(xp.maximum(y, 0), 8 * x.dtype.itemsize - 1)


@op("LeftShift", broadcast, out="z: T", T=INTEGER, api="bitwise.left_shift")
def left_shift(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `x` shifted left by `y` places, which are taken as at least 0 and at most one less than `x` has bits."""
    return xp.left_shift(x, _places(x, y))


@op("RightShift", broadcast, out="z: T", T=INTEGER, api="bitwise.right_shift")
def right_shift(x: T, y: T, name: str | None = None) -> Tensor:
    """Returns `x` shifted right by `y` places, filled with the sign bit of a signed integer, with 0 of an unsigned one.

    `y` is taken as at least 0 and at most one less than `x` has bits.
    """
    return xp.right_shift(x, _places(x, y))


@op("PopulationCount", same, out="y: uint8", T=INTEGER)
def population_count(x: T, name: str | None = None) -> Tensor:
    """The number of bits that are set in each element."""
    return xp.astype(xp.bitwise_count(x.view(np.dtype(f"uint{8 * x.dtype.itemsize}"))), np.uint8)


grad.none("BitwiseAnd BitwiseOr BitwiseXor Invert LeftShift RightShift PopulationCount", "integers have no gradient")
