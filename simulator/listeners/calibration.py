"""Moments of listening, for the comparison of simulated listeners with a real log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from events.reader import EventLog
from simulator.listeners.model import Floats
from simulator.random_keys import Indices

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, eq=False)
class Listens:
    """Listens of whole sessions, session by session, in order. Ids may be any numbers.

    Attributes:
        session: int64, (n,), equal in all listens of a session; they are adjacent.
        listener: int64, (n,).
        day: int64, (n,), day of the session.
        track: int64, (n,).
        time: float64, (n,), share heard, in [0, 1]. The listener chose a session's first track.
    """

    session: Indices
    listener: Indices
    day: Indices
    track: Indices
    time: Floats


def listens_of_log(log: EventLog) -> Listens:
    """Read the sessions of a log that ended with final feedback; days are UTC.

    The end of the log may have cut the remaining sessions off, so their lengths mean nothing.
    """
    columns = log.engine.arrays(
        f"""
        SELECT
            dense_rank() OVER (ORDER BY e."user", e.session) AS session,
            dense_rank() OVER (ORDER BY e."user") AS listener,
            s.started_ms // {DAY_MS} AS day,
            dense_rank() OVER (ORDER BY e.track) AS track,
            e."time" AS "time"
        FROM events AS e
        INNER JOIN sessions AS s ON e."user" = s."user" AND e.session = s.session
        WHERE s.ended_by = 'last' AND e."time" IS NOT NULL
        ORDER BY e."user", e.session, e.turn
        """  # noqa: S608  (a number of ours)
    )
    return Listens(
        np.asarray(columns["session"], np.int64),
        np.asarray(columns["listener"], np.int64),
        np.asarray(columns["day"], np.int64),
        np.asarray(columns["track"], np.int64),
        np.asarray(columns["time"], np.float64),
    )


def listens_of_truth(lines: Mapping[int, bytes]) -> Listens:
    """Read the sessions of a truth log (`simulator.play.ground_truth`), without truncated ones."""
    sessions = [orjson.loads(lines[number]) for number in sorted(lines)]
    sessions = [line for line in sessions if not line["truncated"]]
    lengths = np.array([len(line["times"]) for line in sessions], dtype=np.int64)

    def each(values: list[Any]) -> Indices:
        coded = np.unique([str(value) for value in values], return_inverse=True)[1]
        return np.repeat(coded.astype(np.int64), lengths)

    tracks = [str(track) for line in sessions for track in line["tracks"]]
    return Listens(
        np.repeat(np.arange(len(sessions)), lengths),
        each([line["user"] for line in sessions]),
        np.repeat(np.array([line["day"] for line in sessions], dtype=np.int64), lengths),
        np.unique(tracks, return_inverse=True)[1].astype(np.int64),
        np.array([time for line in sessions for time in line["times"]]),
    )


class Moment(NamedTuple):
    """A statistic that describes listening.

    Attributes:
        key: Name in JSON.
        label: Name in tables.
        kind: `count`, `share` (in [0, 1]) or `number`.
        compute: Computes the value; None if the listens do not determine it.
    """

    key: str
    label: str
    kind: str
    compute: Callable[["_Sessions"], float | None]


def moments(listens: Listens) -> dict[str, float | None]:
    """Compute every moment of `MOMENTS`, by key; without listens all but the counts are None."""
    sessions = _Sessions(listens)
    if not len(listens.session):
        return {moment.key: 0.0 if moment.kind == "count" else None for moment in MOMENTS}
    return {moment.key: moment.compute(sessions) for moment in MOMENTS}


class _Sessions:
    """Listens grouped into sessions, in the form that the moments need."""

    def __init__(self, listens: Listens) -> None:
        session = listens.session
        first = np.ones(len(session), dtype=np.bool_)
        first[1:] = session[1:] != session[:-1]
        self.listens = listens
        self.first = first
        self.start = np.flatnonzero(first)
        self.listener = listens.listener[self.start]
        self.day = listens.day[self.start]
        self.recommended = listens.time[~first]
        self.length = np.diff(np.append(self.start, len(session))) - 1
        row = np.cumsum(first) - 1
        self.time = np.bincount(row[~first], weights=self.recommended, minlength=len(self.start))
        pair = row * (int(listens.track.max(initial=0)) + 1) + listens.track
        self.distinct_tracks = len(np.unique(pair))


def _of_lengths(statistic: Callable[[npt.NDArray[Any]], Any]) -> Callable[[_Sessions], float]:
    return lambda sessions: float(statistic(sessions.length))


def _share(test: Callable[[Floats], npt.NDArray[np.bool_]]) -> Callable[[_Sessions], float | None]:
    """Make a statistic: the share of recommendations whose time passes a test."""

    def of(sessions: _Sessions) -> float | None:
        times = sessions.recommended
        return float(np.mean(test(times))) if len(times) else None

    return of


def _first_share(sessions: _Sessions) -> float | None:
    total = float(sessions.listens.time.sum())
    return float(sessions.listens.time[sessions.first].sum()) / total if total else None


def _head_share(values: Indices, head: float) -> float:
    """Return the share of the total that the largest parts hold."""
    ordered = np.sort(values)[::-1]
    return float(ordered[: max(1, round(head * len(ordered)))].sum() / ordered.sum())


def _intraclass_correlation(sessions: _Sessions) -> float | None:
    """Compute the intraclass correlation of session time by one-way ANOVA (Donner 1986, 2.1)."""
    _, group, sizes = np.unique(sessions.listener, return_inverse=True, return_counts=True)
    total, groups = len(group), len(sizes)
    if groups < 2 or total == groups:
        return None
    means = np.bincount(group, weights=sessions.time) / sizes
    between = float(np.sum(sizes * (means - sessions.time.mean()) ** 2)) / (groups - 1)
    within = float(np.sum((sessions.time - means[group]) ** 2)) / (total - groups)
    mean_size = (total - float(np.sum(sizes**2)) / total) / (groups - 1)
    spread = between + (mean_size - 1) * within
    return (between - within) / spread if spread else None


def _returning(sessions: _Sessions) -> float | None:
    """Compute the share of a day's listeners that came the next day too, without the last day."""
    span = int(sessions.day.max() - sessions.day.min()) + 1
    if span < 2:
        return None
    came = np.unique(sessions.listener * span + sessions.day - sessions.day.min())
    with_next_day = came[came % span < span - 1]
    return float(np.mean(np.isin(with_next_day + 1, came)))


