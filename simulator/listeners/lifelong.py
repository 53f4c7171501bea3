"""Listeners who live on between sessions: they grow weary, drift, come back or leave for good.

The classic listener, and on top of it the effects of `simulator.listeners.settings`, each of
which can be switched off; with all of them off, it is the classic listener bit for bit.
Every draw is keyed by the listener, the day, the session or the step that it belongs to, so under
two arms a listener is as heavy, drifts alike and has the same luck: only the arms differ.
"""

import numpy as np
import numpy.typing as npt

from simulator.listeners.activity import ListenerActivity, active_on, rates_of
from simulator.listeners.botify import BotifyListeners, BotifySettings
from simulator.listeners.drift import HypedArtists, SkipPoints, TasteDrift
from simulator.listeners.fatigue import RecentPlays
from simulator.listeners.model import (
    Flags,
    Floats,
    ListenBatch,
    ListenerModel,
    SessionPlan,
    SessionStarts,
)
from simulator.listeners.settings import ListenerSettings
from simulator.random_keys import Indices, Purpose, at_step, session_keys
from simulator.world.world import World


def make_listeners(
    settings: ListenerSettings, world: World, nearest: npt.NDArray[np.integer], seed: int
) -> ListenerModel:
    """The model of listeners that the settings name; arguments as for `BotifyListeners`."""
    classic = BotifySettings(
        settings.interest_neighbours, settings.session_budget, settings.artist_discount
    )
    if settings.listener == "classic":
        return BotifyListeners(world, nearest, seed, classic)
    return LifelongListeners(world, nearest, seed, settings)


class LifelongListeners(BotifyListeners):
    """See the module; `settings` says which effects there are.

    Days are lived through by `visits`: what it asks of a day before it is over, it asks too early.
    """

    def __init__(
        self,
        world: World,
        nearest: npt.NDArray[np.integer],
        seed: int,
        settings: ListenerSettings,
    ) -> None:
        classic = BotifySettings(
            settings.interest_neighbours, settings.session_budget, settings.artist_discount
        )
        super().__init__(world, nearest, seed, classic)
        self.effects = settings
        self._day = 0
        self._rates = rates_of(settings.activity, seed, len(world))
        self._presence = ListenerActivity(settings.returning, seed, len(world))
        self._walk = None if settings.drift is None else TasteDrift(settings.drift, world, seed)
        self._hype = None if settings.hype is None else HypedArtists(settings.hype, world, seed)
        self._skips = None if settings.skips is None else SkipPoints(settings.skips)
        self._plays = (
            None
            if settings.weariness is None
            else RecentPlays(len(world), world.catalog.artist_of, settings.weariness)
        )

    @property
    def present(self) -> Flags:
        """Who may come today: bool, (users,)."""
        return self._presence.present

    @property
    def gone(self) -> Flags:
        """Who has left for good: bool, (users,)."""
        return self._presence.gone

    def visits(self, day: int, episodes: int) -> SessionPlan:
        """Sessions of those present, as many as they are active."""
        while self._day < day:
            self._day += 1
            self._presence.night(self._day)
            if self._walk is not None:
                self._walk.night(self._day)
        if self.effects.activity is None:
            visits = super().visits(day, episodes)
        else:
            mean = self.effects.activity.sessions_a_day or episodes / len(self.world)
            visits = active_on(self._rates * mean, self.seed, day)
        return visits.rows(self.present[visits.listener])

    def open(self, visits: SessionPlan) -> SessionStarts:
        """As the classic listener, with the taste where it has drifted to."""
        opened = super().open(visits)
        if self._walk is not None:
            opened = self._walk.moved(opened, visits)
        if self._plays is not None:
            heard = np.ones(len(visits))
            self._plays.remember(visits.listener, opened.key, visits.day, opened.first, heard)
        return opened

    def hear(self, hearings: ListenBatch) -> Floats:
        """The classic time, changed by hype, weariness and the way people skip."""
        dot = np.vecdot(self.world.embeddings[hearings.track].astype(np.float64), hearings.taste)
        if self._hype is not None:
            dot += self._hype.lift(hearings.day, hearings.track)
        time = self.discounted(self.liking(dot, hearings.listener), hearings.artist_plays)
        if self._plays is not None:
            time *= self._plays.left(hearings.listener, hearings.key, hearings.day, hearings.track)
        time[hearings.repeated] = 0.0
        if self._skips is not None:
            finishes = at_step(hearings.key, Purpose.FINISH, hearings.step) < time
            skipped = self._skips.shares(at_step(hearings.key, Purpose.SKIP, hearings.step))
            time = np.where(finishes, 1.0, skipped)
        time = np.rint(time * 100) / 100
        if self._plays is not None:
            self._plays.remember(
                hearings.listener, hearings.key, hearings.day, hearings.track, time
            )
        return time

    def spend(self, hearings: ListenBatch, time: Floats, budget: Indices) -> Indices:
        """As the classic listener; and some leave whatever plays."""
        left = super().spend(hearings, time, budget)
        if self.effects.leaving is not None:
            leaves = at_step(hearings.key, Purpose.LEAVE, hearings.step)
            left[leaves < self.effects.leaving.floor] = 0
        return left

    def close(self, visits: SessionPlan, mean_time: Floats) -> None:
        """Remember how the sessions went."""
        self._presence.came(visits.listener, mean_time)

    def expected(self, visits: SessionPlan, taste: Floats, tracks: Indices) -> Floats:
        """Expected time with all effects, not rounded."""
        vectors = self.world.embeddings[tracks].astype(np.float64)
        dot = np.einsum("nkd,nd->nk", vectors, taste)
        if self._hype is not None:
            dot += self._hype.lift(np.broadcast_to(visits.day[:, None], tracks.shape), tracks)
        time = self.liking(dot, visits.listener[:, None])
        if self._plays is not None:
            session = session_keys(self.seed, visits.listener, visits.number)
            time *= self._plays.left(visits.listener, session, visits.day, tracks)
        if self._skips is not None:
            time = time + (1 - time) * self._skips.mean
        return time
