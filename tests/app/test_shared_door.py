"""The door over a real Redis: clients that leave, a pause and a kill under load; no answer lost."""

import json
import re
import signal
import socket
import threading
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.settings.model import StateSettings
from tests import needs
from tests.app.live import PATIENCE_S, Live, live
from tests.redis_server import RedisServer, running_redis, wait_until
from tests.service import events_in
from tests.shared_state import NEVER_MS

pytestmark = needs.program("redis-server")


def state_on(server: RedisServer, timeout_ms: float = NEVER_MS) -> dict[str, Any]:
    return {"backend": "redis", "url": server.url, "timeout_ms": timeout_ms}


def request_of(user: int) -> bytes:
    body = json.dumps({"user": user, "track": 1000 + 10 * (user % 24), "time": 0.5}).encode()
    return (
        b"POST /recommend HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )


def test_pipelined_requests_are_answered_in_their_order(tmp_path: Path) -> None:
    with running_redis(tmp_path / "redis") as server:  # noqa: SIM117 (one server inside the other)
        with live(tmp_path, state=state_on(server)) as running, running.connect() as client:
            client.sendall(b"".join(request_of(user) for user in range(1, 6)))
            found = b""
            while found.count(b'"user":') < 5:
                found += client.recv(65536)
    assert re.findall(rb'"user":(\d+)', found) == [b"1", b"2", b"3", b"4", b"5"]


def test_clients_that_go_away_leave_every_answer_to_its_listener(tmp_path: Path) -> None:
    wrong: list[Any] = []

    def client(running: Live, number: int) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{running.port}", timeout=PATIENCE_S) as http:
            for turn in range(60):
                user = 100 * number + turn % 7
                if turn % 3 == 0:  # sends, and does not wait for the answer
                    with socket.create_connection(("127.0.0.1", running.port)) as leaving:
                        leaving.sendall(request_of(user))
                answer = http.post("/recommend", json={"user": user, "track": 1000, "time": 0.5})
                if answer.status_code != 200 or answer.json()["user"] != user:
                    wrong.append((user, answer.text))

    with running_redis(tmp_path / "redis") as server:  # noqa: SIM117
        with live(tmp_path, state=state_on(server)) as running:
            threads = [
                threading.Thread(target=client, args=(running, number)) for number in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE_S)
    assert wrong == []
    turns = defaultdict(list)
    for event in events_in(tmp_path):
        turns[event["user"]].append(event["turn"])
    assert all(sorted(each) == list(range(1, len(each) + 1)) for each in turns.values())


@pytest.mark.parametrize("outage", ["paused", "killed"])
def test_an_outage_under_load_costs_no_answer_and_is_counted(tmp_path: Path, outage: str) -> None:
    statuses: Counter[int] = Counter()
    answers: Counter[bool] = Counter()
    ends = threading.Event()

    def client(running: Live, number: int) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{running.port}", timeout=PATIENCE_S) as http:
            while not ends.is_set():
                answer = http.post("/recommend", json={"user": number, "track": 1000, "time": 0.5})
                statuses[answer.status_code] += 1
                answers["degraded" in answer.json()] += 1

    with running_redis(tmp_path / "redis") as server:  # noqa: SIM117
        with live(tmp_path, state=state_on(server, StateSettings().timeout_ms)) as running:
            threads = [
                threading.Thread(target=client, args=(running, number)) for number in range(8)
            ]
            for thread in threads:
                thread.start()
            wait_until(lambda: answers[False] > 50)
            server.send(signal.SIGSTOP) if outage == "paused" else server.kill()
            before = answers[True]
            wait_until(lambda: answers[True] > before + 50)
            server.send(signal.SIGCONT) if outage == "paused" else server.start()
            before = answers[False]
            wait_until(lambda: answers[False] > before + 50)
            ends.set()
            for thread in threads:
                thread.join(PATIENCE_S)
    assert set(statuses) == {200}
    logged = events_in(tmp_path)
    assert len(logged) == statuses[200], "every answer has its line"
    assert sum(event.get("degraded", False) for event in logged) == answers[True]
    ids = sorted(int(event["decision"].rpartition("-")[2], 16) for event in logged)
    assert ids == list(range(1, len(ids) + 1))
    turns = defaultdict(list)
    for event in logged:
        if not event.get("degraded"):
            turns[event["user"]].append(event["turn"])
    for numbers in turns.values():
        if outage == "paused":  # nothing was lost: the turns go on without a gap
            assert numbers == list(range(1, len(numbers) + 1))
        else:  # this Redis keeps nothing on disk: the turns begin again
            again = numbers.index(1, 1) if 1 in numbers[1:] else len(numbers)
            assert numbers == [*range(1, again + 1), *range(1, len(numbers) - again + 1)]
