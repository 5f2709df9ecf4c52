"""Moving elements without changing them: Pad, MirrorPad, Reverse, ReverseSequence, Roll."""

from typing import Annotated, Any

import numpy as np

from ir import static, xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor
from ir.dtypes import ANY, INDEX, TypeSet, int32, int64
from ir.infer import Infer, same
from ir.opdef import Bool, In, T
from ir.ops.layout import length, rank, raw, reshape, shape, sizes
from ir.ops.packing import position, stack
from ir.ops.slicing import slice_
from ir.shapes import Dims, merge_dims, shape_str
from ir.tensor import Operation, Tensor

Tpaddings = Annotated[Any, In("Tpaddings")]
Tidx = Annotated[Any, In("Tidx")]
Tlen = Annotated[Any, In("Tlen")]
Tshift = Annotated[Any, In("Tshift")]
Taxis = Annotated[Any, In("Taxis")]
PADDINGS = INDEX.default_to(int32)


def pairs(paddings: Any) -> list[tuple[int, int]]:
    """Returns static paddings as (before, after) per dimension. Raises ValueError for negative ones."""
    found = [(int(a), int(b)) for a, b in np.asarray(paddings).reshape(-1, 2).tolist()]
    if any(n < 0 for p in found for n in p):
        raise ValueError(f"Paddings must be non-negative: {found}")
    return found


def _pads_of(c: Infer) -> tuple[Dims, list[tuple[int, int]] | None]:
    """The input's shape, with unknown sizes when only the paddings tell the rank, and the paddings if known."""
    dims, value = c.dims(0), c.value(1)
    shape = c.rank(1, 2) or (None, None)
    if shape[1] not in (2, None):
        raise ValueError(f"paddings must be a matrix with 2 columns, got shape {shape_str(shape)}")
    if dims is not None and shape[0] is not None and shape[0] != len(dims):
        raise ValueError(f"the paddings have {shape[0]} rows for a tensor of rank {len(dims)}")
    if dims is None and shape[0] is not None:
        dims = (None,) * shape[0]
    return dims, None if value is None else pairs(value)


def _pad_shape(c: Infer) -> Dims:
    dims, pads = _pads_of(c)
    if dims is None or pads is None:
        return None if dims is None else (None,) * len(dims)
    return tuple(None if d is None else d + sum(p) for d, p in zip(dims, pads, strict=True))


def _padded(x: Any, paddings: Any, value: Any) -> Any:
    pads = pairs(paddings)
    out = np.full([d + a + b for d, (a, b) in zip(x.shape, pads, strict=True)], value, dtype=x.dtype)
    out[tuple([slice(a, a + d) for d, (a, _) in zip(x.shape, pads, strict=True)])] = x
    return out


@op("Pad", _pad_shape, static="paddings", T=ANY, Tpaddings=PADDINGS)
def _pad(input: T, paddings: Tpaddings, name: str | None = None) -> Tensor:
    """Adds zeros around a tensor."""
    return _padded(input, paddings, b"" if input.dtype == object and isinstance(next(iter(input.flat), 0), bytes) else 0)


@op("PadV2", _pad_shape, static="paddings", T=ANY, Tpaddings=PADDINGS)
def pad_v2(input: T, paddings: Tpaddings, constant_values: T, name: str | None = None) -> Tensor:
    """Adds the scalar `constant_values` around a tensor."""
    return _padded(input, paddings, constant_values)


def _unpadded(op: Operation, dy: Tensor) -> Tensor:
    x, paddings = op.inputs[0], op.inputs[1]
    known = static.value_of(paddings)
    if known is not None:
        begin: Any = convert_to_tensor(known[:, 0])
    else:
        begin = reshape(slice_(paddings, [0, 0], stack([rank(x), 1])), [-1])
    return slice_(dy, begin, shape(x, out_type=begin.dtype))


@grad("Pad")
def _(op: Operation, dy: Tensor) -> Any:
    return _unpadded(op, dy), None


@grad("PadV2")
def _(op: Operation, dy: Tensor) -> Any:
    return _unpadded(op, dy), None, None


# -- mirrored ----------------------------------------------------------------------------------------

MODES = ("REFLECT", "SYMMETRIC")


def _check_mirror(dims: Any, pads: list[tuple[int, int]], offset: int) -> None:
    for i, (d, p) in enumerate(zip(dims, pads, strict=True)):
        if d is not None and max(p) > d - offset:
            raise ValueError(f"paddings must be no greater than the dimension size{' less 1' if offset else ''}: {p} for dimension {i} of size {d}")


def _mirror_shape(c: Infer) -> Dims:
    dims, pads = _pads_of(c)
    if dims is not None and pads is not None:
        _check_mirror(dims, pads, int(c.attrs["mode"] == "REFLECT"))
    return _pad_shape(c)


