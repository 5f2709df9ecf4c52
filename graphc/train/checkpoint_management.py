"""The file "checkpoint" of a directory of checkpoints, which says which there are and which is the latest."""

import glob
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf import text_format

from graphc.io.bundle import index_path
from graphc.io.bundle_writer import write_atomically
from graphc.io.messages import CheckpointStateProto
from ir.build import export

logger = logging.getLogger("graphc")

#: a message with `model_checkpoint_path`, `all_model_checkpoint_paths`, `all_model_checkpoint_timestamps`, `last_preserved_timestamp`
CheckpointState = CheckpointStateProto


def state_path(save_dir: str, latest_filename: str | None = None) -> str:
    """Returns where the state of the checkpoints in `save_dir` is kept."""
    return os.path.join(save_dir, latest_filename or "checkpoint")


def _relative(path: str, save_dir: str) -> str:
    return path if os.path.isabs(path) else os.path.relpath(path, save_dir)


@export("train.generate_checkpoint_state_proto")
def generate_checkpoint_state_proto(
    save_dir: Any, model_checkpoint_path: Any, all_model_checkpoint_paths: Sequence[Any] | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None, last_preserved_timestamp: float | None = None,
) -> Any:  # fmt: skip
    """Returns the CheckpointState of a directory. Relative paths become relative to `save_dir` when that is relative too.

    Args:
      save_dir: the directory.
      model_checkpoint_path: the latest checkpoint.
      all_model_checkpoint_paths: all that are kept, the oldest first; the latest is added when it is not the last of them.
      all_model_checkpoint_timestamps: when each was made.
      last_preserved_timestamp: when one was last kept for good.

    Raises ValueError when there are more or fewer timestamps than paths.
    """
    save_dir, latest = os.fsdecode(save_dir), os.fsdecode(model_checkpoint_path)
    paths = [os.fsdecode(p) for p in all_model_checkpoint_paths or []]
    if not paths or paths[-1] != latest:
        paths.append(latest)
    times = list(all_model_checkpoint_timestamps or [])
    if times and len(times) != len(paths):
        raise ValueError(f"Checkpoint timestamps, if provided, must match checkpoint paths (got paths {paths} and timestamps {times})")
    if not os.path.isabs(save_dir):
        latest, paths = _relative(latest, save_dir), [_relative(p, save_dir) for p in paths]
    return CheckpointState(
        model_checkpoint_path=latest, all_model_checkpoint_paths=paths, all_model_checkpoint_timestamps=times, last_preserved_timestamp=last_preserved_timestamp
    )


@export("train.update_checkpoint_state")
def update_checkpoint_state(
    save_dir: Any, model_checkpoint_path: Any, all_model_checkpoint_paths: Sequence[Any] | None = None, latest_filename: str | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None, last_preserved_timestamp: float | None = None,
) -> None:  # fmt: skip
    """Writes the file "checkpoint" (or `latest_filename`) of `save_dir`; see `generate_checkpoint_state_proto`.

    A kill leaves the old file or the new one. Raises RuntimeError when the checkpoint has the name of that file.
    """
    update_state(
        save_dir, model_checkpoint_path, all_model_checkpoint_paths, latest_filename, False, all_model_checkpoint_timestamps, last_preserved_timestamp
    )


def update_state(
    save_dir: Any, model_checkpoint_path: Any, all_model_checkpoint_paths: Sequence[Any] | None = None, latest_filename: str | None = None,
    save_relative_paths: bool = False, all_model_checkpoint_timestamps: Sequence[float] | None = None, last_preserved_timestamp: float | None = None,
) -> None:  # fmt: skip
    """`update_checkpoint_state`, which with `save_relative_paths` writes absolute paths as relative to `save_dir` too."""
    save_dir = os.fsdecode(save_dir)
    target = state_path(save_dir, latest_filename)
    latest = os.fsdecode(model_checkpoint_path)
    paths = [os.fsdecode(p) for p in all_model_checkpoint_paths or []]
    if save_relative_paths:
        latest = os.path.relpath(latest, save_dir) if os.path.isabs(latest) else latest
        paths = [os.path.relpath(p, save_dir) if os.path.isabs(p) else p for p in paths]
    state = generate_checkpoint_state_proto(save_dir, latest, paths, all_model_checkpoint_timestamps, last_preserved_timestamp)
    if target == state.model_checkpoint_path:
        raise RuntimeError(f"Save path '{latest}' conflicts with path used for checkpoint state.  Please use a different save path.")
    write_atomically(target, text_format.MessageToString(state).encode())


