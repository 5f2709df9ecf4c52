"""The variables `get_variable` has made in a graph, by full name, whole ones and partitioned ones."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphc.variables.base import SaveSliceInfo
from graphc.variables.initializers import GlorotUniform, Zeros
from graphc.variables.partitioned import PartitionedVariable
from graphc.variables.variable import Variable, is_resource_variable, resource_variables_enabled
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import as_dtype, string
from ir.location import traceback_lines
from ir.ops.slicing import slice_
from ir.scopes import GraphKeys, init_scope
from ir.shapes import TensorShape, as_shape
from ir.tensor import Tensor

STORE = "variable_store"


@dataclass(frozen=True)
class PartitionInfo:
    """Which part of a larger variable an initializer is to fill."""

    full_shape: Sequence[int]
    var_offset: Sequence[int]

    def single_slice_dim(self, shape: Sequence[int]) -> int | None:
        """Returns the one dimension in which a part of `shape` is smaller than the whole, or None. Raises ValueError for several."""
        found = [i for i, (part, whole) in enumerate(zip(shape, self.full_shape, strict=True)) if part != whole]
        if len(found) > 1:
            raise ValueError(f"A part of shape {shape} of a variable of shape {self.full_shape} is smaller in dimensions {found}, not in one only")
        return found[0] if found else None

    def single_offset(self, shape: Sequence[int]) -> int:
        """Returns where a part of `shape` begins in the dimension it is smaller in."""
        dim = self.single_slice_dim(shape)
        return 0 if dim is None else self.var_offset[dim]


@dataclass
class Request:
    """What was asked of `get_variable`, the scope's defaults put in."""

    name: str
    shape: Any = None
    dtype: Any = None
    initializer: Any = None
    regularizer: Callable[..., Any] | None = None
    reuse: Any = None
    trainable: bool | None = None
    collections: Any = None
    caching_device: Any = None
    partitioner: Callable[..., Any] | None = None
    validate_shape: bool = True
    use_resource: bool | None = None
    constraint: Callable[..., Any] | None = None
    synchronization: Any = None
    aggregation: Any = None
    partition_info: PartitionInfo | None = field(default=None, repr=False)

    def arguments(self) -> dict[str, Any]:
        """Returns the arguments a custom getter gets, and passes on."""
        return {k: v for k, v in self.__dict__.items() if k != "partition_info"}


