"""Random numbers: TensorFlow's streams (see `ir.philox`), seeded as TensorFlow 1 seeds them.

The builders make the nodes TensorFlow 1.15 makes, in its order, because the seed of an unseeded op is the number of nodes before it.
"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from ir import dtypes, philox, xp
from ir.build import export, grad, op
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import DType, TypeSet, as_dtype
from ir.errors import InvalidArgumentError
from ir.infer import Infer, broadcast, from_shape_input, same, with_rank
from ir.opdef import In, Int32, T, Type
from ir.ops import arith, layout, reduce
from ir.ops.basic import identity
from ir.ops.debug import assert_
from ir.ops.slicing import slice_
from ir.random_seed import get_seed
from ir.shapes import Dimension, Dims, TensorShape
from ir.tensor import Operation, Tensor

FLOATS = TypeSet("float16 bfloat16 float32 float64")
INTS = TypeSet("int32 int64")
REAL_OUT = TypeSet("float16 float32 float64 int32 int64")
LOGITS = TypeSet("float32 float64 int32 uint8 int16 int8 int64 bfloat16 uint16 float16 uint32 uint64")
SEED = INTS.default_to(dtypes.int64)
SHAPE = INTS.default_to(dtypes.int32)

ShapeT = Annotated[Any, In("T")]
ShapeS = Annotated[Any, In("S")]
Tout = Annotated[Any, In("Tout")]
Dtype = Annotated[Any, In("dtype")]
Rate = Annotated[Any, In("R")]
Seed = Annotated[Any, In("Tseed")]


def extent(shape: Any) -> tuple[tuple[int, ...], int]:
    """Returns the sizes that a shape holds, and the number of elements."""
    dims = tuple(int(d) for d in np.asarray(shape).reshape(-1))
    if any(d < 0 for d in dims):
        raise InvalidArgumentError(None, None, f"Dimensions of a random tensor must be >= 0, got {list(dims)}")
    return dims, int(np.prod(dims, dtype=np.int64))


def _drawn(state: Any, dims: tuple[int, ...], count: int, numbers: Any, blocks: int | None = None) -> Any:
    """The output and the state after it: TensorFlow reserves 256 blocks per number."""
    return xp.reshape(numbers, dims), philox.advanced(state, count * philox.RESERVED if blocks is None else blocks)


# -- streams that a Session keeps ----------------------------------------------------------------------


@op("RandomUniform", from_shape_input(), out="output: dtype", random=True, static="shape", T=INTS, dtype=FLOATS)
def _random_uniform(shape: ShapeT, dtype: Type, seed: int = 0, seed2: int = 0, name: str | None = None, *, state: Any = None) -> Tensor:
    """Numbers from [0, 1), each multiple of the type's resolution alike."""
    dims, count = extent(shape)
    return _drawn(state, dims, count, philox.uniform(state, count, dtype.np_dtype))


@op("RandomUniformInt", from_shape_input(), random=True, static="shape", out="output: Tout", T=INTS, Tout=INTS)
def _random_uniform_int(shape: ShapeT, minval: Tout, maxval: Tout, seed: int = 0, seed2: int = 0, name: str | None = None, *, state: Any = None) -> Tensor:
    """Integers from [minval, maxval)."""
    dims, count = extent(shape)
    return _drawn(state, dims, count, _integers(state, count, minval, maxval))


def _integers(state: Any, count: int, minval: Any, maxval: Any) -> Any:
    if count and xp.is_numpy([minval, maxval]) and not minval < maxval:
        raise InvalidArgumentError(None, None, f"Need minval < maxval, got {minval} >= {maxval}")
    return philox.uniform_int(state, count, minval, maxval, np.dtype(minval.dtype))


@op("RandomStandardNormal", from_shape_input(), out="output: dtype", random=True, static="shape", T=INTS, dtype=FLOATS)
def _random_standard_normal(shape: ShapeT, dtype: Type, seed: int = 0, seed2: int = 0, name: str | None = None, *, state: Any = None) -> Tensor:
    """Normal deviates of mean 0 and standard deviation 1."""
    dims, count = extent(shape)
    return _drawn(state, dims, count, philox.normal(state, count, dtype.np_dtype))


