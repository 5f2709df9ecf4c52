"""Rows of ir.ops.detection. Where TensorFlow 1.15.5 does the unexpected, what it gave is recorded."""

import numpy as np

from ir.ops import detection as d
from tests.rowdef import ErrorRow, Row, uniform

f32 = np.float32
CENTERS, SIZES = uniform(12, 2, low=0, high=1), uniform(12, 2, low=0.05, high=0.4, seed=1)
BOXES = np.concatenate([CENTERS - SIZES / 2, CENTERS + SIZES / 2], 1)
BOXES[3] = BOXES[2]
BOXES[7] = BOXES[7][[2, 3, 0, 1]]
SCORES = uniform(12, low=0, high=1, seed=2)
SCORES[5] = SCORES[6]


def iou(a, b):
    (y1, y2), (x1, x2) = sorted(a[[0, 2]]), sorted(a[[1, 3]])
    (v1, v2), (u1, u2) = sorted(b[[0, 2]]), sorted(b[[1, 3]])
    common = max(min(y2, v2) - max(y1, v1), 0) * max(min(x2, u2) - max(x1, u1), 0)
    return common / ((y2 - y1) * (x2 - x1) + (v2 - v1) * (u2 - u1) - common)


def choose(scores, overlap, limit, threshold, lowest=-np.inf):
    kept = []
    for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        if scores[i] > lowest and len(kept) < limit and all(overlap(i, j) <= threshold for j in kept):
            kept.append(i)
    return np.array(kept, np.int32)


def by_boxes(boxes, scores, limit, threshold, lowest=-np.inf):
    return choose(scores, lambda i, j: iou(boxes[i].astype("d"), boxes[j].astype("d")), limit, threshold, lowest)


def filled(values, size):
    return np.append(values, np.zeros(size - len(values), values.dtype))


def combined(boxes, scores, each, size, threshold, lowest, clip):
    out = np.zeros((len(boxes), size, 4)), np.zeros((len(boxes), size)), np.zeros((len(boxes), size)), np.zeros(len(boxes), np.int32)
    for b in range(len(boxes)):
        found = []
        for k in range(scores.shape[2]):
            own = boxes[b, :, min(k, boxes.shape[2] - 1)]
            found += [(scores[b, i, k], k, own[i]) for i in by_boxes(own, scores[b, :, k], each, threshold, lowest)]
        found.sort(key=lambda f: -f[0])
        for n, (s, k, box) in enumerate(found[:size]):
            out[0][b, n], out[1][b, n], out[2][b, n] = box.clip(0, 1) if clip else box, s, k
        out[3][b] = min(len(found), size)
    return list(out)


MANY = np.stack([BOXES, BOXES[::-1] * 1.4 - 0.2])[:, :, None]
MANY_SCORES = uniform(2, 12, 3, low=0, high=1, seed=5)
PER_CLASS = np.stack([MANY[:, :, 0], MANY[:, ::-1, 0], MANY[:, :, 0] * 0.8], 2)
OVERLAPS = np.maximum(uniform(12, 12, low=0, high=1, seed=3), np.eye(12, dtype=f32))

TWO = np.float32([[0, 0, 1, 1], [0, 0.1, 1, 1.1]])
IMAGE = uniform(1, 6, 8, 3)
DRAWN = np.float32([[[0.2, 0.3, 0.8, 0.75], [-0.5, 0.5, 0.4, 1.5], [0.9, 0.5, 0.4, 0.6]]])


def outlined(image, depth=3):
    """The box of rows 1 to 4 and columns 2 to 5, then the one from above the image to row 2, from column 3 on."""
    out = np.array(image)
    first, second = ((1, 1, 0)[:depth], (0, 0, 1)[:depth]) if depth > 1 else (1, 1)
    out[0, [1, 4], 2:6] = out[0, 1:5, 2] = out[0, 1:5, 5] = first
    out[0, 2, 3:] = out[0, :3, 3] = second
    return out


