"""A merge of several files by time; the events of one file stay in the order written."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from core.progress import SILENT, Progress
from events.event_files import EventFile, read_pieces
from events.file_ends import UNACKNOWLEDGED, ends_unacknowledged

Event = dict[str, Any]
PlacedEvent = tuple[int, Event, str]
"""(timestamp, event, `file:line`); within a file the timestamp never falls."""


def merge_events(
    sources: Sequence[EventFile],
    on_drop: Callable[[str, str], None],
    progress: Progress | None = None,
    containing: Sequence[bytes] = (),
) -> Iterator[tuple[Event, str]]:
    """Yield (event, `file:line`), merged by time; a file is opened when its first event is due.

    Args:
        sources: Files of JSON lines.
        on_drop: Called with (reason, `file:line`) for every line that is no event of Segue.
        progress: Shows the bytes read.
        containing: Keep only lines that contain one of these; checked before a line is parsed.
    """
    progress = progress or SILENT
    waiting: list[tuple[int, int, PlacedEvent | None, Iterator[PlacedEvent]]] = []
    for number, source in enumerate(sources):
        # A second `EventFile`, because reading fills in counts that must cover the whole file.
        peeked = EventFile(source.file_id, source.path, source.packing, source.size)
        first = next(_events(peeked, lambda *_: None, SILENT, containing), None)
        if first is None:  # no event, but its dropped lines still count
            for _ in _events(source, on_drop, progress, containing):
                pass
            continue
        waiting.append((first[0], number, None, _events(source, on_drop, progress, containing)))
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
    on_drop: Callable[[str, str], None],
    progress: Progress,
    containing: Sequence[bytes],
) -> Iterator[PlacedEvent]:
    latest = 0
    path = str(source.path)
    for content in read_pieces(source, progress):
        lines = content.split(b"\n")
        if not lines[-1]:
            lines.pop()
        first = source.lines + 1
        source.lines += len(lines)
        for number, line in enumerate(lines, start=first):
            if containing and not any(part in line for part in containing):
                continue
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                if line.strip():
                    is_tail = source.is_cut and number == source.lines
                    known = is_tail and ends_unacknowledged(source.path, latest or None)
                    on_drop(UNACKNOWLEDGED if known else "torn line", f"{path}:{number}")
                continue
            if not isinstance(event, dict) or not event.get("schema"):
                on_drop("no event of ours", f"{path}:{number}")
                continue
            at_ms = event.get("timestamp")
            if not isinstance(at_ms, int):
                on_drop("no timestamp", f"{path}:{number}")
                continue
            latest = max(latest, at_ms)
            yield latest, event, f"{path}:{number}"
    for number, reason in source.unreadable:
        on_drop(reason, f"{path}:{number}")
