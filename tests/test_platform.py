"""Flags, app.run, logging, texts."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import graphc as tf

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """
import sys
import graphc as tf
tf.flags.DEFINE_string("data_dir", "/data", "where")
tf.app.flags.DEFINE_integer(flag_name="steps", default_value=3, docstring="how many")
tf.flags.DEFINE_bool("fast", False, "whether")
FLAGS = tf.flags.FLAGS
print(FLAGS.steps, FLAGS.fast, "data_dir" in FLAGS)      # read before app.run
FLAGS.fast = True
def main(argv):
    print(FLAGS.data_dir, FLAGS.steps, FLAGS.fast, argv[1:])
    return 5
tf.app.run()
"""


def test_flags_and_app_run() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, "--steps=7", "--data_dir", "/x", "rest"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["7 False True", "/x 7 True ['rest']"], done.stderr
    assert done.returncode == 5


def test_unknown_arguments_do_no_harm_before_app_run() -> None:
    program = "import graphc as tf; tf.flags.DEFINE_float('rate', 0.5, ''); print(tf.flags.FLAGS.rate)"
    done = subprocess.run([sys.executable, "-c", program, "-f", "kernel.json", "--rate=2"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2.0"


def test_logging_goes_through_one_logger(caplog: pytest.LogCaptureFixture) -> None:
    before = tf.logging.get_verbosity()
    try:
        tf.logging.set_verbosity(tf.logging.INFO)
        tf.logging.info("step %d", 3)
        tf.logging.debug("not shown")
        for i in range(5):
            tf.logging.log_every_n(tf.logging.WARN, "every %d", 2, i)
            tf.logging.log_first_n(tf.logging.WARN, "first %d", 2, i)
        tf.logging.set_verbosity("ERROR")
        tf.logging.warning("not shown either")
    finally:
        tf.logging.set_verbosity(before)
    assert [r.getMessage() for r in caplog.records] == ["step 3", "every 0", "first 0", "first 1", "every 2", "every 4"]
    assert caplog.records[0].levelno == logging.INFO
    assert caplog.records[0].filename == Path(__file__).name


def test_texts() -> None:
    assert tf.compat.as_bytes("ü") == b"\xc3\xbc" == tf.compat.as_bytes(b"\xc3\xbc")
    assert tf.compat.as_text(b"\xc3\xbc") == "ü" == tf.compat.as_str("ü")
    assert tf.compat.as_str_any(3) == "3"
    assert tf.compat.path_to_str(Path("a")) == "a"
    with pytest.raises(TypeError, match="Expected binary or unicode string"):
        tf.compat.as_bytes(3)
    assert isinstance(3, tf.compat.integral_types)
