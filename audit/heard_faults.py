"""Log faults of turns: what was heard is not what was told, turns and lines are lost or doubled."""

from collections import defaultdict
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import orjson

from audit.log_faults import CleanLog, Event, FaultNotApplicable, LogFault, LogLines
from core.rng import Stream


def retry_without_key(clean: CleanLog) -> LogLines:
    """Send one request in six of an arm again: the log has both answers, the second one plays."""
    stream, added = Stream("retries"), defaultdict[Any, int](int)
    lines: LogLines = []
    for event in _events(clean):
        turn = event["turn"] + added[event["user"]]
        if _is_answer(event, clean) and stream.below(6) == 0:
            lines.append(
                (_FILE, {**event, "turn": turn, "recommendation": _a_track(clean, stream)})
            )
            added[event["user"]] += 1
            turn += 1
        lines.append((_FILE, {**event, "turn": turn}))
    return _numbered(lines)


def recommend_other_tracks(share: float) -> Callable[[CleanLog], LogLines]:
    """Log different tracks than the played ones, in this share of an arm's answers."""

    def inject(clean: CleanLog) -> LogLines:
        stream = Stream(f"other tracks {share}")
        events = _events(clean)
        for event in events:
            if _is_answer(event, clean) and stream.uniform() < share:
                event["recommendation"] = _a_track(clean, stream)
        return [(_FILE, event) for event in events]

    return inject


def overwrite_lines(clean: CleanLog) -> LogLines:
    """Write the tracks of a different listener into one line in five of an arm."""
    stream = Stream("overwritten")
    events = _events(clean)
    for event in events:
        if _is_answer(event, clean) and stream.below(5) == 0:
            other = clean.events[stream.below(len(clean.events))]
            event |= {key: other[key] for key in ("track", "time")}
            event["recommendation"] = _a_track(clean, stream)
    return [(_FILE, event) for event in events]


def alternate_servers(clean: CleanLog) -> LogLines:
    """Answer a listener's turns by two servers in turn, each with a memory of its own."""
    counts, turns = defaultdict[Any, int](int), defaultdict[Any, int](int)
    sessions: dict[Any, str] = {}
    lines: LogLines = []
    for event in _events(clean):
        user = event["user"]
        server = counts[user] % 2
        counts[user] += 1
        turns[server, user] += 1
        session = sessions.setdefault((server, user), event["decision"])
        if event["message"] == "last":
            del sessions[server, user]
        event |= {"turn": turns[server, user], "session": session}
        lines.append((f"events-{server}.jsonl", event))
    return lines


def interleave_sessions(clean: CleanLog) -> LogLines:
    """Play all sessions of one listener at the same time: a whole family on one account."""
    sessions = defaultdict[Any, dict[str, list[Event]]](dict)
    for event in _events(clean):
        sessions[event["user"]].setdefault(event["session"], []).append(event)
    mixed: list[Event] = []
    for own in sessions.values():
        turns = [event for several in zip_longest(*own.values()) for event in several if event]
        stamps = sorted(event["timestamp"] for event in turns)
        for turn, (event, at_ms) in enumerate(zip(turns, stamps, strict=True), start=1):
            session = turns[0]["decision"]
            mixed.append({**event, "turn": turn, "session": session, "timestamp": at_ms})
    mixed.sort(key=lambda event: event["timestamp"])
    return _numbered([(_FILE, event) for event in mixed])


def double_turns(clean: CleanLog) -> LogLines:
    """Write one turn in fifty twice, under two ids."""
    stream = Stream("doubled turns")
    lines = [
        (_FILE, {**event}) for event in _events(clean) for _ in range(1 if stream.below(50) else 2)
    ]
    return _numbered([*lines])


def cut_off_end(clean: CleanLog) -> LogLines:
    """Lose the last tenth of a file, although its writer said where it ended."""
    events = _events(clean)
    end = {"lines": len(events), "bytes": 0, "last": events[-1]["decision"]}
    kept: LogLines = [(_FILE, event) for event in events[: len(events) * 9 // 10]]
    return [*kept, ("events-1.end.json", orjson.dumps(end))]


def lose_middle_file(clean: CleanLog) -> LogLines:
    """Lose one of the files that a process wrote."""
    events = _events(clean)
    third = len(events) // 3
    first: LogLines = [("events-1-0000.jsonl", event) for event in events[:third]]
    return [*first, *(("events-1-0002.jsonl", event) for event in events[2 * third :])]


def count_seconds(clean: CleanLog) -> LogLines:
    """Stamp seconds for milliseconds on one of two servers with shared state."""
    lines: LogLines = []
    for number, event in enumerate(_events(clean)):
        if number % 2:
            event["timestamp"] //= 1000
        lines.append((f"events-{number % 2}.jsonl", event))
    return lines


_FILE = "events-1.jsonl"


def _events(clean: CleanLog) -> list[Event]:
    return [{**event} for event in clean.events]


def _is_answer(event: Event, clean: CleanLog) -> bool:
    """Say whether the event is a decision of the last arm; the faults are in that arm alone."""
    arms: dict[str, str] = event["experiments"]
    arm = clean.experiment.arms[-1].name
    return event["message"] == "next" and arms.get(clean.experiment.name) == arm


def _a_track(clean: CleanLog, stream: Stream) -> Any:
    answers = [each for each in clean.events[:1000] if each["message"] == "next"]
    if len({each["recommendation"] for each in answers}) < 2:
        raise FaultNotApplicable("every answer is the same track")
    return answers[stream.below(len(answers))]["recommendation"]


def _numbered(lines: LogLines) -> LogLines:
    """Give every line the next id of one process."""
    found: LogLines = []
    for number, (file, event) in enumerate(lines, start=1):
        assert isinstance(event, dict)
        found.append((file, {**event, "decision": f"trial-{number:x}"}))
    return found


HEARD_FAULTS: tuple[LogFault, ...] = (
    LogFault("retry storm", "one request in six of an arm is sent again, without a key",
           ("played-by-arm",), retry_without_key),
    LogFault("masked fallback", "one answer in twenty of an arm is a fallback's, and is not logged",
           ("played-by-arm",), recommend_other_tracks(0.05)),
    LogFault("wrong tracks", "half of an arm's logged tracks are not the played ones",
           ("played-by-arm",), recommend_other_tracks(0.5)),
    LogFault("swapped strategies", "an arm plays the tracks of the other arm",
           ("played-by-arm",), recommend_other_tracks(1.0)),
    LogFault("overwritten lines", "one line in five of an arm has another listener's tracks",
           ("played-by-arm",), overwrite_lines),
    LogFault("servers in turn", "two servers without shared state answer a listener in turn",
           ("played",), alternate_servers),
    LogFault("interleaved sessions", "all sessions of one listener run at once",
           ("played",), interleave_sessions),
    LogFault("doubled turns", "one turn in fifty is written twice, under two ids",
           ("turns",), double_turns),
    LogFault("cut-off file", "the last tenth of a file is lost", ("ids",), cut_off_end),
    LogFault("missing file", "one of a process's files is lost",
           ("ids", "turns"), lose_middle_file),
    LogFault("seconds for milliseconds", "one of two servers stamps seconds",
           ("clock",), count_seconds),
)  # fmt: skip
"""Faults that a check finds in the log alone."""
