"""Blocks of pixels moved into the batch or the depth and back, and patches cut out of images."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from ir import static, xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import INDEX, REAL, int32
from ir.infer import Infer
from ir.opdef import In, Ints, T
from ir.ops.arith import maximum
from ir.ops.basic import add_n
from ir.ops.layout import length, reshape, shape, sizes
from ir.ops.packing import stack
from ir.ops.padding import pairs
from ir.ops.slicing import slice_, strided_slice_grad
from ir.shapes import Dims, shape_str
from ir.tensor import Operation, Tensor

Tblock = Annotated[Any, In("Tblock_shape")]
Tpaddings = Annotated[Any, In("Tpaddings")]
Tcrops = Annotated[Any, In("Tcrops")]
Tidx = Annotated[Any, In("Tidx")]
INDEX32 = INDEX.default_to(int32)


# -- space and batch ---------------------------------------------------------------------------------


def _to_batch(x: Any, block: Sequence[int], pads: Any) -> Any:
    m = len(block)
    x = xp.pad(x, [(0, 0), *pairs(pads), *[(0, 0)] * (x.ndim - 1 - m)])
    space: list[int] = []
    for d, b in zip(x.shape[1:], block, strict=False):
        if d % b:
            raise ValueError(f"padded shape {x.shape} is not divisible by block shape {tuple(block)}")
        space += [d // b, b]
    rest = x.shape[1 + m :]
    split = xp.reshape(x, (x.shape[0], *space, *rest))
    order = [*range(2, 2 * m + 1, 2), 0, *range(1, 2 * m + 1, 2), *range(2 * m + 1, 2 * m + 1 + len(rest))]
    moved = xp.transpose(split, order)
    return xp.reshape(moved, (x.shape[0] * int(np.prod(block)), *space[::2], *rest))


def _from_batch(x: Any, block: Sequence[int], crops: Any) -> Any:
    m, count = len(block), int(np.prod(block))
    cuts = pairs(crops)
    if x.shape[0] % count:
        raise ValueError(f"the batch, {x.shape[0]}, must be divisible by the product of the block shape, {count}")
    space, rest = x.shape[1 : 1 + m], x.shape[1 + m :]
    split = xp.reshape(x, (*block, x.shape[0] // count, *space, *rest))
    order = [m, *[i for j in range(m) for i in (m + 1 + j, j)], *range(2 * m + 1, 2 * m + 1 + len(rest))]
    whole = xp.reshape(xp.transpose(split, order), (x.shape[0] // count, *[d * b for d, b in zip(space, block, strict=True)], *rest))
    keep = [slice(a, d * b - e) for d, b, (a, e) in zip(space, block, cuts, strict=True)]
    return whole[(slice(None), *keep)]


def _block_values(c: Infer) -> tuple[list[int] | None, list[tuple[int, int]] | None]:
    block, pads = c.value(1), c.value(2)
    shape = c.rank(2, 2) or (None, None)
    m = length(c, 1)
    if shape[1] not in (2, None) or (None not in (m, shape[0]) and m != shape[0]):
        raise ValueError(f"expected a matrix with a row of 2 per entry of block_shape, got shape {shape_str(shape)}")
    if block is not None and (block < 1).any():
        raise ValueError(f"block_shape must be positive, got {block.tolist()}")
    return None if block is None else [int(b) for b in block], None if pads is None else pairs(pads)


def to_batch_dims(dims: Dims, block: Sequence[int] | None, pads: Sequence[tuple[int, int]] | None) -> Dims:
    """Returns the shape after moving blocks of `block` of the padded space into the batch."""
    if dims is None or block is None:
        return None if dims is None else (None,) * len(dims)
    if len(dims) < 1 + len(block):
        raise ValueError(f"input of shape {shape_str(dims)} must have rank at least {1 + len(block)}")
    space: list[int | None] = []
    for i, b in enumerate(block):
        d = dims[1 + i]
        if d is None or pads is None:
            space.append(None)
            continue
        total = d + sum(pads[i])
        if total % b:
            raise ValueError(f"padded_shape[{i}]={total} is not divisible by block_shape[{i}]={b}")
        space.append(total // b)
    return (None if dims[0] is None else dims[0] * int(np.prod(block)), *space, *dims[1 + len(block) :])


def from_batch_dims(dims: Dims, block: Sequence[int] | None, crops: Sequence[tuple[int, int]] | None) -> Dims:
    """Returns the shape after moving blocks out of the batch and cropping."""
    if dims is None or block is None:
        return None if dims is None else (None,) * len(dims)
    if len(dims) < 1 + len(block):
        raise ValueError(f"input of shape {shape_str(dims)} must have rank at least {1 + len(block)}")
    count = int(np.prod(block))
    if dims[0] is not None and dims[0] % count:
        raise ValueError(f"Dimension size must be evenly divisible by {count} but is {dims[0]}: the batch")
    space: list[int | None] = []
    for i, b in enumerate(block):
        d = dims[1 + i]
        space.append(None if d is None or crops is None else d * b - sum(crops[i]))
        if (space[-1] or 0) < 0:
            raise ValueError(f"cropped_shape[{i}]={space[-1]} must be non-negative")
    return (None if dims[0] is None else dims[0] // count, *space, *dims[1 + len(block) :])


@op(
    "SpaceToBatchND", lambda c: to_batch_dims(c.dims(0), *_block_values(c)), static="block_shape paddings", api="space_to_batch_nd manip.space_to_batch_nd",
    Tblock_shape=INDEX32, Tpaddings=INDEX32,
)  # fmt: skip
def space_to_batch_nd(input: T, block_shape: Tblock, paddings: Tpaddings, name: str | None = None) -> Tensor:
    """Cuts the dimensions after the batch into blocks and moves the positions within a block into the batch.

    Args:
      input: a tensor [batch, space..., rest...], with as many dimensions of space as `block_shape` has entries.
      block_shape: the sizes of a block.
      paddings: one row (before, after) per dimension of space: zeros added first.

    Returns a tensor [batch * product(block_shape), padded space / block_shape..., rest...]. Raises ValueError when a
    padded size is not divisible by the block.

    >>> space_to_batch_nd([[[1], [2], [3], [4]]], [2], [[0, 0]]).shape.as_list()
    [2, 2, 1]
    """
    return _to_batch(input, sizes(block_shape), paddings)


@op(
    "BatchToSpaceND", lambda c: from_batch_dims(c.dims(0), *_block_values(c)), static="block_shape crops", api="batch_to_space_nd manip.batch_to_space_nd",
    Tblock_shape=INDEX32, Tcrops=INDEX32,
)  # fmt: skip
def batch_to_space_nd(input: T, block_shape: Tblock, crops: Tcrops, name: str | None = None) -> Tensor:
    """Moves parts of the batch back into blocks of space: the inverse of `space_to_batch_nd`.

    Args:
      input: a tensor [batch, space..., rest...].
      block_shape: the sizes of a block, whose product divides the batch.
      crops: one row (begin, end) per dimension of space: what is cut off afterwards.
    """
    return _from_batch(input, sizes(block_shape), crops)


@grad("SpaceToBatchND")
def _(op: Operation, dy: Tensor) -> Any:
    return batch_to_space_nd(dy, op.inputs[1], op.inputs[2]), None, None


@grad("BatchToSpaceND")
def _(op: Operation, dy: Tensor) -> Any:
    return space_to_batch_nd(dy, op.inputs[1], op.inputs[2]), None, None


def _square(c: Infer) -> tuple[list[int], list[tuple[int, int]] | None]:
    c.rank(0, 4)
    pads = c.value(1)
    return [c.attrs["block_size"]] * 2, None if pads is None else pairs(pads)


@op("SpaceToBatch", lambda c: to_batch_dims(c.rank(0, 4), *_square(c)), static="paddings", Tpaddings=INDEX32, block_size=2)
def _space_to_batch(input: T, paddings: Tpaddings, block_size: int, name: str | None = None) -> Tensor:
    """`SpaceToBatchND` of images with square blocks."""
    return _to_batch(input, (block_size, block_size), paddings)


@op("BatchToSpace", lambda c: from_batch_dims(c.rank(0, 4), *_square(c)), static="crops", Tidx=INDEX32, block_size=2)
def _batch_to_space(input: T, crops: Tidx, block_size: int, name: str | None = None) -> Tensor:
    """`BatchToSpaceND` of images with square blocks."""
    return _from_batch(input, (block_size, block_size), crops)


@grad("SpaceToBatch")
def _(op: Operation, dy: Tensor) -> Any:
    return _batch_to_space(dy, op.inputs[1], op.attrs["block_size"]), None


@grad("BatchToSpace")
def _(op: Operation, dy: Tensor) -> Any:
    return _space_to_batch(dy, op.inputs[1], op.attrs["block_size"]), None


def _block_of(block_size: Any, block_shape: Any) -> Any:
    size = block_shape if block_size is None else block_size
    return size if isinstance(size, Tensor) or np.ndim(size) else np.array([size, size], dtype=np.int64)


@export("space_to_batch nn.space_to_batch")
def space_to_batch(input: Any, paddings: Any, block_size: Any = None, name: str | None = None, block_shape: Any = None) -> Tensor:
    """`space_to_batch_nd` of images [batch, height, width, depth]; `block_size` is the side of a block, or give `block_shape`."""
    return space_to_batch_nd(input, _block_of(block_size, block_shape), paddings, name=name)


@export("batch_to_space")
def batch_to_space(input: Any, crops: Any, block_size: Any, name: str | None = None, block_shape: Any = None) -> Tensor:
    """`batch_to_space_nd` of images [batch, height, width, depth]; `block_size` is the side of a block, or give `block_shape`."""
    return batch_to_space_nd(input, _block_of(block_size, block_shape), crops, name=name)


@export("required_space_to_batch_paddings")
def required_space_to_batch_paddings(input_shape: Any, block_shape: Any, base_paddings: Any = None, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Returns the (paddings, crops) that make `input_shape` divisible by `block_shape`.

    Args:
      input_shape, block_shape: integer vectors of one length n.
      base_paddings: an n x 2 matrix of the least paddings, zeros by default.

    What `paddings` adds at the end beyond `base_paddings` is in `crops`.
    """
    with get_default_graph().name_scope(name or "required_space_to_batch_paddings"):
        extent, block = (convert_to_tensor(v, int32, n) for v, n in ((input_shape, "input_shape"), (block_shape, "block_shape")))
        n = (block.dims or (None,))[0]
        if n is None:
            raise ValueError("block_shape must be a vector of known length")
        base = constant(np.zeros([n, 2], np.int32)) if base_paddings is None else convert_to_tensor(base_paddings, int32, "base_paddings")
        values = [static.value_of(t) for t in (extent, block, base)]
        if all(v is not None for v in values):
            e, b, p = (np.asarray(v, np.int32) for v in values)
            extra = (b - (e + p.sum(1)) % b) % b
            paddings = np.stack([p[:, 0], p[:, 1] + extra], 1)
            crops = np.stack([np.zeros_like(extra), extra], 1)
            return constant(paddings, name="paddings"), constant(crops, name="crops")
        start, end = base[:, 0], base[:, 1]
        extra = (block - (extent + start + end) % block) % block
        return stack([start, end + extra], 1, name="paddings"), stack([extra * 0, extra], 1, name="crops")


