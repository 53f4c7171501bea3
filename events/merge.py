"""Events of several files in the order of their clocks; those of a file in the order written."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from core.progress import SILENT, Progress
from events.event_files import EventFile, pieces

Event = dict[str, Any]
Read = tuple[int, Event, str]
"""(timestamp, event, `file:line`); a timestamp never falls within a file."""


def merge_events(
    sources: Sequence[EventFile],
    lost: Callable[[str, str], None],
    progress: Progress | None = None,
    holding: Sequence[bytes] = (),
) -> Iterator[tuple[Event, str]]:
    """Yield (event, `file:line`), merged by time; a file is opened when its time has come.

    Args:
        sources: Files of JSON lines.
        lost: Told (reason, `file:line`) of every line that is no event of ours.
        progress: Who is told how far the reading is, in bytes.
        holding: Only lines that hold one of these, which is asked before they are parsed.
    """
    progress = progress or SILENT
    waiting: list[tuple[int, int, Read | None, Iterator[Read]]] = []
    for number, source in enumerate(sources):
        # A copy, as reading fills in what only reading the whole tells.
        peeked = EventFile(source.file_id, source.path, source.packing, source.size)
        first = next(_events(peeked, lambda *_: None, SILENT, holding), None)
        if first is None:  # nothing in it; read it all the same, for what is lost
            for _ in _events(source, lost, progress, holding):
                pass
            continue
        waiting.append((first[0], number, None, _events(source, lost, progress, holding)))
    heapq.heapify(waiting)
    while waiting:
        _, number, read, stream = heapq.heappop(waiting)
        until = waiting[0][:2] if waiting else None
        if read is not None:
            yield read[1], read[2]
        for read in stream:
            if until is not None and (read[0], number) > until:
                heapq.heappush(waiting, (read[0], number, read, stream))
                break
            yield read[1], read[2]


def _events(
    source: EventFile,
    lost: Callable[[str, str], None],
    progress: Progress,
    holding: Sequence[bytes],
) -> Iterator[Read]:
    latest = 0
    path = str(source.path)
    for content in pieces(source, progress):
        lines = content.split(b"\n")
        if not lines[-1]:
            lines.pop()
        first = source.lines + 1
        source.lines += len(lines)
        for number, line in enumerate(lines, start=first):
            if holding and not any(part in line for part in holding):
                continue
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                if line.strip():
                    lost("torn line", f"{path}:{number}")
                continue
            if not isinstance(event, dict) or not event.get("schema"):
                lost("no event of ours", f"{path}:{number}")
                continue
            at_ms = event.get("timestamp")
            if not isinstance(at_ms, int):
                lost("no timestamp", f"{path}:{number}")
                continue
            latest = max(latest, at_ms)
            yield latest, event, f"{path}:{number}"
    for number, reason in source.unreadable:
        lost(reason, f"{path}:{number}")
