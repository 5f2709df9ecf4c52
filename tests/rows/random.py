"""Rows of ir.ops.random: the numbers TensorFlow 1.15.5 drew on a CPU (tests/data/random_tf115.npz), in the first run of a Session."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from scipy import stats

from ir.build import create
from ir.dtypes import as_dtype
from ir.opdef import TABLE
from ir.ops import random
from tests.rowdef import ErrorRow, Row

#: "case/in/input" and "case/run" -> array; "meta": case -> [op type, arguments], "@" standing for an array
RECORDED: Any = np.load(Path(__file__).parents[1] / "data" / "random_tf115.npz")
CASES: dict[str, Any] = json.loads(RECORDED["meta"].tobytes())
TOLERANCE = {"float16": 2e-3, "bfloat16": 1e-2, "float32": 1e-5, "float64": 1e-9}


def arguments(case: str) -> tuple[str, dict[str, Any]]:
    """The op type of a recorded case and its arguments by TensorFlow's names."""
    name, given = CASES[case]
    found = {k: RECORDED[f"{case}/in/{k}"] if v == "@" else v for k, v in given.items()}
    if "shape" in found:
        found["shape"] = np.array(found["shape"], np.int32)
    return name, found


def expected(case: str, run: int) -> np.ndarray:
    """What TensorFlow drew in run 0, 1 of one Session."""
    out = RECORDED[f"{case}/{run}"]
    return out.view(ml_dtypes.bfloat16) if "bfloat16" in case else out


def drawn(case: str) -> Any:
    """The tensor of a recorded case."""
    name, given = arguments(case)
    d = TABLE[name]
    by_name = {i.tf_name: i.name for i in d.inputs} | {a.name: a.param for a in d.attrs.values() if a.param}
    kinds = {k: as_dtype(v) if k in ("dtype", "output_dtype") else v for k, v in given.items()}
    return create(d, {by_name[k]: v for k, v in kinds.items()}, None).outputs[0]


def _recorded(case: str) -> Row:
    out = expected(case, 0)
    exact = out.dtype.kind in "iu" or "Uniform" in CASES[case][0]
    tolerance = 0.0 if exact else TOLERANCE[out.dtype.name]
    return Row(CASES[case][0], lambda: drawn(case), [], lambda: out, rtol=tolerance, atol=tolerance, id=case.partition("-")[2], forget=False)


def _gamma_sensitivity(alpha: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """-(dF/dalpha) / (dF/dx) of the gamma distribution's function F, by central differences."""
    eps = 1e-5
    slope = (stats.gamma.cdf(sample, alpha + eps) - stats.gamma.cdf(sample, alpha - eps)) / (2 * eps)
    return -slope / stats.gamma.pdf(sample, alpha)


def _poisson_v1() -> Any:
    return random._random_poisson_v1([25], RECORDED["RandomPoissonV2-i64/in/rate"], 5, 6)


ROWS = [
    *map(_recorded, CASES),
    Row("RandomPoisson", _poisson_v1, [], lambda: RECORDED["RandomPoissonV2-i64/0"].astype(np.float64), forget=False),
    Row("RandomGammaGrad", random._random_gamma_grad, [np.array([0.5, 1.0, 3.0]), np.array([[0.3, 0.9, 2.0], [1.5, 0.2, 4.0]])], _gamma_sensitivity, rtol=1e-4),
    Row("RandomShuffle", lambda x: random.random_shuffle(x, seed=1), [np.arange(1)], lambda x: x, id="one row"),
    Row("RandomShuffle", lambda x: random.random_shuffle(x, seed=1), [np.zeros((0, 3))], lambda x: x, id="no rows"),
    Row("RandomUniform", lambda: random.random_uniform([0, 3], seed=1), [], lambda: np.zeros((0, 3), np.float32), id="empty", forget=False),
]

ERRORS = [
    ErrorRow("RandomUniformInt", lambda: random.random_uniform([2], dtype="int32"), ValueError, "Must specify maxval for integer dtype"),
    ErrorRow("RandomUniform", lambda: random.random_uniform([2], dtype="complex64"), ValueError, "Invalid dtype"),
    ErrorRow("RandomStandardNormal", lambda: random.random_normal([-2]), ValueError, "Dimension -2 must be >= 0"),
    ErrorRow("Multinomial", lambda: random.multinomial([1.0, 2.0], 3), ValueError, "logits must have rank 2"),
    ErrorRow("StatelessRandomUniform", lambda: random.stateless_random_uniform([2], [1, 2, 3]), ValueError, "seed must be a vector of two integers"),
]
