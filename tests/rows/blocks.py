"""Rows of ir.ops.blocks."""

from collections.abc import Sequence

import numpy as np

from ir.ops.blocks import (
    batch_to_space,
    batch_to_space_nd,
    depth_to_space,
    extract_image_patches,
    extract_volume_patches,
    required_space_to_batch_paddings,
    space_to_batch,
    space_to_batch_nd,
    space_to_depth,
)  # fmt: skip
from ir.ops.layout import raw, zeros
from tests.rowdef import ErrorRow, Row, integers, normal

X = normal(2, 4, 6, 3)
DEEP = normal(1, 2, 3, 8)


def to_batch(x: np.ndarray, block: Sequence[int], pads: Sequence[Sequence[int]]) -> np.ndarray:
    """By definition: the batch is (place in the block, image)."""
    m = len(block)
    x = np.pad(x, [(0, 0), *map(tuple, pads), *[(0, 0)] * (x.ndim - 1 - m)])
    return np.concatenate([x[(slice(None), *[slice(a, None, b) for a, b in zip(at, block, strict=True)])] for at in np.ndindex(*block)])


def from_batch(x: np.ndarray, block: Sequence[int], crops: Sequence[Sequence[int]]) -> np.ndarray:
    m = len(block)
    n = x.shape[0] // int(np.prod(block))
    out = np.zeros([n, *[d * b for d, b in zip(x.shape[1:], block, strict=False)], *x.shape[1 + m :]], x.dtype)
    for k, at in enumerate(np.ndindex(*block)):
        out[(slice(None), *[slice(a, None, b) for a, b in zip(at, block, strict=True)])] = x[k * n : (k + 1) * n]
    return out[(slice(None), *[slice(c[0], d - c[1]) for c, d in zip(crops, out.shape[1:], strict=False)])]


def to_depth(x: np.ndarray, b: int) -> np.ndarray:
    return np.concatenate([x[:, i::b, j::b] for i in range(b) for j in range(b)], -1)