# -- space and depth ---------------------------------------------------------------------------------

FORMATS = ("NHWC", "NCHW", "NCHW_VECT_C")


def _depth_dims(c: Infer, into: bool) -> Dims:
    b, dims = c.attrs["block_size"], c.rank(0, 4) or (None,) * 4
    if c.attrs["data_format"] == "NCHW_VECT_C":
        raise ValueError("data format NCHW_VECT_C is not supported: use NHWC or NCHW")
    channel = 3 if c.attrs["data_format"] == "NHWC" else 1
    out: list[int | None] = [dims[0]]
    for i in range(1, 4):
        d = dims[i]
        factor, divide = (b * b, not into) if i == channel else (b, into)
        if d is not None and divide and d % factor:
            raise ValueError(f"Dimension size must be evenly divisible by {factor} but is {d}: size {i} of {shape_str(dims)}")
        out.append(None if d is None else d // factor if divide else d * factor)
    return tuple(out)


@op("SpaceToDepth", lambda c: _depth_dims(c, True), data_format=FORMATS, block_size=2)
def _space_to_depth(input: T, block_size: int, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """Moves blocks of pixels into the depth."""
    b = block_size
    if data_format == "NHWC":
        n, h, w, d = input.shape
        parts = xp.reshape(input, (n, h // b, b, w // b, b, d))
        return xp.reshape(xp.transpose(parts, (0, 1, 3, 2, 4, 5)), (n, h // b, w // b, b * b * d))
    n, d, h, w = input.shape
    parts = xp.reshape(input, (n, d, h // b, b, w // b, b))
    return xp.reshape(xp.transpose(parts, (0, 3, 5, 1, 2, 4)), (n, b * b * d, h // b, w // b))


@op("DepthToSpace", lambda c: _depth_dims(c, False), data_format=FORMATS, block_size=2)
def _depth_to_space(input: T, block_size: int, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """Moves parts of the depth into blocks of pixels."""
    b = block_size
    if data_format == "NHWC":
        n, h, w, d = input.shape
        parts = xp.reshape(input, (n, h, w, b, b, d // (b * b)))
        return xp.reshape(xp.transpose(parts, (0, 1, 3, 2, 4, 5)), (n, h * b, w * b, d // (b * b)))
    n, d, h, w = input.shape
    parts = xp.reshape(input, (n, b, b, d // (b * b), h, w))
    return xp.reshape(xp.transpose(parts, (0, 3, 4, 1, 5, 2)), (n, d // (b * b), h * b, w * b))


@grad("SpaceToDepth")
def _(op: Operation, dy: Tensor) -> Any:
    return _depth_to_space(dy, op.attrs["block_size"], op.attrs["data_format"])


@grad("DepthToSpace")
def _(op: Operation, dy: Tensor) -> Any:
    return _space_to_depth(dy, op.attrs["block_size"], op.attrs["data_format"])


@export("space_to_depth nn.space_to_depth")
def space_to_depth(input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC") -> Tensor:
    """Moves blocks of `block_size` x `block_size` pixels into the depth.

    >>> space_to_depth([[[[1], [2]], [[3], [4]]]], 2).shape.as_list()
    [1, 1, 1, 4]
    """
    return _space_to_depth(input, block_size, data_format, name=name)


@export("depth_to_space nn.depth_to_space")
def depth_to_space(input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC") -> Tensor:
    """Moves parts of the depth into blocks of `block_size` x `block_size` pixels: the inverse of `space_to_depth`."""
    return _depth_to_space(input, block_size, data_format, name=name)


# -- patches -----------------------------------------------------------------------------------------


def _out_and_before(d: Any, reach: int, step: int, padding: str) -> tuple[Any, Any]:
    """The number of patches along a dimension, and the zeros before it; `d` is a number or a tensor."""
    if padding == "VALID":
        return (d - reach) // step + 1, 0
    out = (d + step - 1) // step
    short = (out - 1) * step + reach - d
    return out, (maximum(short, 0) if isinstance(short, Tensor) else max(short, 0)) // 2


def _check_windows(rank: int, *lists: Sequence[int]) -> None:
    for values in lists:
        if len(values) != rank or values[0] != 1 or values[-1] != 1:
            raise ValueError(f"sizes, strides and rates must have {rank} entries, 1 for the batch and the depth; got {list(values)}")
        if any(v < 1 for v in values):
            raise ValueError(f"sizes, strides and rates must be positive, got {list(values)}")


def _patches_dims(c: Infer, rank: int) -> Dims:
    ksizes, strides, rates = c.attrs["ksizes"], c.attrs["strides"], c.attrs.get("rates", (1,) * rank)
    _check_windows(rank, ksizes, strides, rates)
    dims = c.rank(0, rank) or (None,) * rank
    space: list[int | None] = []
    for d, k, s, r in zip(dims[1:-1], ksizes[1:-1], strides[1:-1], rates[1:-1], strict=True):
        out = None if d is None else _out_and_before(d, (k - 1) * r + 1, s, c.attrs["padding"])[0]
        if out is not None and out < 0:
            raise ValueError(f"a patch reaches over {(k - 1) * r + 1}, more than the {d} there are")
        space.append(out)
    depth = dims[-1]
    return (dims[0], *space, None if depth is None else depth * int(np.prod(ksizes)))


def _patches(x: Any, ksizes: Sequence[int], strides: Sequence[int], rates: Sequence[int], padding: str) -> Any:
    """One strided view per place in a patch, side by side in the depth."""
    k, s, r = ksizes[1:-1], strides[1:-1], rates[1:-1]
    outs: list[int] = []
    pads: list[tuple[int, int]] = [(0, 0)]
    for d, ki, si, ri in zip(x.shape[1:-1], k, s, r, strict=True):
        reach = (ki - 1) * ri + 1
        out, before = _out_and_before(d, reach, si, padding)
        outs.append(out)
        pads.append((before, max((out - 1) * si + reach - d - before, 0)))
    x = xp.pad(x, [*pads, (0, 0)])
    views = [
        x[(slice(None), *[slice(i * ri, i * ri + (o - 1) * si + 1, si) if o else slice(0, 0) for i, ri, o, si in zip(at, r, outs, s, strict=True)])]
        for at in np.ndindex(*k)
    ]
    return xp.concatenate(views, x.ndim - 1)


@op("ExtractImagePatches", lambda c: _patches_dims(c, 4), out="patches: T", T=REAL, padding=("SAME", "VALID"), ksizes=4, strides=4, rates=4)
def _extract_image_patches(images: T, ksizes: Ints, strides: Ints, rates: Ints, padding: str, name: str | None = None) -> Tensor:
    """The patches of images, in the depth."""
    return _patches(images, ksizes, strides, rates, padding)


@op("ExtractVolumePatches", lambda c: _patches_dims(c, 5), out="patches: T", T=REAL, padding=("SAME", "VALID"), ksizes=5, strides=5)
def _extract_volume_patches(input: T, ksizes: Ints, strides: Ints, padding: str, name: str | None = None) -> Tensor:
    """The patches of volumes, in the depth."""
    return _patches(input, ksizes, strides, (1,) * 5, padding)


@grad("ExtractImagePatches", "ExtractVolumePatches")
def _(op: Operation, dy: Tensor) -> Any:
    """Puts each place of the patches back where it was taken, and adds up."""
    x = op.inputs[0]
    rank = len(op.attrs["ksizes"])
    k, s = op.attrs["ksizes"][1:-1], op.attrs["strides"][1:-1]
    r = op.attrs.get("rates", (1,) * rank)[1:-1]
    dims = x.dims or (None,) * rank
    extent = [shape(x)[i] if d is None else d for i, d in enumerate(dims)]
    plan = [_out_and_before(d, (ki - 1) * ri + 1, si, op.attrs["padding"]) for d, ki, si, ri in zip(extent[1:-1], k, s, r, strict=True)]
    padded = [
        (maximum if isinstance(d, Tensor) else max)(d + before, (out - 1) * si + (ki - 1) * ri + 1)
        for d, (out, before), ki, si, ri in zip(extent[1:-1], plan, k, s, r, strict=True)
    ]
    whole = [extent[0], *padded, extent[-1]]
    parts = reshape(dy, [extent[0], *[o for o, _ in plan], int(np.prod(k)), extent[-1]])
    ends = [i for i, _ in plan]
    sums: list[Tensor] = []
    for n, at in enumerate(np.ndindex(*k)):
        begin = [0, *[i * ri for i, ri in zip(at, r, strict=True)], 0]
        end = [extent[0], *[b + (o - 1) * si + 1 for b, o, si in zip(begin[1:-1], ends, s, strict=True)], extent[-1]]
        sums.append(strided_slice_grad(stack(whole), begin, stack(end), [1, *s, 1], parts[..., n, :]))
    total = add_n(sums)
    return slice_(total, stack([0, *[b for _, b in plan], 0]), shape(x))


@export("extract_image_patches image.extract_image_patches")
def extract_image_patches(
    images: Any, ksizes: Any = None, strides: Any = None, rates: Any = None, padding: Any = None, name: str | None = None, sizes: Any = None
) -> Tensor:
    """Cuts patches out of images and puts each, flattened, into the depth.

    Args:
      images: a tensor [batch, rows, columns, depth].
      sizes: [1, rows, columns, 1] of a patch; `ksizes` is the old name.
      strides: how far the centres of two patches lie apart.
      rates: how far two pixels of a patch lie apart in the image.
      padding: "VALID" (patches lie inside the image) or "SAME" (zeros are added around it).

    Returns a tensor [batch, out rows, out columns, rows * columns * depth].
    """
    if sizes is not None and ksizes is not None:
        raise ValueError("Cannot specify both 'sizes' and 'ksizes'")
    windows: Any = ksizes if sizes is None else sizes
    return _extract_image_patches(images, windows, strides, rates, padding, name=name)


@export("image.extract_patches")
def extract_patches(images: Any, sizes: Any, strides: Any, rates: Any, padding: Any, name: str | None = None) -> Tensor:
    """`extract_image_patches` as TensorFlow 2 calls it."""
    return _extract_image_patches(images, sizes, strides, rates, padding, name=name)


@export("extract_volume_patches")
def extract_volume_patches(input: Any, ksizes: Any, strides: Any, padding: Any, name: str | None = None) -> Tensor:
    """Cuts patches out of volumes [batch, planes, rows, columns, depth] and puts each, flattened, into the depth."""
    return _extract_volume_patches(input, ksizes, strides, padding, name=name)
