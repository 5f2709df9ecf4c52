"""Where in the user's program an operation was declared: captured cheaply, formatted on demand.

A location is a tuple of (code object, last instruction) pairs, innermost frame first, of frames
outside our own two packages. Turning a pair into a line number is left to the moment somebody asks.
"""

import linecache
import os
import sys
from types import CodeType

Location = tuple[tuple[CodeType, int], ...]

_HERE = os.path.dirname(os.path.abspath(__file__))
_OURS = (_HERE + os.sep, os.path.join(os.path.dirname(_HERE), "graphc") + os.sep)
_is_ours: dict[CodeType, bool] = {}
MAX_FRAMES = 8


def _check(code: CodeType) -> bool:
    name = code.co_filename
    ours = os.path.abspath(name).startswith(_OURS) or name.startswith("<frozen ")
    _is_ours[code] = ours
    return ours


def capture() -> Location:
    """Returns the location of the caller's caller, our own frames left out."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    found: list[tuple[CodeType, int]] = []
    known = _is_ours
    while frame is not None:
        code = frame.f_code
        ours = known.get(code)
        if ours is None:
            ours = _check(code)
        if not ours:
            found.append((code, frame.f_lasti))
            if len(found) == MAX_FRAMES:
                break
        frame = frame.f_back
    return tuple(found)


def line_number(code: CodeType, lasti: int) -> int:
    """Returns the source line of the instruction at offset `lasti`."""
    for start, end, line in code.co_lines():
        if line is not None and start <= lasti < end:
            return line
    return code.co_firstlineno


def file_name(code: CodeType) -> str:
    """Returns a short file name: relative to the working directory, or the notebook cell's label."""
    name = code.co_filename
    if "ipykernel_" in name:
        return "<notebook cell>"
    try:
        short = os.path.relpath(name)
    except ValueError:  # another drive, on Windows
        return name
    return name if short.startswith("..") else short


def line(location: Location) -> str:
    """Returns "file:line" of the innermost user frame, or "" when there is none."""
    if not location:
        return ""
    code, lasti = location[0]
    return f"{file_name(code)}:{line_number(code, lasti)}"


def traceback_lines(location: Location) -> list[str]:
    """Returns the frames as Python prints them, outermost first."""
    out: list[str] = []
    for code, lasti in reversed(location):
        number = line_number(code, lasti)
        out.append(f'  File "{code.co_filename}", line {number}, in {code.co_name}')
        source = linecache.getline(code.co_filename, number).strip()
        if source:
            out.append(f"    {source}")
    return out
