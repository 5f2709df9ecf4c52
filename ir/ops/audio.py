"""WAV files of 16-bit samples, read and written."""

import struct
from typing import Any

import numpy as np

from ir.build import grad, op
from ir.errors import InvalidArgumentError
from ir.infer import Infer, with_rank
from ir.opdef import Float32, Int32, String
from ir.ops.strings import invalid, string_of
from ir.shapes import Dims
from ir.tensor import Tensor


def wav_of(samples: Any, rate: int) -> bytes:
    """Returns samples [frames, channels] between -1 and 1 as a WAV file of `rate` frames a second."""
    channels = samples.shape[1]
    with np.errstate(invalid="ignore"):
        scaled = np.nan_to_num(samples, nan=0.0) * np.float32(32768)
        data = np.clip(np.trunc(scaled + np.copysign(np.float32(0.5), scaled)), -32768, 32767).astype("<i2").tobytes()
    head = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data


def samples_of(data: bytes) -> tuple[Any, int]:
    """Returns the samples [frames, channels] of a WAV file, float32, and its rate. Raises InvalidArgumentError for any other file."""
    if len(data) < 12:
        raise invalid("Data too short when trying to read string")
    if data[:4] != b"RIFF":
        raise invalid(f"Header mismatch: Expected RIFF but found {data[:4].decode(errors='replace')}")
    if data[8:12] != b"WAVE":
        raise invalid(f"Header mismatch: Expected WAVE but found {data[8:12].decode(errors='replace')}")
    at, channels, rate = 12, 0, 0
    while at + 8 <= len(data):
        kind, (size,) = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])
        body = data[at + 8 : at + 8 + size]
        at += 8 + size
        if kind == b"fmt ":
            form, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            if form != 1:
                raise invalid(f"Bad audio format for WAV: Expected 1 (PCM), but got{form}")
            if bits != 16:
                raise invalid(f"Can only read 16-bit WAV files, but received {bits}")
            if not channels:
                raise invalid("Bad number of channels for WAV: Expected at least 1 but got 0")
        elif kind == b"data" and channels:
            whole = len(body) // (2 * channels) * 2 * channels
            return np.frombuffer(body[:whole], "<i2").reshape(-1, channels).astype(np.float32) / np.float32(32768), rate
    raise invalid("No data chunk found in WAV")


def _decoded(c: Infer) -> list[Dims]:
    with_rank(c.dims(0), 0, "contents")
    sizes = (c.attrs["desired_samples"], c.attrs["desired_channels"])
    return [tuple(None if n == -1 else n for n in sizes), ()]


@op("DecodeWav", _decoded, out="audio: float32, sample_rate: int32", api="audio.decode_wav", host=True, dynamic=True)
def decode_wav(contents: String, desired_channels: int = -1, desired_samples: int = -1, name: str | None = None) -> Any:
    """Reads a WAV file of 16-bit samples.

    Args:
      contents: the bytes of the file, a scalar.
      desired_channels: how many channels to give; the last one of the file is repeated, surplus ones are left out. Those of the file when -1.
      desired_samples: how many samples of each channel to give, zeros after the last one. Those of the file when -1.

    Returns `audio`, float32 [samples, channels] between -1 and 1, and `sample_rate`, int32.
    """
    samples, rate = samples_of(string_of(contents))
    frames, channels = samples.shape
    if desired_channels > 0:
        samples = samples[:, np.minimum(np.arange(desired_channels), channels - 1)]
    if desired_samples > 0:
        samples = np.pad(samples[:desired_samples], ((0, max(0, desired_samples - frames)), (0, 0)))
    return samples, np.int32(rate)


def _encoded(c: Infer) -> Dims:
    with_rank(c.dims(0), 2, "audio")
    with_rank(c.dims(1), 0, "sample_rate")
    return ()


@op("EncodeWav", _encoded, out="contents: string", api="audio.encode_wav", host=True)
def encode_wav(audio: Float32, sample_rate: Int32, name: str | None = None) -> Tensor:
    """Returns the bytes of a WAV file of 16-bit samples.

    Args:
      audio: samples [samples, channels], between -1 and 1; others are clipped.
      sample_rate: samples a second, a scalar.
    """
    samples = np.asarray(audio)
    if samples.ndim != 2:
        raise InvalidArgumentError(None, None, f"audio must be 2-dimensional, got {list(samples.shape)}")
    return np.array(wav_of(samples, int(np.asarray(sample_rate))), object)  # pyright: ignore[reportReturnType]


grad.none("DecodeWav EncodeWav", "files are not differentiable")
