"""Sliding windows: sizes and paddings of convolutions and pools, and the arguments TF1 gives for them. No ops here."""

from collections.abc import Sequence
from typing import Any

from ir.shapes import Dims, dimension_value

PADDINGS = ("SAME", "VALID")
PADDINGS_2D = ("SAME", "VALID", "EXPLICIT")
FORMATS_2D = ("NHWC", "NCHW")
FORMATS_3D = ("NDHWC", "NCDHW")


def channel_axis(data_format: str, rank: int) -> int:
    """Returns the index of the channels in a tensor of `rank`: 1 for "NC...", else the last."""
    return 1 if data_format.startswith("NC") else rank - 1


def spatial_axes(data_format: str, rank: int) -> tuple[int, ...]:
    """Returns the indices of the spatial dimensions."""
    return tuple(range(2, rank)) if data_format.startswith("NC") else tuple(range(1, rank - 1))


def extent(kernel: int, dilation: int = 1) -> int:
    """Returns the number of inputs that a window spans."""
    return (kernel - 1) * dilation + 1


def output_size(size: int | None, kernel: int | None, stride: int, padding: str, dilation: int = 1, pads: tuple[int, int] = (0, 0)) -> int | None:
    """Returns the number of windows along one dimension, None when it is not known.

    Raises ValueError when a window does not fit.
    """
    if size is None:
        return None
    if padding == "SAME":
        return -(-size // stride)
    if kernel is None:
        return None
    room = size + sum(pads) - extent(kernel, dilation) + 1
    if room <= 0:
        span = extent(kernel, dilation)
        raise ValueError(f"Negative dimension size caused by subtracting {span} from {size + sum(pads)}: the window is larger than the input")
    return -(-room // stride)


def same_pads(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Returns the padding before and after that "SAME" means: as even as possible, the odd one after."""
    total = max((-(-size // stride) - 1) * stride + extent(kernel, dilation) - size, 0)
    return total // 2, total - total // 2


def window_pads(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], padding: str, dilations: Sequence[int] | None = None, explicit: Sequence[int] = ()
) -> list[tuple[int, int]]:
    """Returns the padding (before, after) of each dimension; all arguments are in the order of the dimensions.

    `explicit` is the flat list that goes with padding "EXPLICIT".
    """
    if padding == "EXPLICIT":
        return [(explicit[2 * i], explicit[2 * i + 1]) for i in range(len(sizes))]
    if padding == "VALID":
        return [(0, 0)] * len(sizes)
    rates = dilations or [1] * len(sizes)
    return [same_pads(n, k, s, d) for n, k, s, d in zip(sizes, kernel, strides, rates, strict=True)]


def check_positive(what: str, values: Sequence[int]) -> None:
    """Raises ValueError unless all `values` are positive."""
    if any(v <= 0 for v in values):
        raise ValueError(f"{what} must be positive, got {list(values)}")


def check_length(what: str, values: Sequence[int], rank: int) -> None:
    """Raises ValueError unless there is one value per dimension."""
    if len(values) != rank:
        raise ValueError(f"{what} must have {rank} entries, one per dimension of the input, got {list(values)}")


def pooled_dims(dims: Dims, ksize: Sequence[int], strides: Sequence[int], padding: str) -> Dims:
    """Returns the shape of a pool's output: windows over any dimensions."""
    rank = len(ksize)
    check_length("strides", strides, rank)
    check_positive("ksize", ksize)
    check_positive("strides", strides)
    if dims is None:
        return (None,) * rank
    check_length("ksize", ksize, len(dims))
    return tuple(output_size(n, k, s, padding) for n, k, s in zip(dims, ksize, strides, strict=True))


def per_dimension(value: Any, spatial: int, data_format: str, what: str) -> list[int]:
    """Returns strides, dilations or window sizes with one entry per dimension.

    `value` is None (all 1), an integer, or a list of 1, `spatial` or `spatial + 2` integers.
    """
    if value is None:
        return [1] * (spatial + 2)
    raw = value.as_list() if hasattr(value, "as_list") else value
    items: list[Any] = list(raw) if isinstance(raw, (list, tuple)) or hasattr(raw, "__iter__") else [raw]
    ints = [int(dimension_value(v)) for v in items]
    if len(ints) == spatial + 2:
        return ints
    if len(ints) == 1:
        ints = ints * spatial
    if len(ints) != spatial:
        raise ValueError(f"{what} should be of length 1, {spatial} or {spatial + 2} but was {len(ints)}")
    return [1, 1, *ints] if data_format.startswith("NC") else [1, *ints, 1]


def padding_attrs(padding: Any) -> tuple[Any, list[int]]:
    """Returns (padding, explicit_paddings) for a padding given as "SAME", "VALID" or a list of pairs per dimension."""
    if isinstance(padding, (list, tuple)):
        rows: list[Any] = list(padding)
        for row in rows:
            if not isinstance(row, (list, tuple)) or len(row) != 2:
                raise ValueError(f"When `padding` is a list, each element of `padding` must be a list/tuple of size 2, got {row!r}")
        if len(rows) != 4:
            raise ValueError(f"When padding is a list, it must be of size 4. Got padding of size: {len(rows)}")
        return "EXPLICIT", [int(v) for row in rows for v in row]
    if padding == "EXPLICIT":
        raise ValueError('"EXPLICIT" is not a valid value for the padding parameter. To explicitly pass padding, the padding parameter must be a list.')
    return padding, []


def alias(new_name: str, new: Any, old_name: str, old: Any) -> Any:
    """Returns whichever of an argument's two names was given. Raises ValueError when both were."""
    if new is None:
        return old
    if old is not None:
        raise ValueError(f"Cannot specify both '{old_name}' and '{new_name}'")
    return new
