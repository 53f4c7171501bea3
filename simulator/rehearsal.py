"""A new world's first listening, played by its maker so that there is something to make lists of.

Listeners of the predecessor's model (`listener: classic`), and a recommender that knows only what
was listened to so far: it plays tracks at random, of the same artist, popular ones, and, from the
second round on, what was heard together before. Times are whole hundredths, and all is exact
arithmetic, so that lists made of the listening are the same bytes everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from operator import mul

import numpy as np
import numpy.typing as npt

from core.catalog import Catalog
from core.progress import SILENT, Progress
from core.streams import integers, uniforms
from simulator.arithmetic import sigmoid
from simulator.nearest import neighbourhoods
from simulator.world import World

BUDGET = 5
MOST_STEPS = 60
"""Recommendations after which a session ends whatever happens."""

WORD = 1 << 31
_WORD_BITS = 31
_SESSIONS_AT_ONCE = 20_000
# 0.8 ** k, by multiplication: powers are the library's, and not the same everywhere.
_DISCOUNTS = np.array(list(accumulate([1.0] + [0.8] * MOST_STEPS, mul)))
# What a draw is for; see `core.streams`. Apart from those of `simulator.creation`.
_TASTE, _FIRST, _SOURCE, _TRACK, _LUCK, _WAY = range(101, 107)

Ints = npt.NDArray[np.int64]
Related = Callable[[Ints, Ints], Ints]
"""(tracks, words below `WORD`) -> a track heard together with each, or -1 where none is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Listening:
    """Listens in the order of sessions and of time within them; all int64, (listens,).

    Attributes:
        session: Which session.
        listener: Index of the listener.
        track: Catalog index.
        hundredths: Share heard, in hundredths, 0..100.
    """

    session: Ints
    listener: Ints
    track: Ints
    hundredths: Ints

    def __len__(self) -> int:
        return len(self.track)


def rehearse(
    world: World,
    seed: int,
    sessions: int,
    popular: Ints,
    related: Related | None,
    first_session: int = 0,
    progress: Progress = SILENT,
) -> Listening:
    """Play so many sessions of each listener.

    Args:
        world: Who listens to what.
        seed: Any integer.
        sessions: Sessions of each listener, a count.
        popular: Catalog indices of the tracks that are played as popular ones; may be empty.
        related: What was heard together with a track, if anything is known.
        first_session: Number of the first session of each listener; numbers are never used twice.
        progress: Advanced by one for each session.
    """
    near = neighbourhoods(world)
    by_artist = _ByArtist(world.catalog)
    total = sessions * len(world)
    progress.start("playing sessions", total)
    parts = []
    for start in range(0, total, _SESSIONS_AT_ONCE):
        number = np.arange(start, min(start + _SESSIONS_AT_ONCE, total))
        listener, session = number // sessions, first_session + number % sessions
        taste = integers(world.interests.shape[1], seed, _TASTE, listener, session)
        place = integers(near.shape[2], seed, _FIRST, listener, session)
        players = _Players(world, seed, listener, session, world.interests[listener, taste])
        players.hear(near[listener, taste, place].astype(np.int64), first=True)
        while len(players.alive) and players.step < MOST_STEPS:
            players.step += 1
            players.hear(_next(players, popular, related, by_artist))
        parts.append(players.heard(start))
        progress.advance(len(number))
    return Listening(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _ByArtist:
    def __init__(self, catalog: Catalog) -> None:
        self._artist_of = catalog.artist_of.astype(np.int64)
        self._order = np.argsort(self._artist_of, kind="stable")
        self._ends = np.searchsorted(
            self._artist_of[self._order], np.arange(len(catalog.artists) + 1)
        )

    def __call__(self, tracks: Ints, words: Ints) -> Ints:
        artist = self._artist_of[tracks]
        start, size = self._ends[artist], self._ends[artist + 1] - self._ends[artist]
        picked: Ints = self._order[start + (words * size >> _WORD_BITS)]
        return picked


class _Players:
    """Sessions under way; arrays of `alive` sessions unless said otherwise."""

    def __init__(self, world: World, seed: int, listener: Ints, session: Ints, taste: Ints) -> None:
        self.world, self.seed, self.step = world, seed, 0
        self.listener, self.session = listener, session
        self.taste = world.embeddings[taste]
        self.alive = np.arange(len(listener))
        self.budget = np.full(len(listener), BUDGET)
        self.best = np.full(len(listener), -1, dtype=np.int64)  # the best-heard track
        self.best_hundredths = np.full(len(listener), -1, dtype=np.int64)
        # All sessions, alive or not: what each has heard, -1 where nothing yet.
        self.track = np.full((len(listener), MOST_STEPS + 1), -1, dtype=np.int64)
        self.hundredths = np.zeros((len(listener), MOST_STEPS + 1), dtype=np.int64)

    def of(self, purpose: int) -> tuple[int, int, Ints, Ints, int]:
        """Coordinates of a draw of each session alive."""
        return self.seed, purpose, self.listener[self.alive], self.session[self.alive], self.step

    def hear(self, tracks: Ints, first: bool = False) -> None:
        """Each session alive hears its track; those that have had enough are alive no more."""
        alive = self.alive
        if first:
            hundredths = np.full(len(tracks), 100)
        else:
            hundredths = self._hundredths(tracks)
            lost = uniforms(*self.of(_LUCK)) * 100 >= hundredths
            self.budget[alive] -= lost
        self.track[alive, self.step] = tracks
        self.hundredths[alive, self.step] = hundredths
        better = hundredths >= self.best_hundredths[alive]
        self.best[alive[better]] = tracks[better]
        self.best_hundredths[alive[better]] = hundredths[better]
        self.alive = alive[self.budget[alive] > 0]

    def _hundredths(self, tracks: Ints) -> Ints:
        world, listener = self.world, self.listener[self.alive]
        dot = (self.taste[self.alive] * world.embeddings[tracks]).sum(axis=1, dtype=np.float64)
        liking = sigmoid((dot - world.consume_bias[listener]) * world.consume_sharpness[listener])
        before = self.track[self.alive, : self.step]
        artist_of = world.catalog.artist_of
        plays = (artist_of[before] == artist_of[tracks][:, None]).sum(axis=1)
        again = (before == tracks[:, None]).any(axis=1)
        return np.where(again, 0, np.rint(liking * _DISCOUNTS[plays] * 100)).astype(np.int64)

    def heard(self, start: int) -> tuple[Ints, Ints, Ints, Ints]:
        """Session, listener, track and hundredths of all listens, in order."""
        row, step = np.nonzero(self.track >= 0)
        return start + row, self.listener[row], self.track[row, step], self.hundredths[row, step]


def _next(players: _Players, popular: Ints, related: Related | None, by_artist: _ByArtist) -> Ints:
    """What the recommender plays: half the time something new, else of what was liked."""
    best = players.best[players.alive]
    words = integers(WORD, *players.of(_TRACK))
    tracks = words * len(players.world.catalog) >> _WORD_BITS
    way = integers(100, *players.of(_WAY))
    same_artist = (way >= 30) & (way < 50)
    tracks[same_artist] = by_artist(best[same_artist], words[same_artist])
    known = (way >= 50) & (way < 65)
    if len(popular):
        tracks[known] = popular[words[known] * len(popular) >> _WORD_BITS]
    together = way >= 65
    if related is not None:
        found = related(best[together], words[together])
        tracks[together] = np.where(found >= 0, found, tracks[together])
    return tracks
