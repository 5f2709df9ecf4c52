"""Rows of ir.ops.lookup: each makes a table, fills it, and asks it."""

import numpy as np

from graphc.variables import tables as t
from ir.convert import get_default_graph
from ir.ops import lookup as lk
from ir.ops.basic import placeholder
from tests.rowdef import ErrorRow, Row


def s(x):
    """Bytes as an array of strings."""
    return np.array(x, object)


def value(x):
    """A reference that is known."""
    return lambda *_: x


def after(op, build):
    """What `build` gives, after an operation."""
    with get_default_graph().control_dependencies([op]):
        return build()


def static(keys, values):
    table = lk.hash_table_v2("string", "int64")
    ready = lk.initialize_table_v2(table, keys, values)
    return after(ready, lambda: [lk.lookup_table_find_v2(table, [["b"], ["z"]], np.int64(-1)), lk.lookup_table_size_v2(table)])


def from_file(name):
    table = lk.hash_table_v2("string", "int64")
    ready = lk.initialize_table_from_text_file_v2(table, name, lk.WHOLE_LINE, lk.LINE_NUMBER)
    return after(ready, lambda: lk.lookup_table_find_v2(table, ["tests", "nothing"], np.int64(-1)))


def changing(keys, values):
    table = lk.mutable_hash_table_v2("string", "int64")
    graph = get_default_graph()
    with graph.control_dependencies([lk.lookup_table_insert_v2(table, keys, values)]):
        first = lk.lookup_table_find_v2(table, ["a", "c"], np.int64(-1))
    with graph.control_dependencies([first]), graph.control_dependencies([lk.lookup_table_remove_v2(table, ["a"])]):
        found = lk.lookup_table_export_v2(table, "string", "int64")
    return [first, found.keys, found.values]


def of_tensors(keys, values):
    table = lk.mutable_hash_table_of_tensors_v2("int64", "float32", value_shape=[2])
    return after(lk.lookup_table_import_v2(table, keys, values), lambda: lk.lookup_table_find_v2(table, np.int64([[7, 8]]), np.float32([0, -1])))


def dense(keys, values):
    table = lk.mutable_dense_hash_table_v2(np.int64([0, 0]), np.int64([-1, -1]), value_dtype="int64", initial_num_buckets=8)
    return after(lk.lookup_table_insert_v2(table, keys, values), lambda: list(lk.lookup_table_export_v2(table, "int64", "int64")))


def dense_grows(keys, values):
    table = t.MutableDenseHashTable("int64", "int64", -1, 0, -1, initial_num_buckets=4)
    graph = get_default_graph()
    with graph.control_dependencies([table.insert(keys, values)]), graph.control_dependencies([table.remove(np.int64([13]))]):
        return [*table.export(), table.size(), table.lookup(np.int64([12, 13]))]


BUCKETS = [[0, 0]] * 3 + [[1, 2]] + [[0, 0]] * 3 + [[3, 4]]

ROWS = [
    Row("HashTableV2", static, [s([b"a", b"b"]), np.int64([1, 2])], value([np.int64([[2], [-1]]), np.int64(2)])),
    Row("InitializeTableV2", static, [s([b"b"]), np.int64([7])], value([np.int64([[7], [-1]]), np.int64(1)])),
    Row("LookupTableFindV2", static, [s([b"b", b"b"]), np.int64([7, 7])], value([np.int64([[7], [-1]]), np.int64(1)]), id="twice the same"),
    Row("LookupTableSizeV2", static, [s(np.empty(0, object)), np.zeros(0, np.int64)], value([np.int64([[-1], [-1]]), np.int64(0)]), id="empty"),
    Row("InitializeTableFromTextFileV2", from_file, [s(b"/dev/null")], value(np.int64([-1, -1]))),
    Row("MutableHashTableV2", changing, [s([b"a", b"b", b"a"]), np.int64([1, 2, 3])], value([np.int64([3, -1]), s([b"b"]), np.int64([2])])),
    Row("LookupTableInsertV2", changing, [s([[b"a"]]), np.int64([[5]])], value([np.int64([5, -1]), s(np.empty(0, object)), np.zeros(0, np.int64)])),
    Row("LookupTableRemoveV2", changing, [s([b"c"]), np.int64([4])], value([np.int64([-1, 4]), s([b"c"]), np.int64([4])])),
    Row("MutableHashTableOfTensorsV2", of_tensors, [np.int64([8, 9]), np.float32([[1, 2], [3, 4]])], value(np.float32([[[0, -1], [1, 2]]]))),
    Row("LookupTableImportV2", of_tensors, [np.int64([7]), np.float32([[1, 2]])], value(np.float32([[[1, 2], [0, -1]]]))),
    Row("MutableDenseHashTableV2", dense, [np.int64([[1, 2], [3, 4]]), np.int64([7, 8])],  # the buckets TensorFlow 1.15 has
        value([np.int64(BUCKETS), np.int64([[0], [0], [0], [7], [0], [0], [0], [8]])])),
    Row("LookupTableExportV2", dense_grows, [np.int64([11, 12, 13, 14, 15]), np.int64([1, 2, 3, 4, 5])],
        value([np.int64([[0], [0], [0], [11], [12], [-1], [14], [15]]), np.int64([[0], [0], [0], [1], [2], [3], [4], [5]]), np.int64(4), np.int64([2, -1])])),
]  # fmt: skip

ERRORS = [
    ErrorRow("InitializeTableV2", lambda: lk.initialize_table_v2(lk.hash_table_v2("string", "int64"), ["a"], [1, 2]), ValueError, "1 keys and 2 values"),
    ErrorRow("LookupTableFindV2", lambda: t.HashTable(t.KeyValueTensorInitializer(["a"], [1], "string", "int64"), -1).lookup(placeholder("int32")),
        TypeError, "Signature mismatch. Keys must be dtype tf.string, got tf.int32"),
    ErrorRow("HashTableV2", lambda: t.HashTable(t.KeyValueTensorInitializer(["a"], [1.5], "string", "float32"), "x"), TypeError, "Expected float32, got 'x'"),
]  # fmt: skip
