"""Rows of ir.ops.strings and strings_split. Values that no plain Python gives were recorded from TensorFlow 1.15.5."""

import base64

import numpy as np

from ir.ops import strings as st, strings_split as sp
from ir.ops.basic import placeholder
from tests.rowdef import ErrorRow, Row


def s(x):
    """Bytes as an array of strings."""
    return np.array(x, object)


def value(x):
    """A reference that is known."""
    return lambda *_: x


def text(numbers, wanted, **kw):
    return Row("AsString", lambda x: st.as_string(x, **kw), [numbers], value(s(wanted)))


FLOATS = np.float32([1.5, -0.0, np.nan, np.inf, -np.inf, 1e20, 1e-10])
HASHED = [b"", b"a", b"abc", b"hello world", b"0123456789abcdef", b"x" * 17, b"y" * 32, bytes(range(33)), b"z" * 64, bytes(range(65)), bytes(range(200))]
MURMUR = [
    105434511174508091, 2996632905371535868, 1046625677629754806, 936430787915428847, 1490712428580208486, 4161156153655800118, 3874897754820414304,
    962007355768313100, 160759053204327832, 2525959834624391444, 4185538572715980330,
]  # fmt: skip
FARM = [
    1936946117179621455, 3694432073954588131, 2640714258260161385, 1769834696496558107, 1493332391325024359, 2082709914559524773, 2351315479247125839,
    2915358112413471310, 294799756062990872, 478270155923209662, 525935771297148851,
]  # fmt: skip
SIP = [
    139821925654099718, 3586765532990731589, 1767148562213628674, 2805525791365922578, 689982576850388049, 3806711173609387194, 1571132174872181438,
    327205418589427089, 3700662788341522423, 2622241253361688015, 1120825235543156920,
]  # fmt: skip
WORDS = s([[b"a", b"b", b"c"], [b"d", b"e", b"f"]])
CUBE = s([[[b"a", b"b"], [b"c", b"d"]], [[b"e", b"f"], [b"g", b"h"]]])
TEXTS = s([b"hello", b"w\xc3\xb6rld!", b"\xe4\xbd\xa0\xe5\xa5\xbd\xe5\x90\x97"])
SENTENCES = s([b"hello world", b"", b"a  b c", b" lead trail ", b"x,y;z,,w"])


def joined(axis, wanted, inputs=WORDS, **kw):
    return Row("ReduceJoin", lambda x: st.reduce_join(x, axis, **kw), [inputs], value(s(wanted)))


def part(pos, length, wanted, inputs=TEXTS, **kw):
    return Row("Substr", lambda x: st.substr(x, pos, length, **kw), [inputs], value(s(wanted)))


def segments(inputs, ids, count, wanted, **kw):
    return Row("UnsortedSegmentJoin", lambda x: st.unsorted_segment_join(x, ids, count, **kw), [s(inputs)], value(s(wanted)))


def split(op, function, wanted, columns, inputs=SENTENCES, **kw):
    def build(x):
        found = function(x, **kw)
        return [found.indices, found.values, found.dense_shape]

    indices = [[i, j] for i, row in enumerate(wanted) for j in range(len(row))]
    parts = s([p for row in wanted for p in row])
    return Row(op, build, [inputs], value([np.array(indices, np.int64).reshape(-1, 2), parts, np.int64([len(wanted), columns])]))


def grams(wanted, splits, widths=(2,), pad=0, short=False):
    def build(x):
        return list(sp.string_n_grams(x, np.int64([0, 3, 4]), "-", widths, "L", "R", pad, short))

    return Row("StringNGrams", build, [s([b"a", b"b", b"c", b"d"])], value([s(wanted), np.int64(splits)]))


