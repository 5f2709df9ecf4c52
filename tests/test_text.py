"""The printed form of graphs: what it looks like, that it parses back, and what the parser says about text that is no graph."""

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, strategies as st

from ir import dtypes
from ir.convert import add_constant, constant
from ir.funcref import FuncRef
from ir.graph import Graph
from ir.graphdef.reader import import_graph_def
from ir.literals import ParseError, Scanner, array_hash, value_text
from ir.ops.basic import group, identity, identity_n, no_op, placeholder
from ir.ops.state import var_handle_op, variable_v2
from ir.shapes import TensorShape
from ir.text import Table, parse, to_text
from ir.verify import VerifyError, verify
from tests.golden_cases import FAMILIES, Case, names

EXAMPLE = """\
%w = VariableV2() {container="", dtype=float32, shape=shape[2,3], shared_name=""} : float32_ref[2,3]
%x = Placeholder() {dtype=float32, shape=shape[?,3]} : float32[?,3]
%enc/act = Tanh(%x) {T=float32} device "/device:GPU:0" colocate ["loc:@w"] : float32[?,3]
%axis = Const() {dtype=int32, value=dense<1 : int32[]>} : int32[]
%parts = Split(%axis, %enc/act, ^%x) {T=float32, num_split=3} : (float32[?,1], float32[?,1], float32[?,1])
%sum = AddV2(%parts, %parts:2) {T=float32} : float32[?,1]
%done = NoOp(^%sum, ^%w)
"""


def round_trip(graph: Graph) -> str:
    """Checks that a graph prints and parses to itself; returns the text."""
    table: Table = {}
    text = to_text(graph, table, locations=False)
    again = parse(text, table)
    verify(again)
    assert to_text(again, {}, locations=False) == text
    return text


def test_example_is_its_own_text() -> None:
    graph = parse(EXAMPLE)
    verify(graph)
    assert to_text(graph, locations=False) == EXAMPLE
    split = graph.get_operation_by_name("parts")
    assert [t.name for t in graph.get_operation_by_name("sum").inputs] == ["parts:0", "parts:2"]
    assert split.control_inputs == [graph.get_operation_by_name("x")]
    assert split.inputs[1].op.device == "/device:GPU:0"
    assert split.inputs[1].op.colocation == ("loc:@w",)
    assert graph.get_tensor_by_name("w:0").dtype.is_ref_dtype


def test_built_graph_with_locations() -> None:
    x = placeholder("float32", [None, 2], name="x")
    y = identity(x, name="y")
    group(y, name="all")
    lines = to_text(x.graph).splitlines()
    assert lines[0].startswith("%x = Placeholder() {dtype=float32, shape=shape[?,2]} : float32[?,2]  # ")
    assert "test_text.py:" in lines[0]
    assert lines[2].startswith("%all = NoOp(^%y)  # ")
    assert round_trip(x.graph) == to_text(x.graph, locations=False)


def test_comments_blank_lines_and_spaces() -> None:
    graph = parse("\n# a graph\n  %a=NoOp( )   # first\n\t%b = NoOp(^%a)\n")
    assert to_text(graph, locations=False) == "%a = NoOp()\n%b = NoOp(^%a)\n"


def test_later_operands() -> None:
    """A loop's Merge names what comes later."""
    text = (
        "%one = Const() {dtype=int32, value=dense<1 : int32[]>} : int32[]\n"
        "%sum = AddV2(%one, %next) {T=int32} : int32[]\n"
        "%next = Identity(%sum, ^%last) {T=int32} : int32[]\n"
        "%last = NoOp()\n"
    )
    graph = parse(text)
    assert not graph.ordered
    assert graph.get_operation_by_name("sum").inputs[1].name == "next:0"
    assert graph.get_tensor_by_name("next:0").consumers() == [graph.get_operation_by_name("sum")]
    assert to_text(graph, locations=False) == text
    verify(graph)


