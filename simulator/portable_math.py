"""Arithmetic that gives the same bits on every machine.

IEEE 754 defines + - * / and sqrt to the last bit. It leaves exp and log to the library, and numpy's
differ in the last bit between processors. So everything that is committed with a checksum uses only
the former.
"""

from math import factorial

import numpy as np
import numpy.typing as npt

from core.rng import keys

Floats = npt.NDArray[np.float64]

_PER_LOG2 = 1.4426950408889634  # 1 / log 2
_LOG2_HIGH = 2977044471 / 2**32  # 32 bits of log 2, so that its multiples are exact
_LOG2_LOW = 1.9082149292705877e-10  # the rest of log 2
_TERMS = 13


def exp(x: Floats) -> Floats:
    """Return the exponential within 4e-16 for |x| <= 700, the same bits everywhere.

    Args:
        x: Of any shape; clipped to -700..700.
    """
    x = np.clip(x, -700.0, 700.0)
    halvings = np.rint(x * _PER_LOG2)
    rest = (x - halvings * _LOG2_HIGH) - halvings * _LOG2_LOW
    value = np.full_like(rest, 1 / factorial(_TERMS))
    for power in range(_TERMS - 1, -1, -1):
        value = value * rest + 1 / factorial(power)
    return np.ldexp(value, halvings.astype(np.int32))


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), the same bits everywhere."""
    return 1.0 / (1.0 + exp(-x))


def normals(seed: int, *coordinates: int | npt.NDArray[np.integer]) -> Floats:
    """Draw a nearly normal number for each point: mean 0, sd 1, within -6..6.

    The number is the sum of twelve uniforms of 16 bits each, less its mean. All are integers, so
    the sum is exact; the result is a multiple of 2**-16.

    Args:
        seed: As for `core.rng.keys`.
        coordinates: As for `core.rng.keys`.
    """
    total = np.asarray(0, dtype=np.int64)
    for part in range(3):
        word = keys(seed, *coordinates, part)
        for shift in (0, 16, 32, 48):
            total = total + ((word >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64)
    return (total - 6 * 0xFFFF) / 65536.0
