"""`admin.address`: operations are served there, and nowhere else."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from app import application
from app.listening import listen_for_operations, url_of
from core.errors import SegueError
from tests.app.live import live
from tests.app.test_kill import ROOT, started
from tests.service import events_in, loaded, running, write_config

OPERATIONS = [
    ("GET", "/metrics"), ("GET", "/experiments"), ("GET", "/docs"), ("GET", "/openapi.json"),
    ("GET", "/board"),
    ("POST", "/admin/reload"), ("DELETE", "/listeners/7"), ("DELETE", "/listeners/99"),
]  # fmt: skip
FREE = "127.0.0.1:0"
TOKEN = {"Authorization": "Bearer token"}


@pytest.fixture
def operations() -> Iterator[socket.socket]:
    with listen_for_operations(FREE) as listening:
        yield listening


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_operations_are_at_the_main_address_without_one_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    with running(tmp_path) as client:
        assert client.request(method, path, headers=TOKEN).status_code == 200


def test_operations_are_at_their_address_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    server, main = started(tmp_path, admin={"address": FREE})
    assert server.stderr is not None
    said = next(line for line in server.stderr if "http://" in line)
    inside = re.findall(r"http://\S+", said)[0]
    with (
        httpx.Client(base_url=main, timeout=60) as client,
        httpx.Client(base_url=inside, timeout=60) as operator,
    ):
        assert client.post("/recommend", json={"user": 7}).status_code == 200
        for method, path in OPERATIONS:
            refused = client.request(method, path, headers=TOKEN)
            assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
            assert operator.request(method, path, headers=TOKEN).status_code == 200
        for each in (client, operator):
            assert each.get("/healthz").json() == {"status": "alive"}
            assert each.get("/readyz").status_code == 200
            assert each.get("/tracks/1000").json()["track"] == 1000
        # A turn there is a turn like every one, in the same log and metrics.
        assert operator.post("/recommend", json={"user": 8}).status_code == 200
        assert operator.get("/experiments").json()["requests"] == 2
        server.send_signal(signal.SIGTERM)  # while both connections are open
        server.communicate(timeout=60)
    assert server.returncode == 0
    turns = [event["user"] for event in events_in(tmp_path) if event["message"] == "next"]
    assert turns == [7, 8]


@pytest.mark.parametrize("path", ["/redoc", "/docs/oauth2-redirect"])
def test_no_second_page_of_docs_stays_at_the_main_address(tmp_path: Path, path: str) -> None:
    with running(tmp_path, admin={"address": FREE}) as client:
        assert client.get(path).status_code == 404


def test_a_flood_of_clients_does_not_keep_an_operator_out(
    tmp_path: Path, operations: socket.socket
) -> None:
    with (
        live(tmp_path, operations=operations, server={"connections": 1}) as server,
        server.connect(),
        httpx.Client(base_url=url_of(operations), timeout=60) as operator,
    ):
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
            assert client.get("/healthz").status_code == 503
        assert operator.get("/metrics").status_code == 200


def test_an_address_that_is_taken_ends_the_start_with_a_sentence(
    tmp_path: Path, operations: socket.socket
) -> None:
    address = f"127.0.0.1:{operations.getsockname()[1]}"
    with pytest.raises(SegueError, match=f"admin.address: {address}: it is taken"):
        listen_for_operations(address)
    config = str(write_config(tmp_path))
    ran = subprocess.run(
        [sys.executable, "-m", "cli", "serve", "--config", config, "--port", "0",
         "--admin-address", address],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "it is taken" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("address", ["8001", "localhost", "::1:8001", "127.0.0.1:99999", ":8001"])
def test_an_address_that_is_none_is_a_fault(tmp_path: Path, address: str) -> None:
    with pytest.raises(SegueError, match=r"admin.address: must be HOST:PORT"):
        loaded(tmp_path, admin={"address": address})
    with pytest.raises(SegueError, match="must be HOST:PORT"):
        listen_for_operations(address)


def test_an_asgi_server_of_the_users_own_serves_them_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first process takes the address; the second one says that it did not get it."""
    taken: list[socket.socket] = []

    def take(address: str) -> socket.socket:
        port = taken[0].getsockname()[1] if taken else 0
        taken.append(listen_for_operations(f"127.0.0.1:{port}"))
        return taken[-1]

    monkeypatch.setattr(application, "listen_for_operations", take)
    config = write_config(tmp_path, admin={"address": FREE})
    monkeypatch.setenv("SEGUE_CONFIG", str(config))
    first, second = application.from_environment(), application.from_environment()
    assert "it is taken" in caplog.text
    assert "this process serves without operations" in caplog.text
    with TestClient(first) as client, TestClient(second) as other:
        assert client.get("/metrics").status_code == other.get("/metrics").status_code == 404
        assert httpx.get(f"{url_of(taken[0])}/metrics", timeout=60).status_code == 200
