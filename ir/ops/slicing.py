"""Parts of tensors: Slice, StridedSlice with all its masks, and the indexing of tensors, `x[1:, ..., tf.newaxis]`."""

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np

from ir import static, xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph, is_tensor_like
from ir.dtypes import ANY, INDEX, bool_, int32, int64
from ir.infer import Infer, no_outputs
from ir.opdef import In, RefT, Resource, T
from ir.ops.cast import cast
from ir.ops.layout import length, ones_like, raw, reshape, shape, sizes
from ir.ops.packing import stack
from ir.shapes import Dimension, Dims, shape_str
from ir.tensor import Operation, Tensor

newaxis = None
__exports__ = {"newaxis": "newaxis"}

Index = Annotated[Any, In("Index")]
IndexList = Annotated[Sequence[Any], In("Index", number="N")]


# -- Slice -------------------------------------------------------------------------------------------


def slice_dims(dims: Dims, begin: Dims, extent: Dims) -> Dims:
    """Returns the shape of `dims` cut to sizes `extent` at `begin`; entries None are not known, -1 is up to the end."""
    count = len(extent) if extent is not None else None if begin is None else len(begin)
    rank = len(dims) if dims is not None else count
    if rank is None:
        return None
    for name, v in (("begin", begin), ("size", extent)):
        if v is not None and len(v) != rank:
            raise ValueError(f"{name} has {len(v)} entries for a tensor of rank {rank}")
    out: list[int | None] = []
    for i in range(rank):
        d = None if dims is None else dims[i]
        b = None if begin is None else begin[i]
        n = None if extent is None else extent[i]
        if b is not None and (b < 0 or (d is not None and b > d)):
            raise ValueError(f"Expected begin[{i}] in [0, {'?' if d is None else d}], but got {b}")
        if n is not None and n < -1:
            raise ValueError(f"Expected size[{i}] at least -1, but got {n}")
        if n == -1:
            n = None if d is None or b is None else d - b
        elif n is not None and d is not None and n + (b or 0) > d:
            raise ValueError(f"Expected size[{i}] in [0, {d - (b or 0)}], but got {n}: begin {b}, shape {shape_str(dims)}")
        out.append(n)
    return tuple(out)


def _sliced(c: Infer) -> Dims:
    for i in (1, 2):
        length(c, i)
    return slice_dims(c.dims(0), static.entries_of(c.tensors[1]), static.entries_of(c.tensors[2]))


def _slice_needs(node: Any) -> list[int]:
    extent = node.value(2)
    return [2] if extent is not None and -1 not in extent else [1, 2]


@op("Slice", _sliced, static=_slice_needs, T=ANY, Index=INDEX)
def _slice(input: T, begin: Index, size: Index, name: str | None = None) -> Tensor:
    """The block of shape `size` that starts at `begin`."""
    at = sizes(begin)
    extent = slice_dims(np.shape(input), at, sizes(size)) or ()
    return input[tuple([slice(b, b + n) for b, n in zip(at, extent, strict=True) if n is not None])]


@grad("Slice")
def _(op: Operation, dy: Tensor) -> Any:
    x, begin = op.inputs[0], op.inputs[1]
    if static.value_of(begin) is None:  # a place that the run decides: write into zeros instead of padding
        extent = shape(op.outputs[0], out_type=begin.dtype)
        return strided_slice_grad(shape(x, out_type=begin.dtype), begin, begin + extent, ones_like(begin), dy), None, None
    column = stack([raw("Rank")(x) if x.dims is None else len(x.dims), 1])
    before = reshape(begin, column)
    after = reshape(shape(x, out_type=begin.dtype) - shape(op.outputs[0], out_type=begin.dtype) - begin, column)
    return raw("Pad")(dy, raw("ConcatV2")([before, after], 1)), None, None