def test_handles_and_several_outputs() -> None:
    handle = var_handle_op("float32", [2, None], name="v")
    a, b = identity_n([placeholder("int32", [], name="p"), placeholder("string", None, name="q")], name="both")
    text = round_trip(handle.graph)
    assert ": resource[]<float32[2,?]>" in text
    assert text.rstrip().endswith("%both = IdentityN(%p, %q) {T=[int32, string]} : (int32[], string[*])")
    again = parse(text).get_tensor_by_name("v:0")
    assert again.handle == (dtypes.float32, (2, None))
    assert a.graph is b.graph


def test_unknown_op_types() -> None:
    text = "%a = Mystery() {depth=3, names=[\"x\"]} : (left: float32[2], right: variant[*])\n%b = Mystery2(%a:1) : output: int32[]\n"
    graph = parse(text)
    assert to_text(graph, locations=False) == text
    assert not graph.get_operation_by_name("a").opdef.known


def test_functions() -> None:
    text = (
        "function @double(x = %x) -> (y = %sum) {_noinline=true} stateful gradient @half\n"
        "  %x = Placeholder() {dtype=float32, shape=shape[*]} : float32[*]\n"
        "  %sum = AddV2(%x, %x) {T=float32} : float32[*]\n"
        "end\n"
        "function @half(x = %x) -> (y = %x) control (done = %n)\n"
        "  %x = Placeholder() {dtype=float32, shape=shape[*]} : float32[*]\n"
        "  %n = NoOp()\n"
        "end\n"
        "%a = Placeholder() {dtype=float32, shape=shape[2]} : float32[2]\n"
        "%call = double(%a) : float32[2]\n"
        "%other = Identity(%call) {T=float32, _f=@half, _fs=[@half{T=int32}, @double]} : float32[2]\n"
    )
    graph = parse(text)
    verify(graph)
    assert to_text(graph, locations=False) == text
    double = graph.functions["double"]
    assert (double.input_names, double.output_names, double.stateful, double.gradient) == (("x",), ("y",), True, "half")
    assert double.graph.functions is graph.functions
    assert graph.get_operation_by_name("call").opdef.known
    assert graph.get_operation_by_name("other").attrs["_f"] == FuncRef("half")
    assert graph.functions["half"].body.control_outputs == (graph.functions["half"].graph.get_operation_by_name("n"),)


def test_versions() -> None:
    graph = parse("versions 21 12\n%a = NoOp()\n")
    assert (graph.versions.producer, graph.versions.min_consumer) == (21, 12)
    assert to_text(graph, locations=False) == "versions 21 12\n%a = NoOp()\n"


# -- constants ---------------------------------------------------------------------------------------

NAN = np.array([0x7FC00123], np.uint32).view(np.float32)
CONSTANTS = [
    (np.float32([[1, 2.5], [-0.0, 1e-30]]), "dense<[[1.0, 2.5], [-0.0, 1e-30]] : float32[2,2]>"),
    (np.float32(0.1), "dense<0.1 : float32[]>"),
    (np.float64(0.1), "dense<0.1 : float64[]>"),
    (np.float32([np.inf, -np.inf]), "dense<[inf, -inf] : float32[2]>"),
    (np.float32([np.nan]), "dense<nan : float32[1]>"),
    (NAN, "dense<0x2301c07f : float32[1]>"),
    (np.array([0.1, 1], np.float16), "dense<[0.1, 1.0] : float16[2]>"),
    (np.array([0.1, 3], ml_dtypes.bfloat16), "dense<[0.100098, 3.0] : bfloat16[2]>"),
    (np.array([1 + 2j, -3.5j], np.complex64), "dense<[(1.0, 2.0), (-0.0, -3.5)] : complex64[2]>"),
    (np.zeros((1000, 3), np.int64), "dense<0 : int64[1000,3]>"),
    (np.zeros((0, 3), np.int32), "dense<[] : int32[0,3]>"),
    (np.array([True, False]), "dense<[true, false] : bool[2]>"),
    (np.array([2**64 - 1, 0], np.uint64), "dense<[18446744073709551615, 0] : uint64[2]>"),
    (np.array([b"a\"b", b"\xff\x00", "é".encode()], object), 'dense<["a\\"b", b"\\xff\\x00", "é"] : string[3]>'),
    (np.array([b"same"] * 40, object), 'dense<"same" : string[40]>'),
]


