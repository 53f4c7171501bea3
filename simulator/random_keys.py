"""Random numbers of the simulator, each keyed by (seed, listener, session, purpose, step).

No number depends on the number drawn before it. So the order of sessions, the number of processes
or connections, and the order of the arms change nothing. Under two arms, the same session has the
same listener, taste, first track and luck.
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from core.rng import Words, extend_keys, keys, to_integers, to_uniforms

Indices = npt.NDArray[np.int64]


class Purpose(IntEnum):
    """The purpose of a number. The values are part of what a seed means: add, never change."""

    LISTENER = 1
    """The listener who plays a session."""
    INTEREST = 2
    """The interest that the session is about."""
    FIRST = 3
    """The track that plays first."""
    LUCK = 4
    """The cost of a step: a unit of the budget, or none."""
    POLICY = 5
    """The track that a baseline plays."""
    ACTIVITY = 32
    """Lifelong listeners, from here on: how active a listener is."""
    SESSIONS = 33
    """The number of sessions that a listener plays on a day."""
    RETURN = 34
    """The presence of yesterday's listener."""
    FATE = 35
    """A listener's leaving for good, or an absent one's return."""
    DRIFT = 36
    """The drift of a taste on a day."""
    HYPE = 37
    """The tracks that are hyped from a day on."""
    FINISH = 38
    """The hearing of a track to its end."""
    SKIP = 39
    """The place of a skip in a track."""
    LEAVE = 40
    """The end of a session, whatever plays."""


def draw_listeners(seed: int, sessions: Indices, listeners: int) -> Indices:
    """Draw the listener of each session uniformly: int64, the shape of `sessions`."""
    return to_integers(listeners, keys(seed, Purpose.LISTENER, sessions))


def session_keys(seed: int, listeners: Indices, sessions: Indices) -> Words:
    """Return one word per session, from which all its draws derive."""
    return keys(seed, listeners, sessions)


def draw_once(n: int, sessions: Words, purpose: Purpose) -> Indices:
    """Draw an integer in 0..n-1 for each session key, for what happens once per session."""
    return to_integers(n, extend_keys(sessions, int(purpose)))


def draw_at_step(sessions: Words, purpose: Purpose, steps: Indices) -> npt.NDArray[np.float64]:
    """Draw a float64 in [0, 1) for each session key at its step."""
    return to_uniforms(extend_keys(sessions, int(purpose), steps))
