"""Small odd logs: a few listeners, arms of one or none, times that are all equal, fields left out.

The seed decides everything. Most logs have a few oddities, because a log with all of them fails the
first check and shows nothing of the others.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.logs import DAY_MS, START_MS, as_botify

Line = dict[str, Any]
TIMES: dict[str, Callable[[random.Random], float | None]] = {
    "any": lambda draw: draw.random(),
    "zero": lambda draw: 0.0,
    "one": lambda draw: 1.0,
    "equal": lambda draw: 0.3,
    "few": lambda draw: draw.choice([0, 0.5, 1]),
    "tiny": lambda draw: draw.choice([0, 5e-324, 1e-9]),
    "none": lambda draw: None,
}
LATENCIES: dict[str, Callable[[random.Random], float | None]] = {
    "any": lambda draw: draw.random() / 100,
    "zero": lambda draw: 0.0,
    "none": lambda draw: None,
    "huge": lambda draw: draw.choice([0, 1e9, 1e300]),
}
ODDITIES: dict[str, Callable[[random.Random], Line]] = {
    "no experiments": lambda draw: {"experiments": {}},
    "seat": lambda draw: {"seat": True},
    "forced": lambda draw: {"forced": True, "asked": {"fallback": "C"}},
    "degraded": lambda draw: {"session": None, "turn": None, "degraded": True},
    "error": lambda draw: {"message": "error", "session": None, "turn": None},
    "forget": lambda draw: {"message": "forget", "session": None, "turn": None},
    "failed": lambda draw: {"failed": [{"strategy": "of", "error": "KeyError"}]},
    "fallback": lambda draw: {"depth": 1, "answered_by": "random"},
    "attributes": lambda draw: {"attributes": {"country": draw.choice([None, "", 1, "1", True])}},
    "no listen": lambda draw: {"track": None, "time": None},
    "key": lambda draw: {"key": f"k{draw.random()}"},
    "reset": lambda draw: {"reset": True},
    "field left out": lambda draw: {
        draw.choice(["experiments", "latency", "config", "forced", "candidates", "depth"]): "absent"
    },
}
"""Oddity -> what a line with it has; `absent` leaves a field out."""


@dataclass(frozen=True, slots=True)
class Oddness:
    """All that a seed decides about a log.

    Attributes:
        arms: Names of the arms.
        listeners: Number of listeners.
        sessions: The most sessions of a listener.
        tracks: Number of tracks.
        days: Days over which sessions begin; 0 for all at once.
        alike: Whether all listeners do the same.
        one_in_last: Whether the last arm has one listener only.
        past: Whether first sessions lie before the experiment.
        format: `ours`, `botify`, or `mixed`.
        time: Name of the times; see `TIMES`.
        latency: Name of the latencies; see `LATENCIES`.
        shares: Oddity -> share of the lines that have it.
    """

    arms: list[str]
    listeners: int
    sessions: int
    tracks: int
    days: int
    alike: bool
    one_in_last: bool
    past: bool
    format: str
    time: str
    latency: str
    shares: dict[str, float]


def draw_oddness(draw: random.Random) -> Oddness:
    """Draw what is odd about a log."""
    odd = draw.sample(sorted(ODDITIES), draw.choice([0, 1, 1, 2, 3]))
    return Oddness(
        arms=["C", "T1", "T2", "T3"][: draw.choice([1, 2, 2, 2, 3, 4])],
        listeners=draw.choice([1, 2, 3, 4, 6, 8, 12, 30]),
        sessions=draw.choice([1, 1, 2, 3]),
        tracks=draw.choice([1, 2, 500]),
        days=draw.choice([0, 1, 3, 15, 400]),
        alike=draw.random() < 0.2,
        one_in_last=draw.random() < 0.2,
        past=draw.random() < 0.3,
        format=draw.choice(["ours", "ours", "ours", "botify", "mixed"]),
        time=draw.choice(["any", *TIMES]),
        latency=draw.choice(["any", *LATENCIES]),
        shares={name: draw.choice([0.05, 0.5, 1]) for name in odd},
    )


def write_log(folder: Path, draw: random.Random) -> Oddness:
    """Write an odd log; return what is odd about it."""
    oddness = draw_oddness(draw)
    lines = [line for user in range(oddness.listeners) for line in _listener(user, oddness, draw)]
    lines.sort(key=lambda line: line["timestamp"])
    botify = {"botify": 1.0, "mixed": 0.5}.get(oddness.format, 0.0)
    events = [_form(line, botify, oddness, draw) for line in lines]
    name = "recommender-1.json" if botify == 1 else "events-a-1-1780000000000-0000.jsonl"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(b"".join(orjson.dumps(event) + b"\n" for event in events))
    return oddness


def _listener(user: int, oddness: Oddness, draw: random.Random) -> list[Line]:
    """All lines of a listener in an arm."""
    arms = oddness.arms[:-1] if oddness.one_in_last and user and oddness.arms[1:] else oddness.arms
    arm = arms[-1] if not user else draw.choice(arms)
    own = random.Random(7) if oddness.alike else draw
    lines: list[Line] = []
    at_ms = START_MS + own.randrange(oddness.days * DAY_MS + 1)
    for number in range(own.randint(1, oddness.sessions)):
        past = oddness.past and not number and own.random() < 0.5
        begin = at_ms - 30 * DAY_MS if past else at_ms
        experiments = {} if past else {"fallback": arm, "second": own.choice(oddness.arms)}
        lines += _session(user, f"s{user}-{number}", len(lines), begin, experiments, oddness, own)
        at_ms += own.choice([DAY_MS, 2 * DAY_MS]) if oddness.days else 0
    return lines


def _session(
    user: int,
    session: str,
    turns: int,
    at_ms: int,
    experiments: dict[str, str],
    oddness: Oddness,
    draw: random.Random,
) -> list[Line]:
    """The lines of a session; one in five has no `last`."""
    length, lines = draw.choice([1, 2, 3, 8]), []
    closed = draw.random() < 0.8
    for step in range(length):
        track = draw.randrange(oddness.tracks)
        listen = (track, TIMES[oddness.time](draw))
        line: Line = {
            "message": "last" if closed and step == length - 1 else "next",
            "timestamp": at_ms,
            "user": user,
            "track": None if listen[1] is None else listen[0],
            "time": listen[1],
            "latency": LATENCIES[oddness.latency](draw),
            "experiments": experiments,
            "schema": 2,
            "decision": f"{user:012x}-{turns + step + 1:x}",
            "session": session,
            "turn": turns + step + 1,
            "config": "0123456789ab",
            "forced": False,
        }
        if line["message"] == "next":
            line |= {
                "recommendation": draw.randrange(oddness.tracks),
                "strategy": "of",
                "answered_by": "of",
                "depth": 0,
                "candidates": oddness.tracks,
                "propensity": 1 / oddness.tracks,
                "took_us": draw.choice([0, 17.4]),
            }
        lines.append(line)
        at_ms += draw.choice([0, 1000, 60_000]) if oddness.days else 0
    return lines


def _form(line: Line, botify: float, oddness: Oddness, draw: random.Random) -> Line:
    """The line with its oddities, or as botify wrote it."""
    if draw.random() < botify:
        return as_botify(line)
    for name, share in oddness.shares.items():
        if draw.random() < share:
            line = line | ODDITIES[name](draw)
    return {name: value for name, value in line.items() if value != "absent"}
