"""Gradients of the ops that call functions: branches, calls and loops, to any order.

The gradient of a function is another function, whose operations use values of the first one. A branch hands
those over as optional values; a loop pushes them to lists, one element an iteration, and its gradient, which is a loop
too, pops them. The forward operation gets the additional outputs. All of it is ordinary graph, so gradients of
gradients need nothing more. (TensorFlow's control flow v2 keeps intermediate values in the same way.)
"""

from collections.abc import Callable, Sequence
from typing import Any

from ir import static
from ir.backprop import CALL, NAMED, Pass, trainable
from ir.build import create, grad
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import DType, int32, variant
from ir.func_graph import FuncGraph, add_to_library
from ir.funcref import FuncRef
from ir.function import Function, FunctionBody
from ir.graph import Graph
from ir.opdef import TABLE
from ir.ops import control  # defines the op types
from ir.ops.cast import cast
from ir.ops.compare import greater
from ir.ops.layout import zeros, zeros_like
from ir.ops.optional import optional_from_value, optional_get_value, optional_none
from ir.ops.state import read_variable_op
from ir.ops.tensor_list import element_shape, empty_tensor_list, tensor_list_pop_back, tensor_list_push_back
from ir.shapes import Dims, TensorShape, fully_known
from ir.tensor import Operation, Tensor

Spec = tuple[DType, Dims]
#: the ops through which counters are followed
_COUNTED = ("Add", "AddV2", "Sub", "Mul", "FloorDiv", "FloorMod", "Maximum", "Minimum", "Neg", "Identity")


class _GradGraph(FuncGraph):
    """The graph of a gradient function; `use(tensor)` says how it comes by a value of the forward function."""

    def __init__(self, name: str, forward: Graph, use: "Callable[[_GradGraph, Tensor], Tensor]") -> None:
        super().__init__(name, forward)
        self.use = use

    def _captured(self, outer: Tensor) -> Tensor:
        found = super()._known_constant(outer)
        return found if found is not None else self.use(self, outer)

    def argument(self, dtype: DType, dims: Dims, name: str, handle: Any = None) -> Tensor:
        """Appends an argument."""
        return self.add_input(dtype, dims, name, handle)


def _own_bodies(op: Operation) -> list[FunctionBody]:
    """The bodies of the functions `op` calls, which this operation alone uses and which may be added to."""
    found = op.graph.bodies.get(op)
    if found is None:
        # the variables of a loop have the shapes the loop keeps, not those they enter with
        args = op.inputs[1:] if op.type in ("If", "StatelessIf", "Case") else op.outputs if op.type in ("While", "StatelessWhile") else op.inputs
        found = []
        for ref in _refs(op):
            function: Function = op.graph.functions[ref.name]
            found.append(function.instantiate(ref.attrs, [(t.dims, t.handle) for t in args]))
        op.graph.bodies[op] = found
    return found


def _refs(op: Operation) -> list[FuncRef]:
    out: list[FuncRef] = []
    for name in op.opdef.effects.calls:
        value = op.attrs[name]
        out.extend(value if isinstance(value, tuple) else (value,))
    return out


def _set_bodies(op: Operation, bodies: Sequence[FunctionBody]) -> dict[str, Any]:
    """Enters changed bodies into the library; returns the attributes that refer to them."""
    op.graph.bodies[op] = list(bodies)
    refs = [add_to_library(op.graph, f"{r.name}_rewritten", Function("", b, stateful=True)) for r, b in zip(_refs(op), bodies, strict=True)]
    attrs: dict[str, Any] = {}
    at = 0
    for name in op.opdef.effects.calls:
        n = len(op.attrs[name]) if isinstance(op.attrs[name], tuple) else 1
        attrs[name] = tuple(refs[at : at + n]) if isinstance(op.attrs[name], tuple) else refs[at]
        at += n
    return attrs