ROWS = [
    Row("NonMaxSuppression", lambda b, s: d.non_max_suppression_v1(b, s, 6, 0.3), [BOXES, SCORES], lambda b, s: by_boxes(b, s, 6, 0.3)),
    Row("NonMaxSuppressionV2", lambda b, s: d.non_max_suppression_v2(b, s, 20, f32(0.1)), [BOXES, SCORES], lambda b, s: by_boxes(b, s, 20, 0.1)),
    Row("NonMaxSuppressionV3", lambda b, s: d.non_max_suppression(b, s, 6, 0.3, 0.4), [BOXES, SCORES], lambda b, s: by_boxes(b, s, 6, 0.3, 0.4)),
    Row("NonMaxSuppressionV3", lambda b, s: d.non_max_suppression(b, s, 6, 0.3, 2.0), [BOXES, SCORES], lambda b, s: np.zeros(0, np.int32), id="none"),
    Row("NonMaxSuppressionV3", lambda b, s: d.non_max_suppression(b, s, 6), [BOXES[:0], SCORES[:0]], lambda b, s: np.zeros(0, np.int32), id="no boxes"),
    Row("NonMaxSuppressionV3", lambda b, s: d.non_max_suppression(b, s, 5), [f32([[0.5, 0.5, 0.5, 0.5]]), f32([1])], lambda b, s: np.zeros(5, np.int32),
        id="empty box, as in TensorFlow 1.15"),
    Row("NonMaxSuppressionV4", lambda b, s: list(d.non_max_suppression_padded(b, s, 15, 0.3, 0.4, True)), [BOXES, SCORES],
        lambda b, s: [filled(by_boxes(b, s, 15, 0.3, 0.4), 15), np.int32(len(by_boxes(b, s, 15, 0.3, 0.4)))], id="padded"),
    Row("NonMaxSuppressionV4", lambda b, s: list(d.non_max_suppression_padded(b, s, 15, 0.3)), [BOXES, SCORES],
        lambda b, s: [by_boxes(b, s, 15, 0.3), np.int32(len(by_boxes(b, s, 15, 0.3)))]),
    Row("NonMaxSuppressionV5", lambda b, s: list(d.non_max_suppression_with_scores(b, s, 6, 0.3)), [BOXES, SCORES],
        lambda b, s: [by_boxes(b, s, 6, 0.3), s[by_boxes(b, s, 6, 0.3)]]),
    Row("NonMaxSuppressionV5", lambda b, s: list(d._non_max_suppression_v5(b, s, 4, f32(0.99), f32(0.2), f32(0.5))), [TWO, f32([0.9, 0.8])],
        lambda b, s: [np.int32([0, 1]), f32([0.9, 0.8 * np.exp(-(iou(*TWO) ** 2))]), np.int32(2)], id="soft"),
    Row("NonMaxSuppressionV5", lambda b, s: list(d._non_max_suppression_v5(b, s, 3, f32(0.5), f32(0.2), f32(0.5), True)), [TWO, f32([0.9, 0.8])],
        lambda b, s: [np.int32([0, 0, 0]), f32([0.9, 0, 0]), np.int32(1)], id="soft padded"),
    Row("NonMaxSuppressionV3", lambda b, s: d.non_max_suppression(b, s, 4), [f32([[0, 0, 1, 1], [0, 0, 1, 0.5]]), f32([1, 0.5])],
        lambda b, s: np.int32([0]), id="overlap of the threshold"),
    Row("NonMaxSuppressionWithOverlaps", lambda o, s: d.non_max_suppression_with_overlaps(o, s, 6, 0.7, 0.1), [OVERLAPS, SCORES],
        lambda o, s: choose(s, lambda i, j: o[i, j], 6, 0.7, 0.1)),
    Row("CombinedNonMaxSuppression", lambda b, s: list(d.combined_non_max_suppression(b, s, 4, 9, 0.3, 0.2)), [MANY, MANY_SCORES],
        lambda b, s: combined(b, s, 4, 9, 0.3, 0.2, True)),
    Row("CombinedNonMaxSuppression", lambda b, s: list(d.combined_non_max_suppression(b, s, 2, 9, 0.3, 0.2, True, False)), [PER_CLASS, MANY_SCORES],
        lambda b, s: combined(b, s, 2, 6, 0.3, 0.2, False), id="per class"),
    Row("DrawBoundingBoxes", lambda x: d.draw_bounding_boxes(x, DRAWN), [IMAGE], outlined),
    Row("DrawBoundingBoxes", lambda x: d.draw_bounding_boxes(x, DRAWN), [IMAGE[..., :1]], lambda x: outlined(x, 1), id="grey"),
    Row("DrawBoundingBoxesV2", lambda x: d.draw_bounding_boxes(x, DRAWN, colors=f32([[1, 1, 0], [0, 0, 1]])), [IMAGE], outlined),
]  # fmt: skip

ERRORS = [
    ErrorRow("NonMaxSuppressionV3", lambda: d.non_max_suppression(BOXES[:, :3], SCORES, 3), ValueError, "4 columns"),
    ErrorRow("NonMaxSuppressionV3", lambda: d.non_max_suppression(BOXES, SCORES[:3], 3), ValueError, "not compatible"),
    ErrorRow("CombinedNonMaxSuppression", lambda: d.combined_non_max_suppression(PER_CLASS[:, :, :2], MANY_SCORES, 2, 3), ValueError, "for 1 class or for all"),
]
