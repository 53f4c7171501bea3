"""Listeners' state on a real Redis: processes are one; one that is away costs state only."""

import asyncio
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.decision import Decision, Feedback, LoggedTurn
from core.errors import EventLogError, NoCandidatesLeft
from core.request import ListenReport, Request
from engine.arrivals import Arrival
from engine.dispatcher import Dispatcher
from engine.metrics import ServerMetrics
from engine.runtime import Runtime
from engine.state import MemoryState
from tests import needs
from tests.redis_server import RedisServer, running_redis, wait_until
from tests.service import Clock, loaded
from tests.shared_state import driver, taken

pytestmark = needs.program("redis-server")

PATIENCE_S = 120
EVERYTHING = tuple(range(1000, 1240, 10))


class Log:
    """A log in memory; with an `accident`, which happens at the next write."""

    def __init__(self) -> None:
        self.turns: list[LoggedTurn] = []
        self.accident: Any = None

    def append_all(self, turns: Sequence[LoggedTurn]) -> None:
        if self.accident is not None:
            accident, self.accident = self.accident, None
            accident()
        self.turns += turns


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return loaded(tmp_path_factory.mktemp("world"), state={"history": 5})


@pytest.fixture(scope="module")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(running_server: RedisServer) -> RedisServer:
    running_server.client.flushdb()
    return running_server


def some_arrivals(count: int, listeners: int = 5) -> list[Arrival]:
    """Make requests and reports with keys, the same at each call."""
    draw = random.Random(7)
    made: list[Arrival] = []
    for number in range(count):
        user, track = draw.randrange(listeners), draw.choice([1000, 1070, 1200, "elsewhere"])
        heard = draw.choice([0.25, 0.7, 1.0])
        sent: Request | ListenReport = Request(user, track, heard)
        if draw.random() < 0.2:
            sent = ListenReport(user, track, heard, final=draw.random() < 0.5)
        made.append(Arrival(sent, 0.0, f"key {number}"))
    return made


def told(turn: Any) -> tuple[Any, ...]:
    """Give what a turn says, without the ids, in which a process' name stands."""
    tracks = tuple(turn.tracks) if isinstance(turn, Decision) else ()
    return (turn.user, turn.number, turn.track, turn.time, tracks, turn.assignment.arms)


def test_three_processes_decide_as_one_with_memory_does(
    runtime: Runtime, server: RedisServer
) -> None:
    memory = Dispatcher(runtime, MemoryState(99, 1e9, lambda: 0.0), Log(), ServerMetrics(), Clock())
    expected = [told(memory.dispatch([each])[0]) for each in some_arrivals(120)]
    with (
        driver(runtime, server, Log(), Clock()) as one,
        driver(runtime, server, Log(), Clock()) as two,
        driver(runtime, server, Log(), Clock()) as three,
    ):
        draw = random.Random(3)
        found = [
            told(draw.choice([one, two, three]).dispatch([each])[0]) for each in some_arrivals(120)
        ]
    assert found == expected


def test_a_batch_over_redis_decides_as_one_over_memory_does(
    runtime: Runtime, server: RedisServer
) -> None:
    memory = Dispatcher(
        runtime, MemoryState(99, 1e9, lambda: 0.0), Log(), ServerMetrics(), Clock(), "s"
    )
    expected = [told(each) for each in memory.dispatch(some_arrivals(100))]
    with driver(runtime, server, Log(), Clock(), "s") as shared:
        found = [told(each) for each in shared.dispatch(some_arrivals(100))]
    assert found == expected


def test_turns_that_fail_are_taken_back_and_ids_have_no_gap(
    runtime: Runtime, server: RedisServer
) -> None:
    log = Log()
    with driver(runtime, server, log, Clock(), "s") as shared:
        refused = Request(7, 1000, 0.5, exclude=EVERYTHING)
        outcomes = shared.dispatch(
            [
                Arrival(each, 0.0)
                for each in (Request(7), Request(8), refused, Request(7, 1010, 1.0))
            ]
        )
        assert isinstance(outcomes[2], NoCandidatesLeft)
        shared.dispatch([Arrival(Request(8), 0.0)])
    assert sorted(turn.id for turn in log.turns) == ["s-1", "s-2", "s-3", "s-4"]
    assert [turn.number for turn in log.turns if turn.user == 7] == [1, 2]


def test_ids_have_no_gap_even_if_no_turn_comes_after_one_that_failed(
    runtime: Runtime, server: RedisServer
) -> None:
    log = Log()
    with driver(runtime, server, log, Clock(), "s") as shared:
        shared.dispatch([Arrival(Request(user), 0.0) for user in range(4)])
        refused = Request(1, 1000, 0.5, exclude=EVERYTHING)
        shared.dispatch([Arrival(each, 0.0) for each in (refused, Request(2), Request(3))])
    assert sorted(turn.id for turn in log.turns) == [f"s-{number}" for number in range(1, 7)]


@pytest.mark.parametrize("later", [False, True], ids=["nothing-came-after", "a-turn-came-after"])
def test_a_turn_without_a_line_is_taken_back_only_if_nothing_came_after(
    runtime: Runtime, server: RedisServer, later: bool
) -> None:
    log = Log()

    def accident() -> None:
        if later:
            ran = threading.Thread(target=lambda: two.recommend(Request(7, 1010, 1.0), 0.0))
            ran.start()
            ran.join()
        raise EventLogError("the disk is full")

    with (
        driver(runtime, server, log, Clock()) as one,
        driver(runtime, server, Log(), Clock()) as two,
    ):
        one.recommend(Request(7, 1000, 0.5), 0.0)
        log.accident = accident
        (outcome,) = one.dispatch([Arrival(Request(7, 1070, 0.5), 0.0)])
        assert isinstance(outcome, EventLogError)
        assert two.recommend(Request(7), 0.0).number == (4 if later else 2)


