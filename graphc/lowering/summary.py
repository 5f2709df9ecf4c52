"""Summaries as protos."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto import summary_pb2

from graphc.lowering import png
from graphc.lowering.table import lowers
from ir.dtypes import as_dtype
from ir.errors import InvalidArgumentError
from ir.graphdef import protos
from ir.graphdef.attrs import tensor_proto
from ir.ops.audio import wav_of
from ir.ops.strings import string_of

Summary: Any = summary_pb2.Summary  # pyright: ignore[reportAttributeAccessIssue]
HistogramProto: Any = summary_pb2.HistogramProto  # pyright: ignore[reportAttributeAccessIssue]
_LARGEST = float(np.finfo(np.float64).max)


def _invalid(message: str) -> InvalidArgumentError:
    return InvalidArgumentError(None, None, message)


def _serialized(summary: Any) -> Any:
    return np.array(summary.SerializeToString(), object)


def _tag(tag: Any) -> str:
    if np.ndim(tag):
        raise _invalid("tag must be scalar")
    return string_of(tag).decode()


def _shape(array: Any) -> str:
    return f"[{','.join(map(str, np.shape(array)))}]"


@lowers("ScalarSummary")
def scalar_summary(tags: Any, values: Any, name: Any = None) -> Any:
    """One value per tag."""
    if np.shape(tags) != np.shape(values):
        single = f" (tag '{_tag(np.reshape(tags, -1)[0])}')" if np.size(tags) == 1 else ""
        raise _invalid(f"tags and values not the same shape: {_shape(tags)} != {_shape(values)}{single}")
    summary = Summary()
    with np.errstate(over="ignore"):
        numbers = np.asarray(values).astype(np.float32).reshape(-1).tolist()
    for tag, number in zip(np.asarray(tags).reshape(-1).tolist(), numbers, strict=True):
        summary.value.add(tag=tag.decode(), simple_value=number)
    return _serialized(summary)


# -- histograms ----------------------------------------------------------------------------------------


@functools.cache
def bucket_limits() -> Any:
    """The upper ends of the buckets: powers of 1.1 from 1e-12 to 1e20, their negatives, zero, and the largest number."""
    positive: list[float] = []
    v = 1e-12
    while v < 1e20:
        positive.append(v)
        v *= 1.1
    positive.append(_LARGEST)
    return np.array([*[-p for p in reversed(positive)], 0.0, *positive])


def histogram_of(values: Any) -> Any:
    """Returns the HistogramProto of numbers; runs of empty buckets are one."""
    x = np.asarray(values).astype(np.float64).reshape(-1)
    limits = bucket_limits()
    counts = np.bincount(np.searchsorted(limits, x, side="right"), minlength=len(limits)) if x.size else np.zeros(len(limits))
    proto = HistogramProto(num=x.size)
    # added up from left to right, as TensorFlow does; what is zero is left out
    proto.min, proto.max = (x.min(), x.max()) if x.size else (_LARGEST, -_LARGEST)
    proto.sum, proto.sum_squares = (np.cumsum(x)[-1], np.cumsum(x * x)[-1]) if x.size else (0.0, 0.0)
    i = 0
    while i < len(limits):
        while counts[i] == 0 and i + 1 < len(limits) and counts[i + 1] == 0:
            i += 1
        proto.bucket_limit.append(limits[i])
        proto.bucket.append(counts[i])
        i += 1
    return proto


@lowers("HistogramSummary")
def histogram_summary(tag: Any, values: Any, name: Any = None) -> Any:
    """The histogram of all values."""
    if np.ndim(tag):
        raise _invalid("tags must be scalar")
    x = np.asarray(values).astype(np.float64)
    for bad, word in ((np.isnan(x), "Nan"), (np.isinf(x), "Infinity")):
        if bad.any():
            raise _invalid(f"{word} in summary histogram for: {name}")
    summary = Summary()
    summary.value.add(tag=_tag(tag), histo=histogram_of(x))
    return _serialized(summary)


# -- images and sounds ---------------------------------------------------------------------------------


def _bytes_of(image: Any, bad: Any) -> Any:
    """Returns an image of floats as bytes: from 0 to the largest value, or, with negative values, zero as 128."""
    channels = image.shape[-1]
    flat = image.reshape(-1, channels)
    finite = np.isfinite(flat).all(axis=1)
    shown = flat[finite]
    low, high = (shown.min(), shown.max()) if shown.size else (np.inf, -np.inf)
    largest = max(abs(low), abs(high)) if low < 0 else high
    top, offset = (127.0, 128.0) if low < 0 else (255.0, 0.0)
    kind = image.dtype.type
    scale = kind(0) if largest < 1e-6 else kind(top) / kind(largest)
    out = np.empty(flat.shape, np.uint8)
    out[finite] = (shown * scale + kind(offset)).astype(np.uint8)
    out[~finite] = bad[:channels]
    return out.reshape(image.shape)


@lowers("ImageSummary")
def image_summary(tag: Any, tensor: Any, max_images: int = 3, bad_color: Any = None, name: Any = None) -> Any:
    """Images as PNG files."""
    if np.ndim(tag):
        raise _invalid("Tags must be a scalar")
    base = _tag(tag)
    images = np.asarray(tensor)
    if images.ndim != 4 or images.shape[3] not in (1, 3, 4):
        raise _invalid(f"Tensor must be 4-D with last dim 1, 3, or 4, not {_shape(images)}")
    if 0 in images.shape[1:]:
        raise _invalid(f"input tensor must have non-zero dims. Found: [{', '.join(map(str, images.shape))}].")
    bad = np.asarray(bad_color, np.uint8).reshape(-1)
    if bad.size < images.shape[3]:
        raise _invalid(f"expected the bad_color size to be >= the image depth, got {bad.size}")
    summary = Summary()
    for i, image in enumerate(images[:max_images]):
        value = summary.value.add(tag=f"{base}/image" if max_images == 1 else f"{base}/image/{i}")
        pixels = image if image.dtype == np.uint8 else _bytes_of(image, bad)
        value.image.height, value.image.width, value.image.colorspace = image.shape
        value.image.encoded_image_string = png.write(pixels)
    return _serialized(summary)


@lowers("AudioSummaryV2")
def audio_summary(tag: Any, tensor: Any, sample_rate: Any, max_outputs: int = 3, name: Any = None) -> Any:
    """Sounds as WAV files."""
    base = _tag(tag)
    sounds = np.asarray(tensor)
    if sounds.ndim not in (2, 3):
        raise _invalid(f"Tensor must be 3-D or 2-D, got: {_shape(sounds)}")
    rate = float(np.asarray(sample_rate))
    if not rate > 0:
        raise _invalid("sample_rate must be > 0")
    if not sounds.shape[1]:
        raise _invalid("num_frames must be positive.")
    sounds = sounds.reshape(*sounds.shape[:2], -1)
    summary = Summary()
    for i, sound in enumerate(sounds[:max_outputs]):
        value = summary.value.add(tag=f"{base}/audio" if max_outputs == 1 else f"{base}/audio/{i}")
        value.audio.sample_rate = rate
        value.audio.length_frames, value.audio.num_channels = sound.shape
        value.audio.content_type = "audio/wav"
        value.audio.encoded_audio_string = wav_of(sound, round(rate))
    return _serialized(summary)


# -- tensors -------------------------------------------------------------------------------------------


def _whole(tensor: Any) -> Any:
    """Returns a tensor as a TensorProto; numbers are given as their bytes."""
    array = np.asarray(tensor)
    if array.dtype == object:
        return tensor_proto(array)
    proto = protos.TensorProto(dtype=as_dtype(array.dtype).as_datatype_enum, tensor_content=array.tobytes())
    proto.tensor_shape.SetInParent()
    for d in array.shape:
        proto.tensor_shape.dim.add(size=d)
    return proto


@lowers("TensorSummary")
def tensor_summary_v1(tensor: Any, description: str = "", labels: Sequence[str] = (), display_name: str = "", name: Any = None) -> Any:
    """A whole tensor."""
    summary = Summary()
    summary.value.add(node_name=name, tensor=_whole(tensor))
    return _serialized(summary)


@lowers("TensorSummaryV2")
def tensor_summary(tag: Any, tensor: Any, serialized_summary_metadata: Any, name: Any = None) -> Any:
    """A whole tensor, and what plugins are told of it."""
    if np.ndim(serialized_summary_metadata):
        raise _invalid("serialized_summary_metadata must be scalar")
    summary = Summary()
    value = summary.value.add(tag=_tag(tag), tensor=_whole(tensor))
    value.metadata.SetInParent()
    _parse(value.metadata, string_of(serialized_summary_metadata))
    return _serialized(summary)


def _parse(message: Any, text: bytes) -> bool:
    """Reads a serialized message; returns whether it is one."""
    try:
        message.MergeFromString(text)
    except DecodeError:
        return False
    return True


@lowers("MergeSummary")
def merge_summary(inputs: Sequence[Any], name: Any = None) -> Any:
    """The values of several summaries, none of which may have a tag of another."""
    merged = Summary()
    seen: set[str] = set()
    for text in [s for x in inputs for s in np.asarray(x).reshape(-1).tolist()]:
        part = Summary()
        if not _parse(part, text):
            raise _invalid("Could not parse one of the summary inputs")
        for value in part.value:
            if value.tag and value.tag in seen:
                raise _invalid(f"Duplicate tag {value.tag} found in summary inputs")
            seen.add(value.tag)
        merged.MergeFrom(part)
    return _serialized(merged)
