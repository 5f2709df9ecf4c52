"""Rows of ir.ops.sample_box: boxes that TensorFlow 1.15.5 chose."""

import numpy as np

from ir.ops import sample_box as s
from tests.rowdef import ErrorRow, Row

SIZE = np.int32([100, 120, 3])
OBJECTS = np.float32([[[0.1, 0.2, 0.7, 0.8], [0.3, 0.3, 0.5, 0.6]]])
RANGES = {"aspect_ratio_range": [0.5, 2.0], "area_range": [0.1, 1.0]}


def box(top, left, rows, columns, height=100, width=120):
    corners = [[[top / height, left / width, (top + rows) / height, (left + columns) / width]]]
    return [np.int32([top, left, 0]), np.int32([rows, columns, -1]), np.array(corners)]


def seeded(n, expected):
    return Row("SampleDistortedBoundingBoxV2", lambda i, b: list(s._sample_distorted_bounding_box(i, b, np.float32(0.4), n, 3, **RANGES)), [SIZE, OBJECTS],
               lambda i, b: expected, id=f"seed {n}")  # fmt: skip


ROWS = [
    seeded(1, box(19, 12, 47, 78)),
    seeded(2, box(10, 18, 86, 82)),
    seeded(6, box(20, 1, 78, 115)),
    Row("SampleDistortedBoundingBox", lambda i, b: list(s.sample_distorted_bounding_box_v1(i, b, 4, 3, 0.4, **RANGES)), [SIZE, OBJECTS],
        lambda i, b: box(40, 42, 26, 49)),
    Row("SampleDistortedBoundingBoxV2", lambda i, b: list(s.sample_distorted_bounding_box(i, b, 1, 3, 0.4, use_image_if_no_bounding_boxes=True)),
        [SIZE, OBJECTS[:, :0]], lambda i, b: box(18, 9, 80, 94), id="no objects"),
    Row("SampleDistortedBoundingBoxV2", lambda i, b: list(s.sample_distorted_bounding_box(i, b, 1, 3, 1.0, area_range=[0.05, 0.1], max_attempts=3)),
        [np.int32([10, 12, 3]), OBJECTS], lambda i, b: box(0, 0, 10, 12, 10, 12), id="nothing fits"),
]  # fmt: skip

ERRORS = [
    ErrorRow("SampleDistortedBoundingBoxV2", lambda: s.sample_distorted_bounding_box(SIZE[:2], OBJECTS), ValueError, "3 elements"),
    ErrorRow("SampleDistortedBoundingBoxV2", lambda: s.sample_distorted_bounding_box(SIZE, OBJECTS[:, :, :3]), ValueError, "4 columns"),
]
