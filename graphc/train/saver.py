"""Saver: saves the variables of a Session to checkpoints and restores them; graphs with their collections as `.meta` files."""

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorboard.compat.proto import trackable_object_graph_pb2

from graphc.io.bundle_writer import write_bundle
from graphc.io.checkpoint_reader import CheckpointReader
from graphc.train import saver_nodes
from graphc.train.checkpoint_management import checkpoint_exists, get_checkpoint_mtimes, meta_graph_filename, remove_checkpoint, update_state
from graphc.train.saver_nodes import SaverDef
from graphc.train.saver_plan import Plan, items_of, key_of, plan_of, read_all, read_counters
from graphc.train.training_util import global_step as value_of_step
from graphc.variables.base import BaseVariable, VariableDef, in_scope, without_scope
from graphc.variables.variable import Variable
from ir.build import export
from ir.convert import get_default_graph
from ir.errors import InvalidArgumentError, NotFoundError
from ir.graph import Graph
from ir.graphdef.meta_graph import import_meta_graph_def, meta_graph_of, read_meta_graph, register_proto_function, write_meta_graph
from ir.scopes import GraphKeys

_protos: Any = trackable_object_graph_pb2
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_MISMATCH = (
    "Restoring from checkpoint failed. This is most likely due to {} from the graph that you want to use and the checkpoint. "
    "Please ensure that you have not altered the graph expected based on the checkpoint. Original error:\n\n{}"
)


def saveable_variables() -> list[Any]:
    """Returns what a Saver saves when it is not told: the global variables and the collection of saveable objects."""
    graph = get_default_graph()
    found = [*graph.get_collection(GraphKeys.GLOBAL_VARIABLES), *graph.get_collection(GraphKeys.SAVEABLE_OBJECTS)]
    return list(dict.fromkeys(found))


