"""The differentiation pass: appends to the graph the operations that compute gradients.

Reverse-mode accumulation over the operations between `xs` and `ys`, in reverse order of creation, each op type by its
`@grad` rule; the rules build ordinary operations, so gradients can be differentiated again.
"""

from collections.abc import Callable, Iterable
from typing import Any

from ir import control_gradients  # the rules of branches and loops
from ir.backprop import NAMED, Gradient, Pass, trainable
from ir.backprop_source import differentiating
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.indexed_slices import IndexedSlices
from ir.opdef import TABLE
from ir.ops.basic import identity
from ir.ops.joining import concat
from ir.ops.layout import ones_like, reshape
from ir.shapes import num_elements
from ir.tensor import Operation, Tensor


@export("UnconnectedGradients")
class UnconnectedGradients:
    """What `gradients` gives for an x that no y depends on: None, or zeros."""

    NONE = "none"
    ZERO = "zero"


@export("AggregationMethod")
class AggregationMethod:
    """Ways to add up gradients; all give `AddN` here, and XLA decides."""

    ADD_N = 0
    DEFAULT = 0
    EXPERIMENTAL_TREE = 1
    EXPERIMENTAL_ACCUMULATE_N = 2


@export("gradients")
def gradients(
    ys: Any, xs: Any, grad_ys: Any = None, name: str = "gradients", colocate_gradients_with_ops: bool = False, gate_gradients: bool = False,
    aggregation_method: Any = None, stop_gradients: Any = None, unconnected_gradients: Any = "none",
) -> list[Any]:  # fmt: skip
    """Appends the operations that compute the gradients of the sum of `ys` with respect to each x in `xs`.

    Args:
      ys: a tensor or list of tensors to be differentiated.
      xs: a tensor, variable or list of them.
      grad_ys: a tensor or list: the gradient that arrives at each y; ones by default.
      name: the name scope of the new operations.
      colocate_gradients_with_ops: place each gradient with the operation it is of.
      gate_gradients: make the gradients of one operation available together.
      aggregation_method: accepted, see `AggregationMethod`.
      stop_gradients: tensors held constant.
      unconnected_gradients: "none" gives None for an x on which no y depends, "zero" gives zeros.

    Returns one Tensor, IndexedSlices or None per x.

    Raises LookupError when an operation on the way has no gradient, TypeError and ValueError for arguments that do not fit.

    >>> from ir.ops.basic import placeholder
    >>> x = placeholder("float32", [])
    >>> gradients(x * x, x)[0].shape.as_list()
    []
    """
    mode = getattr(unconnected_gradients, "value", unconnected_gradients)
    if mode not in ("none", "zero"):
        raise ValueError(f"Unknown value for unconnected_gradients: {unconnected_gradients!r}")
    y_list, x_list = _as_list(ys), _as_list(xs)
    stops = _as_list(stop_gradients) if stop_gradients is not None else []
    dy_list = _as_list(grad_ys) if grad_ys is not None else [None] * len(y_list)
    if len(dy_list) != len(y_list):
        raise ValueError(f"Passed {len(dy_list)} grad_ys for {len(y_list)} ys")
    graph = get_default_graph()
    with graph.name_scope(name) as scope:
        y_tensors = [_tensor(y, "y") for y in y_list]
        x_tensors = [_target(x) for x in x_list]
        stop_tensors = {_target(s) for s in stops}
        dys = _initial(y_tensors, dy_list)
        run = Pass(graph, scope, colocate_gradients_with_ops, gate_gradients)
        with differentiating(scope.rstrip("/")):
            return run(y_tensors, x_tensors, dys, stop_tensors, mode)


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, dict):
        return list(value.values())
    return [value]


def _tensor(value: Any, name: str) -> Tensor:
    if isinstance(value, IndexedSlices):
        return value.values
    return convert_to_tensor(value, name=name)


def _target(value: Any) -> Tensor:
    """The tensor whose gradient is meant by `value`: a variable stands for its handle or reference."""
    if isinstance(value, Tensor):
        return get_default_graph().capture(value)
    if isinstance(value, IndexedSlices):
        return value.values
    handle = getattr(value, "handle", None)
    if isinstance(handle, Tensor):
        return get_default_graph().capture(handle)
    return convert_to_tensor(value, name="x", as_ref=True)


