"""The messages of checkpoint files that tensorboard does not ship, made from their field numbers.

    BundleHeader, BundleEntry     the values of a `.index` file
    TensorSlice                   which part of a tensor: per dimension a start and a length, neither for the whole dimension
    CheckpointStateProto          the text file "checkpoint"
    SavedTensorSlices             the values of a checkpoint of the older format, one file a shard
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorboard.compat.proto import tensor_pb2, tensor_shape_pb2, types_pb2, versions_pb2

_FILE = "graphc/io/messages.proto"
_field: Any = descriptor_pb2.FieldDescriptorProto
_KINDS = {
    "int32": _field.TYPE_INT32, "int64": _field.TYPE_INT64, "enum": _field.TYPE_ENUM, "fixed32": _field.TYPE_FIXED32, "string": _field.TYPE_STRING,
    "double": _field.TYPE_DOUBLE, "message": _field.TYPE_MESSAGE,
}  # fmt: skip
#: per message its fields: name, number, kind; a star for a repeated one, the type of an enum or message after a colon
_MESSAGES: dict[str, list[tuple[str, int, str]]] = {
    "BundleHeader": [("num_shards", 1, "int32"), ("endianness", 2, "int32"), ("version", 3, "message:tensorboard.VersionDef")],
    "Extent": [("start", 1, "int64"), ("length", 2, "oneof int64")],
    "TensorSlice": [("extent", 1, "message*:graphc.Extent")],
    "BundleEntry": [
        ("dtype", 1, "int32"), ("shape", 2, "message:tensorboard.TensorShapeProto"), ("shard_id", 3, "int32"), ("offset", 4, "int64"), ("size", 5, "int64"),
        ("crc32c", 6, "fixed32"), ("slices", 7, "message*:graphc.TensorSlice"),
    ],
    "CheckpointState": [
        ("model_checkpoint_path", 1, "string"), ("all_model_checkpoint_paths", 2, "string*"), ("all_model_checkpoint_timestamps", 3, "double*"),
        ("last_preserved_timestamp", 4, "double"),
    ],
    "SavedSliceMeta": [
        ("name", 1, "string"), ("shape", 2, "message:tensorboard.TensorShapeProto"), ("type", 3, "int32"), ("slice", 4, "message*:graphc.TensorSlice"),
    ],
    "SavedTensorSliceMeta": [("tensor", 1, "message*:graphc.SavedSliceMeta"), ("versions", 2, "message:tensorboard.VersionDef")],
    "SavedSlice": [("name", 1, "string"), ("slice", 2, "message:graphc.TensorSlice"), ("data", 3, "message:tensorboard.TensorProto")],
    "SavedTensorSlices": [("meta", 1, "message:graphc.SavedTensorSliceMeta"), ("data", 2, "message:graphc.SavedSlice")],
}  # fmt: skip


def _described() -> Any:
    file: Any = descriptor_pb2.FileDescriptorProto(name=_FILE, package="graphc", syntax="proto3")
    for module in (tensor_pb2, tensor_shape_pb2, types_pb2, versions_pb2):
        file.dependency.append(module.DESCRIPTOR.name)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, text in fields:
            kind, _, of = text.partition(":")
            field = message.field.add(name=field_name, number=number, type=_KINDS[kind.removeprefix("oneof ").rstrip("*")])
            field.label = _field.LABEL_REPEATED if kind.endswith("*") else _field.LABEL_OPTIONAL
            if of:
                field.type_name = f".{of}"
            if kind.startswith("oneof "):
                message.oneof_decl.add(name=f"has_{field_name}")
                field.oneof_index = len(message.oneof_decl) - 1
    return file


_pool: Any = descriptor_pool.Default()
_pool.Add(_described()) if hasattr(_pool, "Add") else _pool.AddSerializedFile(_described().SerializeToString())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"graphc.{name}"))


BundleHeader = _class("BundleHeader")
BundleEntry = _class("BundleEntry")
TensorSlice = _class("TensorSlice")
CheckpointStateProto = _class("CheckpointState")
SavedTensorSlices = _class("SavedTensorSlices")
