"""Optional values: what `If` hands to its gradient from the branch that ran."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from ir.build import grad, op
from ir.infer import Infer, scalar
from ir.opdef import In, Shapes, Types, Variant
from ir.optional_value import Optional
from ir.shapes import Dims, dims_of
from ir.tensor import Operation, Tensor


@op("OptionalFromValue", scalar, out="optional: variant", Toutput_types=1)
def optional_from_value(components: Annotated[Sequence[Any], In(types="Toutput_types")], name: str | None = None) -> Tensor:
    """An optional that holds `components`."""
    return Optional(components)  # pyright: ignore[reportReturnType]


@op("OptionalNone", scalar, out="optional: variant")
def optional_none(name: str | None = None) -> Tensor:
    """An optional that holds nothing."""
    return Optional(None)  # pyright: ignore[reportReturnType]


def _stated(c: Infer) -> list[Dims]:
    return [dims_of(s) for s in c.attrs["output_shapes"]]


@op("OptionalGetValue", _stated, out="components: list(output_types)", output_types=1, output_shapes=1)
def optional_get_value(optional: Variant, output_types: Types, output_shapes: Shapes, name: str | None = None) -> list[Tensor]:
    """The values an optional holds; zeros when the branch that would have set it did not run."""
    if optional.value is None:
        zeros = [np.zeros([d or 0 for d in s.as_dims() or ()], t.np_dtype) for t, s in zip(output_types, output_shapes, strict=True)]
        return tuple(zeros)  # pyright: ignore[reportReturnType]
    return optional.value


@op("OptionalHasValue", scalar, out="has_value: bool")
def optional_has_value(optional: Variant, name: str | None = None) -> Tensor:
    """Whether an optional holds values."""
    return np.array(optional.value is not None)  # pyright: ignore[reportReturnType]


@grad("OptionalFromValue")
def _(op: Operation, dy: Tensor) -> Any:
    return optional_get_value(dy, [t.dtype.base_dtype for t in op.inputs], [t.shape for t in op.inputs])


@grad("OptionalGetValue")
def _(op: Operation, *dys: Tensor) -> Any:
    return optional_from_value(list(dys))


grad.none("OptionalNone OptionalHasValue", "there is no value to differentiate")
