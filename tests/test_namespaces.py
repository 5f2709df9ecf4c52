"""The TF1 namespaces: fresh, documented, and with the signatures of TensorFlow 1.15."""

import ast
import fnmatch
import functools
import importlib
import inspect
import types
from pathlib import Path
from typing import Any

import pytest

import graphc as tf
from graphc.tools import missing, namespaces
from ir.dtypes import DType

API = Path(__file__).with_name("tf115_api.tsv")
USED = Path(__file__).with_name("tf1_used_names.tsv")  # by public TF1 programs
MISSING = Path(__file__).with_name("tf1_missing_names.txt")

#: public names that TensorFlow 1.15 does not have, and why they are here
OURS = {
    "tf.__version__": "not in the recorded list, as all names with an underscore",
    "tf.__git_version__": "the same",
    "tf.__compiler_version__": "the same",
    "tf.__graphc_version__": "the version of graphc itself",
    "tf.runtime_counters": "what the runtime compiled and ran, to assert on",
    "tf.contrib.framework.nest.*": "the list has no names below this module",
    "tf.flags.*": "the same; TensorFlow's are absl's",
    "tf.contrib.nn.*": "TensorFlow has them; the list leaves this module out",
    "tf.contrib.util.*": "TensorFlow has them; the list leaves this module out",
}

#: signatures that differ from TensorFlow 1.15's on purpose: pattern -> reason
DIFFERENT = {
    "tf.DType": "made by graphc.dtypes only; the number alone says nothing about a type",
    "tf.dtypes.DType": "the same",
    "tf.Tensor": "made by graphs only: a tensor knows its static shape from the start",
    "tf.Operation": "made by graphs only, from an OpDef instead of a NodeDef",
    "tf.errors.*Error": "one constructor for all error classes: error_code may always be given",
    "tf.OpError": "the same",
    "tf.convert_to_tensor": "one more argument at the end, as_ref",
}


@functools.cache
def api() -> dict[str, tuple[str, str]]:
    """TensorFlow 1.15's names: kind and signature."""
    rows = (line.rstrip("\n").split("\t") for line in API.read_text("utf-8").splitlines()[1:])
    return {r[0]: (r[1], r[2]) for r in rows}


@functools.cache
def public() -> dict[str, Any]:
    """What graphc exports, by TensorFlow's names."""
    declared = namespaces.exports(namespaces.sources())
    return {f"tf.{e.public}": getattr(importlib.import_module(e.module), e.local) for e in declared}


# -- signatures --------------------------------------------------------------------------------------

OPAQUE = object()
Parameter = tuple[str, Any]


def without_angles(text: str) -> str:
    """Replaces `<...>`, a default that is no literal, by `...`."""
    out, depth, quote = "", 0, ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif depth == 0 and c in "'\"":
            quote = c
        elif c == "<":
            depth += 1
            out += "..." if depth == 1 else ""
            continue
        if depth == 0:
            out += c
        if c == ">" and not quote and depth:
            depth -= 1
    return out


def default_of(node: ast.expr | None) -> Any:
    if node is None:
        return inspect.Parameter.empty
    if isinstance(node, ast.Constant) and node.value is ...:
        return OPAQUE
    if isinstance(node, ast.Attribute):  # tf.float32
        return node.attr
    try:
        return ast.literal_eval(node)
    except ValueError:
        return OPAQUE  # an expression


def recorded(text: str) -> list[Parameter]:
    """The parameters of a recorded signature: names (stars kept) and defaults; `self` left out."""
    args = ast.parse(f"def f{without_angles(text)}: ...").body[0].args  # type: ignore[attr-defined]
    plain = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(plain) - len(args.defaults)) + args.defaults
    out = [(a.arg, default_of(d)) for a, d in zip(plain, defaults, strict=True)]
    if args.vararg:
        out.append(("*" + args.vararg.arg, inspect.Parameter.empty))
    out += [(a.arg, default_of(d)) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    if args.kwarg:
        out.append(("**" + args.kwarg.arg, inspect.Parameter.empty))
    return out[1:] if out and out[0][0] in ("self", "cls") else out


def actual(obj: Any, bound: bool = False) -> list[Parameter]:
    """The same of one of our functions or classes; of a method, without the first."""
    star = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = [(star.get(p.kind, "") + p.name, p.default) for p in inspect.signature(obj).parameters.values()]
    return found[1:] if found and (bound or found[0][0] in ("self", "cls")) else found


def same_default(ours: Any, theirs: Any) -> bool:
    if theirs is OPAQUE:
        return ours is not inspect.Parameter.empty
    if ours is inspect.Parameter.empty or theirs is inspect.Parameter.empty:
        return ours is theirs
    if isinstance(ours, DType) or (isinstance(ours, str) and isinstance(theirs, str)):
        return ours == theirs
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        return list(ours) == list(theirs)
    return bool(ours == theirs) and isinstance(ours, bool) == isinstance(theirs, bool)


def difference(name: str, obj: Any, text: str, bound: bool = False) -> str:
    """Says how the signature of `obj` differs from the recorded one, or ""."""
    theirs = recorded(text)
    if [n for n, _ in theirs] == ["*args", "**kwargs"]:
        return ""  # a wrapper hid the signature
    try:
        ours = actual(obj, bound)
    except (TypeError, ValueError):
        return f"{name}: has no signature; TensorFlow's is {text}"
    fits = len(ours) == len(theirs) and all(a == b and same_default(x, y) for (a, x), (b, y) in zip(ours, theirs, strict=True))
    shown = ", ".join(n if d is inspect.Parameter.empty else f"{n}={d!r}" for n, d in ours)
    return "" if fits else f"{name}: ({shown}); TensorFlow's is {text}"


def excepted(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, p) for p in DIFFERENT)


