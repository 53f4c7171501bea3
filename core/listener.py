"""A listener as strategies see it, and the compact history that the server keeps between turns."""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from core.catalog import UNKNOWN, Catalog
from core.track_fields import Where

_TIME_UNITS = 1_000_000_000
_TIME_MASK = (1 << 32) - 1
_new = tuple.__new__
_NONE: Where = {}


class Listen(NamedTuple):
    """A track, and the share of it that was heard.

    Attributes:
        track: Catalog index, or `UNKNOWN`.
        time: Share heard, in [0, 1], a multiple of 1e-9.
    """

    track: int
    time: float


def pack(track: int, time: float) -> int:
    """Pack one listen into 64 bits: the track plus one above, the time in billionths below.

    Billionths, and not a 4-byte float, so that 0.7 comes back as exactly 0.7 and thresholds
    mean what they say.
    """
    return (track + 1) << 32 | round(time * _TIME_UNITS)


def unpack(word: int) -> Listen:
    """Unpack a word of `pack` into its listen."""
    # tuple's own constructor: a named tuple's is a Python function around it, at twice the cost.
    return _new(Listen, ((word >> 32) - 1, (word & _TIME_MASK) / _TIME_UNITS))


class History:
    """One listener's listens, and the state of their session; about 1 KB at 100 listens.

    Attributes:
        listens: Packed listens (see `pack`), newest last.
        session_start: Number of `listens` from before the present session.
        session: Id of the present session; empty when none is open.
        turn: Number of turns that this history has seen.
        seen_ms: Unix time in ms of the last turn.
        catalog: The catalog that the indices in `listens` belong to.
    """

    __slots__ = (
        "catalog",
        "listens",
        "seen_ms",
        "session",
        "session_start",
        "turn",
    )

    def __init__(self, catalog: Catalog) -> None:
        self.listens = array("Q")
        self.session_start = 0
        self.session = ""
        self.turn = 0
        self.seen_ms = 0
        self.catalog = catalog

    def end_session(self) -> None:
        """Close the session; the listens stay known."""
        self.session_start = len(self.listens)
        self.session = ""

    def copy(self) -> "History":
        """Copy the history, so that a turn may be tried on it."""
        made = History(self.catalog)
        made.listens = self.listens[:]
        made.session, made.session_start = self.session, self.session_start
        made.turn, made.seen_ms = self.turn, self.seen_ms
        return made

    def trim(self, most: int) -> None:
        """Forget the oldest listens beyond `most`."""
        surplus = len(self.listens) - most
        if surplus > 0:
            del self.listens[:surplus]
            self.session_start = max(0, self.session_start - surplus)

    def move_to(self, catalog: Catalog) -> None:
        """Translate the indices to a new catalog, by track id."""
        if catalog is not self.catalog:
            ids = self.catalog.ids
            moved = []
            for word in self.listens:
                track, time = unpack(word)
                index = UNKNOWN if track == UNKNOWN else catalog.index_of(ids[track])
                moved.append(pack(index, time))
            self.listens = array("Q", moved)
            self.catalog = catalog