@op("MirrorPad", _mirror_shape, static="paddings", T=ANY, Tpaddings=PADDINGS, mode=MODES)
def mirror_pad(input: T, paddings: Tpaddings, mode: str, name: str | None = None) -> Tensor:
    """Continues a tensor by its mirror image: REFLECT leaves out the border element, SYMMETRIC repeats it."""
    pads = pairs(paddings)
    _check_mirror(np.shape(input), pads, int(mode == "REFLECT"))
    return xp.pad(input, pads, mode.lower())


def _mirror_grad_shape(c: Infer) -> Dims:
    dims, pads = _pads_of(c)
    if dims is None or pads is None:
        return None if dims is None else (None,) * len(dims)
    out: list[int | None] = []
    for i, (d, p) in enumerate(zip(dims, pads, strict=True)):
        if d is not None and d - sum(p) < max(p) + int(c.attrs["mode"] == "REFLECT"):
            raise ValueError(f"the padding {p} is too large for a result of size {d - sum(p)} in dimension {i}")
        out.append(None if d is None else d - sum(p))
    return tuple(out)


@op("MirrorPadGrad", _mirror_grad_shape, static="paddings", T=ANY, Tpaddings=PADDINGS, mode=MODES)
def mirror_pad_grad(input: T, paddings: Tpaddings, mode: str, name: str | None = None) -> Tensor:
    """The gradient of `MirrorPad`: adds the mirrored borders to the elements they are images of."""
    x: Any = input
    offset = int(mode == "REFLECT")
    for axis, (lo, hi) in enumerate(pairs(paddings)):
        n = x.shape[axis] - lo - hi
        lead = (slice(None),) * axis
        core = x[(*lead, slice(lo, lo + n))]
        for part, start in ((x[(*lead, slice(0, lo))], offset), (x[(*lead, slice(lo + n, None))], n - offset - hi)):
            width = part.shape[axis]
            around = [(0, 0)] * x.ndim
            around[axis] = (start, n - start - width)
            core = core + xp.pad(xp.flip(part, axis), around)
        x = core
    return x


@grad("MirrorPad")
def _(op: Operation, dy: Tensor) -> Any:
    return mirror_pad_grad(dy, op.inputs[1], op.attrs["mode"]), None


@grad("MirrorPadGrad")
def _(op: Operation, dy: Tensor) -> Any:
    return mirror_pad(dy, op.inputs[1], op.attrs["mode"]), None


@export("pad")
def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", name: str | None = None, constant_values: Any = 0) -> Tensor:
    """Makes a tensor larger by adding elements around it.

    Args:
      tensor: a tensor of rank n.
      paddings: an n x 2 matrix of integers: how many elements to add before and after in each dimension.
      mode: "CONSTANT", "REFLECT" (mirrored, without the border) or "SYMMETRIC" (mirrored, with it).
      constant_values: the scalar added in mode "CONSTANT".

    Raises ValueError for another mode, or paddings larger than a mirror allows.

    >>> pad([[1, 2, 3]], [[1, 1], [2, 2]]).shape.as_list()
    [3, 7]
    """
    kind = mode.upper()
    if kind == "CONSTANT":
        if not isinstance(constant_values, Tensor) and np.ndim(constant_values) == 0 and constant_values == 0:
            return _pad(tensor, paddings, name=name)
        return pad_v2(tensor, paddings, constant_values, name=name)
    if kind not in MODES:
        raise ValueError(f"Unknown padding mode: {mode}")
    return mirror_pad(tensor, paddings, kind, name=name)


# -- reversed ----------------------------------------------------------------------------------------

REVERSIBLE_V1 = TypeSet("uint8 int8 uint16 int16 int32 int64 bool float16 float32 float64 complex64 complex128 string")
REVERSIBLE = REVERSIBLE_V1 | TypeSet("bfloat16")


@op("Reverse", same, static="dims", T=REVERSIBLE_V1)
def _reverse_v1(tensor: T, dims: Bool, name: str | None = None) -> Tensor:
    """Turns round the dimensions marked in `dims`; older graphs have it."""
    return xp.flip(tensor, tuple(np.flatnonzero(dims).tolist()))


def _reverse_shape(c: Infer) -> Dims:
    dims, axes = c.dims(0), c.value(1)
    length(c, 1)
    if dims is not None and axes is not None:
        seen = [position(int(a), len(dims), "axis") for a in axes.tolist()]
        if len(set(seen)) != len(seen):
            raise ValueError(f"axis {axes.tolist()} specified more than once")
    return dims


@op("ReverseV2", _reverse_shape, static="axis", api="reverse reverse_v2 manip.reverse", T=REVERSIBLE, Tidx=INDEX.default_to(int32))
def reverse(tensor: T, axis: Tidx, name: str | None = None) -> Tensor:
    """Turns round the dimensions listed in `axis`, a vector of numbers in [-rank, rank), each at most once.

    >>> reverse([1, 2, 3], [0]).shape.as_list()
    [3]
    """
    return xp.flip(tensor, sizes(axis)) if np.size(axis) else tensor


