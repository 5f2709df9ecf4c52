"""The shape of the source tree, read with `ast`: who imports whom, how long files and functions are, what bodies call."""

import ast
import re
from pathlib import Path

import pytest

from graphc.tools.namespaces import ROOT, Source, imported, sources

FOUND = sources()
CODE = {n: s for n, s in FOUND.items() if s.path.name != "__init__.py"}

#: from the bottom up; a module may import modules of its own layer and of those below
LAYERS = [
    ["ir.errors", "ir.dtypes", "ir.shapes", "ir.location", "ir.stacks", "ir.device", "ir.xp", "ir.philox", "ir.tensor_list", "ir.optional_value"],
    ["ir.tensor", "ir.graph", "ir.indexed_slices", "ir.function", "ir.funcref"],
    ["ir.opdef", "ir.static", "ir.infer", "ir.convert", "ir.build", "ir.scopes", "ir.random_seed", "ir.sparse_tensor",
     "ir.nest", "ir.func_graph", "ir.functionalize", "ir.backprop_source"],
    ["ir.ops"],
    ["ir.operators", "ir.tensor_array", "ir.control_flow", "ir.functional", "ir.backprop", "ir.control_gradients", "ir.gradients"],
    ["ir"],
    ["graphc.release", "graphc.platform"],
    ["graphc.io"],
    ["graphc.lowering"],
    ["graphc.runtime", "graphc.parallel"],
    ["graphc.variables"],
    ["graphc.layers", "graphc.rnn", "graphc.losses", "graphc.metrics", "graphc.data", "graphc.train", "graphc.image", "graphc.summary"],
    ["graphc.keras", "graphc.estimator", "graphc.contrib"],
    ["graphc.cli"],
    ["graphc"],
]  # fmt: skip
MAY_NAME_JAX = ("graphc.lowering", "graphc.runtime", "graphc.parallel")
LONGEST_FILE = 800
LONGEST_FUNCTION = 60


def within(name: str, package: str) -> bool:
    """Whether module `name` is `package` or in it."""
    return name == package or name.startswith(package + ".")


def layer(name: str) -> int:
    """The layer of a module: the one whose entry fits it most closely."""
    fits = [(len(p), i) for i, packages in enumerate(LAYERS) for p in packages if within(name, p)]
    return max(fits)[1]


