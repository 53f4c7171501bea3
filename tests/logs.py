"""Synthetic event logs in both formats, with known arms and effects.

`listening` makes the turns of listeners in one or more arms. `write_ours` and `write_botify` write
them as event files of several servers behind a balancer. The same arguments give the same bytes.
"""

import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

START_MS = 1_780_000_000_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of an arm on its listeners.

    Attributes:
        lift: Share by which each listen's time rises, before it is cut at 1.
        stay: Probability that the listener continues after a recommendation, in [0, 1).
        fallback: Share of answers that a fallback gives.
        weight: Weight of the arm among all arms.
    """

    lift: float = 0.0
    stay: float = 0.8
    fallback: float = 0.0
    weight: float = 1.0


@dataclass(slots=True)
class Plan:
    """The plan of a synthetic log.

    Attributes:
        arms: Arm -> its effect.
        listeners: Number of listeners.
        sessions: Mean number of sessions per listener, at least 1.
        experiment: Name of the experiment.
        days: Number of days over which the sessions are spread.
        tracks: Number of tracks in the catalog.
        before_days: Number of days before the experiment, without any effect.
        labels: Further experiments -> arms, without any effect.
    """

    arms: Mapping[str, Effect] = field(default_factory=lambda: {"C": Effect(), "T1": Effect()})
    listeners: int = 100
    sessions: float = 2.0
    experiment: str = "fallback"
    days: int = 1
    tracks: int = 500
    before_days: int = 0
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seed: int = 1


def listening(plan: Plan) -> list[dict[str, Any]]:
    """Make events as in our log, in the order of time; every session ends with `last`."""
    random = np.random.default_rng(plan.seed)
    names = list(plan.arms)
    weights = np.array([plan.arms[name].weight for name in names])
    drawn = random.choice(len(names), size=plan.listeners, p=weights / weights.sum())
    taste = random.beta(2, 3, size=plan.listeners)
    events: list[dict[str, Any]] = []
    for user in range(plan.listeners):
        arms = {plan.experiment: names[drawn[user]]}
        for label, ways in plan.labels.items():
            arms[label] = ways[int(random.integers(len(ways)))]
        count = 1 + int(random.poisson(plan.sessions - 1))
        times = np.sort(random.integers(-plan.before_days * DAY_MS, plan.days * DAY_MS, size=count))
        turn = 0
        at_ms = 0
        for starts in times.tolist():
            # Far enough from the previous session, so that the two never overlap.
            at_ms = max(at_ms, START_MS + int(starts))
            during = at_ms >= START_MS
            effect = plan.arms[names[drawn[user]]] if during else Effect()
            length = 1 + int(random.geometric(1 - effect.stay))
            track, time = int(random.integers(plan.tracks)), 1.0
            session = f"s{user}-{turn + 1}"
            for step in range(length):
                turn += 1
                final = step == length - 1
                line: dict[str, Any] = {
                    "message": "last" if final else "next",
                    "timestamp": at_ms,
                    "user": user,
                    "track": track,
                    "time": round(time, 3),
                    "latency": round(float(random.gamma(2, 0.0002)), 7),
                    "experiments": arms if during else {},
                    "schema": 1,
                    "decision": f"d{user}-{turn}",
                    "session": session,
                    "turn": turn,
                    "config": "0123456789ab" if during else "ba9876543210",
                    "forced": False,
                }
                if not final:
                    fallen = bool(random.random() < effect.fallback)
                    track = int(random.integers(plan.tracks))
                    line |= {
                        "recommendation": track,
                        "strategy": f"of-{names[drawn[user]]}" if during else "default",
                        "answered_by": "random" if fallen else f"of-{names[drawn[user]]}",
                        "depth": int(fallen),
                        "candidates": plan.tracks,
                        "propensity": 1 / plan.tracks,
                    }
                    raised = random.beta(2, 2) * (0.5 + taste[user]) * (1 + effect.lift)
                    time = min(1.0, float(raised))
                events.append(line)
                at_ms += 1 + int(random.integers(1, 240_000))
            at_ms += 2 * 3_600_000
    events.sort(key=lambda line: (line["timestamp"], line["user"], line["turn"]))
    return events


def as_botify(event: Mapping[str, Any]) -> dict[str, Any]:
    """Give the same event in botify's form."""
    return {
        "message": event["message"],
        "timestamp": event["timestamp"],
        "user": event["user"],
        "track": event["track"],
        "time": event["time"],
        "latency": event["latency"],
        "recommendation": event.get("recommendation"),
        "experiments": event["experiments"],
    }


def text(events: Iterable[Mapping[str, Any]]) -> bytes:
    """Format events as JSON lines."""
    return b"".join(orjson.dumps(event) + b"\n" for event in events)


def write_ours(folder: Path, events: Sequence[Mapping[str, Any]], servers: int = 1) -> list[Path]:
    """Write one file per server; a listener's turns go around the servers, as behind a balancer."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for server in range(servers):
        path = folder / f"events-server{server}-1-{START_MS}-0000.jsonl"
        path.write_bytes(text(events[server::servers]))
        paths.append(path)
    return paths


def write_botify(
    folder: Path, events: Sequence[Mapping[str, Any]], servers: int = 2, packed: bool = False
) -> list[Path]:
    """Write botify's files, `recommender-1.json` and so on; gzip when `packed`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for server in range(servers):
        content = text(as_botify(event) for event in events[server::servers])
        path = folder / f"recommender-{server + 1}.json{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
        paths.append(path)
    return paths
