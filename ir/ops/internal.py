"""Op types that only rewrites make; names start with an underscore, and no GraphDef holds them."""

from typing import Any

from ir import xp
from ir.build import grad, op
from ir.infer import Infer, scalar
from ir.opdef import Ints, ListT, T, Variant
from ir.shapes import Dims
from ir.tensor import Tensor


def _unpacked(c: Infer) -> Dims:
    return tuple(c.attrs["shape"])


@op("_Unpack", _unpacked)
def unpack(flat: T, offset: int, size: int, shape: Ints, name: str | None = None) -> Tensor:
    """Elements `offset` to `offset + size` of a flat buffer, as a tensor of `shape`."""
    part: Any = flat[offset : offset + size]
    return xp.reshape(part, tuple(shape))


@op("_Pack", lambda c: (None,))
def pack(parts: ListT, name: str | None = None) -> Tensor:
    """All elements of all parts, one after the other."""
    return xp.concatenate([xp.reshape(p, (-1,)) for p in parts])


@op("_GradientArray", scalar, out="array: variant")
def gradient_array(array: Variant, name: str | None = None) -> Tensor:
    """The array that collects the gradients of the elements of `array`: as long, empty, and adding up what it is given."""
    return array.for_gradients()


grad.none("_Unpack _Pack _GradientArray", "made by rewrites, after differentiation")
