"""The nodes of a Saver, as TensorFlow makes and names them: graphs written here can be saved and restored by TensorFlow, and the other way round."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tensorboard.compat.proto import saver_pb2

from graphc.variables.base import BaseVariable
from graphc.variables.partitioned import PartitionedVariable
from graphc.variables.resource_variable import ResourceBase
from ir.convert import convert_to_tensor, get_default_graph
from ir.ops import save as save_ops, state
from ir.ops.basic import group, identity, placeholder_with_default
from ir.ops.layout import reshape, shape
from ir.ops.packing import stack
from ir.ops.strings import string_join
from ir.tensor import Operation, Tensor

_protos: Any = saver_pb2
SaverDef: Any = _protos.SaverDef
_REFERENCES = ("Variable", "VariableV2", "AutoReloadVariable")


class Saveable(NamedTuple):
    """A variable, or a part of one, to be saved as `name`."""

    name: str
    spec: str
    tensor: Tensor  # what is saved
    target: Tensor  # the reference or handle that is restored
    device: str


def saveables_of(var_list: Any) -> list[Saveable]:
    """Returns what a list or dict of variables asks for, sorted by name.

    Raises TypeError for what is no variable, ValueError when two have one name or one has two.
    """
    named = var_list if isinstance(var_list, Mapping) else _by_name(var_list)
    out: list[Saveable] = []
    seen: set[Operation] = set()
    for name, value in sorted(named.items(), key=lambda kv: str(kv[0])):
        if not isinstance(name, str):
            raise TypeError(f"names_to_saveables must be a dict mapping string names to checkpointable operations. Name is not a string: {name}")
        for s in _saveables(name, value):
            if s.target.op in seen:
                raise ValueError(f"The same saveable will be restored with two names: {name}")
            seen.add(s.target.op)
            out.append(s)
    return out


def _by_name(var_list: Any) -> dict[str, Any]:
    if not isinstance(var_list, (list, tuple, set)) and not hasattr(var_list, "__iter__"):
        raise TypeError(f"Variables to save should be passed in a dict or a list: {var_list}")
    named: dict[str, Any] = {}
    for v in sorted(var_list, key=lambda v: v.name):
        info = v._get_save_slice_info() if isinstance(v, BaseVariable) else None
        if info is not None:
            parts = named.setdefault(info.full_name or "", [])
            if not isinstance(parts, list):
                raise ValueError(f"Mixing slices and non-slices with the same name: {info.full_name}")
            parts.append(v)
            continue
        if isinstance(v, PartitionedVariable):
            name = v.name
        elif isinstance(v, ResourceBase):
            name = v._shared_name
        else:
            name = _as_variable(v).op.name
        if name in named:
            raise ValueError(f"At least two variables have the same name: {name}")
        named[name] = v
    return named


def _as_variable(value: Any) -> Tensor:
    """Returns the reference, or the tensor that was read from a handle. Raises TypeError for anything else."""
    if isinstance(value, BaseVariable):
        return value._as_graph_element() if isinstance(value, ResourceBase) else value._as_ref()
    t = convert_to_tensor(value)
    if t.op.type not in (*_REFERENCES, "ReadVariableOp"):
        raise TypeError(f"names_to_saveables must be a dict mapping string names to Tensors/Variables. Not a variable: {value}")
    return t


def _saveables(name: str, value: Any) -> Iterable[Saveable]:
    if isinstance(value, (list, tuple, PartitionedVariable)):
        for v in value:
            info = v._get_save_slice_info()
            if info is None:
                raise ValueError(f"Slices must all be slices: {v}")
            if isinstance(v, ResourceBase):
                with get_default_graph().device(v.device):
                    read = v.read_value()
                yield Saveable(name, info.spec, read, v.handle, v.device)
            else:
                yield Saveable(name, info.spec, v.value(), v._as_ref(), v.device)
        return
    t = _as_variable(value)
    spec = ""
    if isinstance(value, BaseVariable) and value._get_save_slice_info() is not None:
        spec = value._get_save_slice_info().spec  # pyright: ignore[reportOptionalMemberAccess]
    yield Saveable(name, spec, t, t.op.inputs[0] if t.op.type == "ReadVariableOp" else t, t.op.device)


def build(saveables: list[Saveable], name: str | None, filename: str | None, sharded: bool, with_reshape: bool) -> tuple[str, str, str]:
    """Adds the nodes to the default graph. Returns the names of the file's tensor, the saving tensor and the restoring operation."""
    graph = get_default_graph()
    with graph.name_scope(name or "save"):
        file = placeholder_with_default(filename or "model", [], name="filename")
        file = placeholder_with_default(file, [], name="Const")
        if not sharded:
            saved = _dependent(_save(file, saveables), file)
            restored = group(*_restore(file, saveables, with_reshape), name="restore_all")
            return file.name, saved.name, restored.name
        shards = [[s for s in saveables if s.device == d] for d in sorted({s.device for s in saveables})]
        saved = _save_shards(file, shards)
        loaded: list[Any] = []
        for members in shards:
            with graph.device(members[0].device):
                loaded.append(group(*_restore(file, members, with_reshape), name="restore_shard"))
        return file.name, saved.name, group(*loaded, name="restore_all").name


def _dependent(op: Operation, value: Tensor) -> Tensor:
    graph = get_default_graph()
    with graph.control_dependencies([op]), graph.colocate_with(value.op):
        return identity(value, name="control_dependency")


def _save(file: Tensor, saveables: list[Saveable]) -> Operation:
    names, specs = [s.name for s in saveables], [s.spec for s in saveables]
    return save_ops.save_v2(file, names, specs, [s.tensor for s in saveables])


def _save_shards(file: Tensor, shards: list[list[Saveable]]) -> Tensor:
    graph = get_default_graph()
    temporary = string_join([file, f"_temp_{uuid.uuid4().hex}/part"])
    count = convert_to_tensor(len(shards), name="num_shards")
    parts: list[Tensor] = []
    done: list[Tensor] = []
    for i, members in enumerate(shards):
        with graph.device("/device:CPU:0"):
            part = save_ops.sharded_filename(temporary, i, count)
            parts.append(part)
            done.append(_dependent(_save(part, members), part))
    with graph.device("/device:CPU:0"):
        with graph.control_dependencies([t.op for t in done]):
            prefixes = stack(parts, name="MergeV2Checkpoints/checkpoint_prefixes")
        merge = save_ops.merge_v2_checkpoints(prefixes, file, True)
        with graph.control_dependencies([*[t.op for t in done], merge]):
            return identity(file)


def _restore(file: Tensor, saveables: list[Saveable], with_reshape: bool) -> list[Operation]:
    graph = get_default_graph()
    dtypes = [s.tensor.dtype.base_dtype for s in saveables]
    with graph.device("/device:CPU:0"):
        values = save_ops.restore_v2(file, [s.name for s in saveables], [s.spec for s in saveables], dtypes)
    values = values if isinstance(values, (list, tuple)) else [values]
    out: list[Operation] = []
    for s, value in zip(saveables, values, strict=True):
        static = s.target.handle[1] if s.target.handle is not None else s.target.dims
        known = static is not None and None not in static
        if with_reshape:
            value = reshape(value, list(static) if known and static is not None else shape(s.tensor))
        if s.target.dtype.is_ref_dtype:
            with graph.colocate_with(s.target.op):
                out.append(state.assign_ref(s.target, value, validate_shape=not with_reshape and known).op)
        else:
            out.append(state.assign_variable_op(s.target, identity(value)))
    return out
