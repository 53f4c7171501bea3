"""Two servers over one Redis, by HTTP: a key is answered once, and a degraded answer says so."""

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.admin import Admin
from app.handlers import RECOMMEND, Call
from app.idempotency import AnsweredKeys
from app.responses import HttpResponse
from app.shared_handlers import SharedHandlers
from core.decision import LoggedTurn
from engine.health import Health
from engine.runtime import Runtime
from events.reader import open_log
from events.schema import event
from tests import needs
from tests.redis_server import RedisServer, running_redis, wait_until
from tests.service import Clock, events_in, loaded, running
from tests.shared_state import NEVER_MS, SharedDriver, driver, until

pytestmark = needs.program("redis-server")

BODY = {"user": 7, "track": 1000, "time": 0.5}


@pytest.fixture(scope="module")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(running_server: RedisServer) -> RedisServer:
    running_server.client.flushdb()
    return running_server


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return loaded(tmp_path_factory.mktemp("world"))


def shared(server: RedisServer, **more: Any) -> dict[str, Any]:
    return {"backend": "redis", "url": server.url, "timeout_ms": NEVER_MS, **more}


def post(client: TestClient, body: Any, key: str | None = None, path: str = "/recommend") -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(path, json=body, headers=headers)


def test_a_key_is_answered_once_whichever_server_gets_the_retry(
    server: RedisServer, tmp_path: Path
) -> None:
    state = shared(server)
    with (
        running(tmp_path / "one", state=state) as one,
        running(tmp_path / "two", state=state) as two,
    ):
        first = post(one, BODY, "k")
        assert post(one, {**BODY, "time": 0.9}, "another").status_code == 200
        again = post(two, BODY, "k")
        assert (again.status_code, again.content) == (200, first.content)
        refused = post(two, {**BODY, "time": 0.75}, "k")
        assert refused.status_code == 422
        assert refused.json()["error"]["code"] == "idempotency_key_reused"
        # One key on each route and for each listener.
        assert post(two, BODY, "k", "/feedback").json() == {"user": 7}
        assert post(two, {**BODY, "user": 8}, "k").json()["user"] == 8
    assert [event["turn"] for event in events_in(tmp_path / "one")] == [1, 2]
    assert [(event["user"], event["turn"]) for event in events_in(tmp_path / "two")] == [
        (7, 3),
        (8, 1),
    ]


def test_a_key_twice_in_flight_is_one_turn(server: RedisServer, runtime: Runtime) -> None:
    log = Log()
    with driver(runtime, server, log, Clock()) as process:
        handlers = handlers_of(process)
        found: dict[int, HttpResponse] = {}

        async def both() -> None:
            # Two batches: the second does not wait for the first one's answer.
            for place in range(2):
                handlers.answer_soon([call("k")], partial(_keep, found, place))
            await until(lambda: len(found) == 2)

        process.run(both())
    assert found[0].body == found[1].body
    assert len(log.turns) == 1


