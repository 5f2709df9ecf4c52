"""Rows of ir.ops.strings_unicode and strings_regex, with values recorded from TensorFlow 1.15.5."""

import numpy as np

from ir.ops import strings_regex as rx, strings_unicode as un
from tests.rowdef import ErrorRow, Row


def s(x):
    """Bytes as an array of strings."""
    return np.array(x, object)


def value(x):
    """A reference that is known."""
    return lambda *_: x


def replaced(pattern, rewrite, text, wanted, **kw):
    return Row("StaticRegexReplace", lambda x: rx.regex_replace(x, pattern, rewrite, **kw), [s(text)], value(s(wanted)), id=pattern)


def matches(pattern, text, wanted):
    return Row("StaticRegexFullMatch", lambda x: rx.regex_full_match(x, pattern), [s(text)], value(np.array(wanted)), id=pattern)


BROKEN = s([b"a\xffb", b"\xe4\xbdA", "ä\u4f60\U0001f600".encode(), b"", b"\xed\xa0\x80"])
POINTS = np.int32([0x61, 0xFFFD, 0x62, 0xFFFD, 0x41, 0xE4, 0x4F60, 0x1F600, 0xFFFD, 0xFFFD, 0xFFFD])

ROWS = [
    replaced("a.*?b", "X", [b"a1b2b", b"aab", b"xyz"], [b"X2b", b"X", b"xyz"]),
    replaced(r"(\w+) (\w+)", r"\2 \1", [b"hello world foo bar", b"x"], [b"world hello bar foo", b"x"]),
    replaced("x*", "-", [b"abxd", b"", b"xx"], [b"-a-b-d-", b"-", b"-"]),
    replaced("$", "<", [b"abc\nd"], [b"abc\nd<"]),
    replaced("(?m)^", ">", [b"a\nb"], [b">a\n>b"]),
    replaced(r"\d", "#", [b"a1b22", "\u0661".encode()], [b"a#b##", "\u0661".encode()]),
    replaced(r"\pL+", "L", ["äb1".encode()], [b"L1"]),
    replaced(r"\p{Greek}", "G", ["aαb".encode()], [b"aGb"]),
    replaced("(?i)ABC", "z", [b"aBcd"], [b"zd"]),
    replaced("(a)(b)?", r"[\1|\2]", [b"ab a"], [b"[a|b] [a|]"]),
    replaced(r"\Qa.b\E", "Q", [b"a.bxaxb"], [b"Qxaxb"]),
    replaced("b+", r"\0\0", [b"abbc"], [b"abbbbc"]),
    replaced("a*", r"\0!", [b"baac"], [b"!baa!c!"]),
    replaced(r"[[:alpha:]]+", "A", [b"ab1cd"], [b"A1A"]),
    replaced(r"[^a\D]", ".", [b"a1\n2"], [b"a.\n."]),
    replaced("(?U)a+", "X", [b"aaa"], [b"XXX"]),
    replaced("(?s).", ".", [b"a\nb"], [b"..."]),
    replaced(".", "_", [b"\xff\xfea", "ä\u4f60".encode()], [b"\xff\xfe_", b"__"]),
    replaced("a{2,3}", "X", [b"aaaa"], [b"Xa"]),
    replaced("a{,2}", "X", [b"a{,2}"], [b"X"]),
    replaced(r"\x{4f60}|\x41", "X", ["A\u4f60".encode()], [b"XX"]),
    replaced("a", r"\q", [b"ab"], [b"b"]),
    replaced("o", "0", [b"foo"], [b"f0o"], replace_global=False),
    Row("RegexReplace", lambda x, p, r: rx.regex_replace(x, p, r), [s([b"aab", b"b"]), s(b"a+"), s(b"<\\0>")], value(s([b"<aa>b", b"b"]))),
    matches("a|ab", [b"a", b"ab", b"abc", b""], [True, True, False, False]),
    matches("(a+)(b+)", [b"aabb", b"ab\n"], [True, False]),
    matches(r"\w+\z", [b"ab_1", "ä".encode()], [True, False]),
    Row("RegexFullMatch", rx.regex_full_match, [s([[b"abc"], [b"abcd"]]), s(b"a.c")], value(np.array([[True], [False]]))),
    Row("UnicodeDecode", lambda x: list(un.unicode_decode_ragged(x, "UTF-8")), [BROKEN], value([np.int64([0, 3, 5, 8, 8, 11]), POINTS])),
    Row("UnicodeDecode", lambda x: list(un.unicode_decode_ragged(x, "UTF-8", errors="ignore", Tsplits="int32")), [BROKEN],
        value([np.int32([0, 2, 3, 6, 6, 6]), POINTS[POINTS != 0xFFFD]])),
    Row("UnicodeDecode", lambda x: un.unicode_decode(x, "UTF-8", replacement_char=63, replace_control_characters=True), [s(b"a\x00\x1f\x7fb\xff")],
        value(np.int32([97, 63, 63, 127, 98, 63])), id="control"),
    Row("UnicodeDecodeWithOffsets", lambda x: list(un.unicode_decode_ragged_with_offsets(x, "UTF-8")), [BROKEN],
        value([np.int64([0, 3, 5, 8, 8, 11]), POINTS, np.int64([0, 1, 2, 0, 2, 0, 2, 5, 0, 1, 2])])),
    Row("UnicodeDecodeWithOffsets", lambda x: list(un.unicode_decode_with_offsets(x, "UTF-16-BE")), [s(b"\x00\xe4O`\xd8=\xde\x00\xd8\x00")],
        value([np.int32([0xE4, 0x4F60, 0x1F600, 0xFFFD]), np.int64([0, 2, 4, 8])])),
    Row("UnicodeEncode", lambda x: un.unicode_encode(x, "UTF-8"), [np.int32([[72, 0xE4], [0x4F60, -1]])],
        value(s(["Hä".encode(), "\u4f60\ufffd".encode()])), forget=False),
    Row("UnicodeEncode", lambda x: un.unicode_encode(x, "UTF-16-BE", errors="ignore"), [np.int32([0x1F600, 0x110000])],
        value(s("\U0001f600".encode("utf-16-be"))), forget=False),
    Row("UnicodeEncode", lambda x: un.unicode_encode_ragged(x, np.int64([0, 2, 2, 3]), "UTF-32-BE"), [np.int32([72, 73, 74])],
        value(s([x.encode("utf-32-be") for x in ("HI", "", "J")]))),
    Row("UnicodeTranscode", lambda x: un.unicode_transcode(x, "ISO-8859-1", "UTF-8"), [s([[b"\xe4b"]])], value(s([["äb".encode()]]))),
    Row("UnicodeTranscode", lambda x: un.unicode_transcode(x, "UTF-8", "UTF-16-BE"), [BROKEN[:2]],
        value(s([x.encode("utf-16-be") for x in ("a\ufffdb", "\ufffdA")]))),
    Row("UnicodeScript", un.unicode_script, [np.int32([0x41, 0x431, -1, 0x110000, 0x4F60, 0x1F600, 0x300])], value(np.int32([25, 8, -1, -1, 17, 0, 1]))),
]  # fmt: skip

ERRORS = [
    ErrorRow("UnicodeDecode", lambda: un.unicode_decode(["a", "b"], "UTF-8"), NotImplementedError, "no RaggedTensor"),
    ErrorRow("UnicodeEncode", lambda: un.unicode_encode(65, "UTF-8"), ValueError, "rank must be at least 1"),
    ErrorRow("UnicodeEncode", lambda: un.unicode_encode([65], "UTF-7"), ValueError, "must be one of"),
]
