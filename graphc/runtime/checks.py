"""Turning what went wrong in a run into the errors TensorFlow raises."""

from typing import Any

import numpy as np

from ir.errors import FailedPreconditionError, InvalidArgumentError, OpError, OutOfRangeError
from ir.ops.debug import summary_of
from ir.program import Check, Res
from ir.tensor import Operation


def uninitialized(res: Res, reader: Operation) -> FailedPreconditionError:
    """The error of reading a variable that has no value."""
    op = res.op or reader
    if op.type == "VarHandleOp":
        text = (
            f"Error while reading resource variable {res.key} from Container: localhost. This could mean that the variable was uninitialized. "
            f"Not found: Resource localhost/{res.key} does not exist. Run the initializer (tf.global_variables_initializer()) first."
        )
    else:
        text = f"Attempting to use uninitialized value {res.key}. Run the initializer (tf.global_variables_initializer()) first."
    if reader is not op and reader.location:
        text += f" Read by {reader.name} ({reader.type}), defined at {reader.location_line()}."
    return FailedPreconditionError(None, op, text)


def check_failed(check: Check, payload: list[Any]) -> OpError:
    """The error of a check whose flag is false. A check in a branch or loop body comes without its data."""
    op = check.origin
    if not payload:
        what = op.get_attr("message").decode() if "message" in op.attrs else "assertion failed" if op.type == "Assert" else "check failed"
        return InvalidArgumentError(None, op, f"{what} : in a branch or the body of a loop, whose values are gone; fetch them, or check them outside")
    if op.type == "Assert":
        count = int(op.attrs.get("summarize", 3))
        shown = " ".join(f"[{summary_of(p, count)}]" for p in payload[1:])
        return InvalidArgumentError(None, op, f"assertion failed: {shown}")
    if op.type == "CheckNumerics":
        values = np.asarray(payload[0])
        found = [word for word, bad in (("Inf", np.isinf(values).any()), ("NaN", np.isnan(values).any())) if bad]
        message = op.get_attr("message").decode()
        return InvalidArgumentError(None, op, f"{message} : Tensor had {' and '.join(found)} values")
    if op.type in ("CountUpTo", "ResourceCountUpTo"):
        return OutOfRangeError(None, op, f"Reached limit of {op.attrs['limit']}")
    return InvalidArgumentError(None, op, f"a check of {op.name} ({op.type}) failed: {' '.join(summary_of(p, 3) for p in payload)}")
