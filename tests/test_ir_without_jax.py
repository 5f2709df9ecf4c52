"""`ir` stands alone: with jax and graphc out of reach it builds, infers and differentiates."""

import subprocess
import sys

from graphc.tools.namespaces import ROOT, sources

PROGRAM = """
import sys
for blocked in ("jax", "jaxlib", "graphc", "scipy"):
    sys.modules[blocked] = None
import importlib
for name in {modules!r}:
    importlib.import_module(name)

from ir.gradients import gradients
from ir.graph import Graph
from ir.ops import basic, layout, matmul, reduce
from ir.static import value_of

with Graph().as_default() as graph:
    x = basic.placeholder("float32", [None, 3])
    y = matmul.matmul(x, layout.ones([3, 4])) * 2 + 1
    flat = layout.reshape(y, [layout.shape(y)[0], 2, -1])
    assert flat.shape.as_list() == [None, 2, None], flat
    (dx,) = gradients(reduce.reduce_sum(flat), [x])
    assert dx.shape.as_list() == [None, 3], dx
    assert value_of(layout.size(layout.zeros([2, 5]))) == 10
assert not [m for m in sys.modules if m.split(".")[0] in ("jax", "graphc") and sys.modules[m] is not None]
print("fine")
"""


def test_ir_needs_no_jax() -> None:
    modules = [n for n in sources() if n.split(".")[0] == "ir"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(modules=modules)], cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "fine"


def test_ir_loads_quickly() -> None:
    """Importing what builds graphs must cost little more than NumPy."""
    program = "import numpy, time; t = time.perf_counter(); import ir.operators; print(time.perf_counter() - t)"
    times = [float(subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout) for _ in range(3)]
    assert min(times) < 1.0, times
