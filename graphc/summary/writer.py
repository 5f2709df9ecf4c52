"""`tf.summary.FileWriter`: summaries, graphs and what else TensorBoard shows, written to event files."""

import threading
import time
import warnings
from typing import Any, ClassVar

from graphc.summary.events import EventFileWriter
from graphc.summary.protos import Event, RunMetadata, SessionLog, Summary, TaggedRunMetadata
from ir.build import export
from ir.convert import get_default_graph
from ir.graph import Graph
from ir.graphdef.protos import GraphDef, MetaGraphDef


@export("summary.FileWriter")
class FileWriter:
    """Writes summaries and graphs to an event file in a folder, for TensorBoard; a context manager that closes it.

    Args:
      logdir: the folder, which is made when there is none.
      graph: a graph to show.
      max_queue: hand the file to the operating system after so many events.
      flush_secs: and so many seconds after an event at the latest.
      graph_def: a GraphDef to show, instead of `graph`.
      filename_suffix: ends the name of the file.
      session: accepted for compatibility.
    """

    def __init__(
        self, logdir: str, graph: Any = None, max_queue: int = 10, flush_secs: float = 120, graph_def: Any = None, filename_suffix: str | None = None,
        session: Any = None,
    ) -> None:  # fmt: skip
        self.event_writer = EventFileWriter(logdir, max_queue, flush_secs, filename_suffix)
        self._closed = False
        self._described: set[str] = set()
        self._profiled: set[str] = set()
        if graph is not None or graph_def is not None:
            self.add_graph(graph=graph, graph_def=graph_def)

    def get_logdir(self) -> str:
        """Returns the folder."""
        return self.event_writer.logdir

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """Writes a summary: what a summary operation gave, or a `tf.Summary` message.

        Args:
          summary: bytes or a message.
          global_step: the step to show it at.
        """
        if isinstance(summary, bytes):
            summary = Summary.FromString(summary)
        for value in summary.value:  # what plugins are told of a tag need be said once
            if value.metadata.ByteSize():
                if value.tag in self._described:
                    value.ClearField("metadata")
                else:
                    self._described.add(value.tag)
        self._add(Event(summary=summary), global_step)

    def add_graph(self, graph: Any, global_step: Any = None, graph_def: Any = None) -> None:
        """Writes a graph.

        Args:
          graph: a `tf.Graph`.
          global_step: the step to show it at.
          graph_def: a GraphDef, instead of `graph`.

        Raises ValueError when both are given, or neither; TypeError for anything else.
        """
        if graph is not None and graph_def is not None:
            raise ValueError("Please pass only graph, or graph_def (deprecated), but not both.")
        shown = graph if graph is not None else graph_def
        if isinstance(shown, Graph):
            shown = shown.as_graph_def(add_shapes=True)
        elif shown is None:
            raise ValueError("a graph is needed")
        elif not hasattr(shown, "SerializeToString"):
            raise TypeError(f"The passed graph must be an instance of `Graph` or the deprecated `GraphDef`, got {type(shown).__name__}")
        self._add(Event(graph_def=GraphDef.FromString(shown.SerializeToString()).SerializeToString()), global_step)

    def add_meta_graph(self, meta_graph_def: Any, global_step: Any = None) -> None:
        """Writes a MetaGraphDef. Raises TypeError for anything else."""
        if not isinstance(meta_graph_def, MetaGraphDef):
            raise TypeError(f"meta_graph_def must be type MetaGraphDef, saw type: {type(meta_graph_def)}")
        self._add(Event(meta_graph_def=meta_graph_def.SerializeToString()), global_step)

    def add_run_metadata(self, run_metadata: Any, tag: str, global_step: Any = None) -> None:
        """Writes what was recorded of one run. Raises ValueError when there is something under `tag` already."""
        if tag in self._profiled:
            raise ValueError("The provided tag was already used for this event type")
        self._profiled.add(tag)
        data = run_metadata.SerializeToString() if hasattr(run_metadata, "SerializeToString") else RunMetadata().SerializeToString()
        self._add(Event(tagged_run_metadata=TaggedRunMetadata(tag=tag, run_metadata=data)), global_step)

    def add_session_log(self, session_log: Any, global_step: Any = None) -> None:
        """Writes a `tf.SessionLog` message."""
        if not isinstance(session_log, SessionLog):
            raise TypeError(f"session_log must be a tf.SessionLog, got {type(session_log).__name__}")
        self._add(Event(session_log=session_log), global_step)

    def _add(self, event: Any, step: Any) -> None:
        event.wall_time = time.time()
        if step is not None:
            event.step = int(step)
        self.add_event(event)

    def add_event(self, event: Any) -> None:
        """Writes a `tf.Event` message. Nothing happens when the writer is closed."""
        self._warn_if_closed()
        if not self._closed:
            self.event_writer.add_event(event)

    def _warn_if_closed(self) -> None:
        if self._closed:
            warnings.warn("Attempting to use a closed FileWriter. The operation will be a noop unless the FileWriter is explicitly reopened.", stacklevel=4)

    def flush(self) -> None:
        """Hands everything written to the operating system."""
        self._warn_if_closed()
        self.event_writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self.event_writer.close()
        self._closed = True

    def reopen(self) -> None:
        """Goes on with the same file after `close`."""
        self._closed = False

    def __enter__(self) -> "FileWriter":
        """Returns the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self.close()


@export("summary.FileWriterCache")
class FileWriterCache:
    """One `FileWriter` per folder."""

    _cache: ClassVar[dict[str, FileWriter]] = {}
    _lock = threading.RLock()

    @staticmethod
    def clear() -> None:
        """Closes and forgets all writers."""
        with FileWriterCache._lock:
            for writer in FileWriterCache._cache.values():
                writer.close()
            FileWriterCache._cache.clear()

    @staticmethod
    def get(logdir: str) -> FileWriter:
        """Returns the writer of a folder, made with the default graph when there is none."""
        with FileWriterCache._lock:
            if logdir not in FileWriterCache._cache:
                FileWriterCache._cache[logdir] = FileWriter(logdir, graph=get_default_graph())
            return FileWriterCache._cache[logdir]
