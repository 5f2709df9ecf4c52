"""Rows of ir.ops.debug."""

import numpy as np

from ir.convert import constant, get_default_graph
from ir.ops import debug as d
from ir.ops.basic import identity, placeholder
from tests.rowdef import ErrorRow, Row, normal

check = d.assert_


def _after(make):
    """The identity of the operand, run after the operation that `make` makes of it."""

    def build(x):
        with get_default_graph().control_dependencies([make(x)]):
            return identity(x)

    return build


ROWS = [
    Row("CheckNumerics", lambda x: d.check_numerics(x, "wrong"), [normal(2, 3)], lambda x: x, grad=True, second=True),
    Row("CheckNumerics", lambda x: d.check_numerics(x, "wrong"), [np.float16([1, -65504])], lambda x: x, id="half"),
    Row("CheckNumerics", lambda x: d.check_numerics(x, "wrong"), [np.zeros((0, 2))], lambda x: x, id="empty"),
    Row("CheckNumerics", lambda x: d.verify_tensor_all_finite(x, "wrong"), [normal(3)], lambda x: x, id="verify_tensor_all_finite"),
    Row("CheckNumerics", lambda x: d.verify_tensor_all_finite(x=x, message="wrong"), [normal(3)], lambda x: x, id="assert_all_finite"),
    Row("Assert", _after(lambda x: check(True, [x])), [normal(3)], lambda x: x),
    Row("Assert", _after(lambda x: check(x > 0, ["not positive", x, 5], summarize=1)), [np.float32(2)], lambda x: x, id="of a value"),
    Row("Print", lambda x: d.print_v1(x, [x, "text", constant([1, 2, 3, 4])], message="row: "), [normal(2)], lambda x: x),
    Row("Print", lambda x: d.print_v1(x, [], summarize=-1), [np.int32([[1], [2]])], lambda x: x, id="nothing"),
    Row("PrintV2", _after(lambda x: d.print_v2(constant("row"), end="")), [normal(2)], lambda x: x),
    Row("PrintV2", _after(lambda x: d.print_v2(constant("row"), output_stream="log(info)")), [normal(2)], lambda x: x, id="log"),
]

ERRORS = [
    ErrorRow("Assert", lambda: check(placeholder("bool", [2]), ["x"]), ValueError, "condition must have rank 0"),
    ErrorRow("Assert", lambda: check(True, []), ValueError, "at least 1"),
    ErrorRow("Assert", lambda: check(placeholder("float32", []), ["x"]), TypeError, "bool"),
    ErrorRow("CheckNumerics", lambda: d.check_numerics(placeholder("int32", []), "x"), TypeError, "int32"),
    ErrorRow("CheckNumerics", lambda: d.verify_tensor_all_finite(t=1.0, x=1.0), ValueError, "Cannot specify both"),
    ErrorRow("PrintV2", lambda: d.print_v2(placeholder("string", [2])), ValueError, "rank 0"),
]
