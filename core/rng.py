"""Random numbers: each is a pure function of a name or coordinates, and never of call order.

One generator serves two uses. `Stream` is scalar and seeded by a decision's id; the dispatcher
draws from it. `keys` and `uniforms` are vectorised, for a world of listeners: a seed and the
coordinates of a draw (listener, session, step, purpose) give one number.

The generator is SplitMix64 (Steele, Lea, Flood 2014). It uses integer arithmetic only, so the
numbers are the same on every machine, interpreter and numpy version.
"""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_MIX1 = 0xBF58476D1CE4E5B9
_MIX2 = 0x94D049BB133111EB

Words = npt.NDArray[np.uint64]


def mix(word: int) -> int:
    """SplitMix64's finaliser: a bijection of 64-bit words."""
    word = ((word ^ (word >> 30)) * _MIX1) & _MASK
    word = ((word ^ (word >> 27)) * _MIX2) & _MASK
    return word ^ (word >> 31)


class Stream:
    """Random numbers of one name, for instance of a decision's id."""

    __slots__ = ("_state",)

    def __init__(self, name: str) -> None:
        self._state = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")

    def word(self) -> int:
        """The next 64-bit word."""
        self._state = (self._state + _GAMMA) & _MASK
        return mix(self._state)

    def below(self, n: int) -> int:
        """The next integer in 0..n-1 (multiply-shift: bias below n / 2**64)."""
        # `word` and `mix`, written out: every decision draws, and two calls are 0.2 us of it.
        word = self._state = (self._state + _GAMMA) & _MASK
        word = ((word ^ (word >> 30)) * _MIX1) & _MASK
        word = ((word ^ (word >> 27)) * _MIX2) & _MASK
        return ((word ^ (word >> 31)) * n) >> 64

    def uniform(self) -> float:
        """The next float in [0, 1), a multiple of 2**-53."""
        return (self.word() >> 11) * 2.0**-53


def keys(seed: int, *coordinates: int | npt.NDArray[np.integer]) -> Words:
    """A 64-bit word for each point: uint64, the broadcast shape of the coordinates.

    Args:
        seed: Any integer; its low 64 bits count.
        coordinates: Integers, or integer arrays that broadcast; they identify the draw.
    """
    return extend_keys(np.asarray(mix((seed + _GAMMA) & _MASK), dtype=np.uint64), *coordinates)


def extend_keys(key: Words, *coordinates: int | npt.NDArray[np.integer]) -> Words:
    """Extend keys by more coordinates: `keys(seed, a, b)` is `extend_keys(keys(seed, a), b)`.

    Many draws share a listener and a session; their common key is then mixed only once.
    """
    with np.errstate(over="ignore"):
        for coordinate in coordinates:
            if isinstance(coordinate, int):
                coordinate = np.uint64(coordinate & _MASK)  # type: ignore[assignment]
            word = np.asarray(coordinate).astype(np.uint64)
            key = _mix_words((key ^ _mix_words(word + np.uint64(_GAMMA))) + np.uint64(_GAMMA))
    return key


def uniforms(seed: int, *coordinates: int | npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """A float64 in [0, 1) for each point; see `keys`."""
    return to_uniforms(keys(seed, *coordinates))


def to_uniforms(key: Words) -> npt.NDArray[np.float64]:
    """A float64 in [0, 1) for each key, a multiple of 2**-53."""
    return (key >> np.uint64(11)).astype(np.float64) * 2.0**-53


def to_integers(n: int | npt.NDArray[np.integer], key: Words) -> npt.NDArray[np.int64]:
    """An int64 in 0..n-1 for each key; `n` below 2**32 (bias below n / 2**32)."""
    high = key >> np.uint64(32)
    return ((high * np.asarray(n).astype(np.uint64)) >> np.uint64(32)).astype(np.int64)


def integers(
    n: int | npt.NDArray[np.integer], seed: int, *coordinates: int | npt.NDArray[np.integer]
) -> npt.NDArray[np.int64]:
    """An int64 in 0..n-1 for each point; `n` below 2**32 (bias below n / 2**32)."""
    return to_integers(n, keys(seed, *coordinates))


def _mix_words(word: Words) -> Words:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(_MIX1)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(_MIX2)
    return word ^ (word >> np.uint64(31))