@pytest.mark.parametrize("line_written", [False, True], ids=["before-its-line", "after-its-line"])
def test_the_retry_of_a_turn_whose_process_died_makes_the_same_decision_again(
    server: RedisServer, runtime: Runtime, tmp_path: Path, line_written: bool
) -> None:
    died, survived, lived = Log(), Log(), Log()
    one = SharedDriver(runtime, server, died, Clock())
    with driver(runtime, server, survived, Clock()) as two:
        answer(handlers_of(two), two, call("earlier", {"user": 7}))
        claim = "segue:{7}:recommend:k"

        async def dies() -> None:
            """Send the turn, and do nothing from the moment of the death on."""
            if line_written:
                one.dispatcher._outbox.keep_answer = lambda *_: None  # type: ignore[method-assign]
            else:
                one.dispatcher.settle = lambda *_: None  # type: ignore[method-assign]
            handlers_of(one).answer_soon([call("k")], lambda *_: None)
            seen = (lambda: died.turns) if line_written else (lambda: server.client.exists(claim))
            await until(seen)

        one.run(dies())
        assert bool(died.turns) is line_written
        answer(handlers_of(two), two, call("later", {"user": 7, "track": 1070, "time": 1.0}))
        retried = answer(handlers_of(two), two, call("k"))
        again = answer(handlers_of(two), two, call("k"))
    with driver(runtime, server, lived, Clock(), prefix="memory:") as memory:
        answer(handlers_of(memory), memory, call("earlier", {"user": 7}))
        expected = answer(handlers_of(memory), memory, call("k"))
    assert retried.body == again.body
    told, right = json.loads(retried.body), json.loads(expected.body)
    assert told.pop("decision").endswith("-1")
    assert right.pop("decision").endswith("-2")
    assert told == right
    one.close()

    lines = {"one": died.turns, "two": survived.turns}
    (tmp_path / "log").mkdir()
    for name, turns in lines.items():
        text = "".join(json.dumps(event(turn)) + "\n" for turn in turns)
        (tmp_path / "log" / f"events-{name}.jsonl").write_text(text)
    with open_log([tmp_path / "log"]) as log:
        numbers = [row[0] for row in log.query("SELECT turn FROM events ORDER BY turn")]
        assert numbers == [1, 2, 3]
        dropped = dict(log.query("SELECT reason, lines FROM dropped"))
    # Of the survivor's three lines, one has an id of the process that died.
    assert dropped == ({"retried decision of another process": 1} if line_written else {})


def test_a_degraded_answer_says_so_and_readyz_warns(server: RedisServer, tmp_path: Path) -> None:
    with running(tmp_path, state=shared(server, timeout_ms=50)) as client:
        assert "degraded" not in post(client, BODY).json()
        assert client.get("/readyz").json()["warnings"] == []
        server.send(signal.SIGSTOP)
        try:
            answers = [
                post(client, BODY, "k"),
                post(client, BODY, "k"),
                post(client, BODY, path="/feedback"),
                post(client, {"track": 1000, "time": 0.5}, path="/next/7"),
                post(client, {"track": 1000, "time": 0.5}, path="/last/7"),
            ]
            ready = client.get("/readyz")
            metrics = client.get("/metrics").text
        finally:
            server.send(signal.SIGCONT)
        assert [answer.status_code for answer in answers] == [200] * 5
        assert all(answer.json()["degraded"] is True for answer in answers)
        assert answers[0].content == answers[1].content, "a retry gets the same answer meanwhile"
        assert ready.status_code == 200
        assert [each["code"] for each in ready.json()["warnings"]] == ["state_unavailable"]
        assert 'segue_degraded_turns_total{arm="C",experiment="fallback"} 4.0' in metrics
        wait_until(lambda: client.get("/readyz").json()["warnings"] == [])
        assert "degraded" not in post(client, BODY).json()
    logged = events_in(tmp_path)
    assert [event["turn"] for event in logged] == [1, None, None, None, None, 2]
    degraded = [event for event in logged if event.get("degraded")]
    assert len(degraded) == 4
    assert all(event["session"] is None for event in degraded)
    assert {event["experiments"]["fallback"] for event in logged} == {"C"}


class Log:
    """A log in memory."""

    def __init__(self) -> None:
        self.turns: list[LoggedTurn] = []

    def append_all(self, turns: Any) -> None:
        self.turns += turns


def handlers_of(process: SharedDriver) -> SharedHandlers:
    answered = AnsweredKeys(10**6, 100, 60, lambda: 0.0)
    return SharedHandlers(process.dispatcher, answered, Admin(), Health())


def call(key: str, body: Any = BODY) -> Call:
    headers = [(b"content-type", b"application/json"), (b"idempotency-key", key.encode())]
    return Call(RECOMMEND, json.dumps(body).encode(), headers, "", 0.0)


def answer(handlers: SharedHandlers, process: SharedDriver, sent: Call) -> HttpResponse:
    return process.run(handlers.answer_later(sent.route, sent.body, sent.headers))


def _keep(found: dict[int, HttpResponse], place: int, _: int, response: HttpResponse) -> None:
    found[place] = response
