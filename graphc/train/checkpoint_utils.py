"""Looking into checkpoints, and starting variables from them."""

import os
from collections.abc import Mapping
from typing import Any

from graphc.io.checkpoint_reader import CheckpointReader, NewCheckpointReader
from graphc.train.checkpoint_management import latest_checkpoint
from graphc.variables.base import BaseVariable
from graphc.variables.partitioned import PartitionedVariable
from graphc.variables.store import variable_store
from ir.build import export
from ir.convert import get_default_graph
from ir.ops import save as save_ops, state
from ir.ops.basic import identity


def _prefix_of(ckpt_dir_or_file: Any) -> str:
    path = os.fsdecode(ckpt_dir_or_file)
    return latest_checkpoint(path) or path if os.path.isdir(path) else path


@export("train.load_checkpoint")
def load_checkpoint(ckpt_dir_or_file: Any) -> CheckpointReader:
    """Returns a reader of a checkpoint, or of the latest one in a directory.

    Raises ValueError when the directory has none, NotFoundError when there is no such checkpoint.
    """
    path = os.fsdecode(ckpt_dir_or_file)
    if os.path.isdir(path) and latest_checkpoint(path) is None:
        raise ValueError(f"Couldn't find 'checkpoint' file or checkpoints in given directory {path}")
    return NewCheckpointReader(_prefix_of(path))


@export("train.list_variables")
def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """Returns the names and shapes in a checkpoint, sorted by name; see `load_checkpoint`."""
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())


@export("train.load_variable")
def load_variable(ckpt_dir_or_file: Any, name: str) -> Any:
    """Returns a tensor of a checkpoint as a NumPy array; see `load_checkpoint`."""
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name.removesuffix(":0"))


@export("train.init_from_checkpoint")
def init_from_checkpoint(ckpt_dir_or_file: Any, assignment_map: Mapping[str, Any]) -> None:
    """Makes the initializers of variables take their values from a checkpoint.

    Args:
      ckpt_dir_or_file: a checkpoint, or a directory, whose latest one is taken.
      assignment_map: name in the checkpoint -> variable (or its name, a list of its parts, a PartitionedVariable);
        "scope/" -> "other_scope/" for all variables of `get_variable` in a scope; "/" stands for the outermost scope.

    Raises ValueError when a tensor is not in the checkpoint or has another shape, when a scope has no variables.
    """
    reader = load_checkpoint(ckpt_dir_or_file)
    prefix = _prefix_of(ckpt_dir_or_file)
    shapes = reader.get_variable_to_shape_map()
    for name, target in sorted(assignment_map.items()):
        variables = _variables_of(target)
        if variables is not None:
            _start(variables, name, shapes, ckpt_dir_or_file, prefix)
            continue
        for other, found in _in_scope(name, target):
            if other not in shapes:
                raise ValueError(f"Tensor {other} ({name} in {target}) is not found in {ckpt_dir_or_file} checkpoint")
            _start(found, other, shapes, ckpt_dir_or_file, prefix)


def _variables_of(target: Any) -> list[Any] | None:
    """Returns the variable a key of the map is for, in its parts, or None when it is for a scope."""
    if isinstance(target, PartitionedVariable):
        return list(target)
    if isinstance(target, BaseVariable):
        return [target]
    if isinstance(target, (list, tuple)) and all(isinstance(v, BaseVariable) for v in target):
        return list(target)
    if not isinstance(target, str):
        raise TypeError(f"init_from_checkpoint takes variables and names, got {target!r}")
    store = variable_store()
    if target in store.partitioned:
        return list(store.partitioned[target])
    return [store.variables[target]] if target in store.variables else None


def _in_scope(name: str, scope: str) -> list[tuple[str, list[Any]]]:
    """Returns the variables in a scope, each with the name it has in the checkpoint's scope `name`."""
    if not scope.endswith("/"):
        raise ValueError(f"Variable {scope} is not found in the graph; a scope ends in '/'")
    if not name.endswith("/"):
        raise ValueError(f"Assignment map with scope only name {scope} should map to scope only {name}. Should be 'scope/': 'other_scope/'.")
    store = variable_store()
    parts = {v.op.name for p in store.partitioned.values() for v in p}
    named = {n: [v] for n, v in store.variables.items() if n not in parts}
    named.update({n: list(p) for n, p in store.partitioned.items()})
    inside = "" if scope == "/" else scope
    outside = "" if name == "/" else name
    found = [(outside + n[len(inside) :], v) for n, v in sorted(named.items()) if n.startswith(inside)]
    if not found:
        raise ValueError(f"No variables found in scope {scope}")
    return found


def _start(variables: list[Any], name: str, shapes: dict[str, list[int]], given: Any, prefix: str) -> None:
    """Makes the initializers of a variable's parts restore it."""
    info = variables[0]._get_save_slice_info()
    whole = variables[0].shape.as_list() if info is None else list(info.full_shape)
    label = variables[0].op.name if info is None else info.full_name
    if name not in shapes:
        raise ValueError(f"Tensor {name} is not found in {given} checkpoint {sorted(shapes)}")
    if any(w is not None and w != n for w, n in zip(whole, shapes[name], strict=False)) or len(whole) != len(shapes[name]):
        shown = ", ".join(str(d) for d in whole)
        raise ValueError(f"Shape of variable {label} (({shown})) doesn't match with shape of tensor {name} ({shapes[name]}) from checkpoint reader.")
    graph = get_default_graph()
    for v in variables:
        info = v._get_save_slice_info()
        with graph.device(v.device), graph.device("/cpu:0"):
            read = save_ops.restore_v2(prefix, [name], [info.spec if info else ""], [v.dtype.base_dtype], name="checkpoint_initializer")
        value = read[0] if isinstance(read, (list, tuple)) else read
        value.set_shape(v.shape)
        ref = v._as_ref() if not v._is_resource else None
        with graph.colocate_with(v.op):
            v._initializer_op = state.assign_ref(ref, value).op if ref is not None else state.assign_variable_op(v.handle, identity(value))
        v._initial_value = value


# -- contrib.framework: the same under other names of parameters --------------------------------------


@export("contrib.framework.load_checkpoint")
def framework_load_checkpoint(filepattern: Any) -> CheckpointReader:
    """`tf.train.load_checkpoint`."""
    return load_checkpoint(filepattern)


@export("contrib.framework.list_variables")
def framework_list_variables(checkpoint_dir: Any) -> list[tuple[str, list[int]]]:
    """`tf.train.list_variables`."""
    return list_variables(checkpoint_dir)


@export("contrib.framework.load_variable")
def framework_load_variable(checkpoint_dir: Any, name: str) -> Any:
    """`tf.train.load_variable`."""
    return load_variable(checkpoint_dir, name)


@export("contrib.framework.init_from_checkpoint")
def framework_init_from_checkpoint(checkpoint_dir: Any, assignment_map: Mapping[str, Any]) -> None:
    """`tf.train.init_from_checkpoint`."""
    init_from_checkpoint(checkpoint_dir, assignment_map)
