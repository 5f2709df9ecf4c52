"""Parts of images: crops resized to one size, glimpses."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor
from ir.dtypes import TypeSet
from ir.infer import Infer, with_rank
from ir.opdef import Float32, Int32, T, Type
from ir.ops.layout import shape
from ir.ops.scatter_util import scatter_rows
from ir.ops.windows import alias
from ir.shapes import Dims, merge_dims
from ir.tensor import Operation, Tensor

PIXELS = TypeSet("uint8 uint16 int8 int16 int32 int64 float16 float32 float64")
GRADIENTS = TypeSet("float32 float16 float64")
METHODS = ("bilinear", "nearest")


# -- crop and resize ---------------------------------------------------------------------------------


def _boxes(c: Infer, boxes: int, indices: int) -> int | None:
    """The number of boxes. Raises ValueError when they are not [n, 4] or do not fit their indices."""
    found = merge_dims(c.rank(boxes, 2)[:1], c.rank(indices, 1))
    if c.rank(boxes, 2)[1] not in (4, None):
        raise ValueError(f"boxes must have 4 columns, got {c.rank(boxes, 2)[1]}")
    return found[0] if found else None


def _crops_dims(c: Infer) -> Dims:
    image = c.rank(0, 4)
    size = with_rank(c.shape_value(3), 2, "crop_size") if c.dims(3) is None or c.dims(3) == (2,) else None
    if size is None:
        raise ValueError(f"crop_size must have two elements, got shape {c.dims(3)}")
    return (_boxes(c, 1, 2), *size, image[3])


def _positions(low: Any, high: Any, size: int, count: int) -> Any:
    """Where the `count` rows (or columns) of each crop lie in an image of `size`, [boxes, count].

    Rounding in float32 decides whether an edge is inside, so XLA has a lowering that rounds where NumPy does.
    """
    reach = np.float32(size - 1)
    if count == 1:
        return (np.float32(0.5) * (low + high) * reach)[:, None]
    step = (high - low) * reach / np.float32(count - 1)
    return low[:, None] * reach + np.arange(count, dtype=np.float32) * step[:, None]


Positions = Callable[[Any, Any, int, int], Any]


class _Sampling:
    """Where the pixels of crops lie: positions, neighbours, weights and whether they are inside."""

    def __init__(self, boxes: Any, height: int, width: int, rows: int, columns: int, positions: Positions) -> None:
        y, x = positions(boxes[:, 0], boxes[:, 2], height, rows), positions(boxes[:, 1], boxes[:, 3], width, columns)
        self.inside = ((y >= 0) & (y <= height - 1))[:, :, None] & ((x >= 0) & (x <= width - 1))[:, None, :]
        self.nearest_y, self.nearest_x = (_clamped(xp.floor(p + np.float32(0.5)), n) for p, n in ((y, height), (x, width)))
        self.top, self.bottom = _clamped(xp.floor(y), height), _clamped(xp.ceil(y), height)
        self.left, self.right = _clamped(xp.floor(x), width), _clamped(xp.ceil(x), width)
        self.down = (y - xp.floor(y))[:, :, None, None]
        self.across = (x - xp.floor(x))[:, None, :, None]


def _clamped(position: Any, size: int) -> Any:
    return xp.astype(xp.clip(position, 0, size - 1), np.int32)


def _pixels(image: Any, owner: Any, rows: Any, columns: Any) -> Any:
    """The pixels of image `owner` at every pair of its rows and columns: [boxes, rows, columns, channels]."""
    _, height, width, depth = image.shape
    index = (owner[:, None, None] * height + rows[:, :, None]) * width + columns[:, None, :]
    return xp.take(xp.reshape(image, (-1, depth)), index, axis=0, mode="clip")


def _floats(image: Any, owner: Any, rows: Any, columns: Any) -> Any:
    return xp.astype(_pixels(image, owner, rows, columns), np.float32)


@op("CropAndResize", _crops_dims, out="crops: float32", static="crop_size", T=PIXELS, method=METHODS)
def _crop_and_resize(
    image: T, boxes: Float32, box_ind: Int32, crop_size: Int32, method: str = "bilinear", extrapolation_value: float = 0, name: str | None = None
) -> Tensor:
    """Cuts boxes out of images and resizes them to one size."""
    return crops(image, boxes, box_ind, crop_size, method, extrapolation_value, _positions)


def crops(image: Any, boxes: Any, box_ind: Any, crop_size: Any, method: str, extrapolation_value: float, positions: Positions) -> Any:
    """`CropAndResize` on arrays."""
    height, width = image.shape[1:3]
    rows, columns = (int(n) for n in crop_size)
    s = _Sampling(boxes, height, width, rows, columns, positions)
    if method == "nearest":
        value = _floats(image, box_ind, s.nearest_y, s.nearest_x)
    else:
        top_left, top_right = _floats(image, box_ind, s.top, s.left), _floats(image, box_ind, s.top, s.right)
        low_left, low_right = _floats(image, box_ind, s.bottom, s.left), _floats(image, box_ind, s.bottom, s.right)
        top = top_left + (top_right - top_left) * s.across
        low = low_left + (low_right - low_left) * s.across
        value = top + (low - top) * s.down
    return xp.where(s.inside[..., None], value, np.float32(extrapolation_value))


def _image_grad_dims(c: Infer) -> Dims:
    c.rank(0, 4)
    _boxes(c, 1, 2)
    return with_rank(c.shape_value(3), 4, "image_size")


@op("CropAndResizeGradImage", _image_grad_dims, out="output: T", static="image_size", T=GRADIENTS, method=METHODS)
def _crop_and_resize_grad_image(
    grads: Float32, boxes: Float32, box_ind: Int32, image_size: Int32, T: Type, method: str = "bilinear", name: str | None = None
) -> Tensor:
    """The gradient of `CropAndResize` with respect to the image, which has shape `image_size`."""
    return image_gradient(grads, boxes, box_ind, image_size, T.np_dtype, method, _positions)


def image_gradient(grads: Any, boxes: Any, box_ind: Any, image_size: Any, dtype: Any, method: str, positions: Positions) -> Any:
    """`CropAndResizeGradImage` on arrays."""
    batch, height, width, depth = (int(n) for n in image_size)
    s = _Sampling(boxes, height, width, grads.shape[1], grads.shape[2], positions)
    dy = xp.where(s.inside[..., None], grads, np.float32(0))
    if method == "nearest":
        parts = [(s.nearest_y, s.nearest_x, dy)]
    else:
        upper, lower = dy * (1 - s.down), dy * s.down
        parts = [
            (s.top, s.left, upper * (1 - s.across)), (s.top, s.right, upper * s.across),
            (s.bottom, s.left, lower * (1 - s.across)), (s.bottom, s.right, lower * s.across),
        ]  # fmt: skip
    owner = box_ind[:, None, None]
    index = xp.concatenate([xp.reshape((owner * height + y[:, :, None]) * width + x[:, None, :], (-1,)) for y, x, _ in parts])
    values = xp.concatenate([xp.reshape(v, (-1, depth)) for _, _, v in parts])
    total = scatter_rows(np.zeros((batch * height * width, depth), np.float32), index, values, "add")
    return xp.astype(xp.reshape(total, (batch, height, width, depth)), dtype)


def _box_grad_dims(c: Infer) -> Dims:
    c.rank(0, 4)
    c.rank(1, 4)
    return (_boxes(c, 2, 3), 4)


@op("CropAndResizeGradBoxes", _box_grad_dims, out="output: float32", T=PIXELS, method=("bilinear",))
def _crop_and_resize_grad_boxes(
    grads: Float32, image: T, boxes: Float32, box_ind: Int32, method: str = "bilinear", name: str | None = None
) -> Tensor:
    """The gradient of `CropAndResize` with respect to the boxes, always that of the bilinear method."""
    return box_gradient(grads, image, boxes, box_ind, _positions)


def box_gradient(grads: Any, image: Any, boxes: Any, box_ind: Any, positions: Positions) -> Any:
    """`CropAndResizeGradBoxes` on arrays."""
    height, width = image.shape[1:3]
    rows, columns = grads.shape[1:3]
    s = _Sampling(boxes, height, width, rows, columns, positions)
    top_left, top_right = _floats(image, box_ind, s.top, s.left), _floats(image, box_ind, s.top, s.right)
    low_left, low_right = _floats(image, box_ind, s.bottom, s.left), _floats(image, box_ind, s.bottom, s.right)
    dy = xp.where(s.inside[..., None], grads, np.float32(0))
    slope_y = (1 - s.across) * (low_left - top_left) + s.across * (low_right - top_right)
    slope_x = (1 - s.down) * (top_right - top_left) + s.down * (low_right - low_left)
    by_row = xp.sum(dy * slope_y, axis=(2, 3))
    by_column = xp.sum(dy * slope_x, axis=(1, 3))
    (y1, y2), (x1, x2) = _shares(by_row, height, rows), _shares(by_column, width, columns)
    return xp.stack([y1, x1, y2, x2], axis=1)


def _shares(slope: Any, size: int, count: int) -> tuple[Any, Any]:
    """What the two ends of a box get of the slopes along it."""
    reach = np.float32(size - 1)
    if count == 1:
        half = xp.sum(slope, axis=1) * (np.float32(0.5) * reach)
        return half, half
    part = np.arange(count, dtype=np.float32) * (reach / np.float32(count - 1))
    return xp.sum(slope * (reach - part), axis=1), xp.sum(slope * part, axis=1)


@grad("CropAndResize")
def _(op: Operation, dy: Tensor) -> Any:
    image, boxes, owner, _ = op.inputs
    kind = image.dtype.base_dtype
    to_image = None
    if kind in GRADIENTS:
        known = image.dims
        sizes = list(known) if known is not None and None not in known else shape(image)
        to_image = _crop_and_resize_grad_image(dy, boxes, owner, sizes, T=kind, method=op.attrs["method"])
    return to_image, _crop_and_resize_grad_boxes(dy, image, boxes, owner), None, None


grad.none("CropAndResizeGradImage CropAndResizeGradBoxes", "TensorFlow has no second-order gradient of crop_and_resize")


@export("image.crop_and_resize")
def crop_and_resize(
    image: Any, boxes: Any, box_ind: Any = None, crop_size: Any = None, method: str = "bilinear", extrapolation_value: float = 0,
    name: str | None = None, box_indices: Any = None,
) -> Tensor:  # fmt: skip
    """Cuts boxes out of images and resizes them to one size.

    Args:
      image: [batch, height, width, channels], numeric.
      boxes: [n, 4], float32: y1, x1, y2, x2 in units where the image spans [0, 1]; they may be upside down or go beyond.
      box_ind: [n], int32, the image of each box; `box_indices` is the same.
      crop_size: the height and width of the crops, int32.
      method: "bilinear" or "nearest".
      extrapolation_value: what lies outside the image.
      name: a name for the operation.

    Returns [n, crop height, crop width, channels], float32.
    """
    return _crop_and_resize(image, boxes, alias("box_indices", box_indices, "box_ind", box_ind), crop_size, method, extrapolation_value, name=name)


# -- glimpses ----------------------------------------------------------------------------------------


def _glimpse_dims(c: Infer) -> Dims:
    x, offsets = c.rank(0, 4), c.rank(2, 2)
    batch = merge_dims(x[:1], offsets[:1])
    return (batch[0] if batch else None, *with_rank(c.shape_value(1), 2, "size"), x[3])


def _noise(shape: Any) -> Any:
    """Numbers in [0, 1) that look random: a hash of the position (TensorFlow's are random and cannot be seeded)."""
    i = np.arange(int(np.prod(shape)), dtype=np.uint64)
    for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53), (33, 1)):
        i = (i + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(factor)
        i ^= i >> np.uint64(shift)
    return ((i >> np.uint64(40)).astype(np.float64) / 2**24).astype(np.float32).reshape(shape)


@op("ExtractGlimpse", _glimpse_dims, out="glimpse: float32", static="size")
def _extract_glimpse(
    input: Float32, size: Int32, offsets: Float32, centered: bool = True, normalized: bool = True, uniform_noise: bool = True, noise: str = "uniform",
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Cuts a window of one size out of each image."""
    batch, height, width, depth = input.shape
    rows, columns = (int(n) for n in size)
    starts: list[Any] = []
    for at, whole, part in ((offsets[:, 0], height, rows), (offsets[:, 1], width, columns)):
        if normalized:
            at = at * np.float32(whole)
        if centered:
            at = at / np.float32(2) + np.float32(whole / 2)
        starts.append(xp.astype(xp.trunc(at - np.float32(part / 2)), np.int32))
    y = starts[0][:, None] + np.arange(rows, dtype=np.int32)
    x = starts[1][:, None] + np.arange(columns, dtype=np.int32)
    inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    pixels = _pixels(input, np.arange(batch, dtype=np.int32), xp.clip(y, 0, height - 1), xp.clip(x, 0, width - 1))
    outside = _noise((batch, rows, columns, depth)) if noise != "zero" else np.float32(0)
    return xp.where(inside[..., None], pixels, outside)


grad.none("ExtractGlimpse", "TensorFlow declares that there is none")


@export("image.extract_glimpse")
def extract_glimpse(
    input: Any, size: Any, offsets: Any, centered: bool = True, normalized: bool = True, uniform_noise: bool = True, name: str | None = None
) -> Tensor:
    """Cuts a window of one size out of each image.

    Args:
      input: [batch, height, width, channels], float32.
      size: the height and width of the windows, int32.
      offsets: [batch, 2], float32: y and x of the middle of each window.
      centered: the image's center is (0, 0); otherwise its upper left corner.
      normalized: the image's size is 1 (2 when centered); otherwise offsets are in pixels.
      uniform_noise: fill what lies outside with uniform noise; otherwise with normal noise.
      name: a name for the operation.

    Returns [batch, size, size, channels]. The noise here is fixed; in TensorFlow it changes from run to run.
    """
    return _extract_glimpse(convert_to_tensor(input), size, offsets, centered, normalized, uniform_noise, name=name)