class Listener:
    """One listener at one turn; a view is computed at its first use, and kept.

    Views that give a track to act on never give an unknown one; `last` may.

    Attributes:
        id: The listener's id as a string: 7 and "7" are one listener.
        turn: Number of this turn, from 1.
        packed: All known listens, packed, newest last.
        session_start: Position in `packed` at which the present session begins.
        filter: The request's conditions on the fields of tracks; empty if it has none.
    """

    # Kept views are plain slots: functools.cached_property takes a lock on Python 3.11.
    __slots__ = (
        "_heard",
        "_heard_in_session",
        "_listens",
        "_notes",
        "filter",
        "id",
        "packed",
        "session_start",
        "turn",
    )

    def __init__(
        self,
        listener_id: str,
        packed: Sequence[int] = (),
        session_start: int = 0,
        turn: int = 1,
        notes: list[str] | None = None,
        conditions: Where = _NONE,
    ) -> None:
        self.id = listener_id
        self.filter = conditions
        self.packed = packed
        self.session_start = session_start
        self.turn = turn
        self._notes = notes
        self._listens: list[Listen] | None = None
        self._heard: frozenset[int] | None = None
        self._heard_in_session: frozenset[int] | None = None

    @classmethod
    def of(
        cls,
        listener_id: str,
        listens: Iterable[tuple[int, float]] = (),
        earlier: Iterable[tuple[int, float]] = (),
        turn: int = 1,
    ) -> "Listener":
        """Make a listener with these `listens` in the present session, after the `earlier` ones."""
        before = [pack(*listen) for listen in earlier]
        packed = before + [pack(*listen) for listen in listens]
        return cls(listener_id, array("Q", packed), len(before), turn)

    def note(self, why: str, *values: object) -> None:
        """Note a reason for a request with `explain`; without `explain` it costs nothing.

        Args:
            why: A `str.format` template, filled with `values` only for `explain`.
            values: The template's values.
        """
        if self._notes is not None:
            self._notes.append(why.format(*values))

    @property
    def listens(self) -> list[Listen]:
        """All known listens, newest last."""
        if self._listens is None:
            self._listens = [unpack(word) for word in self.packed]
        return self._listens

    @property
    def session(self) -> list[Listen]:
        """The listens of the present session, newest last."""
        return self.listens[self.session_start :]

    @property
    def last(self) -> Listen | None:
        """The newest listen of the present session, maybe of an unknown track."""
        if len(self.packed) <= self.session_start:
            return None
        return unpack(self.packed[-1])

    @property
    def first(self) -> Listen | None:
        """The first listen of the present session, if its track is known."""
        if len(self.packed) <= self.session_start:
            return None
        listen = unpack(self.packed[self.session_start])
        return None if listen.track == UNKNOWN else listen

    @property
    def heard(self) -> frozenset[int]:
        """Every known track in the listens."""
        if self._heard is None:
            self._heard = _tracks(self.packed)
        return self._heard

    @property
    def heard_in_session(self) -> frozenset[int]:
        """Every known track of the present session."""
        if self._heard_in_session is None:
            self._heard_in_session = _tracks(self.packed[self.session_start :])
        return self._heard_in_session

    def last_listen(self, at_least: float = 0.0, in_session: bool = False) -> Listen | None:
        """Find the newest listen of a known track heard for `at_least`."""
        # Not through `listens`: unpacking a hundred takes longer than the rest of a decision.
        start = self.session_start if in_session else 0
        for position in range(len(self.packed) - 1, start - 1, -1):
            word = self.packed[position]
            if word > _TIME_MASK and (word & _TIME_MASK) / _TIME_UNITS >= at_least:
                return unpack(word)
        return None

    def best_listen(self, at_least: float = 0.0, in_session: bool = False) -> Listen | None:
        """Find the listen of a known track heard longest; the newest of equals."""
        best, most = 0, -1
        for word in self.packed[self.session_start :] if in_session else self.packed:
            time = word & _TIME_MASK
            if time >= most and word > _TIME_MASK:
                best, most = word, time
        return unpack(best) if best and most / _TIME_UNITS >= at_least else None

    def artist_counts(self, catalog: Catalog, in_session: bool = False) -> Counter[int]:
        """Count the plays of each artist, by the artist's index."""
        words = self.packed[self.session_start :] if in_session else self.packed
        artists = catalog.artist_of
        return Counter(int(artists[(word >> 32) - 1]) for word in words if word >> 32)

    def likings(self, catalog: Catalog, fatigue: float = 1.0) -> list[tuple[int, float]]:
        """Estimate how much the session's tracks were liked, without the fatigue of their artists.

        A listener who tires of an artist hears each further track of this artist for a smaller
        share: the liking is min(1, time / fatigue ** earlier plays of the artist in the session).

        Args:
            catalog: The catalog of the tracks.
            fatigue: Factor on the share heard at each play of the same artist, in (0, 1].

        Returns:
            (track, liking in [0, 1]) of each listen of a known track, the oldest first.
        """
        # `item` gives an int at half the cost of int(artists[track]).
        artist_of, found = catalog.artist_of.item, []
        remaining: dict[int, float] = {}
        for word in self.packed[self.session_start :]:
            track = (word >> 32) - 1
            if track != UNKNOWN:
                artist = artist_of(track)
                factor = remaining.get(artist, 1.0)
                remaining[artist] = factor * fatigue
                liking = (word & _TIME_MASK) / _TIME_UNITS / factor
                found.append((track, liking if liking < 1.0 else 1.0))
        return found

    def skip_streak(self, below: float) -> int:
        """Count the session's newest listens in a row that were heard for less than `below`."""
        streak = 0
        for position in range(len(self.packed) - 1, self.session_start - 1, -1):
            if (self.packed[position] & _TIME_MASK) / _TIME_UNITS >= below:
                break
            streak += 1
        return streak


def _tracks(packed: Sequence[int]) -> frozenset[int]:
    return frozenset([above - 1 for word in packed if (above := word >> 32)])
