"""TensorFlow's random number streams: Philox4x32-10 and the distributions drawn from it, as TensorFlow 1.15's CPU kernels do.

A random op owns a state, a uint64 array of three entries:

    state[0]   the key: attribute `seed`
    state[1]   the stream: attribute `seed2`, the upper half of the 128-bit counter
    state[2]   the position: how many blocks of four 32-bit numbers earlier runs have reserved

Everything here is a function of arrays, NumPy's or (with 64-bit types enabled) JAX's. A kernel reserves blocks before it draws;
what it reserves depends on the size of the output only, so the next run's position is known whatever was drawn.

Source: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), and TensorFlow's header random_distributions.h.
"""

import math
import secrets
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from ir import xp
from ir.errors import InvalidArgumentError

Array = Any

#: blocks that TensorFlow reserves per number drawn
RESERVED = 256
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_U32 = np.dtype(np.uint32)
_U64 = np.dtype(np.uint64)


class Engine(NamedTuple):
    """What NumPy and XLA say differently: `repeat(n, body, carry)`, `loop(cond, body, carry)` and the logarithm of gamma."""

    repeat: Callable[[int, Callable[[Any], Any], Any], Any]
    loop: Callable[[Callable[[Any], Any], Callable[[Any], Any], Any], Any]
    lgamma: Callable[[Array], Array]


def _python_repeat(n: int, body: Callable[[Any], Any], carry: Any) -> Any:
    for _ in range(n):
        carry = body(carry)
    return carry


def _python_loop(cond: Callable[[Any], Any], body: Callable[[Any], Any], carry: Any) -> Any:
    while cond(carry):
        carry = body(carry)
    return carry


def _numpy_lgamma(x: Array) -> Array:
    return np.vectorize(math.lgamma, otypes=[np.float64])(x)


_NUMPY = Engine(_python_repeat, _python_loop, _numpy_lgamma)
_foreign: list[Engine] = []


def register(engine: Engine) -> None:
    """Makes `engine` the one for arrays that are not NumPy's."""
    _foreign[:] = [engine]


def _engine(state: Array) -> Engine:
    return _NUMPY if xp.is_numpy(state) else _foreign[0]


def initial_state(attrs: Mapping[str, Any], entropy: Callable[[], int] | None = None) -> np.ndarray[Any, Any]:
    """Returns the state a random op starts a Session with.

    Args:
      attrs: the op's attributes; `seed` and `seed2` both 0 (or absent) ask for a fresh stream.
      entropy: gives 64 random bits at each call; by default from the operating system.
    """
    mask = (1 << 64) - 1
    seed, seed2 = int(attrs.get("seed", 0)) & mask, int(attrs.get("seed2", 0)) & mask
    if not seed and not seed2:
        draw = entropy or (lambda: secrets.randbits(64))
        seed, seed2 = draw() & mask, draw() & mask
    return np.array([seed, seed2, 0], dtype=np.uint64)


def stateless_state(seed: Array) -> Array:
    """Returns the state that the two integers of `seed` give an op that keeps none."""
    given = xp.astype(xp.astype(xp.reshape(seed, (2,)), np.int64), _U64)
    key = np.array([0x02461E293EC8F720], np.uint64)
    first, second = _mixed(_swapped(given[:1]), _swapped(given[1:]), key)
    return xp.concatenate([_swapped(first), _swapped(second), np.zeros(1, np.uint64)])


def advanced(state: Array, blocks: int) -> Array:
    """Returns the state after `blocks` blocks were reserved."""
    return state + np.array([0, 0, blocks], dtype=np.uint64)


# -- the generator -----------------------------------------------------------------------------------


def _swapped(x: Array) -> Array:
    return (x << _32) | (x >> _32)


def _mixed(first: Array, second: Array, key: Array) -> tuple[Array, Array]:
    """Ten rounds on the two halves of counters, as are the halves of the result: (word 0, word 1) and (word 2, word 3), high word first."""

    def mix(carry: Any) -> Any:
        a, b, k0, k1 = carry
        new_a = (b >> _32) * _MULTIPLIERS[1] ^ (a << _32) ^ (k0 << _32)
        new_b = (a >> _32) * _MULTIPLIERS[0] ^ (b << _32) ^ (k1 << _32)
        return new_a, new_b, k0 + _WEYL[0], k1 + _WEYL[1]

    second = second + first * np.uint64(0)  # of one shape
    out = _engine(first).repeat(_ROUNDS, mix, (first, second, key & _LOW, key >> _32))
    return out[0], out[1]


