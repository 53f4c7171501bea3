"""One decision of a log: found by its id, with the listener's history before it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.event_validation import unusable
from audit.replay import Replayer
from core.errors import InputError
from core.listener import History
from core.progress import SILENT, Progress
from engine.runtime import Runtime
from events.event_files import EventFile, find_event_files
from events.merge import merge_events

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FoundDecision:
    """A decision of a log.

    Attributes:
        event: Its line.
        where: `file:line`.
        history: The listener's history before it.
        runtime: The config that decided.
    """

    event: Event
    where: str
    history: History
    runtime: Runtime


def find_sources(logs: Sequence[Path]) -> list[EventFile]:
    """Find the event files whose lines can be replayed.

    Raises:
        InputError: A file is compacted.
    """
    sources = find_event_files(logs)
    for source in sources:
        if source.packing == "parquet":
            raise InputError.one(
                str(source.path),
                "must be an event file, got a compacted one, which has no exact lines. Replay the "
                "event files from which it was made",
            )
    return sources


def find_decision(
    decision: str,
    logs: Sequence[Path],
    runtime_of: Callable[[str], Runtime],
    where: str = "--decision",
    progress: Progress = SILENT,
) -> FoundDecision:
    """Find the decision, and replay its listener up to it.

    Args:
        decision: Its id.
        logs: Event files or folders.
        runtime_of: Gives the config that a digest names.
        where: Where the id stands, for messages.
        progress: Gets the progress.

    Raises:
        InputError: There is no such decision, or its listener's turns before it are missing.
    """
    event, place = _find_line(decision, logs, where, progress)
    user = str(event["user"])
    named = bytes_of_listener(user)
    replayer = Replayer(runtime_of)
    sources = find_sources(logs)
    progress.start("replaying", sum(source.size for source in sources))
    for earlier, at in merge_events(sources, lambda *_: None, progress, named):
        if earlier.get("decision") == decision:
            break
        if str(earlier.get("user")) == user:
            replayer.take(earlier, at)
    if event.get("degraded"):  # decided from the request alone
        runtime = replayer.runtime(event["config"])
        alone = {**event, "session": event["decision"], "turn": 1}
        return FoundDecision(alone, place, History(runtime.catalog), runtime)
    history = replayer.history_before(event)
    if history is None:
        raise InputError.one(
            place,
            f"must follow the turn before it, got turn {event['turn']} of listener {user} without "
            "that turn. Add the log that has it",
        )
    return FoundDecision(event, place, history, replayer.runtime(event["config"]))


def bytes_of_listener(listener: str) -> list[bytes]:
    """List what a line of this listener may contain: a number, or text as either JSON writes it."""
    forms = {listener, json.dumps(listener), json.dumps(listener, ensure_ascii=False)}
    return [f'"user":{form},'.encode(errors="replace") for form in forms]


def _find_line(
    decision: str, logs: Sequence[Path], where: str, progress: Progress
) -> tuple[Event, str]:
    sources = find_sources(logs)
    marked = f'"decision":{json.dumps(decision)}'.encode()
    progress.start("searching", sum(source.size for source in sources))
    for event, place in merge_events(sources, lambda *_: None, progress, [marked]):
        if event.get("decision") != decision:
            continue
        if event.get("message") != "next":
            raise InputError.one(
                place, "must be a decision, got a listen that was reported. Name an event `next`"
            )
        alone = {**event, "session": decision, "turn": 1} if event.get("degraded") else event
        problem = unusable(alone)
        if problem is not None:
            raise InputError.one(place, f"{problem[0]}, got {problem[1]}. Mend the line")
        return event, place
    raise InputError.one(
        where, f"must be the id of an event in these files, got '{decision}'. Copy an event's id"
    )
