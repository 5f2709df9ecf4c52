"""The functions of `tf.summary`: operations whose values are serialized Summary messages, collected for `merge_all`."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.platform import logs
from graphc.summary.protos import SummaryDescription, SummaryMetadata
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import float32, string
from ir.ops import summary as ops
from ir.scopes import GraphKeys
from ir.tensor import Tensor

_ODD = re.compile(r"[^-/\w\.]")


def clean_tag(name: str | None) -> str | None:
    """Returns a tag as the name of an operation: characters that such names cannot have become underscores."""
    if name is None:
        return None
    cleaned = _ODD.sub("_", name).lstrip("/")
    if cleaned != name:
        logs.info("Summary name %s is illegal; using %s instead.", name, cleaned)
    return cleaned


@contextmanager
def _scope(name: str, family: str | None, default: str) -> Iterator[tuple[str, str]]:
    """Enters the scope of a summary; yields its tag and the name of its operation."""
    name, family = clean_tag(name) or "", clean_tag(family)
    base = name if family is None else f"{family}/{name}"
    with get_default_graph().name_scope(base or default) as scope:
        yield scope.rstrip("/") if family is None else f"{family}/{scope.rstrip('/')}", scope


def _collected(summary: Tensor, collections: Any) -> Tensor:
    for key in [GraphKeys.SUMMARIES] if collections is None else collections:
        get_default_graph().add_to_collection(key, summary)
    return summary


@export("summary.scalar")
def scalar(name: str, tensor: Any, collections: Any = None, family: str | None = None) -> Tensor:
    """Returns the summary of one number.

    Args:
      name: the tag, within the current name scope; it is the name of the operation too.
      tensor: a real scalar.
      collections: the collections to add the summary to; `GraphKeys.SUMMARIES` by default.
      family: begins the tag; tags of one family are shown together.

    Returns a string scalar, a serialized `tf.Summary`, to be written by `FileWriter.add_summary`.

    >>> scalar("loss", 0.5).op.type
    'ScalarSummary'
    """
    with _scope(name, family, "ScalarSummary") as (tag, op_name):
        return _collected(ops.scalar_summary(tags=tag, values=tensor, name=op_name), collections)


@export("summary.histogram")
def histogram(name: str, values: Any, collections: Any = None, family: str | None = None) -> Tensor:
    """Returns the summary of how numbers are distributed: a histogram whose buckets grow by a tenth.

    Args:
      name: the tag, within the current name scope.
      values: real numbers of any shape. NaN or infinity among them fail the run.
      collections: the collections to add the summary to; `GraphKeys.SUMMARIES` by default.
      family: begins the tag.
    """
    with _scope(name, family, "HistogramSummary") as (tag, op_name):
        return _collected(ops.histogram_summary(tag=tag, values=values, name=op_name), collections)


@export("summary.image")
def image(name: str, tensor: Any, max_outputs: int = 3, collections: Any = None, family: str | None = None) -> Tensor:
    """Returns the summary of images.

    Args:
      name: begins the tags: "name/image/0" and so on, or "name/image" when `max_outputs` is 1.
      tensor: [batch, height, width, channels], uint8 or floats, with 1 (grey), 3 (RGB) or 4 (RGBA) channels. Floats are stretched, each image for itself,
        so that the largest value is 255 and, where there are negative values, zero is 128.
      max_outputs: how many images of the batch at most.
      collections: the collections to add the summary to; `GraphKeys.SUMMARIES` by default.
      family: begins the tags.
    """
    with _scope(name, family, "ImageSummary") as (tag, op_name):
        return _collected(ops.image_summary(tag=tag, tensor=tensor, max_images=max_outputs, name=op_name), collections)


@export("summary.audio")
def audio(name: str, tensor: Any, sample_rate: Any, max_outputs: int = 3, collections: Any = None, family: str | None = None) -> Tensor:
    """Returns the summary of sounds.

    Args:
      name: begins the tags: "name/audio/0" and so on, or "name/audio" when `max_outputs` is 1.
      tensor: float32 [batch, frames, channels] or [batch, frames], between -1 and 1.
      sample_rate: frames a second, a float32 scalar.
      max_outputs: how many sounds of the batch at most.
      collections: the collections to add the summary to; `GraphKeys.SUMMARIES` by default.
      family: begins the tags.
    """
    with _scope(name, family, "AudioSummary") as (tag, op_name):
        rate = convert_to_tensor(sample_rate, float32, "sample_rate")
        return _collected(ops.audio_summary(tag=tag, tensor=tensor, sample_rate=rate, max_outputs=max_outputs, name=op_name), collections)


@export("summary.tensor_summary")
def tensor_summary(
    name: str, tensor: Any, summary_description: str | None = None, collections: Any = None, summary_metadata: Any = None, family: str | None = None,
    display_name: str | None = None,
) -> Tensor:  # fmt: skip
    """Returns the summary of a whole tensor, for plugins of TensorBoard.

    Args:
      name: the tag, within the current name scope.
      tensor: a tensor of any type.
      summary_description: a longer description.
      collections: the collections to add the summary to; `GraphKeys.SUMMARIES` by default.
      summary_metadata: a SummaryMetadata message, which says which plugin shows it.
      family: begins the tag.
      display_name: the name to show.
    """
    metadata = SummaryMetadata() if summary_metadata is None else summary_metadata
    if summary_description is not None:
        metadata.summary_description = summary_description
    if display_name is not None:
        metadata.display_name = display_name
    with _scope(name, family, "TensorSummary") as (tag, op_name):
        made = ops.tensor_summary(tag=tag, tensor=tensor, serialized_summary_metadata=metadata.SerializeToString(), name=op_name)
        return _collected(made, collections)


@export("summary.text")
def text(name: str, tensor: Any, collections: Any = None) -> Tensor:
    """Returns the summary of text: strings, which TensorBoard shows as Markdown, of rank 1 or 2 as a table.

    Raises ValueError for a tensor that is not of strings.
    """
    tensor = convert_to_tensor(tensor) if not isinstance(tensor, Tensor) else tensor
    if tensor.dtype.base_dtype != string:
        raise ValueError(f"Expected tensor {tensor.name} to have dtype string, got {tensor.dtype!r}")
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    return tensor_summary(name, tensor, collections=collections, summary_metadata=metadata)


@export("summary.merge")
def merge(inputs: Sequence[Any], collections: Any = None, name: str | None = None) -> Tensor:
    """Returns the summary that holds the values of several; a run fails when two have one tag.

    Args:
      inputs: string tensors, serialized summaries.
      collections: the collections to add the summary to; none by default.
      name: a name for the operation.
    """
    inputs = list(inputs)
    if not inputs:
        raise ValueError("List argument 'inputs' to 'MergeSummary' Op with length 0 shorter than minimum length 1.")
    with get_default_graph().name_scope(name or "Merge"):
        merged = ops.merge_summary(inputs=inputs, name=clean_tag(name))
    return _collected(merged, collections or [])


@export("summary.merge_all")
def merge_all(key: str = "summaries", scope: str | None = None, name: str | None = None) -> Tensor | None:
    """Returns the summary that holds the values of all in the collection `key`, None when there are none.

    Args:
      key: the collection.
      scope: a regular expression that the beginning of their names matches.
      name: a name for the operation.
    """
    found = get_default_graph().get_collection(key, scope)
    return merge(found, name=name) if found else None


@export("summary.get_summary_description")
def get_summary_description(node_def: Any) -> Any:
    """Returns the SummaryDescription of the NodeDef of a TensorSummary operation. Raises ValueError for any other."""
    if node_def.op != "TensorSummary":
        raise ValueError(f"Can't get_summary_description on {node_def.op}")
    described = SummaryDescription()
    for key, value in json.loads(node_def.attr["description"].s.decode() or "{}").items():
        setattr(described, "type_hint" if key == "typeHint" else key, value)
    return described


@export("summary.all_v2_summary_ops")
def all_v2_summary_ops() -> list[Any]:
    """Returns no operations: summaries of TensorFlow 2 are not supported."""
    return []


@export("summary.initialize")
def initialize(graph: Any = None, session: Any = None) -> None:
    """Does nothing: it starts the writers of TensorFlow 2's summaries, which are not supported."""
