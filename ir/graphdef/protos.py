"""The protocol buffers of graphs, as tensorboard ships them. Typed Any: generated messages carry no types."""

from typing import Any

from tensorboard.compat.proto import (
    attr_value_pb2,
    function_pb2,
    graph_pb2,
    meta_graph_pb2,
    node_def_pb2,
    op_def_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
    versions_pb2,
)

_attr_value: Any = attr_value_pb2
_function: Any = function_pb2
_graph: Any = graph_pb2
_meta_graph: Any = meta_graph_pb2
_node_def: Any = node_def_pb2
_op_def: Any = op_def_pb2
_tensor: Any = tensor_pb2
_tensor_shape: Any = tensor_shape_pb2
_versions: Any = versions_pb2

AttrValue: Any = _attr_value.AttrValue
NameAttrList: Any = _attr_value.NameAttrList
FunctionDef: Any = _function.FunctionDef
FunctionDefLibrary: Any = _function.FunctionDefLibrary
GradientDef: Any = _function.GradientDef
GraphDef: Any = _graph.GraphDef
MetaGraphDef: Any = _meta_graph.MetaGraphDef
CollectionDef: Any = _meta_graph.CollectionDef
SignatureDef: Any = _meta_graph.SignatureDef
TensorInfo: Any = _meta_graph.TensorInfo
NodeDef: Any = _node_def.NodeDef
OpDef: Any = _op_def.OpDef
OpList: Any = _op_def.OpList
TensorProto: Any = _tensor.TensorProto
TensorShapeProto: Any = _tensor_shape.TensorShapeProto
VersionDef: Any = _versions.VersionDef
types: Any = types_pb2

__exports__ = {
    "AttrValue": "AttrValue",
    "NameAttrList": "NameAttrList",
    "GraphDef": "GraphDef",
    "MetaGraphDef": "MetaGraphDef",
    "NodeDef": "NodeDef",
    "TensorInfo": "TensorInfo",
}
