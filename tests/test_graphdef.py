"""Reading and writing GraphDefs: values, the rules of import_graph_def, functions, and that TensorFlow 1.15 reads what we write.

The messages and rules were observed with TensorFlow 1.15.5. The last tests run it, where GRAPHC_TF115 names its Python.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from google.protobuf import text_format

from ir import dtypes
from ir.convert import constant, get_default_graph
from ir.funcref import FuncRef
from ir.function import Function, FunctionBody
from ir.functionalize import functionalize
from ir.graph import Graph
from ir.graphdef import graph_util, protos
from ir.graphdef.attrs import array_of, attr_proto, tensor_proto, value_of
from ir.graphdef.reader import import_graph_def
from ir.graphdef.tensor_util import make_ndarray, make_tensor_proto
from ir.graphdef.writer import as_graph_def, function_def, node_def, write_graph
from ir.opdef import TABLE
from ir.ops.arith import add_v2
from ir.ops.basic import identity, no_op, placeholder
from ir.ops.state import assign_variable_op, read_variable_op, var_handle_op, variable_v2
from ir.shapes import TensorShape
from ir.verify import verify
from tests.golden_cases import FAMILIES, GOLDEN, Case, load_op_types, names

load_op_types()
A = (
    'node { name: "a" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } '
    'attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape {} float_val: 1 } } } }'
)
T = 'attr { key: "T" value { type: DT_FLOAT } }'
B = f'node {{ name: "b" op: "Identity" input: "a" {T} }}'


def graph_def(text: str) -> Any:
    return text_format.Parse(text, protos.GraphDef())


def node(name: str, op: str, inputs: str = "", attrs: str = T) -> str:
    """Returns the text of a NodeDef; `inputs` are separated by spaces."""
    return f'node {{ name: "{name}" op: "{op}" {" ".join(f"""input: "{i}" """ for i in inputs.split())} {attrs} }}'


def attr(key: str, value: str) -> str:
    return f'attr {{ key: "{key}" value {{ {value} }} }}'


def op_names() -> list[str]:
    return [op.name for op in get_default_graph().get_operations()]


# -- tensors and attributes --------------------------------------------------------------------------

ARRAYS = [
    np.float32([[1, 2], [3, 4]]), np.float64(0.1), np.int32([7]), np.uint8([1, 255]), np.int16(-3), np.int8([-1]), np.int64([2**40, -1]),
    np.array([True, False]), np.array(True), np.complex64([1 + 2j]), np.complex128([1 - 1j, 0]), np.float16([0.5, 2]), np.float16(0.25),
    np.array([0.5, 2], ml_dtypes.bfloat16), np.array(0.5, ml_dtypes.bfloat16), np.uint16([9, 8]), np.uint32([2**32 - 1]),
    np.uint64([2**64 - 1, 3]), np.array([b"x", b"", b"\xff\x00"], object), np.array(b"one", object), np.zeros((0, 3), np.float32),
    np.zeros((2, 0), np.int64), np.float32([[-0.0, np.nan, np.inf]]),
]  # fmt: skip


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{list(np.shape(a))}")
def test_tensors(array: np.ndarray) -> None:
    array = np.asarray(array)
    proto = tensor_proto(array)
    back = array_of(protos.TensorProto.FromString(proto.SerializeToString()))
    assert back.dtype == array.dtype and back.shape == array.shape
    assert back.tolist() == array.tolist() if array.dtype == object else back.tobytes() == array.tobytes()


def test_tensors_that_list_fewer_values() -> None:
    def read(text: str) -> list[Any]:
        return array_of(text_format.Parse(text, protos.TensorProto())).tolist()

    shape = "tensor_shape { dim { size: 3 } }"
    assert read(f"dtype: DT_FLOAT {shape} float_val: 1 float_val: 2") == [1, 2, 2]
    assert read(f"dtype: DT_INT32 {shape}") == [0, 0, 0]
    assert read(f"dtype: DT_STRING {shape} string_val: 'x'") == [b"x", b"x", b"x"]
    assert read(f"dtype: DT_STRING {shape}") == [b"", b"", b""]
    assert read(f"dtype: DT_HALF {shape} half_val: 15360") == [1, 1, 1]
    assert read(f"dtype: DT_BFLOAT16 {shape} half_val: 16256") == [1, 1, 1]
    assert read(f"dtype: DT_COMPLEX64 {shape} scomplex_val: 1 scomplex_val: 2") == [1 + 2j] * 3
    assert read(f"dtype: DT_QINT8 {shape} int_val: 5") == [5, 5, 5]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 1 float_val: 2", "lists 2"),
        ("dtype: DT_FLOAT tensor_shape { dim { size: 2 } } tensor_content: 'abcd'", "needs 8 bytes, got 4"),
        ("dtype: DT_FLOAT tensor_shape { dim { size: -1 } } float_val: 1", "fully known shape"),
        ("dtype: DT_FLOAT tensor_shape { unknown_rank: true } float_val: 1", "fully known shape"),
        ("tensor_shape { }", "no data type number 0"),
    ],
)
def test_tensors_that_are_not_well_formed(text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        array_of(text_format.Parse(text, protos.TensorProto()))


ATTRS = [
    (3, "int"), (-1, "int"), (0.5, "float"), (True, "bool"), ("text", "string"), (b"\xff", "string"), (dtypes.int64, "type"),
    (TensorShape([2, None]), "shape"), (TensorShape(None), "shape"), ((1, 2), "list(int)"), ((), "list(int)"), ((0.5,), "list(float)"),
    ((True, False), "list(bool)"), (("a", b"\xfe"), "list(string)"), ((dtypes.float32, dtypes.string), "list(type)"),
    ((TensorShape([]), TensorShape(None)), "list(shape)"), (FuncRef("f", {"T": dtypes.int32, "n": 3}), "func"),
    ((FuncRef("f"), FuncRef("g")), "list(func)"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), ATTRS, ids=[f"{k} {v!r}" for v, k in ATTRS])
def test_attributes(value: Any, kind: str) -> None:
    for given in (kind, None):
        proto = protos.AttrValue.FromString(attr_proto(value, given).SerializeToString())
        back = value_of(proto, kind)
        assert back == value and type(back) is type(value)


def test_attribute_of_another_kind() -> None:
    with pytest.raises(ValueError, match="has type 'int' when 'type' is expected"):
        value_of(attr_proto(3), "type")
    with pytest.raises(ValueError, match="missing"):
        value_of(protos.AttrValue(), "int")
    assert value_of(protos.AttrValue(), "list(int)") == ()
    with pytest.raises(TypeError, match="cannot hold"):
        attr_proto(object())


# -- import_graph_def: what goes right ---------------------------------------------------------------


def test_names_and_order() -> None:
    assert import_graph_def(graph_def(B + A)) is None
    assert op_names() == ["import/a", "import/b"]
    import_graph_def(graph_def(A + B).SerializeToString())
    assert op_names()[2:] == ["import_1/a", "import_1/b"]
    a, b0 = import_graph_def(graph_def(A + B), return_elements=["a", "b:0"], name="x")
    assert (a.name, b0.name) == ("x/a", "x/b:0")
    verify(get_default_graph())


def test_names_without_prefix_are_made_unique() -> None:
    constant(1.0, name="a")
    import_graph_def(graph_def(A + B), name="")
    assert op_names() == ["a", "a_1", "b"]
    assert [t.name for t in get_default_graph().get_operation_by_name("b").inputs] == ["a_1:0"]
    assert constant(1.0, name="b").name == "b_1:0"


def test_a_prefix_of_other_names_counts_as_a_name() -> None:
    constant(1.0, name="a/x")
    import_graph_def(graph_def(A + B), name="")
    assert op_names() == ["a/x", "a_1", "b"]


def test_scope_that_is_entered_again() -> None:
    import_graph_def(graph_def(A + B), name="foo")
    import_graph_def(graph_def(A + B), name="foo/")
    assert op_names() == ["foo/a", "foo/b", "foo/a_1", "foo/b_1"]


def test_defaults_are_filled_in_and_private_attributes_kept() -> None:
    text = node("m", "MatMul", "a a", T + attr("_zz", "i: 1") + attr("_list", "list { s: 'x' s: 'y' }"))
    a = A.replace("tensor_shape {} float_val: 1", "tensor_shape { dim { size: 2 } dim { size: 2 } } float_val: 1")
    (m,) = import_graph_def(graph_def(a + text), return_elements=["m"]) or []
    assert m.get_attr("transpose_a") is False
    assert m.get_attr("_zz") == 1 and m.get_attr("_list") == ["x", "y"]
    assert m.outputs[0].dims == (2, 2)


def test_input_map() -> None:
    x = placeholder("float32", [2, 2], name="x")
    a0, b0 = import_graph_def(graph_def(A + B), input_map={"a:0": x}, return_elements=["a:0", "b:0"]) or []
    assert a0 is x and b0.op.inputs[0] is x and b0.dims == (2, 2)
    (b0,) = import_graph_def(graph_def(B), input_map={"a": x}, return_elements=["b:0"]) or []
    assert b0.op.inputs[0] is x
    (b0,) = import_graph_def(graph_def(A + B), input_map={"a:0": 3.0}, return_elements=["b:0"]) or []
    assert b0.op.inputs[0].name == "import_2/_inputs/Const:0"
    done = no_op(name="done")
    (n,) = import_graph_def(graph_def(node("n", "NoOp", "^a", "")), input_map={"^a": done}, return_elements=["n"]) or []
    assert n.control_inputs == [done]


def test_control_inputs_scopes_and_devices() -> None:
    graph = get_default_graph()
    with graph.control_dependencies([no_op(name="n")]), graph.device("/gpu:1"), graph.name_scope("sc"):
        import_graph_def(graph_def(A.replace('"Const"', '"Const" device: "/cpu:0"') + node("c", "NoOp", "^a", "")))
    a, c = graph.get_operation_by_name("sc/import/a"), graph.get_operation_by_name("sc/import/c")
    assert [o.name for o in a.control_inputs] == ["n"]
    assert a in c.control_inputs
    assert (a.device, c.device) == ("/device:CPU:0", "/device:GPU:1")


def test_colocation() -> None:
    group = attr("_class", "list { s: 'loc:@a' }")
    a = A.replace('"Const"', '"Const" device: "/device:GPU:0"')
    (b,) = import_graph_def(graph_def(a + node("b", "Identity", "a", T + group)), return_elements=["b"]) or []
    assert b.colocation_groups() == [b"loc:@import/a"]
    assert b.device == "/device:GPU:0"
    assert b.node_def.attr["_class"].list.s == [b"loc:@import/a"]


def test_output_shapes_are_used_and_dropped() -> None:
    p = node("p", "Placeholder", "", attr("dtype", "type: DT_FLOAT") + attr("_output_shapes", "list { shape { dim { size: 3 } dim { size: -1 } } }"))
    (out,) = import_graph_def(graph_def(p), return_elements=["p:0"]) or []
    assert out.dims == (3, None)
    assert "_output_shapes" not in out.op.attrs


def test_unknown_op_types_are_kept() -> None:
    text = A + node("u", "Foo", "a", attr("depth", "i: 3")) + node("v", "Identity", "u:1") + node("w", "Bar", "u:2", attr("T", "type: DT_INT64"))
    import_graph_def(graph_def(text), name="")
    u = get_default_graph().get_operation_by_name("u")
    assert not u.opdef.known and len(u.outputs) == 3
    assert u.outputs[1].dtype is dtypes.float32
    assert u.attrs == {"depth": 3}
    assert get_default_graph().as_graph_def().node[1].op == "Foo"
    verify(get_default_graph())


def test_producer_op_list() -> None:
    ops = text_format.Parse(
        "op { name: 'Identity' input_arg { name: 'input' type_attr: 'T' } output_arg { name: 'output' type_attr: 'T' } "
        "attr { name: 'T' type: 'type' } attr { name: 'newer' type: 'int' default_value { i: 5 } } }"
        "op { name: 'Foo' input_arg { name: 'x' type: DT_FLOAT } output_arg { name: 'y' type: DT_INT64 } output_arg { name: 'z' type: DT_BOOL } }",
        protos.OpList(),
    )
    default = graph_def(A + node("b", "Identity", "a", T + attr("newer", "i: 5")) + node("f", "Foo", "a", ""))
    b, f = import_graph_def(default, producer_op_list=ops, return_elements=["b", "f"]) or []
    assert "newer" not in b.attrs
    assert [t.dtype.name for t in f.outputs] == ["int64", "bool"] and not f.opdef.known
    with pytest.raises(ValueError, match="NodeDef mentions attr 'newer'"):
        import_graph_def(graph_def(A + node("b", "Identity", "a", T + attr("newer", "i: 6"))), producer_op_list=ops)


def test_resource_handles_know_their_variable() -> None:
    shape = attr("shape", "shape { dim { size: 2 } dim { size: -1 } }")
    text = node("v", "VarHandleOp", "", attr("dtype", "type: DT_INT32") + shape)
    text += node("i", "Identity", "v", attr("T", "type: DT_RESOURCE")) + node("r", "ReadVariableOp", "i", attr("dtype", "type: DT_INT32"))
    i, r = import_graph_def(graph_def(text), return_elements=["i:0", "r:0"]) or []
    assert i.handle == (dtypes.int32, (2, None))
    assert r.dims == (2, None)


def test_versions() -> None:
    import_graph_def(graph_def(A + "versions { producer: 21 min_consumer: 12 }"))
    versions = get_default_graph().graph_def_versions
    assert (versions.producer, versions.min_consumer) == (21, 12)


# -- import_graph_def: what goes wrong ---------------------------------------------------------------

WRONG_SHAPES = attr("_output_shapes", "list { shape { dim { size: 3 } } }")
BAD = [
    (B, "Node 'b': Unknown input node 'a'"),
    (A + A, "Node 'a' is not unique"),
    (A.replace('"a"', '"a b"'), "Node 'a b': Node name contains invalid characters"),
    (node("x", "Identity", "y") + node("y", "Identity", "x"), "2 nodes in a cycle that is not a loop .*'[xy]' -> '[xy]'"),
    (node("x", "Identity", "x"), "1 nodes in a cycle"),
    (A + node("b", "Identity", "a:1"), "Node 'b': Connecting to invalid output 1 of source node a which has 1 outputs"),
    (A + node("b", "Identity", "a", attr("T", "type: DT_INT32")), "Node 'import/b': Input 0 was passed float32 from import/a:0 .* expected int32"),
    (A + node("b", "Identity"), "Node 'import/b' .*expected inputs 'float32' do not match 0 inputs"),
    (A + node("b", "Identity", "a a"), "Node 'import/b' .*do not match 2 inputs"),
    (A + node("b", "Identity", "a", ""), "Node 'import/b': NodeDef missing attr 'T'"),
    (A + node("b", "Identity", "a", T + attr("zz", "i: 1")), "Node 'import/b': NodeDef mentions attr 'zz' not in Op Identity"),
    (A + node("b", "Identity", "a", attr("T", "i: 1")), "Node 'import/b' .*has type 'int' when 'type' is expected"),
    (A + node("b", "Neg", "a", attr("T", "type: DT_STRING")), "Node 'import/b' .*string is not in the list of allowed values: "),
    (A + node("b", "NoOp", "^q", ""), "Node 'b': Unknown input node '\\^q'"),
    (A + node("b", "Identity", "^a a"), "Node 'b': Control dependencies must come after regular dependencies"),
    (A + node("b", "Identity", "a", T + attr("_class", "list { s: 'loc:@zz' }")), "Node 'b' expects to be colocated with unknown node 'zz'"),
    (A + node("b", "Identity", "a", T + WRONG_SHAPES), "Node 'import/b' has an _output_shapes attribute inconsistent"),
    (A + node("b", "Identity", "a", T + attr("_output_shapes", "list { }")), "0 shapes for 1 outputs"),
    (A + node("b", "AssignAdd", "a a"), "Input 0 was passed float32 from import/a:0 incompatible with expected float32_ref"),
    (A.replace("float_val: 1", "float_val: 1 float_val: 2"), "Node 'import/a' .*lists 2"),
    (A.replace("{ type: DT_FLOAT", "{ type: DT_INT32"), "Node 'import/a': its value has type float32, its attribute dtype is int32"),
    (A.replace('"Const"', '"Const" device: "/no device"'), "Node 'import/a': "),
    (
        A.replace('"a"', '"a2"').replace("tensor_shape {}", "tensor_shape { dim { size: 2 } }")
        + A.replace('"a"', '"a3"').replace("tensor_shape {}", "tensor_shape { dim { size: 3 } }") + node("b", "AddV2", "a2 a3"),
        r"AddV2\(float32\[2\], float32\[3\]\): Dimensions must be equal, but are 2 and 3.*\(op 'import/b'",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "match"), BAD, ids=[m for _, m in BAD])
def test_graphs_that_are_not_well_formed(text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        import_graph_def(graph_def(text))


def test_arguments_that_do_not_fit() -> None:
    good = graph_def(A + B)
    with pytest.raises(TypeError, match="must be a GraphDef proto"):
        import_graph_def("a graph")
    with pytest.raises(ValueError, match="not a serialized GraphDef"):
        import_graph_def(b"\xff\xff\xff")
    with pytest.raises(TypeError, match="dictionary mapping strings"):
        import_graph_def(good, input_map={1: 3.0})
    with pytest.raises(ValueError, match="requires a non-empty `name`"):
        import_graph_def(good, input_map={"a:0": 3.0}, name="")
    with pytest.raises(ValueError, match=r"not found in graph_def: \[zz:0\]"):
        import_graph_def(good, input_map={"zz:0": constant(2.0)})
    with pytest.raises(TypeError, match="list of strings"):
        import_graph_def(good, return_elements=[1])
    with pytest.raises(ValueError, match="return node 'c' not found"):
        import_graph_def(good, return_elements=["c"])
    with pytest.raises(ValueError, match="Invalid return output 3 of node 'b', which has 1"):
        import_graph_def(good, return_elements=["b:3"])
    with pytest.warns(DeprecationWarning, match="op_dict"):
        import_graph_def(good, op_dict={})


# -- loops -------------------------------------------------------------------------------------------

needs_loops = pytest.mark.skipif("Merge" not in TABLE, reason="v1 control flow ops are not in the table yet")


def loop(entering: str, body: str, back: str) -> Any:
    """Returns a v1 loop over one float variable: enters as `entering`, `body` makes node `back` from `switch:1`."""
    frame = T + attr("frame_name", "s: 'f'") + attr("is_constant", "b: false")
    text = A.replace("tensor_shape {} float_val: 1", f"tensor_shape {{ {entering} }} float_val: 1") + node("enter", "Enter", "a", frame)
    text += node("merge", "Merge", "enter next", T + attr("N", "i: 2"))
    text += node("cond", "Placeholder", "", attr("dtype", "type: DT_BOOL")) + node("loopcond", "LoopCond", "cond", "")
    text += node("switch", "Switch", "merge loopcond") + node("exit", "Exit", "switch")
    return graph_def(text + body + node("next", "NextIteration", back))


@needs_loops
def test_loop_variable_of_one_shape() -> None:
    import_graph_def(loop("dim { size: 2 }", node("neg", "Neg", "switch:1"), "neg"), name="")
    graph = get_default_graph()
    merge = graph.get_operation_by_name("merge")
    assert [t.name for t in merge.inputs] == ["enter:0", "next:0"]
    assert graph.get_tensor_by_name("next:0").consumers() == [merge]
    assert graph.get_tensor_by_name("enter:0").consumers() == [merge]
    assert graph.get_tensor_by_name("exit:0").dims == (2,)
    assert not graph.ordered
    verify(graph)


@needs_loops
def test_loop_variable_that_grows() -> None:
    """A shape that does not come back as it enters is not known; what follows from it neither."""
    axis = A.replace('"a"', '"axis"').replace("DT_FLOAT", "DT_INT32").replace("float_val: 1", "int_val: 0")
    many = attr("N", "i: 2") + T + attr("Tidx", "type: DT_INT32")
    body = axis + node("twice", "ConcatV2", "switch:1 switch:1 axis", many)
    import_graph_def(loop("dim { size: 2 } dim { size: 3 }", body, "twice"), name="")
    graph = get_default_graph()
    assert graph.get_tensor_by_name("merge:0").dims == (None, 3)
    assert graph.get_tensor_by_name("exit:0").dims == (None, 3)
    assert graph.get_tensor_by_name("twice:0").dims == (None, 3)


@needs_loops
def test_loop_that_only_fits_a_growing_shape() -> None:
    """An operation that would not fit the shape that enters is no error: the shape is another in later iterations."""
    body = A.replace('"a"', '"c"').replace("tensor_shape {}", "tensor_shape { dim { size: 3 } }") + node("sum", "AddV2", "switch:1 c")
    import_graph_def(loop("dim { size: 2 }", body, "sum"), name="")
    assert get_default_graph().get_tensor_by_name("merge:0").dims is None


@needs_loops
def test_loop_of_another_type() -> None:
    cast = node("cast", "Cast", "switch:1", attr("SrcT", "type: DT_FLOAT") + attr("DstT", "type: DT_INT32"))
    bad = loop("", cast, "cast")
    bad.node[-1].attr["T"].type = 3
    with pytest.raises(ValueError, match="Node 'import/merge': Input 1 was passed int32 from import/next:0 incompatible with expected float32"):
        import_graph_def(bad)


# -- size --------------------------------------------------------------------------------------------


def chain(count: int) -> Any:
    """Returns a GraphDef of `count` nodes, each using the one before."""
    proto = graph_def(A)
    for i in range(count - 1):
        n = proto.node.add(name=f"n{i}", op="AddV2", input=[f"n{i - 1}" if i else "a", "a"])
        n.attr["T"].type = 1
    return proto


# -- writing -----------------------------------------------------------------------------------------


def test_node_def() -> None:
    graph = get_default_graph()
    x = placeholder("float32", [None, 3], name="x")
    with graph.control_dependencies([no_op(name="z"), no_op(name="b")]), graph.device("/gpu:0"):
        y = identity(x, name="y")
    expected = node("y", "Identity", "x ^b ^z").replace('op: "Identity"', 'op: "Identity" device: "/device:GPU:0"')
    assert y.op.node_def == graph_def(expected).node[0]
    shapes = node_def(y.op, add_shapes=True).attr["_output_shapes"].list.shape
    assert [d.size for d in shapes[0].dim] == [-1, 3]


def test_as_graph_def() -> None:
    graph = get_default_graph()
    constant(1.0, name="a")
    version = graph.version
    constant([1, 2], name="b")
    whole = graph.as_graph_def()
    assert [n.name for n in whole.node] == ["a", "b"]
    assert whole.versions.producer == 134
    assert [n.name for n in graph.as_graph_def(from_version=version).node] == ["b"]
    assert "_output_shapes" in graph.as_graph_def(add_shapes=True).node[0].attr
    assert whole.SerializeToString(deterministic=True) == graph.as_graph_def().SerializeToString(deterministic=True)


def same_node(ours: Any, theirs: Any) -> str:
    """Returns what two NodeDefs differ in, but for the order of control inputs, ":0", and defaults that were filled in."""

    def inputs(n: Any) -> Any:
        return [i.removesuffix(":0") for i in n.input if i[0] != "^"], sorted(i for i in n.input if i[0] == "^")

    if (ours.name, ours.op, inputs(ours)) != (theirs.name, theirs.op, inputs(theirs)):
        return f"{ours.name}: {ours.op} {list(ours.input)}, {theirs.op} {list(theirs.input)}"
    for key in theirs.attr:
        if key not in ours.attr:
            return f"{ours.name}: {key} is lost"
        a, b = ours.attr[key], theirs.attr[key]
        if a != b and not (b.HasField("tensor") and np.array_equal(array_of(a.tensor), array_of(b.tensor), equal_nan=a.tensor.dtype in (1, 2))):
            return f"{ours.name}: {key} {a} {b}"
    return ""


@pytest.mark.parametrize("family", FAMILIES)
def test_golden_graphs_are_written_as_they_were(family: str) -> None:
    for name in names(family)[::5]:
        case = Case(family, name)
        graph = Graph()
        with graph.as_default():
            import_graph_def(case.graph_def, name="")
        written = {n.name: n for n in as_graph_def(graph).node}
        assert len(written) == len(case.graph_def.node)
        for n in case.graph_def.node:
            assert not same_node(written[n.name], n), f"{family}/{name}"
        assert as_graph_def(graph).library == case.graph_def.library


def test_write_graph(tmp_path: Path) -> None:
    constant(1.5, name="a")
    path = write_graph(get_default_graph(), str(tmp_path / "new"), "g.pbtxt")
    assert text_format.Parse(Path(path).read_text(), protos.GraphDef()) == get_default_graph().as_graph_def()
    path = write_graph(get_default_graph().as_graph_def(), str(tmp_path), "g.pb", as_text=False)
    assert protos.GraphDef.FromString(Path(path).read_bytes()) == get_default_graph().as_graph_def()


# -- functions ---------------------------------------------------------------------------------------


def double() -> Function:
    """Returns a function made from a graph: x, y -> x + y."""
    graph = Graph()
    with graph.as_default():
        x, y = placeholder("float32", [2], name="x"), placeholder("float32", [2], name="Y/in")
        out = add_v2(x, y, name="sum")
    return Function("total", FunctionBody(graph, [x, y], [out, x]), output_names=["out", "first"])


def test_function_def_round_trip() -> None:
    fn = double()
    proto = function_def(fn)
    assert [(a.name, a.type) for a in proto.signature.input_arg] == [("x", 1), ("in", 1)]
    assert dict(proto.ret) == {"out": "sum:z:0", "first": "x"}
    assert list(proto.node_def[0].input) == ["x", "in"]
    library = protos.FunctionDefLibrary(function=[proto])
    library.gradient.add(function_name="total", gradient_func="other")
    call = node("c", "total", "a a", "")
    import_graph_def(protos.GraphDef(node=graph_def(A + call).node, library=library))
    graph = get_default_graph()
    read = graph.functions["total"]
    assert not read.built and read.gradient == "other"
    assert [t.dtype.name for t in graph.get_operation_by_name("import/c").outputs] == ["float32", "float32"]
    assert [t.name for t in read.outputs] == ["sum:0", "x:0"]
    assert read.outputs[0].dims is None
    body = read.instantiate(None, [((3,), None), ((3,), None)])
    assert body.outputs[0].dims == (3,)
    assert graph.as_graph_def().library == library
    verify(graph)


def test_function_with_attributes_of_its_own() -> None:
    text = (
        "signature { name: 'f' input_arg { name: 'x' type_attr: 'T' number_attr: 'N' } output_arg { name: 'y' type_attr: 'T' } "
        "attr { name: 'T' type: 'type' } attr { name: 'N' type: 'int' } } "
        "node_def { name: 's' op: 'AddN' input: 'x:0' input: 'x:1' attr { key: 'T' value { placeholder: 'T' } } "
        "attr { key: 'N' value { placeholder: 'N' } } } ret { key: 'y' value: 's:sum:0' }"
    )
    library = protos.FunctionDefLibrary(function=[text_format.Parse(text, protos.FunctionDef())])
    import_graph_def(protos.GraphDef(library=library))
    fn = get_default_graph().functions["f"]
    body = fn.instantiate({"T": dtypes.int32, "N": 2}, [((), None), ((), None)])
    assert body.outputs[0].dtype is dtypes.int32 and len(body.inputs) == 2
    with pytest.raises(ValueError, match=r"attribute '[NT]' of the function is not given"):
        _ = fn.body


def test_functions_of_one_name() -> None:
    library = protos.FunctionDefLibrary(function=[function_def(double())])
    import_graph_def(protos.GraphDef(library=library))
    import_graph_def(protos.GraphDef(library=library))
    library.function[0].signature.is_stateful = True
    with pytest.raises(ValueError, match="Cannot add function 'total' because a different function"):
        import_graph_def(protos.GraphDef(library=library))


def test_function_bodies_that_are_not_well_formed() -> None:
    faults = {"ret": "names the unknown node 'nowhere'", "output": "there is no output sum:q:0; AddV2 has z", "type": "has type float32, expected int32"}
    for change, match in faults.items():
        proto = function_def(double())
        if change == "ret":
            proto.ret["out"] = "nowhere:z:0"
        elif change == "output":
            proto.ret["out"] = "sum:q:0"
        else:
            proto.signature.output_arg[0].type = 3
        with Graph().as_default() as graph:
            import_graph_def(protos.GraphDef(library=protos.FunctionDefLibrary(function=[proto])))
            with pytest.raises(ValueError, match="in function total: .*" + match):
                _ = graph.functions["total"].body


# -- graph_util --------------------------------------------------------------------------------------


def test_extract_sub_graph() -> None:
    proto = graph_def(A + B + node("c", "NoOp", "^b", "") + node("d", "Identity", "a", T + attr("_class", "list { s: 'loc:@b' }")))
    assert [n.name for n in graph_util.extract_sub_graph(proto, ["b"]).node] == ["a", "b"]
    assert [n.name for n in graph_util.extract_sub_graph(proto, ["c"]).node] == ["a", "b", "c"]
    assert [n.name for n in graph_util.extract_sub_graph(proto, ["d"]).node] == ["a", "b", "d"]
    with pytest.raises(AssertionError, match="zz is not in graph"):
        graph_util.extract_sub_graph(proto, ["zz"])
    with pytest.raises(TypeError, match="dest_nodes must be a list"):
        graph_util.extract_sub_graph(proto, "b")


def test_remove_training_nodes() -> None:
    check = node("check", "CheckNumerics", "a", T + attr("message", "s: 'm'"))
    proto = graph_def(A + check + node("i", "Identity", "check") + node("j", "Identity", "i ^i") + node("k", "Neg", "j"))
    out = graph_util.remove_training_nodes(proto)
    assert [(n.name, list(n.input)) for n in out.node] == [("a", []), ("i", ["a"]), ("j", ["i", "^i"]), ("k", ["j"])]
    kept = graph_util.remove_training_nodes(graph_def(A + B + node("k", "Neg", "b")), protected_nodes=["b"])
    assert [n.name for n in kept.node] == ["a", "b", "k"]


class Values:
    """Stands for a Session: gives every fetched tensor one value."""

    def __init__(self, value: Any) -> None:
        self.graph = get_default_graph()
        self.value = value

    def run(self, fetches: Any) -> Any:
        return [self.value for _ in fetches]


def test_convert_variables_to_constants() -> None:
    value = np.float32([1, 2])
    v = variable_v2([2], "float32", name="v")
    h = var_handle_op("float32", [2], name="h")
    assign_variable_op(h, constant(value), name="init")
    total = add_v2(identity(v, name="v/read"), read_variable_op(h, "float32", name="h/Read"), name="total")
    proto = graph_util.convert_variables_to_constants(Values(value), total.graph.as_graph_def(), ["total"])
    assert [(n.name, n.op) for n in proto.node] == [("v", "Const"), ("h", "Const"), ("v/read", "Identity"), ("h/Read", "Identity"), ("total", "AddV2")]
    (out,) = import_graph_def(proto, return_elements=["total:0"]) or []
    assert out.dims == (2,)
    kept = graph_util.convert_variables_to_constants(Values(value), total.graph.as_graph_def(), ["total"], variable_names_blacklist=["h"])
    assert [n.op for n in kept.node if n.name.startswith("h")] == ["VarHandleOp", "ReadVariableOp"]
    with pytest.raises(ValueError, match="Cannot freeze variable 'h': operation 'init'"):
        graph_util.convert_variables_to_constants(Values(value), total.graph.as_graph_def(), ["init"])


def test_other_tools() -> None:
    c = constant([1, 2], name="c")
    assert graph_util.tensor_shape_from_node_def_name(c.graph, "c").as_list() == [2]
    assert graph_util.must_run_on_cpu(c.op)
    assert not graph_util.must_run_on_cpu(constant(1.0).op.node_def)
    v = variable_v2([2], "float32")
    assert graph_util.must_run_on_cpu(v.op, pin_variables_on_cpu=True) and not graph_util.must_run_on_cpu(v.op)


# -- TensorFlow 1.15 reads what we write -------------------------------------------------------------

TF115 = os.environ.get("GRAPHC_TF115", "")
READ_ALL = """
import glob, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path = [p for p in sys.path if p]
import tensorflow as tf
for path in sorted(glob.glob(sys.argv[1] + "/*.pb")):
    proto = tf.compat.v1.GraphDef.FromString(open(path, "rb").read())
    with tf.Graph().as_default() as g:
        try:
            tf.import_graph_def(proto, name="")
        except Exception as e:
            print(os.path.basename(path), e)
