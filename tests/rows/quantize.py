"""Rows of ir.ops.quantize; what they must give was recorded from TensorFlow 1.15."""

import numpy as np

from ir.gradients import gradients
from ir.ops import quantize as q
from ir.ops.basic import placeholder
from tests.rowdef import ErrorRow, Row, normal

X = np.float32([-10, -1, -0.5, -0.1, 0, 0.1, 0.3, 0.5, 0.55, 1, 2, 10])
G = np.arange(1, 13).astype(np.float32)
#: (min, max, num_bits, narrow_range): values, where the gradient of X passes, gradients of min and max for G
KNOWN = {
    (-1.0, 1.0, 8, False): (
        [-0.9960785, -0.9960785, -0.5019608, -0.10196078, 0, 0.10196078, 0.2980392, 0.50196075, 0.5490197, 1.0039215, 1.0039215, 1.0039215],
        (2, 10), 3, 23,
    ),
    (0.1, 1.0, 8, False): ([0] * 5 + [0.09882353, 0.3, 0.5011765, 0.55058825, 0.9, 0.9, 0.9], (4, 9), 10, 33),
    (-1.0, -0.1, 8, False): ([-0.9, -0.9, -0.5011765, -0.09882349] + [0] * 8, (2, 5), 3, 63),
    (-0.5, 1.0, 2, True): ([-0.75, -0.75, -0.75, 0, 0, 0, 0, 0.75, 0.75, 0.75, 0.75, 0.75], (2, 9), 3, 33),
    (-0.3, 0.7, 4, False): (
        [-0.33333334, -0.33333334, -0.33333334, -0.06666666, 0, 0.06666669, 0.26666668, 0.5333334, 0.5333334, 0.6666667, 0.6666667, 0.6666667],
        (3, 9), 6, 33,
    ),
    (-1.0, 1.0, 16, True): (
        [-1, -1, -0.49998474, -0.10000914, 0, 0.1000092, 0.29999697, 0.50001526, 0.5500046, 1, 1, 1], (1, 10), 1, 23,
    ),
}  # fmt: skip


def known():
    """Rows of the three forms, forward and backward, for each range."""
    rows = []
    for at, (values, (first, last), by_min, by_max) in KNOWN.items():
        low, high, bits, narrow = at
        out, inside = np.float32(values), G * (np.arange(12) >= first) * (np.arange(12) < last)
        ends = [np.float32(low), np.float32(high)]
        channels = [np.stack([X, X], 1), np.float32([low] * 2), np.float32([high] * 2)]
        args = {"num_bits": bits, "narrow_range": narrow}
        pair = np.stack([G, G], 1)
        rows += [
            Row("FakeQuantWithMinMaxArgs", lambda x, a=at: q.fake_quant_with_min_max_args(x, *a), [X], lambda x, o=out: o, id=f"{at}"),
            Row("FakeQuantWithMinMaxArgsGradient", lambda x, g, a=at: gradients(q.fake_quant_with_min_max_args(x, *a), x, g), [X, G],
                lambda x, g, i=inside: i, id=f"{at}"),
            Row("FakeQuantWithMinMaxVars", lambda x, lo, hi, a=args: q.fake_quant_with_min_max_vars(x, lo, hi, **a), [X, *ends],
                lambda *_, o=out: o, id=f"{at}"),
            Row("FakeQuantWithMinMaxVarsGradient", lambda x, lo, hi, g, a=args: gradients(q.fake_quant_with_min_max_vars(x, lo, hi, **a), [x, lo, hi], g),
                [X, *ends, G], lambda *_, i=inside, lo=by_min, hi=by_max: [i, np.float32(lo), np.float32(hi)], id=f"{at}"),
            Row("FakeQuantWithMinMaxVarsPerChannel", lambda x, lo, hi, a=args: q.fake_quant_with_min_max_vars_per_channel(x, lo, hi, **a), channels,
                lambda *_, o=out: np.stack([o, o], 1), id=f"{at}"),
            Row("FakeQuantWithMinMaxVarsPerChannelGradient",
                lambda x, lo, hi, g, a=args: gradients(q.fake_quant_with_min_max_vars_per_channel(x, lo, hi, **a), [x, lo, hi], g), [*channels, pair],
                lambda *_, i=inside, lo=by_min, hi=by_max: [np.stack([i, i], 1), np.float32([lo] * 2), np.float32([hi] * 2)], id=f"{at}"),
        ]  # fmt: skip
    return rows


XS = np.float32([-2.3, -1, -0.51, -0.5, -0.1, 0, 0.1, 0.3, 0.5, 0.55, 1, 1.9])