@export("train.Saver")
class Saver:
    """Saves variables to checkpoints and restores them.

    Args:
      var_list: the variables: a list, or a dict by the names they are to have; by default all global variables.
      reshape: restore variables whose shape differs as long as they have as many elements.
      sharded: one data file for each device that variables are placed on.
      max_to_keep: how many of the latest checkpoints to keep; 0 or None keeps all.
      keep_checkpoint_every_n_hours: beside these keep one every so many hours.
      name: the name scope of the nodes, "save" by default.
      restore_sequentially: accepted; variables are restored together.
      saver_def: makes a Saver for nodes that are in the graph already.
      builder: not supported.
      defer_build: add the nodes only when `build`, or the first save or restore, asks for them.
      allow_empty: with no variables make a Saver that does nothing, instead of raising ValueError.
      write_version: SaverDef.V2; the first format is read only.
      pad_step_number: write steps with at least 8 digits.
      save_relative_paths: have the file "checkpoint" name checkpoints relative to itself.
      filename: the default of the file's tensor.

    A checkpoint is written under other names first, and renamed, its index last: a kill at any moment leaves the one before. A Saver of all global
    variables saves and restores the counters of random operations too, so that a resumed run draws the numbers the uninterrupted one would have.
    """

    def __init__(
        self, var_list: Any = None, reshape: bool = False, sharded: bool = False, max_to_keep: int | None = 5, keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None, restore_sequentially: bool = False, saver_def: Any = None, builder: Any = None, defer_build: bool = False,
        allow_empty: bool = False, write_version: int = 2, pad_step_number: bool = False, save_relative_paths: bool = False, filename: str | None = None,
    ) -> None:  # fmt: skip
        if defer_build and var_list:
            raise ValueError("If `var_list` is provided then build cannot be deferred. Either set defer_build=False or var_list=None.")
        if builder is not None:
            raise NotImplementedError("builder is not supported: a Saver writes the checkpoint by itself")
        self._var_list, self._reshape, self._sharded = var_list, reshape, sharded
        self._max_to_keep, self._keep_hours, self._name = max_to_keep, keep_checkpoint_every_n_hours, name
        self._allow_empty, self._write_version, self._filename = allow_empty, write_version, filename
        self._pad_step_number, self._save_relative_paths = pad_step_number, save_relative_paths
        self._is_built = self._is_empty = False
        self.saver_def: Any = None
        self._plans: tuple[Any, Plan] | None = None
        self._last_checkpoints: list[tuple[str, float]] = []
        self._checkpoints_to_be_deleted: list[tuple[str, float]] = []
        self._next_checkpoint_time = time.time() + keep_checkpoint_every_n_hours * 3600
        if saver_def is not None:
            if not isinstance(saver_def, SaverDef):
                raise ValueError(f"saver_def must be a saver_pb2.SaverDef: {saver_def}")
            self._adopt(saver_def)
        elif not defer_build:
            self.build()

    def _adopt(self, saver_def: Any) -> None:
        for part in ("save_tensor_name", "restore_op_name", "filename_tensor_name"):
            if not getattr(saver_def, part):
                raise ValueError(f"saver_def must specify the {part}: {saver_def}")
        self.saver_def = saver_def
        self._max_to_keep, self._keep_hours = saver_def.max_to_keep, saver_def.keep_checkpoint_every_n_hours
        self._next_checkpoint_time = time.time() + self._keep_hours * 3600
        self._sharded, self._write_version = saver_def.sharded, saver_def.version
        self._is_built = True

    def build(self) -> None:
        """Adds the nodes to the default graph, once. Raises ValueError when there are no variables."""
        if self._is_built:
            return
        self._is_built = True
        if self._var_list is None:
            self._var_list = saveable_variables()
        if not self._var_list:
            if not self._allow_empty:
                raise ValueError("No variables to save")
            self._is_empty = True
            return
        file, saved, restored = saver_nodes.build(
            saver_nodes.saveables_of(self._var_list), self._name, self._filename, self._sharded, self._reshape
        )
        self.saver_def = SaverDef(
            filename_tensor_name=file, save_tensor_name=saved, restore_op_name=restored, max_to_keep=self._max_to_keep or 0,
            sharded=self._sharded, keep_checkpoint_every_n_hours=self._keep_hours, version=self._write_version,
        )  # fmt: skip

    def _ready(self) -> None:
        if not self._is_built:
            self.build()

    # -- which there are -----------------------------------------------------------------------------

    @property
    def last_checkpoints(self) -> list[str]:
        """The checkpoints that are kept, the oldest first."""
        return [p for p, _ in self._last_checkpoints]

    def set_last_checkpoints(self, last_checkpoints: Sequence[str]) -> None:
        """Deprecated: sets the list of checkpoints; when they were made is taken as unknown."""
        if not isinstance(last_checkpoints, list):
            raise AssertionError(f"last_checkpoints must be a list, got {type(last_checkpoints).__name__}")
        self._last_checkpoints = [(p, np.inf) for p in last_checkpoints]

    def set_last_checkpoints_with_time(self, last_checkpoints_with_time: list[tuple[str, float]]) -> None:
        """Sets the list of checkpoints and times, the oldest first."""
        if not isinstance(last_checkpoints_with_time, list):
            raise AssertionError(f"last_checkpoints_with_time must be a list, got {type(last_checkpoints_with_time).__name__}")
        self._last_checkpoints = last_checkpoints_with_time

    def recover_last_checkpoints(self, checkpoint_paths: Sequence[str]) -> None:
        """Takes over, after a crash, the checkpoints of `checkpoint_paths` that are there, the oldest first, as made at their files' times."""
        found = [p for p in checkpoint_paths if checkpoint_exists(p)]
        self.set_last_checkpoints_with_time(list(zip(found, get_checkpoint_mtimes(found), strict=True)))

    def _record(self, path: str) -> None:
        if not self._max_to_keep:
            return
        for old in [c for c in self._last_checkpoints if c[0] == path]:
            self._last_checkpoints.remove(old)
        self._last_checkpoints.append((path, time.time()))
        if len(self._last_checkpoints) > self._max_to_keep:
            self._checkpoints_to_be_deleted.append(self._last_checkpoints.pop(0))

    def _delete_old(self, meta_graph_suffix: str) -> None:
        if not self._checkpoints_to_be_deleted:
            return
        path, made = self._checkpoints_to_be_deleted.pop(0)
        if made > self._next_checkpoint_time:
            self._next_checkpoint_time += self._keep_hours * 3600
            return
        remove_checkpoint(path, 2, meta_graph_suffix)

    # -- saving --------------------------------------------------------------------------------------

    def save(
        self, sess: Any, save_path: Any, global_step: Any = None, latest_filename: str | None = None, meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True, write_state: bool = True, strip_default_attrs: bool = False, save_debug_info: bool = False,
    ) -> str | None:  # fmt: skip
        """Writes a checkpoint of the variables in `sess`.

        Args:
          sess: the Session.
          save_path: the prefix of the files' names.
          global_step: a number, or the variable or tensor with it, to append to the prefix.
          latest_filename: the name of the file that lists the checkpoints, "checkpoint" by default.
          meta_graph_suffix: what ends the name of the graph's file.
          write_meta_graph: write the graph too.
          write_state: note the checkpoint in that file, and delete those that are not to be kept.
          strip_default_attrs: leave out of the graph attributes that have their default.
          save_debug_info: accepted.

        Returns the prefix, or None when there are no variables.

        Raises TypeError when `sess` is no Session, ValueError for a path that cannot be, FailedPreconditionError when a variable has no value.
        """
        self._ready()
        latest_filename = latest_filename or "checkpoint"
        if os.path.split(latest_filename)[0]:
            raise ValueError("'latest_filename' must not contain path components")
        if not hasattr(sess, "store"):
            raise TypeError(f"'sess' must be a Session; {sess}")
        path = os.fsdecode(save_path)
        parent = os.path.dirname(path)
        if global_step is not None:
            step = global_step if isinstance(global_step, (int, np.integer)) else value_of_step(sess, global_step)
            path = f"{path}-{step:08d}" if self._pad_step_number else f"{path}-{step:d}"
        if not self._is_empty:
            self._write(sess, path, parent)
            if write_state:
                self._record(path)
                update_state(parent, path, self.last_checkpoints, latest_filename, self._save_relative_paths)
                self._delete_old(meta_graph_suffix)
        if write_meta_graph:
            with sess.graph.as_default():
                self.export_meta_graph(meta_graph_filename(path, meta_graph_suffix), strip_default_attrs=strip_default_attrs)
        return None if self._is_empty else path

    def _write(self, sess: Any, path: str, parent: str) -> None:
        plan = self._plan(sess.graph)
        sess.store.exact = True
        try:
            if plan.saved is None:
                sess.run(self.saver_def.save_tensor_name, {self.saver_def.filename_tensor_name: path})
            else:
                write_bundle(path, items_of(plan, sess, self._covers_all(sess.graph, plan)), plan.shards)
        except (NotFoundError, FileNotFoundError) as e:
            if parent and not os.path.isdir(parent):
                raise ValueError(f"Parent directory of {path} doesn't exist, can't save.") from e
            raise

    def _plan(self, graph: Graph) -> Plan:
        if self._plans is None or self._plans[0] != (graph, graph.version_of_edits):
            d = self.saver_def
            save, restore = graph.as_graph_element(d.save_tensor_name), graph.as_graph_element(d.restore_op_name)
            self._plans = (graph, graph.version_of_edits), plan_of(graph, save.op, restore)
        return self._plans[1]

    @staticmethod
    def _covers_all(graph: Graph, plan: Plan) -> bool:
        """Whether the Saver is for all global variables, and so for the counters of random operations."""
        wanted = [v for v in graph.get_collection(GraphKeys.GLOBAL_VARIABLES) if isinstance(v, BaseVariable)]
        return bool(wanted) and all(key_of(v._as_graph_element()) in plan.keys for v in wanted)

    # -- restoring -----------------------------------------------------------------------------------

    def restore(self, sess: Any, save_path: Any) -> None:
        """Gives the variables in `sess` the values they have in a checkpoint: all of them, or, when an error is raised, none.

        They need not be initialized. Raises ValueError when there is no such checkpoint, NotFoundError when a variable is not in it,
        InvalidArgumentError when one has another type or shape there, DataLossError when files are damaged.
        """
        self._ready()
        if self._is_empty:
            return
        if save_path is None:
            raise ValueError("Can't load save_path when it is None.")
        path = os.fsdecode(save_path)
        if not checkpoint_exists(path):
            raise ValueError(f"The passed save_path is not a valid checkpoint: {path}")
        plan = self._plan(sess.graph)
        if plan.restored is None:
            sess.run(self.saver_def.restore_op_name, {self.saver_def.filename_tensor_name: path})
            return
        reader = CheckpointReader(path)
        try:
            values = read_all(plan, reader, _object_names(reader))
        except NotFoundError as e:
            raise NotFoundError(None, None, _MISMATCH.format("a Variable name or other graph key that is missing", e.message)) from e
        except InvalidArgumentError as e:
            raise InvalidArgumentError(None, e.op, _MISMATCH.format("a mismatch between the current graph and the graph", e.message)) from e
        if self._covers_all(sess.graph, plan):
            values += read_counters(reader, sess.graph)
        with sess.store.lock:
            sess.store.exact = True
            sess.store.set_many(values)

    # -- as messages ---------------------------------------------------------------------------------

    def as_saver_def(self) -> Any:
        """Returns the SaverDef: the names of the nodes, and what to keep."""
        return self.saver_def

    def to_proto(self, export_scope: str | None = None) -> Any:
        """Returns the SaverDef with names as they are without `export_scope`, or None when the nodes are not in it."""
        d = self.saver_def
        if export_scope is None:
            return d
        if not (d.filename_tensor_name.startswith(export_scope) and d.save_tensor_name.startswith(export_scope) and d.restore_op_name.startswith(export_scope)):
            return None
        out = SaverDef()
        out.CopyFrom(d)
        for part in ("filename_tensor_name", "save_tensor_name", "restore_op_name"):
            setattr(out, part, without_scope(getattr(d, part), export_scope))
        return out

    @staticmethod
    def from_proto(saver_def: Any, import_scope: str | None = None) -> "Saver":
        """Returns the Saver that a SaverDef describes, its nodes being in `import_scope`."""
        out = SaverDef()
        out.CopyFrom(saver_def)
        for part in ("filename_tensor_name", "save_tensor_name", "restore_op_name"):
            setattr(out, part, in_scope(getattr(saver_def, part), import_scope))
        return Saver(saver_def=out, name=import_scope)

    def export_meta_graph(
        self, filename: str | None = None, collection_list: Any = None, as_text: bool = False, export_scope: str | None = None, clear_devices: bool = False,
        clear_extraneous_savers: bool = False, strip_default_attrs: bool = False, save_debug_info: bool = False,
    ) -> Any:  # fmt: skip
        """Returns the MetaGraphDef of the default graph with this Saver, and writes it to `filename` if given; see `tf.train.export_meta_graph`."""
        return export_meta_graph(
            filename, None, None, self.saver_def, collection_list, as_text, None, export_scope, clear_devices, clear_extraneous_savers, strip_default_attrs
        )