def all_imports(s: Source) -> list[tuple[int, str]]:
    """All imports of a module, wherever they stand."""
    out = []
    for node in ast.walk(s.tree):
        if isinstance(node, ast.Import):
            out += [(node.lineno, a.name) for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            out += [(node.lineno, f"{'.' * node.level}{node.module or ''}.{a.name}") for a in node.names]
    return out


def where(s: Source, line: int) -> str:
    return f"{s.path.relative_to(ROOT)}:{line}"


def test_nobody_imports_a_layer_above() -> None:
    wrong = [f"{n} imports {m}" for n, s in CODE.items() for m in s.imports if m in CODE and layer(m) > layer(n)]
    assert not wrong, "\n".join(wrong)


def test_ir_imports_nothing_of_graphc() -> None:
    wrong = [where(s, line) for n, s in FOUND.items() if within(n, "ir") for line, m in all_imports(s) if within(m, "graphc")]
    assert not wrong, wrong


def test_ir_imports_only_what_it_may() -> None:
    """NumPy, ml_dtypes and the standard library; the GraphDef messages for `ir.graphdef`."""
    third_party = {"jax", "jaxlib", "tensorboard", "google", "absl", "rich", "PIL", "scipy"}
    wrong = []
    for n, s in FOUND.items():
        if within(n, "ir"):
            allowed = {"tensorboard", "google"} if within(n, "ir.graphdef") else set()
            wrong += [f"{where(s, line)}: {m}" for line, m in all_imports(s) if m.split(".")[0] in third_party - allowed]
    assert not wrong, wrong


def test_jax_only_where_it_belongs() -> None:
    wrong = [
        where(s, line)
        for n, s in FOUND.items()
        if not any(within(n, p) for p in MAY_NAME_JAX)
        for line, m in all_imports(s)
        if m.split(".")[0] in ("jax", "jaxlib")
    ]
    assert not wrong, wrong


def test_nobody_imports_a_namespace() -> None:
    """`from ir.ops.matmul import matmul`, never `from graphc.nn import ...` or `import graphc`."""
    wrong = []
    for s in CODE.values():
        for line, target in imported(s.tree):
            if target.split(".")[0] in ("ir", "graphc") and target not in CODE and target.rpartition(".")[0] not in CODE:
                wrong.append(f"{where(s, line)}: {target}")
    assert not wrong, wrong


def test_no_relative_imports() -> None:
    assert not [where(s, line) for s in FOUND.values() for line, m in all_imports(s) if m.startswith(".")]


def test_no_late_imports_of_our_own() -> None:
    wrong = [
        f"{where(s, line)}: {target}"
        for s in FOUND.values()
        for line, target in imported(s.tree, inside_functions=True)
        if target.startswith(".") or target.split(".")[0] in ("ir", "graphc")
    ]
    assert not wrong, wrong


def test_imports_are_acyclic() -> None:
    state: dict[str, int] = {}

    def visit(name: str, path: list[str]) -> None:
        if state.get(name) == 2:
            return
        assert state.get(name) != 1, "cycle: " + " -> ".join([*path[path.index(name) :], name])
        state[name] = 1
        for m in sorted(CODE[name].imports & CODE.keys()):
            visit(m, [*path, name])
        state[name] = 2

    for n in CODE:
        visit(n, [])


def test_no_code_in_init_files() -> None:
    wrong = []
    for s in FOUND.values():
        if s.path.name == "__init__.py":
            for node in s.tree.body:
                is_doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                if not is_doc and not isinstance(node, (ast.Import, ast.ImportFrom)):
                    wrong.append(where(s, node.lineno))
    assert not wrong, wrong


def python_files() -> list[Path]:
    """Everything in Python that is kept here."""
    return [p for top in ("ir", "graphc", "tests", "examples") for p in sorted((ROOT / top).rglob("*.py"))]


def test_files_are_short() -> None:
    wrong = [f"{p.relative_to(ROOT)}: {n} lines" for p in python_files() if (n := len(p.read_text("utf-8").splitlines())) > LONGEST_FILE]
    assert not wrong, wrong


def test_functions_are_short() -> None:
    functions = [(s, f) for s in FOUND.values() for f in ast.walk(s.tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lengths = [(s, f, (f.end_lineno or 0) - f.lineno + 1) for s, f in functions]
    wrong = [f"{where(s, f.lineno)}: {f.name} has {n} lines" for s, f, n in lengths if n > LONGEST_FUNCTION]
    assert not wrong, "\n".join(wrong)


def lowered() -> set[str]:
    """The op types that have a lowering."""
    calls = [n for name, s in CODE.items() if within(name, "graphc.lowering") for n in ast.walk(s.tree) if isinstance(n, ast.Call)]
    of_ops = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "lowers"]
    return {a.value for c in of_ops for a in c.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}


LOWERED = lowered()


@pytest.mark.parametrize("name", sorted(n for n in CODE if within(n, "ir.ops")))
def test_bodies_compute_with_xp(name: str) -> None:
    """A body hands its array arguments to `xp`, never to `np`: but on the host, on static values, and where XLA has a lowering."""
    s = CODE[name]
    wrong = []
    for f in s.tree.body:
        if not isinstance(f, ast.FunctionDef):
            continue
        for d in f.decorator_list:
            if isinstance(d, ast.Call) and isinstance(d.func, ast.Name) and d.func.id == "op":
                given = {k.arg: k.value for k in d.keywords}
                chooses = re.search(r"np\.ndarray|is_numpy", ast.unparse(f))  # a branch of its own for NumPy arrays
                lowered = isinstance(d.args[0], ast.Constant) and d.args[0].value in LOWERED
                if not given.keys() & {"host", "dynamic", "presence"} and not chooses and not lowered:
                    wrong += [where(s, line) for line in _numpy_on_arrays(f, given)]
    assert not wrong, wrong


def _numpy_on_arrays(f: ast.FunctionDef, given: dict[str | None, ast.expr]) -> list[int]:
    known = given.get("static")
    static = set(str(known.value).split()) if isinstance(known, ast.Constant) else set()
    attributes = (ast.Name, ast.BinOp)  # str | None, int: plain annotations are attributes
    arrays = {a.arg for a in f.args.args if a.annotation is not None and (not isinstance(a.annotation, attributes) or _is_input(a.annotation))} - static
    facts = {"shape", "ndim", "size", "dtype", "result_type", "issubdtype"}  # of an array, not its values
    return [
        n.lineno
        for n in ast.walk(f)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and isinstance(n.func.value, ast.Name)
        if n.func.value.id == "np" and n.func.attr not in facts
        if any(isinstance(a, ast.Name) and a.id in arrays for a in n.args)
    ]  # fmt: skip


def _is_input(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Name) and annotation.id in ("T", "RefT", "ListT", "Int32", "Int64", "Float32", "Float64", "Bool")
