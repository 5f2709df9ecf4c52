"""Checkpoints: TensorFlow 1.15's are read exactly, ours are read by it, nothing is lost to a kill, and nothing half restored."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import graphc as tf
from graphc.cli.main import main
from graphc.io import slices, table
from graphc.io.bundle import BundleReader
from graphc.io.bundle_writer import Item, merge_bundles, write_bundle
from ir.ops import save

DATA = Path(__file__).parent / "data" / "checkpoints"
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default() as g:
        yield g


def at(directory: Path, name: str = "m") -> str:
    return str(directory / name)


# -- files of TensorFlow 1.15 (written by tests/data/checkpoints/write.py) -----------------------------


@pytest.mark.parametrize("name", ["types.ckpt.index", "parts.ckpt.index", "meta.ckpt.index", "v1.ckpt"])
def test_tables_are_rewritten_byte_for_byte(name: str) -> None:
    data = (DATA / name).read_bytes()
    assert table.encode_table(table.decode_table(data, name)) == data


def test_every_type_is_read() -> None:
    reader = tf.train.load_checkpoint(str(DATA / "types.ckpt"))
    dtypes = reader.get_variable_to_dtype_map()
    for name, dtype in dtypes.items():
        if name.startswith("v_") and name != "v_string":
            want = np.array([[0, 1, 2], [3, 100, 7]]).astype(dtype.as_numpy_dtype)
            got = reader.get_tensor(name)
            assert name == f"v_{dtype.name}" and got.dtype == want.dtype and (got == want).all()
    assert len(dtypes) == 18 and dtypes["v_bfloat16"] == tf.bfloat16
    assert reader.get_tensor("v_string").tolist() == [b"", b"a\0b", b"x" * 200, "\u00e9".encode()]
    assert reader.get_tensor("scope/scalar") == np.float32(1.5) and reader.get_tensor("empty").shape == (0, 3)
    assert reader.has_tensor("empty") and not reader.has_tensor("nothing")
    assert b"v_float16 (DT_HALF) [2,3]\n" in reader.debug_string()


def test_parts_and_shards_are_read() -> None:
    prefix = str(DATA / "parts.ckpt")
    assert tf.train.list_variables(prefix) == [("p", [5, 3]), ("q", [200, 2]), ("step", []), ("w", [100, 2])]
    assert (tf.train.load_variable(prefix, "w") == np.arange(200.0).reshape(100, 2)).all()
    assert (tf.train.load_variable(prefix, "q") == 1).all() and tf.train.load_variable(prefix, "step") == 7
    p = tf.train.load_variable(prefix, "p")
    parts = [BundleReader(prefix).get_part("p", part) for part in BundleReader(prefix).parts("p")]
    assert p.shape == (5, 3) and (np.concatenate(parts) == p).all() and len(parts) == 3
    across = BundleReader(prefix).get_part("p", slices.Part((5, 3), ((1, 3), (1, 2))))
    assert (across == p[1:4, 1:3]).all()


def test_the_first_format_is_read() -> None:
    first, second = (tf.train.load_checkpoint(str(DATA / n)) for n in ("v1.ckpt", "meta.ckpt"))
    assert first.get_variable_to_shape_map() == second.get_variable_to_shape_map()
    assert all((first.get_tensor(n) == second.get_tensor(n)).all() for n in first.get_variable_to_shape_map())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_parts_are_restored_whatever_their_number(count: int) -> None:
    p = tf.get_variable("p", [5, 3], partitioner=tf.fixed_size_partitioner(count))
    q = tf.get_variable("q", [200, 2], use_resource=True, partitioner=tf.fixed_size_partitioner(3))
    whole = tf.get_variable("whole", [5, 3])
    with tf.Session() as sess:
        tf.train.Saver({"p": p, "q": q}).restore(sess, str(DATA / "parts.ckpt"))
        tf.train.Saver({"p": whole}).restore(sess, str(DATA / "parts.ckpt"))
        want = tf.train.load_variable(str(DATA / "parts.ckpt"), "p")
        assert (sess.run(p.as_tensor()) == want).all() and (sess.run(whole) == want).all() and (sess.run(q.as_tensor()) == 1).all()


def test_a_graph_of_tensorflow_is_imported_and_saved_by_its_own_nodes(tmp_path: Path) -> None:
    saver = tf.train.import_meta_graph(str(DATA / "meta.ckpt.meta"))
    assert [v.name for v in tf.trainable_variables()] == ["layer/w:0"] and tf.train.get_global_step().name == "global_step:0"
    assert tf.trainable_variables()[0] is tf.global_variables()[0]
    with tf.Session() as sess:
        saver.restore(sess, str(DATA / "meta.ckpt"))
        sess.run("Adam")
        assert sess.run("save/control_dependency:0", {"save/Const:0": at(tmp_path)}) == at(tmp_path).encode()
        w = sess.run("layer/w:0")
        sess.run("Adam")
        sess.run("save/restore_all", {"save/Const:0": at(tmp_path)})
        assert sess.run("global_step:0") == 1 and (sess.run("layer/w:0") == w).all()


# -- what we write -----------------------------------------------------------------------------------


def values() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    types = ["float16", "float32", "float64", "int8", "uint16", "int64", "bool", "complex64"]
    out: dict[str, Any] = {f"n/{t}": rng.integers(0, 2, [3, 2]).astype(t) for t in types}
    out["bf"] = np.array([1.5, -2]).astype(ml_dtypes.bfloat16)
    out["text"] = np.array([b"a", b"", b"\0\xff" * 300], dtype=object)
    out["none"] = np.zeros((0, 4), np.float32)
    out["one"] = np.array(7, np.int32)
    return out


def same(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and bool(np.all(np.asarray(a) == np.asarray(b)))


def test_bundles_come_back(tmp_path: Path) -> None:
    write_bundle(at(tmp_path), [Item(k, v) for k, v in values().items()])
    reader = BundleReader(at(tmp_path))
    assert all(same(reader.get(k), v) and reader.get(k).dtype == v.dtype for k, v in values().items())
    for _ in range(3):  # over the old ones
        write_bundle(at(tmp_path), [Item("a", np.ones(3, np.float32)), Item("b", np.ones(2), shard=1)], 2)
        assert BundleReader(at(tmp_path)).names == ["a", "b"]
    assert len(list(tmp_path.iterdir())) == 1 + BundleReader(at(tmp_path)).shards


def test_many_keys_make_several_blocks() -> None:
    items = [(f"scope_{i // 7}/v{i:05d}".encode(), bytes([i % 251]) * (i % 90)) for i in range(3000)]
    items.sort()
    assert list(table.decode_table(table.encode_table(items, 1000), "t")) == items


def test_compressed_blocks_are_read() -> None:
    assert table.snappy_decompress(b"\x0c\x04ab\x15\x02\x00c") == b"ab" + b"ababababa" + b"c"  # a literal, a copy of 9 that overlaps itself, a literal
    with pytest.raises(ValueError, match="not 5"):
        table.snappy_decompress(b"\x05\x00a")


@pytest.mark.parametrize("value", [0, 1, 63, 64, -64, -65, 8191, 8192, 1 << 20, 1 << 40, (1 << 63) - 1, -(1 << 63)])
def test_signed_numbers_keep_their_order(value: int) -> None:
    around = [v for v in (value - 1, value, value + 1) if -(1 << 63) <= v < 1 << 63]
    assert [slices.ordered_signed(v) for v in around] == sorted(slices.ordered_signed(v) for v in around)


def test_wrong_parts_are_refused(tmp_path: Path) -> None:
    for spec in ("4 2", "4 0,5", "4 x,2", "4 2 0,2"):
        with pytest.raises(tf.errors.InvalidArgumentError, match=spec):
            slices.parse_spec(spec)
    with pytest.raises(tf.errors.InvalidArgumentError, match="duplicate key: a"):
        write_bundle(at(tmp_path), [Item("a", np.ones(2)), Item("a", np.ones(2))])
    assert not list(tmp_path.iterdir())


def test_bundles_are_merged(tmp_path: Path) -> None:
    halves = np.arange(6.0).reshape(3, 2)
    write_bundle(at(tmp_path, "a"), [Item("x", halves[:2], "3 2 0,2:0,2"), Item("y", np.ones(2))])
    write_bundle(at(tmp_path, "b"), [Item("x", halves[2:], "3 2 2,1:0,2")])
    merge_bundles([at(tmp_path, "a"), at(tmp_path, "b")], at(tmp_path))
    assert same(BundleReader(at(tmp_path)).get("x"), halves) and sorted(p.name for p in tmp_path.iterdir())[-1] == "m.index"


def test_the_ops_of_both_formats(tmp_path: Path) -> None:
    halves = np.arange(6, dtype=np.float32).reshape(3, 2)
    whole = save.save(at(tmp_path, "w"), ["a", "b"], [halves, [1, 2]])
    parts = save.save_slices(at(tmp_path, "p"), ["a", "a"], ["3 2 0,2:-", "3 2 2,1:-"], [halves[:2], halves[2:]])
    v2 = save.save_v2(at(tmp_path, "v"), ["a"], [""], [halves])
    back = [
        save.restore(at(tmp_path, "w"), "a", tf.float32), save.restore_slice(at(tmp_path, "p"), "a", "3 2 1,2:0,1", tf.float32),
        *save.restore_v2(at(tmp_path, "v"), ["a", "a"], ["", "3 2 -:1,1"], [tf.float32, tf.float32]),
        save.restore(str(DATA / "v1.ckpt"), "layer/w", tf.float32), save.restore_slice(str(DATA / "v1.ckpt"), "layer/w", "3 2 0,1:-", tf.float32),
    ]  # fmt: skip
    assert back[1].shape.as_list() == [2, 1] and back[3].shape.as_list() == [3, 1]
    with tf.Session() as sess:
        sess.run([whole, parts, v2])
        got = sess.run(back)
        assert all(same(g, w) for g, w in zip(got, [halves, halves[1:, :1], halves, halves[:, 1:], np.ones((3, 2)), np.ones((1, 2))], strict=True))
        assert sess.run(save.sharded_filename("x", 1, 3)) == b"x-00001-of-00003" and sess.run(save.sharded_filespec("x", 3)) == b"x-?????-of-00003"
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected dtype int32"):
            sess.run(save.restore_v2(at(tmp_path, "v"), ["a"], [""], [tf.int32]))


# -- Saver -------------------------------------------------------------------------------------------


def model() -> Any:
    x = tf.get_variable("layer/w", [3, 2], initializer=tf.random_normal_initializer(seed=5))
    loss = tf.reduce_sum(tf.nn.dropout(x * x, 0.5))
    return tf.train.AdamOptimizer(0.1).minimize(loss, global_step=tf.train.get_or_create_global_step())


def test_nodes_and_names_are_tensorflows() -> None:
    tf.get_variable("a", [2, 3])
    tf.get_variable("p", [4, 2], partitioner=tf.fixed_size_partitioner(2))
    tf.get_variable("r", [2], use_resource=True)
    saver = tf.train.Saver()
    ops = [(o.name, o.type) for o in tf.get_default_graph().get_operations() if o.name.startswith("save")]
    assert ops == [
        ("save/filename/input", "Const"), ("save/filename", "PlaceholderWithDefault"), ("save/Const", "PlaceholderWithDefault"),
        ("save/SaveV2/tensor_names", "Const"), ("save/SaveV2/shape_and_slices", "Const"), ("save/SaveV2", "SaveV2"), ("save/control_dependency", "Identity"),
        ("save/RestoreV2/tensor_names", "Const"), ("save/RestoreV2/shape_and_slices", "Const"), ("save/RestoreV2", "RestoreV2"),
        ("save/Assign", "Assign"), ("save/Assign_1", "Assign"), ("save/Assign_2", "Assign"), ("save/Identity", "Identity"),
        ("save/AssignVariableOp", "AssignVariableOp"), ("save/restore_all", "NoOp"),
    ]  # fmt: skip
    inputs = tf.get_default_graph().get_operation_by_name("save/SaveV2").inputs
    assert [t.name for t in inputs[3:]] == ["a:0", "p/part_0/read:0", "p/part_1/read:0", "r/Read/ReadVariableOp:0"]
    d = saver.as_saver_def()
    assert (d.filename_tensor_name, d.save_tensor_name, d.restore_op_name) == ("save/Const:0", "save/control_dependency:0", "save/restore_all")


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path: Path) -> None:
    def train(steps: int, restore: str | None = None, save_at: int | None = None) -> Any:
        with tf.Graph().as_default():
            tf.set_random_seed(3)
            step = model()
            saver = tf.train.Saver()
            with tf.Session() as sess:
                sess.run(tf.global_variables_initializer())
                if restore is not None:
                    saver.restore(sess, restore)
                for i in range(steps):
                    sess.run(step)
                    if i + 1 == save_at:
                        saver.save(sess, at(tmp_path), global_step=tf.train.get_global_step())
                return sess.run(tf.global_variables())

    whole = train(9, save_at=4)
    resumed = train(5, restore=tf.train.latest_checkpoint(str(tmp_path)))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(whole, resumed, strict=True))
    assert not any(n.startswith("_graphc") for n, _ in tf.train.list_variables(str(tmp_path)))


def test_old_checkpoints_go(tmp_path: Path) -> None:
    tf.get_variable("v", [])
    saver = tf.train.Saver(max_to_keep=2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(4):
            assert saver.save(sess, at(tmp_path), global_step=i) == at(tmp_path, f"m-{i}")
    assert saver.last_checkpoints == [at(tmp_path, "m-2"), at(tmp_path, "m-3")]
    assert {p.name.split(".")[0] for p in tmp_path.iterdir()} == {"checkpoint", "m-2", "m-3"}
    state = tf.train.get_checkpoint_state(str(tmp_path))
    assert state.model_checkpoint_path == at(tmp_path, "m-3") and list(state.all_model_checkpoint_paths) == saver.last_checkpoints
    later = tf.train.Saver(max_to_keep=2)
    later.recover_last_checkpoints([*state.all_model_checkpoint_paths, "gone"])
    assert later.last_checkpoints == saver.last_checkpoints and len(tf.train.get_checkpoint_mtimes(saver.last_checkpoints)) == 2


def test_the_state_file_is_relative_where_the_directory_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tf.get_variable("v", [])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert tf.train.Saver().save(sess, "d/m", 3) == "d/m-3"
        assert Path("d/checkpoint").read_text() == 'model_checkpoint_path: "m-3"\nall_model_checkpoint_paths: "m-3"\n'
        assert tf.train.latest_checkpoint("d") == "d/m-3" and tf.train.latest_checkpoint("nowhere") is None
        with pytest.raises(ValueError, match="doesn't exist"):
            tf.train.Saver().save(sess, "no/such/m")
    with pytest.raises(ValueError, match="must match"):
        tf.train.generate_checkpoint_state_proto("d", "d/m-3", ["d/m-3"], [1.0, 2.0])


def test_nothing_is_half_restored(tmp_path: Path) -> None:
    a, b = tf.get_variable("a", [2]), tf.get_variable("b", [3])
    write_bundle(at(tmp_path), [Item("a", np.ones(2, np.float32)), Item("b", np.ones(4, np.float32))])
    write_bundle(at(tmp_path, "n"), [Item("a", np.ones(2, np.float32))])
    write_bundle(at(tmp_path, "t"), [Item("a", np.ones(2, np.float32)), Item("b", np.ones(3))])
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        before = sess.run([a, b])
        for name, error, text in (
            ("m", tf.errors.InvalidArgumentError, r"lhs shape= \[3\] rhs shape= \[4\].*b"), ("n", tf.errors.NotFoundError, "Key b not found"),
            ("t", tf.errors.InvalidArgumentError, "tensor_name = b; expected dtype float32 does not equal original dtype float64"),
        ):  # fmt: skip
            with pytest.raises(error, match=text):
                saver.restore(sess, at(tmp_path, name))
            assert all(same(x, y) for x, y in zip(sess.run([a, b]), before, strict=True))
        with pytest.raises(ValueError, match="not a valid checkpoint"):
            saver.restore(sess, at(tmp_path, "nothing"))


def test_reshaping_and_renaming(tmp_path: Path) -> None:
    write_bundle(at(tmp_path), [Item("old", np.arange(6, dtype=np.float32))])
    v = tf.get_variable("v", [2, 3])
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="v"):
            tf.train.Saver().save(sess, at(tmp_path, "x"))
        tf.train.Saver({"old": v}, reshape=True).restore(sess, at(tmp_path))
        assert same(sess.run(v), np.arange(6).reshape(2, 3))
    with pytest.raises(ValueError, match="No variables"), tf.Graph().as_default():
        tf.train.Saver()


def test_shards_are_written_and_run(tmp_path: Path) -> None:
    with tf.device("/cpu:0"):
        tf.get_variable("a", [2])
    tf.get_variable("b", [3], use_resource=True)
    saver = tf.train.Saver(sharded=True)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        want = sess.run(tf.global_variables())
        saver.save(sess, at(tmp_path))
        sess.run(saver.saver_def.save_tensor_name, {saver.saver_def.filename_tensor_name: at(tmp_path, "g")})
        for name in ("m", "g"):
            assert BundleReader(at(tmp_path, name)).shards == 2
            sess.run(tf.global_variables_initializer())
            saver.restore(sess, at(tmp_path, name))
            assert all(same(x, y) for x, y in zip(sess.run(tf.global_variables()), want, strict=True))


def test_graphs_are_exported_and_imported(tmp_path: Path) -> None:
    step = model()
    tf.add_to_collection("step", step)
    tf.add_to_collection("sizes", 3)
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        saver.save(sess, at(tmp_path))
        want = sess.run([v for v in tf.global_variables() if sess.run(step) is None])
    with tf.Graph().as_default():
        again = tf.train.import_meta_graph(at(tmp_path, "m.meta"), import_scope="again")
        assert tf.get_collection("sizes") == [3] and tf.get_collection("step")[0].name == "again/Adam"
        with tf.Session() as sess:
            again.restore(sess, at(tmp_path))
            got = sess.run([v for v in tf.global_variables() if sess.run("again/Adam") is None])
            assert len(got) == len(want) and sess.run("again/global_step:0") == len(got)


def test_variables_start_from_a_checkpoint() -> None:
    prefix = str(DATA / "meta.ckpt")
    with tf.variable_scope("mine"):
        w = tf.get_variable("w", [3, 2])
        m = tf.get_variable("w/Adam", [3, 2], use_resource=True)
    step = tf.get_variable("step", [], tf.int64)
    tf.train.init_from_checkpoint(prefix, {"layer/": "mine/", "global_step": step})
    parts = tf.get_variable("parts", [5, 3], partitioner=tf.fixed_size_partitioner(2))
    tf.train.init_from_checkpoint(str(DATA / "parts.ckpt"), {"p": "parts"})
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert (sess.run(w) == 1).all() and (sess.run(m) == 0).all() and sess.run(step) == 0
        assert same(sess.run(parts.as_tensor()), tf.train.load_variable(str(DATA / "parts.ckpt"), "p"))
    with pytest.raises(ValueError, match="Shape of variable"):
        tf.train.init_from_checkpoint(prefix, {"layer/w": step})
    with pytest.raises(ValueError, match="not found"):
        tf.train.init_from_checkpoint(prefix, {"nothing": step})


# -- damage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["flip", "cut", "gone"])
@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_damage_is_named_and_harms_nothing(how: str, suffix: str, tmp_path: Path) -> None:
    variables = {k: tf.get_variable(k.replace("/", "_"), initializer=tf.constant(v)) for k, v in values().items() if k in ("text", "n/float32", "one")}
    saver = tf.train.Saver(variables)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        saver.save(sess, at(tmp_path), write_meta_graph=False)
        sess.run(tf.assign(variables["one"], 9))
        path = Path(at(tmp_path) + suffix)
        whole = path.read_bytes()
        positions = range(0, len(whole), 7 if how == "flip" else 31)
        for i in [0] if how == "gone" else positions:
            if how == "gone":
                path.unlink()
            else:
                path.write_bytes(whole[:i] if how == "cut" else whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :])
            try:
                saver.restore(sess, at(tmp_path))
            except (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.UnimplementedError, ValueError) as e:
                text = str(e)
                assert str(path) in text or how == "gone"
                assert suffix == ".index" or any(k in text for k in variables)
                assert sess.run(variables["one"]) == 9
            else:  # bytes that mean nothing: the footer's padding, the block of metadata
                assert suffix == ".index" and how == "flip" and i > len(whole) - 120
                sess.run(tf.assign(variables["one"], 9))


# -- kills -------------------------------------------------------------------------------------------

VICTIMS = """
import os, random, signal, sys, time
import numpy as np
from graphc.io.bundle_writer import Item, write_bundle
from graphc.train.checkpoint_management import remove_checkpoint, update_checkpoint_state

