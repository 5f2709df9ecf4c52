"""The differentiation pass itself: the operations between ys and xs, in reverse order, each by its rule.

`ir.gradients` is its public face; `ir.control_gradients` uses it for the functions that operations call.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from ir import operators  # installs the Tensor operators that the rules use
from ir.build import export
from ir.convert import convert_to_tensor
from ir.functionalize import functionalize
from ir.graph import Graph
from ir.indexed_slices import IndexedSlices
from ir.opdef import TABLE
from ir.ops.basic import add_n, tuple_
from ir.ops.joining import concat
from ir.ops.layout import zeros_like
from ir.tensor import Operation, Tensor

F = TypeVar("F", bound=Callable[..., Any])
Gradient = Tensor | IndexedSlices

#: gradients by name: of `gradient_override_map`, of custom gradients, of op types without one of their own
NAMED: dict[str, Callable[..., Any]] = {}
#: the key in NAMED of the gradient of a call of a library function by its name
CALL = "call a function of the library"


@export("RegisterGradient")
class RegisterGradient:
    """Registers the decorated function as the gradient that `gradient_override_map` can name.

    For an op type that has no gradient of its own, it becomes that op type's gradient.
    """

    def __init__(self, op_type: str) -> None:
        self._op_type = op_type

    def __call__(self, f: F) -> F:
        """Registers `f(op, *grads)`. Raises KeyError when the name is taken."""
        if self._op_type in NAMED or (self._op_type in TABLE and TABLE[self._op_type].gradient):
            raise KeyError(f"Registering two gradient with name '{self._op_type}'!")
        NAMED[self._op_type] = f
        return f


@export("NotDifferentiable NoGradient no_gradient")
def not_differentiable(op_type: str) -> None:
    """Declares that op type `op_type` has no gradient, so that `gradients` gives None through it."""
    NAMED[op_type] = lambda op, *dys: [None] * len(op.inputs)


def trainable(t: Tensor) -> bool:
    d = t.dtype.base_dtype
    return d.is_floating or d.is_complex or d.name in ("resource", "variant")


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
        for graph in {y.graph for y in ys}:
            functionalize(graph)
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
        colocated = self.graph.colocate_with(op) if self.colocate and op.graph is self.graph else nullcontext()
        with self.graph.name_scope(f"{self.scope}{op.name}_grad/"), colocated, self.graph.gradient_of(op):
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
            if op.type not in ("NextIteration", "RefNextIteration"):
                stack.extend((t.op, False) for t in reversed(op.inputs) if t.op in ops and t.op not in done)
    return out


def _rule(op: Operation) -> Callable[..., Any] | None:
    """The gradient function of `op`; None when it is declared not differentiable. Raises LookupError when there is neither."""
    override = op.attrs.get("_gradient_op_type")
    if override is not None:
        override = override.decode() if isinstance(override, bytes) else override
        rule = NAMED.get(override) or (TABLE[override].gradient if override in TABLE else None)
        if rule is None and not op.opdef.effects.calls:  # a function's own gradient, registered by another process: its body has one too
            raise LookupError(f"gradient registry has no entry for: {override} (operation '{op.name}', op type {op.type})")
        if rule is not None:
            return rule
    d = op.opdef
    if d.gradient is not None:
        return d.gradient
    if d.name in NAMED:
        return NAMED[d.name]
    if d.no_gradient:
        return None
    if op.type in op.graph.functions:
        return NAMED[CALL]
    raise LookupError(f"No gradient defined for operation '{op.name}' (op type: {op.type}){' at ' + op.location_line() if op.location else ''}")


def _listed(op: Operation, grads: Any) -> list[Any]:
    out = list(grads) if isinstance(grads, (list, tuple)) else [grads]
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


__all__ = ["CALL", "NAMED", "Gradient", "not_differentiable", "Pass", "RegisterGradient", "operators", "topological", "trainable"]
