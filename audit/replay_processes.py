"""Replay in several processes: each replays a part of the listeners, and the results add up.

A listener's turns depend on no other listener, so the result is the same as that of one process.
Each process reads all files, which costs less than to hand events from one process to another, and
parses the lines of its own listeners.
"""

import gc
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from audit.archived_runtimes import runtimes_by_digest
from audit.replay import Replayer
from audit.replay_result import ReplayResult
from core.errors import InputError, SegueError
from core.progress import SILENT, Progress
from events.event_files import EventFile
from events.merge import ALL, ListenerShard, OnDrop, Order, merge_placed_events


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """The log of a replay, and the configs that decided.

    Attributes:
        sources: The event files. What a server appends to them later is not read.
        snapshots: Digest -> the server's copy of a config.
        configs: Config files that decided, or that have the data which decided.
        shown: Most mismatches to keep.
        counts_dropped: Whether lines that are no event of ours count as skipped.
    """

    sources: Sequence[EventFile]
    snapshots: Mapping[str, Path]
    configs: Sequence[Path] = ()
    shown: int = 10
    counts_dropped: bool = True

    def skipper(self, result: ReplayResult) -> OnDrop:
        """Give the function that takes each line that is no event of ours."""
        return result.skip if self.counts_dropped else _ignore


@dataclass(frozen=True, slots=True)
class ReplayRun:
    """A replay that has ended.

    Attributes:
        result: Its result.
        peaks_mb: The most memory that each process held, in MB; empty where the system does not
            tell it.
        notes: The notes of each process's watcher, if it had one.
    """

    result: ReplayResult
    peaks_mb: Sequence[float]
    notes: Sequence[Any] = ()


def run_replay(job: ReplayJob, processes: int = 1, progress: Progress = SILENT) -> ReplayRun:
    """Replay a log in so many processes.

    Raises:
        InputError: A config that decided cannot be built.
        SegueError: A process died.
    """
    progress.start("replaying", sum(source.size for source in job.sources))
    if processes == 1:
        return ReplayRun(replay_shard(job, ALL, progress), peak_mb())
    with _started(job, processes) as running:
        runs = list(_results(running, lambda size: progress.advance(size / processes)))
    result = ReplayResult.merge([run.result for run in runs])
    return ReplayRun(result, [peak for run in runs for peak in run.peaks_mb])


def replay_shard(
    job: ReplayJob, shard: ListenerShard = ALL, progress: Progress = SILENT
) -> ReplayResult:
    """Replay a part of the listeners in this process."""
    replayer = Replayer(runtimes_by_digest(job.snapshots, job.configs), job.shown)
    skip = job.skipper(replayer.result)
    # A replay makes no reference cycles; the search for them costs a tenth of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        for order, event, where in merge_placed_events(job.sources, skip, progress, shard=shard):
            replayer.take(event, where, order)
    finally:
        if collects:
            gc.enable()
    return replayer.finish()


def _ignore(_reason: str, _where: str, _order: Order) -> None:
    """Count nothing."""


@contextmanager
def _started(job: ReplayJob, processes: int) -> Iterator[dict[Connection, BaseProcess]]:
    """Start the processes, and end them with the block, however it ends."""
    context = multiprocessing.get_context("spawn")
    running: dict[Connection, BaseProcess] = {}
    try:
        with interrupts_held():
            for number in range(processes):
                ours, theirs = context.Pipe()
                process: BaseProcess = context.Process(
                    target=_work, args=(job, ListenerShard(number, processes), theirs), daemon=True
                )
                process.start()
                theirs.close()
                running[ours] = process
        yield running
    finally:
        for connection, process in running.items():
            process.terminate()
            process.join()
            connection.close()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back: a process that starts in the block never sees it, and the parent ends it.

    A terminal sends Ctrl-C to all of them, and each would print a traceback. The parent gets it
    after the block.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Else the first process would start it, and it lets signals through when it has started.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with _interrupt_after():
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupt_after() -> Iterator[None]:
    """Let a Ctrl-C wait for the end of the block.

    The mask is the main thread's own. A thread of numpy's BLAS takes the signal in its place, and
    Python would then interrupt the main thread between a process's start and our knowledge of it.
    """
    if threading.current_thread() is not threading.main_thread():  # Python interrupts only that one
        yield
        return
    held: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if held:
            signal.raise_signal(held[0])


def _results(
    running: Mapping[Connection, BaseProcess], advance: Callable[[float], None]
) -> Iterator[ReplayRun]:
    """Yield the run of each process when it has ended."""
    waiting = set(running)
    while waiting:
        for connection in wait(list(waiting)):
            assert isinstance(connection, Connection)
            kind, payload = _receive(connection, running[connection])
            if kind == "advance":
                advance(payload)
            elif kind == "failed":
                raise InputError(payload) if isinstance(payload, tuple) else SegueError(payload)
            else:
                waiting.remove(connection)
                yield payload


def _receive(connection: Connection, process: BaseProcess) -> tuple[str, Any]:
    try:
        kind, payload = connection.recv()
    except EOFError:
        process.join()
        raise SegueError(
            f"a process of the replay died (exit code {process.exitcode}); see its own message "
            "above. If it needed too much memory, use fewer --processes"
        ) from None
    return kind, payload


def _work(job: ReplayJob, shard: ListenerShard, parent: Connection) -> None:
    """Replay a part of the listeners in a process of its own."""
    with suppress(BrokenPipeError):  # the parent is gone
        try:
            result = replay_shard(job, shard, _Reported(parent))
            parent.send(("ended", ReplayRun(result, peak_mb())))
        except InputError as error:
            parent.send(("failed", error.faults))
        except SegueError as error:
            parent.send(("failed", str(error)))


class _Reported:
    """A progress that tells the parent about every piece that was read."""

    def __init__(self, parent: Connection) -> None:
        self._parent = parent

    def start(self, what: str, total: float | None = None) -> None:
        """Leave the bar to the parent."""

    def advance(self, steps: float = 1) -> None:
        self._parent.send(("advance", steps))

    def say(self, what: str) -> None:
        """Leave remarks to the parent."""


def peak_mb() -> list[float]:
    """The most memory that this process held, in MB; empty where the system does not tell it."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return []
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return [round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)]
