"""Rows of ir.ops.state: a variable is made, given a value and changed inside one run, in the order of control dependencies."""

import numpy as np

from ir.convert import get_default_graph
from ir.ops import slicing, state
from ir.ops.basic import identity
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal


def after(ops):
    return get_default_graph().control_dependencies(ops if isinstance(ops, list) else [ops])


def ref_variable(x, make=state.variable_v2):
    """A reference variable, and the op that gives it the value `x`."""
    v = make(x.shape, x.dtype)
    return v, state.assign_ref(v, x, validate_shape=x.shape.is_fully_defined())


def ref_after(update, make=state.variable_v2):
    """Builds: assign x, update with y, read; in that order."""

    def build(x, *rest):
        v, first = ref_variable(x, make)
        with after(first):
            done = update(v, *rest)
        with after(done):
            return identity(v)

    return build


def handle_after(update):
    """The same of a resource variable."""

    def build(x, *rest):
        v = state.var_handle_op(x.dtype, x.shape)
        first = state.assign_variable_op(v, x)
        with after(first):
            done = update(v, *rest)
        with after(done):
            return state.read_variable_op(v, x.dtype)

    return build


def is_initialized(x):
    v = state.variable_v2([2], "float32")
    before = state.is_variable_initialized(v)
    with after(before):
        assigned = state.assign_ref(v, x)
    with after(assigned):
        return [before, state.is_variable_initialized(v)]


def handle_is_initialized(x):
    v = state.var_handle_op("float32", [2])
    before = state.var_is_initialized_op(v)
    with after(before):
        assigned = state.assign_variable_op(v, x)
    with after(assigned):
        return [before, state.var_is_initialized_op(v)]


def shape_of_handle(x):
    v = state.var_handle_op("float32", [None, 3])
    with after(state.assign_variable_op(v, x)):
        return state.variable_shape(v)


def read_twice(x, y):
    v = state.var_handle_op(x.dtype, x.shape)
    with after(state.assign_variable_op(v, x)):
        early = state.read_variable_op(v, x.dtype)
    with after([early.op, state.assign_add_variable_op(v, y)]):
        return [early, state.read_variable_op(v, x.dtype)]


def another_shape(x, y):
    v, first = ref_variable(x)
    with after(first):
        return identity(state.assign_ref(v, y, validate_shape=False))


def _sliced(x, y):
    out = x.copy()
    out[0, 1:] = y
    return out


def slice_of_ref(v, y):
    return slicing._strided_slice_assign(v, [0, 1], [0, 3], [1, 1], y, shrink_axis_mask=1)


def slice_of_handle(v, y):
    return slicing._resource_strided_slice_assign(v, [0, 1], [0, 3], [1, 1], y, shrink_axis_mask=1)


def keep(v):
    return identity(v)


X, Y = normal(2, 3), normal(2, 3, seed=1)
I, J = integers(4), integers(4, seed=1)

ROWS = [
    Row("VariableV2", ref_after(keep), [X], lambda x: x, forget=False),
    Row("VariableV2", ref_after(keep), [np.array([b"a", b"b"], object)], lambda x: x, id="strings", forget=False),
    Row("VariableV2", ref_after(keep), [np.float64(3)], lambda x: x, id="scalar", forget=False),
    Row("Variable", ref_after(keep, state.variable_v1), [X], lambda x: x, forget=False),
    Row("TemporaryVariable", ref_after(keep, state.temporary_variable), [X], lambda x: x, forget=False),
    Row("Assign", lambda x: ref_variable(x)[1], [X], lambda x: x, forget=False),
    Row("Assign", ref_after(lambda v, y: state.assign_ref(v, y)), [X, Y], lambda x, y: y, id="again", forget=False),
    Row("Assign", another_shape, [X, normal(4)], lambda x, y: y, id="another shape", forget=False),
    Row("AssignAdd", ref_after(state.assign_add_ref), [X, Y], np.add, forget=False),
    Row("AssignAdd", ref_after(state.assign_add_ref), [I, J], np.add, id="int32", forget=False),
    Row("AssignSub", ref_after(state.assign_sub_ref), [X, Y], np.subtract, forget=False),
    Row("VarHandleOp", handle_after(lambda v: state.read_variable_op(v, "float32")), [X], lambda x: x, forget=False),
    Row("ReadVariableOp", read_twice, [X, Y], lambda x, y: [x, x + y], id="two versions", forget=False),
    Row("AssignVariableOp", handle_after(lambda v, y: state.assign_variable_op(v, y)), [X, Y], lambda x, y: y, forget=False),
    Row("AssignAddVariableOp", handle_after(state.assign_add_variable_op), [X, Y], np.add, forget=False),
    Row("AssignAddVariableOp", handle_after(state.assign_add_variable_op), [I, J], np.add, id="int32", forget=False),
    Row("AssignSubVariableOp", handle_after(state.assign_sub_variable_op), [X, Y], np.subtract, forget=False),
    Row("IsVariableInitialized", is_initialized, [normal(2)], lambda x: [np.bool_(False), np.bool_(True)], forget=False),
    Row("VarIsInitializedOp", handle_is_initialized, [normal(2)], lambda x: [np.bool_(False), np.bool_(True)], forget=False),
    Row("StridedSliceAssign", ref_after(slice_of_ref), [X, normal(2)], _sliced, forget=False),
    Row("ResourceStridedSliceAssign", handle_after(slice_of_handle), [X, normal(2)], _sliced, forget=False),
    Row("VariableShape", shape_of_handle, [X], lambda x: np.int32([2, 3]), forget=False),
]

ERRORS = [
    ErrorRow("Assign", lambda: state.assign_ref(state.variable_v2([2], "float32"), zeros([3])), ValueError, "not compatible"),
    ErrorRow("Assign", lambda: state.assign_ref(zeros([2]), zeros([2])), TypeError, "must be a mutable"),
    ErrorRow("AssignAdd", lambda: state.assign_add_ref(state.variable_v2([2], "float32"), zeros([2], "int32")), TypeError, "expected float32"),
    ErrorRow("AssignAddVariableOp", lambda: state.assign_add_variable_op(state.var_handle_op("float32", [2]), zeros([3])), ValueError, "incompatible"),
]
