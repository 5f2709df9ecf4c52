"""Sums of products over chosen axes: tensordot and einsum, made of MatMul; and the op Einsum of imported graphs."""

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from ir import xp
from ir.build import export, grad, op
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import ANY, int32
from ir.infer import Infer, broadcast_dims
from ir.opdef import ListT
from ir.ops.arith import multiply
from ir.ops.broadcast import unbroadcast
from ir.ops.cast import conj
from ir.ops.compare import greater_equal
from ir.ops.diag import trace
from ir.ops.gather import gather
from ir.ops.joining import concat
from ir.ops.layout import broadcast_to, expand_dims, range_, rank, reshape, shape, transpose
from ir.ops.matmul import matmul
from ir.ops.packing import stack
from ir.ops.partition import setdiff1d
from ir.ops.reduce import reduce_prod, reduce_sum
from ir.ops.select import where
from ir.shapes import Dims, fully_known
from ir.tensor import Operation, Tensor

Axes = Any


# -- tensordot ---------------------------------------------------------------------------------------


def _matrix(x: Tensor, axes: Axes, axes_first: bool) -> tuple[Tensor, Any, list[int | None] | None]:
    """Returns `x` as a matrix of free by contracted elements (or the transpose), its free sizes, and what is known of these."""
    if x.dims is not None and isinstance(axes, (list, tuple)):
        n = len(x.dims)
        for a in axes:
            if not -n <= a < n:
                raise ValueError(f"axis {a} is out of range for shape {x.shape}")
        chosen = [int(a) % n for a in axes]
        free = [i for i in range(n) if i not in chosen]
        sizes = [x.dims[i] for i in free]
        if fully_known(x.dims):
            pair = [int(np.prod([x.dims[i] or 0 for i in part], dtype=np.int64)) for part in (free, chosen)]
            perm = chosen + free if axes_first else free + chosen
            return reshape(transpose(x, perm), pair[::-1] if axes_first else pair), sizes, sizes
        picked, rest = constant(chosen, int32, name="axes"), constant(free, int32, name="free")
        all_sizes = shape(x)
    else:
        sizes = None
        all_sizes = shape(x)
        picked = convert_to_tensor(axes, int32, name="axes")
        n = rank(x)
        picked = where(greater_equal(picked, 0), picked, picked + n)
        rest = setdiff1d(range_(n), picked)[0]
    free_sizes, axes_sizes = gather(all_sizes, rest), gather(all_sizes, picked)
    counts = [reduce_prod(free_sizes), reduce_prod(axes_sizes)]
    perm = concat([picked, rest] if axes_first else [rest, picked], 0)
    return reshape(transpose(x, perm), stack(counts[::-1] if axes_first else counts)), free_sizes, sizes


def _split_axes(a: Tensor, axes: Any) -> tuple[Axes, Axes]:
    if isinstance(axes, (int, np.integer)):
        n = int(axes)
        if n < 0:
            raise ValueError("'axes' must be at least 0.")
        if a.dims is None:
            r = rank(a)
            return range_(r - n, r), range_(n)
        if n > len(a.dims):
            raise ValueError(f"'axes' must not be larger than the number of dimensions of tensor {a}.")
        return list(range(len(a.dims) - n, len(a.dims))), list(range(n))
    if isinstance(axes, (list, tuple)):
        if len(axes) != 2:
            raise ValueError("'axes' must be an integer or have length 2.")
        first, second = ([p] if isinstance(p, (int, np.integer)) else p for p in axes)
        if not isinstance(first, Tensor) and not isinstance(second, Tensor):
            first, second = list(np.asarray(first).tolist()), list(np.asarray(second).tolist())
            if len(first) != len(second):
                raise ValueError(f"Different number of contraction axes 'a' and 'b', {len(first)} != {len(second)}.")
        return first, second
    axes = convert_to_tensor(axes, int32, name="axes")
    return axes[0], axes[1]


@export("tensordot linalg.tensordot")
def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """Sums the products of the elements of `a` and `b` over pairs of axes.

    Args:
      a, b: tensors of one type (float, complex, int32, int64).
      axes: an integer N, for the last N axes of `a` and the first N of `b`; or two lists of equal length, axes of `a`
        and the axes of `b` they pair with; or a tensor of shape [2, N] of these.
      name: a name for the operation.

    Returns a tensor with the remaining axes of `a`, then those of `b`. Raises ValueError when the axes do not fit.

    >>> tensordot([[1, 2], [3, 4]], [[1, 1], [1, 1]], 1).shape.as_list()
    [2, 2]
    """
    with get_default_graph().name_scope(name or "Tensordot") as scope:
        a, b = convert_to_tensor(a, name="a"), convert_to_tensor(b, name="b")
        a_axes, b_axes = _split_axes(a, axes)
        left, a_free, a_known = _matrix(a, a_axes, False)
        right, b_free, b_known = _matrix(b, b_axes, True)
        product = matmul(left, right)
        if isinstance(a_free, list) and isinstance(b_free, list):
            return reshape(product, a_free + b_free, name=scope)
        a_free, b_free = convert_to_tensor(a_free, int32), convert_to_tensor(b_free, int32)
        out = reshape(product, concat([a_free, b_free], 0), name=scope)
        if a_known is not None and b_known is not None:
            out.set_shape(a_known + b_known)
        return out


