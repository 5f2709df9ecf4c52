"""Splitting strings into sparse tensors of their parts, and n-grams of ragged rows of strings."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Annotated, Any

import numpy as np

from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import int64
from ir.infer import Infer, with_rank
from ir.opdef import In, Ints, String
from ir.ops.layout import _one_of  # pyright: ignore[reportPrivateUsage]
from ir.ops.strings import INDICES, encoded, invalid, listed, string_of
from ir.shapes import Dims
from ir.sparse_tensor import SparseTensor

Tsplits = Annotated[Any, In("Tsplits")]


def _split_shapes(c: Infer) -> list[Dims]:
    with_rank(c.dims(0), 1, "input")
    with_rank(c.dims(1), 0, c.input_name(1))
    return [(None, 2), (None,), (2,)]


def _split_rows(texts: Any, split: Callable[[bytes], Iterable[bytes]]) -> Any:
    """Returns what `split` makes of each string: indices, values and shape of a sparse matrix."""
    array = np.asarray(texts)
    if array.ndim != 1:
        raise invalid(f"input must be a vector, got shape: [{','.join(map(str, array.shape))}]")
    rows = [list(split(x)) for x in array.tolist()]
    indices = [(i, j) for i, row in enumerate(rows) for j in range(len(row))]
    longest = max(map(len, rows), default=0)
    values = [part for row in rows for part in row]
    return np.array(indices, np.int64).reshape(-1, 2), listed(values, (len(values),)), np.array([array.size, longest], np.int64)


@op("StringSplit", _split_shapes, out="indices: int64, values: string, shape: int64", host=True, dynamic=True)
def _string_split(input: String, delimiter: String, skip_empty: bool = True, name: str | None = None) -> Any:
    """Splits at every byte that is in `delimiter`, or between all bytes when that is empty."""
    marks = set(string_of(delimiter))

    def split(text: bytes) -> list[bytes]:
        if not marks:
            parts = [text[i : i + 1] for i in range(len(text))]
        else:
            cuts = [-1, *[i for i, b in enumerate(text) if b in marks], len(text)]
            parts = [text[a + 1 : b] for a, b in pairwise(cuts)]
        return [p for p in parts if p] if skip_empty or not text else parts

    return _split_rows(input, split)


@op("StringSplitV2", _split_shapes, out="indices: int64, values: string, shape: int64", host=True, dynamic=True)
def _string_split_v2(input: String, sep: String, maxsplit: int = -1, name: str | None = None) -> Any:
    """Splits as Python's `split` does: at `sep`, or at white space when that is empty.

    As in TensorFlow 1.15, a string of exactly `maxsplit` words has an empty part after them, and `maxsplit` 0 leaves a string as it is.
    """
    mark = string_of(sep) or None

    def split(text: bytes) -> list[bytes]:
        if maxsplit == 0:
            return [text]
        parts = text.split(mark, maxsplit)
        return [*parts, b""] if mark is None and len(parts) == maxsplit else parts

    return _split_rows(input, split)


grad.none("StringSplit StringSplitV2", "strings are not differentiable")


def sparse_only(result_type: str, function: str) -> None:
    """Raises ValueError for a result type that does not exist, NotImplementedError for ragged tensors, which graphc has not."""
    if result_type == "RaggedTensor":
        raise NotImplementedError(f"{function}: graphc has no RaggedTensor; use result_type='SparseTensor'")
    if result_type != "SparseTensor":
        raise ValueError("result_type must be 'RaggedTensor' or 'SparseTensor'.")


@export("string_split")
def string_split(
    source: Any, sep: Any = None, skip_empty: bool = True, delimiter: Any = None, result_type: str = "SparseTensor", name: str | None = None
) -> SparseTensor:  # fmt: skip
    """Splits each string into its parts.

    Args:
      source: a vector of strings.
      sep: a string; every one of its bytes separates parts. A space by default; "" splits into bytes.
      skip_empty: leave out empty parts.
      delimiter: the old name of `sep`.
      result_type: "SparseTensor".
      name: a name for the operations.

    Returns a SparseTensor of shape [number of strings, most parts]; row i holds the parts of string i.

    >>> string_split(["hello world", "a b c"]).dense_shape.shape.as_list()
    [2]
    """
    delimiter = _one_of(delimiter, "delimiter", sep, "sep") if delimiter is not None else sep
    sparse_only(result_type, "string_split")
    with get_default_graph().name_scope(name or "StringSplit"):
        mark = convert_to_tensor(" " if delimiter is None else delimiter, name="Const")
        return SparseTensor(*_string_split(convert_to_tensor(source, name="Const"), mark, skip_empty))


@export("strings.split")
def strings_split(
    input: Any = None, sep: Any = None, maxsplit: int = -1, result_type: str = "SparseTensor", source: Any = None, name: str | None = None
) -> SparseTensor:  # fmt: skip
    """Splits each string into its parts, as Python's `str.split` does.

    Args:
      input: a vector of strings.
      sep: the string between the parts; None or "" is any white space.
      maxsplit: split at most so often, as often as possible when negative.
      result_type: "SparseTensor".
      source: the old name of `input`.
      name: a name for the operations.

    Returns a SparseTensor of shape [number of strings, most parts]; row i holds the parts of string i.
    """
    input = _one_of(input, "input", source, "source")
    sparse_only(result_type, "strings.split")
    with get_default_graph().name_scope(name or "StringSplit"):
        source = convert_to_tensor(input, name="input")
        return SparseTensor(*_string_split_v2(source, constant("" if sep is None else sep), maxsplit))


# -- n-grams -------------------------------------------------------------------------------------------


@op(
    "StringNGrams", lambda c: [(None,), c.dims(1)], out="ngrams: string, ngrams_splits: Tsplits", host=True, dynamic=True, Tsplits=INDICES.default_to(int64),
)  # fmt: skip
def string_n_grams(
    data: String, data_splits: Tsplits, separator: str, ngram_widths: Ints, left_pad: str, right_pad: str, pad_width: int,
    preserve_short_sequences: bool, name: str | None = None,
) -> Any:  # fmt: skip
    """The n-grams of each row of a ragged matrix of strings: for every width in order, then by position.

    A row is padded at both ends by `pad_width` strings, or one less than the width when that is negative, and never more than that.
    """
    words, splits = np.asarray(data).tolist(), np.asarray(data_splits)
    last = 0
    for b in splits.tolist():
        if not last <= b <= len(words):
            raise invalid(f"Invalid split value {b}, must be in [{last},{len(words)}]")
        last = b
    glue, left, right = encoded(separator), encoded(left_pad), encoded(right_pad)
    out: list[bytes] = []
    ends = [0]
    for a, b in pairwise(splits.tolist()):
        row = words[a:b]
        found: list[bytes] = []
        for width in ngram_widths:
            pad = width - 1 if pad_width < 0 else min(pad_width, width - 1)
            padded = [left] * pad + row + [right] * pad
            found += [glue.join(padded[i : i + width]) for i in range(len(padded) - width + 1)]
        if preserve_short_sequences and not found and row:
            pad = max(0, pad_width)
            found = [glue.join([left] * pad + row + [right] * pad)]
        out += found
        ends.append(len(out))
    return listed(out, (len(out),)), np.array(ends, splits.dtype)


grad.none("StringNGrams", "strings are not differentiable")
