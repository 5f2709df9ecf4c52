"""Boxes: choosing among overlapping ones (non-maximum suppression), and drawing them. Host ops.

A box is y1, x1, y2, x2 of any two opposite corners.
"""

import heapq
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import TypeSet, float32
from ir.infer import Infer
from ir.opdef import Float32, In, Int32, T
from ir.shapes import Dims, merge_dims
from ir.tensor import Tensor

HALF = TypeSet("float16 float32").default_to(float32)
Threshold = Annotated[Any, In("T_threshold")]
Array = np.ndarray[Any, Any]


# -- shapes ------------------------------------------------------------------------------------------


def _check_boxes(c: Infer) -> None:
    boxes, scores = c.rank(0, 2), c.rank(1, 1)
    merge_dims(boxes[:1], scores)
    if boxes[1] not in (4, None):
        raise ValueError(f"boxes must have 4 columns, got {boxes[1]}")


def _selected(c: Infer) -> Dims:
    _check_boxes(c)
    return (None,)


def _padded(c: Infer) -> Dims:
    _check_boxes(c)
    size = c.value(2)
    return (int(size) if size is not None and c.attrs["pad_to_max_output_size"] else None,)


# -- suppression -------------------------------------------------------------------------------------


def _overlap(a: Array, b: Array) -> float:
    """Intersection over union of two boxes in the order of their corners; 0 when one is empty."""
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    if area_a <= 0 or area_b <= 0:
        return 0.0
    height = max(min(a[2], b[2]) - max(a[0], b[0]), np.float32(0))
    width = max(min(a[3], b[3]) - max(a[1], b[1]), np.float32(0))
    common = height * width
    return common / (area_a + area_b - common)


def _ordered(boxes: Array) -> Array:
    wide = boxes.astype(np.float32)
    return np.stack([wide[:, [0, 2]].min(1), wide[:, [1, 3]].min(1), wide[:, [0, 2]].max(1), wide[:, [1, 3]].max(1)], 1) if len(wide) else wide


def _suppress(scores: Array, similarity: Callable[[int, int], float], limit: int, threshold: float, lowest: float, sigma: float = 0.0) -> tuple[Array, Array]:
    """Returns the chosen indices and their scores.

    The best candidate is compared with those chosen since it was last looked at; what overlaps one by `threshold` or more
    goes, and with a `sigma` what overlaps less loses score. As in TensorFlow 1.15 a chosen one stays a candidate: it goes when
    it is compared with itself, but an empty box overlaps nothing, and is chosen again and again.
    """
    values = scores.astype(np.float32)
    queue = [(-v, i, 0) for i, v in enumerate(values) if v > lowest]
    heapq.heapify(queue)
    chosen: list[int] = []
    chosen_scores: list[Any] = []
    scale = np.float32(-0.5 / sigma) if sigma > 0 else np.float32(0)
    while queue and len(chosen) < limit:
        negative, i, begin = heapq.heappop(queue)
        original = score = -negative
        gone = False
        for j in range(len(chosen) - 1, begin - 1, -1):
            s = np.float32(similarity(i, chosen[j]))
            if s >= threshold:
                gone = True
                break
            score = score * np.exp(scale * s * s)
            if score <= lowest:
                break
        if gone:
            continue
        begin = len(chosen)
        if score == original:
            chosen.append(i)
            chosen_scores.append(score)
        if score > lowest:
            heapq.heappush(queue, (-score, i, begin))
    return np.array(chosen, dtype=np.int32), np.array(chosen_scores, dtype=scores.dtype)


def _suppress_strictly(boxes: Array, scores: Array, limit: int, threshold: float, lowest: float) -> list[int]:
    """The rule of the combined op: what overlaps a better box by more than `threshold` goes."""
    corners = _ordered(boxes)
    chosen: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] > lowest and len(chosen) < limit and all(_overlap(corners[i], corners[j]) <= threshold for j in reversed(chosen)):
            chosen.append(int(i))
    return chosen


def _by_boxes(boxes: Array, scores: Array, limit: Any, threshold: Any, lowest: Any, sigma: Any = 0.0) -> tuple[Array, Array]:
    corners = _ordered(boxes)
    limits = float(np.float32(threshold)), float(np.float32(lowest))
    return _suppress(scores, lambda i, j: _overlap(corners[i], corners[j]), int(limit), *limits, float(sigma))


def _fill(values: Array, size: int) -> Array:
    return np.concatenate([values, np.zeros(max(size - len(values), 0), values.dtype)])


@op("NonMaxSuppression", _selected, out="selected_indices: int32", host=True, dynamic=True)
def non_max_suppression_v1(boxes: Float32, scores: Float32, max_output_size: Int32, iou_threshold: float = 0.5, name: str | None = None) -> Tensor:
    """The indices of at most `max_output_size` boxes, best first, that overlap no better one too much."""
    return _by_boxes(boxes, scores, max_output_size, iou_threshold, -np.inf)[0]  # pyright: ignore[reportReturnType]


