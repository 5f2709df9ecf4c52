"""Summaries: tensors as serialized Summary protos, made on the host; `graphc.summary` has the functions of `tf.summary`."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from ir.build import grad, op
from ir.dtypes import ANY, REAL, TypeSet, float32, string
from ir.infer import scalar
from ir.opdef import Float32, In, String, Strings, T, Value
from ir.tensor import Tensor

StringList = Annotated[Sequence[Any], In(dtype=string, number="N")]


@op("ScalarSummary", scalar, out="summary: string", host=True, T=REAL)
def scalar_summary(tags: String, values: T, name: str | None = None) -> Tensor:
    """A value per tag; both have one shape."""
    ...


@op("HistogramSummary", scalar, out="summary: string", host=True, T=REAL.default_to(float32))
def histogram_summary(tag: String, values: T, name: str | None = None) -> Tensor:
    """A histogram of all values, in buckets that grow by a tenth."""
    ...


BAD_COLOR = np.array([255, 0, 0, 255], np.uint8)


@op("ImageSummary", scalar, out="summary: string", host=True, T=TypeSet("uint8 float32 float16 float64").default_to(float32), max_images=1)
def image_summary(tag: String, tensor: T, max_images: int = 3, bad_color: Value = BAD_COLOR, name: str | None = None) -> Tensor:
    """Images [batch, height, width, channels] as PNG files, those of floats stretched to the range of a byte."""
    ...


@op("AudioSummaryV2", scalar, out="summary: string", host=True, max_outputs=1)
def audio_summary(tag: String, tensor: Float32, sample_rate: Float32, max_outputs: int = 3, name: str | None = None) -> Tensor:
    """Sounds [batch, frames] or [batch, frames, channels] as WAV files."""
    ...


@op("TensorSummary", scalar, out="summary: string", host=True, T=ANY)
def tensor_summary_v1(tensor: T, description: str = "", labels: Strings = (), display_name: str = "", name: str | None = None) -> Tensor:
    """A whole tensor, under the name of the operation."""
    ...


@op("TensorSummaryV2", scalar, out="summary: string", host=True, T=ANY)
def tensor_summary(tag: String, tensor: T, serialized_summary_metadata: String, name: str | None = None) -> Tensor:
    """A whole tensor."""
    ...


@op("MergeSummary", scalar, out="summary: string", host=True, N=1)
def merge_summary(inputs: StringList, name: str | None = None) -> Tensor:
    """The values of several summaries in one."""
    ...


grad.none("ScalarSummary HistogramSummary ImageSummary AudioSummaryV2 TensorSummary TensorSummaryV2 MergeSummary", "summaries are not differentiable")
