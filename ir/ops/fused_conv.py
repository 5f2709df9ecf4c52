"""Convolutions with padding and resizing built in, as TensorFlow's inference transforms leave them in graphs."""


from ir.build import grad, op
from ir.dtypes import TypeSet
from ir.infer import Infer, with_rank
from ir.opdef import Int32, Ints, T
from ir.ops.windows import PADDINGS, check_length, check_positive, output_size
from ir.shapes import Dims
from ir.tensor import Tensor

FLOATS = TypeSet("float16 float32 float64")
MODES = ("REFLECT", "SYMMETRIC")


def _conv_dims(c: Infer, x: tuple[int | None, ...], paddings: int, filter: int) -> Dims:
    f = c.rank(filter, 4)
    strides = c.attrs["strides"]
    check_length("strides", strides, 4)
    check_positive("strides", strides)
    if c.rank(paddings, 2)[0] not in (4, None):
        raise ValueError(f"paddings must have 4 rows, got {c.rank(paddings, 2)[0]}")
    if x[3] is not None and f[2] is not None and x[3] != f[2]:
        raise ValueError(f"Dimensions must be equal, but are {x[3]} and {f[2]}: the channels of input and filter")
    pads = c.value(paddings)
    wide = [None if n is None or pads is None else n + int(pads[i].sum()) for i, n in enumerate(x)]
    space = [output_size(wide[i], f[i - 1], strides[i], c.attrs["padding"]) for i in (1, 2)]
    return (wide[0], *space, f[3])


@op("FusedPadConv2D", lambda c: _conv_dims(c, c.rank(0, 4), 1, 2), static="paddings", T=FLOATS, mode=MODES, padding=PADDINGS)
def fused_pad_conv2d(input: T, paddings: Int32, filter: T, mode: str, strides: Ints, padding: str, name: str | None = None) -> Tensor:
    """`Conv2D` of `MirrorPad`."""
    ...


def _resized_dims(c: Infer) -> Dims:
    x = c.rank(0, 4)
    return _conv_dims(c, (x[0], *with_rank(c.shape_value(1), 2, "size"), x[3]), 2, 3)


@op("FusedResizeAndPadConv2D", _resized_dims, static="size paddings", T=FLOATS, mode=MODES, padding=PADDINGS)
def fused_resize_and_pad_conv2d(
    input: T, size: Int32, paddings: Int32, filter: T, mode: str, strides: Ints, padding: str, resize_align_corners: bool = False, name: str | None = None
) -> Tensor:
    """`Conv2D` of `MirrorPad` of `ResizeBilinear`."""
    ...


grad.none("FusedPadConv2D FusedResizeAndPadConv2D", "TensorFlow has no gradients of these ops, which are for inference")

