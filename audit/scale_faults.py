"""Log faults of values: times on a wrong scale, and propensities that cannot be."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from audit.log_faults import CleanLog, Event, LogFault, LogLines
from core.rng import Stream


def with_first_listens(clean: CleanLog) -> LogLines:
    """Report the track that a listener was hearing when the session began, as an app does."""
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        if event["track"] is None:
            stream = Stream(f"first listen {event['decision']}")
            event |= {"track": event["recommendation"], "time": (30 + stream.below(71)) / 100}
    return lines


def change_time(change: Callable[[float], float]) -> Callable[[CleanLog], LogLines]:
    """Change every time that the last arm reports."""

    def inject(clean: CleanLog) -> LogLines:
        lines = with_first_listens(clean)
        for event in _of_last_arm(clean, lines):
            event["time"] = change(event["time"])
        return lines

    return inject


def report_next_time(clean: CleanLog) -> LogLines:
    """Report with each track of the last arm the time of the listener's next track."""
    lines = with_first_listens(clean)
    by_session: dict[Any, list[Event]] = {}
    for event in _of_last_arm(clean, lines):
        by_session.setdefault(event["session"], []).append(event)
    for events in by_session.values():
        for event, after in pairwise(events):
            event["time"] = after["time"]
    return lines


def change_propensity(factor: float) -> Callable[[CleanLog], LogLines]:
    """Log propensities of the last arm that are too large by a factor."""

    def inject(clean: CleanLog) -> LogLines:
        lines = clean.copy()
        for event in _of_last_arm(clean, lines):
            if event["message"] == "next":
                event["propensity"] *= factor
        return lines

    return inject


def _of_last_arm(clean: CleanLog, lines: LogLines) -> list[Event]:
    name, arm = clean.experiment.name, clean.experiment.arms[-1].name
    return [
        event
        for _, event in lines
        if isinstance(event, dict) and event["experiments"].get(name) == arm
    ]


SCALE_FAULTS: tuple[LogFault, ...] = (
    LogFault("times divided by 100", "an arm reports a hundredth of each time",
             ("first-tracks", "time-scale"), change_time(lambda time: time / 100),
             with_first_listens),
    LogFault("times too long", "an arm's times are 20 % too long, at most 1",
             ("first-tracks",), change_time(lambda time: min(1.0, round(1.2 * time, 2))),
             with_first_listens),
    LogFault("times of the next track", "an arm reports each time one event too early",
             ("first-tracks",), report_next_time, with_first_listens),
    LogFault("times in tenths", "an arm's times are rounded to tenths",
             ("time-scale",), change_time(lambda time: round(time, 1)), with_first_listens),
    LogFault("times as whole numbers", "an arm's times are rounded to 0 and 1",
             ("time-scale",), change_time(lambda time: float(round(time))), with_first_listens),
    LogFault("seconds for shares", "an arm reports seconds of a track of three minutes",
             ("lines",), change_time(lambda time: 180 * time), with_first_listens),
    LogFault("propensities in percent", "an arm's propensities are percentages",
             ("propensity",), change_propensity(100)),
    LogFault("propensities too small", "an arm's propensities are half of what was drawn by",
             ("propensity",), change_propensity(0.5)),
)  # fmt: skip
"""Faults that a check finds in the log alone."""