# -- equations ---------------------------------------------------------------------------------------


def resolved(equation: str, ranks: Sequence[int | None]) -> tuple[list[str], str]:
    """Returns the labels of each operand and of the result, the ellipses as labels of their own, aligned to the right.

    Raises ValueError when the equation is malformed or does not fit the ranks.
    """
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    parts = left.split(",")
    allowed = set(string.ascii_letters)
    for p in [*parts, right]:
        if set(p.replace("...", "", 1)) - allowed:
            raise ValueError(f"Indices have incorrect format: {equation}")
    if len(parts) != len(ranks):
        raise ValueError(f"Got {len(ranks)} arguments for equation \"{equation}\", expecting {len(parts)}")
    unused = [c for c in string.ascii_letters if c not in text]
    longest = ""
    out: list[str] = []
    for p, r in zip(parts, ranks, strict=True):
        if "..." in p:
            if r is None:
                raise ValueError(f"the rank of an operand with '...' must be known: {equation}")
            extra = r - len(p) + 3
            if extra < 0 or extra > len(unused):
                raise ValueError(f"an operand of rank {r} does not fit '{p}' in {equation}")
            dots = "".join(unused[len(unused) - extra :])
            longest = max(longest, dots, key=len)
            p = p.replace("...", dots)
        if r is not None and len(p) != r:
            raise ValueError(f"an operand of rank {r} does not fit '{p}' in {equation}")
        out.append(p)
    if not arrow:
        once = "".join(sorted(c for c in set(left) & allowed if left.count(c) == 1))
        return out, longest + once
    result = right.replace("...", longest)
    for c in set(result):
        if result.count(c) > 1 or not any(c in p for p in out):
            raise ValueError(f"the label '{c}' of the result must be in an operand, and once in the result: {equation}")
    return out, result


def _order(labels: str, *groups: str) -> str:
    """Returns the labels in the order of the groups, sorted in each."""
    return "".join(sorted(labels, key=lambda c: (next(i for i, g in enumerate(groups) if c in g), c)))


def _moved(x: Tensor, labels: str, wanted: str) -> Tensor:
    perm = [labels.index(c) for c in wanted]
    return x if perm == list(range(len(perm))) else transpose(x, perm)


def _sizes_of(x: Tensor) -> list[Any]:
    """Returns the sizes of `x`, numbers where they are known and tensors elsewhere."""
    dims = x.dims or ()
    if None not in dims:
        return list(dims)
    at = shape(x)
    return [at[i] if d is None else d for i, d in enumerate(dims)]


def _count(sizes: Sequence[Any]) -> Any:
    total: Any = 1
    for s in sizes:
        total = total * s
    return total


def _reshaped(x: Tensor, sizes: list[Any]) -> Tensor:
    if len(sizes) == len(x.dims or ()) and all(not isinstance(s, Tensor) and s == d for s, d in zip(sizes, x.dims or (), strict=True)):
        return x
    return reshape(x, sizes)


def _contract(x: Tensor, x_labels: str, y: Tensor, y_labels: str, summed: str) -> tuple[Tensor, str]:
    """Multiplies two tensors, summing over the labels `summed`; returns the product and its labels."""
    shared = "".join(c for c in x_labels if c in y_labels and c not in summed)
    x_own = "".join(c for c in x_labels if c not in y_labels)
    y_own = "".join(c for c in y_labels if c not in x_labels)
    x_order, y_order = _order(x_labels, shared, x_own, summed), _order(y_labels, shared, summed, y_own)
    x, y = _moved(x, x_labels, x_order), _moved(y, y_labels, y_order)
    s, m, n = len(shared), len(x_own), len(y_own)
    labels = x_order[: s + m] + y_order[len(y_order) - n :]
    if not summed:
        for _ in y_own:
            x = expand_dims(x, -1)
        for _ in x_own:
            y = expand_dims(y, s)
        return multiply(x, y), labels
    x_sizes, y_sizes = _sizes_of(x), _sizes_of(y)
    rows, x_inner = _count(x_sizes[s : s + m]), _count(x_sizes[s + m :])
    x = _reshaped(x, [*x_sizes[:s], rows, x_inner])
    y_inner, columns = _count(y_sizes[s : len(y_sizes) - n]), _count(y_sizes[len(y_sizes) - n :])
    y = _reshaped(y, [*y_sizes[:s], y_inner, columns])
    return _reshaped(matmul(x, y), x_sizes[: s + m] + y_sizes[len(y_sizes) - n :]), labels