def from_depth(x: np.ndarray, b: int) -> np.ndarray:
    n, h, w, d = x.shape
    out = np.zeros([n, h * b, w * b, d // (b * b)], x.dtype)
    for k, (i, j) in enumerate(np.ndindex(b, b)):
        out[:, i::b, j::b] = x[..., k * out.shape[-1] : (k + 1) * out.shape[-1]]
    return out


def patches(x: np.ndarray, k: Sequence[int], s: Sequence[int], r: Sequence[int], same: bool) -> np.ndarray:
    """By definition, patch by patch."""
    reach = [(ki - 1) * ri + 1 for ki, ri in zip(k, r, strict=True)]
    space = x.shape[1:-1]
    if same:
        outs = [-(-d // si) for d, si in zip(space, s, strict=True)]
        short = [max((o - 1) * si + q - d, 0) for o, si, q, d in zip(outs, s, reach, space, strict=True)]
        x = np.pad(x, [(0, 0), *[(m // 2, m - m // 2) for m in short], (0, 0)])
    else:
        outs = [(d - q) // si + 1 for d, si, q in zip(space, s, reach, strict=True)]
    out = np.zeros([x.shape[0], *outs, int(np.prod(k)) * x.shape[-1]], x.dtype)
    for at in np.ndindex(*outs):
        key = [slice(a * si, a * si + q, ri) for a, si, q, ri in zip(at, s, reach, r, strict=True)]
        out[(slice(None), *at)] = x[(slice(None), *key)].reshape(x.shape[0], -1)
    return out


PADS = [[1, 1], [0, 0]]

ROWS = [
    Row("SpaceToBatchND", lambda x: space_to_batch_nd(x, [2, 3], PADS), [X], lambda x: to_batch(x, [2, 3], PADS), grad=True, second=True),
    Row("SpaceToBatchND", lambda x: space_to_batch_nd(x, np.array([2]), np.array([[0, 0]])), [integers(1, 4)], lambda x: to_batch(x, [2], [[0, 0]]), id="1-d"),
    Row("SpaceToBatchND", lambda x: space_to_batch(x, [[0, 0], [1, 1]], 4), [X], lambda x: to_batch(x, [4, 4], [[0, 0], [1, 1]]), grad=True,
        id="space_to_batch"),
    Row("BatchToSpaceND", lambda x: batch_to_space_nd(x, [2, 1], [[1, 0], [2, 1]]), [X], lambda x: from_batch(x, [2, 1], [[1, 0], [2, 1]]),
        grad=True, second=True),
    Row("BatchToSpaceND", lambda x: batch_to_space(x, [[0, 0], [0, 1]], 2), [normal(4, 1, 2, 3)], lambda x: from_batch(x, [2, 2], [[0, 0], [0, 1]]), grad=True,
        id="batch_to_space"),
    Row("SpaceToBatch", lambda x: raw("SpaceToBatch")(x, [[0, 0], [1, 1]], 4), [X], lambda x: to_batch(x, [4, 4], [[0, 0], [1, 1]]), grad=True, second=True),
    Row("BatchToSpace", lambda x: raw("BatchToSpace")(x, [[0, 1], [0, 0]], 2), [normal(4, 1, 2, 3)], lambda x: from_batch(x, [2, 2], [[0, 1], [0,
        0]]), grad=True,
        second=True),
    Row("Const", lambda: list(required_space_to_batch_paddings([5, 7], [2, 3], [[1, 0], [0, 0]])), [],
        lambda: [np.int32([[1, 0], [0, 2]]), np.int32([[0, 0], [0, 2]])], id="required paddings"),
    Row("Pack", lambda n: list(required_space_to_batch_paddings(n, [2, 3])), [np.int32([5, 7])], lambda n: [np.int32([[0, 1], [0, 2]])] * 2,
        id="required paddings fed"),
    Row("SpaceToDepth", lambda x: space_to_depth(x, 2), [X], lambda x: to_depth(x, 2), grad=True, second=True),
    Row("SpaceToDepth", lambda x: space_to_depth(x, 2, data_format="NCHW"), [normal(1, 3, 4, 2)],
        lambda x: to_depth(x.transpose(0, 2, 3, 1), 2).transpose(0, 3, 1, 2), grad=True, id="NCHW"),
    Row("DepthToSpace", lambda x: depth_to_space(x, 2), [DEEP], lambda x: from_depth(x, 2), grad=True, second=True),
    Row("DepthToSpace", lambda x: depth_to_space(x, 2, data_format="NCHW"), [normal(1, 8, 1, 3)],
        lambda x: from_depth(x.transpose(0, 2, 3, 1), 2).transpose(0, 3, 1, 2), grad=True, id="NCHW"),
    Row("ExtractImagePatches", lambda x: extract_image_patches(x, [1, 2, 3, 1], [1, 1, 2, 1], [1, 1, 1, 1], "VALID"), [X],
        lambda x: patches(x, [2, 3], [1, 2], [1, 1], False), grad=True, second=True),
    Row("ExtractImagePatches", lambda x: extract_image_patches(x, sizes=[1, 3, 2, 1], strides=[1, 2, 1, 1], rates=[1, 1, 2, 1], padding="SAME"), [X],
        lambda x: patches(x, [3, 2], [2, 1], [1, 2], True), grad=True, id="SAME"),
    Row("ExtractImagePatches", lambda x: extract_image_patches(x, [1, 1, 1, 1], [1, 2, 2, 1], [1, 1, 1, 1], "SAME"), [integers(1, 3, 3, 1)],
        lambda x: x[:, ::2, ::2], id="points"),
    Row("ExtractVolumePatches", lambda x: extract_volume_patches(x, [1, 2, 1, 2, 1], [1, 1, 2, 1, 1], "VALID"), [normal(1, 3, 3, 3, 2)],
        lambda x: patches(x, [2, 1, 2], [1, 2, 1], [1, 1, 1], False), grad=True, second=True),
    Row("ExtractVolumePatches", lambda x: extract_volume_patches(x, [1, 2, 2, 2, 1], [1, 2, 2, 2, 1], "SAME"), [normal(1, 3, 3, 2, 2)],
        lambda x: patches(x, [2, 2, 2], [2, 2, 2], [1, 1, 1], True), grad=True, id="SAME"),
]  # fmt: skip

ERRORS = [
    ErrorRow("SpaceToBatchND", lambda: space_to_batch_nd(zeros([1, 3]), [2], [[0, 0]]), ValueError, "not divisible by block_shape"),
    ErrorRow("SpaceToBatchND", lambda: space_to_batch_nd(zeros([1, 4]), [2, 2], [[0, 0]]), ValueError, "a row of 2 per entry"),
    ErrorRow("SpaceToBatchND", lambda: space_to_batch_nd(zeros([1]), [2], [[0, 0]]), ValueError, "rank at least 2"),
    ErrorRow("BatchToSpaceND", lambda: batch_to_space_nd(zeros([3, 2]), [2], [[0, 0]]), ValueError, "evenly divisible by 2"),
    ErrorRow("BatchToSpaceND", lambda: batch_to_space_nd(zeros([2, 1]), [2], [[2, 1]]), ValueError, "must be non-negative"),
    ErrorRow("SpaceToDepth", lambda: space_to_depth(zeros([1, 3, 2, 1]), 2), ValueError, "evenly divisible by 2"),
    ErrorRow("DepthToSpace", lambda: depth_to_space(zeros([1, 3, 2, 2]), 2), ValueError, "evenly divisible by 4"),
    ErrorRow("ExtractImagePatches", lambda: extract_image_patches(zeros([1, 3, 3, 1]), [2, 2, 2, 1], [1] * 4, [1] * 4, "SAME"), ValueError, "1 for the batch"),
]
