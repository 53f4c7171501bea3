"""Arithmetic that gives the same bits on every machine.

IEEE 754 rounds + - * / and sqrt exactly, everywhere. exp and log it leaves to the library, and
those of numpy differ in the last bit between processors. What is committed with a checksum is
therefore computed from the former alone.
"""

from math import factorial

import numpy as np
import numpy.typing as npt

from core.rng import keys

Floats = npt.NDArray[np.float64]

_PER_LOG2 = 1.4426950408889634  # 1 / log 2
_LOG2_HIGH = 2977044471 / 2**32  # 32 bits of log 2, so that its multiples are exact
_LOG2_LOW = 1.9082149292705877e-10  # the rest of it
_TERMS = 13


def exp(x: Floats) -> Floats:
    """The exponential function within 4e-16 for |x| <= 700, the same bits everywhere.

    Args:
        x: Of any shape; what lies outside -700..700 counts as the nearer end.
    """
    x = np.clip(x, -700.0, 700.0)
    halvings = np.rint(x * _PER_LOG2)
    rest = (x - halvings * _LOG2_HIGH) - halvings * _LOG2_LOW
    value = np.full_like(rest, 1 / factorial(_TERMS))
    for power in range(_TERMS - 1, -1, -1):
        value = value * rest + 1 / factorial(power)
    return np.ldexp(value, halvings.astype(np.int32))


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), the same bits everywhere."""
    return 1.0 / (1.0 + exp(-x))


def normals(seed: int, *coordinates: int | npt.NDArray[np.integer]) -> Floats:
    """A nearly normal number for each point: mean 0, sd 1, within -6..6, a multiple of 2**-16.

    The sum of twelve uniforms of 16 bits each, less its mean: integers, hence exact.

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
