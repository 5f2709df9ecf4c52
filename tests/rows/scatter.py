"""Rows of ir.ops.scatter: a variable gets a value, is changed, and is read, in that order; the reference loops over indices."""

import numpy as np

from ir.ops import scatter, state
from tests.rowdef import ErrorRow, Row, integers, normal, uniform
from tests.rows.state import after, handle_after, ref_after

COMBINE = {
    "Update": lambda a, b: b,
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": lambda a, b: a / b if a.dtype.kind == "f" else np.trunc(a / b),
    "Min": np.minimum,
    "Max": np.maximum,
}


def rows_of(how):
    def ref(x, indices, updates):
        out = np.array(x)
        updates = np.broadcast_to(updates, (*indices.shape, *x.shape[1:]))
        for at in np.ndindex(*indices.shape):
            out[indices[at]] = COMBINE[how](out[indices[at]], updates[at])
        return out

    return ref


def elements_of(how):
    def ref(x, indices, updates):
        out = np.array(x)
        for at in np.ndindex(*indices.shape[:-1]):
            place = tuple(indices[at])
            out[place] = COMBINE[how](out[place], updates[at])
        return out

    return ref


def on_ref(how):
    fn = getattr(scatter, f"scatter_{how}")
    return ref_after(lambda v, i, u: fn(v, i, u))


def on_handle(how):
    fn = getattr(scatter, f"resource_scatter_{how}")
    return handle_after(lambda v, i, u: fn(v, i, u))


def gathered(fn):
    def build(x, indices):
        v = state.var_handle_op(x.dtype, x.shape)
        with after(state.assign_variable_op(v, x)):
            return fn(v, indices, x.dtype)

    return build


def counted(x):
    v = state.variable_v2([], "int32")
    with after(state.assign_ref(v, x)):
        first = scatter.count_up_to_ref(v, 10)
    with after(first):
        return [first, scatter.count_up_to_ref(v, 10)]


def handle_counted(x):
    v = state.var_handle_op("int64", [])
    with after(state.assign_variable_op(v, x)):
        first = scatter.resource_count_up_to(v, 10, "int64")
    with after(first):
        return [first, state.read_variable_op(v, "int64")]


X = normal(4, 3)
TWICE = np.array([2, 0, 2])
MATRIX = np.array([[1, 1], [3, 0]], np.int32)
UPDATES = uniform(3, 3, seed=1)
PLACES = np.array([[0, 2], [3, 1], [0, 2]])
I, J = integers(5, low=-9), integers(3, low=1, seed=1)

ROWS = [
    *[Row(f"Scatter{h}", on_ref(h.lower()), [X, TWICE, UPDATES], rows_of(h), id="an index twice", forget=False) for h in COMBINE],
    *[Row(f"ResourceScatter{h}", on_handle(h.lower()), [X, TWICE, UPDATES], rows_of(h), id="an index twice", forget=False) for h in COMBINE],
    *[Row(f"Scatter{h}", on_ref(h.lower()), [X, MATRIX, uniform(2, 2, 3)], rows_of(h), id="matrix of indices", forget=False) for h in ("Add", "Update", "Max")],
    *[Row(f"Scatter{h}", on_ref(h.lower()), [X, TWICE, np.float32(3)], rows_of(h), id="scalar update", forget=False) for h in COMBINE],
    *[Row(f"ResourceScatter{h}", on_handle(h.lower()), [I, np.array([0, 3, 3]), J], rows_of(h), id="integers", forget=False) for h in COMBINE],
    *[Row(f"ScatterNd{h}", on_ref(f"nd_{h.lower()}"), [X, PLACES, uniform(3)], elements_of(h), id="elements", forget=False) for h in ("Update", "Add", "Sub")],
    *[Row(f"ScatterNd{h}", on_ref(f"nd_{h.lower()}"), [X, TWICE[:, None], UPDATES], elements_of(h), id="rows", forget=False) for h in ("Update", "Add", "Sub")],
    *[
        Row(f"ResourceScatterNd{h}", on_handle(f"nd_{h.lower()}"), [X, PLACES[None], uniform(1, 3)], elements_of(h), id="elements", forget=False)
        for h in ("Update", "Add", "Sub")
    ],
    Row("ResourceGather", gathered(scatter.resource_gather), [X, MATRIX], lambda x, i: x[i], forget=False),
    Row(
        "ResourceGather", gathered(lambda v, i, d: scatter.resource_gather(v, i, d, batch_dims=1)), [X, np.array([[0], [2], [1], [1]])],
        lambda x, i: np.take_along_axis(x, i, 1), id="batch", forget=False,
    ),
    Row("ResourceGatherNd", gathered(scatter.resource_gather_nd), [X, PLACES], lambda x, i: x[i[:, 0], i[:, 1]], id="elements", forget=False),
    Row("ResourceGatherNd", gathered(scatter.resource_gather_nd), [X, MATRIX[:, :1]], lambda x, i: x[i[:, 0]], id="slices", forget=False),
    Row("CountUpTo", counted, [np.int32(7)], lambda x: [np.int32(7), np.int32(8)], forget=False),
    Row("ResourceCountUpTo", handle_counted, [np.int64(-3)], lambda x: [np.int64(-3), np.int64(-2)], forget=False),
]  # fmt: skip


def ref(*shape):
    return state.variable_v2(shape, "float32")


ERRORS = [
    ErrorRow("ScatterAdd", lambda: scatter.scatter_add(ref(4, 3), [0, 1], np.zeros((3, 3), np.float32)), ValueError, r"updates must have the shape"),
    ErrorRow("ScatterAdd", lambda: scatter.scatter_add(ref(), [0], np.float32(1)), ValueError, "a scalar variable has no rows"),
    ErrorRow("ScatterNdAdd", lambda: scatter.scatter_nd_add(ref(4), [[0, 1]], [1.0]), ValueError, "must be at most the rank"),
    ErrorRow("ScatterNdUpdate", lambda: scatter.scatter_nd_update(ref(4, 3), [[0]], [[1.0]]), ValueError, r"updates must have shape \(1, 3\)"),
]
