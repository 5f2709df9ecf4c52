"""What is known of an op type: its inputs, attributes, outputs, effects, shape function, body and gradient.

The table of op types is filled by the `@op` decorator of `ir.build`, one decorated function per op type:

    @op("Tanh", same, out="y: T", T=FLOAT_COMPLEX, api="tanh math.tanh nn.tanh")
    def tanh(x: T, name: str | None = None) -> Tensor:
        \"""Computes the hyperbolic tangent of `x` element-wise.\"""
        return xp.tanh(x)

An annotation made with `In` marks an input; every other parameter but `name` is an attribute, whose kind follows
from its annotation.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from ir import dtypes
from ir.dtypes import DType, TypeSet
from ir.shapes import TensorShape


@dataclass(frozen=True, slots=True)
class In:
    """Marks a parameter as an input.

    `attr` names the type attribute its dtype is; `dtype` fixes it instead. `number` names the attribute that
    counts a list of equal types; `types` names the attribute that lists the types of a mixed list.
    """

    attr: str | None = None
    dtype: DType | None = None
    number: str | None = None
    types: str | None = None
    ref: bool = False


@dataclass(frozen=True, slots=True)
class Attr:
    """Marks a parameter as an attribute of a kind that its Python type does not tell."""

    kind: str


T = Annotated[Any, In("T")]
RefT = Annotated[Any, In("T", ref=True)]
ListT = Annotated[Sequence[Any], In("T", number="N")]
Int32 = Annotated[Any, In(dtype=dtypes.int32)]
Int64 = Annotated[Any, In(dtype=dtypes.int64)]
Float32 = Annotated[Any, In(dtype=dtypes.float32)]
Float64 = Annotated[Any, In(dtype=dtypes.float64)]
Bool = Annotated[Any, In(dtype=dtypes.bool_)]
String = Annotated[Any, In(dtype=dtypes.string)]
Resource = Annotated[Any, In(dtype=dtypes.resource)]
Variant = Annotated[Any, In(dtype=dtypes.variant)]

Type = Annotated[Any, Attr("type")]
Types = Annotated[Sequence[Any], Attr("list(type)")]
Shape = Annotated[Any, Attr("shape")]
Shapes = Annotated[Sequence[Any], Attr("list(shape)")]
Value = Annotated[Any, Attr("tensor")]
Function = Annotated[Any, Attr("func")]
Functions = Annotated[Sequence[Any], Attr("list(func)")]
Ints = Annotated[Sequence[int], Attr("list(int)")]
Floats = Annotated[Sequence[float], Attr("list(float)")]
Bools = Annotated[Sequence[bool], Attr("list(bool)")]
Strings = Annotated[Sequence[str], Attr("list(string)")]

_KINDS: dict[Any, str] = {bool: "bool", int: "int", float: "float", str: "string", bytes: "string"}
REQUIRED: Any = inspect.Parameter.empty


@dataclass(slots=True)
class InputSpec:
    """One input: `name` is the Python parameter's, `tf_name` TensorFlow's."""

    name: str
    spec: In
    tf_name: str

    @property
    def is_list(self) -> bool:
        """Whether the input is a list of tensors."""
        return self.spec.number is not None or self.spec.types is not None


@dataclass(slots=True)
class AttrSpec:
    """One attribute. `param` is the Python parameter that gives it, None when the inputs tell it."""

    name: str
    kind: str
    param: str | None = None
    default: Any = REQUIRED
    allowed: Any = None  # TypeSet, or a tuple of strings
    minimum: int | None = None


@dataclass(slots=True)
class OutputSpec:
    """One output: a fixed dtype or the attribute that tells it; `number`/`types` as for inputs."""

    name: str
    attr: str | None = None
    dtype: DType | None = None
    number: str | None = None
    types: str | None = None
    ref: bool = False


@dataclass(slots=True)
class Effects:
    """What an op does beside computing outputs from inputs. Passes ask these fields.

    `reads`, `writes`: parameters that are variables; their state reaches the body as that argument, and the new
    states follow the outputs in what the body returns. `random`: the op owns a counter, passed as `state`, whose
    new value follows too. `host`: runs on the host, in NumPy. `stream`: an ordered output, such as "stderr".
    `check`: the body returns (outputs..., ok) and a false `ok` fails the run. `static`: parameters whose
    values must be known when the program is compiled. `dynamic`: the shape of an output depends on values.
    `creates`: the kind of resource whose handle the op outputs ("variable", "table", "queue", ...). `presence`:
    parameters that are variables of which the body gets only whether they have a value (a bool).
    `commutative`, `elementwise` (in every operand of full size; the rest are scalars), `forwards_ref` (a reference
    goes through), `overwrites` (the old state does not matter), `passthrough` (output i is input i) are facts that
    passes use. `calls`: attributes that name functions, which the op calls. `of_shape`: the value
    follows from the shapes of the inputs alone.
    `stateful`: what TensorFlow's registry says.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    random: bool = False
    host: bool = False
    stream: str | None = None
    check: bool = False
    static: tuple[str, ...] = ()
    dynamic: bool = False
    stateful: bool = False
    commutative: bool = False
    forwards_ref: bool = False
    elementwise: bool = False
    creates: str | None = None
    presence: tuple[str, ...] = ()
    overwrites: bool = False
    passthrough: bool = False
    calls: tuple[str, ...] = ()
    of_shape: bool = False

    @property
    def pure(self) -> bool:
        """Whether two nodes of equal inputs and attributes may be one."""
        return not (self.writes or self.random or self.stream or self.check or self.stateful)


