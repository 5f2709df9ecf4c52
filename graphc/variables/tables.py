"""Lookup tables: `tf.lookup.StaticHashTable`, the mutable tables of `tf.contrib.lookup`, and the initializer that fills a table from tensors."""

from typing import Any, NamedTuple

from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import DType, as_dtype
from ir.ops import lookup as ops
from ir.ops.basic import group, no_op
from ir.scopes import GraphKeys
from ir.sparse_tensor import SparseTensor
from ir.tensor import Operation, Tensor


@export("tables_initializer initializers.tables_initializer")
def tables_initializer(name: str = "init_all_tables") -> Operation:
    """Returns an operation that fills all tables of the default graph; does nothing when there are none."""
    found = get_default_graph().get_collection(GraphKeys.TABLE_INITIALIZERS)
    return group(*found, name=name) if found else no_op(name=name)


@export("initialize_all_tables")
def initialize_all_tables(name: str = "init_all_tables") -> Operation:
    """`tables_initializer` under its older name."""
    return tables_initializer(name)


@export("contrib.lookup.LookupInterface")
class LookupInterface:
    """What all tables share: the types of keys and values."""

    def __init__(self, key_dtype: Any, value_dtype: Any) -> None:
        self._key_dtype = as_dtype(key_dtype)
        self._value_dtype = as_dtype(value_dtype)

    @property
    def key_dtype(self) -> DType:
        """The type of the keys."""
        return self._key_dtype

    @property
    def value_dtype(self) -> DType:
        """The type of the values."""
        return self._value_dtype

    @property
    def name(self) -> str:
        """The name of the table."""
        raise NotImplementedError

    def size(self, name: str | None = None) -> Tensor:
        """Returns how many keys the table has."""
        raise NotImplementedError

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """Returns the values of `keys`."""
        raise NotImplementedError


def check_table_dtypes(table: LookupInterface, key_dtype: Any, value_dtype: Any) -> None:
    """Raises TypeError unless these are the types of a table."""
    if as_dtype(key_dtype).base_dtype != table.key_dtype:
        raise TypeError(f"Invalid key dtype, expected {table.key_dtype!r} but got {key_dtype!r}.")
    if as_dtype(value_dtype).base_dtype != table.value_dtype:
        raise TypeError(f"Invalid value dtype, expected {table.value_dtype!r} but got {value_dtype!r}.")


class _ResourceTable(LookupInterface):
    """A table behind a handle."""

    def __init__(self, key_dtype: Any, value_dtype: Any, default_value: Tensor, handle: Tensor, value_dims: int = 0) -> None:
        super().__init__(key_dtype, value_dtype)
        self._default_value = default_value
        self._resource_handle = handle
        self._name = handle.op.name.rpartition("/")[2]

    @property
    def resource_handle(self) -> Tensor:
        """The handle of the table."""
        return self._resource_handle

    @property
    def name(self) -> str:
        """The name of the table."""
        return self._name

    @property
    def default_value(self) -> Tensor:
        """What keys that the table does not have are looked up as."""
        return self._default_value

    def size(self, name: str | None = None) -> Tensor:
        """Returns how many keys the table has, an int64 scalar."""
        with get_default_graph().name_scope(name or f"{self.name}_Size"):
            return ops.lookup_table_size_v2(self._resource_handle)

    def _checked(self, keys: Any) -> Tensor:
        tensor = convert_to_tensor(keys, name="keys") if isinstance(keys, Tensor) else convert_to_tensor(keys, self._key_dtype, "keys")
        if tensor.dtype.base_dtype != self._key_dtype:
            raise TypeError(f"Signature mismatch. Keys must be dtype {self._key_dtype!r}, got {tensor.dtype!r}.")
        return tensor


# -- tables that are filled once -----------------------------------------------------------------------


@export("contrib.lookup.TableInitializerBase")
class TableInitializerBase:
    """What fills a table: its `initialize` returns the operation."""

    def __init__(self, key_dtype: Any, value_dtype: Any) -> None:
        self._key_dtype = as_dtype(key_dtype)
        self._value_dtype = as_dtype(value_dtype)

    @property
    def key_dtype(self) -> DType:
        """The type of the keys."""
        return self._key_dtype

    @property
    def value_dtype(self) -> DType:
        """The type of the values."""
        return self._value_dtype

    @property
    def shared_name(self) -> str:
        """Tables filled from one source may be one; "" when they are not."""
        return ""

    def initialize(self, table: Any) -> Operation:
        """Returns the operation that fills `table`."""
        raise NotImplementedError


