"""Deleting a listener's history: over both stores, with a line that every reader understands."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from audit.replay import Replayer
from core.errors import EventLogError
from core.request import Request
from engine.dispatcher import Dispatcher
from engine.metrics import ServerMetrics
from engine.state import MemoryState
from events.reader import open_log
from tests import needs
from tests.redis_server import running_redis
from tests.service import Clock, events_in, loaded, running
from tests.shared_state import NEVER_MS

TOKEN = {"Authorization": "Bearer token"}


@pytest.fixture(params=["memory", "redis"])
def client(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    if request.param == "memory":
        with running(tmp_path) as made:
            yield made
        return
    with running_redis(tmp_path / "redis") as server:
        state = {"backend": "redis", "url": server.url, "timeout_ms": NEVER_MS}
        with running(tmp_path, state=state) as made:
            yield made


def turn(client: TestClient, **more: Any) -> Any:
    answer = client.post("/recommend", json={"user": 7, "track": 1000, "time": 0.5, **more})
    assert answer.status_code == 200
    return answer.json()


@needs.program("redis-server")
def test_a_listener_is_forgotten_and_the_log_says_so(client: TestClient, tmp_path: Path) -> None:
    for _ in range(3):
        turn(client)
    forgotten = client.delete("/listeners/7", headers=TOKEN)
    assert (forgotten.status_code, forgotten.json()) == (200, {"user": 7, "known": True})
    again = client.delete("/listeners/7", headers=TOKEN)
    assert again.json() == {"user": 7, "known": False}, "and there is no second line"
    turn(client)
    turn(client)
    logged = events_in(tmp_path)
    assert [each["message"] for each in logged] == ["next"] * 3 + ["forget"] + ["next"] * 2
    assert [each["turn"] for each in logged] == [1, 2, 3, None, 1, 2]
    assert [each["decision"].rpartition("-")[2] for each in logged] == list("123456")

    runtime = loaded(tmp_path)
    replayer = Replayer(lambda _: runtime)
    for number, event in enumerate(logged):
        # Replay rebuilds state by config; where the state is kept does not matter to it.
        replayer.take({**event, "config": runtime.digest}, f"{number}")
    result = replayer.finish()
    assert (result.sound, result.decisions) == (True, 5)

    with open_log([tmp_path / "log"]) as log:
        assert log.query("SELECT count(*) FROM events") == [(5,)]
        assert log.query("SELECT * FROM dropped") == []
        assert log.query('SELECT "user" FROM forgotten') == [("7",)]


def test_an_answer_that_is_kept_in_memory_for_retries_is_forgotten_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    headers = {**TOKEN, "Idempotency-Key": "k"}
    body = {"user": 7, "track": 1000, "time": 0.5}
    with running(tmp_path) as client:
        first = client.post("/recommend", json=body, headers=headers).json()
        client.delete("/listeners/7", headers=TOKEN)
        second = client.post("/recommend", json=body, headers=headers).json()
    assert first["decision"] != second["decision"]


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({}, "/listeners/7", 401),
        ({"Authorization": "Bearer wrong"}, "/listeners/7", 401),
        (TOKEN, "/listeners/%20", 422),
        (TOKEN, "/listeners/a%2Fb", 200),
    ],
    ids=["no-token", "wrong-token", "no-id", "an-id-with-a-slash"],
)
def test_only_the_admin_token_may_forget(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    path: str,
    status: int,
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    with running(tmp_path) as client:
        turn(client)
        assert client.delete(path, headers=headers).status_code == status
        assert turn(client)
    assert [event["turn"] for event in events_in(tmp_path)] == [1, 2]


def test_a_listener_stays_known_if_the_line_cannot_be_written(tmp_path: Path) -> None:
    class Full:
        full = False

        def append_all(self, turns: Any) -> None:
            if self.full:
                raise EventLogError("the disk is full")

    log = Full()
    state = MemoryState(9, 9, lambda: 0.0)
    dispatcher = Dispatcher(loaded(tmp_path), state, log, ServerMetrics(), Clock())
    dispatcher.recommend(Request(7), 0.0)
    log.full = True
    with pytest.raises(EventLogError, match="full"):
        dispatcher.forget(7)
    log.full = False
    assert dispatcher.recommend(Request(7), 0.0).number == 2


def test_the_line_names_the_listener_as_a_line_of_botify_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader of botify's format filters by `message`, and finds the fields that it reads."""
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    with running(tmp_path) as client:
        turn(client)
        client.delete("/listeners/7", headers=TOKEN)
    first, forget = events_in(tmp_path)
    botify = ("message", "timestamp", "user", "track", "time", "latency", "experiments")
    assert set(botify) <= set(forget) & set(first)
    assert json.loads(json.dumps(forget["experiments"])) == {}