@grad("Reverse")
def _(op: Operation, dy: Tensor) -> Any:
    return _reverse_v1(dy, op.inputs[1]), None


@grad("ReverseV2")
def _(op: Operation, dy: Tensor) -> Any:
    return reverse(dy, op.inputs[1]), None


def _sequence_shape(c: Infer) -> Dims:
    dims, count = c.dims(0), length(c, 1)
    if dims is None:
        return None
    b = position(c.attrs["batch_dim"], len(dims), "batch_dim")
    position(c.attrs["seq_dim"], len(dims), "seq_dim")
    if b == c.attrs["seq_dim"]:
        raise ValueError(f"batch_dim and seq_dim must differ, both are {b}")
    return merge_dims(dims, (*dims[:b], count, *dims[b + 1 :]))


@op("ReverseSequence", _sequence_shape, T=ANY, Tlen=INDEX.default_to(int64))
def _reverse_sequence(input: T, seq_lengths: Tlen, seq_dim: int, batch_dim: int = 0, name: str | None = None) -> Tensor:
    """Turns round the first `seq_lengths[i]` elements of each row i."""
    n, rank = input.shape[seq_dim], input.ndim
    if isinstance(seq_lengths, np.ndarray) and seq_lengths.size and not 0 <= seq_lengths.min() <= seq_lengths.max() <= n:
        raise ValueError(f"seq_lengths must lie in [0, {n}], the size of dimension {seq_dim}: {seq_lengths.tolist()}")
    along = [1] * rank
    along[seq_dim] = n
    rows = [1] * rank
    rows[batch_dim] = -1 if input.shape[batch_dim] else 0
    at = np.arange(n, dtype=seq_lengths.dtype).reshape(along)
    ends = xp.reshape(seq_lengths, rows)
    places = xp.where(at < ends, ends - 1 - at, at + xp.zeros_like(ends))
    return xp.take_along_axis(input, xp.broadcast_to(places, input.shape), seq_dim)


@grad("ReverseSequence")
def _(op: Operation, dy: Tensor) -> Any:
    return _reverse_sequence(dy, op.inputs[1], op.attrs["seq_dim"], op.attrs["batch_dim"]), None


@export("reverse_sequence")
def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: int | None = None, batch_axis: int | None = None, name: str | None = None, seq_dim: int | None = None,
    batch_dim: int | None = None,
) -> Tensor:  # fmt: skip
    """Turns round the first `seq_lengths[i]` elements along `seq_axis` of each slice i along `batch_axis`.

    Args:
      input: a tensor.
      seq_lengths: a vector of integers, one per slice, none larger than the size of `seq_axis`.
      seq_axis, batch_axis: dimensions; `batch_axis` is 0 by default. `seq_dim` and `batch_dim` are their old names.
    """
    if None not in (seq_axis, seq_dim) or None not in (batch_axis, batch_dim):
        raise ValueError("Cannot specify both 'seq_axis' and 'seq_dim', or both 'batch_axis' and 'batch_dim'")
    along = seq_dim if seq_axis is None else seq_axis
    rows = batch_dim if batch_axis is None else batch_axis
    if along is None:
        raise TypeError("reverse_sequence() is missing the argument 'seq_axis'")
    return _reverse_sequence(input, seq_lengths, along, rows or 0, name=name)


# -- rolled ------------------------------------------------------------------------------------------


def _roll_shape(c: Infer) -> Dims:
    dims, axes = c.rank_at_least(0, 1), c.value(2)
    a, b = c.dims(1), c.dims(2)
    if a is not None and b is not None and (len(a) > 1 or len(b) > 1 or (a != b and a and b and None not in (a[0], b[0]))):
        raise ValueError(f"shift and axis must have the same size: {shape_str(a)} and {shape_str(b)}")
    if dims is not None and axes is not None:
        for v in axes.reshape(-1).tolist():
            position(v, len(dims))
    return dims


@op("Roll", _roll_shape, out="output: T", static="axis", api="roll manip.roll", T=ANY, Tshift=INDEX, Taxis=INDEX)
def roll(input: T, shift: Tshift, axis: Taxis, name: str | None = None) -> Tensor:
    """Moves elements along dimensions by `shift` places, those that leave at one end coming in at the other.

    Args:
      input: a tensor of rank 1 or more.
      shift: an integer, or a vector of them, one per entry of `axis`; negative to move to the front.
      axis: the dimensions; shifts of a dimension that is named twice add up.

    >>> roll([0, 1, 2, 3, 4], 2, 0).shape.as_list()
    [5]
    """
    axes = sizes(axis)
    if xp.is_numpy(shift):
        return xp.roll(input, sizes(shift), axes)
    steps = xp.reshape(shift, (-1,))
    for i, a in enumerate(axes):
        input = xp.roll(input, steps[i], a)
    return input


@grad("Roll")
def _(op: Operation, dy: Tensor) -> Any:
    return roll(dy, raw("Neg")(op.inputs[1]), op.inputs[2]), None, None