@export("lookup.KeyValueTensorInitializer contrib.lookup.KeyValueTensorInitializer")
class KeyValueTensorInitializer(TableInitializerBase):
    """Fills a table with keys and values that are given as tensors.

    Args:
      keys: a vector of keys.
      values: a vector of values, as long.
      key_dtype, value_dtype: their types; by default those of the tensors.
      name: a name for the operation.
    """

    def __init__(self, keys: Any, values: Any, key_dtype: Any = None, value_dtype: Any = None, name: str | None = None) -> None:
        self._keys = convert_to_tensor(keys, key_dtype, "keys")
        self._values = convert_to_tensor(values, value_dtype, "values")
        self._scope = name or "key_value_init"
        super().__init__(self._keys.dtype, self._values.dtype)

    def initialize(self, table: Any) -> Operation:
        """Returns the operation that fills `table`, which is added to the collection `GraphKeys.TABLE_INITIALIZERS` too."""
        check_table_dtypes(table, self._keys.dtype, self._values.dtype)
        graph = get_default_graph()
        with graph.name_scope(self._scope):
            made = ops.lookup_table_import_v2(table.resource_handle, self._keys, self._values)
        graph.add_to_collection(GraphKeys.TABLE_INITIALIZERS, made)
        return made


@export("contrib.lookup.InitializableLookupTableBase")
class InitializableLookupTableBase(_ResourceTable):
    """A table that its initializer fills once."""

    _shared_name = ""
    _table_name: str | None = None

    def __init__(self, default_value: Any, initializer: TableInitializerBase) -> None:
        kind = initializer.value_dtype
        default = convert_to_tensor(default_value, kind, "Const")
        handle: Any = ops.hash_table_v2(initializer.key_dtype, kind, shared_name=self._shared_name, name=self._table_name or "hash_table")
        super().__init__(initializer.key_dtype, kind, default, handle)
        self._initializer = initializer.initialize(self)

    @property
    def initializer(self) -> Operation:
        """The operation that fills the table."""
        return self._initializer

    @property
    def init(self) -> Operation:
        """`initializer` under its older name."""
        return self._initializer

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """Returns the values of `keys`, a tensor or SparseTensor; the default value for keys the table does not have.

        Raises TypeError for keys of another type.
        """
        tensor = self._checked(keys.values if isinstance(keys, SparseTensor) else keys)
        with get_default_graph().name_scope(name or f"{self.name}_Lookup"):
            values = ops.lookup_table_find_v2(self._resource_handle, tensor, self._default_value)
        values.set_shape(tensor.shape)
        return SparseTensor(keys.indices, values, keys.dense_shape) if isinstance(keys, SparseTensor) else values


@export("contrib.lookup.HashTable")
class HashTable(InitializableLookupTableBase):
    """A table that is filled once, by `tf.tables_initializer()` or its `initializer`, and then only read.

    Args:
      initializer: what fills it, such as `KeyValueTensorInitializer`.
      default_value: what keys that it does not have are looked up as.
      shared_name: tables of one shared name are one in a session.
      name: a name for the table.

    >>> t = HashTable(KeyValueTensorInitializer(["a", "b"], [1, 2], "string", "int64"), -1)
    >>> t.lookup(["a", "c"]).dtype.name
    'int64'
    """

    def __init__(self, initializer: TableInitializerBase, default_value: Any, shared_name: str | None = None, name: str | None = None) -> None:
        self._shared_name, self._table_name = shared_name or "", name
        super().__init__(default_value, initializer)


@export("lookup.StaticHashTable")
class StaticHashTable(InitializableLookupTableBase):
    """A table that is filled once, by `tf.tables_initializer()` or its `initializer`, and then only read.

    Args:
      initializer: what fills it, such as `KeyValueTensorInitializer`.
      default_value: what keys that it does not have are looked up as.
      name: a name for the table.
    """

    def __init__(self, initializer: TableInitializerBase, default_value: Any, name: str | None = None) -> None:
        self._shared_name, self._table_name = initializer.shared_name, name
        super().__init__(default_value, initializer)


# -- tables that change --------------------------------------------------------------------------------


class SaveSpec(NamedTuple):
    """One tensor of a checkpoint."""

    tensor: Tensor
    slice_spec: str
    name: str


class TableSaveable:
    """A table as checkpoints hold it: its keys and its values, under the names of the table."""

    def __init__(self, table: "_MutableTable", name: str) -> None:
        self.op = table
        self.name = name
        self.specs = [SaveSpec(table.exported.keys, "", f"{name}-keys"), SaveSpec(table.exported.values, "", f"{name}-values")]

    def restore(self, restored_tensors: Any, restored_shapes: Any = None) -> Operation:
        """Returns the operation that fills the table with the keys and values of a checkpoint."""
        handle = self.op.resource_handle
        graph = get_default_graph()
        with graph.name_scope(f"{self.name}_table_restore"), graph.colocate_with(handle):
            return ops.lookup_table_import_v2(handle, restored_tensors[0], restored_tensors[1])


