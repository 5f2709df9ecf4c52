"""Values of attributes: protos <-> what `Operation.attrs` holds.

    array_of, tensor_proto    TensorProto <-> np.ndarray
    value_of, attr_proto      AttrValue   <-> the canonical forms of `ir.build`

A type is a DType, a shape a TensorShape, a tensor an array, a string str (bytes when it is not UTF-8), a list a
tuple, a function a FuncRef. Floats are the float32 numbers that an AttrValue holds.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ir import dtypes
from ir.dtypes import DType, as_dtype
from ir.funcref import FuncRef
from ir.graphdef import protos
from ir.shapes import Dims, TensorShape, dims_of

Array = np.ndarray[Any, Any]


class Placeholder:
    """Stands in a FunctionDef for an attribute that the caller gives."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


# -- tensors -----------------------------------------------------------------------------------------

#: dtype -> the field of TensorProto that lists its values
_FIELDS: dict[DType, str] = {
    dtypes.float32: "float_val", dtypes.float64: "double_val", dtypes.int32: "int_val", dtypes.uint8: "int_val", dtypes.int16: "int_val",
    dtypes.int8: "int_val", dtypes.uint16: "int_val", dtypes.string: "string_val", dtypes.complex64: "scomplex_val",
    dtypes.int64: "int64_val", dtypes.bool_: "bool_val", dtypes.qint8: "int_val", dtypes.quint8: "int_val", dtypes.qint32: "int_val",
    dtypes.qint16: "int_val", dtypes.quint16: "int_val", dtypes.bfloat16: "half_val", dtypes.complex128: "dcomplex_val",
    dtypes.float16: "half_val", dtypes.uint32: "uint32_val", dtypes.uint64: "uint64_val",
    dtypes.resource: "resource_handle_val", dtypes.variant: "variant_val",
}  # fmt: skip
_NOT_CONTENT = frozenset([dtypes.string, dtypes.resource, dtypes.variant])


def dtype_of(number: int) -> DType:
    """Returns the DType of an enum number. Raises ValueError for one that TensorFlow 1 does not have."""
    try:
        return as_dtype(int(number))
    except TypeError:
        raise ValueError(f"there is no data type number {number}") from None


def array_of(proto: Any) -> Array:
    """Returns the array a TensorProto holds; it may be read-only. Raises ValueError when it is not well-formed."""
    dtype = dtype_of(proto.dtype)
    dims = dims_of(proto.tensor_shape)
    if dims is None or None in dims:
        raise ValueError(f"a tensor value must have a fully known shape, got {dims}")
    shape = tuple(d for d in dims if d is not None)
    size = math.prod(shape)
    if proto.tensor_content and dtype not in _NOT_CONTENT:
        return _from_content(proto.tensor_content, dtype, shape, size)
    values = _listed(proto, dtype)
    if values.size == size:
        return values.reshape(shape)
    if values.size > size:
        raise ValueError(f"a tensor value of {size} elements lists {values.size}")
    out = np.empty(size, dtype=values.dtype)  # fewer: the last one goes on; none: zeros
    out[: values.size] = values
    out[values.size :] = values[-1] if values.size else (b"" if dtype in _NOT_CONTENT else np.zeros((), values.dtype))
    return out.reshape(shape)


def _from_content(content: bytes, dtype: DType, shape: tuple[int, ...], size: int) -> Array:
    np_dtype = dtype.np_dtype
    if len(content) != size * np_dtype.itemsize:
        raise ValueError(f"a tensor value of type {dtype.name} and shape {list(shape)} needs {size * np_dtype.itemsize} bytes, got {len(content)}")
    return np.frombuffer(content, dtype=np_dtype).reshape(shape)


def _listed(proto: Any, dtype: DType) -> Array:
    field = _FIELDS[dtype]
    listed = getattr(proto, field)
    if dtype in _NOT_CONTENT:
        values = [v if isinstance(v, bytes) else v.SerializeToString(deterministic=True) for v in listed]
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return out
    if field == "half_val":
        return np.array(listed, dtype=np.uint16).view(dtype.np_dtype)
    if field in ("scomplex_val", "dcomplex_val"):
        parts = np.array(listed, dtype=np.float32 if field == "scomplex_val" else np.float64)
        return parts.view(dtype.np_dtype)
    return np.array(listed, dtype=np.int64).astype(dtype.np_dtype) if field == "int_val" else np.array(listed, dtype=dtype.np_dtype)


def tensor_proto(array: Array, dtype: DType | None = None) -> Any:
    """Returns the TensorProto of an array: bytes for several numbers, the typed field for one."""
    dtype = (dtype or as_dtype(array.dtype)).base_dtype
    proto = protos.TensorProto(dtype=dtype.as_datatype_enum, tensor_shape=shape_proto(array.shape))
    if dtype in (dtypes.resource, dtypes.variant):
        for v in array.reshape(-1).tolist():
            getattr(proto, _FIELDS[dtype]).add().ParseFromString(v)
    elif dtype is dtypes.string:
        proto.string_val.extend(v.encode() if isinstance(v, str) else bytes(v) for v in array.reshape(-1).tolist())
    elif array.size > 1:
        little = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
        proto.tensor_content = np.ascontiguousarray(little).tobytes()
    elif array.size == 1:
        _set_one(proto, dtype, array.reshape(1))
    return proto