def _initial(ys: list[Tensor], dys: list[Any]) -> list[Gradient]:
    out: list[Gradient] = []
    for i, (y, dy) in enumerate(zip(ys, dys, strict=True)):
        if not trainable(y) and dy is None:
            raise TypeError(f"Gradients of tensors of type {y.dtype.base_dtype.name} are not defined: {y!r}; cast it to a floating type first.")
        if dy is None:
            if y.dtype.is_complex:
                raise TypeError(f"Gradients of complex tensors must set grad_ys (y.dtype = {y.dtype.name})")
            out.append(ones_like(y, name=f"grad_ys_{i}"))
        elif isinstance(dy, IndexedSlices):
            out.append(dy)
        else:
            g = convert_to_tensor(dy, dtype=y.dtype.base_dtype if not isinstance(dy, Tensor) else None, name=f"grad_y_{i}")
            if g.dtype.base_dtype is not y.dtype.base_dtype:
                raise TypeError(f"Gradient type {g.dtype.name} generated for {y.dtype.name} y {y!r}: they must be equal")
            out.append(g)
    return out


@export("custom_gradient")
def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a function its own gradient.

    Args:
      f: `f(*xs)` returns (ys, grad_fn), where `grad_fn(*dys)` returns one gradient per x.

    Returns a function of the same arguments that returns `ys`.
    """

    def decorated(*args: Any) -> Any:
        graph = get_default_graph()
        xs = [identity(convert_to_tensor(a)) for a in args]
        result, grad_fn = f(*xs)
        flat = list(result) if isinstance(result, (list, tuple)) else [result]
        key = f"CustomGradient-{id(grad_fn)}-{len(NAMED)}"
        count = len(flat)

        def rule(op: Operation, *dys: Any) -> list[Any]:
            grads = grad_fn(*dys[:count])
            listed = list(grads) if isinstance(grads, (list, tuple)) else [grads]
            if len(listed) != len(xs):
                raise ValueError(f"the gradient function of {getattr(f, '__name__', f)} returned {len(listed)} gradients for {len(xs)} arguments")
            return [None] * count + listed

        NAMED[key] = rule
        with graph.gradient_override_map({"IdentityN": key}):
            outs = TABLE["IdentityN"].public([*flat, *xs])  # pyright: ignore[reportOptionalCall]
        outs = outs[:count]
        return outs[0] if not isinstance(result, (list, tuple)) else type(result)(outs)

    decorated.__name__ = getattr(f, "__name__", "decorated")
    decorated.__doc__ = f.__doc__
    return decorated


@export("hessians")
def hessians(
    ys: Any, xs: Any, name: str = "hessians", colocate_gradients_with_ops: bool = False, gate_gradients: bool = False, aggregation_method: Any = None
) -> list[Tensor]:
    """Returns, per x, the matrix of second derivatives of the sum of `ys`; its shape is that of x twice.

    The number of elements of each x must be known. Raises ValueError when it is not.
    """
    out: list[Tensor] = []
    with get_default_graph().name_scope(name):
        for x in _as_list(xs):
            t = _target(x)
            n = num_elements(t.dims)
            if n is None or t.dims is None:
                raise ValueError(f"hessians needs an x of known shape, got {t!r}")
            (first,) = gradients(ys, x, colocate_gradients_with_ops=colocate_gradients_with_ops, gate_gradients=gate_gradients)
            flat = reshape(convert_to_tensor(first), [-1])
            rows = [convert_to_tensor(g) for g in _rows(flat, x, n)]
            out.append(reshape(concat([reshape(r, [1, -1]) for r in rows], 0), [*t.dims, *t.dims]))
    return out


def _rows(flat: Tensor, x: Any, n: int) -> Iterable[Any]:
    for i in range(n):
        yield gradients(flat[i], x, unconnected_gradients="zero")[0]


__all__ = ["control_gradients", "custom_gradient", "gradients", "hessians"]
