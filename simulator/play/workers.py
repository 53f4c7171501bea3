"""Worker pools: one process or several, each of which plays a shard of the listeners.

A listener's index decides the shard, so one process plays all sessions of a listener, in order.
The results do not depend on the number of processes.
"""

import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, Self

from core.errors import InputError, SegueError
from simulator.listeners.model import ListenerModel, SessionPlan
from simulator.play.session_table import SessionTable, join_tables
from simulator.random_keys import Indices


@dataclass(slots=True)
class Outcome:
    """The results of playing sessions.

    Attributes:
        sessions: The sessions that were played to their end.
        requests: Requests that got a response, a count.
        errors: Failed requests by kind; a request that failed twice counts twice.
        retried: Requests that were sent again.
        given_up: Sessions dropped after a request failed for good.
        unfinished: Sessions that had not ended when playing stopped.
        truth: Lines of the truth log by session number, if one is kept.
    """

    sessions: SessionTable
    requests: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    retried: int = 0
    given_up: int = 0
    unfinished: int = 0
    truth: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def merge(cls, parts: Sequence["Outcome"]) -> Self:
        """Add the outcomes of several processes or days."""
        errors: Counter[str] = Counter()
        truth: dict[int, bytes] = {}
        for part in parts:
            errors.update(part.errors)
            truth.update(part.truth)
        return cls(
            join_tables([part.sessions for part in parts]),
            sum(part.requests for part in parts),
            errors,
            sum(part.retried for part in parts),
            sum(part.given_up for part in parts),
            sum(part.unfinished for part in parts),
            truth,
        )


class Player(Protocol):
    """Plays sessions of one listener model against one recommender."""

    def play(
        self, sessions: SessionPlan, advance: Callable[[int], None], should_stop: Callable[[], bool]
    ) -> Outcome:
        """Play all sessions to their end, or until `should_stop`."""

    def close(self) -> None:
        """Release what the player holds; no sessions follow."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A listener model and its player, as one process holds them."""

    listeners: ListenerModel
    player: Player


MakeShard = Callable[[int], Shard]
"""Makes the shard of a process by its number; picklable, for each process calls it itself."""


class WorkerPool(Protocol):
    """Plays day after day, until it is closed."""

    def play(
        self,
        day: int,
        episodes: int,
        announce: Callable[[int], None],
        advance: Callable[[int], None],
        should_stop: Callable[[], bool],
    ) -> Outcome:
        """Play the sessions of a day.

        Args:
            day: Number of the day, from 0, in order.
            episodes: Sessions of a day, for models without an activity of their own.
            announce: Called once with the number of sessions to play.
            advance: Called with the number of sessions that have just ended.
            should_stop: Polled; once it is true, the pool returns the sessions played so far.
        """

    def close(self) -> None:
        """End the processes."""


class SingleProcess:
    """A pool of one: this process."""

    def __init__(self, make: MakeShard) -> None:
        self._shard = make(0)

    def play(
        self,
        day: int,
        episodes: int,
        announce: Callable[[int], None],
        advance: Callable[[int], None],
        should_stop: Callable[[], bool],
    ) -> Outcome:
        """Play the sessions of a day."""
        sessions = self._shard.listeners.plan_day(day, episodes)
        announce(len(sessions))
        return self._shard.player.play(sessions, advance, should_stop)

    def close(self) -> None:
        """Close the player."""
        self._shard.player.close()


class ProcessPool:
    """A pool of several processes.

    The pool spawns its processes; it does not fork, because a fork with threads around can hang.

    Args:
        make: Makes the shard of a process.
        processes: How many processes.
    """

    def __init__(self, make: MakeShard, processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._workers: list[tuple[BaseProcess, Connection]] = []
        for number in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work, args=(make, number, processes, theirs, self._stop), daemon=True
            )
            process.start()
            theirs.close()
            self._workers.append((process, ours))
        for _ in self._messages("ready", lambda: False):
            pass

    def play(
        self,
        day: int,
        episodes: int,
        announce: Callable[[int], None],
        advance: Callable[[int], None],
        should_stop: Callable[[], bool],
    ) -> Outcome:
        """Play the sessions of a day."""
        for _, connection in self._workers:
            connection.send((day, episodes))
        outcomes: list[Outcome] = []
        planned: list[int] = []
        for kind, payload in self._messages("outcome", should_stop):
            if kind == "planned":
                planned.append(payload)
                if len(planned) == len(self._workers):
                    announce(sum(planned))
            elif kind == "advance":
                advance(payload)
            elif kind == "outcome":
                outcomes.append(payload)
        return Outcome.merge(outcomes)

    def close(self) -> None:
        """Ask the processes to end, and wait for them."""
        for _, connection in self._workers:
            with suppress(OSError):
                connection.send(None)
        for process, connection in self._workers:
            process.join(timeout=10)
            if process.is_alive():
                process.terminate()
                process.join()
            connection.close()

    def _messages(self, last: str, should_stop: Callable[[], bool]) -> Iterator[tuple[str, Any]]:
        """Yield messages, until each process has sent one of the kind `last`."""
        waiting = {connection: process for process, connection in self._workers}
        while waiting:
            if should_stop():
                self._stop.set()
            for connection in wait(list(waiting), timeout=0.1):
                assert isinstance(connection, Connection)
                try:
                    kind, payload = connection.recv()
                except EOFError:
                    code = waiting[connection].exitcode
                    self.close()
                    raise SegueError(
                        f"a process of the simulation died (exit code {code}); see its own message "
                        "above"
                    ) from None
                if kind == "failed":
                    self.close()
                    raise InputError(payload) if isinstance(payload, tuple) else SegueError(payload)
                yield kind, payload
                if kind == last:
                    del waiting[connection]


def _work(make: MakeShard, number: int, processes: int, parent: Connection, stop: Any) -> None:
    """Run a worker process: play the shard of each day that the parent sends."""
    # Ctrl-C reaches the whole process group. Only the parent reacts, so that no session is lost.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        part = make(number)
        parent.send(("ready", None))
        while (day := parent.recv()) is not None:
            sessions = shard(part.listeners.plan_day(*day), number, processes)
            parent.send(("planned", len(sessions)))
            outcome = part.player.play(
                sessions, lambda count: parent.send(("advance", count)), stop.is_set
            )
            parent.send(("outcome", outcome))
        part.player.close()
    except EOFError:
        pass  # the parent is gone
    except InputError as error:
        parent.send(("failed", error.faults))
    except SegueError as error:
        parent.send(("failed", str(error)))


def shard(sessions: SessionPlan, number: int, processes: int) -> SessionPlan:
    """Select the sessions of the listeners in one process's shard."""
    rows: Indices = (sessions.listener % processes == number).nonzero()[0]
    return sessions.rows(rows)