@export("slice")
def slice_(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """Cuts the block of shape `size` that starts at `begin` out of a tensor.

    Args:
      input_: a tensor.
      begin: a vector of int32 or int64, one entry per dimension.
      size: the same; -1 stands for all that is left.

    Raises ValueError when the block does not lie inside the tensor.

    >>> slice_([[1, 2, 3], [4, 5, 6]], [0, 1], [2, -1]).shape.as_list()
    [2, 2]
    """
    return _slice(input_, begin, size, name=name)


# -- StridedSlice ------------------------------------------------------------------------------------


class Masks:
    """The bit masks of a strided slice, one bit per entry of `begin`."""

    __slots__ = ("begin", "ellipsis", "end", "new_axis", "shrink")

    def __init__(self, begin: int, end: int, ellipsis: int, new_axis: int, shrink: int) -> None:
        if ellipsis & (ellipsis - 1):
            raise ValueError("Multiple ellipses in slice spec not allowed")
        self.begin = begin
        self.end = end
        self.ellipsis = ellipsis
        self.new_axis = new_axis
        self.shrink = shrink

    def kind(self, i: int) -> str:
        """Whether entry i is an "ellipsis", a "new" axis, an "index" or a "range"."""
        bit = 1 << i
        if self.ellipsis & bit:
            return "ellipsis"
        if self.new_axis & bit:
            return "new"
        return "index" if self.shrink & bit else "range"


def masks_of(attrs: dict[str, Any]) -> Masks:
    """Returns the masks among the attributes of an operation."""
    return Masks(attrs["begin_mask"], attrs["end_mask"], attrs["ellipsis_mask"], attrs["new_axis_mask"], attrs["shrink_axis_mask"])


def expanded(masks: Masks, count: int, rank: int) -> list[tuple[str, int]]:
    """Returns what makes up the result, one ("range" | "index" | "new" | "all", entry) after the other.

    All but "new" take one dimension of the input, of rank `rank`; an ellipsis (or the end) becomes as many "all" as are left.
    """
    kinds = [masks.kind(i) for i in range(count)]
    if "ellipsis" not in kinds:
        kinds.append("ellipsis")
    used = sum(k in ("index", "range") for k in kinds)
    if used > rank:
        raise ValueError(f"Index out of range using input dim {rank}; input has only {rank} dims")
    out: list[tuple[str, int]] = []
    for i, k in enumerate(kinds):
        out.extend([("all", i)] * (rank - used) if k == "ellipsis" else [(k, i)])
    return out


def _range_size(dim: int | None, b: int | None, e: int | None, s: int | None, masks: Masks, i: int) -> int | None:
    """The number of elements of one range; None when it is not known."""
    if s == 0:
        raise ValueError(f"strides[{i}] must be non-zero")
    if s is None:
        return None
    open_begin, open_end = bool(masks.begin >> i & 1), bool(masks.end >> i & 1)
    if open_begin and open_end and s in (1, -1):
        return dim
    if not open_begin and not open_end and b is not None and e is not None and (b < 0) == (e < 0) and (e - b) * s <= 0:
        return 0
    if dim is None or (b is None and not open_begin) or (e is None and not open_end):
        return None
    return len(range(*slice(None if open_begin else b, None if open_end else e, s).indices(dim)))


def strided_dims(dims: Dims, begin: Dims, end: Dims, strides: Dims, masks: Masks) -> Dims:
    """Returns the shape of a strided slice of a tensor of shape `dims`; entries None are not known."""
    counts = {len(v) for v in (begin, end, strides) if v is not None}
    if len(counts) > 1:
        raise ValueError(f"begin, end and strides must have one length, got {sorted(counts)}")
    if dims is None or not counts:
        return None
    count = counts.pop()
    none = (None,) * count
    b, e, s = begin or none, end or none, strides or none
    out: list[int | None] = []
    at = 0
    for kind, i in expanded(masks, count, len(dims)):
        if kind == "new":
            out.append(1)
            continue
        d, at = dims[at], at + 1
        if kind == "all":
            out.append(d)
        elif kind == "index":
            k = b[i]
            if k is not None and d is not None and not -d <= k < d:
                raise ValueError(f"slice index {k} of dimension {at - 1} out of bounds.")
            if s[i] is not None and (s[i] or 0) <= 0:
                raise ValueError("only stride 1 allowed on non-range indexing.")
        else:
            out.append(_range_size(d, b[i], e[i], s[i], masks, i))
    return tuple(out)


def _strided(c: Infer) -> Dims:
    entries = [static.entries_of(c.tensors[i]) for i in (1, 2, 3)]
    for i in (1, 2, 3):
        length(c, i)
    return strided_dims(c.dims(0), entries[0], entries[1], entries[2], masks_of(c.attrs))


def index_of(begin: Any, end: Any, strides: Any, masks: Masks) -> tuple[Any, ...]:
    """Returns the index, as NumPy has it, of a strided slice."""
    out: list[Any] = []
    for i, (b, e, s) in enumerate(zip(sizes(begin), sizes(end), sizes(strides), strict=True)):
        kind = masks.kind(i)
        if kind == "ellipsis":
            out.append(Ellipsis)
        elif kind == "new":
            out.append(None)
        elif kind == "index":
            out.append(b)
        else:
            if s == 0:
                raise ValueError(f"strides[{i}] must be non-zero")
            out.append(slice(None if masks.begin >> i & 1 else b, None if masks.end >> i & 1 else e, s))
    return tuple(out)


def _strided_needs(node: Any) -> list[int]:
    """XLA must know the bounds of ranges; a single index may be found by the run."""
    vector = node.dims(1)
    if not vector or vector[0] is None:
        return [1, 2, 3]
    masks = masks_of(node.attrs)
    ranges = [i for i in range(vector[0]) if masks.kind(i) == "range"]
    begin = any(not masks.begin >> i & 1 for i in ranges)
    end = any(not masks.end >> i & 1 for i in ranges)
    return [1] * begin + [2] * end + [3] * bool(ranges)


@op("StridedSlice", _strided, static=_strided_needs, T=ANY, Index=INDEX)
def _strided_slice(
    input: T, begin: Index, end: Index, strides: Index, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0, name: str | None = None,
) -> Tensor:  # fmt: skip
    """A slice with strides; the bits of the masks say what each entry of `begin`, `end` and `strides` means."""
    at = index_of(begin, end, strides, Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask))
    out: Any = input[at]
    return np.asarray(out) if isinstance(input, np.ndarray) else out  # pyright: ignore[reportReturnType]