def _set_one(proto: Any, dtype: DType, one: Array) -> None:
    field = getattr(proto, _FIELDS[dtype])
    if _FIELDS[dtype] == "half_val":
        field.append(int(one.view(np.uint16)[0]))
    elif dtype.is_complex:
        field.extend([one[0].real.item(), one[0].imag.item()])
    else:
        field.append(one[0].item())


def shape_proto(dims: Dims) -> Any:
    """Returns the TensorShapeProto of a shape."""
    if dims is None:
        return protos.TensorShapeProto(unknown_rank=True)
    proto = protos.TensorShapeProto()
    for d in dims:
        proto.dim.add().size = -1 if d is None else d
    return proto


# -- attributes --------------------------------------------------------------------------------------


def text_of(raw: bytes) -> str | bytes:
    """Returns a string attribute's value: str where it is UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _func(proto: Any) -> FuncRef:
    return FuncRef(proto.name, {k: value_of(proto.attr[k]) for k in sorted(proto.attr)})


def _list(proto: Any) -> tuple[Any, ...]:
    for field, read in _LIST_FIELDS:
        values = getattr(proto, field)
        if values:
            return tuple([read(v) for v in values])
    return ()


def _plain(value: Any) -> Any:
    return value


_READ: dict[str, Callable[[Any], Any]] = {
    "s": text_of, "i": _plain, "f": _plain, "b": _plain, "type": dtype_of, "shape": TensorShape, "tensor": array_of, "func": _func,
    "list": _list, "placeholder": Placeholder,
}  # fmt: skip
_LIST_FIELDS = [(f, _READ[f]) for f in ("s", "i", "f", "b", "type", "shape", "tensor", "func")]
#: the kind of an attribute -> the field of AttrValue that holds it
FIELD_OF_KIND = {"string": "s", "int": "i", "float": "f", "bool": "b", "type": "type", "shape": "shape", "tensor": "tensor", "func": "func"}
_KIND_OF_FIELD = {field: kind for kind, field in FIELD_OF_KIND.items()}


def value_of(proto: Any, kind: str | None = None) -> Any:
    """Returns the value of an AttrValue, which must be of `kind` ("int", "list(type)" ...) when one is given.

    Raises ValueError when it is of another kind. A `Placeholder` is what a function body holds for an attribute
    of the function.
    """
    field = proto.WhichOneof("value")
    if field is None:
        if kind is not None and not kind.startswith("list("):
            raise ValueError(f"an attribute value of type '{kind}' is missing")
        return ()
    if kind is not None and field != "placeholder" and field != FIELD_OF_KIND.get(kind, "list"):
        raise ValueError(f"an attribute value has type '{_KIND_OF_FIELD.get(field, field)}' when '{kind}' is expected")
    return _READ[field](getattr(proto, field))


def _proto_type(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "b"
    for types, field in (((str, bytes), "s"), (int, "i"), (float, "f"), (DType, "type"), (TensorShape, "shape"), (np.ndarray, "tensor"), (FuncRef, "func")):
        if isinstance(value, types):
            return field
    raise TypeError(f"an attribute cannot hold {value!r}")


def attr_proto(value: Any, kind: str | None = None, dtype: DType | None = None) -> Any:
    """Returns the AttrValue of an attribute's value, of `kind` when it is known, else by the value's Python type.

    `dtype` is the element type of a tensor value whose array does not tell it (quantized types).
    """
    proto = protos.AttrValue()
    if isinstance(value, (tuple, list)):
        proto.list.SetInParent()
        items: list[Any] = list(value)
        if items:
            field = FIELD_OF_KIND[kind[5:-1]] if kind else _proto_type(items[0])
            target = getattr(proto.list, field)
            for v in items:
                encoded = _encoded(field, v)
                target.append(encoded)
        return proto
    field = FIELD_OF_KIND[kind] if kind else _proto_type(value)
    encoded = tensor_proto(value, dtype) if field == "tensor" else _encoded(field, value)
    if field in ("shape", "tensor", "func"):
        getattr(proto, field).CopyFrom(encoded)
    else:
        setattr(proto, field, encoded)
    return proto


def _encoded(field: str, value: Any) -> Any:
    if field == "s":
        return value.encode() if isinstance(value, str) else bytes(value)
    if field == "type":
        return value.as_datatype_enum
    if field == "shape":
        return shape_proto(dims_of(value))
    if field == "tensor":
        return tensor_proto(value)
    if field == "func":
        proto = protos.NameAttrList(name=value.name)
        for k, v in sorted(value.attrs.items()):
            proto.attr[k].CopyFrom(attr_proto(v))
        return proto
    return bool(value) if field == "b" else value
