"""Every row of tests/rows through every property that applies; and that the table of cases is complete.

A new op gets all of these from its rows. `pytest tests/test_ops.py -k Tanh` checks one op.
"""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from graphc.lowering.table import LOWERINGS
from ir import text
from ir.gradients import gradients
from ir.graph import Graph
from ir.graphdef import protos, reader, writer
from ir.opdef import TABLE, OpDef
from ir.shapes import compatible, shape_str
from ir.verify import verify
from tests import rowcheck
from tests.golden_cases import FAMILIES, GOLDEN, archive, names
from tests.rowcheck import BATCH, ERRORS, ROWS, Built
from tests.rowdef import ErrorRow, Row

NAMES = rowcheck.names(ROWS)
ALL = [pytest.param(i, id=n) for i, n in enumerate(NAMES)]
WITH_GRADIENT = [pytest.param(i, id=n) for i, n in enumerate(NAMES) if ROWS[i].grad or ROWS[i].second]

#: the nodes of TF1's control flow, which are no functions: `ir.functionalize` makes them `If` and `While`
CONTROL = re.compile(r"(Ref)?(Enter|Exit|Merge|Switch|NextIteration)|LoopCond|ControlTrigger")

#: op types without a row: pattern -> where they are tested instead
TESTED_ELSEWHERE = {
    "Stateless(While|If)|StatefulPartitionedCall": "as While, If and PartitionedCall: tests of control flow, golden cases",
    "(Stack|TensorArray)Close(V2|V3)": "frees a resource that lives for one run; golden cases hold it",
    "NoOp": "has no outputs; control dependencies are tests of the session",
    "Ref(Enter|Exit|Merge|NextIteration)": "as Enter, Exit ... with a reference, which the golden cases have for RefSwitch",
    "Save|SaveSlices|SaveV2|Restore|RestoreSlice|RestoreV2|MergeV2Checkpoints": "files: tests/test_checkpoint.py",
}


class Lazy:
    """Results of batches, each computed when the first of its rows is asked for; only rows that were selected take part."""

    def __init__(self, request: pytest.FixtureRequest, function: str, compute: Any) -> None:
        items = [i for i in request.session.items if getattr(i, "originalname", "") == function and hasattr(i, "callspec")]
        self.selected = sorted(i.callspec.params["index"] for i in items if "index" in i.callspec.params)
        self.compute = compute
        self.found: dict[int, Any] = {}

    def __getitem__(self, index: int) -> Any:
        if index not in self.found:
            at = self.selected.index(index) // BATCH * BATCH
            self.found.update(self.compute(self.selected[at : at + BATCH]))
        return self.found[index]


@pytest.fixture(scope="module")
def compiled(request: pytest.FixtureRequest) -> Lazy:
    """Per row what it gave compiled: (built row, values)."""

    def compute(chosen: list[int]) -> dict[int, Any]:
        batch = rowcheck.compile_batch({i: ROWS[i] for i in chosen})
        return {i: batch.errors.get(i) or (batch.built[i], batch.values[i]) for i in chosen}

    return Lazy(request, "test_values", compute)


@pytest.fixture(scope="module")
def differentiated(request: pytest.FixtureRequest) -> Lazy:
    """Per row (its gradient graph, jax's gradients), or what went wrong."""

    def compute(chosen: list[int]) -> dict[int, Any]:
        out: dict[int, Any] = {}
        grads: dict[int, rowcheck.Grads] = {}
        for i in chosen:
            try:
                grads[i] = in_double(ROWS[i])
            except Exception as e:  # the row's test shows it
                out[i] = e
        vjps = rowcheck.compile_vjps(grads)
        return out | {i: (g, vjps[i]) for i, g in grads.items()}

    return Lazy(request, "test_gradients", compute)


def in_double(row: Row) -> rowcheck.Grads:
    """A row with gradients in double precision, or as it is when the op does not admit that."""
    try:
        with Graph().as_default():
            return rowcheck.with_gradients(row, gradients)
    except (TypeError, ValueError):
        with Graph().as_default():
            return rowcheck.with_gradients(row, gradients, widen=False)


# -- values ------------------------------------------------------------------------------------------


def expected(row: Row, b: Built) -> list[Any]:
    """What the reference gives."""
    assert row.ref is not None
    return rowcheck.flat(row.ref(*[np.array(f) for f in b.feeds]))


def check_types(b: Built, values: list[Any]) -> None:
    """Asserts that shapes and types are those inferred."""
    for t, v in zip(b.outputs, values, strict=True):
        assert compatible(t.dims, np.shape(v)), f"{t.name}: inferred {shape_str(t.dims)}, got {np.shape(v)}"
        assert np.asarray(v).dtype == t.dtype.np_dtype or t.dtype.np_dtype.kind == "O", f"{t.name}: inferred {t.dtype.name}, got {np.asarray(v).dtype}"


