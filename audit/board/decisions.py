"""Decisions for the board: the latest of a log, and one with its reasons, made again now."""

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from audit.board.configs import BoardConfigs
from audit.board.sources import BoardSources
from audit.board.tracks import label
from audit.decision_search import bytes_of_listener, find_decision, find_sources
from audit.explanation import Explanation, explain
from audit.replay import failed_members
from core.catalog import Catalog
from core.errors import InputError
from engine.runtime import Runtime
from events.event_files import EventFile
from events.merge import merge_events

SHOWN = 50
"""Candidates that a decision shows."""
TAIL = 4 << 20
"""Bytes at the end of the newest file in which the latest decisions of all listeners are looked
for; a decision has some 400."""
Found = dict[str, Any]


def latest_decisions(
    sources: BoardSources, configs: BoardConfigs, listener: str | None, limit: int
) -> Found:
    """List the latest decisions, the newest first.

    Args:
        sources: What the board is made of.
        configs: For titles and artists.
        listener: Only of this listener; None for all.
        limit: Most decisions.
    """
    events = _latest(sources, listener) if listener is None else _of_listener(sources, listener)
    kept: deque[Mapping[str, Any]] = deque(maxlen=limit + 1)
    kept.extend(event for event in events if event.get("message") == "next")
    shown = list(kept)[-limit:]
    found = [_short(event, _catalog_of(configs, event)) for event in reversed(shown)]
    return {"decisions": found, "has_more": len(kept) > limit}


def _place(where: str, logs: Sequence[Path]) -> str:
    """Name a line from its log folder on, since the board may be seen where the path is not."""
    for log in logs:
        if Path(where).is_relative_to(log):
            return str(log.name / Path(where).relative_to(log))
    return where


def describe_decision(sources: BoardSources, configs: BoardConfigs, decision: str) -> Found:
    """Describe a decision, and make it again.

    Raises:
        InputError: There is none of this id, or it cannot be made again.
    """
    found = find_decision(decision, sources.logs, configs.of, where="decision")
    event, runtime = found.event, found.runtime
    made = explain(event, found.history, runtime, SHOWN)
    catalog = runtime.catalog
    drawn = {str(track) for track, _ in made.tracks}
    return {
        **_short(event, catalog),
        "where": _place(found.where, sources.logs),
        "event": event,
        "heard": [
            {**label(catalog, track), "time": time, "in_session": in_session}
            for track, _, time, in_session in made.heard
        ],
        "heard_count": made.heard_count,
        "arms": list(made.arms),
        "chain": _chain(made, event, runtime),
        "why": list(made.why),
        "candidates": {
            "total": made.candidates,
            "first": [
                {**label(catalog, track), "chance": chance, "drawn": str(track) in drawn}
                for track, _, chance in made.most_likely
            ],
        },
        "draw": {
            "stream": made.stream,
            "tracks": [label(catalog, track) for track, _ in made.tracks],
            "propensity": made.propensity,
        },
        "made_again": {
            "same": not made.differing,
            "differing": [
                {"field": name, "logged": logged, "replayed": replayed}
                for name, logged, replayed in made.differing
            ],
        },
    }


def _chain(made: Explanation, event: Mapping[str, Any], runtime: Runtime) -> list[Found]:
    """Say of each member of the chain what came of it."""
    failed, depth = failed_members(event), event["depth"]
    found = []
    for place, name in enumerate(made.chain):
        outcome = "answered" if place == depth else "not asked"
        if place < depth:
            outcome = "failed" if name in failed else "abstained"
        mark = f"{name}: "
        reasons = [reason.removeprefix(mark) for reason in made.why if reason.startswith(mark)]
        kind = runtime.settings.strategies[name].type.name
        found.append({"strategy": name, "type": kind, "outcome": outcome, "reasons": reasons})
    return found


def _short(event: Mapping[str, Any], catalog: Catalog | None) -> Found:
    """Return the fields of a decision that a list of decisions shows."""
    heard = None
    if event.get("track") is not None:
        heard = {**_label(catalog, event["track"]), "time": event.get("time")}
    same = (
        "strategy", "answered_by", "depth", "propensity", "candidates", "experiments", "config",
    )  # fmt: skip
    return {
        "decision": event["decision"],
        "at_ms": event["timestamp"],
        "user": event["user"],
        "session": event["session"],
        "turn": event["turn"],
        "heard": heard,
        "track": _label(catalog, event["recommendation"]),
        **{name: event.get(name) for name in same},
        "forced": bool(event.get("forced")),
        "seat": bool(event.get("seat")),
    }


def _label(catalog: Catalog | None, track: object) -> Found:
    return {"track": track, "artist": "", "title": ""} if catalog is None else label(catalog, track)


def _catalog_of(configs: BoardConfigs, event: Mapping[str, Any]) -> Catalog | None:
    """Return the catalog of the config that decided; None if it is not at hand."""
    try:
        return configs.of(event["config"]).catalog
    except InputError:
        return None


def _of_listener(sources: BoardSources, listener: str) -> Iterator[Mapping[str, Any]]:
    named = bytes_of_listener(listener)
    files = find_sources(sources.logs)
    for event, _ in merge_events(files, lambda *_: None, containing=named):
        if str(event.get("user")) == listener:
            yield event


def _latest(sources: BoardSources, _listener: None = None) -> Iterator[Mapping[str, Any]]:
    """Yield the events at the end of the newest files; all of a file that is packed."""
    files = find_sources(sources.logs)
    files.sort(key=lambda file: file.path.stat().st_mtime_ns)
    newest, size = [], 0
    for file in reversed(files):
        newest.append(file)
        size += file.size
        if size >= TAIL:
            break
    plain = [file for file in newest if file.packing == "plain" and file.size > TAIL]
    packed = [file for file in newest if file not in plain]
    if packed or len(plain) != 1:
        for event, _ in merge_events(newest, lambda *_: None):
            yield event
        return
    yield from _tail_of(plain[0])


def _tail_of(file: EventFile) -> Iterator[Mapping[str, Any]]:
    with file.path.open("rb") as opened:
        opened.seek(file.size - TAIL)
        lines = opened.read(TAIL).split(b"\n")[1:-1]
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("schema"):
            yield event