@export("train.get_checkpoint_state")
def get_checkpoint_state(checkpoint_dir: Any, latest_filename: str | None = None) -> Any:
    """Returns the CheckpointState of a directory, its paths joined with the directory, or None when there is none that can be read.

    Raises ValueError when the file names no checkpoint.
    """
    directory = os.fsdecode(checkpoint_dir)
    target = state_path(directory, latest_filename)
    state = CheckpointState()
    try:
        with open(target, encoding="utf-8") as f:
            text_format.Merge(f.read(), state)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, text_format.ParseError) as e:
        logger.warning("%s: %s", type(e).__name__, e)
        logger.warning("%s: Checkpoint ignored", target)
        return None
    if not state.model_checkpoint_path:
        raise ValueError(f"Invalid checkpoint state loaded from {directory}")
    state.model_checkpoint_path = os.path.join(directory, state.model_checkpoint_path)
    for i, p in enumerate(state.all_model_checkpoint_paths):
        state.all_model_checkpoint_paths[i] = os.path.join(directory, p)
    return state


@export("train.latest_checkpoint")
def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """Returns the prefix of the latest checkpoint in a directory, or None when there is none."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    if checkpoint_exists(state.model_checkpoint_path):
        return state.model_checkpoint_path
    logger.error("Couldn't match files for checkpoint %s", state.model_checkpoint_path)
    return None


def _files(prefix: str) -> list[str]:
    """The files that show that a checkpoint is there, of the newer format or of the first."""
    return [p for p in (index_path(prefix), prefix) if os.path.isfile(p)] or sorted(glob.glob(index_path(prefix))) or sorted(glob.glob(prefix))


@export("train.checkpoint_exists")
def checkpoint_exists(checkpoint_prefix: Any) -> bool:
    """Returns whether there is a checkpoint of this prefix, of either format."""
    return any(os.path.isfile(p) for p in _files(os.fsdecode(checkpoint_prefix)))


@export("train.get_checkpoint_mtimes")
def get_checkpoint_mtimes(checkpoint_prefixes: Iterable[Any]) -> list[float]:
    """Returns when checkpoints were written, in seconds; those that are not there are left out."""
    found = [_files(os.fsdecode(p)) for p in checkpoint_prefixes]
    return [os.stat(f[0]).st_mtime for f in found if f]


@export("train.remove_checkpoint")
def remove_checkpoint(checkpoint_prefix: Any, checkpoint_format_version: int = 2, meta_graph_suffix: str = "meta") -> None:
    """Deletes a checkpoint and its graph, the index first, so that a kill leaves no half of it that looks whole."""
    prefix = os.fsdecode(checkpoint_prefix)
    escaped = glob.escape(prefix)
    data = [index_path(prefix), *sorted(glob.glob(escaped + ".data-?????-of-?????"))] if checkpoint_format_version == 2 else sorted(glob.glob(prefix))
    for path in [*data, meta_graph_filename(prefix, meta_graph_suffix)]:
        if os.path.isfile(path):
            os.unlink(path)


def meta_graph_filename(checkpoint_filename: str, meta_graph_suffix: str = "meta") -> str:
    """Returns the name of the file with the graph of a checkpoint."""
    return re.sub(r"-[\d\?]+-of-\d+$", "", checkpoint_filename) + "." + meta_graph_suffix


@export("train.checkpoints_iterator")
def checkpoints_iterator(checkpoint_dir: Any, min_interval_secs: float = 0, timeout: float | None = None, timeout_fn: Any = None) -> Iterator[str]:
    """Yields each new latest checkpoint of a directory, waiting for it.

    Args:
      checkpoint_dir: the directory.
      min_interval_secs: the least time between two of them.
      timeout: the longest time to wait; None waits forever.
      timeout_fn: called when that has passed; the iteration ends when it returns True, or when it is None.
    """
    last = None
    while True:
        start = time.monotonic()
        new = latest_checkpoint(checkpoint_dir)
        while (new is None or new == last) and (timeout is None or time.monotonic() - start <= timeout):
            time.sleep(min(1.0, timeout / 10 if timeout else 1.0))
            new = latest_checkpoint(checkpoint_dir)
        if new is None or new == last:
            if not timeout_fn:
                logger.info("Timed-out waiting for a checkpoint.")
                return
            if timeout_fn():
                return
            continue
        last = new
        begun = time.monotonic()
        yield new
        time.sleep(max(0.0, begun + min_interval_secs - time.monotonic()))
