"""Random crops of images that cover part of an object. Host ops.

With seeds the boxes are TensorFlow 1.15's.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ir import philox
from ir.build import export, grad, op
from ir.convert import get_default_graph
from ir.dtypes import TypeSet
from ir.errors import InvalidArgumentError
from ir.infer import Infer
from ir.opdef import Float32, Floats, T
from ir.ops.draws import Array, Words, integers
from ir.shapes import Dims, compatible

SIZES = TypeSet("uint8 int8 int16 int32 int64")
MIN_COVERED = 0.10000000149011612
ASPECTS = (0.75, 1.3300000429153442)
AREAS = (0.05000000074505806, 1.0)

Box = tuple[int, int, int, int]
f32 = np.float32


def _round(x: Any) -> int:
    return int(np.rint(f32(x)))


def _below(words: Words, limit: int) -> int:
    return int(integers(words, limit, False)(1)[0])


def _crop(words: Words, height: int, width: int, areas: Sequence[float], aspect: Any) -> Box | None:
    """A random box top, left, bottom, right of an area in `areas` (shares of the image) and width / height `aspect`."""
    low, high = (f32(a) * f32(width) * f32(height) for a in areas)
    if areas[1] <= 0 or aspect <= 0 or areas[0] > areas[1]:
        return None
    rows, most = _round(np.sqrt(low / aspect)), _round(np.sqrt(high / aspect))
    if _round(f32(most) * aspect) > width:
        most = int((width + 0.5 - 1e-7) / float(aspect))
        most -= _round(f32(most) * aspect) > width
    most = min(most, height)
    rows = min(rows, most)
    if rows < most:
        rows += _below(words, most - rows + 1)
    columns = _round(f32(rows) * aspect)
    # rounding may have missed the limits by one row
    if rows * columns < low:
        rows += 1
        columns = _round(f32(rows) * aspect)
    if rows * columns > high:
        rows -= 1
        columns = _round(f32(rows) * aspect)
    if not low <= rows * columns <= high or not 0 < columns <= width or not 0 < rows <= height:
        return None
    top = _below(words, height - rows) if rows < height else 0
    left = _below(words, width - columns) if columns < width else 0
    return top, left, top + rows, left + columns


def _area(box: Box) -> int:
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def _covers(crop: Box, objects: list[Box], least: float) -> bool:
    for box in objects:
        common = max(crop[0], box[0]), max(crop[1], box[1]), min(crop[2], box[2]), min(crop[3], box[3])
        if _area(box) >= 1 and f32(_area(common)) / f32(_area(box)) >= least:
            return True
    return False


def _sampled_box(
    image_size: Array, boxes: Array, least: Any, aspects: Sequence[float], areas: Sequence[float], attempts: int, whole: bool, state: Any
) -> Any:
    height, width = int(image_size[0]), int(image_size[1])
    corners = np.asarray(boxes, f32).reshape(-1, 4)
    if ((corners < 0) | (corners > 1)).any():
        raise InvalidArgumentError(None, None, f"All bounding box coordinates must be in [0.0, 1.0]: {corners.tolist()}")
    objects: list[Box] = [tuple((c * np.array([height, width] * 2, f32)).astype(int).tolist()) for c in corners]
    if not objects:
        if not whole:
            text = "No bounding boxes provided as input. One must enable use_image_if_no_bounding_boxes if you wish to not provide any bounding boxes."
            raise InvalidArgumentError(None, None, text)
        objects = [(0, 0, height, width)]
    words = Words(state)
    found: Box = (0, 0, height, width)
    low, high = (f32(a) for a in aspects)
    for _ in range(attempts):
        part = f32(int(words.take(1)[0]) & 0x7FFFFF) * f32(2.0**-23)
        crop = _crop(words, height, width, areas, part * (high - low) + low)
        if crop is not None and _area(crop) >= 1 and _covers(crop, objects, float(least)):
            found = crop
            break
    top, left, bottom, right = found
    kind = image_size.dtype
    shown = np.array([top / height, left / width, bottom / height, right / width], f32).reshape(1, 1, 4)
    begin, size = np.array([top, left, 0], kind), np.array([bottom - top, right - left, -1], np.int64).astype(kind)
    return begin, size, shown, philox.advanced(state, attempts)


def _box_dims(c: Infer) -> list[Dims]:
    if not compatible(c.rank(0, 1), (3,)):
        raise ValueError(f"image_size must contain 3 elements, got {c.dims(0)}")
    if c.rank(1, 3)[2] not in (4, None):
        raise ValueError(f"bounding_boxes must have 4 columns, got {c.rank(1, 3)[2]}")
    return [(3,), (3,), (1, 1, 4)]


OUTPUTS = "begin: T, size: T, bboxes: float32"


@op("SampleDistortedBoundingBox", _box_dims, out=OUTPUTS, random=True, host=True, T=SIZES)
def sample_distorted_bounding_box_v1(
    image_size: T, bounding_boxes: Float32, seed: int = 0, seed2: int = 0, min_object_covered: float = MIN_COVERED, aspect_ratio_range: Floats = ASPECTS,
    area_range: Floats = AREAS, max_attempts: int = 100, use_image_if_no_bounding_boxes: bool = False, name: str | None = None, *, state: Any = None,
) -> Any:  # fmt: skip
    """A random box that covers at least `min_object_covered` of an object."""
    whole = use_image_if_no_bounding_boxes
    return _sampled_box(image_size, bounding_boxes, f32(min_object_covered), aspect_ratio_range, area_range, max_attempts, whole, state)


@op("SampleDistortedBoundingBoxV2", _box_dims, out=OUTPUTS, random=True, host=True, T=SIZES)
def _sample_distorted_bounding_box(
    image_size: T, bounding_boxes: Float32, min_object_covered: Float32, seed: int = 0, seed2: int = 0, aspect_ratio_range: Floats = ASPECTS,
    area_range: Floats = AREAS, max_attempts: int = 100, use_image_if_no_bounding_boxes: bool = False, name: str | None = None, *, state: Any = None,
) -> Any:  # fmt: skip
    """`SampleDistortedBoundingBox` with the least cover as input."""
    whole = use_image_if_no_bounding_boxes
    return _sampled_box(image_size, bounding_boxes, min_object_covered, aspect_ratio_range, area_range, max_attempts, whole, state)


grad.none("SampleDistortedBoundingBox SampleDistortedBoundingBoxV2", "a random choice is not a continuous function")


@export("image.sample_distorted_bounding_box")
def sample_distorted_bounding_box(
    image_size: Any, bounding_boxes: Any, seed: int | None = None, seed2: int | None = None, min_object_covered: Any = 0.1, aspect_ratio_range: Any = None,
    area_range: Any = None, max_attempts: int | None = None, use_image_if_no_bounding_boxes: bool | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    """Chooses a random crop that covers part of an object, for training on distorted images.

    Args:
      image_size: [3], integers: height, width, channels.
      bounding_boxes: [batch, n, 4], float32: y1, x1, y2, x2 of objects, in [0, 1].
      seed, seed2: integers; see `tf.set_random_seed`.
      min_object_covered: the least share of some object that the crop covers.
      aspect_ratio_range: limits of width / height.
      area_range: limits of the crop's share of the image.
      max_attempts: after so many crops that do not fit, the whole image is returned.
      use_image_if_no_bounding_boxes: take the whole image for the object if there is none; otherwise that is an error.
      name: a name for the operation.

    Returns (begin, size, bboxes): the first two for `tf.slice`, the crop as [1, 1, 4].
    """
    given = {
        "aspect_ratio_range": aspect_ratio_range, "area_range": area_range, "max_attempts": max_attempts,
        "use_image_if_no_bounding_boxes": use_image_if_no_bounding_boxes,
    }  # fmt: skip
    attrs: dict[str, Any] = {n: v for n, v in given.items() if v is not None}
    with get_default_graph().name_scope(name or "sample_distorted_bounding_box"):
        return _sample_distorted_bounding_box(image_size, bounding_boxes, min_object_covered, seed or 0, seed2 or 0, **attrs, name=name)


