"""What a shape function sees, and the shape functions that whole families share.

A shape function takes an `Infer` and returns the `Dims` of the one output, or a list of `Dims`, one per output.
It raises ValueError, saying what does not fit; the caller adds the op and the user's line.
"""

from typing import Any

import numpy as np

from ir import static
from ir.opdef import OpDef
from ir.shapes import Dims, dims_of, merge_dims, shape_str
from ir.tensor import Tensor

Result = Dims | list[Dims]


class Infer:
    """The inputs and attributes of an operation about to be made."""

    __slots__ = ("attrs", "opdef", "slices", "tensors")

    def __init__(self, opdef: OpDef, tensors: tuple[Tensor, ...], attrs: dict[str, Any]) -> None:
        self.opdef = opdef
        self.tensors = tensors
        self.attrs = attrs
        self.slices: list[Any] | None = None

    def dims(self, index: int) -> Dims:
        """The static shape of flat input `index`."""
        return self.tensors[index].dims

    @property
    def all_dims(self) -> list[Dims]:
        """The static shapes of all flat inputs."""
        return [t.dims for t in self.tensors]

    def arg(self, name: str) -> Any:
        """The tensor, or list of tensors, of the input whose parameter is `name`."""
        if self.slices is None:
            self.slices = self.opdef.input_slices(self.attrs)
        for spec, at in zip(self.opdef.inputs, self.slices, strict=True):
            if spec.name == name:
                return self.tensors[at] if isinstance(at, int) else list(self.tensors[at])
        raise KeyError(name)

    def value(self, index: int) -> np.ndarray[Any, Any] | None:
        """The value of flat input `index` when it is known without running, else None."""
        return static.value_of(self.tensors[index])

    def shape_value(self, index: int) -> Dims:
        """The shape that flat input `index` holds as a vector, as far as it is known."""
        return static.shape_value_of(self.tensors[index])

    def rank(self, index: int, rank: int, what: str = "") -> tuple[int | None, ...]:
        """The static shape of input `index`, which must have `rank`; unknown sizes when its rank is unknown."""
        return with_rank(self.tensors[index].dims, rank, what or self.input_name(index))

    def rank_at_least(self, index: int, rank: int) -> Dims:
        """The static shape of input `index`, whose rank must be at least `rank`."""
        dims = self.tensors[index].dims
        if dims is not None and len(dims) < rank:
            raise ValueError(f"{self.input_name(index)} must have rank at least {rank}, got shape {shape_str(dims)}")
        return dims

    def input_name(self, index: int) -> str:
        """The name of the parameter that flat input `index` belongs to."""
        if self.slices is None:
            self.slices = self.opdef.input_slices(self.attrs)
        for spec, at in zip(self.opdef.inputs, self.slices, strict=True):
            if at == index or (isinstance(at, slice) and at.start <= index < at.stop):
                return spec.name
        return f"input {index}"


def with_rank(dims: Dims, rank: int, what: str = "input") -> tuple[int | None, ...]:
    """Returns `dims`, which must have `rank`; unknown sizes when its rank is unknown."""
    if dims is None:
        return (None,) * rank
    if len(dims) != rank:
        raise ValueError(f"{what} must have rank {rank}, got shape {shape_str(dims)}")
    return dims


def same(c: Infer) -> Dims:
    """The shape of the first input."""
    return c.tensors[0].dims


def scalar(_: Infer) -> Dims:
    """A scalar."""
    return ()


def unknown(_: Infer) -> Dims:
    """Nothing is known."""
    return None


def no_outputs(_: Infer) -> list[Dims]:
    """The op has no outputs."""
    return []


def merged(c: Infer) -> Dims:
    """All inputs have one shape."""
    dims: Dims = None
    for d in c.all_dims:
        dims = merge_dims(dims, d)
    return dims


def broadcast_dims(a: Dims, b: Dims) -> Dims:
    """Returns the shape `a` and `b` broadcast to, by NumPy's rule. Raises ValueError when they do not."""
    if a == b and a is not None and None not in a:
        return a
    if a is None or b is None:
        return None
    n = max(len(a), len(b))
    out: list[int | None] = []
    for x, y in zip((1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b, strict=True):
        if x == 1:
            out.append(y)
        elif y == 1 or x == y:
            out.append(x)
        elif x is None or y is None:
            out.append(y if x is None else x)
        else:
            raise ValueError(f"Dimensions must be equal, but are {x} and {y}: shapes {shape_str(a)} and {shape_str(b)} do not broadcast")
    return tuple(out)


def broadcast(c: Infer) -> Dims:
    """The shape all inputs broadcast to."""
    dims: Dims = ()
    for d in c.all_dims:
        dims = broadcast_dims(dims, d)
    return dims


def from_shape_input(index: int = 0) -> Any:
    """Returns the shape function of ops whose input `index` holds the output's shape."""

    def shape_fn(c: Infer) -> Dims:
        return c.shape_value(index)

    return shape_fn


def from_shape_attr(name: str = "shape") -> Any:
    """Returns the shape function of ops whose attribute `name` is the output's shape."""

    def shape_fn(c: Infer) -> Dims:
        return dims_of(c.attrs[name])

    return shape_fn


def like_input(index: int) -> Any:
    """Returns the shape function of ops whose output has the shape of input `index`."""

    def shape_fn(c: Infer) -> Dims:
        return c.dims(index)

    return shape_fn


def reduced_dims(dims: Dims, axes: Any, keep_dims: bool) -> Dims:
    """Returns `dims` without (or with 1 at) `axes`; axes None means that they are not known."""
    if dims is None:
        return None
    if axes is None:
        return (None,) * len(dims) if keep_dims else None
    rank = len(dims)
    drop: set[int] = set()
    for a in np.asarray(axes).reshape(-1).tolist():
        if not -rank <= a < rank:
            raise ValueError(f"Invalid reduction dimension {a} for input with {rank} dimensions")
        drop.add(a % rank)
    if keep_dims:
        return tuple(1 if i in drop else d for i, d in enumerate(dims))
    return tuple(d for i, d in enumerate(dims) if i not in drop)


def reduced(c: Infer) -> Dims:
    """The first input's shape reduced over the axes the second input holds; attribute `keep_dims`."""
    return reduced_dims(c.dims(0), c.value(1), bool(c.attrs.get("keep_dims")))
