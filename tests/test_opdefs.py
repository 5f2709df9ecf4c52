"""The op table says of each op type what TensorFlow 1.15 says: inputs, outputs, attributes, defaults, types, effects.

tests/opdefs.json was recorded from TensorFlow 1.15.5. What is meant to differ stands in EXCEPTIONS, with the reason.
"""

import importlib
import json
import pathlib
import pkgutil
from typing import Any

import numpy as np
import pytest

import ir.gradients
import ir.ops
from ir.build import attr_value
from ir.dtypes import DType, TypeSet
from ir.opdef import REQUIRED, TABLE, AttrSpec, In, OpDef, OutputSpec
from ir.shapes import TensorShape

for _found in pkgutil.iter_modules(ir.ops.__path__, "ir.ops."):
    importlib.import_module(_found.name)

TF: dict[str, Any] = json.loads((pathlib.Path(__file__).parent / "opdefs.json").read_text())

#: (op type, what differs) -> why it is meant to
EXCEPTIONS: dict[tuple[str, str], str] = {}


def port(name: str, spec: In | OutputSpec) -> str:
    """Returns an input or output as opdefs.json writes it."""
    dtype = spec.dtype.name if spec.dtype is not None else spec.attr
    kind = f"list({spec.types})" if spec.types else f"{spec.number}*{dtype}" if spec.number else f"{dtype}"
    return f"{'ref ' if spec.ref else ''}{name}: {kind}"


def plain(value: Any) -> Any:
    """Returns an attribute's value as opdefs.json writes it."""
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    if isinstance(value, DType):
        return value.name
    if isinstance(value, TensorShape):
        dims = value.as_dims()
        return None if dims is None else [-1 if d is None else d for d in dims]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def allowed(spec: AttrSpec) -> list[str] | None:
    """Returns the values that an attribute admits, sorted; None when it admits all."""
    if isinstance(spec.allowed, TypeSet):
        return sorted({t.name for t in spec.allowed.types}) or None
    return sorted(set(spec.allowed)) if spec.allowed else None


def attr_differences(ours: AttrSpec, theirs: dict[str, Any]) -> list[str]:
    """Returns what two descriptions of an attribute disagree on."""
    out: list[str] = []
    if ours.kind != theirs["type"]:
        out.append(f"{ours.name} kind: {ours.kind}, TensorFlow {theirs['type']}")
        return out
    if "default" in theirs:
        default = REQUIRED if ours.default is REQUIRED else plain(attr_value(ours, ours.default)) if ours.default is not None or ours.kind == "shape" else None
        wanted = theirs["default"]
        if ours.kind == "tensor":
            wanted = default
        if default is REQUIRED or (np.float32(default) != np.float32(wanted) if isinstance(wanted, float) else default != wanted):
            out.append(f"{ours.name} default: {'none' if default is REQUIRED else repr(default)}, TensorFlow {wanted!r}")
    elif ours.default is not REQUIRED:
        out.append(f"{ours.name} default: {ours.default!r}, TensorFlow none")
    wanted = sorted(set(theirs["allowed"])) if "allowed" in theirs else None
    if allowed(ours) != wanted:
        mine, tf = set(allowed(ours) or ["all"]), set(wanted or ["all"])
        out.append(f"{ours.name} allowed: more {sorted(mine - tf)}, less {sorted(tf - mine)}")
    if (ours.minimum or 0) != theirs.get("min", 0):
        out.append(f"{ours.name} minimum: {ours.minimum}, TensorFlow {theirs.get('min')}")
    return out


def differences(d: OpDef) -> list[str]:
    """Returns what our definition of an op type and TensorFlow's disagree on."""
    tf = TF[d.name]
    out: list[str] = []
    inputs = [port(i.tf_name, i.spec) for i in d.inputs]
    if inputs != tf["inputs"]:
        out.append(f"inputs: {inputs}, TensorFlow {tf['inputs']}")
    outputs = [port(o.name, o) for o in d.outputs]
    if outputs != tf["outputs"]:
        out.append(f"outputs: {outputs}, TensorFlow {tf['outputs']}")
    if set(d.attrs) != set(tf["attrs"]):
        out.append(f"attributes: more {sorted(set(d.attrs) - set(tf['attrs']))}, less {sorted(set(tf['attrs']) - set(d.attrs))}")
    for name in sorted(set(d.attrs) & set(tf["attrs"])):
        out.extend(attr_differences(d.attrs[name], tf["attrs"][name]))
    stateful = bool(tf.get("stateful"))
    touches_ref = any(i.spec.ref for i in d.inputs)
    if d.effects.stateful != stateful and not (d.effects.stateful and touches_ref):
        out.append(f"stateful: {d.effects.stateful}, TensorFlow {stateful}")
    if bool(tf.get("commutative")) and not d.effects.commutative:
        out.append("commutative: False, TensorFlow True")
    return out


@pytest.mark.parametrize("name", sorted(n for n in TABLE if n in TF))
def test_agrees_with_tensorflow(name: str) -> None:
    """Every difference is listed, and every listed difference is one."""
    found = differences(TABLE[name])
    expected = [what for (op, what) in EXCEPTIONS if op == name]
    unexpected = [f for f in found if not any(f.startswith(e) for e in expected)]
    assert not unexpected, f"{name} ({TABLE[name].module}): " + "; ".join(unexpected)
    gone = [e for e in expected if not any(f.startswith(e) for f in found)]
    assert not gone, f"{name} agrees by now: take {gone} out of EXCEPTIONS"


#: op types of ours that TensorFlow 1.15 does not have, and why
OWN: dict[str, str] = {}


def test_no_op_types_of_our_own() -> None:
    """The vocabulary is TensorFlow's, but for what rewrites use inside ("_Name")."""
    assert {n for n in TABLE if n not in TF and not n.startswith("_")} == set(OWN)


def test_gradients_are_declared() -> None:
    """Every op type has a gradient, or a reason for having none."""
    silent = sorted(n for n, d in TABLE.items() if d.gradient is None and not d.no_gradient)
    assert not silent, f"neither @grad nor grad.none: {silent}"


#: op types whose registered gradient in TensorFlow is None for every input
NONE_FOR_ALL = {"ArgMax", "ArgMin", "FloorDiv", "LoopCond", "TruncateDiv"}


@pytest.mark.parametrize("name", sorted(n for n in TABLE if TF.get(n, {}).get("gradient") == "yes" and n not in NONE_FOR_ALL))
def test_gradient_where_tensorflow_has_one(name: str) -> None:
    """What TensorFlow differentiates, we differentiate."""
    assert TABLE[name].gradient is not None, f"{name} ({TABLE[name].module}): TensorFlow has a gradient; ours: {TABLE[name].no_gradient}"