def check_values(row: Row, b: Built, values: list[Any], what: str) -> None:
    """Compares values with the reference, if there is one."""
    if row.ref is None:
        return
    wanted = expected(row, b)
    assert len(values) == len(wanted), f"{len(values)} outputs, the reference gives {len(wanted)}"
    for i, (v, w) in enumerate(zip(values, wanted, strict=True)):
        rowcheck.assert_close(v, w, row.rtol, row.atol, f"{what} output {i}")


@pytest.mark.parametrize("index", ALL)
def test_values(index: int, compiled: Lazy) -> None:
    """Compiled and on NumPy arrays, a row gives what its reference gives, of the types inferred."""
    row, found = ROWS[index], compiled[index]
    if isinstance(found, BaseException):
        raise found
    b, values = found
    assert any(op.type == row.op for op in b.outputs[0].graph.get_operations()), f"the row builds no {row.op}"
    check_types(b, values)
    check_values(row, b, values, "compiled")
    plain = rowcheck.run(b.outputs[0].graph, b.outputs, b.inputs, b.feeds, compiled=False)
    check_types(b, plain)
    check_values(row, b, plain, "interpreted")
    if row.ref is None:
        for v, w in zip(values, plain, strict=True):
            rowcheck.assert_close(v, w, row.rtol, row.atol, "compiled against interpreted")


# -- shapes that are not known -----------------------------------------------------------------------


def forgotten(row: Row, how: str) -> list[Any]:
    """The shapes of a row's inputs with something forgotten."""
    r = rowcheck.rng(row, how)
    out: list[Any] = []
    for a in row.inputs:
        shape = rowcheck.array(a).shape
        if how == "sizes":
            out.append([None] * len(shape))
        elif r.randint(3) == 0:
            out.append(None)
        else:
            out.append([None if r.randint(2) else d for d in shape])
    return out


#: a builder may ask for what it cannot do without
_ASKS = re.compile(r"must (be|have)|unknown|not (fully )?(known|defined)|cannot (infer|be inferred)|requires", re.IGNORECASE)


@pytest.mark.parametrize("how", ["sizes", "some"])
@pytest.mark.parametrize("index", [p for p in ALL if ROWS[p.values[0]].forget and ROWS[p.values[0]].inputs])  # type: ignore[index]
def test_forgotten_shapes(index: int, how: str) -> None:
    """With sizes or ranks unknown, what is inferred never contradicts the result, and the result stays the same."""
    row = ROWS[index]
    with Graph().as_default() as graph:
        try:
            b = rowcheck.build(row, [rowcheck.array(a) for a in row.inputs], forgotten(row, how))
        except ValueError as e:
            if _ASKS.search(str(e)):
                return
            raise
        values = rowcheck.run(graph, b.outputs, b.inputs, b.feeds, compiled=False)
    check_types(b, values)
    check_values(row, b, values, "with unknown shapes")


# -- written and read back ---------------------------------------------------------------------------


def same_again(b: Built, graph: Graph) -> None:
    """Asserts that a copy of a row's graph has the same types and gives the same values."""
    inputs = [graph.get_tensor_by_name(t.name) for t in b.inputs]
    outputs = [graph.get_tensor_by_name(t.name) for t in b.outputs]
    for old, new in zip(b.outputs, outputs, strict=True):
        assert (new.dtype, new.dims) == (old.dtype, old.dims), f"{old!r} became {new!r}"
    values = rowcheck.run(graph, outputs, inputs, b.feeds, compiled=False)
    for old, new in zip(rowcheck.run(b.outputs[0].graph, b.outputs, b.inputs, b.feeds, compiled=False), values, strict=True):
        rowcheck.assert_close(new, old, 0.0, 0.0, "read back")


@pytest.mark.parametrize("index", ALL)
def test_graph_def(index: int) -> None:
    """A row written as a GraphDef reads back as the same graph."""
    row = ROWS[index]
    with Graph().as_default() as graph:
        b = rowcheck.build(row, [rowcheck.array(a) for a in row.inputs])
    proto = protos.GraphDef.FromString(writer.as_graph_def(graph).SerializeToString(deterministic=True))
    with Graph().as_default() as copy:
        reader.import_graph_def(proto, name="")
    again = writer.as_graph_def(copy)
    for old, new in zip(proto.node, again.node, strict=True):
        assert old == new, f"written:\n{old}\nafter reading:\n{new}"
    same_again(b, copy)


@pytest.mark.parametrize("index", ALL)
def test_text(index: int) -> None:
    """A row printed as text is well-formed and parses back as the same graph."""
    row = ROWS[index]
    with Graph().as_default() as graph:
        b = rowcheck.build(row, [rowcheck.array(a) for a in row.inputs])
    verify(graph)
    table: text.Table = {}
    printed = text.to_text(graph, table)
    copy = text.parse(printed, table)
    verify(copy)
    again = text.to_text(copy, {}, locations=False)
    assert again == text.to_text(graph, {}, locations=False)
    same_again(b, copy)


