"""Session: holds the variables of a graph, feeds, runs and fetches."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import jax
import numpy as np

from graphc.runtime import log
from graphc.runtime.config import ConfigProto, apply_gpu_options
from graphc.runtime.devices import DeviceAttributes, local_devices
from graphc.runtime.executable import Executable
from graphc.runtime.feed import expand, feed_array, feed_target
from graphc.runtime.fetch import FetchPlan, quick_key
from graphc.runtime.runner import Runner
from graphc.runtime.store import Store
from ir.build import export
from ir.convert import get_default_graph
from ir.cut import cut
from ir.errors import FailedPreconditionError, InvalidArgumentError, OpError, ResourceExhaustedError
from ir.graph import Graph
from ir.stacks import graphs, sessions
from ir.tensor import Operation, Tensor

MAX_PROGRAMS = 1024
_OBJECT = np.dtype(object)
_LOST = (
    "The variables of an earlier step were lost: it was interrupted, or ran out of memory, after it had taken their buffers. "
    "Run the initializer or restore the last checkpoint."
)


class _Entry:
    """One (fetches, feed keys) pair, prepared."""

    __slots__ = ("edits", "plan", "runner", "tensors")

    def __init__(self, plan: FetchPlan, runner: Runner, tensors: list[Tensor], edits: int) -> None:
        self.plan = plan
        self.runner = runner
        self.tensors = tensors
        self.edits = edits


class BaseSession:
    """What Session and InteractiveSession share."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: ConfigProto | None = None) -> None:
        if graph is not None and not isinstance(graph, Graph):
            raise TypeError(f"graph must be a tf.Graph, but got {type(graph)}")
        if config is not None and not isinstance(config, ConfigProto):
            raise TypeError(f"config must be a tf.ConfigProto, but got {type(config)}")
        if not isinstance(target, (str, bytes)):
            raise TypeError(f"target must be a string, but got {type(target)}")
        self._graph = graph if graph is not None else get_default_graph()
        self._config = config if config is not None else ConfigProto()
        self._target = target
        self._store = Store()
        self._closed = False
        self._entries: OrderedDict[Any, _Entry] = OrderedDict()
        self._targets: dict[Any, Tensor] = {}
        self._lock = threading.RLock()
        self._runs_between_growth = 0
        self._growths = 0
        self._graph_version = self._graph.version
        apply_gpu_options(self._config.gpu_options)

    @property
    def graph(self) -> Graph:
        """The graph this session runs."""
        return self._graph

    @property
    def graph_def(self) -> Any:
        """The graph as a GraphDef."""
        return self._graph.as_graph_def()

    @property
    def sess_str(self) -> str:
        """The target given when the session was made."""
        return self._target

    @property
    def store(self) -> Store:
        """The values of the variables, by name."""
        return self._store

    def list_devices(self) -> list[DeviceAttributes]:
        """Returns the devices programs can run on."""
        self._require_open()
        return local_devices()

    def executables(self) -> list[Executable]:
        """Returns what has been compiled for this session and is still kept: for cost, memory and aliasing analyses."""
        runners = {id(e.runner): e.runner for e in self._entries.values()}
        return [x for r in runners.values() for x in r.executables.values()]

    def close(self) -> None:
        """Frees the variables; the session cannot run any more."""
        self._closed = True
        self._entries.clear()
        self._store.clear()

    def _require_open(self) -> None:
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        if self._graph.version == 0:
            raise RuntimeError("The Session graph is empty.  Add operations to the graph before calling run().")

    def as_default(self) -> Any:
        """Makes this the session that `eval` and `run` use, inside a with statement."""
        return sessions.entered(self)

    # -- running -------------------------------------------------------------------------------------

    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """Runs what `fetches` need and returns their values.

        Args:
          fetches: a tensor, operation, variable, name, or any nest of them in lists, tuples, namedtuples and dicts.
          feed_dict: the values of tensors for this run: arrays, numbers, lists; any tensor may be fed.
          options, run_metadata: accepted; see `RunOptions`.

        Returns the nest with every tensor replaced by its value, a NumPy array of the caller's own (a NumPy scalar at rank 0), and every
        operation by None.

        Raises RuntimeError when the session is closed, TypeError and ValueError for fetches and feeds that do not fit the
        graph, and the classes of `tf.errors` for what fails in the run; every variable then has its old value.
        """
        if self._closed or self._graph.version == 0:
            self._require_open()
        pairs = self._pairs(feed_dict) if feed_dict is not None else ()
        key = quick_key(fetches)
        entry = None
        if key is not None:
            key = (key, tuple([t for t, _ in pairs]))
            entry = self._entries.get(key)
            if entry is not None and entry.edits != self._graph.version_of_edits:
                entry = None
        if entry is None:
            entry = self._prepare(key, fetches, [t for t, _ in pairs])
        feeds = [
            v if type(v) is np.ndarray and v.dtype is t.dtype.np_dtype and v.dtype is not _OBJECT else feed_array(t, v)
            for t, v in pairs
        ]  # fmt: skip
        return entry.plan.build(self._execute(entry, feeds))

    def _pairs(self, feed_dict: Any) -> list[tuple[Tensor, Any]]:
        if not isinstance(feed_dict, Mapping):
            raise TypeError(f"feed_dict must be a dictionary of tensor to value, got {type(feed_dict).__name__}")
        out: list[tuple[Tensor, Any]] = []
        targets = self._targets
        for key, value in feed_dict.items():
            try:
                found = targets.get(key)
            except TypeError:
                raise TypeError(f"Cannot interpret feed_dict key as Tensor: {key!r} of type {type(key).__name__}") from None
            if found is not None:
                out.append((found, value))
                continue
            for k, v in expand(key, value):
                tensor = feed_target(self._graph, k)
                if k is key:
                    targets[key] = tensor
                out.append((tensor, v))
        return out

    def _execute(self, entry: _Entry, feeds: list[Any]) -> list[Any]:
        self._runs_between_growth += 1
        runner = entry.runner
        try:
            ready = runner.ready(feeds)
            if ready is not None:  # shapes seen before need no check
                return ready(feeds)
            return runner.first([feed_array(t, v) for t, v in zip(entry.tensors, feeds, strict=True)])
        except OpError:
            raise
        except jax.errors.JaxRuntimeError as e:
            raise self._runtime_error(e) from e
        except RuntimeError as e:
            if "deleted" in str(e):
                raise FailedPreconditionError(None, None, _LOST) from e
            raise

    def _runtime_error(self, e: Exception) -> OpError:
        text = str(e)
        if "RESOURCE_EXHAUSTED" in text or "Out of memory" in text:
            return ResourceExhaustedError(
                None, None, f"{text}\nThe variables this step was about to update may be lost; restore them from the last checkpoint."
            )
        return InvalidArgumentError(None, None, text)

    def _prepare(self, key: Any, fetches: Any, fed: list[Tensor]) -> _Entry:
        plan = FetchPlan(self._graph, fetches)
        full = (tuple(plan.elements), tuple(fed))
        with self._lock:
            self._notice_growth()
            found = self._entries.get(full)
            if found is None or found.edits != self._graph.version_of_edits:
                program = cut(self._graph, plan.elements, fed)
                self._require_fed(program)
                name = _name(plan.elements)
                runner = Runner(self._store, program, name, lambda: secrets.randbits(64), eager=True)
                found = _Entry(plan, runner, fed, self._graph.version_of_edits)
                self._remember(full, found)
            entry = _Entry(plan, found.runner, fed, found.edits)
            if key is not None:
                self._remember(key, entry)
        return entry

    def _remember(self, key: Any, entry: _Entry) -> None:
        if len(self._entries) >= 2 * MAX_PROGRAMS:
            self._entries.popitem(last=False)
        self._entries[key] = entry

    def _notice_growth(self) -> None:
        """Warns when operations are added to the graph between runs, again and again: each new one is a new program."""
        version = self._graph.version
        if version != self._graph_version:
            self._graph_version = version
            self._growths = self._growths + 1 if self._runs_between_growth else 0
            self._runs_between_growth = 0
            if self._growths in (20, 200, 2000):
                log.graph_grows(version, self._graph.ops[-1])

    def _require_fed(self, program: Any) -> None:
        for node in program.nodes:
            if node.op.name == "Placeholder":
                op = node.origin
                shape = op.outputs[0].shape
                raise InvalidArgumentError(
                    None, op, f"You must feed a value for placeholder tensor '{op.name}' with dtype {op.outputs[0].dtype.name} and shape {shape}"
                )

    def make_callable(self, fetches: Any, feed_list: Any = None, accept_options: bool = False) -> Callable[..., Any]:
        """Returns a function that runs `fetches`, its arguments being the feeds for `feed_list` in order."""
        self._require_open()
        tensors = [feed_target(self._graph, f) for f in feed_list or []]

        def call(*args: Any, **kwargs: Any) -> Any:
            if len(args) != len(tensors):
                raise TypeError(f"the callable takes {len(tensors)} feeds, got {len(args)}")
            return self.run(fetches, dict(zip(tensors, args, strict=True)) if tensors else None)

        return call

    def compile_for(self, device: Any, fetches: Any, feed_shapes: Any = None) -> Any:
        """Compiles what a run would run for a device that need not be on this machine.

        Args:
          device: a JAX device, for example of `jax.experimental.topologies.get_topology_desc(...)`.
          fetches: as for `run`.
          feed_shapes: tensor -> shape of what is to be fed.

        Returns JAX's compiled program, whose `memory_analysis()` and `cost_analysis()` tell whether it fits and what it costs.
        """
        self._require_open()
        shapes = dict(feed_shapes or {})
        tensors = [feed_target(self._graph, k) for k in shapes]
        entry = self._prepare(None, fetches, tensors)
        types = [np.broadcast_to(np.zeros((), t.dtype.np_dtype), tuple(s)) for t, s in zip(tensors, shapes.values(), strict=True)]
        return entry.runner.compile_for(device, types)

    def partial_run_setup(self, fetches: Any, feeds: Any = None) -> Any:
        """Not supported: raises NotImplementedError."""
        raise NotImplementedError("partial runs are not supported: fetch everything in one run, or feed what was fetched before")


