"""The hash functions of the string ops, on bytes: FarmHash's Fingerprint64, MurmurHash64A and SipHash-2-4.

Each is written from its published definition; all arithmetic is modulo 2**64.
"""

from collections.abc import Sequence

MASK = 0xFFFFFFFFFFFFFFFF
_Two = tuple[int, int]

# -- FarmHash (the variant "na") -----------------------------------------------------------------------

_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _half(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _rotated(x: int, right: int) -> int:
    x &= MASK
    return (x >> right | x << (64 - right)) & MASK


def _mixed(x: int) -> int:
    x &= MASK
    return x ^ x >> 47


def _pair(u: int, v: int, factor: int) -> int:
    v &= MASK
    a = _mixed((u & MASK ^ v) * factor)
    return _mixed((v ^ a) * factor) * factor & MASK


def _up_to_16(s: bytes) -> int:
    n = len(s)
    factor = _K2 + 2 * n
    if n >= 8:
        a, b = _word(s, 0) + _K2, _word(s, n - 8)
        return _pair(_rotated(b, 37) * factor + a, (_rotated(a, 25) + b) * factor, factor)
    if n >= 4:
        return _pair(n + (_half(s, 0) << 3), _half(s, n - 4), factor)
    if n:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[-1] << 2)
        return _mixed(y * _K2 ^ z * _K0) * _K2 & MASK
    return _K2


def _up_to_32(s: bytes) -> int:
    n = len(s)
    factor = _K2 + 2 * n
    a, b, c, d = _word(s, 0) * _K1, _word(s, 8), _word(s, n - 8) * factor, _word(s, n - 16) * _K2
    return _pair(_rotated(a + b, 43) + _rotated(c, 30) + d, a + _rotated(b + _K2, 18) + c, factor)


def _up_to_64(s: bytes) -> int:
    n = len(s)
    factor = _K2 + 2 * n
    a, b, c, d = _word(s, 0) * _K2, _word(s, 8), _word(s, n - 8) * factor, _word(s, n - 16) * _K2
    y = _rotated(a + b, 43) + _rotated(c, 30) + d
    z = _pair(y, a + _rotated(b + _K2, 18) + c, factor)
    e, f = _word(s, 16) * factor, _word(s, 24)
    g, h = (y + _word(s, n - 32)) * factor, (z + _word(s, n - 24)) * factor
    return _pair(_rotated(e + f, 43) + _rotated(g, 30) + h, e + _rotated(f + a, 18) + g, factor)


def _weak(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """Hashes 32 bytes with two seeds."""
    w, x, y, z = (_word(s, at + i) for i in (0, 8, 16, 24))
    a += w
    b = _rotated(b + a + z, 21)
    total = a + x + y
    return total + z & MASK, b + _rotated(total, 44) + a & MASK


def fingerprint64(s: bytes) -> int:
    """FarmHash's Fingerprint64.

    >>> hex(fingerprint64(b""))
    '0x9ae16a3b2f90404f'
    """
    n = len(s)
    if n <= 16:
        return _up_to_16(s)
    if n <= 32:
        return _up_to_32(s)
    if n <= 64:
        return _up_to_64(s)
    seed = 81
    x, y = seed * _K2 + _word(s, 0), seed * _K1 + 113
    z = _mixed(y * _K2 + 113) * _K2
    v, w = (0, 0), (0, 0)

    def step(at: int, x: int, y: int, z: int, v: _Two, w: _Two, factor: int, weight: int) -> tuple[int, int, int, _Two, _Two]:
        x = _rotated(x + y + v[0] + _word(s, at + 8), 37) * factor & MASK ^ w[1] * weight & MASK
        y = _rotated(y + v[1] + _word(s, at + 48), 42) * factor + v[0] * weight + _word(s, at + 40)
        z = _rotated(z + w[0], 33) * factor
        v = _weak(s, at, v[1] * factor, x + w[0])
        w = _weak(s, at + 32, z + w[1], y + _word(s, at + 16))
        return z & MASK, y & MASK, x, v, w

    for at in range(0, (n - 1) // 64 * 64, 64):
        x, y, z, v, w = step(at, x, y, z, v, w, _K1, 1)
    factor = _K1 + ((z & 0xFF) << 1)
    first = w[0] + (n - 1 & 63)
    v = (v[0] + first, v[1])
    w = (first + v[0], w[1])
    x, y, z, v, w = step(n - 64, x, y, z, v, w, factor, 9)
    return _pair(_pair(v[0], w[0], factor) + _mixed(y) * _K0 + z, _pair(v[1], w[1], factor) + x, factor)


# -- MurmurHash64A -------------------------------------------------------------------------------------


def murmur64(s: bytes, seed: int = 0xDECAFCAFFE) -> int:
    """MurmurHash64A, with the seed TensorFlow gives it."""
    factor = 0xC6A4A7935BD1E995
    h = (seed ^ len(s) * factor) & MASK
    whole = len(s) // 8 * 8
    for at in range(0, whole, 8):
        k = _mixed(_word(s, at) * factor) * factor & MASK
        h = (h ^ k) * factor & MASK
    if whole < len(s):
        h = (h ^ _word(s, whole)) * factor & MASK
    return _mixed(_mixed(h) * factor)


# -- SipHash-2-4 ---------------------------------------------------------------------------------------


def siphash(s: bytes, key: Sequence[int]) -> int:
    """SipHash-2-4 with a key of two 64-bit words."""
    k0, k1 = key[0] & MASK, key[1] & MASK
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rounds(n: int) -> None:
        a, b, c, d = v
        for _ in range(n):
            a = a + b & MASK
            c = c + d & MASK
            b, d = _rotated(b, 51) ^ a, _rotated(d, 48) ^ c
            a = _rotated(a, 32)
            a = a + d & MASK
            c = c + b & MASK
            b, d = _rotated(b, 47) ^ c, _rotated(d, 43) ^ a
            c = _rotated(c, 32)
        v[:] = [a, b, c, d]

    whole = len(s) // 8 * 8
    last = _word(s, whole) | (len(s) & 0xFF) << 56
    for m in (*[_word(s, at) for at in range(0, whole, 8)], last):
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
