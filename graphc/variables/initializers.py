"""Initializers: objects that make a tensor of a given shape for the initial value of a variable.

They are called as `initializer(shape, dtype=None, partition_info=None)`; `partition_info` says which part of a larger variable is meant.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ir.build import export
from ir.convert import constant, convert_to_tensor, get_default_graph
from ir.dtypes import DType, as_dtype, float32
from ir.ops.cast import cast
from ir.ops.decomposition import qr
from ir.ops.diag import diag_part
from ir.ops.elementwise import sign
from ir.ops.gather import scatter_nd
from ir.ops.layout import expand_dims, ones, reshape, transpose, zeros
from ir.ops.random import random_normal, random_uniform, truncated_normal
from ir.ops.slicing import slice_
from ir.shapes import TensorShape
from ir.tensor import Tensor

Shape = Any


def _float(dtype: Any) -> DType:
    dtype = as_dtype(dtype)
    if not dtype.is_floating:
        raise ValueError(f"Expected floating point type, got {dtype}.")
    return dtype


def _sizes(shape: Shape) -> list[int]:
    if isinstance(shape, TensorShape):
        shape = shape.as_list()
    return [int(d) for d in shape]


@export("keras.initializers.Initializer")
class Initializer:
    """Makes initial values. `get_config` tells how to make an equal one with `from_config`."""

    #: the constructor's arguments, which are attributes of the same names
    arguments: ClassVar[tuple[str, ...]] = ()
    dtype: DType = float32

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns a tensor of `shape`, of type `dtype` or the initializer's own."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as plain values."""
        return {k: getattr(self, k).name if k == "dtype" else getattr(self, k) for k in self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Initializer":
        """Returns the initializer that `get_config` of another gave."""
        return cls(**config)

    def _type(self, dtype: Any) -> DType:
        return self.dtype if dtype is None else as_dtype(dtype)


# -- constants ---------------------------------------------------------------------------------------


@export("initializers.zeros zeros_initializer keras.initializers.Zeros keras.initializers.zeros")
class Zeros(Initializer):
    """Zeros."""

    arguments = ("dtype",)

    def __init__(self, dtype: Any = float32) -> None:
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns zeros of `shape`."""
        return zeros(shape, self._type(dtype))


@export("initializers.ones ones_initializer keras.initializers.Ones keras.initializers.ones")
class Ones(Initializer):
    """Ones."""

    arguments = ("dtype",)

    def __init__(self, dtype: Any = float32) -> None:
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns ones of `shape`."""
        return ones(shape, self._type(dtype))


@export("initializers.constant constant_initializer keras.initializers.Constant keras.initializers.constant")
class Constant(Initializer):
    """A given value: a number, or a list or array whose elements fill the shape (the last one the rest).

    `verify_shape` refuses a value of another shape.
    """

    arguments = ("value", "dtype")

    def __init__(self, value: Any = 0, dtype: Any = float32, verify_shape: bool = False) -> None:
        if not (np.isscalar(value) or isinstance(value, (list, tuple, np.ndarray))):
            raise TypeError(f"Invalid type for initial value: {type(value)} (expected Python scalar, list or tuple of values, or numpy.ndarray).")
        self.value = value
        self.dtype = as_dtype(dtype)
        self._verify_shape = verify_shape

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None, verify_shape: bool | None = None) -> Tensor:
        """Returns the value in `shape`. Raises ValueError for too many elements, TypeError for another shape when verified."""
        verify = self._verify_shape if verify_shape is None else verify_shape
        return constant(self.value, self._type(dtype), shape=shape, verify_shape=verify)


@export("initializers.identity keras.initializers.Identity keras.initializers.identity")
class Identity(Initializer):
    """`gain` times the identity matrix; for two dimensions only."""

    arguments = ("gain", "dtype")

    def __init__(self, gain: float = 1.0, dtype: Any = float32) -> None:
        self.gain = gain
        self.dtype = _float(dtype)

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns the matrix, or the part of it that `partition_info` says. Raises ValueError for another rank."""
        full = _sizes(shape if partition_info is None else partition_info.full_shape)
        if len(full) != 2:
            raise ValueError("Identity matrix initializer can only be used for 2D matrices.")
        matrix = convert_to_tensor(np.eye(*full, dtype=self._type(dtype).np_dtype), name="eye")
        if partition_info is not None:
            matrix = slice_(matrix, partition_info.var_offset, shape)
        return self.gain * matrix


# -- random ------------------------------------------------------------------------------------------


@export("initializers.random_uniform random_uniform_initializer")
class RandomUniform(Initializer):
    """Numbers from [minval, maxval); `maxval` is 1 by default for floats."""

    arguments = ("minval", "maxval", "seed", "dtype")

    def __init__(self, minval: Any = 0, maxval: Any = None, seed: int | None = None, dtype: Any = float32) -> None:
        self.minval = minval
        self.maxval = maxval
        self.seed = seed
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns random numbers of `shape`."""
        return random_uniform(shape, self.minval, self.maxval, self._type(dtype), seed=self.seed)


