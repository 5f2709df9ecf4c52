"""The differentiation pass: appends to the graph the operations that compute gradients.

Reverse-mode accumulation over the operations between `xs` and `ys`, in reverse order of creation, each op type by its
`@grad` rule; the rules build ordinary operations, so gradients can be differentiated again.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from ir import operators  # installs the Tensor operators that the rules use
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.graph import Graph
from ir.indexed_slices import IndexedSlices
from ir.opdef import TABLE
from ir.ops.basic import add_n, identity, tuple_
from ir.ops.joining import concat
from ir.ops.layout import ones_like, reshape, zeros_like
from ir.shapes import num_elements
from ir.tensor import Operation, Tensor

F = TypeVar("F", bound=Callable[..., Any])
Gradient = Tensor | IndexedSlices

_named: dict[str, Callable[..., Any]] = {}


@export("RegisterGradient")
class RegisterGradient:
    """Registers the decorated function as the gradient that `gradient_override_map` can name.

    For an op type that has no gradient of its own, it becomes that op type's gradient.
    """

    def __init__(self, op_type: str) -> None:
        self._op_type = op_type

    def __call__(self, f: F) -> F:
        """Registers `f(op, *grads)`. Raises KeyError when the name is taken."""
        if self._op_type in _named or (self._op_type in TABLE and TABLE[self._op_type].gradient):
            raise KeyError(f"Registering two gradient with name '{self._op_type}'!")
        _named[self._op_type] = f
        return f


@export("NotDifferentiable NoGradient no_gradient")
def not_differentiable(op_type: str) -> None:
    """Declares that op type `op_type` has no gradient, so that `gradients` gives None through it."""
    _named[op_type] = lambda op, *dys: [None] * len(op.inputs)


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
        return run(y_tensors, x_tensors, dys, stop_tensors, mode)


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, dict):
        return list(value.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
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


def trainable(t: Tensor) -> bool:
    d = t.dtype.base_dtype
    return d.is_floating or d.is_complex or d.name in ("resource", "variant")


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


class Pass:
    """One differentiation: which operations lie between xs and ys, and the gradients found so far."""

    def __init__(self, graph: Graph, scope: str, colocate: bool, gate: bool) -> None:
        self.graph = graph
        self.scope = scope
        self.colocate = colocate
        self.gate = gate
        self.found: dict[Tensor, list[Gradient]] = {}

    def __call__(self, ys: list[Tensor], xs: list[Tensor], dys: list[Gradient], stops: set[Tensor], mode: str) -> list[Any]:
        stop_ops = {t.op for t in stops}
        order = self._between(ys, xs, stop_ops)
        for y, dy in zip(ys, dys, strict=True):
            self.found.setdefault(y, []).append(dy)
        keep = set(xs)
        active = set(order)
        for op in reversed(order):
            self._through(op, active, keep)
        results = [self._total(x) for x in xs]
        if mode == "zero":
            results = [zeros_like(x) if r is None else r for r, x in zip(results, xs, strict=True)]
        return results

    def _between(self, ys: list[Tensor], xs: list[Tensor], stop_ops: set[Operation]) -> list[Operation]:
        """The operations to differentiate, in topological order: reached back from ys, and dependent on xs."""
        back: set[Operation] = set()
        stack = [y.op for y in ys]
        while stack:
            op = stack.pop()
            if op in back:
                continue
            back.add(op)
            stack.extend(t.op for t in op.inputs if t.op not in back)
        targets = set(xs)
        dependent: set[Operation] = set()
        order: list[Operation] = []
        for op in topological(back):
            if op in stop_ops:
                continue
            if any((t in targets or t.op in dependent) and trainable(t) for t in op.inputs):
                dependent.add(op)
                order.append(op)
        return order

    def _total(self, t: Tensor) -> Gradient | None:
        parts = self.found.get(t)
        return _added(parts) if parts else None

    def _through(self, op: Operation, active: set[Operation], keep: set[Tensor]) -> None:
        """Takes the gradients that have arrived at the outputs of `op` to its inputs."""
        outs: list[Gradient | None] = []
        for t in op.outputs:
            total = self._total(t)
            if total is not None:
                self.found[t] = [total]
            outs.append(total)
        if all(g is None for g in outs):
            return
        rule = _rule(op)
        if rule is None:
            return
        # names: gradients/<op>_grad/..., as TensorFlow has them
        with self.graph.name_scope(f"{self.scope}{op.name}_grad/"):
            with self.graph.colocate_with(op) if self.colocate and op.graph is self.graph else nullcontext(), self.graph.gradient_of(op):
                filled = [
                    zeros_like(t) if g is None and trainable(t) and t.dtype.name not in ("resource", "variant") else g
                    for g, t in zip(outs, op.outputs, strict=True)
                ]
                grads = _listed(op, rule(op, *filled))
                if self.gate and sum(g is not None for g in grads) > 1:
                    grads = tuple_(grads)
        for t, g in zip(op.inputs, grads, strict=True):
            if g is None or not (t in keep or t.op in active):
                continue
            if isinstance(g, Tensor) and t.dtype.name != "resource":
                try:
                    g.set_shape(t.dims)
                except ValueError:
                    raise ValueError(
                        f"Incompatible shapes between op input and calculated input gradient. Forward operation: {op.name} ({op.type}), defined at "
                        f"{op.location_line()}. Input shape: {t.shape}. Calculated gradient shape: {g.shape}"
                    ) from None
            self.found.setdefault(t, []).append(g)


def topological(ops: set[Operation]) -> list[Operation]:
    """Returns `ops` so that producers precede consumers; order of creation decides among equals."""
    ordered = sorted(ops, key=lambda op: op.id)
    if all(op.graph.ordered for op in ordered[:1]):
        return ordered
    done: set[Operation] = set()
    out: list[Operation] = []
    for root in ordered:
        stack: list[tuple[Operation, bool]] = [(root, False)]
        while stack:
            op, expanded = stack.pop()
            if expanded:
                out.append(op)
                continue
            if op in done:
                continue
            done.add(op)
            stack.append((op, True))
            stack.extend((t.op, False) for t in reversed(op.inputs) if t.op in ops and t.op not in done and op.type not in ("NextIteration", "RefNextIteration"))
    return out


def _rule(op: Operation) -> Callable[..., Any] | None:
    """The gradient function of `op`; None when it is declared not differentiable. Raises LookupError when there is neither."""
    override = op.attrs.get("_gradient_op_type")
    if override is not None:
        override = override.decode() if isinstance(override, bytes) else override
        rule = _named.get(override) or (TABLE[override].gradient if override in TABLE else None)
        if rule is None:
            raise LookupError(f"gradient registry has no entry for: {override} (operation '{op.name}', op type {op.type})")
        return rule
    d = op.opdef
    if d.gradient is not None:
        return d.gradient
    if d.name in _named:
        return _named[d.name]
    if d.no_gradient:
        return None
    raise LookupError(f"No gradient defined for operation '{op.name}' (op type: {op.type}){' at ' + op.location_line() if op.location else ''}")


def _listed(op: Operation, grads: Any) -> list[Any]:
    out = list(grads) if isinstance(grads, (list, tuple)) else [grads]  # pyright: ignore[reportUnknownArgumentType]
    if len(out) != len(op.inputs):
        raise ValueError(f"Num gradients {len(out)} generated for op {op.signature()} do not match num inputs {len(op.inputs)}")
    return out


def _added(parts: Sequence[Gradient]) -> Gradient:
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(p, Tensor) for p in parts):
        return add_n(parts)
    if any(isinstance(p, Tensor) for p in parts):
        return add_n([convert_to_tensor(p) for p in parts])
    slices = [p for p in parts if isinstance(p, IndexedSlices)]
    return IndexedSlices(concat([s.values for s in slices], 0), concat([s.indices for s in slices], 0), slices[0].dense_shape)


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
        flat = list(result) if isinstance(result, (list, tuple)) else [result]  # pyright: ignore[reportUnknownArgumentType]
        key = f"CustomGradient-{id(grad_fn)}-{len(_named)}"
        count = len(flat)

        def rule(op: Operation, *dys: Any) -> list[Any]:
            grads = grad_fn(*dys[:count])
            listed = list(grads) if isinstance(grads, (list, tuple)) else [grads]  # pyright: ignore[reportUnknownArgumentType]
            if len(listed) != len(xs):
                raise ValueError(f"the gradient function of {getattr(f, '__name__', f)} returned {len(listed)} gradients for {len(xs)} arguments")
            return [None] * count + listed

        _named[key] = rule
        with graph.gradient_override_map({"IdentityN": key}):
            outs = TABLE["IdentityN"].public([*flat, *xs])  # pyright: ignore[reportOptionalCall]
        outs = outs[:count]
        return outs[0] if not isinstance(result, (list, tuple)) else type(result)(outs)  # pyright: ignore[reportUnknownVariableType]

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


__all__ = ["custom_gradient", "gradients", "hessians", "operators"]