def _from_shape(c: Infer) -> Dims:
    return c.shape_value(0)


@op("StridedSliceGrad", _from_shape, out="output: T", static="shape strides", T=ANY, Index=INDEX)
def strided_slice_grad(
    shape: Index, begin: Index, end: Index, strides: Index, dy: T, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Zeros of shape `shape` with `dy` at the place of the strided slice."""
    at = index_of(begin, end, strides, Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask))
    return written(np.zeros(sizes(shape), dy.dtype), at, dy)


def written(x: Any, at: tuple[Any, ...], value: Any) -> Any:
    """Returns `x` with `value` at index `at`."""
    if xp.is_numpy([x, value]):
        out = np.array(x)
        out[at] = value
        return out
    return xp.namespace(x, value).asarray(x).at[at].set(value)


_MASK_NAMES = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


def _masks_of(op: Operation) -> dict[str, Any]:
    return {k: op.attrs[k] for k in _MASK_NAMES}


@grad("StridedSlice")
def _(op: Operation, dy: Tensor) -> Any:
    x, begin, end, strides = op.inputs
    x_shape = shape(x, out_type=begin.dtype)
    return strided_slice_grad(x_shape, begin, end, strides, dy, **_masks_of(op)), None, None, None


@grad("StridedSliceGrad")
def _(op: Operation, dy: Tensor) -> Any:
    begin, end, strides = op.inputs[1:4]
    return None, None, None, None, _strided_slice(dy, begin, end, strides, **_masks_of(op))


@export("strided_slice")
def strided_slice(
    input_: Any, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0, var: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Extracts a strided slice: the elements `begin[i], begin[i] + strides[i], ...` before `end[i]` along dimension i.

    Args:
      input_: a tensor.
      begin, end, strides: vectors of one integer type and length; strides 1 by default. Negative entries of `begin` and
        `end` count from the end of the dimension; a negative stride goes backwards. Entries may be fewer than dimensions.
      begin_mask, end_mask: bit i set: ignore `begin[i]` (`end[i]`) and go as far as the dimension does.
      ellipsis_mask: bit i set: entry i stands for all dimensions that no other entry takes.
      new_axis_mask: bit i set: entry i inserts a dimension of size 1.
      shrink_axis_mask: bit i set: take the one index `begin[i]` and drop the dimension.
      var: the variable `input_` is the value of, so that the result has `assign`.

    Raises ValueError when an index is out of range or the lengths differ.
    """
    if strides is None:
        strides = ones_like(begin)
    masks = (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    out = _strided_slice(input_, begin, end, strides, *masks, name=name)
    label = f"{name}_assign" if name else None

    def assign(value: Any, name: str | None = None) -> Any:
        """Assigns to this slice of the variable."""
        if var is None:
            raise ValueError("Sliced assignment is only supported for variables")
        return assign_slice(var, begin, end, strides, value, *masks, name=name or label)

    out.extra()["assign"] = assign
    return out


# -- the same with bounds one by one: `ir.rewrite.slices` makes these, so that a known bound is known beside others ----


def _value_list(c: Infer, name: str) -> Dims:
    found = [static.value_of(t) for t in c.arg(name)]
    return tuple([None if v is None else int(v) for v in found])


def _strided_parts_dims(c: Infer) -> Dims:
    return strided_dims(c.dims(0), _value_list(c, "begin"), _value_list(c, "end"), _value_list(c, "strides"), masks_of(c.attrs))


def _strided_parts_needs(node: Any) -> list[int]:
    masks, n = masks_of(node.attrs), node.attrs["N"]
    out: list[int] = []
    for i in range(n):
        if masks.kind(i) == "range":
            begin, end = [1 + i] * (not masks.begin >> i & 1), [1 + n + i] * (not masks.end >> i & 1)
            out += [*begin, *end, 1 + 2 * n + i]
    return out


@op("_StridedSliceParts", _strided_parts_dims, static=_strided_parts_needs, T=ANY, Index=INDEX)
def _strided_slice_parts(
    input: T, begin: IndexList, end: IndexList, strides: IndexList, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0, name: str | None = None,
) -> Tensor:  # fmt: skip
    """`StridedSlice` with each bound a scalar of its own."""
    return input[index_of(begin, end, strides, Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask))]


@op("_StridedSliceGradParts", _from_shape, out="output: T", static="shape strides", T=ANY, Index=INDEX)
def _strided_slice_grad_parts(
    shape: Index, begin: IndexList, end: IndexList, strides: IndexList, dy: T, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0, name: str | None = None,
) -> Tensor:  # fmt: skip
    """`StridedSliceGrad` with each bound a scalar of its own."""
    at = index_of(begin, end, strides, Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask))
    return written(np.zeros(sizes(shape), dy.dtype), at, dy)


