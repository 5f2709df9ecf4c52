"""Recurrent cells and networks: as TensorFlow 1.15 has them, and what goes wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime import runner
from tests import rnn_programs

DATA = Path(__file__).parent / "data"
ARRAYS = np.load(DATA / "rnn_tf115.npz")


def recorded_names() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (DATA / "rnn_tf115.txt").read_text().splitlines():
        if line.startswith("  "):
            found[key].append(line.strip())
        else:
            key = line
            found[key] = []
    return found


NAMES = recorded_names()


#: programs that are also compiled: one of each kind
COMPILED = ("lstm_all", "multi", "bidirectional", "static_lengths", "raw", "shared", "layer_norm", "attention", "phased", "fused", "dropout", "dropout_variational")


@pytest.mark.parametrize("key", sorted(rnn_programs.PROGRAMS))
def test_as_tensorflow(key: str) -> None:
    """Names and shapes of the variables, outputs, last states and gradients."""
    compare(key)


@pytest.mark.parametrize("key", COMPILED)
def test_as_tensorflow_compiled(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "INTERPRETED_NODES", -1)
    compare(key)


def compare(key: str) -> None:
    names, values = rnn_programs.run(tf, rnn_programs.PROGRAMS[key])
    assert names == NAMES[key]
    wanted = [ARRAYS[f"{key}/{i}"] for i in range(len(values))]
    assert f"{key}/{len(values)}" not in ARRAYS
    for i, (got, want) in enumerate(zip(values, wanted, strict=True)):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5, err_msg=f"result {i}")
