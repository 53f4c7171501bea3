"""Listeners who live on between sessions: fatigue, drift, retention and churn.

The model adds the effects of `simulator.listeners.settings` to botify's listener, and each effect
can be switched off. With all effects off it is botify's listener, bit for bit. Every draw is keyed
by its listener, day, session or step. So under two arms a listener has the same activity, the same
drift and the same luck: only the arms differ.
"""

import numpy as np
import numpy.typing as npt

from simulator.listeners.activity import ListenerActivity, draw_sessions, session_rates
from simulator.listeners.botify import BotifyListeners, BotifySettings
from simulator.listeners.drift import HypedTracks, SkipPoints, TasteDrift
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
from simulator.random_keys import Indices, Purpose, draw_at_step, session_keys
from simulator.world.world import World


def make_listeners(
    settings: ListenerSettings, world: World, nearest: npt.NDArray[np.integer], seed: int
) -> ListenerModel:
    """Make the model that the settings name; arguments as for `BotifyListeners`."""
    if settings.listener == "botify":
        return BotifyListeners(world, nearest, seed, _botify_settings(settings))
    return LifelongListeners(world, nearest, seed, settings)


def _botify_settings(settings: ListenerSettings) -> BotifySettings:
    return BotifySettings(
        settings.interest_neighbours, settings.session_budget, settings.artist_discount
    )


class LifelongListeners(BotifyListeners):
    """Listeners with the effects that `settings` switches on.

    `plan_day` moves the model to that day, so all sessions of the days before must have ended.
    """

    def __init__(
        self,
        world: World,
        nearest: npt.NDArray[np.integer],
        seed: int,
        settings: ListenerSettings,
    ) -> None:
        super().__init__(world, nearest, seed, _botify_settings(settings))
        self.effects = settings
        self._day = 0
        self._rates = session_rates(settings.activity, seed, len(world))
        self._activity = ListenerActivity(settings.returning, seed, len(world))
        self._drift = None if settings.drift is None else TasteDrift(settings.drift, world, seed)
        self._hype = None if settings.hype is None else HypedTracks(settings.hype, world, seed)
        self._skips = None if settings.skips is None else SkipPoints(settings.skips)
        self._recent_plays = (
            None
            if settings.weariness is None
            else RecentPlays(len(world), world.catalog.artist_of, settings.weariness)
        )

    @property
    def present(self) -> Flags:
        """Say whether each listener may come today: bool, (users,)."""
        return self._activity.present

    @property
    def churned(self) -> Flags:
        """Say whether each listener has left for good: bool, (users,)."""
        return self._activity.churned

    def plan_day(self, day: int, episodes: int) -> SessionPlan:
        """Plan sessions of the listeners present, by their activity."""
        while self._day < day:
            self._day += 1
            self._activity.start_day(self._day)
            if self._drift is not None:
                self._drift.start_day(self._day)
        if self.effects.activity is None:
            sessions = super().plan_day(day, episodes)
        else:
            mean = self.effects.activity.sessions_a_day or episodes / len(self.world)
            sessions = draw_sessions(self._rates * mean, self.seed, day)
        return sessions.rows(self.present[sessions.listener])

    def start(self, sessions: SessionPlan) -> SessionStarts:
        """Start as botify's listener, with the taste where it has drifted to."""
        starts = super().start(sessions)
        if self._drift is not None:
            starts = self._drift.apply(starts, sessions)
        if self._recent_plays is not None:
            full = np.ones(len(sessions))
            self._recent_plays.record(
                sessions.listener, starts.key, sessions.day, starts.first, full
            )
        return starts

    def listen(self, listens: ListenBatch) -> Floats:
        """Compute botify's time, changed by hype, fatigue and the way people skip."""
        dot = np.vecdot(self.world.embeddings[listens.track].astype(np.float64), listens.taste)
        if self._hype is not None:
            dot += self._hype.lift(listens.day, listens.track)
        time = self.discount(self.liking(dot, listens.listener), listens.artist_plays)
        if self._recent_plays is not None:
            time *= self._recent_plays.remaining_share(
                listens.listener, listens.key, listens.day, listens.track
            )
        time[listens.repeated] = 0.0
        if self._skips is not None:
            finishes = draw_at_step(listens.key, Purpose.FINISH, listens.step) < time
            skipped = self._skips.share_heard(draw_at_step(listens.key, Purpose.SKIP, listens.step))
            time = np.where(finishes, 1.0, skipped)
        time = np.rint(time * 100) / 100
        if self._recent_plays is not None:
            self._recent_plays.record(
                listens.listener, listens.key, listens.day, listens.track, time
            )
        return time

    def spend(self, listens: ListenBatch, time: Floats, budget: Indices) -> Indices:
        """Spend as botify's listener; some leave whatever plays."""
        left = super().spend(listens, time, budget)
        if self.effects.leaving is not None:
            leaves = draw_at_step(listens.key, Purpose.LEAVE, listens.step)
            left[leaves < self.effects.leaving.floor] = 0
        return left

    def end(self, sessions: SessionPlan, mean_time: Floats) -> None:
        """Update the satisfaction of the listeners."""
        self._activity.record_sessions(sessions.listener, mean_time)

    def expected_time(self, sessions: SessionPlan, taste: Floats, tracks: Indices) -> Floats:
        """Compute the expected time with all effects, without rounding."""
        vectors = self.world.embeddings[tracks].astype(np.float64)
        dot = np.einsum("nkd,nd->nk", vectors, taste)
        if self._hype is not None:
            dot += self._hype.lift(np.broadcast_to(sessions.day[:, None], tracks.shape), tracks)
        time = self.liking(dot, sessions.listener[:, None])
        if self._recent_plays is not None:
            session = session_keys(self.seed, sessions.listener, sessions.number)
            time *= self._recent_plays.remaining_share(
                sessions.listener, session, sessions.day, tracks
            )
        if self._skips is not None:
            time = time + (1 - time) * self._skips.mean
        return time