def there_and_back(values, low=-1.0, high=1.5, **kw):
    """A row of QuantizeAndDequantizeV2 of XS."""
    return Row("QuantizeAndDequantizeV2", lambda x: q.quantize_and_dequantize_v2(x, low, high, **kw), [XS], lambda x: np.float32(values), id=f"{low} {kw}")


ROWS = [
    *known(),
    Row("FakeQuantWithMinMaxVars", q.fake_quant_with_min_max_vars, [normal(3), np.float32(0), np.float32(0)], lambda x, *_: 0 * x, id="no range"),
    Row("FakeQuantWithMinMaxVarsGradient", q.fake_quant_with_min_max_vars_gradient, [G[:3], X[:3], np.float32(0), np.float32(0)],
        lambda g, *_: [g, np.float32(0), np.float32(0)], id="no range"),
    Row("FakeQuantWithMinMaxVarsPerChannel", q.fake_quant_with_min_max_vars_per_channel, [np.float32([5, 0.301]), np.float32([0, -1]), np.float32([1, 0])],
        lambda *_: np.float32([1, 0]), id="vector"),
    there_and_back([-2.3, -1.00625, -0.503125, -0.503125, -0.1078125, 0, 0.1078125, 0.30546874, 0.503125, 0.5570312, 1.00625, 1.9046874], signed_input=True),
    there_and_back(
        [-2.302353, -0.9984313, -0.50666666, -0.49921566, -0.09686274, 0, 0.09686274, 0.2980392, 0.49921566, 0.5513725, 0.9984313, 1.9],
        signed_input=False,
    ),
    there_and_back(
        [-1.7142857, -1.0714285, -0.42857143, -0.42857143, 0, 0, 0, 0.21428572, 0.42857143, 0.64285713, 1.0714285, 1.5],
        num_bits=4, range_given=True,
    ),
    there_and_back(
        [-1.5, -1.0714285, -0.42857143, -0.42857143, 0, 0, 0, 0.21428572, 0.42857143, 0.64285713, 1.0714285, 1.5],
        num_bits=4, range_given=True, narrow_range=True,
    ),
    there_and_back([-2, -1, -0.5, -0.5, 0, 0, 0, 0.5, 0.5, 0.5, 1, 1.5], num_bits=3, range_given=True, round_mode="HALF_UP"),
    there_and_back([0] * 7 + [0.21428572, 0.42857143, 0.64285713, 1.0714285, 1.5], signed_input=False, num_bits=3, range_given=True),
    there_and_back([-1, -1, -0.5, -0.5, -0.125, 0, 0.125, 0.25, 0.5, 0.5, 0.875, 0.875], high=0.2, num_bits=4, range_given=True),
    Row("QuantizeAndDequantizeV2", lambda x: q.quantize_and_dequantize_v2(x, 0.0, 0.0, signed_input=False), [np.zeros(3, np.float32)], lambda x: x, id="zeros"),
    Row("QuantizeAndDequantizeV2", lambda x: gradients(q.quantize_and_dequantize_v2(x, 0.0, 0.0), x), [XS], np.ones_like, id="gradient"),
    Row("QuantizeAndDequantizeV3", lambda x: q.quantize_and_dequantize_v3(x, -1.0, 1.5, 5), [XS],
        lambda x: np.float32([-1.6, -1, -0.5, -0.5, -0.1, 0, 0.1, 0.3, 0.5, 0.6, 1, 1.5])),
    Row("QuantizeAndDequantizeV3", lambda x: gradients(q.quantize_and_dequantize_v3(x, -1.0, 1.5, 5), x), [XS], np.ones_like, id="gradient"),
]  # fmt: skip

ERRORS = [
    ErrorRow("FakeQuantWithMinMaxArgs", lambda: q.fake_quant_with_min_max_args(placeholder("float32", []), 1, 1), ValueError, "min has to be smaller than max"),
    ErrorRow("FakeQuantWithMinMaxArgs", lambda: q.fake_quant_with_min_max_args(placeholder("float32", []), num_bits=1), ValueError, "between 2 and 16"),
    ErrorRow("FakeQuantWithMinMaxVars", lambda: q.fake_quant_with_min_max_vars(placeholder("float32", []), [0.0], 1.0), ValueError, "min must have rank 0"),
    ErrorRow("FakeQuantWithMinMaxVarsPerChannel", lambda: q.fake_quant_with_min_max_vars_per_channel(placeholder("float32", [2, 3]), [0.0], [1.0]),
        ValueError, "not compatible"),
    ErrorRow("QuantizeAndDequantizeV2", lambda: q.quantize_and_dequantize_v2(placeholder("float32", [2]), 0.0, 1.0, round_mode="UP"), ValueError, "HALF_UP"),
]  # fmt: skip
