r"""Regular expressions as RE2 reads them, translated to Python's.

RE2 knows no back references and no look-around; its \d, \s, \w and \b are ASCII; `$` without flag `m` is the end of the text only; `.` is a character
of UTF-8, never a byte that is none. Texts are matched as UTF-8, with bytes that are no characters as lone surrogates. The one
thing RE2 takes and this does not is \C, any byte.
"""

import functools
import re
import sys
import unicodedata

import numpy as np

from ir.ops.unicode_scripts import NAMES, scripts

_LAST = sys.maxunicode
#: where bytes that are no characters stand
_BYTES = (0xDC80, 0xDCFF)
Ranges = tuple[tuple[int, int], ...]

_PERL: dict[str, Ranges] = {
    "d": ((48, 57),),
    "s": ((9, 10), (12, 13), (32, 32)),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
}
_POSIX: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)), "alpha": ((65, 90), (97, 122)), "ascii": ((0, 127),), "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)), "digit": ((48, 57),), "graph": ((33, 126),), "lower": ((97, 122),), "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)), "space": ((9, 13), (32, 32)), "upper": ((65, 90),),
    "word": _PERL["w"], "xdigit": ((48, 57), (65, 70), (97, 102)),
}  # fmt: skip
_ESCAPES = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}


class RegexError(ValueError):
    """A pattern that RE2 does not take, with its words for the reason."""


def _inverted(ranges: Ranges) -> Ranges:
    """All characters but those in `ranges`."""
    out: list[tuple[int, int]] = []
    at = 0
    for a, b in sorted(ranges):
        if a > at:
            out.append((at, a - 1))
        at = max(at, b + 1)
    return (*out, (at, _LAST)) if at <= _LAST else tuple(out)


@functools.cache
def _property(name: str) -> Ranges:
    """The characters of a general category (of one or two letters) or script."""
    if name == "Any":
        return ((0, _LAST),)
    if name in NAMES:
        has = scripts() == NAMES.index(name)
    else:
        has = np.array([unicodedata.category(chr(i)).startswith(name) for i in range(_LAST + 1)])
        if not has.any():
            raise RegexError(f"invalid character class range: {name}")
    edges = np.flatnonzero(np.diff(np.concatenate([[False], has, [False]]).astype(np.int8))).tolist()
    return tuple((a, b - 1) for a, b in zip(edges[::2], edges[1::2], strict=True))


def _character(code: int) -> str:
    return re.escape(chr(code)) if code < 0x80 else chr(code)


def _class(ranges: Ranges, negated: bool) -> str:
    """A class of Python's; a negated one excludes what is no character too."""
    if negated:
        ranges = (*ranges, _BYTES)
    if not ranges:
        return "[^\\x00-\\U0010ffff]"
    return f"[{'^' if negated else ''}{''.join(_character(a) if a == b else f'{_character(a)}-{_character(b)}' for a, b in ranges)}]"


