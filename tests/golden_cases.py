"""The golden cases: graphs that TensorFlow 1.15.5 built, and what it computed. tests/golden/README.md says the format."""

import functools
import importlib
import io
import json
import pkgutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.summary_pb2 import Summary

import ir.ops
from graphc.lowering import lower
from graphc.runtime.session import Session
from ir.convert import convert_to_tensor
from ir.dtypes import bfloat16
from ir.gradients import gradients
from ir.graph import Graph
from ir.graphdef.graph_util import extract_sub_graph
from ir.graphdef.reader import import_graph_def
from ir.indexed_slices import IndexedSlices

GOLDEN = Path(__file__).parent / "golden"
FAMILIES = sorted(p.stem for p in GOLDEN.glob("*.zip"))


def load_op_types() -> list[str]:
    """Imports every module of ops and lowerings; returns what went wrong."""
    problems = []
    for package, prefix in ((ir.ops.__path__, "ir.ops."), ([str(Path(lower.__file__).parent)], "graphc.lowering.")):
        for found in pkgutil.iter_modules(package, prefix):
            try:
                importlib.import_module(found.name)
            except ImportError as e:
                problems.append(f"{found.name}: {e}")
    return problems


@functools.cache
def archive(family: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(GOLDEN / f"{family}.zip")


def names(family: str) -> list[str]:
    """Returns the cases of a family."""
    return sorted({n.split("/")[0] for n in archive(family).namelist()})


class Case:
    """One recorded case."""

    def __init__(self, family: str, name: str) -> None:
        self.family = family
        self.name = name
        z = archive(family)
        self.graph_def = GraphDef.FromString(z.read(name + "/graph.pb"))
        self.meta = json.loads(z.read(name + "/case.json"))
        self.steps: list[Any] = self.meta["steps"]
        self._npz = np.load(io.BytesIO(z.read(name + "/arrays.npz")))

    def array(self, entry: Any) -> np.ndarray:
        """Returns the array of a feed or fetch."""
        x = self._npz[entry["key"]]
        if entry.get("string"):  # npz drops trailing NULs, the lengths put them back
            lengths = self._npz[entry["len_key"]].reshape(-1)
            flat = [bytes(s).ljust(int(k), b"\0") for s, k in zip(x.reshape(-1), lengths, strict=True)]
            x = np.array([*flat, None], object)[:-1].reshape(entry["shape"])
        if entry["dtype"] == "bfloat16" or entry.get("stored_as"):
            x = x.view(bfloat16.np_dtype)
        return x

    @staticmethod
    def has_gradients(family: str, name: str) -> bool:
        """Whether gradients were recorded for a case."""
        return bool(json.loads(archive(family).read(name + "/case.json")).get("gradients"))

    # -- running ---------------------------------------------------------------------------------

    def run(self) -> list[str]:
        """Runs the steps of the case on its graph; returns what differs from TensorFlow."""
        graph = Graph()
        with graph.as_default():
            import_graph_def(self.graph_def, name="")
        problems: list[str] = []
        with Session(graph=graph) as session:
            for number, step in enumerate(self.steps):
                feeds = {f["tensor"]: self.array(f) for f in step["feeds"]}
                fetches = [f["tensor"] for f in step["fetches"]]
                targets = [graph.get_operation_by_name(t) for t in step["targets"]]
                got = session.run([fetches, targets], feeds)[0]
                for f, value in zip(step["fetches"], got, strict=True):
                    problems += [f"step {number}, {f['tensor']}: {p}" for p in self.differences(f, value)]
        return problems

    def differences(self, entry: Any, got: Any) -> list[str]:
        """Returns how a fetched value differs from the recorded one."""
        value = np.array(got, object) if entry.get("string") else np.asarray(got)
        wanted = self.array(entry)
        if "serialized_proto" in self.meta["flags"] and entry.get("string"):
            value, wanted = np.vectorize(plain_summary, otypes=[object])(value), np.vectorize(plain_summary, otypes=[object])(wanted)
        near = 2 if "jpeg_within_2" in self.meta["flags"] and entry["dtype"] == "uint8" else entry["atol"]
        return differences(value, wanted, entry["rtol"], near)

    # -- gradients -------------------------------------------------------------------------------

    def run_gradients(self) -> list[str]:
        """Builds the recorded gradients anew, with ours, runs them, and returns what differs."""
        graph, rebuilt, problems = self.with_our_gradients()
        known = {op.name for op in graph.get_operations()}
        with Session(graph=graph) as session:
            for number, step in enumerate(self.steps):
                feeds = {f["tensor"]: self.array(f) for f in step["feeds"] if f["tensor"].split(":")[0] in known}
                targets = [graph.get_operation_by_name(t) for t in step["targets"] if t in known]
                wanted = [f for f in step["fetches"] if rebuilt.get(f["tensor"]) is not None]
                got = session.run([[rebuilt[f["tensor"]] for f in wanted], targets], feeds)[0]
                for f, value in zip(wanted, got, strict=True):
                    problems += [f"step {number}, {f['tensor']}: {p}" for p in self.differences(f, value)]
        return problems

    def with_our_gradients(self) -> tuple[Graph, dict[str, Any], list[str]]:
        """Returns the graph with the recorded gradients built anew, our tensors by the recorded names, and what differs already."""
        graph = Graph()
        rebuilt: dict[str, Any] = {}
        problems: list[str] = []
        with graph.as_default():
            import_graph_def(self.forward(), name="")
            for e in sorted(self.meta["gradients"], key=lambda g: g["order"]):
                self._rebuild(graph, e, rebuilt, problems)
        return graph, rebuilt, problems

    def forward(self) -> Any:
        """Returns the graph without what only the recorded gradients need."""
        entries = self.meta["gradients"]
        grads = {g for e in entries for g in e["grads"] if g is not None}
        ends = {t.split(":")[0] for e in entries for t in [*e["ys"], *e["xs"], *(e["grad_ys"] or [])] if t is not None and t not in grads}
        by_name = {n.name for n in self.graph_def.node}
        ends |= {t for step in self.steps for t in step["targets"] if t in by_name and not self._is_gradient(t)}
        return extract_sub_graph(self.graph_def, sorted(ends))

    def _is_gradient(self, name: str) -> bool:
        return name.startswith("gradients")

    def _rebuild(self, graph: Graph, e: Any, rebuilt: dict[str, Any], problems: list[str]) -> None:
        def tensor(name: str | None) -> Any:
            if name is None:
                return None
            return rebuilt[name] if rebuilt.get(name) is not None else graph.get_tensor_by_name(name)

        grad_ys = None if e["grad_ys"] is None else [tensor(t) for t in e["grad_ys"]]
        got = gradients([tensor(t) for t in e["ys"]], [tensor(t) for t in e["xs"]], grad_ys)
        for name, x, g in zip(e["grads"], e["xs"], got, strict=True):
            if (name is None) != (g is None):
                problems.append(f"d/d {x}: {'not connected' if g is None else 'connected'}, in TensorFlow {'not connected' if name is None else 'connected'}")
            elif name is not None:
                rebuilt[name] = convert_to_tensor(g) if isinstance(g, IndexedSlices) else g


def plain_summary(serialized: bytes) -> str:
    """Returns a Summary as text, images by their pixels: their bytes depend on the version of zlib."""
    summary = Summary.FromString(serialized)
    for v in summary.value:
        if v.HasField("image"):
            v.image.encoded_image_string = Image.open(io.BytesIO(v.image.encoded_image_string)).tobytes()
    return str(summary)


def differences(got: np.ndarray, wanted: np.ndarray, rtol: float, atol: float) -> list[str]:
    """Returns how two arrays differ, by the rule of the golden cases."""
    if got.dtype != wanted.dtype:
        return [f"type {got.dtype}, expected {wanted.dtype}"]
    if got.shape != wanted.shape:
        return [f"shape {got.shape}, expected {wanted.shape}"]
    if not got.size:
        return []
    if got.dtype == object or got.dtype == bool or (rtol == 0 and atol == 0):
        same = got == wanted
        if got.dtype.kind in "fc":
            same = same | ((got != got) & (wanted != wanted))
        same = np.asarray(same)
        if same.all():
            return []
    else:
        wide: Any = np.complex128 if got.dtype.kind == "c" else np.float64
        a, b = got.astype(wide), wanted.astype(wide)
        with np.errstate(invalid="ignore", over="ignore"):
            same = (np.abs(a - b) <= atol + rtol * np.abs(b)) | (a == b) | ((a != a) & (b != b))
        if same.all():
            return []
    where = tuple(int(i[0]) for i in np.nonzero(~same)) if same.ndim else ()
    first = f"first at {list(where)}: {got[where]!r}, expected {wanted[where]!r} (rtol {rtol:g}, atol {atol:g})"
    return [f"{int((~same).sum())} of {same.size} elements differ, {first}"]
