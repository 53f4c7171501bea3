"""The days on which listeners come: heavy and light listeners, retention, and churn."""

import numpy as np

from core.rng import uniforms
from simulator.listeners.model import Floats, SessionPlan
from simulator.listeners.settings import Activity, Returning
from simulator.portable_math import normals
from simulator.random_keys import Indices, Purpose

MOST_SESSIONS = 64
"""Sessions of one listener on one day, at most."""


def session_rates(settings: Activity | None, seed: int, listeners: int) -> Floats:
    """Return the activity of each listener: float64, (users,), 1 on average."""
    if settings is None:
        return np.ones(listeners)
    drawn = normals(seed, Purpose.ACTIVITY, np.arange(listeners))
    return np.exp(settings.spread * drawn - settings.spread**2 / 2)


def draw_sessions(rates: Floats, seed: int, day: int) -> SessionPlan:
    """Draw a Poisson number of sessions for each listener.

    A session's number depends on its listener and day only. So two arms keep the same numbers even
    when different listeners come.
    """
    listener = np.arange(len(rates))
    luck = uniforms(seed, Purpose.SESSIONS, listener, day)
    # Inversion: the count is the number of terms of the Poisson distribution that `luck` exceeds.
    probability = np.exp(-rates)
    cumulative = probability.copy()
    count = np.zeros(len(rates), dtype=np.int64)
    for sessions in range(1, MOST_SESSIONS + 1):
        more = luck >= cumulative
        if not more.any():
            break
        count += more
        probability = probability * rates / sessions
        cumulative += probability
    nth, who = np.nonzero(np.arange(count.max(initial=0))[:, None] < count)
    number = (day * MOST_SESSIONS + nth) * len(rates) + who
    return SessionPlan(who, number, np.full(len(who), day, dtype=np.int64))


class ListenerActivity:
    """The listeners who come, who stay away for now, and who have left for good.

    Attributes:
        present: bool, (users,), whether the listener may come today.
        churned: bool, (users,), whether the listener has left for good.
    """

    def __init__(self, settings: Returning | None, seed: int, listeners: int) -> None:
        self._settings = settings
        self._seed = seed
        self.present = np.ones(listeners, dtype=np.bool_)
        self.churned = np.zeros(listeners, dtype=np.bool_)
        self._active_yesterday = np.zeros(listeners, dtype=np.bool_)
        self._satisfaction = np.full(listeners, settings.usual if settings is not None else 0.0)

    def record_sessions(self, listener: Indices, mean_time: Floats) -> None:
        """Update the satisfaction of listeners whose sessions have ended."""
        if self._settings is not None:
            before = self._satisfaction[listener]
            after = before + self._settings.weight * (mean_time - before)
            self._satisfaction[listener] = after
            self._active_yesterday[listener] = True

    def start_day(self, day: int) -> None:
        """Draw who is present: yesterday's listeners may leave, absent ones may come back."""
        if self._settings is None:
            return
        settings, listener = self._settings, np.arange(len(self.present))
        usual = np.log(settings.chance / (1 - settings.chance))
        odds = usual + settings.steepness * (self._satisfaction - settings.usual)
        again = uniforms(self._seed, Purpose.RETURN, listener, day) < 1 / (1 + np.exp(-odds))
        fate = uniforms(self._seed, Purpose.FATE, listener, day)
        leaving = self.present & self._active_yesterday & ~again
        back = ~self.present & ~self.churned & (fate < settings.comeback)
        self.churned |= leaving & (fate < settings.for_good)
        self.present = (self.present & ~leaving) | back
        self._active_yesterday[:] = False
