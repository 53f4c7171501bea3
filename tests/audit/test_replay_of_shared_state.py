"""Replay of what shared state brings: degraded turns, lines of retries, a reply that was lost."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import Status
from analysis.checks.suite import run_all_checks
from audit.replay import Replayer, ReplayResult
from core.decision import LoggedTurn
from core.request import ListenReport, Request
from engine.arrivals import Arrival
from engine.config_snapshots import save_snapshot
from engine.runtime import Runtime
from events.config_snapshots import snapshots_beside
from events.reader import open_log
from events.schema import line
from tests import needs
from tests.redis_server import RedisServer, running_redis
from tests.service import Clock, loaded
from tests.shared_state import driver, until

pytestmark = needs.program("redis-server")


class Log:
    """A log in memory."""

    def __init__(self) -> None:
        self.turns: list[LoggedTurn] = []

    def append_all(self, turns: Sequence[LoggedTurn]) -> None:
        self.turns += turns

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line(turn)) for turn in self.turns]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return loaded(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as made:
        yield made


def replayed(runtime: Runtime, events: list[dict[str, Any]]) -> ReplayResult:
    replayer = Replayer(lambda _: runtime)
    for number, event in enumerate(events, 1):
        replayer.take(event, f"event {number}")
    return replayer.finish()


def test_degraded_turns_are_replayed_as_what_they_were(runtime: Runtime, tmp_path: Path) -> None:
    log = Log()
    with driver(runtime, RedisServer(tmp_path), log, Clock(), timeout_ms=50) as shared:
        for number in range(20):
            shared.recommend(Request(7, 1000 + 10 * number, 0.5), 0.0)
        shared.feedback(ListenReport(7, 1000, 0.5, final=True), 0.0)
    events = log.events
    result = replayed(runtime, events)
    assert (result.sound, result.decisions, result.degraded) == (True, 20, 21)
    events[3]["recommendation"] = events[4]["recommendation"] = 1230
    events[4]["recommendation"] = 1220
    assert replayed(runtime, events).mismatched >= 1


def test_a_line_that_a_retry_wrote_again_is_counted_and_not_replayed(
    runtime: Runtime, server: RedisServer
) -> None:
    log = Log()
    with driver(runtime, server, log, Clock()) as shared:
        for number in range(5):
            shared.recommend(Request(8, 1000 + 10 * number, 0.5), 0.0, f"key {number}")
    events = log.events
    result = replayed(runtime, [*events[:3], events[1], *events[3:], events[4]])
    assert (result.sound, result.decisions, result.repeated) == (True, 5, 2)
    doubled = {**events[1], "decision": "elsewhere-1"}
    assert not replayed(runtime, [*events[:3], doubled, *events[3:]]).sound


def test_a_turn_whose_reply_was_lost_explains_the_gap_that_it_leaves(
    runtime: Runtime, server: RedisServer, tmp_path: Path
) -> None:
    """Redis took the turn, and the connection broke before the reply came."""
    log, clock = Log(), Clock()
    with driver(runtime, server, log, clock, timeout_ms=60_000) as shared:
        shared.recommend(Request(9, 1000, 0.5), 0.0)
        shard = shared.dispatcher.store.shards[0]

        async def lose_the_reply() -> None:
            link = shard.link
            assert link is not None
            link.data_received = lambda data: None  # type: ignore[method-assign]
            before = server.client.get("segue:{9}")
            shared.dispatcher.send([Arrival(Request(9, 1070, 1.0), 0.0)], lambda *_: None)
            await until(lambda: server.client.get("segue:{9}") != before)
            link.close()
            await until(lambda: len(log.turns) == 2)

        clock.tick(1)
        shared.run(lose_the_reply())
        shared.wait_until_well()
        for number in range(3):
            clock.tick(1)
            shared.recommend(Request(9, 1000 + 10 * number, 0.5), 0.0)
    events = log.events
    assert [event["turn"] for event in events] == [1, None, 3, 4, 5]
    result = replayed(runtime, events)
    assert (result.sound, result.decisions) == (True, 5)

    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "events-1.jsonl").write_bytes(b"".join(line(turn) for turn in log.turns))
    save_snapshot(runtime, folder)
    with open_log([folder]) as opened:
        archived = ArchivedConfigs.read(snapshots_beside([folder]))
        (validity,) = run_all_checks(opened, archived, [])
    found = {each.name: each.status for each in validity.checks}
    assert found["turns"] is Status.PASSED
    assert found["ids"] is Status.PASSED
