"""What every test gets: eight virtual CPU devices, a default graph of its own, verified rewrites, `tf` in docstring examples."""

import os

FLAGS = os.environ.get("XLA_FLAGS", "")
if "xla_force_host_platform_device_count" not in FLAGS:  # must be set before jax starts
    os.environ["XLA_FLAGS"] = f"{FLAGS} --xla_force_host_platform_device_count=8".strip()
os.environ.setdefault("GRAPHC_CHECK", "1")  # every rewrite leaves a well-formed program

from collections.abc import Iterator
from typing import Any

import pytest

import graphc
from ir.convert import reset_default_graph
from ir.stacks import graphs, sessions

#: programs that the real TensorFlow 1.15 runs to record what the tests compare with
collect_ignore_glob = ["tests/checkpoint_tf115.py", "tests/rnn_programs.py", "tests/variable_programs.py", "tests/data/*"]


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    """Gives each test an empty default graph, and leaves no session or graph entered."""
    graphs.items.clear()
    sessions.items.clear()
    reset_default_graph()
    yield
    graphs.items.clear()
    sessions.items.clear()


@pytest.fixture(autouse=True)
def _docstring_names(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["tf"] = graphc
