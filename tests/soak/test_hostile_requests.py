"""Hostile requests: none is answered with 5xx, none hangs the server, none damages the log."""

import asyncio
import json
from pathlib import Path

import httpx

from tests.service import write_config
from tests.soak.hostile_clients import HostileClients
from tests.soak.logged_lines import read_lines
from tests.soak.server_process import ServerProcess

REQUESTS = 15_000
"""In CI; `make soak` sends 100,000."""
SERVER = {"request_timeout_s": 2, "keep_alive_s": 2, "log": "json"}
STATE = {"max_listeners": 500, "idempotency_mb": 1}
"""Small bounds, so that memory is flat after the first thousands of requests."""


def test_no_hostile_request_fails_hangs_or_damages_the_server(tmp_path: Path) -> None:
    server = ServerProcess(write_config(tmp_path, server=SERVER, state=STATE))
    server.start()
    try:
        clients = HostileClients(server.port, seed=1)
        asyncio.run(clients.send(REQUESTS // 2))
        warm_mb = server.memory_mb()
        outcome = asyncio.run(clients.send(REQUESTS))
        grown_mb = server.memory_mb() - warm_mb
        still = httpx.post(
            f"http://127.0.0.1:{server.port}/recommend", json={"user": 7}, timeout=60
        )
    finally:
        code = server.stop()

    assert outcome.problems == []
    assert outcome.requests >= REQUESTS
    assert still.status_code == 200
    assert grown_mb < 10
    assert code == 0
    assert not [line for line in server.said if "Traceback" in line]
    for line in server.said:
        assert {"at", "level", "logger", "message"} <= set(json.loads(line))
    read = read_lines([tmp_path / "log"])
    assert read.faults == []
    assert read.torn == 0
    assert {read.decisions[each] for each in outcome.decisions} == {1}
    assert set(read.decisions.values()) == {1}