@export("initializers.random_normal random_normal_initializer")
class RandomNormal(Initializer):
    """Normal deviates."""

    arguments = ("mean", "stddev", "seed", "dtype")

    def __init__(self, mean: Any = 0.0, stddev: Any = 1.0, seed: int | None = None, dtype: Any = float32) -> None:
        self.mean = mean
        self.stddev = stddev
        self.seed = seed
        self.dtype = _float(dtype)

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns random numbers of `shape`."""
        return random_normal(shape, self.mean, self.stddev, self._type(dtype), seed=self.seed)


@export("initializers.truncated_normal truncated_normal_initializer")
class TruncatedNormal(RandomNormal):
    """Normal deviates; those beyond two standard deviations are drawn again."""

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns random numbers of `shape`."""
        return truncated_normal(shape, self.mean, self.stddev, self._type(dtype), seed=self.seed)


@export("initializers.uniform_unit_scaling uniform_unit_scaling_initializer")
class UniformUnitScaling(Initializer):
    """Numbers from [-m, m) with m = `factor` * sqrt(3 / n) for n inputs, which keeps the scale of the inputs."""

    arguments = ("factor", "seed", "dtype")

    def __init__(self, factor: float = 1.0, seed: int | None = None, dtype: Any = float32) -> None:
        self.factor = factor
        self.seed = seed
        self.dtype = _float(dtype)

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns random numbers of `shape`."""
        full = _sizes(shape if partition_info is None else partition_info.full_shape)
        limit = math.sqrt(3 / max(float(math.prod(full[:-1])), 1.0)) * self.factor
        return random_uniform(shape, -limit, limit, self._type(dtype), seed=self.seed)


def compute_fans(shape: Sequence[int]) -> tuple[int, int]:
    """Returns the numbers of inputs and outputs of a unit whose weights have `shape`: [spatial..., in, out]."""
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return int(shape[0]), int(shape[0])
    field = math.prod(shape[:-2])
    return int(shape[-2] * field), int(shape[-1] * field)


#: the standard deviation of a normal distribution cut off at two standard deviations
_CUT = 0.87962566103423978


@export("initializers.variance_scaling variance_scaling_initializer keras.initializers.VarianceScaling")
class VarianceScaling(Initializer):
    """Numbers of variance `scale` / n, where `mode` says what n counts: "fan_in" inputs, "fan_out" outputs, "fan_avg" their mean.

    `distribution` is "truncated_normal" (its old name is "normal"), "untruncated_normal" or "uniform".
    """

    arguments = ("scale", "mode", "distribution", "seed", "dtype")

    def __init__(self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: int | None = None, dtype: Any = float32) -> None:
        if scale <= 0.0:
            raise ValueError(f"`scale` must be positive float, got {scale}.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"Invalid `mode` argument: {mode!r}")
        distribution = distribution.lower()
        if distribution not in ("normal", "uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(f"Invalid `distribution` argument: {distribution!r}")
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.seed = seed
        self.dtype = _float(dtype)

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns random numbers of `shape`."""
        dtype = self._type(dtype)
        fan_in, fan_out = compute_fans(_sizes(shape if partition_info is None else partition_info.full_shape))
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[self.mode]
        variance = self.scale / max(1.0, count)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return random_uniform(shape, -limit, limit, dtype, seed=self.seed)
        if self.distribution == "untruncated_normal":
            return random_normal(shape, 0.0, math.sqrt(variance), dtype, seed=self.seed)
        return truncated_normal(shape, 0.0, math.sqrt(variance) / _CUT, dtype, seed=self.seed)


@export("initializers.glorot_uniform glorot_uniform_initializer keras.initializers.glorot_uniform")
class GlorotUniform(VarianceScaling):
    """Uniform numbers of variance 2 / (inputs + outputs): X. Glorot and Y. Bengio (2010)."""

    arguments = ("seed", "dtype")

    def __init__(self, seed: int | None = None, dtype: Any = float32) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed, dtype)


@export("initializers.glorot_normal glorot_normal_initializer keras.initializers.glorot_normal")
class GlorotNormal(VarianceScaling):
    """Truncated normal deviates of variance 2 / (inputs + outputs): X. Glorot and Y. Bengio (2010)."""

    arguments = ("seed", "dtype")

    def __init__(self, seed: int | None = None, dtype: Any = float32) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed, dtype)


