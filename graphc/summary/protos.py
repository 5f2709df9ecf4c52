"""The messages of event files, as tensorboard ships them. Typed Any: generated messages carry no types."""

from typing import Any

from tensorboard.compat.proto import config_pb2, event_pb2, summary_pb2

_event: Any = event_pb2
_summary: Any = summary_pb2
_config: Any = config_pb2

Event: Any = _event.Event
SessionLog: Any = _event.SessionLog
TaggedRunMetadata: Any = _event.TaggedRunMetadata
LogMessage: Any = _event.LogMessage
Summary: Any = _summary.Summary
SummaryDescription: Any = _summary.SummaryDescription
SummaryMetadata: Any = _summary.SummaryMetadata
HistogramProto: Any = _summary.HistogramProto
RunMetadata: Any = _config.RunMetadata

__exports__ = {
    "Event summary.Event": "Event",
    "SessionLog summary.SessionLog": "SessionLog",
    "summary.TaggedRunMetadata": "TaggedRunMetadata",
    "LogMessage": "LogMessage",
    "Summary summary.Summary": "Summary",
    "summary.SummaryDescription": "SummaryDescription",
    "SummaryMetadata": "SummaryMetadata",
    "HistogramProto": "HistogramProto",
}
