"""The program that writes the namespaces, on small trees of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from graphc.tools import namespaces

EXPLAIN = "def explain(module, name):\n    return f'{module} has no {name}'\n"


def tree(root: Path, **texts: str) -> Path:
    """Writes modules, `ir__ops__math="..."` as ir/ops/math.py, with empty __init__ files."""
    texts |= {"ir__operators": "", "graphc__tools__missing": EXPLAIN}
    for name, text in texts.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for folder in path.relative_to(root).parents:
            init = root / folder / "__init__.py"
            if folder.parts and not init.exists():
                init.write_text("")
    for folder in ("ir/ops", "ir/graphdef", "graphc/lowering"):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "__init__.py").touch()
    return root


def write(root: Path) -> dict[str, str]:
    """Writes the namespaces of a tree; returns their texts by relative path."""
    wanted = namespaces.files(root)
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert namespaces.stale(root, namespaces.files(root)) == ([], []), "writing twice changes nothing"
    return {str(p.relative_to(root)): t for p, t in wanted.items()}


def imports(root: Path, program: str) -> str:
    """Runs a program on a tree."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


EXPORT = "def export(*names):\n    return lambda f: f\n"


def test_names_modules_and_values(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        ir__build=EXPORT,
        ir__ops__math="from ir.build import export\n@export('abs math.abs')\ndef abs_(x): return x\n__exports__ = {'e math.e': 'E'}\nE = 2.7\n",
        graphc__train__adam="from ir.build import export\n@export('train.Adam')\nclass Adam: pass\n",
    )
    files = write(root)
    assert "from ir.ops.math import abs_ as abs\n" in files["graphc/math.py"]
    assert "graphc/train/__init__.py" in files
    assert "from graphc import math as math\n" in files["graphc/__init__.py"]
    assert imports(root, "import graphc as tf; print(tf.abs(3), tf.math.e, tf.train.Adam.__name__, tf.compat.v1.train is tf.train)") == "3 2.7 Adam True"


def test_a_docstring_is_kept(tmp_path: Path) -> None:
    root = tree(tmp_path, ir__ops__math="__exports__ = {'numbers.e': 'E', 'math.e': 'E'}\nE = 2.7\n")
    assert '"""tf.math: arithmetic, functions, reductions."""' in write(root)["graphc/math.py"]
    path = root / "graphc" / "numbers.py"
    path.write_text(path.read_text().replace('"""The names of tf.numbers."""', '"""Mathematics."""'))
    assert '"""Mathematics."""' in write(root)["graphc/numbers.py"]


def test_one_name_twice_is_an_error(tmp_path: Path) -> None:
    root = tree(tmp_path, ir__ops__a="__exports__ = {'e': 'E'}\nE = 1\n", ir__ops__b="__exports__ = {'e': 'E'}\nE = 2\n")
    with pytest.raises(ValueError, match=r"tf\.e is declared twice: ir\.ops\.a\.E and ir\.ops\.b\.E"):
        namespaces.files(root)


def test_a_name_that_is_also_a_namespace_is_an_error(tmp_path: Path) -> None:
    root = tree(tmp_path, ir__ops__a="__exports__ = {'math': 'E', 'math.e': 'E'}\nE = 1\n")
    with pytest.raises(ValueError, match="both a name and a namespace"):
        namespaces.files(root)


def test_what_cannot_load_is_left_out(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        ir__ops__good="__exports__ = {'good': 'E'}\nE = 1\n",
        ir__ops__bad="from ir.ops.good import missing\n__exports__ = {'bad': 'E'}\nE = 1\n",
        ir__ops__worse="from ir.ops import bad\n__exports__ = {'worse': 'E'}\nE = 1\n",
        ir__ops__worst="def f(:\n",
    )
    write(root)
    assert imports(root, "import graphc as tf; print([n for n in dir(tf) if n in ('good', 'bad', 'worse')])") == "['good']"
    broken = {s.name: s.broken for s in namespaces.sources(root).values() if s.broken}
    assert broken["ir.ops.bad"] == "line 1: there is no ir.ops.good.missing"
    assert broken["ir.ops.worse"] == "it imports ir.ops.bad"
    assert "ir.ops.worst" in broken


def test_packages_that_export_each_others_code_load(tmp_path: Path) -> None:
    """graphc.train exports what lies in graphc.data, which imports graphc.train's code, and the other way round."""
    root = tree(
        tmp_path,
        graphc__data__feed="from graphc.train.base import Base\n__exports__ = {'train.Feed data.Feed': 'Feed'}\nclass Feed(Base): pass\n",
        graphc__data__low="__exports__ = {'data.low': 'LOW'}\nLOW = 1\n",
        graphc__train__base="from graphc.data.low import LOW\n__exports__ = {'train.Base data.Base': 'Base'}\nclass Base:\n    low = LOW\n",
    )
    write(root)
    assert namespaces.entangled(namespaces.namespaces(namespaces.exports(namespaces.sources(root))), namespaces.sources(root)) == ["data", "train"]
    for first in ("graphc", "graphc.data.feed", "graphc.train.base", "graphc.data"):
        assert imports(root, f"import {first}; import graphc as tf; print(tf.train.Feed.low, tf.data.Base.low)") == "1 1"


def test_a_file_no_longer_wanted_is_stale(tmp_path: Path) -> None:
    root = tree(tmp_path, ir__ops__a="__exports__ = {'math.e': 'E'}\nE = 1\n")
    write(root)
    (root / "ir" / "ops" / "a.py").write_text("")
    assert root / "graphc" / "math.py" in namespaces.stale(root, namespaces.files(root))[1]