"""


@pytest.mark.skipif(not os.path.exists(TF115), reason="GRAPHC_TF115 names no Python with TensorFlow 1.15")
def test_tensorflow_reads_what_we_write(tmp_path: Path) -> None:
    """Golden graphs, written by us, with the functions written anew from their graphs."""
    for family in FAMILIES:
        for name in names(family)[:: 1 if family == "control_v2" else 4]:
            graph = Graph()
            with graph.as_default():
                import_graph_def(Case(family, name).graph_def, name="")
            for fn in graph.functions.values():
                _ = fn.body
                fn.definition = None
            (tmp_path / f"{family}.{name}.pb").write_bytes(as_graph_def(graph).SerializeToString())
    done = subprocess.run([TF115, "-c", READ_ALL, str(tmp_path)], capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not done.stdout, done.stdout[:4000]




RUN_ALL = """
import glob, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path = [p for p in sys.path if p]
import numpy as np
import tensorflow as tf
config = tf.compat.v1.ConfigProto()
config.graph_options.rewrite_options.disable_meta_optimizer = True
for path in sorted(glob.glob(sys.argv[1] + "/*.pb")):
    proto = tf.compat.v1.GraphDef.FromString(open(path, "rb").read())
    given = np.load(path[:-3] + ".npz")
    steps = sorted({k.split("|")[0] for k in given.files})
    out = {}
    try:
        with tf.Graph().as_default() as g, tf.compat.v1.Session(graph=g, config=config) as s:
            tf.import_graph_def(proto, name="")
            for step in steps:
                feeds = {k.split("|")[2]: given[k] for k in given.files if k.startswith(step + "|feed|")}
                fetches = list(given[step + "|fetch"])
                targets = [g.get_operation_by_name(t) for t in given[step + "|target"]]
                got = s.run([fetches, targets], feeds)[0]
                out.update({step + "|" + f: v for f, v in zip(fetches, got)})
        np.savez(path[:-3] + ".out.npz", **out)
    except Exception as e:
        print(os.path.basename(path), str(e)[:300])