def test_signatures_are_tensorflows() -> None:
    wrong = []
    for name, obj in sorted(public().items()):
        kind, text = api().get(name, ("", ""))
        if kind in ("function", "class") and callable(obj) and text and not excepted(name) and not is_message(obj):
            wrong.append(difference(name, obj, text))
    wrong = [w for w in wrong if w]
    assert not wrong, f"{len(wrong)} signatures differ:\n" + "\n".join(wrong)


def test_method_signatures_are_tensorflows() -> None:
    wrong = []
    for name, (kind, text) in api().items():
        owner, _, method = name.rpartition(".")
        cls = public().get(owner)
        if kind != "method" or not text or not isinstance(cls, type) or excepted(name) or is_message(cls):
            continue
        found = inspect.getattr_static(cls, method, None)
        if isinstance(found, (staticmethod, classmethod)):
            found = getattr(cls, method)
        if callable(found):
            wrong.append(difference(name, found, text, bound=text.startswith("(self") and isinstance(found, types.FunctionType)))
    wrong = [w for w in wrong if w]
    assert not wrong, f"{len(wrong)} signatures differ:\n" + "\n".join(wrong)


def test_values_are_tensorflows() -> None:
    wrong = []
    for name, obj in public().items():
        kind, text = api().get(name, ("", ""))
        if kind == "value" and " = " in text and not name.endswith(("GIT_VERSION", "COMPILER_VERSION")):
            expected = ast.literal_eval(text.partition(" = ")[2])
            if obj != expected:
                wrong.append(f"{name} is {obj!r}, TensorFlow's is {expected!r}")
    assert not wrong, "\n".join(wrong)


def test_exceptions_are_needed() -> None:
    """Every pattern in DIFFERENT names something that exists."""
    unused = [p for p in DIFFERENT if not any(fnmatch.fnmatchcase(n, p) for n in [*public(), *api()])]
    assert not unused, unused


# -- names -------------------------------------------------------------------------------------------


def is_message(obj: Any) -> bool:
    """Whether `obj` is a protocol buffer message or comes from another package."""
    return not (getattr(obj, "__module__", None) or "").startswith(("ir", "graphc"))


def test_files_are_fresh() -> None:
    change, gone = namespaces.stale(namespaces.ROOT, namespaces.files())
    assert not change, f"run `python graphc/tools/namespaces.py`: {[str(p.relative_to(namespaces.ROOT)) for p in change]}"
    assert not gone, f"run `python graphc/tools/namespaces.py`: {gone}"


def test_no_name_is_unknown_to_tensorflow() -> None:
    unknown = [n for n in public() if n not in api() and not any(fnmatch.fnmatchcase(n, p) for p in OURS)]
    assert not unknown, unknown


def test_every_public_name_is_documented() -> None:
    bare = [n for n, o in public().items() if isinstance(o, (type, types.FunctionType)) and not is_message(o) and not inspect.getdoc(o)]
    assert not bare, bare


def test_names_are_where_tensorflow_has_them() -> None:
    for name, obj in public().items():
        found: Any = tf
        for part in name.split(".")[1:]:
            found = getattr(found, part)
        assert found is obj, name


def lacking() -> list[str]:
    """The names that public TF1 programs use and graphc does not have, most used first."""
    rows = [line.split("\t") for line in USED.read_text("utf-8").splitlines()[1:]]
    out = []
    for name, _ in sorted(rows, key=lambda r: -int(r[1])):
        try:
            functools.reduce(getattr, name.split(".")[1:], tf)
        except AttributeError:
            out.append(name)
    return out


def test_names_in_use_exist() -> None:
    """What is lacking is listed in tf1_missing_names.txt, which may only shrink."""
    listed = MISSING.read_text("utf-8").split()
    now = lacking()
    assert not (new := [n for n in now if n not in listed]), f"used by TF1 programs, and gone: {new}"
    assert not (done := [n for n in listed if n not in now]), f"take these off {MISSING.name}: {done}"


def test_compat_v1_is_the_same() -> None:
    assert tf.compat.v1.placeholder is tf.placeholder
    assert tf.compat.v1.nn is tf.nn
    assert tf.compat.v1.errors is tf.errors


def test_recorded_names_agree() -> None:
    """The two files of TensorFlow's names, one for tests and one for messages, hold the same names."""
    assert missing.tf_names() == {n for n, (kind, _) in api().items() if kind not in ("method", "property")}


# -- messages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "name", "parts"),
    [
        ("graphc", "GradientTape", ["tf.gradients", "Session"]),
        ("graphc", "enable_eager_execution", ["define-then-run", "tf.Session"]),
        ("graphc", "function", ["define-then-run"]),
        ("graphc.compat.v1", "function", ["define-then-run"]),
        ("graphc", "mul", ["tf.multiply"]),
        ("graphc", "placehodler", ["TensorFlow 1.15 has no tf.placehodler", "tf.placeholder"]),
        ("graphc.nn", "matmul", ["TensorFlow 1.15 has no tf.nn.matmul", "tf.matmul"]),
    ],
)
def test_missing_names_say_what_to_write(space: str, name: str, parts: list[str]) -> None:
    module = importlib.import_module(space)
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    for part in parts:
        assert part in str(caught.value)


def test_missing_names_say_that_tensorflow_has_them() -> None:
    absent = next(n for n in sorted(api()) if n.startswith("tf.") and n.count(".") == 1 and not missing.exists(n) and n[3:] not in missing.EAGER)
    assert "part of TensorFlow 1.15" in missing.explain("graphc", absent[3:])


def test_private_names_are_plainly_missing() -> None:
    assert not hasattr(tf, "__wrapped__")
    assert not hasattr(tf.nn, "_nothing")
