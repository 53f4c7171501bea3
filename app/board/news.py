"""News of the board: the latest snapshot and the patches before it, streamed to every viewer.

One snapshot serves all viewers: each stream writes the same bytes.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

BEAT_S = 10.0
"""Silence after which a stream sends a comment, so that no proxy takes it for dead, in seconds."""
KEPT = 60
"""Patches that are kept for viewers who come back."""
_BEAT = b": beat\n\n"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot.

    Attributes:
        id: Its id.
        before: Id of the snapshot from which `patch` leads to it; None for the first.
        state: The whole as JSON.
        patch: JSON Patch from the one before; empty for the first.
    """

    id: str
    before: str | None
    state: bytes
    patch: bytes


class News:
    """The latest snapshots, and the streams that wait for the next one.

    Attributes:
        is_over: Whether all streams end, because the server stops.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._latest: Snapshot | None = None
        self._kept: deque[Snapshot] = deque(maxlen=KEPT)
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def waiting(self) -> int:
        """Number of streams that wait for the next snapshot."""
        return len(self._waiting)

    def publish(self, snapshot: Snapshot) -> None:
        """Give a snapshot to all streams."""
        if self._kept and self._kept[-1].id != snapshot.before:
            self._kept.clear()  # of a process that has ended
        self._latest = snapshot
        self._kept.append(snapshot)
        self._wake_all()

    def end(self) -> None:
        """End all streams."""
        self.is_over = True
        self._wake_all()

    async def stream(self, last_id: str | None = None) -> AsyncIterator[bytes]:
        """Yield server-sent events: the state, or what came after `last_id`, then each patch."""
        yield b"retry: 2000\n\n"  # the browser comes back after so many ms
        while not self.is_over:
            for snapshot, whole in self._after(last_id):
                yield _event(snapshot, whole)
                last_id = snapshot.id
            if not self.is_over and not await self._next_within(BEAT_S, last_id):
                yield _BEAT

    def _after(self, last_id: str | None) -> list[tuple[Snapshot, bool]]:
        """List the snapshots after an id, each with whether it is sent whole."""
        if self._latest is None or self._latest.id == last_id:
            return []
        later: list[Snapshot] = []
        for snapshot in reversed(self._kept):
            if snapshot.id == last_id:
                return [(each, False) for each in reversed(later)]
            later.append(snapshot)
        return [(self._latest, True)]

    async def _next_within(self, seconds: float, last_id: str | None) -> bool:
        """Wait for a snapshot or the end; return whether one came in time."""
        if self._latest is not None and self._latest.id != last_id:
            return True
        woken = asyncio.get_running_loop().create_future()
        self._waiting.add(woken)
        try:
            async with asyncio.timeout(seconds):
                await woken
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(woken)
        return True

    def _wake_all(self) -> None:
        for woken in self._waiting:
            if not woken.done():
                woken.set_result(None)


def _event(snapshot: Snapshot, whole: bool) -> bytes:
    name, data = (b"state", snapshot.state) if whole else (b"patch", snapshot.patch)
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (snapshot.id.encode(), name, data)
