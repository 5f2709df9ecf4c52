"""OpDef protos to `ir.opdef.OpDef`: for the functions of a library, which are op types too, and a producer's op list."""

from typing import Any

from ir import dtypes
from ir.dtypes import ANY, TypeSet
from ir.graphdef.attrs import dtype_of, value_of
from ir.infer import Infer, Result
from ir.opdef import REQUIRED, AttrSpec, Effects, In, InputSpec, OpDef, OutputSpec
from ir.shapes import Dims

_LAST_PLAIN = 100  # larger numbers are reference types


def _unknown_shapes(c: Infer) -> Result:
    nothing: list[Dims] = [None] * len(c.opdef.output_types(c.attrs))
    return nothing


def _arg(proto: Any) -> dict[str, Any]:
    fixed = None
    if proto.type != 0:
        fixed = dtype_of(proto.type - _LAST_PLAIN if proto.type > _LAST_PLAIN else proto.type)
    return {
        "attr": proto.type_attr or None, "dtype": fixed, "number": proto.number_attr or None,
        "types": proto.type_list_attr or None, "ref": bool(proto.is_ref),
    }  # fmt: skip


def _attr(proto: Any) -> AttrSpec:
    default = value_of(proto.default_value, proto.type) if proto.HasField("default_value") else REQUIRED
    allowed: Any = None
    if proto.HasField("allowed_values"):
        values = value_of(proto.allowed_values)
        allowed = tuple(values) if proto.type == "string" else TypeSet(" ".join(t.name for t in values))
    elif proto.type == "type":
        allowed = ANY
    return AttrSpec(proto.name, proto.type, None, default, allowed, int(proto.minimum) if proto.has_minimum else None)


def opdef_of(proto: Any, known: bool = True) -> OpDef:
    """Returns the definition that an OpDef proto gives: no meaning, no shapes, but inputs, attributes and outputs."""
    inputs = [InputSpec(a.name, In(**_arg(a)), a.name) for a in proto.input_arg]
    outputs = [OutputSpec(a.name, **_arg(a)) for a in proto.output_arg]
    attrs = {a.name: _attr(a) for a in proto.attr}
    d = OpDef(
        proto.name, inputs, attrs, outputs, Effects(stateful=bool(proto.is_stateful), commutative=bool(proto.is_commutative)),
        shape_fn=_unknown_shapes, params=tuple(i.name for i in inputs), doc=proto.summary, known=known, module=__name__, primitive=True,
        no_gradient="",
    )  # fmt: skip
    d.by_param = {i.name: i for i in inputs}
    d.type_attrs = {a.name: a.allowed for a in attrs.values() if isinstance(a.allowed, TypeSet)}
    return d


def opaque(name: str, outputs: list[tuple[str, Any]]) -> OpDef:
    """Returns the definition of one node of an op type of which nothing is known but what is used of its outputs."""
    specs = [OutputSpec(n, dtype=dtype) for n, dtype in outputs]
    return OpDef(name, [], {}, specs, Effects(stateful=True), shape_fn=_unknown_shapes, known=False, primitive=True, module=__name__)


ANYTHING = dtypes.variant  # the type of an output of which nothing is known
