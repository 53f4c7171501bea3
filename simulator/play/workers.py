"""The crew: one process or several, each playing the listeners that fall to it.

Listeners are dealt out by index, so that all sessions of a listener are played by one process, in
order. What comes out does not depend on how many there are.
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
from simulator.play.session_table import SessionTable, joined
from simulator.random_keys import Indices


@dataclass(slots=True)
class Outcome:
    """What came of playing visits.

    Attributes:
        played: The sessions that were played to their end.
        asked: Requests that were answered, a count.
        errors: How many requests failed, by kind; a retried one counts each time it failed.
        retried: Requests that were sent again.
        given_up: Sessions that were dropped since a request failed for good.
        unfinished: Sessions under way when playing was stopped.
        truth: Lines of the truth log by session number, where one is kept.
    """

    played: SessionTable
    asked: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    retried: int = 0
    given_up: int = 0
    unfinished: int = 0
    truth: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Sequence["Outcome"]) -> Self:
        """All parts as one."""
        errors: Counter[str] = Counter()
        truth: dict[int, bytes] = {}
        for part in parts:
            errors.update(part.errors)
            truth.update(part.truth)
        return cls(
            joined([part.played for part in parts]),
            sum(part.asked for part in parts),
            errors,
            sum(part.retried for part in parts),
            sum(part.given_up for part in parts),
            sum(part.unfinished for part in parts),
            truth,
        )


class Player(Protocol):
    """Plays visits of one model of listeners against one recommender."""

    def play(
        self, visits: SessionPlan, advanced: Callable[[int], None], stopped: Callable[[], bool]
    ) -> Outcome:
        """Play all of them to their end, or until `stopped`."""

    def close(self) -> None:
        """No more visits come."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A model of listeners and who plays it, as one process of the crew has them."""

    listeners: ListenerModel
    player: Player


MakeShard = Callable[[int], Shard]
"""Makes the part of a process by its number; picklable, for it is made where it is used."""


class WorkerPool(Protocol):
    """Plays day after day; to be closed."""

    def play(
        self,
        day: int,
        episodes: int,
        expected: Callable[[int], None],
        advanced: Callable[[int], None],
        stopped: Callable[[], bool],
    ) -> Outcome:
        """Play the sessions of a day.

        Args:
            day: From 0, in order.
            episodes: Sessions of a day, for models that leave it to us.
            expected: Told how many sessions there will be.
            advanced: Told how many more have ended.
            stopped: Asked now and then; when true, what was played so far is returned.
        """

    def close(self) -> None:
        """Let everybody go."""


class SingleProcess:
    """A crew of one, in this process."""

    def __init__(self, make: MakeShard) -> None:
        self._part = make(0)

    def play(
        self,
        day: int,
        episodes: int,
        expected: Callable[[int], None],
        advanced: Callable[[int], None],
        stopped: Callable[[], bool],
    ) -> Outcome:
        """Play the sessions of a day."""
        visits = self._part.listeners.visits(day, episodes)
        expected(len(visits))
        return self._part.player.play(visits, advanced, stopped)

    def close(self) -> None:
        """Close the player."""
        self._part.player.close()


class ProcessPool:
    """A crew of several processes.

    Started afresh (spawn) and not forked, which is safe on every system and with threads around.

    Args:
        make: Makes each process's part.
        processes: How many.
    """

    def __init__(self, make: MakeShard, processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._members: list[tuple[BaseProcess, Connection]] = []
        for number in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work, args=(make, number, processes, theirs, self._stop), daemon=True
            )
            process.start()
            theirs.close()
            self._members.append((process, ours))
        for _ in self._told("ready", lambda: False):
            pass

    def play(
        self,
        day: int,
        episodes: int,
        expected: Callable[[int], None],
        advanced: Callable[[int], None],
        stopped: Callable[[], bool],
    ) -> Outcome:
        """Play the sessions of a day."""
        for _, connection in self._members:
            connection.send((day, episodes))
        outcomes: list[Outcome] = []
        coming: list[int] = []
        for kind, told in self._told("outcome", stopped):
            if kind == "expected":
                coming.append(told)
                if len(coming) == len(self._members):
                    expected(sum(coming))
            elif kind == "advanced":
                advanced(told)
            elif kind == "outcome":
                outcomes.append(told)
        return Outcome.of(outcomes)

    def close(self) -> None:
        """Let the processes end, and wait for them."""
        for _, connection in self._members:
            with suppress(OSError):
                connection.send(None)
        for process, connection in self._members:
            process.join(timeout=10)
            if process.is_alive():
                process.terminate()
                process.join()
            connection.close()

    def _told(self, last: str, stopped: Callable[[], bool]) -> Iterator[tuple[str, Any]]:
        """What the processes tell, until each has told what is `last`."""
        waiting = {connection: process for process, connection in self._members}
        while waiting:
            if stopped():
                self._stop.set()
            for connection in wait(list(waiting), timeout=0.1):
                assert isinstance(connection, Connection)
                try:
                    kind, told = connection.recv()
                except EOFError:
                    code = waiting[connection].exitcode
                    self.close()
                    raise SegueError(
                        f"a process of the simulation ended by itself (exit code {code}); "
                        "its own message is above"
                    ) from None
                if kind == "failed":
                    self.close()
                    raise InputError(told) if isinstance(told, tuple) else SegueError(told)
                yield kind, told
                if kind == last:
                    del waiting[connection]


def _work(make: MakeShard, number: int, processes: int, parent: Connection, stop: Any) -> None:
    """What a process of the crew does."""
    # Ctrl-C goes to the whole group; the parent decides, so that what was played is kept.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        part = make(number)
        parent.send(("ready", None))
        while (asked := parent.recv()) is not None:
            mine = shard(part.listeners.visits(*asked), number, processes)
            parent.send(("expected", len(mine)))
            outcome = part.player.play(
                mine, lambda sessions: parent.send(("advanced", sessions)), stop.is_set
            )
            parent.send(("outcome", outcome))
        part.player.close()
    except EOFError:
        pass  # the parent is gone
    except InputError as error:
        parent.send(("failed", error.faults))
    except SegueError as error:
        parent.send(("failed", str(error)))


def shard(visits: SessionPlan, number: int, processes: int) -> SessionPlan:
    """The visits of the listeners that fall to a process."""
    mine: Indices = (visits.listener % processes == number).nonzero()[0]
    return visits.rows(mine)