def save_for_ever(d, same):
    progress = os.open(d + "/progress", os.O_CREAT | os.O_WRONLY)
    for i in range(1, 1000000):
        prefix = d + ("/m" if same else f"/m-{i}")
        write_bundle(prefix, [Item(f"v{j}", np.full(20000, i * 10 + j)) for j in range(5)])
        update_checkpoint_state(d, prefix)
        os.write(progress, b"%d " % i)
        if not same and i > 2:
            remove_checkpoint(f"{d}/m-{i - 2}")

for seed in range(int(sys.argv[2])):
    d = f"{sys.argv[1]}/{seed}"
    os.mkdir(d)
    child = os.fork()
    if not child:
        save_for_ever(d, seed % 2)
    time.sleep(random.Random(seed).uniform(0.0, 0.12))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def kills(tmp_path: Path, count: int) -> None:
    """Saves in `count` processes, half of them under one name again and again, that are killed; then looks at what they left."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT), JAX_PLATFORMS="cpu")
    subprocess.run([sys.executable, "-c", VICTIMS, str(tmp_path), str(count)], check=True, env=environment)
    saved = 0
    for seed in range(count):
        directory = tmp_path / str(seed)
        progress = directory / "progress"
        done = len(progress.read_text().split()) if progress.exists() else 0
        latest = tf.train.latest_checkpoint(str(directory))
        if latest is None:
            assert not done
            continue
        reader = tf.train.load_checkpoint(latest)
        found = {int(v) for j in range(5) for v in np.unique(reader.get_tensor(f"v{j}") - j)}
        assert len(found) == 1 and found.pop() // 10 >= done
        saved += done
    assert saved > count


def test_kills_lose_nothing(tmp_path: Path) -> None:
    kills(tmp_path, 20)


@pytest.mark.slow
def test_many_kills_lose_nothing(tmp_path: Path) -> None:
    kills(tmp_path, 200)


# -- the command -------------------------------------------------------------------------------------


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ckpt", "show", str(DATA / "parts.ckpt"), "--values", "step"]) == 0
    shown = capsys.readouterr().out
    assert "p     float32    [5, 3]  in 3 parts" in shown and "4 tensors" in shown and "step =\n7" in shown
    assert main(["ckpt", "to-npz", str(DATA / "types.ckpt"), at(tmp_path, "t.npz")]) == 0
    with np.load(at(tmp_path, "t.npz")) as f:
        assert f["v_bfloat16"].tolist() == [[0, 1, 2], [3, 100, 7]] and f["v_string"][1] == b"a\0b"
    assert main(["ckpt", "to-safetensors", str(DATA / "meta.ckpt"), at(tmp_path, "t.st")]) == 0
    data = Path(at(tmp_path, "t.st")).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    start, end = header["layer/w"]["data_offsets"]
    assert header["layer/w"]["shape"] == [3, 2] and np.frombuffer(data[8 + size :][start:end], np.float32).tolist() == [1] * 6
    capsys.readouterr()
    assert main(["ckpt", "to-safetensors", str(DATA / "types.ckpt"), at(tmp_path, "u.st")]) == 1
    assert "safetensors files cannot hold" in capsys.readouterr().err
    assert main(["ckpt", "show", "nowhere"]) == 1 and "nowhere" in capsys.readouterr().err


# -- TensorFlow 1.15 itself --------------------------------------------------------------------------


def tensorflow_python() -> str | None:
    found = os.environ.get("GRAPHC_TF115_PYTHON") or shutil.which("python3.7")
    if not found:
        return None
    answer = subprocess.run([found, "-c", "import tensorflow as tf; print(tf.__version__)"], capture_output=True, text=True, check=False)
    return found if answer.stdout.startswith("1.15") else None


@pytest.fixture(scope="module")
def tensorflow() -> str:
    found = tensorflow_python()
    if found is None:
        pytest.skip("needs TensorFlow 1.15: set GRAPHC_TF115_PYTHON to its Python")
    return found


def ask(python: str, kind: str, prefix: str, out: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("checkpoint_tf115.py")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run([python, str(script), kind, prefix, str(out)], check=True, capture_output=True, env=environment)
    with np.load(out, allow_pickle=True) as f:
        return {k.replace("|", "/"): f[k] for k in f}


def test_tensorflow_reads_what_we_write(tensorflow: str, tmp_path: Path) -> None:
    given = values()
    write_bundle(at(tmp_path), [Item(k, v) for k, v in given.items()])
    write_bundle(at(tmp_path), [Item(k, v) for k, v in given.items()])  # with a shard more
    got = ask(tensorflow, "values", at(tmp_path), tmp_path / "out.npz")
    assert got.keys() == given.keys() and all(same(got[k], v) for k, v in given.items())


def test_tensorflow_goes_on_where_we_stopped(tensorflow: str, tmp_path: Path) -> None:
    tf.get_variable("p", [5, 3], partitioner=tf.fixed_size_partitioner(2))
    x = tf.get_variable("layer/w", [3, 2], initializer=tf.random_normal_initializer(seed=5))
    step = tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(x * x), global_step=tf.train.get_or_create_global_step())
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step)
        tf.train.Saver().save(sess, at(tmp_path))
        sess.run(step)
        want = {v.op.name: v.eval() for v in tf.global_variables()}
    got = ask(tensorflow, "resume", at(tmp_path), tmp_path / "out.npz")
    assert got.keys() == want.keys()
    for k, v in want.items():
        np.testing.assert_allclose(got[k], v, rtol=1e-6, err_msg=k)
