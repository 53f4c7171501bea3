"""Who comes on a day: heavy and light listeners, who is there again, who has left for good."""

import numpy as np

from core.rng import uniforms
from simulator.listeners.model import Floats, SessionPlan
from simulator.listeners.settings import Activity, Returning
from simulator.portable_math import normals
from simulator.random_keys import Indices, Purpose

MOST_SESSIONS = 64
"""Of a listener on a day."""


def rates_of(settings: Activity | None, seed: int, listeners: int) -> Floats:
    """How active each listener is: float64, (users,), 1 on average."""
    if settings is None:
        return np.ones(listeners)
    drawn = normals(seed, Purpose.ACTIVITY, np.arange(listeners))
    return np.exp(settings.spread * drawn - settings.spread**2 / 2)


def active_on(rates: Floats, seed: int, day: int) -> SessionPlan:
    """Poisson sessions of each listener; numbers depend on nobody else's, so arms can differ."""
    listener = np.arange(len(rates))
    luck = uniforms(seed, Purpose.SESSIONS, listener, day)
    chance = np.exp(-rates)
    reached = chance.copy()
    count = np.zeros(len(rates), dtype=np.int64)
    for sessions in range(1, MOST_SESSIONS + 1):
        more = luck >= reached
        if not more.any():
            break
        count += more
        chance = chance * rates / sessions
        reached += chance
    nth, who = np.nonzero(np.arange(count.max(initial=0))[:, None] < count)
    number = (day * MOST_SESSIONS + nth) * len(rates) + who
    return SessionPlan(who, number, np.full(len(who), day, dtype=np.int64))


class ListenerActivity:
    """Who is there, who stays away for now, and who has left for good.

    Attributes:
        present: bool, (users,), who may come today.
        gone: bool, (users,), who will never come again.
    """

    def __init__(self, settings: Returning | None, seed: int, listeners: int) -> None:
        self._settings = settings
        self._seed = seed
        self.present = np.ones(listeners, dtype=np.bool_)
        self.gone = np.zeros(listeners, dtype=np.bool_)
        self._came = np.zeros(listeners, dtype=np.bool_)
        self._satisfaction = np.full(listeners, settings.usual if settings is not None else 0.0)

    def came(self, listener: Indices, mean_time: Floats) -> None:
        """A session of each of these is over."""
        if self._settings is not None:
            before = self._satisfaction[listener]
            after = before + self._settings.weight * (mean_time - before)
            self._satisfaction[listener] = after
            self._came[listener] = True

    def night(self, day: int) -> None:
        """The night before a day: who came yesterday decides, who stayed away may return."""
        if self._settings is None:
            return
        settings, listener = self._settings, np.arange(len(self.present))
        usual = np.log(settings.chance / (1 - settings.chance))
        odds = usual + settings.steepness * (self._satisfaction - settings.usual)
        again = uniforms(self._seed, Purpose.RETURN, listener, day) < 1 / (1 + np.exp(-odds))
        fate = uniforms(self._seed, Purpose.FATE, listener, day)
        leaving = self.present & self._came & ~again
        back = ~self.present & ~self.gone & (fate < settings.comeback)
        self.gone |= leaving & (fate < settings.for_good)
        self.present = (self.present & ~leaving) | back
        self._came[:] = False
