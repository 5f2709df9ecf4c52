"""Rows of ir.ops.histogram."""

import numpy as np

from ir.ops import histogram
from tests.rowdef import ErrorRow, Row, integers, normal

COUNTS = integers(3, 5, high=7)
VALUES = np.float32([-1, 0, 0.5, 1, 1.999, 2, 4.9, 5, 7])


def fixed(low, high, n):
    def ref(x, *_):
        return np.bincount(np.clip(np.floor((x - low) / ((high - low) / n)), 0, n - 1).astype(int).ravel(), minlength=n).astype(np.int32)

    return ref


ROWS = [
    Row("Bincount", lambda x: histogram._bincount(x, 8, np.zeros(0, np.int32)), [COUNTS], lambda x: np.bincount(x.ravel(), minlength=8).astype(np.int32)),
    Row("Bincount", lambda x: histogram._bincount(x, 4, np.zeros(0, np.int64)), [COUNTS], lambda x: np.bincount(x.ravel())[:4], id="cut"),
    Row("Bincount", lambda x, w: histogram._bincount(x, 8, w), [COUNTS, normal(3, 5)], lambda x, w: np.bincount(x.ravel(), w.ravel(), 8).astype(np.float32),
        id="weights"),
    Row("Bincount", lambda x: histogram._bincount(x, 3, np.zeros(0, np.float32)), [integers(0)], lambda x: np.zeros(3, np.float32), id="empty"),
    Row("Bincount", histogram.bincount, [COUNTS], lambda x: np.bincount(x.ravel()).astype(np.int32), id="bincount"),
    Row("Bincount", lambda x: histogram.bincount(x, minlength=9), [COUNTS], lambda x: np.bincount(x.ravel(), minlength=9).astype(np.int32), id="minlength"),
    Row("Bincount", lambda x, w: histogram.bincount(x, w, maxlength=4), [COUNTS, normal(3, 5)],
        lambda x, w: np.bincount(x.ravel(), w.ravel())[:4].astype(np.float32), id="maxlength"),
    Row("HistogramFixedWidth", lambda x: histogram.histogram_fixed_width(x, [0.0, 5.0], nbins=5), [VALUES], fixed(0, 5, 5)),
    Row("HistogramFixedWidth", lambda x: histogram.histogram_fixed_width(x, [0, 10], 4, "int64"), [COUNTS],
        lambda x: fixed(0, 10, 4)(x).astype(np.int64), id="int"),
    Row("HistogramFixedWidth", lambda x, r: histogram.histogram_fixed_width(x, r, nbins=3), [VALUES, np.float32([-2, 9])], fixed(-2, 9, 3), id="fed range"),
    Row("Floor", lambda x: histogram.histogram_fixed_width_bins(x, [0.0, 5.0], nbins=5), [VALUES], lambda x: np.int32([0, 0, 0, 1, 1, 2, 4, 4, 4]),
        id="histogram_fixed_width_bins"),
]  # fmt: skip

ERRORS = [
    ErrorRow("Bincount", lambda: histogram._bincount([1], -1, [1]), ValueError, "must be non-negative"),
    ErrorRow("HistogramFixedWidth", lambda: histogram.histogram_fixed_width([1.0], [0.0, 1.0], nbins=0), ValueError, "Requires nbins > 0"),
]
