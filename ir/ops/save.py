"""Checkpoints in graphs: the ops that save and restore tensors by name. What they do stands in `graphc.lowering.save`."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from ir.build import grad, op
from ir.dtypes import ANY
from ir.infer import Infer, no_outputs, scalar
from ir.opdef import In, Int32, String, Type, Types
from ir.shapes import Dims
from ir.tensor import Operation, Tensor

Data = Annotated[Sequence[Any], In(types="T")]


@op("SaveV2", no_outputs, out="", host=True, stateful=True, stream="checkpoint", dtypes=1)
def save_v2(
    prefix: String, tensor_names: String, shape_and_slices: String, tensors: Annotated[Sequence[Any], In(types="dtypes")], name: str | None = None
) -> Operation:  # fmt: skip
    """Writes a checkpoint of `tensors` under their names, each the whole tensor ("") or a part of it ("4 2 0,2:0,2")."""
    ...


def _parts(c: Infer) -> list[Dims]:
    """What a part's text tells of the shape."""
    specs = c.value(2)
    count = len(c.attrs["dtypes"])
    if specs is None or specs.size != count:
        return [None] * count
    out: list[Dims] = []
    for spec in specs.reshape(-1).tolist():
        text = spec.decode() if isinstance(spec, bytes) else str(spec)
        words = text.split(" ")
        try:
            sizes = [int(w) for w in words[:-1]]
            parts = words[-1].split(":") if text else []
            out.append(tuple(n if p == "-" else int(p.split(",")[1]) for n, p in zip(sizes, parts, strict=True)) if text else None)
        except (ValueError, IndexError):
            out.append(None)
    return out


@op("RestoreV2", _parts, out="tensors: list(dtypes)", host=True, stateful=True, stream="checkpoint", dtypes=1)
def restore_v2(prefix: String, tensor_names: String, shape_and_slices: String, dtypes: Types, name: str | None = None) -> list[Tensor]:
    """Reads tensors, or parts of them, from a checkpoint.

    Running it fails with NotFoundError when the checkpoint or a tensor is not there, InvalidArgumentError when a type differs, DataLossError when
    what is read is damaged.
    """
    ...


@op("MergeV2Checkpoints", no_outputs, out="", host=True, stateful=True, stream="checkpoint")
def merge_v2_checkpoints(checkpoint_prefixes: String, destination_prefix: String, delete_old_dirs: bool = True, name: str | None = None) -> Operation:
    """Makes one checkpoint of several, whose data files become its shards."""
    ...


@op("Save", no_outputs, out="", host=True, stateful=True, stream="checkpoint", T=1)
def save(filename: String, tensor_names: String, data: Data, name: str | None = None) -> Operation:
    """Writes a checkpoint of `data`. Where TensorFlow writes its first format, this writes the second, which every TensorFlow from 0.12 on reads."""
    ...


@op("SaveSlices", no_outputs, out="", host=True, stateful=True, stream="checkpoint", T=1)
def save_slices(filename: String, tensor_names: String, shapes_and_slices: String, data: Data, name: str | None = None) -> Operation:
    """Writes a checkpoint of `data`, each a whole tensor or a part; see `Save`."""
    ...


def _one_part(c: Infer) -> Dims:
    spec = c.value(2)
    if spec is None or spec.size != 1 or not spec.reshape(-1)[0]:
        return None
    text = spec.reshape(-1)[0]
    words = (text.decode() if isinstance(text, bytes) else str(text)).split(" ")
    try:
        return tuple(int(n) if p == "-" else int(p.split(",")[1]) for n, p in zip(words[:-1], words[-1].split(":"), strict=True))
    except (ValueError, IndexError):
        return None


@op("Restore", lambda c: None, out="tensor: dt", host=True, stateful=True, stream="checkpoint", dt=ANY)
def restore(file_pattern: String, tensor_name: String, dt: Type, preferred_shard: int = -1, name: str | None = None) -> Tensor:
    """Reads a tensor from a checkpoint of either format."""
    ...


@op("RestoreSlice", _one_part, out="tensor: dt", host=True, stateful=True, stream="checkpoint", dt=ANY)
def restore_slice(file_pattern: String, tensor_name: String, shape_and_slice: String, dt: Type, preferred_shard: int = -1, name: str | None = None) -> Tensor:
    """Reads a part of a tensor from a checkpoint of either format."""
    ...


def _text(value: Any) -> str:
    value = np.asarray(value)[()]
    return value.decode() if isinstance(value, bytes) else str(value)


@op("ShardedFilename", scalar, out="filename: string", host=True)
def sharded_filename(basename: String, shard: Int32, num_shards: Int32, name: str | None = None) -> Tensor:
    """The name of a shard: "basename-00001-of-00003"."""
    return np.array(f"{_text(basename)}-{int(shard):05d}-of-{int(num_shards):05d}".encode(), dtype=object)  # pyright: ignore


@op("ShardedFilespec", scalar, out="filename: string", host=True)
def sharded_filespec(basename: String, num_shards: Int32, name: str | None = None) -> Tensor:
    """The pattern of the names of all shards: "basename-?????-of-00003"."""
    return np.array(f"{_text(basename)}-?????-of-{int(num_shards):05d}".encode(), dtype=object)  # pyright: ignore


grad.none(
    "SaveV2 RestoreV2 MergeV2Checkpoints Save SaveSlices Restore RestoreSlice ShardedFilename ShardedFilespec",
    "files are no function of tensors",
)