@dataclass(slots=True, eq=False)
class OpDef:
    """An op type. `body` gives its meaning on arrays; `shape_fn` the shapes of the outputs."""

    name: str
    inputs: list[InputSpec]
    attrs: dict[str, AttrSpec]
    outputs: list[OutputSpec]
    effects: Effects
    shape_fn: Callable[..., Any] | None = None
    body: Callable[..., Any] | None = None
    params: tuple[str, ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict[str, Any])
    doc: str = ""
    api: tuple[str, ...] = ()
    #: no body of its own: a lowering must supply it
    primitive: bool = False
    gradient: Callable[..., Any] | None = None
    #: why there is no gradient: "" means not declared
    no_gradient: str = ""
    public: Callable[..., Any] | None = None
    known: bool = True
    by_param: dict[str, Any] = field(default_factory=dict[str, Any])
    module: str = ""
    #: a node of a Program -> flat positions of the operands that must be static, where it takes more than `effects.static` to say it
    static_fn: Callable[[Any], Sequence[int]] | None = None
    #: plan for calling the body: (is_input, key) per parameter
    type_attrs: dict[str, TypeSet] = field(default_factory=dict[str, TypeSet])

    def __repr__(self) -> str:
        return f"<OpDef {self.name}>"

    def input_slices(self, attrs: dict[str, Any]) -> list[Any]:
        """Returns per input its index among the flat inputs, or a slice when it is a list."""
        out: list[Any] = []
        at = 0
        for i in self.inputs:
            if i.spec.number is not None:
                n = int(attrs[i.spec.number])
            elif i.spec.types is not None:
                n = len(attrs[i.spec.types])
            else:
                out.append(at)
                at += 1
                continue
            out.append(slice(at, at + n))
            at += n
        return out

    def output_types(self, attrs: dict[str, Any]) -> list[DType]:
        """Returns the dtype of each flat output."""
        out: list[DType] = []
        for o in self.outputs:
            if o.types is not None:
                out.extend(attrs[o.types])
                continue
            dtype = o.dtype if o.dtype is not None else attrs[o.attr or ""]
            if o.ref:
                dtype = dtype.as_ref
            if o.number is not None:
                out.extend([dtype] * int(attrs[o.number]))
            else:
                out.append(dtype)
        return out


TABLE: dict[str, OpDef] = {}


def lookup(name: str) -> OpDef:
    """Returns the definition of op type `name`; for a type not in the table, a placeholder with `known` False."""
    found = TABLE.get(name)
    return found if found is not None else OpDef(name, [], {}, [], Effects(stateful=True), known=False)


