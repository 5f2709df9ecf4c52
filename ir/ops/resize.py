"""Resizing images: bilinear, bicubic, by areas and by the nearest neighbour, with their gradients.

A resize is linear and works on rows and columns apart, so its meaning is two matrices of weights, which depend on
sizes only; a gradient applies their transposes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.dtypes import FLOAT, TypeSet
from ir.infer import Infer
from ir.opdef import Float32, Int32, T
from ir.ops.layout import shape
from ir.shapes import Dims, shape_str
from ir.tensor import Operation, Tensor

PIXELS = TypeSet("int8 uint8 int16 uint16 int32 int64 float16 float32 float64")
BILINEAR = PIXELS | TypeSet("bfloat16")
Array = np.ndarray[Any, Any]


# -- weights -----------------------------------------------------------------------------------------


def _scale(size: int, out: int, align_corners: bool) -> np.float32:
    if align_corners and out > 1:
        return np.float32(size - 1) / np.float32(out - 1)
    return np.float32(size) / np.float32(out)


def _positions(size: int, out: int, align_corners: bool, half_pixel_centers: bool) -> Array:
    """Where each output lies in the input. In float32, since rounding decides between neighbours."""
    at = np.arange(out, dtype=np.float32)
    scale = _scale(size, out, align_corners)
    half = np.float32(0.5)
    return (at + half) * scale - half if half_pixel_centers else at * scale


def _matrix(size: int, out: int, indices: Array, weights: Array) -> Array:
    """A [out, size] matrix from indices and weights, [out, taps]; indices beyond the edge mean the edge."""
    matrix = np.zeros((out, size), np.float32)
    rows = np.broadcast_to(np.arange(out)[:, None], indices.shape)
    np.add.at(matrix, (rows, np.clip(indices, 0, size - 1)), weights.astype(np.float32))
    return matrix


def bilinear_matrix(size: int, out: int, align_corners: bool, half_pixel_centers: bool) -> Array:
    """The weights of linear interpolation."""
    at = _positions(size, out, align_corners, half_pixel_centers)
    low = np.floor(at)
    part = at - low
    first = low.astype(np.int64)
    return _matrix(size, out, np.stack([first, first + 1], 1), np.stack([1 - part, part], 1))


_STEPS = 1024  # TensorFlow reads cubic weights from a table of this resolution


def bicubic_matrix(size: int, out: int, align_corners: bool, half_pixel_centers: bool) -> Array:
    """The weights of cubic convolution (Keys 1981), with a = -0.5 for half pixel centers and -0.75 otherwise.

    With half pixel centers places outside the image do not count; otherwise they repeat the edge.
    """
    a = -0.5 if half_pixel_centers else -0.75
    at = _positions(size, out, align_corners, half_pixel_centers)
    first = np.floor(at).astype(np.int64)
    part = np.rint((at - np.floor(at)) * np.float32(_STEPS)) / _STEPS
    indices = first[:, None] + np.arange(-1, 3)
    distance = np.abs(np.stack([part + 1, part, 1 - part, 2 - part], 1))
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    weights = np.where(distance <= 1, near, far)
    if half_pixel_centers:
        weights = np.where((indices >= 0) & (indices < size), weights, 0)
        weights = weights / weights.sum(1, keepdims=True)
    return _matrix(size, out, indices, weights)


def area_matrix(size: int, out: int, align_corners: bool, half_pixel_centers: bool = False) -> Array:
    """The share of each input in the area of each output."""
    scale = _scale(size, out, align_corners)
    begin = np.arange(out, dtype=np.float32) * scale
    end = np.arange(1, out + 1, dtype=np.float32) * scale
    first, last = np.floor(begin).astype(np.int64), np.ceil(end).astype(np.int64)
    at = first[:, None] + np.arange(max(int((last - first).max(initial=1)), 1))
    lower, upper = begin[:, None], end[:, None]
    share = np.where(at < lower, np.where(at + 1 > upper, scale, at + 1 - lower), np.where(at + 1 > upper, upper - at, 1))
    with np.errstate(invalid="ignore"):  # the corners of one pixel: 0 / 0, NaN as in TensorFlow
        return _matrix(size, out, at, np.where(at < last[:, None], share, 0) / scale)


def nearest_indices(size: int, out: int, align_corners: bool, half_pixel_centers: bool) -> Array:
    """Which input each output is."""
    at = np.arange(out, dtype=np.float32) + np.float32(0.5 if half_pixel_centers else 0)
    at = at * _scale(size, out, align_corners)
    chosen = np.floor(at + np.float32(0.5)) if align_corners else np.floor(at)
    return np.clip(chosen.astype(np.int64), 0, size - 1)


def nearest_matrix(size: int, out: int, align_corners: bool, half_pixel_centers: bool) -> Array:
    """The weights that select the nearest input."""
    return _matrix(size, out, nearest_indices(size, out, align_corners, half_pixel_centers)[:, None], np.ones((out, 1)))


# -- applying weights --------------------------------------------------------------------------------

_DENSE = 8  # from so many inputs an output on, a matrix product


def _along(x: Any, matrix: Array, axis: int) -> Any:
    """Applies [out, in] weights to dimension `axis`, 1 or 2, of [batch, height, width, channels]."""
    used = matrix != 0
    taps = int(used.sum(1).max(initial=0))
    weights = matrix.astype(x.dtype)
    if taps > _DENSE:
        return xp.einsum("nhwc,ph->npwc" if axis == 1 else "nhwc,pw->nhpc", x, weights)
    # the inputs of each output first, then as many others of weight zero as it takes
    order = np.argsort(~used, axis=1, kind="stable")[:, : max(taps, 1)]
    chosen = np.take_along_axis(weights, order, 1)
    shape = [-1 if i == axis else 1 for i in range(4)]
    total = None
    for k in range(order.shape[1]):
        part = xp.take(x, order[:, k], axis=axis, mode="clip")
        if not (chosen[:, k] == 1).all():
            part = part * xp.reshape(chosen[:, k], shape)
        total = part if total is None else total + part
    return total


def _resized(x: Any, size: Any, kernel: Callable[..., Array], align_corners: bool, half_pixel_centers: bool) -> Any:
    height, width = (int(n) for n in size)
    rows = kernel(x.shape[1], height, align_corners, half_pixel_centers)
    columns = kernel(x.shape[2], width, align_corners, half_pixel_centers)
    return _along(_along(x, columns, 2), rows, 1)


def bilinear(x: Any, size: Any, align_corners: bool) -> Any:
    """Linear interpolation on arrays, in the type of `x`."""
    return _resized(x, size, bilinear_matrix, align_corners, False)


def _gradient(dy: Any, height: int, width: int, kernel: Callable[..., Array], align_corners: bool, half_pixel_centers: bool) -> Any:
    rows = kernel(height, dy.shape[1], align_corners, half_pixel_centers)
    columns = kernel(width, dy.shape[2], align_corners, half_pixel_centers)
    return _along(_along(dy, rows.T, 1), columns.T, 2)


# -- ops ---------------------------------------------------------------------------------------------


def _resized_dims(c: Infer) -> Dims:
    x = c.rank(0, 4)
    size = c.shape_value(1)
    if size is not None and len(size) != 2:
        raise ValueError(f"size must be a vector of 2 elements, got {shape_str(size)}")
    value = c.value(1)
    if value is not None and (value <= 0).any():
        raise ValueError(f"output dimensions must be positive, got {value.tolist()}")
    if c.attrs.get("half_pixel_centers") and c.attrs["align_corners"]:
        raise ValueError("If half_pixel_centers is True, align_corners must be False.")
    height, width = size if size is not None else (None, None)
    return (x[0], height, width, x[3])


def _grad_dims(c: Infer) -> Dims:
    dy, x = c.rank(0, 4), c.rank(1, 4)
    return (dy[0] if x[0] is None else x[0], x[1], x[2], dy[3] if x[3] is None else x[3])


@op("ResizeBilinear", _resized_dims, out="resized_images: float32", static="size", T=BILINEAR)
def _resize_bilinear(images: T, size: Int32, align_corners: bool = False, half_pixel_centers: bool = False, name: str | None = None) -> Tensor:
    """Resizes by linear interpolation."""
    return _resized(xp.astype(images, np.float32), size, bilinear_matrix, align_corners, half_pixel_centers)


@op("ResizeBicubic", _resized_dims, out="resized_images: float32", static="size", T=PIXELS)
def _resize_bicubic(images: T, size: Int32, align_corners: bool = False, half_pixel_centers: bool = False, name: str | None = None) -> Tensor:
    """Resizes by cubic convolution."""
    return _resized(xp.astype(images, np.float32), size, bicubic_matrix, align_corners, half_pixel_centers)


@op("ResizeArea", _resized_dims, out="resized_images: float32", static="size", T=PIXELS, api="image.resize_area")
def resize_area(images: T, size: Int32, align_corners: bool = False, name: str | None = None) -> Tensor:
    """Resizes images by averaging the area that each new pixel covers.

    Args:
      images: [batch, height, width, channels], numeric.
      size: the new height and width, int32.
      align_corners: align the centers of the corner pixels.
      name: a name for the operation.

    Returns a float32 tensor. Raises ValueError when the size is not positive.
    """
    return _resized(xp.astype(images, np.float32), size, area_matrix, align_corners, False)


@op("ResizeNearestNeighbor", _resized_dims, out="resized_images: T", static="size", T=PIXELS)
def _resize_nearest_neighbor(images: T, size: Int32, align_corners: bool = False, half_pixel_centers: bool = False, name: str | None = None) -> Tensor:
    """Resizes by taking the nearest pixel."""
    rows = nearest_indices(images.shape[1], int(size[0]), align_corners, half_pixel_centers)
    columns = nearest_indices(images.shape[2], int(size[1]), align_corners, half_pixel_centers)
    return xp.take(xp.take(images, rows, axis=1, mode="clip"), columns, axis=2, mode="clip")


@op("ResizeBilinearGrad", _grad_dims, out="output: T", T=FLOAT)
def _resize_bilinear_grad(grads: Float32, original_image: T, align_corners: bool = False, half_pixel_centers: bool = False, name: str | None = None) -> Tensor:
    """The gradient of `ResizeBilinear`."""
    _, height, width, _ = original_image.shape
    return xp.astype(_gradient(grads, height, width, bilinear_matrix, align_corners, half_pixel_centers), original_image.dtype)


@op("ResizeBicubicGrad", _grad_dims, out="output: T", T=TypeSet("float32 float64"))
def _resize_bicubic_grad(grads: Float32, original_image: T, align_corners: bool = False, half_pixel_centers: bool = False, name: str | None = None) -> Tensor:
    """The gradient of `ResizeBicubic`."""
    _, height, width, _ = original_image.shape
    return xp.astype(_gradient(grads, height, width, bicubic_matrix, align_corners, half_pixel_centers), original_image.dtype)


@op("ResizeNearestNeighborGrad", _resized_dims, static="size", T=TypeSet("uint8 int8 int32 float16 float32 float64"))
def _resize_nearest_neighbor_grad(grads: T, size: Int32, align_corners: bool = False, half_pixel_centers: bool = False, name: str | None = None) -> Tensor:
    """The gradient of `ResizeNearestNeighbor`; `size` is the height and width of its input."""
    return _gradient(grads, int(size[0]), int(size[1]), nearest_matrix, align_corners, half_pixel_centers)


def _attrs(op: Operation) -> dict[str, Any]:
    return {n: op.attrs[n] for n in ("align_corners", "half_pixel_centers")}


@grad("ResizeBilinear")
def _(op: Operation, dy: Tensor) -> Any:
    x = op.inputs[0]
    return _resize_bilinear_grad(dy, x, **_attrs(op)) if x.dtype.is_floating else None, None


@grad("ResizeBicubic")
def _(op: Operation, dy: Tensor) -> Any:
    x = op.inputs[0]
    return _resize_bicubic_grad(dy, x, **_attrs(op)) if x.dtype.base_dtype.size >= 4 and x.dtype.is_floating else None, None


@grad("ResizeNearestNeighbor")
def _(op: Operation, dy: Tensor) -> Any:
    x = op.inputs[0]
    known = None if x.dims is None else x.dims[1:3]
    sizes = list(known) if known is not None and None not in known else shape(x)[1:3]
    return _resize_nearest_neighbor_grad(dy, sizes, **_attrs(op)), None


def _new_size(op: Operation) -> Any:
    return shape(op.inputs[0])[1:3]


@grad("ResizeBilinearGrad")
def _(op: Operation, dy: Tensor) -> Any:
    return _resize_bilinear(dy, _new_size(op), **_attrs(op)), None


@grad("ResizeBicubicGrad")
def _(op: Operation, dy: Tensor) -> Any:
    return _resize_bicubic(dy, _new_size(op), **_attrs(op)), None


@grad("ResizeNearestNeighborGrad")
def _(op: Operation, dy: Tensor) -> Any:
    return _resize_nearest_neighbor(dy, _new_size(op), **_attrs(op)), None


grad.none("ResizeArea", "TensorFlow has no gradient of resizing by areas")


@export("image.resize_bilinear")
def resize_bilinear(images: Any, size: Any, align_corners: bool = False, name: str | None = None, half_pixel_centers: bool = False) -> Tensor:
    """Resizes images by linear interpolation.

    Args:
      images: [batch, height, width, channels], numeric.
      size: the new height and width, int32.
      align_corners: align the centers of the corner pixels.
      name: a name for the operation.
      half_pixel_centers: pixels are areas, whose centers lie at halves; not with `align_corners`.

    Returns a float32 tensor. Raises ValueError when the size is not positive.

    >>> resize_bilinear([[[[1.0], [2.0]]]], [2, 4]).shape.as_list()
    [1, 2, 4, 1]
    """
    return _resize_bilinear(images, size, align_corners, half_pixel_centers, name=name)


@export("image.resize_bicubic")
def resize_bicubic(images: Any, size: Any, align_corners: bool = False, name: str | None = None, half_pixel_centers: bool = False) -> Tensor:
    """Resizes images by cubic convolution; the arguments are those of `tf.image.resize_bilinear`."""
    return _resize_bicubic(images, size, align_corners, half_pixel_centers, name=name)


@export("image.resize_nearest_neighbor")
def resize_nearest_neighbor(images: Any, size: Any, align_corners: bool = False, name: str | None = None, half_pixel_centers: bool = False) -> Tensor:
    """Resizes images by taking the nearest pixel; the arguments are those of `tf.image.resize_bilinear`, the type stays."""
    return _resize_nearest_neighbor(images, size, align_corners, half_pixel_centers, name=name)