class VariableStore:
    """The variables made by `get_variable`."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.partitioned: dict[str, PartitionedVariable] = {}

    def get(self, request: Request, custom_getter: Callable[..., Any] | None = None) -> Any:
        """Returns the variable asked for: an existing one, or a new one, as `reuse` (True, False, None or AUTO_REUSE) allows."""
        if custom_getter is None:
            return self._get(request)
        if not callable(custom_getter):
            raise ValueError(f"Passed a custom_getter which is not callable: {custom_getter}")
        arguments = request.arguments()
        if not accepts(custom_getter, "constraint"):
            del arguments["constraint"]
        return custom_getter(getter=self._getter, **arguments)

    def _getter(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """What a custom getter calls, with the arguments it was given, changed or not."""
        kwargs.update(zip(list(Request.__dataclass_fields__)[1:], args))  # noqa: B905 (fewer arguments than fields is usual)
        return self._get(Request(name, **kwargs))

    def _get(self, r: Request) -> Any:
        scalar = isinstance(r.shape, (list, tuple)) and not r.shape
        if r.partitioner is not None and not scalar:
            if not callable(r.partitioner):
                raise ValueError(f"Partitioner must be callable, but received: {r.partitioner}")
            with get_default_graph().name_scope(None):
                return self.get_partitioned(r)
        if r.reuse is True and r.partitioner is None and r.name in self.partitioned:
            return self.get_partitioned(r)
        if f"{r.name}/part_0" in self.variables:
            raise ValueError(
                f"No partitioner was provided, but a partitioned version of the variable was found: {r.name}/part_0. Perhaps a variable of the same "
                "name was already created with partitioning?"
            )
        return self.get_single(r)

    # -- whole variables -----------------------------------------------------------------------------

    def get_single(self, r: Request) -> Any:
        """Returns or makes a variable that is not partitioned."""
        from_value = r.initializer is not None and not callable(r.initializer)
        if r.shape is not None and from_value:
            raise ValueError(f"If initializer is a constant, do not specify shape (variable {r.name}).")
        dtype, shape = as_dtype(r.dtype).base_dtype, as_shape(r.shape)
        if r.name in self.variables:
            return self._existing(r, shape, dtype)
        if r.reuse is True:
            raise ValueError(
                f"Variable {r.name} does not exist, or was not created with tf.get_variable(). Did you mean to set reuse=tf.AUTO_REUSE in VarScope?"
            )
        initializer = default_initializer(r.name, dtype) if r.initializer is None else r.initializer
        value, value_dtype = (initializer, None) if from_value else initial_value(initializer, shape, dtype, r.partition_info)
        use_resource = resource_variables_enabled() if r.use_resource is None else r.use_resource
        made = Variable(
            initial_value=value, name=r.name, trainable=r.trainable, collections=r.collections, caching_device=r.caching_device, dtype=value_dtype,
            validate_shape=r.validate_shape, constraint=r.constraint, use_resource=use_resource, synchronization=r.synchronization,
            aggregation=r.aggregation,
        )  # fmt: skip
        self.variables[r.name] = made
        if r.regularizer is not None:
            regularize(made, r.regularizer, r.name)
        return made

    def _existing(self, r: Request, shape: TensorShape, dtype: Any) -> Any:
        found = self.variables[r.name]
        if r.reuse is False:
            message = f"Variable {r.name} already exists, disallowed. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?"
            lines = traceback_lines(found.op.location)
            raise ValueError(message + (" Originally defined at:\n\n" + "\n".join(lines) + "\n" if lines else ""))
        if not shape.is_compatible_with(found.get_shape()):
            raise ValueError(f"Trying to share variable {r.name}, but specified shape {shape} and found shape {found.get_shape()}.")
        if not dtype.is_compatible_with(found.dtype):
            raise ValueError(f"Trying to share variable {r.name}, but specified dtype {dtype.name} and found dtype {found.dtype.name}.")
        return found

    # -- partitioned variables -----------------------------------------------------------------------

    def get_partitioned(self, r: Request) -> PartitionedVariable:
        """Returns or makes a partitioned variable."""
        if r.name in self.variables:
            raise ValueError(
                f"A partitioner was provided, but an unpartitioned version of the variable was found: {r.name}. Perhaps a variable of the same name "
                "was already created without partitioning?"
            )
        shape, dtype = as_shape(r.shape), as_dtype(r.dtype).base_dtype
        if isinstance(r.initializer, Tensor):
            shape = shape.merge_with(r.initializer.shape)
        partitions = None if r.reuse and not r.partitioner else partitions_of(r.partitioner, shape, dtype)
        if r.name in self.partitioned:
            return self._existing_partitioned(r, shape, dtype, partitions)
        if r.reuse is True or partitions is None:
            raise ValueError(
                f"PartitionedVariable {r.name} does not exist, or was not created with tf.get_variable(). Did you mean to set reuse=False or "
                "reuse=tf.AUTO_REUSE in VarScope?"
            )
        self._check_parts(r.name, partitions)
        parts = [
            self._part(r, i, offset, size, shape.as_list(), dtype)  # pyright: ignore[reportArgumentType]
            for i, (offset, size) in enumerate(slices_of(shape.as_list(), partitions))  # pyright: ignore[reportArgumentType]
        ]
        made = PartitionedVariable(r.name, shape, parts[0].dtype.base_dtype, parts, partitions)
        self.partitioned[r.name] = made
        return made

    def _existing_partitioned(self, r: Request, shape: TensorShape, dtype: Any, partitions: Any) -> PartitionedVariable:
        found = self.partitioned[r.name]
        if r.reuse is False:
            raise ValueError(f"Partitioned variable with name {r.name} already exists. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?")
        what = f"Trying to reuse partitioned variable {r.name}, but specified"
        if not shape.is_compatible_with(found.get_shape()):
            raise ValueError(f"{what} shape {shape} and found shape {found.get_shape()}.")
        if not dtype.is_compatible_with(found.dtype):
            raise ValueError(f"{what} dtype {dtype.name} and found dtype {found.dtype.name}.")
        if partitions is not None and list(found.partitions) != list(partitions):
            raise ValueError(f"{what} partitions {partitions} and found partitions {found.partitions}.")
        return found

    def _check_parts(self, name: str, partitions: Sequence[int]) -> None:
        count = max(partitions)
        if f"{name}/part_0" not in self.variables:
            return
        if f"{name}/part_{count - 1}" not in self.variables or f"{name}/part_{count}" in self.variables:
            raise ValueError(
                f"Partitioner returned a different partitioning than what was already found. Partitioner returned {count} shards, and shard "
                f"{name}/part_0 was found, but not just as many."
            )

    def _part(self, r: Request, i: int, offset: list[int], size: list[int], full: list[int], dtype: Any) -> Any:
        graph = get_default_graph()
        name = f"{r.name}/part_{i}"
        initializer, shape = r.initializer, size
        with graph.name_scope(name + "/PartitionedInitializer"):
            if initializer is None:
                initializer = default_initializer(r.name, dtype)
            elif not callable(initializer):
                initializer = slice_(initializer if isinstance(initializer, Tensor) else convert_to_tensor(initializer, dtype), offset, size)
                dtype, shape = initializer.dtype.base_dtype, None
        with graph.name_scope(None):
            info = PartitionInfo(full, offset)
            part = self.get_single(replace(r, name=name, shape=shape, dtype=dtype, initializer=initializer, partition_info=info))
        part._set_save_slice_info(SaveSliceInfo(r.name, full, offset, size))
        return part


def accepts(fn: Callable[..., Any], name: str) -> bool:
    """Whether `fn` takes a keyword argument called `name`."""
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):
        return True
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def default_initializer(name: str, dtype: Any) -> Any:
    """Returns the initializer of a variable for which none is given. Raises ValueError for a type that has none."""
    if dtype.is_floating:
        return GlorotUniform()
    if dtype.is_integer or dtype.is_bool or dtype is string:
        return Zeros()
    raise ValueError(f"An initializer for variable {name} of {dtype.base_dtype} is required")


def initial_value(initializer: Any, shape: TensorShape, dtype: Any, info: PartitionInfo | None) -> tuple[Callable[[], Any], Any]:
    """Returns a function that makes the initial value, and the type it is to have (None: its own)."""
    if inspect.isclass(initializer):
        with init_scope():
            initializer = initializer()
    if shape.is_fully_defined():
        extra = {"partition_info": info} if info is not None or accepts(initializer, "partition_info") else {}
        return lambda: initializer(shape.as_list(), dtype=dtype, **extra), dtype
    try:
        inspect.signature(initializer).bind()
    except TypeError:
        raise ValueError(
            "The initializer passed is not valid. It should be a callable with no arguments and the shape should not be provided, or an instance "
            f"of `tf.keras.initializers.*` and `shape` should be fully defined; got {initializer} and shape {shape}."
        ) from None
    return initializer, None


def regularize(variable: Any, regularizer: Callable[..., Any], name: str) -> None:
    """Adds the penalty of a new variable to the regularization losses."""
    graph = get_default_graph()
    with graph.colocate_with(variable.op), graph.name_scope(name + "/Regularizer/"):
        with init_scope():
            loss = regularizer(variable)
        if loss is not None:
            graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)


def partitions_of(partitioner: Any, shape: TensorShape, dtype: Any) -> Sequence[int]:
    """Returns how many parts each dimension is cut into. Raises ValueError when the answer of the partitioner makes no sense."""
    if not shape.is_fully_defined():
        raise ValueError(f"Shape of a new partitioned variable must be fully defined, but instead was {shape}.")
    if not shape.ndims:
        raise ValueError(f"A partitioned Variable must have rank at least 1, shape: {shape}")
    slicing = partitioner(shape=shape, dtype=dtype)
    if not isinstance(slicing, Sequence):
        raise ValueError(f"Partitioner must return a sequence, but saw: {slicing}")
    if len(slicing) != shape.ndims:
        raise ValueError(f"Partitioner returned a partition list that does not match the Variable's rank: {slicing} vs. {shape}")
    if any(p < 1 for p in slicing):
        raise ValueError(f"Partitioner returned zero partitions for some axes: {slicing}")
    if sum(p > 1 for p in slicing) > 1:
        raise ValueError(f"Can only slice a variable along one dimension: shape: {shape}, partitioning: {slicing}")
    return slicing


def slices_of(full: list[int], partitions: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Yields offset and shape of each part; the first ones are larger by one where the division leaves a rest."""
    dim = next((i for i, p in enumerate(partitions) if p > 1), 0)
    count = partitions[dim]
    offset = [0] * len(full)
    for i in range(count):
        size = list(full)
        size[dim] = full[dim] // count + (i < full[dim] % count)
        yield list(offset), size
        offset[dim] += size[dim]


def variable_store() -> VariableStore:
    """Returns the store of the default graph."""
    return get_default_graph().notes.setdefault(STORE, VariableStore())


__all__ = ["PartitionInfo", "Request", "VariableStore", "is_resource_variable", "variable_store"]
