"""Orthogonal convolution kernels of one to three spatial dimensions: a convolution with one keeps the norm of its input.

Source: L. Xiao et al., "Dynamical isometry and a mean field theory of CNNs" (2018).
"""

import itertools
from typing import Any, ClassVar

import numpy as np

from graphc.variables.initializers import Orthogonal
from ir.build import export
from ir.convert import convert_to_tensor
from ir.ops.cast import cast
from ir.ops.decomposition import qr
from ir.ops.diag import diag_part
from ir.ops.elementwise import sign
from ir.ops.layout import reshape, transpose
from ir.ops.matmul import matmul
from ir.ops.packing import stack
from ir.ops.random import random_normal
from ir.tensor import Tensor

#: matrices by place in the kernel
Kernel = dict[tuple[int, ...], Tensor]


class _OrthogonalKernel(Orthogonal):
    """`gain` times an orthogonal kernel; the seed counts up with every matrix drawn, as in TensorFlow."""

    spatial: ClassVar[int]

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """Returns the kernel. Raises ValueError for another rank, unequal spatial sizes, or more inputs than outputs."""
        sizes = [int(d) for d in shape]
        if len(sizes) != self.spatial + 2:
            raise ValueError(f"The tensor to initialize must have {self.spatial + 2} dimensions, got {sizes}")
        *extent, inputs, outputs = sizes
        if inputs > outputs:
            raise ValueError("In_filters cannot be greater than out_filters.")
        if len(set(extent)) > 1:
            raise ValueError("Kernel sizes must be equal.")
        size = extent[0]
        first = self._matrix(outputs)[0:inputs, :]
        if size == 1:
            kernel = reshape(first, sizes)
        else:
            blocks = self._block(outputs)
            for _ in range(2, size):
                blocks = _convolved(blocks, self._block(outputs))
            places = itertools.product(range(size), repeat=self.spatial)
            kernel = reshape(stack([matmul(first, blocks[p]) for p in places]), sizes)
        return kernel * cast(self.gain, self._type(dtype))

    def _next_seed(self) -> None:
        if self.seed:
            self.seed += 1

    def _matrix(self, n: int) -> Tensor:
        """A random orthogonal matrix."""
        q, r = qr(random_normal([n, n], dtype=self.dtype, seed=self.seed))
        self._next_seed()
        return q * sign(diag_part(r))

    def _projection(self, n: int) -> Tensor:
        """The projection on a random subspace."""
        q = self._matrix(n)
        chosen = q * cast(random_normal([n], seed=self.seed) > 0, self.dtype)
        self._next_seed()
        return matmul(chosen, transpose(chosen, [1, 0]))

    def _block(self, n: int) -> Kernel:
        """An orthogonal kernel of size 2 in every dimension: products of projections and their complements."""
        projections = [self._projection(n) for _ in range(self.spatial)]
        eye = convert_to_tensor(np.eye(n, dtype=self.dtype.np_dtype))
        own = 1 if self.spatial == 3 else 0  # the place of the projection, beside that of its complement
        out: Kernel = {}
        for place in itertools.product((0, 1), repeat=self.spatial):
            factors = [p if i == own else eye - p for i, p in zip(place, projections, strict=True)]
            product = factors[0]
            for f in factors[1:]:
                product = matmul(product, f)
            out[place] = product
        return out


def _convolved(a: Kernel, b: Kernel) -> Kernel:
    """The kernel of one convolution after the other."""
    out: Kernel = {}
    for p, x in a.items():
        for q, y in b.items():
            place = tuple(i + j for i, j in zip(p, q, strict=True))
            product = matmul(x, y)
            out[place] = out[place] + product if place in out else product
    return out


@export("contrib.framework.convolutional_orthogonal_1d")
class ConvolutionOrthogonal1D(_OrthogonalKernel):
    """An orthogonal kernel of one spatial dimension."""

    spatial = 1


@export("contrib.framework.convolutional_orthogonal_2d")
class ConvolutionOrthogonal2D(_OrthogonalKernel):
    """An orthogonal kernel of two spatial dimensions."""

    spatial = 2


@export("contrib.framework.convolutional_orthogonal_3d")
class ConvolutionOrthogonal3D(_OrthogonalKernel):
    """An orthogonal kernel of three spatial dimensions."""

    spatial = 3