@export("einsum linalg.einsum")
def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Tensor:
    """Sums products of elements of tensors as `equation` says, in the notation of Einstein.

    Args:
      equation: one label (a letter) per axis, as in "ij,jk->ik": operands separated by commas, then the result. Axes with
        equal labels run together; labels that the result lacks are summed over. Without "->" the result has the
        labels that occur once, in alphabetical order. "..." stands for further axes.
      *inputs: the tensors, of one type.
      name: a name for the operation.

    Returns the result. Raises ValueError when the equation is malformed, does not fit the ranks, or repeats a label in
    one operand; TypeError for other keywords.

    >>> einsum("bij,jk->bik", np.ones([2, 3, 4]), np.ones([4, 5])).shape.as_list()
    [2, 3, 5]
    """
    name = kwargs.pop("name", None)
    if kwargs:
        raise TypeError(f"invalid keyword arguments for this function: {', '.join(sorted(kwargs))}")
    with get_default_graph().name_scope(name or "einsum"):
        tensors = [convert_to_tensor(t) for t in inputs]
        for t in tensors:
            if t.dims is None:
                raise ValueError(f"einsum needs operands of known rank, got {t!r}")
        operands, result = resolved(equation, [len(t.dims or ()) for t in tensors])
        if len(operands) == 1 and len(operands[0]) == 2 and operands[0][0] == operands[0][1] and "->" not in equation:
            return trace(tensors[0])
        for p in operands:
            if len(set(p)) != len(p):
                raise ValueError(f"Subscript not supported: an axis appears more than once: {p}")
        x, labels = tensors[0], operands[0]
        for i in range(1, len(tensors)):
            needed = set(result).union(*operands[i + 1 :])
            summed = "".join(c for c in labels if c in operands[i] and c not in needed)
            x, labels = _contract(x, labels, tensors[i], operands[i], summed)
        gone = [i for i, c in enumerate(labels) if c not in result]
        if gone:
            x, labels = reduce_sum(x, gone), "".join(c for c in labels if c in result)
        return _moved(x, labels, result)


# -- the op ------------------------------------------------------------------------------------------


def _einsum_dims(c: Infer) -> Dims:
    ranks = [None if d is None else len(d) for d in c.all_dims]
    if None in ranks:
        return None
    operands, result = resolved(c.attrs["equation"], ranks)
    found: dict[str, Dims] = {}
    for labels, dims in zip(operands, c.all_dims, strict=True):
        for label, d in zip(labels, dims or (), strict=True):
            found[label] = broadcast_dims(found.get(label, (1,)), (d,))
    sizes = [found[label] or (None,) for label in result]
    return tuple(s[0] for s in sizes)


@op("Einsum", _einsum_dims, T=ANY)
def _einsum(inputs: ListT, equation: str, name: str | None = None) -> Tensor:
    """The sums of products that `equation` describes; see `einsum`."""
    return xp.astype(xp.einsum(equation, *inputs), inputs[0].dtype)


@grad("Einsum")
def _(op: Operation, dz: Tensor) -> Any:
    """The same equation with an operand and the result exchanged; axes that only the operand has get copies."""
    ranks = [None if t.dims is None else len(t.dims) for t in op.inputs]
    operands, result = resolved(op.attrs["equation"], ranks)
    if any(len(set(p)) != len(p) for p in operands):
        raise LookupError(f"Einsum has no gradient when an operand repeats a label: {op.attrs['equation']}")
    out: list[Tensor] = []
    for k, (x, labels) in enumerate(zip(op.inputs, operands, strict=True)):
        others = [(conj(t), p) for j, (t, p) in enumerate(zip(op.inputs, operands, strict=True)) if j != k]
        given = set(result).union(*(p for _, p in others))
        kept = "".join(c for c in labels if c in given)
        equation = ",".join([result, *(p for _, p in others)]) + "->" + kept
        dx = _einsum([dz, *(t for t, _ in others)], equation)
        for i, label in enumerate(labels):
            if label not in kept:
                dx = expand_dims(dx, i)
        dx = unbroadcast(x, dx, dx, None)[0] if kept == labels else broadcast_to(dx, shape(x))
        out.append(convert_to_tensor(dx))
    return out
