"""Event files: what TensorBoard reads."""

import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphc.platform.records import framed, open_records, read_records
from graphc.summary.protos import Event
from ir.build import export

_numbers = itertools.count()


class EventFileWriter:
    """Writes events to a file of its own in a folder; other threads may use it too.

    The file is handed to the operating system after `max_queue` events, and `flush_secs` after an event at the latest.
    """

    def __init__(self, logdir: str, max_queue: int = 10, flush_secs: float = 120, filename_suffix: str | None = None) -> None:
        Path(logdir).mkdir(parents=True, exist_ok=True)
        self.logdir = logdir
        self.max_queue = max_queue
        self.flush_secs = flush_secs
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}{filename_suffix or ''}"
        self.path = str(Path(logdir) / name)
        self._lock = threading.Lock()
        self._file: Any = Path(self.path).open("ab")  # noqa: SIM115 (it is open as long as the writer)
        self._waiting = 0
        self._timer: threading.Timer | None = None
        self.add_event(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self.flush()

    def add_event(self, event: Any) -> None:
        """Writes an event; after `close`, the file is opened again."""
        data = framed(event.SerializeToString())
        with self._lock:
            if self._file.closed:
                self._file = Path(self.path).open("ab")  # noqa: SIM115
            self._file.write(data)
            self._waiting += 1
            if self._waiting > self.max_queue:
                self._flush()
            elif self._timer is None:
                self._timer = threading.Timer(self.flush_secs, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = 0
        if not self._file.closed:
            self._file.flush()

    def flush(self) -> None:
        """Hands everything written to the operating system."""
        with self._lock:
            self._flush()

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._flush()
            self._file.close()


@export("train.summary_iterator")
def summary_iterator(path: str) -> Iterator[Any]:
    """Yields the events of an event file, as `tf.Event` messages.

    Raises NotFoundError when there is no such file, DataLossError where it is damaged.
    """
    with open_records(path) as stream:
        for record in read_records(stream):
            yield Event.FromString(record)