def _name(elements: Sequence[Tensor | Operation]) -> str:
    if not elements:
        return "graphc_run"
    first = elements[-1]
    text = first.op.name if isinstance(first, Tensor) else first.name
    return "run_" + "".join(c if c.isalnum() else "_" for c in text)[:60]


@export("Session")
class Session(BaseSession):
    """Runs operations of a graph and holds the values of its variables.

    Args:
      target: accepted for compatibility; there is only this process.
      graph: the graph to run; by default the default graph.
      config: a `ConfigProto`.

    >>> from ir.convert import constant
    >>> with Graph().as_default(), Session() as sess:
    ...     sess.run(constant(2) + 3)
    np.int32(5)
    """

    def __init__(self, target: str = "", graph: Graph | None = None, config: ConfigProto | None = None) -> None:
        super().__init__(target, graph, config)
        self._contexts: list[Any] = []

    def __enter__(self) -> "Session":
        context = (self.graph.as_default(), self.as_default())
        for c in context:
            c.__enter__()
        self._contexts.append(context)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for c in reversed(self._contexts.pop()):
            c.__exit__(kind, value, trace)
        if not self._contexts:
            self.close()

    @staticmethod
    def reset(target: str, containers: Any = None, config: Any = None) -> None:
        """Accepted for compatibility: there is no server to reset."""


@export("InteractiveSession")
class InteractiveSession(BaseSession):
    """A Session that makes itself the default when it is made, for shells and notebooks."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: ConfigProto | None = None) -> None:
        super().__init__(target, graph, config)
        self._explicit = graph is not None
        if self._explicit:
            graphs.items.append(self._graph)
        sessions.items.append(self)

    def close(self) -> None:
        """Frees the variables and stops being the default."""
        super().close()
        sessions.remove(self)
        if self._explicit:
            graphs.remove(self._graph)
