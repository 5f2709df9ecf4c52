"""The examples are programs that run and reach what they promise."""

import importlib.util
import pathlib

import pytest

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
pytest.importorskip("sklearn", reason="the examples use scikit-learn's data")


def load(name: str) -> object:
    """Imports an example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_digits(capsys: pytest.CaptureFixture[str]) -> None:
    assert load("digits").main() >= 0.97
    out = capsys.readouterr().out
    assert "validation loss" in out and "compilations" in out


def test_linear_regression() -> None:
    slope, intercept = load("linear_regression").main()
    assert abs(slope - 3) < 0.1 and abs(intercept - 2) < 0.1


def test_iris() -> None:
    found = load("iris").main()
    assert found["one layer"] > 0.9 and found["several layers"] > 0.9


@pytest.mark.filterwarnings("ignore")
def test_quickstart_notebook() -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(EXAMPLES.parent)}}).execute()
    printed = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    assert "running on" in printed and "validation loss" in printed


def test_char_rnn() -> None:
    before, after, written = load("char_rnn").main(steps=200)
    assert before > 25 and after < 16
    assert len(written) == 300 and len(set(written)) > 10
