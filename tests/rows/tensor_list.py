"""Rows of ir.ops.tensor_list and ir.ops.optional: lists and optional values made, changed and read in one graph."""

import numpy as np

from ir.ops import optional as o, tensor_list as l
from tests.rowdef import ErrorRow, Row, integers, normal

SHAPE = np.int32([3])
X = normal(4, 3)


def rows_of(x):
    """A list of the rows of a matrix."""
    return l.tensor_list_from_tensor(x, SHAPE)


def stacked(handle, count=-1, dtype="float32"):
    return l.tensor_list_stack(handle, SHAPE, dtype, count)


def pushed(x, y):
    handle = l.empty_tensor_list(SHAPE, 8, "float32")
    for t in (x, y, x * 2):
        handle = l.tensor_list_push_back(handle, t)
    return stacked(handle)


def popped(x):
    handle, last = l.tensor_list_pop_back(rows_of(x), SHAPE, "float32")
    handle, before = l.tensor_list_pop_back(handle, SHAPE, "float32")
    return [last, before, stacked(handle)]


def set_in_reserved(x):
    handle = l.tensor_list_reserve(SHAPE, 4, "float32")
    handle = l.tensor_list_set_item(handle, 2, x)
    return [stacked(handle), l.tensor_list_length(handle), l.tensor_list_get_item(handle, 0, SHAPE, "float32")]


def concatenated(x, y):
    handle = l.tensor_list_push_back(l.tensor_list_push_back(l.empty_tensor_list([-1, 2], 8, "float32"), x), y)
    out = l.tensor_list_concat(handle, [-1, 2], np.int64([]), "float32")
    return [out.tensor, out.lengths]


def split(x):
    handle = l.tensor_list_split(x, [-1, 3], np.int64([1, 3]))
    return [l.tensor_list_get_item(handle, i, [-1, 3], "float32") for i in (0, 1)]


def scattered(x, i):
    return stacked(l.tensor_list_scatter_into(l.tensor_list_reserve(SHAPE, 5, "float32"), x, i))


def held(x, n):
    made = o.optional_from_value([x, n])
    return [o.optional_has_value(made), o.optional_has_value(o.optional_none()), *o.optional_get_value(made, ["float32", "int32"], [x.shape, n.shape])]


PLACES = np.int32([2, 0, 4, 1])


def _in_places(x, size):
    out = np.zeros((size, 3), x.dtype)
    out[PLACES] = x
    return out


ROWS = [
    Row("EmptyTensorList", pushed, [normal(3), normal(3, seed=1)], lambda x, y: np.stack([x, y, x * 2]), grad=True, second=True),
    Row("TensorListPushBack", pushed, [normal(3), normal(3, seed=1)], lambda x, y: np.stack([x, y, x * 2]), grad=True),
    Row("TensorListPopBack", popped, [X], lambda x: [x[3], x[2], x[:2]], grad=True),
    Row("TensorListReserve", set_in_reserved, [normal(3)], lambda x: [np.stack([0 * x, 0 * x, x, 0 * x]), np.int32(4), 0 * x], grad=True),
    Row("TensorListSetItem", lambda x, y: stacked(l.tensor_list_set_item(rows_of(x), 1, y)), [X, normal(3, seed=1)],
        lambda x, y: np.stack([x[0], y, x[2], x[3]]), grad=True),
    Row("TensorListGetItem", lambda x: l.tensor_list_get_item(rows_of(x), 2, SHAPE, "float32"), [X], lambda x: x[2], grad=True, second=True),
    Row("TensorListStack", lambda x: stacked(rows_of(x), 4), [X], lambda x: x, grad=True),
    Row("TensorListFromTensor", lambda x: stacked(rows_of(x)), [X], lambda x: x, grad=True),
    Row("TensorListFromTensor", lambda x: stacked(rows_of(x), dtype="int32"), [integers(4, 3)], lambda x: x, id="int32"),
    Row("TensorListLength", lambda x: l.tensor_list_length(rows_of(x)), [X], lambda x: np.int32(4)),
    Row("TensorListElementShape", lambda x: l.tensor_list_element_shape(rows_of(x), "int64"), [X], lambda x: np.int64([3])),
    Row("TensorListResize", lambda x: stacked(l.tensor_list_resize(rows_of(x), 6)), [X], lambda x: np.concatenate([x, np.zeros((2, 3), x.dtype)]), grad=True),
    Row("TensorListResize", lambda x: stacked(l.tensor_list_resize(rows_of(x), 2)), [X], lambda x: x[:2], grad=True, id="shorter"),
    Row("TensorListGather", lambda x: l.tensor_list_gather(rows_of(x), [3, 1, 3], SHAPE, "float32"), [X], lambda x: x[[3, 1, 3]]),
    Row("TensorListGather", lambda x: l.tensor_list_gather(rows_of(x), [3, 1], SHAPE, "float32"), [X], lambda x: x[[3, 1]], grad=True, id="each once"),
    Row("TensorListScatterV2", lambda x: stacked(l.tensor_list_scatter(x, PLACES, SHAPE, 6)), [X], lambda x: _in_places(x, 6), grad=True),
    Row("TensorListScatterV2", lambda x: stacked(l.tensor_list_scatter(x, PLACES, SHAPE, -1)), [X], lambda x: _in_places(x, 5), grad=True, id="grown"),
    Row("TensorListScatter", lambda x: stacked(l.tensor_list_scatter_v1(x, PLACES, SHAPE)), [X], lambda x: _in_places(x, 5), grad=True),
    Row("TensorListScatterIntoExistingList", lambda x: scattered(x, PLACES), [X], lambda x: _in_places(x, 5), grad=True),
    Row("TensorListConcatV2", concatenated, [normal(1, 2), normal(3, 2, seed=1)], lambda x, y: [np.concatenate([x, y]), np.int64([1, 3])], grad=True),
    Row("TensorListSplit", split, [X], lambda x: [x[:1], x[1:]], grad=True),
    Row("TensorListConcatLists", lambda x, y: stacked(l.tensor_list_concat_lists(rows_of(x), rows_of(y), "float32")), [X, normal(2, 3, seed=1)],
        lambda x, y: np.concatenate([x, y])),
    Row("OptionalFromValue", held, [normal(2), integers(3)], lambda x, n: [np.bool_(True), np.bool_(False), x, n]),
    Row("OptionalHasValue", held, [normal(0), np.int32(3)], lambda x, n: [np.bool_(True), np.bool_(False), x, n], id="empty"),
    Row("OptionalGetValue", lambda x: o.optional_get_value(o.optional_from_value([x]), ["float32"], [x.shape]), [normal(2, 2)], lambda x: x, grad=True),
    Row("OptionalNone", lambda: o.optional_has_value(o.optional_none()), [], lambda: np.bool_(False)),
]  # fmt: skip

ERRORS = [
    ErrorRow("TensorListStack", lambda: l.tensor_list_stack(X, SHAPE, "float32"), TypeError, "variant"),
]
