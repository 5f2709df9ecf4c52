"""Rows of ir.ops.indexing."""

import numpy as np

from ir.ops.indexing import (
    data_format_dim_map,
    data_format_vec_permute,
    deep_copy,
    empty,
    guarantee_const,
    inplace_add,
    inplace_sub,
    inplace_update,
    sequence_mask,
    unravel_index,
)  # fmt: skip
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal

X, V = normal(4, 3), normal(2, 3, seed=1)
LENGTHS = np.int32([1, 3, 0])


def rows(how: np.ufunc) -> object:
    def fn(x: np.ndarray, i: np.ndarray, v: np.ndarray) -> np.ndarray:
        out = x.copy()
        how.at(out, i, v)
        return out

    return fn


ROWS = [
    Row("UnravelIndex", unravel_index, [np.int32([2, 5, 7, 0]), np.int32([3, 3])], lambda i, d: np.int32(np.unravel_index(i, tuple(d)))),
    Row("UnravelIndex", unravel_index, [np.int64(22), np.int64([2, 3, 4])], lambda i, d: np.array([1, 2, 2]), id="scalar"),
    Row("DataFormatDimMap", data_format_dim_map, [np.int32([0, 1, 2, 3, -1, -4])], lambda x: np.int32([0, 2, 3, 1, 1, 0])),
    Row("DataFormatDimMap", lambda x: data_format_dim_map(x, "NCHW", "HWNC"), [np.int64(1)], lambda x: np.int64(3), id="scalar"),
    Row("DataFormatVecPermute", data_format_vec_permute, [np.int32([7, 4, 9, 3])], lambda x: np.int32([7, 3, 4, 9])),
    Row("DataFormatVecPermute", lambda x: data_format_vec_permute(x, "NCHW", "NHWC"), [np.arange(8).reshape(4, 2)], lambda x: x[[0, 2, 3, 1]], id="matrix"),
    Row("GuaranteeConst", guarantee_const, [X], lambda x: x, grad=True),
    Row("InplaceUpdate", inplace_update, [X, np.int32([3, 0]), V], lambda x, i, v: np.stack([v[1], x[1], x[2], v[0]])),
    Row("InplaceUpdate", inplace_update, [X, np.int32(-1), V[0]], lambda x, i, v: np.concatenate([x[:3], v[None]]), id="scalar"),
    Row("InplaceAdd", inplace_add, [X, np.int32([2, 2]), V], rows(np.add)),
    Row("InplaceSub", inplace_sub, [integers(4, 3), np.int32([2, 0]), integers(2, 3)], rows(np.subtract)),
    Row("Empty", lambda n: empty(n, "float32"), [np.int32([2, 3])], lambda n: np.zeros([2, 3], np.float32)),
    Row("DeepCopy", deep_copy, [X], lambda x: x),
    Row("Less", sequence_mask, [LENGTHS], lambda n: np.arange(3) < n[:, None], forget=False, id="sequence_mask"),
    Row("Less", lambda n: sequence_mask(n, 5, "float32"), [LENGTHS[:, None]], lambda n: (np.arange(5) < n[..., None]).astype(np.float32),
        id="sequence_mask maxlen"),
    Row("Less", lambda n, m: sequence_mask(n, m), [LENGTHS.astype(np.int64), np.int32(2)], lambda n, m: np.arange(2) < n[:, None],
        id="sequence_mask maxlen fed"),
]  # fmt: skip

ERRORS = [
    ErrorRow("UnravelIndex", lambda: unravel_index([[1]], [3]), ValueError, "scalar or vector"),
    ErrorRow("DataFormatVecPermute", lambda: data_format_vec_permute(np.zeros([4, 3], np.int32)), ValueError, "2 columns"),
    ErrorRow("InplaceUpdate", lambda: inplace_update(zeros([3, 2]), [0], zeros([2, 2])), ValueError, "not compatible"),
    ErrorRow("Less", lambda: sequence_mask([1], [2]), ValueError, "maxlen must be scalar"),
]