class _Translator:
    """Reads a pattern from left to right and writes Python's."""

    def __init__(self, pattern: str) -> None:
        self.p = pattern
        self.at = 0
        self.flags = frozenset[str]()
        self.outer: list[frozenset[str]] = []
        self.out: list[str] = []

    def translated(self) -> str:
        """Returns the pattern in Python's form."""
        while self.at < len(self.p):
            self._item()
        if self.outer:
            raise RegexError(f"missing ): {self.p}")
        return "".join(self.out)

    def _item(self) -> None:
        c = self.p[self.at]
        if self.p.startswith("\\Q", self.at):
            end = self.p.find("\\E", self.at)
            for x in self.p[self.at + 2 : end if end >= 0 else None]:
                self._atom(_character(ord(x)))
            self.at = end + 2 if end >= 0 else len(self.p)
            return
        self.at += 1
        if c == "(":
            self._open()
        elif c == ")":
            if not self.outer:
                raise RegexError(f"missing (: {self.p}")  # RE2 says it so
            self.flags = self.outer.pop()
            self.out.append(")")
            self._repeat()
        elif c == "|":
            self.out.append("|")
        elif c in "*+?" or (c == "{" and self._count(self.at - 1)):
            raise RegexError(f"no argument for repetition operator: {c}")
        elif c == "[":
            self._atom(self._bracket())
        elif c == "^":
            self._atom("(?m:^)" if "m" in self.flags else "\\A")
        elif c == "$":
            self._atom("(?m:$)" if "m" in self.flags else "\\Z")
        elif c == ".":
            self._atom(_class((), True) if "s" in self.flags else _class(((10, 10),), True))
        elif c == "\\":
            self._escape()
        else:
            self._atom(_character(ord(c)))

    # -- groups ----------------------------------------------------------------------------------

    def _open(self) -> None:
        self.outer.append(self.flags)
        if self.p.startswith("?P<", self.at):
            end = self.p.find(">", self.at)
            if end < 0 or not re.fullmatch(r"\w+", self.p[self.at + 3 : end]):
                raise RegexError(f"invalid named capture group: {self.p[self.at - 1 :]}")
            self.at = end + 1
            self.out.append("(")
        elif self.p.startswith("?", self.at):
            self._flags()
        else:
            self.out.append("(")

    def _flags(self) -> None:
        found = re.compile(r"\?([imsU]*)(?:-([imsU]+))?([:)])").match(self.p, self.at)
        if found is None:
            raise RegexError(f"invalid perl operator: {self.p[self.at - 1 : self.at + 2]}")
        self.flags = (self.flags | set(found[1])) - set(found[2] or "")
        self.at = found.end()
        if found[3] == ")":  # for the rest of the group it stands in
            self.outer.pop()
        else:
            self.out.append("(?:")

    # -- atoms and repetitions -------------------------------------------------------------------

    def _atom(self, text: str) -> None:
        self.out.append(f"(?i:{text})" if "i" in self.flags else f"(?:{text})" if len(text) > 1 and text[0] not in "[\\(" else text)
        self._repeat()

    def _count(self, at: int) -> re.Match[str] | None:
        return re.compile(r"\{(\d+)(?:,(\d*))?\}").match(self.p, at)

    def _repeat(self) -> None:
        """Writes the repetition that follows, if there is one."""
        begin = self.at
        counted = self._count(self.at)
        if counted:
            if max(int(n) for n in (counted[1], counted[2] or 0)) > 1000 or (counted[2] and int(counted[2]) < int(counted[1])):
                raise RegexError(f"invalid repetition size: {counted[0]}")
            self.at = counted.end()
        elif self.p[self.at : self.at + 1] in ("*", "+", "?"):
            self.at += 1
        else:
            return
        operator = self.p[begin : self.at]
        lazy = self.p[self.at : self.at + 1] == "?"
        self.at += lazy
        self.out.append(operator + ("?" if lazy != ("U" in self.flags) else ""))
        if self.p[self.at : self.at + 1] in ("*", "+", "?") or self._count(self.at):
            raise RegexError(f"bad repetition operator: {self.p[begin : self.at + 1]}")

    # -- escapes and classes ---------------------------------------------------------------------

    def _escape(self) -> None:
        c = self.p[self.at : self.at + 1]
        if c in "AzbB" and c:
            self.at += 1
            self._atom({"A": "\\A", "z": "\\Z"}.get(c) or f"(?a:\\{c})")
            return
        found = self._escaped_class()
        if found is not None:
            ranges, negated = found
            self._atom(_class(ranges, negated))
            return
        self._atom(_character(self._escaped_character()))

    def _escaped_class(self) -> tuple[Ranges, bool] | None:
        """The class that the escape at hand names, and whether it is negated; None when it names none."""
        c = self.p[self.at : self.at + 1]
        if c and c.lower() in _PERL:
            self.at += 1
            return _PERL[c.lower()], c.isupper()
        if c not in ("p", "P"):
            return None
        found = re.compile(r"[pP](?:\{(\^?)(\w+)\}|(\w))").match(self.p, self.at)
        if found is None:
            raise RegexError(f"invalid character class range: \\{self.p[self.at :]}")
        self.at = found.end()
        try:
            return _property(found[2] or found[3]), (c == "P") != bool(found[1])
        except RegexError:
            raise RegexError(f"invalid character class range: \\{found[0]}") from None

    def _escaped_character(self) -> int:
        c = self.p[self.at : self.at + 1]
        if not c:
            raise RegexError("trailing \\ at end of regexp")
        found = re.compile(r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})|(0[0-7]{0,2}|[1-7][0-7]{1,2})").match(self.p, self.at)
        if found:
            self.at = found.end()
            return int(found[3], 8) if found[3] else int(found[1] or found[2], 16)
        self.at += 1
        if c in _ESCAPES:
            return _ESCAPES[c]
        if c.isalnum() and ord(c) < 0x80:
            raise RegexError(f"invalid escape sequence: \\{c}")
        return ord(c)

    def _bracket(self) -> str:
        begin = self.at - 1
        negated = self.p[self.at : self.at + 1] == "^"
        self.at += negated
        ranges: list[tuple[int, int]] = []
        first = True
        while first or self.p[self.at : self.at + 1] != "]":
            if self.at >= len(self.p):
                raise RegexError(f"missing ]: {self.p[begin:]}")
            ranges += self._bracket_item()
            first = False
        self.at += 1
        return _class(tuple(ranges), negated)

    def _bracket_item(self) -> Ranges:
        named = re.compile(r"\[:(\^?)(\w*):\]").match(self.p, self.at)
        if named:
            self.at = named.end()
            if named[2] not in _POSIX:
                raise RegexError(f"invalid character class range: {named[0]}")
            return _inverted(_POSIX[named[2]]) if named[1] else _POSIX[named[2]]
        begin = self.at
        if self.p[self.at] == "\\":
            self.at += 1
            found = self._escaped_class()
            if found is not None:
                return _inverted(found[0]) if found[1] else found[0]
            low = self._escaped_character()
        else:
            low = ord(self.p[self.at])
            self.at += 1
        if self.p[self.at : self.at + 1] != "-" or self.p[self.at + 1 : self.at + 2] in ("]", ""):
            return ((low, low),)
        self.at += 1
        if self.p[self.at] == "\\":
            self.at += 1
            high = self._escaped_character()
        else:
            high = ord(self.p[self.at])
            self.at += 1
        if high < low:
            raise RegexError(f"invalid character class range: {self.p[begin : self.at]}")
        return ((low, high),)