def test_a_listener_who_is_silent_for_the_time_to_live_is_forgotten(
    runtime: Runtime, server: RedisServer
) -> None:
    with driver(runtime, server, Log(), Clock(), ttl_s=0.05) as shared:
        shared.recommend(Request(7), 0.0)
        wait_until(lambda: not server.client.keys("segue:{7}"))
        assert shared.recommend(Request(7), 0.0).number == 1


def test_only_keys_with_the_prefix_are_touched(runtime: Runtime, server: RedisServer) -> None:
    server.client.set("mine", "as it was")
    with driver(runtime, server, Log(), Clock(), prefix="music:") as shared:
        for user in (7, "a}b", "50%", "}", "{x}", "ünï"):
            shared.recommend(Request(user), 0.0)
            shared.recommend(Request(user), 0.0)
        assert shared.state.get("a}b") is not None
    keys = server.client.keys()
    assert sorted(key for key in keys if not key.startswith(b"music:")) == [b"mine"]
    assert len(keys) == 8  # and the catalog


# A Redis that is slow or away


def test_a_paused_redis_costs_no_answer_and_no_turn_number(
    runtime: Runtime, server: RedisServer
) -> None:
    log, timeout_s = Log(), 0.5  # so long that no slow machine needs it for a turn
    with driver(runtime, server, log, Clock(), timeout_ms=500) as shared:
        assert shared.recommend(Request(7, 1000, 0.5), 0.0).number == 1
        server.send(signal.SIGSTOP)
        began_s = time.perf_counter()
        first = shared.recommend(Request(7, 1010, 0.5), 0.0)
        waited_s = time.perf_counter() - began_s
        began_s = time.perf_counter()
        second = shared.recommend(Request(7, 1020, 0.5), 0.0)
        spared_s = time.perf_counter() - began_s
        server.send(signal.SIGCONT)
        assert (first.degraded, first.number, second.degraded) == (True, 0, True)
        assert waited_s >= timeout_s
        assert spared_s < timeout_s, "the breaker spares the wait"

        shared.wait_until_well()
        third = shared.recommend(Request(7, 1030, 0.5), 0.0)
    assert (third.degraded, third.number) == (False, 2)
    assert [turn.degraded for turn in log.turns] == [False, True, True, False]
    assert shared.metrics.degraded.total() == 2


@pytest.mark.parametrize(
    ("options", "number"),
    [((), 1), (("--appendonly", "yes", "--appendfsync", "always"), 2)],
    ids=["without-its-data", "with-its-data"],
)
def test_a_killed_redis_costs_no_answer_and_comes_back_by_itself(
    options: tuple[str, ...], number: int, runtime: Runtime, tmp_path: Path
) -> None:
    with (
        running_redis(tmp_path, *options) as server,
        driver(runtime, server, Log(), Clock(), timeout_ms=50) as shared,
    ):
        shared.recommend(Request(7, 1000, 0.5), 0.0)
        server.kill()
        away = [shared.recommend(Request(7, 1010, 0.5), 0.0) for _ in range(3)]
        assert [turn.degraded for turn in away] == [True] * 3
        server.start()

        shared.wait_until_well()
        again = shared.recommend(Request(7), 0.0)
        assert (again.degraded, again.number) == (False, number)


def test_a_server_starts_without_its_redis(runtime: Runtime, tmp_path: Path) -> None:
    absent = RedisServer(tmp_path)
    with driver(runtime, absent, Log(), Clock(), timeout_ms=50) as shared:
        assert shared.recommend(Request(7), 0.0).degraded
        assert "127.0.0.1" in (shared.dispatcher.store.problem or "")


# Callers that go away


def test_a_caller_that_goes_away_leaves_no_reply_to_the_next_one(
    runtime: Runtime, server: RedisServer
) -> None:
    """100,000 turns, half of them cancelled in flight: each answer is its own listener's."""
    draw = random.Random(11)
    listeners = 2_000
    turns = 0
    wrong: list[Any] = []

    async def call(user: int) -> None:
        sent = ListenReport(user, 1000 + 10 * (user % 24), 0.5)
        (outcome,) = await taken(shared.dispatcher, [Arrival(sent, 0.0)])
        if not isinstance(outcome, Feedback) or outcome.user != user or outcome.track != sent.track:
            wrong.append((user, outcome))

    async def storm() -> None:
        nonlocal turns
        while turns < 100_000:
            tasks = [asyncio.create_task(call(draw.randrange(listeners))) for _ in range(500)]
            turns += len(tasks)
            await asyncio.sleep(0)
            for task in tasks[:: 1 + draw.randrange(3)]:
                if draw.random() < 0.7:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    log = Log()
    with driver(runtime, server, log, Clock(), history=5) as shared:
        shared.run(asyncio.wait_for(storm(), PATIENCE_S))
        for user in range(0, listeners, 40):
            record = shared.state.get(str(user))
            assert record is not None
            heard = {(word >> 32) - 1 for word in record.history.listens}
            assert heard == {runtime.catalog.index_of(1000 + 10 * (user % 24))}
    assert wrong == []
    assert len(log.turns) == turns