# -- gradients ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", WITH_GRADIENT)
def test_gradients(index: int, differentiated: Lazy) -> None:
    """Gradients agree with finite differences and with what jax makes of the lowered row."""
    found = differentiated[index]
    if isinstance(found, BaseException):
        raise found
    g, theirs = found
    assert g.wrt, "no input is of a floating point type"
    for x, dx in zip([g.built.inputs[i] for i in g.wrt], g.first, strict=True):
        assert compatible(x.dims, dx.dims), f"the gradient of shape {shape_str(dx.dims)} is for a value of shape {shape_str(x.dims)}"
        assert dx.dtype.base_dtype == x.dtype.base_dtype
    ours = rowcheck.check_finite_differences(g)
    if isinstance(theirs, rowcheck.NOT_BY_JAX) or "everse-mode differentiation" in str(theirs):
        return
    if isinstance(theirs, BaseException):
        raise theirs
    for one, other in zip(ours, theirs, strict=True):
        scale = float(np.max(np.abs(other), initial=1.0))
        rowcheck.assert_close(one, np.asarray(other), 1e-6 if g.double else 1e-3, (1e-7 if g.double else 1e-4) * scale, "gradient against jax.vjp")


# -- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [pytest.param(r, id=n) for r, n in zip(ERRORS, rowcheck.names(ERRORS), strict=True)])
def test_errors(row: ErrorRow) -> None:
    """A call that does not fit raises the class it says; if an op raises it, with op type, name and the user's line."""
    with pytest.raises(row.error) as caught:
        row.build()
    message = str(caught.value)
    assert re.search(row.match, message), f"{message!r} does not match {row.match!r}"
    if "(op '" in message:
        assert re.match(r"_?[A-Z]\w*[(:]", message), f"does not begin with the op type: {message!r}"
        at = inspect.getsourcefile(row.build) or ""
        assert f"rows/{at.rpartition('rows/')[2]}:" in message or "rowcheck" in at, f"does not name the line in {at}: {message!r}"


# -- completeness ------------------------------------------------------------------------------------


def ours() -> Iterator[tuple[str, Any]]:
    """The op types of the table that are not internal to the compiler."""
    yield from ((n, d) for n, d in sorted(TABLE.items()) if not n.startswith("_"))


def stands_alone(d: OpDef) -> bool:
    """Whether an op can be a row: it is a function of values, not of handles, lists or functions."""
    handles = any(p.dtype is not None and p.dtype.name in ("resource", "variant") for p in [*d.outputs, *(i.spec for i in d.inputs)])
    return not (handles or d.effects.calls or CONTROL.fullmatch(d.name))


def golden_ops() -> set[str]:
    """The op types in golden cases that pass."""
    failing = {line.split()[1] for line in (GOLDEN / "known_failing.txt").read_text().splitlines() if line.startswith("run ")}
    passing = [(f, n) for f in FAMILIES for n in names(f) if f"{f}/{n}" not in failing]
    return {op for f, n in passing for op in json.loads(archive(f).read(f"{n}/case.json"))["all_op_types"]}


def test_every_op_has_a_row() -> None:
    """Or, where no row can be made of it, a golden case."""
    have, golden = {r.op for r in ROWS}, golden_ops()
    lacking = [n for n, d in ours() if n not in have and (stands_alone(d) or n not in golden)]
    lacking = [n for n in lacking if not any(re.fullmatch(p, n) for p in TESTED_ELSEWHERE)]
    assert not lacking, f"{len(lacking)} op types without a row: {' '.join(lacking)}"


def test_tested_elsewhere_is_needed() -> None:
    have = {r.op for r in ROWS}
    idle = [p for p in TESTED_ELSEWHERE if all(n in have for n, _ in ours() if re.fullmatch(p, n))]
    assert not idle, idle


def test_every_op_has_a_gradient_or_a_reason() -> None:
    lacking = [n for n, d in ours() if d.gradient is None and not d.no_gradient]
    assert not lacking, f"{len(lacking)} op types with neither a gradient nor a reason: {' '.join(lacking)}"


def test_every_op_can_be_computed() -> None:
    handled = {"Placeholder", "Const"}  # fed, or part of the program
    bare = [d for _, d in ours() if (d.primitive or d.body is None) and d.name not in LOWERINGS]
    lacking = [d.name for d in bare if not (d.name in handled or d.effects.creates or d.effects.calls or CONTROL.fullmatch(d.name))]
    assert not lacking, f"{len(lacking)} op types with neither a body nor a lowering: {' '.join(lacking)}"


def test_every_lowering_is_of_an_op() -> None:
    assert not [n for n in LOWERINGS if n not in TABLE]


def test_every_op_is_documented() -> None:
    lacking = [n for n, d in ours() if not d.doc]
    assert not lacking, lacking


def test_every_file_of_rows_loads() -> None:
    assert not rowcheck.BROKEN, rowcheck.BROKEN


def test_rows_are_of_ops() -> None:
    unknown = sorted({r.op for r in [*ROWS, *ERRORS] if r.op not in TABLE})
    assert not unknown, unknown
