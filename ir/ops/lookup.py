"""Lookup tables: the ops that make, fill, ask and change them. The state of a table is an object of `ir.ops.tables`."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ir.build import grad, op
from ir.dtypes import DType, as_dtype, string
from ir.errors import InvalidArgumentError, NotFoundError, OpError
from ir.infer import Infer, no_outputs, scalar, with_rank
from ir.opdef import In, Resource, Shape, String, Type
from ir.ops.strings import number_of, string_of
from ir.ops.tables import DenseTable, StaticTable, Table, failed
from ir.shapes import Dims, compatible, dims_of, shape_str
from ir.tensor import Operation, Tensor

Tin = Annotated[Any, In("Tin")]
Tout = Annotated[Any, In("Tout")]
Tkey = Annotated[Any, In("Tkey")]
Tval = Annotated[Any, In("Tval")]
KeyDtype = Annotated[Any, In("key_dtype")]

WHOLE_LINE = -2
LINE_NUMBER = -1


# -- making --------------------------------------------------------------------------------------------


@op("HashTableV2", scalar, out="table_handle: resource", creates="table")
def hash_table_v2(
    key_dtype: Type, value_dtype: Type, container: str = "", shared_name: str = "", use_node_name_sharing: bool = False, name: str | None = None
) -> Any:  # fmt: skip
    """The handle of a table that is filled once."""
    return StaticTable(key_dtype, value_dtype)


@op("MutableHashTableV2", scalar, out="table_handle: resource", creates="table")
def mutable_hash_table_v2(
    key_dtype: Type, value_dtype: Type, container: str = "", shared_name: str = "", use_node_name_sharing: bool = False, name: str | None = None
) -> Any:  # fmt: skip
    """The handle of a table that can change."""
    return Table(key_dtype, value_dtype)


@op("MutableHashTableOfTensorsV2", scalar, out="table_handle: resource", creates="table")
def mutable_hash_table_of_tensors_v2(
    key_dtype: Type, value_dtype: Type, container: str = "", shared_name: str = "", use_node_name_sharing: bool = False, value_shape: Shape = (),
    name: str | None = None,
) -> Any:  # fmt: skip
    """The handle of a table that can change and whose values are tensors of one shape."""
    return Table(key_dtype, value_dtype, _known(value_shape))


@op("MutableDenseHashTableV2", scalar, out="table_handle: resource", creates="table")
def mutable_dense_hash_table_v2(
    empty_key: KeyDtype, deleted_key: KeyDtype, value_dtype: Type, container: str = "", shared_name: str = "", use_node_name_sharing: bool = False,
    value_shape: Shape = (), initial_num_buckets: int = 131072, max_load_factor: float = 0.800000011920929, name: str | None = None,
) -> Any:  # fmt: skip
    """The handle of a table that can change, as buckets that can be exported."""
    array = np.asarray(empty_key)
    return DenseTable(as_dtype(array.dtype), value_dtype, _known(value_shape), array, np.asarray(deleted_key), initial_num_buckets, max_load_factor)


def _known(shape: Any) -> tuple[int, ...]:
    dims = dims_of(shape)
    if dims is None or None in dims:
        raise failed(InvalidArgumentError, f"Table values must have a known shape, got {shape_str(dims)}")
    return tuple(d or 0 for d in dims)


grad.none("HashTableV2 MutableHashTableV2 MutableHashTableOfTensorsV2 MutableDenseHashTableV2", "a table has no gradient")


# -- asking --------------------------------------------------------------------------------------------


def _shapes_of(handle: Tensor) -> tuple[Dims, Dims]:
    """The shapes of a key and of a value of the table behind a handle, None where they are not known."""
    maker = handle.op
    if maker.type in ("HashTableV2", "MutableHashTableV2"):
        return (), ()
    if maker.type == "MutableHashTableOfTensorsV2":
        return (), dims_of(maker.attrs["value_shape"])
    if maker.type == "MutableDenseHashTableV2":
        return maker.inputs[0].dims, dims_of(maker.attrs["value_shape"])
    return None, None


def _without_key(keys: Dims, key: Dims) -> Dims:
    """The shape of `keys` less that of one key at its end."""
    if keys is None or key is None:
        return None
    if len(keys) < len(key) or not compatible(keys[len(keys) - len(key) :], key):
        raise ValueError(f"keys of shape {shape_str(keys)} do not end in the shape of a key, {shape_str(key)}")
    return keys[: len(keys) - len(key)]


def _found(c: Infer) -> Dims:
    key, value = _shapes_of(c.tensors[0])
    outer = _without_key(c.dims(1), key)
    return None if outer is None or value is None else (*outer, *value)


@op("LookupTableFindV2", _found, out="values: Tout", host=True, writes="table_handle")
def lookup_table_find_v2(table_handle: Resource, keys: Tin, default_value: Tout, name: str | None = None) -> Tensor:
    """The value of each key, `default_value` for keys the table does not have."""
    table: Any = table_handle
    return table.find(keys, default_value), table  # pyright: ignore[reportReturnType]


@op("LookupTableSizeV2", scalar, out="size: int64", host=True, writes="table_handle")
def lookup_table_size_v2(table_handle: Resource, name: str | None = None) -> Tensor:
    """How many keys the table has."""
    table: Any = table_handle
    return np.int64(table.size()), table  # pyright: ignore[reportReturnType]


def _exported(c: Infer) -> list[Dims]:
    key, value = _shapes_of(c.tensors[0])
    if c.tensors[0].op.type == "MutableDenseHashTableV2":
        key, value = key or (None if key is None else (1,)), value or (None if value is None else (1,))
    return [None if d is None else (None, *d) for d in (key, value)]


@op("LookupTableExportV2", _exported, out="keys: Tkeys, values: Tvalues", host=True, dynamic=True, writes="table_handle")
def lookup_table_export_v2(table_handle: Resource, Tkeys: Type, Tvalues: Type, name: str | None = None) -> Any:
    """All keys and their values."""
    table: Any = table_handle
    return (*table.export(), table)


grad.none("LookupTableFindV2 LookupTableSizeV2 LookupTableExportV2", "a table has no gradient")


# -- changing ------------------------------------------------------------------------------------------


@op("LookupTableInsertV2", no_outputs, out="", host=True, writes="table_handle")
def lookup_table_insert_v2(table_handle: Resource, keys: Tin, values: Tout, name: str | None = None) -> Operation:
    """Adds keys with their values."""
    table: Any = table_handle
    table.insert(keys, values)
    return table


@op("LookupTableImportV2", no_outputs, out="", host=True, writes="table_handle")
def lookup_table_import_v2(table_handle: Resource, keys: Tin, values: Tout, name: str | None = None) -> Operation:
    """Makes keys and their values all that the table holds."""
    table: Any = table_handle
    table.fill(keys, values)
    return table


@op("LookupTableRemoveV2", no_outputs, out="", host=True, writes="table_handle")
def lookup_table_remove_v2(table_handle: Resource, keys: Tin, name: str | None = None) -> Operation:
    """Removes keys."""
    table: Any = table_handle
    table.remove(keys)
    return table


def _vectors(c: Infer) -> list[Dims]:
    (n,), (m,) = with_rank(c.dims(1), 1, "keys"), with_rank(c.dims(2), 1, "values")
    if n is not None and m is not None and n != m:
        raise ValueError(f"there are {n} keys and {m} values")
    return []


@op("InitializeTableV2", _vectors, out="", host=True, writes="table_handle")
def initialize_table_v2(table_handle: Resource, keys: Tkey, values: Tval, name: str | None = None) -> Operation:
    """Fills a table that is filled once."""
    table: Any = table_handle
    table.fill(keys, values)
    return table


def _one_file(c: Infer) -> list[Dims]:
    with_rank(c.dims(1), 0, "filename")
    return []


@op("InitializeTableFromTextFileV2", _one_file, out="", host=True, writes="table_handle", key_index=-2, value_index=-2, vocab_size=-1)
def initialize_table_from_text_file_v2(
    table_handle: Resource, filename: String, key_index: int, value_index: int, vocab_size: int = -1, delimiter: str = "\t", name: str | None = None
) -> Operation:  # fmt: skip
    """Fills a table from the lines of a file: keys and values are columns, the whole line (-2) or its number (-1)."""
    table: Any = table_handle
    keys, values = read_table(string_of(filename).decode(), table.key_dtype, key_index, table.value_dtype, value_index, vocab_size, delimiter)
    table.fill(keys, values)
    return table


grad.none(
    "LookupTableInsertV2 LookupTableImportV2 LookupTableRemoveV2 InitializeTableV2 InitializeTableFromTextFileV2",
    "changes of tables are effects, not functions",
)


# -- files ---------------------------------------------------------------------------------------------


def read_bytes(path: str) -> bytes:
    """Returns the content of a file, as an error of the run when it cannot be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise failed(NotFoundError, f"{path}; No such file or directory") from None
    except OSError as e:
        raise OpError(None, None, f"{path}; {e.strerror}") from None