MOMENTS = (
    Moment("sessions", "sessions", "count", lambda s: float(len(s.start))),
    Moment("listeners", "listeners", "count", lambda s: float(len(np.unique(s.listener)))),
    Moment("length_mean", "recommendations a session", "number", _of_lengths(np.mean)),
    Moment("length_p50", "... half have at most", "number", _of_lengths(np.median)),
    Moment("length_p90", "... nine tenths", "number", _of_lengths(lambda n: np.percentile(n, 90))),
    Moment("length_p99", "... 99 of 100", "number", _of_lengths(lambda n: np.percentile(n, 99))),
    Moment("time_mean", "time of them a session", "number", lambda s: float(s.time.mean())),
    Moment("time_sd", "... its standard deviation", "number", lambda s: float(s.time.std())),
    Moment(
        "time_alike", "... its correlation within a listener", "number", _intraclass_correlation
    ),
    Moment(
        "heard_mean",
        "time of a recommendation",
        "number",
        lambda s: float(s.recommended.mean()) if len(s.recommended) else None,
    ),
    Moment("heard_none", "... is 0", "share", _share(lambda time: time == 0)),
    Moment("heard_0_02", "... at most 0.02 (5 s of 230)", "share", _share(lambda t: t <= 0.02)),
    Moment("heard_0_13", "... at most 0.13 (30 s)", "share", _share(lambda t: t <= 0.13)),
    Moment("heard_half", "... at most 0.5", "share", _share(lambda time: time <= 0.5)),
    Moment("heard_to_0_99", "... at most 0.99", "share", _share(lambda time: time < 1)),
    Moment("first_share", "first tracks' share of all time", "share", _first_share),
    Moment(
        "first_whole",
        "first tracks heard in full",
        "share",
        lambda s: float(np.mean(s.listens.time[s.first] == 1)),
    ),
    Moment(
        "repeats",
        "listens of a track heard before in the session",
        "share",
        lambda s: 1 - s.distinct_tracks / len(s.listens.track),
    ),
    Moment("tracks", "different tracks", "count", lambda s: float(len(np.unique(s.listens.track)))),
    Moment(
        "tracks_head",
        "listens of the top hundredth of them",
        "share",
        lambda s: _head_share(np.unique(s.listens.track, return_counts=True)[1], 0.01),
    ),
    Moment(
        "listeners_head",
        "sessions of the most active tenth of listeners",
        "share",
        lambda s: _head_share(np.unique(s.listener, return_counts=True)[1], 0.1),
    ),
    Moment("returning", "listeners of a day who are there the next", "share", _returning),
)
