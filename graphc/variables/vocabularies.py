"""Vocabularies: tables between words and their numbers, from tensors and from files, with buckets for words they do not hold."""

import collections
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.variables.tables import (
    InitializableLookupTableBase,
    KeyValueTensorInitializer,
    LookupInterface,
    StaticHashTable,
    TableInitializerBase,
    check_table_dtypes,
)
from ir.build import export
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import DType, as_dtype, int64, string
from ir.ops import lookup as ops
from ir.ops.arith import add
from ir.ops.basic import no_op
from ir.ops.cast import cast
from ir.ops.compare import not_equal
from ir.ops.layout import range_, size
from ir.ops.select import where_v2
from ir.ops.strings import as_string, string_to_hash_bucket_fast, string_to_hash_bucket_strong
from ir.scopes import GraphKeys
from ir.sparse_tensor import SparseTensor
from ir.tensor import Operation, Tensor

# -- from files ----------------------------------------------------------------------------------------


@export("lookup.TextFileIndex contrib.lookup.TextFileIndex")
class TextFileIndex:
    """What of a line is a key or a value, where no column is meant."""

    WHOLE_LINE = -2
    LINE_NUMBER = -1


@export("lookup.TextFileInitializer contrib.lookup.TextFileInitializer")
class TextFileInitializer(TableInitializerBase):
    """Fills a table from the lines of a file.

    Args:
      filename: the path, a string or a scalar tensor.
      key_dtype, value_dtype: the types of keys and values.
      key_index, value_index: the column of a line that is the key or the value; or `TextFileIndex.WHOLE_LINE`, or `TextFileIndex.LINE_NUMBER`, which is
        int64.
      vocab_size: read so many lines; it is an error when there are fewer. All of them when None.
      delimiter: what stands between the columns.
      name: a name for the operation.

    Raises ValueError for indices and types that do not fit.
    """

    def __init__(
        self, filename: Any, key_dtype: Any, key_index: int, value_dtype: Any, value_index: int, vocab_size: int | None = None, delimiter: str = "\t",
        name: str | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(filename, Tensor) and not filename:
            raise ValueError(f"Filename required for {name}.")
        super().__init__(key_dtype, value_dtype)
        for what, index, dtype in (("key", key_index, self.key_dtype), ("value", value_index, self.value_dtype)):
            if index < -2:
                raise ValueError(f"Invalid {what} index {index}.")
            _check_index(what.capitalize(), index, dtype)
        if vocab_size is not None and vocab_size <= 0:
            raise ValueError(f"Invalid vocab_size {vocab_size}.")
        self._filename_arg = filename
        self._key_index, self._value_index = key_index, value_index
        self._vocab_size = vocab_size
        self._delimiter = delimiter
        self._scope = name or "text_file_init"
        graph = get_default_graph()
        self._filename = convert_to_tensor(filename, string, "asset_path")
        graph.add_to_collection(GraphKeys.ASSET_FILEPATHS, self._filename)

    @property
    def shared_name(self) -> str:
        """The name of the table of this file and these columns."""
        middle = "" if self._vocab_size is None else f"{self._vocab_size}_"
        return f"hash_table_{self._filename_arg}_{middle}{self._key_index}_{self._value_index}"

    def initialize(self, table: Any) -> Operation:
        """Returns the operation that fills `table`, which is added to the collection `GraphKeys.TABLE_INITIALIZERS` too."""
        check_table_dtypes(table, self.key_dtype, self.value_dtype)
        graph = get_default_graph()
        with graph.name_scope(self._scope):
            count = -1 if self._vocab_size is None else self._vocab_size
            made = ops.initialize_table_from_text_file_v2(
                table.resource_handle, self._filename, self._key_index, self._value_index, count, self._delimiter
            )
        graph.add_to_collection(GraphKeys.TABLE_INITIALIZERS, made)
        return made


def _check_index(what: str, index: int, dtype: DType) -> None:
    if index == TextFileIndex.LINE_NUMBER and dtype != int64:
        raise ValueError(f"Signature mismatch. {what}s must be dtype {int64!r}, got {dtype!r}.")
    if index == TextFileIndex.WHOLE_LINE and what == "Key" and not dtype.is_integer and dtype != string:
        raise ValueError(f"Signature mismatch. Keys must be integer or string, got {dtype!r}.")
    if index == TextFileIndex.WHOLE_LINE and what == "Value" and dtype != string:
        raise ValueError(f"Signature mismatch. Values must be dtype {string!r}, got {dtype!r}.")


@export("contrib.lookup.TextFileStringTableInitializer")
class TextFileStringTableInitializer(TextFileInitializer):
    """Fills a table from numbers to words: the line's number and the whole line, unless columns are given."""

    def __init__(
        self, filename: Any, key_column_index: int = -1, value_column_index: int = -2, vocab_size: int | None = None, delimiter: str = "\t",
        name: str = "text_file_string_table_init",
    ) -> None:  # fmt: skip
        super().__init__(filename, int64, key_column_index, string, value_column_index, vocab_size, delimiter, name)


@export("contrib.lookup.TextFileIdTableInitializer")
class TextFileIdTableInitializer(TextFileInitializer):
    """Fills a table from words to numbers: the whole line and the line's number, unless columns are given."""

    def __init__(
        self, filename: Any, key_column_index: int = -2, value_column_index: int = -1, vocab_size: int | None = None, delimiter: str = "\t",
        name: str = "text_file_id_table_init", key_dtype: Any = string,
    ) -> None:  # fmt: skip
        super().__init__(filename, key_dtype, key_column_index, int64, value_column_index, vocab_size, delimiter, name)


# -- buckets for what a table does not hold ------------------------------------------------------------


@export("contrib.lookup.HasherSpec")
class HasherSpec(collections.namedtuple("HasherSpec", ["hasher", "key"])):  # noqa: PYI024
    """Which hash function chooses the bucket: "fasthash" or "stronghash", the latter with a key."""

    __slots__ = ()


FastHashSpec = HasherSpec("fasthash", None)


@export("contrib.lookup.StrongHashSpec")
class StrongHashSpec(HasherSpec):
    """A hash function with a key of two unsigned integers, so that nobody else can choose words that fall in one bucket."""

    __slots__ = ()

    def __new__(cls, key: Any) -> "StrongHashSpec":
        """Checks the key."""
        if len(key) != 2:
            raise ValueError(f"key must have size 2, got {len(key)}.")
        if not all(isinstance(k, (int, np.integer)) and not isinstance(k, bool) and k >= 0 for k in key):
            raise TypeError(f"Invalid key {key}. Must be unsigned integer values.")
        return super().__new__(cls, "stronghash", key)


def _bucket_function(spec: Any) -> Callable[..., Tensor]:
    if not isinstance(spec, HasherSpec):
        raise TypeError(f"hasher_spec must be of type HasherSpec, got {spec}")
    if spec.hasher == "fasthash":
        return string_to_hash_bucket_fast
    if spec.hasher == "stronghash":
        return lambda x, n, name=None: string_to_hash_bucket_strong(x, n, spec.key, name=name)
    raise ValueError(f"Unknown hasher {spec.hasher}")


@export("contrib.lookup.IdTableWithHashBuckets")
class IdTableWithHashBuckets(LookupInterface):
    """A table from words to numbers, where a word that it does not hold gets the number of one of several buckets after those of the table.

    Args:
      table: the table, or None: all words fall into buckets.
      num_oov_buckets: how many buckets there are.
      hasher_spec: which hash function chooses the bucket.
      name: a name for the table.
      key_dtype: string or an integer type; that of the table, or string, by default.

    Raises TypeError for types that do not fit, ValueError when there are neither words nor buckets.
    """

    def __init__(self, table: Any, num_oov_buckets: int, hasher_spec: Any = FastHashSpec, name: str | None = None, key_dtype: Any = None) -> None:
        name = name.rstrip("/") if name else name
        if table is not None:
            key_dtype = table.key_dtype if key_dtype is None else key_dtype
            if as_dtype(key_dtype).base_dtype.is_integer != table.key_dtype.is_integer:
                kind = "integer" if as_dtype(key_dtype).is_integer else "non-integer"
                raise TypeError(f"Invalid key dtype, expected {kind} but got {table.key_dtype!r}.")
            if table.value_dtype != int64:
                raise TypeError(f"Invalid value dtype, expected {int64!r} but got {table.value_dtype!r}.")
            name = name or table.name
        else:
            if num_oov_buckets <= 0:
                raise ValueError("oov_buckets must be > 0 if no table is supplied.")
            key_dtype = string if key_dtype is None else key_dtype
            name = name or "hash_bucket"
        if not as_dtype(key_dtype).is_integer and as_dtype(key_dtype) != string:
            raise TypeError(f"Invalid key_dtype, expected integer or string, got {key_dtype!r}.")
        super().__init__(key_dtype, int64)
        self._table: Any = table
        self._num_oov_buckets = num_oov_buckets
        self._hasher_spec = hasher_spec
        self._name = (name or "").rpartition("/")[2]

    @property
    def name(self) -> str:
        """The name of the table."""
        return self._name

    @property
    def initializer(self) -> Operation:
        """The operation that fills the table."""
        if self._table is not None:
            return self._table.initializer
        with get_default_graph().name_scope("init"):
            return no_op()

    @property
    def init(self) -> Operation:
        """`initializer` under its older name."""
        return self.initializer

    @property
    def resource_handle(self) -> Tensor | None:
        """The handle of the table, if there is one."""
        return None if self._table is None else self._table.resource_handle

    def size(self, name: str | None = None) -> Tensor:
        """Returns how many numbers there are: words and buckets."""
        with get_default_graph().name_scope(name or f"{self.name}_Size"):
            words = self._table.size() if self._table is not None else constant(0, int64)
            return words + self._num_oov_buckets

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """Returns the numbers of `keys`, a tensor or SparseTensor. Raises TypeError for keys of another type."""
        values = keys.values if isinstance(keys, SparseTensor) else convert_to_tensor(keys, name="keys")
        if values.dtype.base_dtype != self.key_dtype:
            raise TypeError(f"Signature mismatch. Keys must be dtype {self.key_dtype!r}, got {values.dtype!r}.")
        if self._table is not None and self._table.key_dtype == int64:
            values = cast(values, int64)
        if self._num_oov_buckets == 0:
            table: Any = self._table
            ids = table.lookup(values, name=name)
        else:
            with get_default_graph().name_scope(name or f"{self.name}_Lookup"):
                ids = self._numbers(values)
        return SparseTensor(keys.indices, ids, keys.dense_shape) if isinstance(keys, SparseTensor) else ids

    def _numbers(self, values: Tensor) -> Tensor:
        bucket = _bucket_function(self._hasher_spec)
        text = values if values.dtype == string else as_string(values)
        buckets = bucket(text, self._num_oov_buckets, name="hash_bucket")
        if self._table is None:
            return buckets
        ids = self._table.lookup(values)
        buckets = add(buckets, self._table.size())
        return where_v2(not_equal(ids, self._table.default_value), ids, buckets)


@export("lookup.StaticVocabularyTable")
class StaticVocabularyTable(IdTableWithHashBuckets):
    """A table from words to numbers, with `num_oov_buckets` more numbers for words that it does not hold.

    Args:
      initializer: what fills it, with int64 values; None: all words fall into buckets.
      num_oov_buckets: how many buckets there are, at least 1.
      lookup_key_dtype: the type of the keys; that of the initializer by default.
      name: a name for the table.
    """

    def __init__(self, initializer: Any, num_oov_buckets: int, lookup_key_dtype: Any = None, name: str | None = None) -> None:
        if num_oov_buckets <= 0:
            raise ValueError("oov_buckets must be > 0.")
        if initializer is not None and initializer.value_dtype != int64:
            raise TypeError(f"Invalid value dtype, expected {int64!r} but got {initializer.value_dtype!r}.")
        table = None if initializer is None else StaticHashTable(initializer, default_value=-1, name=name)
        super().__init__(table, num_oov_buckets, FastHashSpec, None if table is not None else name, lookup_key_dtype)


# -- the usual vocabularies ----------------------------------------------------------------------------


def _with_buckets(initializer: TableInitializerBase, default: Any, buckets: int, spec: Any, key_dtype: DType, scope: str) -> Any:
    """Returns the table of an initializer, with buckets if any are asked for."""
    table: Any = StaticHashTable(initializer, default)
    return IdTableWithHashBuckets(table, buckets, spec, scope, key_dtype) if buckets or key_dtype != initializer.key_dtype else table


def _check_buckets(count: int) -> None:
    if count < 0:
        raise ValueError(f"num_oov_buckets must be greater or equal than 0, got {count}.")


@export("contrib.lookup.index_table_from_file")
def index_table_from_file(
    vocabulary_file: Any = None, num_oov_buckets: int = 0, vocab_size: int | None = None, default_value: int = -1, hasher_spec: Any = FastHashSpec,
    key_dtype: Any = string, name: str | None = None, key_column_index: int = -2, value_column_index: int = -1, delimiter: str = "\t",
) -> Any:  # fmt: skip
    """Returns the table from the words of a file, one a line, to their numbers, which begin with 0.

    Args:
      vocabulary_file: the path.
      num_oov_buckets: how many more numbers there are for words that the file does not hold.
      vocab_size: read so many lines, all of them when None.
      default_value: the number of words the file does not hold, when there are no buckets.
      hasher_spec: which hash function chooses the bucket.
      key_dtype: string or an integer type.
      name: a name for the operations.
      key_column_index, value_column_index: see `TextFileInitializer`.
      delimiter: what stands between columns.

    The table must be filled: run `tf.tables_initializer()`. Raises ValueError for arguments that are out of range, TypeError for a type of keys
    that is neither.
    """
    if vocabulary_file is None or (isinstance(vocabulary_file, str) and not vocabulary_file):
        raise ValueError("vocabulary_file must be specified and must not be empty.")
    _check_buckets(num_oov_buckets)
    if vocab_size is not None and vocab_size < 1:
        raise ValueError(f"vocab_size must be greater than 0, got {vocab_size}. vocabulary_file: {vocabulary_file}")
    key_dtype = as_dtype(key_dtype)
    if not key_dtype.is_integer and key_dtype != string:
        raise TypeError("Only integer and string keys are supported.")
    graph = get_default_graph()
    with graph.name_scope(name or "string_to_index"), graph.name_scope("hash_table") as scope:
        held = int64 if key_dtype.is_integer else key_dtype
        init = TextFileInitializer(vocabulary_file, held, key_column_index, int64, value_column_index, vocab_size, delimiter, "table_init")
        return _with_buckets(init, default_value, num_oov_buckets, hasher_spec, key_dtype, scope)


@export("contrib.lookup.index_table_from_tensor")
def index_table_from_tensor(
    mapping: Any, num_oov_buckets: int = 0, default_value: int = -1, hasher_spec: Any = FastHashSpec, dtype: Any = string, name: str | None = None
) -> Any:  # fmt: skip
    """Returns the table from the elements of a vector to their positions.

    Args:
      mapping: a vector of strings or integers, without duplicates.
      num_oov_buckets: how many more numbers there are for what the vector does not hold.
      default_value: the number of what it does not hold, when there are no buckets.
      hasher_spec: which hash function chooses the bucket.
      dtype: the type of what is looked up.
      name: a name for the operations.

    The table must be filled: run `tf.tables_initializer()`.

    >>> index_table_from_tensor(["emerson", "lake", "palmer"], num_oov_buckets=1).lookup(["lake"]).dtype.name
    'int64'
    """
    if mapping is None:
        raise ValueError("mapping must be specified.")
    _check_buckets(num_oov_buckets)
    dtype = as_dtype(dtype)
    graph = get_default_graph()
    with graph.name_scope(name or "string_to_index"):
        keys = convert_to_tensor(mapping, name="Const")
        if keys.dtype.is_integer != dtype.is_integer:
            raise ValueError(f"Expected {'integer' if dtype.is_integer else 'non-integer'}, got {keys.dtype!r}.")
        if not dtype.is_integer and keys.dtype.base_dtype != dtype:
            raise ValueError(f"Expected {dtype!r}, got {keys.dtype!r}.")
        values = cast(range_(size(keys)), int64)
        with graph.name_scope("hash_table") as scope:
            held = cast(keys, int64) if keys.dtype.is_integer else keys
            init = KeyValueTensorInitializer(held, values, held.dtype.base_dtype, int64, "table_init")
            return _with_buckets(init, default_value, num_oov_buckets, hasher_spec, dtype, scope)


@export("contrib.lookup.string_to_index_table_from_file")
def string_to_index_table_from_file(
    vocabulary_file: Any = None, num_oov_buckets: int = 0, vocab_size: int | None = None, default_value: int = -1, hasher_spec: Any = FastHashSpec,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`index_table_from_file` under its older name."""
    return index_table_from_file(vocabulary_file, num_oov_buckets, vocab_size, default_value, hasher_spec, string, name)


@export("contrib.lookup.string_to_index_table_from_tensor")
def string_to_index_table_from_tensor(
    mapping: Any, num_oov_buckets: int = 0, default_value: int = -1, hasher_spec: Any = FastHashSpec, name: str | None = None
) -> Any:  # fmt: skip
    """`index_table_from_tensor` under its older name."""
    return index_table_from_tensor(mapping, num_oov_buckets, default_value, hasher_spec, string, name)


@export("contrib.lookup.string_to_index")
def string_to_index(tensor: Any, mapping: Any, default_value: int = -1, name: str | None = None) -> Tensor:
    """Returns the positions in `mapping` of the strings in `tensor`. `tf.tables_initializer()` must be run first."""
    return index_table_from_tensor(mapping, default_value=default_value, name=name).lookup(tensor)


@export("contrib.lookup.index_to_string_table_from_file")
def index_to_string_table_from_file(
    vocabulary_file: Any, vocab_size: int | None = None, default_value: Any = "UNK", name: str | None = None, key_column_index: int = -1,
    value_column_index: int = -2, delimiter: str = "\t",
) -> InitializableLookupTableBase:  # fmt: skip
    """Returns the table from numbers to the words of a file, one a line; see `index_table_from_file`."""
    if vocabulary_file is None or (isinstance(vocabulary_file, str) and not vocabulary_file):
        raise ValueError("vocabulary_file must be specified and must not be empty.")
    if vocab_size is not None and vocab_size < 1:
        raise ValueError(f"vocab_size must be greater than 0, got {vocab_size}.")
    with get_default_graph().name_scope(name or "index_to_string"):
        init = TextFileInitializer(vocabulary_file, int64, key_column_index, string, value_column_index, vocab_size, delimiter, "table_init")
        return StaticHashTable(init, default_value)


@export("contrib.lookup.index_to_string_table_from_tensor")
def index_to_string_table_from_tensor(mapping: Any, default_value: Any = "UNK", name: str | None = None) -> InitializableLookupTableBase:
    """Returns the table from positions to the strings of a vector; see `index_table_from_tensor`."""
    if mapping is None:
        raise ValueError("mapping must be specified.")
    with get_default_graph().name_scope(name or "index_to_string"):
        values = convert_to_tensor(mapping, string, "Const")
        keys = cast(range_(size(values)), int64)
        return StaticHashTable(KeyValueTensorInitializer(keys, values, int64, string, "table_init"), default_value)


@export("contrib.lookup.index_to_string")
def index_to_string(tensor: Any, mapping: Any, default_value: Any = "UNK", name: str | None = None) -> Tensor:
    """Returns the strings at the positions `tensor` in `mapping`. `tf.tables_initializer()` must be run first."""
    return index_to_string_table_from_tensor(mapping, default_value, name).lookup(tensor)


__exports__ = {"contrib.lookup.FastHashSpec": "FastHashSpec"}