def halves_at(state: Array, positions: Array) -> tuple[Array, Array]:
    """Returns the two 64-bit halves of each block of a vector of positions, counted from the state's own."""
    return _mixed(_swapped(positions + state[2:3]), _swapped(state[1:2]), state[0:1])


def _positions(state: Array, count: int, step: int = 1) -> Array:
    return xp.namespace(state).arange(count, dtype=np.uint64) * np.uint64(step)


def _interleaved(columns: list[Array], count: int) -> Array:
    return xp.reshape(xp.stack(columns, axis=-1), (-1,))[:count]


def _halves(state: Array, count: int) -> Array:
    """The first `count` halves of blocks."""
    return _interleaved(list(halves_at(state, _positions(state, -(-count // 2)))), count)


def _words(half: Array) -> list[Array]:
    return [xp.astype(half >> _32, _U32), xp.astype(half & _LOW, _U32)]


def words(state: Array, count: int) -> Array:
    """Returns the first `count` 32-bit numbers of the stream."""
    return _interleaved(_words(_halves(state, -(-count // 2))), count)


# -- uniform -----------------------------------------------------------------------------------------


def _to_float32(x: Array) -> Array:
    return xp.astype(x & np.uint32(0x7FFFFF), np.float32) * np.float32(2.0**-23)


def _to_float64(half: Array) -> Array:
    return xp.astype(half & np.uint64(2**52 - 1), np.float64) * np.float64(2.0**-52)


def uniform(state: Array, count: int, dtype: np.dtype[Any]) -> Array:
    """Returns `count` numbers in [0, 1) of a floating point type."""
    if dtype == np.float64:
        return _to_float64(_halves(state, count))
    x = words(state, count)
    if dtype == np.float32:
        return _to_float32(x)
    bits = 7 if dtype == ml_dtypes.bfloat16 else 10
    return xp.astype(xp.astype(x & np.uint32((1 << bits) - 1), np.float32) * np.float32(2.0**-bits), dtype)


def uniform_int(state: Array, count: int, low: Array, high: Array, dtype: np.dtype[Any]) -> Array:
    """Returns `count` integers in [low, high) of type int32 or int64; a slight bias is TensorFlow's."""
    x = words(state, count) if dtype == np.int32 else _swapped(_halves(state, count))
    low, high = (xp.astype(xp.reshape(v, (1,)), x.dtype) for v in (low, high))
    return xp.astype(low + xp.remainder(x, high - low), dtype)


# -- normal ------------------------------------------------------------------------------------------


def _box_muller(u1: Array, u2: Array) -> list[Array]:
    kind = u1.dtype.type
    radius = xp.sqrt(kind(-2) * xp.log(xp.maximum(u1, kind(1e-7))))
    angle = xp.astype(xp.astype(u2, np.float64) * np.float64(2 * math.pi), u1.dtype)
    return [xp.sin(angle) * radius, xp.cos(angle) * radius]


def _normals(halves: tuple[Array, Array], double: bool) -> list[Array]:
    """The normal deviates of a block: four in single precision, two in double."""
    if double:
        return _box_muller(_to_float64(halves[0]), _to_float64(halves[1]))
    return [x for h in halves for x in _box_muller(*map(_to_float32, _words(h)))]


def normal(state: Array, count: int, dtype: np.dtype[Any]) -> Array:
    """Returns `count` standard normal deviates."""
    if dtype == np.float64:
        return _interleaved(_normals(halves_at(state, _positions(state, -(-count // 2))), True), count)
    pairs = _box_muller(*map(_to_float32, _words(_halves(state, -(-count // 2)))))
    return xp.astype(_interleaved(pairs, count), dtype)


def truncated_normal(state: Array, count: int, dtype: np.dtype[Any]) -> Array:
    """Returns `count` standard normal deviates between -2 and 2.

    Outputs come in groups (4, or 2 in double precision), each of which owns a stretch of the stream and takes the first
    deviates in it that lie inside.
    """
    double = dtype == np.float64
    width = 2 if double else 4
    groups = -(-count // width)
    start = _positions(state, groups, width * RESERVED // 4)
    zero = xp.astype(start, np.float64 if double else np.float32) * 0

    def draw(carry: Any) -> Any:
        step, filled, slots = carry
        for x in _normals(halves_at(state, start + step), double):
            inside = abs(x) < 2
            slots = [xp.where(inside & (filled == i), x, s) for i, s in enumerate(slots)]
            filled = filled + xp.astype(inside, np.int32)
        return step + np.uint64(1), filled, slots

    first = (state[2] * np.uint64(0), xp.astype(zero, np.int32), [zero] * width)
    _, _, slots = _engine(state).loop(lambda carry: xp.any(carry[1] < width), draw, first)
    return xp.astype(_interleaved(slots, count), dtype)


# -- gamma and Poisson: one stretch of the stream per output -------------------------------------------


def gamma(state: Array, alpha: Array, samples: int) -> Array:
    """Returns gamma deviates of shape [samples, number of alphas] in float64.

    Source: G. Marsaglia and W. Tsang, "A simple method for generating gamma variables" (2000).
    """
    alphas = alpha.shape[0]
    a = xp.repeat(xp.astype(alpha, np.float64), samples)
    start = _positions(state, alphas * samples, RESERVED)
    below = a < 1
    d = a + xp.where(below, 2.0 / 3, -1.0 / 3)
    c = 1.0 / 3 / xp.sqrt(d)
    zero = a * 0
    none = xp.astype(zero, np.int32)

    def take(position: Array, left: Array, kept: Array, wanted: Array, normals: bool) -> tuple[Array, Array, Array, Array]:
        """Takes a number from the buffer of a lane, filling it when it is empty: last number first."""
        halves = halves_at(state, start + position)
        pair = _normals(halves, True) if normals else list(map(_to_float64, halves))
        fill = wanted & (left == 0)
        value = xp.where(fill, pair[1], kept)
        kept = xp.where(fill, pair[0], kept)
        left = xp.where(wanted, xp.where(fill, 1, left - 1), left)
        return xp.astype(xp.where(fill, position + np.uint64(1), position), _U64), xp.astype(left, np.int32), kept, value

    def attempt(carry: Any) -> Any:
        position, left_n, kept_n, left_u, kept_u, result, done = carry
        position, left_n, kept_n, x = take(position, left_n, kept_n, ~done, True)
        v = 1 + c * x
        usable = ~done & (v > 0)
        position, left_u, kept_u, u = take(position, left_u, kept_u, usable, False)
        v = xp.where(v > 0, v, 1.0) ** 3
        squeezed = u < 1 - 0.0331 * (x * x) * (x * x)
        accepted = usable & (squeezed | (xp.log(xp.where(u > 0, u, 1e-300)) < 0.5 * x * x + d * (1 - v + xp.log(v))))
        return position, left_n, kept_n, left_u, kept_u, xp.where(accepted, d * v, result), done | accepted

    one = a == 1
    first = (start * np.uint64(0), none, zero, none, zero, zero, one)
    position, _, _, left_u, kept_u, result, _ = _engine(state).loop(lambda carry: xp.any(~carry[6]), attempt, first)
    _, _, _, b = take(position, left_u, kept_u, below | one, False)
    boost = xp.where(below, b, 1.0) ** (1 / a)
    out = xp.where(one, -xp.log1p(-b), result * boost)
    return xp.reshape(out, (alphas, samples)).T


def poisson(state: Array, rate: Array, samples: int, highest: float) -> Array:
    """Returns Poisson deviates of shape [samples, number of rates] in float64, none above `highest`.

    Sources: Knuth's multiplication of uniforms for rates below 10, else W. Hörmann, "The transformed rejection method for
    generating Poisson random variables" (1993).
    """
    rates = rate.shape[0]
    r = xp.repeat(xp.astype(rate, np.float64), samples)
    start = _positions(state, rates * samples, RESERVED)
    small = r < 10
    limit = xp.exp(-xp.where(small, r, 1.0))
    large = xp.where(small, 10.0, r)
    b = 0.931 + 2.53 * xp.sqrt(large)
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    log_rate = xp.log(large)
    engine = _engine(state)

    def attempt(carry: Any) -> Any:
        position, product, count, result, done = carry
        first, second = map(_to_float64, halves_at(state, start + position))
        for u in (second, first):  # small rates: one factor a number
            product = product * u
            finished = small & ~done & (product <= limit)
            result = xp.where(finished, count, result)
            done = done | finished
            count = count + 1.0
        u, v = second - 0.5, first
        shifted = 0.5 - abs(u)
        k = xp.floor((2 * a / shifted + b) * u + large + 0.43)
        fast = (shifted >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
        refused = (k < 0) | ((shifted < 0.013) & (v > shifted))
        kept = xp.maximum(k, 0.0)
        s = xp.log(xp.maximum(v, 1e-300) * inverse / (a / (shifted * shifted) + b))
        slow = ~refused & (s <= -large + kept * log_rate - engine.lgamma(kept + 1))
        accepted = ~small & ~done & (k <= highest) & (fast | slow)
        return position + np.uint64(1), product, count, xp.where(accepted, k, result), done | accepted

    zero = r * 0
    out = engine.loop(lambda c: xp.any(~c[4]), attempt, (start * np.uint64(0), zero + 1, zero, zero, zero != 0))[3]
    return xp.reshape(out, (rates, samples)).T


# -- choosing ----------------------------------------------------------------------------------------


def categorical(state: Array, logits: Array, samples: int) -> Array:
    """Returns class numbers of shape [rows, samples] as int64, drawn by inverting the cumulative distribution."""
    rows = logits.shape[0]
    x = xp.astype(logits, np.float64)
    finite = xp.isfinite(x)
    top = xp.max(xp.where(finite, x, -np.inf), axis=1, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0.0)
    cdf = xp.cumsum(xp.where(finite, xp.exp(xp.where(finite, x, 0.0) - top), 0.0), axis=1)
    u = xp.reshape(uniform(state, rows * samples, np.dtype(np.float64)), (rows, samples))
    wanted = u * cdf[:, -1:]
    return xp.sum(xp.astype(cdf[:, None, :] <= wanted[:, :, None], np.int64), axis=2)


def permutation(state: Array, count: int) -> np.ndarray[Any, Any]:
    """Returns the order a shuffle of `count` rows puts them in: NumPy only, one swap after the other."""
    jumps = (words(state, count - 1).astype(np.int64) % np.arange(count, 1, -1)).tolist()
    order = list(range(count))
    for i, jump in enumerate(jumps):
        j = i + jump
        order[i], order[j] = order[j], order[i]
    return np.array(order, dtype=np.int64)


# -- bounded normal: one stream for all, NumPy only --------------------------------------------------------

MAX_TRIES = 1000
BATCH = 100
_INSIDE = 1.3


class _Source:
    """The uniforms or normals of a stream, a block at a time."""

    def __init__(self, state: Array, double: bool) -> None:
        self.state = state
        self.double = double
        self.at = 0

    def take(self, normals: bool) -> list[Any]:
        halves = halves_at(self.state, np.array([self.at], np.uint64))
        self.at += 1
        if normals:
            columns = _normals(halves, self.double)
        else:
            columns = [_to_float64(h) if self.double else _to_float32(w) for h in halves for w in ([h] if self.double else _words(h))]
        return [c[0] for c in columns]


def bounded_normal(state: Array, count: int, batches: int, each: int, parameters: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Returns `count` normal deviates, `each` a batch, with (mean, deviation, low, high) per batch or for all.

    Normals, uniforms or exponentials are drawn until one fits, whichever accepts most; the draws follow each other.
    Source: C. Robert, "Simulation of truncated normal variables" (1995).
    """
    dtype = parameters[0].dtype
    out = np.zeros(count, dtype)
    source = _Source(state, dtype == np.float64)
    kind = np.float64 if dtype == np.float64 else np.float32
    for b in range(batches):
        mean, deviation, low, high = (kind(p[0 if p.size == 1 else b]) for p in parameters)
        if not (deviation > 0 and low < high and (np.isfinite(low) or np.isfinite(high))):
            raise InvalidArgumentError(None, None, f"Invalid parameters: mean {mean}, standard deviation {deviation}, bounds {low} and {high}")
        if (np.isinf(low) and low < 0) or high < mean:
            low, high, deviation = high, low, -deviation
        wanted = min((b + 1) * each, count) - b * each
        numbers = _bounded(source, wanted, (low - mean) / deviation, (high - mean) / deviation, kind)
        out[b * each : b * each + wanted] = (np.array(numbers, kind) * deviation + mean).astype(dtype)
    return out


def _bounded(source: _Source, wanted: int, low: Any, high: Any, kind: Any) -> list[Any]:
    root = np.sqrt(low * low + kind(4))
    cutoff = kind(2) * np.exp(kind(0.5) + (low * (low - root)) / kind(4)) / (low + root)
    out: list[Any] = []
    tries = 0
    while len(out) < wanted:
        if (low < -_INSIDE and high >= 0) or (high > _INSIDE and low <= 0):
            found = [(x, low <= x <= high) for x in source.take(True)]
        elif high - low < cutoff:
            z = [u * (high - low) + low for u in source.take(False)]
            plus = kind(0) if low < 0 else low * low
            found = [(x, u <= np.exp((plus - x * x) / kind(2))) for x, u in zip(z, source.take(False), strict=True)]
        else:
            alpha = (low + root) / kind(2)
            u = source.take(False)
            z = [-np.log(a) / alpha + low for a in u[::2]]
            found = [(x, v <= np.exp(-((alpha - x if low < alpha else low - alpha) ** 2) / kind(2)) and x < high) for x, v in zip(z, u[1::2], strict=True)]
        for x, accepted in found:
            if len(out) < wanted and (accepted or tries + 1 >= MAX_TRIES):
                out.append(x)
                tries = 0
            else:
                tries += 1
    return out
