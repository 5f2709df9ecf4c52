"""Rows of the ops that name the shards of checkpoints; those that save and restore are in tests/test_checkpoint.py."""

from typing import Any

import numpy as np

from ir.ops import save
from tests.rowdef import Row


def _text(value: str) -> Any:
    return np.array(value.encode(), dtype=object)


ROWS = [
    Row("ShardedFilename", lambda i, n: save.sharded_filename("a/b", i, n), [np.int32(1), np.int32(12)], lambda i, n: _text("a/b-00001-of-00012")),
    Row("ShardedFilespec", lambda n: save.sharded_filespec("a/b", n), [np.int32(3)], lambda n: _text("a/b-?????-of-00003")),
]
ERRORS = []