ROWS = [
    text(FLOATS, [b"1.500000", b"-0.000000", b"nan", b"inf", b"-inf", b"100000002004087734272.000000", b"0.000000"]),
    text(np.array([1.5, 1e20, 1 / 3]), [b"1.500", b"100000000000000000000.000", b"0.333"], precision=3),
    text(np.array([1.5, 1e20]), [b"1.500000e+00", b"1.000000e+20"], scientific=True),
    text(np.array([1.5, 1e20, 1 / 3, 1e5, 1e6]), [b"1.5", b"1e+20", b"0.333333", b"100000", b"1e+06"], shortest=True),
    text(np.array([1.5, np.inf]), [b"001.500000", b"       inf"], width=10, fill="0"),
    text(np.array([1.5, -1 / 3]), [b"1.500000    ", b"-0.333333   "], width=12, fill="-"),
    text(np.array([1.5, np.nan]), [b"   +1.500000", b"        +nan"], width=12, fill="+"),
    text(np.array([1, -2]), [b"00001", b"-0002"], width=5, fill="0"),
    text(np.array([True, False]), [b"true", b"false"], width=7),
    text(np.complex64([1 + 2j]), [b"(    1.00,    2.00)"], precision=2, width=8),
    text(np.int8(-3), b"-3"),
    Row("StringToNumber", st.string_to_number, [s([b"1", b" -4e2 ", b"0x10", b"+3", b".5", b"nan", b"-inf", b"1e39"])],
        value(np.float32([1, -400, 16, 3, 0.5, np.nan, -np.inf, np.inf]))),
    Row("StringToNumber", lambda x: st.string_to_number(x, "float64"), [s([[b"3e-46"], [b"5."]])], value(np.array([[3e-46], [5.0]]))),
    Row("StringToNumber", lambda x: st.string_to_number(x, "int32"), [s([b"2147483647", b"\t-7\n"])], value(np.int32([2147483647, -7]))),
    Row("StringToNumber", lambda x: st.string_to_number(x, "int64"), [s(b"-9223372036854775808")], value(np.int64(-(2**63)))),
    Row("StringJoin", lambda a, b: st.string_join([a, "x", b], separator="-"), [s([b"a", b"b"]), s([b"1", b"2"])], value(s([b"a-x-1", b"b-x-2"]))),
    Row("StringJoin", lambda a: st.string_join([a]), [s(b"one")], value(s(b"one")), id="one scalar"),
    Row("StringJoin", lambda a, b: st.string_join([a, b]), [s(np.empty((0, 2), object)), s(b"x")], value(np.empty((0, 2), object)), id="empty"),
    joined(0, [b"ad", b"be", b"cf"]),
    joined(-1, [b"a+b+c", b"d+e+f"], separator="+"),
    joined([0, 1], b"adbecf"),
    joined([1, 0], [[b"abcdef"]], keepdims=True),
    joined(None, b"abcdef"),
    joined([], WORDS),
    joined([2, 0], [b"a,b,e,f", b"c,d,g,h"], CUBE, separator=","),
    joined([0, 2], [b"aebf", b"cgdh"], CUBE),
    joined([0], [b"", b"", b""], WORDS[:0]),
    segments([b"a", b"b", b"c", b"d"], [0, 1, 0, 2], 4, [b"ac", b"b", b"d", b""]),
    segments([[b"a", b"b"], [b"c", b"d"]], [1, 1], 2, [[b"", b""], [b"a,c", b"b,d"]], separator=","),
    segments([[b"a", b"b"], [b"c", b"d"]], [[1, 0], [1, 1]], 2, [b"b", b"acd"]),
    part(1, 3, [b"ell", b"\xc3\xb6r", b"\xbd\xa0\xe5"]),
    part(-3, 2, [b"ll", b"ld", b"\xe5\x90"]),
    part([1, 2, 3], [1, 1, 2], [b"e", b"\xb6", b"\xe5\xa5"]),
    part(-2, 1, [b"l", b"d", b"\xe5\xa5\xbd"], unit="UTF8_CHAR"),
    part(1, 2, [b"el", b"\xc3\xb6r", b"\xe5\xa5\xbd\xe5\x90\x97"], unit="UTF8_CHAR"),
    part([1, 5, 7], [3, 2, 1], [b"hir", b"ee", b"n"], s(b"thirteen")),
    part([[1], [2]], [[1], [2]], [[b"e", b"l"], [b"n", b"ev"]], s([b"ten", b"eleven"])),
    part(5, 1, [b""], s([b"hello"])),
    Row("StringLength", st.string_length, [TEXTS], value(np.int32([5, 7, 9]))),
    Row("StringLength", lambda x: st.string_length(x, unit="UTF8_CHAR"), [TEXTS], value(np.int32([5, 6, 3]))),
    Row("StringLower", st.string_lower, [s(["HeLLo Ä".encode()])], value(s(["hello Ä".encode()]))),
    Row("StringLower", lambda x: st.string_lower(x, encoding="utf-8"), [s(["ÄÖ ΑΣ".encode(), b"\xffA"])], value(s(["äö ας".encode(), "\ufffda".encode()]))),
    Row("StringUpper", st.string_upper, [s([["straße".encode()]])], value(s([["STRAßE".encode()]]))),
    Row("StringUpper", lambda x: st.string_upper(x, encoding="utf-8"), [s(["straße".encode()])], value(s([b"STRASSE"]))),
    Row("StringStrip", st.string_strip, [s([b" a b ", b"\t\n\x0b\x0c\r x\x00 ", b"", b"\xc2\xa0x"])], value(s([b"a b", b"x\x00", b"", b"\xc2\xa0x"]))),
    Row("StringToHashBucket", lambda x: st.string_to_hash_bucket(x, 2**62), [s(HASHED)], value(np.int64(MURMUR))),
    Row("StringToHashBucketFast", lambda x: st.string_to_hash_bucket_fast(x, 2**62), [s(HASHED)], value(np.int64(FARM))),
    Row("StringToHashBucketFast", lambda x: st.string_to_hash_bucket_fast(x, 1), [s([[b"a", b"b"]])], value(np.int64([[0, 0]])), id="one bucket"),
    Row("StringToHashBucketStrong", lambda x: st.string_to_hash_bucket_strong(x, 2**62, [123, -456]), [s(HASHED)], value(np.int64(SIP))),
    Row("EncodeBase64", st.encode_base64, [s([b"", b"a", b"\xff\xfe\xfd\xfb"])], lambda x: s([base64.urlsafe_b64encode(v).rstrip(b"=") for v in x])),
    Row("EncodeBase64", lambda x: st.encode_base64(x, pad=True), [s([b"a", b"abcd"])], lambda x: s([base64.urlsafe_b64encode(v) for v in x])),
    Row("DecodeBase64", st.decode_base64, [s([b"", b"YQ", b"YQ==", b"YWI=", b"YWJj", b"-_8"])], value(s([b"", b"a", b"a", b"ab", b"abc", b"\xfb\xff"]))),
    split("StringSplit", sp.string_split, [[b"hello", b"world"], [], [b"a", b"b", b"c"], [b"lead", b"trail"], [b"x,y;z,,w"]], 3),
    split("StringSplit", sp.string_split, [[b"x", b"y", b"z", b"", b"w"], []], 5, s([b"x,y;z,,w", b""]), delimiter=",;", skip_empty=False),
    split("StringSplit", sp.string_split, [[b"a", b" ", b"b"]], 3, s([b"a b"]), sep=""),
    split("StringSplit", sp.string_split, [], 0, s(np.empty(0, object))),
    split("StringSplitV2", sp.strings_split, [[b"hello", b"world"], [], [b"a", b"b", b"c"], [b"lead", b"trail"], [b"x,y;z,,w"]], 3),
    split("StringSplitV2", sp.strings_split, [[b"hello", b"world"], [], [b"a", b"b c"], [b"lead", b"trail "], [b"x,y;z,,w", b""]], 2, maxsplit=1),
    split("StringSplitV2", sp.strings_split, [[b"x", b"y;z", b"", b"w"], [b""]], 4, s([b"x,y;z,,w", b""]), sep=","),
    split("StringSplitV2", sp.strings_split, [[b"a", b"", b"b,,c"]], 3, s([b"a,,b,,c"]), sep=",", maxsplit=2),
    grams([b"a-b", b"b-c"], [0, 2, 2]),
    grams([b"L-a", b"a-b", b"b-c", b"c-R", b"L-d", b"d-R"], [0, 4, 6], pad=-1),
    grams([b"a", b"b", b"c", b"a-b-c", b"d"], [0, 4, 5], widths=(1, 3)),
    grams([b"a-b-c", b"d"], [0, 1, 2], widths=(3,), short=True),
]

ERRORS = [
    ErrorRow("StringJoin", lambda: st.string_join([placeholder("string", [2]), placeholder("string", [3])]), ValueError, "are not compatible"),
    ErrorRow("Substr", lambda: st.substr("a", [1], [[1]]), ValueError, "pos and len must have one shape"),
    ErrorRow("AsString", lambda: st.as_string("a"), TypeError, "not in the list of allowed types"),
    ErrorRow("StringToHashBucketFast", lambda: st.string_to_hash_bucket_fast("a", 0), ValueError, "must be at least 1"),
    ErrorRow("StringSplit", lambda: sp.string_split("a b"), ValueError, "input must have rank 1"),
    ErrorRow("StringSplit", lambda: sp.string_split(["a b"], result_type="RaggedTensor"), NotImplementedError, "no RaggedTensor"),
    ErrorRow("ReduceJoin", lambda: st.reduce_join([["a"]], 2), ValueError, "Invalid reduction dimension 2 for input with 2 dimensions"),
    ErrorRow("UnsortedSegmentJoin", lambda: st.unsorted_segment_join(["a"], [[0]], 1), ValueError, "must begin inputs' shape"),
]