@pytest.mark.parametrize(("array", "text"), CONSTANTS, ids=[t for _, t in CONSTANTS])
def test_constants(array: np.ndarray, text: str) -> None:
    array = np.asarray(array)
    t = add_constant(Graph(), array)
    assert value_text(t.op.attrs["value"]) == text
    round_trip(t.graph)
    read = Scanner(text, 1).value()
    assert read.dtype == array.dtype and read.shape == array.shape
    assert read.tolist() == array.tolist() if array.dtype == object else read.tobytes() == array.tobytes()


def test_large_constants_are_named_by_hash() -> None:
    big = np.arange(100, dtype=np.float32).reshape(20, 5)
    c = constant(big, name="big")
    table: Table = {}
    text = to_text(c.graph, table)
    name = array_hash(big)
    assert f"value=dense<sha256:{name} : float32[20,5]>" in text
    assert len(name) == 16 and list(table) == [name]
    assert np.array_equal(parse(text, table).get_operation_by_name("big").attrs["value"], big)
    with pytest.raises(ParseError, match="not in the table"):
        parse(text)
    with pytest.raises(ParseError, match=r"another type in the table: float32\[100\]"):
        parse(text, {name: big.reshape(-1)})
    assert array_hash(big) != array_hash(big.reshape(5, 20))


SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(), st.binary(max_size=8).filter(lambda b: not _is_text(b)),
    st.floats(width=32, allow_nan=False), st.sampled_from([dtypes.float32, dtypes.bool_, dtypes.resource]),
    st.lists(st.one_of(st.none(), st.integers(0, 2**40)), max_size=4).map(TensorShape), st.just(TensorShape(None)),
)  # fmt: skip


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


FUNCTIONS = st.dictionaries(st.sampled_from(["T", "_x", "N"]), SCALARS).map(lambda d: FuncRef("f_1", d))


@given(st.one_of(SCALARS, st.lists(SCALARS, max_size=4).map(tuple), FUNCTIONS))
def test_values_parse_back(value: object) -> None:
    text = value_text(value)
    if "\n" in text or "\r" in text:
        return
    s = Scanner(text, 1)
    read = s.value()
    s.end()
    assert read == value and type(read) is type(value)
    assert value_text(read) == text


def test_nan_attribute() -> None:
    assert value_text(math.nan) == "nan"
    assert math.isnan(Scanner("nan", 1).value())


@pytest.mark.parametrize("family", FAMILIES)
def test_golden_graphs_parse_back(family: str) -> None:
    for name in names(family)[:: 1 if family.startswith("control") else 6]:
        graph = Graph()
        with graph.as_default():
            import_graph_def(Case(family, name).graph_def, name="")
        verify(graph)
        round_trip(graph)


# -- what is no graph --------------------------------------------------------------------------------