def _object_names(reader: CheckpointReader) -> dict[str, str]:
    """Returns the keys by variable name in a checkpoint that `tf.train.Checkpoint` wrote, which names tensors by how objects hold each other."""
    if not reader.has_tensor(_OBJECT_GRAPH):
        return {}
    graph = _protos.TrackableObjectGraph.FromString(reader.get_tensor(_OBJECT_GRAPH))
    return {a.full_name: a.checkpoint_key for node in graph.nodes for a in node.attributes if a.full_name}


# -- graphs ------------------------------------------------------------------------------------------


@export("train.export_meta_graph")
def export_meta_graph(
    filename: str | None = None, meta_info_def: Any = None, graph_def: Any = None, saver_def: Any = None, collection_list: Any = None, as_text: bool = False,
    graph: Graph | None = None, export_scope: str | None = None, clear_devices: bool = False, clear_extraneous_savers: bool = False,
    strip_default_attrs: bool = False, save_debug_info: bool = False, **kwargs: Any,
) -> Any:  # fmt: skip
    """Returns a graph with its collections as a MetaGraphDef.

    Args:
      filename: a file to write it to; its directory is made when missing.
      meta_info_def: a MetaInfoDef to start from.
      graph_def: the graph's nodes, by default those of `graph`.
      saver_def: the SaverDef of the Saver that is to be found again.
      collection_list: the collections, by default all.
      as_text: write the text form of protocol buffers.
      graph: the graph, by default the default graph.
      export_scope: only what is in this name scope, its name left out.
      clear_devices: leave out devices.
      clear_extraneous_savers: leave out the collection of Savers.
      strip_default_attrs: leave out attributes that have their default.
      save_debug_info, **kwargs: accepted.

    Raises ValueError when what is in `export_scope` needs something outside it.
    """
    out = meta_graph_of(
        graph, graph_def, saver_def, collection_list, export_scope, clear_devices, clear_extraneous_savers, meta_info_def, strip_default_attrs
    )
    if filename:
        directory = os.path.dirname(filename)
        if directory:
            os.makedirs(directory, exist_ok=True)
        write_meta_graph(filename, out, as_text)
    return out