class _MutableTable(_ResourceTable):
    def __init__(self, key_dtype: Any, value_dtype: Any, default_value: Tensor, handle: Tensor, checkpoint: bool) -> None:
        super().__init__(key_dtype, value_dtype, default_value, handle)
        if checkpoint:
            self.exported: Any = self.export_table()
            get_default_graph().add_to_collection(GraphKeys.SAVEABLE_OBJECTS, TableSaveable(self, self._name))

    def _scope(self, name: str | None, what: str) -> Any:
        return get_default_graph().name_scope(name or f"{self.name}_{what}")

    def size(self, name: str | None = None) -> Tensor:
        """Returns how many keys the table has, an int64 scalar."""
        with self._scope(name, "Size"), get_default_graph().colocate_with(self._resource_handle):
            return ops.lookup_table_size_v2(self._resource_handle)

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """Returns the values of `keys`; the default value for keys the table does not have. Raises TypeError for keys of another type."""
        with self._scope(name, "lookup_table_find"):
            tensor = self._checked(keys)
            with get_default_graph().colocate_with(self._resource_handle):
                return ops.lookup_table_find_v2(self._resource_handle, tensor, self._default_value)

    def insert(self, keys: Any, values: Any, name: str | None = None) -> Operation:
        """Returns an operation that adds keys with their values, replacing the values of keys that there are."""
        with self._scope(name, "lookup_table_insert"):
            keys = self._checked(keys)
            values = convert_to_tensor(values, self._value_dtype, "values")
            with get_default_graph().colocate_with(self._resource_handle):
                return ops.lookup_table_insert_v2(self._resource_handle, keys, values)

    def remove(self, keys: Any, name: str | None = None) -> Operation:
        """Returns an operation that removes keys; those the table does not have do not matter."""
        keys = self._checked(keys)
        with self._scope(name, "lookup_table_remove"):
            return ops.lookup_table_remove_v2(self._resource_handle, keys)

    def export_table(self, name: str | None = None) -> Any:
        """Returns all keys and all values."""
        with self._scope(name, "lookup_table_export_values"), get_default_graph().colocate_with(self._resource_handle):
            return ops.lookup_table_export_v2(self._resource_handle, self._key_dtype, self._value_dtype)


@export("contrib.lookup.MutableHashTable")
class MutableHashTable(_MutableTable):
    """A table that can change. It is in checkpoints.

    Args:
      key_dtype, value_dtype: the types of keys and values.
      default_value: what keys that it does not have are looked up as; its shape is that of every value.
      name: a name for the table.
      checkpoint: whether checkpoints hold it.

    >>> t = MutableHashTable("string", "int64", -1)
    >>> t.insert(["a"], [1]).type
    'LookupTableInsertV2'
    """

    def __init__(self, key_dtype: Any, value_dtype: Any, default_value: Any, name: str = "MutableHashTable", checkpoint: bool = True) -> None:
        default = convert_to_tensor(default_value, value_dtype, "Const")
        make: Any = ops.mutable_hash_table_v2
        shape = {}
        if default.dims != ():
            make, shape = ops.mutable_hash_table_of_tensors_v2, {"value_shape": default.shape}
        handle: Any = make(key_dtype, value_dtype, use_node_name_sharing=True, name=name, **shape)
        super().__init__(key_dtype, value_dtype, default, handle, checkpoint)

    def export(self, name: str | None = None) -> Any:
        """Returns all keys and all values, in no particular order."""
        return self.export_table(name)


@export("contrib.lookup.MutableDenseHashTable lookup.experimental.DenseHashTable")
class MutableDenseHashTable(_MutableTable):
    """A table that can change, whose buckets can be exported. It is in checkpoints.

    Args:
      key_dtype, value_dtype: the types of keys and values.
      default_value: what keys that it does not have are looked up as; its shape is that of every value.
      empty_key, deleted_key: two keys that are never used; they mark buckets without an entry. Their shape is that of every key.
      initial_num_buckets: how many buckets there are at first, a power of two.
      name: a name for the table.
      checkpoint: whether checkpoints hold it.
    """

    def __init__(
        self, key_dtype: Any, value_dtype: Any, default_value: Any, empty_key: Any, deleted_key: Any, initial_num_buckets: int | None = None,
        name: str = "MutableDenseHashTable", checkpoint: bool = True,
    ) -> None:  # fmt: skip
        default = convert_to_tensor(default_value, value_dtype, "default_value")
        empty, deleted = convert_to_tensor(empty_key, key_dtype, "empty_key"), convert_to_tensor(deleted_key, key_dtype, "deleted_key")
        size: dict[str, Any] = {} if initial_num_buckets is None else {"initial_num_buckets": initial_num_buckets}
        handle: Any = ops.mutable_dense_hash_table_v2(
            empty, deleted, value_dtype=value_dtype, value_shape=default.shape, use_node_name_sharing=True, name=name, **size
        )
        super().__init__(key_dtype, value_dtype, default, handle, checkpoint)

    def export(self, name: str | None = None) -> Any:
        """Returns the keys and values of all buckets, those without an entry included."""
        return self.export_table(name)