BAD = [
    ("%a NoOp()", 1, 4, "'='"),
    ("%a = NoOp(", 1, 11, "'%'"),
    ("%a = (", 1, 6, "an op type"),
    ("a = NoOp()", 1, 1, "an operation"),
    ("%a = NoOp()\nend", 2, 1, "an operation"),
    ("%a = NoOp() extra", 1, 13, "the end of the line"),
    ("%a = NoOp()\n%b = NoOp(%a)", 2, 11, ""),
    ("%a = NoOp()\n%a = NoOp()", 2, 1, ""),
    ("%b = NoOp(^%c)", 1, 11, ""),
    ("%b = NoOp(^%b, %b)", 1, 16, "a control input"),
    ("%a = Placeholder() {dtype=float33, shape=shape[]} : float32[]", 1, 27, "a type"),
    ("%a = Placeholder() {dtype=float32, shape=shape[x]} : float32[]", 1, 48, "a size"),
    ("%a = Placeholder() {dtype=float32, dtype=int32} : float32[]", 1, 36, ""),
    ('%a = Placeholder() {dtype="x"} : float32[]', 1, 21, ""),
    ("%a = Placeholder() {dtype=float32, colour=3} : float32[]", 1, 36, ""),
    ("%a = Const() {dtype=int32, value=dense<[1, 2] : int32[3]>} : int32[3]", 1, 40, ""),
    ("%a = Const() {dtype=int32, value=dense<1.5 : int32[]>} : int32[]", 1, 40, ""),
    ("%a = Const() {dtype=int32, value=dense<[1, ] : int32[1]>} : int32[1]", 1, 44, "a number"),
    ('%a = NoOp() {_x="open}', 1, 17, "a string"),
    ("function @f() -> ()\n%a = NoOp()", 3, 1, "'end'"),
    ("function @f(x = %y) -> ()\nend", 1, 17, ""),
    ("function f() -> ()\nend", 1, 10, "'@'"),
]


@pytest.mark.parametrize(("text", "line", "column", "expected"), BAD, ids=[b[0] for b in BAD])
def test_parse_errors_say_where(text: str, line: int, column: int, expected: str) -> None:
    with pytest.raises(ParseError) as e:
        parse(text)
    assert (e.value.line, e.value.column) == (line, column), str(e.value)
    assert e.value.expected.startswith(expected)
    assert f"line {line}, column {column}" in str(e.value)


# -- verify ------------------------------------------------------------------------------------------


def test_verify_finds_faults() -> None:
    x = placeholder("float32", [2], name="x")
    y = identity(x, name="y")
    verify(x.graph)
    y.op.attrs["T"] = dtypes.int32
    with pytest.raises(VerifyError, match=r"operation 'y' \(Identity\) made at .*test_text.py:\d+: input 0 is x:0 of type float32, expected int32") as e:
        verify(x.graph)
    assert e.value.op is y.op
    y.op.attrs["T"] = dtypes.float32
    y.op.attrs["colour"] = 1
    with pytest.raises(VerifyError, match="no attribute 'colour'"):
        verify(x.graph)
    del y.op.attrs["colour"]
    y.dtype = dtypes.int32
    with pytest.raises(VerifyError, match=r"outputs have types \['int32'\], expected \['float32'\]"):
        verify(x.graph)


def test_verify_order_and_membership() -> None:
    x = placeholder("float32", [2], name="x")
    y = identity(x, name="y")
    z = identity(x, name="z")
    y.op.update_input(0, z)
    verify(x.graph)
    x.graph.ordered = True
    with pytest.raises(VerifyError, match=r"input 0, z:0, comes later"):
        verify(x.graph)
    x.graph.ordered = False
    other = Graph()
    with other.as_default():
        foreign = placeholder("float32", [2], name="foreign")
    y.op.inputs = (foreign,)
    with pytest.raises(VerifyError, match="foreign:0, belongs to another graph"):
        verify(x.graph)


def test_verify_consumers_names_and_functions() -> None:
    x = placeholder("float32", [2], name="x")
    y = identity(x, name="y")
    n = no_op(name="n")
    y.op.attrs["_f"] = FuncRef("nowhere")
    with pytest.raises(VerifyError, match="names the function 'nowhere'"):
        verify(x.graph)
    del y.op.attrs["_f"]
    y.op.inputs = (variable_v2([2], "float32", name="v"),)
    with pytest.raises(VerifyError, match="does not know this operation as a consumer"):
        verify(x.graph)
    y.op.inputs = (x,)
    n.name = "x"
    with pytest.raises(VerifyError, match="another operation has the same name"):
        verify(x.graph)
