"""Branches and loops as TF1's functions write them: `cond`, `case`, `switch_case`, `while_loop`.

Each branch or body is written into a FuncGraph; what it uses from outside is captured. The result is one `If`, `Case`
or `While` operation.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ir import nest
from ir.build import create, export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import bool_, int32
from ir.func_graph import FuncGraph, add_to_library
from ir.funcref import FuncRef
from ir.function import Function, FunctionBody
from ir.graph import Graph
from ir.indexed_slices import IndexedSlices
from ir.opdef import TABLE
from ir.ops.basic import identity
from ir.ops.compare import less, logical_and
from ir.shapes import Dims, TensorShape, compatible, dims_of, shape_str, type_str
from ir.sparse_tensor import SparseTensor
from ir.tensor import Operation, Tensor

# -- structures of tensors, composites taken apart -------------------------------------------------------


def components(value: Any) -> list[Any]:
    """The tensors a composite value consists of; anything else is its own one component."""
    if isinstance(value, IndexedSlices):
        return [value.values, value.indices] + ([] if value.dense_shape is None else [value.dense_shape])
    if isinstance(value, SparseTensor):
        return [value.indices, value.values, value.dense_shape]
    parts = getattr(value, "_components", None)
    return parts() if parts is not None else [value]


def rebuilt(like: Any, parts: Sequence[Tensor]) -> Any:
    """A composite like `like` made of other tensors."""
    if isinstance(like, IndexedSlices):
        return IndexedSlices(*parts)
    if isinstance(like, SparseTensor):
        return SparseTensor(*parts)
    make = getattr(like, "_from_components", None)
    return make(parts) if make is not None else parts[0]


def _expand(structure: Any) -> list[Any]:
    return [c for leaf in nest.flatten(structure) for c in components(leaf)]


def _collect(structure: Any, tensors: Sequence[Tensor]) -> Any:
    """The nest `structure` with its leaves made of `tensors`."""
    rest = list(tensors)
    leaves: list[Any] = []
    for leaf in nest.flatten(structure):
        n = len(components(leaf))
        leaves.append(rebuilt(leaf, rest[:n]))
        rest = rest[n:]
    return nest.pack_sequence_as(structure, leaves)


# -- functions written in place ---------------------------------------------------------------------------


def _finish(graph: Graph, prefix: str, branch: FuncGraph, captured: Sequence[Tensor]) -> FuncRef:
    """Enters a branch into the library; its arguments are its inputs and then what any of the branches captures."""
    have = dict(branch.captured)
    extra = [have[t] if t in have else branch.add_argument(t) for t in captured]
    function = Function("", FunctionBody(branch, [*branch.inputs, *extra], branch.outputs), stateful=True)
    return add_to_library(graph, prefix, function)


def _captured(branches: Sequence[FuncGraph]) -> list[Tensor]:
    wanted: dict[Tensor, None] = {}
    for b in branches:
        wanted.update(dict.fromkeys(outer for outer, _ in b.captured))
    return list(wanted)


def _write_branch(fn: Callable[[], Any], name: str, what: str) -> tuple[FuncGraph, Any]:
    """Runs `fn` in a graph of its own; an operation it returns becomes a tensor that waits for it."""
    branch = FuncGraph(name)
    with branch.as_default():
        result = fn()
        if result is None:
            raise ValueError(f"{what} must have a return value.")
        leaves = [_as_output(branch, leaf) for leaf in nest.flatten(result)]
        result = nest.pack_sequence_as(result, leaves)
        branch.outputs = _expand(result)
    return branch, result


def _as_output(branch: FuncGraph, leaf: Any) -> Any:
    if leaf is None:
        raise ValueError("a branch returned None where a tensor is expected")
    if isinstance(leaf, Operation):
        with branch.control_dependencies([leaf]):
            return identity(convert_to_tensor(True))
    if isinstance(leaf, (IndexedSlices, SparseTensor)) or hasattr(leaf, "_components"):
        return rebuilt(leaf, [branch.capture(c) for c in components(leaf)])
    return branch.capture(convert_to_tensor(leaf))


def _join(a: Dims, b: Dims) -> Dims:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


def _agree(names: Sequence[str], branches: Sequence[FuncGraph], results: Sequence[Any]) -> list[Dims]:
    """Checks that all branches return the same structure and types; returns the shapes they have in common."""
    first = results[0]
    for name, result in zip(names[1:], results[1:], strict=True):
        try:
            nest.assert_same_structure(first, result)
        except (ValueError, TypeError) as e:
            raise type(e)(f"Incompatible return values of {names[0]} and {name}: {e}") from None
    shapes = [t.dims for t in branches[0].outputs]
    for name, b in zip(names[1:], branches[1:], strict=True):
        if len(b.outputs) != len(shapes):
            raise ValueError(f"{names[0]} and {name} return {len(shapes)} and {len(b.outputs)} tensors")
        for i, (x, y) in enumerate(zip(branches[0].outputs, b.outputs, strict=True)):
            if x.dtype.base_dtype is not y.dtype.base_dtype:
                raise TypeError(
                    f"Outputs of {names[0]} and {name} must have the same type: output {i} is {type_str(x.dtype, x.dims)} ({x.name}, "
                    f"at {x.op.location_line() or 'an unknown line'}) and {type_str(y.dtype, y.dims)} ({y.name}, "
                    f"at {y.op.location_line() or 'an unknown line'})"
                )
            shapes[i] = _join(shapes[i], y.dims)
    return shapes


def _branching(
    kind: str, selector: Any, key: str, branches: Sequence[FuncGraph], shapes: list[Dims], funcs: Callable[[list[FuncRef]], dict[str, Any]], name: str
) -> list[Tensor]:
    graph = get_default_graph()
    captured = _captured(branches)
    refs = [_finish(graph, f"{name}_{b.name}".replace("/", "_"), b, captured) for b in branches]
    if kind == "If" and not any(b.has_effects() for b in branches):
        kind = "StatelessIf"
    given: dict[str, Any] = {
        key: selector, "input": captured, "Tout": [t.dtype.base_dtype for t in branches[0].outputs], "output_shapes": [TensorShape(s) for s in shapes],
        **funcs(refs),
    }  # fmt: skip
    op = create(TABLE[kind], given, name)
    for t, inner in zip(op.outputs, branches[0].outputs, strict=True):
        t.handle = inner.handle
    return list(op.outputs)


@export("cond")
def cond(
    pred: Any, true_fn: Any = None, false_fn: Any = None, strict: bool = False, name: str | None = None, fn1: Any = None, fn2: Any = None
) -> Any:
    """Returns `true_fn()` if the scalar `pred` is true, else `false_fn()`; only the chosen branch runs.

    Args:
      pred: a scalar boolean tensor.
      true_fn, false_fn: functions without arguments that return nests of tensors (or operations) of one structure and type.
      strict: whether a list of one tensor is returned as a list.
      name: a name for the operation.
      fn1, fn2: older names of `true_fn` and `false_fn`.

    Raises TypeError for a `pred` that is a Python bool, or branches of different types; ValueError for different structures.
    """
    true_fn, false_fn = true_fn or fn1, false_fn or fn2
    if not callable(true_fn):
        raise TypeError("true_fn must be callable.")
    if not callable(false_fn):
        raise TypeError("false_fn must be callable.")
    if isinstance(pred, bool):
        raise TypeError("pred must not be a Python bool")
    graph = get_default_graph()
    with graph.name_scope(name or "cond") as scope:
        pred = convert_to_tensor(pred, dtype=bool_, name="pred")
        if pred.dims:
            raise ValueError(f"pred must be a scalar, got {pred!r}")
        then, result = _write_branch(true_fn, "true", "true_fn")
        other, result2 = _write_branch(false_fn, "false", "false_fn")
        shapes = _agree(("true_fn", "false_fn"), (then, other), (result, result2))
        outs = _branching("If", pred, "cond", (then, other), shapes, lambda r: {"then_branch": r[0], "else_branch": r[1]}, scope)
    packed = _collect(result, outs)
    if not strict and isinstance(packed, (list, tuple)) and len(packed) == 1:
        return packed[0]
    return packed


@export("switch_case")
def switch_case(branch_index: Any, branch_fns: Any, default: Any = None, name: str = "switch_case") -> Any:
    """Returns what the function number `branch_index` returns, or `default` (the last function without one) for any other index.

    Args:
      branch_index: a scalar int32 tensor.
      branch_fns: a list of functions, a dict of index to function, or a list of such pairs.
    """
    index = convert_to_tensor(branch_index, dtype=int32, name="branch_index")
    pairs: list[Any] = list(branch_fns.items()) if isinstance(branch_fns, dict) else list(branch_fns)
    if pairs and not isinstance(pairs[0], tuple):
        pairs = list(enumerate(pairs))
    table = {int(i): f for i, f in pairs}
    if sorted(table) != list(range(len(table))):
        raise ValueError(f"branch indices must form contiguous range of [0 to {len(table)}) but found {sorted(table)}")
    fns = [table[i] for i in range(len(table))] + ([default] if default is not None else [])
    if not fns or not all(callable(f) for f in fns):
        raise TypeError("branch_fns must be callables")
    with get_default_graph().name_scope(name) as scope:
        written = [_write_branch(f, f"branch{i}", f"branch {i}") for i, f in enumerate(fns)]
        graphs, results = [g for g, _ in written], [r for _, r in written]
        shapes = _agree([f"branch {i}" for i in range(len(fns))], graphs, results)
        outs = _branching("Case", index, "branch_index", graphs, shapes, lambda r: {"branches": r}, scope)
    packed = _collect(results[0], outs)
    return packed[0] if isinstance(packed, (list, tuple)) and len(packed) == 1 else packed


@export("case")
def case(pred_fn_pairs: Any, default: Any = None, exclusive: bool = False, strict: bool = False, name: str = "case") -> Any:
    """Returns what the function of the first true predicate returns, or `default()` when none is true.

    Args:
      pred_fn_pairs: a list of (scalar boolean tensor, function) pairs, or a dict of them.
      default: a function; without one, the last function runs when no predicate is true.
      exclusive: accepted; the first true predicate decides in any case.
    """
    pairs: list[Any] = list(pred_fn_pairs.items()) if isinstance(pred_fn_pairs, dict) else list(pred_fn_pairs)
    if not all(isinstance(p, (list, tuple)) and len(p) == 2 for p in pairs):
        raise TypeError("pred_fn_pairs must be a list of 2-tuples or a dict")
    for pred, fn in pairs:
        if not callable(fn):
            raise TypeError(f"fn for pred {getattr(pred, 'name', pred)} must be callable.")
    if default is None:
        if not pairs:
            raise ValueError("case needs at least one (pred, fn) pair")
        *pairs, (_, default) = pairs
    with get_default_graph().name_scope(name):
        return _case_from(pairs, default, strict)


def _case_from(pairs: list[Any], default: Any, strict: bool) -> Any:
    if not pairs:
        return default()
    pred, fn = pairs[0]
    return cond(pred, fn, lambda: _case_from(pairs[1:], default, strict), strict=strict)


# -- loops ----------------------------------------------------------------------------------------------


@export("while_loop")
def while_loop(
    cond: Any, body: Any, loop_vars: Any, shape_invariants: Any = None, parallel_iterations: int = 10, back_prop: bool = True, swap_memory: bool = False,
    name: str | None = None, maximum_iterations: Any = None, return_same_structure: bool = False,
) -> Any:  # fmt: skip
    """Repeats `loop_vars = body(*loop_vars)` as long as `cond(*loop_vars)` is true; returns the last `loop_vars`.

    Args:
      cond: a function of the loop variables that returns a scalar boolean tensor.
      body: a function of the loop variables that returns their next values.
      loop_vars: a (nested) list of tensors, TensorArrays, IndexedSlices or values that convert.
      shape_invariants: per loop variable the shape that holds in every iteration; by default the shape it starts with.
      parallel_iterations, swap_memory: accepted; XLA schedules the loop.
      back_prop: whether gradients flow through.
      name: a name for the operation.
      maximum_iterations: the loop ends after so many iterations at the latest.
      return_same_structure: whether a single loop variable is returned in a list.

    Raises TypeError or ValueError, naming the variable, when the body changes a type or shape.
    """
    if not callable(cond):
        raise TypeError("cond must be callable.")
    if not callable(body):
        raise TypeError("body must be callable.")
    if not nest.is_nested(loop_vars):
        loop_vars = [loop_vars]
    if not loop_vars:
        raise ValueError("No loop variables provided")
    if parallel_iterations < 1:
        raise TypeError("parallel_iterations must be a positive integer.")
    with get_default_graph().name_scope(name or "while") as scope:
        loop = _Loop(cond, body, loop_vars, shape_invariants, maximum_iterations)
        outs = loop.build(scope, parallel_iterations, back_prop)
    packed = _collect(loop.structure, outs)
    if not return_same_structure and isinstance(packed, (list, tuple)) and len(packed) == 1:
        return packed[0]
    return packed


class _Loop:
    """A loop while it is written."""

    def __init__(self, cond: Any, body: Any, loop_vars: Any, shape_invariants: Any, maximum: Any) -> None:
        self.cond = cond
        self.body = body
        self.structure = nest.map_structure(_as_loop_var, loop_vars)
        self.tensors: list[Tensor] = _expand(self.structure)
        self.shapes = self._invariants(shape_invariants)
        self.maximum = None if maximum is None else convert_to_tensor(maximum, dtype=int32, name="maximum_iterations")
        if self.maximum is not None and self.maximum.dims:
            raise ValueError(f"maximum_iterations must be a scalar, saw shape: {self.maximum.shape}")

    def _invariants(self, given: Any) -> list[Dims]:
        shapes = [t.dims for t in self.tensors]
        if given is None:
            return shapes
        leaves = nest.flatten(self.structure)
        stated = _flat_shapes(self.structure, given)
        out: list[Dims] = []
        at = 0
        for leaf, s in zip(leaves, stated, strict=True):
            n = len(components(leaf))
            if n == 1 and not hasattr(leaf, "_components"):
                dims = dims_of(getattr(s, "shape", s) if not isinstance(s, TensorShape) else s)
                if not compatible(dims, shapes[at]):
                    raise ValueError(
                        f"The shape invariant specified for {self.tensors[at].name} is not compatible with the initial shape of the loop variable. "
                        f"It enters the loop with shape {shape_str(shapes[at])}, but the specified shape invariant is {shape_str(dims)}."
                    )
                out.append(dims)
            else:
                out.extend([None if d is None else (None, *d[1:]) for d in shapes[at : at + n]] if isinstance(leaf, IndexedSlices) else shapes[at : at + n])
            at += n
        return out

    def _graph(self, label: str) -> tuple[FuncGraph, list[Tensor], Any]:
        g = FuncGraph(label)
        counter = [g.add_input(int32, (), "loop_counter")] if self.maximum is not None else []
        args = [g.add_input(t.dtype.base_dtype, d, t.op.name.rpartition("/")[2], t.handle) for t, d in zip(self.tensors, self.shapes, strict=True)]
        for arg, t in zip(args, self.tensors, strict=True):
            _copy_notes(t, arg)
        with g.as_default():
            return g, counter, _collect(self.structure, args)

    def build(self, scope: str, parallel: int, back_prop: bool) -> list[Tensor]:
        """Writes both functions and appends the operation; returns the tensors of the loop variables after the loop."""
        cond_graph, counter, args = self._graph("cond")
        with cond_graph.as_default():
            go = convert_to_tensor(self.cond(*args) if isinstance(args, (list, tuple)) else self.cond(**args))
            if go.dtype.base_dtype is not bool_ or go.dims:
                raise TypeError(f"cond must return a boolean scalar tensor, but returned {go!r}")
            go = cond_graph.capture(go)
            if self.maximum is not None:
                go = logical_and(less(counter[0], cond_graph.capture(self.maximum)), go)
            cond_graph.outputs = [go]
        body_graph, counter, args = self._graph("body")
        with body_graph.as_default():
            result = self.body(*args) if isinstance(args, (list, tuple)) else self.body(**args)
            outputs = self._results(body_graph, result)
            body_graph.outputs = [*[c + 1 for c in counter], *outputs]
        graph = get_default_graph()
        captured = _captured((cond_graph, body_graph))
        have = dict(body_graph.captured)
        body_graph.outputs.extend(have[t] if t in have else body_graph.add_argument(t) for t in captured)
        refs = [_finish(graph, f"{scope}{b.name}".replace("/", "_"), b, captured) for b in (cond_graph, body_graph)]
        first = [convert_to_tensor(0, dtype=int32, name="loop_counter")] if self.maximum is not None else []
        kind = "While" if cond_graph.has_effects() or body_graph.has_effects() else "StatelessWhile"
        inputs = [*first, *self.tensors, *captured]
        shapes = [*[() for _ in first], *self.shapes, *[t.dims for t in captured]]
        given = {
            "input": inputs, "cond": refs[0], "body": refs[1], "output_shapes": [TensorShape(s) for s in shapes], "parallel_iterations": parallel,
        }  # fmt: skip
        op = create(TABLE[kind], given, scope)
        if not back_prop:
            op.attrs["_back_prop"] = False
        for t, source in zip(op.outputs, inputs, strict=True):
            t.handle = source.handle
        return op.outputs[len(first) : len(first) + len(self.tensors)]

    def _results(self, g: FuncGraph, result: Any) -> list[Tensor]:
        if not nest.is_nested(result) or (isinstance(self.structure, (list, tuple)) and len(self.structure) == 1 and not _fits(self.structure, result)):
            result = [result]
        if (isinstance(result, tuple) and isinstance(self.structure, list)) or (isinstance(result, list) and isinstance(self.structure, tuple)):
            result = nest.pack_sequence_as(self.structure, nest.flatten(result)) if len(nest.flatten(result)) == len(nest.flatten(self.structure)) else result
        try:
            nest.assert_same_structure(self.structure, result, check_types=False)
        except ValueError as e:
            raise ValueError(f"The two structures don't have the same nested structure: the loop variables and what body returns. {e}") from None
        leaves: list[Any] = []
        for var, leaf in zip(nest.flatten(self.structure), nest.flatten(result), strict=True):
            single = len(components(var)) == 1 and not hasattr(leaf, "_components")
            leaves.append(_next_value(g, var, leaf) if single else rebuilt(leaf, [g.capture(c) for c in components(leaf)]))
        outputs = _expand(leaves)
        for var, dims, out in zip(self.tensors, self.shapes, outputs, strict=True):
            _require_same(var, dims, out)
        return outputs


def _fits(structure: Any, result: Any) -> bool:
    try:
        nest.assert_same_structure(structure, result, check_types=False)
    except ValueError:
        return False
    return True


def _flat_shapes(structure: Any, given: Any) -> list[Any]:
    """The shape invariants in the order of the leaves: a shape is a leaf there, though it may look like a list."""
    if not nest.is_nested(structure):
        return [given]
    if isinstance(structure, dict):
        return [s for k in sorted(structure) for s in _flat_shapes(structure[k], given[k])]
    if len(structure) != len(given):
        raise ValueError(f"shape_invariants has {len(given)} entries for {len(structure)} loop variables")
    return [s for a, b in zip(structure, given, strict=True) for s in _flat_shapes(a, b)]


def _as_loop_var(value: Any) -> Any:
    if isinstance(value, (IndexedSlices, SparseTensor)) or hasattr(value, "_components"):
        return value
    return convert_to_tensor(value)


def _next_value(g: FuncGraph, var: Tensor, leaf: Any) -> Tensor:
    if isinstance(leaf, Tensor):
        return g.capture(leaf)
    return g.capture(convert_to_tensor(leaf, preferred_dtype=var.dtype.base_dtype))


def _require_same(var: Tensor, dims: Dims, out: Tensor) -> None:
    where = out.op.location_line() or "an unknown line"
    if out.dtype.base_dtype is not var.dtype.base_dtype:
        raise TypeError(
            f"Loop variable {var.name} enters the loop as {type_str(var.dtype, var.dims)} but body returns {type_str(out.dtype, out.dims)} for it, at {where}: "
            "the types must be equal"
        )
    if var.dtype.name in ("resource", "variant") or dims is None:
        return
    more_general = out.dims is None or len(out.dims) != len(dims) or any(a is not None and a != b for a, b in zip(dims, out.dims, strict=True))
    if more_general:
        raise ValueError(
            f"The shape of loop variable {var.name} is not an invariant for the loop. It enters the loop with shape {shape_str(dims)}, but has shape "
            f"{shape_str(out.dims)} after one iteration (at {where}). Provide shape invariants using either the `shape_invariants` argument of tf.while_loop "
            "or set_shape() on the loop variables."
        )


def _copy_notes(source: Tensor, target: Tensor) -> None:
    notes = source._extra  # pyright: ignore[reportPrivateUsage]
    if notes:
        target.extra().update(notes)
