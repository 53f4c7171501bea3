"""Interactions: which listener heard which track for how long, in sessions, as columns.

Every model is fitted on them, whether they come from an event log or from a public data set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from core.catalog import Catalog
from core.errors import InputError

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Interactions:
    """Listens in order: sessions one after another, each in the order in which it was heard.

    Attributes:
        session: int64, (rows,), 0..sessions-1, never falling.
        position: int32, (rows,), place of the listen in its session, from 0, rising.
        user: int32, (rows,), index into `users`.
        track: int32, (rows,), catalog index, always known.
        time: float32, (rows,), share heard, in [0, 1].
        at_ms: int64, (rows,), Unix time in ms.
        propensity: float32, (rows,), propensity of the decision for the track; NaN where no
            recommender chose it, or the log has no propensity.
        plays: int32, (rows,), number of plays; above 1 only in data sets with counts.
        weight: float32, (rows,), weight of the listen; 1 unless weighted by inverse propensity.
        users: Listener ids.
        catalog: The catalog of the indices in `track`.
        sources: File that the listens come from -> its SHA-256.
    """

    session: npt.NDArray[np.int64]
    position: npt.NDArray[np.int32]
    user: npt.NDArray[np.int32]
    track: npt.NDArray[np.int32]
    time: Floats
    at_ms: npt.NDArray[np.int64]
    propensity: Floats
    plays: npt.NDArray[np.int32]
    weight: Floats
    users: Sequence[str]
    catalog: Catalog
    sources: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.track)

    @property
    def sessions(self) -> int:
        """Number of sessions."""
        return int(self.session[-1]) + 1 if len(self) else 0

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """Row where each session begins, and the number of rows: int64, (sessions + 1,)."""
        starts: npt.NDArray[np.int64] = np.searchsorted(
            self.session, np.arange(self.sessions + 1)
        ).astype(np.int64)
        return starts

    def where(self, keep: npt.NDArray[np.bool_]) -> "Interactions":
        """Keep some rows and renumber their sessions; listeners keep their index."""
        session = self.session[keep]
        fresh = np.ones(len(session), dtype=bool)
        fresh[1:] = session[1:] != session[:-1]
        return replace(
            self,
            session=np.cumsum(fresh, dtype=np.int64) - 1,
            position=self.position[keep],
            user=self.user[keep],
            track=self.track[keep],
            time=self.time[keep],
            at_ms=self.at_ms[keep],
            propensity=self.propensity[keep],
            plays=self.plays[keep],
            weight=self.weight[keep],
        )

    def between(self, since_ms: int | None, until_ms: int | None) -> "Interactions":
        """Keep sessions that began at `since_ms` or later and before `until_ms`."""
        began = self.at_ms[self.starts[:-1]][self.session]
        keep = np.ones(len(self), dtype=bool)
        if since_ms is not None:
            keep &= began >= since_ms
        if until_ms is not None:
            keep &= began < until_ms
        return self.where(keep)

    def split(self, last_share: float) -> tuple["Interactions", "Interactions"]:
        """Split into earlier and later sessions, by the time at which they began.

        Args:
            last_share: Share of the sessions in the later part, in [0, 1).
        """
        began = self.at_ms[self.starts[:-1]]
        order = np.argsort(began, kind="stable")
        is_late = np.zeros(self.sessions, dtype=bool)
        is_late[order[self.sessions - round(self.sessions * last_share) :]] = True
        rows = is_late[self.session]
        return self.where(~rows), self.where(rows)

    def without_weights(self) -> "Interactions":
        """The same listens, each with weight 1."""
        return replace(self, weight=np.ones(len(self), dtype=np.float32))

    def weight_by_inverse_propensity(self, cap: float) -> "Interactions":
        """The same listens, each weighted by the inverse of its propensity.

        Weights have mean 1 over the listens with a propensity; all other listens keep weight 1.

        Args:
            cap: Inverse propensities above this multiple of the smallest one are cut to it, so
                that a few rare listens do not decide the result.
        """
        known = np.isfinite(self.propensity) & (self.propensity > 0)
        if not known.any():
            raise InputError.one(
                "the log", "has no propensities to weight by. Train without --inverse-propensity"
            )
        inverse = 1.0 / self.propensity[known].astype(np.float64)
        inverse = np.minimum(inverse, cap * inverse.min())
        weight = np.ones(len(self), dtype=np.float32)
        weight[known] = inverse / inverse.mean()
        return replace(self, weight=weight)


def assemble(
    user: Ints,
    track: Ints,
    time: npt.NDArray[np.floating],
    at_ms: Ints,
    users: Sequence[str],
    catalog: Catalog,
    sources: Mapping[str, str],
    *,
    session: Ints | None = None,
    position: Ints | None = None,
    place: Ints | None = None,
    plays: Ints | None = None,
    propensity: npt.NDArray[np.floating] | None = None,
    gap_s: float = 1800,
) -> Interactions:
    """Put unordered rows in order.

    `position` orders the rows of a session; without it the clock does and, at equal times,
    `place` (default: the order of the rows). If no session is given, a session ends when the
    listener's next listen begins more than `gap_s` later.
    """
    rows = len(track)
    clock = np.asarray(at_ms)
    place = np.arange(rows) if place is None else place
    fresh = np.ones(rows, dtype=bool)
    if session is None:
        order = np.lexsort((place, clock, user))
        same = user[order][1:] == user[order][:-1]
        fresh[1:] = ~same | (np.diff(clock[order]) > gap_s * 1000)
    else:
        order = np.lexsort((place, clock if position is None else position, session))
        fresh[1:] = session[order][1:] != session[order][:-1]
    code = np.cumsum(fresh, dtype=np.int64) - 1
    begins = np.flatnonzero(fresh)
    propensity = np.full(rows, np.nan) if propensity is None else propensity
    return Interactions(
        session=code,
        position=(np.arange(rows) - (begins[code] if rows else 0)).astype(np.int32),
        user=np.asarray(user)[order].astype(np.int32),
        track=np.asarray(track)[order].astype(np.int32),
        time=np.asarray(time)[order].astype(np.float32),
        at_ms=clock[order].astype(np.int64),
        propensity=np.asarray(propensity)[order].astype(np.float32),
        plays=np.ones(rows, dtype=np.int32)
        if plays is None
        else np.asarray(plays)[order].astype(np.int32),
        weight=np.ones(rows, dtype=np.float32),
        users=users,
        catalog=catalog,
        sources=sources,
    )