@op("TruncatedNormal", from_shape_input(), out="output: dtype", random=True, static="shape", T=INTS, dtype=FLOATS)
def _truncated_normal(shape: ShapeT, dtype: Type, seed: int = 0, seed2: int = 0, name: str | None = None, *, state: Any = None) -> Tensor:
    """Normal deviates of which those beyond two standard deviations are drawn again."""
    dims, count = extent(shape)
    return _drawn(state, dims, count, philox.truncated_normal(state, count, dtype.np_dtype))


def _parameters(c: Infer) -> Dims:
    for i in range(1, 5):
        dims = c.dims(i)
        if dims is not None and len(dims) > 1:
            raise ValueError(f"{c.input_name(i)} must be a scalar or a vector, got rank {len(dims)}")
    return c.shape_value(0)


@op("ParameterizedTruncatedNormal", _parameters, out="output: dtype", random=True, host=True, static="shape", T=INTS, dtype=FLOATS)
def _parameterized_truncated_normal(
    shape: ShapeT, means: Dtype, stdevs: Dtype, minvals: Dtype, maxvals: Dtype, seed: int = 0, seed2: int = 0, name: str | None = None, *,
    state: Any = None,
) -> Tensor:  # fmt: skip
    """Normal deviates inside bounds that may differ for each row of the output."""
    dims, count = extent(shape)
    given = [np.asarray(p) for p in (means, stdevs, minvals, maxvals)]
    parameters = [p.reshape(-1) for p in given]
    batches, each = (dims[0] if dims else 1), count // max(dims[0] if dims else 1, 1)
    if all(p.ndim == 0 for p in given):
        each = philox.BATCH
        batches = -(-count // each)
    if any(p.size not in (1, batches) for p in parameters):
        raise InvalidArgumentError(None, None, f"each parameter must be a scalar or have {batches} entries, got sizes {[p.size for p in parameters]}")
    numbers = philox.bounded_normal(state, count, batches, each, parameters)
    blocks = batches * 2 * philox.MAX_TRIES * (each + 3) // 4
    return _drawn(state, dims, count, numbers, blocks)


@op("RandomShuffle", same, out="output: T", random=True)
def _random_shuffle(value: T, seed: int = 0, seed2: int = 0, name: str | None = None, *, state: Any = None) -> Tensor:
    """The rows of `value` in another order."""
    rows = value.shape[0] if value.ndim else 1
    if rows <= 1 or not value.size:
        return value, state  # pyright: ignore[reportReturnType]
    return value[philox.permutation(state, rows)], philox.advanced(state, (rows + 2) // 4)  # pyright: ignore[reportReturnType]


def _categories(c: Infer) -> Dims:
    rows = with_rank(c.dims(0), 2, "logits")[0]
    count = c.value(1)
    if count is not None and (count.ndim or count < 0):
        raise ValueError(f"num_samples must be a non-negative scalar, got {count}")
    return rows, None if count is None else int(count)


@op("Multinomial", _categories, out="output: output_dtype", random=True, static="num_samples", T=LOGITS, output_dtype=SEED)
def _multinomial(
    logits: T, num_samples: Int32, seed: int = 0, seed2: int = 0, output_dtype: Type = dtypes.int64, name: str | None = None, *, state: Any = None
) -> Tensor:
    """Class numbers drawn with the unnormalized log probabilities in each row."""
    samples = int(num_samples)
    drawn = xp.astype(philox.categorical(state, logits, samples), output_dtype.np_dtype)
    return drawn, philox.advanced(state, logits.shape[0] * (-(-samples // 4) * 8) * philox.RESERVED)  # pyright: ignore[reportReturnType]


def _per_parameter(c: Infer) -> Dims:
    shape, dims = c.shape_value(0), c.dims(1)
    return None if shape is None or dims is None else shape + dims


@op("RandomGamma", _per_parameter, out="output: T", random=True, static="shape", S=INTS, T=TypeSet("float16 float32 float64"))
def _random_gamma(shape: ShapeS, alpha: T, seed: int = 0, seed2: int = 0, name: str | None = None, *, state: Any = None) -> Tensor:
    """Gamma deviates of scale 1: for each alpha a sample of shape `shape`."""
    return each_parameter(shape, alpha, state, np.dtype(alpha.dtype), philox.gamma)


def each_parameter(shape: Any, parameter: Any, state: Any, dtype: np.dtype[Any], draw: Callable[..., Any]) -> Any:
    """Draws `shape` numbers for every entry of `parameter` and returns them with the next state."""
    dims, samples = extent(shape)
    whole = dims + tuple(parameter.shape)
    count = int(np.prod(whole, dtype=np.int64))
    if not count:
        return np.zeros(whole, dtype), state
    numbers = draw(state, xp.reshape(parameter, (-1,)), samples)
    return xp.reshape(xp.astype(numbers, dtype), whole), philox.advanced(state, count * philox.RESERVED)


def highest(dtype: np.dtype[Any]) -> float:
    """Returns the largest count that fits `dtype`."""
    return float(np.iinfo(dtype).max if dtype.kind == "i" else np.finfo(dtype).max)


@op("RandomPoisson", _per_parameter, out="output: dtype", random=True, static="shape", S=INTS, dtype=TypeSet("float16 float32 float64"))
def _random_poisson_v1(shape: ShapeS, rate: Dtype, seed: int = 0, seed2: int = 0, name: str | None = None, *, state: Any = None) -> Tensor:
    """Poisson deviates of the type of `rate`."""
    kind = np.dtype(rate.dtype)
    return each_parameter(shape, rate, state, kind, lambda s, r, n: philox.poisson(s, r, n, highest(kind)))


@op(
    "RandomPoissonV2", _per_parameter, out="output: dtype", random=True, static="shape", S=INTS, R=REAL_OUT.default_to(dtypes.float64),
    dtype=REAL_OUT.default_to(dtypes.int64),
)  # fmt: skip
def _random_poisson(
    shape: ShapeS, rate: Rate, seed: int = 0, seed2: int = 0, dtype: Type = dtypes.int64, name: str | None = None, *, state: Any = None
) -> Tensor:
    """Poisson deviates: for each rate a sample of shape `shape`."""
    kind = dtype.np_dtype
    return each_parameter(shape, rate, state, kind, lambda s, r, n: philox.poisson(s, r, n, highest(kind)))


# -- streams that the caller's seed gives -----------------------------------------------------------------


def _with_seed(c: Infer) -> Dims:
    dims = c.dims(1)
    if dims is not None and dims not in ((2,), (None,)):
        raise ValueError(f"seed must be a vector of two integers, got shape {dims}")
    return c.shape_value(0)


@op("StatelessRandomUniform", _with_seed, out="output: dtype", static="shape", T=SHAPE, Tseed=SEED, dtype=FLOATS)
def _stateless_random_uniform(shape: ShapeT, seed: Seed, dtype: Type = dtypes.float32, name: str | None = None) -> Tensor:
    """`RandomUniform` with the stream that `seed` gives."""
    dims, count = extent(shape)
    return xp.reshape(philox.uniform(philox.stateless_state(seed), count, dtype.np_dtype), dims)


@op("StatelessRandomUniformInt", _with_seed, out="output: dtype", static="shape", T=INTS, Tseed=SEED, dtype=INTS)
def _stateless_random_uniform_int(shape: ShapeT, seed: Seed, minval: Dtype, maxval: Dtype, name: str | None = None) -> Tensor:
    """`RandomUniformInt` with the stream that `seed` gives."""
    dims, count = extent(shape)
    return xp.reshape(_integers(philox.stateless_state(seed), count, minval, maxval), dims)


@op("StatelessRandomNormal", _with_seed, out="output: dtype", static="shape", T=SHAPE, Tseed=SEED, dtype=FLOATS)
def _stateless_random_normal(shape: ShapeT, seed: Seed, dtype: Type = dtypes.float32, name: str | None = None) -> Tensor:
    """`RandomStandardNormal` with the stream that `seed` gives."""
    dims, count = extent(shape)
    return xp.reshape(philox.normal(philox.stateless_state(seed), count, dtype.np_dtype), dims)


@op("StatelessTruncatedNormal", _with_seed, out="output: dtype", static="shape", T=SHAPE, Tseed=SEED, dtype=FLOATS)
def _stateless_truncated_normal(shape: ShapeT, seed: Seed, dtype: Type = dtypes.float32, name: str | None = None) -> Tensor:
    """`TruncatedNormal` with the stream that `seed` gives."""
    dims, count = extent(shape)
    return xp.reshape(philox.truncated_normal(philox.stateless_state(seed), count, dtype.np_dtype), dims)


@op("StatelessMultinomial", _categories, out="output: output_dtype", static="num_samples", T=LOGITS, Tseed=SEED, output_dtype=SEED)
def _stateless_multinomial(logits: T, num_samples: Int32, seed: Seed, output_dtype: Type = dtypes.int64, name: str | None = None) -> Tensor:
    """`Multinomial` with the stream that `seed` gives."""
    return xp.astype(philox.categorical(philox.stateless_state(seed), logits, int(num_samples)), output_dtype.np_dtype)


grad.none(
    "RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal ParameterizedTruncatedNormal RandomShuffle Multinomial RandomPoisson "
    "RandomPoissonV2 StatelessRandomUniform StatelessRandomUniformInt StatelessRandomNormal StatelessTruncatedNormal StatelessMultinomial",
    "random numbers are constants for differentiation, as in TensorFlow",
)


@op("RandomGammaGrad", broadcast, out="output: T", T=TypeSet("float32 float64"))
def _random_gamma_grad(alpha: T, sample: T, name: str | None = None) -> Tensor:
    """The derivative of a gamma deviate with respect to its alpha, the underlying uniform number held fixed."""
    ...


grad.none("RandomGammaGrad", "its derivative is not implemented, in TensorFlow neither")


@grad("RandomGamma")
def _(op: Operation, dy: Tensor) -> Any:
    shape, alpha = op.inputs
    with get_default_graph().control_dependencies([dy]):
        axes = layout.range_(layout.shape(shape)[0])
        return None, reduce.reduce_sum(dy * _random_gamma_grad(alpha, op.outputs[0]), axis=axes)


# -- the public functions -----------------------------------------------------------------------------------


def shape_tensor(shape: Any) -> Tensor:
    """Returns a shape (a list of sizes, a TensorShape, a tensor) as an int32 or int64 vector."""
    if isinstance(shape, TensorShape):
        shape = shape.as_list()
    if isinstance(shape, (list, tuple)):
        sizes: list[Any] = [s.value if isinstance(s, Dimension) else s for s in shape]
        return convert_to_tensor(sizes, None if sizes else dtypes.int32, "shape")
    return convert_to_tensor(shape, name="shape")


def _scaled(draw: Callable[..., Tensor], shape: Any, mean: Any, stddev: Any, dtype: Any, seed: int | None, name: str) -> Tensor:
    with get_default_graph().name_scope(name) as scope:
        sizes = shape_tensor(shape)
        mean = convert_to_tensor(mean, dtype, "mean")
        stddev = convert_to_tensor(stddev, dtype, "stddev")
        first, second = get_seed(seed)
        return arith.add(draw(sizes, dtype, first, second) * stddev, mean, name=scope)


@export("random_normal random.normal")
def random_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, seed: int | None = None, name: str | None = None) -> Tensor:
    """Returns normal deviates.

    Args:
      shape: the shape of the output: a list, TensorShape or integer vector.
      mean, stddev: numbers or tensors that broadcast with the output.
      dtype: a floating point type.
      seed: makes the stream the same in every Session (see `set_random_seed`).

    >>> random_normal([2, 3]).shape.as_list()
    [2, 3]
    """
    return _scaled(_random_standard_normal, shape, mean, stddev, dtype, seed, name or "random_normal")


@export("truncated_normal random.truncated_normal")
def truncated_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, seed: int | None = None, name: str | None = None) -> Tensor:
    """Returns normal deviates; those more than two standard deviations from the mean are drawn again.

    Args: as `random_normal`.
    """
    return _scaled(_truncated_normal, shape, mean, stddev, dtype, seed, name or "truncated_normal")


def _range(dtype: Any, maxval: Any) -> tuple[DType, Any]:
    dtype = as_dtype(dtype)
    if dtype not in FLOATS and dtype not in INTS:
        raise ValueError(f"Invalid dtype {dtype!r}")
    if maxval is None:
        if dtype.is_integer:
            raise ValueError(f"Must specify maxval for integer dtype {dtype!r}")
        maxval = 1
    return dtype, maxval


@export("random_uniform random.uniform")
def random_uniform(shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32, seed: int | None = None, name: str | None = None) -> Tensor:
    """Returns numbers from [minval, maxval).

    Args:
      shape: the shape of the output: a list, TensorShape or integer vector.
      minval, maxval: the bounds; floats may broadcast with the output, integers are scalars. `maxval` is 1 by default for floats
        and must be given for integers.
      dtype: a floating point type, int32 or int64.
      seed: makes the stream the same in every Session (see `set_random_seed`).

    Raises ValueError for another dtype, or integers without `maxval`.

    >>> random_uniform([4], maxval=6, dtype="int32").dtype.name
    'int32'
    """
    dtype, maxval = _range(dtype, maxval)
    with get_default_graph().name_scope(name or "random_uniform") as scope:
        sizes = shape_tensor(shape)
        low = convert_to_tensor(minval, dtype, "min")
        high = convert_to_tensor(maxval, dtype, "max")
        first, second = get_seed(seed)
        if dtype.is_integer:
            return _random_uniform_int(sizes, low, high, first, second, name=scope)  # pyright: ignore[reportArgumentType]
        numbers = _random_uniform(sizes, dtype, first, second)  # pyright: ignore[reportArgumentType]
        return arith.add(numbers * (high - low), low, name=scope)


@export("random_shuffle random.shuffle")
def random_shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """Returns `value` with its rows (dimension 0) in random order."""
    first, second = get_seed(seed)
    return _random_shuffle(value, first, second, name=name)  # pyright: ignore[reportArgumentType]


@export("random_crop image.random_crop")
def random_crop(value: Any, size: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """Returns a slice of `value` of shape `size` at a uniformly chosen offset.

    Args:
      value: a tensor.
      size: a vector of sizes, one for each dimension of `value`.
      seed: makes the stream the same in every Session (see `set_random_seed`).
      name: a name for the operation.

    A run fails with InvalidArgumentError when `value` is smaller than `size`.
    """
    graph = get_default_graph()
    with graph.name_scope(name or "random_crop") as scope:
        value = convert_to_tensor(value, name="value")
        size = convert_to_tensor(size, dtypes.int32, "size")
        shape = layout.shape(value)
        check = assert_(reduce.reduce_all(shape >= size), ["Need value.shape >= size, got ", shape, size], summarize=1000)
        with graph.control_dependencies([check]):
            shape = identity(shape, name="control_dependency")
        limit = shape - size + 1
        offset = random_uniform(layout.shape(shape), dtype=size.dtype, maxval=size.dtype.max, seed=seed) % limit
        return slice_(value, offset, size, name=scope)


@export("multinomial random.multinomial")
def multinomial(logits: Any, num_samples: Any, seed: int | None = None, name: str | None = None, output_dtype: Any = None) -> Tensor:
    """Draws classes: `categorical` under its older name."""
    return _choice(logits, num_samples, output_dtype, seed, name or "multinomial")


@export("random.categorical")
def categorical(logits: Any, num_samples: Any, dtype: Any = None, seed: int | None = None, name: str | None = None) -> Tensor:
    """Draws classes.

    Args:
      logits: [rows, classes], unnormalized log probabilities.
      num_samples: how many to draw for each row.
      dtype: int32 or (by default) int64.

    Returns class numbers of shape [rows, num_samples].
    """
    return _choice(logits, num_samples, dtype, seed, name or "categorical")


def _choice(logits: Any, num_samples: Any, dtype: Any, seed: int | None, name: str) -> Tensor:
    with get_default_graph().name_scope(name):
        logits = convert_to_tensor(logits, name="logits")
        first, second = get_seed(seed)
        return _multinomial(logits, num_samples, first, second, dtype)  # pyright: ignore[reportArgumentType]


@export("random_gamma random.gamma")
def random_gamma(shape: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, seed: int | None = None, name: str | None = None) -> Tensor:
    """Returns gamma deviates: a sample of shape `shape` for every pair of `alpha` (shape) and `beta` (inverse scale).

    Returns a tensor of shape `shape` + the shape `alpha` and `beta` broadcast to, differentiable in both.
    """
    with get_default_graph().name_scope(name or "random_gamma"):
        sizes = convert_to_tensor(shape, dtypes.int32, "shape")
        alpha = convert_to_tensor(alpha, dtype, "alpha")
        beta = convert_to_tensor(1 if beta is None else beta, dtype, "beta")
        both = alpha + layout.zeros_like(beta)
        first, second = get_seed(seed)
        smallest = np.finfo(alpha.dtype.np_dtype).tiny
        drawn = _random_gamma(sizes, both, first, second)  # pyright: ignore[reportArgumentType]
        return arith.maximum(smallest, drawn / beta)


@export("random_poisson random.poisson")
def random_poisson(lam: Any, shape: Any, dtype: Any = dtypes.float32, seed: int | None = None, name: str | None = None) -> Tensor:
    """Returns Poisson deviates: a sample of shape `shape` for every rate in `lam`."""
    with get_default_graph().name_scope(name or "random_poisson"):
        sizes = convert_to_tensor(shape, dtypes.int32, "shape")
        first, second = get_seed(seed)
        return _random_poisson(sizes, lam, first, second, dtype)  # pyright: ignore[reportArgumentType]


# -- stateless ------------------------------------------------------------------------------------------------


@export("random.stateless_uniform")
def stateless_random_uniform(shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """Returns numbers from [minval, maxval) that `seed`, two integers, determines. Other arguments as `random_uniform`."""
    dtype, maxval = _range(dtype, maxval)
    with get_default_graph().name_scope(name or "stateless_random_uniform") as scope:
        sizes = shape_tensor(shape)
        low = convert_to_tensor(minval, dtype, "min")
        high = convert_to_tensor(maxval, dtype, "max")
        if dtype.is_integer:
            return _stateless_random_uniform_int(sizes, seed, low, high, name=scope)
        return arith.add(_stateless_random_uniform(sizes, seed, dtype) * (high - low), low, name=scope)


def _stateless_scaled(draw: Callable[..., Tensor], shape: Any, seed: Any, mean: Any, stddev: Any, dtype: Any, name: str) -> Tensor:
    with get_default_graph().name_scope(name) as scope:
        sizes = shape_tensor(shape)
        mean = convert_to_tensor(mean, dtype, "mean")
        stddev = convert_to_tensor(stddev, dtype, "stddev")
        return arith.add(draw(sizes, seed, dtype) * stddev, mean, name=scope)


@export("random.stateless_normal")
def stateless_random_normal(shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """Returns normal deviates that `seed`, two integers, determines."""
    return _stateless_scaled(_stateless_random_normal, shape, seed, mean, stddev, dtype, name or "stateless_random_normal")


@export("random.stateless_truncated_normal")
def stateless_truncated_normal(shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """Returns truncated normal deviates that `seed`, two integers, determines."""
    return _stateless_scaled(_stateless_truncated_normal, shape, seed, mean, stddev, dtype, name or "stateless_truncated_normal")


@export("random.stateless_multinomial")
def stateless_multinomial(logits: Any, num_samples: Any, seed: Any, output_dtype: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """Draws classes that `seed`, two integers, determines: `stateless_categorical` under its older name."""
    return _stateless_choice(logits, num_samples, seed, output_dtype, name or "stateless_multinomial")


@export("random.stateless_categorical")
def stateless_categorical(logits: Any, num_samples: Any, seed: Any, dtype: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """Draws classes that `seed`, two integers, determines. Other arguments as `categorical`."""
    return _stateless_choice(logits, num_samples, seed, dtype, name or "stateless_categorical")


def _stateless_choice(logits: Any, num_samples: Any, seed: Any, dtype: Any, name: str) -> Tensor:
    with get_default_graph().name_scope(name):
        return _stateless_multinomial(convert_to_tensor(logits, name="logits"), num_samples, seed, dtype)
