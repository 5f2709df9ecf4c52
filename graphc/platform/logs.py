"""`tf.logging`: the logger called "graphc", which the runtime writes to as well, so that one verbosity rules both."""

import logging
import threading
from collections import Counter
from typing import Any

from ir.build import export

DEBUG = logging.DEBUG
INFO = logging.INFO
WARN = logging.WARNING
ERROR = logging.ERROR
FATAL = logging.FATAL

__exports__ = {"logging.DEBUG": "DEBUG", "logging.INFO": "INFO", "logging.WARN": "WARN", "logging.ERROR": "ERROR", "logging.FATAL": "FATAL"}

_logger = logging.getLogger("graphc")
_counts: Counter[tuple[str, int]] = Counter()
_lock = threading.Lock()


def _configure() -> None:
    """Gives the logger a handler of its own when the program has configured no logging."""
    if _logger.hasHandlers():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname).1s%(asctime)s %(name)s] %(message)s", "%m%d %H:%M:%S"))
    _logger.addHandler(handler)


@export("logging.log")
def log(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    """Logs `msg % args` at `level`."""
    _configure()
    _logger.log(level, msg, *args, stacklevel=kwargs.pop("stacklevel", 2), **kwargs)


@export("logging.debug")
def debug(msg: str, *args: Any, **kwargs: Any) -> None:
    """Logs at DEBUG."""
    log(DEBUG, msg, *args, stacklevel=3, **kwargs)


@export("logging.info")
def info(msg: str, *args: Any, **kwargs: Any) -> None:
    """Logs at INFO, which is shown after `set_verbosity(INFO)`."""
    log(INFO, msg, *args, stacklevel=3, **kwargs)


@export("logging.warn logging.warning")
def warn(msg: str, *args: Any, **kwargs: Any) -> None:
    """Logs at WARN."""
    log(WARN, msg, *args, stacklevel=3, **kwargs)


@export("logging.error")
def error(msg: str, *args: Any, **kwargs: Any) -> None:
    """Logs at ERROR."""
    log(ERROR, msg, *args, stacklevel=3, **kwargs)


@export("logging.fatal")
def fatal(msg: str, *args: Any, **kwargs: Any) -> None:
    """Logs at FATAL; does not end the program."""
    log(FATAL, msg, *args, stacklevel=3, **kwargs)


@export("logging.vlog")
def vlog(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    """Logs at `level`, as `log` does."""
    log(level, msg, *args, stacklevel=3, **kwargs)


@export("logging.log_if")
def log_if(level: int, msg: str, condition: Any, *args: Any) -> None:
    """Logs when `condition` holds."""
    if condition:
        log(level, msg, *args, stacklevel=3)


def _count(msg: str, n: int) -> int:
    with _lock:
        _counts[msg, n] += 1
        return _counts[msg, n] - 1


@export("logging.log_every_n")
def log_every_n(level: int, msg: str, n: int, *args: Any) -> None:
    """Logs the first and then every `n`-th call with this message."""
    log_if(level, msg, _count(msg, n) % n == 0, *args)


@export("logging.log_first_n")
def log_first_n(level: int, msg: str, n: int, *args: Any) -> None:
    """Logs the first `n` calls with this message."""
    log_if(level, msg, _count(msg, -n) < n, *args)


@export("logging.TaskLevelStatusMessage")
def task_level_status_message(msg: str) -> None:
    """Logs at ERROR."""
    error(msg)


@export("logging.flush")
def flush() -> None:
    """Makes sure that everything logged is written."""
    for handler in _logger.handlers:
        handler.flush()


@export("logging.get_verbosity")
def get_verbosity() -> int:
    """Returns the level below which nothing is shown."""
    return _logger.getEffectiveLevel()


@export("logging.set_verbosity")
def set_verbosity(v: int | str) -> None:
    """Sets the level below which nothing is shown: `tf.logging.INFO`, or its name.

    >>> set_verbosity(ERROR)
    >>> get_verbosity()
    40
    >>> set_verbosity(WARN)
    """
    _logger.setLevel(v)
