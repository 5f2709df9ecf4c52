"""Saving and restoring, on the host."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.io.bundle_writer import Item, merge_bundles, write_bundle
from graphc.io.checkpoint_reader import CheckpointReader
from graphc.lowering.table import lowers
from ir.dtypes import DType


def _texts(value: Any) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in np.asarray(value, dtype=object).reshape(-1).tolist()]


@lowers("SaveV2")
def save_v2(prefix: Any, tensor_names: Any, shape_and_slices: Any, tensors: Sequence[Any], name: None = None) -> tuple[()]:
    items = [Item(n, np.asarray(v), s) for n, s, v in zip(_texts(tensor_names), _texts(shape_and_slices), tensors, strict=True)]
    write_bundle(_texts(prefix)[0], items)
    return ()


@lowers("Save")
def save(filename: Any, tensor_names: Any, data: Sequence[Any], name: None = None) -> tuple[()]:
    return save_v2(filename, tensor_names, [b""] * len(data), data)


@lowers("SaveSlices")
def save_slices(filename: Any, tensor_names: Any, shapes_and_slices: Any, data: Sequence[Any], name: None = None) -> tuple[()]:
    return save_v2(filename, tensor_names, shapes_and_slices, data)


@lowers("RestoreV2")
def restore_v2(prefix: Any, tensor_names: Any, shape_and_slices: Any, dtypes: Sequence[DType], name: None = None) -> tuple[Any, ...]:
    reader = CheckpointReader(_texts(prefix)[0])
    return tuple(reader.read(n, s, d) for n, s, d in zip(_texts(tensor_names), _texts(shape_and_slices), dtypes, strict=True))


@lowers("Restore")
def restore(file_pattern: Any, tensor_name: Any, dt: DType, preferred_shard: int = -1, name: None = None) -> Any:
    return CheckpointReader(_texts(file_pattern)[0]).read(_texts(tensor_name)[0], "", dt)


@lowers("RestoreSlice")
def restore_slice(file_pattern: Any, tensor_name: Any, shape_and_slice: Any, dt: DType, preferred_shard: int = -1, name: None = None) -> Any:
    return CheckpointReader(_texts(file_pattern)[0]).read(_texts(tensor_name)[0], _texts(shape_and_slice)[0], dt)


@lowers("MergeV2Checkpoints")
def merge_v2_checkpoints(checkpoint_prefixes: Any, destination_prefix: Any, delete_old_dirs: bool = True, name: None = None) -> tuple[()]:
    merge_bundles(_texts(checkpoint_prefixes), _texts(destination_prefix)[0])
    return ()
