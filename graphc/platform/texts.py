"""`tf.compat`: texts and bytes, and the types that count as numbers."""

import os
from typing import Any

import numpy as np

from ir.build import export

bytes_or_text_types = (bytes, str)
integral_types = (int, np.integer)
real_types = (int, float, np.integer, np.floating)
complex_types = (int, float, complex, np.number)

__exports__ = {
    "compat.bytes_or_text_types": "bytes_or_text_types",
    "compat.integral_types": "integral_types",
    "compat.real_types": "real_types",
    "compat.complex_types": "complex_types",
    "compat.as_str": "as_text",
}


@export("compat.as_bytes")
def as_bytes(bytes_or_text: Any, encoding: str = "utf-8") -> bytes:
    r"""Returns bytes as they are, text encoded. Raises TypeError for anything else.

    >>> as_bytes("é")
    b'\xc3\xa9'
    """
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text
    if isinstance(bytes_or_text, str):
        return bytes_or_text.encode(encoding)
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


@export("compat.as_text")
def as_text(bytes_or_text: Any, encoding: str = "utf-8") -> str:
    """Returns text as it is, bytes decoded. Raises TypeError for anything else."""
    if isinstance(bytes_or_text, str):
        return bytes_or_text
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text.decode(encoding)
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


@export("compat.as_str_any")
def as_str_any(value: Any) -> str:
    """Returns bytes decoded, and anything else as `str` shows it."""
    return as_text(value) if isinstance(value, bytes) else str(value)


@export("compat.path_to_str")
def path_to_str(path: Any) -> Any:
    """Returns a path object as text, anything else as it is."""
    return as_str_any(os.fspath(path)) if hasattr(path, "__fspath__") else path


@export("compat.forward_compatible")
def forward_compatible(year: int, month: int, day: int) -> bool:
    """Returns True: graphs are read by the version that wrote them or a later one."""
    return True