@export("initializers.lecun_normal keras.initializers.lecun_normal")
def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Returns an initializer with truncated normal deviates of variance 1 / inputs."""
    return VarianceScaling(1.0, "fan_in", "truncated_normal", seed)


@export("initializers.lecun_uniform keras.initializers.lecun_uniform")
def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Returns an initializer with uniform numbers of variance 1 / inputs."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


@export("initializers.he_normal keras.initializers.he_normal")
def he_normal(seed: int | None = None) -> VarianceScaling:
    """Returns an initializer with truncated normal deviates of variance 2 / inputs: K. He et al. (2015)."""
    return VarianceScaling(2.0, "fan_in", "truncated_normal", seed)


@export("initializers.he_uniform keras.initializers.he_uniform")
def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Returns an initializer with uniform numbers of variance 2 / inputs: K. He et al. (2015)."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


# -- orthogonal --------------------------------------------------------------------------------------


def _orthonormal(rows: int, columns: int, dtype: DType, seed: int | None) -> Tensor:
    """A random matrix with orthonormal columns, uniformly distributed."""
    q, r = qr(random_normal((rows, columns), dtype=dtype, seed=seed), full_matrices=False)
    return q * sign(diag_part(r))


@export("initializers.orthogonal orthogonal_initializer keras.initializers.Orthogonal keras.initializers.orthogonal")
class Orthogonal(Initializer):
    """`gain` times a random matrix with orthonormal rows or columns, whichever are fewer; leading dimensions are flattened."""

    arguments = ("gain", "seed", "dtype")

    def __init__(self, gain: float = 1.0, seed: int | None = None, dtype: Any = float32) -> None:
        self.gain = gain
        self.dtype = _float(dtype)
        self.seed = seed

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns the matrix in `shape`. Raises ValueError for fewer than two dimensions."""
        sizes = _sizes(shape)
        if len(sizes) < 2:
            raise ValueError("The tensor to initialize must be at least two-dimensional")
        rows, columns = math.prod(sizes[:-1]), sizes[-1]
        q = _orthonormal(max(rows, columns), min(rows, columns), self._type(dtype), self.seed)
        if rows < columns:
            with get_default_graph().name_scope("matrix_transpose"):
                q = transpose(q, [1, 0])
        return self.gain * reshape(q, sizes)


@export("contrib.framework.convolutional_delta_orthogonal")
class ConvolutionDeltaOrthogonal(Orthogonal):
    """A kernel of one to three spatial dimensions that is zero but for an orthogonal matrix at its centre: L. Xiao et al. (2018)."""

    def __call__(self, shape: Shape, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns the kernel. Raises ValueError for another rank, or more inputs than outputs."""
        sizes = _sizes(shape)
        if not 3 <= len(sizes) <= 5:
            raise ValueError("The tensor to initialize must be at least three-dimensional and at most five-dimensional")
        if sizes[-2] > sizes[-1]:
            raise ValueError("In_filters cannot be greater than out_filters.")
        dtype = self._type(dtype)
        q = _orthonormal(sizes[-1], sizes[-1], dtype, self.seed)[: sizes[-2], :] * cast(self.gain, dtype)
        centre = [[(d - 1) // 2 for d in sizes[:-2]]]
        return scatter_nd(centre, expand_dims(q, 0), sizes)


zeros_initializer = Zeros
ones_initializer = Ones
constant_initializer = Constant
random_uniform_initializer = RandomUniform
random_normal_initializer = RandomNormal
truncated_normal_initializer = TruncatedNormal
uniform_unit_scaling_initializer = UniformUnitScaling
variance_scaling_initializer = VarianceScaling
glorot_uniform_initializer = GlorotUniform
glorot_normal_initializer = GlorotNormal
orthogonal_initializer = Orthogonal
identity_initializer = Identity


# -- Keras' defaults ---------------------------------------------------------------------------------


@export("keras.initializers.RandomNormal keras.initializers.random_normal keras.initializers.normal")
class KerasRandomNormal(RandomNormal):
    """Normal deviates, of standard deviation 0.05 by default."""

    def __init__(self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None, dtype: Any = float32) -> None:
        super().__init__(mean, stddev, seed, dtype)


@export("keras.initializers.RandomUniform keras.initializers.random_uniform keras.initializers.uniform")
class KerasRandomUniform(RandomUniform):
    """Uniform numbers, from [-0.05, 0.05) by default."""

    def __init__(self, minval: Any = -0.05, maxval: Any = 0.05, seed: int | None = None, dtype: Any = float32) -> None:
        super().__init__(minval, maxval, seed, dtype)


@export("keras.initializers.TruncatedNormal keras.initializers.truncated_normal")
class KerasTruncatedNormal(TruncatedNormal):
    """Truncated normal deviates, of standard deviation 0.05 by default."""

    def __init__(self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None, dtype: Any = float32) -> None:
        super().__init__(mean, stddev, seed, dtype)
