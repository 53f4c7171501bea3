"""A merge of several files by time; the events of one file stay in the order written."""

import heapq
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import orjson

from core.progress import SILENT, Progress
from events.event_files import EventFile, read_pieces
from events.file_ends import UNACKNOWLEDGED, ends_unacknowledged

Event = dict[str, Any]
Order = tuple[int, int, int]
"""The place of a line in the order of a log: (time, number of the file, line). The time is the
latest so far in its file, so it never falls within a file."""
PlacedEvent = tuple[Order, Event, str]
"""(order, event, `file:line`)."""
OnDrop = Callable[[str, str, Order], None]
"""Callback with (reason, `file:line`, order) of a line that is no event of Segue."""

_BEGINNING = re.compile(
    rb'\{"message":"[a-z]+","timestamp":(\d{1,15}),"user":(?:(\d{1,18})|"([^"\\]*)"),'
)
"""The beginning of a line as our writer makes it: time and listener are known without a parse."""


@dataclass(frozen=True, slots=True)
class ListenerShard:
    """A part of the listeners, by a checksum of their ids.

    Attributes:
        number: Number of the part, from 0.
        of: Number of the parts.
    """

    number: int = 0
    of: int = 1

    def has(self, listener: bytes) -> bool:
        """Test whether a listener belongs to this part."""
        return crc32(listener) % self.of == self.number


ALL = ListenerShard()


def merge_events(
    sources: Sequence[EventFile],
    on_drop: OnDrop,
    progress: Progress | None = None,
    containing: Sequence[bytes] = (),
) -> Iterator[tuple[Event, str]]:
    """Yield (event, `file:line`), merged by time; a file is opened when its first event is due.

    Args:
        sources: Files of JSON lines.
        on_drop: Called for every line that is no event of Segue.
        progress: Shows the bytes read.
        containing: Keep only lines that contain one of these; checked before a line is parsed.
    """
    for _, event, where in merge_placed_events(sources, on_drop, progress, containing):
        yield event, where


def merge_placed_events(
    sources: Sequence[EventFile],
    on_drop: OnDrop,
    progress: Progress | None = None,
    containing: Sequence[bytes] = (),
    shard: ListenerShard = ALL,
) -> Iterator[PlacedEvent]:
    """Yield (order, event, `file:line`) as `merge_events` does, of a part of the listeners.

    Every line, dropped ones included, belongs to exactly one part.
    """
    progress = progress or SILENT
    waiting: list[tuple[Order, PlacedEvent | None, Iterator[PlacedEvent]]] = []
    for number, source in enumerate(sources):
        # A second `EventFile`, because reading fills in counts that must cover the whole file.
        peeked = EventFile(source.file_id, source.path, source.packing, source.size)
        peeking = PlacedReader(peeked, number, lambda *_: None, SILENT, containing, shard)
        first = next(peeking.events(), None)
        reading = PlacedReader(source, number, on_drop, progress, containing, shard)
        if first is None:  # no event, but its dropped lines still count
            for _ in reading.events():
                pass
            continue
        waiting.append((first[0], None, reading.events()))
    heapq.heapify(waiting)
    while waiting:
        _, read, stream = heapq.heappop(waiting)
        until = waiting[0][0] if waiting else None
        if read is not None:
            yield read
        for read in stream:
            if until is not None and read[0] > until:
                heapq.heappush(waiting, (read[0], read, stream))
                break
            yield read


@dataclass(slots=True)
class PlacedReader:
    """A reader of one file, which gives each event its place in the order of the log.

    Attributes:
        source: The file.
        number: Its number among the files, from 0.
        on_drop: Called for every line that is no event of Segue.
        progress: Shows the bytes read.
        containing: Marks of which a line must contain one; empty keeps all.
        shard: The part of the listeners.
        latest: The latest time so far.
    """

    source: EventFile
    number: int
    on_drop: OnDrop
    progress: Progress = SILENT
    containing: Sequence[bytes] = ()
    shard: ListenerShard = ALL
    latest: int = 0

    def events(self) -> Iterator[PlacedEvent]:
        """Yield the events of the part."""
        source, path = self.source, str(self.source.path)
        for content in read_pieces(source, self.progress):
            lines = content.split(b"\n")
            if not lines[-1]:
                lines.pop()
            first = source.lines + 1
            source.lines += len(lines)
            for number, line in enumerate(lines, start=first):
                if self.containing and not any(part in line for part in self.containing):
                    continue
                if (event := self._event_of(number, line)) is not None:
                    yield (self.latest, self.number, number), event, f"{path}:{number}"
        if self.shard.number == 0:
            for number, reason in source.unreadable:
                self._drop(reason, number)

    def _event_of(self, number: int, line: bytes) -> Event | None:
        """Parse a line; None if it is no event of the part.

        All parts must find the same times, so a line of our writer's form counts by its beginning,
        whether a part parses it or not.
        """
        known = None if self.shard.of == 1 else _BEGINNING.match(line)
        if known is not None and not self.shard.has(known[2] or known[3]):
            self.latest = max(self.latest, int(known[1]))
            return None
        event = self._parse(number, line, drops=known is not None or self.shard.number == 0)
        if event is None:
            if self.shard.of == 1:
                known = _BEGINNING.match(line)
            if known is not None:
                self.latest = max(self.latest, int(known[1]))
            return None
        self.latest = max(self.latest, event["timestamp"])
        if known is None and self.shard.of > 1 and not self.shard.has(listener_of(event)):
            return None
        return event

    def _parse(self, number: int, line: bytes, drops: bool) -> Event | None:
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            if drops and line.strip():
                source = self.source
                is_tail = source.is_cut and number == source.lines
                known = is_tail and ends_unacknowledged(source.path, self.latest or None)
                self._drop(UNACKNOWLEDGED if known else "torn line", number)
            return None
        if not isinstance(event, dict) or not event.get("schema"):
            reason = "no event of ours"
        elif not isinstance(event.get("timestamp"), int):
            reason = "no timestamp"
        else:
            return event
        if drops:
            self._drop(reason, number)
        return None

    def _drop(self, reason: str, line: int) -> None:
        self.on_drop(reason, f"{self.source.path}:{line}", (self.latest, self.number, line))


def listener_of(event: Event) -> bytes:
    """The listener's id as text: 7 and "7" are one listener."""
    return str(event.get("user")).encode("utf-8", "surrogatepass")