@op("NonMaxSuppressionV2", _selected, out="selected_indices: int32", host=True, dynamic=True, T=HALF, T_threshold=HALF)
def non_max_suppression_v2(boxes: T, scores: T, max_output_size: Int32, iou_threshold: Threshold, name: str | None = None) -> Tensor:
    """`NonMaxSuppression` with the threshold as input."""
    return _by_boxes(boxes, scores, max_output_size, iou_threshold, -np.inf)[0]  # pyright: ignore[reportReturnType]


@op("NonMaxSuppressionV3", _selected, out="selected_indices: int32", host=True, dynamic=True, T=HALF, T_threshold=HALF)
def _non_max_suppression_v3(
    boxes: T, scores: T, max_output_size: Int32, iou_threshold: Threshold, score_threshold: Threshold, name: str | None = None
) -> Tensor:
    """`NonMaxSuppressionV2` of boxes whose score is above `score_threshold`."""
    return _by_boxes(boxes, scores, max_output_size, iou_threshold, score_threshold)[0]  # pyright: ignore[reportReturnType]


@op(
    "NonMaxSuppressionV4", lambda c: [_padded(c), ()], out="selected_indices: int32, valid_outputs: int32", host=True, dynamic=True, T=HALF,
    T_threshold=HALF,
)  # fmt: skip
def _non_max_suppression_v4(
    boxes: T, scores: T, max_output_size: Int32, iou_threshold: Threshold, score_threshold: Threshold, pad_to_max_output_size: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`NonMaxSuppressionV3` that says how many it found and can fill up with zeros."""
    chosen, _ = _by_boxes(boxes, scores, max_output_size, iou_threshold, score_threshold)
    count = np.array(len(chosen), np.int32)
    return (_fill(chosen, int(max_output_size)) if pad_to_max_output_size else chosen), count


def _soft_dims(c: Infer) -> list[Dims]:
    dims = _padded(c)
    return [dims, dims, ()]


@op("NonMaxSuppressionV5", _soft_dims, out="selected_indices: int32, selected_scores: T, valid_outputs: int32", host=True, dynamic=True, T=HALF)
def _non_max_suppression_v5(
    boxes: T, scores: T, max_output_size: Int32, iou_threshold: T, score_threshold: T, soft_nms_sigma: T, pad_to_max_output_size: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`NonMaxSuppressionV4` that with a positive `soft_nms_sigma` lowers the scores of overlapping boxes first."""
    chosen, left = _by_boxes(boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma)
    count = np.array(len(chosen), np.int32)
    if pad_to_max_output_size:
        chosen, left = _fill(chosen, int(max_output_size)), _fill(left, int(max_output_size))
    return chosen, left, count


@op("NonMaxSuppressionWithOverlaps", lambda c: (None,), out="selected_indices: int32", host=True, dynamic=True)
def _non_max_suppression_with_overlaps(
    overlaps: Float32, scores: Float32, max_output_size: Int32, overlap_threshold: Float32, score_threshold: Float32, name: str | None = None
) -> Tensor:
    """`NonMaxSuppressionV3` with the overlap of each pair given."""
    limits = float(overlap_threshold), float(score_threshold)
    return _suppress(scores, lambda i, j: overlaps[i, j], int(max_output_size), *limits)[0]  # pyright: ignore[reportReturnType]


def _combined_dims(c: Infer) -> list[Dims]:
    boxes, scores = c.rank(0, 4), c.rank(1, 3)
    batch = merge_dims(boxes[:1], scores[:1])
    merge_dims(boxes[1:2], scores[1:2])
    if boxes[3] not in (4, None):
        raise ValueError(f"boxes must have 4 columns, got {boxes[3]}")
    if boxes[2] not in (1, None) and scores[2] is not None and boxes[2] != scores[2]:
        raise ValueError(f"boxes must be for 1 class or for all {scores[2]}, got {boxes[2]}")
    each, total = c.value(2), c.value(3)
    size = None if total is None else int(total)
    if c.attrs["pad_per_class"]:
        size = None if size is None or each is None or scores[2] is None else min(size, int(each) * scores[2])
    n = batch[0] if batch else None
    return [(n, size, 4), (n, size), (n, size), (n,)]


@op(
    "CombinedNonMaxSuppression", _combined_dims, host=True, dynamic=True,
    out="nmsed_boxes: float32, nmsed_scores: float32, nmsed_classes: float32, valid_detections: int32",
)  # fmt: skip
def _combined_non_max_suppression(
    boxes: Float32, scores: Float32, max_output_size_per_class: Int32, max_total_size: Int32, iou_threshold: Float32, score_threshold: Float32,
    pad_per_class: bool = False, clip_boxes: bool = True, name: str | None = None,
) -> Any:  # fmt: skip
    """Suppresses per image and class, then keeps the best of all classes."""
    batch, _, classes = scores.shape
    each, total = int(max_output_size_per_class), int(max_total_size)
    size = min(total, each * classes) if pad_per_class else total
    out = np.zeros((batch, size, 4), np.float32), np.zeros((batch, size), np.float32), np.zeros((batch, size), np.float32), np.zeros(batch, np.int32)
    for b in range(batch):
        found: list[tuple[Any, int, int]] = []
        for k in range(classes):
            own = boxes[b, :, k if boxes.shape[2] > 1 else 0]
            chosen = _suppress_strictly(own, scores[b, :, k], each, float(iou_threshold), float(score_threshold))
            found += [(-scores[b, i, k], k, i) for i in chosen]
        found.sort(key=lambda f: f[0])
        for n, (negative, k, i) in enumerate(found[:size]):
            box = boxes[b, i, k if boxes.shape[2] > 1 else 0]
            out[0][b, n] = np.clip(box, 0, 1) if clip_boxes else box
            out[1][b, n], out[2][b, n] = -negative, k
        out[3][b] = min(len(found), size)
    return out


grad.none(
    "NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 NonMaxSuppressionWithOverlaps "
    "CombinedNonMaxSuppression",
    "choosing boxes is not continuous",
)


# -- TF1's functions ---------------------------------------------------------------------------------


def _chosen(fn: Callable[..., Any], scope_name: str, *args: Any, **thresholds: Any) -> Any:
    """Calls the raw op in a scope, where the thresholds become constants first."""
    with get_default_graph().name_scope(scope_name):
        return fn(*args, **{n: convert_to_tensor(v, dtype=float32, name=n) for n, v in thresholds.items()})


@export("image.non_max_suppression")
def non_max_suppression(
    boxes: Any, scores: Any, max_output_size: Any, iou_threshold: Any = 0.5, score_threshold: Any = float("-inf"), name: str | None = None
) -> Tensor:
    """Chooses boxes, best first, that overlap no better one too much.

    Args:
      boxes: [n, 4], float: y1, x1, y2, x2 of two opposite corners.
      scores: [n], float.
      max_output_size: the most boxes to choose, an int32 scalar.
      iou_threshold: the largest share of the union that two boxes may have in common.
      score_threshold: the score that boxes must exceed.
      name: a name for the operation.

    Returns the indices of the chosen boxes, int32.
    """
    scope_name = name or "non_max_suppression"
    return _chosen(_non_max_suppression_v3, scope_name, boxes, scores, max_output_size, iou_threshold=iou_threshold, score_threshold=score_threshold)


@export("image.non_max_suppression_with_scores")
def non_max_suppression_with_scores(
    boxes: Any, scores: Any, max_output_size: Any, iou_threshold: Any = 0.5, score_threshold: Any = float("-inf"), soft_nms_sigma: Any = 0.0,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Chooses boxes like `tf.image.non_max_suppression`; with a positive `soft_nms_sigma`, overlap lowers scores first.

    Returns (indices, scores). Source: N. Bodla et al., "Soft-NMS" (2017).
    """
    limits = {"iou_threshold": iou_threshold, "score_threshold": score_threshold, "soft_nms_sigma": soft_nms_sigma}
    scope_name = name or "non_max_suppression_with_scores"
    indices, left, _ = _chosen(_non_max_suppression_v5, scope_name, boxes, scores, max_output_size, **limits)
    return indices, left


@export("image.non_max_suppression_padded")
def non_max_suppression_padded(
    boxes: Any, scores: Any, max_output_size: Any, iou_threshold: Any = 0.5, score_threshold: Any = float("-inf"), pad_to_max_output_size: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Chooses boxes like `tf.image.non_max_suppression`, filled up with zeros if `pad_to_max_output_size`.

    Returns (selected_indices, valid_outputs).
    """
    def padded(*args: Any, **limits: Any) -> Any:
        return _non_max_suppression_v4(*args, **limits, pad_to_max_output_size=pad_to_max_output_size)

    scope_name = name or "non_max_suppression_padded"
    return _chosen(padded, scope_name, boxes, scores, max_output_size, iou_threshold=iou_threshold, score_threshold=score_threshold)


@export("image.non_max_suppression_overlaps")
def non_max_suppression_with_overlaps(
    overlaps: Any, scores: Any, max_output_size: Any, overlap_threshold: Any = 0.5, score_threshold: Any = float("-inf"), name: str | None = None
) -> Tensor:
    """Chooses boxes like `tf.image.non_max_suppression` by a [n, n] table of how much each pair overlaps."""
    def by_overlaps(*args: Any, **limits: Any) -> Any:
        return _non_max_suppression_with_overlaps(*args, **limits, score_threshold=score_threshold)

    return _chosen(by_overlaps, name or "non_max_suppression_overlaps", overlaps, scores, max_output_size, overlap_threshold=overlap_threshold)


@export("image.combined_non_max_suppression")
def combined_non_max_suppression(
    boxes: Any, scores: Any, max_output_size_per_class: Any, max_total_size: Any, iou_threshold: Any = 0.5, score_threshold: Any = float("-inf"),
    pad_per_class: bool = False, clip_boxes: bool = True, name: str | None = None,
) -> Any:  # fmt: skip
    """Chooses boxes per image and class, then keeps the best of all classes.

    Args:
      boxes: [batch, n, 1 or classes, 4], float32.
      scores: [batch, n, classes], float32.
      max_output_size_per_class: the most boxes per class, an int32 scalar.
      max_total_size: the most boxes per image.
      iou_threshold, score_threshold: as for `tf.image.non_max_suppression`.
      pad_per_class: make room for max_output_size_per_class * classes boxes at most.
      clip_boxes: limit the corners to [0, 1].
      name: a name for the operation.

    Returns (nmsed_boxes, nmsed_scores, nmsed_classes, valid_detections), filled up with zeros.
    """
    def combined(*args: Any, **limits: Any) -> Any:
        return _combined_non_max_suppression(*args, **limits, pad_per_class=pad_per_class, clip_boxes=clip_boxes)

    args = (boxes, scores, max_output_size_per_class, max_total_size)
    return _chosen(combined, name or "combined_non_max_suppression", *args, iou_threshold=iou_threshold, score_threshold=score_threshold)


# -- drawing -----------------------------------------------------------------------------------------

#: what boxes are drawn in, in turn, if no colours are given: red, green, blue, alpha
_COLORS = np.array(
    [[1, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0.5, 0, 0.5, 1], [0.5, 0.5, 0, 1], [0.5, 0, 0, 1], [0, 0, 0.5, 1], [0, 1, 1, 1],
     [1, 0, 1, 1]], np.float32,
)  # fmt: skip


def _drawn_dims(c: Infer) -> Dims:
    images, boxes = c.rank(0, 4), c.rank(1, 3)
    merge_dims(images[:1], boxes[:1])
    if boxes[2] not in (4, None):
        raise ValueError(f"boxes must have 4 columns, got {boxes[2]}")
    return images


def _drawn(images: Array, boxes: Array, colors: Array) -> Array:
    out = np.array(images)
    _, height, width, depth = out.shape
    for b in range(len(boxes)):
        for n, box in enumerate(boxes[b]):
            color = np.ones(depth) if depth == 1 else colors[n % len(colors)]
            color = np.append(color, np.ones(4))[:depth].astype(out.dtype)
            top, left, low, right = (int(v) for v in (box * np.array([height - 1, width - 1] * 2, np.float32)))
            if top > low or left > right or top >= height or low < 0 or left >= width or right < 0:
                continue
            rows, columns = slice(max(top, 0), min(low, height - 1) + 1), slice(max(left, 0), min(right, width - 1) + 1)
            for y in (top, low):
                if 0 <= y < height:
                    out[b, y, columns] = color
            for x in (left, right):
                if 0 <= x < width:
                    out[b, rows, x] = color
    return out


@op("DrawBoundingBoxes", _drawn_dims, host=True, T=HALF)
def _draw_bounding_boxes(images: T, boxes: Float32, name: str | None = None) -> Tensor:
    """Draws the outlines of boxes into images."""
    return _drawn(images, boxes, _COLORS)  # pyright: ignore[reportReturnType]


@op("DrawBoundingBoxesV2", _drawn_dims, host=True, T=HALF)
def _draw_bounding_boxes_v2(images: T, boxes: Float32, colors: Float32, name: str | None = None) -> Tensor:
    """Draws the outlines of boxes into images, in given colours."""
    return _drawn(images, boxes, colors if len(colors) else _COLORS)  # pyright: ignore[reportReturnType]


grad.none("DrawBoundingBoxes DrawBoundingBoxesV2", "TensorFlow declares that there is none")


@export("image.draw_bounding_boxes")
def draw_bounding_boxes(images: Any, boxes: Any, name: str | None = None, colors: Any = None) -> Tensor:
    """Draws the outlines of boxes into images.

    Args:
      images: [batch, height, width, depth], float.
      boxes: [batch, n, 4], float32: y1, x1, y2, x2 in units where the image spans [0, 1].
      name: a name for the operation.
      colors: [m, depth], used in turn; by default ten colours of TensorFlow's.
    """
    if colors is None:
        return _draw_bounding_boxes(images, boxes, name=name)
    return _draw_bounding_boxes_v2(images, boxes, colors, name=name)
