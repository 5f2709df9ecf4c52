"""Rows of ir.ops.summary and audio: messages written here, or recorded from TensorFlow 1.15.5."""

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary

from ir.ops import audio as au, summary as su
from tests.rowdef import ErrorRow, Row

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
TWO_IMAGES = (
    b'\nZ\n\nim/image/0"L\x08\x01\x10\x02\x18\x01"D' + PNG + b"\x00\x00\x00\x02\x00\x00\x00\x01\x08\x00\x00\x00\x00\xd1I V"
    b"\x00\x00\x00\x0bIDAT\x08\x99c\xd8\xcf\x08\x00\x01\x82\x00\xc1;*\x9bN\x00\x00\x00\x00IEND\xaeB`\x82"
    b'\nZ\n\nim/image/1"L\x08\x01\x10\x02\x18\x01"D' + PNG + b"\x00\x00\x00\x02\x00\x00\x00\x01\x08\x00\x00\x00\x00\xd1I V"
    b"\x00\x00\x00\x0bIDAT\x08\x99c\xfc\xcf\x00\x00\x02\x04\x01\x01\xdf7N\xa2\x00\x00\x00\x00IEND\xaeB`\x82"
)
ONE_IMAGE = (
    b'\nY\n\x08im/image"M\x08\x01\x10\x01\x18\x03"E' + PNG + b"\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde"
    b"\x00\x00\x00\x0cIDAT\x08\x99c`db\x06\x00\x00\x0e\x00\x07\x82r\xc9\xce\x00\x00\x00\x00IEND\xaeB`\x82"
)
SOUND = (
    b'\nT\n\x08au/audio2H\r\x00\x00\xfaE\x10\x01\x18\x03"2RIFF*\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00@\x1f\x00\x00\x80>\x00\x00'
    b"\x02\x00\x10\x00data\x06\x00\x00\x00\x00@\x00\x80\xff\x7f*\taudio/wav"
)
WAV = b"RIFF,\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00@\x1f\x00\x00\x00}\x00\x00\x04\x00\x10\x00data\x08\x00\x00\x00\x00@\x00\x80\xff\x7f\x00 "
SAMPLES = np.float32([[0.5, -1], [32767 / 32768, 0.25]])


def s(x):
    """Bytes as an array of strings."""
    return np.array(x, object)


def value(x):
    """A reference that is known."""
    return lambda *_: x


def message(*values):
    """A reference that is a Summary with these values."""
    return value(s(Summary(value=[Summary.Value(**v) for v in values]).SerializeToString()))


HISTOGRAM = (
    b"\n\xa7\x01\n\x01h*\xa1\x01\t\x00\x00\x00\x00\x00\x00\xf0\xbf\x11\x00\x00\x00\x00\x00\x00\x04@\x19\x00\x00\x00\x00\x00\x00\x10@!\x00\x00\x00\x00\x00\x00\xf8?"
    b")\x00\x00\x00\x00\x00\x00\x1d@28+\x14\xfa\xcd\xbe$\xf0\xbf\x08\x99i\x19\x15Z\xed\xbf\x00\x00\x00\x00\x00\x00\x00\x00\x11\xea-\x81\x99\x97q=w`<\x0ef\x08\x03@"
    b"\xea6\x0fv\xa3\xef\x04@\xff\xff\xff\xff\xff\xff\xef\x7f:8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00\x00\x00\x00"
    b"\x00\x00\x00\x00\x00\x00\x00@\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00\x00\x00\x00"
)

ROWS = [
    Row("ScalarSummary", lambda x: su.scalar_summary("a", x), [np.float64(1.5)], message({"tag": "a", "simple_value": 1.5})),
    Row("ScalarSummary", lambda t, x: su.scalar_summary(t, x), [s([b"a", b"b"]), np.int32([1, -2])],
        message({"tag": "a", "simple_value": 1}, {"tag": "b", "simple_value": -2}), id="two"),
    Row("HistogramSummary", lambda x: su.histogram_summary("h", x), [np.float32([[-1, 0], [0, 2.5]])], value(s(HISTOGRAM))),
    Row("HistogramSummary", lambda x: su.histogram_summary("h", x), [np.zeros(0, np.int32)], message(
        {"tag": "h", "histo": {"min": 1.7976931348623157e308, "max": -1.7976931348623157e308, "bucket_limit": [1.7976931348623157e308], "bucket": [0]}}),
        id="empty"),
    Row("ImageSummary", lambda x: su.image_summary("im", x), [np.float32([[[[1], [-2]]], [[[np.nan], [3]]]])], value(s(TWO_IMAGES))),
    Row("ImageSummary", lambda x: su.image_summary("im", x, max_images=1), [np.uint8([[[[1, 2, 3]]], [[[4, 5, 6]]]])], value(s(ONE_IMAGE)), id="bytes"),
    Row("AudioSummaryV2", lambda x: su.audio_summary("au", x, 8000.0, max_outputs=1), [np.float32([[0.5, -1, 2]])], value(s(SOUND))),
    Row("TensorSummaryV2", lambda x: su.tensor_summary("t", x, b"\n\x06\n\x04text"), [s([b"a", b"bc"])],
        message({"tag": "t", "tensor": {"dtype": 7, "tensor_shape": {"dim": [{"size": 2}]}, "string_val": [b"a", b"bc"]},
                 "metadata": {"plugin_data": {"plugin_name": "text"}}})),
    Row("TensorSummaryV2", lambda x: su.tensor_summary("t", x, ""), [np.int32(5)],
        message({"tag": "t", "tensor": {"dtype": 3, "tensor_shape": {}, "tensor_content": b"\5\0\0\0"}, "metadata": {}}), id="number"),
    Row("TensorSummary", lambda x: su.tensor_summary_v1(x, name="named"), [np.uint8([7])],
        message({"node_name": "named", "tensor": {"dtype": 4, "tensor_shape": {"dim": [{"size": 1}]}, "tensor_content": b"\7"}})),
    Row("MergeSummary", lambda a, b: su.merge_summary([a, b]), [s(b"\n\x08\n\x01a\x15\x00\x00\x80?"), s(b"")], message({"tag": "a", "simple_value": 1})),
    Row("EncodeWav", lambda x: au.encode_wav(x, 8000), [np.float32([[0.5, -1], [2, 0.25]])], value(s(WAV))),
    Row("DecodeWav", lambda x: list(au.decode_wav(x)), [s(WAV)], value([SAMPLES, np.int32(8000)])),
    Row("DecodeWav", lambda x: list(au.decode_wav(x, desired_channels=3, desired_samples=3)), [s(WAV)],
        value([np.pad(SAMPLES[:, [0, 1, 1]], ((0, 1), (0, 0))), np.int32(8000)]), id="sizes"),
]  # fmt: skip

ERRORS = [
    ErrorRow("ScalarSummary", lambda: su.scalar_summary("a", "b"), TypeError, "not in the list of allowed types"),
    ErrorRow("ImageSummary", lambda: su.image_summary("a", np.zeros((1, 1, 1, 1)), max_images=0), ValueError, "must be at least 1"),
    ErrorRow("EncodeWav", lambda: au.encode_wav([1.0], 1), ValueError, "audio must have rank 2"),
]
