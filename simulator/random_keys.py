"""What the simulator draws for: every number is keyed by (seed, listener, session, purpose, step).

Nothing is ever drawn "next", so the order in which sessions are played changes nothing: not the
number of processes or connections, not which arm comes first. Under two arms, the same session
has the same listener, taste, first track and luck.
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from core.rng import Words, extend_keys, keys, to_integers, to_uniforms

Indices = npt.NDArray[np.int64]


class Purpose(IntEnum):
    """What a number is drawn for. Values are part of what a seed means: add, never change."""

    WHO = 1
    """Which listener comes in a session."""
    INTEREST = 2
    """Which interest the session is about."""
    FIRST = 3
    """Which track plays first."""
    LUCK = 4
    """Whether a step costs a unit of the budget."""
    POLICY = 5
    """What a built-in policy plays."""
    ACTIVITY = 32
    """Lifelong listeners, from here on: how active a listener is."""
    SESSIONS = 33
    """How often a listener comes on a day."""
    RETURN = 34
    """Whether a listener is there again on a day."""
    FATE = 35
    """Whether who is not there has left for good, or is back."""
    DRIFT = 36
    """Where a taste drifts on a day."""
    HYPE = 37
    """Which tracks are hyped from a day on."""
    FINISH = 38
    """Whether a track is heard to its end."""
    SKIP = 39
    """Where in a track a skip comes."""
    LEAVE = 40
    """Whether a session ends whatever plays."""


def who_comes(seed: int, sessions: Indices, listeners: int) -> Indices:
    """Listener of each session, uniform: int64, the shape of `sessions`."""
    return to_integers(listeners, keys(seed, Purpose.WHO, sessions))


def session_keys(seed: int, listeners: Indices, sessions: Indices) -> Words:
    """One word a session, from which all its draws derive."""
    return keys(seed, listeners, sessions)


def once(n: int, sessions: Words, purpose: Purpose) -> Indices:
    """An integer in 0..n-1 for each session key, for what happens once a session."""
    return to_integers(n, extend_keys(sessions, int(purpose)))


def at_step(sessions: Words, purpose: Purpose, steps: Indices) -> npt.NDArray[np.float64]:
    """A float64 in [0, 1) for each session key at its step."""
    return to_uniforms(extend_keys(sessions, int(purpose), steps))
