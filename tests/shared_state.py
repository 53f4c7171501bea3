"""The dispatcher over a real Redis, called without a loop of its own, as the one over memory is."""

import asyncio
from array import array
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from core.decision import Decision, Feedback
from core.listener import History
from core.request import ListenReport, Request
from engine.arrivals import Arrival, Outcome
from engine.base_dispatcher import EventSink
from engine.metrics import ServerMetrics
from engine.runtime import Runtime
from engine.shared_dispatcher import SharedDispatcher
from engine.shared_state.connecting import read_target
from engine.shared_state.keys import record_key
from engine.shared_state.record_format import read_head
from engine.shared_state.store import SharedStore
from engine.state import ListenerRecord
from tests.redis_server import RedisServer
from tests.service import Clock

T = TypeVar("T")
NEVER_MS = 60_000
"""A timeout that no test reaches, however slow its machine is."""


class StoredRecords:
    """The records on Redis, as a test reads those in memory."""

    def __init__(self, server: RedisServer, runtime: Runtime, prefix: str) -> None:
        self._server = server
        self._runtime = runtime
        self._prefix = prefix

    def __len__(self) -> int:
        return len(self._server.client.keys(f"{self._prefix}{{*}}"))

    def get(self, listener: str) -> ListenerRecord | None:
        record = self._server.client.get(record_key(self._prefix, listener))
        if record is None:
            return None
        head, size = read_head(record)
        history = History(self._runtime.catalog)
        history.listens = array("Q", record[size:])
        history.turn, history.seen_ms, history.session_start, history.session, _ = head
        return ListenerRecord(history)


class SharedDriver:
    """A process that shares its state: a dispatcher, its store, and a loop that runs on demand.

    Args:
        runtime: Decides.
        server: The Redis.
        log: The event log.
        clock: Unix time in ms.
        stem: First part of decision ids.
        changed: Keys of `state` that differ from the runtime's.
    """

    def __init__(
        self,
        runtime: Runtime,
        server: RedisServer,
        log: EventSink,
        clock: Clock,
        stem: str | None = None,
        **changed: Any,
    ) -> None:
        state = runtime.settings.state.model_copy(
            update={"backend": "redis", "url": server.url, "timeout_ms": NEVER_MS} | changed
        )
        self.runner = asyncio.Runner()
        self.state = StoredRecords(server, runtime, state.prefix)
        self.metrics = ServerMetrics()

        async def opened() -> SharedDispatcher:
            target = read_target(state.url or "", state.sentinel, state.cluster)
            store = SharedStore(state, target)
            dispatcher = SharedDispatcher(runtime, store, log, self.metrics, clock, stem)
            await store.start()
            return dispatcher

        self.dispatcher = self.runner.run(opened())

    def close(self) -> None:
        """End the process in order."""
        self.runner.run(self.dispatcher.store.close())
        self.runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the process's loop."""
        return self.runner.run(coroutine)

    def wait_until_well(self) -> None:
        """Let the loop run until the store takes turns again."""

        well = until(lambda: self.dispatcher.store.problem is None)
        self.run(asyncio.wait_for(well, NEVER_MS / 1000))

    def serve(self, runtime: Runtime) -> None:
        """Reload."""

        async def reload() -> None:
            self.dispatcher.serve(runtime)

        self.run(reload())

    def dispatch(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Take a batch of turns."""
        return self.run(taken(self.dispatcher, arrivals))

    def recommend(
        self,
        request: Request,
        arrived_s: float,
        key: str | None = None,
        forced: Mapping[str, str] | None = None,
    ) -> Decision:
        """Take one request."""
        (outcome,) = self.dispatch((Arrival(request, arrived_s, key, forced),))
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, Decision)
        return outcome

    def feedback(
        self,
        report: ListenReport,
        arrived_s: float,
        key: str | None = None,
        forced: Mapping[str, str] | None = None,
    ) -> Feedback:
        """Take one report."""
        (outcome,) = self.dispatch((Arrival(report, arrived_s, key, forced),))
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, Feedback)
        return outcome


async def until(holds: Callable[[], object]) -> None:
    """Let the loop run until a condition holds."""
    while not holds():  # noqa: ASYNC110 (a condition outside of this process tells nobody)
        await asyncio.sleep(0.001)


async def taken(dispatcher: SharedDispatcher, arrivals: Sequence[Arrival]) -> list[Outcome]:
    """Send a batch, and wait for all its outcomes."""
    outcomes: list[Any] = [None] * len(arrivals)
    missing = len(arrivals)
    done = asyncio.Event()

    def give(place: int, outcome: Outcome) -> None:
        nonlocal missing
        assert outcomes[place] is None, "an outcome came twice"
        outcomes[place] = outcome
        missing -= 1
        if not missing:
            done.set()

    dispatcher.send(arrivals, give)
    if missing:
        await done.wait()
    return outcomes


@contextmanager
def driver(*args: Any, **changed: Any) -> Iterator[SharedDriver]:
    """Run a process for a test."""
    made = SharedDriver(*args, **changed)
    try:
        yield made
    finally:
        made.close()