def _slice_parts_needs(node: Any) -> list[int]:
    n = node.attrs["N"]
    rest = [1 + i for i in range(n) if node.value(1 + n + i) == -1]
    return [*rest, *range(1 + n, 1 + 2 * n)]


@op("_SliceParts", lambda c: slice_dims(c.dims(0), _value_list(c, "begin"), _value_list(c, "size")), static=_slice_parts_needs, T=ANY, Index=INDEX)
def _slice_parts(input: T, begin: IndexList, size: IndexList, name: str | None = None) -> Tensor:
    """`Slice` with each bound a scalar of its own."""
    extent = slice_dims(np.shape(input), sizes(begin), sizes(size)) or ()
    return input[tuple([slice(b, b + n) for b, n in zip(sizes(begin), extent, strict=True) if n is not None])]


grad.none("_StridedSliceParts _StridedSliceGradParts _SliceParts", "they exist in programs only, not in graphs")


# -- slices of variables -----------------------------------------------------------------------------


@op("StridedSliceAssign", lambda c: c.dims(0), out="output_ref: ref T", writes="ref", static=_strided_needs, T=ANY, Index=INDEX)
def _strided_slice_assign(
    ref: RefT, begin: Index, end: Index, strides: Index, value: T, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Writes `value` into a slice of a reference variable and returns the reference."""
    return written(ref, index_of(begin, end, strides, Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)), value)


@op("ResourceStridedSliceAssign", no_outputs, out="", writes="ref", static=_strided_needs, T=ANY, Index=INDEX)
def _resource_strided_slice_assign(
    ref: Resource, begin: Index, end: Index, strides: Index, value: T, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0, name: str | None = None,
) -> Operation:  # fmt: skip
    """Writes `value` into a slice of a variable."""
    return written(ref, index_of(begin, end, strides, Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)), value)


@op("TensorStridedSliceUpdate", lambda c: c.dims(0), out="output: T", static=_strided_needs, T=ANY, Index=INDEX)
def _tensor_strided_slice_update(
    input: T, begin: Index, end: Index, strides: Index, value: T, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0, name: str | None = None,
) -> Tensor:  # fmt: skip
    """A tensor equal to `input` but for a slice, which is `value`."""
    return written(input, index_of(begin, end, strides, Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)), value)


grad.none("StridedSliceAssign ResourceStridedSliceAssign", "assignments are effects, not functions")


@grad("TensorStridedSliceUpdate")
def _(op: Operation, dy: Tensor) -> Any:
    begin, end, strides = op.inputs[1:4]
    masks = _masks_of(op)
    d_value = _strided_slice(dy, begin, end, strides, **masks)
    rest = _tensor_strided_slice_update(dy, begin, end, strides, raw("ZerosLike")(d_value), **masks)
    return rest, None, None, None, d_value


def assign_slice(var: Any, begin: Any, end: Any, strides: Any, value: Any, *masks: int, name: str | None = None) -> Any:
    """Writes `value` into a slice of variable `var`; returns what `var.assign` does: the variable's new value, or the reference."""
    own = getattr(var, "_strided_slice_assign", None)
    if own is not None:
        return own(begin, end, strides, value, name, *masks)
    ref = convert_to_tensor(var, as_ref=True)
    return _strided_slice_assign(ref, begin, end, strides, value, *masks, name=name)


# -- x[...] ------------------------------------------------------------------------------------------

#: `boolean_mask`, which a family further up defines and puts here
mask_functions: list[Callable[[Any, Any], Tensor]] = []

_BAD_INDEX = "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 tensors are valid indices, got {!r}"


def _checked_index(value: Any) -> Any:
    if is_tensor_like(value):
        value = convert_to_tensor(value)
        if value.dtype.base_dtype not in INDEX or value.dims not in ((), None):
            raise TypeError(_BAD_INDEX.format(value))
        return value
    if isinstance(value, Dimension):
        if value.value is None:
            raise TypeError(f"Value passed to parameter 'begin' must be known: an unknown Dimension was given as an index ({value!r})")
        return value.value
    if isinstance(value, bool) or not hasattr(value, "__index__") or np.ndim(value) > 0:
        raise TypeError(_BAD_INDEX.format(value))
    return value.__index__()


class _Spec:
    """The entries and masks of one index expression."""

    def __init__(self) -> None:
        self.begin: list[Any] = []
        self.end: list[Any] = []
        self.strides: list[Any] = []
        self.masks: dict[str, Any] = dict.fromkeys(_MASK_NAMES, 0)

    def add(self, begin: Any, end: Any, stride: Any, *masks: str) -> None:
        """Adds an entry with the bits it has in `masks`."""
        for m in masks:
            self.masks[m] |= 1 << len(self.begin)
        self.begin.append(begin)
        self.end.append(end)
        self.strides.append(stride)

    def take(self, part: Any) -> None:
        """Adds one part of an index expression."""
        if isinstance(part, slice):
            begin_open = part.start is None or (not is_tensor_like(part.start) and part.start == sys.maxsize)
            end_open = part.stop is None or (not is_tensor_like(part.stop) and part.stop == sys.maxsize)
            opened = ["begin_mask"] * begin_open + ["end_mask"] * end_open
            begin = 0 if begin_open else _checked_index(part.start)
            end = 0 if end_open else _checked_index(part.stop)
            self.add(begin, end, 1 if part.step is None else _checked_index(part.step), *opened)
        elif part is Ellipsis:
            self.add(0, 0, 1, "ellipsis_mask")
        elif part is None:
            self.add(0, 0, 1, "new_axis_mask")
        else:
            at = _checked_index(part)
            self.add(at, at + 1, 1, "shrink_axis_mask")

    def packed(self) -> list[Tensor]:
        """The three vectors, of one type."""
        if not self.begin:
            empty = constant([], int32)
            return [empty] * 3
        vectors = [stack(v) for v in (self.begin, self.end, self.strides)]
        if any(v.dtype.base_dtype is int64 for v in vectors):
            vectors = [v if v.dtype.base_dtype is int64 else cast(v, int64) for v in vectors]
        return vectors


def _is_mask(spec: Any) -> bool:
    if isinstance(spec, (bool, np.bool_)):
        return True
    dtype = getattr(spec, "dtype", None)
    return dtype is not None and dtype == bool_ and not isinstance(spec, (list, tuple))


def getitem(tensor: Any, slice_spec: Any, var: Any = None) -> Tensor:
    """What `tensor[slice_spec]` is: a StridedSlice of integers, scalar tensors, slices, `...` and `tf.newaxis`.

    A boolean tensor or array as index selects as `boolean_mask` does. Raises TypeError for an index of another type,
    ValueError for one that is out of range.
    """
    if _is_mask(slice_spec):
        return mask_functions[0](tensor, slice_spec)
    spec = _Spec()
    for part in slice_spec if isinstance(slice_spec, (list, tuple)) else (slice_spec,):
        spec.take(part)
    with get_default_graph().name_scope("strided_slice") as scope:
        begin, end, strides = spec.packed()
        return strided_slice(tensor, begin, end, strides, **spec.masks, var=var, name=scope)