@functools.lru_cache(maxsize=256)
def compiled(pattern: bytes) -> re.Pattern[str]:
    """Returns the pattern of RE2 as one of Python's. Raises RegexError for what RE2 does not take.

    >>> compiled(rb"[[:digit:]]+$").findall("a12")
    ['12']
    """
    text = pattern.decode(errors="surrogateescape")
    try:
        return re.compile(_Translator(text).translated())
    except re.error as e:
        raise RegexError(str(e)) from None


def full_match(pattern: bytes, text: bytes) -> bool:
    """Whether the pattern matches the whole text."""
    return compiled(pattern).fullmatch(text.decode(errors="surrogateescape")) is not None


def replaced(pattern: bytes, rewrite: bytes, text: bytes, everywhere: bool) -> bytes:
    r"""Returns `text` with matches replaced; \0 to \9 in `rewrite` are the match and its groups, empty for groups that do not exist.

    An empty match right after a match does not count. As in TensorFlow, a rewrite that is not well-formed is written as far as it is, when `everywhere`,
    and else replaces nothing.
    """
    expression = compiled(pattern)
    source = text.decode(errors="surrogateescape")
    template, whole = _template(rewrite.decode(errors="surrogateescape"), expression.groups)
    if not whole and not everywhere:
        return text
    parts: list[str] = []
    last, at = 0, 0
    ended = -1
    while at <= len(source):
        found = expression.search(source, at)
        if found is None:
            break
        begin, end = found.span()
        if begin == end == ended:
            at = end + 1
            continue
        parts += [source[last:begin], *[t if isinstance(t, str) else found[t] or "" for t in template]]
        last = ended = end
        at = end
        if not everywhere:
            break
    parts.append(source[last:])
    return "".join(parts).encode(errors="surrogateescape")


def _template(rewrite: str, groups: int) -> tuple[list[str | int], bool]:
    """Returns a rewrite as pieces of text and numbers of groups, up to where it is not well-formed, and whether it is."""
    out: list[str | int] = []
    for text, mark in re.findall(r"([^\\]+)|\\(.?)", rewrite, re.DOTALL):
        if text:
            out.append(text)
        elif mark == "\\":
            out.append(mark)
        elif mark in "0123456789" and mark:
            out.append(int(mark) if int(mark) <= groups else "")
        else:
            return out, False
    return out, True