"""


@pytest.mark.skipif(not os.path.exists(TF115), reason="GRAPHC_TF115 names no Python with TensorFlow 1.15")
def test_tensorflow_runs_our_gradients(tmp_path: Path) -> None:
    """Gradients that we build, of graphs with loops and branches of both kinds, give the recorded values when TensorFlow runs them."""
    expected: list[tuple[Path, Case, dict[str, str]]] = []
    for family, name in [(f, n) for f in ("control_v1", "control_v2", "rnn") for n in names(f)]:
        listed = (GOLDEN / "known_failing.txt").read_text()
        if not Case.has_gradients(family, name) or f"grads {family}/{name} " in listed:
            continue
        case = Case(family, name)
        graph, rebuilt, _ = case.with_our_gradients()
        ours = {recorded: t.name for recorded, t in rebuilt.items()}
        path = tmp_path / f"{family}.{name}"
        path.with_name(path.name + ".pb").write_bytes(as_graph_def(graph).SerializeToString())
        known = {op.name for op in graph.get_operations()}
        given: dict[str, Any] = {}
        for i, step in enumerate(case.steps):
            given |= {f"{i}|feed|{f['tensor']}": case.array(f) for f in step["feeds"] if f["tensor"].split(":")[0] in known}
            given[f"{i}|fetch"] = np.array([ours[f["tensor"]] for f in step["fetches"] if f["tensor"] in ours], dtype=str)
            given[f"{i}|target"] = np.array([t for t in step["targets"] if t in known], dtype=str)
        np.savez(path.with_name(path.name + ".npz"), **given)
        expected.append((path.with_name(path.name + ".out.npz"), case, ours))
    done = subprocess.run([TF115, "-c", RUN_ALL, str(tmp_path)], capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not done.stdout, done.stdout[:4000]
    for path, case, ours in expected:
        got = np.load(path)
        for i, step in enumerate(case.steps):
            for f in step["fetches"]:
                if f["tensor"] in ours:
                    assert not case.differences(f, got[f"{i}|{ours[f['tensor']]}"]), f"{case.family}/{case.name} {f['tensor']}"


@pytest.mark.parametrize(("family", "name"), [("control_v1", "while__counter"), ("control_v1", "cond__true"), ("control_v2", "while__trip_fed")])
def test_running_changes_nothing_that_is_written(family: str, name: str) -> None:
    graph = Graph()
    with graph.as_default():
        import_graph_def(Case(family, name).graph_def, name="")
    before = as_graph_def(graph)
    functionalize(graph)
    verify(graph)
    assert as_graph_def(graph) == before


def test_gradients_of_loops_are_written_with_the_loops_they_use() -> None:
    """The loop's results are then those of the While: the nodes it was made of do not run beside it."""
    graph, rebuilt, _ = Case("control_v1", "while__counter").with_our_gradients()
    nodes = {n.name: n for n in as_graph_def(graph).node}
    exits = [n for n in nodes.values() if n.name.startswith("while/Exit") and n.op == "Identity"]
    assert exits and all(nodes[n.input[0].split(":")[0]].op in ("While", "StatelessWhile") for n in exits)
    assert all(t.op.name in nodes for t in rebuilt.values())
    with Graph().as_default() as again:
        import_graph_def(as_graph_def(graph), name="")
    verify(again)


# -- make_tensor_proto -------------------------------------------------------------------------------


def test_make_tensor_proto() -> None:
    assert make_tensor_proto([1, 2]).dtype == 3
    assert make_ndarray(make_tensor_proto(1.5, dtype="float64")).dtype == np.float64
    assert make_ndarray(make_tensor_proto([7], shape=[2, 2], verify_shape=True, allow_broadcast=True)).tolist() == [[7, 7], [7, 7]]
    assert make_ndarray(make_tensor_proto([1, 2, 3, 4], shape=[2, 2])).tolist() == [[1, 2], [3, 4]]
    proto = make_tensor_proto("text")
    assert make_tensor_proto(proto) is proto and make_ndarray(proto).item() == b"text"
    make_ndarray(make_tensor_proto([1, 2]))[0] = 5
    with pytest.raises(ValueError, match="Too many elements"):
        make_tensor_proto([1, 2, 3], shape=[2])
    with pytest.raises(TypeError, match="Expected Tensor's shape"):
        make_tensor_proto([1, 2], shape=[3], verify_shape=True)
    with pytest.raises(ValueError, match="at least one element"):
        make_tensor_proto([], shape=[3])