def read_table(path: str, key_dtype: DType, key_index: int, value_dtype: DType, value_index: int, size: int, delimiter: str) -> tuple[Any, Any]:
    """Returns the keys and values of a vocabulary file, its first `size` lines when that is not negative."""
    lines = read_bytes(path).replace(b"\r", b"").split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    if 0 <= size < len(lines):
        lines = lines[:size]
    if size >= 0 and size != len(lines):
        raise failed(InvalidArgumentError, f"Invalid vocab_size in {path}: expected {size} but got {len(lines)}")
    columns: dict[int, list[Any]] = {key_index: [], value_index: []}
    types = {key_index: key_dtype, value_index: value_dtype}
    last = max(columns)
    for number, line in enumerate(lines):
        if not line:
            raise failed(InvalidArgumentError, f"Invalid content in {path}: empty line found at line {number}.")
        cells = line.split(delimiter.encode()) if last >= 0 else []
        if last >= len(cells) and last >= 0:
            text = line.decode(errors="replace")
            raise failed(InvalidArgumentError, f"Invalid number of columns in {path} line {number} ({text}) : expected {last + 1} got {len(cells)}")
        for index, column in columns.items():
            column.append(_field(line, cells, number, index, types[index]))
    return _column(columns[key_index], key_dtype), _column(columns[value_index], value_dtype)


def _field(line: bytes, cells: list[bytes], number: int, index: int, dtype: DType) -> Any:
    if index == LINE_NUMBER:
        return number
    text = line if index == WHOLE_LINE else cells[index]
    if dtype is string:
        return text
    found = number_of(text, dtype)
    if found is None:
        raise failed(InvalidArgumentError, f"Field {text.decode(errors='replace')} in line {number} is not a valid {dtype.name}.")
    return found


def _column(values: list[Any], dtype: DType) -> Any:
    out = np.empty(len(values), dtype.np_dtype)
    out[:] = values
    return out