@export("train.import_meta_graph")
def import_meta_graph(meta_graph_or_file: Any, clear_devices: bool = False, import_scope: str | None = None, **kwargs: Any) -> Saver | None:
    """Adds the graph and the collections of a MetaGraphDef, or of a file with one, to the default graph.

    Args:
      meta_graph_or_file: the MetaGraphDef or the file's path.
      clear_devices: leave out devices.
      import_scope: a prefix for the names.
      **kwargs: `input_map`: tensors of the default graph to use instead of imported ones, by name.

    Returns a Saver for its save and restore nodes; a new one for all variables when it has none but has variables; else None.

    Raises OSError when the file cannot be read.
    """
    known = hasattr(meta_graph_or_file, "graph_def")
    proto = meta_graph_or_file if known else read_meta_graph(os.fsdecode(meta_graph_or_file))
    import_meta_graph_def(proto, clear_devices, import_scope, kwargs.get("input_map"), kwargs.get("return_elements"))
    if proto.HasField("saver_def"):
        return Saver.from_proto(proto.saver_def, import_scope)
    return Saver() if saveable_variables() else None


def _variable_to_proto(variable: Any, export_scope: str | None) -> Any:
    return variable.to_proto(export_scope)


for _key in (
    GraphKeys.GLOBAL_VARIABLES, GraphKeys.TRAINABLE_VARIABLES, GraphKeys.LOCAL_VARIABLES, GraphKeys.MODEL_VARIABLES, GraphKeys.MOVING_AVERAGE_VARIABLES,
    GraphKeys.GLOBAL_STEP,
):  # fmt: skip
    register_proto_function(_key, VariableDef, _variable_to_proto, Variable.from_proto)
register_proto_function(GraphKeys.SAVERS, SaverDef, lambda saver, scope: saver.to_proto(scope), Saver.from_proto)

__exports__ = {"train.SaverDef": "SaverDef"}