def _with_outputs(body: FunctionBody, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> FunctionBody:
    return FunctionBody(body.graph, [*body.inputs, *inputs], [*body.outputs, *outputs], body.control_outputs)


def _gradient_spec(t: Tensor) -> Spec:
    """The type of the gradient with respect to `t`; a variable's handle stands for its value."""
    if t.dtype.name == "resource" and t.handle is not None:
        return t.handle
    return t.dtype.base_dtype, t.dims


def _differentiable(t: Tensor) -> bool:
    if t.dtype.name == "resource":
        return t.handle is not None and (t.handle[0].is_floating or t.handle[0].is_complex)
    return trainable(t)


def _zero(t: Tensor) -> Tensor:
    """The gradient of something that does not matter."""
    if t.dtype.name == "resource" and t.handle is not None:
        dtype, dims = t.handle
        if fully_known(dims):
            return zeros([d or 0 for d in dims or ()], dtype)
        return zeros_like(read_variable_op(t, dtype))
    if t.dtype is variant:
        return TABLE["ZerosLike"].public(t)  # pyright: ignore[reportOptionalCall]
    return zeros_like(t)


def _differentiated(g: FuncGraph, body: FunctionBody, pairs: Sequence[tuple[Tensor, Tensor]], xs: Sequence[Tensor]) -> list[Tensor | None]:
    """Writes into `g` the gradients with respect to `xs`, given (output of the body, gradient of it) pairs."""
    with g.as_default():
        run = Pass(g, "", False, False)
        ys = [y for y, _ in pairs]
        found = run(list(ys), list(xs), [dy for _, dy in pairs], set(), "none")
        return [None if d is None else convert_to_tensor(d) for d in found]


# -- branches and calls --------------------------------------------------------------------------------


@grad("If", "StatelessIf", "Case", "PartitionedCall", "StatefulPartitionedCall")
def _branches(op: Operation, *dys: Tensor | None) -> Any:
    return _BranchGradient(op, dys).build()


class _BranchGradient:
    """The gradient of an operation that runs one of several functions once."""

    def __init__(self, op: Operation, dys: Sequence[Tensor | None]) -> None:
        self.op = op
        self.selects = op.type in ("If", "StatelessIf", "Case")
        self.args = op.inputs[1:] if self.selects else op.inputs
        self.bodies = _own_bodies(op)
        self.outs = [(i, dy) for i, dy in enumerate(dys) if dy is not None and trainable(op.outputs[i])]
        self.wanted = [k for k, t in enumerate(self.args) if _differentiable(t)]
        #: operand of the gradient operation -> per branch the argument that stands for it
        self.operands: dict[Any, dict[int, Tensor]] = {}
        self.handed: dict[tuple[int, Tensor], Tensor | None] = {}

    def build(self) -> list[Tensor | None]:
        """Appends the gradient operation; returns the gradients of the inputs."""
        graphs: list[_GradGraph] = []
        results: list[list[Tensor | None]] = []
        for b, body in enumerate(self.bodies):
            g = _GradGraph(f"{self.op.name}_grad_{b}".replace("/", "_"), body.graph, self._use(b))
            pairs = [(body.outputs[i], g.argument(dy.dtype.base_dtype, dy.dims, f"dy_{i}")) for i, dy in self.outs]
            results.append(_differentiated(g, body, pairs, [body.inputs[k] for k in self.wanted]))
            graphs.append(g)
        none: list[Tensor | None] = [None] * len(self.op.inputs)
        kept = [j for j in range(len(self.wanted)) if any(r[j] is not None for r in results)]
        if not kept:
            return none
        for b, g in enumerate(graphs):
            g.outputs = [self._result(b, g, results, j) for j in kept]
        outs = self._append(graphs)
        grads: list[Tensor | None] = [None] * len(self.op.inputs)
        for j, t in zip(kept, outs, strict=True):
            grads[self.wanted[j] + (1 if self.selects else 0)] = t
        return grads

    def _use(self, b: int) -> Callable[[_GradGraph, Tensor], Tensor]:
        """How branch `b` of the gradient comes by values of branch `b`."""
        body = self.bodies[b]
        position = {t: k for k, t in enumerate(body.inputs)}

        def use(g: _GradGraph, t: Tensor) -> Tensor:
            k = position.get(t)
            if k is not None:
                inner = self.operands.setdefault(("arg", k), {})[b] = g._argument(t.dtype, t.dims, t.op.name, t.handle)  # pyright: ignore[reportPrivateUsage]
                return inner
            wrapped = g._argument(variant if self.selects else t.dtype, () if self.selects else t.dims, "value", None)  # pyright: ignore[reportPrivateUsage]
            self.operands.setdefault(("value", b, t), {})[b] = wrapped
            if not self.selects:
                return wrapped
            with g.as_default(), g.control_dependencies(None):
                inner = optional_get_value(wrapped, [t.dtype.base_dtype], [t.shape])[0]
            inner.handle = t.handle
            return inner

        return use

    def _result(self, b: int, g: _GradGraph, results: Sequence[Sequence[Tensor | None]], j: int) -> Tensor:
        found = results[b][j]
        with g.as_default():
            if found is not None:
                return g.capture(found)
            others = [r[j] for r in results if r[j] is not None]
            if any(o is not None and o.op.type in ("OptionalFromValue", "OptionalNone") for o in others):
                return optional_none()
            return _zero(g.capture(self.bodies[b].inputs[self.wanted[j]]))

    def _append(self, graphs: Sequence[_GradGraph]) -> list[Tensor]:
        self._hand_over()
        inputs: list[Tensor] = [dy for _, dy in self.outs]
        for key, inner in self.operands.items():
            source = self.args[key[1]] if key[0] == "arg" else self.op.graph.handed[self.op][key[1:]]
            inputs.append(source)
            model = next(iter(inner.values()))
            for b, g in enumerate(graphs):
                t = inner.get(b)
                g.inputs.append(t if t is not None else g._argument(model.dtype, model.dims, "unused", model.handle))  # pyright: ignore[reportPrivateUsage]
        graph = get_default_graph()
        refs = [add_to_library(graph, g.name, Function("", FunctionBody(g, g.inputs, g.outputs), stateful=True)) for g in graphs]
        types = [t.dtype.base_dtype for t in graphs[0].outputs]
        shapes = [_common([g.outputs[i].dims for g in graphs]) for i in range(len(types))]
        given: dict[str, Any] = {"Tout": types}
        if self.op.type == "Case":
            given |= {"branch_index": self.op.inputs[0], "input": inputs, "branches": refs, "output_shapes": shapes}
        elif self.selects:
            given |= {"cond": self.op.inputs[0], "input": inputs, "then_branch": refs[0], "else_branch": refs[1], "output_shapes": shapes}
        else:
            given |= {"args": inputs, "f": refs[0]}
        made = create(self.op.opdef, given, None)
        return list(made.outputs)

    def _hand_over(self) -> None:
        """Makes the forward operation output the values its gradient uses."""
        have = self.op.graph.handed.setdefault(self.op, {})
        new = [key[1:] for key in self.operands if key[0] == "value" and key[1:] not in have]
        if not new:
            return
        added: list[list[Tensor]] = [[] for _ in self.bodies]
        for owner, t in new:
            for b, body in enumerate(self.bodies):
                with body.graph.as_default(), body.graph.control_dependencies(None):
                    added[b].append(t if not self.selects else optional_from_value([t]) if b == owner else optional_none())
        bodies = [_with_outputs(body, (), outs) for body, outs in zip(self.bodies, added, strict=True)]
        specs: list[Spec] = [(variant, ()) if self.selects else (t.dtype.base_dtype, t.dims) for _, t in new]
        attrs = _set_bodies(self.op, bodies)
        attrs["Tout"] = (*self.op.attrs["Tout"], *[d for d, _ in specs])
        if self.op.attrs.get("output_shapes"):
            attrs["output_shapes"] = (*self.op.attrs["output_shapes"], *[TensorShape(s) for _, s in specs])
        for key, out in zip(new, self.op.extend((), specs, attrs), strict=True):
            out.handle = key[1].handle
            have[key] = out


def _common(shapes: Sequence[Dims]) -> TensorShape:
    first = shapes[0]
    for other in shapes[1:]:
        first = None if first is None or other is None or len(first) != len(other) else tuple(a if a == b else None for a, b in zip(first, other, strict=True))
    return TensorShape(first)


# -- loops ---------------------------------------------------------------------------------------------


@grad("While", "StatelessWhile")
def _loop(op: Operation, *dys: Tensor | None) -> Any:
    if op.attrs.get("_back_prop") is False:
        return [None] * len(op.inputs)
    return _LoopGradient(op, dys).build()


class _LoopGradient:
    """The gradient of a loop: a loop that runs backwards over what the forward loop pushed."""

    def __init__(self, op: Operation, dys: Sequence[Tensor | None]) -> None:
        self.op = op
        self.count = len(op.inputs)
        self.dys = dys
        self.cond, self.body = _own_bodies(op)
        self.wanted = [k for k, t in enumerate(op.outputs) if _differentiable(t)]
        self.position = {t: k for k, t in enumerate(self.body.inputs)}
        #: forward arguments the gradient uses as they are: index -> argument
        self.invariants: dict[int, Tensor] = {}
        #: values popped: tensor -> (list argument, the list without its last element)
        self.popped: dict[Tensor, tuple[Tensor, Tensor]] = {}
        #: where counters began: index -> argument
        self.begun: dict[int, Tensor] = {}

    def build(self) -> list[Tensor | None]:
        """Appends the gradient loop; returns the gradients of the inputs."""
        g = _GradGraph(f"{self.op.name}_grad".replace("/", "_"), self.body.graph, self._use)
        counter = g.argument(int32, (), "remaining")
        dys = [g.argument(*_gradient_spec(self.op.outputs[k]), f"dy_{k}") for k in self.wanted]
        found = _differentiated(
            g, self.body, [(self.body.outputs[k], dy) for k, dy in zip(self.wanted, dys, strict=True)], [self.body.inputs[k] for k in self.wanted]
        )
        with g.as_default():
            results = [_zero(dy) if d is None else g.capture(d) for d, dy in zip(found, dys, strict=True)]
            left = counter - 1
        self._push()
        have = self.op.graph.handed[self.op]
        g.outputs = [left, *results, *[rest for _, rest in self.popped.values()], *self.invariants.values(), *self.begun.values()]
        g.inputs = [counter, *dys, *[lst for lst, _ in self.popped.values()], *self.invariants.values(), *self.begun.values()]
        starts = [self._start(k) for k in self.wanted]
        inputs = [have["count"], *starts, *[have[t] for t in self.popped], *[self.op.inputs[k] for k in [*self.invariants, *self.begun]]]
        outs = self._append(g, inputs)
        grads: list[Tensor | None] = [None] * len(self.op.inputs)
        for k, t in zip(self.wanted, outs[1 : 1 + len(self.wanted)], strict=True):
            grads[k] = t
        return grads

    def _start(self, k: int) -> Tensor:
        dy = self.dys[k]
        return _zero(self.op.outputs[k]) if dy is None else dy

    def _use(self, g: _GradGraph, t: Tensor) -> Tensor:
        k = self.position.get(t)
        if k is not None and self.body.outputs[k] is t:
            inner = self.invariants[k] = g._argument(t.dtype, t.dims, t.op.name, t.handle)  # pyright: ignore[reportPrivateUsage]
            return inner
        if self._countable(t):
            return self._counted(g, t)
        stack = g._argument(variant, (), "stack", None)  # pyright: ignore[reportPrivateUsage]
        with g.as_default(), g.control_dependencies(None):
            rest, inner = tensor_list_pop_back(stack, element_shape(t.dims), t.dtype.base_dtype)
        inner.set_shape(t.dims)
        inner.handle = t.handle
        self.popped[t] = (stack, rest)
        return inner

    def _step(self, k: int) -> int | None:
        """What the body adds to its argument `k`, if that is known."""
        t = self.body.outputs[k]
        while t.op.type == "Identity":
            t = t.op.inputs[0]
        if t.op.type not in ("Add", "AddV2", "Sub") or self.body.inputs[k] not in t.op.inputs:
            return None
        a, b = t.op.inputs
        value = static.value_of(b if a is self.body.inputs[k] else a)
        if value is None or value.ndim or (t.op.type == "Sub" and a is not self.body.inputs[k]):
            return None
        return -int(value) if t.op.type == "Sub" else int(value)

    def _countable(self, t: Tensor) -> bool:
        """Whether `t` is an integer that follows from the number of the iteration and from what the loop does not change."""
        if not t.dtype.base_dtype.is_integer or t.dims != ():
            return False
        k = self.position.get(t)
        if k is not None:
            return self.body.outputs[k] is t or self._step(k) is not None
        return t.op.type == "Const" or (t.op.type in _COUNTED and all(map(self._countable, t.op.inputs)))

    def _counted(self, g: _GradGraph, t: Tensor) -> Tensor:
        """Computes such an integer anew: it need not be kept."""
        k = self.position.get(t)
        with g.as_default(), g.control_dependencies(None):
            if k is None:
                inputs = tuple(g.capture(x) for x in t.op.inputs)
                return g.append(t.op.opdef, inputs, dict(t.op.attrs), g.unique_name(t.op.type), [(t.dtype, t.dims)]).outputs[0]
            start = self.op.inputs[k]
            first = g._known_constant(start)  # pyright: ignore[reportPrivateUsage]
            if first is None:
                first = self.begun[k] = g._argument(start.dtype.base_dtype, (), "begun", None)  # pyright: ignore[reportPrivateUsage]
            return first + cast(g.inputs[0] - 1, start.dtype.base_dtype) * (self._step(k) or 0)

    def _push(self) -> None:
        """Makes the forward loop count its iterations and push the values its gradient uses."""
        have = self.op.graph.handed.setdefault(self.op, {})
        new = [t for t in self.popped if t not in have]
        inputs: list[Tensor] = []
        arguments: list[Tensor] = []
        outputs: list[Tensor] = []
        keys: list[Any] = []
        forward = self.op.graph
        body = self.body.graph
        with forward.as_default(), forward.control_dependencies(None):
            if "count" not in have:
                inputs.append(convert_to_tensor(0, dtype=int32, name="iterations"))
                keys.append("count")
            for t in new:
                inputs.append(empty_tensor_list(element_shape(t.dims), -1, t.dtype.base_dtype))
                keys.append(t)
        for key in keys:
            with body.as_default(), body.control_dependencies(None):
                if key == "count":
                    arguments.append(_argument(body, int32, (), "iterations"))
                    outputs.append(arguments[-1] + 1)
                else:
                    arguments.append(_argument(body, variant, (), "stack"))
                    outputs.append(tensor_list_push_back(arguments[-1], key))
        if not keys:
            return
        unused = [_argument(self.cond.graph, a.dtype, (), "unused") for a in arguments]
        attrs = _set_bodies(self.op, [_with_outputs(self.cond, unused, ()), _with_outputs(self.body, arguments, outputs)])
        specs: list[Spec] = [(a.dtype, ()) for a in arguments]
        attrs["T"] = (*self.op.attrs["T"], *[d for d, _ in specs])
        if self.op.attrs.get("output_shapes"):
            attrs["output_shapes"] = (*self.op.attrs["output_shapes"], *[TensorShape(()) for _ in specs])
        have.update(zip(keys, self.op.extend(tuple(inputs), specs, attrs), strict=True))

    def _append(self, g: _GradGraph, inputs: Sequence[Tensor]) -> list[Tensor]:
        graph = get_default_graph()
        test = FuncGraph(f"{g.name}_cond")
        args = [test.add_input(t.dtype, t.dims, t.op.name, t.handle) for t in g.inputs]
        with test.as_default():
            test.outputs = [greater(args[0], 0)]
        refs = [add_to_library(graph, f.name, Function("", FunctionBody(f, f.inputs, f.outputs), stateful=True)) for f in (test, g)]
        shapes = [TensorShape(t.dims) for t in g.inputs]
        made = create(TABLE[self.op.type], {"input": list(inputs), "cond": refs[0], "body": refs[1], "output_shapes": shapes}, None)
        for out, source in zip(made.outputs, inputs, strict=True):
            out.handle = source.handle
        return list(made.outputs)


def _argument(graph: Graph, dtype: DType, dims: Dims, name: str) -> Tensor:
    op = graph.append(TABLE["Placeholder"], (), {"dtype": dtype, "shape": TensorShape(dims)}, graph.unique_name(name), [(dtype, dims)])
    return op.outputs[0]


__all__ = ["control", "symbolic_gradient"]


# -- functions of the library ------------------------------------------------------------------------------


def symbolic_gradient(function: Function, attrs: dict[str, Any], args: Sequence[Any]) -> FunctionBody:
    """The body that op `SymbolicGradient` runs: takes the arguments of `function` and a gradient per result, returns one per argument."""
    body = function.instantiate(attrs, args)
    graph = body.graph
    dys = [_argument(graph, *_gradient_spec(y), f"dy_{i}") for i, y in enumerate(body.outputs)]
    with graph.as_default():
        run = Pass(graph, "", False, False)
        found = run(list(body.outputs), list(body.inputs), list(dys), set(), "none")
        grads = [_zero(x) if d is None else convert_to_tensor(d) for d, x in zip(found, body.inputs, strict=True)]
    return FunctionBody(graph, [*body.inputs, *dys], grads)


def _called_by_name(op: Operation, *dys: Tensor | None) -> Any:
    """The gradient of an operation whose type is a function of the library: first it becomes an explicit call."""
    ref = FuncRef(op.type, {k: v for k, v in op.attrs.items() if not k.startswith("_")})
    op.opdef = TABLE["PartitionedCall"]
    types = {"Tin": tuple(t.dtype.base_dtype for t in op.inputs), "Tout": tuple(t.dtype.base_dtype for t in op.outputs)}
    op.attrs = {**types, "f": ref, "config": "", "config_proto": "", "executor_type": ""}
    op.graph.mutated()
    return _branches(op, *dys)


NAMED[CALL] = _called_by_name
grad.none("SymbolicGradient", "TensorFlow has no gradient of a symbolic gradient; differentiate a PartitionedCall instead")
