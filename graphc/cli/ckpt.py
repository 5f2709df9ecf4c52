"""`graphc ckpt`: what is in a checkpoint, and its tensors as files other programs read.

    graphc ckpt show PREFIX                     names, types, shapes
    graphc ckpt show PREFIX --values v          values too
    graphc ckpt to-npz PREFIX OUT.npz
    graphc ckpt to-safetensors PREFIX OUT.safetensors
"""

import argparse
import json
import struct
import sys
from typing import Any

import numpy as np

from graphc.io.bundle_writer import write_atomically
from graphc.io.checkpoint_reader import CheckpointReader
from graphc.train.checkpoint_utils import load_checkpoint
from ir.errors import OpError

#: names of types in safetensors files
_TYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL", "complex64": "C64",
}  # fmt: skip


def add_parser(commands: Any) -> None:
    """Adds `ckpt` to the commands of `graphc`."""
    parser = commands.add_parser("ckpt", help="look into checkpoints, convert them", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    show = actions.add_parser("show", help="list the tensors")
    show.add_argument("path", help="the checkpoint's prefix, or a directory, whose latest one is taken")
    show.add_argument("--values", nargs="*", metavar="NAME", help="show the values of these tensors, of all when none is named")
    for kind in ("npz", "safetensors"):
        to = actions.add_parser(f"to-{kind}", help=f"write the tensors to a .{kind} file")
        to.add_argument("path", help="the checkpoint's prefix, or a directory")
        to.add_argument("out", nargs="?", help=f"the file to write; by default the prefix with .{kind} after it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; returns the exit status."""
    try:
        reader = load_checkpoint(args.path)
        if args.action == "show":
            show(reader, args.values)
            return 0
        kind = args.action.removeprefix("to-")
        out = args.out or f"{reader.prefix}.{kind}"
        tensors = {n: np.asarray(reader.get_tensor(n)) for n in sorted(reader.get_variable_to_shape_map())}
        (write_npz if kind == "npz" else write_safetensors)(out, tensors)
        print(f"wrote {out}: {len(tensors)} tensors")
    except (OpError, ValueError, OSError) as e:
        print(f"graphc ckpt: {e}", file=sys.stderr)
        return 1
    return 0


def show(reader: CheckpointReader, values: list[str] | None) -> None:
    """Prints a line a tensor, then the values asked for."""
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    width = max((len(n) for n in shapes), default=0)
    total = 0
    for n in sorted(shapes):
        parts = len(reader.parts(n))
        size = int(np.prod(shapes[n], dtype=np.int64)) * dtypes[n].size
        total += size
        print(f"{n:<{width}}  {dtypes[n].name:<10} {shapes[n]}{f'  in {parts} parts' if parts else ''}")
    print(f"{len(shapes)} tensors, {total:,} bytes")
    if values is not None:
        for n in values or sorted(shapes):
            print(f"{n} =\n{reader.get_tensor(n)}")


def write_npz(path: str, tensors: dict[str, Any]) -> None:
    """Writes a NumPy archive. Types that NumPy's format lacks go as float32; strings go padded to one length."""
    plain = {n: _plain(v) for n, v in tensors.items()}
    with open(path, "wb") as f:
        arguments: Any = plain
        np.savez(f, **arguments)


def _plain(value: Any) -> Any:
    if value.dtype.kind == "V":
        return value.astype(np.float32)
    return value.astype(bytes) if value.dtype.kind == "O" else value


def write_safetensors(path: str, tensors: dict[str, Any]) -> None:
    """Writes a safetensors file: the header's length, a header in JSON, the tensors. Raises ValueError for a type that the format lacks."""
    header: dict[str, Any] = {"__metadata__": {"format": "tf"}}
    at = 0
    for n, v in tensors.items():
        if v.dtype.name not in _TYPES:
            raise ValueError(f"tensor {n} has type {'string' if v.dtype.kind == 'O' else v.dtype.name}, which safetensors files cannot hold")
        header[n] = {"dtype": _TYPES[v.dtype.name], "shape": list(v.shape), "data_offsets": [at, at + v.nbytes]}
        at += v.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_atomically(path, struct.pack("<Q", len(text)) + text + b"".join([v.tobytes() for v in tensors.values()]))