def parse_outputs(text: str) -> list[OutputSpec]:
    """Parses "y: T, idx: int32, parts: N*T, all: list(Ts), r: ref T"."""
    out: list[OutputSpec] = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, kind = (s.strip() for s in part.partition(":"))
        spec = OutputSpec(name)
        if kind.startswith("ref "):
            spec.ref, kind = True, kind[4:].strip()
        if kind.startswith("list("):
            spec.types = kind[5:-1]
            out.append(spec)
            continue
        if "*" in kind:
            spec.number, kind = kind.split("*")
        try:
            if not kind.islower():  # "U" and "S" are attributes here, but text types to NumPy
                raise TypeError
            spec.dtype = dtypes.as_dtype(kind)
        except TypeError:
            spec.attr = kind
        out.append(spec)
    return out


def _attr_kind(annotation: Any, where: str) -> str:
    if get_origin(annotation) is Annotated:
        for mark in get_args(annotation)[1:]:
            if isinstance(mark, Attr):
                return mark.kind
    for choice in (annotation, *get_args(annotation)):
        if choice in _KINDS:
            return _KINDS[choice]
        if choice is TensorShape:
            return "shape"
        if choice is DType:
            return "type"
    raise TypeError(f"{where}: annotation {annotation!r} names neither an input nor a kind of attribute")


def _input_mark(annotation: Any) -> In | None:
    if get_origin(annotation) is Annotated:
        for mark in get_args(annotation)[1:]:
            if isinstance(mark, In):
                return mark
    return None


def _inferred_attrs(inputs: list[InputSpec], constraints: dict[str, Any]) -> dict[str, AttrSpec]:
    attrs: dict[str, AttrSpec] = {}

    def add(name: str | None, kind: str, minimum: int | None = None) -> None:
        if name is None or name in attrs:
            return
        allowed = constraints.get(name)
        if isinstance(allowed, int):
            allowed, minimum = None, allowed
        default = allowed.default if isinstance(allowed, TypeSet) and allowed.default is not None else REQUIRED
        attrs[name] = AttrSpec(name, kind, None, default, allowed, minimum)

    for i in inputs:
        add(i.spec.number, "int", 1)
        add(i.spec.types, "list(type)")
        if i.spec.types is None:
            add(i.spec.attr, "type")
    return attrs


def define(name: str, fn: Callable[..., Any], out: str | None, effects: Effects, rename: dict[str, str], constraints: dict[str, Any]) -> OpDef:
    """Builds the OpDef that a decorated function describes."""
    hints = get_type_hints(fn, include_extras=True)
    signature = inspect.signature(fn)
    inputs: list[InputSpec] = []
    given: list[AttrSpec] = []
    params: list[str] = []
    defaults: dict[str, Any] = {}
    for p in signature.parameters.values():
        if p.name in ("name", "state"):
            if p.name == "name":
                params.append("name")
            continue
        params.append(p.name)
        if p.default is not REQUIRED:
            defaults[p.name] = p.default
        mark = _input_mark(hints.get(p.name))
        if mark is not None:
            inputs.append(InputSpec(p.name, mark, rename.get(p.name, p.name)))
            continue
        tf_name = rename.get(p.name, p.name)
        kind = _attr_kind(hints.get(p.name), f"{name}.{p.name}")
        allowed = constraints.get(tf_name)
        minimum = allowed if isinstance(allowed, int) else None
        given.append(AttrSpec(tf_name, kind, p.name, p.default, None if minimum is not None else allowed, minimum))
    attrs = _inferred_attrs(inputs, constraints)
    attrs.update({a.name: a for a in given})
    for key, allowed in constraints.items():  # attributes that only the graph carries, such as a default T
        if key not in attrs and isinstance(allowed, TypeSet):
            attrs[key] = AttrSpec(key, "type", None, REQUIRED if allowed.default is None else allowed.default, allowed)
    first = inputs[0].spec if inputs else None
    outputs = parse_outputs(out) if out is not None else [OutputSpec("output", first.attr if first else None, first.dtype if first else None)]
    source = inspect.getsource(fn)
    opdef = OpDef(
        name, inputs, attrs, outputs, effects, body=fn, params=tuple(params), defaults=defaults, doc=inspect.getdoc(fn) or "",
        primitive=source.rstrip().endswith("..."), module=fn.__module__,
    )  # fmt: skip
    opdef.by_param = {i.name: i for i in inputs} | {a.param: a for a in given if a.param}
    opdef.type_attrs = {a.name: a.allowed for a in attrs.values() if isinstance(a.allowed, TypeSet)}
    return opdef
