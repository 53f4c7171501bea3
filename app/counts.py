"""The counts behind `/metrics` and `/experiments`: of one process, or of all workers together.

Workers share no memory. Each writes its counts into a file once a second, and whenever it is asked
itself; the worker that is asked adds the files up. So a worker that is killed takes the counts of
at most one second with it, and a total never goes down.
"""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import orjson

from app.worker_channel import ParentLink
from engine.base_dispatcher import BaseDispatcher
from engine.metrics import ServerMetrics
from engine.metrics_snapshot import add_snapshot, snapshot_of

LOG = logging.getLogger("segue")
PUBLISH_S = 1.0
"""Time between two writes of a worker's counts."""
_ENDED = "ended.json"


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts since a time.

    Attributes:
        metrics: The counts.
        listeners: Listeners in memory; None if they are on Redis.
        since_ms: Unix time in ms since which they are counted.
        workers: Processes that serve and are counted.
    """

    metrics: ServerMetrics
    listeners: int | None
    since_ms: int
    workers: int


class Counter(Protocol):
    """A source of counts."""

    def total(self) -> Counts:
        """Give the counts of all processes."""

    def kept(self) -> AbstractAsyncContextManager[None]:
        """Keep the counts where their reader finds them, during the block."""


class OwnCounts:
    """The counts of the only process.

    Args:
        dispatcher: Counts its turns.
    """

    def __init__(self, dispatcher: BaseDispatcher) -> None:
        self._dispatcher = dispatcher

    def total(self) -> Counts:
        """Give the counts."""
        own = self._dispatcher
        return Counts(own.metrics, own.known_listeners, own.since_ms, 1)

    def kept(self) -> AbstractAsyncContextManager[None]:
        """Do nothing: the reader is in this process."""
        return nullcontext()


class CountsFolder:
    """A folder in memory with the counts of the workers of one parent.

    Args:
        since_ms: Unix time in ms at which the parent started.
    """

    def __init__(self, since_ms: int) -> None:
        memory = Path("/dev/shm")  # noqa: S108 (mkdtemp makes a folder that only its owner reads)
        self.since_ms = since_ms
        self.path = Path(tempfile.mkdtemp(prefix="segue-", dir=memory if memory.is_dir() else None))

    def write(self, name: str, content: bytes) -> None:
        """Put a file in place at once."""
        part = self.path / f"{name}.part"
        part.write_bytes(content)
        part.replace(self.path / name)

    def keep_of_ended(self, number: int) -> None:
        """Move the counts of a worker that has ended into the sum of all such workers.

        A reader may see both files, so the sum names the workers that are in it.
        """
        file = self.path / f"{number}.json"
        if not file.exists():
            return
        numbers, ended = self._ended()
        add_snapshot(ended, orjson.loads(file.read_bytes())["counts"])
        self._write_ended([*numbers, number], ended)
        file.unlink()

    def _write_ended(self, numbers: list[int], ended: ServerMetrics) -> None:
        record = {"numbers": numbers, "counts": snapshot_of(ended)}
        self.write(_ENDED, orjson.dumps(record))

    def _ended(self) -> tuple[list[int], ServerMetrics]:
        ended = ServerMetrics()
        try:
            record = orjson.loads((self.path / _ENDED).read_bytes())
        except FileNotFoundError:
            return [], ended
        add_snapshot(ended, record["counts"])
        return record["numbers"], ended

    def sum_up(self) -> Counts:
        """Add up the counts of all workers, those that have ended among them."""
        found = {}
        for file in self.path.glob("[0-9]*.json"):
            try:
                found[int(file.stem)] = orjson.loads(file.read_bytes())
            except FileNotFoundError:
                continue  # it has ended meanwhile; read after this, the sum has it
        numbers, total = self._ended()
        alive = [record for number, record in found.items() if number not in set(numbers)]
        for record in alive:
            add_snapshot(total, record["counts"])
        known = [record["listeners"] for record in alive]
        listeners = None if None in known else sum(known)
        return Counts(total, listeners, self.since_ms, len(alive))

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)


class WorkerCounts:
    """The counts of a worker, which all workers of its parent can read.

    Args:
        folder: The parent's folder.
        number: The worker's number.
        dispatcher: Counts its turns.
    """

    def __init__(self, folder: CountsFolder, number: int, dispatcher: BaseDispatcher) -> None:
        self._folder = folder
        self._name = f"{number}.json"
        self._dispatcher = dispatcher
        self._written = b""

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Publish the counts once a second during the block, and at its end."""
        self.publish()
        task = asyncio.create_task(self._publish_forever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.publish()

    async def _publish_forever(self) -> None:
        while True:
            await asyncio.sleep(PUBLISH_S)
            self.publish()

    def publish(self) -> None:
        """Write the counts into the worker's file, if they have changed."""
        own = self._dispatcher
        counts = snapshot_of(own.metrics)
        content = orjson.dumps({"listeners": own.known_listeners, "counts": counts})
        if content != self._written:
            try:
                self._folder.write(self._name, content)
            except OSError as error:  # the turns go on, whatever becomes of their counts
                LOG.error("%s: the counts cannot be written: %s", self._folder.path, error.strerror)
            self._written = content

    def total(self) -> Counts:
        """Give the counts of all workers; those of the others are at most a second old."""
        self.publish()
        return self._folder.sum_up()


@dataclass(frozen=True, slots=True)
class WorkerSide:
    """The things that a worker shares with its parent and siblings.

    Attributes:
        parent: The link to the parent, which lets it in and reloads.
        counts: The folder of all workers' counts.
    """

    parent: ParentLink
    counts: CountsFolder
